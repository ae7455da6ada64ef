//! Store, write transaction and reader.

use std::sync::Arc;

use evenhand_domain::access::{Actor, Grant, Permission, Principal, Scope};
use evenhand_domain::change::{Aggregate, Change, Event, Version};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::time::Timestamp;
use sea_orm::DatabaseTransaction;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::backend::{Backend, StoreOptions};
use crate::error::database_error;
use crate::ids::IdSource;
use crate::jobs::PendingJob;
use crate::reads::Source;

/// The database, behind its grants.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) backend: Backend,
    ids: Arc<IdSource>,
    committed: Arc<Notify>,
}

impl Store {
    /// Opens the database. A missing SQLite file is created.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is out of reach, [`Error::Internal`] for a wrong URL.
    pub async fn connect(options: &StoreOptions, ids: IdSource) -> Result<Self> {
        let backend = Backend::connect(options).await?;
        Ok(Self { backend, ids: Arc::new(ids), committed: Arc::new(Notify::new()) })
    }

    /// Brings the schema up to date, one process at a time.
    ///
    /// # Errors
    /// When a migration fails; what it did is rolled back.
    pub async fn migrate(&self) -> Result<()> {
        self.backend.migrate().await
    }

    /// True for SQLite.
    pub fn is_sqlite(&self) -> bool {
        self.backend.is_sqlite()
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<()> {
        self.backend.ping().await
    }

    /// A new id outside a transaction.
    pub fn new_id<I: EntityId>(&self, now: Timestamp) -> I {
        self.ids.next(now)
    }

    /// Begins a write transaction. Dropped without [`Tx::commit`], it is rolled back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Contention`].
    pub async fn begin(&self, grant: Grant, now: Timestamp, request_id: &str) -> Result<Tx> {
        Ok(Tx {
            db: self.backend.begin().await?,
            grant,
            now,
            request_id: request_id.to_owned(),
            ids: Arc::clone(&self.ids),
            committed: Arc::clone(&self.committed),
            events: Vec::new(),
            jobs: Vec::new(),
        })
    }

    /// A reader for `grant`.
    pub fn reader(&self, grant: Grant, now: Timestamp) -> Reader<'_> {
        Reader { db: Source::Reading(self.backend.read()), grant, now }
    }

    /// Waits until a transaction of this process commits.
    pub async fn committed(&self) {
        self.committed.notified().await;
    }

    /// Closes all connections, after what runs on them.
    ///
    /// # Errors
    /// When a connection cannot be closed.
    pub async fn close(self) -> Result<()> {
        self.backend.close().await
    }
}

/// A write transaction.
#[derive(Debug)]
pub struct Tx {
    pub(crate) db: DatabaseTransaction,
    grant: Grant,
    now: Timestamp,
    request_id: String,
    ids: Arc<IdSource>,
    committed: Arc<Notify>,
    events: Vec<(OrganizationId, Event)>,
    jobs: Vec<PendingJob>,
}

/// How a slice stores its aggregate. `save` is the only caller.
pub(crate) trait Stored: Aggregate + Sync {
    /// The organisation that the row belongs to; the grant's, save for an organisation itself.
    fn organization(&self, grant: &Grant) -> Result<OrganizationId> {
        grant.organization()
    }
    /// Writes the row of a new object.
    fn insert(&self, tx: &Tx) -> impl Future<Output = Result<()>> + Send;
    /// Overwrites the row that has version `expected`; [`Error::Conflict`] when there is none.
    fn update(&self, tx: &Tx, expected: Version) -> impl Future<Output = Result<()>> + Send;
    /// Writes many new rows; a slice that is imported in bulk has one statement for it.
    fn insert_all(rows: &[&Self], tx: &Tx) -> impl Future<Output = Result<()>> + Send {
        async move {
            for row in rows {
                row.insert(tx).await?;
            }
            Ok(())
        }
    }
}

impl Tx {
    /// A reader inside this transaction.
    pub fn read(&self) -> Reader<'_> {
        Reader { db: Source::Tx(&self.db), grant: self.grant, now: self.now }
    }

    /// The operation's instant.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The key that this transaction was opened with.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// A new id.
    pub fn new_id<I: EntityId>(&self) -> I {
        self.ids.next(self.now)
    }

    pub(crate) fn new_uuid(&self) -> Uuid {
        self.ids.raw(self.now)
    }

    pub(crate) fn org(&self) -> Result<Uuid> {
        self.grant.organization().map(EntityId::uuid)
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Lets a transaction that began without an organisation, such as signing in, write for `principal`.
    pub fn become_principal(&mut self, principal: Principal) -> Result<()> {
        self.grant = Actor::User(principal).grant(Permission::UseOwnAccount)?;
        Ok(())
    }

    /// Writes what the change says: the row now, event and jobs at commit. The only way to write.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else changed the object, `TAKEN` for a value that must be unique.
    #[expect(private_bounds, reason = "the set of stored aggregates is closed")]
    pub async fn save<T: Stored>(&mut self, change: Change<T>) -> Result<T> {
        if change.is_creation() {
            change.state().insert(self).await?;
        } else {
            change.state().update(self, change.state().version() - 1).await?;
        }
        self.record(&change)?;
        Ok(change.into_state())
    }

    /// Writes many new objects of one kind at once. What happened to an object since its creation may follow
    /// its creation: its row is written once, in its last state, and every event is told.
    ///
    /// # Errors
    /// As [`Tx::save`]; [`Error::Internal`] for a change of an object that is not new.
    #[expect(private_bounds, reason = "the set of stored aggregates is closed")]
    pub async fn save_new<T: Stored>(&mut self, changes: Vec<Change<T>>) -> Result<()> {
        let mut rows: Vec<&T> = Vec::with_capacity(changes.len());
        for change in &changes {
            let state = change.state();
            let follows = |row: &&mut &T| {
                row.subject_id() == state.subject_id() && row.version() + 1 == state.version()
            };
            if change.is_creation() {
                rows.push(state);
            } else if let Some(row) = rows.last_mut().filter(follows) {
                *row = state;
            } else {
                return Err(Error::Internal("save_new is for new objects".into()));
            }
        }
        T::insert_all(&rows, self).await?;
        changes.iter().try_for_each(|change| self.record(change))
    }

    fn record<T: Stored>(&mut self, change: &Change<T>) -> Result<()> {
        let organization = change.state().organization(&self.grant)?;
        self.events.push((organization, change.event().clone()));
        self.jobs.extend(change.jobs().iter().map(|job| PendingJob { organization, request: job.clone() }));
        Ok(())
    }

    /// Writes events and jobs and commits.
    ///
    /// # Errors
    /// As [`Tx::save`]. After an error nothing was written, save when the connection was lost during the
    /// commit itself: then the caller cannot know.
    pub async fn commit(mut self) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        let jobs = std::mem::take(&mut self.jobs);
        self.write_events(events).await?;
        self.write_jobs(jobs).await?;
        self.db.commit().await.map_err(database_error)?;
        self.committed.notify_waiters();
        Ok(())
    }
}

/// Reads what its grant may see.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(crate) db: Source<'a>,
    grant: Grant,
    now: Timestamp,
}

impl Reader<'_> {
    /// The operation's instant.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The key that this reader was opened with.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    pub(crate) fn org(&self) -> Result<Uuid> {
        self.grant.organization().map(EntityId::uuid)
    }

    /// The scope for a slice whose permissions are `slice`, its read permission first: the grant's own scope
    /// when the operation belongs to the slice, else what the caller may read there.
    pub(crate) fn scope(&self, slice: &[Permission]) -> Result<Scope> {
        if slice.contains(&self.grant.permission()) {
            return Ok(self.grant.scope());
        }
        slice.first().map_or(Err(Error::Forbidden), |&read| Ok(self.grant.also(read)?.scope()))
    }
}
