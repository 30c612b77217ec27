/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of an upload, on a thread: what is written, and what of it counts. */
#include "core/base.h"
#include "media/upload_priv.h"

#include "core/log.h"
#include "media/scan.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A refusal is doubtful where there is less room than this and twice the file. */
#define DOUBTFUL_BYTES ((uint64_t)1 << 20)

static void run_open(struct upload *u)
{
	u->status = files_open_part(u->us->directory, u->id, &u->fd, &u->size);
	u->placed = u->status == FILES_NONE;
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

static void run_fetch(struct upload *u)
{
	char key[UPLOAD_KEY_MAX];
	uploads_key(key, u->id, UPLOAD_KEY_PUT);
	switch (s3_get(&u->us->s3, key, u->fd, u->most, &u->size)) {
	case S3_OK:
	case S3_TOO_LARGE: /* not of the size that was announced */
		u->status = FILES_OK;
		break;
	case S3_NONE:
		u->status = FILES_NONE;
		break;
	case S3_FAILED:
		u->status = FILES_FAILED;
		break;
	}
}

static enum files_status store_one(struct upload *u, const char *suffix, const char *content_type)
{
	char key[UPLOAD_KEY_MAX];
	uint64_t size;
	int fd;
	enum files_status status = files_open(u->us->directory, u->id, suffix, &fd, &size);
	if (status != FILES_OK)
		return status;
	uploads_key(key, u->id, suffix);
	status = s3_put(&u->us->s3, key, fd, size, content_type) == S3_OK ? FILES_OK : FILES_FAILED;
	close(fd);
	return status;
}

static void run_store(struct upload *u)
{
	char key[UPLOAD_KEY_MAX];
	u->status = u->result.has_thumb ? store_one(u, FILES_THUMB, "image/webp") : FILES_OK;
	if (u->status == FILES_OK)
		u->status = store_one(u, FILES_FINAL, u->result.content_type);
	uploads_key(key, u->id, UPLOAD_KEY_PUT);
	/* Most were never there; what is left goes with the file. */
	if (u->status == FILES_OK && u->most != 0)
		(void)!s3_delete(&u->us->s3, key);
}

static void run_scan(struct upload *u)
{
	u->status = FILES_OK;
	switch (scan_file(u->us->scanner, u->fd)) {
	case SCAN_PASSES:
		break;
	case SCAN_FOUND:
		u->status = FILES_INFECTED;
		break;
	case SCAN_FAILED:
		u->status = FILES_FAILED;
		break;
	}
}

/* Why there is no file for what the media process makes. */
static enum files_status no_result(const struct upload *u)
{
	/* Who read it for an earlier upload is being killed. */
	if (errno == EWOULDBLOCK)
		return FILES_LOCKED;
	bool is_full = errno == ENOSPC || errno == EDQUOT;
	log_error_gated("media: cannot make files beside %s: %s", u->id, strerror(errno));
	return is_full ? FILES_NO_SPACE : FILES_FAILED;
}

static int open_result(struct upload *u, const char *suffix)
{
	int fd = u->status == FILES_OK ? files_open_result(u->us->directory, u->id, suffix) : -1;
	if (fd < 0 && u->status == FILES_OK)
		u->status = no_result(u);
	return fd;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Those of the results have the lock of what is in its place. */
static void close_results(struct upload *u)
{
	shut(&u->files.file);
	shut(&u->files.thumb);
	shut(&u->files.clean);
}

/* The media process gets descriptors of its own, of which that of the file is for reading only. */
static void run_prepare(struct upload *u)
{
	uint64_t size;
	close_results(u);
	u->status = files_open(u->us->directory, u->id, u->placed ? FILES_FINAL : FILES_PART, &u->files.file, &size);
	u->files.thumb = open_result(u, FILES_THUMB_PART);
	u->files.clean = open_result(u, FILES_CLEAN_PART);
}

/* What there is on the disk for what is made of the file, with what that takes already. */
static bool room_of(const struct upload *u, uint64_t *room_r)
{
	struct statvfs fs;
	struct stat thumb, clean;
	if (fstatvfs(u->files.clean, &fs) != 0 || fstat(u->files.thumb, &thumb) != 0 ||
	    fstat(u->files.clean, &clean) != 0)
		return false;
	*room_r = (uint64_t)fs.f_bavail * fs.f_frsize + ((uint64_t)thumb.st_blocks + (uint64_t)clean.st_blocks) * 512;
	return true;
}

/* The media process cannot tell a picture that it cannot read from one that it has no room to copy. */
static void run_doubt(struct upload *u)
{
	uint64_t room;
	u->status = room_of(u, &room) && room < 2 * u->size + DOUBTFUL_BYTES ? FILES_NO_SPACE : FILES_OK;
}

static void run_place(struct upload *u)
{
	u->status = files_place(u->us->directory, u->id, u->result.has_clean, u->result.has_thumb, &u->size);
}

bool uploads_remove(const char *directory, const struct s3 *s3, const char *id)
{
	static const char *const suffixes[] = {FILES_FINAL, FILES_THUMB, UPLOAD_KEY_PUT};
	char key[UPLOAD_KEY_MAX];
	bool removed = files_remove(directory, id) == FILES_OK;
	for (size_t i = 0; s3->endpoint[0] != '\0' && i < ARRAY_LEN(suffixes); i++) {
		uploads_key(key, id, suffixes[i]);
		/* Where S3 is away, each try takes seconds. */
		if (s3_delete(s3, key) != S3_OK)
			return false;
	}
	return removed;
}

void upload_run_close(struct upload *u)
{
	const struct uploads *us = u->us;
	bool removed = true;
	if (u->fd >= 0)
		(void)release(u, false);
	if (u->discarded)
		removed = uploads_remove(us->directory, &us->s3, u->id);
	else if (u->done && us->transfers != NULL)
		removed = files_remove(us->directory, u->id) == FILES_OK;
	if (!removed)
		log_warn_gated("media: something of %s is left behind", u->id);
	close_results(u);
	shut(&u->fd);
}

void upload_run(struct work_job *j)
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
	case STEP_FETCH:
		run_fetch(u);
		break;
	case STEP_STORE:
		run_store(u);
		break;
	case STEP_SCAN:
		run_scan(u);
		break;
	case STEP_PREPARE:
		run_prepare(u);
		break;
	case STEP_DOUBT:
		run_doubt(u);
		break;
	case STEP_PLACE:
		run_place(u);
		break;
	case STEP_CLOSE:
		upload_run_close(u);
		break;
	case STEP_NONE:
	case STEP_TURN:
	case STEP_INSPECT:
		break;
	}
}
