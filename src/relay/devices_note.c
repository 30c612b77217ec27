/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes what was decided for devices: in one transaction a row for each, and the jobs are gone. */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "relay/relay_priv.h"
#include "store/sql.h"

/* Bytes of statements at a time; a database takes 2 MiB at least (store/settings.c). */
#define WRITE_BYTES 524288
/* Friend requests are no conversation, and no notification either: their rows must not replace one another. */
#define FRIEND_REQUESTS UINT64_MAX

static void put_send(struct relay *r, const struct device_job *j, uint64_t conversation_id, struct push_text *t,
		     const struct device_found *f, struct buf *text)
{
	struct devices *v = &r->devices;
	const struct device_job *of_user = &v->decide.job[f->job];
	t->badge = of_user->badge;
	t->preview = of_user->settings.preview;
	buf_clear(&v->text);
	devices_text_put(v->out, &v->text, t, f->locale);
	sql_lit(text, "INSERT INTO push_sends (user_id,device_id,conversation_id,version,lane,payload,made_at,due_at) "
		      "VALUES (");
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
	sql_lit(text,
		") ON DUPLICATE KEY UPDATE version=VALUES(version),lane=VALUES(lane),tries=0,payload=VALUES(payload),"
		"made_at=VALUES(made_at),due_at=VALUES(due_at);");
}

static void put_sends(struct relay *r, const struct device_job *j, unsigned first, uint64_t conversation_id,
		      struct push_text *t, struct buf *text)
{
	const struct device_decide *d = &r->devices.decide;
	for (size_t i = 0; i < d->devices; i++)
		if (d->device[i].job == first)
			put_send(r, j, conversation_id, t, &d->device[i], text);
}

static void put_key(const struct device_job *j, struct buf *text)
{
	sql_lit(text, " WHERE conversation_id=");
	sql_u64(text, j->conversation_id);
	sql_lit(text, " AND user_id=");
	sql_str(text, str_from(j->user));
}

static void put_shown(const struct device_job *j, struct buf *text)
{
	sql_lit(text, "INSERT INTO push_shown (conversation_id,user_id,seq) VALUES (");
	sql_u64(text, j->conversation_id);
	buf_append_char(text, ',');
	sql_str(text, str_from(j->user));
	buf_append_char(text, ',');
	sql_u64(text, message_id_seq(j->text.message_id));
	sql_lit(text, ") ON DUPLICATE KEY UPDATE seq=GREATEST(seq,VALUES(seq));");
}

static void put_withdrawal(struct relay *r, struct device_job *j, unsigned first, struct buf *text)
{
	struct push_text t = {.kind = PUSH_READ, .conversation_id = j->conversation_id};
	put_sends(r, j, first, j->conversation_id, &t, text);
	sql_lit(text, "DELETE FROM push_shown");
	put_key(j, text);
	buf_append_char(text, ';');
}

static void put_decision(struct relay *r, unsigned i, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	struct device_job *j = &d->job[i];
	unsigned first = device_job_first(d, i);
	bool tells = !j->online && d->job[first].may;
	if (tells && j->has_text)
		put_sends(r, j, first, j->conversation_id, &j->text, text);
	if (tells && j->has_asked)
		put_sends(r, j, first, FRIEND_REQUESTS, &j->asked, text);
	if (tells && j->has_text && j->conversation_id != 0)
		put_shown(j, text);
	else if (j->withdraws && !j->has_text)
		put_withdrawal(r, j, first, text);
}

static void decide(struct relay *r, unsigned i, struct buf *text)
{
	const struct device_job *j = &r->devices.decide.job[i];
	if (!device_job_is_idle(j))
		put_decision(r, i, text);
	sql_lit(text, "DELETE FROM push_jobs");
	put_key(j, text);
	sql_lit(text, " AND version=");
	sql_u64(text, j->version);
	/* A job that another relay has made anew counts its versions from 1 again. */
	sql_lit(text, " AND message_id=");
	sql_u64(text, j->message_id);
	buf_append_char(text, ';');
}

static void write_ask(struct relay *r, struct buf *text)
{
	/* The others are due still. */
	for (unsigned i = 0; i < r->devices.decide.jobs && text->len < WRITE_BYTES; i++)
		decide(r, i, text);
	sql_lit(text, "COMMIT");
}

static void write_done(struct relay *r)
{
	if (r->devices.step != DEVICES_WRITING)
		return;
	r->devices.step = DEVICES_IDLE;
	r->devices.pick_ms = 0;
	devices_decide_drop(r);
}

const struct relay_job devices_note_job = {
	.name = "noting what to tell devices", .ask = write_ask, .done = write_done, .failed = devices_failed};
