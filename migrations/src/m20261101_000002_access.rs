//! Credentials, invitations, sessions, signing keys and the counters that throttle guessing.

crate::migration! {
    up: r"
CREATE TABLE credentials (
    org_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    password_hash {text} NOT NULL,
    changed_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, user_id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);

CREATE TABLE invitations (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    version integer NOT NULL,
    user_id {uuid} NOT NULL,
    token_hash {text} NOT NULL,
    created_by {uuid},
    created_at {timestamp} NOT NULL,
    expires_at {timestamp} NOT NULL,
    accepted_at {timestamp},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE UNIQUE INDEX invitations_token ON invitations (token_hash);
CREATE INDEX invitations_user ON invitations (org_id, user_id);

CREATE TABLE sessions (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    version integer NOT NULL,
    user_id {uuid} NOT NULL,
    created_at {timestamp} NOT NULL,
    expires_at {timestamp} NOT NULL,
    ended_at {timestamp},
    ended_reason {text},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE INDEX sessions_user ON sessions (org_id, user_id);

CREATE TABLE refresh_tokens (
    token_hash {text} NOT NULL PRIMARY KEY,
    org_id {uuid} NOT NULL,
    session_id {uuid} NOT NULL,
    issued_at {timestamp} NOT NULL,
    expires_at {timestamp} NOT NULL,
    spent_at {timestamp},
    child_hash {text},
    FOREIGN KEY (org_id, session_id) REFERENCES sessions (org_id, id)
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (org_id, session_id);

CREATE TABLE signing_keys (
    id {text} NOT NULL PRIMARY KEY,
    public_key {text} NOT NULL,
    sealed_private_key {text} NOT NULL,
    created_at {timestamp} NOT NULL,
    active_from {timestamp} NOT NULL,
    retired_at {timestamp}
);

CREATE TABLE throttles (
    bucket {text} NOT NULL PRIMARY KEY,
    window_start {timestamp} NOT NULL,
    attempts integer NOT NULL
);
",
    down: r"
DROP TABLE throttles;
DROP TABLE signing_keys;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE invitations;
DROP TABLE credentials;
",
}
