-- SPDX-License-Identifier: BSD-2-Clause
--
-- The names by which users are found.
--
-- Which look-up each index serves:
--   user_names PRIMARY       whose name contains a text: one row for each place in a name where a search may begin.
--   user_names by_user       a user's rows, to be replaced.

-- The nickname from one of its characters on, folded (src/core/fold.h) and cut. What is in `users` decides: another
-- system may write that table, so the relay compares it with this one.
CREATE TABLE IF NOT EXISTS user_names (
	part VARCHAR(32) NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (part, user_id),
	KEY by_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
