//! Lists of complaints: who sees which, in which order, and what a board of them costs; and what the database itself
//! holds to.

use chrono::Duration;
use serde_json::{Value, json};

use crate::complaints::{HOUR, input_of, office, policy, record};
use crate::customers::{Cast, change, collect, node, values};
use crate::support::{Client, TestApp, both};

both!(
    the_database_keeps_the_rules,
    everybody_sees_the_complaints_that_concern_them,
    the_history_of_a_customer_tells_of_complaints,
    complaints_are_filtered_sorted_and_paged,
    a_board_costs_few_statements_however_many_complaints,
);

async fn the_database_keeps_the_rules(t: TestApp) {
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    record(&t.admin(), &customer, json!({})).await;
    record(&t.admin(), &customer, json!({})).await;
    let sql = t.sql().await;
    let one = "WHERE number = 'R-000001'";
    for change in [
        "owner_id = NULL",
        "next_action_due = NULL",
        "state = 'LOST'",
        "severity = 'BAD'",
        "channel = 'PIGEON'",
        "confidentiality = 'SECRET'",
        "ended_at = recorded_at",
        "state = 'CLOSED', severity = 'LOW', impact = 'LOW', urgency = 'LOW', response = '{}', root_cause = 'X'",
        "state = 'CLOSED', severity = 'LOW', impact = 'LOW', urgency = 'LOW', response = '{}', ended_at = recorded_at",
        "state = 'INVESTIGATING'",
        "state = 'OUT_OF_SCOPE', severity = 'LOW', impact = 'LOW', urgency = 'LOW', ended_at = recorded_at",
        "state = 'MERGED', ended_at = recorded_at",
        "state = 'MERGED', ended_at = recorded_at, merged_into_id = id",
        "waiting = '{}'",
        "number_key = 'r-000002'",
        "customer_id = owner_id",
        "owner_id = customer_id",
        "product_id = owner_id",
    ] {
        let refused = sql.try_run(&format!("UPDATE complaints SET {change} {one}")).await;
        assert!(refused.is_err(), "{change}");
    }
    assert_eq!(sql.run(&format!("UPDATE complaints SET level = 1 {one}")).await, 1, "other changes are fine");
}

/// The numbers of the complaints that somebody sees; the code of the refusal where they see none.
async fn seen(by: &Client) -> Vec<String> {
    let answer = by.gql("{ complaints { totalCount nodes { number } } }", json!({})).await;
    if !answer.errors.is_empty() {
        return vec![answer.code().to_owned()];
    }
    let mut numbers = values(&answer.data["complaints"]["nodes"], "number");
    assert_eq!(answer.data["complaints"]["totalCount"], numbers.len());
    numbers.sort();
    numbers
}

async fn everybody_sees_the_complaints_that_concern_them(t: TestApp) {
    let cast = Cast::new(&t).await;
    let stranger = t.other_organization("Elsewhere").await;
    let ritas = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let sids = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let named = |number: &str, more: Value| {
        let mut input = json!({ "number": number });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    record(&cast.sara, &ritas, named("1", json!({}))).await;
    let second = record(&cast.sid, &sids, named("2", json!({ "ownerId": cast.nora.id }))).await;
    let secret = json!({ "confidentiality": "CONFIDENTIAL" });
    let third = record(&cast.sara, &ritas, named("3", secret.clone())).await;
    record(&cast.rita, &ritas, named("4", secret)).await;
    for (who, client, numbers) in [
        ("account manager, and owner of a confidential one", &cast.rita.client, &["1", "4"][..]),
        ("owner of a complaint of a customer of others", &cast.nora, &["2"]),
        ("account manager in the south", &cast.sid, &["2"]),
        ("lead of the north", &cast.lea, &["1", "2"]),
        ("lead of the south", &cast.otto, &["2"]),
        ("service department", &cast.sara, &["1", "2", "3", "4"]),
        ("administrator", &t.admin(), &["1", "2", "3", "4"]),
        ("finance", &cast.fin, &["FORBIDDEN"]),
        ("another organisation", &stranger, &[]),
        ("nobody", &t.anonymous(), &["UNAUTHENTICATED"]),
    ] {
        assert_eq!(seen(client).await, numbers, "{who}");
    }
    // The owner sees the complaint, though not the customer.
    let fields = "... on Complaint { customer { name } owner { name } accountManager { name } }";
    let found = node(&cast.nora, &second, fields).await;
    let expected =
        json!({ "customer": null, "owner": { "name": "Nora" }, "accountManager": { "name": "Sid" } });
    assert_eq!(found, expected);
    assert_eq!(node(&cast.rita, &third, fields).await, Value::Null);
    assert_eq!(node(&cast.fin, &second, fields).await, Value::Null);
    // What somebody does not see they do not change.
    let note = |by: Client| {
        let (t, third) = (t.clone(), third.clone());
        async move {
            let input = json!({ "text": "I was here." });
            change(&t, &by, "addComplaintNote", &third, input, "complaint { id }").await.code()
        }
    };
    assert_eq!(note(cast.rita.client.clone()).await, "NOT_FOUND");
    assert_eq!(note(cast.fin.client.clone()).await, "FORBIDDEN");
    assert_eq!(note(stranger).await, "NOT_FOUND");
    assert_eq!(note(t.anonymous()).await, "UNAUTHENTICATED");
    assert_eq!(note(cast.sara.client.clone()).await, "");
    // Whoever loses the customer loses its complaints with it.
    let given = json!({ "ownerId": cast.sid.id });
    change(&t, &t.admin(), "assignCustomer", &ritas, given, "customer { id }").await.ok();
    assert_eq!(seen(&cast.rita).await, ["4"]);
    assert_eq!(seen(&cast.sid).await, ["1", "2"]);
}

async fn the_history_of_a_customer_tells_of_complaints(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    record(&cast.sara, &customer, json!({ "number": "1" })).await;
    t.clock.advance(Duration::seconds(1));
    record(&cast.sara, &customer, json!({ "number": "2", "confidentiality": "CONFIDENTIAL" })).await;
    t.settle().await;
    let fields =
        "... on Customer { history { nodes { type after } } complaints { totalCount nodes { number } } }";
    for (by, numbers) in [
        (&cast.rita.client, &["1"][..]),
        (&cast.sara, &["2", "1"]),
        (&cast.fin, &[]),
        (&t.admin(), &["2", "1"]),
    ] {
        let found = node(by, &customer, fields).await;
        assert_eq!(values(&found["complaints"]["nodes"], "number"), numbers);
        assert_eq!(found["complaints"]["totalCount"], numbers.len());
        let nodes = found["history"]["nodes"].as_array().expect("nodes").clone();
        let told = nodes.iter().filter(|node| node["type"] == "complaint.recorded");
        let mut told: Vec<&str> = told.filter_map(|node| node["after"]["number"].as_str()).collect();
        told.reverse();
        assert_eq!(told, numbers);
    }
    let twice =
        "... on Customer { complaints(first: 1) { nodes { number } pageInfo { endCursor hasNextPage } } }";
    let page = node(&cast.sara, &customer, twice).await["complaints"].clone();
    assert_eq!((&page["nodes"][0]["number"], &page["pageInfo"]["hasNextPage"]), (&json!("2"), &json!(true)));
    let after = page["pageInfo"]["endCursor"].as_str().expect("a cursor");
    let next =
        format!("... on Customer {{ complaints(first: 1, after: \"{after}\") {{ nodes {{ number }} }} }}");
    let page = node(&cast.sara, &customer, &next).await["complaints"].clone();
    assert_eq!(values(&page["nodes"], "number"), ["1"]);
}

async fn complaints_are_filtered_sorted_and_paged(mut t: TestApp) {
    let rhein = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let main = collect(&t.admin(), json!({ "name": "Main" })).await;
    let sara = t.user("SERVICE_AGENT", "Sara").await;
    let owned = json!({ "number": "1", "subject": "Fax jams", "channel": "FAX", "ownerId": sara.id });
    record(&t.admin(), &rhein, owned).await;
    t.later(Duration::minutes(HOUR)).await;
    let second = record(&t.admin(), &main, json!({ "number": "2" })).await;
    t.later(Duration::minutes(HOUR)).await;
    let third = record(&t.admin(), &main, json!({ "number": "3" })).await;
    for step in ["acknowledgeComplaint", "assessComplaint", "markOutOfScope"] {
        change(&t, &t.admin(), step, &third, input_of(step, "", ""), "complaint { id }").await.ok();
    }
    t.later(Duration::minutes(HOUR)).await;
    change(&t, &t.admin(), "addComplaintNote", &second, json!({ "text": "Hm." }), "complaint { id }")
        .await
        .ok();
    let since = "2026-01-15T11:30:00Z";
    for (filter, numbers) in [
        (json!({}), &["3", "2", "1"][..]),
        (json!({ "isOpen": { "eq": true } }), &["2", "1"]),
        (json!({ "isOpen": { "eq": false } }), &["3"]),
        (json!({ "state": { "in": ["RECORDED", "OUT_OF_SCOPE"] } }), &["3", "2", "1"]),
        (json!({ "state": { "eq": "RECORDED" } }), &["2", "1"]),
        (json!({ "not": { "state": { "eq": "RECORDED" } } }), &["3"]),
        (json!({ "state": { "in": [] } }), &[]),
        (json!({ "severity": { "eq": "HIGH" } }), &["3"]),
        (json!({ "not": { "severity": { "eq": "HIGH" } } }), &["2", "1"]),
        (json!({ "channel": { "eq": "FAX" } }), &["1"]),
        (json!({ "customer": { "eq": main } }), &["3", "2"]),
        (json!({ "owner": { "eq": sara.id } }), &["1"]),
        (json!({ "product": { "missing": true } }), &["3", "2", "1"]),
        (json!({ "subject": { "contains": "FAX" } }), &["1"]),
        (json!({ "number": { "in": ["1", "2"] } }), &["2", "1"]),
        (json!({ "updatedAt": { "gte": since } }), &["2"]),
        (json!({ "recordedAt": { "lte": "2026-01-15T10:00:00Z" } }), &["2", "1"]),
        (json!({ "nextActionDue": { "lte": "2026-01-15T13:00:00Z" } }), &["1"]),
        (json!({ "or": [{ "number": { "eq": "1" } }, { "id": { "eq": second } }] }), &["2", "1"]),
    ] {
        let query = "query($filter: ComplaintFilter) { complaints(filter: $filter) { nodes { number } } }";
        let answer = t.admin().gql(query, json!({ "filter": filter })).await;
        assert_eq!(values(&answer.ok()["complaints"]["nodes"], "number"), numbers, "{filter}");
    }
    for (field, numbers) in [
        ("RECORDED_AT", ["1", "2", "3"]),
        ("UPDATED_AT", ["1", "3", "2"]),
        ("NUMBER", ["1", "2", "3"]),
        ("NEXT_ACTION_DUE", ["1", "2", "3"]),
    ] {
        let mut found = Vec::new();
        let mut after = Value::Null;
        for _ in 0..3 {
            let query = format!(
                "query($after: String) {{ complaints(first: 1, after: $after, orderBy: {{ field: {field} }}) \
                 {{ nodes {{ number }} pageInfo {{ endCursor }} }} }}"
            );
            let answer = t.admin().gql(&query, json!({ "after": after })).await;
            let page = answer.ok()["complaints"].clone();
            found.extend(values(&page["nodes"], "number"));
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(found, numbers, "{field}");
    }
}

async fn a_board_costs_few_statements_however_many_complaints(t: TestApp) {
    office(&t).await;
    policy(&t, "All", [10, 20, 30, 40], json!({})).await;
    let product = t.admin().mutate("createProduct", json!({ "name": "Thing" }), "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    let people = [t.user("REP", "Rosa").await, t.user("REP", "Otto").await];
    let sara = t.user("SERVICE_AGENT", "Sara").await;
    for number in 0..50 {
        let person = &people[number % 2];
        let customer = collect(person, json!({ "name": format!("Customer {number}") })).await;
        let more = json!({ "ownerId": sara.id, "productId": product });
        record(person, &customer, more).await;
    }
    let cost = async |first: u32| {
        let query = format!(
            "{{ complaints(first: {first}, filter: {{ isOpen: {{ eq: true }} }}, orderBy: {{ field: NEXT_ACTION_DUE }}) \
             {{ nodes {{ number state nextActionDue customer {{ name }} owner {{ name }} accountManager {{ name }} \
             product {{ name }} clocks {{ kind dueAt elapsed paused breachedAt policy {{ name }} \
             revisions {{ reason }} }} }} }} }}"
        );
        let answer = sara.gql(&query, json!({})).await;
        let found = answer.ok()["complaints"]["nodes"].as_array().expect("nodes").len();
        (found, answer.statements)
    };
    let (few, many) = (cost(5).await, cost(50).await);
    assert_eq!((few.0, many.0), (5, 50));
    assert!(few.1 == many.1 && many.1 <= 7, "(rows, statements) {few:?} and {many:?}");
}
