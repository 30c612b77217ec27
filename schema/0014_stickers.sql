-- SPDX-License-Identifier: BSD-2-Clause
--
-- Packs of stickers, their pictures, and who has installed which pack.
--
-- Which look-up each index serves:
--   sticker_packs PRIMARY           one pack; the list of all in order of id.
--   stickers PRIMARY                a pack's stickers in its order.
--   stickers by_id                  the sticker that a message names.
--   sticker_pictures PRIMARY        the picture that a URL names; all of a pack, to be erased.
--   sticker_installs PRIMARY        has this user installed that pack.
--   sticker_installs by_time        a user's packs, the one installed last first, and their pages.

CREATE TABLE IF NOT EXISTS sticker_packs (
	id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	title VARCHAR(255) NOT NULL,
	sticker_count SMALLINT UNSIGNED NOT NULL,
	updated_at DATETIME(3) NOT NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stickers (
	pack_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	position SMALLINT UNSIGNED NOT NULL,
	id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	emoji VARCHAR(64) NOT NULL,
	-- the name of a row of sticker_pictures of this pack
	picture VARCHAR(37) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	width SMALLINT UNSIGNED NOT NULL,
	height SMALLINT UNSIGNED NOT NULL,
	PRIMARY KEY (pack_id, position),
	UNIQUE KEY by_id (pack_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A row never changes: its name is made of its content. Those that the pack no longer has stay, for messages show them.
CREATE TABLE IF NOT EXISTS sticker_pictures (
	pack_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	name VARCHAR(37) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	content MEDIUMBLOB NOT NULL,
	PRIMARY KEY (pack_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The pack may be gone meanwhile: then the row counts for nothing, until the user installs another.
CREATE TABLE IF NOT EXISTS sticker_installs (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	pack_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	installed_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, pack_id),
	KEY by_time (user_id, installed_at, pack_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
