/* SPDX-License-Identifier: BSD-2-Clause */
/* Sorts errors. Numbers that one of MariaDB's and MySQL's mysqld_error.h lacks are written out. */
#include "core/base.h"
#include "store/link_error.h"

#include <errmsg.h>
#include <mysqld_error.h>

#define SERVER_ENDED_KILLED 1927 /* MariaDB */
#define SERVER_ENDED_IDLE 4031	 /* MySQL */
#define INNODB_READ_ONLY 1874	 /* MySQL: innodb_read_only or innodb_force_recovery */

bool link_error_ends(unsigned error, const char *sqlstate)
{
	/* Class 08 is "connection exception"; with it, a node of a Galera cluster says that it has left that. */
	return (error >= CR_MIN_ERROR && error <= CR_MAX_ERROR) || error == ER_SERVER_SHUTDOWN ||
	       error == SERVER_ENDED_KILLED || error == SERVER_ENDED_IDLE || strncmp(sqlstate, "08", 2) == 0;
}

bool link_error_is_read_only(unsigned error)
{
	switch (error) {
	case ER_OPTION_PREVENTS_STATEMENT: /* --read-only, --super-read-only */
	case ER_READ_ONLY_MODE:
	case ER_OPEN_AS_READONLY:
	case INNODB_READ_ONLY:
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: /* settings.c asks for others: the server has changed it */
		return true;
	default:
		return false;
	}
}

const char *link_error_passing(unsigned error)
{
	switch (error) {
	case ER_LOCK_DEADLOCK:
		return "deadlock";
	case ER_LOCK_WAIT_TIMEOUT:
		return "lock_timeout";
	case ER_DUP_ENTRY: /* the same row came through another connection just now */
		return "duplicate";
	case ER_SP_DOES_NOT_EXIST: /* SQL_END_1 */
		return "lost_transaction";
	case ER_SUBQUERY_NO_1_ROW: /* too late (batch_build_write), or an update was cut short (sql_expect) */
		return "late";
	case ER_CHECKREAD:
	case ER_QUERY_INTERRUPTED:
		return "interrupted";
	default:
		return NULL;
	}
}
