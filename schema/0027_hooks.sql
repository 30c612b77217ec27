-- SPDX-License-Identifier: BSD-2-Clause
--
-- Webhooks (section relay of the configuration), as the relay that leads knows them. Each is a consumer of the outbox of
-- its own, 'hook:NAME' in outbox_done. Who changes a row counts `generation` up where what the relay has at hand is
-- then no longer to be noted.
--
-- Which look-up each index serves:
--   hooks PRIMARY        the state of one; there are few.

CREATE TABLE IF NOT EXISTS hooks (
	name VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	generation BIGINT UNSIGNED NOT NULL DEFAULT 0,
	is_paused TINYINT UNSIGNED NOT NULL DEFAULT 0,
	-- what happened before is not delivered; the database's clock
	since DATETIME(3) NOT NULL,
	-- events that were delivered, tries that failed, and transactions whose events were given up
	delivered BIGINT UNSIGNED NOT NULL DEFAULT 0,
	failed BIGINT UNSIGNED NOT NULL DEFAULT 0,
	lost BIGINT UNSIGNED NOT NULL DEFAULT 0,
	-- since when nothing was delivered; NULL: the last try succeeded
	failing_since DATETIME(3) NULL,
	error VARCHAR(255) NOT NULL DEFAULT '',
	-- when the oldest of what is not delivered happened; NULL: all is
	waits_since DATETIME(3) NULL,
	PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
