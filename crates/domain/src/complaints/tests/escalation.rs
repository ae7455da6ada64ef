//! The ladder: what is raised when, once, and what stops it.

use super::*;

/// Raises whatever is due, at each of the instants, with ids that count on.
fn run(
    mut complaint: Complaint,
    hours: &WorkHours,
    absence: Option<Absence>,
    instants: &[&str],
) -> Complaint {
    for &now in instants {
        let handling = handling(hours, now);
        let next = |complaint: &Complaint| {
            let number = u128::try_from(complaint.escalations.len()).expect("a number");
            complaint.escalate(absence, id(100 + number), &handling)
        };
        while let Some(change) = next(&complaint) {
            complaint = change.into_state();
        }
    }
    complaint
}

/// `CAUSE/occurrence rung.revision raised at` of all, or of those that `wanted` names.
fn raised(complaint: &Complaint, wanted: &[EscalationCause]) -> Vec<String> {
    let shown = complaint
        .escalations
        .iter()
        .filter(|escalation| wanted.is_empty() || wanted.contains(&escalation.key.cause));
    shown
        .map(|escalation| {
            let EscalationKey { cause, occurrence, rung, revision } = escalation.key;
            let raised_at = escalation.raised_at.utc().format("%d %H:%M");
            format!("{}/{occurrence} {rung}.{revision} {raised_at}", cause.as_str())
        })
        .collect()
}

#[test]
fn a_clock_that_nobody_minds_goes_up_the_ladder() {
    let hours = office();
    let complaint = recorded(&hours, MONDAY);
    // Four hours to acknowledge: at 11:00, 12:00, 13:00 and 15:00 on Monday, unless somebody takes charge.
    let pending: Vec<_> = complaint
        .pending_rungs(&service(&hours), None)
        .into_iter()
        .filter(|pending| pending.key.cause == EscalationCause::Ack)
        .map(|pending| (pending.key.rung, pending.arises_at, pending.event))
        .collect();
    assert_eq!(
        pending,
        [
            (1, at("2026-11-23T11:00:00Z"), EventKind::ClockWarned),
            (2, at("2026-11-23T12:00:00Z"), EventKind::ClockWarned),
            (3, at("2026-11-23T13:00:00Z"), EventKind::ClockBreached),
            (4, at("2026-11-23T15:00:00Z"), EventKind::ClockBreached),
        ]
    );
    let before = run(complaint.clone(), &hours, None, &["2026-11-23T10:59:59.999999Z"]);
    assert_eq!(before, complaint);
    let ack = [EscalationCause::Ack];
    let minded = run(complaint.clone(), &hours, None, &["2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"]);
    assert_eq!(raised(&minded, &ack), ["ACK/1 1.0 23 11:00", "ACK/1 2.0 23 12:00"]);
    assert_eq!((minded.level, minded.version), (2, 3));
    // The rungs are not raised again, by nobody and at no time.
    assert_eq!(run(minded.clone(), &hours, None, &["2026-11-23T12:00:00Z", "2026-11-23T12:59:00Z"]), minded);
    // A job that comes late raises all of them once, in order; the managers have an hour from then.
    let late = run(complaint.clone(), &hours, None, &["2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"]);
    let rungs = ["ACK/1 1.0 23 14:00", "ACK/1 2.0 23 14:00", "ACK/1 3.0 23 14:00", "ACK/1 4.0 23 15:00"];
    assert_eq!(raised(&late, &ack), rungs);
    // The clock is stopped: nothing of it is left.
    let told = minded.acknowledge(&handling(&hours, "2026-11-23T12:30:00Z")).expect("a step").into_state();
    let pending = told.pending_rungs(&service(&hours), None);
    assert!(pending.iter().all(|pending| pending.key.cause != EscalationCause::Ack));
}

#[test]
fn who_does_not_take_charge_loses_it_to_the_next_rung() {
    let hours = office();
    let complaint = at_state(ComplaintState::Closed);
    let now = handling(&hours, "2026-11-23T16:00:00Z");
    let reopened =
        complaint.reopen(Reopening::Asked { reason: "Again" }, id(50), &now).expect("open").into_state();
    let causes = [EscalationCause::Reopened];
    assert_eq!(raised(&reopened, &causes), ["REOPENED/1 2.0 23 16:00"]);
    // Two open hours to take charge: one on Monday, one on Tuesday.
    assert_eq!(reopened.escalations[0].accept_by, at("2026-11-24T10:00:00Z"));
    let instants =
        ["2026-11-24T09:59:59Z", "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z", "2026-11-27T16:00:00Z"];
    let alone = run(reopened.clone(), &hours, None, &instants);
    let rungs = ["REOPENED/1 2.0 23 16:00", "REOPENED/1 3.0 24 10:00", "REOPENED/1 4.0 24 11:00"];
    assert_eq!(raised(&alone, &causes), rungs);

    let taken = reopened.accept_escalation(id(50), &admin(2), &now).expect("a hand").into_state();
    assert_eq!(taken.escalations[0].accepted, Some((id(2), now.now)));
    assert_eq!(raised(&run(taken.clone(), &hours, None, &instants), &causes), ["REOPENED/1 2.0 23 16:00"]);
    let twice = taken.accept_escalation(id(50), &admin(2), &now);
    assert_eq!(problems(twice), ["escalationId INVALID_TRANSITION"]);
    // Who takes charge of a lower rung does not stop the higher one, and the other way round it does.
    let higher = run(reopened, &hours, None, &["2026-11-24T10:00:00Z"]);
    let top = higher.escalations.last().expect("an escalation").id;
    let held = higher.accept_escalation(top, &admin(2), &now).expect("a hand").into_state();
    assert_eq!(raised(&run(held, &hours, None, &instants), &causes).len(), 2);
    let low = higher.accept_escalation(id(50), &admin(2), &now).expect("a hand").into_state();
    assert_eq!(raised(&run(low, &hours, None, &instants), &causes).len(), 3);
}

#[test]
fn notices_wait_for_service_hours_unless_somebody_is_in_danger() {
    let hours = office();
    let closed = at_state(ComplaintState::Closed);
    let night = handling(&hours, "2026-11-27T20:00:00Z");
    let reopen = |is_safety_risk| {
        let complaint = Complaint { is_safety_risk, ..closed.clone() };
        let open = complaint.reopen(Reopening::Asked { reason: "Again" }, id(50), &night).expect("open");
        let escalation = &open.state().escalations[0];
        (escalation.notify_at, escalation.accept_by)
    };
    assert_eq!(reopen(false), (at("2026-11-30T09:00:00Z"), at("2026-11-30T11:00:00Z")));
    assert_eq!(reopen(true), (night.now, at("2026-11-27T22:00:00Z")));
}

#[test]
fn an_owner_who_is_away_or_gone_leaves_nobody_alone() {
    let hours = office();
    let complaint = at_state(ComplaintState::Investigating);
    let monday = at("2026-11-23T14:00:00Z");
    let away = [EscalationCause::OwnerAway];
    let first = run(complaint.clone(), &hours, Some(Absence::Away(monday)), &["2026-11-23T14:00:00Z"]);
    assert_eq!(raised(&first, &away), ["OWNER_AWAY/1 2.0 23 14:00"]);
    // Back before the time to take charge was over: the cause is gone.
    let back = run(first.clone(), &hours, None, &["2026-11-24T09:00:00Z"]);
    assert_eq!(raised(&back, &away).len(), 1);
    // Still away: the next rung, once.
    let still = run(first.clone(), &hours, Some(Absence::Away(monday)), &["2026-11-23T16:00:00Z"]);
    assert_eq!(raised(&still, &away), ["OWNER_AWAY/1 2.0 23 14:00", "OWNER_AWAY/1 3.0 23 16:00"]);
    // Away another time.
    let again = Absence::Away(at("2026-11-24T09:00:00Z"));
    let again = run(back, &hours, Some(again), &["2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z"]);
    assert_eq!(raised(&again, &away), ["OWNER_AWAY/1 2.0 23 14:00", "OWNER_AWAY/2 2.0 24 09:00"]);
    // A leave that lies ahead is known, and not raised yet.
    let ahead = Some(Absence::Away(at("2026-12-01T00:00:00Z")));
    let pending = complaint.pending_rungs(&service(&hours), ahead);
    assert!(pending.iter().any(|pending| pending.arises_at == at("2026-12-01T00:00:00Z")));
    let gone = run(complaint, &hours, Some(Absence::Gone(monday)), &["2026-11-23T14:00:00Z"]);
    assert_eq!(raised(&gone, &[EscalationCause::NoOwner]), ["NO_OWNER/1 2.0 23 14:00"]);
}

#[test]
fn a_missed_promise_of_news_is_raised_once_for_each_promise() {
    let hours = office();
    let complaint = at_state(ComplaintState::Investigating);
    // The acknowledgement at 10:00 promised news within two working days.
    let causes = [EscalationCause::Update, EscalationCause::UpdateMissed];
    let due = "2026-11-25T10:00:00Z";
    assert_eq!(clock(&complaint, ClockKind::Update).due_at, at(due));
    let missed = run(complaint, &hours, None, &["2026-11-24T10:00:00Z", "2026-11-24T17:00:00Z", due]);
    // The second rung was due at noon, since nobody took charge of the first; the job came at five.
    let rungs = ["UPDATE/2 1.0 24 10:00", "UPDATE/2 2.0 24 17:00", "UPDATE_MISSED/2 2.0 25 10:00"];
    assert_eq!(raised(&missed, &causes), rungs);
    // News begin another promise; nothing of the old one is left.
    let told = handling(&hours, "2026-11-25T10:30:00Z");
    let told = missed.add_note(&note(NoteAudience::Customer), &told).expect("news").into_state();
    let pending = told.pending_rungs(&service(&hours), None);
    let promises: Vec<_> = pending.iter().filter(|pending| causes.contains(&pending.key.cause)).collect();
    assert_eq!(promises.len(), 4);
    assert!(promises.iter().all(|pending| pending.key.occurrence == 3));
}

#[test]
fn a_deadline_that_moves_takes_its_rungs_along_and_repeats_none_that_did_not_move() {
    let hours = office();
    let complaint = at_state(ComplaintState::Investigating);
    let causes = [EscalationCause::Resolution];
    // Ten days of eight hours: half of them have passed on the evening of Friday.
    let half = run(complaint, &hours, None, &["2026-11-27T17:00:00Z"]);
    assert_eq!(raised(&half, &causes), ["RESOLUTION/1 1.0 27 17:00"]);
    let first = half.escalations.last().expect("one").id;
    let now = handling(&hours, "2026-11-27T17:00:00Z");
    let taken = half.accept_escalation(first, &admin(1), &now).expect("a hand").into_state();
    let monday = handling(&hours, "2026-11-30T09:00:00Z");
    let until = at("2026-12-02T09:00:00Z");
    let waiting = taken.wait(&awaiting(Awaited::Customer, until), &monday).expect("a wait").into_state();
    let next: Vec<_> = waiting
        .pending_rungs(&service(&hours), None)
        .into_iter()
        .filter(|pending| causes.contains(&pending.key.cause))
        .map(|pending| (pending.key.rung, pending.key.revision, pending.arises_at))
        .collect();
    assert_eq!(
        next,
        [
            (2, 1, at("2026-12-04T13:00:00Z")),
            (3, 1, at("2026-12-08T17:00:00Z")),
            (4, 1, at("2026-12-15T17:00:00Z")),
        ]
    );
    // Another policy doubles the time: half of it lies ahead again, and is raised again.
    let minutes = ClockMinutes { resolution: 9_600, ..ClockMinutes::STANDARD };
    let stamp = PolicyStamp { policy_version: 2, ..service(&hours).stamp };
    let longer = Handling { service: Service { minutes, stamp, ..service(&hours) }, ..monday };
    let moved = waiting.recalculate(&longer).expect("open").expect("a change").into_state();
    let next = moved
        .pending_rungs(&longer.service, None)
        .into_iter()
        .find(|pending| pending.key.cause == EscalationCause::Resolution)
        .expect("a rung");
    assert_eq!((next.key.rung, next.key.revision), (1, 2));
}

#[test]
fn a_shorter_ladder_ends_with_its_last_rung() {
    let hours = office();
    let complaint = at_state(ComplaintState::ResponseOffered);
    let now = handling(&hours, "2026-11-23T16:00:00Z");
    let short = Handling { service: Service { ladder: &STANDARD_LADDER[..1], ..now.service }, ..now };
    let disputed = complaint.dispute_response("No", id(50), &short).expect("a dispute").into_state();
    let again = disputed.offer_response(&response(), &short).expect("a response").into_state();
    let disputed = again.dispute_response("No", id(51), &short).expect("a dispute").into_state();
    assert_eq!(disputed.level, 2);
    let last = disputed.escalations.last().expect("one");
    assert_eq!((last.key.rung, last.role), (1, EscalationRole::Owner));
    let pending = disputed.pending_rungs(&short.service, Some(Absence::Gone(now.now)));
    assert!(pending.iter().all(|pending| pending.key.rung == 1));
}

#[test]
fn an_ended_complaint_raises_nothing() {
    let hours = office();
    for state in [ComplaintState::Closed, ComplaintState::OutOfScope, ComplaintState::Merged] {
        let complaint = at_state(state);
        let absence = Some(Absence::Gone(at(MONDAY)));
        assert!(complaint.pending_rungs(&service(&hours), absence).is_empty(), "{state:?}");
        assert_eq!(run(complaint.clone(), &hours, absence, &["2027-11-23T09:00:00Z"]), complaint);
    }
}

#[test]
fn whom_a_rung_names_may_take_charge_and_who_stands_above() {
    let hours = office();
    let now = handling(&hours, "2026-11-23T14:00:00Z");
    let complaint = at_state(ComplaintState::Investigating);
    let standing = |number, role, leads_owner| Standing { user_id: id(number), role, leads_owner };
    let owner = Standing { user_id: complaint.owner_id, ..standing(0, Role::ServiceAgent, false) };
    let agent = standing(71, Role::ServiceAgent, false);
    let rep = standing(72, Role::Rep, false);
    let lead = standing(73, Role::Rep, true);
    let manager = standing(74, Role::Manager, false);
    for (role, admitted) in [
        (EscalationRole::Owner, [true, false, false, false, true, true]),
        (EscalationRole::OwnerLead, [false, false, false, true, true, true]),
        (EscalationRole::AccountManager, [false, false, true, false, true, true]),
        (EscalationRole::ServiceAgents, [true, true, false, false, true, true]),
        (EscalationRole::Managers, [false, false, false, false, true, true]),
        (EscalationRole::Admins, [false, false, false, false, false, true]),
    ] {
        let rung = Rung { percent: 50, role, accept_minutes: 60 };
        let ladder = [rung];
        let handling = Handling { service: Service { ladder: &ladder, ..now.service }, ..now };
        let complaint = Complaint { account_manager_id: Some(id(72)), ..complaint.clone() };
        let absence = Some(Absence::Gone(at(MONDAY)));
        let raised = complaint.escalate(absence, id(60), &handling).expect("a rung").into_state();
        let people = [owner, agent, rep, lead, manager, admin(75)];
        let found = people.map(|person| raised.accept_escalation(id(60), &person, &handling).is_ok());
        assert_eq!(found, admitted, "{role:?}");
    }
}
