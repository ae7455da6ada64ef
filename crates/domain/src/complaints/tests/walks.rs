//! Random walks: whatever is done in whatever order, an open complaint has an owner, a next due time and clocks that
//! agree with themselves, and no rung is raised twice.

use std::collections::HashSet;

use proptest::prelude::*;

use super::workflow::{STEPS, take};
use super::*;

fn check(complaint: &Complaint, hours: &WorkHours) -> Result<(), TestCaseError> {
    let running =
        |kind| complaint.clocks.iter().filter(move |clock| clock.kind == kind && clock.is_running());
    for &kind in ClockKind::ALL {
        let count = running(kind).count();
        let always = matches!(kind, ClockKind::Update | ClockKind::Resolution);
        if !complaint.state.is_open() {
            prop_assert_eq!(count, 0);
        } else if always {
            prop_assert_eq!(count, 1);
        } else {
            prop_assert!(count <= 1);
        }
    }
    prop_assert_eq!(complaint.ended_at.is_none(), complaint.state.is_open());
    if complaint.state.is_open() {
        prop_assert_eq!(Some(complaint.next_action_due), complaint.next_due());
    }
    for clock in &complaint.clocks {
        prop_assert_eq!(clock.at_percent(hours, 100), clock.due_at);
        prop_assert!(clock.revisions.last().is_none_or(|last| last.to == clock.due_at));
        for pair in clock.pauses.windows(2) {
            prop_assert!(pair[0].to <= pair[1].from);
        }
        prop_assert!(clock.pauses.iter().all(|pause| pause.from <= pause.to));
    }
    // Rows keep both as JSON.
    let written = serde_json::to_string(&(&complaint.clocks, &complaint.escalations)).expect("text");
    let read: (Vec<SlaClock>, Vec<Escalation>) = serde_json::from_str(&written).expect("clocks and rungs");
    prop_assert_eq!((&read.0, &read.1), (&complaint.clocks, &complaint.escalations));
    let keys: HashSet<_> = complaint.escalations.iter().map(|escalation| escalation.key).collect();
    prop_assert_eq!(keys.len(), complaint.escalations.len());
    Ok(())
}

proptest! {
    // A walk is as long as dozens of other cases.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_open_complaint_always_has_somebody_and_something_due(
        walk in prop::collection::vec((0..STEPS.len(), 0_i64..3_000, 0_u8..4), 1..60),
    ) {
        let hours = office();
        let mut complaint = recorded(&hours, MONDAY);
        let mut now = at(MONDAY);
        let mut last_id = 1_000;
        for (step, minutes, presence) in walk {
            now = now.plus(Duration::minutes(minutes));
            let handling = Handling { by: None, service: service(&hours), now };
            let before = complaint.clone();
            let absence = match presence {
                0 => Some(Absence::Away(now)),
                1 => Some(Absence::Gone(at(MONDAY))),
                _ => None,
            };
            loop {
                last_id += 1;
                let Some(change) = complaint.escalate(absence, id(last_id), &handling) else { break };
                complaint = change.into_state();
                check(&complaint, &hours)?;
            }
            // What is still pending lies ahead.
            let pending = complaint.pending_rungs(&handling.service, absence);
            prop_assert!(pending.iter().all(|pending| pending.arises_at > now));
            // A merge would end the walk; what it does is tested by itself.
            if STEPS[step] == "merge" || STEPS[step] == "absorb" {
                continue;
            }
            match take(STEPS[step], &complaint, &handling) {
                Ok(after) => {
                    check(&after, &hours)?;
                    prop_assert!(after.version >= complaint.version);
                    // Old clocks stay as they are, or are stopped, paused or revised; none is lost.
                    prop_assert!(after.clocks.len() >= before.clocks.len());
                    for (old, new) in before.clocks.iter().zip(&after.clocks) {
                        let missed = old.breached_at(now);
                        prop_assert!(missed.is_none() || missed == new.breached_at(now), "stays missed");
                    }
                    complaint = after;
                }
                refused => {
                    let found = problems(refused);
                    let fine = ["INVALID_TRANSITION", "PERIOD_OVER", "escalationId NOT_FOUND"];
                    prop_assert!(found.len() == 1 && fine.contains(&found[0].as_str()), "{found:?}");
                }
            }
        }
    }
}
