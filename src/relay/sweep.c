/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletes the files that no message shows (schema/0020_media.sql): those that media_idle says are to be looked at now.
 * In one transaction those that are not used become such that nobody finds, under the lock that a new use needs; their
 * bytes go on a thread; then their rows. Whatever is interrupted is found again in media_idle. Those of
 * recalled messages get there by sweep_feed.c.
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/log.h"
#include "media/upload.h"
#include "net/work.h"
#include "store/row.h"
#include "store/sql.h"

#define LOOK_MS 1000
#define FAILED_MS 5000
/* Until a file that could not be deleted is tried again. */
#define RETRY_SECS 10

static struct sweep *sweep_of_job(struct work_job *j)
{
	return container_of(j, struct sweep, files);
}

static void put_ids(const struct sweep *s, struct buf *text)
{
	bool first = true;
	sql_lit(text, " IN (");
	for (unsigned i = 0; i < s->count; i++) {
		sql_comma(text, &first);
		sql_str(text, str_from(s->id[i]));
	}
	buf_append_char(text, ')');
}

/* Those whose bytes are removed, or are not; '' is none. */
static void put_removed(const struct sweep *s, struct buf *text, bool removed)
{
	sql_lit(text, " IN (''");
	for (unsigned i = 0; i < s->count; i++) {
		if (s->removed[i] != removed)
			continue;
		buf_append_char(text, ',');
		sql_str(text, str_from(s->id[i]));
	}
	buf_append_char(text, ')');
}

static void take_id(struct relay *r, struct row *row)
{
	struct sweep *s = &r->sweep;
	struct str id = row_take_str(row);
	if (s->count < SWEEP_MAX && media_id_valid(id))
		snprintf(s->id[s->count++], sizeof(s->id[0]), "%.*s", (int)id.len, id.s);
}

static void later(struct relay *r, int64_t delay_ms)
{
	r->sweep.step = SWEEP_IDLE;
	r->sweep.at_ms = clock_mono_ms() + delay_ms;
}

static void sweep_failed(struct relay *r)
{
	later(r, FAILED_MS);
}

/* ---- which are to be looked at ---- */

static void find_ask(struct relay *r, struct buf *text)
{
	r->sweep.count = 0;
	buf_printf(
		text,
		"SELECT media_id FROM media_idle FORCE INDEX (by_time) WHERE due_at<=UTC_TIMESTAMP(3) ORDER BY due_at "
		"LIMIT %d;COMMIT",
		SWEEP_MAX);
}

static void id_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	take_id(r, row);
}

static void find_done(struct relay *r)
{
	r->sweep.full = r->sweep.count == SWEEP_MAX;
	if (r->sweep.count == 0)
		later(r, LOOK_MS);
	else
		r->sweep.step = SWEEP_DECIDING;
}

static const struct relay_job find_job = {
	.name = "looking for unused files", .ask = find_ask, .row = id_row, .done = find_done, .failed = sweep_failed};

/* ---- which are used ---- */

static void decide_ask(struct relay *r, struct buf *text)
{
	struct sweep *s = &r->sweep;
	sql_lit(text, "SELECT 1 FROM media_idle FORCE INDEX (PRIMARY) WHERE media_id");
	put_ids(s, text);
	/* What a statement reads is what has committed at its beginning: uses are read after the lock is there. */
	sql_lit(text, " ORDER BY media_id FOR UPDATE;SELECT 1 FROM media FORCE INDEX (PRIMARY) WHERE id");
	put_ids(s, text);
	sql_lit(text, " ORDER BY id FOR UPDATE;UPDATE media SET state=2 WHERE id");
	put_ids(s, text);
	sql_lit(text,
		" AND NOT EXISTS (SELECT 1 FROM media_uses u FORCE INDEX (PRIMARY) WHERE u.media_id=media.id) AND NOT "
		"EXISTS (SELECT 1 FROM media_avatars a FORCE INDEX (by_media) WHERE a.media_id=media.id);"
		"DELETE i FROM media_idle i FORCE INDEX (PRIMARY) WHERE i.media_id");
	put_ids(s, text);
	sql_lit(text,
		" AND NOT EXISTS (SELECT 1 FROM media m FORCE INDEX (PRIMARY) WHERE m.id=i.media_id AND m.state=2);"
		"SELECT id FROM media FORCE INDEX (PRIMARY) WHERE id");
	put_ids(s, text);
	sql_lit(text, " AND state=2;COMMIT");
	s->count = 0;
}

enum { DECIDE_LOCK_IDLE, DECIDE_LOCK_FILES, DECIDE_GOING, DECIDE_USED, DECIDE_IDS };

static void decide_row(struct relay *r, unsigned stmt, struct row *row)
{
	if (stmt == DECIDE_IDS)
		take_id(r, row);
}

static void decide_done(struct relay *r)
{
	struct sweep *s = &r->sweep;
	if (s->count == 0)
		later(r, s->full ? 0 : LOOK_MS);
	else
		s->step = SWEEP_REMOVING;
}

static const struct relay_job decide_job = {.name = "looking who uses files",
					    .ask = decide_ask,
					    .row = decide_row,
					    .done = decide_done,
					    .failed = sweep_failed};

/* ---- their bytes ---- */

static void run_remove(struct work_job *j)
{
	struct sweep *s = sweep_of_job(j);
	for (unsigned i = 0; i < s->count; i++)
		s->removed[i] = !s->leaving && uploads_remove(s->directory, &s->s3, s->id[i]);
}

static void remove_done(struct work_job *j, bool ran)
{
	struct sweep *s = sweep_of_job(j);
	struct relay *r = container_of(s, struct relay, sweep);
	if (!ran) {
		later(r, FAILED_MS);
		return;
	}
	s->step = SWEEP_FORGETTING;
	relay_go_on(r);
}

static void begin_removing(struct relay *r)
{
	struct sweep *s = &r->sweep;
	s->step = SWEEP_WAITING;
	s->files = (struct work_job){.run = run_remove, .done = remove_done};
	if (!work_submit(s->work, &s->files))
		later(r, FAILED_MS);
}

/* ---- their rows ---- */

static void forget_ask(struct relay *r, struct buf *text)
{
	struct sweep *s = &r->sweep;
	sql_lit(text, "DELETE FROM media_idle WHERE media_id");
	put_removed(s, text, true);
	sql_lit(text, ";DELETE FROM media WHERE id");
	put_removed(s, text, true);
	/* They are tried again once others have had their turn. */
	buf_printf(text, " AND state=2;UPDATE media_idle SET due_at=UTC_TIMESTAMP(3)+INTERVAL %d SECOND WHERE media_id",
		   RETRY_SECS);
	put_removed(s, text, false);
	sql_lit(text, ";COMMIT");
}

static void forget_done(struct relay *r)
{
	log_debug("media: %u files deleted", r->sweep.count);
	later(r, r->sweep.full ? 0 : LOOK_MS);
}

static const struct relay_job forget_job = {
	.name = "forgetting files", .ask = forget_ask, .done = forget_done, .failed = sweep_failed};

/* ---- from outside ---- */

void sweep_init(struct relay *r)
{
	struct sweep *s = &r->sweep;
	s->directory = r->conf->media.directory;
	s->s3 = s3_of(r->conf);
	if (s->s3.endpoint[0] != '\0')
		s3_start();
	if (s->directory[0] != '\0')
		s->work = work_new(r->loop, 1);
}

void sweep_leave(struct relay *r)
{
	r->sweep.leaving = true;
}

/* Waits for the file that is being deleted: with S3 away that takes some seconds, with all of them many minutes. */
void sweep_fini(struct relay *r)
{
	sweep_leave(r);
	work_free(&r->sweep.work);
}

void sweep_soon(struct relay *r)
{
	if (r->sweep.step == SWEEP_IDLE)
		later(r, 0);
}

void sweep_forget(struct relay *r)
{
	if (r->sweep.step != SWEEP_WAITING)
		later(r, 0);
}

const struct relay_job *sweep_due(struct relay *r, int64_t now_ms)
{
	struct sweep *s = &r->sweep;
	if (s->work == NULL)
		return NULL;
	switch (s->step) {
	case SWEEP_IDLE:
		return now_ms >= s->at_ms ? &find_job : NULL;
	case SWEEP_DECIDING:
		return &decide_job;
	case SWEEP_REMOVING:
		begin_removing(r);
		return NULL;
	case SWEEP_FORGETTING:
		return &forget_job;
	case SWEEP_WAITING:
		break;
	}
	return NULL;
}
