-- SPDX-License-Identifier: BSD-2-Clause
--
-- Which conversations have something unread, so that a user's total reads those alone, however many others there are.
-- The database computes the columns, so they are right also where another program writes.
--
-- Which look-up each index serves:
--   conversations waiting1, 2  the unread total.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE conversations ADD COLUMN user1_waiting TINYINT UNSIGNED AS (user1_unread > 0) STORED, ADD COLUMN user2_waiting TINYINT UNSIGNED AS (user2_unread > 0) STORED, ADD KEY waiting1 (user1_id, user1_waiting), ADD KEY waiting2 (user2_id, user2_waiting)', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'conversations' AND column_name = 'user1_waiting');
PREPARE add_waiting FROM @add;
EXECUTE add_waiting;
DEALLOCATE PREPARE add_waiting;
