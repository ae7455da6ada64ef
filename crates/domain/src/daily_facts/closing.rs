//! The close of days: from then on their figures are frozen, and what comes later stands beside them.

use std::collections::BTreeMap;

use chrono::{Days, Duration, NaiveDate};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DailyFact, Fact, Figures, fold};
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Result};
use crate::id::{EntityId, OrganizationId, UserId};
use crate::time::{DateRange, Timestamp};

/// Most days that one close freezes; a longer stretch takes several.
pub const CLOSE_DAYS_MAX: u64 = 31;
/// What was recorded less than this before a close counts as late: its write may not have been committed when the
/// close looked. So no write lasts that long.
pub const CLOSE_MARGIN_SECONDS: i64 = 60;
/// Most days that are asked for at once.
pub const FACT_DAYS_MAX: i64 = 400;

/// Up to which day an organisation has closed, by its latest close. Each version stays: it says when the days
/// between it and the version before were closed.
#[derive(Clone, Debug, PartialEq)]
pub struct DayClose {
    /// The organisation.
    pub organization: OrganizationId,
    /// Counts closes.
    pub version: Version,
    /// The last closed day; all days before it are closed, too.
    pub through: NaiveDate,
    /// What was recorded later is late: [`CLOSE_MARGIN_SECONDS`] before the close itself.
    pub closed_at: Timestamp,
}

impl DayClose {
    /// The last day that is to be closed without being asked: `after` days have passed since it ended. None where
    /// `after` is 0, and until an organisation's own first day is that old: by then its history is imported.
    pub fn due(created_on: NaiveDate, today: NaiveDate, after: u32) -> Option<NaiveDate> {
        let due = today.checked_sub_days(Days::new(u64::from(after) + 1))?;
        (after > 0 && created_on <= due).then_some(due)
    }

    /// Closes days up to `wanted`, or fewer when these are too many for one close; answers with the days that are
    /// to be frozen. `last` is the close before, `first_work` the first day on which anything happened.
    ///
    /// # Errors
    /// `IN_FUTURE` when `wanted` is not over yet, `TOO_EARLY` when it is closed already.
    pub fn close(
        organization: OrganizationId,
        (last, first_work): (Option<&Self>, Option<NaiveDate>),
        wanted: NaiveDate,
        (today, now): (NaiveDate, Timestamp),
    ) -> Result<(Change<Self>, DateRange)> {
        let refuse = |code, message: String| Err(Problem::new(code, message).at("through").into());
        if wanted >= today {
            return refuse(Code::InFuture, format!("Only days before {today} are over and can be closed."));
        }
        let closed = last.map(|close| close.through);
        if let Some(closed) = closed.filter(|&closed| wanted <= closed) {
            return refuse(Code::TooEarly, format!("All days up to {closed} are closed; name a later one."));
        }
        let from = closed.map(|day| day + Days::new(1)).or(first_work).unwrap_or(wanted).min(wanted);
        let through = wanted.min(from + Days::new(CLOSE_DAYS_MAX - 1));
        let version = last.map_or(0, |close| close.version);
        let closed_at = now.plus(-Duration::seconds(CLOSE_MARGIN_SECONDS));
        let after = Self { organization, version, through, closed_at };
        let change = match last {
            Some(last) => Change::updated(EventKind::DayClosed, last, after),
            None => Change::created(EventKind::DayClosed, after),
        };
        Ok((change, DateRange { from, to: through + Days::new(1) }))
    }
}

impl Aggregate for DayClose {
    const SUBJECT: SubjectType = SubjectType::DayClose;
    fn subject_id(&self) -> Uuid {
        self.organization.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        json!({ "through": self.through })
    }
}

/// When days were closed.
#[derive(Clone, Debug, Default)]
pub struct Closes(BTreeMap<NaiveDate, Timestamp>);

impl Closes {
    /// The closes of an organisation, of which those before the days in question may be left out.
    pub fn new(closes: impl IntoIterator<Item = (NaiveDate, Timestamp)>) -> Self {
        Self(closes.into_iter().collect())
    }

    /// When `date` was closed; `None` while it is open.
    pub fn closed_at(&self, date: NaiveDate) -> Option<Timestamp> {
        self.0.range(date..).next().map(|(_, &at)| at)
    }

    /// What was recorded in time on closed days: what ought to be frozen.
    ///
    /// # Errors
    /// As [`fold`].
    pub fn in_time(&self, facts: Vec<Fact>, zone: Tz) -> Result<Vec<DailyFact>> {
        let days = fold(facts, zone, |_, date| self.closed_at(date))?;
        let frozen = days.into_iter().filter(|day| day.closed_at.is_some());
        Ok(frozen.map(|day| DailyFact { late: Figures::default(), late_entries: 0, ..day }).collect())
    }

    /// Each day of `range` of each of `people`, by both: open days as the facts say, closed ones as they were
    /// `frozen`, with everything else that the facts say now as late.
    ///
    /// # Errors
    /// As [`fold`].
    pub fn days(
        &self,
        (people, range): (&[UserId], DateRange),
        facts: Vec<Fact>,
        frozen: Vec<DailyFact>,
        zone: Tz,
    ) -> Result<Vec<DailyFact>> {
        let key = |day: DailyFact| ((day.user_id, day.date), day);
        let live = fold(facts, zone, |_, date| self.closed_at(date))?;
        let mut live: BTreeMap<_, _> = live.into_iter().map(key).collect();
        let mut frozen: BTreeMap<_, _> = frozen.into_iter().map(key).collect();
        let mut days = Vec::new();
        for &user in people {
            for date in range.dates() {
                let closed_at = self.closed_at(date);
                let day = live.remove(&(user, date));
                let mut day = day.unwrap_or_else(|| DailyFact::empty(user, date, closed_at));
                if closed_at.is_some() {
                    let figures = frozen.remove(&(user, date)).map(|day| day.figures).unwrap_or_default();
                    day = day.frozen(figures)?;
                }
                days.push(day);
            }
        }
        Ok(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daily_facts::FactKind;
    use crate::error::Error;
    use crate::time::parse_date;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    #[test]
    fn closes_follow_each_other_in_bounded_steps() {
        let organization = OrganizationId::from_uuid(Uuid::nil());
        let now = (date("2026-03-01"), at("2026-03-01T09:00:00Z"));
        let closed =
            |through| DayClose { organization, version: 4, through: date(through), closed_at: now.1 };
        for (last, first_work, wanted, expected) in [
            (None, None, "2026-02-28", Ok(("2026-02-28", "2026-02-28", 1))),
            (None, Some("2026-02-20"), "2026-02-28", Ok(("2026-02-20", "2026-02-28", 1))),
            (None, Some("2026-02-20"), "2026-02-10", Ok(("2026-02-10", "2026-02-10", 1))),
            (None, Some("2017-10-20"), "2026-02-28", Ok(("2017-10-20", "2017-11-19", 1))),
            (Some("2026-02-20"), None, "2026-02-21", Ok(("2026-02-21", "2026-02-21", 5))),
            (Some("2025-12-31"), None, "2026-02-28", Ok(("2026-01-01", "2026-01-31", 5))),
            (Some("2026-02-20"), None, "2026-02-20", Err(Code::TooEarly)),
            (None, None, "2026-03-01", Err(Code::InFuture)),
        ] {
            let last = last.map(closed);
            let close =
                DayClose::close(organization, (last.as_ref(), first_work.map(date)), date(wanted), now);
            let found = match &close {
                Ok((change, days)) => Ok((days.from, change.state().through, change.state().version)),
                Err(Error::Rejected(problems)) => Err(problems.first().map(|problem| problem.code)),
                Err(error) => panic!("{error}"),
            };
            let expected = expected.map(|(from, through, version)| (date(from), date(through), version));
            assert_eq!(found, expected.map_err(Some), "{wanted}");
            if let Ok((change, days)) = close {
                assert_eq!(days.to, change.state().through + Days::new(1));
                assert_eq!(change.state().closed_at, at("2026-03-01T08:59:00Z"));
            }
        }
    }

    #[test]
    fn a_day_is_due_when_it_ended_so_many_days_ago() {
        for (today, after, expected) in [
            ("2026-02-12", 2, None),
            ("2026-02-13", 2, Some("2026-02-10")),
            ("2026-02-12", 1, Some("2026-02-10")),
            ("2026-03-01", 2, Some("2026-02-26")),
            ("2026-03-01", 0, None),
            ("2026-03-01", u32::MAX, None),
        ] {
            let due = DayClose::due(date("2026-02-10"), date(today), after);
            assert_eq!(due, expected.map(date), "{today}, {after}");
        }
    }

    #[test]
    fn a_closed_day_keeps_its_figures_and_nothing_is_lost() {
        let closes = Closes::new([(date("2026-02-10"), at("2026-02-11T09:00:00Z"))]);
        let fact = |occurred_at: &str, recorded_at: &str| Fact {
            user_id: UserId::from_uuid(Uuid::nil()),
            occurred_at: at(occurred_at),
            recorded_at: at(recorded_at),
            kind: FactKind::LeadCollected,
        };
        let mut facts = vec![fact("2026-02-10T09:00:00Z", "2026-02-10T09:00:00Z")];
        let frozen = closes.in_time(facts.clone(), Tz::UTC).expect("days");
        // One in time that the close did not see yet, one late, and one on an open day.
        facts.push(fact("2026-02-10T10:00:00Z", "2026-02-11T08:59:59Z"));
        facts.push(fact("2026-02-10T11:00:00Z", "2026-02-12T09:00:00Z"));
        facts.push(fact("2026-02-11T09:00:00Z", "2026-02-12T09:00:00Z"));
        let people = [UserId::from_uuid(Uuid::nil())];
        let range = DateRange { from: date("2026-02-09"), to: date("2026-02-13") };
        let days = closes.days((&people, range), facts, frozen, Tz::UTC).expect("days");
        let leads: Vec<_> =
            days.iter().map(|day| (day.figures.leads, day.late.leads, day.has_late())).collect();
        assert_eq!(leads, [(0, 0, false), (1, 2, true), (1, 0, false), (0, 0, false)]);
        let closed: Vec<_> = days.iter().map(|day| day.closed_at.is_some()).collect();
        assert_eq!(closed, [true, true, false, false]);
    }
}
