/* SPDX-License-Identifier: BSD-2-Clause */
/* What forwarding looks up, and the list of a merged message's parts. */
#include "core/base.h"
#include "store/forward.h"

#include <stdio.h>

#include "core/clock.h"
#include "store/answer.h"
#include "store/by_id.h"
#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

static void put_ids(struct buf *text, const uint64_t *id, size_t n)
{
	bool first = true;
	sql_lit(text, " IN (");
	for (size_t i = 0; i < n; i++) {
		sql_comma(text, &first);
		sql_u64(text, id[i]);
	}
	buf_append_char(text, ')');
}

/* ---- before forwarding ---- */

/* After those of by_id. */
enum look_stmt { LOOK_TIME = BY_ID_STMTS, LOOK_SOURCES, LOOK_PEERS, LOOK_SENT };

struct look {
	struct read read;
	store_forward_looked_fn *fn;
	void *arg;
	struct by_id messages;
	struct forward_source *source;
	uint64_t *conversation_id;
	struct forward_peer *peer;
	size_t peer_count;
	struct str *sent;
	size_t sent_count;
	bool asks_peers;
	int64_t now_ms;
};

/* Each message to each target, and a comment. */
#define SENT_MAX (FORWARD_TARGETS_MAX * (FORWARD_MESSAGES_MAX + 1))

static void look_restart(struct read *r)
{
	struct look *l = container_of(r, struct look, read);
	by_id_restart(&l->messages);
	memset(l->source, 0, l->messages.count * sizeof(*l->source));
	memset(l->peer, 0, l->peer_count * sizeof(*l->peer));
	l->sent_count = 0;
}

static void source_row(struct look *l, struct row *row)
{
	uint64_t id = row_take_u64(row);
	struct str nickname = arena_str(&l->read.arena, row_take_str(row));
	uint64_t parts = row_take_u64(row), bytes = row_take_u64(row);
	for (size_t i = 0; i < l->messages.count; i++) {
		struct forward_source *s = &l->source[i];
		if (l->messages.item[i].id != id)
			continue;
		s->nickname = nickname;
		s->parts = parts;
		s->bytes = bytes;
	}
}

static void peer_row(struct look *l, struct row *row)
{
	uint64_t id = row_take_u64(row);
	char user[USER_ID_MAX + 1];
	row_take_user(row, user);
	for (size_t i = 0; i < l->peer_count; i++)
		if (l->conversation_id[i] == id)
			memcpy(l->peer[i].user, user, sizeof(user));
}

static void look_row(struct read *r, unsigned stmt, struct row *row)
{
	struct look *l = container_of(r, struct look, read);
	if (stmt > LOOK_SOURCES && !l->asks_peers)
		stmt++;
	if (stmt < BY_ID_STMTS)
		by_id_row(&l->messages, &r->arena, stmt, row);
	else if (stmt == LOOK_TIME)
		l->now_ms = row_take_ms(row) + clock_shift_ms();
	else if (stmt == LOOK_SOURCES)
		source_row(l, row);
	else if (stmt == LOOK_PEERS)
		peer_row(l, row);
	else if (l->sent_count < SENT_MAX)
		l->sent[l->sent_count++] = arena_str(&r->arena, row_take_str(row));
}

static void look_done(struct read *r, enum store_status status)
{
	struct look *l = container_of(r, struct look, read);
	for (size_t i = 0; i < l->messages.count; i++)
		l->source[i].message = by_id_message(&l->messages, i);
	const struct store_forward_looked out = {
		.status = status,
		.source = l->source,
		.peer = l->peer,
		.sent = l->sent,
		.sent_count = l->sent_count,
		.now_ms = l->now_ms,
	};
	l->fn(&out, l->arg);
}

static void put_sources(struct buf *text, const struct store_forward_look *p)
{
	sql_lit(text, ";SELECT UTC_TIMESTAMP(3);SELECT m.id,u.nickname,f.parts,f.bytes FROM messages m FORCE INDEX "
		      "(PRIMARY) LEFT JOIN users u ON u.id=m.from_user_id LEFT JOIN forwards f ON f.message_id=m.id "
		      "WHERE m.id");
	put_ids(text, p->message_id, p->message_count);
}

static void put_peers(struct buf *text, const struct store_forward_look *p)
{
	sql_lit(text, ";SELECT c.id,IF(c.user1_id=");
	sql_str(text, p->user);
	sql_lit(text, ",c.user2_id,c.user1_id) FROM conversations c FORCE INDEX (PRIMARY) WHERE c.id");
	put_ids(text, p->conversation_id, p->conversation_count);
	sql_lit(text, " AND ");
	query_put_is_party(text, p->user);
}

/* All ids that begin like that. */
static void put_sent(struct buf *text, const struct store_forward_look *p)
{
	char to[FORWARD_KEY_LEN + 1];
	memcpy(to, p->key->text, FORWARD_KEY_LEN);
	to[FORWARD_KEY_LEN] = '~';
	sql_lit(text, ";SELECT client_msg_id FROM messages FORCE INDEX (by_client) WHERE from_user_id=");
	sql_str(text, p->user);
	sql_lit(text, " AND client_msg_id>");
	sql_str(text, (struct str){p->key->text, FORWARD_KEY_LEN});
	sql_lit(text, " AND client_msg_id<");
	sql_str(text, (struct str){to, sizeof(to)});
	sql_lit(text, " LIMIT ");
	sql_u64(text, SENT_MAX);
}

void store_look_forward(struct store *s, const struct store_forward_look *p, store_forward_looked_fn *fn, void *arg)
{
	struct look *l = read_new(s->pool, p->user, sizeof(*l));
	struct arena *a = &l->read.arena;
	struct buf *text = &l->read.text;
	l->read.restart = look_restart;
	l->read.row = look_row;
	l->read.done = look_done;
	l->fn = fn;
	l->arg = arg;
	l->messages = (struct by_id){
		.user = l->read.user,
		.item = arena_alloc(a, p->message_count * sizeof(*l->messages.item)),
		.count = p->message_count,
	};
	for (size_t i = 0; i < p->message_count; i++)
		l->messages.item[i].id = p->message_id[i];
	l->source = arena_alloc(a, p->message_count * sizeof(*l->source));
	l->peer_count = p->conversation_count;
	l->peer = arena_alloc(a, (p->conversation_count + 1) * sizeof(*l->peer));
	l->conversation_id = arena_alloc(a, (p->conversation_count + 1) * sizeof(*l->conversation_id));
	for (size_t i = 0; i < p->conversation_count; i++)
		l->conversation_id[i] = p->conversation_id[i];
	l->sent = arena_alloc(a, p->key != NULL ? SENT_MAX * sizeof(*l->sent) : 1);
	by_id_put(&l->messages, text);
	put_sources(text, p);
	l->asks_peers = p->conversation_count != 0;
	if (l->asks_peers)
		put_peers(text, p);
	if (p->key != NULL)
		put_sent(text, p);
	pool_submit(&l->read);
}

size_t forward_size(const struct store_send *p)
{
	const struct message m = {
		.content = p->content,
		.media_url = p->media_url,
		.extra = p->extra,
		.entities = p->entities,
		.forwarded_from = p->forwarded_from,
	};
	return answer_message_size(&m);
}

/* ---- the parts ---- */

enum forwarded_stmt { FORWARDED_OF = BY_ID_STMTS, FORWARDED_PARTS };

struct list_forwarded {
	struct read read;
	store_forwarded_fn *fn;
	void *arg;
	struct by_id message;
	struct by_id_item item_of;
	bool found; /* what `of` names */
	struct forward_part *item;
	size_t count;
	unsigned limit;
	bool has_more;
	struct answer answer;
};

static void forwarded_restart(struct read *r)
{
	struct list_forwarded *l = container_of(r, struct list_forwarded, read);
	by_id_restart(&l->message);
	l->found = l->has_more = false;
	l->count = 0;
	l->answer = (struct answer){0};
}

static void take_part(struct row *row, struct arena *a, struct forward_part *out)
{
	struct str part = row_take_str(row);
	size_t len = part.len <= FORWARD_PART_MAX ? part.len : FORWARD_PART_MAX;
	if (len != 0)
		memcpy(out->part, part.s, len);
	row_take_user(row, out->from);
	out->nickname = arena_str(a, row_take_str(row));
	out->type = row_take_type(row);
	out->content = arena_str(a, row_take_str(row));
	out->media_url = arena_str(a, row_take_str(row));
	out->extra = arena_str(a, row_take_str(row));
	out->entities = arena_str(a, row_take_str(row));
	out->forwarded_from = arena_str(a, row_take_str(row));
	out->created_ms = row_take_ms(row);
}

/* As an item of the list is a message for the most part, so is its size. */
static size_t part_size(const struct forward_part *p)
{
	const struct message m = {
		.content = p->content,
		.media_url = p->media_url,
		.extra = p->extra,
		.entities = p->entities,
		.forwarded_from = p->forwarded_from,
	};
	return answer_message_size(&m) + 4 * p->nickname.len;
}

static void part_row(struct list_forwarded *l, struct row *row)
{
	struct forward_part part = {0};
	if (l->has_more)
		return;
	take_part(row, &l->read.arena, &part);
	l->has_more = l->count == l->limit || !answer_takes(&l->answer, part_size(&part));
	if (!l->has_more)
		l->item[l->count++] = part;
}

static void forwarded_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_forwarded *l = container_of(r, struct list_forwarded, read);
	if (stmt < BY_ID_STMTS)
		by_id_row(&l->message, &r->arena, stmt, row);
	else if (stmt == FORWARDED_OF)
		l->found = true;
	else
		part_row(l, row);
}

static void forwarded_done(struct read *r, enum store_status status)
{
	struct list_forwarded *l = container_of(r, struct list_forwarded, read);
	struct store_forwarded out = {.status = status};
	const struct message *m = status == STORE_OK ? by_id_message(&l->message, 0) : NULL;
	if (status == STORE_OK && (m == NULL || m->is_recalled || m->type != MESSAGE_FORWARD || !l->found))
		out.status = STORE_NOT_FOUND;
	if (out.status == STORE_OK) {
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
	}
	l->fn(&out, l->arg);
}

static void put_of_message(struct buf *text, uint64_t message_id)
{
	sql_lit(text, " FROM forwarded FORCE INDEX (PRIMARY) WHERE message_id=");
	sql_u64(text, message_id);
}

/* Whether there is what `of` names; of the message itself that is known. */
static void put_found(struct buf *text, uint64_t message_id, struct str of)
{
	if (of.s == NULL) {
		sql_lit(text, ";SELECT 1");
		return;
	}
	sql_lit(text, ";SELECT 1");
	put_of_message(text, message_id);
	sql_lit(text, " AND part=");
	sql_str(text, of);
	sql_lit(text, " AND message_type=");
	sql_u64(text, MESSAGE_FORWARD);
}

/* "07." and two digits: the range of these, without the parts that they have in turn. */
static void put_parts(struct buf *text, const struct list_forwarded *l, uint64_t message_id, struct str of, int after)
{
	char from[FORWARD_PART_MAX + 4];
	struct str before = of.s != NULL ? of : STR_LIT("");
	const char *dot = of.s != NULL ? "." : "";
	sql_lit(text, ";SELECT part,from_user_id,nickname,message_type,content,media_url,extra,entities,"
		      "forwarded_from,created_at");
	put_of_message(text, message_id);
	int n = after >= 0 ? snprintf(from, sizeof(from), "%.*s%s%02d~", (int)before.len, before.s, dot, after)
			   : snprintf(from, sizeof(from), "%.*s%s", (int)before.len, before.s, dot);
	sql_lit(text, " AND part>");
	sql_str(text, (struct str){from, (size_t)n});
	n = snprintf(from, sizeof(from), "%.*s%s~", (int)before.len, before.s, dot);
	sql_lit(text, " AND part<");
	sql_str(text, (struct str){from, (size_t)n});
	buf_printf(text, " AND LENGTH(part)=%zu ORDER BY part LIMIT %u", of.s != NULL ? of.len + 3 : 2, l->limit + 1);
}

void store_list_forwarded(struct store *s, struct str user, uint64_t message_id, struct str of, int after,
			  unsigned limit, store_forwarded_fn *fn, void *arg)
{
	struct list_forwarded *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = forwarded_restart;
	l->read.row = forwarded_row;
	l->read.done = forwarded_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, limit * sizeof(*l->item));
	l->item_of.id = message_id;
	l->message = (struct by_id){.user = l->read.user, .item = &l->item_of, .count = 1};
	if (message_id_conversation(message_id) > CONVERSATION_ID_MAX) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	by_id_put(&l->message, text);
	put_found(text, message_id, of);
	put_parts(text, l, message_id, of, after);
	pool_submit(&l->read);
}
