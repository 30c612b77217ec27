/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads of a few numbers or rows: one number, the other side, friends, who is shown online, was it sent before. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/mention.h"
#include "store/op_send.h"
#include "store/query.h"
#include "store/sql.h"

/* ---- counting ---- */

struct count {
	struct read read;
	store_count_fn *fn;
	void *arg;
	uint64_t count;
};

static void count_row(struct read *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	container_of(r, struct count, read)->count = row_take_u64(row);
}

static void count_done(struct read *r, enum store_status status)
{
	struct count *c = container_of(r, struct count, read);
	c->fn(status, status == STORE_OK ? c->count : 0, c->arg);
}

void query_count(struct pool *p, struct str user, struct str text, store_count_fn *fn, void *arg)
{
	struct count *c = read_new(p, user, sizeof(*c));
	c->read.row = count_row;
	c->read.done = count_done;
	c->fn = fn;
	c->arg = arg;
	buf_append_str(&c->read.text, text);
	pool_submit(&c->read);
}

void store_ping(struct store *s, store_count_fn *fn, void *arg)
{
	query_count(s->pool, STR_NULL, STR_LIT("SELECT 0"), fn, arg);
}

/* ---- when it was stored ---- */

struct find_stored {
	struct read read;
	store_time_fn *fn;
	void *arg;
	bool found;
	int64_t ms;
};

static void stored_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_stored *f = container_of(r, struct find_stored, read);
	(void)stmt;
	f->found = true;
	f->ms = row_take_ms(row);
}

static void stored_done(struct read *r, enum store_status status)
{
	struct find_stored *f = container_of(r, struct find_stored, read);
	if (status == STORE_OK && !f->found)
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? f->ms : 0, f->arg);
}

void store_find_stored(struct store *s, struct str asker, uint64_t message_id, store_time_fn *fn, void *arg)
{
	struct find_stored *f = read_new(s->pool, asker, sizeof(*f));
	f->read.row = stored_row;
	f->read.done = stored_done;
	f->fn = fn;
	f->arg = arg;
	sql_lit(&f->read.text, "SELECT created_at FROM messages FORCE INDEX (PRIMARY) WHERE id=");
	sql_u64(&f->read.text, message_id);
	pool_submit(&f->read);
}

/* ---- the other side ---- */

struct find_peer {
	struct read read;
	store_peer_fn *fn;
	void *arg;
	struct store_peer found;
};

static void peer_restart(struct read *r)
{
	container_of(r, struct find_peer, read)->found = (struct store_peer){.status = STORE_NOT_FOUND};
}

static void peer_row(struct read *r, unsigned stmt, struct row *row)
{
	struct store_peer *p = &container_of(r, struct find_peer, read)->found;
	(void)stmt;
	p->conversation_id = row_take_u64(row);
	row_take_user(row, p->peer);
	bool there = row_take_bool(row), back = row_take_bool(row), blocked = row_take_bool(row);
	p->status = blocked ? STORE_BLOCKED : !there || !back ? STORE_NOT_FRIENDS : STORE_OK;
}

static void peer_done(struct read *r, enum store_status status)
{
	struct find_peer *p = container_of(r, struct find_peer, read);
	if (status != STORE_OK)
		p->found = (struct store_peer){.status = status};
	p->fn(&p->found, p->arg);
}

void store_find_peer(struct store *s, struct str user, uint64_t conversation_id, store_peer_fn *fn, void *arg)
{
	struct find_peer *p = read_new(s->pool, user, sizeof(*p));
	struct buf *text = &p->read.text;
	p->read.restart = peer_restart;
	p->read.row = peer_row;
	p->read.done = peer_done;
	p->fn = fn;
	p->arg = arg;
	p->found.status = STORE_NOT_FOUND;
	if (conversation_is_group(conversation_id)) {
		pool_refuse(&p->read, STORE_NOT_FOUND);
		return;
	}
	sql_lit(text, "SELECT c.id,IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id),a.user_id IS NOT NULL,b.user_id IS NOT NULL,"
		      "COALESCE(b.blocked,0) OR k.user_id IS NOT NULL FROM conversations c"
		      " LEFT JOIN friendships a ON a.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND a.friend_id=IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id) LEFT JOIN friendships b ON b.friend_id=");
	sql_str(text, user);
	sql_lit(text, " AND b.user_id=IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id) LEFT JOIN blocks k ON k.blocked_id=");
	sql_str(text, user);
	sql_lit(text, " AND k.user_id=IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id) WHERE c.id=");
	sql_u64(text, conversation_id);
	sql_lit(text, " AND ");
	query_put_is_party(text, user);
	pool_submit(&p->read);
}

/* ---- friends among some ---- */

struct find_friends {
	struct read read;
	store_friends_fn *fn;
	void *arg;
	struct store_friend *item;
	size_t count, max;
};

static void friends_restart(struct read *r)
{
	container_of(r, struct find_friends, read)->count = 0;
}

static void friends_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_friends *f = container_of(r, struct find_friends, read);
	(void)stmt;
	if (f->count == f->max)
		return;
	struct store_friend *item = &f->item[f->count++];
	row_take_user(row, item->user_id);
	item->last_seen_ms = row_take_ms(row);
	item->blocks_user = row_take_bool(row);
}

static void friends_done(struct read *r, enum store_status status)
{
	struct find_friends *f = container_of(r, struct find_friends, read);
	struct store_friends out = {.status = status};
	if (status == STORE_OK) {
		out.item = f->item;
		out.count = f->count;
	}
	f->fn(&out, f->arg);
}

void store_find_friends(struct store *s, struct str user, const struct str *ids, size_t n, store_friends_fn *fn,
			void *arg)
{
	struct find_friends *f = read_new(s->pool, user, sizeof(*f));
	struct buf *text = &f->read.text;
	bool first = true;
	f->read.restart = friends_restart;
	f->read.row = friends_row;
	f->read.done = friends_done;
	f->fn = fn;
	f->arg = arg;
	if (n == 0) {
		pool_refuse(&f->read, STORE_OK);
		return;
	}
	f->max = n;
	f->item = arena_alloc(&f->read.arena, n * sizeof(*f->item));
	sql_lit(text, "SELECT a.friend_id,u.last_seen,b.blocked OR EXISTS(SELECT 1 FROM blocks k WHERE "
		      "k.user_id=a.friend_id AND k.blocked_id=a.user_id) FROM friendships a JOIN friendships b ON "
		      "b.user_id=a.friend_id AND b.friend_id=");
	sql_str(text, user);
	sql_lit(text, " LEFT JOIN users u ON u.id=a.friend_id WHERE a.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND a.friend_id IN (");
	for (size_t i = 0; i < n; i++) {
		sql_comma(text, &first);
		sql_str(text, ids[i]);
	}
	buf_append_char(text, ')');
	pool_submit(&f->read);
}

/* ---- who is shown online ---- */

struct find_shown {
	struct read read;
	store_shown_fn *fn;
	void *arg;
	struct str *id;
	bool *shown;
	size_t count;
};

static void shown_restart(struct read *r)
{
	struct find_shown *f = container_of(r, struct find_shown, read);
	memset(f->shown, 0, f->count * sizeof(*f->shown));
}

static void shown_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_shown *f = container_of(r, struct find_shown, read);
	struct str id = row_take_str(row);
	(void)stmt;
	for (size_t i = 0; i < f->count; i++)
		f->shown[i] |= str_equal(f->id[i], id);
}

static void shown_done(struct read *r, enum store_status status)
{
	struct find_shown *f = container_of(r, struct find_shown, read);
	f->fn(status, f->shown, f->count, f->arg);
}

void store_find_shown(struct store *s, struct str user, const struct str *ids, size_t n, store_shown_fn *fn, void *arg)
{
	struct find_shown *f = read_new(s->pool, user, sizeof(*f));
	struct arena *a = &f->read.arena;
	struct buf *text = &f->read.text;
	bool first = true;
	f->read.restart = shown_restart;
	f->read.row = shown_row;
	f->read.done = shown_done;
	f->fn = fn;
	f->arg = arg;
	f->id = arena_alloc(a, (n + 1) * sizeof(*f->id));
	f->shown = arena_alloc(a, (n + 1) * sizeof(*f->shown));
	if (n == 0) {
		pool_refuse(&f->read, STORE_OK);
		return;
	}
	sql_lit(text, "SELECT f.user_id FROM friendships f FORCE INDEX (PRIMARY) WHERE f.friend_id=");
	sql_str(text, user);
	sql_lit(text, " AND f.blocked=0 AND NOT EXISTS(SELECT 1 FROM blocks k WHERE k.user_id=f.user_id AND "
		      "k.blocked_id=f.friend_id) AND f.user_id IN (");
	for (; f->count < n; f->count++) {
		f->id[f->count] = arena_str(a, ids[f->count]);
		sql_comma(text, &first);
		sql_str(text, ids[f->count]);
	}
	buf_append_char(text, ')');
	pool_submit(&f->read);
}

/* ---- was it sent before ---- */

struct find_sent {
	struct read read;
	store_sent_fn *fn;
	void *arg;
	struct store_send p;
	bool found;
	bool marking; /* it was found, and when it was read is looked for */
	struct message message;
	struct send_members members;
	uint64_t joined_seq[STORE_MENTIONS_MAX]; /* of those that are mentioned; 0: is no member */
};

enum { SENT_MESSAGE, SENT_FENCE, SENT_MEMBERS };

static void sent_restart(struct read *r)
{
	struct find_sent *f = container_of(r, struct find_sent, read);
	if (f->marking)
		return;
	f->found = false;
	memset(f->joined_seq, 0, sizeof(f->joined_seq));
}

static void sent_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_sent *f = container_of(r, struct find_sent, read);
	if (f->marking) {
		row_take_mark(row, &f->message);
		return;
	}
	if (stmt == SENT_MESSAGE) {
		f->found = row_take_message(row, &r->arena, &f->message);
		f->message.sent_hash = arena_str(&r->arena, row_take_str(row));
		return;
	}
	struct str user = row_take_str(row);
	uint64_t joined_seq = row_take_u64(row);
	for (size_t i = 0; i < f->p.mention_count && user.s != NULL; i++)
		if (str_equal(f->p.mention[i], user))
			f->joined_seq[i] = joined_seq;
}

static bool sent_was_member(const struct send_members *members, struct str user, uint64_t seq)
{
	const struct find_sent *f = container_of(members, struct find_sent, members);
	for (size_t i = 0; i < f->p.mention_count; i++)
		if (str_equal(f->p.mention[i], user))
			return f->joined_seq[i] != 0 && f->joined_seq[i] < seq;
	return false;
}

static void sent_done(struct read *r, enum store_status status)
{
	struct find_sent *f = container_of(r, struct find_sent, read);
	const struct message *m = &f->message;
	if (status == STORE_OK && f->found && !f->marking && !m->is_read && m->to[0] != '\0') {
		f->marking = true;
		buf_clear(&r->text);
		sql_lit(&r->text, "SELECT ");
		row_put_mark(&r->text, message_id_conversation(m->id), str_from(m->to), message_id_seq(m->id));
		pool_again(r);
		return;
	}
	if (status == STORE_OK && !f->found)
		status = STORE_NOT_FOUND;
	else if (status == STORE_OK && !send_same_fields(&f->p, &f->message, &f->members))
		status = STORE_REUSED;
	const struct store_sent out = {
		.status = status,
		.replayed = status == STORE_OK,
		.message = status == STORE_OK ? &f->message : NULL,
	};
	f->fn(&out, f->arg);
}

static void put_sent(struct buf *text, const struct store_send *p)
{
	sql_lit(text, "m.from_user_id=");
	sql_str(text, p->from);
	sql_lit(text, " AND m.client_msg_id=");
	sql_str(text, p->client_msg_id);
}

static void put_mentioned(struct buf *text, const struct store_send *p)
{
	sql_lit(text, ";SELECT user_id,joined_seq FROM members FORCE INDEX (PRIMARY) WHERE conversation_id=");
	sql_u64(text, p->conversation_id);
	sql_lit(text, " AND user_id IN (");
	for (size_t i = 0; i < p->mention_count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, p->mention[i]);
	}
	buf_append_char(text, ')');
}

static void sent_keep(struct find_sent *f, const struct store_send *p)
{
	struct arena *a = &f->read.arena;
	struct str *mention = arena_alloc(a, STORE_MENTIONS_MAX * sizeof(*mention));
	size_t n = mention_keep(&(struct mention_list){p->mention, p->mention_count, p->mentions_all}, mention);
	for (size_t i = 0; i < n; i++)
		mention[i] = arena_str(a, mention[i]);
	f->p = (struct store_send){
		.from = arena_str(a, p->from),
		.to = arena_str(a, p->to),
		.conversation_id = p->conversation_id,
		.type = p->type,
		.content = arena_str(a, p->content),
		.media_url = arena_str(a, p->media_url),
		.extra = arena_str(a, p->extra),
		.entities = arena_str(a, p->entities),
		.client_msg_id = arena_str(a, p->client_msg_id),
		.reply_to = p->reply_to,
		.mention = mention,
		.mention_count = n,
		.mentions_all = p->mentions_all,
		.expires_in_secs = p->expires_in_secs,
	};
}

void store_find_sent(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg)
{
	struct find_sent *f = read_new(s->pool, p->from, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = sent_restart;
	f->read.row = sent_row;
	f->read.done = sent_done;
	f->members.was_member = sent_was_member;
	f->fn = fn;
	f->arg = arg;
	sent_keep(f, p);
	if (p->client_msg_id.s == NULL) {
		pool_refuse(&f->read, STORE_NOT_FOUND);
		return;
	}
	sql_lit(text, "SELECT " MESSAGE_COLUMNS ",m.sent_hash FROM messages m WHERE ");
	put_sent(text, p);
	/* What was found may not be on disk yet; what is written now is so only after it. */
	sql_lit(text, ";INSERT INTO fences (id,n) SELECT CONNECTION_ID()%64,1 FROM messages m WHERE ");
	put_sent(text, p);
	sql_lit(text, " ON DUPLICATE KEY UPDATE fences.n=fences.n+1");
	if (p->to.s == NULL && f->p.mention_count != 0)
		put_mentioned(text, &f->p);
	pool_submit(&f->read);
}
