//! How likely a target of each level should be: neither out of reach nor given away.

use super::lines::WHOLE_PPM;
use crate::error::{Code, Problem};
use crate::wire::wire_enum;

wire_enum! {
    /// How much a target asks for, measured by how likely it is reached.
    TargetLevel {
        /// What is expected.
        Base = "BASE",
        /// What a good period brings.
        Sprint = "SPRINT",
        /// What a very good period brings.
        Challenge = "CHALLENGE",
    }
}

wire_enum! {
    /// What the probability of a target says about its level.
    AchievabilityVerdict {
        /// Inside the band of its level.
        Within = "WITHIN",
        /// Reached too often to be a target of this level.
        TooEasy = "TOO_EASY",
        /// Reached too seldom to be a target of this level.
        TooHard = "TOO_HARD",
    }
}

/// The probabilities that a level allows, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Lowest, in parts per million.
    pub min_ppm: u32,
    /// Highest, in parts per million.
    pub max_ppm: u32,
}

impl Band {
    /// # Errors
    /// `OUT_OF_RANGE` when the ends are swapped or the upper one lies above 100 %.
    pub fn new(min_ppm: u32, max_ppm: u32) -> Result<Self, Problem> {
        if min_ppm <= max_ppm && i64::from(max_ppm) <= WHOLE_PPM {
            return Ok(Self { min_ppm, max_ppm });
        }
        Err(Problem::new(
            Code::OutOfRange,
            "A band rises from its lower to its upper end, within 0 and 100 %.",
        ))
    }

    /// What a probability in parts per million says.
    pub fn verdict(self, probability_ppm: u32) -> AchievabilityVerdict {
        if probability_ppm < self.min_ppm {
            AchievabilityVerdict::TooHard
        } else if probability_ppm > self.max_ppm {
            AchievabilityVerdict::TooEasy
        } else {
            AchievabilityVerdict::Within
        }
    }
}

/// The band of each level, as the organisation has set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    /// Of [`TargetLevel::Base`].
    pub base: Band,
    /// Of [`TargetLevel::Sprint`].
    pub sprint: Band,
    /// Of [`TargetLevel::Challenge`].
    pub challenge: Band,
}

impl Default for Bands {
    /// 50-85 %, 30-60 % and 10-40 %.
    fn default() -> Self {
        Self {
            base: Band { min_ppm: 500_000, max_ppm: 850_000 },
            sprint: Band { min_ppm: 300_000, max_ppm: 600_000 },
            challenge: Band { min_ppm: 100_000, max_ppm: 400_000 },
        }
    }
}

impl Bands {
    /// The band of a level.
    pub fn of(&self, level: TargetLevel) -> Band {
        match level {
            TargetLevel::Base => self.base,
            TargetLevel::Sprint => self.sprint,
            TargetLevel::Challenge => self.challenge,
        }
    }
}

/// How likely a target is reached, and what that says about its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AchievabilitySummary {
    /// Probability in parts per million.
    pub probability_ppm: u32,
    /// What it says about the level, by the bands at the time of the proposal.
    pub verdict: AchievabilityVerdict,
}

/// Parts per million as people read them, exact: `62.5 %`.
pub(super) fn percent(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_judge_too_easy_as_well_as_too_hard() {
        use AchievabilityVerdict::*;
        use TargetLevel::*;
        let bands = Bands::default();
        for (level, probability_ppm, verdict) in [
            (Base, 499_999, TooHard),
            (Base, 500_000, Within),
            (Base, 850_000, Within),
            (Base, 850_001, TooEasy),
            (Sprint, 299_999, TooHard),
            (Sprint, 300_000, Within),
            (Sprint, 600_000, Within),
            (Sprint, 600_001, TooEasy),
            (Challenge, 99_999, TooHard),
            (Challenge, 100_000, Within),
            (Challenge, 400_000, Within),
            (Challenge, 400_001, TooEasy),
            (Challenge, 1_000_000, TooEasy),
            (Base, 0, TooHard),
        ] {
            assert_eq!(bands.of(level).verdict(probability_ppm), verdict, "{level:?} {probability_ppm}");
        }
    }

    #[test]
    fn a_band_that_is_none_is_refused() {
        assert!(Band::new(0, 1_000_000).is_ok());
        assert!(Band::new(2, 1).is_err());
        assert!(Band::new(0, 1_000_001).is_err());
    }

    #[test]
    fn percentages_are_written_exactly() {
        for (ppm, text) in
            [(0, "0 %"), (625_000, "62.5 %"), (1, "0.0001 %"), (1_000_000, "100 %"), (100_000, "10 %")]
        {
            assert_eq!(percent(ppm), text);
        }
    }
}
