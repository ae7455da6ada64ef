//! Exports: what somebody may download as JSON Lines, for a while.

use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::Permission;
use crate::activities::ActivityTerm;
use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::complaints::ComplaintTerm;
use crate::customers::CustomerTerm;
use crate::deals::DealTerm;
use crate::error::{Code, Error, Problem, Result};
use crate::filter::Filter;
use crate::id::{EntityId, ExportId, UserId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// How long an export can be downloaded, in hours.
pub const EXPORT_HOURS: i64 = 24;
/// Longest filter of an export, as JSON, in bytes.
const SELECTION_BYTES_MAX: usize = 65_536;

wire_enum! {
    /// What can be exported, so that what others refer to comes first.
    ExportKind {
        /// Teams, by name.
        Teams = "TEAMS",
        /// People with their memberships, by name.
        Users = "USERS",
        /// Work calendars, by name.
        WorkCalendars = "WORK_CALENDARS",
        /// Products, by name.
        Products = "PRODUCTS",
        /// Policies for complaints, by name.
        SlaPolicies = "SLA_POLICIES",
        /// Customers, oldest record first.
        Customers = "CUSTOMERS",
        /// Deals, oldest record first.
        Deals = "DEALS",
        /// Activities, newest first.
        Activities = "ACTIVITIES",
        /// Complaints, by number.
        Complaints = "COMPLAINTS",
    }
}

impl ExportKind {
    /// Who may read them may export them.
    pub fn permission(self) -> Permission {
        match self {
            Self::Teams => Permission::ReadTeams,
            Self::Users => Permission::ReadUsers,
            Self::WorkCalendars => Permission::ReadCalendars,
            Self::Products => Permission::ReadProducts,
            Self::SlaPolicies | Self::Complaints => Permission::ReadComplaints,
            Self::Customers => Permission::ReadCustomers,
            Self::Deals => Permission::ReadDeals,
            Self::Activities => Permission::ReadActivities,
        }
    }
}

/// What is exported: all of a kind that the reader may see, or some of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ExportSelection {
    /// Teams.
    Teams,
    /// People.
    Users,
    /// Work calendars.
    WorkCalendars,
    /// Products.
    Products,
    /// Policies for complaints.
    SlaPolicies,
    /// These customers.
    Customers(Filter<CustomerTerm>),
    /// These deals.
    Deals(Filter<DealTerm>),
    /// These activities.
    Activities(Filter<ActivityTerm>),
    /// These complaints.
    Complaints(Filter<ComplaintTerm>),
}

impl ExportSelection {
    /// All of a kind.
    pub fn all(kind: ExportKind) -> Self {
        match kind {
            ExportKind::Teams => Self::Teams,
            ExportKind::Users => Self::Users,
            ExportKind::WorkCalendars => Self::WorkCalendars,
            ExportKind::Products => Self::Products,
            ExportKind::SlaPolicies => Self::SlaPolicies,
            ExportKind::Customers => Self::Customers(Filter::default()),
            ExportKind::Deals => Self::Deals(Filter::default()),
            ExportKind::Activities => Self::Activities(Filter::default()),
            ExportKind::Complaints => Self::Complaints(Filter::default()),
        }
    }

    /// Of which kind it is.
    pub fn kind(&self) -> ExportKind {
        match self {
            Self::Teams => ExportKind::Teams,
            Self::Users => ExportKind::Users,
            Self::WorkCalendars => ExportKind::WorkCalendars,
            Self::Products => ExportKind::Products,
            Self::SlaPolicies => ExportKind::SlaPolicies,
            Self::Customers(_) => ExportKind::Customers,
            Self::Deals(_) => ExportKind::Deals,
            Self::Activities(_) => ExportKind::Activities,
            Self::Complaints(_) => ExportKind::Complaints,
        }
    }
}

/// A download that somebody asked for. It holds no data: what it gives is read when it is downloaded, under the rights
/// that its owner has then.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// Counts changes.
    pub version: Version,
    /// What is exported.
    pub selection: ExportSelection,
    /// Who asked for it; nobody else can download it.
    pub requested_by: UserId,
    /// When they asked.
    pub created_at: Timestamp,
    /// From when on it cannot be downloaded.
    pub expires_at: Timestamp,
}

impl Export {
    /// Somebody asks for a download.
    ///
    /// # Errors
    /// `TOO_MANY` for a filter that is too long.
    pub fn start(
        selection: ExportSelection,
        id: ExportId,
        by: UserId,
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let length =
            serde_json::to_string(&selection).map_err(|error| Error::Internal(error.to_string()))?.len();
        if length > SELECTION_BYTES_MAX {
            let message = "The filter names too much; name less, or take the export apart.";
            return Err(Problem::new(Code::TooMany, message).into());
        }
        let expires_at = now.plus(Duration::hours(EXPORT_HOURS));
        let export = Self { id, version: 0, selection, requested_by: by, created_at: now, expires_at };
        Ok(Change::created(EventKind::ExportStarted, export))
    }

    /// Whether it can still be downloaded.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

impl Aggregate for Export {
    const SUBJECT: SubjectType = SubjectType::Export;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    /// Without the filter: it may name people, and the log never forgets.
    fn view(&self) -> Value {
        json!({
            "kind": self.selection.kind(), "isFiltered": self.selection != ExportSelection::all(self.selection.kind()),
            "requestedById": self.requested_by, "expiresAt": self.expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{OneOf, Range, Text};

    fn start(selection: ExportSelection) -> Result<Change<Export>> {
        let now = Timestamp::parse("2026-11-25T09:00:00Z").expect("an instant");
        Export::start(
            selection,
            ExportId::from_uuid(Uuid::from_u128(1)),
            UserId::from_uuid(Uuid::from_u128(2)),
            now,
        )
    }

    #[test]
    fn a_selection_is_kept_as_it_was_and_told_without_its_names() {
        let updated = Timestamp::parse("2026-11-24T09:00:00Z").expect("an instant");
        let terms = vec![
            Filter::Term(ComplaintTerm::UpdatedAt(Range::Gte(updated))),
            Filter::Not(Box::new(Filter::Term(ComplaintTerm::Subject(Text::Contains("Ada".into()))))),
            Filter::Any(vec![Filter::Term(ComplaintTerm::RootCause(OneOf::Missing))]),
        ];
        let selection = ExportSelection::Complaints(Filter::All(terms));
        let change = start(selection.clone()).expect("an export");
        let view = change.event().after.to_string();
        assert!(view.contains("COMPLAINTS") && view.contains("\"isFiltered\":true") && !view.contains("Ada"));
        let export = change.into_state();
        let kept = serde_json::to_string(&export.selection).expect("text");
        assert_eq!(serde_json::from_str::<ExportSelection>(&kept).expect("a selection"), selection);
        let end = export.created_at.plus(Duration::hours(24));
        assert!(export.is_live(end.plus(Duration::microseconds(-1))) && !export.is_live(end));
    }

    #[test]
    fn a_filter_that_is_too_long_is_refused() {
        let names = vec!["x".repeat(200); 400];
        let filter = Filter::Term(CustomerTerm::Name(Text::In(names)));
        assert!(matches!(start(ExportSelection::Customers(filter)), Err(Error::Rejected(_))));
    }
}
