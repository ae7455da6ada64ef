//! The team tree.

use serde_json::json;

use crate::support::{TestApp, both};

both!(teams_form_a_tree, wrong_teams_are_refused, a_tree_has_a_bounded_depth);

async fn teams_form_a_tree(t: TestApp) {
    let north = t.team("North", None).await;
    let coast = t.team("North Coast", Some(&north)).await;
    let harbour = t.team("Harbour", Some(&coast)).await;
    let lead = t.user_in("MANAGER", "Lea Lead", &coast, "LEAD").await;
    let member = t.user_in("REP", "Max Member", &harbour, "MEMBER").await;
    let query = "{ teams { totalCount nodes { id name parent { id } children { id } members { totalCount nodes { id } } } } }";
    let data = t.admin().query(query).await;
    let everybody = json!({ "totalCount": 2, "nodes": [{ "id": lead.id }, { "id": member.id }] });
    assert_eq!(
        data["teams"],
        json!({ "totalCount": 3, "nodes": [
            { "id": harbour, "name": "Harbour", "parent": { "id": coast }, "children": [],
              "members": { "totalCount": 1, "nodes": [{ "id": member.id }] } },
            { "id": north, "name": "North", "parent": null, "children": [{ "id": coast }], "members": everybody },
            { "id": coast, "name": "North Coast", "parent": { "id": north }, "children": [{ "id": harbour }],
              "members": everybody },
        ] })
    );
}

async fn wrong_teams_are_refused(t: TestApp) {
    let north = t.team("North", None).await;
    let stranger = t.other_organization("Elsewhere").await;
    let person = t.user("MANAGER", "Lea Lead").await;
    for (input, problem) in [
        (json!({ "name": " NORTH " }), "input.name: TAKEN"),
        (json!({ "name": "" }), "input.name: REQUIRED"),
        (json!({ "name": "x".repeat(201) }), "input.name: TOO_LONG"),
        (json!({ "name": "Coast", "parentId": person.id }), "input.parentId: INVALID_ID"),
        (json!({ "name": "Coast", "parentId": "" }), "input.parentId: INVALID_ID"),
        (json!({ "name": "Coast", "parentId": "bm90IGFuIGlk" }), "input.parentId: INVALID_ID"),
    ] {
        assert_eq!(
            t.admin().mutate("createTeam", input.clone(), "team { id }").await.problems(),
            [problem],
            "{input}"
        );
    }
    let input = json!({ "name": "Coast", "parentId": north });
    let foreign = stranger.mutate("createTeam", input.clone(), "team { id }").await;
    assert_eq!(foreign.problems(), ["input.parentId: NOT_FOUND"]);
    assert_eq!(person.mutate("createTeam", input, "team { id }").await.code(), "FORBIDDEN");
    stranger.mutate("createTeam", json!({ "name": "North" }), "team { id }").await.ok();
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM teams").await, 2);
}

async fn a_tree_has_a_bounded_depth(t: TestApp) {
    let mut parent = t.team("Level 1", None).await;
    for level in 2..=32 {
        parent = t.team(&format!("Level {level}"), Some(&parent)).await;
    }
    let input = json!({ "name": "Level 33", "parentId": parent });
    let outcome = t.admin().mutate("createTeam", input, "team { id }").await;
    assert_eq!(outcome.problems(), ["input.parentId: TOO_MANY"]);
}
