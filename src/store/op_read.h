/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading a direct conversation (op_read.c), reading a group (op_read_group.c) and clearing either (op_clear.c)
 * share. */
#ifndef TIDINGS_STORE_OP_READ_H
#define TIDINGS_STORE_OP_READ_H

#include "core/base.h"
#include "store/lane_priv.h"
#include "store/unread.h"

/* What is counted of messages that are not read: all, and those that count as unread. */
enum { READ_UNMARKED, READ_UNREAD };

struct op_read {
	struct op op;
	lane_read_fn *fn;
	void *arg;
	struct str user;
	uint64_t conversation_id;
	bool clears;	     /* op_clear.c; of the result counts alone whether it changed anything */
	uint64_t up_to_seq;  /* as asked; as taken, once it was planned, so that each step takes the same */
	uint64_t step;	     /* of a direct conversation: at most, in this batch */
	uint64_t counted[2]; /* of those that are left, where they are few, else of the step; see op_read.c */
	bool counts;	     /* of a group: what is read and unread has to be counted */
	struct unread count; /* from where read_seq was up to the last message */
	/* The last step that was planned; 0: none, or it is counted in the result. */
	uint64_t step_to, step_marked;
	bool steps;		  /* to clear: there is one */
	struct store_read result; /* of the steps that have committed */
};

extern const struct op_class read_group_class, clear_class, clear_group_class;

/* Of a direct conversation: asks for what is counted, from where the user has read up to or, to clear, has cleared too.
 */
void read_ask_counts(struct batch *b, struct op_read *o);
/* The messages that are left are few enough to be counted. */
bool read_is_near_end(const struct op_read *o, const struct conv *c);

/* A step of unknown outcome was done, says the member's read_seq. */
bool read_was_done(const struct op_read *o, const struct member *m);
/* Before a step is planned: learns from the member's read_seq what became of one of unknown outcome. */
void read_begin(struct op_read *o, const struct member *m);
/* Clears the mark as unread, also where nothing was unread. */
void read_unmark(struct batch *b, struct op_read *o, struct member *m);
/* For the classes. The planned step has committed. */
void read_step(struct op *op);
void read_answer(struct op *op);

#endif
