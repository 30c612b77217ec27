/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides what is read of which worker, and when; whose operations go to which lane. */
#include "core/base.h"
#include "store/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "store/lane.h"
#include "store/route.h"
#include "store/writers.h"

/* More than two were no faster on two cores (doc/performance.md), and each is a connection. */
#define LANES 2
#define READ_SIZE ((size_t)64 * 1024)
#define KEEP ((size_t)256 * 1024)
/* A worker that does not read its answers is not read either beyond that. */
#define UNREAD_MAX ((size_t)4 * 1024 * 1024)

/* Rows of the outbox of which a worker has answers and has not said that others know, at most. */
#define ROWS_MAX 16384
#define ROWS_DROPPED 1024

/* Of a worker: the answers of one row of the outbox that it was given one after the other. */
struct given_row {
	struct lane *lane;
	uint64_t row;
	uint64_t last; /* the number of the last of these answers on its socket, from 1 */
	unsigned count;
};

/* A worker. */
struct client {
	LIST_ENTRY(client) entry;
	struct serve *serve;
	int fd;
	struct event *readable, *writable;
	struct buf in, out;
	LIST_HEAD(, asked) asked;
	unsigned open; /* of these: not told STORE_UNCERTAIN; the worker sees to it that it is at most WRITERS_WINDOW */
	bool reads;    /* the event is added */
	uint64_t answers;
	struct buf rows; /* of struct given_row, the oldest first */
};

/* An operation that is not answered. */
struct asked {
	LIST_ENTRY(asked) entry;
	struct serve *serve;
	struct client *client; /* NULL: it is gone */
	struct lane *lane;
	uint64_t number;
	enum wire_kind kind;
	bool told;
};

struct serve {
	struct event_base *base;
	struct lane *lane[LANES];
	const struct store_observer *obs;
	void *obs_ctx;
	LIST_HEAD(, client) clients;
	size_t client_count, pending;
	struct event *kick, *beat;
	bool ending;
};

/* ---- what others were told of ---- */

static struct given_row *given_rows(struct client *c, size_t *n_r)
{
	*n_r = c->rows.len / sizeof(struct given_row);
	return (struct given_row *)(void *)c->rows.data;
}

/* The worker is given an answer now. */
static void note_given(struct client *c, struct lane *lane, uint64_t row)
{
	size_t n;
	struct given_row *rows = given_rows(c, &n);
	c->answers++;
	if (row == 0)
		return;
	if (n != 0 && rows[n - 1].row == row && rows[n - 1].lane == lane) {
		rows[n - 1].last = c->answers;
		rows[n - 1].count++;
		return;
	}
	if (n == ROWS_MAX) {
		/* Many at a time: the others move. */
		for (size_t i = 0; i < ROWS_DROPPED; i++)
			lane_will_not_tell(rows[i].lane, rows[i].row);
		buf_consume(&c->rows, ROWS_DROPPED * sizeof(*rows));
	}
	const struct given_row given = {lane, row, c->answers, 1};
	buf_append(&c->rows, &given, sizeof(given));
}

static void take_told(struct client *c, const struct wire_told *told)
{
	size_t n, i;
	const struct given_row *rows = given_rows(c, &n);
	for (i = 0; i < n && rows[i].last <= told->answers; i++) {
		if (told->unsure)
			lane_will_not_tell(rows[i].lane, rows[i].row);
		else
			lane_told(rows[i].lane, rows[i].row, rows[i].count);
	}
	buf_consume(&c->rows, i * sizeof(*rows));
	buf_shrink(&c->rows, KEEP);
}

/* ---- answers ---- */

static void set_reading(struct client *c)
{
	bool reads = c->open < WRITERS_WINDOW && c->out.len < UNREAD_MAX;
	if (reads == c->reads)
		return;
	c->reads = reads;
	if (reads)
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
}

static void close_client(struct client *c)
{
	struct asked *a;
	while ((a = LIST_FIRST(&c->asked)) != NULL) {
		LIST_REMOVE(a, entry);
		a->client = NULL;
	}
	if (!c->serve->ending)
		take_told(c, &(struct wire_told){.answers = UINT64_MAX, .unsure = true});
	LIST_REMOVE(c, entry);
	c->serve->client_count--;
	event_free(c->readable);
	event_free(c->writable);
	close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->rows);
	free(c);
}

/* That it is gone is seen by reading. */
static void flush(struct client *c)
{
	size_t sent = 0;
	while (sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + sent, c->out.len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno == EAGAIN)
				event_add(c->writable, NULL);
			else
				sent = c->out.len;
			break;
		}
		sent += (size_t)n;
	}
	buf_consume(&c->out, sent);
	buf_shrink(&c->out, KEEP);
	set_reading(c);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	struct client *c;
	(void)fd;
	(void)what;
	LIST_FOREACH (c, &s->clients, entry)
		if (c->out.len > 0)
			flush(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void answer(struct asked *a, enum store_status status, const union wire_result *r)
{
	struct client *c = a->client;
	struct serve *s = a->serve;
	uint64_t row = lane_answering_row(a->lane);
	if (c == NULL)
		lane_will_not_tell(a->lane, row);
	if (c != NULL) {
		note_given(c, a->lane, row);
		wire_put_result(&c->out, (struct wire_head){.kind = (uint8_t)a->kind, .number = a->number}, r);
		c->open -= !a->told;
		if (!s->ending)
			event_active(s->kick, 0, 0);
	}
	a->told = true;
	if (status == STORE_UNCERTAIN)
		return;
	if (c != NULL)
		LIST_REMOVE(a, entry);
	s->pending--;
	free(a);
}

static void on_sent(const struct store_sent *r, void *arg)
{
	answer(arg, r->status, &(union wire_result){.sent = *r});
}

static void on_changed(const struct store_change *r, void *arg)
{
	answer(arg, r->status, &(union wire_result){.change = *r});
}

static void on_read(const struct lane_read *r, void *arg)
{
	answer(arg, r->r.status, &(union wire_result){.read = *r});
}

static void on_created(const struct lane_created *r, void *arg)
{
	answer(arg, r->status, &(union wire_result){.created = *r});
}

/* ---- what is asked ---- */

static void run(const union wire_args *p, enum lane_past past, struct asked *a)
{
	struct lane *l = a->lane;
	switch (a->kind) {
	case WIRE_SEND:
		lane_send(l, &p->send, past, on_sent, a);
		return;
	case WIRE_ACT:
		lane_act(l, &p->act, past, on_changed, a);
		return;
	case WIRE_READ:
		lane_read_conversation(l, p->read.user, p->read.conversation_id, p->read.up_to_seq, p->read.clears,
				       past, on_read, a);
		return;
	case WIRE_CREATE:
		lane_create(l, p->create.user, p->create.peer, p->create.source_kind, p->create.source_id, past,
			    on_created, a);
		return;
	case WIRE_STATE:
	case WIRE_TOLD:
		break;
	}
	log_panic(__FILE__, __LINE__, "an operation that is none");
}

/* -1: malformed. */
static int take_frame(struct client *c, const struct wire_head *head, struct str body)
{
	union wire_args args;
	struct wire_room room;
	if (head->kind == WIRE_TOLD) {
		struct wire_told told;
		if (wire_take_told(body, &told) != 0)
			return -1;
		take_told(c, &told);
		return 0;
	}
	if (wire_take_args((enum wire_kind)head->kind, body, &args, &room) != 0)
		return -1;
	struct asked *a = xmalloc(sizeof(*a));
	*a = (struct asked){.serve = c->serve,
			    .client = c,
			    .lane = c->serve->lane[route_lane(head->route, LANES)],
			    .number = head->number,
			    .kind = (enum wire_kind)head->kind,
			    .told = head->past == LANE_SETTLING};
	LIST_INSERT_HEAD(&c->asked, a, entry);
	c->open += !a->told;
	c->serve->pending++;
	run(&args, (enum lane_past)head->past, a);
	return 0;
}

static int take_frames(struct client *c)
{
	struct wire_head head;
	struct str body;
	size_t done = 0;
	int got;
	while ((got = wire_next((struct str){c->in.data, c->in.len}, &done, &head, &body)) > 0)
		if (take_frame(c, &head, body) != 0)
			return -1;
	buf_consume(&c->in, done);
	buf_shrink(&c->in, KEEP);
	return got;
}

/* Once a turn, so that workers take turns. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	(void)what;
	char *to = buf_reserve(&c->in, READ_SIZE);
	ssize_t n;
	do
		/* What one that has died had asked for comes after the news of its death. */
		n = recv(fd, to, READ_SIZE, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_client(c);
		return;
	}
	c->in.len += (size_t)n;
	if (take_frames(c) != 0) {
		log_error("store: a worker says what cannot be");
		close_client(c);
		return;
	}
	set_reading(c);
}

void serve_take(struct serve *s, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));
	c->serve = s;
	c->fd = fd;
	LIST_INIT(&c->asked);
	c->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(s->base, fd, EV_WRITE, on_writable, c);
	ASSERT(c->readable != NULL && c->writable != NULL);
	LIST_INSERT_HEAD(&s->clients, c, entry);
	s->client_count++;
	struct wire_state state = serve_state(s);
	wire_put_state(&c->out, &state);
	flush(c);
}

/* ---- how the database is ---- */

struct wire_state serve_state(const struct serve *s)
{
	struct wire_state state = {.up = true};
	for (int i = 0; i < LANES; i++) {
		state.up = state.up && lane_is_up(s->lane[i]);
		state.away = state.away || lane_is_away(s->lane[i]);
		state.read_only = state.read_only || lane_is_read_only(s->lane[i]);
	}
	return state;
}

static void tell_state(struct serve *s)
{
	struct client *c;
	struct wire_state state = serve_state(s);
	LIST_FOREACH (c, &s->clients, entry) {
		/* One that reads nothing learns it later. */
		if (c->out.len < UNREAD_MAX)
			wire_put_state(&c->out, &state);
		flush(c);
	}
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_state(arg);
}

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	struct serve *s = ctx;
	if (s->obs != NULL && s->obs->batch != NULL)
		s->obs->batch(ops, sends, usecs, s->obs_ctx);
}

static void on_retry(const char *why, void *ctx)
{
	struct serve *s = ctx;
	if (s->obs != NULL && s->obs->retry != NULL)
		s->obs->retry(why, s->obs_ctx);
}

static void on_guess(bool right, void *ctx)
{
	struct serve *s = ctx;
	if (s->obs != NULL && s->obs->guess != NULL)
		s->obs->guess(right, s->obs_ctx);
}

static void on_link(bool up, void *ctx)
{
	struct serve *s = ctx;
	if (s->ending)
		return;
	tell_state(s);
	if (s->obs != NULL && s->obs->link != NULL)
		s->obs->link(up, s->obs_ctx);
}

/* ---- from outside ---- */

struct serve *serve_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx)
{
	static const struct timeval every = {.tv_usec = SERVE_BEAT_MS * 1000};
	static const struct store_observer of_lanes = {
		.batch = on_batch, .retry = on_retry, .guess = on_guess, .link = on_link};
	struct serve *s = xcalloc(1, sizeof(*s));
	s->base = base;
	s->obs = obs;
	s->obs_ctx = ctx;
	LIST_INIT(&s->clients);
	s->kick = event_new(base, -1, 0, on_kick, s);
	s->beat = event_new(base, -1, EV_PERSIST, on_beat, s);
	ASSERT(s->kick != NULL && s->beat != NULL);
	event_add(s->beat, &every);
	for (int i = 0; i < LANES; i++)
		s->lane[i] = lane_new(base, conf, &of_lanes, s);
	return s;
}

void serve_free(struct serve **sp)
{
	struct serve *s = *sp;
	if (s == NULL)
		return;
	s->ending = true;
	for (int i = 0; i < LANES; i++)
		lane_free(&s->lane[i]);
	while (!LIST_EMPTY(&s->clients))
		close_client(LIST_FIRST(&s->clients));
	event_free(s->kick);
	event_free(s->beat);
	free(s);
	*sp = NULL;
}

bool serve_has_noted(const struct serve *s)
{
	for (int i = 0; i < LANES; i++)
		if (!lane_has_noted(s->lane[i]))
			return false;
	return true;
}

size_t serve_pending(const struct serve *s)
{
	return s->pending;
}

size_t serve_workers(const struct serve *s)
{
	return s->client_count;
}
