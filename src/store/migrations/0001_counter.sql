CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE contacts (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    phone TEXT,
    name TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (channel, address)
);

CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    holder TEXT NOT NULL DEFAULT 'agent',
    language TEXT,
    misunderstood BIGINT NOT NULL DEFAULT 0,
    disclosed BIGINT NOT NULL DEFAULT 0,
    hand_off_reason TEXT,
    summary TEXT,
    waiting_since BIGINT,
    due_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    lease_epoch BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (contact_id, recipient)
);
CREATE INDEX conversations_due ON conversations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX conversations_waiting ON conversations (waiting_since) WHERE waiting_since IS NOT NULL;

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    received_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    fault TEXT
);

CREATE TABLE events (
    recipient TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (recipient, key)
);

CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    external_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    content TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    turn_id TEXT,
    UNIQUE (channel, recipient, external_id)
);
CREATE INDEX inbox_pending ON inbox (conversation_id, id) WHERE turn_id IS NULL;

CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    turn_id TEXT,
    speaker TEXT NOT NULL,
    text TEXT NOT NULL,
    body TEXT NOT NULL,
    intent TEXT,
    awaiting TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX messages_conversation ON messages (conversation_id, id);

CREATE TABLE turns (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    epoch BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    trace TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX turns_conversation ON turns (conversation_id, id);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    turn_id TEXT,
    channel TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    language TEXT NOT NULL,
    answer TEXT NOT NULL,
    by_human BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    repeated BIGINT NOT NULL DEFAULT 0,
    external_id TEXT,
    delivery TEXT,
    fault TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'queued';
CREATE INDEX outbox_sending ON outbox (id) WHERE state = 'sending';
CREATE INDEX outbox_external ON outbox (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    conversation_id TEXT REFERENCES conversations (id),
    contact_id TEXT REFERENCES contacts (id),
    subject TEXT NOT NULL,
    summary TEXT NOT NULL,
    priority TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tickets_open ON tickets (conversation_id) WHERE state = 'open';

CREATE TABLE payment_links (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    key TEXT NOT NULL,
    items TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    language TEXT NOT NULL,
    provider TEXT NOT NULL,
    external_id TEXT,
    state TEXT NOT NULL,
    order_number TEXT,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    paid_at BIGINT
);
CREATE UNIQUE INDEX payment_links_open ON payment_links (conversation_id, key) WHERE state = 'open';

CREATE TABLE orders (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    email TEXT NOT NULL,
    language TEXT NOT NULL,
    placed_on TEXT NOT NULL,
    status TEXT NOT NULL,
    carrier TEXT,
    tracking TEXT,
    expected_on TEXT,
    items TEXT NOT NULL,
    conversation_id TEXT
);

CREATE TABLE failed_proofs (
    contact_id TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX failed_proofs_contact ON failed_proofs (contact_id, at);

CREATE TABLE embeddings (
    model TEXT NOT NULL,
    hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, hash)
);
