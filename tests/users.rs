//! The directory: profiles, roles, memberships, and what happens when several people change one thing.

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp, both};

both!(
    the_directory_is_filtered_sorted_and_paged,
    a_move_keeps_the_history_of_teams,
    stays_in_teams_do_not_overlap,
    the_last_administrator_stays,
    two_administrators_cannot_remove_each_other_at_once,
    of_fifty_equal_changes_one_wins,
    profiles_change_field_by_field,
);

async fn names(t: &TestApp, filter: Value) -> Vec<String> {
    let query =
        "query($filter: UserFilter) { users(first: 100, filter: $filter) { totalCount nodes { name } } }";
    let answer = t.admin().gql(query, json!({ "filter": filter })).await;
    let users = &answer.ok()["users"];
    let names: Vec<String> = users["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| node["name"].as_str().expect("a name").into())
        .collect();
    assert_eq!(users["totalCount"], names.len());
    names
}

async fn the_directory_is_filtered_sorted_and_paged(t: TestApp) {
    let north = t.team("North", None).await;
    let coast = t.team("Coast", Some(&north)).await;
    for (name, team) in [("Zoë Zander", &north), ("ÉMILE Durand", &coast), ("émile durand junior", &coast)]
    {
        let input = json!({
            "name": name, "role": "REP", "teamId": team,
            "email": format!("{}@people.example", name.len()),
        });
        t.admin().mutate("inviteUser", input, "user { id }").await.ok();
    }
    let all = ["Ada Administrator", "Zoë Zander", "ÉMILE Durand", "émile durand junior"];
    assert_eq!(names(&t, json!(null)).await, all, "by their key, byte by byte, on both databases");
    assert_eq!(names(&t, json!({ "name": { "contains": " durand " } })).await, all[2..]);
    assert_eq!(names(&t, json!({ "name": { "eq": "Émile DURAND" } })).await, ["ÉMILE Durand"]);
    assert_eq!(names(&t, json!({ "name": { "contains": "%" } })).await, [""; 0], "no wildcards");
    assert_eq!(names(&t, json!({ "name": { "contains": "_" } })).await, [""; 0]);
    assert_eq!(names(&t, json!({ "role": { "eq": "ADMIN" } })).await, all[..1]);
    assert_eq!(names(&t, json!({ "status": { "in": ["PENDING"] } })).await, all[1..]);
    assert_eq!(names(&t, json!({ "teamId": north })).await, all[1..], "with the teams below");
    assert_eq!(names(&t, json!({ "teamId": coast })).await, all[2..]);
    assert_eq!(
        names(&t, json!({ "not": { "teamId": coast }, "role": { "eq": "REP" } })).await,
        ["Zoë Zander"]
    );
    let either =
        json!({ "or": [{ "name": { "eq": "zoë zander" } }, { "role": { "in": ["ADMIN", "FINANCE"] } }] });
    assert_eq!(names(&t, either).await, all[..2]);

    // Page by page, the same list.
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let query = "query($after: String) { users(first: 3, after: $after) \
                     { edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
        let answer = t.admin().gql(query, json!({ "after": after })).await;
        let page = &answer.ok()["users"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        seen.extend(page["edges"].as_array().expect("edges").iter().map(|edge| edge["node"]["name"].clone()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, all);

    for (arguments, reason) in [
        ("first: 0", "OUT_OF_RANGE"),
        ("first: 101", "OUT_OF_RANGE"),
        ("first: -1", "OUT_OF_RANGE"),
        (r#"after: "x""#, "INVALID_FORMAT"),
        (
            r#"after: "WyJ0ZWFtczpuYW1lIix7InMiOiJhIn0sIjAxOWJiZTI1LTgwYTAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJd""#,
            "INVALID_FORMAT",
        ),
    ] {
        let answer = t.admin().gql(&format!("{{ users({arguments}) {{ totalCount }} }}"), json!({})).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{arguments}: {}", answer.text);
        assert_eq!(answer.errors[0]["extensions"]["reason"], reason, "{arguments}");
    }
}

async fn move_to(t: &TestApp, person: &Person, team: &str, from: Option<&str>) -> Vec<String> {
    let version = t.version(&person.id).await;
    let input = json!({ "userId": person.id, "version": version, "teamId": team, "validFrom": from });
    t.admin().mutate("moveMember", input, "user { id }").await.problems()
}

async fn a_move_keeps_the_history_of_teams(t: TestApp) {
    let (north, south) = (t.team("North", None).await, t.team("South", None).await);
    let person = t.user_in("REP", "Rosa Rep", &north, "MEMBER").await;
    assert_eq!(move_to(&t, &person, &south, Some("2026-02-01")).await, [""; 0]);

    let stays = "query($id: ID!) { node(id: $id) { ... on User { team { name } \
                 memberships { role validFrom validTo team { name } } } } }";
    let read = || async { t.admin().gql(stays, json!({ "id": person.id })).await.ok()["node"].clone() };
    let history = json!([
        { "role": "MEMBER", "validFrom": "2026-01-15", "validTo": "2026-02-01", "team": { "name": "North" } },
        { "role": "MEMBER", "validFrom": "2026-02-01", "validTo": null, "team": { "name": "South" } },
    ]);
    assert_eq!(read().await, json!({ "team": { "name": "North" }, "memberships": history }));

    // The organisation's midnight is Berlin's, an hour before that of UTC.
    t.clock.advance(Duration::days(16) + Duration::hours(14));
    let admin = t.sign_in(crate::support::ADMIN_EMAIL, PASSWORD).await;
    let answer = admin.gql(stays, json!({ "id": person.id })).await;
    assert_eq!(answer.ok()["node"], json!({ "team": { "name": "South" }, "memberships": history }));
}

async fn stays_in_teams_do_not_overlap(t: TestApp) {
    let (north, south) = (t.team("North", None).await, t.team("South", None).await);
    let person = t.user_in("REP", "Rosa Rep", &north, "MEMBER").await;
    let overlap = ["input.validFrom: MEMBERSHIP_OVERLAP"];
    for from in ["2026-01-14", "2026-01-15", "2020-01-01"] {
        assert_eq!(move_to(&t, &person, &south, Some(from)).await, overlap, "{from}");
    }
    assert_eq!(move_to(&t, &person, &south, Some("2026-01-16")).await, [""; 0]);
    assert_eq!(move_to(&t, &person, &north, Some("2026-01-16")).await, overlap);
    assert_eq!(move_to(&t, &person, &north, Some("2026-01-15")).await, overlap);
    let stranger = t.other_organization("Elsewhere").await;
    let foreign = stranger.mutate("createTeam", json!({ "name": "Foreign" }), "team { id }").await;
    let foreign = foreign.ok()["team"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(move_to(&t, &person, &foreign, Some("2026-03-01")).await, ["input.teamId: NOT_FOUND"]);
    assert_eq!(move_to(&t, &person, &person.id, Some("2026-03-01")).await, ["input.teamId: INVALID_ID"]);
}

async fn update(t: &TestApp, by: &crate::support::Client, id: &str, change: Value) -> String {
    let mut input = json!({ "id": id, "version": t.version(id).await });
    input.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    by.mutate("updateUser", input, "user { id }").await.code()
}

async fn my_id(client: &crate::support::Client) -> String {
    client.query("{ viewer { user { id } } }").await["viewer"]["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

async fn the_last_administrator_stays(t: TestApp) {
    let admin = my_id(&t.admin()).await;
    for change in [json!({ "role": "MANAGER" }), json!({ "status": "DEACTIVATED" })] {
        assert_eq!(update(&t, &t.admin(), &admin, change).await, "LAST_ADMIN");
    }
    // A pending or a deactivated administrator is none who could help.
    let pending = json!({ "email": "p@people.example", "name": "Pia Pending", "role": "ADMIN" });
    t.admin().mutate("inviteUser", pending, "user { id }").await.ok();
    assert_eq!(update(&t, &t.admin(), &admin, json!({ "role": "REP" })).await, "LAST_ADMIN");
    let second = t.user("ADMIN", "Sam Second").await;
    assert_eq!(update(&t, &t.admin(), &second.id, json!({ "status": "DEACTIVATED" })).await, "");
    assert_eq!(update(&t, &t.admin(), &admin, json!({ "role": "REP" })).await, "LAST_ADMIN");
    assert_eq!(update(&t, &t.admin(), &second.id, json!({ "status": "ACTIVE" })).await, "");
    assert_eq!(update(&t, &t.admin(), &admin, json!({ "role": "REP" })).await, "");
}

async fn two_administrators_cannot_remove_each_other_at_once(t: TestApp) {
    let first = my_id(&t.admin()).await;
    let second = t.user("ADMIN", "Sam Second").await;
    let demote = |by: &crate::support::Client, id: &str, version: i64| {
        let input = json!({ "id": id, "version": version, "role": "REP" });
        let by = by.clone();
        async move { by.mutate("updateUser", input, "user { id }").await.code() }
    };
    for round in 0..6 {
        let versions = (t.version(&first).await, t.version(&second.id).await);
        // Each steps down; or each removes the other.
        let (a, b) = if round % 2 == 0 {
            tokio::join!(demote(&t.admin(), &first, versions.0), demote(&second, &second.id, versions.1))
        } else {
            tokio::join!(demote(&t.admin(), &second.id, versions.1), demote(&second, &first, versions.0))
        };
        let codes = [a, b];
        assert_eq!(codes.iter().filter(|code| code.is_empty()).count(), 1, "round {round}: {codes:?}");
        let admins = "SELECT COUNT(*) FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'";
        assert_eq!(t.sql().await.number(admins).await, 1, "round {round}");
        // The one who is left makes the other an administrator again.
        for (client, other) in [(t.admin(), &second.id), (second.client.clone(), &first)] {
            let input = json!({ "id": other, "version": version_as(&client, other).await, "role": "ADMIN" });
            client.mutate("updateUser", input, "user { id }").await;
        }
    }
}

async fn version_as(client: &crate::support::Client, id: &str) -> i64 {
    let query = "query($id: ID!) { node(id: $id) { ... on User { version } } }";
    client.gql(query, json!({ "id": id })).await.ok()["node"]["version"].as_i64().expect("a version")
}

async fn of_fifty_equal_changes_one_wins(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let version = t.version(&person.id).await;
    let input = json!({ "id": person.id, "version": version, "name": "Rosa Representative" });
    let copies = (0..50).map(|_| {
        let (client, input) = (t.admin(), input.clone());
        async move { client.mutate("updateUser", input, "user { version }").await.code() }
    });
    let mut codes = futures_util::future::join_all(copies).await;
    codes.sort();
    assert_eq!(codes, [vec![""], vec!["CONFLICT"; 49]].concat());
    assert_eq!(t.version(&person.id).await, version + 1);
    let events =
        "SELECT COUNT(*) FROM events WHERE kind = 'user.updated' AND after LIKE '%Rosa Representative%'";
    assert_eq!(t.sql().await.number(events).await, 1);
}

async fn profiles_change_field_by_field(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    let other = t.user("REP", "Oli Other").await;
    let fields = "user { name email role status hiredOn version }";
    let version = t.version(&person.id).await;
    let input =
        json!({ "id": person.id, "version": version, "hiredOn": "2025-11-30", "name": "  Rosa  Q. Rep " });
    let outcome = t.admin().mutate("updateUser", input, fields).await;
    assert_eq!(
        outcome.ok()["user"],
        json!({
            "name": "Rosa  Q. Rep", "email": person.email, "role": "REP", "status": "ACTIVE",
            "hiredOn": "2025-11-30", "version": version + 1,
        })
    );
    for (change, code) in [
        (json!({ "email": other.email.to_uppercase() }), "TAKEN"),
        (json!({ "name": "" }), "REQUIRED"),
        (json!({ "name": "x".repeat(201) }), "TOO_LONG"),
        (json!({ "name": "a\u{7}b" }), "INVALID_CHARACTER"),
        (json!({ "status": "PENDING" }), "INVALID_TRANSITION"),
    ] {
        assert_eq!(update(&t, &t.admin(), &person.id, change.clone()).await, code, "{change}");
    }
    let stale = json!({ "id": person.id, "version": version, "name": "Too late" });
    assert_eq!(t.admin().mutate("updateUser", stale, fields).await.code(), "CONFLICT");
    for client in [&person, &other] {
        assert_eq!(update(&t, client, &person.id, json!({ "name": "Self made" })).await, "FORBIDDEN");
    }
}
