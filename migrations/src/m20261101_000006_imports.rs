//! Imports: their files while they wait, a verdict for each row, and the keys by which a later run finds what
//! an earlier one made.

crate::migration! {
    up: r"
CREATE TABLE imports (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    profile {text} NOT NULL,
    dry_run boolean NOT NULL,
    without_aliases boolean NOT NULL,
    state {text} NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED')),
    rows_total bigint NOT NULL,
    rows_created bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_skipped bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    requested_by {uuid},
    created_at {timestamp} NOT NULL,
    started_at {timestamp},
    finished_at {timestamp},
    failure {text},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, requested_by) REFERENCES users (org_id, id),
    CHECK ((state IN ('DONE', 'FAILED')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'FAILED') = (failure IS NOT NULL)),
    CHECK (rows_total = rows_created + rows_updated + rows_unchanged + rows_skipped + rows_rejected)
);

CREATE TABLE import_files (
    org_id {uuid} NOT NULL,
    import_id {uuid} NOT NULL,
    name {text} NOT NULL,
    content {text} NOT NULL,
    PRIMARY KEY (org_id, import_id, name),
    FOREIGN KEY (org_id, import_id) REFERENCES imports (org_id, id)
);

CREATE TABLE import_rows (
    org_id {uuid} NOT NULL,
    import_id {uuid} NOT NULL,
    ordinal bigint NOT NULL,
    file {text} NOT NULL,
    row_number bigint NOT NULL,
    verdict {text} NOT NULL
        CHECK (verdict IN ('CREATED', 'UPDATED', 'UNCHANGED', 'SKIPPED', 'REJECTED')),
    subject {text} NOT NULL,
    subject_id {uuid},
    reason {text},
    suggestion {text},
    PRIMARY KEY (org_id, import_id, ordinal),
    FOREIGN KEY (org_id, import_id) REFERENCES imports (org_id, id),
    CHECK (verdict NOT IN ('SKIPPED', 'REJECTED') OR reason IS NOT NULL)
);
CREATE INDEX import_rows_verdict ON import_rows (org_id, import_id, verdict, ordinal);

CREATE TABLE import_keys (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    subject {text} NOT NULL,
    subject_id {uuid} NOT NULL,
    fingerprint {text} NOT NULL,
    PRIMARY KEY (org_id, namespace, key)
);
CREATE UNIQUE INDEX import_keys_subject ON import_keys (org_id, namespace, subject_id);
",
    down: r"
DROP TABLE import_keys;
DROP TABLE import_rows;
DROP TABLE import_files;
DROP TABLE imports;
",
}
