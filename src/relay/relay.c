/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the connections, and decides what is asked next: first what keeps the lease, last what may wait. */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <stdlib.h>

#include "bus/bus.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "net/loop.h"
#include "store/sql.h"

#define SECOND_MS 1000

const char *const relay_consumers[CONSUMERS] = {[CONSUMER_PUSH] = "push",
						[CONSUMER_SEARCH] = "search",
						[CONSUMER_DEVICE] = "device",
						[CONSUMER_FILES] = "files"};

/* ---- who leads ---- */

static void tell_changed(struct relay *r)
{
	bool leads = lease_is_ours(r, clock_mono_ms());
	if (leads != r->led) {
		log_info(leads	      ? "leads: it looks after the outbox of the cluster"
			 : r->leaving ? "does not lead any more"
				      : "waits: another relay leads, or the database is away");
		r->led = leads;
		if (!leads) {
			repair_end(r);
			survey_forget(r);
			index_forget(r);
			sweep_forget(r);
			sweep_feed_forget(r);
			names_forget(r);
			retention_forget(r);
			hooks_forget(r);
			devices_forget(r);
			attendance_forget(r);
		}
	}
	r->changed(r->ctx);
}

/* ---- asking ---- */

static void undo_ask(struct relay *r, struct buf *text)
{
	(void)r;
	buf_append_str(text, STR_LIT("ROLLBACK"));
}

static void undo_done(struct relay *r)
{
	r->undo = false;
}

/* Tried again in a second, or on a new connection. */
static void undo_failed(struct relay *r)
{
	(void)r;
}

static const struct relay_job undo_job = {
	.name = "rolling back", .ask = undo_ask, .done = undo_done, .failed = undo_failed};

static const struct relay_job *due(struct relay *r)
{
	/* They take turns: some of them may always have something to do. */
	static const struct relay_job *(*const others[])(struct relay * r, int64_t now_ms) = {
		purge_due, sweep_feed_due, sweep_due, index_due,    devices_due,
		hooks_due, attendance_due, names_due, retention_due};
	int64_t now = clock_mono_ms();
	const struct relay_job *job = lease_due(r);
	if (job != NULL || r->leaving || !lease_is_ours(r, now))
		return job;
	/* Where a survey takes longer than the time between two, others have their turn. */
	bool just_surveyed = r->surveyed;
	r->surveyed = !just_surveyed && (job = survey_due(r)) != NULL;
	if (r->surveyed || (job = repair_due(r)) != NULL)
		return job;
	for (unsigned i = 0; i < ARRAY_LEN(others) && job == NULL; i++) {
		r->turn = (r->turn + 1) % ARRAY_LEN(others);
		job = others[r->turn](r, now);
	}
	if (job == NULL && just_surveyed)
		r->surveyed = (job = survey_due(r)) != NULL;
	return job;
}

void relay_go_on(struct relay *r)
{
	if (r->job != NULL || !link_is_idle(r->link))
		return;
	r->job = r->undo ? &undo_job : due(r);
	if (r->job == NULL)
		return;
	buf_clear(&r->text);
	r->job->ask(r, &r->text);
	r->query.text = (struct str){r->text.data, r->text.len};
	link_query(r->link, &r->query);
}

void relay_put_done(struct buf *text, enum consumer consumer, const struct cursor *cursor, size_t cursors)
{
	bool first = true;
	sql_lit(text, "INSERT INTO outbox_done (consumer,stream,n,at) VALUES ");
	for (size_t i = 0; i < cursors; i++) {
		sql_comma(text, &first);
		buf_printf(text, "('%s',", relay_consumers[consumer]);
		sql_u64(text, cursor[i].stream);
		buf_append_char(text, ',');
		sql_u64(text, cursor[i].n);
		sql_lit(text, ",UTC_TIMESTAMP(3))");
	}
	/* Assigned from left to right. It never goes back: others may note more meanwhile. */
	sql_lit(text, " ON DUPLICATE KEY UPDATE at=IF(VALUES(n)>n,VALUES(at),at),n=GREATEST(n,VALUES(n))");
}

void relay_note_done(struct relay *r, enum consumer consumer, const struct cursor *cursor, size_t cursors)
{
	for (size_t i = 0; i < cursors; i++)
		streams_note(&r->streams, consumer, cursor[i].stream, cursor[i].n);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct relay *r = container_of(q, struct relay, query);
	if (r->job->row != NULL)
		r->job->row(r, stmt, row);
}

static void on_done(struct link_query *q, const struct link_result *result)
{
	struct relay *r = container_of(q, struct relay, query);
	const struct relay_job *job = r->job;
	r->job = NULL;
	if (result->outcome == LINK_OK) {
		job->done(r);
		if (r->led != lease_is_ours(r, clock_mono_ms()))
			tell_changed(r);
		relay_go_on(r);
		return;
	}
	r->undo = result->outcome == LINK_ERROR;
	job->failed(r);
	if (!r->undo)
		return;
	log_warn_gated("database: %s (error %u) while %s", result->message, result->error, job->name);
	/* ROLLBACK itself is tried in the next second. */
	if (job != &undo_job)
		relay_go_on(r);
}

/* ---- the database ---- */

static void on_ready(struct link *l, void *ctx)
{
	struct relay *r = ctx;
	(void)l;
	relay_go_on(r);
	tell_changed(r);
}

/*
 * The processes that write rows may have lost it, too, and could not note what they had told: they get the usual
 * time for that once it is back.
 */
static void on_down(struct link *l, const char *why, void *ctx)
{
	struct relay *r = ctx;
	(void)l;
	(void)why;
	survey_forget(r);
	index_forget(r);
	sweep_forget(r);
	sweep_feed_forget(r);
	names_forget(r);
	retention_forget(r);
	hooks_forget(r);
	devices_forget(r);
	attendance_forget(r);
	tell_changed(r);
}

/* ---- the bus ---- */

static void on_message(struct str topic, struct str data, void *ctx)
{
	(void)topic;
	attendance_heard(ctx, data);
}

static void on_subscribed(struct str topic, void *ctx)
{
	(void)topic;
	attendance_subscribed(ctx);
}

static void on_bus_up(bool missed, bool lost, void *ctx)
{
	struct relay *r = ctx;
	(void)missed;
	repair_bus_up(r, lost);
	attendance_bus_up(r);
	tell_changed(r);
}

static void on_bus_down(const char *reason, void *ctx)
{
	log_error("bus: Redis is away: %s", reason);
	attendance_bus_down(ctx);
	tell_changed(ctx);
}

/* ---- its life ---- */

static void on_second(struct wheel_timer *t)
{
	struct relay *r = container_of(t, struct relay, second);
	int64_t now = clock_mono_ms();
	lease_second(r, now);
	if (lease_is_ours(r, now)) {
		survey_second(r);
		repair_second(r);
		purge_second(r);
		index_second(r, now);
		hooks_second(r);
		attendance_second(r);
	}
	if (r->led != lease_is_ours(r, now))
		tell_changed(r);
	relay_go_on(r);
	wheel_set(loop_wheel(r->loop), t, SECOND_MS, on_second);
}

struct relay *relay_new(struct loop *loop, const struct conf *conf, void (*changed)(void *ctx), void *ctx)
{
	static const struct link_events link_events = {.ready = on_ready, .down = on_down};
	static const struct bus_events bus_events = {
		.message = on_message, .subscribed = on_subscribed, .up = on_bus_up, .down = on_bus_down};
	static const struct link_options options = {.name = "relay", .role = SETTINGS_WRITE};
	struct relay *r = xcalloc(1, sizeof(*r));
	r->loop = loop;
	r->conf = conf;
	r->changed = changed;
	r->ctx = ctx;
	r->trace = trace_open(conf->run_dir, TRACE_LARGE, conf->admin.trace_size);
	r->query = (struct link_query){.row = on_row, .done = on_done};
	lease_init(&r->lease, conf->node_id);
	repair_init(&r->repair);
	index_init(r);
	sweep_init(r);
	retention_init(r);
	hooks_init(r);
	devices_init(r);
	attendance_init(r);
	r->link = link_new(loop_base(loop), conf, &options, &link_events, r);
	r->bus = bus_new(loop_base(loop), conf, &bus_events, r);
	wheel_set(loop_wheel(loop), &r->second, 0, on_second);
	return r;
}

struct relay_state relay_state(const struct relay *r)
{
	bool leads = lease_is_ours(r, clock_mono_ms());
	return (struct relay_state){
		.leads = leads,
		.database = link_is_up(r->link),
		.read_only = link_is_read_only(r->link),
		.redis = bus_is_up(r->bus),
		.rows = leads ? streams_rows(&r->streams) : 0,
		.lag_ms = leads ? r->survey.lag_ms : 0,
		.repaired = r->repair.repaired,
	};
}

void relay_leave(struct relay *r)
{
	r->leaving = true;
	sweep_leave(r);
	repair_end(r);
	hooks_forget(r);
	devices_forget(r);
	attendance_forget(r);
	relay_go_on(r);
}

bool relay_has_left(const struct relay *r)
{
	return r->leaving && r->job == NULL && (r->lease.until_ms == 0 || !link_is_up(r->link));
}

void relay_free(struct relay **rp)
{
	struct relay *r = *rp;
	if (r == NULL)
		return;
	*rp = NULL;
	wheel_cancel(&r->second);
	repair_fini(&r->repair);
	index_fini(r);
	sweep_fini(r);
	sweep_feed_fini(&r->sweep.feed);
	names_fini(r);
	retention_fini(r);
	hooks_fini(r);
	devices_fini(r);
	attendance_fini(r);
	link_free(&r->link);
	bus_free(&r->bus);
	streams_fini(&r->streams);
	buf_fini(&r->text);
	trace_close(&r->trace);
	free(r);
}
