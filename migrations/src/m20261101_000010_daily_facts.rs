//! Frozen daily facts, the closes that froze them, and indexes that find the facts of a person by day.

crate::migration! {
    up: r"
-- Whose work a step is: who collected the lead, else who looked after the customer when the step was recorded.
-- SQLite cannot add a key of two columns to a table that exists; both people come from columns with one.
ALTER TABLE customer_stages ADD COLUMN user_id {uuid};
UPDATE customer_stages SET user_id = (
    SELECT collected_by FROM customers
    WHERE customers.org_id = customer_stages.org_id AND customers.id = customer_stages.customer_id
) WHERE from_stage IS NULL;
UPDATE customer_stages SET user_id = (
    SELECT owner_id FROM customer_owners
    WHERE customer_owners.org_id = customer_stages.org_id
    AND customer_owners.customer_id = customer_stages.customer_id
    AND customer_owners.valid_from <= customer_stages.recorded_at
    AND (customer_owners.valid_to IS NULL OR customer_owners.valid_to > customer_stages.recorded_at)
) WHERE from_stage IS NOT NULL;
CREATE INDEX customer_stages_user ON customer_stages (org_id, user_id, occurred_at);
CREATE INDEX customer_stages_occurred ON customer_stages (org_id, occurred_at);
CREATE INDEX deals_owner_won ON deals (org_id, owner_id, won_at);
CREATE INDEX deals_owner_cancelled ON deals (org_id, owner_id, cancelled_at);

CREATE TABLE day_closes (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    version integer NOT NULL,
    through_day {date} NOT NULL,
    closed_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, version)
);
CREATE UNIQUE INDEX day_closes_through ON day_closes (org_id, through_day);

CREATE TABLE daily_facts (
    org_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    day {date} NOT NULL,
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

CREATE TABLE daily_fact_revenue (
    org_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    day {date} NOT NULL,
    currency {text} NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (org_id, user_id, day, currency),
    FOREIGN KEY (org_id, user_id, day) REFERENCES daily_facts (org_id, user_id, day)
);
",
    down: r"
DROP TABLE daily_fact_revenue;
DROP TABLE daily_facts;
DROP TABLE day_closes;
DROP INDEX deals_owner_cancelled;
DROP INDEX deals_owner_won;
DROP INDEX customer_stages_occurred;
DROP INDEX customer_stages_user;
ALTER TABLE customer_stages DROP COLUMN user_id;
",
}
