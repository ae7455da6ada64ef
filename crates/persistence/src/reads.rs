//! Connections for reads, each kept by the runtime that opened it.
//!
//! The pool of the driver asks the database for a sign of life whenever a connection comes back, which is a
//! second round trip for each statement, and hands to one thread what another has opened, whose waking costs
//! more than many a statement. Here a thread of the server uses connections of its own, the warmest first.
//!
//! A read that nobody waits for any more, because its request ran out of time or its client has left, takes its
//! connection with it: the database notices and ends the statement.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    RuntimeErr, Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection is kept: a database that moved behind its name is left in the end.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// PostgreSQL: the server, or somebody with rights over it, ended the session.
const SESSION_ENDED: &[&str] = &["57P01", "57P02", "57P03"];

/// The reading connections of a store: as many for each runtime, and each thread that serves requests has one.
#[derive(Debug)]
pub(crate) struct Reads<O: Driver> {
    options: O,
    width: usize,
    acquire_timeout: Duration,
    lanes: RwLock<HashMap<Id, Arc<Lane<O>>>>,
}

/// How one of the databases is read.
pub(crate) trait Driver: std::fmt::Debug + Send + Sync {
    type Connection: sqlx::Connection + std::fmt::Debug;
    /// Opens a connection whose statement ends once `abandoned` is set or the connection is closed.
    fn open(&self, abandoned: Arc<AtomicBool>)
    -> impl Future<Output = sqlx::Result<Self::Connection>> + Send;
    /// All rows that a statement answers.
    fn rows(
        connection: &mut Self::Connection,
        sql: String,
        values: SqlxValues,
    ) -> impl Future<Output = sqlx::Result<Vec<QueryResult>>> + Send;
}

/// The connections of one runtime.
#[derive(Debug)]
struct Lane<O: Driver> {
    permits: Arc<Semaphore>,
    kept: Mutex<Vec<Kept<O>>>,
}

/// An open connection. Dropped while a statement runs, it takes the statement along.
#[derive(Debug)]
struct Kept<O: Driver> {
    // Before the connection, so that it is told first.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is there to be dropped"))]
    abandon: Abandon,
    connection: O::Connection,
    opened: Instant,
}

/// Tells the statement of a connection that nobody waits for it any more.
#[derive(Debug)]
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<O: Driver> Lane<O> {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept<O>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Driver> Reads<O> {
    /// `width` connections for each runtime, opened when they are needed.
    pub(crate) fn new(options: O, width: usize, acquire_timeout: Duration) -> Self {
        Self { options, width, acquire_timeout, lanes: RwLock::default() }
    }

    /// Closes what is not in use.
    async fn close(&self) {
        let lanes = std::mem::take(&mut *self.lanes.write().unwrap_or_else(PoisonError::into_inner));
        for lane in lanes.into_values() {
            lane.permits.close();
            let kept = std::mem::take(&mut *lane.kept());
            for kept in kept {
                // A connection may have outlived its thread: then there is nothing left to say good-bye with.
                let closed = kept.connection.close();
                let _ = tokio::time::timeout(self.acquire_timeout, closed).await;
            }
        }
    }

    fn lane(&self) -> Arc<Lane<O>> {
        let id = Handle::current().id();
        if let Some(lane) = self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(lane);
        }
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Lane { permits: Arc::new(Semaphore::new(self.width)), kept: Mutex::default() };
        Arc::clone(lanes.entry(id).or_insert_with(|| Arc::new(fresh())))
    }

    /// A place with a connection, within the time that a request may wait for one; and whether the connection was
    /// used before.
    async fn take(&self, lane: &Lane<O>) -> Result<(OwnedSemaphorePermit, Kept<O>, bool), DbErr> {
        let take = async {
            let permit = Arc::clone(&lane.permits).acquire_owned().await;
            let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
            if let Some(kept) = lane.kept().pop().filter(|kept| kept.opened.elapsed() < LIFETIME) {
                return Ok((permit, kept, true));
            }
            let abandoned = Arc::new(AtomicBool::new(false));
            let connection = self.options.open(Arc::clone(&abandoned)).await.map_err(failed)?;
            Ok((permit, Kept { abandon: Abandon(abandoned), connection, opened: Instant::now() }, false))
        };
        tokio::time::timeout(self.acquire_timeout, take)
            .await
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let lane = self.lane();
        let Statement { sql, values, .. } = statement;
        let values = values.unwrap_or(Values(Vec::new()));
        loop {
            let (_permit, mut kept, was_kept) = self.take(&lane).await?;
            crate::backend::count_statement();
            let rows = O::rows(&mut kept.connection, sql.clone(), SqlxValues(values.clone())).await;
            match &rows {
                // Whoever restarts the database breaks every kept connection; a read may simply begin again.
                Err(error) if was_kept && is_lost(error) => {
                    lane.kept().clear();
                    continue;
                }
                Ok(_) | Err(sqlx::Error::Database(_)) => lane.kept().push(kept),
                Err(_) => {}
            }
            return rows.map_err(failed);
        }
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| SESSION_ENDED.contains(&&*code)),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// The reading connections of either database.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    Sqlite(Arc<Reads<SqliteConnectOptions>>),
    Postgres(Arc<Reads<PgConnectOptions>>),
}

impl Reading {
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(reads) => reads.close().await,
            Self::Postgres(reads) => reads.close().await,
        }
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(reads) => reads.rows(statement).await,
            Self::Postgres(reads) => reads.rows(statement).await,
        }
    }
}

/// What a reader reads through: a connection for reads, or the transaction that it is a part of.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Reading(&'a Reading),
    Tx(&'a DatabaseTransaction),
}

fn only_reads<T>() -> Result<T, DbErr> {
    Err(DbErr::Custom("these connections only read".into()))
}

#[async_trait]
impl ConnectionTrait for Reading {
    fn get_database_backend(&self) -> DbBackend {
        self.backend()
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.rows(statement).await
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        only_reads()
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        only_reads()
    }
}

#[async_trait]
impl ConnectionTrait for Source<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Reading(reading) => reading.get_database_backend(),
            Self::Tx(tx) => tx.get_database_backend(),
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Reading(reading) => reading.query_one_raw(statement).await,
            Self::Tx(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Reading(reading) => reading.query_all_raw(statement).await,
            Self::Tx(tx) => tx.query_all_raw(statement).await,
        }
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        only_reads()
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        only_reads()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

    fn reads(width: usize) -> Reads<SqliteConnectOptions> {
        Reads::new(SqliteConnectOptions::new(), width, Duration::from_millis(500))
    }

    fn statement(sql: &str) -> Statement {
        let reading = Reading::Sqlite(Arc::new(reads(1)));
        Statement::from_string(reading.backend(), sql)
    }

    #[tokio::test]
    async fn connections_are_kept_and_as_many_as_may_be() {
        let reads = reads(2);
        for _ in 0..5 {
            let both = tokio::join!(reads.rows(statement("SELECT 1")), reads.rows(statement("SELECT 2")));
            assert!(both.0.is_ok() && both.1.is_ok());
        }
        assert_eq!(reads.lane().kept().len(), 2);
        // A statement that the database refuses costs no connection.
        assert!(reads.rows(statement("SELECT nonsense")).await.is_err());
        assert_eq!((reads.lane().kept().len(), reads.lane().permits.available_permits()), (2, 2));
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_ends_and_gives_its_place_back() {
        let reads = reads(1);
        reads.rows(statement("SELECT 1")).await.expect("rows");
        let abandoned = Arc::clone(&reads.lane().kept()[0].abandon.0);
        let waited = tokio::time::timeout(Duration::from_millis(20), reads.rows(statement(ENDLESS))).await;
        assert!(waited.is_err(), "it has no end");
        reads.rows(statement("SELECT 1")).await.expect("the place is free");
        // The handler that asks whether to go on is gone once the statement has ended and the connection is closed.
        for _ in 0..200 {
            if Arc::strong_count(&abandoned) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the statement still runs");
    }
}
