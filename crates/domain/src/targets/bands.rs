//! How likely a target of each level should be: neither out of reach nor given away.

use serde::{Deserialize, Serialize};

use crate::derivation::{AchievabilityVerdict, Band};
use crate::error::{Code, Problem, Problems, Result};
use crate::fraction::PPM;
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

/// The band of each level, as the organisation has set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
        Self { base: Band::BASE, sprint: Band::SPRINT, challenge: Band::CHALLENGE }
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

    /// Bands that can be set.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` for each that does not rise from 0 or more to 1 or less.
    pub fn checked(self) -> Result<Self> {
        let mut problems = Problems::default();
        for (field, band) in [("base", self.base), ("sprint", self.sprint), ("challenge", self.challenge)] {
            if band.min_ppm >= band.max_ppm || i64::from(band.max_ppm) > PPM {
                let message = "A band rises from a probability of at least 0 to a higher one of at most 1.";
                problems.push(Problem::new(Code::OutOfRange, message).at(field));
            }
        }
        problems.finish_with(|| Some(self))
    }
}

/// How likely a target is reached, and what that says about its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    fn each_level_has_its_band() {
        let bands = Bands::default();
        for (level, band) in [
            (TargetLevel::Base, Band::BASE),
            (TargetLevel::Sprint, Band::SPRINT),
            (TargetLevel::Challenge, Band::CHALLENGE),
        ] {
            assert_eq!(bands.of(level), band, "{level:?}");
        }
    }

    #[test]
    fn a_band_that_is_set_rises_within_probabilities() {
        let band = |min_ppm, max_ppm| Band { min_ppm, max_ppm };
        for (base, fine) in [
            (band(0, 1_000_000), true),
            (band(499_999, 500_000), true),
            (band(500_000, 500_000), false),
            (band(600_000, 500_000), false),
            (band(500_000, 1_000_001), false),
        ] {
            let checked = Bands { base, ..Bands::default() }.checked();
            assert_eq!(checked.is_ok(), fine, "{base:?}");
        }
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
