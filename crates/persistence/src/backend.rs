//! The only file that knows which of the two databases it talks to.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenhand_domain::error::{Error, Result};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_query_sqlx::SqlxValues;

use crate::error::database_error;
use crate::health::SchemaState;
use crate::reads::{Driver, Reading, Reads};

/// How long a SQLite writer waits for another process (an import beside a server) to finish.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Page cache of the writer, in KiB (negative by SQLite's convention): imports touch many indexes at once.
const SQLITE_WRITER_CACHE: &str = "-16000";
/// Pages in the write-ahead log before it is written back: 16 MiB, so that bulk writes do it less often.
const SQLITE_CHECKPOINT_PAGES: &str = "4000";
/// Longest wait of a statement for a lock on PostgreSQL.
const POSTGRES_LOCK_TIMEOUT_MS: u32 = 2_000;
/// Longest time that PostgreSQL waits within a transaction for the next statement; then it ends the session. With the
/// door's own limit it bounds how long a write lasts, even where the process of its client was stopped.
const POSTGRES_IDLE_IN_TRANSACTION_MS: u32 = 15_000;
/// After so many instructions a statement of SQLite looks whether somebody still waits for it.
const SQLITE_STEPS: i32 = 10_000;
/// How often PostgreSQL looks, while a statement runs, whether its client is still there.
const POSTGRES_CLIENT_CHECK_MS: u32 = 500;
/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 500;
/// Names of the advisory locks on PostgreSQL; any constants that nothing else on the server uses.
const MIGRATION_LOCK: i64 = 0x45_76_65_6e_68_61_6e_01;
const SEQUENCER_LOCK: i64 = 0x45_76_65_6e_68_61_6e_02;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Connections to PostgreSQL for writes and background work together.
    pub max_connections: u32,
    /// Connections for the reads of each thread that serves requests.
    pub reads_per_thread: u32,
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Longest run of one statement (PostgreSQL).
    pub statement_timeout: Duration,
}

impl StoreOptions {
    /// The defaults for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            reads_per_thread: 4,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
}

/// Runs `future` and counts the SQL statements that it sends from its own task.
pub async fn count_statements<F: Future>(future: F) -> (F::Output, u32) {
    STATEMENTS
        .scope(Cell::new(0), async move {
            let output = future.await;
            (output, STATEMENTS.with(Cell::get))
        })
        .await
}

/// Counts a statement that is about to be sent.
pub(crate) fn count_statement() {
    // Outside `count_statements` there is nothing to count into, which is the usual case.
    let _ = STATEMENTS.try_with(|statements| statements.set(statements.get() + 1));
}

/// The connections of a [`crate::Store`].
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    write: DatabaseConnection,
    read: Reading,
}

impl Backend {
    pub(crate) async fn connect(options: &StoreOptions) -> Result<Self> {
        if options.url.starts_with("sqlite:") {
            let sqlite = sqlite_options(&options.url)?;
            // One that writes, so that writers queue in fair order.
            let write = connect(sqlite_writer(options, sqlite.clone())).await?;
            let reader = sqlite.create_if_missing(false).pragma("query_only", "ON");
            Ok(Self { write, read: Reading::Sqlite(reads(options, reader)) })
        } else if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://") {
            let postgres = postgres_options(options)?;
            let write = connect(postgres_writers(options, postgres.clone())).await?;
            Ok(Self { write, read: Reading::Postgres(reads(options, postgres)) })
        } else {
            Err(Error::Internal("the database URL must begin with sqlite:// or postgres://".into()))
        }
    }

    /// Connections for reads outside a write transaction.
    pub(crate) fn read(&self) -> &Reading {
        &self.read
    }

    /// The pool that writes; for single statements of technical tables that need no transaction.
    pub(crate) fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Sqlite
    }

    /// The only `BEGIN`. On SQLite it takes the write lock at once: a later upgrade could fail.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: self.is_sqlite().then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.write.begin_with_options(options).await.map_err(database_error)
    }

    /// Runs all pending migrations; safe when several processes start at once.
    pub(crate) async fn migrate(&self) -> Result<()> {
        use evenhand_migrations::Migrator;
        use sea_orm_migration::MigratorTrait;
        let lock = self.begin().await?;
        if self.is_sqlite() {
            // The write lock of this transaction is the migration lock, so the migrations run inside it.
            Migrator::up(&lock, None).await.map_err(database_error)?;
        } else {
            // The lock is held, without a statement, for as long as the migrations take.
            lock.execute_raw(postgres_statement(format!(
                "SELECT set_config('idle_in_transaction_session_timeout', '0', true), \
                 pg_advisory_xact_lock({MIGRATION_LOCK})"
            )))
            .await
            .map_err(database_error)?;
            Migrator::up(&self.write, None).await.map_err(database_error)?;
        }
        lock.commit().await.map_err(database_error)
    }

    /// How far the schema is. Only reads.
    pub(crate) async fn schema_state(&self) -> Result<SchemaState> {
        use evenhand_migrations::Migrator;
        use sea_orm_migration::MigratorTrait;
        let pending = match Migrator::get_pending_migrations_read_only(&self.write).await {
            Ok(pending) => pending,
            // What the migrator says of a migration that it does not know, and of nothing else.
            Err(DbErr::Custom(_)) => return Ok(SchemaState::Ahead),
            Err(error) => return Err(database_error(error)),
        };
        Ok(match pending.len() {
            0 => SchemaState::Current,
            all if all == Migrator::migrations().len() => SchemaState::Empty,
            _ => SchemaState::Behind(pending.iter().map(|migration| migration.name().to_owned()).collect()),
        })
    }

    /// Name and version of the database.
    pub(crate) async fn version(&self) -> Result<String> {
        let (backend, name, sql) = if self.is_sqlite() {
            (DbBackend::Sqlite, "SQLite", "SELECT sqlite_version() AS version")
        } else {
            (DbBackend::Postgres, "PostgreSQL", "SELECT current_setting('server_version') AS version")
        };
        let row =
            self.read.query_one_raw(Statement::from_string(backend, sql)).await.map_err(database_error)?;
        let version: String =
            row.map_or(Ok(String::new()), |row| row.try_get("", "version")).map_err(database_error)?;
        Ok(format!("{name} {version}"))
    }

    /// What the database itself finds damaged. PostgreSQL has no such check for everyday use.
    pub(crate) async fn damage(&self) -> Result<Vec<String>> {
        let mut damage = Vec::new();
        if !self.is_sqlite() {
            return Ok(damage);
        }
        let rows = async |sql: &str| {
            let statement = Statement::from_string(DbBackend::Sqlite, sql);
            self.read.query_all_raw(statement).await.map_err(database_error)
        };
        for row in rows("PRAGMA integrity_check").await? {
            let finding: String = row.try_get("", "integrity_check").map_err(database_error)?;
            if finding != "ok" {
                damage.push(finding);
            }
        }
        for row in rows("PRAGMA foreign_key_check").await? {
            let text = |column| row.try_get::<String>("", column).map_err(database_error);
            damage.push(format!(
                "a row of {} refers to a row of {} that is missing",
                text("table")?,
                text("parent")?
            ));
        }
        Ok(damage)
    }

    /// Tries to become the one sequencer until `tx` ends. SQLite has one writer anyway.
    pub(crate) async fn try_sequencer_lock(&self, tx: &DatabaseTransaction) -> Result<bool> {
        if self.is_sqlite() {
            return Ok(true);
        }
        let row = tx
            .query_one_raw(postgres_statement(format!(
                "SELECT pg_try_advisory_xact_lock({SEQUENCER_LOCK}) AS held"
            )))
            .await
            .map_err(database_error)?;
        row.map_or(Ok(false), |row| row.try_get("", "held").map_err(database_error))
    }

    /// Asks for a sign of life, on a connection as requests use it.
    pub(crate) async fn ping(&self) -> Result<()> {
        let statement = Statement::from_string(self.read.get_database_backend(), "SELECT 1");
        self.read.query_all_raw(statement).await.map_err(database_error).map(drop)
    }

    pub(crate) async fn close(self) -> Result<()> {
        self.read.close().await;
        self.write.close().await.map_err(database_error)
    }
}

impl Driver for PgConnectOptions {
    type Connection = PgConnection;

    // The server looks after its client by itself (`client_connection_check_interval`).
    async fn open(&self, _: Arc<AtomicBool>) -> sqlx::Result<Self::Connection> {
        self.connect().await
    }

    async fn rows(
        connection: &mut Self::Connection,
        sql: String,
        values: SqlxValues,
    ) -> sqlx::Result<Vec<QueryResult>> {
        let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(connection).await?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}

impl Driver for SqliteConnectOptions {
    type Connection = SqliteConnection;

    async fn open(&self, abandoned: Arc<AtomicBool>) -> sqlx::Result<Self::Connection> {
        let mut connection = self.connect().await?;
        let goes_on = move || !abandoned.load(Ordering::Relaxed);
        connection.lock_handle().await?.set_progress_handler(SQLITE_STEPS, goes_on);
        Ok(connection)
    }

    async fn rows(
        connection: &mut Self::Connection,
        sql: String,
        values: SqlxValues,
    ) -> sqlx::Result<Vec<QueryResult>> {
        let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(connection).await?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}

impl Reading {
    /// Which of the two it reads.
    pub(crate) fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }
}

fn postgres_statement(sql: String) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}

fn reads<O: Driver>(options: &StoreOptions, of_each: O) -> Arc<Reads<O>> {
    Arc::new(Reads::new(of_each, options.reads_per_thread as usize, options.acquire_timeout))
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection> {
    let mut connection = Database::connect(options).await.map_err(database_error)?;
    connection.set_metric_callback(|_| count_statement());
    Ok(connection)
}

/// What all connections to a SQLite file have in common.
fn sqlite_options(url: &str) -> Result<SqliteConnectOptions> {
    let options = url.parse::<SqliteConnectOptions>().map_err(wrong_url)?;
    Ok(options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging())
}

fn sqlite_writer(options: &StoreOptions, sqlite: SqliteConnectOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(&options.url);
    let sqlite = sqlite
        .create_if_missing(true)
        .pragma("cache_size", SQLITE_WRITER_CACHE)
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES);
    connect
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(options.acquire_timeout.max(SQLITE_BUSY_TIMEOUT))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| sqlite.clone());
    connect
}

/// What all connections to a PostgreSQL server have in common.
fn postgres_options(options: &StoreOptions) -> Result<PgConnectOptions> {
    let postgres = options.url.parse::<PgConnectOptions>().map_err(wrong_url)?;
    Ok(postgres
        .application_name("evenhand")
        .options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("lock_timeout", POSTGRES_LOCK_TIMEOUT_MS.to_string()),
            ("idle_in_transaction_session_timeout", POSTGRES_IDLE_IN_TRANSACTION_MS.to_string()),
            ("client_connection_check_interval", POSTGRES_CLIENT_CHECK_MS.to_string()),
        ])
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging())
}

fn postgres_writers(options: &StoreOptions, postgres: PgConnectOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(&options.url);
    connect
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire_if_idle_for(Duration::from_secs(5))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |_| postgres.clone());
    connect
}

fn wrong_url(error: sqlx::Error) -> Error {
    Error::Internal(format!("the database URL is wrong: {error}"))
}
