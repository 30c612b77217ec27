/* SPDX-License-Identifier: BSD-2-Clause */
/* What the people wait for, and for whom they have waited too long. */
#include "core/base.h"
#include "crowd_priv.h"

#include <inttypes.h>

#include "pace.h"

void crowd_leave(struct crowd *c, unsigned user)
{
	struct person *p = &c->person[user];
	if (p->away)
		return;
	p->away = true;
	p->away_since_ms = pace_fair_ms();
	for (unsigned i = 0; i < p->devices; i++)
		device_drop(&p->device[i], 0);
}

void crowd_return_all(struct crowd *c)
{
	for (unsigned u = 0; u < c->users; u++) {
		struct person *p = &c->person[u];
		if (!p->away)
			continue;
		p->away = false;
		for (unsigned i = 0; i < p->devices; i++) {
			p->device[i].wanted_since_ms = pace_fair_ms();
			p->device[i].try_at_ms = pace_real_ms() + rng_between(&p->rng, 0, 300);
		}
	}
}

bool crowd_is_away(const struct crowd *c, unsigned user)
{
	return c->person[user].away;
}

const char *crowd_token(const struct crowd *c, unsigned user)
{
	return c->person[user].token;
}

bool crowd_is_connected(const struct crowd *c)
{
	for (unsigned u = 0; u < c->users; u++) {
		const struct person *p = &c->person[u];
		for (unsigned i = 0; i < p->devices && !p->away; i++)
			if (p->device[i].state != DEVICE_OPEN || !p->device[i].synced || p->device[i].syncing)
				return false;
	}
	return true;
}

unsigned crowd_unanswered(const struct crowd *c, int64_t before_ms)
{
	unsigned n = 0;
	for (unsigned u = 0; u < c->users; u++) {
		const struct op *op;
		TAILQ_FOREACH (op, &c->person[u].op, entry)
			n += op->first.fair_ms <= before_ms;
	}
	return n;
}

unsigned crowd_ghosts(const struct crowd *c)
{
	unsigned n = 0;
	for (unsigned u = 0; u < c->users; u++)
		for (unsigned i = 0; i < c->person[u].devices; i++)
			for (unsigned f = 0; f < c->users; f++)
				n += c->person[u].device[i].place[f].ghost_since_ms >= 0;
	return n;
}

void crowd_read_of(const struct crowd *c, unsigned user, unsigned party, uint32_t *tried_r, uint32_t *done_r)
{
	*tried_r = c->person[user].read_tried[party];
	*done_r = c->person[user].read_done[party];
}

static void check_ops(struct person *p, int64_t since_ms, int64_t limit_ms, int64_t now_ms)
{
	struct op *op;
	TAILQ_FOREACH (op, &p->op, entry) {
		if (op->told || now_ms - op->first.fair_ms < limit_ms || now_ms - since_ms < limit_ms)
			continue;
		op->told = true;
		record_violate(p->crowd->record,
			       "p%u: a %s (m%u) has not been answered for %" PRId64 " ms, in %u tries", p->user,
			       op_name(op->kind), op->message, now_ms - op->first.fair_ms, op->tries);
	}
}

static void check_device(struct device_of *d, int64_t since_ms, int64_t limit_ms, int64_t ghost_limit_ms,
			 int64_t now_ms)
{
	struct crowd *c = d->person->crowd;
	if (!d->person->away && d->wanted_since_ms >= 0 && !d->wanted_told && now_ms - d->wanted_since_ms >= limit_ms &&
	    now_ms - since_ms >= limit_ms) {
		d->wanted_told = true;
		record_violate(c->record,
			       "device %u of p%u could not connect and catch up for %" PRId64 " ms: it is %s",
			       d->number, d->person->user, now_ms - d->wanted_since_ms,
			       d->state == DEVICE_DOWN	    ? "down"
			       : d->state == DEVICE_OPENING ? "without a hello"
							    : "without an answer to its sync");
	}
	for (unsigned u = 0; u < c->users; u++) {
		struct place *at = &d->place[u];
		if (at->ghost_since_ms < 0 || at->ghost_told || now_ms - at->ghost_since_ms < ghost_limit_ms ||
		    now_ms - since_ms < ghost_limit_ms)
			continue;
		at->ghost_told = true;
		record_violate(c->record,
			       "p%u has been away for %" PRId64 " ms, and session %u of p%u is shown them online", u,
			       now_ms - c->person[u].away_since_ms, d->number, d->person->user);
	}
}

void crowd_check_overdue(struct crowd *c, int64_t from_ms, int64_t limit_ms, int64_t ghost_limit_ms, int64_t now_ms)
{
	for (unsigned u = 0; u < c->users; u++) {
		struct person *p = &c->person[u];
		check_ops(p, from_ms, limit_ms, now_ms);
		for (unsigned i = 0; i < p->devices; i++)
			check_device(&p->device[i], from_ms, limit_ms, ghost_limit_ms, now_ms);
	}
}
