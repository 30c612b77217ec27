/* SPDX-License-Identifier: BSD-2-Clause */
/* What is deleted from the outbox, how fast, and that nobody who writes to it has to wait for that. */
#include "relay_kit.h"

static long long rows(uint64_t stream)
{
	return db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", (unsigned long long)stream);
}

static long long least(uint64_t stream)
{
	return db_sql("SELECT COALESCE(MIN(n),0) FROM outbox WHERE stream=%llu", (unsigned long long)stream);
}

static void test_done_rows(void)
{
	put_rows(S1, 1, 25000);
	put_rows(S2, 1, 3000);
	PASS_UNTIL(db_sql("SELECT SUM(n) FROM outbox_done WHERE consumer='files'") == 28000);
	told(S1, 25000);
	told(S2, 2500);
	pass(1000);
	ok(rows(S1) >= 15000 && rows(S1) < 25000, "rows that are done are deleted, 10,000 a second at most (%lld left)",
	   rows(S1));
	for (int i = 0; i < 3; i++) {
		told(S2, 2500);
		pass(1000);
	}
	is_int(rows(S1), 10, "but for the newest");
	is_int(least(S2), 2491, "and those that are not done");
	PASS_UNTIL(done(S2) == 3000);
	pass(2000);
	is_int(rows(S2), 10, "until they are");
	put_rows(S1, 25001, 25050);
	told(S1, 25050);
	pass(5000);
	is_int(rows(S1), 60, "a few more are not worth it");
}

/* The statement as the relay runs it, on a connection like its own, and those who write beside it. */
static void test_locks(void)
{
	MYSQL *other = mysql_init(NULL);
	if (mysql_real_connect(other, NULL, "root", "", "tidings", 0, db_socket, 0) == NULL)
		db_die("a second connection");
	static const char *const begin[] = {"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
					    "SET SESSION innodb_lock_wait_timeout=1", "START TRANSACTION"};
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		mysql_query(other, begin[i]);
	outbox_empty();
	put_rows(S1, 1, 2000);
	put_rows(S2, 1, 10);
	is_int(mysql_query(other, "DELETE FROM outbox WHERE stream=1000 AND n BETWEEN 1 AND 1000"), 0,
	       "a deletion that is not committed");
	db_sql("SET SESSION innodb_lock_wait_timeout=1");
	db_sql("START TRANSACTION");
	put_rows(S1, 2001, 2010);
	put_rows(S2, 11, 20);
	put_rows(S1 + 1, 1, 10);
	ok(true, "holds up nobody who writes to its stream, the next one, or a new one between");
	mysql_query(other, "ROLLBACK");
	told(S1, 2000);
	pass(3000);
	db_sql("COMMIT");
	told(S1, 2000);
	told(S2, 20);
	told(S1 + 1, 10);
	PASS_UNTIL(least(S1) >= 1991);
	ok(!log_has("error 1205"), "and is not held up by them");
	mysql_close(other);
}

static void test_still(void)
{
	outbox_empty();
	put_rows(S1, 41, 50);
	put_rows(S2, 41, 50);
	put_rows(S2 + 1, 41, 50);
	told(S1, 50);
	told(S2, 50);
	told(S2 + 1, 50);
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox_done WHERE consumer='files' AND n=50") == 3);
	db_sql("UPDATE outbox_done SET at=at-INTERVAL 61 MINUTE WHERE stream=%llu", S1);
	db_sql("UPDATE outbox_done SET at=at-INTERVAL 59 MINUTE WHERE stream=%llu", S2);
	PASS_UNTIL(rows(S1) == 0);
	pass(3000);
	ok(rows(S2) == 10, "of a stream that has not moved for an hour nothing stays");
	db_sql("UPDATE outbox_done SET at=at-INTERVAL 1 DAY");
	db_sql("INSERT INTO outbox_done (consumer,stream,n,at) SELECT 'push',seq,1,UTC_TIMESTAMP(3)-INTERVAL 25 HOUR "
	       "FROM "
	       "seq_100001_to_101200");
	db_sql("INSERT INTO outbox_done (consumer,stream,n,at) VALUES ('push',7,1,UTC_TIMESTAMP(3)-INTERVAL 23 HOUR),"
	       "('another',8,1,UTC_TIMESTAMP(3)-INTERVAL 25 HOUR)");
	put_rows(99, 1, 1);
	told(99, 1);
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox_done WHERE stream>100000") == 0);
	PASS_UNTIL(done(S1) == 0);
	is_int(done(7), 1, "after a day its cursor goes, too; not before");
	is_int(done(99), 1, "nor where there are rows");
	is_int(db_sql("SELECT COUNT(*) FROM outbox_done WHERE consumer='another'"), 1, "nor another consumer's");
}

int main(void)
{
	kit_start();
	relay_begin(0);
	pass(1000);
	test_done_rows();
	test_locks();
	test_still();
	kit_stop();
	return done_testing();
}
