-- Consents come by phone, too.
CREATE INDEX contacts_by_phone ON contacts (phone) WHERE phone IS NOT NULL;
CREATE INDEX contacts_by_user ON contacts (user_id) WHERE user_id IS NOT NULL;

-- What the channel says of our templates, numbers and account.
CREATE TABLE channel_templates (
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    external_id TEXT,
    status TEXT,
    category TEXT,
    quality TEXT,
    reason TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (name, language)
);
CREATE TABLE channel_numbers (
    number TEXT PRIMARY KEY,
    display TEXT,
    quality TEXT,
    tier TEXT,
    event TEXT,
    stopped_reason TEXT,
    stopped_until BIGINT,
    updated_at BIGINT NOT NULL
);
CREATE INDEX channel_numbers_display ON channel_numbers (display) WHERE display IS NOT NULL;

-- A notification is said once under its key.
CREATE TABLE notifications (
    key TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Whole texts of messages that a channel shortens.
ALTER TABLE messages ADD COLUMN page TEXT;
CREATE UNIQUE INDEX messages_page ON messages (page) WHERE page IS NOT NULL;

-- When the customer was told last that this is an AI.
ALTER TABLE conversations ADD COLUMN disclosed_at BIGINT;
