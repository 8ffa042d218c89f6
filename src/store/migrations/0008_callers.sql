-- Tokens of the shop's own assistants. A token is shown once; only its hash is here.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    used_at BIGINT
);

-- One-time codes. Key, subject and code are hashes; without a contact nobody was found and no code fits.
CREATE TABLE verifications (
    key TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    code TEXT NOT NULL,
    contact_id TEXT REFERENCES contacts (id),
    conversation_id TEXT REFERENCES conversations (id),
    attempts BIGINT NOT NULL DEFAULT 0,
    used BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX verifications_subject ON verifications (subject, created_at);
CREATE INDEX verifications_created ON verifications (created_at);
CREATE INDEX verifications_contact ON verifications (contact_id) WHERE contact_id IS NOT NULL;

-- Handles of verified customers; the key is a hash of the handle and of who carries it.
CREATE TABLE customer_handles (
    key TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    phone TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX customer_handles_expiry ON customer_handles (expires_at);
CREATE INDEX customer_handles_contact ON customer_handles (contact_id);

-- Questions whether something is to be done; the key is a hash of the question's token, of who asked and of what.
CREATE TABLE confirmations (
    key TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX confirmations_expiry ON confirmations (expires_at);

-- What stands for the placeholder when the row is sent, and until when it is worth sending. Gone when the row ends.
ALTER TABLE outbox ADD COLUMN secret TEXT;
ALTER TABLE outbox ADD COLUMN secret_until BIGINT;
CREATE INDEX outbox_secret ON outbox (conversation_id) WHERE secret IS NOT NULL;
