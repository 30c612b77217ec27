/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done to messages of groups: recalling, deleting and reading them; and what is unread then. */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "groups.h"
#include "one_store.h"

static _Atomic int64_t shift_ms;

static uint64_t sent(uint64_t group, const char *from)
{
	struct sent_answer a = do_send(s, text_in(group, from, "x", NULL));
	if (a.status != STORE_OK)
		db_die("a send was refused");
	return a.m.id;
}

static uint64_t make_group(void)
{
	uint64_t group = group_make("olga");
	group_add(group, "ada", GROUP_ADMIN);
	group_add(group, "abe", GROUP_ADMIN);
	group_add(group, "mia", GROUP_MEMBER);
	group_add(group, "tom", GROUP_MEMBER);
	return group;
}

static enum store_status recall(const char *user, uint64_t id)
{
	return do_change(ACT_RECALL, s, user, id).status;
}

static void test_recall(void)
{
	uint64_t group = make_group();
	const struct str mention[] = {STR_LIT("tom")};
	struct store_send p = text_in(group, "mia", "secret", NULL);
	p.mention = mention;
	p.mention_count = 1;
	uint64_t id = do_send(s, p).m.id;
	is_int(group_unread(group, "tom"), 1, "a message");
	db_sql("UPDATE group_heads SET active_at='2020-01-01' WHERE id=%llu", ull(group));
	struct change_answer a = do_change(ACT_RECALL, s, "mia", id);
	ok(a.status == STORE_OK && a.changed && a.change_seq == 1, "its sender recalls it");
	ok(a.m.is_recalled && a.m.content.s == NULL && a.m.mentions.s == NULL, "nothing of it is left");
	is_str(a.by, "mia", "and who did it is told");
	is_int(db_sql("SELECT kind=0 AND user_id='mia' AND message_id=%llu AND audience='' FROM changes WHERE "
		      "conversation_id=%llu AND change_seq=1",
		      ull(id), ull(group)),
	       1, "the change is for all");
	is_int(head_of(group, "uncounted_seq"), (long long)message_id_seq(id), "it is uncounted");
	is_int(head_of(group, "active_at>'2026' AND change_seq=1"), 1, "the group was active");
	is_int(group_unread(group, "tom"), 0, "it is not unread any more");
	is_int(group_mentions(group, "tom"), 0, "nor does it mention");
	is_int(db_sql("SELECT COUNT(*) FROM recalls"), 0, "the table of pairs' recalls has nothing of it");
	a = do_change(ACT_RECALL, s, "mia", id);
	ok(a.status == STORE_OK && !a.changed && a.change_seq == 1, "again nothing changes");

	is_int(recall("tom", sent(group, "mia")), STORE_NOT_SENDER, "another member may not");
	is_int(recall("tom", id), STORE_NOT_SENDER, "nor of one that is recalled");
	is_int(recall("nina", id), STORE_NOT_FOUND, "who is no member sees none");
	is_int(recall("mia", id + 1000), STORE_NOT_FOUND, "there is none");
	id = sent(group, "mia");
	a = do_change(ACT_RECALL, s, "ada", id);
	ok(a.status == STORE_OK && a.changed, "an admin recalls a member's");
	is_str(a.by, "ada", "which is told");
	is_int(recall("ada", sent(group, "olga")), STORE_NOT_SENDER, "not the owner's");
	is_int(recall("ada", sent(group, "abe")), STORE_NOT_SENDER, "nor another admin's");
	is_int(recall("olga", sent(group, "abe")), STORE_OK, "the owner does");
	is_int(recall("ada", sent(group, "ada")), STORE_OK, "an admin their own");

	uint64_t mia = sent(group, "mia"), ada = sent(group, "ada"), olga = sent(group, "olga"),
		 gone = sent(group, "tom");
	shift_ms += (int64_t)conf->message.recall_window_secs * 1000 + 1000;
	is_int(recall("mia", mia), STORE_RECALL_EXPIRED, "past the window the sender does not");
	is_int(recall("ada", ada), STORE_RECALL_EXPIRED, "nor an admin their own");
	is_int(recall("ada", mia), STORE_OK, "but an admin a member's");
	is_int(recall("olga", olga), STORE_OK, "and the owner any");
	db_sql("DELETE FROM members WHERE user_id='tom' AND conversation_id=%llu", ull(group));
	is_int(recall("tom", gone), STORE_NOT_FOUND, "who has left does nothing");
	is_int(recall("ada", gone), STORE_OK, "what they left is a member's");
	shift_ms = 0;
	is_int(recall("olga", message_id_make(group, 1)), STORE_ROLE, "system messages are not recalled");
	is_int(recall("mia", message_id_make(group, 4)), STORE_ROLE, "by nobody");
	id = sent(group, "mia");
	db_sql("UPDATE group_heads SET dissolved_at=UTC_TIMESTAMP(3) WHERE id=%llu", ull(group));
	is_int(recall("mia", id), STORE_OK, "in a group that is dissolved, too");
	is_int(group_wrong(), 0, "all counts are right");
}

static long long runs_of(uint64_t group, const char *user)
{
	return db_sql("SELECT COUNT(*) FROM deletions WHERE conversation_id=%llu AND user_id='%s'", ull(group), user);
}

static void test_delete(void)
{
	uint64_t group = make_group(), id[7];
	for (int i = 0; i < 7; i++)
		id[i] = sent(group, "mia");
	struct change_answer a = do_change(ACT_DELETE, s, "tom", id[2]);
	ok(a.status == STORE_OK && a.changed && a.change_seq == 1, "a member deletes a message");
	is_str(a.by, "tom", "which is told");
	is_int(db_sql("SELECT kind=2 AND audience='tom' FROM changes WHERE conversation_id=%llu", ull(group)), 1,
	       "the change is the member's alone");
	is_int(member_of(group, "tom", "deleted_seq"), (long long)message_id_seq(id[2]), "the row tells");
	is_int(group_unread(group, "tom"), 6, "it is not unread");
	is_int(group_unread(group, "ada"), 7, "but for others");
	a = do_change(ACT_DELETE, s, "tom", id[2]);
	ok(a.status == STORE_OK && !a.changed, "again nothing changes");
	is_int(do_change(ACT_DELETE, s, "tom", id[4]).status, STORE_OK, "another one");
	is_int(runs_of(group, "tom"), 2, "makes two runs");
	is_int(do_change(ACT_DELETE, s, "tom", id[3]).status, STORE_OK, "the one between");
	is_int(runs_of(group, "tom"), 1, "joins them");
	for (int i = 2; i <= 4; i++)
		ok(!do_change(ACT_DELETE, s, "tom", id[i]).changed, "within the run nothing changes");
	is_int(do_change(ACT_DELETE, s, "tom", id[1]).status, STORE_OK, "the one before");
	is_int(do_change(ACT_DELETE, s, "tom", id[5]).status, STORE_OK, "and after");
	is_int(runs_of(group, "tom"), 1, "belong to it");
	is_int(do_change(ACT_DELETE, s, "mia", id[0]).status, STORE_OK, "the sender deletes, too");
	is_int(do_change(ACT_DELETE, s, "tom", message_id_make(group, 2)).status, STORE_OK, "and a system message");
	is_int(do_change(ACT_DELETE, s, "nina", id[0]).status, STORE_NOT_FOUND, "who is no member does not");
	is_int(do_change(ACT_DELETE, s, "tom", id[6] + 1).status, STORE_NOT_FOUND, "nor one that is not there");
	db_sql("UPDATE group_heads SET history_policy=1 WHERE id=%llu", ull(group));
	group_add(group, "zoe", GROUP_MEMBER);
	is_int(do_change(ACT_DELETE, s, "zoe", id[6]).status, STORE_NOT_FOUND, "nor one from before joining");
	is_int(do_change(ACT_RECALL, s, "zoe", id[6]).status, STORE_NOT_FOUND, "which is not recalled either");
	is_int(do_change(ACT_READ, s, "zoe", id[6]).status, STORE_NOT_FOUND, "nor read");
	is_int(do_change(ACT_READ, s, "tom", id[6]).status, STORE_FORBIDDEN, "a message is not read by itself");
	is_int(do_change(ACT_READ, s, "mia", id[6]).status, STORE_FORBIDDEN, "by nobody");

	struct change_answer d[3], r;
	struct sent_answer m;
	ask_change(ACT_DELETE, s, "ada", id[0], &d[0]);
	ask_change(ACT_DELETE, s, "ada", id[1], &d[1]);
	ask_change(ACT_RECALL, s, "mia", id[1], &r);
	ask_send(s, text_in(group, "mia", "x", NULL), &m);
	ask_change(ACT_DELETE, s, "abe", id[1], &d[2]);
	for (int i = 0; i < 3; i++)
		wait_for(&d[i].done);
	ok(d[0].changed && d[1].changed && d[2].changed && r.changed && m.status == STORE_OK, "all at once");
	is_int(runs_of(group, "ada"), 1, "make one run");
	is_int(group_wrong(), 0, "all counts are right");
}

static void test_read(void)
{
	uint64_t group = make_group();
	uint64_t id[5];
	for (int i = 0; i < 5; i++)
		id[i] = sent(group, "mia");
	long long head = head_of(group, "active_at+0.0");
	struct store_read r = do_read(s, "tom", group, message_id_seq(id[1]));
	ok(r.status == STORE_OK && r.changed && r.marked == 2 && r.unread == 3, "a member reads two of five");
	is_int(r.read_seq, message_id_seq(id[1]), "up to the second");
	is_int(r.member_count, 5, "the number of members is told");
	is_str(r.peer, "", "and no peer");
	is_int(member_of(group, "tom", "read_at IS NOT NULL AND read_seq"), 1, "when is noted");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks r JOIN members g ON g.user_id=r.user_id AND "
		      "g.conversation_id=r.conversation_id AND g.read_at=r.at AND g.read_seq=r.up_to_seq WHERE "
		      "r.conversation_id=%llu AND r.user_id='tom'",
		      ull(group)),
	       1, "with a mark");
	is_int(head_of(group, "active_at+0.0"), head, "the head is not touched");
	is_int(head_of(group, "change_seq"), 0, "and nothing is a change");
	r = do_read(s, "tom", group, 1);
	ok(r.status == STORE_OK && !r.changed && r.marked == 0 && r.unread == 3, "it never goes back");
	is_int(r.read_seq, message_id_seq(id[1]), "from where it was");
	is_int(do_change(ACT_RECALL, s, "mia", id[2]).status, STORE_OK, "one is recalled");
	is_int(do_change(ACT_DELETE, s, "tom", id[3]).status, STORE_OK, "one deleted");
	is_int(do_change(ACT_DELETE, s, "tom", id[2]).status, STORE_OK, "and that which is recalled");
	r = do_read(s, "tom", group, 0);
	ok(!r.changed && r.unread == 1, "one is left");
	r = do_read(s, "tom", group, message_id_seq(id[3]));
	ok(r.changed && r.marked == 0 && r.unread == 1, "reading those two reads none");
	group_tell(group, "olga");
	r = do_read(s, "tom", group, UINT64_MAX);
	ok(r.changed && r.marked == 1 && r.unread == 0, "reading all reads one");
	is_int(r.read_seq, message_id_seq(id[4]) + 1, "up to a system message");
	is_int(r.up_to_seq, message_id_seq(id[4]) + 1, "as taken");
	is_int(do_read(s, "nina", group, 1).status, STORE_NOT_FOUND, "who is no member does not");
	is_int(do_read(s, "nina", group + 1000, 1).status, STORE_NOT_FOUND, "there is no such group");
	db_sql("UPDATE group_heads SET dissolved_at=UTC_TIMESTAMP(3) WHERE id=%llu", ull(group));
	ok(do_read(s, "ada", group, UINT64_MAX).changed, "of a group that is dissolved, too");
	is_int(group_wrong(), 0, "all counts are right");
}

static long long rows_read(void)
{
	return db_sql("SELECT SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE "
		      "'HANDLER_READ%%'");
}

/* Who has deleted every other one of many messages is told what is unread without going through them over and over. */
static void test_many_runs(void)
{
	enum { RUNS = 2000 };
	uint64_t group = make_group();
	db_sql("UPDATE group_heads SET last_seq=%d,uncounted_seq=%d WHERE id=%llu;"
	       "INSERT INTO uncounted SELECT %llu,(seq*2+100)>>6,BIT_OR(1<<((seq*2+100)&63)) FROM seq_0_to_99 GROUP BY "
	       "2;"
	       "INSERT INTO deletions SELECT 'tom',%llu,seq*4,seq*4+1 FROM seq_2_to_%d;"
	       "UPDATE members SET deleted_seq=%d WHERE user_id='tom' AND conversation_id=%llu",
	       4 * RUNS + 4, 298, ull(group), ull(group), ull(group), RUNS, 4 * RUNS + 1, ull(group));
	long long before = rows_read();
	struct store_read r = do_read(s, "tom", group, 0);
	long long rows = rows_read() - before;
	/* Over 5: two of each run, and the uncounted ones that are in none, from 102 on every fourth. */
	is_int(r.unread, 4 * RUNS + 4 - member_of(group, "tom", "read_seq") - 2 * (RUNS - 1) - 50,
	       "with many deleted and some recalled");
	ok(rows < 30 * RUNS, "each of which was read a few times: %lld rows", rows);
	r = do_read(s, "tom", group, 103);
	is_int(r.marked, 103 - 5 - 2 * 24 - 1, "a part is read");
	is_int(r.unread, 4 * RUNS + 4 - 103 - 2 * (RUNS - 25) - 49, "and the rest is left");
	db_sql("DELETE FROM group_heads WHERE id=%llu", ull(group));
}

/* A hundred thousand system messages cost little, also one who has deleted one of them, and one that is none. */
static void test_many_uncounted(void)
{
	enum { MANY = 100000, ROWS_MAX = 5000 };
	uint64_t group = make_group();
	uint64_t from = (uint64_t)head_of(group, "last_seq");
	db_sql("UPDATE group_heads SET last_seq=%d,uncounted_seq=%d WHERE id=%llu;"
	       "INSERT INTO uncounted SELECT %llu,seq>>6,BIT_OR(1<<(seq&63)) FROM seq_%llu_to_%d GROUP BY 2 ON "
	       "DUPLICATE KEY UPDATE bits=bits|VALUES(bits)",
	       MANY + 100, MANY, ull(group), ull(group), ull(from + 1), MANY);
	for (int deleted = 0; deleted < 2; deleted++) {
		long long before = rows_read();
		struct store_read r = do_read(s, "tom", group, 0);
		long long rows = rows_read() - before;
		is_int(r.unread, 100 - deleted, "what is left of many messages");
		ok(rows < ROWS_MAX, "is counted by few rows: %lld", rows);
		db_sql("REPLACE INTO deletions VALUES ('tom',%llu,%d,%d);UPDATE members SET deleted_seq=%d WHERE "
		       "user_id='tom' AND conversation_id=%llu",
		       ull(group), MANY - 5, MANY + 1, MANY + 1, ull(group));
	}
	db_sql("DELETE FROM group_heads WHERE id=%llu", ull(group));
}

/* Over all edges of the rows of uncounted, with deletions of all lengths. */
static void test_edges(void)
{
	enum { LAST = 330 };
	uint64_t group = make_group();
	uint64_t from = (uint64_t)head_of(group, "last_seq") + 1;
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,is_recalled,client_msg_id,created_at) "
	       "SELECT (%llu<<28)+seq,'mia','',0,seq%%3=0 OR seq BETWEEN 120 AND 200,CONCAT('edge',seq),"
	       "UTC_TIMESTAMP(3) FROM seq_%llu_to_%d;"
	       "INSERT INTO uncounted SELECT %llu,seq>>6,BIT_OR(1<<(seq&63)) FROM seq_%llu_to_%d WHERE seq%%3=0 OR "
	       "seq BETWEEN 120 AND 200 GROUP BY 2 ON DUPLICATE KEY UPDATE bits=bits|VALUES(bits);"
	       "UPDATE group_heads SET last_seq=%d,uncounted_seq=%d WHERE id=%llu",
	       ull(group), ull(from), LAST, ull(group), ull(from), LAST, LAST, LAST, ull(group));
	int wrong = 0;
	for (int with_runs = 0; with_runs < 2; with_runs++) {
		if (with_runs)
			db_sql("INSERT INTO deletions VALUES ('tom',%llu,20,20),('tom',%llu,60,64),('tom',%llu,66,130),"
			       "('tom',%llu,191,192),('tom',%llu,255,330);UPDATE members SET deleted_seq=330 WHERE "
			       "user_id='tom' AND conversation_id=%llu",
			       ull(group), ull(group), ull(group), ull(group), ull(group), ull(group));
		static const unsigned at[] = {19, 62, 63, 64, 65, 126, 127, 128, 191, 192, 193, 318, 319, 320, 330};
		for (size_t i = 0; i < ARRAY_LEN(at); i++) {
			long long all = group_recount(group, "tom", from - 1),
				  left = group_recount(group, "tom", at[i]);
			db_sql("UPDATE members SET read_seq=%llu WHERE user_id='tom' AND conversation_id=%llu",
			       ull(from - 1), ull(group));
			struct store_read r = do_read(s, "tom", group, at[i]);
			if ((long long)r.marked != all - left || (long long)r.unread != left) {
				printf("#   %u: %llu read, %llu left, not %lld, %lld\n", at[i], ull(r.marked),
				       ull(r.unread), all - left, left);
				wrong++;
			}
		}
	}
	is_int(wrong, 0, "each part is counted as the messages are");
	db_sql("DELETE FROM group_heads WHERE id=%llu", ull(group));
}

static unsigned deletes_done;

static void on_delete(const struct store_change *r, void *arg)
{
	enum store_status *status = arg;
	*status = r->status;
	deletes_done++;
}

/* Two members delete much at once. Nobody waits for it but they. */
static void test_many_deletes(void)
{
	enum { EACH = 40 };
	uint64_t group = make_group();
	enum store_status status[2 * EACH];
	struct sent_answer a;
	unsigned refused = 0;
	for (int i = 0; i < EACH; i++)
		sent(group, "mia");
	uint64_t last = (uint64_t)head_of(group, "last_seq");
	deletes_done = 0;
	for (unsigned i = 0; i < 2 * EACH; i++)
		store_act(s,
			  &(struct store_act){.act = ACT_DELETE,
					      .user = str_from(i % 2 ? "tom" : "mia"),
					      .id = message_id_make(group, last - i / 2)},
			  on_delete, &status[i]);
	ask_send(s, text_in(group, "mia", "x", NULL), &a);
	wait_for(&a.done);
	is_int(a.status, STORE_OK, "a message behind many deletions");
	ok(deletes_done <= 4, "goes before all but the first of them (%u)", deletes_done);
	while (deletes_done < 2 * EACH)
		turn();
	for (unsigned i = 0; i < 2 * EACH; i++)
		refused += status[i] != STORE_OK;
	is_int(refused, 0, "which are all done");
	is_int(db_sql("SELECT COUNT(*) FROM deletions WHERE conversation_id=%llu AND last_seq-first_seq+1=%d",
		      ull(group), EACH),
	       2, "one run for each who has deleted");
	is_int(group_wrong(), 0, "and all counts are right");
}

static void test_read_large(void)
{
	uint64_t group = make_group();
	group_fill(group, (unsigned)conf->groups.receipts_max - 5);
	sent(group, "mia");
	struct store_read r = do_read(s, "tom", group, UINT64_MAX);
	ok(r.changed && r.member_count == (uint64_t)conf->groups.receipts_max, "in the largest with receipts");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE user_id='tom' AND conversation_id=%llu", ull(group)), 1,
	       "there is a mark");
	group_add(group, "zoe", GROUP_MEMBER);
	r = do_read(s, "tom", group, UINT64_MAX);
	ok(r.changed && r.marked == 0 && r.member_count == (uint64_t)conf->groups.receipts_max + 1, "in a larger one");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE user_id='tom' AND conversation_id=%llu", ull(group)), 1,
	       "there is none");
}

static void test_reads_in_a_batch(void)
{
	uint64_t group = make_group(), id[6];
	struct read_answer a[4], b;
	struct sent_answer m, n;
	for (int i = 0; i < 6; i++)
		id[i] = sent(group, "mia");
	long long marks = db_sql("SELECT COUNT(*) FROM read_marks");
	for (int i = 0; i < 4; i++)
		ask_read(s, "tom", group, message_id_seq(id[i < 3 ? i : 1]), &a[i]);
	for (int i = 0; i < 4; i++)
		wait_for(&a[i].done);
	for (int i = 0; i < 3; i++)
		ok(a[i].r.changed && a[i].r.marked == 1 && a[i].r.unread == 5 - (uint64_t)i, "one after the other");
	ok(!a[3].r.changed && a[3].r.unread == 3 && a[3].r.read_seq == message_id_seq(id[2]), "and not back");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks"), marks + 1, "are one mark");
	is_int(member_of(group, "tom", "read_seq"), (long long)message_id_seq(id[2]), "and one row");

	/* Beside messages that nobody has read yet. */
	ask_send(s, text_in(group, "ada", "x", NULL), &m);
	ask_read(s, "tom", group, UINT64_MAX, &a[0]);
	ask_send(s, text_in(group, "mia", "x", NULL), &n);
	ask_read(s, "tom", group, 1, &a[1]);
	ask_read(s, "ada", group, 1, &a[2]);
	ask_read(s, "mia", group, 1, &a[3]);
	ask_read(s, "abe", group, UINT64_MAX, &b);
	wait_for(&b.done);
	ok(a[0].r.marked == 4 && a[0].r.unread == 0 && a[0].r.read_seq == message_id_seq(m.m.id),
	   "with what is sent now");
	ok(a[1].r.unread == 1, "and what is sent after it");
	ok(a[2].r.unread == 1 && a[2].r.read_seq == message_id_seq(m.m.id), "who has sent has read");
	ok(a[3].r.unread == 0, "all of it");
	is_int(b.r.marked, group_recount(group, "abe", 3), "and who reads last reads everything");
	is_int(group_wrong(), 0, "all counts are right");
}

/* A member who leaves while a read is on its way does not come back by it. */
static void test_read_and_leave(void)
{
	uint64_t group = make_group();
	sent(group, "mia");
	struct read_answer a;
	db_sql("START TRANSACTION;DELETE FROM members WHERE user_id='tom' AND conversation_id=%llu", ull(group));
	ask_read(s, "tom", group, UINT64_MAX, &a);
	while (db_sql("SELECT COUNT(*) FROM information_schema.INNODB_LOCK_WAITS") == 0)
		turn();
	db_sql("COMMIT");
	wait_for(&a.done);
	is_int(a.r.status, STORE_NOT_FOUND, "who has left meanwhile reads nothing");
	is_int(db_sql("SELECT COUNT(*) FROM members WHERE user_id='tom' AND conversation_id=%llu", ull(group)), 0,
	       "and does not come back");
}

/* A row that somebody else keeps locked holds up what needs it, and not the rest. */
static void test_locked(void)
{
	uint64_t group = make_group(), free_group = make_group();
	struct sent_answer stuck, good, none;
	struct read_answer stuck_read;
	db_sql("START TRANSACTION;SELECT * FROM group_heads WHERE id=%llu FOR UPDATE;"
	       "SELECT * FROM members WHERE user_id='tom' AND conversation_id=%llu FOR UPDATE",
	       ull(group), ull(free_group));
	ask_send(s, text_in(group, "mia", "x", NULL), &stuck);
	ask_read(s, "tom", free_group, UINT64_MAX, &stuck_read);
	ask_send(s, text_in(free_group, "ada", "x", NULL), &good);
	ask_send(s, text_in(group + 1000, "mia", "x", NULL), &none);
	wait_for(&stuck.done);
	wait_for(&stuck_read.done);
	is_int(stuck.status, STORE_UNAVAILABLE, "a send to a group that is locked for long is given up");
	is_int(stuck_read.r.status, STORE_UNAVAILABLE, "a read by a member who is");
	wait_for(&none.done);
	is_int(none.status, STORE_NOT_FOUND, "what does not exist is told from what is locked");
	is_int(do_send(s, text_in(free_group, "mia", "x", NULL)).status, STORE_OK, "others are served");
	db_sql("COMMIT");
	is_int(do_send(s, text_in(group, "mia", "y", NULL)).status, STORE_OK, "then all go on");
	is_int(do_read(s, "tom", free_group, UINT64_MAX).status, STORE_OK, "the read, too");
	wait_for(&good.done);
	is_int(group_wrong(), 0, "all counts are right");
}

int main(void)
{
	clock_share_shift(&shift_ms);
	one_store_begin(NULL);
	test_recall();
	test_delete();
	test_read();
	test_many_runs();
	test_many_uncounted();
	test_edges();
	test_many_deletes();
	test_read_large();
	test_reads_in_a_batch();
	test_read_and_leave();
	test_locked();
	return one_store_end();
}
