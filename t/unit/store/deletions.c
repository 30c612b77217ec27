/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that tens of thousands of deleted messages cost nothing: no statement looks at more than a few hundred rows,
 * whether the deletions are in runs or, as a node of an older release leaves them, in none; and that pages are right
 * with any pattern of them.
 */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "db.h"
#include "calls.h"
#include "../tap.h"

enum { MANY = 20000, ROWS_MAX = 1200, PAGE_MAX = 100 };

static struct store *s;

/* ---- how many rows a statement looked at ---- */

static void watch_rows(void)
{
	db_sql("TRUNCATE mysql.slow_log");
}

/* statements_max: for all that was done since watch_rows(). */
static void rows_are_few(const char *what, long long statements_max)
{
	long long most = db_sql("SELECT COALESCE(MAX(rows_examined),0) FROM mysql.slow_log WHERE db='deletions' AND "
				"thread_id<>CONNECTION_ID()");
	long long statements = db_sql("SELECT COUNT(*) FROM mysql.slow_log WHERE db='deletions' AND "
				      "thread_id<>CONNECTION_ID()");
	ok(statements > 0 && statements <= statements_max, "%s: %lld statements", what, statements);
	ok(most <= ROWS_MAX, "%s: no statement looks at many rows (%lld)", what, most);
}

/* ---- a conversation ---- */

static uint64_t make_conversation(const char *user1, const char *user2, unsigned messages)
{
	db_befriend(user1, user2);
	uint64_t id = message_id_conversation(do_text(s, user1, user2, "first", NULL).m.id);
	if (messages > 1)
		db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at)"
		       " SELECT (%llu<<28)+seq,IF(seq%%3,'%s','%s'),IF(seq%%3,'%s','%s'),0,seq,CONCAT(%llu,':',seq),"
		       "(SELECT last_message_time FROM conversations WHERE id=%llu) FROM seq_2_to_%u",
		       (unsigned long long)id, user1, user2, user2, user1, (unsigned long long)id,
		       (unsigned long long)id, messages);
	db_sql("UPDATE conversations SET last_seq=%u,user1_last_id=(id<<28)+%u,user2_last_id=(id<<28)+%u,"
	       "user1_unread=(SELECT COUNT(*) FROM messages WHERE id>>28=%llu AND to_user_id=user1_id),"
	       "user2_unread=(SELECT COUNT(*) FROM messages WHERE id>>28=%llu AND to_user_id=user2_id) WHERE id=%llu",
	       messages, messages, messages, (unsigned long long)id, (unsigned long long)id, (unsigned long long)id);
	return id;
}

/* By SQL, with the counters: first to last, as a node that writes a run or one that does not. */
static void delete_range(const char *user, uint64_t id, uint64_t first, uint64_t last, bool with_run)
{
	db_sql("UPDATE messages SET deleted_by_sender=deleted_by_sender OR from_user_id='%s',"
	       "deleted_by_recipient=deleted_by_recipient OR to_user_id='%s' WHERE id BETWEEN (%llu<<28)+%llu AND "
	       "(%llu<<28)+%llu",
	       user, user, (unsigned long long)id, (unsigned long long)first, (unsigned long long)id,
	       (unsigned long long)last);
	if (with_run)
		db_sql("INSERT INTO deletions VALUES ('%s',%llu,%llu,%llu)", user, (unsigned long long)id,
		       (unsigned long long)first, (unsigned long long)last);
	db_sql("INSERT INTO changes (conversation_id,change_seq,kind,message_id,user_id,at) SELECT %llu,"
	       "(SELECT change_seq FROM conversations WHERE id=%llu)+seq-%llu+1,2,(%llu<<28)+seq,'%s',UTC_TIMESTAMP() "
	       "FROM seq_%llu_to_%llu",
	       (unsigned long long)id, (unsigned long long)id, (unsigned long long)first, (unsigned long long)id, user,
	       (unsigned long long)first, (unsigned long long)last);
	db_sql("UPDATE conversations c SET change_seq=change_seq+%llu,"
	       "user1_last_id=(SELECT COALESCE(MAX(id),0) FROM messages m WHERE m.id>>28=%llu AND "
	       "IF(m.from_user_id=c.user1_id,m.deleted_by_sender,m.deleted_by_recipient)=0),"
	       "user2_last_id=(SELECT COALESCE(MAX(id),0) FROM messages m WHERE m.id>>28=%llu AND "
	       "IF(m.from_user_id=c.user2_id,m.deleted_by_sender,m.deleted_by_recipient)=0),"
	       "user1_unread=(SELECT COUNT(*) FROM messages m WHERE m.id>>28=%llu AND m.to_user_id=c.user1_id AND "
	       "m.deleted_by_recipient=0),"
	       "user2_unread=(SELECT COUNT(*) FROM messages m WHERE m.id>>28=%llu AND m.to_user_id=c.user2_id AND "
	       "m.deleted_by_recipient=0) WHERE id=%llu",
	       (unsigned long long)(last - first + 1), (unsigned long long)id, (unsigned long long)id,
	       (unsigned long long)id, (unsigned long long)id, (unsigned long long)id);
}

/* ---- pages ---- */

struct page_answer {
	bool done;
	enum store_status status;
	uint64_t seq[PAGE_MAX];
	size_t count;
	bool has_more;
};

static void on_history(const struct store_history *r, void *arg)
{
	struct page_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->has_more = r->has_more;
	for (size_t i = 0; i < r->count && i < PAGE_MAX; i++)
		a->seq[i] = message_id_seq(r->item[i].id);
	answered(&a->done);
}

static struct page_answer history(const char *user, uint64_t id, uint64_t before, uint64_t after, unsigned limit)
{
	struct page_answer a = {0};
	store_list_messages(s, str_from(user), id, before, after, limit, on_history, &a);
	wait_for(&a.done);
	return a;
}

/* Walks all pages; says how often one was not what it should be. */
static int walk(const char *user, uint64_t id, const bool *deleted, uint64_t last, bool backwards, unsigned limit)
{
	int wrong = 0;
	uint64_t at = backwards ? last + 1 : 0;
	for (unsigned pages = 0; pages <= last + 1; pages++) {
		struct page_answer a =
			backwards ? history(user, id, at, STORE_NO_AFTER, limit) : history(user, id, 0, at, limit);
		uint64_t want[PAGE_MAX + 1];
		unsigned n = 0;
		for (uint64_t seq = at; n <= limit;) {
			if (backwards ? seq <= 1 : seq >= last)
				break;
			seq = backwards ? seq - 1 : seq + 1;
			if (!deleted[seq])
				want[n++] = seq;
		}
		unsigned count = n > limit ? limit : n;
		wrong += a.status != STORE_OK || a.count != count || a.has_more != (n > limit);
		for (unsigned i = 0; i < count && i < a.count; i++)
			wrong += a.seq[i] != want[backwards ? count - 1 - i : i];
		if (!a.has_more || a.count == 0)
			return wrong;
		at = backwards ? a.seq[0] : a.seq[a.count - 1];
	}
	return wrong + 1;
}

static void test_patterns(void)
{
	enum { LAST = 240 };
	static bool deleted[LAST + 2];
	char user1[16], user2[16];
	for (int round = 0; round < 12; round++) {
		snprintf(user1, sizeof(user1), "p%d", round);
		snprintf(user2, sizeof(user2), "q%d", round);
		uint64_t id = make_conversation(user1, user2, LAST);
		memset(deleted, 0, sizeof(deleted));
		bool half = round % 3 == 2; /* half of the runs are left out, as an older node does */
		for (unsigned seq = 1; seq <= LAST;) {
			unsigned keep = round % 2 ? 1 : 1 + pick(30), run = 1 + pick(round < 6 ? 3 : 60);
			seq += round == 0 && seq == 1 ? 0 : keep;
			unsigned end = seq + run - 1 < LAST ? seq + run - 1 : LAST;
			if (seq > LAST)
				break;
			delete_range(user1, id, seq, end, !half || pick(2));
			for (; seq <= end; seq++)
				deleted[seq] = true;
		}
		int wrong = 0;
		const unsigned limits[] = {1, 7, 100};
		for (size_t i = 0; i < ARRAY_LEN(limits); i++)
			wrong += walk(user1, id, deleted, LAST, true, limits[i]) +
				 walk(user1, id, deleted, LAST, false, limits[i]);
		is_int(wrong, 0, "pages with pattern %d", round);
		memset(deleted, 0, sizeof(deleted));
		is_int(walk(user2, id, deleted, LAST, true, 100), 0, "the other side has them all");
	}
}

/* ---- many ---- */

struct sync_answer {
	bool done;
	enum store_status status;
	size_t count, messages, changes;
	bool has_more;
};

static void on_synced(const struct store_synced *r, void *arg)
{
	struct sync_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	if (r->count > 0) {
		a->messages = r->item[0].message_count;
		a->changes = r->item[0].change_count;
		a->has_more = r->item[0].has_more;
	}
	answered(&a->done);
}

static struct sync_answer sync_from(const char *user, uint64_t id, uint64_t seq, uint64_t change_seq)
{
	struct sync_answer a = {0};
	const struct store_sync_have have = {id, seq, change_seq};
	const struct store_sync_request p = {.user = str_from(user), .have = &have, .have_count = 1, .limit = 50};
	store_sync(s, &p, on_synced, &a);
	wait_for(&a.done);
	return a;
}

static void test_many(const char *what, const char *user, const char *peer, bool with_run)
{
	uint64_t id = make_conversation(user, peer, MANY + 2);
	delete_range(user, id, 2, MANY + 1, with_run);
	watch_rows();
	struct page_answer a = history(user, id, MANY + 2, STORE_NO_AFTER, 50);
	ok(a.count == 1 && a.seq[0] == 1 && !a.has_more, "%s: the page before them", what);
	a = history(user, id, 0, 1, 50);
	ok(a.count == 1 && a.seq[0] == MANY + 2 && !a.has_more, "%s: the page after them", what);
	a = history(user, id, MANY / 2, STORE_NO_AFTER, 1);
	ok(a.count == 1 && a.seq[0] == 1, "%s: from their middle", what);
	struct sync_answer y = sync_from(user, id, 1, MANY);
	ok(y.status == STORE_OK && y.messages == 1 && !y.has_more, "%s: catching up", what);
	y = sync_from(peer, id, MANY + 2, 0);
	ok(y.status == STORE_OK && y.changes == 0 && !y.has_more, "%s: the other side is not told of them", what);
	for (int i = 0; i < 3; i++) {
		struct sent_answer m = do_text(s, user, peer, "x", NULL);
		struct change_answer d = do_change(ACT_DELETE, s, user, m.m.id);
		ok(d.status == STORE_OK && d.changed, "%s: sent and deleted", what);
		d = i == 0 ? do_change(ACT_DELETE, s, user, message_id_make(id, MANY + 2)) : d;
		ok(d.status == STORE_OK && d.changed, "%s: and the one above them", what);
		is_int(db_sql("SELECT user1_last_id&268435455 FROM conversations WHERE id=%llu",
			      (unsigned long long)id),
		       1, "%s: then the one below them is the newest", what);
	}
	is_int(do_change(ACT_DELETE, s, user, message_id_make(id, 1)).status, STORE_OK, "%s: at last that one", what);
	is_int(db_sql("SELECT user1_last_id FROM conversations WHERE id=%llu", (unsigned long long)id), 0,
	       "%s: then there is none", what);
	a = history(user, id, 0, STORE_NO_AFTER, 50);
	ok(a.status == STORE_OK && a.count == 0 && !a.has_more, "%s: on no page", what);
	/* Past a run one step suffices; else there are as many as the messages need. */
	rows_are_few(what, with_run ? 200 : MANY);
	if (with_run)
		is_int(db_sql("SELECT COUNT(*) FROM deletions WHERE user_id='%s' AND first_seq=1 AND last_seq=%d", user,
			      MANY + 5),
		       1, "%s: all of it is one run", what);
}

/* The migration makes runs of what was deleted before it. */
static void test_migration(const struct conf *c)
{
	char *err = NULL;
	db_sql("DELETE FROM deletions;DELETE FROM schema_migrations WHERE version>=(SELECT n FROM (SELECT version AS n "
	       "FROM schema_migrations WHERE name LIKE '%%deletions') x)");
	is_int(migrate_run(c, db_told, &err), 0, "the migration is run over it");
	free(err);
	is_int(db_wrong_runs(), 0, "every deleted message is in one run");
	ok(db_sql("SELECT COUNT(*) FROM deletions") > 0, "and there are some");
	is_int(db_wrong(), 0, "and all counters are right");
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("deletions");
	db_migrate(c);
	base = event_base_new();
	s = store_new(base, c, NULL, NULL);
	wait_up(s);
	test_patterns();
	store_free(&s);
	/* Every statement of connections made from now on counts as slow. */
	db_sql("SET GLOBAL log_output='TABLE';SET GLOBAL long_query_time=0;SET GLOBAL slow_query_log=1");
	s = store_new(base, c, NULL, NULL);
	wait_up(s);
	test_many("in a run", "m1", "n1", true);
	test_many("in no run", "m2", "n2", false);
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	test_migration(c);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
