/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of the protocol: a WebSocket, and a single HTTP request on a connection of its own. What comes in
 * is parsed JSON, valid during the callback. No callback runs from within the function that is called.
 */
#ifndef TIDINGS_TORTURE_WIRE_H
#define TIDINGS_TORTURE_WIRE_H

#include "core/base.h"
#include "core/json.h"

struct event_base;
struct wire;

struct wire_events {
	void (*frame)(const struct json *frame, void *arg);
	/* The connection is over, and the wire freed; code: of the close frame, 0 where none came. */
	void (*closed)(int code, const char *why, void *arg);
};

void wire_setup(struct event_base *base);
/* Every request under way is answered with status 0; none may be begun from then on. */
void wire_teardown(void);

struct wire *wire_open(unsigned short port, const char *path, const char *token, const struct wire_events *on,
		       void *arg);
void wire_send(struct wire *w, struct str text);
/* Frees it; no callback follows. */
void wire_close(struct wire **w);

/*
 * Calls back exactly once, with status 0 where no whole answer came within timeout_ms. body: NULL where the answer is
 * no JSON. A NULL token sends none, an absent body likewise.
 */
typedef void wire_answer_fn(int status, const struct json *body, void *arg);
void wire_call(unsigned short port, const char *method, const char *path, const char *token, struct str body,
	       unsigned timeout_ms, wire_answer_fn *answer, void *arg);
/* How many of them have not called back yet. */
unsigned wire_calls(void);

#endif
