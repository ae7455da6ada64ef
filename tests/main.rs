//! The product from outside: one test binary, on SQLite and on PostgreSQL.
//!
//! Run it with `tests/run test`, which starts PostgreSQL and builds the program that some tests start.

mod support;
mod teams;
