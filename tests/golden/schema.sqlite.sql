CREATE TABLE activities (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('CALL', 'VISIT', 'MEETING', 'EMAIL', 'SMS', 'FAX', 'NOTE')),
    customer_id uuid_text,
    deal_id uuid_text,
    user_id uuid_text NOT NULL,
    started_at timestamp_with_timezone_text NOT NULL,
    seconds integer CHECK (seconds BETWEEN 0 AND 86400),
    connected boolean,
    outcome text,
    note text,
    recorded_at timestamp_with_timezone_text NOT NULL,
    recorded_by uuid_text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, recorded_by) REFERENCES users (org_id, id),
    CHECK ((kind = 'CALL') = (connected IS NOT NULL))
);
CREATE INDEX activities_customer ON activities (org_id, customer_id, started_at, id);
CREATE INDEX activities_deal ON activities (org_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX activities_started ON activities (org_id, started_at, id);
CREATE INDEX activities_user ON activities (org_id, user_id, started_at, id);
CREATE TABLE api_clients (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    role text NOT NULL CHECK (role IN ('SERVICE_AGENT', 'FINANCE', 'ADMIN')),
    -- Names, separated by spaces.
    scopes text NOT NULL,
    secret_hash text NOT NULL,
    generation integer NOT NULL CHECK (generation > 0),
    -- The secret before, while both work.
    old_secret_hash text,
    old_secret_expires_at timestamp_with_timezone_text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    revoked_at timestamp_with_timezone_text,
    last_used_at timestamp_with_timezone_text,
    PRIMARY KEY (org_id, id),
    CHECK ((old_secret_hash IS NULL) = (old_secret_expires_at IS NULL))
);
CREATE INDEX api_clients_all_names ON api_clients (org_id, name_key, id);
CREATE UNIQUE INDEX api_clients_id ON api_clients (id);
CREATE UNIQUE INDEX api_clients_name ON api_clients (org_id, name_key) WHERE revoked_at IS NULL;
CREATE TABLE attainment_snapshots (
    org_id uuid_text NOT NULL,
    target_id uuid_text NOT NULL,
    terms_number integer NOT NULL,
    as_of timestamp_with_timezone_text NOT NULL,
    position bigint NOT NULL,
    -- Lines, as JSON.
    lines text NOT NULL, forecasts text NOT NULL DEFAULT '[]',
    PRIMARY KEY (org_id, target_id),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id)
);
CREATE TABLE complaints (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    version integer NOT NULL,
    number text NOT NULL,
    number_key text NOT NULL,
    customer_id uuid_text NOT NULL,
    -- Contacts have no table yet.
    contact_id uuid_text,
    -- Name and addresses, as JSON.
    reporter text,
    subject text NOT NULL,
    subject_key text NOT NULL,
    description text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('EMAIL', 'SMS', 'FAX', 'PHONE', 'WEB', 'IN_PERSON', 'POST')),
    -- Missing where the customer was asked and named nothing.
    remedy_sought text,
    product_id uuid_text,
    owner_id uuid_text NOT NULL,
    account_manager_id uuid_text,
    confidentiality text NOT NULL CHECK (confidentiality IN ('NORMAL', 'CONFIDENTIAL')),
    is_safety_risk boolean NOT NULL,
    -- Documents that lie elsewhere, as JSON.
    attachments text NOT NULL,
    state text NOT NULL CHECK (state IN ('RECORDED', 'ACKNOWLEDGED', 'ASSESSED', 'INVESTIGATING',
        'WAITING_CUSTOMER', 'WAITING_INTERNAL', 'RESPONSE_OFFERED', 'ACCEPTED', 'CLOSED', 'OUT_OF_SCOPE', 'MERGED')),
    severity text CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    impact text CHECK (impact IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    urgency text CHECK (urgency IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    occurred_at timestamp_with_timezone_text,
    recorded_at timestamp_with_timezone_text NOT NULL,
    next_action_due timestamp_with_timezone_text NOT NULL,
    -- Clocks with their pauses and moved deadlines, as JSON; rungs that were raised, as JSON.
    clocks text NOT NULL,
    escalations text NOT NULL,
    level integer NOT NULL,
    -- Who is awaited, as JSON; the last response, as JSON.
    waiting text,
    response text,
    root_cause text,
    recourse text,
    out_of_scope_reason text,
    merged_into_id uuid_text,
    reopen_count integer NOT NULL,
    ended_at timestamp_with_timezone_text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL, look_at timestamp_with_timezone_text CHECK (look_at IS NULL OR ended_at IS NULL),
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
CREATE INDEX complaints_customer ON complaints (org_id, customer_id, recorded_at, id);
CREATE INDEX complaints_due ON complaints (org_id, next_action_due, id);
CREATE INDEX complaints_look ON complaints (look_at, org_id, id) WHERE look_at IS NOT NULL;
CREATE UNIQUE INDEX complaints_number ON complaints (org_id, number_key);
CREATE INDEX complaints_open_due ON complaints (org_id, next_action_due, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_owner ON complaints (org_id, owner_id, next_action_due, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_recorded ON complaints (org_id, recorded_at, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_open_updated ON complaints (org_id, updated_at, id) WHERE ended_at IS NULL;
CREATE INDEX complaints_owner ON complaints (org_id, owner_id);
CREATE INDEX complaints_recorded ON complaints (org_id, recorded_at, id);
CREATE INDEX complaints_state ON complaints (org_id, state, recorded_at, id);
CREATE INDEX complaints_updated ON complaints (org_id, updated_at, id);
CREATE TABLE counters (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    name text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (org_id, name)
);
CREATE TABLE credentials (
    org_id uuid_text NOT NULL,
    user_id uuid_text NOT NULL,
    password_hash text NOT NULL,
    changed_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, user_id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE TABLE credit_lines (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    deal_id uuid_text NOT NULL,
    user_id uuid_text,
    kind text NOT NULL CHECK (kind IN ('DIRECT', 'OVERLAY')),
    basis text NOT NULL CHECK (basis IN ('BOOKED', 'INVOICED', 'COLLECTED')),
    share_bp integer NOT NULL CHECK (share_bp BETWEEN 1 AND 10000),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    occurred_at timestamp_with_timezone_text NOT NULL,
    recorded_at timestamp_with_timezone_text NOT NULL,
    reverses_id uuid_text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, deal_id) REFERENCES deals (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, reverses_id) REFERENCES credit_lines (org_id, id),
    CHECK (user_id IS NOT NULL OR kind = 'DIRECT')
);
CREATE INDEX credit_lines_deal ON credit_lines (org_id, deal_id);
CREATE INDEX credit_lines_occurred ON credit_lines (org_id, occurred_at);
CREATE UNIQUE INDEX credit_lines_reverses ON credit_lines (org_id, reverses_id);
CREATE INDEX credit_lines_user ON credit_lines (org_id, user_id, occurred_at);
CREATE TABLE customer_owners (
    org_id uuid_text NOT NULL,
    customer_id uuid_text NOT NULL,
    owner_id uuid_text,
    valid_from timestamp_with_timezone_text NOT NULL,
    valid_to timestamp_with_timezone_text,
    PRIMARY KEY (org_id, customer_id, valid_from),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX customer_owners_open ON customer_owners (org_id, customer_id) WHERE valid_to IS NULL;
CREATE TABLE customer_stages (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    customer_id uuid_text NOT NULL,
    customer_version integer NOT NULL,
    from_stage text CHECK (from_stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    to_stage text NOT NULL CHECK (to_stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    occurred_at timestamp_with_timezone_text NOT NULL,
    recorded_at timestamp_with_timezone_text NOT NULL,
    recorded_by uuid_text,
    reason text,
    evidence_activity_id uuid_text,
    evidence_document text, user_id uuid_text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, recorded_by) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, evidence_activity_id) REFERENCES activities (org_id, id),
    CHECK (evidence_activity_id IS NULL OR evidence_document IS NULL)
);
CREATE INDEX customer_stages_occurred ON customer_stages (org_id, occurred_at);
CREATE UNIQUE INDEX customer_stages_step ON customer_stages (org_id, customer_id, customer_version);
CREATE INDEX customer_stages_user ON customer_stages (org_id, user_id, occurred_at);
CREATE TABLE customers (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    number text NOT NULL,
    number_key text NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('COMPANY', 'PERSON')),
    stage text NOT NULL CHECK (stage IN ('LEAD', 'QUALIFIED', 'PROSPECT', 'SIGNED', 'LOST', 'DORMANT')),
    grade text CHECK (grade IN ('A', 'B', 'C', 'D')),
    sector text,
    sector_key text,
    source text,
    source_key text,
    owner_id uuid_text,
    collected_by uuid_text,
    collected_at timestamp_with_timezone_text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, collected_by) REFERENCES users (org_id, id)
);
CREATE INDEX customers_collected ON customers (org_id, collected_at, id);
CREATE INDEX customers_created ON customers (org_id, created_at, id);
CREATE INDEX customers_name ON customers (org_id, name_key, id);
CREATE UNIQUE INDEX customers_number ON customers (org_id, number_key);
CREATE INDEX customers_owner ON customers (org_id, owner_id);
CREATE INDEX customers_updated ON customers (org_id, updated_at, id);
CREATE TABLE daily_fact_revenue (
    org_id uuid_text NOT NULL,
    user_id uuid_text NOT NULL,
    day date_text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (org_id, user_id, day, currency),
    FOREIGN KEY (org_id, user_id, day) REFERENCES daily_facts (org_id, user_id, day)
);
CREATE TABLE daily_facts (
    org_id uuid_text NOT NULL,
    user_id uuid_text NOT NULL,
    day date_text NOT NULL,
    leads bigint NOT NULL,
    qualified bigint NOT NULL,
    calls bigint NOT NULL,
    connected_calls bigint NOT NULL,
    talk_seconds bigint NOT NULL,
    prospects bigint NOT NULL,
    deals bigint NOT NULL,
    PRIMARY KEY (org_id, user_id, day),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE INDEX daily_facts_day ON daily_facts (org_id, day);
CREATE TABLE day_closes (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    version integer NOT NULL,
    through_day date_text NOT NULL,
    closed_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, version)
);
CREATE UNIQUE INDEX day_closes_through ON day_closes (org_id, through_day);
CREATE TABLE deals (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    number text NOT NULL,
    number_key text NOT NULL,
    name text,
    customer_id uuid_text,
    product_id uuid_text,
    owner_id uuid_text NOT NULL,
    stage text NOT NULL
        CHECK (stage IN ('PROSPECTING', 'ENGAGING', 'NEGOTIATING', 'WON', 'LOST', 'CANCELLED')),
    value_minor bigint CHECK (value_minor >= 0),
    value_currency text,
    opened_at timestamp_with_timezone_text NOT NULL,
    expected_close_on date_text,
    won_at timestamp_with_timezone_text,
    lost_at timestamp_with_timezone_text,
    cancelled_at timestamp_with_timezone_text,
    close_reason text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id),
    FOREIGN KEY (org_id, product_id) REFERENCES products (org_id, id),
    FOREIGN KEY (org_id, owner_id) REFERENCES users (org_id, id),
    CHECK ((value_minor IS NULL) = (value_currency IS NULL)),
    CHECK ((stage IN ('WON', 'CANCELLED')) = (won_at IS NOT NULL)),
    CHECK ((stage = 'LOST') = (lost_at IS NOT NULL)),
    CHECK ((stage = 'CANCELLED') = (cancelled_at IS NOT NULL)),
    CHECK (stage NOT IN ('WON', 'CANCELLED') OR (customer_id IS NOT NULL AND value_minor IS NOT NULL))
);
CREATE INDEX deals_cancelled ON deals (org_id, cancelled_at);
CREATE INDEX deals_created ON deals (org_id, created_at, id);
CREATE INDEX deals_customer ON deals (org_id, customer_id, created_at, id);
CREATE UNIQUE INDEX deals_number ON deals (org_id, number_key);
CREATE INDEX deals_opened ON deals (org_id, opened_at, id);
CREATE INDEX deals_owner ON deals (org_id, owner_id, created_at, id);
CREATE INDEX deals_owner_cancelled ON deals (org_id, owner_id, cancelled_at);
CREATE INDEX deals_owner_opened ON deals (org_id, owner_id, opened_at);
CREATE INDEX deals_owner_won ON deals (org_id, owner_id, won_at);
CREATE INDEX deals_product ON deals (org_id, product_id);
CREATE INDEX deals_updated ON deals (org_id, updated_at, id);
CREATE INDEX deals_won ON deals (org_id, won_at);
CREATE TABLE derivations (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    content text NOT NULL,
    -- SHA-256 of the content, in hexadecimal digits.
    sha256 text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE TABLE "events" (
    ordinal integer PRIMARY KEY AUTOINCREMENT,
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    recorded_at timestamp_with_timezone_text NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('ANONYMOUS', 'USER', 'CLIENT', 'SYSTEM')),
    actor_id uuid_text,
    request_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    subject_id uuid_text NOT NULL,
    subject_version integer NOT NULL,
    before text,
    after text NOT NULL,
    position bigint,
    hash text
);
CREATE UNIQUE INDEX events_id ON events (org_id, id);
CREATE UNIQUE INDEX events_position ON events (org_id, position);
CREATE UNIQUE INDEX events_subject ON events (org_id, subject, subject_id, subject_version);
CREATE INDEX events_waiting ON events (ordinal) WHERE position IS NULL;
CREATE TABLE exports (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    version integer NOT NULL,
    -- What is exported, with its filter, as JSON.
    selection text NOT NULL,
    requested_by uuid_text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    expires_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, requested_by) REFERENCES users (org_id, id)
);
CREATE TABLE feed_heads (
    org_id uuid_text NOT NULL PRIMARY KEY REFERENCES organizations (id),
    position bigint NOT NULL,
    hash text NOT NULL
);
CREATE TABLE idempotency_keys (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    user_id uuid_text NOT NULL,
    key_hash text NOT NULL,
    -- Of the document and its variables.
    fingerprint text NOT NULL,
    -- Who runs it now, and until when nobody else may.
    holder uuid_text NOT NULL,
    claimed_until timestamp_with_timezone_text NOT NULL,
    -- One bit for each command that was committed, set in the command's own transaction.
    effects bigint NOT NULL,
    status integer,
    sealed_answer text,
    expires_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, user_id, key_hash)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
CREATE TABLE import_files (
    org_id uuid_text NOT NULL,
    import_id uuid_text NOT NULL,
    name text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (org_id, import_id, name),
    FOREIGN KEY (org_id, import_id) REFERENCES imports (org_id, id)
);
CREATE TABLE import_keys (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    namespace text NOT NULL,
    key text NOT NULL,
    subject text NOT NULL,
    subject_id uuid_text NOT NULL,
    fingerprint text NOT NULL,
    PRIMARY KEY (org_id, namespace, key)
);
CREATE UNIQUE INDEX import_keys_subject ON import_keys (org_id, namespace, subject_id);
CREATE TABLE import_rows (
    org_id uuid_text NOT NULL,
    import_id uuid_text NOT NULL,
    ordinal bigint NOT NULL,
    file text NOT NULL,
    row_number bigint NOT NULL,
    verdict text NOT NULL
        CHECK (verdict IN ('CREATED', 'UPDATED', 'UNCHANGED', 'SKIPPED', 'REJECTED')),
    subject text NOT NULL,
    subject_id uuid_text,
    reason text,
    suggestion text,
    PRIMARY KEY (org_id, import_id, ordinal),
    FOREIGN KEY (org_id, import_id) REFERENCES imports (org_id, id),
    CHECK (verdict NOT IN ('SKIPPED', 'REJECTED') OR reason IS NOT NULL)
);
CREATE INDEX import_rows_verdict ON import_rows (org_id, import_id, verdict, ordinal);
CREATE TABLE imports (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    profile text NOT NULL,
    dry_run boolean NOT NULL,
    without_aliases boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED')),
    rows_total bigint NOT NULL,
    rows_created bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_skipped bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    requested_by uuid_text,
    created_at timestamp_with_timezone_text NOT NULL,
    started_at timestamp_with_timezone_text,
    finished_at timestamp_with_timezone_text,
    failure text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, requested_by) REFERENCES users (org_id, id),
    CHECK ((state IN ('DONE', 'FAILED')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'FAILED') = (failure IS NOT NULL)),
    CHECK (rows_total = rows_created + rows_updated + rows_unchanged + rows_skipped + rows_rejected)
);
CREATE TABLE invitations (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    version integer NOT NULL,
    user_id uuid_text NOT NULL,
    token_hash text NOT NULL,
    created_by uuid_text,
    created_at timestamp_with_timezone_text NOT NULL,
    expires_at timestamp_with_timezone_text NOT NULL,
    accepted_at timestamp_with_timezone_text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE UNIQUE INDEX invitations_token ON invitations (token_hash);
CREATE INDEX invitations_user ON invitations (org_id, user_id);
CREATE TABLE jobs (
    id uuid_text NOT NULL PRIMARY KEY,
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    payload text NOT NULL,
    state text NOT NULL CHECK (state IN ('WAITING', 'DEAD')),
    due_at timestamp_with_timezone_text NOT NULL,
    attempts integer NOT NULL,
    leased_until timestamp_with_timezone_text,
    last_error text,
    created_at timestamp_with_timezone_text NOT NULL
);
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE state = 'WAITING';
CREATE TABLE memberships (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    user_id uuid_text NOT NULL,
    team_id uuid_text NOT NULL,
    role text NOT NULL CHECK (role IN ('MEMBER', 'LEAD')),
    valid_from date_text NOT NULL,
    valid_to date_text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, team_id) REFERENCES teams (org_id, id),
    CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX memberships_open ON memberships (org_id, user_id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX memberships_start ON memberships (org_id, user_id, valid_from);
CREATE INDEX memberships_team ON memberships (org_id, team_id, user_id);
CREATE TABLE messages (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    purpose text NOT NULL,
    -- One of the two.
    user_id uuid_text,
    address text,
    -- The object that it is about, as the event log names it.
    about_type text NOT NULL,
    about_id uuid_text NOT NULL,
    subject text NOT NULL,
    -- Missing once nobody will send it any more.
    text text,
    is_sealed boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('WAITING', 'SENT', 'FAILED', 'DROPPED')),
    due_at timestamp_with_timezone_text,
    attempts integer NOT NULL,
    leased_until timestamp_with_timezone_text,
    last_error text,
    sent_at timestamp_with_timezone_text,
    created_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    CHECK ((user_id IS NULL) <> (address IS NULL)),
    CHECK ((state = 'WAITING') = (due_at IS NOT NULL)),
    CHECK (state <> 'WAITING' OR text IS NOT NULL),
    CHECK ((state = 'SENT') = (sent_at IS NOT NULL))
);
CREATE INDEX messages_about ON messages (org_id, about_id);
CREATE INDEX messages_due ON messages (org_id, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX messages_newest ON messages (org_id, created_at, id);
CREATE TABLE organizations (
    id uuid_text NOT NULL PRIMARY KEY,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    time_zone text NOT NULL,
    currency text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL
, target_bands text);
CREATE UNIQUE INDEX organizations_name ON organizations (name_key);
CREATE TABLE products (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    code text,
    code_key text,
    name text NOT NULL,
    name_key text NOT NULL,
    series text,
    list_price_minor bigint CHECK (list_price_minor >= 0),
    list_price_currency text,
    retired_at timestamp_with_timezone_text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK ((list_price_minor IS NULL) = (list_price_currency IS NULL))
);
CREATE UNIQUE INDEX products_code ON products (org_id, code_key);
CREATE UNIQUE INDEX products_name ON products (org_id, name_key);
CREATE TABLE quotas (
    bucket text NOT NULL PRIMARY KEY,
    full_at bigint NOT NULL
);
CREATE TABLE refresh_tokens (
    token_hash text NOT NULL PRIMARY KEY,
    org_id uuid_text NOT NULL,
    session_id uuid_text NOT NULL,
    issued_at timestamp_with_timezone_text NOT NULL,
    expires_at timestamp_with_timezone_text NOT NULL,
    spent_at timestamp_with_timezone_text,
    child_hash text,
    FOREIGN KEY (org_id, session_id) REFERENCES sessions (org_id, id)
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (org_id, session_id);
CREATE TABLE revoked_tokens (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    token_id uuid_text NOT NULL,
    -- When it would have ended by itself, and the row means nothing any more.
    expires_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, token_id)
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);
CREATE TABLE sessions (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    version integer NOT NULL,
    user_id uuid_text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    expires_at timestamp_with_timezone_text NOT NULL,
    ended_at timestamp_with_timezone_text,
    ended_reason text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id)
);
CREATE INDEX sessions_user ON sessions (org_id, user_id);
CREATE TABLE signing_keys (
    id text NOT NULL PRIMARY KEY,
    public_key text NOT NULL,
    sealed_private_key text NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    active_from timestamp_with_timezone_text NOT NULL,
    retired_at timestamp_with_timezone_text
);
CREATE TABLE sla_policies (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    -- What it is for; what is not named fits everything.
    severity text CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    product_id uuid_text,
    customer_grade text CHECK (customer_grade IN ('A', 'B', 'C', 'D')),
    channel text CHECK (channel IN ('EMAIL', 'SMS', 'FAX', 'PHONE', 'WEB', 'IN_PERSON', 'POST')),
    calendar_id uuid_text,
    -- Open minutes.
    ack_minutes integer NOT NULL CHECK (ack_minutes > 0),
    first_response_minutes integer NOT NULL CHECK (first_response_minutes > 0),
    update_minutes integer NOT NULL CHECK (update_minutes > 0),
    resolution_minutes integer NOT NULL CHECK (resolution_minutes > 0),
    -- Rungs, as JSON.
    ladder text NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, product_id) REFERENCES products (org_id, id),
    FOREIGN KEY (org_id, calendar_id) REFERENCES work_calendars (org_id, id)
);
CREATE UNIQUE INDEX sla_policies_name ON sla_policies (org_id, name_key);
CREATE TABLE surveys (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    version integer NOT NULL,
    complaint_id uuid_text NOT NULL,
    state text NOT NULL CHECK (state IN ('SCHEDULED', 'SENT', 'ANSWERED', 'NO_RESPONSE', 'WITHDRAWN')),
    -- Texts and scores in the same order, as JSON.
    questions text NOT NULL,
    scores text NOT NULL,
    comment text,
    reminders integer NOT NULL,
    next_due_at timestamp_with_timezone_text,
    sent_at timestamp_with_timezone_text,
    answered_at timestamp_with_timezone_text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL, withdrawal text CHECK (withdrawal IN ('REOPENED', 'NO_ADDRESS', 'UNDELIVERED')),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, complaint_id) REFERENCES complaints (org_id, id),
    CHECK ((state IN ('SCHEDULED', 'SENT')) = (next_due_at IS NOT NULL))
);
CREATE INDEX surveys_complaint ON surveys (org_id, complaint_id);
CREATE INDEX surveys_due ON surveys (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE UNIQUE INDEX surveys_running ON surveys (org_id, complaint_id) WHERE next_due_at IS NOT NULL;
CREATE INDEX surveys_sent ON surveys (org_id, sent_at) WHERE sent_at IS NOT NULL;
CREATE TABLE target_departments (
    org_id uuid_text NOT NULL,
    -- The folded name of the department, as in teams.name_key; there need not be such a team.
    department_key text NOT NULL,
    target_id uuid_text NOT NULL,
    PRIMARY KEY (org_id, department_key, target_id),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id)
);
CREATE INDEX target_departments_target ON target_departments (org_id, target_id);
CREATE TABLE target_terms (
    org_id uuid_text NOT NULL,
    target_id uuid_text NOT NULL,
    number integer NOT NULL,
    place text NOT NULL CHECK (place IN ('STANDING', 'AMENDMENT', 'HISTORY')),
    derivation_id uuid_text NOT NULL,
    -- The terms with their signatures, as JSON.
    content text NOT NULL,
    PRIMARY KEY (org_id, target_id, number),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id),
    FOREIGN KEY (org_id, derivation_id) REFERENCES derivations (org_id, id)
);
CREATE INDEX target_terms_derivation ON target_terms (org_id, derivation_id);
CREATE TABLE targets (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    owner_user_id uuid_text,
    owner_team_id uuid_text,
    period_kind text NOT NULL CHECK (period_kind IN ('WEEK', 'MONTH', 'QUARTER', 'YEAR')),
    period_start date_text NOT NULL,
    level text NOT NULL CHECK (level IN ('BASE', 'SPRINT', 'CHALLENGE')),
    state text NOT NULL
        CHECK (state IN ('PROPOSED', 'COUNTERED', 'AGREED', 'COMMITTED', 'ACTIVE', 'CLOSED', 'WITHDRAWN')),
    parent_id uuid_text,
    -- Who answers for unusual terms that stand or are on the table; may read them for that.
    approver_id uuid_text,
    -- Lines, as JSON.
    buffer text NOT NULL,
    published_at timestamp_with_timezone_text,
    activated_at timestamp_with_timezone_text,
    late_reason text,
    late_approver_id uuid_text,
    closed_at timestamp_with_timezone_text,
    withdrawn_at timestamp_with_timezone_text,
    withdraw_reason text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, owner_user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, owner_team_id) REFERENCES teams (org_id, id),
    FOREIGN KEY (org_id, parent_id) REFERENCES targets (org_id, id),
    FOREIGN KEY (org_id, approver_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, late_approver_id) REFERENCES users (org_id, id),
    CHECK ((owner_user_id IS NULL) <> (owner_team_id IS NULL)),
    CHECK ((late_reason IS NULL) = (late_approver_id IS NULL)),
    CHECK ((state = 'CLOSED') = (closed_at IS NOT NULL)),
    CHECK ((state = 'WITHDRAWN') = (withdrawn_at IS NOT NULL))
);
CREATE INDEX targets_approver ON targets (org_id, approver_id);
CREATE INDEX targets_created ON targets (org_id, created_at, id);
CREATE UNIQUE INDEX targets_of_team ON targets (org_id, owner_team_id, period_start, period_kind, level)
    WHERE state <> 'WITHDRAWN';
CREATE UNIQUE INDEX targets_of_user ON targets (org_id, owner_user_id, period_start, period_kind, level)
    WHERE state <> 'WITHDRAWN';
CREATE INDEX targets_parent ON targets (org_id, parent_id);
CREATE TABLE team_closure (
    org_id uuid_text NOT NULL,
    ancestor_id uuid_text NOT NULL,
    descendant_id uuid_text NOT NULL,
    depth integer NOT NULL,
    PRIMARY KEY (org_id, ancestor_id, descendant_id),
    FOREIGN KEY (org_id, ancestor_id) REFERENCES teams (org_id, id),
    FOREIGN KEY (org_id, descendant_id) REFERENCES teams (org_id, id)
);
CREATE INDEX team_closure_descendant ON team_closure (org_id, descendant_id);
CREATE TABLE teams (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    parent_id uuid_text,
    created_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, parent_id) REFERENCES teams (org_id, id),
    CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX teams_name ON teams (org_id, name_key);
CREATE TABLE throttles (
    bucket text NOT NULL PRIMARY KEY,
    window_start timestamp_with_timezone_text NOT NULL,
    attempts integer NOT NULL
);
CREATE TABLE trusted_clients (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    client text NOT NULL,
    PRIMARY KEY (org_id, client)
);
CREATE TABLE trusted_documents (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    -- SHA-256 of the document, in hexadecimal digits.
    hash text NOT NULL,
    document text NOT NULL,
    registered_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, hash)
);
CREATE TABLE user_leaves (
    org_id uuid_text NOT NULL,
    id uuid_text NOT NULL,
    user_id uuid_text NOT NULL,
    first_day date_text NOT NULL,
    -- The first day that no longer counts.
    end_day date_text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    CHECK (end_day > first_day)
);
CREATE UNIQUE INDEX user_leaves_start ON user_leaves (org_id, user_id, first_day);
CREATE TABLE users (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    email text,
    email_key text,
    role text NOT NULL CHECK (role IN ('REP', 'MANAGER', 'SERVICE_AGENT', 'FINANCE', 'ADMIN')),
    status text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DEACTIVATED')),
    hired_on date_text,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL, calendar_id uuid_text, deactivated_at timestamp_with_timezone_text,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX users_email ON users (org_id, email_key);
CREATE INDEX users_name ON users (org_id, name_key, id);
CREATE INDEX users_sign_in ON users (email_key);
CREATE TABLE work_calendars (
    org_id uuid_text NOT NULL REFERENCES organizations (id),
    id uuid_text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    -- Zone, weekly intervals and exceptions as JSON: they are read and written as a whole.
    hours text NOT NULL,
    is_default boolean NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    updated_at timestamp_with_timezone_text NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX work_calendars_default ON work_calendars (org_id) WHERE is_default;
CREATE UNIQUE INDEX work_calendars_name ON work_calendars (org_id, name_key);
