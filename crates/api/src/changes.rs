//! The change feed and the audit trail in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Subscription};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_app::feed::{About, CountAuditEntries, EventFilter, EventRecord, ListAuditEntries, ListChanges};
use evenhand_domain::change::{EventKind, SubjectType};
use evenhand_domain::error::{Code, Error, Problem};
use evenhand_domain::id::{ApiClientId, EntityId, UserId};
use evenhand_domain::page::PageRequest;
use futures_util::{Stream, stream};
use uuid::Uuid;

use crate::api_clients::{self, ApiClient};
use crate::context::{Request, total};
use crate::ids;
use crate::page::{PageArgs, PageInfo, Total, bad_cursor};
use crate::scalars::{DateTime, Json};
use crate::users::{self, User};

/// Most kinds in one request.
const KINDS_MAX: usize = 50;
/// How often a quiet subscription looks for what other nodes did.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// One change of one object.
#[derive(Clone)]
pub(crate) struct Change(EventRecord);

/// One change of one object, as the event log keeps it.
#[Object]
impl Change {
    /// Opaque id, the same in feed, audit trail and webhooks.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Place in the organisation's feed: 1, 2, 3 and so on, without gaps. You see only the changes of what you
    /// may read, so the positions that you see may skip some.
    async fn position(&self) -> i64 {
        self.0.position
    }

    /// What happened, e.g. `deal.won`.
    #[graphql(name = "type")]
    async fn kind(&self) -> &str {
        self.0.kind.as_str()
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// Who did it; null for API clients and the system itself.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.actor {
            Some(id) => users::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The API client that did it; null for people and the system itself.
    async fn client(&self, ctx: &Context<'_>) -> Result<Option<ApiClient>> {
        match self.0.client {
            Some(id) => api_clients::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The type of the object, e.g. `deal`.
    async fn subject_type(&self) -> &str {
        self.0.subject.as_str()
    }

    /// Id of the object.
    async fn subject_id(&self) -> ID {
        ids::encode_raw(graphql_type(self.0.subject), self.0.subject_id)
    }

    /// Version of the object after the change.
    async fn subject_version(&self) -> i32 {
        self.0.subject_version
    }

    /// The object before the change; null when it was created by it.
    async fn before(&self) -> Option<Json> {
        self.0.before.as_deref().and_then(|view| serde_json::from_str(view).ok()).map(Json)
    }

    /// The object after the change.
    async fn after(&self) -> Option<Json> {
        serde_json::from_str(&self.0.after).ok().map(Json)
    }
}

/// An entry of the feed.
#[derive(SimpleObject)]
pub(crate) struct ChangeEdge {
    /// Where to go on after this change.
    cursor: String,
    /// The change.
    node: Change,
}

/// A part of the feed, oldest first.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct ChangeConnection {
    /// The changes with their cursors.
    edges: Vec<ChangeEdge>,
    /// Where this part lies. `endCursor` is always set: keep it and go on from it, also after an empty part.
    page_info: PageInfo,
}

#[async_graphql::ComplexObject]
impl ChangeConnection {
    /// The changes without cursors.
    async fn nodes(&self) -> Vec<Change> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }
}

/// An entry of the audit trail.
#[derive(Clone)]
pub(crate) struct AuditEntry(EventRecord);

/// An entry of the audit trail: a change with the request that made it and its link in the hash chain.
#[Object]
impl AuditEntry {
    /// The change.
    async fn change(&self) -> Change {
        Change(self.0.clone())
    }

    /// The request that made it, as in the `X-Request-Id` header.
    async fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Link in the organisation's hash chain; `evenhand doctor --verify-audit` checks it.
    async fn hash(&self) -> &str {
        &self.0.hash
    }
}

/// An entry in a list of audit entries.
#[derive(SimpleObject)]
pub(crate) struct AuditEntryEdge {
    /// The place of this entry.
    cursor: String,
    /// The entry.
    node: AuditEntry,
}

/// A page of the audit trail, newest first.
pub(crate) struct AuditEntryConnection {
    nodes: Vec<AuditEntry>,
    page_info: PageInfo,
    total: Total,
}

/// A page of the audit trail, newest first.
#[Object]
impl AuditEntryConnection {
    /// The entries with their cursors.
    async fn edges(&self) -> Vec<AuditEntryEdge> {
        let edge = |node: &AuditEntry| AuditEntryEdge { cursor: cursor(node.0.position), node: node.clone() };
        self.nodes.iter().map(edge).collect()
    }

    /// The entries without cursors.
    async fn nodes(&self) -> &[AuditEntry] {
        &self.nodes
    }

    /// Where this page lies in the whole list.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// Number of entries in the whole list. Counted only when selected.
    async fn total_count(&self) -> Result<i64> {
        Ok((self.total)().await?)
    }
}

/// Which audit entries. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct AuditFilter {
    /// Only changes by this person or API client.
    actor_id: Option<ID>,
    /// Only changes of this object.
    subject_id: Option<ID>,
    /// Only these types, e.g. `deal.won`; at most 50.
    types: Option<Vec<String>>,
    /// Recorded at or after.
    from: Option<DateTime>,
    /// Recorded before.
    to: Option<DateTime>,
}

impl AuditFilter {
    fn parse(&self) -> std::result::Result<EventFilter, Error> {
        let subject = self.subject_id.as_ref().map(|id| {
            ids::decode_any(id)
                .map(|(_, uuid)| uuid)
                .ok_or_else(|| Problem::new(Code::InvalidId, "This is not an id.").at("subjectId"))
        });
        Ok(EventFilter {
            kinds: kinds(self.types.as_deref())?,
            actor: self.actor_id.as_ref().map(actor).transpose().map_err(|problem| problem.at("actorId"))?,
            subject_id: subject.transpose()?,
            from: self.from.as_ref().map(|at| at.0),
            to: self.to.as_ref().map(|at| at.0),
        })
    }
}

/// The raw id of a person or an API client.
fn actor(id: &ID) -> std::result::Result<Uuid, Problem> {
    let client = |_| ids::decode::<ApiClientId>(id).map(EntityId::uuid);
    ids::decode::<UserId>(id).map(EntityId::uuid).or_else(client)
}

/// A position as a cursor.
fn cursor(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("feed:{position}"))
}

pub(crate) fn position(cursor: Option<&str>, argument: &str) -> std::result::Result<Option<i64>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let position = || -> Option<i64> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        text.strip_prefix("feed:")?.parse().ok().filter(|position| *position >= 0)
    };
    position().map(Some).ok_or_else(|| bad_cursor(argument))
}

fn kinds(types: Option<&[String]>) -> std::result::Result<Vec<EventKind>, Error> {
    let types = types.unwrap_or_default();
    if types.len() > KINDS_MAX {
        return Err(Problem::new(Code::TooMany, format!("At most {KINDS_MAX} types.")).at("types").into());
    }
    let parse = |text: &String| {
        EventKind::parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(50).collect();
            Problem::new(Code::InvalidFormat, format!("There is no change type {shown:?}; one is deal.won."))
                .at("types")
                .into()
        })
    };
    types.iter().map(parse).collect()
}

/// Everything that happened to one thing and what belongs to it, oldest first.
pub(crate) async fn history(
    ctx: &Context<'_>,
    about: About,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ChangeConnection> {
    let size = PageRequest::new(first, None, None, None)?.size as usize;
    let after = position(after.as_deref(), "after")?.unwrap_or(0);
    let list = ListChanges { after, size, kinds: Vec::new(), about: Some(about) };
    Ok(part(Request::of(ctx), &list).await?)
}

async fn part(request: &Request, list: &ListChanges) -> std::result::Result<ChangeConnection, Error> {
    let page = request.query(list).await?;
    let edges: Vec<ChangeEdge> = page
        .entries
        .into_iter()
        .map(|entry| ChangeEdge { cursor: cursor(entry.position), node: Change(entry) })
        .collect();
    let page_info = PageInfo {
        has_next_page: page.has_more,
        has_previous_page: list.after > 0,
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: Some(cursor(page.position)),
    };
    Ok(ChangeConnection { edges, page_info })
}

/// Queries about what changed.
#[derive(Default)]
pub(crate) struct ChangeQueries;

#[Object]
impl ChangeQueries {
    /// Everything that changed after a cursor and that you may read, in order and without gaps. Keep
    /// `pageInfo.endCursor` and ask again from it: nothing is ever missed, not even what was written while you
    /// asked.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Cursor to go on after; the beginning if not given.")] after: Option<String>,
        #[graphql(desc = "Number of changes, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only these types, e.g. `deal.won`; all if not given.")] types: Option<Vec<String>>,
    ) -> Result<ChangeConnection> {
        let size = PageRequest::new(first, None, None, None)?.size as usize;
        let after = position(after.as_deref(), "after")?.unwrap_or(0);
        let list = ListChanges { after, size, kinds: kinds(types.as_deref())?, about: None };
        Ok(part(Request::of(ctx), &list).await?)
    }

    /// Who changed what, when and by which request, newest first. For administrators.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of entries, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Which entries; all if not given.")] filter: Option<AuditFilter>,
    ) -> Result<AuditEntryConnection> {
        let request = Request::of(ctx);
        let args = PageArgs::forward(first, None);
        let size = PageRequest::new(args.first, None, None, None)?.size;
        let filter = filter.unwrap_or_default().parse()?;
        let before = position(after.as_deref(), "after")?;
        let (rows, more) = request.query(&ListAuditEntries { before, size, filter: filter.clone() }).await?;
        let nodes: Vec<AuditEntry> = rows.into_iter().map(AuditEntry).collect();
        let page_info = PageInfo {
            has_next_page: more,
            has_previous_page: before.is_some(),
            start_cursor: nodes.first().map(|node| cursor(node.0.position)),
            end_cursor: nodes.last().map(|node| cursor(node.0.position)),
        };
        Ok(AuditEntryConnection { nodes, page_info, total: total(request, CountAuditEntries(filter)) })
    }
}

/// Live changes.
#[derive(Default)]
pub(crate) struct ChangeSubscriptions;

#[Subscription]
impl ChangeSubscriptions {
    /// The feed, live: everything after a cursor that you may read, in order and without gaps, then each
    /// further change as it happens. Your rights are checked anew for each change.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Cursor to go on after; only what happens from now on if not given.")] after: Option<
            String,
        >,
        #[graphql(desc = "Only these types, e.g. `deal.won`; all if not given.")] types: Option<Vec<String>>,
    ) -> Result<impl Stream<Item = Result<Change>>> {
        let request = Request::of(ctx).clone();
        let kinds = kinds(types.as_deref())?;
        let after = match position(after.as_deref(), "after")? {
            Some(position) => position,
            None => request.query(&evenhand_app::feed::FeedPosition).await?,
        };
        Ok(live(request, after, kinds))
    }
}

/// Reads the feed in parts and waits for more at its end.
fn live(request: Request, after: i64, kinds: Vec<EventKind>) -> impl Stream<Item = Result<Change>> {
    use futures_util::StreamExt;
    let feed = request.app().watch_feed();
    stream::unfold(Some((request, after, kinds, feed)), |state| async move {
        let (request, after, kinds, mut feed) = state?;
        loop {
            // Seen before reading, so that a batch numbered while we read wakes us again.
            feed.mark_unchanged();
            let list = ListChanges { after, size: 100, kinds: kinds.clone(), about: None };
            let page = match request.fresh_query(&list).await {
                Ok(page) => page,
                Err(error) => return Some((vec![Err(error.into())], None)),
            };
            if !page.entries.is_empty() || page.position > after {
                let changes = page.entries.into_iter().map(|entry| Ok(Change(entry))).collect::<Vec<_>>();
                return Some((changes, Some((request, page.position, kinds, feed))));
            }
            // Another node may have numbered the events, which this node hears of only by looking.
            if let Ok(Err(_)) = tokio::time::timeout(POLL_INTERVAL, feed.changed()).await {
                return None;
            }
        }
    })
    .flat_map(stream::iter)
}

/// The feed's name of a type that clients know.
pub(crate) fn graphql_type(subject: SubjectType) -> &'static str {
    use evenhand_domain::id;
    match subject {
        SubjectType::Organization | SubjectType::DayClose => id::OrganizationId::TYPE,
        SubjectType::User => id::UserId::TYPE,
        SubjectType::Team => id::TeamId::TYPE,
        SubjectType::Invitation => id::InvitationId::TYPE,
        SubjectType::Session => id::SessionId::TYPE,
        SubjectType::ApiClient => ApiClientId::TYPE,
        SubjectType::Customer => id::CustomerId::TYPE,
        SubjectType::Product => id::ProductId::TYPE,
        SubjectType::Activity => id::ActivityId::TYPE,
        SubjectType::Deal => id::DealId::TYPE,
        SubjectType::Target => id::TargetId::TYPE,
        SubjectType::Complaint => id::ComplaintId::TYPE,
        SubjectType::SlaPolicy => id::SlaPolicyId::TYPE,
        SubjectType::Survey => id::SurveyId::TYPE,
        SubjectType::Import => id::ImportId::TYPE,
        SubjectType::Export => id::ExportId::TYPE,
        SubjectType::WorkCalendar => id::WorkCalendarId::TYPE,
    }
}
