//! What is at stake with customers who complain, the warning of who sells to them, and complaints that may be the same.

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::{in_state, record};
use crate::customers::{Cast, change, collect, node, values};
use crate::support::{Client, TestApp, both};

both!(
    what_is_at_stake_is_told_to_whom_it_concerns,
    whoever_sells_is_warned_of_a_serious_complaint,
    complaints_that_may_be_the_same_are_suggested,
    a_page_of_customers_costs_as_many_statements_as_one,
);

const EXPOSURE: &str = "... on Customer { complaintExposure { openComplaints seriousComplaints hasSeriousComplaint \
    hearers revenueAtRisk { amount currency } } warnings { code } }";

async fn exposure(by: &Client, customer: &str) -> Value {
    node(by, customer, EXPOSURE).await["complaintExposure"].clone()
}

fn worth(amount: &str, currency: &str) -> Value {
    json!({ "amount": amount, "currency": currency })
}

/// A deal of an amount; won unless it stays open.
async fn deal(t: &TestApp, by: &Client, customer: &str, value: Value, won_at: Option<&str>) {
    let opened = "2024-01-01T09:00:00Z";
    let input = json!({ "customerId": customer, "value": value, "openedAt": opened });
    let created = by.mutate("createDeal", input, "deal { id } warnings { code }").await;
    let id = created.ok()["deal"]["id"].as_str().expect("an id").to_owned();
    if let Some(at) = won_at {
        let input = json!({ "wonAt": at, "value": value });
        change(t, by, "winDeal", &id, input, "deal { id }").await.ok();
    }
}

async fn what_is_at_stake_is_told_to_whom_it_concerns(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    deal(&t, &cast.rita, &customer, worth("100.00", "EUR"), None).await;
    deal(&t, &cast.rita, &customer, worth("20.50", "EUR"), Some("2025-06-01T09:00:00Z")).await;
    deal(&t, &cast.rita, &customer, worth("7.00", "USD"), Some("2025-06-01T09:00:00Z")).await;
    // More than a year ago.
    deal(&t, &cast.rita, &customer, worth("1000.00", "EUR"), Some("2025-01-14T09:00:00Z")).await;
    let quiet = json!({ "openComplaints": 0, "seriousComplaints": 0, "hasSeriousComplaint": false, "hearers": 0,
        "revenueAtRisk": [] });
    assert_eq!(exposure(&cast.rita, &customer).await, quiet);

    record(&cast.sara, &customer, json!({})).await;
    in_state(&t, &customer, &cast.sara.id, "CLOSED").await;
    record(&cast.sara, &customer, json!({ "confidentiality": "CONFIDENTIAL", "isSafetyRisk": true })).await;
    let revenue = json!([worth("120.50", "EUR"), worth("7.00", "USD")]);
    for (by, count, serious, revenue) in [
        // Whom a confidential complaint may be about does not learn of it by a figure.
        (&cast.rita.client, 1, 0, &revenue),
        (&cast.lea.client, 1, 0, &revenue),
        (&cast.sara.client, 2, 1, &Value::Null),
        (&t.admin(), 2, 1, &revenue),
    ] {
        let expected = json!({ "openComplaints": count, "seriousComplaints": serious, "hearers": 616 * count,
            "hasSeriousComplaint": serious > 0, "revenueAtRisk": revenue });
        assert_eq!(exposure(by, &customer).await, expected);
    }
    assert_eq!(exposure(&cast.fin, &customer).await, Value::Null);
    assert_eq!(node(&cast.fin, &customer, EXPOSURE).await["warnings"], json!([]));
}

async fn whoever_sells_is_warned_of_a_serious_complaint(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let logged = |by: Client| {
        let input = json!({ "kind": "CALL", "connected": true, "customerId": customer });
        async move {
            by.mutate("logActivity", input, "activity { id } warnings { code message }").await.ok().clone()
        }
    };
    record(&cast.sara, &customer, json!({ "confidentiality": "CONFIDENTIAL", "isSafetyRisk": true })).await;
    let mild = record(&cast.sara, &customer, json!({})).await;
    assert_eq!(logged(cast.rita.client.clone()).await["warnings"], json!([]), "she may not know of the one");
    assert_eq!(
        values(&logged(cast.sara.client.clone()).await["warnings"], "code"),
        ["OPEN_SERIOUS_COMPLAINT"]
    );
    change(&t, &cast.sara, "acknowledgeComplaint", &mild, json!({}), "complaint { id }").await.ok();
    let grave = json!({ "severity": "HIGH", "impact": "LOW", "urgency": "LOW", "isSafetyRisk": false });
    change(&t, &cast.sara, "assessComplaint", &mild, grave, "complaint { id }").await.ok();
    let warned = logged(cast.rita.client.clone()).await["warnings"].clone();
    assert_eq!(values(&warned, "code"), ["OPEN_SERIOUS_COMPLAINT"]);
    assert!(warned[0]["message"].as_str().expect("a text").contains("(1)"));
    let input = json!({ "customerId": customer });
    let created = cast
        .rita
        .mutate("createDeal", input, "deal { customer { warnings { code } } } warnings { code }")
        .await;
    assert_eq!(values(&created.ok()["warnings"], "code"), ["OPEN_SERIOUS_COMPLAINT"]);
    assert_eq!(created.payload["deal"]["customer"]["warnings"], created.payload["warnings"]);
    change(&t, &cast.sara, "markOutOfScope", &mild, json!({ "reason": "Ask them." }), "complaint { id }")
        .await
        .ok();
    assert_eq!(logged(cast.rita.client.clone()).await["warnings"], json!([]));
    let refused =
        cast.rita.mutate("logActivity", json!({ "kind": "CALL" }), "activity { id } warnings { code }").await;
    assert_eq!(refused.payload["warnings"], json!([]), "{}", refused.answer.text);
}

async fn complaints_that_may_be_the_same_are_suggested(mut t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let other = collect(&cast.rita, json!({ "name": "Main" })).await;
    let fields = "complaint { id possibleDuplicates { number } } possibleDuplicates { number }";
    let told = |by: Client, customer: String, number: &str, subject: &str, more: Value| {
        let mut input = json!({ "number": number, "customerId": customer, "subject": subject, "description": "So.",
            "channel": "PHONE", "remedySought": "A new one" });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        async move {
            let payload = by.mutate("recordComplaint", input, fields).await.ok().clone();
            assert_eq!(payload["possibleDuplicates"], payload["complaint"]["possibleDuplicates"]);
            values(&payload["possibleDuplicates"], "number")
        }
    };
    let secret = json!({ "confidentiality": "CONFIDENTIAL" });
    let (sara, rita) = (cast.sara.client.clone(), cast.rita.client.clone());
    let none: [&str; 0] = [];
    assert_eq!(told(sara.clone(), customer.clone(), "1", "The printer smokes", json!({})).await, none);
    assert_eq!(told(sara.clone(), customer.clone(), "2", "Invoice is wrong", json!({})).await, none);
    assert_eq!(told(sara.clone(), other, "3", "The printer smokes", json!({})).await, none);
    assert_eq!(told(sara.clone(), customer.clone(), "4", "Printer smokes badly", secret).await, ["1"]);
    // What somebody may not see is not suggested to them.
    assert_eq!(told(rita, customer.clone(), "5", "The printer smokes", json!({})).await, ["1"]);
    assert_eq!(told(sara, customer, "6", "The printer smokes", json!({})).await, ["5", "1", "4"]);

    t.later(Duration::days(31)).await;
    let admin = t.admin();
    let list = "{ complaints { nodes { number possibleDuplicates { number } } } }";
    admin.gql(list, json!({})).await.ok();
    let answer = admin.gql(list, json!({})).await;
    let found = answer.ok()["complaints"]["nodes"].as_array().expect("nodes").clone();
    let last = found.iter().find(|complaint| complaint["number"] == "6").expect("it");
    assert_eq!(values(&last["possibleDuplicates"], "number"), ["5", "1", "4"], "open ones, however old");
    assert_eq!(answer.statements, 3, "who asks, the list, and the complaints of all its customers");
}

async fn a_page_of_customers_costs_as_many_statements_as_one(t: TestApp) {
    let cast = Cast::new(&t).await;
    let query = format!(
        "{{ customers {{ nodes {{ ... on Customer {{ name }} {EXPOSURE} complaints(first: 1) {{ nodes {{ \
         possibleDuplicates {{ number }} }} }} }} }} }}"
    );
    let mut statements = Vec::new();
    for name in ["Rhein", "Main", "Sued"] {
        let customer = collect(&cast.rita, json!({ "name": name })).await;
        record(&cast.sara, &customer, json!({})).await;
        let answer = cast.rita.gql(&query, json!({})).await;
        answer.ok();
        statements.push(answer.statements);
    }
    assert!(statements[0] == statements[2] && statements[2] <= 6, "{statements:?}");
}
