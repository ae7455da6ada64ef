//! Where the rooms are put together: settings, command line, clock and HTTP server. Nothing here decides
//! anything about the business, and nothing else reads the environment or the time of day.

pub mod assembly;
pub mod auth_secret;
pub mod cli;
mod commands;
pub mod config;
pub mod demo;
pub mod failure;
mod serve;
