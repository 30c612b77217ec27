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
	(SELECT STRAIGHT_JOIN p.id, SUM(m.to_user_id = p.user1_id) AS dead1, SUM(m.to_user_id = p.user2_id) AS dead2
		FROM messages m JOIN conversations p ON p.id = m.id >> 28
		WHERE m.is_read = 0 AND (m.is_recalled = 1 OR m.deleted_by_recipient = 1) GROUP BY p.id) d
	ON d.id = c.id
	SET c.user1_dead = d.dead1, c.user2_dead = d.dead2;
