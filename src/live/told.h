/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells the store of which of its answers others know, so that the relay does not tell them once more: those answers
 * whose callbacks have run, and what was published in these has been answered by Redis (bus_settled()). Looked at five
 * times a second, of all answers of that time together.
 */
#ifndef TIDINGS_LIVE_TOLD_H
#define TIDINGS_LIVE_TOLD_H

#include "core/base.h"
#include "core/wheel.h"

struct live;

/* Part of struct live; zeroed before first use. */
struct told {
	struct wheel_timer timer;
	bool open, called; /* a cut; its callbacks have run */
	uint64_t position; /* bus_position() then */
};

/* The store and the bus are there. */
void told_start(struct live *live);
/* Before the store goes. */
void told_fini(struct live *live);
/* The store knows it of all answers; or Redis or the database is away, and it will not learn or note it soon. */
bool told_all(const struct live *live);

#endif
