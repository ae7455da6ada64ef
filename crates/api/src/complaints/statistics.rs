//! Figures on complaints in GraphQL.

use async_graphql::{Context, Object, Result, SimpleObject};
use evenhand_app::complaints::ComplaintStatistics;
use evenhand_domain::complaints::{
    self as domain, Channel, ClockKind, ComplaintGroup, ComplaintState, GroupKey, GroupStatistic, Severity,
};
use evenhand_domain::error::Error;

use crate::context::Request;
use crate::products::{self, Product};
use crate::scalars::{Decimal, PeriodInput};
use crate::targets::share;
use crate::teams::{self, Team};
use crate::users::{self, User};
use crate::wire::Wire;

/// Seconds of a minute.
const MINUTE_S: i64 = 60;

/// Figures on the complaints of one group.
pub(crate) struct ComplaintStatistic(GroupStatistic);

/// Figures on the complaints of one group. Of the fields that name the group only the one that was asked for is set, and
/// not even that for the group of complaints without such a value.
#[Object]
impl ComplaintStatistic {
    /// How bad they are; null also for those that nobody has judged yet.
    async fn severity(&self) -> Option<Wire<Severity>> {
        let GroupKey::Severity(severity) = &self.0.key else { return None };
        severity.map(Wire)
    }

    /// How they came.
    async fn channel(&self) -> Option<Wire<Channel>> {
        let GroupKey::Channel(channel) = &self.0.key else { return None };
        Some(Wire(*channel))
    }

    /// What they are about; null also for no product.
    async fn product(&self, ctx: &Context<'_>) -> Result<Option<Product>> {
        let GroupKey::Product(Some(product)) = &self.0.key else { return Ok(None) };
        products::load(ctx, *product).await
    }

    /// What caused them, letter by letter; null also where that is not known, which it is once a complaint is closed.
    async fn root_cause(&self) -> Option<&str> {
        let GroupKey::RootCause(cause) = &self.0.key else { return None };
        cause.as_deref()
    }

    /// Who answers for them.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let GroupKey::Owner(owner) = &self.0.key else { return Ok(None) };
        users::load(ctx, *owner).await
    }

    /// The team that who answers for them is in today, without the teams below it; null also for no team.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        let GroupKey::Team(Some(team)) = &self.0.key else { return Ok(None) };
        teams::load(ctx, *team).await
    }

    /// How far they are.
    async fn state(&self) -> Option<Wire<ComplaintState>> {
        let GroupKey::State(state) = &self.0.key else { return None };
        Some(Wire(*state))
    }

    /// How many there are; none where there were some in the period before only.
    async fn recorded(&self) -> u32 {
        self.0.figures.recorded
    }

    /// How many are open.
    async fn open(&self) -> u32 {
        self.0.figures.open
    }

    /// How many of those have something overdue.
    async fn overdue(&self) -> u32 {
        self.0.figures.overdue
    }

    /// How many were closed and stayed so.
    async fn closed(&self) -> u32 {
        self.0.figures.closed
    }

    /// How many were not for us to settle.
    async fn out_of_scope(&self) -> u32 {
        self.0.figures.out_of_scope
    }

    /// How many were reopened at least once.
    async fn reopened(&self) -> u32 {
        self.0.figures.reopened
    }

    /// The reopened among those that were ever closed, to six decimals; null when none was.
    async fn reopen_rate(&self) -> Option<Decimal> {
        self.0.figures.reopen_rate_ppm.map(share)
    }

    /// The age that half of the open ones do not exceed, in whole minutes; null when none is open.
    async fn open_age_median_minutes(&self) -> Option<i64> {
        self.0.figures.open_age_median_s.map(minutes)
    }

    /// The age of the oldest open one, in whole minutes; null when none is open.
    async fn open_age_max_minutes(&self) -> Option<i64> {
        self.0.figures.open_age_max_s.map(minutes)
    }

    /// The time from record to end that half of the closed ones did not exceed, in whole minutes, nights and weekends
    /// included; null when none is closed.
    async fn closed_age_median_minutes(&self) -> Option<i64> {
        self.0.figures.closed_age_median_s.map(minutes)
    }

    /// What became of their clocks, one entry for each kind; a complaint can have had several of a kind.
    async fn clocks(&self) -> Vec<ClockCount> {
        self.0.figures.clocks.iter().copied().map(ClockCount::from).collect()
    }

    /// How many people may hear of the open ones.
    async fn exposure(&self) -> ComplaintExposure {
        self.0.figures.exposure.into()
    }

    /// What their customers say of how they were handled, whenever they say it.
    async fn satisfaction(&self) -> ComplaintSatisfaction {
        self.0.satisfaction.into()
    }

    /// How often causes came back.
    async fn recurrence(&self) -> ComplaintRecurrence {
        self.0.recurrence.into()
    }
}

fn minutes(seconds: i64) -> i64 {
    seconds / MINUTE_S
}

/// What became of the clocks of one kind.
#[derive(SimpleObject)]
pub(crate) struct ClockCount {
    /// Which kind.
    kind: Wire<ClockKind>,
    /// Stopped in time.
    met: u32,
    /// Stopped too late, or not yet and too late by now.
    missed: u32,
    /// Still running, in time.
    running: u32,
}

impl From<domain::ClockCount> for ClockCount {
    fn from(count: domain::ClockCount) -> Self {
        let domain::ClockCount { kind, met, missed, running } = count;
        Self { kind: Wire(kind), met, missed, running }
    }
}

/// How many people may hear of open complaints: 11 from the customer, and 55 from each of those, which is 616 for one
/// complaint. These numbers are a claim that is often repeated and has no known source: for illustration, not for
/// decisions.
#[derive(SimpleObject)]
pub(crate) struct ComplaintExposure {
    /// From the customers themselves.
    first: i64,
    /// From those.
    second: i64,
    /// All.
    hearers: i64,
}

impl From<domain::Exposure> for ComplaintExposure {
    fn from(exposure: domain::Exposure) -> Self {
        let count = |hearers: u64| i64::try_from(hearers).unwrap_or(i64::MAX);
        let domain::Exposure { first, second, hearers } = exposure;
        Self { first: count(first), second: count(second), hearers: count(hearers) }
    }
}

/// How satisfied those are who answered, and how many did. Silence is neither.
#[derive(SimpleObject)]
pub(crate) struct ComplaintSatisfaction {
    /// Surveys that customers got and that were not taken back.
    asked: u32,
    /// Answers: the n of the share.
    answered: u32,
    /// Answers that are satisfied.
    satisfied: u32,
    /// Answers that are dissatisfied.
    dissatisfied: u32,
    /// Surveys that stayed without an answer to the end.
    silent: u32,
    /// The answers among those asked, to six decimals; null when nobody was.
    response_rate: Option<Decimal>,
    /// The satisfied among the answers, to six decimals; null without answers.
    satisfied_share: Option<Decimal>,
    /// Lower end of the interval of 95 % around that share (Wilson); null without answers.
    low: Option<Decimal>,
    /// Upper end of that interval.
    high: Option<Decimal>,
}

impl From<domain::SurveyScore> for ComplaintSatisfaction {
    fn from(score: domain::SurveyScore) -> Self {
        let domain::SurveyScore { asked, answered, satisfied, dissatisfied, silent, .. } = score;
        Self {
            asked,
            answered,
            satisfied,
            dissatisfied,
            silent,
            response_rate: score.response_rate_ppm.map(share),
            satisfied_share: score.satisfied_ppm.map(share),
            low: score.interval.map(|range| share(range.low)),
            high: score.interval.map(|range| share(range.high)),
        }
    }
}

/// How often causes came back. A complaint is a repeat when one that was recorded before it, in the same period, has the
/// same cause and is of the same customer or about the same product; of n complaints of one customer with one cause,
/// n - 1 are repeats. The period before is the one of the same kind that ends where this one begins.
#[derive(SimpleObject)]
pub(crate) struct ComplaintRecurrence {
    /// Repeats among the complaints of the period.
    repeats: u32,
    /// How many complaints were recorded in the period before.
    previous_recorded: u32,
    /// Repeats among those.
    previous_repeats: u32,
}

impl From<domain::Recurrence> for ComplaintRecurrence {
    fn from(recurrence: domain::Recurrence) -> Self {
        let domain::Recurrence { repeats, previous_recorded, previous_repeats } = recurrence;
        Self { repeats, previous_recorded, previous_repeats }
    }
}

/// Queries about figures on complaints.
#[derive(Default)]
pub(crate) struct ComplaintStatisticQueries;

#[Object]
impl ComplaintStatisticQueries {
    /// Figures on the complaints that were recorded in a period and that you may see, by group, the largest group first.
    /// They agree with `complaints`, filtered by `recordedAt` and by what the group has in common; duplicates, whose
    /// state is MERGED, count once. Groups do not overlap; at most 1,000 of them, of at most 100,000 complaints in the
    /// period and the one before, are counted.
    async fn complaint_statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "When they were recorded, in local days of the organisation.")] period: PeriodInput,
        #[graphql(desc = "By what they are counted.")] group_by: Wire<ComplaintGroup>,
    ) -> Result<Vec<ComplaintStatistic>> {
        let query = ComplaintStatistics { period: period.parse().map_err(Error::from)?, group: group_by.0 };
        let groups = Request::of(ctx).query(&query).await?;
        Ok(groups.into_iter().map(ComplaintStatistic).collect())
    }
}
