/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a PROXY header: a line of text (version 1) or a binary block (version 2). */
#include "core/base.h"
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define V1_START "PROXY "
#define V1_MAX 107 /* with CRLF; section 2.1 */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_HEAD_LEN 16

enum v2_command { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum v2_family { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static void set_ipv4(struct addr *a, const void *host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;
	*a = (struct addr){.len = sizeof(*in)};
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, host, sizeof(in->sin_addr));
}

static void set_ipv6(struct addr *a, const void *host, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa;
	*a = (struct addr){.len = sizeof(*in6)};
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, host, sizeof(in6->sin6_addr));
}

/* ---- version 1 ---- */

/* The next field of the line, ended by one space or the line's end; "" if there is none. */
static const char *next_field(char **rest)
{
	char *field = *rest;
	char *space = strchr(field, ' ');
	if (space == NULL) {
		*rest = field + strlen(field);
	} else {
		*space = '\0';
		*rest = space + 1;
	}
	return field;
}

/* -1 where it is no port. */
static int parse_port(const char *text)
{
	size_t len = strlen(text);
	if (len < 1 || len > 5 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
		return -1;
	int port = atoi(text);
	return port <= 65535 ? port : -1;
}

static bool parse_v1_line(char *line, struct proxy_header *out)
{
	unsigned char source[16], target[16];
	const char *protocol = next_field(&line);
	if (strcmp(protocol, "UNKNOWN") == 0)
		return true; /* the rest of the line is to be ignored */
	size_t len = strlen(line);
	if (len > 0 && line[len - 1] == ' ')
		return false;
	bool v4 = strcmp(protocol, "TCP4") == 0;
	if (!v4 && strcmp(protocol, "TCP6") != 0)
		return false;
	int family = v4 ? AF_INET : AF_INET6;
	const char *source_text = next_field(&line), *target_text = next_field(&line);
	int source_port = parse_port(next_field(&line)), target_port = parse_port(next_field(&line));
	if (inet_pton(family, source_text, source) != 1 || inet_pton(family, target_text, target) != 1 ||
	    source_port < 0 || target_port < 0 || line[0] != '\0')
		return false;
	out->has_source = true;
	if (v4)
		set_ipv4(&out->source, source, (uint16_t)source_port);
	else
		set_ipv6(&out->source, source, (uint16_t)source_port);
	return true;
}

static int parse_v1(const char *data, size_t len, struct proxy_header *out, const char **err_r)
{
	char line[V1_MAX + 1];
	const size_t start = sizeof(V1_START) - 1;
	size_t shown = len < V1_MAX ? len : V1_MAX;
	const char *end = memchr(data, '\n', shown);
	if (end == NULL && len < V1_MAX)
		return 0;
	*err_r = "malformed PROXY header, version 1";
	if (end == NULL || (size_t)(end - data) < start + 1 || end[-1] != '\r')
		return -1;
	size_t line_len = (size_t)(end - 1 - data) - start;
	if (memchr(data, '\0', (size_t)(end - data)) != NULL)
		return -1;
	memcpy(line, data + start, line_len);
	line[line_len] = '\0';
	return parse_v1_line(line, out) ? (int)(end + 1 - data) : -1;
}

/* ---- version 2 ---- */

static int parse_v2(const unsigned char *data, size_t len, struct proxy_header *out, const char **err_r)
{
	if (len < V2_HEAD_LEN)
		return 0;
	size_t rest = (size_t)data[14] << 8 | data[15], whole = V2_HEAD_LEN + rest;
	const unsigned char *at = data + V2_HEAD_LEN;
	*err_r = "malformed PROXY header, version 2";
	if ((data[12] != V2_LOCAL && data[12] != V2_PROXY) || whole > PROXY_HEADER_MAX)
		return -1;
	if (len < whole)
		return 0;
	if (data[12] == V2_LOCAL)
		return (int)whole;
	switch (data[13]) {
	case V2_TCP4: /* source, target, their ports */
		if (rest < 12)
			return -1;
		out->has_source = true;
		set_ipv4(&out->source, at, (uint16_t)(at[8] << 8 | at[9]));
		return (int)whole;
	case V2_TCP6:
		if (rest < 36)
			return -1;
		out->has_source = true;
		set_ipv6(&out->source, at, (uint16_t)(at[32] << 8 | at[33]));
		return (int)whole;
	case V2_UNIX:
	case V2_UNSPEC:
		return (int)whole; /* it came through the balancer's own machine */
	default:
		return -1;
	}
}

int proxy_header_parse(const char *data, size_t len, struct proxy_header *out, const char **err_r)
{
	const size_t v1_start = sizeof(V1_START) - 1;
	*out = (struct proxy_header){.has_source = false};
	if (memcmp(data, V2_SIGNATURE, len < V2_SIGNATURE_LEN ? len : V2_SIGNATURE_LEN) == 0)
		return parse_v2((const unsigned char *)data, len, out, err_r);
	if (memcmp(data, V1_START, len < v1_start ? len : v1_start) == 0)
		return parse_v1(data, len, out, err_r);
	*err_r = "no PROXY header";
	return -1;
}
