/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event `conversation`: what a member sees of a group, for one who came in, and for all when the profile changes.
 *
 * It is read at the ticks of the wheel, for some members of some groups at once, in three kinds of reads, which do not
 * wait for one another: of those who came in, of those whom a change concerns, and again where a read failed. The
 * groups take turns member by member, so neither a large group nor one that is changed often holds up another.
 *
 * What fails is read again one by one, for a single member may be what it failed at; who cannot be read a few times is
 * told to catch up.
 */
#include "core/base.h"
#include "live/group_priv.h"

#include "core/clock.h"
#include "live/resync.h"
#include "live/session.h"
#include "store/group.h"

#include <stdlib.h>

#define JOINS_MAX (JOINS_PER_SECOND * WHEEL_TICK_MS / 1000)
#define CHANGES_MAX (VIEWS_PER_SECOND * WHEEL_TICK_MS / 1000)
/* From the beginning of a walk over a group's members to that of the next. */
#define WALK_MS 1000
#define RETRY_MS 1000
#define TRIES_MAX 5
/* Who wait to be read again; who else fails is told to catch up. */
#define RETRIES_MAX 2000

enum kind { JOINS, CHANGES, RETRIES };

/* Of a group: who waits. It stays for WALK_MS after a walk. */
struct views {
	TAILQ_ENTRY(views) entry;	  /* in groups.views; the first is next */
	TAILQ_ENTRY(views) joining_entry; /* in groups.joining, while there are `joins` */
	struct live_group *group;
	uint32_t joins, due; /* members of which each is set; those whose topic is confirmed */
	uintptr_t joins_at;  /* who joins is looked for from that user's address on */
	uintptr_t at;	     /* the walk over those due is at that one */
	int64_t next_ms;     /* the next walk begins no sooner, by clock_mono_ms() */
};

/* The user is named in these: it may be gone by then. */
struct view_of {
	uint64_t id;
	unsigned tries; /* that have failed */
	char user[USER_ID_MAX + 1];
};

struct view_retry {
	TAILQ_ENTRY(view_retry) entry;
	struct view_of of;
	int64_t next_ms;
};

/* A read under way. */
struct view_read {
	struct live *live;
	enum kind kind;
	size_t n;
	struct view_of of[JOINS_MAX];
};

_Static_assert(CHANGES_MAX <= JOINS_MAX, "the longest read is of those who join");

static void on_step(struct wheel_timer *t);

void views_init(struct live *live)
{
	TAILQ_INIT(&live->groups.joining);
	TAILQ_INIT(&live->groups.views);
	TAILQ_INIT(&live->groups.view_retries);
	live->groups.view_retries_at_once = 1;
}

static void retry_free(struct groups *gs, struct view_retry *y)
{
	TAILQ_REMOVE(&gs->view_retries, y, entry);
	gs->view_retry_count--;
	free(y);
}

void views_fini(struct live *live)
{
	struct view_retry *y;
	wheel_cancel(&live->groups.views_timer);
	while ((y = TAILQ_FIRST(&live->groups.view_retries)) != NULL)
		retry_free(&live->groups, y);
}

static void go_on(struct live *live)
{
	struct groups *gs = &live->groups;
	if ((!TAILQ_EMPTY(&gs->views) || !TAILQ_EMPTY(&gs->view_retries)) && !wheel_timer_is_set(&gs->views_timer))
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

static void add_join(struct views *v)
{
	if (v->joins++ == 0)
		TAILQ_INSERT_TAIL(&v->group->live->groups.joining, v, joining_entry);
}

static void drop_join(struct views *v)
{
	if (--v->joins == 0)
		TAILQ_REMOVE(&v->group->live->groups.joining, v, joining_entry);
}

void views_want(struct live_group *g, struct member *m, bool joins)
{
	struct views *v = views_get(g);
	if (joins && !m->joins) {
		m->joins = true;
		if (!m->waits)
			add_join(v);
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
	while (v->joins != 0)
		drop_join(v);
	TAILQ_REMOVE(&g->live->groups.views, v, entry);
	g->views = NULL;
	free(v);
}

void views_forget_member(struct live_group *g, const struct member *m)
{
	if (g->views == NULL)
		return;
	if (m->joins && !m->waits)
		drop_join(g->views);
	g->views->due -= m->view;
}

/* ---- what was read ---- */

static struct member *member_of(struct live *live, const struct view_of *of)
{
	const struct user *u = user_find(live, str_from(of->user));
	const struct live_group *g = group_find(live, of->id);
	return u != NULL && g != NULL ? group_find_member(g, u) : NULL;
}

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

/* Who failed alone waits for a while; who failed with others is read alone first. */
static void read_again(const struct view_read *r, const struct view_of *of)
{
	struct groups *gs = &r->live->groups;
	unsigned tries = of->tries + (r->n == 1);
	if (member_of(r->live, of) == NULL)
		return;
	if (tries >= TRIES_MAX || gs->view_retry_count >= RETRIES_MAX) {
		resync_user(r->live, str_from(of->user));
		return;
	}
	struct view_retry *y = xcalloc(1, sizeof(*y));
	y->of = *of;
	y->of.tries = tries;
	y->next_ms = r->n == 1 ? clock_mono_ms() + RETRY_MS : 0;
	if (r->n == 1)
		TAILQ_INSERT_TAIL(&gs->view_retries, y, entry);
	else
		TAILQ_INSERT_HEAD(&gs->view_retries, y, entry);
	gs->view_retry_count++;
}

static bool is_in(const struct store_conversations *answer, const struct view_of *of)
{
	for (size_t i = 0; i < answer->count; i++)
		if (answer->item[i].id == of->id && strcmp(answer->item[i].user, of->user) == 0)
			return true;
	return false;
}

static void set_retries_at_once(struct groups *gs, size_t n)
{
	gs->view_retries_at_once = n < CHANGES_MAX ? (unsigned)n : CHANGES_MAX;
}

static void on_read(const struct store_conversations *answer, void *arg)
{
	struct view_read *r = arg;
	struct live *live = r->live;
	bool failed = answer->status != STORE_OK && answer->status != STORE_NOT_FOUND;
	if (r->kind == RETRIES)
		set_retries_at_once(&live->groups, failed ? 1 : 2 * r->n);
	live->groups.reading_views &= ~(1u << r->kind);
	for (size_t i = 0; i < answer->count && !failed; i++)
		tell_view(live, &answer->item[i]);
	for (size_t i = 0; i < r->n; i++) {
		const struct member *m = member_of(live, &r->of[i]);
		if (failed)
			read_again(r, &r->of[i]);
		else if (m != NULL && !is_in(answer, &r->of[i]))
			/* Is taken for a member and has no view: news from two workers have overtaken one another, and
			 * the user went out by those that came first. */
			memberships_again(live, m->user, r->of[i].id);
	}
	go_on(live);
	free(r);
}

/* ---- reading ---- */

static void pick(struct view_read *r, const struct live_group *g, const struct member *m)
{
	struct view_of *of = &r->of[r->n++];
	of->id = g->id;
	memcpy(of->user, m->user->id, strlen(m->user->id) + 1);
}

/* A read tells a member what it sees now, so one read serves all reasons to ask. */
static void pick_one_who_joins(struct views *v, struct view_read *r)
{
	struct live_group *g = v->group;
	uint32_t from = group_member_after(g, v->joins_at);
	for (uint32_t n = 0; n < g->count; n++) {
		struct member *m = &g->members[(from + n) % g->count];
		if (!m->joins || m->waits)
			continue;
		pick(r, g, m);
		v->due -= m->view;
		v->joins_at = (uintptr_t)m->user;
		m->joins = m->view = false;
		drop_join(v);
		return;
	}
}

static void pick_joins(struct groups *gs, struct view_read *r)
{
	struct views *v;
	while (r->n < JOINS_MAX && (v = TAILQ_FIRST(&gs->joining)) != NULL) {
		/* Behind the others. */
		TAILQ_REMOVE(&gs->joining, v, joining_entry);
		TAILQ_INSERT_TAIL(&gs->joining, v, joining_entry);
		pick_one_who_joins(v, r);
	}
}

/* The next one of the walk over those due. False: there is none now. */
static bool pick_one_due(struct views *v, struct view_read *r, int64_t now_ms)
{
	struct live_group *g = v->group;
	if (v->due == 0 || (v->at == 0 && now_ms < v->next_ms))
		return false;
	if (v->at == 0)
		v->next_ms = now_ms + WALK_MS;
	for (uint32_t i = group_member_after(g, v->at); i < g->count; i++) {
		struct member *m = &g->members[i];
		if (!m->view)
			continue;
		pick(r, g, m);
		v->due--;
		m->view = false;
		v->at = i + 1 < g->count ? (uintptr_t)m->user : 0;
		return true;
	}
	v->at = 0;
	return false;
}

/* Of each group one, in turns; those that are done go. */
static void pick_changes(struct groups *gs, struct view_read *r)
{
	int64_t now_ms = clock_mono_ms();
	struct views *v, *last = TAILQ_LAST(&gs->views, views_list);
	bool picked = false, is_last = false;
	while (r->n < CHANGES_MAX && (v = TAILQ_FIRST(&gs->views)) != NULL) {
		picked = pick_one_due(v, r, now_ms) || picked;
		is_last = v == last;
		TAILQ_REMOVE(&gs->views, v, entry);
		TAILQ_INSERT_TAIL(&gs->views, v, entry);
		if (v->joins == 0 && v->due == 0 && now_ms >= v->next_ms)
			views_forget(v->group);
		if (is_last && !picked)
			return;
		if (is_last) {
			picked = false;
			last = TAILQ_LAST(&gs->views, views_list);
		}
	}
}

/* One, and while that goes well twice as many each time. */
static void pick_retries(struct groups *gs, struct view_read *r)
{
	struct view_retry *y;
	while (r->n < gs->view_retries_at_once && (y = TAILQ_FIRST(&gs->view_retries)) != NULL &&
	       y->next_ms <= clock_mono_ms()) {
		r->of[r->n++] = y->of;
		retry_free(gs, y);
	}
}

static void read_some(struct live *live, enum kind kind)
{
	static void (*const picks[])(struct groups *, struct view_read *) = {
		[JOINS] = pick_joins, [CHANGES] = pick_changes, [RETRIES] = pick_retries};
	struct group_viewer who[JOINS_MAX];
	if (live->groups.reading_views & 1u << kind)
		return;
	struct view_read *r = xcalloc(1, sizeof(*r));
	r->live = live;
	r->kind = kind;
	picks[kind](&live->groups, r);
	if (r->n == 0) {
		free(r);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		who[i] = (struct group_viewer){r->of[i].id, str_from(r->of[i].user)};
	live->groups.reading_views |= 1u << kind;
	store_find_group_views(live->store, who, r->n, on_read, r);
}

static void on_step(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, groups.views_timer);
	if (live->store != NULL)
		for (enum kind kind = JOINS; kind <= RETRIES; kind++)
			read_some(live, kind);
	go_on(live);
}
