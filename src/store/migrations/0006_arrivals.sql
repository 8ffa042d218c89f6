-- What was acknowledged and is not yet worked into contacts, conversations and transcripts.
CREATE TABLE arrivals (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (recipient, key)
);
