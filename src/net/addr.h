/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket addresses: reading them from the configuration, listening, writing them for logs. */
#ifndef TIDINGS_NET_ADDR_H
#define TIDINGS_NET_ADDR_H

#include "core/base.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX 128

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * "127.0.0.1:8080", "[::1]:8080", "*:8080", ":8080" (any, both families), "unix:/path". Only numeric
 * hosts and "localhost", so that nothing blocks. On a fault -1 and a static reason in *err_r.
 */
int addr_parse(struct addr *a, const char *text, const char **err_r) MUST_CHECK;
/* "127.0.0.1:8080", "[::1]:8080", "unix:/path"; returns out. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* The same without the port: what rate limits and logs call a client. */
const char *addr_format_host(const struct addr *a, char out[ADDR_TEXT_MAX]);
/*
 * Whose address it is, as far as one who has many of them goes: an IPv4 address, the /64 of an IPv6 one; "" for a
 * UNIX socket.
 */
const char *addr_format_network(const struct addr *a, char out[ADDR_TEXT_MAX]);
/*
 * The host in 16 bytes, and back: IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2), and the unspecified address for the
 * nameless peer of a UNIX socket.
 */
struct in6_addr addr_pack(const struct addr *a, in_port_t *port_r);
struct addr addr_unpack(const struct in6_addr *host, in_port_t port);
/* A network as trusted_proxies has it: "10.0.0.0/8", "fd00::/8", or one address. */
struct addr_network {
	struct in6_addr host; /* as addr_pack gives it */
	unsigned bits;	      /* of it that count */
};
/* 0, or -1 where the text is none. */
int addr_network_parse(struct addr_network *n, const char *text) MUST_CHECK;
bool addr_network_holds(const struct addr_network *n, const struct addr *a);
/*
 * A host of the internet at large, by IANA's registries of special addresses: not loopback, private, link-local, shared
 * (RFC 6598), documentation, multicast or reserved, nor an IPv6 address that wraps an IPv4 one, but for a mapped one,
 * which is as public as what it maps. For calls to where a user or a configuration says; ask about the address that is
 * connected to, not about one that its name had before.
 */
bool addr_is_public(const struct addr *a);
/*
 * A non-blocking, close-on-exec listening socket, or -1 with a reason naming the step in *err_r. A
 * UNIX socket that nobody answers is replaced; one that somebody answers is "in use".
 *
 * Of what a TCP connection was given to send, its kernel takes ADDR_UNSENT_MAX bytes ahead: megabytes else, which no
 * budget of ours would count (net/backlog.h).
 */
#define ADDR_UNSENT_MAX (128 * 1024)
int addr_listen(const struct addr *a, int backlog, const char **err_r) MUST_CHECK;

#endif
