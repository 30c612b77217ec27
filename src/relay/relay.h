/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the outbox (schema/0010_outbox.sql) and tells users and groups to catch up with what nobody has told them of:
 * the events of a transaction leave from the process that asked for it, and where that has died, or does not know
 * whether it has committed, its row is left behind.
 *
 * One relay of the cluster works (lease.c), the others wait. Each second it looks at all streams (survey.c). Rows that
 * were there RELAY_PATIENCE_MS ago and are still not done are repaired (repair.c): whom they concern is told to catch
 * up, and once Redis has confirmed that, they are done. Nothing depends on a wall clock but the database's, and two
 * relays that work at once do no harm: what is done is done at least once. Rows that all consumers are done with are
 * deleted (purge.c).
 *
 * It has one connection to the database, on which one thing is asked at a time (struct relay_job), and never waits.
 */
#ifndef TIDINGS_RELAY_RELAY_H
#define TIDINGS_RELAY_RELAY_H

#include "core/base.h"
#include "core/conf.h"

struct loop;
struct relay;

/* How long those who have written a row get to tell of it, by the relay's own clock; and by its looks, one a second
 * (streams.h). */
#define RELAY_PATIENCE_MS 5000
/* Users and groups that are told a second: each session answers with a request that costs the database work. */
#define RELAY_TOLD_PER_SECOND 1000

struct relay_state {
	bool leads;		  /* this relay works; else it waits for another to end */
	bool database, read_only; /* connected to it; it cannot be written to, and therefore not connected */
	bool redis;
	/* While it leads: the rows that nobody has been told of so far, and since when there is one of them, by the
	 * database's clock. */
	uint64_t rows;
	int64_t lag_ms;
	uint64_t repaired; /* rows, by this process */
};

/* changed(ctx): the first three may have changed. From the loop. conf is borrowed. */
struct relay *relay_new(struct loop *loop, const struct conf *conf, void (*changed)(void *ctx), void *ctx);
struct relay_state relay_state(const struct relay *r);
/* Begins nothing any more, and gives the lease back, so that another need not wait for its end. */
void relay_leave(struct relay *r);
/* After relay_leave(): all is done that can be. */
bool relay_has_left(const struct relay *r);
/* Not from within changed(). */
void relay_free(struct relay **r);

#endif
