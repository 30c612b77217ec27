/* SPDX-License-Identifier: BSD-2-Clause */
/* A session from its handshake to its end: hello, its places, what it has in progress, and the ways it ends. */
#include "core/base.h"
#include "live/session.h"

#include "live/push.h"
#include "live/watch.h"
#include "worker_kit.h"

#define PENDING_MAX 128
#define PENDING_LOW 64

static struct session *session_of(const char *user)
{
	struct user *u = user_find(live, str_from(user));
	return u != NULL ? SLIST_FIRST(&u->sessions) : NULL;
}

static void client_end(struct client *c)
{
	client_close(c);
	user_end("alice");
}

static void test_hello(void)
{
	struct client c;
	char want[256];
	other_subscribe("u:alice");
	other_subscribe("p:alice");
	client_open(&c, "alice", "?device=ios");
	const char *text = client_next(&c);
	char id[SESSION_ID_LEN + 1];
	session_id(session_of("alice"), id);
	snprintf(want, sizeof(want),
		 "{\"type\":\"hello\",\"user_id\":\"alice\",\"session_id\":\"%s\",\"server_time\":\"%024lld\","
		 "\"heartbeat_ms\":3600000}",
		 id, (long long)clock_wall_ms());
	is_str(text, want, "hello, with what a client has to know");
	ok(bus_is_subscribed(live->bus, STR_LIT("u:alice")), "it has been subscribed to before");
	snprintf(want, sizeof(want), "A" OURS "%s ios", id);
	is_str(other_next_on("u:alice"), want, "then it announces itself");
	is_str(other_next_on("p:alice"), "1" OURS, "and that the user has come");
	is_int(presence_count(hub, "alice"), 1, "the hub has its row");
	is_int(live->session_count, 1, "the worker counts it");
	struct client again;
	client_begin(&again, "alice", "?device=web");
	is_int(presence_count(hub, "alice"), 2, "a second session of the user");
	client_close(&again);
	UNTIL(live->session_count == 1);
	is_int(presence_count(hub, "alice"), 1, "leaves its place when it ends");
	watch_tell(live, STR_LIT("alice"), true);
	is_str(other_next_on("p:alice"), "1" OURS, "and says nothing, for the user is still there");
	/* What is known of the user ends with the last session, too. */
	snprintf(want, sizeof(want), "%016llx7fffffffffffffff{}", (unsigned long long)message_id_make(3, 1));
	other_says_text("u:alice", BUS_PRESENT, "123456789012345678901234 web");
	other_says_text("u:alice", BUS_MESSAGE, want);
	is_str(client_next(&c), "{}", "the first one goes on");
	client_end(&c);
	is_str(other_next_on("p:alice"), "0" OURS, "the last one says that the user has gone");
	is_int(presence_count(hub, "alice"), 0, "its row is gone");
	is_int(live->session_count, 0, "and nothing is counted");
	ok(!bus_is_subscribed(live->bus, STR_LIT("u:alice")), "nobody hears the topic any longer");
	other_leave();
}

static void test_not_confirmed(void)
{
	struct client c;
	kill(redis.pid, SIGSTOP);
	client_open(&c, "alice", "");
	client_send(&c, "{\"type\":\"ping\"}");
	struct ws_frame *frame = ws_frame_new(STR_LIT("{\"early\":1}"));
	session_send(session_of("alice"), frame);
	ws_frame_unref(frame);
	turns(20);
	ok(client_take(&c) == NULL, "no hello before Redis has confirmed");
	kill(redis.pid, SIGCONT);
	ok(has(client_next(&c), "\"hello\""),
	   "it comes first when that has come, and what was pushed before is not sent");
	ok(has(client_next(&c), "\"pong\""), "what the client sent before is heard then");
	client_end(&c);
}

static void test_redis_away(void)
{
	struct client waits, c;
	kill(redis.pid, SIGSTOP);
	client_open(&waits, "alice", "");
	turns(20);
	ok(client_take(&waits) == NULL, "a session waits for Redis");
	server_kill(&redis);
	ok(has(client_next(&waits), "\"hello\""), "but no longer than it is there");
	ok(!bus_is_up(live->bus), "(it is away)");
	client_open(&c, "alice", "");
	ok(has(client_next(&c), "\"hello\""), "without it there is hello at once");
	ok(has(client_next(&waits), "\"kicked\""), "and our own decide alone who stays");
	is_str(client_next(&waits), "close 4001", "the older one goes");
	client_close(&waits);
	server_start(&redis, "");
	UNTIL(bus_is_up(live->bus));
	pass(1100);
	is_str(client_next(&c), "{\"type\":\"resync\"}", "when it is back there is no second hello, but a resync");
	is_str(client_rest(&c), "", "and nothing else");
	client_end(&c);
}

static void test_device(void)
{
	static const char *const bad[] = {"?device=",	 "?device=iOS", "?device=a.b",
					  "?device=%00", "?device=%zz", "?device=seventeen-letters"};
	struct client c;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		client_connect(&c, "alice", 3600, bad[i]);
		is_int(client_status(&c), 400, "%s is no device class", bad[i]);
		client_close(&c);
	}
	ok(user_find(live, STR_LIT("alice")) == NULL && presence_count(hub, "alice") == 0, "no session has begun");
	client_begin(&c, "alice", "?device=az-09_89-abcdefg");
	is_str(session_device(session_of("alice")), "az-09_89-abcdefg", "what is one is kept");
	client_end(&c);
}

static void test_room(void)
{
	struct client c[SESSIONS_MAX + 1];
	int begun = 0;
	conf->session.policy = SESSION_MULTI;
	conf->session.max = SESSIONS_MAX;
	while (begun < SESSIONS_MAX + 1) {
		client_connect(&c[begun], "alice", 3600, "");
		if (client_status(&c[begun]) != 101)
			break;
		begun++;
	}
	is_int(begun, SESSIONS_MAX, "the node has room for so many sessions");
	ok(has(buf_cstr(&c[begun].in), "\"overloaded\""), "then it says that it holds no more (%s)",
	   buf_cstr(&c[begun].in));
	is_int(live->session_count, SESSIONS_MAX, "those it has stay");
	for (int i = 0; i <= begun; i++)
		client_close(&c[i]);
	user_end("alice");
	conf->worker_connections = 1;
	client_begin(&c[0], "alice", "");
	client_connect(&c[1], "alice", 3600, "");
	is_int(client_status(&c[1]), 503, "so does a worker that has as many connections as it may");
	is_int(presence_count(hub, "alice"), 1, "no place was taken for it");
	client_close(&c[1]);
	client_end(&c[0]);
	conf->worker_connections = 65536;
	conf->limits.sessions_per_second = 1;
	for (begun = 0; begun < 10; begun++) {
		client_connect(&c[0], "alice", 3600, "");
		int status = client_status(&c[0]);
		client_close(&c[0]);
		if (status != 101)
			break;
	}
	is_int(begun, 4, "and a node that begins as many a second as it may");
	conf->limits.sessions_per_second = 0;
	conf->session.policy = SESSION_SINGLE;
	user_end("alice");
}

static void test_kick(void)
{
	struct client a, b;
	struct ws_frame *frame = ws_frame_new(STR_LIT("{\"late\":1}"));
	client_begin(&a, "alice", "");
	client_begin(&b, "bob", "");
	struct session *s = session_of("alice");
	uint64_t before = stats_sum(hub, STAT_SESSIONS_KICKED);
	session_kick(s, "replaced", "another");
	session_kick(s, "kicked", NULL);
	session_leave(s, 5);
	session_send(s, frame);
	is_str(client_next(&a), "{\"type\":\"kicked\",\"reason\":\"replaced\",\"by_session\":\"another\"}",
	       "who has to go is told why");
	is_str(client_next(&a), "close 4001", "and closed");
	is_int(stats_sum(hub, STAT_SESSIONS_KICKED) - before, 1, "once");
	client_end(&a);
	is_str(client_rest(&b), "", "others stay");
	client_begin(&a, "alice", "");
	session_kick_user(live, STR_LIT("nobody"), STR_NULL);
	session_kick_user(live, STR_LIT("alice"), STR_NULL);
	is_str(client_next(&a), "{\"type\":\"kicked\",\"reason\":\"kicked\",\"by_session\":null}",
	       "an administrator's word is no session's");
	is_str(client_next(&a), "close 4001", "and ends it, too");
	client_end(&a);
	is_str(client_rest(&b), "", "but nobody else's");
	session_leave(session_of("bob"), 1234);
	is_str(client_next(&b), "{\"type\":\"reconnect\",\"after_ms\":1234}", "a goodbye says when to come back");
	is_str(client_next(&b), "close 1001", "and closes");
	client_close(&b);
	user_end("bob");
	ws_frame_unref(frame);
}

static void test_replaced(void)
{
	struct client a, b;
	char want[64], id[SESSION_ID_LEN + 1];
	client_begin(&a, "alice", "");
	client_begin(&b, "alice", "");
	const char *text = client_next(&a);
	snprintf(want, sizeof(want), "\"by_session\":\"%s\"", session_id(session_of("alice"), id));
	ok(has(text, "\"replaced\"") && has(text, want), "a session is replaced by the next one (%s)", text);
	client_send(&a, "{\"type\":\"ping\"}");
	is_str(client_next(&a), "close 4001", "and is heard no longer");
	is_str(client_rest(&b), "", "which stays");
	client_close(&a);
	client_end(&b);
}

static void test_pending(void)
{
	struct client c;
	client_begin(&c, "alice", "");
	struct session *s = session_of("alice");
	for (int i = 0; i < PENDING_MAX - 1; i++)
		session_hold(s);
	is_str(client_rest(&c), "", "a session with much in progress is heard");
	session_hold(s);
	client_send(&c, "{\"type\":\"ping\"}");
	turns(20);
	ok(client_take(&c) == NULL, "one with too much is not");
	while (s->pending > PENDING_LOW + 1)
		session_release(s);
	turns(20);
	ok(client_take(&c) == NULL, "until much of it has ended");
	session_release(s);
	ok(has(client_next(&c), "\"pong\""), "then it is heard again");
	client_close(&c);
	UNTIL(live->session_count == 0);
	ok(s->ws == NULL && session_of("alice") == s, "one that is closed is kept for what is in progress");
	is_int(presence_count(hub, "alice"), 0, "although it is gone for all others");
	session_send_json(s, STR_LIT("{}"));
	session_kick(s, "kicked", NULL);
	session_leave(s, 1);
	session_close(s, 1000, "");
	session_greet(s);
	while (s->pending > 1)
		session_release(s);
	ok(session_of("alice") == s, "for all of it");
	session_release(s);
	ok(session_of("alice") == NULL, "then it is freed");
}

static void test_expired(void)
{
	struct client a, b;
	client_connect(&a, "alice", 600, "");
	(void)client_status(&a);
	(void)client_next(&a);
	client_begin(&b, "bob", "");
	int64_t expires_ms = (int64_t)session_of("alice")->expires_secs * 1000;
	pass(expires_ms - clock_wall_ms() - 2000);
	is_str(client_rest(&a), "", "a session stays while its token is accepted");
	pass(4000);
	is_str(client_next(&a), "close 4002", "and is closed when it is no longer");
	is_str(client_rest(&b), "", "others stay");
	client_end(&a);
	client_close(&b);
	user_end("bob");
}

int main(void)
{
	kit_start();
	conf->session.policy = SESSION_DEVICE;
	test_hello();
	conf->session.policy = SESSION_SINGLE;
	test_not_confirmed();
	test_redis_away();
	test_device();
	test_room();
	test_kick();
	test_replaced();
	test_pending();
	test_expired();
	other_leave();
	kit_stop();
	return done_testing();
}
