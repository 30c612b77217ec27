/* SPDX-License-Identifier: BSD-2-Clause */
/* Heartbeats: when they are sent and what they say, who falls silent, and which clock and version the others have. */
#include "core/base.h"
#include "live/beat.h"

#include "hub/stats.h"
#include "live/group_priv.h"
#include "live/policy.h"
#include "live/push.h"
#include "live/resync.h"
#include "live/session.h"
#include "live/watch.h"

#include "../tap.h"
#include "clock_kit.h"

#define ORIGIN "worker01"

static struct live live;
static const struct conf conf = {.node_id = (char *)"host-1"};
static struct wheel *wheel;
static bool up;

/* What beat.c did. */
static struct {
	unsigned beats, subscribed, expired, resyncs, rechecks, scales, synced, lags;
	int64_t recheck_delay_ms, shift_us, lag_us, sent_us;
	char text[128]; /* of the last heartbeat */
} did;

/* ---- what beat.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

bool bus_is_up(const struct bus *b)
{
	return up;
}

/* For the goodbye, of which nothing is asked here. */
bool bus_has_lost(const struct bus *b)
{
	return false;
}

void bus_subscribe(struct bus *b, struct str topic)
{
	did.subscribed += str_is(topic, TOPIC_ALL);
}

void push_publish(struct live *m, struct str topic, enum bus_kind kind, struct str data)
{
	did.beats += kind == BUS_BEAT && str_is(topic, TOPIC_ALL);
	did.sent_us = clock_usecs();
	if (kind == BUS_BEAT)
		snprintf(did.text, sizeof(did.text), "%.*s", (int)data.len, data.s);
}

void session_end_expired(struct live *m)
{
	did.expired++;
}

void resync_all_spread(struct live *m)
{
	did.resyncs++;
}

void memberships_again_all(struct live *m)
{
}

void watch_recheck_all(struct live *m, int64_t delay_ms)
{
	did.rechecks++;
	did.recheck_delay_ms = delay_ms;
}

void policy_clock_synced(struct live *m)
{
	did.synced++;
}

void policy_scale_changed(struct live *m, int64_t by_us)
{
	did.scales++;
	did.shift_us = by_us;
}

void stat_observe(enum stat_histogram hist, uint64_t value)
{
	did.lags += hist == STAT_HIST_BUS_LAG;
	did.lag_us = (int64_t)value;
}

/* ---- */

static void pass(int64_t ms)
{
	wheel_pass(wheel, ms);
}

/* A worker that has just begun, and whose first heartbeat is out. */
static void begin(void)
{
	wheel_cancel(&live.beat);
	beat_bye_heard(&live, STR_LIT("worker02"));
	beat_bye_heard(&live, STR_LIT("worker03"));
	beat_bye_heard(&live, STR_LIT("worker04"));
	beat_bye_heard(&live, STR_LIT("worker05"));
	ok(live.peers == NULL && live.legacy_peers == 0, "who has said goodbye is forgotten");
	memset(&live, 0, sizeof(live));
	memcpy(live.origin, ORIGIN, ORIGIN_LEN);
	live.conf = &conf;
	lamport_init(&live.lamport, ORIGIN);
	memcpy(live.node, "the-node", WORKER_NAME_LEN);
	up = true;
	beat_start(&live);
	pass(WHEEL_TICK_MS);
	memset(&did, 0, sizeof(did));
}

/* A heartbeat of that worker, whose clock is `ahead_ms` ahead of ours. */
static void hear(const char *origin, const char *scale, bool synced, int64_t ahead_ms)
{
	char text[128];
	int64_t clock_us = lamport_now_us(&live.lamport) + ahead_ms * 1000;
	int n = snprintf(text, sizeof(text), "%lld %d %lld %d %s", 12345LL, BUS_VERSION, (long long)clock_us, synced,
			 scale);
	beat_heard(&live, str_from(origin), (struct str){text, (size_t)n});
}

static void hear_text(const char *origin, const char *text)
{
	beat_heard(&live, str_from(origin), str_from(text));
}

static void hear_own(const char *text)
{
	beat_own_heard(&live, str_from(text));
}

static void test_rhythm(void)
{
	begin();
	pass(10 * BEAT_MS + 10 * WHEEL_TICK_MS);
	is_int(did.beats, 10, "a heartbeat a second");
	is_int(did.expired, 10, "and as often expired sessions are ended");
	up = false;
	pass(3 * BEAT_MS + 3 * WHEEL_TICK_MS);
	is_int(did.beats, 10, "while Redis is away there is none");
	is_int(did.expired, 13, "but expired sessions are ended all the same");
	up = true;
	beat_subscribed(&live);
	pass(WHEEL_TICK_MS);
	is_int(did.beats, 11, "one goes out as soon as the others are heard");
	is_int(did.subscribed, 0, "(nothing is subscribed to again)");
	wheel_cancel(&live.beat);
	beat_start(&live);
	is_int(did.subscribed, 1, "the start listens to the topic of all");
}

static void test_text(void)
{
	char want[128];
	begin();
	live.lamport.offset_us = 5000000;
	pass(BEAT_MS + WHEEL_TICK_MS);
	snprintf(want, sizeof(want), "%lld %d %lld 0 %s the-node host-1", (long long)did.sent_us, BUS_VERSION,
		 (long long)did.sent_us + 5000000, ORIGIN);
	is_str(did.text, want, "a heartbeat has the time, the version, the shared clock, its scale, the node and its id");
	lamport_settle(&live.lamport);
	pass(BEAT_MS + WHEEL_TICK_MS);
	snprintf(want, sizeof(want), "%lld %d %lld 1 %s the-node host-1", (long long)did.sent_us, BUS_VERSION,
		 (long long)did.sent_us + 5000000, ORIGIN);
	is_str(did.text, want, "and whether that counts");
	begin();
	hear("worker02", "scale--a", true, 7000);
	is_int(live.lamport.offset_us, 7000000, "what one worker sends another one reads");
	is_str(live.lamport.scale, "scale--a", "with its scale");
	pass(BEAT_MS + WHEEL_TICK_MS);
	ok(strstr(did.text, " 1 scale--a") != NULL, "which it sends itself from then on (%s)", did.text);
}

/* A heartbeat that was on its way for 3 ms, from that node; returns how far ahead of it the clock is then, in us. */
static long long ahead_after(const char *sent, const char *node)
{
	char text[128];
	begin();
	long long usecs = (long long)clock_usecs();
	if (sent == NULL)
		snprintf(text, sizeof(text), "%lld %d %lld 1 scale--a %s", usecs, BUS_VERSION, usecs, node);
	else
		snprintf(text, sizeof(text), "%s %d %lld 1 scale--a %s", sent, BUS_VERSION, usecs, node);
	now_ms += 3;
	hear_text("worker02", text);
	is_str(live.lamport.scale, "scale--a", "a heartbeat of node %s is heard", node);
	return (long long)lamport_now_us(&live.lamport) - 3000 - usecs;
}

static void test_node(void)
{
	is_int(ahead_after(NULL, "the-node"), 0, "the way of a heartbeat of the same node is added to its clock");
	is_int(ahead_after(NULL, "new-node"), -3000, "not that of another node's, whose time says nothing here");
	is_int(ahead_after(NULL, "the-node host-1"), 0, "also where its id follows");
	is_int(ahead_after(NULL, "the-node and more"), -3000, "nor of what is no name");
	is_int(ahead_after("18446744073709551615", "the-node"), -3000, "a heartbeat of the future has no age");
}

static bool has_node(const char *id, unsigned workers, unsigned silent)
{
	struct beat_node node[4];
	size_t count;
	bool found = false, all = beat_nodes(&live, node, ARRAY_LEN(node), &count);
	for (size_t i = 0; i < count; i++)
		found = found || (strcmp(node[i].node_id, id) == 0 && node[i].workers == workers &&
				  node[i].silent == silent);
	return all && found;
}

static void test_nodes(void)
{
	struct beat_node node[1];
	size_t count;
	begin();
	ok(has_node("host-1", 1, 0), "this worker is one of its node's");
	hear("worker02", "scale--a the-node host-1", true, 0);
	hear("worker03", "scale--a far-node host-2", true, 0);
	hear("worker04", "scale--a old-node", true, 0);
	ok(has_node("host-1", 2, 0), "the node's own workers");
	ok(has_node("host-2", 1, 0), "those of another node");
	ok(has_node("", 1, 0), "and of one that does not tell its id");
	hear("worker03", "scale--a far-node host 2", true, 0);
	ok(has_node("host-2", 1, 0), "what is no id is not heard");
	pass(BEAT_SILENCE_MS + BEAT_MS);
	ok(has_node("host-2", 0, 1), "a worker that fell silent is told apart");
	beat_bye_heard(&live, STR_LIT("worker03"));
	ok(!has_node("host-2", 0, 1), "one that said goodbye is gone");
	ok(!beat_nodes(&live, node, 1, &count) && count == 1, "more nodes than there is room for are not written");
}

static void test_answer(void)
{
	begin();
	pass(BEAT_MS / 4);
	hear("worker02", "scale--a", true, 0);
	hear("worker03", "scale--a", true, 0);
	hear("worker04", "scale--a", true, 0);
	is_int(did.beats, 0, "a new worker is not answered from within");
	pass(BEAT_MS / 4);
	is_int(did.beats, 1, "but soon; several that are new get one answer");
	hear("worker02", "scale--a", true, 0);
	pass(BEAT_MS / 2);
	is_int(did.beats, 1, "one that is known gets none");
	pass(BEAT_MS / 2);
	is_int(did.beats, 2, "but the usual heartbeat, a second after the answer");
	/* Almost time for the usual one: an answer must not put it off. */
	pass(live.beat.deadline_ms - now_ms - 10);
	int64_t deadline_ms = live.beat.deadline_ms;
	hear("worker05", "scale--a", true, 0);
	is_int(live.beat.deadline_ms, deadline_ms, "a heartbeat is never put off by an answer");
}

static void test_silence(void)
{
	begin();
	hear("worker02", "scale--a", true, 0);
	hear("worker03", "scale--a", true, 0);
	pass(BEAT_SILENCE_MS - BEAT_MS);
	hear("worker03", "scale--a", true, 0);
	is_int(did.resyncs, 0, "a worker that is late is not given up");
	pass(2 * BEAT_MS + 2 * WHEEL_TICK_MS);
	is_int(did.resyncs, 1, "one that is silent is: all sessions are told to catch up");
	is_int(did.rechecks, 1, "and all who are watched are looked at again");
	is_int(did.recheck_delay_ms, WATCH_ABSENCE_MS - BEAT_SILENCE_MS, "when their absence may be told");
	for (int i = 0; i < 5; i++) {
		hear("worker03", "scale--a", true, 0);
		pass(BEAT_MS);
	}
	is_int(did.resyncs, 1, "once");
	hear("worker02", "scale--a", true, 0);
	pass(BEAT_MS);
	hear("worker03", "scale--a", true, 0);
	pass(2 * BEAT_MS);
	hear("worker03", "scale--a", true, 0);
	pass(BEAT_MS);
	is_int(did.resyncs, 2, "when it was heard and is silent again, again");
	beat_bye_heard(&live, STR_LIT("worker03"));
	pass(2 * BEAT_SILENCE_MS);
	is_int(did.resyncs, 2, "who says goodbye is not missed");
	beat_bye_heard(&live, STR_LIT("worker99"));
	is_int(did.resyncs, 2, "a goodbye of nobody is ignored");
}

static void test_heard_elsewhere(void)
{
	begin();
	beat_origin_heard(&live, str_from("worker09"));
	beat_origin_heard(&live, str_from("worker09"));
	pass(BEAT_SILENCE_MS + 2 * BEAT_MS);
	is_int(did.resyncs, 1, "one that was heard on another topic alone falls silent, too, once");
	beat_bye_heard(&live, STR_LIT("worker09"));
}

/* Whatever writes to Redis: it makes this worker neither remember nor do without bound. */
static void test_many(void)
{
	char name[ORIGIN_LEN + 1];
	begin();
	/* They are of the first version, which are counted. */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "x%07u", i);
		beat_origin_heard(&live, str_from(name));
		hear_text(name, "12345");
	}
	is_int(live.legacy_peers, 4096, "a bounded number of workers is known");
	beat_worker_lost(&live, "worker04");
	pass(BEAT_SILENCE_MS + 2 * BEAT_MS);
	is_int(did.resyncs, 1, "those that fall silent at once are missed once");
	is_int(did.rechecks, 1, "and looked for once");
	pass(60000);
	ok(live.peers == NULL, "and forgotten");
}

static void test_redis_away(void)
{
	begin();
	hear("worker02", "scale--a", true, 0);
	up = false;
	pass(10 * BEAT_SILENCE_MS);
	is_int(did.resyncs, 0, "while Redis is away silence says nothing");
	up = true;
	pass(BEAT_SILENCE_MS - BEAT_MS);
	is_int(did.resyncs, 0, "nor right after it is back");
	pass(2 * BEAT_MS);
	is_int(did.resyncs, 1, "but then");
}

static void test_death(void)
{
	begin();
	beat_worker_lost(&live, "worker02");
	is_int(did.resyncs, 0, "a worker that died may have said something that is still on its way");
	pass(BEAT_SILENCE_MS + BEAT_MS + 4 * WHEEL_TICK_MS);
	is_int(did.resyncs, 1, "its silence is noticed, even if it was never heard");
	beat_worker_lost(&live, "worker02");
	pass(2 * BEAT_SILENCE_MS);
	is_int(did.resyncs, 1, "once, when the master tells late");
	pass(60000);
	ok(live.peers == NULL, "then it is forgotten");
	hear("worker03", "scale--a", true, 0);
	pass(BEAT_SILENCE_MS - BEAT_MS);
	beat_worker_lost(&live, "worker03");
	pass(2 * BEAT_MS + 2 * WHEEL_TICK_MS);
	is_int(did.resyncs, 2, "of one that was heard, the last heartbeat counts");
}

static void test_versions(void)
{
	begin();
	hear_text("worker02", "12345");
	is_int(live.legacy_peers, 1, "who sends its time alone has the first version");
	hear_text("worker02", "12346");
	is_int(live.legacy_peers, 1, "and is counted once");
	hear_text("worker03", "");
	is_int(live.legacy_peers, 2, "who sends nothing likewise");
	is_int(did.synced + did.scales, 0, "they have no clock");
	hear("worker03", "scale--a", true, 0);
	is_int(live.legacy_peers, 1, "one that was upgraded counts no longer");
	beat_bye_heard(&live, STR_LIT("worker02"));
	is_int(live.legacy_peers, 0, "nor does one that left");
	hear_text("worker02", "12347");
	pass(BEAT_SILENCE_MS + BEAT_MS + 4 * WHEEL_TICK_MS);
	is_int(live.legacy_peers, 0, "nor one that is silent");
	hear_text("worker02", "12348");
	is_int(live.legacy_peers, 1, "but when it is heard again");
	hear_text("worker04", "12345 1 12345 1 scale--a");
	ok(live.legacy_peers == 1 && live.unconfirming_peers == 2,
	   "the second version confirms nothing, like the first");
	hear_text("worker04", "12345 200000000000 12345 1 scale--a");
	ok(live.legacy_peers == 1 && live.unconfirming_peers == 1, "a later one does");
	beat_bye_heard(&live, STR_LIT("worker02"));
	ok(live.legacy_peers == 0 && live.unconfirming_peers == 0, "and who has left does not count");
}

static void test_alone(void)
{
	begin();
	hear_own("12345");
	hear_own("12345");
	ok(!live.lamport.synced && did.synced == 0, "two own heartbeats do not say that nobody else is there");
	hear_own("12345");
	ok(live.lamport.synced && did.synced == 1, "three do: the clock counts");
	hear_own("12345");
	is_int(did.synced, 1, "which is said once");

	begin();
	char text[32];
	snprintf(text, sizeof(text), "%lld 1", (long long)now_ms * 1000 - 4000);
	hear_own(text);
	ok(did.lags == 1 && did.lag_us == 4000, "the way of a heartbeat through Redis is measured");
	snprintf(text, sizeof(text), "%lld 1", (long long)now_ms * 1000 + 1);
	hear_own(text);
	hear_own("");
	hear_own("yesterday");
	is_int(did.lags, 1, "what cannot be is not");
}

static void test_clock(void)
{
	begin();
	hear("worker02", "scale--a", false, 9000);
	ok(did.scales == 1 && did.synced == 0 && did.shift_us == 9000000,
	   "who moves to another scale has its ranks moved");
	hear("worker02", "scale--a", true, 0);
	ok(did.scales == 1 && did.synced == 0, "once");

	begin();
	hear("worker02", "zzzzzzzz", false, 9000);
	ok(did.scales == 0 && did.synced == 1, "who stays on its scale is synced all the same");
	hear("worker02", "zzzzzzzz", false, 9000);
	is_int(did.synced, 1, "which is said once");

	begin();
	hear("worker02", "zzzzzzzz", true, -9000);
	ok(did.scales == 1 && did.shift_us == -9000000, "a scale that counts is moved to, whatever its name");
}

static void test_nonsense(void)
{
	static const char *const bad[] = {
		"12345 1",
		"12345 1 ",
		"12345 1 99999",
		"12345 1 99999 1",
		"12345 1 99999 1 ",
		"12345 1 99999 1 short",
		"12345 1 99999  scale--a",
		"12345 1 later 1 scale--a",
		"12345 1 -99999 1 scale--a",
		"12345 1 0 1 scale--a",
		"12345 1 9223372036854775807 1 scale--a",
		"12345 1 9223372036854775808 1 scale--a",
		"12345 1 99999999999999999999 1 scale--a",
		"never 1 99999 1 scale--a",
		" 12345 1 99999 1 scale--a",
		" ",
	};
	unsigned heard = 0;
	begin();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		hear_text("worker02", bad[i]);
		heard += did.scales + did.synced;
	}
	is_int(heard, 0, "what is no clock is not heard");
	is_str(live.lamport.scale, ORIGIN, "and moves nothing");
	hear_text("worker02", "12345 1 99999 1 scale--a");
	is_int(did.scales, 1, "what is, is");
	hear_text("worker02", "12345 2 99999 1 scale--a and more");
	is_int(live.legacy_peers, 0, "a later version may say more behind it");
}

int main(void)
{
	wheel = wheel_new(now_ms);
	test_rhythm();
	test_text();
	test_node();
	test_nodes();
	test_answer();
	test_silence();
	test_heard_elsewhere();
	test_many();
	test_redis_away();
	test_death();
	test_versions();
	test_alone();
	test_clock();
	test_nonsense();
	begin();
	wheel_free(&wheel);
	return done_testing();
}
