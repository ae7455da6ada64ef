//! Customers with their dated stages and owners, and what people did for them.

crate::migration! {
    up: r"
CREATE TABLE customers (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    number {text} NOT NULL,
    number_key {text} NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('COMPANY', 'PERSON')),
    stage {text} NOT NULL CHECK (stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    grade {text} CHECK (grade IN ('A', 'B', 'C', 'D')),
    sector {text},
    sector_key {text},
    source {text},
    source_key {text},
    owner_id {uuid},
    collected_by {uuid},
    collected_at {timestamp} NOT NULL,
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, collected_by) REFERENCES users (org_id, id)
);
CREATE UNIQUE INDEX customers_number ON customers (org_id, number_key);
CREATE INDEX customers_name ON customers (org_id, name_key, id);
CREATE INDEX customers_created ON customers (org_id, created_at, id);
CREATE INDEX customers_updated ON customers (org_id, updated_at, id);
CREATE INDEX customers_collected ON customers (org_id, collected_at, id);
CREATE INDEX customers_owner ON customers (org_id, owner_id);

CREATE TABLE activities (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('CALL', 'VISIT', 'MEETING', 'EMAIL', 'SMS', 'FAX', 'NOTE')),
    customer_id {uuid},
    deal_id {uuid},
    user_id {uuid} NOT NULL,
    started_at {timestamp} NOT NULL,
    seconds integer CHECK (seconds BETWEEN 0 AND 86400),
    connected boolean,
    outcome {text},
    note {text},
    recorded_at {timestamp} NOT NULL,
    recorded_by {uuid},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, recorded_by) REFERENCES users (org_id, id),
    CHECK ((kind = 'CALL') = (connected IS NOT NULL))
);
CREATE INDEX activities_started ON activities (org_id, started_at, id);
CREATE INDEX activities_customer ON activities (org_id, customer_id, started_at, id);
CREATE INDEX activities_user ON activities (org_id, user_id, started_at, id);
CREATE INDEX activities_deal ON activities (org_id, deal_id) WHERE deal_id IS NOT NULL;

CREATE TABLE customer_stages (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    customer_id {uuid} NOT NULL,
    customer_version integer NOT NULL,
    from_stage {text} CHECK (from_stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    to_stage {text} NOT NULL CHECK (to_stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    occurred_at {timestamp} NOT NULL,
    recorded_at {timestamp} NOT NULL,
    recorded_by {uuid},
    reason {text},
    evidence_activity_id {uuid},
    evidence_document {text},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, recorded_by) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, evidence_activity_id) REFERENCES activities (org_id, id),
    CHECK (evidence_activity_id IS NULL OR evidence_document IS NULL)
);
CREATE UNIQUE INDEX customer_stages_step ON customer_stages (org_id, customer_id, customer_version);

CREATE TABLE customer_owners (
    org_id {uuid} NOT NULL,
    customer_id {uuid} NOT NULL,
    owner_id {uuid},
    valid_from {timestamp} NOT NULL,
    valid_to {timestamp},
    PRIMARY KEY (org_id, customer_id, valid_from),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX customer_owners_open ON customer_owners (org_id, customer_id) WHERE valid_to IS NULL;
",
    down: r"
DROP TABLE customer_owners;
DROP TABLE customer_stages;
DROP TABLE activities;
DROP TABLE customers;
",
}
