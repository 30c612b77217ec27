/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing that was written is forgotten, no matter what fails in the middle of a repair: the connection to the database
 * at each statement, with and without its being done, the database itself, Redis, and the relay.
 */
#include "relay_kit.h"

static uint64_t next_n = 1;

/* A row about alice and bob that nobody tells of. */
static void put_untold(void)
{
	with_id(OUTBOX_SENT, DIRECT(next_n));
	put_row(S1, next_n++);
}

/* Both were told. */
static bool both_told(void)
{
	fence();
	const char *text = hear();
	return strstr(text, CATCH_UP("alice")) != NULL && strstr(text, CATCH_UP("bob")) != NULL;
}

static const struct {
	const char *end, *name, *with;
} statements[] = {
	{"LIMIT 4096;COMMIT", "looking"},
	{"LIMIT 500;COMMIT", "reading"},
	{"IN (5);COMMIT", "looking users up"},
	{"n=GREATEST(n,VALUES(n));COMMIT", "noting", "'push'"},
	{"FROM relay_leases WHERE consumer='push';COMMIT", "renewing"},
};

static void test_cuts(void)
{
	static const struct {
		enum cut how;
		const char *name;
	} cuts[] = {{CUT_BEFORE, "before"},
		    {CUT_HALF, "in the middle of"},
		    {CUT_AFTER, "after"},
		    {CUT_ANSWER, "within the answer to"}};
	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		for (size_t j = 0; j < ARRAY_LEN(cuts); j++) {
			/* An answer to reading that does not come to its end takes the same five seconds each time. */
			if (cuts[j].how == CUT_ANSWER && (i == 1 || i == 2))
				continue;
			put_untold();
			cut_at = statements[i].end;
			cut_with = statements[i].with;
			cut = cuts[j].how;
			PASS_UNTIL(cut == CUT_NONE);
			PASS_UNTIL(done(S1) == (long long)next_n - 1);
			ok(both_told(), "a connection cut %s %s", cuts[j].name, statements[i].name);
		}
}

/* The database refuses a statement; the next ones are asked all the same. */
static void test_refused(void)
{
	put_untold();
	db_sql("CREATE TRIGGER no_notes BEFORE INSERT ON outbox_done FOR EACH ROW BEGIN IF NEW.consumer='push' THEN "
	       "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='no notes today'; END IF; END");
	PASS_UNTIL(log_has("no notes today"));
	ok(both_told(), "what cannot be noted was told");
	pass(8000);
	fence();
	is_str(hear(), "", "and is not told each second for that");
	db_sql("DROP TRIGGER no_notes");
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	db_sql("RENAME TABLE outbox TO hidden");
	PASS_UNTIL(log_has("looking at the outbox"));
	pass(3000);
	ok(leads(0), "without its table it goes on looking");
	db_sql("RENAME TABLE hidden TO outbox");
	put_untold();
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	ok(both_told(), "and works when it is back");
}

static void test_database_away(void)
{
	put_untold();
	pass(3000);
	db_down(SIGKILL);
	UNTIL(!relay_state(relay[0]).database);
	pass(5000);
	ok(!relay_state(relay[0]).database, "the database is away");
	db_up();
	if (!db_connect("tidings"))
		db_die("no database");
	UNTIL(link_is_idle(relay[0]->link));
	pass(3000);
	fence();
	is_str(hear(), "", "when it is back, who has written gets the usual time to tell");
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	ok(both_told(), "then it is repaired");

	put_untold();
	pass(2000);
	db_sql("SET GLOBAL read_only=1");
	db_sql("KILL %lld", db_sql("SELECT MAX(id) FROM information_schema.processlist WHERE db='tidings' AND "
				   "id<>CONNECTION_ID()"));
	UNTIL(relay_state(relay[0]).read_only);
	ok(!relay_state(relay[0]).database, "a database that is read-only counts as away");
	db_sql("SET GLOBAL read_only=0");
	UNTIL(link_is_idle(relay[0]->link));
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	ok(both_told(), "until it is not");
}

static void test_redis_away(void)
{
	put_untold();
	pass(3000);
	server_kill(&redis);
	UNTIL(!relay_state(relay[0]).redis && !bus_is_up(ear));
	pass(20000);
	is_int(done(S1), (long long)next_n - 2, "without Redis nothing is done");
	is_int(relay_state(relay[0]).rows, 1, "but seen");
	server_start(&redis, "");
	UNTIL(relay_state(relay[0]).redis && bus_is_up(ear));
	pass(4900);
	is_int(done(S1), (long long)next_n - 2, "nor at once when it is back: the workers do their part first");
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	ok(both_told(), "then");

	/* It takes what is published, and dies before it has answered. */
	put_untold();
	pass(4500);
	kill(redis.pid, SIGSTOP);
	PASS_UNTIL(relay[0]->repair.told != 0 && bus_position(relay[0]->bus) > bus_settled(relay[0]->bus));
	is_int(done(S1), (long long)next_n - 2, "what Redis has not confirmed is not done");
	server_kill(&redis);
	UNTIL(!relay_state(relay[0]).redis && !bus_is_up(ear));
	pass(8000);
	is_int(done(S1), (long long)next_n - 2, "nor where it was lost");
	(void)hear();
	server_start(&redis, "");
	UNTIL(relay_state(relay[0]).redis && bus_is_up(ear));
	PASS_UNTIL(done(S1) == (long long)next_n - 1);
	ok(both_told(), "it is told again");
}

/* As kill -9 at each step; the next one takes over. */
static void test_deaths(void)
{
	static const enum repair_state states[] = {REPAIR_READING, REPAIR_LOOKING_UP, REPAIR_TELLING, REPAIR_SETTLING,
						   REPAIR_NOTING};
	unsigned wrong = 0, met = 0;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		put_untold();
		struct repair *p = &relay[0]->repair;
		/* Steps of the loop alone, once the time has come. */
		pass(4500);
		for (int64_t end_ms = real_ms() + 30000; p->state < states[i] && real_ms() < end_ms;) {
			wheel_pass(loop_wheel(loop), p->state == REPAIR_NONE && all_quiet() ? WHEEL_TICK_MS : 0);
			if (p->state >= states[i])
				break;
			kit_turn();
			if (p->state == REPAIR_TELLING || p->state == REPAIR_SETTLING)
				wheel_pass(loop_wheel(loop), WHEEL_TICK_MS);
		}
		met += p->state >= states[i];
		relay_dies(0);
		lease_ends();
		relay_begin(0);
		PASS_UNTIL(done(S1) == (long long)next_n - 1);
		wrong += !both_told();
	}
	is_int(met, ARRAY_LEN(states), "a relay dies at each step of a repair");
	is_int(wrong, 0, "and its successor tells of it");
}

int main(void)
{
	kit_start();
	relay_begin(0);
	pass(1000);
	ok(leads(0), "a relay");
	test_cuts();
	test_refused();
	test_database_away();
	test_redis_away();
	test_deaths();
	kit_stop();
	return done_testing();
}
