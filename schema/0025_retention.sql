-- SPDX-License-Identifier: BSD-2-Clause
--
-- Deleting what is older than message.keep_days and notifications.keep_days (src/relay/retention.c).
--
-- kept_seq is the first message of a conversation that is kept. Nobody sees those before it: no counter includes them, and
-- each reader takes the greater of first_seq and kept_seq. Their rows are deleted afterwards.
--
-- All but the two indexes is done at once, however large the tables are.
--
-- Which look-up each index serves:
--   spent_sends PRIMARY     was a message sent by this client_msg_id that is deleted since.
--   notifications by_time   those that are too old.
--   mentions by_message     the mentions of messages that are deleted.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE conversations ADD COLUMN kept_seq INT UNSIGNED NOT NULL DEFAULT 1', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'conversations' AND column_name = 'kept_seq');
PREPARE add_kept_seq FROM @add;
EXECUTE add_kept_seq;
DEALLOCATE PREPARE add_kept_seq;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE group_heads ADD COLUMN kept_seq INT UNSIGNED NOT NULL DEFAULT 1', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'group_heads' AND column_name = 'kept_seq');
PREPARE add_kept_seq FROM @add;
EXECUTE add_kept_seq;
DEALLOCATE PREPARE add_kept_seq;

-- The client_msg_ids of messages that are deleted, so that a repeat does not send one anew.
CREATE TABLE IF NOT EXISTS spent_sends (
	from_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	client_msg_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (from_user_id, client_msg_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whether there may be any: the write lane reads this row anyway.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE activity ADD COLUMN spends TINYINT UNSIGNED NOT NULL DEFAULT 0', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'activity' AND column_name = 'spends');
PREPARE add_spends FROM @add;
EXECUTE add_spends;
DEALLOCATE PREPARE add_spends;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE notifications ADD KEY by_time (created_at)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'notifications' AND index_name = 'by_time');
PREPARE add_by_time FROM @add;
EXECUTE add_by_time;
DEALLOCATE PREPARE add_by_time;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE mentions ADD KEY by_message (conversation_id, seq)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'mentions' AND index_name = 'by_message');
PREPARE add_by_message FROM @add;
EXECUTE add_by_message;
DEALLOCATE PREPARE add_by_message;
