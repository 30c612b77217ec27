-- SPDX-License-Identifier: BSD-2-Clause
--
-- What the relay that leads tells devices, so that a relay that dies forgets none: first whom something may concern
-- (push_jobs), and once it is known that they have no session, what is sent to each device (push_sends).
--
-- Which look-up each index serves:
--   push_jobs PRIMARY     the one job of a user and conversation, which a newer message changes.
--   push_jobs by_due      the jobs that are due.
--   push_sends PRIMARY    what is to be sent to a device about a conversation; a newer one replaces it.
--   push_sends by_due     what is due, of each lane by itself.
--   push_shown PRIMARY    whose devices show something of a conversation, for when it is read elsewhere.
--   push_shown by_message whose devices show that message, for when it is recalled.
--   push_shown by_user    what goes with a user who is erased.

CREATE TABLE IF NOT EXISTS push_jobs (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- 0: friend requests and notifications
	conversation_id BIGINT UNSIGNED NOT NULL,
	-- counts the changes, so that one that is decided goes only if nothing was added
	version INT UNSIGNED NOT NULL DEFAULT 1,
	-- the newest message; 0: none
	message_id BIGINT UNSIGNED NOT NULL,
	-- of the first change
	since DATETIME(3) NOT NULL,
	due_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, conversation_id),
	KEY by_due (due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS push_sends (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	device_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	-- random: one that was sent goes only if it was not replaced
	version BIGINT UNSIGNED NOT NULL,
	-- src/relay/devices_send.c
	lane TINYINT UNSIGNED NOT NULL,
	tries INT UNSIGNED NOT NULL DEFAULT 0,
	-- a JSON object
	payload TEXT NOT NULL,
	made_at DATETIME(3) NOT NULL,
	due_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, device_id, conversation_id),
	KEY by_due (lane, due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS push_shown (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- the message that they show
	seq INT UNSIGNED NOT NULL,
	PRIMARY KEY (conversation_id, user_id),
	KEY by_message (conversation_id, seq),
	KEY by_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
