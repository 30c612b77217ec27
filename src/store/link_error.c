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
