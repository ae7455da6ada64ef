//! The proof of reconciliation: on examples, and on any mixture of deals, people and teams.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::deals::tests::any_credits;
use crate::deals::{CreditKind, CreditLine, Deal, DealStage, NewCredit, NewDeal, WinDeal};
use crate::id::{CreditLineId, CustomerId, EntityId};
use crate::time::{PeriodKind, parse_date};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).expect("a currency"))
}

fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn november() -> Period {
    Period::new(PeriodKind::Month, parse_date("2026-11-01").expect("a date")).expect("a month")
}

fn company(code: &str, won_minor: i64, cancelled_minor: i64) -> CompanyFigure {
    CompanyFigure {
        currency: money(0, code).currency,
        won_minor,
        won_deals: 1,
        cancelled_minor,
        cancelled_deals: 0,
    }
}

fn credit(user_id: Option<UserId>, minor: i64, code: &str) -> CreditFigure {
    CreditFigure { user_id, amount: money(minor, code) }
}

fn build(
    company: &[CompanyFigure],
    credits: &[CreditFigure],
    differences: &[Difference],
) -> Result<Reconciliation> {
    Reconciliation::build(november(), at("2026-11-23T09:00:00Z"), company, credits, differences)
}

#[test]
fn the_law_holds_in_each_currency_or_names_a_difference() {
    let difference = Difference {
        deal_id: DealId::from_uuid(Uuid::from_u128(9)),
        deal_amount: money(5, "USD"),
        credited_amount: money(4, "USD"),
    };
    let (ada, bob) = (Some(user(1)), Some(user(2)));
    for (name, figures, credits, differences, balanced) in [
        ("nothing", &[][..], &[][..], &[][..], true),
        ("whole", &[company("USD", 5, 0)], &[credit(ada, 5, "USD")], &[], true),
        (
            "split",
            &[company("USD", 5, 0)],
            &[credit(ada, 2, "USD"), credit(bob, 2, "USD"), credit(None, 1, "USD")],
            &[],
            true,
        ),
        ("cancelled", &[company("USD", 0, 5)], &[credit(ada, -5, "USD")], &[], true),
        ("a cent short", &[company("USD", 5, 0)], &[credit(ada, 4, "USD")], &[], false),
        ("credit without deal", &[], &[credit(ada, 4, "USD")], &[], false),
        ("other currency", &[company("USD", 5, 0)], &[credit(ada, 5, "EUR")], &[], false),
        ("faults that even out", &[company("USD", 5, 0)], &[credit(ada, 5, "USD")], &[difference], false),
    ] {
        let proof = build(figures, credits, differences).expect(name);
        assert_eq!(proof.balanced(), balanced, "{name}");
        let named: Vec<_> = proof.currencies.iter().filter_map(|entry| entry.first_difference).collect();
        assert_eq!(named, differences, "{name}");
    }
}

#[test]
fn persons_and_currencies_are_in_order_and_added_up() {
    let proof = build(
        &[company("USD", 30, 10), company("EUR", 1, 0)],
        &[credit(Some(user(2)), 7, "USD"), credit(Some(user(1)), 5, "USD"), credit(Some(user(2)), 8, "USD")],
        &[],
    )
    .expect("a proof");
    let codes: Vec<_> = proof.currencies.iter().map(|entry| entry.currency.code()).collect();
    assert_eq!(codes, ["EUR", "USD"]);
    let dollars = &proof.currencies[1];
    assert_eq!((dollars.company_total_minor, dollars.unassigned), (20, money(0, "USD")));
    let persons: Vec<_> =
        dollars.persons.iter().map(|person| (person.user_id, person.amount.minor)).collect();
    assert_eq!(persons, [(user(1), 5), (user(2), 15)]);
}

#[test]
fn sums_outside_the_range_are_a_fault_and_never_wrap() {
    for (figures, credits) in [
        (&[company("USD", i64::MAX, 0), company("USD", 1, 0)][..], &[][..]),
        (&[company("USD", i64::MIN, 1)], &[]),
        (&[], &[credit(None, i64::MAX, "USD"), credit(None, 1, "USD")]),
    ] {
        assert!(matches!(build(figures, credits, &[]), Err(Error::Internal(_))));
    }
    // Persons are summed wider than an i64: 2^64 - 2 + 2 is not zero.
    let credits = [
        credit(Some(user(1)), i64::MAX, "USD"),
        credit(Some(user(2)), i64::MAX, "USD"),
        credit(None, 2, "USD"),
    ];
    assert!(!build(&[], &credits, &[]).expect("a proof").balanced());
}

#[test]
fn the_window_ends_with_the_period_or_with_as_of() {
    let zone = chrono_tz::Europe::Berlin;
    let (from, to) = november().bounds(zone);
    for (as_of, until) in [
        ("2026-11-23T09:00:00Z", at("2026-11-23T09:00:00.000001Z")),
        ("2026-11-30T22:59:59.999999Z", to),
        ("2026-11-30T23:00:00Z", to),
        ("2027-06-01T00:00:00Z", to),
    ] {
        assert_eq!(window(november(), zone, at(as_of)), (from, until), "{as_of}");
    }
    let (from, until) = window(november(), zone, at("2026-10-31T22:59:59.999999Z"));
    assert!(until <= from);
}

/// A won deal with all its lines, cancelled some hours later or not at all.
fn played(
    number: usize,
    value: Money,
    credits: Vec<NewCredit>,
    won_hour: i64,
    cancelled_after: Option<i64>,
) -> (Deal, Vec<CreditLine>) {
    let opened_at = at("2026-10-01T00:00:00Z");
    let now = at("2027-06-01T00:00:00Z");
    let won_at = opened_at.plus(Duration::hours(won_hour));
    let mut line = 0;
    let mut new_id = || {
        line += 1;
        CreditLineId::from_uuid(Uuid::from_u128(number as u128 * 1_000 + line))
    };
    let new = NewDeal {
        number: format!("D-{number}"),
        name: None,
        customer_id: Some(CustomerId::from_uuid(Uuid::from_u128(1))),
        product_id: None,
        owner_id: user(1),
        stage: None,
        value: Some(value),
        opened_at: Some(opened_at),
        expected_close_on: None,
    };
    let deal = Deal::create(&new, DealId::from_uuid(Uuid::from_u128(number as u128)), now)
        .expect("a deal")
        .into_state();
    let win = WinDeal { won_at: Some(won_at), value: None, credits };
    let won = deal.win(&win, &mut new_id, now).expect("a win");
    let (deal, mut lines) = (won.change.into_state(), won.lines);
    let Some(hours) = cancelled_after else { return (deal, lines) };
    let cancelled =
        deal.cancel(Some(won_at.plus(Duration::hours(hours))), "returned", &lines, &mut new_id, now);
    let cancelled = cancelled.expect("a cancellation");
    lines.extend(cancelled.lines);
    (cancelled.change.into_state(), lines)
}

proptest! {
    #[test]
    fn any_sequence_of_wins_and_cancellations_reconciles_at_any_moment(
        deals in proptest::collection::vec(
            (0..1_000_000_000_i64, any::<bool>(), any_credits(), 0..2_000_i64, proptest::option::of(0..2_000_i64)),
            0..20,
        ),
        as_of_hour in 0..4_000_i64,
    ) {
        let as_of = at("2026-10-01T00:00:00Z").plus(Duration::hours(as_of_hour));
        let (from, until) = window(november(), chrono_tz::UTC, as_of);
        let inside = |moment: Option<Timestamp>| moment.is_some_and(|at| from <= at && at < until);
        let (mut figures, mut credits) = (Vec::new(), Vec::new());
        for (number, (minor, euros, shares, won_hour, cancelled_after)) in deals.into_iter().enumerate() {
            let value = money(minor, if euros { "EUR" } else { "USD" });
            let (deal, lines) = played(number, value, shares, won_hour, cancelled_after);
            prop_assert_eq!(deal.stage == DealStage::Cancelled, deal.cancelled_at.is_some());
            let (won, cancelled) = (i64::from(inside(deal.won_at)), i64::from(inside(deal.cancelled_at)));
            figures.push(CompanyFigure {
                currency: value.currency,
                won_minor: won * minor,
                won_deals: won,
                cancelled_minor: cancelled * minor,
                cancelled_deals: cancelled,
            });
            let counted = lines.iter().filter(|line| line.kind == CreditKind::Direct && inside(Some(line.occurred_at)));
            credits.extend(counted.map(|line| CreditFigure { user_id: line.user_id, amount: line.amount }));
        }
        let proof = Reconciliation::build(november(), as_of, &figures, &credits, &[]).expect("a proof");
        prop_assert!(proof.balanced(), "{proof:?}");
    }
}
