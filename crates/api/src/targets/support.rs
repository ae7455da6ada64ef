//! The support of a target: what is to be done, and what departments owe.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use evenhand_domain::targets::{self as domain, ResourceKind, ResourceNeed, ResourceStatus};

use super::{amount, load_person, number};
use crate::context::Request;
use crate::ids;
use crate::scalars::{Date, DateTime, Decimal, Money};
use crate::users::User;
use crate::wire::Wire;

/// What is to be done for a target, and what departments owe to its owner.
#[derive(SimpleObject)]
pub(crate) struct SupportPlan {
    /// What is to be done.
    actions: Vec<SupportAction>,
    /// What departments owe.
    resources: Vec<SupportResource>,
}

impl SupportPlan {
    /// Several plans as one.
    pub(super) fn of<'a>(plans: impl IntoIterator<Item = &'a domain::SupportPlan>) -> Self {
        let mut whole = Self { actions: Vec::new(), resources: Vec::new() };
        for plan in plans {
            whole.actions.extend(
                plan.actions
                    .iter()
                    .map(|action| SupportAction { text: action.text.clone(), due_by: Date(action.due_by) }),
            );
            whole.resources.extend(plan.resources.iter().cloned().map(SupportResource));
        }
        whole
    }
}

/// Something to be done for a target.
#[derive(SimpleObject)]
pub(crate) struct SupportAction {
    /// What.
    text: String,
    /// Until when.
    due_by: Date,
}

/// Something that a department owes.
pub(crate) struct SupportResource(domain::SupportResource);

/// Something that a department owes to the owner of a target.
#[Object]
impl SupportResource {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// What kind.
    async fn kind(&self) -> Wire<ResourceKind> {
        Wire(self.0.kind)
    }

    /// How many pieces; null for money.
    async fn quantity(&self) -> Option<Decimal> {
        number(self.0.quantity)
    }

    /// How much money; null for pieces.
    async fn money(&self) -> Option<Money> {
        amount(self.0.quantity)
    }

    /// Until when.
    async fn due_by(&self) -> Date {
        Date(self.0.due_by)
    }

    /// Name of the team that owes it; a member of it signs.
    async fn department(&self) -> &str {
        &self.0.department
    }

    /// Whether the target can do without.
    async fn need(&self) -> Wire<ResourceNeed> {
        Wire(self.0.need)
    }

    /// How far it is today.
    async fn status(&self, ctx: &Context<'_>) -> Wire<ResourceStatus> {
        Wire(self.0.status(Request::of(ctx).today()))
    }

    /// Days between the day on which it was due and the day on which it came, or today while it has not; 0 in time.
    async fn lateness_days(&self, ctx: &Context<'_>) -> i64 {
        self.0.lateness_days(Request::of(ctx).today())
    }

    /// Who signed for the department; null while nobody has.
    async fn committed_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        load_person(ctx, self.0.commitment.map(|commitment| commitment.user_id)).await
    }

    /// When the department signed.
    async fn committed_at(&self) -> Option<DateTime> {
        self.0.commitment.map(|commitment| DateTime(commitment.signed_at))
    }

    /// Day on which it came.
    async fn delivered_on(&self) -> Option<Date> {
        self.0.delivery.map(|delivery| Date(delivery.delivered_on))
    }

    /// Who recorded that it came.
    async fn delivery_recorded_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        load_person(ctx, self.0.delivery.map(|delivery| delivery.recorded_by)).await
    }
}
