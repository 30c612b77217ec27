/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is told to be online: as Redis knows it, once, whatever the hints say; what no hint tells is found; a relay that
 * leads no more tells nothing; and many hints are not too many. The ear is subscribed to the topics of alice, bob,
 * carol and dave, so they are online.
 */
#include "relay_kit.h"

#define WORKER "a-worker"

static void hint(const char *hints)
{
	struct buf b = {0};
	bus_form_begin(&b, BUS_ROLL, WORKER);
	buf_append_str(&b, str_from(hints));
	if (!bus_publish(ear, STR_LIT(TOPIC_ROLL), (struct str){b.data, b.len}))
		ok(false, "a hint is lost");
	UNTIL(bus_settled(ear) >= bus_position(ear));
	buf_fini(&b);
}

static long long is_told(const char *user)
{
	return db_sql("SELECT COUNT(*) FROM presence_told WHERE user_id='%s'", user);
}

/* Rows of the outbox that begin so: with 'c' or 'w'. */
static long long rows(char kind)
{
	return db_sql("SELECT COUNT(*) FROM outbox WHERE LEFT(items,1)='%c'", kind);
}

static bool has_subscribed(void)
{
	return relay[0]->attendance.subscribed && bus_is_subscribed(relay[0]->bus, STR_LIT(TOPIC_ROLL));
}

static void test_hints(void)
{
	hint("+alice ");
	PASS_UNTIL(is_told("alice") == 1);
	is_int(rows('c'), 1, "who comes is told");
	is_int(db_sql("SELECT COUNT(*) FROM outbox WHERE items LIKE '%%alice%%' AND items LIKE '%%u%%alice%%'"), 0,
	       "and nobody else but webhooks");
	hint("+alice -alice +nobody ");
	pass(2000);
	hint("-alice ");
	hint("+alice +alice ");
	pass(2 * ATTENDANCE_ABSENCE_MS);
	is_int(rows('c') + rows('w'), 1, "hints of what is not so tell nothing");
	hint("");
	hint("+");
	hint("alice bob");
	hint("+a b +\xff +bob");
	PASS_UNTIL(is_told("bob") == 1);
	is_int(db_sql("SELECT COUNT(*) FROM presence_told"), 2, "nor do those that are malformed");
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox o JOIN outbox_done d ON d.stream=o.stream AND d.n>=o.n WHERE "
			  "d.consumer='push'") == 2);
	is_int(relay_state(relay[0]).repaired, 0, "that nobody has to push it is noted, and it is not repaired");
}

static void test_gone(void)
{
	bus_unsubscribe(ear, STR_LIT("u:alice"));
	fence();
	hint("-alice ");
	int64_t from_ms = now_ms;
	PASS_UNTIL(is_told("alice") == 0);
	ok(now_ms - from_ms >= ATTENDANCE_ABSENCE_MS - 1000, "who goes is told, after a while (%lld ms)",
	   (long long)(now_ms - from_ms));
	is_int(rows('w'), 1, "once");
	bus_unsubscribe(ear, STR_LIT("u:bob"));
	fence();
	PASS_UNTIL(is_told("bob") == 0);
	is_int(rows('w'), 2, "who goes without a hint is found");
}

/* It believes that it leads, for a moment. */
static void test_lease(void)
{
	long long before = rows('c');
	db_sql("UPDATE relay_leases SET holder='another'");
	hint("+carol ");
	PASS_UNTIL(log_has("while telling webhooks who is online"));
	is_int(is_told("carol") + rows('c'), before, "a relay that does not lead any more tells nothing");
	PASS_UNTIL(!leads(0));
	lease_ends();
	PASS_UNTIL(leads(0) && has_subscribed());
	hint("+carol ");
	PASS_UNTIL(is_told("carol") == 1);
	is_int(rows('c'), before + 1, "until it does again");
}

/* More than are kept, as many workers would tell at once. */
static void hint_many(void)
{
	struct buf b = {0};
	for (unsigned i = 0; i <= ATTENDANCE_HINTS_MAX; i++) {
		buf_printf(&b, "+u%u ", i);
		if (b.len < 60000 && i != ATTENDANCE_HINTS_MAX)
			continue;
		hint(buf_cstr(&b));
		buf_clear(&b);
	}
	buf_fini(&b);
}

static void test_many(void)
{
	struct attendance *x = &relay[0]->attendance;
	PASS_UNTIL(x->parts == 0 && !x->missed);
	unsigned before = roll_calls;
	hint_many();
	/* Without time, nothing is done. */
	UNTIL(x->missed);
	is_int(x->hints.count, ATTENDANCE_HINTS_MAX, "there is a bound");
	PASS_UNTIL(roll_calls == before + 1);
	is_str(roll_call, "0 1", "so the roll is called");
	is_int(x->hints.count, 0, "once they are done");
	hint_many();
	UNTIL(x->missed);
	PASS_UNTIL(roll_calls == before + 2);
	is_str(roll_call, "0 64", "and where it is too long, in parts");
	hint("+dave ");
	PASS_UNTIL(roll_calls == before + 2 + 63);
	is_str(roll_call, "63 64", "one after the other");
	PASS_UNTIL(x->parts == 0);
	pass(5000);
	is_int(roll_calls, before + 2 + 63, "to the last");
	is_int(is_told("dave"), 1, "and who answers is told");
}

static void test_off(void)
{
	relay_goes(0);
	db_sql("INSERT INTO presence_told (user_id) SELECT CONCAT('u',seq) FROM seq_1_to_3000");
	conf->relay.presence = false;
	outbox_empty();
	relay_begin(0);
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM presence_told") == 0);
	is_int(db_sql("SELECT COUNT(*) FROM outbox"), 0, "where no webhook is told, all is forgotten without a word");
	ok(!relay[0]->attendance.subscribed, "and nobody listens");
}

int main(void)
{
	kit_start();
	conf->relay.presence = true;
	relay_begin(0);
	PASS_UNTIL(leads(0) && has_subscribed() && roll_calls != 0);
	is_str(roll_call, "0 1", "who begins to lead calls the roll");
	test_hints();
	test_gone();
	test_lease();
	test_many();
	test_off();
	relay_goes(0);
	kit_stop();
	return done_testing();
}
