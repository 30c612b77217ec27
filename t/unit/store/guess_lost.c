/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches in one round trip: that they take one, and that a connection lost within it loses and doubles nothing, also
 * where what was sent reaches the database late.
 */
#include "core/base.h"
#include "store/store.h"

#include "calls.h"
#include "db.h"
#include "proxied_store.h"
#include "../tap.h"

static unsigned retries;

static void on_retry(const char *why, void *ctx)
{
	retries++;
}

/* Sends until a batch of one was carried out in one round trip: the pair's next one is tried so, too. */
static struct sent_answer warm(const char *from, const char *to)
{
	struct sent_answer a;
	unsigned before;
	db_befriend(from, to);
	wait_up(s);
	do {
		before = proxy_asked;
		a = do_text(s, from, to, "warm", NULL);
	} while (proxy_asked != before + 1);
	return a;
}

/* What was answered as done is stored once, and what was not told as done is not. */
static void test_cut_guess(enum cut how, const char *name)
{
	static int round;
	char a[24], b[24], c[24], client_msg_id[24];
	round++;
	snprintf(a, sizeof(a), "ga%d", round);
	snprintf(b, sizeof(b), "gb%d", round);
	snprintf(c, sizeof(c), "gc%d", round);
	snprintf(client_msg_id, sizeof(client_msg_id), "guess%d", round);
	struct sent_answer ab = warm(a, b), ac = warm(a, c), with, without, again, back, other;
	retries = proxy_cut_whole = 0;
	cut_at = ";COMMIT";
	cut = how;
	ask_send(s, text_to(a, b, "with", client_msg_id), &with);
	ask_send(s, text_to(a, b, "without", NULL), &without);
	ask_send(s, text_to(a, b, "with", client_msg_id), &again);
	ask_send(s, text_to(b, a, "back", NULL), &back);
	ask_send(s, text_to(c, a, "other", NULL), &other);
	wait_for(&with.settled);
	wait_for(&without.settled);
	wait_for(&again.settled);
	wait_for(&back.settled);
	wait_for(&other.settled);
	ok(cut == CUT_NONE && retries > 0 && proxy_cut_whole == 1, "%s: the only round trip was cut", name);
	ok(with.status == STORE_OK && !with.replayed && with.m.id == ab.m.id + 1, "a send is new");
	ok(without.status == STORE_OK && !without.replayed && without.m.id == ab.m.id + 2,
	   "also without a client_msg_id");
	ok(again.status == STORE_OK && again.replayed && again.m.id == with.m.id, "its repeat is one");
	ok(back.status == STORE_OK && !back.replayed && back.m.id == ab.m.id + 3, "the other way");
	ok(other.status == STORE_OK && !other.replayed && other.m.id == ac.m.id + 1, "and another pair's");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE from_user_id='%s' AND client_msg_id='%s'", a, client_msg_id),
	       1, "each is stored once");
	is_int(db_wrong(), 0, "and all counters are right");
}

/* A send takes one packet where nothing but sends is done, and two with the first message of others. */
static void test_packets(void)
{
	struct sent_answer one = warm("p1", "p2"), two;
	db_befriend("p3", "p4");
	unsigned before = proxy_asked;
	do_text(s, "p2", "p1", "x", "packet");
	is_int(proxy_asked - before, 1, "one round trip");
	before = proxy_asked;
	ask_send(s, text_to("p1", "p2", "x", NULL), &one);
	ask_send(s, text_to("p2", "p1", "x", NULL), &two);
	wait_for(&two.done);
	is_int(proxy_asked - before, 1, "also for two");
	before = proxy_asked;
	ask_send(s, text_to("p1", "p2", "x", NULL), &one);
	ask_send(s, text_to("p3", "p4", "x", NULL), &two);
	wait_for(&two.done);
	is_int(proxy_asked - before, 4, "more where the other one's conversation is to be found and made");
}

/*
 * The only packet is late, and what it would do is looked for before it comes: its sender is not told that it was not
 * done. (Where the conversation was written meanwhile, it fails.)
 */
static void test_late_guess(void)
{
	struct sent_answer last = warm("tardy1", "tardy2"), sent;
	late_held = true;
	cut_at = ";COMMIT";
	cut = CUT_LATE;
	ask_send(s, text_to("tardy1", "tardy2", "hello", "tardy"), &sent);
	while (cut != CUT_NONE)
		turn();
	db_sql("DELETE FROM friendships WHERE user_id LIKE 'tardy_'");
	/* Looked for by id, and then by its pair: two transactions of two packets. */
	unsigned before = proxy_asked;
	while (!sent.done && proxy_asked < before + 4)
		turn();
	ok(!sent.done, "it is not refused while its packet may come");
	db_befriend("tardy1", "tardy2");
	proxy_release();
	wait_for(&sent.settled);
	ok(late_server == NULL, "which it does");
	ok(sent.status == STORE_OK && !sent.replayed && sent.m.id == last.m.id + 1, "and it is found: %d", sent.status);
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE client_msg_id='tardy'"), 1, "stored once");

	last = warm("tardy1", "tardy2");
	late_held = true;
	cut = CUT_LATE;
	ask_send(s, text_to("tardy1", "tardy2", "hello", "later"), &sent);
	wait_for(&sent.settled);
	ok(sent.status == STORE_OK && !sent.replayed && sent.m.id == last.m.id + 1, "done before its packet comes");
	struct sent_answer next = warm("tardy1", "tardy2");
	proxy_release();
	while (proxy_orphans != 0)
		turn();
	ok(do_text(s, "tardy1", "tardy2", "x", NULL).m.id == next.m.id + 1, "which then does nothing");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE client_msg_id='later'"), 1, "stored once");
	is_int(db_wrong(), 0, "and all counters are right");

	last = warm("tardy1", "tardy2");
	late_held = true;
	cut = CUT_LATE;
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='tardy2'");
	ask_send(s, text_to("tardy1", "tardy2", "hello", "never"), &sent);
	wait_for(&sent.settled);
	is_int(sent.status, STORE_BLOCKED, "refused in the end, once its packet would come too late");
	db_sql("UPDATE friendships SET blocked=0 WHERE user_id='tardy2'");
	proxy_release();
	while (proxy_orphans != 0)
		turn();
	ok(do_text(s, "tardy1", "tardy2", "x", NULL).m.id == last.m.id + 1,
	   "as it does, though it could be done again");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE client_msg_id='never'"), 0, "it is not stored");
}

int main(void)
{
	static const struct store_observer obs = {.retry = on_retry};
	proxied_store_begin(&obs);
	test_packets();
	test_cut_guess(CUT_BEFORE, "before the only round trip");
	test_cut_guess(CUT_HALF, "within the only round trip");
	test_cut_guess(CUT_AFTER, "after the only round trip");
	test_cut_guess(CUT_LATE, "an only round trip that is late");
	test_cut_guess(CUT_ANSWER, "answers of the only round trip left out");
	test_late_guess();
	return proxied_store_end();
}
