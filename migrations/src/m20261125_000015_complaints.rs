//! Complaints with their clocks, the policies that set those, and the surveys of how complaints were handled.

crate::migration! {
    up: r"
CREATE TABLE sla_policies (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    -- What it is for; what is not named fits everything.
    severity {text} CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    product_id {uuid},
    customer_grade {text} CHECK (customer_grade IN ('A', 'B', 'C', 'D')),
    channel {text} CHECK (channel IN ('EMAIL', 'SMS', 'FAX', 'PHONE', 'WEB', 'IN_PERSON', 'POST')),
    calendar_id {uuid},
    -- Open minutes.
    ack_minutes integer NOT NULL CHECK (ack_minutes > 0),
    first_response_minutes integer NOT NULL CHECK (first_response_minutes > 0),
    update_minutes integer NOT NULL CHECK (update_minutes > 0),
    resolution_minutes integer NOT NULL CHECK (resolution_minutes > 0),
    -- Rungs, as JSON.
    ladder {text} NOT NULL,
    is_active boolean NOT NULL,
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, product_id) REFERENCES products (org_id, id),
    FOREIGN KEY (org_id, calendar_id) REFERENCES work_calendars (org_id, id)
);
CREATE UNIQUE INDEX sla_policies_name ON sla_policies (org_id, name_key);

CREATE TABLE complaints (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    version integer NOT NULL,
    number {text} NOT NULL,
    number_key {text} NOT NULL,
    customer_id {uuid} NOT NULL,
    -- Contacts have no table yet.
    contact_id {uuid},
    -- Name and addresses, as JSON.
    reporter {text},
    subject {text} NOT NULL,
    subject_key {text} NOT NULL,
    description {text} NOT NULL,
    channel {text} NOT NULL CHECK (channel IN ('EMAIL', 'SMS', 'FAX', 'PHONE', 'WEB', 'IN_PERSON', 'POST')),
    -- Missing where the customer was asked and named nothing.
    remedy_sought {text},
    product_id {uuid},
    owner_id {uuid} NOT NULL,
    account_manager_id {uuid},
    confidentiality {text} NOT NULL CHECK (confidentiality IN ('NORMAL', 'CONFIDENTIAL')),
    is_safety_risk boolean NOT NULL,
    -- Documents that lie elsewhere, as JSON.
    attachments {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('RECORDED', 'ACKNOWLEDGED', 'ASSESSED', 'INVESTIGATING',
        'WAITING_CUSTOMER', 'WAITING_INTERNAL', 'RESPONSE_OFFERED', 'ACCEPTED', 'CLOSED', 'OUT_OF_SCOPE', 'MERGED')),
    severity {text} CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    impact {text} CHECK (impact IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    urgency {text} CHECK (urgency IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    occurred_at {timestamp},
    recorded_at {timestamp} NOT NULL,
    next_action_due {timestamp} NOT NULL,
    -- Clocks with their pauses and moved deadlines, as JSON; rungs that were raised, as JSON.
    clocks {text} NOT NULL,
    escalations {text} NOT NULL,
    level integer NOT NULL,
    -- Who is awaited, as JSON; the last response, as JSON.
    waiting {text},
    response {text},
    root_cause {text},
    recourse {text},
    out_of_scope_reason {text},
    merged_into_id {uuid},
    reopen_count integer NOT NULL,
    ended_at {timestamp},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, product_id) REFERENCES products (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, account_manager_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, merged_into_id) REFERENCES complaints (org_id, id),
    CHECK ((state IN ('CLOSED', 'OUT_OF_SCOPE', 'MERGED')) = (ended_at IS NOT NULL)),
    CHECK (state IN ('RECORDED', 'ACKNOWLEDGED', 'MERGED')
        OR (severity IS NOT NULL AND impact IS NOT NULL AND urgency IS NOT NULL)),
    CHECK ((state IN ('WAITING_CUSTOMER', 'WAITING_INTERNAL')) = (waiting IS NOT NULL)),
    CHECK (state NOT IN ('RESPONSE_OFFERED', 'ACCEPTED', 'CLOSED') OR response IS NOT NULL),
    CHECK (state <> 'CLOSED' OR root_cause IS NOT NULL),
    CHECK ((state = 'OUT_OF_SCOPE') = (out_of_scope_reason IS NOT NULL)),
    CHECK ((state = 'MERGED') = (merged_into_id IS NOT NULL)),
    CHECK (merged_into_id <> id)
);
CREATE UNIQUE INDEX complaints_number ON complaints (org_id, number_key);
CREATE INDEX complaints_recorded ON complaints (org_id, recorded_at, id);
CREATE INDEX complaints_updated ON complaints (org_id, updated_at, id);
CREATE INDEX complaints_due ON complaints (org_id, next_action_due, id);
CREATE INDEX complaints_state ON complaints (org_id, state, recorded_at, id);
CREATE INDEX complaints_owner ON complaints (org_id, owner_id);
CREATE INDEX complaints_customer ON complaints (org_id, customer_id, recorded_at, id);
-- What is to be done does not grow with what was done.
CREATE INDEX complaints_open_due ON complaints (org_id, next_action_due, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_recorded ON complaints (org_id, recorded_at, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_updated ON complaints (org_id, updated_at, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_owner ON complaints (org_id, owner_id, next_action_due, id) WHERE ended_at IS NULL;

CREATE TABLE surveys (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    version integer NOT NULL,
    complaint_id {uuid} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('SCHEDULED', 'SENT', 'ANSWERED', 'NO_RESPONSE', 'WITHDRAWN')),
    -- Texts and scores in the same order, as JSON.
    questions {text} NOT NULL,
    scores {text} NOT NULL,
    comment {text},
    reminders integer NOT NULL,
    next_due_at {timestamp},
    sent_at {timestamp},
    answered_at {timestamp},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, complaint_id) REFERENCES complaints (org_id, id),
    CHECK ((state IN ('SCHEDULED', 'SENT')) = (next_due_at IS NOT NULL))
);
CREATE INDEX surveys_complaint ON surveys (org_id, complaint_id);
CREATE UNIQUE INDEX surveys_running ON surveys (org_id, complaint_id) WHERE next_due_at IS NOT NULL;
",
    down: r"
DROP TABLE surveys;
DROP TABLE complaints;
DROP TABLE sla_policies;
",
}
