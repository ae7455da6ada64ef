//! Samples of the root fields that have to do with complaints.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::samples::{Sample, mutation, none, query, subscription};
use super::world::{World, complaint};

const FIELDS: &str = "complaint { id state subject customer { name } owner { name } }";

/// A fresh complaint of the north after the first `count` steps of the way to a closed one, with what the next step
/// needs.
async fn after(w: &World, count: usize, more: Value) -> Value {
    let steps = w.steps_to_the_end();
    with(w.fresh_complaint(&steps[..count]).await, more)
}

fn with(mut input: Value, more: Value) -> Value {
    if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
        input.extend(more);
    }
    input
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = queries();
    samples.extend(first_steps());
    samples.extend(last_steps());
    samples
}

fn queries() -> Vec<Sample> {
    vec![
        query(
            "Query.complaints",
            "{ complaints(first: 100) { totalCount nodes { id number subject description customer { name } owner { name } \
             accountManager { name } clocks { kind dueAt elapsed policy { name } } } } }",
            none,
        ),
        query(
            "Query.complaints (timeline)",
            "{ complaints(first: 100) { totalCount nodes { timeline { nodes { type after actor { name } } } } } }",
            none,
        ),
        query(
            "Query.complaints (of a customer in the south)",
            "query($id: ID!) { complaints(filter: { customer: { eq: $id } }) { totalCount nodes { subject } } }",
            |w| async { json!({ "id": w.south_customer }) }.boxed(),
        ),
        query(
            "Query.customers (complaints)",
            "{ customers(first: 100) { totalCount nodes { complaints { totalCount nodes { subject } } } } }",
            none,
        ),
        query(
            "Query.customers (exposure)",
            "{ customers(first: 100) { totalCount nodes { complaintExposure { openComplaints seriousComplaints hearers \
             revenueAtRisk { amount } } warnings { code message } } } }",
            none,
        ),
        query(
            "Query.complaints (duplicates)",
            "{ complaints(first: 100) { totalCount nodes { possibleDuplicates { number subject } } } }",
            none,
        ),
        query(
            "Query.node (complaint in the south)",
            "query($id: ID!) { node(id: $id) { ... on Complaint { subject customer { name } timeline { nodes { after } } } } }",
            |w| async { json!({ "id": w.south_complaint }) }.boxed(),
        ),
        // From the beginning of the feed.
        subscription(
            "Subscription.complaintChanged",
            "subscription { complaintChanged(after: \"ZmVlZDow\") { subject customer { name } owner { name } } }",
            none,
        ),
        query(
            "Query.complaintStatistics",
            "{ complaintStatistics(period: { kind: MONTH, start: \"2026-01-01\" }, groupBy: ROOT_CAUSE) { rootCause recorded \
             satisfaction { asked } recurrence { repeats } } }",
            none,
        ),
        query(
            "Query.complaints (surveys)",
            "{ complaints(first: 100) { totalCount nodes { surveys { id state comment } } } }",
            none,
        ),
        query(
            "Query.surveyForm",
            "query($token: String!) { surveyForm(token: $token) { organization complaintNumber questions } }",
            |w| async { json!({ "token": w.survey().await }) }.boxed(),
        ),
        query(
            "Query.surveyScore",
            "{ surveyScore(period: { kind: MONTH, start: \"2026-01-01\" }) { sent answered meanScore low high } }",
            none,
        ),
        query("Query.slaPolicies", "{ slaPolicies(first: 100) { totalCount nodes { id name } } }", none),
        mutation("Mutation.startExport", "export { kind count downloadPath }", |_| {
            async { json!({ "kind": "COMPLAINTS" }) }.boxed()
        }),
        mutation("Mutation.createSlaPolicy", "slaPolicy { id name }", |w| {
            async {
                json!({ "name": format!("New policy {}", w.unique().await), "ackMinutes": 1,
                    "firstResponseMinutes": 2, "updateMinutes": 3, "resolutionMinutes": 4 })
            }
            .boxed()
        }),
        mutation("Mutation.updateSlaPolicy", "slaPolicy { id name }", |w| {
            async {
                let input = json!({ "name": format!("Policy {}", w.unique().await), "ackMinutes": 1,
                    "firstResponseMinutes": 2, "updateMinutes": 3, "resolutionMinutes": 4 });
                let created = w.admin().mutate("createSlaPolicy", input, "slaPolicy { id }").await;
                json!({ "id": created.ok()["slaPolicy"]["id"], "version": 1, "isActive": false })
            }
            .boxed()
        }),
    ]
}

fn first_steps() -> Vec<Sample> {
    vec![
        mutation("Mutation.recordComplaint", FIELDS, |w| {
            async { complaint(&w.north_customer, "northsecret") }.boxed()
        }),
        mutation("Mutation.acknowledgeComplaint", FIELDS, |w| after(w, 0, json!({})).boxed()),
        mutation("Mutation.assessComplaint", FIELDS, |w| {
            let severe =
                json!({ "severity": "LOW", "impact": "LOW", "urgency": "LOW", "isSafetyRisk": false });
            after(w, 1, severe).boxed()
        }),
        mutation("Mutation.assignComplaint", FIELDS, |w| after(w, 0, json!({ "ownerId": w.agent })).boxed()),
        mutation("Mutation.awaitComplaint", FIELDS, |w| {
            let input = json!({ "side": "CUSTOMER", "whom": "Canary", "until": "2026-01-20T09:00:00Z" });
            after(w, 3, input).boxed()
        }),
        mutation("Mutation.resumeComplaint", FIELDS, |w| {
            async {
                // The step before it is none of the way to a closed one.
                let input = json!({ "side": "INTERNAL", "whom": "Canary", "until": "2026-01-20T09:00:00Z" });
                let waiting = after(w, 3, input).await;
                w.northerner().mutate("awaitComplaint", waiting.clone(), "complaint { id }").await.ok();
                json!({ "id": waiting["id"], "version": 5 })
            }
            .boxed()
        }),
        mutation("Mutation.addComplaintNote", FIELDS, |w| after(w, 0, json!({ "text": "Canary" })).boxed()),
    ]
}

fn last_steps() -> Vec<Sample> {
    vec![
        mutation("Mutation.offerResponse", FIELDS, |w| after(w, 3, json!({ "text": "Canary" })).boxed()),
        mutation("Mutation.acceptResponse", FIELDS, |w| after(w, 4, json!({})).boxed()),
        mutation("Mutation.disputeResponse", FIELDS, |w| after(w, 4, json!({ "reason": "Canary" })).boxed()),
        mutation("Mutation.acceptEscalation", FIELDS, |w| {
            async {
                // A dispute raises a rung.
                let offered = after(w, 4, json!({ "reason": "Canary" })).await;
                let disputed = w.northerner().mutate(
                    "disputeResponse",
                    offered.clone(),
                    "complaint { version escalations { id } }",
                );
                let disputed = disputed.await.ok()["complaint"].clone();
                json!({ "id": offered["id"], "version": disputed["version"],
                    "escalationId": disputed["escalations"][0]["id"] })
            }
            .boxed()
        }),
        mutation("Mutation.closeComplaint", FIELDS, |w| {
            after(w, 5, json!({ "rootCause": "CANARY" })).boxed()
        }),
        // Who holds the link is not asked who they are.
        mutation("Mutation.answerSurvey", "answered", |w| {
            async { json!({ "token": w.survey().await, "scores": [4, 4, 4, 4, 4] }) }.boxed()
        }),
        mutation("Mutation.reopenComplaint", FIELDS, |w| after(w, 6, json!({ "reason": "Canary" })).boxed()),
        mutation("Mutation.markOutOfScope", FIELDS, |w| after(w, 2, json!({ "reason": "Canary" })).boxed()),
        mutation("Mutation.mergeComplaint", FIELDS, |w| {
            async {
                let survivor = after(w, 0, json!({})).await;
                after(w, 0, json!({ "intoId": survivor["id"] })).await
            }
            .boxed()
        }),
    ]
}
