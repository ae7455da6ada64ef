//! The transport and bad input: every mistake gets a clear answer, and nothing changes by it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, BODY_BYTES_MAX, Client, TestApp, both};

both!(
    malformed_requests_are_refused,
    documents_are_measured_before_they_run,
    bad_values_change_nothing,
    objects_of_others_cannot_be_named,
    answers_carry_what_clients_need,
    health_and_keys_are_served,
);

/// Number of events, which is the number of changes that ever happened.
async fn changes(t: &TestApp) -> i64 {
    t.sql().await.number("SELECT COUNT(*) FROM events").await
}

async fn malformed_requests_are_refused(t: TestApp) {
    let before = changes(&t).await;
    let admin = t.admin();
    let mutation = r#"{"query":"mutation { createTeam(input: {name: \"X\"}) { team { id } } }"}"#;
    let too_long = format!(
        r#"{{"query":"{{ viewer {{ role }} }}","variables":{{"x":"{}"}}}}"#,
        "x".repeat(BODY_BYTES_MAX)
    );
    let deep = format!(
        r#"{{"query":"{{ viewer {{ role }} }}","variables":{}{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let deep_object = format!(
        r#"{{"query":"{{ viewer {{ role }} }}","variables":{}1{}}}"#,
        r#"{"a":"#.repeat(5_000),
        "}".repeat(5_000)
    );
    for (content_type, body, status, code) in [
        ("application/json", "", 400, "BAD_REQUEST"),
        ("application/json", "{", 400, "BAD_REQUEST"),
        ("application/json", "null", 400, "BAD_REQUEST"),
        ("application/json", "[]", 400, "BAD_REQUEST"),
        ("application/json", r#"[{"query":"{ viewer { role } }"}]"#, 400, "BAD_REQUEST"),
        ("application/json", "{}", 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":null}"#, 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":7}"#, 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":"{ viewer { role } }","variables":[]}"#, 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":"{ viewer { role } }","variables":"x"}"#, 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":"{ viewer { role } }","operationName":7}"#, 400, "BAD_REQUEST"),
        ("application/json", r#"{"query":"{ viewer { role } } \ud800"}"#, 400, "BAD_REQUEST"),
        ("application/json", "{\"query\":\"{ viewer { role } } \u{0}\"}", 400, "BAD_REQUEST"),
        ("application/json", deep.as_str(), 400, "BAD_REQUEST"),
        ("application/json", deep_object.as_str(), 400, "BAD_REQUEST"),
        ("application/json", too_long.as_str(), 413, "BAD_REQUEST"),
        ("application/json", r#"{"query":""}"#, 400, "GRAPHQL_PARSE_FAILED"),
        ("application/json", r#"{"query":"{ viewer { role }"}"#, 400, "GRAPHQL_PARSE_FAILED"),
        ("application/json", r#"{"query":"{ viewer { role } } \u0000"}"#, 400, "GRAPHQL_PARSE_FAILED"),
        ("text/plain", mutation, 415, "BAD_REQUEST"),
        ("application/x-www-form-urlencoded", mutation, 415, "BAD_REQUEST"),
        ("multipart/form-data; boundary=x", mutation, 415, "BAD_REQUEST"),
        ("application/graphql", "{ viewer { role } }", 415, "BAD_REQUEST"),
        ("", mutation, 415, "BAD_REQUEST"),
    ] {
        let answer = admin.send_raw(content_type, body.as_bytes().to_vec()).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!((answer.status, answer.code()), (status, code), "{content_type} {shown}: {}", answer.text);
        assert!(answer.data.is_null() && !answer.text.contains("\"data\""), "{shown}");
    }
    let bytes =
        admin.send_raw("application/json", b"{\"query\":\"{ viewer { role } } \xff\"}".to_vec()).await;
    assert_eq!((bytes.status, bytes.code()), (400, "BAD_REQUEST"), "no UTF-8");

    for (query, extra, code) in [
        ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { role(x: 1) } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { role } } { viewer { role } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("query A { viewer { role } } query B { viewer { role } }", json!({}), ""),
        ("query A { viewer { role } }", json!({ "operationName": "B" }), ""),
    ] {
        let mut body = json!({ "query": query });
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        let answer = admin.send(&body).await;
        assert!(!answer.errors.is_empty() && answer.data.is_null(), "{query}: {}", answer.text);
        if !code.is_empty() {
            assert_eq!(answer.code(), code, "{query}");
        }
    }
    for (path, status) in [
        ("/graphql", 400),
        ("/graphql?query=%7Bviewer%7Brole%7D%7D", 200),
        ("/graphql?query=mutation%7BsignOut(input%3A%7B%7D)%7BsignedOut%7D%7D", 405),
        ("/graphql?query=%7Bviewer%7Brole%7D%7D&variables=%7B", 400),
        ("/graphql?query=%7Bviewer%7Brole%7D%7D&query=x", 400),
        ("/graphql/stream", 400),
        ("/graphql/ws", 400),
    ] {
        let answer = admin.get(path).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "GET {path}");
    }
    assert_eq!(changes(&t).await, before);
}

async fn documents_are_measured_before_they_run(t: TestApp) {
    let before = changes(&t).await;
    let admin = t.admin();
    let mut bomb = String::from("{ viewer { ...F0 } }");
    for level in 0..30 {
        bomb += &format!(" fragment F{level} on Viewer {{ ...F{0} ...F{0} }}", level + 1);
    }
    bomb += " fragment F30 on Viewer { role }";
    let aliases: String = (0..5_000).map(|index| format!("a{index}: viewer {{ role }} ")).collect();
    let deep = format!("{{ teams {{ nodes {{ {} id {} }} }} }}", "parent { ".repeat(60), "}".repeat(60));
    let chain: String =
        (0..1_500).map(|link| format!("fragment F{link} on Viewer{{...F{}}} ", link + 1)).collect();
    let six: String =
        (0..6).map(|index| format!("a{index}: signOut(input: {{}}) {{ signedOut }} ")).collect();
    let twice = "mutation { createTeam(input: {name: \"A\"}) { team { id } } ...X } \
                 fragment X on Mutation { createTeam(input: {name: \"A\"}) { team { id } } }";
    for (name, query, code) in [
        ("fragments that double", bomb, "QUERY_TOO_COMPLEX"),
        ("5,000 aliases", format!("{{ {aliases} }}"), "BAD_REQUEST,QUERY_TOO_COMPLEX"),
        ("60 levels", deep, "QUERY_TOO_COMPLEX"),
        (
            "500 levels of lists",
            format!("{{ a(b: {}{}) }}", "[".repeat(500), "]".repeat(500)),
            "QUERY_TOO_COMPLEX",
        ),
        ("30,000 brackets that never close", "[{(".repeat(10_000), "QUERY_TOO_COMPLEX"),
        ("a chain of fragments", format!("{{ viewer {{ ...F0 }} }} {chain}"), "QUERY_TOO_COMPLEX"),
        (
            "a fragment cycle",
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".into(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("one key twice", twice.into(), "GRAPHQL_VALIDATION_FAILED"),
        (
            "one key twice with equal arguments",
            "mutation { signOut(input: {}) { signedOut } signOut(input: {}) { signedOut } }".into(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("six mutations", format!("mutation {{ {six} }}"), "QUERY_TOO_COMPLEX"),
        (
            "a query of 70 KB",
            format!("{{ viewer {{ role }} }} # {}", "x".repeat(70_000)),
            "QUERY_TOO_COMPLEX",
        ),
    ] {
        let begun = Instant::now();
        let answer: Answer = admin.gql(&query, json!({})).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{name}: {:?}", begun.elapsed());
        assert!(
            answer.status == 400 && code.split(',').any(|code| code == answer.code()),
            "{name}: {}",
            answer.text
        );
    }
    let mistakes: String = (0..300).map(|index| format!("x{index} ")).collect();
    let answer = admin.gql(&format!("{{ {mistakes} }}"), json!({})).await;
    assert!(
        (1..=20).contains(&answer.errors.len()) && answer.text.len() < 20_000,
        "{} errors",
        answer.errors.len()
    );
    assert_eq!(changes(&t).await, before);
}

async fn bad_values_change_nothing(t: TestApp) {
    let team = t.team("North", None).await;
    let admin = t.admin();
    let id = admin.query("{ viewer { user { id } } }").await["viewer"]["user"]["id"].clone();
    let before = changes(&t).await;
    let long = "x".repeat(1_000_000);
    let create = "createTeam";
    let (update, product, activity) = ("updateUser", "createProduct", "logActivity");
    let price = |amount: &str| json!({ "name": "X", "listPrice": { "amount": amount, "currency": "EUR" } });
    let user = |key: &str, value: Value| {
        let mut input = json!({ "id": id, "version": 1 });
        input[key] = value;
        input
    };
    for (mutation, input, code) in [
        (create, json!({ "name": long }), "TOO_LONG"),
        (create, json!({ "name": "a\u{0}b" }), "INVALID_CHARACTER"),
        (create, json!({ "name": "a\u{1b}[31mb" }), "INVALID_CHARACTER"),
        (create, json!({ "name": " \t\u{3000} " }), "REQUIRED"),
        (create, json!({ "name": null }), "GRAPHQL"),
        (create, json!({ "name": 7 }), "GRAPHQL"),
        (create, json!({ "name": ["a"] }), "GRAPHQL"),
        (create, json!({}), "GRAPHQL"),
        (create, json!({ "name": "X", "surprise": 1 }), "GRAPHQL"),
        (create, json!({ "name": "X", "parentId": 7 }), "INVALID_ID"),
        (create, json!({ "name": "X", "parentId": long }), "INVALID_ID"),
        (create, json!({ "name": "X", "parentId": "a\u{0}" }), "INVALID_ID"),
        (create, json!({ "name": "X", "parentId": "'; DROP TABLE teams; --" }), "INVALID_ID"),
        (create, json!({ "name": "X", "parentId": id }), "INVALID_ID"),
        (update, user("version", json!(9_007_199_254_740_993_i64)), "GRAPHQL"),
        (update, user("version", json!(2_147_483_648_i64)), "GRAPHQL"),
        (update, user("version", json!(1.5)), "GRAPHQL"),
        (update, user("version", json!("1")), "GRAPHQL"),
        (update, user("version", json!(-1)), "CONFLICT"),
        (update, user("version", json!(0)), "CONFLICT"),
        (update, user("role", json!("KING")), "GRAPHQL"),
        (update, user("role", json!("admin")), "GRAPHQL"),
        (update, user("role", json!(0)), "GRAPHQL"),
        (update, user("hiredOn", json!("2026-02-30")), "GRAPHQL"),
        (update, user("hiredOn", json!("30.02.2026")), "GRAPHQL"),
        (update, user("hiredOn", json!("NaN")), "GRAPHQL"),
        (update, user("hiredOn", json!("")), "GRAPHQL"),
        (update, user("hiredOn", json!("9999-12-31")), "GRAPHQL"),
        (update, user("hiredOn", json!(20260230)), "GRAPHQL"),
        (update, user("email", json!("not an address")), "GRAPHQL"),
        (update, user("email", json!(format!("{long}@x.example"))), "GRAPHQL"),
        (update, user("email", json!("a\u{0}@x.example")), "GRAPHQL"),
        (product, price("9007199254740993.00"), "OUT_OF_RANGE"),
        (product, price("99999999999999999999999999999999999999.00"), "GRAPHQL"),
        (product, price("9999999999999999999999999999.00"), "OUT_OF_RANGE"),
        (product, price("-1.00"), "OUT_OF_RANGE"),
        (product, price("1.001"), "TOO_MANY_DECIMALS"),
        (product, price("NaN"), "GRAPHQL"),
        (product, price("Infinity"), "GRAPHQL"),
        (product, price("1e9"), "GRAPHQL"),
        (product, price(""), "GRAPHQL"),
        (product, price("１２"), "GRAPHQL"),
        (product, json!({ "name": "X", "listPrice": { "amount": 12.5, "currency": "EUR" } }), "GRAPHQL"),
        (product, json!({ "name": "X", "listPrice": { "amount": "1.00", "currency": "XXQ" } }), "GRAPHQL"),
        (product, json!({ "name": "X", "listPrice": { "amount": "1.00" } }), "GRAPHQL"),
        (
            activity,
            json!({ "kind": "CALL", "connected": true, "seconds": 9_007_199_254_740_993_i64 }),
            "GRAPHQL",
        ),
        (activity, json!({ "kind": "NOTE", "startedAt": "2026-02-30T00:00:00Z" }), "GRAPHQL"),
        (activity, json!({ "kind": "NOTE", "startedAt": "2026-01-15" }), "GRAPHQL"),
        (activity, json!({ "kind": "PIGEON" }), "GRAPHQL"),
        (update, user("id", json!(team)), "INVALID_ID"),
        (update, user("id", json!("")), "INVALID_ID"),
        (update, user("id", json!("dXNlcjox")), "INVALID_ID"),
    ] {
        let outcome = admin.mutate(mutation, input.clone(), "__typename").await;
        let shown: String = input.to_string().chars().take(100).collect();
        if code == "GRAPHQL" {
            let codes = ["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"];
            assert!(codes.contains(&outcome.code().as_str()), "{mutation} {shown}: {}", outcome.answer.text);
        } else {
            assert_eq!(outcome.code(), code, "{mutation} {shown}: {}", outcome.answer.text);
        }
        assert!(outcome.answer.text.len() < 5_000, "{shown}: the answer does not repeat a long input");
        assert_clean(&outcome.answer);
    }
    // A lone surrogate cannot be text, wherever it stands.
    for body in [
        r#"{"query":"mutation($n: String!) { createTeam(input: {name: $n}) { team { id } } }","variables":{"n":"a\ud800b"}}"#,
        r#"{"query":"mutation { createTeam(input: {name: \"a\\ud800b\"}) { team { id } userErrors { code } } }"}"#,
    ] {
        let answer = admin.send_raw("application/json", body.as_bytes().to_vec()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    for filter in [
        json!({ "name": { "contains": "a\u{0}b" } }),
        json!({ "name": { "contains": "x".repeat(10_000) } }),
        json!({ "name": {} }),
        json!({ "id": { "in": vec![team.as_str(); 101] } }),
        json!({ "id": { "eq": "x" } }),
        json!({ "teamId": "x" }),
        json!({ "not": { "not": { "not": { "not": { "not": { "name": { "eq": "x" } } } } } } }),
        json!({ "or": vec![json!({ "name": { "eq": "x" } }); 200] }),
    ] {
        let query = "query($filter: UserFilter) { users(filter: $filter) { totalCount } }";
        let answer = admin.gql(query, json!({ "filter": filter })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{filter}: {}", answer.text);
        assert_clean(&answer);
    }
    assert_eq!(changes(&t).await, before);
}

/// No inner workings in an answer.
fn assert_clean(answer: &Answer) {
    for word in [
        "sqlx",
        "sea_orm",
        "sqlite",
        "postgres",
        "SELECT ",
        "INSERT ",
        "panicked",
        "src/",
        ".rs:",
        "evenhand_",
    ] {
        assert!(!answer.text.contains(word), "{word}: {}", answer.text);
    }
}

async fn objects_of_others_cannot_be_named(t: TestApp) {
    let team = t.team("North", None).await;
    let person = t.user("REP", "Rosa Rep").await;
    let made = async |client: &Client, mutation: &str, input: Value, object: &str| {
        let outcome = client.mutate(mutation, input, &format!("{object} {{ id }}")).await;
        outcome.ok()[object]["id"].as_str().expect("an id").to_owned()
    };
    let customer =
        made(&person, "createCustomer", json!({ "kind": "COMPANY", "name": "Acme" }), "customer").await;
    let deal = made(&person, "createDeal", json!({ "name": "Big" }), "deal").await;
    let note = made(
        &person,
        "logActivity",
        json!({ "kind": "NOTE", "note": "Hm", "customerId": customer }),
        "activity",
    )
    .await;
    let product = made(&t.admin(), "createProduct", json!({ "name": "Thing" }), "product").await;

    let stranger = t.other_organization("Elsewhere").await;
    let me = stranger.query("{ viewer { user { id } } }").await["viewer"]["user"]["id"].clone();
    let own =
        made(&stranger, "createCustomer", json!({ "kind": "COMPANY", "name": "Own" }), "customer").await;
    let own_deal =
        made(&stranger, "createDeal", json!({ "name": "Own", "ownerId": me, "customerId": own }), "deal")
            .await;
    let with = |mut input: Value, key: &str, id: &str| {
        input[key] = json!(id);
        input
    };
    let customer_with = |key: &str, id: &str| with(json!({ "kind": "PERSON", "name": "X" }), key, id);
    let note_with = |key: &str, id: &str| with(json!({ "kind": "NOTE", "note": "X" }), key, id);
    let own_deal_with = |key: &str, id: &str| with(json!({ "id": own_deal, "version": 1 }), key, id);
    let before = changes(&t).await;
    let query = "query($id: ID!) { node(id: $id) { id } }";
    for id in [&team, &person.id, &customer, &deal, &note, &product] {
        assert_eq!(stranger.gql(query, json!({ "id": id })).await.ok()["node"], Value::Null);
        let found = t.admin().gql(query, json!({ "id": id })).await;
        assert_eq!(found.ok()["node"]["id"], json!(id));
    }
    for (mutation, input, problem) in [
        ("createTeam", json!({ "name": "X", "parentId": team }), "input.parentId: NOT_FOUND"),
        ("updateUser", json!({ "id": person.id, "version": 2, "name": "Mine" }), "input.id: NOT_FOUND"),
        ("moveMember", json!({ "userId": person.id, "version": 2, "teamId": team }), "input.id: NOT_FOUND"),
        (
            "inviteUser",
            json!({ "userId": person.id, "email": "x@people.example" }),
            "input.userId: NOT_FOUND",
        ),
        (
            "inviteUser",
            json!({ "email": "x@people.example", "name": "X", "role": "REP", "teamId": team }),
            "input.teamId: NOT_FOUND",
        ),
        ("updateProduct", json!({ "id": product, "version": 1, "name": "Mine" }), "input.id: NOT_FOUND"),
        ("createCustomer", customer_with("ownerId", &person.id), "input.ownerId: NOT_FOUND"),
        ("createCustomer", customer_with("collectedById", &person.id), "input.collectedById: NOT_FOUND"),
        ("updateCustomer", json!({ "id": customer, "version": 1, "name": "Mine" }), "input.id: NOT_FOUND"),
        ("assignCustomer", json!({ "id": customer, "version": 1, "ownerId": me }), "input.id: NOT_FOUND"),
        (
            "assignCustomer",
            json!({ "id": own, "version": 1, "ownerId": person.id }),
            "input.ownerId: NOT_FOUND",
        ),
        (
            "advanceCustomer",
            json!({ "id": own, "version": 1, "stage": "PROSPECT", "evidence": { "activityId": note } }),
            "input.evidence.activityId: NOT_FOUND",
        ),
        ("logActivity", note_with("customerId", &customer), "input.customerId: NOT_FOUND"),
        ("logActivity", note_with("dealId", &deal), "input.dealId: NOT_FOUND"),
        ("logActivity", note_with("userId", &person.id), "input.userId: NOT_FOUND"),
        ("createDeal", json!({ "ownerId": me, "customerId": customer }), "input.customerId: NOT_FOUND"),
        ("createDeal", json!({ "ownerId": me, "productId": product }), "input.productId: NOT_FOUND"),
        ("createDeal", json!({ "ownerId": person.id }), "input.ownerId: NOT_FOUND"),
        ("updateDeal", own_deal_with("customerId", &customer), "input.customerId: NOT_FOUND"),
        ("updateDeal", own_deal_with("productId", &product), "input.productId: NOT_FOUND"),
        ("updateDeal", own_deal_with("ownerId", &person.id), "input.ownerId: NOT_FOUND"),
        ("winDeal", json!({ "id": deal, "version": 1 }), "input.id: NOT_FOUND"),
        ("loseDeal", json!({ "id": deal, "version": 1 }), "input.id: NOT_FOUND"),
        ("cancelDeal", json!({ "id": deal, "version": 1, "reason": "X" }), "input.id: NOT_FOUND"),
        (
            "winDeal",
            json!({
                "id": own_deal, "version": 1, "value": { "amount": "1", "currency": "EUR" },
                "credits": [{ "userId": person.id, "shareBp": 10_000 }],
            }),
            "input.credits.0.userId: NOT_FOUND",
        ),
    ] {
        let outcome = stranger.mutate(mutation, input, "__typename").await;
        assert_eq!(outcome.problems(), [problem], "{mutation}: {}", outcome.answer.text);
    }
    for (list, filter, id) in [
        ("users", "{ teamId: $id }", &team),
        ("users", "{ id: { eq: $id } }", &person.id),
        ("customers", "{ id: { eq: $id } }", &customer),
        ("customers", "{ owner: { eq: $id } }", &person.id),
        ("deals", "{ customer: { eq: $id } }", &customer),
        ("deals", "{ product: { eq: $id } }", &product),
        ("activities", "{ customer: { eq: $id } }", &customer),
        ("activities", "{ deal: { eq: $id } }", &deal),
    ] {
        let filtered =
            format!("query($id: ID!) {{ {list}(filter: {filter}) {{ totalCount nodes {{ id }} }} }}");
        let answer = stranger.gql(&filtered, json!({ "id": id })).await;
        assert_eq!(answer.ok()[list], json!({ "totalCount": 0, "nodes": [] }), "{list} {filter}");
    }
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let answer = stranger.gql(nodes, json!({ "ids": [team, person.id] })).await;
    assert_eq!(answer.ok()["nodes"], json!([null, null]));
    let many = t.admin().gql(nodes, json!({ "ids": vec![team.as_str(); 101] })).await;
    assert_eq!(many.code(), "BAD_USER_INPUT");
    assert_eq!(changes(&t).await, before);
}

async fn answers_carry_what_clients_need(t: TestApp) {
    let admin = t.admin();
    let body = json!({ "query": "{ viewer { role } }" }).to_string();
    let send = |headers: &[(&'static str, &str)]| {
        let mut request = admin
            .post("/graphql")
            .header("content-type", "application/json; charset=utf-8")
            .body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async move { Answer::read(request.send().await.expect("an answer")).await }
    };
    let answer = send(&[("x-request-id", "my-request-0001")]).await;
    assert_eq!(answer.ok()["viewer"]["role"], "ADMIN");
    for (name, value) in [
        ("content-type", "application/graphql-response+json; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("vary", "Accept, Origin"),
        ("x-request-id", "my-request-0001"),
    ] {
        assert_eq!(answer.headers.get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
    }
    for harmful in ["short", "with space and\ttab", &"x".repeat(65)] {
        let answer = send(&[("x-request-id", harmful)]).await;
        assert_ne!(answer.headers["x-request-id"], harmful);
    }
    assert!(answer.statements > 0, "the tests can count statements");
}

async fn health_and_keys_are_served(t: TestApp) {
    let client = t.anonymous();
    for (path, status, body) in [("/live", 200, "live\n"), ("/ready", 200, "ready\n")] {
        let response = client.get(path).send().await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.text().await.expect("a body").as_str()),
            (status, body)
        );
    }
    assert_eq!(client.get("/.well-known/jwks.json").send().await.expect("an answer").status(), 200);
    assert_eq!(client.get("/nothing/here").send().await.expect("an answer").status(), 404);
}
