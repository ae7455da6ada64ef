//! Imports of other systems' exports, from the command line and through the API, and the export.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use evenhand_app::exports::export;
use evenhand_app::imports::{Files, Folder, ImportRequest, ListImportRows, OpenFile, run_import};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::exports::ExportKind;
use evenhand_domain::imports::{Counts, Import, ImportRow, ImportState, Verdict};
use evenhand_domain::page::PageRequest;
use serde_json::{Value, json};

use crate::support::{TestApp, both};

both!(
    a_real_export_is_read_row_by_row_and_only_once,
    a_bad_row_never_stops_the_rest,
    a_dry_run_tells_the_verdicts_of_the_real_run,
    a_later_export_changes_what_it_says_otherwise,
    a_deal_that_has_ended_is_not_changed,
    what_is_there_already_is_taken_up,
    rows_that_only_the_database_refuses_are_settled_one_by_one,
    a_file_that_breaks_off_keeps_what_was_read,
    an_import_runs_in_the_background_and_is_watched,
    wrong_imports_are_refused_before_the_first_row,
    an_export_holds_everything,
);

const PROFILE: &str = r#"
name = "crm"
currency = "USD"
[aliases.product]
"GTXPro" = "GTX Pro"
[[sources]]
kind = "team"
file = "teams.csv"
key = "team:{team}"
fields = { name = "{team}", parent = "{parent}" }
[[sources]]
kind = "user"
file = "people.csv"
key = "user:{email}"
fields = { name = "{name}", email = "{email}", role = "{role}", team = "{team}", member_from = "2020-01-01" }
[[sources]]
kind = "product"
file = "products.csv"
key = "product:{product}"
fields = { name = "{product}", list_price = "{price}" }
[[sources]]
kind = "customer"
file = "accounts.csv"
key = "account:{id}"
fields = { name = "{name}", number = "{number}", stage = "{stage}", sector = "{sector}", owner = "{owner}", collected_on = "2021-03-01" }
[[sources]]
kind = "deal"
file = "deals.csv"
key = "deal:{id}"
fields = { number = "{id}", owner = "{owner}", customer = "{account}", product = "{product}", stage = "{stage}", opened_on = "{opened}", closed_on = "{closed}", value = "{value}", close_reason = "{reason}" }
[[sources]]
kind = "activity"
file = "calls.csv"
key = "call:{id}"
fields = { kind = "CALL", user = "{who}", customer = "{account}", deal = "{deal}", started_on = "{day}", started_at = "{time}", seconds = "{seconds}", connected = "{answered}" }
"#;

const TEAMS: &str = "team,parent\nEast,\nEast Coast,East\n";
const PEOPLE: &str =
    "name,email,role,team\nAnn,ann@crm.example,MANAGER,East\nBob,bob@crm.example,REP,East Coast\n";
const PRODUCTS: &str = "product,price\nGTX Pro,4821\nMG Special,55.00\n";
const ACCOUNTS: &str = "id,name,number,stage,sector,owner\n1,Acme,A-1,SIGNED,retail,Bob\n2,Isdom,,LEAD,,\n";
const DEALS: &str = "id,owner,account,product,stage,opened,closed,value,reason\n\
                     D1,Bob,Acme,GTXPro,WON,2024-10-20,2024-11-01,4821.50,\n\
                     D2,Ann,Isdom,MG Special,LOST,2024-10-20,2024-11-02,55,Too dear\n\
                     D3,Bob,,MG Special,ENGAGING,2024-10-21,,60,\n\
                     D4,Bob,A-1,GTX Pro,CANCELLED,2024-10-21,2024-12-01,4000,Sent back\n";
const CALLS: &str = "id,who,account,deal,day,time,seconds,answered\n\
                     1,Bob,Acme,D1,2024-10-21,14:05,90,yes\n2,Ann,Isdom,,2024-10-22,,,no\n";

/// Files in memory. One of them may break off while it is read.
#[derive(Clone)]
struct Export {
    files: BTreeMap<&'static str, String>,
    breaks_off: Option<&'static str>,
}

impl Export {
    fn new() -> Self {
        let files = [
            ("teams.csv", TEAMS),
            ("people.csv", PEOPLE),
            ("products.csv", PRODUCTS),
            ("accounts.csv", ACCOUNTS),
            ("deals.csv", DEALS),
            ("calls.csv", CALLS),
        ];
        Self { files: files.map(|(name, text)| (name, text.to_owned())).into(), breaks_off: None }
    }

    /// The same export with another text in one file.
    fn with(&self, file: &'static str, from: &str, to: &str) -> Self {
        let mut changed = self.clone();
        let text = changed.files.get_mut(file).expect(file);
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
        changed
    }

    /// The same export with more rows in one file.
    fn plus(&self, file: &'static str, rows: &str) -> Self {
        let mut changed = self.clone();
        changed.files.get_mut(file).expect(file).push_str(rows);
        changed
    }

    async fn import(&self, t: &TestApp, dry_run: bool) -> (Import, Vec<ImportRow>) {
        let request = request(t, PROFILE, dry_run, false);
        let import = run_import(&t.app, &request, self, |_| {}).await.expect("an import");
        let rows = rows(t, &import).await;
        (import, rows)
    }
}

impl Files for Export {
    async fn open(&self, name: &str) -> Result<OpenFile> {
        let text = self.files.get(name).ok_or(Error::NotFound)?.clone();
        let file = Cursor::new(text);
        Ok(if self.breaks_off == Some(name) { Box::new(file.chain(Broken)) } else { Box::new(file) })
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }
}

pub(crate) fn request(t: &TestApp, profile: &str, dry_run: bool, without_aliases: bool) -> ImportRequest {
    let organization = t.organization;
    ImportRequest { organization, requested_by: None, profile: profile.to_owned(), dry_run, without_aliases }
}

pub(crate) async fn rows(t: &TestApp, import: &Import) -> Vec<ImportRow> {
    let actor = t.app.system(t.organization).await.expect("an actor");
    let list = ListImportRows { import: import.id, page: PageRequest::first(20_000), verdict: None };
    let page = t.app.query(&actor, &list).await.expect("rows");
    page.items.into_iter().map(|(row, _)| row).collect()
}

/// What is not plainly created or unchanged, as `file row VERDICT reason`.
pub(crate) fn remarks(rows: &[ImportRow]) -> Vec<String> {
    let told = |row: &&ImportRow| !matches!(row.verdict, Verdict::Created | Verdict::Unchanged);
    let text = |row: &ImportRow| {
        let reason = row.reason.as_deref().map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("{} {} {}{reason}", row.file, row.row, row.verdict.as_str())
    };
    rows.iter().filter(told).map(text).collect()
}

async fn deal(t: &TestApp, number: &str) -> Value {
    let query = format!(
        r#"{{ deals(filter: {{ number: {{ eq: "{number}" }} }}) {{ nodes {{
            stage openedAt wonAt lostAt cancelledAt closeReason value {{ amount currency }}
            owner {{ name }} customer {{ name }} product {{ name }}
            credits {{ user {{ name }} amount {{ amount }} }} }} }} }}"#
    );
    let mut deal = t.admin().query(&query).await["deals"]["nodes"][0].clone();
    // A line and its reversal may bear the same instant.
    deal["credits"]
        .as_array_mut()
        .expect("credits")
        .sort_by_key(|line| std::cmp::Reverse(line["amount"].to_string()));
    deal
}

pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

async fn a_real_export_is_read_row_by_row_and_only_once(t: TestApp) {
    let folder = repository("../shared/data/crm-sales-pipeline");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let files = Folder(folder);
    let profile =
        std::fs::read_to_string(repository("examples/import/crm-sales-pipeline.toml")).expect("a profile");
    let import = async |dry_run, without_aliases| {
        let mut reports = 0;
        let request = request(&t, &profile, dry_run, without_aliases);
        let import = run_import(&t.app, &request, &files, |_| reports += 1).await.expect("an import");
        assert!(reports >= 18, "one for each 500 rows");
        import
    };
    // The 35 agents four times, 7 products, 85 accounts, 8,800 opportunities.
    let total = 4 * 35 + 7 + 85 + 8_800;
    let dry = import(true, true).await;
    let first = import(false, true).await;
    assert_eq!(dry.counts, first.counts);
    let without = Counts { total, created: 7_462, unchanged: 90, rejected: 1_480, ..Counts::default() };
    assert_eq!((first.counts, first.state), (without, ImportState::Done));
    let rejected: Vec<_> =
        rows(&t, &first).await.into_iter().filter(|row| row.verdict == Verdict::Rejected).collect();
    let reason = Some("unknown product 'GTXPro'; did you mean 'GTX Pro'?");
    assert!(rejected.iter().all(|row| row.reason.as_deref() == reason && row.file == "sales_pipeline.csv"));
    assert_eq!(rejected[0].suggestion.as_deref(), Some("GTX Pro"));

    let second = import(false, false).await;
    // The other alias mends the sector of 12 accounts.
    let with = Counts { total, created: 1_480, updated: 12, unchanged: 7_540, ..Counts::default() };
    assert_eq!(second.counts, with);
    let third = import(false, false).await;
    assert_eq!(third.counts, Counts { total, unchanged: total, ..Counts::default() });

    let count = |stage: &str| format!("deals(filter: {{ stage: {{ eq: {stage} }} }}) {{ totalCount }}");
    let query = format!(
        "{{ won: {} lost: {} customers {{ totalCount }} teams {{ totalCount }} }}",
        count("WON"),
        count("LOST")
    );
    let data = t.admin().query(&query).await;
    assert_eq!(
        data,
        json!({ "won": { "totalCount": 4_238 }, "lost": { "totalCount": 2_473 },
                "customers": { "totalCount": 85 }, "teams": { "totalCount": 9 } })
    );
    let credited = "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM credit_lines";
    assert_eq!(t.sql().await.number(credited).await, 1_000_553_400);
}

async fn a_bad_row_never_stops_the_rest(t: TestApp) {
    let export = Export::new()
        .plus("teams.csv", "west,\nWest,Wets\nWEST,\n")
        .plus("people.csv", "Cid,cid@crm.example,BOSS,\nDan,dan@crm.example,REP,East Cost\n")
        .plus("products.csv", "gtx  pro,1\nMG Special,56\n")
        .plus("accounts.csv", "3,Acme,a-1,LEAD,,\n4,,,LEAD,,\n5,Twin,,LEAD,,\n6,Twin,,LEAD,,\n7,Prospect Ltd,,PROSPECT,,Bobb\n")
        .plus(
            "deals.csv",
            "D5,Bob,Acmee,GTX Pro,WON,2024-10-20,2024-11-01,1,\nD6,Rob,,GTXPro 2,LOST,2024-10-20,2024-11-01,1,\n\
             D7,Bob,,GTX Pro,WON,2024-10-20,2024-11-01,1,\nD8,Bob,Acme,GTX Pro,WON,2024-10-20,2024-10-01,1,\n\
             D9,Bob,Acme,GTX Pro,WON,2024-10-20,2026-10-01,1,\nD10,Bob,Acme,GTX Pro,WON,2024-10-20,2024-11-01,,\n\
             D11,Bob,Twin,GTX Pro,ENGAGING,2024-10-20,,1,\nD3,Bob,,MG Special,ENGAGING,2024-10-21,,61,\n\
             D3,Bob,,MG Special,ENGAGING,2024-10-21,,60.00,\nd1,Bob,,MG Special,ENGAGING,2024-10-21,,61,\n\
             D12,Bob\nD13,Bob,Acme,GTX Pro,WON,2024-10-20,2024-11-01,9.99,\n",
        )
        .plus("calls.csv", "3,Bob,Acme,D99,2024-10-21,14:05,90,yes\n4,Bob,Acme,,2024-10-21,,,\n5,Bob,,,2025-03-30,02:30,1,yes\n");
    let (import, rows) = export.import(&t, false).await;
    assert_eq!(
        remarks(&rows),
        [
            "teams.csv 5 REJECTED unknown team 'Wets'; did you mean 'west'?",
            "teams.csv 6 REJECTED name: 'WEST' belongs to another team already",
            "people.csv 4 REJECTED role: 'BOSS' is none of REP, MANAGER, SERVICE_AGENT, FINANCE, ADMIN",
            "people.csv 5 REJECTED unknown team 'East Cost'; did you mean 'East Coast'?",
            "products.csv 4 REJECTED name: 'gtx  pro' belongs to another product already",
            "products.csv 5 REJECTED row 3 of products.csv has the same key and says something else",
            "accounts.csv 4 REJECTED number: 'a-1' belongs to another customer already",
            "accounts.csv 5 REJECTED name: empty, but each customer needs its name",
            "accounts.csv 8 REJECTED unknown user 'Bobb'; did you mean 'Bob'?",
            "deals.csv 6 REJECTED unknown customer 'Acmee'; did you mean 'Acme'?",
            "deals.csv 7 REJECTED unknown user 'Rob'; did you mean 'Bob'?; unknown product 'GTXPro 2'; did you mean 'GTX Pro'?",
            "deals.csv 8 REJECTED Give the deal a customer before winning it.",
            "deals.csv 9 REJECTED wonAt: The moment must not lie before 2024-10-19T22:00:00.000000Z.",
            "deals.csv 10 REJECTED wonAt: The moment lies in the future; give a past one.",
            "deals.csv 11 REJECTED value: A value is required.",
            "deals.csv 12 REJECTED 'Twin' is the name of 2 customers; it must be clear which is meant",
            "deals.csv 13 REJECTED row 4 of deals.csv has the same key and says something else",
            "deals.csv 15 REJECTED number: 'd1' belongs to another deal already",
            "deals.csv 16 REJECTED the row has 2 fields, but the header names 9 columns; is a comma or a quote missing?",
            "calls.csv 4 REJECTED unknown deal 'D99'",
            "calls.csv 5 REJECTED connected: Say whether somebody answered the call.",
            "calls.csv 6 REJECTED 2025-03-30 02:30:00 does not exist in Europe/Berlin: the clocks were set forward",
        ]
    );
    assert_eq!(import.counts.unchanged, 1, "row 14 of deals.csv repeats row 4");
    assert_eq!(deal(&t, "D13").await["value"]["amount"], "9.99", "what follows a bad row is imported");
    let again = export.import(&t, false).await.0.counts;
    let Counts { total, rejected, .. } = import.counts;
    assert_eq!(again, Counts { total, rejected, unchanged: total - rejected, ..Counts::default() });
}

async fn a_dry_run_tells_the_verdicts_of_the_real_run(t: TestApp) {
    let nameless = |rows: Vec<ImportRow>| -> Vec<ImportRow> {
        rows.into_iter().map(|row| ImportRow { subject_id: None, ..row }).collect()
    };
    let export =
        Export::new().plus("accounts.csv", "3,Acme,A-1,LEAD,,\n1,Acme,A-1,SIGNED,retail,Bob\n").plus(
            "deals.csv",
            "D1,Bob,Acmee,GTX Pro,WON,2024-10-20,2024-11-01,1,\nd2,Bob,Acme,GTX Pro,ENGAGING,,,1,\n",
        );
    let (dry, told) = export.import(&t, true).await;
    for table in ["teams", "products", "customers", "deals", "credit_lines", "activities", "import_keys"] {
        assert_eq!(t.sql().await.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert!(told.iter().all(|row| row.subject_id.is_none()));
    let (real, rows) = export.import(&t, false).await;
    assert_eq!((dry.counts, nameless(told)), (real.counts, nameless(rows)));

    // Renames, moves and the last administrator: what a row finds is what the rows before it left.
    let export = export
        .with("products.csv", "MG Special,55.00", "MG Special,56")
        .with("accounts.csv", "2,Isdom,", "2,Isdom AG,")
        .with("deals.csv", "D2,Ann,Isdom,", "D2,Ann,Isdom AG,")
        .with("deals.csv", "D3,Bob,,", "D3,Ann,Isdom,")
        .with("people.csv", "MANAGER,East", "ADMIN,East Coast")
        .plus("people.csv", "Ada,admin@northwind.example,REP,East\n");
    let (dry, told) = export.import(&t, true).await;
    let (real, rows) = export.import(&t, false).await;
    assert_eq!((dry.counts, nameless(told)), (real.counts, nameless(rows.clone())));
    assert_eq!(
        remarks(&rows),
        [
            "people.csv 2 UPDATED",
            "people.csv 4 REJECTED Make somebody else an administrator first.",
            "products.csv 3 UPDATED",
            "accounts.csv 3 UPDATED",
            "accounts.csv 4 REJECTED number: 'A-1' belongs to another customer already",
            "deals.csv 4 REJECTED unknown customer 'Isdom'; did you mean 'Isdom AG'?",
            "deals.csv 6 REJECTED row 2 of deals.csv has the same key and says something else",
            "deals.csv 7 REJECTED number: 'd2' belongs to another deal already",
        ]
    );
}

async fn a_later_export_changes_what_it_says_otherwise(t: TestApp) {
    Export::new().import(&t, false).await;
    t.clock.advance(chrono::Duration::minutes(5));
    let later = Export::new()
        .with("people.csv", "Bob,bob@crm.example,REP,East Coast", "Bob Brown,bob@crm.example,REP,East Coast")
        .with("people.csv", "Ann,ann@crm.example,MANAGER,East", "Ann,ann@crm.example,FINANCE,East")
        .with("products.csv", "MG Special,55.00", "MG Special,56")
        .with("accounts.csv", "1,Acme,A-1,SIGNED,retail,Bob", "1,Acme Corp,A-1,LOST,trade,Ann")
        .with("accounts.csv", "2,Isdom,,LEAD", "2,Isdom,,PROSPECT")
        .with("deals.csv", "Acme", "A-1")
        .with("deals.csv", "Bob", "Bob Brown")
        .with(
            "deals.csv",
            "D3,Bob Brown,,MG Special,ENGAGING,2024-10-21,,60",
            "D3,Bob Brown,Isdom,MG Special,WON,2024-10-22,2024-12-03,61.01",
        )
        .with("calls.csv", "Bob", "Bob Brown")
        .with("calls.csv", "Acme", "A-1");
    let (_, rows) = later.import(&t, false).await;
    assert_eq!(
        remarks(&rows),
        [
            "people.csv 2 UPDATED",
            "people.csv 3 UPDATED",
            "products.csv 3 UPDATED",
            "accounts.csv 2 UPDATED",
            "accounts.csv 3 UPDATED",
            "deals.csv 4 UPDATED the deal keeps the day on which it began",
            "calls.csv 2 SKIPPED an activity is not changed once it is logged",
        ]
    );
    let won = deal(&t, "D3").await;
    assert_eq!(won["stage"], "WON");
    assert_eq!(won["wonAt"], "2024-12-02T23:00:00.000000Z", "midnight in Berlin");
    assert_eq!(won["credits"], json!([{ "user": { "name": "Bob Brown" }, "amount": { "amount": "61.01" } }]));
    let query = "{ customers { nodes { name stage sector owner { name } stageHistory { to evidenceDocument reason } } } }";
    let data = t.admin().query(query).await;
    let mut customers = data["customers"]["nodes"].as_array().expect("customers").clone();
    customers.sort_by_key(|customer| customer["name"].to_string());
    let step = |to: &str, document: Option<&str>, reason: Option<&str>| json!({ "to": to, "evidenceDocument": document, "reason": reason });
    assert_eq!(
        customers,
        [
            json!({ "name": "Acme Corp", "stage": "LOST", "sector": "trade", "owner": { "name": "Ann" }, "stageHistory": [
                step("LEAD", None, None), step("QUALIFIED", None, None), step("PROSPECT", Some("import crm row 2"), None),
                step("SIGNED", None, None), step("LOST", None, Some("import crm row 2")),
            ] }),
            json!({ "name": "Isdom", "stage": "PROSPECT", "sector": null, "owner": null, "stageHistory": [
                step("LEAD", None, None), step("QUALIFIED", None, None), step("PROSPECT", Some("import crm row 3"), None),
            ] }),
        ]
    );
    let counts = later.import(&t, false).await.0.counts;
    assert_eq!((counts.created, counts.updated, counts.rejected), (0, 0, 0));
}

async fn a_deal_that_has_ended_is_not_changed(t: TestApp) {
    Export::new().import(&t, false).await;
    assert_eq!(
        deal(&t, "D4").await,
        json!({ "stage": "CANCELLED", "openedAt": "2024-10-20T22:00:00.000000Z",
                "wonAt": "2024-11-30T23:00:00.000000Z", "lostAt": null, "cancelledAt": "2024-11-30T23:00:00.000000Z",
                "closeReason": "Sent back", "value": { "amount": "4000.00", "currency": "USD" },
                "owner": { "name": "Bob" }, "customer": { "name": "Acme" }, "product": { "name": "GTX Pro" },
                "credits": [{ "user": { "name": "Bob" }, "amount": { "amount": "4000.00" } },
                                { "user": { "name": "Bob" }, "amount": { "amount": "-4000.00" } }] })
    );
    let otherwise = Export::new()
        .with("deals.csv", "4821.50", "4821.51")
        .with("deals.csv", "D2,Ann,Isdom,MG Special,LOST", "D2,Bob,Isdom,MG Special,WON")
        .with("deals.csv", "CANCELLED", "WON");
    assert_eq!(
        remarks(&otherwise.import(&t, false).await.1),
        [
            "deals.csv 2 REJECTED the deal is WON already, and an import does not change a deal that has ended; \
             the row differs in value",
            "deals.csv 3 REJECTED the deal is LOST already, and an import does not change a deal that has ended; \
             the row differs in stage, owner",
            "deals.csv 5 REJECTED the deal is CANCELLED already, and an import does not change a deal that has ended; \
             the row differs in stage",
        ]
    );
    let cancelled = Export::new().with(
        "deals.csv",
        "WON,2024-10-20,2024-11-01,4821.50,",
        "CANCELLED,2024-10-20,2024-12-24,4821.50,",
    );
    assert_eq!(remarks(&cancelled.import(&t, false).await.1), ["deals.csv 2 UPDATED"]);
    let deal = deal(&t, "D1").await;
    assert_eq!(deal["closeReason"], "import crm row 2");
    assert_eq!(deal["credits"][1]["amount"]["amount"], "-4821.50");
}

async fn what_is_there_already_is_taken_up(t: TestApp) {
    t.team("east", None).await;
    let bob = t
        .admin()
        .mutate(
            "inviteUser",
            json!({ "name": "Robert", "email": "BOB@crm.example", "role": "REP" }),
            "user { id }",
        )
        .await;
    bob.ok();
    t.admin().mutate("createProduct", json!({ "name": "GTX PRO" }), "product { id }").await.ok();
    let acme = json!({ "name": "Acme Ltd", "number": "a-1", "kind": "COMPANY" });
    t.admin().mutate("createCustomer", acme, "customer { id }").await.ok();
    let (import, rows) = Export::new().import(&t, false).await;
    assert_eq!(
        remarks(&rows),
        [
            "people.csv 3 UPDATED",
            "products.csv 2 UPDATED",
            "accounts.csv 2 UPDATED the customer keeps the day on which it was collected"
        ]
    );
    assert_eq!(import.counts.unchanged, 1, "the team is what the row says");
    let count = |of: &str| format!("{of} {{ totalCount }}");
    let query = ["teams", "users", "customers"].map(count).join(" ");
    let data = t.admin().query(&format!("{{ {query} }}")).await;
    assert_eq!(
        data,
        json!({ "teams": { "totalCount": 2 }, "users": { "totalCount": 3 }, "customers": { "totalCount": 2 } })
    );
    let again = Export::new().import(&t, false).await.0.counts;
    assert_eq!(again.unchanged, again.total);
}

async fn rows_that_only_the_database_refuses_are_settled_one_by_one(t: TestApp) {
    // The counted number of the first customer is the given number of the second.
    let export = Export::new().with("accounts.csv", "1,Acme,A-1,", "1,Acme,,").with(
        "accounts.csv",
        "2,Isdom,,",
        "2,Isdom,c-000001,",
    );
    let export = export.with("deals.csv", "A-1", "Acme").with("deals.csv", "Isdom", "");
    let export = export.with("calls.csv", "Isdom", "Acme").plus("accounts.csv", "3,Third,,LEAD,,\n");
    let (import, rows) = export.import(&t, false).await;
    assert_eq!(
        remarks(&rows),
        ["accounts.csv 3 REJECTED number: 'c-000001' belongs to another customer already"]
    );
    assert_eq!((import.counts.rejected, import.counts.total), (1, 15));
    assert_eq!(
        t.sql().await.texts("SELECT number FROM customers ORDER BY number").await,
        ["C-000001", "C-000002"]
    );
}

async fn a_file_that_breaks_off_keeps_what_was_read(t: TestApp) {
    let mut export = Export::new();
    for number in 0..600 {
        export = export.plus("deals.csv", &format!("X{number},Bob,Acme,GTX Pro,ENGAGING,2024-10-21,,60,\n"));
    }
    let mut broken = export.clone();
    broken.breaks_off = Some("deals.csv");
    let failed = run_import(&t.app, &request(&t, PROFILE, false, false), &broken, |_| {}).await;
    assert!(matches!(failed, Err(Error::Unavailable(reason)) if reason.contains("the disk is gone")));
    assert_eq!(t.sql().await.texts("SELECT state FROM imports").await, ["FAILED"]);
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM deals").await, 500, "one chunk");
    let (import, _) = export.import(&t, false).await;
    assert_eq!((import.counts.created, import.counts.rejected), (104 + 2, 0));
}

async fn an_import_runs_in_the_background_and_is_watched(t: TestApp) {
    let export = Export::new().plus("deals.csv", "D5,Bob,Acme,GTXPro 3,WON,2024-10-20,2024-11-01,1,\n");
    let files: Vec<Value> =
        export.files.iter().map(|(name, content)| json!({ "name": name, "content": content })).collect();
    let input = json!({ "profile": PROFILE, "files": files });
    let started =
        t.admin().mutate("startImport", input.clone(), "import { id state counts { total } }").await;
    let import = &started.ok()["import"];
    assert_eq!((&import["state"], &import["counts"]["total"]), (&json!("WAITING"), &json!(0)));
    let id = json!({ "id": import["id"] });
    let watch = "subscription($id: ID!) { importProgress(id: $id) { state counts { total } } }";
    let mut stream = t.admin().stream(watch, id.clone()).await;
    let first = stream.next().await.expect("the present state");
    assert_eq!(first["data"]["importProgress"]["state"], "WAITING");
    t.run_jobs().await;
    let mut last = first;
    while let Some(next) = stream.next().await {
        last = next;
    }
    assert_eq!(last["data"]["importProgress"], json!({ "state": "DONE", "counts": { "total": 15 } }));

    let query = "query($id: ID!) { node(id: $id) { ... on Import {
        profile dryRun state failure requestedBy { email } finishedAt
        counts { total created updated unchanged skipped rejected }
        rows(first: 2, verdict: REJECTED) { totalCount nodes { file row subjectType subjectId reason suggestion } }
        created: rows(first: 1, verdict: CREATED) { totalCount nodes { subjectId } pageInfo { hasNextPage endCursor } }
    } } }";
    let data = t.admin().gql(query, id.clone()).await.ok()["node"].clone();
    assert_eq!(
        data["counts"],
        json!({ "total": 15, "created": 14, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1 })
    );
    assert_eq!(data["requestedBy"]["email"], "admin@northwind.example");
    let reason = "unknown product 'GTXPro 3'; did you mean 'GTX Pro'?";
    assert_eq!(
        data["rows"],
        json!({ "totalCount": 1, "nodes": [{ "file": "deals.csv", "row": 6, "subjectType": "deal", "subjectId": null,
                                              "reason": reason, "suggestion": "GTX Pro" }] })
    );
    assert_eq!(data["created"]["totalCount"], 14);
    assert_eq!(
        t.sql().await.number("SELECT COUNT(*) FROM import_files").await,
        0,
        "files are gone once read"
    );

    let rep = t.user("REP", "Rae Rep").await;
    assert_eq!(rep.mutate("startImport", input, "import { id }").await.code(), "FORBIDDEN");
    assert_eq!(rep.gql(query, id.clone()).await.ok()["node"], Value::Null);
    let stranger = t.other_organization("Elsewhere").await;
    assert_eq!(stranger.gql(query, id).await.ok()["node"], Value::Null);
}

async fn wrong_imports_are_refused_before_the_first_row(t: TestApp) {
    let export = Export::new();
    let file = |name: &str, content: &str| json!({ "name": name, "content": content });
    let files: Vec<Value> = export.files.iter().map(|(name, content)| file(name, content)).collect();
    let with = |extra: Value| [files.clone(), vec![extra]].concat();
    for (input, problems) in [
        (json!({ "profile": "name = 1", "files": [] }), vec!["input.profile: INVALID_PROFILE"]),
        (json!({ "profile": PROFILE, "files": files[1..] }), vec!["input.files: INVALID_FILE"]),
        (
            json!({ "profile": PROFILE, "files": with(file("other.csv", "a\n")) }),
            vec!["input.files.6.name: NOT_FOUND"],
        ),
        (
            json!({ "profile": PROFILE, "files": with(files[0].clone()) }),
            vec!["input.files.6.name: DUPLICATE"],
        ),
        (
            json!({ "profile": PROFILE, "files": [file("teams.csv", "team\0,parent\n")] }),
            vec!["input.files.0.content: INVALID_CHARACTER"],
        ),
        (
            json!({ "profile": PROFILE.replace("{parent}", "{above}"), "files": files }),
            vec!["input.files: INVALID_PROFILE"],
        ),
    ] {
        let refused = t.admin().mutate("startImport", input, "import { id }").await;
        assert_eq!(refused.problems(), problems);
    }
    assert_eq!(t.sql().await.number("SELECT COUNT(*) FROM imports").await, 0);
}

async fn an_export_holds_everything(t: TestApp) {
    Export::new().import(&t, false).await;
    let mut lines = BTreeMap::new();
    for &what in ExportKind::ALL {
        let mut written = Vec::new();
        let count = export(&t.app, t.organization, what, &mut written).await.expect("an export");
        let text = String::from_utf8(written).expect("text");
        let objects: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(objects.len() as u64, count);
        lines.insert(what.as_str(), objects);
    }
    let counts: Vec<_> = lines.iter().map(|(what, objects)| (*what, objects.len())).collect();
    let wanted = [
        ("ACTIVITIES", 2),
        ("COMPLAINTS", 0),
        ("CUSTOMERS", 2),
        ("DEALS", 4),
        ("PRODUCTS", 2),
        ("SLA_POLICIES", 0),
        ("TEAMS", 2),
        ("USERS", 3),
        ("WORK_CALENDARS", 0),
    ];
    assert_eq!(counts, wanted);
    let bob = lines["USERS"].iter().find(|user| user["name"] == "Bob").expect("Bob");
    assert_eq!((&bob["type"], &bob["memberships"][0]["validFrom"]), (&json!("user"), &json!("2020-01-01")));
    let won = lines["DEALS"].iter().find(|deal| deal["number"] == "D1").expect("D1");
    assert_eq!(won["value"], json!({ "amount": "4821.50", "currency": "USD" }));
}
