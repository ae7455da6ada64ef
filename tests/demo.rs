//! The demo organisation as those see it who explore it.

use evenhand_domain::complaints::ComplaintState;
use serde_json::{Value, json};

use crate::support::{TestApp, run_on_demo};

#[test]
fn the_demo_has_complaints_in_every_state() {
    run_on_demo(complaints);
}

async fn complaints(t: TestApp) {
    let now = t.app.now();
    let mut counts = Vec::new();
    for state in ComplaintState::ALL {
        let query =
            format!("{{ complaints(filter: {{ state: {{ eq: {} }} }}) {{ totalCount }} }}", state.as_str());
        counts.push((state.as_str(), t.admin().query(&query).await["complaints"]["totalCount"].as_i64()));
    }
    assert!(counts.iter().all(|(_, count)| count.is_some_and(|count| count > 0)), "{counts:?}");
    let of = |wanted: &str| counts.iter().find(|(state, _)| *state == wanted).and_then(|(_, count)| *count);
    assert_eq!((of("MERGED"), of("OUT_OF_SCOPE"), of("CLOSED")), (Some(2), Some(3), Some(33)));
    let overdue = format!(r#"{{ isOpen: {{ eq: true }}, nextActionDue: {{ lte: "{now}" }} }}"#);
    let query = format!(
        "{{ overdue: complaints(filter: {overdue}) {{ totalCount }}
        all: complaints(first: 100) {{ totalCount nodes {{ number state recordedAt confidentiality reopenCount
            clocks {{ outcome }} }} }} }}"
    );
    let data = t.admin().query(&query).await;
    let overdue = data["overdue"]["totalCount"].as_i64().expect("a count");
    assert!((3..=12).contains(&overdue), "{overdue} are overdue");
    let all = data["all"]["nodes"].as_array().expect("complaints");
    let count = |is: fn(&Value) -> bool| all.iter().filter(|complaint| is(complaint)).count();
    assert_eq!((all.len(), &data["all"]["totalCount"]), (56, &json!(56)));
    assert_eq!(count(|complaint| complaint["confidentiality"] == "CONFIDENTIAL"), 2);
    assert_eq!(count(|complaint| complaint["reopenCount"] == 1), 4, "two by their surveys");
    let met = count(|complaint| {
        complaint["clocks"].as_array().expect("clocks").iter().all(|clock| clock["outcome"] != "MISSED")
    });
    assert!((10..50).contains(&met), "{met} were in time throughout");
    let sql = t.sql().await;
    for state in ["ANSWERED", "NO_RESPONSE"] {
        let surveys = format!("SELECT COUNT(*) FROM surveys WHERE state = '{state}'");
        assert!(sql.number(&surveys).await > 0, "{state}");
    }
    let forgotten = sql.number("SELECT COUNT(*) FROM complaints WHERE level = 4 AND ended_at IS NULL").await;
    assert!((3..=12).contains(&forgotten), "{forgotten} have come up to the administrators");
}
