-- Who someone is: a phone, an id of the channel's own, or both. Each is one contact's.
ALTER TABLE contacts ADD COLUMN portfolio TEXT NOT NULL DEFAULT '';
ALTER TABLE contacts ADD COLUMN user_id TEXT;
UPDATE contacts SET user_id = address
WHERE channel = 'whatsapp' AND phone IS NULL AND address LIKE '__.%';
CREATE UNIQUE INDEX contacts_phone ON contacts (portfolio, phone)
WHERE channel = 'whatsapp' AND phone IS NOT NULL;
CREATE UNIQUE INDEX contacts_user ON contacts (portfolio, user_id)
WHERE channel = 'whatsapp' AND user_id IS NOT NULL;

-- What was done to records of people, by whom. Only ever added to; holds no text of messages.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);

-- What came in and could not be worked on.
CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    key TEXT NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    replays BIGINT NOT NULL DEFAULT 0,
    replayed_at BIGINT,
    UNIQUE (recipient, key)
);
CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE replayed_at IS NULL;

-- The advertisement that led to a conversation.
ALTER TABLE conversations ADD COLUMN referral TEXT;

-- The message that an edit or a revocation is about; whether it came long after it was sent; until when
-- its turn waits for what is in it.
ALTER TABLE inbox ADD COLUMN target TEXT;
ALTER TABLE inbox ADD COLUMN late BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN ready_at BIGINT;
CREATE INDEX inbox_target ON inbox (channel, recipient, target) WHERE target IS NOT NULL;
CREATE INDEX inbox_sent ON inbox (conversation_id, sent_at);
ALTER TABLE messages ADD COLUMN edited_at BIGINT;
ALTER TABLE messages ADD COLUMN revoked_at BIGINT;

-- Files of customers: what is to be fetched, what lies beside the database, what failed.
CREATE TABLE media (
    message_id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    sha256 TEXT,
    filename TEXT,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    file TEXT,
    mime_type TEXT,
    size BIGINT,
    fault TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX media_waiting ON media (due_at) WHERE state = 'waiting';
CREATE INDEX media_gone ON media (message_id) WHERE state = 'gone';
CREATE INDEX media_file ON media (file) WHERE file IS NOT NULL;
