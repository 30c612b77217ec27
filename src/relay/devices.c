/* SPDX-License-Identifier: BSD-2-Clause */
/* What of the devices' work is due. */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/fetch.h"
#include "net/loop.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/sql.h"

#define FAILED_REST_MS 1000
/* How often it is looked for jobs that are due. */
#define LOOK_MS 250
#define COUNT_MS 10000

static void on_timer(struct wheel_timer *t)
{
	relay_go_on(container_of(t, struct relay, devices.timer));
}

void devices_init(struct relay *r)
{
	struct devices *d = &r->devices;
	char *err = NULL;
	const struct fetch_options options = {
		.ca_file = r->conf->relay.ca_file,
		.allow_private = r->conf->relay.allow_private,
		/* So that no lane waits for what another one does. */
		.parallel = SERVICE_ROOM_ALL,
		.parallel_host = SERVICE_ROOM_MAX,
		.waiting = SERVICE_ROOM_ALL,
	};
	d->decide.limit = DECIDE_MAX;
	services_init(&d->services, r->conf);
	d->out = json_out_new();
	if (!services_are_on(&d->services))
		return;
	d->fetch = fetch_new(r->loop, &options, &err);
	if (d->fetch == NULL)
		log_error("devices are not told: %s", err);
	free(err);
}

void devices_fini(struct relay *r)
{
	struct devices *d = &r->devices;
	wheel_cancel(&d->timer);
	devices_forget(r);
	fetch_free(&d->fetch);
	devices_feed_fini(&d->feed);
	devices_decide_fini(&d->decide);
	services_fini(&d->services);
	json_out_free(&d->out);
	buf_fini(&d->text);
}

bool devices_are_on(const struct relay *r)
{
	return r->devices.fetch != NULL;
}

void devices_forget(struct relay *r)
{
	devices_decide_failed(r);
	devices_send_drop(r);
	/* Another relay may count it. */
	r->devices.count_ms = 0;
	stat_set(STAT_PUSHES_WAITING, 0);
}

void devices_wake(struct relay *r, int64_t in_ms)
{
	wheel_set(loop_wheel(r->loop), &r->devices.timer, in_ms, on_timer);
}

/* What was sent already is not forgotten: only what was to be written of it is written later. */
void devices_failed(struct relay *r)
{
	struct devices *d = &r->devices;
	devices_decide_failed(r);
	d->rest_until_ms = clock_mono_ms() + FAILED_REST_MS;
	devices_wake(r, FAILED_REST_MS);
}

/* ---- how much waits ---- */

static void count_ask(struct relay *r, struct buf *text)
{
	r->devices.count_ms = clock_mono_ms() + COUNT_MS;
	buf_printf(text,
		   "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM push_jobs LIMIT %d) j)+(SELECT COUNT(*) FROM (SELECT 1 "
		   "FROM "
		   "push_sends LIMIT %d) s);COMMIT",
		   DEVICES_COUNTED_MAX / 2, DEVICES_COUNTED_MAX / 2);
}

static void count_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	r->devices.waiting = row_take_u64(row);
}

static void count_done(struct relay *r)
{
	stat_set(STAT_PUSHES_WAITING, r->devices.waiting);
}

static const struct relay_job count_job = {.name = "counting what devices are to be told",
					   .ask = count_ask,
					   .row = count_row,
					   .done = count_done,
					   .failed = devices_failed};

/* ---- what is due ---- */

const struct relay_job *devices_due(struct relay *r, int64_t now_ms)
{
	struct devices *d = &r->devices;
	if (d->fetch == NULL || now_ms < d->rest_until_ms)
		return NULL;
	if (now_ms >= d->count_ms)
		return &count_job;
	const struct relay_job *job = devices_send_job(r, now_ms);
	if (job != NULL)
		return job;
	if (d->step == DEVICES_IDLE && now_ms >= d->look_ms) {
		d->step = DEVICES_LOOKING;
		d->look_ms = now_ms + LOOK_MS;
	}
	if (d->step == DEVICES_IDLE && devices_feed_may(r))
		d->step = DEVICES_READING;
	if (d->step >= DEVICES_LOOKING)
		job = devices_decide_job(r);
	else if (d->step != DEVICES_IDLE)
		job = devices_feed_job(r);
	if (job == NULL)
		devices_wake(r, LOOK_MS);
	return job;
}
