//! Activities: what each kind holds, how they are found, and who sees them.

use chrono::Duration;
use serde_json::{Value, json};

use crate::customers::{Cast, MALFORMED, change, collect, node, values};
use crate::deals::open;
use crate::support::{Client, TestApp, both};

both!(
    each_kind_is_logged_with_what_belongs_to_it,
    wrong_activities_are_refused,
    an_activity_fits_its_deal_and_its_person,
    activities_are_filtered_and_paged,
    everybody_sees_their_work_and_that_for_their_customers,
);

/// Logs an activity; answers its opaque id.
pub(crate) async fn log(by: &Client, input: Value) -> String {
    let logged = by.mutate("logActivity", input, "activity { id }").await;
    logged.ok()["activity"]["id"].as_str().expect("an id").to_owned()
}

async fn each_kind_is_logged_with_what_belongs_to_it(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let id = collect(&rep, json!({ "name": "Zoë" })).await;
    let fields = "activity { kind customer { id } deal { id } user { id } startedAt seconds connected outcome note \
                  recordedAt recordedBy { id } }";
    let (me, now) = (json!({ "id": rep.id }), "2026-01-15T09:00:00.000000Z");
    for input in [
        json!({ "kind": "CALL", "connected": true, "seconds": 90, "outcome": "call back" }),
        json!({ "kind": "CALL", "connected": false }),
        json!({ "kind": "CALL", "connected": false, "seconds": 0 }),
        json!({ "kind": "VISIT", "seconds": 86_400, "note": "Two\nlines\tand a tab" }),
        json!({ "kind": "MEETING" }),
        json!({ "kind": "EMAIL", "outcome": "sent" }),
        json!({ "kind": "SMS" }),
        json!({ "kind": "FAX" }),
        json!({ "kind": "NOTE", "note": "Prefers mornings." }),
    ] {
        let mut expected = json!({
            "customer": { "id": id }, "deal": null, "user": me, "startedAt": now, "seconds": null,
            "connected": null, "outcome": null, "note": null, "recordedAt": now, "recordedBy": me,
        });
        expected.as_object_mut().expect("an object").extend(input.as_object().expect("one").clone());
        let mut input = input;
        input["customerId"] = json!(id);
        let logged = rep.mutate("logActivity", input, fields).await;
        assert_eq!(logged.ok()["activity"], expected);
    }
    let alone = json!({ "kind": "NOTE", "note": "About nobody", "startedAt": "2026-01-14T23:00:00-02:00" });
    let logged = rep.mutate("logActivity", alone, fields).await;
    assert_eq!(logged.ok()["activity"]["customer"], Value::Null);
    assert_eq!(logged.ok()["activity"]["startedAt"], "2026-01-15T01:00:00.000000Z");
    // Clocks differ: five minutes are forgiven.
    log(&rep, json!({ "kind": "SMS", "customerId": id, "startedAt": "2026-01-15T09:05:00Z" })).await;
}

async fn wrong_activities_are_refused(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let id = collect(&rep, json!({ "name": "Zoë" })).await;
    let with =
        |kind: &str, field: &str, value: Value| json!({ "kind": kind, "customerId": id, field: value });
    let everything = json!({ "kind": "FAX", "seconds": 1, "connected": true, "outcome": "x".repeat(101),
        "note": " ", "startedAt": "2026-01-15T09:05:00.000001Z" });
    for (input, problems) in [
        (with("CALL", "outcome", Value::Null), &["connected: REQUIRED"][..]),
        (
            json!({ "kind": "CALL", "customerId": id, "connected": false, "seconds": 1 }),
            &["seconds: OUT_OF_RANGE"],
        ),
        (with("VISIT", "seconds", json!(86_401)), &["seconds: OUT_OF_RANGE"]),
        (with("VISIT", "seconds", json!(-1)), &["seconds: OUT_OF_RANGE"]),
        (with("MEETING", "connected", json!(true)), &["connected: NOT_APPLICABLE"]),
        (with("NOTE", "outcome", json!("x")), &["note: REQUIRED"]),
        (with("SMS", "note", json!("x".repeat(10_001))), &["note: TOO_LONG"]),
        (with("SMS", "note", json!("a\u{0}")), &["note: INVALID_CHARACTER"]),
        (with("SMS", "outcome", json!("a\nb")), &["outcome: INVALID_CHARACTER"]),
        (with("SMS", "startedAt", json!("2015-01-01T00:00:00Z")), &["startedAt: OUT_OF_RANGE"]),
        (with("SMS", "customerId", json!("x")), &["customerId: INVALID_ID"]),
        (
            everything,
            &[
                "startedAt: IN_FUTURE",
                "connected: NOT_APPLICABLE",
                "seconds: NOT_APPLICABLE",
                "outcome: TOO_LONG",
                "note: REQUIRED",
            ],
        ),
    ] {
        let outcome = rep.mutate("logActivity", input.clone(), "activity { id }").await;
        let expected: Vec<String> = problems.iter().map(|problem| format!("input.{problem}")).collect();
        assert_eq!(outcome.problems(), expected, "{input}");
    }
    let about_nothing = rep.mutate("logActivity", json!({ "kind": "SMS" }), "activity { id }").await;
    assert_eq!(about_nothing.problems(), [": REQUIRED"]);
    for wrong in [
        with("TELEPATHY", "note", json!("x")),
        with("VISIT", "seconds", json!(4_294_967_296_i64)),
        with("VISIT", "seconds", json!(1.5)),
        with("SMS", "startedAt", json!("2026-02-29T00:00:00Z")),
    ] {
        let outcome = rep.mutate("logActivity", wrong.clone(), "activity { id }").await;
        assert!(MALFORMED.contains(&outcome.answer.code()), "{wrong}: {}", outcome.answer.text);
    }
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM activities").await, 0);
}

async fn an_activity_fits_its_deal_and_its_person(t: TestApp) {
    let cast = Cast::new(&t).await;
    let (rita, lea) = (&cast.rita, &cast.lea);
    let customer = collect(rita, json!({ "name": "Rhein" })).await;
    let other = collect(rita, json!({ "name": "Other" })).await;
    let deal = open(rita, json!({ "customerId": customer })).await;
    let foreign = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let foreign_deal = open(&cast.sid, json!({ "customerId": foreign })).await;
    let fields = "activity { customer { name } deal { id } user { name } recordedBy { name } }";

    let input = json!({ "kind": "EMAIL", "dealId": deal, "userId": rita.id });
    let logged = lea.mutate("logActivity", input, fields).await;
    assert_eq!(
        logged.ok()["activity"],
        json!({ "customer": { "name": "Rhein" }, "deal": { "id": deal }, "user": { "name": "Rita" },
            "recordedBy": { "name": "Lea" } }),
        "the customer is that of the deal"
    );
    let stranger = t.other_organization("Elsewhere").await;
    let email = |field: &str, value: &str| json!({ "kind": "EMAIL", "note": "n", field: value });
    for (by, input, problem) in [
        (&rita.client, json!({ "kind": "EMAIL", "dealId": deal, "customerId": other }), "dealId: NOT_FOUND"),
        (rita, email("customerId", &foreign), "customerId: NOT_FOUND"),
        (rita, email("dealId", &foreign_deal), "dealId: NOT_FOUND"),
        (rita, email("dealId", &customer), "dealId: INVALID_ID"),
        (rita, email("userId", &cast.nora.id), "userId: NOT_PERMITTED"),
        (lea, email("userId", &cast.sid.id), "userId: NOT_PERMITTED"),
        (&cast.sara, email("userId", &rita.id), "userId: NOT_PERMITTED"),
        (&stranger, email("customerId", &customer), "customerId: NOT_FOUND"),
        (&stranger, email("dealId", &deal), "dealId: NOT_FOUND"),
        (&stranger, email("userId", &rita.id), "userId: NOT_FOUND"),
    ] {
        let outcome = by.mutate("logActivity", input.clone(), "activity { id }").await;
        assert_eq!(outcome.problems(), [format!("input.{problem}")], "{input}");
    }
    // The service department talks to everybody; finance to nobody.
    let call = json!({ "kind": "CALL", "connected": true, "customerId": foreign });
    assert_eq!(cast.sara.mutate("logActivity", call.clone(), "activity { id }").await.code(), "");
    assert_eq!(cast.fin.mutate("logActivity", call, "activity { id }").await.code(), "FORBIDDEN");
}

const LIST: &str = "query($first: Int, $after: String, $last: Int, $before: String, $filter: ActivityFilter) { \
    activities(first: $first, after: $after, last: $last, before: $before, filter: $filter) { \
    totalCount nodes { id outcome } edges { cursor } pageInfo { hasNextPage hasPreviousPage } } }";

/// The outcomes of the activities that somebody sees, newest first.
async fn found(by: &Client, arguments: Value) -> String {
    let answer = by.gql(LIST, arguments).await;
    let page = &answer.ok()["activities"];
    values(&page["nodes"], "outcome").concat()
}

async fn activities_are_filtered_and_paged(t: TestApp) {
    let (admin, rosa) = (t.admin(), t.user("REP", "Rosa").await.id);
    let customer = collect(&admin, json!({ "name": "Zoë" })).await;
    let deal = open(&admin, json!({ "ownerId": rosa, "customerId": customer })).await;
    for (outcome, day, input) in [
        ("a", 1, json!({ "kind": "CALL", "connected": true, "userId": rosa, "customerId": customer })),
        ("b", 2, json!({ "kind": "CALL", "connected": false, "customerId": customer })),
        ("c", 3, json!({ "kind": "VISIT", "userId": rosa, "customerId": customer })),
        ("d", 4, json!({ "kind": "EMAIL", "dealId": deal })),
        ("e", 5, json!({ "kind": "NOTE", "note": "n" })),
    ] {
        let mut input = input;
        input["outcome"] = json!(outcome);
        input["startedAt"] = json!(format!("2026-01-0{day}T00:00:00Z"));
        log(&admin, input).await;
    }
    for (filter, expected) in [
        (Value::Null, "edcba"),
        (json!({ "kind": { "eq": "CALL" } }), "ba"),
        (json!({ "kind": { "in": ["VISIT", "EMAIL"] } }), "dc"),
        (json!({ "user": { "eq": rosa } }), "ca"),
        (json!({ "customer": { "eq": customer } }), "dcba"),
        (json!({ "customer": { "missing": true } }), "e"),
        (json!({ "not": { "customer": { "eq": customer } } }), "e"),
        (json!({ "deal": { "in": [deal] } }), "d"),
        (json!({ "deal": { "missing": true } }), "ecba"),
        (json!({ "connected": { "eq": true } }), "a"),
        (json!({ "connected": { "eq": false } }), "b"),
        (json!({ "not": { "connected": { "eq": true } } }), "edcb"),
        (json!({ "startedAt": { "gte": "2026-01-02T00:00:00Z", "lte": "2026-01-04T00:00:00Z" } }), "dcb"),
        (json!({ "or": [{ "kind": { "eq": "NOTE" } }, { "connected": { "eq": true } }] }), "ea"),
    ] {
        let arguments = json!({ "filter": filter });
        assert_eq!(found(&admin, arguments.clone()).await, expected, "{filter}");
        let total = admin.gql(LIST, arguments).await.ok()["activities"]["totalCount"].clone();
        assert_eq!(total, expected.len(), "{filter}");
    }
    let whole = admin.gql(LIST, json!({})).await.ok()["activities"].clone();
    let cursors = values(&whole["edges"], "cursor");
    assert_eq!(found(&admin, json!({ "first": 2, "after": cursors[0] })).await, "dc");
    assert_eq!(found(&admin, json!({ "last": 2, "before": cursors[4] })).await, "cb");
    // The list of one customer is a part of it, and pages with the same cursors.
    let nested = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { node(id: $id) \
        { ... on Customer { activities(first: $first, after: $after, last: $last, before: $before) { totalCount \
        nodes { outcome } pageInfo { hasNextPage hasPreviousPage } } } } }";
    for (first, after, last, before, expected, next, previous) in [
        (Some(2), None, None, None, "dc", true, false),
        (Some(2), Some(2), None, None, "ba", false, true),
        (None, None, Some(1), Some(4), "b", true, true),
    ] {
        let cursor = |at: Option<usize>| at.map(|at| &cursors[at]);
        let arguments = json!({ "id": customer, "first": first, "after": cursor(after), "last": last,
            "before": cursor(before) });
        let answer = admin.gql(nested, arguments).await;
        let page = &answer.ok()["node"]["activities"];
        assert_eq!(values(&page["nodes"], "outcome").concat(), expected);
        assert_eq!(page["totalCount"], 4);
        assert_eq!(
            page["pageInfo"],
            json!({ "hasNextPage": next, "hasPreviousPage": previous }),
            "{expected}"
        );
    }
}

async fn everybody_sees_their_work_and_that_for_their_customers(t: TestApp) {
    let cast = Cast::new(&t).await;
    let rhein = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let sued = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let nord = collect(&cast.nora, json!({ "name": "Nord" })).await;
    let mut ids = Vec::new();
    for (by, outcome, customer) in [
        (&cast.rita, "r", Some(&rhein)),
        (&cast.sid, "s", Some(&sued)),
        (&cast.nora, "n", Some(&nord)),
        (&cast.lea, "l", None),
        (&cast.sara, "x", Some(&sued)),
        (&cast.sara, "y", Some(&rhein)),
    ] {
        t.clock.advance(Duration::seconds(1));
        let input = json!({ "kind": "NOTE", "note": "n", "outcome": outcome, "customerId": customer });
        ids.push((outcome, log(by, input).await));
    }
    let see = |by: &Client| {
        let (by, ids) = (by.clone(), ids.clone());
        async move {
            let listed = found(&by, json!({})).await;
            let mut by_id = String::new();
            for (outcome, id) in ids.iter().rev() {
                let found = node(&by, id, "... on Activity { outcome }").await;
                assert!(found.is_null() || found["outcome"] == *outcome);
                by_id += found["outcome"].as_str().unwrap_or_default();
            }
            assert_eq!(by_id, listed);
            let total = by.gql(LIST, json!({ "first": 1 })).await.ok()["activities"]["totalCount"].clone();
            assert_eq!(total, listed.len());
            listed
        }
    };
    for (by, expected) in [
        (&cast.rita.client, "yr"),
        (&cast.nora, "n"),
        (&cast.sid, "xs"),
        (&cast.lea, "ylnr"),
        (&cast.otto, "xs"),
        (&cast.sara, "yxlnsr"),
        (&t.admin(), "yxlnsr"),
    ] {
        assert_eq!(see(by).await, expected);
    }
    // Finance reads customers, but not what was said to them.
    assert_eq!(cast.fin.gql(LIST, json!({})).await.code(), "FORBIDDEN");
    assert_eq!(node(&cast.fin, &ids[0].1, "id").await, Value::Null);
    let fields =
        "... on Customer { activities { totalCount nodes { id } } stageHistory { evidenceActivity { id } } }";
    let empty = json!({ "activities": { "totalCount": 0, "nodes": [] },
        "stageHistory": [{ "evidenceActivity": null }] });
    assert_eq!(node(&cast.fin, &rhein, fields).await, empty);

    // With the customer goes its history; one's own work stays, without the customer.
    let hand_over = json!({ "ownerId": cast.sid.id });
    change(&t, &t.admin(), "assignCustomer", &rhein, hand_over, "customer { id }").await.ok();
    for (by, expected) in [(&cast.rita, "r"), (&cast.lea, "lnr"), (&cast.sid, "yxsr"), (&cast.otto, "yxsr")] {
        assert_eq!(see(by).await, expected, "{}", by.email);
    }
    assert_eq!(
        node(&cast.rita, &ids[0].1, "... on Activity { customer { id } }").await["customer"],
        Value::Null
    );
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(see(&stranger).await, "");
}
