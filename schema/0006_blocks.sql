-- SPDX-License-Identifier: BSD-2-Clause
--
-- Blocks, and what bounds friend requests.
--
-- Which look-up each index serves:
--   blocks PRIMARY             has this user blocked that one; the list of a user's blocks.
--   friend_request_limits PRIMARY  what a user has left of the day's requests.
--   friendships by_blocked     whom a user blocks, out of many friends.
--   friend_declines PRIMARY    was this user's request declined by that one; a user's old ones, to be deleted.
--   friend_declines by_to,     does an id occur there without a row in users, which nobody may register then.
--     friendships by_friend, notifications by_actor

-- user_id has blocked blocked_id, whether they are friends or not. (user_id, blocked_id).blocked in friendships says
-- the same; either is enough. Here it outlives the friendship.
CREATE TABLE IF NOT EXISTS blocks (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	blocked_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
	PRIMARY KEY (user_id, blocked_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friend_request_limits (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- when the user may send a day's requests at once again; each request moves it
	full_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- to_user_id has declined a request of from_user_id. Of no use after a day.
CREATE TABLE IF NOT EXISTS friend_declines (
	from_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	to_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	declined_at DATETIME(3) NOT NULL,
	PRIMARY KEY (from_user_id, to_user_id),
	KEY by_to (to_user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Another system may have made the table with such an index.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE friendships ADD KEY by_friend (friend_id)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'friendships' AND column_name = 'friend_id' AND seq_in_index = 1);
PREPARE add_by_friend FROM @add;
EXECUTE add_by_friend;
DEALLOCATE PREPARE add_by_friend;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE friendships ADD KEY by_blocked (user_id, blocked, friend_id)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'friendships' AND index_name = 'by_blocked');
PREPARE add_by_blocked FROM @add;
EXECUTE add_by_blocked;
DEALLOCATE PREPARE add_by_blocked;

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE notifications ADD KEY by_actor (actor_id)', 'DO 0')
	FROM information_schema.statistics
	WHERE table_schema = DATABASE() AND table_name = 'notifications' AND column_name = 'actor_id' AND seq_in_index = 1);
PREPARE add_by_actor FROM @add;
EXECUTE add_by_actor;
DEALLOCATE PREPARE add_by_actor;
