/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches in one round trip: what they are for, and that whatever has changed since a conversation was written here is
 * noticed by the same transaction, and decided as if nothing was remembered. Lost connections are in guess_lost.c.
 */
#include "core/base.h"

#include "core/clock.h"
#include "one_store.h"

static unsigned right, wrong, batches;
static _Atomic int64_t shift_ms;

static void on_guess(bool was_right, void *ctx)
{
	right += was_right;
	wrong += !was_right;
}

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
}

static uint64_t conversation(const struct sent_answer *a)
{
	return message_id_conversation(a->m.id);
}

static long long messages_of(uint64_t id)
{
	return db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu", (unsigned long long)id);
}

/* Sends until a guess was right: the next send of that pair is guessed too. */
static struct sent_answer warm(const char *from, const char *to)
{
	struct sent_answer a;
	unsigned before = right;
	db_befriend(from, to);
	do
		a = do_text(s, from, to, "warm", NULL);
	while (a.status == STORE_OK && right == before);
	return a;
}

/* The pair's next send is guessed, wrongly; the answer is that of two round trips. */
static struct sent_answer wrongly(struct store_send p, const char *name)
{
	unsigned was_right = right, was_wrong = wrong;
	struct sent_answer a = do_send(s, p);
	ok(wrong == was_wrong + 1 && right == was_right, "%s: the guess was wrong", name);
	return a;
}

static void is_next(const struct sent_answer *a, const struct sent_answer *before, unsigned by, const char *name)
{
	ok(a->status == STORE_OK && !a->replayed && a->m.id == before->m.id + by, "%s: the message has the next seq",
	   name);
	is_int(db_wrong(), 0, "and all counters are right");
}

/* ---- what it is for ---- */

static void test_common(void)
{
	db_befriend("a", "b");
	do_text(s, "a", "b", "x", NULL);
	is_int(right + wrong, 0, "a first message is not guessed");
	for (int i = 0; i < 20; i++)
		do_text(s, i % 2 ? "a" : "b", i % 2 ? "b" : "a", "x", i % 3 ? NULL : "also with an id" + i / 3);
	ok(right == 20 && wrong == 0 && batches == 21, "each after it is, rightly");
}

static void test_together(void)
{
	struct sent_answer ab = warm("a", "b"), ac = warm("a", "c"), answer[6];
	unsigned before = right, begun = batches;
	struct store_send reply = text_to("b", "a", "reply", NULL);
	reply.reply_to = ab.m.id;
	const struct str mention[] = {STR_LIT("c")};
	struct store_send mentions = text_to("a", "c", "mentions", NULL);
	mentions.mention = mention;
	mentions.mention_count = 1;
	ask_send(s, text_to("a", "b", "one", "one"), &answer[0]);
	ask_send(s, text_to("b", "a", "two", NULL), &answer[1]);
	ask_send(s, mentions, &answer[2]);
	ask_send(s, text_to("a", "b", "one", "one"), &answer[3]);
	ask_send(s, text_to("a", "b", "other", "one"), &answer[4]);
	ask_send(s, reply, &answer[5]);
	wait_for(&answer[5].done);
	ok(right == before + 1 && batches == begun + 1, "both directions, two pairs and repeats in one round trip");
	is_next(&answer[0], &ab, 1, "the first");
	is_next(&answer[1], &ab, 2, "the other way");
	is_next(&answer[2], &ac, 1, "another pair");
	ok(answer[3].replayed && answer[3].m.id == answer[0].m.id, "a repeat finds the first");
	is_int(answer[4].status, STORE_REUSED, "with other fields it is refused");
	is_next(&answer[5], &ab, 3, "a reply");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE user_id='c' AND seq=%llu AND conversation_id=%llu",
		      (unsigned long long)message_id_seq(answer[2].m.id), (unsigned long long)conversation(&ac)),
	       1, "who is mentioned is noted");
	is_int(db_sql("SELECT reply_to=%llu FROM messages WHERE id=%llu", (unsigned long long)ab.m.id,
		      (unsigned long long)answer[5].m.id),
	       1, "and what is replied to");
	reply.reply_to = answer[5].m.id + 9;
	before = right + wrong;
	is_int(do_send(s, reply).status, STORE_BAD_REPLY, "a reply to a message to come is refused");
	is_int(right + wrong, before, "and not guessed");
}

/* What others have changed meanwhile stays. */
static void test_counters(void)
{
	struct sent_answer last = warm("a", "d");
	unsigned before = wrong;
	uint64_t id = conversation(&last), seq = message_id_seq(last.m.id);
	db_sql("UPDATE conversations SET user2_unread=0,user2_read_seq=last_seq,change_seq=1 WHERE id=%llu;"
	       "INSERT INTO changes (conversation_id,change_seq,kind,message_id,user_id,at) VALUES "
	       "(%llu,1,1,%llu,'d',UTC_TIMESTAMP(3));"
	       "INSERT INTO read_marks (conversation_id,user_id,up_to_seq,at) VALUES (%llu,'d',%llu,UTC_TIMESTAMP(3))",
	       (unsigned long long)id, (unsigned long long)id, (unsigned long long)last.m.id, (unsigned long long)id,
	       (unsigned long long)seq);
	struct sent_answer next = do_text(s, "a", "d", "x", NULL);
	is_next(&next, &last, 1, "after another node's read");
	is_int(wrong, before, "which is no reason to guess wrong");
	is_int(db_sql("SELECT user2_unread FROM conversations WHERE id=%llu", (unsigned long long)id), 1,
	       "one message is unread");
}

/* ---- heads that others have changed ---- */

/* What another node does. */
static void send_elsewhere(uint64_t id, const char *from, const char *to)
{
	db_sql("START TRANSACTION;"
	       "UPDATE conversations SET last_seq=last_seq+1,user1_unread=user1_unread+(user1_id='%s'),"
	       "user2_unread=user2_unread+(user2_id='%s'),last_message_time=UTC_TIMESTAMP(3),"
	       "sort_time=GREATEST(sort_time,UTC_TIMESTAMP(3)),user1_last_id=(id<<28)+last_seq,"
	       "user2_last_id=(id<<28)+last_seq WHERE id=%llu;"
	       "INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "(id<<28)+last_seq,'%s','%s',0,'elsewhere',UUID(),last_message_time FROM conversations WHERE id=%llu;"
	       "COMMIT",
	       to, to, (unsigned long long)id, from, to, (unsigned long long)id);
}

static void test_other_node(void)
{
	struct sent_answer last = warm("a", "e");
	send_elsewhere(conversation(&last), "e", "a");
	struct sent_answer next = wrongly(text_to("a", "e", "x", NULL), "another node has sent");
	is_next(&next, &last, 2, "after it");
	struct sent_answer again = warm("a", "e");
	ok(message_id_seq(again.m.id) > message_id_seq(next.m.id), "the head is remembered again");

	/* A batch of which one is wrong: all of it is done. */
	struct sent_answer other = warm("a", "f"), answer[3];
	last = warm("a", "e");
	send_elsewhere(conversation(&last), "e", "a");
	unsigned before = wrong;
	ask_send(s, text_to("a", "f", "x", "x1"), &answer[0]);
	ask_send(s, text_to("a", "e", "x", NULL), &answer[1]);
	ask_send(s, text_to("f", "a", "x", NULL), &answer[2]);
	wait_for(&answer[2].done);
	is_int(wrong, before + 1, "one wrong guess in a batch");
	is_next(&answer[0], &other, 1, "one before it");
	is_next(&answer[1], &last, 2, "that one");
	is_next(&answer[2], &other, 2, "one after it");
}

/* The database went back to an older copy: messages that this lane remembers do not exist. */
static void test_restored(void)
{
	struct sent_answer last = warm("a", "g");
	uint64_t id = conversation(&last), seq = message_id_seq(last.m.id);
	db_sql("DELETE FROM messages WHERE id=%llu;"
	       "UPDATE conversations SET "
	       "last_seq=%llu,user2_unread=user2_unread-1,user1_last_id=%llu,user2_last_id=%llu,"
	       "last_message_time=(SELECT created_at FROM messages WHERE id=%llu) WHERE id=%llu",
	       (unsigned long long)last.m.id, (unsigned long long)seq - 1, (unsigned long long)last.m.id - 1,
	       (unsigned long long)last.m.id - 1, (unsigned long long)last.m.id - 1, (unsigned long long)id);
	struct sent_answer next = wrongly(text_to("a", "g", "x", NULL), "a head that is older than remembered");
	is_next(&next, &last, 0, "again");

	last = warm("a", "g");
	/* The one before it was sent at the same time. */
	db_sql("DELETE FROM messages WHERE id=%llu;UPDATE messages SET created_at=(SELECT last_message_time FROM "
	       "conversations WHERE id=%llu) WHERE id=%llu;UPDATE conversations SET last_seq=last_seq-1,"
	       "user2_unread=user2_unread-1,user1_last_id=%llu,user2_last_id=%llu WHERE id=%llu",
	       (unsigned long long)last.m.id, (unsigned long long)id, (unsigned long long)last.m.id - 1,
	       (unsigned long long)last.m.id - 1, (unsigned long long)last.m.id - 1, (unsigned long long)id);
	next = wrongly(text_to("a", "g", "x", NULL), "by seq alone");
	is_next(&next, &last, 0, "again");

	last = warm("a", "g");
	db_sql("UPDATE conversations SET last_message_time='2099-01-01',sort_time='2099-01-01' WHERE id=%llu",
	       (unsigned long long)id);
	next = wrongly(text_to("a", "g", "x", NULL), "the last message is of another time");
	ok(next.status == STORE_OK && next.m.id == last.m.id + 1 && next.m.created_ms > INT64_C(4070000000000),
	   "no message is older than the one before");
	db_sql("UPDATE conversations SET sort_time=created_at WHERE id=%llu;DELETE FROM messages WHERE id>>28=%llu;"
	       "DELETE FROM conversations WHERE id=%llu",
	       (unsigned long long)id, (unsigned long long)id, (unsigned long long)id);

	/* Known heads of conversations that are gone, or another pair's. */
	last = warm("a", "h");
	id = conversation(&last);
	db_sql("DELETE FROM messages WHERE id>>28=%llu;DELETE FROM conversations WHERE id=%llu", (unsigned long long)id,
	       (unsigned long long)id);
	next = wrongly(text_to("h", "a", "x", NULL), "a conversation that is gone");
	ok(next.status == STORE_OK && conversation(&next) != id && message_id_seq(next.m.id) == 1, "is made anew");
	is_int(messages_of(id), 0, "and nothing is in the old one");
	is_int(db_sql("SELECT COUNT(*) FROM conversations WHERE id=%llu", (unsigned long long)id), 0, "which is gone");

	last = warm("a", "i");
	id = conversation(&last);
	db_sql("UPDATE conversations SET user2_id='stranger' WHERE id=%llu;"
	       "UPDATE messages SET to_user_id='stranger' WHERE id>>28=%llu",
	       (unsigned long long)id, (unsigned long long)id);
	long long had = messages_of(id);
	next = wrongly(text_to("a", "i", "x", NULL), "a conversation of another pair");
	ok(next.status == STORE_OK && conversation(&next) != id, "is not written to");
	is_int(messages_of(id), had, "nor has it a message more");
	is_int(db_wrong(), 0, "all counters are right");

	last = warm("a", "j");
	id = conversation(&last);
	db_sql("UPDATE messages SET id=id+(100000<<28) WHERE id>>28=%llu;UPDATE conversations SET id=id+100000,"
	       "user1_last_id=user1_last_id+(100000<<28),user2_last_id=user2_last_id+(100000<<28) WHERE id=%llu",
	       (unsigned long long)id, (unsigned long long)id);
	next = wrongly(text_to("a", "j", "x", NULL), "a pair's conversation with another id");
	ok(next.status == STORE_OK && conversation(&next) == id + 100000, "is the one that is written to");
	is_int(messages_of(id), 0, "and not the old one");
	is_int(db_wrong(), 0, "all counters are right");
}

/* ---- who may send ---- */

static void test_friends(void)
{
	static const struct {
		const char *sql, *undo, *name;
		enum store_status status;
	} t[] = {
		{"DELETE FROM friendships WHERE user_id='a' AND friend_id='k'", NULL, "one half of a friendship ended",
		 STORE_NOT_FRIENDS},
		{"DELETE FROM friendships WHERE user_id='k' AND friend_id='a'", NULL, "the other half ended",
		 STORE_NOT_FRIENDS},
		{"UPDATE friendships SET blocked=1 WHERE user_id='k' AND friend_id='a'", NULL,
		 "blocked in the friendship", STORE_BLOCKED},
		{"INSERT INTO blocks (user_id,blocked_id) VALUES ('k','a')",
		 "DELETE FROM blocks WHERE user_id='k' AND blocked_id='a'", "blocked", STORE_BLOCKED},
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sent_answer last = warm("a", "k"), other = warm("a", "b"), answer[2];
		last = warm("a", "k");
		db_sql("%s", t[i].sql);
		unsigned before = wrong;
		ask_send(s, text_to("a", "k", "x", NULL), &answer[0]);
		ask_send(s, text_to("b", "a", "x", NULL), &answer[1]);
		wait_for(&answer[1].done);
		is_int(wrong, before + 1, "%s: the guess was wrong", t[i].name);
		is_int(answer[0].status, t[i].status, "the message is refused");
		is_next(&answer[1], &other, 1, "another's");
		is_int(db_sql("SELECT last_seq FROM conversations WHERE id=%llu",
			      (unsigned long long)conversation(&last)),
		       (long long)message_id_seq(last.m.id), "the refused one has taken no seq");
		before = right + wrong;
		is_int(do_text(s, "a", "k", "x", NULL).status, t[i].status, "the next one is refused");
		is_int(right + wrong, before, "and not guessed");
		if (t[i].undo != NULL)
			db_sql("%s", t[i].undo);
	}

	/* Who blocks may write: it is no reason to guess wrong. */
	warm("a", "k");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='a' AND friend_id='k';"
	       "INSERT INTO blocks (user_id,blocked_id) VALUES ('a','k')");
	unsigned was_right = right, was_wrong = wrong;
	is_int(do_text(s, "a", "k", "x", NULL).status, STORE_OK, "who blocks may write");
	ok(right == was_right + 1 && wrong == was_wrong, "which was guessed");
	is_int(wrongly(text_to("k", "a", "x", NULL), "who is blocked").status, STORE_BLOCKED, "may not");
	db_sql("DELETE FROM blocks WHERE user_id='a';UPDATE friendships SET blocked=0 WHERE user_id='a'");
}

/* ---- repeats ---- */

static void test_repeats(void)
{
	struct sent_answer first = warm("a", "l");
	struct store_send p = text_to("a", "l", "once", "once");
	first = do_send(s, p);
	struct sent_answer last = warm("a", "l"), again = wrongly(p, "a repeat");
	ok(again.status == STORE_OK && again.replayed && again.m.id == first.m.id, "is answered as stored");
	last = warm("a", "l");
	p.content = str_from("twice");
	is_int(wrongly(p, "a repeat with other fields").status, STORE_REUSED, "is refused");
	struct sent_answer elsewhere = warm("a", "b");
	is_int(wrongly(text_to("a", "b", "once", "once"), "a repeat to another").status, STORE_REUSED, "is refused");
	is_int(messages_of(conversation(&last)), (long long)message_id_seq(last.m.id), "none of them is stored");
	is_int(messages_of(conversation(&elsewhere)), (long long)message_id_seq(elsewhere.m.id), "nor elsewhere");
	is_int(db_wrong(), 0, "and all counters are right");
}

/* One that before_send has replaced: by what was sent a repeat is known, in one batch or two, whatever is decided then.
 */
static void test_replaced(void)
{
	struct sent_answer last = warm("a", "p"), answer[3];
	struct store_send p = text_to("a", "p", "as sent", "replaced");
	struct store_send other = text_to("a", "p", "as stored", "replaced");
	unsigned before = right;
	p.replaced = str_from("as stored");
	ask_send(s, p, &answer[0]);
	ask_send(s, p, &answer[1]);
	ask_send(s, other, &answer[2]);
	wait_for(&answer[2].done);
	ok(right == before + 1, "one that is replaced is guessed");
	is_next(&answer[0], &last, 1, "replaced");
	ok(answer[1].replayed && answer[1].m.id == answer[0].m.id, "a repeat in the same batch finds it");
	is_int(answer[2].status, STORE_REUSED, "what is stored is not what was sent");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE id=%llu AND content='as stored' AND LENGTH(sent_hash)=16",
		      (unsigned long long)answer[0].m.id),
	       1, "stored is the other content, with a hash");
	static const char *const decided[] = {"as stored", "something else", NULL};
	for (size_t i = 0; i < ARRAY_LEN(decided); i++) {
		p.replaced = decided[i] != NULL ? str_from(decided[i]) : STR_NULL;
		struct sent_answer again = do_send(s, p);
		ok(again.status == STORE_OK && again.replayed && again.m.id == answer[0].m.id,
		   "a repeat is one, whatever is decided about it: %s", decided[i] != NULL ? decided[i] : "nothing");
		is_int(do_send(s, other).status, STORE_REUSED, "and another is none");
	}
	struct store_send plain = text_to("a", "p", "plain", "plain");
	struct sent_answer first = do_send(s, plain);
	plain.replaced = str_from("replaced when it is repeated");
	struct sent_answer again = do_send(s, plain);
	ok(again.status == STORE_OK && again.replayed && again.m.id == first.m.id,
	   "so is that of one that was not replaced");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE sent_hash IS NOT NULL"), 1, "only one was");
	is_int(db_wrong(), 0, "and all counters are right");
}

/* Who repeats all the time makes others' batches take two round trips, hardly more. */
static void test_penalty(void)
{
	struct store_send p = text_to("a", "m", "again", "again");
	warm("a", "m");
	do_send(s, p);
	unsigned before = wrong;
	for (int i = 0; i < 300; i++) {
		struct sent_answer repeat, other;
		ask_send(s, p, &repeat);
		ask_send(s, text_to("a", "m", "x", NULL), &other);
		wait_for(&other.done);
	}
	ok(wrong - before < 20, "300 repeats spoil few guesses: %u", wrong - before);
	before = right;
	for (int i = 0; i < 300; i++)
		do_text(s, "a", "m", "x", NULL);
	ok(right - before > 200, "without them most batches are guessed again: %u of 300", right - before);
}

/* ---- time ---- */

static void test_time(void)
{
	static const int64_t by_ms[] = {10000, -10000};
	for (size_t i = 0; i < ARRAY_LEN(by_ms); i++) {
		struct sent_answer last = warm("a", "n");
		shift_ms += by_ms[i];
		struct sent_answer next = wrongly(text_to("a", "n", "x", NULL), "a clock that was set");
		is_next(&next, &last, 1, "still");
	}
	struct sent_answer last = warm("a", "n");
	/* As by another lane that was ahead. */
	db_sql("UPDATE activity SET at=at+INTERVAL 1 HOUR");
	struct sent_answer next = wrongly(text_to("a", "n", "x", NULL), "others gave later times");
	is_next(&next, &last, 1, "still");
	is_int(db_sql("SELECT sort_time>=(SELECT at FROM activity) FROM conversations WHERE id=%llu",
		      (unsigned long long)conversation(&next)),
	       1, "and no activity is before theirs");
}

int main(void)
{
	static const struct store_observer obs = {.guess = on_guess, .batch = on_batch};
	clock_share_shift(&shift_ms);
	one_store_begin(&obs);
	test_common();
	test_together();
	test_counters();
	test_other_node();
	test_restored();
	test_friends();
	test_repeats();
	test_replaced();
	test_penalty();
	test_time();
	return one_store_end();
}
