//! Running an import: source by source, in chunks of rows, with one transaction for each chunk.
//!
//! An import that was interrupted goes on where it was: the verdicts and the counts are written with the rows
//! they belong to, so the counts tell how many rows need not be looked at again.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use chrono_tz::Tz;
use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::error::{Code, Error, Problem, Problems, Result};
use evenhand_domain::id::{ImportId, OrganizationId, UserId};
use evenhand_domain::imports::{Counts, Import, NewImport};
use evenhand_persistence::{Reader, Tx};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::PROFILE_FILE;
use super::chunk::{Chunk, Line, Settled, row_problem};
use super::known::{Known, LoadKnown};
use super::mapping::RowProblem;
use super::profile::{Profile, Source};
use super::rows::{Row, Rows};
use crate::door::{App, Command, Query};

/// Rows that are settled in one transaction: enough to share its statements, few enough not to hold up others.
pub const CHUNK_ROWS: usize = 500;

/// A file of an import, open for reading.
pub type OpenFile = Box<dyn Read + Send>;

/// Where the files of an import come from.
pub trait Files: Sync {
    /// Opens the file that a profile calls `name`, which is never a path.
    fn open(&self, name: &str) -> impl Future<Output = Result<OpenFile>> + Send;
}

/// Files in a folder.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Files for Folder {
    async fn open(&self, name: &str) -> Result<OpenFile> {
        match std::fs::File::open(self.0.join(name)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => {
                let message = format!("{} cannot be read: {error}.", self.0.join(name).display());
                Err(Problem::new(Code::InvalidFile, message).into())
            }
        }
    }
}

/// Files that wait in the database; one is in memory at a time.
struct Kept<'a> {
    app: &'a App,
    actor: Actor,
    import: ImportId,
}

impl Files for Kept<'_> {
    async fn open(&self, name: &str) -> Result<OpenFile> {
        let content = self.app.query(&self.actor, &ImportFileText(self.import, name)).await?;
        Ok(Box::new(std::io::Cursor::new(content)))
    }
}

struct ImportFileText<'a>(ImportId, &'a str);

impl Query for ImportFileText<'_> {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = String;

    async fn run(&self, reader: &Reader<'_>) -> Result<String> {
        reader.import_file(self.0, self.1).await
    }
}

/// What to import.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// Into which organisation.
    pub organization: OrganizationId,
    /// Who asks; `None` for the operator of the installation.
    pub requested_by: Option<UserId>,
    /// The profile, in TOML.
    pub profile: String,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Ignore the aliases of the profile.
    pub without_aliases: bool,
}

/// How far a running import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The import.
    pub import: ImportId,
    /// The file that is being read.
    pub file: String,
    /// Which source of the profile that is, from 1.
    pub source: usize,
    /// How many sources there are.
    pub sources: usize,
    /// The rows so far.
    pub counts: Counts,
}

/// Imports files and returns when all rows have a verdict; `on_progress` is told after each chunk.
///
/// # Errors
/// `INVALID_PROFILE` or `INVALID_FILE` when the profile is wrong or does not fit the files: then nothing was
/// imported. Rows that are wrong are no error.
pub async fn run_import(
    app: &App,
    request: &ImportRequest,
    files: &impl Files,
    mut on_progress: impl FnMut(&Progress) + Send,
) -> Result<Import> {
    let profile = read_profile(&request.profile, request.without_aliases)?;
    preflight(&profile, files).await?;
    let actor = app.system(request.organization).await?;
    let input = NewImport {
        profile: profile.name.clone(),
        dry_run: request.dry_run,
        without_aliases: request.without_aliases,
        in_background: false,
    };
    let register = Register { input, requested_by: request.requested_by };
    let import = app.execute(&actor, "import", &register).await?;
    let mut run = Run::begin(app, actor, import.id, &profile).await?;
    match run.all(files, &mut on_progress).await {
        Ok(true) => run.finish(None).await,
        // Nobody else knows of this import, so this is no other worker but a fault.
        Ok(false) => Err(Error::Conflict),
        Err(error) => {
            run.finish(Some(&error)).await?;
            Err(error)
        }
    }
}

/// Runs an import that a client asked for. An error means that another try may go on with it.
pub(crate) async fn run_import_job(app: &App, actor: &Actor, id: ImportId) -> Result<()> {
    let import = app.query(actor, &super::GetImport(id)).await?;
    if import.state.is_final() {
        return Ok(());
    }
    let files = Kept { app, actor: *actor, import: id };
    let text = app.query(actor, &ImportFileText(id, PROFILE_FILE)).await?;
    let profile = read_profile(&text, import.without_aliases)?;
    let mut run = Run::begin(app, *actor, id, &profile).await?;
    match run.all(&files, &mut |_| {}).await {
        Ok(true) => run.finish(None).await.map(drop),
        Ok(false) => {
            tracing::warn!(import = %id, "another worker has taken over");
            Ok(())
        }
        Err(error @ (Error::Unavailable(_) | Error::Contention | Error::Conflict)) => Err(error),
        Err(error) => {
            tracing::warn!(import = %id, %error, "an import failed");
            run.finish(Some(&error)).await.map(drop)
        }
    }
}

pub(super) fn read_profile(text: &str, without_aliases: bool) -> Result<Profile> {
    let mut profile = Profile::parse(text)?;
    if without_aliases {
        profile.without_aliases();
    }
    Ok(profile)
}

/// Finds out before the first row whether all files are there and have the columns that the profile names.
pub(super) async fn preflight(profile: &Profile, files: &impl Files) -> Result<()> {
    let mut problems = Problems::default();
    for source in &profile.sources {
        let opened = match files.open(&source.file).await {
            Ok(file) => Rows::open(profile, source, file).map(drop),
            Err(error) => Err(error),
        };
        match opened {
            Ok(()) => {}
            Err(Error::Rejected(found)) => found.into_iter().for_each(|problem| problems.push(problem)),
            Err(other) => return Err(other),
        }
    }
    problems.finish()
}

/// The first row of this run that has a key.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: u128,
    subject: Option<Uuid>,
    source: u32,
    row: u64,
}

/// A run in progress.
struct Run<'a> {
    app: &'a App,
    actor: Actor,
    zone: Tz,
    request_id: String,
    profile: &'a Profile,
    import: Import,
    known: Known,
    /// By a hash of the key: 100,000 keys take about 10 MiB.
    seen: HashMap<u128, Seen>,
}

/// A row with the hash of its key, where it has one.
struct Arrival {
    key: Option<u128>,
    line: Line,
}

impl<'a> Run<'a> {
    async fn begin(app: &'a App, actor: Actor, id: ImportId, profile: &'a Profile) -> Result<Self> {
        let Actor::System { zone, .. } = actor else {
            return Err(Error::Internal("imports run as the system".into()));
        };
        let request_id = format!("import-{id}");
        let import = app.execute(&actor, &request_id, &Begin(id)).await?;
        let known = app.query(&actor, &LoadKnown).await?;
        Ok(Self { app, actor, zone, request_id, profile, import, known, seen: HashMap::new() })
    }

    /// False when somebody else went on with the import.
    async fn all(
        &mut self,
        files: &impl Files,
        on_progress: &mut (impl FnMut(&Progress) + Send),
    ) -> Result<bool> {
        let mut settled_before = self.import.counts.total;
        for (index, source) in self.profile.sources.iter().enumerate() {
            let file = files.open(&source.file).await?;
            let mut rows = Rows::open(self.profile, source, file)?;
            loop {
                let mut arrivals = Vec::with_capacity(CHUNK_ROWS);
                for row in rows.by_ref().take(CHUNK_ROWS) {
                    arrivals.push(self.arrive(row?, index)?);
                }
                if arrivals.is_empty() {
                    break;
                }
                let skipped = usize::try_from(settled_before).unwrap_or(usize::MAX).min(arrivals.len());
                settled_before -= i64::try_from(skipped).unwrap_or(0);
                arrivals.drain(..skipped);
                if !self.settle(source, arrivals).await? {
                    return Ok(false);
                }
                on_progress(&Progress {
                    import: self.import.id,
                    file: source.file.clone(),
                    source: index + 1,
                    sources: self.profile.sources.len(),
                    counts: self.import.counts,
                });
            }
        }
        Ok(true)
    }

    /// Compares a row with what this run has seen. A key stands for one thing, of which all rows of a run must
    /// say the same: otherwise the order of the rows would decide, and no second run could change nothing.
    fn arrive(&mut self, row: Row, source: usize) -> Result<Arrival> {
        let record = match row.record {
            Ok(record) => record,
            Err(problems) => return Ok(Arrival { key: None, line: wrong(row.number, problems) }),
        };
        let text = record.fingerprint()?;
        let (key, fingerprint) = (short_hash(record.key()), short_hash(&text));
        let source = u32::try_from(source).unwrap_or(u32::MAX);
        let first = Seen { fingerprint, subject: None, source, row: row.number };
        let seen = *self.seen.entry(key).or_insert(first);
        if seen.fingerprint != fingerprint {
            let file =
                self.profile.sources.get(seen.source as usize).map_or("", |source| source.file.as_str());
            let reason = format!("row {} of {file} has the same key and says something else", seen.row);
            return Ok(Arrival { key: None, line: wrong(row.number, vec![RowProblem::new("key", reason)]) });
        }
        let line = Line { number: row.number, record: Ok(record), fingerprint: text, repeats: seen.subject };
        Ok(Arrival { key: Some(key), line })
    }

    /// Settles rows together, and one by one when the database refuses something that only writing shows, such
    /// as a name that somebody else took at the same moment.
    async fn settle(&mut self, source: &Source, arrivals: Vec<Arrival>) -> Result<bool> {
        let (keys, lines): (Vec<_>, Vec<_>) =
            arrivals.into_iter().map(|arrival| (arrival.key, arrival.line)).unzip();
        if lines.is_empty() {
            return Ok(true);
        }
        match self.commit(source, &keys, &lines).await {
            Err(error) if is_of_rows(&error) => {}
            settled => return settled,
        }
        for (key, line) in keys.iter().zip(&lines) {
            let (key, line) = (std::slice::from_ref(key), std::slice::from_ref(line));
            let settled = match self.commit(source, key, line).await {
                Err(error) if is_of_rows(&error) => {
                    let wrong = wrong(line[0].number, refused(&error));
                    self.commit(source, &[None], &[wrong]).await?
                }
                settled => settled?,
            };
            if !settled {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn commit(&mut self, source: &Source, keys: &[Option<u128>], lines: &[Line]) -> Result<bool> {
        let chunk = Chunk {
            import: &self.import,
            known: &self.known,
            zone: self.zone,
            file: &source.file,
            kind: source.kind,
            lines,
        };
        let settled = self.app.execute(&self.actor, &self.request_id, &chunk).await?;
        let Some(Settled { import, subjects, fresh }) = settled else { return Ok(false) };
        self.known.absorb(fresh, import.dry_run);
        self.import = import;
        for (key, subject) in keys.iter().zip(subjects) {
            if let Some(seen) = key.and_then(|key| self.seen.get_mut(&key)) {
                seen.subject = seen.subject.or(subject);
            }
        }
        Ok(true)
    }

    async fn finish(&self, error: Option<&Error>) -> Result<Import> {
        let failure = error.map(|error| match error {
            Error::Rejected(problems) => {
                problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ")
            }
            Error::Unavailable(_) => error.to_string(),
            other => {
                tracing::error!(import = %self.import.id, error = %other, "an import met a fault");
                "A fault of the system, which its log tells; what was imported stays.".to_owned()
            }
        });
        self.app.execute(&self.actor, &self.request_id, &Finish(self.import.id, failure)).await
    }
}

fn wrong(number: u64, problems: Vec<RowProblem>) -> Line {
    Line { number, record: Err(problems), fingerprint: String::new(), repeats: None }
}

/// Whether a refusal of the database may be about one of the rows.
fn is_of_rows(error: &Error) -> bool {
    matches!(error, Error::Rejected(_) | Error::NotFound | Error::Conflict)
}

fn refused(error: &Error) -> Vec<RowProblem> {
    match error {
        Error::Rejected(problems) => problems.iter().map(row_problem).collect(),
        _ => vec![RowProblem::new("row", "somebody else changed what it is about; import it again")],
    }
}

/// Half a SHA-256: enough that two texts never meet.
fn short_hash(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

/// Enters an import that the caller runs.
struct Register {
    input: NewImport,
    requested_by: Option<UserId>,
}

impl Command for Register {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Import;

    async fn run(&self, tx: &mut Tx) -> Result<Import> {
        tx.save(Import::request(&self.input, tx.new_id(), self.requested_by, tx.now())?).await
    }
}

struct Begin(ImportId);

impl Command for Begin {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Import;

    async fn run(&self, tx: &mut Tx) -> Result<Import> {
        let import = tx.read().import(self.0).await?;
        let begun = import.begun(tx.now())?;
        if import.dry_run {
            tx.delete_import_rows(import.id).await?;
        }
        tx.save_import_progress(&import, &begun).await?;
        Ok(begun)
    }
}

struct Finish(ImportId, Option<String>);

impl Command for Finish {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Import;

    async fn run(&self, tx: &mut Tx) -> Result<Import> {
        let import = tx.read().import(self.0).await?;
        let change = import.finish(self.1.as_deref(), tx.now())?;
        tx.delete_import_files(import.id).await?;
        tx.save(change).await
    }
}
