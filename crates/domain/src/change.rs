//! `Change<T>` = new state + event. Only a function of this crate makes one, so that
//! there is no write without an event and no event without a write.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::wire::wire_enum;

/// Counts the changes of an object, from 1. Clients send back the version that they saw.
pub type Version = i32;

/// A thing that is changed as a whole and has one version.
pub trait Aggregate: Clone {
    /// What the event log calls it.
    const SUBJECT: SubjectType;
    /// Its id.
    fn subject_id(&self) -> Uuid;
    /// Its version.
    fn version(&self) -> Version;
    /// Sets the version; for [`Change`] and nobody else.
    fn set_version(&mut self, version: Version);
    /// The explicit view that the event log keeps. Never holds a secret.
    fn view(&self) -> Value;
}

/// A new state of `T` with the event that tells of it.
#[derive(Clone, Debug)]
pub struct Change<T> {
    state: T,
    event: Event,
    jobs: Vec<JobRequest>,
}

impl<T: Aggregate> Change<T> {
    pub(crate) fn created(kind: EventKind, mut state: T) -> Self {
        state.set_version(1);
        let event = Event::of(kind, &state, None);
        Self { state, event, jobs: Vec::new() }
    }

    pub(crate) fn updated(kind: EventKind, before: &T, mut state: T) -> Self {
        state.set_version(before.version() + 1);
        let event = Event::of(kind, &state, Some(before.view()));
        Self { state, event, jobs: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with_job(mut self, job: JobRequest) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds to the view after the event what else was written with it, for readers of the feed.
    #[must_use]
    pub(crate) fn with_detail(mut self, key: &str, detail: Value) -> Self {
        self.event.after[key] = detail;
        self
    }

    /// The new state.
    pub fn state(&self) -> &T {
        &self.state
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The jobs that the change causes, to be written in the same transaction.
    pub fn jobs(&self) -> &[JobRequest] {
        &self.jobs
    }

    /// True when the object did not exist before.
    pub fn is_creation(&self) -> bool {
        self.event.before.is_none()
    }

    /// Takes the new state out.
    pub fn into_state(self) -> T {
        self.state
    }
}

/// What happened, to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The type of the object.
    pub subject: SubjectType,
    /// The object.
    pub subject_id: Uuid,
    /// Its version after the event.
    pub version: Version,
    /// View before; `None` for a creation.
    pub before: Option<Value>,
    /// View after.
    pub after: Value,
}

impl Event {
    fn of<T: Aggregate>(kind: EventKind, state: &T, before: Option<Value>) -> Self {
        Self {
            kind,
            subject: T::SUBJECT,
            subject_id: state.subject_id(),
            version: state.version(),
            before,
            after: state.view(),
        }
    }
}

/// Work to be done after the commit: an effect outside the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobRequest {
    /// Mail the invitation; the token is sealed, and the job's row is deleted once it is done.
    SendInvitation {
        /// The invitation.
        invitation: crate::id::InvitationId,
        /// The link's token, encrypted with the instance's secret.
        sealed_token: String,
    },
    /// Run an import.
    RunImport {
        /// The import.
        import: crate::id::ImportId,
    },
}

wire_enum! {
    /// The type of the object that an event is about.
    SubjectType {
        /// The organisation.
        Organization = "organization",
        /// A person.
        User = "user",
        /// A team.
        Team = "team",
        /// An invitation.
        Invitation = "invitation",
        /// A session.
        Session = "session",
        /// An API client.
        ApiClient = "api_client",
        /// A customer.
        Customer = "customer",
        /// A product.
        Product = "product",
        /// An activity.
        Activity = "activity",
        /// A deal.
        Deal = "deal",
        /// A target.
        Target = "target",
        /// A complaint.
        Complaint = "complaint",
        /// A policy that says how soon complaints are answered.
        SlaPolicy = "sla_policy",
        /// Questions on how a complaint was handled.
        Survey = "survey",
        /// An import.
        Import = "import",
        /// A download that somebody asked for.
        Export = "export",
        /// A work calendar.
        WorkCalendar = "work_calendar",
        /// The days that an organisation has closed; its id is that of the organisation.
        DayClose = "day_close",
    }
}

wire_enum! {
    /// The catalogue of events. Names are a contract with integrations: never renamed or reused.
    EventKind {
        /// An organisation began to use the system.
        OrganizationCreated = "organization.created",
        /// Settings of the organisation changed.
        OrganizationUpdated = "organization.updated",
        /// A person became known.
        UserCreated = "user.created",
        /// Profile, role or status changed.
        UserUpdated = "user.updated",
        /// A person joined or moved to a team.
        MemberMoved = "user.moved",
        /// Days were recorded on which a person is away.
        LeaveRecorded = "user.leave_recorded",
        /// Recorded days of leave were taken back.
        LeaveCancelled = "user.leave_cancelled",
        /// A team was created.
        TeamCreated = "team.created",
        /// A team was renamed or hung elsewhere in the tree.
        TeamUpdated = "team.updated",
        /// A person was invited to sign in.
        UserInvited = "invitation.created",
        /// The invitation was used.
        InvitationAccepted = "invitation.accepted",
        /// An invitation was replaced by a newer one.
        InvitationWithdrawn = "invitation.withdrawn",
        /// A person signed in.
        SessionStarted = "session.started",
        /// The session ended by sign-out, expiry of trust, or deactivation.
        SessionEnded = "session.ended",
        /// A person changed their password.
        PasswordChanged = "user.password_changed",
        /// An API client was created.
        ApiClientCreated = "api_client.created",
        /// Name, role or scopes of an API client changed.
        ApiClientUpdated = "api_client.updated",
        /// An API client got a new secret.
        ApiClientSecretRotated = "api_client.secret_rotated",
        /// An API client was shut out for ever.
        ApiClientRevoked = "api_client.revoked",
        /// A customer was collected.
        CustomerCollected = "customer.collected",
        /// A customer's details changed.
        CustomerUpdated = "customer.updated",
        /// LEAD -> QUALIFIED.
        CustomerQualified = "customer.qualified",
        /// -> PROSPECT, with evidence.
        CustomerBecameProspect = "customer.became_prospect",
        /// -> SIGNED.
        CustomerSigned = "customer.signed",
        /// -> LOST.
        CustomerLost = "customer.lost",
        /// -> DORMANT.
        CustomerBecameDormant = "customer.became_dormant",
        /// LOST or DORMANT -> LEAD.
        CustomerRevived = "customer.revived",
        /// A customer was given to another owner.
        CustomerReassigned = "customer.reassigned",
        /// A product was added.
        ProductCreated = "product.created",
        /// A product changed.
        ProductUpdated = "product.updated",
        /// A call, visit or message was logged.
        ActivityLogged = "activity.logged",
        /// A deal was created.
        DealCreated = "deal.created",
        /// A deal's details or open stage changed.
        DealUpdated = "deal.updated",
        /// A deal was won and credited.
        DealWon = "deal.won",
        /// A deal was lost.
        DealLost = "deal.lost",
        /// A won deal was cancelled and its credit reversed.
        DealCancelled = "deal.cancelled",
        /// A target was proposed.
        TargetProposed = "target.proposed",
        /// One side answered with other terms; the earlier ones are kept.
        TargetCountered = "target.countered",
        /// One of those who must agree signed the terms.
        TargetSigned = "target.signed",
        /// The last signature was given: the terms are agreed.
        TargetAgreed = "target.agreed",
        /// A team's target was split over its members, or its buffer changed.
        TargetCascaded = "target.cascaded",
        /// A department signed that it will deliver a resource.
        SupportCommitted = "target.support_committed",
        /// A resource was delivered.
        SupportDelivered = "target.support_delivered",
        /// All required support is signed and the unit adds up: the target is published.
        TargetCommitted = "target.committed",
        /// The target counts from now on.
        TargetActivated = "target.activated",
        /// New terms for the rest of the period were proposed.
        AmendmentProposed = "target.amendment_proposed",
        /// Agreed new terms count from a day on.
        TargetAmended = "target.amended",
        /// The terms of an amendment were taken back.
        AmendmentWithdrawn = "target.amendment_withdrawn",
        /// A target was taken back before it counted.
        TargetWithdrawn = "target.withdrawn",
        /// The period is over and the result frozen.
        TargetClosed = "target.closed",
        /// A complaint was recorded; its account manager and the service department are to hear of it.
        ComplaintRecorded = "complaint.recorded",
        /// A complaint came from another system, with what had become of it there. Nobody is told.
        ComplaintImported = "complaint.imported",
        /// The customer was told that the complaint has arrived.
        ComplaintAcknowledged = "complaint.acknowledged",
        /// Severity, impact, urgency and safety were judged.
        ComplaintAssessed = "complaint.assessed",
        /// A complaint was given to an owner.
        ComplaintAssigned = "complaint.assigned",
        /// The customer is to do something; until then the clocks stand still.
        ClockPaused = "complaint.clock_paused",
        /// Somebody of ours is to do something; the clocks run on.
        ComplaintWaiting = "complaint.waiting",
        /// The customer has done it; the clocks run on.
        ClockResumed = "complaint.clock_resumed",
        /// Work goes on after somebody of ours was awaited.
        ComplaintResumed = "complaint.resumed",
        /// Something was written down, or told to the customer.
        ComplaintNoted = "complaint.noted",
        /// A response was offered to the customer.
        ResponseOffered = "complaint.response_offered",
        /// The customer accepted the response.
        ResponseAccepted = "complaint.response_accepted",
        /// The customer did not accept the response; the next rung of the ladder hears of it.
        ResponseDisputed = "complaint.response_disputed",
        /// A complaint was closed.
        ComplaintClosed = "complaint.closed",
        /// A closed complaint was taken up again.
        ComplaintReopened = "complaint.reopened",
        /// A complaint is not for us to settle, and the customer was told why.
        ComplaintOutOfScope = "complaint.out_of_scope",
        /// A complaint was found to be the same as another, which lives on.
        ComplaintMerged = "complaint.merged",
        /// A complaint took in a duplicate.
        DuplicateAbsorbed = "complaint.duplicate_absorbed",
        /// Deadlines moved because a policy or a calendar changed.
        DeadlineRevised = "complaint.deadline_revised",
        /// A part of a clock's time has passed.
        ClockWarned = "complaint.clock_warned",
        /// A deadline has passed.
        ClockBreached = "complaint.clock_breached",
        /// A rung of the ladder was reached otherwise.
        ComplaintEscalated = "complaint.escalated",
        /// Somebody took charge of an escalation.
        EscalationAccepted = "complaint.escalation_accepted",
        /// A policy for complaints was created.
        SlaPolicyCreated = "sla_policy.created",
        /// A policy for complaints changed.
        SlaPolicyUpdated = "sla_policy.updated",
        /// A survey will be sent.
        SurveyScheduled = "survey.scheduled",
        /// A survey was sent.
        SurveySent = "survey.sent",
        /// The customer was reminded of a survey.
        SurveyReminded = "survey.reminded",
        /// The customer answered a survey.
        SurveyAnswered = "survey.answered",
        /// The customer did not answer, after all reminders.
        SurveyUnanswered = "survey.unanswered",
        /// A survey was taken back: its complaint was taken up again, or it cannot be delivered.
        SurveyWithdrawn = "survey.withdrawn",
        /// An import was requested.
        ImportStarted = "import.started",
        /// An import ended.
        ImportFinished = "import.finished",
        /// Somebody asked for a download.
        ExportStarted = "export.started",
        /// A work calendar was created.
        WorkCalendarCreated = "work_calendar.created",
        /// A work calendar changed.
        WorkCalendarUpdated = "work_calendar.updated",
        /// Days were closed; their figures are frozen.
        DayClosed = "day.closed",
    }
}
