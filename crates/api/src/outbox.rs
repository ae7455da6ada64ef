//! The outbox in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result};
use evenhand_app::outbox::{CountMessages, ListMessages};
use evenhand_domain::error::Error;
use evenhand_domain::messages::{self as domain, MessageState, Purpose, Recipient};

use crate::changes::graphql_type;
use crate::context::{Request, total};
use crate::filters::enum_filter;
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const NEWEST: &str = "outbox:newest";

enum_filter!(MessageStateFilter, MessageState, "how far a message is");

/// Mail that goes out.
#[derive(Clone)]
pub(crate) struct OutboxMessage(domain::Message);

impl From<domain::Message> for OutboxMessage {
    fn from(message: domain::Message) -> Self {
        Self(message)
    }
}

connection!(OutboxMessageConnection, OutboxMessageEdge, OutboxMessage, "messages");

/// A mail that waits to go out, has gone out or could not. Its text is not shown, for it may hold a link that works
/// without signing in.
#[Object]
impl OutboxMessage {
    /// What it is for.
    async fn purpose(&self) -> Wire<Purpose> {
        Wire(self.0.purpose)
    }

    /// The person to whom it goes, at the address that they have when it is sent; null for somebody else.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.to {
            Recipient::User(id) => users::load(ctx, id).await,
            Recipient::Address(_) => Ok(None),
        }
    }

    /// The address to which it goes; null where it goes to a person of the organisation.
    async fn address(&self) -> Option<&str> {
        match &self.0.to {
            Recipient::User(_) => None,
            Recipient::Address(address) => Some(address),
        }
    }

    /// The type of the object that it is about, e.g. `complaint`.
    async fn about_type(&self) -> &str {
        self.0.about.0.as_str()
    }

    /// Id of the object that it is about.
    async fn about_id(&self) -> ID {
        let (about, id) = self.0.about;
        ids::encode_raw(graphql_type(about), id)
    }

    /// Its subject line.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// How far it is.
    async fn state(&self) -> Wire<MessageState> {
        Wire(self.0.state)
    }

    /// When it goes out at the earliest, or is tried again; null once it no longer waits. One that waits beyond this
    /// time waits for a mail server to be configured.
    async fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(DateTime)
    }

    /// How often it was tried; nothing is tried without a mail server.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last try failed, or why it was dropped.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// When the mail server took it.
    async fn sent_at(&self) -> Option<DateTime> {
        self.0.sent_at.map(DateTime)
    }

    /// When it was queued.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// Which messages. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct OutboxFilter {
    /// By how far it is.
    state: Option<MessageStateFilter>,
}

/// Queries about the outbox.
#[derive(Default)]
pub(crate) struct OutboxQueries;

#[Object]
impl OutboxQueries {
    /// Mail of the organisation that waits, went out or failed, newest first; what is over is kept for 90 days.
    /// Without a mail server messages wait, and go out once one is configured. For administrators.
    async fn outbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of messages, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Which messages; all if not given.")] filter: Option<OutboxFilter>,
    ) -> Result<OutboxMessageConnection> {
        let request = Request::of(ctx);
        let state = filter.unwrap_or_default().state.map(|state| state.parse("state"));
        let state = state.transpose().map_err(|problem| Error::from(problem.at("filter")))?;
        let page = PageArgs::forward(first, after).parse(NEWEST)?;
        let page = request.query(&ListMessages { page, state: state.clone() }).await?;
        Ok(OutboxMessageConnection::new(page, NEWEST, total(request, CountMessages(state))))
    }
}
