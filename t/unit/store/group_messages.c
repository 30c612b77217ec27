/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of groups: pages of them over what a member has deleted, and catching up with both kinds at once. */
#include "core/base.h"
#include "store/group.h"

#include "core/buf.h"
#include "groups.h"
#include "lists.h"
#include "one_store.h"

/* ---- pages ---- */

struct page_answer {
	bool done;
	enum store_status status;
	unsigned seq[101];
	int64_t read_ms[101]; /* 0: not read */
	size_t count;
	bool has_more;
};

static void on_history(const struct store_history *r, void *arg)
{
	struct page_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->has_more = r->has_more;
	for (size_t i = 0; i < r->count; i++) {
		a->seq[i] = (unsigned)message_id_seq(r->item[i].id);
		a->read_ms[i] = r->item[i].is_read ? r->item[i].read_ms : 0;
	}
	answered(&a->done);
}

static struct page_answer page(const char *user, uint64_t id, uint64_t before, uint64_t after, unsigned limit)
{
	struct page_answer a = {0};
	store_list_messages(s, str_from(user), id, before, after, limit, on_history, &a);
	wait_for(&a.done);
	return a;
}

/* The whole history, page by page; 0 where a page is not as it has to be. */
static size_t walk(const char *user, uint64_t id, bool backwards, unsigned limit, unsigned *seq, size_t max)
{
	uint64_t place = 0;
	size_t count = 0;
	for (bool more = true; more;) {
		struct page_answer a = page(user, id, backwards ? place : 0, backwards ? STORE_NO_AFTER : place, limit);
		if (a.status != STORE_OK || a.count > limit || count + a.count > max || (a.has_more && a.count == 0))
			return 0;
		for (size_t i = 0; i < a.count; i++)
			seq[count++] = backwards ? a.seq[a.count - 1 - i] : a.seq[i];
		if (a.count != 0)
			place = seq[count - 1];
		more = a.has_more;
	}
	for (size_t i = 0; backwards && i < count / 2; i++) {
		unsigned swapped = seq[i];
		seq[i] = seq[count - 1 - i];
		seq[count - 1 - i] = swapped;
	}
	return count;
}

#define LONG 1000

static void walks_are(const char *user, uint64_t id, const bool *deleted, unsigned first_seq, unsigned last_seq)
{
	static const unsigned limits[] = {1, 7, 50, 100};
	static unsigned want[LONG], got[LONG];
	size_t n = 0;
	unsigned wrong = 0;
	for (unsigned i = first_seq; i <= last_seq; i++)
		if (!deleted[i])
			want[n++] = i;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		if (n > 200 && limits[i] == 1)
			continue;
		for (int backwards = 0; backwards < 2; backwards++) {
			size_t count = walk(user, id, backwards != 0, limits[i], got, LONG);
			wrong += count != n || memcmp(got, want, n * sizeof(*want)) != 0;
		}
	}
	is_int(wrong, 0, "%s sees %zu of %u messages, with pages of any size", user, n, last_seq);
}

/* Every run of the array; they do not touch. */
static void delete_all(uint64_t id, const char *user, const bool *deleted, unsigned last_seq)
{
	struct buf text = {0};
	unsigned first = 0, greatest = 0;
	for (unsigned i = 1; i <= last_seq + 1; i++) {
		if (i <= last_seq && deleted[i]) {
			first = first == 0 ? i : first;
		} else if (first != 0) {
			buf_printf(&text, "%s('%s',%llu,%u,%u)", text.len == 0 ? "" : ",", user, (unsigned long long)id,
				   first, i - 1);
			greatest = i - 1;
			first = 0;
		}
	}
	db_sql("INSERT INTO deletions VALUES %.*s;UPDATE members SET deleted_seq=%u WHERE user_id='%s' AND "
	       "conversation_id=%llu",
	       (int)text.len, text.data, greatest, user, (unsigned long long)id);
	buf_fini(&text);
}

static void test_pages(void)
{
	static bool none[LONG + 1], others[LONG + 1], most[LONG + 1], start[LONG + 1];
	uint64_t id = group_new("ann", LONG, 100);
	for (unsigned i = 1; i <= LONG; i++) {
		others[i] = i % 2 == 0;
		most[i] = i % 300 > 3;
		start[i] = i <= 400 || i > 990;
	}
	group_join(id, "ann", GROUP_OWNER, 1, 1, 1);
	walks_are("ann", id, none, 1, LONG);
	group_join(id, "bob", GROUP_MEMBER, 1, 1, 1);
	delete_all(id, "bob", others, LONG);
	walks_are("bob", id, others, 1, LONG);
	group_join(id, "cat", GROUP_MEMBER, 1, 1, 1);
	delete_all(id, "cat", most, LONG);
	walks_are("cat", id, most, 1, LONG);
	group_join(id, "dan", GROUP_MEMBER, 1, 1, 1);
	delete_all(id, "dan", start, LONG);
	walks_are("dan", id, start, 1, LONG);
	group_join(id, "eve", GROUP_MEMBER, 905, 905, 905);
	walks_are("eve", id, none, 905, LONG);
	group_join(id, "fay", GROUP_MEMBER, 611, 611, 611);
	delete_all(id, "fay", others, LONG);
	walks_are("fay", id, others, 611, LONG);
	struct page_answer a = page("eve", id, 905, STORE_NO_AFTER, 10);
	ok(a.status == STORE_OK && a.count == 0 && !a.has_more,
	   "nothing is before the first one that a member may see");
	a = page("eve", id, 907, STORE_NO_AFTER, 10);
	ok(a.count == 2 && a.seq[0] == 905 && !a.has_more, "or next to nothing");
	a = page("eve", id, 0, 0, 3);
	ok(a.count == 3 && a.seq[0] == 905 && a.has_more, "forward it begins there");
	is_int(page("nobody", id, 0, STORE_NO_AFTER, 10).status, STORE_NOT_FOUND, "who is no member sees nothing");
	db_sql("DELETE FROM members WHERE user_id='eve'");
	is_int(page("eve", id, 0, STORE_NO_AFTER, 10).status, STORE_NOT_FOUND, "nor who was one");
	is_int(page("ann", UINT64_MAX, 0, STORE_NO_AFTER, 10).status, STORE_NOT_FOUND, "no such id");
}

/* ---- when messages of a direct conversation were read ---- */

/* Each by a read of its own, with hundreds of deleted ones in between. */
static void times_are_right(const char *user, uint64_t id, uint64_t before, uint64_t after, size_t count,
			    const char *what)
{
	struct page_answer a = page(user, id, before, after, 100);
	int64_t zero = db_sql("SELECT UNIX_TIMESTAMP(" AT("0") ")*1000");
	unsigned wrong = 0;
	for (size_t i = 0; i < a.count; i++)
		wrong += a.read_ms[i] != (a.seq[i] > 980 ? 0 : zero + (a.seq[i] + a.seq[i] % 2) * 1000);
	ok(a.count == count && wrong == 0, "%s", what);
}

static void test_read_times(void)
{
	db_sql("INSERT INTO conversations (user1_id,user2_id,last_seq,sort_time,user2_read_seq,created_at) VALUES "
	       "('t1','t2',1000,UTC_TIMESTAMP(3),980,UTC_TIMESTAMP(3))");
	unsigned long long id = (unsigned long long)db_sql("SELECT id FROM conversations WHERE user1_id='t1'");
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at,"
	       "deleted_by_recipient) SELECT (%llu<<28)+seq,'t1','t2',0,'x',CONCAT('t',seq),UTC_TIMESTAMP(3),"
	       "seq BETWEEN 2 AND 950 FROM seq_1_to_1000;INSERT INTO deletions VALUES ('t2',%llu,2,950);"
	       "INSERT INTO read_marks SELECT %llu,'t2',seq," AT("seq") " FROM seq_1_to_980 WHERE seq%%2=0",
	       id, id, id);
	times_are_right("t2", id, 0, 0, 51, "each message has the time of the first read that was not before it");
	times_are_right("t1", id, 990, STORE_NO_AFTER, 100, "as its sender sees it");
}

/* ---- catching up ---- */

static unsigned first_of(const struct store_sync_item *item)
{
	return item->message_count != 0 ? (unsigned)message_id_seq(item->message[0].id) : 0;
}

static unsigned last_of(const struct store_sync_item *item)
{
	return item->message_count != 0 ? (unsigned)message_id_seq(item->message[item->message_count - 1].id) : 0;
}

static void change(uint64_t id, unsigned change_seq, unsigned kind, unsigned seq, const char *user)
{
	db_sql("INSERT INTO changes (conversation_id,change_seq,kind,message_id,user_id,at) VALUES (%llu,%u,%u,"
	       "(%llu<<28)+%u,'%s'," AT("900") ");UPDATE group_heads SET change_seq=%u WHERE id=%llu",
	       (unsigned long long)id, change_seq, kind, (unsigned long long)id, seq, user, change_seq,
	       (unsigned long long)id);
}

static void test_sync_listed(void)
{
	uint64_t id = group_new("ann", 30, 100), other = group_new("ann", 5, 100);
	group_join(id, "sam", GROUP_MEMBER, 11, 11, 20);
	group_join(other, "ann", GROUP_OWNER, 1, 1, 5);
	db_befriend("sam", "dora");
	uint64_t direct = message_id_conversation(do_text(s, "dora", "sam", "x", "s1").m.id);
	const struct store_sync_have have[] = {{id, 15, 0},	   {other, 1, 0}, {direct, 0, 0}, {99, 0, 0},
					       {UINT64_MAX, 0, 0}, {other, 3, 0}, {0, 0, 0}};
	struct sync_answer *a = do_sync(s, "sam", have, 7, NULL, 10);
	ok(a->status == STORE_OK && a->count == 2 && !a->more, "those listed of which there is more, of both kinds");
	ok(a->item[0].conversation.id == direct && a->item[0].message_count == 1, "a direct one");
	ok(a->item[1].conversation.id == id && first_of(&a->item[1]) == 16 && last_of(&a->item[1]) == 25 &&
		   a->item[1].has_more && a->item[1].conversation.unread == 10,
	   "a group, from where the client is");
	ok(a->gone_count == 4 && a->gone[0] == other && a->gone[1] == 99 && a->gone[2] == UINT64_MAX && a->gone[3] == 0,
	   "and those that are not the user's, each once");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 2, 0}, 1, NULL, 100);
	ok(a->count == 1 && first_of(&a->item[0]) == 11 && a->item[0].message_count == 20 && !a->item[0].has_more,
	   "from the first one on that the member may see");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 30, 0}, 1, NULL, 10);
	ok(a->count == 0 && a->gone_count == 0, "nothing new");
	group_delete(id, "sam", 26, 30);
	a = do_sync(s, "sam", &(struct store_sync_have){id, 25, 0}, 1, NULL, 10);
	ok(a->count == 0, "nothing but what the member has deleted");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 20, 0}, 1, NULL, 10);
	ok(a->count == 1 && first_of(&a->item[0]) == 21 && last_of(&a->item[0]) == 25 && !a->item[0].has_more &&
		   a->item[0].conversation.unread == 5,
	   "no page has it");
	change(id, 1, CHANGE_RECALLED, 3, "ann");
	change(id, 2, CHANGE_RECALLED, 12, "ann");
	change(id, 3, CHANGE_DELETED, 13, "ann");
	change(id, 4, CHANGE_DELETED, 27, "sam");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 30, 0}, 1, NULL, 10);
	ok(a->count == 1 && a->item[0].change_count == 2 && a->item[0].change[0].change_seq == 2 &&
		   !a->item[0].has_more,
	   "changes that all see and the member's own, of messages that the member may see");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 30, 0}, 1, NULL, 1);
	ok(a->item[0].change_count == 1 && a->item[0].has_more, "some at a time");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 30, 4}, 1, NULL, 10);
	ok(a->count == 0, "then no more");
	group_delete(id, "sam", 11, 24);
	db_sql("UPDATE deletions SET last_seq=30 WHERE user_id='sam' AND first_seq=11;DELETE FROM deletions WHERE "
	       "user_id='sam' AND first_seq=26;UPDATE members SET deleted_seq=30 WHERE user_id='sam'");
	a = do_sync(s, "sam", &(struct store_sync_have){id, 0, 4}, 1, NULL, 10);
	ok(a->count == 0, "a group of which the member has deleted all");
}

/* Many of both kinds that were active at various and at the same times, the walk in several calls. */
static void test_sync_walk(void)
{
	enum { EACH = 130 };
	char peer[16];
	db_sql("UPDATE activity SET at=GREATEST(at," AT("5000") ")");
	struct store_cursor since = {db_sql("SELECT UNIX_TIMESTAMP(" AT("1000") ")*1000"), 0};
	for (int i = 0; i < EACH; i++) {
		uint64_t id = group_new("ann", 3, 100);
		group_join(id, "wim", GROUP_MEMBER, 1, i % 2 == 0 ? 1 : 3, 3);
		db_sql("UPDATE group_heads SET active_at=" AT("%d") " WHERE id=%llu", i < 5 ? 900 : 1100 + i / 4,
		       (unsigned long long)id);
		snprintf(peer, sizeof(peer), "p%03d", i);
		db_sql("INSERT INTO conversations (user1_id,user2_id,sort_time,created_at) VALUES ('%s','wim'," AT(
			       "%d") "," AT("1000") ")",
		       peer, i < 5 ? 900 : 1100 + i / 5);
	}
	unsigned groups = 0, direct = 0, wrong = 0, calls = 0;
	struct sync_answer *a;
	uint64_t listed = (uint64_t)db_sql("SELECT MAX(conversation_id) FROM members WHERE user_id='wim'");
	const struct store_sync_have have = {listed, 3, 0};
	do {
		a = do_sync(s, "wim", &have, 1, &since, 2);
		for (size_t i = 0; i < a->count; i++) {
			const struct conversation *c = &a->item[i].conversation;
			bool is_group = conversation_is_group(c->id);
			groups += is_group;
			direct += !is_group;
			wrong += c->id == listed ||
				 (is_group &&
				  (last_of(&a->item[i]) != 3 || first_of(&a->item[i]) != (c->first_seq == 3 ? 3 : 2) ||
				   a->item[i].has_more != (c->first_seq == 1)));
		}
		since = a->cursor;
	} while (++calls < 10 && a->more);
	ok(groups == EACH - 5 - 1 && direct == EACH - 5 && wrong == 0, "each that was active since the cursor, once");
	if (groups != EACH - 5 - 1 || direct != EACH - 5 || wrong != 0)
		printf("#   %u groups, %u direct, %u wrong\n", groups, direct, wrong);
	ok(calls == 3 && a->gone_count == 0, "in three calls");
	db_sql("DELETE FROM members WHERE user_id='wim'");
	a = do_sync(s, "wim", &have, 1, &since, 2);
	ok(a->gone_count == 1 && a->gone[0] == listed, "what the user was removed from is gone");
}

int main(void)
{
	one_store_begin(NULL);
	test_pages();
	test_read_times();
	test_sync_listed();
	test_sync_walk();
	return one_store_end();
}
