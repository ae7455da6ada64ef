//! Derivations from what is on record, and the backtest of the method, on a real export and on the demo.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use evenhand_app::backtests::ReplayMonths;
use evenhand_app::count_statements;
use evenhand_app::derivations::DeriveTarget;
use evenhand_app::imports::{Folder, ImportRequest, run_import};
use evenhand_app::users::ListUsers;
use evenhand_domain::access::{Actor, Principal, Role};
use evenhand_domain::derivation::history::DerivationRequest;
use evenhand_domain::derivation::{Assumed, Band, DerivationLabel, Goal};
use evenhand_domain::error::Error;
use evenhand_domain::filter::Filter;
use evenhand_domain::id::{EntityId, SessionId, UserId};
use evenhand_domain::page::PageRequest;
use evenhand_domain::time::{Period, PeriodKind, Timestamp, parse_date};
use evenhand_domain::users::User;

use crate::support::program::evenhand;
use crate::support::{ORGANIZATION, TestApp, both};

both!(
    a_real_export_is_replayed_month_by_month,
    every_agent_of_a_real_export_gets_a_derivation,
    too_little_history_is_told,
);

/// Statements of a derivation, for one person as for many.
const DERIVATION_STATEMENTS: u32 = 10;
/// Statements of the reads of a backtest, whatever its length.
const BACKTEST_STATEMENTS: u32 = 14;

/// Longest time in which the demo must be there.
const DEMO_TIMEOUT: Duration = Duration::from_secs(300);

/// Imports the real export, unless it is not there.
async fn import(t: &TestApp) -> bool {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("../shared/data/crm-sales-pipeline");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return false;
    }
    let profile = root.join("examples/import/crm-sales-pipeline.toml");
    let request = ImportRequest {
        organization: t.organization,
        requested_by: None,
        profile: std::fs::read_to_string(profile).expect("a profile"),
        dry_run: false,
        without_aliases: false,
    };
    run_import(&t.app, &request, &Folder(folder), |_| {}).await.expect("an import");
    true
}

/// What `evenhand backtest` prints on standard output and error, and its exit code.
fn backtest(database: &str, organization: &str, more: &[&str]) -> (String, String, Option<i32>) {
    let mut command = evenhand(database);
    let directory = tempfile::tempdir().expect("a directory");
    command.current_dir(directory.path()).args(["backtest", "--organization", organization]).args(more);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// All files of a folder, with their bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("bytes"))
    };
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

/// Months and P10–P90 coverage in tenths of a percent of all persons, from the last line of the table.
fn all_persons(table: &str) -> (u32, u32) {
    let line = table.lines().last().expect("a line");
    let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
    assert_eq!(cells[..2], ["all", "all persons"], "{line}");
    let coverage = cells[6].replace(['.', '%', ' '], "").parse().expect("a percentage");
    (cells[2].parse().expect("a number"), coverage)
}

/// Runs the backtest twice with pictures, which must be alike; answers table and names of pictures.
fn twice(database: &str, organization: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a directory");
    let run = |name: &str| {
        let svg = folder.path().join(name).join("pictures");
        let more = ["--months", "12", "--svg", svg.to_str().expect("text")];
        let (table, errors, code) = backtest(database, organization, &more);
        assert_eq!((errors.as_str(), code), ("", Some(0)));
        (table, files(&svg))
    };
    let (first, second) = (run("first"), run("second"));
    assert!(first == second, "the same database gives the same bytes");
    let (table, pictures) = first;
    assert!(pictures.iter().all(|(_, bytes)| bytes.starts_with(b"<svg ") && bytes.ends_with(b"</svg>\n")));
    (table, pictures.into_iter().map(|(name, _)| name).collect())
}

async fn a_real_export_is_replayed_month_by_month(t: TestApp) {
    if !import(&t).await {
        return;
    }
    let (table, pictures) = twice(&t.database.url, ORGANIZATION);
    println!("{table}");
    // 30 of the 35 agents have won deals; six teams in three offices.
    assert_eq!(pictures.len(), 30 + 9);
    for name in ["person-darcel-schlecht.svg", "team-west.svg", "team-cara-losch-s-team.svg"] {
        assert!(pictures.iter().any(|picture| picture == name), "{name}");
    }
    assert!(table.starts_with("2017-03 to 2017-12, "), "nothing was closed before");
    let widths: Vec<_> = table.lines().skip(1).map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "the table is aligned");
    // March has no month before it; nine months of 30 people remain.
    let (months, coverage) = all_persons(&table);
    assert_eq!(months, 270);
    assert!((700..=900).contains(&coverage), "{coverage} ‰ of what came lay within P10 to P90");

    let actor = t.app.system(t.organization).await.expect("an actor");
    for months in [1, 12] {
        let (past, statements) = count_statements(t.app.query(&actor, &ReplayMonths { months })).await;
        assert_eq!(past.expect("the past").people.len(), 30);
        assert_eq!(statements, BACKTEST_STATEMENTS);
    }
}

fn request(system: &Actor, user: UserId, quarter: &str) -> DeriveTarget {
    let &Actor::System { zone, .. } = system else { panic!("{system:?}") };
    let start = parse_date(quarter).expect("a date");
    DeriveTarget(DerivationRequest {
        user_id: user,
        period: Period::new(PeriodKind::Quarter, start).expect("a quarter"),
        goal: Goal::Deals(10),
        band: Band::BASE,
        quality_ppm: Some(600_000),
        assumed: Assumed::default(),
        until: Timestamp::start_of(start, zone),
    })
}

async fn every_agent_of_a_real_export_gets_a_derivation(t: TestApp) {
    if !import(&t).await {
        return;
    }
    let system = t.app.system(t.organization).await.expect("an actor");
    let everybody = ListUsers { page: PageRequest::first(100), filter: Filter::default() };
    let users: Vec<User> = t
        .app
        .query(&system, &everybody)
        .await
        .expect("users")
        .items
        .into_iter()
        .map(|(user, _)| user)
        .collect();
    let agents: Vec<&User> = users.iter().filter(|user| user.role == Role::Rep).collect();
    assert_eq!(agents.len(), 35);
    let started = Instant::now();
    for quarter in ["2017-04-01", "2017-07-01", "2017-10-01"] {
        let mut without_history = 0;
        for agent in &agents {
            let (derivation, statements) =
                count_statements(t.app.query(&system, &request(&system, agent.id, quarter))).await;
            let derivation = derivation.expect("a derivation");
            assert_eq!(statements, DERIVATION_STATEMENTS);
            assert!(
                derivation.achievability.is_some() && derivation.prose().contains("Asked for from 2017-")
            );
            // No customer of the export was ever a prospect, so nobody can know these rates.
            assert!(derivation.labels.contains(&DerivationLabel::UnknownRate));
            if derivation.inputs.own_days.is_empty() {
                without_history += 1;
                assert!(derivation.labels.contains(&DerivationLabel::TeamPooled), "{}", agent.name);
            }
        }
        assert_eq!(without_history, 5, "{quarter}");
    }
    println!("{} derivations in {} ms", 3 * agents.len(), started.elapsed().as_millis());

    // Somebody else's target is not found; one's own is.
    let Actor::System { organization, zone } = system else { panic!("{system:?}") };
    let session = SessionId::from_uuid(uuid::Uuid::nil());
    let rep = Actor::User(Principal { organization, user: agents[0].id, session, role: Role::Rep, zone });
    let [own, other] = [0, 1].map(|index: usize| request(&system, agents[index].id, "2017-10-01"));
    assert!(t.app.query(&rep, &own).await.is_ok());
    assert!(matches!(t.app.query(&rep, &other).await, Err(Error::NotFound)));
    assert!(matches!(t.app.query(&rep, &ReplayMonths { months: 1 }).await, Err(Error::Forbidden)));
}

async fn too_little_history_is_told(t: TestApp) {
    let (table, errors, code) = backtest(&t.database.url, "Southwind", &[]);
    assert_eq!((table.as_str(), code), ("", Some(1)));
    assert!(errors.starts_with("evenhand: there is no organisation called 'Southwind'"), "{errors}");
    let (table, errors, code) = backtest(&t.database.url, ORGANIZATION, &[]);
    assert_eq!((table.as_str(), code), ("", Some(1)));
    assert!(errors.starts_with("evenhand: there is too little history to replay"), "{errors}");
    let (_, _, code) = backtest(&t.database.url, ORGANIZATION, &["--months", "0"]);
    assert_eq!(code, Some(2));
}

/// The demo, as anybody would make it.
#[tokio::test]
async fn the_demo_is_replayed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("demo.db");
    let database = format!("sqlite://{}", path.display());
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let mut demo = evenhand(&database)
        .current_dir(directory.path())
        .args(["demo", "--address", &format!("127.0.0.1:{port}")])
        .spawn()
        .expect("the demo starts");
    // The file gets its name once it is complete.
    let started = Instant::now();
    while !path.exists() && started.elapsed() < DEMO_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    demo.kill().expect("it ran");
    demo.wait().expect("it ended");
    let (table, pictures) = twice(&database, "Kestrel & Vale Labelling");
    println!("{table}");
    assert!(pictures.iter().any(|name| name == "team-team-zürich.svg"));
    let (months, coverage) = all_persons(&table);
    assert!(months > 300 && (700..=900).contains(&coverage), "{months} months, {coverage} ‰");
}
