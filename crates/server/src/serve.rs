//! The long-running commands: start, serve, and stop without losing anything.
//!
//! A stop has stages. First `/ready` says no while requests are still served, so that balancers and clients
//! go elsewhere; then no connection is taken any more and open requests end; at last the worker and the
//! sequencer end their current piece and the database is closed.

use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App as HttpApp, HttpServer};
use evenhand_api::{Api, Stage};
use evenhand_app::App;
use evenhand_persistence::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::assembly::{self, Schema};
use crate::config::Settings;
use crate::failure::Failure;

/// How long requests are still taken after SIGTERM: balancers need a moment to notice.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest wait for open requests, and for the current piece of a background task.
const STOP_TIMEOUT_SECONDS: u64 = 30;
/// How long an unused connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Longest time that the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a client to close its side.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Open connections of one thread; more wait in the kernel.
const CONNECTIONS_PER_THREAD_MAX: usize = 4_096;

/// Serves the API until told to stop. `on_ready` runs once connections are taken.
///
/// # Errors
/// When the address is taken, a signing key does not open, or the server ends by itself.
pub(crate) async fn serve(
    app: App,
    store: Store,
    settings: &Settings,
    on_ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    app.ensure_signing_key().await?;
    app.check_signing_key().await.map_err(|error| {
        Failure::from(error).during("the signing key in the database does not belong to auth.secret").because(
            "give the secret that it was made with, or make a new key with `evenhand admin rotate-keys`",
        )
    })?;
    let api = assembly::api(app.clone(), settings);
    let server = listen(api.clone(), settings)?;
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    let workers = if settings.worker.enabled { Background::workers(&app) } else { Vec::new() };
    let sequencer = Background::sequencer(&app);
    tracing::info!(address = %settings.http.address, "serving");
    on_ready()?;

    let ended = tokio::select! {
        ended = &mut server => Some(ended),
        patient = signals.next() => {
            workers.iter().for_each(Background::tell);
            drain(&api, &mut signals, patient).await;
            None
        }
    };
    // Before the threads of the server are gone: a connection to PostgreSQL dies with the thread that opened
    // it, and the sequencer may be using it.
    sequencer.end().await;
    if ended.is_none() {
        stop_http(&api, &handle, &mut signals).await;
    }
    Background::end_all(workers).await;
    finish(store, settings).await;
    match ended {
        None => Ok(()),
        Some(Ok(Ok(()))) => Err(Failure::new("the server ended by itself")),
        Some(Ok(Err(error))) => Err(Failure::from(error).during("the server ended by itself")),
        Some(Err(error)) => Err(Failure::new("the server ended by itself").because(error.to_string())),
    }
}

/// Runs background jobs until told to stop.
///
/// # Errors
/// When signals cannot be received.
pub(crate) async fn work(app: App, store: Store, settings: &Settings) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let (workers, sequencer) = (Background::workers(&app), Background::sequencer(&app));
    tracing::info!("working");
    signals.next().await;
    tracing::info!("stopping");
    Background::end_all(workers).await;
    sequencer.end().await;
    finish(store, settings).await;
    Ok(())
}

fn listen(api: Api, settings: &Settings) -> Result<Server, Failure> {
    let http = &settings.http;
    let server = HttpServer::new(move || HttpApp::new().configure(|config| api.configure(config)))
        .disable_signals()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // Who closes the connection has left: what runs for them is dropped, and with it its statements.
        .h1_allow_half_closed(false)
        .max_connections(CONNECTIONS_PER_THREAD_MAX)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .workers(assembly::threads(settings));
    let server = server
        .bind(http.address)
        .map_err(|error| Failure::from(error).during(format!("cannot listen on {}", http.address)))?;
    Ok(server.run())
}

/// Sends clients elsewhere while requests are still taken. `patient` gives balancers time to notice; another
/// signal cuts it short.
async fn drain(api: &Api, signals: &mut Signals, patient: bool) {
    api.set_stage(Stage::Draining);
    if patient {
        tracing::info!(seconds = DRAIN.as_secs(), "stopping: /ready says no, requests are still taken");
        tokio::select! {
            () = tokio::time::sleep(DRAIN) => {}
            _ = signals.next() => {}
        }
    }
}

/// Takes no more connections and lets open requests end; another signal cuts them off.
async fn stop_http(api: &Api, handle: &ServerHandle, signals: &mut Signals) {
    tracing::info!("stopping: open requests may end");
    api.set_stage(Stage::Ending);
    tokio::select! {
        () = handle.stop(true) => {}
        _ = signals.next() => handle.stop(false).await,
    }
}

/// Something that runs beside the requests, and ends with its current piece once it is told to.
struct Background {
    name: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Background {
    /// What any node of a cluster may do, and several at once.
    fn workers(app: &App) -> Vec<Self> {
        vec![
            Self::start("jobs", app, |app, stop| async move { app.run_jobs(stop).await }),
            Self::start("timers", app, |app, stop| async move { app.run_timers(stop).await }),
            Self::start("outbox", app, |app, stop| async move { app.run_outbox(stop).await }),
        ]
    }

    fn sequencer(app: &App) -> Self {
        Self::start("sequencer", app, |app, stop| async move { app.run_sequencer(stop).await })
    }

    fn start<F>(name: &'static str, app: &App, run: impl FnOnce(App, watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(run(app.clone(), stop.subscribe()));
        Self { name, stop, task }
    }

    fn tell(&self) {
        self.stop.send_replace(true);
    }

    /// Ends all; each has its time at once, not one after the other.
    async fn end_all(all: Vec<Self>) {
        all.iter().for_each(Self::tell);
        for one in all {
            one.end().await;
        }
    }

    async fn end(self) {
        self.tell();
        let name = self.name;
        match tokio::time::timeout(Duration::from_secs(STOP_TIMEOUT_SECONDS), self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(name, %error, "a background task had ended before"),
            // A job that is cut off runs again once its lease has ended.
            Err(_) => tracing::warn!(name, "a background task was cut off"),
        }
    }
}

/// Closes the database. What was committed last is numbered first, on a connection of its own: those of the
/// server died with its threads.
async fn finish(store: Store, settings: &Settings) {
    let number = async {
        let (app, fresh) = assembly::open(settings, Schema::Expected).await?;
        app.sequence_all().await?;
        Ok::<_, Failure>(fresh.close().await?)
    };
    if let Err(failure) = number.await {
        tracing::warn!(%failure, "the last events were not numbered; the next start does it");
    }
    match store.close().await {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => tracing::warn!(%error, "stopped; the database was not closed in good order"),
    }
}

/// The signals that ask the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one. True for SIGTERM, which a supervisor sends; false for SIGINT, which a person at a terminal
    /// sends, who needs no balancer to notice.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => false,
        }
    }
}
