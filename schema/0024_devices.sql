-- SPDX-License-Identifier: BSD-2-Clause
--
-- The devices that get pushes while their user has no session, and what users set for all of theirs.
--
-- Which look-up each index serves:
--   devices PRIMARY          a user's devices; one of them.
--   devices by_token         the device that has this token now, of any user.
--   devices by_login         those of logins that end.
--   push_settings PRIMARY    a user's settings.

CREATE TABLE IF NOT EXISTS devices (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- chosen by the client
	id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- that it belongs to and goes with; 0: the token that it came with names none
	login_id BIGINT UNSIGNED NOT NULL,
	-- enum device_platform (src/store/device.h)
	platform TINYINT NOT NULL,
	-- what the platform's service knows it by; of Web Push the subscription's endpoint
	token VARCHAR(4096) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- SHA-256 of both
	token_hash BINARY(32) NOT NULL,
	-- of Web Push: the keys of the subscription
	p256dh BINARY(65) NULL,
	auth BINARY(16) NULL,
	app VARCHAR(128) NULL,
	locale VARCHAR(35) CHARACTER SET ascii COLLATE ascii_bin NULL,
	created_at DATETIME(3) NOT NULL,
	-- when the client told of it last
	used_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id, id),
	UNIQUE KEY by_token (token_hash),
	KEY by_login (login_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A user without a row has set nothing.
CREATE TABLE IF NOT EXISTS push_settings (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- whether what was written is shown
	preview TINYINT NOT NULL DEFAULT 1,
	-- do-not-disturb: minutes since midnight in that zone of the tz database; NULL: never
	dnd_from SMALLINT NULL,
	dnd_to SMALLINT NULL,
	dnd_zone VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
