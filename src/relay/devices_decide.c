/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs that are due: Redis is asked who is online, as presence is known everywhere; then all that is needed of the
 * others is read (devices_find.c), and in one transaction there is a row for each device, and the jobs are gone, but
 * those to which something was added meanwhile.
 *
 * A message is told unless its user is online, has read it, has blocked its sender, or has muted the conversation; a
 * mention passes a mute, unless mute_mentions says otherwise. What is shown is the newest mention that was not shown
 * yet, or else the newest such message. Where there is none and what was shown is read or recalled, that is withdrawn,
 * also of one who is online.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/bus.h"
#include "bus/form.h"
#include "core/clock.h"
#include "relay/relay_priv.h"
#include "store/device_priv.h"
#include "store/row.h"
#include "store/sql.h"

/* Until Redis is asked again, where it is away. */
#define UNKNOWN_REST_MS 1000

/* ---- its life ---- */

void devices_decide_drop(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	if (d->asked_bus)
		bus_count_cancel(r->bus, r);
	d->asked_bus = false;
	d->jobs = d->keys = 0;
	d->devices = d->unreads = d->count_from = d->count_to = 0;
	arena_clear(&d->arena);
}

void devices_decide_failed(struct relay *r)
{
	struct devices *v = &r->devices;
	if (v->step >= DEVICES_FINDING && v->decide.limit > 1)
		v->decide.limit /= 2;
	v->step = DEVICES_IDLE;
	devices_decide_drop(r);
}

void devices_decide_fini(struct device_decide *d)
{
	free(d->device);
	free(d->unread);
	free(d->unread_job);
	arena_fini(&d->arena);
}

/* ---- which are due ---- */

static void look_ask(struct relay *r, struct buf *text)
{
	devices_decide_drop(r);
	sql_lit(text, "SELECT j.user_id,j.conversation_id,j.version,j.message_id,j.since,s.seq,IF(c.id IS "
		      "NULL,GREATEST(g.read_seq,"
		      "g.first_seq-1),IF(c.user1_id=j.user_id,GREATEST(c.user1_read_seq,COALESCE(c.user1_first_seq,1)-"
		      "1),GREATEST("
		      "c.user2_read_seq,COALESCE(c.user2_first_seq,1)-1))) FROM push_jobs j FORCE INDEX (by_due) LEFT "
		      "JOIN conversations "
		      "c FORCE INDEX (PRIMARY) ON c.id=j.conversation_id LEFT JOIN members g FORCE INDEX (PRIMARY) ON "
		      "g.user_id=j.user_id AND g.conversation_id=j.conversation_id LEFT JOIN push_shown s FORCE INDEX "
		      "(PRIMARY) ON "
		      "s.conversation_id=j.conversation_id AND s.user_id=j.user_id WHERE j.due_at<=");
	sql_now(text);
	buf_printf(text, " ORDER BY j.due_at LIMIT %u;COMMIT", r->devices.decide.limit);
}

static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	if (r->devices.step != DEVICES_LOOKING || d->jobs == d->limit)
		return;
	struct device_job *j = &d->job[d->jobs++];
	*j = (struct device_job){.settings = push_settings_unset, .may = true};
	row_take_user(row, j->user);
	j->conversation_id = row_take_u64(row);
	j->version = row_take_u64(row);
	j->message_id = row_take_u64(row);
	j->since_ms = row_take_ms(row);
	j->shown_seq = row_take_u64(row);
	j->is_party = !row_next_is_null(row);
	j->read_seq = row_take_u64(row);
	j->withdraws = j->shown_seq != 0 && (!j->is_party || j->shown_seq <= j->read_seq);
}

static void look_done(struct relay *r)
{
	struct devices *v = &r->devices;
	if (v->step != DEVICES_LOOKING)
		return;
	v->step = v->decide.jobs != 0 ? DEVICES_ASKING : DEVICES_IDLE;
	if (v->decide.jobs == v->decide.limit)
		v->look_ms = 0;
}

static const struct relay_job look_job = {.name = "looking whose devices to tell",
					  .ask = look_ask,
					  .row = look_row,
					  .done = look_done,
					  .failed = devices_failed};

/* ---- who is online ---- */

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct relay *r = arg;
	struct device_decide *d = &r->devices.decide;
	d->asked_bus = false;
	if (r->devices.step != DEVICES_ASKING || n != d->jobs)
		return;
	/* Nobody knows: everybody who has a session would be told. What is decided already is sent all the same. */
	if (counts == NULL) {
		r->devices.step = DEVICES_IDLE;
		r->devices.look_ms = clock_mono_ms() + UNKNOWN_REST_MS;
		devices_decide_drop(r);
		relay_go_on(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		d->job[i].online = counts[i] != 0;
	r->devices.step = devices_find_begin(d) ? DEVICES_FINDING : DEVICES_WRITING;
	relay_go_on(r);
}

static void ask_bus(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	char topic[DECIDE_MAX][TOPIC_MAX];
	struct str topics[DECIDE_MAX];
	for (unsigned i = 0; i < d->jobs; i++)
		topics[i] = topic_make(topic[i], TOPIC_USER, str_from(d->job[i].user));
	d->asked_bus = true;
	bus_count(r->bus, topics, d->jobs, on_counts, r);
}

/* ---- what has to be counted of groups ---- */

static void counts_ask(struct relay *r, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	struct unread_stmt stmt;
	unsigned asked = 0;
	unread_begin(&stmt, text);
	for (d->count_from = d->count_to; d->count_to < d->unreads && asked < UNREAD_CHUNK; d->count_to++)
		asked += unread_put(&stmt, d->count_to, &d->unread[d->count_to]);
	if (unread_end(&stmt))
		buf_append_char(text, ';');
	sql_lit(text, "COMMIT");
}

static void counts_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	size_t tag = unread_take_tag(row);
	if (r->devices.step == DEVICES_COUNTING && tag >= d->count_from && tag < d->count_to)
		unread_take(row, &d->arena, &d->unread[tag]);
}

static void counts_done(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	if (r->devices.step != DEVICES_COUNTING || d->count_to < d->unreads)
		return;
	for (size_t i = 0; i < d->unreads; i++)
		d->unread_job[i]->badge += unread_in_group(&d->unread[i]);
	r->devices.step = DEVICES_WRITING;
}

static const struct relay_job counts_job = {.name = "counting what is unread for devices",
					    .ask = counts_ask,
					    .row = counts_row,
					    .done = counts_done,
					    .failed = devices_failed};

const struct relay_job *devices_decide_job(struct relay *r)
{
	switch (r->devices.step) {
	case DEVICES_LOOKING:
		return &look_job;
	case DEVICES_ASKING:
		if (!r->devices.decide.asked_bus)
			ask_bus(r);
		return NULL;
	case DEVICES_FINDING:
		return &devices_find_job;
	case DEVICES_LOOKING_BACK:
		return &devices_look_back_job;
	case DEVICES_COUNTING:
		return &counts_job;
	default:
		return &devices_note_job;
	}
}
