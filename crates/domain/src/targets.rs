//! Targets: what a person or a team is to reach in a period, derived from recorded work, agreed by both sides,
//! supported by the departments that owe something, and frozen with its result.
//!
//! What is asked stands in [`Terms`], which are never changed once written: an answer with other numbers is a new
//! version, and so is an amendment. Signatures are given over the SHA-256 of the terms, so that nobody can be
//! said to have agreed to anything else.
//!
//! ```text
//! PROPOSED <-> COUNTERED -> AGREED -> COMMITTED -> ACTIVE -> CLOSED
//!     the first four also -> WITHDRAWN; ACTIVE can be amended for the days to come
//! ```

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, SubjectType, Version};
use crate::error::{Code, Problem, Result};
use crate::filter::{OneOf, Range};
use crate::fraction::Fraction;
use crate::id::{EntityId, SupportResourceId, TargetId, TeamId, UserId};
use crate::text;
use crate::time::{Period, PeriodKind, Timestamp};
use crate::users::{User, UserStatus};
use crate::wire::wire_enum;

mod agreement;
mod bands;
pub mod cascade;
mod lifecycle;
mod lines;
mod signing;
mod support;
mod terms;

pub use agreement::{NewTarget, TERMS_MAX};
pub use bands::{AchievabilitySummary, Bands, TargetLevel};
pub use lifecycle::{Closed, Closing};
pub use lines::{
    COUNT_MAX, DUE_LEAD_DAYS_MAX, Figure, Metric, NewLine, Quantity, TargetLine, WHOLE_PPM, WORKDAYS_MAX,
};
pub use signing::{Side, Signature};
pub use support::{
    ACTIONS_MAX, Commitment, Delivery, NewAction, NewResource, NewSupport, RESOURCES_MAX, ResourceKind,
    ResourceNeed, ResourceStatus, SupportAction, SupportPlan, SupportResource,
};
pub use terms::{BandOverride, Implied, LINK_TOLERANCE, NewTerms, Terms};

wire_enum! {
    /// How far a target is.
    TargetState {
        /// The terms of the manager's side are on the table.
        Proposed = "PROPOSED",
        /// The terms of the owner's side are on the table.
        Countered = "COUNTERED",
        /// Both sides have signed the same terms.
        Agreed = "AGREED",
        /// All required support is signed and the unit adds up; published.
        Committed = "COMMITTED",
        /// Counts.
        Active = "ACTIVE",
        /// The period is over and the result frozen.
        Closed = "CLOSED",
        /// Taken back before it counted.
        Withdrawn = "WITHDRAWN",
    }
}

/// Whose target it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetOwner {
    /// A person.
    User(UserId),
    /// A team.
    Team(TeamId),
}

/// Who acts on a target, on which side, and when. The caller decides the side from the organisation as it
/// stands: the owner's side is the owner, or the lead of the owning team; the manager's side is whoever leads
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Acting {
    /// The person.
    pub user_id: UserId,
    /// Their side; `None` for somebody outside, such as an administrator.
    pub side: Option<Side>,
    /// The moment.
    pub now: Timestamp,
    /// The organisation's time zone.
    pub zone: Tz,
}

impl Acting {
    /// The local date.
    pub fn today(&self) -> NaiveDate {
        self.now.date_in(self.zone)
    }
}

/// Why a target that was published after its period began counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateActivation {
    /// Why.
    pub reason: String,
    /// Who approved it: neither the author nor anybody who signed the terms.
    pub approver_id: UserId,
}

/// A target.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Counts changes.
    pub version: Version,
    /// Whose it is.
    pub owner: TargetOwner,
    /// When it counts. An owner has at most one live target for a period and level.
    pub period: Period,
    /// How much it asks.
    pub level: TargetLevel,
    /// How far it is.
    pub state: TargetState,
    /// The target of the team that this one is a part of.
    pub parent_id: Option<TargetId>,
    /// The terms that stand: on the table, agreed or in force.
    pub terms: Terms,
    /// Terms for the rest of the period that are not in force yet; for an active target only.
    pub amendment: Option<Terms>,
    /// All other terms, by number: answered, replaced or taken back.
    pub history: Vec<Terms>,
    /// What the members are asked beyond the target of their team; empty for a person.
    pub buffer: Vec<TargetLine>,
    /// When it was committed, and so known to all.
    pub published_at: Option<Timestamp>,
    /// When it was activated.
    pub activated_at: Option<Timestamp>,
    /// How it was activated, where it was published too late.
    pub late_activation: Option<LateActivation>,
    /// When its result was frozen.
    pub closed_at: Option<Timestamp>,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// Why it was taken back.
    pub withdraw_reason: Option<String>,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// A state as the transition table sees it: an active target differs by what becomes of its amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Proposed,
    Countered,
    Agreed,
    Committed,
    Active,
    /// An amendment is on the table.
    Amending,
    /// An amendment is agreed and waits for support or for the unit to add up.
    AmendmentAgreed,
    Closed,
    Withdrawn,
}

/// What can be done with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Counter,
    Sign,
    CommitSupport,
    DeliverSupport,
    SetBuffer,
    Commit,
    Activate,
    Amend,
    Withdraw,
    Close,
}

impl Step {
    /// The whole transition table: where the step is allowed, and the rule as people read it.
    fn table(self) -> (&'static [Stage], &'static str) {
        use Stage::*;
        match self {
            Self::Counter => {
                (&[Proposed, Countered, Amending], "Only terms that are on the table can be countered")
            }
            Self::Sign => {
                (&[Proposed, Countered, Amending], "Only terms that are on the table can be signed")
            }
            Self::CommitSupport => (
                &[Agreed, Committed, Active, Amending, AmendmentAgreed],
                "Departments sign once the target is agreed, until it is closed",
            ),
            Self::DeliverSupport => (
                &[Agreed, Committed, Active, Amending, AmendmentAgreed],
                "Support is delivered once the target is agreed, until it is closed",
            ),
            Self::SetBuffer => (
                &[Proposed, Countered, Agreed, Committed, Active, Amending, AmendmentAgreed],
                "The buffer of a closed or withdrawn target stays as it is",
            ),
            Self::Commit => {
                (&[Agreed, AmendmentAgreed], "Only an agreed target or amendment can be committed")
            }
            Self::Activate => (&[Committed], "Only a committed target can be activated"),
            Self::Amend => (&[Active], "Only an active target without an open amendment can be amended"),
            Self::Withdraw => (
                &[Proposed, Countered, Agreed, Committed, Amending, AmendmentAgreed],
                "Only a target or an amendment that does not count yet can be withdrawn",
            ),
            Self::Close => (&[Active, Amending, AmendmentAgreed], "Only an active target can be closed"),
        }
    }
}

impl Target {
    /// Whether somebody can be given a target.
    ///
    /// # Errors
    /// `USER_DEACTIVATED`.
    pub fn check_owner(owner: &User) -> Result<()> {
        if owner.status == UserStatus::Deactivated {
            let problem = Problem::new(
                Code::UserDeactivated,
                "This person is deactivated; targets are for those who work here.",
            );
            return Err(problem.into());
        }
        Ok(())
    }

    /// The terms that can be countered and signed now.
    pub fn on_the_table(&self) -> Option<&Terms> {
        match self.stage() {
            Stage::Proposed | Stage::Countered => Some(&self.terms),
            Stage::Amending => self.amendment.as_ref(),
            _ => None,
        }
    }

    /// The terms with this number, whatever became of them.
    pub fn find_terms(&self, number: i32) -> Option<&Terms> {
        self.all_terms().find(|terms| terms.number == number)
    }

    /// All versions of the terms; in no order.
    pub fn all_terms(&self) -> impl Iterator<Item = &Terms> {
        self.history.iter().chain([&self.terms]).chain(&self.amendment)
    }

    /// The terms in force on a local day: of those in force by then, the newest.
    pub fn terms_on(&self, day: NaiveDate) -> Option<&Terms> {
        self.all_terms()
            .filter(|terms| terms.in_force_from.is_some_and(|from| from <= day))
            .max_by_key(|terms| terms.number)
    }

    /// What the target asks over the whole period, given each workday of it with its weight: days before an
    /// amendment keep the terms that were in force on them. Each number is the weighted mean over the days,
    /// rounded once, halves to even. Before the target counts, and for an owner without workdays, these are
    /// the lines that stand.
    pub fn lines_over(&self, workdays: &[(NaiveDate, u64)]) -> Vec<TargetLine> {
        let weight: i128 = workdays.iter().map(|&(_, weight)| i128::from(weight)).sum();
        let blend = |line: &TargetLine| {
            let asked = |day| self.terms_on(day).and_then(|terms| terms.find_line(line.metric));
            // A quantity is below 2^50 and the sum of at most 366 weights below 2^73: the products fit.
            let sum: i128 = workdays
                .iter()
                .filter_map(|&(day, weight)| {
                    Some(i128::from(asked(day)?.quantity.value()) * i128::from(weight))
                })
                .sum();
            let value = Fraction::new(sum, weight).and_then(|mean| i64::try_from(mean.round()).ok());
            let quantity = value.map_or(line.quantity, |value| line.quantity.with_value(value));
            TargetLine { quantity, ..*line }
        };
        if self.terms.in_force_from.is_none() {
            return self.terms.lines.clone();
        }
        self.terms.lines.iter().map(blend).collect()
    }

    /// The support that is owed by what was agreed, or asked for by what is on the table: amendments add to it.
    pub fn support(&self) -> impl Iterator<Item = &SupportPlan> {
        self.standing_terms().map(|terms| &terms.support)
    }

    /// The comparison keys of the departments that owe something: none before the agreement, and none once the
    /// target is withdrawn.
    pub fn department_keys(&self) -> BTreeSet<String> {
        use TargetState::{Active, Agreed, Closed, Committed};
        let owed = matches!(self.state, Agreed | Committed | Active | Closed);
        let resources = self.support().filter(|_| owed).flat_map(|plan| &plan.resources);
        resources.map(|resource| text::fold(&resource.department)).collect()
    }

    /// The resource with this id, if it belongs to terms that stand.
    pub fn find_resource(&self, id: SupportResourceId) -> Option<&SupportResource> {
        self.support().flat_map(|plan| &plan.resources).find(|resource| resource.id == id)
    }

    /// True while agreed terms, first ones or an amendment, wait to be committed.
    pub fn waits_for_commit(&self) -> bool {
        self.check_step(Step::Commit).is_ok()
    }

    /// True when nothing but the caller's [`Target::commit`] is missing: agreed, and every required resource is
    /// signed. For a first agreement and for an amendment alike.
    pub fn is_ready_to_commit(&self) -> bool {
        self.waits_for_commit()
            && !self.support().flat_map(|plan| &plan.resources).any(SupportResource::blocks)
    }

    fn standing_terms(&self) -> impl Iterator<Item = &Terms> {
        let amendment = self.amendment.as_ref().filter(|terms| terms.agreed_at.is_some());
        self.history
            .iter()
            .filter(|terms| terms.in_force_from.is_some())
            .chain([&self.terms])
            .chain(amendment)
    }

    fn find_resource_mut(&mut self, id: SupportResourceId) -> Option<&mut SupportResource> {
        self.find_resource(id)?;
        let terms = self.history.iter_mut().chain([&mut self.terms]).chain(&mut self.amendment);
        terms.flat_map(|terms| &mut terms.support.resources).find(|resource| resource.id == id)
    }

    /// Keeps terms that no longer stand.
    fn keep(&mut self, terms: Terms) {
        self.history.push(terms);
        self.history.sort_by_key(|terms| terms.number);
    }

    fn stage(&self) -> Stage {
        match (self.state, &self.amendment) {
            (TargetState::Proposed, _) => Stage::Proposed,
            (TargetState::Countered, _) => Stage::Countered,
            (TargetState::Agreed, _) => Stage::Agreed,
            (TargetState::Committed, _) => Stage::Committed,
            (TargetState::Active, None) => Stage::Active,
            (TargetState::Active, Some(terms)) if terms.agreed_at.is_none() => Stage::Amending,
            (TargetState::Active, Some(_)) => Stage::AmendmentAgreed,
            (TargetState::Closed, _) => Stage::Closed,
            (TargetState::Withdrawn, _) => Stage::Withdrawn,
        }
    }

    /// # Errors
    /// `INVALID_TRANSITION` where the table has no such step.
    fn check_step(&self, step: Step) -> Result<()> {
        let (stages, rule) = step.table();
        if stages.contains(&self.stage()) {
            return Ok(());
        }
        let message = format!("{rule}; this target is {}.", self.state.as_str());
        Err(Problem::new(Code::InvalidTransition, message).into())
    }

    /// # Errors
    /// `PERIOD_OVER` on a day after the period.
    fn check_not_over(&self, today: NaiveDate) -> Result<(), Problem> {
        if today < self.period.end() { Ok(()) } else { Err(period_over(self.period)) }
    }

    /// # Errors
    /// `SELF_APPROVAL` for the owner and their side.
    fn check_not_owner(&self, acting: &Acting) -> Result<()> {
        if acting.side == Some(Side::Owner) || self.owner == TargetOwner::User(acting.user_id) {
            return Err(
                self_approval("The owner of a target counters and signs; this step is for others.").into()
            );
        }
        Ok(())
    }
}

fn period_over(period: Period) -> Problem {
    let message = format!("The period ended before {}; nothing can be set for it any more.", period.end());
    Problem::new(Code::PeriodOver, message)
}

fn self_approval(message: &str) -> Problem {
    Problem::new(Code::SelfApproval, message)
}

impl Aggregate for Target {
    const SUBJECT: SubjectType = SubjectType::Target;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        let (owner_user, owner_team) = match self.owner {
            TargetOwner::User(user) => (Some(user), None),
            TargetOwner::Team(team) => (None, Some(team)),
        };
        json!({
            "ownerUserId": owner_user, "ownerTeamId": owner_team, "periodKind": self.period.kind(),
            "periodStart": self.period.start(), "level": self.level, "state": self.state,
            "parentId": self.parent_id, "terms": self.terms.view(),
            "amendment": self.amendment.as_ref().map(Terms::view),
            "buffer": self.buffer.iter().map(TargetLine::view).collect::<Vec<_>>(),
            "publishedAt": self.published_at, "activatedAt": self.activated_at,
            "lateActivationReason": self.late_activation.as_ref().map(|late| &late.reason),
            "lateActivationApproverId": self.late_activation.as_ref().map(|late| late.approver_id),
            "closedAt": self.closed_at, "withdrawnAt": self.withdrawn_at,
            "withdrawReason": self.withdraw_reason,
        })
    }
}

/// What targets can be filtered by.
#[derive(Clone, Debug)]
pub enum TargetTerm {
    /// Id.
    Id(OneOf<TargetId>),
    /// The owner, of a person's target.
    OwnerUser(OneOf<UserId>),
    /// The owner, of a team's target.
    OwnerTeam(OneOf<TeamId>),
    /// Level.
    Level(OneOf<TargetLevel>),
    /// State.
    State(OneOf<TargetState>),
    /// Length of the period.
    PeriodKind(OneOf<PeriodKind>),
    /// First day of the period.
    PeriodStart(Range<NaiveDate>),
    /// The target of the team above.
    Parent(OneOf<TargetId>),
}

#[cfg(test)]
mod tests;
