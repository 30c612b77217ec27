-- SPDX-License-Identifier: BSD-2-Clause
--
-- What forwarded messages consist of that are merged from others: a message of type forward has its parts here, as they
-- were when it was sent. Its recall deletes them.
--
-- Which look-up each index serves:
--   forwards PRIMARY         how large a message is that is forwarded again.
--   forwarded PRIMARY        the parts of a message, in order, and their parts.

CREATE TABLE IF NOT EXISTS forwards (
	message_id BIGINT UNSIGNED NOT NULL,
	-- of the rows in forwarded, and their texts
	parts SMALLINT UNSIGNED NOT NULL,
	bytes INT UNSIGNED NOT NULL,
	PRIMARY KEY (message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS forwarded (
	message_id BIGINT UNSIGNED NOT NULL,
	-- '00' to '99', in order; the parts of part 07, which is merged itself, are '07.00' and so on
	part VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	from_user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- as it was then
	nickname VARCHAR(255) NULL,
	message_type TINYINT UNSIGNED NOT NULL,
	content MEDIUMTEXT NULL,
	media_url VARCHAR(2048) NULL,
	extra TEXT NULL,
	entities TEXT NULL,
	forwarded_from TEXT NULL,
	created_at DATETIME(3) NOT NULL,
	PRIMARY KEY (message_id, part)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
