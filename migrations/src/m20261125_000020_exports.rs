//! Downloads that somebody asked for: what, by whom and until when. They hold no data.

crate::migration! {
    up: r"
CREATE TABLE exports (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    version integer NOT NULL,
    -- What is exported, with its filter, as JSON.
    selection {text} NOT NULL,
    requested_by {uuid} NOT NULL,
    created_at {timestamp} NOT NULL,
    expires_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, requested_by) REFERENCES users (org_id, id)
);
",
    down: "DROP TABLE exports;",
}
