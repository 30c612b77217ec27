/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay's work: rows that are told in time are left alone, the others are repaired, in order, each user and group
 * once, no faster than it may be; and one relay of several does it.
 */
#include "relay_kit.h"

static void test_alone(void)
{
	struct relay *r = relay_begin(0);
	pass(1000);
	ok(leads(0) && changes[0] > 0, "a relay alone leads, and tells that");
	is_int(db_sql("SELECT COUNT(*) FROM relay_leases WHERE consumer='push' AND holder='%s' AND "
		      "ends_at>UTC_TIMESTAMP(3) "
		      "AND ends_at<=UTC_TIMESTAMP(3)+INTERVAL 10 SECOND",
		      r->lease.holder),
	       1, "as the database says");
	db_sql("UPDATE relay_leases SET ends_at=UTC_TIMESTAMP(3)+INTERVAL 1 SECOND");
	pass(4000);
	is_int(db_sql("SELECT ends_at>UTC_TIMESTAMP(3)+INTERVAL 2 SECOND FROM relay_leases"), 1, "it renews the lease");
	struct relay_state state = relay_state(r);
	ok(state.database && state.redis && !state.read_only && state.rows == 0 && state.lag_ms == 0 &&
		   state.repaired == 0,
	   "and has nothing to do");
}

static void test_told(void)
{
	for (uint64_t n = 1; n <= 3; n++) {
		with_id(OUTBOX_SENT, DIRECT(n));
		put_row(S1, n);
	}
	told(S1, 3);
	pass(12000);
	with_id(OUTBOX_SENT, DIRECT(4));
	put_row(S1, 4);
	pass(4000);
	struct relay_state state = relay_state(relay[0]);
	is_int(state.rows, 1, "a row that is not told yet is seen");
	told(S1, 4);
	pass(12000);
	fence();
	is_str(hear(), "", "what is told in time is left alone");
	state = relay_state(relay[0]);
	ok(state.rows == 0 && state.lag_ms == 0 && state.repaired == 0, "and counts for nothing");
}

static void test_untold(void)
{
	with_id(OUTBOX_SENT, DIRECT(5));
	put_row(S1, 5);
	with_user("erin");
	with_id(OUTBOX_SENT, OF_GROUP(2));
	put_row(S1, 6);
	with_id(OUTBOX_READ, DIRECT(5));
	with_id(OUTBOX_GROUP, OF_GROUP(3));
	with_user("frank");
	put_row(S1, 7);
	db_sql("UPDATE outbox SET at=at-INTERVAL 90 SECOND WHERE stream=%llu AND n=5", S1);
	pass(1000);
	struct relay_state state = relay_state(relay[0]);
	ok(state.rows == 3 && state.lag_ms >= 90000 && state.lag_ms < 180000,
	   "rows that are not told, and for how long");
	pass(3900);
	fence();
	is_str(hear(), "", "nothing is done before their time is over");
	PASS_UNTIL(done(S1) == 7);
	fence();
	is_str(hear(), CATCH_UP("erin") UNSURE_GROUP UNSURE("frank") CATCH_UP("alice") CATCH_UP("bob"),
	       "then all whom they concern are told, each once");
	pass(12000);
	fence();
	is_str(hear(), "", "and not again");
	state = relay_state(relay[0]);
	ok(state.rows == 0 && state.lag_ms == 0 && state.repaired == 3, "it is seen");
	ok(log_has("5 users and groups are told of what 3 transactions have done"), "and logged");
}

static void test_half_told(void)
{
	with_id(OUTBOX_SENT, DIRECT(8));
	put_row(S1, 8);
	with_id(OUTBOX_SENT, OTHERS(1));
	put_row(S1, 9);
	pass(3000);
	with_id(OUTBOX_SENT, OF_GROUP(9));
	put_row(S1, 10);
	told(S1, 8);
	PASS_UNTIL(done(S1) >= 9);
	fence();
	is_str(hear(), CATCH_UP("carol") CATCH_UP("dave"), "only what is due and not told is repaired");
	is_int(done(S1), 9, "and done");
	PASS_UNTIL(done(S1) == 10);
	fence();
	is_str(hear(), UNSURE_GROUP, "the rest in its time");
	told(S2, 0);
}

/* A row whose time is over is done meanwhile by who has written it, who is ahead. */
static void test_never_back(void)
{
	with_id(OUTBOX_SENT, DIRECT(11));
	put_row(S1, 11);
	PASS_UNTIL(relay[0]->repair.state == REPAIR_SETTLING || done(S1) == 11);
	told(S1, 500);
	pass(3000);
	is_int(done(S1), 500, "who has told more is believed: it never goes back");
	db_sql("DELETE FROM outbox_done");
	db_sql("DELETE FROM outbox");
	fence();
	(void)hear();
}

static void test_malformed(void)
{
	put_bytes(S2, 1, "s\0\0", 3);
	put_bytes(S2, 2, "", 0);
	put_bytes(S2, 3,
		  "u\x05"
		  "alice\xff",
		  8);
	with_id(OUTBOX_SENT, (999ULL << 28) + 1);
	put_row(S2, 4);
	with_id(OUTBOX_SENT, OTHERS(2));
	put_row(S2, 5);
	PASS_UNTIL(done(S2) == 5);
	fence();
	is_str(hear(), CATCH_UP("alice") CATCH_UP("carol") CATCH_UP("dave"), "what is no item is stepped over");
	ok(log_has("row 1 of stream 2000 has malformed items"), "and logged");
	outbox_empty();
}

/* Rows of many streams, more than are read at a time, and more users than may be told in a second. */
static void test_rate(void)
{
	enum { ROWS = 1250, STREAMS = 2 };
	for (uint64_t i = 0; i < STREAMS; i++)
		put_rows(S1 + i, 1 + i * 5000, ROWS + i * 5000);
	uint64_t first = bus_position(relay[0]->bus), before = first, most = 0;
	int64_t begin_ms = 0;
	for (int i = 0; i < 200 && (done(S1) < ROWS || done(S1 + 1) < ROWS + 5000); i++) {
		pass(1000);
		uint64_t now = bus_position(relay[0]->bus);
		most = now - before > most ? now - before : most;
		begin_ms = before == first && now != first ? now_ms : begin_ms;
		before = now;
	}
	is_int(done(S1), ROWS, "a backlog is repaired");
	is_int(done(S1 + 1), ROWS + 5000, "in all streams");
	ok(before - first >= STREAMS * ROWS, "everybody is told");
	/* Beside users there is a goodbye each tenth of a second. */
	ok(most <= RELAY_TOLD_PER_SECOND + 20, "but in no second more than the limit (%d)", (int)most);
	ok(now_ms - begin_ms >= 1000 * (STREAMS * ROWS / RELAY_TOLD_PER_SECOND - 1), "so it took its time");
	outbox_empty();
	fence();
	(void)hear();
}

/* Rows that concern many: fewer are read at a time. */
static void test_large_rows(void)
{
	enum { ROWS = 6, USERS = 700 };
	char name[32];
	for (uint64_t n = 1; n <= ROWS; n++) {
		for (unsigned i = 0; i < USERS; i++) {
			snprintf(name, sizeof(name), "large%llu-%u", (unsigned long long)n, i);
			with_user(name);
		}
		put_row(S1, n);
	}
	uint64_t first = bus_position(relay[0]->bus);
	PASS_UNTIL(done(S1) > 0);
	ok(done(S1) < ROWS, "of rows that concern many, some are repaired first");
	PASS_UNTIL(done(S1) == ROWS);
	ok(bus_position(relay[0]->bus) - first >= ROWS * USERS, "and then the others");
	outbox_empty();
}

static void test_two(void)
{
	relay_begin(1);
	pass(12000);
	ok(leads(0) && !leads(1), "of two relays one leads");
	with_id(OUTBOX_SENT, DIRECT(1));
	put_row(S1, 1);
	PASS_UNTIL(done(S1) == 1);
	fence();
	is_str(hear(), CATCH_UP("alice") CATCH_UP("bob"), "and repairs");
	ok(relay_state(relay[1]).repaired == 0 && relay_state(relay[1]).rows == 0, "the other does nothing");

	relay_dies(0);
	pass(3000);
	ok(!leads(1), "one that has died keeps the lease to its end");
	with_id(OUTBOX_SENT, DIRECT(2));
	put_row(S1, 2);
	lease_ends();
	pass(1000);
	ok(leads(1), "then the other takes it");
	PASS_UNTIL(done(S1) == 2);
	fence();
	is_str(hear(), CATCH_UP("alice") CATCH_UP("bob"), "and repairs what was left");

	relay_begin(0);
	relay_begin(2);
	pass(2000);
	ok(leads(1) && !leads(0) && !leads(2), "a third and its predecessor's successor wait");
	relay_goes(1);
	is_int(db_sql("SELECT COUNT(*) FROM relay_leases"), 0, "one that leaves gives the lease back");
	pass(1000);
	ok(leads(0) != leads(2), "and one of the others has it within a second");
	relay_goes(leads(0) ? 2 : 0);
	ok(db_sql("SELECT COUNT(*) FROM relay_leases") == 1, "one that has none gives none back");
	for (int i = 0; i < RELAYS_MAX; i++)
		if (relay[i] != NULL)
			relay_goes(i);
}

/* As one that was stopped for long and goes on: it works until it finds that another has the lease. */
static void test_overlap(void)
{
	relay_begin(0);
	pass(1000);
	ok(leads(0), "a relay leads");
	lease_ends();
	relay_begin(1);
	PASS_UNTIL(leads(1));
	ok(leads(0) && leads(1), "another takes a lease that has ended before the first one renews it");
	with_id(OUTBOX_SENT, DIRECT(3));
	put_row(S1, 3);
	pass(4000);
	ok(!leads(0) && leads(1), "the first one finds out");
	PASS_UNTIL(done(S1) == 3);
	fence();
	is_str(hear(), CATCH_UP("alice") CATCH_UP("bob"), "and all is done once");
	db_sql("UPDATE relay_leases SET holder='nobody',ends_at=UTC_TIMESTAMP(3)+INTERVAL 1 HOUR");
	pass(4000);
	ok(leads(0) || leads(1),
	   "a lease that ends too late, for the database's clock was set back, counts for nothing");
	outbox_empty();
}

int main(void)
{
	kit_start();
	test_alone();
	test_told();
	test_untold();
	test_half_told();
	test_never_back();
	test_malformed();
	test_rate();
	test_large_rows();
	test_two();
	test_overlap();
	kit_stop();
	return done_testing();
}
