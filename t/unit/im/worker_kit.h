/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker as the server runs it, for the tests of its live layer: real loop, hub, sockets and Redis; the database is
 * away. Its clients are plain descriptors, and another worker of the cluster is two plain connections to Redis. Time is
 * moved by the test alone; what has to come is waited for.
 */
#ifndef TIDINGS_T_UNIT_IM_WORKER_KIT_H
#define TIDINGS_T_UNIT_IM_WORKER_KIT_H

#include "core/base.h"
#include "im/im_priv.h"

#include <poll.h>

#include "core/conf_table.h"
#include "hub/stats.h"
#include "live/beat.h"
#include "live/push.h"
#include "live/session.h"

#include "../bus/server.h"
#include "../hub/child.h"
#include "../live/clock_kit.h"
#include "../tap.h"

#define OURS "worker01"
#define OTHER "worker02"
#define SESSIONS_MAX 32

static struct loop *loop;
static struct hub *hub;
static struct conf *conf;
static struct im *im;
static struct live *live;
static struct server redis;

/* ---- time and turns ---- */

static inline void kit_nothing(struct loop_task *t)
{
}

static inline void turns(int n)
{
	static struct loop_task task = {.fn = kit_nothing};
	while (n-- > 0) {
		loop_defer(loop, &task);
		loop_turn(loop);
	}
}

/* The other worker has sent a heartbeat. */
static bool other_beats;

static inline void pass(int64_t ms)
{
	/* One that has no heartbeats in this test is not missed for it. */
	if (!other_beats)
		beat_bye_heard(live, STR_LIT(OTHER));
	for (int64_t end_ms = now_ms + ms; now_ms < end_ms; turns(2))
		wheel_pass(loop_wheel(loop), end_ms - now_ms < WHEEL_TICK_MS ? end_ms - now_ms : WHEEL_TICK_MS);
}

static inline int64_t real_ms(void)
{
	return now_ns() / 1000000;
}

/* Runs the loop until the condition holds; a test fails that waits for far too long. */
#define UNTIL(cond)                                                                                                    \
	do {                                                                                                           \
		int64_t end_ = real_ms() + 20000;                                                                      \
		bool met_;                                                                                             \
		while (!(met_ = (cond)) && real_ms() < end_) {                                                         \
			turns(1);                                                                                      \
			usleep(200);                                                                                   \
		}                                                                                                      \
		if (!met_)                                                                                             \
			ok(false, "waited in vain: %s", #cond);                                                        \
	} while (0)

/* ---- the worker ---- */

static inline void kit_set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

static inline void kit_closed(void *ctx)
{
}

static inline void kit_start(void)
{
	static char text[] = "jwt { secret = \"0123456789abcdef0123456789abcdef\" }\n"
			     "limits { sessions_per_second = 0 }\n"
			     "websocket { ping_interval = 3600 idle_timeout = 7200 }\n"
			     "log { level = error }\n";
	char *fault = NULL;
	const char *err = NULL;
	if (system("command -v redis-server > /dev/null") != 0) {
		printf("1..0 # SKIP no redis-server\n");
		exit(0);
	}
	if (log_open("/dev/null", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) != 0)
		exit(1);
	server_init(&redis);
	server_start(&redis, "");
	conf = conf_load_text("t.conf", text, sizeof(text) - 1, &fault);
	if (conf == NULL) {
		printf("Bail out! %s\n", fault);
		exit(1);
	}
	kit_set(&conf->redis.socket, redis.path);
	kit_set(&conf->redis.prefix, "");
	kit_set(&conf->mysql.socket, "/nonexistent/socket");
	hub = hub_for_test(2, SESSIONS_MAX, 64);
	stats_attach(hub, 0);
	loop = loop_new();
	struct im_options opt = {.loop = loop, .conf = conf, .hub = hub, .name = OURS, .changed = kit_closed};
	im = im_new(&opt, &fault);
	if (im == NULL) {
		printf("Bail out! %s\n", fault);
		exit(1);
	}
	live = &im->live;
	/* It reads once a second, which tests that count what is asked would see. */
	revoked_stop(live);
	UNTIL(bus_is_up(live->bus));
}

static inline void kit_stop(void)
{
	im_free(&im);
	loop_free(&loop);
	hub_free(&hub);
	conf_free(&conf);
	server_fini(&redis);
}

/* ---- another worker ---- */

static int other_says = -1, other_hears = -1;
static struct buf other_in;

static inline void other_write(int fd, size_t argc, const struct str *argv)
{
	struct buf b = {0};
	char head[32];
	buf_append(&b, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", argc));
	for (size_t i = 0; i < argc; i++) {
		buf_append(&b, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", argv[i].len));
		buf_append_str(&b, argv[i]);
		buf_append_str(&b, STR_LIT("\r\n"));
	}
	if (write(fd, b.data, b.len) != (ssize_t)b.len)
		exit(1);
	buf_fini(&b);
}

/* Reads what Redis has sent, up to the end of a line, which it takes; "" where there is none yet. */
static inline struct str other_line(size_t *at)
{
	char *from = other_in.data + *at, *end = other_in.len > *at ? memchr(from, '\n', other_in.len - *at) : NULL;
	if (end == NULL)
		return STR_LIT("");
	*at += (size_t)(end + 1 - from);
	return (struct str){from, (size_t)(end - from)};
}

/* Takes a message that the other worker has heard, "topic data"; NULL where none has come yet. */
static inline const char *other_take(void)
{
	static char text[4096];
	size_t at = 0, n = 0;
	struct str word[3];
	ssize_t got = recv(other_hears, buf_reserve(&other_in, 65536), 65536, MSG_DONTWAIT);
	if (got > 0)
		other_in.len += (size_t)got;
	if (other_line(&at).len == 0)
		return NULL;
	for (; n < 3; n++) {
		struct str len = other_line(&at);
		if (len.len == 0)
			return NULL;
		/* The answer to SUBSCRIBE ends with a number. */
		word[n] =
			len.s[0] == ':' ? STR_LIT("") : (struct str){other_in.data + at, strtoul(len.s + 1, NULL, 10)};
		if (len.s[0] != ':')
			at += word[n].len + 2;
		if (at > other_in.len)
			return NULL;
	}
	bool message = str_is(word[0], "message");
	snprintf(text, sizeof(text), "%s%.*s %.*s", message ? "" : "subscribed ", (int)word[1].len, word[1].s,
		 (int)word[2].len, word[2].s);
	buf_consume(&other_in, at);
	return text;
}

static inline const char *other_next(void)
{
	const char *text = NULL;
	UNTIL((text = other_take()) != NULL);
	return text != NULL ? text : "nothing";
}

/* The next message on that topic, past those on others. */
static inline const char *other_next_on(const char *topic)
{
	for (;;) {
		const char *text = other_next();
		size_t len = strlen(topic);
		if (strcmp(text, "nothing") == 0)
			return text;
		if (strncmp(text, topic, len) == 0 && text[len] == ' ')
			return text + len + 1;
	}
}

static inline void other_subscribe(const char *topic)
{
	if (other_hears < 0)
		other_hears = server_connect(&redis);
	other_write(other_hears, 2, (struct str[]){STR_LIT("SUBSCRIBE"), str_from(topic)});
	while (strncmp(other_next(), "subscribed", 10) != 0)
		;
}

/* Anything on a topic; Redis has it on return. */
static inline void other_publish(const char *topic, struct str data)
{
	char answer[64];
	other_beats = other_beats || (strcmp(topic, "all") == 0 && data.len != 0 && data.s[0] == BUS_BEAT);
	if (other_says < 0)
		other_says = server_connect(&redis);
	other_write(other_says, 3, (struct str[]){STR_LIT("PUBLISH"), str_from(topic), data});
	if (read(other_says, answer, sizeof(answer)) <= 0)
		exit(1);
}

/* A message of the other worker, in the form of the first version. */
static inline void other_says_text(const char *topic, char kind, const char *text)
{
	struct buf b = {0};
	buf_append_char(&b, kind);
	buf_append_str(&b, STR_LIT(OTHER));
	buf_append_str(&b, str_from(text));
	other_publish(topic, (struct str){b.data, b.len});
	buf_fini(&b);
}

static inline void other_leave(void)
{
	if (other_says >= 0)
		close(other_says);
	if (other_hears >= 0)
		close(other_hears);
	other_says = other_hears = -1;
	buf_clear(&other_in);
}

/* ---- clients ---- */

struct client {
	int fd;
	struct buf in;
	bool eof;
	char text[4096];
};

static inline bool client_read(struct client *c)
{
	ssize_t n = recv(c->fd, buf_reserve(&c->in, 65536), 65536, MSG_DONTWAIT);
	if (n > 0)
		c->in.len += (size_t)n;
	c->eof = c->eof || n == 0;
	return n > 0;
}

/* Sends the handshake; `query` as "?device=web", or "". */
static inline void client_connect(struct client *c, const char *user, int ttl_secs, const char *query)
{
	int fds[2];
	struct addr peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	int64_t expires_ms;
	const char *err = NULL;
	*c = (struct client){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		exit(1);
	c->fd = fds[1];
	im_accept(im, fds[0], IM_DOOR_PUBLIC, &peer);
	char *token = token_issue(im->api.keys, user, 0, NULL, ttl_secs, &expires_ms, &err);
	char *request =
		xasprintf("GET /messages/ws%s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			  "Sec-WebSocket-Version: 13\r\n\r\n",
			  query, token);
	if (write(c->fd, request, strlen(request)) < 0)
		exit(1);
	free(token);
	free(request);
}

/* The status of the answer to the handshake; what follows stays to be read. */
static inline int client_status(struct client *c)
{
	char *end = NULL;
	UNTIL((client_read(c), c->in.len != 0 && (end = strstr(buf_cstr(&c->in), "\r\n\r\n")) != NULL) || c->eof);
	if (end == NULL)
		return 0;
	int status = atoi(c->in.data + strlen("HTTP/1.1 "));
	buf_consume(&c->in, (size_t)(end + 4 - c->in.data));
	return status;
}

static inline void client_open(struct client *c, const char *user, const char *query)
{
	client_connect(c, user, 3600, query);
	int status = client_status(c);
	if (status != 101)
		ok(false, "a session of %s begins (%d)", user, status);
}

/* Takes a frame that has come: its text, or "close CODE"; NULL where none has. */
static inline const char *client_take(struct client *c)
{
	client_read(c);
	const unsigned char *d = (const unsigned char *)c->in.data;
	if (c->in.len < 2 || (d[1] == 126 && c->in.len < 4))
		return NULL;
	size_t head = d[1] == 126 ? 4 : 2, len = d[1] == 126 ? (size_t)d[2] << 8 | d[3] : d[1];
	if (c->in.len < head + len)
		return NULL;
	if ((d[0] & 0x0f) == WS_CLOSE)
		snprintf(c->text, sizeof(c->text), "close %d", len >= 2 ? d[head] << 8 | d[head + 1] : 0);
	else
		snprintf(c->text, sizeof(c->text), "%.*s", (int)len, c->in.data + head);
	buf_consume(&c->in, head + len);
	return c->text;
}

/* The next frame; "nothing" where none comes. */
static inline const char *client_next(struct client *c)
{
	const char *text = NULL;
	UNTIL((text = client_take(c)) != NULL || c->eof);
	return text != NULL ? text : "nothing";
}

static inline void client_send(struct client *c, const char *text)
{
	char head[6] = {(char)0x81, (char)(0x80 | strlen(text))};
	ASSERT(strlen(text) < 126);
	if (write(c->fd, head, sizeof(head)) < 0 || write(c->fd, text, strlen(text)) < 0)
		exit(1);
}

static inline void client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
}

static inline bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

/* A session that has had its hello. */
static inline void client_begin(struct client *c, const char *user, const char *query)
{
	client_open(c, user, query);
	const char *text = client_next(c);
	if (!has(text, "\"hello\""))
		ok(false, "hello (%s)", text);
}

/* What was sent to the session before is all taken: the next frame is the answer to a ping, that is, there was none. */
static inline const char *client_rest(struct client *c)
{
	client_send(c, "{\"type\":\"ping\"}");
	const char *text = client_next(c);
	return has(text, "\"pong\"") ? "" : text;
}

/* All that the other worker has said on the user's topic is heard, for this event behind it has come. */
static inline const char *client_after(struct client *c, const char *user)
{
	char topic[64];
	snprintf(topic, sizeof(topic), "u:%s", user);
	other_says_text(topic, 'E', "{\"type\":\"behind\"}");
	const char *text = client_next(c);
	return has(text, "\"behind\"") ? "" : text;
}

/* The user's sessions are gone altogether. */
static inline void user_end(const char *user)
{
	UNTIL(user_find(live, str_from(user)) == NULL);
	ok(user_find(live, str_from(user)) == NULL, "%s: all is forgotten", user);
}

#endif
