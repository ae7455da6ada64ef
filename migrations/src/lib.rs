//! The schema of both databases, one file per change, applied in order and never edited once released.
//!
//! Each change is one SQL text for both dialects: plain enough for a database administrator to read, with a
//! few words in braces that stand for the column types on which the two differ. See README.md for the
//! rules of expand and contract.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

mod m20261101_000001_organizations;
mod m20261101_000002_access;
mod m20261101_000003_events;
mod m20261101_000004_customers;
mod m20261101_000005_deals;
mod m20261101_000006_imports;
mod m20261101_000007_edge;
mod m20261101_000008_documents;
mod m20261101_000009_calendars;
mod m20261101_000010_daily_facts;
mod m20261101_000011_targets;
mod m20261125_000012_forecasts;
mod m20261125_000013_support_departments;
mod m20261125_000014_target_bands;
mod m20261125_000015_complaints;
mod m20261125_000016_messages;
mod m20261125_000017_api_clients;
mod m20261125_000018_complaint_timers;
mod m20261125_000019_surveys;
mod m20261125_000020_exports;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_organizations::Migration),
            Box::new(m20261101_000002_access::Migration),
            Box::new(m20261101_000003_events::Migration),
            Box::new(m20261101_000004_customers::Migration),
            Box::new(m20261101_000005_deals::Migration),
            Box::new(m20261101_000006_imports::Migration),
            Box::new(m20261101_000007_edge::Migration),
            Box::new(m20261101_000008_documents::Migration),
            Box::new(m20261101_000009_calendars::Migration),
            Box::new(m20261101_000010_daily_facts::Migration),
            Box::new(m20261101_000011_targets::Migration),
            Box::new(m20261125_000012_forecasts::Migration),
            Box::new(m20261125_000013_support_departments::Migration),
            Box::new(m20261125_000014_target_bands::Migration),
            Box::new(m20261125_000015_complaints::Migration),
            Box::new(m20261125_000016_messages::Migration),
            Box::new(m20261125_000017_api_clients::Migration),
            Box::new(m20261125_000018_complaint_timers::Migration),
            Box::new(m20261125_000019_surveys::Migration),
            Box::new(m20261125_000020_exports::Migration),
        ]
    }
}

/// Declares the migration of the file it stands in: `up` and `down` are SQL for both dialects.
macro_rules! migration {
    (up: $up:expr, down: $down:expr $(,)?) => {
        #[derive(sea_orm_migration::prelude::DeriveMigrationName)]
        pub(crate) struct Migration;

        #[sea_orm_migration::async_trait::async_trait]
        impl sea_orm_migration::MigrationTrait for Migration {
            async fn up(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::sea_orm::DbErr> {
                crate::execute(manager, $up).await
            }

            async fn down(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::sea_orm::DbErr> {
                crate::execute(manager, $down).await
            }

            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
}
use migration;

async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    // SQLite type names are those that sea-orm itself uses; `COLLATE "C"` makes PostgreSQL order text by
    // bytes, as SQLite does, whatever the locale of the cluster.
    let words = match manager.get_database_backend() {
        DbBackend::Sqlite => [
            ("{ordinal}", "integer PRIMARY KEY AUTOINCREMENT"),
            ("{uuid}", "uuid_text"),
            ("{text}", "text"),
            ("{timestamp}", "timestamp_with_timezone_text"),
            ("{date}", "date_text"),
        ],
        _ => [
            ("{ordinal}", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ("{uuid}", "uuid"),
            ("{text}", "text COLLATE \"C\""),
            ("{timestamp}", "timestamptz"),
            ("{date}", "date"),
        ],
    };
    let sql = words.iter().fold(sql.to_owned(), |sql, (word, sql_type)| sql.replace(word, sql_type));
    manager.get_connection().execute_unprepared(&sql).await.map(drop)
}
