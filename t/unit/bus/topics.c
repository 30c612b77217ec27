/* SPDX-License-Identifier: BSD-2-Clause */
/* The subscriptions of a bus: those that cross, those of many topics, and the commands that they take. */
#include "core/base.h"
#include "bus/bus.h"

#include "bus_kit.h"

static void test_crossing(void)
{
	struct heard h;
	struct str t = s("u:carol");
	start_up(&h);
	CALL(bus_subscribe(h.bus, t));
	CALL(bus_unsubscribe(h.bus, t));
	CALL(bus_subscribe(h.bus, t));
	UNTIL(h.subscribed == 1);
	ok(bus_is_subscribed(h.bus, t), "on, off, on within a turn: on");
	CALL(bus_unsubscribe(h.bus, t));
	CALL(bus_subscribe(h.bus, t));
	ok(!bus_is_subscribed(h.bus, t), "off, on: not before it is confirmed anew");
	UNTIL(h.subscribed == 2);
	is_int(count_one(&h, "u:carol"), 1, "and Redis has it");
	CALL(bus_unsubscribe(h.bus, t));
	CALL(bus_subscribe(h.bus, t));
	CALL(bus_unsubscribe(h.bus, t));
	UNTIL(count_one(&h, "u:carol") == 0);
	is_int(count_one(&h, "u:carol"), 0, "off, on, off: Redis has it no more");
	ok(h.subscribed == 2 && !bus_is_subscribed(h.bus, t), "and it is off here, without a confirmation");
	for (int i = 0; i < 1001; i++) {
		if (i % 2 == 0)
			CALL(bus_subscribe(h.bus, t));
		else
			CALL(bus_unsubscribe(h.bus, t));
		if (i % 7 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
	}
	UNTIL(bus_is_subscribed(h.bus, t));
	h.messages = 0;
	publish(&h, "u:carol", "0");
	UNTIL(h.messages == 1);
	is_int(h.out_of_order, 0, "after a thousand changes it hears, once");
	CALL(bus_free(&h.bus));
}

enum { MANY = 10000 };

static void subscribe_many(struct heard *h)
{
	char topic[32];
	for (int i = 0; i < MANY; i++) {
		snprintf(topic, sizeof(topic), "u:user-%d", i);
		CALL(bus_subscribe(h->bus, s(topic)));
	}
}

static bool all_subscribed(struct heard *h)
{
	char topic[32];
	bool all = true;
	for (int i = 0; i < MANY; i++) {
		snprintf(topic, sizeof(topic), "u:user-%d", i);
		all = all && bus_is_subscribed(h->bus, s(topic));
	}
	return all;
}

static void test_many(void)
{
	struct heard h;
	char topic[32], number[32];
	start_up(&h);
	int64_t begin = now_ms();
	subscribe_many(&h);
	UNTIL(h.subscribed == MANY);
	ok(all_subscribed(&h), "10,000 topics are confirmed");
	printf("# in %lld ms\n", (long long)(now_ms() - begin));
	begin = now_ms();
	for (int i = 0; i < MANY; i++) {
		snprintf(topic, sizeof(topic), "u:user-%d", i);
		snprintf(number, sizeof(number), "%d", i);
		publish(&h, topic, number);
	}
	UNTIL(h.messages == MANY);
	ok(h.messages == MANY && h.out_of_order == 0, "10,000 publishes are heard in their order");
	printf("# in %lld ms\n", (long long)(now_ms() - begin));

	static char names[600][32];
	static struct str topics[600];
	for (int i = 0; i < 600; i++) {
		snprintf(names[i], sizeof(names[i]), i % 3 == 0 ? "u:nobody-%d" : "u:user-%d", i);
		topics[i] = s(names[i]);
	}
	struct heard other;
	start_up(&other);
	CALL(bus_subscribe(other.bus, s("u:user-7")));
	UNTIL(other.subscribed == 1);
	CALL(bus_count(h.bus, topics, 600, on_counts, &h));
	UNTIL(h.counted == 1);
	unsigned wrong = h.count_n != 600;
	for (uint32_t i = 0; i < 600; i++)
		wrong += h.counts[i] != (i % 3 == 0 ? 0u : i == 7 ? 2u : 1u);
	is_int(wrong, 0, "600 topics are counted, over all buses");
	CALL(bus_count(h.bus, topics, 600, on_counts, &h));
	CALL(bus_count(h.bus, topics, 1, on_counts, &other));
	CALL(bus_count_cancel(h.bus, &h));
	CALL(bus_count(h.bus, topics, 0, on_counts, &other));
	UNTIL(other.counted == 2);
	ok(other.counted == 2 && h.counted == 1, "a cancelled count stays silent, others do not; none is a count too");
	CALL(bus_free(&other.bus));

	/* Redis goes and comes back: everything is subscribed again. */
	h.subscribed = 0;
	CALL(bus_count(h.bus, topics, 600, on_counts, &h));
	kill(server.pid, SIGSTOP);
	event_base_loop(base, EVLOOP_NONBLOCK);
	server_kill(&server);
	UNTIL(h.downs != 0);
	ok(h.downs == 1 && !bus_is_up(h.bus) && !bus_is_subscribed(h.bus, topics[1]), "Redis killed: down, once");
	UNTIL(h.away == 1);
	is_int(h.away, 1, "a count that was under way is answered by NULL");
	ok(!publish(&h, "u:user-1", "0"), "a publish is refused");
	CALL(bus_unsubscribe(h.bus, s("u:user-9999")));
	CALL(bus_subscribe(h.bus, s("u:user-9999")));
	server_start(&server, "");
	UNTIL(h.ups == 2);
	ok(h.ups == 2 && h.missed == 1 && h.downs == 1, "Redis started again: up once, something may be missed");
	ok(h.subscribed == MANY && all_subscribed(&h), "all are confirmed anew before that");
	h.messages = 0;
	publish(&h, "u:user-9999", "0");
	UNTIL(h.messages == 1);
	is_int(h.messages, 1, "and heard");
	CALL(bus_free(&h.bus));
}

static unsigned calls_of(const char *command)
{
	char info[16384], name[64];
	server_order(&server, "INFO commandstats", info, sizeof(info));
	snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
	const char *at = strstr(info, name);
	return at != NULL ? (unsigned)strtoul(at + strlen(name), NULL, 10) : 0;
}

enum { TURN = 600 };

static void change_turn(struct heard *h, void (*change)(struct bus *, struct str))
{
	char topic[32];
	for (int i = 0; i < TURN; i++) {
		snprintf(topic, sizeof(topic), "c:%d", i);
		CALL(change(h->bus, s(topic)));
	}
}

static void test_commands(void)
{
	struct heard h;
	start_up(&h);
	unsigned before = calls_of("subscribe");
	change_turn(&h, bus_subscribe);
	UNTIL(h.subscribed == TURN);
	is_int(calls_of("subscribe") - before, 3, "600 topics of one turn are subscribed by three commands");
	before = calls_of("unsubscribe");
	change_turn(&h, bus_unsubscribe);
	UNTIL(count_one(&h, "c:599") == 0);
	is_int(calls_of("unsubscribe") - before, 3, "and unsubscribed by three");

	/* The last 88 of each are not written when the link goes. */
	ok(server_cut(&server, "tidings-subscribe"), "the subscribing link is cut");
	change_turn(&h, bus_subscribe);
	UNTIL(h.ups == 2 && h.subscribed == 2 * TURN);
	is_int(h.subscribed, 2 * TURN, "topics that were not sent when the link went are subscribed on the next, once");
	ok(server_cut(&server, "tidings-subscribe"), "it is cut again");
	change_turn(&h, bus_unsubscribe);
	UNTIL(h.ups == 3);
	is_int(count_one(&h, "c:0") + count_one(&h, "c:599"), 0, "those that were not unsubscribed are forgotten");
	ok(h.downs == 2 && h.subscribed == 2 * TURN && h.within == 0, "and nothing else has happened");
	CALL(bus_free(&h.bus));
}

#define GROUP UINT64_C(17179869184)
#define C_GROUP "c:17179869184"

static void test_group(void)
{
	struct heard h;
	struct bus_topic *t;
	start_up(&h);
	ok(bus_group_owner(h.bus, GROUP) == NULL, "nobody owns the group");
	CALL(t = bus_group_open(h.bus, GROUP, &h));
	ok(bus_group_owner(h.bus, GROUP) == &h && bus_group_owner(h.bus, GROUP + 1) == NULL, "who opens it does");
	ok(!bus_topic_is_subscribed(t), "it is not subscribed before it is confirmed");
	UNTIL(h.group_subscribed == 1);
	ok(bus_topic_is_subscribed(t) && bus_is_subscribed(h.bus, s(C_GROUP)) && h.subscribed == 0,
	   "it is confirmed to its owner");
	publish(&h, C_GROUP, "0");
	UNTIL(h.group_messages == 1);
	ok(h.group_messages == 1 && h.messages == 0, "who is given what is said there");

	CALL(bus_group_close(h.bus, t));
	ok(bus_group_owner(h.bus, GROUP) == NULL && !bus_is_subscribed(h.bus, s(C_GROUP)), "closed");
	CALL(t = bus_group_open(h.bus, GROUP, &h));
	ok(bus_group_owner(h.bus, GROUP) == &h && !bus_topic_is_subscribed(t),
	   "opened again at once: not before it is confirmed anew");
	UNTIL(h.group_subscribed == 2);
	CALL(bus_group_close(h.bus, t));
	CALL(bus_subscribe(h.bus, s(C_GROUP)));
	CALL(t = bus_group_open(h.bus, GROUP, &h));
	CALL(bus_group_close(h.bus, t));
	UNTIL(h.subscribed == 1);
	publish(&h, C_GROUP, "0");
	UNTIL(h.messages == 1);
	ok(h.messages == 1 && h.group_messages == 1, "who has it by name is given it where nobody has it open");
	CALL(bus_unsubscribe(h.bus, s(C_GROUP)));
	UNTIL(count_one(&h, C_GROUP) == 0);

	CALL(t = bus_group_open(h.bus, GROUP, &h));
	UNTIL(h.group_subscribed == 3);
	ok(server_cut(&server, "tidings-publish"), "the link that publishes is cut");
	UNTIL(h.downs == 1);
	ok(bus_topic_is_subscribed(t), "down, but still subscribed");
	UNTIL(h.ups == 2);
	ok(server_cut(&server, "tidings-subscribe"), "the one that subscribes is cut");
	UNTIL(h.downs == 2);
	ok(!bus_topic_is_subscribed(t), "then it is not");
	UNTIL(h.ups == 3);
	ok(bus_topic_is_subscribed(t) && h.group_subscribed == 4 && h.within == 0, "and is anew");
	CALL(bus_free(&h.bus));
}

int main(void)
{
	if (!kit_begin())
		return 0;
	test_crossing();
	test_many();
	test_commands();
	test_group();
	return kit_end();
}
