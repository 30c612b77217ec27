/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups in a worker: what holds up nobody, what events cost, and what members are given while Redis is away. */
#include "core/base.h"
#include "live/admission.h"
#include "live/beat.h"

#include "group_kit.h"

/* What is read of many changed groups, or cannot be read, holds up nobody. */
static void test_views_apart(void)
{
	struct client c;
	begin();
	for (unsigned i = 10; i < 50; i++)
		kit_row("carol", ID(i), 1, 1);
	client_begin(&c, "carol", "");
	pass(2000);
	view_reads = 0;
	answers_wait = true;
	for (unsigned i = 10; i < 50; i++)
		group_heard(group_find(live, ID(i)), BUS_VIEW, STR_LIT(""));
	pass(100);
	is_int(view_reads, 1, "changes of many groups are read together");
	is_int(waiting_count, 1, "(a read that takes long)");
	kit_no_row("bob", TRIP);
	other_tells_out("u:bob", 2);
	UNTIL(!is_member("bob", TRIP));
	kit_row("bob", TRIP, 3, 1);
	other_tells_in("u:bob", 3, 1);
	UNTIL(is_member("bob", TRIP));
	answers_wait = false;
	pass(200);
	is_str(client_next(&bob), LEFT("removed"), "(out)");
	is_str(client_next(&bob), CONVERSATION("bob"), "who comes in does not wait for them");
	answer_reads();
	unsigned told = 0;
	UNTIL((told += client_take(&c) != NULL) == 25);
	pass(200);
	UNTIL((told += client_take(&c) != NULL) == 40);
	is_int(told, 40, "who is in those groups is told of each");
	/* One whose read fails. */
	spoiler = "bob";
	group_heard(group_find(live, TRIP), BUS_VIEW, STR_LIT(""));
	pass(1500);
	is_str(client_next(&alice), CONVERSATION("alice"),
	       "a member who cannot be read does not keep it from the others");
	pass(8000);
	is_str(client_next(&bob), RESYNC, "and is told to catch up after some tries");
	is_str(client_rest(&bob), "", "once");
	view_reads = 0;
	pass(5000);
	is_int(view_reads, 0, "then it is not tried again");
	spoiler = NULL;
	client_close(&c);
	end();
}

static void test_fanout_budget(void)
{
	uint64_t taken;
	begin();
	conf->groups.fanout_per_second = 4;
	is_int(group_take_fanout(live, TRIP, &taken), 0, "a message costs a token for each member online");
	is_int(taken, 2, "(two)");
	is_int(group_take_fanout(live, TRIP, &taken), 0, "as long as there are any");
	ok(group_take_fanout(live, TRIP, &taken) > 0 && taken == 0, "then it is to come later");
	is_int(group_take_fanout(live, ID(7), &taken), 0, "one to a group of which nobody is here costs nothing");
	group_give_back_fanout(live, TRIP, 2);
	is_int(group_take_fanout(live, TRIP, &taken), 0, "what was given back is there");
	pass(600);
	ok(group_take_fanout(live, TRIP, &taken) > 0, "(none)");
	pass(600);
	is_int(group_take_fanout(live, TRIP, &taken), 0, "and so is what has come meanwhile, half of the node's");
	pass(600);
	kit_row("alice", ID(2), 1, 1);
	membership_in(live, STR_LIT("alice"), ID(2), 1, 1, 1);
	is_int(group_take_fanout(live, ID(2), &taken), 0, "the other half is another group's");
	pass(9000);
	struct group_news news = {
		.conversation_id = TRIP,
		.message_id = message_id_make(TRIP, 2),
		.gap_ms = INT64_MAX,
		.event_json = STR_LIT("{\"s\":2}"),
		.in = (struct str[]){STR_LIT("dora"), STR_LIT("erik"), STR_LIT("finn"), STR_LIT("gaby")},
		.in_count = 4};
	group_tell(live, &news, NULL);
	pass(600);
	ok(group_wait_fanout(live, TRIP) == 0 && group_take_fanout(live, TRIP, &taken) > 0,
	   "what is told of a change is owed");
	conf->groups.fanout_per_second = 1;
	pass(9000);
	is_int(group_take_fanout(live, TRIP, &taken), 0, "a large group takes all there can be");
	conf->groups.fanout_per_second = 200000;
	end();
}

static void test_redis_away(void)
{
	/* Nobody else is known by then. */
	pass(600000);
	ok(live->peers == NULL, "no other worker is known");
	begin();
	server_kill(&redis);
	UNTIL(!bus_is_up(live->bus));
	group_push(live, TRIP, message_at(3), STR_LIT("{\"m\":3}"), NULL);
	is_str(client_next(&alice), "{\"m\":3}", "without Redis the members here are given messages");
	is_str(client_next(&bob), "{\"m\":3}", "all");
	struct client c;
	kit_row("carol", TRIP, 1, 1);
	client_begin(&c, "carol", "");
	UNTIL(is_member("carol", TRIP));
	group_push(live, TRIP, message_at(4), STR_LIT("{\"m\":4}"), NULL);
	const char *text = client_next(&c);
	is_str(has(text, "resync") ? client_next(&c) : text, "{\"m\":4}", "and those who come meanwhile");
	kit_no_row("bob", TRIP);
	server_start(&redis, "");
	UNTIL(bus_is_up(live->bus));
	pass(3000);
	ok(bus_is_subscribed(live->bus, STR_LIT(C_TRIP)), "when it is back the topic is subscribed to again");
	ok(!is_member("bob", TRIP) && is_member("alice", TRIP), "and all groups are read again");
	client_close(&c);
	end();
}

/* Where there are others they may have taken somebody out, and this worker has not heard of it. */
static void test_deaf(void)
{
	begin();
	beat_heard(live, STR_LIT("worker08"), STR_LIT("1 1 1 1 worker08"));
	server_kill(&redis);
	UNTIL(!bus_is_up(live->bus));
	kit_no_row("bob", TRIP);
	answers_wait = true;
	group_push(live, TRIP, message_at(3), STR_LIT("{\"m\":3}"), NULL);
	pass(3000);
	is_str(client_next(&bob), RESYNC, "who may be out is told to catch up");
	is_str(client_rest(&bob), "", "and is given no message");
	is_str(client_next(&alice), RESYNC, "as all are");
	server_start(&redis, "");
	UNTIL(bus_is_up(live->bus) && bus_is_subscribed(live->bus, STR_LIT(C_TRIP)));
	group_push(live, TRIP, message_at(4), STR_LIT("{\"m\":4}"), NULL);
	pass(3000);
	unsigned given = 0;
	for (const char *text; (text = client_take(&bob)) != NULL || (text = client_take(&alice)) != NULL;)
		given += !has(text, "resync");
	is_int(given, 0, "nor are they when it is back, before their groups are read");
	answers_wait = false;
	answer_reads();
	pass(3000);
	UNTIL(!is_member("bob", TRIP) && user_find(live, STR_LIT("alice"))->memberships->load == NULL);
	while (client_take(&alice) != NULL)
		;
	group_push(live, TRIP, message_at(5), STR_LIT("{\"m\":5}"), NULL);
	is_str(client_next(&alice), "{\"m\":5}", "then the members are given messages again");
	pass(3000);
	given = 0;
	for (const char *text; (text = client_take(&bob)) != NULL;)
		given += !has(text, "resync");
	is_int(given, 0, "and who is out is not");
	end();
}

/* The worker that takes somebody out is cut off: its messages do not come here, and others' do. */
static void test_gap(void)
{
	begin();
	other_sends(1);
	is_str(client_next(&alice), "{\"m\":1}", "a message comes");
	is_str(client_next(&bob), "{\"m\":1}", "to both");
	kit_no_row("bob", TRIP);
	answers_wait = true;
	uint64_t before = stats_sum(hub, STAT_BUS_IN);
	other_sends(3);
	UNTIL(stats_sum(hub, STAT_BUS_IN) != before);
	pass(3000);
	is_str(client_next(&bob), RESYNC, "behind a gap, who may be out is told to catch up");
	is_str(client_rest(&bob), "", "and is given no message");
	is_str(client_next(&alice), RESYNC, "as all are");
	answers_wait = false;
	answer_reads();
	UNTIL(!is_member("bob", TRIP) && user_find(live, STR_LIT("alice"))->memberships->load == NULL);
	other_sends(4);
	const char *text = client_next(&alice);
	is_str(has(text, "resync") ? client_next(&alice) : text, "{\"m\":4}",
	       "once it is known who is in it the members are given messages again");
	pass(3000);
	unsigned given = 0;
	for (const char *next; (next = client_take(&bob)) != NULL;)
		given += !has(next, "resync");
	is_int(given, 0, "and who is out is not");
	end();
}

static unsigned sessions_left(const char *user)
{
	unsigned n = 0;
	while (admission_session(live, &(struct addr){.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)}, user) == 0)
		n++;
	return n;
}

static void test_many_groups(void)
{
	begin();
	client_close(&alice);
	UNTIL(user_find(live, STR_LIT("alice")) == NULL);
	pass(60000);
	for (unsigned i = 10; i < 10 + 2 * GROUPS_A_SESSION; i++)
		kit_row("alice", ID(i), 1, 1);
	conf->limits.sessions_per_second = 1000;
	client_begin(&alice, "alice", "");
	is_int(sessions_left("carol") - sessions_left("alice"), 3,
	       "a session that begins with many groups counts for more");
	conf->limits.sessions_per_second = 0;
	end();
}

/* Redis brings all, but takes nothing for a moment. */
static void test_no_publishing(void)
{
	struct client c;
	begin();
	kit_row("carol", TRIP, 1, 1);
	ok(server_cut(&redis, "tidings-publish"), "the link that publishes is cut");
	UNTIL(!bus_is_up(live->bus));
	UNTIL(bus_is_up(live->bus));
	client_begin(&c, "carol", "");
	ok(is_member("carol", TRIP), "who comes afterwards is greeted, for the topic was confirmed all along");
	client_close(&c);
	end();
}

#define LEAVERS 12

/* Each look at the clock takes a turn's time, so a turn does one thing. */
static void test_many_leave(void)
{
	struct client c[LEAVERS], again;
	char name[LEAVERS][8];
	other_leave();
	begin();
	for (unsigned i = 0; i < LEAVERS; i++) {
		snprintf(name[i], sizeof(name[i]), "many%u", i);
		kit_row(name[i], TRIP, 1, 1);
		for (unsigned g = 0; g < 3; g++)
			kit_row(name[i], ID(100 + 3 * i + g), 1, 1);
	}
	for (unsigned i = 0; i < LEAVERS; i++)
		client_begin(&c[i], name[i], "");
	is_int(live->groups.count, 3 * LEAVERS + 1, "many have groups that nobody else is in");
	look_usecs = INT64_C(1000) * LOOP_PART_MS;
	for (unsigned i = 0; i < LEAVERS; i++)
		client_close(&c[i]);
	UNTIL(live->session_count == 2);
	ok(live->users.count > 2 + LEAVERS / 2, "they close at once, and their groups are left one by one");
	client_begin(&again, name[0], "");
	other_sends(1);
	is_str(client_next(&again), "{\"m\":1}", "who comes back before it is their turn is a member");
	is_str(client_rest(&again), "", "once");
	is_str(client_next(&alice), "{\"m\":1}", "others are given messages meanwhile");
	UNTIL(live->users.count == 3 && live->groups.count == 4);
	is_int(live->groups.count, 4, "in the end all have gone but for those of who is here");
	UNTIL(!bus_is_subscribed(live->bus, STR_LIT("c:17179869300")));
	look_usecs = 0;
	client_close(&again);
	end();
}

int main(void)
{
	kit_start_groups();
	conf->session.policy = SESSION_MULTI;
	conf->session.max = 8;
	test_views_apart();
	test_fanout_budget();
	test_gap();
	test_redis_away();
	test_deaf();
	test_many_groups();
	test_no_publishing();
	test_many_leave();
	kit_stop();
	return done_testing();
}
