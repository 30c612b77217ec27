/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers: whole, byte by byte, with what follows them, and everything that is none. */
#include "core/base.h"
#include "net/proxy_header.h"

#include "../tap.h"

#include <stdlib.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct proxy_header header;
static const char *reason;
static char text[ADDR_TEXT_MAX];

static int parse(const char *data, size_t len)
{
	return proxy_header_parse(data, len, &header, &reason);
}

/* Its length, having been asked for more at every byte before its end; -1 if refused. */
static int parse_bytewise(const char *data, size_t len)
{
	for (size_t i = 1; i <= len; i++) {
		/* In memory of its own, so that a read beyond it is seen. */
		char *part = xmalloc(i);
		memcpy(part, data, i);
		int n = parse(part, i);
		free(part);
		if (n != 0)
			return n;
	}
	return 0;
}

static const char *source(void)
{
	return header.has_source ? addr_format(&header.source, text) : "none";
}

#define whole(lit, want)                                                                                               \
	do {                                                                                                           \
		static const char bytes_[] = lit "GET / HTTP/1.1\r\n";                                                 \
		is_int(parse(bytes_, sizeof(bytes_) - 1), sizeof(lit) - 1, "length, what follows left alone");         \
		is_str(source(), want, "source %s", want);                                                             \
		is_int(parse_bytewise(bytes_, sizeof(lit) - 1), sizeof(lit) - 1, "byte by byte as well");              \
		is_str(source(), want, "the same");                                                                    \
	} while (0)

#define refused(lit)                                                                                                   \
	do {                                                                                                           \
		static const char bytes_[] = lit;                                                                      \
		reason = NULL;                                                                                         \
		ok(parse_bytewise(bytes_, sizeof(bytes_) - 1) == -1 && reason != NULL, "refused: %s", #lit);           \
		ok(!header.has_source, "with no source");                                                              \
	} while (0)

#define V4 "\x0a\x01\x02\x03\xc0\xa8\x00\x01\x30\x39\x01\xbb"
#define V6                                                                                                             \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                                   \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"                                                                   \
	"\xff\xff\x01\xbb"

int main(void)
{
	whole("PROXY TCP4 10.1.2.3 192.168.0.1 12345 443\r\n", "10.1.2.3:12345");
	whole("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535");
	whole("PROXY TCP6 2001:db8::1 2001:db8::2 65535 443\r\n", "[2001:db8::1]:65535");
	whole("PROXY UNKNOWN\r\n", "none");
	whole("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "none");
	whole(SIGNATURE "\x21\x11\x00\x0c" V4, "10.1.2.3:12345");
	whole(SIGNATURE "\x21\x11\x00\x14" V4 "\x04\x00\x05hello", "10.1.2.3:12345");
	whole(SIGNATURE "\x21\x21\x00\x24" V6, "[2001:db8::1]:65535");
	whole(SIGNATURE "\x20\x00\x00\x00", "none");
	whole(SIGNATURE "\x20\x11\x00\x0c" V4, "none");
	whole(SIGNATURE "\x21\x00\x00\x03xyz", "none");

	refused("GET / HTTP/1.1\r\n");
	refused("PROXX");
	refused("PROXY  TCP4 10.1.2.3 192.168.0.1 12345 443\r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 12345 443\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 12345 443 \r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 12345 443 1\r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 12345\r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 65536 443\r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 -1 443\r\n");
	refused("PROXY TCP4 10.1.2.3 192.168.0.1 012 443\r\n");
	refused("PROXY TCP4 2001:db8::1 192.168.0.1 1 443\r\n");
	refused("PROXY TCP6 10.1.2.3 2001:db8::2 1 443\r\n");
	refused("PROXY TCP4 10.1.2 192.168.0.1 1 443\r\n");
	refused("PROXY UDP4 10.1.2.3 192.168.0.1 1 443\r\n");
	refused("PROXY TCP4 10.1.2.3\0 192.168.0.1 1 443\r\n");
	refused("PROXY \r\n");
	refused("PROXY UNKNOWN "
		"45678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\r\n");
	refused(SIGNATURE "\x11\x11\x00\x0c" V4);
	refused(SIGNATURE "\x22\x11\x00\x0c" V4);
	refused(SIGNATURE "\x21\x12\x00\x0c" V4);
	refused(SIGNATURE "\x21\x11\x00\x0b" V4);
	refused(SIGNATURE "\x21\x21\x00\x0c" V4);
	refused(SIGNATURE "\x21\x11\xff\xff" V4);
	refused("\r\n\r\n\0\r\nQUIT\r");
	return done_testing();
}
