/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: what is read, how it is written, and listening. */
#include "core/base.h"
#include "net/addr.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../tap.h"

static void reads_as(const char *text, const char *want, const char *want_host)
{
	struct addr a;
	const char *err = NULL;
	char out[ADDR_TEXT_MAX];
	if (!ok(addr_parse(&a, text, &err) == 0, "'%s' is an address", text)) {
		printf("# %s\n", err);
		return;
	}
	is_str(addr_format(&a, out), want, "  written %s", want);
	is_str(addr_format_host(&a, out), want_host, "  its host is %s", want_host);
}

static void is_refused(const char *text)
{
	struct addr a;
	const char *err = NULL;
	ok(addr_parse(&a, text, &err) != 0 && err != NULL, "'%s' is refused: %s", text,
	   err != NULL ? err : "no reason");
}

static void test_text(void)
{
	char longest[120];
	reads_as("127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1");
	reads_as("[::1]:8080", "[::1]:8080", "::1");
	reads_as("[::ffff:10.0.0.1]:1", "10.0.0.1:1", "10.0.0.1");
	reads_as("localhost:0", "127.0.0.1:0", "127.0.0.1");
	reads_as("*:65535", "[::]:65535", "::");
	reads_as(":80", "[::]:80", "::");
	reads_as("unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock");

	is_refused("");
	is_refused("127.0.0.1");
	is_refused("127.0.0.1:");
	is_refused("127.0.0.1:65536");
	is_refused("127.0.0.1:+1");
	is_refused("127.0.0.1: 1");
	is_refused("127.0.0.1:99999999999999999999");
	is_refused("127.1:80");
	is_refused("::1:80");
	is_refused("[::1]80");
	is_refused("[]:80");
	is_refused("[:80");
	is_refused("[127.0.0.1]:80");
	is_refused("example.org:80");
	is_refused("0000000000000000000000000000000000000000000000000000000000000000000:80");
	is_refused("unix:");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "unix:/", 6);
	longest[5 + 108] = '\0';
	is_refused(longest);
	struct addr a;
	const char *err;
	longest[5 + 107] = '\0';
	ok(addr_parse(&a, longest, &err) == 0, "the longest path that the system takes");
	struct addr unknown = {.len = sizeof(sa_family_t)};
	char out[ADDR_TEXT_MAX];
	is_str(addr_format(&unknown, out), "unknown", "no family has a text too");
	unknown.sa.ss_family = AF_UNIX;
	is_str(addr_format(&unknown, out), "unix:", "so does an unnamed UNIX socket");
}

static void test_inet(const char *text)
{
	struct addr a;
	const char *err = NULL;
	ok(addr_parse(&a, text, &err) == 0, "listening on %s", text);
	int fd = addr_listen(&a, 16, &err);
	if (!ok(fd >= 0, "it listens"))
		return;
	a.len = sizeof(a.sa);
	getsockname(fd, (struct sockaddr *)&a.sa, &a.len);
	int second = addr_listen(&a, 16, &err);
	ok(second < 0, "a second socket does not: %s", err);
	is_str(err, "the address is in use", "and the reason is clear");
	int client = socket(a.sa.ss_family, SOCK_STREAM, 0);
	ok(connect(client, (struct sockaddr *)&a.sa, a.len) == 0, "clients connect");
	close(client);
	close(fd);
}

static void test_unix(void)
{
	char dir[] = "/tmp/tidings-addr-XXXXXX", text[64];
	const char *err = NULL;
	struct addr a;
	if (mkdtemp(dir) == NULL)
		exit(1);
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	ok(addr_parse(&a, text, &err) == 0, "a UNIX socket");
	int fd = addr_listen(&a, 16, &err);
	ok(fd >= 0, "it listens");
	int second = addr_listen(&a, 16, &err);
	ok(second < 0, "while somebody listens it is not replaced");
	is_str(err, "the address is in use", "and the reason is clear");
	close(fd);
	fd = addr_listen(&a, 16, &err);
	ok(fd >= 0, "one that nobody answers is replaced");
	close(fd);
	unlink(text + 5);
	FILE *f = fopen(text + 5, "w");
	fclose(f);
	ok(addr_listen(&a, 16, &err) < 0, "a file is not replaced: %s", err);
	unlink(text + 5);
	snprintf(text, sizeof(text), "unix:%s/no/s", dir);
	ok(addr_parse(&a, text, &err) == 0 && addr_listen(&a, 16, &err) < 0, "no folder, no socket");
	rmdir(dir);
}

static void test_packed(void)
{
	static const char *const text[] = {"10.1.2.3:456", "[fe80::1:2]:5", "[::1]:0"};
	struct addr a, b;
	struct in6_addr host;
	in_port_t port;
	const char *err;
	char out[ADDR_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		if (addr_parse(&a, text[i], &err) != 0)
			abort();
		host = addr_pack(&a, &port);
		b = addr_unpack(&host, port);
		is_str(addr_format(&b, out), text[i], "packed and unpacked: %s", text[i]);
		ok(b.len == a.len && memcmp(&b.sa, &a.sa, sizeof(a.sa)) == 0, "and the same as before");
	}
	a = (struct addr){.len = sizeof(sa_family_t)};
	a.sa.ss_family = AF_UNIX;
	host = addr_pack(&a, &port);
	b = addr_unpack(&host, port);
	is_str(addr_format_host(&b, out), "unix:", "the nameless peer of a UNIX socket");
}

static bool holds(const char *network, const char *address)
{
	struct addr_network n;
	struct addr a;
	const char *err;
	return addr_network_parse(&n, network) == 0 && addr_parse(&a, address, &err) == 0 && addr_network_holds(&n, &a);
}

static void test_networks(void)
{
	ok(holds("10.0.0.0/8", "10.255.1.2:1") && !holds("10.0.0.0/8", "11.0.0.1:1"), "whole bytes");
	ok(holds("172.16.0.0/12", "172.31.0.1:1") && !holds("172.16.0.0/12", "172.32.0.1:1"), "and parts of one");
	ok(holds("127.0.0.1", "127.0.0.1:1") && !holds("127.0.0.1", "127.0.0.2:1"), "one address");
	ok(holds("0.0.0.0/0", "8.8.8.8:1") && !holds("0.0.0.0/0", "[2001:db8::1]:1"), "all of IPv4, and nothing else");
	ok(holds("0.0.0.0/0", "[::ffff:8.8.8.8]:1"), "also where it comes mapped");
	ok(holds("2001:db8::/33", "[2001:db8:7fff::1]:1") && !holds("2001:db8::/33", "[2001:db8:8000::1]:1"), "IPv6");
	ok(holds("::/0", "[2001:db8::1]:1"), "all of IPv6");
	ok(!holds("::/0", "unix:/tmp/x"), "a UNIX socket is in no network");
	static const char *const none[] = {"",		"10.0.0.0/33", "::/129",
					   "10.0.0.0/", "10.0.0.0/x",  "10.0.0.0/-1",
					   "10.0.0/8",	"localhost",   "10.0.0.0/8/8"};
	struct addr_network n;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		ok(addr_network_parse(&n, none[i]) == -1, "'%s' is none", none[i]);

	struct addr a;
	const char *err;
	char text[ADDR_TEXT_MAX];
	if (addr_parse(&a, "[2001:db8:1:2:3:4:5:6]:7", &err) == 0)
		is_str(addr_format_network(&a, text), "2001:db8:1:2::", "who has an IPv6 address has a /64 of them");
	if (addr_parse(&a, "10.1.2.3:7", &err) == 0)
		is_str(addr_format_network(&a, text), "10.1.2.3", "an IPv4 address is one");
	if (addr_parse(&a, "unix:/tmp/x", &err) == 0)
		is_str(addr_format_network(&a, text), "", "a UNIX socket has none");
}

static bool is_public(const char *host)
{
	struct addr a;
	const char *err;
	char text[64];
	snprintf(text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:443" : "%s:443", host);
	return addr_parse(&a, text, &err) == 0 && addr_is_public(&a);
}

static void test_public(void)
{
	static const char *const yes[] = {"1.1.1.1",	     "9.255.255.255",  "100.63.255.255", "100.128.0.0",
					  "172.15.0.1",	     "172.32.0.0",     "192.0.1.1",	 "223.255.255.255",
					  "2606:4700::1111", "::ffff:1.1.1.1", "2001:4860::8888"};
	static const char *const no[] = {"0.0.0.0",
					 "10.0.0.1",
					 "100.64.0.1",
					 "100.127.255.255",
					 "127.0.0.1",
					 "127.9.9.9",
					 "169.254.169.254",
					 "172.16.0.1",
					 "172.31.255.255",
					 "192.0.0.1",
					 "192.0.2.1",
					 "192.168.1.1",
					 "198.18.0.1",
					 "198.51.100.1",
					 "203.0.113.1",
					 "224.0.0.1",
					 "255.255.255.255",
					 "::",
					 "::1",
					 "::127.0.0.1",
					 "::ffff:127.0.0.1",
					 "::ffff:10.0.0.1",
					 "64:ff9b::7f00:1",
					 "fc00::1",
					 "fd00::1",
					 "fe80::1",
					 "fec0::1",
					 "ff02::1",
					 "2001:db8::1",
					 "2002:7f00:1::1",
					 "2001:0:1::1",
					 "3fff::1"};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		ok(is_public(yes[i]), "%s is public", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct addr_network n;
		ok(addr_network_parse(&n, no[i]) == 0 && !is_public(no[i]), "%s is an address, and not public", no[i]);
	}
	const struct addr local = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	ok(!addr_is_public(&local), "nor is a UNIX socket");
}

int main(void)
{
	test_text();
	test_inet("127.0.0.1:0");
	test_inet("*:0");
	test_unix();
	test_packed();
	test_networks();
	test_public();
	return done_testing();
}
