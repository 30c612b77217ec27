/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds messages that have expired, EXPIRY_STEP at a time, and recalls them. */
#include "core/base.h"
#include "cmd/expiry.h"

#include "api/event.h"
#include "cmd/chore.h"
#include "hub/stats.h"
#include "store/due.h"

#include <stdlib.h>

_Static_assert(EXPIRY_STEP <= CHORE_GROUPS_MAX, "all groups of a step are told");

struct expiry {
	struct chore chore;
	struct store_due due[EXPIRY_STEP];
	size_t count;
	struct store_due after; /* where the next look goes on; all zeroes: at the beginning */
	size_t pending;		/* of the step under way: messages that are not answered */
};

/* What could not be done, or where nobody knows whether it was, is found by a later look, or by the relay. */
static void on_expired(const struct store_change *c, void *arg)
{
	struct expiry *e = arg;
	if (c->status == STORE_UNCERTAIN)
		return;
	if (c->status == STORE_OK && c->changed) {
		stat_observe(STAT_HIST_EXPIRY_LAG, (uint64_t)(c->message->recalled_ms - c->message->expires_ms) * 1000);
		chore_tell(&e->chore, c, event_begin_recalled);
	}
	if (--e->pending != 0)
		return;
	if (e->count == EXPIRY_STEP)
		chore_go_on(&e->chore);
	else
		chore_look_later(&e->chore);
}

static void step(struct chore *c)
{
	struct expiry *e = container_of(c, struct expiry, chore);
	e->after = e->due[e->count - 1];
	e->pending = e->count;
	for (size_t i = 0; i < e->count; i++) {
		const struct store_act act = {.act = ACT_EXPIRE, .id = e->due[i].id, .due_ms = e->due[i].at_ms};
		store_act(c->live->store, &act, on_expired, e);
	}
}

static void on_due(const struct store_dues *d, void *arg)
{
	struct expiry *e = arg;
	if (d->status != STORE_OK || d->count == 0) {
		chore_look_later(&e->chore);
		return;
	}
	e->count = d->count;
	memcpy(e->due, d->item, d->count * sizeof(*d->item));
	chore_begin(&e->chore, d->lease);
}

/* Afresh from the beginning: also what was left there. */
static void look(struct chore *c, bool afresh)
{
	struct expiry *e = container_of(c, struct expiry, chore);
	if (afresh)
		e->after = (struct store_due){0};
	store_list_due(c->live->store, str_from(c->holder), e->after, EXPIRY_STEP, on_due, e);
}

/* ---- from outside ---- */

struct expiry *expiry_start(struct live *live)
{
	struct expiry *e = xcalloc(1, sizeof(*e));
	e->chore = (struct chore){.live = live, .name = DUE_CHORE, .look = look, .step = step};
	chore_start(&e->chore);
	return e;
}

void expiry_stop(struct expiry *e)
{
	chore_stop(&e->chore);
}

void expiry_free(struct expiry **ep)
{
	free(*ep);
	*ep = NULL;
}
