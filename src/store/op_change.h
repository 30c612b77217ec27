/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operations on one message share: op_change.c and op_delete.c. */
#ifndef TIDINGS_STORE_OP_CHANGE_H
#define TIDINGS_STORE_OP_CHANGE_H

#include "core/base.h"
#include "store/lane_priv.h"

/* Embedded first in its kind's struct, where that has more. */
struct op_change {
	struct op op;
	store_change_fn *fn;
	void *arg;
	struct str user;
	uint64_t id;
	bool changed;
	uint64_t change_seq; /* kept from a try of unknown outcome */
	int64_t at_ms;	     /* likewise */
	struct held *held;
	struct member *by;	/* who asks, in the present batch */
	struct message message; /* a copy, for ops after this one may change it further */
};

/* Takes over the op, whose strings `user` is among. */
void change_submit(struct lane *l, struct op_change *o, struct str user, uint64_t id, enum lane_past past,
		   store_change_fn *fn, void *arg);
/* Of an op that has no strings of its own. `size` is that of the struct around it, which is zeroed. */
void change_submit_new(struct lane *l, const struct op_class *class, size_t size, struct str user, uint64_t id,
		       enum lane_past past, store_change_fn *fn, void *arg);
/* For a class's enter and answer. */
void change_enter(struct batch *b, struct op *op);
void change_answer(struct op *op);

/* Sets o->held and o->by. False: *verdict_r is the end of it. */
bool change_find_message(struct batch *b, struct op_change *o, enum op_verdict *verdict_r);
bool change_is_sender(const struct op_change *o);
/* Writes the change down; the message's row is updated by what is written between the two calls below. */
void change_note(struct batch *b, struct op_change *o, enum change_kind kind);
void change_begin_update(struct buf *out, const char *assignments);
void change_end_update(struct batch *b, struct buf *out, uint64_t id);

enum op_verdict change_end(struct op *op, enum store_status status);
enum op_verdict change_end_with(struct op_change *o, bool changed);
/* It was so before. Or it was this op itself, in a try whose outcome it did not learn. */
enum op_verdict change_end_standing(struct batch *b, struct op_change *o, bool ours);

#endif
