-- SPDX-License-Identifier: BSD-2-Clause
--
-- How far messages of a direct conversation have reached each side, as its devices report it, and when that was written.
-- Not in `conversations`, whose rows are locked by everybody who sends: no send waits for a delivery. What a side has
-- read has reached it, whatever is here.
--
-- Which look-up each index serves:
--   deliveries PRIMARY         a conversation's row, beside that of `conversations`; locked in order of id.

CREATE TABLE IF NOT EXISTS deliveries (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user1_seq INT UNSIGNED NOT NULL DEFAULT 0,
	user1_at DATETIME(3) NULL,
	user2_seq INT UNSIGNED NOT NULL DEFAULT 0,
	user2_at DATETIME(3) NULL,
	PRIMARY KEY (conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
