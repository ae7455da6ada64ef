//! Complaints of other systems: entered once with what had become of them, and told to nobody.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use chrono::Duration;
use evenhand_app::imports::{Files, Folder, OpenFile, run_import};
use evenhand_domain::error::Result;
use evenhand_domain::imports::{Counts, Import, ImportRow, ImportState};
use evenhand_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::imports::{remarks, repository, request, rows};
use crate::support::{TestApp, both};

both!(
    published_complaints_are_imported_once_and_as_they_were,
    a_history_keeps_its_times_and_tells_nobody,
    rows_that_cannot_have_been_are_refused_and_stop_no_other,
    the_policy_in_force_sets_the_clocks_of_a_history,
    an_import_through_the_api_does_the_same,
);

/// Complaints that a public authority published, where they lie beside the repository.
pub(crate) fn published() -> Option<PathBuf> {
    let folder = repository("../shared/data/consumer-complaints");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

async fn published_complaints_are_imported_once_and_as_they_were(t: TestApp) {
    let Some(folder) = published() else { return };
    let profile =
        std::fs::read_to_string(repository("examples/import/consumer-complaints.toml")).expect("a profile");
    let import = async |dry_run| {
        let request = request(&t, &profile, dry_run, false);
        run_import(&t.app, &request, &Folder(folder.clone()), |_| {}).await.expect("an import")
    };
    let dry = import(true).await;
    let first = import(false).await;
    // Companies, products, consumers and complaints, of 145 rows each.
    let (total, created) = (4 * 145, 68 + 10 + 145 + 145);
    let counts = Counts { total, created, unchanged: total - created, ..Counts::default() };
    assert_eq!((dry.counts, first.counts, first.state), (counts, counts, ImportState::Done));
    let before = published_figures(&t).await;
    let again = import(false).await;
    assert_eq!(again.counts, Counts { total, unchanged: total, ..Counts::default() });
    assert_eq!(published_figures(&t).await, before);
    assert_eq!(
        before,
        json!({
            "all": 145, "closed": 132, "open": 13, "investigating": 13, "overdue": 13,
            "WEB": 101, "POST": 33, "PHONE": 9, "FAX": 2,
            "Mortgage": 31, "Debt collection": 28, "Bank account or service": 23, "Credit reporting": 20,
            "Credit card": 19, "Consumer Loan": 10, "Student loan": 7, "Prepaid card": 4, "Money transfers": 2,
            "Other financial service": 1,
        })
    );
    check_published(&t, &folder).await;
    let sql = t.sql().await;
    for table in ["surveys", "jobs"] {
        assert_eq!(sql.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

/// How many complaints there are of each kind, by the filters of the API.
async fn published_figures(t: &TestApp) -> Value {
    let products = t.admin().query("{ products(first: 100) { nodes { id name } } }").await;
    let now = t.app.now();
    let mut filters: Vec<(String, String)> = [
        ("all", "{}".to_owned()),
        ("closed", "{ state: { eq: CLOSED } }".to_owned()),
        ("investigating", "{ state: { eq: INVESTIGATING } }".to_owned()),
        ("open", "{ isOpen: { eq: true } }".to_owned()),
        ("overdue", format!(r#"{{ isOpen: {{ eq: true }}, nextActionDue: {{ lte: "{now}" }} }}"#)),
    ]
    .map(|(name, filter)| (name.to_owned(), filter))
    .into();
    for channel in ["WEB", "POST", "PHONE", "FAX"] {
        filters.push((channel.into(), format!("{{ channel: {{ eq: {channel} }} }}")));
    }
    for product in products["products"]["nodes"].as_array().expect("products") {
        let name = product["name"].as_str().expect("a name").to_owned();
        filters.push((name, format!("{{ product: {{ eq: {} }} }}", product["id"])));
    }
    let fields = filters.iter().enumerate().map(|(number, (_, filter))| {
        format!("f{number}: complaints(filter: {filter}, first: 1) {{ totalCount }}")
    });
    let mut figures = serde_json::Map::new();
    for (number, field) in fields.enumerate() {
        let data = t.admin().query(&format!("{{ {field} }}")).await;
        figures.insert(filters[number].0.clone(), data[format!("f{number}")]["totalCount"].clone());
    }
    Value::Object(figures)
}

/// All complaints, as the API shows them.
async fn all_complaints(t: &TestApp, fields: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = format!(
            "query($after: String) {{ complaints(first: 100, after: $after, orderBy: {{ field: NUMBER }}) {{
                nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let answer = t.admin().gql(&query, json!({ "after": after })).await;
        let page = answer.ok()["complaints"].clone();
        found.extend(page["nodes"].as_array().expect("complaints").iter().cloned());
        if page["pageInfo"]["hasNextPage"] != true {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Row by row: what the file says is what the API shows, narratives byte for byte.
async fn check_published(t: &TestApp, folder: &std::path::Path) {
    let mut file = csv::Reader::from_path(folder.join("complaints.csv")).expect("a file");
    let columns = file.headers().expect("a header").clone();
    let rows: Vec<BTreeMap<String, String>> = file
        .records()
        .map(|row| {
            columns.iter().zip(&row.expect("a row")).map(|(name, text)| (name.into(), text.into())).collect()
        })
        .collect();
    let fields = "number description subject recordedAt endedAt response owner { name } product { name }
        customer { name number source } clocks { kind outcome } accountManager { name }";
    let complaints = all_complaints(t, fields).await;
    assert_eq!(complaints.len(), rows.len());
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let mut timely = 0;
    for row in &rows {
        let complaint = complaints
            .iter()
            .find(|complaint| complaint["number"] == row["complaint_id"])
            .expect("a complaint");
        let narrative = &row["consumer_complaint_narrative"];
        let narrative = if narrative.is_empty() { "The narrative is not published." } else { narrative };
        assert_eq!(complaint["description"], narrative);
        assert_eq!(complaint["subject"], row["issue"]);
        assert_eq!(complaint["owner"]["name"], row["company"]);
        assert_eq!(complaint["product"]["name"], row["product"]);
        assert_eq!(complaint["customer"]["source"], row["submitted_via"]);
        let recorded = complaint["recordedAt"].as_str().expect("an instant");
        // Midnight in Berlin lies an hour or two before that of UTC.
        let local = Timestamp::parse(recorded).expect("an instant").plus(Duration::hours(2));
        assert_eq!(local.utc().date_naive().to_string(), row["date_received"]);
        let response = complaint["response"].as_str().unwrap_or("none");
        let outcome = row["company_response_to_consumer"].as_str();
        let is_open = matches!(outcome, "In progress" | "Untimely response");
        assert_eq!((response == "none", complaint["endedAt"].is_null()), (is_open, is_open));
        assert!(is_open || response.starts_with(&format!("{outcome}.")), "{response}");
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
        let clocks = complaint["clocks"].as_array().expect("clocks");
        let clock = clocks.iter().find(|clock| clock["kind"] == "FIRST_RESPONSE").expect("a clock");
        let met = clock["outcome"] == "MET";
        assert_eq!(met, row["timely_response"] == "true", "{complaint}");
        timely += u32::from(met);
    }
    assert_eq!((timely, rows.len()), (134, 145));
    let wanted = [
        ("Closed", 1),
        ("Closed with explanation", 108),
        ("Closed with monetary relief", 11),
        ("Closed with non-monetary relief", 12),
        ("In progress", 10),
        ("Untimely response", 3),
    ];
    assert_eq!(outcomes, wanted.map(|(outcome, count)| (outcome.to_owned(), count)).into());
    assert_eq!(complaints.iter().filter(|told| told["description"].to_string().contains("\\n")).count(), 2);
    let disputed: Vec<Value> =
        told(t).await.into_iter().filter(|told| told["told"]["wasDisputed"] == true).collect();
    assert_eq!(disputed.len(), 4);
    assert!(disputed.iter().all(|told| told["level"] == 1 && told["state"] == "CLOSED"));
}

/// What the events of imported complaints say.
async fn told(t: &TestApp) -> Vec<Value> {
    t.settle().await;
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = r#"query($after: String) { changes(first: 100, after: $after, types: ["complaint.imported"]) {
            nodes { after } pageInfo { hasNextPage endCursor } } }"#;
        let page = t.admin().gql(query, json!({ "after": after })).await.ok()["changes"].clone();
        found.extend(page["nodes"].as_array().expect("changes").iter().map(|node| node["after"].clone()));
        if page["pageInfo"]["hasNextPage"] != true {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

const PROFILE: &str = r#"
name = "desk"
currency = "EUR"
[[sources]]
kind = "user"
file = "people.csv"
key = "user:{name}"
fields = { name = "{name}", role = "{role}" }
[[sources]]
kind = "customer"
file = "customers.csv"
key = "customer:{number}"
fields = { name = "{name}", number = "{number}", grade = "{grade}", owner = "{owner}" }
[[sources]]
kind = "complaint"
file = "complaints.csv"
key = "complaint:{id}"
fields = { number = "{id}", customer = "{customer}", owner = "{owner}", recorded_on = "{recorded}", subject = "{subject}", description = "{text}", channel = "{channel}", state = "{state}", severity = "{severity}", acknowledged_on = "{acknowledged}", response = "{response}", responded_on = "{responded}", accepted = "{accepted}", ended_on = "{ended}", root_cause = "{cause}", timely = "{timely}" }
"#;

const PEOPLE: &str = "name,role\nSina Service,SERVICE_AGENT\nRae Rep,REP\nFinn Finance,FINANCE\n";
const CUSTOMERS: &str = "number,name,grade,owner\nK-1,Acme,A,Rae Rep\nK-2,Isdom,,\n";
const HEADER: &str = "id,customer,owner,recorded,subject,text,channel,state,severity,acknowledged,response,\
                      responded,accepted,ended,cause,timely\n";
/// Closed with consent, closed long after, open, and just recorded. The first narrative has line breaks and quotes.
const COMPLAINTS: &str = "\
1,K-1,Sina Service,2024-11-04,Smoke,\"It smokes,\n\"\"badly\"\"\r\n\n\tand smells.\",FAX,CLOSED,HIGH,2024-11-04,A new one,2024-11-05,yes,2024-11-07,FUSE,\n\
2,Acme,Rae Rep,2024-11-04,Noise,It hums,POST,CLOSED,LOW,2024-11-08,Oil,2024-11-20,yes,2024-11-21,DRY,no\n\
3,Isdom,Sina Service,2025-01-02,Dust,It is dusty,EMAIL,INVESTIGATING,MEDIUM,2025-01-02,,,,,,yes\n\
4,K-1,Sina Service,2026-01-15,Heat,It is hot,PHONE,RECORDED,,,,,,,,\n";

/// Files in memory.
struct Desk(BTreeMap<&'static str, String>);

impl Desk {
    fn new(complaints: &str) -> Self {
        let files = [
            ("people.csv", PEOPLE.to_owned()),
            ("customers.csv", CUSTOMERS.to_owned()),
            ("complaints.csv", format!("{HEADER}{complaints}")),
        ];
        Self(files.into())
    }

    async fn import(&self, t: &TestApp, dry_run: bool) -> (Import, Vec<ImportRow>) {
        let request = request(t, PROFILE, dry_run, false);
        let import = run_import(&t.app, &request, self, |_| {}).await.expect("an import");
        let rows = rows(t, &import).await;
        (import, rows)
    }
}

impl Files for Desk {
    async fn open(&self, name: &str) -> Result<OpenFile> {
        Ok(Box::new(Cursor::new(self.0.get(name).expect(name).clone())))
    }
}

async fn a_history_keeps_its_times_and_tells_nobody(t: TestApp) {
    let desk = Desk::new(COMPLAINTS);
    assert_eq!(remarks(&desk.import(&t, true).await.1), [] as [String; 0]);
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM complaints").await, 0, "a dry run");
    let (import, told_rows) = desk.import(&t, false).await;
    assert_eq!((import.counts.created, remarks(&told_rows)), (9, Vec::new()));
    let fields = "number description channel state severity recordedAt endedAt createdAt nextActionDue response rootCause
        recourse owner { name } customer { number } accountManager { name } reopenCount
        clocks { kind outcome startsAt dueAt stoppedAt }
        timeline { nodes { type after } }";
    t.settle().await;
    let complaints = all_complaints(&t, fields).await;
    let [first, second, open, fresh] = &complaints[..] else { panic!("{complaints:?}") };
    assert_eq!(first["description"], "It smokes,\n\"badly\"\r\n\n\tand smells.");
    assert_eq!(first["recordedAt"], "2024-11-03T23:00:00.000000Z", "midnight in Berlin");
    assert_eq!(first["endedAt"], "2024-11-06T23:00:00.000000Z");
    assert_eq!(
        (
            &first["state"],
            &first["response"],
            &first["rootCause"],
            &first["recourse"],
            &first["accountManager"]
        ),
        (&json!("CLOSED"), &json!("A new one"), &json!("FUSE"), &Value::Null, &Value::Null)
    );
    let nodes = first["timeline"]["nodes"].as_array().expect("a timeline");
    assert_eq!((nodes.len(), &nodes[0]["type"]), (1, &json!("complaint.imported")));
    assert_eq!(nodes[0]["after"]["told"]["wasAccepted"], true);

    let clocks = |complaint: &Value| -> Vec<String> {
        let text = |clock: &Value| format!("{} {}", clock["kind"], clock["outcome"]).replace('"', "");
        complaint["clocks"].as_array().expect("clocks").iter().map(text).collect()
    };
    // The response came on the next day, and nothing for two days after it.
    let first_clocks =
        ["ACK MET", "FIRST_RESPONSE MISSED", "UPDATE MET", "RESOLUTION MET", "UPDATE MET", "UPDATE MISSED"];
    assert_eq!(clocks(first), first_clocks);
    let late = [
        "ACK MISSED",
        "FIRST_RESPONSE MISSED",
        "UPDATE MISSED",
        "RESOLUTION MISSED",
        "UPDATE MISSED",
        "UPDATE MET",
    ];
    assert_eq!(clocks(second), late);
    assert_eq!(second["owner"]["name"], "Rae Rep");
    assert_eq!(
        clocks(open),
        ["ACK MET", "FIRST_RESPONSE MET", "UPDATE MET", "RESOLUTION MISSED", "UPDATE MET", "UPDATE MISSED"]
    );
    assert_eq!(open["nextActionDue"], "2025-01-03T16:00:00.000000Z", "two open days: it is overdue");
    assert_eq!(
        clocks(fresh),
        ["ACK RUNNING", "FIRST_RESPONSE RUNNING", "UPDATE RUNNING", "RESOLUTION RUNNING"]
    );
    assert_eq!(fresh["accountManager"]["name"], "Rae Rep", "who looks after the customer of an open one");
    for table in ["surveys", "jobs"] {
        assert_eq!(t.sql().await.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }

    let (again, _) = desk.import(&t, false).await;
    assert_eq!(again.counts.unchanged, again.counts.total);
    // What is open goes on here, by the steps of every complaint.
    let id =
        t.sql().await.texts("SELECT number FROM complaints WHERE ended_at IS NULL ORDER BY number").await;
    assert_eq!(id, ["3", "4"]);
    let later = Desk::new(&COMPLAINTS.replace("It is hot", "It is cold")).import(&t, false).await.1;
    assert_eq!(remarks(&later), ["complaints.csv 5 SKIPPED a complaint goes on here once it is imported"]);
}

async fn rows_that_cannot_have_been_are_refused_and_stop_no_other(t: TestApp) {
    let bad = "\
1,K-9,Sina Servise,2024-11-04,Smoke,It smokes,FAX,,,,,,,,,\n\
2,K-1,Finn Finance,2024-11-04,Smoke,It smokes,FAX,,,,,,,,,\n\
3,K-1,Sina Service,04.11.2024,,,PIGEON,OPEN,BAD,,,,maybe,,,perhaps\n\
4,K-1,Sina Service,2024-11-04,Smoke,It smokes,FAX,CLOSED,,2024-11-01,,,,2027-01-01,,\n\
5,K-1,Sina Service,2024-11-04,Smoke,It smokes,FAX,CLOSED,LOW,,Oil,,no,,DRY,\n\
6,K-1,Sina Service,2024-11-04,Smoke,It smokes,FAX,WAITING_CUSTOMER,LOW,,,,,,,\n\
7,K-1,Sina Service,2027-11-04,Smoke,It smokes,FAX,,,,,,,,,\n\
8,K-1,Sina Service,2024-11-04,Smoke,It smokes,FAX,RECORDED,,,Oil,,,2024-11-05,,\n\
9,K-1,Sina Service,2024-11-04,Smoke,\"never closed,FAX\n";
    let desk = Desk::new(&format!(
        "10,K-1,Sina Service,2024-11-04,Smoke,It smokes,FAX,,,,,,,,,\n10,K-1,Sina Service,2024-11-04,Smoke,It burns,FAX,,,,,,,,,\n{bad}"
    ));
    let dry = desk.import(&t, true).await.1;
    let (import, told) = desk.import(&t, false).await;
    assert_eq!(remarks(&dry), remarks(&told));
    assert_eq!(
        remarks(&told),
        [
            "complaints.csv 3 REJECTED row 2 of complaints.csv has the same key and says something else",
            "complaints.csv 4 REJECTED unknown user 'Sina Servise'; did you mean 'Sina Service'?; unknown customer 'K-9'",
            "complaints.csv 5 REJECTED ownerId: This person's role handles no complaints; choose somebody else.",
            "complaints.csv 6 REJECTED recorded: '04.11.2024' does not match the date format %Y-%m-%d; subject: empty, \
             but each complaint needs its subject; text: empty, but each complaint needs its description; channel: \
             'PIGEON' is none of EMAIL, SMS, FAX, PHONE, WEB, IN_PERSON, POST; state: 'OPEN' is none of RECORDED, \
             ACKNOWLEDGED, ASSESSED, INVESTIGATING, WAITING_CUSTOMER, WAITING_INTERNAL, RESPONSE_OFFERED, ACCEPTED, \
             CLOSED, OUT_OF_SCOPE, MERGED; severity: 'BAD' is none of LOW, MEDIUM, HIGH, CRITICAL; timely: 'perhaps' \
             is neither yes nor no; accepted: 'maybe' is neither yes nor no",
            "complaints.csv 7 REJECTED acknowledgedAt: The moment must not lie before 2024-11-03T23:00:00.000000Z.; \
             endedAt: The moment lies in the future; give a past one.; severity: A value is required.; response: A \
             value is required.; rootCause: A value is required.",
            "complaints.csv 8 REJECTED recourse: The customer has not accepted the response: tell them where they can \
             turn to, and write it down.",
            "complaints.csv 9 REJECTED state: A complaint that is WAITING_CUSTOMER is imported as INVESTIGATING; what \
             it waits for is a step to take here.",
            "complaints.csv 10 REJECTED recordedAt: The moment lies in the future; give a past one.",
            "complaints.csv 11 REJECTED response: A complaint that is RECORDED has not come so far.",
            "complaints.csv 12 REJECTED the row has 6 fields, but the header names 16 columns; is a comma or a quote \
             missing?",
        ]
    );
    assert_eq!(import.counts.created, 6);
}

async fn the_policy_in_force_sets_the_clocks_of_a_history(t: TestApp) {
    for (name, minutes, more) in [
        ("Usual", 60, json!({})),
        ("Severe", 30, json!({ "severity": "HIGH" })),
        ("Best customers", 20, json!({ "customerGrade": "A" })),
    ] {
        let mut input = json!({ "name": name, "ackMinutes": minutes, "firstResponseMinutes": minutes * 2,
                                "updateMinutes": minutes * 3, "resolutionMinutes": minutes * 4 });
        input.as_object_mut().expect("an input").extend(more.as_object().expect("criteria").clone());
        t.admin().mutate("createSlaPolicy", input, "slaPolicy { id }").await.ok();
    }
    Desk::new(COMPLAINTS).import(&t, false).await;
    let complaints =
        all_complaints(&t, "clocks { kind targetMinutes policy { name } revisions { reason } }").await;
    let resolution: Vec<String> = complaints
        .iter()
        .map(|complaint| {
            let clocks = complaint["clocks"].as_array().expect("clocks");
            let clock = clocks.iter().find(|clock| clock["kind"] == "RESOLUTION").expect("a clock");
            format!("{} {}", clock["policy"]["name"], clock["targetMinutes"]).replace('"', "")
        })
        .collect();
    assert_eq!(resolution, ["Severe 120", "Best customers 80", "Usual 240", "Best customers 80"]);
}

async fn an_import_through_the_api_does_the_same(t: TestApp) {
    let desk = Desk::new(COMPLAINTS);
    let files: Vec<Value> =
        desk.0.iter().map(|(name, content)| json!({ "name": name, "content": content })).collect();
    let input = json!({ "profile": PROFILE, "files": files });
    for (created, unchanged) in [(9, 0), (0, 9)] {
        let started = t.admin().mutate("startImport", input.clone(), "import { id }").await;
        let id = started.ok()["import"]["id"].clone();
        t.run_jobs().await;
        let query = "query($id: ID!) { node(id: $id) { ... on Import { state counts { created unchanged }
            rows(first: 1, verdict: CREATED) { nodes { subjectType } } } } }";
        let data = t.admin().gql(query, json!({ "id": id })).await.ok()["node"].clone();
        assert_eq!(data["counts"], json!({ "created": created, "unchanged": unchanged }));
    }
    let complaints = all_complaints(&t, "description").await;
    assert_eq!(complaints[0]["description"], "It smokes,\n\"badly\"\r\n\n\tand smells.");
}
