/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a reference to a file, as its name, and as the headers of an upload. */
#include "core/base.h"

#include <stdlib.h>

#include "core/media_ref.h"
#include "core/utf8.h"
#include "media/tus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* A reference that is one is stored as one of the same file. */
static void reference(struct str in)
{
	struct str id = media_ref_id(in), name = media_ref_name(in);
	struct buf stored = {0};
	must(media_ref_same(in, in));
	if (id.s == NULL) {
		must(name.s == NULL);
		return;
	}
	must(media_id_valid(id));
	media_ref_put(&stored, id, name.s != NULL ? name : STR_LIT(""));
	must(media_ref_same(in, (struct str){stored.data, stored.len}));
	buf_fini(&stored);
}

static void name(struct str in)
{
	if (!utf8_valid(in.s, in.len))
		return;
	char *out = xmalloc(in.len + 4), *again = xmalloc(in.len + 8);
	struct str clean = {out, media_name_clean(in, out)};
	must(clean.len != 0 && clean.len <= in.len + 4 && utf8_valid(clean.s, clean.len));
	must(memchr(clean.s, '/', clean.len) == NULL && memchr(clean.s, '\\', clean.len) == NULL);
	must(!str_is(clean, ".") && !str_is(clean, ".."));
	must(str_equal(clean, (struct str){again, media_name_clean(clean, again)}));
	struct buf path = {0};
	media_name_put(&path, clean);
	for (size_t i = 0; i < path.len; i++)
		must(path.data[i] > ' ' && path.data[i] < 0x7f && strchr("/?#\"<>\\", path.data[i]) == NULL);
	buf_fini(&path);
	free(out);
	free(again);
}

static void headers(struct str in)
{
	char digest[CHECKSUM_BYTES_MAX];
	enum upload_checksum kind;
	const char *algorithm;
	size_t n;
	struct str value = tus_metadata(in, "filename"), type = tus_media_type(in, 127);
	if (value.s != NULL) {
		char *out = xmalloc(TUS_BASE64_ROOM(value.len));
		must(value.s >= in.s && value.s + value.len <= in.s + in.len);
		if (tus_base64(value, out, &n) == 0)
			must(n <= value.len / 4 * 3 && n + 3 > value.len / 4 * 3);
		free(out);
	}
	if (tus_checksum(in, &kind, digest, &n, &algorithm) == TUS_CHECKSUM_OK)
		must(n <= sizeof(digest) && kind != CHECKSUM_NONE);
	if (type.s != NULL)
		must(type.len <= 127 && memchr(type.s, '\n', type.len) == NULL &&
		     memchr(type.s, '/', type.len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* A copy without room behind it, so that a byte read beyond its end is noticed. */
	char *copy = xmalloc(len + (len == 0));
	const struct str in = {copy, len};
	memcpy(copy, data, len);
	reference(in);
	name(in);
	headers(in);
	free(copy);
	return 0;
}
