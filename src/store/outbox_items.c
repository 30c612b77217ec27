/* SPDX-License-Identifier: BSD-2-Clause */
/* The items of a row of the outbox as bytes. */
#include "core/base.h"
#include "store/outbox_items.h"

#include "core/id.h"
#include "core/log.h"

void outbox_put_id(struct buf *items, enum outbox_kind kind, uint64_t id)
{
	char bytes[1 + 8] = {(char)kind};
	for (int i = 8; i > 0; i--, id >>= 8)
		bytes[i] = (char)(id & 0xff);
	buf_append(items, bytes, sizeof(bytes));
}

void outbox_put_user(struct buf *items, struct str user)
{
	ASSERT(id_user_valid(user));
	buf_append_char(items, (char)OUTBOX_USER);
	buf_append_char(items, (char)user.len);
	buf_append_str(items, user);
}

void outbox_put_text(struct buf *items, struct str text)
{
	for (size_t at = 0; at < text.len; at += 8) {
		char bytes[1 + 8] = {(char)OUTBOX_TEXT};
		memcpy(bytes + 1, text.s + at, text.len - at < 8 ? text.len - at : 8);
		buf_append(items, bytes, sizeof(bytes));
	}
}

void outbox_put_about(struct buf *items, enum outbox_kind kind, uint64_t id, struct str user)
{
	outbox_put_id(items, kind, id);
	outbox_put_text(items, user);
}

static bool take_user(struct str items, size_t *at, struct outbox_item *item)
{
	size_t len = *at < items.len ? (unsigned char)items.s[*at] : 0;
	if (len == 0 || len >= items.len - *at)
		return false;
	item->user = (struct str){items.s + *at + 1, len};
	*at += 1 + len;
	return id_user_valid(item->user);
}

static bool take_id(struct str items, size_t *at, struct outbox_item *item)
{
	if (items.len - *at < 8)
		return false;
	item->text = (struct str){items.s + *at, strnlen(items.s + *at, 8)};
	for (int i = 0; i < 8; i++)
		item->id = item->id << 8 | (unsigned char)items.s[(*at)++];
	return true;
}

int outbox_next(struct str items, size_t *at, struct outbox_item *item_r)
{
	if (*at >= items.len)
		return 0;
	*item_r = (struct outbox_item){.kind = (enum outbox_kind)items.s[(*at)++]};
	bool fine = item_r->kind == OUTBOX_USER ? take_user(items, at, item_r) : take_id(items, at, item_r);
	return fine ? 1 : -1;
}
