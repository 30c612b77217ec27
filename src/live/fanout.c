/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives an event to the members of a group. To many of them in slices, some sessions' worth a loop turn, so that no
 * group starves the loop; the groups take turns. What is given to a group meanwhile waits behind it. Of what waits,
 * several events are given in one walk over the members: a write to a session costs much more than an event more in it.
 *
 * The walk over the members goes by their users' addresses, so members may come and go meanwhile.
 */
#include "core/base.h"
#include "live/group_priv.h"

#include "live/resync.h"
#include "live/session.h"

#include <stdlib.h>

/* Members that are given something at once. */
#define SLICE 256
/* What is given in one walk: so little that a session which reads can take it at once. */
#define TOGETHER_MAX 16
#define TOGETHER_BYTES (64u << 10)
/* Events that wait for the members of one group, and their bytes; and the bytes for all groups. */
#define QUEUED_MAX 1024
#define QUEUED_BYTES_MAX (8u << 20)
#define ALL_BYTES_MAX (64u << 20)

struct queued {
	TAILQ_ENTRY(queued) entry;
	struct ws_frame *frame;
	size_t bytes;
	uint64_t seq;
	char except[SESSION_ID_LEN + 1];
	char only[]; /* the user who alone is given it; "": all */
};

struct fanout {
	TAILQ_ENTRY(fanout) entry; /* in groups.fanouts */
	struct live_group *group;
	TAILQ_HEAD(, queued) queue;
	unsigned together; /* events at the head of the queue that this walk gives */
	uintptr_t at;	   /* it has given them to users up to this address; 0: it has not begun */
	unsigned count;
	size_t bytes;
	bool missing; /* something did not fit; told when the rest is given */
};

static const char *name_or_null(const char *id)
{
	return id[0] != '\0' ? id : NULL;
}

static void give_one(struct live_group *g, struct user *u, struct ws_frame *frame, const char *except_id, uint64_t seq)
{
	if (seq == 0 || memberships_are_sure(g->live, u, g->id)) {
		push_deliver(u, frame, except_id);
		return;
	}
	resync_user(g->live, str_from(u->id));
	memberships_hurry(g->live, u);
}

/* To the members from index i on, before `end`. */
static void give_to(struct live_group *g, uint32_t i, uint32_t end, struct ws_frame *frame, const char *except_id,
		    uint64_t seq)
{
	for (; i < end; i++)
		if (seq == 0 || seq >= g->members[i].first_seq)
			give_one(g, g->members[i].user, frame, except_id, seq);
}

static void queued_free(struct fanout *f, struct queued *q)
{
	TAILQ_REMOVE(&f->queue, q, entry);
	f->count--;
	f->bytes -= q->bytes;
	f->group->live->groups.queued_bytes -= q->bytes;
	ws_frame_unref(q->frame);
	free(q);
}

void fanout_forget(struct live_group *g)
{
	struct fanout *f = g->fanout;
	struct queued *q;
	if (f == NULL)
		return;
	while ((q = TAILQ_FIRST(&f->queue)) != NULL)
		queued_free(f, q);
	TAILQ_REMOVE(&g->live->groups.fanouts, f, entry);
	g->fanout = NULL;
	free(f);
}

static struct fanout *fanout_get(struct live_group *g)
{
	if (g->fanout != NULL)
		return g->fanout;
	struct fanout *f = g->fanout = xcalloc(1, sizeof(*f));
	f->group = g;
	TAILQ_INIT(&f->queue);
	TAILQ_INSERT_TAIL(&g->live->groups.fanouts, f, entry);
	loop_defer(g->live->loop, &g->live->groups.slice);
	return f;
}

/* The events of single users leave the other half for those of all. */
static bool has_room(const struct fanout *f, size_t bytes, bool for_one)
{
	unsigned part = for_one ? 2 : 1;
	return f->count < QUEUED_MAX / part && f->bytes + bytes <= QUEUED_BYTES_MAX / part &&
	       f->group->live->groups.queued_bytes + bytes <= ALL_BYTES_MAX / part;
}

/* False: there is no room. */
static bool enqueue(struct fanout *f, struct ws_frame *frame, const char *except_id, uint64_t seq, const char *only)
{
	size_t bytes = ws_frame_bytes(frame, NULL, 0)->len;
	if (!has_room(f, bytes, only[0] != '\0'))
		return false;
	struct queued *q = xcalloc(1, sizeof(*q) + strlen(only) + 1);
	memcpy(q->only, only, strlen(only) + 1);
	q->frame = ws_frame_ref(frame);
	q->bytes = bytes;
	q->seq = seq;
	if (except_id != NULL)
		memcpy(q->except, except_id, sizeof(q->except));
	TAILQ_INSERT_TAIL(&f->queue, q, entry);
	f->count++;
	f->bytes += bytes;
	f->group->live->groups.queued_bytes += bytes;
	return true;
}

void fanout_give(struct live_group *g, struct ws_frame *frame, const char *except_id, uint64_t seq)
{
	if (g->fanout == NULL && g->count <= SLICE)
		give_to(g, 0, g->count, frame, except_id, seq);
	else if (!enqueue(fanout_get(g), frame, except_id, seq, ""))
		g->fanout->missing = true;
}

void fanout_give_one(struct live_group *g, struct user *u, struct ws_frame *frame, const char *except_id)
{
	if (g->fanout == NULL)
		push_deliver(u, frame, except_id);
	else if (!enqueue(g->fanout, frame, except_id, 0, u->id))
		resync_user(g->live, str_from(u->id));
}

/* It is about what they did themselves, so it comes also to who has gone out since. */
static void give_only(struct live *live, const struct queued *q)
{
	struct user *u = user_find(live, str_from(q->only));
	if (u != NULL)
		push_deliver(u, q->frame, name_or_null(q->except));
}

/* The events at the head of the queue that are for all; one at least. */
static unsigned count_together(const struct fanout *f)
{
	const struct queued *q = TAILQ_FIRST(&f->queue);
	size_t bytes = q->bytes;
	unsigned n = 1;
	while ((q = TAILQ_NEXT(q, entry)) != NULL && q->only[0] == '\0' && n < TOGETHER_MAX &&
	       (bytes += q->bytes) <= TOGETHER_BYTES)
		n++;
	return n;
}

static void give_together(struct fanout *f, uint32_t from, uint32_t end)
{
	const struct queued *q = TAILQ_FIRST(&f->queue);
	for (unsigned i = 0; i < f->together; i++, q = TAILQ_NEXT(q, entry))
		give_to(f->group, from, end, q->frame, name_or_null(q->except), q->seq);
}

/* One slice of what waits for the group. */
static void give_slice(struct fanout *f)
{
	struct live_group *g = f->group;
	struct queued *q;
	uint32_t left = SLICE;
	while (left != 0 && (q = TAILQ_FIRST(&f->queue)) != NULL) {
		if (q->only[0] != '\0') {
			give_only(g->live, q);
			queued_free(f, q);
			left--;
			continue;
		}
		if (f->at == 0)
			f->together = count_together(f);
		uint32_t from = group_member_after(g, f->at), end = g->count - from < left ? g->count : from + left;
		give_together(f, from, end);
		left -= end - from;
		if (end != g->count) {
			f->at = (uintptr_t)g->members[end - 1].user;
			return;
		}
		for (; f->together != 0; f->together--)
			queued_free(f, TAILQ_FIRST(&f->queue));
		f->at = 0;
	}
}

void fanout_on_slice(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, groups.slice);
	struct fanout *f, *last = TAILQ_LAST(&live->groups.fanouts, fanout_list);
	while ((f = TAILQ_FIRST(&live->groups.fanouts)) != NULL && loop_has_time(live->loop)) {
		bool is_last = f == last;
		give_slice(f);
		TAILQ_REMOVE(&live->groups.fanouts, f, entry);
		TAILQ_INSERT_TAIL(&live->groups.fanouts, f, entry);
		if (TAILQ_EMPTY(&f->queue)) {
			if (f->missing)
				group_resync(f->group);
			fanout_forget(f->group);
		}
		if (is_last)
			break;
	}
	if (!TAILQ_EMPTY(&live->groups.fanouts))
		loop_defer(live->loop, t);
}
