//! Achievability: how likely a goal is, judged by what a person has done.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Draws, Probability, Quantiles};
use super::statistics::{PpmRange, wilson};
use crate::error::{Code, Problem};
use crate::fraction::PPM;
use crate::wire::wire_enum;

/// Fewest whole months of a person's history from which their own days are drawn.
pub const HISTORY_MONTHS_MIN: u32 = 6;
/// A past period is comparable when it had at least this share of the workdays of the new one, in parts per million.
pub const COMPARABLE_WORKDAYS_PPM: u64 = 800_000;

wire_enum! {
    /// How a goal relates to what can be reached.
    AchievabilityVerdict {
        /// Less likely than its level allows.
        TooHard = "TOO_HARD",
        /// As likely as its level wants.
        Within = "WITHIN",
        /// More likely than its level allows.
        TooEasy = "TOO_EASY",
    }
}

wire_enum! {
    /// Whose days a forecast is drawn from.
    HistoryBasis {
        /// The person's own.
        Own = "OWN",
        /// All of the team, because the person's history is short.
        TeamPooled = "TEAM_POOLED",
    }
}

/// The probabilities that a level of target allows, in parts per million, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Band {
    /// A goal less likely than this is too hard.
    pub min_ppm: u32,
    /// A goal more likely than this is too easy.
    pub max_ppm: u32,
}

impl Band {
    /// A base target: more often reached than not.
    pub const BASE: Self = Self { min_ppm: 500_000, max_ppm: 850_000 };
    /// A sprint target.
    pub const SPRINT: Self = Self { min_ppm: 300_000, max_ppm: 600_000 };
    /// A challenge target.
    pub const CHALLENGE: Self = Self { min_ppm: 100_000, max_ppm: 400_000 };

    /// Where a probability lies.
    pub fn verdict(self, ppm: u32) -> AchievabilityVerdict {
        if ppm < self.min_ppm {
            AchievabilityVerdict::TooHard
        } else if ppm > self.max_ppm {
            AchievabilityVerdict::TooEasy
        } else {
            AchievabilityVerdict::Within
        }
    }

    pub(super) fn check(self) -> Result<Self, Problem> {
        if self.min_ppm <= self.max_ppm && i64::from(self.max_ppm) <= PPM {
            Ok(self)
        } else {
            Err(Problem::new(
                Code::OutOfRange,
                "A band rises from a probability to one of at most 1,000,000.",
            ))
        }
    }
}

/// Whole goals whose probability lies within a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalRange {
    /// The least that is not too easy.
    pub least: u64,
    /// The most that is not too hard.
    pub most: u64,
}

/// How often a person reached a goal in comparable past periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRecord {
    /// Periods in which it was reached.
    pub reached: u32,
    /// Comparable periods.
    pub comparable: u32,
    /// The 90 % interval of the share; `None` without comparable periods.
    pub interval: Option<PpmRange>,
}

impl TrackRecord {
    /// Counts the periods, given by output and workdays, that are comparable with one of `workdays`.
    pub(super) fn of(past: &[(i64, u32)], goal: u64, workdays: u32) -> Self {
        let enough = u64::from(workdays) * COMPARABLE_WORKDAYS_PPM;
        let comparable: Vec<_> =
            past.iter().filter(|&&(_, days)| u64::from(days) * PPM as u64 >= enough).collect();
        let reached =
            comparable.iter().filter(|&&&(output, _)| i128::from(output) >= i128::from(goal)).count();
        let [reached, comparable] =
            [reached, comparable.len()].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Self { reached, comparable, interval: wilson(reached, comparable) }
    }
}

/// How likely a goal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Achievability {
    /// Whose days were drawn.
    pub basis: HistoryBasis,
    /// Number of workdays drawn from.
    pub history_days: u32,
    /// What the period could bring, in millionths of a deal.
    pub quantiles: Quantiles,
    /// The probability of reaching the goal.
    pub probability: Probability,
    /// How often the person reached it.
    pub track_record: TrackRecord,
    /// Whether the probability lies within the band.
    pub verdict: AchievabilityVerdict,
    /// Goals that would lie within it; `None` where no whole number does.
    pub goals_within: Option<GoalRange>,
}

/// The goals from 1 whose probability lies within `band`. `goal_at(total)` is the largest goal that a total
/// reaches. The more a goal asks, the fewer draws reach it, so the least and the most bound all of them.
pub(super) fn goals_within(draws: &Draws, band: Band, goal_at: impl Fn(i64) -> i64) -> Option<GoalRange> {
    let totals = draws.totals();
    let n = totals.len() as u64;
    let ppm = PPM as u64;
    let hits_min = (u64::from(band.min_ppm) * n).div_ceil(ppm).max(1);
    let hits_max = u64::from(band.max_ppm) * n / ppm;
    // The total that at least `hits` draws reach.
    let reached_by = |hits: u64| totals.get(usize::try_from(n.checked_sub(hits)?).ok()?).copied();
    let most = goal_at(reached_by(hits_min)?);
    // Just beyond the total that one draw too many reaches.
    let least = reached_by(hits_max + 1).map_or(1, |total| goal_at(total).saturating_add(1)).max(1);
    let [least, most] = [least, most].map(u64::try_from);
    Some(GoalRange { least: least.ok()?, most: most.ok()? }).filter(|range| range.least <= range.most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_judges_both_ways() {
        use AchievabilityVerdict::*;
        for (band, ppm, verdict) in [
            (Band::BASE, 499_999, TooHard),
            (Band::BASE, 500_000, Within),
            (Band::BASE, 850_000, Within),
            (Band::BASE, 850_001, TooEasy),
            (Band::SPRINT, 300_000, Within),
            (Band::SPRINT, 600_001, TooEasy),
            (Band::CHALLENGE, 99_999, TooHard),
            (Band::CHALLENGE, 400_000, Within),
        ] {
            assert_eq!(band.verdict(ppm), verdict, "{ppm} in {band:?}");
            assert_eq!(band.check(), Ok(band));
        }
        for (min_ppm, max_ppm) in [(2, 1), (0, 1_000_001)] {
            assert!(Band { min_ppm, max_ppm }.check().is_err());
        }
    }

    #[test]
    fn only_comparable_periods_count() {
        let past = [(4, 21), (3, 21), (9, 16), (4, 17), (-1, 30)];
        let record = TrackRecord::of(&past, 4, 21);
        assert_eq!((record.reached, record.comparable, record.interval), (2, 4, wilson(2, 4)));
        assert_eq!(TrackRecord::of(&[], 4, 21).interval, None);
        assert_eq!(TrackRecord::of(&past, u64::MAX, 21).reached, 0);
    }

    proptest::proptest! {
        #[test]
        fn goals_within_a_band_are_those_that_the_verdict_accepts(
            days in proptest::collection::vec(-1_i64..4, 5..60),
            min_ppm in 0_u32..=1_000_000,
            width in 0_u32..=1_000_000,
        ) {
            let band = Band { min_ppm, max_ppm: (min_ppm + width).min(1_000_000) };
            let draws = Draws::new(&[days], 10, 500, [1; 32]).expect("draws");
            let range = goals_within(&draws, band, |total| total);
            // 500 draws give whole multiples of 2,000 ppm, so nothing is lost to rounding. A goal that no
            // draw reaches is not offered.
            for goal in 1..50_i64 {
                let ppm = draws.at_least(goal).ppm;
                let accepted = ppm > 0 && band.verdict(ppm) == AchievabilityVerdict::Within;
                let inside = range.is_some_and(|range| (range.least..=range.most).contains(&goal.unsigned_abs()));
                proptest::prop_assert_eq!(accepted, inside, "{} {:?}", goal, range);
            }
        }
    }
}
