/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves that no value can leave its quotes, and that absent values are NULL. */
#include "core/base.h"
#include "store/sql.h"

#include "../tap.h"

static const char *quoted(struct str s)
{
	static struct buf b;
	buf_clear(&b);
	sql_str(&b, s);
	return buf_cstr(&b);
}

int main(void)
{
	is_str(quoted(STR_LIT("plain")), "'plain'", "a plain text");
	is_str(quoted(STR_LIT("")), "''", "an empty one");
	is_str(quoted(STR_NULL), "NULL", "an absent one");
	is_str(quoted(STR_LIT("it's")), "'it\\'s'", "a quote");
	is_str(quoted(STR_LIT("\\")), "'\\\\'", "a backslash at the end");
	is_str(quoted(STR_LIT("\\' OR 1=1 -- ")), "'\\\\\\' OR 1=1 -- '", "a backslash before a quote");
	is_str(quoted(STR_LIT("a\0b\n\r\032\"")), "'a\\0b\\n\\r\\Z\\\"'", "NUL, line ends, Ctrl-Z, double quote");
	is_str(quoted(STR_LIT("\xe4\xbd\xa0\xe5\xa5\xbd")), "'\xe4\xbd\xa0\xe5\xa5\xbd'", "UTF-8 as it is");

	/* Whatever the bytes: between the outer quotes each quote and backslash has its own backslash. */
	bool whole = true;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		const char *q = quoted((struct str){&byte, 1});
		size_t len = strlen(q);
		whole = whole && q[0] == '\'' && q[len - 1] == '\'' && (len == 3 || (len == 4 && q[1] == '\\')) &&
			!(len == 3 && (q[1] == '\'' || q[1] == '\\'));
	}
	ok(whole, "every byte stays between the quotes");

	struct buf b = {0};
	sql_pair(&b, STR_LIT("a"), STR_LIT("b'"));
	is_str(buf_cstr(&b), "('a','b\\'')", "a pair");
	buf_clear(&b);
	sql_time(&b, 0);
	is_str(buf_cstr(&b), "NULL", "no time");
	buf_clear(&b);
	sql_time(&b, INT64_C(1763866881123));
	is_str(buf_cstr(&b), "'2025-11-23 03:01:21.123'", "a time");
	buf_fini(&b);
	return done_testing();
}
