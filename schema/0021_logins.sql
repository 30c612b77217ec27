-- SPDX-License-Identifier: BSD-2-Clause
--
-- Logins, and what ends them.
--
-- Which look-up each index serves:
--   logins PRIMARY           the login of a refresh token, or of a token's claim sid.
--   logins by_user           a user's live logins, the longest unused first; those that ended, in order of their ends.
--   logins by_end            those that ended lately, which every worker reads once a second.
--   logins by_refusal        those that ended while a token of theirs may be valid, which a worker reads when it begins.
--   logins by_expiry         those that can be deleted.
--   user_states PRIMARY      may this user log in; is the id reserved.
--   user_states by_change    what changed lately, which every worker reads once a second.

CREATE TABLE IF NOT EXISTS logins (
	-- milliseconds since 1970, by the database's clock, << 20 | a random number: the claim sid
	id BIGINT UNSIGNED NOT NULL,
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- a label that the client chose
	device VARCHAR(64) NULL,
	-- the client's, when it was used last
	address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL,
	last_used_at DATETIME(3) NOT NULL,
	-- of its refresh token
	expires_at DATETIME(3) NOT NULL,
	-- the last of its tokens cannot be valid for longer
	tokens_until DATETIME(3) NOT NULL,
	-- its refresh tokens count from 1; all before this one are spent
	generation INT UNSIGNED NOT NULL DEFAULT 1,
	-- a random key of this login
	token_key BINARY(32) NOT NULL,
	-- SHA-256 of the refresh token that is valid
	token_hash BINARY(32) NOT NULL,
	-- when the refresh tokens before it were spent, the latest first: milliseconds since 1970, of 8 bytes each
	spent_at VARBINARY(64) NOT NULL DEFAULT '',
	ended_at DATETIME(3) NULL,
	-- enum login_end (src/store/login.h)
	end_reason TINYINT NULL,
	-- of one that ended: tokens_until
	refused_until DATETIME(3) NULL,
	PRIMARY KEY (id),
	KEY by_user (user_id, ended_at, last_used_at),
	KEY by_end (ended_at),
	KEY by_refusal (refused_until),
	KEY by_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Only users who were revoked, disabled or erased have a row.
CREATE TABLE IF NOT EXISTS user_states (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	disabled TINYINT NOT NULL DEFAULT 0,
	-- tokens that were issued up to then are refused
	revoked_at DATETIME(3) NULL,
	-- why, to be told to sessions whose token names no login: enum login_end
	reason TINYINT NULL,
	-- the account is gone, and its id stays reserved
	erased_at DATETIME(3) NULL,
	-- the database's clock
	changed_at DATETIME(3) NOT NULL,
	PRIMARY KEY (user_id),
	KEY by_change (changed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
