/* SPDX-License-Identifier: BSD-2-Clause */
/* How members of a group are given events: a few at once, many in slices of a turn, each in the order of the events,
 * of which several are given together. */
#include "core/base.h"
#include "live/group_priv.h"

#include "core/buf.h"
#include "core/log.h"
#include "live/session.h"
#include "net/loop.h"

#include "../tap.h"
#include "clock_kit.h"

#include <stdlib.h>

#define SLICE 256
#define QUEUED_MAX 1024
#define USERS_MAX 2000

static struct live live;
static struct user *users[USERS_MAX];
static struct live_group *large, *other;
/* What each user was given, by their place in users: events of one letter. */
static char given[USERS_MAX][32];
static unsigned gifts, resyncs;
static unsigned slow_ms; /* each takes so long */
static char except[SESSION_ID_LEN + 1];

/* ---- what fanout.c calls ---- */

void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
	struct blob *bytes = ws_frame_bytes(frame, NULL, 0);
	char *text = given[atoi(u->id)];
	size_t len = strlen(text);
	ASSERT(len + 1 < sizeof(given[0]));
	text[len] = bytes->data[2];
	text[len + 1] = '\0';
	snprintf(except, sizeof(except), "%s", except_id != NULL ? except_id : "");
	gifts++;
	now_ms += slow_ms;
}

uint32_t group_member_after(const struct live_group *g, uintptr_t user)
{
	uint32_t i = 0;
	while (i < g->count && (uintptr_t)g->members[i].user <= user)
		i++;
	return i;
}

void group_resync(struct live_group *g)
{
	resyncs++;
}

/* ---- */

static void turns(int n)
{
	while (n-- > 0 && !TAILQ_EMPTY(&live.groups.fanouts))
		loop_turn(live.loop);
}

void resync_user(struct live *l, struct str user)
{
	resyncs++;
}

static bool unsure[USERS_MAX];

bool memberships_are_sure(struct live *l, const struct user *u, uint64_t id)
{
	return !unsure[atoi(u->id)] || id != large->id;
}

void memberships_hurry(struct live *l, const struct user *u)
{
}

struct user *user_find(struct live *l, struct str id)
{
	return atoi(id.s) < USERS_MAX ? users[atoi(id.s)] : NULL;
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (struct user *const *)a, y = (uintptr_t) * (struct user *const *)b;
	return (x > y) - (x < y);
}

/* A group of those users, from that place on. */
static struct live_group *group_of(unsigned from, unsigned n)
{
	struct live_group *g = xcalloc(1, sizeof(*g));
	g->live = &live;
	g->id = GROUP_ID_MIN + from;
	g->members = xcalloc(n, sizeof(*g->members));
	for (unsigned i = 0; i < n; i++)
		g->members[i] = (struct member){.user = users[from + i], .first_seq = 1};
	g->count = n;
	return g;
}

static void group_end(struct live_group **g)
{
	fanout_forget(*g);
	free((*g)->members);
	free(*g);
	*g = NULL;
}

static void begin(unsigned n)
{
	memset(given, 0, sizeof(given));
	gifts = resyncs = slow_ms = 0;
	large = group_of(0, n);
}

static void give(struct live_group *g, char event, uint64_t seq)
{
	struct ws_frame *frame = ws_frame_new((struct str){&event, 1});
	fanout_give(g, frame, NULL, seq);
	ws_frame_unref(frame);
}

/* One turn of the loop. */
static void turn(void)
{
	loop_turn(live.loop);
}

static bool all_have(const struct live_group *g, const char *want)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (strcmp(given[atoi(g->members[i].user->id)], want) != 0)
			return false;
	return true;
}

static void test_few(void)
{
	begin(SLICE);
	give(large, 'a', 0);
	ok(all_have(large, "a"), "a few members are given an event at once");
	large->members[7].first_seq = 5;
	give(large, 'b', 4);
	is_str(given[atoi(large->members[7].user->id)], "a", "but not one from before they may see");
	give(large, 'c', 5);
	is_str(given[atoi(large->members[7].user->id)], "ac", "only from there on");
	is_str(given[atoi(large->members[8].user->id)], "abc", "the others have all");
	resyncs = 0;
	unsure[atoi(large->members[2].user->id)] = true;
	give(large, 'z', 6);
	ok(strchr(given[atoi(large->members[2].user->id)], 'z') == NULL && resyncs == 1 &&
		   strchr(given[atoi(large->members[1].user->id)], 'z') != NULL,
	   "who may be no member any more is told to catch up instead");
	unsure[atoi(large->members[2].user->id)] = false;
	group_end(&large);
}

static void test_slices(void)
{
	begin(1000);
	give(large, 'a', 0);
	is_int(gifts, 0, "many are not given it at once");
	turn();
	is_int(gifts, SLICE, "but a slice of them each turn");
	give(large, 'b', 0);
	turn();
	is_int(gifts, 2 * SLICE, "an event that comes meanwhile waits");
	turn();
	turn();
	ok(gifts == 4 * SLICE && strcmp(given[atoi(large->members[999].user->id)], "a") == 0 &&
		   strcmp(given[atoi(large->members[0].user->id)], "ab") == 0,
	   "it begins where the first one has ended");
	turns(20);
	ok(all_have(large, "ab"), "each member gets both, in order");
	ok(large->fanout == NULL && live.groups.queued_bytes == 0, "then nothing waits");
	group_end(&large);
}

static void test_turns(void)
{
	begin(1000);
	other = group_of(1000, 1000);
	give(large, 'a', 0);
	give(other, 'x', 0);
	turn();
	is_int(gifts, 2 * SLICE, "each of two groups has its slice");
	give(large, 'b', 0);
	slow_ms = 1;
	turn();
	is_int(gifts, 3 * SLICE, "but where a turn has no time left, the next one goes on");
	turn();
	is_int(gifts, 4 * SLICE, "with the other one");
	unsigned of_other = 0;
	for (unsigned i = 1000; i < 2000; i++)
		of_other += given[i][0] != '\0';
	is_int(of_other, 2 * SLICE, "so neither starves");
	turns(40);
	ok(all_have(large, "ab") && all_have(other, "x"), "in the end all have all");
	group_end(&large);
	group_end(&other);
}

static void test_together(void)
{
	begin(1000);
	const struct user *late = large->members[5].user;
	large->members[5].first_seq = 12;
	for (unsigned i = 0; i < 20; i++)
		give(large, (char)('a' + i), i + 1);
	turn();
	ok(strcmp(given[atoi(large->members[0].user->id)], "abcdefghijklmnop") == 0 &&
		   given[atoi(large->members[SLICE].user->id)][0] == '\0',
	   "of what waits many events are given to a slice together");
	give(large, 'u', 21);
	turn();
	turn();
	is_str(given[atoi(large->members[3 * SLICE - 1].user->id)], "abcdefghijklmnop", "to all of them the same");
	is_str(given[atoi(large->members[0].user->id)], "abcdefghijklmnop", "before anybody is given more");
	turns(20);
	is_str(given[atoi(late->id)], "lmnopqrstu", "a member is given those that they may see");
	large->members[5] = large->members[4];
	ok(all_have(large, "abcdefghijklmnopqrstu"), "and the others all");
	group_end(&large);

	static char big[30000];
	begin(1000);
	memset(big, 'x', sizeof(big));
	for (unsigned i = 0; i < 3; i++) {
		struct ws_frame *frame = ws_frame_new((struct str){big, sizeof(big)});
		fanout_give(large, frame, NULL, 0);
		ws_frame_unref(frame);
	}
	turn();
	is_int(gifts, 2 * SLICE, "but no more bytes than a session takes at once");
	turns(20);
	is_int(gifts, 3 * 1000, "all come in the end");
	group_end(&large);
}

/* Members come and go while an event is on its way. */
static void test_come_and_go(void)
{
	begin(1000);
	struct user *first = large->members[0].user, *last = large->members[999].user,
		    *here = large->members[SLICE - 1].user;
	give(large, 'a', 0);
	turn();
	/* The first one, the last one, and the one where the slice has ended. */
	memmove(&large->members[SLICE - 1], &large->members[SLICE], (1000 - SLICE) * sizeof(*large->members));
	memmove(&large->members[0], &large->members[1], 998 * sizeof(*large->members));
	large->count = 997;
	turns(20);
	ok(all_have(large, "a"), "the others are given it once");
	is_str(given[atoi(last->id)], "", "who has gone is not");
	ok(strcmp(given[atoi(first->id)], "a") == 0 && strcmp(given[atoi(here->id)], "a") == 0,
	   "who went later has it");
	give(large, 'b', 0);
	turn();
	large->count = 0;
	turns(20);
	is_int(gifts, 1000 - 1 + SLICE, "nobody is left: nobody is given anything");
	ok(large->fanout == NULL, "and nothing waits");
	group_end(&large);
}

static void test_except(void)
{
	char *id = xcalloc(1, SESSION_ID_LEN + 1);
	begin(SLICE + 1);
	memcpy(id, "someone", 8);
	struct ws_frame *frame = ws_frame_new(STR_LIT("a"));
	fanout_give(large, frame, id, 0);
	ws_frame_unref(frame);
	free(id);
	turns(5);
	is_str(except, "someone", "who is left out may be gone by then");
	group_end(&large);
}

static void test_bound(void)
{
	begin(SLICE + 1);
	/* Most are not to be seen by anybody, so that the test is short. */
	for (uint32_t i = 0; i < large->count; i++)
		large->members[i].first_seq = MESSAGE_SEQ_MAX;
	for (unsigned i = 0; i < QUEUED_MAX + 5; i++)
		give(large, 'a', i < 2 ? MESSAGE_SEQ_MAX : 1);
	is_int(resyncs, 0, "a bounded number of events waits");
	turns(4000);
	ok(all_have(large, "aa"), "those that fit are given");
	is_int(resyncs, 1, "for the others the members are told to catch up, once");
	char big[70000];
	memset(big, 'x', sizeof(big));
	for (unsigned i = 0; i < 200; i++) {
		struct ws_frame *frame = ws_frame_new((struct str){big, sizeof(big)});
		fanout_give(large, frame, NULL, 1);
		ws_frame_unref(frame);
	}
	ok(live.groups.queued_bytes <= 8u << 20, "what waits is bounded in bytes, too (%zu)", live.groups.queued_bytes);
	group_end(&large);
	is_int(live.groups.queued_bytes, 0, "nothing is counted that is gone");
}

static void give_one(struct user *u, char event)
{
	struct ws_frame *frame = ws_frame_new((struct str){&event, 1});
	fanout_give_one(large, u, frame, NULL);
	ws_frame_unref(frame);
}

static void test_one(void)
{
	begin(SLICE + 1);
	struct user *first = large->members[0].user, *last = large->members[SLICE].user;
	give_one(last, 'a');
	is_str(given[atoi(last->id)], "a", "what is for one user alone comes at once where nothing waits");
	give(large, 'b', 1);
	give_one(last, 'c');
	give_one(first, 'c');
	give(large, 'd', 1);
	is_str(given[atoi(last->id)], "a", "else it waits");
	turns(20);
	is_str(given[atoi(last->id)], "abcd", "for what came before it");
	is_str(given[atoi(first->id)], "bcd", "whether its user was given that early or late");
	is_int(gifts, 1 + 2 * (SLICE + 1) + 2, "and nobody else is given it");
	ok(large->fanout == NULL, "nothing waits then");
	give(large, 'e', 1);
	for (unsigned i = 0; i < QUEUED_MAX; i++)
		give_one(last, 'f');
	is_int(resyncs, QUEUED_MAX / 2 + 1, "one user cannot fill the queue: they are told to catch up instead");
	give(large, 'g', 1);
	is_int(resyncs, QUEUED_MAX / 2 + 1, "what is for all has its room");
	group_end(&large);
}

int main(void)
{
	live.loop = loop_new();
	TAILQ_INIT(&live.groups.fanouts);
	live.groups.slice.fn = fanout_on_slice;
	for (unsigned i = 0; i < USERS_MAX; i++)
		users[i] = xcalloc(1, sizeof(*users[i]) + 8);
	qsort(users, USERS_MAX, sizeof(users[0]), compare);
	for (unsigned i = 0; i < USERS_MAX; i++)
		snprintf(users[i]->id, 8, "%u", i);
	test_few();
	test_slices();
	test_turns();
	test_together();
	test_come_and_go();
	test_except();
	test_bound();
	test_one();
	loop_free(&live.loop);
	for (unsigned i = 0; i < USERS_MAX; i++)
		free(users[i]);
	return done_testing();
}
