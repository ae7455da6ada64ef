//! From settings to a running application: the database with its schema, the real clock, and the services.

use std::sync::Arc;
use std::time::Duration;

use evenhand_api::{Api, ApiSettings, Quotas};
use evenhand_app::access::AccessSettings;
use evenhand_app::mail::Mailer;
use evenhand_app::passwords::Passwords;
use evenhand_app::quotas::Rate;
use evenhand_app::secrets::Sealer;
use evenhand_app::{App, Services};
use evenhand_domain::error::Error;
use evenhand_domain::organizations::Organization;
use evenhand_domain::time::{Clock, Timestamp};
use evenhand_persistence::{IdSource, SchemaState, Store, StoreOptions};

use crate::auth_secret::sqlite_path;
use crate::config::{DatabaseSettings, QuotaSettings, Settings};
use crate::failure::Failure;

/// Longest run of one statement of a migration on PostgreSQL: it may rewrite a large table.
const MIGRATION_STATEMENT_TIMEOUT: Duration = Duration::from_secs(3_600);
/// A migration needs a connection for its lock and one for its work.
const MIGRATION_CONNECTIONS_MIN: u32 = 2;
/// How often to ask again for the migration lock while another process migrates, once a second or less often.
const MIGRATION_ATTEMPTS: u32 = 300;

/// The real clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the only wall clock of the product")]
        let now = chrono::Utc::now();
        Timestamp::new(now)
    }
}

/// What to do about the schema of a database that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It must be there and fit; a SQLite file is not made.
    Expected,
    /// An empty SQLite database gets it; everything else must fit.
    MadeWhereEmpty,
    /// It is brought up to date.
    Migrated,
}

/// Opens the database of `settings` and puts the application together, with the real clock.
///
/// # Errors
/// When the database is out of reach or has another schema, and for an unusable secret.
pub async fn open(settings: &Settings, schema: Schema) -> Result<(App, Store), Failure> {
    let store = open_store(settings, schema).await?;
    let app = assemble(settings, store.clone(), Arc::new(SystemClock))?;
    Ok((app, store))
}

/// Opens the database of `settings` alone.
///
/// # Errors
/// When it is out of reach or has another schema.
pub async fn open_store(settings: &Settings, schema: Schema) -> Result<Store, Failure> {
    if schema == Schema::Expected
        && let Some(path) = sqlite_path(settings.database.url.expose())
        && !path.exists()
    {
        return Err(Failure::new(format!("there is no database at {}", path.display())));
    }
    let store = connect(&store_options(&settings.database)).await?;
    prepare(&settings.database, &store, schema).await?;
    Ok(store)
}

/// The application on `store`.
///
/// # Errors
/// For an unusable secret, and for wrong settings of the mail server.
pub fn assemble(settings: &Settings, store: Store, clock: Arc<dyn Clock>) -> Result<App, Failure> {
    let days = |days: u32| chrono::Duration::days(days.into());
    let auth = &settings.auth;
    let mail = &settings.mail;
    let mailer = mail.is_configured().then(|| Mailer::new(mail.smtp_url.expose(), &mail.from)).transpose()?;
    Ok(App::new(Services {
        store,
        clock,
        sealer: Sealer::new(settings.sealing_secret()?.expose())?,
        passwords: Passwords::new()?,
        mailer,
        access: AccessSettings {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            access_token_lifetime: chrono::Duration::minutes(auth.access_token_minutes.into()),
            refresh_idle: days(auth.refresh_idle_days),
            refresh_absolute: days(auth.refresh_absolute_days),
            invitation_lifetime: days(auth.invitation_days),
            public_url: settings.http.public_url.clone(),
        },
        close_days_after: settings.days.close_after,
    }))
}

/// The HTTP API of `app`.
pub fn api(app: App, settings: &Settings) -> Api {
    Api::new(
        app,
        ApiSettings {
            body_bytes_max: settings.http.body_bytes_max,
            trusted_proxies: settings.http.trusted_proxies.clone(),
            allowed_origins: settings.http.allowed_origins.clone(),
            introspection: settings.http.introspection,
            limits: settings.limits.clone().for_threads(threads(settings)),
            quotas: quotas(&settings.quotas),
            show_statements: false,
        },
    )
}

/// Threads that serve requests.
pub(crate) fn threads(settings: &Settings) -> usize {
    match settings.http.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn quotas(settings: &QuotaSettings) -> Quotas {
    let rate = |capacity, per_second| Rate { capacity, per_second };
    Quotas {
        user: rate(settings.user_capacity, settings.user_per_second),
        organization: rate(settings.organization_capacity, settings.organization_per_second),
        address: rate(settings.address_capacity, settings.address_per_second),
    }
}

/// The organisation called `name`.
///
/// # Errors
/// When there is none; the message lists those that there are.
pub(crate) async fn organization(store: &Store, name: &str) -> Result<Organization, Failure> {
    if let Some(found) = store.unscoped_organization_by_name(name).await? {
        return Ok(found);
    }
    let failure = Failure::new(format!("there is no organisation called '{name}'"));
    let all = store.unscoped_organizations().await?;
    if all.is_empty() {
        return Err(
            failure.because("there is none at all; `evenhand admin create` makes one with its administrator")
        );
    }
    let names: Vec<&str> = all.iter().map(|organization| organization.name.as_str()).collect();
    Err(failure.because(format!("there are: {}", names.join(", "))))
}

fn store_options(database: &DatabaseSettings) -> StoreOptions {
    StoreOptions {
        url: database.url.expose().to_owned(),
        max_connections: database.max_connections,
        reads_per_thread: database.reads_per_thread,
        acquire_timeout: Duration::from_millis(database.acquire_timeout_ms),
        statement_timeout: Duration::from_millis(database.statement_timeout_ms),
    }
}

async fn connect(options: &StoreOptions) -> Result<Store, Failure> {
    Store::connect(options, IdSource::from_os()?)
        .await
        .map_err(|error| Failure::from(error).during("the database cannot be opened"))
}

async fn prepare(database: &DatabaseSettings, store: &Store, schema: Schema) -> Result<(), Failure> {
    let pending = match store.schema_state().await? {
        SchemaState::Current => return Ok(()),
        SchemaState::Ahead => {
            let what = "this database was changed by a later version of evenhand; run that version";
            return Err(Failure::new(what));
        }
        _ if schema == Schema::Migrated => return migrate(database, store).await,
        SchemaState::Empty if schema == Schema::MadeWhereEmpty && store.is_sqlite() => {
            return migrate(database, store).await;
        }
        SchemaState::Empty => Failure::new("this database is empty"),
        SchemaState::Behind(names) => Failure::new("this database has the schema of an earlier version")
            .because(format!("missing: {}", names.join(", "))),
    };
    Err(pending.because("run `evenhand migrate`, or `evenhand serve --migrate`, to bring it up to date"))
}

/// Runs the pending migrations, after those of any other process that is at it.
async fn migrate(database: &DatabaseSettings, store: &Store) -> Result<(), Failure> {
    let wide = if store.is_sqlite() {
        store.clone()
    } else {
        let options = store_options(database);
        connect(&StoreOptions {
            max_connections: options.max_connections.max(MIGRATION_CONNECTIONS_MIN),
            statement_timeout: MIGRATION_STATEMENT_TIMEOUT,
            ..options
        })
        .await?
    };
    let mut outcome = wide.migrate().await;
    for _ in 1..MIGRATION_ATTEMPTS {
        let Err(Error::Contention) = outcome else { break };
        tracing::info!("another process migrates the database; waiting for it");
        tokio::time::sleep(Duration::from_secs(1)).await;
        outcome = wide.migrate().await;
    }
    if !store.is_sqlite() {
        wide.close().await?;
    }
    outcome.map_err(|error| Failure::from(error).during("the database could not be migrated"))
}
