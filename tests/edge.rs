//! The edge under load and repetition: quotas, turns, keys, costs, and sessions that end.

use std::time::{Duration, Instant};

use evenhand_api::Quotas;
use evenhand_app::quotas::Rate;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Client, TestApp, both};

both!(
    a_key_makes_a_mutation_run_once,
    copies_over_three_nodes_have_one_effect,
    quotas_are_shared_and_fair,
    who_cannot_be_served_soon_is_told_at_once,
    documents_have_a_price,
    streams_end_with_their_session,
    registered_documents_stand_for_themselves,
    kept_queries_stay_in_their_organisation,
    guessed_hashes_are_paid_for,
    errors_point_into_the_text_or_nowhere,
);

const CREATE: &str = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { id name } userErrors { code } } }";

async fn keyed(client: &Client, key: &str, name: &str) -> Answer {
    try_keyed(client, key, name).await.expect("an answer")
}

/// None when the node died.
async fn try_keyed(client: &Client, key: &str, name: &str) -> Option<Answer> {
    let body = json!({ "query": CREATE, "variables": { "input": { "name": name } } }).to_string();
    let request = client
        .post("/graphql")
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(body);
    Some(Answer::read(request.send().await.ok()?).await)
}

async fn teams(t: &TestApp, like: &str) -> i64 {
    t.sql().await.number(&format!("SELECT COUNT(*) FROM teams WHERE name LIKE '{like}'")).await
}

async fn a_key_makes_a_mutation_run_once(t: TestApp) {
    let admin = t.admin();
    let first = keyed(&admin, "order-1", "North").await;
    assert_eq!(first.ok()["createTeam"]["team"]["name"], "North");
    let again = keyed(&admin, "order-1", "North").await;
    assert_eq!((again.status, &again.text), (first.status, &first.text), "the same bytes");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let other = keyed(&admin, "order-1", "South").await;
    assert_eq!((other.status, other.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!((teams(&t, "North").await, teams(&t, "South").await), (1, 0));

    let refused = keyed(&admin, "order-2", "").await;
    let refused_again = keyed(&admin, "order-2", "").await;
    assert_eq!(refused.text, refused_again.text, "a refusal is an answer as well");
    assert_eq!(refused_again.headers["idempotency-replayed"], "true");

    // Keys belong to a person of an organisation.
    let stranger = t.other_organization("Kestrel").await;
    assert_eq!(keyed(&stranger, "order-1", "South").await.status, 200);
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(keyed(&admin, bad, "Bad").await.status, 400);
    }
    // After a day the key is new.
    t.clock.advance(chrono::Duration::hours(25));
    let admin = t.sign_in(crate::support::ADMIN_EMAIL, crate::support::PASSWORD).await;
    assert_eq!(keyed(&admin, "order-1", "West").await.ok()["createTeam"]["team"]["name"], "West");
    let stored =
        t.sql().await.number("SELECT COUNT(*) FROM idempotency_keys WHERE sealed_answer LIKE '%West%'").await;
    assert_eq!(stored, 0, "answers are sealed");
}

async fn copies_over_three_nodes_have_one_effect(t: TestApp) {
    // On SQLite one process writes, and every commit waits for the disk.
    let (keys, copies) = if t.database.backend == Backend::Postgres { (20, 50) } else { (4, 10) };
    for key in 0..keys {
        let (a, b, doomed) = (t.node(|_| {}).await, t.node(|_| {}).await, t.node(|_| {}).await);
        let (key, name) = (format!("key-{key}"), format!("Team {key}"));
        // The clock moves on with each key, and tokens are short-lived.
        let admin = t.sign_in(crate::support::ADMIN_EMAIL, crate::support::PASSWORD).await;
        let clients = [a.client(&admin), b.client(&admin), doomed.client(&admin)];
        let sent = join_all((0..copies).map(|copy| try_keyed(&clients[copy % 3], &key, &name)));
        let killed = async {
            tokio::time::sleep(Duration::from_millis(key.len() as u64 % 7 * 3)).await;
            doomed.kill().await;
        };
        let (answers, ()) = tokio::join!(sent, killed);
        for answer in answers.into_iter().flatten() {
            assert!([200, 409, 503].contains(&answer.status), "{}", answer.text);
        }
        // The claim of a node that died runs out; then whoever asks learns how it ended.
        t.clock.advance(chrono::Duration::seconds(16));
        let last = keyed(&a.client(&admin), &key, &name).await;
        assert_eq!(last.status, 200, "{}", last.text);
        assert!(["", "ANSWER_LOST"].contains(&last.code()), "{}", last.text);
        assert_eq!(teams(&t, &name).await, 1, "{key}");
        let after = keyed(&b.client(&admin), &key, &name).await;
        assert_eq!(after.text, last.text);
        a.kill().await;
        b.kill().await;
    }
}

async fn quotas_are_shared_and_fair(t: TestApp) {
    let rates = |quotas: &mut Quotas| {
        quotas.user = Rate { capacity: 320, per_second: 32 };
        quotas.organization = Rate { capacity: 640, per_second: 64 };
    };
    let nodes = match t.database.backend {
        Backend::Postgres => 3,
        Backend::Sqlite => 1,
    };
    let mut all = Vec::new();
    for _ in 0..nodes {
        all.push(t.node(|settings| rates(&mut settings.quotas)).await);
    }
    let admin = t.admin();
    let mut admitted = 0;
    let mut refused = None;
    for turn in 0..450 {
        let answer = all[turn % nodes].client(&admin).gql("{ viewer { role } }", json!({})).await;
        match answer.status {
            200 => {
                assert_eq!(answer.headers["ratelimit-limit"], "320");
                admitted += 1;
            }
            429 => refused = Some(answer),
            status => panic!("{status}: {}", answer.text),
        }
    }
    assert!((288..=320).contains(&admitted), "{admitted} of 320 were admitted");
    let refused = refused.expect("a refusal");
    assert_eq!(refused.code(), "RATE_LIMITED");
    let wait: u32 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(refused.statements, 0, "a refusal costs nothing");
    // Another organisation has its own.
    let stranger = t.other_organization("Kestrel").await;
    assert_eq!(all[0].client(&stranger).gql("{ viewer { role } }", json!({})).await.status, 200);
    // What flows in again can be spent.
    t.clock.advance(chrono::Duration::seconds(wait.into()));
    assert_eq!(all[0].client(&admin).gql("{ viewer { role } }", json!({})).await.status, 200);
    for node in all {
        node.kill().await;
    }
}

async fn who_cannot_be_served_soon_is_told_at_once(t: TestApp) {
    let node = t
        .node(|settings| {
            settings.limits.in_flight = 1;
            settings.limits.in_flight_of_one = 1;
            settings.limits.queue = 2;
        })
        .await;
    let client = node.client(&t.admin());
    let query = "{ customers { totalCount nodes { id } } users { totalCount nodes { id } } }";
    let answers = join_all((0..60).map(|_| client.gql(query, json!({})))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(served >= 1 && served + refused.len() == 60 && !refused.is_empty(), "{served}");
    for answer in refused {
        let wait: u32 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=5).contains(&wait) && answer.code() == "UNAVAILABLE");
    }
    assert_eq!(client.gql(query, json!({})).await.status, 200, "afterwards there is room again");
    node.kill().await;
}

async fn documents_have_a_price(t: TestApp) {
    let admin = t.admin();
    let cost = async |query: &str, variables: Value| {
        let body = json!({ "query": query, "variables": variables, "extensions": { "cost": true } });
        admin.send(&body).await
    };
    for (query, variables, price) in [
        ("{ viewer { role } }", json!({}), 1),
        ("{ customers { nodes { id } } }", json!({}), 20),
        ("{ customers(first: 7) { nodes { id owner { name } } } }", json!({}), 14),
        (
            "query($n: Int) { customers(first: $n) { edges { node { id deals(first: 5) { nodes { id } } } } } }",
            json!({ "n": 10 }),
            60,
        ),
        (
            "query($n: Int = 3) { customers(first: $n) { nodes { ...C } } } fragment C on Customer { owner { team { id } } }",
            json!({}),
            9,
        ),
    ] {
        let answer = cost(query, variables).await;
        let body: Value = serde_json::from_str(&answer.text).expect("JSON");
        assert_eq!(body["extensions"]["cost"]["requested"], price, "{query}: {}", answer.text);
    }
    let begun = Instant::now();
    let dear =
        "query($n: Int!) { customers(first: $n) { nodes { deals(first: 100) { nodes { owner { id } } } } } }";
    let refused = cost(dear, json!({ "n": 100 })).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!((refused.status, refused.code(), refused.statements), (400, "QUERY_TOO_COMPLEX", 0));
    let error = &refused.errors[0];
    assert_eq!(error["extensions"]["maximum"], 10_000);
    assert!(
        error["extensions"]["cost"].as_u64() > Some(10_000) && error["locations"][0]["column"].is_number()
    );
    assert_eq!(cost(dear, json!({ "n": 10 })).await.status, 200);
}

async fn streams_end_with_their_session(t: TestApp) {
    let rep = t.sign_in(crate::support::ADMIN_EMAIL, crate::support::PASSWORD).await;
    let mut stream = rep.stream("subscription { changes { position } }", json!({})).await;
    assert_eq!(stream.response.status(), 200);
    rep.mutate("signOut", json!({}), "signedOut").await.answer.ok();
    let begun = Instant::now();
    while stream.next().await.is_some() {}
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

async fn by_hash(client: &Client, hash: &str) -> Answer {
    client.send(&json!({ "documentId": format!("sha256:{hash}") })).await
}

async fn registered_documents_stand_for_themselves(t: TestApp) {
    let document = "{ viewer { role } }";
    let hash = evenhand_app::secrets::token_hash(document);
    let (admin, stranger) = (t.admin(), t.other_organization("Kestrel").await);
    assert_eq!(by_hash(&admin, &hash).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    t.app.register_document(t.organization, &hash, document).await.expect("registered");
    assert_eq!(by_hash(&admin, &hash).await.ok()["viewer"]["role"], "ADMIN");
    assert_eq!(
        by_hash(&stranger, &hash).await.code(),
        "PERSISTED_QUERY_NOT_FOUND",
        "it belongs to one organisation"
    );

    t.app.set_trusted_client(t.organization, "till", true).await.expect("set");
    t.clock.advance(chrono::Duration::seconds(6));
    let till = async |client: &Client, body: Value| {
        let request = client
            .post("/graphql")
            .header("content-type", "application/json")
            .header("x-client-name", "till");
        Answer::read(request.body(body.to_string()).send().await.expect("an answer")).await
    };
    assert_eq!(
        till(&admin, json!({ "query": document })).await.status,
        200,
        "registered, though sent as text"
    );
    assert_eq!(till(&admin, json!({ "documentId": format!("sha256:{hash}") })).await.status, 200);
    let other = json!({ "query": "{ viewer { user { name } } }" });
    assert_eq!(till(&admin, other.clone()).await.code(), "DOCUMENT_NOT_TRUSTED");
    assert_eq!(till(&stranger, other.clone()).await.status, 200);
    assert_eq!(admin.send(&other).await.status, 200, "another client of the same person");
    t.app.set_trusted_client(t.organization, "till", false).await.expect("set");
    t.clock.advance(chrono::Duration::seconds(6));
    assert_eq!(till(&admin, other).await.status, 200);
    for bad in ["", "x", &"g".repeat(64)] {
        assert_eq!(by_hash(&admin, bad).await.code(), "BAD_REQUEST");
    }
}

async fn kept_queries_stay_in_their_organisation(t: TestApp) {
    let query = "{ viewer { role } } # kept";
    let hash = evenhand_app::secrets::token_hash(query);
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let (admin, stranger) = (t.admin(), t.other_organization("Kestrel").await);
    let by_hash = json!({ "extensions": extensions });
    assert_eq!(admin.send(&by_hash).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    let poison = json!({ "query": "{ viewer { user { name } } }", "extensions": extensions });
    assert_eq!(stranger.send(&poison).await.code(), "BAD_REQUEST", "a hash of another text");
    admin.send(&json!({ "query": query, "extensions": extensions })).await.ok();
    assert_eq!(admin.send(&by_hash).await.ok()["viewer"]["role"], "ADMIN");
    assert_eq!(stranger.send(&by_hash).await.code(), "PERSISTED_QUERY_NOT_FOUND");
}

async fn guessed_hashes_are_paid_for(t: TestApp) {
    let node = t.node(|settings| settings.quotas.user = Rate { capacity: 50, per_second: 1 }).await;
    let client = node.client(&t.admin());
    // A kept query is found without a look-up.
    let query = "{ viewer { role } } # paid";
    let kept =
        json!({ "persistedQuery": { "sha256Hash": evenhand_app::secrets::token_hash(query), "version": 1 } });
    client.send(&json!({ "query": query, "extensions": kept })).await.ok();
    let sent = client.gql(query, json!({})).await;
    let found = client.send(&json!({ "extensions": kept })).await;
    assert_eq!((found.ok(), found.statements), (sent.ok(), sent.statements));

    let mut sought = 0;
    let seek = async |number| by_hash(&client, &format!("{number:064x}")).await;
    while seek(sought).await.code() == "PERSISTED_QUERY_NOT_FOUND" {
        sought += 1;
    }
    let refused = seek(sought).await;
    assert_eq!((sought, refused.status, refused.code(), refused.statements), (47, 429, "RATE_LIMITED", 0));
    assert!(refused.headers.contains_key("retry-after"));
    node.kill().await;
}

async fn errors_point_into_the_text_or_nowhere(t: TestApp) {
    let day = "query($day: Date!) { targets(filter: { periodStart: { gte: $day } }) { totalCount } }";
    for (query, variables) in [
        ("{ targets(filter: { periodStart: { gte: \"never\" } }) { totalCount } }", json!({})),
        ("{ targets(first: 0) { totalCount } }", json!({})),
        ("{ unknown }", json!({})),
        ("{ viewer", json!({})),
        (day, json!({ "day": "never" })),
        (day, json!({})),
    ] {
        let answer = t.admin().gql(query, variables).await;
        assert!(!answer.errors.is_empty(), "{query}");
        for error in &answer.errors {
            let Some(places) = error["locations"].as_array() else { continue };
            let counted = |place: &Value, what: &str| place[what].as_u64() > Some(0);
            let legal = places.iter().all(|place| counted(place, "line") && counted(place, "column"));
            assert!(legal && !places.is_empty(), "{query}: {error}");
        }
    }
}
