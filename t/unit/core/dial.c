/* SPDX-License-Identifier: BSD-2-Clause */
/* Which address comes when: rounds, what worked, a name that moves, name servers that go away or take long. */
#include "core/base.h"
#include "core/dial.h"

#include "core/log.h"
#include "core/lookup.h"
#include "dns.h"
#include "../tap.h"

static struct event_base *base;
static bool told, failed;
static char why[256];

static void on_found(struct dial *d, const char *error, void *ctx)
{
	ok(!told && ctx == &told, "told once");
	told = true;
	failed = error != NULL;
	snprintf(why, sizeof(why), "%s", error != NULL ? error : "");
}

static void begin(struct dial *d)
{
	told = false;
	dial_start(d);
	ok(!told && !dial_has_more(d), "never from within");
	while (!told)
		event_base_loop(base, EVLOOP_ONCE);
}

/* The addresses of the round that is under way. */
static const char *rest(struct dial *d)
{
	static char text[512];
	text[0] = '\0';
	while (dial_next(d))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", dial_text(d));
	ok(!dial_has_more(d) && !dial_next(d), "the round is at its end");
	return text;
}

static void test_literals(void)
{
	static const char *const host[] = {"127.0.0.1", "::1", "fd00::1", "localhost"};
	static const char *const is[] = {"127.0.0.1 ", "::1 ", "fd00::1 ", "127.0.0.1 ::1 "};
	unsigned asked = dns.asked;
	for (size_t i = 0; i < ARRAY_LEN(host); i++) {
		struct dial *d = dial_new(base, host[i], 3306, on_found, &told);
		begin(d);
		is_str(rest(d), is[i], "%s", host[i]);
		begin(d);
		ok(dial_next(d), "and again");
		dial_free(&d);
	}
	is_int(dns.asked, asked, "nobody was asked");
}

static void test_rounds(void)
{
	socklen_t len;
	dns.a = "127.0.0.1 127.0.0.2 127.0.0.3";
	dns.aaaa = "";
	struct dial *d = dial_new(base, "db.tidings.test", 4711, on_found, &told);
	begin(d);
	ok(dial_next(d), "a first one");
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)dial_address(d, &len);
	ok(in->sin_family == AF_INET && in->sin_port == htons(4711) && len == sizeof(*in), "with the port");
	char first[64], last[64];
	snprintf(first, sizeof(first), "%s", dial_text(d));
	rest(d);
	snprintf(last, sizeof(last), "%s", dial_text(d));
	ok(strcmp(first, last) != 0, "another one is the last");
	bool was_last = false;
	for (int i = 0; i < 2; i++) {
		begin(d);
		rest(d);
		was_last |= strcmp(dial_text(d), first) == 0;
	}
	ok(was_last, "after rounds in vain each is the last one now and then");
	begin(d);
	ok(dial_next(d) && dial_next(d), "the second one");
	snprintf(first, sizeof(first), "%s", dial_text(d));
	dial_worked(d);
	ok(!dial_has_more(d), "works, and the round is over");
	begin(d);
	ok(dial_next(d) && strcmp(dial_text(d), first) == 0, "it is the first one of the next round");
	dial_worked(d);
	dns.a = "127.0.0.7";
	begin(d);
	is_str(rest(d), "127.0.0.7 ", "unless the name has left it");
	dial_free(&d);
}

static void test_servers_away(void)
{
	dns.a = "127.0.0.1";
	struct dial *d = dial_new(base, "db.tidings.test", 1, on_found, &told);
	dns.mode = DNS_FAILS;
	begin(d);
	ok(failed && strstr(why, "db.tidings.test") != NULL, "no answer, no address: %s", why);
	ok(!dial_next(d), "nor a round");
	dns.mode = DNS_TELLS;
	begin(d);
	ok(!failed && dial_next(d), "the name server is back");
	dial_worked(d);
	dns.mode = DNS_FAILS;
	begin(d);
	is_str(rest(d), "127.0.0.1 ", "away again, the former addresses are tried");
	unsigned asked = dns.asked;
	dns.mode = DNS_SILENT;
	begin(d);
	is_str(rest(d), "127.0.0.1 ", "silent, and it is the same");
	ok(dns.asked > asked, "having been asked");
	dns.mode = DNS_TELLS;
	dns.a = "127.0.0.2";
	begin(d);
	is_str(rest(d), "127.0.0.2 ", "until they speak again");
	dns.a = dns.aaaa = NULL;
	begin(d);
	ok(failed && !dial_next(d), "but not once it says that there are none: %s", why);
	told = false;
	dial_start(d);
	dial_free(&d);
	dial_free(&d);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ok(d == NULL && !told, "freed in the middle");
}

/* Name servers that never answer, in front of the one that does: each costs 700 ms, all of them more than
 * DIAL_FORMER_MS. */
enum { SILENT_SERVERS = 3 };
static int silent[SILENT_SERVERS];
static char slow_servers[256];

static void make_slow_servers(void)
{
	size_t len = 0;
	for (int i = 0; i < SILENT_SERVERS; i++) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t at_len = sizeof(at);
		silent[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ASSERT(bind(silent[i], (struct sockaddr *)&at, at_len) == 0);
		ASSERT(getsockname(silent[i], (struct sockaddr *)&at, &at_len) == 0);
		len += (size_t)snprintf(slow_servers + len, sizeof(slow_servers) - len, "127.0.0.1:%u,",
					ntohs(at.sin_port));
	}
	snprintf(slow_servers + len, sizeof(slow_servers) - len, "%s", dns.servers);
}

/* Until a lookup that outlives its round has its answer: it takes its events with it. */
static void let_it_end(int events_without)
{
	while (event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) > events_without)
		event_base_loop(base, EVLOOP_ONCE);
}

static void test_slow_servers(void)
{
	make_slow_servers();
	dns.mode = DNS_TELLS;
	dns.a = "127.0.0.1 127.0.0.2";
	dns.aaaa = "";
	struct dial *d = dial_new(base, "db.tidings.test", 1, on_found, &told);
	begin(d);
	ok(dial_next(d), "the name is known");
	dial_worked(d);
	int idle = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
	lookup_set_servers(slow_servers);
	dns.a = "127.0.0.3";
	begin(d);
	is_str(rest(d), "127.0.0.1 127.0.0.2 ", "the former addresses are tried");
	const char *found = "";
	for (int i = 0; i < 10 && strcmp(found, "127.0.0.3 ") != 0; i++) {
		begin(d);
		found = rest(d);
	}
	is_str(found, "127.0.0.3 ", "and in the next rounds where the server has moved to");

	dns.a = "127.0.0.4 127.0.0.5";
	begin(d);
	let_it_end(idle);
	is_str(rest(d), "127.0.0.3 ", "an answer that is late does not change the round under way");
	dns.mode = DNS_SILENT;
	begin(d);
	ok(dial_next(d) && strncmp(dial_text(d), "127.0.0.4", 8) == 0 && dial_has_more(d), "but the next one");

	rest(d);
	dial_free(&d);
	is_int(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), idle, "freed, and its lookup with it");
	lookup_set_servers(dns.servers);
	for (int i = 0; i < SILENT_SERVERS; i++)
		close(silent[i]);
}

int main(void)
{
	setenv("CARES_HOSTS", "/dev/null", 1);
	base = event_base_new();
	dns_start(base);
	lookup_set_servers(dns.servers);
	test_literals();
	test_rounds();
	test_servers_away();
	test_slow_servers();
	dns_stop();
	event_base_free(base);
	return done_testing();
}
