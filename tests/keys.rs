//! Idempotency keys while processes die: many copies of a keyed mutation go to three servers, and one of these is
//! killed in the middle. However that ends, each key has one effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::program::{Server, create_administrator, sign_in, wait_ready};
use crate::support::{Backend, Client, TestDatabase, within};

/// Keys in a row, unless TEST_KEYS names another number.
const KEYS: u64 = 10;
/// Copies of each mutation, sent at the same time.
const COPIES: usize = 50;
/// Servers on one database.
const NODES: usize = 3;
/// Keys after which the access token, good for ten minutes, is renewed.
const KEYS_OF_TOKEN: u64 = 50;
/// Latest moment of a kill after the copies were sent, in milliseconds.
const KILL_MS_MAX: u64 = 100;
/// How soon a server must serve after its start.
const START_MAX: Duration = Duration::from_secs(20);
/// How soon a key must have an answer: the claim of a server that died holds for 15 seconds.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// Names are free, so that nothing but the key prevents a second effect.
const CREATE: &str = "mutation($name: String!) { createCustomer(input: { name: $name, kind: COMPANY }) { customer { id } userErrors { code } } }";
const COUNT: &str = "query($name: String!) { customers(filter: { name: { eq: $name } }) { totalCount } }";

/// What the sender of a copy was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// That its mutation was carried out.
    First,
    /// The first answer again.
    Replayed,
    InFlight,
    /// That a server carried it out and died before it answered.
    AnswerLost,
    /// Nothing: the server died.
    Nothing,
}

/// Sends a copy; answers what it was told, and the text.
async fn send(client: &Client, key: &str) -> (Told, String) {
    let body = json!({ "query": CREATE, "variables": { "name": key } }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let request = headers.iter().fold(client.post("/graphql"), |it, (name, value)| it.header(*name, *value));
    let answer = async {
        let response = request.body(body).send().await?;
        let replayed = response.headers().contains_key("idempotency-replayed");
        reqwest::Result::Ok((response.status().as_u16(), replayed, response.text().await?))
    };
    let Ok((status, replayed, text)) = answer.await else { return (Told::Nothing, String::new()) };
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let told = match (status, body["errors"][0]["extensions"]["code"].as_str(), replayed) {
        (200, None, false) => Told::First,
        (200, None, true) => Told::Replayed,
        (409, Some("IDEMPOTENCY_KEY_IN_FLIGHT"), _) => Told::InFlight,
        (200, Some("ANSWER_LOST"), _) => Told::AnswerLost,
        _ => panic!("{key}: unexpected answer {status} {text}"),
    };
    (told, text)
}

/// Sends the key until it has an answer.
async fn settle(client: &Client, key: &str) -> (Told, String) {
    let begun = Instant::now();
    loop {
        let (told, text) = send(client, key).await;
        if told != Told::InFlight {
            return (told, text);
        }
        assert!(begun.elapsed() < SETTLE_MAX, "{key} has no answer within {SETTLE_MAX:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn a_key_has_one_effect_whichever_server_dies() {
    within(Backend::Postgres, async {
        #[expect(clippy::disallowed_methods, reason = "how a longer run is asked for")]
        let keys = std::env::var("TEST_KEYS").map_or(KEYS, |text| text.parse().expect("a number"));
        let begun = Instant::now();
        let directory = tempfile::tempdir().expect("a directory");
        let database = TestDatabase::migrated(Backend::Postgres).await;
        create_administrator(&database.url, directory.path());
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let start = || Server::start(&database.url, directory.path());
        let mut servers = vec![start()];
        // The first server makes the signing key of the installation.
        wait_ready(&http, &servers[0].url, START_MAX).await;
        servers.resize_with(NODES, start);
        let mut token = String::new();
        let clients = |servers: &[Server], token: &str| -> Vec<Client> {
            servers.iter().map(|it| Client::new(http.clone(), &it.url).with_token(token)).collect()
        };
        let mut tally: BTreeMap<Told, usize> = BTreeMap::new();
        let mut answers: Vec<BTreeSet<String>> = Vec::new();
        for number in 0..keys {
            for server in &servers {
                wait_ready(&http, &server.url, START_MAX).await;
            }
            if number % KEYS_OF_TOKEN == 0 {
                token = sign_in(&http, &servers[0].url).await;
            }
            let (key, nodes) = (format!("Key {number}"), clients(&servers, &token));
            // The first copy, which often gets the key, goes to the server that dies and to the others in turn.
            let node = |copy| (copy + number as usize) % NODES;
            let sent = join_all((0..COPIES).map(|copy| send(&nodes[node(copy)], &key)));
            let killed = async {
                // Different moments without a random source: a step that shares no factor with the span.
                tokio::time::sleep(Duration::from_millis(number * 37 % (KILL_MS_MAX + 1))).await;
                drop(servers.remove(0));
            };
            let (told, ()) = tokio::join!(sent, killed);
            servers.push(start());

            let mut texts = BTreeSet::new();
            let mut firsts = 0;
            for (copy, (told, text)) in told.into_iter().enumerate() {
                *tally.entry(told).or_default() += 1;
                assert!(told != Told::Nothing || node(copy) == 0, "{key}: a living server did not answer");
                firsts += usize::from(told == Told::First);
                if !matches!(told, Told::Nothing | Told::InFlight) {
                    texts.insert(text);
                }
            }
            assert!(firsts <= 1 && texts.len() <= 1, "{key}: {firsts} first answers, and {texts:?}");
            answers.push(texts);
        }

        let nodes = clients(&servers, &token);
        let mut late: BTreeMap<Told, usize> = BTreeMap::new();
        let mut effects = 0;
        for (number, mut texts) in answers.into_iter().enumerate() {
            let (key, known) = (format!("Key {number}"), !texts.is_empty());
            let (told, text) = settle(&nodes[0], &key).await;
            assert!(told != Told::First || !known, "{key} ran again");
            texts.insert(text);
            let (again, text) = send(&nodes[1], &key).await;
            assert!(matches!(again, Told::Replayed | Told::AnswerLost), "{key}: {again:?}");
            texts.insert(text);
            assert_eq!(texts.len(), 1, "{key} has one answer for all: {texts:?}");
            let count =
                nodes[1].gql(COUNT, json!({ "name": key })).await.ok()["customers"]["totalCount"].as_i64();
            assert_eq!(count, Some(1), "effects of {key}");
            effects += 1;
            *late.entry(told).or_default() += 1;
        }
        let all = nodes[0].query("{ customers { totalCount } }").await["customers"]["totalCount"].as_u64();
        assert_eq!(all, Some(keys));
        println!(
            "{keys} keys, {effects} effects in {:?}; copies: {tally:?}; afterwards: {late:?}",
            begun.elapsed()
        );
        assert!(tally.contains_key(&Told::Nothing), "no copy met a server that died");
        drop(servers);
        database.remove().await;
    });
}
