//! Documents that an organisation has registered, and the clients that send nothing else.

crate::migration! {
    up: r"
CREATE TABLE trusted_documents (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    -- SHA-256 of the document, in hexadecimal digits.
    hash {text} NOT NULL,
    document {text} NOT NULL,
    registered_at {timestamp} NOT NULL,
    PRIMARY KEY (org_id, hash)
);

-- Names as in the header X-Client-Name; * is every client of the organisation.
CREATE TABLE trusted_clients (
    org_id {uuid} NOT NULL REFERENCES organizations (id),
    client {text} NOT NULL,
    PRIMARY KEY (org_id, client)
);
",
    down: r"
DROP TABLE trusted_clients;
DROP TABLE trusted_documents;
",
}
