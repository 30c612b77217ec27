/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of messages. Decides what each step looks at, and when a page is complete. */
#include "core/base.h"
#include "store/page.h"

#include "core/log.h"
#include "store/sql.h"

enum { STMT_RUNS, STMT_MESSAGES, STMT_MARKS };
enum { READER_USER, READER_PEER, READERS }; /* whose marks are looked for */

/* Runs to come that a step asks for: where there are no fewer, there may be more. */
static unsigned run_max(const struct page *p)
{
	return p->limit + 2;
}

void page_init(struct page *p, struct arena *a, struct str user, uint64_t conversation_id, uint64_t over_seq,
	       uint64_t under_seq, bool backwards, unsigned limit)
{
	const uint64_t seq_end = MESSAGE_SEQ_MAX + 1;
	*p = (struct page){
		.user = user,
		.conversation_id = conversation_id,
		.backwards = backwards,
		.limit = limit,
		.over_seq = over_seq < seq_end ? over_seq : seq_end,
		.under_seq = under_seq < seq_end ? under_seq : seq_end,
	};
	p->first_seq = 1;
	page_set_read(p, UINT64_MAX, UINT64_MAX);
	p->message = arena_alloc(a, (limit + 1) * sizeof(*p->message));
	p->known = arena_alloc(a, (run_max(p) + 1) * sizeof(*p->known));
	p->found = arena_alloc(a, (run_max(p) + 1) * sizeof(*p->found));
	for (int i = 0; i < READERS && !conversation_is_group(conversation_id); i++)
		p->reader[i].mark = arena_alloc(a, PAGE_STEP * sizeof(*p->reader[i].mark));
}

void page_set_first(struct page *p, uint64_t first_seq)
{
	p->first_seq = first_seq > 1 ? first_seq : 1;
}

void page_set_read(struct page *p, uint64_t read_seq, uint64_t peer_read_seq)
{
	p->reader[READER_USER].read_seq = read_seq;
	p->reader[READER_PEER].read_seq = peer_read_seq;
}

/* ---- a step's text ---- */

static void put_runs_of(struct buf *text, const struct page *p)
{
	sql_lit(text, "SELECT first_seq,last_seq FROM deletions FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, p->user);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, p->conversation_id);
	sql_lit(text, " AND first_seq");
}

static void put_runs(struct buf *text, const struct page *p)
{
	if (p->backwards) {
		put_runs_of(text, p);
		sql_lit(text, "<");
		sql_u64(text, p->under_seq);
		buf_printf(text, " ORDER BY first_seq DESC LIMIT %u", run_max(p));
		return;
	}
	/* The one that the walk may be in the middle of, and those to come. */
	buf_append_char(text, '(');
	put_runs_of(text, p);
	sql_lit(text, "<=");
	sql_u64(text, p->over_seq + 1);
	sql_lit(text, " ORDER BY first_seq DESC LIMIT 1) UNION ALL (");
	put_runs_of(text, p);
	sql_lit(text, ">");
	sql_u64(text, p->over_seq + 1);
	buf_printf(text, " ORDER BY first_seq LIMIT %u) ORDER BY first_seq", run_max(p));
}

static void put_gap(struct buf *text, const struct page *p, uint64_t over_seq, uint64_t under_seq, bool *first)
{
	if (under_seq <= over_seq + 1)
		return;
	buf_append_str(text, *first ? STR_LIT("(") : STR_LIT(" OR "));
	*first = false;
	sql_lit(text, "m.id>");
	sql_u64(text, (p->conversation_id << MESSAGE_SEQ_BITS) + over_seq);
	sql_lit(text, " AND m.id<");
	sql_u64(text, (p->conversation_id << MESSAGE_SEQ_BITS) + under_seq);
}

/* What lies between the known runs. What lies behind the last of them only if that is the last there is. */
static void put_gaps(struct buf *text, struct page *p)
{
	bool first = true;
	uint64_t over = p->over_seq, under = p->under_seq;
	for (unsigned i = 0; i < p->known_count; i++) {
		const struct page_run *r = &p->known[i];
		if (p->backwards) {
			put_gap(text, p, r->last > over ? r->last : over, under, &first);
			under = r->first < under ? r->first : under;
		} else {
			put_gap(text, p, over, r->first < under ? r->first : under, &first);
			over = r->last > over ? r->last : over;
		}
	}
	if (p->known_count < run_max(p)) {
		put_gap(text, p, over, under, &first);
		p->reach = p->backwards ? p->over_seq : p->under_seq;
	} else {
		p->reach = p->backwards ? under : over;
	}
	buf_append_str(text, first ? STR_LIT("m.id=0") : STR_LIT(")"));
}

static void put_is_deleted(struct buf *text, const struct page *p)
{
	sql_lit(text, "IF(m.from_user_id=");
	sql_str(text, p->user);
	sql_lit(text, ",m.deleted_by_sender,IF(m.to_user_id=");
	sql_str(text, p->user);
	sql_lit(text, ",m.deleted_by_recipient,1))");
}

/* ---- when they were read ---- */

/* Who was to read it. */
static int reader_of(const struct page *p, const struct message *m)
{
	return str_is(p->user, m->to) ? READER_USER : READER_PEER;
}

static bool is_in_order_of_marks(const struct page_reader *r)
{
	return r->from != 0;
}

/* The first mark that is not before that message. */
static const struct page_mark *find_mark(const struct page_reader *r, uint64_t seq)
{
	const struct page_mark *found = NULL;
	for (unsigned i = 0; i < r->marks; i++) {
		const struct page_mark *m = &r->mark[i];
		if (m->up_to_seq >= seq && (found == NULL || m->up_to_seq < found->up_to_seq))
			found = m;
	}
	return found;
}

/* After the rows of a step that asked for marks. */
static void learn_range(struct page_reader *r)
{
	uint64_t last = r->marks != 0 ? r->mark[r->marks - 1].up_to_seq : 0;
	bool all = r->marks < r->limit;
	uint64_t from = is_in_order_of_marks(r) ? r->from : all ? 1 : last;
	if (r->known_to == 0 || from < r->known_from)
		r->known_from = from;
	r->known_to = all || !is_in_order_of_marks(r) ? UINT64_MAX : last;
}

static bool is_known(const struct page_reader *r, uint64_t seq)
{
	return seq >= r->known_from && seq <= r->known_to;
}

static void set_marks(struct page *p, int reader)
{
	struct page_reader *r = &p->reader[reader];
	if (!r->asked)
		return;
	learn_range(r);
	for (size_t k = 0; k < p->count; k++) {
		struct message *m = &p->message[k];
		uint64_t seq = message_id_seq(m->id);
		if (m->is_read || reader_of(p, m) != reader || !is_known(r, seq))
			continue;
		const struct page_mark *mark = find_mark(r, seq);
		m->is_read = mark != NULL;
		m->read_ms = mark != NULL ? mark->at_ms : 0;
	}
	r->asked = false;
}

/* Is there a message that was read and whose mark may exist? Then it is asked for. */
static bool find_unmarked(struct page *p, int reader)
{
	struct page_reader *r = &p->reader[reader];
	uint64_t first = 0, last = 0;
	for (size_t k = 0; k < p->count; k++) {
		const struct message *m = &p->message[k];
		uint64_t seq = message_id_seq(m->id);
		if (m->is_read || reader_of(p, m) != reader || seq > r->read_seq || is_known(r, seq))
			continue;
		first = first == 0 || seq < first ? seq : first;
		last = seq > last ? seq : last;
	}
	if (first == 0)
		return false;
	r->asked = true;
	r->from = first;
	r->limit = last - first + 1 < PAGE_STEP ? (unsigned)(last - first + 1) : PAGE_STEP;
	return true;
}

/* Of the messages that the first step will find if none is deleted. Marks from a page's first seq to its last are no
 * more than its messages. */
static bool guess_unmarked(struct page *p)
{
	const bool newest = p->backwards && p->under_seq > MESSAGE_SEQ_MAX;
	uint64_t first = p->over_seq + 1;
	if (p->backwards && p->under_seq > p->asked && p->under_seq - p->asked > first)
		first = p->under_seq - p->asked;
	bool asked = false;
	for (int i = 0; i < READERS; i++) {
		struct page_reader *r = &p->reader[i];
		r->asked = r->read_seq >= (newest ? 1 : first);
		r->from = newest ? 0 : first;
		r->limit = p->asked;
		asked |= r->asked;
	}
	return asked;
}

static void put_marks_of(struct buf *text, const struct page *p, int reader)
{
	const struct page_reader *r = &p->reader[reader];
	buf_printf(text,
		   "(SELECT %d,up_to_seq,at FROM read_marks FORCE INDEX (PRIMARY) WHERE conversation_id=", reader);
	sql_u64(text, p->conversation_id);
	sql_lit(text, " AND user_id=");
	if (reader == READER_PEER) {
		sql_lit(text, "(SELECT IF(user1_id=");
		sql_str(text, p->user);
		sql_lit(text, ",user2_id,user1_id) FROM conversations WHERE id=");
		sql_u64(text, p->conversation_id);
		buf_append_char(text, ')');
	} else {
		sql_str(text, p->user);
	}
	if (is_in_order_of_marks(r)) {
		sql_lit(text, " AND up_to_seq>=");
		sql_u64(text, r->from);
	}
	buf_printf(text, " ORDER BY up_to_seq%s LIMIT %u)", is_in_order_of_marks(r) ? "" : " DESC", r->limit);
}

static void put_marks(struct buf *text, const struct page *p)
{
	bool first = true;
	for (int i = 0; i < READERS; i++) {
		if (!p->reader[i].asked)
			continue;
		if (!first)
			sql_lit(text, " UNION ALL ");
		first = false;
		put_marks_of(text, p, i);
	}
}

static void mark_row(struct page *p, struct row *row)
{
	uint64_t reader = row_take_u64(row);
	if (reader >= READERS || p->reader[reader].marks == p->reader[reader].limit)
		return;
	struct page_reader *r = &p->reader[reader];
	struct page_mark *m = &r->mark[r->marks++];
	m->up_to_seq = row_take_u64(row);
	m->at_ms = row_take_ms(row);
}

/* ---- a step ---- */

static void put_messages(struct buf *text, struct page *p)
{
	sql_lit(text, "SELECT ");
	if (conversation_is_group(p->conversation_id))
		buf_append_char(text, '0');
	else
		put_is_deleted(text, p);
	sql_lit(text, "," MESSAGE_COLUMNS " FROM messages m FORCE INDEX (PRIMARY) WHERE ");
	put_gaps(text, p);
	buf_append_str(text, p->backwards ? STR_LIT(" ORDER BY m.id DESC LIMIT ") : STR_LIT(" ORDER BY m.id LIMIT "));
	sql_u64(text, p->asked);
}

static void begin_stmt(struct page *p, struct buf *text, unsigned char stmt)
{
	if (p->stmt_count != 0)
		buf_append_char(text, ';');
	p->stmt[p->stmt_count++] = stmt;
}

unsigned page_put(struct page *p, struct buf *text)
{
	bool marks = p->marking;
	p->stmt_count = 0;
	if (!p->marking) {
		p->count_before = p->count;
		p->answer_before = p->answer;
		p->asked = p->limit + 1 - (unsigned)p->count;
		/* A step that knows the runs meets no deleted ones but those that are in none. */
		if (++p->steps > 2 && p->asked < PAGE_STEP)
			p->asked = PAGE_STEP;
		bool knows_itself = p->steps == 1 && !conversation_is_group(p->conversation_id);
		if (!knows_itself) {
			begin_stmt(p, text, STMT_RUNS);
			put_runs(text, p);
		}
		begin_stmt(p, text, STMT_MESSAGES);
		put_messages(text, p);
		marks = knows_itself && guess_unmarked(p);
	}
	if (marks) {
		begin_stmt(p, text, STMT_MARKS);
		put_marks(text, p);
	}
	page_restart(p);
	return p->stmt_count;
}

/* ---- its rows ---- */

void page_restart(struct page *p)
{
	for (unsigned i = 0; i < p->stmt_count; i++) {
		if (p->stmt[i] == STMT_MARKS) {
			p->reader[READER_USER].marks = p->reader[READER_PEER].marks = 0;
		} else if (p->stmt[i] == STMT_MESSAGES) {
			p->count = p->count_before;
			p->answer = p->answer_before;
			p->looked = p->found_count = p->found_at = 0;
			p->stopped = false;
		}
	}
}

static void run_row(struct page *p, struct row *row)
{
	struct page_run r;
	/* One statement each: initializers have no order. */
	r.first = row_take_u64(row);
	r.last = row_take_u64(row);
	if (p->found_count <= run_max(p))
		p->found[p->found_count++] = r;
}

/* By the runs. False: the message lies behind the last run that was found, and there may be more of them. */
static bool find_deleted(struct page *p, uint64_t seq, bool *deleted_r)
{
	const struct page_run *r = p->found;
	unsigned n = p->found_count;
	while (p->found_at < n && (p->backwards ? r[p->found_at].first > seq : r[p->found_at].last < seq))
		p->found_at++;
	if (p->found_at < n) {
		*deleted_r = p->backwards ? r[p->found_at].last >= seq : r[p->found_at].first <= seq;
		return true;
	}
	*deleted_r = false;
	return n < run_max(p);
}

static void message_row(struct page *p, struct arena *a, struct row *row)
{
	bool deleted = row_take_bool(row);
	struct row id = *row;
	uint64_t seq = message_id_seq(row_take_u64(&id));
	if (p->stopped)
		return;
	p->looked++;
	if (conversation_is_group(p->conversation_id) && !find_deleted(p, seq, &deleted)) {
		const struct page_run *last = &p->found[p->found_count - 1];
		p->stopped = true;
		p->looked_seq = p->backwards ? last->first : last->last;
		return;
	}
	p->looked_seq = seq;
	if (deleted || seq < p->first_seq || p->count > p->limit || p->answer.full)
		return;
	struct message *m = &p->message[p->count];
	if (row_take_message(row, a, m) && answer_takes(&p->answer, answer_message_size(m)))
		p->count++;
}

void page_row(struct page *p, struct arena *a, unsigned stmt, struct row *row)
{
	ASSERT(stmt < p->stmt_count);
	switch (p->stmt[stmt]) {
	case STMT_RUNS:
		run_row(p, row);
		break;
	case STMT_MESSAGES:
		message_row(p, a, row);
		break;
	case STMT_MARKS:
		mark_row(p, row);
		break;
	}
}

/* True: all the messages are there. */
static bool step_messages(struct page *p)
{
	if (p->count > p->limit || p->answer.full) {
		p->has_more = true;
		p->count = p->count > p->limit ? p->limit : p->count;
		return true;
	}
	uint64_t edge = p->stopped || p->looked == p->asked ? p->looked_seq : p->reach;
	if (p->over_seq < p->first_seq - 1)
		p->over_seq = p->first_seq - 1;
	if (p->backwards)
		p->under_seq = edge;
	else if (edge > p->over_seq)
		p->over_seq = edge;
	if (p->under_seq <= p->over_seq + 1)
		return true;
	struct page_run *swapped = p->known;
	p->known = p->found;
	p->known_count = p->found_count;
	p->found = swapped;
	return false;
}

bool page_step(struct page *p)
{
	if (!p->marking && !step_messages(p))
		return false;
	if (conversation_is_group(p->conversation_id))
		return true;
	bool asks = false;
	for (int i = 0; i < READERS; i++) {
		set_marks(p, i);
		asks |= find_unmarked(p, i);
	}
	p->marking = true;
	return !asks;
}

void page_reverse(struct page *p, size_t n)
{
	ASSERT(n <= p->count);
	for (size_t i = 0; i < n / 2; i++) {
		struct message swapped = p->message[i];
		p->message[i] = p->message[n - 1 - i];
		p->message[n - 1 - i] = swapped;
	}
}
