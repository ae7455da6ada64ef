//! Complaints of another system.

use super::*;

const RECORDED: &str = "2017-03-06T09:00:00Z";
const ACKNOWLEDGED: &str = "2017-03-06T11:00:00Z";
const RESPONDED: &str = "2017-03-08T10:00:00Z";
const ENDED: &str = "2017-03-09T10:00:00Z";

/// A complaint as far as `state`, with all that belongs to it.
fn imported(state: ComplaintState) -> ImportedComplaint {
    use ComplaintState::*;
    let offered = matches!(state, ResponseOffered | Accepted | Closed);
    let moment = |wanted: bool, text: &str| wanted.then(|| at(text));
    ImportedComplaint {
        record: new_complaint(),
        recorded_at: at(RECORDED),
        state,
        acknowledged_at: moment(state != Recorded, ACKNOWLEDGED),
        assessment: Some(ASSESSMENT),
        response: offered.then(|| response().text),
        responded_at: moment(offered, RESPONDED),
        was_timely: None,
        was_disputed: false,
        was_accepted: state == Accepted,
        ended_at: moment(!state.is_open(), ENDED),
        root_cause: (state == Closed).then(|| "FUSE".into()),
        recourse: (state == Closed).then(|| "The arbitration board".into()),
        out_of_scope_reason: (state == OutOfScope).then(|| "Ask your landlord.".into()),
    }
}

fn import(input: &ImportedComplaint) -> Result<Change<Complaint>> {
    let hours = office();
    Complaint::import(input, id(3), [service(&hours); 2], at(MONDAY))
}

fn state_of(input: &ImportedComplaint) -> Complaint {
    import(input).expect("a complaint").into_state()
}

/// The same complaint, worked on here at the same times.
fn lived(state: ComplaintState) -> Complaint {
    use ComplaintState::*;
    let hours = office();
    let mut complaint = recorded(&hours, RECORDED);
    let way: &[&str] = match state {
        Recorded => &[],
        Acknowledged => &["acknowledge"],
        Assessed => &["acknowledge", "assess"],
        OutOfScope => &["acknowledge", "assess", "out of scope"],
        Investigating => &["acknowledge", "assess", "assign"],
        ResponseOffered => &["acknowledge", "assess", "assign", "offer"],
        Accepted => &["acknowledge", "assess", "assign", "offer", "accept"],
        Closed => &["acknowledge", "assess", "assign", "offer", "close"],
        other => panic!("{other:?}"),
    };
    for step in way {
        let now = match *step {
            "offer" | "accept" => RESPONDED,
            "close" | "out of scope" => ENDED,
            _ => ACKNOWLEDGED,
        };
        let handling = Handling { by: None, ..handling(&hours, now) };
        complaint = match *step {
            "assign" => complaint.assign(&user(1), &handling).expect("a step").into_state(),
            step => workflow::take(step, &complaint, &handling).expect("a step"),
        };
    }
    complaint
}

#[test]
fn a_history_ends_where_the_steps_would_have_led_and_tells_it_in_one_event() {
    use ComplaintState::*;
    for state in
        [Recorded, Acknowledged, Assessed, OutOfScope, Investigating, ResponseOffered, Accepted, Closed]
    {
        let change = import(&imported(state)).expect("a complaint");
        assert_eq!((change.event().kind, change.event().version), (EventKind::ComplaintImported, 1));
        assert!(change.is_creation() && change.jobs().is_empty());
        assert_eq!(change.event().after["told"]["wasDisputed"], false);
        let now = at(MONDAY);
        let lived = Complaint { version: 1, created_at: now, updated_at: now, ..lived(state) };
        assert_eq!(change.into_state(), lived, "{state:?}");
    }
}

#[test]
fn the_word_of_the_other_system_decides_whether_the_response_was_in_time() {
    use ClockOutcome::{Met, Missed, Running};
    let outcome = |state, was_timely, responded: Option<&str>| {
        let responded_at = responded.map(at);
        let input = ImportedComplaint { was_timely, responded_at, ended_at: None, ..imported(state) };
        let complaint = state_of(&input);
        let clock = clock(&complaint, ClockKind::FirstResponse);
        (clock.outcome(at(MONDAY)), clock.breached_at(at(MONDAY)))
    };
    // Eight open hours: on Monday at 17:00.
    let due = Some(at("2017-03-06T17:00:00Z"));
    let (early, late) = (Some("2017-03-06T12:00:00Z"), Some(RESPONDED));
    for (state, was_timely, responded, wanted) in [
        (ComplaintState::Closed, None, early, (Met, None)),
        (ComplaintState::Closed, None, late, (Missed, due)),
        (ComplaintState::Closed, Some(true), late, (Met, None)),
        (ComplaintState::Closed, Some(false), early, (Missed, early.map(at))),
        (ComplaintState::Closed, Some(false), late, (Missed, due)),
        (ComplaintState::Investigating, Some(true), late, (Met, None)),
        (ComplaintState::Investigating, Some(true), None, (Met, None)),
        (ComplaintState::Investigating, Some(false), None, (Missed, due)),
        (ComplaintState::Investigating, None, None, (Missed, due)),
    ] {
        assert_eq!(outcome(state, was_timely, responded), wanted, "{state:?} {was_timely:?} {responded:?}");
    }
    let hours = office();
    let yesterday = ImportedComplaint {
        recorded_at: at("2026-11-23T08:00:00Z"),
        acknowledged_at: None,
        was_timely: None,
        ..imported(ComplaintState::Acknowledged)
    };
    let complaint = state_of(&yesterday);
    assert_eq!(clock(&complaint, ClockKind::FirstResponse).outcome(at(MONDAY)), Running);
    assert!(!complaint.pending_rungs(&service(&hours), None).is_empty(), "it is open like any other");
}

#[test]
fn a_disputed_response_stands_a_rung_higher_and_nobody_is_called() {
    for (state, ended) in [(ComplaintState::Closed, true), (ComplaintState::Investigating, false)] {
        let input = ImportedComplaint {
            response: Some("We did nothing wrong.".into()),
            was_disputed: true,
            ..imported(state)
        };
        let complaint = state_of(&input);
        assert_eq!((complaint.state, complaint.level, complaint.escalations.len()), (state, 1, 0));
        assert_eq!(complaint.ended_at.is_some(), ended);
        assert_eq!(complaint.pending_rungs(&service(&office()), None).is_empty(), ended);
    }
}

#[test]
fn what_cannot_have_been_is_refused() {
    use ComplaintState::*;
    for (wanted, input) in [
        (
            "recordedAt IN_FUTURE",
            ImportedComplaint { recorded_at: at("2026-11-24T09:00:00Z"), ..imported(Recorded) },
        ),
        (
            "acknowledgedAt TOO_EARLY",
            ImportedComplaint { acknowledged_at: Some(at("2017-03-05T09:00:00Z")), ..imported(Closed) },
        ),
        ("respondedAt TOO_EARLY", ImportedComplaint { responded_at: Some(at(RECORDED)), ..imported(Closed) }),
        ("endedAt TOO_EARLY", ImportedComplaint { ended_at: Some(at(ACKNOWLEDGED)), ..imported(Closed) }),
        (
            "endedAt IN_FUTURE",
            ImportedComplaint { ended_at: Some(at("2026-11-24T09:00:00Z")), ..imported(Closed) },
        ),
        ("endedAt NOT_APPLICABLE", ImportedComplaint { ended_at: Some(at(ENDED)), ..imported(Accepted) }),
        ("severity REQUIRED", ImportedComplaint { assessment: None, ..imported(Assessed) }),
        ("response REQUIRED", ImportedComplaint { response: None, ..imported(ResponseOffered) }),
        ("rootCause REQUIRED", ImportedComplaint { root_cause: None, ..imported(Closed) }),
        ("recourse REQUIRED", ImportedComplaint { recourse: None, ..imported(Closed) }),
        ("recourse NOT_APPLICABLE", ImportedComplaint { was_accepted: true, ..imported(Closed) }),
        (
            "outOfScopeReason REQUIRED",
            ImportedComplaint { out_of_scope_reason: None, ..imported(OutOfScope) },
        ),
        (
            "response NOT_APPLICABLE",
            ImportedComplaint { response: Some("Soon".into()), ..imported(Investigating) },
        ),
        ("disputed NOT_APPLICABLE", ImportedComplaint { was_disputed: true, ..imported(Assessed) }),
        ("accepted NOT_APPLICABLE", ImportedComplaint { was_accepted: true, ..imported(ResponseOffered) }),
        ("state NOT_APPLICABLE", imported(WaitingCustomer)),
        ("state NOT_APPLICABLE", imported(WaitingInternal)),
        ("state NOT_APPLICABLE", imported(Merged)),
    ] {
        assert_eq!(problems(import(&input)), [wanted], "{input:?}");
    }
}
