/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of a conversation that was read ten thousand times: whatever is done to one or asked of it tells when it was
 * read, and looks at a few of the marks, not at all of them. And pages of a conversation in which both read, delete and
 * read single messages at random tell of each message when it was read.
 */
#include "core/base.h"
#include "store/group.h"

#include "core/clock.h"
#include "lists.h"
#include "one_store.h"

enum { LAST = 10000, READ_UP_TO = LAST - 10, FEW = 1000 };

static uint64_t id; /* of the conversation, from ann to bob; bob has read one message a minute */

static void make(void)
{
	db_befriend("ann", "bob");
	id = message_id_conversation(do_text(s, "ann", "bob", "x", "k1").m.id);
	unsigned long long c = id;
	db_sql("INSERT INTO messages "
	       "(id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at,mentions) "
	       "SELECT (%llu<<28)+seq,'ann','bob',0,'x',CONCAT('k',seq),UTC_TIMESTAMP(3),IF(seq=%d,'[\"bob\"]',NULL) "
	       "FROM "
	       "seq_2_to_%d",
	       c, READ_UP_TO - 1, LAST);
	db_sql("INSERT INTO mentions (user_id,conversation_id,seq,at) SELECT to_user_id,%llu,%d,created_at FROM "
	       "messages "
	       "WHERE id=(%llu<<28)+%d",
	       c, READ_UP_TO - 1, c, READ_UP_TO - 1);
	db_sql("INSERT INTO read_marks (conversation_id,user_id,up_to_seq,at) SELECT %llu,'bob',seq,"
	       "'2026-01-01'+INTERVAL seq MINUTE FROM seq_1_to_%d",
	       c, READ_UP_TO);
	db_sql("UPDATE conversations SET last_seq=%d,user2_unread=%d,user2_read_seq=%d,user1_last_id=(id<<28)+%d,"
	       "user2_last_id=(id<<28)+%d,last_message_time=(SELECT created_at FROM messages WHERE id=(%llu<<28)+%d),"
	       "sort_time=last_message_time WHERE id=%llu",
	       LAST, LAST - READ_UP_TO, READ_UP_TO, LAST, LAST, c, LAST, c);
	db_sql("ANALYZE TABLE messages,read_marks");
	is_int(db_wrong(), 0, "a conversation that was read %d times", READ_UP_TO);
}

static long long rows_read(void)
{
	return db_sql("SELECT SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE "
		      "'HANDLER_READ%%'");
}

static long long before;

static void begin(void)
{
	before = rows_read();
}

/* And that message was read in its minute. */
static void is_cheap(const struct message *m, unsigned seq, const char *what)
{
	long long rows = rows_read() - before;
	int64_t at = db_sql("SELECT UNIX_TIMESTAMP('2026-01-01'+INTERVAL %u MINUTE)*1000", seq);
	ok(message_id_seq(m->id) == seq && m->is_read && m->read_ms == at, "%s: tells when it was read", what);
	ok(rows < FEW, "%s: looks at %lld rows", what, rows);
}

static uint64_t message(unsigned seq)
{
	return message_id_make(id, seq);
}

static void test_writes(void)
{
	struct change_answer c;
	begin();
	c = do_change(ACT_RECALL, s, "ann", message(READ_UP_TO - 2));
	ok(c.status == STORE_OK && c.changed, "recalled");
	is_cheap(&c.m, READ_UP_TO - 2, "a recall");
	begin();
	c = do_change(ACT_DELETE, s, "bob", message(READ_UP_TO - 3));
	ok(c.status == STORE_OK && c.changed, "deleted");
	is_cheap(&c.m, READ_UP_TO - 3, "a deletion");
	begin();
	c = do_change(ACT_READ, s, "bob", message(READ_UP_TO - 4));
	ok(c.status == STORE_OK && !c.changed, "read before");
	is_cheap(&c.m, READ_UP_TO - 4, "a read");
	begin();
	struct sent_answer sent = do_text(s, "ann", "bob", "x", "k9985");
	ok(sent.status == STORE_OK && sent.replayed, "sent before");
	is_cheap(&sent.m, 9985, "a repeat");
	c = do_change(ACT_RECALL, s, "ann", message(LAST - 1));
	ok(c.status == STORE_OK && c.changed && !c.m.is_read, "what is after the last mark is not read");
	is_int(db_wrong(), 0, "all counters are right");
}

static void on_receipts(const struct store_receipts *r, void *arg)
{
	struct change_answer *a = arg;
	a->status = r->status;
	a->change_seq = r->read_count;
	a->m.is_read = r->count == 1 && strcmp(r->item[0].user_id, "bob") == 0;
	a->m.read_ms = r->count == 1 ? r->item[0].read_ms : 0;
	answered(&a->done);
}

static void on_mentions(const struct store_mentions *r, void *arg)
{
	struct change_answer *a = arg;
	a->status = r->status;
	if (r->count == 1)
		a->m = keep_message(&r->item[0]);
	answered(&a->done);
}

static struct change_answer receipts(unsigned seq, const char *after)
{
	struct change_answer a = {.m.id = message(seq)};
	store_list_receipts(s, STR_LIT("ann"), message(seq), 10, str_from(after), on_receipts, &a);
	wait_for(&a.done);
	return a;
}

static void test_reads(void)
{
	struct change_answer a;
	begin();
	a = receipts(READ_UP_TO - 5, NULL);
	ok(a.status == STORE_OK && a.change_seq == 1, "who has read it");
	is_cheap(&a.m, READ_UP_TO - 5, "receipts");
	a = receipts(READ_UP_TO - 5, "bob");
	ok(a.status == STORE_OK && a.change_seq == 1 && !a.m.is_read, "none after the one");
	a = receipts(LAST, NULL);
	ok(a.status == STORE_OK && a.change_seq == 0 && !a.m.is_read, "nobody has read the last one");
	begin();
	a = (struct change_answer){0};
	store_list_mentions(s, STR_LIT("bob"), 10, (struct store_cursor){0}, on_mentions, &a);
	wait_for(&a.done);
	is_int(a.status, STORE_OK, "mentions");
	is_cheap(&a.m, READ_UP_TO - 1, "a mention");
	begin();
	struct sent_answer sent = {0};
	const struct store_send p = text_to("ann", "bob", "x", "k9984");
	store_find_sent(s, &p, on_sent, &sent);
	wait_for(&sent.done);
	ok(sent.status == STORE_OK && sent.replayed, "found as sent before");
	is_cheap(&sent.m, 9984, "a look");
}

/* The newest of all is deleted for ann: the last one that she sees is one that bob has read. */
static void test_last(void)
{
	for (unsigned seq = LAST; seq >= READ_UP_TO; seq--)
		do_change(ACT_DELETE, s, "ann", message(seq));
	begin();
	struct list_answer *list = do_list(s, "ann", 10, (struct store_cursor){0});
	ok(list->status == STORE_OK && list->count == 1 && list->c[0].has_last, "ann's list");
	is_cheap(&list->c[0].last, READ_UP_TO - 1, "the list");
	begin();
	struct found_conversation f = do_find(s, "ann", id);
	is_cheap(&f.c.last, READ_UP_TO - 1, "the conversation");
	begin();
	struct sync_answer *a = do_sync(s, "ann", &(struct store_sync_have){id, LAST - 20, 0}, 1, NULL, 1);
	ok(a->count == 1, "catching up");
	is_cheap(&a->item[0].conversation.last, READ_UP_TO - 1, "catching up");
	ok(do_list(s, "bob", 10, (struct store_cursor){0})->c[0].last.id == message(LAST), "bob sees the newest");
}

/* ---- pages ---- */

enum { ALL = 400, PAGES = 400, LIMIT_MAX = 60 };

static const char *const pair[] = {"carl", "dora"};

/* What the database holds, of message [seq]; times in seconds from 2026 on, 0: none. */
static struct {
	int from; /* of pair[] */
	int read_at;
	bool deleted[2];
	bool mark[2]; /* up to it */
} made[ALL + 1];

static int mark_secs(int reader, unsigned seq)
{
	return (int)(1000 * (unsigned)(reader + 1) + seq);
}

/* When the message was read by the one it was sent to. */
static int read_secs(unsigned seq)
{
	int reader = !made[seq].from;
	if (made[seq].read_at != 0)
		return made[seq].read_at;
	for (unsigned k = seq; k <= ALL; k++)
		if (made[k].mark[reader])
			return mark_secs(reader, k);
	return 0;
}

static void make_message(unsigned long long c, unsigned seq)
{
	made[seq].from = (int)pick(2);
	made[seq].read_at = pick(10) == 0 ? (int)(5000 + seq) : 0;
	db_sql("INSERT IGNORE INTO messages "
	       "(id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at,read_at,deleted_by_sender,"
	       "deleted_by_recipient) VALUES ((%llu<<28)+%u,'%s','%s',0,'x','k%u',UTC_TIMESTAMP(3),%s%d%s,%d,%d)",
	       c, seq, pair[made[seq].from], pair[!made[seq].from], seq,
	       made[seq].read_at != 0 ? "'2026-01-01'+INTERVAL " : "IF(", made[seq].read_at,
	       made[seq].read_at != 0 ? " SECOND" : ",0,NULL)", made[seq].deleted[made[seq].from],
	       made[seq].deleted[!made[seq].from]);
	for (int i = 0; i < 2; i++)
		if (made[seq].mark[i])
			db_sql("INSERT INTO read_marks VALUES (%llu,'%s',%u,'2026-01-01'+INTERVAL %d SECOND)", c,
			       pair[i], seq, mark_secs(i, seq));
}

/* Runs of deleted messages, of which an older release may have written down none. */
static void delete_runs(unsigned long long c, int user)
{
	for (unsigned seq = 1 + pick(20); seq < ALL; seq += 1 + pick(60)) {
		unsigned first = seq, end = seq + 1 + pick(30);
		for (; seq < end && seq <= ALL; seq++)
			made[seq].deleted[user] = true;
		if (pick(2))
			db_sql("INSERT INTO deletions VALUES ('%s',%llu,%u,%u)", pair[user], c, first, seq - 1);
	}
}

static uint64_t make_pages(unsigned marks_percent)
{
	memset(made, 0, sizeof(made));
	db_befriend(pair[0], pair[1]);
	db_sql("DELETE FROM conversations WHERE user1_id='%s'", pair[0]);
	db_sql("DELETE FROM messages WHERE from_user_id IN ('%s','%s')", pair[0], pair[1]);
	db_sql("INSERT INTO conversations (user1_id,user2_id,last_seq,sort_time,created_at) VALUES "
	       "('%s','%s',%d,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
	       pair[0], pair[1], ALL);
	unsigned long long c = (unsigned long long)db_sql("SELECT id FROM conversations WHERE user1_id='%s'", pair[0]);
	unsigned read_to[2] = {0, 0};
	for (int i = 0; i < 2; i++) {
		for (unsigned seq = 1; seq <= ALL - 20; seq++) {
			made[seq].mark[i] = pick(100) < marks_percent;
			read_to[i] = made[seq].mark[i] ? seq : read_to[i];
		}
		delete_runs(c, i);
	}
	for (unsigned seq = 1; seq <= ALL; seq++)
		make_message(c, seq);
	db_sql("UPDATE conversations SET user1_read_seq=%u,user2_read_seq=%u WHERE id=%llu", read_to[0], read_to[1], c);
	return c;
}

struct pages_answer {
	bool done;
	int user;
	uint64_t before, after;
	unsigned limit, wrong;
	int64_t base_ms;
};

static bool is_told(const struct message *m, unsigned seq, int64_t base_ms)
{
	int secs = read_secs(seq);
	return message_id_seq(m->id) == seq && m->is_read == (secs != 0) &&
	       m->read_ms == (secs != 0 ? base_ms + secs * INT64_C(1000) : 0);
}

static void on_page(const struct store_history *h, void *arg)
{
	struct pages_answer *a = arg;
	bool backwards = a->after == STORE_NO_AFTER;
	unsigned expected[LIMIT_MAX], n = 0;
	unsigned first = backwards ? (unsigned)a->before - 1 : (unsigned)a->after + 1;
	first = backwards && first > ALL ? ALL : first;
	bool more = false;
	for (unsigned seq = first; seq >= 1 && seq <= ALL && !more; seq += backwards ? -1U : 1U) {
		if (made[seq].deleted[a->user])
			continue;
		more = n == a->limit;
		if (!more)
			expected[n++] = seq;
	}
	a->wrong += h->status != STORE_OK || h->count != n || h->has_more != more;
	for (unsigned k = 0; k < n && h->count == n; k++)
		a->wrong += !is_told(&h->item[k], expected[backwards ? n - 1 - k : k], a->base_ms);
	answered(&a->done);
}

static void test_pages(unsigned marks_percent)
{
	uint64_t c = make_pages(marks_percent);
	unsigned wrong = 0;
	int64_t base_ms = db_sql("SELECT UNIX_TIMESTAMP('2026-01-01')*1000");
	for (int i = 0; i < PAGES; i++) {
		struct pages_answer a = {.user = (int)pick(2), .after = STORE_NO_AFTER, .base_ms = base_ms};
		a.limit = 1 + pick(LIMIT_MAX);
		if (pick(2))
			a.after = pick(ALL + 10);
		else
			a.before = pick(ALL + 10);
		store_list_messages(s, str_from(pair[a.user]), c, a.before, a.after, a.limit, on_page, &a);
		wait_for(&a.done);
		wrong += a.wrong;
	}
	is_int(wrong, 0, "%d pages where %u %% of the messages have marks", PAGES, marks_percent);
}

int main(void)
{
	one_store_begin(NULL);
	make();
	test_writes();
	test_reads();
	test_last();
	test_pages(2);
	test_pages(30);
	test_pages(100);
	return one_store_end();
}
