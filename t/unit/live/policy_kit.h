/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of policy.c: several workers with one user, and a topic that delays messages and loses links and
 * workers. Time, the topic and the kicks are the test's; all that policy.c calls is here.
 */
#ifndef TIDINGS_T_UNIT_LIVE_POLICY_KIT_H
#define TIDINGS_T_UNIT_LIVE_POLICY_KIT_H
#include "core/base.h"
#include "live/policy.h"

#include "core/clock.h"

#include "../tap.h"

#include <stdlib.h>

#define WORKERS_MAX 4
#define SESSIONS_MAX 400
#define QUEUE_MAX 4096

/* ---- the clock ---- */

static int64_t now_us = 1000000;

int64_t clock_usecs(void)
{
	return now_us;
}

int64_t clock_mono_ms(void)
{
	return now_us / 1000;
}

/* For the log alone. */
int64_t clock_wall_ms(void)
{
	return now_us / 1000;
}

void clock_format_rfc3339(char out[CLOCK_RFC3339_LEN + 1], int64_t ms)
{
	out[0] = '\0';
}

/* ---- chance, the same in each run ---- */

static uint64_t dice;

static inline unsigned chance(unsigned below)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice >> 33) % below;
}

/* ---- the workers, their queues and sessions ---- */

struct heard {
	enum bus_kind kind;
	unsigned from;
	bool confirms; /* the subscription, instead of a message */
	char text[112];
};

struct queue {
	struct heard item[QUEUE_MAX];
	unsigned at, end;
};

static struct worker {
	struct live live;
	struct user *user; /* NULL: no session here */
	bool alive, up, subscribed;
	struct queue out, in; /* to the topic, and from it */
} workers[WORKERS_MAX];

/* What the test knows of a session. */
static struct fact {
	struct session *s; /* NULL once it is gone */
	unsigned worker;
	int64_t told_us; /* its first announcement came to the topic, or it was ranked without one; 0: neither */
	int64_t began_us, ended_us; /* 0: it has not */
	bool kicked;
	bool wrongly; /* for none, or for one that had ended before it began */
	bool left;    /* its client has, which the worker knows and has not dealt with */
	char id[SESSION_ID_LEN + 1];
	char device[DEVICE_MAX + 1];
} facts[SESSIONS_MAX];
static unsigned fact_count;
static struct conf conf;
/* Of the ids, and of those alone. */
static int64_t id_clock_error_ms[WORKERS_MAX];

static inline struct fact *fact_of(const char *id)
{
	for (unsigned i = 0; i < fact_count; i++)
		if (strcmp(facts[i].id, id) == 0)
			return &facts[i];
	return NULL;
}

static inline unsigned index_of(const struct live *live)
{
	return live->slot;
}

static inline void put(struct queue *q, const struct heard *m)
{
	ASSERT(q->end - q->at < QUEUE_MAX);
	q->item[q->end++ % QUEUE_MAX] = *m;
}

/* ---- what policy.c calls ---- */

struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user)
{
	out[0] = '\0';
	return (struct str){out, 0};
}

void push_publish(struct live *live, struct str topic, enum bus_kind kind, struct str data)
{
	struct heard m = {.kind = kind, .from = index_of(live)};
	ASSERT(data.len < sizeof(m.text));
	memcpy(m.text, data.s, data.len);
	put(&workers[m.from].out, &m);
}

struct user *user_find(struct live *live, struct str id)
{
	return workers[index_of(live)].user;
}

struct str user_key(const void *user)
{
	return str_from(((const struct user *)user)->id);
}

bool bus_is_up(const struct bus *b)
{
	return ((const struct worker *)(const void *)b)->up;
}

/* Overwritten by the next call. */
static inline const char *id_of(const struct session *s)
{
	static char id[SESSION_ID_LEN + 1];
	return session_id(s, id);
}

bool ws_peer_finished(const struct ws *ws)
{
	return fact_of(id_of((const struct session *)(const void *)ws))->left;
}

void session_kick(struct session *s, const char *reason, const char *by_session)
{
	s->leaving = true;
	struct fact *f = fact_of(id_of(s));
	const struct fact *by = fact_of(by_session);
	f->kicked = true;
	f->wrongly = strcmp(reason, "replaced") != 0 || by == NULL || by == f ||
		     (by->ended_us != 0 && by->ended_us < f->began_us);
}

/* ---- what happens ---- */

static inline void worker_start(unsigned i, bool up)
{
	static unsigned number;
	struct worker *w = &workers[i];
	char name[WORKER_NAME_LEN + 1];
	memset(w, 0, sizeof(*w));
	w->alive = true;
	w->up = up;
	w->live.slot = i;
	w->live.conf = &conf;
	w->live.bus = (struct bus *)(void *)w;
	/* A machine of its own, with a CLOCK_MONOTONIC of its own. */
	snprintf(name, sizeof(name), "%cscale%02u", 'a' + chance(26), number++ % 100);
	lamport_init(&w->live.lamport, name);
	/* A name that sorts at random. */
	snprintf(w->live.origin, sizeof(w->live.origin), "%cworker%u", 'a' + chance(26), i);
	w->live.lamport.offset_us = (int64_t)chance(1000000) * 1000;
	LIST_INIT(&w->live.sessions);
	table_init(&w->live.users, user_key);
}

/* What a heartbeat does, of worker `from` at worker `to`. */
static inline void beat(unsigned from, unsigned to)
{
	struct live *live = &workers[to].live;
	const struct lamport *theirs = &workers[from].live.lamport;
	int64_t shift_us;
	bool was_synced = live->lamport.synced;
	if (lamport_hear(&live->lamport, theirs, lamport_now_us(theirs), &shift_us))
		policy_scale_changed(live, shift_us);
	else if (!was_synced)
		policy_clock_synced(live);
}

static inline void beats(void)
{
	for (unsigned to = 0; to < WORKERS_MAX; to++)
		for (unsigned from = 0; from < WORKERS_MAX; from++)
			if (from != to && workers[from].alive && workers[to].alive && workers[from].up &&
			    workers[to].up)
				beat(from, to);
}

static inline void greet(struct session *s)
{
	s->greeted = true;
	policy_announce(s);
	if (s->rank != 0 && fact_of(id_of(s))->told_us == 0)
		fact_of(id_of(s))->told_us = now_us;
}

static inline void subscribe(struct worker *w)
{
	w->subscribed = true;
	put(&w->in, &(struct heard){.confirms = true});
}

static inline struct session *session_begin(unsigned i, const char *device)
{
	static uint32_t number;
	struct worker *w = &workers[i];
	struct session *s = xcalloc(1, sizeof(*s) + DEVICE_MAX + 1);
	struct fact *f = &facts[fact_count++];
	ASSERT(fact_count <= SESSIONS_MAX);
	if (w->user == NULL) {
		w->user = xcalloc(1, sizeof(*w->user) + 6);
		memcpy(w->user->id, "alice", 6);
		table_add(&w->live.users, w->user);
	}
	s->live = &w->live;
	s->user = w->user;
	s->ws = (struct ws *)(void *)s;
	/* By a clock that is wrong. */
	s->since_ms = (uint64_t)(1800000000000 + now_us / 1000 + id_clock_error_ms[i]) & 0xfffffffffff;
	s->number = number++ & 0xfffff;
	s->has_device = device[0] != '\0';
	if (s->has_device)
		memcpy(s->device, device, strlen(device));
	SLIST_INSERT_HEAD(&w->user->sessions, s, of_user);
	LIST_INSERT_HEAD(&w->live.sessions, s, all);
	*f = (struct fact){.s = s, .worker = i, .began_us = now_us};
	session_id(s, f->id);
	snprintf(f->device, sizeof(f->device), "%s", device);
	bool confirmed = w->subscribed;
	for (unsigned k = w->in.at; k != w->in.end; k++)
		confirmed = confirmed && !w->in.item[k % QUEUE_MAX].confirms;
	if (!w->up || confirmed)
		greet(s);
	else if (!w->subscribed)
		subscribe(w);
	return s;
}

static inline void session_end(struct fact *f)
{
	struct worker *w = &workers[f->s->live->slot];
	SLIST_REMOVE(&w->user->sessions, f->s, session, of_user);
	LIST_REMOVE(f->s, all);
	free(f->s);
	f->s = NULL;
	f->ended_us = now_us;
	if (!SLIST_EMPTY(&w->user->sessions))
		return;
	policy_forget(w->user);
	table_remove(&w->live.users, w->user);
	free(w->user);
	w->user = NULL;
	w->subscribed = false;
	w->in.at = w->in.end;
}

static inline void worker_die(unsigned i)
{
	for (unsigned k = 0; k < fact_count; k++)
		if (facts[k].s != NULL && facts[k].worker == i)
			session_end(&facts[k]);
	table_fini(&workers[i].live.users);
	workers[i].alive = workers[i].up = false;
}

static inline void link_down(unsigned i)
{
	struct worker *w = &workers[i];
	struct session *s;
	w->up = w->subscribed = false;
	w->in.at = w->in.end;
	w->out.at = w->out.end;
	policy_link_down(&w->live);
	LIST_FOREACH (s, &w->live.sessions, all)
		greet(s);
}

static inline void link_up(unsigned i)
{
	struct worker *w = &workers[i];
	w->up = true;
	w->subscribed = w->user != NULL;
	policy_announce_all(&w->live);
}

/* One message of worker i comes to the topic. */
static inline bool publish_one(unsigned i)
{
	struct worker *w = &workers[i];
	char id[SESSION_ID_LEN + 1] = "";
	if (w->out.at == w->out.end)
		return false;
	const struct heard *m = &w->out.item[w->out.at++ % QUEUE_MAX];
	memcpy(id, m->text, SESSION_ID_LEN);
	struct fact *f = fact_of(id);
	if (m->kind == BUS_ANNOUNCE && f->told_us == 0)
		f->told_us = now_us;
	for (unsigned to = 0; to < WORKERS_MAX; to++)
		if (workers[to].alive && workers[to].up && workers[to].subscribed)
			put(&workers[to].in, m);
	return true;
}

static inline bool hear_one(unsigned i)
{
	struct worker *w = &workers[i];
	struct session *s;
	if (w->in.at == w->in.end)
		return false;
	struct heard m = w->in.item[w->in.at++ % QUEUE_MAX];
	if (!m.confirms) {
		policy_heard(&w->live, STR_LIT("alice"), m.kind, str_from(m.text), m.from == i);
		return true;
	}
	LIST_FOREACH (s, &w->live.sessions, all)
		greet(s);
	return true;
}

static inline void settle(void)
{
	for (bool any = true; any;) {
		any = false;
		for (unsigned n = 0; n < 8 * WORKERS_MAX; n++) {
			unsigned i = chance(WORKERS_MAX);
			bool did = chance(2) != 0 ? publish_one(i) : hear_one(i);
			any = any || did;
			now_us += did ? 100 : 0;
		}
		for (unsigned i = 0; i < WORKERS_MAX; i++)
			any = any || workers[i].in.at != workers[i].in.end || workers[i].out.at != workers[i].out.end;
	}
}

static inline void clear(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (workers[i].alive)
			worker_die(i);
	fact_count = 0;
}

#endif
