/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing SQL text. Decides how a value is quoted: as mysql_real_escape_string()
 * does for a connection in utf8mb4 without NO_BACKSLASH_ESCAPES, which settings.c makes
 * of every connection. In UTF-8 no byte of a longer character looks like ASCII, so
 * bytes can be escaped one by one, before there is a connection.
 */
#include "core/base.h"
#include "store/sql.h"

#include "core/clock.h"

/* What follows the backslash; 0: the byte stands for itself. */
static const char escapes[256] = {
	['\0'] = '0', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\', ['\''] = '\'', ['"'] = '"', ['\032'] = 'Z',
};

void sql_str(struct buf *b, struct str s)
{
	if (s.s == NULL) {
		sql_lit(b, "NULL");
		return;
	}
	char *start = buf_reserve(b, 2 * s.len + 2), *at = start;
	*at++ = '\'';
	for (size_t i = 0; i < s.len; i++) {
		char escape = escapes[(unsigned char)s.s[i]];
		if (escape != 0) {
			*at++ = '\\';
			*at++ = escape;
		} else {
			*at++ = s.s[i];
		}
	}
	*at++ = '\'';
	b->len += (size_t)(at - start);
}

void sql_bytes(struct buf *b, struct str s)
{
	char *at = buf_reserve(b, 2 * s.len + 3);
	*at++ = 'X';
	*at++ = '\'';
	for (size_t i = 0; i < s.len; i++) {
		hex_put(at, 2, (unsigned char)s.s[i]);
		at += 2;
	}
	*at = '\'';
	b->len += 2 * s.len + 3;
}

void sql_like(struct buf *b, const char *before, struct str s, const char *after)
{
	struct buf pattern = {0};
	buf_append_str(&pattern, str_from(before));
	for (size_t i = 0; i < s.len; i++) {
		if (s.s[i] == '%' || s.s[i] == '_' || s.s[i] == '\\')
			buf_append_char(&pattern, '\\');
		buf_append_char(&pattern, s.s[i]);
	}
	buf_append_str(&pattern, str_from(after));
	sql_str(b, (struct str){pattern.data, pattern.len});
	buf_fini(&pattern);
}

void sql_name(struct buf *b, const char *name)
{
	buf_append_char(b, '`');
	for (; *name != '\0'; name++) {
		if (*name == '`')
			buf_append_char(b, '`');
		buf_append_char(b, *name);
	}
	buf_append_char(b, '`');
}

void sql_time(struct buf *b, int64_t ms)
{
	if (ms == 0) {
		sql_lit(b, "NULL");
		return;
	}
	char text[CLOCK_SQL_LEN + 1];
	clock_format_sql(text, ms);
	buf_append_char(b, '\'');
	buf_append(b, text, CLOCK_SQL_LEN);
	buf_append_char(b, '\'');
}

void sql_now(struct buf *b)
{
	int64_t shift_ms = clock_shift_ms();
	sql_lit(b, "UTC_TIMESTAMP(3)");
	if (shift_ms != 0)
		buf_printf(b, "+INTERVAL %lld MICROSECOND", (long long)shift_ms * 1000);
}

void sql_pair(struct buf *b, struct str first, struct str second)
{
	buf_append_char(b, '(');
	sql_str(b, first);
	buf_append_char(b, ',');
	sql_str(b, second);
	buf_append_char(b, ')');
}

void sql_expect(struct buf *b, uint64_t rows)
{
	sql_lit(b, "SET @short=IF(ROW_COUNT()<>");
	sql_u64(b, rows);
	/* A subquery with two rows is an error once it is evaluated. */
	sql_lit(b, ",(SELECT 1 UNION SELECT 2),0)");
}
