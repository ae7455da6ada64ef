//! The end of a period: results are frozen, forecasts are scored, and the next targets rest on them.

use serde_json::{Value, json};

use crate::customers::{change, collect};
use crate::deals::{eur, open};
use crate::support::{Client, TestApp, both};
use crate::targets::Sales;

both!(
    a_period_is_closed_when_all_is_counted_and_stays_as_it_was,
    each_closes_what_they_manage_and_never_their_own,
    the_next_target_rests_on_the_result,
);

const CLOSED: &str = "targets { id state attainment { frozen } } hasMore";

/// Closes the month of February.
async fn close(by: &Client) -> Result<Vec<Value>, String> {
    let outcome = by.mutate("closePeriod", json!({ "period": february() }), CLOSED).await;
    if outcome.code().is_empty() {
        return Ok(outcome.ok()["targets"].as_array().expect("targets").clone());
    }
    Err(outcome.code())
}

fn february() -> Value {
    json!({ "kind": "MONTH", "start": "2026-02-01" })
}

/// Closes the days up to one, in as many steps as that takes.
async fn close_days(s: &Sales, through: &str) {
    s.t.clock.advance(chrono::Duration::minutes(2));
    loop {
        let closed = s.t.admin().mutate("closeDays", json!({ "through": through }), "closedThrough").await;
        if closed.ok()["closedThrough"] == through {
            break;
        }
    }
}

/// An active target of four deals for February; the clock stands on the fifth.
async fn active(s: &Sales, owner: &str) -> String {
    let proposed = s.lea.mutate("proposeTarget", s.asked(owner, 4, &s.mona.id), "target { id }").await;
    let id = proposed.ok()["target"]["id"].as_str().expect("an id").to_owned();
    let person = if owner == s.rosa.id { s.rosa.client.clone() } else { s.otto.client.clone() };
    for by in [&person, &s.lea.client.clone(), &s.mona.client.clone()] {
        s.sign(by, &id).await.expect("signed");
    }
    id
}

/// A deal over 1000 EUR that Rosa won on a day of February.
async fn won(s: &Sales, day: u32) {
    let customer = collect(&s.t.admin(), json!({ "name": "Buyer" })).await;
    let input = json!({ "customerId": customer, "ownerId": s.rosa.id, "value": eur("1000"),
        "openedAt": "2026-01-01T00:00:00Z" });
    let deal = open(&s.t.admin(), input).await;
    let win = json!({ "wonAt": format!("2026-02-{day:02}T08:00:00Z") });
    change(&s.t, &s.t.admin(), "winDeal", &deal, win, "deal { id }").await.ok();
}

/// Frozen or not, deals won, and the distance.
async fn result(s: &Sales, as_of: Option<&str>) -> Value {
    let query = "query($owner: ID!, $period: PeriodInput!, $asOf: DateTime) {
        attainment(ownerId: $owner, period: $period, asOf: $asOf) {
            frozen lines { metric actual { number } distance { number } } } }";
    let variables = json!({ "owner": s.rosa.id, "period": february(), "asOf": as_of });
    let answer = s.rosa.gql(query, variables).await;
    let found = &answer.ok()["attainment"];
    let lines = found["lines"].as_array().expect("lines");
    let deals = lines.iter().find(|line| line["metric"] == "DEALS_WON").expect("deals");
    json!([found["frozen"], deals["actual"]["number"], deals["distance"]["number"]])
}

async fn a_period_is_closed_when_all_is_counted_and_stays_as_it_was(t: TestApp) {
    let mut s = Sales::open(t).await;
    let id = active(&s, &s.rosa.id).await;
    assert_eq!(close(&s.lea).await, Err("NOT_APPLICABLE".into()), "nothing counts yet");
    s.later(18).await; // To the second of February.
    let reason = json!({ "reason": "Signed over the weekend." });
    s.act(&s.mona, "activateTarget", &id, reason.clone()).await.expect_err("published in time");
    s.act(&s.lea, "activateTarget", &id, json!({})).await.expect("active");
    won(&s, 2).await;
    assert_eq!(close(&s.lea).await, Err("TOO_EARLY,DAY_NOT_CLOSED".into()));
    s.later(28).await; // To the second of March.
    for day in [10, 20] {
        won(&s, day).await;
    }
    assert_eq!(close(&s.lea).await, Err("DAY_NOT_CLOSED".into()));
    close_days(&s, "2026-02-27").await;
    assert_eq!(close(&s.lea).await, Err("DAY_NOT_CLOSED".into()), "the last day is a Saturday, and counts");
    close_days(&s, "2026-02-28").await;
    assert_eq!(result(&s, None).await, json!([false, "3", "1"]));
    let closed = close(&s.lea).await.expect("closed");
    assert_eq!(closed, [json!({ "id": id, "state": "CLOSED", "attainment": { "frozen": true } })]);
    assert_eq!(close(&s.lea).await, Err("NOT_APPLICABLE".into()), "once");

    // What comes later counts for the days on which it was done, and changes no result.
    won(&s, 25).await;
    assert_eq!(result(&s, None).await, json!([true, "3", "1"]));
    assert_eq!(result(&s, Some("2026-02-15T00:00:00Z")).await, json!([false, "2", "2"]), "an earlier moment");
    let twice = "query($id: ID!) { node(id: $id) { ... on Target { now: attainment { frozen } \
                 then: attainment(asOf: \"2026-03-01T12:00:00Z\") { frozen } } } }";
    let frozen = s.rosa.gql(twice, json!({ "id": id })).await.ok()["node"].clone();
    assert_eq!(frozen, json!({ "now": { "frozen": true }, "then": { "frozen": true } }));
    for (name, input) in [
        ("counterTarget", json!({ "goal": { "deals": 3 } })),
        ("amendTarget", json!({ "goal": { "deals": 3 }, "effectiveFrom": "2026-02-20" })),
        ("withdrawTarget", json!({ "reason": "Too much." })),
        ("activateTarget", json!({})),
    ] {
        assert_eq!(s.act(&s.lea, name, &id, input).await, Err("INVALID_TRANSITION".into()), "{name}");
    }
    let again = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), "target { id }").await;
    assert!(["TAKEN", "PERIOD_OVER"].iter().any(|code| again.code().contains(code)), "{}", again.code());
}

async fn each_closes_what_they_manage_and_never_their_own(t: TestApp) {
    let mut s = Sales::open(t).await;
    let (rosa, otto) = (s.rosa.id.clone(), s.otto.id.clone());
    let mut targets = vec![active(&s, &rosa).await, active(&s, &otto).await];
    targets.sort();
    s.later(18).await;
    for id in &targets {
        s.act(&s.lea, "activateTarget", id, json!({})).await.expect("active");
    }
    s.later(28).await;
    won(&s, 3).await;
    close_days(&s, "2026-03-01").await;
    assert_eq!(close(&s.rosa).await, Err("FORBIDDEN".into()));
    assert_eq!(close(&s.max).await, Err("NOT_APPLICABLE".into()), "another unit");
    let stranger = s.t.other_organization("Elsewhere").await;
    assert_eq!(close(&stranger).await, Err("NOT_APPLICABLE".into()));
    let mut closed: Vec<String> = close(&s.lea)
        .await
        .expect("closed")
        .iter()
        .map(|target| target["id"].as_str().expect("an id").to_owned())
        .collect();
    closed.sort();
    assert_eq!(closed, targets);
    let events = "{ changes(first: 100, types: [\"target.closed\"]) { nodes { type } } }";
    s.t.settle().await;
    assert_eq!(
        s.t.admin().gql(events, json!({})).await.ok()["changes"]["nodes"].as_array().map(Vec::len),
        Some(2)
    );
}

async fn the_next_target_rests_on_the_result(t: TestApp) {
    let mut s = Sales::open(t).await;
    let rosa = s.rosa.id.clone();
    let id = active(&s, &rosa).await;
    s.later(18).await;
    s.act(&s.lea, "activateTarget", &id, json!({})).await.expect("active");
    s.later(28).await;
    for day in [3, 4, 5] {
        won(&s, day).await;
    }
    close_days(&s, "2026-02-28").await;
    close(&s.lea).await.expect("closed");
    let mut asked = s.asked(&rosa, 4, &s.mona.id);
    asked["period"] = json!({ "kind": "MONTH", "start": "2026-04-01" });
    let fields = "target { derivation { reproduces prose cites { firstOn lastOn asked reached target { id state } } } }";
    let proposed = s.lea.mutate("proposeTarget", asked, fields).await;
    let derivation = &proposed.ok()["target"]["derivation"];
    assert_eq!(
        derivation["cites"],
        json!([{ "firstOn": "2026-02-01", "lastOn": "2026-02-28", "asked": 4, "reached": 3,
            "target": { "id": id, "state": "CLOSED" } }])
    );
    assert_eq!(derivation["reproduces"], true);
    let told = "The target from 2026-02-01 to 2026-02-28 was 4 deals; 3 were reached (75.0 %).";
    let prose = derivation["prose"].as_array().expect("sentences");
    assert!(prose.iter().any(|sentence| sentence == told), "{prose:?}");
}
