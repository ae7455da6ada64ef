//! The team tree.

use serde_json::json;

use crate::support::{TestApp, both};

both!(teams_form_a_tree);

async fn teams_form_a_tree(t: TestApp) {
    let north = t.team("North", None).await;
    let coast = t.team("North Coast", Some(&north)).await;
    let data = t.admin().query("{ teams { totalCount nodes { id name parent { id } children { id } } } }").await;
    assert_eq!(
        data["teams"],
        json!({ "totalCount": 2, "nodes": [
            { "id": north, "name": "North", "parent": null, "children": [{ "id": coast }] },
            { "id": coast, "name": "North Coast", "parent": { "id": north }, "children": [] },
        ] })
    );
}
