-- SPDX-License-Identifier: BSD-2-Clause
--
-- Messages that the server recalls at their time, messages.expires_at.
--
-- Which look-up each index serves:
--   expiries PRIMARY  the messages whose time has come, the first of them first.

-- One row a message until it is recalled, by the server or before that by anybody else.
CREATE TABLE IF NOT EXISTS expiries (
	expires_at DATETIME(3) NOT NULL,
	message_id BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (expires_at, message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Seconds, as the message was sent; null: it has what was its conversation's default then.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN expires_in INT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'expires_in');
PREPARE add_expiry FROM @add;
EXECUTE add_expiry;
DEALLOCATE PREPARE add_expiry;

-- Seconds after which a conversation's messages expire that do not say so themselves; null: they do not.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE conversations ADD COLUMN expires_in INT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'conversations' AND column_name = 'expires_in');
PREPARE add_expiry FROM @add;
EXECUTE add_expiry;
DEALLOCATE PREPARE add_expiry;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE group_heads ADD COLUMN expires_in INT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'group_heads' AND column_name = 'expires_in');
PREPARE add_expiry FROM @add;
EXECUTE add_expiry;
DEALLOCATE PREPARE add_expiry;
