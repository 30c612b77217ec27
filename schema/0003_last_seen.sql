-- SPDX-License-Identifier: BSD-2-Clause
--
-- users.last_seen, where 0001 met a table of another system: such a one has what it needs itself.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE users ADD COLUMN last_seen DATETIME(3) NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'last_seen');
PREPARE add_last_seen FROM @add;
EXECUTE add_last_seen;
DEALLOCATE PREPARE add_last_seen;
