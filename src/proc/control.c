/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket's server side. Only root and the master's own user are answered (SO_PEERCRED, unix(7)). */
#include "core/base.h"
#include "proc/control.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "hub/figures.h"
#include "hub/presence.h"
#include "proc/inherit.h"
#include "proc/master_priv.h"
#include "proc/status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define PATIENCE_SECS 10
/* Before the next try where there was no descriptor for a client. */
#define REST_MS 100

struct control_client {
	LIST_ENTRY(control_client) entry;
	struct control *control;
	struct bufferevent *io;
	bool answered;
};

struct control {
	struct master *m;
	char *path;
	int fd;
	struct event *event;
	struct event *rest; /* pending while there is no descriptor for a client */
	LIST_HEAD(, control_client) clients;
	struct json_doc *doc;
	struct json_out *out;
	struct buf text;
	int asker;	/* the connection of the client whose command is run */
	bool passed_on; /* to a worker, which answers it */
};

static void client_free(struct control_client *c)
{
	LIST_REMOVE(c, entry);
	bufferevent_free(c->io);
	free(c);
}

/*
 * A command writes its members; or it returns why it could not, a text to be freed,
 * having written nothing.
 */
static char *command_status(struct control *c, const struct json *request)
{
	(void)request;
	status_put(c->m, c->out);
	return NULL;
}

static char *command_workers(struct control *c, const struct json *request)
{
	(void)request;
	figures_put_processes(c->m->hub, c->out);
	return NULL;
}

/* The user of the request; absent if there is none. False: it is no user id. */
static bool read_user(const struct json *request, char user[USER_ID_MAX + 1])
{
	const struct json *v = json_get(request, "user");
	user[0] = '\0';
	if (v == NULL || v->type == JSON_NULL)
		return true;
	if (v->type != JSON_STRING || !id_user_valid(v->text))
		return false;
	memcpy(user, v->text.s, v->text.len);
	user[v->text.len] = '\0';
	return true;
}

static char *command_sessions(struct control *c, const struct json *request)
{
	char user[USER_ID_MAX + 1];
	if (!read_user(request, user))
		return xstrdup("that is no user id");
	status_put_sessions(c->m, user[0] != '\0' ? user : NULL, c->out);
	return NULL;
}

static char *command_kick(struct control *c, const struct json *request)
{
	char user[USER_ID_MAX + 1];
	if (!read_user(request, user) || user[0] == '\0')
		return xstrdup("that is no user id");
	log_info("control: kick %s", user);
	json_key(c->out, "sessions");
	json_i64(c->out, presence_count(c->m->hub, user));
	spawn_kick(c->m, user);
	return NULL;
}

static bool is_true(const struct json *v)
{
	return v != NULL && v->type == JSON_BOOL && v->boolean;
}

/* A worker does it, for the sessions of the cluster are told. */
static char *command_group(struct control *c, const struct json *request)
{
	struct order order = {.kind = ORDER_GROUP};
	const struct json *id = json_get(request, "group");
	if (!read_user(request, order.user) || order.user[0] == '\0')
		return xstrdup("that is no user id");
	if (id == NULL || id->type != JSON_STRING || id_parse_u64(id->text, &order.group_id) != 0 ||
	    !conversation_is_group(order.group_id))
		return xstrdup("that is no group's id");
	order.removes = is_true(json_get(request, "remove"));
	order.bans = is_true(json_get(request, "ban"));
	log_info("control: group %" PRIu64 ": %s %s", order.group_id,
		 order.bans	 ? "ban"
		 : order.removes ? "remove"
				 : "add",
		 order.user);
	c->passed_on = spawn_change_group(c->m, &order, c->asker);
	return c->passed_on ? NULL : xstrdup("no worker is ready");
}

static char *command_drain(struct control *c, const struct json *request)
{
	(void)request;
	if (c->m->phase != MASTER_SERVING)
		return xstrdup("the server is stopping");
	if (c->m->upgrade != NULL)
		return xstrdup("an upgrade is under way: its successor would serve on");
	json_key(c->out, "leaves_within_ms");
	json_i64(c->out, master_leave(c->m));
	return NULL;
}

static void put_change(const char *option, const char *from, const char *to, bool needs_restart, void *arg)
{
	struct control *c = arg;
	json_object(c->out);
	json_put_cstr(c->out, "option", option);
	json_put_cstr(c->out, "from", from);
	json_put_cstr(c->out, "to", to);
	json_put_cstr(c->out, "needs", needs_restart ? "restart" : "reload");
	json_object_end(c->out);
}

static char *rehearse_reload(struct control *c)
{
	char *reason = NULL, *fixed;
	json_key(c->out, "changes");
	json_array(c->out);
	struct conf *next = reload_read(c->m, put_change, c, &fixed, &reason);
	if (next == NULL)
		return reason;
	json_array_end(c->out);
	free(fixed);
	conf_free(&next);
	return NULL;
}

static char *command_reload(struct control *c, const struct json *request)
{
	char *reason = NULL;
	if (is_true(json_get(request, "dry_run")))
		return rehearse_reload(c);
	if (master_reload(c->m, &reason) != 0)
		return reason;
	json_key(c->out, "generation");
	json_i64(c->out, c->m->generation);
	return NULL;
}

#ifdef TIDINGS_DEBUG
static char *command_clock(struct control *c, const struct json *request)
{
	int64_t ms = 0;
	const struct json *by = json_get(request, "ms"), *wall = json_get(request, "wall");
	bool wall_alone = wall != NULL && wall->type == JSON_BOOL && wall->boolean;
	if (by != NULL && json_int(by, &ms) == 0)
		atomic_fetch_add(wall_alone ? hub_wall_shift(c->m->hub) : hub_clock_shift(c->m->hub), ms);
	json_key(c->out, "shift_ms");
	json_i64(c->out, clock_shift_ms());
	json_key(c->out, "wall_shift_ms");
	json_i64(c->out, atomic_load(hub_wall_shift(c->m->hub)));
	return NULL;
}
#endif

static const struct {
	const char *name;
	char *(*run)(struct control *c, const struct json *request);
} commands[] = {
	{"status", command_status}, {"workers", command_workers}, {"sessions", command_sessions},
	{"kick", command_kick},	    {"group", command_group},	  {"reload", command_reload},
	{"drain", command_drain},
#ifdef TIDINGS_DEBUG
	{"clock", command_clock},
#endif
};

static void begin_answer(struct control *c)
{
	buf_clear(&c->text);
	json_begin(c->out, &c->text);
	json_object(c->out);
}

static void answer(struct control *c, struct str line)
{
	const char *reason;
	const struct json *request = json_parse(c->doc, line, &reason);
	const struct json *name = json_get(request, "command");

	size_t i = 0;
	while (name != NULL && i < ARRAY_LEN(commands) && !str_is(name->text, commands[i].name))
		i++;
	char *fault = NULL;
	begin_answer(c);
	if (name == NULL || name->type != JSON_STRING)
		fault = xstrdup("a line of JSON with a command is needed");
	else if (i == ARRAY_LEN(commands))
		fault = xstrdup("no such command");
	else
		fault = commands[i].run(c, request);
	if (fault != NULL)
		begin_answer(c);
	json_put_bool(c->out, "ok", fault == NULL);
	if (fault != NULL) {
		json_put_cstr(c->out, "error", fault);
	}
	free(fault);
	json_object_end(c->out);
	buf_append_char(&c->text, '\n');
}

static void on_read(struct bufferevent *io, void *arg)
{
	struct control_client *client = arg;
	struct control *c = client->control;
	struct evbuffer *in = bufferevent_get_input(io);
	size_t len;
	char *line = client->answered ? NULL : evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
	if (line == NULL) {
		if (client->answered || evbuffer_get_length(in) > LINE_MAX_BYTES)
			client_free(client);
		return;
	}
	client->answered = true;
	c->asker = bufferevent_getfd(io);
	c->passed_on = false;
	answer(c, (struct str){line, len});
	free(line);
	if (c->passed_on) {
		client_free(client);
		return;
	}
	bufferevent_write(io, c->text.data, c->text.len);
}

/* The answer is out. */
static void on_written(struct bufferevent *io, void *arg)
{
	struct control_client *client = arg;
	(void)io;
	if (client->answered)
		client_free(client);
}

static void on_end(struct bufferevent *io, short what, void *arg)
{
	(void)io;
	(void)what;
	client_free(arg);
}

static bool may_command(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	(void)fd;
	(void)what;
	event_add(c->event, NULL);
}

static void rest(struct control *c)
{
	static const struct timeval tv = {.tv_usec = REST_MS * 1000};
	log_error_gated("control: cannot accept: %s", strerror(errno));
	event_del(c->event);
	evtimer_add(c->rest, &tv);
}

static void on_connection(evutil_socket_t listening, short what, void *arg)
{
	struct control *c = arg;
	static const struct timeval patience = {.tv_sec = PATIENCE_SECS};
	(void)what;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest(c);
		return;
	}
	if (!may_command(fd)) {
		log_warn_gated("control: a command of another user was refused");
		close(fd);
		return;
	}
	struct control_client *client = xcalloc(1, sizeof(*client));
	client->control = c;
	client->io = bufferevent_socket_new(c->m->base, fd, BEV_OPT_CLOSE_ON_FREE);
	LIST_INSERT_HEAD(&c->clients, client, entry);
	bufferevent_setcb(client->io, on_read, on_written, on_end, client);
	bufferevent_set_timeouts(client->io, &patience, &patience);
	bufferevent_enable(client->io, EV_READ | EV_WRITE);
}

struct control *control_new(struct master *m, char **err_r)
{
	struct addr addr;
	const char *reason;
	struct control *c = xcalloc(1, sizeof(*c));
	c->m = m;
	LIST_INIT(&c->clients);
	c->path = xasprintf("%s/" CONTROL_SOCKET_NAME, m->conf->run_dir);
	char *text = xasprintf("unix:%s", c->path);
	mode_t old = umask(0077);
	c->fd = -1;
	if (addr_parse(&addr, text, &reason) == 0) {
		bool activated;
		c->fd = inherit_socket(&addr, &activated);
		if (c->fd < 0)
			c->fd = addr_listen(&addr, 16, &reason);
	}
	umask(old);
	free(text);
	if (c->fd < 0) {
		*err_r = xasprintf("control socket %s: %s", c->path, reason);
		free(c->path);
		free(c);
		return NULL;
	}
	c->doc = json_doc_new();
	c->out = json_out_new();
	c->event = event_new(m->base, c->fd, EV_READ | EV_PERSIST, on_connection, c);
	c->rest = evtimer_new(m->base, on_rested, c);
	return c;
}

void control_start(struct control *c)
{
	event_add(c->event, NULL);
}

int control_socket(const struct control *c)
{
	return c->fd;
}

void control_abandon(struct control **cp)
{
	struct control *c = *cp;
	if (c == NULL)
		return;
	*cp = NULL;
	struct control_client *client;
	while ((client = LIST_FIRST(&c->clients)) != NULL) {
		/* By hand, for libevent closes later, and in a fresh child there is no later. */
		int fd = bufferevent_getfd(client->io);
		bufferevent_setfd(client->io, -1);
		close(fd);
		client_free(client);
	}
	event_free(c->event);
	event_free(c->rest);
	close(c->fd);
	json_doc_free(&c->doc);
	json_out_free(&c->out);
	buf_fini(&c->text);
	free(c->path);
	free(c);
}

void control_free(struct control **c)
{
	if (*c != NULL)
		unlink((*c)->path);
	control_abandon(c);
}
