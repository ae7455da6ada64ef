//! The rules of even-handed sales management, and nothing else.
//!
//! This room is pure: no async, no I/O, no SQL, no GraphQL, no clock. A function takes the state it
//! decides on, the input and `now`, and answers with a [`change::Change`] or an [`error::Error`].
//! Everything that can be wrong with an input is found here, so that no other room needs to know.

pub mod access;
pub mod change;
pub mod error;
pub mod exports;
pub mod filter;
pub mod fraction;
pub mod id;
pub mod money;
pub mod page;
pub mod patch;
pub mod text;
pub mod time;

pub mod activities;
pub mod api_clients;
pub mod attainment;
pub mod backtest;
pub mod calendars;
pub mod complaints;
pub mod customers;
pub mod daily_facts;
pub mod deals;
pub mod derivation;
pub mod imports;
pub mod messages;
pub mod organizations;
pub mod products;
pub mod reconciliation;
pub mod sessions;
pub mod targets;
pub mod teams;
pub mod users;
pub mod wire;
