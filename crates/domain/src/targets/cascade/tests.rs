//! The roll-up law on examples, and on any team.

use chrono::NaiveDate;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{EntityId, TeamId};
use crate::money::{AMOUNT_MINOR_MAX, Currency, Money};
use crate::time::parse_date;

fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn team(number: u128) -> TargetOwner {
    TargetOwner::Team(TeamId::from_uuid(Uuid::from_u128(number)))
}

fn due_by() -> NaiveDate {
    parse_date("2026-11-30").expect("a date")
}

fn money(minor: i64, code: &str) -> Quantity {
    Quantity::Money(Money::new(minor, Currency::parse(code).expect("a currency")))
}

fn calls(count: i64) -> Figure {
    Figure { metric: Metric::Calls, quantity: Quantity::Count(count) }
}

fn revenue(minor: i64) -> Figure {
    Figure { metric: Metric::Revenue, quantity: money(minor, "USD") }
}

fn quality(ppm: i64) -> Figure {
    Figure { metric: Metric::LeadQuality, quantity: Quantity::Share(ppm) }
}

fn leads(count: i64) -> Figure {
    Figure { metric: Metric::LeadsCollected, quantity: Quantity::Count(count) }
}

fn lines(figures: &[Figure]) -> Vec<TargetLine> {
    figures.iter().map(|&figure| TargetLine::new(figure, 20, due_by())).collect()
}

fn member(number: u128, capacity: u64, workdays: u32) -> Capacity {
    Capacity { user_id: user(number), capacity, workdays }
}

/// `field.path CODE` of every problem.
fn problems<T>(result: Result<T>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => problems
            .iter()
            .map(|problem| format!("{} {}", problem.field.join("."), problem.code.as_str()))
            .collect(),
        Err(other) => vec![other.to_string()],
    }
}

fn values(shares: &[Share], metric: Metric) -> Vec<i64> {
    let of = |share: &Share| {
        share.figures.iter().find(|figure| figure.metric == metric).map(|figure| figure.quantity.value())
    };
    shares.iter().filter_map(of).collect()
}

#[test]
fn a_team_target_and_its_buffer_are_split_by_capacity_and_workdays() {
    let team = lines(&[quality(600_000), calls(100), revenue(1_000)]);
    for (name, buffer, members, expected_calls, expected_revenue) in [
        (
            "alike",
            &[][..],
            &[member(3, 1, 20), member(1, 1, 20), member(2, 1, 20)][..],
            &[34, 33, 33][..],
            &[334, 333, 333][..],
        ),
        ("by capacity", &[], &[member(1, 3, 20), member(2, 1, 20)], &[75, 25], &[750, 250]),
        ("who joins in the middle", &[], &[member(1, 1, 20), member(2, 1, 5)], &[80, 20], &[800, 200]),
        ("who is away", &[], &[member(1, 1, 20), member(2, 9, 0)], &[100, 0], &[1_000, 0]),
        (
            "with a buffer",
            &[calls(10), revenue(1)],
            &[member(1, 1, 20), member(2, 1, 20)],
            &[55, 55],
            &[501, 500],
        ),
        (
            "the largest capacity",
            &[],
            &[member(1, CAPACITY_MAX, WORKDAYS_MAX), member(2, CAPACITY_MAX, WORKDAYS_MAX)],
            &[50, 50],
            &[500, 500],
        ),
    ] {
        let shares = cascade(&team, buffer, members).expect(name);
        assert_eq!(values(&shares, Metric::Calls), expected_calls, "{name}");
        assert_eq!(values(&shares, Metric::Revenue), expected_revenue, "{name}");
        assert!(values(&shares, Metric::LeadQuality).iter().all(|&ppm| ppm == 600_000), "{name}");
        assert!(shares.is_sorted_by_key(|share| share.user_id), "{name}");
    }
}

#[test]
fn what_cannot_be_split_is_refused() {
    let team = lines(&[quality(600_000), calls(100), revenue(1_000)]);
    let two = [member(1, 1, 20), member(2, 1, 20)];
    let euros = Figure { metric: Metric::Revenue, quantity: money(1, "EUR") };
    for (name, buffer, members, expected) in [
        ("nobody", &[][..], &[][..], &["members REQUIRED"][..]),
        (
            "one twice",
            &[],
            &[member(1, 1, 5), member(2, 1, 5), member(1, 1, 5)],
            &["members.2.userId DUPLICATE"],
        ),
        ("no capacity", &[], &[member(1, 0, 20), member(2, 1, 0)], &["members OUT_OF_RANGE"]),
        ("too many days", &[], &[member(1, 1, 367)], &["members.0.workdays OUT_OF_RANGE"]),
        ("too able", &[], &[member(1, CAPACITY_MAX + 1, 1)], &["members.0.capacity OUT_OF_RANGE"]),
        ("a negative buffer", &[calls(-1)], &two, &["buffer.0 OUT_OF_RANGE"]),
        ("a buffer twice", &[calls(1), calls(1)], &two, &["buffer.1 DUPLICATE"]),
        ("a buffer of quality", &[quality(1)], &two, &["buffer.0 NOT_APPLICABLE"]),
        ("a buffer of nothing", &[leads(1)], &two, &["buffer.0 NOT_APPLICABLE"]),
        ("a buffer in euros", &[euros], &two, &["buffer.0 CURRENCY_MISMATCH"]),
        ("a long buffer", &[calls(1); 7], &two, &["buffer TOO_MANY"]),
    ] {
        assert_eq!(problems(cascade(&team, buffer, members)), expected, "{name}");
    }
    let crowd: Vec<_> = (0..=MEMBERS_MAX as u128).map(|number| member(number, 1, 20)).collect();
    assert_eq!(problems(cascade(&team, &[], &crowd)), ["members TOO_MANY"]);
}

#[test]
fn the_law_holds_or_names_metric_and_difference() {
    let (ada, bob) = ([user(1)], [user(2), user(3)]);
    let (a, b) = (lines(&[calls(60), revenue(700)]), lines(&[calls(50), revenue(300)]));
    let children = [
        Child { owner: TargetOwner::User(user(1)), persons: &ada, lines: &a },
        Child { owner: team(9), persons: &bob, lines: &b },
    ];
    let check = |figures: &[Figure], buffer: &[Figure]| {
        check_roll_up(&RollUp { lines: &lines(figures), buffer: &lines(buffer), children: &children })
    };
    for (name, figures, buffer, expected) in [
        ("exact", &[calls(110), revenue(1_000)][..], &[][..], ""),
        ("with a buffer", &[calls(100), revenue(999)], &[calls(10), revenue(1)], ""),
        ("quality has no sum", &[quality(1), calls(110)], &[], ""),
        (
            "too little",
            &[calls(120)],
            &[],
            "CALLS: the members' 110 less a buffer of 0 lie 10 below the team's 120.",
        ),
        (
            "too much",
            &[calls(100)],
            &[],
            "CALLS: the members' 110 less a buffer of 0 lie 10 above the team's 100.",
        ),
        (
            "too large a buffer",
            &[revenue(1_000)],
            &[revenue(1)],
            "REVENUE: the members' 10.00 USD less a buffer of 0.01 USD lie 0.01 USD below the team's 10.00 USD.",
        ),
        (
            "a negative buffer",
            &[calls(111)],
            &[calls(-1)],
            "CALLS: the members' 110 less a buffer of -1 lie 0 above the team's 111.",
        ),
        (
            "what no member has",
            &[leads(1)],
            &[],
            "LEADS_COLLECTED: the members' 0 less a buffer of 0 lie 1 below the team's 1.",
        ),
    ] {
        let said = check(figures, buffer).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said.trim_start_matches("rejected: "), expected, "{name}");
    }
    assert_eq!(problems(check(&[calls(1), revenue(1)], &[])), ["children ROLL_UP_BROKEN"; 2]);
}

#[test]
fn nobody_is_counted_twice() {
    let asked = lines(&[calls(10)]);
    let (ada, both) = ([user(1)], [user(1), user(2)]);
    let child = |owner, persons| Child { owner, persons, lines: &asked };
    let (person, below, other) =
        (child(TargetOwner::User(user(1)), &ada[..]), child(team(9), &both[..]), child(team(8), &both[1..]));
    let empty = child(team(7), &[]);
    for (name, children, expected) in [
        ("a person and another team", &[person, other][..], &[][..]),
        ("a person and their own team", &[person, below], &["children.1 DUPLICATE"]),
        ("a person twice", &[person, person], &["children.1 DUPLICATE"]),
        ("two teams with one person", &[below, other], &["children.1 DUPLICATE"]),
        ("an empty team twice", &[empty, empty], &["children.1 DUPLICATE"]),
    ] {
        let total = lines(&[calls(10 * children.len() as i64)]);
        assert_eq!(
            problems(check_roll_up(&RollUp { lines: &total, buffer: &[], children })),
            expected,
            "{name}"
        );
    }
}

#[test]
fn the_buffer_is_what_the_members_are_asked_beyond_the_team() {
    let (ada, bob) = ([user(1)], [user(2)]);
    let (a, b) = (lines(&[quality(500_000), calls(60)]), lines(&[quality(500_000), calls(50)]));
    let children = [
        Child { owner: TargetOwner::User(user(1)), persons: &ada, lines: &a },
        Child { owner: TargetOwner::User(user(2)), persons: &bob, lines: &b },
    ];
    assert_eq!(buffer_of(&lines(&[calls(100)]), &children).ok(), Some(vec![calls(10)]));
    assert_eq!(buffer_of(&lines(&[quality(500_000), calls(110)]), &children).ok(), Some(vec![calls(0)]));
    assert_eq!(problems(buffer_of(&lines(&[calls(111)]), &children)), ["children ROLL_UP_BROKEN"]);
}

#[test]
fn a_team_is_asked_what_its_members_are() {
    let (ada, bob) = ([user(1)], [user(2)]);
    let a = lines(&[leads(300), quality(600_000), calls(60), revenue(700)]);
    let b = lines(&[leads(100), quality(200_000), calls(50)]);
    let euros = lines(&[Figure { metric: Metric::Revenue, quantity: money(1, "EUR") }]);
    let child = |persons, lines| Child { owner: TargetOwner::User(persons_first(persons)), persons, lines };
    let children = [child(&ada[..], &a[..]), child(&bob[..], &b[..])];
    // 180 + 20 usable leads of 400.
    let team = [leads(400), quality(500_000), calls(110), revenue(700)];
    assert_eq!(roll_up(&children, &[]).ok().as_deref(), Some(&team[..]));
    let less = [leads(400), quality(500_000), calls(100), revenue(700)];
    assert_eq!(roll_up(&children, &[calls(10)]).ok().as_deref(), Some(&less[..]));
    assert_eq!(problems(roll_up(&children, &[calls(111)])), ["children ROLL_UP_BROKEN"]);
    let mixed = [child(&ada[..], &a[..]), child(&bob[..], &euros[..])];
    assert_eq!(problems(roll_up(&mixed, &[])), ["children CURRENCY_MISMATCH"]);
}

fn persons_first(persons: &[UserId]) -> UserId {
    persons[0]
}

#[test]
fn a_move_in_the_middle_is_split_by_workdays() {
    for (quantity, workdays, parts) in [
        (Quantity::Count(21), &[10, 11][..], &[10, 11][..]),
        (Quantity::Count(4), &[10, 11], &[2, 2]),
        (Quantity::Count(1), &[10, 11], &[0, 1]),
        (money(1_000, "USD"), &[7, 7, 7], &[334, 333, 333]),
        (Quantity::Share(600_000), &[10, 11], &[600_000, 600_000]),
        (Quantity::Count(5), &[0, 0], &[5, 0]),
        (Quantity::Count(5), &[], &[]),
    ] {
        let found: Vec<_> = split_by_workdays(quantity, workdays).into_iter().map(Quantity::value).collect();
        assert_eq!(found, parts, "{quantity} over {workdays:?}");
    }
}

proptest! {
    /// What is cascaded rolls up again, to the unit, whoever the members are and in whatever order they come.
    #[test]
    fn a_cascade_satisfies_the_law(
        (asked_calls, extra_calls) in (1..=1_000_000i64, 0..=10_000i64),
        (asked_revenue, extra_revenue) in (1..=AMOUNT_MINOR_MAX, 0..=AMOUNT_MINOR_MAX),
        weights in prop::collection::vec((1..=CAPACITY_MAX, 1..=WORKDAYS_MAX), 1..30),
        rotation in 0..30usize,
    ) {
        let team = lines(&[quality(600_000), calls(asked_calls), revenue(asked_revenue)]);
        let buffer = [calls(extra_calls), revenue(extra_revenue)];
        let mut members: Vec<_> =
            weights.iter().zip(1..).map(|(&(capacity, workdays), number)| member(number, capacity, workdays)).collect();
        let shares = cascade(&team, &buffer, &members).expect("shares");
        let (asked, persons): (Vec<_>, Vec<_>) = shares.iter().map(|share| (lines(&share.figures), [share.user_id])).unzip();
        let children: Vec<_> = asked
            .iter()
            .zip(&persons)
            .map(|(lines, persons)| Child { owner: TargetOwner::User(persons[0]), persons, lines })
            .collect();
        let unit = RollUp { lines: &team, buffer: &lines(&buffer), children: &children };
        prop_assert!(check_roll_up(&unit).is_ok());
        prop_assert_eq!(buffer_of(&team, &children).ok(), Some(buffer.to_vec()));
        let up: Vec<_> = roll_up(&children, &buffer).expect("sums").into_iter().filter(|figure| figure.metric.is_additive()).collect();
        prop_assert_eq!(up, [calls(asked_calls), revenue(asked_revenue)]);

        let count = members.len();
        members.rotate_left(rotation % count);
        prop_assert_eq!(cascade(&team, &buffer, &members).expect("shares"), shares);
    }

    /// One unit more or less anywhere breaks the law, by that unit.
    #[test]
    fn a_unit_too_many_is_found(parts in prop::collection::vec(1..1_000i64, 1..20), which in 0..20usize, off in prop::sample::select(vec![-1i64, 1])) {
        let total = lines(&[calls(parts.iter().sum())]);
        let asked: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(index, &part)| lines(&[calls(part + if index == which % parts.len() { off } else { 0 })]))
            .collect();
        let persons: Vec<_> = (0..parts.len() as u128).map(|number| [user(number)]).collect();
        let children: Vec<_> = asked
            .iter()
            .zip(&persons)
            .map(|(lines, persons)| Child { owner: TargetOwner::User(persons[0]), persons, lines })
            .collect();
        prop_assert_eq!(problems(check_roll_up(&RollUp { lines: &total, buffer: &[], children: &children })), ["children ROLL_UP_BROKEN"]);
    }

    #[test]
    fn the_parts_of_a_move_sum_to_the_whole(count in 0..=1_000_000_000i64, workdays in prop::collection::vec(0..=WORKDAYS_MAX, 1..12)) {
        let parts = split_by_workdays(Quantity::Count(count), &workdays);
        prop_assert_eq!(parts.into_iter().map(Quantity::value).sum::<i64>(), count);
    }
}
