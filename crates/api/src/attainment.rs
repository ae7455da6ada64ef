//! The distance to targets in GraphQL, asked and live.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, Object, Result, SimpleObject, Subscription};
use evenhand_app::attainment::{
    Attained, AttainmentNews, AttainmentOf, AttainmentOfTargets, Leaderboard, Standing,
};
use evenhand_domain::attainment::{self as domain, PerWorkday, ProjectionBasis};
use evenhand_domain::error::Error;
use evenhand_domain::fraction::Fraction;
use evenhand_domain::id::TargetId;
use evenhand_domain::targets::{self, Metric, TargetLevel};
use evenhand_domain::time::{self, Timestamp};
use futures_util::{Stream, stream};

use crate::context::Request;
use crate::ids;
use crate::scalars::{DateTime, Decimal, Money, Period, PeriodInput};
use crate::targets::{TargetOwner, amount, decode_owner, load_owner, number, share};
use crate::users::{self, User};
use crate::wire::Wire;

/// How often a quiet subscription looks for what other nodes did: often enough for a push within a second.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Decimals of pieces per workday, which are kept in millionths.
const PER_WORKDAY_DECIMALS: u32 = 6;

/// A number with its unit: one of the two fields is set.
#[derive(SimpleObject)]
pub(crate) struct Quantity {
    /// How many; for the lead quality the share of usable leads, 0 to 1. Null for money.
    number: Option<Decimal>,
    /// How much money; null for what is counted.
    money: Option<Money>,
}

impl From<targets::Quantity> for Quantity {
    fn from(quantity: targets::Quantity) -> Self {
        Self { number: number(quantity), money: amount(quantity) }
    }
}

impl From<PerWorkday> for Quantity {
    fn from(rate: PerWorkday) -> Self {
        match rate {
            PerWorkday::CountMicros(micros) => {
                let number = Fraction::millionths(micros).decimal(PER_WORKDAY_DECIMALS);
                Self { number: Some(Decimal(number)), money: None }
            }
            PerWorkday::Money(money) => Self { number: None, money: Some(Money(money)) },
        }
    }
}

/// Where a period is going to end.
#[derive(SimpleObject)]
pub(crate) struct Projection {
    /// Reached in nine of ten cases.
    p10: Quantity,
    /// Reached in three of four cases.
    p25: Quantity,
    /// Reached in one of two cases.
    p50: Quantity,
    /// Reached in one of four cases.
    p75: Quantity,
    /// Reached in one of ten cases.
    p90: Quantity,
    /// What this rests on. An open deal is never counted beside a run rate that holds it.
    basis: Wire<ProjectionBasis>,
}

impl From<domain::Projection> for Projection {
    fn from(projection: domain::Projection) -> Self {
        let domain::Projection { p10, p25, p50, p75, p90, basis } = projection;
        Self {
            p10: p10.into(),
            p25: p25.into(),
            p50: p50.into(),
            p75: p75.into(),
            p90: p90.into(),
            basis: Wire(basis),
        }
    }
}

/// How far an owner is in one metric.
pub(crate) struct AttainmentLine {
    line: domain::AttainmentLine,
    has_target: bool,
}

impl AttainmentLine {
    /// What compares with a target, where there is one.
    fn asked<T>(&self, value: Option<T>) -> Option<T> {
        value.filter(|_| self.has_target)
    }
}

/// How far an owner is in one metric. Nothing is capped: who has done three times as much stands at 3.
#[Object]
impl AttainmentLine {
    /// What is counted.
    async fn metric(&self) -> Wire<Metric> {
        Wire(self.line.metric)
    }

    /// What is asked for the whole period; null without a target.
    async fn target(&self) -> Option<Quantity> {
        self.asked(Some(self.line.target.into()))
    }

    /// What is done; null for the quality of no leads.
    async fn actual(&self) -> Option<Quantity> {
        self.line.actual.map(Quantity::from)
    }

    /// What is missing: target less actual, negative beyond the target.
    async fn distance(&self) -> Option<Quantity> {
        self.asked(self.line.distance).map(Quantity::from)
    }

    /// Actual by target, to six decimals; null for a target of zero.
    async fn ratio(&self) -> Option<Decimal> {
        self.asked(self.line.ratio_ppm).map(share)
    }

    /// Actual by what should be done by now, to six decimals: 1 is exactly in time. Null for a target of zero, before
    /// the first workday, and for the lead quality.
    async fn pace(&self) -> Option<Decimal> {
        self.asked(self.line.pace_ppm).map(share)
    }

    /// To be done on each workday left, negative beyond the target; null after the last, and for the lead quality.
    async fn required_per_workday(&self) -> Option<Quantity> {
        self.asked(self.line.required).map(Quantity::from)
    }

    /// Done on each workday so far; null before the first, and for the lead quality.
    async fn run_rate_per_workday(&self) -> Option<Quantity> {
        self.line.run_rate.map(Quantity::from)
    }

    /// Where this leads; null for the lead quality, and where nothing is known yet.
    async fn projected(&self) -> Option<Projection> {
        self.line.projected.map(Projection::from)
    }
}

/// How far a person or a team is from a target.
pub(crate) struct Attainment(Attained);

/// How far a person or a team is from a target. A team's figures are those of the people who are in it or below it
/// on each day, so that a move in mid-period counts each day where it was worked, and nobody twice. Workdays follow
/// calendars and leave; a team's are weighed by the number of people at work.
#[Object]
impl Attainment {
    /// Whose.
    async fn owner(&self, ctx: &Context<'_>) -> Result<TargetOwner> {
        load_owner(ctx, self.0.owner).await
    }

    /// When.
    async fn period(&self) -> Period {
        self.0.period.into()
    }

    /// What had happened by then is counted, whenever it was entered.
    async fn as_of(&self) -> DateTime {
        DateTime(self.0.as_of)
    }

    /// All work up to this position of the change feed is counted.
    async fn feed_position(&self) -> String {
        self.0.position.to_string()
    }

    /// Whether this is the result of a closed target, which nothing changes any more.
    async fn frozen(&self) -> bool {
        self.0.frozen.is_some()
    }

    /// How good the forecasts were that were made each week of the period; of a frozen result only.
    async fn forecasts(&self) -> Vec<ForecastScore> {
        let forecasts = self.0.frozen.iter().flat_map(|frozen| &frozen.forecasts);
        forecasts.map(|&score| ForecastScore::new(score, &self.0.lines)).collect()
    }

    /// The numbers of the target; without one all numbers, compared with nothing. Empty where you see the target only
    /// because your department owes something for it.
    async fn lines(&self) -> Vec<AttainmentLine> {
        let has_target = self.0.has_target;
        self.0.lines.iter().map(|&line| AttainmentLine { line, has_target }).collect()
    }
}

/// How good the forecasts of one metric were that were made during a period.
#[derive(SimpleObject)]
pub(crate) struct ForecastScore {
    /// What was forecast.
    metric: Wire<Metric>,
    /// Number of forecasts.
    forecasts: u32,
    /// Mean of median less actual: positive where too much was expected.
    bias: Quantity,
    /// Absolute errors of the medians by what came, to six decimals: 0.1 is an error of a tenth. Null where nothing came.
    wape: Option<Decimal>,
    /// Share of the forecasts whose range from p10 to p90 held what came, to six decimals; 0.8 is what it promises.
    coverage: Decimal,
}

impl ForecastScore {
    fn new(forecast: domain::ForecastScore, lines: &[domain::AttainmentLine]) -> Self {
        let domain::ForecastScore { metric, score } = forecast;
        let line = lines.iter().find(|line| line.metric == metric);
        let unit = line.map_or(targets::Quantity::Count(0), |line| line.target);
        Self {
            metric: Wire(metric),
            forecasts: score.forecasts,
            bias: unit.with_value(score.bias).into(),
            wape: score.wape_ppm.map(share),
            coverage: share(score.coverage_ppm),
        }
    }
}

/// The distance to some targets at one moment, for all that a query asks for together.
pub(crate) async fn of_target(
    ctx: &Context<'_>,
    target: &targets::Target,
    as_of: Option<DateTime>,
) -> Result<Attainment> {
    let key = TargetAt { target: Arc::new(target.clone()), as_of: as_of.map(|at| at.0) };
    let asker = Request::of(ctx).asker();
    let found = Request::of(ctx).loaders().attainments.load(key, |keys| async move {
        let mut moments: HashMap<Option<Timestamp>, Vec<TargetAt>> = HashMap::new();
        for key in keys {
            moments.entry(key.as_of).or_default().push(key);
        }
        let mut found = HashMap::new();
        for (as_of, keys) in moments {
            let targets = keys.iter().map(|key| targets::Target::clone(&key.target)).collect();
            let mut attained = asker.query(&AttainmentOfTargets { targets, as_of }).await?;
            let key = |key: TargetAt| attained.remove(&key.target.id).map(|attained| (key, attained));
            found.extend(keys.into_iter().filter_map(key));
        }
        Ok(found)
    });
    let attained = found.await?.ok_or_else(|| Error::Internal("a target without a distance".into()))?;
    Ok(Attainment(attained))
}

/// A target that somebody has read, at a moment.
#[derive(Clone)]
pub(crate) struct TargetAt {
    target: Arc<targets::Target>,
    as_of: Option<Timestamp>,
}

impl TargetAt {
    fn key(&self) -> (TargetId, i32, Option<Timestamp>) {
        (self.target.id, self.target.version, self.as_of)
    }
}

impl PartialEq for TargetAt {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for TargetAt {}

impl Hash for TargetAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// One person on a leaderboard.
pub(crate) struct LeaderboardRow(Standing);

/// One person on a leaderboard.
#[Object]
impl LeaderboardRow {
    /// 1 for the most. Equals share a rank, and the next ranks are left out.
    async fn rank(&self) -> u32 {
        self.0.rank
    }

    /// Who.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.user).await
    }

    /// What is done, wherever the person was; null for the quality of no leads.
    async fn actual(&self) -> Option<Quantity> {
        self.0.actual.map(Quantity::from)
    }

    /// What the person's own base target asks; null without one, and for another currency.
    async fn target(&self) -> Option<Quantity> {
        self.0.target.map(Quantity::from)
    }

    /// Actual by target, to six decimals; null for a target of zero.
    async fn ratio(&self) -> Option<Decimal> {
        self.0.ratio_ppm.map(share)
    }
}

fn parse(period: &PeriodInput) -> std::result::Result<time::Period, Error> {
    period.parse().map_err(|problem| problem.at("period").into())
}

fn asked(
    owner: &ID,
    period: &PeriodInput,
    level: TargetLevel,
    as_of: Option<DateTime>,
) -> std::result::Result<AttainmentOf, Error> {
    let owner = decode_owner(owner).map_err(|problem| problem.at("ownerId"))?;
    Ok(AttainmentOf { owner, period: parse(period)?, level, as_of: as_of.map(|at| at.0) })
}

/// Queries about the distance to targets.
#[derive(Default)]
pub(crate) struct AttainmentQueries;

#[Object]
impl AttainmentQueries {
    /// How far a person or a team is from their target, at any moment: you, your team, and the people and teams that
    /// you lead.
    async fn attainment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A person or a team.")] owner_id: ID,
        #[graphql(desc = "The period of the target.")] period: PeriodInput,
        #[graphql(desc = "Which of the targets.", default_with = "Wire(TargetLevel::Base)")] level: Wire<
            TargetLevel,
        >,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Attainment> {
        let query = asked(&owner_id, &period, level.0, as_of)?;
        Ok(Attainment(Request::of(ctx).query(&query).await?))
    }

    /// The people who are in a team or below it, ranked by what they have done in a period up to now. Ranks count
    /// everybody; you see the rows of those in your reach. Revenue counts in the organisation's currency.
    async fn leaderboard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team.")] team_id: ID,
        #[graphql(desc = "The period.")] period: PeriodInput,
        #[graphql(desc = "What is counted.")] metric: Wire<Metric>,
    ) -> Result<Vec<LeaderboardRow>> {
        let team = ids::decode(&team_id).map_err(|problem| Error::from(problem.at("teamId")))?;
        let query = Leaderboard { team, period: parse(&period)?, metric: metric.0 };
        let standings = Request::of(ctx).query(&query).await?;
        Ok(standings.into_iter().map(LeaderboardRow).collect())
    }
}

/// Live distance to targets.
#[derive(Default)]
pub(crate) struct AttainmentSubscriptions;

#[Subscription]
impl AttainmentSubscriptions {
    /// The distance to a base target, now and whenever a change moves it, within a second. Your rights are
    /// checked anew at each change.
    async fn attainment_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A person or a team.")] owner_id: ID,
        #[graphql(desc = "The period of the target.")] period: PeriodInput,
    ) -> Result<impl Stream<Item = Result<Attainment>>> {
        let query = asked(&owner_id, &period, TargetLevel::Base, None)?;
        Ok(live(Request::of(ctx).clone(), query))
    }
}

/// What a live distance has told last, and the position of the feed up to which it knows all.
#[derive(Default)]
struct Told {
    position: Option<i64>,
    attained: Option<Attained>,
}

/// Computes anew when the feed tells of a change that concerns the owner, and tells what is different.
fn live(request: Request, query: AttainmentOf) -> impl Stream<Item = Result<Attainment>> {
    stream::unfold(Some((request, Told::default())), move |state| async move {
        let (request, mut told) = state?;
        match next(&request, &query, &mut told).await {
            Ok(Some(found)) => Some((Ok(Attainment(found)), Some((request, told)))),
            Ok(None) => None,
            Err(error) => Some((Err(error.into()), None)),
        }
    })
}

/// The next distance that differs from `told`; none when the server stops.
async fn next(
    request: &Request,
    query: &AttainmentOf,
    told: &mut Told,
) -> std::result::Result<Option<Attained>, Error> {
    let mut feed = request.app().watch_feed();
    loop {
        // Seen before reading, so that a batch numbered while we read wakes us again.
        feed.mark_unchanged();
        let people = told.attained.as_ref().map(|told| told.people.clone()).unwrap_or_default();
        let look = AttainmentNews { owner: query.owner, people, after: told.position };
        let (position, concerns) = request.fresh_query(&look).await?;
        let more = told.position.replace(position) != Some(position);
        if concerns {
            let found = request.fresh_query(query).await?;
            let before = told.attained.replace(found.clone());
            let state = |of: &Attained| (of.has_target, of.frozen.is_some(), of.lines.clone());
            if before.as_ref().map(state) != Some(state(&found)) {
                return Ok(Some(found));
            }
        }
        if more {
            continue;
        }
        // Another node may have numbered the events, which this node hears of only by looking.
        if let Ok(Err(_)) = tokio::time::timeout(POLL_INTERVAL, feed.changed()).await {
            return Ok(None);
        }
    }
}
