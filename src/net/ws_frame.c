/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which form of a message a connection gets. */
#include "core/base.h"
#include "net/ws_frame.h"

#include <stdlib.h>

#include "core/log.h"
#include "net/ws_codec.h"
#include "net/ws_deflate.h"

struct ws_frame {
	unsigned refs;
	bool tried; /* to compress it */
	size_t text_len;
	uint64_t about;
	struct blob *plain;
	struct blob *packed; /* NULL: not tried, or no gain */
};

struct ws_frame *ws_frame_new(struct str text)
{
	struct ws_frame *f = xmalloc(sizeof(*f));
	*f = (struct ws_frame){.refs = 1, .text_len = text.len, .plain = ws_encode_text(text)};
	return f;
}

struct ws_frame *ws_frame_ref(struct ws_frame *f)
{
	ASSERT(f->refs != 0 && f->refs != UINT32_MAX);
	f->refs++;
	return f;
}

void ws_frame_unref(struct ws_frame *f)
{
	if (f == NULL)
		return;
	ASSERT(f->refs != 0);
	if (--f->refs != 0)
		return;
	blob_unref(f->plain);
	blob_unref(f->packed);
	free(f);
}

void ws_frame_set_about(struct ws_frame *f, uint64_t about)
{
	f->about = about;
}

uint64_t ws_frame_about(const struct ws_frame *f)
{
	return f->about;
}

static struct blob *pack(const struct ws_frame *f, struct ws_deflate *z)
{
	struct buf payload = {0};
	struct blob *packed = NULL;
	struct str text = {f->plain->data + f->plain->len - f->text_len, f->text_len};
	if (ws_deflate_pack(z, text, &payload))
		packed = ws_encode_packed((struct str){payload.data, payload.len});
	buf_fini(&payload);
	return packed;
}

struct blob *ws_frame_bytes(struct ws_frame *f, struct ws_deflate *z, unsigned window_bits)
{
	if (window_bits == 0 || (window_bits < WS_WINDOW_BITS_MAX && f->text_len > (size_t)1 << window_bits))
		return f->plain;
	if (!f->tried) {
		f->tried = true;
		f->packed = pack(f, z);
	}
	return f->packed != NULL ? f->packed : f->plain;
}
