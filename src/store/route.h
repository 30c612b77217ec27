/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which way an operation goes: a number, from which its writer and there its lane follow, so that operations of one
 * conversation meet in one lane, which carries them out in order and never waits for another lane's locks.
 *
 * A conversation is routed by its id. A send names two users: what conversation these have is remembered from earlier
 * answers. Until then they are routed by their names, and those that follow go the same way until all are answered, so
 * that none overtakes another. Two workers may meanwhile use two ways: that costs waiting for a lock, nothing else.
 */
#ifndef TIDINGS_STORE_ROUTE_H
#define TIDINGS_STORE_ROUTE_H

#include "core/base.h"

struct routes;
/* Two users who have operations on their way. */
struct route_pair;

struct routes *routes_new(void);
/* No pair may be held. */
void routes_free(struct routes **r);

uint32_t route_by_id(uint64_t conversation_id);
/* The route of an operation between the two, which holds the pair until it is answered. */
uint32_t route_by_pair(struct routes *r, struct str a, struct str b, struct route_pair **pair_r);
/* The operation has been answered. conversation_id: what the answer says that the two have; 0: nothing. */
void route_release(struct routes *r, struct route_pair **pair, uint64_t conversation_id);

/* Which of the writers, and which of its lanes. */
static inline unsigned route_writer(uint32_t route, unsigned writers)
{
	return (route & 0xffff) % writers;
}
static inline unsigned route_lane(uint32_t route, unsigned lanes)
{
	return (route >> 16) % lanes;
}

#endif
