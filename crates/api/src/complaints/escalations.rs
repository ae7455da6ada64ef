//! Escalations of complaints, and the ladders that they climb, in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_domain::complaints::{self as domain, EscalationCause, EscalationRole, Rung};

use crate::ids;
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

/// A rung of the ladder that was raised.
pub(crate) struct Escalation(pub(super) domain::Escalation);

/// A rung of the ladder that was raised: those whom it names are to take charge of the complaint, or the next rung is
/// raised.
#[Object]
impl Escalation {
    /// Opaque id, for `acceptEscalation`.
    async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Why it was raised.
    async fn cause(&self) -> Wire<EscalationCause> {
        Wire(self.0.key.cause)
    }

    /// For a clock its round; else the how manieth absence, dispute or reopening, from 1.
    async fn occurrence(&self) -> i32 {
        self.0.key.occurrence
    }

    /// Which rung, from 1.
    async fn rung(&self) -> i32 {
        self.0.key.rung
    }

    /// Whom it names.
    async fn role(&self) -> Wire<EscalationRole> {
        Wire(self.0.role)
    }

    /// When it had to be raised.
    async fn arises_at(&self) -> DateTime {
        DateTime(self.0.arises_at)
    }

    /// When it was raised.
    async fn raised_at(&self) -> DateTime {
        DateTime(self.0.raised_at)
    }

    /// When those whom it names are told: at once where somebody's safety is at stake, else in service hours.
    async fn notify_at(&self) -> DateTime {
        DateTime(self.0.notify_at)
    }

    /// When the next rung is raised unless somebody has taken charge.
    async fn accept_by(&self) -> DateTime {
        DateTime(self.0.accept_by)
    }

    /// Who took charge; null while nobody has.
    async fn accepted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.accepted {
            Some((user, _)) => users::load(ctx, user).await,
            None => Ok(None),
        }
    }

    /// When they took charge.
    async fn accepted_at(&self) -> Option<DateTime> {
        self.0.accepted.map(|(_, at)| DateTime(at))
    }
}

/// One rung of a ladder.
#[derive(SimpleObject)]
pub(crate) struct LadderRung {
    /// After which share of a clock's time it is raised, in percent.
    percent: i32,
    /// Whom it names.
    role: Wire<EscalationRole>,
    /// Within how many open minutes one of them must take charge before the next rung is raised.
    accept_minutes: i32,
}

impl From<&Rung> for LadderRung {
    fn from(rung: &Rung) -> Self {
        Self { percent: rung.percent, role: Wire(rung.role), accept_minutes: rung.accept_minutes }
    }
}

/// One rung of a ladder.
#[derive(InputObject)]
pub(crate) struct LadderRungInput {
    /// After which share of a clock's time it is raised, 1 to 1000 percent; more than the rung before.
    percent: i32,
    /// Whom it names.
    role: Wire<EscalationRole>,
    /// Within how many open minutes one of them must take charge, 1 to 10080.
    accept_minutes: i32,
}

/// The ladder that was given, if one was.
pub(super) fn ladder(input: Option<Vec<LadderRungInput>>) -> Option<Vec<Rung>> {
    let rung = |input: LadderRungInput| Rung {
        percent: input.percent,
        role: input.role.0,
        accept_minutes: input.accept_minutes,
    };
    input.map(|rungs| rungs.into_iter().map(rung).collect())
}

/// Input of `acceptEscalation`.
#[derive(InputObject)]
pub(crate) struct AcceptEscalationInput {
    /// The complaint; it must be open.
    pub(super) id: ID,
    /// The version that you read.
    pub(super) version: i32,
    /// The escalation that you take charge of; nobody has yet, and it names you, or you stand above.
    pub(super) escalation_id: ID,
}
