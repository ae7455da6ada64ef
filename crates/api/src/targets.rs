//! Targets in GraphQL.

use std::collections::HashMap;

use async_graphql::{Context, ID, Object, Result, SimpleObject, Union};
use evenhand_app::targets::{DerivationsByIds, MissingOfTargets, TargetsBelow, TargetsByIds};
use evenhand_domain::derivation as derived;
use evenhand_domain::error::{Code, Error, Problem};
use evenhand_domain::fraction::Fraction;
use evenhand_domain::id::{DerivationId, EntityId, TargetId, TeamId, UserId};
use evenhand_domain::targets::{
    self as domain, BandOverride, Metric, Quantity, Side, TargetLevel, TargetState, Terms,
};

use crate::attainment::{self, Attainment};
use crate::context::Request;
use crate::ids;
use crate::page::connection;
use crate::scalars::{Date, DateTime, Decimal, Money, Period};
use crate::teams::{self, Team};
use crate::users::{self, User};
use crate::wire::Wire;

mod derivation;
mod inputs;
mod mutations;
mod queries;
mod support;

use derivation::{Achievability, Derivation};
pub(crate) use inputs::parts;
pub(crate) use mutations::TargetMutations;
pub(crate) use queries::TargetQueries;
use support::SupportPlan;

/// Decimals of a share that is kept in parts per million.
const SHARE_DECIMALS: u32 = 6;

/// A share in parts per million, as a decimal number.
pub(crate) fn share(ppm: impl Into<i64>) -> Decimal {
    Decimal(Fraction::millionths(ppm.into()).decimal(SHARE_DECIMALS))
}

/// The number of a quantity; `None` for money.
pub(crate) fn number(quantity: Quantity) -> Option<Decimal> {
    match quantity {
        Quantity::Count(count) => Some(Decimal(count.to_string())),
        Quantity::Share(ppm) => Some(share(ppm)),
        Quantity::Money(_) => None,
    }
}

/// The amount of a quantity; `None` for anything but money.
pub(crate) fn amount(quantity: Quantity) -> Option<Money> {
    match quantity {
        Quantity::Money(money) => Some(Money(money)),
        Quantity::Count(_) | Quantity::Share(_) => None,
    }
}

/// Whose target it is: a person or a team.
#[derive(Clone, Union)]
pub(crate) enum TargetOwner {
    /// A person.
    User(User),
    /// A team.
    Team(Team),
}

/// The owner in an id of a person or a team.
///
/// # Errors
/// `INVALID_ID` for any other id.
pub(crate) fn decode_owner(id: &ID) -> std::result::Result<domain::TargetOwner, Problem> {
    match ids::decode_any(id) {
        Some((name, uuid)) if name == UserId::TYPE => Ok(domain::TargetOwner::User(UserId::from_uuid(uuid))),
        Some((name, uuid)) if name == TeamId::TYPE => Ok(domain::TargetOwner::Team(TeamId::from_uuid(uuid))),
        _ => Err(Problem::new(Code::InvalidId, "Expected the id of a User or a Team.")),
    }
}

/// The person or team that an owner is.
pub(crate) async fn load_owner(ctx: &Context<'_>, owner: domain::TargetOwner) -> Result<TargetOwner> {
    let owner = match owner {
        domain::TargetOwner::User(user) => users::load(ctx, user).await?.map(TargetOwner::User),
        domain::TargetOwner::Team(team) => teams::load(ctx, team).await?.map(TargetOwner::Team),
    };
    Ok(owner.ok_or_else(|| Error::Internal("an owner is neither a person nor a team".into()))?)
}

/// One number of a target for the whole period, and what that is on each workday.
#[derive(Clone, SimpleObject)]
pub(crate) struct TargetLine {
    /// What is counted.
    metric: Wire<Metric>,
    /// How many in the period; for the lead quality the share of usable leads, 0 to 1. Null for money.
    quantity: Option<Decimal>,
    /// How much money in the period; null for what is counted.
    money: Option<Money>,
    /// How many on each workday, rounded up; null for money and for the lead quality, which is the same every day.
    per_workday: Option<Decimal>,
    /// How much money on each workday, rounded up; null for what is counted.
    money_per_workday: Option<Money>,
    /// Last day on which it counts as done in time.
    due_by: Date,
}

impl From<&domain::TargetLine> for TargetLine {
    fn from(line: &domain::TargetLine) -> Self {
        Self {
            metric: Wire(line.metric),
            quantity: number(line.quantity),
            money: amount(line.quantity),
            per_workday: line.per_workday.and_then(number),
            money_per_workday: line.per_workday.and_then(amount),
            due_by: Date(line.due_by),
        }
    }
}

fn lines(lines: &[domain::TargetLine]) -> Vec<TargetLine> {
    lines.iter().map(TargetLine::from).collect()
}

/// A signature under one version of the terms.
pub(crate) struct Signature(domain::Signature);

/// A signature under one version of the terms of a target.
#[Object]
impl Signature {
    /// Who signed.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.user_id).await
    }

    /// As what.
    async fn side(&self) -> Wire<Side> {
        Wire(self.0.side)
    }

    /// SHA-256 of the terms that were signed, in hexadecimal digits.
    async fn hash(&self) -> &str {
        &self.0.hash
    }

    /// When.
    async fn signed_at(&self) -> DateTime {
        DateTime(self.0.signed_at)
    }
}

/// Why a target that is too easy or too hard for its level is right all the same.
pub(crate) struct TargetOverride(BandOverride);

/// Why a target that is too easy or too hard for its level, or of which that is not known, is right all the same.
#[Object]
impl TargetOverride {
    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Who answers for it, and signs the terms as well.
    async fn approver(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.approver_id).await
    }
}

/// One version of what a target asks.
pub(crate) struct TargetTerms {
    terms: Terms,
    hash: String,
}

impl TargetTerms {
    fn of(target: &domain::Target, terms: &Terms) -> Self {
        Self { hash: target.hash(terms), terms: terms.clone() }
    }
}

/// One version of what a target asks. Its numbers never change: whoever wants other ones makes a new version.
#[Object]
impl TargetTerms {
    /// Counts the versions of one target, from 1.
    async fn number(&self) -> i32 {
        self.terms.number
    }

    /// SHA-256 of these terms in hexadecimal digits: what is signed.
    async fn hash(&self) -> &str {
        &self.hash
    }

    /// Who wrote them.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.terms.author_id).await
    }

    /// On whose side the author is.
    async fn author_side(&self) -> Wire<Side> {
        Wire(self.terms.author_side)
    }

    /// When they were put on the table.
    async fn proposed_at(&self) -> DateTime {
        DateTime(self.terms.proposed_at)
    }

    /// First day for which they are meant: of the period, or of its rest for an amendment.
    async fn effective_from(&self) -> Date {
        Date(self.terms.effective_from)
    }

    /// First day on which they count; null while they do not.
    async fn in_force_from(&self) -> Option<Date> {
        self.terms.in_force_from.map(Date)
    }

    /// Workdays of the owner in the period.
    async fn workdays(&self) -> i32 {
        i32::try_from(self.terms.workdays).unwrap_or(i32::MAX)
    }

    /// The numbers, for the whole period.
    async fn lines(&self) -> Vec<TargetLine> {
        lines(&self.terms.lines)
    }

    /// How the numbers follow from recorded work; null for who sees the target because of what a team owes.
    async fn derivation(&self, ctx: &Context<'_>) -> Result<Option<Derivation>> {
        load_derivation(ctx, self.terms.derivation_id).await
    }

    /// Why unusual terms are right; null for usual ones.
    async fn r#override(&self) -> Option<TargetOverride> {
        self.terms.band_override.clone().map(TargetOverride)
    }

    /// What is to be done and owed; an amendment holds what it adds.
    async fn support_plan(&self) -> SupportPlan {
        SupportPlan::of([&self.terms.support])
    }

    /// Signatures so far, in their order.
    async fn signatures(&self) -> Vec<Signature> {
        self.terms.signatures.iter().cloned().map(Signature).collect()
    }

    /// When the last signature was given; null while one is missing.
    async fn agreed_at(&self) -> Option<DateTime> {
        self.terms.agreed_at.map(DateTime)
    }

    /// When an amendment was taken back.
    async fn withdrawn_at(&self) -> Option<DateTime> {
        self.terms.withdrawn_at.map(DateTime)
    }
}

/// Something that an agreed target or amendment still needs before it is committed.
#[derive(Clone, SimpleObject)]
pub(crate) struct TargetGap {
    /// Stable code to act on.
    code: Wire<Code>,
    /// What is missing, for a person.
    message: String,
}

impl From<Problem> for TargetGap {
    fn from(problem: Problem) -> Self {
        Self { code: Wire(problem.code), message: problem.message }
    }
}

/// What a person or a team is to reach in a period.
#[derive(Clone)]
pub(crate) struct Target(Box<domain::Target>);

impl From<domain::Target> for Target {
    fn from(target: domain::Target) -> Self {
        Self(Box::new(target))
    }
}

connection!(TargetConnection, TargetEdge, Target, "targets");

/// What a person or a team is to reach in a period: derived from their own work, agreed by both sides, supported
/// by those who owe something. You see your own targets, those of your team, those of the people and teams that
/// you lead, and once they are agreed those to which your team owes something that you may sign for.
#[Object]
impl Target {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you change the target.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Whose it is.
    async fn owner(&self, ctx: &Context<'_>) -> Result<TargetOwner> {
        load_owner(ctx, self.0.owner).await
    }

    /// When it counts.
    async fn period(&self) -> Period {
        self.0.period.into()
    }

    /// How much it asks, measured by how likely it is reached.
    async fn level(&self) -> Wire<TargetLevel> {
        Wire(self.0.level)
    }

    /// How far it is.
    async fn state(&self) -> Wire<TargetState> {
        Wire(self.0.state)
    }

    /// What agreed terms, first ones or an amendment, still need before they are committed by themselves: signatures
    /// of departments, and a team whose members' targets add up. Empty where nothing waits.
    async fn missing(&self, ctx: &Context<'_>) -> Result<Vec<TargetGap>> {
        if !self.0.waits_for_commit() {
            return Ok(Vec::new());
        }
        let request = Request::of(ctx).asker();
        let missing = Request::of(ctx)
            .loaders()
            .missing_of_targets
            .load(self.0.id, |ids| async move { request.query(&MissingOfTargets(ids)).await });
        Ok(missing.await?.unwrap_or_default().into_iter().map(TargetGap::from).collect())
    }

    /// What is asked for the whole period by the terms that stand.
    async fn lines(&self) -> Vec<TargetLine> {
        lines(&self.0.terms.lines)
    }

    /// How those numbers follow from recorded work; null for who sees the target because of what a team owes.
    async fn derivation(&self, ctx: &Context<'_>) -> Result<Option<Derivation>> {
        load_derivation(ctx, self.0.terms.derivation_id).await
    }

    /// How likely the terms that stand are reached; null where no history says so, or where
    /// you may not see the derivation.
    async fn achievability(&self, ctx: &Context<'_>) -> Result<Option<Achievability>> {
        let derivation = load_derivation(ctx, self.0.terms.derivation_id).await?;
        Ok(derivation.and_then(|derivation| derivation.judged()))
    }

    /// All that is to be done and owed: what was agreed with each version adds up.
    async fn support_plan(&self) -> SupportPlan {
        SupportPlan::of(self.0.support())
    }

    /// How far the owner is; the frozen result once the target is closed. Each moment that you ask for is looked up by
    /// itself.
    async fn attainment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Attainment> {
        attainment::of_target(ctx, &self.0, as_of).await
    }

    /// Signatures under the terms that stand, in their order.
    async fn signatures(&self) -> Vec<Signature> {
        self.0.terms.signatures.iter().cloned().map(Signature).collect()
    }

    /// The terms that stand: on the table, agreed or in force.
    async fn terms(&self) -> TargetTerms {
        TargetTerms::of(&self.0, &self.0.terms)
    }

    /// The terms that can be answered and signed now; null while there are none.
    async fn on_the_table(&self) -> Option<TargetTerms> {
        self.0.on_the_table().map(|terms| TargetTerms::of(&self.0, terms))
    }

    /// Terms for the rest of the period that are not in force yet; of an active target only.
    async fn amendment(&self) -> Option<TargetTerms> {
        self.0.amendment.as_ref().map(|terms| TargetTerms::of(&self.0, terms))
    }

    /// All other versions of the terms, by number: answered, replaced or taken back.
    async fn earlier_terms(&self) -> Vec<TargetTerms> {
        self.0.history.iter().map(|terms| TargetTerms::of(&self.0, terms)).collect()
    }

    /// The target of the team that this one is a part of; null for none, or where you may not see it.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Target>> {
        match self.0.parent_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The targets of which this one is made and which are not withdrawn, oldest first; those that you may see.
    async fn children(&self, ctx: &Context<'_>) -> Result<Vec<Target>> {
        let request = Request::of(ctx).asker();
        let below = Request::of(ctx).loaders().targets_below.load(self.0.id, |parents| async move {
            let mut below: HashMap<TargetId, Vec<domain::Target>> = HashMap::new();
            for target in request.query(&TargetsBelow(parents)).await? {
                if let Some(parent) = target.parent_id {
                    below.entry(parent).or_default().push(target);
                }
            }
            Ok(below)
        });
        Ok(below.await?.unwrap_or_default().into_iter().map(Target::from).collect())
    }

    /// What the members are asked beyond the target of their team; empty for a person.
    async fn buffer(&self) -> Vec<TargetLine> {
        lines(&self.0.buffer)
    }

    /// When all was signed and added up, and the target was known to all.
    async fn published_at(&self) -> Option<DateTime> {
        self.0.published_at.map(DateTime)
    }

    /// When it was activated.
    async fn activated_at(&self) -> Option<DateTime> {
        self.0.activated_at.map(DateTime)
    }

    /// Why it counts although it was published after its period began.
    async fn late_reason(&self) -> Option<&str> {
        self.0.late_activation.as_ref().map(|late| late.reason.as_str())
    }

    /// Who activated it although it was published after its period began.
    async fn late_approver(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match &self.0.late_activation {
            Some(late) => users::load(ctx, late.approver_id).await,
            None => Ok(None),
        }
    }

    /// When its result was frozen.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// When it was taken back.
    async fn withdrawn_at(&self) -> Option<DateTime> {
        self.0.withdrawn_at.map(DateTime)
    }

    /// Why it was taken back.
    async fn withdraw_reason(&self) -> Option<&str> {
        self.0.withdraw_reason.as_deref()
    }

    /// When it was proposed.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// The target with this id; null where there is none or the caller may not see it.
pub(crate) async fn load(ctx: &Context<'_>, id: TargetId) -> Result<Option<Target>> {
    let request = Request::of(ctx).asker();
    let target = Request::of(ctx).loaders().targets.load(id, |ids| async move {
        let targets = request.query(&TargetsByIds(ids)).await?;
        Ok(targets.into_iter().map(|target| (target.id, target)).collect())
    });
    Ok(target.await?.map(Target::from))
}

async fn load_derivation(ctx: &Context<'_>, id: DerivationId) -> Result<Option<Derivation>> {
    let request = Request::of(ctx).asker();
    let found: Option<derived::Derivation> = Request::of(ctx)
        .loaders()
        .derivations
        .load(id, |ids| async move { Ok(request.query(&DerivationsByIds(ids)).await?.into_iter().collect()) })
        .await?;
    Ok(found.map(Derivation))
}

/// The person with this id, where there is one.
async fn load_person(ctx: &Context<'_>, id: Option<UserId>) -> Result<Option<User>> {
    match id {
        Some(id) => users::load(ctx, id).await,
        None => Ok(None),
    }
}
