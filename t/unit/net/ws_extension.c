/* SPDX-License-Identifier: BSD-2-Clause */
/* Sec-WebSocket-Extensions: which offers are taken, passed over, or no offers at all. */
#include "core/base.h"
#include "net/ws_extension.h"

#include <stdlib.h>

#include "../tap.h"

#define PMD "permessage-deflate"
#define MALFORMED (-1)

static const struct {
	const char *value;
	int window_bits; /* 0: none taken; MALFORMED */
	bool asked;
} table[] = {
	{"", 0, false},
	{" , ,, ", 0, false},
	{PMD, 15, false},
	{"  " PMD "\t", 15, false},
	{"," PMD ",", 15, false},
	{PMD "; client_max_window_bits", 15, false},
	{PMD ";client_max_window_bits;server_no_context_takeover;client_no_context_takeover", 15, false},
	{PMD " ; server_max_window_bits = 10 ; client_max_window_bits = 8", 10, true},
	{PMD "; server_max_window_bits=15", 15, true},
	{PMD "; server_max_window_bits=9", 9, true},
	{PMD "; server_max_window_bits=\"12\"", 12, true},
	{PMD "; server_max_window_bits=\"\\1\\2\"", 12, true},
	{PMD "; client_max_window_bits=\"9\"", 15, false},

	/* well formed, not acceptable */
	{"permessage-deflat", 0, false},
	{PMD "2", 0, false},
	{"Permessage-Deflate", 0, false},
	{"x-webkit-deflate-frame", 0, false},
	{"x-unknown; a=1; b=\"two\"; a", 0, false},
	{PMD "; unknown", 0, false},
	{PMD "; server_no_context_takeover=1", 0, false},
	{PMD "; client_no_context_takeover=true", 0, false},
	{PMD "; server_no_context_takeover; server_no_context_takeover", 0, false},
	{PMD "; client_max_window_bits; client_max_window_bits=10", 0, false},
	{PMD "; server_max_window_bits=12; server_max_window_bits=12", 0, false},
	{PMD "; server_max_window_bits", 0, false},
	{PMD "; server_max_window_bits=8", 0, false},
	{PMD "; server_max_window_bits=7", 0, false},
	{PMD "; server_max_window_bits=16", 0, false},
	{PMD "; server_max_window_bits=09", 0, false},
	{PMD "; server_max_window_bits=1", 0, false},
	{PMD "; server_max_window_bits=150", 0, false},
	{PMD "; server_max_window_bits=1500000000000000000000", 0, false},
	{PMD "; server_max_window_bits=1x", 0, false},
	{PMD "; server_max_window_bits=+9", 0, false},
	{PMD "; client_max_window_bits=16", 0, false},
	{PMD "; client_max_window_bits=0", 0, false},

	/* several */
	{"x-unknown, " PMD, 15, false},
	{PMD "; unknown, " PMD "; server_max_window_bits=11, " PMD, 11, true},
	{PMD "; server_max_window_bits=8, " PMD, 15, false},
	{PMD "; server_max_window_bits=10, " PMD, 10, true},
	{"x; y=\"a\\b\"," PMD, 15, false},

	/* not what RFC 6455 section 9.1 says */
	{";", MALFORMED, false},
	{PMD ";", MALFORMED, false},
	{PMD "; ", MALFORMED, false},
	{PMD "; ,x", MALFORMED, false},
	{PMD "; =1", MALFORMED, false},
	{PMD "; client_max_window_bits=", MALFORMED, false},
	{PMD "; client_max_window_bits=\"\"", MALFORMED, false},
	{PMD "; client_max_window_bits=\"10", MALFORMED, false},
	{PMD "; client_max_window_bits=\"10\\", MALFORMED, false},
	{PMD "; client_max_window_bits=\"1 0\"", MALFORMED, false},
	{PMD "; client_max_window_bits=\"a\\\"b\"", MALFORMED, false},
	{PMD "; client_max_window_bits=\"10\"0", MALFORMED, false},
	{PMD "; client_max_window_bits=10=10", MALFORMED, false},
	{PMD " x", MALFORMED, false},
	{PMD "/x", MALFORMED, false},
	{"\"" PMD "\"", MALFORMED, false},
	{PMD ", x;", MALFORMED, false},
	{"x y, " PMD, MALFORMED, false},
	{PMD "\xc3\xa9", MALFORMED, false},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct ws_terms t = {0};
		/* Memory of its own, so that a read beyond it is seen. */
		size_t len = strlen(table[i].value);
		char *copy = xmalloc(len);
		memcpy(copy, table[i].value, len);
		int rc = ws_extension_read((struct str){copy, len}, &t);
		free(copy);
		is_int(rc != 0 ? MALFORMED : t.window_bits, table[i].window_bits, "'%s'", table[i].value);
		if (rc == 0)
			is_int(t.window_asked, table[i].asked, "whether it named its window");
	}
}

static void test_lines(void)
{
	struct ws_terms t = {0};
	struct buf answer = {0};
	is_int(ws_extension_read(STR_LIT("x-unknown"), &t), 0, "a line");
	is_int(ws_extension_read(STR_LIT(PMD "; server_max_window_bits=10"), &t), 0, "another");
	is_int(ws_extension_read(STR_LIT(PMD), &t), 0, "and another");
	is_int(t.window_bits, 10, "the first acceptable offer of all is taken");
	ws_extension_answer(&t, &answer);
	is_str(buf_cstr(&answer),
	       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
	       "server_max_window_bits=10\r\n",
	       "the answer names the window if the offer did");
	buf_clear(&answer);
	t = (struct ws_terms){.window_bits = 15};
	ws_extension_answer(&t, &answer);
	is_str(buf_cstr(&answer),
	       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
	       "client_no_context_takeover\r\n",
	       "and not otherwise");
	buf_fini(&answer);
}

int main(void)
{
	test_table();
	test_lines();
	return done_testing();
}
