/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus against a Redis of its own: what is delivered, counted, lost and found again. */
#include "core/base.h"
#include "bus/bus.h"

#include "core/lookup.h"
#include "../core/dns.h"
#include "bus_kit.h"

static void test_basics(void)
{
	struct heard h;
	start(&h);
	ok(!bus_is_up(h.bus), "not up at first");
	UNTIL(h.ups != 0);
	ok(h.ups == 1 && h.missed == 0 && h.downs == 0 && bus_is_up(h.bus), "up, and nothing missed");

	CALL(bus_subscribe(h.bus, s("u:alice")));
	ok(!bus_is_subscribed(h.bus, s("u:alice")), "not subscribed before it is confirmed");
	UNTIL(h.subscribed != 0);
	is_str(h.last_topic, "u:alice", "confirmed, by its name without the prefix");
	ok(bus_is_subscribed(h.bus, s("u:alice")) && !bus_is_subscribed(h.bus, s("u:bob")), "and no other is");
	ok(publish(&h, "u:alice", "0"), "a publish is queued");
	ok(publish(&h, "u:bob", "0"), "one to a topic that nobody has as well");
	UNTIL(h.messages == 1);
	is_str(h.last_topic, "u:alice", "the first is heard");

	CALL(bus_subscribe(h.bus, s("u:alice")));
	is_int(count_one(&h, "u:alice"), 1, "subscribed twice is one subscription");
	is_int(h.subscribed, 1, "which is not confirmed again");
	CALL(bus_unsubscribe(h.bus, s("u:alice")));
	ok(bus_is_subscribed(h.bus, s("u:alice")), "one unsubscribe leaves it");
	CALL(bus_unsubscribe(h.bus, s("u:alice")));
	ok(!bus_is_subscribed(h.bus, s("u:alice")), "the second ends it");
	/* The two travel on links of their own. */
	UNTIL(count_one(&h, "u:alice") == 0);
	is_int(count_one(&h, "u:alice"), 0, "for Redis too");
	publish(&h, "u:alice", "1");
	is_int(count_one(&h, "u:alice"), 0, "what is published then");
	is_int(h.messages, 1, "is not heard");
	CALL(bus_free(&h.bus));
	ok(h.bus == NULL && h.within == 0, "no callback came from within a function");
}

static void test_cut_links(void)
{
	struct heard h;
	char answer[64];
	start_up(&h);
	CALL(bus_subscribe(h.bus, s("u:dave")));
	UNTIL(h.subscribed == 1);
	server_order(&server, "FLUSHALL", answer, sizeof(answer));
	publish(&h, "u:dave", "0");
	UNTIL(h.messages == 1);
	ok(strncmp(answer, "+OK", 3) == 0 && h.messages == 1 && h.downs == 0, "FLUSHALL does no harm");

	ok(server_cut(&server, "tidings-subscribe"), "the subscribing link is cut");
	UNTIL(h.ups == 2);
	ok(h.downs == 1 && h.missed == 1 && h.subscribed == 2, "down, subscribed anew, up, something may be missed");
	ok(server_cut(&server, "tidings-publish"), "the other link is cut");
	UNTIL(h.ups == 3);
	ok(h.downs == 2 && h.missed == 1 && h.subscribed == 2, "down and up, and nothing was lost");
	ok(server_cut(&server, "tidings-publish"), "it is cut again");
	UNTIL(h.downs == 3);
	ok(!publish(&h, "u:dave", "1"), "and this time a publish is lost");
	UNTIL(h.ups == 4);
	ok(h.missed == 1 && h.lost == 1, "which is told");
	CALL(bus_free(&h.bus));
}

static void test_late_redis(void)
{
	struct heard h;
	server_kill(&server);
	start(&h);
	h.ask_again = true;
	CALL(bus_subscribe(h.bus, s("u:erin")));
	CALL(bus_count(h.bus, &STR_LIT("u:erin"), 1, on_counts, &h));
	is_int(h.away, 0, "a count without Redis: not from within");
	UNTIL(h.away >= 3);
	ok(h.away >= 3 && h.counted == 0, "but from the loop, however often it is asked for again");
	h.ask_again = false;
	ok(h.downs == 0 && h.ups == 0, "what was never up is not down");
	server_start(&server, "");
	UNTIL(h.ups == 1);
	ok(h.ups == 1 && h.missed == 1 && h.subscribed == 1, "Redis comes late: something may be missed");
	CALL(bus_free(&h.bus));
}

static void test_stopped_redis(void)
{
	struct heard h;
	static char big[BUS_DATA_MAX + 2];
	unsigned queued = 0;
	start_up(&h);
	CALL(bus_subscribe(h.bus, s("u:frank")));
	UNTIL(h.subscribed == 1);
	memset(big, '7', BUS_DATA_MAX);
	ok(publish(&h, "u:nobody", big), "a large publish");
	big[BUS_DATA_MAX] = '7';
	ok(!publish(&h, "u:nobody", big), "one too large is refused");
	UNTIL(h.ups == 2);
	ok(h.missed == 0 && h.lost == 1 && h.downs == 0, "and told as a loss");
	big[BUS_DATA_MAX] = '\0';
	kill(server.pid, SIGSTOP);
	while (queued < 64 && publish(&h, "u:nobody", big)) {
		queued++;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ok(queued >= 5 && queued < 64, "a Redis that does not read: the queue is bounded (%u MiB)", queued);
	is_int(h.ups, 2, "the loss is not told while the queue is full");
	ok(bus_has_lost(h.bus), "but known");
	ok(publish(&h, "u:nobody", "small"), "what is small finds room still");
	ok(bus_has_lost(h.bus), "which does not undo the loss");
	kill(server.pid, SIGCONT);
	UNTIL(h.ups == 3);
	ok(h.ups == 3 && h.lost == 2 && h.downs == 0, "it is told when the queue has drained");
	ok(!bus_has_lost(h.bus), "and is news no longer");

	kill(server.pid, SIGSTOP);
	CALL(bus_count(h.bus, &STR_LIT("u:frank"), 1, on_counts, &h));
	UNTIL(h.downs != 0);
	ok(h.downs == 1 && log_has("no answer"), "a Redis that answers no more is noticed");
	UNTIL(h.away == 1);
	ok(h.away == 1 && h.counted == 0, "a count under way is answered by NULL");
	kill(server.pid, SIGCONT);
	UNTIL(h.ups == 4);
	ok(h.missed == 1 && bus_is_subscribed(h.bus, s("u:frank")), "and it is up again when that goes on");
	is_int(h.within, 0, "no callback came from within a function");
	CALL(bus_free(&h.bus));
}

static bool settled_at(const struct heard *h, uint64_t settled, uint64_t position)
{
	if (bus_settled(h->bus) == settled && bus_position(h->bus) == position)
		return true;
	printf("# settled %llu of %llu\n", (unsigned long long)bus_settled(h->bus),
	       (unsigned long long)bus_position(h->bus));
	return false;
}

/* Enough of them that an answer which lies in the socket would have been read. */
static void some_turns(void)
{
	for (int i = 0; i < 5; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static void test_settled(void)
{
	struct heard h;
	static char big[BUS_DATA_MAX + 2];
	memset(big, '7', BUS_DATA_MAX + 1);
	start_up(&h);
	h.notices = true;
	ok(settled_at(&h, 0, 0), "nothing is published, and nothing is left to settle");
	for (int i = 0; i < 10; i++)
		publish(&h, "u:nobody", "0");
	ok(settled_at(&h, 0, 10), "what is queued is not settled");
	UNTIL(bus_settled(h.bus) == 10);
	ok(settled_at(&h, 10, 10), "what Redis has answered is");

	publish(&h, "u:nobody", "0");
	UNTIL(bus_settled(h.bus) == 11);
	h.stops_redis = true;
	publish(&h, "u:nobody", big);
	publish(&h, "u:nobody", "0");
	UNTIL(h.ups == 2);
	some_turns();
	ok(h.noticed_at == 13 && settled_at(&h, 11, 14), "one that is refused, and what follows it, is not settled");
	publish(&h, "u:nobody", "0");
	kill(server.pid, SIGCONT);
	UNTIL(bus_settled(h.bus) == 15);
	ok(settled_at(&h, 15, 15), "but once the notice of the loss is answered");

	publish(&h, "u:nobody", big);
	publish(&h, "u:nobody", "0");
	UNTIL(h.ups == 3);
	publish(&h, "u:nobody", big);
	publish(&h, "u:nobody", "0");
	ok(settled_at(&h, 15, 20), "a further loss while the notice is under way");
	h.stops_redis = false;
	kill(server.pid, SIGCONT);
	UNTIL(h.ups == 4);
	UNTIL(bus_settled(h.bus) == 21);
	ok(h.noticed_at == 20 && settled_at(&h, 21, 21), "has a notice of its own");

	kill(server.pid, SIGSTOP);
	publish(&h, "u:nobody", "0");
	some_turns();
	server_kill(&server);
	UNTIL(h.downs == 1);
	publish(&h, "u:nobody", "0");
	ok(settled_at(&h, 21, 23), "Redis killed: neither what it had not answered is settled, nor what came after");
	h.stops_redis = true;
	server_start(&server, "");
	UNTIL(h.ups == 5);
	some_turns();
	ok(h.noticed_at == 23 && settled_at(&h, 21, 24), "nor while the notice waits for its answer");
	server_kill(&server);
	UNTIL(h.downs == 2);
	ok(settled_at(&h, 21, 24), "nor when the notice is lost as well");
	h.stops_redis = false;
	server_start(&server, "");
	UNTIL(h.ups == 6);
	UNTIL(bus_settled(h.bus) == 25);
	ok(h.noticed_at == 24 && settled_at(&h, 25, 25), "but when a later notice is answered");
	publish(&h, "u:nobody", "0");
	UNTIL(bus_settled(h.bus) == 26);
	ok(settled_at(&h, 26, 26) && h.ups == 6, "and it goes on from there");

	h.notices = false;
	publish(&h, "u:nobody", big);
	UNTIL(h.ups == 7);
	UNTIL(bus_settled(h.bus) == 27);
	ok(settled_at(&h, 27, 27), "a loss that nobody has to be told of is settled with `up`");
	CALL(bus_free(&h.bus));
}

static void test_password(void)
{
	struct heard h;
	char wrong[] = "wrong", right[] = "a right long password", none[] = "";
	char *password = conf.redis.password;
	server_kill(&server);
	server_start(&server, right);
	conf.redis.password = wrong;
	start(&h);
	CALL(bus_subscribe(h.bus, s("u:gina")));
	UNTIL(log_has("WRONGPASS"));
	ok(log_has("WRONGPASS") && h.ups == 0, "a wrong password is refused, and the bus not up");
	conf.redis.password = none;
	UNTIL(log_has("NOAUTH"));
	ok(log_has("NOAUTH") && h.ups == 0, "none where one is wanted is refused likewise");
	conf.redis.password = right;
	UNTIL(h.ups == 1);
	ok(h.ups == 1 && h.subscribed == 1, "the right one, given later: up");
	CALL(bus_free(&h.bus));
	conf.redis.password = password;
}

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&at, len) != 0 || getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		printf("Bail out! no free port: %s\n", strerror(errno));
	close(fd);
	return ntohs(at.sin_port);
}

static void test_name(void)
{
	struct heard h;
	char name[] = "redis.tidings.test", none[] = "", *socket_path = conf.redis.socket, *host = conf.redis.host;
	server_kill(&server);
	server.port = free_port();
	server_start(&server, "");
	dns_start(base);
	lookup_set_servers(dns.servers);
	conf.redis.socket = none;
	conf.redis.host = name;
	conf.redis.port = server.port;
	start(&h);
	CALL(bus_subscribe(h.bus, s("u:hal")));
	UNTIL(log_has("redis.tidings.test"));
	ok(log_has("redis.tidings.test") && dns.asked > 0 && h.ups == 0, "a name that nobody knows: the log names it");
	dns.a = "127.0.0.1";
	UNTIL(h.ups == 1);
	ok(h.ups == 1 && h.subscribed == 1 && h.missed == 1, "it is asked for again, and then Redis is found");
	CALL(bus_free(&h.bus));
	lookup_set_servers(NULL);
	dns_stop();
	conf.redis.socket = socket_path;
	conf.redis.host = host;
	server.port = 0;
}

int main(void)
{
	if (!kit_begin())
		return 0;
	test_basics();
	test_cut_links();
	test_late_redis();
	test_stopped_redis();
	test_settled();
	test_password();
	test_name();
	return kit_end();
}
