/* SPDX-License-Identifier: BSD-2-Clause */
/* Folds nicknames, and cuts them into the rows by which they are found. */
#include "core/base.h"
#include "store/names.h"

#include <stdlib.h>

#include "core/fold.h"
#include "core/utf8.h"
#include "store/sql.h"

static size_t put_char(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)((0xf00 >> len) | c);
	return len;
}

void name_fold(struct name_folded *out, struct str name)
{
	struct fold f = {0};
	out->len = 0;
	if (name.s == NULL || !utf8_valid(name.s, name.len))
		return;
	while (fold_next(&f, name)) {
		for (unsigned i = 0; i < f.count; i++) {
			if (out->len + 4 > sizeof(out->text))
				return;
			/* Control characters would sort before the space that the database pads with. */
			out->len += put_char(out->text + out->len, f.c[i] < ' ' ? ' ' : f.c[i]);
		}
	}
}

bool name_contains(const struct name_folded *name, const struct name_folded *query)
{
	return memmem(name->text, name->len, query->text, query->len) != NULL;
}

struct str name_part(const struct name_folded *n, size_t at)
{
	struct str s = utf8_head((struct str){n->text + at, n->len - at}, NAME_PART_CHARS);
	while (s.len > 0 && s.s[s.len - 1] == ' ')
		s.len--;
	return s;
}

static int compare(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	int c = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);
	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* Sorted, none empty, each once. Returns how many. */
static size_t find_parts(const struct name_folded *n, struct str out[NAME_PLACES_MAX])
{
	size_t found = 0, count = 0;
	for (size_t at = 0; at < n->len && found < NAME_PLACES_MAX; at++) {
		if (((unsigned char)n->text[at] & 0xc0) == 0x80)
			continue;
		out[found] = name_part(n, at);
		found += out[found].len != 0;
	}
	qsort(out, found, sizeof(*out), compare);
	for (size_t i = 0; i < found; i++) {
		if (count == 0 || compare(&out[i], &out[count - 1]) != 0)
			out[count++] = out[i];
	}
	return count;
}

void names_rows(struct buf *out, struct str nickname)
{
	struct name_folded n;
	struct str part[NAME_PLACES_MAX];
	name_fold(&n, nickname);
	size_t count = find_parts(&n, part);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_char(out, '\n');
		buf_append_str(out, part[i]);
	}
}

void names_put_if(struct buf *text, const char *holds, struct str user, struct str nickname)
{
	struct name_folded n;
	struct str part[NAME_PLACES_MAX];
	name_fold(&n, nickname);
	size_t count = find_parts(&n, part);
	sql_next(text);
	sql_lit(text, "DELETE FROM user_names WHERE user_id=");
	sql_str(text, user);
	buf_printf(text, " AND %s", holds);
	for (size_t i = 0; i < count; i++) {
		buf_append_str(text, i == 0 ? STR_LIT(";INSERT INTO user_names (part,user_id) SELECT ")
					    : STR_LIT(" UNION ALL SELECT "));
		sql_str(text, part[i]);
		buf_append_char(text, ',');
		sql_str(text, user);
		buf_printf(text, " FROM DUAL WHERE %s", holds);
	}
}

void names_put(struct buf *text, struct str user, struct str nickname)
{
	names_put_if(text, "TRUE", user, nickname);
}
