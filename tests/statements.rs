//! What a page costs: SQL statements per request, whatever the number of rows.

use serde_json::json;

use crate::support::{TestApp, both};

both!(a_page_costs_few_statements_however_many_rows);

/// Statements that a page of customers with owner and newest deals may take, the one for the session included.
const CUSTOMERS_MAX: u32 = 4;

/// Twenty customers with six deals and two activities each, of four people in two teams.
async fn fill(t: &TestApp) {
    let mut people = Vec::new();
    for (index, team) in ["North", "South"].into_iter().enumerate() {
        let team = t.team(team, None).await;
        for member in 0..2 {
            people.push(t.user_in("REP", &format!("Rep {index}{member}"), &team, "MEMBER").await);
        }
    }
    let product = t.admin().mutate("createProduct", json!({ "name": "Thing" }), "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    for number in 0..20 {
        let person = &people[number % people.len()];
        let input = json!({ "kind": "COMPANY", "name": format!("Customer {number}") });
        let customer = person.mutate("createCustomer", input, "customer { id }").await;
        let customer = customer.ok()["customer"]["id"].clone();
        for deal in 0..6 {
            let value = json!({ "amount": "100.00", "currency": "EUR" });
            let name = format!("Deal {number}.{deal}");
            let input = json!({ "name": name, "customerId": customer, "productId": product, "value": value });
            let deal = person.mutate("createDeal", input, "deal { id }").await;
            let win = json!({ "id": deal.ok()["deal"]["id"], "version": 1 });
            person.mutate("winDeal", win, "deal { id }").await.ok();
        }
        for note in ["First", "Second"] {
            let input = json!({ "kind": "NOTE", "note": note, "customerId": customer });
            person.mutate("logActivity", input, "activity { id }").await.ok();
        }
    }
    t.settle().await;
}

async fn a_page_costs_few_statements_however_many_rows(t: TestApp) {
    fill(&t).await;
    let mut faults = Vec::new();
    for (name, list, fields, most) in [
        ("customers", "customers", "name owner { name } deals(first: 5) { nodes { name } }", CUSTOMERS_MAX),
        ("customers with counts", "customers", "deals { totalCount } activities { totalCount }", 6),
        (
            "customers with all",
            "customers",
            "collectedBy { name } stageHistory { to } activities(first: 2) { nodes { note user { name } } }",
            5,
        ),
        (
            "deals",
            "deals",
            "owner { name team { name } } customer { name owner { name } } product { name } credits { user { name } }",
            12,
        ),
        ("activities", "activities", "customer { name } deal { name } user { name } recordedBy { name }", 4),
        ("users", "users", "team { name parent { name } } memberships { team { name } }", 5),
        (
            "users with revenue",
            "users",
            "wonRevenue(period: { kind: MONTH, start: \"2026-01-01\" }) { amount }",
            3,
        ),
        ("teams", "teams", "parent { name } children { name }", 3),
        ("changes", "changes", "type actor { name }", 8),
    ] {
        let cost = async |first: u32| {
            let query = format!("{{ {list}(first: {first}) {{ nodes {{ id {fields} }} }} }}");
            let answer = t.admin().gql(&query, json!({})).await;
            let found = answer.ok()[list]["nodes"].as_array().expect("nodes").len();
            (found, answer.statements)
        };
        let (few, many) = (cost(2).await, cost(20).await);
        assert!(many.0 > few.0 || name == "teams", "{name}: {few:?}, {many:?}");
        if few.1 > most || many.1 > most {
            faults.push(format!("{name}: (rows, statements) {few:?} and {many:?}, at most {most}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let one = t.admin().gql("{ viewer { role } }", json!({})).await;
    assert_eq!((one.ok()["viewer"]["role"].as_str(), one.statements), (Some("ADMIN"), 1));
}
