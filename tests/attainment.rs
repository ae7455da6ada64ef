//! The distance to targets: of people and teams, at any moment, ranked and live.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::activities::log;
use crate::customers::{Cast, change, collect};
use crate::deals::{eur, open};
use crate::support::client::Answer;
use crate::support::{Client, PASSWORD, Person, TestApp, both};

both!(
    a_person_sees_what_is_missing_at_any_moment,
    a_won_deal_moves_the_distance_and_a_cancelled_one_moves_it_back,
    a_team_is_the_sum_of_its_people_on_each_day,
    everybody_sees_the_distances_in_their_reach,
    many_people_cost_as_many_statements_as_one,
    people_are_ranked_and_equals_share_a_rank,
    a_change_is_pushed_within_a_second,
    days_on_record_give_a_projection_with_a_spread,
    a_screen_of_the_day_costs_six_statements,
);

const Q: &str = "{ number money { amount currency } }";

/// Session, target with its terms, facts with the position of the feed, working time, and deals. A leader's look at
/// somebody else begins with whether they may.
const STATEMENTS_OF_A_PERSON: u32 = 7;
/// The same, and the stays in the team.
const STATEMENTS_OF_A_TEAM: u32 = 8;
/// Longest wait for a push.
const PUSH_MAX: Duration = Duration::from_secs(1);

async fn ask(by: &Client, owner: &str, as_of: Option<&str>) -> Answer {
    let query = format!(
        "query($owner: ID!, $asOf: DateTime) {{ attainment(ownerId: $owner, asOf: $asOf, \
         period: {{ kind: MONTH, start: \"2026-02-01\" }}) {{ asOf feedPosition frozen \
         lines {{ metric target {Q} actual {Q} distance {Q} ratio pace requiredPerWorkday {Q} \
         runRatePerWorkday {Q} projected {{ p10 {Q} p50 {Q} p90 {Q} basis }} }} }} }}"
    );
    by.gql(&query, json!({ "owner": owner, "asOf": as_of })).await
}

/// The line of a metric, with quantities as text.
async fn line(by: &Client, owner: &str, metric: &str, as_of: Option<&str>) -> Value {
    let answer = ask(by, owner, as_of).await;
    let lines = answer.ok()["attainment"]["lines"].as_array().expect("lines").clone();
    plain(&lines.into_iter().find(|line| line["metric"] == metric).expect("a line"))
}

fn plain(value: &Value) -> Value {
    match value["number"].as_str().or(value["money"]["amount"].as_str()) {
        Some(text) => json!(text),
        None => match value.as_object() {
            Some(fields) => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            None => value.clone(),
        },
    }
}

/// The cast on the eleventh of February: the eighth workday of twenty.
async fn february(t: &mut TestApp, cast: &mut Cast) {
    t.later(chrono::Duration::days(27)).await;
    let Cast { lea, nora, rita, otto, sid, sara, fin, .. } = cast;
    for person in [lea, nora, rita, otto, sid, sara, fin] {
        person.client = t.sign_in(&person.email, PASSWORD).await;
    }
}

/// A deal over 1000 EUR, won on a day of February.
async fn won(t: &TestApp, owner: &Person, day: u32) -> String {
    let customer = collect(&t.admin(), json!({ "name": "Buyer" })).await;
    let input = json!({ "customerId": customer, "ownerId": owner.id, "value": eur("1000"),
        "openedAt": "2026-01-01T00:00:00Z" });
    let deal = open(&t.admin(), input).await;
    let win = json!({ "wonAt": format!("2026-02-{day:02}T08:00:00Z") });
    change(t, &t.admin(), "winDeal", &deal, win, "deal { id }").await.ok();
    deal
}

async fn call(by: &Client, day: &str) {
    let at = format!("{day}T08:00:00Z");
    log(by, json!({ "kind": "CALL", "note": "n", "connected": true, "seconds": 60, "startedAt": at })).await;
}

/// A target of four deals for February: by the stated rates 20 prospects, 200 calls and 112 leads.
async fn propose(t: &TestApp, by: &Client, owner: &str) {
    let viewer = t.admin().query("{ viewer { user { id } } }").await;
    let input = json!({
        "ownerId": owner, "period": { "kind": "MONTH", "start": "2026-02-01" }, "goal": { "deals": 4 },
        "quality": "0.6",
        "assumedRates": { "dealsPerProspect": "0.2", "prospectsPerCall": "0.1", "callsPerUsableLead": "3" },
        "override": { "reason": "A new region.", "approverId": viewer["viewer"]["user"]["id"] },
    });
    by.mutate("proposeTarget", input, "target { id }").await.ok();
}

async fn a_person_sees_what_is_missing_at_any_moment(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    propose(&t, &cast.lea, &cast.rita.id).await;
    february(&mut t, &mut cast).await;
    for (day, date) in [(3, "2026-02-03"), (10, "2026-02-10")] {
        won(&t, &cast.rita, day).await;
        call(&cast.rita, date).await;
    }
    let projected = |p: &str| json!({ "p10": p, "p50": p, "p90": p, "basis": "FLAT" });
    assert_eq!(
        line(&cast.rita, &cast.rita.id, "DEALS_WON", None).await,
        json!({
            "metric": "DEALS_WON", "target": "4", "actual": "2", "distance": "2", "ratio": "0.500000",
            "pace": "1.250000", "requiredPerWorkday": "0.166667", "runRatePerWorkday": "0.250000",
            "projected": projected("5"),
        })
    );
    assert_eq!(
        line(&cast.lea, &cast.rita.id, "CALLS", Some("2026-02-03T12:00:00Z")).await,
        json!({
            "metric": "CALLS", "target": "200", "actual": "1", "distance": "199", "ratio": "0.005000",
            "pace": "0.050000", "requiredPerWorkday": "11.055556", "runRatePerWorkday": "0.500000",
            "projected": projected("10"),
        })
    );
    // Leave makes fewer days, and without a target there is nothing to compare with.
    let leave = json!({ "userId": cast.rita.id, "version": t.version(&cast.rita.id).await,
        "from": "2026-02-16", "to": "2026-02-19" });
    cast.lea.mutate("recordLeave", leave, "user { id }").await.ok();
    let now = line(&cast.rita, &cast.rita.id, "DEALS_WON", None).await;
    assert_eq!((&now["pace"], &now["requiredPerWorkday"]), (&json!("1.000000"), &json!("0.250000")));
    let nora = line(&cast.nora, &cast.nora.id, "DEALS_WON", None).await;
    assert_eq!(
        (&nora["actual"], &nora["target"], &nora["distance"]),
        (&json!("0"), &Value::Null, &Value::Null)
    );
}

async fn a_won_deal_moves_the_distance_and_a_cancelled_one_moves_it_back(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    propose(&t, &cast.lea, &cast.rita.id).await;
    february(&mut t, &mut cast).await;
    let distance =
        async |as_of| line(&cast.rita, &cast.rita.id, "DEALS_WON", as_of).await["distance"].clone();
    let (mut seen, mut deals) = (vec![distance(None).await], Vec::new());
    for day in 2..7 {
        deals.push(won(&t, &cast.rita, day).await);
        seen.push(distance(None).await);
    }
    let cancel = json!({ "reason": "Returned", "cancelledAt": "2026-02-10T08:00:00Z" });
    change(&t, &cast.lea, "cancelDeal", &deals[0], cancel, "deal { id }").await.ok();
    seen.push(distance(None).await);
    seen.push(distance(Some("2026-02-10T07:59:59Z")).await);
    assert_eq!(seen, ["4", "3", "2", "1", "0", "-1", "0", "-1"]);
}

async fn a_team_is_the_sum_of_its_people_on_each_day(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    let moved = json!({ "userId": cast.rita.id, "version": t.version(&cast.rita.id).await,
        "teamId": cast.south, "validFrom": "2026-02-05" });
    t.admin().mutate("moveMember", moved, "user { id }").await.ok();
    february(&mut t, &mut cast).await;
    for (person, days) in [(&cast.rita, [3, 5, 10]), (&cast.nora, [3, 4, 9]), (&cast.sid, [2, 6, 9])] {
        for day in days {
            won(&t, person, day).await;
        }
    }
    let admin = t.admin();
    for (day, teams) in
        [(2, [0, 0, 1]), (3, [2, 1, 1]), (4, [3, 1, 1]), (5, [3, 1, 2]), (9, [4, 1, 4]), (10, [4, 1, 5])]
    {
        let as_of = format!("2026-02-{day:02}T08:30:00Z");
        let count = async |owner: &str| -> i64 {
            let line = line(&admin, owner, "DEALS_WON", Some(&as_of)).await;
            line["actual"].as_str().expect("a number").parse().expect("a whole number")
        };
        let found = [count(&cast.north).await, count(&cast.coast).await, count(&cast.south).await];
        assert_eq!(found, teams, "{as_of}");
        let people = count(&cast.rita.id).await + count(&cast.nora.id).await + count(&cast.sid.id).await;
        assert_eq!(found[0] + found[2], people, "{as_of}");
    }
}

async fn everybody_sees_the_distances_in_their_reach(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    february(&mut t, &mut cast).await;
    let stranger = t.other_organization("Elsewhere").await;
    let (admin, cast) = (t.admin(), &cast);
    for (by, owner, code) in [
        (&cast.rita.client, &cast.rita.id, ""),
        (&cast.rita, &cast.coast, ""),
        (&cast.rita, &cast.nora.id, "NOT_FOUND"),
        (&cast.rita, &cast.north, "NOT_FOUND"),
        (&cast.sid, &cast.rita.id, "NOT_FOUND"),
        (&cast.lea, &cast.rita.id, ""),
        (&cast.lea, &cast.north, ""),
        (&cast.lea, &cast.sid.id, "NOT_FOUND"),
        (&cast.lea, &cast.south, "NOT_FOUND"),
        (&cast.fin, &cast.south, ""),
        (&cast.sara, &cast.sara.id, "FORBIDDEN"),
        (&stranger, &cast.rita.id, "NOT_FOUND"),
        (&stranger, &cast.north, "NOT_FOUND"),
    ] {
        assert_eq!(ask(by, owner, None).await.code(), code);
    }
    assert_eq!(ask(&admin, &cast.rita.id, Some("2026-02-12T00:00:00Z")).await.code(), "BAD_USER_INPUT");
    assert_eq!(ask(&admin, "x", None).await.code(), "BAD_USER_INPUT");
    assert_eq!(board(&cast.rita, &cast.south, "CALLS").await.code(), "NOT_FOUND");
    assert_eq!(board(&cast.sara, &cast.south, "CALLS").await.code(), "FORBIDDEN");
}

async fn board(by: &Client, team: &str, metric: &str) -> Answer {
    let query = format!(
        "query($team: ID!, $metric: Metric!) {{ leaderboard(teamId: $team, metric: $metric, \
         period: {{ kind: MONTH, start: \"2026-02-01\" }}) {{ rank user {{ name }} actual {Q} target {Q} ratio }} }}"
    );
    by.gql(&query, json!({ "team": team, "metric": metric })).await
}

/// Rank, name, actual, target and ratio of each row.
async fn rows(by: &Client, team: &str, metric: &str) -> Vec<Value> {
    let answer = board(by, team, metric).await;
    let rows = answer.ok()["leaderboard"].as_array().expect("rows").clone();
    let row = |row: &Value| {
        json!([row["rank"], row["user"]["name"], plain(&row["actual"]), plain(&row["target"]), row["ratio"]])
    };
    rows.iter().map(row).collect()
}

async fn many_people_cost_as_many_statements_as_one(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    february(&mut t, &mut cast).await;
    let cost = async |by: &Client| {
        // Which clients send registered documents only is looked up anew after some seconds.
        by.query("{ viewer { role } }").await;
        let mut costs = Vec::new();
        for owner in [&cast.rita.id, &cast.coast, &cast.north] {
            costs.push(ask(by, owner, None).await.statements);
        }
        for team in [&cast.coast, &cast.north] {
            costs.push(board(by, team, "CALLS").await.statements);
        }
        costs
    };
    let before = cost(&cast.lea).await;
    assert!(before[0] <= STATEMENTS_OF_A_PERSON && before[2] <= STATEMENTS_OF_A_TEAM, "{before:?}");
    assert_eq!((before[1], before[3]), (before[2], before[4]), "few people as many");
    for day in 2..11 {
        call(&cast.rita, &format!("2026-02-{day:02}")).await;
    }
    won(&t, &cast.rita, 3).await;
    assert_eq!(cost(&cast.lea).await, before, "much work as little");
}

async fn people_are_ranked_and_equals_share_a_rank(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    propose(&t, &cast.lea, &cast.rita.id).await;
    february(&mut t, &mut cast).await;
    for (person, day) in [(&cast.rita, 3), (&cast.rita, 4), (&cast.nora, 3), (&cast.nora, 4), (&cast.lea, 3)]
    {
        won(&t, person, day).await;
    }
    let [rita, nora] = [json!([1, "Rita", "2", "4", "0.500000"]), json!([1, "Nora", "2", null, null])];
    let mut all = rows(&cast.lea, &cast.north, "DEALS_WON").await;
    assert_eq!(all.pop(), Some(json!([3, "Lea", "1", null, null])));
    assert!(all.len() == 2 && all.contains(&rita) && all.contains(&nora), "{all:?}");
    // A colleague's figures are not shown, the own rank is.
    assert_eq!(rows(&cast.nora, &cast.north, "DEALS_WON").await, [nora]);
}

async fn a_change_is_pushed_within_a_second(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    propose(&t, &cast.lea, &cast.rita.id).await;
    february(&mut t, &mut cast).await;
    let watch = "subscription($owner: ID!) { attainmentChanged(ownerId: $owner, \
        period: { kind: MONTH, start: \"2026-02-01\" }) { lines { metric actual { number } } } }";
    let of = |event: Option<Value>, metric: &str| {
        let event = event.expect("an event");
        let lines = event["data"]["attainmentChanged"]["lines"].as_array().expect("lines").clone();
        lines.iter().find(|line| line["metric"] == metric).expect("a line")["actual"]["number"].clone()
    };
    let mut person = cast.lea.stream(watch, json!({ "owner": cast.rita.id })).await;
    assert_eq!(of(person.next().await, "DEALS_WON"), "0", "where it stands");
    // Somebody else's work moves nothing: the next push is that of the own deal.
    won(&t, &cast.sid, 3).await;
    won(&t, &cast.rita, 3).await;
    let committed = Instant::now();
    assert_eq!(of(person.next().await, "DEALS_WON"), "1");
    assert!(committed.elapsed() < PUSH_MAX, "{:?}", committed.elapsed());

    // Whoever may not see it any more hears so, and nothing else.
    let moved = json!({ "userId": cast.rita.id, "version": t.version(&cast.rita.id).await,
        "teamId": cast.south, "validFrom": "2026-02-11" });
    t.admin().mutate("moveMember", moved, "user { id }").await.ok();
    let refused = person.next().await.expect("an event");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "NOT_FOUND", "{refused}");
    assert_eq!(person.next().await, None);
}

async fn days_on_record_give_a_projection_with_a_spread(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    february(&mut t, &mut cast).await;
    for day in ["2026-01-05", "2026-01-06", "2026-01-08", "2026-01-14", "2026-01-22", "2026-01-29"] {
        call(&cast.rita, day).await;
    }
    let first = line(&cast.rita, &cast.rita.id, "CALLS", None).await["projected"].clone();
    assert_eq!(first["basis"], "RUN_RATE");
    let number = |name: &str| first[name].as_str().expect("text").parse::<i64>().expect("a number");
    assert!(number("p10") <= number("p50") && number("p50") <= number("p90") && number("p90") > 0, "{first}");
    assert_eq!(line(&cast.lea, &cast.rita.id, "CALLS", None).await["projected"], first, "the same for all");
}

/// What an app shows a person in the morning; in at most six statements, however much is on record.
async fn a_screen_of_the_day_costs_six_statements(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    propose(&t, &cast.lea, &cast.rita.id).await;
    february(&mut t, &mut cast).await;
    let query = format!(
        "query($me: [ID!]!) {{ targets(filter: {{ ownerUser: {{ in: $me }}, periodStart: {{ eq: \"2026-02-01\" }} }}) {{ \
         nodes {{ level state lines {{ metric perWorkday }} attainment {{ lines {{ metric actual {Q} distance {Q} pace \
         requiredPerWorkday {Q} projected {{ p10 {Q} p50 {Q} p90 {Q} basis }} }} }} }} }} }}"
    );
    let screen = async |by: &Client| {
        by.query("{ viewer { role } }").await;
        let answer = by.gql(&query, json!({ "me": [cast.rita.id] })).await;
        let nodes = answer.ok()["targets"]["nodes"].as_array().expect("nodes").clone();
        (nodes, answer.statements)
    };
    let (nodes, statements) = screen(&cast.rita).await;
    assert_eq!(nodes.len(), 1);
    assert!(statements <= 6, "{statements}");
    for day in 2..11 {
        call(&cast.rita, &format!("2026-02-{day:02}")).await;
    }
    won(&t, &cast.rita, 3).await;
    let (nodes, more) = screen(&cast.rita).await;
    assert_eq!(more, statements, "much work as little");
    let direct = ask(&cast.rita, &cast.rita.id, None).await;
    for (line, of_target) in direct.ok()["attainment"]["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .zip(nodes[0]["attainment"]["lines"].as_array().expect("lines"))
    {
        assert_eq!((&line["actual"], &line["projected"]), (&of_target["actual"], &of_target["projected"]));
    }
    assert!(direct.statements <= 6, "{}", direct.statements);
}
