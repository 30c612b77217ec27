/* SPDX-License-Identifier: BSD-2-Clause */
/* A page of a conversation's messages: is the user a party to it, and then page.c's steps. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/page.h"
#include "store/query.h"
#include "store/sql.h"

struct history {
	struct read read;
	store_history_fn *fn;
	void *arg;
	bool party;
	struct page page;
};

static void history_restart(struct read *r)
{
	struct history *h = container_of(r, struct history, read);
	h->party = false;
	page_restart(&h->page);
}

static void history_row(struct read *r, unsigned stmt, struct row *row)
{
	struct history *h = container_of(r, struct history, read);
	if (stmt == 0) {
		h->party = true;
		page_set_first(&h->page, row_take_u64(row));
		uint64_t read_seq = row_take_u64(row);
		page_set_read(&h->page, read_seq, row_take_u64(row));
	} else {
		page_row(&h->page, &r->arena, stmt - 1, row);
	}
}

static void history_put(struct history *h)
{
	struct buf *text = &h->read.text;
	buf_clear(text);
	if (conversation_is_group(h->page.conversation_id)) {
		sql_lit(text, "SELECT STRAIGHT_JOIN " GROUP_FIRST_SEQ ",0,0 FROM members g FORCE INDEX (PRIMARY) JOIN "
			      "group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE ");
		query_put_is_member(text, h->read.user, h->page.conversation_id);
	} else {
		sql_lit(text, "SELECT ");
		query_put_first_seq(text, h->read.user);
		sql_lit(text, ",IF(c.user1_id=");
		sql_str(text, h->read.user);
		sql_lit(text, ",c.user1_read_seq,c.user2_read_seq),IF(c.user1_id=");
		sql_str(text, h->read.user);
		sql_lit(text, ",c.user2_read_seq,c.user1_read_seq) FROM conversations c WHERE c.id=");
		sql_u64(text, h->page.conversation_id);
		sql_lit(text, " AND ");
		query_put_is_party(text, h->read.user);
	}
	buf_append_char(text, ';');
	page_put(&h->page, text);
}

static void history_done(struct read *r, enum store_status status)
{
	struct history *h = container_of(r, struct history, read);
	struct page *p = &h->page;
	struct store_history out = {.status = status == STORE_OK && !h->party ? STORE_NOT_FOUND : status};
	if (out.status == STORE_OK) {
		if (!page_step(p)) {
			history_put(h);
			pool_again(r);
			return;
		}
		if (p->backwards)
			page_reverse(p, p->count);
		out.item = p->message;
		out.count = p->count;
		out.has_more = p->has_more;
	}
	h->fn(&out, h->arg);
}

void store_list_messages(struct store *s, struct str user, uint64_t conversation_id, uint64_t before, uint64_t after,
			 unsigned limit, store_history_fn *fn, void *arg)
{
	struct history *h = read_new(s->pool, user, sizeof(*h));
	h->read.done = history_done;
	h->fn = fn;
	h->arg = arg;
	if (conversation_id > CONVERSATION_ID_MAX) {
		pool_refuse(&h->read, STORE_NOT_FOUND);
		return;
	}
	h->read.restart = history_restart;
	h->read.row = history_row;
	bool backwards = after == STORE_NO_AFTER;
	page_init(&h->page, &h->read.arena, h->read.user, conversation_id, backwards ? 0 : after,
		  before != 0 ? before : UINT64_MAX, backwards, limit);
	history_put(h);
	pool_submit(&h->read);
}
