//! Settings of an organisation through the API.

use serde_json::{Value, json};

use crate::support::client::Outcome;
use crate::support::{TestApp, both};
use crate::targets::{FIELDS, Sales, because, id};

both!(
    an_administrator_sets_the_bands_of_targets,
    bands_that_are_no_bands_are_refused,
    targets_follow_the_bands_from_then_on,
);

const BANDS: &str = "targetBands { base { min max } sprint { min max } challenge { min max } }";

async fn update(t: &TestApp, bands: Value) -> Outcome {
    let organization = t.admin().query("{ organization { version } }").await;
    let version = organization["organization"]["version"].clone();
    let input = json!({ "version": version, "targetBands": bands });
    t.admin().mutate("updateOrganization", input, &format!("organization {{ version {BANDS} }}")).await
}

fn band(min: &str, max: &str) -> Value {
    json!({ "min": min, "max": max })
}

async fn an_administrator_sets_the_bands_of_targets(t: TestApp) {
    let query = format!("{{ organization {{ version {BANDS} }} }}");
    let rep = t.user("REP", "Rosa").await;
    let found = rep.query(&query).await;
    assert_eq!(
        found["organization"]["targetBands"],
        json!({ "base": band("0.500000", "0.850000"), "sprint": band("0.300000", "0.600000"),
            "challenge": band("0.100000", "0.400000") })
    );
    for role in ["REP", "MANAGER", "SERVICE_AGENT", "FINANCE"] {
        let person = t.user(role, &format!("{role} person")).await;
        let outcome =
            person.mutate("updateOrganization", json!({ "version": 1 }), "organization { id }").await;
        assert_eq!(outcome.code(), "FORBIDDEN", "{role}");
    }
    let changed = update(&t, json!({ "base": band("0.6", "0.9"), "challenge": band("0", "0.25") })).await;
    let wanted = json!({ "base": band("0.600000", "0.900000"), "sprint": band("0.300000", "0.600000"),
        "challenge": band("0.000000", "0.250000") });
    assert_eq!(changed.ok()["organization"]["targetBands"], wanted);
    assert_eq!(rep.query(&query).await["organization"]["targetBands"], wanted);
    assert_eq!(update(&t, json!({})).await.ok()["organization"]["targetBands"], wanted, "nothing was named");

    t.settle().await;
    let audit = "{ auditEntries(first: 2) { nodes { change { type before after } } } }";
    let entry = &t.admin().query(audit).await["auditEntries"]["nodes"][1]["change"].clone();
    assert_eq!(entry["type"], "organization.updated");
    let ppm = |side: &str| entry[side]["targetBands"]["base"].clone();
    assert_eq!(ppm("before"), json!({ "minPpm": 500_000, "maxPpm": 850_000 }));
    assert_eq!(ppm("after"), json!({ "minPpm": 600_000, "maxPpm": 900_000 }));
}

async fn bands_that_are_no_bands_are_refused(t: TestApp) {
    let events = "SELECT COUNT(*) FROM events";
    let before = t.sql().await.number(events).await;
    for (bands, problem) in [
        (json!({ "base": band("0.5", "0.5") }), "input.targetBands.base: OUT_OF_RANGE"),
        (json!({ "sprint": band("0.6", "0.5") }), "input.targetBands.sprint: OUT_OF_RANGE"),
        (json!({ "challenge": band("-0.1", "0.5") }), "input.targetBands.challenge.min: OUT_OF_RANGE"),
        (json!({ "base": band("0.5", "1.000001") }), "input.targetBands.base.max: OUT_OF_RANGE"),
        (json!({ "base": band("0.5", "0.6000001") }), "input.targetBands.base.max: OUT_OF_RANGE"),
        (json!({ "base": band("0.5", "85") }), "input.targetBands.base.max: OUT_OF_RANGE"),
    ] {
        assert_eq!(update(&t, bands.clone()).await.problems(), [problem], "{bands}");
    }
    let stale = json!({ "version": 7, "targetBands": { "base": band("0.1", "0.2") } });
    let outcome = t.admin().mutate("updateOrganization", stale, "organization { id }").await;
    assert_eq!(outcome.code(), "CONFLICT");
    assert_eq!(t.sql().await.number(events).await, before);
}

async fn targets_follow_the_bands_from_then_on(t: TestApp) {
    let s = Sales::open(t).await;
    s.six_deals().await;
    let usual = |owner: &str, deals: i32| {
        let mut asked = s.asked(owner, deals, &s.mona.id);
        asked["override"] = Value::Null;
        asked
    };
    let verdict = async |target: &str| {
        let query = "query($id: ID!) { node(id: $id) { ... on Target { achievability { verdict } } } }";
        s.mona.gql(query, json!({ "id": target })).await.ok()["node"]["achievability"]["verdict"].clone()
    };
    let refused = s.lea.mutate("proposeTarget", usual(&s.rosa.id, 9), FIELDS).await;
    assert_eq!(refused.problems(), ["input.lines: TARGET_NOT_ACHIEVABLE"]);
    let hard =
        id(&s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 9, &s.mona.id), FIELDS).await.ok()["target"]);
    assert_eq!(verdict(&hard).await, "TOO_HARD");
    let team = s.asked(&s.north, 12, &s.max.id);
    let team = id(&s.mona.mutate("proposeTarget", team, FIELDS).await.ok()["target"]);
    let gone = s.act(&s.lea, "withdrawTarget", &hard, json!({ "reason": "Splits the team." })).await;
    gone.expect("withdrawn");
    let split = json!({ "override": Value::Null });
    assert_eq!(
        s.act(&s.lea, "cascadeTarget", &team, split.clone()).await,
        Err("TARGET_NOT_ACHIEVABLE".into())
    );

    update(&s.t, json!({ "base": band("0", "1") })).await.ok();
    assert_eq!(verdict(&hard).await, "TOO_HARD", "a target keeps the verdict of its time");
    let needless = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 9, &s.mona.id), FIELDS).await;
    assert_eq!(needless.problems(), ["input.override: NOT_APPLICABLE"]);
    s.act(&s.lea, "cascadeTarget", &team, split).await.expect("split");
    let sprint = || {
        let mut asked = usual(&s.rosa.id, 9);
        asked["level"] = json!("SPRINT");
        asked
    };
    let outcome = s.lea.mutate("proposeTarget", sprint(), FIELDS).await;
    assert_eq!(outcome.problems(), ["input.lines: TARGET_NOT_ACHIEVABLE"], "its band was not changed");
    let answer = json!({ "goal": { "deals": 11 }, "quality": "0.6", "assumedRates": crate::targets::rates(),
        "override": because(&s.max.id) });
    let countered = s.act(&s.lea, "counterTarget", &team, answer).await;
    assert_eq!(countered.expect("countered")["state"], "COUNTERED", "the band of the proposal still holds");
}
