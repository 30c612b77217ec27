/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How workers and writers speak: the operations of the write lane and what becomes of them, as bytes on a stream
 * socket between two processes of one node (writers.h, serve.h).
 *
 * A frame is a head and a body. A worker sends operations, each with a number of its own; a writer answers with frames
 * of the same kind and number, and says with WIRE_STATE how its database is; a worker says with WIRE_TOLD of which
 * answers others know. Both are the same program, so numbers are in the machine's order; but each believes the other no
 * more than a client: what is malformed ends the connection.
 *
 * How to change this: the fields of each operation and of its result are tables in wire.c.
 */
#ifndef TIDINGS_STORE_WIRE_H
#define TIDINGS_STORE_WIRE_H

#include "core/base.h"
#include "core/buf.h"
#include "store/lane.h"

enum wire_kind {
	WIRE_SEND,
	WIRE_ACT,
	WIRE_READ,
	WIRE_CREATE,
	WIRE_STATE, /* of a writer's */
	WIRE_TOLD,  /* of a worker's */
};
#define WIRE_OPS WIRE_STATE
/* Others are told of what it does: the answer to one of unknown outcome matters to more than its asker. */
bool wire_tells(enum wire_kind kind);
const char *wire_kind_name(enum wire_kind kind);

/* The limits of a message are far below it. */
#define WIRE_BODY_MAX ((size_t)1024 * 1024)

struct wire_head {
	uint32_t len; /* of the body */
	uint8_t kind; /* enum wire_kind */
	uint8_t past; /* enum lane_past; of an operation */
	uint16_t unused;
	uint32_t route; /* of an operation: those with the same one keep their order; route.h */
	uint32_t unused2;
	uint64_t number;
};

/* An operation's arguments; strings are borrowed. */
struct wire_read {
	struct str user;
	uint64_t conversation_id, up_to_seq;
	bool clears; /* its history, in place of reading it */
};
struct wire_create {
	struct str user, peer, source_kind, source_id;
};
union wire_args {
	struct store_send send;
	struct store_act act;
	struct wire_read read;
	struct wire_create create;
};
union wire_result {
	struct store_sent sent;
	struct store_change change; /* of an act */
	struct lane_read read;
	struct lane_created created;
};
struct wire_state {
	bool up, away, read_only; /* lane.h */
};
struct wire_told {
	uint64_t answers; /* of those on this socket, STORE_UNCERTAIN too: others were told of all up to that one */
	bool unsure;	  /* or perhaps not of all */
};
/* What a decoded struct points to, beside the body itself. */
struct wire_room {
	struct message message;
	struct str mention[STORE_MENTIONS_MAX];
};

/* Append a frame. The head's len is filled in. */
void wire_put_args(struct buf *out, struct wire_head head, const union wire_args *args);
void wire_put_result(struct buf *out, struct wire_head head, const union wire_result *result);
void wire_put_state(struct buf *out, const struct wire_state *state);
void wire_put_told(struct buf *out, const struct wire_told *told);
/* A frame whose body was encoded before. */
void wire_put_body(struct buf *out, struct wire_head head, struct str body);

/*
 * The next frame of the bytes from *at on: 1: its head and body, *at is behind it; 0: it is not whole; -1: nothing that
 * is sent here begins like this.
 */
int wire_next(struct str bytes, size_t *at, struct wire_head *head_r, struct str *body_r) MUST_CHECK;
/* 0, or -1: malformed. What they return points into body and room. */
int wire_take_args(enum wire_kind kind, struct str body, union wire_args *args_r, struct wire_room *room) MUST_CHECK;
int wire_take_result(enum wire_kind kind, struct str body, union wire_result *result_r,
		     struct wire_room *room) MUST_CHECK;
int wire_take_state(struct str body, struct wire_state *state_r) MUST_CHECK;
int wire_take_told(struct str body, struct wire_told *told_r) MUST_CHECK;

#endif
