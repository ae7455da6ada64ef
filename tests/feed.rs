//! The change feed and the audit trail: gap-free, resumable, scoped, and hard to falsify.

use std::collections::HashSet;
use std::time::Duration;

use evenhand_domain::access::Permission;
use evenhand_domain::id::OrganizationId;
use evenhand_domain::teams::Team;
use serde_json::{Value, json};

use crate::support::{ADMIN_EMAIL, Client, TestApp, both};

both!(
    readers_miss_nothing_while_others_write,
    a_late_commit_is_never_skipped,
    the_audit_chain_holds_and_names_what_was_tampered_with,
    the_feed_shows_what_its_reader_may_read,
    the_audit_trail_is_for_administrators_and_newest_first,
    a_subscription_follows_the_feed_from_a_cursor,
    a_stream_ends_with_the_session,
    wrong_cursors_and_types_are_refused,
);

const PAGE: &str = "query($after: String, $first: Int, $types: [String!]) { \
    changes(after: $after, first: $first, types: $types) { \
    nodes { position type subjectId subjectVersion before after } pageInfo { hasNextPage endCursor } } }";

async fn page(client: &Client, after: &Value, first: u32) -> Value {
    let answer = client.gql(PAGE, json!({ "after": after, "first": first })).await;
    answer.ok()["changes"].clone()
}

/// Everything after a cursor, page by page.
async fn read_all(client: &Client, mut after: Value, first: u32) -> (Vec<Value>, Value) {
    let mut seen = Vec::new();
    loop {
        let part = page(client, &after, first).await;
        seen.extend(part["nodes"].as_array().expect("nodes").iter().cloned());
        after = part["pageInfo"]["endCursor"].clone();
        assert!(after.is_string(), "the cursor is there also after an empty page");
        if part["pageInfo"]["hasNextPage"] == false {
            return (seen, after);
        }
    }
}

fn positions(changes: &[Value]) -> Vec<i64> {
    changes.iter().map(|change| change["position"].as_i64().expect("a number")).collect()
}

async fn readers_miss_nothing_while_others_write(t: TestApp) {
    const WRITERS: usize = 8;
    const TEAMS_EACH: usize = 12;
    let writers = (0..WRITERS).map(|writer| {
        let t = t.clone();
        tokio::spawn(async move {
            for number in 0..TEAMS_EACH {
                t.team(&format!("Team {writer}.{number}"), None).await;
            }
        })
    });
    let writers = futures_util::future::join_all(writers);
    tokio::pin!(writers);
    let (admin, mut after, mut seen) = (t.admin(), Value::Null, Vec::new());
    loop {
        let done = futures_util::poll!(&mut writers).is_ready();
        let (changes, next) = read_all(&admin, after, 7).await;
        seen.extend(changes);
        after = next;
        if done {
            break;
        }
    }
    t.settle().await;
    let (rest, _) = read_all(&admin, after, 7).await;
    seen.extend(rest);

    let all: Vec<i64> = (1..=seen.len() as i64).collect();
    assert_eq!(positions(&seen), all, "each position once, in order, none missing");
    let teams: HashSet<_> = seen
        .iter()
        .filter(|change| change["type"] == "team.created")
        .map(|c| c["subjectId"].to_string())
        .collect();
    assert_eq!(teams.len(), WRITERS * TEAMS_EACH);
    assert_eq!(read_all(&admin, Value::Null, 100).await.0, seen, "who begins anew reads the same");
    let report = t.store.unscoped_verify_events(t.organization).await.expect("verified");
    assert_eq!((report.fault, report.entries), (None, seen.len() as i64));
}

async fn a_late_commit_is_never_skipped(t: TestApp) {
    if t.store.is_sqlite() {
        // One writer at a time: nobody can commit before a transaction that began earlier.
        return;
    }
    let admin = t.admin();
    t.settle().await;
    let (_, start) = read_all(&admin, Value::Null, 100).await;

    let actor = t.app.system(t.organization).await.expect("an actor");
    let grant = actor.grant(Permission::ManageTeams).expect("a grant");
    let mut late = t.store.begin(grant, t.app.now(), "late").await.expect("begun");
    let change = Team::create("Begun first", None, late.new_id(), late.now()).expect("a team");
    late.save(change).await.expect("saved");

    t.team("Committed first", None).await;
    t.settle().await;
    let (first, cursor) = read_all(&admin, start, 100).await;
    assert_eq!(first.iter().map(|change| &change["after"]["name"]).collect::<Vec<_>>(), ["Committed first"]);

    late.commit().await.expect("committed");
    t.settle().await;
    let (second, _) = read_all(&admin, cursor, 100).await;
    assert_eq!(second.iter().map(|change| &change["after"]["name"]).collect::<Vec<_>>(), ["Begun first"]);
}

/// An organisation with five entries in its log.
async fn organization_with_log(t: &TestApp, name: &str) -> OrganizationId {
    let email = format!("{}@tamper.example", name.replace(' ', "-"));
    let id = t.create_administrator(name, &email).await;
    let admin = t.sign_in(&email, crate::support::PASSWORD).await;
    admin.mutate("createTeam", json!({ "name": "North" }), "team { id }").await.ok();
    t.settle().await;
    id
}

async fn the_audit_chain_holds_and_names_what_was_tampered_with(t: TestApp) {
    // `org` is the organisation's id as SQL.
    let at = |org: &str, position: i64| format!("WHERE org_id = {org} AND position = {position}");
    let set = |change: &'static str, position: i64| {
        move |org: &str| vec![format!("UPDATE events SET {change} {}", at(org, position))]
    };
    type Tampering = Box<dyn Fn(&str) -> Vec<String>>;
    let cases: Vec<(&str, Tampering, i64)> = vec![
        ("after altered", Box::new(set(r#""after" = REPLACE("after", '"North"', '"South"')"#, 5)), 5),
        ("before invented", Box::new(set(r#"before = '{}'"#, 2)), 2),
        ("actor altered", Box::new(set("actor_kind = 'ANONYMOUS'", 2)), 2),
        ("request altered", Box::new(set("request_id = 'another'", 1)), 1),
        ("kind altered", Box::new(set("kind = 'user.moved'", 3)), 3),
        ("version altered", Box::new(set("subject_version = 7", 3)), 3),
        ("instant altered", Box::new(set("recorded_at = '2026-01-15 08:00:00+00:00'", 3)), 3),
        ("hash altered", Box::new(set("hash = 'ffff'", 4)), 4),
        (
            "deleted in the middle",
            Box::new(move |org: &str| vec![format!("DELETE FROM events {}", at(org, 3))]),
            3,
        ),
        (
            "deleted at the beginning",
            Box::new(move |org: &str| vec![format!("DELETE FROM events {}", at(org, 1))]),
            1,
        ),
        ("tail cut off", Box::new(move |org: &str| vec![format!("DELETE FROM events {}", at(org, 5))]), 5),
        (
            "all but one cut off",
            Box::new(move |org: &str| {
                vec![format!("DELETE FROM events WHERE org_id = {org} AND position > 1")]
            }),
            2,
        ),
        (
            "everything deleted",
            Box::new(move |org: &str| vec![format!("DELETE FROM events WHERE org_id = {org}")]),
            1,
        ),
        (
            "two swapped",
            Box::new(move |org: &str| {
                vec![
                    format!("UPDATE events SET position = 99 {}", at(org, 2)),
                    format!("UPDATE events SET position = 2 {}", at(org, 3)),
                    format!("UPDATE events SET position = 3 {}", at(org, 99)),
                ]
            }),
            2,
        ),
        (
            "deleted, and the rest moved up",
            Box::new(move |org: &str| {
                vec![
                    format!("DELETE FROM events {}", at(org, 3)),
                    format!("UPDATE events SET position = 3 {}", at(org, 4)),
                    format!("UPDATE events SET position = 4 {}", at(org, 5)),
                ]
            }),
            3,
        ),
        ("unnumbered", Box::new(set("position = NULL", 4)), 4),
    ];
    let sql = t.sql().await;
    for (index, (name, tamper, position)) in cases.into_iter().enumerate() {
        let org = organization_with_log(&t, &format!("Tampered {index}")).await;
        let sound = t.store.unscoped_verify_events(org).await.expect("verified");
        assert_eq!((sound.fault, sound.entries), (None, 5), "{name}");
        for statement in tamper(&sql.uuid(org)) {
            assert_eq!(sql.run(&statement).await.min(1), 1, "{name}: {statement}");
        }
        let report = t.store.unscoped_verify_events(org).await.expect("verified");
        let fault = report.fault.unwrap_or_else(|| panic!("{name}: not noticed"));
        assert_eq!(fault.position, position, "{name}: {}", fault.reason);
    }
    t.settle().await;
    let untouched = t.store.unscoped_verify_events(t.organization).await.expect("verified");
    assert_eq!(untouched.fault, None, "each organisation has a chain of its own");
}

async fn types_seen_by(client: &Client) -> Vec<String> {
    let (changes, _) = read_all(client, Value::Null, 100).await;
    let mut types: Vec<String> =
        changes.iter().map(|change| change["type"].as_str().expect("a type").to_owned()).collect();
    types.sort();
    types.dedup();
    types
}

async fn the_feed_shows_what_its_reader_may_read(t: TestApp) {
    t.team("North", None).await;
    let rep = t.user("REP", "Rosa Rep").await;
    let finance = t.user("FINANCE", "Fay Finance").await;
    let stranger = t.other_organization("Elsewhere").await;
    t.settle().await;
    let open = ["organization.created", "team.created", "user.created", "user.updated"];
    assert_eq!(types_seen_by(&rep).await, open, "sessions and invitations are for administrators");
    assert_eq!(types_seen_by(&finance).await, open);
    assert_eq!(
        types_seen_by(&t.admin()).await,
        [
            "invitation.accepted",
            "invitation.created",
            "organization.created",
            "session.started",
            "team.created",
            "user.created",
            "user.updated"
        ]
    );
    assert!(!types_seen_by(&stranger).await.contains(&"team.created".to_owned()));
    assert_eq!(t.anonymous().gql(PAGE, json!({})).await.code(), "UNAUTHENTICATED");

    let answer = rep.gql(PAGE, json!({ "types": ["team.created", "session.started"] })).await;
    let nodes = answer.ok()["changes"]["nodes"].as_array().expect("nodes").clone();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0]["after"], json!({ "name": "North", "parentId": null }));
}

async fn the_audit_trail_is_for_administrators_and_newest_first(t: TestApp) {
    let rep = t.user("REP", "Rosa Rep").await;
    t.team("North", None).await;
    t.settle().await;
    let query = "query($first: Int, $after: String, $filter: AuditFilter) { \
                 auditEntries(first: $first, after: $after, filter: $filter) { totalCount \
                 nodes { requestId hash change { position type actor { id } } } pageInfo { hasNextPage endCursor } } }";
    assert_eq!(rep.gql(query, json!({})).await.code(), "FORBIDDEN");
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = t.admin().gql(query, json!({ "first": 3, "after": after })).await;
        let part = answer.ok()["auditEntries"].clone();
        let nodes = part["nodes"].as_array().expect("nodes");
        seen.extend(nodes.iter().map(|node| node["change"]["position"].as_i64().expect("a number")));
        after = part["pageInfo"]["endCursor"].clone();
        if part["pageInfo"]["hasNextPage"] == false {
            assert_eq!(part["totalCount"], seen.len());
            break;
        }
    }
    let all: Vec<i64> = (1..=seen.len() as i64).rev().collect();
    assert_eq!(seen, all);

    // The entry names the request that made it.
    let created = t.admin().mutate("createTeam", json!({ "name": "South" }), "team { id }").await;
    let request_id = created.answer.headers["x-request-id"].to_str().expect("text").to_owned();
    t.settle().await;
    let team = created.ok()["team"]["id"].clone();
    for filter in [
        json!({ "subjectId": team }),
        json!({ "types": ["team.created"], "from": "2026-01-15T09:00:00Z", "to": "2026-01-15T09:00:01Z" }),
    ] {
        let answer = t.admin().gql(query, json!({ "first": 1, "filter": filter })).await;
        let entry = &answer.ok()["auditEntries"]["nodes"][0];
        assert_eq!(
            (&entry["requestId"], &entry["change"]["type"]),
            (&json!(request_id), &json!("team.created"))
        );
    }
    let by_rep = t.admin().gql(query, json!({ "filter": { "actorId": rep.id } })).await;
    let types: Vec<_> = by_rep.ok()["auditEntries"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|n| n["change"]["type"].clone())
        .collect();
    assert_eq!(types, ["session.started", "user.updated", "invitation.accepted"]);
    let later = t.admin().gql(query, json!({ "filter": { "from": "2026-01-15T09:00:01Z" } })).await;
    assert_eq!(later.ok()["auditEntries"]["totalCount"], 0);
}

async fn a_subscription_follows_the_feed_from_a_cursor(t: TestApp) {
    t.team("Before", None).await;
    t.settle().await;
    let (_, cursor) = read_all(&t.admin(), Value::Null, 100).await;
    t.team("Between", None).await;
    let watch =
        "subscription($after: String) { changes(after: $after, types: [\"team.created\"]) { after } }";
    let mut stream = t.admin().stream(watch, json!({ "after": cursor })).await;
    assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
    let name = |event: Option<Value>| event.expect("an event")["data"]["changes"]["after"]["name"].clone();
    assert_eq!(name(stream.next().await), "Between", "nothing after the cursor is missed");
    let mut fresh = t.admin().stream(watch, json!({})).await;
    // The answer begins before the server has looked where the feed ends, so one change could come too early.
    let live = async {
        for number in 0.. {
            t.team(&format!("Live {number}"), None).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let first = tokio::select! {
        event = fresh.next() => name(event),
        () = live => Value::Null,
    };
    assert!(first.as_str().is_some_and(|name| name.starts_with("Live")), "without a cursor only what is new");
    assert_eq!(name(stream.next().await), "Live 0");

    let refused = t.anonymous().stream(watch, json!({})).await.next().await.expect("an event");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

async fn a_stream_ends_with_the_session(t: TestApp) {
    let rep = t.user("REP", "Rosa Rep").await;
    t.settle().await;
    let mut stream = rep.stream("subscription { changes { type } }", json!({})).await;
    // The stream stands before the session ends.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let input = json!({ "id": rep.id, "version": t.version(&rep.id).await, "status": "DEACTIVATED" });
    t.admin().mutate("updateUser", input, "user { id }").await.ok();
    let event = stream.next().await.expect("an event");
    assert_eq!(event["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{event}");
    assert_eq!(stream.next().await, None);
    assert_eq!(t.sign_in(ADMIN_EMAIL, crate::support::PASSWORD).await.gql(PAGE, json!({})).await.code(), "");
}

async fn wrong_cursors_and_types_are_refused(t: TestApp) {
    for (variables, reason) in [
        (json!({ "after": "x" }), "INVALID_FORMAT"),
        (json!({ "after": "ZmVlZDotMQ" }), "INVALID_FORMAT"),
        (json!({ "after": "ZmVlZDo5MjIzMzcyMDM2ODU0Nzc1ODA4" }), "INVALID_FORMAT"),
        (json!({ "first": 0 }), "OUT_OF_RANGE"),
        (json!({ "first": 101 }), "OUT_OF_RANGE"),
        (json!({ "types": ["deal.won", "no.such"] }), "INVALID_FORMAT"),
        (json!({ "types": vec!["deal.won"; 51] }), "TOO_MANY"),
    ] {
        let answer = t.admin().gql(PAGE, variables.clone()).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{variables}: {}", answer.text);
        assert_eq!(answer.errors[0]["extensions"]["reason"], reason, "{variables}");
    }
    // A cursor behind the end is no error: it waits for what comes.
    let far = t.admin().gql(PAGE, json!({ "after": "ZmVlZDo5MjIzMzcyMDM2ODU0Nzc1ODA3" })).await;
    assert_eq!(far.ok()["changes"]["nodes"], json!([]));
}
