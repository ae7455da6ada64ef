//! Clients that leave before they are answered: nothing goes on for them, neither here nor in the database.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::program::{Server, create_administrator, gql, sign_in, wait_ready};
use crate::support::{Backend, TestDatabase, within};

/// More than one server has connections.
const CLIENTS: usize = 24;
/// How soon the statements of those who left must have ended: sooner than waiting for a lock ends by itself.
const ENDED_MAX: Duration = Duration::from_millis(1_500);
const WAITING: &str =
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
const QUERY: &str = "{ customers(first: 2) { nodes { name owner { name } deals { nodes { name } } } } }";

#[test]
fn who_leaves_takes_the_statements_along() {
    within(Backend::Postgres, async {
        let database = TestDatabase::migrated(Backend::Postgres).await;
        let directory = tempfile::tempdir().expect("a directory");
        create_administrator(&database.url, directory.path());
        let server = Server::start(&database.url, directory.path());
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        wait_ready(&http, &server.url, Duration::from_secs(20)).await;
        let token = sign_in(&http, &server.url).await;

        for table in ["customers", "sessions"] {
            let (holder, observer) = (database.sql().await, database.sql().await);
            holder.run(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await;
            let body = json!({ "query": QUERY }).to_string();
            let address = server.url.trim_start_matches("http://");
            let request = format!(
                "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let mut client = TcpStream::connect(address).await.expect("connected");
                client.write_all(request.as_bytes()).await.expect("sent");
                clients.push(client);
            }
            let waits = async |wanted: bool| {
                let begun = Instant::now();
                while (observer.number(WAITING).await > 0) != wanted {
                    assert!(begun.elapsed() < ENDED_MAX, "{table}: waiting should be {wanted}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            waits(true).await;
            drop(clients);
            waits(false).await;
            holder.run("ROLLBACK").await;

            // Their connections and turns are free again.
            let begun = Instant::now();
            let answer = gql(&http, &server.url, &token, QUERY, json!({})).await.expect("an answer");
            assert_eq!(answer, json!({ "data": { "customers": { "nodes": [] } } }));
            assert!(begun.elapsed() < Duration::from_secs(1), "{table}: {:?}", begun.elapsed());
        }
        drop(server);
        database.remove().await;
    });
}
