//! The commands that do one thing, print what came of it, and end.

pub(crate) mod admin;
pub(crate) mod backtest;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod export;
pub(crate) mod import;
