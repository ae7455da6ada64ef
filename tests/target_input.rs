//! Wrong inputs of targets through the API: each is refused with its place and code, and nothing is changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, both};
use crate::targets::{FIELDS, Sales, because, id, rates};

both!(
    wrong_goals_are_refused,
    wrong_shares_are_refused,
    wrong_rates_are_refused,
    wrong_lines_are_refused_where_they_stand,
    wrong_support_is_refused_where_it_stands,
    wrong_periods_and_owners_are_refused,
    steps_of_targets_that_are_not_there_are_refused,
    wrong_parts_of_a_team_are_refused,
    whoever_left_is_asked_for_nothing_any_more,
);

/// An amount beyond every bound.
const HUGE: &str = "99999999999999999999.00";

fn money(amount: &str, currency: &str) -> Value {
    json!({ "amount": amount, "currency": currency })
}

/// One wrong input: what it is, who sends it, and what is said of it.
type Case<'a> = (&'static str, &'a Client, Value, &'static [&'static str]);

/// Sends wrong inputs; tells all whose answer differs, or which changed anything.
async fn refused(s: &Sales, mutation: &str, cases: Vec<Case<'_>>) {
    let sql = s.t.sql().await;
    let state = async || {
        s.t.settle().await;
        let count = "SELECT (SELECT COUNT(*) FROM targets) * 1000000 + (SELECT COUNT(*) FROM derivations) * 1000 \
                     + (SELECT COUNT(*) FROM target_terms)";
        (sql.number(count).await, sql.number("SELECT COUNT(*) FROM events").await)
    };
    let before = state().await;
    let mut faults = Vec::new();
    for (name, by, input, expected) in cases {
        let outcome = by.mutate(mutation, input, FIELDS).await;
        let found = if outcome.problems().is_empty() { vec![outcome.code()] } else { outcome.problems() };
        if found != expected {
            faults.push(format!("{name}: {found:?}, not {expected:?}"));
        }
        if state().await != before {
            faults.push(format!("{name}: something was changed"));
            break;
        }
    }
    assert!(faults.is_empty(), "{mutation}:\n{}", faults.join("\n"));
}

/// A right input with something else in it.
fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

/// A wrong value of one field of a right proposal of Lea's for Rosa, who has won in euros.
type Wrong = (&'static str, Value, &'static [&'static str]);

async fn refuse_each(t: TestApp, field: &str, wrong: Vec<Wrong>) {
    let s = Sales::open(t).await;
    s.six_deals().await;
    let right = s.asked(&s.rosa.id, 4, &s.mona.id);
    let case = |(name, value, expected)| (name, &s.lea.client, with(right.clone(), field, value), expected);
    refused(&s, "proposeTarget", wrong.into_iter().map(case).collect()).await;
    s.lea.mutate("proposeTarget", right, FIELDS).await.ok();
}

async fn wrong_goals_are_refused(t: TestApp) {
    const WRONG: &[&str] = &["input.goal: OUT_OF_RANGE"];
    let deals = |deals: i64| json!({ "deals": deals });
    let revenue = |amount: &str, currency: &str| json!({ "revenue": money(amount, currency) });
    let wrong = vec![
        ("no deals", deals(0), WRONG),
        ("negative deals", deals(-4), WRONG),
        ("too many deals", deals(1_000_001), WRONG),
        ("huge deals", deals(i32::MAX.into()), WRONG),
        ("no revenue", revenue("0.00", "EUR"), WRONG),
        ("negative revenue", revenue("-1000.00", "EUR"), WRONG),
        ("huge revenue", revenue(HUGE, "EUR"), &["input.goal.revenue.amount: OUT_OF_RANGE"]),
        ("parts of a cent", revenue("1000.001", "EUR"), &["input.goal.revenue.amount: TOO_MANY_DECIMALS"]),
        ("another currency", revenue("1000.00", "USD"), &["input.goal: CURRENCY_MISMATCH"]),
        // The type of the input itself refuses these.
        ("nothing", json!({}), &["BAD_USER_INPUT"]),
        ("both", json!({ "deals": 4, "revenue": money("1000.00", "EUR") }), &["BAD_USER_INPUT"]),
        ("more deals than an integer", deals(3_000_000_000), &["BAD_USER_INPUT"]),
    ];
    refuse_each(t, "goal", wrong).await;
}

async fn wrong_shares_are_refused(t: TestApp) {
    const WRONG: &[&str] = &["input.quality: OUT_OF_RANGE"];
    let wrong = vec![
        ("none", json!("0"), WRONG),
        ("negative", json!("-0.5"), WRONG),
        ("above all", json!("1.000001"), WRONG),
        ("parts of a millionth", json!("0.1234567"), WRONG),
        ("no number", json!("much"), &["BAD_USER_INPUT"]),
    ];
    refuse_each(t, "quality", wrong).await;
}

async fn wrong_rates_are_refused(t: TestApp) {
    const WRONG: &[&str] = &["input.assumedRates.prospectsPerCall: OUT_OF_RANGE"];
    let rate = |rate: &str| json!({ "prospectsPerCall": rate });
    let wrong = vec![
        ("none", rate("0"), WRONG),
        ("negative", rate("-1"), WRONG),
        ("of too many digits", rate("9999999999999"), WRONG),
        ("huge", rate("999999999999"), &["input.assumed: OUT_OF_RANGE"]),
    ];
    refuse_each(t, "assumedRates", wrong).await;
}

async fn wrong_lines_are_refused_where_they_stand(t: TestApp) {
    const NOT_LINKED: &str = "input.lines: TARGET_NOT_LINKED";
    const RANGE: &[&str] = &["input.lines.0.quantity: OUT_OF_RANGE", NOT_LINKED];
    const UNIT: &[&str] = &["input.lines.0.quantity: NOT_APPLICABLE", NOT_LINKED];
    const DAY: &[&str] = &["input.lines.0.dueBy: OUT_OF_RANGE"];
    let calls = |field: &str, value: Value| json!([with(json!({ "metric": "CALLS" }), field, value)]);
    let revenue = |field: &str, value: Value| json!([with(json!({ "metric": "REVENUE" }), field, value)]);
    let both = json!({ "metric": "REVENUE", "quantity": 5, "money": money("5.00", "EUR") });
    let right = json!({ "metric": "PROSPECTS", "quantity": 20 });
    let second = json!([right, { "metric": "CALLS", "quantity": -1 }]);
    let wrong = vec![
        ("negative", calls("quantity", json!(-1)), RANGE),
        ("zero", calls("quantity", json!(0)), RANGE),
        ("huge", calls("quantity", json!(i32::MAX)), RANGE),
        ("money for calls", calls("money", money("5.00", "EUR")), UNIT),
        ("a number for revenue", revenue("quantity", json!(5)), UNIT),
        ("number and money", json!([both]), &["input.lines.0.money: NOT_APPLICABLE"]),
        ("huge revenue", revenue("money", money(HUGE, "EUR")), &["input.lines.0.money.amount: OUT_OF_RANGE"]),
        ("another currency", revenue("money", money("4000.00", "USD")), &[NOT_LINKED]),
        ("before the period", calls("dueBy", json!("2020-01-01")), DAY),
        ("after the period", calls("dueBy", json!("2026-03-01")), DAY),
        ("twice", json!([right, right]), &["input.lines.1.metric: DUPLICATE"]),
        ("at its own place", second, &["input.lines.1.quantity: OUT_OF_RANGE", NOT_LINKED]),
    ];
    refuse_each(t, "lines", wrong).await;
}

async fn wrong_support_is_refused_where_it_stands(t: TestApp) {
    let resource = |field: &str, value: Value| {
        let owed =
            json!({ "kind": "PRODUCT", "quantity": 2, "dueBy": "2026-02-03", "department": "Marketing" });
        json!({ "resources": [owed.clone(), with(owed, field, value)] })
    };
    const WRONG: &[&str] = &["input.support.resources.1.quantity: OUT_OF_RANGE"];
    let wrong = vec![
        ("none", resource("quantity", json!(0)), WRONG),
        ("negative", resource("quantity", json!(-2)), WRONG),
        ("huge", resource("quantity", json!(i32::MAX)), WRONG),
        ("no amount", resource("quantity", Value::Null), &["input.support.resources.1.quantity: REQUIRED"]),
        (
            "both",
            resource("money", money("5.00", "EUR")),
            &["input.support.resources.1.money: NOT_APPLICABLE"],
        ),
        ("nobody", resource("department", json!(" ")), &["input.support.resources.1.department: REQUIRED"]),
        (
            "too late",
            resource("dueBy", json!("2026-03-01")),
            &["input.support.resources.1.dueBy: OUT_OF_RANGE"],
        ),
    ];
    refuse_each(t, "support", wrong).await;
}

async fn wrong_periods_and_owners_are_refused(t: TestApp) {
    let s = Sales::open(t).await;
    let empty = s.t.team("Empty", Some(&s.north)).await;
    let stranger = s.t.other_organization("Elsewhere").await;
    let abroad = stranger.mutate("createTeam", json!({ "name": "Abroad" }), "team { id }").await;
    let abroad = &abroad.ok()["team"]["id"];
    let foreign = &stranger.query("{ viewer { user { id } } }").await["viewer"]["user"]["id"];
    let live = s.lea.mutate("proposeTarget", s.asked(&s.otto.id, 4, &s.mona.id), FIELDS).await;
    let live = id(&live.ok()["target"]);
    let asked = |field: &str, value| with(s.asked(&s.rosa.id, 4, &s.mona.id), field, value);
    let period = |kind: &str, start: &str| asked("period", json!({ "kind": kind, "start": start }));
    let owner = |owner: &Value| asked("ownerId", owner.clone());
    let unknown =
        |kind: &str| json!(URL_SAFE_NO_PAD.encode(format!("v1:{kind}:0192f3a0-0000-7000-8000-000000000001")));
    let approver = |id: &Value| asked("override", json!({ "reason": "New.", "approverId": id }));
    let (lea, mona) = (&s.lea.client, &s.mona.client);
    let cases: Vec<Case<'_>> = vec![
        (
            "a month from its second day",
            lea,
            period("MONTH", "2026-02-02"),
            &["input.period.start: NOT_A_PERIOD_START"],
        ),
        (
            "a week from a Sunday",
            lea,
            period("WEEK", "2026-02-01"),
            &["input.period.start: NOT_A_PERIOD_START"],
        ),
        (
            "a quarter from February",
            lea,
            period("QUARTER", "2026-02-01"),
            &["input.period.start: NOT_A_PERIOD_START"],
        ),
        ("a year from April", lea, period("YEAR", "2026-04-01"), &["input.period.start: NOT_A_PERIOD_START"]),
        ("a month that is over", lea, period("MONTH", "2025-12-01"), &["input.period: PERIOD_OVER"]),
        ("a month long ago", lea, period("MONTH", "1900-12-01"), &["input.period: PERIOD_OVER"]),
        ("a second target", lea, s.asked(&s.otto.id, 5, &s.mona.id), &["input.period: TAKEN"]),
        ("no id", lea, owner(&json!("nobody")), &["input.ownerId: INVALID_ID"]),
        ("an id of something else", lea, owner(&json!(live)), &["input.ownerId: INVALID_ID"]),
        ("a person who is not there", lea, owner(&unknown("User")), &["input.ownerId: NOT_FOUND"]),
        ("a team that is not there", lea, owner(&unknown("Team")), &["input.ownerId: NOT_FOUND"]),
        ("a part of nothing", lea, asked("parentId", unknown("Target")), &["input.parentId: NOT_FOUND"]),
        ("a person elsewhere", lea, owner(foreign), &["input.ownerId: NOT_FOUND"]),
        ("a team elsewhere", lea, owner(abroad), &["input.ownerId: NOT_FOUND"]),
        ("a team without a lead", lea, owner(&json!(empty)), &["input.ownerId: REQUIRED"]),
        ("an approver elsewhere", lea, approver(foreign), &["input.override.approverId: NOT_FOUND"]),
        (
            "an approver who is a team",
            lea,
            approver(&json!(s.north)),
            &["input.override.approverId: INVALID_ID"],
        ),
        ("a part of no id", lea, asked("parentId", json!("nothing")), &["input.parentId: INVALID_ID"]),
        (
            "a part of a person's target",
            lea,
            asked("parentId", json!(live)),
            &["input.parentId: NOT_APPLICABLE"],
        ),
        ("one's own team", lea, s.asked(&s.north, 4, &s.mona.id), &["input.ownerId: SELF_APPROVAL"]),
        ("oneself", mona, s.asked(&s.mona.id, 4, &s.max.id), &["input.ownerId: SELF_APPROVAL"]),
    ];
    refused(&s, "proposeTarget", cases).await;
}

async fn steps_of_targets_that_are_not_there_are_refused(t: TestApp) {
    let s = Sales::open(t).await;
    let stranger = s.t.other_organization("Elsewhere").await;
    let live = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), FIELDS).await;
    let live = id(&live.ok()["target"]);
    let terms = json!({ "goal": { "deals": 3 }, "quality": "0.6", "assumedRates": rates(),
        "override": because(&s.mona.id) });
    let merged = |more: Value| {
        let mut input = terms.clone();
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let steps: Vec<(&str, Value, &Client)> = vec![
        ("counterTarget", merged(json!({})), &s.rosa.client),
        ("agreeTarget", json!({ "hash": "0" }), &s.rosa.client),
        ("amendTarget", merged(json!({ "effectiveFrom": "2026-02-10" })), &s.lea.client),
        ("withdrawTarget", json!({ "reason": "Gone." }), &s.lea.client),
        ("activateTarget", json!({}), &s.lea.client),
        ("commitSupport", json!({ "resourceId": live }), &s.max.client),
        ("deliverSupport", json!({ "resourceId": live }), &s.max.client),
    ];
    for (mutation, input, by) in steps {
        let at = |target: &Value, version: i32| {
            with(with(input.clone(), "id", target.clone()), "version", json!(version))
        };
        let wrong_resource = matches!(mutation, "commitSupport" | "deliverSupport");
        let cases: Vec<Case<'_>> = if wrong_resource {
            vec![("a resource that is none", by, at(&json!(live), 1), &["input.resourceId: INVALID_ID"])]
        } else {
            vec![
                ("no id", by, at(&json!("nothing"), 1), &["input.id: INVALID_ID"]),
                ("a person", by, at(&json!(s.rosa.id), 1), &["input.id: INVALID_ID"]),
                ("another version", by, at(&json!(live), 7), &[": CONFLICT"]),
            ]
        };
        refused(&s, mutation, cases).await;
        let foreign: Vec<Case<'_>> = vec![match mutation {
            "counterTarget" | "agreeTarget" | "amendTarget" | "withdrawTarget" | "activateTarget" => {
                ("from another organisation", &stranger, at(&json!(live), 1), &["input.id: NOT_FOUND"])
            }
            _ => continue,
        }];
        refused(&s, mutation, foreign).await;
    }
    let over: Vec<Case<'_>> = vec![
        ("negative", &s.rosa.client, at_goal(&live, -1), &["input.goal: OUT_OF_RANGE"]),
        ("zero", &s.rosa.client, at_goal(&live, 0), &["input.goal: OUT_OF_RANGE"]),
        ("huge", &s.rosa.client, at_goal(&live, i32::MAX), &["input.goal: OUT_OF_RANGE"]),
    ];
    refused(&s, "counterTarget", over).await;
}

fn at_goal(target: &str, deals: i32) -> Value {
    json!({ "id": target, "version": 1, "goal": { "deals": deals } })
}

async fn wrong_parts_of_a_team_are_refused(t: TestApp) {
    let s = Sales::open(t).await;
    let person = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), FIELDS).await;
    let person = id(&person.ok()["target"]);
    let team = s.mona.mutate("proposeTarget", s.asked(&s.north, 7, &s.max.id), FIELDS).await;
    let team = id(&team.ok()["target"]);
    let split = |buffer: Value| json!({ "id": team, "version": 1, "buffer": buffer, "override": because(&s.mona.id) });
    let deals = |quantity: i64| split(json!([{ "metric": "DEALS_WON", "quantity": quantity }]));
    let mut of_a_person = split(json!([]));
    of_a_person["id"] = json!(person);
    let by = &s.lea.client;
    let cases: Vec<Case<'_>> = vec![
        ("negative", by, deals(-1), &["input.buffer.0: OUT_OF_RANGE"]),
        ("huge", by, deals(i32::MAX.into()), &["input.buffer.0: OUT_OF_RANGE"]),
        (
            "without a number",
            by,
            split(json!([{ "metric": "DEALS_WON" }])),
            &["input.buffer.0.quantity: REQUIRED"],
        ),
        (
            "money for deals",
            by,
            split(json!([{ "metric": "DEALS_WON", "money": money("5.00", "EUR") }])),
            &["input.buffer.0: CURRENCY_MISMATCH"],
        ),
        (
            "a metric that the team does not have",
            by,
            split(json!([{ "metric": "REVENUE", "money": money("5.00", "EUR") }])),
            &["input.buffer.0: NOT_APPLICABLE"],
        ),
        (
            "twice",
            by,
            split(json!([{ "metric": "CALLS", "quantity": 1 }, { "metric": "CALLS", "quantity": 1 }])),
            &["input.buffer.1: DUPLICATE"],
        ),
        ("of a person", by, of_a_person, &["input.id: NOT_APPLICABLE"]),
    ];
    let sql = s.t.sql().await;
    let count = "SELECT COUNT(*) FROM targets";
    let before = (sql.number(count).await, sql.number("SELECT COUNT(*) FROM events").await);
    for (name, by, input, expected) in cases {
        let outcome = by.mutate("cascadeTarget", input, "target { id }").await;
        assert_eq!(outcome.problems(), expected, "{name}");
        let after = (sql.number(count).await, sql.number("SELECT COUNT(*) FROM events").await);
        assert_eq!(after, before, "{name}");
    }
}

async fn whoever_left_is_asked_for_nothing_any_more(t: TestApp) {
    let mut s = Sales::open(t).await;
    let counts =
        id(&s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), FIELDS).await.ok()["target"]);
    let sprint = with(s.asked(&s.rosa.id, 5, &s.mona.id), "level", json!("SPRINT"));
    let waits = id(&s.lea.mutate("proposeTarget", sprint, FIELDS).await.ok()["target"]);
    for signer in [&s.rosa, &s.lea, &s.mona] {
        s.sign(signer, &counts).await.expect("signed");
        s.sign(signer, &waits).await.expect("signed");
    }
    let open =
        id(&s.lea.mutate("proposeTarget", s.asked(&s.otto.id, 4, &s.mona.id), FIELDS).await.ok()["target"]);
    let fewer = json!({ "goal": { "deals": 3 }, "quality": "0.6", "assumedRates": rates(), "override": because(&s.mona.id) });
    s.act(&s.otto, "counterTarget", &open, fewer.clone()).await.expect("countered");
    s.later(26).await; // To the tenth of February.
    s.act(&s.lea, "activateTarget", &counts, json!({})).await.expect("active");
    for person in [&s.rosa, &s.otto] {
        let left =
            json!({ "id": person.id, "version": s.t.version(&person.id).await, "status": "DEACTIVATED" });
        s.t.admin().mutate("updateUser", left, "user { id }").await.ok();
    }
    let by = &s.lea.client;
    let period = |start: &str| {
        with(s.asked(&s.rosa.id, 4, &s.mona.id), "period", json!({ "kind": "MONTH", "start": start }))
    };
    let cases: Vec<Case<'_>> = vec![
        (
            "while the period runs",
            by,
            with(period("2026-02-01"), "level", json!("SPRINT")),
            &["input.ownerId: USER_DEACTIVATED"],
        ),
        ("afterwards", by, period("2026-03-01"), &["input.ownerId: USER_DEACTIVATED"]),
    ];
    refused(&s, "proposeTarget", cases).await;
    let mut amended = fewer.clone();
    amended["effectiveFrom"] = json!("2026-02-16");
    for (mutation, target, input) in [
        ("amendTarget", &counts, amended),
        ("counterTarget", &open, fewer),
        ("activateTarget", &waits, json!({})),
    ] {
        let input = with(with(input, "id", json!(target)), "version", json!(s.t.version(target).await));
        let case: Vec<Case<'_>> = vec![("its owner left", by, input, &["input.id: USER_DEACTIVATED"])];
        refused(&s, mutation, case).await;
    }
    // What does not count yet can still be taken back.
    let gone = s.act(&s.lea, "withdrawTarget", &open, json!({ "reason": "Otto left." })).await;
    assert_eq!(gone.expect("withdrawn")["state"], "WITHDRAWN");
}
