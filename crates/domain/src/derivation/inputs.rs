//! What a derivation rests on: counts and daily series, not single facts, in a form that is stored with it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::achievability::Band;
use super::bootstrap::DRAWS_MAX;
use super::cohorts::Lags;
use super::numbers::DealSizes;
use super::ramp::Ramp;
use super::rates::{Assumed, COUNT_MAX, FunnelCounts, Priors};
use super::season::Season;
use super::{canonical, sha256};
use crate::attainment::Snapshot;
use crate::calendars::WorkHours;
use crate::error::{Code, Problem, Problems, Result};
use crate::fraction::{Fraction, PPM};
use crate::id::{TargetId, UserId};
use crate::money::{AMOUNT_MINOR_MAX, Money};
use crate::targets::Metric;
use crate::time::{DateRange, Period};

/// Largest goal, in deals.
pub const GOAL_DEALS_MAX: u64 = 1_000_000;
/// Most days of history of a person: ten years.
pub const DAYS_MAX: usize = 3_660;
/// Most persons whose days are pooled.
pub const TEAM_SERIES_MAX: usize = 1_000;
/// Most results of earlier targets that a derivation cites.
pub const CITES_MAX: usize = 3;
/// Most deals of a person in a day.
pub const DAY_COUNT_MAX: i64 = 10_000;
/// Bounds of an index of season, in parts per million: a hundredth to a thousandfold.
const INDEX_PPM: std::ops::RangeInclusive<u32> = 10_000..=1_000_000_000;

/// What is asked for in the period, of a settled person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// So many deals.
    Deals(u64),
    /// So much revenue, which the mean deal turns into deals.
    Revenue(Money),
}

impl Goal {
    /// The goal in deals.
    pub(super) fn deals(self, sizes: Option<&DealSizes>) -> Result<u64, Problem> {
        let deals = match self {
            Self::Deals(deals) => deals,
            Self::Revenue(revenue) => {
                let sizes = sizes.ok_or_else(|| {
                    let message =
                        "No deal is on record that could turn revenue into deals; set a goal in deals.";
                    Problem::new(Code::Required, message).at("goal")
                })?;
                if sizes.currency != revenue.currency {
                    let message = format!("The deals on record are in {}.", sizes.currency.code());
                    return Err(Problem::new(Code::CurrencyMismatch, message).at("goal"));
                }
                sizes.deals_for(revenue).ok_or_else(|| too_large("goal"))?
            }
        };
        if deals > GOAL_DEALS_MAX { Err(too_large("goal")) } else { Ok(deals) }
    }

    fn check(self) -> Result<Self, Problem> {
        let fine = match self {
            Self::Deals(deals) => (1..=GOAL_DEALS_MAX).contains(&deals),
            Self::Revenue(revenue) => (1..=AMOUNT_MINOR_MAX).contains(&revenue.minor),
        };
        if fine { Ok(self) } else { Err(out_of_range("A goal is above zero and at most 1,000,000 deals.")) }
    }
}

/// Deals won less cancelled on a workday; written as a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(NaiveDate, i64)", into = "(NaiveDate, i64)")]
pub struct DayCount {
    /// The workday.
    pub date: NaiveDate,
    /// Deals.
    pub count: i64,
}

impl From<(NaiveDate, i64)> for DayCount {
    fn from((date, count): (NaiveDate, i64)) -> Self {
        Self { date, count }
    }
}

impl From<DayCount> for (NaiveDate, i64) {
    fn from(day: DayCount) -> Self {
        (day.date, day.count)
    }
}

/// The daily series of a person: one entry for each workday in `range`, zeros included. What was counted on another
/// day goes to the next workday, or to the last one where none follows, so that nothing is lost. Empty
/// without workdays. Begin `range` with the first day on which anything of the person is on record.
pub fn day_series(
    counts: &BTreeMap<NaiveDate, i64>,
    range: DateRange,
    hours: &WorkHours,
    leave: &[DateRange],
) -> Vec<DayCount> {
    let mut days: Vec<_> =
        hours.workday_dates(range, leave).map(|date| DayCount { date, count: 0 }).collect();
    for (&date, &count) in counts.iter().filter(|(date, _)| range.contains(**date)) {
        let next = days.partition_point(|day| day.date < date);
        let last = days.len().saturating_sub(1);
        if let Some(day) = days.get_mut(next.min(last)) {
            day.count = day.count.saturating_add(count);
        }
    }
    days
}

/// Everything that a derivation rests on. All days lie before `window.to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// Whose target it is.
    pub user_id: UserId,
    /// For which period.
    pub period: Period,
    /// What is asked for.
    pub goal: Goal,
    /// The probabilities that the level of the target allows.
    pub band: Band,
    /// Wanted share of usable leads in parts per million; `None` takes the person's own rate.
    pub quality_ppm: Option<u32>,
    /// The window of history; facts from `window.to` on are not known.
    pub window: DateRange,
    /// Days after which a prospect was old enough to judge, see [`super::maturity_days`].
    pub maturity_days: u32,
    /// What the person did in the window.
    pub own: FunnelCounts,
    /// What the team did, the person included.
    pub team: FunnelCounts,
    /// How much the team's rates weigh.
    pub priors: Priors,
    /// Rates that somebody states.
    pub assumed: Assumed,
    /// Daily deals of the person, see [`day_series`].
    pub own_days: Vec<DayCount>,
    /// Daily deals of each person of the team; used while the person's own history is short.
    pub team_days: Vec<Vec<DayCount>>,
    /// The season, where it is known.
    pub season: Option<Season>,
    /// Sizes of the person's deals.
    pub own_sizes: Option<DealSizes>,
    /// Sizes of the team's deals.
    pub team_sizes: Option<DealSizes>,
    /// How long the person's steps take.
    pub own_lags: Lags,
    /// How long the team's steps take.
    pub team_lags: Lags,
    /// First day of work of the person, where known.
    pub hired_on: Option<NaiveDate>,
    /// How new hires ramp up; `None` takes the stated table.
    pub ramp: Option<Ramp>,
    /// Working hours of the person.
    pub hours: WorkHours,
    /// Leave of the person.
    pub leave: Vec<DateRange>,
    /// Number of draws, 1 to [`DRAWS_MAX`].
    pub draws: u32,
    /// Frozen results of earlier targets, the base of this one.
    pub cites: Vec<Cited>,
}

/// The frozen result of an earlier target, in deals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cited {
    /// First day of its period.
    pub from: NaiveDate,
    /// First day after its period.
    pub to: NaiveDate,
    /// Which.
    pub target_id: TargetId,
    /// What was asked.
    pub target: i64,
    /// What was reached.
    pub actual: i64,
}

impl Cited {
    /// What a closed target tells; `None` where it did not ask for deals.
    pub fn of(period: Period, snapshot: &Snapshot) -> Option<Self> {
        let line = snapshot.lines.iter().find(|line| line.metric == Metric::DealsWon)?;
        let DateRange { from, to } = period.days();
        let (target, actual) = (line.target.value(), line.actual?.value());
        Some(Self { from, to, target_id: snapshot.target_id, target, actual })
    }
}

impl Inputs {
    /// Checks everything, and puts lists whose order says nothing into one order.
    pub(super) fn checked(mut self) -> Result<Self> {
        let mut problems = Problems::default();
        problems.take("goal", self.goal.check());
        problems.take("band", self.band.check());
        let quality = self.quality_ppm.is_none_or(|ppm| (1..=PPM as u32).contains(&ppm));
        let mut require = |fine: bool, field: &str, message: &str| {
            if !fine {
                problems.push(out_of_range(message).at(field));
            }
        };
        require(quality, "qualityPpm", "The share of usable leads lies between 1 and 1,000,000 ppm.");
        require(self.window.from < self.window.to, "window", "The window of history ends after it begins.");
        require((1..=DRAWS_MAX).contains(&self.draws), "draws", "A derivation takes 1 to 100,000 draws.");
        for (field, counts) in [("own", &self.own), ("team", &self.team)] {
            require(counted(counts), field, "A count is at most 100,000,000.");
        }
        for (field, sizes) in [("ownSizes", &self.own_sizes), ("teamSizes", &self.team_sizes)] {
            require(sizes.is_none_or(|sizes| sizes.count > 0), field, "Sizes come from at least one deal.");
        }
        let index =
            self.season.is_none_or(|season| season.index_ppm.iter().all(|ppm| INDEX_PPM.contains(ppm)));
        require(index, "season", "An index lies between 10,000 and 1,000,000,000 ppm.");
        require(stated(&self.assumed), "assumed", "A stated rate lies between 1/1,000,000 and 1,000,000.");

        self.own_days.sort_unstable();
        require(series(&self.own_days, self.window), "ownDays", SERIES);
        self.team_days.iter_mut().for_each(|days| days.sort_unstable());
        self.team_days.sort_unstable();
        let team = self.team_days.len() <= TEAM_SERIES_MAX
            && self.team_days.iter().all(|days| series(days, self.window));
        require(team, "teamDays", SERIES);
        self.leave.sort_unstable();
        self.cites.sort_unstable();
        require(self.cites.len() <= CITES_MAX, "cites", "A derivation cites at most 3 results.");
        problems.finish().map(|()| self)
    }

    /// SHA-256 of the inputs as canonical JSON.
    pub(super) fn seed(&self) -> Result<[u8; 32]> {
        Ok(sha256(&canonical(self)?))
    }
}

const SERIES: &str = "A series holds each day of the window at most once, with at most 10,000 deals.";

fn series(days: &[DayCount], window: DateRange) -> bool {
    days.len() <= DAYS_MAX
        && days.is_sorted_by(|a, b| a.date < b.date)
        && days
            .iter()
            .all(|day| window.contains(day.date) && (-DAY_COUNT_MAX..=DAY_COUNT_MAX).contains(&day.count))
}

fn counted(counts: &FunnelCounts) -> bool {
    let &FunnelCounts { leads, usable_leads, calls, prospects, mature_prospects, won_prospects } = counts;
    [leads, usable_leads, calls, prospects, mature_prospects, won_prospects]
        .into_iter()
        .all(|count| count <= COUNT_MAX)
}

fn stated(assumed: &Assumed) -> bool {
    let most = i128::from(PPM);
    let fine = |rate: Fraction| (1..=most).contains(&rate.numerator()) && rate.denominator() <= most;
    [assumed.deals_per_prospect, assumed.prospects_per_call, assumed.calls_per_usable_lead]
        .into_iter()
        .flatten()
        .all(fine)
}

pub(super) fn out_of_range(message: &str) -> Problem {
    Problem::new(Code::OutOfRange, message)
}

pub(super) fn too_large(field: &str) -> Problem {
    out_of_range("The goal is beyond what can be derived; lower it.").at(field)
}
