//! Whose work counts for an owner on which day.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::calendars::WorkTime;
use crate::daily_facts::{Fact, Figures, fold};
use crate::error::Result;
use crate::id::UserId;
use crate::reconciliation::Stay;
use crate::time::{DateRange, Timestamp};

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
            Self::Team(stays) => stays.iter().any(|stay| stay.user_id == user && stay.covers(day)),
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

#[cfg(test)]
mod tests {
    use chrono::Days;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::calendars::WorkHours;
    use crate::daily_facts::FactKind;
    use crate::id::{EntityId, TeamId};
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

    proptest! {
        /// Whoever moves between two teams, at any moment the teams together have done what the persons have.
        #[test]
        fn two_teams_have_done_what_their_people_have(
            moves in prop::collection::vec(0_u64..28, 4),
            facts in prop::collection::vec((0_u128..4, 0_u64..28), 0..40),
            at in 0_u64..28,
        ) {
            let day = |number| date("2026-02-01") + Days::new(number);
            let stays = |in_first: bool| {
                let stay = |(number, &moved): (usize, &u64)| {
                    let (valid_from, valid_to) = if in_first { (day(0), Some(day(moved))) } else { (day(moved), None) };
                    Stay { user_id: user(number as u128), team_id: TeamId::from_uuid(Uuid::nil()), valid_from, valid_to }
                };
                Crew::Team(moves.iter().enumerate().map(stay).collect())
            };
            let facts: Vec<Fact> = facts.into_iter().map(|(number, on)| won(number, day(on))).collect();
            let as_of = Timestamp::start_of(day(at), ZONE);
            let done = |crew: &Crew| {
                let days = crew.done(facts.iter().copied(), ZONE, as_of).expect("days");
                sum(&days, february()).expect("a sum").deals
            };
            let people: i64 = (0..4).map(|number| done(&Crew::Person(user(number)))).sum();
            prop_assert_eq!(done(&stays(true)) + done(&stays(false)), people);
        }
    }
}
