//! Organisations, users and the team tree with dated memberships.

crate::migration! {
    up: r"
CREATE TABLE organizations (
    id {uuid} NOT NULL PRIMARY KEY,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    time_zone {text} NOT NULL,
    currency {text} NOT NULL,
    created_at {timestamp} NOT NULL
);
CREATE UNIQUE INDEX organizations_name ON organizations (name_key);

CREATE TABLE users (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    email {text},
    email_key {text},
    role {text} NOT NULL CHECK (role IN ('REP', 'MANAGER', 'SERVICE_AGENT', 'FINANCE', 'ADMIN')),
    status {text} NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DEACTIVATED')),
    hired_on {date},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX users_email ON users (org_id, email_key);
CREATE INDEX users_sign_in ON users (email_key);
CREATE INDEX users_name ON users (org_id, name_key, id);

CREATE TABLE teams (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    version integer NOT NULL,
    name {text} NOT NULL,
    name_key {text} NOT NULL,
    parent_id {uuid},
    created_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, parent_id) REFERENCES teams (org_id, id),
    CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX teams_name ON teams (org_id, name_key);

CREATE TABLE team_closure (
    org_id {uuid} NOT NULL,
    ancestor_id {uuid} NOT NULL,
    descendant_id {uuid} NOT NULL,
    depth integer NOT NULL,
    PRIMARY KEY (org_id, ancestor_id, descendant_id),
    FOREIGN KEY (org_id, ancestor_id) REFERENCES teams (org_id, id),
    FOREIGN KEY (org_id, descendant_id) REFERENCES teams (org_id, id)
);
CREATE INDEX team_closure_descendant ON team_closure (org_id, descendant_id);

CREATE TABLE memberships (
    org_id {uuid} NOT NULL,
    id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    team_id {uuid} NOT NULL,
    role {text} NOT NULL CHECK (role IN ('MEMBER', 'LEAD')),
    valid_from {date} NOT NULL,
    valid_to {date},
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    FOREIGN KEY (org_id, team_id) REFERENCES teams (org_id, id),
    CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX memberships_start ON memberships (org_id, user_id, valid_from);
CREATE UNIQUE INDEX memberships_open ON memberships (org_id, user_id) WHERE valid_to IS NULL;
CREATE INDEX memberships_team ON memberships (org_id, team_id, user_id);
",
    down: r"
DROP TABLE memberships;
DROP TABLE team_closure;
DROP TABLE teams;
DROP TABLE users;
DROP TABLE organizations;
",
}
