//! The story of a month: a team of eight of the demo organisation gets a target, works, and is measured by it,
//! each step by whoever would take it; docs/a-month.md tells it with such answers.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde_json::{Value, json};

use crate::activities::log;
use crate::customers::{change, collect};
use crate::deals::{eur, open};
use crate::support::client::Outcome;
use crate::support::{TestApp, run_on_demo};

mod cast;
use cast::{
    ADDITIVE, ADMIN, DEPARTMENT, EIGHT, FIELDS, FINANCE, HENRIKE, JONAS, LENA, SERVICE, Story, TEAM, line,
    number, of, refused, text,
};

#[test]
fn a_month_of_a_team_of_eight() {
    run_on_demo(a_month);
}

/// What the eight are asked beyond the team, in percent.
const BUFFER_PERCENT: i64 = 20;
/// Weekly forecasts of the shortest month.
const FORECASTS_MIN: i64 = 3;
/// Deals that each of the eight wins, in order.
const WINS: [i64; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

async fn a_month(t: TestApp) {
    let mut story = Story::begin(t).await;
    form_the_team(&mut story).await;
    propose(&mut story).await;
    cascade(&mut story).await;
    agree(&story).await;
    support(&story).await;
    nothing_counts_yet(&story).await;
    activate(&mut story).await;
    work(&story).await;
    look(&story).await;
    deliver(&story).await;
    amend(&story).await;
    close(&mut story).await;
    begin_again(&mut story).await;
}

/// The administrator makes a team of eight with its lead, and the department that will owe something.
async fn form_the_team(story: &mut Story) {
    let (t, region) = (story.t.clone(), "{ teams(first: 50) { nodes { id name } } }");
    let teams = t.admin().query(region).await["teams"]["nodes"].as_array().expect("teams").clone();
    let region = teams.iter().find(|team| team["name"] == "Region North").expect("a region");
    let made = json!({ "name": TEAM, "parentId": region["id"] });
    refused(&story.person(HENRIKE).mutate("createTeam", made, "team { id }").await, "FORBIDDEN");
    story.team = t.team(TEAM, region["id"].as_str()).await;
    let department = t.team(DEPARTMENT, None).await;
    let members = EIGHT.map(|name| (name, &story.team, "MEMBER"));
    for (name, team, role) in
        members.into_iter().chain([(JONAS, &story.team, "LEAD"), (FINANCE, &department, "MEMBER")])
    {
        let input = json!({ "userId": story.id(name), "version": t.version(story.id(name)).await,
            "teamId": team, "role": role });
        t.admin().mutate("moveMember", input, "user { id }").await.ok();
    }
    let query = "query($team: ID!) { users(filter: { teamId: $team }) { totalCount } }";
    let found = t.admin().gql(query, json!({ "team": story.team })).await;
    assert_eq!(found.ok()["users"]["totalCount"], 9);
}

/// What the team is asked, from its own history: by whoever leads its lead, and by nobody else.
async fn propose(story: &mut Story) {
    let asked = |deals: i64| {
        json!({
            "ownerId": story.team, "period": story.period(), "goal": { "deals": deals },
            "support": {
                "actions": [{ "text": "Invite every harbour office to the fair.", "dueBy": story.day(2) }],
                "resources": [{ "kind": "ADVERTISING", "money": eur("2500.00"), "dueBy": story.day(3),
                    "department": DEPARTMENT }],
            },
        })
    };
    for (by, code) in [
        (LENA, "FORBIDDEN"),
        (FINANCE, "FORBIDDEN"),
        (SERVICE, "FORBIDDEN"),
        (JONAS, "SELF_APPROVAL,TARGET_NOT_ACHIEVABLE"),
        (ADMIN, "NOT_PERMITTED"),
        (HENRIKE, "TARGET_NOT_ACHIEVABLE"),
    ] {
        refused(&story.person(by).mutate("proposeTarget", asked(500), FIELDS).await, code);
    }
    // With a reason, and somebody who answers for it, anything can be put on the table, and taken back.
    let mut dream = asked(500);
    dream["override"] = story.because(ADMIN);
    let dream = story.person(HENRIKE).mutate("proposeTarget", dream, FIELDS).await.ok()["target"].clone();
    assert_eq!(dream["achievability"]["verdict"], "TOO_HARD");
    // Not from the edge of the range: another goal is judged by other draws.
    let goal = |name: &str| dream["achievability"][name].as_i64().expect("a goal that fits");
    let fits = i64::midpoint(goal("leastGoal"), goal("largestGoal"));
    let taken_back = json!({ "reason": "Nobody believes in it." });
    let withdrawn =
        story.act(HENRIKE, "withdrawTarget", dream["id"].as_str().expect("an id"), taken_back).await;
    assert_eq!(withdrawn.ok()["target"]["state"], "WITHDRAWN");

    let fields = format!("{FIELDS} more: target {{ derivation {{ prose reproduces historyMonths }} }}");
    let proposed = story.person(HENRIKE).mutate("proposeTarget", asked(fits), &fields).await;
    let target = &proposed.ok()["target"];
    assert_eq!((&target["state"], of(&target["lines"], "DEALS_WON")), (&json!("PROPOSED"), fits));
    assert_eq!(target["achievability"]["verdict"], "WITHIN");
    assert!(ADDITIVE.iter().all(|metric| of(&target["lines"], metric) > 0), "{target}");
    let derivation = &proposed.ok()["more"]["derivation"];
    assert_eq!(derivation["reproduces"], true);
    assert!(derivation["historyMonths"].as_i64() >= Some(6), "{derivation}");
    story.target = text(&target["id"]);
}

/// The lead splits the target over the eight, who are asked a little more together.
async fn cascade(story: &mut Story) {
    let lines = story.read(&story.target).await["lines"].clone();
    let share = |metric: &str| {
        let extra = of(&lines, metric) * BUFFER_PERCENT / 100;
        match metric {
            "REVENUE" => json!({ "metric": metric, "money": eur(&(extra / 100).to_string()) }),
            _ => json!({ "metric": metric, "quantity": extra }),
        }
    };
    let input = json!({ "buffer": ADDITIVE.map(share), "override": story.because(HENRIKE) });
    for (by, code) in [(LENA, "FORBIDDEN"), (FINANCE, "FORBIDDEN")] {
        refused(&story.act(by, "cascadeTarget", &story.target, input.clone()).await, code);
    }
    let fields = format!("{FIELDS} children {{ id state owner {{ ... on User {{ name }} }} }}");
    let split = change(&story.t, story.person(JONAS), "cascadeTarget", &story.target, input, &fields).await;
    let children = split.ok()["children"].as_array().expect("children");
    let part = |name: &str| {
        let child = children.iter().find(|child| child["owner"]["name"] == name);
        text(&child.unwrap_or_else(|| panic!("nothing is asked of {name}"))["id"])
    };
    assert_eq!(children.len(), EIGHT.len(), "the lead is not asked for a part");
    story.parts = EIGHT.map(part).into();
    story.check_law().await;
}

/// One of the eight answers with other numbers; then each side signs.
async fn agree(story: &Story) {
    let lenas = &story.parts[0];
    let asked = story.read(lenas).await;
    let deals = of(&asked["lines"], "DEALS_WON");
    let less = json!({ "goal": { "deals": (deals - 1).max(1) } });
    refused(&story.act(JONAS, "counterTarget", lenas, less.clone()).await, "INVALID_TRANSITION");
    refused(&story.act(FINANCE, "counterTarget", lenas, less.clone()).await, "FORBIDDEN");
    let answered = story.reasoned(LENA, "counterTarget", lenas, less, HENRIKE).await;
    assert_eq!((&answered["state"], &answered["onTheTable"]["number"]), (&json!("COUNTERED"), &json!(2)));
    // Both numbers are kept.
    assert_eq!(answered["earlierTerms"], json!([{ "number": 1, "lines": asked["lines"] }]));
    let stale = json!({ "hash": asked["onTheTable"]["hash"] });
    refused(&story.act(LENA, "agreeTarget", lenas, stale).await, "TERMS_CHANGED");
    refused(&story.sign(FINANCE, lenas).await, "FORBIDDEN");
    refused(&story.sign("Arne Wittkamp", lenas).await, "NOT_FOUND");

    for signer in [JONAS, HENRIKE] {
        story.sign(signer, &story.target).await.ok();
    }
    for (name, part) in EIGHT.iter().zip(&story.parts) {
        story.sign(name, part).await.ok();
        // A signature for the other side is not theirs to give.
        refused(&story.sign(name, part).await, "ALREADY_SIGNED");
        let mut signed = story.sign(JONAS, part).await.ok()["target"].clone();
        if signed["state"] != "AGREED" && signed["state"] != "COMMITTED" {
            assert_eq!(signed["onTheTable"]["override"]["approver"]["name"], HENRIKE, "{signed}");
            signed = story.sign(HENRIKE, part).await.ok()["target"].clone();
        }
        assert!(signed["state"] == "AGREED" || signed["state"] == "COMMITTED", "{signed}");
    }
}

/// The department signs for what it owes; only then does anything count.
async fn support(story: &Story) {
    let agreed = story.read(&story.target).await;
    assert_eq!(agreed["state"], "AGREED", "the department has not signed");
    let owed = json!({ "resourceId": agreed["supportPlan"]["resources"][0]["id"] });
    for (by, code) in
        [(LENA, "FORBIDDEN"), (SERVICE, "FORBIDDEN"), (HENRIKE, "NOT_PERMITTED"), (JONAS, "SELF_APPROVAL")]
    {
        refused(&story.act(by, "commitSupport", &story.target, owed.clone()).await, code);
    }
    refused(
        &story.act(FINANCE, "deliverSupport", &story.target, owed.clone()).await,
        "SUPPORT_NOT_COMMITTED",
    );
    let committed = story.act(FINANCE, "commitSupport", &story.target, owed.clone()).await;
    let resource = &committed.ok()["target"]["supportPlan"]["resources"][0];
    assert_eq!(
        (&resource["status"], &resource["committedBy"]["name"]),
        (&json!("COMMITTED"), &json!(FINANCE))
    );
    for target in story.parts.iter().chain([&story.target]) {
        assert_eq!(story.read(target).await["state"], "COMMITTED", "{target}");
    }
    story.check_law().await;
}

async fn nothing_counts_yet(story: &Story) {
    refused(&story.act(HENRIKE, "activateTarget", &story.target, json!({})).await, "TOO_EARLY");
    refused(&close_period(story, HENRIKE).await, "NOT_APPLICABLE");
}

async fn close_period(story: &Story, by: &str) -> Outcome {
    let input = json!({ "period": story.period() });
    story.person(by).mutate("closePeriod", input, "targets { id state } hasMore").await
}

/// On the first day of the month the targets begin to count.
async fn activate(story: &mut Story) {
    story.until(story.month).await;
    for (by, code) in [(LENA, "FORBIDDEN"), (FINANCE, "FORBIDDEN"), (JONAS, "SELF_APPROVAL")] {
        refused(&story.act(by, "activateTarget", &story.target, json!({})).await, code);
    }
    for (by, target) in story.parts.iter().map(|part| (JONAS, part)).chain([(HENRIKE, &story.target)]) {
        let active = story.act(by, "activateTarget", target, json!({})).await;
        assert_eq!(active.ok()["target"]["state"], "ACTIVE");
    }
    story.until(story.day(12)).await;
}

/// Each of the eight finds a customer, calls, and wins what [`WINS`] says, on two workdays.
async fn work(story: &Story) {
    let is_workday = |day: &NaiveDate| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let days: Vec<_> = (2..12).map(|day| story.day(day)).filter(is_workday).take(2).collect();
    let at = |day: usize, time: &str| format!("{}T{time}:00Z", days[day]);
    for (name, wins) in EIGHT.iter().zip(WINS) {
        let by = story.person(name);
        let found = json!({ "name": format!("Harbour office of {name}"), "collectedAt": at(0, "08:00") });
        let customer = collect(by, found).await;
        let call = json!({ "kind": "CALL", "connected": true, "seconds": 240, "customerId": customer,
            "startedAt": at(0, "09:00") });
        let call = log(by, call).await;
        for (stage, time, evidence) in
            [("QUALIFIED", "09:10", Value::Null), ("PROSPECT", "09:15", json!({ "activityId": call }))]
        {
            let step = json!({ "stage": stage, "occurredAt": at(0, time), "evidence": evidence });
            change(&story.t, by, "advanceCustomer", &customer, step, "customer { id }").await.ok();
        }
        for _ in 0..wins {
            let deal = json!({ "customerId": customer, "value": eur("1000"), "openedAt": at(0, "10:00") });
            let deal = open(by, deal).await;
            let win = json!({ "wonAt": at(1, "10:00") });
            change(&story.t, by, "winDeal", &deal, win, "deal { id }").await.ok();
        }
    }
}

/// Everybody sees how far it is, in their reach; and the team is the sum of its eight.
async fn look(story: &Story) {
    let team = story.attainment(HENRIKE, &story.team).await;
    assert_eq!(team["frozen"], false);
    let mut eight = Vec::new();
    for (name, wins) in EIGHT.iter().zip(WINS) {
        let own = story.attainment(name, story.id(name)).await;
        assert_eq!(number(&line(&own["lines"], "DEALS_WON")["actual"]), wins, "{name}");
        eight.push(own);
    }
    for (metric, done) in ADDITIVE.into_iter().zip([8, 8, 8, 7, 700_000]) {
        let of = |attained: &Value, what: &str| number(&line(&attained["lines"], metric)[what]);
        let sum: i64 = eight.iter().map(|own| of(own, "actual")).sum();
        assert_eq!((of(&team, "actual"), sum), (done, done), "{metric}");
        assert_eq!(of(&team, "distance"), of(&team, "target") - done, "{metric}");
        assert!(line(&team["lines"], metric)["projected"]["p50"].is_object(), "{team}");
    }
    let query = "query($owner: ID!, $period: PeriodInput!) { attainment(ownerId: $owner, period: $period) { frozen } }";
    let ask = async |by: &str, owner: &str| {
        let answer = story.person(by).gql(query, json!({ "owner": owner, "period": story.period() })).await;
        answer.code().to_owned()
    };
    assert_eq!(ask(LENA, story.id("Arne Wittkamp")).await, "NOT_FOUND");
    assert_eq!(ask(SERVICE, &story.team).await, "FORBIDDEN");
    assert_eq!(ask(FINANCE, story.id(LENA)).await, "");

    let query = "query($team: ID!, $period: PeriodInput!) { leaderboard(teamId: $team, period: $period, \
        metric: DEALS_WON) { rank user { name } actual { number } } }";
    let variables = json!({ "team": story.team, "period": story.period() });
    let board = story.person(JONAS).gql(query, variables.clone()).await;
    let rows = board.ok()["leaderboard"].as_array().expect("rows").clone();
    let ranks: Vec<_> = rows.iter().map(|row| row["rank"].as_i64().expect("a rank")).collect();
    assert_eq!(ranks, [1, 1, 3, 3, 3, 6, 6, 6, 6], "the lead stands there, too");
    assert_eq!(rows.iter().map(|row| number(&row["actual"])).sum::<i64>(), WINS.iter().sum::<i64>());
    let own = story.person(LENA).gql(query, variables).await;
    assert_eq!(
        own.ok()["leaderboard"].as_array().map(Vec::len),
        Some(1),
        "a colleague's figures are not shown"
    );
}

/// What was promised for the third comes on the twelfth, and everybody sees that.
async fn deliver(story: &Story) {
    let resource = story.read(&story.target).await["supportPlan"]["resources"][0].clone();
    assert_eq!((&resource["status"], &resource["latenessDays"]), (&json!("MISSED"), &json!(9)));
    let delivered =
        story.act(FINANCE, "deliverSupport", &story.target, json!({ "resourceId": resource["id"] })).await;
    let resource = &delivered.ok()["target"]["supportPlan"]["resources"][0];
    assert_eq!((&resource["status"], &resource["latenessDays"]), (&json!("DELIVERED_LATE"), &json!(9)));
}

/// One more deal is asked of Lena, from the fifteenth on.
async fn amend(story: &Story) {
    let lenas = &story.parts[0];
    let before = story.read(lenas).await;
    let deals = of(&before["lines"], "DEALS_WON");
    let more = |day: u64| json!({ "effectiveFrom": story.day(day), "goal": { "deals": deals + 1 } });
    refused(&story.act(LENA, "amendTarget", lenas, more(15)).await, "FORBIDDEN");
    refused(&story.act(FINANCE, "amendTarget", lenas, more(15)).await, "FORBIDDEN");
    let mut past = more(11);
    past["override"] = story.because(HENRIKE);
    let refusal = story.act(JONAS, "amendTarget", lenas, past).await;
    assert!(refusal.code().contains("TOO_EARLY"), "{}", refusal.answer.text);
    let buffer = of(&story.read(&story.target).await["buffer"], "DEALS_WON");
    let open = story.reasoned(JONAS, "amendTarget", lenas, more(15), HENRIKE).await;
    assert_eq!(of(&open["lines"], "DEALS_WON"), deals, "the old terms stand until the new ones are agreed");
    for signer in [LENA, HENRIKE] {
        story.sign(signer, lenas).await.ok();
    }
    let after = story.read(lenas).await;
    assert_eq!((&after["state"], of(&after["lines"], "DEALS_WON")), (&json!("ACTIVE"), deals + 1));
    assert_eq!(of(&story.read(&story.target).await["buffer"], "DEALS_WON"), buffer + 1);
    story.check_law().await;
}

/// After the month its days are closed and its results frozen, by whoever did not have to reach them.
async fn close(story: &mut Story) {
    refused(&close_period(story, HENRIKE).await, "TOO_EARLY,DAY_NOT_CLOSED");
    let next = story.month + Months::new(1);
    story.until(next + Days::new(1)).await;
    for (by, code) in [(LENA, "FORBIDDEN"), (FINANCE, "DAY_NOT_CLOSED"), (HENRIKE, "DAY_NOT_CLOSED")] {
        refused(&close_period(story, by).await, code);
    }
    let last = next.pred_opt().expect("a day");
    let through = json!({ "through": last });
    refused(&story.person(HENRIKE).mutate("closeDays", through.clone(), "closedThrough").await, "FORBIDDEN");
    // The whole history of the demo is closed with it, a month at a time.
    let closed = async || {
        let closed = story.person(FINANCE).mutate("closeDays", through.clone(), "closedThrough").await;
        text(&closed.ok()["closedThrough"])
    };
    while closed().await != last.to_string() {}

    let query = "query($period: PeriodInput!) { reconciliation(period: $period) { balanced } }";
    let proof = story.person(FINANCE).gql(query, json!({ "period": story.period() })).await;
    assert_eq!(proof.ok()["reconciliation"]["balanced"], true);
    let frozen = async |by: &str| close_period(story, by).await.ok()["targets"].as_array().map(Vec::len);
    assert_eq!(frozen(JONAS).await, Some(EIGHT.len()), "those of his team");
    refused(&close_period(story, JONAS).await, "SELF_APPROVAL");
    assert_eq!(frozen(HENRIKE).await, Some(1), "that of the team");
    let result = story.attainment(HENRIKE, &story.team).await;
    assert_eq!(
        (&result["frozen"], number(&line(&result["lines"], "DEALS_WON")["actual"])),
        (&json!(true), 7)
    );
    // The team is new, so only its people have days from which a range could be drawn.
    let lenas = story.attainment(LENA, story.id(LENA)).await;
    let forecasts = lenas["forecasts"].as_array().expect("forecasts");
    let weekly = |score: &Value| score["forecasts"].as_i64() >= Some(FORECASTS_MIN);
    assert!(!forecasts.is_empty() && forecasts.iter().all(weekly), "{lenas}");

    // What is entered late moves no result, and the company's figures still add up.
    let by = story.person(LENA);
    let late = format!("{last}T10:00:00Z");
    log(by, json!({ "kind": "CALL", "connected": true, "note": "The fair.", "startedAt": late })).await;
    let deal = json!({ "customerId": collect(by, json!({ "name": "Late harbour" })).await, "value": eur("900"),
        "openedAt": late });
    change(&story.t, by, "winDeal", &open(by, deal).await, json!({ "wonAt": late }), "deal { id }")
        .await
        .ok();
    assert_eq!(story.attainment(HENRIKE, &story.team).await, result);
    let proof = story.person(FINANCE).gql(query, json!({ "period": story.period() })).await;
    assert_eq!(proof.ok()["reconciliation"]["balanced"], true);
    refused(
        &story.act(HENRIKE, "withdrawTarget", &story.target, json!({ "reason": "Late." })).await,
        "INVALID_TRANSITION",
    );
}

/// The next proposal rests on what came of this one.
async fn begin_again(story: &mut Story) {
    let asked = of(&story.read(&story.target).await["lines"], "DEALS_WON");
    let input = json!({
        "ownerId": story.team, "goal": { "deals": asked }, "override": story.because(ADMIN),
        "period": { "kind": "MONTH", "start": story.month + Months::new(1) },
    });
    let fields = "target { derivation { cites { firstOn asked reached } prose } }";
    let mut proposed = story.person(HENRIKE).mutate("proposeTarget", input.clone(), fields).await;
    if proposed.code() == "NOT_APPLICABLE" {
        let mut usual = input;
        usual["override"] = Value::Null;
        proposed = story.person(HENRIKE).mutate("proposeTarget", usual, fields).await;
    }
    let derivation = &proposed.ok()["target"]["derivation"];
    let cited = json!([{ "firstOn": story.month, "asked": asked, "reached": 7 }]);
    assert_eq!(derivation["cites"], cited);
    let cited = format!("was {asked} deals; 7 were reached");
    assert!(derivation["prose"].to_string().contains(&cited), "{derivation}");
}
