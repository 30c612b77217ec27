/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivers the events of a window: by lanes, each one request after the other. A request that does not succeed is made
 * again, after a second, then after twice as long each time.
 */
#include "core/base.h"
#include "relay/hooks.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/hook_sign.h"
#include "core/id.h"
#include "core/log.h"
#include "core/siphash.h"
#include "core/trace.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "relay/relay_priv.h"

#define TIMEOUT_MS 10000
/* Of an answer, which says nothing but its status. */
#define ANSWER_MAX 65536
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 300000
/* What Retry-After may ask for. */
#define RETRY_AFTER_MAX_MS 3600000
/* A batch is sent once it is as large. */
#define BODY_FULL (1024 * 1024)

static void lane_go_on(struct hook_lane *l);

/* ---- lanes ---- */

/* All events of a conversation are in one, and so are those of a user that are of none. */
static unsigned lane_of(const struct hook_event *e)
{
	static const uint64_t key[2] = {0x7469, 0x64696e67};
	uint64_t conversation = message_id_conversation(e->id);
	if (hook_is_of_user(e))
		return (unsigned)(siphash(key, e->user.s, e->user.len) % HOOK_LANES);
	return (unsigned)(siphash(key, &conversation, sizeof(conversation)) % HOOK_LANES);
}

void hook_begin_sending(struct hook *h)
{
	size_t n = 0;
	h->order = xrealloc(h->order, (h->events + 1) * sizeof(struct hook_event *));
	for (unsigned i = 0; i < HOOK_LANES; i++) {
		struct hook_lane *l = &h->lane[i];
		l->at = l->sent = n;
		for (size_t k = 0; k < h->events; k++)
			if (lane_of(&h->event[k]) == i)
				h->order[n++] = &h->event[k];
		l->end = n;
	}
	h->step = HOOK_SENDING;
	hook_go_on(h);
}

void hook_send_on(struct hook *h)
{
	h->step = HOOK_SENDING;
	hook_go_on(h);
}

static bool is_idle(const struct hook_lane *l)
{
	return l->call == NULL && !wheel_timer_is_set(&l->retry);
}

/* Where nothing is left to be sent, the window is noted. */
static void look_done(struct hook *h)
{
	if (h->step != HOOK_SENDING)
		return;
	for (unsigned i = 0; i < HOOK_LANES; i++)
		if (h->lane[i].at < h->lane[i].end || !is_idle(&h->lane[i]))
			return;
	h->step = HOOK_NOTING;
	relay_go_on(h->relay);
}

void hook_go_on(struct hook *h)
{
	if (h->step != HOOK_SENDING || h->paused)
		return;
	for (unsigned i = 0; i < HOOK_LANES; i++)
		if (is_idle(&h->lane[i]))
			lane_go_on(&h->lane[i]);
	look_done(h);
}

void hook_stop_sending(struct hook *h)
{
	for (unsigned i = 0; i < HOOK_LANES; i++) {
		struct hook_lane *l = &h->lane[i];
		fetch_cancel(&l->call);
		wheel_cancel(&l->retry);
		l->at = l->sent = l->end = 0;
		l->tries = 0;
	}
}

/* ---- a request ---- */

static bool is_too_old(const struct hook *h, const struct hook_event *e)
{
	return h->now_ms + (clock_mono_ms() - h->asked_ms) - e->at_ms > HOOK_KEEPS_MS;
}

static void note(const struct hook *h, const struct hook_event *e, enum trace_status status)
{
	if (hook_shows_message(e))
		trace_hook(h->relay->trace, clock_wall_ms(), e->id, status, e->kind, str_from(h->conf->name));
}

/* Of those that the request showed. */
static void note_all(const struct hook_lane *l, enum trace_status status)
{
	for (size_t i = l->at; i < l->sent; i++)
		if (l->hook->order[i]->rendered)
			note(l->hook, l->hook->order[i], status);
}

static void give_up(struct hook *h, const struct hook_event *e)
{
	note(h, e, TRACE_REFUSED);
	h->lost++;
	h->changed = true;
	stat_add(STAT_HOOK_LOST, 1);
	log_warn_gated("webhook %s: an event could not be delivered for %d days", h->conf->name, HOOK_KEEPS_DAYS);
}

/* The body of what is next, and l->sent behind that. False: nothing is. */
static bool render_next(struct hook_lane *l)
{
	struct hook *h = l->hook;
	struct hooks *x = &h->relay->hooks;
	int count = 0;
	buf_clear(&x->body);
	if (h->conf->batch > 1)
		buf_append_char(&x->body, '[');
	for (l->sent = l->at; l->sent < l->end && count < h->conf->batch && x->body.len < BODY_FULL; l->sent++) {
		struct hook_event *e = h->order[l->sent];
		size_t len = x->body.len;
		e->rendered = false;
		if (is_too_old(h, e)) {
			/* Once, when it comes first: the others may be sent again. */
			if (count != 0)
				break;
			give_up(h, e);
			l->at = l->sent + 1;
			continue;
		}
		if (count != 0)
			buf_append_char(&x->body, ',');
		e->rendered = hook_render(x, h, e, &x->body);
		if (e->rendered)
			count++;
		else
			x->body.len = len;
	}
	if (h->conf->batch > 1)
		buf_append_char(&x->body, ']');
	if (count == 0)
		l->at = l->sent;
	return count != 0;
}

static void on_retry(struct wheel_timer *t)
{
	struct hook_lane *l = container_of(t, struct hook_lane, retry);
	lane_go_on(l);
	look_done(l->hook);
}

/* It may quote a certificate, and end within a character: the database would refuse it. */
static void keep_ascii(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void try_again(struct hook_lane *l, const char *why, int64_t after_ms)
{
	struct hook *h = l->hook;
	int64_t ms = l->tries < 9 ? (int64_t)RETRY_FIRST_MS << l->tries : RETRY_MAX_MS;
	ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
	after_ms = after_ms < RETRY_AFTER_MAX_MS ? after_ms : RETRY_AFTER_MAX_MS;
	/* The first of several, which may be many. */
	if (l->tries++ == 0)
		note_all(l, TRACE_RETRIED);
	h->failed++;
	stat_add(STAT_HOOK_FAILED, 1);
	if (!h->failing)
		log_warn("webhook %s: %s", h->conf->name, why);
	h->failing = h->changed = true;
	snprintf(h->error, sizeof(h->error), "%s", why);
	keep_ascii(h->error);
	wheel_set(loop_wheel(h->relay->loop), &l->retry, ms > after_ms ? ms : after_ms, on_retry);
}

static void succeeded(struct hook_lane *l)
{
	struct hook *h = l->hook;
	note_all(l, TRACE_ACCEPTED);
	h->delivered += l->sent - l->at;
	stat_add(STAT_HOOK_DELIVERED, l->sent - l->at);
	l->at = l->sent;
	l->tries = 0;
	if (!h->failing)
		return;
	log_info("webhook %s: delivers again", h->conf->name);
	h->failing = false;
	h->changed = true;
}

static void on_answer(const struct fetch_answer *a, void *ctx)
{
	struct hook_lane *l = ctx;
	struct hook *h = l->hook;
	char why[64];
	l->call = NULL;
	snprintf(why, sizeof(why), "status %u", a->status);
	if (a->error == NULL && a->status / 100 == 2)
		succeeded(l);
	else
		try_again(l, a->error != NULL ? a->error : why, (int64_t)a->retry_after_secs * 1000);
	if (is_idle(l))
		lane_go_on(l);
	look_done(h);
	relay_go_on(h->relay);
}

static void lane_send(struct hook_lane *l)
{
	struct hook *h = l->hook;
	struct hooks *x = &h->relay->hooks;
	char signature[HOOK_SIGNATURE_MAX], header[sizeof("Tidings-Signature: ") + HOOK_SIGNATURE_MAX];
	while (l->at < l->end && !render_next(l))
		;
	if (l->at == l->end)
		return;
	struct str body = {x->body.data, x->body.len};
	hook_sign((struct str){h->conf->secret, h->conf->secret_len}, clock_wall_ms() / 1000, body, signature);
	snprintf(header, sizeof(header), "Tidings-Signature: %s", signature);
	const char *const headers[] = {"Content-Type: application/json", header};
	const struct fetch_request q = {.method = FETCH_POST,
					.url = h->conf->url,
					.headers = headers,
					.header_count = ARRAY_LEN(headers),
					.body = body,
					.timeout_ms = TIMEOUT_MS,
					.answer_max = ANSWER_MAX,
					.done = on_answer,
					.ctx = l};
	l->call = fetch_start(x->fetch, &q);
	if (l->call == NULL)
		try_again(l, "too many requests are under way", 0);
}

/* False: the messages are to be read again, once no request is under way. */
static bool is_fresh(struct hook *h)
{
	if (h->messages + h->profiles == 0 || clock_mono_ms() - h->loaded_ms < HOOK_FRESH_MS)
		return true;
	for (unsigned i = 0; i < HOOK_LANES; i++)
		if (h->lane[i].call != NULL)
			return false;
	hook_load_again(h);
	relay_go_on(h->relay);
	return false;
}

static void lane_go_on(struct hook_lane *l)
{
	struct hook *h = l->hook;
	if (h->step == HOOK_SENDING && !h->paused && l->at < l->end && is_fresh(h))
		lane_send(l);
}
