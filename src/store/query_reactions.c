/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has reacted to a message, in two steps: may the user see it, and which kinds has it; then those of each kind, by
 * an index, of which there are REACTION_KINDS_MAX at most.
 */
#include "core/base.h"
#include "store/by_id.h"
#include "store/reactions.h"
#include "store/sql.h"
#include "store/store_priv.h"

struct reactions {
	struct read read;
	store_reactions_fn *fn;
	void *arg;
	struct by_id message;
	struct by_id_item one;
	struct store_reactions_wanted wanted;
	bool listing; /* the second step */
	struct store_reacted *item;
	size_t count;
	bool has_more;
};

static void reactions_restart(struct read *r)
{
	struct reactions *l = container_of(r, struct reactions, read);
	if (!l->listing)
		by_id_restart(&l->message);
	l->count = 0;
	l->has_more = false;
}

static void reactions_row(struct read *r, unsigned stmt, struct row *row)
{
	struct reactions *l = container_of(r, struct reactions, read);
	if (!l->listing) {
		by_id_row(&l->message, &r->arena, stmt, row);
		return;
	}
	l->has_more = l->count == l->wanted.limit;
	if (l->has_more)
		return;
	struct store_reacted *item = &l->item[l->count++];
	row_take_user(row, item->user_id);
	item->emoji = arena_str(&r->arena, row_take_str(row));
	item->n = row_take_u64(row);
	item->at_ms = row_take_ms(row);
}

static void put_kind(struct buf *text, const struct reactions *l, struct str emoji)
{
	const struct store_reactions_wanted *wanted = &l->wanted;
	sql_lit(text, "(SELECT user_id,emoji,n,at FROM reactions FORCE INDEX (");
	buf_append_str(text, wanted->user_id.s != NULL ? STR_LIT("PRIMARY") : STR_LIT("by_emoji"));
	sql_lit(text, ") WHERE message_id=");
	sql_u64(text, l->one.id);
	if (wanted->user_id.s != NULL) {
		sql_lit(text, " AND user_id=");
		sql_str(text, wanted->user_id);
	}
	sql_lit(text, " AND emoji=");
	sql_str(text, emoji);
	sql_lit(text, " AND n>");
	sql_u64(text, wanted->after);
	buf_printf(text, " ORDER BY n LIMIT %u)", wanted->limit + 1);
}

/* False: it has none that were asked for. */
static bool put_list(struct reactions *l, const struct message *m)
{
	struct buf *text = &l->read.text;
	struct reaction kind;
	size_t at = 0;
	buf_clear(text);
	while (reactions_next(m->reactions, &at, &kind)) {
		if (l->wanted.emoji.s != NULL && !str_equal(kind.emoji, l->wanted.emoji))
			continue;
		if (text->len != 0)
			sql_lit(text, " UNION ALL ");
		put_kind(text, l, kind.emoji);
	}
	if (text->len == 0)
		return false;
	buf_printf(text, " ORDER BY n LIMIT %u", l->wanted.limit + 1);
	l->listing = true;
	return true;
}

static void reactions_done(struct read *r, enum store_status status)
{
	struct reactions *l = container_of(r, struct reactions, read);
	if (status == STORE_OK && !l->listing) {
		const struct message *m = by_id_message(&l->message, 0);
		if (m != NULL && put_list(l, m)) {
			pool_again(r);
			return;
		}
		status = m != NULL ? STORE_OK : STORE_NOT_FOUND;
	}
	const struct store_reactions out = {status, l->item, l->count, l->has_more};
	l->fn(&out, l->arg);
}

void store_list_reactions(struct store *s, struct str user, uint64_t message_id,
			  const struct store_reactions_wanted *wanted, store_reactions_fn *fn, void *arg)
{
	struct reactions *l = read_new(s->pool, user, sizeof(*l));
	l->read.restart = reactions_restart;
	l->read.row = reactions_row;
	l->read.done = reactions_done;
	l->fn = fn;
	l->arg = arg;
	l->wanted = *wanted;
	l->wanted.emoji = arena_str(&l->read.arena, wanted->emoji);
	l->wanted.user_id = arena_str(&l->read.arena, wanted->user_id);
	l->item = arena_alloc(&l->read.arena, wanted->limit * sizeof(*l->item));
	l->one.id = message_id;
	l->message = (struct by_id){l->read.user, &l->one, 1};
	if (message_id_conversation(message_id) > CONVERSATION_ID_MAX) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	by_id_put(&l->message, &l->read.text);
	pool_submit(&l->read);
}
