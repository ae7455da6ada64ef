//! Customers: from lead to signed, who looks after them, how they are found, and who sees them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde_json::{Value, json};

use crate::activities::log;
use crate::support::client::Outcome;
use crate::support::{Client, Person, TestApp, both};

both!(
    a_new_lead_belongs_to_whoever_records_it,
    wrong_input_is_refused_field_by_field,
    numbers_are_unique_and_counted_past_those_in_use,
    a_customer_advances_with_dates_and_evidence,
    every_forbidden_step_changes_nothing,
    details_change_field_by_field,
    owners_are_dated,
    filters_find_what_they_say,
    wrong_filters_are_refused,
    every_order_pages_in_both_directions,
    pages_stay_stable_while_the_list_changes,
    a_cursor_fits_its_own_list_only,
    of_fifty_equal_changes_one_wins,
    everybody_sees_the_customers_in_reach,
    other_organisations_are_out_of_reach,
);

/// Records a company, unless the input says otherwise; answers its opaque id.
pub(crate) async fn collect(by: &Client, mut input: Value) -> String {
    input.as_object_mut().expect("an object").entry("kind").or_insert(json!("COMPANY"));
    let created = by.mutate("createCustomer", input, "customer { id }").await;
    created.ok()["customer"]["id"].as_str().expect("an id").to_owned()
}

/// Sends a mutation of an object in its present version, which the administrator reads.
pub(crate) async fn change(
    t: &TestApp,
    by: &Client,
    mutation: &str,
    id: &str,
    change: Value,
    fields: &str,
) -> Outcome {
    let mut input = json!({ "id": id, "version": t.version(id).await });
    input.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    by.mutate(mutation, input, fields).await
}

/// The object as somebody sees it; null where they do not.
pub(crate) async fn node(by: &Client, id: &str, fields: &str) -> Value {
    let query = format!("query($id: ID!) {{ node(id: $id) {{ {fields} }} }}");
    by.gql(&query, json!({ "id": id })).await.ok()["node"].clone()
}

/// The values of a field in a list.
pub(crate) fn values(nodes: &Value, field: &str) -> Vec<String> {
    let nodes = nodes.as_array().expect("a list").iter();
    nodes.map(|node| node[field].as_str().unwrap_or_else(|| panic!("{node}")).to_owned()).collect()
}

/// Two regions with their managers and sales people, and two people beside them.
pub(crate) struct Cast {
    /// Leads North, above Coast.
    pub(crate) lea: Person,
    /// In North.
    pub(crate) nora: Person,
    /// In Coast.
    pub(crate) rita: Person,
    /// Leads South.
    pub(crate) otto: Person,
    /// In South.
    pub(crate) sid: Person,
    /// In the service department.
    pub(crate) sara: Person,
    /// In finance.
    pub(crate) fin: Person,
    pub(crate) north: String,
    pub(crate) coast: String,
    pub(crate) south: String,
}

impl Cast {
    pub(crate) async fn new(t: &TestApp) -> Self {
        let north = t.team("North", None).await;
        let coast = t.team("Coast", Some(&north)).await;
        let south = t.team("South", None).await;
        Self {
            lea: t.user_in("MANAGER", "Lea", &north, "LEAD").await,
            nora: t.user_in("REP", "Nora", &north, "MEMBER").await,
            rita: t.user_in("REP", "Rita", &coast, "MEMBER").await,
            otto: t.user_in("MANAGER", "Otto", &south, "LEAD").await,
            sid: t.user_in("REP", "Sid", &south, "MEMBER").await,
            sara: t.user("SERVICE_AGENT", "Sara").await,
            fin: t.user("FINANCE", "Fin").await,
            north,
            coast,
            south,
        }
    }
}

async fn advance(t: &TestApp, by: &Client, id: &str, step: Value) -> Vec<String> {
    change(t, by, "advanceCustomer", id, step, "customer { id }").await.problems()
}

const OK: [&str; 0] = [];

/// The codes of what is no value of its type, by who finds out first.
pub(crate) const MALFORMED: [&str; 2] = ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"];

async fn a_new_lead_belongs_to_whoever_records_it(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let fields = "customer { number version name kind stage grade sector source owner { id } \
        collectedBy { id } collectedAt createdAt updatedAt stageHistory { from to occurredAt recordedAt \
        recordedBy { id } reason evidenceDocument evidenceActivity { id } } \
        first: owner(asOf: \"2025-12-24T09:00:00Z\") { id } \
        before: owner(asOf: \"2025-12-24T08:59:59.999999Z\") { id } }";
    let input = json!({
        "name": "  Zoë  Works ", "kind": "PERSON", "grade": "B", "sector": " Toys", "source": "Fair",
        "collectedAt": "2025-12-24T10:00:00+01:00",
    });
    let created = rep.mutate("createCustomer", input, fields).await;
    let (now, collected) = ("2026-01-15T09:00:00.000000Z", "2025-12-24T09:00:00.000000Z");
    let me = json!({ "id": rep.id });
    assert_eq!(
        created.ok()["customer"],
        json!({
            "number": "C-000001", "version": 1, "name": "Zoë  Works", "kind": "PERSON", "stage": "LEAD",
            "grade": "B", "sector": "Toys", "source": "Fair", "owner": me, "collectedBy": me,
            "collectedAt": collected, "createdAt": now, "updatedAt": now, "first": me, "before": null,
            "stageHistory": [{
                "from": null, "to": "LEAD", "occurredAt": collected, "recordedAt": now, "recordedBy": me,
                "reason": null, "evidenceDocument": null, "evidenceActivity": null,
            }],
        })
    );
    // An administrator records for others, and owns nothing by accident.
    let fields = "customer { number grade sector source owner { id } collectedBy { id } collectedAt }";
    let nobodys = t.admin().mutate("createCustomer", json!({ "name": "B", "kind": "COMPANY" }), fields).await;
    assert_eq!(
        nobodys.ok()["customer"],
        json!({ "number": "C-000002", "grade": null, "sector": null, "source": null, "owner": null,
            "collectedBy": null, "collectedAt": now })
    );
    let input = json!({ "name": "C", "kind": "COMPANY", "ownerId": rep.id });
    let given = t.admin().mutate("createCustomer", input, fields).await;
    assert_eq!(given.ok()["customer"]["owner"], me);
    assert_eq!(given.ok()["customer"]["collectedBy"], Value::Null);
}

async fn wrong_input_is_refused_field_by_field(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let colleague = t.user("REP", "Cleo").await;
    let gone = t.user("REP", "Gus").await;
    let leave = json!({ "id": gone.id, "version": t.version(&gone.id).await, "status": "DEACTIVATED" });
    t.admin().mutate("updateUser", leave, "user { id }").await.ok();
    let everything = json!({
        "name": " ", "kind": "COMPANY", "number": "", "sector": "x".repeat(101), "source": "a\u{0}b",
        "collectedAt": "2026-01-15T09:00:00.000001Z",
    });
    let all = [
        "number: REQUIRED",
        "name: REQUIRED",
        "sector: TOO_LONG",
        "source: INVALID_CHARACTER",
        "collectedAt: IN_FUTURE",
    ];
    let wrong_ids = json!({ "name": "X", "kind": "COMPANY", "ownerId": "no id",
        "collectedById": collect(&rep, json!({ "name": "A customer" })).await });
    let with = |field: &str, value: Value| json!({ "name": "X", "kind": "COMPANY", field: value });
    for (by, input, problems) in [
        (&rep.client, everything, &all[..]),
        (&rep, wrong_ids, &["ownerId: INVALID_ID", "collectedById: INVALID_ID"]),
        (&rep, with("name", json!("ä".repeat(201))), &["name: TOO_LONG"]),
        (&rep, with("ownerId", json!(colleague.id)), &["ownerId: NOT_PERMITTED"]),
        (&rep, with("collectedById", json!(colleague.id)), &["collectedById: NOT_PERMITTED"]),
        (&t.admin(), with("ownerId", json!(gone.id)), &["ownerId: USER_DEACTIVATED"]),
    ] {
        let outcome = by.mutate("createCustomer", input.clone(), "customer { id }").await;
        let expected: Vec<String> = problems.iter().map(|problem| format!("input.{problem}")).collect();
        assert_eq!(outcome.problems(), expected, "{input}");
        assert_eq!(outcome.payload["customer"], Value::Null);
    }
    for wrong in [
        with("kind", json!("ROBOT")),
        with("grade", json!("E")),
        with("collectedAt", json!("2026-02-30T00:00:00Z")),
        with("collectedAt", json!("NaN")),
        with("name", json!(7)),
        with("surprise", json!(1)),
        json!({ "kind": "COMPANY" }),
    ] {
        let outcome = rep.mutate("createCustomer", wrong.clone(), "customer { id }").await;
        assert!(MALFORMED.contains(&outcome.answer.code()), "{wrong}: {}", outcome.answer.text);
    }
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM customers").await, 1);
    for role in ["SERVICE_AGENT", "FINANCE"] {
        let person = t.user(role, role).await;
        let outcome = person.mutate("createCustomer", with("number", Value::Null), "customer { id }").await;
        assert_eq!(outcome.code(), "FORBIDDEN", "{role}");
    }
}

async fn numbers_are_unique_and_counted_past_those_in_use(t: TestApp) {
    let stranger = t.other_organization("Elsewhere").await;
    let create = |by: Client, input: Value| async move {
        let mut input = input;
        input["name"] = json!("X");
        input["kind"] = json!("COMPANY");
        by.mutate("createCustomer", input, "customer { number }").await
    };
    create(t.admin(), json!({ "number": " c-000002 " })).await.ok();
    let taken = create(t.admin(), json!({ "number": "C-000002" })).await;
    assert_eq!(taken.problems(), ["input.number: TAKEN"]);
    create(stranger, json!({ "number": "C-000002" })).await.ok();
    let many = (0..10).map(|_| create(t.admin(), json!({})));
    let many = futures_util::future::join_all(many).await;
    let mut numbers: Vec<String> =
        many.iter().map(|outcome| outcome.ok()["customer"]["number"].as_str().expect("one").into()).collect();
    numbers.sort();
    let expected = [1].into_iter().chain(3..=11).map(|number| format!("C-{number:06}"));
    assert_eq!(numbers, expected.collect::<Vec<_>>());
}

async fn a_customer_advances_with_dates_and_evidence(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let other = t.user("REP", "Oli").await;
    let id = collect(&rep, json!({ "name": "Zoë", "collectedAt": "2026-01-05T08:00:00Z" })).await;
    let second = collect(&rep, json!({ "name": "Second" })).await;
    let call = |customer: &str| json!({ "kind": "CALL", "customerId": customer, "connected": true });
    let mine = log(&rep, call(&id)).await;
    let unrelated = log(&rep, call(&second)).await;
    let hidden = log(&other, json!({ "kind": "NOTE", "note": "private" })).await;

    let qualified = |at: &str| json!({ "stage": "QUALIFIED", "occurredAt": at, "reason": " Has a budget. " });
    let early = advance(&t, &rep, &id, qualified("2026-01-05T07:59:59.999999Z")).await;
    assert_eq!(early, ["input.occurredAt: TOO_EARLY"]);
    let late = advance(&t, &rep, &id, qualified("2026-01-15T09:00:00.000001Z")).await;
    assert_eq!(late, ["input.occurredAt: IN_FUTURE"]);
    assert_eq!(advance(&t, &rep, &id, qualified("2026-01-05T08:00:00Z")).await, OK);

    let prospect = |evidence: Value| json!({ "stage": "PROSPECT", "evidence": evidence });
    for (evidence, problem) in [
        (Value::Null, "evidence: EVIDENCE_REQUIRED"),
        (json!({ "document": " " }), "evidence.document: REQUIRED"),
        (json!({ "document": "x".repeat(2001) }), "evidence.document: TOO_LONG"),
        (json!({ "activityId": unrelated }), "evidence.activityId: EVIDENCE_REQUIRED"),
        (json!({ "activityId": hidden }), "evidence.activityId: NOT_FOUND"),
        (json!({ "activityId": id }), "evidence.activityId: INVALID_ID"),
    ] {
        let problems = advance(&t, &rep, &id, prospect(evidence.clone())).await;
        assert_eq!(problems, [format!("input.{problem}")], "{evidence}");
    }
    for evidence in [json!({}), json!({ "activityId": mine, "document": "offer.pdf" })] {
        let outcome = change(&t, &rep, "advanceCustomer", &id, prospect(evidence), "customer { id }").await;
        assert!(MALFORMED.contains(&outcome.answer.code()), "exactly one");
    }
    t.clock.advance(Duration::minutes(1));
    assert_eq!(advance(&t, &rep, &id, prospect(json!({ "activityId": mine }))).await, OK);
    let signed = json!({ "stage": "SIGNED", "evidence": { "document": "https://x.example/contract" } });
    assert_eq!(advance(&t, &rep, &id, signed).await, OK);

    let fields = "... on Customer { stage version updatedAt stageHistory { from to occurredAt recordedAt \
                  recordedBy { name } reason evidenceDocument evidenceActivity { id } } }";
    let step = |from: Value, to: &str, occurred: &str, recorded: &str| {
        json!({ "from": from, "to": to, "occurredAt": occurred, "recordedAt": recorded,
            "recordedBy": { "name": "Rosa" }, "reason": null, "evidenceDocument": null, "evidenceActivity": null })
    };
    let (start, later) = ("2026-01-15T09:00:00.000000Z", "2026-01-15T09:01:00.000000Z");
    let collected = "2026-01-05T08:00:00.000000Z";
    let mut history = [
        step(Value::Null, "LEAD", collected, start),
        step(json!("LEAD"), "QUALIFIED", collected, start),
        step(json!("QUALIFIED"), "PROSPECT", later, later),
        step(json!("PROSPECT"), "SIGNED", later, later),
    ];
    history[1]["reason"] = json!("Has a budget.");
    history[2]["evidenceActivity"] = json!({ "id": mine });
    history[3]["evidenceDocument"] = json!("https://x.example/contract");
    assert_eq!(
        node(&rep, &id, fields).await,
        json!({ "stage": "SIGNED", "version": 4, "updatedAt": later, "stageHistory": history })
    );
}

/// Each stage, how a lead gets there, and what may follow.
const STAGES: [(&str, &[&str], &[&str]); 6] = [
    ("LEAD", &[], &["QUALIFIED", "LOST", "DORMANT"]),
    ("QUALIFIED", &["QUALIFIED"], &["PROSPECT", "LOST", "DORMANT"]),
    ("PROSPECT", &["QUALIFIED", "PROSPECT"], &["SIGNED", "LOST", "DORMANT"]),
    ("SIGNED", &["QUALIFIED", "PROSPECT", "SIGNED"], &["LOST", "DORMANT"]),
    ("LOST", &["LOST"], &["LEAD"]),
    ("DORMANT", &["DORMANT"], &["LEAD"]),
];

async fn every_forbidden_step_changes_nothing(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let step = |stage: &str| json!({ "stage": stage, "reason": "So.", "evidence": { "document": "d" } });
    let fields = "... on Customer { stage version updatedAt stageHistory { id to } }";
    for (stage, path, next) in STAGES {
        let id = collect(&rep, json!({ "name": stage })).await;
        for &to in path {
            assert_eq!(advance(&t, &rep, &id, step(to)).await, OK, "to {stage}");
        }
        let events = "SELECT COUNT(*) FROM events";
        let (before, counted) = (node(&rep, &id, fields).await, t.sql().await.number(events).await);
        for (to, ..) in STAGES.iter().filter(|(to, ..)| !next.contains(to)) {
            let problems = advance(&t, &rep, &id, step(to)).await;
            assert_eq!(problems, ["input.stage: INVALID_TRANSITION"], "{stage} to {to}");
        }
        if next.contains(&"PROSPECT") {
            let bare = advance(&t, &rep, &id, json!({ "stage": "PROSPECT" })).await;
            assert_eq!(bare, ["input.evidence: EVIDENCE_REQUIRED"]);
        }
        if next.contains(&"LOST") {
            let bare = advance(&t, &rep, &id, json!({ "stage": "LOST" })).await;
            assert_eq!(bare, ["input.reason: REQUIRED"], "{stage}");
        }
        assert_eq!(node(&rep, &id, fields).await, before, "{stage}");
        assert_eq!(t.sql().await.number(events).await, counted, "{stage}");
    }
    let lead = collect(&rep, json!({ "name": "Lead" })).await;
    let both = advance(&t, &rep, &lead, json!({ "stage": "PROSPECT" })).await;
    assert_eq!(both, ["input.stage: INVALID_TRANSITION", "input.evidence: EVIDENCE_REQUIRED"]);
    // Each allowed step, one after the other, all at one instant.
    let mut walked = vec!["LEAD"];
    for (stage, path, next) in STAGES.iter().filter(|(_, _, next)| next.len() > 1) {
        for &end in next.iter().filter(|end| matches!(**end, "LOST" | "DORMANT")) {
            for &to in path.iter().chain([&end, &"LEAD"]) {
                assert_eq!(advance(&t, &rep, &lead, step(to)).await, OK, "{stage} {to}");
                walked.push(to);
            }
        }
    }
    let history = node(&rep, &lead, fields).await["stageHistory"].clone();
    assert_eq!(values(&history, "to"), walked, "in the order of the steps");
}

async fn details_change_field_by_field(t: TestApp) {
    let rep = t.user("REP", "Rosa").await;
    let input = json!({ "name": "Zoë", "grade": "C", "sector": "Toys", "source": "Fair" });
    let id = collect(&rep, input).await;
    let update = |change: Value| {
        let (t, rep, id) = (t.clone(), rep.client.clone(), id.clone());
        let fields = "customer { version name kind grade sector source stage }";
        async move { self::change(&t, &rep, "updateCustomer", &id, change, fields).await }
    };
    let outcome = update(json!({ "name": " Zoë & Co ", "grade": null, "source": null })).await;
    let after = json!({ "version": 2, "name": "Zoë & Co", "kind": "COMPANY", "grade": null, "sector": "Toys",
        "source": null, "stage": "LEAD" });
    assert_eq!(outcome.ok()["customer"], after);
    let wrong = update(json!({ "name": "", "sector": "\u{7}", "source": "x".repeat(101) })).await;
    assert_eq!(
        wrong.problems(),
        ["input.name: REQUIRED", "input.sector: INVALID_CHARACTER", "input.source: TOO_LONG"]
    );
    let outcome = update(json!({ "kind": "PERSON", "sector": "Games" })).await;
    assert_eq!(outcome.ok()["customer"]["version"], 3);
    let stale = json!({ "id": id, "version": 2, "name": "Too late" });
    let stale = rep.mutate("updateCustomer", stale, "customer { id }").await;
    assert_eq!((stale.problems(), &stale.payload["customer"]), (vec![": CONFLICT".into()], &Value::Null));
    let huge = json!({ "id": id, "version": 9_007_199_254_740_993_i64, "name": "Too much" });
    assert_eq!(rep.mutate("updateCustomer", huge, "customer { id }").await.code(), "BAD_USER_INPUT");
}

async fn owners_are_dated(t: TestApp) {
    let cast = Cast::new(&t).await;
    let id = collect(&cast.rita, json!({ "name": "Z", "collectedAt": "2026-01-01T00:00:00Z" })).await;
    let assign = |by: &Person, owner: Value| {
        let (t, by, id) = (t.clone(), by.client.clone(), id.clone());
        async move {
            let change = json!({ "ownerId": owner });
            self::change(&t, &by, "assignCustomer", &id, change, "customer { owner { name } }").await
        }
    };
    t.clock.advance(Duration::minutes(1));
    let outcome = assign(&cast.lea, json!(cast.nora.id)).await;
    assert_eq!(outcome.ok()["customer"]["owner"]["name"], "Nora");
    t.clock.advance(Duration::minutes(1));
    // Two at one instant: the first held it for no time.
    assign(&cast.lea, json!(cast.rita.id)).await.ok();
    assign(&cast.lea, Value::Null).await.ok();
    let owners = "... on Customer { owner { name } a: owner(asOf: \"2025-12-31T23:59:59Z\") { name } \
        b: owner(asOf: \"2026-01-01T00:00:00Z\") { name } c: owner(asOf: \"2026-01-15T09:00:59.999999Z\") { name } \
        d: owner(asOf: \"2026-01-15T09:01:00Z\") { name } e: owner(asOf: \"2026-01-15T09:02:00Z\") { name } }";
    let (rita, nora) = (json!({ "name": "Rita" }), json!({ "name": "Nora" }));
    assert_eq!(
        node(&t.admin(), &id, owners).await,
        json!({ "owner": null, "a": null, "b": rita, "c": rita, "d": nora, "e": null })
    );
    assert_eq!(assign(&cast.lea, json!(cast.rita.id)).await.problems(), ["input.id: NOT_FOUND"], "nobody's");
    t.clock.advance(Duration::minutes(1));
    let admin = Person { client: t.admin(), ..cast.lea.clone() };
    assign(&admin, json!(cast.rita.id)).await.ok();
    for (by, owner, problem) in [
        (&cast.lea, json!(cast.rita.id), "input.ownerId: INVALID_TRANSITION"),
        (&cast.lea, json!(cast.sid.id), "input.ownerId: NOT_PERMITTED"),
        (&cast.lea, json!(id), "input.ownerId: INVALID_ID"),
        (&cast.otto, json!(cast.sid.id), "input.id: NOT_FOUND"),
    ] {
        assert_eq!(assign(by, owner).await.problems(), [problem], "{}", by.email);
    }
    let left_out = change(&t, &cast.lea, "assignCustomer", &id, json!({}), "customer { id }").await;
    assert_eq!(left_out.problems(), ["input.ownerId: REQUIRED"], "null must be meant");
    for by in [&cast.rita, &cast.sara, &cast.fin] {
        assert_eq!(assign(by, Value::Null).await.code(), "FORBIDDEN", "{}", by.email);
    }
}

const LIST: &str = "query($first: Int, $after: String, $last: Int, $before: String, \
    $filter: CustomerFilter, $order: CustomerOrder) { \
    customers(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order) { \
    totalCount nodes { id name number createdAt updatedAt collectedAt } edges { cursor node { id } } \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn list(by: &Client, arguments: Value) -> Value {
    by.gql(LIST, arguments).await.ok()["customers"].clone()
}

/// The first letters of the customers that a filter finds, by name.
async fn found(by: &Client, filter: Value) -> String {
    let page = list(by, json!({ "first": 100, "filter": filter, "order": { "field": "NAME" } })).await;
    let names = values(&page["nodes"], "name");
    assert_eq!(page["totalCount"], names.len(), "{filter}");
    names.iter().filter_map(|name| name.chars().next()).collect()
}

async fn filters_find_what_they_say(t: TestApp) {
    let (admin, rosa) = (t.admin(), t.user("REP", "Rosa").await.id);
    let alpha = json!({ "name": "Alpha AG", "number": "K-1", "grade": "A", "sector": "Retail",
        "source": "Fair", "ownerId": rosa, "collectedAt": "2025-01-01T00:00:00Z" });
    let alpha = collect(&admin, alpha).await;
    for input in [
        json!({ "name": "Beta  GmbH", "number": "K-2", "grade": "B", "sector": "retail", "ownerId": rosa,
            "collectedAt": "2025-02-01T00:00:00Z" }),
        json!({ "name": "ÉLAN Stahl", "number": "K-3", "sector": "Steel", "source": "Web",
            "collectedAt": "2025-03-01T00:00:00Z" }),
        json!({ "name": "Dora Doe", "number": "K-4", "kind": "PERSON", "grade": "D", "source": "fair",
            "collectedAt": "2025-04-01T00:00:00Z" }),
        json!({ "name": "100% Natur_al", "number": "k-5", "kind": "PERSON" }),
    ] {
        collect(&admin, input).await;
    }
    t.clock.advance(Duration::minutes(1));
    assert_eq!(advance(&t, &admin, &alpha, json!({ "stage": "QUALIFIED" })).await, OK);
    let many: Vec<Value> = vec![json!({ "grade": { "eq": "A" } }); 20];
    for (filter, initials) in [
        (Value::Null, "1ABDÉ"),
        (json!({}), "1ABDÉ"),
        (json!({ "id": { "eq": alpha } }), "A"),
        (json!({ "id": { "in": [alpha, alpha] } }), "A"),
        (json!({ "name": { "eq": " beta gmbh " } }), "B"),
        (json!({ "name": { "in": ["ALPHA AG", "dora  doe", "nobody"] } }), "AD"),
        (json!({ "name": { "contains": "élan" } }), "É"),
        (json!({ "name": { "contains": "a", "in": ["alpha ag", "dora doe"] } }), "AD"),
        (json!({ "name": { "contains": "%" } }), "1"),
        (json!({ "name": { "contains": "_" } }), "1"),
        (json!({ "name": { "contains": "\\" } }), ""),
        (json!({ "name": { "contains": "' OR 1=1 --" } }), ""),
        (json!({ "number": { "eq": "K-5" } }), "1"),
        (json!({ "kind": { "eq": "PERSON" } }), "1D"),
        (json!({ "kind": { "in": [] } }), ""),
        (json!({ "stage": { "eq": "QUALIFIED" } }), "A"),
        (json!({ "stage": { "in": ["LEAD", "SIGNED"] } }), "1BDÉ"),
        (json!({ "grade": { "in": ["B", "D"] } }), "BD"),
        (json!({ "not": { "grade": { "eq": "A" } } }), "1BDÉ"),
        (json!({ "sector": { "eq": "RETAIL" } }), "AB"),
        (json!({ "not": { "sector": { "eq": "retail" } } }), "1DÉ"),
        (json!({ "source": { "contains": "FAI" } }), "AD"),
        (json!({ "owner": { "eq": rosa } }), "AB"),
        (json!({ "owner": { "missing": true } }), "1DÉ"),
        (json!({ "owner": { "missing": false } }), "AB"),
        (json!({ "not": { "owner": { "in": [rosa] } } }), "1DÉ"),
        (
            json!({ "collectedAt": { "gte": "2025-02-01T00:00:00Z", "lte": "2025-03-01T01:00:00+01:00" } }),
            "BÉ",
        ),
        (json!({ "collectedAt": { "eq": "2025-04-01T02:00:00+02:00" } }), "D"),
        (json!({ "createdAt": { "lte": "2026-01-15T09:00:00Z" } }), "1ABDÉ"),
        (json!({ "updatedAt": { "gte": "2026-01-15T09:00:00.000001Z" } }), "A"),
        (json!({ "or": [{ "grade": { "eq": "A" } }, { "kind": { "eq": "PERSON" } }] }), "1AD"),
        (json!({ "or": [] }), ""),
        (json!({ "and": [] }), "1ABDÉ"),
        (
            json!({ "and": [{ "kind": { "eq": "COMPANY" } }, { "not": { "grade": { "eq": "A" } } }],
            "source": { "eq": "web" } }),
            "É",
        ),
        (json!({ "not": { "or": [{ "and": [{ "grade": { "eq": "A" } }] }] } }), "1BDÉ"),
        (json!({ "or": many }), "A"),
    ] {
        assert_eq!(found(&admin, filter.clone()).await, initials, "{filter}");
    }
}

async fn wrong_filters_are_refused(t: TestApp) {
    let id = collect(&t.admin(), json!({ "name": "A" })).await;
    let deep = json!({ "not": { "not": { "not": { "not": { "grade": { "eq": "A" } } } } } });
    for (filter, reason) in [
        (json!({ "name": {} }), "REQUIRED"),
        (json!({ "collectedAt": {} }), "REQUIRED"),
        (json!({ "owner": {} }), "REQUIRED"),
        (json!({ "grade": { "eq": "A", "in": ["B"] } }), "REQUIRED"),
        (json!({ "owner": { "eq": id, "missing": true } }), "REQUIRED"),
        (json!({ "owner": { "eq": id } }), "INVALID_ID"),
        (json!({ "id": { "in": ["", id] } }), "INVALID_ID"),
        (json!({ "id": { "in": vec![&id; 101] } }), "TOO_MANY"),
        (json!({ "name": { "contains": "x".repeat(201) } }), "INVALID_FORMAT"),
        (json!({ "name": { "eq": "a\u{0}" } }), "INVALID_FORMAT"),
        (deep, "TOO_MANY"),
        (json!({ "or": vec![json!({ "grade": { "eq": "A" } }); 21] }), "TOO_MANY"),
        (json!({ "or": vec![json!({}); 101] }), "TOO_MANY"),
    ] {
        let answer = t.admin().gql(LIST, json!({ "filter": filter })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{filter}: {}", answer.text);
        assert_eq!(answer.errors[0]["extensions"]["reason"], reason, "{filter}");
    }
}

/// The ids of the whole list, page by page, two at a time, from the one end or from the other.
async fn walk(by: &Client, order: &Value, backward: bool) -> Vec<String> {
    let (size, place, there, back) = match backward {
        false => ("first", "after", "hasNextPage", "hasPreviousPage"),
        true => ("last", "before", "hasPreviousPage", "hasNextPage"),
    };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = list(by, json!({ size: 2, place: cursor, "order": order })).await;
        let mut ids = values(&page["nodes"], "id");
        assert_eq!(page["pageInfo"][back], !cursor.is_null(), "{order}");
        if backward {
            ids.extend(seen);
            seen = ids;
        } else {
            seen.extend(ids);
        }
        cursor = page["pageInfo"][if backward { "startCursor" } else { "endCursor" }].clone();
        if page["pageInfo"][there] == false {
            return seen;
        }
    }
}

async fn every_order_pages_in_both_directions(t: TestApp) {
    let admin = t.admin();
    let mut ids = Vec::new();
    for (name, number, collected) in [
        ("Twin", Some("z-1"), "2025-03-01T00:00:00Z"),
        ("twin", Some("A-9"), "2025-01-01T00:00:00Z"),
        ("TWIN", None, "2025-02-01T00:00:00Z"),
        ("Ärger", Some("a-10"), "2025-02-01T00:00:00Z"),
        ("aaa", Some("B"), "2025-02-01T00:00:00Z"),
    ] {
        ids.push(collect(&admin, json!({ "name": name, "number": number, "collectedAt": collected })).await);
        if ids.len() == 3 {
            t.clock.advance(Duration::minutes(1));
        }
    }
    t.clock.advance(Duration::minutes(1));
    for id in &ids[1..3] {
        change(&t, &admin, "updateCustomer", id, json!({ "sector": "S" }), "customer { id }").await.ok();
    }
    for (field, value) in [
        ("CREATED_AT", "createdAt"),
        ("UPDATED_AT", "updatedAt"),
        ("COLLECTED_AT", "collectedAt"),
        ("NAME", "name"),
        ("NUMBER", "number"),
    ] {
        let (up, down) =
            (json!({ "field": field, "direction": "ASC" }), json!({ "field": field, "direction": "DESC" }));
        let page = list(&admin, json!({ "order": up })).await;
        let keys: Vec<String> = values(&page["nodes"], value).iter().map(|key| key.to_lowercase()).collect();
        assert!(keys.is_sorted(), "{field}: {keys:?}");
        let ascending = values(&page["nodes"], "id");
        let mut descending = ascending.clone();
        descending.reverse();
        assert_eq!(values(&list(&admin, json!({ "order": down })).await["nodes"], "id"), descending);
        for backward in [false, true] {
            assert_eq!(walk(&admin, &up, backward).await, ascending, "{field} ASC {backward}");
            assert_eq!(walk(&admin, &down, backward).await, descending, "{field} DESC {backward}");
        }
    }
    let plain = values(&list(&admin, json!({ "order": { "field": "NUMBER" } })).await["nodes"], "number");
    assert_eq!(plain, ["a-10", "A-9", "B", "C-000001", "z-1"], "ascending, ignoring case, byte by byte");
    assert_eq!(walk(&admin, &Value::Null, false).await, {
        let latest = json!({ "order": { "field": "CREATED_AT", "direction": "DESC" } });
        values(&list(&admin, latest).await["nodes"], "id")
    });
}

async fn pages_stay_stable_while_the_list_changes(t: TestApp) {
    let admin = t.admin();
    for number in 0..7 {
        collect(&admin, json!({ "name": format!("Same {number}") })).await;
    }
    let whole = list(&admin, json!({})).await;
    let ids = values(&whole["nodes"], "id");
    let cursors = values(&whole["edges"], "cursor");
    assert_eq!(ids.len(), 7, "all recorded at one instant");
    let first = list(&admin, json!({ "first": 3 })).await;
    assert_eq!(values(&first["nodes"], "id"), ids[..3]);
    assert_eq!(first["pageInfo"]["endCursor"], cursors[2]);
    assert_eq!(first["pageInfo"]["startCursor"], cursors[0]);

    t.clock.advance(Duration::minutes(1));
    let newest = collect(&admin, json!({ "name": "New" })).await;
    for id in [&ids[1], &ids[4]] {
        change(&t, &admin, "updateCustomer", id, json!({ "name": "Renamed" }), "customer { id }").await.ok();
    }
    let page = |arguments: Value| {
        let admin = admin.clone();
        async move { values(&list(&admin, arguments).await["nodes"], "id") }
    };
    assert_eq!(page(json!({ "after": cursors[2] })).await, ids[3..]);
    assert_eq!(page(json!({ "last": 2, "before": cursors[5] })).await, ids[3..5]);
    assert_eq!(page(json!({ "after": cursors[0], "before": cursors[5] })).await, ids[1..5]);
    assert_eq!(page(json!({ "last": 2, "after": cursors[0], "before": cursors[5] })).await, ids[3..5]);
    assert_eq!(page(json!({ "last": 100, "before": cursors[0] })).await, [newest], "only what came since");
    let none = list(&admin, json!({ "after": cursors[6] })).await;
    assert_eq!(
        none["pageInfo"],
        json!({ "hasNextPage": false, "hasPreviousPage": true, "startCursor": null, "endCursor": null })
    );
    assert_eq!((&none["nodes"], &none["totalCount"]), (&json!([]), &json!(8)));
}

async fn a_cursor_fits_its_own_list_only(t: TestApp) {
    let admin = t.admin();
    collect(&admin, json!({ "name": "A" })).await;
    let id = collect(&admin, json!({ "name": "B" })).await;
    log(&admin, json!({ "kind": "NOTE", "customerId": id, "note": "n" })).await;
    let by_name = |after: &Value| json!({ "after": after, "order": { "field": "NAME" } });
    let named = list(&admin, json!({ "first": 1, "order": { "field": "NAME" } })).await;
    let named = &named["pageInfo"]["endCursor"];
    assert_eq!(values(&list(&admin, by_name(named)).await["nodes"], "name"), ["B"]);
    let data = admin
        .query("{ activities { pageInfo { endCursor } } teams { pageInfo { endCursor } } changes { pageInfo { endCursor } } }")
        .await;
    let nil = "00000000-0000-0000-0000-000000000000";
    let forged = |parts: Value| json!(URL_SAFE_NO_PAD.encode(parts.to_string()));
    let number = json!({ "after": named, "order": { "field": "NUMBER" } });
    for (arguments, argument) in [
        (number, "after"),
        (by_name(&data["activities"]["pageInfo"]["endCursor"]), "after"),
        (by_name(&data["changes"]["pageInfo"]["endCursor"]), "after"),
        (by_name(&json!("")), "after"),
        (by_name(&json!("x".repeat(3_000))), "after"),
        (by_name(&json!("ö")), "after"),
        (by_name(&forged(json!(["customers:NAME", { "t": 5 }, nil]))), "after"),
        (by_name(&forged(json!(["customers:NAME", { "n": 5 }, nil]))), "after"),
        (by_name(&forged(json!(["customers:NAME", { "s": "a\u{0}" }, nil]))), "after"),
        (by_name(&forged(json!(["customers:NAME", { "s": "a" }, "no id"]))), "after"),
        (by_name(&forged(json!(["customers:NAME", { "s": "a" }]))), "after"),
        (json!({ "after": forged(json!(["customers:CREATED_AT", { "t": i64::MAX }, nil])) }), "after"),
        (
            json!({ "last": 1, "before": forged(json!(["customers:CREATED_AT", { "s": "a" }, nil])) }),
            "before",
        ),
    ] {
        let answer = admin.gql(LIST, arguments.clone()).await;
        let extensions = &answer.errors.first().unwrap_or_else(|| panic!("{arguments}"))["extensions"];
        assert_eq!(
            (&extensions["reason"], &extensions["argument"]),
            (&json!("INVALID_FORMAT"), &json!(argument))
        );
    }
    for (arguments, argument) in [
        (json!({ "first": 0 }), "first"),
        (json!({ "first": 101 }), "first"),
        (json!({ "last": -1 }), "last"),
        (json!({ "first": 1, "last": 1 }), "first"),
    ] {
        let answer = admin.gql(LIST, arguments.clone()).await;
        let extensions = &answer.errors[0]["extensions"];
        assert_eq!(
            (&extensions["reason"], &extensions["argument"]),
            (&json!("OUT_OF_RANGE"), &json!(argument))
        );
    }
    // A cursor is a place, not a key: in another organisation it opens nothing.
    let stranger = t.other_organization("Elsewhere").await;
    let elsewhere = list(&stranger, by_name(named)).await;
    assert_eq!((&elsewhere["nodes"], &elsewhere["totalCount"]), (&json!([]), &json!(0)));
}

async fn of_fifty_equal_changes_one_wins(t: TestApp) {
    let id = collect(&t.admin(), json!({ "name": "Before" })).await;
    let copies = (0..50).map(|number| {
        let input = json!({ "id": id, "version": 1, "name": format!("After {number}") });
        let client = t.admin();
        async move { client.mutate("updateCustomer", input, "customer { name }").await }
    });
    let outcomes = futures_util::future::join_all(copies).await;
    let mut codes: Vec<String> = outcomes.iter().map(Outcome::code).collect();
    codes.sort();
    assert_eq!(codes, [vec![""], vec!["CONFLICT"; 49]].concat());
    let winner = outcomes.iter().find(|outcome| outcome.code().is_empty()).expect("one");
    let now = node(&t.admin(), &id, "... on Customer { name version }").await;
    assert_eq!(now, json!({ "name": winner.ok()["customer"]["name"], "version": 2 }));
    let events = "SELECT COUNT(*) FROM events WHERE kind = 'customer.updated'";
    assert_eq!(t.sql().await.number(events).await, 1);
}

/// The first letters of the customers that somebody sees, by every way that leads to them.
async fn seen(by: &Client, customers: &[(&str, String)]) -> String {
    let listed = found(by, Value::Null).await;
    let (mut by_id, mut nested) = (String::new(), String::new());
    for (name, id) in customers {
        let found = node(by, id, "... on Customer { name }").await;
        assert!(found.is_null() || found["name"] == *name, "{found}");
        by_id.extend(found["name"].as_str().and_then(|name| name.chars().next()));
    }
    let notes = by.gql("{ activities(first: 100) { nodes { customer { name } } } }", json!({})).await;
    // Finance reads no activities.
    if notes.code() == "FORBIDDEN" {
        nested.clone_from(&listed);
    } else {
        let mut names: Vec<&str> = notes.ok()["activities"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .filter_map(|note| note["customer"]["name"].as_str())
            .collect();
        names.sort_unstable();
        nested.extend(names.iter().filter_map(|name| name.chars().next()));
    }
    assert_eq!((&by_id, &nested), (&listed, &listed));
    listed
}

async fn everybody_sees_the_customers_in_reach(t: TestApp) {
    let cast = Cast::new(&t).await;
    let mut customers = Vec::new();
    for (name, owner) in [
        ("Lake", Some(&cast.lea)),
        ("Nord", Some(&cast.nora)),
        ("Orphan", None),
        ("Rhein", Some(&cast.rita)),
        ("Sued", Some(&cast.sid)),
    ] {
        let input = json!({ "name": name, "ownerId": owner.map(|owner| &owner.id) });
        let id = collect(&t.admin(), input).await;
        log(&t.admin(), json!({ "kind": "NOTE", "customerId": id, "note": name })).await;
        customers.push((name, id));
    }
    let rhein = customers[3].1.clone();
    for (by, expected) in [
        (&cast.rita.client, "R"),
        (&cast.nora, "N"),
        (&cast.lea, "LNR"),
        (&cast.otto, "S"),
        (&cast.sid, "S"),
        (&cast.sara, "LNORS"),
        (&cast.fin, "LNORS"),
        (&t.admin(), "LNORS"),
    ] {
        assert_eq!(seen(by, &customers).await, expected);
    }
    let rename = |by: &Person| {
        let (t, by, id) = (t.clone(), by.client.clone(), rhein.clone());
        async move { change(&t, &by, "updateCustomer", &id, json!({ "name": "Rhein" }), "customer { id }").await }
    };
    for (by, code) in [
        (&cast.rita, ""),
        (&cast.lea, ""),
        (&cast.nora, "NOT_FOUND"),
        (&cast.otto, "NOT_FOUND"),
        (&cast.sara, "FORBIDDEN"),
        (&cast.fin, "FORBIDDEN"),
    ] {
        assert_eq!(rename(by).await.code(), code, "{}", by.email);
    }
    // A new owner, and with it a new audience, at once.
    let hand_over = json!({ "ownerId": cast.sid.id });
    change(&t, &t.admin(), "assignCustomer", &rhein, hand_over, "customer { id }").await.ok();
    for (by, expected) in [(&cast.rita, ""), (&cast.lea, "LN"), (&cast.sid, "RS"), (&cast.otto, "RS")] {
        assert_eq!(seen(by, &customers).await, expected, "{}", by.email);
    }
    assert_eq!(rename(&cast.rita).await.problems(), ["input.id: NOT_FOUND"]);
    assert_eq!(rename(&cast.sid).await.code(), "");
    // A new role counts as well.
    let promote = json!({ "id": cast.nora.id, "version": t.version(&cast.nora.id).await, "role": "FINANCE" });
    t.admin().mutate("updateUser", promote, "user { id }").await.ok();
    assert_eq!(seen(&cast.nora, &customers).await, "LNORS");
}

async fn other_organisations_are_out_of_reach(t: TestApp) {
    let stranger = t.other_organization("Elsewhere").await;
    let rep = t.user("REP", "Rosa").await;
    let id = collect(&rep, json!({ "name": "Ours" })).await;
    let call = log(&rep, json!({ "kind": "CALL", "customerId": id, "connected": true })).await;
    let theirs = collect(&stranger, json!({ "name": "Theirs" })).await;
    log(&stranger, json!({ "kind": "NOTE", "customerId": theirs, "note": "n" })).await;
    assert_eq!(seen(&stranger, &[("Ours", id.clone()), ("Theirs", theirs.clone())]).await, "T");
    for filter in [json!({ "owner": { "eq": rep.id } }), json!({ "id": { "eq": id } })] {
        assert_eq!(found(&stranger, filter).await, "");
    }
    for (mutation, mut input) in [
        ("updateCustomer", json!({ "name": "Mine" })),
        ("advanceCustomer", json!({ "stage": "QUALIFIED" })),
        ("assignCustomer", json!({ "ownerId": null })),
    ] {
        input["id"] = json!(id);
        input["version"] = json!(1);
        let outcome = stranger.mutate(mutation, input, "customer { id }").await;
        assert_eq!(outcome.problems(), ["input.id: NOT_FOUND"], "{mutation}");
    }
    for (mutation, input, problem) in [
        ("createCustomer", json!({ "name": "X", "kind": "PERSON", "ownerId": rep.id }), "ownerId: NOT_FOUND"),
        (
            "createCustomer",
            json!({ "name": "X", "kind": "PERSON", "collectedById": rep.id }),
            "collectedById: NOT_FOUND",
        ),
        ("assignCustomer", json!({ "id": theirs, "version": 1, "ownerId": rep.id }), "ownerId: NOT_FOUND"),
        (
            "advanceCustomer",
            json!({ "id": theirs, "version": 1, "stage": "QUALIFIED", "evidence": { "activityId": call } }),
            "evidence.activityId: NOT_FOUND",
        ),
    ] {
        let outcome = stranger.mutate(mutation, input, "customer { id }").await;
        assert_eq!(outcome.problems(), [format!("input.{problem}")], "{mutation}");
    }
    assert_eq!(node(&rep, &id, "... on Customer { version }").await["version"], 1);
    assert_eq!(t.anonymous().gql(LIST, json!({})).await.code(), "UNAUTHENTICATED");
}
