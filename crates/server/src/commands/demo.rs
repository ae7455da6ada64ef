//! `evenhand demo`: a believable organisation to explore, in a database of its own.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{Datelike, Months, NaiveDate};
use clap::Args;
use evenhand_app::App;
use evenhand_domain::access::Role;
use evenhand_persistence::Store;
use indicatif::{ProgressBar, ProgressStyle};

use crate::assembly::{self, Schema, SystemClock};
use crate::auth_secret::{Secret, sqlite_path};
use crate::cli::{Layers, print};
use crate::config::Settings;
use crate::demo::{self, DEMO_ORGANIZATION, DEMO_PASSWORD};
use crate::failure::Failure;
use crate::serve;

const DATABASE: &str = "sqlite://evenhand-demo.db";
const ADDRESS: &str = "127.0.0.1:8080";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    address: SocketAddr,
    /// Another number makes another history, where there is none yet
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Tell the history so many times over, each time with other customers: 19 makes about 200,000
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    times: u64,
}

pub(crate) async fn run(layers: &Layers, args: &DemoArgs) -> Result<(), Failure> {
    let url = format!("http://{}", args.address);
    let mut flags = vec![
        ("http.address".to_owned(), args.address.to_string()),
        ("http.public_url".to_owned(), url.clone()),
    ];
    if !layers.names_database() {
        // Never the database of the settings, where real work may be kept.
        flags.push(("database.url".to_owned(), DATABASE.to_owned()));
    }
    let settings = layers.load_quiet(flags)?;
    let (app, store) = open(&settings, args).await?;
    if store.unscoped_organization_by_name(DEMO_ORGANIZATION).await?.is_none() {
        return Err(Failure::new("this database holds something else than the demo")
            .because("name an empty one with --database"));
    }
    let today = app.now().utc().date_naive();
    serve::serve(app, store, &settings, || print(welcome(&url, today))).await
}

/// The demo's database, filled where it is empty. A new SQLite file gets its name once it is complete, so that
/// a demo that was interrupted begins again instead of serving half a history.
async fn open(settings: &Settings, args: &DemoArgs) -> Result<(App, Store), Failure> {
    if let Some(path) = sqlite_path(settings.database.url.expose()).filter(|path| !path.exists()) {
        let draft = PathBuf::from(with_suffix(&path, ".draft"));
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::remove_file(with_suffix(&draft, suffix)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let mut drafted = settings.clone();
        drafted.database.url = Secret::new(format!("sqlite://{}", draft.display()));
        let store = assembly::open_store(&drafted, Schema::Migrated).await?;
        // With the settings of the final place: its key file is the one that counts.
        let app = assembly::assemble(settings, store.clone(), Arc::new(SystemClock))?;
        fill(&app, args).await?;
        store.close().await?;
        std::fs::rename(&draft, &path)?;
    }
    let (app, store) = assembly::open(settings, Schema::Migrated).await?;
    if store.unscoped_organizations().await?.is_empty() {
        fill(&app, args).await?;
    }
    Ok((app, store))
}

fn with_suffix(path: &Path, suffix: &str) -> OsString {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path
}

async fn fill(app: &App, args: &DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let style = ProgressStyle::with_template("building the demo {bar:40} {percent} %")
        .map_err(|error| Failure::new(error.to_string()))?;
    let bar = ProgressBar::new(1).with_style(style);
    demo::seed(app, args.seed, usize::try_from(args.times).unwrap_or(1), |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await
    .map_err(|error| Failure::from(error).during("the demo could not be built"))?;
    app.sequence_all().await?;
    bar.finish_and_clear();
    print(format_args!("Built {DEMO_ORGANIZATION} in {:.1} s.", started.elapsed().as_secs_f64()))
}

/// Where it is, who can sign in, and what to ask first.
fn welcome(url: &str, today: NaiveDate) -> String {
    let accounts = demo::accounts();
    let rows: Vec<String> = accounts
        .iter()
        .map(|account| format!("  {:<14} {:<20} {}", account.role.as_str(), account.name, account.email))
        .collect();
    let admin =
        accounts.iter().find(|account| account.role == Role::Admin).map_or("", |account| &account.email);
    // The last quarter that is over.
    let quarter = today - Months::new(today.month0() % 3 + 3);
    let quarter = quarter.format("%Y-%m-01");
    let query = |query: &str| {
        let body = serde_json::json!({ "query": query }).to_string();
        format!(
            "  curl -s {url}/graphql -H 'Content-Type: application/json' -H \"Authorization: Bearer $TOKEN\" \\\n    \
             -d '{body}'"
        )
    };
    let sign_in = serde_json::json!({
        "query": "mutation($e: String!, $p: String!) { signIn(input: { email: $e, password: $p }) { accessToken } }",
        "variables": { "e": admin, "p": DEMO_PASSWORD },
    });
    let figures = format!(
        "{{ organization {{ name wonRevenue(period: {{ kind: QUARTER, start: \"{quarter}\" }}) {{ amount currency }} }} }}"
    );
    let proof = format!(
        "{{ reconciliation(period: {{ kind: QUARTER, start: \"{quarter}\" }}) {{ balanced currencies {{ companyTotal \
         {{ amount currency }} teams {{ team {{ name }} amount {{ amount }} }} }} }} }}"
    );
    let customers = "{ customers(first: 3, filter: { stage: { eq: SIGNED } }) { totalCount nodes { name stage owner { name } deals(first: 2) { nodes { \
                     number stage value { amount currency } } } } } }";
    format!(
        "\nEvenhand serves {DEMO_ORGANIZATION} at {url}/graphql\n\nEverybody's password is {DEMO_PASSWORD}. One for \
         each role:\n{}\n\nSign in, which is good for ten minutes:\n  TOKEN=$(curl -s {url}/graphql -H \
         'Content-Type: application/json' \\\n    -d '{sign_in}' \\\n    | sed 's/.*\"accessToken\":\"\\([^\"]*\\)\".*/\\1/')\n\n\
         What was won last quarter:\n{}\n\nWhich teams won it, and that it adds up:\n{}\n\nCustomers, their \
         owners and newest deals:\n{}\n\nStop with Ctrl-C.",
        rows.join("\n"),
        query(&figures),
        query(&proof),
        query(customers),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_a_quarter_that_is_over_and_can_be_pasted_into_a_shell() {
        for (today, start) in
            [("2026-11-23", "2026-07-01"), ("2026-03-31", "2025-10-01"), ("2026-05-31", "2026-01-01")]
        {
            let text = welcome("http://127.0.0.1:8080", today.parse().expect("a date"));
            assert!(text.contains(&format!(r#"start: \"{start}\""#)), "{today}: {text}");
            // Queries stand between single quotes, which the texts themselves must not hold.
            let quoted = text.lines().filter(|line| line.trim_start().starts_with("-d '"));
            assert!(
                quoted.clone().count() == 4 && quoted.clone().all(|line| line.matches('\'').count() == 2)
            );
        }
    }
}
