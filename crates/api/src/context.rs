//! What a resolver has: the application, who asks, and the loaders of this request.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use evenhand_app::{App, Command, Query};
use evenhand_domain::access::Actor;
use evenhand_domain::error::Result;

use crate::schema::Loaders;

/// One request. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Request {
    asker: Asker,
    loaders: Arc<Loaders>,
}

/// Who asks, and whom: what a loader takes along. Never a [`Request`], whose loaders hold what is being loaded:
/// where a request is dropped half-way, each would keep the other alive for ever.
#[derive(Clone)]
pub(crate) struct Asker(Arc<Inner>);

struct Inner {
    app: App,
    // Signing in makes the rest of the same request act for the person who signed in.
    actor: RwLock<Actor>,
    request_id: String,
    address: Option<IpAddr>,
}

impl std::ops::Deref for Request {
    type Target = Asker;
    fn deref(&self) -> &Asker {
        &self.asker
    }
}

impl Request {
    pub(crate) fn new(app: App, actor: Actor, request_id: String, address: Option<IpAddr>) -> Self {
        let asker = Asker(Arc::new(Inner { app, actor: RwLock::new(actor), request_id, address }));
        Self { asker, loaders: Arc::default() }
    }

    /// The request that a resolver belongs to.
    pub(crate) fn of<'a>(ctx: &async_graphql::Context<'a>) -> &'a Self {
        ctx.data_unchecked::<Self>()
    }

    /// Who asks, for a loader to take along.
    pub(crate) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Runs a command for the caller. What was loaded before is forgotten: it may have changed.
    pub(crate) async fn execute<C: Command>(&self, command: &C) -> Result<C::Output> {
        let outcome = self.app().execute(&self.actor(), &self.asker.0.request_id, command).await;
        self.loaders.clear();
        outcome
    }

    /// Runs a query for the caller as they are now: for streams, which outlive a change of role.
    pub(crate) async fn fresh_query<Q: Query>(&self, query: &Q) -> Result<Q::Output> {
        let actor = self.app().renew(&self.actor()).await?;
        self.become_actor(actor);
        self.query(query).await
    }

    pub(crate) fn become_actor(&self, actor: Actor) {
        *self.asker.0.actor.write().unwrap_or_else(PoisonError::into_inner) = actor;
        self.loaders.clear();
    }

    pub(crate) fn loaders(&self) -> &Loaders {
        &self.loaders
    }
}

impl Asker {
    /// Runs a query for the caller.
    pub(crate) async fn query<Q: Query>(&self, query: &Q) -> Result<Q::Output> {
        self.app().query(&self.actor(), query).await
    }

    pub(crate) fn app(&self) -> &App {
        &self.0.app
    }

    pub(crate) fn actor(&self) -> Actor {
        *self.0.actor.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The organisation's date now; the UTC date for a caller who is not signed in.
    pub(crate) fn today(&self) -> chrono::NaiveDate {
        self.app().now().date_in(self.actor().zone())
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }
}

/// The `totalCount` of a list: `query` runs only when it is selected.
pub(crate) fn total<Q>(request: &Request, query: Q) -> crate::page::Total
where
    Q: Query<Output = i64> + Send + 'static,
{
    use futures_util::FutureExt;
    let (request, query) = (request.clone(), Arc::new(query));
    Box::new(move || {
        let (request, query) = (request.clone(), Arc::clone(&query));
        async move { request.query(&*query).await }.boxed()
    })
}
