-- SPDX-License-Identifier: BSD-2-Clause
--
-- Users, friendships, conversations and messages.
--
-- How to change this: never edit a file that was released; add the next number
-- (0004_what.sql) and name it in Makefile.am. A file holds statements that end with ';' at the end of a line. Most statements commit by
-- themselves, so a file that failed half-way is run again from its beginning:
-- write each of them so that it can be (IF NOT EXISTS).
--
-- Times are UTC. Ids of users are compared byte by byte (ascii_bin).
--
-- Which look-up each index serves:
--   messages PRIMARY           id = conversation_id << 28 | seq. History, catching up, marking
--                              a conversation read and recounting its unread messages are ranges
--                              of it; one message's conversation is in its id.
--   messages by_client         a repeated client_msg_id of a sender; also "all that this user sent".
--   conversations PRIMARY      the write lane's locks, in order of id.
--   conversations pair         who with whom: finds or makes the one conversation of two users.
--   conversations by_user1, 2  the list of a user's conversations, newest first and paged by
--                              (sort_time, id); those active since a cursor; the unread total.
--   friendships PRIMARY        may this user send to that one (two rows, one each way); a user's friends.
--   changes PRIMARY            what was done to a conversation's messages after a change_seq.
--   recalls PRIMARY            a conversation's newest recall, to be moved by the next one.
--   recalls by_time            the conversations of a user with a recall since a cursor, each once.
-- What needs no index of its own: messages by conversation_id (a range of PRIMARY), by
-- recipient (the conversation says who), unread ones (after read_seq in PRIMARY, counted in
-- conversations), by created_at (the order of PRIMARY within a conversation).

CREATE TABLE IF NOT EXISTS users (
	id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	nickname VARCHAR(255) NULL,
	avatar_url VARCHAR(2048) NULL,
	password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
	last_seen DATETIME(3) NULL,
	created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Two rows a friendship. (a, b).blocked: a has blocked b.
CREATE TABLE IF NOT EXISTS friendships (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	friend_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	blocked TINYINT NOT NULL DEFAULT 0,
	created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
	PRIMARY KEY (user_id, friend_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- user1_id < user2_id. What ends in 1 or 2 is that side's own.
CREATE TABLE IF NOT EXISTS conversations (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	user1_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	user2_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	last_seq INT UNSIGNED NOT NULL DEFAULT 0,
	last_message_time DATETIME(3) NULL,
	-- last_message_time, or created_at while there is none
	sort_time DATETIME(3) NOT NULL,
	-- always the number of messages to that side that are unread, not recalled and not deleted by it
	user1_unread INT UNSIGNED NOT NULL DEFAULT 0,
	user2_unread INT UNSIGNED NOT NULL DEFAULT 0,
	-- id of the newest message that this side has not deleted; 0: none
	user1_last_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
	user2_last_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
	user1_read_seq INT UNSIGNED NOT NULL DEFAULT 0,
	user2_read_seq INT UNSIGNED NOT NULL DEFAULT 0,
	change_seq INT UNSIGNED NOT NULL DEFAULT 0,
	source_kind VARCHAR(64) NULL,
	source_id VARCHAR(255) NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE KEY pair (user1_id, user2_id),
	KEY by_user1 (user1_id, sort_time, id),
	KEY by_user2 (user2_id, sort_time, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS messages (
	-- conversation_id << 28 | seq
	id BIGINT UNSIGNED NOT NULL,
	from_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	to_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- 0 text, 1 image, 2 voice, 3 video, 4 file
	message_type TINYINT UNSIGNED NOT NULL,
	-- content, media_url and extra are erased by a recall
	content MEDIUMTEXT NULL,
	media_url VARCHAR(2048) NULL,
	extra TEXT NULL,
	-- the sender's; one that begins with a space is the server's own, made where the sender gave none
	client_msg_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- id of a message of the same conversation
	reply_to BIGINT UNSIGNED NULL,
	is_read TINYINT NOT NULL DEFAULT 0,
	read_at DATETIME(3) NULL,
	is_recalled TINYINT NOT NULL DEFAULT 0,
	recalled_at DATETIME(3) NULL,
	deleted_by_sender TINYINT NOT NULL DEFAULT 0,
	deleted_by_recipient TINYINT NOT NULL DEFAULT 0,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE KEY by_client (from_user_id, client_msg_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What was done to messages after they were sent. user_id is who did it.
CREATE TABLE IF NOT EXISTS changes (
	conversation_id BIGINT UNSIGNED NOT NULL,
	change_seq INT UNSIGNED NOT NULL,
	-- 0 recalled, 1 read, 2 deleted (that one is for user_id alone)
	kind TINYINT UNSIGNED NOT NULL,
	message_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, change_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The time of the newest recall in a conversation, a row for each side.
CREATE TABLE IF NOT EXISTS recalls (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	recalled_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, conversation_id),
	KEY by_time (user_id, recalled_at, conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- InnoDB lets others see a transaction a moment before it is on disk. Who answers because of
-- something that it found, without having written itself, first writes here: what is
-- on disk later has all before it on disk too.
CREATE TABLE IF NOT EXISTS fences (
	id TINYINT UNSIGNED NOT NULL,
	n BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
