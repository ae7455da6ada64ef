//! Profiles and rows as people write them, with the faults that people make.

use std::io::{self, Read};

use evenhand_domain::deals::DealStage;
use evenhand_domain::error::{Code, Error};

use super::mapping::{DealRecord, Record, RowProblem, suggest};
use super::profile::{PROFILE_BYTES_MAX, Profile, SOURCES_MAX};
use super::rows::{FIELD_BYTES_MAX, ROW_BYTES_MAX, Row, Rows};

const DEALS: &str = r#"
name = "test"
currency = "USD"
date_formats = ["%m/%d/%Y", "%d.%m.%Y"]
[aliases.product]
"gtxpro" = "GTX Pro"
[[sources]]
kind = "deal"
file = "deals.csv"
key = "deal:{id}"
fields = { number = "{id}", owner = "{agent}", product = "{product}", stage = "{stage}", opened_on = "{engage}", closed_on = "{close}", value = "{value}", currency = "{currency}" }
defaults = { opened_on = "2016-10-01" }
[sources.values.stage]
Shut = "LOST"
[sources.values.value]
"0" = ""
"#;
const HEADER: &str = "id,agent,product,stage,engage,close,value,currency\n";

const ACTIVITIES: &str = r#"
name = "test"
currency = "USD"
[[sources]]
kind = "activity"
file = "calls.csv"
key = "call:{id}"
fields = { kind = "{kind}", user = "{who}", started_on = "{day}", started_at = "{time}", seconds = "{seconds}", connected = "{answered}", note = "{note}" }
"#;

const USERS: &str = r#"
name = "test"
currency = "USD"
[[sources]]
kind = "user"
file = "users.csv"
key = "user:{name}"
fields = { name = "{name}", role = "{role}", team = "{team}", member_from = "{from}" }
"#;

fn rows(profile: &str, csv: impl AsRef<[u8]>) -> Vec<Row> {
    let profile = Profile::parse(profile).expect("a profile");
    let rows = Rows::open(&profile, &profile.sources[0], csv.as_ref()).expect("a header");
    rows.collect::<Result<_, _>>().expect("a readable file")
}

fn problems(profile: &str, csv: impl AsRef<[u8]>) -> Vec<String> {
    let told = |problem: &RowProblem| format!("{} | {problem}", problem.field);
    let rows = rows(profile, csv);
    rows.iter().flat_map(|row| row.record.as_ref().err().into_iter().flatten().map(told)).collect()
}

fn deal(row: &str) -> DealRecord {
    match rows(DEALS, format!("{HEADER}{row}\n")).remove(0).record {
        Ok(Record::Deal(deal)) => deal,
        other => panic!("{row}: {other:?}"),
    }
}

fn faults(profile: &str) -> Vec<String> {
    match Profile::parse(profile) {
        Err(Error::Rejected(problems)) => {
            assert!(problems.iter().all(|problem| problem.code == Code::InvalidProfile));
            problems.into_iter().map(|problem| problem.message).collect()
        }
        other => panic!("{profile}: {other:?}"),
    }
}

#[test]
fn a_row_becomes_a_typed_record() {
    let won = deal("D1, Ann ,GTXPRO,won,10/20/2016,1.3.2017,1054.5,eur");
    assert_eq!((won.key.as_str(), won.number.as_str(), won.owner.as_str()), ("deal:D1", "D1", "Ann"));
    assert_eq!(won.product.as_deref(), Some("GTX Pro"));
    assert_eq!(won.stage, DealStage::Won);
    assert_eq!(won.opened_on.map(|day| day.to_string()).as_deref(), Some("2016-10-20"));
    assert_eq!(won.closed_on.map(|day| day.to_string()).as_deref(), Some("2017-03-01"));
    assert_eq!(won.value.map(|value| value.to_string()).as_deref(), Some("1054.50 EUR"));

    let lost = deal("D2,Ann,,Shut,,3/1/2017,0,");
    assert_eq!((lost.stage, lost.value, lost.product), (DealStage::Lost, None, None));
    assert_eq!(lost.opened_on.map(|day| day.to_string()).as_deref(), Some("2016-10-01"));
}

#[test]
fn aliases_can_be_ignored() {
    let mut profile = Profile::parse(DEALS).expect("a profile");
    profile.without_aliases();
    let csv = format!("{HEADER}D1,Ann,GTXPro,,,,,\n");
    let row = Rows::open(&profile, &profile.sources[0], csv.as_bytes()).expect("a header").next();
    match row {
        Some(Ok(Row { record: Ok(Record::Deal(deal)), .. })) => {
            assert_eq!(deal.product.as_deref(), Some("GTXPro"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_problems_of_a_row_are_told() {
    let csv = format!("{HEADER},,P,Wonn,13/45/2017,2/30/2017,1e3,US\nD2,Ann,P,Won,1/1/0017,,-1.005,\n");
    assert_eq!(
        problems(DEALS, csv),
        [
            "key | a column of the key is empty",
            "number | id: empty, but each deal needs its number",
            "owner | agent: empty, but each deal needs its owner",
            "stage | stage: 'Wonn' is none of PROSPECTING, ENGAGING, NEGOTIATING, WON, LOST, CANCELLED; did you mean 'WON'?",
            "opened_on | engage: '13/45/2017' matches none of the date formats %m/%d/%Y, %d.%m.%Y",
            "closed_on | close: '2/30/2017' matches none of the date formats %m/%d/%Y, %d.%m.%Y",
            "currency | currency: 'US' is no currency: Expected a currency code of ISO 4217 such as USD, EUR or CNY.",
            "value | value: '1e3' is no amount: Expected a plain decimal number such as 1234.50.",
            "opened_on | engage: '1/1/0017' lies in the year 17; expected 1900 to 2200",
            "closed_on | close: empty, but a deal that is WON needs the day it ended",
            "value | value: '-1.005' is no amount: USD has 2 decimals.",
        ]
    );
}

#[test]
fn activities_and_users_are_checked_too() {
    let csv = "id,kind,who,day,time,seconds,answered,note\n\
               1,call,Ann,2017-03-01,14:05,90,Yes,\"two\nlines\"\n\
               2,calls,Ann,3/1/2017,25:00,-1,maybe,\n";
    let read = rows(ACTIVITIES, csv);
    match &read[0].record {
        Ok(Record::Activity(call)) => {
            assert_eq!((call.seconds, call.connected), (Some(90), Some(true)));
            assert_eq!(call.note.as_deref(), Some("two\nlines"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        problems(ACTIVITIES, csv),
        [
            "kind | kind: 'calls' is none of CALL, VISIT, MEETING, EMAIL, SMS, FAX, NOTE; did you mean 'CALL'?",
            "started_on | day: '3/1/2017' does not match the date format %Y-%m-%d",
            "started_at | time: '25:00' is no time of day such as 14:05 or 14:05:30",
            "seconds | seconds: '-1' is no whole number from 0 to 4294967295",
            "connected | answered: 'maybe' is neither yes nor no",
        ]
    );
    assert_eq!(
        problems(USERS, "name,role,team,from\nAnn,rep,East,\nBob,boss,,\n"),
        [
            "member_from | from: empty, but a team is named",
            "role | role: 'boss' is none of REP, MANAGER, SERVICE_AGENT, FINANCE, ADMIN",
        ]
    );
}

#[test]
fn broken_rows_never_stop_the_rest() {
    let long = "x".repeat(FIELD_BYTES_MAX + 1);
    let mut csv = b"\xef\xbb\xbf".to_vec();
    csv.extend(HEADER.replace('\n', "\r\n").as_bytes());
    csv.extend(b"D1,Ann\r\n\r\n,,,,,,,\r\nD2,\xff\xfe,,,,,,\r\n");
    csv.extend(format!("D3,{long},,,,,,\r\nD4,Ann,,,,,,\r\nD\n5,Ann,,,,,,").as_bytes());
    let read = rows(DEALS, &csv);
    let numbers: Vec<_> = read.iter().map(|row| (row.number, row.record.is_ok())).collect();
    assert_eq!(numbers, [(2, false), (4, false), (5, false), (6, true), (7, false), (8, true)]);
    assert_eq!(
        problems(DEALS, &csv),
        [
            "row | the row has 2 fields, but the header names 8 columns; is a comma or a quote missing?",
            "row | field 2 is not UTF-8 text; save the file as \"CSV UTF-8\"",
            "row | field 2 is longer than 65536 bytes",
            "row | the row has 1 fields, but the header names 8 columns; is a comma or a quote missing?",
        ]
    );
    assert_eq!(
        problems(DEALS, format!("{HEADER}\"D\n1\",Ann,,,,,,\n")),
        ["key | the key holds control characters"]
    );
}

#[test]
fn files_that_make_no_sense_are_refused() {
    let profile = Profile::parse(DEALS).expect("a profile");
    let open = |csv: &[u8]| match Rows::open(&profile, &profile.sources[0], csv) {
        Err(Error::Rejected(problems)) => {
            problems.into_iter().map(|problem| (problem.code, problem.message)).collect()
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => Vec::new(),
    };
    assert_eq!(open(b"")[0].0, Code::InvalidFile);
    assert_eq!(open(b"\xff\xfei\0d\0\n")[0].0, Code::InvalidFile);
    let missing = open(b"id,agnt,product,stage,engage,close,value,value,currency\n");
    assert_eq!(
        missing,
        [
            (
                Code::InvalidProfile,
                "deals.csv (owner): the file has no column 'agent'; did you mean 'agnt'?".into()
            ),
            (
                Code::InvalidProfile,
                "deals.csv (value): the file has the column 'value' twice; rename one of the two.".into()
            ),
        ]
    );

    let endless = HEADER.as_bytes().chain(&b"D1,\"Ann"[..]).chain(io::repeat(b'x'));
    let mut rows = Rows::open(&profile, &profile.sources[0], endless).expect("a header");
    match rows.next() {
        Some(Err(Error::Rejected(problems))) => {
            assert!(
                problems[0].message.contains(&format!("Row 2 of deals.csv is longer than {ROW_BYTES_MAX}"))
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(rows.next().is_none());
}

#[test]
fn wrong_profiles_are_refused_with_line_and_reason() {
    for (from, to, told) in [
        (
            "currency = \"USD\"",
            "curency = \"USD\"",
            "Line 3: unknown field `curency`, expected one of `name`, `currency`",
        ),
        ("currency = \"USD\"", "currency = \"usd\"", "Line 3: Expected a currency code"),
        ("currency = \"USD\"\n", "", "missing field `currency`"),
        ("name = \"test\"", "name = \"\"", "Line 2: A value is required."),
        ("name = \"test\"", "name = test", "Line 2: "),
        ("%d.%m.%Y", "%m/%Y", "Line 4: '%m/%Y' is no date format"),
        ("%d.%m.%Y", "%Q", "Line 4: '%Q' is no date format"),
        (
            "aliases.product",
            "aliases.produkt",
            "Line 5: Unknown table of aliases 'produkt'; did you mean 'product'?",
        ),
        ("\"gtxpro\" =", "\"GTXPRO\" = \"x\"\n\"gtxpro\" =", "stands here twice"),
        ("kind = \"deal\"", "kind = \"deals\"", "Line 8: Unknown kind 'deals'; did you mean 'deal'?"),
        ("deals.csv", "../deals.csv", "Line 9: '../deals.csv' is no plain file name"),
        ("\"deal:{id}\"", "\"deal\"", "Line 10: The key needs a column"),
        ("\"deal:{id}\"", "\"deal:{id\"", "Line 10: 'deal:{id' has a single '{'"),
        ("owner =", "ownr =", "Line 11: Unknown field of a deal 'ownr'; did you mean 'owner'?"),
        ("owner =", "ownr =", "Each deal needs the field 'owner'."),
        ("stage = \"{stage}\"", "stage = \"OPEN\"", "Line 11: 'OPEN' is none of PROSPECTING"),
        ("\"2016-10-01\"", "\"10/01/2016\"", "Line 12: '10/01/2016' is no date"),
        (
            "defaults = { opened_on",
            "defaults = { name",
            "Line 12: 'name' is not among the fields of this source.",
        ),
        ("\"LOST\"", "\"GONE\"", "Line 14: 'GONE' is none of PROSPECTING"),
        ("[sources.values.value]", "[sources.valeus.value]", "unknown field `valeus`"),
    ] {
        let profile = DEALS.replacen(from, to, 1);
        assert_ne!(profile, DEALS, "{from}");
        let faults = faults(&profile);
        assert!(faults.iter().any(|fault| fault.contains(told)), "{to}: {faults:?}");
    }
    assert_eq!(faults(&"#".repeat(PROFILE_BYTES_MAX + 1)).len(), 1);
    let source =
        "[[sources]]\nkind = \"team\"\nfile = \"a.csv\"\nkey = \"{a}\"\nfields = { name = \"{a}\" }\n";
    let many = |count| format!("name = \"x\"\ncurrency = \"USD\"\n{}", source.repeat(count));
    assert!(Profile::parse(&many(SOURCES_MAX)).is_ok());
    assert!(faults(&many(SOURCES_MAX + 1))[0].contains("1 to 50 sources"));
    assert!(faults("name = \"x\"\ncurrency = \"USD\"\nsources = []\n")[0].contains("1 to 50 sources"));
}

#[test]
fn no_profile_and_no_file_panics() {
    for at in 0..DEALS.len() {
        // Wrong in one place: cut off there, or with a character that means something put there.
        let results = ["", "{", "}", "\"", "%", "\0"].map(|mark| {
            let rest = if mark.is_empty() { "" } else { &DEALS[at + 1..] };
            Profile::parse(&format!("{}{mark}{rest}", &DEALS[..at])).map(|_| ())
        });
        assert!(results.into_iter().all(|result| matches!(result, Ok(()) | Err(Error::Rejected(_)))), "{at}");
    }
    let csv = format!("{HEADER}D1,\"Ann \"\"A\"\"\",ü,Won,10/20/2016,3/1/2017,1054,EUR\r\n").into_bytes();
    for at in HEADER.len()..csv.len() {
        for mark in [b'"', b',', b'\n', b'\r', 0, 0xff] {
            let mut wrong = csv.clone();
            wrong[at] = mark;
            assert!(rows(DEALS, &wrong).len() <= 2);
        }
    }
}

#[test]
fn fingerprints_tell_whether_a_row_says_something_else() {
    let print = |row: &str| Record::Deal(deal(row)).fingerprint().expect("a fingerprint");
    let first = print("D1,Ann,GTX Pro,Won,10/20/2016,3/1/2017,1054,");
    assert_eq!(first, print("D1, Ann,GTXPro,WON,20.10.2016,03/01/2017,1054.00,USD"));
    assert_ne!(first, print("D1,Ann,GTX Pro,Won,10/20/2016,3/1/2017,1054.01,"));
    assert_ne!(first, print("D1,Ann,GTX Pro,Lost,10/20/2016,3/1/2017,1054,"));
    // Pinned: another value would make every row of every earlier import look changed.
    assert_eq!(first, "6ada758560ecc44cba824b7d744f2d3e4eed733e64073420d83faed0ccf1c159");
}

#[test]
fn the_nearest_name_is_suggested_if_it_is_near() {
    let products =
        ["GTX Basic", "GTX Pro", "MG Special", "MG Advanced", "GTX Plus Pro", "GTX Plus Basic", "GTK 500"];
    let near = |text: &str| suggest(text, products.into_iter());
    assert_eq!(near("GTXPro").as_deref(), Some("GTX Pro"));
    assert_eq!(near("mg  advancd").as_deref(), Some("MG Advanced"));
    assert_eq!(near("Cheese"), None);
    assert_eq!(near(&"x".repeat(1_000_000)), None);
    let problem = RowProblem::unknown("product", "GTXPro", products.into_iter());
    assert_eq!(problem.to_string(), "unknown product 'GTXPro'; did you mean 'GTX Pro'?");
}

/// The example profile over the export that it is made for, where that lies beside the workspace.
#[test]
fn the_example_profile_reads_the_real_export() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text =
        std::fs::read_to_string(root.join("examples/import/crm-sales-pipeline.toml")).expect("the example");
    let profile = Profile::parse(&text).expect("a valid example");
    let folder = root.join("../shared/data/crm-sales-pipeline");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let mut keys: Vec<std::collections::BTreeSet<String>> = Vec::new();
    let mut deals = Vec::new();
    for source in &profile.sources {
        let file = std::fs::File::open(folder.join(&source.file)).expect("a file of the export");
        let mut seen = std::collections::BTreeSet::new();
        for row in Rows::open(&profile, source, file).expect("a header") {
            let row = row.expect("a readable file");
            let record =
                row.record.unwrap_or_else(|problems| panic!("{} {}: {problems:?}", source.file, row.number));
            seen.insert(record.key().to_owned());
            if let Record::Deal(deal) = record {
                deals.push(deal);
            }
        }
        keys.push(seen);
    }
    let counts: Vec<_> = keys.iter().map(std::collections::BTreeSet::len).collect();
    assert_eq!(counts, [3, 6, 6, 35, 7, 85, 8_800]);
    let of = |stage| deals.iter().filter(|deal| deal.stage == stage).count();
    let stages = [DealStage::Won, DealStage::Lost, DealStage::Engaging, DealStage::Prospecting];
    assert_eq!(stages.map(of), [4_238, 2_473, 1_589, 500]);
    let won = deals.iter().filter(|deal| deal.stage == DealStage::Won);
    assert_eq!(won.filter_map(|deal| deal.value).map(|value| value.minor).sum::<i64>(), 1_000_553_400);
    assert_eq!(deals.iter().filter(|deal| deal.customer.is_none()).count(), 1_425);
    assert!(deals.iter().all(|deal| deal.product.as_deref() != Some("GTXPro") && deal.opened_on.is_some()));
}
