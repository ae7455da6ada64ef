//! Complaints of another system: what is known of them is replayed step by step, each at the time at which it was
//! done, so that clocks and guards are those of every complaint.
//!
//! Nobody hears of what is long over: no survey is scheduled, and no rung of the ladder is raised for what happened
//! before. What is still open is a complaint like any other from then on.

use serde_json::json;

use super::clocks::ClockKind;
use super::policies::Service;
use super::workflow::{Assessment, CloseComplaint, NewResponse};
use super::{Complaint, ComplaintState, Handling, NewComplaint, Step};
use crate::change::{Change, EventKind};
use crate::error::{Code, Error, Problem, Problems, Result};
use crate::id::ComplaintId;
use crate::time::Timestamp;

/// A complaint as another system tells it. A moment that it does not tell is that of the step before.
#[derive(Clone, Debug)]
pub struct ImportedComplaint {
    /// What was written down when it was recorded.
    pub record: NewComplaint,
    /// When we were first told.
    pub recorded_at: Timestamp,
    /// How far it has come.
    pub state: ComplaintState,
    /// When the customer was told that it has arrived.
    pub acknowledged_at: Option<Timestamp>,
    /// How bad it is; needed beyond ACKNOWLEDGED.
    pub assessment: Option<Assessment>,
    /// What was offered to the customer; needed from RESPONSE_OFFERED on, and for what was disputed.
    pub response: Option<String>,
    /// When, or when the customer heard anything of substance.
    pub responded_at: Option<Timestamp>,
    /// Whether that was in time, where the other system tells; else our clocks do.
    pub was_timely: Option<bool>,
    /// Whether the customer disputed the response.
    pub was_disputed: bool,
    /// Whether the customer accepted it.
    pub was_accepted: bool,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The code of what caused it; needed for a closed one. As with the next two, others have none.
    pub root_cause: Option<String>,
    /// Where the customer can turn to; needed for one that was closed without their consent.
    pub recourse: Option<String>,
    /// Why it is not for us to settle; needed where it is not.
    pub out_of_scope_reason: Option<String>,
}

/// When the steps were done.
struct Times {
    acknowledged: Timestamp,
    responded: Timestamp,
    ended: Timestamp,
}

impl ImportedComplaint {
    /// The times in their order.
    fn times(&self, now: Timestamp, problems: &mut Problems) -> Times {
        if self.recorded_at > now {
            let message = "The moment lies in the future; give a past one.";
            problems.push(Problem::new(Code::InFuture, message).at("recordedAt"));
        }
        let mut since = self.recorded_at;
        let mut take = |field: &str, at: Option<Timestamp>| {
            since = problems.take(field, follow(at, since, now)).unwrap_or(since);
            since
        };
        Times {
            acknowledged: take("acknowledgedAt", self.acknowledged_at),
            responded: take("respondedAt", self.responded_at),
            ended: take("endedAt", self.ended_at),
        }
    }

    /// What was done after it was recorded.
    fn steps(&self) -> Result<Vec<Step>, Problem> {
        use ComplaintState::{
            Accepted, Acknowledged, Assessed, Closed, Investigating, Merged, OutOfScope, Recorded,
            ResponseOffered, WaitingCustomer, WaitingInternal,
        };
        let begun = [Step::Acknowledge, Step::Assess, Step::Assign];
        let disputed = [Step::Offer, Step::Dispute];
        let (begun, rest): (_, &[Step]) = match self.state {
            Recorded => (&begun[..0], &[]),
            Acknowledged => (&begun[..1], &[]),
            Assessed => (&begun[..2], &[]),
            OutOfScope => (&begun[..2], &[Step::DeclareOutOfScope]),
            Investigating => (&begun[..], &[]),
            ResponseOffered => (&begun[..], &[Step::Offer]),
            Accepted => (&begun[..], &[Step::Offer, Step::Accept]),
            Closed if self.was_accepted => (&begun[..], &[Step::Offer, Step::Accept, Step::Close]),
            Closed => (&begun[..], &[Step::Offer, Step::Close]),
            WaitingCustomer | WaitingInternal | Merged => {
                let message = format!(
                    "A complaint that is {} is imported as INVESTIGATING; what it waits for is a step to take here.",
                    self.state.as_str()
                );
                return Err(Problem::new(Code::NotApplicable, message).at("state"));
            }
        };
        // Whoever disputed a response and got no other one was offered it again.
        let disputed = if self.was_disputed && begun.len() == 3 { &disputed[..] } else { &[] };
        let steps = [begun, disputed, rest].concat();
        for (given, step, field) in [
            (self.was_disputed, Step::Dispute, "disputed"),
            (self.was_accepted, Step::Accept, "accepted"),
            (self.response.is_some(), Step::Offer, "response"),
            (self.ended_at.is_some() && self.state.is_open(), Step::Close, "endedAt"),
        ] {
            if given && !steps.contains(&step) {
                let message = format!("A complaint that is {} has not come so far.", self.state.as_str());
                return Err(Problem::new(Code::NotApplicable, message).at(field));
            }
        }
        Ok(steps)
    }
}

impl Complaint {
    /// Enters a complaint of another system with its history, whose one event tells all of it. As in life, `services`
    /// are the one before it was assessed and the one after it. That owner, customer and product exist and the owner
    /// may have it is for the caller to see to.
    ///
    /// # Errors
    /// As for each step; `IN_FUTURE` and `TOO_EARLY` for moments that cannot be; `REQUIRED` for what a step lacks;
    /// `NOT_APPLICABLE` for what does not belong to the state, and for a state that another system cannot tell.
    pub fn import(
        input: &ImportedComplaint,
        id: ComplaintId,
        services: [Service<'_>; 2],
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let times = input.times(now, &mut problems);
        let steps = input.steps().map_err(|problem| problems.push(problem)).unwrap_or_default();
        for (step, given, field) in [
            (Step::Assess, input.assessment.is_some(), "severity"),
            (Step::Offer, input.response.is_some(), "response"),
            (Step::Close, input.root_cause.is_some(), "rootCause"),
            (Step::DeclareOutOfScope, input.out_of_scope_reason.is_some(), "outOfScopeReason"),
        ] {
            if steps.contains(&step) && !given {
                problems.push(Problem::required(field));
            }
        }
        problems.finish()?;
        let [recording, service] = services;
        let first = Handling { by: None, service: recording, now: input.recorded_at };
        let mut complaint = Self::record(&input.record, id, &first)?.into_state();
        if let Some(clock) = complaint.first_response() {
            clock.told_met = input.was_timely == Some(true);
        }
        for step in steps {
            let service = if step == Step::Acknowledge { recording } else { service };
            complaint = complaint.replay(step, input, &times, service)?;
        }
        complaint.take_word(input, &Handling { by: None, service, now: times.responded });
        complaint.next_action_due = complaint.next_due().unwrap_or(complaint.next_action_due);
        (complaint.created_at, complaint.updated_at) = (now, now);
        Ok(Change::created(EventKind::ComplaintImported, complaint).with_detail(
            "told",
            json!({
                "acknowledgedAt": input.acknowledged_at, "respondedAt": input.responded_at,
                "wasTimely": input.was_timely, "wasDisputed": input.was_disputed,
                "wasAccepted": input.was_accepted, "endedAt": input.ended_at,
            }),
        ))
    }

    fn replay(
        &self,
        step: Step,
        input: &ImportedComplaint,
        times: &Times,
        service: Service<'_>,
    ) -> Result<Self> {
        let at = |now| Handling { by: None, service, now };
        let lacking = || Error::Internal("an imported complaint lacks what its step needs".into());
        let change = match step {
            Step::Acknowledge => self.acknowledge(&at(times.acknowledged)),
            Step::Assess => self.assess(&input.assessment.ok_or_else(lacking)?, &at(times.acknowledged)),
            Step::Assign => return self.begin(step, &at(times.acknowledged)),
            Step::Offer => {
                let text = input.response.clone().ok_or_else(lacking)?;
                self.offer_response(&NewResponse { text, answer_by: None }, &at(times.responded))
            }
            Step::Accept => self.accept_response(&at(times.responded)),
            Step::Dispute => {
                let mut after = self.begin(step, &at(times.responded))?;
                after.unpause(&at(times.responded));
                after.level += 1;
                return Ok(after);
            }
            Step::Close => {
                let (root_cause, recourse) = (input.root_cause.clone(), input.recourse.clone());
                let input = CloseComplaint { root_cause: root_cause.ok_or_else(lacking)?, recourse };
                self.settle(&input, &at(times.ended))
            }
            Step::DeclareOutOfScope => {
                let reason = input.out_of_scope_reason.as_deref().ok_or_else(lacking)?;
                self.declare_out_of_scope(reason, &at(times.ended))
            }
            _ => return Err(lacking()),
        };
        change.map(Change::into_state)
    }

    /// What the other system says of the time counts more than what our clocks say: it knew the hours and the promises
    /// of then.
    fn take_word(&mut self, input: &ImportedComplaint, handling: &Handling<'_>) {
        let Some(clock) = self.first_response() else { return };
        match input.was_timely {
            // News that the other system does not show, but speaks of.
            Some(true) if clock.is_running() => self.tell_customer(handling),
            Some(false) => {
                let by_then = clock.stopped_at.map_or(clock.due_at, |stopped| stopped.min(clock.due_at));
                clock.missed = clock.missed.or(Some(by_then));
            }
            _ => {}
        }
    }

    fn first_response(&mut self) -> Option<&mut super::SlaClock> {
        self.clocks.iter_mut().find(|clock| clock.kind == ClockKind::FirstResponse)
    }
}

/// `at`, or `since` where it is not known.
fn follow(at: Option<Timestamp>, since: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(at) = at else { return Ok(since) };
    if at < since {
        return Err(Problem::new(Code::TooEarly, format!("The moment must not lie before {since}.")));
    }
    if at > now {
        return Err(Problem::new(Code::InFuture, "The moment lies in the future; give a past one."));
    }
    Ok(at)
}
