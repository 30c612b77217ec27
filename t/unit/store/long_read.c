/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a conversation with many unread messages. To its end it is one transaction, however many there are. To the
 * middle of it, where what stays unread has to be counted, it goes in bounded steps: what others send meanwhile does
 * not wait for its end, and what is told in the end is right, also when a connection is lost in the middle.
 */
#include "core/base.h"
#include "store/store.h"

#include "calls.h"
#include "db.h"
#include "lists.h"
#include "proxied_store.h"
#include "../tap.h"

/* So many are read, and so many stay. */
enum { UNREAD = 10000, REST = 10000, ALL = UNREAD + REST };

static unsigned batches;

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
}

static void test_to_the_end(void)
{
	uint64_t id = fill_conversation(s, "m", "n", ALL);
	batches = 0;
	struct store_read read = do_read(s, "n", id, UINT64_MAX);
	ok(read.status == STORE_OK && read.read_seq == ALL && read.unread == 0 && read.marked == ALL,
	   "all of a conversation is read");
	is_int(batches, 1, "in one transaction");
	is_int(db_sql("SELECT COUNT(*) FROM read_marks WHERE conversation_id=%llu", (unsigned long long)id), 1,
	       "with one mark");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu AND read_at IS NOT NULL",
		      (unsigned long long)id),
	       0, "and no message is written to");
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_others_go_on(void)
{
	uint64_t id = fill_conversation(s, "a", "b", ALL);
	db_befriend("c", "d");
	struct read_answer read;
	struct sent_answer sent, into;
	batches = 0;
	ask_read(s, "b", id, UNREAD, &read);
	ask_send(s, text_to("c", "d", "x", NULL), &sent);
	wait_for(&sent.done);
	is_int(sent.status, STORE_OK, "a send that came after the read");
	ok(!read.done, "is answered before it");
	/* Into the same conversation, half-way: it stays unread. */
	ask_send(s, text_to("a", "b", "y", NULL), &into);
	wait_for(&into.done);
	ok(into.status == STORE_OK && !read.done, "one into the same conversation as well");
	wait_for(&read.done);
	ok(read.r.status == STORE_OK && read.r.changed && read.r.up_to_seq == UNREAD && read.r.read_seq == UNREAD,
	   "a read to the middle ends there");
	is_int((long long)read.r.marked, UNREAD, "has marked all up to it");
	is_int((long long)read.r.unread, REST + 1, "and left the others and the new one");
	ok(batches >= UNREAD / 2048, "in %u transactions", batches);
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_many_at_once(void)
{
	enum { READS = 300 };
	static struct read_answer read[READS];
	uint64_t id = fill_conversation(s, "e", "f", ALL);
	struct sent_answer sent;
	for (int i = 0; i < READS; i++)
		ask_read(s, "f", id, UNREAD, &read[i]);
	ask_send(s, text_to("c", "d", "x", NULL), &sent);
	wait_for(&sent.done);
	int done = 0, wrong = 0;
	uint64_t marked = 0;
	for (int i = 0; i < READS; i++)
		done += read[i].done;
	is_int(done, 0, "a send does not wait for three hundred reads of a long conversation");
	for (int i = 0; i < READS; i++) {
		wait_for(&read[i].done);
		wrong += read[i].r.status != STORE_OK || read[i].r.read_seq != UNREAD;
		marked += read[i].r.marked;
	}
	is_int(wrong, 0, "all of which are done");
	is_int((long long)marked, UNREAD, "and have marked each message once");
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_cut(enum cut how, const char *name)
{
	static int round;
	char one[16], other[16];
	snprintf(one, sizeof(one), "g%d", ++round);
	snprintf(other, sizeof(other), "h%d", round);
	uint64_t id = fill_conversation(s, one, other, ALL);
	wait_up(s);
	struct read_answer read;
	batches = 0;
	ask_read(s, other, id, UNREAD, &read);
	while (batches < 2)
		turn();
	cut_at = ";COMMIT";
	cut = how;
	wait_for(&read.done);
	ok(cut == CUT_NONE, "%s: the connection was cut in the middle", name);
	ok(read.r.status == STORE_OK && read.r.changed && read.r.marked == UNREAD && read.r.unread == REST,
	   "all is marked and told");
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_given_up(void)
{
	uint64_t id = fill_conversation(s, "i", "j", ALL);
	wait_up(s);
	struct read_answer read;
	batches = 0;
	ask_read(s, "j", id, UNREAD, &read);
	while (batches < 2)
		turn();
	cut_at = ";COMMIT";
	cut = CUT_BEFORE;
	proxy_closed = true;
	wait_for(&read.done);
	is_int(read.r.status, STORE_UNCERTAIN, "given up in the middle");
	proxy_closed = false;
	wait_for(&read.settled);
	is_int(read.r.status, STORE_UNAVAILABLE, "it goes no further");
	is_int(db_sql("SELECT user2_read_seq FROM conversations WHERE id=%llu", (unsigned long long)id),
	       (long long)read.r.up_to_seq, "how far it went is told");
	ok(read.r.changed && read.r.marked == read.r.up_to_seq && strcmp(read.r.peer, "i") == 0, "and to whom");
	is_int(db_wrong(), 0, "all counters are right");
	struct store_read again = do_read(s, "j", id, UNREAD);
	ok(again.status == STORE_OK && again.marked + read.r.marked == UNREAD, "a retry goes on from there");
}

int main(void)
{
	static const struct store_observer obs = {.batch = on_batch};
	proxied_store_begin(&obs);
	test_to_the_end();
	test_others_go_on();
	test_many_at_once();
	test_cut(CUT_AFTER, "committed");
	test_cut(CUT_BEFORE, "not committed");
	test_given_up();
	return proxied_store_end();
}
