//! Steps and their guards.

use super::*;

/// What can be done with a complaint, in the order of [`MATRIX`].
pub(super) const STEPS: [&str; 17] = [
    "acknowledge",
    "assess",
    "assign",
    "await customer",
    "await internal",
    "resume",
    "note",
    "offer",
    "accept",
    "dispute",
    "close",
    "reopen",
    "out of scope",
    "merge",
    "absorb",
    "recalculate",
    "take charge",
];

/// Where each step leads from each state, by first letters: R recorded, A acknowledged, S assessed, I investigating,
/// C waiting for the customer, W waiting internally, O offered, P accepted, X closed, Z out of scope, M merged;
/// a dot is refused.
const MATRIX: [(&str, &str); 17] = [
    // The states from which, in the same order: R A S I C W O P X Z M
    ("A . . . . . . . . . .", "acknowledge"),
    (". S . . . . . . . . .", "assess"),
    ("R A I I C W O P . . .", "assign"),
    (". . . C . . . . . . .", "await customer"),
    (". . . W . . . . . . .", "await internal"),
    (". . . . I I . . . . .", "resume"),
    ("R A S I C W O P X Z .", "note"),
    (". . . O . . . . . . .", "offer"),
    (". . . . . . P . . . .", "accept"),
    (". . . . . . I . . . .", "dispute"),
    (". . . . . . X X . . .", "close"),
    (". . . . . . . . I . .", "reopen"),
    (". . Z . . . . . . . .", "out of scope"),
    ("M M M M M M M M . . .", "merge"),
    ("R A S I C W O P . . .", "absorb"),
    ("R A S I C W O P . . .", "recalculate"),
    ("R A S I C W O P . . .", "take charge"),
];

const STATES: [ComplaintState; 11] = [
    ComplaintState::Recorded,
    ComplaintState::Acknowledged,
    ComplaintState::Assessed,
    ComplaintState::Investigating,
    ComplaintState::WaitingCustomer,
    ComplaintState::WaitingInternal,
    ComplaintState::ResponseOffered,
    ComplaintState::Accepted,
    ComplaintState::Closed,
    ComplaintState::OutOfScope,
    ComplaintState::Merged,
];

fn letter(state: ComplaintState) -> char {
    "RASICWOPXZM"
        .chars()
        .nth(STATES.iter().position(|&other| other == state).expect("a state"))
        .expect("a letter")
}

/// Does one step of [`STEPS`] in the simplest way that its guards allow.
pub(super) fn take(step: &str, complaint: &Complaint, handling: &Handling<'_>) -> Result<Complaint> {
    let other = |state| Complaint { id: id(99), ..at_state(state) };
    let until = handling.now.plus(hour(48));
    let new = id(2_000 + u128::try_from(complaint.escalations.len()).expect("a number"));
    let change = match step {
        "acknowledge" => complaint.acknowledge(handling),
        "assess" => complaint.assess(&ASSESSMENT, handling),
        "assign" => complaint.assign(&user(if complaint.owner_id == id(1) { 2 } else { 1 }), handling),
        "await customer" => complaint.wait(&awaiting(Awaited::Customer, until), handling),
        "await internal" => complaint.wait(&awaiting(Awaited::Internal, until), handling),
        "resume" => complaint.resume(handling),
        "note" => complaint.add_note(&note(NoteAudience::Customer), handling),
        "offer" => complaint.offer_response(&response(), handling),
        "accept" => complaint.accept_response(handling),
        "dispute" => complaint.dispute_response("Too late", new, handling),
        "close" => complaint.close(&closing(complaint), id(21), handling).map(|closed| closed.change),
        "reopen" => complaint.reopen(Reopening::Asked { reason: "It smokes again" }, new, handling),
        "out of scope" => complaint.declare_out_of_scope("Ask your landlord.", handling),
        "merge" => {
            let merged = complaint.merge_into(&other(ComplaintState::Investigating), handling);
            merged.map(|merged| merged.duplicate)
        }
        "absorb" => {
            let merged = other(ComplaintState::Investigating).merge_into(complaint, handling);
            merged.map(|merged| merged.survivor)
        }
        "recalculate" => match complaint.recalculate(handling)? {
            Some(change) => Ok(change),
            None => return Ok(complaint.clone()),
        },
        "take charge" => {
            let escalation = complaint.escalations.iter().find(|escalation| escalation.accepted.is_none());
            let escalation = escalation.map_or(id(23), |escalation| escalation.id);
            complaint.accept_escalation(escalation, &admin(1), handling)
        }
        other => panic!("no step {other}"),
    };
    change.map(Change::into_state)
}

#[test]
fn every_step_is_allowed_or_refused_from_every_state() {
    let hours = office();
    assert_eq!(STATES, ComplaintState::ALL);
    assert_eq!(MATRIX.map(|(_, step)| step), STEPS);
    for (row, step) in MATRIX {
        for (state, wanted) in STATES.into_iter().zip(row.split(' ')) {
            let mut complaint = at_state(state);
            let handling =
                Handling { by: None, service: service(&hours), now: complaint.updated_at.plus(hour(1)) };
            // Something to take charge of, wherever the complaint is.
            let key = complaint.key_of_step(EscalationCause::Reopened, 2, &handling.service);
            complaint.raise(key, handling.now, id(24), &handling);
            let found = match take(step, &complaint, &handling) {
                Ok(after) => letter(after.state).to_string(),
                refused => {
                    assert_eq!(problems(refused), ["INVALID_TRANSITION"], "{step} from {state:?}");
                    ".".into()
                }
            };
            assert_eq!(found, wanted, "{step} from {state:?}");
        }
    }
}

#[test]
fn a_complaint_is_recorded_with_an_owner_a_due_time_and_a_view_without_persons() {
    let hours = office();
    let reporter = Reporter {
        name: " Ada ".into(),
        addresses: vec![ReporterAddress { channel: Channel::Email, address: "ada@example.com".into() }],
    };
    let input = NewComplaint { reporter: Some(reporter), ..new_complaint() };
    let change = Complaint::record(&input, id(3), &handling(&hours, MONDAY)).expect("a complaint");
    assert_eq!((change.event().kind, change.event().version), (EventKind::ComplaintRecorded, 1));
    let view = change.event().after.to_string();
    assert!(!view.contains("Ada") && !view.contains("smells") && view.contains("A new one"), "{view}");
    let complaint = change.into_state();
    assert_eq!(complaint.reporter.as_ref().map(|reporter| reporter.name.as_str()), Some("Ada"));
    assert_eq!((complaint.owner_id, complaint.account_manager_id), (id(1), Some(id(2))));
    // The acknowledgement is due first: half a working day.
    assert_eq!(complaint.next_action_due, at("2026-11-23T13:00:00Z"));
    let kinds: Vec<_> = complaint.clocks.iter().map(|clock| (clock.kind, clock.round)).collect();
    assert_eq!(kinds, ClockKind::ALL.iter().map(|&kind| (kind, 1)).collect::<Vec<_>>());
}

#[test]
fn recording_names_everything_that_is_wrong() {
    let hours = office();
    let attachment = |media_type: &str, bytes| Attachment {
        name: "a.pdf".into(),
        reference: "https://files.example.com/1".into(),
        media_type: media_type.into(),
        bytes,
    };
    let record = |input: &NewComplaint| problems(Complaint::record(input, id(3), &handling(&hours, MONDAY)));
    let wrong = NewComplaint {
        number: " ".into(),
        subject: "a\nb".into(),
        description: "x".repeat(10_001),
        remedy: None,
        contact_id: Some(id(8)),
        reporter: Some(Reporter { name: "Ada".into(), addresses: Vec::new() }),
        occurred_at: Some(at("2026-11-23T09:00:01Z")),
        attachments: vec![
            attachment("application/pdf", ATTACHMENT_BYTES_MAX),
            attachment("application/x-msdownload", ATTACHMENT_BYTES_MAX + 1),
            attachment("text/plain", 0),
        ],
        ..new_complaint()
    };
    assert_eq!(
        record(&wrong),
        [
            "number REQUIRED",
            "subject INVALID_CHARACTER",
            "description TOO_LONG",
            "remedySought REQUIRED",
            "reporter NOT_APPLICABLE",
            "occurredAt IN_FUTURE",
            "attachments.1.mediaType INVALID_FORMAT",
            "attachments.1.bytes OUT_OF_RANGE",
            "attachments.2.bytes OUT_OF_RANGE",
        ]
    );
    let reporter = |addresses: Vec<ReporterAddress>| NewComplaint {
        reporter: Some(Reporter { name: "Ada".into(), addresses }),
        ..new_complaint()
    };
    let email = ReporterAddress { channel: Channel::Email, address: "ada".into() };
    let post = ReporterAddress { channel: Channel::Post, address: "High Street 1\nYork".into() };
    for (input, wanted) in [
        (NewComplaint { remedy: Some(Remedy::NoneNamed), ..new_complaint() }, vec![]),
        (reporter(vec![post.clone()]), vec![]),
        (reporter(vec![]), vec!["reporter.addresses REQUIRED"]),
        (reporter(vec![post.clone(), email]), vec!["reporter.addresses.1.address INVALID_FORMAT"]),
        (reporter(vec![post; ADDRESSES_MAX + 1]), vec!["reporter.addresses TOO_MANY"]),
        (
            NewComplaint {
                attachments: vec![attachment("text/plain", 1); ATTACHMENTS_MAX + 1],
                ..new_complaint()
            },
            vec!["attachments TOO_MANY"],
        ),
    ] {
        assert_eq!(record(&input), wanted, "{input:?}");
    }
}

#[test]
fn a_complaint_is_closed_with_a_cause_and_with_consent_or_recourse() {
    let hours = office();
    let close = |state, root_cause: &str, recourse: Option<&str>| {
        let complaint = at_state(state);
        let input = CloseComplaint { root_cause: root_cause.into(), recourse: recourse.map(str::to_owned) };
        complaint.close(&input, id(5), &handling(&hours, "2026-11-25T10:00:00Z"))
    };
    use ComplaintState::{Accepted, ResponseOffered};
    for (state, root_cause, recourse, wanted) in [
        (Accepted, "FUSE", None, vec![]),
        (ResponseOffered, "FUSE", Some("The board"), vec![]),
        (ResponseOffered, "FUSE", None, vec!["recourse REQUIRED"]),
        (ResponseOffered, " ", Some(" "), vec!["rootCause REQUIRED", "recourse REQUIRED"]),
        (Accepted, "FUSE", Some("The board"), vec!["recourse NOT_APPLICABLE"]),
    ] {
        assert_eq!(
            problems(close(state, root_cause, recourse)),
            wanted,
            "{state:?} {root_cause} {recourse:?}"
        );
    }
    let closed = close(Accepted, "FUSE", None).expect("an end");
    let complaint = closed.change.state();
    assert!(complaint.clocks.iter().all(|clock| !clock.is_running()));
    assert_eq!(complaint.ended_at, Some(at("2026-11-25T10:00:00Z")));
    let survey = closed.survey.state();
    assert_eq!((survey.complaint_id, survey.state), (complaint.id, SurveyState::Scheduled));
}

#[test]
fn a_dispute_goes_one_rung_up_each_time() {
    let hours = office();
    let mut complaint = at_state(ComplaintState::ResponseOffered);
    for (number, role) in [
        (1, EscalationRole::Owner),
        (2, EscalationRole::OwnerLead),
        (3, EscalationRole::Managers),
        (4, EscalationRole::Admins),
        (5, EscalationRole::Admins),
    ] {
        let now = complaint.updated_at.plus(hour(1));
        let handling = Handling { by: None, service: service(&hours), now };
        let id = id(30 + u128::try_from(number).expect("a number"));
        let disputed = complaint.dispute_response("No", id, &handling).expect("a dispute");
        assert_eq!(disputed.event().after["escalation"]["occurrence"], number);
        complaint = disputed.into_state();
        let last = complaint.escalations.last().expect("an escalation");
        assert_eq!((complaint.level, last.key.cause, last.role), (number, EscalationCause::Disputed, role));
        assert_eq!(complaint.state, ComplaintState::Investigating);
        complaint = complaint.offer_response(&response(), &handling).expect("a response").into_state();
    }
}

#[test]
fn a_complaint_is_reopened_within_thirty_days_and_keeps_its_clocks() {
    let hours = office();
    let closed = at_state(ComplaintState::Closed);
    let ended = closed.ended_at.expect("an end");
    let reopen = |now: Timestamp, reason: &str| {
        let handling = Handling { by: None, service: service(&hours), now };
        closed.reopen(Reopening::Asked { reason }, id(22), &handling)
    };
    let over = ended.plus(Duration::days(REOPEN_DAYS));
    assert_eq!(problems(reopen(over, "It smokes again")), ["PERIOD_OVER"]);
    assert_eq!(problems(reopen(ended, "")), ["reason REQUIRED"]);
    let now = over.plus(-Duration::microseconds(1));
    let open = reopen(now, "It smokes again").expect("an open complaint").into_state();
    assert_eq!(open.clocks[..closed.clocks.len()], closed.clocks);
    let new: Vec<_> =
        open.clocks[closed.clocks.len()..].iter().map(|clock| (clock.kind, clock.starts_at)).collect();
    assert_eq!(new, [(ClockKind::Update, now), (ClockKind::Resolution, now)]);
    assert_eq!(clock(&open, ClockKind::Resolution).round, 2);
    assert_eq!((open.reopen_count, open.ended_at, open.root_cause.as_ref()), (1, None, None));
    let escalation = open.escalations.last().expect("an escalation");
    assert_eq!((escalation.key.cause, escalation.key.rung), (EscalationCause::Reopened, CONDITION_RUNG));
}

#[test]
fn a_merge_keeps_the_earlier_record_and_the_danger() {
    let hours = office();
    let first = Complaint { id: id(4), is_safety_risk: true, ..recorded(&hours, "2026-11-20T15:00:00Z") };
    let second = recorded(&hours, MONDAY);
    let later = handling(&hours, "2026-11-23T10:00:00Z");
    let merged = first.merge_into(&second, &later).expect("a merge");
    let survivor = merged.survivor.state();
    assert_eq!((survivor.recorded_at, survivor.is_safety_risk), (first.recorded_at, true));
    assert_eq!(survivor.created_at, second.created_at);
    // Two hours before the weekend and two after it.
    let ack = clock(survivor, ClockKind::Ack);
    assert_eq!((ack.due_at, survivor.next_action_due), (at("2026-11-23T11:00:00Z"), ack.due_at));
    let revision = DeadlineRevision {
        from: at("2026-11-23T13:00:00Z"),
        to: ack.due_at,
        at: later.now,
        reason: RevisionReason::Merged,
    };
    assert_eq!(ack.revisions, [revision]);
    let duplicate = merged.duplicate.state();
    assert_eq!((duplicate.state, duplicate.merged_into_id), (ComplaintState::Merged, Some(second.id)));
    // The other way round nothing moves.
    let merged = second.merge_into(&first, &later).expect("a merge");
    assert_eq!(merged.survivor.state().clocks, first.clocks);

    assert_eq!(problems(first.merge_into(&first, &later)), ["intoId DUPLICATE"]);
    let foreign = Complaint { customer_id: id(70), ..second };
    assert_eq!(problems(foreign.merge_into(&first, &later)), ["intoId NOT_APPLICABLE"]);
}

#[test]
fn steps_name_what_is_wrong_with_their_input() {
    let hours = office();
    let now = handling(&hours, "2026-11-23T14:00:00Z");
    let working = at_state(ComplaintState::Investigating);
    let wait = |whom: &str, until| {
        problems(working.wait(&NewAwait { side: Awaited::Customer, whom: whom.into(), until }, &now))
    };
    assert_eq!(wait("", now.now), ["whom REQUIRED", "until OUT_OF_RANGE"]);
    assert_eq!(wait("Ada", now.now.plus(Duration::days(AWAIT_DAYS_MAX + 1))), ["until OUT_OF_RANGE"]);
    assert_eq!(wait("Ada", now.now.plus(Duration::days(AWAIT_DAYS_MAX))), [""; 0]);
    let offer = NewResponse { text: " ".into(), answer_by: Some(now.now) };
    assert_eq!(problems(working.offer_response(&offer, &now)), ["text REQUIRED", "answerBy OUT_OF_RANGE"]);
    let empty = NewNote { text: "".into(), ..note(NoteAudience::Internal) };
    assert_eq!(problems(working.add_note(&empty, &now)), ["text REQUIRED"]);
    assert_eq!(problems(working.assign(&user(1), &now)), ["ownerId INVALID_TRANSITION"]);
    let gone = User { status: UserStatus::Deactivated, ..user(2) };
    assert_eq!(problems(working.assign(&gone, &now)), ["ownerId USER_DEACTIVATED"]);
    assert_eq!(problems(working.accept_escalation(id(9), &admin(1), &now)), ["escalationId NOT_FOUND"]);
    let assessed = at_state(ComplaintState::Assessed);
    assert_eq!(problems(assessed.declare_out_of_scope(" ", &now)), ["reason REQUIRED"]);
    let offered = at_state(ComplaintState::ResponseOffered);
    assert_eq!(problems(offered.dispute_response("", id(9), &now)), ["reason REQUIRED"]);
    // Who has it already begins to work on it.
    let begun = assessed.assign(&user(1), &now).expect("work").into_state();
    assert_eq!((begun.owner_id, begun.state), (id(1), ComplaintState::Investigating));
}
