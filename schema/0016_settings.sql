-- SPDX-License-Identifier: BSD-2-Clause
--
-- What a user has set for themselves of a conversation, and how far they have cleared its history. A row in
-- conversation_settings is made when something is set first; most conversations have none.
--
-- What messages and reads change lies in the rows that they lock and write anyway, in conversations and members. So a message
-- writes nothing per member, and "archived until somebody else writes" needs no look at the messages:
--
--   archived_seq  the conversation was archived by that side when last_seq was this; null: it is not. Own messages that
--                 follow it at once move it along. Where it is less than last_seq somebody else has written since, and the
--                 conversation is not archived any more, unless it is muted.
--   marked        it is marked as unread; a read clears it.
--   first_seq     of direct conversations: the first message that this side has not cleared; null: the first of all.
--
-- The row of conversation 0 stands for the user: it is locked before the user's pinned conversations are counted.
--
-- Which look-up each index serves:
--   conversation_settings PRIMARY    what is set of a conversation, beside its row.
--   conversation_settings by_change  what was set since a cursor.
--   conversation_settings placed     of which conversations anything is set; how many a user has pinned.

CREATE TABLE IF NOT EXISTS conversation_settings (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	muted_until DATETIME(3) NULL,
	mute_mentions TINYINT UNSIGNED NOT NULL DEFAULT 0,
	pinned_at DATETIME(3) NULL,
	-- was archived; whether it still is, archived_seq tells
	archived TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- the last message that was cleared; while it is the last one of all, the conversation is not listed
	cleared_seq INT UNSIGNED NULL,
	draft TEXT NULL,
	-- when anything that is set was changed last, marks and clearing too; as sort_time
	changed_at DATETIME(3) NOT NULL,
	-- what there is: 1 pinned, 2 archived, 4 cleared, 8 anything else, added up
	placed TINYINT UNSIGNED AS ((pinned_at IS NOT NULL) + 2 * archived + 4 * (cleared_seq IS NOT NULL)
		+ 8 * (muted_until IS NOT NULL OR mute_mentions = 1 OR draft IS NOT NULL)) STORED,
	PRIMARY KEY (user_id, conversation_id),
	KEY by_change (user_id, changed_at, conversation_id),
	KEY placed (user_id, placed, conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE conversations ADD COLUMN user1_archived_seq INT UNSIGNED NULL, ADD COLUMN user2_archived_seq INT UNSIGNED NULL, ADD COLUMN user1_marked TINYINT UNSIGNED NULL, ADD COLUMN user2_marked TINYINT UNSIGNED NULL, ADD COLUMN user1_first_seq INT UNSIGNED NULL, ADD COLUMN user2_first_seq INT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'conversations' AND column_name = 'user1_archived_seq');
PREPARE add_own FROM @add;
EXECUTE add_own;
DEALLOCATE PREPARE add_own;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE members ADD COLUMN archived_seq INT UNSIGNED NULL, ADD COLUMN marked TINYINT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'members' AND column_name = 'archived_seq');
PREPARE add_own FROM @add;
EXECUTE add_own;
DEALLOCATE PREPARE add_own;
