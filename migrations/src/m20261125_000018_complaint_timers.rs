//! When a complaint is to be looked at next, and since when its owner cannot sign in.

crate::migration! {
    up: r"
-- Not a fact of the business but of a job: it may be moved without a change of the complaint.
ALTER TABLE complaints ADD COLUMN look_at {timestamp} CHECK (look_at IS NULL OR ended_at IS NULL);
UPDATE complaints SET look_at = updated_at WHERE ended_at IS NULL;
CREATE INDEX complaints_look ON complaints (look_at, org_id, id) WHERE look_at IS NOT NULL;

ALTER TABLE users ADD COLUMN deactivated_at {timestamp};
UPDATE users SET deactivated_at = updated_at WHERE status = 'DEACTIVATED';
",
    down: r"
ALTER TABLE users DROP COLUMN deactivated_at;
DROP INDEX complaints_look;
ALTER TABLE complaints DROP COLUMN look_at;
",
}
