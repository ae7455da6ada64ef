//! API clients, their revoked tokens, and the log's fourth kind of actor.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: &str = r"
CREATE TABLE api_clients (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    role {text} NOT NULL CHECK (role IN ('SERVICE_AGENT', 'FINANCE', 'ADMIN')),
    -- Names, separated by spaces.
    scopes {text} NOT NULL,
    secret_hash {text} NOT NULL,
    generation integer NOT NULL CHECK (generation > 0),
    -- The secret before, while both work.
    old_secret_hash {text},
    old_secret_expires_at {timestamp},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    revoked_at {timestamp},
    last_used_at {timestamp},
    PRIMARY KEY (org_id, id),
    CHECK ((old_secret_hash IS NULL) = (old_secret_expires_at IS NULL))
);
-- A client that asks for a token names itself and no organisation.
CREATE UNIQUE INDEX api_clients_id ON api_clients (id);
CREATE UNIQUE INDEX api_clients_name ON api_clients (org_id, name_key) WHERE revoked_at IS NULL;
CREATE INDEX api_clients_all_names ON api_clients (org_id, name_key, id);

CREATE TABLE revoked_tokens (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    token_id {uuid} NOT NULL,
    -- When it would have ended by itself, and the row means nothing any more.
    expires_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, token_id)
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);
";

const KINDS: &str = "'ANONYMOUS', 'USER', 'CLIENT', 'SYSTEM'";
const KINDS_BEFORE: &str = "'ANONYMOUS', 'USER', 'SYSTEM'";

/// The log takes these kinds of actors. SQLite changes no constraint of a table, so it gets the rows in a new one.
async fn take_kinds(manager: &SchemaManager<'_>, kinds: &str) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Sqlite => SQLITE_LOG.replace("{kinds}", kinds),
        _ => format!(
            "ALTER TABLE events DROP CONSTRAINT events_actor_kind_check, \
             ADD CONSTRAINT events_actor_kind_check CHECK (actor_kind IN ({kinds}));"
        ),
    };
    crate::execute(manager, &sql).await
}

const SQLITE_LOG: &str = r"
CREATE TABLE events_new (
    ordinal {ordinal},
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    recorded_at {timestamp} NOT NULL,
    actor_kind {text} NOT NULL CHECK (actor_kind IN ({kinds})),
    actor_id {uuid},
    request_id {text} NOT NULL,
    kind {text} NOT NULL,
    subject {text} NOT NULL,
    subject_id {uuid} NOT NULL,
    subject_version integer NOT NULL,
    before {text},
    after {text} NOT NULL,
    position bigint,
    hash {text}
);
INSERT INTO events_new SELECT ordinal, org_id, id, recorded_at, actor_kind, actor_id, request_id, kind, subject,
    subject_id, subject_version, before, after, position, hash FROM events ORDER BY ordinal;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
CREATE UNIQUE INDEX events_id ON events (org_id, id);
CREATE UNIQUE INDEX events_position ON events (org_id, position);
CREATE UNIQUE INDEX events_subject ON events (org_id, subject, subject_id, subject_version);
CREATE INDEX events_waiting ON events (ordinal) WHERE position IS NULL;
";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::execute(manager, TABLES).await?;
        take_kinds(manager, KINDS).await
    }

    /// Fails where a client has changed something: the log forgets nobody.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        take_kinds(manager, KINDS_BEFORE).await?;
        crate::execute(manager, "DROP TABLE revoked_tokens; DROP TABLE api_clients;").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
