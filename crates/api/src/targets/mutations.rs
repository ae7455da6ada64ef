//! Mutations of targets: inputs become commands.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::targets::{
    ActivateTarget, AgreeTarget, AmendTarget, CascadeTarget, ClosePeriod, ClosedPeriod, CommitSupport,
    CounterTarget, DeliverSupport, ProposeTarget, WithdrawTarget,
};
use evenhand_domain::error::{Problem, Problems};
use evenhand_domain::id::EntityId;
use evenhand_domain::targets::TargetLevel;

use super::inputs::{
    AssumedRatesInput, SupportPlanInput, TargetGoalInput, TargetLineInput, TargetOverrideInput, WishInput,
    buffer,
};
use super::{Target, decode_owner};
use crate::context::Request;
use crate::error::{UserError, outcome, payload};
use crate::ids;
use crate::scalars::{Date, Decimal, PeriodInput};
use crate::wire::Wire;

/// Input of `proposeTarget`.
#[derive(InputObject)]
pub(crate) struct ProposeTargetInput {
    /// A person or a team whom you lead.
    owner_id: ID,
    /// When it is to count; not over yet.
    period: PeriodInput,
    /// How much it asks, measured by how likely it is reached.
    #[graphql(default_with = "Wire(TargetLevel::Base)")]
    level: Wire<TargetLevel>,
    /// How much.
    goal: TargetGoalInput,
    /// Wanted share of usable leads, 0 to 1, e.g. `0.6`; the owner's own rate if not given.
    quality: Option<Decimal>,
    /// Rates for use where neither owner nor team has a history.
    assumed_rates: Option<AssumedRatesInput>,
    /// Numbers and days that take the place of derived ones.
    lines: Option<Vec<TargetLineInput>>,
    /// What is to be done, and what departments are to owe.
    support: Option<SupportPlanInput>,
    /// Needed where the target is too easy or too hard for its level, or where no history says so.
    r#override: Option<TargetOverrideInput>,
    /// The target of the team that it is a part of.
    parent_id: Option<ID>,
}

/// Input of `counterTarget`.
#[derive(InputObject)]
pub(crate) struct CounterTargetInput {
    /// The target; terms of the other side are on the table.
    id: ID,
    /// The version that you read.
    version: i32,
    /// How much.
    goal: TargetGoalInput,
    /// Wanted share of usable leads, 0 to 1; the owner's own rate if not given.
    quality: Option<Decimal>,
    /// Rates for use where neither owner nor team has a history.
    assumed_rates: Option<AssumedRatesInput>,
    /// Numbers and days that take the place of derived ones.
    lines: Option<Vec<TargetLineInput>>,
    /// What is to be done and owed, in place of what is on the table.
    support: Option<SupportPlanInput>,
    /// Needed where the terms are unusual.
    r#override: Option<TargetOverrideInput>,
    /// First day of an amendment; the day on the table if not given.
    effective_from: Option<Date>,
}

/// Input of `amendTarget`.
#[derive(InputObject)]
pub(crate) struct AmendTargetInput {
    /// The target; it must be active.
    id: ID,
    /// The version that you read.
    version: i32,
    /// First day of the new terms, today or later; days before keep theirs.
    effective_from: Date,
    /// How much, for the whole period.
    goal: TargetGoalInput,
    /// Wanted share of usable leads, 0 to 1; the owner's own rate if not given.
    quality: Option<Decimal>,
    /// Rates for use where neither owner nor team has a history.
    assumed_rates: Option<AssumedRatesInput>,
    /// Numbers and days that take the place of derived ones.
    lines: Option<Vec<TargetLineInput>>,
    /// What is to be done and owed beside what was agreed already.
    support: Option<SupportPlanInput>,
    /// Needed where the terms are unusual.
    r#override: Option<TargetOverrideInput>,
}

/// Input of `agreeTarget`.
#[derive(InputObject)]
pub(crate) struct AgreeTargetInput {
    /// The target; terms are on the table.
    id: ID,
    /// The version that you read.
    version: i32,
    /// The hash of the terms that you read, see `Target.onTheTable`.
    hash: String,
}

/// Input of `commitSupport`.
#[derive(InputObject)]
pub(crate) struct CommitSupportInput {
    /// The target; it must be agreed.
    id: ID,
    /// The version that you read.
    version: i32,
    /// What your team will deliver.
    resource_id: ID,
}

/// Input of `deliverSupport`.
#[derive(InputObject)]
pub(crate) struct DeliverSupportInput {
    /// The target.
    id: ID,
    /// The version that you read.
    version: i32,
    /// What was delivered.
    resource_id: ID,
    /// Day on which it came, not in the future; today if not given.
    delivered_on: Option<Date>,
}

/// Input of `activateTarget`.
#[derive(InputObject)]
pub(crate) struct ActivateTargetInput {
    /// The target; it must be committed, and its period must have begun.
    id: ID,
    /// The version that you read.
    version: i32,
    /// Why it counts although it was published after its period began; only then.
    reason: Option<String>,
}

/// Input of `withdrawTarget`.
#[derive(InputObject)]
pub(crate) struct WithdrawTargetInput {
    /// The target; it, or its amendment, must not count yet.
    id: ID,
    /// The version that you read.
    version: i32,
    /// Why, 1 to 10,000 characters.
    reason: String,
}

/// Input of `cascadeTarget`.
#[derive(InputObject)]
pub(crate) struct CascadeTargetInput {
    /// The target of a team.
    id: ID,
    /// The version that you read.
    version: i32,
    /// What the members are asked beyond the team, metric by metric; nothing if not given.
    buffer: Option<Vec<TargetLineInput>>,
    /// For those members' targets that are too easy or too hard for the level, or where no history says so.
    r#override: Option<TargetOverrideInput>,
}

payload! {
    /// Result of `proposeTarget`.
    ProposeTargetPayload {
        /// The new target; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `counterTarget`.
    CounterTargetPayload {
        /// The target with the new terms on the table; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `agreeTarget`.
    AgreeTargetPayload {
        /// The signed target; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `commitSupport`.
    CommitSupportPayload {
        /// The target with the signature of the department; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `deliverSupport`.
    DeliverSupportPayload {
        /// The target with the delivery; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `activateTarget`.
    ActivateTargetPayload {
        /// The active target; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `amendTarget`.
    AmendTargetPayload {
        /// The target with the amendment on the table; null when the input was wrong.
        target: Target
    }
}

payload! {
    /// Result of `withdrawTarget`.
    WithdrawTargetPayload {
        /// The target without what was taken back; null when the input was wrong.
        target: Target
    }
}

/// Result of `cascadeTarget`.
#[derive(SimpleObject)]
pub(crate) struct CascadeTargetPayload {
    /// The target of the team with its buffer; null when the input was wrong.
    target: Option<Target>,
    /// The new targets of the members; empty when the input was wrong.
    children: Vec<Target>,
    /// What is wrong with the input; empty when the mutation was carried out.
    user_errors: Vec<UserError>,
}

/// Which period is to be closed.
#[derive(InputObject)]
pub(crate) struct ClosePeriodInput {
    /// A period that is over and whose days are closed.
    period: PeriodInput,
}

/// Result of `closePeriod`.
#[derive(SimpleObject)]
pub(crate) struct ClosePeriodPayload {
    /// The closed targets; empty when the input was wrong.
    targets: Vec<Target>,
    /// Whether there are more than one call closes; close again.
    has_more: bool,
    /// What is wrong with the input; empty when the mutation was carried out.
    user_errors: Vec<UserError>,
}

impl ProposeTargetInput {
    fn parse(self) -> evenhand_domain::error::Result<ProposeTarget> {
        let mut problems = Problems::default();
        let owner = problems.take("ownerId", decode_owner(&self.owner_id));
        let parent_id = problems.take("parentId", ids::decode_opt(self.parent_id.as_ref()));
        problems.finish()?;
        let period = self.period.parse()?;
        let wish = WishInput {
            goal: self.goal,
            quality: self.quality,
            assumed_rates: self.assumed_rates,
            lines: self.lines,
            effective_from: None,
            r#override: self.r#override,
            support: self.support,
        };
        let wish = wish.parse()?;
        Problems::default().finish_with(|| {
            Some(ProposeTarget { owner: owner?, period, level: self.level.0, parent_id: parent_id?, wish })
        })
    }
}

impl CounterTargetInput {
    fn parse(self) -> evenhand_domain::error::Result<CounterTarget> {
        let wish = WishInput {
            goal: self.goal,
            quality: self.quality,
            assumed_rates: self.assumed_rates,
            lines: self.lines,
            effective_from: self.effective_from,
            r#override: self.r#override,
            support: self.support,
        };
        Ok(CounterTarget { id: decode(&self.id, "id")?, version: self.version, wish: wish.parse()? })
    }
}

impl AmendTargetInput {
    fn parse(self) -> evenhand_domain::error::Result<AmendTarget> {
        let wish = WishInput {
            goal: self.goal,
            quality: self.quality,
            assumed_rates: self.assumed_rates,
            lines: self.lines,
            effective_from: Some(self.effective_from),
            r#override: self.r#override,
            support: self.support,
        };
        Ok(AmendTarget { id: decode(&self.id, "id")?, version: self.version, wish: wish.parse()? })
    }
}

impl CascadeTargetInput {
    fn parse(self) -> evenhand_domain::error::Result<CascadeTarget> {
        let band_override = self.r#override.as_ref().map(TargetOverrideInput::parse).transpose();
        Ok(CascadeTarget {
            id: decode(&self.id, "id")?,
            version: self.version,
            buffer: buffer(self.buffer.as_ref()).map_err(|problem| problem.at("buffer"))?,
            band_override: band_override.map_err(|problem| problem.at("override"))?,
        })
    }
}

fn decode<I: EntityId>(id: &ID, field: &str) -> std::result::Result<I, Problem> {
    ids::decode(id).map_err(|problem| problem.at(field))
}

/// Mutations of targets.
#[derive(Default)]
pub(crate) struct TargetMutations;

#[Object]
impl TargetMutations {
    /// Puts a target on the table: a goal goes in, and the numbers that it takes come out of the owner's own work.
    /// For those who lead the owner.
    async fn propose_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, when and how much.")] input: ProposeTargetInput,
    ) -> Result<ProposeTargetPayload> {
        ProposeTargetPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Answers the terms of the other side with other ones, derived from the same history. The earlier ones are
    /// kept, and signatures begin anew.
    async fn counter_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and how much instead.")] input: CounterTargetInput,
    ) -> Result<CounterTargetPayload> {
        CounterTargetPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Signs the terms on the table, for the owner, for those who lead the owner, or as the one who answers for
    /// unusual terms. The last signature makes the agreement; it is published once all required support is
    /// signed and its team adds up.
    async fn agree_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and the hash of what you read.")] input: AgreeTargetInput,
    ) -> Result<AgreeTargetPayload> {
        AgreeTargetPayload::of(
            async {
                let command =
                    AgreeTarget { id: decode(&input.id, "id")?, version: input.version, hash: input.hash };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Signs that your team will deliver what it owes to the owner of a target.
    async fn commit_support(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and what.")] input: CommitSupportInput,
    ) -> Result<CommitSupportPayload> {
        CommitSupportPayload::of(
            async {
                let command = CommitSupport {
                    id: decode(&input.id, "id")?,
                    version: input.version,
                    resource_id: decode(&input.resource_id, "resourceId")?,
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Records that something was delivered to the owner of a target, in time or late.
    async fn deliver_support(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, what and when.")] input: DeliverSupportInput,
    ) -> Result<DeliverSupportPayload> {
        DeliverSupportPayload::of(
            async {
                let command = DeliverSupport {
                    id: decode(&input.id, "id")?,
                    version: input.version,
                    resource_id: decode(&input.resource_id, "resourceId")?,
                    delivered_on: input.delivered_on.map(|day| day.0),
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Lets a committed target count from the first day of its period. One that was published later needs a
    /// reason, and somebody who neither wrote nor signed its terms.
    async fn activate_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: ActivateTargetInput,
    ) -> Result<ActivateTargetPayload> {
        ActivateTargetPayload::of(
            async {
                let command = ActivateTarget {
                    id: decode(&input.id, "id")?,
                    version: input.version,
                    reason: input.reason,
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Puts other terms for the rest of the period on the table; they are answered and signed like the first ones.
    async fn amend_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, from when and how much.")] input: AmendTargetInput,
    ) -> Result<AmendTargetPayload> {
        AmendTargetPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Takes back a target that does not count yet, or the open amendment of one that does.
    async fn withdraw_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and why.")] input: WithdrawTargetInput,
    ) -> Result<WithdrawTargetPayload> {
        WithdrawTargetPayload::of(
            async {
                let command = WithdrawTarget {
                    id: decode(&input.id, "id")?,
                    version: input.version,
                    reason: input.reason,
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Splits the target of a team over its members by what each can do, exact to the unit, and proposes each part.
    async fn cascade_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and what the members are asked beyond it.")]
        input: CascadeTargetInput,
    ) -> Result<CascadeTargetPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await }.await;
        let (cascaded, user_errors) = outcome(result)?;
        Ok(match cascaded {
            Some(cascaded) => CascadeTargetPayload {
                target: Some(cascaded.target.into()),
                children: cascaded.children.into_iter().map(Target::from).collect(),
                user_errors,
            },
            None => CascadeTargetPayload { target: None, children: Vec::new(), user_errors },
        })
    }

    /// Freezes the results of a period that is over, of all targets that count and that you manage: what was attained,
    /// and how good the forecasts were. Nobody closes their own. The next proposals cite these results. All days of the
    /// period must be closed and personal figures equal the company's.
    async fn close_period(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which period.")] input: ClosePeriodInput,
    ) -> Result<ClosePeriodPayload> {
        let result = async {
            let period = input.period.parse().map_err(|problem| problem.at("period"))?;
            Request::of(ctx).execute(&ClosePeriod { period }).await
        };
        let (closed, user_errors) = outcome(result.await)?;
        let ClosedPeriod { targets, has_more } = closed.unwrap_or_default();
        let targets = targets.into_iter().map(Target::from).collect();
        Ok(ClosePeriodPayload { targets, has_more, user_errors })
    }
}
