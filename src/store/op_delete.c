/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deleting a message for the user who asks. Keeps what the user has deleted as runs (the table deletions), which in a
 * group is all. In a direct conversation the message has a flag too, and it finds
 * the message that is now the newest that the user sees: below the run, or among the next few messages. However many
 * were deleted, no statement looks at more than SCAN_MAX of them: where that does not suffice, the operation is put off
 * and goes on in the next batch from where it was.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/sql.h"

/* Messages that one look goes through: mostly the first is the one; later ones meet those that are in no run. */
#define SCAN_FIRST 16
#define SCAN_MAX 512

struct op_delete {
	struct op_change change;
	/* First and last seq of a run, 0: none. That before the message, or with it; and that just after it. */
	uint64_t below[2], above[2];
	/* The search for the newest message that the user sees: all from here up to the message are deleted. */
	uint64_t reached_id;
	uint64_t under_run[2]; /* first seq of the run just below, and the id below that if the user sees it */
	uint64_t pin_n;	       /* of a direct conversation's message that is pinned */
	uint64_t scanned[2];   /* the newest id below that the user sees, and the lowest that was looked at; 0: none */
};

static struct op_delete *delete_of(struct op *op)
{
	return container_of(op, struct op_delete, change.op);
}

/* ---- what is read ---- */

static void put_runs(struct buf *out, const struct op_change *o)
{
	sql_lit(out, "deletions FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(out, o->p.user);
	sql_lit(out, " AND conversation_id=");
	sql_u64(out, message_id_conversation(o->p.id));
}

static void put_is_visible(struct buf *out, const struct op_change *o)
{
	sql_lit(out, "IF(m.from_user_id=");
	sql_str(out, o->p.user);
	sql_lit(out, ",m.deleted_by_sender,m.deleted_by_recipient)=0");
}

/* "conversations c …, where the message is the newest that the user sees": only then another one takes its place. */
static void put_where_is_newest(struct buf *out, const struct op_change *o)
{
	sql_lit(out, " WHERE c.id=");
	sql_u64(out, message_id_conversation(o->p.id));
	sql_lit(out, " AND IF(c.user1_id=");
	sql_str(out, o->p.user);
	sql_lit(out, ",c.user1_last_id,c.user2_last_id)=");
	sql_u64(out, o->p.id);
}

static void ask_runs(struct batch *b, struct op_delete *d)
{
	const struct op_change *o = &d->change;
	struct buf *out = batch_ask(b, d->below);
	sql_lit(out, "SELECT first_seq,last_seq FROM ");
	put_runs(out, o);
	sql_lit(out, " AND first_seq<=");
	sql_u64(out, message_id_seq(o->p.id));
	sql_lit(out, " ORDER BY first_seq DESC LIMIT 1");
	out = batch_ask(b, d->above);
	sql_lit(out, "SELECT first_seq,last_seq FROM ");
	put_runs(out, o);
	sql_lit(out, " AND first_seq=");
	sql_u64(out, message_id_seq(o->p.id) + 1);
}

static void ask_under_run(struct batch *b, struct op_delete *d)
{
	const struct op_change *o = &d->change;
	struct buf *out = batch_ask(b, d->under_run);
	sql_lit(out, "SELECT r.first_seq,IF(");
	put_is_visible(out, o);
	sql_lit(out, ",m.id,0) FROM conversations c JOIN (SELECT first_seq,last_seq FROM ");
	put_runs(out, o);
	sql_lit(out, " AND first_seq<");
	sql_u64(out, message_id_seq(d->reached_id));
	sql_lit(out, " ORDER BY first_seq DESC LIMIT 1) r LEFT JOIN messages m ON m.id=");
	sql_u64(out, message_id_make(message_id_conversation(o->p.id), 0));
	sql_lit(out, "+r.first_seq-1");
	put_where_is_newest(out, o);
	sql_lit(out, " AND r.last_seq>=");
	sql_u64(out, message_id_seq(d->reached_id) - 1);
}

static void ask_scan(struct batch *b, struct op_delete *d)
{
	const struct op_change *o = &d->change;
	struct buf *out = batch_ask(b, d->scanned);
	sql_lit(out, "SELECT MAX(IF(x.visible,x.id,0)),MIN(x.id) FROM (SELECT m.id,");
	put_is_visible(out, o);
	sql_lit(out, " AS visible FROM conversations c JOIN messages m FORCE INDEX (PRIMARY) ON m.id>");
	sql_u64(out, message_id_make(message_id_conversation(o->p.id), 0));
	sql_lit(out, " AND m.id<");
	sql_u64(out, d->reached_id);
	put_where_is_newest(out, o);
	buf_printf(out, " ORDER BY m.id DESC LIMIT %d) x", d->reached_id == o->p.id ? SCAN_FIRST : SCAN_MAX);
}

static void enter_runs(struct batch *b, struct op_delete *d)
{
	change_enter(b, &d->change.op);
	memset(d->below, 0, sizeof(d->below));
	memset(d->above, 0, sizeof(d->above));
	ask_runs(b, d);
}

static void delete_enter(struct batch *b, struct op *op)
{
	struct op_delete *d = delete_of(op);
	enter_runs(b, d);
	if (d->reached_id == 0)
		d->reached_id = d->change.p.id;
	memset(d->under_run, 0, sizeof(d->under_run));
	memset(d->scanned, 0, sizeof(d->scanned));
	ask_under_run(b, d);
	ask_scan(b, d);
	pin_ask(b, d->change.p.id, &d->pin_n);
}

/* ---- what it means ---- */

/* The newest message that the user sees below this one, 0 for none. False: the search has to go on from reached_id. */
static bool find_newest_before(struct op_delete *d, uint64_t *id_r)
{
	uint64_t run_first = d->under_run[0];
	if (run_first != 0) {
		*id_r = d->under_run[1];
		if (*id_r != 0 || run_first == 1)
			return true;
		/* The message below the run is deleted too, but in no run. */
		d->reached_id = message_id_make(message_id_conversation(d->change.p.id), run_first - 1);
		return message_id_seq(d->reached_id) <= 1;
	}
	*id_r = d->scanned[0];
	if (*id_r != 0 || message_id_seq(d->scanned[1]) <= 1)
		return true;
	d->reached_id = d->scanned[1];
	return false;
}

static struct buf *begin_run_update(struct batch *b, const char *what)
{
	struct buf *out = batch_update(b);
	buf_append(out, what, strlen(what));
	return out;
}

static void put_run_key(struct buf *out, const struct op_change *o, uint64_t first_seq)
{
	sql_lit(out, " WHERE user_id=");
	sql_str(out, o->p.user);
	sql_lit(out, " AND conversation_id=");
	sql_u64(out, message_id_conversation(o->p.id));
	sql_lit(out, " AND first_seq=");
	sql_u64(out, first_seq);
}

static void insert_run(struct batch *b, const struct op_change *o, uint64_t first_seq, uint64_t last_seq)
{
	struct buf *out =
		begin_run_update(b, "INSERT INTO deletions (user_id,conversation_id,first_seq,last_seq) VALUES (");
	sql_str(out, o->p.user);
	buf_append_char(out, ',');
	sql_u64(out, message_id_conversation(o->p.id));
	buf_append_char(out, ',');
	sql_u64(out, first_seq);
	buf_append_char(out, ',');
	sql_u64(out, last_seq);
	sql_lit(out, ") ON DUPLICATE KEY UPDATE last_seq=GREATEST(deletions.last_seq,VALUES(last_seq))");
}

/* Adds the message to the run before it or makes one, and takes the run after it in. */
static void write_runs(struct batch *b, const struct op_delete *d)
{
	const struct op_change *o = &d->change;
	uint64_t seq = message_id_seq(o->p.id), last = d->above[0] != 0 ? d->above[1] : seq;
	if (d->below[0] == 0 || d->below[1] + 1 < seq) {
		insert_run(b, o, seq, last);
	} else if (last > d->below[1]) {
		struct buf *out = begin_run_update(b, "UPDATE deletions SET last_seq=");
		sql_u64(out, last);
		put_run_key(out, o, d->below[0]);
		batch_expect(b, 1);
	}
	if (d->above[0] == 0)
		return;
	put_run_key(begin_run_update(b, "DELETE FROM deletions"), o, d->above[0]);
	batch_expect(b, 1);
}

static enum op_verdict delete_plan(struct batch *b, struct op *op)
{
	struct op_delete *d = delete_of(op);
	struct op_change *o = &d->change;
	enum op_verdict verdict;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	struct held *h = o->held;
	struct member *m = o->by;
	unsigned as = change_is_sender(o) ? 0 : 1;
	if (h->deleted[as])
		return change_end_standing(b, o, op->uncertain);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (m->deleted)
		return OP_PUT_OFF; /* what was read of the runs and of the messages below may be out of date */
	uint64_t newest = m->last_id;
	if (newest == o->p.id && !find_newest_before(d, &newest) && message_id_seq(d->reached_id) > conv_first_seq(m))
		return OP_PUT_OFF;
	/* What is before that the user has cleared. */
	m->last_id = message_id_seq(newest) < conv_first_seq(m) ? 0 : newest;
	if (as == 1 && held_is_unread(h))
		conv_direct_bury(m);
	m->deleted = true;
	change_note(b, o, CHANGE_DELETED);
	h->deleted[as] = true;
	struct buf *out = batch_update(b);
	change_begin_update(out, as == 0 ? "deleted_by_sender=1" : "deleted_by_recipient=1");
	change_end_update(b, out, o->p.id);
	write_runs(b, d);
	/* Nobody could see it, nor take it away. */
	if (h->deleted[0] && h->deleted[1] && pin_stands(h, d->pin_n))
		pin_delete(b, h);
	return change_end_with(o, true);
}

/* ---- in a group ---- */

static void group_enter(struct batch *b, struct op *op)
{
	enter_runs(b, delete_of(op));
}

static enum op_verdict group_plan(struct batch *b, struct op *op)
{
	struct op_delete *d = delete_of(op);
	struct op_change *o = &d->change;
	enum op_verdict verdict;
	uint64_t seq = message_id_seq(o->p.id);
	if (!change_find_message(b, o, &verdict))
		return verdict;
	struct member *m = o->by;
	if (m->deleted)
		return OP_PUT_OFF; /* what was read of the runs may be out of date */
	if (d->below[1] >= seq)
		return change_end_standing(b, o, op->uncertain);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	m->deleted = m->dirty = true;
	m->deleted_seq = seq > m->deleted_seq ? seq : m->deleted_seq;
	change_note(b, o, CHANGE_DELETED);
	write_runs(b, d);
	return change_end_with(o, true);
}

static const struct op_class delete_class = {.name = "delete",
					     .enter = delete_enter,
					     .plan = delete_plan,
					     .answer = change_answer,
					     .tells = true,
					     .once = ONCE_CONVERSATION};
static const struct op_class delete_in_group = {.name = "delete in a group",
						.enter = group_enter,
						.plan = group_plan,
						.answer = change_answer,
						.tells = true,
						.once = ONCE_USER};
const struct act_info act_delete = {&delete_class, &delete_in_group, sizeof(struct op_delete)};
