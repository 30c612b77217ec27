/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of conversations, catching up and one conversation, for tests: what an answer lends is copied. Each answer is
 * good until the next. */
#ifndef TIDINGS_T_STORE_LISTS_H
#define TIDINGS_T_STORE_LISTS_H

#include "core/base.h"

#include "calls.h"
#include "db.h"
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
	store_list_conversations(s, str_from(user), false, limit, after, on_conversations, &a);
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

/* A conversation with messages 1 to `all`, from one to other. */
static inline uint64_t fill_conversation(struct store *s, const char *one, const char *other, int all)
{
	db_befriend(one, other);
	uint64_t id = message_id_conversation(do_text(s, one, other, "first", NULL).m.id);
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "%llu<<28|seq,'%s','%s',0,'x',CONCAT('m',seq),UTC_TIMESTAMP(3) FROM seq_2_to_%d",
	       (unsigned long long)id, one, other, all);
	db_sql("UPDATE conversations SET "
	       "last_seq=%d,user1_unread=IF(user1_id='%s',%d,0),user2_unread=IF(user2_id='%s',%d,0),"
	       "user1_last_id=(id<<28)+%d,user2_last_id=(id<<28)+%d,last_message_time=(SELECT MAX(created_at) FROM "
	       "messages WHERE id>>28=%llu),sort_time=GREATEST(sort_time,last_message_time) WHERE id=%llu",
	       all, other, all, other, all, all, all, (unsigned long long)id, (unsigned long long)id);
	return id;
}

#endif
