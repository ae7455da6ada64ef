//! Complaints: worked on step by step against their clocks.

use chrono::Duration;
use serde_json::{Value, json};

use crate::customers::{change, collect, node, values};
use crate::support::{Client, PASSWORD, Person, TestApp, both};

both!(
    a_complaint_is_worked_on_to_its_end_and_taken_up_again,
    the_policy_that_fits_best_sets_the_clocks,
    without_a_calendar_the_standard_week_counts,
    a_duplicate_ends_and_the_other_counts_from_the_earlier_record,
    every_forbidden_step_changes_nothing,
);

const STATES: [&str; 11] = [
    "RECORDED",
    "ACKNOWLEDGED",
    "ASSESSED",
    "INVESTIGATING",
    "WAITING_CUSTOMER",
    "WAITING_INTERNAL",
    "RESPONSE_OFFERED",
    "ACCEPTED",
    "CLOSED",
    "OUT_OF_SCOPE",
    "MERGED",
];

pub(crate) fn complaint_of(customer: &str) -> Value {
    json!({ "customerId": customer, "subject": "The printer smokes", "description": "It smokes\nand smells.",
        "channel": "PHONE", "remedySought": "A new one" })
}

/// Records a complaint; answers its opaque id.
pub(crate) async fn record(by: &Client, customer: &str, more: Value) -> String {
    let mut input = complaint_of(customer);
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let recorded = by.mutate("recordComplaint", input, "complaint { id }").await;
    recorded.ok()["complaint"]["id"].as_str().expect("an id").to_owned()
}

/// What a step needs beside the complaint.
pub(crate) fn input_of(step: &str, owner: &str, until: &str) -> Value {
    match step {
        "assessComplaint" => {
            json!({ "severity": "HIGH", "impact": "LOW", "urgency": "MEDIUM", "isSafetyRisk": false })
        }
        "assignComplaint" => json!({ "ownerId": owner }),
        "awaitComplaint" => json!({ "side": "CUSTOMER", "whom": "Ada", "until": until }),
        "addComplaintNote" => json!({ "text": "Called twice." }),
        "offerResponse" => json!({ "text": "We send you a new one." }),
        "disputeResponse" | "reopenComplaint" => json!({ "reason": "It smokes again." }),
        "closeComplaint" => json!({ "rootCause": "FUSE", "recourse": "The arbitration board" }),
        "markOutOfScope" => json!({ "reason": "Ask your landlord." }),
        _ => json!({}),
    }
}

/// A Monday to Friday calendar, 09:00 to 17:00 UTC, that counts for all.
pub(crate) async fn office(t: &TestApp) {
    let weekly: Vec<Value> = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
        .map(|day| json!({ "weekday": day, "fromMinute": 540, "toMinute": 1020 }))
        .to_vec();
    let input = json!({ "name": "Office", "timeZone": "UTC", "weekly": weekly, "isDefault": true });
    t.admin().mutate("createWorkCalendar", input, "workCalendar { id }").await.ok();
}

pub(crate) async fn policy(t: &TestApp, name: &str, minutes: [i32; 4], criteria: Value) -> String {
    let [ack, first, update, resolution] = minutes;
    let mut input = json!({ "name": name, "ackMinutes": ack, "firstResponseMinutes": first,
        "updateMinutes": update, "resolutionMinutes": resolution });
    input.as_object_mut().expect("an object").extend(criteria.as_object().expect("an object").clone());
    let created = t.admin().mutate("createSlaPolicy", input, "slaPolicy { id }").await;
    created.ok()["slaPolicy"]["id"].as_str().expect("an id").to_owned()
}

/// `KIND round due outcome elapsed` of every clock, the day and hour of January 2026 as `19T12:30`.
fn clocks(complaint: &Value) -> Vec<String> {
    let text = |clock: &Value| {
        let due = clock["dueAt"].as_str().expect("an instant");
        format!(
            "{} {} {} {} {}",
            clock["kind"].as_str().expect("a kind"),
            clock["round"],
            due[8..16].to_owned(),
            clock["outcome"].as_str().expect("an outcome"),
            clock["elapsed"],
        )
    };
    complaint["clocks"].as_array().expect("clocks").iter().map(text).collect()
}

const FIELDS: &str = "complaint { id state nextActionDue waitingFor waitingUntil reopenCount endedAt response rootCause \
    clocks { kind round dueAt outcome elapsed paused breachedAt policyVersion revisions { from to at reason } } }";

/// One person at the desk; time passes between the steps.
struct Desk {
    t: TestApp,
    person: Person,
    id: String,
}

impl Desk {
    async fn pass(&mut self, minutes: i64) {
        self.t.later(Duration::minutes(minutes)).await;
        self.person.client = self.t.sign_in(&self.person.email, PASSWORD).await;
    }

    async fn step(&self, name: &str, input: Value) -> Value {
        let outcome = change(&self.t, &self.person, name, &self.id, input, FIELDS).await;
        outcome.ok()["complaint"].clone()
    }
}

pub(crate) const HOUR: i64 = 60;

/// Friday half past four until Monday noon: recorded, acknowledged, assessed, and the customer awaited.
async fn until_resumed(desk: &mut Desk) {
    let seen =
        node(&desk.person, &desk.id, &format!("... on Complaint {}", &FIELDS["complaint ".len()..])).await;
    assert_eq!(
        clocks(&seen),
        [
            "ACK 1 19T12:30 RUNNING 0",
            "FIRST_RESPONSE 1 19T16:30 RUNNING 0",
            "UPDATE 1 20T16:30 RUNNING 0",
            "RESOLUTION 1 30T16:30 RUNNING 0",
        ],
        "the weekend does not count"
    );
    assert_eq!(seen["nextActionDue"], "2026-01-19T12:30:00.000000Z");

    desk.pass(65 * HOUR).await;
    let seen = desk.step("acknowledgeComplaint", json!({})).await;
    assert_eq!(clocks(&seen)[0], "ACK 1 19T12:30 MET 60");
    assert_eq!(clocks(&seen)[2], "UPDATE 1 20T16:30 MET 60");
    assert_eq!(clocks(&seen)[4], "UPDATE 2 21T09:30 RUNNING 0");
    assert_eq!(seen["nextActionDue"], "2026-01-19T16:30:00.000000Z");

    desk.pass(HOUR).await;
    let seen = desk.step("assessComplaint", input_of("assessComplaint", "", "")).await;
    assert_eq!(
        clocks(&seen)[1..],
        [
            "FIRST_RESPONSE 1 19T11:30 RUNNING 120",
            "UPDATE 1 20T16:30 MET 60",
            "RESOLUTION 1 20T16:30 RUNNING 120",
            "UPDATE 2 19T13:30 RUNNING 60",
        ],
        "counted from the record by the policy for what is this severe"
    );
    assert_eq!(
        seen["clocks"][1]["revisions"],
        json!([{ "from": "2026-01-19T16:30:00.000000Z", "to": "2026-01-19T11:30:00.000000Z",
            "at": "2026-01-19T10:30:00.000000Z", "reason": "ASSESSED" }])
    );
    let versions: Vec<_> = (0..5).map(|index| seen["clocks"][index]["policyVersion"].clone()).collect();
    assert_eq!(versions, [0, 1, 0, 1, 1], "what has stopped stands");
    let owner = desk.person.id.clone();
    assert_eq!(desk.step("assignComplaint", json!({ "ownerId": owner })).await["state"], "INVESTIGATING");

    desk.pass(30).await;
    let until = json!({ "side": "CUSTOMER", "whom": "Ada", "until": "2026-01-20T11:00:00Z" });
    let seen = desk.step("awaitComplaint", until).await;
    assert_eq!(clocks(&seen)[1], "FIRST_RESPONSE 1 19T11:30 MET 150", "the customer was told");
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T16:30 RUNNING 150");
    assert_eq!(clocks(&seen)[5], "UPDATE 3 20T15:00 RUNNING 0");
    assert_eq!((&seen["clocks"][3]["paused"], &seen["clocks"][0]["paused"]), (&json!(true), &json!(false)));
    assert_eq!((&seen["state"], &seen["waitingFor"]), (&json!("WAITING_CUSTOMER"), &json!("Ada")));
    assert_eq!(seen["nextActionDue"], "2026-01-20T11:00:00.000000Z");

    desk.pass(4 * HOUR).await;
    let seen = desk.step("resumeComplaint", json!({})).await;
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T12:30 RUNNING 150", "four hours did not count");
    assert_eq!(clocks(&seen)[5], "UPDATE 3 20T11:00 RUNNING 0");
    let reasons = values(&seen["clocks"][3]["revisions"], "reason");
    assert_eq!(reasons, ["ASSESSED", "PAUSED", "RESUMED"]);
    assert_eq!((&seen["waitingFor"], &seen["waitingUntil"]), (&Value::Null, &Value::Null));
}

async fn a_complaint_is_worked_on_to_its_end_and_taken_up_again(mut t: TestApp) {
    office(&t).await;
    policy(&t, "Urgent", [60, 180, 240, 960], json!({ "severity": "HIGH" })).await;
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let mut person = t.user("SERVICE_AGENT", "Sara").await;
    t.later(Duration::minutes(31 * HOUR + 30)).await;
    person.client = t.sign_in(&person.email, PASSWORD).await;
    let id = record(&person, &customer, json!({})).await;
    let mut desk = Desk { t, person, id };
    until_resumed(&mut desk).await;

    desk.pass(HOUR).await;
    let seen = desk.step("offerResponse", input_of("offerResponse", "", "")).await;
    assert_eq!(
        (&seen["state"], &seen["response"]),
        (&json!("RESPONSE_OFFERED"), &json!("We send you a new one."))
    );
    assert_eq!(seen["waitingUntil"], "2026-02-02T16:00:00.000000Z", "fourteen days");
    desk.pass(18 * HOUR).await;
    let seen = desk.step("disputeResponse", input_of("disputeResponse", "", "")).await;
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T14:30 RUNNING 210");
    assert_eq!(seen["state"], "INVESTIGATING");
    desk.step("offerResponse", json!({ "text": "Two new ones." })).await;
    desk.pass(HOUR).await;
    let seen = desk.step("acceptResponse", json!({})).await;
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T15:30 RUNNING 210");
    desk.pass(HOUR).await;
    let seen = desk.step("closeComplaint", json!({ "rootCause": "FUSE" })).await;
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T15:30 MET 270");
    assert_eq!(
        (&seen["rootCause"], &seen["endedAt"]),
        (&json!("FUSE"), &json!("2026-01-20T12:00:00.000000Z"))
    );
    let sql = desk.t.sql().await;
    let surveys = "SELECT state FROM surveys";
    assert_eq!(sql.texts(surveys).await, ["SCHEDULED"], "the customer will be asked how it was handled");

    desk.pass(21 * HOUR).await;
    let seen = desk.step("reopenComplaint", input_of("reopenComplaint", "", "")).await;
    assert_eq!(clocks(&seen)[3], "RESOLUTION 1 21T15:30 MET 270", "what was met stays so");
    assert_eq!(clocks(&seen)[8..], ["UPDATE 6 21T13:00 RUNNING 0", "RESOLUTION 2 22T17:00 RUNNING 0"]);
    assert_eq!((&seen["reopenCount"], &seen["endedAt"]), (&json!(1), &Value::Null));
    assert_eq!(sql.texts(surveys).await, ["WITHDRAWN"]);
    desk.pass(5 * HOUR).await;
    let seen = desk.step("addComplaintNote", json!({ "text": "On its way", "audience": "CUSTOMER" })).await;
    assert_eq!(clocks(&seen)[8..10], ["UPDATE 6 21T13:00 MISSED 300", "RESOLUTION 2 22T17:00 RUNNING 300"]);
    assert_eq!(seen["clocks"][8]["breachedAt"], "2026-01-21T13:00:00.000000Z");

    desk.t.settle().await;
    let timeline = "... on Complaint { timeline(first: 100) { nodes { type after } } }";
    let seen = node(&desk.person, &desk.id, timeline).await;
    let steps = [
        "recorded",
        "acknowledged",
        "assessed",
        "assigned",
        "clock_paused",
        "clock_resumed",
        "response_offered",
        "response_disputed",
        "response_offered",
        "response_accepted",
        "closed",
        "reopened",
        "noted",
    ];
    let mut types = values(&seen["timeline"]["nodes"], "type");
    types.retain(|kind| !kind.starts_with("survey."));
    assert_eq!(types, steps.map(|step| format!("complaint.{step}")));
    let last = seen["timeline"]["nodes"].as_array().expect("nodes").last().expect("one")["after"].clone();
    assert_eq!((&last["note"], &last["audience"]), (&json!("On its way"), &json!("CUSTOMER")));
}

async fn the_policy_that_fits_best_sets_the_clocks(t: TestApp) {
    office(&t).await;
    let weekly = json!([{ "weekday": "SATURDAY", "fromMinute": 0, "toMinute": 1440 }]);
    let input = json!({ "name": "Saturdays", "timeZone": "UTC", "weekly": weekly });
    let calendar = t.admin().mutate("createWorkCalendar", input, "workCalendar { id }").await;
    let calendar = calendar.ok()["workCalendar"]["id"].clone();
    let product = t.admin().mutate("createProduct", json!({ "name": "Thing" }), "product { id }").await;
    let product = product.ok()["product"]["id"].clone();
    policy(&t, "All", [10, 20, 30, 40], json!({})).await;
    policy(&t, "By fax", [11, 20, 30, 40], json!({ "channel": "FAX" })).await;
    policy(&t, "Best customers", [12, 20, 30, 40], json!({ "customerGrade": "A" })).await;
    policy(&t, "Thing", [13, 20, 30, 40], json!({ "productId": product, "calendarId": calendar })).await;
    policy(&t, "Grave", [14, 20, 30, 40], json!({ "severity": "CRITICAL" })).await;
    let plain = collect(&t.admin(), json!({ "name": "Plain" })).await;
    let best = collect(&t.admin(), json!({ "name": "Best", "grade": "A" })).await;
    let admin = t.admin();
    let clocks = "... on Complaint { clocks { targetMinutes dueAt policy { name calendar { name } } } }";
    for (customer, more, name, minutes, due) in [
        (&plain, json!({}), "All", 10, "15T09:10"),
        (&plain, json!({ "channel": "FAX" }), "By fax", 11, "15T09:11"),
        (&best, json!({ "channel": "FAX" }), "Best customers", 12, "15T09:12"),
        (&best, json!({ "channel": "FAX", "productId": product }), "Thing", 13, "17T00:13"),
    ] {
        let id = record(&admin, customer, more).await;
        let ack = node(&admin, &id, clocks).await["clocks"][0].clone();
        assert_eq!((&ack["policy"]["name"], &ack["targetMinutes"]), (&json!(name), &json!(minutes)));
        assert_eq!(&ack["dueAt"].as_str().expect("an instant")[8..16], due, "{name}");
    }
    // Judged to be critical, it moves to that policy and back to the hours of the organisation.
    let id = record(&admin, &best, json!({ "productId": product })).await;
    change(&t, &admin, "acknowledgeComplaint", &id, json!({}), "complaint { id }").await.ok();
    let grave = json!({ "severity": "CRITICAL", "impact": "LOW", "urgency": "LOW", "isSafetyRisk": true });
    change(&t, &admin, "assessComplaint", &id, grave, "complaint { id }").await.ok();
    let first = node(&admin, &id, clocks).await["clocks"][1].clone();
    assert_eq!((&first["policy"]["name"], &first["policy"]["calendar"]), (&json!("Grave"), &Value::Null));
    assert_eq!(first["dueAt"], "2026-01-15T09:20:00.000000Z");

    let list = "{ slaPolicies { totalCount nodes { id version name severity product { name } customerGrade channel \
        calendar { name } ackMinutes firstResponseMinutes updateMinutes resolutionMinutes isActive } } }";
    let seen = admin.query(list).await["slaPolicies"].clone();
    assert_eq!(seen["totalCount"], 5);
    assert_eq!(values(&seen["nodes"], "name"), ["All", "Best customers", "By fax", "Grave", "Thing"]);
    let mut thing = seen["nodes"][4].clone();
    let id = thing["id"].take();
    assert_eq!(
        thing,
        json!({ "id": null, "version": 1, "name": "Thing", "severity": null, "product": { "name": "Thing" },
            "customerGrade": null, "channel": null, "calendar": { "name": "Saturdays" }, "ackMinutes": 13,
            "firstResponseMinutes": 20, "updateMinutes": 30, "resolutionMinutes": 40, "isActive": true })
    );
    let seen = node(&admin, id.as_str().expect("an id"), "... on SlaPolicy { name }").await;
    assert_eq!(seen["name"], "Thing");
}

async fn without_a_calendar_the_standard_week_counts(t: TestApp) {
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let id = record(&t.admin(), &customer, json!({})).await;
    let fields = "... on Complaint { clocks { kind dueAt policy { id } policyVersion elapsed } }";
    let seen = node(&t.admin(), &id, fields).await["clocks"].clone();
    // Ten in the morning in Berlin: four hours, one day, two days and ten days of eight hours.
    assert_eq!(
        values(&seen, "dueAt"),
        [
            "2026-01-15T13:00:00.000000Z",
            "2026-01-16T09:00:00.000000Z",
            "2026-01-19T09:00:00.000000Z",
            "2026-01-29T09:00:00.000000Z",
        ]
    );
    assert_eq!((&seen[0]["policy"], &seen[0]["policyVersion"]), (&Value::Null, &json!(0)));
}

async fn a_duplicate_ends_and_the_other_counts_from_the_earlier_record(mut t: TestApp) {
    office(&t).await;
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let other = collect(&t.admin(), json!({ "name": "Main" })).await;
    let first = record(&t.admin(), &customer, json!({ "isSafetyRisk": true })).await;
    t.later(Duration::minutes(2 * HOUR)).await;
    let second = record(&t.admin(), &customer, json!({})).await;
    let foreign = record(&t.admin(), &other, json!({})).await;
    let admin = t.admin();
    for (into, problem) in [
        (&first, "input.intoId: DUPLICATE"),
        (&foreign, "input.intoId: NOT_APPLICABLE"),
        (&customer, "input.intoId: INVALID_ID"),
    ] {
        let input = json!({ "intoId": into });
        let merged = change(&t, &admin, "mergeComplaint", &first, input, "complaint { id }").await;
        assert_eq!(merged.problems(), [problem]);
    }
    let fields = "complaint { state endedAt mergedInto { number recordedAt isSafetyRisk \
        clocks { dueAt revisions { reason } } } }";
    let merged = change(&t, &admin, "mergeComplaint", &first, json!({ "intoId": second }), fields).await;
    let ended = &merged.ok()["complaint"];
    assert_eq!(
        (&ended["state"], &ended["endedAt"]),
        (&json!("MERGED"), &json!("2026-01-15T11:00:00.000000Z"))
    );
    let survivor = &ended["mergedInto"];
    assert_eq!((&survivor["number"], &survivor["isSafetyRisk"]), (&json!("R-000002"), &json!(true)));
    assert_eq!(survivor["recordedAt"], "2026-01-15T09:00:00.000000Z");
    assert_eq!(survivor["clocks"][0]["dueAt"], "2026-01-15T13:00:00.000000Z");
    assert_eq!(survivor["clocks"][0]["revisions"], json!([{ "reason": "MERGED" }]));
}

/// A complaint in a state, by the shortest way.
pub(crate) async fn in_state(t: &TestApp, customer: &str, owner: &str, state: &str) -> String {
    let admin = t.admin();
    let id = record(&admin, customer, json!({})).await;
    let investigating = ["acknowledgeComplaint", "assessComplaint", "assignComplaint"];
    let more: &[&str] = match state {
        "WAITING_CUSTOMER" | "WAITING_INTERNAL" => &["awaitComplaint"],
        "RESPONSE_OFFERED" => &["offerResponse"],
        "ACCEPTED" => &["offerResponse", "acceptResponse"],
        "CLOSED" => &["offerResponse", "closeComplaint"],
        _ => &[],
    };
    let steps: Vec<&str> = match state {
        "RECORDED" => vec![],
        "ACKNOWLEDGED" => investigating[..1].to_vec(),
        "ASSESSED" => investigating[..2].to_vec(),
        "OUT_OF_SCOPE" => [&investigating[..2], &["markOutOfScope"]].concat(),
        "MERGED" => vec!["mergeComplaint"],
        _ => [&investigating[..], more].concat(),
    };
    for step in steps {
        let mut input = input_of(step, owner, "2026-01-20T11:00:00Z");
        if state == "WAITING_INTERNAL" && step == "awaitComplaint" {
            input["side"] = json!("INTERNAL");
        }
        if step == "mergeComplaint" {
            input["intoId"] = json!(record(&admin, customer, json!({})).await);
        }
        change(t, &admin, step, &id, input, "complaint { id }").await.ok();
    }
    assert_eq!(node(&admin, &id, "... on Complaint { state }").await["state"], state);
    id
}

/// The states from which a step is allowed.
fn allowed(step: &str) -> Vec<&'static str> {
    match step {
        "acknowledgeComplaint" => vec!["RECORDED"],
        "assessComplaint" => vec!["ACKNOWLEDGED"],
        "assignComplaint" | "mergeComplaint" => STATES[..8].to_vec(),
        "awaitComplaint" | "offerResponse" => vec!["INVESTIGATING"],
        "resumeComplaint" => vec!["WAITING_CUSTOMER", "WAITING_INTERNAL"],
        "addComplaintNote" => STATES[..10].to_vec(),
        "acceptResponse" | "disputeResponse" => vec!["RESPONSE_OFFERED"],
        "closeComplaint" => vec!["RESPONSE_OFFERED", "ACCEPTED"],
        "reopenComplaint" => vec!["CLOSED"],
        "markOutOfScope" => vec!["ASSESSED"],
        _ => panic!("{step}"),
    }
}

const STEPS: [&str; 13] = [
    "acknowledgeComplaint",
    "assessComplaint",
    "assignComplaint",
    "awaitComplaint",
    "resumeComplaint",
    "addComplaintNote",
    "offerResponse",
    "acceptResponse",
    "disputeResponse",
    "closeComplaint",
    "reopenComplaint",
    "markOutOfScope",
    "mergeComplaint",
];

async fn every_forbidden_step_changes_nothing(t: TestApp) {
    let sara = t.user("SERVICE_AGENT", "Sara").await;
    let customer = collect(&t.admin(), json!({ "name": "Rhein" })).await;
    let survivor = record(&t.admin(), &customer, json!({})).await;
    let mut refused = 0;
    for state in STATES {
        let id = in_state(&t, &customer, &sara.id, state).await;
        let version = t.version(&id).await;
        for step in STEPS.into_iter().filter(|step| !allowed(step).contains(&state)) {
            let mut input = input_of(step, &sara.id, "2026-01-20T11:00:00Z");
            if step == "mergeComplaint" {
                input["intoId"] = json!(survivor);
            }
            let outcome = change(&t, &t.admin(), step, &id, input, "complaint { id }").await;
            assert_eq!(outcome.code(), "INVALID_TRANSITION", "{step} of {state}");
            refused += 1;
        }
        assert_eq!(t.version(&id).await, version, "{state}");
    }
    assert_eq!(refused, STATES.len() * STEPS.len() - 38);
}
