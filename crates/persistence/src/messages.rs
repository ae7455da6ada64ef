//! Rows of the outbox: mail that is written in the transaction that causes it, leased, sent and kept for a while.
//! Like jobs it bypasses `save`: that a mail goes out is technical; what it tells of has an event of its own.

use evenhand_domain::access::Permission;
use evenhand_domain::change::SubjectType;
use evenhand_domain::error::Result;
use evenhand_domain::filter::{Direction, OneOf};
use evenhand_domain::id::{EntityId, MessageId, OrganizationId, UserId};
use evenhand_domain::messages::{
    Message, MessageState, MessageText, NewMessage, Purpose, Recipient, bounded_text, subject_line,
};
use evenhand_domain::page::{Page, PageRequest, SortKey};
use evenhand_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::error::{bad_row, database_error};
use crate::page::{self, Keyset};
use crate::row;
use crate::store::{Reader, Store, Tx};

/// Longest error text that is kept with a message, in characters.
const ERROR_CHARS_MAX: usize = 500;

row::entity!(entity, "messages", {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    purpose: String,
    user_id: Option<Uuid>,
    address: Option<String>,
    about_type: String,
    about_id: Uuid,
    subject: String,
    text: Option<String>,
    is_sealed: bool,
    state: String,
    due_at: Option<DateTimeUtc>,
    attempts: i32,
    leased_until: Option<DateTimeUtc>,
    last_error: Option<String>,
    sent_at: Option<DateTimeUtc>,
    created_at: DateTimeUtc,
});
use entity::{Column, Entity, Model as Row};

const SLICE: &[Permission] = &[Permission::ReadOutbox];

/// A message that this worker holds until its lease ends.
#[derive(Clone, Debug)]
pub struct ClaimedMessage {
    /// Its id.
    pub id: MessageId,
    /// The organisation that it belongs to.
    pub organization: OrganizationId,
    /// To whom it goes.
    pub to: Recipient,
    /// Its subject.
    pub subject: String,
    /// What it says.
    pub text: MessageText,
    /// How often it was claimed, this time included.
    pub attempts: i32,
}

/// What became of a claimed message.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The mail server took it.
    Sent,
    /// Another try may help, at this time.
    Again(Timestamp, String),
    /// No other try will help.
    Failed(String),
    /// It is not to be sent any more.
    Dropped(String),
}

/// The object of a row of another table, for conditions on the messages about it.
pub(crate) struct About {
    pub(crate) org: SimpleExpr,
    pub(crate) subject: SubjectType,
    pub(crate) id: SimpleExpr,
}

impl About {
    fn messages(&self) -> SelectStatement {
        Query::select()
            .expr(Expr::val(1))
            .from(Entity)
            .and_where(Expr::col((Entity, Column::OrgId)).eq(self.org.clone()))
            .and_where(Expr::col((Entity, Column::AboutId)).eq(self.id.clone()))
            .and_where(Expr::col((Entity, Column::AboutType)).eq(self.subject.as_str()))
            .to_owned()
    }
}

/// Whether a message about it waits, or went out after `since`.
pub(crate) fn waiting_or_sent_after(about: &About, since: Timestamp) -> SimpleExpr {
    let sent = Expr::col((Entity, Column::SentAt)).gt(since.utc());
    let recent = Expr::col((Entity, Column::DueAt)).is_not_null().or(sent);
    Expr::exists(about.messages().and_where(recent).to_owned())
}

/// Whether a message about it for this purpose waits.
pub(crate) fn waiting(about: &About, purpose: Purpose) -> SimpleExpr {
    let mut messages = about.messages();
    messages.and_where(Expr::col((Entity, Column::Purpose)).eq(purpose.as_str()));
    Expr::exists(messages.and_where(Expr::col((Entity, Column::DueAt)).is_not_null()).to_owned())
}

fn recipient(row: &Row) -> Result<Recipient> {
    match (row.user_id, &row.address) {
        (Some(user), None) => Ok(Recipient::User(UserId::from_uuid(user))),
        (None, Some(address)) => Ok(Recipient::Address(address.clone())),
        _ => Err(bad_row("messages", row.id, "not exactly one recipient")),
    }
}

fn restore(row: Row) -> Result<Message> {
    let unknown = |what| bad_row("messages", row.id, what);
    let about = SubjectType::parse(&row.about_type).ok_or_else(|| unknown("unknown object"))?;
    Ok(Message {
        id: MessageId::from_uuid(row.id),
        purpose: Purpose::parse(&row.purpose).ok_or_else(|| unknown("unknown purpose"))?,
        to: recipient(&row)?,
        about: (about, row.about_id),
        state: MessageState::parse(&row.state).ok_or_else(|| unknown("unknown state"))?,
        subject: row.subject,
        due_at: row.due_at.map(Timestamp::new),
        attempts: row.attempts,
        last_error: row.last_error,
        sent_at: row.sent_at.map(Timestamp::new),
        created_at: Timestamp::new(row.created_at),
    })
}

impl Tx {
    /// Queues messages, which go out after the commit, once they are due.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn queue(&self, messages: &[NewMessage]) -> Result<()> {
        let rows = messages.iter().map(|message| self.message(message)).collect::<Result<Vec<_>>>()?;
        row::insert_all::<Entity>(&self.db, rows).await
    }

    fn message(&self, message: &NewMessage) -> Result<Row> {
        let (user_id, address) = match &message.to {
            Recipient::User(id) => (Some(id.uuid()), None),
            Recipient::Address(address) => (None, Some(address.clone())),
        };
        let (text, is_sealed) = match &message.text {
            MessageText::Plain(text) => (bounded_text(text), false),
            MessageText::Sealed(text) => (text.clone(), true),
        };
        let (about_type, about_id) = message.about;
        Ok(Row {
            org_id: self.org()?,
            id: self.new_id::<MessageId>().uuid(),
            purpose: message.purpose.as_str().to_owned(),
            user_id,
            address,
            about_type: about_type.as_str().to_owned(),
            about_id,
            subject: subject_line(&message.subject),
            text: Some(text),
            is_sealed,
            state: MessageState::Waiting.as_str().to_owned(),
            due_at: Some(message.due_at.utc()),
            attempts: 0,
            leased_until: None,
            last_error: None,
            sent_at: None,
            created_at: self.now().utc(),
        })
    }

    /// Drops the messages about an object that wait, because there is nothing to tell any more. One that is being
    /// sent at this moment may still arrive.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn drop_messages(&self, (about, id): (SubjectType, Uuid), reason: &str) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(MessageState::Dropped.as_str()))
            .col_expr(Column::DueAt, Expr::value(None::<chrono::DateTime<chrono::Utc>>))
            .col_expr(Column::Text, Expr::value(None::<String>))
            .col_expr(Column::LastError, Expr::value(reason))
            .filter(Column::OrgId.eq(self.org()?))
            .filter(Column::AboutId.eq(id))
            .filter(Column::AboutType.eq(about.as_str()))
            .filter(Column::DueAt.is_not_null())
            .exec(&self.db)
            .await
            .map_err(database_error)
            .map(drop)
    }
}

impl Store {
    /// Claims a message that is due, until `lease_end`: that of the organisation whose turn comes after `last`, so that
    /// the many messages of one hold up nobody else's. As with jobs, the lease is the safety.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn claim_message(
        &self,
        last: Option<OrganizationId>,
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<Option<ClaimedMessage>> {
        let free =
            || Condition::any().add(Column::LeasedUntil.is_null()).add(Column::LeasedUntil.lte(now.utc()));
        let due = || {
            Entity::find()
                .filter(Column::DueAt.lte(now.utc()))
                .filter(free())
                .order_by_asc(Column::OrgId)
                .order_by_asc(Column::DueAt)
                .order_by_asc(Column::Id)
                .limit(1)
        };
        loop {
            let mut row = None;
            if let Some(last) = last {
                let next = due().filter(Column::OrgId.gt(last.uuid()));
                row = next.one(self.backend.read()).await.map_err(database_error)?;
            }
            if row.is_none() {
                row = due().one(self.backend.read()).await.map_err(database_error)?;
            }
            let Some(row) = row else { return Ok(None) };
            let claimed = Entity::update_many()
                .col_expr(Column::LeasedUntil, Expr::value(lease_end.utc()))
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                .filter(Column::OrgId.eq(row.org_id))
                .filter(Column::Id.eq(row.id))
                .filter(Column::Attempts.eq(row.attempts))
                .filter(Column::DueAt.is_not_null())
                .filter(free())
                .exec(self.backend.write())
                .await
                .map_err(database_error)?;
            // Else another worker has it, and the next one is looked for.
            if claimed.rows_affected == 1 {
                return claim(row).map(Some);
            }
        }
    }

    /// Keeps what became of a claimed message.
    ///
    /// # Errors
    /// When the database cannot be reached; the message is tried again after its lease.
    pub async fn settle_message(
        &self,
        message: &ClaimedMessage,
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<()> {
        let none = || None::<chrono::DateTime<chrono::Utc>>;
        let (state, due_at, error) = match delivery {
            Delivery::Sent => (MessageState::Sent, None, None),
            Delivery::Again(due_at, error) => (MessageState::Waiting, Some(due_at), Some(error)),
            Delivery::Failed(error) => (MessageState::Failed, None, Some(error)),
            Delivery::Dropped(reason) => (MessageState::Dropped, None, Some(reason)),
        };
        let error = error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect::<String>());
        let sent = state == MessageState::Sent;
        let mut update = Entity::update_many()
            .col_expr(Column::State, Expr::value(state.as_str()))
            .col_expr(Column::DueAt, Expr::value(due_at.map(Timestamp::utc)))
            .col_expr(Column::LeasedUntil, Expr::value(none()))
            .col_expr(Column::LastError, Expr::value(error))
            .col_expr(Column::SentAt, Expr::value(sent.then(|| now.utc())))
            .filter(Column::OrgId.eq(message.organization.uuid()))
            .filter(Column::Id.eq(message.id.uuid()))
            .filter(Column::Attempts.eq(message.attempts));
        if matches!(state, MessageState::Sent | MessageState::Dropped) {
            update = update.col_expr(Column::Text, Expr::value(None::<String>));
        }
        // What was dropped in the meantime stays so, unless it has gone out after all.
        if !sent {
            update = update.filter(Column::DueAt.is_not_null());
        }
        update.exec(self.backend.write()).await.map_err(database_error).map(drop)
    }

    /// Deletes messages that are over and were queued before `before`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn forget_old_messages(&self, before: Timestamp) -> Result<u64> {
        let deleted = Entity::delete_many()
            .filter(Column::DueAt.is_null())
            .filter(Column::CreatedAt.lt(before.utc()))
            .exec(self.backend.write())
            .await
            .map_err(database_error)?;
        Ok(deleted.rows_affected)
    }
}

fn claim(row: Row) -> Result<ClaimedMessage> {
    let to = recipient(&row)?;
    let text = row.text.ok_or_else(|| bad_row("messages", row.id, "waits without a text"))?;
    Ok(ClaimedMessage {
        id: MessageId::from_uuid(row.id),
        organization: OrganizationId::from_uuid(row.org_id),
        to,
        subject: row.subject,
        text: if row.is_sealed { MessageText::Sealed(text) } else { MessageText::Plain(text) },
        attempts: row.attempts + 1,
    })
}

fn visible(reader: &Reader<'_>, state: Option<&OneOf<MessageState>>) -> Result<Select<Entity>> {
    reader.scope(SLICE)?;
    let all = Entity::find().filter(Column::OrgId.eq(reader.org()?));
    Ok(match state {
        Some(state) => all.filter(page::one_of(Column::State, state, MessageState::as_str)),
        None => all,
    })
}

impl Reader<'_> {
    /// A page of the outbox, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn messages(
        &self,
        page: &PageRequest,
        state: Option<&OneOf<MessageState>>,
    ) -> Result<Page<Message>> {
        let keyset = Keyset { column: Column::CreatedAt, id: Column::Id, direction: Direction::Desc };
        let place = |row: &Row| (SortKey::Time(Timestamp::new(row.created_at)), row.id);
        page::fetch(&self.db, visible(self, state)?, &keyset, page, place, restore).await
    }

    /// How far the last message about an object is; `None` when there was none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_message_state(&self, (about, id): (SubjectType, Uuid)) -> Result<Option<MessageState>> {
        let row = visible(self, None)?
            .filter(Column::AboutId.eq(id))
            .filter(Column::AboutType.eq(about.as_str()))
            .order_by_desc(Column::CreatedAt)
            .limit(1)
            .one(&self.db)
            .await
            .map_err(database_error)?;
        Ok(row.map(restore).transpose()?.map(|message| message.state))
    }

    /// Number of messages in the outbox.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_messages(&self, state: Option<&OneOf<MessageState>>) -> Result<i64> {
        page::count(&self.db, visible(self, state)?).await
    }
}
