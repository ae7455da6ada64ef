//! What the days to come could bring: drawn from days that were, and from the deals that are open.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::{Crew, Outlook, ProjectionBasis, actual};
use crate::daily_facts::Figures;
use crate::derivation::{Draws, Quantiles};
use crate::fraction::Fraction;
use crate::id::UserId;
use crate::money::Money;
use crate::targets::{Metric, Quantity, WHOLE_PPM, WORKDAYS_MAX};
use crate::time::{DateRange, Timestamp};

/// How much of the past a projection draws from, in days: half a year.
pub const HISTORY_DAYS: u64 = 182;
/// Fewer workdays on record than these tell nothing of the days to come: a month.
pub const HISTORY_WORKDAYS_MIN: usize = 20;
/// Periods that are drawn for a projection: enough for its quantiles, few enough to be drawn at each look.
pub const PROJECTION_DRAWS: u32 = 2_000;
/// How old a deal may be to count as open or as an example, in days: a year.
pub const PIPELINE_DAYS: u64 = 365;
/// Fewer deals whose fate is known than these tell nothing of those that are open.
pub const PIPELINE_DEALS_MIN: usize = 20;
/// Days from one forecast that is scored to the next: a week.
pub const FORECAST_DAYS: u64 = 7;
/// Throws for open deals in all draws together; where deals are many, fewer draws tell as much.
const THROWS_MAX: usize = 2_000_000;
/// Fewest draws, however many deals are open.
const DRAWS_MIN: usize = 200;
/// Fewer deals than these tell no chance of their age.
const EXAMPLES_MIN: usize = 10;

/// A deal, as far as the chance of open ones follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DealCourse {
    /// Who sells.
    pub owner_id: UserId,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was won.
    pub won_at: Option<Timestamp>,
    /// When it was lost.
    pub lost_at: Option<Timestamp>,
    /// When it was taken back, after it was won.
    pub cancelled_at: Option<Timestamp>,
    /// Expected or booked value.
    pub value: Option<Money>,
}

/// A deal in local days. What was taken back counts as not won, from the day on which it was won.
#[derive(Clone, Copy, Debug)]
struct Course {
    opened_on: NaiveDate,
    /// When it ended, and whether it was won; `None` while it is open.
    ended: Option<(NaiveDate, bool)>,
    value: Option<Money>,
}

impl Course {
    /// Whole days from its beginning to the day on which it was won; `None` unless it was.
    fn days_to_win(&self) -> Option<u64> {
        let (won_on, true) = self.ended? else { return None };
        u64::try_from((won_on - self.opened_on).num_days()).ok()
    }

    /// What it adds to deals, in millionths, or to revenue in the unit of `like`, in minor units; `None` for another unit.
    fn value_in(&self, metric: Metric, like: Quantity) -> Option<i64> {
        match metric {
            Metric::Revenue => {
                let value = self.value.map(Quantity::Money)?;
                (like.with_value(value.value()) == value).then(|| value.value())
            }
            _ => Some(WHOLE_PPM),
        }
    }
}

/// The deals of an owner as they stood at a moment: those that are open, and those that show what becomes of them.
#[derive(Clone, Debug)]
pub struct Pipeline {
    today: NaiveDate,
    deals: Vec<Course>,
}

impl Pipeline {
    /// The deals of `crew` that began within [`PIPELINE_DAYS`] before `as_of`, as they stood then.
    pub fn at(crew: &Crew, courses: &[DealCourse], zone: Tz, as_of: Timestamp) -> Self {
        let today = as_of.date_in(zone);
        let by_then = |moment: Option<Timestamp>| moment.filter(|&at| at <= as_of);
        let course = |deal: &DealCourse| {
            let won = by_then(deal.won_at).map(|at| (at, by_then(deal.cancelled_at).is_none()));
            let ended = won.or(by_then(deal.lost_at).map(|at| (at, false)));
            let ended = ended.map(|(at, won)| (at.date_in(zone), won));
            let opened_on = deal.opened_at.date_in(zone);
            let counts = deal.opened_at <= as_of
                && opened_on + Days::new(PIPELINE_DAYS) > today
                && crew.counts(deal.owner_id, ended.map_or(today, |(day, _)| day));
            counts.then_some(Course { opened_on, ended, value: deal.value })
        };
        Self { today, deals: courses.iter().filter_map(course).collect() }
    }

    /// Of the deals that were open at the age of `age` days and whose next `horizon` days have passed: how many there
    /// are, and how many were won within those days.
    fn examples(&self, age: u64, horizon: u64) -> (usize, usize) {
        let reached = |deal: &&Course| {
            deal.opened_on + Days::new(age + horizon) <= self.today
                && deal.ended.is_none_or(|(day, _)| deal.opened_on + Days::new(age) < day || age == 0)
        };
        let won = |deal: &&Course| deal.days_to_win().is_some_and(|days| days <= age + horizon);
        let examples: Vec<_> = self.deals.iter().filter(reached).collect();
        (examples.len(), examples.into_iter().filter(won).count())
    }

    /// The chance in parts per million of deals of each age, from fresh ones to those of `age` days, to be won within
    /// the next `horizon` days: the share of at least [`EXAMPLES_MIN`] examples; older than those, that of the oldest age
    /// with so many. `None` where too few examples show anything.
    fn chances(&self, age: u64, horizon: u64) -> Option<Vec<u32>> {
        if self.examples(0, horizon).0 < PIPELINE_DEALS_MIN {
            return None;
        }
        let mut chances: Vec<u32> = Vec::new();
        for age in 0..=age {
            let (seen, won) = self.examples(age, horizon);
            let chance = match chances.last() {
                Some(&older) if seen < EXAMPLES_MIN => older,
                _ => u32::try_from(Fraction::new(won as i128, seen as i128)?.ppm()?).ok()?,
            };
            chances.push(chance);
        }
        Some(chances)
    }

    /// What each open deal adds to a metric in the unit of `like`, with its chance to be won within the next `horizon`
    /// days; `None` as for [`Pipeline::chances`].
    fn open(&self, metric: Metric, like: Quantity, horizon: u64) -> Option<Vec<(i64, u32)>> {
        let age = |deal: &Course| u64::try_from((self.today - deal.opened_on).num_days()).unwrap_or(0);
        let open = || self.deals.iter().filter(|deal| deal.ended.is_none());
        let chances = self.chances(open().map(age).max().unwrap_or(0), horizon)?;
        let chance = |deal: &Course| chances.get(usize::try_from(age(deal)).ok()?).copied();
        Some(open().filter_map(|deal| Some((deal.value_in(metric, like)?, chance(deal)?))).collect())
    }

    /// The deals that were won: when, after how many days, and what each adds to a metric.
    fn won(&self, metric: Metric, like: Quantity) -> impl Iterator<Item = (NaiveDate, u64, i64)> {
        self.deals.iter().filter_map(move |deal| {
            let (won_on, _) = deal.ended?;
            Some((won_on, deal.days_to_win()?, deal.value_in(metric, like)?))
        })
    }

    /// What was won on each day within `horizon` days of its beginning: the part that a span of so many days holds on
    /// average of deals that began within it. A deal that took `d` of `h` days is won within the span in which it began
    /// for `h - d` of `h` beginnings.
    fn new_business(&self, metric: Metric, like: Quantity, horizon: u64) -> Vec<(NaiveDate, i64)> {
        let part = |(won_on, days, value): (NaiveDate, u64, i64)| {
            let left = i128::from(horizon.checked_sub(days)?);
            let part = Fraction::new(i128::from(value) * left, horizon.into())?.round();
            Some((won_on, i64::try_from(part).ok()?))
        };
        self.won(metric, like).filter_map(part).collect()
    }
}

/// What an owner did on the days before a moment.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The days before that of the moment, which is not over.
    pub history: DateRange,
    /// What was done on each day.
    pub days: &'a BTreeMap<NaiveDate, Figures>,
    /// The days on which somebody works.
    pub workdays: &'a [(NaiveDate, u64)],
    /// The deals; `None` before the period has begun, since what is open then may be won before it.
    pub pipeline: Option<&'a Pipeline>,
}

impl Past<'_> {
    /// What `days_left` workdays up to `until` (exclusive) bring of a metric in the unit of `like`. Deals and revenue
    /// come from new business and from the open deals where enough deals show what becomes of open ones, revenue only of
    /// an owner who shares no deals; all else from
    /// the run rate, which holds the open deals. The same days draw the same on every machine. `None` for a share,
    /// where no day is left, and with fewer than [`HISTORY_WORKDAYS_MIN`] workdays since the first work on record.
    pub fn outlook(
        &self,
        (metric, like): (Metric, Quantity),
        days_left: u32,
        until: NaiveDate,
    ) -> Option<Outlook> {
        if !metric.is_additive() || days_left == 0 {
            return None;
        }
        let of_deals = matches!(metric, Metric::DealsWon | Metric::Revenue);
        let with_pipeline = || self.with_pipeline((metric, like), days_left, until);
        of_deals.then(with_pipeline).flatten().or_else(|| {
            let done = self
                .days
                .iter()
                .map(|(&day, figures)| (day, actual(figures, metric, like).map_or(0, Quantity::value)));
            let (draws, _) = self.draw(metric, done, days_left, PROJECTION_DRAWS)?;
            Some(Outlook { quantiles: draws.quantiles(), basis: ProjectionBasis::RunRate })
        })
    }

    fn with_pipeline(
        &self,
        (metric, like): (Metric, Quantity),
        days_left: u32,
        until: NaiveDate,
    ) -> Option<Outlook> {
        // Today's work is done; the first day to come is tomorrow.
        let horizon =
            u64::try_from((until - self.history.to).num_days() - 1).ok().filter(|&days| days > 0)?;
        let pipeline = self.pipeline?;
        if metric == Metric::Revenue && !self.is_credited_whole(pipeline, like) {
            return None;
        }
        let open = pipeline.open(metric, like, horizon)?;
        let draws = THROWS_MAX / open.len().max(1);
        let draws = u32::try_from(draws.max(DRAWS_MIN)).unwrap_or(u32::MAX).min(PROJECTION_DRAWS);
        let won = pipeline.new_business(metric, like, horizon);
        let (new_business, seed) = self.draw(metric, won.into_iter(), days_left, draws)?;
        let all = new_business.plus(&open, seed).quantiles();
        let unit = if metric == Metric::Revenue { 1 } else { WHOLE_PPM };
        let whole = |value: i64| i64::try_from(Fraction::new(value.into(), unit.into())?.round()).ok();
        let quantiles = Quantiles {
            p10: whole(all.p10)?,
            p25: whole(all.p25)?,
            p50: whole(all.p50)?,
            p75: whole(all.p75)?,
            p90: whole(all.p90)?,
        };
        Some(Outlook { quantiles, basis: ProjectionBasis::NewBusinessAndPipeline })
    }

    /// Whether what was credited in the past is the whole of the owner's deals, so that revenue follows from them. Who
    /// shares deals with others is credited less than their own and more than nothing of those of others.
    fn is_credited_whole(&self, pipeline: &Pipeline, like: Quantity) -> bool {
        let booked: i128 = pipeline
            .won(Metric::Revenue, like)
            .filter(|&(day, ..)| self.history.contains(day))
            .map(|(.., value)| i128::from(value))
            .sum();
        let credited = self.days.range(self.history.from..self.history.to);
        let credited: i128 = credited
            .filter_map(|(_, figures)| actual(figures, Metric::Revenue, like))
            .map(|revenue| i128::from(revenue.value()))
            .sum();
        booked == credited
    }

    /// Draws the sums of `days_left` workdays like those of history, to which `values` of days belong; with the seed.
    fn draw(
        &self,
        metric: Metric,
        values: impl Iterator<Item = (NaiveDate, i64)>,
        days_left: u32,
        draws: u32,
    ) -> Option<(Draws, [u8; 32])> {
        let (&first, _) = self.days.range(self.history.from..self.history.to).next()?;
        let history = DateRange { from: first, ..self.history };
        let dates: Vec<NaiveDate> =
            self.workdays.iter().map(|&(day, _)| day).filter(|&day| history.contains(day)).collect();
        if dates.len() < HISTORY_WORKDAYS_MIN {
            return None;
        }
        let mut series = vec![0_i64; dates.len()];
        for (date, value) in values.filter(|(date, _)| history.contains(*date)) {
            // What was done on a day off goes to the next workday, or to the last, so that nothing is lost.
            let place = dates.partition_point(|&day| day < date).min(dates.len() - 1);
            series[place] = series[place].checked_add(value)?;
        }
        let most = series.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
        i64::try_from(most).ok()?.checked_mul(WORKDAYS_MAX.into())?;
        let told = format!("{} {first} {} {days_left} {series:?}", metric.as_str(), history.to);
        let seed: [u8; 32] = Sha256::digest(told).into();
        Some((Draws::new(&[series], days_left, draws, seed)?, seed))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::EntityId;
    use crate::money::Currency;
    use crate::time::parse_date;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    fn at(day: NaiveDate) -> Timestamp {
        Timestamp::start_of(day, Tz::UTC)
    }

    fn me() -> UserId {
        UserId::from_uuid(Uuid::nil())
    }

    fn usd(minor: i64) -> Quantity {
        Quantity::Money(Money::new(minor, Currency::parse("USD").expect("a currency")))
    }

    /// A deal that began on a day, and was won after so many days, if at all.
    fn deal(opened_on: NaiveDate, won_after: Option<u64>) -> DealCourse {
        DealCourse {
            owner_id: me(),
            opened_at: at(opened_on),
            won_at: won_after.map(|days| at(opened_on + Days::new(days))),
            lost_at: None,
            cancelled_at: None,
            value: Some(Money::new(1_000, Currency::parse("USD").expect("a currency"))),
        }
    }

    fn pipeline(courses: &[DealCourse], today: &str) -> Pipeline {
        Pipeline::at(&Crew::Person(me()), courses, Tz::UTC, at(date(today)))
    }

    /// Forty deals, one a day from the first of January: of each four one is won after 5 days and one after 20.
    fn forty() -> Vec<DealCourse> {
        let won_after = |number: u64| [Some(5), Some(20), None, None][number as usize % 4];
        (0..40).map(|number| deal(date("2026-01-01") + Days::new(number), won_after(number))).collect()
    }

    #[test]
    fn the_chance_of_an_open_deal_is_that_of_deals_of_its_age() {
        // A deal that is ten days old on the first of March, beside the twenty that nobody bought.
        let mut courses = forty();
        courses.push(deal(date("2026-02-19"), None));
        let open = |metric, like, today, horizon| {
            let found = pipeline(&courses, today).open(metric, like, horizon)?;
            Some(found.iter().map(|&(_, chance)| chance).collect::<Vec<_>>())
        };
        let deals = Quantity::Count(0);
        let chances = open(Metric::DealsWon, deals, "2026-03-01", 10).expect("chances");
        assert_eq!(chances, [vec![0; 20], vec![333_333]].concat(), "10 of 30");
        assert_eq!(open(Metric::Revenue, usd(0), "2026-03-01", 10), Some(chances));
        let eur = Quantity::Money(Money::new(0, Currency::parse("EUR").expect("a currency")));
        assert_eq!(open(Metric::Revenue, eur, "2026-03-01", 10), Some(vec![]), "another currency");
        assert_eq!(open(Metric::DealsWon, deals, "2026-01-29", 10), None, "19 examples");
        let pipeline = pipeline(&forty(), "2026-06-01");
        assert_eq!(pipeline.examples(0, 10), (40, 10));
        assert_eq!(pipeline.examples(10, 10), (30, 10));
        assert_eq!(pipeline.examples(20, 10), (20, 0));
    }

    #[test]
    fn a_deal_stands_as_it_was_known_at_the_moment() {
        let mut courses = vec![deal(date("2026-01-01"), Some(10)), deal(date("2026-01-20"), None)];
        courses[0].cancelled_at = Some(at(date("2026-02-01")));
        for (today, open, won) in
            [("2026-01-10", 1, 0), ("2026-01-11", 0, 1), ("2026-01-31", 1, 1), ("2026-02-01", 1, 0)]
        {
            let deals = pipeline(&courses, today).deals;
            let count = |ended: fn(&Course) -> bool| deals.iter().filter(|deal| ended(deal)).count();
            let found = (count(|deal| deal.ended.is_none()), count(|deal| deal.days_to_win().is_some()));
            assert_eq!(found, (open, won), "{today}");
        }
        assert_eq!(pipeline(&courses, "2027-01-21").deals.len(), 0, "too old to tell anything");
    }

    #[test]
    fn what_began_within_the_span_is_new_business() {
        let new = pipeline(&forty(), "2026-06-01").new_business(Metric::DealsWon, Quantity::Count(0), 10);
        // Ten deals of five days fit into half of the spans of ten days, those of twenty into none.
        assert_eq!(new.iter().map(|(_, micros)| micros).sum::<i64>(), 10 * 500_000);
        let new = pipeline(&forty(), "2026-06-01").new_business(Metric::Revenue, usd(0), 40);
        assert_eq!(new.iter().map(|(_, minor)| minor).sum::<i64>(), 10 * (875 + 500));
    }

    /// What can be expected on a day, from one call and one deal a day since the first of January.
    fn outlook(courses: &[DealCourse], today: &str, metric: Metric, days_left: u32) -> Option<Outlook> {
        let history = DateRange { from: date("2026-01-01"), to: date(today) };
        let figures = Figures { calls: 1, deals: 1, ..Figures::default() };
        let days: BTreeMap<_, _> = history.dates().map(|day| (day, figures.clone())).collect();
        let workdays: Vec<_> = history.dates().map(|day| (day, 1)).collect();
        let pipeline = pipeline(courses, today);
        let past = Past { history, days: &days, workdays: &workdays, pipeline: Some(&pipeline) };
        past.outlook(
            (metric, Quantity::Count(0)),
            days_left,
            history.to + Days::new(u64::from(days_left) + 1),
        )
    }

    #[test]
    fn one_basis_is_chosen_and_an_open_deal_counts_once() {
        let run_rate = outlook(&[], "2026-03-01", Metric::DealsWon, 10).expect("a run rate");
        assert_eq!(run_rate.basis, ProjectionBasis::RunRate);
        assert_eq!((run_rate.quantiles.p10, run_rate.quantiles.p90), (10, 10), "a deal on each day");
        let found = outlook(&forty(), "2026-03-01", Metric::DealsWon, 10).expect("a pipeline");
        assert_eq!(found.basis, ProjectionBasis::NewBusinessAndPipeline);
        // Nobody buys deals as old as those that are open; what is left is what began and was won within ten days.
        assert!(found.quantiles.p90 < 3, "{found:?}");
        // Thirty fresh deals beside them, of each of which a quarter is won: 7.5, give or take 2.4.
        let fresh = (0..30).map(|_| deal(date("2026-03-01"), None));
        let fresh: Vec<_> = forty().into_iter().chain(fresh).collect();
        let more = outlook(&fresh, "2026-03-01", Metric::DealsWon, 10).expect("a pipeline").quantiles;
        assert!(
            (3..=6).contains(&more.p10) && (7..=10).contains(&more.p50) && (10..=14).contains(&more.p90),
            "{more:?}"
        );
        let calls = outlook(&forty(), "2026-03-01", Metric::Calls, 10).expect("a run rate");
        assert_eq!(calls.basis, ProjectionBasis::RunRate);
        assert_eq!(outlook(&forty(), "2026-03-01", Metric::LeadQuality, 10), None, "a share");
        assert_eq!(outlook(&forty(), "2026-03-01", Metric::Calls, 0), None, "no day is left");
        assert_eq!(outlook(&forty(), "2026-01-20", Metric::Calls, 10), None, "too few days");
        let again = || outlook(&forty(), "2026-03-01", Metric::DealsWon, 10);
        assert_eq!(again(), again(), "the same days draw the same");
    }
}
