-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who is online, as webhooks were told last: written in the transaction that puts the news of it into the outbox. Who
-- is not here was told to be offline, or never was told to be online. Redis knows who is online in truth. Where no
-- webhook is told of it, the relay that leads empties the table. Who is erased goes from here as everybody does whose
-- sessions have ended, so that this is told.
--
-- Which look-up each index serves:
--   presence_told PRIMARY whether a user is here; the next ones to be compared with what Redis knows.

CREATE TABLE IF NOT EXISTS presence_told (
	user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
