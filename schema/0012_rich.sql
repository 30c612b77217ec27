-- SPDX-License-Identifier: BSD-2-Clause
--
-- What else a message can have: whom it was forwarded from, the reactions to it, and when it expires.

-- forwarded_from: a JSON object of the first author. reactions: the JSON array that clients get, which follows from the
-- table reactions. reaction_seq: the one entry in `changes` that tells of them.
SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN forwarded_from TEXT NULL, ADD COLUMN reactions TEXT NULL,
	ADD COLUMN reaction_seq INT UNSIGNED NULL, ADD COLUMN expires_at DATETIME(3) NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'forwarded_from');
PREPARE add_rich FROM @add;
EXECUTE add_rich;
DEALLOCATE PREPARE add_rich;
