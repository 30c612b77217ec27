-- SPDX-License-Identifier: BSD-2-Clause
--
-- Up to which message a user had read a conversation at a time, a row for each read that went further. Together with
-- messages.read_at, which holds for a message that was read by itself (and for all that were read before this table was
-- made), it tells when a message was read: at the time of the first mark that is not before it.
--
-- Which look-up each index serves:
--   read_marks PRIMARY         the first mark of a user that is not before a seq.

CREATE TABLE IF NOT EXISTS read_marks (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	up_to_seq INT UNSIGNED NOT NULL,
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, user_id, up_to_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Messages to that side that are neither read nor counted as unread: recalled, or deleted by it, before it read them.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE conversations ADD COLUMN user1_dead INT UNSIGNED NOT NULL DEFAULT 0, ADD COLUMN user2_dead INT UNSIGNED NOT NULL DEFAULT 0', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'conversations' AND column_name = 'user1_dead');
PREPARE add_dead FROM @add;
EXECUTE add_dead;
DEALLOCATE PREPARE add_dead;

UPDATE conversations c JOIN
	(SELECT id >> 28 AS conversation_id, to_user_id, COUNT(*) AS dead FROM messages
		WHERE is_read = 0 AND (is_recalled = 1 OR deleted_by_recipient = 1) GROUP BY id >> 28, to_user_id) m
	ON m.conversation_id = c.id
	SET c.user1_dead = IF(m.to_user_id = c.user1_id, m.dead, c.user1_dead),
		c.user2_dead = IF(m.to_user_id = c.user2_id, m.dead, c.user2_dead);
