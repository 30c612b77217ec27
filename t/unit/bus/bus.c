/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus against a Redis of its own: what is confirmed, delivered, counted, lost and found again. */
#include "core/base.h"
#include "bus/bus.h"

#include <time.h>

#include <event2/event.h>

#include "core/log.h"
#include "core/lookup.h"
#include "server.h"
#include "../core/dns.h"
#include "../tap.h"

/* What a bus told its caller. */
struct heard {
	unsigned ups, missed, lost, downs, subscribed, messages, counted, away;
	unsigned out_of_order, within;
	char last_topic[64];
	uint32_t counts[1000];
	size_t count_n;
	bool ask_again;
	/* What on_up does about a loss. */
	bool notices, stops_redis;
	uint64_t noticed_at; /* the position before it did */
	struct bus *bus;
};

static struct event_base *base;
static struct server server;
static struct conf conf;
/* Set while a bus_ function runs: no callback may run then. */
static bool within;
#define CALL(call) (within = true, (call), within = false)

static struct str s(const char *text)
{
	return str_from(text);
}

static void on_message(struct str topic, struct str data, void *ctx)
{
	struct heard *h = ctx;
	char number[32] = "";
	h->within += within;
	snprintf(h->last_topic, sizeof(h->last_topic), "%.*s", (int)topic.len, topic.s);
	memcpy(number, data.s, data.len < sizeof(number) ? data.len : sizeof(number) - 1);
	h->out_of_order += strtoul(number, NULL, 10) != h->messages;
	h->messages++;
}

static void on_subscribed(struct str topic, void *ctx)
{
	struct heard *h = ctx;
	h->within += within;
	snprintf(h->last_topic, sizeof(h->last_topic), "%.*s", (int)topic.len, topic.s);
	h->subscribed++;
}

static void on_up(bool missed, bool lost, void *ctx)
{
	struct heard *h = ctx;
	if (lost && h->stops_redis)
		kill(server.pid, SIGSTOP);
	h->noticed_at = bus_position(h->bus);
	if (lost && h->notices)
		bus_publish(h->bus, s("all"), s("lost"));
	h->within += within;
	h->ups++;
	h->missed += missed;
	h->lost += lost;
}

static void on_down(const char *reason, void *ctx)
{
	struct heard *h = ctx;
	h->within += within || reason == NULL;
	h->downs++;
}

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct heard *h = arg;
	h->within += within;
	h->count_n = n;
	if (counts != NULL) {
		h->counted++;
		memcpy(h->counts, counts, n * sizeof(counts[0]));
		return;
	}
	h->away++;
	if (h->ask_again)
		CALL(bus_count(h->bus, &STR_LIT("x"), 1, on_counts, h));
}

static const struct bus_events events = {on_message, on_subscribed, on_up, on_down};

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_nothing(evutil_socket_t fd, short what, void *arg)
{
}

/* Runs the loop until the condition holds, or for too long. */
#define UNTIL(cond)                                                                                                    \
	do {                                                                                                           \
		struct event *turn_ = event_new(base, -1, EV_PERSIST, on_nothing, NULL);                               \
		int64_t give_up_ = now_ms() + 20000;                                                                   \
		event_add(turn_, &(struct timeval){0, 20000});                                                         \
		while (!(cond) && now_ms() < give_up_)                                                                 \
			event_base_loop(base, EVLOOP_ONCE);                                                            \
		event_free(turn_);                                                                                     \
	} while (0)

static void start(struct heard *h)
{
	*h = (struct heard){0};
	CALL(h->bus = bus_new(base, &conf, &events, h));
}

static void start_up(struct heard *h)
{
	start(h);
	UNTIL(h->ups == 1);
}

static bool publish(struct heard *h, const char *topic, const char *data)
{
	bool queued;
	CALL(queued = bus_publish(h->bus, s(topic), s(data)));
	return queued;
}

/* Has Redis tell what it knows of one topic. */
static uint32_t count_one(struct heard *h, const char *topic)
{
	unsigned before = h->counted + h->away;
	struct str t = s(topic);
	CALL(bus_count(h->bus, &t, 1, on_counts, h));
	UNTIL(h->counted + h->away != before);
	return h->counts[0];
}

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

static char log_path[128];

static bool log_has(const char *text)
{
	static char all[1 << 20];
	FILE *f = fopen(log_path, "r");
	size_t n = f != NULL ? fread(all, 1, sizeof(all) - 1, f) : 0;
	all[n] = '\0';
	if (f != NULL)
		fclose(f);
	return strstr(all, text) != NULL;
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
	char host[] = "", password[] = "", prefix[] = "test:";
	const char *err = NULL;
	if (system("command -v redis-server > /dev/null") != 0) {
		printf("1..0 # SKIP no redis-server\n");
		return 0;
	}
	server_init(&server);
	snprintf(log_path, sizeof(log_path), "%s/log", server.dir);
	if (log_open(log_path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) != 0)
		return 1;
	server_start(&server, "");
	conf.redis.host = host;
	conf.redis.password = password;
	conf.redis.prefix = prefix;
	conf.redis.socket = server.path;
	base = event_base_new();
	test_basics();
	test_crossing();
	test_many();
	test_cut_links();
	test_late_redis();
	test_stopped_redis();
	test_settled();
	test_password();
	test_name();
	event_base_free(base);
	unlink(log_path);
	server_fini(&server);
	return done_testing();
}
