-- SPDX-License-Identifier: BSD-2-Clause
--
-- The search index: filters that tell in which messages a word may be. It is derived from the messages, written by the
-- relay (src/relay/index.h), and can be made anew at any time. A message that no filter covers is compared itself, so
-- that the index may be behind without anything being missed.
--
-- A block is 64 messages of a conversation: those with seq >> 6 = block.
--
-- Which look-up each index serves:
--   search_heads PRIMARY    up to which seq the filters of a conversation hold.
--   search_blocks PRIMARY   the filters of a conversation, from some block to another.
--   search_blocks by_time   the block that a time is in.
--   search_edits PRIMARY    messages of a conversation that were edited since their filter was made.

-- One row.
CREATE TABLE IF NOT EXISTS search_state (
	id TINYINT UNSIGNED NOT NULL,
	-- counts how often the index was made; rows of search_heads that have another one are of no use
	generation INT UNSIGNED NOT NULL,
	-- the rules by which the filters are made (src/core/signature.h); 0: there are none yet
	format INT UNSIGNED NOT NULL,
	-- 0 is being built, 1 ready, 2 off
	state TINYINT UNSIGNED NOT NULL,
	-- while it is being built: the conversation up to which that has come
	walked_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
	-- the relay that writes; and how many transactions it has written, so that one that was replaced notices
	holder VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
	writes BIGINT UNSIGNED NOT NULL DEFAULT 0,
	-- since when it is in this state
	changed_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO search_state (id, generation, format, state, changed_at)
	SELECT 1, 1, 0, IF(EXISTS (SELECT 1 FROM messages), 0, 1), UTC_TIMESTAMP(3)
	ON DUPLICATE KEY UPDATE search_state.id = 1;

CREATE TABLE IF NOT EXISTS search_heads (
	conversation_id BIGINT UNSIGNED NOT NULL,
	generation INT UNSIGNED NOT NULL,
	covered_seq INT UNSIGNED NOT NULL,
	PRIMARY KEY (conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS search_blocks (
	conversation_id BIGINT UNSIGNED NOT NULL,
	block INT UNSIGNED NOT NULL,
	-- created_at of the first and the last message that the filter covers
	first_at DATETIME(3) NOT NULL,
	last_at DATETIME(3) NOT NULL,
	-- empty: no message has words
	filter BLOB NOT NULL,
	PRIMARY KEY (conversation_id, block),
	KEY by_time (conversation_id, first_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Written with the edit, and deleted with the filter that knows of it.
CREATE TABLE IF NOT EXISTS search_edits (
	conversation_id BIGINT UNSIGNED NOT NULL,
	seq INT UNSIGNED NOT NULL,
	-- the edit's
	change_seq INT UNSIGNED NOT NULL,
	PRIMARY KEY (conversation_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
