//! A database for each test, copied from a template that is migrated once. The tests read and write tables
//! directly only where they play somebody who tampers with them, or look at the schema itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use evenhand_domain::id::EntityId;
use evenhand_persistence::{IdSource, Store, StoreOptions};
use reqwest::Url;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::program;

/// Which of the two databases a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// URL of a PostgreSQL server on which databases may be made and dropped; `tests/run` starts one.
pub(crate) fn postgres_url() -> Option<Url> {
    #[expect(clippy::disallowed_methods, reason = "how tests/run tells where the server is")]
    let url = std::env::var("TEST_POSTGRES_URL").ok()?;
    Some(Url::parse(&url).expect("TEST_POSTGRES_URL is a URL"))
}

/// A database that is gone when the test ends.
pub(crate) struct TestDatabase {
    pub(crate) backend: Backend,
    pub(crate) url: String,
    // Keeps the directory of a SQLite file.
    _directory: Option<TempDir>,
}

impl TestDatabase {
    /// A database with the present schema and no rows.
    pub(crate) async fn migrated(backend: Backend) -> Self {
        static SQLITE: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
        static POSTGRES: OnceCell<String> = OnceCell::const_new();
        match backend {
            Backend::Sqlite => Self::copy_of(&SQLITE.get_or_init(sqlite_template).await.1).await,
            Backend::Postgres => {
                let template = POSTGRES.get_or_init(postgres_template).await;
                Self::postgres(Some(template)).await
            }
        }
    }

    /// The demo organisation in SQLite, which is built once: that takes long.
    pub(crate) async fn demo() -> Self {
        static DEMO: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
        Self::copy_of(&DEMO.get_or_init(demo_template).await.1).await
    }

    async fn copy_of(template: &Path) -> Self {
        let database = Self::empty(Backend::Sqlite).await;
        std::fs::copy(template, database.path()).expect("copied");
        database
    }

    /// A database without a schema.
    pub(crate) async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let directory = tempfile::tempdir().expect("a directory");
                let url = format!("sqlite://{}", directory.path().join("test.db").display());
                Self { backend, url, _directory: Some(directory) }
            }
            Backend::Postgres => Self::postgres(None).await,
        }
    }

    async fn postgres(template: Option<&str>) -> Self {
        let name = unique_name();
        let template = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
        administer(&format!("CREATE DATABASE {name}{template}")).await;
        Self { backend: Backend::Postgres, url: url_of(&name), _directory: None }
    }

    fn path(&self) -> &str {
        self.url.trim_start_matches("sqlite://")
    }

    /// A connection beside the application's own.
    pub(crate) async fn sql(&self) -> Sql {
        let create = if self.backend == Backend::Sqlite { "?mode=rwc" } else { "" };
        Sql(Database::connect(format!("{}{create}", self.url)).await.expect("connected"))
    }

    /// Drops the database. SQLite's file goes with its directory.
    pub(crate) async fn remove(&self) {
        if self.backend == Backend::Postgres {
            let name = self.url.rsplit('/').next().unwrap_or_default();
            administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn sqlite_template() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("template.db");
    migrate(&format!("sqlite://{}", path.display())).await;
    (directory, path)
}

async fn demo_template() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("demo.db");
    program::build_demo(&path).await;
    // What the program was about to write when it ended is in the log beside the file.
    migrate(&format!("sqlite://{}", path.display())).await;
    (directory, path)
}

async fn postgres_template() -> String {
    let name = unique_name();
    administer(&format!("CREATE DATABASE {name}")).await;
    migrate(&url_of(&name)).await;
    // A template that somebody is connected to cannot be copied.
    administer(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
    name
}

async fn migrate(url: &str) {
    let store = Store::connect(&StoreOptions::new(url), IdSource::seeded(0)).await.expect("a store");
    store.migrate().await.expect("migrated");
    // The last connection moves the write-ahead log into the file, so that a copy of the file is whole.
    store.close().await.expect("closed");
}

fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("evenhand_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn url_of(name: &str) -> String {
    let mut url = postgres_url().expect("TEST_POSTGRES_URL");
    url.set_path(name);
    url.into()
}

async fn administer(sql: &str) {
    let admin =
        Database::connect(postgres_url().expect("TEST_POSTGRES_URL").as_str()).await.expect("connected");
    admin.execute_unprepared(sql).await.expect(sql);
    admin.close().await.expect("closed");
}

/// Plain SQL, for what the application rightly does not offer.
pub(crate) struct Sql(pub(crate) DatabaseConnection);

impl Sql {
    /// Runs statements; answers how many rows the last one changed.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        self.try_run(sql).await.expect(sql)
    }

    pub(crate) async fn try_run(&self, sql: &str) -> Result<u64, DbErr> {
        self.0.execute_unprepared(sql).await.map(|done| done.rows_affected())
    }

    /// An id as it stands in a statement.
    pub(crate) fn uuid(&self, id: impl EntityId) -> String {
        match self.0.get_database_backend() {
            DbBackend::Sqlite => format!("X'{}'", id.uuid().simple()),
            _ => format!("'{}'", id.uuid()),
        }
    }

    /// The first column of each row, which must be text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let rows = self.0.query_all_raw(statement).await.expect(sql);
        rows.iter().map(|row| row.try_get_by_index::<String>(0).expect(sql)).collect()
    }

    /// The only value of a query that counts.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let row = self.0.query_one_raw(statement).await.expect(sql).expect("a row");
        row.try_get_by_index::<i64>(0).expect(sql)
    }
}
