//! Exports: what somebody may see, as JSON Lines, for them alone.

use std::collections::BTreeSet;

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::record;
use crate::customers::{Cast, change, collect, node, values};
use crate::support::{Answer, Client, PASSWORD, TestApp, both};

both!(
    an_export_is_the_list_of_whoever_asks,
    an_export_is_for_whoever_asked_and_for_a_day,
    a_long_export_comes_page_by_page,
    whoever_signs_out_gets_no_further_page,
    what_cannot_be_exported_is_refused,
);

const EXPORT: &str = "export { id kind count downloadPath createdAt expiresAt }";

async fn start(by: &Client, input: Value) -> Value {
    by.mutate("startExport", input, EXPORT).await.ok()["export"].clone()
}

async fn download(by: &Client, export: &Value) -> Answer {
    let path = export["downloadPath"].as_str().expect("a path");
    Answer::read(by.get(path).send().await.expect("an answer")).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &"application/x-ndjson".parse().expect("one"))
    );
    answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Starts an export and fetches it.
async fn exported(by: &Client, input: Value) -> Vec<Value> {
    let export = start(by, input).await;
    let found = lines(&download(by, &export).await);
    assert_eq!(export["count"], found.len());
    found
}

async fn an_export_is_the_list_of_whoever_asks(t: TestApp) {
    let cast = Cast::new(&t).await;
    let ritas = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let sids = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let reporter = json!({ "name": "Ada", "addresses": [{ "channel": "PHONE", "address": "+49301" }] });
    record(&cast.sara, &ritas, json!({ "number": "1", "reporter": reporter })).await;
    record(&cast.sara, &ritas, json!({ "number": "2", "confidentiality": "CONFIDENTIAL" })).await;
    record(&cast.sid, &sids, json!({ "number": "3", "channel": "FAX" })).await;
    for by in [&cast.rita.client, &cast.sid, &cast.lea, &cast.sara, &t.admin()] {
        for (kind, list, field) in [
            ("COMPLAINTS", "complaints", "number"),
            ("CUSTOMERS", "customers", "number"),
            ("TEAMS", "teams", "name"),
            ("USERS", "users", "name"),
        ] {
            let found = exported(by, json!({ "kind": kind })).await;
            let seen = by.query(&format!("{{ {list}(first: 100) {{ nodes {{ id {field} }} }} }}")).await;
            let seen = &seen[list]["nodes"];
            for (ours, theirs) in [(field, field), ("nodeId", "id")] {
                let ours: BTreeSet<_> = values(&json!(found), ours).into_iter().collect();
                let theirs: BTreeSet<_> = values(seen, theirs).into_iter().collect();
                assert_eq!(ours, theirs, "{kind}");
            }
        }
    }
    let found = exported(&cast.sara, json!({ "kind": "COMPLAINTS" })).await;
    assert_eq!(values(&json!(found), "number"), ["1", "2", "3"]);
    let first = &found[0];
    assert_eq!(
        (&first["type"], &first["version"], &first["state"]),
        (&json!("complaint"), &json!(1), &json!("RECORDED"))
    );
    assert_eq!((&first["reporter"]["name"], &first["attachments"]), (&json!("Ada"), &json!([])));
    assert_eq!(first["description"], "It smokes\nand smells.");
    assert_eq!(first["updatedAt"], "2026-01-15T09:00:00Z");
    // What has changed since the last visit.
    t.clock.advance(Duration::minutes(5));
    let since =
        json!({ "kind": "COMPLAINTS", "complaints": { "updatedAt": { "gte": "2026-01-15T09:01:00Z" } } });
    assert_eq!(exported(&cast.sara, since.clone()).await, Vec::<Value>::new());
    let third = found[2]["nodeId"].as_str().expect("an id");
    change(&t, &cast.sid, "acknowledgeComplaint", third, json!({}), "complaint { id }").await.ok();
    assert_eq!(values(&json!(exported(&cast.sara, since.clone()).await), "number"), ["3"]);
    assert_eq!(exported(&cast.rita, since).await, Vec::<Value>::new());
    let named = json!({ "kind": "CUSTOMERS", "customers": { "name": { "eq": "sued" } } });
    assert_eq!(values(&json!(exported(&t.admin(), named).await), "name"), ["Sued"]);
    for kind in ["WORK_CALENDARS", "PRODUCTS", "SLA_POLICIES", "DEALS", "ACTIVITIES"] {
        assert_eq!(exported(&t.admin(), json!({ "kind": kind })).await, Vec::<Value>::new(), "{kind}");
    }
}

async fn an_export_is_for_whoever_asked_and_for_a_day(mut t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    record(&cast.sara, &customer, json!({})).await;
    let stranger = t.other_organization("Elsewhere").await;
    let export = start(&cast.rita, json!({ "kind": "COMPLAINTS" })).await;
    assert_eq!(export["expiresAt"], "2026-01-16T09:00:00.000000Z");
    let id = export["id"].as_str().expect("an id");
    assert_eq!(
        node(&cast.rita, id, "... on Export { kind count }").await,
        json!({ "kind": "COMPLAINTS", "count": 1 })
    );
    for (by, status) in [(&cast.sara.client, 404), (&t.admin(), 404), (&stranger, 404), (&t.anonymous(), 401)]
    {
        let refused = download(by, &export).await;
        assert!(
            refused.status == status && !refused.text.contains("smokes"),
            "{} {}",
            refused.status,
            refused.text
        );
    }
    assert_eq!(node(&cast.sara, id, "... on Export { kind count }").await, Value::Null);
    // As often as one likes, and what one may see at that moment.
    let first = download(&cast.rita, &export).await;
    assert_eq!(lines(&first), lines(&download(&cast.rita, &export).await));
    assert_eq!(first.headers["cache-control"], "no-store");
    let given = json!({ "ownerId": cast.sid.id });
    change(&t, &t.admin(), "assignCustomer", &customer, given, "customer { id }").await.ok();
    assert_eq!(lines(&download(&cast.rita, &export).await), Vec::<Value>::new());

    let sara = start(&cast.sara, json!({ "kind": "COMPLAINTS" })).await;
    change(&t, &t.admin(), "updateUser", &cast.sara.id, json!({ "role": "FINANCE" }), "user { id }")
        .await
        .ok();
    assert_eq!(download(&cast.sara, &sara).await.status, 403);
    let bad = json!({ "downloadPath": "/exports/nonsense" });
    assert_eq!(download(&cast.rita, &bad).await.status, 404);

    t.later(Duration::hours(24)).await;
    let rita = t.sign_in(&cast.rita.email, PASSWORD).await;
    assert_eq!(download(&rita, &export).await.status, 404, "its day is over");
    t.settle().await;
    let audited = "{ auditEntries(filter: { types: [\"export.started\"] }) { totalCount } }";
    let answer = t.admin().gql(audited, json!({})).await;
    assert!(answer.errors.is_empty(), "{}", answer.text);
    assert_eq!(answer.data["auditEntries"]["totalCount"], 2);
}

/// Copies a team so many times.
async fn copy_team(t: &TestApp, count: u32) {
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    );
    let id = if t.store.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    let name = "'Team ' || CAST(n.i AS text)";
    let copies = format!(
        "INSERT INTO teams (org_id, id, version, name, name_key, created_at) \
         SELECT org_id, {id}, 1, {name}, {name}, created_at FROM teams t, ({numbers}) n WHERE t.name = 'North'"
    );
    assert_eq!(t.sql().await.run(&copies).await, u64::from(count));
}

async fn a_long_export_comes_page_by_page(t: TestApp) {
    let team = t.team("North", None).await;
    copy_team(&t, 1_234).await;
    let found = exported(&t.admin(), json!({ "kind": "TEAMS" })).await;
    let names: BTreeSet<_> = values(&json!(found), "name").into_iter().collect();
    assert_eq!((found.len(), names.len()), (1_235, 1_235));
    assert!(found.iter().any(|line| line["nodeId"] == team.as_str()));
}

async fn whoever_signs_out_gets_no_further_page(t: TestApp) {
    let rosa = t.user("REP", "Rosa").await;
    t.team("North", None).await;
    copy_team(&t, 20_000).await;
    let export = start(&rosa, json!({ "kind": "TEAMS" })).await;
    assert_eq!(export["count"], 20_001);
    let path = export["downloadPath"].as_str().expect("a path");
    let mut response = rosa.get(path).send().await.expect("an answer");
    response.chunk().await.expect("a chunk").expect("the first page");
    rosa.mutate("signOut", json!({}), "signedOut").await.ok();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "half an export never looks like a whole one");
    assert_eq!(download(&rosa, &export).await.status, 401);
}

async fn what_cannot_be_exported_is_refused(t: TestApp) {
    let cast = Cast::new(&t).await;
    for (by, input, code) in [
        (&cast.sara.client, json!({ "kind": "DEALS" }), "FORBIDDEN"),
        (&cast.fin, json!({ "kind": "COMPLAINTS" }), "FORBIDDEN"),
        (&t.anonymous(), json!({ "kind": "TEAMS" }), "UNAUTHENTICATED"),
        (&t.admin(), json!({ "kind": "DEALS", "complaints": {} }), "NOT_APPLICABLE"),
        (&t.admin(), json!({ "kind": "COMPLAINTS", "complaints": { "id": { "eq": "x" } } }), "INVALID_ID"),
        (&t.admin(), json!({ "kind": "COMPLAINTS", "complaints": { "id": {} } }), "REQUIRED"),
    ] {
        assert_eq!(by.mutate("startExport", input.clone(), EXPORT).await.code(), code, "{input}");
    }
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM exports").await, 0);
}
