-- SPDX-License-Identifier: BSD-2-Clause
--
-- What a user has deleted for themselves, as runs of seqs, so that a long run is passed over in one step and not read
-- row by row; and the changes that both sides see apart from those that one alone sees.
--
-- A run says that the user has deleted all messages from first_seq to last_seq. The flags in `messages` are the
-- truth: every run is true, but a deleted message may be in none, for a node of the release before
-- this one writes none. Runs that touch are joined when a message between them is deleted, so that between two runs
-- there is a message that the user sees, but for those.
--
-- Which look-up each index serves:
--   deletions PRIMARY          the run before or after a seq.
--   changes by_audience        what was done to a conversation's messages after a change_seq, as one user sees it.

CREATE TABLE IF NOT EXISTS deletions (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	first_seq INT UNSIGNED NOT NULL,
	last_seq INT UNSIGNED NOT NULL,
	PRIMARY KEY (user_id, conversation_id, first_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO deletions (user_id, conversation_id, first_seq, last_seq)
	SELECT user_id, conversation_id, MIN(seq), MAX(seq) FROM (
		SELECT user_id, id >> 28 AS conversation_id, id & 268435455 AS seq,
			(id & 268435455) - CAST(ROW_NUMBER() OVER (PARTITION BY user_id, id >> 28 ORDER BY id) AS SIGNED) AS run
		FROM (
			SELECT from_user_id AS user_id, id FROM messages WHERE deleted_by_sender = 1
			UNION ALL
			SELECT to_user_id, id FROM messages WHERE deleted_by_recipient = 1
		) deleted
	) numbered GROUP BY user_id, conversation_id, run
	ON DUPLICATE KEY UPDATE last_seq = GREATEST(deletions.last_seq, VALUES(last_seq));

-- Who alone sees a change; empty: both sides.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE changes ADD COLUMN audience VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin
	GENERATED ALWAYS AS (IF(kind = 2, user_id, '''')) VIRTUAL, ADD KEY by_audience (conversation_id, audience, change_seq)', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'changes' AND column_name = 'audience');
PREPARE add_audience FROM @add;
EXECUTE add_audience;
DEALLOCATE PREPARE add_audience;
