/* SPDX-License-Identifier: BSD-2-Clause */
/* Names against a name server and a file of hosts of the test's own: what is found, when, and what ends a lookup. */
#include "core/base.h"
#include "core/lookup.h"

#include "core/clock.h"
#include "dns.h"
#include "../tap.h"

static struct event_base *base;
static char hosts[64];

static struct {
	bool done;
	char text[1024]; /* the addresses, with spaces between */
	struct lookup_answer answer;
} found;

static void on_done(const struct lookup_answer *answer, void *ctx)
{
	size_t at = 0;
	ok(ctx == &found && !found.done, "told once");
	found.done = true;
	found.answer = *answer;
	found.text[0] = '\0';
	for (unsigned i = 0; i < answer->count; i++) {
		char one[INET6_ADDRSTRLEN];
		const struct sockaddr_storage *a = &answer->address[i];
		const void *host = a->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)a)->sin_addr
							   : &((const struct sockaddr_in6 *)a)->sin6_addr;
		at += (size_t)snprintf(found.text + at, sizeof(found.text) - at, "%s%s", i != 0 ? " " : "",
				       inet_ntop(a->ss_family, host, one, sizeof(one)));
	}
}

static void look_up(const char *name)
{
	found.done = false;
	struct lookup *l = lookup_start(base, name, on_done, &found);
	ok(l != NULL && !found.done, "%s: never told from within", name);
	while (!found.done)
		event_base_loop(base, EVLOOP_ONCE);
}

static bool has(const char *address)
{
	char *text = xasprintf(" %s ", found.text), *one = xasprintf(" %s ", address);
	bool is = strstr(text, one) != NULL;
	free(text);
	free(one);
	return is;
}

static void write_hosts(const char *text)
{
	FILE *f = fopen(hosts, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
		printf("Bail out! %s\n", hosts);
		exit(1);
	}
}

static void test_names(void)
{
	dns.a = "127.0.0.1 127.0.0.2 127.0.0.1";
	dns.aaaa = "::1";
	look_up("db.tidings.test");
	ok(found.answer.count == 3 && has("127.0.0.1") && has("127.0.0.2") && has("::1"),
	   "both families, each address once: %s", found.text);
	ok(found.answer.error == NULL, "no error");
	dns.aaaa = "";
	dns.a = "127.0.0.3";
	look_up("db.tidings.test");
	is_str(found.text, "127.0.0.3", "what has changed is seen at once, whatever the TTL");
	dns.a = NULL;
	dns.aaaa = "::1";
	look_up("db.tidings.test");
	is_str(found.text, "::1", "IPv6 alone");
	dns.a = "";
	dns.aaaa = "";
	look_up("db.tidings.test");
	ok(found.answer.count == 0 && found.answer.error != NULL && !found.answer.passing,
	   "a name without addresses: %s", found.answer.error);
	dns.a = dns.aaaa = NULL;
	look_up("db.tidings.test");
	ok(found.answer.count == 0 && found.answer.error != NULL && !found.answer.passing, "no such name: %s",
	   found.answer.error);
	look_up("no..name");
	ok(found.answer.count == 0 && found.answer.error != NULL, "what cannot be a name: %s", found.answer.error);
}

static void test_many(void)
{
	char list[16 * 60] = "";
	for (int i = 1; i <= 60; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "127.0.1.%d ", i);
	dns.a = list;
	dns.aaaa = "";
	dns.mode = DNS_TRUNCATES;
	look_up("many.tidings.test");
	is_int(found.answer.count, LOOKUP_ADDRESSES_MAX, "an answer too long for UDP comes by TCP, bounded");
	dns.mode = DNS_TELLS;
}

static void test_faults(void)
{
	dns.a = "127.0.0.1";
	dns.aaaa = "";
	dns.mode = DNS_FAILS;
	look_up("db.tidings.test");
	ok(found.answer.count == 0 && found.answer.passing, "a server that fails says nothing of the name: %s",
	   found.answer.error);
	dns.mode = DNS_TALKS_RUBBISH;
	look_up("db.tidings.test");
	ok(found.answer.count == 0 && found.answer.passing, "nor does rubbish: %s", found.answer.error);
	dns.mode = DNS_TELLS_A_ONLY;
	look_up("db.tidings.test");
	is_str(found.text, "127.0.0.1", "one that ignores AAAA is heard about A");
	dns.mode = DNS_SILENT;
	int64_t began = clock_usecs();
	look_up("db.tidings.test");
	ok(found.answer.count == 0 && found.answer.passing, "one that is silent: %s", found.answer.error);
	ok(clock_usecs() - began < 60 * 1000000, "is not waited for without end");
	dns.mode = DNS_TELLS;
}

static void test_hosts(void)
{
	unsigned asked = dns.asked;
	dns.a = "127.0.0.9";
	write_hosts("127.0.0.4 tidings.hosts.test other\n::1 tidings.hosts.test\n");
	look_up("tidings.hosts.test");
	ok(found.answer.count == 2 && has("127.0.0.4") && has("::1"), "the file of hosts: %s", found.text);
	is_int(dns.asked, asked, "comes before the name servers");
	write_hosts("127.0.0.5 tidings.hosts.test\n");
	look_up("tidings.hosts.test");
	is_str(found.text, "127.0.0.5", "and is read again each time");
	write_hosts("");
	look_up("tidings.hosts.test");
	is_str(found.text, "127.0.0.9", "what it does not have, the name servers are asked for");
}

static void on_never(const struct lookup_answer *answer, void *ctx)
{
	ok(false, "a lookup that was cancelled is told");
}

static void test_cancelled(void)
{
	struct lookup *l[3];
	dns.mode = DNS_SILENT;
	for (int i = 0; i < 3; i++)
		l[i] = lookup_start(base, "db.tidings.test", on_never, NULL);
	lookup_cancel(&l[0]);
	ok(l[0] == NULL, "cancelled before it is under way");
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	lookup_cancel(&l[1]);
	lookup_cancel(&l[1]);
	ok(l[1] == NULL, "and under way, and twice");
	dns.mode = DNS_TELLS;
	write_hosts("127.0.0.4 known.test\n");
	lookup_cancel(&l[2]);
	l[2] = lookup_start(base, "known.test", on_never, NULL);
	lookup_cancel(&l[2]);
	ok(l[2] == NULL, "and when it is answered, but not told");
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

int main(void)
{
	snprintf(hosts, sizeof(hosts), "/tmp/tidings-hosts-%d", (int)getpid());
	write_hosts("");
	setenv("CARES_HOSTS", hosts, 1);
	base = event_base_new();
	dns_start(base);
	lookup_set_servers(dns.servers);
	test_names();
	test_many();
	test_faults();
	test_hosts();
	test_cancelled();
	dns_stop();
	event_base_free(base);
	unlink(hosts);
	return done_testing();
}
