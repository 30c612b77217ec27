/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of conversations, catching up and one conversation, for tests: what an answer lends is copied. Each answer is
 * good until the next. */
#ifndef TIDINGS_T_STORE_LISTS_H
#define TIDINGS_T_STORE_LISTS_H

#include "core/base.h"

#include "calls.h"
#include "store/store.h"

struct list_answer {
	bool done;
	enum store_status status;
	struct conversation c[101];
	size_t count;
	bool has_more;
	struct store_cursor next;
};

static inline void on_conversations(const struct store_conversations *r, void *arg)
{
	struct list_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->has_more = r->has_more;
	a->next = r->next;
	for (size_t i = 0; i < r->count; i++)
		a->c[i] = keep_conversation(&r->item[i]);
	answered(&a->done);
}

static inline struct list_answer *do_list(struct store *s, const char *user, unsigned limit, struct store_cursor after)
{
	static struct list_answer a;
	a = (struct list_answer){0};
	store_list_conversations(s, str_from(user), limit, after, on_conversations, &a);
	wait_for(&a.done);
	return &a;
}

struct sync_answer {
	bool done;
	enum store_status status;
	struct store_sync_item item[STORE_SYNC_ITEMS_MAX];
	size_t count;
	struct store_cursor cursor;
	bool more;
	uint64_t gone[STORE_SYNC_LISTED_MAX];
	size_t gone_count;
};

static inline void on_synced(const struct store_synced *r, void *arg)
{
	struct sync_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->cursor = r->cursor;
	a->more = r->more;
	a->gone_count = r->gone_count;
	for (size_t i = 0; i < r->gone_count; i++)
		a->gone[i] = r->gone[i];
	for (size_t i = 0; i < r->count; i++) {
		const struct store_sync_item *from = &r->item[i];
		struct store_sync_item *to = &a->item[i];
		*to = *from;
		to->conversation = keep_conversation(&from->conversation);
		struct message *m = arena_alloc(&kept, from->message_count * sizeof(*m));
		for (size_t k = 0; k < from->message_count; k++)
			m[k] = keep_message(&from->message[k]);
		to->message = m;
		size_t size = from->change_count * sizeof(*from->change);
		to->change = size != 0 ? memcpy(arena_alloc(&kept, size), from->change, size) : NULL;
	}
	answered(&a->done);
}

static inline struct sync_answer *do_sync(struct store *s, const char *user, const struct store_sync_have *have,
					  size_t n, const struct store_cursor *since, unsigned limit)
{
	static struct sync_answer a;
	a = (struct sync_answer){0};
	struct store_sync_request p = {
		.user = str_from(user), .have = have, .have_count = n, .has_since = since != NULL, .limit = limit};
	if (since != NULL)
		p.since = *since;
	store_sync(s, &p, on_synced, &a);
	wait_for(&a.done);
	return &a;
}

/* ---- one ---- */

struct found_conversation {
	bool done;
	enum store_status status;
	struct conversation c;
};

static inline void on_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct found_conversation *a = arg;
	a->status = status;
	if (c != NULL)
		a->c = keep_conversation(c);
	answered(&a->done);
}

static inline struct found_conversation do_find(struct store *s, const char *user, uint64_t id)
{
	struct found_conversation a = {0};
	store_find_conversation(s, str_from(user), id, on_found, &a);
	wait_for(&a.done);
	return a;
}

#endif
