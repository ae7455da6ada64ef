//! The GraphQL API over HTTP: thin. Inputs become commands and queries, answers become types; every rule lives
//! below. This crate does not know the persistence crate, so a resolver cannot name a table.

// The derive macros nest futures deeply in a schema of this size.
#![recursion_limit = "512"]

mod access;
mod activities;
mod admission;
mod api_clients;
mod attainment;
mod calendars;
mod changes;
mod complaints;
mod completion;
mod context;
mod cost;
mod customers;
mod daily_facts;
mod deals;
mod document;
mod downloads;
mod error;
mod execute;
mod explorer;
mod exports;
mod filters;
mod http;
mod ids;
mod imports;
mod limits;
mod loaders;
mod negotiation;
mod node;
mod oauth;
mod organizations;
mod outbox;
mod page;
mod patch;
mod products;
mod reconciliation;
mod scalars;
mod schema;
mod sse;
mod targets;
mod teams;
mod translate;
mod users;
mod vigil;
mod websocket;
mod wire;

use actix_web::web::{Data, ServiceConfig};
use evenhand_app::App;

pub use execute::check_document;
pub use http::{ApiSettings, Stage};
pub use limits::{Limits, Quotas};
pub use schema::sdl;

/// The API, to be mounted on an actix application. Build it once and clone it for each worker thread.
#[derive(Clone)]
pub struct Api(Data<execute::Edge>);

impl Api {
    /// The API of an application.
    pub fn new(app: App, settings: ApiSettings) -> Self {
        Self(Data::new(execute::Edge::new(app, settings)))
    }

    /// Tells how near its end the server is.
    pub fn set_stage(&self, stage: Stage) {
        self.0.stage.send_replace(stage);
    }

    /// Mounts the routes.
    pub fn configure(&self, config: &mut ServiceConfig) {
        config.app_data(self.0.clone()).configure(http::routes);
    }
}
