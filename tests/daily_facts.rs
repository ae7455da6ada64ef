//! What people did on each day: folded live, frozen by a close, and checked.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use chrono::Duration;
use evenhand_app::Command;
use evenhand_app::activities::LogActivity;
use evenhand_domain::access::Permission;
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::daily_facts::CLOSE_MARGIN_SECONDS;
use evenhand_domain::error::Result;
use evenhand_domain::time::Timestamp;
use evenhand_persistence::{IdSource, Store, StoreOptions, Tx};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::activities::log;
use crate::customers::{Cast, change, collect};
use crate::deals::{eur, open};
use crate::support::client::Answer;
use crate::support::program::evenhand;
use crate::support::{Backend, Client, PASSWORD, Person, TestApp, assemble, both, run};

both!(
    work_is_counted_for_who_did_it_on_its_local_day,
    a_deal_counts_for_its_owner_and_its_credits,
    what_comes_after_the_close_stands_beside_it,
    what_was_frozen_is_checked,
    days_are_closed_in_order_and_in_bounded_steps,
    days_close_by_themselves_two_days_after_they_ended,
    two_workers_close_each_day_once,
    everybody_sees_the_days_in_their_reach,
    many_days_cost_as_many_statements_as_one,
    implausible_work_is_flagged_and_counted_all_the_same,
);

#[test]
fn an_entry_that_is_under_way_while_its_day_is_closed_is_late() {
    // SQLite has one writer: there the close waits for the entry.
    run(Backend::Postgres, an_entry_under_way_is_late);
}

const FIGURES: &str =
    "leads qualified calls connectedCalls talkSeconds prospects deals revenue { amount currency }";

/// Session, people in reach, closes, frozen figures, and facts.
const STATEMENTS: u32 = 5;
/// How soon a worker that looks must have closed a day.
const CLOSED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

async fn ask(by: &Client, user: &str, from: &str, to: &str, fields: &str) -> Answer {
    let query = format!(
        "query($user: ID!, $from: Date!, $to: Date!) {{ dailyFacts(userId: $user, from: $from, to: $to) {{ {fields} }} }}"
    );
    by.gql(&query, json!({ "user": user, "from": from, "to": to })).await
}

/// The days of a person in January 2026, each with its figures that are not zero.
async fn days(by: &Client, user: &str, from: u32, to: u32) -> Vec<Value> {
    let date = |day: u32| format!("2026-01-{day:02}");
    let fields = format!("date closed {FIGURES} late {{ {FIGURES} }}");
    let answer = ask(by, user, &date(from), &date(to), &fields).await;
    let days = answer.ok()["dailyFacts"].as_array().expect("days").clone();
    assert_eq!(days.len(), (to - from + 1) as usize);
    for (day, number) in days.iter().zip(from..) {
        assert_eq!(day["date"], date(number));
    }
    days.iter().map(told).collect()
}

/// Without the date, and without what is zero, empty, false or null.
fn told(of: &Value) -> Value {
    let nothing = [json!(0), json!([]), json!(false), Value::Null];
    let fields = of.as_object().expect("an object").iter();
    let fields = fields.filter(|(name, value)| *name != "date" && !nothing.contains(value));
    fields
        .map(|(name, value)| (name.clone(), if name == "late" { told(value) } else { value.clone() }))
        .collect()
}

async fn call(by: &Client, at: &str, seconds: u32) {
    log(
        by,
        json!({ "kind": "CALL", "note": "n", "connected": seconds > 0, "seconds": seconds, "startedAt": at }),
    )
    .await;
}

/// Lets a little time pass, so that all entries are in time, and closes days.
async fn close(t: &TestApp, by: &Client, through: &str) -> String {
    t.clock.advance(Duration::seconds(CLOSE_MARGIN_SECONDS));
    let closed = by.mutate("closeDays", json!({ "through": through }), "closedThrough").await;
    t.clock.advance(Duration::seconds(10));
    closed.ok()["closedThrough"].as_str().expect("a date").to_owned()
}

/// A deal of Rita's over 1000 EUR, won in the morning of the 14th, of which 70 % are hers and 30 % are Nora's.
async fn won_deal(t: &TestApp, cast: &Cast) -> String {
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let input = json!({ "customerId": customer, "value": eur("1000"), "openedAt": "2026-01-10T09:00:00Z" });
    let deal = open(&cast.rita, input).await;
    let credit =
        |person: &Person, kind: &str, bp: i32| json!({ "userId": person.id, "kind": kind, "shareBp": bp });
    let credits = [
        credit(&cast.rita, "DIRECT", 7_000),
        credit(&cast.nora, "DIRECT", 3_000),
        credit(&cast.lea, "OVERLAY", 2_000),
    ];
    let win = json!({ "wonAt": "2026-01-14T09:00:00Z", "credits": credits });
    change(t, &cast.rita, "winDeal", &deal, win, "deal { id }").await.ok();
    deal
}

async fn work_is_counted_for_who_did_it_on_its_local_day(t: TestApp) {
    let cast = Cast::new(&t).await;
    let rita = &cast.rita;
    // In Berlin these are half past midnight and one minute to midnight of the 14th.
    call(rita, "2026-01-13T23:30:00Z", 90).await;
    call(rita, "2026-01-14T22:59:00Z", 0).await;
    log(rita, json!({ "kind": "VISIT", "note": "n", "seconds": 600, "startedAt": "2026-01-14T12:00:00Z" }))
        .await;
    log(
        &cast.lea,
        json!({ "kind": "CALL", "note": "n", "connected": true, "seconds": 5, "userId": rita.id,
        "startedAt": "2026-01-15T08:00:00Z" }),
    )
    .await;
    let customer = collect(rita, json!({ "name": "Rhein", "collectedAt": "2026-01-13T10:00:00Z" })).await;
    // Whoever tells of a step, it is the work of whose customer it is.
    for step in [
        json!({ "stage": "QUALIFIED", "occurredAt": "2026-01-14T09:00:00Z" }),
        json!({ "stage": "PROSPECT", "occurredAt": "2026-01-14T10:00:00Z", "evidence": { "document": "Letter" } }),
    ] {
        change(&t, &cast.lea, "advanceCustomer", &customer, step, "customer { id }").await.ok();
    }
    let hand_over = json!({ "ownerId": cast.nora.id });
    change(&t, &cast.lea, "assignCustomer", &customer, hand_over, "customer { id }").await.ok();
    let lost = json!({ "stage": "LOST", "reason": "No budget", "occurredAt": "2026-01-15T08:00:00Z" });
    change(&t, &cast.nora, "advanceCustomer", &customer, lost, "customer { id }").await.ok();
    let fourteenth =
        json!({ "qualified": 1, "prospects": 1, "calls": 2, "connectedCalls": 1, "talkSeconds": 90 });
    let fifteenth = json!({ "calls": 1, "connectedCalls": 1, "talkSeconds": 5 });
    assert_eq!(days(rita, &rita.id, 12, 15).await, [json!({}), json!({ "leads": 1 }), fourteenth, fifteenth]);
    assert_eq!(days(&cast.lea, &cast.nora.id, 13, 15).await, [json!({}), json!({}), json!({})]);
    assert_eq!(days(&cast.lea, &cast.lea.id, 13, 15).await, [json!({}), json!({}), json!({})]);
}

async fn a_deal_counts_for_its_owner_and_its_credits(t: TestApp) {
    let cast = Cast::new(&t).await;
    let deal = won_deal(&t, &cast).await;
    let revenue = |amount: &str| json!([eur(amount)]);
    let rita = json!({ "deals": 1, "revenue": revenue("700.00") });
    let nora = json!({ "revenue": revenue("300.00") });
    // Her lead was collected just now.
    let lead = json!({ "leads": 1 });
    assert_eq!(days(&cast.rita, &cast.rita.id, 13, 15).await, [json!({}), rita.clone(), lead]);
    assert_eq!(days(&cast.nora, &cast.nora.id, 13, 15).await, [json!({}), nora.clone(), json!({})]);
    assert_eq!(days(&cast.lea, &cast.lea.id, 14, 14).await, [json!({})], "an overlay is no revenue");

    let cancel = json!({ "reason": "Returned", "cancelledAt": "2026-01-15T08:00:00Z" });
    change(&t, &cast.lea, "cancelDeal", &deal, cancel, "deal { id }").await.ok();
    let back = json!({ "leads": 1, "deals": -1, "revenue": revenue("-700.00") });
    assert_eq!(days(&cast.rita, &cast.rita.id, 14, 15).await, [rita, back]);
    let back = json!({ "revenue": revenue("-300.00") });
    assert_eq!(days(&cast.nora, &cast.nora.id, 14, 15).await, [nora, back]);
}

async fn what_comes_after_the_close_stands_beside_it(t: TestApp) {
    let cast = Cast::new(&t).await;
    let rita = &cast.rita;
    call(rita, "2026-01-12T09:00:00Z", 30).await;
    won_deal(&t, &cast).await;
    let (twelfth, fourteenth) = (
        json!({ "closed": true, "calls": 1, "connectedCalls": 1, "talkSeconds": 30 }),
        json!({ "closed": true, "deals": 1, "revenue": [eur("700.00")] }),
    );
    assert_eq!(close(&t, &cast.fin, "2026-01-14").await, "2026-01-14");
    let closed = json!({ "closed": true });
    let before = [closed.clone(), twelfth.clone(), closed.clone(), fourteenth.clone(), json!({ "leads": 1 })];
    assert_eq!(days(rita, &rita.id, 11, 15).await, before);

    // Late work: on a day with work, on one without, and on one before the first of all.
    for at in ["2026-01-12T10:00:00Z", "2026-01-13T10:00:00Z", "2026-01-11T10:00:00Z", "2026-01-15T08:00:00Z"]
    {
        call(rita, at, 7).await;
    }
    let late = json!({ "calls": 1, "connectedCalls": 1, "talkSeconds": 7 });
    let with_late = |day: &Value| {
        let mut day = day.clone();
        day["late"] = late.clone();
        day
    };
    let mut today = late.clone();
    today["leads"] = json!(1);
    let after = [with_late(&closed), with_late(&twelfth), with_late(&closed), fourteenth, today];
    assert_eq!(days(rita, &rita.id, 11, 15).await, after);

    // The close is told, but not to those who see no figures.
    t.settle().await;
    let query =
        "{ changes(first: 9, types: [\"day.closed\"]) { nodes { after subjectId } } organization { id } }";
    let told = rita.query(query).await;
    let organization = &told["organization"]["id"];
    assert_eq!(
        told["changes"]["nodes"],
        json!([{ "after": { "through": "2026-01-14" }, "subjectId": organization }])
    );
    assert_eq!(cast.sara.query(query).await["changes"]["nodes"], json!([]));
}

/// What `evenhand doctor --verify-facts` says, and whether it is content.
fn verify(t: &TestApp) -> (bool, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut doctor = evenhand(&t.database.url);
    let doctor =
        doctor.current_dir(directory.path()).args(["doctor", "--verify-facts"]).stdout(Stdio::piped());
    let output = doctor.output().expect("doctor runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let line = text.lines().find(|line| line.contains("daily facts")).unwrap_or_default();
    (output.status.success(), line.to_owned())
}

async fn what_was_frozen_is_checked(t: TestApp) {
    let cast = Cast::new(&t).await;
    call(&cast.rita, "2026-01-12T09:00:00Z", 30).await;
    won_deal(&t, &cast).await;
    close(&t, &t.admin(), "2026-01-14").await;
    call(&cast.rita, "2026-01-12T10:00:00Z", 7).await;
    let (content, line) = verify(&t);
    assert!(content && line.ends_with("Northwind Sales: 3 closed days of people hold"), "{line}");

    let sql = t.sql().await;
    for (tampering, repair, finding) in [
        (
            "UPDATE daily_facts SET calls = 9 WHERE calls = 1",
            "UPDATE daily_facts SET calls = 1 WHERE calls = 9",
            "on 2026-01-12: stored 9, recomputed 1",
        ),
        (
            "UPDATE daily_fact_revenue SET amount_minor = 30001 WHERE amount_minor = 30000",
            "UPDATE daily_fact_revenue SET amount_minor = 30000 WHERE amount_minor = 30001",
            "on 2026-01-14: stored 30001, recomputed 30000",
        ),
        (
            "UPDATE activities SET seconds = 31 WHERE seconds = 30",
            "UPDATE activities SET seconds = 30 WHERE seconds = 31",
            "on 2026-01-12: stored 30, recomputed 31",
        ),
    ] {
        assert_eq!(sql.run(tampering).await, 1);
        let (content, line) = verify(&t);
        assert!(!content && line.starts_with("WRONG") && line.ends_with(finding), "{line}");
        sql.run(repair).await;
    }
    assert!(verify(&t).0);
}

/// An entry that is written, and committed only when the test lets it go on.
struct UnderWay {
    entry: LogActivity,
    written: Notify,
    go_on: Notify,
}

impl Command for UnderWay {
    const PERMISSION: Permission = LogActivity::PERMISSION;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        self.entry.run(tx).await?;
        self.written.notify_one();
        self.go_on.notified().await;
        Ok(())
    }
}

async fn an_entry_under_way_is_late(t: TestApp) {
    let cast = Cast::new(&t).await;
    call(&cast.rita, "2026-01-14T09:00:00Z", 30).await;
    t.clock.advance(Duration::seconds(CLOSE_MARGIN_SECONDS));
    let entry = LogActivity {
        kind: ActivityKind::Call,
        customer_id: None,
        deal_id: None,
        user_id: None,
        started_at: Some(Timestamp::parse("2026-01-14T10:00:00Z").expect("an instant")),
        seconds: Some(7),
        connected: Some(true),
        outcome: None,
        note: Some("n".into()),
    };
    let under_way = UnderWay { entry, written: Notify::new(), go_on: Notify::new() };
    let token = cast.rita.access_token.as_deref().expect("signed in");
    let rita = t.app.authenticate(token).await.expect("an actor");
    let closing = async {
        under_way.written.notified().await;
        let closed = cast.fin.mutate("closeDays", json!({ "through": "2026-01-14" }), "closedThrough").await;
        under_way.go_on.notify_one();
        closed.ok();
    };
    let (entered, ()) = tokio::join!(t.app.execute(&rita, "test", &under_way), closing);
    entered.expect("entered");
    let of_one = |seconds: u32| json!({ "calls": 1, "connectedCalls": 1, "talkSeconds": seconds });
    let mut day = of_one(30);
    (day["closed"], day["late"]) = (json!(true), of_one(7));
    assert_eq!(days(&cast.rita, &cast.rita.id, 14, 14).await, [day]);
    let (content, line) = verify(&t);
    assert!(content, "{line}");
}

async fn days_are_closed_in_order_and_in_bounded_steps(t: TestApp) {
    let cast = Cast::new(&t).await;
    call(&cast.rita, "2025-11-10T09:00:00Z", 30).await;
    let input = json!({ "through": "2026-01-14" });
    for by in [&cast.rita, &cast.lea, &cast.sara] {
        assert_eq!(by.mutate("closeDays", input.clone(), "closedThrough").await.code(), "FORBIDDEN");
    }
    let mut came = Vec::new();
    while came.last().is_none_or(|day| day != "2026-01-14") {
        came.push(close(&t, &cast.fin, "2026-01-14").await);
    }
    assert_eq!(came, ["2025-12-10", "2026-01-10", "2026-01-14"]);
    for (through, problem) in [
        ("2026-01-14", "TOO_EARLY"),
        ("2025-01-01", "TOO_EARLY"),
        ("2026-01-15", "IN_FUTURE"),
        ("2200-01-01", "IN_FUTURE"),
    ] {
        let refused = cast.fin.mutate("closeDays", json!({ "through": through }), "closedThrough").await;
        assert_eq!(refused.problems(), [format!("input.through: {problem}")]);
    }
    // An organisation in which nothing has happened comes there at once, and does not touch others.
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(close(&t, &stranger, "2026-01-14").await, "2026-01-14");
    let sql = t.sql().await;
    assert_eq!(sql.number("SELECT COUNT(*) FROM day_closes").await, 4);
    assert_eq!(sql.number("SELECT COUNT(*) FROM daily_facts").await, 1);
}

async fn days_close_by_themselves_two_days_after_they_ended(t: TestApp) {
    let cast = Cast::new(&t).await;
    call(&cast.rita, "2026-01-12T09:00:00Z", 30).await;
    call(&cast.rita, "2026-01-15T08:00:00Z", 20).await;
    let (stop, stopped) = watch::channel(false);
    let app = t.app.clone();
    let worker = tokio::spawn(async move { app.run_jobs(stopped).await });
    let sql = t.sql().await;
    let closes = async || sql.number("SELECT COUNT(*) FROM day_closes").await;
    // The organisation was made on the 15th, which ended two days ago when it turns midnight in Berlin.
    t.clock.advance(Duration::minutes(62 * 60 - 1));
    assert!(!t.app.close_old_days().await.expect("looked"));
    assert_eq!(closes().await, 0);
    t.clock.advance(Duration::hours(1));
    let begun = Instant::now();
    while closes().await == 0 {
        assert!(begun.elapsed() < CLOSED_WITHIN, "nothing was closed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stop.send_replace(true);
    worker.await.expect("the worker ends in good order");

    let rita = t.sign_in(&cast.rita.email, PASSWORD).await;
    for at in ["2026-01-12T10:00:00Z", "2026-01-16T08:00:00Z"] {
        call(&rita, at, 7).await;
    }
    let of_one = |seconds: u32| json!({ "calls": 1, "connectedCalls": 1, "talkSeconds": seconds });
    let closed = |mut day: Value| {
        day["closed"] = json!(true);
        day
    };
    let mut twelfth = closed(of_one(30));
    twelfth["late"] = of_one(7);
    let empty = closed(json!({}));
    let expected = [empty.clone(), twelfth, empty.clone(), empty, closed(of_one(20)), of_one(7)];
    assert_eq!(days(&rita, &cast.rita.id, 11, 16).await, expected);
    assert!(!t.app.close_old_days().await.expect("looked"));
    assert_eq!(closes().await, 1);
    assert!(verify(&t).0);
}

async fn two_workers_close_each_day_once(t: TestApp) {
    let cast = Cast::new(&t).await;
    call(&cast.rita, "2025-11-10T09:00:00Z", 30).await;
    t.other_organization("Elsewhere").await;
    t.clock.advance(Duration::days(5));
    let options = StoreOptions::new(&t.database.url);
    let store = Store::connect(&options, IdSource::from_os().expect("ids")).await.expect("a store");
    let other = assemble(store.clone(), Arc::clone(&t.clock), None);
    let mut more = true;
    while more {
        let looks = [t.app.clone(), other.clone()]
            .map(|app| tokio::spawn(async move { app.close_old_days().await.expect("looked") }));
        more = false;
        for look in looks {
            more |= look.await.expect("ended");
        }
    }
    store.close().await.expect("closed");
    let sql = t.sql().await;
    // Three steps of one organisation, one of the other, in which nothing has happened.
    assert_eq!(sql.number("SELECT COUNT(*) FROM day_closes").await, 4);
    assert_eq!(sql.number("SELECT COUNT(DISTINCT through_day) FROM day_closes").await, 3);
    assert_eq!(sql.number("SELECT COUNT(*) FROM daily_facts").await, 1);
    assert!(verify(&t).0);
}

async fn everybody_sees_the_days_in_their_reach(t: TestApp) {
    let cast = Cast::new(&t).await;
    let stranger = t.other_organization("Elsewhere").await;
    let admin = t.admin();
    for (by, user, code) in [
        (&cast.rita.client, &cast.rita, ""),
        (&cast.rita, &cast.nora, "NOT_FOUND"),
        (&cast.rita, &cast.lea, "NOT_FOUND"),
        (&cast.lea, &cast.rita, ""),
        (&cast.lea, &cast.lea, ""),
        (&cast.lea, &cast.sid, "NOT_FOUND"),
        (&cast.otto, &cast.sid, ""),
        (&cast.sara, &cast.sara, "FORBIDDEN"),
        (&cast.fin, &cast.sid, ""),
        (&admin, &cast.rita, ""),
        (&stranger, &cast.rita, "NOT_FOUND"),
    ] {
        let answer = ask(by, &user.id, "2026-01-01", "2026-01-02", "user { id } flags { kind }").await;
        assert_eq!(answer.code(), code, "{}", user.email);
        if code.is_empty() {
            let flags = if by.access_token == cast.fin.access_token { Value::Null } else { json!([]) };
            let day = json!({ "user": { "id": user.id }, "flags": flags });
            assert_eq!(answer.data["dailyFacts"], json!([day, day]));
        }
    }
    for (from, to, code) in [
        ("2026-01-02", "2026-01-01", "BAD_USER_INPUT"),
        ("2025-01-01", "2026-02-05", "BAD_USER_INPUT"),
        ("2025-01-01", "2026-02-04", ""),
    ] {
        assert_eq!(ask(&cast.rita, &cast.rita.id, from, to, "date").await.code(), code, "{from} {to}");
    }
    assert_eq!(
        ask(&cast.rita, &cast.north, "2026-01-01", "2026-01-01", "date").await.code(),
        "BAD_USER_INPUT"
    );
}

async fn many_days_cost_as_many_statements_as_one(t: TestApp) {
    let cast = Cast::new(&t).await;
    let rita = &cast.rita;
    for day in 1..15 {
        call(rita, &format!("2026-01-{day:02}T09:00:00Z"), 60).await;
    }
    won_deal(&t, &cast).await;
    let cost = async |by: &Client| {
        // Which clients send registered documents only is looked up anew after some seconds.
        by.query("{ viewer { role } }").await;
        let one = ask(by, &rita.id, "2026-01-14", "2026-01-14", FIGURES).await;
        let many = ask(by, &rita.id, "2026-01-01", "2026-01-20", FIGURES).await;
        assert_eq!(many.ok()["dailyFacts"].as_array().map(Vec::len), Some(20));
        (one.statements, many.statements)
    };
    assert_eq!(cost(rita).await, (STATEMENTS, STATEMENTS));
    close(&t, &cast.fin, "2026-01-10").await;
    close(&t, &cast.fin, "2026-01-14").await;
    assert_eq!(cost(&cast.lea).await, (STATEMENTS, STATEMENTS));
}

async fn implausible_work_is_flagged_and_counted_all_the_same(t: TestApp) {
    let cast = Cast::new(&t).await;
    let rita = &cast.rita;
    for second in 0..200 {
        call(rita, &format!("2026-01-14T09:{:02}:{:02}Z", second / 60, second % 60), 1).await;
    }
    call(rita, "2026-01-02T09:00:00Z", 90).await;
    let customer = collect(rita, json!({ "name": "Rhein", "collectedAt": "2026-01-13T10:00:00Z" })).await;
    for step in [
        json!({ "stage": "QUALIFIED", "occurredAt": "2026-01-13T11:00:00Z" }),
        json!({ "stage": "PROSPECT", "occurredAt": "2026-01-13T12:00:00Z", "evidence": { "document": "Letter" } }),
        json!({ "stage": "LOST", "occurredAt": "2026-01-13T13:00:00Z", "reason": "Changed their mind" }),
    ] {
        change(&t, rita, "advanceCustomer", &customer, step, "customer { id }").await.ok();
    }
    let flags = async |by: &Client, date: &str| {
        let answer = ask(by, &rita.id, date, date, "calls prospects flags { kind message }").await;
        answer.ok()["dailyFacts"][0].clone()
    };
    let flag = |kind: &str, message: &str| json!([{ "kind": kind, "message": message }]);
    for (date, calls, prospects, expected) in [
        ("2026-01-14", 200, 0, flag("SHORT_CALLS", "200 answered calls lasted at most 5 seconds.")),
        ("2026-01-13", 0, 1, flag("PROSPECTS_DROPPED", "Prospects entered and given up on the same day: 1.")),
        ("2026-01-02", 1, 0, flag("ENTERED_LATE", "Entries made more than 7 days after they happened: 1.")),
    ] {
        let mut day = json!({ "calls": calls, "prospects": prospects, "flags": expected });
        assert_eq!(flags(rita, date).await, day);
        assert_eq!(flags(&cast.lea, date).await, day);
        day["flags"] = Value::Null;
        assert_eq!(flags(&cast.fin, date).await, day);
    }
}
