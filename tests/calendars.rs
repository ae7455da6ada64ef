//! Work calendars, leave, and the workdays that follow from both.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, both};

both!(
    hours_are_kept_as_they_were_given,
    wrong_calendars_are_refused,
    one_calendar_counts_for_everybody_without_their_own,
    workdays_follow_the_calendar_and_the_leave,
    leave_is_recorded_by_whoever_leads_the_person,
);

const FIELDS: &str = "workCalendar { id version name timeZone isDefault weekly { weekday fromMinute toMinute } \
    exceptions { date open { fromMinute toMinute } } }";

fn hours(weekday: &str, from: i32, to: i32) -> Value {
    json!({ "weekday": weekday, "fromMinute": from, "toMinute": to })
}

/// Tuesday to Saturday, from 10:00 to 18:00 in Shanghai.
fn shop() -> Value {
    let days = ["TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];
    json!({ "name": "Shop", "timeZone": "Asia/Shanghai", "weekly": days.map(|day| hours(day, 600, 1080)) })
}

/// Adds a calendar; answers its opaque id.
async fn create(t: &TestApp, input: Value) -> String {
    let created = t.admin().mutate("createWorkCalendar", input, "workCalendar { id }").await;
    created.ok()["workCalendar"]["id"].as_str().expect("an id").to_owned()
}

/// What the directory says about a person.
async fn person(by: &Client, id: &str, fields: &str) -> Value {
    let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on User {{ {fields} }} }} }}");
    by.gql(&query, json!({ "id": id })).await.ok()["node"].clone()
}

async fn hours_are_kept_as_they_were_given(t: TestApp) {
    let input = json!({
        "name": "Office", "timeZone": "Europe/Berlin",
        "weekly": [hours("TUESDAY", 540, 1020), hours("MONDAY", 810, 1080), hours("MONDAY", 540, 720)],
        "exceptions": [
            { "date": "2026-12-19", "open": [{ "fromMinute": 600, "toMinute": 840 }] },
            { "date": "2026-04-06", "open": [] },
        ],
    });
    let created = t.admin().mutate("createWorkCalendar", input, FIELDS).await;
    let calendar = created.ok()["workCalendar"].clone();
    let weekly = json!([hours("MONDAY", 540, 720), hours("MONDAY", 810, 1080), hours("TUESDAY", 540, 1020)]);
    let exceptions = json!([
        { "date": "2026-04-06", "open": [] },
        { "date": "2026-12-19", "open": [{ "fromMinute": 600, "toMinute": 840 }] },
    ]);
    let mut expected = json!({ "id": calendar["id"], "version": 1, "name": "Office", "isDefault": false,
        "timeZone": "Europe/Berlin", "weekly": weekly, "exceptions": exceptions });
    assert_eq!(calendar, expected);
    // A list replaces the whole list; what is left out stays.
    let update = json!({ "id": calendar["id"], "version": 1, "name": "Head office", "exceptions": [] });
    let updated = t.admin().mutate("updateWorkCalendar", update.clone(), FIELDS).await;
    expected["version"] = json!(2);
    expected["name"] = json!("Head office");
    expected["exceptions"] = json!([]);
    assert_eq!(updated.ok()["workCalendar"], expected);
    assert_eq!(t.admin().mutate("updateWorkCalendar", update, FIELDS).await.code(), "CONFLICT");

    create(&t, shop()).await;
    let rep = t.user("REP", "Rosa").await;
    let query = "{ workCalendars { totalCount nodes { name createdAt updatedAt } } }";
    let list = rep.query(query).await["workCalendars"].clone();
    assert_eq!(list["totalCount"], 2);
    assert_eq!([&list["nodes"][0]["name"], &list["nodes"][1]["name"]], ["Head office", "Shop"]);
    let node = "query($id: ID!) { node(id: $id) { ... on WorkCalendar { name } } }";
    let id = json!({ "id": calendar["id"] });
    assert_eq!(rep.gql(node, id.clone()).await.ok()["node"]["name"], "Head office");
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(stranger.gql(node, id).await.ok()["node"], Value::Null);
}

async fn wrong_calendars_are_refused(t: TestApp) {
    create(&t, shop()).await;
    let with = |field: &str, value: Value| {
        let mut input = shop();
        input["name"] = json!("Other");
        input[field] = value;
        input
    };
    let (late, closed) = (hours("MONDAY", 1020, 1440), json!({ "date": "2026-02-17", "open": [] }));
    for (input, problems) in [
        (shop(), &["name: TAKEN"][..]),
        (with("name", json!("")), &["name: REQUIRED"]),
        (with("timeZone", json!("Mars")), &["timeZone: INVALID_FORMAT"]),
        (with("weekly", json!([])), &["weekly: NEVER_OPEN"]),
        (with("weekly", json!([hours("MONDAY", 540, 540)])), &["weekly.0.toMinute: OUT_OF_RANGE"]),
        (with("weekly", json!([hours("MONDAY", -1, 1441)])), &["weekly.0.fromMinute: OUT_OF_RANGE"]),
        (with("weekly", json!([late, hours("MONDAY", 540, 1021)])), &["weekly.0: INTERVAL_OVERLAP"]),
        (with("exceptions", json!([closed, closed])), &["exceptions.1.date: DUPLICATE"]),
    ] {
        let outcome = t.admin().mutate("createWorkCalendar", input.clone(), FIELDS).await;
        let expected: Vec<String> = problems.iter().map(|problem| format!("input.{problem}")).collect();
        assert_eq!(outcome.problems(), expected, "{input}");
    }
    let manager = t.user("MANAGER", "Lea").await;
    assert_eq!(manager.mutate("createWorkCalendar", shop(), FIELDS).await.code(), "FORBIDDEN");
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM work_calendars").await, 1);
}

async fn one_calendar_counts_for_everybody_without_their_own(t: TestApp) {
    let rosa = t.user("REP", "Rosa").await;
    let counts =
        async || person(&t.admin(), &rosa.id, "calendar { name isDefault }").await["calendar"].clone();
    assert_eq!(counts().await, Value::Null);
    let (office, shop) = (
        create(
            &t,
            json!({ "name": "Office", "timeZone": "UTC", "isDefault": true,
        "weekly": [hours("MONDAY", 0, 1440)] }),
        )
        .await,
        create(&t, shop()).await,
    );
    assert_eq!(counts().await, json!({ "name": "Office", "isDefault": true }));

    let input = json!({ "id": shop, "version": 1, "isDefault": true });
    t.admin().mutate("updateWorkCalendar", input, FIELDS).await.ok();
    assert_eq!(counts().await, json!({ "name": "Shop", "isDefault": true }));
    let own = json!({ "id": rosa.id, "version": t.version(&rosa.id).await, "calendarId": office });
    let updated = t.admin().mutate("updateUser", own, "user { calendar { name isDefault } }").await;
    assert_eq!(updated.ok()["user"]["calendar"], json!({ "name": "Office", "isDefault": false }));
    let none = json!({ "id": rosa.id, "version": t.version(&rosa.id).await, "calendarId": null });
    t.admin().mutate("updateUser", none, "user { id }").await.ok();
    assert_eq!(counts().await, json!({ "name": "Shop", "isDefault": true }));

    // What moved is told: the old default too.
    t.settle().await;
    let told = t.admin().query("{ changes(first: 100) { nodes { type subjectType } } }").await;
    let types: Vec<&str> = told["changes"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["type"].as_str())
        .collect();
    let of = |wanted: &str| types.iter().filter(|name| **name == wanted).count();
    assert_eq!((of("work_calendar.created"), of("work_calendar.updated")), (2, 2));

    let stranger = t.other_organization("Elsewhere").await;
    let foreign = stranger.query("{ viewer { user { id version } } }").await["viewer"]["user"].clone();
    let input = json!({ "id": foreign["id"], "version": foreign["version"], "calendarId": office });
    let outcome = stranger.mutate("updateUser", input, "user { id }").await;
    assert_eq!(outcome.problems(), ["input.calendarId: NOT_FOUND"]);
}

async fn workdays_follow_the_calendar_and_the_leave(t: TestApp) {
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(t.user("REP", &format!("Rep {number}")).await);
    }
    let january = "workdays(period: { kind: MONTH, start: \"2026-01-01\" })";
    let workdays =
        async |index: usize| person(&people[0], &people[index].id, january).await["workdays"].clone();
    assert_eq!(workdays(0).await, 22, "Monday to Friday");

    let mut input = shop();
    // A holiday, and a Sunday on which it is made up for.
    input["exceptions"] = json!([
        { "date": "2026-01-01", "open": [] }, { "date": "2026-01-02", "open": [] },
        { "date": "2026-01-04", "open": [{ "fromMinute": 600, "toMinute": 1080 }] },
    ]);
    let shop = create(&t, input).await;
    let own = json!({ "id": people[1].id, "version": t.version(&people[1].id).await, "calendarId": shop });
    t.admin().mutate("updateUser", own, "user { id }").await.ok();
    assert_eq!(workdays(1).await, 23 - 2 + 1);
    // Across the weekend and the end of the month: Thursday and Friday count.
    let leave = json!({ "userId": people[0].id, "version": t.version(&people[0].id).await,
        "from": "2026-01-29", "to": "2026-02-01" });
    t.admin().mutate("recordLeave", leave, "user { id }").await.ok();
    assert_eq!((workdays(0).await, workdays(1).await), (json!(20), json!(22)));

    let wrong = "{ users { nodes { workdays(period: { kind: MONTH, start: \"2026-01-02\" }) } } }";
    assert_eq!(t.admin().gql(wrong, json!({})).await.code(), "BAD_USER_INPUT");
    // Two periods, calendars and leave of everybody: the session, the users, three for each period, one for all else.
    for first in [2, 8] {
        let query = format!(
            "{{ users(first: {first}) {{ nodes {{ calendar {{ name }} leaves {{ from }} {january} \
            week: workdays(period: {{ kind: WEEK, start: \"2026-01-05\" }}) }} }} }}"
        );
        let answer = t.admin().gql(&query, json!({})).await;
        answer.ok();
        assert_eq!(answer.statements, 6, "{first}");
    }
}

async fn leave_is_recorded_by_whoever_leads_the_person(t: TestApp) {
    let (north, south) = (t.team("North", None).await, t.team("South", None).await);
    let lea = t.user_in("MANAGER", "Lea", &north, "LEAD").await;
    let rita = t.user_in("REP", "Rita", &north, "MEMBER").await;
    let sid = t.user_in("REP", "Sid", &south, "MEMBER").await;
    let version = t.version(&rita.id).await;
    let leave = |user: &str, version: i64, from: &str, to: &str| json!({ "userId": user, "version": version, "from": from, "to": to });
    let days = "user { version leaves { id from to } }";
    let recorded =
        lea.mutate("recordLeave", leave(&rita.id, version, "2026-07-13", "2026-07-24"), days).await;
    let user = recorded.ok()["user"].clone();
    assert_eq!(user["version"], version + 1);
    let first = user["leaves"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(user["leaves"], json!([{ "id": first, "from": "2026-07-13", "to": "2026-07-24" }]));

    let now = version + 1;
    for (by, input, problem) in [
        (&lea.client, leave(&rita.id, version, "2026-08-01", "2026-08-01"), ": CONFLICT"),
        (&lea, leave(&rita.id, now, "2026-07-01", "2026-07-13"), "input.from: LEAVE_OVERLAP"),
        (&lea, leave(&rita.id, now, "2026-08-02", "2026-08-01"), "input.to: OUT_OF_RANGE"),
        (&lea, leave(&rita.id, now, "2026-08-01", "2037-08-01"), "input.to: OUT_OF_RANGE"),
        (&lea, leave(&sid.id, 1, "2026-08-01", "2026-08-01"), "input.userId: NOT_PERMITTED"),
        (&lea, leave(&first, 1, "2026-08-01", "2026-08-01"), "input.userId: INVALID_ID"),
    ] {
        let outcome = by.mutate("recordLeave", input.clone(), days).await;
        assert_eq!(outcome.problems(), [problem], "{input}");
    }
    let own = leave(&rita.id, now, "2026-08-01", "2026-08-01");
    assert_eq!(rita.mutate("recordLeave", own, days).await.code(), "FORBIDDEN");

    let cancel =
        |version: i64, leave: &str| json!({ "userId": rita.id, "version": version, "leaveId": leave });
    let cancelled = lea.mutate("cancelLeave", cancel(now, &first), days).await;
    assert_eq!(cancelled.ok()["user"], json!({ "version": now + 1, "leaves": [] }));
    let again = lea.mutate("cancelLeave", cancel(now + 1, &first), days).await;
    assert_eq!(again.problems(), ["input.leaveId: NOT_FOUND"]);
    t.settle().await;
    let query = "{ changes(first: 9, types: [\"user.leave_recorded\", \"user.leave_cancelled\"]) { nodes { type after } } }";
    let told = sid.query(query).await["changes"]["nodes"].clone();
    assert_eq!(told.as_array().map(Vec::len), Some(2));
    assert_eq!(told[1]["type"], "user.leave_cancelled");
    assert_eq!(told[1]["after"]["leave"]["to"], "2026-07-24");
}
