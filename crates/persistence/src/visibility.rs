//! Which objects of any type a grant may see: what the feed shows is exactly what the lists show.

use std::collections::{HashMap, HashSet};

use evenhand_domain::access::Permission;
use evenhand_domain::change::SubjectType;
use evenhand_domain::error::{Error, Result};
use uuid::Uuid;

use crate::events::EventRecord;
use crate::store::Reader;
use crate::{activities, complaints, customers, deals, targets};

impl Reader<'_> {
    /// Those subjects of `entries` that the grant may see now. Visibility is that of the object today, so that
    /// whoever loses a customer loses its history with it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn visible_subjects(&self, entries: &[EventRecord]) -> Result<HashSet<(SubjectType, Uuid)>> {
        let mut by_type: HashMap<SubjectType, HashSet<Uuid>> = HashMap::new();
        for entry in entries {
            by_type.entry(entry.subject).or_default().insert(entry.subject_id);
        }
        let mut visible = HashSet::new();
        for (subject, ids) in by_type {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            let seen = match self.visible_ids(subject, ids).await {
                Err(Error::Forbidden | Error::ScopeMissing(_)) => Vec::new(),
                seen => seen?,
            };
            visible.extend(seen.into_iter().map(|id| (subject, id)));
        }
        Ok(visible)
    }

    async fn visible_ids(&self, subject: SubjectType, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
        // What everybody of the organisation may read needs no look at the rows.
        let open_to = |permission| self.scope(&[permission]).map(|_| ids.clone());
        match subject {
            SubjectType::Organization => open_to(Permission::ReadOrganization),
            SubjectType::User => open_to(Permission::ReadUsers),
            SubjectType::Team => open_to(Permission::ReadTeams),
            SubjectType::Product => open_to(Permission::ReadProducts),
            SubjectType::WorkCalendar => open_to(Permission::ReadCalendars),
            SubjectType::DayClose => open_to(Permission::ReadDailyFacts),
            SubjectType::Session | SubjectType::Invitation | SubjectType::Export => {
                open_to(Permission::ReadAudit)
            }
            SubjectType::ApiClient => open_to(Permission::ReadApiClients),
            SubjectType::SlaPolicy => open_to(Permission::ReadComplaints),
            SubjectType::Import => open_to(Permission::ImportData),
            SubjectType::Customer => customers::visible_ids(self, ids).await,
            SubjectType::Activity => activities::visible_ids(self, ids).await,
            SubjectType::Deal => deals::visible_ids(self, ids).await,
            SubjectType::Target => targets::visible_ids(self, ids).await,
            SubjectType::Complaint => complaints::visible_ids(self, ids).await,
            SubjectType::Survey => complaints::surveys::visible_ids(self, ids).await,
        }
    }
}
