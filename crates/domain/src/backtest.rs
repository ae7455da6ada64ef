//! Backtest: would the method have been right? Each past period is derived again from what was known before it,
//! and held against what came.

use serde::{Deserialize, Serialize};

use crate::derivation::statistics::{PpmRange, wilson};
use crate::derivation::{Derivation, HistoryBasis, Inputs, Quantiles};
use crate::error::{Code, Error, Problem, Result};
use crate::fraction::{Fraction, PPM};
use crate::time::Period;

mod picture;

/// A past period: what was known when it began, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What was known; the window of history ends before the period begins.
    pub inputs: Inputs,
    /// Deals won less cancelled in the period.
    pub actual: i64,
}

/// What would have been forecast for a period, and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The period.
    pub period: Period,
    /// The forecast, in millionths of a deal.
    pub forecast: Quantiles,
    /// What came, in millionths of a deal.
    pub actual: i64,
    /// Whose days the forecast was drawn from.
    pub basis: HistoryBasis,
}

/// How good forecasts were. Amounts are in the unit of the forecasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Number of forecasts.
    pub forecasts: u32,
    /// Mean of median less actual: positive where too much was expected. Halves to even.
    pub bias: i64,
    /// Sum of the absolute errors of the medians over the sum of the absolute actuals, in parts per million
    /// (weighted absolute percentage error). `None` where nothing came at all.
    pub wape_ppm: Option<i64>,
    /// Share of actuals within P10 to P90, ends included, in parts per million; 800,000 is what the interval promises.
    pub coverage_ppm: i64,
    /// The 90 % interval of that share.
    pub coverage_interval: Option<PpmRange>,
    /// Mean pinball loss over P10, P25, P50, P75 and P90 (Koenker and Bassett 1978): 0 for a perfect forecast, and
    /// least for honest quantiles. Halves to even.
    pub pinball: i64,
}

impl Score {
    /// Scores forecasts against what came, both in one unit. `None` without forecasts, or when their sums leave the
    /// range of an i64.
    pub fn of(outcomes: &[(Quantiles, i64)]) -> Option<Self> {
        let count = i128::try_from(outcomes.len()).ok()?;
        let sum = |term: fn(&(Quantiles, i64)) -> i128| outcomes.iter().map(term).sum::<i128>();
        let mean = |sum: i128, divisor: i128| i64::try_from(Fraction::new(sum, divisor)?.round()).ok();
        let error = |(forecast, actual): &(Quantiles, i64)| i128::from(forecast.p50) - i128::from(*actual);
        let covered = outcomes
            .iter()
            .filter(|(forecast, actual)| (forecast.p10..=forecast.p90).contains(actual))
            .count();
        let [forecasts, covered] = [outcomes.len(), covered].map(u32::try_from);
        let (forecasts, covered) = (forecasts.ok()?, covered.ok()?);
        let came = sum(|(_, actual)| i128::from(*actual).abs());
        let missed = outcomes.iter().map(|outcome| error(outcome).abs()).sum::<i128>();
        Some(Self {
            forecasts,
            bias: mean(outcomes.iter().map(error).sum(), count)?,
            wape_ppm: Fraction::new(missed, came).and_then(Fraction::ppm),
            coverage_ppm: Fraction::new(covered.into(), count)?.ppm()?,
            coverage_interval: wilson(covered, forecasts),
            pinball: mean(sum(pinball_hundredfold), count * 100 * LEVELS)?,
        })
    }
}

/// Number of quantiles that the pinball loss is the mean of.
const LEVELS: i128 = 5;

/// A hundred times the sum of the pinball losses: at level t, t·(y - q) where the actual y exceeds the quantile
/// q, and (1 - t)·(q - y) elsewhere.
fn pinball_hundredfold((forecast, actual): &(Quantiles, i64)) -> i128 {
    let &Quantiles { p10, p25, p50, p75, p90 } = forecast;
    let loss = |(percent, quantile): (i128, i64)| {
        let under = i128::from(*actual) - i128::from(quantile);
        if under >= 0 { percent * under } else { (percent - 100) * under }
    };
    [(10, p10), (25, p25), (50, p50), (75, p75), (90, p90)].into_iter().map(loss).sum()
}

/// A method held against the past of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backtest {
    /// Each period that could be forecast, by its start.
    pub outcomes: Vec<Outcome>,
    /// Periods without any history before them.
    pub unforecast: u32,
    /// How good the forecasts were; `None` without any. Score the outcomes of all persons for a team.
    pub score: Option<Score>,
}

impl Backtest {
    /// Derives each case again and scores the forecasts.
    ///
    /// # Errors
    /// `TOO_EARLY` at `cases.n.window` for a case that knows facts of its own period; what is wrong with the inputs of a case.
    pub fn replay(mut cases: Vec<Case>) -> Result<Self> {
        cases.sort_by_key(|case| case.inputs.period.start());
        let (mut outcomes, mut unforecast) = (Vec::new(), 0);
        for (index, Case { inputs, actual }) in cases.into_iter().enumerate() {
            let period = inputs.period;
            let place = |error: Error| error.at(&index.to_string()).at("cases");
            if inputs.window.to > period.start() {
                let message =
                    "A period is replayed with what was known before it; end the window of history earlier.";
                return Err(place(Problem::new(Code::TooEarly, message).at("window").into()));
            }
            let derivation = Derivation::derive(inputs).map_err(place)?;
            let Some(judged) = derivation.achievability else {
                unforecast += 1;
                continue;
            };
            let actual = actual.saturating_mul(PPM);
            outcomes.push(Outcome { period, forecast: judged.quantiles, actual, basis: judged.basis });
        }
        let scored: Vec<_> = outcomes.iter().map(|outcome| (outcome.forecast, outcome.actual)).collect();
        Ok(Self { score: Score::of(&scored), outcomes, unforecast })
    }

    /// A small standalone picture in SVG: for each period the range from P10 to P90 with its median, and a line
    /// through what came. The same backtest and title give the same bytes.
    pub fn svg(&self, title: &str) -> String {
        picture::svg(self, title)
    }
}

#[cfg(test)]
mod tests;
