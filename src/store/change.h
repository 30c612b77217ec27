/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be done to a message after it was sent: acts, and the kinds of rows in the table `changes` that they leave.
 *
 * How to add one: a kind at the end of enum change_kind and an act at the end of enum act (store.h), a row for each in
 * change.c, and a file op_NAME.c with what it does; its op_class begins with what op_change.h has for all of them. What
 * an act is given is a field of struct store_act, in wire.c's table, too, and if it is a string kept by lane_act(). A
 * change that one user alone sees needs a migration: the column changes.audience knows them by their number.
 */
#ifndef TIDINGS_STORE_CHANGE_H
#define TIDINGS_STORE_CHANGE_H

#include "core/base.h"
#include "store/outbox_items.h"
#include "store/store.h"

/* A conversation's time in `recalls` lies at most so far before its newest change: it is not moved for each. */
#define RECALLS_BEHIND_MS 2000

struct op_class;

struct act_info {
	const struct op_class *direct, *group; /* what carries it out in either kind of conversation */
	size_t size;			       /* of its op, which begins with a struct op_change; zeroed */
};
extern const struct act_info act_read, act_recall, act_delete, act_edit, act_react, act_pin, act_expire;
extern const struct act_info *const acts[ACTS];

struct change_info {
	const char *name;	  /* for clients */
	enum outbox_kind told_as; /* what the relay tells of it, where nobody else has */
};
#define CHANGE_KINDS (CHANGE_UNPINNED + 1)
extern const struct change_info change_kinds[CHANGE_KINDS];

#endif
