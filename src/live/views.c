/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event `conversation`: what a member sees of a group, for one who came in, and for all when the profile changes.
 * It is read for some members of one group at a time, one read a tick of the wheel, the groups in turns; so a large
 * group that is changed often has its members told less often, and nobody else.
 */
#include "core/base.h"
#include "live/group_priv.h"

#include "core/clock.h"
#include "live/session.h"
#include "store/group.h"

#include <stdlib.h>

#define READ_MAX (VIEWS_PER_SECOND * WHEEL_TICK_MS / 1000)
/* From the beginning of a walk over a group's members to that of the next, and after a failed read. */
#define WALK_MS 1000

/* Of a group: who waits. It stays for WALK_MS after a walk. */
struct views {
	TAILQ_ENTRY(views) entry; /* in groups.views; the first is next */
	struct live_group *group;
	uint32_t joins, due; /* members of which each is set; those whose topic is confirmed */
	uintptr_t at;	     /* the walk over those due is at that user's address */
	int64_t next_ms;     /* the next walk begins no sooner, by clock_mono_ms() */
};

/* A read under way. The users are named: they may be gone when it is answered. */
struct view_read {
	struct live *live;
	uint64_t id;
	size_t n;
	char user[READ_MAX][USER_ID_MAX + 1];
};

static void on_step(struct wheel_timer *t);

static void go_on(struct live *live)
{
	struct groups *gs = &live->groups;
	if (!gs->reading_views && !TAILQ_EMPTY(&gs->views) && !wheel_timer_is_set(&gs->views_timer))
		wheel_set(loop_wheel(live->loop), &gs->views_timer, WHEEL_TICK_MS, on_step);
}

static struct views *views_get(struct live_group *g)
{
	if (g->views == NULL) {
		g->views = xcalloc(1, sizeof(*g->views));
		g->views->group = g;
		TAILQ_INSERT_TAIL(&g->live->groups.views, g->views, entry);
	}
	go_on(g->live);
	return g->views;
}

void views_want(struct live_group *g, struct member *m, bool joins)
{
	struct views *v = views_get(g);
	if (joins && !m->joins) {
		m->joins = true;
		v->joins += !m->waits;
	} else if (!joins && !m->view) {
		m->view = true;
		v->due++;
	}
}

void views_want_all(struct live_group *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		views_want(g, &g->members[i], false);
}

void views_forget(struct live_group *g)
{
	struct views *v = g->views;
	if (v == NULL)
		return;
	TAILQ_REMOVE(&g->live->groups.views, v, entry);
	g->views = NULL;
	free(v);
}

void views_forget_member(struct live_group *g, const struct member *m)
{
	if (g->views == NULL)
		return;
	g->views->joins -= m->joins && !m->waits;
	g->views->due -= m->view;
}

/* ---- reading ---- */

static void tell_view(struct live *live, const struct conversation *c)
{
	struct user *u = user_find(live, str_from(c->user));
	const struct live_group *g = group_find(live, c->id);
	if (u == NULL || g == NULL || group_find_member(g, u) == NULL || live->conversation_event == NULL)
		return;
	struct ws_frame *frame = ws_frame_new(live->conversation_event(live, c));
	push_deliver(u, frame, NULL);
	ws_frame_unref(frame);
}

/* They are read once more, after a while. */
static void want_again(const struct view_read *r)
{
	struct live_group *g = group_find(r->live, r->id);
	for (size_t i = 0; g != NULL && i < r->n; i++) {
		const struct user *u = user_find(r->live, str_from(r->user[i]));
		struct member *m = u != NULL ? group_find_member(g, u) : NULL;
		if (m != NULL)
			views_want(g, m, false);
	}
	if (g != NULL && g->views != NULL)
		g->views->next_ms = clock_mono_ms() + WALK_MS;
}

static bool is_in(const struct store_conversations *answer, const char *user)
{
	for (size_t i = 0; i < answer->count; i++)
		if (strcmp(answer->item[i].user, user) == 0)
			return true;
	return false;
}

/*
 * Who is taken for a member and has no view: news from two workers have overtaken one another, and the user went out
 * by those that came first.
 */
static void look_again(const struct view_read *r, const struct store_conversations *answer)
{
	const struct live_group *g = group_find(r->live, r->id);
	for (size_t i = 0; g != NULL && i < r->n; i++) {
		struct user *u = user_find(r->live, str_from(r->user[i]));
		if (u != NULL && group_find_member(g, u) != NULL && !is_in(answer, r->user[i]))
			memberships_again(r->live, u);
	}
}

static void on_read(const struct store_conversations *answer, void *arg)
{
	struct view_read *r = arg;
	struct live *live = r->live;
	live->groups.reading_views = false;
	if (answer->status == STORE_OK || answer->status == STORE_NOT_FOUND) {
		for (size_t i = 0; i < answer->count; i++)
			tell_view(live, &answer->item[i]);
		look_again(r, answer);
	} else {
		want_again(r);
	}
	go_on(live);
	free(r);
}

static void pick(struct view_read *r, const struct member *m)
{
	memcpy(r->user[r->n++], m->user->id, strlen(m->user->id) + 1);
}

/* A read tells a member what it sees now, for whatever reason it was wanted. */
static void pick_those_who_join(struct views *v, struct view_read *r)
{
	struct live_group *g = v->group;
	for (uint32_t i = 0; i < g->count && v->joins != 0 && r->n < READ_MAX; i++) {
		struct member *m = &g->members[i];
		if (!m->joins || m->waits)
			continue;
		pick(r, m);
		v->joins--;
		v->due -= m->view;
		m->joins = m->view = false;
	}
}

static void pick_those_due(struct views *v, struct view_read *r)
{
	struct live_group *g = v->group;
	int64_t now_ms = clock_mono_ms();
	if (v->at == 0 && now_ms < v->next_ms)
		return;
	if (v->at == 0)
		v->next_ms = now_ms + WALK_MS;
	uint32_t i = group_member_after(g, v->at);
	for (; i < g->count && r->n < READ_MAX; i++) {
		struct member *m = &g->members[i];
		if (m->view) {
			pick(r, m);
			v->due--;
			m->view = false;
		}
	}
	v->at = i < g->count ? (uintptr_t)g->members[i - 1].user : 0;
}

/* The next group that has somebody to be read now, behind the others from then on; those that are done go. */
static bool pick_some(struct groups *gs, struct view_read *r)
{
	struct views *last = TAILQ_LAST(&gs->views, views_list), *v;
	for (bool is_last = false; !is_last && r->n == 0 && (v = TAILQ_FIRST(&gs->views)) != NULL;) {
		is_last = v == last;
		r->id = v->group->id;
		if (v->joins != 0)
			pick_those_who_join(v, r);
		else if (v->due != 0)
			pick_those_due(v, r);
		TAILQ_REMOVE(&gs->views, v, entry);
		TAILQ_INSERT_TAIL(&gs->views, v, entry);
		if (r->n == 0 && v->joins == 0 && v->due == 0 && clock_mono_ms() >= v->next_ms)
			views_forget(v->group);
	}
	return r->n != 0;
}

static void on_step(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, groups.views_timer);
	struct view_read *r = xcalloc(1, sizeof(*r));
	struct str id[READ_MAX];
	r->live = live;
	if (live->store == NULL || !pick_some(&live->groups, r)) {
		free(r);
		go_on(live);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		id[i] = str_from(r->user[i]);
	live->groups.reading_views = true;
	store_find_group_views(live->store, r->id, id, r->n, on_read, r);
}
