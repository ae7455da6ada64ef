//! API clients: what a program may do is the meeting of its role and its scopes, and the log tells what it did.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, both};

both!(
    clients_are_made_listed_and_changed,
    a_missing_scope_is_named,
    what_is_for_people_is_for_no_client,
    a_role_limits_its_clients,
    scopes_that_are_taken_away_are_gone_at_once,
    a_write_scope_is_enough_to_write_and_the_log_tells_who_did,
    confidential_complaints_are_for_people,
    a_client_has_keys_and_a_quota_of_its_own,
    clients_of_others_are_not_there,
);

const FIELDS: &str =
    "apiClient { id version name role scopes secretGeneration oldSecretExpiresAt revokedAt lastUsedAt }";

fn errors(answer: &crate::support::Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = |error: &Value| (text(&error["extensions"]["code"]), text(&error["extensions"]["scope"]));
    answer.errors.iter().map(error).collect()
}

async fn refused(client: &Client, query: &str) -> Vec<(String, String)> {
    errors(&client.gql(query, json!({})).await)
}

fn lacks(scope: &str) -> Vec<(String, String)> {
    vec![("INSUFFICIENT_SCOPE".into(), scope.into())]
}

async fn clients_are_made_listed_and_changed(t: TestApp) {
    let create = async |name: &str, role: &str, scopes: &[&str]| {
        let input = json!({ "name": name, "role": role, "scopes": scopes });
        t.admin().mutate("createApiClient", input, FIELDS).await
    };
    let made = create("Zeta form", "SERVICE_AGENT", &["complaints:write", "complaints:read"]).await;
    let client = made.ok()["apiClient"].clone();
    assert_eq!(
        client,
        json!({ "id": client["id"], "version": 1, "name": "Zeta form", "role": "SERVICE_AGENT",
            "scopes": ["complaints:read", "complaints:write"], "secretGeneration": 1, "oldSecretExpiresAt": null,
            "revokedAt": null, "lastUsedAt": null })
    );
    for (name, role, scopes, problem) in [
        ("ZETA  Form", "ADMIN", &["deals:read"][..], "input.name: TAKEN"),
        (" ", "ADMIN", &["deals:read"], "input.name: REQUIRED"),
        ("Sync", "ADMIN", &[], "input.scopes: REQUIRED"),
        ("Sync", "ADMIN", &["deals:read", "deals:approve"], "input.scopes.1: INVALID_FORMAT"),
        ("Sync", "ADMIN", &["deals:read"; 19], "input.scopes: TOO_MANY"),
        ("Sync", "REP", &["deals:read"], "input.role: NOT_APPLICABLE"),
        ("Sync", "MANAGER", &["deals:read"], "input.role: NOT_APPLICABLE"),
        ("Sync", "FINANCE", &["deals:write"], "input.scopes.0: NOT_PERMITTED"),
    ] {
        assert_eq!(create(name, role, scopes).await.problems(), [problem], "{name} {role} {scopes:?}");
    }

    let sync = t.program("Alpha sync", "ADMIN", &["deals:read"]).await;
    t.enter(&sync).await;
    let rep = t.user("REP", "Rosa Rep").await;
    let data = rep
        .query("{ apiClients(first: 1) { totalCount nodes { name lastUsedAt } pageInfo { endCursor } } }")
        .await;
    let list = &data["apiClients"];
    assert_eq!((&list["totalCount"], &list["nodes"][0]["name"]), (&json!(2), &json!("Alpha sync")));
    assert!(list["nodes"][0]["lastUsedAt"].is_string(), "everybody sees who is in use");
    let rest = "query($after: String) { apiClients(after: $after) { nodes { name } } }";
    let rest = rep.gql(rest, json!({ "after": list["pageInfo"]["endCursor"] })).await;
    assert_eq!(rest.ok()["apiClients"]["nodes"], json!([{ "name": "Zeta form" }]));

    let update = async |input: Value| t.admin().mutate("updateApiClient", input, FIELDS).await;
    let changed =
        update(json!({ "id": sync.id, "version": 1, "name": "Beta sync", "role": "FINANCE" })).await;
    let changed = &changed.ok()["apiClient"];
    assert_eq!(
        (&changed["name"], &changed["role"], &changed["version"]),
        (&json!("Beta sync"), &json!("FINANCE"), &json!(2))
    );
    assert!(changed["lastUsedAt"].is_string(), "the use is not forgotten");
    assert_eq!(update(json!({ "id": sync.id, "version": 1, "name": "X" })).await.problems(), [": CONFLICT"]);
    let unfit = update(json!({ "id": sync.id, "version": 2, "role": "SERVICE_AGENT" })).await;
    assert_eq!(unfit.problems(), ["input.scopes.0: NOT_PERMITTED"]);
    assert_eq!(update(json!({ "id": rep.id, "version": 1 })).await.problems(), ["input.id: INVALID_ID"]);
    for name in ["createApiClient", "updateApiClient", "rotateApiClientSecret", "revokeApiClient"] {
        let input = match name {
            "createApiClient" => json!({ "name": "Mine", "role": "ADMIN", "scopes": ["deals:read"] }),
            _ => json!({ "id": sync.id, "version": 2 }),
        };
        assert_eq!(rep.mutate(name, input, "apiClient { id }").await.code(), "FORBIDDEN", "{name}");
    }
}

async fn a_missing_scope_is_named(t: TestApp) {
    let reader = t.enter(&t.program("Reader", "ADMIN", &["customers:read"]).await).await;
    assert_eq!(reader.query("{ customers { totalCount } }").await["customers"]["totalCount"], 0);
    assert_eq!(refused(&reader, "{ deals { totalCount } }").await, lacks("deals:read"));
    assert_eq!(refused(&reader, "{ users { totalCount } }").await, lacks("users:read"));
    assert_eq!(refused(&reader, "{ changes { nodes { type } } }").await, lacks("changes:read"));
    let text = reader.gql("{ deals { totalCount } }", json!({})).await.text;
    assert!(text.contains("This needs the scope deals:read, which the token does not have."), "{text}");

    let input = json!({ "kind": "COMPANY", "name": "Acme" });
    let written = reader.mutate("createCustomer", input.clone(), "customer { id }").await;
    assert_eq!(errors(&written.answer), lacks("customers:write"), "reading is not writing");
    let customer = t.admin().mutate("createCustomer", input, "customer { id }").await;
    let id = &customer.ok()["customer"]["id"];
    // Inside other objects, too: an empty list would be taken for the truth.
    let nested = reader.gql("{ customers { nodes { name deals { totalCount } } } }", json!({})).await;
    assert_eq!(errors(&nested), lacks("deals:read"));
    let writer = t.enter(&t.program("Writer", "ADMIN", &["customers:write"]).await).await;
    let input = json!({ "id": id, "version": 1, "sector": "Steel" });
    let written = writer.mutate("updateCustomer", input, "customer { sector }").await;
    assert_eq!(written.ok()["customer"]["sector"], "Steel", "what was written is answered");
    assert_eq!(refused(&writer, "{ customers { totalCount } }").await, lacks("customers:read"));
}

/// A client of the widest role with all scopes.
async fn widest(t: &TestApp) -> Client {
    let metadata =
        t.anonymous().get("/.well-known/oauth-authorization-server").send().await.expect("an answer");
    let metadata: Value = metadata.json().await.expect("JSON");
    let scopes: Vec<&str> =
        metadata["scopes_supported"].as_array().expect("scopes").iter().filter_map(Value::as_str).collect();
    t.enter(&t.program("Widest", "ADMIN", &scopes).await).await
}

async fn what_is_for_people_is_for_no_client(t: TestApp) {
    let client = widest(&t).await;
    let person = t.user("REP", "Rosa Rep").await;
    let before = t.sql().await.number("SELECT COUNT(*) FROM events").await;
    let month = json!({ "kind": "MONTH", "start": "2026-02-01" });
    let weekly = json!([{ "weekday": "MONDAY", "fromMinute": 540, "toMinute": 1020 }]);
    for (name, input) in [
        ("inviteUser", json!({ "name": "Mallory", "role": "ADMIN", "email": "mallory@people.example" })),
        ("updateUser", json!({ "id": person.id, "version": 2, "role": "ADMIN" })),
        ("createTeam", json!({ "name": "North" })),
        (
            "recordLeave",
            json!({ "userId": person.id, "version": 2, "from": "2026-03-01", "to": "2026-03-01" }),
        ),
        ("createApiClient", json!({ "name": "Child", "role": "ADMIN", "scopes": ["deals:read"] })),
        ("updateOrganization", json!({ "version": 1 })),
        ("createWorkCalendar", json!({ "name": "Hours", "timeZone": "UTC", "weekly": weekly })),
        (
            "createSlaPolicy",
            json!({ "name": "Soon", "ackMinutes": 1, "firstResponseMinutes": 2,
            "updateMinutes": 3, "resolutionMinutes": 4 }),
        ),
        ("closePeriod", json!({ "period": month })),
        ("closeDays", json!({ "through": "2026-01-01" })),
        ("startImport", json!({ "profile": "", "files": [] })),
        ("changePassword", json!({ "currentPassword": "x", "newPassword": "nine loud storks" })),
        ("signOut", json!({})),
    ] {
        let fields = if name == "closeDays" { "closedThrough" } else { "" };
        let outcome = client.mutate(name, input, fields).await;
        assert_eq!(outcome.code(), "FORBIDDEN", "{name}: {}", outcome.answer.text);
        assert!(outcome.answer.text.contains("This is for people"), "{name}: {}", outcome.answer.text);
    }
    assert_eq!(
        refused(&client, "{ auditEntries { totalCount } }").await,
        [("FORBIDDEN".into(), String::new())]
    );
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM events").await, before, "nothing has changed");
}

async fn a_role_limits_its_clients(t: TestApp) {
    let mut team = t.program("Books", "ADMIN", &["deals:read", "complaints:read"]).await;
    let client = t.enter(&team).await;
    assert_eq!(refused(&client, "{ complaints { totalCount } deals { totalCount } }").await, []);
    let input = json!({ "id": team.id, "version": 1, "role": "FINANCE", "scopes": ["deals:read"] });
    t.admin().mutate("updateApiClient", input, "apiClient { id }").await.ok();
    let forbidden = vec![("FORBIDDEN".to_owned(), String::new())];
    assert_eq!(
        refused(&client, "{ complaints { totalCount } }").await,
        forbidden,
        "finance sees no complaints"
    );
    assert_eq!(refused(&client, "{ deals { totalCount } }").await, []);

    // Service agents log activities as their own; a program has none.
    team = t.program("Desk", "SERVICE_AGENT", &["activities:read", "customers:read"]).await;
    let client = t.enter(&team).await;
    assert_eq!(refused(&client, "{ activities { totalCount } }").await, []);
    let note = json!({ "kind": "NOTE", "note": "Called" });
    assert_eq!(client.mutate("logActivity", note, "activity { id }").await.code(), "FORBIDDEN");
}

async fn scopes_that_are_taken_away_are_gone_at_once(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["deals:read", "customers:read"]).await;
    let client = t.enter(&program).await;
    assert_eq!(refused(&client, "{ deals { totalCount } }").await, []);
    let narrow = json!({ "id": program.id, "version": 1, "scopes": ["customers:read", "products:read"] });
    t.admin().mutate("updateApiClient", narrow, "apiClient { id }").await.ok();
    assert_eq!(refused(&client, "{ deals { totalCount } }").await, lacks("deals:read"));
    assert_eq!(refused(&client, "{ customers { totalCount } }").await, []);
    assert_eq!(
        refused(&client, "{ products { totalCount } }").await,
        lacks("products:read"),
        "a token grows never"
    );
    assert_eq!(refused(&t.enter(&program).await, "{ products { totalCount } }").await, []);
}

fn complaint(customer: &Value, owner: Option<&str>) -> Value {
    json!({ "customerId": customer, "ownerId": owner, "subject": "Torn label", "description": "Torn at the edge",
        "channel": "WEB", "noRemedyNamed": true })
}

async fn customer(t: &TestApp) -> Value {
    let input = json!({ "kind": "COMPANY", "name": "Acme" });
    let made = t.admin().mutate("createCustomer", input, "customer { id }").await;
    made.ok()["customer"]["id"].clone()
}

async fn a_write_scope_is_enough_to_write_and_the_log_tells_who_did(t: TestApp) {
    let agent = t.user("SERVICE_AGENT", "Sam Service").await;
    let customer = customer(&t).await;
    let program = t.program("Web form", "SERVICE_AGENT", &["complaints:write"]).await;
    let client = t.enter(&program).await;
    let nobody = client.mutate("recordComplaint", complaint(&customer, None), "complaint { id }").await;
    assert_eq!(nobody.problems(), ["input.ownerId: REQUIRED"], "a program answers for nothing");
    let stranger = json!("djE6Q3VzdG9tZXI6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw");
    let lost =
        client.mutate("recordComplaint", complaint(&stranger, Some(&agent.id)), "complaint { id }").await;
    assert_eq!(lost.problems(), ["input.customerId: NOT_FOUND"]);
    let input = complaint(&customer, Some(&agent.id));
    let made = client.mutate("recordComplaint", input, "complaint { id subject version }").await;
    let id = made.ok()["complaint"]["id"].clone();
    let step = json!({ "id": id, "version": 1 });
    client.mutate("acknowledgeComplaint", step, "complaint { state }").await.ok();

    t.settle().await;
    let query = "query($id: ID!) { node(id: $id) { ... on Complaint { timeline { nodes { type actor { name } client { name } } } } } }";
    let expected = |kind: &str| json!({ "type": kind, "actor": null, "client": { "name": "Web form" } });
    let timeline = agent.gql(query, json!({ "id": id })).await;
    assert_eq!(
        timeline.ok()["node"]["timeline"]["nodes"],
        json!([expected("complaint.recorded"), expected("complaint.acknowledged")])
    );
    let audit = "query($id: ID!) { auditEntries(filter: { actorId: $id }) { totalCount nodes { change { client { id } } } } }";
    let audit = t.admin().gql(audit, json!({ "id": program.id })).await;
    let entry = json!({ "change": { "client": { "id": program.id } } });
    assert_eq!(audit.ok()["auditEntries"], json!({ "totalCount": 2, "nodes": [entry, entry] }));
    let report = t.store.unscoped_verify_events(t.organization).await.expect("read");
    assert!(report.fault.is_none(), "{report:?}");
}

async fn confidential_complaints_are_for_people(t: TestApp) {
    let agent = t.user("SERVICE_AGENT", "Sam Service").await;
    let customer = customer(&t).await;
    let scopes = ["complaints:read", "complaints:write", "customers:read", "changes:read"];
    let client = t.enter(&t.program("Desk", "ADMIN", &scopes).await).await;
    let mut input = complaint(&customer, Some(&agent.id));
    agent.mutate("recordComplaint", input.clone(), "complaint { id }").await.ok();
    input["confidentiality"] = json!("CONFIDENTIAL");
    let made = client.mutate("recordComplaint", input, "complaint { id }").await;
    let id = made.ok()["complaint"]["id"].clone();
    t.settle().await;

    let query = "query($id: ID!) { complaints { totalCount } customers { nodes { complaints { totalCount } } } node(id: $id) { id } }";
    let seen = async |by: &Client| {
        let data = by.gql(query, json!({ "id": id })).await.ok().clone();
        let of_customer = &data["customers"]["nodes"][0]["complaints"]["totalCount"];
        (data["complaints"]["totalCount"].as_i64(), of_customer.as_i64(), data["node"].is_object())
    };
    assert_eq!(seen(&agent).await, (Some(2), Some(2), true));
    assert_eq!(seen(&client).await, (Some(1), Some(1), false), "it may drop one in and not look");
    let step =
        client.mutate("acknowledgeComplaint", json!({ "id": id, "version": 1 }), "complaint { id }").await;
    assert_eq!(step.problems(), ["input.id: NOT_FOUND"]);
    let feed = client.query("{ changes(types: [\"complaint.recorded\"]) { nodes { subjectId } } }").await;
    assert_eq!(feed["changes"]["nodes"].as_array().map(Vec::len), Some(1));
}

async fn a_client_has_keys_and_a_quota_of_its_own(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["customers:write", "customers:read"]).await;
    let client = t.enter(&program).await;
    let body = json!({ "query": "mutation { createCustomer(input: { kind: COMPANY, name: \"Acme\" }) { customer { id } } }" });
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = client.post("/graphql").header("content-type", "application/json");
        let response = request.header("idempotency-key", "order-1").body(body.to_string()).send().await;
        answers.push(crate::support::Answer::read(response.expect("an answer")).await);
    }
    assert_eq!(answers[0].ok(), answers[1].ok());
    assert_eq!(answers[1].headers["idempotency-replayed"], "true");
    assert_eq!(client.query("{ customers { totalCount } }").await["customers"]["totalCount"], 1);

    let rate = evenhand_app::quotas::Rate { capacity: 10, per_second: 1 };
    let node = t.node(|settings| settings.quotas.user = rate).await;
    let other = node.client(&t.enter(&t.program("Other", "ADMIN", &["customers:read"]).await).await);
    let (client, again) = (node.client(&client), node.client(&t.enter(&program).await));
    let mut statuses = Vec::new();
    for turn in 0..12 {
        let by = if turn % 2 == 0 { &client } else { &again };
        statuses.push(by.gql("{ viewer { role } }", json!({})).await.status);
    }
    assert_eq!((statuses[0], statuses[11]), (200, 429), "all of its tokens share one: {statuses:?}");
    assert_eq!(other.gql("{ viewer { role } }", json!({})).await.status, 200);
    node.kill().await;
}

async fn clients_of_others_are_not_there(t: TestApp) {
    let program = t.program("Sync", "ADMIN", &["customers:read", "users:read", "changes:read"]).await;
    let stranger = t.other_organization("Elsewhere").await;
    let found = stranger
        .gql(
            "query($id: ID!) { apiClients { totalCount } node(id: $id) { id } }",
            json!({ "id": program.id }),
        )
        .await;
    assert_eq!(found.ok(), &json!({ "apiClients": { "totalCount": 0 }, "node": null }));
    for name in ["updateApiClient", "rotateApiClientSecret", "revokeApiClient"] {
        let outcome =
            stranger.mutate(name, json!({ "id": program.id, "version": 1 }), "apiClient { id }").await;
        assert_eq!(outcome.problems(), ["input.id: NOT_FOUND"], "{name}");
    }
    let input = json!({ "kind": "COMPANY", "name": "Theirs" });
    let theirs = stranger.mutate("createCustomer", input, "customer { id }").await;
    t.settle().await;
    let client = t.enter(&program).await;
    let id = &theirs.ok()["customer"]["id"];
    let seen = client
        .gql(
            "query($id: ID!) { customers { totalCount } users { totalCount } node(id: $id) { id } }",
            json!({ "id": id }),
        )
        .await;
    assert_eq!(
        seen.ok(),
        &json!({ "customers": { "totalCount": 0 }, "users": { "totalCount": 1 }, "node": null })
    );
    let name = json!({ "name": "sync", "role": "ADMIN", "scopes": ["deals:read"] });
    stranger.mutate("createApiClient", name, "apiClient { id }").await.ok();
}
