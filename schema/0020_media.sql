-- SPDX-License-Identifier: BSD-2-Clause
--
-- Files that users upload. What is in them lies in media.directory, under their ids.
--
-- A message that shows a file has "tidings:media/ID/NAME" as its media_url, and a row in media_uses for each file that it
-- or its parts (schema/0017_forwards.sql) show, made in its own transaction under a shared lock of the file's row. Its
-- recall ends that; the relay, which reads of it in the outbox (consumer 'files'), deletes the rows. So a file that no row
-- of media_uses or media_avatars names is not shown. Such files are found by media_idle: a row there says when to look
-- whether a file is used. One is made with the file, for a day later, and when rows of media_uses are deleted.
--
-- Which look-up each index serves:
--   media PRIMARY               a file.
--   media by_owner              how much the files of a user take.
--   media_uses PRIMARY          the newest messages that show a file, or whether any does.
--   media_uses by_message       which files a message shows.
--   media_uses by_conversation  whether a message of a conversation shows a file.
--   media_avatars PRIMARY       the picture of a user or group.
--   media_avatars by_media      whether a file is one.
--   media_idle PRIMARY          the row of a file, to be moved.
--   media_idle by_time          what is to be looked at.
--   upload_limits PRIMARY       a user's.

CREATE TABLE IF NOT EXISTS media (
	id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	owner_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- 0 it is being uploaded, 1 it is there for ever unchanged, 2 nobody finds it any more and it is being deleted
	state TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- as announced; once it is there, what it takes
	size BIGINT UNSIGNED NOT NULL,
	name VARCHAR(255) NOT NULL,
	-- as announced; once it is there, what it was found to be
	content_type VARCHAR(127) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	width INT UNSIGNED NULL,
	height INT UNSIGNED NULL,
	duration_ms BIGINT UNSIGNED NULL,
	blurhash VARCHAR(96) CHARACTER SET ascii COLLATE ascii_bin NULL,
	has_thumbnail TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- a picture, audio or video that was read to its end: browsers may show it
	is_checked TINYINT UNSIGNED NOT NULL DEFAULT 0,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id),
	KEY by_owner (owner_id, size)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS media_uses (
	media_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	message_id BIGINT UNSIGNED NOT NULL,
	conversation_id BIGINT UNSIGNED AS (message_id >> 28) STORED,
	PRIMARY KEY (media_id, message_id),
	KEY by_message (message_id),
	KEY by_conversation (media_id, conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which file is the picture of a user or group, whose avatar_url is "tidings:media/ID/NAME" then.
CREATE TABLE IF NOT EXISTS media_avatars (
	-- "u:" and the user's id, or "g:" and the group's
	holder VARCHAR(66) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	media_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (holder),
	KEY by_media (media_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS media_idle (
	media_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	due_at DATETIME(3) NOT NULL,
	PRIMARY KEY (media_id),
	KEY by_time (due_at, media_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A row is locked by who begins an upload, so that a user's quota and limit are counted one upload at a time.
CREATE TABLE IF NOT EXISTS upload_limits (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- when the user may begin a day's uploads at once again; each upload moves it
	full_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
