//! How good forecasts were, once the period is over.

use super::narrow;
use crate::money::divide_half_even;
use crate::targets::WHOLE_PPM;

/// A forecast with what came, in one unit: pieces or minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Was to be reached in nine of ten cases.
    pub p10: i64,
    /// Was to be reached in one of two cases.
    pub p50: i64,
    /// Was to be reached in one of ten cases.
    pub p90: i64,
    /// What came.
    pub actual: i64,
}

/// What forecasts were worth. Only forecasts in one unit can be scored together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Number of forecasts.
    pub forecasts: u32,
    /// Sum of forecast less actual by the sum of the actual figures without their sign, in parts per million;
    /// positive for too hopeful ones. `None` when nothing came at all.
    pub bias_ppm: Option<i64>,
    /// Sum of the errors without their sign by the same sum, in parts per million. `None` when nothing came.
    pub wape_ppm: Option<i64>,
    /// Number of actual figures from P10 to P90, both included; eight in ten for an honest forecast.
    pub covered: u32,
    /// Their share in parts per million; `None` without forecasts.
    pub coverage_ppm: Option<i64>,
}

/// Scores forecasts against what came: bias, weighted absolute percentage error, coverage of the interval.
pub fn score(forecasts: &[Forecast]) -> Score {
    let error = |forecast: &Forecast| i128::from(forecast.p50) - i128::from(forecast.actual);
    let came = forecasts.iter().map(|forecast| i128::from(forecast.actual).abs()).sum();
    let million = i128::from(WHOLE_PPM);
    // Sums of up to 2^32 errors of 65 bits: a million times that is below 2^127.
    let ppm = |part: i128, whole: i128| divide_half_even(part * million, whole).map(narrow);
    let covered = forecasts.iter().filter(|found| (found.p10..=found.p90).contains(&found.actual)).count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Score {
        forecasts: count(forecasts.len()),
        bias_ppm: ppm(forecasts.iter().map(error).sum(), came),
        wape_ppm: ppm(forecasts.iter().map(|forecast| error(forecast).abs()).sum(), came),
        covered: count(covered),
        coverage_ppm: ppm(covered as i128, forecasts.len() as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(p10: i64, p50: i64, p90: i64, actual: i64) -> Forecast {
        Forecast { p10, p50, p90, actual }
    }

    #[test]
    fn forecasts_are_scored_by_bias_error_and_coverage() {
        for (name, forecasts, expected) in [
            ("none", &[][..], (None, None, 0, None)),
            ("exact", &[forecast(1, 2, 3, 2)], (Some(0), Some(0), 1, Some(1_000_000))),
            (
                "too hopeful",
                &[forecast(80, 120, 130, 100)],
                (Some(200_000), Some(200_000), 1, Some(1_000_000)),
            ),
            (
                "errors that cancel out",
                &[forecast(80, 120, 130, 100), forecast(50, 80, 90, 100)],
                (Some(0), Some(200_000), 1, Some(500_000)),
            ),
            (
                "the ends are inside",
                &[forecast(1, 2, 3, 1), forecast(1, 2, 3, 3)],
                (Some(0), Some(500_000), 2, Some(1_000_000)),
            ),
            ("nothing came", &[forecast(0, 1, 2, 0)], (None, None, 1, Some(1_000_000))),
            (
                "more was cancelled than won",
                &[forecast(0, 1, 2, -4)],
                (Some(1_250_000), Some(1_250_000), 0, Some(0)),
            ),
        ] {
            let found = score(forecasts);
            assert_eq!(
                (found.bias_ppm, found.wape_ppm, found.covered, found.coverage_ppm),
                expected,
                "{name}"
            );
            assert_eq!(found.forecasts as usize, forecasts.len(), "{name}");
        }
    }
}
