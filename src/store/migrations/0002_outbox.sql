-- Which message of the transcript a row sends, and whether a person withdrew it.
ALTER TABLE outbox ADD COLUMN message_id TEXT;
ALTER TABLE outbox ADD COLUMN withdrawn BIGINT NOT NULL DEFAULT 0;
UPDATE outbox SET message_id = (
    SELECT m.id FROM messages m
    WHERE m.conversation_id = outbox.conversation_id AND m.speaker <> 'customer'
    AND m.at = outbox.created_at AND m.body = outbox.answer
    ORDER BY m.id LIMIT 1
);
CREATE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_waiting ON outbox (conversation_id, id) WHERE state IN ('queued', 'sending');

-- No statement reads a whole table that grows.
CREATE INDEX conversations_recent ON conversations (updated_at) WHERE waiting_since IS NULL;
CREATE INDEX tickets_conversation ON tickets (conversation_id, id);
CREATE INDEX orders_phone ON orders (phone, placed_on, number);
CREATE INDEX orders_counter ON orders (CAST(number AS INTEGER));
