//! The rules of targets as tables. Here: people, numbers and steps that the tests share, and the guard at the door.

use proptest::prelude::*;

use super::cascade::{Child, RollUp};
use super::*;
use crate::change::{Change, EventKind};
use crate::derivation::{AchievabilityVerdict, Band};
use crate::error::Error;
use crate::id::DerivationId;
use crate::money::{Currency, Money};
use crate::time::parse_date;

mod agreement;
mod lifecycle;

/// The owner.
const ADA: u128 = 1;
/// Leads Ada and writes the proposals.
const BOB: u128 = 2;
/// Leads Bob.
const CAT: u128 = 3;
/// Works in marketing.
const DAN: u128 = 4;

fn date(text: &str) -> NaiveDate {
    parse_date(text).expect("a date")
}

fn id<I: EntityId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

fn usd(minor: i64) -> Quantity {
    Quantity::Money(Money::new(minor, Currency::parse("USD").expect("a currency")))
}

/// Somebody at noon of a day, in a zone where that is another UTC day.
fn acting(user: u128, side: Option<Side>, day: &str) -> Acting {
    let zone = chrono_tz::Pacific::Auckland;
    let noon = Timestamp::start_of(date(day), zone).plus(chrono::Duration::hours(12));
    Acting { user_id: id(user), side, now: noon, zone }
}

fn owner(day: &str) -> Acting {
    acting(ADA, Some(Side::Owner), day)
}

fn manager(day: &str) -> Acting {
    acting(BOB, Some(Side::Manager), day)
}

fn outsider(day: &str) -> Acting {
    acting(CAT, None, day)
}

fn new_ids() -> impl FnMut() -> SupportResourceId {
    let mut last = 100;
    move || {
        last += 1;
        id(last)
    }
}

fn november() -> Period {
    Period::new(PeriodKind::Month, date("2026-11-01")).expect("a month")
}

fn line(metric: Metric, quantity: Quantity) -> NewLine {
    NewLine { metric, quantity, due_by: Some(date("2026-11-30")) }
}

/// Four deals of somebody who needs six prospects for a deal and ten calls for a prospect.
fn new_terms() -> NewTerms {
    NewTerms {
        lines: vec![
            line(Metric::DealsWon, Quantity::Count(4)),
            line(Metric::Prospects, Quantity::Count(24)),
            line(Metric::Calls, Quantity::Count(240)),
            line(Metric::LeadsCollected, Quantity::Count(134)),
            line(Metric::LeadQuality, Quantity::Share(600_000)),
        ],
        effective_from: None,
        workdays: 20,
        implied: Some(Implied { prospects: 24, calls: 240, leads: 134, revenue: None }),
        derivation_id: Some(id(50)),
        probability_ppm: Some(620_000),
        band: Band::BASE,
        band_override: None,
        support: NewSupport::default(),
    }
}

/// Three deals, as the owner may answer.
fn fewer() -> NewTerms {
    let mut terms = new_terms();
    for (line, count) in terms.lines.iter_mut().zip([3, 18, 180, 100]) {
        line.quantity = Quantity::Count(count);
    }
    terms.implied = Some(Implied { prospects: 18, calls: 180, leads: 100, revenue: None });
    terms
}

fn resource(need: ResourceNeed) -> NewResource {
    NewResource {
        kind: ResourceKind::Advertising,
        quantity: usd(200_000),
        due_by: date("2026-11-10"),
        department: "Marketing".into(),
        need,
    }
}

fn supported(need: ResourceNeed) -> NewTerms {
    let action = NewAction { text: "Visit the fair.".into(), due_by: date("2026-11-05") };
    NewTerms { support: NewSupport { actions: vec![action], resources: vec![resource(need)] }, ..new_terms() }
}

fn overridden(probability_ppm: u32, approver: u128) -> NewTerms {
    let reason = "The fair falls into this month.".into();
    NewTerms {
        probability_ppm: Some(probability_ppm),
        band_override: Some(BandOverride { reason, approver_id: id(approver) }),
        ..new_terms()
    }
}

fn new_target(terms: NewTerms) -> NewTarget<'static> {
    NewTarget {
        owner: TargetOwner::User(id(ADA)),
        lead_id: None,
        period: november(),
        level: TargetLevel::Base,
        parent: None,
        existing: None,
        terms,
    }
}

/// Ada leads the team.
fn new_target_of_team() -> NewTarget<'static> {
    NewTarget { owner: TargetOwner::Team(id(70)), lead_id: Some(id(ADA)), ..new_target(new_terms()) }
}

fn propose(input: &NewTarget<'_>, acting: &Acting) -> Result<Target> {
    Target::propose(input, id(10), new_ids(), acting).map(Change::into_state)
}

fn proposed(terms: NewTerms) -> Target {
    propose(&new_target(terms), &manager("2026-10-20")).expect("a target")
}

fn sign(target: &Target, acting: &Acting) -> Result<Change<Target>> {
    let open = target.on_the_table().unwrap_or(&target.terms);
    target.sign(&target.hash(open), acting)
}

fn signed(target: &Target, day: &str) -> Target {
    let target = sign(target, &owner(day)).expect("the owner signs").into_state();
    sign(&target, &manager(day)).expect("the manager signs").into_state()
}

fn agreed(terms: NewTerms) -> Target {
    signed(&proposed(terms), "2026-10-21")
}

fn committed(terms: NewTerms, day: &str) -> Target {
    agreed(terms).commit(None, &manager(day)).expect("nothing is owed").into_state()
}

fn active() -> Target {
    let target = committed(new_terms(), "2026-10-25");
    target.activate(None, &manager("2026-11-01")).expect("the period has begun").into_state()
}

/// Three deals from a day on.
fn amended_from(day: &str) -> NewTerms {
    NewTerms { effective_from: Some(date(day)), ..fewer() }
}

fn amending() -> Target {
    active()
        .amend(&amended_from("2026-11-16"), new_ids(), &manager("2026-11-10"))
        .expect("an amendment")
        .into_state()
}

fn withdrawn() -> Target {
    proposed(new_terms()).withdraw("Wrong month.", &manager("2026-10-20")).expect("taken back").into_state()
}

/// `field.path CODE` of every problem.
fn problems<T>(result: Result<T>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => problems
            .iter()
            .map(|problem| format!("{} {}", problem.field.join("."), problem.code.as_str()).trim().to_owned())
            .collect(),
        Err(other) => vec![other.to_string()],
    }
}

#[test]
fn a_smart_target_is_let_in_as_it_is() {
    let mut terms = supported(ResourceNeed::Required);
    terms.lines.push(line(Metric::Revenue, usd(4_000_000)));
    let change =
        Target::propose(&new_target(terms), id(10), new_ids(), &manager("2026-10-20")).expect("a target");
    assert_eq!(change.event().kind, EventKind::TargetProposed);
    let target = change.into_state();
    assert_eq!((target.version, target.state, target.terms.number), (1, TargetState::Proposed, 1));
    let lines: Vec<_> =
        target.terms.lines.iter().map(|line| (line.metric, line.quantity, line.per_workday)).collect();
    assert_eq!(
        lines,
        [
            (Metric::LeadsCollected, Quantity::Count(134), Some(Quantity::Count(7))),
            (Metric::LeadQuality, Quantity::Share(600_000), None),
            (Metric::Calls, Quantity::Count(240), Some(Quantity::Count(12))),
            (Metric::Prospects, Quantity::Count(24), Some(Quantity::Count(2))),
            (Metric::DealsWon, Quantity::Count(4), Some(Quantity::Count(1))),
            (Metric::Revenue, usd(4_000_000), Some(usd(200_000))),
        ]
    );
    assert_eq!(
        target.terms.achievability,
        Some(AchievabilitySummary { probability_ppm: 620_000, verdict: AchievabilityVerdict::Within })
    );
    assert_eq!(target.support().flat_map(|plan| &plan.resources).count(), 1);
}

#[test]
fn the_guard_names_each_part_that_is_missing() {
    let nothing = NewTerms {
        lines: vec![NewLine { due_by: None, ..line(Metric::DealsWon, Quantity::Count(4)) }],
        implied: None,
        derivation_id: None,
        probability_ppm: None,
        ..new_terms()
    };
    assert_eq!(
        problems(propose(&new_target(nothing), &manager("2026-10-20"))),
        [
            "lines TARGET_NOT_QUANTIFIED",
            "lines TARGET_NOT_DATED",
            "lines TARGET_NOT_LINKED",
            "derivationId TARGET_NOT_DERIVED",
            "lines TARGET_NOT_ACHIEVABLE",
        ]
    );
}

type Spoil = fn(&mut NewTerms);

#[test]
fn a_part_that_is_missing_or_wrong_is_refused_by_itself() {
    let cases: [(&str, Spoil, &[&str]); 21] = [
        ("no quality", |terms| terms.lines.truncate(4), &["lines TARGET_NOT_QUANTIFIED"]),
        ("no lines", |terms| terms.lines.clear(), &["lines TARGET_NOT_QUANTIFIED"]),
        ("no day", |terms| terms.lines[2].due_by = None, &["lines TARGET_NOT_DATED"]),
        (
            "due too late",
            |terms| terms.lines[2].due_by = Some(date("2026-12-01")),
            &["lines.2.dueBy OUT_OF_RANGE"],
        ),
        (
            "due long ago",
            |terms| terms.lines[2].due_by = Some(date("2025-10-30")),
            &["lines.2.dueBy OUT_OF_RANGE"],
        ),
        ("lead time", |terms| terms.lines[1].due_by = Some(date("2026-10-12")), &[]),
        (
            "two more calls",
            |terms| terms.lines[2].quantity = Quantity::Count(242),
            &["lines TARGET_NOT_LINKED"],
        ),
        ("one more call", |terms| terms.lines[2].quantity = Quantity::Count(241), &[]),
        ("one call less", |terms| terms.lines[2].quantity = Quantity::Count(239), &[]),
        (
            "two leads less",
            |terms| terms.lines[3].quantity = Quantity::Count(132),
            &["lines TARGET_NOT_LINKED"],
        ),
        ("no rates", |terms| terms.implied = None, &["lines TARGET_NOT_LINKED"]),
        ("no derivation", |terms| terms.derivation_id = None, &["derivationId TARGET_NOT_DERIVED"]),
        ("no probability", |terms| terms.probability_ppm = None, &["lines TARGET_NOT_ACHIEVABLE"]),
        (
            "no such probability",
            |terms| terms.probability_ppm = Some(1_000_001),
            &["probability OUT_OF_RANGE"],
        ),
        (
            "no deals",
            |terms| terms.lines[0].quantity = Quantity::Count(0),
            &["lines.0.quantity OUT_OF_RANGE"],
        ),
        (
            "deals owed",
            |terms| terms.lines[0].quantity = Quantity::Count(-4),
            &["lines.0.quantity OUT_OF_RANGE"],
        ),
        (
            "more than everything",
            |terms| terms.lines[4].quantity = Quantity::Share(1_000_001),
            &["lines.4.quantity OUT_OF_RANGE"],
        ),
        ("deals in money", |terms| terms.lines[0].quantity = usd(4), &["lines.0.quantity NOT_APPLICABLE"]),
        (
            "two currencies",
            |terms| {
                terms.lines.truncate(5);
                terms.lines.push(line(Metric::DealsWon, Quantity::Count(4)));
            },
            &["lines.5.metric DUPLICATE"],
        ),
        ("seven lines", |terms| terms.lines.extend([terms.lines[0]; 2]), &["lines TOO_MANY"]),
        ("no workday", |terms| terms.workdays = 0, &["period OUT_OF_RANGE"]),
    ];
    for (name, spoil, expected) in cases {
        let mut terms = new_terms();
        spoil(&mut terms);
        assert_eq!(problems(propose(&new_target(terms), &manager("2026-10-20"))), expected, "{name}");
    }
}

#[test]
fn revenue_follows_from_the_deals_in_their_currency() {
    let euros = Money::new(4_000_000, Currency::parse("EUR").expect("a currency"));
    let dollars = |minor| Money::new(minor, Currency::parse("USD").expect("a currency"));
    for (name, follows, linked) in [
        ("exactly", Some(dollars(4_000_000)), true),
        ("a cent off", Some(dollars(3_999_999)), true),
        ("two cents off", Some(dollars(3_999_998)), false),
        ("in euros", Some(euros), false),
        ("the other way round", None, true),
    ] {
        let mut terms = new_terms();
        terms.lines.push(line(Metric::Revenue, usd(4_000_000)));
        terms.implied = terms.implied.map(|implied| Implied { revenue: follows, ..implied });
        let expected: &[&str] = if linked { &[] } else { &["lines TARGET_NOT_LINKED"] };
        assert_eq!(problems(propose(&new_target(terms), &manager("2026-10-20"))), expected, "{name}");
    }
}

#[test]
fn too_easy_and_too_hard_need_somebody_else_to_answer_for_it() {
    for (level, probability_ppm, allowed) in [
        (TargetLevel::Base, 500_000, true),
        (TargetLevel::Base, 499_999, false),
        (TargetLevel::Base, 850_001, false),
        (TargetLevel::Sprint, 300_000, true),
        (TargetLevel::Sprint, 620_000, false),
        (TargetLevel::Challenge, 100_000, true),
        (TargetLevel::Challenge, 400_001, false),
    ] {
        let band = Bands::default().of(level);
        let terms = NewTerms { probability_ppm: Some(probability_ppm), band, ..new_terms() };
        let plain = NewTarget { level, ..new_target(terms) };
        let expected: &[&str] = if allowed { &[] } else { &["lines TARGET_NOT_ACHIEVABLE"] };
        assert_eq!(
            problems(propose(&plain, &manager("2026-10-20"))),
            expected,
            "{level:?} {probability_ppm}"
        );
    }
    for (name, terms, expected) in [
        ("too hard, for a reason", overridden(200_000, CAT), &[][..]),
        ("too easy, for a reason", overridden(900_000, CAT), &[]),
        ("approved by the author", overridden(200_000, BOB), &["override.approverId SELF_APPROVAL"]),
        ("approved by the owner", overridden(900_000, ADA), &["override.approverId SELF_APPROVAL"]),
        ("nothing to approve", overridden(620_000, CAT), &["override NOT_APPLICABLE"]),
    ] {
        assert_eq!(problems(propose(&new_target(terms), &manager("2026-10-20"))), expected, "{name}");
    }
    let unknown = NewTerms { probability_ppm: None, ..overridden(0, CAT) };
    assert_eq!(proposed(unknown).terms.achievability, None, "somebody may answer for what nobody knows");
    let mut silent = overridden(200_000, CAT);
    silent.band_override = silent.band_override.map(|found| BandOverride { reason: " ".into(), ..found });
    assert_eq!(problems(propose(&new_target(silent), &manager("2026-10-20"))), ["override.reason REQUIRED"]);
}

#[test]
fn who_proposes_for_whom_and_when() {
    let led = new_target_of_team();
    let base = new_target(new_terms());
    let taken = NewTarget { existing: Some(id(11)), ..base.clone() };
    let leaderless = NewTarget { lead_id: None, ..led.clone() };
    let (self_approval, day) = (&["ownerId SELF_APPROVAL"][..], "2026-10-20");
    for (name, input, acting, expected) in [
        ("one's own", &base, acting(ADA, Some(Side::Manager), day), self_approval),
        ("for one's own side", &base, acting(CAT, Some(Side::Owner), day), self_approval),
        ("by an administrator", &base, outsider(day), &[]),
        ("the last day", &base, manager("2026-11-30"), &[]),
        ("the day after", &base, manager("2026-12-01"), &["period PERIOD_OVER"]),
        ("a second one", &taken, manager(day), &["period TAKEN"]),
        ("a team's", &led, manager(day), &[]),
        ("a team without lead", &leaderless, manager(day), &["ownerId REQUIRED"]),
        ("one's own team's", &led, acting(ADA, None, day), self_approval),
        (
            "from the middle",
            &new_target(amended_from("2026-11-02")),
            manager(day),
            &["effectiveFrom NOT_APPLICABLE"],
        ),
        ("from its start", &new_target(amended_from("2026-11-01")), manager(day), &[]),
    ] {
        assert_eq!(problems(propose(input, &acting)), expected, "{name}");
    }
}

#[test]
fn a_target_stands_below_a_live_one_of_another_team() {
    let led = new_target_of_team();
    let base = new_target(new_terms());
    let parent = propose(&led, &manager("2026-10-20")).expect("a target of a team");
    let closed = Target { state: TargetState::Closed, ..parent.clone() };
    let persons = proposed(new_terms());
    let likely = NewTerms { probability_ppm: Some(400_000), band: Band::SPRINT, ..new_terms() };
    let sprint = NewTarget { level: TargetLevel::Sprint, ..new_target(likely) };
    for (name, input, parent, fits) in [
        ("a person below a team", &base, &parent, true),
        ("a team below itself", &led, &parent, false),
        ("a team below a person", &led, &persons, false),
        ("below a closed one", &base, &closed, false),
        ("of another level", &sprint, &parent, false),
    ] {
        let input = NewTarget { parent: Some(parent), ..input.clone() };
        let expected: &[&str] = if fits { &[] } else { &["parentId NOT_APPLICABLE"] };
        assert_eq!(problems(propose(&input, &manager("2026-10-20"))), expected, "{name}");
    }
}

#[test]
fn a_support_plan_is_checked_field_by_field() {
    let mut terms = supported(ResourceNeed::Required);
    terms.support.actions[0].text = " ".into();
    terms.support.actions[0].due_by = date("2026-12-01");
    let spoilt = |quantity, department: &str| NewResource {
        quantity,
        department: department.into(),
        ..resource(ResourceNeed::Optional)
    };
    terms.support.resources = vec![
        spoilt(usd(0), "Marketing"),
        spoilt(Quantity::Share(1), ""),
        spoilt(Quantity::Count(COUNT_MAX + 1), "HR"),
    ];
    assert_eq!(
        problems(propose(&new_target(terms), &manager("2026-10-20"))),
        [
            "support.actions.0.text REQUIRED",
            "support.actions.0.dueBy OUT_OF_RANGE",
            "support.resources.0.quantity OUT_OF_RANGE",
            "support.resources.1.quantity NOT_APPLICABLE",
            "support.resources.1.department REQUIRED",
            "support.resources.2.quantity OUT_OF_RANGE",
        ]
    );
    let mut many = new_terms();
    many.support.resources = vec![resource(ResourceNeed::Optional); RESOURCES_MAX + 1];
    assert_eq!(problems(propose(&new_target(many), &manager("2026-10-20"))), ["support.resources TOO_MANY"]);
}

proptest! {
    /// Whatever the numbers are, an accepted target has each of the five within a unit of what follows.
    #[test]
    fn no_target_without_links_is_let_in(
        counts in prop::array::uniform4(-5..500i64),
        off in prop::array::uniform3(-3..=3i64),
    ) {
        let [deals, prospects, calls, leads] = counts;
        let mut terms = new_terms();
        for (line, count) in terms.lines.iter_mut().zip(counts) {
            line.quantity = Quantity::Count(count);
        }
        let [p, c, l] = off;
        terms.implied = Some(Implied { prospects: prospects + p, calls: calls + c, leads: leads + l, revenue: None });
        let linked = off.iter().all(|off| off.abs() <= 1);
        let positive = [deals, prospects, calls, leads].iter().all(|&count| count >= 1);
        prop_assert_eq!(propose(&new_target(terms), &manager("2026-10-20")).is_ok(), linked && positive);
    }
}
