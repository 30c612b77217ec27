/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving a file: its bytes go to its part file on a thread beside the loop, a buffer at a time; and when it is whole
 * it is looked at by the media process and put into its place.
 *
 * An upload has the part file's lock from upload_open() to upload_close(). One step is under way at a time: after
 * opened, room, settled or finished the next one may be begun. Their callbacks come from the loop, never from within.
 */
#ifndef TIDINGS_MEDIA_UPLOAD_H
#define TIDINGS_MEDIA_UPLOAD_H

#include "core/base.h"
#include "core/conf.h"
#include "core/media_ref.h"
#include "media/files.h"
#include "media/inspect.h"
#include "media/s3.h"
#include "net/loop.h"

/* Of a body that is received; one is written while the other fills. */
#define UPLOAD_BUFFER_BYTES ((size_t)256 * 1024)
/* Of all uploads of a worker, beyond which each waits until its own is written. */
#define UPLOAD_HELD_MAX ((size_t)32 * 1024 * 1024)
#define UPLOADS_MAX 1024

struct uploads; /* a worker's */
/* conf is borrowed: its section media. mailbox: as for inspector_new(). */
struct uploads *uploads_new(struct loop *loop, const struct conf *conf, int mailbox);
/* Complete files are kept in S3 (media/s3.h); NULL: they are in the directory. */
const struct s3 *uploads_s3(const struct uploads *us);
/* Keys of objects in S3: the file, its thumbnail, and what a client has put there. ID_MAX + 8 bytes. */
#define UPLOAD_KEY_MAX (MEDIA_ID_LEN + 8)
void uploads_key(char out[UPLOAD_KEY_MAX], const char *id, const char *suffix);
#define UPLOAD_KEY_PUT ".put"
/* All that there is of a file, here and in S3; false: something is left. It waits for a disk, or the network. */
bool uploads_remove(const char *directory, const struct s3 *s3, const char *id) MUST_CHECK;
/* Waits for the thread. Uploads that are left are closed, and hear it. */
void uploads_free(struct uploads **us);

struct upload;

enum upload_checksum { CHECKSUM_NONE, CHECKSUM_MD5, CHECKSUM_SHA1, CHECKSUM_SHA256, CHECKSUM_SHA512 };
#define CHECKSUM_BYTES_MAX 64

struct upload_handler {
	/* FILES_OK: size bytes count so far. FILES_NONE: it is complete, and only upload_finish() is left. */
	void (*opened)(enum files_status status, uint64_t size, void *arg);
	/* After upload_append() has said that there is none; other than FILES_OK: it could not be written. */
	void (*room)(enum files_status status, void *arg);
	/* After upload_settle() or upload_fetch(): all is written, and size bytes count. FILES_MISMATCH: nothing of it.
	 */
	void (*settled)(enum files_status status, uint64_t size, void *arg);
	/*
	 * After upload_finish(). With FILES_OK: what was found (result->status may be another than INSPECT_OK: then the
	 * part file is as it was), and the size of what is in its place. FILES_INFECTED: it was not looked at.
	 */
	void (*finished)(enum files_status status, const struct inspect_result *result, uint64_t size, void *arg);
	/*
	 * From within upload_open() of another, for which no place is left: of those that wait for their clients' bytes
	 * this one's have come the slowest. To be closed, or not.
	 */
	void (*crowded)(void *arg);
	/* uploads_free() has closed it, from within; nothing else is called. */
	void (*ended)(void *arg);
};

/* user: for upload_count(). NULL: UPLOADS_MAX are open; the slowest of them has been told. */
struct upload *upload_open(struct uploads *us, const char *id, const char *user, const struct upload_handler *handler,
			   void *arg);
/* How many the user has open in this worker. */
unsigned upload_count(const struct uploads *us, struct str user);
/*
 * What is appended from here on counts only if it has this digest, which upload_settle() finds out. Before anything
 * is. -1: digest.len does not fit.
 */
int upload_expect(struct upload *u, enum upload_checksum kind, struct str digest) MUST_CHECK;
/* Empties the part file first. Before anything is appended. */
void upload_from_scratch(struct upload *u);
/* Copies the bytes. False: the next ones have to wait for room(). */
bool upload_append(struct upload *u, struct str part) MUST_CHECK;
void upload_settle(struct upload *u);
/* What a client has put into S3 becomes the part file. FILES_NONE: there is nothing. At most so many bytes. */
void upload_fetch(struct upload *u, uint64_t most);
/* declared: a hint for inspect(). */
void upload_finish(struct upload *u, const char *declared);
/* After finished: the file's row says that it is complete. Where it is kept elsewhere, nothing of it is needed here. */
void upload_done(struct upload *u);
/*
 * No callback any more. What was appended and not settled counts as far as it is written, unless a digest was expected.
 * NULL is allowed; *u becomes NULL.
 */
void upload_close(struct upload **u);
/* The same, and deletes all that there is of the file: its row is gone. */
void upload_discard(struct upload **u);

/* ---- small work on the thread ---- */

typedef void uploads_size_fn(enum files_status status, uint64_t size, void *arg);
/* files_part_size(). FILES_FAILED where too much waits. */
void uploads_part_size(struct uploads *us, const char *id, uploads_size_fn *fn, void *arg);
typedef void uploads_file_fn(enum files_status status, int fd, uint64_t size, void *arg);
/* files_open(). The descriptor is the callback's. */
void uploads_open_file(struct uploads *us, const char *id, const char *suffix, uploads_file_fn *fn, void *arg);

#endif
