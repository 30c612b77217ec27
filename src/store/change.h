/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be done to a message after it was sent: the kinds of rows in the table `changes`.
 *
 * How to add one: a kind at the end of enum change_kind (store.h), a row in change.c, and a file op_NAME.c with what it
 * does; its op_class begins with what op_change.h has for all of them. A change that one user alone sees needs a
 * migration, too: the column changes.audience knows them by their number.
 */
#ifndef TIDINGS_STORE_CHANGE_H
#define TIDINGS_STORE_CHANGE_H

#include "core/base.h"
#include "store/outbox_items.h"
#include "store/store.h"

struct change_info {
	const char *name;	  /* for clients */
	enum outbox_kind told_as; /* what the relay tells of it, where nobody else has */
};
#define CHANGE_KINDS (CHANGE_EDITED + 1)
extern const struct change_info change_kinds[CHANGE_KINDS];

#endif
