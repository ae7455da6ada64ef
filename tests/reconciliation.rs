//! Won revenue, and the proof that the figures of persons and teams make up the company's.

use chrono::Duration;
use serde_json::{Value, json};

use crate::customers::{Cast, MALFORMED, collect, values};
use crate::deals::{eur, open};
use crate::support::{ADMIN_EMAIL, Client, PASSWORD, Person, TestApp, both};

both!(
    personal_figures_make_up_the_companys,
    teams_count_who_was_in_them_on_the_day,
    a_cancellation_counts_on_its_own_day,
    the_proof_holds_at_any_moment,
    tampering_is_noticed_and_named,
    revenue_is_seen_within_reach,
);

/// A deal that is won at once, by somebody who may act for its owner.
struct Sale<'a> {
    by: &'a Client,
    customer: &'a str,
    owner: &'a Person,
}

impl Sale<'_> {
    /// Answers the id of the deal, whose version is 2.
    async fn won(&self, value: Value, won_at: &str, credits: Value) -> String {
        let input = json!({ "customerId": self.customer, "ownerId": self.owner.id, "value": value,
            "openedAt": "2025-01-01T00:00:00Z" });
        let id = open(self.by, input).await;
        let input = json!({ "id": id, "version": 1, "wonAt": won_at, "credits": credits });
        self.by.mutate("winDeal", input, "deal { id }").await.ok();
        id
    }
}

async fn cancel(by: &Client, deal: &str, at: Option<&str>) {
    let input = json!({ "id": deal, "version": 2, "reason": "Returned.", "cancelledAt": at });
    by.mutate("cancelDeal", input, "deal { id }").await.ok();
}

const PROOF: &str = "query($kind: PeriodKind!, $start: Date!, $asOf: DateTime) { \
    reconciliation(period: { kind: $kind, start: $start }, asOf: $asOf) { period { kind start end } asOf balanced \
    currencies { currency companyTotal { amount } wonDeals cancelledDeals credited { amount } unassigned { amount } \
    balanced persons { user { name } amount { amount currency } } teams { team { name } amount { amount currency } } \
    firstDifference { deal { number } dealAmount { amount } creditedAmount { amount } } } } }";

async fn proof(by: &Client, kind: &str, start: &str, as_of: Option<&str>) -> Value {
    let answer = by.gql(PROOF, json!({ "kind": kind, "start": start, "asOf": as_of })).await;
    answer.ok()["reconciliation"].clone()
}

/// Names and amounts, in the order of the names.
fn figures(list: &Value, of: &str) -> String {
    let figure = |entry: &Value| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        format!("{} {}", text(&entry[of]["name"]), text(&entry["amount"]["amount"]))
    };
    let mut figures: Vec<String> = list.as_array().expect("figures").iter().map(figure).collect();
    figures.sort();
    figures.join(", ")
}

/// `currency: total = credited + unassigned | persons | teams`, for each currency of a balanced proof.
fn summary(proof: &Value) -> Vec<String> {
    assert_eq!(proof["balanced"], true, "{proof}");
    let side = |side: &Value| {
        assert_eq!((&side["balanced"], &side["firstDifference"]), (&json!(true), &Value::Null));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        format!(
            "{}: {} = {} + {} | {} | {}",
            text(&side["currency"]),
            text(&side["companyTotal"]["amount"]),
            text(&side["credited"]["amount"]),
            text(&side["unassigned"]["amount"]),
            figures(&side["persons"], "user"),
            figures(&side["teams"], "team")
        )
    };
    proof["currencies"].as_array().expect("currencies").iter().map(side).collect()
}

async fn personal_figures_make_up_the_companys(t: TestApp) {
    let cast = Cast::new(&t).await;
    let admin = t.admin();
    let customer = collect(&admin, json!({ "name": "Buyer" })).await;
    let sale = |owner| Sale { by: &admin, customer: &customer, owner };
    let empty = proof(&cast.fin, "MONTH", "2026-01-01", None).await;
    assert_eq!(
        empty,
        json!({ "period": { "kind": "MONTH", "start": "2026-01-01", "end": "2026-01-31" },
            "asOf": "2026-01-15T09:00:00.000000Z", "balanced": true, "currencies": [] })
    );
    let now = "2026-01-15T09:00:00Z";
    let money = |amount: &str, currency: &str| json!({ "amount": amount, "currency": currency });
    // Before anybody was in a team: the company's, and nobody's team's.
    sale(&cast.rita).won(eur("100"), "2026-01-10T00:00:00Z", json!([])).await;
    let split = json!([{ "userId": cast.rita.id, "shareBp": 5_000 }, { "userId": cast.nora.id, "shareBp": 2_500 },
        { "shareBp": 2_500 }, { "userId": cast.sid.id, "kind": "OVERLAY", "shareBp": 10_000 }]);
    sale(&cast.rita).won(eur("50.01"), now, split).await;
    sale(&cast.sid).won(money("10", "USD"), now, json!([])).await;
    sale(&cast.lea).won(money("1000", "JPY"), now, json!([])).await;
    sale(&cast.sid).won(eur("0"), now, json!([])).await;
    // In another period.
    sale(&cast.rita).won(eur("7"), "2025-12-31T22:59:59.999999Z", json!([])).await;

    let january = proof(&cast.fin, "MONTH", "2026-01-01", None).await;
    assert_eq!(
        summary(&january),
        [
            "EUR: 150.01 = 137.51 + 12.50 | Nora 12.50, Rita 125.01, Sid 0.00 | Coast 25.01, North 37.51, South 0.00",
            "JPY: 1000 = 1000 + 0 | Lea 1000 | North 1000",
            "USD: 10.00 = 10.00 + 0.00 | Sid 10.00 | South 10.00",
        ],
        "overlay is outside of the law"
    );
    assert_eq!(
        (&january["currencies"][0]["wonDeals"], &january["currencies"][0]["cancelledDeals"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(
        summary(&proof(&admin, "QUARTER", "2025-10-01", None).await),
        ["EUR: 7.00 = 7.00 + 0.00 | Rita 7.00 | "]
    );
    for (kind, start) in
        [("WEEK", "2026-01-01"), ("MONTH", "2026-01-02"), ("QUARTER", "2026-02-01"), ("YEAR", "2026-02-01")]
    {
        let answer = admin.gql(PROOF, json!({ "kind": kind, "start": start })).await;
        assert_eq!(answer.errors[0]["extensions"]["reason"], "NOT_A_PERIOD_START", "{kind}");
    }
    for (kind, start) in [("DAY", "2026-01-01"), ("MONTH", "2026-13-01"), ("MONTH", "January")] {
        let answer = admin.gql(PROOF, json!({ "kind": kind, "start": start })).await;
        assert!(MALFORMED.contains(&answer.code()), "{kind} {start}: {}", answer.text);
    }
}

async fn teams_count_who_was_in_them_on_the_day(t: TestApp) {
    let cast = Cast::new(&t).await;
    let version = t.version(&cast.rita.id).await;
    let customer = collect(&t.admin(), json!({ "name": "Buyer" })).await;
    let moved = json!({ "userId": cast.rita.id, "version": version, "teamId": cast.south, "validFrom": "2026-02-01" });
    t.admin().mutate("moveMember", moved, "user { id }").await.ok();
    t.clock.advance(Duration::days(19));
    let admin = t.sign_in(ADMIN_EMAIL, PASSWORD).await;
    let sale = Sale { by: &admin, customer: &customer, owner: &cast.rita };
    // Midnight is that of Berlin.
    sale.won(eur("1"), "2026-01-31T22:59:59.999999Z", json!([])).await;
    sale.won(eur("10"), "2026-01-31T23:00:00Z", json!([])).await;
    let (last, first) = ("2026-01-31T22:59:59.999999Z", "2026-01-31T23:00:00Z");
    let before = "EUR: 1.00 = 1.00 + 0.00 | Rita 1.00 | Coast 1.00, North 1.00";
    let both = "EUR: 11.00 = 11.00 + 0.00 | Rita 11.00 | Coast 1.00, North 1.00, South 10.00";
    for (kind, start, as_of, expected) in [
        ("QUARTER", "2026-01-01", None, Some(both)),
        ("YEAR", "2026-01-01", Some(first), Some(both)),
        ("MONTH", "2026-01-01", None, Some(before)),
        ("MONTH", "2026-02-01", None, Some("EUR: 10.00 = 10.00 + 0.00 | Rita 10.00 | South 10.00")),
        ("QUARTER", "2026-01-01", Some(last), Some(before)),
        ("QUARTER", "2026-01-01", Some("2026-01-31T22:59:59.999998Z"), None),
        ("MONTH", "2026-02-01", Some(last), None),
        ("MONTH", "2026-03-01", None, None),
        ("WEEK", "2026-01-26", None, Some(both)),
        ("WEEK", "2026-02-02", None, None),
    ] {
        let found = summary(&proof(&admin, kind, start, as_of).await);
        assert_eq!(found, Vec::from_iter(expected), "{kind} {start} {as_of:?}");
    }
    let query = "{ teams { nodes { name wonRevenue(period: { kind: QUARTER, start: \"2026-01-01\" }) { amount } } } }";
    let teams = admin.query(query).await;
    let amount = |amount: &str| json!([{ "amount": amount }]);
    assert_eq!(
        teams["teams"]["nodes"],
        json!([{ "name": "Coast", "wonRevenue": amount("1.00") }, { "name": "North", "wonRevenue": amount("1.00") },
            { "name": "South", "wonRevenue": amount("10.00") }])
    );
}

async fn a_cancellation_counts_on_its_own_day(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&t.admin(), json!({ "name": "Buyer" })).await;
    let sale = Sale { by: &t.admin(), customer: &customer, owner: &cast.rita };
    let split = json!([{ "userId": cast.rita.id, "shareBp": 6_667 }, { "shareBp": 3_333 }]);
    let deal = sale.won(eur("10"), "2026-01-15T09:00:00Z", split).await;
    let kept = sale.won(eur("5"), "2026-01-15T09:00:00Z", json!([])).await;
    t.clock.advance(Duration::days(26));
    let admin = t.sign_in(ADMIN_EMAIL, PASSWORD).await;
    let january = "EUR: 15.00 = 11.67 + 3.33 | Rita 11.67 | Coast 11.67, North 11.67";
    assert_eq!(summary(&proof(&admin, "MONTH", "2026-01-01", None).await), [january]);
    cancel(&admin, &deal, None).await;
    assert_eq!(summary(&proof(&admin, "MONTH", "2026-01-01", None).await), [january], "it is over");
    let february = proof(&admin, "MONTH", "2026-02-01", None).await;
    assert_eq!(summary(&february), ["EUR: -10.00 = -6.67 + -3.33 | Rita -6.67 | Coast -6.67, North -6.67"]);
    let counts = |proof: &Value| {
        let side = &proof["currencies"][0];
        (side["wonDeals"].as_i64(), side["cancelledDeals"].as_i64())
    };
    assert_eq!(counts(&february), (Some(0), Some(1)));
    let quarter = proof(&admin, "QUARTER", "2026-01-01", None).await;
    assert_eq!(summary(&quarter), ["EUR: 5.00 = 5.00 + 0.00 | Rita 5.00 | Coast 5.00, North 5.00"]);
    assert_eq!(counts(&quarter), (Some(2), Some(1)));
    let then = proof(&admin, "QUARTER", "2026-01-01", Some("2026-02-10T08:59:59.999999Z")).await;
    assert_eq!(summary(&then), [january], "what had happened by then");
    // One that is entered late, with its true date, does change the past.
    cancel(&admin, &kept, Some("2026-01-20T00:00:00Z")).await;
    let late = "EUR: 10.00 = 6.67 + 3.33 | Rita 6.67 | Coast 6.67, North 6.67";
    assert_eq!(summary(&proof(&admin, "MONTH", "2026-01-01", None).await), [late]);
}

async fn the_proof_holds_at_any_moment(t: TestApp) {
    let cast = Cast::new(&t).await;
    let admin = t.admin();
    let customer = collect(&admin, json!({ "name": "Buyer" })).await;
    let owners = [&cast.rita, &cast.nora, &cast.sid, &cast.lea];
    let mut facts: Vec<(String, i64)> = Vec::new();
    for day in 1..=12_u32 {
        let at = format!("2026-01-{day:02}T10:00:00Z");
        let owner = owners[day as usize % owners.len()];
        let other = owners[(day as usize + 1) % owners.len()];
        let minor = i64::from(day) * 101;
        let credits = match day % 3 {
            0 => json!([]),
            1 => json!([{ "userId": owner.id, "shareBp": 3_333 }, { "userId": other.id, "shareBp": 6_667 }]),
            _ => json!([{ "userId": owner.id, "shareBp": 1 }, { "shareBp": 9_999 }]),
        };
        let value = eur(&format!("{}.{:02}", minor / 100, minor % 100));
        let deal = Sale { by: &admin, customer: &customer, owner }.won(value, &at, credits).await;
        facts.push((at, minor));
        if day % 4 == 0 {
            let at = format!("2026-01-{day:02}T20:00:00Z");
            cancel(&admin, &deal, Some(&at)).await;
            facts.push((at, -minor));
        }
    }
    let mut total = 0;
    for (at, minor) in facts {
        let before = format!("{}59:59.999999Z", &at[..14].replace("T10", "T09").replace("T20", "T19"));
        for (as_of, total) in [(before, total), (at, total + minor)] {
            let month = proof(&cast.fin, "MONTH", "2026-01-01", Some(&as_of)).await;
            assert_eq!(month["balanced"], true, "{as_of}: {month}");
            let shown = month["currencies"][0]["companyTotal"]["amount"].as_str().unwrap_or("0.00");
            assert_eq!(shown.replace('.', "").parse::<i64>().expect("a number"), total, "{as_of}");
        }
        total += minor;
    }
}

async fn tampering_is_noticed_and_named(t: TestApp) {
    let cast = Cast::new(&t).await;
    let admin = t.admin();
    let customer = collect(&admin, json!({ "name": "Buyer" })).await;
    let sale = Sale { by: &admin, customer: &customer, owner: &cast.rita };
    for amount in ["10", "20", "30"] {
        sale.won(eur(amount), "2026-01-15T09:00:00Z", json!([])).await;
        t.clock.advance(Duration::seconds(1));
    }
    let sql = t.sql().await;
    let read = || async { proof(&cast.fin, "MONTH", "2026-01-01", None).await };
    let whole = summary(&read().await);
    assert_eq!(whole, ["EUR: 60.00 = 60.00 + 0.00 | Rita 60.00 | Coast 60.00, North 60.00"]);
    let of = |number: u32| format!("WHERE deal_id = (SELECT id FROM deals WHERE number = 'D-00000{number}')");
    let add = |minor: i64, number: u32| {
        format!("UPDATE credit_lines SET amount_minor = amount_minor + {minor} {}", of(number))
    };
    let difference = |number: u32, deal: &str, credited: &str| {
        json!({ "deal": { "number": format!("D-00000{number}") }, "dealAmount": { "amount": deal },
            "creditedAmount": { "amount": credited } })
    };
    let notice = |proof: &Value, expected: Value| {
        assert_eq!((&proof["balanced"], &proof["currencies"][0]["balanced"]), (&json!(false), &json!(false)));
        assert_eq!(proof["currencies"][0]["firstDifference"], expected);
    };
    assert_eq!(sql.run(&add(1, 2)).await, 1);
    let found = read().await;
    notice(&found, difference(2, "20.00", "20.01"));
    assert_eq!(found["currencies"][0]["credited"]["amount"], "60.01");
    // Taken from another deal, so that the sums agree again: still seen.
    sql.run(&add(-1, 3)).await;
    let found = read().await;
    assert_eq!(found["currencies"][0]["credited"]["amount"], "60.00");
    notice(&found, difference(2, "20.00", "20.01"));
    sql.run(&add(-1, 2)).await;
    notice(&read().await, difference(3, "30.00", "29.99"));
    sql.run(&add(1, 3)).await;
    assert_eq!(summary(&read().await), whole);
    // The deal itself, and another currency.
    sql.run("UPDATE deals SET value_minor = 999 WHERE number = 'D-000001'").await;
    notice(&read().await, difference(1, "9.99", "10.00"));
    sql.run("UPDATE deals SET value_minor = 1000 WHERE number = 'D-000001'").await;
    sql.run(&format!("UPDATE credit_lines SET currency = 'USD' {}", of(1))).await;
    let found = read().await;
    notice(&found, difference(1, "10.00", "0.00"));
    assert_eq!(found["currencies"][1]["firstDifference"], difference(1, "0.00", "10.00"));
    sql.run(&format!("DELETE FROM credit_lines {}", of(1))).await;
    let found = read().await;
    notice(&found, difference(1, "10.00", "0.00"));
    assert_eq!(found["currencies"].as_array().map(Vec::len), Some(1));
    // Such a deal cannot be cancelled into a balance that hides it.
    let deal =
        admin.query("{ deals(filter: { number: { eq: \"D-000001\" } }) { nodes { id version } } }").await;
    let deal = &deal["deals"]["nodes"][0];
    let input = json!({ "id": deal["id"], "version": deal["version"], "reason": "x" });
    let outcome = admin.mutate("cancelDeal", input, "deal { id }").await;
    assert_eq!(outcome.code(), "INTERNAL_SERVER_ERROR");
}

async fn revenue_is_seen_within_reach(t: TestApp) {
    let cast = Cast::new(&t).await;
    let admin = t.admin();
    let customer = collect(&admin, json!({ "name": "Buyer" })).await;
    for (owner, amount) in [(&cast.rita, "1"), (&cast.nora, "10"), (&cast.lea, "100"), (&cast.sid, "1000")] {
        let sale = Sale { by: &admin, customer: &customer, owner };
        sale.won(eur(amount), "2026-01-15T09:00:00Z", json!([])).await;
    }
    let period = "wonRevenue(period: { kind: MONTH, start: \"2026-01-01\" }) { amount currency }";
    let query = format!(
        "{{ organization {{ {period} }} teams {{ nodes {{ name {period} }} }} \
         users {{ nodes {{ name {period} }} }} }}"
    );
    let shown = |nodes: &Value| {
        let names = values(nodes, "name");
        let amounts = nodes.as_array().expect("nodes").iter().map(|node| match &node["wonRevenue"] {
            Value::Null => None,
            amounts => Some(amounts[0]["amount"].as_str().unwrap_or("none").to_owned()),
        });
        let known =
            names.iter().zip(amounts).filter_map(|(name, amount)| Some(format!("{name} {}", amount?)));
        known.collect::<Vec<_>>().join(", ")
    };
    let everybody = "Ada Administrator none, Fin none, Lea 100.00, Nora 10.00, Otto none, Rita 1.00, Sara none, Sid 1000.00";
    let all_teams = "Coast 1.00, North 111.00, South 1000.00";
    for (by, company, teams, users) in [
        (&cast.rita.client, None, "", "Rita 1.00"),
        (&cast.sid, None, "", "Sid 1000.00"),
        (&cast.lea, None, "Coast 1.00, North 111.00", "Lea 100.00, Nora 10.00, Rita 1.00"),
        (&cast.otto, None, "South 1000.00", "Otto none, Sid 1000.00"),
        (&cast.sara, None, "", ""),
        (&cast.fin, Some("1111.00"), all_teams, everybody),
        (&admin, Some("1111.00"), all_teams, everybody),
    ] {
        let answer = by.gql(&query, json!({})).await;
        let data = answer.ok();
        assert_eq!(data["organization"]["wonRevenue"][0]["amount"].as_str(), company, "{data}");
        assert_eq!(shown(&data["teams"]["nodes"]), teams);
        assert_eq!(shown(&data["users"]["nodes"]), users);
    }
    // A manager's team is all below the team that they lead, not the one above.
    let top = t.team("Top", None).await;
    let below = t.team("Below", Some(&top)).await;
    let mia = t.user_in("MANAGER", "Mia", &below, "LEAD").await;
    let data = mia.query(&query).await;
    assert_eq!(shown(&data["teams"]["nodes"]), "Below none");

    let month = json!({ "kind": "MONTH", "start": "2026-01-01" });
    for by in [&cast.rita, &cast.lea, &cast.sara] {
        assert_eq!(by.gql(PROOF, month.clone()).await.code(), "FORBIDDEN", "{}", by.email);
    }
    assert_eq!(t.anonymous().gql(PROOF, month).await.code(), "UNAUTHENTICATED");
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(summary(&proof(&stranger, "MONTH", "2026-01-01", None).await), [""; 0]);
    let foreign = format!(
        "query($id: ID!) {{ node(id: $id) {{ ... on Team {{ {period} }} ... on User {{ {period} }} }} }}"
    );
    for id in [&cast.north, &cast.coast, &cast.rita.id] {
        assert_eq!(stranger.gql(&foreign, json!({ "id": id })).await.ok()["node"], Value::Null);
    }
}
