//! Attainment: how far an owner is from a target, at any moment, and where that leads.
//!
//! All of it is a pure function of the target's lines, what has been done, how much of the period has passed, and
//! what is still open. Numbers are exact until the last step, which rounds halves to even: money to minor units,
//! counts to pieces (to millionths of a piece per workday), ratios to parts per million. Nothing is capped: who
//! has done three times as much as asked stands at 3 000 000 ppm.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::backtest::Score;
use crate::daily_facts::Figures;
use crate::derivation::Quantiles;
use crate::error::{Error, Result};
use crate::fraction::Fraction;
use crate::id::{DealId, TargetId};
use crate::money::Money;
use crate::targets::{Metric, Quantity, TargetLine, WHOLE_PPM};
use crate::time::Timestamp;
use crate::wire::wire_enum;

mod outlook;
mod work;
pub use outlook::{
    DealCourse, FORECAST_DAYS, HISTORY_DAYS, HISTORY_WORKDAYS_MIN, PIPELINE_DAYS, PIPELINE_DEALS_MIN,
    PROJECTION_DRAWS, Past, Pipeline,
};
pub use work::{Crew, sum};

/// What was done of a metric, in the unit of `like`, by a person or by all persons of a team together. Revenue in
/// other currencies is not counted. The lead quality is the share of usable leads among all; `None` while
/// there are no leads.
pub fn actual(figures: &Figures, metric: Metric, like: Quantity) -> Option<Quantity> {
    let value = match metric {
        Metric::LeadsCollected => figures.leads,
        Metric::LeadQuality => share_ppm(figures.qualified, figures.leads)?,
        Metric::Calls => figures.calls,
        Metric::Prospects => figures.prospects,
        Metric::DealsWon => figures.deals,
        Metric::Revenue => {
            like.currency().and_then(|currency| figures.revenue.get(&currency)).copied().unwrap_or(0)
        }
    };
    Some(like.with_value(value))
}

/// How much of a period has passed, on the owner's calendar. The day of the moment asked about has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Workdays passed.
    pub days_elapsed: u32,
    /// Workdays to come.
    pub days_left: u32,
    /// Sum of the seasonal weights of the workdays passed.
    pub weight_elapsed: u64,
    /// Sum of the seasonal weights of all workdays.
    pub weight_total: u64,
}

impl Progress {
    /// The progress after `days_elapsed` of the workdays with these weights, which sum to less than 2^64.
    pub fn of(weights: &[u64], days_elapsed: usize) -> Self {
        let (past, to_come) = weights.split_at(days_elapsed.min(weights.len()));
        let count = |days: &[u64]| u32::try_from(days.len()).unwrap_or(u32::MAX);
        let sum = |days: &[u64]| days.iter().fold(0, |sum: u64, &weight| sum.saturating_add(weight));
        Self {
            days_elapsed: count(past),
            days_left: count(to_come),
            weight_elapsed: sum(past),
            weight_total: sum(weights),
        }
    }
}

/// A deal that is open at the moment asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDeal {
    /// Which.
    pub deal_id: DealId,
    /// What winning it adds to the metric: one piece, or its value.
    pub quantity: Quantity,
    /// How likely a deal at its stage is won within the period, in parts per million.
    pub probability_ppm: u32,
}

/// What is known about the days to come, for one metric. An open deal is either inside the owner's run rate or
/// listed by itself, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// What days like the owner's own bring, in pieces or minor units, from whatever source: deals that are open
    /// now are inside.
    RunRate(Quantiles),
    /// What days like the owner's own bring from business that does not exist yet, and the open deals.
    NewBusinessAndPipeline {
        /// Without any deal that is open now.
        new_business: Quantiles,
        /// The open deals, each once. Those in another unit than the target are not counted.
        pipeline: Vec<OpenDeal>,
    },
}

wire_enum! {
    /// What a projection rests on.
    ProjectionBasis {
        /// The period goes on as it began, weighed by season; no spread is known.
        Flat = "FLAT",
        /// The owner's own days; open deals are inside and not added.
        RunRate = "RUN_RATE",
        /// The owner's own days without deals that are open now, and those deals by the chance of their stage.
        NewBusinessAndPipeline = "NEW_BUSINESS_AND_PIPELINE",
    }
}

/// Where the period is going to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    /// Reached in nine of ten cases.
    pub p10: Quantity,
    /// Reached in three of four cases.
    pub p25: Quantity,
    /// Reached in one of two cases.
    pub p50: Quantity,
    /// Reached in one of four cases.
    pub p75: Quantity,
    /// Reached in one of ten cases.
    pub p90: Quantity,
    /// What this rests on.
    pub basis: ProjectionBasis,
}

impl Projection {
    /// With the ends of a period in place of its quantiles.
    fn of(quantiles: &Quantiles, basis: ProjectionBasis, end: impl Fn(i64) -> Quantity) -> Self {
        let &Quantiles { p10, p25, p50, p75, p90 } = quantiles;
        Self { p10: end(p10), p25: end(p25), p50: end(p50), p75: end(p75), p90: end(p90), basis }
    }

    /// The bare numbers.
    fn quantiles(&self) -> Quantiles {
        Quantiles {
            p10: self.p10.value(),
            p25: self.p25.value(),
            p50: self.p50.value(),
            p75: self.p75.value(),
            p90: self.p90.value(),
        }
    }
}

/// A number per workday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PerWorkday {
    /// Millionths of a piece: 2 500 000 is five pieces in two days.
    CountMicros(i64),
    /// Money, in minor units.
    Money(Money),
}

impl PerWorkday {
    /// The rate with this value for a metric in the unit of `like`; `None` for a share. For reading rows back.
    pub fn of(like: Quantity, value: i64) -> Option<Self> {
        match like {
            Quantity::Count(_) => Some(Self::CountMicros(value)),
            Quantity::Money(money) => Some(Self::Money(Money::new(value, money.currency))),
            Quantity::Share(_) => None,
        }
    }

    /// The bare number: millionths of a piece, or minor units.
    pub fn value(self) -> i64 {
        match self {
            Self::CountMicros(micros) => micros,
            Self::Money(money) => money.minor,
        }
    }

    fn view(self) -> Value {
        match self {
            Self::CountMicros(micros) => json!({ "countMicros": micros }),
            Self::Money(money) => money.view(),
        }
    }
}

/// How far the owner is in one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttainmentLine {
    /// What is counted.
    pub metric: Metric,
    /// What is asked for the whole period.
    pub target: Quantity,
    /// What is done; `None` for the quality of no leads.
    pub actual: Option<Quantity>,
    /// What is missing: target less actual, negative beyond the target.
    pub distance: Option<Quantity>,
    /// Actual by target in parts per million; `None` for a target of zero.
    pub ratio_ppm: Option<i64>,
    /// Actual by what should be done by now, in parts per million: 1 000 000 is exactly in time. `None` for a
    /// target of zero, before the first day of weight, and for a share.
    pub pace_ppm: Option<i64>,
    /// Done on each workday so far; `None` before the first, and for a share.
    pub run_rate: Option<PerWorkday>,
    /// To be done on each workday left, negative beyond the target; `None` after the last, and for a share.
    pub required: Option<PerWorkday>,
    /// Where this leads; `None` for a share, and where nothing is known yet.
    pub projected: Option<Projection>,
}

impl AttainmentLine {
    fn view(&self) -> Value {
        json!({
            "metric": self.metric, "target": self.target.view(), "actual": self.actual.map(Quantity::view),
            "distance": self.distance.map(Quantity::view), "ratioPpm": self.ratio_ppm, "pacePpm": self.pace_ppm,
            "runRate": self.run_rate.map(PerWorkday::view), "required": self.required.map(PerWorkday::view),
        })
    }
}

/// A result that is frozen at the end of its period: the base of the next target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose result.
    pub target_id: TargetId,
    /// Number of the terms that stood at the end.
    pub terms_number: i32,
    /// Business time up to which facts count, inclusive.
    pub as_of: Timestamp,
    /// Last position of the change feed that it has seen.
    pub position: i64,
    /// The result.
    pub lines: Vec<AttainmentLine>,
    /// How good the forecasts of the period were.
    pub forecasts: Vec<ForecastScore>,
}

/// How good the forecasts of one metric were that were made during a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastScore {
    /// What was forecast.
    pub metric: Metric,
    /// How good it was, in pieces or minor units.
    pub score: Score,
}

impl ForecastScore {
    /// Holds what was projected at several moments of a period against what came. Projections without a spread promise
    /// nothing, and metrics without any other are left out.
    pub fn of(projected: &[Vec<AttainmentLine>], came: &[AttainmentLine]) -> Vec<Self> {
        let score = |line: &AttainmentLine| {
            let actual = line.actual?.value();
            let promise = |earlier: &AttainmentLine| {
                let projected = earlier.projected.filter(|_| earlier.metric == line.metric)?;
                (projected.basis != ProjectionBasis::Flat).then(|| (projected.quantiles(), actual))
            };
            let outcomes: Vec<_> = projected.iter().flatten().filter_map(promise).collect();
            Some(Self { metric: line.metric, score: Score::of(&outcomes)? })
        };
        came.iter().filter_map(score).collect()
    }
}

impl Snapshot {
    pub(crate) fn view(&self) -> Value {
        json!({
            "termsNumber": self.terms_number, "asOf": self.as_of, "position": self.position,
            "lines": self.lines.iter().map(AttainmentLine::view).collect::<Vec<_>>(),
            "forecasts": self.forecasts,
        })
    }
}

/// The distance of what was done to the lines of a target, for a person as for a team. A metric without an outlook is
/// projected as it began.
///
/// # Errors
/// [`Error::Internal`] for an outlook that contradicts itself: quantiles that fall, a deal that stands twice, a
/// probability above 100 %.
pub fn attain(
    lines: &[TargetLine],
    figures: &Figures,
    progress: &Progress,
    outlooks: &[(Metric, Outlook)],
) -> Result<Vec<AttainmentLine>> {
    let line = |line: &TargetLine| {
        let outlook = outlooks.iter().find(|(metric, _)| *metric == line.metric).map(|(_, outlook)| outlook);
        attain_line(line, figures, progress, outlook)
    };
    lines.iter().map(line).collect()
}

fn attain_line(
    line: &TargetLine,
    figures: &Figures,
    progress: &Progress,
    outlook: Option<&Outlook>,
) -> Result<AttainmentLine> {
    let TargetLine { metric, quantity: target, .. } = *line;
    let actual = actual(figures, metric, target);
    let mut found = AttainmentLine {
        metric,
        target,
        actual,
        distance: actual.map(|actual| target.with_value(target.value().saturating_sub(actual.value()))),
        ratio_ppm: actual.and_then(|actual| share_ppm(actual.value(), target.value())),
        pace_ppm: None,
        run_rate: None,
        required: None,
        projected: None,
    };
    let (Some(actual), true) = (actual, metric.is_additive()) else { return Ok(found) };
    let (done, asked) = (i128::from(actual.value()), i128::from(target.value()));
    let (elapsed, total) = (i128::from(progress.weight_elapsed), i128::from(progress.weight_total));
    // Quantities are i64 and weights u64, so that a product of both fits an i128.
    found.pace_ppm = ppm(done * total, asked * elapsed);
    found.run_rate = per_workday(target, done, progress.days_elapsed);
    found.required = per_workday(target, asked - done, progress.days_left);
    found.projected = match outlook {
        Some(outlook) => Some(outlook.project(target, done)?),
        None => divide(done * total, elapsed).map(|end| {
            let end = narrow(end);
            let same = Quantiles { p10: end, p25: end, p50: end, p75: end, p90: end };
            Projection::of(&same, ProjectionBasis::Flat, |end| target.with_value(end))
        }),
    };
    Ok(found)
}

impl Outlook {
    fn project(&self, like: Quantity, done: i128) -> Result<Projection> {
        let (quantiles, pipeline, basis) = match self {
            Self::RunRate(quantiles) => (quantiles, &[][..], ProjectionBasis::RunRate),
            Self::NewBusinessAndPipeline { new_business, pipeline } => {
                (new_business, &pipeline[..], ProjectionBasis::NewBusinessAndPipeline)
            }
        };
        let &Quantiles { p10, p25, p50, p75, p90 } = quantiles;
        if ![p10, p25, p50, p75, p90].is_sorted() {
            return Err(Error::Internal("the quantiles of an outlook fall".into()));
        }
        let mut seen = HashSet::new();
        let mut expected: i128 = 0;
        for deal in pipeline {
            if !seen.insert(deal.deal_id) || i64::from(deal.probability_ppm) > WHOLE_PPM {
                return Err(Error::Internal(format!(
                    "deal {} is twice or too likely in an outlook",
                    deal.deal_id
                )));
            }
            if like.with_value(deal.quantity.value()) == deal.quantity {
                expected += i128::from(deal.quantity.value()) * i128::from(deal.probability_ppm);
            }
        }
        let whole = i128::from(WHOLE_PPM);
        // One division for the whole sum, so that each quantile is rounded once.
        let end = |quantile: i64| {
            let exact = (done + i128::from(quantile)) * whole + expected;
            like.with_value(narrow(divide(exact, whole).unwrap_or(0)))
        };
        Ok(Projection::of(quantiles, basis, end))
    }
}

fn per_workday(like: Quantity, amount: i128, days: u32) -> Option<PerWorkday> {
    let scale = if let Quantity::Count(_) = like { WHOLE_PPM } else { 1 };
    PerWorkday::of(like, narrow(divide(amount * i128::from(scale), i128::from(days))?))
}

/// `part / whole` in parts per million.
fn share_ppm(part: i64, whole: i64) -> Option<i64> {
    ppm(i128::from(part), i128::from(whole))
}

/// `numerator / denominator` in parts per million, half-even, for |numerator| and |denominator| below 2^127.
fn ppm(numerator: i128, denominator: i128) -> Option<i64> {
    let (whole, rest) =
        (numerator.checked_div_euclid(denominator)?, numerator.checked_rem_euclid(denominator)?);
    let million = i128::from(WHOLE_PPM);
    // A rest so large that the million overflows it is far more than a part per million can see.
    let fraction = match rest.checked_mul(million) {
        Some(scaled) => divide(scaled, denominator)?,
        None => divide(rest, denominator / million)?,
    };
    Some(narrow(whole.saturating_mul(million).saturating_add(fraction)))
}

/// To an i64. What does not fit is some nine million million times a target or more, and stays at the end of
/// the range.
fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// To the nearest whole number, halves to the even one: the last step of everything here.
fn divide(numerator: i128, denominator: i128) -> Option<i128> {
    Fraction::new(numerator, denominator).map(Fraction::round)
}

#[cfg(test)]
mod tests;
