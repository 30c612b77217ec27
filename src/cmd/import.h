/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POST /admin/import.
 *
 * import.c       takes the body as it comes, gathers its lines, has the store write them, and answers
 * import_line.c  what one line says, by the same rules as the requests that do the same for users
 */
#ifndef TIDINGS_CMD_IMPORT_H
#define TIDINGS_CMD_IMPORT_H

#include "core/base.h"
#include "api/request.h"
#include "store/import.h"

enum import_kind { IMPORT_LINE_USER, IMPORT_LINE_FRIENDSHIP, IMPORT_LINE_GROUP, IMPORT_LINE_MESSAGE };
#define IMPORT_KINDS (IMPORT_LINE_MESSAGE + 1)
/* As the line has it in `type`. */
const char *import_kind_name(enum import_kind k);

struct import_line {
	enum import_kind kind;
	union {
		struct import_user user;
		struct import_friendship friendship;
		struct store_group_op group;
		struct import_message message;
	};
};

/* What the line says, in the arena of this request; or what is wrong with it. */
const struct problem *import_line_read(struct request *r, struct str line, struct import_line *out) MUST_CHECK;

#endif
