//! Rates of the funnel: what a person's history says, shrunk to the team's.

use serde::{Deserialize, Serialize};

use super::statistics::{PpmRange, count_interval, wilson};
use crate::fraction::Fraction;
use crate::wire::wire_enum;

/// Largest count that a derivation takes.
pub const COUNT_MAX: u32 = 100_000_000;

/// What a person or a team did in the window of history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunnelCounts {
    /// Leads collected.
    pub leads: u32,
    /// Of them, found usable.
    pub usable_leads: u32,
    /// Calls.
    pub calls: u32,
    /// Prospects won from calls.
    pub prospects: u32,
    /// Prospects that are old enough to judge, see [`super::Cohort`].
    pub mature_prospects: u32,
    /// Of the mature prospects, those that became deals.
    pub won_prospects: u32,
}

/// How many units of a team's rate are added to a person's own history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Priors {
    /// In prospects, for deals per prospect.
    pub prospects: u32,
    /// In calls, for prospects per call.
    pub calls: u32,
    /// In usable leads, for calls per usable lead.
    pub usable_leads: u32,
    /// In leads, for usable leads per lead.
    pub leads: u32,
}

impl Default for Priors {
    /// Enough to steady a newcomer's rates, and little beside a year of work.
    fn default() -> Self {
        Self { prospects: 20, calls: 200, usable_leads: 20, leads: 20 }
    }
}

/// Rates that somebody states, for use where neither person nor team has a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assumed {
    /// Deals per prospect.
    pub deals_per_prospect: Option<Fraction>,
    /// Prospects per call.
    pub prospects_per_call: Option<Fraction>,
    /// Calls per usable lead.
    pub calls_per_usable_lead: Option<Fraction>,
}

wire_enum! {
    /// What a rate rests on.
    RateBasis {
        /// The person's own history, shrunk to the team's rate.
        Shrunk = "SHRUNK",
        /// The person's own history; the team has none.
        Own = "OWN",
        /// The team's rate, because the person has no history.
        Team = "TEAM",
        /// A stated assumption, because neither has a history.
        Assumed = "ASSUMED",
        /// Nothing: the rate is unknown.
        Unknown = "UNKNOWN",
    }
}

/// Whether a rate is a share or a count per unit; decides its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateKind {
    /// Each of n trials succeeds or not.
    Share,
    /// Any number for each of n units.
    Count,
}

/// What was observed: `x` successes in `n` trials, or a count of `x` in `n` units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Successes, or the count.
    pub x: u32,
    /// Trials, or units.
    pub n: u32,
}

/// A rate with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The person's history.
    pub own: Observed,
    /// The team's history.
    pub team: Observed,
    /// How many units of the team's rate were added to the person's history.
    pub prior_weight: u32,
    /// What the rate rests on.
    pub basis: RateBasis,
    /// The rate, above zero; `None` when it is unknown.
    pub value: Option<Fraction>,
    /// The 90 % interval of the person's own rate, or of the team's when that is used.
    pub interval: Option<PpmRange>,
}

impl Rate {
    /// The rate `(x + m·r_T) / (n + m)`: own history plus m units at the team's rate (shrinkage to a prior mean,
    /// the posterior mean of a beta or gamma prior). A rate of zero is unknown: no amount of work reaches a goal.
    pub(super) fn new(
        kind: RateKind,
        own: Observed,
        team: Observed,
        prior_weight: u32,
        assumed: Option<Fraction>,
    ) -> Self {
        let (basis, seen) = match (own.n, team.n) {
            (0, 0) => (RateBasis::Unknown, own),
            (0, _) => (RateBasis::Team, team),
            (_, 0) => (RateBasis::Own, own),
            _ => (RateBasis::Shrunk, own),
        };
        let value = match basis {
            RateBasis::Shrunk => shrunk(own, team, prior_weight),
            _ => Fraction::new(seen.x.into(), seen.n.into()),
        };
        let interval = match kind {
            RateKind::Share if seen.x <= seen.n => wilson(seen.x, seen.n),
            // Prospects can come without a call, so a share can exceed one.
            _ => count_interval(seen.x, seen.n),
        };
        let rate = Self { own, team, prior_weight, basis, value, interval };
        match (value.filter(|value| value.is_positive()), assumed) {
            (Some(_), _) => rate,
            (None, Some(_)) => Self { basis: RateBasis::Assumed, value: assumed, ..rate },
            (None, None) => Self { basis: RateBasis::Unknown, value: None, ..rate },
        }
    }
}

/// With the team's rate X/N: `(x·N + m·X) / (N·(n + m))`. Products of 32-bit counts fit an i128 by far.
fn shrunk(own: Observed, team: Observed, prior_weight: u32) -> Option<Fraction> {
    let [x, n, team_x, team_n, m] = [own.x, own.n, team.x, team.n, prior_weight].map(i128::from);
    Fraction::new(x * team_n + m * team_x, team_n * (n + m))
}

/// All rates of the funnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunnelRates {
    /// Deals per prospect.
    pub deals_per_prospect: Rate,
    /// Prospects per call.
    pub prospects_per_call: Rate,
    /// Calls per usable lead.
    pub calls_per_usable_lead: Rate,
    /// Usable leads per lead collected.
    pub usable_share: Rate,
}

impl FunnelRates {
    /// The rates of a person in a team. The team's counts include the person's.
    pub fn new(own: &FunnelCounts, team: &FunnelCounts, priors: &Priors, assumed: &Assumed) -> Self {
        let observe = |observe: fn(&FunnelCounts) -> Observed| (observe(own), observe(team));
        let rate = |kind, (own, team), prior, assumed| Rate::new(kind, own, team, prior, assumed);
        Self {
            deals_per_prospect: rate(
                RateKind::Share,
                observe(|counts| Observed { x: counts.won_prospects, n: counts.mature_prospects }),
                priors.prospects,
                assumed.deals_per_prospect,
            ),
            prospects_per_call: rate(
                RateKind::Share,
                observe(|counts| Observed { x: counts.prospects, n: counts.calls }),
                priors.calls,
                assumed.prospects_per_call,
            ),
            calls_per_usable_lead: rate(
                RateKind::Count,
                observe(|counts| Observed { x: counts.calls, n: counts.usable_leads }),
                priors.usable_leads,
                assumed.calls_per_usable_lead,
            ),
            usable_share: rate(
                RateKind::Share,
                observe(|counts| Observed { x: counts.usable_leads, n: counts.leads }),
                priors.leads,
                None,
            ),
        }
    }

    /// The rates by name, from the deal backwards.
    pub fn all(&self) -> [Rate; 4] {
        [self.deals_per_prospect, self.prospects_per_call, self.calls_per_usable_lead, self.usable_share]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observed(x: u32, n: u32) -> Observed {
        Observed { x, n }
    }

    #[test]
    fn a_rate_leans_on_the_team_as_far_as_history_is_short() {
        let assumed = Fraction::new(1, 10);
        use RateBasis::*;
        for (own, team, m, assumed, basis, value) in [
            (observed(18, 120), observed(1, 5), 20, None, Shrunk, Some("11/70")),
            (observed(120, 1_400), observed(1, 12), 200, None, Shrunk, Some("41/480")),
            (observed(350, 140), observed(5, 2), 20, None, Shrunk, Some("5/2")),
            (observed(18, 120), observed(200, 1_000), 0, None, Shrunk, Some("3/20")),
            (observed(0, 50), observed(200, 1_000), 20, None, Shrunk, Some("2/35")),
            (observed(0, 0), observed(200, 1_000), 20, assumed, Team, Some("1/5")),
            (observed(3, 10), observed(0, 0), 20, assumed, Own, Some("3/10")),
            (observed(0, 0), observed(0, 0), 20, assumed, Assumed, Some("1/10")),
            (observed(0, 0), observed(0, 0), 20, None, Unknown, None),
            (observed(0, 10), observed(0, 100), 20, None, Unknown, None),
            (observed(0, 10), observed(0, 100), 20, assumed, Assumed, Some("1/10")),
            (observed(COUNT_MAX, 1), observed(COUNT_MAX, 1), u32::MAX, None, Shrunk, Some("100000000/1")),
        ] {
            let rate = Rate::new(RateKind::Share, own, team, m, assumed);
            let text = rate.value.map(|value| value.to_string());
            assert_eq!((rate.basis, text.as_deref()), (basis, value), "{own:?} in {team:?}");
        }
    }

    prop_compose! {
        fn any_counts()(
            [leads, usable_leads, calls, prospects] in prop::array::uniform4(0_u32..100_000),
            mature_prospects in 0_u32..10_000,
            won in 0..=1_000_u32,
        ) -> FunnelCounts {
            let won_prospects = mature_prospects * won / 1_000;
            FunnelCounts { leads, usable_leads, calls, prospects, mature_prospects, won_prospects }
        }
    }

    fn plus(a: &FunnelCounts, b: &FunnelCounts) -> FunnelCounts {
        FunnelCounts {
            leads: a.leads + b.leads,
            usable_leads: a.usable_leads + b.usable_leads,
            calls: a.calls + b.calls,
            prospects: a.prospects + b.prospects,
            mature_prospects: a.mature_prospects + b.mature_prospects,
            won_prospects: a.won_prospects + b.won_prospects,
        }
    }

    proptest! {
        #[test]
        fn more_history_never_makes_n_fall_nor_the_basis_weaker(own in any_counts(), team in any_counts(), more in any_counts()) {
            let rates = |own: &FunnelCounts| FunnelRates::new(own, &plus(own, &team), &Priors::default(), &Assumed::default());
            for (before, after) in rates(&own).all().into_iter().zip(rates(&plus(&own, &more)).all()) {
                prop_assert!(after.own.n >= before.own.n && after.team.n >= before.team.n);
                prop_assert!(after.own.x >= before.own.x);
                prop_assert!(before.value.is_none() || after.value.is_some());
            }
        }

        #[test]
        fn a_shrunk_rate_lies_between_the_own_and_the_teams(x in 0_u32..1_000, n in 1_u32..1_000, team_x in 1_u32..1_000, team_n in 1_u32..1_000, m in 0_u32..500) {
            let rate = Rate::new(RateKind::Count, observed(x, n), observed(team_x, team_n), m, None);
            if let Some(value) = rate.value {
                let ppm = |x: u32, n: u32| i64::from(x) * 1_000_000 / i64::from(n);
                let (own, team) = (ppm(x, n), ppm(team_x, team_n));
                let value = value.ppm().expect("ppm");
                prop_assert!(own.min(team) <= value && value <= own.max(team) + 1, "{own} {value} {team}");
            }
        }
    }
}
