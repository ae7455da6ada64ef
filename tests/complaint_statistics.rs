//! Figures on complaints: they agree with the list, for everybody who may see some of it.

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::{in_state, record};
use crate::customers::{Cast, collect};
use crate::support::{Client, PASSWORD, Person, TestApp, both};

both!(figures_agree_with_the_list_of_whoever_asks, causes_that_come_back_are_told, a_wrong_period_is_refused,);

const FEBRUARY: &str = "period: { kind: MONTH, start: \"2026-02-01\" }";
/// A filter of the list: what was recorded in February in Berlin, duplicates left out.
const LISTED: &str = "recordedAt: { gte: \"2026-02-01T00:00:00+01:00\", lte: \"2026-02-28T23:59:59.999999+01:00\" }, \
    not: { state: { eq: MERGED } }";
const GROUPS: [(&str, &str); 7] = [
    ("SEVERITY", "severity"),
    ("CHANNEL", "channel"),
    ("PRODUCT", "product { id }"),
    ("ROOT_CAUSE", "rootCause"),
    ("OWNER", "owner { id }"),
    ("TEAM", "team { id }"),
    ("STATE", "state"),
];

/// The figures by group, in February.
async fn statistics(by: &Client, group: &str, fields: &str) -> Vec<Value> {
    let query = format!("{{ complaintStatistics({FEBRUARY}, groupBy: {group}) {{ {fields} }} }}");
    by.query(&query).await["complaintStatistics"].as_array().expect("groups").clone()
}

async fn listed(by: &Client, filter: &str) -> i64 {
    let query = format!("{{ complaints(filter: {{ {filter} }}) {{ totalCount }} }}");
    by.query(&query).await["complaints"]["totalCount"].as_i64().expect("a count")
}

/// The filter of the list that says what a group says.
fn of_group(group: &str, row: &Value) -> String {
    let own = |field: &str| row[field]["id"].as_str().map(|id| format!("{field}: {{ eq: \"{id}\" }}"));
    let none = |field: &str| format!("{field}: {{ missing: true }}");
    match group {
        "SEVERITY" => match row["severity"].as_str() {
            Some(severity) => format!("severity: {{ eq: {severity} }}"),
            None => "and: [{ not: { severity: { in: [LOW, MEDIUM, HIGH, CRITICAL] } } }]".into(),
        },
        "ROOT_CAUSE" => match row["rootCause"].as_str() {
            Some(cause) => format!("rootCause: {{ eq: \"{cause}\" }}"),
            None => none("rootCause"),
        },
        "CHANNEL" => format!("channel: {{ eq: {} }}", row["channel"].as_str().expect("a channel")),
        "STATE" => format!("state: {{ eq: {} }}", row["state"].as_str().expect("a state")),
        "PRODUCT" => own("product").unwrap_or_else(|| none("product")),
        "TEAM" => own("team").unwrap_or_else(|| none("team")),
        _ => own("owner").expect("an owner"),
    }
}

/// Complaints of January and February, of several customers, products, owners and states.
async fn world(t: &mut TestApp) -> Cast {
    let product = t.admin().mutate("createProduct", json!({ "name": "Thing" }), "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    let mut cast = Cast::new(t).await;
    let ritas = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let sids = collect(&cast.sid, json!({ "name": "Sued" })).await;
    in_state(t, &ritas, &cast.sara.id, "CLOSED").await;
    t.later(Duration::days(25)).await;
    for person in [&mut cast.rita, &mut cast.sid, &mut cast.sara, &mut cast.lea, &mut cast.otto] {
        sign_in_again(t, person).await;
    }
    record(&cast.sara, &ritas, json!({ "productId": product, "channel": "WEB" })).await;
    record(&cast.rita, &ritas, json!({ "ownerId": cast.rita.id })).await;
    record(&cast.sara, &ritas, json!({ "confidentiality": "CONFIDENTIAL", "productId": product })).await;
    record(&cast.sid, &sids, json!({ "channel": "FAX" })).await;
    record(&cast.sara, &sids, json!({ "ownerId": cast.nora.id })).await;
    for state in ["CLOSED", "CLOSED", "OUT_OF_SCOPE", "MERGED", "WAITING_INTERNAL"] {
        // That step has an end which lies in January.
        if state != "WAITING_INTERNAL" {
            in_state(t, &ritas, &cast.rita.id, state).await;
        }
        in_state(t, &sids, &cast.sid.id, if state == "MERGED" { "MERGED" } else { "ACCEPTED" }).await;
    }
    cast
}

async fn sign_in_again(t: &TestApp, person: &mut Person) {
    person.client = t.sign_in(&person.email, PASSWORD).await;
}

async fn figures_agree_with_the_list_of_whoever_asks(mut t: TestApp) {
    let cast = world(&mut t).await;
    let mut totals = Vec::new();
    for (who, by) in [
        ("a rep", &cast.rita.client),
        ("a rep in the south", &cast.sid.client),
        ("a lead", &cast.lea.client),
        ("a lead of the south", &cast.otto.client),
        ("the service department", &cast.sara.client),
        ("an administrator", &t.admin()),
    ] {
        let total = listed(by, LISTED).await;
        totals.push(total);
        for (group, key) in GROUPS {
            let rows = statistics(by, group, &format!("{key} recorded open closed outOfScope")).await;
            let sum: i64 = rows.iter().map(|row| row["recorded"].as_i64().expect("a count")).sum();
            assert_eq!(sum, total, "{who} {group}");
            for row in &rows {
                let same = of_group(group, row);
                assert_eq!(listed(by, &format!("{LISTED}, {same}")).await, row["recorded"], "{who} {same}");
                for (field, filter) in [
                    ("open", "isOpen: { eq: true }"),
                    ("closed", "state: { eq: CLOSED }"),
                    ("outOfScope", "state: { eq: OUT_OF_SCOPE }"),
                ] {
                    // A state that is compared already cannot be compared once more at the same place.
                    let counted = listed(by, &format!("{LISTED}, {same}, or: [{{ {filter} }}]")).await;
                    let found = if group == "STATE" { counted.into() } else { row[field].clone() };
                    assert_eq!(found, counted, "{who} {same} {field}");
                }
            }
        }
    }
    assert!(totals[0] < totals[2] && totals[3] < totals[4] && totals[4] == totals[5], "{totals:?}");
}

async fn causes_that_come_back_are_told(mut t: TestApp) {
    let cast = world(&mut t).await;
    let sql = t.sql().await;
    let answered = "UPDATE surveys SET next_due_at = NULL, state = 'ANSWERED', scores = '[5,5,5,5,4]'";
    assert!(sql.run(answered).await >= 3);
    let fields = "rootCause recorded open overdue reopened reopenRate closedAgeMedianMinutes openAgeMaxMinutes \
        clocks { kind met missed running } exposure { first second hearers } \
        satisfaction { asked answered satisfied dissatisfied silent responseRate satisfiedShare low high } \
        recurrence { repeats previousRecorded previousRepeats }";
    let rows = statistics(&cast.sara, "ROOT_CAUSE", fields).await;
    let fuse = rows.iter().find(|row| row["rootCause"] == "FUSE").expect("a cause");
    assert_eq!((&fuse["recorded"], &fuse["open"], &fuse["overdue"]), (&json!(2), &json!(0), &json!(0)));
    assert_eq!(
        fuse["recurrence"],
        json!({ "repeats": 1, "previousRecorded": 1, "previousRepeats": 0 }),
        "one customer has it twice this month, and had it the month before"
    );
    assert_eq!(
        fuse["satisfaction"],
        json!({ "asked": 2, "answered": 2, "satisfied": 2, "dissatisfied": 0, "silent": 0, "responseRate": "1.000000",
            "satisfiedShare": "1.000000", "low": "0.342371", "high": "1.000000" })
    );
    assert_eq!(fuse["reopenRate"], "0.000000");
    let clock = |kind: &str| {
        let clocks = fuse["clocks"].as_array().expect("clocks").clone();
        clocks.into_iter().find(|clock| clock["kind"] == kind).expect("a clock")
    };
    assert_eq!(clock("ACK"), json!({ "kind": "ACK", "met": 2, "missed": 0, "running": 0 }));
    let open = rows.iter().find(|row| row["rootCause"].is_null()).expect("the rest");
    let count = open["open"].as_i64().expect("a count");
    assert_eq!(
        open["exposure"],
        json!({ "first": 11 * count, "second": 605 * count, "hearers": 616 * count })
    );
    assert_eq!((&open["openAgeMaxMinutes"], &open["satisfaction"]["low"]), (&json!(0), &Value::Null));

    let query = format!(
        "{{ complaintStatistics({FEBRUARY}, groupBy: TEAM) {{ team {{ name }} recorded satisfaction {{ asked }} }} }}"
    );
    let answer = cast.sara.gql(&query, json!({})).await;
    answer.ok();
    assert!(answer.statements <= 8, "{} statements", answer.statements);
}

async fn a_wrong_period_is_refused(t: TestApp) {
    let query =
        "{ complaintStatistics(period: { kind: MONTH, start: \"2026-02-02\" }, groupBy: TEAM) { recorded } }";
    assert_eq!(t.admin().gql(query, json!({})).await.code(), "BAD_USER_INPUT");
    let cast = Cast::new(&t).await;
    let query = format!("{{ complaintStatistics({FEBRUARY}, groupBy: TEAM) {{ recorded }} }}");
    assert_eq!(cast.fin.gql(&query, json!({})).await.code(), "FORBIDDEN");
    assert_eq!(t.anonymous().gql(&query, json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(statistics(&cast.rita, "TEAM", "recorded").await, Vec::<Value>::new());
}
