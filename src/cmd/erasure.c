/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Erases what users have left, step by step. The row in `erasures` moves on when all of a step is done: a worker that
 * dies before that leaves the step to be done again, and finds done what it has done.
 */
#include "core/base.h"
#include "cmd/erasure.h"

#include "api/event.h"
#include "cmd/chore.h"
#include "cmd/friend.h"
#include "cmd/group.h"
#include "core/log.h"
#include "live/group.h"
#include "store/erasure.h"
#include "store/group.h"

#include <stdlib.h>

struct erasing_chore;

/* One of a step, under way. */
struct errand {
	struct erasing_chore *of;
	struct erasing what;
	bool passes_on; /* the group, before it is left */
};

struct erasing_chore {
	struct chore chore;
	struct erasure at; /* whose turn it is */
	struct erasure next;
	struct errand errand[ERASING_MAX];
	size_t pending; /* errands that are not answered */
	bool undone;	/* one of them has to be tried again */
};

static void step(struct chore *c);

/* ---- going on ---- */

static void on_moved(enum store_status status, uint64_t rows, void *arg)
{
	struct erasing_chore *e = arg;
	(void)rows;
	/* Without a row another worker was faster. */
	if (status == STORE_OK || status == STORE_NOT_FOUND)
		chore_go_on(&e->chore);
	else
		chore_look_later(&e->chore);
}

/* What is undone is done again from where the step began, and does not keep the others waiting. */
static void go_on(struct erasing_chore *e)
{
	if (e->undone) {
		e->at.found = e->next.found;
		e->next = e->at;
	}
	store_go_on_erasing(e->chore.live->store, &e->next, e->undone, on_moved, e);
}

/*
 * What came of an errand. Without an answer, or where nobody knows, it is tried again. Any other refusal stays so, and
 * is passed over: what was to be erased is not there any more, or cannot be changed.
 */
static void errand_end(struct errand *n, enum store_status status, bool changed)
{
	struct erasing_chore *e = n->of;
	switch (status) {
	case STORE_OK:
		e->next.found |= changed;
		break;
	case STORE_UNAVAILABLE:
	case STORE_OVERLOADED:
	case STORE_UNKNOWN:
		e->undone = true;
		break;
	case STORE_NOT_FOUND:
	case STORE_RECALLED:
		break;
	default:
		log_warn_gated("erasing user %s, stage %u: %s", e->at.user_id, e->at.stage, store_status_name(status));
	}
	if (--e->pending == 0)
		go_on(e);
}

/* ---- friends ---- */

static void on_unfriended(const struct store_friend_change *c, void *arg)
{
	struct errand *n = arg;
	if (c->status == STORE_UNCERTAIN)
		return;
	if (c->status == STORE_OK && c->changed)
		friend_tell(n->of->chore.live, FRIEND_END, c);
	errand_end(n, c->status, c->changed);
}

static void end_friendship(struct errand *n)
{
	const struct store_befriend p = {
		.step = FRIEND_END, .user = str_from(n->of->at.user_id), .peer = str_from(n->what.peer)};
	store_change_friend(n->of->chore.live->store, &p, on_unfriended, n);
}

/* ---- groups ---- */

static void leave_group(struct errand *n);

/*
 * Another look finds how it can be left now. The heir has gone meanwhile, or members have come; or it has passed on
 * already, by another worker, or is dissolved.
 */
static bool needs_look(const struct errand *n, enum store_status status)
{
	return status == STORE_IS_OWNER ||
	       (n->passes_on && (status == STORE_NOT_FOUND || status == STORE_ROLE || status == STORE_GROUP_DISSOLVED));
}

static void on_group(const struct store_group_done *d, void *arg)
{
	struct errand *n = arg;
	struct live *live = n->of->chore.live;
	enum group_step step = n->passes_on ? GROUP_PASS_ON : GROUP_REMOVE;
	if (d->status == STORE_UNCERTAIN)
		return;
	if (d->status == STORE_OK)
		group_tell_change(live, step, true, d, NULL);
	else if (d->status == STORE_UNKNOWN)
		group_tell_unknown(live, n->what.id, str_from(n->of->at.user_id));
	if (d->status == STORE_OK && n->passes_on) {
		n->passes_on = false;
		leave_group(n);
		return;
	}
	errand_end(n, needs_look(n, d->status) ? STORE_UNAVAILABLE : d->status, true);
}

static void leave_group(struct errand *n)
{
	const char *user = n->of->at.user_id;
	const struct store_group_op op = {
		.step = n->passes_on ? GROUP_PASS_ON : GROUP_REMOVE,
		.user = str_from(user),
		.conversation_id = n->what.id,
		.peer = str_from(n->passes_on ? n->what.peer : user),
	};
	store_change_group(n->of->chore.live->store, &op, on_group, n);
}

static void begin_leaving(struct errand *n)
{
	n->passes_on = n->what.peer[0] != '\0';
	leave_group(n);
}

/* ---- reactions and messages ---- */

static void begin_unreacted(struct live *live, const struct store_change *c)
{
	event_begin_reaction(live, c, false);
}

static void end_act(struct errand *n, const struct store_change *c,
		    void (*begin)(struct live *live, const struct store_change *c))
{
	if (c->status == STORE_UNCERTAIN)
		return;
	if (c->status == STORE_OK && c->changed)
		chore_tell(&n->of->chore, c, begin);
	errand_end(n, c->status, c->changed);
}

static void on_unreacted(const struct store_change *c, void *arg)
{
	end_act(arg, c, begin_unreacted);
}

static void on_recalled(const struct store_change *c, void *arg)
{
	end_act(arg, c, event_begin_recalled);
}

static void take_back_reaction(struct errand *n)
{
	const struct store_act act = {
		.act = ACT_UNREACT,
		.user = str_from(n->of->at.user_id),
		.id = n->what.id,
		.emoji = str_from(n->what.emoji),
		.by_operator = true,
	};
	store_act(n->of->chore.live->store, &act, on_unreacted, n);
}

static void recall(struct errand *n)
{
	const struct store_act act = {
		.act = ACT_RECALL, .user = str_from(n->of->at.user_id), .id = n->what.id, .by_operator = true};
	store_act(n->of->chore.live->store, &act, on_recalled, n);
}

/* ---- a step ---- */

typedef void errand_fn(struct errand *n);

static void on_erasing(const struct store_erasing *r, void *arg)
{
	static errand_fn *const begin[] = {
		[ERASURE_FRIENDS] = end_friendship,
		[ERASURE_GROUPS] = begin_leaving,
		[ERASURE_REACTIONS] = take_back_reaction,
		[ERASURE_MESSAGES] = recall,
	};
	struct erasing_chore *e = arg;
	if (r->status != STORE_OK) {
		chore_look_later(&e->chore);
		return;
	}
	e->next = r->next;
	e->undone = false;
	e->pending = r->count;
	for (size_t i = 0; i < r->count; i++)
		e->errand[i] = (struct errand){.of = e, .what = r->item[i]};
	for (size_t i = 0; i < r->count; i++)
		begin[e->at.stage](&e->errand[i]);
	if (r->count == 0)
		go_on(e);
}

static void step(struct chore *c)
{
	struct erasing_chore *e = container_of(c, struct erasing_chore, chore);
	e->next = e->at;
	e->undone = false;
	if (e->at.stage >= ERASURE_ROWS)
		go_on(e);
	else
		store_find_erasing(c->live->store, &e->at, on_erasing, e);
}

static void on_found(const struct store_erasure *r, void *arg)
{
	struct erasing_chore *e = arg;
	if (r->status != STORE_OK || !r->due) {
		chore_look_later(&e->chore);
		return;
	}
	e->at = r->next;
	chore_begin(&e->chore, r->lease);
}

static void look(struct chore *c, bool afresh)
{
	(void)afresh;
	store_find_erasure(c->live->store, str_from(c->holder), on_found, container_of(c, struct erasing_chore, chore));
}

/* ---- from outside ---- */

struct erasing_chore *erasure_start(struct live *live)
{
	struct erasing_chore *e = xcalloc(1, sizeof(*e));
	e->chore = (struct chore){.live = live, .name = ERASURE_CHORE, .look = look, .step = step};
	chore_start(&e->chore);
	return e;
}

void erasure_stop(struct erasing_chore *e)
{
	chore_stop(&e->chore);
}

void erasure_free(struct erasing_chore **ep)
{
	free(*ep);
	*ep = NULL;
}
