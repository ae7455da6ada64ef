//! Agreed targets through the API: what they still need, and who owes it.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, both};
use crate::targets::{FIELDS, Sales, id};

both!(an_agreed_target_says_what_is_missing,);

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
