/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name server in the test's own loop, on a free port of 127.0.0.1, by UDP and TCP. It knows one name at a time, with
 * addresses that the test sets, and answers as the test says.
 */
#ifndef TIDINGS_T_UNIT_CORE_DNS_H
#define TIDINGS_T_UNIT_CORE_DNS_H

#include "core/base.h"
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum dns_mode { DNS_TELLS, DNS_SILENT, DNS_FAILS, DNS_TRUNCATES, DNS_TELLS_A_ONLY, DNS_TALKS_RUBBISH };

static struct {
	char servers[32]; /* for lookup_set_servers() */
	enum dns_mode mode;
	const char *a, *aaaa; /* with spaces between; "": none. Both NULL: there is no such name */
	unsigned asked;
	int udp, tcp;
	struct event *on_udp, *on_tcp;
} dns;

static size_t dns_put_records(unsigned char *at, const char *list, int family, unsigned *count)
{
	unsigned char *begin = at;
	char *copy = xstrdup(list), *rest = copy, *one;
	while ((one = strsep(&rest, " ")) != NULL) {
		size_t size = family == AF_INET ? 4 : 16;
		if (*one == '\0')
			continue;
		/* A pointer to the question's name, the type, the class IN, a TTL of a day, the address. */
		const unsigned char head[] = {0xc0, 12,	 0, family == AF_INET ? 1 : 28, 0, 1, 0, 1,
					      0x51, 128, 0, (unsigned char)size};
		memcpy(at, head, sizeof(head));
		inet_pton(family, one, at + sizeof(head));
		at += sizeof(head) + size;
		++*count;
	}
	free(copy);
	return (size_t)(at - begin);
}

/* The answer to a question of `len` bytes, in place. Its length; 0: none. */
static size_t dns_answer(unsigned char *packet, size_t len, bool by_udp)
{
	size_t question = 12;
	unsigned count = 0;
	dns.asked++;
	if (dns.mode == DNS_SILENT || len < 17)
		return 0;
	while (question < len && packet[question] != 0)
		question += 1u + packet[question];
	unsigned type = packet[question + 2];
	bool known = dns.a != NULL || dns.aaaa != NULL;
	if (dns.mode == DNS_TELLS_A_ONLY && type == 28)
		return 0;
	packet[2] = 0x84;
	packet[3] = (unsigned char)(0x80 | (dns.mode == DNS_FAILS ? 2 : known ? 0 : 3));
	packet[10] = packet[11] = 0; /* what there was of EDNS is gone */
	size_t end = question + 5;
	if (dns.mode == DNS_TALKS_RUBBISH) {
		memset(packet + 6, 0xff, 6);
		return end;
	}
	if (dns.mode == DNS_TRUNCATES && by_udp)
		packet[2] |= 2;
	else if (known && dns.mode != DNS_FAILS && type == 1 && dns.a != NULL)
		end += dns_put_records(packet + end, dns.a, AF_INET, &count);
	else if (known && dns.mode != DNS_FAILS && type == 28 && dns.aaaa != NULL)
		end += dns_put_records(packet + end, dns.aaaa, AF_INET6, &count);
	packet[6] = 0;
	packet[7] = (unsigned char)count;
	return end;
}

static void dns_on_udp(evutil_socket_t fd, short what, void *arg)
{
	unsigned char packet[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	size_t len = n > 0 ? dns_answer(packet, (size_t)n, true) : 0;
	if (len != 0 && sendto(fd, packet, len, 0, (struct sockaddr *)&from, from_len) < 0)
		perror("# sendto");
}

/* One question a connection, and it comes whole: both are on this machine. */
static void dns_on_question(evutil_socket_t fd, short what, void *arg)
{
	unsigned char packet[4098];
	ssize_t n = recv(fd, packet, 514, 0);
	size_t len = n > 2 ? dns_answer(packet + 2, (size_t)n - 2, false) : 0;
	packet[0] = (unsigned char)(len >> 8);
	packet[1] = (unsigned char)len;
	if (len != 0 && send(fd, packet, len + 2, MSG_NOSIGNAL) < 0)
		perror("# send");
	close(fd);
}

static void dns_on_tcp(evutil_socket_t fd, short what, void *arg)
{
	int conn = accept(fd, NULL, NULL);
	if (conn >= 0)
		event_base_once(arg, conn, EV_READ, dns_on_question, NULL, NULL);
}

static inline void dns_start(struct event_base *base)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	/* A port that is free for both. */
	for (int i = 0; i < 100; i++) {
		at.sin_port = 0;
		dns.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		dns.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(dns.udp, (struct sockaddr *)&at, len) == 0 &&
		    getsockname(dns.udp, (struct sockaddr *)&at, &len) == 0 &&
		    bind(dns.tcp, (struct sockaddr *)&at, len) == 0 && listen(dns.tcp, 16) == 0)
			break;
		close(dns.udp);
		close(dns.tcp);
	}
	snprintf(dns.servers, sizeof(dns.servers), "127.0.0.1:%u", ntohs(at.sin_port));
	dns.on_udp = event_new(base, dns.udp, EV_READ | EV_PERSIST, dns_on_udp, NULL);
	dns.on_tcp = event_new(base, dns.tcp, EV_READ | EV_PERSIST, dns_on_tcp, base);
	event_add(dns.on_udp, NULL);
	event_add(dns.on_tcp, NULL);
}

static inline void dns_stop(void)
{
	event_free(dns.on_udp);
	event_free(dns.on_tcp);
	close(dns.udp);
	close(dns.tcp);
}

#endif
