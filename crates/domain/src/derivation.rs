//! Derivation of targets: from a person's own recorded work to the numbers that a goal takes, and how likely
//! it is.
//!
//! A manager asks for four deals a month. The person's rates, shrunk to the team's where history is short, say how
//! many prospects, calls and leads that means; days drawn from their own past say how likely it is. Everything
//! is exact: whole numbers and fractions, with a written-down direction for each rounding. A derivation holds
//! its inputs, so that anybody can repeat it and compare the bytes.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Problem, Result};
use crate::fraction::{Fraction, PPM};
use crate::money::Money;
use crate::time::{Period, PeriodKind};
use crate::wire::wire_enum;

mod achievability;
mod bootstrap;
mod cohorts;
pub mod history;
mod inputs;
mod numbers;
mod prose;
mod ramp;
mod rates;
mod season;
pub mod statistics;

pub use achievability::{
    Achievability, AchievabilityVerdict, Band, COMPARABLE_WORKDAYS_PPM, GoalRange, HISTORY_MONTHS_MIN,
    HistoryBasis, TrackRecord,
};
pub use bootstrap::{
    BLOCK_DAYS, DRAWS_DEFAULT, DRAWS_MAX, Draws, Probability, Quantiles, SHORT_BLOCK_DAYS, block_days,
};
pub use cohorts::{
    Cohort, FunnelStage, LAG_CONVERSIONS_MIN, Lag, Lags, MATURITY_CONVERSIONS_MIN, MATURITY_DAYS_DEFAULT,
    MATURITY_PERCENTILE, StageDates, Trial, maturity_days, stage_dates,
};
pub use inputs::{
    CITES_MAX, Cited, DAY_COUNT_MAX, DAYS_MAX, DayCount, GOAL_DEALS_MAX, Goal, Inputs, TEAM_SERIES_MAX,
    day_series,
};
pub use numbers::{Amount, DealSizes, FunnelNumbers, NUMBER_MAX};
pub use ramp::{RAMP_HIRES_MIN, RAMP_MONTHS, RAMP_TABLE_PPM, Ramp, SETTLED_MONTHS, employment_month};
pub use rates::{Assumed, COUNT_MAX, FunnelCounts, FunnelRates, Observed, Priors, Rate, RateBasis};
pub use season::{MonthOutput, SEASON_PRIOR_YEARS, Season};

/// Name of the method, for those who repeat it.
pub const METHOD: &str = "funnel-back-calculation";
/// Version of the method; raised whenever the same inputs would give another result.
pub const METHOD_VERSION: u32 = 1;

wire_enum! {
    /// What a reader of a derivation has to know about its base.
    DerivationLabel {
        /// A rate is the team's, because the person has no history of it.
        TeamRate = "TEAM_RATE",
        /// A rate is a stated assumption, because neither person nor team has a history of it.
        AssumedRate = "ASSUMED_RATE",
        /// A rate is unknown; the numbers that rest on it stay open.
        UnknownRate = "UNKNOWN_RATE",
        /// The probability is drawn from the days of the whole team, because the person's history is shorter than six months.
        TeamPooled = "TEAM_POOLED",
        /// The probability is drawn from fewer than six months of the person, because the team has no history.
        ShortHistory = "SHORT_HISTORY",
        /// There is no history to judge the goal by.
        NoHistory = "NO_HISTORY",
        /// The size of a deal is the team's, because the person has won none.
        TeamDealSize = "TEAM_DEAL_SIZE",
        /// The time that a step takes is the team's, because the person's conversions are few.
        TeamLag = "TEAM_LAG",
        /// The time that a step takes is unknown, so the stage is dated without it.
        UnknownLag = "UNKNOWN_LAG",
        /// The season is unknown, so every month counts the same.
        NoSeason = "NO_SEASON",
        /// The goal is lowered for a new hire by the stated table.
        StatedRamp = "STATED_RAMP",
        /// The goal is lowered for a new hire as far as past hires needed.
        ObservedRamp = "OBSERVED_RAMP",
    }
}

/// A target derived from history, with everything that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Derivation {
    /// [`METHOD`].
    pub method: String,
    /// [`METHOD_VERSION`].
    pub method_version: u32,
    /// SHA-256 of the inputs in hexadecimal: the seed of the simulation.
    pub seed: String,
    /// What was known.
    pub inputs: Inputs,
    /// Whole months of the person's history.
    pub history_months: u32,
    /// The goal in deals, before a ramp.
    pub settled_deals: u64,
    /// Rates of the funnel.
    pub rates: FunnelRates,
    /// The linked numbers.
    pub numbers: FunnelNumbers,
    /// Sizes of deals that the revenue rests on.
    pub deal_sizes: Option<DealSizes>,
    /// What the deals bring at the mean size.
    pub revenue: Option<Money>,
    /// How long the steps take.
    pub lags: Lags,
    /// When each stage is due.
    pub stages: Vec<StageDates>,
    /// How likely the goal is; `None` without any history.
    pub achievability: Option<Achievability>,
    /// What a reader has to know.
    pub labels: BTreeSet<DerivationLabel>,
}

impl Derivation {
    /// Derives a target. Sparse or missing history is labelled, never an error.
    ///
    /// # Errors
    /// Every input that is wrong; `OUT_OF_RANGE` when the person has no workday in the period, or the goal is
    /// beyond what the rates allow; `REQUIRED` or `CURRENCY_MISMATCH` when a goal in money cannot be turned into deals.
    pub fn derive(inputs: Inputs) -> Result<Self> {
        let inputs = inputs.checked()?;
        let deal_sizes = inputs.own_sizes.or(inputs.team_sizes);
        let settled_deals = inputs.goal.deals(deal_sizes.as_ref())?;
        let capacity = Capacity::of(&inputs)?;
        let deals = capacity.ramped(settled_deals).ok_or_else(|| inputs::too_large("goal"))?;
        let rates = FunnelRates::new(&inputs.own, &inputs.team, &inputs.priors, &inputs.assumed);
        let numbers = FunnelNumbers::new(deals, &rates, inputs.quality_ppm, capacity.workdays())?;
        let lags = inputs.own_lags.or(inputs.team_lags);
        let stages = stage_dates(capacity.bounds(), lags, &inputs.hours, &inputs.leave)?;
        let history_months = number_of(past_periods(PeriodKind::Month, &inputs).len());
        let seed = inputs.seed()?;
        let revenue = deal_sizes.map(|sizes| sizes.revenue(deals).ok_or_else(|| inputs::too_large("goal")));
        let achievability = judge(&inputs, &capacity, deals, history_months, seed);
        let mut derivation = Self {
            method: METHOD.into(),
            method_version: METHOD_VERSION,
            seed: hexadecimal(&seed),
            history_months,
            settled_deals,
            rates,
            numbers,
            deal_sizes,
            revenue: revenue.transpose()?,
            lags,
            stages,
            achievability,
            labels: BTreeSet::new(),
            inputs,
        };
        derivation.labels = derivation.label(&capacity);
        Ok(derivation)
    }

    /// The derivation as canonical JSON: the same inputs, in whatever order, give the same bytes.
    ///
    /// # Errors
    /// [`Error::Internal`], which does not happen for a derivation that was made here.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        canonical(self)
    }

    /// SHA-256 of the [bytes](Self::bytes), as 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// As for [`Derivation::bytes`].
    pub fn sha256(&self) -> Result<String> {
        Ok(hexadecimal(&sha256(&self.bytes()?)))
    }

    /// Derives again from the stored inputs and compares. False when anything was altered, or was derived by another
    /// version of the method.
    ///
    /// # Errors
    /// As for [`Derivation::derive`].
    pub fn reproduces(&self) -> Result<bool> {
        Ok(Self::derive(self.inputs.clone())? == *self)
    }

    /// The derivation in plain English, one sentence a line.
    pub fn prose(&self) -> String {
        prose::prose(self)
    }

    fn label(&self, capacity: &Capacity) -> BTreeSet<DerivationLabel> {
        use DerivationLabel::*;
        let Self { inputs, lags, .. } = self;
        // A stated quality takes the place of the rate of usable leads.
        let rates = self.rates.all();
        let rates = if inputs.quality_ppm.is_some() { &rates[..3] } else { &rates[..] };
        let has = |basis| rates.iter().any(|rate| rate.basis == basis);
        let lag = |lags: &Lags| [lags.lead_to_prospect, lags.prospect_to_deal];
        let taken = || lag(lags).into_iter().zip(lag(&inputs.own_lags));
        let basis = self.achievability.map(|achievability| achievability.basis);
        let short = self.history_months < HISTORY_MONTHS_MIN;
        let ramp = inputs.ramp.unwrap_or(Ramp::stated());
        [
            (TeamRate, has(RateBasis::Team)),
            (AssumedRate, has(RateBasis::Assumed)),
            (UnknownRate, has(RateBasis::Unknown)),
            (TeamPooled, basis == Some(HistoryBasis::TeamPooled)),
            (ShortHistory, basis == Some(HistoryBasis::Own) && short),
            (NoHistory, basis.is_none()),
            (TeamDealSize, inputs.own_sizes.is_none() && inputs.team_sizes.is_some()),
            (TeamLag, taken().any(|(lag, own)| lag.is_some() && lag != own)),
            (UnknownLag, taken().any(|(lag, _)| lag.is_none())),
            (NoSeason, inputs.season.is_none()),
            (StatedRamp, capacity.is_ramped() && ramp.hires == 0),
            (ObservedRamp, capacity.is_ramped() && ramp.hires > 0),
        ]
        .into_iter()
        .filter_map(|(label, applies)| applies.then_some(label))
        .collect()
    }
}

/// The workdays that a person has for a goal, with how much of a settled output each is worth.
struct Capacity {
    /// Workday and share in parts per million; not empty.
    days: Vec<(NaiveDate, u32)>,
    /// Workdays of the period, those before the person was hired included.
    all: u32,
}

impl Capacity {
    fn of(inputs: &Inputs) -> Result<Self, Problem> {
        let ramp = inputs.ramp.unwrap_or(Ramp::stated());
        let all: Vec<_> = inputs.hours.workday_dates(inputs.period.days(), &inputs.leave).collect();
        let share = |&date: &NaiveDate| match inputs.hired_on {
            Some(hired_on) => (date >= hired_on).then(|| (date, ramp.share_on(hired_on, date))),
            None => Some((date, PPM as u32)),
        };
        let days: Vec<_> = all.iter().filter_map(share).collect();
        if days.is_empty() {
            return Err(inputs::out_of_range("The person has no workday in this period.").at("period"));
        }
        Ok(Self { days, all: number_of(all.len()) })
    }

    fn workdays(&self) -> u32 {
        number_of(self.days.len())
    }

    fn bounds(&self) -> (NaiveDate, NaiveDate) {
        let date = |index: usize| self.days[index].0;
        (date(0), date(self.days.len() - 1))
    }

    /// Shares of all days, in parts per million of a day.
    fn shares(&self) -> u64 {
        self.days.iter().map(|&(_, share)| u64::from(share)).sum()
    }

    fn is_ramped(&self) -> bool {
        self.shares() != u64::from(self.all) * PPM as u64
    }

    /// `⌈deals · shares / all days⌉`: lowered for a new hire, and for the days before they came.
    fn ramped(&self, deals: u64) -> Option<u64> {
        let part = Fraction::new(self.shares().into(), i128::from(self.all) * i128::from(PPM))?;
        u64::try_from(Fraction::whole(deals.into()).times(part)?.ceil()).ok()
    }
}

/// How likely `deals` are, from the person's days, or the team's where those are few.
fn judge(
    inputs: &Inputs,
    capacity: &Capacity,
    deals: u64,
    history_months: u32,
    seed: [u8; 32],
) -> Option<Achievability> {
    let enough = history_months >= HISTORY_MONTHS_MIN;
    let drawn = |basis| {
        let days = match basis {
            HistoryBasis::Own => std::slice::from_ref(&inputs.own_days),
            HistoryBasis::TeamPooled => &inputs.team_days,
        };
        let series: Vec<_> = days.iter().map(|days| scaled(days, inputs, capacity, basis)).collect();
        let draws = Draws::new(&series, capacity.workdays(), inputs.draws, seed)?;
        let block = block_days(&series);
        let drawn_from = series.iter().map(Vec::len).filter(|&days| days >= block).sum();
        Some((basis, drawn_from, draws))
    };
    let pooled = if enough { None } else { drawn(HistoryBasis::TeamPooled) };
    let (basis, history_days, draws) = pooled.or_else(|| drawn(HistoryBasis::Own))?;
    // Each day was rounded by half a millionth at most; a goal is not missed for that.
    let slack = i64::from(capacity.workdays());
    let goal = i64::try_from(deals).ok()?;
    let probability = draws.at_least(goal * PPM - slack);
    let past = past_periods(inputs.period.kind(), inputs);
    Some(Achievability {
        basis,
        history_days: number_of(history_days),
        quantiles: draws.quantiles(),
        probability,
        track_record: TrackRecord::of(&past, deals, capacity.workdays()),
        verdict: inputs.band.verdict(probability.ppm),
        goals_within: achievability::goals_within(&draws, inputs.band, |total| {
            (total + slack).div_euclid(PPM)
        }),
    })
}

/// Daily counts in millionths, freed of the season of their month and brought to that of the new period; what a
/// team does is also brought to the share of a new hire. Rounded to the nearest.
fn scaled(days: &[DayCount], inputs: &Inputs, capacity: &Capacity, basis: HistoryBasis) -> Vec<i64> {
    let season = inputs.season.unwrap_or(Season::flat());
    let level: i128 = capacity
        .days
        .iter()
        .map(|&(date, share)| {
            let share = if basis == HistoryBasis::TeamPooled { share } else { PPM as u32 };
            i128::from(season.index_on(date)) * i128::from(share)
        })
        .sum();
    let days_ahead = capacity.days.len() as i128;
    let scale = |day: &DayCount| {
        // The level is a sum of index times share, so it carries a million twice, and the index of the day once.
        let divisor = days_ahead * i128::from(season.index_on(day.date).max(1));
        let exact = i128::from(day.count) * level;
        i64::try_from((2 * exact + divisor).div_euclid(2 * divisor)).unwrap_or(i64::MAX)
    };
    days.iter().map(scale).collect()
}

/// Output and workdays of each whole period of the person's history.
fn past_periods(kind: PeriodKind, inputs: &Inputs) -> Vec<(i64, u32)> {
    let of = |day: &DayCount| Period::around(kind, day.date);
    let days = &inputs.own_days;
    let whole = |period: Period| {
        let began = days.first().is_some_and(|first| {
            let missing = crate::time::DateRange { from: period.start(), to: first.date };
            inputs.hours.workdays(missing, &inputs.leave) == 0
        });
        began && period.end() <= inputs.window.to
    };
    days.chunk_by(|a, b| of(a) == of(b))
        .filter(|days| whole(of(&days[0])))
        .map(|days| (days.iter().map(|day| day.count).sum(), number_of(days.len())))
        .collect()
}

/// No list here comes near the range of a u32.
fn number_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(format!("a derivation is no JSON: {error}")))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests;
