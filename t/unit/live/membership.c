/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which groups a worker believes users to be in, against the truth, over random histories: users come in and go out
 * while news of it are on their way or lost, while reads are asked, answered late or fail, while topics are confirmed,
 * and while sessions begin and end. When all has arrived, what is known is the truth.
 */
#include "core/base.h"
#include "live/group_priv.h"

#include "core/log.h"
#include "hub/audience.h"
#include "hub/bucket.h"
#include "live/admission.h"
#include "live/session.h"
#include "store/group.h"

#include "../tap.h"
#include "clock_kit.h"

#include <stdlib.h>

#define USERS 4
#define GROUPS 5
#define QUEUE_MAX 4096
#define READS_MAX 64
#define ID(g) (GROUP_ID_MIN + (g))

static struct live live;
static struct loop *loop;
static bool up;

/* ---- the truth ---- */

static uint64_t group_seq[GROUPS];
static uint64_t joined[USERS][GROUPS]; /* 0: out */

/* ---- what is on its way ---- */

struct word {
	bool in;
	unsigned group;
	uint64_t seq;
};
static struct {
	struct word word[QUEUE_MAX];
	unsigned at, end;
	bool begun, subscribed;
	struct user *user;
	struct session session;
	bool view[GROUPS];
	unsigned resyncs;
} of[USERS];

static struct read {
	store_memberships_fn *fn;
	void *arg;
	size_t n;
	unsigned user[READS_MAX];
	bool taken; /* by the database: the answer is as it was then */
	struct group_membership item[USERS * GROUPS];
	size_t count;
} * reads[READS_MAX];
static unsigned read_count;
static struct bus_topic {
	void *owner; /* NULL: not wanted */
	bool confirmed;
} topics[GROUPS];
static uint32_t online[GROUPS];
static bool lost;

static unsigned chance(unsigned n)
{
	static uint64_t x = 88172645463325252;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 20) % n;
}

static unsigned user_index(struct str id)
{
	return (unsigned)(id.s[0] - 'a');
}

/* ---- what membership.c and group.c call ---- */

bool bus_is_up(const struct bus *b)
{
	return up;
}

struct bus_topic *bus_group_open(struct bus *b, uint64_t id, void *owner)
{
	struct bus_topic *t = &topics[id - GROUP_ID_MIN];
	ASSERT(t->owner == NULL);
	t->owner = owner;
	return t;
}

void bus_group_close(struct bus *b, struct bus_topic *t)
{
	ASSERT(t->owner != NULL);
	*t = (struct bus_topic){0};
}

void *bus_group_owner(const struct bus *b, uint64_t id)
{
	return topics[id - GROUP_ID_MIN].owner;
}

bool bus_topic_is_subscribed(const struct bus_topic *t)
{
	return t->confirmed;
}

struct str topic_make_group(char out[TOPIC_MAX], uint64_t id)
{
	int n = snprintf(out, TOPIC_MAX, "c:%llu", (unsigned long long)id);
	return (struct str){out, (size_t)n};
}

struct user *user_find(struct live *m, struct str id)
{
	return of[user_index(id)].user;
}

bool user_is_open(const struct user *u)
{
	return of[user_index(str_from(u->id))].begun;
}

struct str user_key(const void *user)
{
	return str_from(((const struct user *)user)->id);
}

void session_greet_user(struct live *m, struct user *u)
{
	of[user_index(str_from(u->id))].session.greeted = true;
}

void resync_user(struct live *m, struct str user)
{
	of[user_index(user)].resyncs++;
}

void store_find_memberships(struct store *s, const struct str *users, size_t n, store_memberships_fn *fn, void *arg)
{
	struct read *r = xcalloc(1, sizeof(*r));
	r->fn = fn;
	r->arg = arg;
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->user[i] = user_index(users[i]);
	ASSERT(read_count < READS_MAX);
	reads[read_count++] = r;
}

bool audience_set(struct hub *h, unsigned slot, uint64_t id, uint32_t count)
{
	online[id - GROUP_ID_MIN] = count;
	return true;
}

uint64_t audience_count(const struct hub *h, uint64_t id)
{
	return online[id - GROUP_ID_MIN];
}

/* Who came in has a view read, and who has none is looked at again. */
void views_want(struct live_group *g, struct member *m, bool joins)
{
	of[user_index(str_from(m->user->id))].view[g->id - GROUP_ID_MIN] = true;
}

void admission_session_groups(struct live *m, const char *user, size_t groups)
{
}

void views_init(struct live *m)
{
}

void views_fini(struct live *m)
{
}

void views_forget_member(struct live_group *g, const struct member *m)
{
}

void views_forget(struct live_group *g)
{
}

void fanout_give(struct live_group *g, struct ws_frame *frame, const char *except_id, uint64_t seq)
{
}

void fanout_forget(struct live_group *g)
{
}

void fanout_on_slice(struct loop_task *t)
{
}

void group_turn_apply(struct live_group *g, const struct group_turn *turn, const char *except_id)
{
}

void group_tell_dissolved(struct live_group *g, const char *except_id)
{
}

void group_tell_left(struct user *u, uint64_t id, enum group_out reason, const char *except_id)
{
}

void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
}

void fanout_give_one(struct live_group *g, struct user *u, struct ws_frame *frame, const char *except_id)
{
}

void feed_deliver(struct live *m, const struct feed_owner *owner, const struct push_place *place,
		  struct ws_frame *frame, const struct session *except, void *note)
{
}

void feed_forget(struct feed_list *feeds)
{
}

void push_publish_event(struct live *m, struct str topic, struct push_place place, struct str json)
{
}

/* ---- what happens ---- */

static void turn(void)
{
	loop_settle(loop);
}

static void change(void)
{
	unsigned u = chance(USERS), g = chance(GROUPS);
	struct word w = {joined[u][g] == 0, g, ++group_seq[g]};
	joined[u][g] = w.in ? w.seq : 0;
	if (!of[u].subscribed)
		return;
	if (chance(20) == 0) {
		lost = true;
		return;
	}
	of[u].word[of[u].end++ % QUEUE_MAX] = w;
}

static bool read_view(unsigned u, unsigned g)
{
	const struct live_group *group = group_find(&live, ID(g));
	if (!of[u].view[g])
		return false;
	of[u].view[g] = false;
	if (of[u].begun && group != NULL && group_find_member(group, of[u].user) != NULL && joined[u][g] == 0)
		memberships_again(&live, of[u].user, ID(g));
	return true;
}

/* Words of two workers may overtake one another. */
static bool hear(unsigned u)
{
	if (of[u].at == of[u].end)
		return false;
	if (of[u].end - of[u].at > 1 && chance(3) == 0) {
		struct word *first = &of[u].word[of[u].at % QUEUE_MAX], *next = &of[u].word[(of[u].at + 1) % QUEUE_MAX];
		struct word swap = *first;
		*first = *next;
		*next = swap;
	}
	struct word w = of[u].word[of[u].at++ % QUEUE_MAX];
	if (w.in)
		membership_in(&live, str_from(of[u].user->id), ID(w.group), w.seq, w.seq, 1);
	else
		membership_out(&live, str_from(of[u].user->id), ID(w.group), w.seq, GROUP_OUT_LEFT, NULL);
	return true;
}

static void session_begin(unsigned u)
{
	of[u].session = (struct session){.live = &live};
	SLIST_INIT(&of[u].user->sessions);
	SLIST_INSERT_HEAD(&of[u].user->sessions, &of[u].session, of_user);
	of[u].begun = true;
	of[u].resyncs = 0;
	memberships_begin(&live, of[u].user);
	if (!up) {
		of[u].subscribed = true;
		memberships_read(&live, of[u].user);
		memberships_no_hello(of[u].user);
		of[u].session.greeted = true;
	}
}

static void session_end(unsigned u)
{
	of[u].begun = of[u].subscribed = false;
	of[u].at = of[u].end;
	memberships_forget(&live, of[u].user);
}

static void confirm_user(unsigned u)
{
	if (!of[u].begun || of[u].subscribed)
		return;
	of[u].subscribed = true;
	memberships_read(&live, of[u].user);
	if (memberships_allow_hello(of[u].user))
		of[u].session.greeted = true;
}

static bool confirm_group(unsigned g)
{
	if (!up || topics[g].owner == NULL || topics[g].confirmed)
		return false;
	topics[g].confirmed = true;
	group_subscribed(topics[g].owner);
	return true;
}

static void take(struct read *r)
{
	r->taken = true;
	for (size_t i = 0; i < r->n; i++)
		for (unsigned g = 0; g < GROUPS; g++) {
			uint64_t seq = joined[r->user[i]][g];
			if (seq != 0)
				r->item[r->count++] = (struct group_membership){i, ID(g), seq, seq, group_seq[g], 1};
		}
}

/* Answers one of the reads, which may overtake another. */
static bool answer(bool may_fail)
{
	if (read_count == 0)
		return false;
	unsigned i = chance(read_count);
	struct read *r = reads[i];
	if (!r->taken) {
		take(r);
		return true;
	}
	reads[i] = reads[--read_count];
	bool fails = may_fail && chance(4) == 0;
	struct store_memberships m = {.status = fails ? STORE_UNAVAILABLE : STORE_OK};
	if (!fails) {
		m.item = r->item;
		m.count = r->count;
	}
	r->fn(&m, r->arg);
	free(r);
	return true;
}

static void link_goes(void)
{
	up = false;
	for (unsigned g = 0; g < GROUPS; g++)
		topics[g].confirmed = false;
	for (unsigned u = 0; u < USERS; u++) {
		if (!of[u].begun)
			continue;
		of[u].at = of[u].end;
		of[u].subscribed = true;
		memberships_read(&live, of[u].user);
		memberships_no_hello(of[u].user);
		of[u].session.greeted = true;
	}
	lost = true;
}

static void link_comes(void)
{
	up = true;
	for (unsigned g = 0; g < GROUPS; g++)
		(void)confirm_group(g);
	memberships_again_all(&live);
	lost = false;
}

static void step(void)
{
	unsigned u = chance(USERS);
	switch (chance(16)) {
	case 0:
		if (of[u].begun)
			session_end(u);
		break;
	case 1:
	case 2:
		if (!of[u].begun)
			session_begin(u);
		break;
	case 3:
	case 4:
		confirm_user(u);
		break;
	case 5:
	case 6:
		(void)confirm_group(chance(GROUPS));
		break;
	case 7:
	case 8:
	case 9:
		if (up)
			(void)hear(u);
		break;
	case 10:
	case 11:
		(void)answer(true);
		break;
	case 12:
		(void)read_view(u, chance(GROUPS));
		wheel_pass(loop_wheel(loop), chance(3) == 0 ? 1000 : 50);
		break;
	case 13:
		if (chance(20) == 0 && up)
			link_goes();
		else if (chance(3) == 0 && !up)
			link_comes();
		break;
	default:
		change();
	}
	if (chance(2) == 0)
		turn();
}

static void settle(void)
{
	if (!up)
		link_comes();
	if (lost)
		memberships_again_all(&live);
	lost = false;
	for (int idle = 0; idle < 3; idle++) {
		bool any = false;
		turn();
		for (unsigned u = 0; u < USERS; u++) {
			confirm_user(u);
			while (hear(u))
				any = true;
			for (unsigned g = 0; g < GROUPS; g++)
				any = read_view(u, g) || any;
		}
		for (unsigned g = 0; g < GROUPS; g++)
			any = confirm_group(g) || any;
		while (answer(false))
			any = true;
		turn();
		wheel_pass(loop_wheel(loop), 1100);
		if (any)
			idle = 0;
	}
}

static const char *fault_of(unsigned u)
{
	const struct memberships *ms = of[u].user->memberships;
	unsigned n = 0;
	for (unsigned g = 0; g < GROUPS; g++) {
		const struct live_group *group = group_find(&live, ID(g));
		const struct member *m = group != NULL ? group_find_member(group, of[u].user) : NULL;
		uint64_t want = of[u].begun ? joined[u][g] : 0;
		if ((m != NULL ? m->joined_seq : 0) != want)
			return "a membership is wrong";
		n += want != 0;
	}
	if (!of[u].begun)
		return ms != NULL ? "something is left of who has gone" : NULL;
	if (!of[u].session.greeted)
		return "no hello";
	if (n == 0)
		return ms != NULL ? "something is kept of who is in no group" : NULL;
	return ms == NULL || ms->load != NULL || ms->count != n ? "a load has no end" : NULL;
}

static const char *fault(void)
{
	for (unsigned g = 0; g < GROUPS; g++) {
		uint32_t n = 0;
		for (unsigned u = 0; u < USERS; u++)
			n += of[u].begun && joined[u][g] != 0;
		if (online[g] != n)
			return "a wrong number is online";
		if ((group_find(&live, ID(g)) != NULL) != (n != 0) || (topics[g].owner != NULL) != (n != 0))
			return "a group without members here";
	}
	for (unsigned u = 0; u < USERS; u++)
		if (fault_of(u) != NULL)
			return fault_of(u);
	return NULL;
}

static void test_random(void)
{
	unsigned histories = 0;
	const char *wrong = NULL;
	for (; histories < 3000 && wrong == NULL; histories++) {
		for (unsigned n = 20 + chance(150); n > 0; n--)
			step();
		settle();
		wrong = fault();
	}
	ok(wrong == NULL, "after each of %u histories what is known is the truth (%s)", histories,
	   wrong != NULL ? wrong : "always");
}

static bool is_sure(unsigned u, unsigned g)
{
	return memberships_are_sure(&live, of[u].user, ID(g));
}

static void test_doubt(void)
{
	memset(joined, 0, sizeof(joined));
	joined[0][0] = ++group_seq[0];
	joined[0][1] = ++group_seq[1];
	for (unsigned u = 0; u < USERS; u++)
		if (of[u].begun)
			session_end(u);
	session_begin(0);
	settle();
	ok(is_sure(0, 0) && is_sure(0, 1), "what is read of both groups is sure");
	group_unsure(group_find(&live, ID(0)));
	ok(!is_sure(0, 0) && is_sure(0, 1), "news of one group were lost: the other one is as sure as before");
	wheel_pass(loop_wheel(loop), 50);
	ok(read_count == 1 && !is_sure(0, 0) && is_sure(0, 1), "while they are read again, too");
	group_unsure(group_find(&live, ID(1)));
	ok(!is_sure(0, 0) && !is_sure(0, 1), "then news of the other: neither is");
	while (read_count != 0)
		(void)answer(false);
	turn();
	ok(!is_sure(0, 0) && !is_sure(0, 1), "nor by a read that was asked for before");
	settle();
	ok(is_sure(0, 0) && is_sure(0, 1), "but by the next");
	memberships_again(&live, of[0].user, ID(0));
	memberships_again_all(&live);
	ok(!is_sure(0, 0) && !is_sure(0, 1), "news of any group may have been lost: none is");
	settle();
	ok(fault() == NULL, "and all is the truth again");
}

int main(void)
{
	up = true;
	loop = loop_new();
	live.loop = loop;
	live.store = (struct store *)(void *)&live;
	groups_init(&live);
	table_init(&live.users, user_key);
	for (unsigned u = 0; u < USERS; u++) {
		of[u].user = xcalloc(1, sizeof(struct user) + 2);
		of[u].user->id[0] = (char)('a' + u);
		table_add(&live.users, of[u].user);
	}
	test_random();
	test_doubt();
	for (unsigned u = 0; u < USERS; u++)
		if (of[u].begun)
			session_end(u);
	settle();
	ok(fault() == NULL && live.groups.count == 0, "when all have gone nothing is left");
	groups_fini(&live);
	table_fini(&live.users);
	loop_free(&loop);
	for (unsigned u = 0; u < USERS; u++)
		free(of[u].user);
	return done_testing();
}
