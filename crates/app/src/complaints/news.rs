//! Complaints that changed, as a subscription tells of them.

use evenhand_domain::access::Permission;
use evenhand_domain::change::EventKind;
use evenhand_domain::complaints::{Complaint, ComplaintSort, ComplaintTerm};
use evenhand_domain::error::Result;
use evenhand_domain::filter::{Direction, Filter, OneOf};
use evenhand_domain::id::{ComplaintId, EntityId};
use evenhand_domain::page::PageRequest;
use evenhand_persistence::Reader;

use crate::door::Query;

/// Entries of the feed that one look for news reads.
const NEWS_ROWS: u32 = 100;
/// How the names of events begin that tell of a complaint itself.
const COMPLAINT_KINDS: &str = "complaint.";

/// The complaints that changed after a position, as they are now. Asks for the right to see them anew.
#[derive(Clone, Debug)]
pub struct ComplaintNews {
    /// Everything up to here is known; `None` begins with what happens from now on.
    pub after: Option<i64>,
    /// Only these.
    pub filter: Filter<ComplaintTerm>,
}

impl Query for ComplaintNews {
    const PERMISSION: Permission = Permission::ReadComplaints;
    /// The position up to which all is told, and the complaints, the one that changed last at the end.
    type Output = (i64, Vec<Complaint>);

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let end = reader.feed_position().await?;
        let Some(after) = self.after else { return Ok((end, Vec::new())) };
        let kinds: Vec<_> = EventKind::ALL
            .iter()
            .filter(|kind| kind.as_str().starts_with(COMPLAINT_KINDS))
            .copied()
            .collect();
        let events = reader.unscoped_events_after(after, &kinds, NEWS_ROWS.into()).await?;
        let Some(last) = events.last() else { return Ok((end.max(after), Vec::new())) };
        let mut changed: Vec<ComplaintId> = Vec::new();
        for event in &events {
            let id = ComplaintId::from_uuid(event.subject_id);
            changed.retain(|other| *other != id);
            changed.push(id);
        }
        let of_these = Filter::Term(ComplaintTerm::Id(OneOf::In(changed.clone())));
        let filter = Filter::All(vec![of_these, self.filter.clone()]);
        let page = PageRequest::first(NEWS_ROWS);
        let page = reader.complaints(&page, &filter, ComplaintSort::UpdatedAt, Direction::Asc).await?;
        let mut complaints: Vec<_> = page.items.into_iter().map(|(complaint, _)| complaint).collect();
        complaints.sort_by_key(|complaint| changed.iter().position(|id| *id == complaint.id));
        Ok((last.position, complaints))
    }
}
