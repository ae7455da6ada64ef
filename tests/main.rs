//! The product from outside: one test binary, on SQLite and on PostgreSQL.
//!
//! Run it with `tests/run test`, which starts PostgreSQL and builds the program that some tests start.

mod access;
mod activities;
mod agreed_targets;
mod architecture;
mod attainment;
mod backtest;
mod breaking;
mod calendars;
mod closing;
mod complaint_input;
mod complaint_lists;
mod complaints;
mod contract;
mod coverage;
mod crash;
mod customers;
mod daily_facts;
mod deals;
mod documents;
mod edge;
mod feed;
mod golden;
mod http;
mod imports;
mod keys;
mod leaving;
mod mail;
mod organizations;
mod reconciliation;
mod schema;
mod statements;
mod story;
mod support;
mod surveys;
mod target_input;
mod targets;
mod teams;
mod tokens;
mod users;
