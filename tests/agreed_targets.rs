//! Agreed targets through the API: what they still need, and who owes it.

use evenhand_migrations::Migrator;
use sea_orm_migration::MigratorTrait;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, TestApp, both};
use crate::targets::{FIELDS, Sales, id};

both!(
    an_agreed_target_says_what_is_missing,
    whoever_may_sign_for_a_department_sees_what_it_owes,
    departments_of_earlier_targets_are_found_after_the_migration,
);

/// The migration that finds the departments of targets that are agreed already.
const MIGRATION: &str = "m20261125_000013_support_departments";

/// The terms of somebody for whom a department owes something that the target cannot do without.
fn with_support(mut asked: Value, department: &str) -> Value {
    asked["support"] = json!({ "resources": [
        { "kind": "ADVERTISING", "quantity": 2, "dueBy": "2026-02-03", "department": department },
    ] });
    asked
}

/// The codes of what a target still needs, as this reader sees it.
async fn missing(by: &Client, target: &str) -> Vec<String> {
    gaps(by, target).await.into_iter().map(|(code, _)| code).collect()
}

async fn gaps(by: &Client, target: &str) -> Vec<(String, String)> {
    let query = "query($id: ID!) { node(id: $id) { ... on Target { missing { code message } } } }";
    let answer = by.gql(query, json!({ "id": target })).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let gaps = answer.ok()["node"]["missing"].as_array().expect("a list").clone();
    gaps.iter().map(|gap| (text(&gap["code"]), text(&gap["message"]))).collect()
}

async fn an_agreed_target_says_what_is_missing(t: TestApp) {
    let s = Sales::open(t).await;
    let admin = s.t.user("ADMIN", "Ann").await;
    let team = s.mona.mutate("proposeTarget", s.asked(&s.north, 7, &admin.id), FIELDS).await;
    let team = id(&team.ok()["target"]);
    let mut part = with_support(s.asked(&s.rosa.id, 4, &s.mona.id), "Marketing");
    part["parentId"] = json!(team);
    let part = id(&s.lea.mutate("proposeTarget", part, FIELDS).await.ok()["target"]);
    assert_eq!(missing(&s.rosa, &part).await, [""; 0], "nothing waits before both sides have signed");
    for signer in [&s.rosa, &s.lea, &s.mona] {
        s.sign(signer, &part).await.expect("signed");
    }
    // The department, and for each number that has a sum the team.
    let sums = ["ROLL_UP_BROKEN"; 4];
    let found = gaps(&s.lea, &part).await;
    assert_eq!(found[0].1, "Marketing has not signed for ADVERTISING (2) yet.");
    assert_eq!(missing(&s.lea, &part).await, [&["SUPPORT_NOT_COMMITTED"][..], &sums].concat());
    let resource = s.read(&part).await["supportPlan"]["resources"][0]["id"].clone();
    let owed = json!({ "resourceId": resource });
    let signed = s.act(&s.max, "commitSupport", &part, owed).await.expect("signed");
    assert_eq!(signed["state"], "AGREED");
    assert_eq!(missing(&s.lea, &part).await, sums);

    for signer in [&s.lea.client, &s.mona.client, &admin.client] {
        s.sign(signer, &team).await.expect("signed");
    }
    assert_eq!(s.read(&team).await["state"], "AGREED");
    assert_eq!(missing(&s.mona, &team).await, sums, "the members are asked less than the team");

    // A page of targets that wait costs as many statements as one of them.
    let page = async |client: &Client, first: i32| {
        let query = format!("{{ targets(first: {first}) {{ nodes {{ id missing {{ code }} }} }} }}");
        client.gql(&query, json!({})).await
    };
    let (one, both) = (page(&s.t.admin(), 1).await, page(&s.t.admin(), 2).await);
    assert_eq!(both.ok()["targets"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(one.statements, both.statements);

    // The other part makes the unit whole, and nothing is missing any more.
    let mut rest = s.asked(&s.otto.id, 3, &s.mona.id);
    rest["parentId"] = json!(team);
    rest["lines"] = json!([{ "metric": "LEADS_COLLECTED", "quantity": 83 }]);
    s.lea.mutate("proposeTarget", rest, FIELDS).await.ok();
    for target in [&team, &part] {
        assert_eq!(s.read(target).await["state"], "COMMITTED");
        assert_eq!(missing(&s.lea, target).await, [""; 0]);
    }
}

/// Whether a reader finds a target by list, by id, and in the feed; all three agree.
async fn sees(s: &Sales, by: &Client, target: &str) -> bool {
    s.t.settle().await;
    let list = by.gql("{ targets(first: 100) { totalCount nodes { id } } }", json!({})).await;
    let node = by.gql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": target })).await;
    let types: Vec<&str> = vec!["target.proposed", "target.signed", "target.agreed"];
    let feed = "query($types: [String!]) { changes(first: 100, types: $types) { nodes { subjectId } } }";
    let feed = by.gql(feed, json!({ "types": types })).await;
    let found = |list: &Value, key: &str| {
        list.as_array().is_some_and(|nodes| nodes.iter().any(|node| node[key] == json!(target)))
    };
    let in_list = found(&list.data["targets"]["nodes"], "id");
    let ways = [in_list, !node.ok()["node"].is_null(), found(&feed.ok()["changes"]["nodes"], "subjectId")];
    assert!(ways.iter().all(|way| *way == in_list), "list, id, feed: {ways:?}");
    in_list
}

/// A target of Rosa's, with support owed by a department.
async fn owed_by(s: &Sales, department: &str) -> String {
    let asked = with_support(s.asked(&s.rosa.id, 4, &s.mona.id), department);
    id(&s.lea.mutate("proposeTarget", asked, FIELDS).await.ok()["target"])
}

async fn agree(s: &Sales, target: &str) {
    for signer in [&s.rosa, &s.lea, &s.mona] {
        s.sign(signer, target).await.expect("signed");
    }
}

async fn whoever_may_sign_for_a_department_sees_what_it_owes(t: TestApp) {
    let mut s = Sales::open(t).await;
    let teams = s.t.admin().query("{ teams(first: 100) { nodes { id name } } }").await;
    let teams = teams["teams"]["nodes"].as_array().expect("teams").clone();
    let marketing = id(teams.iter().find(|team| team["name"] == "Marketing").expect("marketing"));
    let below = s.t.team("Marketing of the South", Some(&marketing)).await;
    let other = s.t.team("Training", None).await;
    let (manager, member) = ("MANAGER", "MEMBER");
    let mia = s.t.user_in(manager, "Mia", &marketing, member).await;
    let ron = s.t.user_in("REP", "Ron", &marketing, member).await;
    let sol = s.t.user_in("SERVICE_AGENT", "Sol", &marketing, member).await;
    let fin = s.t.user_in("FINANCE", "Fin", &marketing, member).await;
    let pia = s.t.user_in(manager, "Pia", &below, "LEAD").await;
    let nia = s.t.user_in(manager, "Nia", &other, "LEAD").await;
    let alone = s.t.user(manager, "Ada").await;
    let stranger = s.t.other_organization("Elsewhere").await;

    // Names of departments are compared as those of teams.
    let target = owed_by(&s, " ＭＡＲＫＥＴＩＮＧ").await;
    assert!(!sees(&s, &s.max, &target).await, "nothing is owed before the agreement");
    agree(&s, &target).await;
    let resource = s.read(&target).await["supportPlan"]["resources"][0]["id"].clone();
    let owed = json!({ "resourceId": resource });
    for (name, by, seen, refused) in [
        ("leads the department", &s.max.client, true, None),
        ("belongs to it", &mia.client, true, None),
        ("belongs to it, but a rep does not sign", &ron.client, false, Some("FORBIDDEN")),
        ("belongs to it, but a service agent does not sign", &sol.client, false, Some("FORBIDDEN")),
        ("belongs to it, and sees all", &fin.client, true, None),
        ("leads a team below it", &pia.client, false, Some("NOT_PERMITTED")),
        ("leads another department", &nia.client, false, Some("NOT_PERMITTED")),
        ("is in no team", &alone.client, false, Some("NOT_PERMITTED")),
        ("belongs to another organisation", &stranger, false, Some("NOT_FOUND")),
    ] {
        assert_eq!(sees(&s, by, &target).await, seen, "{name}");
        if let Some(code) = refused {
            let outcome = s.act(by, "commitSupport", &target, owed.clone()).await;
            assert_eq!(outcome, Err(code.to_owned()), "{name}");
        }
    }
    // What is owed and for what, but not how Rosa worked before.
    let query = "query($id: ID!) { node(id: $id) { ... on Target { lines { metric } derivation { seed } \
                 terms { derivation { seed } } achievability { basis } missing { code } \
                 attainment { lines { metric } } } } }";
    let read = async |by: &Client| by.gql(query, json!({ "id": target })).await.ok()["node"].clone();
    let (owner, department) = (read(&s.rosa).await, read(&s.max).await);
    assert!(owner["derivation"]["seed"].is_string());
    assert_eq!(department["lines"], owner["lines"]);
    assert_eq!(
        (&department["derivation"], &department["terms"]["derivation"], &department["achievability"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(owner["attainment"]["lines"], owner["lines"]);
    assert_eq!(department["attainment"]["lines"], json!([]));
    assert_eq!(department["missing"], json!([{ "code": "SUPPORT_NOT_COMMITTED" }]));

    // Whoever leaves the department does not see it any more, and nobody does once nothing is owed.
    let version = s.t.version(&mia.id).await;
    let moved = json!({ "userId": mia.id, "version": version, "teamId": other, "validFrom": "2026-01-16" });
    s.t.admin().mutate("moveMember", moved, "user { id }").await.ok();
    s.later(1).await;
    let mia = s.t.sign_in(&mia.email, PASSWORD).await;
    assert!(!sees(&s, &mia, &target).await);
    let gone = s.act(&s.lea, "withdrawTarget", &target, json!({ "reason": "Moves to the south." })).await;
    assert_eq!(gone.expect("withdrawn")["state"], "WITHDRAWN");
    assert!(!sees(&s, &s.max, &target).await);
    let target = owed_by(&s, "Marketing").await;
    agree(&s, &target).await;
    let owed = json!({ "resourceId": s.read(&target).await["supportPlan"]["resources"][0]["id"] });
    s.act(&s.max, "commitSupport", &target, owed).await.expect("committed");
    assert!(sees(&s, &s.max, &target).await, "it is owed until it is delivered, and on record afterwards");
}

async fn departments_of_earlier_targets_are_found_after_the_migration(t: TestApp) {
    let s = Sales::open(t).await;
    let agreed = owed_by(&s, "MÄRKETING").await;
    agree(&s, &agreed).await;
    let open = with_support(s.asked(&s.otto.id, 4, &s.mona.id), "Märketing");
    s.lea.mutate("proposeTarget", open, FIELDS).await.ok();
    let sql = s.t.sql().await;
    let keys = "SELECT department_key FROM target_departments";
    assert_eq!(sql.texts(keys).await, ["märketing"]);
    let steps =
        Migrator::migrations().iter().rev().position(|step| step.name() == MIGRATION).expect("a step");
    let steps = Some(u32::try_from(steps + 1).expect("few"));
    Migrator::down(&sql.0, steps).await.expect("down");
    Migrator::up(&sql.0, steps).await.expect("up");
    assert_eq!(sql.texts(keys).await, ["märketing"], "nobody owes for what is only proposed");
    let join = "SELECT COUNT(*) FROM target_departments JOIN targets ON targets.org_id = target_departments.org_id \
                AND targets.id = target_departments.target_id WHERE state = 'AGREED'";
    assert_eq!(sql.number(join).await, 1);
}
