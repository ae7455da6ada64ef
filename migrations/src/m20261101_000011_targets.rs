//! Targets, the versions of their terms, what they were derived from, and their frozen results.

crate::migration! {
    up: r"
-- How numbers follow from recorded work: written once, as the canonical JSON that can be derived again.
CREATE TABLE derivations (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    content {text} NOT NULL,
    -- SHA-256 of the content, in hexadecimal digits.
    sha256 {text} NOT NULL,
    created_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id)
);

CREATE TABLE targets (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    owner_user_id {uuid},
    owner_team_id {uuid},
    period_kind {text} NOT NULL CHECK (period_kind IN ('WEEK', 'MONTH', 'QUARTER', 'YEAR')),
    period_start {date} NOT NULL,
    level {text} NOT NULL CHECK (level IN ('BASE', 'SPRINT', 'CHALLENGE')),
    state {text} NOT NULL
        CHECK (state IN ('PROPOSED', 'COUNTERED', 'AGREED', 'COMMITTED', 'ACTIVE', 'CLOSED', 'WITHDRAWN')),
    parent_id {uuid},
    -- Who answers for unusual terms that stand or are on the table; may read them for that.
    approver_id {uuid},
    -- Lines, as JSON.
    buffer {text} NOT NULL,
    published_at {timestamp},
    activated_at {timestamp},
    late_reason {text},
    late_approver_id {uuid},
    closed_at {timestamp},
    withdrawn_at {timestamp},
    withdraw_reason {text},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
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
CREATE UNIQUE INDEX targets_of_user ON targets (org_id, owner_user_id, period_start, period_kind, level)
    WHERE state <> 'WITHDRAWN';
CREATE UNIQUE INDEX targets_of_team ON targets (org_id, owner_team_id, period_start, period_kind, level)
    WHERE state <> 'WITHDRAWN';
CREATE INDEX targets_created ON targets (org_id, created_at, id);
CREATE INDEX targets_parent ON targets (org_id, parent_id);
CREATE INDEX targets_approver ON targets (org_id, approver_id);

CREATE TABLE target_terms (
    org_id {uuid} NOT NULL,
    target_id {uuid} NOT NULL,
    number integer NOT NULL,
    place {text} NOT NULL CHECK (place IN ('STANDING', 'AMENDMENT', 'HISTORY')),
    derivation_id {uuid} NOT NULL,
    -- The terms with their signatures, as JSON.
    content {text} NOT NULL,
    PRIMARY KEY (org_id, target_id, number),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id),
    FOREIGN KEY (org_id, derivation_id) REFERENCES derivations (org_id, id)
);
CREATE INDEX target_terms_derivation ON target_terms (org_id, derivation_id);

-- Results, frozen when a target is closed.
CREATE TABLE attainment_snapshots (
    org_id {uuid} NOT NULL,
    target_id {uuid} NOT NULL,
    terms_number integer NOT NULL,
    as_of {timestamp} NOT NULL,
    position bigint NOT NULL,
    -- Lines, as JSON.
    lines {text} NOT NULL,
    PRIMARY KEY (org_id, target_id),
    FOREIGN KEY (org_id, target_id) REFERENCES targets (org_id, id)
);
",
    down: r"
DROP TABLE attainment_snapshots;
DROP TABLE target_terms;
DROP TABLE targets;
DROP TABLE derivations;
",
}
