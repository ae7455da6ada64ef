//! The whole application for one test: database, HTTP server and sequencer, with a clock that the test moves.
//!
//! A test is an async function that takes a [`TestApp`]; `both!(its_name)` runs it on both databases. What
//! it needs it makes through the public API, like any client.

pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod golden;
pub(crate) mod mail;
pub(crate) mod people;
pub(crate) mod program;
pub(crate) mod programs;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::DateTime;
use evenhand_api::{Api, ApiSettings, Limits, Quotas};
use evenhand_app::access::AccessSettings;
use evenhand_app::invitations::NewAdministrator;
use evenhand_app::mail::Mailer;
use evenhand_app::passwords::Passwords;
use evenhand_app::quotas::Rate;
use evenhand_app::secrets::Sealer;
use evenhand_app::{App, Services};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::organizations::NewOrganization;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::{IdSource, Store, StoreOptions};
use futures_util::FutureExt;
use serde_json::json;
use tokio::sync::watch;

pub(crate) use client::{Answer, Client};
pub(crate) use clock::TestClock;
pub(crate) use database::{Backend, Sql, TestDatabase};
pub(crate) use people::Person;
use program::{DEMO_ADMIN_EMAIL, DEMO_PASSWORD};

/// The secret of the installation under test.
pub(crate) const SECRET: &str = "q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5GaE";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "seven quiet herons";
/// The organisation that every test has.
pub(crate) const ORGANIZATION: &str = "Northwind Sales";
/// Its administrator.
pub(crate) const ADMIN_EMAIL: &str = "admin@northwind.example";
/// Longest request body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1_048_576;

/// What most tests may ask for: anything. Their clock stands still, so no quota would fill again.
const UNLIMITED: Rate = Rate { capacity: 0, per_second: 0 };

/// Runs each of the named tests on both databases.
macro_rules! both {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[test]
            fn sqlite() {
                $crate::support::run($crate::support::Backend::Sqlite, super::$test);
            }

            #[test]
            fn postgres() {
                $crate::support::run($crate::support::Backend::Postgres, super::$test);
            }
        }
    )+};
}
pub(crate) use both;

/// Runs one test on one database, with an application of its own.
pub(crate) fn run<F: Future<Output = ()>>(backend: Backend, test: impl FnOnce(TestApp) -> F) {
    within(backend, async { to_the_end(TestApp::start(backend).await, test).await });
}

/// Runs a test on the demo organisation, which is in SQLite.
pub(crate) fn run_on_demo<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    within(Backend::Sqlite, async { to_the_end(TestApp::demo().await, test).await });
}

async fn to_the_end<F: Future<Output = ()>>(app: TestApp, test: impl FnOnce(TestApp) -> F) {
    let outcome = AssertUnwindSafe(test(app.clone())).catch_unwind().await;
    app.stop().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Runs a future that needs this database, unless there is none.
pub(crate) fn within(backend: Backend, test: impl Future<Output = ()>) {
    if backend == Backend::Postgres && database::postgres_url().is_none() {
        println!("skipped: TEST_POSTGRES_URL is not set; tests/run starts a server and sets it");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// The application under test. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TestApp {
    /// The application itself, for what has no public API.
    pub(crate) app: App,
    /// Its store, for the command line's use cases.
    pub(crate) store: Store,
    /// Its clock.
    pub(crate) clock: Arc<TestClock>,
    /// The organisation [`ORGANIZATION`].
    pub(crate) organization: OrganizationId,
    pub(crate) database: Arc<TestDatabase>,
    http: reqwest::Client,
    base: String,
    /// Address and password of the administrator.
    administrator: (&'static str, &'static str),
    admin: Option<Client>,
    server: ServerHandle,
    stop: watch::Sender<bool>,
}

impl TestApp {
    async fn start(backend: Backend) -> Self {
        let mut test = Self::on(TestDatabase::migrated(backend).await, TestClock::new()).await;
        test.organization = test.create_administrator(ORGANIZATION, ADMIN_EMAIL).await;
        test.admin = Some(test.sign_in(ADMIN_EMAIL, PASSWORD).await);
        test
    }

    /// The application on the demo organisation, at the instant at which that was built.
    async fn demo() -> Self {
        let database = TestDatabase::demo().await;
        let built = "SELECT CAST(strftime('%s', MAX(recorded_at)) AS INTEGER) FROM events";
        let built = DateTime::from_timestamp_secs(database.sql().await.number(built).await);
        let mut test = Self::on(database, TestClock::at(Timestamp::new(built.expect("an instant")))).await;
        test.administrator = (DEMO_ADMIN_EMAIL, DEMO_PASSWORD);
        test.later(chrono::Duration::hours(1)).await;
        test
    }

    async fn on(database: TestDatabase, clock: TestClock) -> Self {
        let clock = Arc::new(clock);
        let store =
            Store::connect(&StoreOptions::new(&database.url), IdSource::seeded(42)).await.expect("a store");
        let app = assemble(store.clone(), Arc::clone(&clock), None);
        app.ensure_signing_key().await.expect("a key");
        let (stop, stopped) = watch::channel(false);
        let sequencer = app.clone();
        tokio::spawn(async move { sequencer.run_sequencer(stopped).await });
        let (address, server) = serve(&app, settings());
        Self {
            app,
            store,
            clock,
            organization: OrganizationId::from_uuid(uuid::Uuid::nil()),
            database: Arc::new(database),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            base: format!("http://{address}"),
            administrator: (ADMIN_EMAIL, PASSWORD),
            admin: None,
            server,
            stop,
        }
    }

    async fn stop(&self) {
        // Nobody may be listening any more, which is as good.
        let _ = self.stop.send(true);
        self.server.stop(false).await;
        self.database.remove().await;
    }

    /// What `evenhand admin create` does: an administrator, and the organisation where it is new.
    pub(crate) async fn create_administrator(&self, organization: &str, email: &str) -> OrganizationId {
        let input = NewAdministrator {
            organization: NewOrganization {
                name: organization.into(),
                time_zone: "Europe/Berlin".into(),
                currency: "EUR".into(),
            },
            name: "Ada Administrator".into(),
            email: email.into(),
            password: PASSWORD.into(),
        };
        self.app.create_administrator(&input).await.expect("an administrator").0.id
    }

    /// The administrator of another organisation, which is made.
    pub(crate) async fn other_organization(&self, name: &str) -> Client {
        let email = format!("admin@{}.example", name.to_lowercase().replace(' ', "-"));
        self.create_administrator(name, &email).await;
        self.sign_in(&email, PASSWORD).await
    }

    /// Somebody who is not signed in.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.http.clone(), &self.base)
    }

    /// The administrator of [`ORGANIZATION`].
    pub(crate) fn admin(&self) -> Client {
        self.admin.clone().expect("started")
    }

    /// Another node on the same database, with settings of its own.
    pub(crate) async fn node(&self, change: impl FnOnce(&mut ApiSettings)) -> Node {
        let options = StoreOptions::new(&self.database.url);
        let ids = IdSource::from_os().expect("ids");
        let store = Store::connect(&options, ids).await.expect("a store");
        let app = assemble(store.clone(), Arc::clone(&self.clock), None);
        let mut settings = settings();
        change(&mut settings);
        let (address, server) = serve(&app, settings);
        Node { base: format!("http://{address}"), server, store }
    }

    /// Signs in, which must work.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Client {
        let input = json!({ "email": email, "password": password });
        let outcome = self.anonymous().mutate("signIn", input, "accessToken refreshToken").await;
        self.anonymous().signed_in(outcome.ok()).expect("tokens")
    }

    /// Lets time pass, and signs the administrator in again: nobody's token lasts that long.
    pub(crate) async fn later(&mut self, duration: chrono::Duration) {
        self.clock.advance(duration);
        let (email, password) = self.administrator;
        self.admin = Some(self.sign_in(email, password).await);
    }

    /// Waits until the feed holds everything that was committed.
    pub(crate) async fn settle(&self) {
        // Another sequencer may hold the lock for the moment; what it leaves comes with the next round.
        loop {
            self.app.sequence_all().await.expect("numbered");
            let waiting = "SELECT COUNT(*) FROM events WHERE position IS NULL";
            if self.sql().await.number(waiting).await == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Runs all due jobs, such as mails and imports, and what they cause, and raises the rungs of complaints whose time
    /// has come.
    pub(crate) async fn run_jobs(&self) {
        while self.app.run_due_job().await.expect("a job or none") {}
        while self.app.look_at_due_complaints().await.expect("complaints or none") > 0 {}
        self.settle().await;
    }

    /// The same application where mail is configured.
    pub(crate) fn with_mail(&self, mailer: Mailer) -> App {
        assemble(self.store.clone(), Arc::clone(&self.clock), Some(mailer))
    }

    /// A connection to the database for plain SQL.
    pub(crate) async fn sql(&self) -> Sql {
        self.database.sql().await
    }
}

/// Another node. Stop it before the test ends.
pub(crate) struct Node {
    base: String,
    server: ServerHandle,
    store: Store,
}

impl Node {
    /// `client` as it speaks to this node.
    pub(crate) fn client(&self, client: &Client) -> Client {
        client.at_base(&self.base)
    }

    /// Cuts off what runs, as if the node died.
    pub(crate) async fn kill(self) {
        self.server.stop(false).await;
        self.store.close().await.expect("closed");
    }
}

/// The application as the server puts it together, but for the clock.
pub(crate) fn assemble(store: Store, clock: Arc<TestClock>, mailer: Option<Mailer>) -> App {
    App::new(Services {
        store,
        clock,
        sealer: Sealer::new(SECRET).expect("a sealer"),
        passwords: Passwords::new().expect("passwords"),
        mailer,
        access: AccessSettings {
            issuer: "evenhand".into(),
            audience: "evenhand".into(),
            access_token_lifetime: chrono::Duration::minutes(10),
            refresh_idle: chrono::Duration::days(14),
            refresh_absolute: chrono::Duration::days(90),
            invitation_lifetime: chrono::Duration::days(7),
            public_url: "https://sales.example".into(),
        },
        close_days_after: 2,
    })
}

fn settings() -> ApiSettings {
    ApiSettings {
        body_bytes_max: BODY_BYTES_MAX,
        trusted_proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        allowed_origins: vec!["https://app.example".into()],
        introspection: true,
        limits: Limits::default(),
        quotas: Quotas { user: UNLIMITED, organization: UNLIMITED, address: UNLIMITED },
        show_statements: true,
    }
}

/// Serves the API on a free port, on threads of its own.
fn serve(app: &App, settings: ApiSettings) -> (SocketAddr, ServerHandle) {
    let api = Api::new(app.clone(), settings);
    let (started, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let factory = move || actix_web::App::new().configure(|config| api.configure(config));
            // A connection that a client opened and has not used yet would be answered with 408 after five seconds.
            let server = actix_web::HttpServer::new(factory).client_request_timeout(Duration::ZERO);
            let server = server.workers(2).disable_signals();
            let server = server.bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let address = server.addrs()[0];
            let server = server.run();
            started.send((address, server.handle())).expect("a listener");
            server.await.expect("served");
        });
    });
    address.recv().expect("a server")
}
