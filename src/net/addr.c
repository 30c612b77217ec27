/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides what an address of the configuration means and how one is listened on. Never asks a
 * resolver: that would block.
 */
#include "core/base.h"
#include "net/addr.h"

#include "core/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int parse_port(const char *text, uint16_t *port_r)
{
	unsigned v = 0;
	if (*text == '\0' || strlen(text) > 5)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		v = v * 10 + (unsigned)(*text - '0');
	}
	if (v > 65535)
		return -1;
	*port_r = (uint16_t)v;
	return 0;
}

static int parse_unix(struct addr *a, const char *path, const char **err_r)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->sa;
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(un->sun_path)) {
		*err_r =
			len == 0 ? "the path of the UNIX socket is missing" : "the path of the UNIX socket is too long";
		return -1;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

static int set_inet(struct addr *a, const char *host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		return -1;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	a->len = sizeof(*in);
	return 0;
}

static int set_inet6(struct addr *a, const char *host, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa;
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		return -1;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	a->len = sizeof(*in6);
	return 0;
}

int addr_parse(struct addr *a, const char *text, const char **err_r)
{
	memset(a, 0, sizeof(*a));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(a, text + 5, err_r);

	const char *colon = strrchr(text, ':');
	uint16_t port;
	if (colon == NULL) {
		*err_r = "the port is missing (HOST:PORT)";
		return -1;
	}
	if (parse_port(colon + 1, &port) != 0) {
		*err_r = "the port is no number from 0 to 65535";
		return -1;
	}
	char host[INET6_ADDRSTRLEN + 2];
	size_t len = (size_t)(colon - text);
	if (len >= sizeof(host)) {
		*err_r = "the host is no numeric address";
		return -1;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	int rc;
	if (len == 0 || strcmp(host, "*") == 0) {
		rc = set_inet6(a, "::", port);
	} else if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		rc = set_inet6(a, host + 1, port);
	} else {
		rc = set_inet(a, host, port);
	}
	if (rc != 0)
		*err_r = "the host is no numeric address (IPv6 goes in brackets)";
	return rc;
}

/* The host and the port of an internet address; false for others. */
static bool split(const struct addr *a, char host[INET6_ADDRSTRLEN], uint16_t *port_r, bool *v6_r)
{
	*v6_r = false;
	if (a->sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
		*port_r = ntohs(in->sin_port);
		return inet_ntop(AF_INET, &in->sin_addr, host, INET6_ADDRSTRLEN) != NULL;
	}
	if (a->sa.ss_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
	*port_r = ntohs(in6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) /* a client of IPv4 on a socket for both: one name for both ways */
		return inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, INET6_ADDRSTRLEN) != NULL;
	*v6_r = true;
	return inet_ntop(AF_INET6, &in6->sin6_addr, host, INET6_ADDRSTRLEN) != NULL;
}

static const char *format_unix(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
	size_t start = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > start ? strnlen(un->sun_path, a->len - start) : 0;
	snprintf(out, ADDR_TEXT_MAX, "unix:%.*s", (int)len, un->sun_path);
	return out;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port;
	bool v6;
	if (a->sa.ss_family == AF_UNIX)
		return format_unix(a, out);
	if (!split(a, host, &port, &v6))
		snprintf(out, ADDR_TEXT_MAX, "unknown");
	else
		snprintf(out, ADDR_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host, port);
	return out;
}

const char *addr_format_host(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port;
	bool v6;
	if (a->sa.ss_family == AF_UNIX)
		return format_unix(a, out);
	snprintf(out, ADDR_TEXT_MAX, "%s", split(a, host, &port, &v6) ? host : "unknown");
	return out;
}

const char *addr_format_network(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	struct addr network = *a;
	if (a->sa.ss_family == AF_UNIX) {
		out[0] = '\0';
		return out;
	}
	struct in6_addr *v6 = &((struct sockaddr_in6 *)&network.sa)->sin6_addr;
	if (a->sa.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(v6))
		memset(&v6->s6_addr[8], 0, 8);
	return addr_format_host(&network, out);
}

struct in6_addr addr_pack(const struct addr *a, in_port_t *port_r)
{
	struct in6_addr host = IN6ADDR_ANY_INIT;
	*port_r = 0;
	if (a->sa.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
		host = in6->sin6_addr;
		*port_r = in6->sin6_port;
	} else if (a->sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
		host.s6_addr[10] = host.s6_addr[11] = 0xff;
		memcpy(&host.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
		*port_r = in->sin_port;
	}
	return host;
}

struct addr addr_unpack(const struct in6_addr *host, in_port_t port)
{
	struct addr a = {.len = sizeof(sa_family_t)};
	if (IN6_IS_ADDR_UNSPECIFIED(host)) {
		a.sa.ss_family = AF_UNIX;
	} else if (IN6_IS_ADDR_V4MAPPED(host)) {
		struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;
		in->sin_family = AF_INET;
		in->sin_port = port;
		memcpy(&in->sin_addr, &host->s6_addr[12], sizeof(in->sin_addr));
		a.len = sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		in6->sin6_addr = *host;
		a.len = sizeof(*in6);
	}
	return a;
}

int addr_network_parse(struct addr_network *n, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof(host))
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	*n = (struct addr_network){.bits = 128};
	unsigned most = 128;
	if (inet_pton(AF_INET, host, &n->host.s6_addr[12]) == 1) {
		n->host.s6_addr[10] = n->host.s6_addr[11] = 0xff;
		most = 32;
	} else if (inet_pton(AF_INET6, host, &n->host) != 1) {
		return -1;
	}
	if (slash == NULL)
		return 0;
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > most)
		return -1;
	n->bits = 128 - most + (unsigned)bits;
	return 0;
}

bool addr_network_holds(const struct addr_network *n, const struct addr *a)
{
	in_port_t port;
	struct in6_addr host = addr_pack(a, &port);
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	if (a->sa.ss_family == AF_UNIX || memcmp(&host, &n->host, whole) != 0)
		return false;
	unsigned char mask = (unsigned char)(0xff00u >> rest);
	return rest == 0 || ((host.s6_addr[whole] ^ n->host.s6_addr[whole]) & mask) == 0;
}

/* Whoever is behind the socket file died without removing it: nobody accepts there any more. */
static int remove_stale(const struct addr *a, const char **err_r)
{
	const char *path = ((const struct sockaddr_un *)&a->sa)->sun_path;
	struct stat st;
	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		*err_r = "the path exists and is no socket";
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*err_r = "socket failed";
		return -1;
	}
	int rc = connect(fd, (const struct sockaddr *)&a->sa, a->len);
	int err = errno;
	close(fd);
	if (rc == 0 || err != ECONNREFUSED) {
		*err_r = rc == 0 || err == EAGAIN ? "the address is in use" : "the old socket cannot be examined";
		return -1;
	}
	if (unlink(path) != 0) {
		*err_r = "the old socket cannot be removed";
		return -1;
	}
	return 0;
}

static bool is_any6(const struct addr *a)
{
	return a->sa.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* Connections have these from their listener. */
static void set_tcp_options(int fd)
{
	const int on = 1, unsent_max = ADDR_UNSENT_MAX;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
}

int addr_listen(const struct addr *a, int backlog, const char **err_r)
{
	if (a->sa.ss_family == AF_UNIX && remove_stale(a, err_r) != 0)
		return -1;
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && is_any6(a)) { /* a kernel without IPv6 */
		struct addr any = {.len = sizeof(struct sockaddr_in)};
		set_inet(&any, "0.0.0.0", ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port));
		return addr_listen(&any, backlog, err_r);
	}
	if (fd < 0) {
		*err_r = "socket failed";
		return -1;
	}
	if (a->sa.ss_family != AF_UNIX)
		set_tcp_options(fd);
	if (a->sa.ss_family == AF_INET6) {
		int v6only = !is_any6(a);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	}
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0) {
		*err_r = errno == EADDRINUSE	  ? "the address is in use"
			 : errno == EACCES	  ? "no permission for that address"
			 : errno == EADDRNOTAVAIL ? "no such address on this machine"
						  : "bind failed";
		close(fd);
		return -1;
	}
	if (listen(fd, backlog) != 0) {
		*err_r = errno == EADDRINUSE ? "the address is in use" : "listen failed";
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_in(const char *const *networks, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		struct addr_network net;
		ASSERT(addr_network_parse(&net, networks[i]) == 0);
		if (addr_network_holds(&net, a))
			return true;
	}
	return false;
}

bool addr_is_public(const struct addr *a)
{
	/* Of IPv6 only this was ever given out; IPv4 is mapped. */
	static const char *const given_out[] = {"2000::/3", "0.0.0.0/0"};
	static const char *const special[] = {
		"0.0.0.0/8",	 "10.0.0.0/8",	    "100.64.0.0/10",  "127.0.0.0/8",	"169.254.0.0/16",
		"172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",	"240.0.0.0/4",
		"2001::/23",	 "2001:db8::/32",   "2002::/16",      "3fff::/20",
	};
	return is_in(given_out, ARRAY_LEN(given_out), a) && !is_in(special, ARRAY_LEN(special), a);
}
