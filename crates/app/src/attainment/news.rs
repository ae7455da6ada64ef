//! What moves a distance, among the entries of the feed.

use evenhand_domain::access::Permission;
use evenhand_domain::change::SubjectType;
use evenhand_domain::error::Result;
use evenhand_domain::id::{EntityId, UserId};
use evenhand_domain::targets::TargetOwner;
use evenhand_persistence::{EventRecord, Reader};

use super::check_visible;
use crate::door::Query;

/// Entries of the feed that one look for news reads.
const NEWS_ROWS: u64 = 200;

/// Whether anything after a position can have changed somebody's attainment. Asks for the right to see it anew.
#[derive(Clone, Debug)]
pub struct AttainmentNews {
    /// Who.
    pub owner: TargetOwner,
    /// Whose work counts for them.
    pub people: Vec<UserId>,
    /// Everything up to here is known; `None` knows nothing.
    pub after: Option<i64>,
}

impl Query for AttainmentNews {
    const PERMISSION: Permission = Permission::ReadTargets;
    /// The position up to which there is nothing, and whether there is something behind it.
    type Output = (i64, bool);

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        check_visible(reader, self.owner).await?;
        let Some(after) = self.after else { return Ok((reader.feed_position().await?, true)) };
        let events = reader.unscoped_events_after(after, &[], NEWS_ROWS).await?;
        let last = events.last().map_or(after, |event| event.position);
        Ok((last, events.iter().any(|event| self.concerns(event))))
    }
}

impl AttainmentNews {
    /// Whoever works or is credited, moves or is away, is named in the views of the event by their id.
    fn concerns(&self, event: &EventRecord) -> bool {
        match (event.subject, self.owner) {
            // Hours may be anybody's, and somebody new may have come to the team.
            (SubjectType::WorkCalendar, _) | (SubjectType::User, TargetOwner::Team(_)) => return true,
            (SubjectType::Session | SubjectType::Invitation | SubjectType::Product, _) => return false,
            _ => {}
        }
        let owner = match self.owner {
            TargetOwner::User(user) => user.uuid(),
            TargetOwner::Team(team) => team.uuid(),
        };
        let named = |id: uuid::Uuid| {
            let text = id.to_string();
            event.subject_id == id
                || event.after.contains(&text)
                || event.before.as_ref().is_some_and(|before| before.contains(&text))
        };
        named(owner) || self.people.iter().any(|user| named(user.uuid()))
    }
}
