//! Notices of complaints: who of ours is told of what, when, and what a live list tells.

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::{office, policy, record};
use crate::customers::{change, collect};
use crate::support::{PASSWORD, Person, TestApp, both};

both!(
    a_new_complaint_is_told_at_once_to_those_who_share_it,
    a_rung_tells_whom_it_names_in_service_hours,
    what_waits_is_taken_back_when_the_complaint_ends,
    a_live_list_tells_each_change_to_whom_may_see_it,
);

/// `name: subject (dueAt, state)` of every notice, in no particular order.
async fn notices(t: &TestApp) -> Vec<String> {
    let query = "{ outbox(first: 100) { nodes { purpose user { name } subject dueAt state aboutType } } }";
    let nodes = t.admin().query(query).await["outbox"]["nodes"].clone();
    let text = |node: &Value| {
        let due = node["dueAt"].as_str().map_or("-", |at| &at[8..16]);
        let word = |value: &Value| value.as_str().expect("a word").to_owned();
        assert_eq!((&node["purpose"], &node["aboutType"]), (&json!("NOTICE"), &json!("complaint")));
        format!(
            "{}: {} ({due}, {})",
            word(&node["user"]["name"]),
            word(&node["subject"]),
            word(&node["state"])
        )
    };
    let mut notices: Vec<_> = nodes.as_array().expect("nodes").iter().map(text).collect();
    notices.sort();
    notices
}

/// A manager with a seller, a service desk of two with a manager of its own, and a customer of the seller.
struct Cast {
    rep: Person,
    agent: Person,
    customer: String,
}

impl Cast {
    async fn new(t: &TestApp) -> Self {
        office(t).await;
        policy(t, "All", [120, 9_600, 9_600, 9_600], json!({})).await;
        let sales = t.team("Sales", None).await;
        t.user_in("MANAGER", "Mara", &sales, "LEAD").await;
        let rep = t.user_in("REP", "Rita", &sales, "MEMBER").await;
        let desk = t.team("Desk", None).await;
        t.user_in("MANAGER", "Dora", &desk, "LEAD").await;
        let agent = t.user_in("SERVICE_AGENT", "Sara", &desk, "MEMBER").await;
        t.user_in("SERVICE_AGENT", "Sven", &desk, "MEMBER").await;
        let customer = collect(&rep, json!({ "name": "Rhein" })).await;
        Self { rep, agent, customer }
    }

    async fn pass(&mut self, t: &mut TestApp, minutes: i64) {
        t.later(Duration::minutes(minutes)).await;
        for person in [&mut self.rep, &mut self.agent] {
            person.client = t.sign_in(&person.email, PASSWORD).await;
        }
        t.run_jobs().await;
    }
}

async fn a_new_complaint_is_told_at_once_to_those_who_share_it(t: TestApp) {
    let cast = Cast::new(&t).await;
    record(&cast.agent, &cast.customer, json!({})).await;
    let subject = "Complaint R-000001: The printer smokes (15T09:00, WAITING)";
    assert_eq!(notices(&t).await, ["Rita", "Sven"].map(|name| format!("{name}: {subject}")));
    // Whom it may be about is not told, and neither is whoever leads them.
    record(&cast.agent, &cast.customer, json!({ "confidentiality": "CONFIDENTIAL" })).await;
    let told = notices(&t).await;
    let of_second: Vec<_> = told.iter().filter(|notice| notice.contains("R-000002")).collect();
    assert_eq!(of_second, ["Sven: Complaint R-000002: The printer smokes (15T09:00, WAITING)"]);
}

async fn a_rung_tells_whom_it_names_in_service_hours(mut t: TestApp) {
    let mut cast = Cast::new(&t).await;
    record(&cast.agent, &cast.customer, json!({})).await;
    cast.pass(&mut t, 120).await;
    let of = |rung: &str, names: &[&str]| -> Vec<String> {
        let text = |name: &&str| format!("{name}: Escalation of complaint R-000001 ({rung}, WAITING)");
        names.iter().map(text).collect()
    };
    let mut expected = of("ACK, rung 1) (15T11:00", &["Sara"]);
    expected.extend(of("ACK, rung 2) (15T11:00", &["Dora"]));
    expected.extend(of("ACK, rung 3) (15T11:00", &["Dora", "Mara"]));
    expected.sort();
    let escalations = |notices: Vec<String>| -> Vec<String> {
        notices.into_iter().filter(|notice| notice.contains("Escalation")).collect()
    };
    assert_eq!(escalations(notices(&t).await), expected);
    t.run_jobs().await;
    assert_eq!(escalations(notices(&t).await).len(), expected.len(), "each is told once");
    // At night a notice waits for the morning, but not where somebody is in danger. Managers may not see what is
    // confidential: administrators are told in their place.
    cast.pass(&mut t, 8 * 60).await;
    let quiet = json!({ "confidentiality": "CONFIDENTIAL" });
    let danger = json!({ "isSafetyRisk": true });
    for more in [quiet, danger] {
        record(&cast.agent, &cast.customer, more).await;
    }
    let leave = json!({ "userId": cast.agent.id, "version": t.version(&cast.agent.id).await,
        "from": "2026-01-15", "to": "2026-01-15" });
    t.admin().mutate("recordLeave", leave, "user { id }").await.ok();
    t.run_jobs().await;
    let away: Vec<_> = notices(&t).await.into_iter().filter(|notice| notice.contains("OWNER_AWAY")).collect();
    assert_eq!(
        away,
        [
            "Ada Administrator: Escalation of complaint R-000002 (OWNER_AWAY, rung 2) (16T09:00, WAITING)",
            "Dora: Escalation of complaint R-000001 (OWNER_AWAY, rung 2) (16T09:00, WAITING)",
            "Dora: Escalation of complaint R-000003 (OWNER_AWAY, rung 2) (15T19:00, WAITING)",
        ]
    );
}

async fn what_waits_is_taken_back_when_the_complaint_ends(t: TestApp) {
    let cast = Cast::new(&t).await;
    let first = record(&cast.agent, &cast.customer, json!({})).await;
    let second = record(&cast.agent, &cast.customer, json!({})).await;
    let into = json!({ "intoId": first });
    change(&t, &cast.agent, "mergeComplaint", &second, into, "complaint { id }").await.ok();
    let mut states: Vec<_> = notices(&t).await;
    states.retain(|notice| notice.starts_with("Rita"));
    assert_eq!(
        states,
        [
            "Rita: Complaint R-000001: The printer smokes (15T09:00, WAITING)",
            "Rita: Complaint R-000002: The printer smokes (-, DROPPED)",
        ]
    );
}

async fn a_live_list_tells_each_change_to_whom_may_see_it(t: TestApp) {
    let cast = Cast::new(&t).await;
    let live =
        "subscription($filter: ComplaintFilter) { complaintChanged(filter: $filter) { subject state } }";
    let open = json!({ "filter": { "isOpen": { "eq": true } } });
    let mut desk = cast.agent.stream(live, json!({})).await;
    let mut rep = cast.rep.stream(live, open).await;
    let outsider = t.user("REP", "Olaf").await;
    let mut stranger = outsider.stream(live, json!({})).await;
    let finance = t.user("FINANCE", "Fina").await;
    let mut refused = finance.stream(live, json!({})).await;
    let code = |event: Option<Value>| event.expect("an event")["errors"][0]["extensions"]["code"].clone();
    assert_eq!(code(refused.next().await), "FORBIDDEN");
    // The answer to a subscription begins before it has looked where the feed ends.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    let subject = |event: Option<Value>| {
        let complaint = event.expect("an event")["data"]["complaintChanged"].clone();
        (complaint["subject"].as_str().expect("a subject").to_owned(), complaint["state"].clone())
    };
    let secret = json!({ "subject": "Secret", "confidentiality": "CONFIDENTIAL" });
    record(&cast.agent, &cast.customer, secret).await;
    assert_eq!(subject(desk.next().await), ("Secret".into(), json!("RECORDED")));
    let id = record(&cast.agent, &cast.customer, json!({})).await;
    assert_eq!(subject(desk.next().await).0, "The printer smokes");
    assert_eq!(subject(rep.next().await).0, "The printer smokes", "what is confidential is not told");
    change(&t, &cast.rep, "acknowledgeComplaint", &id, json!({}), "complaint { id }").await.ok();
    assert_eq!(subject(desk.next().await).1, "ACKNOWLEDGED");
    assert_eq!(subject(rep.next().await).1, "ACKNOWLEDGED");
    // Once the customer is somebody else's, so are the complaints.
    let given =
        json!({ "id": cast.customer, "version": t.version(&cast.customer).await, "ownerId": outsider.id });
    t.admin().mutate("assignCustomer", given, "customer { id }").await.ok();
    let note = json!({ "text": "Called." });
    change(&t, &cast.agent, "addComplaintNote", &id, note, "complaint { id }").await.ok();
    assert_eq!(subject(desk.next().await).0, "The printer smokes");
    assert_eq!(subject(stranger.next().await).0, "The printer smokes", "the first that they may see");
}
