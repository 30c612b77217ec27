/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told that a friend came or went: hints are looked into, absences wait, and Redis' count of subscribers is
 * what is true. */
#include "core/base.h"
#include "live/watch_priv.h"

#include "live/push.h"
#include "store/people.h"

#include "worker_kit.h"

static struct client alice, amy;

static struct session *session_of(const char *user)
{
	struct user *u = user_find(live, str_from(user));
	return u != NULL ? SLIST_FIRST(&u->sessions) : NULL;
}

static void follow(const char *user, const char *friend, bool blocks_user)
{
	struct store_friend f = {.blocks_user = blocks_user};
	snprintf(f.user_id, sizeof(f.user_id), "%s", friend);
	watcher_new(session_of(user), &f);
}

static struct watched *watched(const char *id)
{
	return watched_find(live, str_from(id));
}

static bool is_heard(const char *topic)
{
	return bus_is_subscribed(live->bus, str_from(topic));
}

/* The answer to `watched_find` has been looked into: whatever was asked before this is answered. */
static void on_online(const bool *online, size_t n, void *arg)
{
	memcpy(arg, online, n * sizeof(*online));
	((bool *)arg)[n] = true;
}

static void let_look(void)
{
	bool answer[2] = {false, false};
	UNTIL(live->looks.batch == NULL && TAILQ_EMPTY(&live->looks.wanted));
	online_find(live, &STR_LIT("x"), 1, on_online, answer);
	UNTIL(answer[1]);
}

/* The worker of the friends says that one of theirs came or went; it is heard. */
static void hint(const char *topic, char kind)
{
	uint64_t before = stats_sum(hub, STAT_BUS_IN);
	other_says_text(topic, kind, "");
	UNTIL(stats_sum(hub, STAT_BUS_IN) != before);
	let_look();
}

static const char *event(const char *user, bool online, int64_t last_seen_ms)
{
	static char text[256];
	char time[32];
	snprintf(time, sizeof(time), "\"%024lld\"", (long long)last_seen_ms);
	snprintf(text, sizeof(text), "{\"type\":\"presence\",\"user_id\":\"%s\",\"online\":%s,\"last_seen\":%s}", user,
		 online ? "true" : "false", last_seen_ms != 0 ? time : "null");
	return text;
}

static void test_comes(void)
{
	follow("alice", "bob", false);
	UNTIL(is_heard("p:bob"));
	let_look();
	is_str(client_rest(&alice), "", "nobody is told that a friend is not there");
	hint("p:bob", BUS_CAME);
	is_str(client_rest(&alice), "", "nor that one came who is not there: what is heard is only a hint");
	other_subscribe("u:bob");
	hint("p:bob", BUS_CAME);
	is_str(client_next(&alice), event("bob", true, 0), "one who came is");
	hint("p:bob", BUS_CAME);
	is_str(client_rest(&alice), "", "once");
	watch_hint(live, STR_LIT("zoe"), true);
	let_look();
	is_str(client_rest(&alice), "", "of somebody who is not watched nothing is told");
}

static void test_goes(void)
{
	hint("p:bob", BUS_WENT);
	pass(WATCH_ABSENCE_MS + 2 * WHEEL_TICK_MS);
	let_look();
	is_str(client_rest(&alice), "", "one who is still there somewhere has not gone");
	hint("p:bob", BUS_WENT);
	int64_t went_ms = clock_wall_ms();
	other_leave();
	pass(WATCH_ABSENCE_MS - WHEEL_TICK_MS);
	let_look();
	is_str(client_rest(&alice), "", "an absence is not told at once");
	pass(2 * WHEEL_TICK_MS);
	let_look();
	is_str(client_next(&alice), event("bob", false, went_ms), "but then, with the time at which it began");
	hint("p:bob", BUS_WENT);
	pass(WATCH_ABSENCE_MS + 2 * WHEEL_TICK_MS);
	let_look();
	is_str(client_rest(&alice), "", "and once");

	other_subscribe("u:bob");
	hint("p:bob", BUS_CAME);
	is_str(client_next(&alice), event("bob", true, went_ms), "when they are back, they were seen last then");
	other_leave();
	hint("p:bob", BUS_WENT);
	pass(WATCH_ABSENCE_MS / 2);
	other_subscribe("u:bob");
	hint("p:bob", BUS_CAME);
	pass(WATCH_ABSENCE_MS);
	let_look();
	is_str(client_rest(&alice), "", "who is back in time was never gone");
}

static void test_silent(void)
{
	other_leave();
	pass(2 * WATCH_ABSENCE_MS);
	let_look();
	is_str(client_rest(&alice), "", "of one who vanished nobody knows");
	watch_recheck_all(live, 1000);
	pass(1000 - WHEEL_TICK_MS);
	let_look();
	is_str(client_rest(&alice), "", "until all are looked at again, which may wait");
	pass(2 * WHEEL_TICK_MS);
	let_look();
	int64_t seen_ms = watched("bob")->last_seen_ms;
	is_str(client_next(&alice), event("bob", false, seen_ms), "then it is told");
	ok(clock_wall_ms() - seen_ms <= 2 * WHEEL_TICK_MS, "as if it had just been seen");
	other_subscribe("u:bob");
	watch_recheck_all(live, 0);
	pass(WHEEL_TICK_MS);
	is_str(client_next(&alice), event("bob", true, seen_ms), "likewise that one came whom nobody announced");
	/* An absence is waited for already: looking at all does not hasten it. */
	other_leave();
	hint("p:bob", BUS_WENT);
	watch_recheck_all(live, 0);
	pass(WATCH_ABSENCE_MS / 2);
	let_look();
	is_str(client_rest(&alice), "", "an absence has its time all the same");
	pass(WATCH_ABSENCE_MS);
	let_look();
	ok(has(client_next(&alice), "\"online\":false"), "and is told then");
}

static void test_hidden(void)
{
	follow("alice", "carol", true);
	follow("amy", "carol", false);
	other_subscribe("u:carol");
	UNTIL(is_heard("p:carol"));
	is_str(client_next(&amy), event("carol", true, 0),
	       "one who was there before is told of once the topic is heard");
	is_str(client_rest(&alice), "", "but not whom they have blocked");
	watched_tell(watched("carol"), session_of("amy"));
	is_str(client_rest(&amy), "", "one can be left out");
	client_close(&amy);
	user_end("amy");
	ok(watched("carol") != NULL && is_heard("p:carol"), "who is watched by another one still is watched on");
}

static void test_forget(void)
{
	follow("alice", "dave", false);
	UNTIL(is_heard("p:dave"));
	hint("p:carol", BUS_WENT);
	/* One question is under way, and the next one waits for its answer. */
	watch_hint(live, STR_LIT("dave"), true);
	watch_hint(live, STR_LIT("dave"), true);
	watch_forget(session_of("alice"));
	ok(live->watched == NULL, "a session that ends watches nobody");
	client_close(&alice);
	user_end("alice");
	ok(!is_heard("p:bob") && !is_heard("p:carol") && !is_heard("p:dave"), "and the topics are heard no longer");
	pass(2 * WATCH_ABSENCE_MS);
	let_look();
	ok(TAILQ_EMPTY(&live->looks.wanted), "nor is anyone looked at");
}

static void test_tell(void)
{
	other_subscribe("p:erin");
	watch_tell(live, STR_LIT("erin"), true);
	is_str(other_next_on("p:erin"), "1" OURS, "others hear that a user came");
	conf->session.presence = false;
	watch_tell(live, STR_LIT("erin"), false);
	conf->session.presence = true;
	watch_tell(live, STR_LIT("erin"), true);
	is_str(other_next_on("p:erin"), "1" OURS, "but nothing where presence is switched off");
	watch_tell(live, STR_LIT("erin"), false);
	is_str(other_next_on("p:erin"), "0" OURS, "and that they went");
	other_leave();
}

static void test_friendship(void)
{
	uint32_t before = live->friendship_changes;
	UNTIL(store_pending(live->store) == 0);
	other_subscribe("u:alice");
	other_subscribe("u:bob");
	watch_friendship_changed(live, STR_LIT("alice"), STR_LIT("bob"));
	is_str(other_next_on("u:alice"), "F" OURS "bob", "a change between two users is told on the topic of the one");
	is_str(other_next_on("u:bob"), "F" OURS "alice", "and of the other");
	is_int(live->friendship_changes - before, 2, "a watch that is being carried out will know of both");
	is_int(store_pending(live->store), 0, "nobody watches: nothing is asked");
	other_leave();

	client_begin(&alice, "alice", "");
	follow("alice", "bob", false);
	UNTIL(store_pending(live->store) == 0);
	watch_friendship_heard(live, STR_LIT("alice"), STR_LIT("carol"));
	watch_friendship_heard(live, STR_LIT("amy"), STR_LIT("bob"));
	is_int(store_pending(live->store), 0, "nor where somebody else is watched, or by somebody else");
	watch_friendship_heard(live, STR_LIT("alice"), STR_LIT("bob"));
	is_int(store_pending(live->store), 1, "what the user may see of one they watch is asked anew");
	UNTIL(store_pending(live->store) == 0);
	/* Again if the database could not be asked: see watch.c. */
	client_close(&alice);
	user_end("alice");
}

static void test_recheck_friends(void)
{
	struct client one[4];
	for (int i = 0; i < 4; i++)
		client_begin(&one[i], "alice", (const char *[]){"?device=a", "?device=b", "?device=c", "?device=d"}[i]);
	follow("alice", "bob", false);
	UNTIL(store_pending(live->store) == 0);
	watch_recheck_friends(live);
	is_int(store_pending(live->store), 0, "what all may see is asked from the loop");
	wheel_pass(loop_wheel(loop), WHEEL_TICK_MS);
	is_int(store_pending(live->store), 1, "for those sessions alone that watch somebody");
	UNTIL(store_pending(live->store) == 0);
	for (int i = 0; i < 4; i++)
		client_close(&one[i]);
	user_end("alice");
}

static void test_online(void)
{
	static const struct str users[] = {STR_LIT("alice"), STR_LIT("bob"), STR_LIT("carol")};
	bool answer[4] = {0};
	client_begin(&alice, "alice", "");
	other_subscribe("u:bob");
	online_find(live, users, 3, on_online, answer);
	ok(!answer[3], "who is online is not answered from within");
	UNTIL(answer[3]);
	ok(answer[0] && answer[1] && !answer[2], "who is here, and who is elsewhere, and nobody else");
	memset(answer, 0, sizeof(answer));
	online_find(live, users, 0, on_online, answer);
	ok(answer[0], "of nobody it is known at once");
	conf->session.presence = false;
	memset(answer, true, 3);
	answer[3] = false;
	online_find(live, users, 3, on_online, answer);
	ok(answer[3] && !answer[0] && !answer[1] && !answer[2], "where presence is switched off nobody is online");
	conf->session.presence = true;
	memset(answer, 0, sizeof(answer));
	online_find(live, users, 3, on_online, answer);
	online_fini(live);
	ok(answer[3] && answer[0] && !answer[1], "at the end what is asked is answered from this node alone");
	memset(answer, 0, sizeof(answer));
	turns(20);
	ok(!answer[3], "once");
	server_kill(&redis);
	UNTIL(!bus_is_up(live->bus));
	other_leave();
	online_find(live, users, 3, on_online, answer);
	UNTIL(answer[3]);
	ok(answer[0] && !answer[1] && !answer[2], "likewise while Redis is away");
	client_close(&alice);
	user_end("alice");
}

int main(void)
{
	kit_start();
	conf->session.policy = SESSION_DEVICE;
	client_begin(&alice, "alice", "");
	client_begin(&amy, "amy", "");
	test_comes();
	test_goes();
	test_silent();
	test_hidden();
	test_forget();
	test_tell();
	test_friendship();
	test_recheck_friends();
	test_online();
	other_leave();
	kit_stop();
	return done_testing();
}
