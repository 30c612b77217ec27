/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When what is too old is deleted, how far, in which steps, and that nobody who sends has to wait for that. What is
 * deleted with it, and what users see of it, is in t/46-retention.t.
 */
#include "relay_kit.h"

#define OLD "UTC_TIMESTAMP(3)-INTERVAL 40 DAY"
#define NEW "UTC_TIMESTAMP(3)-INTERVAL 20 DAY"
#define HOUR_MS 3600000

/* Messages of alice to bob, each unread, from `first` to `last`. */
static void put_messages(uint64_t conversation_id, uint64_t first, uint64_t last, const char *at)
{
	unsigned long long id = conversation_id;
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "(%llu<<28)+seq,'alice','bob',0,'text',CONCAT('%llu:',seq),%s FROM seq_%llu_to_%llu",
	       id, id, at, (unsigned long long)first, (unsigned long long)last);
	if (conversation_is_group(conversation_id))
		db_sql("UPDATE group_heads SET last_seq=%llu WHERE id=%llu", (unsigned long long)last, id);
	else
		db_sql("UPDATE conversations SET last_seq=%llu,user2_unread=user2_unread+%llu,user1_last_id=(id<<28)+%llu,"
		       "user2_last_id=(id<<28)+%llu WHERE id=%llu",
		       (unsigned long long)last, (unsigned long long)(last - first + 1), (unsigned long long)last,
		       (unsigned long long)last, id);
}

static long long left(uint64_t conversation_id)
{
	return db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu", (unsigned long long)conversation_id);
}

static long long of_pair(const char *column)
{
	return db_sql("SELECT %s FROM conversations WHERE id=5", column);
}

static bool rests(void)
{
	return relay[0]->retention.step == RETENTION_IDLE;
}

static void is_due(void)
{
	relay[0]->retention.due_ms = now_ms;
}

static void test_pair(void)
{
	put_messages(5, 1, 3000, OLD);
	put_messages(5, 3001, 3010, NEW);
	db_sql("UPDATE conversations SET user2_read_seq=2990,user2_unread=18,user2_dead=2 WHERE id=5");
	db_sql("UPDATE messages SET is_recalled=1 WHERE id IN ((5<<28)+2995,(5<<28)+3005)");
	relay_begin(0);
	PASS_UNTIL(left(5) == 10);
	PASS_UNTIL(rests());
	is_int(of_pair("kept_seq"), 3001, "of a pair what is old goes, and nothing else");
	is_int(of_pair("user2_unread"), 9, "what was unread of it does not count any more");
	is_int(of_pair("user2_dead"), 1, "nor what was recalled before it was read");
	is_int(of_pair("user1_unread"), 0, "and nothing is taken from a side that has nothing");
	is_int(of_pair("user2_last_id&268435455"), 3010, "the last message is the last one");
	is_int(db_sql("SELECT COUNT(*) FROM spent_sends"), 3000, "the ids are kept");
	is_int(db_sql("SELECT spends FROM activity"), 1, "and it is noted that there are some");
}

static void test_every_hour(void)
{
	db_sql("UPDATE messages SET created_at=" OLD " WHERE id<=(5<<28)+3004");
	pass(3000);
	is_int(left(5), 10, "it is not looked for more at once");
	int64_t in_ms = relay[0]->retention.due_ms - now_ms;
	ok(in_ms > HOUR_MS / 2 && in_ms <= HOUR_MS, "but in an hour");
	is_due();
	PASS_UNTIL(left(5) == 6);
	PASS_UNTIL(rests());
	is_int(of_pair("kept_seq"), 3005, "then it goes");
	conf->message.keep_days = 0;
	db_sql("UPDATE messages SET created_at=" OLD);
	is_due();
	pass(2000);
	is_int(left(5), 6, "with keep_days = 0 all are kept");
	conf->message.keep_days = 30;
	is_due();
	PASS_UNTIL(left(5) == 0);
	PASS_UNTIL(rests());
	is_int(of_pair("kept_seq"), 3011, "all may go");
	is_int(of_pair("user2_last_id"), 0, "then there is no last one");
}

/* 60 members: more than are tidied up after at a time. */
static void test_group(void)
{
	db_sql("INSERT INTO group_heads (id,last_seq,member_count,sort_time,active_at,created_at) VALUES "
	       "(%llu,0,60,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
	       (unsigned long long)GROUP_ID);
	put_messages(GROUP_ID, 1, 1100, OLD);
	put_messages(GROUP_ID, 1101, 1110, NEW);
	db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) SELECT "
	       "CONCAT('m',seq),%llu,IF(seq<3,2,3),1,1,1,UTC_TIMESTAMP(3) FROM seq_1_to_60",
	       (unsigned long long)GROUP_ID);
	db_sql("INSERT INTO read_marks (conversation_id,user_id,up_to_seq,at) SELECT conversation_id,user_id,seq,joined_at FROM "
	       "members JOIN (SELECT 5 AS seq UNION SELECT 1100 UNION SELECT 1101) seqs");
	db_sql("INSERT INTO deletions (conversation_id,user_id,first_seq,last_seq) SELECT conversation_id,user_id,seq,seq+5 FROM "
	       "members JOIN (SELECT 5 AS seq UNION SELECT 1098) seqs");
	db_sql("INSERT INTO uncounted (conversation_id,block,bits) SELECT %llu,seq,1 FROM seq_0_to_17",
	       (unsigned long long)GROUP_ID);
	is_due();
	PASS_UNTIL(left(GROUP_ID) == 10);
	PASS_UNTIL(rests());
	is_int(db_sql("SELECT kept_seq FROM group_heads"), 1101, "of a group what is old goes, and nothing else");
	is_int(db_sql("SELECT COUNT(*)+MIN(first_seq) FROM members"), 61, "no member's row is touched");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks"), 60, "of read marks those stay that tell of what is left");
	is_int(db_sql("SELECT COUNT(*) FROM deletions"), 60, "as do deletions");
	is_int(db_sql("SELECT MIN(block) FROM uncounted"), 17, "and blocks");
}

static void test_notifications(void)
{
	db_sql("INSERT INTO notifications (id,user_id,kind,created_at) SELECT seq,'bob','like',UTC_TIMESTAMP(3)-INTERVAL "
	       "IF(seq<=1000,91,89) DAY FROM seq_1_to_1010");
	is_due();
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM notifications") == 10);
	PASS_UNTIL(rests());
	is_int(db_sql("SELECT MIN(id) FROM notifications"), 1001, "notifications that are old go, and nothing else");
}

/* Its process is killed after each step in turn: the next one goes on. */
static void test_deaths(void)
{
	put_messages(6, 1, 4500, OLD);
	put_messages(6, 4501, 4502, NEW);
	db_sql("UPDATE conversations SET user1_id='alice',user2_id='bob2' WHERE id=6");
	db_sql("UPDATE messages SET to_user_id='bob2' WHERE id>>28=6");
	is_due();
	bool fine = true;
	for (int i = 0; left(6) > 2 && i < 200; i++) {
		PASS_UNTIL(relay[0]->job == NULL && !rests());
		for (int turns = 0; turns < 3 * (i + 1); turns++)
			pass(WHEEL_TICK_MS);
		relay_dies(0);
		lease_ends();
		fine &= db_sql("SELECT user2_unread=(SELECT COUNT(*) FROM messages m WHERE m.id>=(6<<28)+kept_seq AND "
			       "m.id<=(6<<28)+last_seq) FROM conversations WHERE id=6");
		relay_begin(0);
		pass(1000);
	}
	PASS_UNTIL(rests());
	ok(fine, "what is unread is right after each death");
	is_int(left(6), 2, "and all that was old is gone");
	is_int(db_sql("SELECT user2_unread FROM conversations WHERE id=6"), 2, "once");
}

/* Two relays that both think that they lead take nothing out of a counter twice. */
static void test_two(void)
{
	put_messages(5, 3011, 7000, OLD);
	put_messages(5, 7001, 7005, NEW);
	relay_begin(1);
	is_due();
	for (int i = 0; left(5) > 5 && i < 500; i++) {
		lease_ends();
		pass(WHEEL_TICK_MS);
	}
	PASS_UNTIL(left(5) == 5);
	is_int(of_pair("user2_unread"), 5, "what is unread is what is left");
	relay_dies(1);
}

/* Somebody who sends to the conversation meanwhile, and does not commit. */
static void test_locks(void)
{
	lease_ends();
	PASS_UNTIL(leads(0) && rests());
	put_messages(5, 7006, 7400, NEW);
	db_sql("UPDATE messages SET created_at=" OLD " WHERE id>>28=5 AND id&268435455<=7300");
	db_sql("UPDATE conversations SET kept_seq=7301,user2_unread=100 WHERE id=5");
	MYSQL *other = mysql_init(NULL);
	if (mysql_real_connect(other, NULL, "root", "", "tidings", 0, db_socket, 0) == NULL)
		db_die("a second connection");
	static const char *const sends[] = {
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
		"SET SESSION innodb_lock_wait_timeout=1",
		"START TRANSACTION",
		"UPDATE conversations SET last_seq=7401,user2_unread=user2_unread+1 WHERE id=5",
		"INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) VALUES "
		"((5<<28)+7401,'alice','bob',0,'text','held',UTC_TIMESTAMP(3))",
		"UPDATE messages SET content='edited' WHERE id=(5<<28)+7302"};
	bool fine = true;
	for (size_t i = 0; i < ARRAY_LEN(sends); i++)
		fine &= mysql_query(other, sends[i]) == 0;
	is_due();
	PASS_UNTIL(left(5) == 100);
	ok(fine, "what is hidden is deleted while a sender has the head locked");
	fine = mysql_query(other, "UPDATE messages SET content='again' WHERE id=(5<<28)+7301") == 0;
	ok(fine && mysql_query(other, "COMMIT") == 0, "who has to wait for nothing");
	is_int(of_pair("kept_seq"), 7301, "the head is left alone");
	PASS_UNTIL(rests());
	ok(!log_has("error 1205"), "and nobody waits in vain");
	mysql_close(other);
}

/* One whose head is locked for long holds up no other: it is left for the next time. */
static void test_locked(void)
{
	put_messages(5, 7402, 7500, OLD);
	put_messages(6, 4503, 4600, OLD);
	db_sql("UPDATE messages SET created_at=" OLD " WHERE id>>28 IN (5,6)");
	MYSQL *other = mysql_init(NULL);
	if (mysql_real_connect(other, NULL, "root", "", "tidings", 0, db_socket, 0) == NULL ||
	    mysql_query(other, "START TRANSACTION") != 0 ||
	    mysql_query(other, "UPDATE conversations SET user1_unread=0 WHERE id=5") != 0)
		db_die("a second connection");
	is_due();
	PASS_UNTIL(left(6) == 0);
	PASS_UNTIL(rests());
	ok(left(5) > 0, "a pair that is locked is left out");
	mysql_query(other, "ROLLBACK");
	mysql_close(other);
	is_due();
	PASS_UNTIL(left(5) == 0);
	ok(true, "and done the next time");
}

int main(void)
{
	kit_start();
	conf->message.keep_days = 30;
	test_pair();
	test_every_hour();
	test_group();
	test_notifications();
	test_deaths();
	test_two();
	test_locks();
	test_locked();
	kit_stop();
	return done_testing();
}
