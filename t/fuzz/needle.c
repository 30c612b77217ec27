/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any texts as what somebody searches for, up to the first line feed, and where: what is found is found in a filter,
 * too, and its ranges lie within the text and in order.
 */
#include "core/base.h"

#include <stdlib.h>

#include "core/needle.h"
#include "core/signature.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t utf16_units(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((uint8_t)s.s[i] & 0xC0) == 0x80 ? 0 : (uint8_t)s.s[i] >= 0xF0 ? 2 : 1;
	return n;
}

static void check_ranges(const struct needle *n, const struct words *w, struct str text)
{
	struct needle_range range[16];
	size_t count = needle_ranges(n, w, range, ARRAY_LEN(range)), end = 0, units = utf16_units(text);
	if (count == 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (range[i].length == 0 || (i != 0 && range[i].offset <= end) ||
		    range[i].offset + range[i].length > units)
			abort();
		end = range[i].offset + range[i].length;
	}
}

static void check_filter(const struct needle *n, const struct words *w)
{
	struct signature s = {0};
	struct buf filter = {0};
	struct signature_probe probe[SIGNATURE_PROBES_MAX];
	signature_add(&s, w);
	signature_put(&s, &filter);
	if (!signature_may_have((struct str){filter.data, filter.len}, probe, signature_probes(n, probe)))
		abort();
	buf_fini(&filter);
	signature_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Of its own memory, so that a byte read behind its end is seen. */
	char *copy = xmalloc(len != 0 ? len : 1);
	memcpy(copy, data, len);
	const char *feed = memchr(copy, '\n', len);
	size_t q_len = feed != NULL ? (size_t)(feed - copy) : len;
	struct str q = {copy, q_len},
		   text = {copy + (feed != NULL ? q_len + 1 : 0), feed != NULL ? len - q_len - 1 : len};
	struct needle n = {0};
	struct words w = {0}, none = {0};
	if (utf8_valid(q.s, q.len) && utf8_valid(text.s, text.len)) {
		needle_read(&n, q);
		words_read(&w, text, true);
		words_read(&none, STR_NULL, false);
		if (needle_is_in(&n, &w, &none)) {
			check_ranges(&n, &w, text);
			check_filter(&n, &w);
		}
	}
	needle_fini(&n);
	words_fini(&w);
	words_fini(&none);
	free(copy);
	return 0;
}
