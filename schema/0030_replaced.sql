-- SPDX-License-Identifier: BSD-2-Clause
--
-- Of a message that before_send has replaced, a hash of what its client sent: the repeat of such a send is compared with
-- that, since the message has another content. It goes with the message's row, and with its content. A column that is
-- null in all rows is added at once, and takes no room in those that exist.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE messages ADD COLUMN sent_hash BINARY(16) NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'messages' AND column_name = 'sent_hash');
PREPARE add_sent_hash FROM @add;
EXECUTE add_sent_hash;
DEALLOCATE PREPARE add_sent_hash;
