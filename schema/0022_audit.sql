-- SPDX-License-Identifier: BSD-2-Clause
--
-- What administrators asked for over /admin/, each call a row that is written before the call does anything.
--
-- Which look-up each index serves:
--   audit PRIMARY  one row, to note how the call ended; the list, newest first, and its pages.

CREATE TABLE IF NOT EXISTS audit (
	-- milliseconds since 1970, by the database's clock, << 20 | a random number
	id BIGINT UNSIGNED NOT NULL,
	at DATETIME(3) NOT NULL,
	actor VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	method VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- without its query
	path VARCHAR(512) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- of the answer; NULL: it was not given, for the server died before, or it could not be noted
	status SMALLINT UNSIGNED NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
