/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads which groups users are in: when a user's first session here begins, for several users at once, and again when
 * news of it may have been lost. News that come while a read is under way are applied to its answer as well.
 *
 *   topic -> wanted -> reading -> answered -> confirming -> done
 *     a user's first session                 (the topics)
 *   again -> reading -> answered -> done
 *     when news may have been lost, or the read failed
 */
#include "core/base.h"
#include "live/membership_priv.h"

#include "live/admission.h"
#include "live/resync.h"
#include "live/session.h"
#include "store/group.h"

#include <stdlib.h>

/* Users in a read, and reads under way for sessions that wait for their hello. */
#define BATCH_MAX 32
#define READS_MAX 2
/* How often a batch of those is read who do not wait; and after a failed read. */
#define AGAIN_MS WHEEL_TICK_MS
#define RETRY_MS 1000
/* News that are remembered while a read is under way; with more it is read once more. */
#define NEWS_MAX 1024

struct batch {
	struct live *live;
	bool again;
	size_t n;
	struct load *load[BATCH_MAX];
};

static void on_ask(struct loop_task *t);
static void on_answered(struct loop_task *t);
static void on_again(struct wheel_timer *t);

void memberships_init(struct live *live)
{
	struct groups *gs = &live->groups;
	TAILQ_INIT(&gs->wanted);
	TAILQ_INIT(&gs->again);
	TAILQ_INIT(&gs->answered);
	gs->ask.fn = on_ask;
	gs->apply.fn = on_answered;
}

void memberships_fini(struct live *live)
{
	wheel_cancel(&live->groups.again_timer);
}

/* ---- the end of a load ---- */

static void load_free(struct load *l)
{
	free(l->news);
	free(l->row);
	free(l);
}

void load_done(struct live *live, struct load *l)
{
	struct user *u = l->user;
	bool repeat = l->repeat;
	uint64_t doubt = l->doubt;
	u->memberships->load = NULL;
	if (l->hello_waits)
		session_greet_user(live, u);
	else if (l->changed)
		resync_user(live, str_from(u->id));
	load_free(l);
	memberships_trim(u);
	if (repeat)
		memberships_again(live, u, doubt);
}

/* ---- applying an answer ---- */

static uint32_t row_place(const struct load *l, uint64_t id)
{
	uint32_t low = 0, high = l->row_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (l->row[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *row_find(const struct load *l, uint64_t id)
{
	uint32_t at = row_place(l, id);
	return at < l->row_count && l->row[at].id == id ? &l->row[at] : NULL;
}

static void row_remove(struct load *l, struct row *r)
{
	l->row_count--;
	memmove(r, r + 1, (size_t)(l->row + l->row_count - r) * sizeof(*r));
}

static void row_put(struct load *l, const struct row *new)
{
	struct row *r = row_find(l, new->id);
	if (r != NULL) {
		*r = *new;
		return;
	}
	uint32_t at = row_place(l, new->id);
	l->row = xrealloc(l->row, (l->row_count + 1) * sizeof(*l->row));
	memmove(&l->row[at + 1], &l->row[at], (l->row_count - at) * sizeof(*l->row));
	l->row[at] = *new;
	l->row_count++;
}

static void apply_news(struct load *l)
{
	for (uint32_t i = 0; i < l->news_count; i++) {
		const struct news *n = &l->news[i];
		struct row *r = row_find(l, n->id);
		if (r != NULL && r->joined_seq >= n->seq)
			continue;
		if (n->first_seq != 0)
			row_put(l, &(struct row){n->id, n->seq, (uint32_t)n->first_seq, n->seq, n->member_count});
		else if (r != NULL)
			row_remove(l, r);
	}
}

static uint32_t count_waiting(const struct user *u)
{
	const struct memberships *ms = u->memberships;
	uint32_t n = 0;
	for (uint32_t i = 0; i < ms->count; i++)
		n += !group_is_confirmed(ms->group[i]) && group_find_member(ms->group[i], u)->waits;
	return n;
}

static void load_apply(struct live *live, struct load *l)
{
	struct user *u = l->user;
	apply_news(l);
	if (l->hello_waits)
		admission_session_groups(live, u->id, l->row_count);
	for (uint32_t i = u->memberships->count; i-- > 0;) {
		struct live_group *g = u->memberships->group[i];
		if (row_find(l, g->id) == NULL) {
			membership_leave(u, g);
			l->changed = true;
		}
	}
	if (u->memberships->cap < l->row_count)
		(void)memberships_grow(u, l->row_count);
	for (uint32_t i = 0; i < l->row_count; i++)
		l->changed = membership_enter(live, u, &l->row[i]) || l->changed;
	l->state = LOAD_CONFIRMING;
	l->waiting = count_waiting(u);
	if (l->waiting == 0)
		load_done(live, l);
}

static void on_answered(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, groups.apply);
	struct load *l;
	bool did = false;
	while ((l = TAILQ_FIRST(&live->groups.answered)) != NULL) {
		if (!loop_has_time(live->loop)) {
			loop_go_on(live->loop, t, did);
			return;
		}
		did = true;
		TAILQ_REMOVE(&live->groups.answered, l, entry);
		load_apply(live, l);
	}
}

/* ---- reading ---- */

static void again_in(struct live *live, int64_t ms)
{
	if (!wheel_timer_is_set(&live->groups.again_timer))
		wheel_set(loop_wheel(live->loop), &live->groups.again_timer, ms, on_again);
}

static void put_again(struct live *live, struct load *l)
{
	l->state = LOAD_AGAIN;
	TAILQ_INSERT_TAIL(&live->groups.again, l, entry);
}

/* Nobody knows what their groups are: the sessions say hello without them. */
static void load_failed(struct live *live, struct load *l)
{
	bool greets = l->hello_waits;
	put_again(live, l);
	l->hello_waits = false;
	if (greets)
		session_greet_user(live, l->user);
}

/* Each user's rows come in order of id. */
static void take_rows(struct batch *b, const struct store_memberships *r)
{
	size_t count[BATCH_MAX] = {0};
	for (size_t i = 0; i < r->count; i++)
		count[r->item[i].user]++;
	for (size_t i = 0; i < b->n; i++)
		if (b->load[i]->user != NULL && count[i] != 0)
			b->load[i]->row = xmalloc(count[i] * sizeof(struct row));
	for (size_t i = 0; i < r->count; i++) {
		const struct group_membership *m = &r->item[i];
		struct load *l = b->load[m->user];
		if (l->user != NULL)
			l->row[l->row_count++] =
				(struct row){m->conversation_id, (uint32_t)m->joined_seq, (uint32_t)m->first_seq,
					     (uint32_t)m->last_seq, (uint32_t)m->member_count};
	}
}

static void on_read(const struct store_memberships *r, void *arg)
{
	struct batch *b = arg;
	struct live *live = b->live;
	struct groups *gs = &live->groups;
	for (size_t i = 0; i < b->n; i++) {
		free(b->load[i]->row);
		b->load[i]->row = NULL;
		b->load[i]->row_count = 0;
	}
	if (r->status == STORE_OK)
		take_rows(b, r);
	for (size_t i = 0; i < b->n; i++) {
		struct load *l = b->load[i];
		if (l->user == NULL) {
			load_free(l);
		} else if (r->status != STORE_OK) {
			load_failed(live, l);
		} else {
			l->state = LOAD_ANSWERED;
			TAILQ_INSERT_TAIL(&gs->answered, l, entry);
		}
	}
	if (b->again)
		gs->reading_again = false;
	else
		gs->reading--;
	free(b);
	if (!TAILQ_EMPTY(&gs->again))
		again_in(live, r->status == STORE_OK ? AGAIN_MS : RETRY_MS);
	if (!TAILQ_EMPTY(&gs->answered))
		loop_defer(live->loop, &gs->apply);
	if (!TAILQ_EMPTY(&gs->wanted))
		loop_defer(live->loop, &gs->ask);
}

static void read_some(struct live *live, struct load_list *from, bool again)
{
	struct str id[BATCH_MAX];
	struct load *l;
	struct batch *b = xcalloc(1, sizeof(*b));
	b->live = live;
	b->again = again;
	while (b->n < BATCH_MAX && (l = TAILQ_FIRST(from)) != NULL) {
		TAILQ_REMOVE(from, l, entry);
		l->state = LOAD_READING;
		l->news_count = 0; /* what was heard before the read is asked for is in its answer */
		id[b->n] = str_from(l->user->id);
		b->load[b->n++] = l;
	}
	store_find_memberships(live->store, id, b->n, on_read, b);
}

/* At the end of a turn, so those who came in it share a read. */
static void on_ask(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, groups.ask);
	struct groups *gs = &live->groups;
	while (live->store != NULL && gs->reading < READS_MAX && !TAILQ_EMPTY(&gs->wanted)) {
		gs->reading++;
		read_some(live, &gs->wanted, false);
	}
}

static void on_again(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, groups.again_timer);
	struct groups *gs = &live->groups;
	if (live->store == NULL || gs->reading_again || TAILQ_EMPTY(&gs->again))
		return;
	gs->reading_again = true;
	read_some(live, &gs->again, true);
}

/* ---- the beginning ---- */

static struct load *load_new(struct user *u, enum load_state state)
{
	struct load *l = xcalloc(1, sizeof(*l));
	l->user = u;
	l->state = state;
	if (u->memberships == NULL)
		(void)memberships_grow(u, 0);
	u->memberships->load = l;
	return l;
}

void memberships_begin(struct live *live, struct user *u)
{
	ASSERT(u->memberships == NULL);
	load_new(u, LOAD_TOPIC)->hello_waits = true;
}

void memberships_await(struct live *live, struct user *u)
{
	if (u->memberships == NULL || u->memberships->load != NULL || !bus_is_up(live->bus))
		return;
	uint32_t waiting = count_waiting(u);
	if (waiting == 0)
		return;
	struct load *l = load_new(u, LOAD_CONFIRMING);
	l->waiting = waiting;
	l->hello_waits = true;
}

void memberships_read(struct live *live, struct user *u)
{
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (l == NULL || l->state != LOAD_TOPIC)
		return;
	l->state = LOAD_WANTED;
	TAILQ_INSERT_TAIL(&live->groups.wanted, l, entry);
	loop_defer(live->loop, &live->groups.ask);
}

bool memberships_allow_hello(const struct user *u)
{
	return u->memberships == NULL || u->memberships->load == NULL || !u->memberships->load->hello_waits;
}

void memberships_no_hello(struct user *u)
{
	if (!memberships_allow_hello(u))
		u->memberships->load->hello_waits = false;
}

void memberships_stop(struct live *live, struct user *u)
{
	struct memberships *ms = u->memberships;
	if (ms == NULL || ms->load == NULL)
		return;
	struct load *l = ms->load;
	struct groups *gs = &live->groups;
	if (l->state == LOAD_READING) {
		l->user = NULL;
	} else {
		if (l->state == LOAD_WANTED || l->state == LOAD_AGAIN || l->state == LOAD_ANSWERED)
			TAILQ_REMOVE(l->state == LOAD_WANTED  ? &gs->wanted
				     : l->state == LOAD_AGAIN ? &gs->again
							      : &gs->answered,
				     l, entry);
		load_free(l);
	}
	ms->load = NULL;
	memberships_trim(u);
}

void memberships_forget(struct live *live, struct user *u)
{
	memberships_stop(live, u);
	struct memberships *ms = u->memberships;
	if (ms == NULL)
		return;
	while (ms->count != 0)
		membership_leave(u, ms->group[ms->count - 1]);
	memberships_trim(u);
}

void memberships_again(struct live *live, struct user *u, uint64_t id)
{
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (!user_is_open(u))
		return;
	if (l != NULL) {
		l->repeat = l->repeat || l->state >= LOAD_READING;
		l->doubt = l->doubt == id ? id : 0;
		return;
	}
	l = load_new(u, LOAD_AGAIN);
	l->doubt = id;
	put_again(live, l);
	if (!live->groups.reading_again)
		again_in(live, AGAIN_MS);
}

/* Without Redis this worker hears nothing of what others do, if there are any; before its first beat nobody knows. */
static bool is_deaf(const struct live *live)
{
	return !bus_is_up(live->bus) && (live->peers != NULL || (!live->lamport.synced && live->own_beats == 0));
}

static bool is_in_doubt(const struct load *l, uint64_t id)
{
	bool any = l->repeat || (l->state >= LOAD_AGAIN && l->state <= LOAD_ANSWERED);
	return any && (l->doubt == 0 || l->doubt == id);
}

bool memberships_are_sure(struct live *live, const struct user *u, uint64_t id)
{
	const struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (l != NULL && is_in_doubt(l, id))
		return false;
	return !is_deaf(live);
}

void memberships_hurry(struct live *live, const struct user *u)
{
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (l == NULL || l->state != LOAD_AGAIN)
		return;
	TAILQ_REMOVE(&live->groups.again, l, entry);
	TAILQ_INSERT_HEAD(&live->groups.again, l, entry);
}

void memberships_again_all(struct live *live)
{
	uint32_t at = 0;
	struct user *u;
	while ((u = table_next(&live->users, &at)) != NULL)
		memberships_again(live, u, 0);
}

void load_remember(struct user *u, const struct news *n)
{
	struct load *l = u->memberships != NULL ? u->memberships->load : NULL;
	if (l == NULL || (l->state != LOAD_READING && l->state != LOAD_ANSWERED))
		return;
	if (l->news_count == NEWS_MAX) {
		l->repeat = true;
		l->doubt = 0;
		return;
	}
	/* It grows at powers of two. */
	if ((l->news_count & (l->news_count - 1)) == 0)
		l->news = xrealloc(l->news, (l->news_count == 0 ? 1 : 2 * l->news_count) * sizeof(*n));
	l->news[l->news_count++] = *n;
}
