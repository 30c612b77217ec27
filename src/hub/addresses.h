/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections each address has on this node: a fixed table by hash. A word of it is one worker's connections
 * of one address; that worker alone changes it, and the master sets it to 0 when the worker has died. So there is no
 * lock.
 */
#ifndef TIDINGS_HUB_ADDRESSES_H
#define TIDINGS_HUB_ADDRESSES_H

#include "core/base.h"
#include "hub/hub.h"

enum addresses_verdict {
	ADDRESSES_COUNTED,
	ADDRESSES_FULL,	     /* it has `max` already */
	ADDRESSES_UNCOUNTED, /* its neighbourhood has no place left: it may come, and must not leave */
};

/*
 * One more connection of the worker in `slot` from that address, of which the node holds up to max. Workers that count
 * at the same moment may both find it full.
 */
enum addresses_verdict addresses_enter(struct hub *h, unsigned slot, const char *address, unsigned max) MUST_CHECK;
/* One less; for each ADDRESSES_COUNTED, once. */
void addresses_leave(struct hub *h, unsigned slot, const char *address);
/* Connections of the address on this node. */
unsigned addresses_count(const struct hub *h, const char *address);

#endif
