//! The only room that speaks SQL. Its public API speaks domain types only.
//!
//! - [`Store`] owns the connections. Nothing outside can reach one.
//! - [`Tx`] is a write transaction: reads through [`Tx::read`], writes only through [`Tx::save`], which takes
//!   a [`Change`](evenhand_domain::change::Change) and so writes row, event and jobs together.
//! - [`Reader`] reads what its grant may see. Every slice starts its queries with the rows visible to the
//!   grant; a method that must see more has `unscoped` in its name.
//!
//! What is deliberately absent: repository traits, entities in public signatures, transactions that others
//! open, clocks.

mod activities;
mod api_clients;
mod backend;
mod calendars;
mod complaints;
mod counters;
mod customers;
mod daily_facts;
mod deals;
mod documents;
mod error;
mod events;
mod exports;
mod health;
mod history;
mod idempotency;
mod ids;
mod imports;
mod jobs;
mod messages;
mod organizations;
mod page;
mod products;
mod quotas;
mod reads;
mod reconciliation;
mod row;
mod scope;
mod sessions;
mod signing_keys;
mod store;
mod targets;
mod teams;
mod throttles;
mod users;
mod visibility;

pub use backend::{StoreOptions, count_statements};
pub use complaints::DueComplaint;
pub use events::{About, AuditFault, AuditReport, EventFilter, EventRecord};
pub use health::{Health, SchemaState};
pub use idempotency::{KeyName, KeyState};
pub use ids::IdSource;
pub use jobs::{ClaimedJob, DeadJob};
pub use messages::{ClaimedMessage, Delivery};
pub use sessions::{Candidate, RefreshToken};
pub use signing_keys::SigningKey;
pub use store::{Reader, Store, Tx};
pub use teams::Lead;
