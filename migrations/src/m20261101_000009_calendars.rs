//! Work calendars, the calendar of each person, and leave.

crate::migration! {
    up: r"
CREATE TABLE work_calendars (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    -- Zone, weekly intervals and exceptions as JSON: they are read and written as a whole.
    hours {text} NOT NULL,
    is_default boolean NOT NULL,
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX work_calendars_name ON work_calendars (org_id, name_key);
CREATE UNIQUE INDEX work_calendars_default ON work_calendars (org_id) WHERE is_default;

-- SQLite cannot add a key of two columns to a table that exists. Calendars are never deleted, and whoever names
-- one looks it up in the organisation.
ALTER TABLE users ADD COLUMN calendar_id {uuid};

CREATE TABLE user_leaves (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    first_day {date} NOT NULL,
    -- The first day that no longer counts.
    end_day {date} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    CHECK (end_day > first_day)
);
CREATE UNIQUE INDEX user_leaves_start ON user_leaves (org_id, user_id, first_day);
",
    down: r"
DROP TABLE user_leaves;
ALTER TABLE users DROP COLUMN calendar_id;
DROP TABLE work_calendars;
",
}
