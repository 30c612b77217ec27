/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/media_ref.h"

#include "core/log.h"
#include "core/utf8.h"

#include <ctype.h>
#include <sys/random.h>

static const struct str scheme = STR_LIT("tidings:media/");

bool media_id_valid(struct str s)
{
	if (s.s == NULL || s.len != MEDIA_ID_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] == '\0' || strchr(HEX_DIGITS, s.s[i]) == NULL)
			return false;
	return true;
}

void media_id_make(char out[MEDIA_ID_LEN + 1])
{
	unsigned char bytes[MEDIA_ID_LEN / 2];
	ASSERT(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		hex_put(out + 2 * i, 2, bytes[i]);
	out[MEDIA_ID_LEN] = '\0';
}

struct str media_ref_id(struct str ref)
{
	if (ref.s == NULL || ref.len < scheme.len + MEDIA_ID_LEN || memcmp(ref.s, scheme.s, scheme.len) != 0)
		return STR_NULL;
	struct str id = {ref.s + scheme.len, MEDIA_ID_LEN};
	bool ends = ref.len == scheme.len + MEDIA_ID_LEN || ref.s[scheme.len + MEDIA_ID_LEN] == '/';
	return ends && media_id_valid(id) ? id : STR_NULL;
}

struct str media_ref_name(struct str ref)
{
	const size_t before = scheme.len + MEDIA_ID_LEN + 1;
	if (media_ref_id(ref).s == NULL || ref.len <= before)
		return STR_NULL;
	return (struct str){ref.s + before, ref.len - before};
}

bool media_ref_same(struct str a, struct str b)
{
	struct str id_a = media_ref_id(a), id_b = media_ref_id(b);
	return id_a.s != NULL && id_b.s != NULL ? str_equal(id_a, id_b) : str_equal(a, b);
}

void media_ref_put(struct buf *out, struct str id, struct str name)
{
	buf_append_str(out, scheme);
	buf_append_str(out, id);
	buf_append_char(out, '/');
	media_name_put(out, name);
}

void media_name_put(struct buf *out, struct str name)
{
	static const char plain[] = "-._~";
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.s[i];
		char escape[3] = "%";
		if (c < 0x80 && (isalnum(c) || (c != '\0' && strchr(plain, c) != NULL))) {
			buf_append_char(out, (char)c);
			continue;
		}
		escape[1] = "0123456789ABCDEF"[c >> 4];
		escape[2] = "0123456789ABCDEF"[c & 15];
		buf_append(out, escape, sizeof(escape));
	}
}

size_t media_name_clean(struct str in, char *out)
{
	static const char otherwise[] = "file";
	size_t len = utf8_name(in, out);
	for (size_t i = 0; i < len; i++)
		if (out[i] == '/' || out[i] == '\\')
			out[i] = '_';
	bool is_dots = (len == 1 && out[0] == '.') || (len == 2 && out[0] == '.' && out[1] == '.');
	if (len != 0 && !is_dots)
		return len;
	memcpy(out, otherwise, sizeof(otherwise) - 1);
	return sizeof(otherwise) - 1;
}
