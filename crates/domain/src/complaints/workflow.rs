//! What is done with a complaint, step by step. Where a step is allowed stands in the table of the parent module.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::clocks::{ClockKind, RevisionReason, SlaClock};
use super::escalation::{CONDITION_RUNG, EscalationCause};
use super::intake::{Attachment, check_attachments};
use super::surveys::{Answered, Survey, SurveyVerdict};
use super::{Complaint, ComplaintState, Handling, Severity, Step};
use crate::change::{Change, EventKind};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::{EscalationId, SurveyId, UserId};
use crate::text;
use crate::time::Timestamp;
use crate::users::User;
use crate::wire::wire_enum;

/// How long somebody can be awaited at a time, in days.
pub const AWAIT_DAYS_MAX: i64 = 90;
/// How long the customer has to answer a response that names no other time, in days.
pub const RESPONSE_DAYS: i64 = 14;
/// How long after its end a complaint can be reopened, in days.
pub const REOPEN_DAYS: i64 = 30;

wire_enum! {
    /// On whose side somebody is awaited.
    Awaited as "AwaitedSide" {
        /// The customer; the clocks stand still.
        Customer = "CUSTOMER",
        /// One of ours; the clocks run on.
        Internal = "INTERNAL",
    }
}

wire_enum! {
    /// Who reads a note.
    NoteAudience {
        /// Only us.
        Internal = "INTERNAL",
        /// The customer was told: news, which meets the promise and renews it.
        Customer = "CUSTOMER",
    }
}

/// Who is awaited, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who is to do something.
    pub whom: String,
    /// When they should have done it. A pause ends then by itself.
    pub until: Timestamp,
}

/// What was offered to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The response.
    pub text: String,
    /// Who offered it.
    pub offered_by: Option<UserId>,
    /// When.
    pub offered_at: Timestamp,
    /// Until when the customer is awaited to say what they think of it.
    pub answer_by: Timestamp,
    /// When the customer accepted it.
    pub accepted_at: Option<Timestamp>,
}

/// Input of [`Complaint::assess`].
#[derive(Clone, Copy, Debug)]
pub struct Assessment {
    /// How bad it is for the customer.
    pub severity: Severity,
    /// How bad it is beyond this customer.
    pub impact: Severity,
    /// How soon it gets worse.
    pub urgency: Severity,
    /// Whether somebody's safety is at stake.
    pub is_safety_risk: bool,
}

/// Input of [`Complaint::wait`].
#[derive(Clone, Debug)]
pub struct NewAwait {
    /// On whose side.
    pub side: Awaited,
    /// Who, by name.
    pub whom: String,
    /// Until when.
    pub until: Timestamp,
}

/// Input of [`Complaint::add_note`].
#[derive(Clone, Debug)]
pub struct NewNote {
    /// What to write down.
    pub text: String,
    /// Who reads it.
    pub audience: NoteAudience,
    /// Documents that come with it.
    pub attachments: Vec<Attachment>,
}

/// Input of [`Complaint::offer_response`].
#[derive(Clone, Debug)]
pub struct NewResponse {
    /// The response, as the customer has it.
    pub text: String,
    /// Until when the customer is to answer; `None` is [`RESPONSE_DAYS`] from now.
    pub answer_by: Option<Timestamp>,
}

/// Input of [`Complaint::close`].
#[derive(Clone, Debug)]
pub struct CloseComplaint {
    /// The code of what caused it.
    pub root_cause: String,
    /// Where the customer can turn to, as they were told; for one who did not accept the response.
    pub recourse: Option<String>,
}

/// Why a closed complaint is taken up again.
#[derive(Clone, Copy, Debug)]
pub enum Reopening<'a> {
    /// Somebody says so.
    Asked {
        /// Why.
        reason: &'a str,
    },
    /// The customer was dissatisfied with how it was handled.
    Survey(&'a Answered),
}

/// A closed complaint with the survey that is scheduled by it: both are written, or neither.
#[derive(Clone, Debug)]
#[must_use]
pub struct Closed {
    /// New state and event.
    pub change: Change<Complaint>,
    /// The survey of how it was handled.
    pub survey: Change<Survey>,
}

/// A duplicate and the complaint that lives on: both are written, or neither.
#[derive(Clone, Debug)]
#[must_use]
pub struct Merged {
    /// The end of the duplicate.
    pub duplicate: Change<Complaint>,
    /// The complaint that lives on.
    pub survivor: Change<Complaint>,
}

impl Complaint {
    /// The customer was told that the complaint has arrived.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`.
    pub fn acknowledge(&self, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Acknowledge, handling)?;
        after.stop(Some(ClockKind::Ack), handling.now);
        after.renew_promise(handling);
        Ok(after.save(self, EventKind::ComplaintAcknowledged))
    }

    /// Judges how bad it is. `handling` has the policy that fits the severity, see [`choose`](super::choose); clocks
    /// are computed by it from the record of the complaint on.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`.
    pub fn assess(&self, input: &Assessment, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Assess, handling)?;
        after.severity = Some(input.severity);
        after.impact = Some(input.impact);
        after.urgency = Some(input.urgency);
        after.is_safety_risk = input.is_safety_risk;
        Ok(after.save(self, EventKind::ComplaintAssessed))
    }

    /// Gives the complaint to an owner. Once it is assessed, work on it begins, also by the owner it has.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`, also when nothing would change; as for [`Complaint::check_owner`].
    pub fn assign(&self, owner: &User, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Assign, handling)?;
        Self::check_owner(owner)?;
        if owner.id == self.owner_id && after.state == self.state {
            let problem = Problem::new(Code::InvalidTransition, "The complaint has this owner already.");
            return Err(problem.at("ownerId").into());
        }
        after.owner_id = owner.id;
        Ok(after.save(self, EventKind::ComplaintAssigned))
    }

    /// Waits for somebody until a moment. While it is the customer, who was told so, the clocks stand still.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`; a wrong name; `OUT_OF_RANGE` for a moment that is not within [`AWAIT_DAYS_MAX`] days.
    pub fn wait(&self, input: &NewAwait, handling: &Handling<'_>) -> Result<Change<Self>> {
        let (step, event) = match input.side {
            Awaited::Customer => (Step::AwaitCustomer, EventKind::ClockPaused),
            Awaited::Internal => (Step::AwaitInternal, EventKind::ComplaintWaiting),
        };
        let mut after = self.begin(step, handling)?;
        let mut problems = Problems::default();
        let whom = problems.take("whom", text::name(&input.whom));
        let until = problems.take("until", check_until(input.until, handling.now));
        let waiting = problems.finish_with(|| Some(Waiting { whom: whom?, until: until? }))?;
        after.waiting = Some(waiting);
        if input.side == Awaited::Customer {
            after.tell_customer(handling);
            after.pause(handling);
        }
        Ok(after.save(self, event))
    }

    /// Goes on with the work after somebody was awaited.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`.
    pub fn resume(&self, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Resume, handling)?;
        after.waiting = None;
        after.unpause(handling);
        let event = match self.state {
            ComplaintState::WaitingCustomer => EventKind::ClockResumed,
            _ => EventKind::ComplaintResumed,
        };
        Ok(after.save(self, event))
    }

    /// Writes something down, or tells it to the customer.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` for a merged complaint; a wrong text; what is wrong with the documents.
    pub fn add_note(&self, input: &NewNote, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Note, handling)?;
        let mut problems = Problems::default();
        let text = problems.take("text", text::note(&input.text));
        let attachments = check_attachments(&input.attachments, self.attachments.len(), &mut problems);
        let text = problems.finish_with(|| text)?;
        after.attachments.extend(attachments);
        if input.audience == NoteAudience::Customer && self.state.is_open() {
            after.tell_customer(handling);
        }
        let change = after.save(self, EventKind::ComplaintNoted);
        Ok(change.with_detail("note", text.into()).with_detail("audience", input.audience.as_str().into()))
    }

    /// Offers a response to the customer, whom the clocks now wait for.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`; a wrong text; `OUT_OF_RANGE` for the time to answer.
    pub fn offer_response(&self, input: &NewResponse, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Offer, handling)?;
        let now = handling.now;
        let answer_by = input.answer_by.unwrap_or(now.plus(Duration::days(RESPONSE_DAYS)));
        let mut problems = Problems::default();
        let text = problems.take("text", text::note(&input.text));
        let answer_by = problems.take("answerBy", check_until(answer_by, now));
        let response = problems.finish_with(|| {
            Some(Response {
                text: text?,
                offered_by: handling.by,
                offered_at: now,
                answer_by: answer_by?,
                accepted_at: None,
            })
        })?;
        after.response = Some(response);
        after.tell_customer(handling);
        after.pause(handling);
        Ok(after.save(self, EventKind::ResponseOffered))
    }

    /// The customer accepts the response. It is still to be carried out, so the clocks run until the complaint is
    /// closed.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`.
    pub fn accept_response(&self, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Accept, handling)?;
        after.unpause(handling);
        if let Some(response) = &mut after.response {
            response.accepted_at = Some(handling.now);
        }
        Ok(after.save(self, EventKind::ResponseAccepted))
    }

    /// The customer does not accept the response: work goes on, and the next rung of the ladder takes part.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`; a wrong reason.
    pub fn dispute_response(
        &self,
        reason: &str,
        id: EscalationId,
        handling: &Handling<'_>,
    ) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Dispute, handling)?;
        let reason = text::note(reason).map_err(|problem| problem.at("reason"))?;
        after.unpause(handling);
        let rung = self.level + 1;
        let key = self.key_of_step(EscalationCause::Disputed, rung, &handling.service);
        let escalation = after.raise(key, handling.now, id, handling);
        after.level = rung;
        let change = after.save(self, EventKind::ResponseDisputed);
        Ok(change.with_detail("reason", reason.into()).with_detail("escalation", escalation))
    }

    /// Closes the complaint and schedules the survey of how it was handled.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` before a response was offered; `REQUIRED` without the code of the root cause, and without
    /// the recourse of a customer who did not accept the response; `NOT_APPLICABLE` for the recourse of one who did.
    pub fn close(&self, input: &CloseComplaint, id: SurveyId, handling: &Handling<'_>) -> Result<Closed> {
        let change = self.settle(input, handling)?;
        Ok(Closed { change, survey: Survey::schedule(self.id, id, handling.now) })
    }

    /// Closes the complaint; nobody will be asked how it was handled.
    pub(super) fn settle(&self, input: &CloseComplaint, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Close, handling)?;
        let mut problems = Problems::default();
        let root_cause = problems.take("rootCause", text::label(&input.root_cause));
        let recourse = problems.take("recourse", self.check_recourse(input.recourse.as_deref()));
        let (root_cause, recourse) = problems.finish_with(|| root_cause.zip(recourse))?;
        after.root_cause = Some(root_cause);
        after.recourse = recourse;
        after.end(handling.now);
        Ok(after.save(self, EventKind::ComplaintClosed))
    }

    /// Takes a closed complaint up again. The clocks that have stopped stay as they are; new ones begin.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`; a wrong reason; `PERIOD_OVER` more than [`REOPEN_DAYS`] days after the end.
    /// [`Error::Internal`] for an answer that gives no cause, or that is about another complaint.
    pub fn reopen(
        &self,
        reopening: Reopening<'_>,
        id: EscalationId,
        handling: &Handling<'_>,
    ) -> Result<Change<Self>> {
        let mut after = self.begin(Step::Reopen, handling)?;
        let Handling { service, now, .. } = *handling;
        let over = self.ended_at.is_none_or(|end| now >= end.plus(Duration::days(REOPEN_DAYS)));
        let detail = match reopening {
            Reopening::Asked { .. } if over => {
                let message = format!("It ended more than {REOPEN_DAYS} days ago; record a new complaint.");
                return Err(Problem::new(Code::PeriodOver, message).into());
            }
            Reopening::Asked { reason } => {
                ("reason", text::note(reason).map_err(|problem| problem.at("reason"))?)
            }
            Reopening::Survey(answered) => {
                let survey = answered.change.state();
                if survey.complaint_id != self.id || answered.verdict != SurveyVerdict::Dissatisfied {
                    return Err(Error::Internal(format!("survey {} reopens nothing here", survey.id)));
                }
                ("surveyId", survey.id.to_string())
            }
        };
        after.reopen_count += 1;
        after.ended_at = None;
        after.root_cause = None;
        after.recourse = None;
        for kind in [ClockKind::Update, ClockKind::Resolution] {
            after.clocks.push(SlaClock::start(kind, self.next_round(kind), now, &service));
        }
        let key = self.key_of_step(EscalationCause::Reopened, CONDITION_RUNG, &service);
        let escalation = after.raise(key, now, id, handling);
        let change = after.save(self, EventKind::ComplaintReopened);
        Ok(change.with_detail(detail.0, detail.1.into()).with_detail("escalation", escalation))
    }

    /// Ends a complaint that is not for us to settle; `reason` is what the customer was told.
    ///
    /// # Errors
    /// `INVALID_TRANSITION`; a wrong reason.
    pub fn declare_out_of_scope(&self, reason: &str, handling: &Handling<'_>) -> Result<Change<Self>> {
        let mut after = self.begin(Step::DeclareOutOfScope, handling)?;
        after.out_of_scope_reason = Some(text::note(reason).map_err(|problem| problem.at("reason"))?);
        after.end(handling.now);
        Ok(after.save(self, EventKind::ComplaintOutOfScope))
    }

    /// Ends a duplicate. The complaint that lives on counts from the earlier record, and what endangers somebody
    /// in one does so in both. `handling` is for the complaint that lives on.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` unless both are open; `DUPLICATE` for a complaint and itself; `NOT_APPLICABLE` for
    /// complaints of different customers.
    pub fn merge_into(&self, survivor: &Self, handling: &Handling<'_>) -> Result<Merged> {
        let refuse = |code, message| Err(Problem::new(code, message).at("intoId").into());
        if self.id == survivor.id {
            return refuse(Code::Duplicate, "A complaint is not merged into itself.");
        }
        if self.customer_id != survivor.customer_id {
            return refuse(Code::NotApplicable, "These are complaints of different customers.");
        }
        let mut duplicate = self.after(Step::Merge, handling.now)?;
        duplicate.merged_into_id = Some(survivor.id);
        duplicate.end(handling.now);
        let mut after = survivor.begin(Step::Absorb, handling)?;
        after.is_safety_risk |= self.is_safety_risk;
        let (first, earliest) = (survivor.recorded_at, self.recorded_at.min(survivor.recorded_at));
        after.recorded_at = earliest;
        if earliest < first {
            let running = after.clocks.iter_mut().filter(|clock| clock.is_running());
            for clock in running.filter(|clock| clock.starts_at == first) {
                clock.recalculate(earliest, &handling.service, RevisionReason::Merged, handling.now);
            }
        }
        let survivor = after.save(survivor, EventKind::DuplicateAbsorbed);
        Ok(Merged {
            duplicate: duplicate.save(self, EventKind::ComplaintMerged),
            survivor: survivor.with_detail("duplicateId", self.id.to_string().into()),
        })
    }

    /// Computes the running clocks by the policy and calendar that count now; `None` when no deadline moves.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` for a complaint that has ended.
    pub fn recalculate(&self, handling: &Handling<'_>) -> Result<Option<Change<Self>>> {
        let after = self.begin(Step::Recalculate, handling)?;
        if after.clocks == self.clocks {
            return Ok(None);
        }
        Ok(Some(after.save(self, EventKind::DeadlineRevised)))
    }

    fn check_recourse(&self, recourse: Option<&str>) -> Result<Option<String>, Problem> {
        match (self.state, recourse) {
            (ComplaintState::Accepted, None) => Ok(None),
            (ComplaintState::Accepted, Some(_)) => {
                let message = "The customer accepted the response; they need no recourse.";
                Err(Problem::new(Code::NotApplicable, message))
            }
            (_, Some(recourse)) => text::note(recourse).map(Some),
            (_, None) => {
                let message = "The customer has not accepted the response: tell them where they can turn to, and \
                               write it down.";
                Err(Problem::new(Code::Required, message))
            }
        }
    }
}

fn check_until(until: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if now < until && until <= now.plus(Duration::days(AWAIT_DAYS_MAX)) {
        return Ok(until);
    }
    let message = format!("The moment must lie ahead, by at most {AWAIT_DAYS_MAX} days.");
    Err(Problem::new(Code::OutOfRange, message))
}
