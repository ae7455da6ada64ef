//! The outbox: sends queued mail once it is due, beside everything else, so that a slow mail server delays nothing.
//!
//! A message is sent at least once, under the same `Message-ID` each time. Without a mail server nothing is tried, and
//! all waits.

use chrono::Duration;
use evenhand_domain::access::Permission;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::filter::OneOf;
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::messages::{Message, MessageState, MessageText, Recipient, bounded_text};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_domain::users::UserStatus;
use evenhand_persistence::{ClaimedMessage, Delivery, Reader};
use tokio::sync::watch;

use crate::door::{App, Query};
use crate::mail::Mailer;
use crate::secrets::Sealer;
use crate::users::UsersByIds;
use crate::worker::retry_after;

/// Where sealed texts belong.
const MESSAGE_CONTEXT: &str = "message";
/// How long a claimed message is safe from other workers; a delivery is given up long before.
const LEASE_MINUTES: i64 = 2;
/// Tries before a message is given up: about three days, so that a mail server may be down over a weekend.
const ATTEMPTS_MAX: i32 = 80;
/// How often to look for surveys that are due.
const SURVEY_SECONDS: i64 = 60;

/// Encrypts the text of a message that holds a secret.
///
/// # Errors
/// [`Error::Internal`] when the operating system gives no random bytes.
pub fn sealed(sealer: &Sealer, text: &str) -> Result<MessageText> {
    sealer.seal(MESSAGE_CONTEXT, bounded_text(text).as_bytes()).map(MessageText::Sealed)
}

impl App {
    /// Sends messages as they fall due, one at a time, until `stop` turns true; queues those of surveys now and then.
    pub async fn run_outbox(&self, mut stop: watch::Receiver<bool>) {
        let (mut last, mut surveys_at) = (None, self.now());
        while !*stop.borrow() {
            if surveys_at <= self.now() {
                let more = self.proceed_surveys().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "due surveys could not be looked for; trying again later");
                    false
                });
                let wait = if more { 0 } else { SURVEY_SECONDS };
                surveys_at = self.now().plus(Duration::seconds(wait));
            }
            match self.send_due_message(&mut last).await {
                Ok(true) => {}
                Ok(false) => self.wait(&mut stop).await,
                Err(error) => {
                    tracing::warn!(%error, "messages could not be claimed; trying again");
                    self.wait(&mut stop).await;
                }
            }
        }
    }

    /// Sends one message that is due; false when there is none, or no mail server. Organisations take turns; `last` is
    /// the one that had the last.
    ///
    /// # Errors
    /// When the database cannot be reached. A failure of the delivery itself is kept with the message.
    pub async fn send_due_message(&self, last: &mut Option<OrganizationId>) -> Result<bool> {
        let Some(mailer) = &self.services().mailer else { return Ok(false) };
        let now = self.now();
        let lease_end = now.plus(Duration::minutes(LEASE_MINUTES));
        let Some(message) = self.store().claim_message(*last, now, lease_end).await? else {
            return Ok(false);
        };
        *last = Some(message.organization);
        let delivery = match self.deliver(mailer, &message).await {
            Ok(delivery) => delivery,
            Err(error) => {
                let again = retry_after(&error, message.attempts, ATTEMPTS_MAX);
                tracing::warn!(message = %message.id, attempts = message.attempts, %error, retry = again.is_some(), "message not sent");
                let reason = error.to_string();
                match again {
                    Some(wait) => Delivery::Again(self.now().plus(wait), reason),
                    None => Delivery::Failed(reason),
                }
            }
        };
        self.store().settle_message(&message, delivery, self.now()).await?;
        Ok(true)
    }

    async fn deliver(&self, mailer: &Mailer, message: &ClaimedMessage) -> Result<Delivery> {
        let address = match &message.to {
            Recipient::Address(address) => address.clone(),
            Recipient::User(id) => {
                let actor = self.system(message.organization).await?;
                let user = self.query(&actor, &UsersByIds(vec![*id])).await?.into_iter().next();
                let user = user.filter(|user| user.status != UserStatus::Deactivated);
                let Some(user) = user else {
                    return Ok(Delivery::Dropped("the person was deactivated".into()));
                };
                match user.email {
                    Some(address) => address,
                    None => return Ok(Delivery::Dropped("the person has no e-mail address".into())),
                }
            }
        };
        let text = match &message.text {
            MessageText::Plain(text) => text.clone(),
            MessageText::Sealed(text) => {
                String::from_utf8(self.services().sealer.open(MESSAGE_CONTEXT, text)?)
                    .map_err(|_| Error::Internal("a sealed message is no text".into()))?
            }
        };
        mailer.send(message.id.uuid(), &address, &message.subject, &text).await?;
        Ok(Delivery::Sent)
    }
}

/// A page of the outbox, newest first.
#[derive(Debug)]
pub struct ListMessages {
    /// Which part.
    pub page: PageRequest,
    /// Only messages in these states; `None` for all.
    pub state: Option<OneOf<MessageState>>,
}

impl Query for ListMessages {
    const PERMISSION: Permission = Permission::ReadOutbox;
    type Output = Page<Message>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<Message>> {
        reader.messages(&self.page, self.state.as_ref()).await
    }
}

/// Number of messages in the outbox.
#[derive(Debug)]
pub struct CountMessages(pub Option<OneOf<MessageState>>);

impl Query for CountMessages {
    const PERMISSION: Permission = Permission::ReadOutbox;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_messages(self.0.as_ref()).await
    }
}
