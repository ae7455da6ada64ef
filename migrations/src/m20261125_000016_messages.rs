//! Mail that waits to go out, and what became of it.

crate::migration! {
    up: r"
CREATE TABLE messages (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    id {uuid} NOT NULL,
    purpose {text} NOT NULL,
    -- One of the two.
    user_id {uuid},
    address {text},
    -- The object that it is about, as the event log names it.
    about_type {text} NOT NULL,
    about_id {uuid} NOT NULL,
    subject {text} NOT NULL,
    -- Missing once nobody will send it any more.
    text {text},
    is_sealed boolean NOT NULL,
    state {text} NOT NULL CHECK (state IN ('WAITING', 'SENT', 'FAILED', 'DROPPED')),
    due_at {timestamp},
    attempts integer NOT NULL,
    leased_until {timestamp},
    last_error {text},
    sent_at {timestamp},
    created_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    CHECK ((user_id IS NULL) <> (address IS NULL)),
    CHECK ((state = 'WAITING') = (due_at IS NOT NULL)),
    CHECK (state <> 'WAITING' OR text IS NOT NULL),
    CHECK ((state = 'SENT') = (sent_at IS NOT NULL))
);
CREATE INDEX messages_due ON messages (org_id, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX messages_newest ON messages (org_id, created_at, id);
CREATE INDEX messages_about ON messages (org_id, about_id);
",
    down: r"
DROP TABLE messages;
",
}
