/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far messages have reached their recipients: many conversations, and both sides of one, in a transaction; what
 * does not move; what is too soon; and a transaction of which nobody knows what became.
 */
#include "core/base.h"
#include "store/store.h"

#include "calls.h"
#include "db.h"
#include "proxied_store.h"
#include "../tap.h"

static bool done;
static enum store_status status;

static void on_delivered(enum store_status st, struct store_delivery *const *d, size_t n, void *arg)
{
	status = st;
	if (arg == NULL)
		answered(&done);
	done = true;
}

static void deliver(struct store_delivery *d, size_t n)
{
	struct store_delivery *each[16];
	ASSERT(n <= ARRAY_LEN(each));
	for (size_t i = 0; i < n; i++)
		each[i] = &d[i];
	done = false;
	store_deliver(s, each, n, on_delivered, NULL);
	wait_for(&done);
}

static struct store_delivery of(const char *user, uint64_t conversation_id, uint64_t up_to_seq)
{
	return (struct store_delivery){
		.user = str_from(user), .conversation_id = conversation_id, .up_to_seq = up_to_seq};
}

static uint64_t talk(const char *a, const char *b, int messages)
{
	struct sent_answer m = {0};
	db_befriend(a, b);
	for (int i = 0; i < messages; i++)
		m = do_text(s, a, b, "text", NULL);
	return message_id_conversation(m.m.id);
}

static long long stored(uint64_t id, int side)
{
	return db_sql("SELECT COALESCE(MAX(user%d_seq),0) FROM deliveries WHERE conversation_id=%llu", side,
		      (unsigned long long)id);
}

static void test_many(void)
{
	uint64_t ab = talk("a", "b", 3), cd = talk("c", "d", 2), ef = talk("e", "f", 1);
	do_text(s, "b", "a", "back", NULL);
	struct store_delivery d[] = {of("f", ef, 1),	    of("b", ab, 2), of("a", ab, 99), of("d", cd + 1000, 1),
				     of("stranger", cd, 1), of("c", cd, 2), of("d", cd, 0)};
	deliver(d, ARRAY_LEN(d));
	is_int(status, STORE_OK, "a transaction");
	ok(d[0].moved && d[0].status == STORE_OK, "a conversation");
	is_str(d[0].peer, "e", "its other side");
	ok(d[1].moved && d[2].moved, "both sides of another");
	is_int(d[2].up_to_seq, 4, "not beyond the last message");
	is_int(stored(ab, 1), 4, "the first side's");
	is_int(stored(ab, 2), 2, "the second side's");
	ok(d[3].status == STORE_NOT_FOUND && !d[3].moved, "no conversation");
	ok(d[4].status == STORE_NOT_FOUND && !d[4].moved, "somebody else's");
	ok(d[5].status == STORE_OK && !d[5].moved, "nothing has reached who only sends");
	ok(d[6].status == STORE_OK && !d[6].moved, "nothing is nothing");
	is_int(stored(cd, 1) + stored(cd, 2), 0, "and nothing of that is written");
	is_int(db_sql("SELECT COUNT(*) FROM deliveries"), 2, "a row a conversation");
}

/* Unless this machine was asleep for a second. */
static uint64_t write_just_now(void)
{
	static int round;
	static char from[16];
	snprintf(from, sizeof(from), "g%d", round++);
	uint64_t id = talk(from, "h", 5);
	struct store_delivery first = of("h", id, 2);
	deliver(&first, 1);
	ok(first.moved, "the first");
	return id;
}

static void test_too_soon(void)
{
	uint64_t id;
	struct store_delivery next;
	do {
		id = write_just_now();
		next = of("h", id, 4);
		deliver(&next, 1);
	} while (next.moved);
	struct store_delivery back = of("h", id, 1), other = of("h", id, 2);
	/* It waits until more than a second has gone by: 1,001 ms, if both came in the same millisecond. */
	ok(!next.moved && next.wait_ms > 0 && next.wait_ms <= 1001, "the next is too soon: %lld ms",
	   (long long)next.wait_ms);
	is_int(stored(id, 2), 2, "and not written");
	deliver(&back, 1);
	deliver(&other, 1);
	ok(!back.moved && back.wait_ms == 0 && !other.moved && other.wait_ms == 0,
	   "what is there does not wait for its time");
	db_sql("UPDATE deliveries SET user2_at=UTC_TIMESTAMP(3)-INTERVAL 1001 MICROSECOND-INTERVAL 1 SECOND "
	       "WHERE conversation_id=%llu",
	       (unsigned long long)id);
	deliver(&next, 1);
	ok(next.moved && next.wait_ms == 0, "a second later it is");
	db_sql("UPDATE deliveries SET user2_at=UTC_TIMESTAMP(3)+INTERVAL 1 HOUR WHERE conversation_id=%llu",
	       (unsigned long long)id);
	next.up_to_seq = 5;
	deliver(&next, 1);
	ok(next.moved, "and so it is where the clock was set back");
}

static void test_lost_commit(enum cut how, const char *name)
{
	static int round;
	char from[16], to[16];
	snprintf(from, sizeof(from), "i%d", round);
	snprintf(to, sizeof(to), "j%d", round++);
	uint64_t id = talk(from, to, 2);
	struct store_delivery d[] = {of(to, id, 2), of(to, id + 1000, 1)};
	cut_at = ";COMMIT";
	cut = how;
	deliver(d, 2);
	is_int(status, STORE_OK, "the COMMIT %s: done", name);
	is_int(cut, CUT_NONE, "it was cut");
	ok(d[0].moved, "and others are told");
	is_int(stored(id, 2), 2, "of what is there");
	is_int(d[1].status, STORE_NOT_FOUND, "the other one is none still");
}

static void test_away(void)
{
	uint64_t id = talk("k", "l", 1);
	struct store_delivery d = of("l", id, 1), *each = &d;
	done = false;
	store_deliver(s, &each, 1, on_delivered, &d);
	proxied_store_free();
	ok(done && status == STORE_UNAVAILABLE, "a store that ends tells so");
}

int main(void)
{
	proxied_store_begin(NULL);
	test_many();
	test_too_soon();
	test_lost_commit(CUT_AFTER, "was done and not answered");
	test_lost_commit(CUT_BEFORE, "never arrived");
	test_lost_commit(CUT_UNDONE, "had nothing to commit");
	test_away();
	return proxied_store_end();
}
