/* SPDX-License-Identifier: BSD-2-Clause */
/* What the acts on one message share; change.h has the table of them. */
#ifndef TIDINGS_STORE_OP_CHANGE_H
#define TIDINGS_STORE_OP_CHANGE_H

#include "core/base.h"
#include "store/change.h"
#include "store/lane_priv.h"

/* Embedded first in its act's struct, where that has more. */
struct op_change {
	struct op op;
	store_change_fn *fn;
	void *arg;
	struct store_act p;
	bool changed;
	uint64_t change_seq;	 /* kept from a try of unknown outcome */
	int64_t at_ms;		 /* likewise */
	struct conv_check check; /* of change_may() */
	uint64_t deleted_up_to;	 /* of change_is_deleted() */
	struct held *held;
	struct member *by;	/* who asks, in the present batch; NULL: the server */
	struct message message; /* a copy, for ops after this one may change it further */
};

/* For a class's enter and answer. */
void change_enter(struct batch *b, struct op *op);
void change_answer(struct op *op);

/* Sets o->held; nobody's right to see it is checked. False: *verdict_r is the end of it. */
bool change_find_held(struct batch *b, struct op_change *o, enum op_verdict *verdict_r);
/* The same for its user: sets o->by, too. False: *verdict_r is the end of it. */
bool change_find_message(struct batch *b, struct op_change *o, enum op_verdict *verdict_r);
/* The one or the other, as o->p.by_operator says. */
bool change_find(struct batch *b, struct op_change *o, enum op_verdict *verdict_r);
/* In enter, once what o->check has of it is set: asks for what change_may() needs, which says in plan whether the user
 * may change what the others see. */
void change_ask_may(struct batch *b, struct op_change *o);
enum store_status change_may(struct batch *b, const struct op_change *o);
/*
 * In enter: asks whether the user has deleted the message, which the third one says in plan; the second one, whether
 * that is still true, for this batch may have deleted it.
 */
void change_ask_deleted(struct batch *b, struct op_change *o);
bool change_knows_deleted(const struct op_change *o);
bool change_is_deleted(const struct op_change *o);
/*
 * What a try of unknown outcome was to take away stands with a later change_seq, n: it was done, and somebody has made
 * it anew.
 */
bool change_came_back(const struct op_change *o, uint64_t n);
bool change_is_sender(const struct op_change *o);
/* Writes the change down; the message's row is updated by what is written between the two calls below. */
void change_note(struct batch *b, struct op_change *o, enum change_kind kind);
void change_begin_update(struct buf *out, const char *assignments);
void change_end_update(struct batch *b, struct buf *out, uint64_t id);

/* A recall, by a user or by the server. */
struct op_recall {
	struct op_change change;
	uint64_t pin_n; /* of the message's pin; 0: it had none */
};
/* In enter. */
void recall_ask(struct batch *b, struct op_recall *r);
/* Writes down all that goes with the message, but its own row: RECALL_ASSIGNMENTS and recalled_at. */
void recall_write(struct batch *b, struct op_recall *r);

/* Of pins (op_pin.c): asks for the n of the message's, 0 where it has none; whether it has one still; and deletes it.
 */
void pin_ask(struct batch *b, uint64_t message_id, uint64_t *n);
bool pin_stands(const struct held *h, uint64_t n);
void pin_delete(struct batch *b, struct held *h);

enum op_verdict change_end(struct op *op, enum store_status status);
enum op_verdict change_end_with(struct op_change *o, bool changed);
/* It was so before. Or it was this op itself, in a try whose outcome it did not learn. */
enum op_verdict change_end_standing(struct batch *b, struct op_change *o, bool ours);

#endif
