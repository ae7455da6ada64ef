//! Deals: entered, won and split to the cent, lost, cancelled; and who sees them.

use chrono::Duration;
use serde_json::{Value, json};

use crate::customers::{Cast, MALFORMED, change, collect, node, values};
use crate::support::client::Outcome;
use crate::support::{Client, Person, TestApp, both};

both!(
    a_deal_is_entered_and_changed,
    wrong_deals_are_refused,
    retired_products_are_not_sold,
    a_win_is_split_to_the_last_unit,
    a_win_is_refused_as_a_whole,
    a_win_without_credits_is_the_owners,
    losing_closes_without_a_sale,
    cancelling_takes_every_line_back,
    every_forbidden_step_changes_nothing,
    deals_are_filtered_sorted_and_paged,
    whoever_is_credited_sees_the_deal,
    deals_are_hidden_from_the_service_department,
    of_twenty_equal_wins_one_counts,
    a_page_of_customers_costs_four_statements,
);

/// Enters a deal; answers its opaque id. Its version is 1.
pub(crate) async fn open(by: &Client, input: Value) -> String {
    let created = by.mutate("createDeal", input, "deal { id }").await;
    created.ok()["deal"]["id"].as_str().expect("an id").to_owned()
}

pub(crate) fn eur(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

/// A customer of nobody.
async fn buyer(t: &TestApp) -> String {
    collect(&t.admin(), json!({ "name": "Buyer" })).await
}

async fn a_deal_is_entered_and_changed(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let product = json!({ "name": "GTX Pro", "code": "G-1", "series": "GTX", "listPrice": eur("10") });
    let product = t.admin().mutate("createProduct", product, "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    let fields = "deal { number version name stage value { amount currency } customer { name } product { code \
        listPrice { amount } } owner { name } openedAt expectedCloseOn wonAt lostAt cancelledAt closeReason \
        credits { id } createdAt updatedAt }";
    let created = cast.rita.mutate("createDeal", json!({}), fields).await;
    let now = "2026-01-15T09:00:00.000000Z";
    let mut expected = json!({
        "number": "D-000001", "version": 1, "name": null, "stage": "PROSPECTING", "value": null, "customer": null,
        "product": null, "owner": { "name": "Rita" }, "openedAt": now, "expectedCloseOn": null, "wonAt": null,
        "lostAt": null, "cancelledAt": null, "closeReason": null, "credits": [], "createdAt": now, "updatedAt": now,
    });
    assert_eq!(created.ok()["deal"], expected);

    let input = json!({
        "number": " d-000002 ", "name": " Ten of them ", "customerId": customer, "productId": product,
        "ownerId": cast.rita.id, "stage": "NEGOTIATING", "value": eur("1234.5"),
        "openedAt": "2025-10-01T00:00:00Z", "expectedCloseOn": "2026-03-31",
    });
    let created = cast.lea.mutate("createDeal", input.clone(), fields).await;
    for (field, value) in [
        ("number", json!("d-000002")),
        ("name", json!("Ten of them")),
        ("stage", json!("NEGOTIATING")),
        ("value", eur("1234.50")),
        ("customer", json!({ "name": "Rhein" })),
        ("product", json!({ "code": "G-1", "listPrice": { "amount": "10.00" } })),
        ("openedAt", json!("2025-10-01T00:00:00.000000Z")),
        ("expectedCloseOn", json!("2026-03-31")),
    ] {
        expected[field] = value;
    }
    assert_eq!(created.ok()["deal"], expected);
    assert_eq!(cast.lea.mutate("createDeal", input, fields).await.problems(), ["input.number: TAKEN"]);
    let third = open(&cast.rita, json!({})).await;
    assert_eq!(
        node(&cast.rita, &third, "... on Deal { number }").await["number"],
        "D-000003",
        "past the taken one"
    );

    let second =
        t.admin().query("{ deals(filter: { number: { eq: \"D-000002\" } }) { nodes { id } } }").await;
    let second = second["deals"]["nodes"][0]["id"].as_str().expect("an id").to_owned();
    let update = json!({ "name": null, "productId": null, "value": { "amount": "7", "currency": "JPY" },
        "stage": "ENGAGING", "expectedCloseOn": null, "ownerId": cast.nora.id });
    let outcome = change(&t, &cast.lea, "updateDeal", &second, update, fields).await;
    for (field, value) in [
        ("version", json!(2)),
        ("name", Value::Null),
        ("stage", json!("ENGAGING")),
        ("value", json!({ "amount": "7", "currency": "JPY" })),
        ("product", Value::Null),
        ("expectedCloseOn", Value::Null),
        ("owner", json!({ "name": "Nora" })),
    ] {
        expected[field] = value;
    }
    assert_eq!(outcome.ok()["deal"], expected, "what was left out stays");
}

async fn wrong_deals_are_refused(t: TestApp) {
    let cast = Cast::new(&t).await;
    let stranger = t.other_organization("Elsewhere").await;
    let foreign = collect(&cast.sid, json!({ "name": "Sued" })).await;
    let money = |amount: &str, currency: &str| json!({ "value": { "amount": amount, "currency": currency } });
    let everything = json!({ "number": "x".repeat(101), "name": "", "stage": "WON",
        "value": eur("-0.01"), "openedAt": "2026-01-15T09:00:00.000001Z" });
    let all = [
        "number: TOO_LONG",
        "name: REQUIRED",
        "stage: INVALID_TRANSITION",
        "value: OUT_OF_RANGE",
        "openedAt: IN_FUTURE",
    ];
    let (rita, admin) = (&cast.rita.client, &t.admin());
    for (by, input, problems) in [
        (rita, everything, &all[..]),
        (
            rita,
            json!({ "customerId": "x", "productId": cast.rita.id, "ownerId": "" }),
            &["customerId: INVALID_ID", "productId: INVALID_ID", "ownerId: INVALID_ID"],
        ),
        (rita, money("0.001", "EUR"), &["value.amount: TOO_MANY_DECIMALS"]),
        (rita, money("0.1", "JPY"), &["value.amount: TOO_MANY_DECIMALS"]),
        (rita, money("10000000000000.01", "EUR"), &["value.amount: OUT_OF_RANGE"]),
        (rita, json!({ "customerId": foreign }), &["customerId: NOT_FOUND"]),
        (rita, json!({ "ownerId": cast.nora.id }), &["ownerId: NOT_PERMITTED"]),
        (&cast.lea, json!({ "ownerId": cast.sid.id }), &["ownerId: NOT_PERMITTED"]),
        (admin, json!({}), &["ownerId: REQUIRED"]),
        (&stranger, json!({ "ownerId": cast.rita.id }), &["ownerId: NOT_FOUND"]),
    ] {
        let outcome = by.mutate("createDeal", input.clone(), "deal { id }").await;
        let expected: Vec<String> = problems.iter().map(|problem| format!("input.{problem}")).collect();
        assert_eq!(outcome.problems(), expected, "{input}");
    }
    for wrong in [
        money("NaN", "EUR"),
        money("1e3", "EUR"),
        money("1,000", "EUR"),
        money("1", "eur"),
        money("1", "XXX"),
        json!({ "value": { "amount": 1.5, "currency": "EUR" } }),
        json!({ "stage": "MAYBE" }),
        json!({ "expectedCloseOn": "2026-02-30" }),
    ] {
        let outcome = rita.mutate("createDeal", wrong.clone(), "deal { id }").await;
        assert!(MALFORMED.contains(&outcome.answer.code()), "{wrong}: {}", outcome.answer.text);
    }
    for by in [&cast.sara, &cast.fin] {
        assert_eq!(by.mutate("createDeal", json!({}), "deal { id }").await.code(), "FORBIDDEN");
    }
    let deal = open(rita, json!({ "value": eur("1") })).await;
    let leave =
        json!({ "id": cast.nora.id, "version": t.version(&cast.nora.id).await, "status": "DEACTIVATED" });
    t.admin().mutate("updateUser", leave, "user { id }").await.ok();
    for (by, update, problem) in [
        (&cast.rita, json!({ "stage": "WON" }), "input.stage: INVALID_TRANSITION"),
        (&cast.rita, json!({ "customerId": foreign }), "input.customerId: NOT_FOUND"),
        (&cast.rita, json!({ "ownerId": cast.sid.id }), "input.ownerId: NOT_PERMITTED"),
        (&cast.lea, json!({ "ownerId": cast.nora.id }), "input.ownerId: USER_DEACTIVATED"),
        (&cast.lea, json!({ "value": eur("0.999") }), "input.value.amount: TOO_MANY_DECIMALS"),
        (&cast.otto, json!({ "name": "Mine" }), "input.id: NOT_FOUND"),
        (&cast.lea, json!({ "version": 2, "name": "Mine" }), ": CONFLICT"),
    ] {
        let outcome = change(&t, by, "updateDeal", &deal, update.clone(), "deal { id }").await;
        assert_eq!(outcome.problems(), [problem], "{update}");
    }
    let kept = node(rita, &deal, "... on Deal { version value { amount } }").await;
    assert_eq!(kept, json!({ "version": 1, "value": { "amount": "1.00" } }));
}

async fn retired_products_are_not_sold(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let admin = t.admin();
    let create = |by: &Client, input: Value| {
        let by = by.clone();
        async move { by.mutate("createProduct", input, "product { id status retiredAt }").await }
    };
    let product = create(&admin, json!({ "name": "GTX Pro", "code": "G-1" })).await;
    let product = product.ok()["product"]["id"].as_str().expect("an id").to_owned();
    let deal = open(&rep, json!({ "productId": product })).await;
    let second = open(&rep, json!({})).await;
    let wrong = json!({ "name": "gtx  PRO", "code": "x".repeat(101), "listPrice": eur("-1") });
    let wrong = create(&admin, wrong).await;
    assert_eq!(wrong.problems(), ["input.code: TOO_LONG", "input.listPrice: OUT_OF_RANGE"]);
    for (input, problem) in [
        (json!({ "name": "gtx  PRO" }), "input.name: TAKEN"),
        (json!({ "name": "Other", "code": "g-1" }), "input.code: TAKEN"),
    ] {
        assert_eq!(create(&admin, input).await.problems(), [problem]);
    }
    assert_eq!(create(&rep, json!({ "name": "Mine" })).await.code(), "FORBIDDEN");

    let retire = json!({ "status": "RETIRED" });
    let retired = change(&t, &admin, "updateProduct", &product, retire, "product { status retiredAt }").await;
    let expected = json!({ "status": "RETIRED", "retiredAt": "2026-01-15T09:00:00.000000Z" });
    assert_eq!(retired.ok()["product"], expected);
    let gone = ["input.productId: PRODUCT_RETIRED"];
    let input = json!({ "productId": product });
    assert_eq!(rep.mutate("createDeal", input.clone(), "deal { id }").await.problems(), gone);
    assert_eq!(change(&t, &rep, "updateDeal", &second, input.clone(), "deal { id }").await.problems(), gone);
    // What was offered before can be sold to the end.
    let mut input = input;
    input["customerId"] = json!(collect(&rep, json!({ "name": "A" })).await);
    change(&t, &rep, "updateDeal", &deal, input, "deal { id }").await.ok();
    let won =
        change(&t, &rep, "winDeal", &deal, json!({ "value": eur("1") }), "deal { product { name } }").await;
    assert_eq!(won.ok()["deal"]["product"]["name"], "GTX Pro");
    let stale = json!({ "id": product, "version": 1, "name": "Too late" });
    assert_eq!(admin.mutate("updateProduct", stale, "product { id }").await.code(), "CONFLICT");
    let back = change(
        &t,
        &admin,
        "updateProduct",
        &product,
        json!({ "status": "ACTIVE", "code": null }),
        "product { status retiredAt code }",
    )
    .await;
    assert_eq!(back.ok()["product"], json!({ "status": "ACTIVE", "retiredAt": null, "code": null }));
    let data = rep.query("{ products { totalCount nodes { name } } }").await;
    assert_eq!(data["products"], json!({ "totalCount": 1, "nodes": [{ "name": "GTX Pro" }] }));
}

const CREDITS: &str = "deal { stage wonAt value { amount currency } credits { user { name } kind basis shareBp \
    amount { amount currency } occurredAt reversesId } }";

/// The credit lines as sorted short texts.
fn lines(deal: &Value) -> Vec<String> {
    let line = |line: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("nobody").to_owned();
        format!(
            "{} {} {} {}",
            text(&line["user"]["name"]),
            text(&line["kind"]),
            line["shareBp"],
            text(&line["amount"]["amount"])
        )
    };
    let mut lines: Vec<String> = deal["credits"].as_array().expect("credits").iter().map(line).collect();
    lines.sort();
    lines
}

async fn a_win_is_split_to_the_last_unit(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = buyer(&t).await;
    let (rita, nora, lea) = (&cast.rita.id, &cast.nora.id, &cast.lea.id);
    let share = |user: Option<&String>, bp: i32| json!({ "userId": user, "shareBp": bp });
    let thirds = json!([share(Some(rita), 3_333), share(Some(nora), 3_333), share(None, 3_334)]);
    let overlay = json!([share(Some(rita), 10_000), { "userId": lea, "kind": "OVERLAY", "shareBp": 5_000 },
        { "userId": rita, "kind": "OVERLAY", "shareBp": 1 }]);
    for (amount, currency, credits, expected) in [
        (
            "100.00",
            "EUR",
            &thirds,
            &["Nora DIRECT 3333 33.33", "Rita DIRECT 3333 33.33", "nobody DIRECT 3334 33.34"][..],
        ),
        // 1.6665, 1.6665 and 1.667 cents: the largest fraction first, then the earlier line.
        (
            "0.05",
            "EUR",
            &thirds,
            &["Nora DIRECT 3333 0.01", "Rita DIRECT 3333 0.02", "nobody DIRECT 3334 0.02"],
        ),
        ("100", "JPY", &thirds, &["Nora DIRECT 3333 33", "Rita DIRECT 3333 33", "nobody DIRECT 3334 34"]),
        (
            "0.001",
            "KWD",
            &thirds,
            &["Nora DIRECT 3333 0.000", "Rita DIRECT 3333 0.000", "nobody DIRECT 3334 0.001"],
        ),
        ("0", "EUR", &thirds, &["Nora DIRECT 3333 0.00", "Rita DIRECT 3333 0.00", "nobody DIRECT 3334 0.00"]),
        (
            "10000000000000.00",
            "EUR",
            &thirds,
            &[
                "Nora DIRECT 3333 3333000000000.00",
                "Rita DIRECT 3333 3333000000000.00",
                "nobody DIRECT 3334 3334000000000.00",
            ],
        ),
        (
            "10.01",
            "EUR",
            &overlay,
            &["Lea OVERLAY 5000 5.01", "Rita DIRECT 10000 10.01", "Rita OVERLAY 1 0.00"],
        ),
        ("1.00", "EUR", &json!([share(None, 10_000)]), &["nobody DIRECT 10000 1.00"]),
    ] {
        let input = json!({ "ownerId": rita, "customerId": customer, "value": eur("99"),
            "openedAt": "2026-01-01T00:00:00Z" });
        let deal = open(&t.admin(), input).await;
        let win = json!({ "credits": credits, "wonAt": "2026-01-10T12:00:00+01:00",
            "value": { "amount": amount, "currency": currency } });
        let won = change(&t, &t.admin(), "winDeal", &deal, win, CREDITS).await;
        let won = &won.ok()["deal"];
        assert_eq!(lines(won), expected, "{amount} {currency}");
        assert_eq!((&won["stage"], &won["value"]["currency"]), (&json!("WON"), &json!(currency)));
        for line in won["credits"].as_array().expect("lines") {
            assert_eq!(line["occurredAt"], "2026-01-10T11:00:00.000000Z");
            assert_eq!((&line["basis"], &line["reversesId"]), (&json!("BOOKED"), &Value::Null));
            assert_eq!(line["amount"]["currency"], currency);
        }
    }
}

async fn a_win_is_refused_as_a_whole(t: TestApp) {
    let cast = Cast::new(&t).await;
    let stranger = t.other_organization("Elsewhere").await;
    let foreign = stranger.query("{ viewer { user { id } } }").await["viewer"]["user"]["id"].clone();
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let input = json!({ "customerId": customer, "openedAt": "2026-01-10T00:00:00Z" });
    let deal = open(&cast.rita, input).await;
    let (rita, nora) = (&cast.rita.id, &cast.nora.id);
    let bare = open(&cast.rita, json!({})).await;
    let outcome = change(&t, &cast.rita, "winDeal", &bare, json!({}), "deal { id }").await;
    assert_eq!(outcome.problems(), [": CUSTOMER_REQUIRED", "input.value: REQUIRED"]);

    let credit = |credits: Value| json!({ "value": eur("1"), "credits": credits });
    let share = |user: &Value, bp: i32| json!({ "userId": user, "shareBp": bp });
    let (rita, nora) = (json!(rita), json!(nora));
    let half = |user: &Value| share(user, 5_000);
    for (win, problems) in [
        (json!({}), &["value: REQUIRED"][..]),
        (json!({ "value": eur("-1") }), &["value: OUT_OF_RANGE"]),
        (json!({ "value": eur("1"), "wonAt": "2026-01-15T09:00:00.000001Z" }), &["wonAt: IN_FUTURE"]),
        (json!({ "value": eur("1"), "wonAt": "2026-01-09T23:59:59Z" }), &["wonAt: TOO_EARLY"]),
        (credit(json!([half(&rita), share(&nora, 4_999)])), &["credits: SHARES_NOT_WHOLE"]),
        (credit(json!([share(&rita, 10_000), share(&nora, 1)])), &["credits: SHARES_NOT_WHOLE"]),
        (
            credit(json!([{ "userId": rita, "kind": "OVERLAY", "shareBp": 10_000 }])),
            &["credits: SHARES_NOT_WHOLE"],
        ),
        (credit(json!([half(&rita), half(&rita)])), &["credits.1.userId: DUPLICATE"]),
        (credit(json!([half(&Value::Null), half(&Value::Null)])), &["credits.1.userId: DUPLICATE"]),
        (credit(json!([share(&rita, 10_000), share(&nora, 0)])), &["credits.1.shareBp: OUT_OF_RANGE"]),
        (
            credit(json!([share(&rita, 20_000), share(&nora, -10_000)])),
            &["credits.0.shareBp: OUT_OF_RANGE", "credits.1.shareBp: OUT_OF_RANGE"],
        ),
        (
            credit(json!([share(&rita, 10_000), { "kind": "OVERLAY", "shareBp": 1 }])),
            &["credits.1.userId: REQUIRED"],
        ),
        (credit(json!(vec![share(&rita, 1); 21])), &["credits: TOO_MANY"]),
        (credit(json!([half(&rita), half(&foreign)])), &["credits.1.userId: NOT_FOUND"]),
        (credit(json!([half(&rita), half(&json!(customer))])), &["credits.1.userId: INVALID_ID"]),
    ] {
        let outcome = change(&t, &cast.rita, "winDeal", &deal, win.clone(), "deal { id }").await;
        let expected: Vec<String> = problems.iter().map(|problem| format!("input.{problem}")).collect();
        assert_eq!(outcome.problems(), expected, "{win}");
    }
    for (by, win, code) in [
        (&cast.otto, credit(json!([share(&rita, 10_000)])), "NOT_FOUND"),
        (&cast.fin, credit(json!([])), "FORBIDDEN"),
        (&cast.sara, credit(json!([])), "FORBIDDEN"),
    ] {
        assert_eq!(change(&t, by, "winDeal", &deal, win, "deal { id }").await.code(), code, "{}", by.email);
    }
    let untouched =
        node(&cast.rita, &deal, "... on Deal { stage version value { amount } credits { id } }").await;
    assert_eq!(untouched, json!({ "stage": "PROSPECTING", "version": 1, "value": null, "credits": [] }));
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM credit_lines").await, 0);
}

async fn a_win_without_credits_is_the_owners(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let deal = open(&cast.rita, json!({ "customerId": customer, "value": eur("12.34") })).await;
    let won = change(&t, &cast.lea, "winDeal", &deal, json!({ "credits": [] }), CREDITS).await;
    assert_eq!(lines(&won.ok()["deal"]), ["Rita DIRECT 10000 12.34"]);
    assert_eq!(won.ok()["deal"]["value"], eur("12.34"), "what was expected is booked");
    assert_eq!(won.ok()["deal"]["wonAt"], "2026-01-15T09:00:00.000000Z");
    let event = "SELECT COUNT(*) FROM events WHERE kind = 'deal.won' AND after LIKE '%12.34%'";
    assert_eq!(t.sql().await.number(event).await, 1);
}

async fn losing_closes_without_a_sale(t: TestApp) {
    let rita = t.user("REP", "Rita").await;
    let customer = collect(&rita, json!({ "name": "Rhein" })).await;
    let input = json!({ "customerId": customer, "value": eur("0.03"), "openedAt": "2026-01-01T00:00:00Z" });
    let lost = open(&rita, input).await;
    let fields = "deal { stage lostAt closeReason credits { id } }";
    for (change_, problem) in [
        (json!({ "lostAt": "2025-12-31T23:59:59Z" }), "input.lostAt: TOO_EARLY"),
        (json!({ "lostAt": "2026-01-15T09:00:01Z" }), "input.lostAt: IN_FUTURE"),
        (json!({ "reason": " " }), "input.reason: REQUIRED"),
    ] {
        let outcome = change(&t, &rita, "loseDeal", &lost, change_, fields).await;
        assert_eq!(outcome.problems(), [problem]);
    }
    let close = json!({ "lostAt": "2026-01-02T00:00:00Z", "reason": " Too dear. " });
    let outcome = change(&t, &rita, "loseDeal", &lost, close, fields).await;
    let expected = json!({ "stage": "LOST", "lostAt": "2026-01-02T00:00:00.000000Z", "closeReason": "Too dear.",
        "credits": [] });
    assert_eq!(outcome.ok()["deal"], expected);
}

async fn cancelling_takes_every_line_back(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let input = json!({ "customerId": customer, "value": eur("0.03"), "openedAt": "2026-01-01T00:00:00Z" });
    let deal = open(&cast.rita, input).await;
    let win = json!({ "wonAt": "2026-01-05T00:00:00Z", "credits": [{ "userId": cast.rita.id, "shareBp": 5_000 },
        { "shareBp": 5_000 }, { "userId": cast.lea.id, "kind": "OVERLAY", "shareBp": 10_000 }] });
    change(&t, &cast.rita, "winDeal", &deal, win, CREDITS).await.ok();
    t.clock.advance(Duration::minutes(1));
    let cancel = |by: &Person, input: Value| {
        let (t, by, deal) = (t.clone(), by.client.clone(), deal.clone());
        async move {
            let fields = "deal { stage wonAt cancelledAt closeReason value { amount } credits { id user { name } kind \
                shareBp amount { amount } occurredAt recordedAt reversesId } }";
            change(&t, &by, "cancelDeal", &deal, input, fields).await
        }
    };
    let because = json!({ "reason": "Returned." });
    for (by, input, problem) in [
        (&cast.lea, json!({ "reason": "" }), "input.reason: REQUIRED"),
        (
            &cast.lea,
            json!({ "reason": "x", "cancelledAt": "2026-01-04T23:59:59Z" }),
            "input.cancelledAt: TOO_EARLY",
        ),
        (
            &cast.lea,
            json!({ "reason": "x", "cancelledAt": "2026-01-16T00:00:00Z" }),
            "input.cancelledAt: IN_FUTURE",
        ),
        (&cast.otto, because.clone(), "input.id: NOT_FOUND"),
    ] {
        assert_eq!(cancel(by, input).await.problems(), [problem]);
    }
    for by in [&cast.rita, &cast.fin, &cast.sara] {
        assert_eq!(cancel(by, because.clone()).await.code(), "FORBIDDEN", "{}", by.email);
    }
    let outcome = cancel(&cast.lea, because.clone()).await;
    let after = &outcome.ok()["deal"];
    assert_eq!(
        (
            &after["stage"],
            &after["wonAt"],
            &after["cancelledAt"],
            &after["closeReason"],
            &after["value"]["amount"]
        ),
        (
            &json!("CANCELLED"),
            &json!("2026-01-05T00:00:00.000000Z"),
            &json!("2026-01-15T09:01:00.000000Z"),
            &json!("Returned."),
            &json!("0.03")
        )
    );
    assert_eq!(
        lines(after),
        [
            "Lea OVERLAY 10000 -0.03",
            "Lea OVERLAY 10000 0.03",
            "Rita DIRECT 5000 -0.02",
            "Rita DIRECT 5000 0.02",
            "nobody DIRECT 5000 -0.01",
            "nobody DIRECT 5000 0.01"
        ]
    );
    let credits = after["credits"].as_array().expect("lines");
    let (wins, reversals) = credits.split_at(3);
    for line in reversals {
        assert_eq!(line["occurredAt"], "2026-01-15T09:01:00.000000Z", "the lines of the win come first");
        let reversed =
            wins.iter().find(|win| win["id"] == line["reversesId"]).expect("the line it takes back");
        assert_eq!((&reversed["user"], &reversed["kind"]), (&line["user"], &line["kind"]));
        assert_eq!(reversed["occurredAt"], "2026-01-05T00:00:00.000000Z");
    }
    assert_eq!(cancel(&cast.lea, because).await.problems(), [": INVALID_TRANSITION"], "once");
}

async fn every_forbidden_step_changes_nothing(t: TestApp) {
    let admin = t.admin();
    let rosa = t.user("REP", "Rosa").await.id;
    let customer = buyer(&t).await;
    let fields = "... on Deal { stage version updatedAt wonAt lostAt cancelledAt credits { id } }";
    for stage in ["PROSPECTING", "ENGAGING", "NEGOTIATING", "WON", "LOST", "CANCELLED"] {
        let is_open = !matches!(stage, "WON" | "LOST" | "CANCELLED");
        let mut input = json!({ "ownerId": rosa, "customerId": customer, "value": eur("1") });
        if is_open {
            input["stage"] = json!(stage);
        }
        let deal = open(&admin, input).await;
        let path: &[&str] = match stage {
            "WON" => &["winDeal"],
            "LOST" => &["loseDeal"],
            "CANCELLED" => &["winDeal", "cancelDeal"],
            _ => &[],
        };
        let step = |mutation: &'static str| {
            let (t, admin, deal) = (t.clone(), admin.clone(), deal.clone());
            let input = match mutation {
                "updateDeal" => json!({ "name": "New" }),
                "winDeal" => json!({}),
                _ => json!({ "reason": "So." }),
            };
            async move { change(&t, &admin, mutation, &deal, input, "deal { id }").await.problems() }
        };
        for mutation in path {
            assert_eq!(step(mutation).await, [""; 0]);
        }
        let before = node(&admin, &deal, fields).await;
        assert_eq!(before["stage"], stage);
        let forbidden: &[&str] = match stage {
            "WON" => &["updateDeal", "winDeal", "loseDeal"],
            "LOST" | "CANCELLED" => &["updateDeal", "winDeal", "loseDeal", "cancelDeal"],
            _ => &["cancelDeal"],
        };
        for mutation in forbidden {
            assert_eq!(step(mutation).await, [": INVALID_TRANSITION"], "{stage} {mutation}");
        }
        for closed in ["WON", "LOST", "CANCELLED"].iter().filter(|_| is_open) {
            let outcome =
                change(&t, &admin, "updateDeal", &deal, json!({ "stage": closed }), "deal { id }").await;
            assert_eq!(outcome.problems(), ["input.stage: INVALID_TRANSITION"], "{stage} {closed}");
        }
        assert_eq!(node(&admin, &deal, fields).await, before, "{stage}");
    }
}

const LIST: &str = "query($first: Int, $after: String, $last: Int, $before: String, $filter: DealFilter, \
    $order: DealOrder) { deals(first: $first, after: $after, last: $last, before: $before, filter: $filter, \
    orderBy: $order) { totalCount nodes { number } edges { cursor } pageInfo { hasNextPage hasPreviousPage } } }";

/// The numbers of the deals that somebody sees.
async fn found(by: &Client, arguments: Value) -> String {
    values(&by.gql(LIST, arguments).await.ok()["deals"]["nodes"], "number").concat()
}

async fn deals_are_filtered_sorted_and_paged(t: TestApp) {
    let admin = t.admin();
    let (rosa, oli) = (t.user("REP", "Rosa").await.id, t.user("REP", "Oli").await.id);
    let customer = buyer(&t).await;
    let product = admin.mutate("createProduct", json!({ "name": "P" }), "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    let mut ids = Vec::new();
    for (number, owner, opened, input) in [
        ("a", &rosa, "2026-01-04T00:00:00Z", json!({ "customerId": customer, "value": eur("10") })),
        ("B", &rosa, "2026-01-03T00:00:00Z", json!({ "customerId": customer, "value": eur("20") })),
        ("c", &oli, "2026-01-02T00:00:00Z", json!({ "productId": product, "stage": "ENGAGING" })),
        ("D", &oli, "2026-01-02T00:00:00Z", json!({ "value": { "amount": "15", "currency": "USD" } })),
    ] {
        let mut input = input;
        input["number"] = json!(number);
        input["ownerId"] = json!(owner);
        input["openedAt"] = json!(opened);
        ids.push(open(&admin, input).await);
        t.clock.advance(Duration::seconds(1));
    }
    let win = json!({ "wonAt": "2026-01-05T00:00:00Z" });
    change(&t, &admin, "winDeal", &ids[0], win, "deal { id }").await.ok();
    let cancel = json!({ "cancelledAt": "2026-01-06T00:00:00Z", "reason": "x" });
    change(&t, &admin, "cancelDeal", &ids[0], cancel, "deal { id }").await.ok();
    let lose = json!({ "lostAt": "2026-01-07T00:00:00Z" });
    change(&t, &admin, "loseDeal", &ids[3], lose, "deal { id }").await.ok();
    let day = |day: u32| json!({ "eq": format!("2026-01-0{day}T00:00:00Z") });
    for (filter, expected) in [
        (Value::Null, "DcBa"),
        (json!({ "id": { "in": [ids[0], ids[1]] } }), "Ba"),
        (json!({ "number": { "in": ["A", "b"] } }), "Ba"),
        (json!({ "stage": { "in": ["LOST", "ENGAGING"] } }), "Dc"),
        (json!({ "owner": { "eq": rosa } }), "Ba"),
        (json!({ "customer": { "missing": true } }), "Dc"),
        (json!({ "not": { "customer": { "eq": customer } } }), "Dc"),
        (json!({ "product": { "eq": product } }), "c"),
        (json!({ "value": { "currency": "EUR", "gte": "10" } }), "Ba"),
        (json!({ "value": { "currency": "EUR", "gte": "10.01", "lte": "20" } }), "B"),
        (json!({ "value": { "currency": "USD", "eq": "15.00" } }), "D"),
        (json!({ "not": { "value": { "currency": "EUR", "eq": "10" } } }), "DcB"),
        (json!({ "openedAt": day(2) }), "Dc"),
        (json!({ "wonAt": day(5) }), "a"),
        (json!({ "cancelledAt": day(6) }), "a"),
        (json!({ "lostAt": day(7) }), "D"),
        (json!({ "not": { "wonAt": { "gte": "2000-01-01T00:00:00Z" } } }), "DcB"),
        (json!({ "createdAt": { "lte": "2026-01-15T09:00:01Z" } }), "Ba"),
        (json!({ "updatedAt": { "gte": "2026-01-15T09:00:04Z" } }), "Da"),
        (
            json!({ "or": [{ "number": { "eq": "a" } }, { "and": [{ "owner": { "eq": oli } }, { "stage": { "eq": "LOST" } }] }] }),
            "Da",
        ),
    ] {
        assert_eq!(found(&admin, json!({ "filter": filter })).await, expected, "{filter}");
    }
    for (filter, reason) in [
        (json!({ "value": { "currency": "EUR" } }), "REQUIRED"),
        (json!({ "value": { "currency": "EUR", "eq": "0.001" } }), "TOO_MANY_DECIMALS"),
        (json!({ "product": { "eq": customer } }), "INVALID_ID"),
        (json!({ "or": vec![json!({ "owner": { "eq": rosa } }); 21] }), "TOO_MANY"),
    ] {
        let answer = admin.gql(LIST, json!({ "filter": filter })).await;
        assert_eq!(answer.errors[0]["extensions"]["reason"], reason, "{}", answer.text);
    }
    orders_page_in_both_directions(&admin).await;
}

async fn orders_page_in_both_directions(admin: &Client) {
    for (field, ascending) in
        [("CREATED_AT", "aBcD"), ("UPDATED_AT", "Bc"), ("OPENED_AT", "cDBa"), ("NUMBER", "aBcD")]
    {
        let order = |direction: &str| json!({ "field": field, "direction": direction });
        let up = found(admin, json!({ "order": order("ASC") })).await;
        let down = found(admin, json!({ "order": order("DESC") })).await;
        assert_eq!(up.chars().rev().collect::<String>(), down, "{field}");
        assert_eq!(up[..ascending.len()], *ascending, "{field}");
        let answer = admin.gql(LIST, json!({ "order": order("ASC") })).await;
        let cursors = values(&answer.ok()["deals"]["edges"], "cursor");
        let arguments = json!({ "order": order("ASC"), "first": 2, "after": cursors[0] });
        assert_eq!(found(admin, arguments).await, up[1..3]);
        let arguments = json!({ "order": order("ASC"), "last": 2, "before": cursors[3] });
        assert_eq!(found(admin, arguments).await, up[1..3]);
        let other = json!({ "order": order("DESC"), "after": cursors[0] });
        assert_eq!(admin.gql(LIST, other).await.code(), "BAD_USER_INPUT", "a cursor of the other order");
    }
}

/// The deals that somebody sees, by every way that leads to them.
async fn seen(by: &Client, deals: &[(&str, String)], customer: &str) -> String {
    let listed = found(by, json!({ "order": { "field": "NUMBER", "direction": "ASC" } })).await;
    assert_eq!(by.gql(LIST, json!({ "first": 1 })).await.ok()["deals"]["totalCount"], listed.len());
    let mut by_id = String::new();
    for (number, id) in deals {
        let found = node(by, id, "... on Deal { number }").await;
        assert!(found.is_null() || found["number"] == *number);
        by_id += found["number"].as_str().unwrap_or_default();
    }
    assert_eq!(by_id, listed);
    let nested = "... on Customer { deals { totalCount nodes { number } } all: deals(last: 100) { nodes { number } } }";
    let nested = node(by, customer, nested).await;
    if !nested.is_null() {
        let mut numbers = values(&nested["deals"]["nodes"], "number");
        assert_eq!(nested["deals"]["totalCount"], numbers.len());
        assert_eq!(nested["all"]["nodes"], nested["deals"]["nodes"]);
        numbers.sort();
        assert_eq!(numbers.concat(), listed, "all are with this customer");
    }
    listed
}

async fn whoever_is_credited_sees_the_deal(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let mut deals = Vec::new();
    for (number, owner) in [("a", &cast.rita), ("b", &cast.nora), ("c", &cast.sid)] {
        let input =
            json!({ "number": number, "ownerId": owner.id, "customerId": customer, "value": eur("10") });
        deals.push((number, open(&t.admin(), input).await));
    }
    let whole = [
        (&cast.rita.client, "a"),
        (&cast.nora, "b"),
        (&cast.sid, "c"),
        (&cast.lea, "ab"),
        (&cast.otto, "c"),
        (&cast.fin, "abc"),
        (&t.admin(), "abc"),
    ];
    for (by, expected) in whole {
        assert_eq!(seen(by, &deals, &customer).await, expected);
    }
    let share = |person: &Person| json!({ "userId": person.id, "shareBp": 5_000 });
    let win = json!({ "credits": [share(&cast.rita), share(&cast.sid)] });
    let (_, won) = &deals[0];
    change(&t, &cast.rita, "winDeal", won, win, "deal { id }").await.ok();
    for (by, expected) in [(&cast.sid, "ac"), (&cast.otto, "ac"), (&cast.rita, "a"), (&cast.nora, "b")] {
        assert_eq!(seen(by, &deals, &customer).await, expected, "{}", by.email);
    }
    let credits = node(&cast.sid, won, "... on Deal { credits { user { name } } }").await["credits"].clone();
    assert_eq!(credits.as_array().map(Vec::len), Some(2), "with the whole split");
    // To read is not to change.
    let because = json!({ "reason": "Mine" });
    for (by, mutation) in [(&cast.sid, "loseDeal"), (&cast.otto, "cancelDeal"), (&cast.otto, "loseDeal")] {
        let outcome = change(&t, by, mutation, won, because.clone(), "deal { id }").await;
        assert_eq!(outcome.problems(), ["input.id: NOT_FOUND"], "{mutation}");
    }
    // Nor does the credit open the customer.
    let fourth = open(
        &cast.rita,
        json!({ "number": "d", "value": eur("1"),
        "customerId": collect(&cast.rita, json!({ "name": "Quiet" })).await }),
    )
    .await;
    let win = json!({ "credits": [share(&cast.rita), share(&cast.lea)] });
    change(&t, &cast.rita, "winDeal", &fourth, win, "deal { id }").await.ok();
    let fifth = open(
        &cast.nora,
        json!({ "number": "e", "value": eur("1"),
        "customerId": collect(&cast.nora, json!({ "name": "Nord" })).await }),
    )
    .await;
    let win = json!({ "credits": [share(&cast.nora), share(&cast.rita)] });
    change(&t, &cast.nora, "winDeal", &fifth, win, "deal { id }").await.ok();
    let fields = "... on Deal { number customer { name } }";
    assert_eq!(node(&cast.rita, &fifth, fields).await, json!({ "number": "e", "customer": null }));
    // A new owner sees it, the old one does not, unless credited.
    let hand_over = json!({ "ownerId": cast.nora.id });
    let open_deal = open(&cast.rita, json!({ "number": "f" })).await;
    change(&t, &cast.lea, "updateDeal", &open_deal, hand_over, "deal { id }").await.ok();
    assert_eq!(node(&cast.rita, &open_deal, fields).await, Value::Null);
    assert_eq!(node(&cast.nora, &open_deal, fields).await["number"], "f");
}

async fn deals_are_hidden_from_the_service_department(t: TestApp) {
    let cast = Cast::new(&t).await;
    let customer = collect(&cast.rita, json!({ "name": "Rhein" })).await;
    let deal = open(&cast.rita, json!({ "customerId": customer, "value": eur("10") })).await;
    let note = json!({ "kind": "NOTE", "note": "n", "dealId": deal });
    let note = crate::activities::log(&cast.rita, note).await;
    assert_eq!(cast.sara.gql(LIST, json!({})).await.code(), "FORBIDDEN");
    assert_eq!(node(&cast.sara, &deal, "id").await, Value::Null);
    let fields = "... on Customer { name deals { totalCount nodes { id } } all: deals(last: 5) { nodes { id } } \
                  activities { nodes { deal { id } } } }";
    assert_eq!(
        node(&cast.sara, &customer, fields).await,
        json!({ "name": "Rhein", "deals": { "totalCount": 0, "nodes": [] }, "all": { "nodes": [] },
            "activities": { "nodes": [{ "deal": null }] } })
    );
    assert_eq!(node(&cast.sara, &note, "... on Activity { deal { id } }").await, json!({ "deal": null }));
    let log = json!({ "kind": "NOTE", "note": "n", "dealId": deal });
    assert_eq!(cast.sara.mutate("logActivity", log, "activity { id }").await.code(), "FORBIDDEN");
    // Another organisation sees nothing by any way.
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(seen(&stranger, &[("D-000001", deal.clone())], &customer).await, "");
    for filter in [json!({ "owner": { "eq": cast.rita.id } }), json!({ "customer": { "eq": customer } })] {
        assert_eq!(found(&stranger, json!({ "filter": filter })).await, "");
    }
    for (mutation, mut input) in [
        ("updateDeal", json!({ "name": "x" })),
        ("winDeal", json!({})),
        ("loseDeal", json!({})),
        ("cancelDeal", json!({ "reason": "x" })),
    ] {
        input["id"] = json!(deal);
        input["version"] = json!(1);
        assert_eq!(stranger.mutate(mutation, input, "deal { id }").await.problems(), ["input.id: NOT_FOUND"]);
    }
    assert_eq!(t.anonymous().gql(LIST, json!({})).await.code(), "UNAUTHENTICATED");
}

async fn of_twenty_equal_wins_one_counts(t: TestApp) {
    let rosa = t.user("REP", "Rosa").await.id;
    let input = json!({ "ownerId": rosa, "customerId": buyer(&t).await, "value": eur("1") });
    let deal = open(&t.admin(), input).await;
    let run = |mutation: &'static str, version: i32| {
        let input = match mutation {
            "winDeal" => json!({ "id": deal, "version": version }),
            _ => json!({ "id": deal, "version": version, "reason": "x" }),
        };
        let admin = t.admin();
        async move {
            let copies = (0..20).map(|_| admin.mutate(mutation, input.clone(), "deal { id }"));
            let outcomes = futures_util::future::join_all(copies).await;
            let mut codes: Vec<String> = outcomes.iter().map(Outcome::code).collect();
            codes.sort();
            codes
        }
    };
    let expected = [vec![""], vec!["CONFLICT"; 19]].concat();
    assert_eq!(run("winDeal", 1).await, expected);
    assert_eq!(run("cancelDeal", 2).await, expected);
    let lines = "SELECT COUNT(*) FROM credit_lines";
    assert_eq!(t.sql().await.number(lines).await, 2, "one line and its reversal");
}

const PAGE: &str = "{ customers(first: 20) { nodes { name owner { name } \
    deals(first: 5) { nodes { number value { amount } } pageInfo { hasNextPage } } } } }";

/// Records customers `from..to` for somebody, each with seven deals.
async fn fill(t: &TestApp, owner: &str, from: usize, to: usize) {
    let admin = t.admin();
    let mut deals = Vec::new();
    for number in from..to {
        let id = collect(&admin, json!({ "name": format!("Customer {number}"), "ownerId": owner })).await;
        let deal = format!(
            "input: {{ customerId: \"{id}\", ownerId: \"{owner}\", \
                            value: {{ amount: \"1\", currency: EUR }} }}"
        )
        .replace("EUR", "\"EUR\"");
        deals.extend(vec![deal; 7]);
    }
    for some in deals.chunks(5) {
        let fields = some
            .iter()
            .enumerate()
            .map(|(index, deal)| format!("d{index}: createDeal({deal}) {{ deal {{ id }} }} "));
        let answer = admin.gql(&format!("mutation {{ {} }}", fields.collect::<String>()), json!({})).await;
        assert!(answer.ok().as_object().expect("data").values().all(|made| made["deal"]["id"].is_string()));
    }
}

async fn a_page_of_customers_costs_four_statements(t: TestApp) {
    let cast = Cast::new(&t).await;
    let clients = [&t.admin(), &cast.lea, &cast.rita, &cast.fin];
    let mut costs = Vec::new();
    for (from, to) in [(0, 5), (5, 20)] {
        fill(&t, &cast.rita.id, from, to).await;
        for client in clients {
            let answer = client.gql(PAGE, json!({})).await;
            let customers = answer.ok()["customers"]["nodes"].as_array().expect("customers").clone();
            assert_eq!(customers.len(), to);
            for customer in &customers {
                assert_eq!(customer["owner"]["name"], "Rita");
                assert_eq!(customer["deals"]["nodes"].as_array().map(Vec::len), Some(5));
                assert_eq!(customer["deals"]["pageInfo"]["hasNextPage"], true);
            }
            costs.push(answer.statements);
        }
    }
    assert!(costs.iter().all(|&cost| (1..=4).contains(&cost)), "{costs:?}");
    assert_eq!(costs[..4], costs[4..], "twenty customers cost what five cost");
    let answer = cast.sara.gql(PAGE, json!({})).await;
    assert_eq!(answer.ok()["customers"]["nodes"][0]["deals"]["nodes"], json!([]));
    assert!(answer.statements <= 4, "{}", answer.statements);
}
