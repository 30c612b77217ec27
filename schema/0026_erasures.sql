-- SPDX-License-Identifier: BSD-2-Clause
--
-- Users who are being erased: what is left to be done after the transaction that erased them (src/store/erasure.h).
--
-- Which look-up each index serves:
--   erasures PRIMARY         a user's row, to be moved on.
--   erasures by_time         whose turn it is.
--   reactions by_user        all reactions of a user, in order.

-- A row is deleted when nothing is left. user_states.erased_at stays.
CREATE TABLE IF NOT EXISTS erasures (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- the database's clock
	erased_at DATETIME(3) NOT NULL,
	-- when the next step is due
	due_at DATETIME(3) NOT NULL,
	-- the user's messages are recalled as well
	messages TINYINT NOT NULL DEFAULT 0,
	-- enum erasure_stage (src/store/erasure.h)
	stage SMALLINT UNSIGNED NOT NULL DEFAULT 0,
	-- where the stage goes on, as it wrote it
	after VARCHAR(96) NOT NULL DEFAULT '',
	-- this round has found something; then there is another one
	found TINYINT NOT NULL DEFAULT 0,
	PRIMARY KEY (user_id),
	KEY by_time (due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE reactions ADD KEY by_user (user_id, message_id, emoji)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'reactions' AND index_name = 'by_user');
PREPARE add_by_user FROM @add;
EXECUTE add_by_user;
DEALLOCATE PREPARE add_by_user;
