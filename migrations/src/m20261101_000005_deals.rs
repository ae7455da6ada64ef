//! Products, deals and the credit lines of won deals.

crate::migration! {
    up: r"
CREATE TABLE products (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    code {text},
    code_key {text},
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    series {text},
    list_price_minor bigint CHECK (list_price_minor >= 0),
    list_price_currency {text},
    retired_at {timestamp},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK ((list_price_minor IS NULL) = (list_price_currency IS NULL))
);
CREATE UNIQUE INDEX products_name ON products (org_id, name_key);
CREATE UNIQUE INDEX products_code ON products (org_id, code_key);

CREATE TABLE deals (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    number {text} NOT NULL,
    number_key {text} NOT NULL,
    name {text},
    customer_id {uuid},
    product_id {uuid},
    owner_id {uuid} NOT NULL,
    stage {text} NOT NULL
        CHECK (stage IN ('PROSPECTING', 'ENGAGING', 'NEGOTIATING', 'WON', 'LOST', 'CANCELLED')),
    value_minor bigint CHECK (value_minor >= 0),
    value_currency {text},
    opened_at {timestamp} NOT NULL,
    expected_close_on {date},
    won_at {timestamp},
    lost_at {timestamp},
    cancelled_at {timestamp},
    close_reason {text},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
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
CREATE UNIQUE INDEX deals_number ON deals (org_id, number_key);
CREATE INDEX deals_created ON deals (org_id, created_at, id);
CREATE INDEX deals_updated ON deals (org_id, updated_at, id);
CREATE INDEX deals_opened ON deals (org_id, opened_at, id);
CREATE INDEX deals_owner ON deals (org_id, owner_id, created_at, id);
CREATE INDEX deals_customer ON deals (org_id, customer_id, created_at, id);
CREATE INDEX deals_product ON deals (org_id, product_id);
CREATE INDEX deals_won ON deals (org_id, won_at);
CREATE INDEX deals_cancelled ON deals (org_id, cancelled_at);

CREATE TABLE credit_lines (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    deal_id {uuid} NOT NULL,
    user_id {uuid},
    kind {text} NOT NULL CHECK (kind IN ('DIRECT', 'OVERLAY')),
    basis {text} NOT NULL CHECK (basis IN ('BOOKED', 'INVOICED', 'COLLECTED')),
    share_bp integer NOT NULL CHECK (share_bp BETWEEN 1 AND 10000),
    amount_minor bigint NOT NULL,
    currency {text} NOT NULL,
    occurred_at {timestamp} NOT NULL,
    recorded_at {timestamp} NOT NULL,
    reverses_id {uuid},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, deal_id) REFERENCES deals (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, reverses_id) REFERENCES credit_lines (org_id, id),
    CHECK (user_id IS NOT NULL OR kind = 'DIRECT')
);
CREATE UNIQUE INDEX credit_lines_reverses ON credit_lines (org_id, reverses_id);
CREATE INDEX credit_lines_deal ON credit_lines (org_id, deal_id);
CREATE INDEX credit_lines_user ON credit_lines (org_id, user_id, occurred_at);
CREATE INDEX credit_lines_occurred ON credit_lines (org_id, occurred_at);
",
    down: r"
DROP TABLE credit_lines;
DROP TABLE deals;
DROP TABLE products;
",
}
