//! How the numbers of a target follow from recorded work.

use async_graphql::{Context, Object, Result, SimpleObject};
use evenhand_domain::derivation::{
    self as domain, AchievabilityVerdict, Cited, DerivationLabel, FunnelStage, HistoryBasis, RateBasis,
};
use evenhand_domain::error::Error;
use evenhand_domain::fraction::Fraction;

use super::{SHARE_DECIMALS, Target, load, share};
use crate::scalars::{Date, Decimal, Json, Money};
use crate::wire::Wire;

/// A count or a sum of this room as GraphQL's Int; none of them comes near its end.
fn int(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// A derivation.
#[derive(Clone)]
pub(crate) struct Derivation(pub(super) domain::Derivation);

impl Derivation {
    pub(super) fn judged(&self) -> Option<Achievability> {
        self.0.achievability.map(Achievability)
    }
}

/// How the numbers of a target follow from recorded work. It holds all that it rests on, so that anybody can derive
/// it again and compare.
#[Object]
impl Derivation {
    /// Name of the method.
    async fn method(&self) -> &str {
        &self.0.method
    }

    /// Version of the method.
    async fn method_version(&self) -> i32 {
        int(self.0.method_version)
    }

    /// SHA-256 of the inputs in hexadecimal digits: the seed of the simulation.
    async fn seed(&self) -> &str {
        &self.0.seed
    }

    /// SHA-256 of the whole derivation in hexadecimal digits.
    async fn sha256(&self) -> Result<String> {
        Ok(self.0.sha256()?)
    }

    /// True when the same inputs give the same derivation again, byte for byte. Derived when it is asked for.
    async fn reproduces(&self) -> Result<bool> {
        Ok(self.0.reproduces()?)
    }

    /// What was known: counts, daily series, calendar and window of history.
    async fn inputs(&self) -> Result<Json> {
        let inputs = serde_json::to_value(&self.0.inputs)
            .map_err(|error| Error::Internal(format!("inputs are no JSON: {error}")))?;
        Ok(Json(inputs))
    }

    /// The derivation in plain English, one sentence an entry.
    async fn prose(&self) -> Vec<String> {
        self.0.prose().lines().map(str::to_owned).collect()
    }

    /// What a reader has to know about its base.
    async fn labels(&self) -> Vec<Wire<DerivationLabel>> {
        self.0.labels.iter().copied().map(Wire).collect()
    }

    /// Whole months of history of the owner.
    async fn history_months(&self) -> i32 {
        int(self.0.history_months)
    }

    /// The rates of the funnel, from the deal backwards.
    async fn rates(&self) -> Vec<FunnelRate> {
        let rates = &self.0.rates;
        [
            ("dealsPerProspect", rates.deals_per_prospect),
            ("prospectsPerCall", rates.prospects_per_call),
            ("callsPerUsableLead", rates.calls_per_usable_lead),
            ("usableShare", rates.usable_share),
        ]
        .into_iter()
        .map(|(name, rate)| FunnelRate::new(name, &rate))
        .collect()
    }

    /// What the deals bring at the mean size of a deal; null where no deal is on record.
    async fn revenue(&self) -> Option<Money> {
        self.0.revenue.map(Money)
    }

    /// When the work of each stage is wanted.
    async fn stages(&self) -> Vec<StageDates> {
        let dates = |dates: &domain::StageDates| StageDates {
            stage: Wire(dates.stage),
            first_on: Date(dates.first_on),
            last_on: Date(dates.last_on),
        };
        self.0.stages.iter().map(dates).collect()
    }

    /// Frozen results of the owner's earlier targets, the base of this one, oldest first.
    async fn cites(&self) -> Vec<CitedResult> {
        self.0.inputs.cites.iter().copied().map(CitedResult).collect()
    }

    /// How likely the goal is; null without any history.
    async fn achievability(&self) -> Option<Achievability> {
        self.judged()
    }
}

/// A rate with what it rests on.
#[derive(SimpleObject)]
pub(crate) struct FunnelRate {
    /// `dealsPerProspect`, `prospectsPerCall`, `callsPerUsableLead` or `usableShare`.
    name: String,
    /// What it rests on.
    basis: Wire<RateBasis>,
    /// Successes of the owner, or the count.
    successes: i32,
    /// Trials of the owner, or the units.
    trials: i32,
    /// Successes of the team.
    team_successes: i32,
    /// Trials of the team.
    team_trials: i32,
    /// Trials at the team's rate that were added to the owner's own.
    prior_weight: i32,
    /// The rate with six decimals; null where it is unknown.
    value: Option<Decimal>,
    /// The exact rate, such as `11/70`.
    exact: Option<String>,
    /// Lower end of the 90 % interval of the rate that was observed.
    low: Option<Decimal>,
    /// Upper end of that interval.
    high: Option<Decimal>,
}

impl FunnelRate {
    fn new(name: &str, rate: &domain::Rate) -> Self {
        Self {
            name: name.to_owned(),
            basis: Wire(rate.basis),
            successes: int(rate.own.x),
            trials: int(rate.own.n),
            team_successes: int(rate.team.x),
            team_trials: int(rate.team.n),
            prior_weight: int(rate.prior_weight),
            value: rate.value.map(|value| Decimal(value.decimal(SHARE_DECIMALS))),
            exact: rate.value.map(|value| value.to_string()),
            low: rate.interval.map(|interval| share(interval.low)),
            high: rate.interval.map(|interval| share(interval.high)),
        }
    }
}

/// The frozen result of an earlier target.
pub(crate) struct CitedResult(Cited);

/// The frozen result of an earlier target, in deals.
#[Object]
impl CitedResult {
    /// The closed target; null where you may not see it.
    async fn target(&self, ctx: &Context<'_>) -> Result<Option<Target>> {
        load(ctx, self.0.target_id).await
    }

    /// First day of its period.
    async fn first_on(&self) -> Date {
        Date(self.0.from)
    }

    /// Last day of its period.
    async fn last_on(&self) -> Date {
        Date(self.0.to.pred_opt().unwrap_or(self.0.to))
    }

    /// Deals that it asked.
    async fn asked(&self) -> i64 {
        self.0.target
    }

    /// Deals that were won, less those that were cancelled.
    async fn reached(&self) -> i64 {
        self.0.actual
    }
}

/// When the work of a stage is wanted.
#[derive(SimpleObject)]
pub(crate) struct StageDates {
    /// The stage.
    stage: Wire<FunnelStage>,
    /// First day.
    first_on: Date,
    /// Last day.
    last_on: Date,
}

/// How likely a goal is.
pub(crate) struct Achievability(domain::Achievability);

/// How likely a goal is, drawn from days that were, beside the plain count of how often it was reached.
#[Object]
impl Achievability {
    /// Share of simulated periods that reach the goal, 0 to 1.
    async fn probability(&self) -> Decimal {
        share(self.0.probability.ppm)
    }

    /// Standard error of the simulation.
    async fn probability_error(&self) -> Decimal {
        share(self.0.probability.error_ppm)
    }

    /// What that says about the level of the target.
    async fn verdict(&self) -> Wire<AchievabilityVerdict> {
        Wire(self.0.verdict)
    }

    /// Whose days were drawn.
    async fn basis(&self) -> Wire<HistoryBasis> {
        Wire(self.0.basis)
    }

    /// Number of workdays drawn from.
    async fn history_days(&self) -> i32 {
        int(self.0.history_days)
    }

    /// Deals that one in ten simulated periods brings at most.
    async fn p10(&self) -> Decimal {
        deals(self.0.quantiles.p10)
    }

    /// Deals that a quarter of them brings at most.
    async fn p25(&self) -> Decimal {
        deals(self.0.quantiles.p25)
    }

    /// Deals that half of them bring at most.
    async fn p50(&self) -> Decimal {
        deals(self.0.quantiles.p50)
    }

    /// Deals that three quarters bring at most.
    async fn p75(&self) -> Decimal {
        deals(self.0.quantiles.p75)
    }

    /// Deals that nine in ten bring at most.
    async fn p90(&self) -> Decimal {
        deals(self.0.quantiles.p90)
    }

    /// Comparable past periods in which the owner reached the goal.
    async fn reached(&self) -> i32 {
        int(self.0.track_record.reached)
    }

    /// Comparable past periods.
    async fn comparable(&self) -> i32 {
        int(self.0.track_record.comparable)
    }

    /// Lower end of the 90 % interval of that share; null without comparable periods.
    async fn reached_low(&self) -> Option<Decimal> {
        self.0.track_record.interval.map(|interval| share(interval.low))
    }

    /// Upper end of that interval.
    async fn reached_high(&self) -> Option<Decimal> {
        self.0.track_record.interval.map(|interval| share(interval.high))
    }

    /// The least goal in deals that is not too easy for the level; null where no whole number is right for it.
    async fn least_goal(&self) -> Option<i64> {
        self.0.goals_within.and_then(|range| i64::try_from(range.least).ok())
    }

    /// The largest goal in deals that is not too hard for the level.
    async fn largest_goal(&self) -> Option<i64> {
        self.0.goals_within.and_then(|range| i64::try_from(range.most).ok())
    }
}

/// Millionths of a deal as a decimal number.
fn deals(millionths: i64) -> Decimal {
    Decimal(Fraction::millionths(millionths).decimal(SHARE_DECIMALS))
}
