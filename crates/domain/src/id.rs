//! Typed ids: one macro, one list. A `CustomerId` can never stand where a `DealId` is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What every typed id can do; the name is the one that clients see inside opaque ids.
pub trait EntityId: Copy + Eq + std::hash::Hash + Send + Sync + 'static {
    /// Name of the GraphQL type, e.g. `Customer`.
    const TYPE: &'static str;
    /// Wraps a raw UUID that is known to belong to this type.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The raw UUID.
    fn uuid(self) -> Uuid;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $type:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl EntityId for $name {
            const TYPE: &'static str = $type;
            fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            fn uuid(self) -> Uuid { self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
    )*};
}

ids! {
    /// A tenant: a sales organisation.
    OrganizationId = "Organization";
    /// A person who works with the system or is known to it.
    UserId = "User";
    /// A node of the team tree.
    TeamId = "Team";
    /// A dated stay of a person in a team.
    MembershipId = "Membership";
    /// An invitation to set a password and sign in.
    InvitationId = "Invitation";
    /// A signed-in session: one family of refresh tokens.
    SessionId = "Session";
    /// A program of somebody else that works with the API in its own name.
    ApiClientId = "ApiClient";
    /// A company or a person that is or may become a customer.
    CustomerId = "Customer";
    /// One dated step in the stage history of a customer.
    StageChangeId = "StageChange";
    /// Something that the organisation sells.
    ProductId = "Product";
    /// A call, visit, meeting or message with a customer.
    ActivityId = "Activity";
    /// An opportunity that can be won or lost.
    DealId = "Deal";
    /// A person's share of a won deal.
    CreditLineId = "CreditLine";
    /// What a person or a team is to reach in a period.
    TargetId = "Target";
    /// How the numbers of a target follow from recorded work.
    DerivationId = "Derivation";
    /// Something that a department owes to the owner of a target.
    SupportResourceId = "SupportResource";
    /// A complaint of a customer.
    ComplaintId = "Complaint";
    /// A person whom a customer names for us to talk to.
    ContactId = "Contact";
    /// A policy that says how soon complaints are answered.
    SlaPolicyId = "SlaPolicy";
    /// A rung of the ladder that a complaint has reached.
    EscalationId = "Escalation";
    /// Questions to a customer on how a complaint was handled.
    SurveyId = "Survey";
    /// A work calendar.
    WorkCalendarId = "WorkCalendar";
    /// Days on which a person is away.
    LeaveId = "Leave";
    /// One run of an import.
    ImportId = "Import";
    /// A download that somebody asked for.
    ExportId = "Export";
    /// An entry of the event log.
    EventId = "Change";
    /// A background job.
    JobId = "Job";
    /// A mail that goes out.
    MessageId = "OutboxMessage";
}
