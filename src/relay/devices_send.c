/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending, in lanes: each takes what is due of its own, sends it, and when all has been answered, or was given up, writes down
 * what became of it before it takes more. So a service that is slow fills its own lane alone. What is sent and not written down
 * when the relay dies is sent again.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/fetch.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/sql.h"

#define PICK_MS 250
/* Tries are 1 s apart, then 2, 4, … up to this, for a day. */
#define LATER_MAX_SECS 300

/* ---- its life ---- */

void devices_send_drop(struct relay *r)
{
	struct devices *d = &r->devices;
	fetch_cancel(&d->token_call);
	for (unsigned l = 0; l < SERVICE_LANES; l++) {
		struct device_lane *lane = &d->lane[l];
		for (unsigned i = 0; i < lane->count; i++)
			fetch_cancel(&lane->push[i].call);
		lane->count = lane->open = 0;
		lane->state = LANE_IDLE;
		arena_clear(&lane->arena);
	}
	d->pick_ms = 0;
}

void devices_send_fini(struct devices *d)
{
	for (unsigned l = 0; l < SERVICE_LANES; l++)
		arena_fini(&d->lane[l].arena);
}

/* ---- sending ---- */

static void push_over(struct device_push *p, enum service_verdict verdict)
{
	struct device_lane *lane = &p->relay->devices.lane[p->lane];
	p->state = PUSH_OVER;
	p->verdict = verdict;
	if (--lane->open == 0)
		lane->state = LANE_WRITING;
}

static void on_answer(const struct fetch_answer *answer, void *ctx)
{
	struct device_push *p = ctx;
	struct relay *r = p->relay;
	p->call = NULL;
	p->later_secs = answer->retry_after_secs;
	enum service_verdict verdict = services_judge(&r->devices.services, p->platform, answer);
	if (verdict == SERVICE_LATER || verdict == SERVICE_REFUSED)
		log_gated(LOG_LEVEL_WARN, "a push by %s: %s %u: %s", device_platform_name(p->platform),
			  answer->error != NULL ? answer->error : "answered", answer->status,
			  verdict == SERVICE_LATER ? "it is tried again" : "it is given up");
	push_over(p, verdict);
	relay_go_on(r);
}

static void send_one(struct device_push *p)
{
	struct devices *d = &p->relay->devices;
	struct fetch_request request;
	const struct service_push push = {
		.platform = p->platform, .token = p->token, .keys = p->keys, .payload = p->payload};
	if (p->gone || services_request(&d->services, &push, &request) != 0) {
		push_over(p, SERVICE_REFUSED);
		return;
	}
	request.done = on_answer;
	request.ctx = p;
	p->state = PUSH_ASKED;
	p->call = fetch_start(d->fetch, &request);
	if (p->call == NULL)
		push_over(p, SERVICE_LATER);
}

static void send_lane(struct device_lane *lane)
{
	lane->state = LANE_SENDING;
	for (unsigned i = 0; i < lane->count; i++)
		if (lane->push[i].state == PUSH_WAITS)
			send_one(&lane->push[i]);
}

/* ---- a token of Google's, before its lane can send ---- */

static void on_token(const struct fetch_answer *answer, void *ctx)
{
	struct relay *r = ctx;
	struct devices *d = &r->devices;
	d->token_call = NULL;
	if (services_take_token(&d->services, answer) == 0) {
		d->token_tries = 0;
	} else {
		unsigned secs = d->token_tries < 8 ? 1u << d->token_tries++ : LATER_MAX_SECS;
		secs = answer->retry_after_secs > secs ? answer->retry_after_secs : secs;
		d->token_ms = clock_mono_ms() + (int64_t)secs * 1000;
		log_warn_gated("no access token for FCM: %s %u",
			       answer->error != NULL ? answer->error : "answered", answer->status);
	}
	relay_go_on(r);
}

static bool lane_may_send(struct relay *r, unsigned lane)
{
	struct devices *d = &r->devices;
	struct fetch_request request;
	if (lane != service_lane(DEVICE_FCM, STR_LIT("")) || !services_needs_token(&d->services, DEVICE_FCM))
		return true;
	if (d->token_call != NULL || clock_mono_ms() < d->token_ms ||
	    services_token_request(&d->services, &request) != 0)
		return false;
	request.done = on_token;
	request.ctx = r;
	d->token_call = fetch_start(d->fetch, &request);
	return false;
}

/* ---- what is due ---- */

static bool lane_is_idle(struct relay *r, unsigned lane)
{
	return r->devices.lane[lane].state == LANE_IDLE && lane_may_send(r, lane);
}

static void pick_ask(struct relay *r, struct buf *text)
{
	bool any = false;
	for (unsigned l = 1; l < SERVICE_LANES; l++) {
		struct device_lane *lane = &r->devices.lane[l];
		if (!lane_is_idle(r, l))
			continue;
		lane->state = LANE_PICKING;
		sql_lit(text, "SELECT s.lane,s.user_id,s.device_id,s.conversation_id,s.version,s.tries,s.made_at,s.payload,"
			      "d.platform,d.token,d.p256dh,d.auth FROM push_sends s FORCE INDEX (by_due) LEFT JOIN devices d FORCE "
			      "INDEX (PRIMARY) ON d.user_id=s.user_id AND d.id=s.device_id WHERE s.lane=");
		sql_u64(text, l);
		sql_lit(text, " AND s.due_at<=");
		sql_now(text);
		buf_printf(text, " ORDER BY s.due_at LIMIT %d;", LANE_MAX);
		any = true;
	}
	if (!any)
		sql_lit(text, "DO 0;");
	sql_lit(text, "COMMIT");
}

static void take_bytes(struct row *row, unsigned char *out, size_t len)
{
	struct str s = row_take_str(row);
	if (s.s != NULL && s.len == len)
		memcpy(out, s.s, len);
}

static void pick_row(struct relay *r, unsigned stmt, struct row *row)
{
	unsigned l = (unsigned)row_take_u64(row);
	(void)stmt;
	if (l >= SERVICE_LANES)
		return;
	struct device_lane *lane = &r->devices.lane[l];
	if (lane->state != LANE_PICKING || lane->count == LANE_MAX)
		return;
	struct device_push *p = &lane->push[lane->count++];
	*p = (struct device_push){.relay = r, .lane = l};
	p->user = arena_str(&lane->arena, row_take_str(row));
	p->device = arena_str(&lane->arena, row_take_str(row));
	p->conversation_id = row_take_u64(row);
	p->version = row_take_u64(row);
	p->tries = row_take_u64(row);
	p->made_ms = row_take_ms(row);
	p->payload = arena_str(&lane->arena, row_take_str(row));
	p->gone = row_next_is_null(row);
	p->platform = (enum device_platform)row_take_u64(row);
	p->token = arena_str(&lane->arena, row_take_str(row));
	take_bytes(row, p->keys.p256dh, sizeof(p->keys.p256dh));
	take_bytes(row, p->keys.auth, sizeof(p->keys.auth));
	lane->open++;
}

static void pick_done(struct relay *r)
{
	for (unsigned l = 1; l < SERVICE_LANES; l++) {
		struct device_lane *lane = &r->devices.lane[l];
		if (lane->state != LANE_PICKING)
			continue;
		if (lane->count != 0)
			send_lane(lane);
		else
			lane->state = LANE_IDLE;
	}
}

static void pick_failed(struct relay *r)
{
	for (unsigned l = 1; l < SERVICE_LANES; l++) {
		struct device_lane *lane = &r->devices.lane[l];
		if (lane->state != LANE_PICKING)
			continue;
		lane->count = lane->open = 0;
		lane->state = LANE_IDLE;
		arena_clear(&lane->arena);
	}
	devices_failed(r);
}

static const struct relay_job pick_job = {.name = "looking what to send to devices",
					  .ask = pick_ask,
					  .row = pick_row,
					  .done = pick_done,
					  .failed = pick_failed};

/* ---- what became of it ---- */

/* 0: none. */
static unsigned lane_to_write(const struct relay *r)
{
	for (unsigned l = 1; l < SERVICE_LANES; l++)
		if (r->devices.lane[l].state == LANE_WRITING)
			return l;
	return 0;
}

static void put_key(const struct device_push *p, struct buf *text)
{
	sql_lit(text, " WHERE user_id=");
	sql_str(text, p->user);
	sql_lit(text, " AND device_id=");
	sql_str(text, p->device);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, p->conversation_id);
	sql_lit(text, " AND version=");
	sql_u64(text, p->version);
	buf_append_char(text, ';');
}

/* Not where it has another token by now. */
static void put_removal(const struct device_push *p, struct buf *text)
{
	sql_lit(text, "DELETE FROM devices WHERE user_id=");
	sql_str(text, p->user);
	sql_lit(text, " AND id=");
	sql_str(text, p->device);
	sql_lit(text, " AND token=");
	sql_str(text, p->token);
	buf_append_char(text, ';');
}

static void put_later(const struct device_push *p, struct buf *text)
{
	uint64_t secs = p->tries < 9 ? UINT64_C(1) << p->tries : LATER_MAX_SECS;
	secs = secs < LATER_MAX_SECS ? secs : LATER_MAX_SECS;
	secs = p->later_secs > secs ? p->later_secs : secs;
	sql_lit(text, "UPDATE push_sends SET tries=tries+1,due_at=");
	sql_now(text);
	buf_printf(text, "+INTERVAL %llu SECOND", (unsigned long long)secs);
	put_key(p, text);
	/* For a day. */
	buf_printf(text, "DELETE FROM push_sends WHERE made_at<");
	sql_now(text);
	buf_printf(text, "-INTERVAL %d SECOND AND user_id=", SERVICE_TTL_SECS);
	sql_str(text, p->user);
	sql_lit(text, " AND device_id=");
	sql_str(text, p->device);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, p->conversation_id);
	buf_append_char(text, ';');
}

static void write_ask(struct relay *r, struct buf *text)
{
	r->devices.written = lane_to_write(r);
	const struct device_lane *lane = &r->devices.lane[r->devices.written];
	for (unsigned i = 0; i < lane->count; i++) {
		const struct device_push *p = &lane->push[i];
		if (p->verdict == SERVICE_LATER) {
			put_later(p, text);
			continue;
		}
		sql_lit(text, "DELETE FROM push_sends");
		put_key(p, text);
		if (p->verdict == SERVICE_DEAD)
			put_removal(p, text);
	}
	sql_lit(text, "COMMIT");
}

static void write_done(struct relay *r)
{
	struct device_lane *lane = &r->devices.lane[r->devices.written];
	unsigned n[SERVICE_REFUSED + 1] = {0};
	if (lane->state != LANE_WRITING)
		return;
	for (unsigned i = 0; i < lane->count; i++)
		n[lane->push[i].verdict] += !lane->push[i].gone;
	stat_add(STAT_PUSHES_SENT, n[SERVICE_SENT]);
	stat_add(STAT_PUSHES_RETRIED, n[SERVICE_LATER]);
	stat_add(STAT_PUSHES_FAILED, n[SERVICE_REFUSED]);
	stat_add(STAT_DEVICES_REMOVED, n[SERVICE_DEAD]);
	/* Where it was full there may be more. */
	if (lane->count == LANE_MAX)
		r->devices.pick_ms = 0;
	lane->count = 0;
	lane->state = LANE_IDLE;
	arena_clear(&lane->arena);
}

/* The lane stays as it is: it is written down once the database is back. */
static const struct relay_job write_job = {.name = "noting what devices were told",
					   .ask = write_ask,
					   .done = write_done,
					   .failed = devices_failed};

const struct relay_job *devices_send_job(struct relay *r, int64_t now_ms)
{
	struct devices *d = &r->devices;
	if (lane_to_write(r) != 0)
		return &write_job;
	if (now_ms < d->pick_ms)
		return NULL;
	d->pick_ms = now_ms + PICK_MS;
	return &pick_job;
}
