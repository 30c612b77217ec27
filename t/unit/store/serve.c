/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both halves of the writers, with a database: a store that hands its writes over a socket to lanes in the same
 * process. Every operation comes back as if its own lane had done it; a worker that floods the writer holds up no
 * other; what one that died had asked for is done; and one that says nonsense is not heard any more. What others were
 * told of is noted in the outbox, and nothing else.
 */
#include "core/base.h"
#include "store/serve.h"

#include "db.h"
#include "calls.h"
#include "lists.h"
#include "../tap.h"
#include "core/clock.h"
#include "store/outbox.h"
#include "store/people.h"
#include "store/writers.h"

#include <sys/socket.h>

enum { MANY = 12 * WRITERS_WINDOW };

static struct conf *c;
static struct serve *serve;

static void connect_to(struct store *s)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		db_die("no socket pair");
	serve_take(serve, pair[0]);
	store_take_writer(s, 0, pair[1]);
}

static struct store *worker_new(void)
{
	struct store *s = store_new_with_writers(base, c, NULL, NULL);
	connect_to(s);
	wait_up(s);
	return s;
}

/* ---- each operation ---- */

static void test_operations(void)
{
	struct store *s = worker_new();
	ok(store_is_up(s) && !store_refuses_writes(s) && !store_is_read_only(s), "the worker knows how the writer is");

	struct created_answer made = do_create(s, "alice", "bob");
	ok(made.status == STORE_OK && made.created, "create");
	uint64_t id = made.c.id;
	ok(id != 0 && strcmp(made.c.peer, "bob") == 0, "and what was made");
	made = do_create(s, "bob", "alice");
	ok(made.status == STORE_OK && !made.created && made.c.id == id, "it is there");
	made = do_create(s, "alice", "nobody");
	is_int(made.status, STORE_NOT_FRIENDS, "not with a stranger");
	made = do_create(s, "alice", "not a user id");
	is_int(made.status, STORE_NOT_FRIENDS, "nor with what is no user");

	struct sent_answer sent = do_text(s, "alice", "bob", "one", "key");
	ok(sent.status == STORE_OK && !sent.replayed, "send");
	ok(sent.m.id == message_id_make(id, 1) && str_is(sent.m.content, "one") &&
		   str_is(sent.m.client_msg_id, "key") && sent.m.created_ms != 0,
	   "the message as it is stored");
	uint64_t first = sent.m.id;
	sent = do_text(s, "alice", "bob", "one", "key");
	ok(sent.status == STORE_OK && sent.replayed && sent.m.id == first, "its repeat");
	sent = do_text(s, "alice", "bob", "two", "key");
	is_int(sent.status, STORE_REUSED, "another text under its key");
	sent = do_text(s, "alice", "bob", "two", NULL);
	ok(sent.status == STORE_OK && sent.m.client_msg_id.s == NULL, "one without a key shows none");
	uint64_t second = sent.m.id;
	sent = do_text(s, "alice", "nobody", "three", NULL);
	is_int(sent.status, STORE_NOT_FRIENDS, "none to a stranger");
	struct store_send in = text_in(GROUP_ID_MIN + 5, "alice", "four", NULL);
	ask_send(s, in, &sent);
	wait_for(&sent.done);
	is_int(sent.status, STORE_NOT_FOUND, "none to a group that is none");

	struct change_answer changed = do_change(ACT_READ, s, "bob", first);
	ok(changed.status == STORE_OK && changed.changed && changed.m.is_read, "read of a message");
	changed = do_change(ACT_RECALL, s, "alice", first);
	ok(changed.status == STORE_OK && changed.changed && changed.m.is_recalled && changed.m.content.s == NULL &&
		   changed.change_seq > 0,
	   "recall");
	changed = do_change(ACT_RECALL, s, "bob", second);
	is_int(changed.status, STORE_NOT_SENDER, "not of another's");
	changed = do_change(ACT_DELETE, s, "bob", second);
	ok(changed.status == STORE_OK && changed.changed, "delete");
	changed = do_change(ACT_DELETE, s, "bob", 77);
	is_int(changed.status, STORE_NOT_FOUND, "not of what is none");
	struct store_read read = do_read(s, "bob", id, UINT64_MAX);
	ok(read.status == STORE_OK && read.changed && read.read_seq == 2 && strcmp(read.peer, "alice") == 0,
	   "read of a conversation");
	read = do_read(s, "bob", 0, UINT64_MAX);
	is_int(read.status, STORE_NOT_FOUND, "not of none");
	is_int(store_pending(s), 0, "nothing is left");
	store_free(&s);
}

/* ---- a flood ---- */

struct flood {
	unsigned answered, done;
};

static void on_flood(const struct store_sent *r, void *arg)
{
	struct flood *f = arg;
	f->answered++;
	f->done += r->status == STORE_OK;
}

static void send_many(struct store *s, unsigned n, struct flood *f)
{
	const struct store_send p = text_to("alice", "bob", "flood", NULL);
	for (unsigned i = 0; i < n; i++)
		store_send(s, &p, on_flood, f);
}

static void test_flood(void)
{
	struct store *many = worker_new(), *one = worker_new();
	struct flood f = {0};
	struct sent_answer sent = {0};
	send_many(many, MANY, &f);
	/* The writer has all that it is given of it. */
	while (serve_pending(serve) < WRITERS_WINDOW)
		turn();
	is_int(serve_pending(serve), WRITERS_WINDOW, "a writer has at most WRITERS_WINDOW of one worker");
	ask_send(one, text_to("carol", "dave", "alone", NULL), &sent);
	wait_for(&sent.done);
	is_int(sent.status, STORE_OK, "another worker's one is stored");
	ok(f.answered <= MANY / 2, "and waits for little more than what was there before it (%u of %d)",
	   f.answered, MANY);
	while (f.answered < MANY)
		turn();
	is_int(f.done, MANY, "the flood is, too");
	store_free(&many);
	store_free(&one);
}

/* ---- deaths ---- */

static void test_worker_dies(void)
{
	struct store *s = worker_new();
	struct flood f = {0};
	long long before = db_sql("SELECT COUNT(*) FROM messages");
	send_many(s, 50, &f);
	while (serve_pending(serve) < 50)
		turn();
	store_free(&s);
	is_int(f.answered, 50, "a worker that ends answers everybody");
	is_int(f.done, 0, "though it knows of none what became of it");
	while (serve_pending(serve) > 0 || serve_workers(serve) > 0)
		turn();
	is_int(db_sql("SELECT COUNT(*) FROM messages") - before, 50, "its writer has done them all");
}

static void test_writer_dies(void)
{
	struct store *s = worker_new();
	struct flood f = {0};
	long long before = db_sql("SELECT COUNT(*) FROM messages");
	send_many(s, 900, &f);
	while (f.answered < 100)
		turn();
	/* In the middle of transactions. */
	serve_free(&serve);
	serve = serve_new(base, c, NULL, NULL);
	connect_to(s);
	while (f.answered < 900)
		turn();
	is_int(f.done, 900, "its successor has done what it had not");
	is_int(db_sql("SELECT COUNT(*) FROM messages") - before, 900, "each once");
	store_free(&s);
}

static void test_nonsense(void)
{
	struct store *s = worker_new();
	int pair[2];
	char byte, noise[64];
	memset(noise, 0xff, sizeof(noise));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		db_die("no socket pair");
	size_t workers = serve_workers(serve);
	serve_take(serve, pair[0]);
	is_int(serve_workers(serve), workers + 1, "one more");
	if (send(pair[1], noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
		db_die("cannot send");
	while (serve_workers(serve) > workers)
		turn();
	while (recv(pair[1], &byte, 1, 0) > 0)
		;
	is_int(recv(pair[1], &byte, 1, 0), 0, "that says nonsense is not heard any more");
	close(pair[1]);
	struct sent_answer sent = do_text(s, "alice", "bob", "still", NULL);
	is_int(sent.status, STORE_OK, "others are");
	store_free(&s);
}

/* ---- what others were told of ---- */

/* Rows of the outbox of which it is not noted that others were told. */
static long long untold(void)
{
	return db_sql("SELECT COUNT(*) FROM outbox o LEFT JOIN outbox_done d ON d.consumer='push' AND "
		      "d.stream=o.stream WHERE o.n>COALESCE(d.n,0)");
}

/* Some, so that the database is not asked after each. */
static void turns(void)
{
	event_base_loopexit(base, &(struct timeval){.tv_usec = 20000});
	loop_running = true;
	event_base_dispatch(base);
	loop_running = false;
}

static void forget_outbox(void)
{
	db_sql("DELETE FROM outbox");
	db_sql("DELETE FROM outbox_done");
}

static void tell(struct store *s)
{
	store_cut(s);
	while (!store_cut_is_called(s))
		turn();
	store_cut_is_told(s);
}

static void wait_untold(long long n, const char *what)
{
	while (untold() != n)
		turns();
	ok(true, "%s", what);
}

static void test_told(void)
{
	struct store *s = worker_new(), *other = worker_new();
	forget_outbox();
	ok(store_has_told(s), "at first nobody has to be told of anything");
	uint64_t id = do_text(s, "alice", "bob", "told", NULL).m.id;
	is_int(untold(), 1, "a message is in the outbox, and nobody is known to be told");
	ok(!store_has_told(s), "the worker knows that");
	tell(s);
	ok(store_has_told(s), "it says that others are");
	wait_untold(0, "which is noted");
	do_text(s, "alice", "nobody", "refused", NULL);
	do_change(ACT_RECALL, s, "bob", id);
	is_int(db_sql("SELECT COUNT(*) FROM outbox"), 1, "of what is refused nobody has to be told");
	do_change(ACT_READ, s, "bob", id);
	do_text(other, "carol", "dave", "by another worker", NULL);
	do_change(ACT_RECALL, s, "alice", id);
	do_change(ACT_DELETE, s, "alice", id);
	do_read(s, "bob", message_id_conversation(id), UINT64_MAX);
	long long all = untold();
	ok(all >= 4, "of each change somebody has");
	tell(other);
	tell(s);
	wait_untold(0, "all are noted");
	do_text(s, "alice", "bob", "in the cut", NULL);
	store_cut(s);
	do_text(s, "alice", "bob", "after it", NULL);
	store_cut_is_told(s);
	wait_untold(1, "what comes after a cut is not told with it");
	tell(s);
	wait_untold(0, "but with the next");
	store_free(&s);
	store_free(&other);
}

static void test_untold(void)
{
	struct store *s = worker_new(), *other = worker_new();
	forget_outbox();
	do_text(s, "alice", "bob", "told", NULL);
	tell(s);
	wait_untold(0, "a worker tells");
	do_text(s, "alice", "bob", "not told", NULL);
	store_free(&s);
	while (serve_workers(serve) > 1)
		turn();
	do_text(other, "alice", "bob", "told by another", NULL);
	tell(other);
	wait_untold(1, "what one that has ended did not tell is never noted, while others' is");
	is_int(db_sql("SELECT COUNT(DISTINCT stream) FROM outbox"), 2, "that is in another stream");
	/* One that is not sure. */
	forget_outbox();
	int pair[2];
	struct buf out = {0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		db_die("no socket pair");
	serve_take(serve, pair[0]);
	union wire_args args = {.send = text_to("carol", "dave", "unsure", "unsure")};
	wire_put_args(&out, (struct wire_head){.kind = WIRE_SEND, .number = 1}, &args);
	if (send(pair[1], out.data, out.len, 0) != (ssize_t)out.len)
		db_die("cannot send");
	while (untold() == 0)
		turns();
	while (serve_pending(serve) != 0)
		turn();
	buf_clear(&out);
	wire_put_told(&out, &(struct wire_told){.answers = 1, .unsure = true});
	if (send(pair[1], out.data, out.len, 0) != (ssize_t)out.len)
		db_die("cannot send");
	for (int i = 0; i < 3; i++)
		turns();
	do_text(other, "carol", "dave", "sure", NULL);
	tell(other);
	wait_untold(1, "what a worker is not sure of is not noted");
	close(pair[1]);
	buf_fini(&out);
	store_free(&other);
}

/* It goes in steps, and is given up in the middle: what it has done so far is told by its answer alone. */
static void test_half_a_read(void)
{
	struct store *s = worker_new(), *other = worker_new();
	struct read_answer read;
	uint64_t id = fill_conversation(s, "erin", "frank", 60000), from = 0;
	/* On a busy machine it may have come to its end before it is held up. */
	do {
		forget_outbox();
		ask_read(s, "frank", id, from += 10000, &read);
		while (db_sql("SELECT COUNT(*) FROM outbox") == 0)
			turn();
		db_sql("START TRANSACTION;SELECT id FROM conversations WHERE id=%llu FOR UPDATE",
		       (unsigned long long)id);
		wait_for(&read.done);
		db_sql("ROLLBACK");
	} while (read.r.status == STORE_OK && from < 50000);
	ok(read.r.status == STORE_UNAVAILABLE && read.r.changed && read.r.up_to_seq < from,
	   "one that is held up in the middle is given up");
	do_text(other, "erin", "frank", "told", NULL);
	tell(other);
	for (int64_t begun = clock_mono_ms(); clock_mono_ms() - begun < 2 * OUTBOX_SAVE_MS;)
		turns();
	ok(untold() >= 2, "while nobody is told how far it went, it is not noted");
	tell(s);
	wait_untold(0, "then it is");
	store_free(&s);
	store_free(&other);
}

static void on_noted(const struct store_notification *r, void *arg)
{
	answered(arg);
}

/* It cannot be noted: who waits for that would wait for the database. */
static void test_away(void)
{
	struct store *s = worker_new();
	const struct store_notify n = {.user = STR_LIT("alice"), .kind = STR_LIT("k")};
	bool done = false;
	do_text(s, "alice", "bob", "told", NULL);
	store_notify(s, &n, on_noted, &done);
	wait_for(&done);
	db_down(SIGKILL);
	tell(s);
	while (!serve_state(serve).away || !store_refuses_writes(s) || !store_has_told(s) || !serve_has_noted(serve))
		turn();
	ok(true, "while the database is away, nobody waits until what is told is noted");
	db_up();
	store_free(&s);
}

int main(void)
{
	db_start();
	c = db_conf("serve");
	db_migrate(c);
	c->writers = 1;
	db_befriend("alice", "bob");
	db_befriend("carol", "dave");
	base = event_base_new();
	serve = serve_new(base, c, NULL, NULL);
	test_operations();
	test_flood();
	test_worker_dies();
	test_writer_dies();
	test_nonsense();
	test_told();
	test_untold();
	test_half_a_read();
	is_int(db_wrong(), 0, "the counters are right");
	test_away();
	serve_free(&serve);
	event_base_free(base);
	conf_free(&c);
	arena_fini(&kept);
	return done_testing();
}
