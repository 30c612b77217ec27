/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which step an upload takes next; each runs on the thread (`run`) and ends on the loop (`stepped`). */
#include "core/base.h"
#include "media/upload.h"

#include "core/id.h"
#include "core/log.h"
#include "media/scan.h"
#include "net/work.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

struct uploads {
	struct loop *loop;
	const char *directory;
	const char *scanner;
	struct work *work;
	struct work *scans; /* a thread of their own: one may take a minute */
	struct inspector *inspector;
	LIST_HEAD(, upload) all;
	unsigned count;
	size_t held; /* bytes in buffers */
};

enum step {
	STEP_NONE,
	STEP_OPEN,
	STEP_WRITE,
	STEP_SETTLE,  /* the same, and whether all of it counts */
	STEP_SCAN,    /* by the operator's scanner */
	STEP_PREPARE, /* for the media process */
	STEP_INSPECT, /* the media process has it */
	STEP_PLACE,
	STEP_CLOSE,
};

struct buffer {
	char *data;
	size_t len;
};

struct upload {
	LIST_ENTRY(upload) entry;
	struct work_job job;
	struct uploads *us;
	const struct upload_handler *handler;
	void *arg;
	char id[MEDIA_ID_LEN + 1], user[USER_ID_MAX + 1];
	enum step step;
	bool closing;	    /* once the step is over */
	bool waits;	    /* room() is owed */
	bool wants_settled; /* settled() is */
	int fd;		    /* the part file; -1: none is open */
	uint64_t size;	    /* of it, on the thread as it writes */
	struct buffer filling, writing;
	enum files_status status;

	/* What is expected of a part. */
	bool empties, expects, holds;
	uint64_t counts; /* where the part begins */
	unsigned char digest[CHECKSUM_BYTES_MAX];
	size_t digest_len;
	EVP_MD_CTX *md;

	/* The end. */
	char *declared;
	struct inspect_files files;
	struct inspect_job *inspecting;
	struct inspect_result result;
};

/* ---- on the thread ---- */

static void run_open(struct upload *u)
{
	u->status = files_open_part(u->us->directory, u->id, &u->fd, &u->size);
	u->counts = u->size;
}

static enum files_status begin_part(struct upload *u)
{
	enum files_status status = FILES_OK;
	if (u->empties) {
		u->empties = false;
		u->counts = u->size = 0;
		status = files_release(u->us->directory, u->id, u->fd, 0, false);
	}
	if (status == FILES_OK && u->expects && !u->holds) {
		status = files_hold(u->us->directory, u->id, u->counts);
		u->holds = status == FILES_OK;
	}
	return status;
}

static void run_write(struct upload *u)
{
	if (u->status == FILES_OK)
		u->status = begin_part(u);
	if (u->status == FILES_OK && u->writing.len != 0)
		u->status = files_write(u->fd, u->writing.data, u->writing.len, u->size);
	if (u->status != FILES_OK)
		return;
	if (u->md != NULL)
		ASSERT(EVP_DigestUpdate(u->md, u->writing.data, u->writing.len) == 1);
	u->size += u->writing.len;
}

/* True: the digest is the one that was expected, or none was. */
static bool is_right(struct upload *u)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	if (u->md == NULL)
		return true;
	ASSERT(EVP_DigestFinal_ex(u->md, digest, &len) == 1);
	return len == u->digest_len && CRYPTO_memcmp(digest, u->digest, len) == 0;
}

/* The part ends; `counts`: what came counts. */
static enum files_status release(struct upload *u, bool counts)
{
	enum files_status status = FILES_OK;
	if (u->holds)
		status = files_release(u->us->directory, u->id, u->fd, u->counts, counts);
	if (u->holds && !counts)
		u->size = u->counts;
	u->holds = u->expects = false;
	EVP_MD_CTX_free(u->md);
	u->md = NULL;
	return status;
}

static void run_settle(struct upload *u)
{
	run_write(u);
	bool written = u->status == FILES_OK, right = written && is_right(u);
	enum files_status status = release(u, right);
	if (written)
		u->status = status != FILES_OK ? status : right ? FILES_OK : FILES_MISMATCH;
	u->counts = u->size;
}

static void run_scan(struct upload *u)
{
	int fd = u->fd;
	uint64_t size;
	u->status = fd >= 0 ? FILES_OK : files_open(u->us->directory, u->id, FILES_FINAL, &fd, &size);
	if (u->status != FILES_OK)
		return;
	switch (scan_file(u->us->scanner, fd)) {
	case SCAN_PASSES:
		break;
	case SCAN_FOUND:
		u->status = FILES_INFECTED;
		break;
	case SCAN_FAILED:
		u->status = FILES_FAILED;
		break;
	}
	if (fd != u->fd)
		close(fd);
}

/* What is whole is on disk before it is read by another process, so that the end has little left to wait for. */
static void run_prepare(struct upload *u)
{
	const char *directory = u->us->directory;
	uint64_t size;
	u->status = FILES_OK;
	if (u->fd < 0)
		u->status = files_open(directory, u->id, FILES_FINAL, &u->fd, &size);
	u->files.file = u->fd;
	u->files.thumb = files_open_result(directory, u->id, FILES_THUMB_PART);
	u->files.clean = files_open_result(directory, u->id, FILES_CLEAN_PART);
	if (u->status == FILES_OK && (u->files.thumb < 0 || u->files.clean < 0)) {
		u->status = errno == ENOSPC || errno == EDQUOT ? FILES_NO_SPACE : FILES_FAILED;
		log_error_gated("media: cannot make files beside %s: %s", u->id, strerror(errno));
	}
}

static void close_results(struct upload *u)
{
	if (u->files.thumb >= 0)
		close(u->files.thumb);
	if (u->files.clean >= 0)
		close(u->files.clean);
	u->files.thumb = u->files.clean = -1;
}

static void run_place(struct upload *u)
{
	close_results(u);
	u->status = files_place(u->us->directory, u->id, u->result.has_clean, u->result.has_thumb, &u->size);
}

static void run_close(struct upload *u)
{
	if (u->fd >= 0) {
		(void)release(u, false);
		close(u->fd);
	}
	close_results(u);
}

static void run(struct work_job *j)
{
	struct upload *u = container_of(j, struct upload, job);
	switch (u->step) {
	case STEP_OPEN:
		run_open(u);
		break;
	case STEP_WRITE:
		run_write(u);
		break;
	case STEP_SETTLE:
		run_settle(u);
		break;
	case STEP_SCAN:
		run_scan(u);
		break;
	case STEP_PREPARE:
		run_prepare(u);
		break;
	case STEP_PLACE:
		run_place(u);
		break;
	case STEP_CLOSE:
		run_close(u);
		break;
	case STEP_NONE:
	case STEP_INSPECT:
		break;
	}
}

/* ---- on the loop ---- */

static void stepped(struct work_job *j, bool ran);

static void begin(struct upload *u, enum step step)
{
	u->step = step;
	u->job = (struct work_job){.run = run, .done = stepped};
	/* There is room for one job of each upload, unless no thread can be started. */
	if (!work_submit(step == STEP_SCAN ? u->us->scans : u->us->work, &u->job)) {
		run(&u->job);
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
	if (u->filling.len != 0 && u->status == FILES_OK)
		write_next(u, STEP_WRITE);
	if (!u->waits)
		return;
	u->waits = false;
	u->handler->room(u->status, u->arg);
}

static void prepared(struct upload *u)
{
	if (u->status != FILES_OK) {
		u->handler->finished(u->status, NULL, 0, u->arg);
		return;
	}
	u->step = STEP_INSPECT;
	u->inspecting = inspect(u->us->inspector, &u->files, u->declared, on_inspected, u);
}

static void stepped(struct work_job *j, bool ran)
{
	struct upload *u = container_of(j, struct upload, job);
	enum step step = u->step;
	u->step = STEP_NONE;
	if (!ran || step == STEP_CLOSE) {
		if (!ran)
			run_close(u);
		upload_free(u);
		return;
	}
	if (u->closing) {
		begin(u, STEP_CLOSE);
		return;
	}
	switch (step) {
	case STEP_OPEN:
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
	case STEP_PLACE:
		u->handler->finished(u->status, &u->result, u->size, u->arg);
		break;
	case STEP_NONE:
	case STEP_INSPECT:
	case STEP_CLOSE:
		break;
	}
}

struct upload *upload_open(struct uploads *us, const char *id, const char *user, const struct upload_handler *handler,
			   void *arg)
{
	if (us->count == UPLOADS_MAX)
		return NULL;
	struct upload *u = xcalloc(1, sizeof(*u));
	u->us = us;
	u->handler = handler;
	u->arg = arg;
	u->fd = u->files.file = u->files.thumb = u->files.clean = -1;
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
	if (u->step == STEP_NONE)
		write_next(u, STEP_WRITE);
	u->waits = u->step != STEP_NONE && is_full(u);
	return !u->waits;
}

void upload_settle(struct upload *u)
{
	u->wants_settled = true;
	if (u->step == STEP_NONE)
		write_next(u, STEP_SETTLE);
}

void upload_finish(struct upload *u, const char *declared)
{
	ASSERT(u->step == STEP_NONE);
	free(u->declared);
	u->declared = xstrdup(declared);
	begin(u, u->us->scanner[0] != '\0' ? STEP_SCAN : STEP_PREPARE);
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
	if (u->step == STEP_NONE)
		begin(u, STEP_CLOSE);
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
	if (!work_submit(s->us->work, &s->job))
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

struct uploads *uploads_new(struct loop *loop, const char *directory, const char *scanner, int mailbox)
{
	struct uploads *us = xcalloc(1, sizeof(*us));
	us->loop = loop;
	us->directory = directory;
	us->scanner = scanner;
	us->work = work_new(loop, 4 * UPLOADS_MAX);
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
	work_free(&us->work);
	free(us);
}
