/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which step an upload takes next; each runs on a thread (upload_run.c) and ends on the loop (`stepped`). */
#include "core/base.h"
#include "media/upload_priv.h"

#include "core/clock.h"
#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Small work that waits for its thread. */
#define LOOKS_MAX 4096
/* Which every upload is taken to have brought when it is opened, so that none is slow at once. */
#define HEAD_START_BYTES 65536

static void stepped(struct work_job *j, bool ran);

/* What takes long has a thread of its own. */
static struct work *thread_of(const struct upload *u, enum step step)
{
	const struct uploads *us = u->us;
	bool waits = step == STEP_FETCH || step == STEP_STORE || (step == STEP_CLOSE && u->discarded);
	if (waits && us->transfers != NULL)
		return us->transfers;
	return step == STEP_SCAN ? us->scans : us->work;
}

static void begin(struct upload *u, enum step step)
{
	u->step = step;
	u->job = (struct work_job){.run = upload_run, .done = stepped};
	/* There is room for one job of each upload, unless no thread can be started. */
	if (!work_submit(thread_of(u, step), &u->job)) {
		upload_run(&u->job);
		stepped(&u->job, true);
	}
}

static void drop_buffer(struct upload *u, struct buffer *b)
{
	u->us->held -= b->data != NULL ? UPLOAD_BUFFER_BYTES : 0;
	free(b->data);
	*b = (struct buffer){0};
}

static void upload_free(struct upload *u)
{
	LIST_REMOVE(u, entry);
	u->us->count--;
	drop_buffer(u, &u->filling);
	drop_buffer(u, &u->writing);
	EVP_MD_CTX_free(u->md);
	free(u->declared);
	free(u);
}

static void write_next(struct upload *u, enum step step)
{
	struct buffer empty = u->writing;
	empty.len = 0;
	u->writing = u->filling;
	u->filling = empty;
	begin(u, step);
}

static void on_inspected(const struct inspect_result *r, void *ctx)
{
	struct upload *u = ctx;
	u->inspecting = NULL;
	u->result = *r;
	if (u->closing || r->status == INSPECT_OK) {
		begin(u, u->closing ? STEP_CLOSE : STEP_PLACE);
		return;
	}
	if (r->status == INSPECT_REFUSED) {
		begin(u, STEP_DOUBT);
		return;
	}
	u->step = STEP_NONE;
	u->handler->finished(FILES_OK, &u->result, u->size, u->arg);
}

static void written(struct upload *u)
{
	u->writing.len = 0;
	if (u->wants_settled) {
		write_next(u, STEP_SETTLE);
		return;
	}
	if (u->filling.len != 0 && u->status == FILES_OK) {
		write_next(u, STEP_WRITE);
	} else {
		/* One that trickles holds none while it waits for more. */
		drop_buffer(u, &u->filling);
		drop_buffer(u, &u->writing);
	}
	if (!u->waits)
		return;
	u->waits = false;
	u->handler->room(u->status, u->arg);
}

/* The one that waits longest of those in that step of that user's. */
static struct upload *upload_in(const struct uploads *us, const char *user, enum step step)
{
	struct upload *u, *found = NULL;
	LIST_FOREACH (u, &us->all, entry)
		if (u->step == step && strcmp(u->user, user) == 0)
			found = u;
	return found;
}

/* One of each user's at a time, so that those of one who brings many do not keep all others' from the scanner. */
static void begin_scan(struct upload *u)
{
	if (upload_in(u->us, u->user, STEP_SCAN) != NULL)
		u->step = STEP_TURN;
	else
		begin(u, STEP_SCAN);
}

static void scanned(const struct upload *u)
{
	struct upload *next = upload_in(u->us, u->user, STEP_TURN);
	if (next != NULL)
		begin(next, STEP_SCAN);
}

static void prepared(struct upload *u)
{
	if (u->status != FILES_OK) {
		u->handler->finished(u->status, NULL, 0, u->arg);
		return;
	}
	u->step = STEP_INSPECT;
	u->inspecting = inspect(u->us->inspector, &u->files, u->user, u->declared, on_inspected, u);
}

static void stepped(struct work_job *j, bool ran)
{
	struct upload *u = container_of(j, struct upload, job);
	enum step step = u->step;
	u->step = STEP_NONE;
	if (!ran || step == STEP_CLOSE) {
		if (!ran)
			upload_run_close(u);
		upload_free(u);
		return;
	}
	if (step == STEP_SCAN)
		scanned(u);
	if (u->closing) {
		begin(u, STEP_CLOSE);
		return;
	}
	switch (step) {
	case STEP_OPEN:
		u->receives = u->status == FILES_OK;
		u->handler->opened(u->status, u->size, u->arg);
		break;
	case STEP_WRITE:
		written(u);
		break;
	case STEP_SETTLE:
		u->writing.len = 0;
		u->wants_settled = false;
		drop_buffer(u, &u->filling);
		drop_buffer(u, &u->writing);
		u->handler->settled(u->status, u->size, u->arg);
		break;
	case STEP_SCAN:
		if (u->status == FILES_OK)
			begin(u, STEP_PREPARE);
		else
			u->handler->finished(u->status, NULL, 0, u->arg);
		break;
	case STEP_PREPARE:
		prepared(u);
		break;
	case STEP_FETCH:
		u->handler->settled(u->status, u->size, u->arg);
		break;
	case STEP_PLACE:
		if (u->status == FILES_OK && u->us->transfers != NULL)
			begin(u, STEP_STORE);
		else
			u->handler->finished(u->status, &u->result, u->size, u->arg);
		break;
	case STEP_DOUBT:
	case STEP_STORE:
		u->handler->finished(u->status, &u->result, u->size, u->arg);
		break;
	case STEP_NONE:
	case STEP_TURN:
	case STEP_INSPECT:
	case STEP_CLOSE:
		break;
	}
}

static double bytes_per_ms(const struct upload *u, int64_t now_ms)
{
	return ((double)u->came + HEAD_START_BYTES) / ((double)(now_ms - u->opened_ms) + 1);
}

/* Clients that only trickle must not keep all others out. */
static void make_room(const struct uploads *us)
{
	int64_t now_ms = clock_mono_ms();
	struct upload *u, *slowest = NULL;
	LIST_FOREACH (u, &us->all, entry) {
		bool waits_for_client = u->step == STEP_NONE && u->receives;
		if (waits_for_client && (slowest == NULL || bytes_per_ms(u, now_ms) < bytes_per_ms(slowest, now_ms)))
			slowest = u;
	}
	if (slowest != NULL)
		slowest->handler->crowded(slowest->arg);
}

struct upload *upload_open(struct uploads *us, const char *id, const char *user, const struct upload_handler *handler,
			   void *arg)
{
	if (us->count == UPLOADS_MAX) {
		make_room(us);
		return NULL;
	}
	struct upload *u = xcalloc(1, sizeof(*u));
	u->us = us;
	u->handler = handler;
	u->arg = arg;
	u->fd = u->files.file = u->files.thumb = u->files.clean = -1;
	u->opened_ms = clock_mono_ms();
	snprintf(u->id, sizeof(u->id), "%s", id);
	snprintf(u->user, sizeof(u->user), "%s", user);
	LIST_INSERT_HEAD(&us->all, u, entry);
	us->count++;
	begin(u, STEP_OPEN);
	return u;
}

unsigned upload_count(const struct uploads *us, struct str user)
{
	unsigned n = 0;
	const struct upload *u;
	LIST_FOREACH (u, &us->all, entry)
		n += str_is(user, u->user);
	return n;
}

int upload_expect(struct upload *u, enum upload_checksum kind, struct str digest)
{
	const EVP_MD *const kinds[] = {NULL, EVP_md5(), EVP_sha1(), EVP_sha256(), EVP_sha512()};
	ASSERT(kind != CHECKSUM_NONE && u->step == STEP_NONE);
	if (digest.len != (size_t)EVP_MD_get_size(kinds[kind]))
		return -1;
	memcpy(u->digest, digest.s, digest.len);
	u->digest_len = digest.len;
	u->md = EVP_MD_CTX_new();
	ASSERT(u->md != NULL && EVP_DigestInit_ex(u->md, kinds[kind], NULL) == 1);
	u->expects = true;
	return 0;
}

void upload_from_scratch(struct upload *u)
{
	ASSERT(u->step == STEP_NONE);
	u->empties = true;
}

static bool is_full(const struct upload *u)
{
	size_t left = UPLOAD_BUFFER_BYTES - u->filling.len;
	return left < LOOP_READ_SIZE || (u->us->held > UPLOAD_HELD_MAX && u->filling.len != 0);
}

bool upload_append(struct upload *u, struct str part)
{
	struct buffer *b = &u->filling;
	ASSERT(!u->waits && !u->wants_settled && part.len <= UPLOAD_BUFFER_BYTES - b->len);
	if (b->data == NULL) {
		b->data = xmalloc(UPLOAD_BUFFER_BYTES);
		u->us->held += UPLOAD_BUFFER_BYTES;
	}
	memcpy(b->data + b->len, part.s, part.len);
	b->len += part.len;
	u->came += part.len;
	if (u->step == STEP_NONE)
		write_next(u, STEP_WRITE);
	u->waits = u->step != STEP_NONE && is_full(u);
	return !u->waits;
}

void upload_settle(struct upload *u)
{
	u->wants_settled = true;
	u->receives = false;
	if (u->step == STEP_NONE)
		write_next(u, STEP_SETTLE);
}

void upload_fetch(struct upload *u, uint64_t most)
{
	ASSERT(u->step == STEP_NONE && u->us->transfers != NULL);
	u->most = most;
	u->receives = false;
	begin(u, STEP_FETCH);
}

void upload_done(struct upload *u)
{
	u->done = true;
}

void upload_finish(struct upload *u, const char *declared)
{
	ASSERT(u->step == STEP_NONE);
	free(u->declared);
	u->declared = xstrdup(declared);
	u->receives = false;
	if (u->us->scanner[0] != '\0')
		begin_scan(u);
	else
		begin(u, STEP_PREPARE);
}

void upload_close(struct upload **up)
{
	struct upload *u = *up;
	*up = NULL;
	if (u == NULL)
		return;
	u->closing = true;
	if (u->inspecting != NULL) {
		inspect_cancel(&u->inspecting);
		u->step = STEP_NONE;
	}
	if (u->step == STEP_NONE || u->step == STEP_TURN)
		begin(u, STEP_CLOSE);
}

void upload_discard(struct upload **up)
{
	if (*up != NULL)
		(*up)->discarded = true;
	upload_close(up);
}

/* ---- small work ---- */

struct small_job {
	struct work_job job;
	struct uploads *us;
	uploads_size_fn *sized;
	uploads_file_fn *opened;
	void *arg;
	char id[MEDIA_ID_LEN + 1];
	const char *suffix;
	enum files_status status;
	int fd;
	uint64_t size;
};

static void run_small(struct work_job *j)
{
	struct small_job *s = container_of(j, struct small_job, job);
	if (s->sized != NULL)
		s->status = files_part_size(s->us->directory, s->id, &s->size);
	else
		s->status = files_open(s->us->directory, s->id, s->suffix, &s->fd, &s->size);
}

static void small_done(struct work_job *j, bool ran)
{
	struct small_job *s = container_of(j, struct small_job, job);
	if (!ran)
		s->status = FILES_FAILED;
	if (s->sized != NULL)
		s->sized(s->status, s->size, s->arg);
	else
		s->opened(s->status, s->fd, s->size, s->arg);
	free(s);
}

static struct small_job *small_new(struct uploads *us, const char *id, void *arg)
{
	struct small_job *s = xcalloc(1, sizeof(*s));
	*s = (struct small_job){.job = {.run = run_small, .done = small_done}, .us = us, .arg = arg, .fd = -1};
	snprintf(s->id, sizeof(s->id), "%s", id);
	return s;
}

static void submit_small(struct small_job *s)
{
	if (!work_submit(s->us->looks, &s->job))
		small_done(&s->job, false);
}

void uploads_part_size(struct uploads *us, const char *id, uploads_size_fn *fn, void *arg)
{
	struct small_job *s = small_new(us, id, arg);
	s->sized = fn;
	submit_small(s);
}

void uploads_open_file(struct uploads *us, const char *id, const char *suffix, uploads_file_fn *fn, void *arg)
{
	struct small_job *s = small_new(us, id, arg);
	s->opened = fn;
	s->suffix = suffix;
	submit_small(s);
}

/* ---- all of them ---- */

const struct s3 *uploads_s3(const struct uploads *us)
{
	return us->transfers != NULL ? &us->s3 : NULL;
}

void uploads_key(char out[UPLOAD_KEY_MAX], const char *id, const char *suffix)
{
	snprintf(out, UPLOAD_KEY_MAX, "%s%s", id, suffix);
}

struct uploads *uploads_new(struct loop *loop, const struct conf *conf, int mailbox)
{
	struct uploads *us = xcalloc(1, sizeof(*us));
	us->loop = loop;
	us->directory = conf->media.directory;
	us->scanner = conf->media.scanner;
	us->s3 = s3_of(conf);
	if (us->s3.endpoint[0] != '\0') {
		s3_start();
		us->transfers = work_new(loop, UPLOADS_MAX);
	}
	us->work = work_new(loop, UPLOADS_MAX);
	us->looks = work_new(loop, LOOKS_MAX);
	us->scans = work_new(loop, UPLOADS_MAX);
	us->inspector = inspector_new(loop, mailbox);
	LIST_INIT(&us->all);
	return us;
}

void uploads_free(struct uploads **usp)
{
	struct uploads *us = *usp;
	struct upload *u, *next;
	if (us == NULL)
		return;
	*usp = NULL;
	for (u = LIST_FIRST(&us->all); u != NULL; u = next) {
		next = LIST_NEXT(u, entry);
		if (u->closing)
			continue;
		const struct upload_handler *handler = u->handler;
		void *arg = u->arg;
		upload_close(&u);
		handler->ended(arg);
	}
	inspector_free(&us->inspector);
	/* Those that were scanned have something to close. */
	work_free(&us->scans);
	work_free(&us->transfers);
	work_free(&us->work);
	work_free(&us->looks);
	free(us);
}
