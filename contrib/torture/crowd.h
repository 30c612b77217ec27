/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The people: each has some devices, each device a WebSocket to one of the nodes. They send, read, edit, react, pin,
 * recall, delete, leave and come back as a correct client does: a request is repeated until it is answered for good, a
 * message always with the same client_msg_id; after each (re)connection and after `resync`, and only then, the device
 * catches up by POST /messages/sync.
 */
#ifndef TIDINGS_TORTURE_CROWD_H
#define TIDINGS_TORTURE_CROWD_H

#include "core/base.h"
#include "record.h"

struct event_base;
struct stack;
struct crowd;

struct crowd_options {
	unsigned users, groups;
	double sends_per_second; /* of all together */
	uint64_t seed;
};

/* Of so many users, whether these two are friends. */
bool crowd_friends(unsigned users, unsigned a, unsigned b);

struct crowd *crowd_new(struct event_base *base, struct stack *stack, struct record *record,
			const struct crowd_options *o);
void crowd_free(struct crowd **crowd);
/* The groups are made, with their first members. The first call begins to make them. */
bool crowd_has_groups(struct crowd *c);
/* Once nobody talks any more and all is answered: somebody has looked how far each group reaches. Begins it. */
bool crowd_has_looked(struct crowd *c);
/* Whether they begin new things; what was begun is always finished. */
void crowd_talk(struct crowd *c, bool talk);
/* Whether a fault is in the way: for the latencies. */
void crowd_set_faulty(struct crowd *c, bool faulty);
/* A user closes all devices, and stays away until called back. */
void crowd_leave(struct crowd *c, unsigned user);
void crowd_return_all(struct crowd *c);
/* All devices of those who are not away are connected, and caught up. */
bool crowd_is_connected(const struct crowd *c);
/* How many requests that were first made before this fair time are not answered for good. */
unsigned crowd_unanswered(const struct crowd *c, int64_t before_ms);
/* How many (device, friend) show somebody online who is away. */
unsigned crowd_ghosts(const struct crowd *c);
/* Tells requests, connections and ghosts that are overdue; times are fair ones. */
void crowd_check_overdue(struct crowd *c, int64_t from_ms, int64_t limit_ms, int64_t ghost_limit_ms, int64_t now_ms);
/* How far the user has tried to read, and was told to have read, the conversation with the party. */
void crowd_read_of(const struct crowd *c, unsigned user, unsigned party, uint32_t *tried_r, uint32_t *done_r);
bool crowd_is_away(const struct crowd *c, unsigned user);
const char *crowd_token(const struct crowd *c, unsigned user);

#endif
