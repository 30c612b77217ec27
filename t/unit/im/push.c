/* SPDX-License-Identifier: BSD-2-Clause */
/* Events on their way: to the sessions here, to another worker through Redis, and from there to the sessions here. */
#include "core/base.h"
#include "api/event.h"
#include "live/push.h"

#include "live/policy.h"
#include "store/people.h"

#include "worker_kit.h"

#define EVENT ((struct push_place){.kind = BUS_EVENT})
#define RESYNC "{\"type\":\"resync\"}"

static struct client phone, laptop, bobs;

static struct session *session_of(const char *user)
{
	struct user *u = user_find(live, str_from(user));
	return u != NULL ? SLIST_FIRST(&u->sessions) : NULL;
}

static void test_out(void)
{
	char topic[TOPIC_MAX];
	struct str t = topic_make(topic, TOPIC_USER, STR_LIT("alice"));
	ok(str_is(t, "u:alice"), "the name of a topic");
	push_to(live, STR_LIT("alice"), EVENT, STR_LIT("{\"n\":1}"), NULL);
	is_str(client_next(&phone), "{\"n\":1}", "an event comes to a session of the user");
	is_str(client_next(&laptop), "{\"n\":1}", "and to the other");
	is_str(other_next_on("u:alice"), "E" OURS "{\"n\":1}", "and through Redis, with its kind and its origin");
	push_to(live, STR_LIT("alice"), EVENT, STR_LIT("{\"n\":2}"), session_of("alice"));
	is_str(client_next(&phone), "{\"n\":2}", "with one left out it comes to the others");
	is_str(client_rest(&laptop), "", "and not to that");
	is_str(other_next_on("u:alice"), "E" OURS "{\"n\":2}", "but through Redis all the same");
	is_str(client_rest(&bobs), "", "another user has none of it");
	push_to_both(live, STR_LIT("alice"), STR_LIT("bob"), EVENT, STR_LIT("{\"n\":3}"), session_of("bob"));
	is_str(client_next(&phone), "{\"n\":3}", "an event for two comes to the first");
	is_str(client_rest(&bobs), "", "but for who is left out");
	is_str(other_next_on("u:alice"), "E" OURS "{\"n\":3}", "through Redis for the one");
	is_str(other_next_on("u:bob"), "E" OURS "{\"n\":3}", "and for the other");
	push_to_both(live, STR_LIT("alice"), STR_LIT("bob"), EVENT, STR_LIT("{\"n\":4}"), NULL);
	is_str(client_next(&bobs), "{\"n\":4}", "and to the second");
	is_str(client_next(&phone), "{\"n\":4}", "as to the first");
	is_str(client_after(&laptop, "alice"), "{\"n\":3}", "(the laptop, too)");
	is_str(client_next(&laptop), "{\"n\":4}", "what is ours came back from Redis and was not given again");
	(void)client_next(&laptop);
	(void)client_next(&phone);
	push_to(live, STR_LIT("zoe"), EVENT, STR_LIT("{}"), NULL);
	is_str(client_rest(&phone), "", "an event of somebody absent comes to nobody");
}

static void test_places(void)
{
	struct push_place place = {BUS_MESSAGE, message_id_make(3, 1), INT64_MAX};
	char want[128];
	push_to(live, STR_LIT("bob"), place, STR_LIT("{\"m\":1}"), NULL);
	snprintf(want, sizeof(want), "N" OURS "%016llx7fffffffffffffff{\"m\":1}", (unsigned long long)place.message_id);
	is_str(client_next(&bobs), "{\"m\":1}", "a message");
	(void)other_next_on("u:bob");
	is_str(other_next_on("u:bob"), want, "says its id, and that none is before it");
	place = (struct push_place){BUS_MESSAGE, message_id_make(3, 2), 255};
	push_to(live, STR_LIT("bob"), place, STR_LIT("{\"m\":2}"), NULL);
	snprintf(want, sizeof(want), "N" OURS "%016llx00000000000000ff{\"m\":2}", (unsigned long long)place.message_id);
	is_str(other_next_on("u:bob"), want, "or how long ago that was");
	place.kind = BUS_CHANGE;
	push_to(live, STR_LIT("bob"), place, STR_LIT("{\"c\":2}"), NULL);
	snprintf(want, sizeof(want), "C" OURS "%016llx{\"c\":2}", (unsigned long long)place.message_id);
	is_str(other_next_on("u:bob"), want, "a change says the id alone");
	(void)client_next(&bobs);
	(void)client_next(&bobs);

	pass(1000);
	/* The next ones come by both ways: 4 from here before 3, and a change of 5 before it. */
	place = (struct push_place){BUS_MESSAGE, message_id_make(3, 4), 10};
	push_to(live, STR_LIT("bob"), place, STR_LIT("{\"m\":4}"), NULL);
	is_str(client_rest(&bobs), "", "a message ahead of its predecessor waits");
	snprintf(want, sizeof(want), "%016llx{\"c\":5}", (unsigned long long)message_id_make(3, 5));
	other_says_text("u:bob", BUS_CHANGE, want);
	snprintf(want, sizeof(want), "%016llx000000000000000a{\"m\":3}", (unsigned long long)message_id_make(3, 3));
	other_says_text("u:bob", BUS_MESSAGE, want);
	is_str(client_next(&bobs), "{\"m\":3}", "until that comes from another worker");
	is_str(client_next(&bobs), "{\"m\":4}", "then it is given");
	snprintf(want, sizeof(want), "%016llxffffffffffffffff{\"m\":5}", (unsigned long long)message_id_make(3, 5));
	other_says_text("u:bob", BUS_MESSAGE, want);
	is_str(client_next(&bobs), "{\"m\":5}", "and the next one, whatever its gap");
	is_str(client_next(&bobs), "{\"c\":5}", "behind which its change waited");
	snprintf(want, sizeof(want), "%016llx8000000000000001{\"m\":7}", (unsigned long long)message_id_make(4, 7));
	other_says_text("u:bob", BUS_MESSAGE, want);
	is_str(client_next(&bobs), "{\"m\":7}", "one that is too large for a gap means that there is none");
}

static void test_notification(void)
{
	struct notification n = {.id = 7, .kind = STR_LIT("like"), .ref = STR_LIT("{\"a\":[1]}"), .body = STR_NULL};
	event_notification(live, STR_LIT("bob"), &n);
	const char *text = client_next(&bobs);
	ok(strncmp(text, "{\"type\":\"notification\",\"notification\":{", 39) == 0 && has(text, "\"kind\":\"like\"") &&
		   has(text, "\"ref\":{\"a\":[1]}"),
	   "a notification is an event (%s)", text);
}

static void test_malformed(void)
{
	static const char *const bad[] = {
		"",
		"E",
		"Eworker0",
		"@",
		"@1+",
		"@1+U",
		"@1+Uworker0",
		"N" OTHER,
		"N" OTHER "0000000000000001",
		"N" OTHER "000000000000000100000000000000{}",
		"N" OTHER "00000000000000010000000000000g01{}",
		"N" OTHER "000000000000000X0000000000000001{}",
		"N" OTHER "00000000000000ABx0000000000000001{}",
		"C" OTHER "000000000000000",
		"C" OTHER "-000000000000001{}",
		"F" OTHER,
		"F" OTHER "no user id",
		"A" OTHER,
		"I" OTHER "short",
	};
	uint32_t changes = live->friendship_changes;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		other_publish("u:bob", str_from(bad[i]));
		other_publish("p:bob", str_from(bad[i]));
		other_publish("all", str_from(bad[i]));
	}
	/* No worker has such a name. */
	other_publish("u:bob", STR_LIT("E\0\0\0\0\0\0\0\0{}"));
	other_publish("u:bob", STR_LIT("Eworker.2{}"));
	/* A kind that nobody knows. */
	other_publish("u:bob", STR_LIT("\0" OTHER));
	is_str(client_after(&bobs, "bob"), "", "what is no message is ignored");
	is_int(live->friendship_changes, changes, "and changes nothing");
	(void)client_rest(&bobs);
	pass(1000);
	other_says_text("u:bob", BUS_EVENT, "{\"n\":5}");
	is_str(client_next(&bobs), RESYNC, "but that of a kind that we do not know: something may be missed");
	is_str(client_next(&bobs), "{\"n\":5}", "and what is one comes");
}

/* Whether the other worker's words make the user's session catch up. */
static bool catches_up(const char *topic, const char *text)
{
	other_publish(topic, str_from(text));
	/* On one link all is heard in order; a topic of its own would not be later. */
	const char *before = client_after(&bobs, "bob");
	if (before[0] != '\0')
		ok(false, "nothing before the event behind (%s)", before);
	pass(11000);
	client_send(&bobs, "{\"type\":\"ping\"}");
	const char *next = client_next(&bobs);
	bool told = strcmp(next, RESYNC) == 0;
	if (told)
		next = client_next(&bobs);
	if (!has(next, "\"pong\""))
		ok(false, "nothing else is said (%s)", next);
	return told;
}

static void test_versions(void)
{
	ok(catches_up("u:bob", "@1+U" OTHER), "the second form is understood");
	ok(!catches_up("u:bob", "@1+U" OURS), "our own is ignored");
	ok(!catches_up("u:alice", "@1+U" OTHER), "another user's makes nobody else catch up");
	ok(catches_up("u:bob", "Z" OTHER), "a kind that we do not know: something may be missed");
	ok(catches_up("u:bob", "@1+Z" OTHER), "likewise in the second form");
	ok(!catches_up("u:bob", "@1-Z" OTHER), "one that may be ignored is");
	ok(catches_up("u:bob", "@2+U" OTHER), "a later version of a kind is as unknown");
	ok(!catches_up("u:bob", "@2-U" OTHER), "and ignored where it may be");
	ok(catches_up("u:bob", "@1+E" OTHER "{}"), "a kind of the first form is no other in the second");
	ok(catches_up("all", "@1+Z" OTHER), "on the topic of all it concerns all sessions");
	ok(!catches_up("all", "@1-Z" OTHER), "but not where it may be ignored");
	ok(!catches_up("all", "@1+Z" OURS), "nor our own");
	ok(!catches_up("all", "Z" OTHER), "the first version knows no other kinds there");
	ok(catches_up("all", "R" OTHER), "who may have lost events has all sessions catch up");
	ok(!catches_up("all", "R" OURS), "but not ours: we have not missed our own");
	ok(catches_up("u:bob", "@1+U" ORIGIN_RELAY), "a relay is believed");
	ok(!catches_up("u:alice", "@1+U" ORIGIN_RELAY), "and not missed when it says nothing more");
	ok(!catches_up("all", "B" ORIGIN_RELAY), "nor when it says goodbye, as it does for older workers");
	ok(!catches_up("p:bob", "@1+Z" OTHER), "on a presence topic nothing is missed");
	ok(!catches_up("x:bob", "Z" OTHER) && !catches_up("u:", "Z" OTHER), "nor on one that nobody hears");
	/* All this reached the other two sessions as well; they are taken anew. */
	client_close(&phone);
	client_close(&laptop);
	user_end("alice");
	client_begin(&phone, "alice", "");
	client_begin(&laptop, "alice", "");
}

static void test_resync(void)
{
	while (other_take() != NULL)
		;
	push_resync(live, STR_LIT("bob"));
	const char *text = other_next_on("u:bob");
	while (text[0] == 'E')
		text = other_next_on("u:bob");
	is_str(text, "@1+U" OURS, "who may have missed something is told so everywhere");
	pass(1100);
	is_str(client_next(&bobs), RESYNC, "here as well");
	is_str(client_rest(&bobs), "", "once, although our own words come back");
	push_resync(live, STR_NULL);
	is_str(client_rest(&bobs), "", "nobody is told of nobody");
	live->legacy_peers = 1;
	push_resync(live, STR_LIT("bob"));
	live->legacy_peers = 0;
	is_str(client_next(&bobs), RESYNC, "with workers of the first version it is an event");
	is_str(other_next_on("u:bob"), "E" OURS RESYNC, "which those hand on, to this user alone");
}

static void test_kick(void)
{
	other_publish("u:alice", STR_LIT("K" OURS));
	is_str(client_after(&phone, "alice"), "", "our own kick was carried out before it came back");
	(void)client_next(&laptop);
	other_says_text("u:alice", BUS_KICK, "");
	ok(has(client_next(&phone), "\"kicked\""), "another worker's kick reaches the user's sessions");
	is_str(client_next(&phone), "close 4001", "and ends them");
	ok(has(client_next(&laptop), "\"kicked\""), "all of them");
	is_str(client_rest(&bobs), "", "and nobody else's");
	client_close(&phone);
	client_close(&laptop);
	user_end("alice");
}

static void test_links(void)
{
	struct push_place place = {BUS_MESSAGE, message_id_make(3, 9), 10};
	push_to(live, STR_LIT("bob"), place, STR_LIT("{\"m\":9}"), NULL);
	is_str(client_rest(&bobs), "", "a message waits for its predecessor");
	server_cut(&redis, "tidings-subscribe");
	UNTIL(!bus_is_up(live->bus));
	is_str(client_next(&bobs), "{\"m\":9}", "until the link is lost: then that will not come");
	uint64_t announced = stats_sum(hub, STAT_BUS_OUT);
	UNTIL(bus_is_up(live->bus));
	pass(1100);
	is_str(client_next(&bobs), RESYNC, "when it is back our sessions may have missed something");
	UNTIL(stats_sum(hub, STAT_BUS_OUT) > announced);
	ok(session_of("bob")->announced, "and they are announced again");
	other_subscribe("all");
	other_subscribe("roll");
	conf->relay.presence = true;
	server_cut(&redis, "tidings-publish");
	UNTIL(!bus_is_up(live->bus));
	push_to(live, STR_LIT("bob"), EVENT, STR_LIT("{\"n\":6}"), NULL);
	is_str(client_next(&bobs), "{\"n\":6}", "what Redis does not take comes to our own sessions");
	UNTIL(bus_is_up(live->bus));
	const char *text;
	while ((text = other_next_on("all"))[0] == BUS_BEAT)
		;
	is_str(text, "R" OURS, "the others are told that they may have missed something");
	pass(11000);
	is_str(client_rest(&bobs), "", "but ours have not");
	is_str(other_next_on("roll"), "@1-D" OURS "+bob ", "and a relay that tells webhooks hears again who is here");
	conf->relay.presence = false;
}

int main(void)
{
	kit_start();
	conf->session.policy = SESSION_MULTI;
	conf->session.max = 10;
	client_begin(&phone, "alice", "");
	client_begin(&laptop, "alice", "");
	client_begin(&bobs, "bob", "");
	other_subscribe("u:alice");
	other_subscribe("u:bob");
	while (other_take() != NULL)
		;
	test_out();
	test_places();
	test_notification();
	test_malformed();
	test_versions();
	test_resync();
	test_kick();
	test_links();
	client_close(&bobs);
	user_end("bob");
	other_leave();
	kit_stop();
	return done_testing();
}
