/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a conversation with many unread messages: what others send meanwhile does not wait for its end, no
 * transaction marks more than a bounded number, and what is told in the end is right, also when a connection is lost in
 * the middle.
 */
#include "core/base.h"
#include "store/store.h"

#include "calls.h"
#include "db.h"
#include "proxy.h"
#include "../tap.h"

enum { UNREAD = 10000 };

static struct store *s;
static unsigned batches;

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
}

/* A conversation with UNREAD messages from one to other. */
static uint64_t fill(const char *one, const char *other)
{
	db_befriend(one, other);
	uint64_t id = message_id_conversation(do_text(s, one, other, "first", NULL).m.id);
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "%llu<<28|seq,'%s','%s',0,'x',CONCAT('m',seq),UTC_TIMESTAMP(3) FROM seq_2_to_%d",
	       (unsigned long long)id, one, other, UNREAD);
	db_sql("UPDATE conversations SET "
	       "last_seq=%d,user1_unread=IF(user1_id='%s',%d,0),user2_unread=IF(user2_id='%s',%d,0),"
	       "user1_last_id=(id<<28)+%d,user2_last_id=(id<<28)+%d,last_message_time=(SELECT MAX(created_at) FROM "
	       "messages WHERE id>>28=%llu),sort_time=GREATEST(sort_time,last_message_time) WHERE id=%llu",
	       UNREAD, other, UNREAD, other, UNREAD, UNREAD, UNREAD, (unsigned long long)id, (unsigned long long)id);
	return id;
}

static void test_others_go_on(void)
{
	uint64_t id = fill("a", "b");
	db_befriend("c", "d");
	struct read_answer read;
	struct sent_answer sent, into;
	batches = 0;
	ask_read(s, "b", id, UINT64_MAX, &read);
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
	   "the read ends at what was the last message when it began");
	is_int((long long)read.r.marked, UNREAD, "has marked all up to it");
	is_int((long long)read.r.unread, 1, "and left the new one");
	ok(batches >= UNREAD / 2048, "in %u transactions", batches);
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_many_at_once(void)
{
	enum { READS = 300 };
	static struct read_answer read[READS];
	uint64_t id = fill("e", "f");
	struct sent_answer sent;
	for (int i = 0; i < READS; i++)
		ask_read(s, "f", id, UINT64_MAX, &read[i]);
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
	uint64_t id = fill(one, other);
	wait_up(s);
	struct read_answer read;
	batches = 0;
	ask_read(s, other, id, UINT64_MAX, &read);
	while (batches < 2)
		turn();
	cut_at = ";COMMIT";
	cut = how;
	wait_for(&read.done);
	ok(cut == CUT_NONE, "%s: the connection was cut in the middle", name);
	ok(read.r.status == STORE_OK && read.r.changed && read.r.marked == UNREAD && read.r.unread == 0,
	   "all is marked and told");
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_given_up(void)
{
	uint64_t id = fill("i", "j");
	wait_up(s);
	struct read_answer read;
	batches = 0;
	ask_read(s, "j", id, UINT64_MAX, &read);
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
	struct store_read again = do_read(s, "j", id, UINT64_MAX);
	ok(again.status == STORE_OK && again.marked + read.r.marked == UNREAD, "a retry goes on from there");
}

int main(void)
{
	static const struct store_observer obs = {.batch = on_batch};
	db_start();
	struct conf *proxied = db_conf("tidings");
	db_migrate(proxied);
	base = event_base_new();
	struct evconnlistener *proxy = proxy_new();
	db_set(&proxied->mysql.socket, proxy_socket);
	s = store_new(base, proxied, &obs, NULL);
	wait_up(s);
	test_others_go_on();
	test_many_at_once();
	test_cut(CUT_AFTER, "committed");
	test_cut(CUT_BEFORE, "not committed");
	test_given_up();
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	proxy_free(proxy);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&proxied);
	return done_testing();
}
