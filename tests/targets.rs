//! Targets through the API: proposed from history, answered, signed, supported, split and brought into force.

use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Person, TestApp, both};

both!(
    a_target_is_agreed_by_both_sides_supported_and_activated,
    unusual_and_incomplete_targets_are_refused_with_the_part_that_is_missing,
    the_target_of_a_team_is_split_to_the_unit_and_goes_on_adding_up,
    each_part_follows_the_calendar_and_the_leave_of_its_owner,
    targets_are_seen_by_those_who_take_part,
    an_amendment_leaves_the_days_that_have_passed,
    a_target_rests_on_the_work_on_record,
);

/// What is read back of a target.
pub(crate) const FIELDS: &str = "target { id version state level publishedAt lines { metric quantity perWorkday money { amount } dueBy } \
    onTheTable { number hash authorSide signatures { side user { id } } } terms { number hash } earlierTerms { number } \
    amendment { number effectiveFrom } buffer { metric quantity } \
    supportPlan { resources { id status latenessDays committedBy { id } } } }";

/// A sales organisation of two floors, and a department.
pub(crate) struct Sales {
    pub(crate) t: TestApp,
    /// Leads all of sales.
    pub(crate) mona: Person,
    pub(crate) north: String,
    /// Leads the north.
    pub(crate) lea: Person,
    pub(crate) rosa: Person,
    pub(crate) otto: Person,
    /// Leads marketing.
    pub(crate) max: Person,
}

impl Sales {
    pub(crate) async fn open(t: TestApp) -> Self {
        let all = t.team("Sales", None).await;
        let north = t.team("North", Some(&all)).await;
        let marketing = t.team("Marketing", None).await;
        Self {
            mona: t.user_in("MANAGER", "Mona", &all, "LEAD").await,
            lea: t.user_in("MANAGER", "Lea", &north, "LEAD").await,
            rosa: t.user_in("REP", "Rosa", &north, "MEMBER").await,
            otto: t.user_in("REP", "Otto", &north, "MEMBER").await,
            max: t.user_in("MANAGER", "Max", &marketing, "LEAD").await,
            north,
            t,
        }
    }

    /// A target for February 2026, which has twenty workdays: nothing is on record, so rates are stated.
    pub(crate) fn asked(&self, owner: &str, deals: i32, approver: &str) -> Value {
        json!({
            "ownerId": owner, "period": { "kind": "MONTH", "start": "2026-02-01" }, "goal": { "deals": deals },
            "quality": "0.6", "assumedRates": rates(), "override": because(approver),
        })
    }

    /// Lets days pass and signs everybody in again.
    pub(crate) async fn later(&mut self, days: i64) {
        self.t.later(chrono::Duration::days(days)).await;
        for person in [&mut self.mona, &mut self.lea, &mut self.rosa, &mut self.otto, &mut self.max] {
            person.client = self.t.sign_in(&person.email, PASSWORD).await;
        }
    }

    pub(crate) async fn read(&self, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on Target {{ {} }} }} }}", fields());
        self.t.admin().gql(&query, json!({ "id": id })).await.ok()["node"].clone()
    }

    /// Sends a mutation with the present version of the target; a refusal is told by its first code.
    pub(crate) async fn act(
        &self,
        by: &Client,
        name: &str,
        id: &str,
        mut input: Value,
    ) -> Result<Value, String> {
        input["id"] = json!(id);
        input["version"] = json!(self.t.version(id).await);
        let outcome = by.mutate(name, input, FIELDS).await;
        match outcome.code().split(',').next().unwrap_or_default() {
            "" => Ok(outcome.ok()["target"].clone()),
            code => Err(code.to_owned()),
        }
    }

    /// Six deals of a thousand euros each, one a month from March to August 2025, won by Rosa.
    pub(crate) async fn six_deals(&self) {
        for day in 1..=6 {
            let number = format!("R-{day}");
            let at = |date: u32| format!("2025-{:02}-{date:02}T09:00:00Z", day + 2);
            let customer = json!({ "kind": "COMPANY", "name": number, "collectedAt": at(2) });
            let customer = self.rosa.mutate("createCustomer", customer, "customer { id }").await;
            for (version, stage) in [(1, "QUALIFIED"), (2, "PROSPECT")] {
                let step = json!({ "id": customer.ok()["customer"]["id"], "version": version, "stage": stage,
                    "occurredAt": at(3), "evidence": { "document": "Letter" } });
                self.rosa.mutate("advanceCustomer", step, "customer { id }").await.ok();
            }
            let deal = json!({ "number": number, "customerId": customer.ok()["customer"]["id"],
                "value": { "amount": "1000.00", "currency": "EUR" }, "openedAt": at(3) });
            let deal = self.rosa.mutate("createDeal", deal, "deal { id }").await;
            let win = json!({ "id": deal.ok()["deal"]["id"], "version": 1, "wonAt": at(17) });
            self.rosa.mutate("winDeal", win, "deal { id }").await.ok();
        }
    }

    /// Signs what is on the table now.
    pub(crate) async fn sign(&self, by: &Client, id: &str) -> Result<Value, String> {
        let hash = self.read(id).await["onTheTable"]["hash"].clone();
        self.act(by, "agreeTarget", id, json!({ "hash": hash })).await
    }
}

fn fields() -> &'static str {
    FIELDS.strip_prefix("target {").and_then(|rest| rest.strip_suffix('}')).expect("fields")
}

pub(crate) fn rates() -> Value {
    json!({ "dealsPerProspect": "0.2", "prospectsPerCall": "0.1", "callsPerUsableLead": "3" })
}

pub(crate) fn because(approver: &str) -> Value {
    json!({ "reason": "The first month of a new region.", "approverId": approver })
}

/// Metric and quantity of each line.
fn numbers(lines: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = lines.as_array().expect("lines");
    lines.iter().map(|line| (text(&line["metric"]), text(&line["quantity"]))).collect()
}

fn of(lines: &Value, metric: &str) -> i64 {
    let found = numbers(lines).into_iter().find(|(name, _)| name == metric);
    found.map_or(0, |(_, quantity)| quantity.parse().expect("a whole number"))
}

pub(crate) fn id(target: &Value) -> String {
    target["id"].as_str().expect("an id").to_owned()
}

async fn a_target_is_agreed_by_both_sides_supported_and_activated(t: TestApp) {
    let mut s = Sales::open(t).await;
    let mut asked = s.asked(&s.rosa.id, 4, &s.mona.id);
    asked["support"] = json!({
        "actions": [{ "text": "Visit the fair.", "dueBy": "2026-02-03" }],
        "resources": [{ "kind": "ADVERTISING", "money": { "amount": "500.00", "currency": "EUR" },
            "dueBy": "2026-02-03", "department": "marketing" }],
    });
    let proposed = s.lea.mutate("proposeTarget", asked.clone(), FIELDS).await;
    let target = proposed.ok()["target"].clone();
    let target_id = id(&target);
    assert_eq!(target["state"], "PROPOSED");
    let line = |metric: &str, quantity: &str| (metric.to_owned(), quantity.to_owned());
    assert_eq!(
        numbers(&target["lines"]),
        [
            line("LEADS_COLLECTED", "112"),
            line("LEAD_QUALITY", "0.600000"),
            line("CALLS", "200"),
            line("PROSPECTS", "20"),
            line("DEALS_WON", "4"),
        ]
    );
    assert_eq!(target["lines"][2]["perWorkday"], "10");
    assert_eq!(target["lines"][2]["dueBy"], "2026-02-27");
    assert_eq!(s.lea.mutate("proposeTarget", asked, FIELDS).await.code(), "TAKEN");

    // An answer keeps both numbers, and what was read before cannot be signed any more.
    let stale = target["onTheTable"]["hash"].clone();
    let answer = json!({
        "goal": { "deals": 3 }, "quality": "0.6", "assumedRates": rates(), "override": because(&s.mona.id),
        "support": { "resources": [{ "kind": "ADVERTISING", "quantity": 2, "dueBy": "2026-02-03", "department": "Marketing" }] },
    });
    assert_eq!(
        s.act(&s.lea, "counterTarget", &target_id, answer.clone()).await,
        Err("INVALID_TRANSITION".into())
    );
    let countered = s.act(&s.rosa, "counterTarget", &target_id, answer).await.expect("countered");
    assert_eq!((&countered["state"], of(&countered["lines"], "DEALS_WON")), (&json!("COUNTERED"), 3));
    assert_eq!(countered["earlierTerms"], json!([{ "number": 1 }]));
    let stale = s.act(&s.rosa, "agreeTarget", &target_id, json!({ "hash": stale })).await;
    assert_eq!(stale, Err("TERMS_CHANGED".into()));

    // Each signs once, for one side; somebody outside does not.
    assert_eq!(s.sign(&s.otto, &target_id).await, Err("NOT_FOUND".into()));
    assert_eq!(s.sign(&s.t.admin(), &target_id).await, Err("NOT_PERMITTED".into()));
    s.sign(&s.rosa, &target_id).await.expect("signed");
    assert_eq!(s.sign(&s.rosa, &target_id).await, Err("ALREADY_SIGNED".into()));
    let signed = s.sign(&s.lea, &target_id).await.expect("signed");
    assert_eq!(signed["state"], "COUNTERED", "the one who answers for it has not signed");
    let agreed = s.sign(&s.mona, &target_id).await.expect("signed");
    assert_eq!(agreed["state"], "AGREED");

    // The department owes something: until it has signed, nothing counts.
    let resource = agreed["supportPlan"]["resources"][0]["id"].clone();
    let owed = json!({ "resourceId": resource });
    assert_eq!(
        s.act(&s.lea, "activateTarget", &target_id, json!({})).await,
        Err("INVALID_TRANSITION".into())
    );
    assert_eq!(s.act(&s.lea, "commitSupport", &target_id, owed.clone()).await, Err("NOT_PERMITTED".into()));
    assert_eq!(s.act(&s.rosa, "commitSupport", &target_id, owed.clone()).await, Err("FORBIDDEN".into()));
    let committed = s.act(&s.max, "commitSupport", &target_id, owed.clone()).await.expect("committed");
    assert_eq!(committed["state"], "COMMITTED", "nothing was missing any more");
    assert_eq!(committed["supportPlan"]["resources"][0]["status"], "COMMITTED");

    assert_eq!(s.act(&s.lea, "activateTarget", &target_id, json!({})).await, Err("TOO_EARLY".into()));
    s.later(21).await; // To the fifth of February.
    let active = s.act(&s.lea, "activateTarget", &target_id, json!({})).await.expect("active");
    assert_eq!(active["state"], "ACTIVE");
    let delivered = s.act(&s.max, "deliverSupport", &target_id, owed).await.expect("delivered");
    assert_eq!(delivered["supportPlan"]["resources"][0]["status"], "DELIVERED_LATE");
    assert_eq!(delivered["supportPlan"]["resources"][0]["latenessDays"], 2);
    let withdrawn = s.act(&s.lea, "withdrawTarget", &target_id, json!({ "reason": "Too late." })).await;
    assert_eq!(withdrawn, Err("INVALID_TRANSITION".into()));
}

async fn unusual_and_incomplete_targets_are_refused_with_the_part_that_is_missing(t: TestApp) {
    let s = Sales::open(t).await;
    let asked = |change: &dyn Fn(&mut Value)| {
        let mut input = s.asked(&s.rosa.id, 4, &s.mona.id);
        change(&mut input);
        input
    };
    let cases: Vec<(&str, &Person, Value)> = vec![
        ("TARGET_NOT_ACHIEVABLE", &s.lea, asked(&|input| input["override"] = Value::Null)),
        ("TARGET_NOT_QUANTIFIED", &s.lea, asked(&|input| input["assumedRates"] = Value::Null)),
        (
            "TARGET_NOT_LINKED",
            &s.lea,
            asked(&|input| input["lines"] = json!([{ "metric": "CALLS", "quantity": 180 }])),
        ),
        (
            "NOT_APPLICABLE",
            &s.lea,
            asked(&|input| input["lines"] = json!([{ "metric": "DEALS_WON", "quantity": 5 }])),
        ),
        ("SELF_APPROVAL", &s.lea, asked(&|input| input["override"] = because(&s.lea.id))),
        ("NOT_PERMITTED", &s.lea, asked(&|input| input["override"] = because(&s.rosa.id))),
        ("SELF_APPROVAL", &s.lea, asked(&|input| input["ownerId"] = json!(s.lea.id))),
        ("NOT_PERMITTED", &s.max, asked(&|_| {})),
        ("FORBIDDEN", &s.rosa, asked(&|_| {})),
        ("OUT_OF_RANGE", &s.lea, asked(&|input| input["goal"] = json!({ "deals": 0 }))),
        ("OUT_OF_RANGE", &s.lea, asked(&|input| input["goal"] = json!({ "deals": -1 }))),
        ("OUT_OF_RANGE", &s.lea, asked(&|input| input["goal"] = json!({ "deals": 2_000_000_000 }))),
        ("OUT_OF_RANGE", &s.lea, asked(&|input| input["quality"] = json!("1.1"))),
        (
            "REQUIRED",
            &s.lea,
            asked(&|input| input["goal"] = json!({ "revenue": { "amount": "1000.00", "currency": "EUR" } })),
        ),
        ("NOT_A_PERIOD_START", &s.lea, asked(&|input| input["period"]["start"] = json!("2026-02-02"))),
        ("PERIOD_OVER", &s.lea, asked(&|input| input["period"]["start"] = json!("2025-12-01"))),
        ("INVALID_ID", &s.lea, asked(&|input| input["ownerId"] = json!("nobody"))),
    ];
    for (code, by, input) in cases {
        let outcome = by.mutate("proposeTarget", input.clone(), FIELDS).await;
        let found = outcome.code();
        assert!(found.split(',').any(|part| part == code), "{code}, not {found}: {input}");
    }
    // An administrator stands in only where nobody leads the owner.
    let refused = s.t.admin().mutate("proposeTarget", asked(&|_| {}), FIELDS).await;
    assert_eq!(refused.code(), "NOT_PERMITTED");
    let alone = s.t.user("REP", "Alone").await;
    s.t.admin().mutate("proposeTarget", s.asked(&alone.id, 4, &s.mona.id), FIELDS).await.ok();
    assert_eq!(s.t.sql().await.number("SELECT COUNT(*) FROM targets").await, 1);
    assert_eq!(s.t.sql().await.number("SELECT COUNT(*) FROM derivations").await, 1);
}

async fn the_target_of_a_team_is_split_to_the_unit_and_goes_on_adding_up(t: TestApp) {
    let s = Sales::open(t).await;
    let admin = s.t.user("ADMIN", "Ann").await;
    let asked = s.asked(&s.north, 7, &admin.id);
    let own = s.lea.mutate("proposeTarget", asked.clone(), FIELDS).await;
    assert_eq!(own.code(), "SELF_APPROVAL", "nobody sets the target of their own team");
    let team = id(&s.mona.mutate("proposeTarget", asked, FIELDS).await.ok()["target"]);

    let split = json!({
        "id": team, "version": 1, "buffer": [{ "metric": "DEALS_WON", "quantity": 1 }],
        "override": because(&s.mona.id),
    });
    let fields = format!("{FIELDS} children {{ {} owner {{ ... on User {{ id }} }} }}", fields());
    assert_eq!(s.max.mutate("cascadeTarget", split.clone(), &fields).await.code(), "NOT_FOUND");
    let outcome = s.lea.mutate("cascadeTarget", split, &fields).await;
    let children = outcome.ok()["children"].as_array().expect("children").clone();
    let lines = &outcome.ok()["target"]["lines"];
    assert_eq!(children.len(), 2, "the lead is not asked for a part");
    for metric in ["LEADS_COLLECTED", "CALLS", "PROSPECTS", "DEALS_WON"] {
        let sum: i64 = children.iter().map(|child| of(&child["lines"], metric)).sum();
        assert_eq!(sum - i64::from(metric == "DEALS_WON"), of(lines, metric), "{metric}");
    }
    let again = json!({ "override": because(&s.mona.id) });
    assert_eq!(s.act(&s.lea, "cascadeTarget", &team, again).await, Err("TAKEN".into()));

    for person in [&s.lea.client, &s.mona.client, &admin.client] {
        s.sign(person, &team).await.expect("signed");
    }
    assert_eq!(s.read(&team).await["state"], "COMMITTED", "the unit adds up");

    // From now on no part may leave less than the team is asked; what is more becomes the buffer.
    let part = |person: &Person| {
        let of_person = |child: &&Value| child["owner"]["id"] == json!(person.id);
        id(children.iter().find(of_person).expect("a part"))
    };
    let answer = |deals: i32| json!({ "goal": { "deals": deals }, "quality": "0.6", "assumedRates": rates(), "override": because(&s.mona.id) });
    let (rosas, ottos) = (part(&s.rosa), part(&s.otto));
    assert_eq!(s.act(&s.rosa, "counterTarget", &rosas, answer(3)).await, Err("ROLL_UP_BROKEN".into()));
    s.act(&s.rosa, "counterTarget", &rosas, answer(5)).await.expect("countered");
    assert_eq!(of(&s.read(&team).await["buffer"], "DEALS_WON"), 2);
    let gone = s.act(&s.lea, "withdrawTarget", &ottos, json!({ "reason": "Moves to the south." })).await;
    assert_eq!(gone, Err("ROLL_UP_BROKEN".into()));
    for (part, person) in [(&rosas, &s.rosa), (&ottos, &s.otto)] {
        for signer in [&person.client, &s.lea.client, &s.mona.client] {
            s.sign(signer, part).await.expect("signed");
        }
        assert_eq!(s.read(part).await["state"], "COMMITTED");
    }
}

/// A calendar of days from nine to five; answers its opaque id.
async fn calendar(s: &Sales, name: &str, days: &[&str], closed: &[&str], is_default: bool) -> String {
    let weekly = days.iter().map(|day| json!({ "weekday": day, "fromMinute": 540, "toMinute": 1020 }));
    let exceptions = closed.iter().map(|date| json!({ "date": date, "open": [] }));
    let input = json!({ "name": name, "timeZone": "Europe/Berlin", "isDefault": is_default,
        "weekly": weekly.collect::<Vec<_>>(), "exceptions": exceptions.collect::<Vec<_>>() });
    let created = s.t.admin().mutate("createWorkCalendar", input, "workCalendar { id }").await;
    id(&created.ok()["workCalendar"])
}

async fn each_part_follows_the_calendar_and_the_leave_of_its_owner(t: TestApp) {
    let s = Sales::open(t).await;
    let nina = s.t.user_in("REP", "Nina", &s.north, "MEMBER").await;
    // Nineteen workdays of February for everybody but those who work four days a week.
    let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"];
    calendar(&s, "Office", &days, &["2026-02-16"], true).await;
    let four_days = calendar(&s, "Four days", &days[..4], &[], false).await;
    for person in [&s.lea, &s.rosa] {
        let own =
            json!({ "id": person.id, "version": s.t.version(&person.id).await, "calendarId": four_days });
        s.t.admin().mutate("updateUser", own, "user { id }").await.ok();
    }
    let leave = json!({ "userId": s.otto.id, "version": s.t.version(&s.otto.id).await,
        "from": "2026-02-02", "to": "2026-02-13" });
    s.t.admin().mutate("recordLeave", leave, "user { id }").await.ok();

    let admin = s.t.user("ADMIN", "Ann").await;
    let proposed = s.mona.mutate("proposeTarget", s.asked(&s.north, 44, &admin.id), FIELDS).await;
    let team = proposed.ok()["target"].clone();
    let asked = |target: &Value| {
        let calls = target["lines"].as_array().expect("lines").iter().find(|line| line["metric"] == "CALLS");
        let per_workday = calls.expect("calls")["perWorkday"].as_str().expect("a number").to_owned();
        (of(&target["lines"], "DEALS_WON"), of(&target["lines"], "CALLS"), per_workday)
    };
    assert_eq!(asked(&team), (44, 2_200, "116".into()), "the 19 days of the organisation");

    let split = json!({ "id": id(&team), "version": 1, "buffer": [], "override": because(&s.mona.id) });
    let fields = format!("children {{ {} owner {{ ... on User {{ id }} }} }}", fields());
    let outcome = s.lea.mutate("cascadeTarget", split, &fields).await;
    let children = outcome.ok()["children"].as_array().expect("children");
    for (person, workdays) in [(&s.rosa, 16), (&s.otto, 9), (&nina, 19)] {
        let child = children.iter().find(|child| child["owner"]["id"] == json!(person.id)).expect("a part");
        assert_eq!(asked(child), (workdays, 50 * workdays, "50".into()), "{}", person.email);
    }
}

async fn targets_are_seen_by_those_who_take_part(t: TestApp) {
    let s = Sales::open(t).await;
    let finance = s.t.user("FINANCE", "Fay").await;
    let service = s.t.user("SERVICE_AGENT", "Sam").await;
    let stranger = s.t.other_organization("Elsewhere").await;
    let person = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), FIELDS).await;
    let person = id(&person.ok()["target"]);
    let team = s.mona.mutate("proposeTarget", s.asked(&s.north, 7, &s.max.id), FIELDS).await;
    let team = id(&team.ok()["target"]);
    for (name, client, seen) in [
        ("rosa", &s.rosa.client, vec![&team, &person]),
        ("otto", &s.otto.client, vec![&team]),
        ("lea", &s.lea.client, vec![&team, &person]),
        ("mona", &s.mona.client, vec![&team, &person]),
        ("max, who answers for one", &s.max.client, vec![&team]),
        ("finance", &finance.client, vec![&team, &person]),
        ("the administrator", &s.t.admin(), vec![&team, &person]),
        ("a stranger", &stranger, vec![]),
    ] {
        let found = client.query("{ targets { totalCount nodes { id derivation { reproduces } } } }").await;
        let nodes = found["targets"]["nodes"].as_array().expect("nodes").clone();
        let mut ids: Vec<String> = nodes.iter().map(id).collect();
        ids.sort();
        let mut wanted: Vec<String> = seen.into_iter().cloned().collect();
        wanted.sort();
        assert_eq!(ids, wanted, "{name}");
        assert!(nodes.iter().all(|node| node["derivation"]["reproduces"] == true), "{name}");
    }
    assert_eq!(service.gql("{ targets { totalCount } }", json!({})).await.code(), "FORBIDDEN");
    let filter = "query($user: ID!) { targets(filter: { ownerUser: { eq: $user }, state: { eq: PROPOSED }, \
                  periodStart: { gte: \"2026-02-01\" } }) { totalCount } }";
    let found = s.mona.gql(filter, json!({ "user": s.rosa.id })).await;
    assert_eq!(found.ok()["targets"]["totalCount"], 1);
}

async fn an_amendment_leaves_the_days_that_have_passed(t: TestApp) {
    let mut s = Sales::open(t).await;
    let proposed = s.lea.mutate("proposeTarget", s.asked(&s.rosa.id, 4, &s.mona.id), FIELDS).await;
    let target = id(&proposed.ok()["target"]);
    for signer in [&s.rosa, &s.lea, &s.mona] {
        s.sign(signer, &target).await.expect("signed");
    }
    s.later(26).await; // To the tenth of February.
    s.act(&s.lea, "activateTarget", &target, json!({})).await.expect("active");
    let other = |from: &str, deals: i32| {
        json!({ "effectiveFrom": from, "goal": { "deals": deals }, "quality": "0.6", "assumedRates": rates(),
            "override": because(&s.mona.id) })
    };
    let amend = async |by: &Client, input| s.act(by, "amendTarget", &target, input).await;
    assert_eq!(amend(&s.lea, other("2026-02-09", 6)).await, Err("TOO_EARLY".into()));
    assert_eq!(amend(&s.lea, other("2026-03-01", 6)).await, Err("OUT_OF_RANGE".into()));
    assert_eq!(amend(&s.rosa, other("2026-02-11", 6)).await, Err("FORBIDDEN".into()));
    let amended = amend(&s.lea, other("2026-02-11", 6)).await.expect("amended");
    assert_eq!(amended["amendment"], json!({ "number": 2, "effectiveFrom": "2026-02-11" }));
    assert_eq!(of(&amended["lines"], "DEALS_WON"), 4, "the old terms stand until the new ones are agreed");
    // Who leads all of sales signs for the manager's side and answers for the terms at once.
    for signer in [&s.mona, &s.rosa] {
        s.sign(signer, &target).await.expect("signed");
    }
    let after = s.read(&target).await;
    assert_eq!((of(&after["lines"], "DEALS_WON"), &after["amendment"]), (6, &Value::Null));
    assert_eq!(after["earlierTerms"], json!([{ "number": 1 }]));
    // Published in time and amended: still one that counts.
    assert_eq!(after["state"], "ACTIVE");

    // What is published too late needs somebody who had no hand in it.
    let late = s.lea.mutate("proposeTarget", s.asked(&s.otto.id, 4, &s.mona.id), FIELDS).await;
    let late = id(&late.ok()["target"]);
    for signer in [&s.otto, &s.lea, &s.mona] {
        s.sign(signer, &late).await.expect("signed");
    }
    let reason = json!({ "reason": "He joined in February." });
    assert_eq!(s.act(&s.lea, "activateTarget", &late, json!({})).await, Err("REQUIRED".into()));
    assert_eq!(s.act(&s.lea, "activateTarget", &late, reason.clone()).await, Err("APPROVAL_REQUIRED".into()));
    s.act(&s.t.admin(), "activateTarget", &late, reason).await.expect("active");
}

async fn a_target_rests_on_the_work_on_record(t: TestApp) {
    let s = Sales::open(t).await;
    s.six_deals().await;
    let mut asked = s.asked(&s.rosa.id, 4, &s.mona.id);
    asked["level"] = json!("CHALLENGE");
    asked["goal"] = json!({ "revenue": { "amount": "2000.00", "currency": "EUR" } });
    let fields = "target { lines { metric quantity money { amount } } achievability { basis verdict probability reached comparable } \
                  derivation { historyMonths labels rates { name basis successes trials exact } prose reproduces } }";
    let proposed = s.lea.mutate("proposeTarget", asked, fields).await;
    let target = &proposed.ok()["target"];
    assert_eq!(of(&target["lines"], "DEALS_WON"), 2, "two deals of the mean size");
    assert_eq!(target["lines"][5]["money"]["amount"], "2000.00");
    let rate = &target["derivation"]["rates"][0];
    assert_eq!((&rate["successes"], &rate["trials"], &rate["exact"]), (&json!(6), &json!(6), &json!("1/1")));
    assert_eq!(target["achievability"]["basis"], "OWN");
    assert_eq!(target["achievability"]["reached"], 0);
    assert!(target["derivation"]["prose"][1].as_str().expect("prose").contains("6 deals in 6 prospects"));
    assert_eq!(target["derivation"]["reproduces"], true);
}
