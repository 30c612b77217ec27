/* SPDX-License-Identifier: BSD-2-Clause */
/* A new session whose rank is too low, for its worker's clock is behind: it is raised above those that were there. */
#include "core/base.h"
#include "policy_kit.h"

#define ELSEWHERE "999999999999999999999999"
#define LATER "999999999999999999999998"

static void begin(int policy, int max)
{
	conf.session.policy = policy;
	conf.session.max = max;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		worker_start(i, true);
	beats();
}

static bool stays(unsigned i)
{
	return facts[i].s != NULL && !facts[i].kicked;
}

static void test_clock_behind(void)
{
	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	settle();
	/* It is synced, but no heartbeat of one that is ahead has come yet. */
	workers[1].live.lamport.offset_us -= 5000000;
	session_begin(1, "");
	settle();
	ok(!stays(0) && stays(1), "the newer one stays, although its worker's clock is behind");
	workers[2].live.lamport.offset_us -= 9000000;
	session_begin(2, "");
	settle();
	ok(!stays(1) && stays(2), "likewise the next one");
	clear();

	begin(SESSION_MULTI, 2);
	session_begin(0, "");
	session_begin(0, "");
	settle();
	workers[1].live.lamport.offset_us -= 5000000;
	session_begin(1, "");
	session_begin(1, "");
	settle();
	ok(!stays(0) && !stays(1) && stays(2) && stays(3), "of several the newest stay");
	clear();
}

/* A session here that has just been announced and ranked. */
static struct session *new_session(void)
{
	struct session *s = session_begin(0, "");
	settle();
	workers[0].out.at = workers[0].out.end;
	return s;
}

/* What another worker says of its session, after that of ours was announced. */
static void answer(const char *id, int64_t rank, const char *about)
{
	char text[112];
	snprintf(text, sizeof(text), "%s %016llx %s %s ", id, (unsigned long long)rank, workers[0].live.lamport.scale,
		 about);
	policy_heard(&workers[0].live, STR_LIT("alice"), BUS_PLACED, str_from(text), false);
}

static void test_raise(void)
{
	char want[112], id[SESSION_ID_LEN + 1];
	begin(SESSION_MULTI, 10);
	struct session *s = new_session();
	int64_t high = s->rank + 5000000;
	policy_heard(&workers[0].live, STR_LIT("alice"), BUS_ANNOUNCE, STR_LIT(LATER " "), false);
	workers[0].out.at = workers[0].out.end;
	answer(ELSEWHERE, high, id_of(s));
	ok(s->rank > high, "a new session is above one that was there before it");
	const struct remote_session *other, *later = NULL, *before = NULL;
	LIST_FOREACH (other, &workers[0].user->remotes, entry) {
		if (strcmp(other->id, LATER) == 0)
			later = other;
		else if (strcmp(other->id, ELSEWHERE) == 0)
			before = other;
	}
	ok(before != NULL && before->rank == high, "which keeps its rank");
	ok(later != NULL && later->rank > s->rank, "one that was announced later stays above it");
	snprintf(want, sizeof(want), "%s %016llx %s %s ", session_id(s, id), (unsigned long long)s->rank,
		 workers[0].live.lamport.scale, id);
	const struct heard *told = &workers[0].out.item[workers[0].out.at % QUEUE_MAX];
	ok(workers[0].out.end - workers[0].out.at == 1 && told->kind == BUS_PLACED, "the others are told");
	is_str(told->text, want, "its new rank");
	const struct session *next = new_session();
	ok(next->rank > s->rank && next->rank > later->rank, "the next session is above all of them");

	int64_t rank = s->rank;
	answer(ELSEWHERE, rank - 1, id_of(s));
	answer(LATER, rank + 9000000, id_of(next));
	is_int(s->rank, rank, "what is said of another one, or is lower, raises nothing");
	ok(next->rank > rank + 9000000, "but the one that it is said of");
	answer(ELSEWHERE, rank + 20000000, id_of(next));
	ok(s->rank > rank + 20000000 && next->rank > s->rank,
	   "but all are above one whose announcement was not heard: it came before theirs");
	clear();
}

/* What worker 0 says goes to the topic, and it hears it; worker 1 does not run meanwhile. */
static void only_first_runs(void)
{
	while (publish_one(0) || hear_one(0))
		;
}

static bool topic_is_quiet(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (workers[i].out.at != workers[i].out.end || workers[i].in.at != workers[i].in.end)
			return false;
	return true;
}

/*
 * A worker that was stopped for more than a minute is forgotten. Its session came after the first one, which it has not
 * heard of: were each worker to take the other's for the older one, both would raise theirs without end.
 */
static void test_forgotten(void)
{
	enum { STEPS = 1000 };
	begin(SESSION_MULTI, 10);
	session_begin(0, "");
	settle();
	session_begin(1, "");
	settle();
	for (int i = 0; i < 2; i++) {
		session_begin(0, "");
		only_first_runs();
		now_us += 61000000;
	}
	ok(LIST_EMPTY(&workers[0].user->remotes), "a session that says nothing for a minute is forgotten");
	for (int i = 0; i < STEPS; i++) {
		publish_one(0);
		publish_one(1);
		hear_one(0);
		hear_one(1);
	}
	ok(topic_is_quiet(), "once it speaks again, all is said soon");
	ok(stays(0) && stays(1) && stays(2) && stays(3), "and all stay");
	clear();
}

int main(void)
{
	test_clock_behind();
	test_raise();
	test_forgotten();
	return done_testing();
}
