-- SPDX-License-Identifier: BSD-2-Clause
--
-- One row: no activity of a conversation is given a time before `at`, whatever the clock says. A transaction that writes
-- reads it under its locks, and moves it to the time that it gives, about once a second. So what comes later has a later
-- sort_time, also after the clock was set back, and a cursor that lies before `at` misses nothing.

CREATE TABLE IF NOT EXISTS activity (
	id TINYINT UNSIGNED NOT NULL,
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO activity (id, at)
	SELECT 1, GREATEST(UTC_TIMESTAMP(3), COALESCE((SELECT MAX(sort_time) FROM conversations), UTC_TIMESTAMP(3)),
		COALESCE((SELECT MAX(recalled_at) FROM recalls), UTC_TIMESTAMP(3)))
	ON DUPLICATE KEY UPDATE activity.id = 1;
