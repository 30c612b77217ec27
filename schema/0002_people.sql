-- SPDX-License-Identifier: BSD-2-Clause
--
-- Friend requests and notifications.
--
-- Which look-up each index serves:
--   friend_requests PRIMARY    the order of the two lists, newest first, and their pages.
--   friend_requests pair       is there a request between these two, whichever way; of two that cross,
--                              the second meets the first here.
--   friend_requests incoming,  the requests to a user, and from a user.
--     outgoing
--   notifications PRIMARY      one of them, to be marked read.
--   notifications by_user      a user's, newest first, and their pages.
--   notifications unread       how many a user has not read.

CREATE TABLE IF NOT EXISTS friend_requests (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	from_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	to_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- both ids, the lesser first, so that there is one request between two users
	pair VARCHAR(129) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	note VARCHAR(255) NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE KEY pair (pair),
	KEY incoming (to_user_id, id),
	KEY outgoing (from_user_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS notifications (
	-- milliseconds since 1970 << 20 | a random number
	id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	actor_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	-- a JSON object that the module which sent it understands
	ref TEXT NULL,
	message_id BIGINT UNSIGNED NULL,
	body TEXT NULL,
	is_read TINYINT NOT NULL DEFAULT 0,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id),
	KEY by_user (user_id, id),
	KEY unread (user_id, is_read)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
