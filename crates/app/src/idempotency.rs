//! Mutations that a client may send again without fear: the first answer is kept and given again.
//!
//! The claim of a key is a row of its own; each command marks itself as done in that row inside its own
//! transaction. So a node that dies between a commit and the answer leaves behind what the next attempt must
//! know: the command is not run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::Duration;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, EventId, OrganizationId};
use evenhand_persistence::{KeyName, KeyState, Tx};
use uuid::Uuid;

use crate::door::App;
use crate::secrets::token_hash;

/// Longest key, in characters.
pub const KEY_CHARS_MAX: usize = 255;
/// How long an answer is kept.
const RETENTION_HOURS: i64 = 24;
/// How long a claim holds without an answer: longer than any request runs.
const CLAIM_SECONDS: i64 = 15;
/// Where the sealed answers belong.
const SEAL_CONTEXT: &str = "idempotent-answer";

/// What became of a key.
#[derive(Debug)]
pub enum Claim {
    /// Run the mutation inside [`Ticket::hold`], then answer or release the key.
    Run(Ticket),
    /// It was answered before: status and body.
    Replay(u16, String),
    /// It is being answered now, here or on another node.
    InFlight,
    /// It was sent before with another document or other variables.
    Mismatch,
}

/// A key that this request holds.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Held>);

#[derive(Debug)]
struct Held {
    name: KeyName,
    holder: EventId,
    // What an attempt before this one had committed, one bit for each command.
    done: i64,
    next: AtomicU32,
}

tokio::task_local! {
    static TICKET: Ticket;
}

impl Ticket {
    /// Runs `work`, whose commands then count as those of this key.
    pub async fn hold<F: Future>(&self, work: F) -> F::Output {
        TICKET.scope(self.clone(), work).await
    }

    /// The mark of the next command of the current task; none where no key is held.
    ///
    /// # Errors
    /// [`Error::AlreadyDone`] when an attempt before this one has committed the command.
    pub(crate) fn next_effect() -> Result<Option<Effect>> {
        let Ok(ticket) = TICKET.try_with(Clone::clone) else { return Ok(None) };
        let step = ticket.0.next.fetch_add(1, Ordering::Relaxed);
        let bit = 1_i64.checked_shl(step).filter(|bit| *bit > 0).ok_or(Error::Contention)?;
        if ticket.0.done & bit != 0 { Err(Error::AlreadyDone) } else { Ok(Some(Effect { ticket, bit })) }
    }
}

/// One command of a keyed mutation.
pub(crate) struct Effect {
    ticket: Ticket,
    bit: i64,
}

impl Effect {
    /// Marks the command as done with its transaction.
    pub(crate) async fn mark(&self, tx: &Tx) -> Result<()> {
        let Held { name, holder, .. } = &*self.ticket.0;
        tx.mark_effect(name, holder.uuid(), self.bit).await
    }
}

impl App {
    /// Claims an idempotency key of a person or API client for a mutation with this `fingerprint`.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn claim_key(
        &self,
        (organization, sender): (OrganizationId, Uuid),
        key: &str,
        fingerprint: &str,
    ) -> Result<Claim> {
        let now = self.now();
        let name = KeyName { organization, sender, hash: token_hash(key) };
        let holder: EventId = self.new_id();
        let until = (now.plus(Duration::seconds(CLAIM_SECONDS)), now.plus(Duration::hours(RETENTION_HOURS)));
        Ok(match self.store().claim_key(&name, fingerprint, holder.uuid(), now, until).await? {
            KeyState::Held(done) => {
                Claim::Run(Ticket(Arc::new(Held { name, holder, done, next: AtomicU32::new(0) })))
            }
            KeyState::Answered(status, sealed) => {
                let body = self.services().sealer.open(SEAL_CONTEXT, &sealed)?;
                let body = String::from_utf8(body)
                    .map_err(|_| Error::Internal("a kept answer is not a text".into()))?;
                Claim::Replay(u16::try_from(status).unwrap_or(200), body)
            }
            KeyState::InFlight => Claim::InFlight,
            KeyState::Mismatch => Claim::Mismatch,
        })
    }

    /// Keeps the answer, for everybody who sends the key again.
    ///
    /// # Errors
    /// When the database cannot be reached; then the next attempt learns that the mutation was carried out.
    pub async fn answer_key(&self, ticket: &Ticket, status: u16, body: &str) -> Result<()> {
        let sealed = self.services().sealer.seal(SEAL_CONTEXT, body.as_bytes())?;
        let Held { name, holder, .. } = &*ticket.0;
        self.store().answer_key(name, holder.uuid(), status.into(), &sealed).await
    }

    /// Gives the key up after a failure that another attempt may not meet.
    ///
    /// # Errors
    /// When the database cannot be reached; then the claim ends by itself.
    pub async fn release_key(&self, ticket: &Ticket) -> Result<()> {
        let Held { name, holder, .. } = &*ticket.0;
        self.store().release_key(name, holder.uuid(), self.now()).await
    }
}
