/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages as if from other workers of the cluster, to one with a session that watches somebody and whose user is in a
 * group, while it asks another node what became of a message. Each line is one: u, p, c, a or w in front say on which
 * topic (u:alice, p:bob, the group's, all, its own), t that time passes instead, and each $ is the session's id, each &
 * a line feed.
 */
#include "core/base.h"
#include "im/im_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/live/clock_kit.h"
#include "core/conf_table.h"
#include "core/trace.h"
#include "live/beat.h"
#include "live/group_priv.h"
#include "live/look.h"
#include "live/push.h"
#include "live/session.h"
#include "live/tracing.h"
#include "live/watch_priv.h"

#define REMOTES_MAX 512
#define GROUP (GROUP_ID_MIN + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct im *im;
static struct live *live;

/* ---- the bus: t/fuzz/resp.c has the real one ---- */

static bus_count_fn *asked_fn;
static void *asked_arg;
static size_t asked_n;

struct bus *bus_new(struct event_base *base, const struct conf *conf, const struct bus_events *ev, void *ctx)
{
	return NULL;
}

void bus_free(struct bus **b)
{
}

bool bus_is_up(const struct bus *b)
{
	return true;
}

bool bus_has_lost(const struct bus *b)
{
	return false;
}

void bus_subscribe(struct bus *b, struct str topic)
{
}

void bus_unsubscribe(struct bus *b, struct str topic)
{
}

bool bus_is_subscribed(const struct bus *b, struct str topic)
{
	return true;
}

/* Of a group that is open; in open_topics. */
struct bus_topic {
	uint64_t id;
	void *owner;
};
static struct table open_topics;

static struct str open_topic_key(const void *item)
{
	return (struct str){(const char *)&((const struct bus_topic *)item)->id, sizeof(uint64_t)};
}

struct bus_topic *bus_group_open(struct bus *b, uint64_t id, void *owner)
{
	struct bus_topic *t = xcalloc(1, sizeof(*t));
	*t = (struct bus_topic){id, owner};
	table_add(&open_topics, t);
	return t;
}

void bus_group_close(struct bus *b, struct bus_topic *t)
{
	table_remove(&open_topics, t);
	free(t);
}

void *bus_group_owner(const struct bus *b, uint64_t id)
{
	const struct bus_topic *t = table_find(&open_topics, (struct str){(const char *)&id, sizeof(id)});
	return t != NULL ? t->owner : NULL;
}

bool bus_topic_is_subscribed(const struct bus_topic *t)
{
	return true;
}

bool bus_publish(struct bus *b, struct str topic, struct str data)
{
	return topic.len != 0 && data.len != 0;
}

uint64_t bus_position(const struct bus *b)
{
	return 0;
}

uint64_t bus_settled(const struct bus *b)
{
	return 0;
}

void bus_count(struct bus *b, const struct str *topics, size_t n, bus_count_fn *fn, void *arg)
{
	asked_fn = fn;
	asked_arg = arg;
	asked_n = n;
}

void bus_count_cancel(struct bus *b, void *arg)
{
	asked_fn = NULL;
}

static void answer(void)
{
	static uint32_t counts[BUS_COUNT_CHUNK];
	bus_count_fn *fn = asked_fn;
	asked_fn = NULL;
	counts[0] ^= 1;
	if (fn != NULL)
		fn(counts, asked_n, asked_arg);
}

/* ---- */

static void do_nothing(struct loop_task *t)
{
}

static void turns(int n)
{
	static struct loop_task task = {.fn = do_nothing};
	while (n-- > 0) {
		loop_defer(loop, &task);
		loop_turn(loop);
	}
}

static void on_closed(void *ctx)
{
}

static void prepare(void)
{
	static char text[] = "jwt { secret = \"0123456789abcdef0123456789abcdef\" }\n"
			     "mysql { socket = \"/nonexistent/socket\" }\n"
			     "session { policy = multi max = 2 }\n"
			     "limits { sessions_per_second = 0 }\n";
	const char *err = NULL;
	char *fault = NULL;
	table_init(&open_topics, open_topic_key);
	if (log_open("/dev/null", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) != 0)
		abort();
	struct hub *hub = hub_new(&(struct hub_size){1, 16, 16}, &err);
	struct conf *conf = conf_load_text("t.conf", text, sizeof(text) - 1, &fault);
	if (hub == NULL || conf == NULL)
		abort();
	loop = loop_new();
	struct im_options opt = {.loop = loop, .conf = conf, .hub = hub, .name = "worker01", .changed = on_closed};
	im = im_new(&opt, &fault);
	if (im == NULL)
		abort();
	live = &im->live;
}

static void hear(const char *id, char kind, struct str line);
static unsigned traced;

static void on_traced(const struct trace_found *found, bool all, void *arg)
{
	size_t n;
	free(trace_notes(found, &n));
	traced++;
}

/* The first question of this worker, to a node with that hub. */
static void ask_trace(void)
{
	hear("", 'a', STR_LIT("Hworker021 2 1 1 worker02 hub00002 n2"));
	live->tracing.number = 0;
	if (!tracing_find(live, 7, on_traced, NULL))
		abort();
}

/* A session of alice's, which follows bob; returns its client. */
static int begin(void)
{
	static char request[2048];
	struct addr peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	int fds[2];
	int64_t expires_ms;
	const char *err;
	if (request[0] == '\0') {
		char *token = token_issue(im->api.keys, "alice", 0, NULL, 1 << 30, &expires_ms, &err);
		snprintf(request, sizeof(request),
			 "GET /messages/ws HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			 "Sec-WebSocket-Version: 13\r\n\r\n",
			 token);
		free(token);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		abort();
	im_accept(im, fds[0], IM_DOOR_PUBLIC, &peer);
	if (write(fds[1], request, strlen(request)) < 0)
		abort();
	/* The first one finds out that the database is away. */
	for (int i = 0; i < 5000 && (LIST_EMPTY(&live->sessions) || !LIST_FIRST(&live->sessions)->greeted); i++) {
		turns(1);
		if (i > 10)
			usleep(1000);
	}
	if (LIST_EMPTY(&live->sessions) || !LIST_FIRST(&live->sessions)->greeted)
		abort();
	membership_in(live, STR_LIT("alice"), GROUP, 2, 1, 3);
	struct store_friend bob = {.user_id = "bob"};
	watcher_new(LIST_FIRST(&live->sessions), &bob);
	ask_trace();
	return fds[1];
}

/* Nothing of it is left for the next input. */
static void end(int fd)
{
	close(fd);
	for (int i = 0; i < 100 && (live->session_count != 0 || live->users.count != 0); i++)
		turns(1);
	if (live->session_count != 0 || live->users.count != 0 || live->watched != NULL || live->resync.due != 0)
		abort();
	turns(2);
	if (live->groups.count != 0 || live->feeds != NULL || live->groups.queued_bytes != 0 ||
	    !TAILQ_EMPTY(&live->groups.again) || !TAILQ_EMPTY(&live->groups.wanted) ||
	    !TAILQ_EMPTY(&live->groups.views) || group_online(live, GROUP) != 0)
		abort();
	answer();
	/* The other workers fall silent, and are forgotten. */
	wheel_pass(loop_wheel(loop), 2 * BEAT_SILENCE_MS);
	now_ms += 61000;
	wheel_advance(loop_wheel(loop), now_ms);
	if (live->peers != NULL || live->legacy_peers != 0 || live->tracing.asking != 0 || traced != 1)
		abort();
	traced = 0;
	lamport_init(&live->lamport, live->origin);
	live->own_beats = 0;
}

/* What the user knows of groups, and what they know of the user. */
static void check_groups(const struct user *u)
{
	const struct memberships *ms = u->memberships;
	for (uint32_t i = 0; ms != NULL && i < ms->count; i++) {
		const struct live_group *g = ms->group[i];
		const struct member *m = group_find(live, g->id) == g ? group_find_member(g, u) : NULL;
		if (m == NULL || g->count != 1 || !conversation_is_group(g->id) || m->first_seq == 0 ||
		    m->joined_seq > MESSAGE_SEQ_MAX || (i > 0 && ms->group[i - 1]->id >= g->id))
			abort();
	}
}

static void check(void)
{
	const struct user *u = user_find(live, STR_LIT("alice"));
	const struct session *s;
	const struct remote_session *other;
	unsigned count = 0;
	if (lamport_now_us(&live->lamport) <= 0)
		abort();
	if (u == NULL)
		return;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (s->rank < 0 || s->rank > u->top_rank)
			abort();
	LIST_FOREACH (other, &u->remotes, entry)
		if (count++, other->rank < 0)
			abort();
	if (count > REMOTES_MAX)
		abort();
	check_groups(u);
}

static void hear(const char *id, char kind, struct str line)
{
	struct buf b = {0};
	struct str topic = kind == 'u'	 ? STR_LIT("u:alice")
			   : kind == 'p' ? STR_LIT("p:bob")
			   : kind == 'w' ? STR_LIT("w:worker01")
					 : STR_LIT("all");
	for (size_t i = 0; i < line.len; i++) {
		if (line.s[i] == '$')
			buf_append(&b, id, SESSION_ID_LEN);
		else
			buf_append_char(&b, line.s[i] == '&' ? '\n' : line.s[i]);
	}
	struct live_group *g = kind == 'c' ? group_find(live, GROUP) : NULL;
	if (g != NULL)
		push_bus_events.group_message(g, (struct str){b.data, b.len}, live);
	else if (kind != 'c')
		push_bus_events.message(topic, (struct str){b.data, b.len}, live);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[SESSION_ID_LEN + 1];
	if (size > 8192)
		return 0;
	if (im == NULL)
		prepare();
	int fd = begin();
	session_id(LIST_FIRST(&live->sessions), id);
	for (const char *at = (const char *)data, *stop = at + size; at < stop;) {
		const char *eol = memchr(at, '\n', (size_t)(stop - at));
		size_t len = (size_t)((eol != NULL ? eol : stop) - at);
		if (len != 0 && at[0] == 't') {
			wheel_pass(loop_wheel(loop), 1000);
			answer();
			turns(1);
		} else if (len != 0) {
			hear(id, at[0], (struct str){at + 1, len - 1});
			check();
		}
		at += len + 1;
	}
	end(fd);
	return 0;
}
