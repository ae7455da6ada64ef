//! Complaints lived through again on a simulated clock: breaches, escalations and surveys are those that a second
//! reckoning finds, which goes minute by minute and shares no code with the domain.

use std::collections::BTreeMap;

use evenhand_domain::complaints::EscalationCause;

use crate::complaint_imports::published;

mod lived;
mod reckoned;
mod script;

use script::{Script, scripts};

/// What is left of a complaint: equal in both reckonings.
#[derive(Debug, PartialEq)]
struct Trace {
    /// Kind, round, start, deadline, number of its revisions, stop and breach of each clock.
    clocks: Vec<TracedClock>,
    rungs: Vec<TracedRung>,
    level: i32,
    /// What became of each survey, and when.
    surveys: Vec<(i64, &'static str)>,
}

/// Times are whole minutes since 1970.
#[derive(Debug, PartialEq)]
struct TracedClock {
    kind: &'static str,
    round: i32,
    start: i64,
    due: i64,
    revisions: usize,
    stopped: Option<i64>,
    missed: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TracedRung {
    raised: i64,
    cause: &'static str,
    occurrence: i32,
    rung: i32,
    revision: i32,
    role: &'static str,
    event: &'static str,
    arises: i64,
    notify: i64,
    accept_by: i64,
    accepted: Option<i64>,
}

/// A little of everything that the published file has, and nothing that it needs.
const INVENTED: &str = "\
date_received,date_sent_to_company,company_response_to_consumer,timely_response,consumer_disputed,complaint_id,narrative
2016-12-23,2016-12-27,Closed with explanation,true,No,1,\"quoted
and broken\"
2017-03-10,2017-03-13,Closed with monetary relief,true,Yes,2,
2017-03-11,2017-03-11,Closed with non-monetary relief,false,No,3,
2017-04-21,2017-04-24,In progress,true,No,4,
2017-02-06,2017-03-04,Untimely response,false,No,5,
2016-10-28,2016-11-04,Closed,false,Yes,6,
2016-07-01,2016-07-01,Closed with explanation,true,No,7,
2016-07-03,2016-10-10,Closed with explanation,true,No,8,
2017-01-02,2017-01-02,Closed with explanation,true,No,9,
2017-01-02,2017-01-02,Closed with explanation,true,No,10,
2017-01-02,2017-01-02,Closed with explanation,true,No,11,
2017-01-02,2017-01-02,Closed with explanation,true,No,12,
2017-01-02,2017-01-02,Closed with explanation,true,No,13,
2017-01-02,2017-01-02,In progress,true,No,14,
";

#[test]
fn invented_complaints_are_lived_as_they_are_reckoned() {
    let counts = compare(&scripts(INVENTED.as_bytes()));
    // Everything that can be raised is raised somewhere here.
    for cause in EscalationCause::ALL.iter().filter(|cause| **cause != EscalationCause::NoOwner) {
        assert!(counts.contains_key(cause.as_str()), "{} is never raised: {counts:?}", cause.as_str());
    }
    for kind in ["missed", "met", "SENT", "REMINDED", "ANSWERED", "NO_RESPONSE", "accepted", "paused"] {
        assert!(counts.contains_key(kind), "nothing is {kind}: {counts:?}");
    }
}

#[test]
fn published_complaints_are_lived_as_they_are_reckoned() {
    let Some(folder) = published() else { return };
    let file = std::fs::File::open(folder.join("complaints.csv")).expect("a file");
    let scripts = scripts(file);
    assert_eq!(scripts.len(), 145);
    assert_eq!(scripts.iter().filter(|script| script.is_disputed()).count(), 4);
    println!("{:?}", compare(&scripts));
}

/// Lives and reckons each complaint; counts what happened.
fn compare(scripts: &[Script]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let calendar = reckoned::Calendar::new();
    for script in scripts {
        let (mut lived, reckoned) = (lived::live(script), reckoned::reckon(script, &calendar));
        lived.rungs.sort();
        assert_eq!(lived.clocks, reckoned.clocks, "clocks of {script:?}");
        assert_eq!(lived.rungs, reckoned.rungs, "rungs of {script:?}");
        assert_eq!((lived.level, &lived.surveys), (reckoned.level, &reckoned.surveys), "{script:?}");
        let mut count = |what| *counts.entry(what).or_insert(0) += 1;
        lived.clocks.iter().for_each(|clock| count(if clock.missed.is_some() { "missed" } else { "met" }));
        lived.clocks.iter().filter(|clock| clock.revisions > 1).for_each(|_| count("paused"));
        lived.rungs.iter().for_each(|rung| count(rung.cause));
        lived.rungs.iter().filter(|rung| rung.accepted.is_some()).for_each(|_| count("accepted"));
        lived.surveys.iter().for_each(|(_, what)| count(what));
    }
    counts
}
