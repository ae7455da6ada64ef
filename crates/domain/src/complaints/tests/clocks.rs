//! Clocks: the vectors of working time, pauses, revisions, and the laws that hold for all hours.

use proptest::prelude::*;

use super::*;
use crate::calendars::tests::{any_hours, any_instant};
use crate::calendars::{CalendarException, HoursInput, OpenInterval, Weekday, WeeklyInterval};

fn minutes(ack: i32, resolution: i32) -> ClockMinutes {
    ClockMinutes { ack, first_response: ack, update: resolution, resolution }
}

fn with_minutes(hours: &WorkHours, minutes: ClockMinutes) -> Service<'_> {
    Service { minutes, ..service(hours) }
}

#[test]
fn deadlines_count_open_time_only() {
    let lunch = WorkHours::new(&HoursInput {
        weekly: Weekday::ALL[..5]
            .iter()
            .flat_map(|&weekday| {
                [(540, 720), (810, 1020)].map(|(from_minute, to_minute)| WeeklyInterval {
                    weekday,
                    from_minute,
                    to_minute,
                })
            })
            .collect(),
        ..office().input()
    })
    .expect("hours");
    let saturday = CalendarException {
        date: crate::time::parse_date("2026-11-28").expect("a date"),
        open: vec![OpenInterval { from_minute: 600, to_minute: 840 }],
    };
    let make_up =
        WorkHours::new(&HoursInput { exceptions: vec![saturday], ..office().input() }).expect("hours");
    let office = office();
    for (hours, start, due) in [
        // Half past four on a Friday, and one hour.
        (&office, "2026-11-20T16:30:00Z", "2026-11-23T09:30:00Z"),
        (&office, "2026-11-20T20:00:00Z", "2026-11-23T10:00:00Z"),
        (&office, "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"),
        (&lunch, "2026-11-23T11:30:00Z", "2026-11-23T14:00:00Z"),
        (&make_up, "2026-11-27T16:30:00Z", "2026-11-28T10:30:00Z"),
    ] {
        let service = with_minutes(hours, minutes(60, 600));
        let clock = SlaClock::start(ClockKind::Ack, 1, at(start), &service);
        assert_eq!(clock.due_at, at(due), "{start}");
        assert_eq!(clock.elapsed(hours, at(due)), hour(1), "{start}");
    }
}

#[test]
fn a_pause_over_closed_hours_adds_nothing_and_one_over_open_hours_adds_them() {
    let hours = office();
    let service = with_minutes(&hours, minutes(60, 600));
    for (from, to, due, revisions) in [
        // Recorded on Friday at nine: ten hours end on Monday at eleven.
        ("2026-11-20T17:00:00Z", "2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z", 0),
        ("2026-11-20T16:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T13:00:00Z", 1),
        ("2026-11-21T10:00:00Z", "2026-11-24T17:00:00Z", "2026-11-25T11:00:00Z", 1),
        // Too late to change anything.
        ("2026-11-23T11:00:00Z", "2026-11-24T11:00:00Z", "2026-11-23T11:00:00Z", 0),
    ] {
        let mut clock = SlaClock::start(ClockKind::Resolution, 1, at("2026-11-20T09:00:00Z"), &service);
        clock.pause(at(to), &service, at(from));
        assert_eq!((clock.due_at, clock.revision()), (at(due), revisions), "{from} to {to}");
        assert_eq!(clock.elapsed(&hours, at(due)), hour(10), "{from} to {to}");
    }
}

#[test]
fn waiting_for_the_customer_stops_the_clocks_and_waiting_internally_does_not() {
    let hours = office();
    let working = at_state(ComplaintState::Investigating);
    let before = clock(&working, ClockKind::Resolution).due_at;
    // From Monday 13:00, with the end of the wait on Tuesday at 13:00: eight open hours.
    let now = handling(&hours, "2026-11-23T13:00:00Z");
    let until = at("2026-11-24T13:00:00Z");
    let inside = working.wait(&awaiting(Awaited::Internal, until), &now).expect("a wait");
    assert_eq!(inside.event().kind, EventKind::ComplaintWaiting);
    assert_eq!(inside.state().clocks, working.clocks);
    assert_eq!(inside.state().waiting.as_ref().map(|waiting| waiting.whom.as_str()), Some("Ada"));

    let waiting = working.wait(&awaiting(Awaited::Customer, until), &now).expect("a wait");
    assert_eq!(waiting.event().kind, EventKind::ClockPaused);
    let waiting = waiting.into_state();
    assert_eq!(waiting.next_action_due, until);
    let resolution = clock(&waiting, ClockKind::Resolution);
    assert_eq!(hours.elapsed(before, resolution.due_at), hour(8));
    assert!(resolution.is_paused(now.now) && !resolution.is_paused(until));
    // Asking is news: the first response is given, and the next promise waits as well.
    assert_eq!(clock(&waiting, ClockKind::FirstResponse).outcome(now.now), ClockOutcome::Met);
    let promise = clock(&waiting, ClockKind::Update);
    assert_eq!((promise.starts_at, promise.due_at), (now.now, at("2026-11-26T13:00:00Z")));

    // News meanwhile renew a promise that stands still all the same.
    let noon = handling(&hours, "2026-11-23T15:00:00Z");
    let told = waiting.add_note(&note(NoteAudience::Customer), &noon).expect("news").into_state();
    assert_eq!(clock(&told, ClockKind::Update).due_at, at("2026-11-26T13:00:00Z"));
    let kept = waiting.add_note(&note(NoteAudience::Internal), &noon).expect("a note").into_state();
    assert_eq!(kept.clocks, waiting.clocks);

    // An answer after two hours gives the other six back.
    let resumed = waiting.resume(&noon).expect("work");
    assert_eq!(resumed.event().kind, EventKind::ClockResumed);
    let resolution = clock(resumed.state(), ClockKind::Resolution);
    assert_eq!(hours.elapsed(before, resolution.due_at), hour(2));
    let reasons: Vec<_> = resolution.revisions.iter().map(|revision| revision.reason).collect();
    assert_eq!(reasons, [RevisionReason::Paused, RevisionReason::Resumed]);
    // A pause that nobody ended has ended by itself.
    let late = waiting.resume(&handling(&hours, "2026-11-30T09:00:00Z")).expect("work").into_state();
    assert_eq!(hours.elapsed(before, clock(&late, ClockKind::Resolution).due_at), hour(8));
}

#[test]
fn an_assessment_computes_from_the_record_and_keeps_the_old_deadline() {
    let hours = office();
    let acknowledged = at_state(ComplaintState::Acknowledged);
    let policy = SlaPolicy::create(
        &NewSlaPolicy {
            name: "High".into(),
            criteria: Criteria { severity: Some(Severity::High), ..Criteria::default() },
            calendar_id: None,
            minutes: ClockMinutes { ack: 30, first_response: 120, update: 960, resolution: 2_400 },
            ladder: None,
        },
        id(9),
        at(MONDAY),
    )
    .expect("a policy")
    .into_state();
    let now = Handling {
        service: Service::new(Some(&policy), None, &hours),
        ..handling(&hours, "2026-11-23T11:00:00Z")
    };
    let assessed = acknowledged.assess(&ASSESSMENT, &now).expect("an assessment").into_state();
    let first = clock(&assessed, ClockKind::FirstResponse);
    assert_eq!((first.starts_at, first.due_at), (at(MONDAY), at("2026-11-23T11:00:00Z")));
    let revision = DeadlineRevision {
        from: at("2026-11-23T17:00:00Z"),
        to: at("2026-11-23T11:00:00Z"),
        at: now.now,
        reason: RevisionReason::Assessed,
    };
    assert_eq!(first.revisions, [revision]);
    assert_eq!(first.policy.policy_id, Some(policy.id));
    assert_eq!(assessed.next_action_due, first.due_at);
    // What was stopped was judged by the policy of its time.
    assert_eq!(clock(&assessed, ClockKind::Ack), clock(&acknowledged, ClockKind::Ack));

    // The policy gives more time: what was missed stays missed.
    let update = SlaPolicyUpdate { minutes: Some(ClockMinutes::STANDARD), ..SlaPolicyUpdate::default() };
    let changed = policy.update(&update, now.now).expect("a policy").into_state();
    let later = Handling {
        service: Service::new(Some(&changed), None, &hours),
        ..handling(&hours, "2026-11-23T12:00:00Z")
    };
    let revised = assessed.recalculate(&later).expect("open").expect("a change");
    assert_eq!(revised.event().kind, EventKind::DeadlineRevised);
    let first = clock(revised.state(), ClockKind::FirstResponse);
    assert_eq!((first.due_at, first.missed), (at("2026-11-23T17:00:00Z"), Some(at("2026-11-23T11:00:00Z"))));
    assert_eq!(first.outcome(later.now), ClockOutcome::Missed);
    assert_eq!(first.revisions[1].reason, RevisionReason::PolicyChanged);
    assert_eq!(first.policy.policy_version, 2);
    assert!(revised.state().recalculate(&later).expect("open").is_none());

    // A holiday is declared.
    let holiday =
        CalendarException { date: crate::time::parse_date("2026-11-24").expect("a date"), open: Vec::new() };
    let closed = WorkHours::new(&HoursInput { exceptions: vec![holiday], ..hours.input() }).expect("hours");
    let by_calendar = Handling { service: Service::new(Some(&changed), Some((id(6), 2)), &closed), ..later };
    let moved = revised.state().recalculate(&by_calendar).expect("open").expect("a change").into_state();
    let resolution = clock(&moved, ClockKind::Resolution);
    assert_eq!(
        resolution.revisions.last().map(|revision| revision.reason),
        Some(RevisionReason::CalendarChanged)
    );
    assert_eq!(resolution.due_at, at("2026-12-07T17:00:00Z"));
}

#[test]
fn time_is_half_open() {
    let hours = office();
    let complaint = recorded(&hours, MONDAY);
    for (now, outcome) in
        [("2026-11-23T12:59:59.999999Z", ClockOutcome::Met), ("2026-11-23T13:00:00Z", ClockOutcome::Missed)]
    {
        let told = complaint.acknowledge(&handling(&hours, now)).expect("a step").into_state();
        assert_eq!(clock(&told, ClockKind::Ack).outcome(at("2027-01-01T00:00:00Z")), outcome, "{now}");
    }
    let ack = clock(&complaint, ClockKind::Ack);
    assert_eq!(ack.outcome(at("2026-11-23T12:00:00Z")), ClockOutcome::Running);
    assert_eq!(ack.breached_at(at("2026-11-24T12:00:00Z")), Some(ack.due_at));
}

#[test]
fn where_so_much_is_never_open_every_hour_counts() {
    let one_day = CalendarException {
        date: crate::time::parse_date("2026-11-24").expect("a date"),
        open: vec![OpenInterval { from_minute: 540, to_minute: 541 }],
    };
    let hours = WorkHours::new(&HoursInput {
        time_zone: "UTC".into(),
        weekly: Vec::new(),
        exceptions: vec![one_day],
    })
    .expect("hours");
    let complaint = recorded(&hours, MONDAY);
    assert_eq!(clock(&complaint, ClockKind::Ack).due_at, at("2026-11-23T13:00:00Z"));
}

proptest! {
    #[test]
    fn a_deadline_is_when_its_time_has_passed(
        hours in any_hours(),
        start in any_instant(),
        target in 1_i32..5_000,
        waits in prop::collection::vec((0_i64..3_000, 1_i64..5_000, 0_i64..5_000), 0..4),
        percent in 1_i32..300,
    ) {
        let service = with_minutes(&hours, minutes(1, target));
        let mut clock = SlaClock::start(ClockKind::Resolution, 1, start, &service);
        let whole = Duration::minutes(target.into());
        let mut now = start;
        for (work, wait, answered) in waits {
            now = now.plus(Duration::minutes(work));
            if now >= clock.due_at {
                break;
            }
            let before = clock.due_at;
            clock.pause(now.plus(Duration::minutes(wait)), &service, now);
            prop_assert!(clock.due_at >= before);
            let due = clock.due_at;
            now = now.plus(Duration::minutes(answered));
            clock.resume(&service, now);
            prop_assert!(before <= clock.due_at && clock.due_at <= due);
        }
        prop_assert_eq!(clock.elapsed(&hours, clock.due_at), whole);
        let just_before = clock.due_at.plus(-Duration::microseconds(1));
        prop_assert!(clock.elapsed(&hours, just_before) < whole);
        prop_assert!(clock.missed.is_none_or(|missed| missed == clock.due_at && missed <= now));
        // Shares are exact, and rise.
        let share = clock.at_percent(&hours, percent);
        prop_assert_eq!(clock.elapsed(&hours, share) * 100, whole * percent);
        prop_assert!(clock.at_percent(&hours, percent + 1) >= share);
        // Revisions are a chain to the present deadline.
        for pair in clock.revisions.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
        }
        prop_assert!(clock.revisions.last().is_none_or(|last| last.to == clock.due_at));
        // The deadline follows from what the clock is made of.
        prop_assert_eq!(clock.at_percent(&hours, 100), clock.due_at);
    }

    #[test]
    fn elapsed_time_of_a_clock_never_runs_backwards(
        hours in any_hours(),
        start in any_instant(),
        [a, b] in [0_i64..20_000, 0_i64..20_000],
        [pause, wait] in [0_i64..5_000, 1_i64..10_000],
    ) {
        let service = with_minutes(&hours, minutes(1, 100_000));
        let mut clock = SlaClock::start(ClockKind::Resolution, 1, start, &service);
        let pause = start.plus(Duration::minutes(pause));
        clock.pause(pause.plus(Duration::minutes(wait)), &service, pause);
        let (a, b) = (start.plus(Duration::minutes(a.min(b))), start.plus(Duration::minutes(a.max(b))));
        let passed = clock.elapsed(&hours, b) - clock.elapsed(&hours, a);
        prop_assert!(Duration::zero() <= passed && passed <= hours.elapsed(a, b));
    }
}
