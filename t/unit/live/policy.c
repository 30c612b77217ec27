/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.c in cases: cut links, workers that die or are new, lost announcements, older versions, bounds. */
#include "core/base.h"
#include "policy_kit.h"

static void begin(int policy, int max)
{
	conf.session.policy = policy;
	conf.session.max = max;
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		worker_start(i, true);
		id_clock_error_ms[i] = 0;
	}
	beats();
}

static bool stays(unsigned i)
{
	return facts[i].s != NULL && !facts[i].kicked;
}

static void test_cut_link(void)
{
	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	settle();
	link_down(0);
	now_us += 5000000;
	session_begin(1, "");
	settle();
	ok(stays(0) && stays(1), "while its link is cut a session is not replaced");
	link_up(0);
	settle();
	ok(!stays(0) && stays(1), "but when the link is back, by the one that is newer");
	clear();
}

static void test_dies_in_between(void)
{
	begin(SESSION_MULTI, 2);
	session_begin(0, "");
	session_begin(1, "");
	settle();
	session_begin(2, "");
	while (publish_one(2) || hear_one(2))
		if (workers[2].out.at != workers[2].out.end) {
			publish_one(2);
			break;
		}
	worker_die(2);
	settle();
	ok(stays(0) && stays(1), "a worker that dies behind its announcement has replaced nobody");
	session_begin(3, "");
	settle();
	ok(!stays(0) && stays(1) && stays(3), "and takes no place afterwards");
	clear();
}

/* Two that wait for hello, as while Redis is frozen; the client of the first has left. */
static void test_left_before_hello(bool away)
{
	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	fact_of(facts[0].id)->left = true;
	session_begin(1, "");
	if (away) {
		link_down(1);
		now_us += 1000;
		link_down(0);
		link_up(1);
	} else {
		hear_one(1);
		publish_one(1);
	}
	settle();
	if (away)
		link_up(0);
	settle();
	ok(stays(1), "a client that left before hello replaces nobody%s", away ? " when Redis is back" : "");
	session_end(&facts[0]);
	session_begin(2, "");
	settle();
	ok(!stays(1) && stays(2), "and a later one does");
	clear();
}

/* Its announcement is on its way for so long that its client has left and opened another session elsewhere. */
static void test_ended_before_it_was_heard_of(void)
{
	begin(SESSION_DEVICE, 1);
	session_begin(0, "ios");
	hear_one(0);
	session_end(&facts[0]);
	session_begin(1, "ios");
	session_begin(2, "web");
	for (unsigned i = 0; i < 8; i++)
		for (unsigned w = 1; w < WORKERS_MAX; w++) {
			publish_one(w);
			hear_one(w);
		}
	settle();
	ok(stays(1) && stays(2), "a session that has ended replaces nobody when it is heard of at last");
	session_begin(3, "ios");
	settle();
	ok(!stays(1) && stays(2) && stays(3), "the next login does");
	clear();
}

/* Of the messages that worker i has sent so far. */
static unsigned sent(unsigned i, enum bus_kind kind)
{
	unsigned count = 0;
	for (unsigned k = 0; k < workers[i].out.end; k++)
		count += workers[i].out.item[k].kind == kind;
	return count;
}

static void test_confirmation(void)
{
	begin(SESSION_MULTI, 10);
	session_begin(0, "");
	settle();
	is_int((int)workers[0].out.end, 1, "who is alone announces a session, and no more");
	session_begin(1, "");
	session_begin(2, "");
	settle();
	unsigned placed = sent(3, BUS_PLACED);
	session_begin(3, "");
	settle();
	is_int((int)(sent(3, BUS_PLACED) - placed), 1, "who is answered three times confirms once");
	clear();

	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	settle();
	policy_heard(&workers[0].live, STR_LIT("alice"), BUS_ANNOUNCE, STR_LIT("999999999999999999999999 "), false);
	ok(!facts[0].kicked, "what is not confirmed replaces nobody");
	workers[0].live.unconfirming_peers = 1;
	policy_heard(&workers[0].live, STR_LIT("alice"), BUS_ANNOUNCE, STR_LIT("999999999999999999999999 "), false);
	ok(facts[0].kicked, "but while there are workers that confirm nothing");
	clear();
}

static void test_new_node(void)
{
	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	settle();
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		link_down(i);
	now_us += 1000000;
	/* A machine that was just switched on, while Redis is away. */
	worker_die(1);
	worker_start(1, false);
	workers[1].live.lamport.offset_us = -now_us;
	session_begin(1, "");
	now_us += 1000000;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		link_up(i);
	settle();
	ok(stays(0) && stays(1), "a worker that knows no other one's clock does not announce what came before");
	beats();
	settle();
	ok(!stays(0) && stays(1), "once it does, its login is the newer one");
	clear();
}

static void test_lost_announcement(void)
{
	begin(SESSION_SINGLE, 1);
	session_begin(0, "");
	settle();
	session_begin(1, "");
	hear_one(1);
	workers[1].out.at = workers[1].out.end;
	policy_announce_all(&workers[1].live);
	settle();
	ok(!stays(0) && stays(1), "an announcement that got lost is made again");
	clear();
}

static void test_lost_answer(void)
{
	begin(SESSION_MULTI, 2);
	session_begin(0, "");
	settle();
	session_begin(1, "");
	settle();
	session_begin(2, "");
	/* Worker 1 hears of it, and its answer is lost. */
	while (hear_one(2) || publish_one(2))
		;
	while (hear_one(1))
		;
	workers[1].out.at = workers[1].out.end;
	settle();
	ok(stays(0) && stays(1) && stays(2), "where an answer is lost one too many stays");
	policy_answers_lost(&workers[1].live);
	policy_announce_all(&workers[1].live);
	settle();
	ok(!stays(0) && stays(1) && stays(2), "until that worker has announced its sessions again");
	clear();
}

static void test_legacy(void)
{
	begin(SESSION_SINGLE, 1);
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		workers[i].live.legacy_peers = workers[i].live.unconfirming_peers = 1;
	id_clock_error_ms[1] = -5000;
	session_begin(0, "");
	settle();
	session_begin(1, "");
	settle();
	ok(stays(0) && !stays(1), "with workers of the first version all go by the ids, as those do");
	bool plain = true;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		for (unsigned k = 0; k < workers[i].out.end; k++)
			plain = plain && (workers[i].out.item[k].kind == BUS_ANNOUNCE ||
					  workers[i].out.item[k].kind == BUS_PRESENT);
	ok(plain, "and say nothing that those do not know");
	clear();
}

static void test_bounds(void)
{
	unsigned count = 0;
	const struct remote_session *other;
	begin(SESSION_MULTI, 64);
	session_begin(0, "");
	settle();
	for (unsigned i = 0; i < 2000; i++) {
		char text[64];
		snprintf(text, sizeof(text), "%019u12345 x", i);
		policy_heard(&workers[0].live, STR_LIT("alice"), BUS_ANNOUNCE, str_from(text), false);
		workers[0].out.at = workers[0].out.end;
	}
	LIST_FOREACH (other, &workers[0].user->remotes, entry)
		count++;
	is_int(count, 512, "a bounded number of sessions elsewhere is remembered");
	now_us += 61000000;
	policy_heard(&workers[0].live, STR_LIT("alice"), BUS_ANNOUNCE, STR_LIT("999999999999999999999999 "), false);
	count = 0;
	LIST_FOREACH (other, &workers[0].user->remotes, entry)
		count++;
	ok(count <= 2, "those that have not answered for a minute are forgotten (%u)", count);
	static const char *const bad[] = {
		"",
		"short",
		"123456789012345678901234",
		"123456789012345678901234x",
		"123456789012345678901234 0",
		"123456789012345678901234 00000000000000zz scale-00 ios",
		"123456789012345678901234 0000000000000000 scale-00 ios",
		"123456789012345678901234 ffffffffffffffff scale-00 ios",
		"123456789012345678901234 00000000000000ff scale-00 iosiosiosiosiosio",
	};
	uint32_t roll = workers[0].user->roll;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		policy_heard(&workers[0].live, STR_LIT("alice"), BUS_AGAIN, str_from(bad[i]), false);
	is_int(workers[0].user->roll, roll, "what is no announcement is ignored");
	clear();
}

int main(void)
{
	test_cut_link();
	test_dies_in_between();
	test_left_before_hello(false);
	test_left_before_hello(true);
	test_ended_before_it_was_heard_of();
	test_confirmation();
	test_new_node();
	test_lost_announcement();
	test_lost_answer();
	test_legacy();
	test_bounds();
	return done_testing();
}
