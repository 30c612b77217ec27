/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's side of the writers, with a writer that the test plays: what it is given and in which order, what it is
 * given again after a death, and what is answered where nobody answers.
 */
#include "core/base.h"
#include "store/writers.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../live/clock_kit.h"
#include "../tap.h"
#include "core/log.h"
#include "store/route.h"

static struct event_base *base;
static struct writers *w;

/* ---- what was asked, and answered ---- */

struct call {
	unsigned answers;
	enum store_status first, last;
	uint64_t id;
};

static void note(struct call *c, enum store_status status)
{
	if (c->answers++ == 0)
		c->first = status;
	c->last = status;
}

static void on_sent(const union wire_result *r, void *arg)
{
	struct call *c = arg;
	note(c, r->sent.status);
	c->id = r->sent.message != NULL ? r->sent.message->id : 0;
}

static void on_created(const union wire_result *r, void *arg)
{
	note(arg, r->created.status);
}

static unsigned lost;

static void on_writer_lost(void *ctx)
{
	(void)ctx;
	lost++;
}

static unsigned links;

static void on_link(bool up, void *ctx)
{
	(void)up;
	(void)ctx;
	links++;
}

static const struct store_observer observer = {.link = on_link, .writer_lost = on_writer_lost};

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The worker looks at what is late every 100 ms of real time. */
static void pass(int64_t ms)
{
	now_ms += ms;
	struct timeval after = {.tv_usec = 250000};
	event_base_loopexit(base, &after);
	event_base_dispatch(base);
}

static void send_text(struct call *c, const char *from, const char *to)
{
	union wire_args args = {.send = {.from = str_from(from),
					 .to = str_from(to),
					 .content = STR_LIT("text"),
					 .client_msg_id = STR_LIT("id")}};
	*c = (struct call){0};
	writers_submit(w, WIRE_SEND, &args, (struct str[2]){args.send.from, args.send.to}, 0, on_sent, c);
}

static void create(struct call *c, const char *user, const char *peer)
{
	union wire_args args = {.create = {.user = str_from(user), .peer = str_from(peer)}};
	*c = (struct call){0};
	writers_submit(w, WIRE_CREATE, &args, (struct str[2]){args.create.user, args.create.peer}, 0, on_created, c);
}

/* ---- the writer ---- */

struct played {
	int fd;
	struct buf in, out;
	size_t at;
};

static struct played begin(unsigned index)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		exit(1);
	writers_take(w, index, pair[0]);
	return (struct played){.fd = pair[1]};
}

static void end(struct played *p)
{
	close(p->fd);
	buf_fini(&p->in);
	buf_fini(&p->out);
	p->fd = -1;
	turn();
}

/* The next that the writer was given; false: there is none. */
static bool given_body(struct played *p, struct wire_head *head, struct str *body)
{
	turn();
	for (;;) {
		char *to = buf_reserve(&p->in, 65536);
		ssize_t n = recv(p->fd, to, 65536, 0);
		if (n <= 0)
			break;
		p->in.len += (size_t)n;
		turn();
	}
	return wire_next((struct str){p->in.data, p->in.len}, &p->at, head, body) == 1;
}

static bool given(struct played *p, struct wire_head *head)
{
	struct str body;
	return given_body(p, head, &body);
}

static void flush(struct played *p)
{
	size_t at = 0;
	while (at < p->out.len) {
		ssize_t n = send(p->fd, p->out.data + at, p->out.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			exit(1);
		at += n > 0 ? (size_t)n : 0;
		turn();
	}
	buf_clear(&p->out);
	turn();
}

static void answer(struct played *p, const struct wire_head *head, enum store_status status, uint64_t id)
{
	struct message m = {.id = id};
	union wire_result r = {.sent = {.status = status, .message = status == STORE_OK ? &m : NULL}};
	if (head->kind == WIRE_CREATE)
		r = (union wire_result){.created = {.status = status}};
	wire_put_result(&p->out, (struct wire_head){.kind = head->kind, .number = head->number}, &r);
	flush(p);
}

static void say_state(struct played *p, bool up, bool away)
{
	wire_put_state(&p->out, &(struct wire_state){.up = up, .away = away});
	flush(p);
}

/* ---- tests ---- */

static void test_answers(struct played *p)
{
	struct wire_head head[3];
	struct call c[3];
	for (int i = 0; i < 3; i++)
		send_text(&c[i], "alice", i == 1 ? "carol" : "bob");
	is_int(c[0].answers, 0, "nothing is answered at once");
	for (int i = 0; i < 3; i++)
		ok(given(p, &head[i]) && head[i].kind == WIRE_SEND && head[i].past == LANE_FRESH, "%d. send arrives",
		   i + 1);
	ok(head[0].number < head[1].number && head[1].number < head[2].number, "in order");
	is_int(head[2].route, head[0].route, "those of one pair take one way");
	answer(p, &head[1], STORE_NOT_FRIENDS, 0);
	answer(p, &head[0], STORE_OK, message_id_make(40, 1));
	ok(c[1].answers == 1 && c[1].last == STORE_NOT_FRIENDS, "answers come in another order");
	ok(c[0].answers == 1 && c[0].id == message_id_make(40, 1), "with what they say");
	send_text(&c[0], "bob", "alice");
	ok(given(p, &head[0]) && head[0].route == head[2].route, "one that follows takes the same way");
	answer(p, &head[2], STORE_OK, message_id_make(40, 2));
	answer(p, &head[0], STORE_OK, message_id_make(40, 3));
	answer(p, &head[0], STORE_OK, message_id_make(40, 4));
	is_int(c[0].answers, 1, "a second answer is nobody's");
	send_text(&c[0], "alice", "bob");
	ok(given(p, &head[0]) && head[0].route == route_by_id(40), "now that their conversation is known, by its id");
	answer(p, &head[0], STORE_UNCERTAIN, 0);
	is_int(c[0].last, STORE_UNCERTAIN, "an uncertain one");
	answer(p, &head[0], STORE_OK, message_id_make(40, 5));
	ok(c[0].answers == 2 && c[0].last == STORE_OK, "is answered again");
}

static void test_window(struct played *p)
{
	enum { MORE = 20 };
	static struct call c[WRITERS_WINDOW + MORE];
	static struct wire_head head[WRITERS_WINDOW + MORE];
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		send_text(&c[i], "alice", "bob");
	while (n < ARRAY_LEN(head) && given(p, &head[n]))
		n++;
	is_int(n, WRITERS_WINDOW, "a writer is given WRITERS_WINDOW at a time");
	for (unsigned i = 0; i < MORE; i++)
		answer(p, &head[i], STORE_OK, message_id_make(40, 6));
	while (n < ARRAY_LEN(head) && given(p, &head[n]))
		n++;
	is_int(n, ARRAY_LEN(head), "and as many more as it has answered");

	/* It dies with all of these. */
	end(p);
	struct call later;
	send_text(&later, "alice", "bob");
	*p = begin(0);
	unsigned in_place = 0;
	struct wire_head again;
	for (unsigned i = MORE; i < ARRAY_LEN(c) && given(p, &again); i++) {
		in_place += again.number == head[i].number && again.past == LANE_INHERITED;
		answer(p, &again, STORE_OK, message_id_make(40, 7));
	}
	is_int(in_place, WRITERS_WINDOW, "its successor is given them again, in their order, as inherited");
	ok(given(p, &again) && again.past == LANE_FRESH, "and then what came later, as new");
	answer(p, &again, STORE_OK, message_id_make(40, 8));
	unsigned once = 0;
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		once += c[i].answers == 1 && c[i].last == STORE_OK;
	is_int(once, ARRAY_LEN(c), "all are answered once");
	is_int(writers_pending(w), 0, "and nothing is left");
}

static void test_answer_before_death(struct played *p)
{
	struct wire_head head;
	struct call c;
	send_text(&c, "alice", "bob");
	ok(given(p, &head), "one more");
	struct message m = {.id = message_id_make(40, 9)};
	union wire_result r = {.sent = {.status = STORE_OK, .message = &m}};
	wire_put_result(&p->out, (struct wire_head){.kind = WIRE_SEND, .number = head.number}, &r);
	if (send(p->fd, p->out.data, p->out.len, 0) != (ssize_t)p->out.len)
		exit(1);
	/* Its successor is there before its end is seen. */
	struct played next = begin(0);
	ok(c.answers == 1 && c.last == STORE_OK, "an answer that was said before the death counts");
	end(p);
	*p = next;
	ok(!given(p, &head), "and the operation is not given again");
}

static void test_missing(struct played *p)
{
	struct wire_head head;
	struct call had, made, waits;
	say_state(p, true, false);
	ok(writers_are_up(w), "up");
	send_text(&had, "alice", "bob");
	create(&made, "alice", "bob");
	ok(given(p, &head) && given(p, &head), "two that it has");
	end(p);
	ok(!writers_are_up(w) && !writers_are_away(w), "missing for a moment: not up, and not away");
	send_text(&waits, "alice", "bob");
	pass(2900);
	is_int(had.answers + made.answers + waits.answers, 0, "they wait");
	pass(200);
	is_int(had.last, STORE_UNCERTAIN, "then the one that others are told of is uncertain");
	is_int(made.last, STORE_UNAVAILABLE, "one that concerns its asker alone is given up");
	is_int(waits.last, STORE_UNAVAILABLE, "and so is one that nobody has seen");
	ok(writers_are_away(w), "now it is away");
	send_text(&waits, "alice", "bob");
	is_int(waits.answers, 0, "what comes now is not refused at once");
	turn();
	is_int(waits.last, STORE_UNAVAILABLE, "but in the next turn");
	*p = begin(0);
	ok(given(p, &head) && head.past == LANE_SETTLING, "the successor finds out about the uncertain one");
	ok(!given(p, &head), "and about no other");
	struct wire_head first = head;
	answer(p, &first, STORE_UNAVAILABLE, 0);
	ok(had.answers == 2 && had.last == STORE_UNAVAILABLE && made.answers == 1, "which is answered again");
}

static void test_replaced(struct played *p)
{
	say_state(p, true, false);
	unsigned before = links;
	end(p);
	*p = begin(0);
	say_state(p, false, false);
	say_state(p, true, false);
	is_int(links, before, "a successor that connects to the database has not lost it");
	say_state(p, false, false);
	is_int(links, before + 1, "as one has that was connected");
}

static void test_silent(struct played *p)
{
	struct wire_head head;
	struct call c;
	say_state(p, true, false);
	send_text(&c, "alice", "bob");
	ok(given(p, &head), "one that it has");
	for (int i = 0; i < 4; i++) {
		pass(1000);
		say_state(p, true, false);
	}
	is_int(c.answers, 0, "while the writer is heard of it is waited for");
	pass(3100);
	is_int(c.last, STORE_UNCERTAIN, "not when it falls silent");
	answer(p, &head, STORE_OK, message_id_make(40, 10));
	ok(c.answers == 2 && c.last == STORE_OK, "its answer is told all the same");
	say_state(p, false, true);
	send_text(&c, "alice", "bob");
	turn();
	ok(c.last == STORE_UNAVAILABLE && writers_are_away(w), "a writer without a database is asked nothing");
	say_state(p, true, false);
}

static void test_malformed(struct played *p)
{
	struct wire_head head;
	struct call c;
	unsigned before = lost;
	send_text(&c, "alice", "bob");
	ok(given(p, &head), "one that it has");
	wire_put_body(&p->out, (struct wire_head){.kind = WIRE_SEND, .number = head.number}, STR_LIT("nonsense"));
	flush(p);
	is_int(c.answers, 0, "what is malformed is no answer");
	is_int(writers_missing(w), 1, "the socket is closed, so the writer is missing");
	is_int(lost, before + 1, "which the process is told");
	end(p);
	*p = begin(0);
	is_int(writers_missing(w), 0, "until there is another socket");
	ok(given(p, &head) && head.past == LANE_INHERITED, "and ends the connection: another one is asked");
	answer(p, &head, STORE_OK, message_id_make(40, 11));
	is_int(c.last, STORE_OK, "which answers");
}

/* What ends every writer that has it does not end all that will come. */
static void test_deadly(struct played *p)
{
	struct wire_head head;
	struct call c, with;
	send_text(&c, "alice", "bob");
	int writers = 0;
	while (c.answers == 0 && writers < 20 && given(p, &head)) {
		end(p);
		*p = begin(0);
		writers++;
		if (writers == 4)
			send_text(&with, "alice", "bob");
	}
	is_int(writers, 5, "an operation that writers end with is given to five and no more");
	ok(c.answers == 1 && c.last == STORE_UNKNOWN, "then it is given up, and nobody knows what became of it");
	end(p);
	*p = begin(0);
	ok(given(p, &head) && head.past == LANE_INHERITED, "what one writer ended with is given to the next");
	answer(p, &head, STORE_OK, message_id_make(40, 12));
	ok(with.answers == 1 && with.last == STORE_OK, "and carried out");
}

/* What the writer is told when all answers so far are told to others. */
static struct wire_told cut(struct played *p)
{
	struct wire_head head;
	struct str body;
	struct wire_told told = {0};
	writers_cut(w);
	writers_told(w);
	if (!given_body(p, &head, &body) || head.kind != WIRE_TOLD || wire_take_told(body, &told) != 0)
		ok(false, "the writer is told");
	return told;
}

static void test_told(struct played *p)
{
	struct wire_head head;
	struct call c;
	uint64_t before = cut(p).answers;
	send_text(&c, "alice", "bob");
	ok(given(p, &head), "the writer has one");
	answer(p, &head, STORE_OK, message_id_make(40, 13));
	struct wire_told told = cut(p);
	ok(told.answers == before + 1 && !told.unsure, "it hears that others were told of its answer");
	/* To a read that went a part of its way, and is not waited for any more. */
	union wire_result r = {.read.r = {.status = STORE_UNAVAILABLE, .changed = true}};
	wire_put_result(&p->out, (struct wire_head){.kind = WIRE_READ, .number = 1}, &r);
	flush(p);
	told = cut(p);
	ok(told.answers == before + 2 && told.unsure, "and that nobody was told of one that came too late");
}

static void test_too_many(struct played *p)
{
	enum { MANY = 8192 };
	static struct call c[MANY + 2];
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		send_text(&c[i], "alice", "bob");
	turn();
	is_int(c[MANY - 1].answers, 0, "the others wait");
	is_int(c[MANY].last, STORE_OVERLOADED, "the next one is refused");
	is_int(c[MANY + 1].last, STORE_OVERLOADED, "and the one after it");
	struct wire_head head;
	ok(given(p, &head), "the writer has some");
	writers_free(&w);
	unsigned unknown = 0, unavailable = 0;
	for (unsigned i = 0; i < MANY; i++) {
		unknown += c[i].answers == 1 && c[i].last == STORE_UNKNOWN;
		unavailable += c[i].answers == 1 && c[i].last == STORE_UNAVAILABLE;
	}
	is_int(unknown, WRITERS_WINDOW, "at the end nobody knows what became of those that it has");
	is_int(unavailable, MANY - WRITERS_WINDOW, "and nothing of the others");
}

int main(void)
{
	const char *reason;
	if (log_open("/dev/null", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &reason) != 0)
		exit(1);
	base = event_base_new();
	w = writers_new(base, 1, &observer, NULL);
	struct played p = begin(0);
	test_answers(&p);
	test_window(&p);
	test_answer_before_death(&p);
	test_missing(&p);
	test_replaced(&p);
	test_silent(&p);
	test_malformed(&p);
	test_deadly(&p);
	test_told(&p);
	test_too_many(&p);
	end(&p);
	event_base_free(base);
	return done_testing();
}
