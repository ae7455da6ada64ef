//! What is refused of complaints and of the policies that set their clocks, field by field.

use serde_json::json;

use crate::complaints::{complaint_of, in_state, record};
use crate::customers::{Cast, change, collect, node};
use crate::support::{TestApp, both};

both!(wrong_complaints_are_refused, wrong_policies_are_refused);

fn problems(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|problem| format!("input.{problem}")).collect()
}

async fn wrong_complaints_are_refused(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let foreign = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let gone = t.user("REP", "Gus").await;
    let leave = json!({ "id": gone.id, "version": t.version(&gone.id).await, "status": "DEACTIVATED" });
    t.admin().mutate("updateUser", leave, "user { id }").await.ok();
    let everything = json!({ "number": "", "subject": " ", "description": "", "remedySought": "x".repeat(10_001),
        "occurredAt": "2026-01-15T09:00:00.000001Z", "reporter": { "name": "Ada", "addresses": [] },
        "attachments": [{ "name": "a", "reference": "b", "mediaType": "text/html", "bytes": 0 }] });
    let all = [
        "number: REQUIRED",
        "subject: REQUIRED",
        "description: REQUIRED",
        "remedySought: TOO_LONG",
        "reporter.addresses: REQUIRED",
        "occurredAt: IN_FUTURE",
        "attachments.0.mediaType: INVALID_FORMAT",
        "attachments.0.bytes: OUT_OF_RANGE",
    ];
    let ids = ["customerId: INVALID_ID", "productId: INVALID_ID", "ownerId: INVALID_ID"];
    for (more, expected) in [
        (everything, &all[..]),
        (json!({ "remedySought": null }), &["remedySought: REQUIRED"]),
        (json!({ "noRemedyNamed": true }), &["noRemedyNamed: NOT_APPLICABLE"]),
        (json!({ "customerId": "x", "productId": customer, "ownerId": "" }), &ids),
        (json!({ "customerId": foreign }), &["customerId: NOT_FOUND"]),
        (json!({ "ownerId": cast.fin.id }), &["ownerId: NOT_PERMITTED"]),
        (json!({ "ownerId": gone.id }), &["ownerId: USER_DEACTIVATED"]),
        (json!({ "reporter": { "name": "", "addresses": [] } }), &["reporter.name: REQUIRED"]),
    ] {
        let mut input = complaint_of(&customer);
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let outcome = cast.rita.mutate("recordComplaint", input, "complaint { id }").await;
        assert_eq!(outcome.problems(), problems(expected), "{more}");
    }
    let reporter =
        json!({ "name": "Ada", "addresses": [{ "channel": "EMAIL", "address": "ada@example.com" }] });
    let document =
        json!({ "name": "smoke.png", "reference": "s3://b/smoke.png", "mediaType": "image/png", "bytes": 7 });
    let more = json!({ "number": "c-1", "remedySought": null, "noRemedyNamed": true, "reporter": reporter,
        "attachments": [document] });
    let id = record(&cast.rita, &customer, more.clone()).await;
    let fields = "... on Complaint { remedySought reporter { name addresses { channel address } } \
        attachments { name reference mediaType bytes } }";
    let found = node(&cast.rita, &id, fields).await;
    assert_eq!(found, json!({ "remedySought": null, "reporter": reporter, "attachments": [document] }));
    let mut taken = complaint_of(&customer);
    taken["number"] = json!("C-1");
    let outcome = cast.rita.mutate("recordComplaint", taken, "complaint { id }").await;
    assert_eq!(outcome.problems(), ["input.number: TAKEN"]);
    wrong_steps_are_refused(&t, &cast, &customer, &gone.id).await;
}

async fn wrong_steps_are_refused(t: &TestApp, cast: &Cast, customer: &str, gone: &str) {
    for (state, step, input, expected) in [
        ("RECORDED", "assignComplaint", json!({ "ownerId": gone }), "ownerId: USER_DEACTIVATED"),
        ("RECORDED", "assignComplaint", json!({ "ownerId": cast.fin.id }), "ownerId: NOT_PERMITTED"),
        ("RECORDED", "assignComplaint", json!({ "ownerId": customer }), "ownerId: INVALID_ID"),
        ("RECORDED", "addComplaintNote", json!({ "text": "" }), "text: REQUIRED"),
        (
            "INVESTIGATING",
            "awaitComplaint",
            json!({ "side": "INTERNAL", "whom": "Bob", "until": "2026-01-15T09:00:00Z" }),
            "until: OUT_OF_RANGE",
        ),
        (
            "INVESTIGATING",
            "offerResponse",
            json!({ "text": "Take this.", "answerBy": "2026-04-16T09:00:00Z" }),
            "answerBy: OUT_OF_RANGE",
        ),
        ("RESPONSE_OFFERED", "disputeResponse", json!({ "reason": " " }), "reason: REQUIRED"),
        ("RESPONSE_OFFERED", "closeComplaint", json!({ "rootCause": "FUSE" }), "recourse: REQUIRED"),
        ("ACCEPTED", "closeComplaint", json!({ "rootCause": "" }), "rootCause: REQUIRED"),
        (
            "ACCEPTED",
            "closeComplaint",
            json!({ "rootCause": "FUSE", "recourse": "A court" }),
            "recourse: NOT_APPLICABLE",
        ),
        ("CLOSED", "reopenComplaint", json!({ "reason": "" }), "reason: REQUIRED"),
        ("ASSESSED", "markOutOfScope", json!({ "reason": "" }), "reason: REQUIRED"),
    ] {
        let id = in_state(t, customer, &cast.sara.id, state).await;
        let outcome = change(t, &t.admin(), step, &id, input, "complaint { id }").await;
        assert_eq!(outcome.problems(), problems(&[expected]), "{step} of {state}");
    }
    let id = record(&t.admin(), customer, json!({})).await;
    let stale = json!({ "id": id, "version": 2 });
    assert_eq!(t.admin().mutate("acknowledgeComplaint", stale, "complaint { id }").await.code(), "CONFLICT");
}

async fn wrong_policies_are_refused(t: TestApp) {
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let good = json!({ "name": "Good", "ackMinutes": 1, "firstResponseMinutes": 1, "updateMinutes": 1,
        "resolutionMinutes": 527_040 });
    t.admin().mutate("createSlaPolicy", good.clone(), "slaPolicy { id }").await.ok();
    let everything = json!({ "name": "", "ackMinutes": 0, "firstResponseMinutes": -1, "updateMinutes": 527_041,
        "resolutionMinutes": 0 });
    let all = [
        "name: REQUIRED",
        "ackMinutes: OUT_OF_RANGE",
        "firstResponseMinutes: OUT_OF_RANGE",
        "updateMinutes: OUT_OF_RANGE",
        "resolutionMinutes: OUT_OF_RANGE",
    ];
    let ids = json!({ "productId": customer, "calendarId": "x" });
    for (more, expected) in [
        (everything, &all[..]),
        (ids, &["productId: INVALID_ID", "calendarId: INVALID_ID"]),
        (json!({ "name": " GOOD " }), &["name: TAKEN"]),
    ] {
        let mut input = good.clone();
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let outcome = t.admin().mutate("createSlaPolicy", input, "slaPolicy { id }").await;
        assert_eq!(outcome.problems(), problems(expected), "{more}");
    }
    let sara = t.user("SERVICE_AGENT", "Sara").await;
    let mut input = good;
    input["name"] = json!("Other");
    assert_eq!(sara.mutate("createSlaPolicy", input, "slaPolicy { id }").await.code(), "FORBIDDEN");
}
