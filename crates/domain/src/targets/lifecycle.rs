//! What happens to agreed terms: support is signed and delivered, the unit adds up, the target counts, and its
//! result is frozen.

use chrono::{Duration, NaiveDate};

use super::cascade::{RollUp, check_buffer};
use super::lines::{Figure, TargetLine};
use super::support::{Commitment, Delivery, SupportPlan};
use super::{Acting, LateActivation, Step, Target, TargetOwner, TargetState};
use crate::attainment::{AttainmentLine, ForecastScore, Snapshot};
use crate::change::{Change, EventKind};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::SupportResourceId;
use crate::reconciliation::Reconciliation;
use crate::text;

/// What must be true of a period before its targets can be closed.
#[derive(Clone, Copy, Debug)]
pub struct Closing<'a> {
    /// The first workday of the period that is not closed yet.
    pub first_open_day: Option<NaiveDate>,
    /// The proof that personal figures equal company figures, of the whole period.
    pub reconciliation: &'a Reconciliation,
}

/// A closed target with its frozen result: both are written, or neither.
#[derive(Clone, Debug)]
#[must_use]
pub struct Closed {
    /// New state and event.
    pub change: Change<Target>,
    /// The result, the base of the next target.
    pub snapshot: Snapshot,
}

impl Target {
    /// A person of `department`, as the caller has found them to be, signs that it will deliver a resource.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` before the agreement or after the end; `NOT_FOUND` for a resource that was not agreed;
    /// `NOT_PERMITTED` for another department; `SELF_APPROVAL` for the owner; `ALREADY_SIGNED`.
    pub fn commit_support(
        &self,
        id: SupportResourceId,
        department: &str,
        acting: &Acting,
    ) -> Result<Change<Self>> {
        self.check_step(Step::CommitSupport)?;
        self.check_not_owner(acting)?;
        let mut after = Self { updated_at: acting.now, ..self.clone() };
        let resource = after.find_resource_mut(id).ok_or_else(no_resource)?;
        if text::fold(department) != text::fold(&resource.department) {
            let message = format!("{} owes this resource, and signs for it.", resource.department);
            return Err(Problem::new(Code::NotPermitted, message).at("resourceId").into());
        }
        if resource.commitment.is_some() {
            let message = format!("{} has signed already.", resource.department);
            return Err(Problem::new(Code::AlreadySigned, message).at("resourceId").into());
        }
        resource.commitment = Some(Commitment { user_id: acting.user_id, signed_at: acting.now });
        let change = Change::updated(EventKind::SupportCommitted, self, after);
        Ok(change.with_detail("resourceId", id.to_string().into()))
    }

    /// Records that a resource was delivered on a local day.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` before the agreement or after the end; `NOT_FOUND` for a resource that was not agreed;
    /// `SUPPORT_NOT_COMMITTED` where the department has not signed; `ALREADY_SIGNED` for a second delivery;
    /// `IN_FUTURE`, or `TOO_EARLY` before the target was proposed.
    pub fn deliver_support(
        &self,
        id: SupportResourceId,
        delivered_on: NaiveDate,
        acting: &Acting,
    ) -> Result<Change<Self>> {
        self.check_step(Step::DeliverSupport)?;
        if delivered_on > acting.today() {
            return Err(Problem::new(Code::InFuture, "The day lies in the future.").at("deliveredOn").into());
        }
        let first = self.created_at.date_in(acting.zone);
        if delivered_on < first {
            let message = format!("The target was proposed on {first}; support for it cannot be older.");
            return Err(Problem::new(Code::TooEarly, message).at("deliveredOn").into());
        }
        let mut after = Self { updated_at: acting.now, ..self.clone() };
        let resource = after.find_resource_mut(id).ok_or_else(no_resource)?;
        if resource.commitment.is_none() {
            let message = format!("{} has not signed for this resource yet.", resource.department);
            return Err(Problem::new(Code::SupportNotCommitted, message).at("resourceId").into());
        }
        if resource.delivery.is_some() {
            let message = "The delivery of this resource is recorded already.";
            return Err(Problem::new(Code::AlreadySigned, message).at("resourceId").into());
        }
        resource.delivery =
            Some(Delivery { delivered_on, recorded_by: acting.user_id, recorded_at: acting.now });
        let late = resource.lateness_days(delivered_on);
        let change = Change::updated(EventKind::SupportDelivered, self, after);
        Ok(change.with_detail("resourceId", id.to_string().into()).with_detail("latenessDays", late.into()))
    }

    /// Says what the members of a team are asked beyond its target, metric by metric; see
    /// [`cascade`](super::cascade).
    ///
    /// # Errors
    /// `INVALID_TRANSITION` for a closed or withdrawn target; `NOT_APPLICABLE` for a person, for a share and for a
    /// metric that the target does not have; `OUT_OF_RANGE`, `DUPLICATE`, `CURRENCY_MISMATCH`.
    pub fn set_buffer(&self, buffer: &[Figure], acting: &Acting) -> Result<Change<Self>> {
        self.check_step(Step::SetBuffer)?;
        if let TargetOwner::User(_) = self.owner {
            let message = "Only the target of a team is split over members.";
            return Err(Problem::new(Code::NotApplicable, message).into());
        }
        check_buffer(&self.terms.lines, buffer)?;
        let line = |asked: &TargetLine| {
            let figure = buffer.iter().find(|figure| figure.metric == asked.metric)?;
            Some(TargetLine::new(*figure, self.terms.workdays, asked.due_by))
        };
        let buffer = self.terms.lines.iter().filter_map(line).collect();
        let after = Self { buffer, updated_at: acting.now, ..self.clone() };
        Ok(Change::updated(EventKind::TargetCascaded, self, after))
    }

    /// What [`Target::commit`] still needs on local day `today`, beside a unit that adds up: `PERIOD_OVER`, and
    /// `SUPPORT_NOT_COMMITTED` for each resource. Nothing unless terms wait to be committed.
    pub fn missing(&self, today: NaiveDate) -> Vec<Problem> {
        if !self.waits_for_commit() {
            return Vec::new();
        }
        let unsigned = self.standing_terms().flat_map(super::Terms::unsigned).map(|resource| {
            let message = format!(
                "{} has not signed for {} ({}) yet.",
                resource.department,
                resource.kind.as_str(),
                resource.quantity
            );
            Problem::new(Code::SupportNotCommitted, message).at("support")
        });
        self.check_not_over(today).err().into_iter().chain(unsigned).collect()
    }

    /// Publishes agreed terms once all required support is signed and the unit adds up. Agreed terms of an
    /// amendment take force at once: on the day for which they are meant, or today when that has passed.
    /// `unit` is the team that this target is the target of, or a part of; `None` for neither.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` unless terms are agreed and not committed; `SUPPORT_NOT_COMMITTED` for each resource;
    /// `ROLL_UP_BROKEN` and whatever else
    /// [`check_roll_up`](super::cascade::check_roll_up) finds; `PERIOD_OVER`. [`Error::Internal`] when `unit` is
    /// missing.
    pub fn commit(&self, unit: Option<&RollUp<'_>>, acting: &Acting) -> Result<Change<Self>> {
        self.check_step(Step::Commit)?;
        let mut problems = Problems::default();
        self.missing(acting.today()).into_iter().for_each(|problem| problems.push(problem));
        match unit {
            Some(unit) => unit.check(&mut problems),
            None if self.parent_id.is_none() && matches!(self.owner, TargetOwner::User(_)) => {}
            None => {
                return Err(Error::Internal(format!("target {} needs its unit to be committed", self.id)));
            }
        }
        problems.finish()?;

        let mut after = Self { updated_at: acting.now, ..self.clone() };
        if let Some(mut amendment) = after.amendment.take() {
            amendment.in_force_from = Some(amendment.effective_from.max(acting.today()));
            let replaced = std::mem::replace(&mut after.terms, amendment);
            after.keep(replaced);
            return Ok(Change::updated(EventKind::TargetAmended, self, after));
        }
        after.state = TargetState::Committed;
        after.published_at = Some(acting.now);
        Ok(Change::updated(EventKind::TargetCommitted, self, after))
    }

    /// Lets the target count from the first day of its period. One that was published on that day or later
    /// needs a reason, and somebody to activate it who is not behind its terms: that is the approval.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` unless the target is committed; `SELF_APPROVAL` for the owner; `TOO_EARLY` before the
    /// period, `PERIOD_OVER` after it; for a late one `REQUIRED` without a reason and `APPROVAL_REQUIRED` from
    /// the author or a signer of the terms; `NOT_APPLICABLE` for a reason that nothing needs.
    pub fn activate(&self, late_reason: Option<&str>, acting: &Acting) -> Result<Change<Self>> {
        self.check_step(Step::Activate)?;
        self.check_not_owner(acting)?;
        let first = self.period.start();
        if acting.today() < first {
            let message = format!("The period begins on {first}; activate the target then.");
            return Err(Problem::new(Code::TooEarly, message).into());
        }
        self.check_not_over(acting.today())?;
        let in_time = self.published_at.is_some_and(|at| at.date_in(acting.zone) < first);
        let late_activation = match late_reason {
            None if in_time => None,
            Some(_) if in_time => {
                let message = "The target was published before its period began; it needs no reason.";
                return Err(Problem::new(Code::NotApplicable, message).at("reason").into());
            }
            reason => Some(self.check_late(reason, acting)?),
        };
        let mut after = Self {
            state: TargetState::Active,
            activated_at: Some(acting.now),
            late_activation,
            updated_at: acting.now,
            ..self.clone()
        };
        after.terms.in_force_from = Some(first);
        Ok(Change::updated(EventKind::TargetActivated, self, after))
    }

    fn check_late(&self, reason: Option<&str>, acting: &Acting) -> Result<LateActivation> {
        let mut problems = Problems::default();
        let reason = problems.take("reason", text::note(reason.unwrap_or_default()));
        let signed = self.terms.signatures.iter().any(|signature| signature.user_id == acting.user_id);
        if signed || self.terms.author_id == acting.user_id {
            let message = "The target was published after its period began: somebody who neither wrote nor signed \
                           its terms must activate it.";
            problems.push(Problem::new(Code::ApprovalRequired, message));
        }
        problems.finish_with(|| Some(LateActivation { reason: reason?, approver_id: acting.user_id }))
    }

    /// Freezes the result of the period. `attainment` is the state at its end, with how good the forecasts of it were;
    /// `position` the last position of the feed that it has seen. An amendment that was never settled lapses.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` unless the target is active; `SELF_APPROVAL` for the owner; `TOO_EARLY` before the end of
    /// the period; `DAY_NOT_CLOSED`; `NOT_RECONCILED`. [`Error::Internal`] for the proof of something else.
    pub fn close(
        &self,
        closing: Closing<'_>,
        (attainment, forecasts): (Vec<AttainmentLine>, Vec<ForecastScore>),
        position: i64,
        acting: &Acting,
    ) -> Result<Closed> {
        self.check_step(Step::Close)?;
        self.check_not_owner(acting)?;
        // Instants are whole microseconds.
        let last_instant = self.period.bounds(acting.zone).1.plus(Duration::microseconds(-1));
        let proof = closing.reconciliation;
        let mut problems = Problems::default();
        if acting.now <= last_instant {
            let message = format!("The period lasts until {}; close it then.", self.period.end());
            problems.push(Problem::new(Code::TooEarly, message));
        } else if proof.period != self.period || proof.as_of < last_instant {
            return Err(Error::Internal("the reconciliation does not cover the period to be closed".into()));
        }
        if let Some(day) = closing.first_open_day {
            let message = format!("The work of {day} is not closed yet.");
            problems.push(Problem::new(Code::DayNotClosed, message));
        }
        if !proof.balanced() {
            let message =
                "Personal figures and company figures differ; see the reconciliation of the period.";
            problems.push(Problem::new(Code::NotReconciled, message));
        }
        problems.finish()?;

        let mut after = Self {
            state: TargetState::Closed,
            closed_at: Some(acting.now),
            updated_at: acting.now,
            ..self.clone()
        };
        if let Some(lapsed) = after.amendment.take() {
            after.keep(lapsed);
        }
        let snapshot = Snapshot {
            target_id: self.id,
            terms_number: self.terms.number,
            as_of: last_instant,
            position,
            lines: attainment,
            forecasts,
        };
        let change = Change::updated(EventKind::TargetClosed, self, after);
        let missed: Vec<_> = self.missed(acting.today()).map(|id| id.to_string()).collect();
        let change =
            change.with_detail("attainment", snapshot.view()).with_detail("missedSupport", missed.into());
        Ok(Closed { change, snapshot })
    }

    /// Resources that should have been delivered by local day `today` and were not.
    pub fn missed(&self, today: NaiveDate) -> impl Iterator<Item = SupportResourceId> {
        let resources = self.support().flat_map(|plan: &SupportPlan| &plan.resources);
        resources
            .filter(move |resource| resource.status(today) == super::ResourceStatus::Missed)
            .map(|resource| resource.id)
    }
}

fn no_resource() -> Problem {
    let message = "Nothing of this id was agreed; name a resource of the support plan.";
    Problem::new(Code::NotFound, message).at("resourceId")
}
