TABLE activities
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    kind text COLLATE "C" NOT NULL
    customer_id uuid
    deal_id uuid
    user_id uuid NOT NULL
    started_at timestamp with time zone NOT NULL
    seconds integer
    connected boolean
    outcome text COLLATE "C"
    note text COLLATE "C"
    recorded_at timestamp with time zone NOT NULL
    recorded_by uuid
    CONSTRAINT activities_check CHECK (((kind = 'CALL'::text) = (connected IS NOT NULL)))
    CONSTRAINT activities_kind_check CHECK ((kind = ANY (ARRAY['CALL'::text, 'VISIT'::text, 'MEETING'::text, 'EMAIL'::text, 'SMS'::text, 'FAX'::text, 'NOTE'::text])))
    CONSTRAINT activities_org_id_customer_id_fkey FOREIGN KEY (org_id, customer_id) REFERENCES customers(org_id, id)
    CONSTRAINT activities_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT activities_org_id_recorded_by_fkey FOREIGN KEY (org_id, recorded_by) REFERENCES users(org_id, id)
    CONSTRAINT activities_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT activities_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT activities_seconds_check CHECK (((seconds >= 0) AND (seconds <= 86400)))
    CREATE INDEX activities_customer ON public.activities USING btree (org_id, customer_id, started_at, id)
    CREATE INDEX activities_deal ON public.activities USING btree (org_id, deal_id) WHERE (deal_id IS NOT NULL)
    CREATE UNIQUE INDEX activities_pkey ON public.activities USING btree (org_id, id)
    CREATE INDEX activities_started ON public.activities USING btree (org_id, started_at, id)
    CREATE INDEX activities_user ON public.activities USING btree (org_id, user_id, started_at, id)
TABLE api_clients
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    role text COLLATE "C" NOT NULL
    scopes text COLLATE "C" NOT NULL
    secret_hash text COLLATE "C" NOT NULL
    generation integer NOT NULL
    old_secret_hash text COLLATE "C"
    old_secret_expires_at timestamp with time zone
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    revoked_at timestamp with time zone
    last_used_at timestamp with time zone
    CONSTRAINT api_clients_check CHECK (((old_secret_hash IS NULL) = (old_secret_expires_at IS NULL)))
    CONSTRAINT api_clients_generation_check CHECK ((generation > 0))
    CONSTRAINT api_clients_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT api_clients_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT api_clients_role_check CHECK ((role = ANY (ARRAY['SERVICE_AGENT'::text, 'FINANCE'::text, 'ADMIN'::text])))
    CREATE INDEX api_clients_all_names ON public.api_clients USING btree (org_id, name_key, id)
    CREATE UNIQUE INDEX api_clients_id ON public.api_clients USING btree (id)
    CREATE UNIQUE INDEX api_clients_name ON public.api_clients USING btree (org_id, name_key) WHERE (revoked_at IS NULL)
    CREATE UNIQUE INDEX api_clients_pkey ON public.api_clients USING btree (org_id, id)
TABLE attainment_snapshots
    org_id uuid NOT NULL
    target_id uuid NOT NULL
    terms_number integer NOT NULL
    as_of timestamp with time zone NOT NULL
    position bigint NOT NULL
    lines text COLLATE "C" NOT NULL
    forecasts text COLLATE "C" NOT NULL DEFAULT '[]'::text
    CONSTRAINT attainment_snapshots_org_id_target_id_fkey FOREIGN KEY (org_id, target_id) REFERENCES targets(org_id, id)
    CONSTRAINT attainment_snapshots_pkey PRIMARY KEY (org_id, target_id)
    CREATE UNIQUE INDEX attainment_snapshots_pkey ON public.attainment_snapshots USING btree (org_id, target_id)
TABLE complaints
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    number text COLLATE "C" NOT NULL
    number_key text COLLATE "C" NOT NULL
    customer_id uuid NOT NULL
    contact_id uuid
    reporter text COLLATE "C"
    subject text COLLATE "C" NOT NULL
    subject_key text COLLATE "C" NOT NULL
    description text COLLATE "C" NOT NULL
    channel text COLLATE "C" NOT NULL
    remedy_sought text COLLATE "C"
    product_id uuid
    owner_id uuid NOT NULL
    account_manager_id uuid
    confidentiality text COLLATE "C" NOT NULL
    is_safety_risk boolean NOT NULL
    attachments text COLLATE "C" NOT NULL
    state text COLLATE "C" NOT NULL
    severity text COLLATE "C"
    impact text COLLATE "C"
    urgency text COLLATE "C"
    occurred_at timestamp with time zone
    recorded_at timestamp with time zone NOT NULL
    next_action_due timestamp with time zone NOT NULL
    clocks text COLLATE "C" NOT NULL
    escalations text COLLATE "C" NOT NULL
    level integer NOT NULL
    waiting text COLLATE "C"
    response text COLLATE "C"
    root_cause text COLLATE "C"
    recourse text COLLATE "C"
    out_of_scope_reason text COLLATE "C"
    merged_into_id uuid
    reopen_count integer NOT NULL
    ended_at timestamp with time zone
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    look_at timestamp with time zone
    CONSTRAINT complaints_channel_check CHECK ((channel = ANY (ARRAY['EMAIL'::text, 'SMS'::text, 'FAX'::text, 'PHONE'::text, 'WEB'::text, 'IN_PERSON'::text, 'POST'::text])))
    CONSTRAINT complaints_check CHECK (((state = ANY (ARRAY['CLOSED'::text, 'OUT_OF_SCOPE'::text, 'MERGED'::text])) = (ended_at IS NOT NULL)))
    CONSTRAINT complaints_check1 CHECK (((state = ANY (ARRAY['RECORDED'::text, 'ACKNOWLEDGED'::text, 'MERGED'::text])) OR ((severity IS NOT NULL) AND (impact IS NOT NULL) AND (urgency IS NOT NULL))))
    CONSTRAINT complaints_check2 CHECK (((state = ANY (ARRAY['WAITING_CUSTOMER'::text, 'WAITING_INTERNAL'::text])) = (waiting IS NOT NULL)))
    CONSTRAINT complaints_check3 CHECK (((state <> ALL (ARRAY['RESPONSE_OFFERED'::text, 'ACCEPTED'::text, 'CLOSED'::text])) OR (response IS NOT NULL)))
    CONSTRAINT complaints_check4 CHECK (((state <> 'CLOSED'::text) OR (root_cause IS NOT NULL)))
    CONSTRAINT complaints_check5 CHECK (((state = 'OUT_OF_SCOPE'::text) = (out_of_scope_reason IS NOT NULL)))
    CONSTRAINT complaints_check6 CHECK (((state = 'MERGED'::text) = (merged_into_id IS NOT NULL)))
    CONSTRAINT complaints_check7 CHECK ((merged_into_id <> id))
    CONSTRAINT complaints_check8 CHECK (((look_at IS NULL) OR (ended_at IS NULL)))
    CONSTRAINT complaints_confidentiality_check CHECK ((confidentiality = ANY (ARRAY['NORMAL'::text, 'CONFIDENTIAL'::text])))
    CONSTRAINT complaints_impact_check CHECK ((impact = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text])))
    CONSTRAINT complaints_org_id_account_manager_id_fkey FOREIGN KEY (org_id, account_manager_id) REFERENCES users(org_id, id)
    CONSTRAINT complaints_org_id_customer_id_fkey FOREIGN KEY (org_id, customer_id) REFERENCES customers(org_id, id)
    CONSTRAINT complaints_org_id_merged_into_id_fkey FOREIGN KEY (org_id, merged_into_id) REFERENCES complaints(org_id, id)
    CONSTRAINT complaints_org_id_owner_id_fkey FOREIGN KEY (org_id, owner_id) REFERENCES users(org_id, id)
    CONSTRAINT complaints_org_id_product_id_fkey FOREIGN KEY (org_id, product_id) REFERENCES products(org_id, id)
    CONSTRAINT complaints_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT complaints_severity_check CHECK ((severity = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text])))
    CONSTRAINT complaints_state_check CHECK ((state = ANY (ARRAY['RECORDED'::text, 'ACKNOWLEDGED'::text, 'ASSESSED'::text, 'INVESTIGATING'::text, 'WAITING_CUSTOMER'::text, 'WAITING_INTERNAL'::text, 'RESPONSE_OFFERED'::text, 'ACCEPTED'::text, 'CLOSED'::text, 'OUT_OF_SCOPE'::text, 'MERGED'::text])))
    CONSTRAINT complaints_urgency_check CHECK ((urgency = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text])))
    CREATE INDEX complaints_customer ON public.complaints USING btree (org_id, customer_id, recorded_at, id)
    CREATE INDEX complaints_due ON public.complaints USING btree (org_id, next_action_due, id)
    CREATE INDEX complaints_look ON public.complaints USING btree (look_at, org_id, id) WHERE (look_at IS NOT NULL)
    CREATE UNIQUE INDEX complaints_number ON public.complaints USING btree (org_id, number_key)
    CREATE INDEX complaints_open_due ON public.complaints USING btree (org_id, next_action_due, id) WHERE (ended_at IS NULL)
    CREATE INDEX complaints_open_owner ON public.complaints USING btree (org_id, owner_id, next_action_due, id) WHERE (ended_at IS NULL)
    CREATE INDEX complaints_open_recorded ON public.complaints USING btree (org_id, recorded_at, id) WHERE (ended_at IS NULL)
    CREATE INDEX complaints_open_updated ON public.complaints USING btree (org_id, updated_at, id) WHERE (ended_at IS NULL)
    CREATE INDEX complaints_owner ON public.complaints USING btree (org_id, owner_id)
    CREATE UNIQUE INDEX complaints_pkey ON public.complaints USING btree (org_id, id)
    CREATE INDEX complaints_recorded ON public.complaints USING btree (org_id, recorded_at, id)
    CREATE INDEX complaints_state ON public.complaints USING btree (org_id, state, recorded_at, id)
    CREATE INDEX complaints_updated ON public.complaints USING btree (org_id, updated_at, id)
TABLE counters
    org_id uuid NOT NULL
    name text COLLATE "C" NOT NULL
    value bigint NOT NULL
    CONSTRAINT counters_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT counters_pkey PRIMARY KEY (org_id, name)
    CREATE UNIQUE INDEX counters_pkey ON public.counters USING btree (org_id, name)
TABLE credentials
    org_id uuid NOT NULL
    user_id uuid NOT NULL
    password_hash text COLLATE "C" NOT NULL
    changed_at timestamp with time zone NOT NULL
    CONSTRAINT credentials_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT credentials_pkey PRIMARY KEY (org_id, user_id)
    CREATE UNIQUE INDEX credentials_pkey ON public.credentials USING btree (org_id, user_id)
TABLE credit_lines
    org_id uuid NOT NULL
    id uuid NOT NULL
    deal_id uuid NOT NULL
    user_id uuid
    kind text COLLATE "C" NOT NULL
    basis text COLLATE "C" NOT NULL
    share_bp integer NOT NULL
    amount_minor bigint NOT NULL
    currency text COLLATE "C" NOT NULL
    occurred_at timestamp with time zone NOT NULL
    recorded_at timestamp with time zone NOT NULL
    reverses_id uuid
    CONSTRAINT credit_lines_basis_check CHECK ((basis = ANY (ARRAY['BOOKED'::text, 'INVOICED'::text, 'COLLECTED'::text])))
    CONSTRAINT credit_lines_check CHECK (((user_id IS NOT NULL) OR (kind = 'DIRECT'::text)))
    CONSTRAINT credit_lines_kind_check CHECK ((kind = ANY (ARRAY['DIRECT'::text, 'OVERLAY'::text])))
    CONSTRAINT credit_lines_org_id_deal_id_fkey FOREIGN KEY (org_id, deal_id) REFERENCES deals(org_id, id)
    CONSTRAINT credit_lines_org_id_reverses_id_fkey FOREIGN KEY (org_id, reverses_id) REFERENCES credit_lines(org_id, id)
    CONSTRAINT credit_lines_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT credit_lines_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT credit_lines_share_bp_check CHECK (((share_bp >= 1) AND (share_bp <= 10000)))
    CREATE INDEX credit_lines_deal ON public.credit_lines USING btree (org_id, deal_id)
    CREATE INDEX credit_lines_occurred ON public.credit_lines USING btree (org_id, occurred_at)
    CREATE UNIQUE INDEX credit_lines_pkey ON public.credit_lines USING btree (org_id, id)
    CREATE UNIQUE INDEX credit_lines_reverses ON public.credit_lines USING btree (org_id, reverses_id)
    CREATE INDEX credit_lines_user ON public.credit_lines USING btree (org_id, user_id, occurred_at)
TABLE customer_owners
    org_id uuid NOT NULL
    customer_id uuid NOT NULL
    owner_id uuid
    valid_from timestamp with time zone NOT NULL
    valid_to timestamp with time zone
    CONSTRAINT customer_owners_check CHECK ((valid_to > valid_from))
    CONSTRAINT customer_owners_org_id_customer_id_fkey FOREIGN KEY (org_id, customer_id) REFERENCES customers(org_id, id)
    CONSTRAINT customer_owners_org_id_owner_id_fkey FOREIGN KEY (org_id, owner_id) REFERENCES users(org_id, id)
    CONSTRAINT customer_owners_pkey PRIMARY KEY (org_id, customer_id, valid_from)
    CREATE UNIQUE INDEX customer_owners_open ON public.customer_owners USING btree (org_id, customer_id) WHERE (valid_to IS NULL)
    CREATE UNIQUE INDEX customer_owners_pkey ON public.customer_owners USING btree (org_id, customer_id, valid_from)
TABLE customer_stages
    org_id uuid NOT NULL
    id uuid NOT NULL
    customer_id uuid NOT NULL
    customer_version integer NOT NULL
    from_stage text COLLATE "C"
    to_stage text COLLATE "C" NOT NULL
    occurred_at timestamp with time zone NOT NULL
    recorded_at timestamp with time zone NOT NULL
    recorded_by uuid
    reason text COLLATE "C"
    evidence_activity_id uuid
    evidence_document text COLLATE "C"
    user_id uuid
    CONSTRAINT customer_stages_check CHECK (((evidence_activity_id IS NULL) OR (evidence_document IS NULL)))
    CONSTRAINT customer_stages_from_stage_check CHECK ((from_stage = ANY (ARRAY['LEAD'::text, 'QUALIFIED'::text, 'PROSPECT'::text, 'SIGNED'::text, 'LOST'::text, 'DORMANT'::text])))
    CONSTRAINT customer_stages_org_id_customer_id_fkey FOREIGN KEY (org_id, customer_id) REFERENCES customers(org_id, id)
    CONSTRAINT customer_stages_org_id_evidence_activity_id_fkey FOREIGN KEY (org_id, evidence_activity_id) REFERENCES activities(org_id, id)
    CONSTRAINT customer_stages_org_id_recorded_by_fkey FOREIGN KEY (org_id, recorded_by) REFERENCES users(org_id, id)
    CONSTRAINT customer_stages_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT customer_stages_to_stage_check CHECK ((to_stage = ANY (ARRAY['LEAD'::text, 'QUALIFIED'::text, 'PROSPECT'::text, 'SIGNED'::text, 'LOST'::text, 'DORMANT'::text])))
    CREATE INDEX customer_stages_occurred ON public.customer_stages USING btree (org_id, occurred_at)
    CREATE UNIQUE INDEX customer_stages_pkey ON public.customer_stages USING btree (org_id, id)
    CREATE UNIQUE INDEX customer_stages_step ON public.customer_stages USING btree (org_id, customer_id, customer_version)
    CREATE INDEX customer_stages_user ON public.customer_stages USING btree (org_id, user_id, occurred_at)
TABLE customers
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    number text COLLATE "C" NOT NULL
    number_key text COLLATE "C" NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    kind text COLLATE "C" NOT NULL
    stage text COLLATE "C" NOT NULL
    grade text COLLATE "C"
    sector text COLLATE "C"
    sector_key text COLLATE "C"
    source text COLLATE "C"
    source_key text COLLATE "C"
    owner_id uuid
    collected_by uuid
    collected_at timestamp with time zone NOT NULL
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT customers_grade_check CHECK ((grade = ANY (ARRAY['A'::text, 'B'::text, 'C'::text, 'D'::text])))
    CONSTRAINT customers_kind_check CHECK ((kind = ANY (ARRAY['COMPANY'::text, 'PERSON'::text])))
    CONSTRAINT customers_org_id_collected_by_fkey FOREIGN KEY (org_id, collected_by) REFERENCES users(org_id, id)
    CONSTRAINT customers_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT customers_org_id_owner_id_fkey FOREIGN KEY (org_id, owner_id) REFERENCES users(org_id, id)
    CONSTRAINT customers_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT customers_stage_check CHECK ((stage = ANY (ARRAY['LEAD'::text, 'QUALIFIED'::text, 'PROSPECT'::text, 'SIGNED'::text, 'LOST'::text, 'DORMANT'::text])))
    CREATE INDEX customers_collected ON public.customers USING btree (org_id, collected_at, id)
    CREATE INDEX customers_created ON public.customers USING btree (org_id, created_at, id)
    CREATE INDEX customers_name ON public.customers USING btree (org_id, name_key, id)
    CREATE UNIQUE INDEX customers_number ON public.customers USING btree (org_id, number_key)
    CREATE INDEX customers_owner ON public.customers USING btree (org_id, owner_id)
    CREATE UNIQUE INDEX customers_pkey ON public.customers USING btree (org_id, id)
    CREATE INDEX customers_updated ON public.customers USING btree (org_id, updated_at, id)
TABLE daily_fact_revenue
    org_id uuid NOT NULL
    user_id uuid NOT NULL
    day date NOT NULL
    currency text COLLATE "C" NOT NULL
    amount_minor bigint NOT NULL
    CONSTRAINT daily_fact_revenue_org_id_user_id_day_fkey FOREIGN KEY (org_id, user_id, day) REFERENCES daily_facts(org_id, user_id, day)
    CONSTRAINT daily_fact_revenue_pkey PRIMARY KEY (org_id, user_id, day, currency)
    CREATE UNIQUE INDEX daily_fact_revenue_pkey ON public.daily_fact_revenue USING btree (org_id, user_id, day, currency)
TABLE daily_facts
    org_id uuid NOT NULL
    user_id uuid NOT NULL
    day date NOT NULL
    leads bigint NOT NULL
    qualified bigint NOT NULL
    calls bigint NOT NULL
    connected_calls bigint NOT NULL
    talk_seconds bigint NOT NULL
    prospects bigint NOT NULL
    deals bigint NOT NULL
    CONSTRAINT daily_facts_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT daily_facts_pkey PRIMARY KEY (org_id, user_id, day)
    CREATE INDEX daily_facts_day ON public.daily_facts USING btree (org_id, day)
    CREATE UNIQUE INDEX daily_facts_pkey ON public.daily_facts USING btree (org_id, user_id, day)
TABLE day_closes
    org_id uuid NOT NULL
    version integer NOT NULL
    through_day date NOT NULL
    closed_at timestamp with time zone NOT NULL
    CONSTRAINT day_closes_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT day_closes_pkey PRIMARY KEY (org_id, version)
    CREATE UNIQUE INDEX day_closes_pkey ON public.day_closes USING btree (org_id, version)
    CREATE UNIQUE INDEX day_closes_through ON public.day_closes USING btree (org_id, through_day)
TABLE deals
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    number text COLLATE "C" NOT NULL
    number_key text COLLATE "C" NOT NULL
    name text COLLATE "C"
    customer_id uuid
    product_id uuid
    owner_id uuid NOT NULL
    stage text COLLATE "C" NOT NULL
    value_minor bigint
    value_currency text COLLATE "C"
    opened_at timestamp with time zone NOT NULL
    expected_close_on date
    won_at timestamp with time zone
    lost_at timestamp with time zone
    cancelled_at timestamp with time zone
    close_reason text COLLATE "C"
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT deals_check CHECK (((value_minor IS NULL) = (value_currency IS NULL)))
    CONSTRAINT deals_check1 CHECK (((stage = ANY (ARRAY['WON'::text, 'CANCELLED'::text])) = (won_at IS NOT NULL)))
    CONSTRAINT deals_check2 CHECK (((stage = 'LOST'::text) = (lost_at IS NOT NULL)))
    CONSTRAINT deals_check3 CHECK (((stage = 'CANCELLED'::text) = (cancelled_at IS NOT NULL)))
    CONSTRAINT deals_check4 CHECK (((stage <> ALL (ARRAY['WON'::text, 'CANCELLED'::text])) OR ((customer_id IS NOT NULL) AND (value_minor IS NOT NULL))))
    CONSTRAINT deals_org_id_customer_id_fkey FOREIGN KEY (org_id, customer_id) REFERENCES customers(org_id, id)
    CONSTRAINT deals_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT deals_org_id_owner_id_fkey FOREIGN KEY (org_id, owner_id) REFERENCES users(org_id, id)
    CONSTRAINT deals_org_id_product_id_fkey FOREIGN KEY (org_id, product_id) REFERENCES products(org_id, id)
    CONSTRAINT deals_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT deals_stage_check CHECK ((stage = ANY (ARRAY['PROSPECTING'::text, 'ENGAGING'::text, 'NEGOTIATING'::text, 'WON'::text, 'LOST'::text, 'CANCELLED'::text])))
    CONSTRAINT deals_value_minor_check CHECK ((value_minor >= 0))
    CREATE INDEX deals_cancelled ON public.deals USING btree (org_id, cancelled_at)
    CREATE INDEX deals_created ON public.deals USING btree (org_id, created_at, id)
    CREATE INDEX deals_customer ON public.deals USING btree (org_id, customer_id, created_at, id)
    CREATE UNIQUE INDEX deals_number ON public.deals USING btree (org_id, number_key)
    CREATE INDEX deals_opened ON public.deals USING btree (org_id, opened_at, id)
    CREATE INDEX deals_owner ON public.deals USING btree (org_id, owner_id, created_at, id)
    CREATE INDEX deals_owner_cancelled ON public.deals USING btree (org_id, owner_id, cancelled_at)
    CREATE INDEX deals_owner_opened ON public.deals USING btree (org_id, owner_id, opened_at)
    CREATE INDEX deals_owner_won ON public.deals USING btree (org_id, owner_id, won_at)
    CREATE UNIQUE INDEX deals_pkey ON public.deals USING btree (org_id, id)
    CREATE INDEX deals_product ON public.deals USING btree (org_id, product_id)
    CREATE INDEX deals_updated ON public.deals USING btree (org_id, updated_at, id)
    CREATE INDEX deals_won ON public.deals USING btree (org_id, won_at)
TABLE derivations
    org_id uuid NOT NULL
    id uuid NOT NULL
    content text COLLATE "C" NOT NULL
    sha256 text COLLATE "C" NOT NULL
    created_at timestamp with time zone NOT NULL
    CONSTRAINT derivations_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT derivations_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX derivations_pkey ON public.derivations USING btree (org_id, id)
TABLE events
    ordinal bigint NOT NULL GENERATED ALWAYS AS IDENTITY
    org_id uuid NOT NULL
    id uuid NOT NULL
    recorded_at timestamp with time zone NOT NULL
    actor_kind text COLLATE "C" NOT NULL
    actor_id uuid
    request_id text COLLATE "C" NOT NULL
    kind text COLLATE "C" NOT NULL
    subject text COLLATE "C" NOT NULL
    subject_id uuid NOT NULL
    subject_version integer NOT NULL
    before text COLLATE "C"
    after text COLLATE "C" NOT NULL
    position bigint
    hash text COLLATE "C"
    CONSTRAINT events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['ANONYMOUS'::text, 'USER'::text, 'CLIENT'::text, 'SYSTEM'::text])))
    CONSTRAINT events_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT events_pkey PRIMARY KEY (ordinal)
    CREATE UNIQUE INDEX events_id ON public.events USING btree (org_id, id)
    CREATE UNIQUE INDEX events_pkey ON public.events USING btree (ordinal)
    CREATE UNIQUE INDEX events_position ON public.events USING btree (org_id, "position")
    CREATE UNIQUE INDEX events_subject ON public.events USING btree (org_id, subject, subject_id, subject_version)
    CREATE INDEX events_waiting ON public.events USING btree (ordinal) WHERE ("position" IS NULL)
TABLE exports
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    selection text COLLATE "C" NOT NULL
    requested_by uuid NOT NULL
    created_at timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    CONSTRAINT exports_org_id_requested_by_fkey FOREIGN KEY (org_id, requested_by) REFERENCES users(org_id, id)
    CONSTRAINT exports_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX exports_pkey ON public.exports USING btree (org_id, id)
TABLE feed_heads
    org_id uuid NOT NULL
    position bigint NOT NULL
    hash text COLLATE "C" NOT NULL
    CONSTRAINT feed_heads_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT feed_heads_pkey PRIMARY KEY (org_id)
    CREATE UNIQUE INDEX feed_heads_pkey ON public.feed_heads USING btree (org_id)
TABLE idempotency_keys
    org_id uuid NOT NULL
    user_id uuid NOT NULL
    key_hash text COLLATE "C" NOT NULL
    fingerprint text COLLATE "C" NOT NULL
    holder uuid NOT NULL
    claimed_until timestamp with time zone NOT NULL
    effects bigint NOT NULL
    status integer
    sealed_answer text COLLATE "C"
    expires_at timestamp with time zone NOT NULL
    CONSTRAINT idempotency_keys_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (org_id, user_id, key_hash)
    CREATE INDEX idempotency_keys_by_expiry ON public.idempotency_keys USING btree (expires_at)
    CREATE UNIQUE INDEX idempotency_keys_pkey ON public.idempotency_keys USING btree (org_id, user_id, key_hash)
TABLE import_files
    org_id uuid NOT NULL
    import_id uuid NOT NULL
    name text COLLATE "C" NOT NULL
    content text COLLATE "C" NOT NULL
    CONSTRAINT import_files_org_id_import_id_fkey FOREIGN KEY (org_id, import_id) REFERENCES imports(org_id, id)
    CONSTRAINT import_files_pkey PRIMARY KEY (org_id, import_id, name)
    CREATE UNIQUE INDEX import_files_pkey ON public.import_files USING btree (org_id, import_id, name)
TABLE import_keys
    org_id uuid NOT NULL
    namespace text COLLATE "C" NOT NULL
    key text COLLATE "C" NOT NULL
    subject text COLLATE "C" NOT NULL
    subject_id uuid NOT NULL
    fingerprint text COLLATE "C" NOT NULL
    CONSTRAINT import_keys_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT import_keys_pkey PRIMARY KEY (org_id, namespace, key)
    CREATE UNIQUE INDEX import_keys_pkey ON public.import_keys USING btree (org_id, namespace, key)
    CREATE UNIQUE INDEX import_keys_subject ON public.import_keys USING btree (org_id, namespace, subject_id)
TABLE import_rows
    org_id uuid NOT NULL
    import_id uuid NOT NULL
    ordinal bigint NOT NULL
    file text COLLATE "C" NOT NULL
    row_number bigint NOT NULL
    verdict text COLLATE "C" NOT NULL
    subject text COLLATE "C" NOT NULL
    subject_id uuid
    reason text COLLATE "C"
    suggestion text COLLATE "C"
    CONSTRAINT import_rows_check CHECK (((verdict <> ALL (ARRAY['SKIPPED'::text, 'REJECTED'::text])) OR (reason IS NOT NULL)))
    CONSTRAINT import_rows_org_id_import_id_fkey FOREIGN KEY (org_id, import_id) REFERENCES imports(org_id, id)
    CONSTRAINT import_rows_pkey PRIMARY KEY (org_id, import_id, ordinal)
    CONSTRAINT import_rows_verdict_check CHECK ((verdict = ANY (ARRAY['CREATED'::text, 'UPDATED'::text, 'UNCHANGED'::text, 'SKIPPED'::text, 'REJECTED'::text])))
    CREATE UNIQUE INDEX import_rows_pkey ON public.import_rows USING btree (org_id, import_id, ordinal)
    CREATE INDEX import_rows_verdict ON public.import_rows USING btree (org_id, import_id, verdict, ordinal)
TABLE imports
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    profile text COLLATE "C" NOT NULL
    dry_run boolean NOT NULL
    without_aliases boolean NOT NULL
    state text COLLATE "C" NOT NULL
    rows_total bigint NOT NULL
    rows_created bigint NOT NULL
    rows_updated bigint NOT NULL
    rows_unchanged bigint NOT NULL
    rows_skipped bigint NOT NULL
    rows_rejected bigint NOT NULL
    requested_by uuid
    created_at timestamp with time zone NOT NULL
    started_at timestamp with time zone
    finished_at timestamp with time zone
    failure text COLLATE "C"
    CONSTRAINT imports_check CHECK (((state = ANY (ARRAY['DONE'::text, 'FAILED'::text])) = (finished_at IS NOT NULL)))
    CONSTRAINT imports_check1 CHECK (((state = 'FAILED'::text) = (failure IS NOT NULL)))
    CONSTRAINT imports_check2 CHECK ((rows_total = ((((rows_created + rows_updated) + rows_unchanged) + rows_skipped) + rows_rejected)))
    CONSTRAINT imports_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT imports_org_id_requested_by_fkey FOREIGN KEY (org_id, requested_by) REFERENCES users(org_id, id)
    CONSTRAINT imports_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT imports_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'RUNNING'::text, 'DONE'::text, 'FAILED'::text])))
    CREATE UNIQUE INDEX imports_pkey ON public.imports USING btree (org_id, id)
TABLE invitations
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    user_id uuid NOT NULL
    token_hash text COLLATE "C" NOT NULL
    created_by uuid
    created_at timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    accepted_at timestamp with time zone
    CONSTRAINT invitations_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT invitations_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX invitations_pkey ON public.invitations USING btree (org_id, id)
    CREATE UNIQUE INDEX invitations_token ON public.invitations USING btree (token_hash)
    CREATE INDEX invitations_user ON public.invitations USING btree (org_id, user_id)
TABLE jobs
    id uuid NOT NULL
    org_id uuid NOT NULL
    payload text COLLATE "C" NOT NULL
    state text COLLATE "C" NOT NULL
    due_at timestamp with time zone NOT NULL
    attempts integer NOT NULL
    leased_until timestamp with time zone
    last_error text COLLATE "C"
    created_at timestamp with time zone NOT NULL
    CONSTRAINT jobs_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT jobs_pkey PRIMARY KEY (id)
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'DEAD'::text])))
    CREATE INDEX jobs_due ON public.jobs USING btree (due_at, id) WHERE (state = 'WAITING'::text)
    CREATE UNIQUE INDEX jobs_pkey ON public.jobs USING btree (id)
TABLE memberships
    org_id uuid NOT NULL
    id uuid NOT NULL
    user_id uuid NOT NULL
    team_id uuid NOT NULL
    role text COLLATE "C" NOT NULL
    valid_from date NOT NULL
    valid_to date
    CONSTRAINT memberships_check CHECK ((valid_to > valid_from))
    CONSTRAINT memberships_org_id_team_id_fkey FOREIGN KEY (org_id, team_id) REFERENCES teams(org_id, id)
    CONSTRAINT memberships_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT memberships_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT memberships_role_check CHECK ((role = ANY (ARRAY['MEMBER'::text, 'LEAD'::text])))
    CREATE UNIQUE INDEX memberships_open ON public.memberships USING btree (org_id, user_id) WHERE (valid_to IS NULL)
    CREATE UNIQUE INDEX memberships_pkey ON public.memberships USING btree (org_id, id)
    CREATE UNIQUE INDEX memberships_start ON public.memberships USING btree (org_id, user_id, valid_from)
    CREATE INDEX memberships_team ON public.memberships USING btree (org_id, team_id, user_id)
TABLE messages
    org_id uuid NOT NULL
    id uuid NOT NULL
    purpose text COLLATE "C" NOT NULL
    user_id uuid
    address text COLLATE "C"
    about_type text COLLATE "C" NOT NULL
    about_id uuid NOT NULL
    subject text COLLATE "C" NOT NULL
    text text COLLATE "C"
    is_sealed boolean NOT NULL
    state text COLLATE "C" NOT NULL
    due_at timestamp with time zone
    attempts integer NOT NULL
    leased_until timestamp with time zone
    last_error text COLLATE "C"
    sent_at timestamp with time zone
    created_at timestamp with time zone NOT NULL
    CONSTRAINT messages_check CHECK (((user_id IS NULL) <> (address IS NULL)))
    CONSTRAINT messages_check1 CHECK (((state = 'WAITING'::text) = (due_at IS NOT NULL)))
    CONSTRAINT messages_check2 CHECK (((state <> 'WAITING'::text) OR (text IS NOT NULL)))
    CONSTRAINT messages_check3 CHECK (((state = 'SENT'::text) = (sent_at IS NOT NULL)))
    CONSTRAINT messages_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT messages_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT messages_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'SENT'::text, 'FAILED'::text, 'DROPPED'::text])))
    CREATE INDEX messages_about ON public.messages USING btree (org_id, about_id)
    CREATE INDEX messages_due ON public.messages USING btree (org_id, due_at, id) WHERE (due_at IS NOT NULL)
    CREATE INDEX messages_newest ON public.messages USING btree (org_id, created_at, id)
    CREATE UNIQUE INDEX messages_pkey ON public.messages USING btree (org_id, id)
TABLE organizations
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    time_zone text COLLATE "C" NOT NULL
    currency text COLLATE "C" NOT NULL
    created_at timestamp with time zone NOT NULL
    target_bands text COLLATE "C"
    CONSTRAINT organizations_pkey PRIMARY KEY (id)
    CREATE UNIQUE INDEX organizations_name ON public.organizations USING btree (name_key)
    CREATE UNIQUE INDEX organizations_pkey ON public.organizations USING btree (id)
TABLE products
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    code text COLLATE "C"
    code_key text COLLATE "C"
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    series text COLLATE "C"
    list_price_minor bigint
    list_price_currency text COLLATE "C"
    retired_at timestamp with time zone
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT products_check CHECK (((list_price_minor IS NULL) = (list_price_currency IS NULL)))
    CONSTRAINT products_list_price_minor_check CHECK ((list_price_minor >= 0))
    CONSTRAINT products_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT products_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX products_code ON public.products USING btree (org_id, code_key)
    CREATE UNIQUE INDEX products_name ON public.products USING btree (org_id, name_key)
    CREATE UNIQUE INDEX products_pkey ON public.products USING btree (org_id, id)
TABLE quotas
    bucket text COLLATE "C" NOT NULL
    full_at bigint NOT NULL
    CONSTRAINT quotas_pkey PRIMARY KEY (bucket)
    CREATE UNIQUE INDEX quotas_pkey ON public.quotas USING btree (bucket)
TABLE refresh_tokens
    token_hash text COLLATE "C" NOT NULL
    org_id uuid NOT NULL
    session_id uuid NOT NULL
    issued_at timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    spent_at timestamp with time zone
    child_hash text COLLATE "C"
    CONSTRAINT refresh_tokens_org_id_session_id_fkey FOREIGN KEY (org_id, session_id) REFERENCES sessions(org_id, id)
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash)
    CREATE UNIQUE INDEX refresh_tokens_pkey ON public.refresh_tokens USING btree (token_hash)
    CREATE INDEX refresh_tokens_session ON public.refresh_tokens USING btree (org_id, session_id)
TABLE revoked_tokens
    org_id uuid NOT NULL
    token_id uuid NOT NULL
    expires_at timestamp with time zone NOT NULL
    CONSTRAINT revoked_tokens_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT revoked_tokens_pkey PRIMARY KEY (org_id, token_id)
    CREATE INDEX revoked_tokens_by_expiry ON public.revoked_tokens USING btree (expires_at)
    CREATE UNIQUE INDEX revoked_tokens_pkey ON public.revoked_tokens USING btree (org_id, token_id)
TABLE sessions
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    user_id uuid NOT NULL
    created_at timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    ended_at timestamp with time zone
    ended_reason text COLLATE "C"
    CONSTRAINT sessions_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT sessions_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX sessions_pkey ON public.sessions USING btree (org_id, id)
    CREATE INDEX sessions_user ON public.sessions USING btree (org_id, user_id)
TABLE signing_keys
    id text COLLATE "C" NOT NULL
    public_key text COLLATE "C" NOT NULL
    sealed_private_key text COLLATE "C" NOT NULL
    created_at timestamp with time zone NOT NULL
    active_from timestamp with time zone NOT NULL
    retired_at timestamp with time zone
    CONSTRAINT signing_keys_pkey PRIMARY KEY (id)
    CREATE UNIQUE INDEX signing_keys_pkey ON public.signing_keys USING btree (id)
TABLE sla_policies
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    severity text COLLATE "C"
    product_id uuid
    customer_grade text COLLATE "C"
    channel text COLLATE "C"
    calendar_id uuid
    ack_minutes integer NOT NULL
    first_response_minutes integer NOT NULL
    update_minutes integer NOT NULL
    resolution_minutes integer NOT NULL
    ladder text COLLATE "C" NOT NULL
    is_active boolean NOT NULL
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT sla_policies_ack_minutes_check CHECK ((ack_minutes > 0))
    CONSTRAINT sla_policies_channel_check CHECK ((channel = ANY (ARRAY['EMAIL'::text, 'SMS'::text, 'FAX'::text, 'PHONE'::text, 'WEB'::text, 'IN_PERSON'::text, 'POST'::text])))
    CONSTRAINT sla_policies_customer_grade_check CHECK ((customer_grade = ANY (ARRAY['A'::text, 'B'::text, 'C'::text, 'D'::text])))
    CONSTRAINT sla_policies_first_response_minutes_check CHECK ((first_response_minutes > 0))
    CONSTRAINT sla_policies_org_id_calendar_id_fkey FOREIGN KEY (org_id, calendar_id) REFERENCES work_calendars(org_id, id)
    CONSTRAINT sla_policies_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT sla_policies_org_id_product_id_fkey FOREIGN KEY (org_id, product_id) REFERENCES products(org_id, id)
    CONSTRAINT sla_policies_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT sla_policies_resolution_minutes_check CHECK ((resolution_minutes > 0))
    CONSTRAINT sla_policies_severity_check CHECK ((severity = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text])))
    CONSTRAINT sla_policies_update_minutes_check CHECK ((update_minutes > 0))
    CREATE UNIQUE INDEX sla_policies_name ON public.sla_policies USING btree (org_id, name_key)
    CREATE UNIQUE INDEX sla_policies_pkey ON public.sla_policies USING btree (org_id, id)
TABLE surveys
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    complaint_id uuid NOT NULL
    state text COLLATE "C" NOT NULL
    questions text COLLATE "C" NOT NULL
    scores text COLLATE "C" NOT NULL
    comment text COLLATE "C"
    reminders integer NOT NULL
    next_due_at timestamp with time zone
    sent_at timestamp with time zone
    answered_at timestamp with time zone
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    withdrawal text COLLATE "C"
    CONSTRAINT surveys_check CHECK (((state = ANY (ARRAY['SCHEDULED'::text, 'SENT'::text])) = (next_due_at IS NOT NULL)))
    CONSTRAINT surveys_org_id_complaint_id_fkey FOREIGN KEY (org_id, complaint_id) REFERENCES complaints(org_id, id)
    CONSTRAINT surveys_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT surveys_state_check CHECK ((state = ANY (ARRAY['SCHEDULED'::text, 'SENT'::text, 'ANSWERED'::text, 'NO_RESPONSE'::text, 'WITHDRAWN'::text])))
    CONSTRAINT surveys_withdrawal_check CHECK ((withdrawal = ANY (ARRAY['REOPENED'::text, 'NO_ADDRESS'::text, 'UNDELIVERED'::text])))
    CREATE INDEX surveys_complaint ON public.surveys USING btree (org_id, complaint_id)
    CREATE INDEX surveys_due ON public.surveys USING btree (next_due_at) WHERE (next_due_at IS NOT NULL)
    CREATE UNIQUE INDEX surveys_pkey ON public.surveys USING btree (org_id, id)
    CREATE UNIQUE INDEX surveys_running ON public.surveys USING btree (org_id, complaint_id) WHERE (next_due_at IS NOT NULL)
    CREATE INDEX surveys_sent ON public.surveys USING btree (org_id, sent_at) WHERE (sent_at IS NOT NULL)
TABLE target_departments
    org_id uuid NOT NULL
    department_key text COLLATE "C" NOT NULL
    target_id uuid NOT NULL
    CONSTRAINT target_departments_org_id_target_id_fkey FOREIGN KEY (org_id, target_id) REFERENCES targets(org_id, id)
    CONSTRAINT target_departments_pkey PRIMARY KEY (org_id, department_key, target_id)
    CREATE UNIQUE INDEX target_departments_pkey ON public.target_departments USING btree (org_id, department_key, target_id)
    CREATE INDEX target_departments_target ON public.target_departments USING btree (org_id, target_id)
TABLE target_terms
    org_id uuid NOT NULL
    target_id uuid NOT NULL
    number integer NOT NULL
    place text COLLATE "C" NOT NULL
    derivation_id uuid NOT NULL
    content text COLLATE "C" NOT NULL
    CONSTRAINT target_terms_org_id_derivation_id_fkey FOREIGN KEY (org_id, derivation_id) REFERENCES derivations(org_id, id)
    CONSTRAINT target_terms_org_id_target_id_fkey FOREIGN KEY (org_id, target_id) REFERENCES targets(org_id, id)
    CONSTRAINT target_terms_pkey PRIMARY KEY (org_id, target_id, number)
    CONSTRAINT target_terms_place_check CHECK ((place = ANY (ARRAY['STANDING'::text, 'AMENDMENT'::text, 'HISTORY'::text])))
    CREATE INDEX target_terms_derivation ON public.target_terms USING btree (org_id, derivation_id)
    CREATE UNIQUE INDEX target_terms_pkey ON public.target_terms USING btree (org_id, target_id, number)
TABLE targets
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    owner_user_id uuid
    owner_team_id uuid
    period_kind text COLLATE "C" NOT NULL
    period_start date NOT NULL
    level text COLLATE "C" NOT NULL
    state text COLLATE "C" NOT NULL
    parent_id uuid
    approver_id uuid
    buffer text COLLATE "C" NOT NULL
    published_at timestamp with time zone
    activated_at timestamp with time zone
    late_reason text COLLATE "C"
    late_approver_id uuid
    closed_at timestamp with time zone
    withdrawn_at timestamp with time zone
    withdraw_reason text COLLATE "C"
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT targets_check CHECK (((owner_user_id IS NULL) <> (owner_team_id IS NULL)))
    CONSTRAINT targets_check1 CHECK (((late_reason IS NULL) = (late_approver_id IS NULL)))
    CONSTRAINT targets_check2 CHECK (((state = 'CLOSED'::text) = (closed_at IS NOT NULL)))
    CONSTRAINT targets_check3 CHECK (((state = 'WITHDRAWN'::text) = (withdrawn_at IS NOT NULL)))
    CONSTRAINT targets_level_check CHECK ((level = ANY (ARRAY['BASE'::text, 'SPRINT'::text, 'CHALLENGE'::text])))
    CONSTRAINT targets_org_id_approver_id_fkey FOREIGN KEY (org_id, approver_id) REFERENCES users(org_id, id)
    CONSTRAINT targets_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT targets_org_id_late_approver_id_fkey FOREIGN KEY (org_id, late_approver_id) REFERENCES users(org_id, id)
    CONSTRAINT targets_org_id_owner_team_id_fkey FOREIGN KEY (org_id, owner_team_id) REFERENCES teams(org_id, id)
    CONSTRAINT targets_org_id_owner_user_id_fkey FOREIGN KEY (org_id, owner_user_id) REFERENCES users(org_id, id)
    CONSTRAINT targets_org_id_parent_id_fkey FOREIGN KEY (org_id, parent_id) REFERENCES targets(org_id, id)
    CONSTRAINT targets_period_kind_check CHECK ((period_kind = ANY (ARRAY['WEEK'::text, 'MONTH'::text, 'QUARTER'::text, 'YEAR'::text])))
    CONSTRAINT targets_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT targets_state_check CHECK ((state = ANY (ARRAY['PROPOSED'::text, 'COUNTERED'::text, 'AGREED'::text, 'COMMITTED'::text, 'ACTIVE'::text, 'CLOSED'::text, 'WITHDRAWN'::text])))
    CREATE INDEX targets_approver ON public.targets USING btree (org_id, approver_id)
    CREATE INDEX targets_created ON public.targets USING btree (org_id, created_at, id)
    CREATE UNIQUE INDEX targets_of_team ON public.targets USING btree (org_id, owner_team_id, period_start, period_kind, level) WHERE (state <> 'WITHDRAWN'::text)
    CREATE UNIQUE INDEX targets_of_user ON public.targets USING btree (org_id, owner_user_id, period_start, period_kind, level) WHERE (state <> 'WITHDRAWN'::text)
    CREATE INDEX targets_parent ON public.targets USING btree (org_id, parent_id)
    CREATE UNIQUE INDEX targets_pkey ON public.targets USING btree (org_id, id)
TABLE team_closure
    org_id uuid NOT NULL
    ancestor_id uuid NOT NULL
    descendant_id uuid NOT NULL
    depth integer NOT NULL
    CONSTRAINT team_closure_org_id_ancestor_id_fkey FOREIGN KEY (org_id, ancestor_id) REFERENCES teams(org_id, id)
    CONSTRAINT team_closure_org_id_descendant_id_fkey FOREIGN KEY (org_id, descendant_id) REFERENCES teams(org_id, id)
    CONSTRAINT team_closure_pkey PRIMARY KEY (org_id, ancestor_id, descendant_id)
    CREATE INDEX team_closure_descendant ON public.team_closure USING btree (org_id, descendant_id)
    CREATE UNIQUE INDEX team_closure_pkey ON public.team_closure USING btree (org_id, ancestor_id, descendant_id)
TABLE teams
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    parent_id uuid
    created_at timestamp with time zone NOT NULL
    CONSTRAINT teams_check CHECK ((parent_id <> id))
    CONSTRAINT teams_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT teams_org_id_parent_id_fkey FOREIGN KEY (org_id, parent_id) REFERENCES teams(org_id, id)
    CONSTRAINT teams_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX teams_name ON public.teams USING btree (org_id, name_key)
    CREATE UNIQUE INDEX teams_pkey ON public.teams USING btree (org_id, id)
TABLE throttles
    bucket text COLLATE "C" NOT NULL
    window_start timestamp with time zone NOT NULL
    attempts integer NOT NULL
    CONSTRAINT throttles_pkey PRIMARY KEY (bucket)
    CREATE UNIQUE INDEX throttles_pkey ON public.throttles USING btree (bucket)
TABLE trusted_clients
    org_id uuid NOT NULL
    client text COLLATE "C" NOT NULL
    CONSTRAINT trusted_clients_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT trusted_clients_pkey PRIMARY KEY (org_id, client)
    CREATE UNIQUE INDEX trusted_clients_pkey ON public.trusted_clients USING btree (org_id, client)
TABLE trusted_documents
    org_id uuid NOT NULL
    hash text COLLATE "C" NOT NULL
    document text COLLATE "C" NOT NULL
    registered_at timestamp with time zone NOT NULL
    CONSTRAINT trusted_documents_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT trusted_documents_pkey PRIMARY KEY (org_id, hash)
    CREATE UNIQUE INDEX trusted_documents_pkey ON public.trusted_documents USING btree (org_id, hash)
TABLE user_leaves
    org_id uuid NOT NULL
    id uuid NOT NULL
    user_id uuid NOT NULL
    first_day date NOT NULL
    end_day date NOT NULL
    CONSTRAINT user_leaves_check CHECK ((end_day > first_day))
    CONSTRAINT user_leaves_org_id_user_id_fkey FOREIGN KEY (org_id, user_id) REFERENCES users(org_id, id)
    CONSTRAINT user_leaves_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX user_leaves_pkey ON public.user_leaves USING btree (org_id, id)
    CREATE UNIQUE INDEX user_leaves_start ON public.user_leaves USING btree (org_id, user_id, first_day)
TABLE users
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    email text COLLATE "C"
    email_key text COLLATE "C"
    role text COLLATE "C" NOT NULL
    status text COLLATE "C" NOT NULL
    hired_on date
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    calendar_id uuid
    deactivated_at timestamp with time zone
    CONSTRAINT users_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT users_pkey PRIMARY KEY (org_id, id)
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['REP'::text, 'MANAGER'::text, 'SERVICE_AGENT'::text, 'FINANCE'::text, 'ADMIN'::text])))
    CONSTRAINT users_status_check CHECK ((status = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text, 'DEACTIVATED'::text])))
    CREATE UNIQUE INDEX users_email ON public.users USING btree (org_id, email_key)
    CREATE INDEX users_name ON public.users USING btree (org_id, name_key, id)
    CREATE UNIQUE INDEX users_pkey ON public.users USING btree (org_id, id)
    CREATE INDEX users_sign_in ON public.users USING btree (email_key)
TABLE work_calendars
    org_id uuid NOT NULL
    id uuid NOT NULL
    version integer NOT NULL
    name text COLLATE "C" NOT NULL
    name_key text COLLATE "C" NOT NULL
    hours text COLLATE "C" NOT NULL
    is_default boolean NOT NULL
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    CONSTRAINT work_calendars_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations(id)
    CONSTRAINT work_calendars_pkey PRIMARY KEY (org_id, id)
    CREATE UNIQUE INDEX work_calendars_default ON public.work_calendars USING btree (org_id) WHERE is_default
    CREATE UNIQUE INDEX work_calendars_name ON public.work_calendars USING btree (org_id, name_key)
    CREATE UNIQUE INDEX work_calendars_pkey ON public.work_calendars USING btree (org_id, id)
