//! History: windows, cuts, teams as of then, and nothing that was not known yet.

use uuid::Uuid;

use super::super::tests::date;
use super::super::{Derivation, DerivationLabel};
use super::*;
use crate::time::PeriodKind;

fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn team(number: u128) -> TeamId {
    TeamId::from_uuid(Uuid::from_u128(number))
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).expect("a currency"))
}

fn deal(owner: u128, won_on: &str, cancelled_on: Option<&str>) -> PastDeal {
    let cancelled_on = cancelled_on.map(date);
    PastDeal { owner_id: user(owner), won_on: date(won_on), cancelled_on, value: money(100, "USD") }
}

fn stay(number: u128, in_team: u128, from: &str, to: Option<&str>) -> Stay {
    let (user_id, team_id) = (user(number), team(in_team));
    Stay { user_id, team_id, valid_from: date(from), valid_to: to.map(date) }
}

fn month(start: &str) -> Period {
    Period::new(PeriodKind::Month, date(start)).expect("a month")
}

/// Two people of one team; the second leaves it in March, when a third comes.
fn history(deals: &[PastDeal]) -> History {
    let hours = WorkHours::standard(chrono_tz::UTC);
    let person = |first_on: &str| {
        PastPerson::new(WorkTime { hours: hours.clone(), leave: vec![] }, None, Some(date(first_on)))
    };
    let people =
        [(user(1), person("2025-01-01")), (user(2), person("2025-02-03")), (user(3), person("2025-03-03"))];
    let stays = vec![
        stay(1, 9, "2025-01-01", None),
        stay(2, 9, "2025-01-01", Some("2025-03-01")),
        stay(3, 9, "2025-03-01", None),
    ];
    let span = RecordSpan { closes_from: Some(date("2025-01-15")), last_on: Some(date("2025-04-10")) };
    let ends = ["2025-03-01", "2025-04-01"].map(date);
    let usd = Currency::parse("USD").expect("a currency");
    let mut history =
        History::new((chrono_tz::UTC, usd), span, cuts(ends), stays, people.into_iter().collect());
    history.record(&[], deals, &[]);
    history
}

fn request(until: &str) -> DerivationRequest {
    let until = date(until);
    DerivationRequest {
        user_id: user(1),
        period: month("2025-04-01"),
        goal: Goal::Deals(2),
        band: Band::BASE,
        quality_ppm: None,
        assumed: Assumed::default(),
        until: Timestamp::start_of(until, chrono_tz::UTC),
    }
}

#[test]
fn days_begin_with_the_records_and_end_with_what_was_known() {
    let deals = [
        deal(1, "2025-01-20", None),
        deal(1, "2025-02-03", Some("2025-03-10")),
        deal(1, "2025-03-31", None),
        deal(2, "2025-02-10", None),
        deal(3, "2025-03-05", None),
    ];
    let history = history(&deals);
    let march = history.inputs(&request("2025-03-01")).expect("inputs");
    let days = &march.own_days;
    // The organisation closed its first deal on the 15th, so nobody knows of the days before.
    assert_eq!((days[0].date, days.last().expect("days").date), (date("2025-01-15"), date("2025-02-28")));
    assert_eq!(days.iter().map(|day| day.count).sum::<i64>(), 2);
    assert_eq!(march.own_sizes.expect("sizes").count, 2, "the second deal stood in February");
    assert_eq!(march.season, None);

    let april = history.inputs(&request("2025-04-01")).expect("inputs");
    assert_eq!(april.own_days.iter().map(|day| day.count).sum::<i64>(), 2, "three won, one taken back");
    assert_eq!(april.own_sizes.expect("sizes").count, 2);
    // The second person left with February; the third, who took their place, has history from March only.
    let sums = |inputs: &Inputs| -> Vec<i64> {
        let mut sums: Vec<_> =
            inputs.team_days.iter().map(|days| days.iter().map(|day| day.count).sum()).collect();
        sums.sort_unstable();
        sums
    };
    assert_eq!((sums(&march), sums(&april)), (vec![2], vec![1, 2]));
    let labels = Derivation::derive(april).expect("a derivation").labels;
    assert!(labels.contains(&DerivationLabel::TeamPooled) && labels.contains(&DerivationLabel::UnknownRate));
    let stranger = DerivationRequest { user_id: user(7), ..request("2025-04-01") };
    assert!(matches!(history.inputs(&stranger), Err(Error::NotFound)));
}

#[test]
fn what_happens_later_changes_no_derivation() {
    let known = [deal(1, "2025-01-20", None), deal(2, "2025-02-10", None)];
    let later = [deal(1, "2025-03-01", None), deal(2, "2025-03-02", None)];
    let cancelled = [deal(1, "2025-01-20", Some("2025-03-01")), deal(2, "2025-02-10", None)];
    let before = history(&known).inputs(&request("2025-03-01")).expect("inputs");
    for deals in [[&known[..], &later].concat(), cancelled.to_vec()] {
        assert_eq!(history(&deals).inputs(&request("2025-03-01")).expect("inputs"), before);
    }
}

#[test]
fn counts_are_those_of_the_segments_within_the_window() {
    let mut history = history(&[]);
    // Cuts: 2024-03-01, 2024-04-01, 2025-03-01, 2025-04-01.
    let counts = |segment: usize, calls: u32| PastCounts {
        user_id: user(1),
        segment,
        counts: FunnelCounts { calls, ..FunnelCounts::default() },
    };
    history.record(
        &[counts(0, 1), counts(1, 10), counts(2, 100), counts(3, 1_000), counts(4, 10_000)],
        &[],
        &[],
    );
    let prospect = |began_on: &str, won_on: Option<&str>| PastProspect {
        user_id: user(1),
        collected_on: date("2024-11-01"),
        began_on: date(began_on),
        won_on: won_on.map(date),
    };
    history.record(&[], &[], &[prospect("2024-11-04", Some("2025-03-03")), prospect("2025-02-03", None)]);
    let own = |until: &str| history.inputs(&request(until)).expect("inputs").own;
    assert_eq!((own("2025-03-01").calls, own("2025-04-01").calls), (110, 1_100));
    // The first prospect is old enough on both days; that it was won is known on the second alone.
    let mature = |counts: FunnelCounts| (counts.mature_prospects, counts.won_prospects);
    assert_eq!((mature(own("2025-03-01")), mature(own("2025-04-01"))), ((1, 0), (1, 1)));
}

#[test]
fn months_are_replayed_for_those_who_were_there() {
    let deals = [deal(1, "2025-01-20", None), deal(2, "2025-02-10", None), deal(3, "2025-03-05", None)];
    let history = history(&deals);
    let today = date("2025-04-20");
    let months = history.span.past_months(12, today);
    assert_eq!(months, ["2025-01-01", "2025-02-01", "2025-03-01"].map(month));
    assert_eq!(history.span.past_months(1, today), [month("2025-03-01")]);
    assert_eq!(history.span.past_months(1, date("2025-06-01")), [month("2025-04-01")], "records end there");
    assert_eq!(RecordSpan::default().past_months(12, today), []);

    let actual = |cases: Vec<Case>| -> Vec<(Period, i64)> {
        cases.iter().map(|case| (case.inputs.period, case.actual)).collect()
    };
    let of = |number| actual(history.cases_of(user(number), &months).expect("cases"));
    assert_eq!(of(1), [(months[0], 1), (months[1], 0), (months[2], 0)]);
    assert_eq!(of(2), [(months[0], 0), (months[1], 1)], "they left in March");
    assert_eq!(of(3), [(months[2], 1)]);
    let teams = history
        .cases_of_team(team(9), (&[team(9)], &WorkHours::standard(chrono_tz::UTC)), &months)
        .expect("cases");
    assert_eq!(actual(teams.clone()), [(months[0], 1), (months[1], 1), (months[2], 1)]);
    assert_eq!(teams[2].inputs.own_days.iter().map(|day| day.count).sum::<i64>(), 1);
}
