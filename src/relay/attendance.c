/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides who has come online and who has gone, and puts it into the outbox. */
#include "core/base.h"
#include "relay/attendance.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bus/form.h"
#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "relay/relay_priv.h"
#include "store/outbox_items.h"
#include "store/row.h"
#include "store/sql.h"

#define TICK_MS 100
#define WALK_MS 1000
/* After a failure; and for workers to be back after Redis, before anybody is missed. */
#define RETRY_MS 1000
#define REJOIN_MS 10000
/* What a call of the roll has for its answers, at least. */
#define CALL_MS 1000
#define PARTS_TIMES 64
#define PARTS_MAX 4096
#define CLEAR_MAX 1000

struct attendee {
	TAILQ_ENTRY(attendee) entry;
	int64_t due_ms, at_ms;
	bool came;
	uint8_t len;
	char user[];
};

static struct str attendee_key(const void *item)
{
	const struct attendee *a = item;
	return (struct str){a->user, a->len};
}

/* ---- hints ---- */

static void take_out(struct attendance *x, struct attendee *a)
{
	struct attendee_list *list = a->came ? &x->came : &x->went;
	TAILQ_REMOVE(list, a, entry);
}

static void drop(struct attendance *x, struct attendee *a)
{
	take_out(x, a);
	table_remove(&x->hints, a);
	free(a);
}

/* The last one of a user counts: it comes after what the others told of. */
static void hint(struct attendance *x, struct str user, bool came, int64_t at_ms)
{
	struct attendee *a = table_find(&x->hints, user);
	if (a != NULL) {
		take_out(x, a);
	} else if (x->hints.count >= ATTENDANCE_HINTS_MAX) {
		/* One who went is found by the walk. */
		x->missed |= came;
		x->hurries |= !came;
		return;
	} else {
		a = xcalloc(1, sizeof(*a) + user.len);
		a->len = (uint8_t)user.len;
		memcpy(a->user, user.s, user.len);
		table_add(&x->hints, a);
	}
	a->came = came;
	a->at_ms = at_ms;
	a->due_ms = clock_mono_ms() + (came ? 0 : ATTENDANCE_ABSENCE_MS);
	if (came)
		TAILQ_INSERT_TAIL(&x->came, a, entry);
	else
		TAILQ_INSERT_TAIL(&x->went, a, entry);
}

/* Those that it is at, if nothing newer was heard of them. */
static void hint_again(struct attendance *x)
{
	for (unsigned i = 0; i < x->count && !x->walks; i++) {
		const struct attendance_user *u = &x->user[i];
		if (table_find(&x->hints, str_from(u->user)) == NULL)
			hint(x, str_from(u->user), u->came, u->at_ms);
	}
	x->rest_ms = clock_mono_ms() + RETRY_MS;
	x->step = ATTENDANCE_IDLE;
	x->count = 0;
}

void attendance_heard(struct relay *r, struct str message)
{
	struct bus_form form;
	int64_t now_ms = clock_wall_ms();
	if (!r->attendance.subscribed || !bus_form_read(message, &form) || !form.known || form.kind != BUS_ROLL)
		return;
	while (form.data.len != 0) {
		const char *space = memchr(form.data.s, ' ', form.data.len);
		size_t len = space != NULL ? (size_t)(space - form.data.s) : form.data.len;
		struct str user = {form.data.s + 1, len - (len != 0)};
		if (id_user_valid(user) && (form.data.s[0] == '+' || form.data.s[0] == '-'))
			hint(&r->attendance, user, form.data.s[0] == '+', now_ms);
		len += space != NULL;
		form.data = (struct str){form.data.s + len, form.data.len - len};
	}
}

/* ---- the roll ---- */

static void publish(struct relay *r, enum bus_kind kind, struct str data)
{
	struct buf b = {0};
	bus_form_begin(&b, kind, ORIGIN_RELAY);
	buf_append_str(&b, data);
	bool queued = bus_publish(r->bus, STR_LIT(TOPIC_ALL), (struct str){b.data, b.len});
	stat_add(queued ? STAT_BUS_OUT : STAT_BUS_LOST, 1);
	buf_fini(&b);
}

static void call_part(struct relay *r)
{
	struct attendance *x = &r->attendance;
	struct buf b = {0};
	buf_printf(&b, "%" PRIu64 " %" PRIu64, x->part, x->parts);
	publish(r, BUS_ROLL_CALL, (struct str){b.data, b.len});
	/* As repair.c does. */
	publish(r, BUS_BYE, STR_LIT(""));
	buf_fini(&b);
	x->called_ms = clock_mono_ms();
}

static void call_roll(struct relay *r, uint64_t parts)
{
	struct attendance *x = &r->attendance;
	x->missed = false;
	x->parts = parts;
	x->part = 0;
	call_part(r);
}

static void go_on_calling(struct relay *r, int64_t now_ms)
{
	struct attendance *x = &r->attendance;
	if (!TAILQ_EMPTY(&x->came) || now_ms - x->called_ms < CALL_MS)
		return;
	if (x->missed) {
		uint64_t parts = x->parts * PARTS_TIMES;
		call_roll(r, parts == 0 ? 1 : parts < PARTS_MAX ? parts : PARTS_MAX);
	} else if (x->parts != 0 && ++x->part < x->parts) {
		call_part(r);
	} else {
		x->parts = 0;
	}
}

/* ---- asking Redis ---- */

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct attendance *x = arg;
	struct relay *r = container_of(x, struct relay, attendance);
	bool gone = false;
	if (counts == NULL) {
		hint_again(x);
		return;
	}
	for (size_t i = 0; i < n; i++)
		x->user[i].online = counts[i] != 0;
	if (!x->walks) {
		x->step = ATTENDANCE_READING;
		relay_go_on(r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str user = str_from(x->user[i].user);
		gone |= counts[i] == 0;
		if (counts[i] == 0 && table_find(&x->hints, user) == NULL)
			hint(x, user, false, clock_wall_ms());
	}
	memcpy(x->walked, x->user[n - 1].user, sizeof(x->walked));
	x->walk_ms = clock_mono_ms() + (gone || x->hurries ? 0 : WALK_MS);
	x->step = ATTENDANCE_IDLE;
}

static void count_users(struct relay *r)
{
	struct attendance *x = &r->attendance;
	char topic[ATTENDANCE_BATCH][TOPIC_MAX];
	struct str topics[ATTENDANCE_BATCH];
	for (unsigned i = 0; i < x->count; i++)
		topics[i] = topic_make(topic[i], TOPIC_USER, str_from(x->user[i].user));
	x->step = ATTENDANCE_COUNTING;
	bus_count(r->bus, topics, x->count, on_counts, x);
}

/* ---- the next ones ---- */

static void add_user(struct attendance *x, struct attendee *a)
{
	struct attendance_user *u = &x->user[x->count++];
	*u = (struct attendance_user){.came = a->came, .at_ms = a->at_ms};
	memcpy(u->user, a->user, a->len);
	drop(x, a);
}

static void take_hints(struct attendance *x, int64_t now_ms)
{
	struct attendee *a;
	x->count = 0;
	x->walks = false;
	while (x->count < ATTENDANCE_BATCH && (a = TAILQ_FIRST(&x->came)) != NULL)
		add_user(x, a);
	while (x->count < ATTENDANCE_BATCH && (a = TAILQ_FIRST(&x->went)) != NULL && a->due_ms <= now_ms)
		add_user(x, a);
}

static void attendance_go_on(struct relay *r)
{
	struct attendance *x = &r->attendance;
	int64_t now_ms = clock_mono_ms();
	if (x->step != ATTENDANCE_IDLE || !x->subscribed || !bus_is_up(r->bus) || now_ms < x->rest_ms)
		return;
	go_on_calling(r, now_ms);
	take_hints(x, now_ms);
	if (x->count != 0)
		count_users(r);
	else if (now_ms >= x->walk_ms)
		x->step = ATTENDANCE_WALKING;
}

static void on_tick(struct wheel_timer *t)
{
	struct relay *r = container_of(t, struct relay, attendance.tick);
	wheel_set(loop_wheel(r->loop), t, TICK_MS, on_tick);
	attendance_go_on(r);
	relay_go_on(r);
}

/* ---- the walk ---- */

static void walk_ask(struct relay *r, struct buf *text)
{
	struct attendance *x = &r->attendance;
	x->count = 0;
	x->walks = true;
	sql_lit(text, "SELECT user_id FROM presence_told WHERE user_id>");
	sql_str(text, str_from(x->walked));
	buf_printf(text, " ORDER BY user_id LIMIT %d;COMMIT", ATTENDANCE_BATCH);
}

static void walk_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct attendance *x = &r->attendance;
	(void)stmt;
	if (x->step != ATTENDANCE_WALKING || x->count == ATTENDANCE_BATCH)
		return;
	x->user[x->count] = (struct attendance_user){0};
	row_take_user(row, x->user[x->count++].user);
}

static void walk_done(struct relay *r)
{
	struct attendance *x = &r->attendance;
	if (x->step != ATTENDANCE_WALKING)
		return;
	if (x->count != 0) {
		count_users(r);
		return;
	}
	x->walked[0] = '\0';
	x->hurries = false;
	x->walk_ms = clock_mono_ms() + WALK_MS;
	x->step = ATTENDANCE_IDLE;
}

static void attendance_failed(struct relay *r)
{
	if (r->attendance.step != ATTENDANCE_IDLE)
		hint_again(&r->attendance);
}

static const struct relay_job walk_job = {.name = "looking at who was told to be online",
					  .ask = walk_ask,
					  .row = walk_row,
					  .done = walk_done,
					  .failed = attendance_failed};

/* ---- what was told of them ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct attendance *x = &r->attendance;
	bool first = true;
	sql_lit(text, "SELECT user_id FROM presence_told WHERE user_id IN (");
	for (unsigned i = 0; i < x->count; i++) {
		sql_comma(text, &first);
		sql_str(text, str_from(x->user[i].user));
		x->user[i].told = false;
	}
	sql_lit(text, ");COMMIT");
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct attendance *x = &r->attendance;
	struct str user = row_take_str(row);
	(void)stmt;
	for (unsigned i = 0; i < x->count; i++)
		if (str_is(user, x->user[i].user))
			x->user[i].told = true;
}

static void read_done(struct relay *r)
{
	struct attendance *x = &r->attendance;
	if (x->step != ATTENDANCE_READING)
		return;
	x->changes = 0;
	for (unsigned i = 0; i < x->count; i++)
		x->changes += x->user[i].online != x->user[i].told;
	x->step = x->changes != 0 ? ATTENDANCE_WRITING : ATTENDANCE_IDLE;
	attendance_go_on(r);
}

static const struct relay_job read_job = {.name = "reading who was told to be online",
					  .ask = read_ask,
					  .row = read_row,
					  .done = read_done,
					  .failed = attendance_failed};

/* ---- telling ---- */

/* Those who came, or those who went. False: nobody did. */
static bool put_users(const struct attendance *x, struct buf *text, bool came)
{
	bool first = true;
	for (unsigned i = 0; i < x->count; i++) {
		const struct attendance_user *u = &x->user[i];
		if (u->online == u->told || u->online != came)
			continue;
		if (first)
			buf_append_str(text, came ? STR_LIT(";INSERT IGNORE INTO presence_told (user_id) VALUES (")
						  : STR_LIT(";DELETE FROM presence_told WHERE user_id IN ("));
		else
			buf_append_str(text, came ? STR_LIT("),(") : STR_LIT(","));
		sql_str(text, str_from(u->user));
		first = false;
	}
	if (!first)
		buf_append_char(text, ')');
	return !first;
}

/* Who was heard to go, then came again, and is gone all the same (or the other way round), has done so by now. */
static void put_items(struct attendance *x)
{
	int64_t now_ms = clock_wall_ms();
	buf_clear(&x->items);
	for (unsigned i = 0; i < x->count; i++) {
		const struct attendance_user *u = &x->user[i];
		int64_t at_ms = u->came == u->online ? u->at_ms : now_ms;
		if (u->online != u->told)
			outbox_put_about(&x->items, u->online ? OUTBOX_CAME : OUTBOX_WENT, (uint64_t)at_ms,
					 str_from(u->user));
	}
}

static void put_noted(struct attendance *x, struct buf *text)
{
	x->notes = outbox_is_due(&x->outbox);
	if (!x->notes)
		return;
	sql_next(text);
	outbox_put_done(&x->outbox, text);
}

static void write_ask(struct relay *r, struct buf *text)
{
	struct attendance *x = &r->attendance;
	struct buf lease = {0};
	sql_lit(&lease, "relay_leases WHERE consumer='" LEASE_CONSUMER "' AND holder=");
	sql_str(&lease, str_from(r->lease.holder));
	sql_lit(&lease, " LOCK IN SHARE MODE");
	put_items(x);
	outbox_put_row_from(&x->outbox, text, (struct str){x->items.data, x->items.len},
			    (struct str){lease.data, lease.len});
	buf_fini(&lease);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	put_users(x, text, true);
	put_users(x, text, false);
	put_noted(x, text);
	sql_lit(text, ";COMMIT");
}

static void note_saved(struct attendance *x)
{
	if (x->notes)
		outbox_saved(&x->outbox);
}

static void write_done(struct relay *r)
{
	struct attendance *x = &r->attendance;
	note_saved(x);
	outbox_committed(&x->outbox, 0);
	if (x->step == ATTENDANCE_WRITING)
		x->step = ATTENDANCE_IDLE;
	attendance_go_on(r);
}

static void write_failed(struct relay *r)
{
	outbox_doubt(&r->attendance.outbox);
	attendance_failed(r);
}

static const struct relay_job write_job = {
	.name = "telling webhooks who is online", .ask = write_ask, .done = write_done, .failed = write_failed};

static void note_ask(struct relay *r, struct buf *text)
{
	put_noted(&r->attendance, text);
	sql_lit(text, ";COMMIT");
}

static void note_done(struct relay *r)
{
	note_saved(&r->attendance);
}

/* In a second. */
static void note_failed(struct relay *r)
{
	(void)r;
}

static const struct relay_job note_job = {
	.name = "noting that who is online is told", .ask = note_ask, .done = note_done, .failed = note_failed};

/* ---- where no webhook is told ---- */

static void clear_ask(struct relay *r, struct buf *text)
{
	r->attendance.cleared = true;
	buf_printf(text, "DELETE FROM presence_told ORDER BY user_id LIMIT %d", CLEAR_MAX);
	buf_append_char(text, ';');
	sql_lit(text, "SELECT 1 FROM presence_told LIMIT 1;COMMIT");
}

static void clear_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	(void)row;
	r->attendance.cleared = false;
}

/* In the next second. */
static void clear_failed(struct relay *r)
{
	r->attendance.cleared = false;
	r->attendance.rest_ms = clock_mono_ms() + RETRY_MS;
}

static const struct relay_job clear_job = {.name = "forgetting who was told to be online",
					   .ask = clear_ask,
					   .row = clear_row,
					   .done = note_failed,
					   .failed = clear_failed};

/* ---- what is next ---- */

const struct relay_job *attendance_due(struct relay *r, int64_t now_ms)
{
	struct attendance *x = &r->attendance;
	if (!x->on)
		return x->cleared || now_ms < x->rest_ms ? NULL : &clear_job;
	switch (x->step) {
	case ATTENDANCE_WALKING:
		return &walk_job;
	case ATTENDANCE_READING:
		return &read_job;
	case ATTENDANCE_WRITING:
		return &write_job;
	case ATTENDANCE_IDLE:
	case ATTENDANCE_COUNTING:
		break;
	}
	return outbox_is_due(&x->outbox) ? &note_job : NULL;
}

/* ---- its life ---- */

void attendance_second(struct relay *r)
{
	struct attendance *x = &r->attendance;
	if (!x->on || x->subscribed)
		return;
	x->subscribed = true;
	x->hurries = true;
	x->away |= !bus_is_up(r->bus);
	bus_subscribe(r->bus, STR_LIT(TOPIC_ROLL));
}

/* Who came before that was not heard. */
void attendance_subscribed(struct relay *r)
{
	struct attendance *x = &r->attendance;
	x->missed = true;
	x->parts = 0;
	x->called_ms = 0;
}

/* Or a call was lost. */
void attendance_bus_up(struct relay *r)
{
	struct attendance *x = &r->attendance;
	attendance_subscribed(r);
	if (!x->away)
		return;
	x->away = false;
	x->hurries = true;
	x->walked[0] = '\0';
	x->rest_ms = clock_mono_ms() + REJOIN_MS;
}

void attendance_bus_down(struct relay *r)
{
	r->attendance.away = true;
}

void attendance_forget(struct relay *r)
{
	struct attendance *x = &r->attendance;
	struct attendee *a;
	x->cleared = false;
	if (x->subscribed)
		bus_unsubscribe(r->bus, STR_LIT(TOPIC_ROLL));
	if (x->step == ATTENDANCE_COUNTING)
		bus_count_cancel(r->bus, x);
	while ((a = TAILQ_FIRST(&x->came)) != NULL || (a = TAILQ_FIRST(&x->went)) != NULL)
		drop(x, a);
	x->subscribed = x->missed = false;
	x->step = ATTENDANCE_IDLE;
	x->count = 0;
	x->parts = 0;
	x->walked[0] = '\0';
}

void attendance_init(struct relay *r)
{
	struct attendance *x = &r->attendance;
	table_init(&x->hints, attendee_key);
	TAILQ_INIT(&x->came);
	TAILQ_INIT(&x->went);
	outbox_init(&x->outbox);
	x->on = r->conf->relay.presence;
	if (x->on)
		wheel_set(loop_wheel(r->loop), &x->tick, TICK_MS, on_tick);
}

void attendance_fini(struct relay *r)
{
	struct attendance *x = &r->attendance;
	attendance_forget(r);
	wheel_cancel(&x->tick);
	table_fini(&x->hints);
	outbox_fini(&x->outbox);
	buf_fini(&x->items);
}
