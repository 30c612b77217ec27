/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending, in lanes: each takes what is due of its own while it has room, sends it, and writes down what became of it:
 * when all has been answered, or half, or with the next look at what is due. So a service that is slow fills its own
 * lane alone, and a host that does not answer keeps its places of that lane and no others. What is sent and not written
 * down when the relay dies is sent again.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "hub/stats.h"
#include "net/fetch.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/sql.h"

#define PICK_MS 250
/* Tries are 1 s apart, then 2, 4, … up to this, for a day. */
#define LATER_MAX_SECS 300

/* ---- its life ---- */

static void push_drop(struct device_lane *lane, struct device_push *p)
{
	if (p->state == PUSH_NONE)
		return;
	lane->used--;
	lane->over -= p->state == PUSH_OVER;
	fetch_cancel(&p->call);
	arena_fini(&p->arena);
	p->state = PUSH_NONE;
}

void devices_send_drop(struct relay *r)
{
	struct devices *d = &r->devices;
	fetch_cancel(&d->token_call);
	for (unsigned l = 0; l < SERVICE_LANES; l++)
		for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++)
			push_drop(&d->lane[l], &d->lane[l].push[i]);
	d->picks = false;
	d->pick_ms = 0;
}

/* ---- sending ---- */

/* Only the first of several tries that failed is noted. */
static void push_note(const struct device_push *p, enum service_verdict verdict)
{
	static const enum trace_status statuses[] = {[SERVICE_SENT] = TRACE_ACCEPTED,
						     [SERVICE_DEAD] = TRACE_GONE,
						     [SERVICE_LATER] = TRACE_RETRIED,
						     [SERVICE_REFUSED] = TRACE_REFUSED};
	enum trace_status status = p->gone ? TRACE_GONE : statuses[verdict];
	if (p->message_id != 0 && (status != TRACE_RETRIED || p->tries == 0))
		trace_device(p->relay->trace, clock_wall_ms(), p->message_id, status, p->platform, p->user, p->device);
}

static void push_over(struct device_push *p, enum service_verdict verdict)
{
	struct device_lane *lane = &p->relay->devices.lane[p->lane];
	p->state = PUSH_OVER;
	p->verdict = verdict;
	lane->over++;
	push_note(p, verdict);
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
	/* It was refused since the lane was asked. */
	if (services_needs_token(&d->services, p->platform)) {
		push_over(p, SERVICE_LATER);
		return;
	}
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
		log_warn_gated("no access token for FCM: %s %u", answer->error != NULL ? answer->error : "answered",
			       answer->status);
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

static struct device_push *lane_place(struct device_lane *lane, unsigned room)
{
	for (unsigned i = 0; i < room; i++)
		if (lane->push[i].state == PUSH_NONE)
			return &lane->push[i];
	return NULL;
}

/* Also where another version of it is: one after the other. */
static bool lane_has(const struct device_lane *lane, struct str user, struct str device, uint64_t conversation_id)
{
	for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++) {
		const struct device_push *p = &lane->push[i];
		if (p->state != PUSH_NONE && p->conversation_id == conversation_id && str_equal(p->user, user) &&
		    str_equal(p->device, device))
			return true;
	}
	return false;
}

static void pick_ask(struct relay *r, struct buf *text)
{
	bool any = false;
	r->devices.picks = true;
	for (unsigned l = 1; l < SERVICE_LANES; l++) {
		struct device_lane *lane = &r->devices.lane[l];
		lane->found = 0;
		if (lane->used == service_room(l) || !lane_may_send(r, l))
			continue;
		sql_lit(text,
			"SELECT s.lane,s.user_id,s.device_id,s.conversation_id,s.version,s.tries,s.made_at,s.payload,"
			"d.platform,d.token,d.p256dh,d.auth FROM push_sends s FORCE INDEX (by_due) LEFT JOIN devices d "
			"FORCE "
			"INDEX (PRIMARY) ON d.user_id=s.user_id AND d.id=s.device_id WHERE s.lane=");
		sql_u64(text, l);
		sql_lit(text, " AND s.due_at<=");
		sql_now(text);
		/* Among them are those that it has, which are due for longer. */
		buf_printf(text, " ORDER BY s.due_at LIMIT %u;", service_room(l));
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
	if (l >= SERVICE_LANES || !r->devices.picks)
		return;
	struct device_lane *lane = &r->devices.lane[l];
	struct device_push *p = lane_place(lane, service_room(l));
	struct str user = row_take_str(row), device = row_take_str(row);
	uint64_t conversation_id = row_take_u64(row);
	lane->found++;
	if (p == NULL || lane_has(lane, user, device, conversation_id))
		return;
	*p = (struct device_push){.relay = r, .lane = l, .state = PUSH_PICKED, .conversation_id = conversation_id};
	p->user = arena_str(&p->arena, user);
	p->device = arena_str(&p->arena, device);
	p->version = row_take_u64(row);
	p->tries = row_take_u64(row);
	p->made_ms = row_take_ms(row);
	p->payload = arena_str(&p->arena, row_take_str(row));
	p->message_id = services_message(&r->devices.services, p->payload);
	p->gone = row_next_is_null(row);
	p->platform = (enum device_platform)row_take_u64(row);
	p->token = arena_str(&p->arena, row_take_str(row));
	take_bytes(row, p->keys.p256dh, sizeof(p->keys.p256dh));
	take_bytes(row, p->keys.auth, sizeof(p->keys.auth));
	lane->used++;
}

static void pick_done(struct relay *r)
{
	r->devices.picks = false;
	for (unsigned l = 1; l < SERVICE_LANES; l++)
		for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++)
			if (r->devices.lane[l].push[i].state == PUSH_PICKED)
				send_one(&r->devices.lane[l].push[i]);
}

static void pick_failed(struct relay *r)
{
	r->devices.picks = false;
	for (unsigned l = 1; l < SERVICE_LANES; l++)
		for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++)
			if (r->devices.lane[l].push[i].state == PUSH_PICKED)
				push_drop(&r->devices.lane[l], &r->devices.lane[l].push[i]);
	devices_failed(r);
}

static const struct relay_job pick_job = {.name = "looking what to send to devices",
					  .ask = pick_ask,
					  .row = pick_row,
					  .done = pick_done,
					  .failed = pick_failed};

/* ---- what became of it ---- */

/* 0: none. Many are written at once, but for those that have waited. */
static unsigned lane_to_write(const struct relay *r, bool any)
{
	for (unsigned l = 1; l < SERVICE_LANES; l++) {
		const struct device_lane *lane = &r->devices.lane[l];
		if (lane->over != 0 && (any || lane->over == lane->used || lane->over >= service_room(l) / 2))
			return l;
	}
	return 0;
}

static void put_key(const struct device_push *p, struct buf *text)
{
	sql_lit(text, "user_id=");
	sql_str(text, p->user);
	sql_lit(text, " AND device_id=");
	sql_str(text, p->device);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, p->conversation_id);
	sql_lit(text, " AND version=");
	sql_u64(text, p->version);
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
	buf_printf(text, "+INTERVAL %llu SECOND WHERE ", (unsigned long long)secs);
	put_key(p, text);
	/* For a day. */
	buf_printf(text, ";DELETE FROM push_sends WHERE made_at<");
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
	struct device_lane *lane = &r->devices.lane[r->devices.written];
	struct buf gone = {0};
	for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++) {
		struct device_push *p = &lane->push[i];
		if (p->state != PUSH_OVER)
			continue;
		p->state = PUSH_WRITTEN;
		lane->over--;
		if (p->verdict == SERVICE_LATER) {
			put_later(p, text);
			continue;
		}
		buf_append_str(&gone, gone.len == 0 ? STR_LIT("(") : STR_LIT(" OR ("));
		put_key(p, &gone);
		buf_append_char(&gone, ')');
		if (p->verdict == SERVICE_DEAD)
			put_removal(p, text);
	}
	if (gone.len != 0) {
		sql_lit(text, "DELETE s FROM push_sends s FORCE INDEX (PRIMARY) WHERE ");
		buf_append(text, gone.data, gone.len);
		buf_append_char(text, ';');
	}
	buf_fini(&gone);
	sql_lit(text, "COMMIT");
}

static void write_done(struct relay *r)
{
	struct device_lane *lane = &r->devices.lane[r->devices.written];
	unsigned n[SERVICE_REFUSED + 1] = {0};
	for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++) {
		struct device_push *p = &lane->push[i];
		if (p->state != PUSH_WRITTEN)
			continue;
		n[p->verdict] += !p->gone;
		push_drop(lane, p);
	}
	stat_add(STAT_PUSHES_SENT, n[SERVICE_SENT]);
	stat_add(STAT_PUSHES_RETRIED, n[SERVICE_LATER]);
	stat_add(STAT_PUSHES_FAILED, n[SERVICE_REFUSED]);
	stat_add(STAT_DEVICES_REMOVED, n[SERVICE_DEAD]);
	/* Where it was full there may be more. */
	if (lane->found == service_room(r->devices.written))
		r->devices.pick_ms = 0;
}

/* It is written down once the database is back. */
static void write_failed(struct relay *r)
{
	struct device_lane *lane = &r->devices.lane[r->devices.written];
	for (unsigned i = 0; i < SERVICE_ROOM_MAX; i++) {
		if (lane->push[i].state != PUSH_WRITTEN)
			continue;
		lane->push[i].state = PUSH_OVER;
		lane->over++;
	}
	devices_failed(r);
}

static const struct relay_job write_job = {
	.name = "noting what devices were told", .ask = write_ask, .done = write_done, .failed = write_failed};

const struct relay_job *devices_send_job(struct relay *r, int64_t now_ms)
{
	struct devices *d = &r->devices;
	d->written = lane_to_write(r, now_ms >= d->pick_ms);
	if (d->written != 0)
		return &write_job;
	if (now_ms < d->pick_ms)
		return NULL;
	d->pick_ms = now_ms + PICK_MS;
	return &pick_job;
}
