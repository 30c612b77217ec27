/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which groups a user with sessions here is in, as far as is known: what load.c has read, and the news since then. A
 * membership has a version, the seq of the message that began it: what is older than what is known changes nothing,
 * whenever it comes.
 */
#include "core/base.h"
#include "live/membership_priv.h"

#include "live/resync.h"
#include "live/session.h"

#include <stdlib.h>

/* The index of the first group whose id is not below. */
static uint32_t place_of(const struct memberships *ms, uint64_t id)
{
	uint32_t low = 0, high = ms->count;
	/* They come in order of id. */
	if (high != 0 && ms->group[high - 1]->id < id)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ms->group[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct memberships *memberships_grow(struct user *u, uint32_t cap)
{
	struct memberships *ms = u->memberships;
	bool is_new = ms == NULL;
	ms = xrealloc(ms, sizeof(*ms) + cap * sizeof(ms->group[0]));
	if (is_new)
		memset(ms, 0, sizeof(*ms));
	ms->cap = cap;
	return u->memberships = ms;
}

static void memberships_add(struct user *u, struct live_group *g)
{
	struct memberships *ms = u->memberships;
	if (ms == NULL || ms->count == ms->cap)
		ms = memberships_grow(u, ms == NULL ? 1 : ms->cap + ms->cap / 8 + 1);
	uint32_t at = place_of(ms, g->id);
	memmove(&ms->group[at + 1], &ms->group[at], (ms->count - at) * sizeof(ms->group[0]));
	ms->group[at] = g;
	ms->count++;
}

void memberships_trim(struct user *u)
{
	struct memberships *ms = u->memberships;
	if (ms == NULL || ms->count != 0 || ms->load != NULL)
		return;
	free(ms);
	u->memberships = NULL;
}

void membership_leave(struct user *u, struct live_group *g)
{
	struct memberships *ms = u->memberships;
	struct member *m = group_find_member(g, u);
	bool is_last = ms->count != 0 && ms->group[ms->count - 1] == g;
	uint32_t at = is_last ? ms->count - 1 : place_of(ms, g->id);
	ASSERT(m != NULL && at < ms->count && ms->group[at] == g);
	if (m->waits && ms->load != NULL && ms->load->state == LOAD_CONFIRMING)
		ms->load->waiting--;
	group_remove(g, m);
	ms->count--;
	memmove(&ms->group[at], &ms->group[at + 1], (ms->count - at) * sizeof(ms->group[0]));
}

bool membership_enter(struct live *live, struct user *u, const struct row *r)
{
	struct live_group *g = group_get(live, r->id);
	struct member *m = group_find_member(g, u);
	group_count_heard(g, r->last_seq, r->member_count);
	if (m != NULL && m->joined_seq >= r->joined_seq)
		return false;
	if (m != NULL) {
		m->joined_seq = r->joined_seq;
		m->first_seq = r->first_seq & MESSAGE_SEQ_MAX;
		return true;
	}
	m = group_add(g, u, r->joined_seq, r->first_seq);
	memberships_add(u, g);
	struct load *l = u->memberships->load;
	if (m->waits && l != NULL && l->state == LOAD_CONFIRMING)
		l->waiting++;
	return true;
}

void membership_confirmed(struct user *u)
{
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (l == NULL || l->state != LOAD_CONFIRMING || --l->waiting != 0)
		return;
	load_done(SLIST_FIRST(&u->sessions)->live, l);
}

/* ---- news ---- */

void membership_in(struct live *live, struct str user, uint64_t id, uint64_t seq, uint64_t first_seq,
		   uint64_t member_count)
{
	struct user *u = user_find(live, user);
	if (u == NULL || !user_is_open(u))
		return;
	load_remember(u, &(struct news){id, first_seq, (uint32_t)seq, (uint32_t)member_count});
	if (!membership_enter(
		    live, u,
		    &(struct row){id, (uint32_t)seq, (uint32_t)first_seq, (uint32_t)seq, (uint32_t)member_count}))
		return;
	struct live_group *g = group_find(live, id);
	struct member *m = group_find_member(g, u);
	if (m->waits)
		m->joins = true;
	else
		views_want(g, m, true);
}

void membership_out(struct live *live, struct str user, uint64_t id, uint64_t seq, enum group_out reason,
		    const char *except_id)
{
	struct user *u = user_find(live, user);
	if (u == NULL || !user_is_open(u))
		return;
	load_remember(u, &(struct news){.id = id, .seq = (uint32_t)seq});
	struct live_group *g = group_find(live, id);
	const struct member *m = g != NULL ? group_find_member(g, u) : NULL;
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (m == NULL && l != NULL && !l->hello_waits)
		resync_user(live, user); /* perhaps they were in it, and nobody here knew */
	if (m == NULL || m->joined_seq >= seq)
		return;
	membership_leave(u, g);
	group_tell_left(u, id, reason, except_id);
	if (l != NULL && l->state == LOAD_CONFIRMING && l->waiting == 0)
		load_done(live, l);
	else
		memberships_trim(u);
}
