//! The one door: every read and every write of every client, job and command line comes through here.

use std::sync::Arc;
use std::time::Duration;

use evenhand_domain::access::{Actor, Permission};
use evenhand_domain::daily_facts::CLOSE_MARGIN_SECONDS;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, OrganizationId};
use evenhand_domain::time::{Clock, Timestamp};
use evenhand_persistence::{Reader, Store, Tx};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::access::AccessSettings;
use crate::documents::Clients;
use crate::idempotency::Ticket;
use crate::mail::Mailer;
use crate::passwords::Passwords;
use crate::quotas::Quotas;
use crate::secrets::Sealer;
use crate::tokens::Tokens;

/// How often a command runs when other transactions are in its way.
const ATTEMPTS_MAX: u32 = 4;
/// Longest life of a write, from the reading of the clock to the commit; then it is given up.
const WRITE_SECONDS_MAX: u64 = 30;
/// Half of the margin is left for a commit that hangs and for clocks of nodes that differ.
const _: () = assert!(2 * WRITE_SECONDS_MAX <= CLOSE_MARGIN_SECONDS as u64);

/// A use case that changes something. It may run more than once, so it must not touch anything but `tx`.
pub trait Command: Sync {
    /// What the caller must be allowed to do.
    const PERMISSION: Permission;
    /// What the caller gets.
    type Output: Send;
    /// Decides and saves. Errors roll everything back.
    fn run(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// A use case that only reads.
pub trait Query: Sync {
    /// What the caller must be allowed to do.
    const PERMISSION: Permission;
    /// What the caller gets.
    type Output: Send;
    /// Reads what the grant may see.
    fn run(&self, reader: &Reader<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// What the application is made of; put together by the server or a test.
pub struct Services {
    /// The database.
    pub store: Store,
    /// The one source of `now`.
    pub clock: Arc<dyn Clock>,
    /// Seals secrets at rest.
    pub sealer: Sealer,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Sends mail, where configured.
    pub mailer: Option<Mailer>,
    /// Lifetimes, issuer and links.
    pub access: AccessSettings,
    /// A day is closed so many days after it ended, without being asked; 0 never.
    pub close_days_after: u32,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    services: Services,
    tokens: Tokens,
    quotas: Quotas,
    clients: Clients,
    // Counts batches of newly numbered events; waiting readers look again when it moves.
    feed: watch::Sender<u64>,
}

impl App {
    /// Puts the application together.
    pub fn new(services: Services) -> Self {
        let tokens = Tokens::new(&services.access);
        Self {
            inner: Arc::new(Inner {
                services,
                tokens,
                quotas: Quotas::default(),
                clients: Clients::default(),
                feed: watch::Sender::new(0),
            }),
        }
    }

    /// Runs a command for `actor`, in one transaction.
    ///
    /// # Errors
    /// What the command decides, and [`Error::Unauthenticated`] or [`Error::Forbidden`] from the grant.
    pub async fn execute<C: Command>(
        &self,
        actor: &Actor,
        request_id: &str,
        command: &C,
    ) -> Result<C::Output> {
        let span = tracing::info_span!("command", name = std::any::type_name::<C>(), request_id);
        async {
            let grant = actor.grant(C::PERMISSION)?;
            let effect = Ticket::next_effect()?;
            for attempt in 1.. {
                let end = Instant::now() + Duration::from_secs(WRITE_SECONDS_MAX);
                let mut tx = self.store().begin(grant, self.now(), request_id).await?;
                let run = async {
                    // On the heap: resolvers hold one of these for each field, and threads have small stacks.
                    let output = Box::pin(command.run(&mut tx)).await?;
                    if let Some(effect) = &effect {
                        effect.mark(&tx).await?;
                    }
                    tx.commit().await.map(|()| output)
                };
                let outcome = tokio::time::timeout_at(end, run).await.unwrap_or_else(|_| {
                    Err(Error::Unavailable(format!("a write took longer than {WRITE_SECONDS_MAX} seconds")))
                });
                match outcome {
                    // A client that named its version gets the conflict when the command runs again and reads.
                    Err(Error::Conflict | Error::Contention) if attempt < ATTEMPTS_MAX => {
                        tracing::debug!(attempt, "another transaction was in the way");
                    }
                    outcome => return outcome,
                }
            }
            Err(Error::Contention)
        }
        .instrument(span)
        .await
    }

    /// Runs a query for `actor`.
    ///
    /// # Errors
    /// As [`App::execute`].
    pub async fn query<Q: Query>(&self, actor: &Actor, query: &Q) -> Result<Q::Output> {
        let reader = self.store().reader(actor.grant(Q::PERMISSION)?, self.now());
        Box::pin(query.run(&reader)).await
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.inner.services.clock.now()
    }

    /// A new id, for requests and other things without a row.
    pub fn new_id<I: EntityId>(&self) -> I {
        self.store().new_id(self.now())
    }

    /// The actor for what the system itself does in an organisation: jobs, command line, demo.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such organisation.
    pub async fn system(&self, organization: OrganizationId) -> Result<Actor> {
        let organization = self.store().unscoped_organization(organization).await?;
        Ok(Actor::System { organization: organization.id, zone: organization.time_zone })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<()> {
        self.store().ping().await
    }

    // The store stays inside this crate; slices get a `Tx` or a `Reader`.
    pub(crate) fn store(&self) -> &Store {
        &self.inner.services.store
    }

    pub(crate) fn services(&self) -> &Services {
        &self.inner.services
    }

    pub(crate) fn quotas(&self) -> &Quotas {
        &self.inner.quotas
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.inner.clients
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    pub(crate) fn feed(&self) -> &watch::Sender<u64> {
        &self.inner.feed
    }
}
