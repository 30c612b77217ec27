/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 and WebSockets as a client writes and reads them, see wire.h. */
#include "core/base.h"
#include "wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HEAD_MAX 16384
#define FRAME_MAX (16 * 1024 * 1024)

struct wire {
	struct bufferevent *bev;
	const struct wire_events *on;
	void *arg;
	bool open;   /* upgraded */
	bool *alive; /* set to false when it is freed: read by who calls back */
};

struct call {
	LIST_ENTRY(call) entry;
	struct bufferevent *bev;
	wire_answer_fn *answer;
	void *arg;
};

static struct {
	struct event_base *base;
	struct json_doc *doc;
	unsigned calls;
	LIST_HEAD(, call) pending;
} wires;

void wire_setup(struct event_base *base)
{
	wires.base = base;
	wires.doc = json_doc_new();
}

/* Starts to connect, with the callbacks given; where that fails at once, the event of an error follows. */
static struct bufferevent *connect_to(unsigned short port, bufferevent_data_cb read, bufferevent_event_cb event,
				      void *arg)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	const int one = 1;
	struct bufferevent *bev =
		bufferevent_socket_new(wires.base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	bufferevent_setcb(bev, read, NULL, event, arg);
	if (bufferevent_socket_connect(bev, (const struct sockaddr *)&to, sizeof(to)) != 0)
		bufferevent_trigger_event(bev, BEV_EVENT_ERROR, BEV_OPT_DEFER_CALLBACKS);
	if (bufferevent_getfd(bev) >= 0)
		setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return bev;
}

/* The head of an answer, once it is whole: its status and its body's length. 0: not yet, -1: it is none. */
static int read_head(struct evbuffer *in, size_t *head_r, size_t *body_r)
{
	static char head[HEAD_MAX + 1];
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0 || end.pos + 4 > HEAD_MAX)
		return evbuffer_get_length(in) > HEAD_MAX ? -1 : 0;
	*head_r = (size_t)end.pos + 4;
	*body_r = 0;
	evbuffer_copyout(in, head, *head_r);
	head[*head_r] = '\0';
	if (strncmp(head, "HTTP/1.1 ", 9) != 0)
		return -1;
	for (const char *at = head; (at = strchr(at, '\n')) != NULL; at++)
		if (strncasecmp(at + 1, "Content-Length:", 15) == 0)
			*body_r = strtoul(at + 16, NULL, 10);
	int status = atoi(head + 9);
	return status > 0 ? status : -1;
}

/* ---- a request ---- */

static void call_end(struct call *c, int status, const struct json *body)
{
	wire_answer_fn *answer = c->answer;
	void *arg = c->arg;
	bufferevent_free(c->bev);
	LIST_REMOVE(c, entry);
	free(c);
	wires.calls--;
	answer(status, body, arg);
}

static void on_call_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t head, body;
	const char *why;
	int status = read_head(in, &head, &body);

	if (status < 0) {
		call_end(arg, 0, NULL);
		return;
	}
	if (status == 0 || evbuffer_get_length(in) < head + body)
		return;
	/* A copy, since the connection is freed before the answer is told. */
	char *text = xmalloc(body + 1);
	evbuffer_drain(in, head);
	evbuffer_remove(in, text, body);
	const struct json *json = body == 0 ? NULL : json_parse(wires.doc, (struct str){text, body}, &why);
	call_end(arg, status, json);
	free(text);
}

static void on_call_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		call_end(arg, 0, NULL);
}

void wire_call(unsigned short port, const char *method, const char *path, const char *token, struct str body,
	       unsigned timeout_ms, wire_answer_fn *answer, void *arg)
{
	const struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	struct call *c = xcalloc(1, sizeof(*c));
	c->answer = answer;
	c->arg = arg;
	wires.calls++;
	LIST_INSERT_HEAD(&wires.pending, c, entry);
	c->bev = connect_to(port, on_call_read, on_call_event, c);
	bufferevent_set_timeouts(c->bev, &timeout, &timeout);
	struct evbuffer *out = bufferevent_get_output(c->bev);
	evbuffer_add_printf(out, "%s %s HTTP/1.1\r\nHost: torture\r\nConnection: close\r\n", method, path);
	if (token != NULL)
		evbuffer_add_printf(out, "Authorization: Bearer %s\r\n", token);
	if (body.s != NULL)
		evbuffer_add_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	evbuffer_add(out, "\r\n", 2);
	if (body.s != NULL)
		evbuffer_add(out, body.s, body.len);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void wire_teardown(void)
{
	struct call *c;
	while ((c = LIST_FIRST(&wires.pending)) != NULL)
		call_end(c, 0, NULL);
	json_doc_free(&wires.doc);
}

unsigned wire_calls(void)
{
	return wires.calls;
}

/* ---- a WebSocket ---- */

static void wire_free(struct wire *w)
{
	if (w->alive != NULL)
		*w->alive = false;
	bufferevent_free(w->bev);
	free(w);
}

void wire_close(struct wire **wire)
{
	if (*wire != NULL)
		wire_free(*wire);
	*wire = NULL;
}

static void wire_fail(struct wire *w, int code, const char *why)
{
	const struct wire_events *on = w->on;
	void *arg = w->arg;
	wire_free(w);
	on->closed(code, why, arg);
}

/* The key of the mask is zero, which masks nothing. */
static void send_frame(struct wire *w, unsigned opcode, const char *data, size_t len)
{
	unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
	size_t n = 2;
	if (len < 126) {
		head[1] = (unsigned char)(0x80 | len);
	} else {
		head[1] = 0x80 | 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)(len & 0xff);
		n = 4;
	}
	bufferevent_write(w->bev, head, n + 4);
	bufferevent_write(w->bev, data, len);
}

void wire_send(struct wire *w, struct str text)
{
	if (w->open)
		send_frame(w, 0x1, text.s, text.len);
}

/* False: the wire is gone, or the callback of its end has run. */
static bool take_frame(struct wire *w, unsigned opcode, const char *data, size_t len)
{
	const char *why = "";
	bool alive = true;
	switch (opcode) {
	case 0x1: {
		const struct json *frame = json_parse(wires.doc, (struct str){data, len}, &why);
		if (frame == NULL) {
			wire_fail(w, 0, "a frame that is no JSON");
			return false;
		}
		w->alive = &alive;
		w->on->frame(frame, w->arg);
		if (alive)
			w->alive = NULL;
		return alive;
	}
	case 0x8:
		wire_fail(w, len < 2 ? 1005 : (unsigned char)data[0] << 8 | (unsigned char)data[1],
			  "closed by the server");
		return false;
	case 0x9:
		send_frame(w, 0xA, data, len);
		return true;
	case 0xA:
		return true;
	default:
		wire_fail(w, 0, "a frame of an unknown kind");
		return false;
	}
}

/* The first frame in the buffer: its parts, and 1; 0: it is not whole yet; -1: it is wrong. */
static int find_frame(struct evbuffer *in, unsigned *first_r, size_t *head_r, size_t *len_r)
{
	unsigned char head[10];
	ssize_t n = evbuffer_copyout(in, head, sizeof(head));
	if (n < 2)
		return 0;
	*first_r = head[0];
	*head_r = 2;
	*len_r = head[1];
	if (head[1] == 126) {
		if (n < 4)
			return 0;
		*head_r = 4;
		*len_r = (size_t)head[2] << 8 | head[3];
	} else if (head[1] == 127) {
		if (n < 10)
			return 0;
		*head_r = 10;
		*len_r = 0;
		for (int i = 2; i < 10; i++)
			*len_r = *len_r << 8 | head[i];
	}
	if (head[1] > 127 || *len_r > FRAME_MAX || (head[0] & 0xf0) != 0x80)
		return -1;
	return evbuffer_get_length(in) >= *head_r + *len_r;
}

static bool take_upgrade(struct wire *w, struct evbuffer *in)
{
	size_t head, body;
	char why[64];
	int status = read_head(in, &head, &body);
	if (status == 0)
		return false;
	if (status != 101) {
		snprintf(why, sizeof(why), "the upgrade was answered %d", status);
		wire_fail(w, 0, why);
		return false;
	}
	evbuffer_drain(in, head);
	w->open = true;
	return true;
}

static void on_wire_read(struct bufferevent *bev, void *arg)
{
	struct wire *w = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	unsigned first;
	size_t head, len;
	int found;

	if (!w->open && !take_upgrade(w, in))
		return;
	while ((found = find_frame(in, &first, &head, &len)) == 1) {
		char *data = xmalloc(len + 1);
		evbuffer_drain(in, head);
		evbuffer_remove(in, data, len);
		bool goes_on = take_frame(w, first & 0xf, data, len);
		free(data);
		if (!goes_on)
			return;
	}
	if (found < 0)
		wire_fail(w, 0, "a frame that is wrong");
}

static void on_wire_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		wire_fail(arg, 0, what & BEV_EVENT_EOF ? "end of stream" : "connection failed");
}

struct wire *wire_open(unsigned short port, const char *path, const char *token, const struct wire_events *on,
		       void *arg)
{
	struct wire *w = xcalloc(1, sizeof(*w));
	w->on = on;
	w->arg = arg;
	w->bev = connect_to(port, on_wire_read, on_wire_event, w);
	evbuffer_add_printf(bufferevent_get_output(w->bev),
			    "GET %s HTTP/1.1\r\nHost: torture\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			    "Authorization: Bearer %s\r\n\r\n",
			    path, token);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
	return w;
}
