/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending to groups: who may, what is stored, repeats, mentions, several in one batch, and what it costs. */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "groups.h"
#include "one_store.h"
#include "store/group.h"

static _Atomic int64_t shift_ms;
static unsigned batches;

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
}

static struct store_send mentioning(struct store_send p, const struct str *mention, size_t n)
{
	p.mention = mention;
	p.mention_count = n;
	return p;
}

static struct sent_answer look(struct store_send p)
{
	struct sent_answer a = {0};
	store_find_sent(s, &p, on_sent, &a);
	wait_for(&a.done);
	return a;
}

static enum store_status send_in(uint64_t group, const char *from)
{
	return do_send(s, text_in(group, from, "hi", NULL)).status;
}

static void test_send(void)
{
	uint64_t group = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	struct sent_answer a = do_send(s, text_in(group, "mia", "hi", "first"));
	is_int(a.status, STORE_OK, "a member may send, friend or not");
	is_int(a.m.id, message_id_make(group, 3), "after the system messages");
	ok(str_is(a.m.content, "hi") && str_is(a.m.client_msg_id, "first"), "content and client_msg_id");
	is_str(a.m.from, "mia", "from");
	is_str(a.m.to, "", "to nobody");
	ok(a.m.mentions.s == NULL && !a.m.is_read, "no mentions, not read");
	is_int(db_sql("SELECT to_user_id='' AND mentions IS NULL FROM messages WHERE id=%llu", ull(a.m.id)), 1,
	       "so it is stored");
	is_int(head_of(group, "last_seq=3 AND sort_time>'2026' AND active_at=sort_time AND "
			      "ABS(TIMESTAMPDIFF(SECOND,last_message_time,UTC_TIMESTAMP(3)))<60"),
	       1, "the head has moved");
	is_int(member_of(group, "mia", "read_seq"), 3, "the sender has read up to it");
	is_int(member_of(group, "mia", "read_at IS NOT NULL AND last_sent_at IS NOT NULL"), 1, "and when is noted");
	is_int(member_of(group, "olga", "read_seq"), 1, "nobody else has");
	is_int(member_of(group, "olga", "read_at IS NULL"), 1, "nor was their row touched");
	is_int(group_unread(group, "olga"), 1, "so it is unread for them");
	is_int(group_wrong(), 0, "all counts are right");
}

static void test_refusals(void)
{
	uint64_t group = group_make("olga"), big = group_make("olga");
	group_add(group, "ada", GROUP_ADMIN);
	group_add(group, "mia", GROUP_MEMBER);
	is_int(send_in(group, "nina"), STORE_NOT_FOUND, "who is no member");
	is_int(send_in(group + 1000, "mia"), STORE_NOT_FOUND, "no such group");
	is_int(send_in(7, "mia"), STORE_NOT_FOUND, "no group's id");
	is_int(send_in(CONVERSATION_ID_MAX + 1, "mia"), STORE_NOT_FOUND, "none at all");

	struct store_send repeat = text_in(group, "mia", "hi", "stays");
	uint64_t id = do_send(s, repeat).m.id;
	db_sql("UPDATE members SET muted_until=UTC_TIMESTAMP(3)+INTERVAL 1 HOUR WHERE conversation_id=%llu",
	       ull(group));
	struct sent_answer a = do_send(s, text_in(group, "mia", "hi", NULL));
	is_int(a.status, STORE_MUTED, "a member who is muted");
	ok(a.retry_ms > 3500000 && a.retry_ms <= 3600000, "is told for how long");
	is_int(send_in(group, "ada"), STORE_OK, "an admin is not");
	is_int(send_in(group, "olga"), STORE_OK, "nor is the owner");
	a = do_send(s, repeat);
	ok(a.status == STORE_OK && a.replayed && a.m.id == id, "a repeat is looked at before");
	db_sql("UPDATE group_heads SET send_policy=1 WHERE id=%llu", ull(group));
	is_int(send_in(group, "mia"), STORE_MUTED, "muted comes before restricted");
	db_sql("UPDATE members SET muted_until=UTC_TIMESTAMP(3)-INTERVAL 1 SECOND WHERE conversation_id=%llu",
	       ull(group));
	is_int(send_in(group, "mia"), STORE_SENDING_RESTRICTED, "where only admins send");
	is_int(send_in(group, "ada"), STORE_OK, "admins do");
	db_sql("UPDATE group_heads SET dissolved_at=UTC_TIMESTAMP(3) WHERE id=%llu", ull(group));
	is_int(send_in(group, "mia"), STORE_GROUP_DISSOLVED, "dissolved comes before");
	is_int(send_in(group, "olga"), STORE_GROUP_DISSOLVED, "for the owner too");
	is_int(send_in(group, "nina"), STORE_NOT_FOUND, "but after not being a member");
	a = do_send(s, repeat);
	ok(a.status == STORE_OK && a.replayed, "a repeat is still answered");
	db_sql("UPDATE group_heads SET dissolved_at=NULL,send_policy=0,slow_mode_secs=60 WHERE id=%llu", ull(group));
	db_sql("UPDATE members SET muted_until=NULL WHERE conversation_id=%llu", ull(group));

	a = do_send(s, text_in(group, "mia", "slow", NULL));
	is_int(a.status, STORE_SLOW_MODE, "slow mode");
	ok(a.retry_ms > 0 && a.retry_ms <= 60000, "and when to try again");
	is_int(send_in(group, "ada"), STORE_OK, "admins are exempt");
	is_int(send_in(group, "ada"), STORE_OK, "each time");
	shift_ms += 61000;
	is_int(send_in(group, "mia"), STORE_OK, "a minute later");
	is_int(send_in(group, "mia"), STORE_SLOW_MODE, "once");
	shift_ms -= 3600000;
	a = do_send(s, text_in(group, "mia", "slow", NULL));
	ok(a.status == STORE_SLOW_MODE && a.retry_ms == 60000, "never longer, though a clock was set back: %lld",
	   (long long)a.retry_ms);
	shift_ms = 0;
	db_sql("UPDATE group_heads SET slow_mode_secs=0 WHERE id=%llu", ull(group));

	group_add(big, "ada", GROUP_ADMIN);
	group_add(big, "mia", GROUP_MEMBER);
	group_fill(big, 17);
	struct store_send all = text_in(big, "mia", "all", NULL);
	all.mentions_all = true;
	is_int(do_send(s, all).status, STORE_OK, "in a group of 20 anyone mentions everyone");
	group_add(big, "zoe", GROUP_MEMBER);
	db_sql("UPDATE group_heads SET slow_mode_secs=60 WHERE id=%llu", ull(big));
	is_int(do_send(s, all).status, STORE_MENTIONS_ALL, "of 21 not, which comes before slow mode");
	all.from = str_from("ada");
	is_int(do_send(s, all).status, STORE_OK, "but an admin");
	struct store_send reply = text_in(big, "mia", "re", NULL);
	reply.reply_to = 5;
	is_int(do_send(s, reply).status, STORE_SLOW_MODE, "the reply is looked at last");
	is_int(group_wrong(), 0, "all counts are right");
}

static void test_replies(void)
{
	uint64_t group = group_make("olga"), other = group_make("olga");
	do_send(s, text_in(group, "olga", "old", NULL));
	db_sql("UPDATE group_heads SET history_policy=1 WHERE id=%llu", ull(group));
	group_add(group, "mia", GROUP_MEMBER);
	struct store_send p = text_in(group, "mia", "re", NULL);
	p.reply_to = message_id_make(group, 2);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "a reply to one from before joining");
	p.reply_to = message_id_make(other, 1);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "to another group's");
	p.reply_to = message_id_make(group, 4);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "to one to come");
	p.reply_to = message_id_make(group, 3);
	struct sent_answer a = do_send(s, p);
	ok(a.status == STORE_OK && a.m.reply_to == p.reply_to, "to one that is seen");
	p.from = str_from("olga");
	p.reply_to = message_id_make(group, 2);
	is_int(do_send(s, p).status, STORE_OK, "who was there before may");
}

static void test_repeats(void)
{
	uint64_t group = group_make("olga"), other = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	group_add(other, "mia", GROUP_MEMBER);
	const struct str olga[] = {STR_LIT("olga")}, late[] = {STR_LIT("olga"), STR_LIT("late")};
	struct store_send p = mentioning(text_in(group, "mia", "again", "rep"), late, 2), q = p;
	struct sent_answer a = do_send(s, p), b = do_send(s, p);
	ok(b.status == STORE_OK && b.replayed && b.m.id == a.m.id, "a repeat finds the stored message");
	ok(str_is(b.m.mentions, "[\"olga\"]"), "as it is");
	b = look(p);
	ok(b.status == STORE_OK && b.replayed && b.m.id == a.m.id, "looked for, too");
	is_int(do_send(s, mentioning(p, olga, 1)).status, STORE_OK, "without who was dropped it is the same");
	group_add(group, "late", GROUP_MEMBER);
	is_int(do_send(s, p).status, STORE_OK, "also when they have joined since");
	is_int(look(p).status, STORE_OK, "looked for, too");
	q.conversation_id = other;
	is_int(do_send(s, q).status, STORE_REUSED, "to another group");
	is_int(look(q).status, STORE_REUSED, "looked for, too");
	q = p;
	q.conversation_id = 0;
	q.to = str_from("olga");
	is_int(do_send(s, q).status, STORE_REUSED, "to a user");
	is_int(look(q).status, STORE_REUSED, "looked for, too");
	is_int(do_send(s, text_in(group, "mia", "other", "rep")).status, STORE_REUSED, "with another content");
	is_int(do_send(s, mentioning(p, NULL, 0)).status, STORE_REUSED, "without the mention");
	q = p;
	q.mentions_all = true;
	is_int(do_send(s, q).status, STORE_REUSED, "of everyone");
	const struct str mia[] = {STR_LIT("olga"), STR_LIT("mia")};
	is_int(do_send(s, mentioning(p, mia, 2)).status, STORE_REUSED, "of one more who was a member");
	is_int(look(mentioning(p, mia, 2)).status, STORE_REUSED, "looked for, too");
	db_sql("DELETE FROM members WHERE user_id='mia' AND conversation_id=%llu", ull(group));
	b = do_send(s, p);
	ok(b.status == STORE_OK && b.replayed && b.m.id == a.m.id, "who has left is answered a repeat");
	is_int(send_in(group, "mia"), STORE_NOT_FOUND, "but sends no more");

	struct sent_answer one, two, three;
	ask_send(s, text_in(group, "olga", "one", "twin"), &one);
	ask_send(s, text_in(group, "olga", "one", "twin"), &two);
	ask_send(s, text_in(other, "olga", "one", "twin"), &three);
	wait_for(&three.done);
	ok(one.status == STORE_OK && !one.replayed, "of twins in a batch the first is new");
	ok(two.status == STORE_OK && two.replayed && two.m.id == one.m.id, "the second a repeat");
	is_int(three.status, STORE_REUSED, "and one in another group refused");
}

static void test_mentions(void)
{
	uint64_t group = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	group_add(group, "tom", GROUP_MEMBER);
	const struct str mention[] = {STR_LIT("tom"), STR_LIT("nobody"), STR_LIT("olga"), STR_LIT("tom"),
				      STR_LIT("mia")};
	struct sent_answer a = do_send(s, mentioning(text_in(group, "mia", "x", NULL), mention, 5));
	ok(str_is(a.m.mentions, "[\"tom\",\"olga\",\"mia\"]"), "each member once, as given: %.*s",
	   (int)a.m.mentions.len, a.m.mentions.s);
	is_int(db_sql("SELECT mentions='[\"tom\",\"olga\",\"mia\"]' FROM messages WHERE id=%llu", ull(a.m.id)), 1,
	       "so it is stored");
	uint64_t seq = message_id_seq(a.m.id);
	is_int(db_sql("SELECT COUNT(*) FROM mentions n JOIN messages m ON m.id=(n.conversation_id<<28)+n.seq AND "
		      "m.created_at=n.at WHERE n.conversation_id=%llu AND n.seq=%llu AND n.user_id IN ('tom','olga')",
		      ull(group), ull(seq)),
	       2, "a row for each");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE conversation_id=%llu", ull(group)), 2, "but the sender");
	is_int(member_of(group, "tom", "mention_seq"), (long long)seq, "their rows tell");
	is_int(member_of(group, "mia", "mention_seq"), 0, "the sender's does not");
	is_int(member_of(group, "tom", "read_seq"), 3, "and are the same else");
	const struct str none[] = {STR_LIT("nobody")};
	a = do_send(s, mentioning(text_in(group, "mia", "x", NULL), none, 1));
	ok(a.m.mentions.s == NULL, "none that is a member is none");
	struct store_send p = text_in(group, "tom", "x", NULL);
	p.mentions_all = true;
	a = do_send(s, p);
	ok(str_is(a.m.mentions, "[\"*\"]"), "everyone");
	is_int(head_of(group, "all_seq"), (long long)message_id_seq(a.m.id), "the head tells");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE user_id='*' AND conversation_id=%llu", ull(group)), 1,
	       "with one row");
	is_int(group_mentions(group, "olga"), 2, "olga was mentioned twice");
	is_int(group_recount_mentions(group, "olga"), 2, "so say the messages");

	struct str many[STORE_MENTIONS_MAX];
	char name[STORE_MENTIONS_MAX][24];
	group_fill(group, STORE_MENTIONS_MAX);
	struct sent_answer sent[30];
	for (int i = 0; i < STORE_MENTIONS_MAX; i++) {
		snprintf(name[i], sizeof(name[i]), "filler%d", i + 1);
		many[i] = str_from(name[i]);
	}
	batches = 0;
	for (int i = 0; i < 30; i++)
		ask_send(s, mentioning(text_in(group, "mia", "many", NULL), many, STORE_MENTIONS_MAX), &sent[i]);
	wait_for(&sent[29].done);
	ok(sent[29].status == STORE_OK && batches > 1, "many mentions take more than one batch: %u", batches);
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE user_id='filler50' AND conversation_id=%llu", ull(group)),
	       30, "all are stored");
	is_int(group_wrong(), 0, "all counts are right");
}

static void test_mentions_in_direct(void)
{
	db_befriend("ann", "ben");
	const struct str mention[] = {STR_LIT("ben"), STR_LIT("cid"), STR_LIT("ann")};
	struct sent_answer a = do_send(s, mentioning(text_to("ann", "ben", "x", "direct"), mention, 3));
	ok(str_is(a.m.mentions, "[\"ben\",\"ann\"]"), "the two are kept");
	struct store_send p = text_to("ben", "ann", "x", NULL);
	p.mentions_all = true;
	struct sent_answer b = do_send(s, p);
	ok(b.status == STORE_OK && str_is(b.m.mentions, "[\"*\"]"), "everyone may be mentioned");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE conversation_id=%llu AND ((user_id='ben' AND seq=1) OR "
		      "(user_id='ann' AND seq=2))",
		      ull(message_id_conversation(a.m.id))),
	       2, "each is a row of the peer's");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE conversation_id=%llu", ull(message_id_conversation(a.m.id))),
	       2, "and no other");
	ok(do_send(s, mentioning(text_to("ann", "ben", "x", "direct"), mention, 3)).replayed, "a repeat is one");
	is_int(do_send(s, mentioning(text_to("ann", "ben", "x", "direct"), mention, 1)).status, STORE_REUSED,
	       "with other mentions it is not");
	is_int(look(mentioning(text_to("ann", "ben", "x", "direct"), mention, 1)).status, STORE_REUSED,
	       "looked for, too");
}

/* GROUP_SENT_READS_MAX more messages: the next sender then reads one more than a message can stand for without a mark.
 */
static void send_past_reads(uint64_t group)
{
	enum { MANY = GROUP_SENT_READS_MAX };
	static struct sent_answer a[MANY];
	for (int i = 0; i < MANY; i++)
		ask_send(s, text_in(group, "olga", "x", NULL), &a[i]);
	for (int i = 0; i < MANY; i++)
		wait_for(&a[i].done);
}

static void test_marks(void)
{
	uint64_t group = group_make("olga"), large = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	group_add(large, "mia", GROUP_MEMBER);
	group_fill(large, (unsigned)conf->groups.receipts_max - 1);
	do_send(s, text_in(group, "mia", "x", NULL));
	do_send(s, text_in(large, "mia", "x", NULL));
	for (int i = 0; i < 3; i++)
		do_send(s, text_in(group, "olga", "x", NULL));
	do_send(s, text_in(group, "mia", "x", NULL));
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE conversation_id=%llu", ull(group)), 0,
	       "a message that reads a few others tells of it itself");
	send_past_reads(group);
	send_past_reads(large);
	struct sent_answer a = do_send(s, text_in(group, "mia", "x", NULL));
	do_send(s, text_in(large, "mia", "x", NULL));
	is_int(db_sql("SELECT up_to_seq FROM read_marks WHERE conversation_id=%llu AND user_id='mia'", ull(group)),
	       (long long)message_id_seq(a.m.id), "sending marks very many messages of others as read");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE conversation_id=%llu", ull(large)), 0,
	       "not where there are no receipts");
	struct sent_answer many[6];
	send_past_reads(group);
	for (int i = 0; i < 6; i++)
		ask_send(s, text_in(group, i % 2 ? "mia" : "olga", "x", NULL), &many[i]);
	for (int i = 0; i < 6; i++)
		wait_for(&many[i].done);
	is_int(db_sql("SELECT MAX(up_to_seq)>(SELECT last_seq-6 FROM group_heads WHERE id=%llu) FROM read_marks WHERE "
		      "conversation_id=%llu AND user_id='mia'",
		      ull(group), ull(group)),
	       1, "of several in a batch");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE conversation_id=%llu AND user_id='mia'", ull(group)), 2,
	       "with one mark");
}

static void test_mixed_batch(void)
{
	enum { GROUPS = 4, SENDS = 120 };
	static struct sent_answer a[SENDS];
	uint64_t group[GROUPS];
	for (int i = 0; i < GROUPS; i++) {
		group[i] = group_make("olga");
		group_add(group[i], "mia", GROUP_MEMBER);
	}
	db_befriend("olga", "mia");
	long long before = db_sql("SELECT COUNT(*) FROM messages");
	batches = 0;
	for (int i = 0; i < SENDS; i++)
		ask_send(s,
			 i % (GROUPS + 1) < GROUPS ? text_in(group[i % (GROUPS + 1)], i % 2 ? "olga" : "mia", "x", NULL)
						   : text_to(i % 2 ? "olga" : "mia", i % 2 ? "mia" : "olga", "x", NULL),
			 &a[i]);
	int wrong = 0;
	uint64_t last[GROUPS + 1] = {0};
	for (int i = 0; i < SENDS; i++) {
		wait_for(&a[i].done);
		wrong += a[i].status != STORE_OK || a[i].m.id <= last[i % (GROUPS + 1)];
		last[i % (GROUPS + 1)] = a[i].m.id;
	}
	is_int(wrong, 0, "groups and pairs in one batch: each in its order");
	ok(batches <= 3, "in few batches: %u", batches);
	is_int(db_sql("SELECT COUNT(*) FROM messages"), before + SENDS, "all are stored");
	is_int(group_wrong() + db_wrong(), 0, "and all counts are right");
}

static long long handlers(void)
{
	return db_sql("SELECT SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN "
		      "('HANDLER_WRITE','HANDLER_UPDATE','HANDLER_DELETE')");
}

/* What 20 messages write; the least of some tries, for now and then a batch writes when it was. */
static long long rows_written(uint64_t group)
{
	long long least = 1000000;
	for (int try = 0; try < 5; try++) {
		struct sent_answer a[20];
		long long before = handlers();
		for (int i = 0; i < 20; i++)
			ask_send(s, text_in(group, "olga", "x", NULL), &a[i]);
		for (int i = 0; i < 20; i++)
			wait_for(&a[i].done);
		long long wrote = handlers() - before;
		least = wrote < least ? wrote : least;
	}
	return least;
}

static void test_cost(void)
{
	uint64_t small = group_make("olga"), large = group_make("olga");
	group_fill(small, 9);
	group_fill(large, 9999);
	long long rows = rows_written(small);
	ok(rows > 0, "20 messages write rows: %lld", rows);
	is_int(rows_written(large), rows, "as many with 10,000 members as with 10");
}

/* Ids of pairs end where those of groups begin. */
static void test_out_of_ids(void)
{
	db_befriend("ann", "eve");
	db_befriend("cid", "eve");
	db_sql("ALTER TABLE conversations AUTO_INCREMENT=17179869183");
	struct sent_answer a = do_text(s, "ann", "eve", "x", NULL);
	ok(a.status == STORE_OK && message_id_conversation(a.m.id) == GROUP_ID_MIN - 1, "the last id of a pair");
	is_int(do_text(s, "cid", "eve", "x", NULL).status, STORE_FULL, "there is no further one");
	is_int(do_create(s, "cid", "eve").status, STORE_FULL, "however it is asked for");
	is_int(db_sql("SELECT COUNT(*) FROM conversations WHERE id>=17179869184"), 0, "and nothing was made");
	is_int(do_text(s, "eve", "ann", "x", NULL).status, STORE_OK, "others go on");
}

int main(void)
{
	static const struct store_observer obs = {.batch = on_batch};
	clock_share_shift(&shift_ms);
	one_store_begin(&obs);
	test_send();
	test_refusals();
	test_replies();
	test_repeats();
	test_mentions();
	test_mentions_in_direct();
	test_marks();
	test_mixed_batch();
	test_cost();
	test_out_of_ids();
	return one_store_end();
}
