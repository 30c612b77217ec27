/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket to one writer: bytes in and out, and its end. */
#include "core/base.h"
#include "store/writers_priv.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

#define READ_SIZE ((size_t)64 * 1024)
#define KEEP ((size_t)256 * 1024)
/* What a turn of the loop reads of one writer. */
#define READS_A_TURN 4

static void lose(struct writer *at, const char *why)
{
	if (at->fd < 0)
		return;
	if (!at->all->ending)
		log_info("store: writer %u: %s", (unsigned)(at - at->all->writer), why);
	event_free(at->readable);
	event_free(at->writable);
	close(at->fd);
	at->readable = at->writable = NULL;
	at->fd = -1;
	buf_fini(&at->in);
	buf_fini(&at->out);
	at->answers = at->cut = at->told = 0;
	at->unsure = at->cut_unsure = false;
	writers_lost(at->all, at);
}

/* -1: malformed. */
static int take_frame(struct writer *at, const struct wire_head *head, struct str body)
{
	union wire_result result;
	struct wire_room room;
	if (head->kind == WIRE_STATE) {
		if (wire_take_state(body, &at->state) != 0)
			return -1;
		at->was_known |= at->state.up || at->state.away || at->state.read_only;
		writers_note_state(at->all);
		return 0;
	}
	if (wire_take_result((enum wire_kind)head->kind, body, &result, &room) != 0)
		return -1;
	at->answers++;
	writers_answered(at->all, at, head->number, (enum wire_kind)head->kind, &result);
	return 0;
}

static int take_frames(struct writer *at)
{
	struct wire_head head;
	struct str body;
	size_t done = 0;
	int got;
	while ((got = wire_next((struct str){at->in.data, at->in.len}, &done, &head, &body)) > 0)
		if (take_frame(at, &head, body) != 0)
			return -1;
	buf_consume(&at->in, done);
	buf_shrink(&at->in, KEEP);
	return got;
}

/* How many bytes were read; 0: nothing is there; -1: it has ended. */
static ssize_t read_once(struct writer *at)
{
	char *to = buf_reserve(&at->in, READ_SIZE);
	ssize_t n;
	do
		/* One that has died with operations unread: the system says so first, and then gives what it had said.
		 */
		n = recv(at->fd, to, READ_SIZE, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		lose(at, n == 0 ? "it has gone" : strerror(errno));
		return -1;
	}
	at->heard_ms = clock_mono_ms();
	at->in.len += (size_t)n;
	if (take_frames(at) != 0) {
		log_error("store: a writer says what cannot be");
		lose(at, "its socket is closed");
		return -1;
	}
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct writer *at = arg;
	(void)fd;
	(void)what;
	/* Fewer than were asked for: that was all. */
	for (int i = 0; i < READS_A_TURN && read_once(at) == (ssize_t)READ_SIZE; i++)
		;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	writer_flush(arg);
}

void writer_flush(struct writer *at)
{
	while (at->fd >= 0 && at->out.len > 0) {
		ssize_t n = send(at->fd, at->out.data, at->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* Where it has gone: what it has said is read before its end. */
			if (errno == EAGAIN)
				event_add(at->writable, NULL);
			return;
		}
		buf_consume(&at->out, (size_t)n);
	}
	buf_shrink(&at->out, KEEP);
}

void writer_init(struct writer *at, struct writers *w)
{
	*at = (struct writer){.all = w, .fd = -1, .missing_since_ms = clock_mono_ms()};
	TAILQ_INIT(&at->waiting);
	TAILQ_INIT(&at->given);
}

void writer_fini(struct writer *at)
{
	lose(at, "closed");
}

void writer_take(struct writer *at, int fd)
{
	/* What the old one has answered counts. It is bounded by what it was given. */
	ssize_t got = at->fd >= 0 ? 1 : -1;
	while (got > 0)
		got = read_once(at);
	if (got == 0)
		lose(at, "another takes its place");
	at->heard_ms = clock_mono_ms();
	at->fd = fd;
	at->readable = event_new(at->all->base, fd, EV_READ | EV_PERSIST, on_readable, at);
	at->writable = event_new(at->all->base, fd, EV_WRITE, on_writable, at);
	ASSERT(at->readable != NULL && at->writable != NULL);
	event_add(at->readable, NULL);
}
