//! Complaints: from the first word to a settled case, with an owner and a next due time at every moment.
//!
//! ```text
//! RECORDED -> ACKNOWLEDGED -> ASSESSED -> INVESTIGATING <-> WAITING_CUSTOMER | WAITING_INTERNAL
//!                                 |            |  ^
//!                                 |            v  | disputed: one rung up
//!                            OUT_OF_SCOPE  RESPONSE_OFFERED -> ACCEPTED -> CLOSED
//!                                              `- external recourse stated -^
//!     CLOSED -> INVESTIGATING when it is reopened; every open one -> MERGED as a duplicate
//! ```
//!
//! A dispute and a reopening are steps, not places to stay: work goes on at once, and the level, the escalations and
//! the log tell of them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Result};
use crate::filter::{OneOf, Range, Text};
use crate::id::{ComplaintId, ContactId, CustomerId, EntityId, ProductId, TeamId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

mod clocks;
mod duplicates;
mod escalation;
mod groups;
mod history;
mod intake;
mod policies;
mod statistics;
mod surveys;
mod workflow;

pub use clocks::{ClockKind, ClockOutcome, DeadlineRevision, Pause, RevisionReason, SlaClock};
pub use duplicates::{DUPLICATE_DAYS, DUPLICATES_MAX};
pub use escalation::{
    ACCEPT_MINUTES_MAX, Absence, CONDITION_RUNG, Escalation, EscalationCause, EscalationKey, EscalationRole,
    PERCENT_MAX, PendingRung, RUNGS_MAX, Rung, STANDARD_LADDER, Standing,
};
pub use groups::{CountedComplaint, GROUPS_MAX, GroupKey, GroupStatistic, GroupStatistics, Recurrence};
pub use history::ImportedComplaint;
pub use intake::{
    ADDRESSES_MAX, ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, Attachment, MEDIA_TYPES, NewComplaint, Remedy,
    Reporter, ReporterAddress,
};
pub use policies::{
    Case, ClockMinutes, Criteria, NewSlaPolicy, PolicyStamp, Service, SlaPolicy, SlaPolicyUpdate,
    TARGET_MINUTES_MAX, choose,
};
pub use statistics::{
    ClockCount, ComplaintFigures, ComplaintGroup, ComplaintStatistic, CustomerWarningCode, Exposure,
    HEARERS_EACH, HEARERS_FIRST, HEARERS_OF_ONE, OpenComplaints, exposure, statistic,
};
pub use surveys::{
    Answered, DISSATISFIED_BELOW, NewAnswer, REMINDERS, SATISFIED_FROM, SCORE_MAX, STANDARD_QUESTIONS,
    Survey, SurveyScore, SurveyState, SurveyVerdict, SurveyWithdrawal, invalid_survey, mean_score,
    survey_score, verdict,
};
pub use workflow::{
    AWAIT_DAYS_MAX, Assessment, Awaited, CloseComplaint, Closed, Merged, NewAwait, NewNote, NewResponse,
    NoteAudience, REOPEN_DAYS, RESPONSE_DAYS, Reopening, Response, Waiting,
};

wire_enum! {
    /// How far a complaint is. All but the last three are open.
    ComplaintState {
        /// Written down; the customer has not been told.
        Recorded = "RECORDED",
        /// The customer knows that it has arrived.
        Acknowledged = "ACKNOWLEDGED",
        /// Severity, impact, urgency and safety are judged.
        Assessed = "ASSESSED",
        /// Somebody works on it.
        Investigating = "INVESTIGATING",
        /// The customer is to do something; the clocks stand still.
        WaitingCustomer = "WAITING_CUSTOMER",
        /// Somebody of ours is to do something; the clocks run on.
        WaitingInternal = "WAITING_INTERNAL",
        /// The customer has our response and is to say what they think of it; the clocks stand still.
        ResponseOffered = "RESPONSE_OFFERED",
        /// The customer accepted the response; it is to be carried out.
        Accepted = "ACCEPTED",
        /// Settled.
        Closed = "CLOSED",
        /// Not for us to settle; the customer was told why.
        OutOfScope = "OUT_OF_SCOPE",
        /// The same as another complaint, which lives on.
        Merged = "MERGED",
    }
}

impl ComplaintState {
    /// True while somebody has to do something.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::OutOfScope | Self::Merged)
    }
}

wire_enum! {
    /// How bad something is, least first.
    Severity {
        /// Can wait.
        Low = "LOW",
        /// Is to be mended.
        Medium = "MEDIUM",
        /// Does harm.
        High = "HIGH",
        /// Does great harm, or endangers somebody.
        Critical = "CRITICAL",
    }
}

impl Severity {
    /// Those at which whoever wants to sell something is warned.
    pub const SERIOUS: [Self; 2] = [Self::High, Self::Critical];
}

wire_enum! {
    /// How a customer and we talk to each other.
    Channel {
        /// E-mail.
        Email = "EMAIL",
        /// Text message.
        Sms = "SMS",
        /// Fax.
        Fax = "FAX",
        /// Telephone.
        Phone = "PHONE",
        /// A form or chat.
        Web = "WEB",
        /// Face to face.
        InPerson = "IN_PERSON",
        /// Letter.
        Post = "POST",
    }
}

wire_enum! {
    /// Who may read a complaint.
    Confidentiality {
        /// Everybody who may read complaints of this customer or of its owner.
        Normal = "NORMAL",
        /// Its owner, the service department and administrators; not those who look after the customer, whom it may be
        /// about.
        Confidential = "CONFIDENTIAL",
    }
}

/// A complaint. Owner and next due time are always there; after its end they are the last ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// Its id.
    pub id: ComplaintId,
    /// Counts changes.
    pub version: Version,
    /// Number that people call it by; unique in the organisation, ignoring case.
    pub number: String,
    /// Whose complaint it is.
    pub customer_id: CustomerId,
    /// Who of them complained.
    pub contact_id: Option<ContactId>,
    /// Who complained, where the customer has no such contact.
    pub reporter: Option<Reporter>,
    /// What it is about, in a line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// How it came.
    pub channel: Channel,
    /// What the customer wants, as asked when it was recorded.
    pub remedy: Remedy,
    /// Which product it is about.
    pub product_id: Option<ProductId>,
    /// Who answers for it.
    pub owner_id: UserId,
    /// Who looked after the customer when it was recorded.
    pub account_manager_id: Option<UserId>,
    /// Who may read it.
    pub confidentiality: Confidentiality,
    /// Whether somebody's safety is at stake.
    pub is_safety_risk: bool,
    /// Documents.
    pub attachments: Vec<Attachment>,
    /// How far it is.
    pub state: ComplaintState,
    /// How bad it is for the customer; `None` before it is assessed, like the next two.
    pub severity: Option<Severity>,
    /// How bad it is beyond this customer.
    pub impact: Option<Severity>,
    /// How soon it gets worse.
    pub urgency: Option<Severity>,
    /// When it happened (business time).
    pub occurred_at: Option<Timestamp>,
    /// When we were first told: of this complaint or of a duplicate. Clocks count from here.
    pub recorded_at: Timestamp,
    /// When something is to be done next: the first deadline of a clock, or the end of a wait.
    pub next_action_due: Timestamp,
    /// All clocks that ever ran, in the order in which they began.
    pub clocks: Vec<SlaClock>,
    /// All rungs that were ever raised, in that order.
    pub escalations: Vec<Escalation>,
    /// The highest rung that was reached; 0 for none.
    pub level: i32,
    /// Who is awaited.
    pub waiting: Option<Waiting>,
    /// The last response.
    pub response: Option<Response>,
    /// The code of what caused it; for a closed one.
    pub root_cause: Option<String>,
    /// Where the customer can turn to, for one that was closed without their consent.
    pub recourse: Option<String>,
    /// Why it is not for us to settle, as the customer was told.
    pub out_of_scope_reason: Option<String>,
    /// The complaint that it is a duplicate of.
    pub merged_into_id: Option<ComplaintId>,
    /// How often it was reopened.
    pub reopen_count: i32,
    /// When it ended, for the last time.
    pub ended_at: Option<Timestamp>,
    /// When it was entered here.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// With what a step is done, and when.
#[derive(Clone, Copy, Debug)]
pub struct Handling<'a> {
    /// Who does it; `None` for a job.
    pub by: Option<UserId>,
    /// What the clocks of the complaint are computed by now. Those that were computed by something else are
    /// recalculated first.
    pub service: Service<'a>,
    /// The moment.
    pub now: Timestamp,
}

/// What can be done with a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Acknowledge,
    Assess,
    Assign,
    AwaitCustomer,
    AwaitInternal,
    Resume,
    Note,
    Offer,
    Accept,
    Dispute,
    Close,
    Reopen,
    DeclareOutOfScope,
    Merge,
    Absorb,
    Recalculate,
    AcceptEscalation,
}

/// Steps that leave an open complaint where it is.
const STAY: &[(ComplaintState, ComplaintState)] = {
    use ComplaintState::*;
    &[
        (Recorded, Recorded),
        (Acknowledged, Acknowledged),
        (Assessed, Assessed),
        (Investigating, Investigating),
        (WaitingCustomer, WaitingCustomer),
        (WaitingInternal, WaitingInternal),
        (ResponseOffered, ResponseOffered),
        (Accepted, Accepted),
    ]
};

/// A duplicate ends from wherever it is.
const END_MERGED: &[(ComplaintState, ComplaintState)] = {
    use ComplaintState::*;
    &[
        (Recorded, Merged),
        (Acknowledged, Merged),
        (Assessed, Merged),
        (Investigating, Merged),
        (WaitingCustomer, Merged),
        (WaitingInternal, Merged),
        (ResponseOffered, Merged),
        (Accepted, Merged),
    ]
};

impl Step {
    /// The whole transition table: from where to where, and the rule as people read it.
    fn table(self) -> (&'static [(ComplaintState, ComplaintState)], &'static str) {
        use ComplaintState::*;
        match self {
            Self::Acknowledge => {
                (&[(Recorded, Acknowledged)], "Only a complaint that was just recorded is acknowledged")
            }
            Self::Assess => (&[(Acknowledged, Assessed)], "A complaint is assessed once it is acknowledged"),
            Self::Assign => (
                &[
                    (Recorded, Recorded),
                    (Acknowledged, Acknowledged),
                    (Assessed, Investigating),
                    (Investigating, Investigating),
                    (WaitingCustomer, WaitingCustomer),
                    (WaitingInternal, WaitingInternal),
                    (ResponseOffered, ResponseOffered),
                    (Accepted, Accepted),
                ],
                "Only an open complaint is given to somebody",
            ),
            Self::AwaitCustomer => {
                (&[(Investigating, WaitingCustomer)], "Only who works on a complaint can wait for somebody")
            }
            Self::AwaitInternal => {
                (&[(Investigating, WaitingInternal)], "Only who works on a complaint can wait for somebody")
            }
            Self::Resume => (
                &[(WaitingCustomer, Investigating), (WaitingInternal, Investigating)],
                "Only a complaint that waits for somebody can be resumed",
            ),
            Self::Note => (
                &[
                    (Recorded, Recorded),
                    (Acknowledged, Acknowledged),
                    (Assessed, Assessed),
                    (Investigating, Investigating),
                    (WaitingCustomer, WaitingCustomer),
                    (WaitingInternal, WaitingInternal),
                    (ResponseOffered, ResponseOffered),
                    (Accepted, Accepted),
                    (Closed, Closed),
                    (OutOfScope, OutOfScope),
                ],
                "Write your note to the complaint that lives on",
            ),
            Self::Offer => (
                &[(Investigating, ResponseOffered)],
                "A response is offered while the complaint is being investigated",
            ),
            Self::Accept => (&[(ResponseOffered, Accepted)], "Only an offered response can be accepted"),
            Self::Dispute => {
                (&[(ResponseOffered, Investigating)], "Only an offered response can be disputed")
            }
            Self::Close => (
                &[(ResponseOffered, Closed), (Accepted, Closed)],
                "A complaint is closed after a response was offered to the customer",
            ),
            Self::Reopen => (&[(Closed, Investigating)], "Only a closed complaint can be reopened"),
            Self::DeclareOutOfScope => {
                (&[(Assessed, OutOfScope)], "Only an assessed complaint can be declared out of scope")
            }
            Self::Merge => (END_MERGED, "Only an open complaint can be merged into another"),
            Self::Absorb => (STAY, "A duplicate can be merged into an open complaint only"),
            Self::Recalculate => (STAY, "The clocks of a complaint that has ended stand"),
            Self::AcceptEscalation => (STAY, "The complaint has ended; there is nothing to take charge of"),
        }
    }
}

impl Complaint {
    /// What decides which policy it follows.
    pub fn case(&self, customer_grade: Option<crate::customers::CustomerGrade>) -> Case {
        Case { severity: self.severity, product_id: self.product_id, customer_grade, channel: self.channel }
    }

    /// By what its clocks were computed last.
    pub fn policy(&self) -> Option<PolicyStamp> {
        self.clocks.last().map(|clock| clock.policy)
    }

    /// A copy after the step.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` where the table has no such step.
    fn after(&self, step: Step, now: Timestamp) -> Result<Self> {
        let (moves, rule) = step.table();
        let Some(&(_, state)) = moves.iter().find(|(from, _)| *from == self.state) else {
            let message = format!("{rule}; this one is {}.", self.state.as_str());
            return Err(Problem::new(Code::InvalidTransition, message).into());
        };
        Ok(Self { state, updated_at: now, ..self.clone() })
    }

    /// A copy after the step, its clocks computed by what counts now.
    ///
    /// # Errors
    /// `INVALID_TRANSITION` where the table has no such step.
    fn begin(&self, step: Step, handling: &Handling<'_>) -> Result<Self> {
        let mut after = self.after(step, handling.now)?;
        after.follow((step == Step::Assess).then_some(RevisionReason::Assessed), handling);
        Ok(after)
    }

    /// The change, with the next due time that follows from the clocks and from whoever is awaited.
    fn save(mut self, before: &Self, event: EventKind) -> Change<Self> {
        self.next_action_due = self.next_due().unwrap_or(self.next_action_due);
        Change::updated(event, before, self)
    }

    /// Always something for an open complaint: its RESOLUTION runs until the end.
    fn next_due(&self) -> Option<Timestamp> {
        let clocks = self.clocks.iter().filter(|clock| clock.is_running()).map(|clock| clock.due_at);
        clocks.chain(self.waits_until()).min()
    }

    /// Until when somebody is awaited.
    pub fn waits_until(&self) -> Option<Timestamp> {
        match self.state {
            ComplaintState::WaitingCustomer | ComplaintState::WaitingInternal => {
                self.waiting.as_ref().map(|waiting| waiting.until)
            }
            ComplaintState::ResponseOffered => self.response.as_ref().map(|response| response.answer_by),
            _ => None,
        }
    }
}

impl Aggregate for Complaint {
    const SUBJECT: SubjectType = SubjectType::Complaint;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    /// Without the description and the reporter: the log never forgets, and people have a right to be forgotten.
    fn view(&self) -> Value {
        json!({
            "number": self.number, "customerId": self.customer_id, "contactId": self.contact_id,
            "subject": self.subject, "channel": self.channel, "remedySought": self.remedy.sought(),
            "productId": self.product_id, "ownerId": self.owner_id,
            "accountManagerId": self.account_manager_id, "confidentiality": self.confidentiality,
            "isSafetyRisk": self.is_safety_risk, "attachments": self.attachments.len(), "state": self.state,
            "severity": self.severity, "impact": self.impact, "urgency": self.urgency,
            "occurredAt": self.occurred_at, "recordedAt": self.recorded_at,
            "nextActionDue": self.next_action_due,
            "clocks": self.clocks.iter().filter(|clock| clock.is_running()).map(SlaClock::view).collect::<Vec<_>>(),
            "level": self.level, "waiting": self.waiting.as_ref().map(|waiting| &waiting.whom),
            "awaitedUntil": self.waits_until(), "response": self.response.as_ref().map(|response| &response.text),
            "rootCause": self.root_cause, "recourse": self.recourse,
            "outOfScopeReason": self.out_of_scope_reason, "mergedIntoId": self.merged_into_id,
            "reopenCount": self.reopen_count, "endedAt": self.ended_at,
        })
    }
}

/// What complaints can be filtered by.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum ComplaintTerm {
    /// Id.
    Id(OneOf<ComplaintId>),
    /// Number.
    Number(Text),
    /// What it is about, in a line.
    Subject(Text),
    /// How far it is.
    State(OneOf<ComplaintState>),
    /// Whether somebody has to do something.
    Open(bool),
    /// How bad it is.
    Severity(OneOf<Severity>),
    /// How it came.
    Channel(OneOf<Channel>),
    /// Whose complaint it is.
    Customer(OneOf<CustomerId>),
    /// Which product it is about.
    Product(OneOf<ProductId>),
    /// Who answers for it.
    Owner(OneOf<UserId>),
    /// The team that who answers for it is in today.
    Team(OneOf<TeamId>),
    /// What caused it, letter by letter.
    RootCause(OneOf<String>),
    /// When we were first told.
    RecordedAt(Range<Timestamp>),
    /// When something is to be done next.
    NextActionDue(Range<Timestamp>),
    /// Last change.
    UpdatedAt(Range<Timestamp>),
}

wire_enum! {
    /// What complaints can be sorted by.
    ComplaintSort as "ComplaintOrderField" {
        /// When we were first told.
        RecordedAt = "RECORDED_AT",
        /// When something is to be done next.
        NextActionDue = "NEXT_ACTION_DUE",
        /// Last change.
        UpdatedAt = "UPDATED_AT",
        /// Number, ignoring case.
        Number = "NUMBER",
    }
}

#[cfg(test)]
mod tests;
