/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every connection to the database is set to, whatever the server's configuration and its init_connect say: all
 * that our SQL relies on is in the table of settings.c, and nowhere else. The server is asked afterwards whether it is
 * so, for an old server or a proxy between may have dropped something; a connection on which it is not is refused.
 */
#ifndef TIDINGS_STORE_SETTINGS_H
#define TIDINGS_STORE_SETTINGS_H

#include "core/base.h"
#include "core/buf.h"
#include "store/row.h"

enum settings_role {
	SETTINGS_READ,	/* a statement is ended by the server once nobody waits for it any more */
	SETTINGS_WRITE, /* only on a server that can be written to */
	SETTINGS_ADMIN, /* the schema: statements may take long */
};

/*
 * One text: the statements that set everything, and a last one that asks for it, whose row is settings_read()'s.
 * database: "" for none.
 */
void settings_build(struct buf *text, enum settings_role role, const char *database);
/* Asks whether the server can be written to: the row is settings_row_is_read_only()'s. Cheap. */
#define SETTINGS_ASK_READ_ONLY "SELECT @@global.read_only,@@global.innodb_read_only"
bool settings_row_is_read_only(struct row *row);

/* NULL, or what is not as it must be, to be freed by the caller. *read_only_r: the server cannot be written to. */
char *settings_read(struct row *row, enum settings_role role, bool *read_only_r);

#endif
