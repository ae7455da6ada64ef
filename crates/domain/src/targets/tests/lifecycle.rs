//! Support, publication, activation, amendments and the end; and the whole transition table.

use super::*;
use crate::attainment::{Progress, Snapshot, attain};
use crate::daily_facts::Figures;
use crate::reconciliation::{CompanyFigure, Reconciliation};

fn resource_id() -> SupportResourceId {
    id(101)
}

fn marketing(day: &str) -> Acting {
    acting(DAN, None, day)
}

fn end_of_november() -> Timestamp {
    Timestamp::start_of(date("2026-12-01"), chrono_tz::Pacific::Auckland)
}

fn proof(period: Period, as_of: &str, company_minor: i64) -> Reconciliation {
    let currency = Currency::parse("USD").expect("a currency");
    let company = CompanyFigure {
        currency,
        won_minor: company_minor,
        won_deals: 1,
        cancelled_minor: 0,
        cancelled_deals: 0,
    };
    let at = Timestamp::start_of(date(as_of), chrono_tz::Pacific::Auckland);
    Reconciliation::build(period, at, &[company], &[], &[]).expect("a proof")
}

fn close(target: &Target, closing: Closing<'_>, acting: &Acting) -> Result<Closed> {
    let progress = Progress::of(&[1; 20], 20);
    let lines = attain(&target.terms.lines, &Figures { deals: 3, ..Figures::default() }, &progress, &[])?;
    target.close(closing, (lines, vec![]), 77, acting)
}

fn closed() -> Target {
    let proof = proof(november(), "2026-12-01", 0);
    let closing = Closing { first_open_day: None, reconciliation: &proof };
    close(&active(), closing, &manager("2026-12-02")).expect("closed").change.into_state()
}

type Attempt = fn(&Target) -> Result<()>;

/// Each step with input that nothing but the stage can refuse, on a day inside the period; `Close` on one after it.
const STEPS: [(&str, Attempt); 10] = [
    ("counter", |target| {
        let open = target.on_the_table().unwrap_or(&target.terms);
        let acting =
            if open.author_side == Side::Owner { manager("2026-11-15") } else { owner("2026-11-15") };
        target.counter(&fewer(), new_ids(), &acting).map(drop)
    }),
    ("sign", |target| sign(target, &acting(CAT, Some(Side::Manager), "2026-11-15")).map(drop)),
    ("commit support", |target| {
        target.commit_support(resource_id(), "marketing", &marketing("2026-11-15")).map(drop)
    }),
    ("deliver support", |target| {
        target.deliver_support(id(102), date("2026-11-15"), &marketing("2026-11-15")).map(drop)
    }),
    ("set buffer", |target| {
        let of_team = Target { owner: TargetOwner::Team(id(70)), ..target.clone() };
        of_team.set_buffer(&[], &manager("2026-11-15")).map(drop)
    }),
    ("commit", |target| target.commit(None, &manager("2026-11-15")).map(drop)),
    ("activate", |target| target.activate(Some("The fair moved."), &outsider("2026-11-15")).map(drop)),
    ("amend", |target| {
        target.amend(&amended_from("2026-11-16"), new_ids(), &manager("2026-11-15")).map(drop)
    }),
    ("withdraw", |target| target.withdraw("Wrong.", &manager("2026-11-15")).map(drop)),
    ("close", |target| {
        let proof = proof(november(), "2026-12-01", 0);
        close(target, Closing { first_open_day: None, reconciliation: &proof }, &manager("2026-12-02"))
            .map(drop)
    }),
];

/// The same target in every stage, with an optional resource that is not signed and one that is.
fn stages() -> [(&'static str, Target); 9] {
    let mut terms = supported(ResourceNeed::Optional);
    terms.support.resources.push(resource(ResourceNeed::Optional));
    let proposed = proposed(terms);
    let countered = Target {
        state: TargetState::Countered,
        terms: Terms { author_side: Side::Owner, ..proposed.terms.clone() },
        ..proposed.clone()
    };
    let mut agreed = signed(&proposed, "2026-10-21");
    agreed.terms.support.resources[1].commitment =
        Some(Commitment { user_id: id(DAN), signed_at: agreed.updated_at });
    let committed = agreed.commit(None, &manager("2026-11-02")).expect("committed").into_state();
    let active = committed.activate(Some("Late."), &outsider("2026-11-02")).expect("active").into_state();
    let amending = active
        .amend(&amended_from("2026-11-16"), new_ids(), &manager("2026-11-10"))
        .expect("an amendment")
        .into_state();
    let amendment_agreed = signed(&amending, "2026-11-11");
    let closed = Target { state: TargetState::Closed, ..active.clone() };
    let withdrawn = Target { state: TargetState::Withdrawn, ..proposed.clone() };
    [
        ("PROPOSED", proposed),
        ("COUNTERED", countered),
        ("AGREED", agreed),
        ("COMMITTED", committed),
        ("ACTIVE", active),
        ("amending", amending),
        ("amendment agreed", amendment_agreed),
        ("CLOSED", closed),
        ("WITHDRAWN", withdrawn),
    ]
}

#[test]
fn every_step_in_every_state_is_allowed_or_refused_as_the_table_says() {
    // One column for each step of STEPS.
    let table = [
        ("PROPOSED", "xx..x...x."),
        ("COUNTERED", "xx..x...x."),
        ("AGREED", "..xxxx..x."),
        ("COMMITTED", "..xxx.x.x."),
        ("ACTIVE", "..xxx..x.x"),
        ("amending", "xxxxx...xx"),
        ("amendment agreed", "..xxxx..xx"),
        ("CLOSED", ".........."),
        ("WITHDRAWN", ".........."),
    ];
    for ((name, target), (row, allowed)) in stages().into_iter().zip(table) {
        assert_eq!(name, row);
        for ((step, attempt), cell) in STEPS.into_iter().zip(allowed.chars()) {
            let expected: &[&str] = if cell == 'x' { &[] } else { &["INVALID_TRANSITION"] };
            assert_eq!(problems(attempt(&target)), expected, "{step} of a target that is {name}");
        }
    }
    assert_eq!(withdrawn().state, TargetState::Withdrawn);
}

#[test]
fn a_department_signs_for_what_it_owes() {
    let target = agreed(supported(ResourceNeed::Required));
    assert!(!target.is_ready_to_commit());
    assert_eq!(problems(target.commit(None, &manager("2026-10-22"))), ["support SUPPORT_NOT_COMMITTED"]);
    let missing = |target: &Target, day: &str| {
        target.missing(date(day)).iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&target, "2026-10-22"), ["SUPPORT_NOT_COMMITTED"]);
    assert_eq!(missing(&target, "2026-12-01"), ["PERIOD_OVER", "SUPPORT_NOT_COMMITTED"]);
    assert_eq!(
        missing(&proposed(supported(ResourceNeed::Required)), "2026-10-22"),
        [""; 0],
        "nothing waits yet"
    );
    for (name, resource, department, acting, expected) in [
        ("its department", resource_id(), " MARKETING ", marketing("2026-10-22"), &[][..]),
        (
            "another department",
            resource_id(),
            "Finance",
            marketing("2026-10-22"),
            &["resourceId NOT_PERMITTED"],
        ),
        ("the owner", resource_id(), "Marketing", acting(ADA, None, "2026-10-22"), &["SELF_APPROVAL"]),
        (
            "the owner's side",
            resource_id(),
            "Marketing",
            acting(DAN, Some(Side::Owner), "2026-10-22"),
            &["SELF_APPROVAL"],
        ),
        ("nothing", id(999), "Marketing", marketing("2026-10-22"), &["resourceId NOT_FOUND"]),
    ] {
        assert_eq!(problems(target.commit_support(resource, department, &acting)), expected, "{name}");
    }
    let change = target.commit_support(resource_id(), "Marketing", &marketing("2026-10-22")).expect("signed");
    assert_eq!(change.event().kind, EventKind::SupportCommitted);
    let target = change.into_state();
    assert!(target.is_ready_to_commit());
    assert_eq!(
        problems(target.commit_support(resource_id(), "Marketing", &marketing("2026-10-22"))),
        ["resourceId ALREADY_SIGNED"]
    );
    let published = target.commit(None, &manager("2026-10-23")).expect("published");
    assert_eq!(published.event().kind, EventKind::TargetCommitted);
    assert_eq!(published.state().published_at, Some(manager("2026-10-23").now));
    assert_eq!(missing(published.state(), "2026-12-01"), [""; 0], "nothing waits any more");
}

#[test]
fn delivery_is_recorded_with_its_lateness() {
    let target = agreed(supported(ResourceNeed::Optional));
    assert!(target.is_ready_to_commit(), "nothing waits for optional support");
    let deliver = |target: &Target, day: &str, today: &str| {
        target.deliver_support(resource_id(), date(day), &marketing(today))
    };
    assert_eq!(problems(deliver(&target, "2026-10-25", "2026-10-25")), ["resourceId SUPPORT_NOT_COMMITTED"]);
    let target = target
        .commit_support(resource_id(), "Marketing", &marketing("2026-10-22"))
        .expect("signed")
        .into_state();
    assert_eq!(problems(deliver(&target, "2026-11-13", "2026-11-12")), ["deliveredOn IN_FUTURE"]);
    assert_eq!(problems(deliver(&target, "2026-10-19", "2026-11-12")), ["deliveredOn TOO_EARLY"]);
    assert_eq!(target.missed(date("2026-11-10")).count(), 0);
    assert_eq!(target.missed(date("2026-11-11")).collect::<Vec<_>>(), [resource_id()]);
    let change = deliver(&target, "2026-11-13", "2026-11-15").expect("recorded");
    assert_eq!(change.event().kind, EventKind::SupportDelivered);
    assert_eq!(change.event().after["latenessDays"], 3);
    let found = change.state().find_resource(resource_id()).expect("the resource");
    assert_eq!(found.status(date("2026-12-01")), ResourceStatus::DeliveredLate);
    assert_eq!(problems(deliver(change.state(), "2026-11-13", "2026-11-15")), ["resourceId ALREADY_SIGNED"]);
}

#[test]
fn a_target_that_is_part_of_a_unit_is_committed_with_it() {
    let led =
        NewTarget { owner: TargetOwner::Team(id(70)), lead_id: Some(id(ADA)), ..new_target(new_terms()) };
    let team = signed(&propose(&led, &manager("2026-10-20")).expect("a target"), "2026-10-21");
    assert!(matches!(team.commit(None, &manager("2026-10-22")), Err(Error::Internal(_))), "a team is a unit");
    let (terms, persons) = (agreed(new_terms()), [id(20)]);
    let child = Child { owner: TargetOwner::User(id(20)), persons: &persons, lines: &terms.terms.lines };
    let whole =
        RollUp { lines: &team.terms.lines, buffer: &team.buffer, children: std::slice::from_ref(&child) };
    assert_eq!(
        team.commit(Some(&whole), &manager("2026-10-22")).expect("it adds up").state().state,
        TargetState::Committed
    );
    let empty = RollUp { children: &[], ..whole };
    let broken = problems(team.commit(Some(&empty), &manager("2026-10-22")));
    assert_eq!(broken, ["children ROLL_UP_BROKEN"; 4], "leads, calls, prospects and deals");

    let part = signed(
        &propose(&NewTarget { parent: Some(&team), ..new_target(new_terms()) }, &manager("2026-10-20"))
            .expect("a target"),
        "2026-10-21",
    );
    assert!(
        matches!(part.commit(None, &manager("2026-10-22")), Err(Error::Internal(_))),
        "a part has a unit"
    );
    assert!(part.commit(Some(&RollUp { children: &[child], ..empty }), &manager("2026-10-22")).is_ok());
}

#[test]
fn a_buffer_belongs_to_a_team_and_is_dated_like_its_line() {
    let figure = Figure { metric: Metric::Calls, quantity: Quantity::Count(30) };
    assert_eq!(problems(active().set_buffer(&[figure], &manager("2026-11-02"))), ["NOT_APPLICABLE"]);
    let team = Target { owner: TargetOwner::Team(id(70)), ..active() };
    let change = team.set_buffer(&[figure], &manager("2026-11-02")).expect("a buffer");
    assert_eq!(change.event().kind, EventKind::TargetCascaded);
    assert_eq!(change.state().buffer, [TargetLine::new(figure, 20, date("2026-11-30"))]);
}

#[test]
fn a_target_counts_from_the_first_day_of_its_period() {
    let in_time = committed(new_terms(), "2026-10-31");
    let late = committed(new_terms(), "2026-11-01");
    for (name, target, reason, acting, expected) in [
        ("before the period", &in_time, None, manager("2026-10-31"), &["TOO_EARLY"][..]),
        ("on its first day", &in_time, None, manager("2026-11-01"), &[]),
        ("by an administrator", &in_time, None, outsider("2026-11-01"), &[]),
        ("by the owner", &in_time, None, owner("2026-11-01"), &["SELF_APPROVAL"]),
        ("with a needless reason", &in_time, Some("No."), manager("2026-11-01"), &["reason NOT_APPLICABLE"]),
        ("after the period", &in_time, None, manager("2026-12-01"), &["PERIOD_OVER"]),
        ("published late", &late, None, outsider("2026-11-02"), &["reason REQUIRED"]),
        (
            "published late, by its author",
            &late,
            Some("Late."),
            manager("2026-11-02"),
            &["APPROVAL_REQUIRED"],
        ),
        (
            "published late, all missing",
            &late,
            None,
            manager("2026-11-02"),
            &["reason REQUIRED", "APPROVAL_REQUIRED"],
        ),
        ("published late, approved", &late, Some("The fair moved."), outsider("2026-11-02"), &[]),
    ] {
        assert_eq!(problems(target.activate(reason, &acting)), expected, "{name}");
    }
    let change = late.activate(Some("The fair moved."), &outsider("2026-11-02")).expect("active");
    assert_eq!(change.event().kind, EventKind::TargetActivated);
    let target = change.into_state();
    assert_eq!(target.terms.in_force_from, Some(date("2026-11-01")), "all days of the period count");
    assert_eq!(
        target.late_activation,
        Some(LateActivation { reason: "The fair moved.".into(), approver_id: id(CAT) })
    );
}

#[test]
fn a_late_target_is_approved_by_somebody_who_is_not_behind_it() {
    // Dan wrote it and did not sign; Ada and Bob signed and did not write.
    let written = propose(&new_target(new_terms()), &marketing("2026-11-02")).expect("a target");
    let late =
        signed(&written, "2026-11-02").commit(None, &manager("2026-11-02")).expect("published").into_state();
    let manager_above = acting(CAT, Some(Side::Manager), "2026-11-02");
    for (name, acting, expected) in [
        ("the author", marketing("2026-11-02"), &["APPROVAL_REQUIRED"][..]),
        ("a signer", manager("2026-11-02"), &["APPROVAL_REQUIRED"]),
        ("somebody else", manager_above, &[]),
    ] {
        assert_eq!(problems(late.activate(Some("Late."), &acting)), expected, "{name}");
    }
}

#[test]
fn an_amendment_leaves_the_days_that_have_passed() {
    let active = active();
    for (name, terms, acting, expected) in [
        ("from today", amended_from("2026-11-10"), manager("2026-11-10"), &[][..]),
        ("from yesterday", amended_from("2026-11-09"), manager("2026-11-10"), &["effectiveFrom TOO_EARLY"]),
        ("from the last day", amended_from("2026-11-30"), manager("2026-11-10"), &[]),
        (
            "from the day after",
            amended_from("2026-12-01"),
            manager("2026-11-10"),
            &["effectiveFrom OUT_OF_RANGE"],
        ),
        ("from no day", fewer(), manager("2026-11-10"), &["effectiveFrom REQUIRED"]),
        ("by the owner", amended_from("2026-11-16"), owner("2026-11-10"), &["SELF_APPROVAL"]),
        (
            "not derived",
            NewTerms { derivation_id: None, ..amended_from("2026-11-16") },
            manager("2026-11-10"),
            &["derivationId TARGET_NOT_DERIVED"],
        ),
    ] {
        assert_eq!(problems(active.amend(&terms, new_ids(), &acting)), expected, "{name}");
    }
    let amending = amending();
    assert_eq!((amending.state, amending.terms.number), (TargetState::Active, 1), "the present terms go on");
    let agreed = signed(&amending, "2026-11-12");
    assert!(agreed.is_ready_to_commit());
    let change = agreed.commit(None, &manager("2026-11-12")).expect("amended");
    assert_eq!(change.event().kind, EventKind::TargetAmended);
    let target = change.into_state();
    assert_eq!((target.state, target.terms.number, target.history.len()), (TargetState::Active, 2, 1));
    for (day, number) in
        [("2026-10-31", None), ("2026-11-01", Some(1)), ("2026-11-15", Some(1)), ("2026-11-16", Some(2))]
    {
        assert_eq!(target.terms_on(date(day)).map(|terms| terms.number), number, "{day}");
    }
    // Settled after the day for which it was meant, it counts from the day of the settlement.
    let late =
        signed(&amending, "2026-11-18").commit(None, &manager("2026-11-18")).expect("amended").into_state();
    assert_eq!(late.terms.in_force_from, Some(date("2026-11-18")));
}

#[test]
fn an_amendment_is_negotiated_supported_and_taken_back_like_a_target() {
    let amending = amending();
    let answer = amending
        .counter(&amended_from("2026-11-20"), new_ids(), &owner("2026-11-11"))
        .expect("an answer")
        .into_state();
    let open = answer.amendment.as_ref().expect("an amendment");
    assert_eq!(
        (open.number, open.effective_from, answer.state),
        (3, date("2026-11-20"), TargetState::Active)
    );
    let settled =
        signed(&answer, "2026-11-12").commit(None, &manager("2026-11-12")).expect("amended").into_state();
    assert_eq!(
        settled.history.iter().map(|terms| terms.number).collect::<Vec<_>>(),
        [1, 2],
        "in their order"
    );
    let keeps_day =
        amending.counter(&new_terms(), new_ids(), &owner("2026-11-11")).expect("an answer").into_state();
    assert_eq!(keeps_day.amendment.map(|terms| terms.effective_from), Some(date("2026-11-16")));
    assert_eq!(
        problems(amending.counter(&new_terms(), new_ids(), &owner("2026-11-17"))),
        ["effectiveFrom TOO_EARLY"]
    );

    let change = answer.withdraw("Not needed.", &manager("2026-11-12")).expect("taken back");
    assert_eq!(change.event().kind, EventKind::AmendmentWithdrawn);
    let target = change.into_state();
    assert_eq!((target.state, &target.amendment), (TargetState::Active, &None));
    assert_eq!(target.history.iter().map(|terms| terms.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(target.terms_on(date("2026-11-30")).map(|terms| terms.number), Some(1));

    let wanted =
        NewTerms { support: supported(ResourceNeed::Required).support, ..amended_from("2026-11-16") };
    let supported =
        active().amend(&wanted, new_ids(), &manager("2026-11-10")).expect("an amendment").into_state();
    assert_eq!(
        problems(supported.commit_support(resource_id(), "Marketing", &marketing("2026-11-10"))),
        ["resourceId NOT_FOUND"],
        "nothing is agreed yet"
    );
    let agreed = signed(&supported, "2026-11-11");
    assert_eq!(problems(agreed.commit(None, &manager("2026-11-11"))), ["support SUPPORT_NOT_COMMITTED"]);
    let owed = agreed
        .commit_support(resource_id(), "Marketing", &marketing("2026-11-12"))
        .expect("signed")
        .into_state();
    assert_eq!(owed.commit(None, &manager("2026-11-12")).expect("amended").state().terms.number, 2);
}

#[test]
fn an_amendment_keeps_the_currency() {
    let with_revenue = |terms: NewTerms, code: &str| {
        let money = Money::new(1_000_000, Currency::parse(code).expect("a currency"));
        let mut terms = terms;
        terms.lines.push(line(Metric::Revenue, Quantity::Money(money)));
        terms
    };
    let target = committed(with_revenue(new_terms(), "USD"), "2026-10-25");
    let target = target.activate(None, &manager("2026-11-01")).expect("active").into_state();
    let amend = |code| {
        target.amend(&with_revenue(amended_from("2026-11-16"), code), new_ids(), &manager("2026-11-10"))
    };
    assert_eq!(problems(amend("EUR")), ["lines CURRENCY_MISMATCH"]);
    assert_eq!(problems(amend("USD")), Vec::<String>::new());
}

#[test]
fn an_amended_period_asks_each_part_by_its_days() {
    let target =
        signed(&amending(), "2026-11-12").commit(None, &manager("2026-11-12")).expect("amended").into_state();
    let days = |weight: fn(u32) -> u64| -> Vec<(NaiveDate, u64)> {
        (1..=30).map(|day| (date(&format!("2026-11-{day:02}")), weight(day))).collect()
    };
    let asked = |target: &Target, days: &[(NaiveDate, u64)]| -> Vec<i64> {
        target.lines_over(days).iter().map(|line| line.quantity.value()).collect()
    };
    // Half of the days under each: leads (134+100)/2, quality, calls (240+180)/2, prospects, deals 3.5 -> 4.
    assert_eq!(asked(&target, &days(|_| 7)), [117, 600_000, 210, 21, 4]);
    assert_eq!(asked(&target, &days(|day| u64::from(day < 16))), [134, 600_000, 240, 24, 4]);
    assert_eq!(asked(&target, &days(|day| u64::from(day >= 16))), [100, 600_000, 180, 18, 3]);
    assert_eq!(asked(&target, &[]), [100, 600_000, 180, 18, 3], "without workdays the lines that stand");
    assert_eq!(
        asked(&amending(), &days(|_| 1)),
        [134, 600_000, 240, 24, 4],
        "what is only on the table asks nothing"
    );
    assert_eq!(asked(&proposed(fewer()), &days(|_| 1)), [100, 600_000, 180, 18, 3]);
}

#[test]
fn a_target_is_closed_when_the_period_is_proven() {
    let target = active();
    let green = proof(november(), "2026-12-01", 0);
    let october = Period::new(PeriodKind::Month, date("2026-10-01")).expect("a month");
    let other_period = proof(october, "2026-12-01", 0);
    let too_early = proof(november(), "2026-11-30", 0);
    let red = proof(november(), "2026-12-01", 5);
    let open = Some(date("2026-11-27"));
    let midnight = end_of_november();
    let just_before =
        Acting { now: midnight.plus(chrono::Duration::microseconds(-1)), ..manager("2026-11-30") };
    for (name, first_open_day, reconciliation, acting, expected) in [
        ("all is well", None, &green, manager("2026-12-01"), &[][..]),
        ("by an administrator", None, &green, outsider("2026-12-01"), &[]),
        ("by the owner", None, &green, owner("2026-12-01"), &["SELF_APPROVAL"]),
        ("before the end", None, &green, manager("2026-11-30"), &["TOO_EARLY"]),
        ("just before the end", None, &green, just_before, &["TOO_EARLY"]),
        ("at the end", None, &green, Acting { now: midnight, ..just_before }, &[]),
        ("a day is open", open, &green, manager("2026-12-01"), &["DAY_NOT_CLOSED"]),
        ("figures differ", None, &red, manager("2026-12-01"), &["NOT_RECONCILED"]),
        ("nothing is done", open, &red, manager("2026-12-01"), &["DAY_NOT_CLOSED", "NOT_RECONCILED"]),
    ] {
        let closing = Closing { first_open_day, reconciliation };
        assert_eq!(problems(close(&target, closing, &acting)), expected, "{name}");
    }
    for foreign in [&other_period, &too_early] {
        let closing = Closing { first_open_day: None, reconciliation: foreign };
        assert!(matches!(close(&target, closing, &manager("2026-12-01")), Err(Error::Internal(_))));
    }
}

#[test]
fn closing_freezes_the_result_and_lets_open_amendments_lapse() {
    assert_eq!(closed().state, TargetState::Closed);
    let proof = proof(november(), "2026-12-01", 0);
    let closing = Closing { first_open_day: None, reconciliation: &proof };
    let Closed { change, snapshot } = close(&amending(), closing, &manager("2026-12-03")).expect("closed");
    assert_eq!(change.event().kind, EventKind::TargetClosed);
    let last = end_of_november().plus(chrono::Duration::microseconds(-1));
    let Snapshot { target_id, terms_number, as_of, position, lines, .. } = &snapshot;
    assert_eq!((*target_id, *terms_number, *as_of, *position, lines.len()), (id(10), 1, last, 77, 5));
    assert_eq!(lines[4].distance, Some(Quantity::Count(1)));
    assert_eq!(change.event().after["attainment"]["lines"][4]["ratioPpm"], 750_000);
    assert_eq!((&change.state().amendment, change.state().history.len()), (&None, 1));
    assert!(change.state().history[0].agreed_at.is_none());
}
