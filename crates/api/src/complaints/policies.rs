//! Clocks of complaints, and the policies that set them, in GraphQL.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use evenhand_app::complaints::{
    CountSlaPolicies, CreateSlaPolicy, ListSlaPolicies, SlaPoliciesByIds, UpdateSlaPolicy,
};
use evenhand_domain::complaints::{
    self as domain, Channel, ClockKind, ClockMinutes, ClockOutcome, Criteria, NewSlaPolicy, RevisionReason,
    Severity, SlaPolicyUpdate,
};
use evenhand_domain::customers::CustomerGrade;
use evenhand_domain::error::Problems;
use evenhand_domain::id::SlaPolicyId;

use super::escalations::{LadderRung, LadderRungInput, ladder};
use crate::calendars::{self, WorkCalendar};
use crate::context::{Request, total};
use crate::error::payload;
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::patch::patch;
use crate::products::{self, Product};
use crate::scalars::DateTime;
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const BY_NAME: &str = "slaPolicies:name";

/// One wait of the customer.
pub(crate) struct SlaClock(pub(super) domain::SlaClock);

/// One wait of the customer, counted in open time of a work calendar.
#[Object]
impl SlaClock {
    /// For what the customer waits.
    async fn kind(&self) -> Wire<ClockKind> {
        Wire(self.0.kind)
    }

    /// The how manieth of its kind, from 1: news begins a new `UPDATE`, a reopening a new `RESOLUTION`.
    async fn round(&self) -> i32 {
        self.0.round
    }

    /// When it began.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.0.starts_at)
    }

    /// How much open time it has, in minutes.
    async fn target_minutes(&self) -> i32 {
        self.0.target_minutes
    }

    /// When its time is up.
    async fn due_at(&self) -> DateTime {
        DateTime(self.0.due_at)
    }

    /// Whole minutes of open time that have passed, until now or until it was stopped; pauses do not count.
    async fn elapsed(&self, ctx: &Context<'_>) -> Result<i64> {
        let hours = calendars::hours(ctx, self.0.policy.calendar_id).await?;
        Ok(self.0.elapsed(&hours, Request::of(ctx).app().now()).num_minutes())
    }

    /// Whether it stands still now, because the customer is awaited.
    async fn paused(&self, ctx: &Context<'_>) -> bool {
        self.0.is_paused(Request::of(ctx).app().now())
    }

    /// Time that does not count, oldest first. The last pause ends by itself when the customer is awaited no longer.
    async fn pauses(&self) -> Vec<ClockPause> {
        let pause = |pause: &domain::Pause| ClockPause { from: DateTime(pause.from), to: DateTime(pause.to) };
        self.0.pauses.iter().map(pause).collect()
    }

    /// When it was stopped; null while it runs.
    async fn stopped_at(&self) -> Option<DateTime> {
        self.0.stopped_at.map(DateTime)
    }

    /// The first deadline that passed before it was stopped; null where none did. A later deadline takes nothing back.
    async fn breached_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        self.0.breached_at(Request::of(ctx).app().now()).map(DateTime)
    }

    /// What became of it.
    async fn outcome(&self, ctx: &Context<'_>) -> Wire<ClockOutcome> {
        Wire(self.0.outcome(Request::of(ctx).app().now()))
    }

    /// The policy by which it was computed; null for the built-in one, which counts where none fits.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<SlaPolicy>> {
        match self.0.policy.policy_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The version of that policy; 0 for the built-in one.
    async fn policy_version(&self) -> i32 {
        self.0.policy.policy_version
    }

    /// How the deadline moved, oldest first.
    async fn revisions(&self) -> Vec<DeadlineRevision> {
        self.0.revisions.iter().map(Into::into).collect()
    }
}

/// Time that does not count on a clock.
#[derive(SimpleObject)]
pub(crate) struct ClockPause {
    /// First instant that does not count.
    from: DateTime,
    /// First instant that counts again.
    to: DateTime,
}

/// A deadline that moved.
#[derive(SimpleObject)]
pub(crate) struct DeadlineRevision {
    /// The deadline before.
    from: DateTime,
    /// The deadline after.
    to: DateTime,
    /// When it moved.
    at: DateTime,
    /// Why.
    reason: Wire<RevisionReason>,
}

impl From<&domain::DeadlineRevision> for DeadlineRevision {
    fn from(revision: &domain::DeadlineRevision) -> Self {
        Self {
            from: DateTime(revision.from),
            to: DateTime(revision.to),
            at: DateTime(revision.at),
            reason: Wire(revision.reason),
        }
    }
}

/// How soon complaints of some kind are answered.
#[derive(Clone)]
pub(crate) struct SlaPolicy(domain::SlaPolicy);

impl From<domain::SlaPolicy> for SlaPolicy {
    fn from(policy: domain::SlaPolicy) -> Self {
        Self(policy)
    }
}

connection!(SlaPolicyConnection, SlaPolicyEdge, SlaPolicy, "policies");

/// How soon complaints of some kind are answered. A complaint follows the policy that fits with the most criteria, of
/// equals the one with the first of severity, product, grade and channel, then the oldest.
#[Object]
impl SlaPolicy {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// For complaints judged to be this severe; null for all.
    async fn severity(&self) -> Option<Wire<Severity>> {
        self.0.criteria.severity.map(Wire)
    }

    /// For complaints about this product; null for all.
    async fn product(&self, ctx: &Context<'_>) -> Result<Option<Product>> {
        match self.0.criteria.product_id {
            Some(id) => products::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// For complaints of customers of this grade; null for all.
    async fn customer_grade(&self) -> Option<Wire<CustomerGrade>> {
        self.0.criteria.customer_grade.map(Wire)
    }

    /// For complaints that came this way; null for all.
    async fn channel(&self) -> Option<Wire<Channel>> {
        self.0.criteria.channel.map(Wire)
    }

    /// On whose hours its clocks run; null for those of the organisation.
    async fn calendar(&self, ctx: &Context<'_>) -> Result<Option<WorkCalendar>> {
        match self.0.calendar_id {
            Some(id) => calendars::load(ctx, Some(id)).await,
            None => Ok(None),
        }
    }

    /// Open minutes until the customer is told that the complaint has arrived.
    async fn ack_minutes(&self) -> i32 {
        self.0.minutes.ack
    }

    /// Open minutes until the customer hears something of substance.
    async fn first_response_minutes(&self) -> i32 {
        self.0.minutes.first_response
    }

    /// Open minutes between two pieces of news for the customer.
    async fn update_minutes(&self) -> i32 {
        self.0.minutes.update
    }

    /// Open minutes until it is settled.
    async fn resolution_minutes(&self) -> i32 {
        self.0.minutes.resolution
    }

    /// Who is told when the time of a clock passes, lowest rung first.
    async fn ladder(&self) -> Vec<LadderRung> {
        self.0.ladder.iter().map(LadderRung::from).collect()
    }

    /// Whether complaints are still given to it.
    async fn is_active(&self) -> bool {
        self.0.is_active
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// The policy with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: SlaPolicyId) -> Result<Option<SlaPolicy>> {
    let request = Request::of(ctx).asker();
    let policy = Request::of(ctx).loaders().sla_policies.load(id, |ids| async move {
        let policies = request.query(&SlaPoliciesByIds(ids)).await?;
        Ok(policies.into_iter().map(|policy| (policy.id, policy)).collect())
    });
    Ok(policy.await?.map(SlaPolicy))
}

/// Queries about policies.
#[derive(Default)]
pub(crate) struct SlaPolicyQueries;

#[Object]
impl SlaPolicyQueries {
    /// The policies that say how soon complaints are answered, by name. Where none fits, a built-in one counts: half a
    /// working day of eight hours to acknowledge, one day to respond, two between news and ten to settle.
    async fn sla_policies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of policies, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<SlaPolicyConnection> {
        let request = Request::of(ctx);
        let page = request.query(&ListSlaPolicies(PageArgs::forward(first, after).parse(BY_NAME)?)).await?;
        Ok(SlaPolicyConnection::new(page, BY_NAME, total(request, CountSlaPolicies)))
    }
}

/// Input of `createSlaPolicy`. Each clock has 1 to 527040 open minutes.
#[derive(InputObject)]
pub(crate) struct CreateSlaPolicyInput {
    /// Name, unique in the organisation, 1 to 200 characters.
    name: String,
    /// Only for complaints judged to be this severe.
    severity: Option<Wire<Severity>>,
    /// Only for complaints about this product.
    product_id: Option<ID>,
    /// Only for complaints of customers of this grade.
    customer_grade: Option<Wire<CustomerGrade>>,
    /// Only for complaints that came this way.
    channel: Option<Wire<Channel>>,
    /// On whose hours its clocks run; those of the organisation's default calendar if not given.
    calendar_id: Option<ID>,
    /// Open minutes until the customer is told that the complaint has arrived.
    ack_minutes: i32,
    /// Open minutes until the customer hears something of substance.
    first_response_minutes: i32,
    /// Open minutes between two pieces of news for the customer.
    update_minutes: i32,
    /// Open minutes until it is settled.
    resolution_minutes: i32,
    /// Who is told when the time of a clock passes, 1 to 10 rungs, lowest first. If not given: the owner at 50 %, whoever
    /// leads them at 75 %, managers at 100 % and administrators at 150 %.
    ladder: Option<Vec<LadderRungInput>>,
}

impl CreateSlaPolicyInput {
    fn parse(self) -> evenhand_domain::error::Result<CreateSlaPolicy> {
        let mut problems = Problems::default();
        let product_id = problems.take("productId", ids::decode_opt(self.product_id.as_ref()));
        let calendar_id = problems.take("calendarId", ids::decode_opt(self.calendar_id.as_ref()));
        problems.finish_with(|| {
            let criteria = Criteria {
                severity: self.severity.map(|severity| severity.0),
                product_id: product_id?,
                customer_grade: self.customer_grade.map(|grade| grade.0),
                channel: self.channel.map(|channel| channel.0),
            };
            let minutes = ClockMinutes {
                ack: self.ack_minutes,
                first_response: self.first_response_minutes,
                update: self.update_minutes,
                resolution: self.resolution_minutes,
            };
            Some(CreateSlaPolicy(NewSlaPolicy {
                name: self.name,
                criteria,
                calendar_id: calendar_id?,
                minutes,
                ladder: ladder(self.ladder),
            }))
        })
    }
}

/// Input of `updateSlaPolicy`; what is left out stays. What a policy is for stays as well: another kind of complaint gets
/// a policy of its own.
#[derive(InputObject)]
pub(crate) struct UpdateSlaPolicyInput {
    /// The policy.
    id: ID,
    /// The version that you read.
    version: i32,
    /// Name, unique in the organisation, 1 to 200 characters.
    name: Option<String>,
    /// On whose hours its clocks run; null for those of the organisation's default calendar.
    calendar_id: MaybeUndefined<ID>,
    /// All four clocks, each 1 to 527040 open minutes.
    minutes: Option<ClockMinutesInput>,
    /// Who is told when the time of a clock passes, 1 to 10 rungs, lowest first.
    ladder: Option<Vec<LadderRungInput>>,
    /// Whether complaints are still given to it; those that follow it go on.
    is_active: Option<bool>,
}

/// How long each clock may run, in open minutes.
#[derive(InputObject)]
pub(crate) struct ClockMinutesInput {
    /// Until the customer is told that the complaint has arrived.
    ack_minutes: i32,
    /// Until the customer hears something of substance.
    first_response_minutes: i32,
    /// Between two pieces of news for the customer.
    update_minutes: i32,
    /// Until it is settled.
    resolution_minutes: i32,
}

impl From<ClockMinutesInput> for ClockMinutes {
    fn from(input: ClockMinutesInput) -> Self {
        Self {
            ack: input.ack_minutes,
            first_response: input.first_response_minutes,
            update: input.update_minutes,
            resolution: input.resolution_minutes,
        }
    }
}

impl UpdateSlaPolicyInput {
    fn parse(self) -> evenhand_domain::error::Result<UpdateSlaPolicy> {
        let mut problems = Problems::default();
        let id = problems.take("id", ids::decode(&self.id));
        let calendar_id = problems.take("calendarId", patch(self.calendar_id).check(ids::decode));
        problems.finish_with(|| {
            let update = SlaPolicyUpdate {
                name: self.name,
                calendar_id: calendar_id?,
                minutes: self.minutes.map(ClockMinutes::from),
                ladder: ladder(self.ladder),
                is_active: self.is_active,
            };
            Some(UpdateSlaPolicy { id: id?, version: self.version, update })
        })
    }
}

payload! {
    /// Result of `createSlaPolicy`.
    CreateSlaPolicyPayload {
        /// The new policy; null when the input was wrong.
        sla_policy: SlaPolicy
    }
}

payload! {
    /// Result of `updateSlaPolicy`.
    UpdateSlaPolicyPayload {
        /// The policy after the change; null when the input was wrong.
        sla_policy: SlaPolicy
    }
}

/// Mutations of policies.
#[derive(Default)]
pub(crate) struct SlaPolicyMutations;

#[Object]
impl SlaPolicyMutations {
    /// Adds a policy. Complaints that are recorded or assessed from now on follow it where it fits best. For
    /// administrators.
    async fn create_sla_policy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new policy.")] input: CreateSlaPolicyInput,
    ) -> Result<CreateSlaPolicyPayload> {
        CreateSlaPolicyPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Changes a policy. The clocks that follow it are recalculated within seconds; what they promised before stays in
    /// their revisions, and a deadline that was missed stays missed. For administrators.
    async fn update_sla_policy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateSlaPolicyInput,
    ) -> Result<UpdateSlaPolicyPayload> {
        UpdateSlaPolicyPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }
}
