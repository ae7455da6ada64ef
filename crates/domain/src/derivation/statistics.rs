//! Statistics in whole numbers. Every rounding has a direction, and it is written down.

use serde::{Deserialize, Serialize};

/// The 95th percentile of the normal distribution, 1.6449, which bounds an interval of 90 %.
const Z: i128 = 16_449;
/// The 97.5th percentile, 1.9600, which bounds an interval of 95 %.
const Z_95: i128 = 19_600;
/// Denominator of [`Z`] and [`Z_95`].
const Z_SCALE: i128 = 10_000;
const PPM: i128 = crate::fraction::PPM as i128;

/// An interval in parts per million, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PpmRange {
    /// Lower end.
    pub low: i64,
    /// Upper end.
    pub high: i64,
}

/// The 90 % interval of a share of which `x` of `n` were observed (Wilson 1927), rounded outwards to parts
/// per million. `None` without trials, and when `x` exceeds `n`.
///
/// With z = 1.6449: `(x + z²/2 ± z·√(x(n-x)/n + z²/4)) / (n + z²)`, multiplied out so that only whole
/// numbers are left.
pub fn wilson(x: u32, n: u32) -> Option<PpmRange> {
    share_interval(x, n, Z)
}

/// As [`wilson`], of 95 %: with z = 1.9600.
pub fn wilson_95(x: u32, n: u32) -> Option<PpmRange> {
    share_interval(x, n, Z_95)
}

fn share_interval(x: u32, n: u32, z: i128) -> Option<PpmRange> {
    if n == 0 || x > n {
        return None;
    }
    let (x, n) = (i128::from(x), i128::from(n));
    let spread = ceil_div(4 * Z_SCALE * Z_SCALE * x * (n - x), n) + z * z;
    let middle = 2 * Z_SCALE * Z_SCALE * x + z * z;
    let range = around(middle, z, spread, 2 * (Z_SCALE * Z_SCALE * n + z * z));
    Some(PpmRange { low: range.low, high: range.high.min(crate::fraction::PPM) })
}

/// The 90 % interval of a count per unit, of which `count` in `units` were observed: the score interval of
/// a Poisson mean (Rao 1948), rounded outwards to parts per million. `None` without units.
///
/// With z = 1.6449: `(c + z²/2 ± z·√(c + z²/4)) / units`.
pub fn count_interval(count: u32, units: u32) -> Option<PpmRange> {
    if units == 0 {
        return None;
    }
    let (count, units) = (i128::from(count), i128::from(units));
    let spread = 4 * Z_SCALE * Z_SCALE * count + Z * Z;
    Some(around(2 * Z_SCALE * Z_SCALE * count + Z * Z, Z, spread, 2 * Z_SCALE * Z_SCALE * units))
}

/// `(middle ± z·√spread) / divisor` in parts per million, outwards; the lower end is never negative.
fn around(middle: i128, z: i128, spread: i128, divisor: i128) -> PpmRange {
    let half = z * sqrt_ceil(spread * PPM * PPM);
    let low = (PPM * middle - half).div_euclid(divisor).max(0);
    let high = ceil_div(PPM * middle + half, divisor);
    // A count of 2^32 in one unit is 4.3e15 ppm, so both fit.
    PpmRange { low: i64::try_from(low).unwrap_or(0), high: i64::try_from(high).unwrap_or(i64::MAX) }
}

/// `a / b` rounded up, for a positive `b`.
pub(super) fn ceil_div(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

/// The least whole number whose square is not below `square`, which is not negative.
pub(super) fn sqrt_ceil(square: i128) -> i128 {
    let root = square.max(0).isqrt();
    root + i128::from(root * root < square)
}

/// The `percent` quantile of sorted values by nearest rank: the least value that at least `percent` of 100
/// values do not exceed. `None` when there are none.
pub fn quantile<T: Copy>(sorted: &[T], percent: u32) -> Option<T> {
    let rank = (sorted.len() as u64 * u64::from(percent)).div_ceil(100).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

/// The positions, from 0, whose values bound the median of `n` sorted values with 90 % confidence, by the
/// signs around it (Conover 1999, 3.2): `n/2 ± z·√n/2`. For fewer than 5 values the ends, which bound it less surely.
pub(super) fn median_bounds(n: usize) -> (usize, usize) {
    let count = n as i128;
    let reach = sqrt_ceil(Z * Z * count);
    let low = (count * Z_SCALE - reach).div_euclid(2 * Z_SCALE) - 1;
    let high = ceil_div(count * Z_SCALE + reach, 2 * Z_SCALE);
    let inside = |rank: i128| usize::try_from(rank.clamp(0, (count - 1).max(0))).unwrap_or(0);
    (inside(low), inside(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(low: i64, high: i64) -> Option<PpmRange> {
        Some(PpmRange { low, high })
    }

    #[test]
    fn intervals_agree_with_decimal_arithmetic() {
        // Checked against 50-digit decimal arithmetic.
        for (x, n, wanted) in [
            (18, 120, range(104_136, 211_300)),
            (120, 1_400, range(74_192, 98_835)),
            (3, 11, range(114_691, 520_497)),
            (0, 10, range(0, 212_952)),
            (10, 10, range(787_048, 1_000_000)),
            (0, 0, None),
            (2, 1, None),
            (u32::MAX, u32::MAX, range(999_999, 1_000_000)),
        ] {
            assert_eq!(wilson(x, n), wanted, "{x} of {n}");
        }
        for (x, n, wanted) in
            [(18, 120, range(97_037, 224_677)), (3, 11, range(97_458, 565_651)), (0, 10, range(0, 277_541))]
        {
            assert_eq!(wilson_95(x, n), wanted, "{x} of {n} with 95 %");
        }
        for (count, units, wanted) in
            [(350, 140, range(2_289_641, 2_729_685)), (0, 10, range(0, 270_570)), (5, 0, None)]
        {
            assert_eq!(count_interval(count, units), wanted, "{count} in {units}");
        }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<i32> = (1..=10).collect();
        for (percent, wanted) in [(0, 1), (10, 1), (11, 2), (25, 3), (50, 5), (75, 8), (90, 9), (100, 10)] {
            assert_eq!(quantile(&values, percent), Some(wanted), "P{percent}");
        }
        assert_eq!(quantile::<i32>(&[], 50), None);
        assert_eq!(quantile(&[7], 90), Some(7));
    }

    #[test]
    fn the_median_lies_between_ranks_that_narrow_with_more_values() {
        for (n, wanted) in [(0, (0, 0)), (1, (0, 0)), (4, (0, 3)), (20, (5, 14)), (100, (40, 59))] {
            assert_eq!(median_bounds(n), wanted, "{n}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_holds_what_was_observed_and_narrows(n in 1_u32..1_000_000, share in 0..=1_000_u32) {
            let x = u32::try_from(u64::from(n) * u64::from(share) / 1_000).expect("a count");
            let one = wilson(x, n).expect("an interval");
            let exact = i64::from(x) * 1_000_000 / i64::from(n);
            prop_assert!(0 <= one.low && one.low <= exact && exact <= one.high && one.high <= 1_000_000);
            let four = wilson(x * 4, n * 4).expect("an interval");
            prop_assert!(four.high - four.low <= one.high - one.low);
            // What did not happen has the mirrored interval, but for rounding.
            let mirrored = wilson(n - x, n).expect("an interval");
            prop_assert!((mirrored.low + one.high - 1_000_000).abs() <= 1 && (mirrored.high + one.low - 1_000_000).abs() <= 1);
            let count = count_interval(x, n).expect("an interval");
            prop_assert!(count.low <= exact && exact <= count.high);
        }

        #[test]
        fn roots_are_the_least_that_reach(square in 0_i128..1_000_000_000_000_000_000_000_000_000_000) {
            let root = sqrt_ceil(square);
            prop_assert!(root * root >= square && (root == 0 || (root - 1) * (root - 1) < square));
        }
    }
}
