/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link's life: idle -> connecting -> greeting -> up -> idle. Every end goes
 * through drop(), which has a reason and sets the timer of the next attempt. Each attempt looks the host up again, and
 * tries its addresses one after the other until one of them takes the link up.
 *
 * Silence is counted in ticks, not in time: a clock that is moved or a process
 * that was stopped must not look like a dead Redis.
 */
#include "core/base.h"
#include "bus/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/dial.h"
#include "core/clock.h"
#include "core/log.h"

#define TICK_SECS 1
#define SILENT_TICKS_MAX 3
/* While it connects to an address that others follow. */
#define SILENT_TICKS_MANY 2
/* Up for so long, a link that is lost is tried again as if it were the first time. */
#define STABLE_TICKS 2
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define READ_SIZE 65536
/* Reads in one turn, so that the others get theirs. */
#define READ_BUDGET 16
#define KEEP_BYTES 65536
/* How long a link that is freed may take to hand over what is queued. */
#define FAREWELL_MS 200

/* Our own commands. */
enum { OWN_AUTH = REDIS_OWN, OWN_NAME, OWN_FIRST_PING, OWN_PING };

enum link_state { LINK_IDLE, LINK_CONNECTING, LINK_GREETING, LINK_UP };

struct redis_link {
	const struct conf *conf;
	const char *name;
	const struct redis_link_events *ev;
	void *ctx;
	bool subscribes;
	enum link_state state;
	int fd;		   /* -1 when idle */
	struct dial *dial; /* NULL: the server's address is the path of a socket */
	struct event *readable, *writable, *flush, *tick, *retry;
	struct event_base *base;
	struct resp_reader *reader;
	struct buf out; /* from `written` on not written yet */
	size_t written;
	bool flush_queued;
	/* The purposes of the commands without an answer, in a ring of a power of two. */
	uint8_t *awaited;
	size_t awaited_at, awaited_count, awaited_cap;
	bool ping_awaited;
	unsigned silent_ticks, up_ticks;
	unsigned failures; /* in a row */
	char error[160];   /* the text of Redis' last error reply */
	char logged[160];  /* why it was down as the log has it; empty when up */
};

static void drop(struct redis_link *l, const char *reason);

/* ---- what is awaited ---- */

static void await(struct redis_link *l, unsigned purpose)
{
	if (l->awaited_count == l->awaited_cap) {
		size_t cap = l->awaited_cap != 0 ? l->awaited_cap * 2 : 64;
		uint8_t *ring = xmalloc(cap);
		for (size_t i = 0; i < l->awaited_count; i++)
			ring[i] = l->awaited[(l->awaited_at + i) & (l->awaited_cap - 1)];
		free(l->awaited);
		l->awaited = ring;
		l->awaited_cap = cap;
		l->awaited_at = 0;
	}
	l->awaited[(l->awaited_at + l->awaited_count++) & (l->awaited_cap - 1)] = (uint8_t)purpose;
}

static unsigned awaited_next(struct redis_link *l)
{
	unsigned purpose = l->awaited[l->awaited_at];
	l->awaited_at = (l->awaited_at + 1) & (l->awaited_cap - 1);
	l->awaited_count--;
	return purpose;
}

/* ---- writing ---- */

size_t redis_link_queued(const struct redis_link *l)
{
	return l->out.len - l->written;
}

static void queue_flush(struct redis_link *l)
{
	if (l->flush_queued || l->state < LINK_GREETING)
		return;
	l->flush_queued = true;
	/* Runs behind the events of this turn that are active already. */
	event_active(l->flush, EV_WRITE, 0);
}

void redis_link_send(struct redis_link *l, unsigned purpose, size_t argc, const struct str *argv)
{
	ASSERT(redis_link_takes(l));
	resp_command(&l->out, argc, argv);
	if (purpose != REDIS_PUSH)
		await(l, purpose);
	queue_flush(l);
}

static void send_ping(struct redis_link *l, unsigned purpose)
{
	l->ping_awaited = true;
	redis_link_send(l, purpose, 1, (struct str[]){STR_LIT("PING")});
}

static void write_out(struct redis_link *l)
{
	bool any = redis_link_queued(l) != 0;
	while (redis_link_queued(l) != 0) {
		ssize_t n = send(l->fd, l->out.data + l->written, redis_link_queued(l), MSG_NOSIGNAL);
		if (n >= 0) {
			l->written += (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			event_add(l->writable, NULL);
			/* What is written makes room now and then, not at each step. */
			if (l->written > l->out.len / 2) {
				buf_consume(&l->out, l->written);
				l->written = 0;
			}
			return;
		} else if (errno != EINTR) {
			drop(l, strerror(errno));
			return;
		}
	}
	l->written = 0;
	buf_clear(&l->out);
	buf_shrink(&l->out, KEEP_BYTES);
	if (any && l->state == LINK_UP)
		l->ev->written(l, l->ctx);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;
	l->flush_queued = false;
	if (l->state >= LINK_GREETING && !event_pending(l->writable, EV_WRITE, NULL))
		write_out(l);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;
	if (l->state == LINK_CONNECTING) {
		int err = 0;
		socklen_t len = sizeof(err);
		if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
			err = errno;
		if (err != 0) {
			drop(l, strerror(err));
			return;
		}
		l->state = LINK_GREETING;
		event_add(l->readable, NULL);
	}
	write_out(l);
}

/* ---- reading ---- */

/* The text of an error reply as a reason; it outlives the reply. */
static const char *error_reason(struct redis_link *l, const struct resp *reply)
{
	size_t len = reply->text.len < sizeof(l->error) ? reply->text.len : sizeof(l->error) - 1;
	memcpy(l->error, reply->text.s, len);
	l->error[len] = '\0';
	return l->error;
}

static bool is_pong(const struct resp *reply)
{
	return reply->type == RESP_ARRAY && reply->count == 2 && reply->item[0]->type == RESP_STRING &&
	       str_is(reply->item[0]->text, "pong");
}

/* NULL, or why the link has to be dropped. */
static const char *handle_reply(struct redis_link *l, const struct resp *reply)
{
	if (l->subscribes && reply->type == RESP_ARRAY && !is_pong(reply)) {
		if (l->state != LINK_UP)
			return "an answer before it was asked";
		return l->ev->reply(l, REDIS_PUSH, reply, l->ctx);
	}
	if (l->awaited_count == 0)
		return reply->type == RESP_ERROR ? error_reason(l, reply) : "an answer to nothing";
	unsigned purpose = awaited_next(l);
	if (purpose == OWN_NAME)
		return NULL;
	if (reply->type == RESP_ERROR)
		return error_reason(l, reply);
	if (purpose < REDIS_OWN)
		return l->ev->reply(l, purpose, reply, l->ctx); /* after OWN_FIRST_PING's: the link is up */
	if (purpose == OWN_PING || purpose == OWN_FIRST_PING)
		l->ping_awaited = false;
	if (purpose == OWN_FIRST_PING) {
		log_info("bus: link %s to Redis is up", l->name);
		l->state = LINK_UP;
		l->up_ticks = 0;
		l->logged[0] = '\0';
		if (l->dial != NULL)
			dial_worked(l->dial);
		l->ev->up(l, l->ctx);
	}
	return NULL;
}

static const char *take_in(struct redis_link *l, const char *data, size_t len)
{
	const char *err = NULL;
	struct resp *reply;
	l->silent_ticks = 0;
	if (resp_feed(l->reader, data, len, &err) != 0)
		return err;
	for (;;) {
		int rc = resp_next(l->reader, &reply, &err);
		if (rc <= 0)
			return rc < 0 ? err : NULL;
		err = handle_reply(l, reply);
		resp_free(reply);
		if (err != NULL)
			return err;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char data[READ_SIZE];
	struct redis_link *l = arg;
	for (int i = 0; i < READ_BUDGET; i++) {
		ssize_t n = recv(l->fd, data, sizeof(data), 0);
		const char *err = NULL;
		if (n > 0)
			err = take_in(l, data, (size_t)n);
		else if (n == 0)
			err = "closed by Redis";
		else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return;
		else
			err = strerror(errno);
		if (err != NULL) {
			drop(l, err);
			return;
		}
		if ((size_t)n < sizeof(data))
			return;
	}
}

/* ---- coming and going ---- */

static unsigned next_delay_ms(struct redis_link *l)
{
	unsigned delay = BACKOFF_MIN_MS, dice = 0;
	for (unsigned i = 0; i < l->failures && delay < BACKOFF_MAX_MS; i++)
		delay *= 2;
	if (delay > BACKOFF_MAX_MS)
		delay = BACKOFF_MAX_MS;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
		dice = (unsigned)getpid();
	return delay / 2 + dice % (delay / 2 + 1);
}

static void set_retry(struct redis_link *l, unsigned delay_ms)
{
	struct timeval delay = {delay_ms / 1000, (delay_ms % 1000) * 1000};
	event_add(l->retry, &delay);
}

static void close_fd(struct redis_link *l)
{
	event_free(l->readable);
	event_free(l->writable);
	l->readable = l->writable = NULL;
	close(l->fd);
	l->fd = -1;
}

static void drop(struct redis_link *l, const char *reason)
{
	char why[sizeof(l->error)];
	bool was_up = l->state == LINK_UP;
	snprintf(why, sizeof(why), "%s", reason);
	if (l->fd >= 0)
		close_fd(l);
	resp_reader_free(&l->reader);
	event_del(l->tick);
	buf_fini(&l->out);
	l->written = 0;
	free(l->awaited);
	l->awaited = NULL;
	l->awaited_at = l->awaited_count = l->awaited_cap = 0;
	l->ping_awaited = false;
	l->silent_ticks = 0;
	l->state = LINK_IDLE;
	if (was_up && l->up_ticks >= STABLE_TICKS)
		l->failures = 0;
	if (!was_up && l->dial != NULL && dial_has_more(l->dial)) {
		log_debug("bus: link %s to Redis: %s: %s", l->name, dial_text(l->dial), why);
		set_retry(l, 0);
	} else {
		if (strcmp(l->logged, why) != 0) {
			log_warn("bus: link %s to Redis is down: %s", l->name, why);
			memcpy(l->logged, why, sizeof(why));
		}
		set_retry(l, next_delay_ms(l));
		l->failures++;
	}
	/* Also between two addresses: what was queued meanwhile is lost. */
	l->ev->down(l, was_up, why, l->ctx);
}

static unsigned silent_ticks_max(const struct redis_link *l)
{
	bool many = l->state != LINK_UP && l->dial != NULL && dial_has_more(l->dial);
	return many ? SILENT_TICKS_MANY : SILENT_TICKS_MAX;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;
	l->up_ticks++;
	if (l->state == LINK_UP && !l->ping_awaited)
		send_ping(l, OWN_PING);
	else if (++l->silent_ticks >= silent_ticks_max(l))
		drop(l, "no answer");
}

/* The address of the socket file, or NULL with the length 0 where its path is too long. */
static const struct sockaddr *unix_address(const char *path, struct sockaddr_un *un, socklen_t *len_r)
{
	size_t len = strlen(path);
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len_r = 0;
	if (len >= sizeof(un->sun_path))
		return NULL;
	memcpy(un->sun_path, path, len + 1);
	*len_r = sizeof(*un);
	return (const struct sockaddr *)un;
}

static void queue_greeting(struct redis_link *l)
{
	if (l->conf->redis.password[0] != '\0')
		redis_link_send(l, OWN_AUTH, 2, (struct str[]){STR_LIT("AUTH"), str_from(l->conf->redis.password)});
	redis_link_send(l, OWN_NAME, 3, (struct str[]){STR_LIT("CLIENT"), STR_LIT("SETNAME"), str_from(l->name)});
	send_ping(l, OWN_FIRST_PING);
}

static void connect_to(struct redis_link *l, const struct sockaddr *address, socklen_t len)
{
	l->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		drop(l, strerror(errno));
		return;
	}
	l->readable = event_new(l->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	l->writable = event_new(l->base, l->fd, EV_WRITE, on_writable, l);
	ASSERT(l->readable != NULL && l->writable != NULL);
	if (address->sa_family != AF_UNIX)
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(l->fd, address, len) != 0 && errno != EINPROGRESS) {
		drop(l, strerror(errno));
		return;
	}
	l->state = LINK_CONNECTING;
	l->reader = resp_reader_new();
	queue_greeting(l);
	event_add(l->writable, NULL);
	event_add(l->tick, &(struct timeval){TICK_SECS, 0});
}

static void connect_next(struct redis_link *l)
{
	socklen_t len;
	dial_next(l->dial);
	const struct sockaddr *address = dial_address(l->dial, &len);
	connect_to(l, address, len);
}

static void on_dialed(struct dial *d, const char *error, void *ctx)
{
	struct redis_link *l = ctx;
	if (error != NULL)
		drop(l, error);
	else
		connect_next(l);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;
	if (l->dial != NULL && dial_has_more(l->dial)) {
		connect_next(l);
	} else if (l->dial != NULL) {
		dial_start(l->dial);
	} else {
		struct sockaddr_un un;
		socklen_t len;
		const struct sockaddr *address = unix_address(l->conf->redis.socket, &un, &len);
		if (address == NULL)
			drop(l, "redis.socket is too long a path");
		else
			connect_to(l, address, len);
	}
}

struct redis_link *redis_link_new(struct event_base *base, const struct conf *conf, const char *name, bool subscribes,
				  const struct redis_link_events *ev, void *ctx)
{
	struct redis_link *l = xcalloc(1, sizeof(*l));
	l->base = base;
	l->conf = conf;
	l->name = name;
	l->subscribes = subscribes;
	l->ev = ev;
	l->ctx = ctx;
	l->fd = -1;
	if (conf->redis.socket[0] == '\0')
		l->dial = dial_new(base, conf->redis.host, conf->redis.port, on_dialed, l);
	l->flush = event_new(base, -1, 0, on_flush, l);
	l->tick = event_new(base, -1, EV_PERSIST, on_tick, l);
	l->retry = event_new(base, -1, 0, on_retry, l);
	ASSERT(l->flush != NULL && l->tick != NULL && l->retry != NULL);
	set_retry(l, 0);
	return l;
}

/* Waits for the descriptor; false once the time is up. */
static bool wait_until(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left_ms = deadline_ms - clock_usecs() / 1000;
	return left_ms > 0 && poll(&p, 1, (int)left_ms) == 1;
}

/*
 * The last turn of the loop is over, so what was queued in it is written here. Redis ends the connection once it has
 * read all of it; closed before that, with answers unread, it might be reset.
 */
static void say_farewell(struct redis_link *l)
{
	char answers[4096];
	int64_t deadline_ms = clock_usecs() / 1000 + FAREWELL_MS;
	while (redis_link_queued(l) != 0) {
		ssize_t n = send(l->fd, l->out.data + l->written, redis_link_queued(l), MSG_NOSIGNAL);
		if (n >= 0)
			l->written += (size_t)n;
		else if (errno != EINTR && (errno != EAGAIN || !wait_until(l->fd, POLLOUT, deadline_ms)))
			return;
	}
	shutdown(l->fd, SHUT_WR);
	while (wait_until(l->fd, POLLIN, deadline_ms) && recv(l->fd, answers, sizeof(answers), 0) > 0)
		continue;
}

void redis_link_free(struct redis_link **lp)
{
	struct redis_link *l = *lp;
	if (l == NULL)
		return;
	if (l->state == LINK_UP && !l->subscribes)
		say_farewell(l);
	if (l->fd >= 0)
		close_fd(l);
	event_free(l->flush);
	event_free(l->tick);
	event_free(l->retry);
	dial_free(&l->dial);
	resp_reader_free(&l->reader);
	buf_fini(&l->out);
	free(l->awaited);
	free(l);
	*lp = NULL;
}

bool redis_link_is_up(const struct redis_link *l)
{
	return l->state == LINK_UP;
}

bool redis_link_takes(const struct redis_link *l)
{
	return l->state != LINK_IDLE;
}
