/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes what was decided for devices: in one transaction a row for each, and the jobs are gone. */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "relay/relay_priv.h"
#include "store/sql.h"

/* Bytes of rows at a time; a database takes 2 MiB at least (store/settings.c). */
#define WRITE_BYTES 524288
/* Friend requests are no conversation, and no notification either: their rows must not replace one another. */
#define FRIEND_REQUESTS UINT64_MAX

/* The rows of one statement, while they are gathered. */
struct rows {
	struct buf text;
	bool any;
};
struct note {
	struct rows sends, shown, withdrawn, jobs;
};

static struct buf *next_row(struct rows *rows, const char *between)
{
	if (rows->any)
		buf_append_str(&rows->text, str_from(between));
	rows->any = true;
	return &rows->text;
}

static void put_rows(struct rows *rows, struct buf *text, const char *head, const char *tail)
{
	if (rows->any) {
		buf_append_str(text, str_from(head));
		buf_append(text, rows->text.data, rows->text.len);
		buf_append_str(text, str_from(tail));
	}
	buf_fini(&rows->text);
}

static void put_send(struct relay *r, const struct device_job *j, uint64_t conversation_id, struct push_text *t,
		     const struct device_found *f, struct note *note)
{
	struct devices *v = &r->devices;
	struct buf *text = next_row(&note->sends, ",");
	t->badge = f->job->badge;
	t->preview = f->job->settings.preview;
	buf_clear(&v->text);
	devices_text_put(v->out, &v->text, t, f->locale);
	buf_append_char(text, '(');
	sql_str(text, str_from(j->user));
	buf_append_char(text, ',');
	sql_str(text, f->id);
	buf_append_char(text, ',');
	sql_u64(text, conversation_id);
	buf_append_char(text, ',');
	sql_u64(text, ((uint64_t)arc4random() << 32 | arc4random()) >> 1);
	buf_printf(text, ",%u,", service_lane(f->platform, f->token));
	sql_str(text, (struct str){v->text.data, v->text.len});
	buf_append_char(text, ',');
	sql_now(text);
	buf_append_char(text, ',');
	sql_now(text);
	buf_append_char(text, ')');
}

static void put_sends(struct relay *r, const struct device_job *j, const struct device_job *first,
		      uint64_t conversation_id, struct push_text *t, struct note *note)
{
	const struct device_decide *d = &r->devices.decide;
	for (size_t i = 0; i < d->devices; i++)
		if (d->device[i].job == first)
			put_send(r, j, conversation_id, t, &d->device[i], note);
}

static void put_key(const struct device_job *j, struct buf *text)
{
	sql_lit(text, "conversation_id=");
	sql_u64(text, j->conversation_id);
	sql_lit(text, " AND user_id=");
	sql_str(text, str_from(j->user));
}

static void put_shown(const struct device_job *j, struct note *note)
{
	struct buf *text = next_row(&note->shown, ",");
	buf_append_char(text, '(');
	sql_u64(text, j->conversation_id);
	buf_append_char(text, ',');
	sql_str(text, str_from(j->user));
	buf_append_char(text, ',');
	sql_u64(text, message_id_seq(j->text.message_id));
	buf_append_char(text, ')');
}

static void put_withdrawal(struct relay *r, const struct device_job *j, const struct device_job *first,
			   struct note *note)
{
	struct push_text t = {.kind = PUSH_READ, .conversation_id = j->conversation_id};
	put_sends(r, j, first, j->conversation_id, &t, note);
	struct buf *text = next_row(&note->withdrawn, " OR ");
	buf_append_char(text, '(');
	put_key(j, text);
	buf_append_char(text, ')');
}

static void put_decision(struct relay *r, struct device_job *j, struct note *note)
{
	const struct device_job *first = device_job_first(&r->devices.decide, j);
	bool tells = !j->online && first->may;
	if (tells && j->has_text)
		put_sends(r, j, first, j->conversation_id, &j->text, note);
	if (tells && j->has_asked)
		put_sends(r, j, first, FRIEND_REQUESTS, &j->asked, note);
	if (tells && j->has_text && j->conversation_id != 0)
		put_shown(j, note);
	else if (j->withdraws && !(tells && j->has_text))
		put_withdrawal(r, j, first, note);
}

static void decide(struct relay *r, struct device_job *j, struct note *note)
{
	if (!device_job_is_idle(j))
		put_decision(r, j, note);
	struct buf *text = next_row(&note->jobs, " OR ");
	buf_append_char(text, '(');
	put_key(j, text);
	sql_lit(text, " AND version=");
	sql_u64(text, j->version);
	/* A job that another relay has made anew counts its versions from 1 again. */
	sql_lit(text, " AND message_id=");
	sql_u64(text, j->message_id);
	buf_append_char(text, ')');
}

static void write_ask(struct relay *r, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	struct note note = {0};
	/* The others are due still. */
	for (unsigned i = 0; i < d->jobs && note.sends.text.len < WRITE_BYTES; i++)
		decide(r, &d->job[i], &note);
	put_rows(&note.sends, text,
		 "INSERT INTO push_sends (user_id,device_id,conversation_id,version,lane,payload,made_at,due_at) "
		 "VALUES ",
		 " ON DUPLICATE KEY UPDATE version=VALUES(version),lane=VALUES(lane),tries=0,payload=VALUES(payload),"
		 "made_at=VALUES(made_at),due_at=VALUES(due_at);");
	put_rows(&note.shown, text, "INSERT INTO push_shown (conversation_id,user_id,seq) VALUES ",
		 " ON DUPLICATE KEY UPDATE seq=GREATEST(seq,VALUES(seq));");
	put_rows(&note.withdrawn, text, "DELETE s FROM push_shown s FORCE INDEX (PRIMARY) WHERE ", ";");
	put_rows(&note.jobs, text, "DELETE j FROM push_jobs j FORCE INDEX (PRIMARY) WHERE ", ";");
	sql_lit(text, "COMMIT");
}

static void write_done(struct relay *r)
{
	if (r->devices.step != DEVICES_WRITING)
		return;
	struct device_decide *d = &r->devices.decide;
	d->limit = d->limit < DECIDE_MAX / 2 ? 2 * d->limit : DECIDE_MAX;
	r->devices.step = DEVICES_IDLE;
	r->devices.pick_ms = 0;
	devices_decide_drop(r);
}

const struct relay_job devices_note_job = {
	.name = "noting what to tell devices", .ask = write_ask, .done = write_done, .failed = devices_failed};
