-- SPDX-License-Identifier: BSD-2-Clause
--
-- Groups: a second kind of head in the space of ids of conversations, and their members. Everything else (messages,
-- changes, deletions, read marks) is one table for both kinds.
--
-- Direct conversations (conversations) have ids below 2^34, groups (group_heads) from 2^34 to below 2^35: an id tells its
-- kind. A message to a group writes itself, its head, and its sender's row in members, in a group of any size.
--
-- What is unread for a member is computed: last_seq - read_seq, less what is in uncounted and the member's own
-- deletions in between. Nobody's own messages are after their read_seq, for sending reads up to the new message.
--
-- Rows are locked in this order: the heads, each in order of id, those of direct conversations first; group_counts in
-- order of user; members in order of (user_id, conversation_id).
--
-- Which look-up each index serves:
--   group_heads PRIMARY          the locks of writers; with members PRIMARY: a user's list, catching up, totals.
--   group_profiles PRIMARY       what is shown of a group. by_client: a repeated client_group_id of its creator.
--   members PRIMARY              a user's groups; may this user send; the unread total.
--   members by_conversation      a group's members, owner and admins first.
--   group_leavers PRIMARY        mute and slow mode of users who left. by_end: rows that are no longer needed.
--   group_counts PRIMARY         in how many groups a user is.
--   uncounted PRIMARY            messages that are unread for nobody, after a seq.
--   mentions PRIMARY             a user's mentions in a conversation after a seq. The user '*' is everyone.
--   mentions by_time             a user's mentions, newest first.
--   group_bans, group_requests   PRIMARY: may this user come in; the lists of them.
--   group_requests by_user       what a user has asked for.
--   group_invites PRIMARY        a code. by_conversation: a group's codes.

CREATE TABLE IF NOT EXISTS group_heads (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	last_seq INT UNSIGNED NOT NULL DEFAULT 0,
	change_seq INT UNSIGNED NOT NULL DEFAULT 0,
	-- the greatest seq in uncounted; the newest that mentions everyone; 0: none
	uncounted_seq INT UNSIGNED NOT NULL DEFAULT 0,
	all_seq INT UNSIGNED NOT NULL DEFAULT 0,
	member_count INT UNSIGNED NOT NULL DEFAULT 0,
	-- 0 by invitation, 1 by an admin's approval, 2 open
	join_policy TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- what a new member sees: 0 all, 1 from joining on
	history_policy TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- 0 all, 1 admins: who may send; who may add and invite
	send_policy TINYINT UNSIGNED NOT NULL DEFAULT 0,
	add_policy TINYINT UNSIGNED NOT NULL DEFAULT 0,
	slow_mode_secs INT UNSIGNED NOT NULL DEFAULT 0,
	last_message_time DATETIME(3) NULL,
	-- the place in lists, which only a message moves; and the place in catching up, which every change moves
	sort_time DATETIME(3) NOT NULL,
	active_at DATETIME(3) NOT NULL,
	dissolved_at DATETIME(3) NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB AUTO_INCREMENT=17179869184 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_profiles (
	id BIGINT UNSIGNED NOT NULL,
	owner_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	name VARCHAR(255) NOT NULL,
	avatar_url VARCHAR(2048) NULL,
	about TEXT NULL,
	created_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	client_group_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	PRIMARY KEY (id),
	UNIQUE KEY by_client (created_by, client_group_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS members (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	-- 1 owner, 2 admin, 3 member
	role TINYINT UNSIGNED NOT NULL,
	-- the system message that tells of the joining
	joined_seq INT UNSIGNED NOT NULL,
	-- the first that the member may see
	first_seq INT UNSIGNED NOT NULL,
	read_seq INT UNSIGNED NOT NULL,
	-- when read_seq moved last
	read_at DATETIME(3) NULL,
	-- the greatest seq that the member has deleted; the newest that mentions the member by name; 0: none
	deleted_seq INT UNSIGNED NOT NULL DEFAULT 0,
	mention_seq INT UNSIGNED NOT NULL DEFAULT 0,
	joined_at DATETIME(3) NOT NULL,
	muted_until DATETIME(3) NULL,
	last_sent_at DATETIME(3) NULL,
	PRIMARY KEY (user_id, conversation_id),
	KEY by_conversation (conversation_id, role, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The mute and the last send of users who left a group or were removed from it, so that rejoining ends neither a mute nor
-- slow mode. A member has no row. A row is of no use after `ends_at`.
CREATE TABLE IF NOT EXISTS group_leavers (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	muted_until DATETIME(3) NULL,
	last_sent_at DATETIME(3) NULL,
	ends_at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, user_id),
	KEY by_end (conversation_id, ends_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Always the number of the user's rows in members. Locked before they are made or deleted, so that a limit holds.
CREATE TABLE IF NOT EXISTS group_counts (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	n INT UNSIGNED NOT NULL,
	PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Messages of groups that are unread for nobody: system messages, and recalled ones. A row for each 64 messages that
-- have any: bit k is set for the message with seq block * 64 + k. So there are few rows to be counted, however many such
-- messages there are.
CREATE TABLE IF NOT EXISTS uncounted (
	conversation_id BIGINT UNSIGNED NOT NULL,
	block INT UNSIGNED NOT NULL,
	bits BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (conversation_id, block)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS mentions (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	seq INT UNSIGNED NOT NULL,
	-- the message's created_at
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, conversation_id, seq),
	KEY by_time (user_id, at, conversation_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_bans (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	banned_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_requests (
	conversation_id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (conversation_id, user_id),
	KEY by_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_invites (
	code VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	conversation_id BIGINT UNSIGNED NOT NULL,
	created_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL,
	expires_at DATETIME(3) NULL,
	-- null: any number
	max_uses INT UNSIGNED NULL,
	uses INT UNSIGNED NOT NULL DEFAULT 0,
	PRIMARY KEY (code),
	KEY by_conversation (conversation_id, created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A JSON array of user ids, or ["*"]; null where there are none.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN mentions TEXT CHARACTER SET ascii COLLATE ascii_bin NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'mentions');
PREPARE add_mentions FROM @add;
EXECUTE add_mentions;
DEALLOCATE PREPARE add_mentions;
