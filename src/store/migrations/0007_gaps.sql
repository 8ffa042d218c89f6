-- The message that a customer quotes, by the channel's id of it, and the product whose card they answer.
ALTER TABLE messages ADD COLUMN quoted TEXT;
ALTER TABLE messages ADD COLUMN product TEXT;

-- How often a file in a message of ours was refused.
ALTER TABLE outbox ADD COLUMN media_tries BIGINT NOT NULL DEFAULT 0;

-- When the channel told how many people may be written to first: the latest word counts.
ALTER TABLE channel_numbers ADD COLUMN tier_at BIGINT;
UPDATE channel_numbers SET tier_at = updated_at WHERE tier IS NOT NULL;

-- What came at one time, and what advertisements led to.
CREATE INDEX webhooks_received ON webhooks (received_at);
CREATE INDEX conversations_referred ON conversations (id) WHERE referral IS NOT NULL;
