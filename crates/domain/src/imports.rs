//! Imports: one run of a profile over a set of files, with a verdict for each row.
//!
//! Asking for an import and its end are facts of the business and have events. The counts move with every
//! chunk of rows without one: each row that changed something has an event of its own.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, JobRequest, SubjectType, Version};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::{EntityId, ImportId, UserId};
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Most characters that are kept of why an import or a row failed.
pub const REASON_CHARS_MAX: usize = 2_000;

wire_enum! {
    /// How far an import is.
    ImportState {
        /// Asked for.
        Waiting = "WAITING",
        /// Reading rows.
        Running = "RUNNING",
        /// All rows have a verdict.
        Done = "DONE",
        /// A file could not be read to its end; the rows before that point have verdicts and stay imported.
        Failed = "FAILED",
    }
}

impl ImportState {
    /// True when nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

wire_enum! {
    /// What became of a row of an import.
    Verdict as "ImportVerdict" {
        /// It made something new.
        Created = "CREATED",
        /// It changed what was there.
        Updated = "UPDATED",
        /// It says what is known already.
        Unchanged = "UNCHANGED",
        /// It is right, but it asks for what an import does not do.
        Skipped = "SKIPPED",
        /// It is wrong.
        Rejected = "REJECTED",
    }
}

/// How many rows got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub total: i64,
    /// Rows that made something new.
    pub created: i64,
    /// Rows that changed something.
    pub updated: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows that ask for what an import does not do.
    pub skipped: i64,
    /// Rows that are wrong.
    pub rejected: i64,
}

impl Counts {
    /// Counts one more row.
    pub fn add(&mut self, verdict: Verdict) {
        self.total += 1;
        *match verdict {
            Verdict::Created => &mut self.created,
            Verdict::Updated => &mut self.updated,
            Verdict::Unchanged => &mut self.unchanged,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Rejected => &mut self.rejected,
        } += 1;
    }
}

/// One run of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Counts changes; the counts of rows do not count.
    pub version: Version,
    /// Name of the profile: the namespace of the keys that it remembers.
    pub profile: String,
    /// Whether it only tells what it would do.
    pub dry_run: bool,
    /// Whether the aliases of the profile are ignored.
    pub without_aliases: bool,
    /// How far it is.
    pub state: ImportState,
    /// The rows so far.
    pub counts: Counts,
    /// Who asked for it; `None` for the command line.
    pub requested_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the first row was read.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Input of [`Import::request`].
#[derive(Clone, Debug)]
pub struct NewImport {
    /// Name of the profile.
    pub profile: String,
    /// Whether it only tells what it would do.
    pub dry_run: bool,
    /// Whether the aliases of the profile are ignored.
    pub without_aliases: bool,
    /// Whether a job runs it; otherwise the caller does.
    pub in_background: bool,
}

impl Import {
    /// Asks for an import.
    ///
    /// # Errors
    /// A wrong name of the profile.
    pub fn request(
        input: &NewImport,
        id: ImportId,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let profile = problems.take("profile", text::label(&input.profile));
        let import = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                profile: profile?,
                dry_run: input.dry_run,
                without_aliases: input.without_aliases,
                state: ImportState::Waiting,
                counts: Counts::default(),
                requested_by: by,
                created_at: now,
                started_at: None,
                finished_at: None,
                failure: None,
            })
        })?;
        let change = Change::created(EventKind::ImportStarted, import);
        Ok(if input.in_background { change.with_job(JobRequest::RunImport { import: id }) } else { change })
    }

    /// The import as it begins to read, or goes on after an interruption. A dry run writes nothing that a later
    /// attempt could build on, so it begins again from the first row.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when it has ended.
    pub fn begun(&self, now: Timestamp) -> Result<Self> {
        self.require_unfinished()?;
        Ok(Self {
            state: ImportState::Running,
            started_at: self.started_at.or(Some(now)),
            counts: if self.dry_run { Counts::default() } else { self.counts },
            ..self.clone()
        })
    }

    /// The import with some more rows.
    #[must_use]
    pub fn with_rows(&self, rows: &[ImportRow]) -> Self {
        let mut after = self.clone();
        rows.iter().for_each(|row| after.counts.add(row.verdict));
        after
    }

    /// Ends the import; `failure` says why not all rows could be read.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` when it has ended.
    pub fn finish(&self, failure: Option<&str>, now: Timestamp) -> Result<Change<Self>> {
        self.require_unfinished()?;
        let after = Self {
            state: if failure.is_some() { ImportState::Failed } else { ImportState::Done },
            finished_at: Some(now),
            failure: failure.map(shortened),
            ..self.clone()
        };
        Ok(Change::updated(EventKind::ImportFinished, self, after))
    }

    fn require_unfinished(&self) -> Result<()> {
        if self.state.is_final() {
            let message = format!("This import has ended; it is {}.", self.state.as_str());
            return Err(Error::from(Problem::new(Code::InvalidTransition, message)));
        }
        Ok(())
    }
}

/// A reason, cut to [`REASON_CHARS_MAX`].
pub fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

/// One row of a file and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRow {
    /// Name of the file.
    pub file: String,
    /// Number of the row as a spreadsheet counts: the header is 1.
    pub row: i64,
    /// What became of it.
    pub verdict: Verdict,
    /// What the row is about.
    pub subject: SubjectType,
    /// The object, where there is one; a dry run makes none.
    pub subject_id: Option<Uuid>,
    /// Why, for a person; always there for rows that were skipped or rejected.
    pub reason: Option<String>,
    /// The value that was probably meant.
    pub suggestion: Option<String>,
}

/// What an earlier run made of the row with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportKey {
    /// The key, unique in the namespace of its profile.
    pub key: String,
    /// Type of the object.
    pub subject: SubjectType,
    /// The object.
    pub subject_id: Uuid,
    /// What the row said, as a hash.
    pub fingerprint: String,
}

/// A file that waits to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFile {
    /// Its name, as the profile calls it.
    pub name: String,
    /// Its text.
    pub content: String,
}

impl Aggregate for Import {
    const SUBJECT: SubjectType = SubjectType::Import;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        json!({
            "profile": self.profile, "dryRun": self.dry_run, "withoutAliases": self.without_aliases,
            "state": self.state, "requestedById": self.requested_by, "failure": self.failure,
            "rows": {
                "total": self.counts.total, "created": self.counts.created, "updated": self.counts.updated,
                "unchanged": self.counts.unchanged, "skipped": self.counts.skipped,
                "rejected": self.counts.rejected,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn now() -> Timestamp {
        Timestamp::parse(NOW).expect("an instant")
    }

    fn request(dry_run: bool, in_background: bool) -> Change<Import> {
        let input = NewImport { profile: " crm ".into(), dry_run, without_aliases: false, in_background };
        Import::request(&input, ImportId::from_uuid(Uuid::from_u128(1)), None, now()).expect("an import")
    }

    fn row(verdict: Verdict) -> ImportRow {
        ImportRow {
            file: "deals.csv".into(),
            row: 2,
            verdict,
            subject: SubjectType::Deal,
            subject_id: None,
            reason: None,
            suggestion: None,
        }
    }

    #[test]
    fn an_import_waits_for_its_job_runs_and_ends_once() {
        let change = request(false, true);
        let job = JobRequest::RunImport { import: change.state().id };
        assert_eq!(change.jobs(), [job]);
        assert_eq!(request(false, false).jobs(), []);
        let import = change.into_state();
        assert_eq!((import.profile.as_str(), import.state), ("crm", ImportState::Waiting));

        let running = import.begun(now()).expect("a start").with_rows(&[row(Verdict::Created)]);
        assert_eq!((running.state, running.started_at), (ImportState::Running, Some(now())));
        let later = now().plus(chrono::Duration::seconds(1));
        assert_eq!(running.begun(later).expect("another start"), running, "it goes on where it was");

        let done = running.finish(None, later).expect("an end");
        assert_eq!(done.event().kind, EventKind::ImportFinished);
        assert_eq!(done.event().after["rows"]["created"], 1);
        let done = done.into_state();
        assert_eq!((done.state, done.finished_at, done.version), (ImportState::Done, Some(later), 2));
        assert!(done.begun(later).is_err() && done.finish(None, later).is_err());

        let failed = running.finish(Some(&"x".repeat(5_000)), later).expect("an end").into_state();
        assert_eq!(failed.state, ImportState::Failed);
        assert_eq!(failed.failure.map(|text| text.len()), Some(REASON_CHARS_MAX));
    }

    #[test]
    fn every_row_counts_once_and_a_dry_run_begins_again() {
        let import = request(true, false).into_state();
        let rows: Vec<_> = Verdict::ALL.iter().map(|&verdict| row(verdict)).collect();
        let counted = import.with_rows(&rows).counts;
        let one = Counts { total: 5, created: 1, updated: 1, unchanged: 1, skipped: 1, rejected: 1 };
        assert_eq!(counted, one);
        assert_eq!(import.with_rows(&rows).begun(now()).expect("a start").counts, Counts::default());
    }
}
