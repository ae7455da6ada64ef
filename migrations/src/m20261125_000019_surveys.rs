//! Why a survey was taken back, and which surveys are due.

crate::migration! {
    up: r"
ALTER TABLE surveys ADD COLUMN withdrawal {text} CHECK (withdrawal IN ('REOPENED', 'NO_ADDRESS', 'UNDELIVERED'));
-- There was no other reason before.
UPDATE surveys SET withdrawal = 'REOPENED' WHERE state = 'WITHDRAWN';
CREATE INDEX surveys_due ON surveys (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE INDEX surveys_sent ON surveys (org_id, sent_at) WHERE sent_at IS NOT NULL;
",
    down: r"
DROP INDEX surveys_sent;
DROP INDEX surveys_due;
ALTER TABLE surveys DROP COLUMN withdrawal;
",
}
