//! Daily facts: what people did on each day, the close of days, and the check of what was frozen.

use chrono::{Days, NaiveDate};
use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::daily_facts::{
    CLOSE_DAYS_MAX, Closes, DailyFact, DayClose, FACT_DAYS_MAX, FactDifference, Flag, first_difference,
};
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::UserId;
use evenhand_domain::organizations::Organization;
use evenhand_domain::time::DateRange;
use evenhand_persistence::{Reader, Tx};

use crate::door::{App, Command, Query};

/// A person's day, and what looks implausible on it where the caller may see single activities.
#[derive(Clone, Debug)]
pub struct Day {
    /// The figures.
    pub fact: DailyFact,
    /// What looks implausible; `None` for callers who may not know.
    pub flags: Option<Vec<Flag>>,
}

/// Each day of a person, oldest first.
#[derive(Debug)]
pub struct DailyFactsOf {
    /// Whose.
    pub user: UserId,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

impl Query for DailyFactsOf {
    const PERMISSION: Permission = Permission::ReadDailyFacts;
    type Output = Vec<Day>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Day>> {
        if !(0..FACT_DAYS_MAX).contains(&(self.to - self.from).num_days()) {
            let message = format!("The last day follows the first within {FACT_DAYS_MAX} days.");
            return Err(Problem::new(Code::OutOfRange, message).at("to").into());
        }
        let (facts, flags) = reader.flagged_facts_of(&[self.user], self.from, self.to).await?;
        if facts.is_empty() {
            return Err(Error::NotFound);
        }
        let shown = reader.grant().also(Permission::ReadActivities).is_ok();
        let day = |fact: DailyFact| {
            let flags = flags.iter().filter(|flag| flag.date == fact.date).copied().collect();
            Day { flags: shown.then_some(flags), fact }
        };
        Ok(facts.into_iter().map(day).collect())
    }
}

/// Closes days, and freezes their figures. Answers through which day it came.
#[derive(Debug)]
pub struct CloseDays {
    /// The last day to be closed.
    pub through: NaiveDate,
}

impl Command for CloseDays {
    const PERMISSION: Permission = Permission::CloseDays;
    type Output = NaiveDate;

    async fn run(&self, tx: &mut Tx) -> Result<NaiveDate> {
        let (reader, zone) = (tx.read(), tx.grant().zone());
        let last = reader.day_close().await?;
        let first_work = if last.is_none() { reader.unscoped_first_work().await? } else { None };
        let today = tx.grant().today(tx.now());
        let organization = tx.grant().organization()?;
        let (change, range) =
            DayClose::close(organization, (last.as_ref(), first_work), self.through, (today, tx.now()))?;
        let facts = reader.unscoped_facts(None, range).await?;
        let closes = Closes::new([(change.state().through, change.state().closed_at)]);
        let frozen = closes.in_time(facts, zone)?;
        Ok(tx.save_close(change, &frozen).await?.through)
    }
}

/// The last closed day.
struct ClosedThrough;

impl Query for ClosedThrough {
    const PERMISSION: Permission = Permission::CloseDays;
    type Output = Option<NaiveDate>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Option<NaiveDate>> {
        Ok(reader.day_close().await?.map(|close| close.through))
    }
}

impl App {
    /// Closes, as the system, the days of all organisations that ended long enough ago: one bounded step for each.
    /// True while there may be more to close. What fails in one organisation holds up no other.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn close_old_days(&self) -> Result<bool> {
        let mut more = false;
        for organization in self.store().unscoped_organizations().await? {
            match self.close_old_days_of(&organization).await {
                Ok(left) => more |= left,
                Err(error) => {
                    let organization = organization.id;
                    tracing::warn!(%organization, %error, "old days could not be closed; trying again later");
                }
            }
        }
        Ok(more)
    }

    async fn close_old_days_of(&self, organization: &Organization) -> Result<bool> {
        let &Organization { id, time_zone: zone, created_at, .. } = organization;
        let (created_on, today) = (created_at.date_in(zone), self.now().date_in(zone));
        let due = DayClose::due(created_on, today, self.services().close_days_after);
        let Some(through) = due else { return Ok(false) };
        let actor = Actor::System { organization: id, zone };
        if self.query(&actor, &ClosedThrough).await? >= Some(through) {
            return Ok(false);
        }
        match self.execute(&actor, "close-days", &CloseDays { through }).await {
            Ok(closed) => Ok(closed < through),
            // Another worker is at it.
            Err(Error::Conflict | Error::Contention) => Ok(true),
            // Another worker has done it.
            Err(Error::Rejected(problems)) if problems.iter().all(|found| found.code == Code::TooEarly) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// What a check of frozen days found.
#[derive(Clone, Debug, Default)]
pub struct FactCheck {
    /// Days of persons that hold.
    pub held: usize,
    /// The first figure that is not what the facts say.
    pub difference: Option<FactDifference>,
}

/// Recomputes all frozen days from the facts, up to the first difference.
#[derive(Debug)]
pub struct CheckFacts;

impl Query for CheckFacts {
    const PERMISSION: Permission = Permission::CloseDays;
    type Output = FactCheck;

    async fn run(&self, reader: &Reader<'_>) -> Result<FactCheck> {
        let mut check = FactCheck::default();
        let Some(close) = reader.day_close().await? else { return Ok(check) };
        let firsts = [reader.unscoped_first_work().await?, reader.unscoped_first_frozen_day().await?];
        let Some(mut from) = firsts.into_iter().flatten().min() else { return Ok(check) };
        while from <= close.through {
            let to = (from + Days::new(CLOSE_DAYS_MAX)).min(close.through + Days::new(1));
            let range = DateRange { from, to };
            let stored = reader.unscoped_frozen_days(None, range).await?;
            let facts = reader.unscoped_facts(None, range).await?;
            let recomputed = reader.closes(range).await?.in_time(facts, reader.grant().zone())?;
            check.difference = first_difference(&stored, &recomputed);
            if check.difference.is_some() {
                break;
            }
            check.held += stored.len();
            from = to;
        }
        Ok(check)
    }
}
