/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that mention a user or everyone, newest first, in three steps: the places of the next ones by name, and the
 * groups in which everyone was mentioned last; the places in these groups; and the messages. What the user does not see
 * (any more) is passed over, and where too few are left the steps begin again behind the last place. After ROUNDS_MAX
 * times the page is what there is: it may be short, or empty, and the next one goes on from there.
 */
#include "core/base.h"
#include "store/group.h"

#include "store/answer.h"
#include "store/by_id.h"
#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* Places that are looked at together, where the first `limit` did not suffice; and how often that is done. */
#define LOOK_AGAIN 100
#define ROUNDS_MAX 20

enum mentions_step { MENTIONS_FIND, MENTIONS_OF_ALL, MENTIONS_MESSAGES };
enum { STMT_NAMED, STMT_GROUPS };

/* A message that may have to be listed. */
struct place {
	int64_t ms;
	uint64_t id;
};

struct list_mentions {
	struct read read;
	store_mentions_fn *fn;
	void *arg;
	unsigned limit;
	struct store_cursor after;

	enum mentions_step step;
	unsigned look, rounds;
	struct place *named, *of_all, *place; /* each look + 1 at most; place: of both, in order */
	size_t named_count, of_all_count, place_count;
	uint64_t *group;
	size_t group_count;
	struct by_id messages; /* of the places */

	struct message *item;
	size_t count;
	bool has_more;
	struct store_cursor next;
	struct answer answer;
};

static void mentions_restart(struct read *r)
{
	struct list_mentions *l = container_of(r, struct list_mentions, read);
	switch (l->step) {
	case MENTIONS_FIND:
		l->named_count = l->group_count = 0;
		/* fallthrough */
	case MENTIONS_OF_ALL:
		l->of_all_count = 0;
		break;
	case MENTIONS_MESSAGES:
		by_id_restart(&l->messages);
		break;
	}
}

/* ---- where they are ---- */

/* "mentions AS n after the cursor". Each alternative is a range of by_time, so that none before the cursor is read. */
static void put_after(struct buf *text, struct store_cursor after)
{
	if (after.ms == 0)
		return;
	sql_lit(text, " AND (n.at<");
	sql_time(text, after.ms);
	sql_lit(text, " OR (n.at=");
	sql_time(text, after.ms);
	sql_lit(text, " AND n.conversation_id<");
	sql_u64(text, message_id_conversation(after.id));
	sql_lit(text, ") OR (n.at=");
	sql_time(text, after.ms);
	sql_lit(text, " AND n.conversation_id=");
	sql_u64(text, message_id_conversation(after.id));
	sql_lit(text, " AND n.seq<");
	sql_u64(text, message_id_seq(after.id));
	sql_lit(text, "))");
}

static void build_find(struct list_mentions *l)
{
	struct buf *text = &l->read.text;
	struct str user = l->read.user;
	buf_clear(text);
	l->step = MENTIONS_FIND;
	sql_lit(text, "SELECT n.at,n.conversation_id,n.seq FROM mentions n FORCE INDEX (by_time) WHERE n.user_id=");
	sql_str(text, user);
	put_after(text, l->after);
	sql_lit(text, " ORDER BY n.at DESC,n.conversation_id DESC,n.seq DESC LIMIT ");
	sql_u64(text, l->look + 1);
	sql_lit(text,
		";SELECT id FROM (SELECT STRAIGHT_JOIN g.conversation_id AS id,(SELECT n.at FROM mentions n FORCE "
		"INDEX (PRIMARY) WHERE n.user_id='*' AND n.conversation_id=g.conversation_id");
	put_after(text, l->after);
	sql_lit(text,
		" ORDER BY n.seq DESC LIMIT 1) AS at FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h FORCE "
		"INDEX (PRIMARY) ON h.id=g.conversation_id WHERE g.user_id=");
	sql_str(text, user);
	buf_printf(text,
		   " AND h.all_seq>0 AND h.all_seq>=g.first_seq LIMIT %d) k WHERE at IS NOT NULL ORDER BY at DESC,"
		   "id DESC LIMIT %u",
		   QUERY_GROUPS_MAX, l->look + 1);
}

static void build_of_all(struct list_mentions *l)
{
	struct buf *text = &l->read.text;
	buf_clear(text);
	l->step = MENTIONS_OF_ALL;
	sql_lit(text, "SELECT at,conversation_id,seq FROM (");
	for (size_t i = 0; i < l->group_count; i++) {
		buf_append_str(text, i == 0 ? STR_LIT("") : STR_LIT(" UNION ALL "));
		sql_lit(text, "(SELECT n.at,n.conversation_id,n.seq FROM mentions n FORCE INDEX (PRIMARY) WHERE "
			      "n.user_id='*' AND n.conversation_id=");
		sql_u64(text, l->group[i]);
		/* In a group times follow seqs. */
		if (l->group[i] == message_id_conversation(l->after.id)) {
			sql_lit(text, " AND n.seq<");
			sql_u64(text, message_id_seq(l->after.id));
		}
		put_after(text, l->after);
		buf_printf(text, " ORDER BY n.seq DESC LIMIT %u)", l->look + 1);
	}
	buf_printf(text, ") k ORDER BY at DESC,conversation_id DESC,seq DESC LIMIT %u", l->look + 1);
}

static void place_row(struct list_mentions *l, struct row *row, struct place *places, size_t *count)
{
	if (*count > l->look)
		return;
	struct place *p = &places[(*count)++];
	p->ms = row_take_ms(row);
	uint64_t conversation_id = row_take_u64(row);
	p->id = message_id_make(conversation_id, row_take_u64(row));
}

static bool is_before(const struct place *a, const struct place *b)
{
	return a->ms != b->ms ? a->ms > b->ms : a->id > b->id;
}

/* The next limit + 1 of both lists, each once. */
static void merge_places(struct list_mentions *l)
{
	size_t i = 0, j = 0;
	l->place_count = 0;
	while (l->place_count <= l->look && (i < l->named_count || j < l->of_all_count)) {
		struct place *a = i < l->named_count ? &l->named[i] : NULL;
		struct place *b = j < l->of_all_count ? &l->of_all[j] : NULL;
		bool takes_a = a != NULL && (b == NULL || !is_before(b, a));
		if (takes_a && b != NULL && a->id == b->id)
			j++;
		l->place[l->place_count++] = takes_a ? *a : *b;
		i += takes_a;
		j += !takes_a;
	}
}

/* ---- the messages ---- */

static void build_messages(struct list_mentions *l)
{
	buf_clear(&l->read.text);
	l->step = MENTIONS_MESSAGES;
	l->messages = (struct by_id){
		.user = l->read.user,
		.item = arena_alloc(&l->read.arena, l->place_count * sizeof(*l->messages.item)),
		.count = l->place_count,
	};
	for (size_t i = 0; i < l->place_count; i++)
		l->messages.item[i].id = l->place[i].id;
	by_id_put(&l->messages, &l->read.text);
}

static void collect(struct list_mentions *l)
{
	for (size_t i = 0; i < l->place_count && !l->has_more; i++) {
		const struct place *p = &l->place[i];
		const struct message *m = by_id_message(&l->messages, i);
		if (m == NULL || m->is_recalled)
			continue;
		l->has_more = l->count == l->limit || !answer_takes(&l->answer, answer_message_size(m));
		if (l->has_more)
			return;
		l->item[l->count++] = *m;
		l->next = (struct store_cursor){p->ms, p->id};
	}
}

/* ---- the steps ---- */

static void mentions_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_mentions *l = container_of(r, struct list_mentions, read);
	if (l->step == MENTIONS_OF_ALL)
		place_row(l, row, l->of_all, &l->of_all_count);
	else if (l->step == MENTIONS_FIND && stmt == STMT_NAMED)
		place_row(l, row, l->named, &l->named_count);
	else if (l->step == MENTIONS_FIND && l->group_count <= l->look)
		l->group[l->group_count++] = row_take_u64(row);
	else if (l->step == MENTIONS_MESSAGES)
		by_id_row(&l->messages, &r->arena, stmt, row);
}

/* False: the page is complete. */
static bool build_next(struct list_mentions *l)
{
	if (l->step == MENTIONS_MESSAGES) {
		collect(l);
		if (l->has_more || l->place_count <= l->look)
			return false;
		const struct place *last = &l->place[l->place_count - 1];
		l->after = (struct store_cursor){last->ms, last->id};
		if (++l->rounds == ROUNDS_MAX) {
			l->next = l->after;
			l->has_more = true;
			return false;
		}
		if (l->look < LOOK_AGAIN)
			l->look = LOOK_AGAIN;
		build_find(l);
		return true;
	}
	if (l->step == MENTIONS_FIND && l->group_count != 0) {
		build_of_all(l);
		return true;
	}
	merge_places(l);
	if (l->place_count == 0)
		return false;
	build_messages(l);
	return true;
}

static void mentions_done(struct read *r, enum store_status status)
{
	struct list_mentions *l = container_of(r, struct list_mentions, read);
	struct store_mentions out = {.status = status};
	if (status == STORE_OK) {
		if (build_next(l)) {
			pool_again(r);
			return;
		}
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
		out.next = l->next;
	}
	l->fn(&out, l->arg);
}

void store_list_mentions(struct store *s, struct str user, unsigned limit, struct store_cursor after,
			 store_mentions_fn *fn, void *arg)
{
	struct list_mentions *l = read_new(s->pool, user, sizeof(*l));
	struct arena *a = &l->read.arena;
	l->read.restart = mentions_restart;
	l->read.row = mentions_row;
	l->read.done = mentions_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = l->look = limit;
	l->after = after;
	size_t room = (limit > LOOK_AGAIN ? limit : LOOK_AGAIN) + 1;
	l->named = arena_alloc(a, room * sizeof(*l->named));
	l->of_all = arena_alloc(a, room * sizeof(*l->of_all));
	l->place = arena_alloc(a, room * sizeof(*l->place));
	l->group = arena_alloc(a, room * sizeof(*l->group));
	l->item = arena_alloc(a, (limit + 1) * sizeof(*l->item));
	build_find(l);
	pool_submit(&l->read);
}
