-- SPDX-License-Identifier: BSD-2-Clause
--
-- The formatting of a message's text, and when it was last edited.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN entities TEXT NULL, ADD COLUMN edited_at DATETIME(3) NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'entities');
PREPARE add_entities FROM @add;
EXECUTE add_entities;
DEALLOCATE PREPARE add_entities;
