//! Some rows of one source, decided and written in one transaction.
//!
//! First everything that the rows refer to is read, in a few statements for all of them. Then each row is
//! decided in memory, in order. Only then is anything written: a row that is wrong never reaches the database,
//! so that the transaction goes on, on both databases. A dry run does the same and leaves out the writing, so
//! its verdicts are those of a real run.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use evenhand_domain::access::Permission;
use evenhand_domain::change::SubjectType;
use evenhand_domain::error::{Error, Problem, Result};
use evenhand_domain::imports::{Import, ImportKey, ImportRow, Verdict, shortened};
use evenhand_domain::patch::Patch;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::Tx;
use uuid::Uuid;

use self::activities::Activities;
use self::complaints::Complaints;
use self::customers::Customers;
use self::deals::Deals;
use self::products::Products;
use self::teams::Teams;
use self::users::Users;
use super::fields::quoted;
use super::known::{Known, View};
use super::mapping::{Record, RowProblem};
use super::profile::SourceKind;
use crate::door::Command;

mod activities;
mod complaints;
mod customers;
mod deals;
mod products;
mod teams;
mod users;

/// One row of a file on its way to a verdict.
#[derive(Debug)]
pub(super) struct Line {
    /// Number of the row.
    pub(super) number: u64,
    /// What it says, or all that is wrong with it.
    pub(super) record: Result<Record, Vec<RowProblem>>,
    /// Hash of what it says.
    pub(super) fingerprint: String,
    /// What an equal row of this run became.
    pub(super) repeats: Option<Uuid>,
}

/// Settles some rows of one source.
pub(super) struct Chunk<'a> {
    /// The import as it was after the chunk before.
    pub(super) import: &'a Import,
    /// What is known.
    pub(super) known: &'a Known,
    /// The organisation's time zone: days of a file are local days.
    pub(super) zone: Tz,
    /// Name of the file.
    pub(super) file: &'a str,
    /// What the rows become.
    pub(super) kind: SourceKind,
    /// The rows.
    pub(super) lines: &'a [Line],
}

/// What a chunk came to.
#[derive(Debug)]
pub(super) struct Settled {
    /// The import with the new counts.
    pub(super) import: Import,
    /// What each row is about, where it was not rejected.
    pub(super) subjects: Vec<Option<Uuid>>,
    /// What was decided.
    pub(super) fresh: Known,
}

impl Command for Chunk<'_> {
    const PERMISSION: Permission = Permission::ImportData;
    /// `None` when somebody else went on with the import.
    type Output = Option<Settled>;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output> {
        let now = tx.read().import(self.import.id).await?;
        if now.state.is_final() || now.counts != self.import.counts {
            return Ok(None);
        }
        match self.kind {
            SourceKind::Team => self.settle::<Teams>(tx).await,
            SourceKind::User => self.settle::<Users>(tx).await,
            SourceKind::Customer => self.settle::<Customers>(tx).await,
            SourceKind::Product => self.settle::<Products>(tx).await,
            SourceKind::Deal => self.settle::<Deals>(tx).await,
            SourceKind::Activity => self.settle::<Activities>(tx).await,
            SourceKind::Complaint => self.settle::<Complaints>(tx).await,
        }
        .map(Some)
    }
}

/// How the rows of one kind are decided.
trait Kind: Send + Sync + Sized {
    /// What a row says.
    type Record: Send + Sync;
    /// What the rows are about.
    const SUBJECT: SubjectType;

    /// The record, if it is of this kind.
    fn pick(record: &Record) -> Option<&Self::Record>;

    /// Reads what the records refer to.
    fn read(tx: &Tx, view: &View<'_>, records: &[&Self::Record])
    -> impl Future<Output = Result<Self>> + Send;

    /// What a record with a new key may mean that is there already.
    fn alike(&self, view: &View<'_>, record: &Self::Record) -> Vec<Uuid>;

    /// Reads the objects that may change.
    fn load(&mut self, tx: &Tx, ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send;

    /// Decides one row, and keeps what is to be written.
    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &Self::Record,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal>;

    /// Writes what was decided.
    fn save(self, tx: &mut Tx) -> impl Future<Output = Result<()>> + Send;
}

/// Where a row is decided.
struct Scene<'a> {
    tx: &'a Tx,
    view: View<'a>,
    zone: Tz,
    profile: &'a str,
    row: u64,
}

impl Scene<'_> {
    fn now(&self) -> Timestamp {
        self.tx.now()
    }

    /// What a step gives as its source when the row has nothing better.
    fn source(&self) -> String {
        format!("import {} row {}", self.profile, self.row)
    }
}

/// What becomes of a row that is right.
enum Decision {
    Created(Uuid),
    /// With what could not be changed.
    Updated(Uuid, Option<&'static str>),
    Unchanged(Uuid),
    /// With why.
    Skipped(Uuid, &'static str),
}

/// Why a row has no decision.
enum Refusal {
    /// The row is wrong.
    Row(Vec<RowProblem>),
    /// Something else is.
    Fault(Error),
}

impl From<RowProblem> for Refusal {
    fn from(problem: RowProblem) -> Self {
        Self::Row(vec![problem])
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(problems) => Self::Row(problems.iter().map(row_problem).collect()),
            other => Self::Fault(other),
        }
    }
}

/// A rule's refusal as a problem of a row.
pub(super) fn row_problem(problem: &Problem) -> RowProblem {
    let field = problem.field.join(".");
    let reason =
        if field.is_empty() { problem.message.clone() } else { format!("{field}: {}", problem.message) };
    RowProblem::new(field, reason)
}

/// The patch that makes `present` what the row says. A row that says nothing takes nothing away: the file may
/// simply not know.
fn differing<T: Clone + PartialEq>(wanted: &Option<T>, present: &Option<T>) -> Patch<T> {
    match wanted {
        Some(value) if present.as_ref() != Some(value) => Patch::Set(value.clone()),
        _ => Patch::Keep,
    }
}

/// The problem that another object of this kind has a value that must be unique.
fn taken(field: &str, value: &str, noun: &str) -> Refusal {
    RowProblem::new(field, format!("{field}: {} belongs to another {noun} already", quoted(value))).into()
}

/// The verdicts of a chunk as they come.
struct Verdicts<'a> {
    chunk: &'a Chunk<'a>,
    subject: SubjectType,
    rows: Vec<ImportRow>,
    subjects: Vec<Option<Uuid>>,
    keys: Vec<ImportKey>,
    /// Keys that this chunk has settled.
    done: HashMap<&'a str, Uuid>,
}

impl<'a> Verdicts<'a> {
    fn push(&mut self, line: &Line, verdict: Verdict, subject: Option<Uuid>, why: &[RowProblem]) {
        // What a dry run would have made does not exist, so its id would lead nowhere.
        let exists = !self.chunk.import.dry_run || matches!(verdict, Verdict::Updated | Verdict::Skipped);
        let reasons: Vec<String> = why.iter().map(ToString::to_string).collect();
        self.rows.push(ImportRow {
            file: self.chunk.file.to_owned(),
            row: i64::try_from(line.number).unwrap_or(i64::MAX),
            verdict,
            subject: self.subject,
            subject_id: subject.filter(|_| exists),
            reason: (!reasons.is_empty()).then(|| shortened(&reasons.join("; "))),
            suggestion: why.iter().find_map(|problem| problem.suggestion.clone()),
        });
        self.subjects.push(subject);
    }

    fn decided(&mut self, line: &'a Line, key: &'a str, decision: Decision) {
        let note = |text: &str| vec![RowProblem::new("row", text)];
        let (verdict, id, why) = match decision {
            Decision::Created(id) => (Verdict::Created, id, Vec::new()),
            Decision::Updated(id, left) => (Verdict::Updated, id, left.map(note).unwrap_or_default()),
            Decision::Unchanged(id) => (Verdict::Unchanged, id, Vec::new()),
            // Without its key the row is looked at again, and told of again, in the next run.
            Decision::Skipped(id, why) => return self.push(line, Verdict::Skipped, Some(id), &note(why)),
        };
        self.push(line, verdict, Some(id), &why);
        self.done.insert(key, id);
        self.keys.push(ImportKey {
            key: key.to_owned(),
            subject: self.subject,
            subject_id: id,
            fingerprint: line.fingerprint.clone(),
        });
    }
}

impl Chunk<'_> {
    async fn settle<K: Kind>(&self, tx: &mut Tx) -> Result<Settled> {
        let keys = self.keys(tx).await?;
        let mut view = View::new(self.known);
        let open: Vec<(&str, &K::Record)> = self
            .lines
            .iter()
            .filter_map(|line| {
                let record = line.record.as_ref().ok().filter(|_| line.repeats.is_none())?;
                let told = keys.get(record.key()).is_some_and(|key| key.fingerprint == line.fingerprint);
                K::pick(record).filter(|_| !told).map(|picked| (record.key(), picked))
            })
            .collect();
        let records: Vec<&K::Record> = open.iter().map(|(_, record)| *record).collect();
        let mut kind = K::read(tx, &view, &records).await?;
        let of_key =
            |key: &str| keys.get(key).filter(|key| key.subject == K::SUBJECT).map(|key| key.subject_id);
        let mut wanted: HashSet<Uuid> = open.iter().filter_map(|(key, _)| of_key(key)).collect();
        let new = open.iter().filter(|(key, _)| !keys.contains_key(*key));
        let alike: HashSet<Uuid> = new.flat_map(|(_, record)| kind.alike(&view, record)).collect();
        let alike: Vec<Uuid> = alike.into_iter().filter(|id| !view.is_claimed(id)).collect();
        let claimed = tx.read().subjects_with_import_keys(&self.import.profile, &alike).await?;
        view.fresh.claimed.extend(claimed);
        wanted.extend(alike.into_iter().filter(|id| !view.is_claimed(id)));
        kind.load(tx, &wanted.into_iter().collect::<Vec<_>>()).await?;

        let (verdicts, fresh) = self.decide_all(tx, view, &mut kind, &keys)?;
        let Verdicts { rows, subjects, keys, .. } = verdicts;
        if !self.import.dry_run {
            kind.save(tx).await?;
            tx.save_import_keys(&self.import.profile, keys).await?;
        }
        let import = self.import.with_rows(&rows);
        tx.add_import_rows(import.id, self.import.counts.total, &rows).await?;
        tx.save_import_progress(self.import, &import).await?;
        Ok(Settled { import, subjects, fresh })
    }

    /// What earlier runs made of these rows.
    async fn keys(&self, tx: &Tx) -> Result<HashMap<String, ImportKey>> {
        let keys: HashSet<&str> =
            self.lines.iter().filter_map(|line| Some(line.record.as_ref().ok()?.key())).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let known = tx.read().import_keys(&self.import.profile, &keys).await?;
        Ok(known.into_iter().map(|key| (key.key.clone(), key)).collect())
    }

    fn decide_all<'a, K: Kind>(
        &'a self,
        tx: &'a Tx,
        view: View<'a>,
        kind: &mut K,
        keys: &HashMap<String, ImportKey>,
    ) -> Result<(Verdicts<'a>, Known)> {
        let profile = self.import.profile.as_str();
        let mut scene = Scene { tx, view, zone: self.zone, profile, row: 0 };
        let (rows, subjects, new) = (Vec::new(), Vec::new(), Vec::new());
        let mut verdicts =
            Verdicts { chunk: self, subject: K::SUBJECT, rows, subjects, keys: new, done: HashMap::new() };
        for line in self.lines {
            scene.row = line.number;
            let record = match &line.record {
                Ok(record) => record,
                Err(problems) => {
                    verdicts.push(line, Verdict::Rejected, None, problems);
                    continue;
                }
            };
            let key = keys.get(record.key());
            let told = key.filter(|key| key.subject == K::SUBJECT && key.fingerprint == line.fingerprint);
            let repeated = line.repeats.or_else(|| verdicts.done.get(record.key()).copied());
            if let Some(id) = repeated.or(told.map(|key| key.subject_id)) {
                verdicts.push(line, Verdict::Unchanged, Some(id), &[]);
                continue;
            }
            match decide(kind, &mut scene, record, key) {
                Ok(decision) => {
                    let (Decision::Created(id)
                    | Decision::Updated(id, _)
                    | Decision::Unchanged(id)
                    | Decision::Skipped(id, _)) = decision;
                    scene.view.fresh.claimed.insert(id);
                    verdicts.decided(line, record.key(), decision);
                }
                Err(Refusal::Row(problems)) => verdicts.push(line, Verdict::Rejected, None, &problems),
                Err(Refusal::Fault(error)) => return Err(error),
            }
        }
        Ok((verdicts, scene.view.fresh))
    }
}

fn decide<K: Kind>(
    kind: &mut K,
    scene: &mut Scene<'_>,
    record: &Record,
    key: Option<&ImportKey>,
) -> Result<Decision, Refusal> {
    let picked = K::pick(record)
        .ok_or_else(|| Refusal::Fault(Error::Internal("a source gave another kind of record".into())))?;
    if let Some(key) = key {
        if key.subject != K::SUBJECT {
            let reason =
                format!("the key {} stands for a {} already", quoted(&key.key), key.subject.as_str());
            return Err(RowProblem::new("key", reason).into());
        }
        return kind.decide(scene, picked, Some(key.subject_id));
    }
    let alike: Vec<Uuid> =
        kind.alike(&scene.view, picked).into_iter().filter(|id| !scene.view.is_claimed(id)).collect();
    match alike[..] {
        [] => kind.decide(scene, picked, None),
        [id] => kind.decide(scene, picked, Some(id)),
        _ => {
            let reason = format!("{} objects could be meant; give what tells them apart", alike.len());
            Err(RowProblem::new("row", reason).into())
        }
    }
}
