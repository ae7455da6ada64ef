//! Use cases: what the organisation does with the system, one struct each.
//!
//! Everything passes the one door ([`App::execute`] and [`App::query`]): permission, clock, transaction,
//! event and retry are decided there and nowhere else. This room knows no HTTP, no GraphQL and no SQL.

pub mod access;
pub mod activities;
pub mod api_clients;
pub mod attainment;
pub mod backtests;
pub mod calendars;
pub mod complaints;
pub mod customers;
pub mod daily_facts;
pub mod deals;
pub mod derivations;
pub mod documents;
pub mod door;
pub mod exports;
pub mod feed;
pub mod idempotency;
pub mod imports;
pub mod invitations;
pub mod mail;
pub mod organizations;
pub mod outbox;
pub mod passwords;
pub mod products;
pub mod quotas;
pub mod reconciliation;
pub mod secrets;
pub mod targets;
pub mod teams;
pub mod tokens;
pub mod users;
pub mod worker;

pub use door::{App, Command, Query, Services};
pub use evenhand_persistence::count_statements;
