/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * before_send: a server of the operator's is asked about each message, after it was checked and before it is stored,
 * and about each edit. What is asked about at a time is bounded, and a server that is away is asked only once in a
 * while: then relay.before_send.on_failure decides at once.
 *
 * What a session sends is decided in the order in which it was sent, though all of it is asked about at once. Requests
 * by HTTP, and parts of a request, are in no order with others.
 */
#ifndef TIDINGS_CMD_BEFORE_SEND_H
#define TIDINGS_CMD_BEFORE_SEND_H

#include "core/base.h"
#include "api/request.h"

struct before_send;
struct question;

/* NULL: the configuration names no such server. It goes into api->before_send. */
struct before_send *before_send_new(struct api *api);
/* Before the store: what is asked is refused as unavailable, and so is all from now on. NULL is allowed. */
void before_send_stop(struct before_send *b);
/* After the store. NULL is allowed; *b becomes NULL. */
void before_send_free(struct before_send **b);
/* Nothing waits for an answer. */
bool before_send_is_idle(const struct before_send *b);

/* refusal: why it is not to be done. Else content: what is to be stored in place of its own; absent: that is. */
typedef void before_send_fn(const struct problem *refusal, struct str content, void *arg);

/*
 * Takes the request's place in its session's order. What follows is one of the other two, now or from a callback; from
 * within that or later, done() is called, once. What it gets is in the request's arena, or there for good.
 */
struct question *before_send_enter(struct request *r, before_send_fn *done, void *arg) MUST_CHECK;
/* The message as it would be stored, borrowed; created_ms 0: it is new. Uses live->scratch. */
void before_send_ask(struct question *q, const struct message *m);
/* It is not asked about. refusal NULL: it is to be done. */
void before_send_decide(struct question *q, const struct problem *refusal);

#endif
