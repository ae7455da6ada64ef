//! Whose work counts for an owner on which day, and what days like those could still bring.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::{Outlook, actual};
use crate::calendars::WorkTime;
use crate::daily_facts::{Fact, Figures, fold};
use crate::derivation::Draws;
use crate::error::Result;
use crate::id::UserId;
use crate::reconciliation::Stay;
use crate::targets::{Metric, Quantity, WORKDAYS_MAX};
use crate::time::{DateRange, Timestamp};

/// How much of the past a projection draws from, in days: a quarter.
pub const HISTORY_DAYS: u64 = 91;
/// Fewer workdays on record than these tell nothing of the days to come: a month.
pub const HISTORY_WORKDAYS_MIN: usize = 20;
/// Periods that are drawn for a projection: enough for three quantiles, few enough to be drawn at each look.
pub const PROJECTION_DRAWS: u32 = 2_000;

/// Whose work is the owner's.
#[derive(Clone, Debug)]
pub enum Crew {
    /// One person's, whatever team they are in.
    Person(UserId),
    /// That of whoever is in a team or below it on the day.
    Team(Vec<Stay>),
}

impl Crew {
    /// Everybody whose work counts on some day, each once.
    pub fn people(&self) -> Vec<UserId> {
        match self {
            Self::Person(user) => vec![*user],
            Self::Team(stays) => {
                let mut people: Vec<UserId> = stays.iter().map(|stay| stay.user_id).collect();
                people.sort_unstable();
                people.dedup();
                people
            }
        }
    }

    /// Whether the work of a person counts on a day: once, however many stays say so.
    pub fn counts(&self, user: UserId, day: NaiveDate) -> bool {
        match self {
            Self::Person(person) => *person == user,
            Self::Team(stays) => stays.iter().any(|stay| {
                stay.user_id == user && stay.valid_from <= day && stay.valid_to.is_none_or(|end| day < end)
            }),
        }
    }

    /// The days of `range` on which somebody works, each with the number of those who do as its weight.
    pub fn workdays(&self, times: &HashMap<UserId, WorkTime>, range: DateRange) -> Vec<(NaiveDate, u64)> {
        let mut weights: BTreeMap<NaiveDate, u64> = BTreeMap::new();
        for user in self.people() {
            let Some(time) = times.get(&user) else { continue };
            for day in time.hours.workday_dates(range, &time.leave).filter(|&day| self.counts(user, day)) {
                *weights.entry(day).or_default() += 1;
            }
        }
        weights.into_iter().collect()
    }

    /// What was done on each local day up to `as_of`, inclusive, whenever it was entered.
    ///
    /// # Errors
    /// As for [`Figures::record`].
    pub fn done(
        &self,
        facts: impl IntoIterator<Item = Fact>,
        zone: Tz,
        as_of: Timestamp,
    ) -> Result<BTreeMap<NaiveDate, Figures>> {
        let counts = |fact: &Fact| {
            fact.occurred_at <= as_of && self.counts(fact.user_id, fact.occurred_at.date_in(zone))
        };
        let mut days: BTreeMap<NaiveDate, Figures> = BTreeMap::new();
        // What came after a close was done all the same: no day is closed here.
        for day in fold(facts.into_iter().filter(counts), zone, |_, _| None)? {
            days.entry(day.date).or_default().merge(&day.figures)?;
        }
        Ok(days)
    }
}

/// Sums the days of `range`.
///
/// # Errors
/// As for [`Figures::record`].
pub fn sum(days: &BTreeMap<NaiveDate, Figures>, range: DateRange) -> Result<Figures> {
    let mut sum = Figures::default();
    days.range(range.from..range.to).try_for_each(|(_, figures)| sum.merge(figures))?;
    Ok(sum)
}

impl Outlook {
    /// What `days_left` days like the owner's own bring: drawn from the workdays of `history`, which ends before
    /// the day of the look, since that is not over. The same days draw the same on every machine. `None` for
    /// a share, and with fewer than [`HISTORY_WORKDAYS_MIN`] workdays since the first work on record.
    pub fn of_own_days(
        days: &BTreeMap<NaiveDate, Figures>,
        workdays: &[(NaiveDate, u64)],
        history: DateRange,
        (metric, like): (Metric, Quantity),
        days_left: u32,
    ) -> Option<Self> {
        if !metric.is_additive() {
            return None;
        }
        let (&first, _) = days.range(history.from..history.to).next()?;
        let within = |day: &NaiveDate| first <= *day && history.contains(*day);
        let dates: Vec<NaiveDate> = workdays.iter().map(|&(day, _)| day).filter(within).collect();
        if dates.len() < HISTORY_WORKDAYS_MIN {
            return None;
        }
        let mut series = vec![0_i64; dates.len()];
        for (date, figures) in days.range(first..history.to) {
            // What was done on a day off goes to the next workday, or to the last, so that nothing is lost.
            let place = dates.partition_point(|day| day < date).min(dates.len() - 1);
            let value = actual(figures, metric, like).map_or(0, Quantity::value);
            series[place] = series[place].checked_add(value)?;
        }
        let most = series.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
        if i64::try_from(most).ok()?.checked_mul(WORKDAYS_MAX.into()).is_none() {
            return None;
        }
        let told = format!("{} {first} {} {days_left} {series:?}", metric.as_str(), history.to);
        let draws = Draws::new(&[series], days_left, PROJECTION_DRAWS, Sha256::digest(told).into())?;
        Some(Self::RunRate(draws.quantiles()))
    }
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use uuid::Uuid;

    use super::*;
    use crate::calendars::WorkHours;
    use crate::daily_facts::FactKind;
    use crate::id::{EntityId, TeamId};
    use crate::targets::Quantity;
    use crate::time::parse_date;

    const ZONE: Tz = chrono_tz::Asia::Tokyo;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    fn stay(number: u128, from: &str, to: Option<&str>) -> Stay {
        let team_id = TeamId::from_uuid(Uuid::nil());
        Stay { user_id: user(number), team_id, valid_from: date(from), valid_to: to.map(date) }
    }

    fn won(number: u128, day: NaiveDate) -> Fact {
        let at = Timestamp::start_of(day, ZONE);
        Fact { user_id: user(number), occurred_at: at, recorded_at: at, kind: FactKind::DealWon }
    }

    fn february() -> DateRange {
        DateRange { from: date("2026-02-01"), to: date("2026-03-01") }
    }

    #[test]
    fn each_day_counts_for_those_who_are_there_once() {
        // The first leaves on the tenth; the second is there twice over; the third comes on the twentieth.
        let crew = Crew::Team(vec![
            stay(1, "2026-01-01", Some("2026-02-10")),
            stay(2, "2026-01-01", None),
            stay(2, "2026-01-01", None),
            stay(3, "2026-02-20", None),
        ]);
        assert_eq!(crew.people(), [user(1), user(2), user(3)]);
        let facts = || {
            [(1, "2026-02-09"), (1, "2026-02-10"), (2, "2026-02-10"), (3, "2026-02-19"), (3, "2026-02-20")]
                .map(|(number, day)| won(number, date(day)))
        };
        for (as_of, deals) in [("2026-02-08", 0), ("2026-02-09", 1), ("2026-02-10", 2), ("2026-02-20", 3)] {
            let as_of = Timestamp::start_of(date(as_of), ZONE);
            let done = crew.done(facts(), ZONE, as_of).expect("days");
            assert_eq!(sum(&done, february()).expect("a sum").deals, deals, "{as_of}");
        }
        let time = WorkTime { hours: WorkHours::standard(ZONE), leave: Vec::new() };
        let times = [1, 2, 3].map(|number| (user(number), time.clone())).into();
        let workdays = crew.workdays(&times, february());
        assert_eq!(workdays.len(), 20);
        // 20 days of the second, 6 of the first, 6 of the third.
        assert_eq!(workdays.iter().map(|(_, weight)| weight).sum::<u64>(), 32);
    }

    #[test]
    fn own_days_are_drawn_the_same_each_time_or_not_at_all() {
        let range = DateRange { from: date("2026-01-01"), to: date("2026-03-01") };
        let time = WorkTime { hours: WorkHours::standard(ZONE), leave: Vec::new() };
        let crew = Crew::Person(user(1));
        let workdays = crew.workdays(&[(user(1), time)].into(), range);
        let facts: Vec<Fact> = (0..40).step_by(3).map(|day| won(1, range.from + Days::new(day))).collect();
        let days = crew.done(facts, ZONE, Timestamp::start_of(range.to, ZONE)).expect("days");
        let outlook = |to: &str, metric| {
            let history = DateRange { from: range.from, to: date(to) };
            Outlook::of_own_days(&days, &workdays, history, (metric, Quantity::Count(0)), 10)
        };
        assert_eq!(outlook("2026-01-20", Metric::DealsWon), None, "too few days");
        assert_eq!(outlook("2026-02-20", Metric::LeadQuality), None, "a share");
        let Some(Outlook::RunRate(quantiles)) = outlook("2026-02-20", Metric::DealsWon) else {
            panic!("no outlook")
        };
        assert!(quantiles.p10 <= quantiles.p50 && quantiles.p90 <= 10, "{quantiles:?}");
        assert_eq!(outlook("2026-02-20", Metric::DealsWon), Some(Outlook::RunRate(quantiles)));
        let Some(Outlook::RunRate(none)) = outlook("2026-02-20", Metric::Calls) else { panic!("no outlook") };
        assert_eq!((none.p10, none.p90), (0, 0));
    }
}
