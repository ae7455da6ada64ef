//! Daily facts: exact sums in any order, late work kept apart, differences named, implausible work flagged.

use chrono::Duration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::EntityId;
use crate::time::parse_date;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn date(text: &str) -> NaiveDate {
    parse_date(text).expect("a date")
}

fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn customer(number: u128) -> CustomerId {
    CustomerId::from_uuid(Uuid::from_u128(number))
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).expect("a currency"))
}

fn fact(kind: FactKind, occurred_at: &str) -> Fact {
    Fact { user_id: user(1), occurred_at: at(occurred_at), recorded_at: at(occurred_at), kind }
}

fn call(seconds: u32) -> FactKind {
    let connected = Some(seconds > 0);
    FactKind::Activity { kind: ActivityKind::Call, seconds: Some(seconds), connected }
}

fn open(_: UserId, _: NaiveDate) -> Option<Timestamp> {
    None
}

#[test]
fn each_kind_of_fact_counts_where_it_belongs() {
    let visit = FactKind::Activity { kind: ActivityKind::Visit, seconds: Some(600), connected: None };
    let unknown = FactKind::Activity { kind: ActivityKind::Call, seconds: None, connected: Some(true) };
    let none = Figures::default();
    for (kind, wanted) in [
        (FactKind::LeadCollected, Figures { leads: 1, ..none.clone() }),
        (FactKind::CustomerQualified, Figures { qualified: 1, ..none.clone() }),
        (FactKind::BecameProspect(customer(1)), Figures { prospects: 1, ..none.clone() }),
        (FactKind::ProspectDropped(customer(1)), none.clone()),
        (call(90), Figures { calls: 1, connected_calls: 1, talk_seconds: 90, ..none.clone() }),
        (call(0), Figures { calls: 1, ..none.clone() }),
        (unknown, Figures { calls: 1, connected_calls: 1, ..none.clone() }),
        (visit, none.clone()),
        (FactKind::DealWon, Figures { deals: 1, ..none.clone() }),
        (FactKind::DealCancelled, Figures { deals: -1, ..none.clone() }),
        (
            FactKind::Credited(money(-5, "EUR")),
            Figures { revenue: BTreeMap::from([(money(0, "EUR").currency, -5)]), ..none.clone() },
        ),
        (FactKind::Credited(money(0, "EUR")), none.clone()),
    ] {
        let days = fold([fact(kind, "2026-11-23T12:00:00Z")], chrono_tz::UTC, open).expect("days");
        assert_eq!(days.len(), 1, "{kind:?}");
        assert_eq!(days[0].figures, wanted, "{kind:?}");
    }
}

#[test]
fn the_day_is_the_local_one() {
    let facts = ["2026-11-23T15:59:59Z", "2026-11-23T16:00:00Z"].map(|at| fact(call(1), at));
    let days = fold(facts, chrono_tz::Asia::Shanghai, open).expect("days");
    let dates: Vec<_> = days.iter().map(|day| (day.date, day.figures.calls)).collect();
    assert_eq!(dates, [(date("2026-11-23"), 1), (date("2026-11-24"), 1)]);
}

#[test]
fn what_comes_after_the_close_stands_beside_the_closed_figures() {
    let closed_at = at("2026-11-23T20:00:00Z");
    let late = |kind| Fact {
        recorded_at: closed_at.plus(Duration::microseconds(1)),
        ..fact(kind, "2026-11-23T09:00:00Z")
    };
    let in_time = Fact { recorded_at: closed_at, ..fact(call(5), "2026-11-23T09:00:00Z") };
    let facts = [in_time, late(call(7)), late(FactKind::DealWon), late(FactKind::DealCancelled)];
    let closed = |_, day| (day == date("2026-11-23")).then_some(closed_at);
    let days = fold(facts, chrono_tz::UTC, closed).expect("days");
    let [day] = days.as_slice() else { panic!("{days:?}") };
    assert_eq!((day.figures.calls, day.late.calls, day.late.deals, day.late_entries), (1, 1, 0, 3));
    assert_eq!(day.total().expect("a total").talk_seconds, 12);
}

#[test]
fn a_shared_deal_is_one_deal_of_its_owner_and_each_ones_revenue() {
    let (won_at, cancelled_at) = (at("2026-11-03T12:00:00Z"), at("2026-11-20T12:00:00Z"));
    let line = |user_id, minor: i64| BookedLine {
        user_id,
        amount: money(minor, "USD"),
        occurred_at: if minor < 0 { cancelled_at } else { won_at },
        recorded_at: if minor < 0 { cancelled_at } else { won_at },
        is_reversal: minor < 0,
    };
    let lines = [
        line(Some(user(1)), 60),
        line(Some(user(2)), 30),
        line(None, 10),
        line(Some(user(1)), -60),
        line(Some(user(2)), -30),
        line(None, -10),
    ];
    assert_eq!(Fact::of_deal(user(2), &[]).count(), 0);
    let days = fold(Fact::of_deal(user(2), &lines), chrono_tz::UTC, open).expect("days");
    let seen: Vec<_> = days
        .iter()
        .map(|day| (day.user_id, day.date, day.figures.deals, day.figures.revenue.values().sum::<i64>()))
        .collect();
    let (won_on, cancelled_on) = (date("2026-11-03"), date("2026-11-20"));
    assert_eq!(
        seen,
        [
            (user(1), won_on, 0, 60),
            (user(1), cancelled_on, 0, -60),
            (user(2), won_on, 1, 30),
            (user(2), cancelled_on, -1, -30),
        ]
    );
}

#[test]
fn steps_of_the_funnel_are_facts_and_others_are_not() {
    use CustomerStage::*;
    for (from, to, wanted) in [
        (None, Lead, Some(FactKind::LeadCollected)),
        (Some(Lost), Lead, None),
        (Some(Lead), Qualified, Some(FactKind::CustomerQualified)),
        (Some(Qualified), Prospect, Some(FactKind::BecameProspect(customer(5)))),
        (Some(Prospect), Lost, Some(FactKind::ProspectDropped(customer(5)))),
        (Some(Prospect), Dormant, Some(FactKind::ProspectDropped(customer(5)))),
        (Some(Qualified), Lost, None),
        (Some(Prospect), Signed, None),
    ] {
        assert_eq!(FactKind::of_step(customer(5), from, to), wanted, "{from:?} -> {to:?}");
    }
}

#[test]
fn the_first_difference_is_named() {
    let fact = fact(call(60), "2026-11-23T12:00:00Z");
    let right = fold([fact], chrono_tz::UTC, open).expect("days");
    assert_eq!(first_difference(&right, &right), None);
    let zeros = DailyFact::empty(user(2), date("2026-11-24"), None);
    assert_eq!(first_difference(&right, &[right[0].clone(), zeros]), None);

    type Fault = fn(&mut DailyFact);
    let faults: [(Fault, &str, i64, i64); 5] = [
        (|day| day.figures.calls = 2, "calls", 2, 1),
        (|day| day.figures.talk_seconds = 0, "talkSeconds", 0, 60),
        (|day| day.late.leads = -1, "late.leads", -1, 0),
        (|day| day.late_entries = 1, "lateEntries", 1, 0),
        (|day| day.figures.revenue = BTreeMap::from([(money(0, "USD").currency, 5)]), "revenue.USD", 5, 0),
    ];
    for (fault, field, stored, recomputed) in faults {
        let mut wrong = right.clone();
        fault(&mut wrong[0]);
        let difference = first_difference(&wrong, &right).expect(field);
        assert_eq!(
            (difference.field.as_str(), difference.stored, difference.recomputed),
            (field, stored, recomputed)
        );
        assert_eq!((difference.user_id, difference.date), (user(1), date("2026-11-23")));
    }
    let missing = first_difference(&[], &right).expect("a difference").to_string();
    assert!(
        missing.starts_with("calls of person") && missing.ends_with("on 2026-11-23: stored 0, recomputed 1")
    );
}

#[test]
fn implausible_work_is_flagged_with_its_reason() {
    let noon = "2026-11-23T12:00:00Z";
    let many = |count, seconds| vec![fact(call(seconds), noon); count];
    let prospect = |dropped_at| {
        vec![
            fact(FactKind::BecameProspect(customer(1)), noon),
            Fact { user_id: user(2), ..fact(FactKind::ProspectDropped(customer(1)), dropped_at) },
            fact(FactKind::BecameProspect(customer(2)), noon),
        ]
    };
    let entered = |at_text| vec![Fact { recorded_at: at(at_text), ..fact(FactKind::LeadCollected, noon) }];
    use Implausibility::*;
    for (name, facts, wanted) in [
        ("200 calls of a second", many(200, 1), vec![(ShortCalls, 200)]),
        ("20 of 40", [many(20, 5), many(20, 6)].concat(), vec![(ShortCalls, 20)]),
        ("20 of 41", [many(20, 5), many(21, 6)].concat(), vec![]),
        ("19 calls", many(19, 1), vec![]),
        ("unanswered calls", many(200, 0), vec![]),
        ("16 hours", many(16, 3_600), vec![]),
        ("more than 16 hours", [many(16, 3_600), many(1, 1)].concat(), vec![(TooMuchTalk, 16)]),
        ("dropped the same day", prospect("2026-11-23T18:00:00Z"), vec![(ProspectsDropped, 1)]),
        ("dropped the next day", prospect("2026-11-24T08:00:00Z"), vec![]),
        ("dropped before", prospect("2026-11-23T08:00:00Z"), vec![]),
        ("a week later", entered("2026-11-30T12:00:00Z"), vec![]),
        ("more than a week later", entered("2026-11-30T12:00:00.000001Z"), vec![(EnteredLate, 1)]),
    ] {
        let found = flags(&facts, chrono_tz::UTC);
        let reasons: Vec<_> = found.iter().map(|flag| (flag.reason, flag.count)).collect();
        assert_eq!(reasons, wanted, "{name}");
        for flag in found {
            assert_eq!((flag.user_id, flag.date), (user(1), date("2026-11-23")), "{name}");
            assert!(flag.message().contains(&flag.count.to_string()), "{name}");
        }
    }
}

#[test]
fn sums_outside_the_range_are_a_fault_and_never_wrap() {
    let huge =
        [i64::MAX, 1].map(|minor| fact(FactKind::Credited(money(minor, "USD")), "2026-11-23T12:00:00Z"));
    assert!(matches!(fold(huge, chrono_tz::UTC, open), Err(Error::Internal(_))));
}

fn any_kind() -> impl Strategy<Value = FactKind> {
    prop_oneof![
        Just(FactKind::LeadCollected),
        Just(FactKind::CustomerQualified),
        (0..4_u128).prop_map(|number| FactKind::BecameProspect(customer(number))),
        (0..4_u128).prop_map(|number| FactKind::ProspectDropped(customer(number))),
        prop_oneof![Just(0), 1..20_u32, Just(86_400)].prop_map(call),
        Just(FactKind::DealWon),
        Just(FactKind::DealCancelled),
        (-500_i64..500, any::<bool>())
            .prop_map(|(minor, euros)| FactKind::Credited(money(minor, if euros { "EUR" } else { "USD" }))),
    ]
}

prop_compose! {
    fn any_fact()(kind in any_kind(), person in 1..4_u128, minute in 0..5_000_i64, delay in 0..20_000_i64) -> Fact {
        let occurred_at = at("2026-11-20T00:00:00Z").plus(Duration::minutes(minute));
        Fact { user_id: user(person), occurred_at, recorded_at: occurred_at.plus(Duration::minutes(delay)), kind }
    }
}

/// Every day but the last is closed at 20:00 of the day after.
fn closed(_: UserId, day: NaiveDate) -> Option<Timestamp> {
    let next = Timestamp::start_of(day, chrono_tz::UTC).plus(Duration::hours(44));
    (next < at("2026-11-24T12:00:00Z")).then_some(next)
}

proptest! {
    #[test]
    fn order_and_grouping_of_facts_do_not_matter(
        (facts, shuffled) in prop::collection::vec(any_fact(), 0..80)
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
        cut in any::<prop::sample::Index>(),
    ) {
        let zone = chrono_tz::Asia::Shanghai;
        let whole = fold(facts.clone(), zone, closed).expect("days");
        prop_assert_eq!(&fold(shuffled.clone(), zone, closed).expect("days"), &whole);
        prop_assert_eq!(flags(&shuffled, zone), flags(&facts, zone));

        let (left, right) = shuffled.split_at(if shuffled.is_empty() { 0 } else { cut.index(shuffled.len()) });
        let mut parts: BTreeMap<_, DailyFact> = BTreeMap::new();
        for part in [left, right] {
            for day in fold(part.to_vec(), zone, closed).expect("days") {
                let empty = DailyFact::empty(day.user_id, day.date, day.closed_at);
                parts.entry((day.user_id, day.date)).or_insert(empty).merge(&day).expect("a sum");
            }
        }
        let merged: Vec<_> = parts.into_values().collect();
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(first_difference(&merged, &whole), None);
    }

    #[test]
    fn late_work_changes_no_closed_figure(
        facts in prop::collection::vec(any_fact(), 0..40),
        late in prop::collection::vec(any_fact(), 1..20),
    ) {
        let before = fold(facts.clone(), chrono_tz::UTC, closed).expect("days");
        let late = late.into_iter().map(|fact| Fact { recorded_at: at("2027-01-01T00:00:00Z"), ..fact });
        let after = fold(facts.into_iter().chain(late), chrono_tz::UTC, closed).expect("days");
        for day in before.iter().filter(|day| day.closed_at.is_some()) {
            let same = after.iter().find(|other| (other.user_id, other.date) == (day.user_id, day.date));
            prop_assert_eq!(same.map(|day| &day.figures), Some(&day.figures));
        }
    }

    #[test]
    fn daily_facts_survive_writing_and_reading(facts in prop::collection::vec(any_fact(), 1..20)) {
        let days = fold(facts, chrono_tz::UTC, closed).expect("days");
        let written = serde_json::to_string(&days).expect("text");
        prop_assert_eq!(serde_json::from_str::<Vec<DailyFact>>(&written).expect("days"), days);
    }
}
