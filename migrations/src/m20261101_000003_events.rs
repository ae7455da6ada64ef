//! The event log (audit trail and feed in one), background jobs, and the counters behind readable numbers.

crate::migration! {
    up: r"
CREATE TABLE events (
    ordinal {ordinal},
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    recorded_at {timestamp} NOT NULL,
    actor_kind {text} NOT NULL CHECK (actor_kind IN ('ANONYMOUS', 'USER', 'SYSTEM')),
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
CREATE UNIQUE INDEX events_id ON events (org_id, id);
CREATE UNIQUE INDEX events_position ON events (org_id, position);
CREATE UNIQUE INDEX events_subject ON events (org_id, subject, subject_id, subject_version);
CREATE INDEX events_waiting ON events (ordinal) WHERE position IS NULL;

CREATE TABLE feed_heads (
    org_id {uuid} NOT NULL PRIMARY KEY REFERENCES organizations (id),
    position bigint NOT NULL,
    hash {text} NOT NULL
);

CREATE TABLE jobs (
    id {uuid} NOT NULL PRIMARY KEY,
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    payload {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('WAITING', 'DEAD')),
    due_at {timestamp} NOT NULL,
    attempts integer NOT NULL,
    leased_until {timestamp},
    last_error {text},
    created_at {timestamp} NOT NULL
);
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE state = 'WAITING';

CREATE TABLE counters (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    name {text} NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (org_id, name)
);
",
    down: r"
DROP TABLE counters;
DROP TABLE jobs;
DROP TABLE feed_heads;
DROP TABLE events;
",
}
