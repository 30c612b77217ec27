/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows that nobody has told of: some of one stream are read in order, whom they concern is told to catch up, and when
 * Redis has confirmed that, they are done. Then some of the next stream. A repair that fails or is interrupted starts
 * again.
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <inttypes.h>

#include "bus/bus.h"
#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "store/row.h"
#include "store/sql.h"

/* Read at a time; fewer, where these concern too many. */
#define ROWS_MAX 500
#define AUDIENCE_FULL 2000
/* Conversations looked up at a time. */
#define LOOK_UP_MAX 500
#define PACE_MS 100
#define TOLD_A_PACE (RELAY_TOLD_PER_SECOND * PACE_MS / 1000)

static void on_pace(struct wheel_timer *t);

void repair_init(struct repair *p)
{
	audience_init(&p->audience);
}

void repair_fini(struct repair *p)
{
	wheel_cancel(&p->pace);
	audience_fini(&p->audience);
	buf_fini(&p->wire);
}

void repair_end(struct relay *r)
{
	r->repair.state = REPAIR_NONE;
	audience_clear(&r->repair.audience);
	wheel_cancel(&r->repair.pace);
}

static void repair_failed(struct relay *r)
{
	r->repair.rests = true;
	repair_end(r);
}

void repair_second(struct relay *r)
{
	r->repair.rests = false;
	if (r->repair.waits != 0)
		r->repair.waits--;
}

void repair_bus_up(struct relay *r, bool lost)
{
	struct repair *p = &r->repair;
	/* The workers have all their sessions catch up then, and note that. */
	p->waits = RELAY_PATIENCE_MS / 1000;
	if (lost && (p->state == REPAIR_TELLING || p->state == REPAIR_SETTLING)) {
		p->state = REPAIR_TELLING;
		p->told = 0;
	}
}

/* ---- telling ---- */

static void tell_on(struct relay *r)
{
	r->repair.state = REPAIR_TELLING;
	r->repair.told = 0;
	wheel_set(loop_wheel(r->loop), &r->repair.pace, 0, on_pace);
}

static void publish(struct relay *r, struct str topic, enum bus_kind kind)
{
	struct buf *b = &r->repair.wire;
	buf_clear(b);
	bus_form_begin(b, kind, ORIGIN_RELAY);
	bool queued = bus_publish(r->bus, topic, (struct str){b->data, b->len});
	stat_add(queued ? STAT_BUS_OUT : STAT_BUS_LOST, 1);
}

static void tell_some(struct relay *r)
{
	struct repair *p = &r->repair;
	size_t end = p->told + TOLD_A_PACE < p->audience.count ? p->told + TOLD_A_PACE : p->audience.count;
	for (; p->told < end; p->told++) {
		const struct listener *l = p->audience.order[p->told];
		publish(r, (struct str){l->topic, l->topic_len}, l->kind);
	}
	/* To workers of a version before relays this was a worker. */
	publish(r, STR_LIT(TOPIC_ALL), BUS_BYE);
	if (p->told < p->audience.count)
		return;
	p->position = bus_position(r->bus);
	p->state = REPAIR_SETTLING;
}

static void on_pace(struct wheel_timer *t)
{
	struct relay *r = container_of(t, struct relay, repair.pace);
	struct repair *p = &r->repair;
	if (p->state == REPAIR_TELLING && bus_is_up(r->bus) && p->waits == 0 && lease_is_ours(r, clock_mono_ms()))
		tell_some(r);
	if (p->state == REPAIR_SETTLING && bus_settled(r->bus) >= p->position) {
		p->state = REPAIR_NOTING;
		relay_go_on(r);
	}
	if (p->state == REPAIR_TELLING || p->state == REPAIR_SETTLING)
		wheel_set(loop_wheel(r->loop), t, PACE_MS, on_pace);
}

/* ---- reading rows ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct repair *p = &r->repair;
	const struct stream *s = streams_next_due(&r->streams, p->stream);
	p->state = REPAIR_READING;
	p->stream = s->id;
	p->rows = 0;
	p->full = false;
	audience_clear(&p->audience);
	p->looked_up = 0;
	sql_lit(text, "SELECT n,items FROM outbox WHERE stream=");
	sql_u64(text, s->id);
	sql_lit(text, " AND n BETWEEN ");
	sql_u64(text, s->done_n[CONSUMER_PUSH] + 1);
	sql_lit(text, " AND ");
	sql_u64(text, s->due_n);
	sql_lit(text, " ORDER BY n LIMIT ");
	sql_u64(text, ROWS_MAX);
	sql_lit(text, ";COMMIT");
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct repair *p = &r->repair;
	(void)stmt;
	uint64_t n = row_take_u64(row);
	struct str items = row_take_str(row);
	if (p->full)
		return;
	if (!audience_add_row(&p->audience, items))
		log_error_gated("the outbox: row %" PRIu64 " of stream %" PRIu64
				" has malformed items; somebody may not be told to catch up",
				n, p->stream);
	if (audience_size(&p->audience) >= AUDIENCE_FULL) {
		audience_sort(&p->audience);
		p->full = audience_size(&p->audience) >= AUDIENCE_FULL;
	}
	p->last_n = n;
	p->rows++;
}

static void read_done(struct relay *r)
{
	struct repair *p = &r->repair;
	const struct stream *s = streams_find(&r->streams, p->stream);
	if (p->state != REPAIR_READING)
		return;
	if (p->rows == 0) {
		/* Done by others meanwhile, and deleted. */
		if (s != NULL)
			streams_note(&r->streams, CONSUMER_PUSH, s->id, s->due_n);
		repair_end(r);
		return;
	}
	audience_sort(&p->audience);
	if (p->audience.conversations != 0)
		p->state = REPAIR_LOOKING_UP;
	else
		tell_on(r);
}

static const struct relay_job read_job = {
	.name = "reading the outbox", .ask = read_ask, .row = read_row, .done = read_done, .failed = repair_failed};

/* ---- whose a direct conversation is ---- */

static void look_up_ask(struct relay *r, struct buf *text)
{
	struct repair *p = &r->repair;
	bool first = true;
	size_t left = p->audience.conversations - p->looked_up;
	p->asked = left < LOOK_UP_MAX ? left : LOOK_UP_MAX;
	sql_lit(text, "SELECT user1_id,user2_id FROM conversations WHERE id IN (");
	for (size_t i = 0; i < p->asked; i++) {
		sql_comma(text, &first);
		sql_u64(text, p->audience.conversation[p->looked_up + i]);
	}
	sql_lit(text, ");COMMIT");
}

static void look_up_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	audience_add_user(&r->repair.audience, row_take_str(row));
	audience_add_user(&r->repair.audience, row_take_str(row));
}

static void look_up_done(struct relay *r)
{
	struct repair *p = &r->repair;
	if (p->state != REPAIR_LOOKING_UP)
		return;
	p->looked_up += p->asked;
	if (p->looked_up >= p->audience.conversations)
		tell_on(r);
}

static const struct relay_job look_up_job = {.name = "looking users up",
					     .ask = look_up_ask,
					     .row = look_up_row,
					     .done = look_up_done,
					     .failed = repair_failed};

/* ---- noting that it is done ---- */

static void note_ask(struct relay *r, struct buf *text)
{
	relay_put_done(text, CONSUMER_PUSH, &(struct cursor){r->repair.stream, r->repair.last_n}, 1);
	sql_lit(text, ";COMMIT");
}

static void note_done(struct relay *r)
{
	struct repair *p = &r->repair;
	relay_note_done(r, CONSUMER_PUSH, &(struct cursor){p->stream, p->last_n}, 1);
	p->repaired += p->rows;
	stat_add(STAT_RELAY_REPAIRS, p->rows);
	log_gated(LOG_LEVEL_INFO, "%zu users and groups are told of what %" PRIu64 " transactions have done",
		  p->audience.count, p->rows);
	repair_end(r);
}

/* They need not be told again for that. */
static void note_failed(struct relay *r)
{
	r->repair.rests = true;
}

static const struct relay_job note_job = {
	.name = "noting what is done", .ask = note_ask, .done = note_done, .failed = note_failed};

const struct relay_job *repair_due(struct relay *r)
{
	struct repair *p = &r->repair;
	switch (p->state) {
	case REPAIR_NONE:
		/* The stream of the last time comes last. */
		return !p->rests && bus_is_up(r->bus) && p->waits == 0 &&
				       streams_next_due(&r->streams, p->stream) != NULL
			       ? &read_job
			       : NULL;
	case REPAIR_LOOKING_UP:
		return &look_up_job;
	case REPAIR_NOTING:
		return !p->rests ? &note_job : NULL;
	case REPAIR_READING:
	case REPAIR_TELLING:
	case REPAIR_SETTLING:
		break;
	}
	return NULL;
}
