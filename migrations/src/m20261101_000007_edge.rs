//! What the edge shares between nodes: spent quotas, and the answers to mutations that carry a key.

crate::migration! {
    up: r"
-- When the bucket is full again, in microseconds since 1970. A technical row, without an organisation.
CREATE TABLE quotas (
    bucket {text} NOT NULL PRIMARY KEY,
    full_at bigint NOT NULL
);

CREATE TABLE idempotency_keys (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    user_id {uuid} NOT NULL,
    key_hash {text} NOT NULL,
    -- Of the document and its variables.
    fingerprint {text} NOT NULL,
    -- Who runs it now, and until when nobody else may.
    holder {uuid} NOT NULL,
    claimed_until {timestamp} NOT NULL,
    -- One bit for each command that was committed, set in the command's own transaction.
    effects bigint NOT NULL,
    status integer,
    sealed_answer {text},
    expires_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, user_id, key_hash)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
",
    down: r"
DROP TABLE idempotency_keys;
DROP TABLE quotas;
",
}
