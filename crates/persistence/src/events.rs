//! The event log: audit trail and feed in one table.
//!
//! A transaction writes its events without a position. One sequencer numbers them per organisation after the
//! commit, so that a reader who asks for "all after position n" can never miss a transaction that committed
//! late; with the position each event gets its link in the organisation's hash chain.

use std::collections::BTreeMap;

use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::change::{Event, EventKind, SubjectType};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{ApiClientId, EntityId, EventId, OrganizationId, UserId};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::row;
use crate::store::{Reader, Store, Tx};

mod about;
pub use about::About;

/// Events that the verifier reads at a time.
const VERIFY_ROWS: u64 = 1_000;

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub ordinal: i64,
        pub org_id: Uuid,
        pub id: Uuid,
        pub recorded_at: DateTimeUtc,
        pub actor_kind: String,
        pub actor_id: Option<Uuid>,
        pub request_id: String,
        pub kind: String,
        pub subject: String,
        pub subject_id: Uuid,
        pub subject_version: i32,
        pub before: Option<String>,
        pub after: String,
        pub position: Option<i64>,
        pub hash: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{Column, Entity, Model as Row};

/// The last position and hash of each organisation.
pub(crate) mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "feed_heads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        pub position: i64,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// One entry of the log, as read.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// Its id.
    pub id: EventId,
    /// Its place in the organisation's feed, from 1 without gaps.
    pub position: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who did it; `None` for API clients, the system itself and people who are not signed in yet.
    pub actor: Option<UserId>,
    /// The API client that did it.
    pub client: Option<ApiClientId>,
    /// The request that did it.
    pub request_id: String,
    /// What happened.
    pub kind: EventKind,
    /// The type of the object.
    pub subject: SubjectType,
    /// The object.
    pub subject_id: Uuid,
    /// Its version after the event.
    pub subject_version: i32,
    /// JSON view before.
    pub before: Option<String>,
    /// JSON view after.
    pub after: String,
    /// Link in the hash chain.
    pub hash: String,
}

/// Which entries of the log are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only these kinds; empty for all.
    pub kinds: Vec<EventKind>,
    /// Only this person or API client.
    pub actor: Option<Uuid>,
    /// Only this object.
    pub subject_id: Option<Uuid>,
    /// Recorded at or after.
    pub from: Option<Timestamp>,
    /// Recorded before.
    pub to: Option<Timestamp>,
}

/// What is wrong with an organisation's chain.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditFault {
    /// Position of the first entry that does not fit.
    pub position: i64,
    /// What does not fit.
    pub reason: String,
}

/// Result of verifying one organisation's log.
#[derive(Clone, Debug)]
pub struct AuditReport {
    /// Entries read.
    pub entries: i64,
    /// The last hash, to be kept elsewhere as a witness.
    pub head: String,
    /// The first fault; `None` when the chain holds.
    pub fault: Option<AuditFault>,
}

fn restore(row: Row) -> Result<EventRecord> {
    let unknown = |what: &str| bad_row("events", row.id, what);
    let actor = |kind: &str| row.actor_id.filter(|_| row.actor_kind == kind);
    Ok(EventRecord {
        id: EventId::from_uuid(row.id),
        position: row.position.ok_or_else(|| unknown("no position"))?,
        recorded_at: Timestamp::new(row.recorded_at),
        actor: actor("USER").map(UserId::from_uuid),
        client: actor("CLIENT").map(ApiClientId::from_uuid),
        kind: EventKind::parse(&row.kind).ok_or_else(|| unknown("unknown kind"))?,
        subject: SubjectType::parse(&row.subject).ok_or_else(|| unknown("unknown subject"))?,
        hash: row.hash.clone().ok_or_else(|| unknown("no hash"))?,
        request_id: row.request_id,
        subject_id: row.subject_id,
        subject_version: row.subject_version,
        before: row.before,
        after: row.after,
    })
}

/// The link of `row` at `position` behind `previous`: SHA-256 over every column that has a meaning.
fn link(row: &Row, position: i64, previous: &str) -> String {
    let content = serde_json::json!([
        previous,
        position,
        row.org_id,
        row.id,
        Timestamp::new(row.recorded_at).micros(),
        row.actor_kind,
        row.actor_id,
        row.request_id,
        row.kind,
        row.subject,
        row.subject_id,
        row.subject_version,
        row.before,
        row.after,
    ]);
    hex(Sha256::digest(content.to_string().as_bytes()).as_slice())
}

/// The hash before the first entry of an organisation.
fn genesis(org: Uuid) -> String {
    hex(Sha256::digest(format!("evenhand event log of {org}").as_bytes()).as_slice())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Tx {
    pub(crate) async fn write_events(&self, events: Vec<(OrganizationId, Event)>) -> Result<()> {
        let (actor_kind, actor_id) = match self.grant().actor() {
            Actor::Anonymous => ("ANONYMOUS", None),
            Actor::User(principal) => ("USER", Some(principal.user.uuid())),
            Actor::Client(client) => ("CLIENT", Some(client.token.client.uuid())),
            Actor::System { .. } => ("SYSTEM", None),
        };
        let rows: Vec<_> = events
            .into_iter()
            .map(|(organization, event)| entity::ActiveModel {
                ordinal: ActiveValue::NotSet,
                org_id: ActiveValue::Set(organization.uuid()),
                id: ActiveValue::Set(self.new_uuid()),
                recorded_at: ActiveValue::Set(self.now().utc()),
                actor_kind: ActiveValue::Set(actor_kind.to_owned()),
                actor_id: ActiveValue::Set(actor_id),
                request_id: ActiveValue::Set(self.request_id().to_owned()),
                kind: ActiveValue::Set(event.kind.as_str().to_owned()),
                subject: ActiveValue::Set(event.subject.as_str().to_owned()),
                subject_id: ActiveValue::Set(event.subject_id),
                subject_version: ActiveValue::Set(event.version),
                before: ActiveValue::Set(event.before.map(|view| view.to_string())),
                after: ActiveValue::Set(event.after.to_string()),
                position: ActiveValue::Set(None),
                hash: ActiveValue::Set(None),
            })
            .collect();
        for batch in row::batches(rows) {
            Entity::insert_many(batch).exec_without_returning(&self.db).await.map_err(database_error)?;
        }
        Ok(())
    }
}

impl Store {
    /// Gives positions to at most `limit` waiting events, in one transaction. Answers how many it numbered.
    /// One of the two writers that bypass `save`: it numbers events, it does not make any.
    ///
    /// # Errors
    /// [`Error::Contention`] when another sequencer was faster; nothing was numbered.
    pub async fn sequence_events(&self, limit: u64) -> Result<usize> {
        let tx = self.backend.begin().await?;
        if !self.backend.try_sequencer_lock(&tx).await? {
            return Ok(0);
        }
        let waiting = Entity::find()
            .filter(Column::Position.is_null())
            .order_by_asc(Column::Ordinal)
            .limit(limit)
            .all(&tx)
            .await
            .map_err(database_error)?;
        let count = waiting.len();
        let mut by_org: BTreeMap<Uuid, Vec<Row>> = BTreeMap::new();
        for row in waiting {
            by_org.entry(row.org_id).or_default().push(row);
        }
        for (org, rows) in by_org {
            append(&tx, org, rows).await?;
        }
        tx.commit().await.map_err(database_error)?;
        Ok(count)
    }

    /// Recomputes the hash chain of an organisation and names the first entry that was altered, deleted or
    /// reordered. Unscoped: for the command line.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_verify_events(&self, organization: OrganizationId) -> Result<AuditReport> {
        let (org, db) = (organization.uuid(), self.backend.read());
        let head = head::Entity::find_by_id(org).one(db).await.map_err(database_error)?;
        let (mut position, mut hash, mut fault) = (0, genesis(org), None);
        'all: loop {
            let rows = Entity::find()
                .filter(Column::OrgId.eq(org))
                .filter(Column::Position.gt(position))
                .order_by_asc(Column::Position)
                .limit(VERIFY_ROWS)
                .all(db)
                .await
                .map_err(database_error)?;
            let last = (rows.len() as u64) < VERIFY_ROWS;
            for row in rows {
                let found = row.position.unwrap_or_default();
                let expected = link(&row, found, &hash);
                if found != position + 1 {
                    let reason = format!("entries {} to {} are missing", position + 1, found - 1);
                    fault = Some(AuditFault { position: position + 1, reason });
                } else if row.hash.as_deref() != Some(expected.as_str()) {
                    let reason = format!("entry {} was altered or moved: its hash does not fit", row.id);
                    fault = Some(AuditFault { position: found, reason });
                }
                if fault.is_some() {
                    break 'all;
                }
                (position, hash) = (found, expected);
            }
            if last {
                break;
            }
        }
        if let (None, Some(head)) = (&fault, &head)
            && (head.position, &head.hash) != (position, &hash)
        {
            let reason = format!("the log ends at {position}, but {} entries were written", head.position);
            fault = Some(AuditFault { position: position + 1, reason });
        }
        Ok(AuditReport { entries: position, head: hash, fault })
    }
}

/// Appends `rows`, in their order, to the chain of `org`.
async fn append(tx: &impl ConnectionTrait, org: Uuid, rows: Vec<Row>) -> Result<()> {
    let before = head::Entity::find_by_id(org).one(tx).await.map_err(database_error)?;
    let (first, mut hash) =
        before.as_ref().map_or_else(|| (0, genesis(org)), |head| (head.position, head.hash.clone()));
    let mut position = first;
    let mut links = Vec::with_capacity(rows.len());
    for row in rows {
        position += 1;
        hash = link(&row, position, &hash);
        links.push((row.ordinal, position, hash.clone()));
    }
    for batch in row::batches(links) {
        number(tx, batch).await?;
    }
    let head = head::Model { org_id: org, position, hash };
    if before.is_none() {
        // A second sequencer that inserts the same head fails on the key and rolls back.
        head::Entity::insert(head.into_active_model().reset_all())
            .on_conflict(OnConflict::column(head::Column::OrgId).do_nothing().to_owned())
            .exec_without_returning(tx)
            .await
            .map_err(|_| Error::Contention)?;
        return Ok(());
    }
    let moved = head::Entity::update_many()
        .col_expr(head::Column::Position, Expr::value(head.position))
        .col_expr(head::Column::Hash, Expr::value(head.hash))
        .filter(head::Column::OrgId.eq(org))
        .filter(head::Column::Position.eq(first))
        .exec(tx)
        .await
        .map_err(database_error)?;
    if moved.rows_affected == 1 { Ok(()) } else { Err(Error::Contention) }
}

/// Gives each event, by its ordinal, its position and hash: many rows in one statement.
async fn number(tx: &impl ConnectionTrait, links: Vec<(i64, i64, String)>) -> Result<()> {
    let count = links.len() as u64;
    // The first row tells the types of the columns, which PostgreSQL would otherwise take for text.
    let rows: Vec<String> = (0..links.len())
        .map(|row| match row * 3 {
            0 => "(CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS text))".to_owned(),
            bound => format!("(${}, ${}, ${})", bound + 1, bound + 2, bound + 3),
        })
        .collect();
    let sql = format!(
        "WITH link (ordinal, position, hash) AS (VALUES {}) \
         UPDATE events SET position = link.position, hash = link.hash \
         FROM link WHERE events.ordinal = link.ordinal AND events.position IS NULL",
        rows.join(", ")
    );
    let values = links.into_iter().flat_map(|(ordinal, position, hash)| -> [Value; 3] {
        [ordinal.into(), position.into(), hash.into()]
    });
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let numbered = tx.execute_raw(statement).await.map_err(database_error)?;
    if numbered.rows_affected() == count { Ok(()) } else { Err(Error::Contention) }
}

impl Reader<'_> {
    /// The last position of the organisation's feed; 0 when it is empty.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn feed_position(&self) -> Result<i64> {
        let head = head::Entity::find_by_id(self.org()?).one(&self.db).await.map_err(database_error)?;
        Ok(head.map_or(0, |head| head.position))
    }

    /// Up to `limit` entries after `position`, in order. The caller still has to drop what is not visible: see
    /// [`Reader::visible_subjects`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unscoped_events_after(
        &self,
        position: i64,
        kinds: &[EventKind],
        limit: u64,
    ) -> Result<Vec<EventRecord>> {
        let mut select = Entity::find()
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::Position.gt(position))
            .order_by_asc(Column::Position)
            .limit(limit);
        if !kinds.is_empty() {
            select = select.filter(Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())));
        }
        select.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// Up to `limit` entries before `position`, newest first: the audit trail.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the right to read the whole log.
    pub async fn audit_entries(
        &self,
        position: Option<i64>,
        filter: &EventFilter,
        limit: u64,
    ) -> Result<Vec<EventRecord>> {
        self.scope(&[Permission::ReadAudit])?;
        let mut select = self.audit(filter)?.order_by_desc(Column::Position).limit(limit);
        if let Some(position) = position {
            select = select.filter(Column::Position.lt(position));
        }
        select.all(&self.db).await.map_err(database_error)?.into_iter().map(restore).collect()
    }

    /// Number of entries in the audit trail.
    ///
    /// # Errors
    /// As [`Reader::audit_entries`].
    pub async fn count_audit_entries(&self, filter: &EventFilter) -> Result<i64> {
        self.scope(&[Permission::ReadAudit])?;
        crate::page::count(&self.db, self.audit(filter)?).await
    }

    fn audit(&self, filter: &EventFilter) -> Result<sea_orm::Select<Entity>> {
        let mut select =
            Entity::find().filter(Column::OrgId.eq(self.org()?)).filter(Column::Position.is_not_null());
        if !filter.kinds.is_empty() {
            select = select.filter(Column::Kind.is_in(filter.kinds.iter().map(|kind| kind.as_str())));
        }
        if let Some(actor) = filter.actor {
            select = select.filter(Column::ActorId.eq(actor));
        }
        if let Some(subject) = filter.subject_id {
            select = select.filter(Column::SubjectId.eq(subject));
        }
        if let Some(from) = filter.from {
            select = select.filter(Column::RecordedAt.gte(from.utc()));
        }
        if let Some(to) = filter.to {
            select = select.filter(Column::RecordedAt.lt(to.utc()));
        }
        Ok(select)
    }
}
