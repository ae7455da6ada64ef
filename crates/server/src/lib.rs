//! Room.

pub mod auth_secret;
pub mod config;
