//! How good the forecasts of a closed period were, beside its frozen result; and the way to the deals of a person by
//! their beginning.

crate::migration! {
    up: r"
-- Scores by metric, as JSON.
ALTER TABLE attainment_snapshots ADD COLUMN forecasts {text} NOT NULL DEFAULT '[]';

CREATE INDEX deals_owner_opened ON deals (org_id, owner_id, opened_at);
",
    down: r"
DROP INDEX deals_owner_opened;
ALTER TABLE attainment_snapshots DROP COLUMN forecasts;
",
}
