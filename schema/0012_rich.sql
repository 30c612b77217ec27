-- SPDX-License-Identifier: BSD-2-Clause
--
-- What else a message can have: whom it was forwarded from, the reactions to it, when it expires, and whether it is pinned.
--
-- Which look-up each index serves:
--   reactions PRIMARY          has this user reacted to that message, and how.
--   reactions by_emoji         who has reacted so, in order.
--   pins PRIMARY               a conversation's pinned messages; is this one pinned.

-- forwarded_from: a JSON object of the first author. reactions: how many of each kind, and the first of them, which follows
-- from the table reactions (src/store/reactions.h). reaction_seq: the one entry in `changes` that tells of them.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN forwarded_from TEXT NULL, ADD COLUMN reactions TEXT NULL,
	ADD COLUMN reaction_seq INT UNSIGNED NULL, ADD COLUMN expires_at DATETIME(3) NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'forwarded_from');
PREPARE add_rich FROM @add;
EXECUTE add_rich;
DEALLOCATE PREPARE add_rich;

-- Who has reacted to a message, and how. n: the change_seq of then, so that those of a kind have an order. What the
-- message has of them (messages.reactions) shows the first alone. Rows of a message that was recalled are not looked at.
CREATE TABLE IF NOT EXISTS reactions (
	message_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	emoji VARCHAR(64) NOT NULL,
	n INT UNSIGNED NOT NULL,
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (message_id, user_id, emoji),
	KEY by_emoji (message_id, emoji, n)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Recalled messages of which reactions are left to be deleted.
CREATE TABLE IF NOT EXISTS reaction_erasures (
	message_id BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- n: the change_seq of when it was pinned, by user_id.
CREATE TABLE IF NOT EXISTS pins (
	conversation_id BIGINT UNSIGNED NOT NULL,
	message_id BIGINT UNSIGNED NOT NULL,
	n INT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
