//! Live complaints.

use std::time::Duration;

use async_graphql::{Context, Result, Subscription};
use evenhand_app::complaints::ComplaintNews;
use evenhand_domain::error::Error;
use futures_util::stream::{self, Stream, StreamExt};

use super::{Complaint, ComplaintFilter};
use crate::changes::position;
use crate::context::Request;

/// How often to look for what another node has numbered.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Live complaints.
#[derive(Default)]
pub(crate) struct ComplaintSubscriptions;

#[Subscription]
impl ComplaintSubscriptions {
    /// Each complaint that changes and that you may read, as it is then, within a second or two; of several changes in
    /// quick succession perhaps only the last. One that no longer matches the filter is not told of: follow `changes`
    /// where nothing may be missed. Your rights are checked anew at each change.
    async fn complaint_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which complaints; all if not given.")] filter: Option<ComplaintFilter>,
        #[graphql(desc = "Cursor of the feed to go on after; only what happens from now on if not given.")]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<Complaint>>> {
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let request = Request::of(ctx).clone();
        let mut news = ComplaintNews { after: position(after.as_deref(), "after")?, filter };
        if news.after.is_none() {
            // Asked at once, so that whoever may not read complaints hears it, and nothing is missed from here on.
            news.after = Some(request.query(&news).await?.0);
        }
        Ok(live(request, news))
    }
}

/// Reads the news in parts and waits for more at the end of the feed.
fn live(request: Request, news: ComplaintNews) -> impl Stream<Item = Result<Complaint>> {
    let feed = request.app().watch_feed();
    stream::unfold(Some((request, news, feed)), |state| async move {
        let (request, mut news, mut feed) = state?;
        loop {
            // Seen before reading, so that a batch numbered while we read wakes us again.
            feed.mark_unchanged();
            let (told, complaints) = match request.fresh_query(&news).await {
                Ok(found) => found,
                Err(error) => return Some((vec![Err(error.into())], None)),
            };
            let more = news.after.replace(told) != Some(told);
            if !complaints.is_empty() {
                let complaints = complaints.into_iter().map(|complaint| Ok(complaint.into())).collect();
                return Some((complaints, Some((request, news, feed))));
            }
            if more {
                continue;
            }
            // Another node may have numbered the events, which this node hears of only by looking.
            if let Ok(Err(_)) = tokio::time::timeout(POLL_INTERVAL, feed.changed()).await {
                return None;
            }
        }
    })
    .flat_map(stream::iter)
}
