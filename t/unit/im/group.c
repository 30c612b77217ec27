/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups in a worker: before hello, what members are given, who comes in and who goes out, what the bus brings. */
#include "core/base.h"
#include "live/beat.h"

#include "group_kit.h"

static void test_hello(void)
{
	struct client more[3], again;
	row_count = 0;
	for (unsigned i = 0; i < 5; i++)
		kit_row("alice", ID(i), 1, 1);
	kit_row("bob", TRIP, 7, 5);
	answers_wait = true;
	membership_reads = 0;
	client_connect(&alice, "alice", 3600, "");
	client_connect(&bob, "bob", 3600, "");
	client_connect(&more[0], "carol", 3600, "");
	client_status(&alice);
	client_status(&bob);
	client_status(&more[0]);
	UNTIL(waiting_count != 0 && bus_is_subscribed(live->bus, STR_LIT("u:carol")));
	client_open(&again, "alice", "");
	turns(5);
	ok(client_take(&alice) == NULL && client_take(&bob) == NULL && client_take(&again) == NULL,
	   "nobody is greeted before it is known which groups they are in");
	ok(group_knows(live, ID(9), STR_LIT("alice")) == GROUP_UNKNOWN, "till then nobody knows who is a member");
	kill(redis.pid, SIGSTOP);
	answers_wait = false;
	answer_reads();
	turns(5);
	ok(client_take(&alice) == NULL && client_take(&bob) == NULL, "nor before Redis has confirmed those");
	kill(redis.pid, SIGCONT);
	ok(has(client_next(&alice), "\"hello\"") && has(client_next(&bob), "\"hello\"") &&
		   has(client_next(&more[0]), "\"hello\"") && has(client_next(&again), "\"hello\""),
	   "then all are, and who is in none");
	ok(membership_reads <= 3, "those who came at once shared a read (%u)", membership_reads);
	ok(bus_is_subscribed(live->bus, STR_LIT(C_TRIP)), "the group's topic is subscribed to");
	is_int(group_online(live, TRIP), 2, "two of its members are online here");
	is_int(group_member_count(live, TRIP), 3, "and how many it has is known");
	ok(group_knows(live, TRIP, STR_LIT("bob")) == GROUP_MEMBER_HERE &&
		   group_knows(live, ID(2), STR_LIT("bob")) == GROUP_STRANGER &&
		   group_knows(live, TRIP, STR_LIT("carol")) == GROUP_STRANGER &&
		   group_knows(live, TRIP, STR_LIT("dora")) == GROUP_UNKNOWN,
	   "who is a member is known of those who are here");
	ok(user_find(live, STR_LIT("carol"))->memberships == NULL, "nothing is kept of who is in none");
	unsigned reads = membership_reads;
	client_begin(&more[1], "bob", "");
	is_int(membership_reads, reads, "a second session of a user needs no read");
	client_close(&more[0]);
	client_close(&more[1]);
	client_close(&again);
	end();
	ok(!bus_is_subscribed(live->bus, STR_LIT(C_TRIP)), "not even its topic");
}

static void test_given(void)
{
	char want[128];
	begin();
	other_subscribe(C_TRIP);
	group_push(live, TRIP, message_at(1), STR_LIT("{\"m\":1}"), session_of("alice"));
	is_str(client_next(&bob), "{\"m\":1}", "a message comes to a member");
	is_str(client_rest(&alice), "", "but not to the session that sent it");
	snprintf(want, sizeof(want), "N" OURS "%016llx7fffffffffffffff{\"m\":1}",
		 (unsigned long long)message_id_make(TRIP, 1));
	is_str(other_next_on(C_TRIP), want, "it is published once, on the group's topic");
	other_sends(3);
	is_str(client_after_group(&alice), "", "one that is ahead of its turn waits");
	(void)client_next(&bob);
	other_sends(2);
	is_str(client_next(&alice), "{\"m\":2}", "for the one before it");
	is_str(client_next(&alice), "{\"m\":3}", "and is given then");
	is_str(client_next(&bob), "{\"m\":2}", "to all members");
	is_str(client_next(&bob), "{\"m\":3}", "in one order");
	group_push(live, TRIP, (struct push_place){.kind = BUS_EVENT}, STR_LIT("{\"e\":1}"), NULL);
	is_str(client_next(&alice), "{\"e\":1}", "an event without a place comes, too");
	is_str(client_next(&bob), "{\"e\":1}", "to all");
	is_str(client_after_group(&alice), "", "what is ours came back from Redis and was not given again");
	(void)client_next(&bob);
	end();
	other_leave();
	/* Bob sees nothing from before the third message. */
	row_count = 0;
	kit_row("alice", TRIP, 1, 1);
	kit_row("bob", TRIP, 3, 3);
	client_begin(&alice, "alice", "");
	client_begin(&bob, "bob", "");
	other_sends(2);
	other_sends(3);
	is_str(client_next(&alice), "{\"m\":2}", "a message of before somebody joined comes to the others");
	is_str(client_next(&bob), "{\"m\":3}", "and to them comes the first that they may see");
	end();
}

/* Bob deletes a message in one session before another worker has told of it. */
static void test_for_one(void)
{
	char text[64];
	begin();
	other_sends(1);
	is_str(client_next(&alice), "{\"m\":1}", "a message has come");
	is_str(client_next(&bob), "{\"m\":1}", "to both");
	push_to(live, STR_LIT("bob"), (struct push_place){BUS_CHANGE, message_id_make(TRIP, 2)}, STR_LIT("{\"d\":2}"),
		NULL);
	snprintf(text, sizeof(text), "%016llx{\"d\":3}", (unsigned long long)message_id_make(TRIP, 3));
	other_says_text("u:bob", BUS_CHANGE, text);
	is_str(client_after_group(&bob), "", "what one user did to a message does not come before it");
	(void)client_next(&alice);
	other_sends(2);
	other_sends(3);
	is_str(client_next(&bob), "{\"m\":2}", "the message comes");
	is_str(client_next(&bob), "{\"d\":2}", "then what was done to it");
	is_str(client_next(&bob), "{\"m\":3}", "and the same for the next one:");
	is_str(client_next(&bob), "{\"d\":3}", "where another worker tells of it");
	is_str(client_next(&alice), "{\"m\":2}", "while the others are given the messages");
	is_str(client_next(&alice), "{\"m\":3}", "and those alone");
	is_str(client_after_group(&alice), "", "and nothing of what one user did");
	(void)client_next(&bob);
	kit_no_row("bob", TRIP);
	other_tells_out("u:bob", 4);
	is_str(client_next(&bob), LEFT("removed"), "who is no member any more");
	push_to(live, STR_LIT("bob"), (struct push_place){BUS_CHANGE, message_id_make(TRIP, 9)}, STR_LIT("{\"d\":9}"),
		NULL);
	is_str(client_next(&bob), "{\"d\":9}", "waits for no message");
	end();
}

static void test_database_away(void)
{
	row_count = 0;
	kit_row("alice", TRIP, 1, 1);
	store_says = STORE_UNAVAILABLE;
	client_begin(&alice, "alice", "");
	client_begin(&bob, "bob", "");
	ok(!is_member("alice", TRIP), "without the database there is hello at once");
	pass(3000);
	is_str(client_rest(&alice), "", "and nothing else for as long as it is away");
	store_says = STORE_OK;
	pass(3000);
	ok(is_member("alice", TRIP), "when it is back the groups are read");
	UNTIL(bus_is_subscribed(live->bus, STR_LIT(C_TRIP)));
	pass(1200);
	is_str(client_next(&alice), RESYNC, "and who has any catches up");
	is_str(client_rest(&bob), "", "while who has none has missed nothing");
	end();
}

static void test_in(void)
{
	struct str carol = STR_LIT("carol");
	struct client c;
	char want[200];
	begin();
	client_begin(&c, "carol", "");
	other_subscribe(C_TRIP);
	other_subscribe("u:carol");
	kit_row("carol", TRIP, 5, 5);
	struct group_news news = {
		.conversation_id = TRIP,
		.member_count = 3,
		.message_id = message_id_make(TRIP, 5),
		.gap_ms = INT64_MAX,
		.event_json = STR_LIT("{\"s\":5}"),
		.in = &carol,
		.in_count = 1,
		.first_seq = 5,
	};
	group_tell(live, &news, NULL);
	snprintf(want, sizeof(want), "@1+J" OURS "%016llx%016x%016x%016x", (unsigned long long)TRIP, 5, 5, 3);
	is_str(other_next_on("u:carol"), want, "who came in is told of on their topic");
	is_str(client_next(&alice), "{\"s\":5}", "the message that tells of it comes to the members");
	is_str(client_next(&c), "{\"s\":5}", "and to who came in");
	pass(200);
	is_str(client_next(&c), CONVERSATION("carol"), "who also gets the conversation");
	is_str(client_rest(&alice), "", "as nobody else does");
	snprintf(want, sizeof(want), "@1+T" OURS "%016llx7fffffffffffffff%016xl.\n{\"s\":5}",
		 (unsigned long long)message_id_make(TRIP, 5), 3);
	is_str(other_next_on(C_TRIP), want, "the message is published once, with what it did");
	other_sends(6);
	is_str(client_next(&c), "{\"m\":6}", "from then on there are messages");
	client_close(&c);
	other_leave();
	end();

	/* Told by another worker, where the group has no member yet. */
	row_count = 0;
	client_begin(&alice, "alice", "");
	client_begin(&bob, "bob", "");
	kit_row("bob", TRIP, 4, 2);
	kill(redis.pid, SIGSTOP);
	group_heard_for_user(live, STR_LIT("bob"), BUS_IN,
			     STR_LIT("0000000400000001"
				     "0000000000000004"
				     "0000000000000002"
				     "0000000000000009"));
	pass(500);
	is_int(view_reads, 1, "the conversation is not read before Redis has confirmed the topic");
	client_open(&c, "bob", "");
	turns(5);
	ok(client_take(&c) == NULL, "nor is there a hello for another session of the user");
	kill(redis.pid, SIGCONT);
	UNTIL(bus_is_subscribed(live->bus, STR_LIT(C_TRIP)));
	ok(has(client_next(&c), "\"hello\""), "(hello)");
	client_close(&c);
	pass(500);
	is_str(client_next(&bob), CONVERSATION("bob"), "then it comes");
	char text[80];
	snprintf(text, sizeof(text), "%016llx%016x{\"m\":5}", (unsigned long long)message_id_make(TRIP, 5), 1);
	other_says_text(C_TRIP, BUS_MESSAGE, text);
	is_str(client_next(&bob), "{\"m\":5}", "no message waits for one from before the topic was confirmed");
	is_int(group_member_count(live, TRIP), 9, "how many are members was told");
	other_tells_in("u:alice", 5, 5);
	UNTIL(is_member("alice", TRIP));
	pass(500);
	ok(!is_member("alice", TRIP), "who is told to have come in, and has gone since then, is no member");
	other_tells_in("u:bob", 4, 2);
	other_tells_in("u:bob", 3, 1);
	is_str(client_after(&bob, "bob"), "", "the same news again change nothing, nor older ones");
	pass(500);
	is_str(client_rest(&bob), "", "and nothing is read for them");
	end();
}

static void test_out(void)
{
	struct str who = STR_LIT("bob");
	char want[128];
	begin();
	other_subscribe(C_TRIP);
	other_subscribe("u:bob");
	group_push(live, TRIP, message_at(6), STR_LIT("{\"m\":6}"), NULL);
	(void)client_next(&alice);
	(void)client_next(&bob);
	struct group_news news = {
		.conversation_id = TRIP,
		.member_count = 1,
		.message_id = message_id_make(TRIP, 7),
		.gap_ms = INT64_MAX,
		.event_json = STR_LIT("{\"s\":7}"),
		.out = &who,
		.out_count = 1,
		.reason = GROUP_OUT_BANNED,
	};
	group_tell(live, &news, NULL);
	is_str(client_next(&bob), LEFT("banned"), "who was taken out is told so");
	is_str(client_rest(&bob), "", "once, and nothing else");
	is_str(client_next(&alice), "{\"s\":7}", "the others get the message that tells of it");
	(void)other_next_on(C_TRIP);
	snprintf(want, sizeof(want), "@1+T" OURS "%016llx7fffffffffffffff%016xb.bob \n{\"s\":7}",
		 (unsigned long long)news.message_id, 1);
	is_str(other_next_on(C_TRIP), want, "which says on the bus who is out");
	snprintf(want, sizeof(want), "@1+O" OURS "%016llx%016xb", (unsigned long long)TRIP, 7);
	is_str(other_next_on("u:bob"), want, "as the user's topic does");
	is_int(group_online(live, TRIP), 1, "one member is left");
	is_int(group_member_count(live, TRIP), 1, "(here and in all)");
	other_leave();
	end();

	begin();
	other_sends(1);
	(void)client_next(&alice);
	(void)client_next(&bob);
	other_sends(3);
	is_str(client_after_group(&bob), "", "a message behind the one that takes somebody out waits for it");
	(void)client_next(&alice);
	other_turns(2, "r.", "bob nobody ");
	is_str(client_next(&bob), LEFT("removed"), "which takes them out in its turn");
	is_str(client_next(&alice), "{\"s\":2}", "the others are given it");
	is_str(client_next(&alice), "{\"m\":3}", "and what comes after it");
	other_tells_out("u:bob", 2);
	is_str(client_after(&bob, "bob"), "", "what is told of it on the user's topic then changes nothing");
	end();

	begin();
	other_sends(1);
	(void)client_next(&alice);
	(void)client_next(&bob);
	other_turns(3, "r.", "bob ");
	other_tells_out("u:bob", 3);
	is_str(client_after(&bob, "bob"), "",
	       "where the message waits for its turn, so does what the user's topic tells");
	other_sends(2);
	is_str(client_next(&bob), "{\"m\":2}", "and all that was sent before is given");
	is_str(client_next(&bob), LEFT("removed"), "(then they are out)");
	end();

	begin();
	other_tells_out("u:bob", 2);
	is_str(client_next(&bob), LEFT("removed"), "where that comes first, it takes them out");
	other_turns(2, "r.", "bob ");
	is_str(client_next(&alice), "{\"s\":2}", "and the message only goes to the others");
	is_str(client_after(&bob, "bob"), "", "(only)");
	kit_no_row("bob", TRIP);
	kit_row("bob", TRIP, 9, 1);
	other_tells_in("u:bob", 9, 1);
	UNTIL(is_member("bob", TRIP));
	pass(200);
	is_str(client_next(&bob), CONVERSATION("bob"), "who comes back is a member again");
	other_tells_out("u:bob", 2);
	other_turns(3, "r.", "bob ");
	is_str(client_next(&bob), "{\"s\":3}", "and stays one, also when older news come");
	end();
}

static void test_dissolved(void)
{
	begin();
	other_turns(4, "l!", "");
	is_str(client_next(&alice), "{\"s\":4}", "that a group is dissolved is a message");
	is_str(client_next(&alice), LEFT("dissolved"), "and `left` behind it");
	is_str(client_next(&bob), "{\"s\":4}", "for all members");
	is_str(client_next(&bob), LEFT("dissolved"), "all");
	ok(is_member("alice", TRIP) && is_member("bob", TRIP), "who stay members");
	end();
}

/* News that come while a read is under way are newer than its answer, or older. */
static void test_news_while_read(void)
{
	row_count = 0;
	kit_row("alice", TRIP, 1, 1);
	kit_row("alice", ID(2), 9, 1);
	answers_wait = true;
	client_open(&alice, "alice", "");
	client_open(&bob, "bob", "");
	UNTIL(waiting_count == 2 || (waiting_count == 1 && waiting[0]->n == 2));
	other_tells_out("u:alice", 5);
	other_tells_in("u:bob", 6, 6);
	UNTIL(is_member("bob", TRIP));
	struct group_news older = {.conversation_id = ID(2),
				   .message_id = message_id_make(ID(2), 8),
				   .out = (struct str[]){STR_LIT("alice")},
				   .out_count = 1,
				   .event_json = STR_LIT("{}"),
				   .gap_ms = INT64_MAX};
	group_tell(live, &older, NULL);
	answers_wait = false;
	answer_reads();
	ok(has(client_next(&alice), "\"hello\"") && has(client_next(&bob), "\"hello\""), "(hello)");
	ok(!is_member("alice", TRIP), "who went out while it was read is out");
	ok(is_member("bob", TRIP), "who came in is in");
	ok(is_member("alice", ID(2)), "and what is older than the answer changes nothing");
	end();
}

static void test_again(void)
{
	begin();
	kit_row("bob", ID(3), 4, 1);
	kit_no_row("alice", TRIP);
	beat_heard(live, STR_LIT("worker09"), STR_LIT("1 1 1 1 worker09"));
	pass(20000);
	ok(!is_member("alice", TRIP) && is_member("bob", ID(3)),
	   "when a worker falls silent the groups of all are read again");
	is_str(client_next(&alice), RESYNC, "and they catch up");
	(void)client_next(&bob);
	kit_row("alice", TRIP, 1, 1);
	pass(2000);
	while (client_take(&alice) != NULL || client_take(&bob) != NULL)
		;
	other_tells("u:alice", 'Y', "");
	UNTIL(user_find(live, STR_LIT("alice"))->memberships != NULL);
	pass(2000);
	ok(is_member("alice", TRIP), "where something may have been done to a user's groups, theirs are");
	is_str(client_next(&alice), RESYNC, "and they catch up");
	pass(3000);
	while (client_take(&alice) != NULL || client_take(&bob) != NULL)
		;
	kit_no_row("bob", TRIP);
	other_tells(C_TRIP, 'Y', "");
	UNTIL(user_find(live, STR_LIT("bob"))->memberships->load != NULL);
	pass(2000);
	ok(is_member("alice", TRIP) && !is_member("bob", TRIP), "where it was done to a group, those of its members");
	is_str(client_next(&bob), RESYNC, "who catch up");
	is_str(client_next(&alice), RESYNC, "all");
	group_tell_unknown(live, TRIP, STR_LIT("bob"));
	pass(3000);
	is_str(client_next(&alice), RESYNC, "our own word does the same");
	is_str(client_next(&bob), RESYNC, "and for the user who is named");
	end();
}

static void test_unknown(void)
{
	begin();
	other_publish(C_TRIP, STR_LIT("@1+~" OTHER "data"));
	is_str(client_after_group(&alice), "", "(a kind of another version)");
	(void)client_next(&bob);
	pass(2000);
	is_str(client_next(&alice), RESYNC, "makes all members of the group catch up");
	is_str(client_next(&bob), RESYNC, "all");
	other_publish(C_TRIP, STR_LIT("@1-~" OTHER "data"));
	is_str(client_after_group(&alice), "", "unless it may be ignored");
	pass(2000);
	is_str(client_rest(&alice), "", "then nothing is done");
	(void)client_next(&bob);
	static const char *const bad[] = {"", "0000000400000001", "zzz",
					  "000000040000000100000000000000017fffffffffffffff"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		other_tells("u:alice", 'J', bad[i]);
		other_tells("u:alice", 'O', bad[i]);
		other_tells("u:alice", 'V', bad[i]);
	}
	is_str(client_after(&alice, "alice"), "", "what makes no sense is nothing");
	other_turns(2, "l", "");
	other_turns(3, "r.", "bob");
	other_turns(4, "r.", "b/b ");
	other_turns(5, "?.", "");
	other_tells(C_TRIP, 'T', "1234");
	is_str(client_after_group(&alice), "", "nor is a message that is cut off given");
	(void)client_next(&bob);
	pass(2000);
	is_str(client_next(&alice), RESYNC, "but all catch up");
	is_str(client_next(&bob), RESYNC, "and nobody is out by it");
	end();
}

static void test_views(void)
{
	begin();
	pass(2000);
	view_reads = users_viewed = 0;
	for (int i = 0; i < 10; i++) {
		group_heard(group_find(live, TRIP), BUS_VIEW, STR_LIT(""));
		pass(100);
	}
	pass(3000);
	ok(view_reads <= 4 && view_reads >= 2, "a group that is changed ten times a second is read once a second (%u)",
	   view_reads);
	unsigned told = 0;
	for (const char *text; (text = client_take(&bob)) != NULL;)
		told += has(text, "conversation");
	ok(told == view_reads, "and its members are told as often");
	while (client_take(&alice) != NULL)
		;
	view_reads = 0;
	group_heard_for_user(live, STR_LIT("alice"), BUS_VIEW, STR_LIT("0000000400000001"));
	pass(200);
	is_str(client_next(&alice), CONVERSATION("alice"), "what one member sees may change alone");
	is_str(client_rest(&bob), "", "and concerns nobody else");
	store_says = STORE_UNAVAILABLE;
	struct group_news news = {.conversation_id = TRIP, .profile_changed = true};
	group_tell(live, &news, NULL);
	pass(2000);
	is_str(client_rest(&alice), "", "without the database nobody is told");
	store_says = STORE_OK;
	pass(2500);
	is_str(client_next(&alice), CONVERSATION("alice"), "but when it is back");
	is_str(client_next(&bob), CONVERSATION("bob"), "all are");
	other_subscribe(C_TRIP);
	other_subscribe("u:alice");
	group_tell(live, &news, NULL);
	is_str(other_next_on(C_TRIP), "@1-V" OURS, "the other workers hear of a profile on the group's topic");
	news = (struct group_news){
		.conversation_id = TRIP, .changed = (struct str[]){STR_LIT("alice")}, .changed_count = 1};
	group_tell(live, &news, NULL);
	is_str(other_next_on("u:alice"), "@1-V" OURS "0000000400000001", "and of one user on theirs");
	other_leave();
	end();
}

/* What waits for members (fanout.c) is seen by the operator. */
static void test_seen(void)
{
	struct worker_row row = {0};
	im_fill_row(im, &row);
	is_int(stats_gauge(hub, STAT_GROUP_QUEUE), 0, "nothing waits for the members of groups");
	live->groups.queued_bytes += 4711;
	im_fill_row(im, &row);
	is_int(stats_gauge(hub, STAT_GROUP_QUEUE), 4711, "what does is in the statistics");
	live->groups.queued_bytes -= 4711;
	im_fill_row(im, &row);
	is_int(stats_gauge(hub, STAT_GROUP_QUEUE), 0, "and not after it was given");
}

int main(void)
{
	kit_start_groups();
	conf->session.policy = SESSION_MULTI;
	conf->session.max = 8;
	test_hello();
	test_given();
	test_for_one();
	test_database_away();
	test_in();
	test_out();
	test_dissolved();
	test_news_while_read();
	test_again();
	test_unknown();
	test_views();
	test_seen();
	kit_stop();
	return done_testing();
}
