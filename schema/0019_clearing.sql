-- SPDX-License-Identifier: BSD-2-Clause
--
-- Clearing the history of a group raises the member's first_seq. rule_seq is what that was before, as the group's rule gave
-- it; null: first_seq says it. So whether members have read a message does not change by what they clear for themselves.

SET @add = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE members ADD COLUMN rule_seq INT UNSIGNED NULL', 'DO 0')
	FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'members' AND column_name = 'rule_seq');
PREPARE add_rule_seq FROM @add;
EXECUTE add_rule_seq;
DEALLOCATE PREPARE add_rule_seq;
