//! What was acknowledged survives: the real binary is killed at random moments of a write load, and a
//! PostgreSQL server is restarted under it. Nothing acknowledged is lost, nothing is half done, and the audit
//! chain verifies.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::program::{Server, create_administrator, evenhand, gql, sign_in, wait_ready};

/// Kills of the SQLite server.
const KILLS: u64 = 200;
/// Restarts of PostgreSQL.
const RESTARTS: usize = 5;
/// Clients that write at the same time.
const CLIENTS: usize = 4;
/// How soon a server must serve after it, or its database, came back.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// What the clients know.
#[derive(Default)]
struct Log {
    acknowledged: Mutex<Vec<String>>,
    attempts: AtomicU64,
    stop: AtomicBool,
}

/// Creates customers until told to stop; notes each that was acknowledged.
async fn write_load(http: reqwest::Client, url: Arc<Mutex<String>>, token: String, log: Arc<Log>) {
    let query = "mutation($n: String!) { createCustomer(input: { name: $n, kind: COMPANY }) { customer { id } userErrors { message } } }";
    while !log.stop.load(Ordering::Relaxed) {
        let number = log.attempts.fetch_add(1, Ordering::Relaxed);
        let target = url.lock().expect("no client panicked").clone();
        match gql(&http, &target, &token, query, json!({ "n": format!("Customer {number}") })).await {
            Some(answer) => match answer["data"]["createCustomer"]["customer"]["id"].as_str() {
                Some(id) => log.acknowledged.lock().expect("no client panicked").push(id.to_owned()),
                None => {
                    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
                    assert_eq!(code, "UNAVAILABLE", "unexpected answer: {answer}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Every acknowledged customer is there, and each customer has exactly its event.
async fn verify(http: &reqwest::Client, url: &str, token: &str, log: &Log) -> (usize, i64) {
    let acknowledged = log.acknowledged.lock().expect("no client panicked").clone();
    let distinct: HashSet<&String> = acknowledged.iter().collect();
    assert_eq!(distinct.len(), acknowledged.len(), "an id was given twice");
    for ids in acknowledged.chunks(100) {
        let answer =
            gql(http, url, token, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids }))
                .await
                .expect("an answer");
        let found =
            answer["data"]["nodes"].as_array().expect("nodes").iter().filter(|node| !node.is_null()).count();
        assert_eq!(found, ids.len(), "acknowledged customers are lost: {answer}");
    }
    let counts = "{ customers { totalCount } auditEntries(filter: { types: [\"customer.collected\"] }) { totalCount } }";
    let started = Instant::now();
    loop {
        let answer = gql(http, url, token, counts, json!({})).await.expect("an answer");
        let customers = answer["data"]["customers"]["totalCount"].as_i64().expect("a count");
        let events = answer["data"]["auditEntries"]["totalCount"].as_i64().expect("a count");
        if customers == events {
            assert!(customers >= acknowledged.len() as i64);
            return (acknowledged.len(), customers);
        }
        assert!(started.elapsed() < RECOVERY_MAX, "{customers} customers, but {events} events");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn verify_audit(database: &str, directory: &Path) {
    let status = evenhand(database).current_dir(directory).args(["doctor", "--verify-audit"]).status();
    assert!(status.expect("doctor runs").success(), "the audit chain is broken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("crash.db").display());
    create_administrator(&database, directory.path());
    let http = reqwest::Client::new();
    let mut server = Server::start(&database, directory.path());
    let token = sign_in(&http, &server.url).await;
    let url = Arc::new(Mutex::new(server.url.clone()));
    let log = Arc::new(Log::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(write_load(http.clone(), Arc::clone(&url), token.clone(), Arc::clone(&log))))
        .collect();
    for kill in 0..KILLS {
        // Different moments without a random source: a step that shares no factor with the span.
        tokio::time::sleep(Duration::from_millis(20 + (kill * 37) % 101)).await;
        drop(server);
        server = Server::start(&database, directory.path());
        url.lock().expect("no client panicked").clone_from(&server.url);
        wait_ready(&http, &server.url, RECOVERY_MAX).await;
    }
    log.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client panicked");
    }
    let (acknowledged, present) = verify(&http, &server.url, &token, &log).await;
    drop(server);
    verify_audit(&database, directory.path());
    println!("{KILLS} kills: {acknowledged} acknowledged of {present} written, none lost");
    assert!(acknowledged as u64 > KILLS, "the load was too light to mean anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_restart_of_postgres() {
    if crate::support::database::postgres_url().is_none() {
        println!("skipped: PostgreSQL is started by tests/run");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = Cluster(directory.path().join("cluster"));
    let admin = cluster.control(&["start"]);
    let database = admin.trim().to_owned();
    let server = Server::start(&database, directory.path());
    let http = reqwest::Client::new();
    wait_ready(&http, &server.url, Duration::from_secs(20)).await;
    create_administrator(&database, directory.path());
    let token = sign_in(&http, &server.url).await;
    let url = Arc::new(Mutex::new(server.url.clone()));
    let log = Arc::new(Log::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(write_load(http.clone(), Arc::clone(&url), token.clone(), Arc::clone(&log))))
        .collect();
    let mut slowest = Duration::ZERO;
    for restart in 0..RESTARTS {
        tokio::time::sleep(Duration::from_millis(400 + 90 * restart as u64)).await;
        cluster.control(&["restart", "immediate"]);
        let back = Instant::now();
        let before = log.acknowledged.lock().expect("no client panicked").len();
        // Serving again means that a write was acknowledged, without a restart of ours.
        while log.acknowledged.lock().expect("no client panicked").len() <= before {
            assert!(
                back.elapsed() < RECOVERY_MAX,
                "no write within {RECOVERY_MAX:?} after restart {restart}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slowest = slowest.max(back.elapsed());
    }
    log.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client panicked");
    }
    let (acknowledged, present) = verify(&http, &server.url, &token, &log).await;
    drop(server);
    verify_audit(&database, directory.path());
    println!(
        "{RESTARTS} restarts: {acknowledged} acknowledged of {present}, none lost; serving after {slowest:?}"
    );
}

/// A PostgreSQL cluster of this test's own.
struct Cluster(PathBuf);

impl Cluster {
    fn control(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres");
        let (verb, rest) = arguments.split_first().expect("a verb");
        let output =
            Command::new(script).arg(verb).arg(&self.0).args(rest).output().expect("tests/postgres runs");
        assert!(
            output.status.success(),
            "tests/postgres {verb}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.control(&["destroy"]);
    }
}
