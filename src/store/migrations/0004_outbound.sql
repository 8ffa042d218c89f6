-- Two lanes; a row that is being sent is leased; the first row of a conversation's lane is its head.
ALTER TABLE outbox ADD COLUMN lane TEXT NOT NULL DEFAULT 'reply';
ALTER TABLE outbox ADD COLUMN category TEXT NOT NULL DEFAULT 'service';
ALTER TABLE outbox ADD COLUMN template TEXT;
-- Goes although a person holds the conversation: it says so, or it confirms a payment.
ALTER TABLE outbox ADD COLUMN regardless BIGINT NOT NULL DEFAULT 0;
UPDATE outbox SET regardless = 1 WHERE state = 'queued' AND withdrawn = 0;
ALTER TABLE outbox ADD COLUMN head BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN lease_owner TEXT;
ALTER TABLE outbox ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
-- What the channel said when it refused: its code, our class of it, whether the one repetition was used.
ALTER TABLE outbox ADD COLUMN code BIGINT;
ALTER TABLE outbox ADD COLUMN class TEXT;
ALTER TABLE outbox ADD COLUMN capped BIGINT NOT NULL DEFAULT 0;
-- Whether a person was told that it was perhaps sent, and when the channel took it.
ALTER TABLE outbox ADD COLUMN shown BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN sent_at BIGINT;
UPDATE outbox SET sent_at = updated_at WHERE state = 'sent';
UPDATE outbox SET head = 1 WHERE state IN ('queued', 'sending') AND NOT EXISTS (
    SELECT 1 FROM outbox earlier WHERE earlier.conversation_id = outbox.conversation_id
    AND earlier.state IN ('queued', 'sending') AND earlier.id < outbox.id
);
DROP INDEX outbox_due;
DROP INDEX outbox_sending;
DROP INDEX outbox_waiting;
CREATE INDEX outbox_ready ON outbox (sender, lane, due_at, id) WHERE state = 'queued' AND head = 1;
CREATE INDEX outbox_next ON outbox (due_at) WHERE state = 'queued' AND head = 1;
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'sending';
CREATE INDEX outbox_waiting ON outbox (conversation_id, lane, id) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_unsettled ON outbox (updated_at) WHERE state = 'unknown' AND shown = 0;
CREATE INDEX outbox_undelivered ON outbox (sent_at)
    WHERE state = 'sent' AND (delivery IS NULL OR delivery = 'sent');

-- The window of 24 hours, the free entry point, and the bucket of a pair of numbers (microseconds).
ALTER TABLE conversations ADD COLUMN last_inbound_at BIGINT;
ALTER TABLE conversations ADD COLUMN free_until BIGINT;
ALTER TABLE conversations ADD COLUMN pair_free_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN pair_held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN pair_holds BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET last_inbound_at = said.at FROM (
    SELECT conversation_id, MAX(
        CASE WHEN sent_at > 0 AND sent_at * 1000 < received_at THEN sent_at * 1000 ELSE received_at END
    ) AS at FROM inbox WHERE content NOT LIKE '{"type":"silent"%' GROUP BY conversation_id
) AS said WHERE said.conversation_id = conversations.id;
ALTER TABLE contacts ADD COLUMN undeliverable BIGINT NOT NULL DEFAULT 0;

-- Our numbers: the bucket (microseconds), the pause of the bulk lane, and why nothing is sent.
CREATE TABLE senders (
    id TEXT PRIMARY KEY,
    free_at BIGINT NOT NULL DEFAULT 0,
    strikes BIGINT NOT NULL DEFAULT 0,
    bulk_from BIGINT NOT NULL DEFAULT 0,
    broken TEXT,
    probe_at BIGINT NOT NULL DEFAULT 0,
    probes BIGINT NOT NULL DEFAULT 0
);
INSERT INTO senders (id) SELECT DISTINCT sender FROM outbox;

-- Whom we wrote to first, within the last day, and how many they are.
CREATE TABLE reached (
    contact_id TEXT PRIMARY KEY REFERENCES contacts (id),
    outbox_id TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX reached_at ON reached (at);
CREATE TABLE reach (
    portfolio TEXT PRIMARY KEY,
    people BIGINT NOT NULL,
    since BIGINT NOT NULL
);

-- Append-only; the latest row of a contact and a purpose holds.
CREATE TABLE consents (
    id TEXT PRIMARY KEY,
    contact_id TEXT NOT NULL REFERENCES contacts (id),
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    shown TEXT,
    proof TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX consents_latest ON consents (contact_id, purpose, id);

-- Templates that must not be used.
CREATE TABLE stopped_templates (
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (name, language)
);

-- What a person must look at, until it is over.
CREATE TABLE alerts (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    times BIGINT NOT NULL,
    since BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE INDEX alerts_at ON alerts (at);

-- What messages cost: one row a message (millionths of the currency), and the sums.
CREATE TABLE costs (
    external_id TEXT PRIMARY KEY,
    outbox_id TEXT,
    conversation_id TEXT,
    billable BIGINT,
    model TEXT,
    kind TEXT NOT NULL,
    category TEXT NOT NULL,
    micros BIGINT NOT NULL,
    currency TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE TABLE spending (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    currency TEXT NOT NULL,
    messages BIGINT NOT NULL,
    micros BIGINT NOT NULL,
    PRIMARY KEY (scope, key, currency)
);
