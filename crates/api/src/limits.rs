//! What one request may ask for. Every limit is named in the refusal, so that a client knows what to ask less of.

use std::time::Duration;

use evenhand_app::quotas::Rate;
use serde::Deserialize;

/// Limits of documents, connections and load.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest document, in bytes.
    pub document_bytes: usize,
    /// Most tokens in a document.
    pub tokens: usize,
    /// Most selections after fragments are expanded.
    pub selections: u64,
    /// Deepest nesting of fields; the introspection query of common tools needs 15.
    pub depth: u64,
    /// Most aliases after fragments are expanded.
    pub aliases: u64,
    /// Most directives after fragments are expanded.
    pub directives: u64,
    /// Most root fields of a query or subscription.
    pub root_fields: u64,
    /// Most root fields of a mutation: each is a transaction of its own.
    pub mutation_fields: u64,
    /// Most objects that an answer may hold, page sizes multiplied.
    pub nodes: u64,
    /// Requests that run at the same time on this node; 0 is eight for each thread. More would only wait inside, each
    /// with its memory.
    pub in_flight: usize,
    /// Of these, requests of one organisation, so that another one always finds room; 0 is three quarters.
    pub in_flight_of_one: usize,
    /// Requests that wait for their turn; more are refused at once.
    pub queue: usize,
    /// Open subscriptions of one WebSocket.
    pub subscriptions: usize,
    /// Open WebSockets and event streams of this node.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 32 * 1024,
            tokens: 4_000,
            selections: 1_000,
            depth: 15,
            aliases: 30,
            directives: 50,
            root_fields: 20,
            mutation_fields: 5,
            nodes: 10_000,
            in_flight: 16,
            in_flight_of_one: 12,
            queue: 64,
            subscriptions: 50,
            streams: 10_000,
        }
    }
}

impl Limits {
    /// Decides what is left to the number of threads.
    #[must_use]
    pub fn for_threads(mut self, threads: usize) -> Self {
        if self.in_flight == 0 {
            self.in_flight = IN_FLIGHT_OF_A_THREAD * threads;
        }
        if self.in_flight_of_one == 0 {
            self.in_flight_of_one = (self.in_flight * 3 / 4).max(1);
        }
        self
    }
}

/// How much clients may ask for in a time, in objects to answer; a mutation costs ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Of a person who is signed in, and of an API client.
    pub user: Rate,
    /// Of an organisation, all its people and API clients together.
    pub organization: Rate,
    /// Of an address from which nobody is signed in.
    pub address: Rate,
}

/// Requests that run at the same time for each thread, where nothing else is said.
const IN_FLIGHT_OF_A_THREAD: usize = 8;
/// Deepest nesting of brackets of all kinds, lists and objects in arguments included: parsers call themselves.
pub(crate) const BRACKETS_DEEP_MAX: usize = 64;
/// Deepest nesting of fragments in fragments.
pub(crate) const FRAGMENTS_DEEP_MAX: u64 = 32;
/// Most errors in one answer.
pub(crate) const ERRORS_MAX: usize = 20;
/// Longest run of one request.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait of a request for its turn.
pub(crate) const QUEUE_TIMEOUT: Duration = Duration::from_millis(500);
/// Documents that are kept parsed and validated, and their length together, in bytes.
pub(crate) const CACHED_DOCUMENTS_MAX: usize = 1_000;
pub(crate) const CACHED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Items that a list without pages is reckoned to have.
pub(crate) const LIST_ITEMS: u64 = 5;
/// Groups that figures on all complaints of a period are reckoned to have: counting them takes long.
pub(crate) const GROUP_ITEMS: u64 = 50;
/// Objects of an export for a point: they come without nested ones.
pub(crate) const EXPORT_OBJECTS_PER_POINT: u64 = 10;
/// Longest wait of a download for its next page.
pub(crate) const EXPORT_WAIT_MAX: Duration = Duration::from_secs(60);
/// Cost of each field of a mutation, in objects: it commits a transaction.
pub(crate) const MUTATION_COST: u64 = 10;
/// Cost of asking for the schema.
pub(crate) const INTROSPECTION_COST: u64 = 50;
