/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/sent_hash.h"

#include "core/buf.h"
#include "core/hmac.h"
#include "core/media_ref.h"
#include "store/sticker.h"

/* Each with its length, so that nothing of one can be taken for another's. */
static void put(struct buf *out, struct str s)
{
	buf_append_u64(out, s.len);
	buf_append_char(out, s.s != NULL ? ':' : '-');
	buf_append_str(out, s);
}

static void put_number(struct buf *out, uint64_t n)
{
	buf_append_u64(out, n);
	buf_append_char(out, ';');
}

/* As send_same_fields() compares it. */
static void put_media(struct buf *out, const struct store_send *p)
{
	struct str file = media_ref_id(p->media_url);
	if (p->type == MESSAGE_STICKER) {
		put(out, sticker_named_in(p->extra));
		return;
	}
	put(out, file.s != NULL ? file : p->media_url);
	put(out, p->extra);
}

void sent_hash(const struct store_send *p, unsigned char out[SENT_HASH_LEN])
{
	unsigned char whole[HMAC_SHA256_LEN];
	struct buf text = {0};
	put(&text, p->from);
	put(&text, p->client_msg_id);
	put_number(&text, p->type);
	put(&text, p->content);
	put_media(&text, p);
	put(&text, p->entities);
	put_number(&text, p->reply_to);
	put_number(&text, p->expires_in_secs);
	put_number(&text, p->mentions_all);
	for (size_t i = 0; i < p->mention_count; i++)
		put(&text, p->mention[i]);
	hmac_sha256("sent", 4, (struct str){text.data, text.len}, whole);
	memcpy(out, whole, SENT_HASH_LEN);
	buf_fini(&text);
}
