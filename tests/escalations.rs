//! Escalations: rungs are raised as their time comes, taken charge of, and follow what changes around them.

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::{office, policy, record};
use crate::customers::{change, collect, node, values};
use crate::support::{Client, PASSWORD, Person, TestApp, both};

both!(
    a_clock_that_nobody_minds_goes_up_the_ladder,
    somebody_takes_charge_and_only_who_is_named_or_stands_above,
    an_owner_who_leaves_or_goes_on_leave_leaves_nobody_alone,
    running_clocks_follow_a_policy_and_a_calendar_that_change,
    a_ladder_is_given_with_its_policy_or_refused,
    workers_side_by_side_raise_each_rung_once,
);

const ESCALATIONS: &str = "... on Complaint { version escalations { id cause occurrence rung role arisesAt raisedAt \
    notifyAt acceptBy acceptedBy { name } acceptedAt } }";

async fn escalations(by: &Client, id: &str) -> Value {
    node(by, id, ESCALATIONS).await["escalations"].clone()
}

/// `CAUSE occurrence.rung ROLE arises raised`, with day and time of January 2026 as `15T10:30`.
async fn rungs(by: &Client, id: &str) -> Vec<String> {
    let text = |rung: &Value| {
        let at = |field: &str| rung[field].as_str().expect("an instant")[8..16].to_owned();
        let word = |field: &str| rung[field].as_str().expect("a word").to_owned();
        let key = format!("{} {}.{} {}", word("cause"), rung["occurrence"], rung["rung"], word("role"));
        format!("{key} {} {}", at("arisesAt"), at("raisedAt"))
    };
    escalations(by, id).await.as_array().expect("rungs").iter().map(text).collect()
}

async fn later(t: &mut TestApp, minutes: i64, person: &mut Person) {
    t.later(Duration::minutes(minutes)).await;
    person.client = t.sign_in(&person.email, PASSWORD).await;
    t.run_jobs().await;
}

/// An office, a policy of two hours to acknowledge and much time for the rest, and a complaint that Sara owns.
async fn desk(t: &TestApp) -> (Person, String) {
    office(t).await;
    policy(t, "All", [120, 9_600, 9_600, 9_600], json!({})).await;
    let team = t.team("Service", None).await;
    let sara = t.user_in("SERVICE_AGENT", "Sara", &team, "MEMBER").await;
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let id = record(&sara, &customer, json!({})).await;
    t.run_jobs().await;
    (sara, id)
}

async fn a_clock_that_nobody_minds_goes_up_the_ladder(mut t: TestApp) {
    let (mut sara, id) = desk(&t).await;
    assert!(rungs(&sara, &id).await.is_empty(), "nothing is due yet");
    later(&mut t, 60, &mut sara).await;
    assert_eq!(rungs(&sara, &id).await, ["ACK 1.1 OWNER 15T10:00 15T10:00"]);
    t.run_jobs().await;
    assert_eq!(rungs(&sara, &id).await.len(), 1, "each rung is raised once");
    // The worker was away for an hour and a half: it raises late what it missed.
    later(&mut t, 90, &mut sara).await;
    let climbed = [
        "ACK 1.1 OWNER 15T10:00 15T10:00",
        "ACK 1.2 OWNER_LEAD 15T10:30 15T11:30",
        "ACK 1.3 MANAGERS 15T11:00 15T11:30",
    ];
    assert_eq!(rungs(&sara, &id).await, climbed);
    later(&mut t, 30, &mut sara).await;
    assert_eq!(rungs(&sara, &id).await[3..], ["ACK 1.4 ADMINS 15T12:00 15T12:00"]);
    let looks = "SELECT COUNT(*) FROM complaints WHERE look_at IS NOT NULL";
    assert_eq!(t.sql().await.number(looks).await, 1, "other clocks have rungs to come");
    // Told at night, those who are named are named for the morning.
    let night = t.user("SERVICE_AGENT", "Nils").await;
    later(&mut t, 10 * 60, &mut sara).await;
    let customer = collect(&t.admin(), json!({ "name": "Nightly" })).await;
    let sleeping = t.sign_in(&night.email, PASSWORD).await;
    let asleep = record(&sleeping, &customer, json!({})).await;
    let awake = record(&sleeping, &customer, json!({ "isSafetyRisk": true })).await;
    t.run_jobs().await;
    let user = t.version(&night.id).await;
    let leave = json!({ "userId": night.id, "version": user, "from": "2026-01-15", "to": "2026-01-15" });
    t.admin().mutate("recordLeave", leave, "user { id }").await.ok();
    t.run_jobs().await;
    for (id, notified, accept_by) in [(asleep, "16T09:00", "16T11:00"), (awake, "15T22:00", "16T00:00")] {
        let raised = escalations(&t.admin(), &id).await[0].clone();
        let at = |field: &str| raised[field].as_str().expect("an instant")[8..16].to_owned();
        assert_eq!((raised["cause"].as_str(), raised["rung"].as_i64()), (Some("OWNER_AWAY"), Some(2)));
        assert_eq!((at("notifyAt"), at("acceptBy")), (notified.to_owned(), accept_by.to_owned()));
    }
    t.settle().await;
    let timeline = "... on Complaint { timeline(first: 100) { nodes { type actor { name } } } }";
    let timeline = node(&t.admin(), &id, timeline).await["timeline"]["nodes"].clone();
    let kinds = ["recorded", "clock_warned", "clock_warned", "clock_breached", "clock_breached"];
    assert_eq!(values(&timeline, "type"), kinds.map(|kind| format!("complaint.{kind}")));
    assert_eq!(timeline[1]["actor"], Value::Null, "the system raised it");
}

async fn take(t: &TestApp, by: &Client, id: &str, escalation: &Value) -> Result<Value, Vec<String>> {
    let input = json!({ "escalationId": escalation });
    let taken = change(t, by, "acceptEscalation", id, input, "complaint { level: reopenCount }").await;
    let problems = taken.problems();
    if problems.is_empty() { Ok(taken.ok()["complaint"].clone()) } else { Err(problems) }
}

async fn somebody_takes_charge_and_only_who_is_named_or_stands_above(mut t: TestApp) {
    let (mut sara, id) = desk(&t).await;
    let other = t.user("SERVICE_AGENT", "Olga").await;
    later(&mut t, 60, &mut sara).await;
    let first = escalations(&sara, &id).await[0]["id"].clone();
    let olga = t.sign_in(&other.email, PASSWORD).await;
    assert_eq!(take(&t, &olga, &id, &first).await, Err(vec!["input.escalationId: NOT_PERMITTED".into()]));
    let wrong = json!(id);
    assert_eq!(take(&t, &sara, &id, &wrong).await, Err(vec!["input.escalationId: INVALID_ID".into()]));
    take(&t, &sara, &id, &first).await.expect("the owner takes charge");
    let twice = take(&t, &t.admin(), &id, &first).await;
    assert_eq!(twice, Err(vec!["input.escalationId: INVALID_TRANSITION".into()]));
    let seen = escalations(&sara, &id).await[0].clone();
    assert_eq!(
        (&seen["acceptedBy"]["name"], &seen["acceptedAt"]),
        (&json!("Sara"), &json!("2026-01-15T10:00:00.000000Z"))
    );
    // Acknowledged in time, the clock raises nothing more; and nobody waits for somebody to take charge.
    change(&t, &sara, "acknowledgeComplaint", &id, json!({}), "complaint { id }").await.ok();
    later(&mut t, 4 * 60, &mut sara).await;
    assert_eq!(rungs(&sara, &id).await.len(), 1);
    // On the rung that names the administrators a manager is not enough; a colleague of another team sees nothing.
    let away = t.version(&sara.id).await;
    let leave = json!({ "userId": sara.id, "version": away, "from": "2026-01-15", "to": "2026-01-16" });
    t.admin().mutate("recordLeave", leave, "user { id }").await.ok();
    later(&mut t, 60, &mut sara).await;
    later(&mut t, 2 * 60 + 18 * 60, &mut sara).await;
    later(&mut t, 2 * 60, &mut sara).await;
    let climbed = rungs(&sara, &id).await;
    assert_eq!(climbed[1], "OWNER_AWAY 1.2 OWNER_LEAD 14T23:00 15T15:00");
    assert_eq!(climbed.last().map(|last| &last[..22]), Some("OWNER_AWAY 1.4 ADMINS "));
    let boss = t.user("MANAGER", "Mara").await;
    let boss = t.sign_in(&boss.email, PASSWORD).await;
    let last = escalations(&sara, &id).await.as_array().expect("rungs").last().expect("one")["id"].clone();
    let stranger = boss.mutate(
        "acceptEscalation",
        json!({ "id": id, "version": 1, "escalationId": last }),
        "complaint { id }",
    );
    assert_eq!(stranger.await.problems(), ["input.id: NOT_FOUND"]);
    take(&t, &t.admin(), &id, &last).await.expect("an administrator takes charge");
}

async fn an_owner_who_leaves_or_goes_on_leave_leaves_nobody_alone(mut t: TestApp) {
    let (mut sara, id) = desk(&t).await;
    let admin_of = |t: &TestApp| t.admin();
    change(&t, &sara, "acknowledgeComplaint", &id, json!({}), "complaint { id }").await.ok();
    // Leave that lies ahead is raised when it begins.
    let version = t.version(&sara.id).await;
    let leave = json!({ "userId": sara.id, "version": version, "from": "2026-01-19", "to": "2026-01-19" });
    admin_of(&t).mutate("recordLeave", leave, "user { id }").await.ok();
    t.run_jobs().await;
    assert!(rungs(&sara, &id).await.is_empty());
    later(&mut t, 4 * 24 * 60, &mut sara).await;
    let away = "OWNER_AWAY 1.2 OWNER_LEAD 18T23:00 19T09:00";
    assert_eq!(rungs(&sara, &id).await, [away], "midnight of the organisation in Berlin");
    // Somebody else takes over; then they leave for good.
    let tom = t.user("SERVICE_AGENT", "Tom").await;
    change(&t, &admin_of(&t), "assignComplaint", &id, json!({ "ownerId": tom.id }), "complaint { id }")
        .await
        .ok();
    later(&mut t, 2 * 60, &mut sara).await;
    assert_eq!(rungs(&sara, &id).await.len(), 1, "nobody is away any more");
    let version = t.version(&tom.id).await;
    let gone = json!({ "id": tom.id, "version": version, "status": "DEACTIVATED" });
    admin_of(&t).mutate("updateUser", gone, "user { id }").await.ok();
    t.run_jobs().await;
    assert_eq!(rungs(&sara, &id).await[1..], ["NO_OWNER 1.2 OWNER_LEAD 19T11:00 19T11:00"]);
    // Another change of the same person is no other absence.
    let version = t.version(&tom.id).await;
    t.clock.advance(Duration::minutes(5));
    let renamed = json!({ "id": tom.id, "version": version, "name": "Thomas" });
    admin_of(&t).mutate("updateUser", renamed, "user { id }").await.ok();
    t.run_jobs().await;
    assert_eq!(rungs(&sara, &id).await.len(), 2);
}

async fn running_clocks_follow_a_policy_and_a_calendar_that_change(mut t: TestApp) {
    office(&t).await;
    let policy_id = policy(&t, "All", [120, 240, 480, 960], json!({})).await;
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let id = record(&t.admin(), &customer, json!({})).await;
    t.run_jobs().await;
    let fields = "... on Complaint { version clocks { kind dueAt breachedAt policyVersion revisions { from to reason } } }";
    let update = json!({ "id": policy_id, "version": 1, "minutes": { "ackMinutes": 60, "firstResponseMinutes": 240,
        "updateMinutes": 480, "resolutionMinutes": 1920 } });
    t.later(Duration::minutes(90)).await;
    let updated = t
        .admin()
        .mutate("updateSlaPolicy", update, "slaPolicy { version ackMinutes ladder { percent } }")
        .await;
    assert_eq!(updated.ok()["slaPolicy"]["ackMinutes"], 60);
    t.run_jobs().await;
    let seen = node(&t.admin(), &id, fields).await;
    let ack = &seen["clocks"][0];
    assert_eq!(ack["dueAt"], "2026-01-15T10:00:00.000000Z");
    assert_eq!(ack["policyVersion"], 2);
    let moved = json!([{ "from": "2026-01-15T11:00:00.000000Z", "to": "2026-01-15T10:00:00.000000Z", "reason": "POLICY_CHANGED" }]);
    assert_eq!(ack["revisions"], moved, "the old deadline is kept");
    assert_eq!(seen["clocks"][1]["revisions"], json!([]), "a deadline that does not move has no revision");
    assert_eq!(seen["clocks"][3]["dueAt"], "2026-01-20T17:00:00.000000Z");
    let raised: Vec<_> = rungs(&t.admin(), &id).await.iter().map(|rung| rung[..7].to_owned()).collect();
    assert_eq!(
        raised,
        ["ACK 1.1", "ACK 1.2", "ACK 1.3", "ACK 1.4"],
        "its whole time has passed by the new policy"
    );
    // A holiday is declared.
    let calendars =
        t.admin().query("{ workCalendars { nodes { id version } } }").await["workCalendars"]["nodes"][0]
            .clone();
    let holiday = json!({ "id": calendars["id"], "version": calendars["version"],
        "exceptions": [{ "date": "2026-01-19", "open": [] }] });
    t.admin().mutate("updateWorkCalendar", holiday, "workCalendar { id }").await.ok();
    t.run_jobs().await;
    let seen = node(&t.admin(), &id, fields).await;
    assert_eq!(seen["clocks"][3]["dueAt"], "2026-01-21T17:00:00.000000Z");
    assert_eq!(values(&seen["clocks"][3]["revisions"], "reason"), ["POLICY_CHANGED", "CALENDAR_CHANGED"]);
    let version = seen["version"].clone();
    t.run_jobs().await;
    assert_eq!(node(&t.admin(), &id, fields).await["version"], version, "nothing moves by itself");
    for (input, problem) in [
        (json!({ "id": policy_id, "version": 1, "name": "Other" }), ": CONFLICT"),
        (json!({ "id": policy_id, "version": 2, "ladder": [] }), "input.ladder: REQUIRED"),
        (json!({ "id": policy_id, "version": 2, "calendarId": policy_id }), "input.calendarId: INVALID_ID"),
    ] {
        let refused = t.admin().mutate("updateSlaPolicy", input, "slaPolicy { id }").await;
        assert_eq!(refused.problems(), [problem]);
    }
    let agent = t.user("SERVICE_AGENT", "Sara").await;
    let input = json!({ "id": policy_id, "version": 2, "name": "Mine" });
    let refused = agent.gql(
        "mutation($input: UpdateSlaPolicyInput!) { updateSlaPolicy(input: $input) { slaPolicy { id } } }",
        json!({ "input": input }),
    );
    assert_eq!(refused.await.code(), "FORBIDDEN");
}

async fn a_ladder_is_given_with_its_policy_or_refused(mut t: TestApp) {
    office(&t).await;
    let minutes = json!({ "name": "All", "ackMinutes": 100, "firstResponseMinutes": 9600, "updateMinutes": 9600, "resolutionMinutes": 9600 });
    let with = |ladder: Value| {
        let mut input = minutes.clone();
        input["ladder"] = ladder;
        input
    };
    let rung = |percent: i32, minutes: i32| json!({ "percent": percent, "role": "SERVICE_AGENTS", "acceptMinutes": minutes });
    let create = async |input| {
        t.admin()
            .mutate("createSlaPolicy", input, "slaPolicy { ladder { percent role acceptMinutes } }")
            .await
    };
    for (ladder, problem) in [
        (json!([]), "input.ladder: REQUIRED"),
        (json!([rung(50, 0)]), "input.ladder.0.acceptMinutes: OUT_OF_RANGE"),
        (json!([rung(50, 1), rung(50, 1)]), "input.ladder.1.percent: OUT_OF_RANGE"),
        (json!((1..=11).map(|percent| rung(percent, 1)).collect::<Vec<_>>()), "input.ladder: TOO_MANY"),
    ] {
        assert_eq!(create(with(ladder)).await.problems(), [problem]);
    }
    let one = json!([rung(10, 30)]);
    assert_eq!(create(with(one.clone())).await.ok()["slaPolicy"]["ladder"], one);
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let id = record(&t.admin(), &customer, json!({})).await;
    t.later(Duration::minutes(200)).await;
    t.run_jobs().await;
    assert_eq!(
        rungs(&t.admin(), &id).await,
        ["ACK 1.1 SERVICE_AGENTS 15T09:10 15T12:20"],
        "a ladder of one rung ends there"
    );
}

/// Complaints that fall due at once, for workers that race for them.
const SIDE_BY_SIDE: usize = 20;

async fn workers_side_by_side_raise_each_rung_once(t: TestApp) {
    let (sara, _) = desk(&t).await;
    let customer = collect(&t.admin(), json!({ "name": "Main" })).await;
    for _ in 1..SIDE_BY_SIDE {
        record(&sara, &customer, json!({})).await;
    }
    t.run_jobs().await;
    t.clock.advance(Duration::minutes(150));
    let workers = (0..3).map(|_| {
        let app = t.app.clone();
        tokio::spawn(async move {
            // A round in which the others were quicker looks at nothing; what is left is looked at in another.
            for _ in 0..10 {
                app.look_at_due_complaints().await.expect("looked");
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("a worker");
    }
    t.run_jobs().await;
    let (sql, count) = (t.sql().await, i64::try_from(SIDE_BY_SIDE).expect("few"));
    let rungs =
        "SELECT COUNT(*) FROM events WHERE kind IN ('complaint.clock_warned', 'complaint.clock_breached')";
    assert_eq!(sql.number(rungs).await, 3 * count);
    assert_eq!(sql.number("SELECT COUNT(*) FROM complaints WHERE level = 3").await, count);
}
