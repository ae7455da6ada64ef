//! Moving-block bootstrap (Künsch 1989): what a period could bring, drawn from days that were.
//!
//! Blocks of consecutive days keep what one day tells of the next. The same days and seed give the same draws
//! on every machine.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::statistics::{ceil_div, quantile, sqrt_ceil};
use crate::fraction::PPM;

/// Length of a block, in workdays: about a month. Sales have a rhythm of months; blocks of a week would take the weeks
/// of a strong month for independent ones, and promise ranges that are too narrow.
pub const BLOCK_DAYS: usize = 20;
/// Length of a block where no history is that long: a week.
pub const SHORT_BLOCK_DAYS: usize = 5;
/// Number of draws where none is given.
pub const DRAWS_DEFAULT: u32 = 10_000;
/// Most draws.
pub const DRAWS_MAX: u32 = 100_000;

/// Totals of periods as they could be, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws(Vec<i64>);

/// A probability with the error of its simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probability {
    /// Share of draws, in parts per million, rounded to the nearest.
    pub ppm: u32,
    /// Monte-Carlo standard error `√(p(1-p)/draws)`, in parts per million, rounded up.
    pub error_ppm: u32,
}

/// Quantiles by nearest rank, in the unit of the draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// One in ten draws is at most this.
    pub p10: i64,
    /// A quarter is at most this.
    pub p25: i64,
    /// Half are at most this.
    pub p50: i64,
    /// Three quarters are at most this.
    pub p75: i64,
    /// Nine in ten are at most this.
    pub p90: i64,
}

impl Draws {
    /// Draws `draws` totals of `days` days. Each series holds the consecutive days of one person; blocks begin
    /// anywhere and never run over the end of a series, the last one is cut. `None` without a series of at least
    /// one block (see [`block_days`]), or without draws.
    ///
    /// The product of a day's value and `days` must fit an i64.
    pub fn new(series: &[Vec<i64>], days: u32, draws: u32, seed: [u8; 32]) -> Option<Self> {
        let block = block_days(series);
        let blocks = || series.iter().flat_map(|days| days.windows(block));
        let (whole, rest) = (days as usize / block, days as usize % block);
        let sums: Vec<i64> = blocks().map(|block| block.iter().sum()).collect();
        let cut: Vec<i64> = blocks().map(|block| block[..rest].iter().sum()).collect();
        if sums.is_empty() || draws == 0 {
            return None;
        }
        let mut dice = Dice::new(seed, sums.len() as u64);
        let mut total = || {
            let full: i64 = (0..whole).map(|_| sums[dice.throw()]).sum();
            if rest == 0 { full } else { full + cut[dice.throw()] }
        };
        let mut totals: Vec<i64> = (0..draws).map(|_| total()).collect();
        totals.sort_unstable();
        Some(Self(totals))
    }

    /// With what each of `chances` adds to each draw: its value, as often as its probability in parts per million says.
    #[must_use]
    pub fn plus(self, chances: &[(i64, u32)], seed: [u8; 32]) -> Self {
        let mut dice = Dice::new(seed, PPM as u64);
        let mut came = |probability: u32| dice.throw() < probability as usize;
        // The parts do not depend on each other, so it does not matter that the totals come in order.
        let mut total = |total: i64| {
            let values = chances.iter().filter(|&&(_, probability)| came(probability));
            values.fold(total, |sum, &(value, _)| sum.saturating_add(value))
        };
        let mut totals: Vec<i64> = self.0.into_iter().map(&mut total).collect();
        totals.sort_unstable();
        Self(totals)
    }

    /// The totals, in ascending order.
    pub fn totals(&self) -> &[i64] {
        &self.0
    }

    /// The quantiles that are reported.
    pub fn quantiles(&self) -> Quantiles {
        // There is at least one draw.
        let at = |percent| quantile(&self.0, percent).unwrap_or(0);
        Quantiles { p10: at(10), p25: at(25), p50: at(50), p75: at(75), p90: at(90) }
    }

    /// The probability of at least `threshold`.
    pub fn at_least(&self, threshold: i64) -> Probability {
        let n = self.0.len() as i128;
        let hits = n - self.0.partition_point(|&total| total < threshold) as i128;
        let ppm = (2 * hits * i128::from(PPM) + n) / (2 * n);
        let variance = ceil_div(hits * (n - hits) * i128::from(PPM) * i128::from(PPM), n * n * n);
        // Both are at most a million.
        let small = |number: i128| u32::try_from(number).unwrap_or(u32::MAX);
        Probability { ppm: small(ppm), error_ppm: small(sqrt_ceil(variance)) }
    }
}

/// Length of the blocks that are drawn from `series`: [`BLOCK_DAYS`], or [`SHORT_BLOCK_DAYS`] where none is as long.
pub fn block_days(series: &[Vec<i64>]) -> usize {
    if series.iter().any(|days| days.len() >= BLOCK_DAYS) { BLOCK_DAYS } else { SHORT_BLOCK_DAYS }
}

/// Throws of an even die with `sides` sides, which are not zero.
struct Dice {
    rng: ChaCha20Rng,
    sides: u64,
    /// Products whose low half lies below this are thrown again, or small numbers would come too often.
    reject_below: u64,
}

impl Dice {
    fn new(seed: [u8; 32], sides: u64) -> Self {
        Self { rng: ChaCha20Rng::from_seed(seed), sides, reject_below: sides.wrapping_neg() % sides }
    }

    /// A number in `0..sides`, each exactly as likely as the others (Lemire 2019).
    fn throw(&mut self) -> usize {
        loop {
            let product = u128::from(self.rng.next_u64()) * u128::from(self.sides);
            if product as u64 >= self.reject_below {
                // The high half is below `sides`, which was a length.
                return (product >> 64) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: [u8; 32] = [7; 32];

    fn draw(series: &[&[i64]], days: u32, draws: u32) -> Option<Draws> {
        let series: Vec<Vec<i64>> = series.iter().map(|days| days.to_vec()).collect();
        Draws::new(&series, days, draws, SEED)
    }

    #[test]
    fn the_same_seed_gives_the_same_draws_everywhere() {
        let days: Vec<i64> = (0..40).map(|day| day * day % 7).collect();
        let draws = draw(&[&days], 21, 10_000).expect("draws");
        assert_eq!(draws, draw(&[&days], 21, 10_000).expect("draws"));
        assert_ne!(draws, Draws::new(&[days], 21, 10_000, [8; 32]).expect("draws"));
        let quantiles = draws.quantiles();
        assert_eq!(quantiles, Quantiles { p10: 39, p25: 41, p50: 42, p75: 43, p90: 45 });
    }

    #[test]
    fn a_block_is_a_month_where_history_is_as_long() {
        for (lengths, block) in [(vec![], 5), (vec![5, 19], 5), (vec![3, 20], 20), (vec![260], 20)] {
            let series: Vec<_> = lengths.iter().map(|&days| vec![0; days]).collect();
            assert_eq!(block_days(&series), block, "{lengths:?}");
        }
        // A month of two deals and one of none are never mixed day by day: a draw holds 0 to 2 of each 20 days.
        let days: Vec<i64> = (0..40).map(|day| i64::from(day < 20 && day % 10 == 0)).collect();
        let draws = draw(&[&days], 20, 1_000).expect("draws");
        assert_eq!((draws.totals().first(), draws.totals().last()), (Some(&0), Some(&2)));
    }

    #[test]
    fn chances_come_as_often_as_they_are_likely() {
        let draws = Draws(vec![5; 100_000]).plus(&[(10, 250_000), (100, 0), (1_000, 1_000_000)], SEED);
        let came = draws.totals().iter().filter(|&&total| total == 1_015).count();
        // Binomial with a standard deviation of 137.
        assert!((24_500..25_500).contains(&came), "{came}");
        assert!(draws.totals()[..100_000 - came].iter().all(|&total| total == 1_005));
        assert_eq!(Draws(vec![1, 2]).plus(&[], SEED), Draws(vec![1, 2]));
    }

    #[test]
    fn what_is_too_short_gives_no_draws() {
        assert_eq!(draw(&[], 21, 10), None);
        assert_eq!(draw(&[&[1; 4], &[1; 3]], 21, 10), None);
        assert_eq!(draw(&[&[1; 5]], 21, 0), None);
        assert_eq!(draw(&[&[1; 4], &[2; 5]], 21, 3).expect("draws").totals(), [42; 3]);
        assert_eq!(draw(&[&[1; 5]], 0, 2).expect("draws").totals(), [0, 0]);
        assert_eq!(draw(&[&[1; 5]], 3, 1).expect("draws").totals(), [3]);
    }

    #[test]
    fn probability_comes_with_its_error() {
        for (totals, threshold, ppm, error_ppm) in [
            (vec![0, 1, 2, 3], 2, 500_000, 250_000),
            (vec![0, 1, 2, 3], 4, 0, 0),
            (vec![0, 1, 2, 3], 0, 1_000_000, 0),
            (vec![0, 0, 1], 1, 333_333, 272_166),
            ([vec![0; 5_000], vec![1; 5_000]].concat(), 1, 500_000, 5_000),
        ] {
            let wanted = Probability { ppm, error_ppm };
            assert_eq!(Draws(totals.clone()).at_least(threshold), wanted, "{threshold}");
        }
    }

    #[test]
    fn every_block_is_as_likely_as_the_others() {
        // 1,000 days make 996 blocks; each is marked by its first day.
        let (blocks, throws) = (996_u32, 996_000_u32);
        let mut dice = Dice::new(SEED, blocks.into());
        let mut counts = vec![0_i64; blocks as usize];
        (0..throws).for_each(|_| counts[dice.throw()] += 1);
        // Chi-square with 995 degrees of freedom: mean 995, standard deviation 44.6.
        let expected = i64::from(throws / blocks);
        let chi_square = counts.iter().map(|count| (count - expected).pow(2)).sum::<i64>() / expected;
        assert!((800..1_200).contains(&chi_square), "{chi_square}");
    }

    proptest! {
        #[test]
        fn draws_stay_within_what_the_days_allow(
            series in prop::collection::vec(prop::collection::vec(-3_i64..10, 0..40), 1..4),
            days in 0_u32..70,
            seed in prop::array::uniform32(any::<u8>()),
        ) {
            let long: Vec<i64> = series.iter().filter(|days| days.len() >= block_days(&series)).flatten().copied().collect();
            match Draws::new(&series, days, 200, seed) {
                None => prop_assert!(long.is_empty()),
                Some(draws) => {
                    let (least, most) = (long.iter().min().expect("a day"), long.iter().max().expect("a day"));
                    let days = i64::from(days);
                    prop_assert!(draws.totals().iter().all(|total| (least * days..=most * days).contains(total)));
                    let Quantiles { p10, p25, p50, p75, p90 } = draws.quantiles();
                    prop_assert!(p10 <= p25 && p25 <= p50 && p50 <= p75 && p75 <= p90);
                    let (low, high) = (draws.at_least(p50), draws.at_least(p50 + 1));
                    prop_assert!(low.ppm >= 500_000 && high.ppm <= 500_000);
                }
            }
        }
    }
}
