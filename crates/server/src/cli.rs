//! The command line: which commands and flags there are, and what they mean.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::assembly::{self, Schema};
use crate::commands::{admin, backtest, demo, doctor, documents, export, import};
use crate::config::{LogFormat, LogSettings, Settings};
use crate::failure::Failure;
use crate::serve;

/// The log filter of the defaults. A command that prints its result shows less than it.
const DEFAULT_FILTER: &str = "info";
const QUIET_FILTER: &str = "warn";
/// How long what runs on after a command, such as a hash, may hold up the end of the process.
const RUNTIME_STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Evenhand: a GraphQL API for sales organisations that counts won revenue to the cent.
#[derive(Debug, Parser)]
#[command(name = "evenhand", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    layers: Layers,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command has.
#[derive(Debug, Args)]
pub(crate) struct Layers {
    /// Settings file, instead of ./evenhand.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME. Others on this machine can read a password
    /// here; EVENHAND_DATABASE__URL hides it
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// What to log, such as debug or info,evenhand_api=debug
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

impl Layers {
    /// All settings, with `more` flags as pairs of setting and value.
    pub(crate) fn load(&self, more: Vec<(String, String)>) -> Result<Settings, Failure> {
        let own = [("database.url", &self.database), ("log.filter", &self.log)];
        let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        Ok(Settings::load(self.config.as_deref(), None, own.chain(more).collect())?)
    }

    /// All settings for a command that prints its result: the log begins at warnings, unless it is asked for.
    pub(crate) fn load_quiet(&self, more: Vec<(String, String)>) -> Result<Settings, Failure> {
        let mut settings = self.load(more)?;
        if self.log.is_none() && settings.log.filter == DEFAULT_FILTER {
            settings.log.filter = QUIET_FILTER.to_owned();
        }
        start_log(&settings.log)?;
        Ok(settings)
    }

    /// Whether a database was named on the command line.
    pub(crate) fn names_database(&self) -> bool {
        self.database.is_some()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, and run background jobs beside it
    Serve {
        /// Bring the schema of the database up to date first
        #[arg(long)]
        migrate: bool,
        /// Where to listen, such as 0.0.0.0:8080
        #[arg(long, value_name = "ADDRESS")]
        address: Option<SocketAddr>,
    },
    /// Run background jobs alone, beside servers with worker.enabled = false
    Worker,
    /// Bring the schema of the database up to date
    Migrate,
    /// Print the GraphQL schema
    Schema,
    /// Build a believable organisation in a database of its own, and serve it
    Demo(demo::DemoArgs),
    /// Import CSV files as a profile says
    Import(import::ImportArgs),
    /// Write everything of an organisation as JSON Lines
    Export(export::ExportArgs),
    /// Replay past months with what was known then, and tell how good the forecasts would have been
    Backtest(backtest::BacktestArgs),
    /// Administrators and keys
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Documents that the clients of an organisation are known to send
    #[command(subcommand)]
    Documents(documents::DocumentsCommand),
    /// Check the database, the keys, the jobs and the audit trail; ends with 1 when something is wrong
    Doctor(doctor::DoctorArgs),
}

/// Reads the command line and does what it says: 0 when that worked, 1 when not, 2 when it makes no sense.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(failure) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "evenhand: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    // Before anything opens a connection: two libraries would otherwise disagree on who encrypts.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| Failure::new("another TLS provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(cli));
    runtime.shutdown_timeout(RUNTIME_STOP_TIMEOUT);
    outcome
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let layers = &cli.layers;
    match cli.command {
        Command::Serve { migrate, address } => {
            let address = address.map(|address| ("http.address".to_owned(), address.to_string()));
            let settings = layers.load(address.into_iter().collect())?;
            start_log(&settings.log)?;
            let schema = if migrate { Schema::Migrated } else { Schema::MadeWhereEmpty };
            let (app, store) = assembly::open(&settings, schema).await?;
            serve::serve(app, store, &settings, || Ok(())).await?;
        }
        Command::Worker => {
            let settings = layers.load(Vec::new())?;
            start_log(&settings.log)?;
            let (app, store) = assembly::open(&settings, Schema::MadeWhereEmpty).await?;
            serve::work(app, store, &settings).await?;
        }
        Command::Migrate => {
            let settings = layers.load(Vec::new())?;
            start_log(&settings.log)?;
            assembly::open_store(&settings, Schema::Migrated).await?.close().await?;
            print("the schema is up to date")?;
        }
        Command::Schema => print(evenhand_api::sdl().trim_end())?,
        Command::Demo(args) => demo::run(layers, &args).await?,
        Command::Import(args) => import::run(&layers.load_quiet(Vec::new())?, &args).await?,
        Command::Export(args) => export::run(&layers.load_quiet(Vec::new())?, &args).await?,
        Command::Backtest(args) => backtest::run(&layers.load_quiet(Vec::new())?, &args).await?,
        Command::Admin(command) => admin::run(&layers.load_quiet(Vec::new())?, &command).await?,
        Command::Documents(command) => documents::run(&layers.load_quiet(Vec::new())?, &command).await?,
        Command::Doctor(args) => return doctor::run(&layers.load_quiet(Vec::new())?, &args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line as the result of a command.
pub(crate) fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}")
        .map_err(|error| Failure::from(error).during("the result cannot be printed"))
}

/// Sends the log to standard error, so that standard output holds results alone.
fn start_log(settings: &LogSettings) -> Result<(), Failure> {
    let filter =
        EnvFilter::try_new(&settings.filter).map_err(|error| Failure::new(format!("log.filter: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match settings.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| Failure::new(format!("the log cannot be started: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_all_commands_may_stand_behind_the_command() {
        let cli =
            Cli::try_parse_from(["evenhand", "migrate", "--database", "sqlite://x.db"]).expect("parsed");
        let settings = cli.layers.load(Vec::new()).expect("settings");
        assert_eq!(settings.database.url.expose(), "sqlite://x.db");
        let unknown = Cli::try_parse_from(["evenhand", "serve", "--port", "1"]).expect_err("no such flag");
        assert_eq!(unknown.exit_code(), 2);
    }
}
