//! Nobody sees or does more than the table of permissions says, through any door that the schema has.
//!
//! Every root field has at least one sample, which runs as each of the [`ACTORS`] against the world of one
//! organisation. What comes back goes to `golden/access-matrix.txt`; the texts of all answers are searched for
//! the marks that the world carries. A root field without a sample fails.

mod complaints;
mod samples;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use self::samples::{Ask, Sample};
use self::world::{Actor, Mark, World};
use crate::schema::{introspect, list};
use crate::support::golden::{golden, read};
use crate::support::{Client, Sql, TestApp, both};

both!(every_root_field_answers_each_role_as_written);

/// The longest wait for the first event of a subscription that has none.
const SILENCE: Duration = Duration::from_secs(3);

/// What came back.
struct Answered {
    /// For the matrix.
    cell: String,
    /// The whole text, for the marks.
    text: String,
}

async fn every_root_field_answers_each_role_as_written(t: TestApp) {
    let samples = samples::all();
    check_that_all_fields_have_samples(&introspect(&t).await, &samples);
    let unauthenticated = read("tests/golden/unauthenticated.txt");
    let open: BTreeSet<&str> = unauthenticated.lines().filter(|line| !line.starts_with('#')).collect();

    let world = World::make(&t).await;
    let sql = t.sql().await;
    let mut matrix: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    for sample in &samples {
        for actor in &world.actors {
            let input = (sample.input)(&world).await;
            let before = events(&sql).await;
            let answered = ask(&actor.client, sample, input).await;
            let changed = events(&sql).await > before;
            faults.extend(leaks(sample, actor, &answered.text));
            faults.extend(silent_changes(sample, actor, &answered.cell, changed));
            if actor.name == "anonymous"
                && !open.contains(sample.field())
                && answered.cell != "UNAUTHENTICATED"
            {
                faults.push(format!("{} is open to anonymous: {}", sample.name, answered.cell));
            }
            matrix.entry(sample.name).or_default().push(answered.cell);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    golden("access-matrix.txt", &written(&samples, &world, &matrix));
}

async fn events(sql: &Sql) -> i64 {
    sql.number("SELECT COUNT(*) FROM events").await
}

fn check_that_all_fields_have_samples(schema: &Value, samples: &[Sample]) {
    let mut fields = BTreeSet::new();
    for root in list(schema, "types") {
        let name = root["name"].as_str().unwrap_or_default();
        if ["Query", "Mutation", "Subscription"].contains(&name) {
            fields.extend(
                list(root, "fields")
                    .iter()
                    .map(|field| format!("{name}.{}", field["name"].as_str().unwrap_or_default())),
            );
        }
    }
    let covered: BTreeSet<String> = samples.iter().map(|sample| sample.field().to_owned()).collect();
    let missing: Vec<_> = fields.difference(&covered).collect();
    assert!(missing.is_empty(), "write samples for {missing:?} in tests/coverage/samples.rs");
    let gone: Vec<_> = covered.difference(&fields).collect();
    assert!(gone.is_empty(), "the schema has no {gone:?}");
}

async fn ask(client: &Client, sample: &Sample, input: Value) -> Answered {
    match sample.ask {
        Ask::Query(document) => {
            let answer = client.gql(document, input).await;
            let cell = if answer.code().is_empty() { shape(&answer.data) } else { answer.code().to_owned() };
            Answered { cell, text: answer.text }
        }
        Ask::Mutation(fields) => {
            let name = sample.field().trim_start_matches("Mutation.");
            let outcome = client.mutate(name, input, fields).await;
            let code = outcome.code();
            Answered { cell: if code.is_empty() { "ok".into() } else { code }, text: outcome.answer.text }
        }
        Ask::Subscription(document) => {
            let mut stream = client.stream(document, input).await;
            let Ok(event) = tokio::time::timeout(SILENCE, stream.next()).await else {
                return Answered { cell: "nothing".into(), text: String::new() };
            };
            let event = event.unwrap_or_default();
            let code = event["errors"][0]["extensions"]["code"].as_str();
            Answered { cell: code.unwrap_or("ok").to_owned(), text: event.to_string() }
        }
    }
}

/// What a query found, in a word: how many, which types of changes, null or something.
fn shape(data: &Value) -> String {
    let Some(found) = data.as_object().and_then(|fields| fields.values().next()) else {
        return "no data".into();
    };
    if let Some(total) = found["totalCount"].as_i64() {
        return format!("{total}");
    }
    if let Some(changes) =
        found["nodes"].as_array().filter(|nodes| nodes.iter().all(|node| node["subjectType"].is_string()))
    {
        let types: BTreeSet<&str> =
            changes.iter().filter_map(|change| change["subjectType"].as_str()).collect();
        let short = |name: &str| name.chars().take(3).collect::<String>();
        return types.into_iter().map(short).collect::<Vec<_>>().join(" ");
    }
    match found {
        Value::Null => "null".into(),
        Value::Array(items) => {
            format!("{} of {}", items.iter().filter(|item| !item.is_null()).count(), items.len())
        }
        _ => "ok".into(),
    }
}

/// Marks in an answer that its reader must not see.
fn leaks(sample: &Sample, actor: &Actor, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let seen = Mark::ALL.iter().filter(|mark| text.contains(mark.text()) && !actor.may_see(**mark));
    seen.map(|mark| format!("{} shows {} {:?}: {text}", sample.name, actor.name, mark)).collect()
}

/// A change without an event, or an event without a change.
fn silent_changes(sample: &Sample, actor: &Actor, cell: &str, changed: bool) -> Option<String> {
    // Rotating a refresh token is technical; the session's beginning and end are told.
    let told = matches!(sample.ask, Ask::Mutation(_)) && sample.field() != "Mutation.refreshSession";
    ((cell == "ok" && told) != changed)
        .then(|| format!("{} as {}: {cell}, but events: {changed}", sample.name, actor.name))
}

fn written(samples: &[Sample], world: &World, matrix: &BTreeMap<&str, Vec<String>>) -> String {
    let mut text = String::from(
        "# What each root field answers to whom. Numbers count what is found; changes show the first letters of the\n\
         # types of objects that are seen.\n",
    );
    let names = world.actors.iter().map(|actor| actor.name.to_owned()).collect();
    let mut rows = vec![("", names)];
    rows.extend(samples.iter().map(|sample| (sample.name, matrix[sample.name].clone())));
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..world.actors.len())
        .map(|column| rows.iter().map(|(_, cells)| cells[column].len()).max().unwrap_or_default())
        .collect();
    for (name, cells) in &rows {
        let cells: String =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:width$}")).collect();
        writeln!(text, "{}", format!("{name:first$}{cells}").trim_end()).expect("written");
    }
    text
}

/// An empty input.
fn nothing() -> Value {
    json!({})
}
