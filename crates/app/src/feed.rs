//! The feed: every change of the organisation, in one order, without gaps, and only what the reader may see.

use evenhand_domain::access::Permission;
use evenhand_domain::change::EventKind;
use evenhand_domain::error::Result;
use evenhand_persistence::Reader;
pub use evenhand_persistence::{About, EventFilter, EventRecord};
use tokio::sync::watch;

use crate::door::{App, Query};

/// Entries that one request looks at; when few of them are visible the page is short, but the cursor moves on.
const SCAN_MAX: usize = 2_000;
/// Entries read from the database at a time.
const SCAN_ROWS: u64 = 200;

/// A part of the feed.
#[derive(Debug)]
pub struct FeedPage {
    /// The visible entries, oldest first.
    pub entries: Vec<EventRecord>,
    /// Everything up to this position was looked at: where the next request goes on.
    pub position: i64,
    /// Whether there is more now.
    pub has_more: bool,
}

/// Entries after a position.
#[derive(Debug)]
pub struct ListChanges {
    /// The last position that the client has; 0 for the beginning.
    pub after: i64,
    /// Entries wanted.
    pub size: usize,
    /// Only these kinds; empty for all.
    pub kinds: Vec<EventKind>,
    /// Only what is about this, of all kinds.
    pub about: Option<About>,
}

impl Query for ListChanges {
    const PERMISSION: Permission = Permission::ReadChanges;
    type Output = FeedPage;

    async fn run(&self, reader: &Reader<'_>) -> Result<FeedPage> {
        // Read first: an entry that is numbered while we scan belongs to the next page.
        let end = reader.feed_position().await?;
        let (mut entries, mut position, mut scanned) = (Vec::new(), self.after, 0);
        while position < end && scanned < SCAN_MAX {
            let rows = match self.about {
                Some(about) => reader.unscoped_events_about(about, position, SCAN_ROWS).await?,
                None => reader.unscoped_events_after(position, &self.kinds, SCAN_ROWS).await?,
            };
            if rows.is_empty() {
                // Nothing of these kinds up to the end.
                position = end;
                break;
            }
            scanned += rows.len();
            let visible = reader.visible_subjects(&rows).await?;
            for row in rows {
                if entries.len() == self.size {
                    return Ok(FeedPage { entries, position, has_more: true });
                }
                position = row.position;
                if visible.contains(&(row.subject, row.subject_id)) {
                    entries.push(row);
                }
            }
        }
        Ok(FeedPage { entries, position, has_more: position < end })
    }
}

/// The last position of the organisation's feed.
#[derive(Debug)]
pub struct FeedPosition;

impl Query for FeedPosition {
    const PERMISSION: Permission = Permission::ReadChanges;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.feed_position().await
    }
}

/// A page of the audit trail, newest first.
#[derive(Debug)]
pub struct ListAuditEntries {
    /// Only entries before this position.
    pub before: Option<i64>,
    /// Entries wanted.
    pub size: u32,
    /// Which entries.
    pub filter: EventFilter,
}

impl Query for ListAuditEntries {
    const PERMISSION: Permission = Permission::ReadAudit;
    type Output = (Vec<EventRecord>, bool);

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let limit = u64::from(self.size) + 1;
        let mut rows = reader.audit_entries(self.before, &self.filter, limit).await?;
        let more = rows.len() as u64 == limit;
        rows.truncate(self.size as usize);
        Ok((rows, more))
    }
}

/// Number of entries in the audit trail.
#[derive(Debug)]
pub struct CountAuditEntries(pub EventFilter);

impl Query for CountAuditEntries {
    const PERMISSION: Permission = Permission::ReadAudit;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_audit_entries(&self.0).await
    }
}

impl App {
    /// Wakes when new entries were numbered on this node.
    pub fn watch_feed(&self) -> watch::Receiver<u64> {
        self.feed().subscribe()
    }
}
