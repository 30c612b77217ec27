/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker and the media process say to one another. A job is one datagram with INSPECT_FDS descriptors
 * (SCM_RIGHTS, unix(7)); its answer is one datagram on the first of them. Both are read as bytes from outside: the
 * process that answers has read a stranger's file.
 *
 * The media process keeps the answer's socket open until the child that had the job is dead, so its end means that
 * nobody writes to the files any more. If there was no answer before the end, the media process itself has died.
 *
 * How to change this: raise INSPECT_VERSION. The two ends come from one build (proc/media.h), so there is only one.
 */
#ifndef TIDINGS_MEDIA_INSPECT_WIRE_H
#define TIDINGS_MEDIA_INSPECT_WIRE_H

#include "core/base.h"

#define INSPECT_VERSION 1

/* The descriptors of a job, in this order. */
enum { INSPECT_FD_ANSWER, INSPECT_FD_FILE, INSPECT_FD_THUMB, INSPECT_FD_CLEAN };
#define INSPECT_FDS 4

#define INSPECT_TYPE_MAX 127
#define INSPECT_BLURHASH_MAX 96
/* Of the pictures that are read; what a file says of its size beyond it is not believed. */
#define INSPECT_SIDE_MAX 65535
/* Longer recordings are said to be this long. */
#define INSPECT_DURATION_MAX_MS (INT64_C(1000) * 86400 * 366)

enum inspect_status {
	INSPECT_OK,
	INSPECT_REFUSED,     /* because of what is in the file: it will be refused again */
	INSPECT_UNAVAILABLE, /* it could not be looked at: another time, maybe */
};

enum inspect_reason {
	INSPECT_NO_REASON,
	INSPECT_DAMAGED,	 /* a picture that cannot be decoded to its end */
	INSPECT_TOO_MANY_PIXELS, /* all frames of an animation together */
	INSPECT_TOO_MANY_FRAMES,
	INSPECT_TOO_SLOW,   /* it took too much time */
	INSPECT_TOO_COSTLY, /* it took too much memory, or what reads it died */
};
#define INSPECT_REASONS 6
/* For people. */
const char *inspect_reason_text(enum inspect_reason reason);

/* What is known of a file. */
struct inspect_result {
	enum inspect_status status;
	enum inspect_reason reason; /* of INSPECT_REFUSED */
	/*
	 * The rest is of INSPECT_OK. The media type, found from the content: of the clean copy where there is one, else
	 * of the file. Lower case, without parameters.
	 */
	char content_type[INSPECT_TYPE_MAX + 1];
	uint32_t width, height;			 /* as shown; 0: does not apply */
	int64_t duration_ms;			 /* -1: does not apply */
	char blurhash[INSPECT_BLURHASH_MAX + 1]; /* "": none */
	bool has_thumb;				 /* a WebP picture of at most 320 x 320 was written */
	bool has_clean;				 /* the file without metadata was written, to be used in its place */
	bool is_checked; /* a picture that was decoded to its end, or audio or video that could be read: browsers may
			  * show it */
};

#define INSPECT_JOB_BYTES 8
#define INSPECT_ANSWER_MAX 320

void inspect_job_write(unsigned char out[INSPECT_JOB_BYTES]);
/* fds: how many descriptors came with it. */
bool inspect_job_read(const void *data, size_t len, size_t fds) MUST_CHECK;
/* The number of bytes. The result must be one that inspect_answer_read() takes. */
size_t inspect_answer_write(const struct inspect_result *r, unsigned char out[INSPECT_ANSWER_MAX]);
/* False: it is none, and *r_r is undefined. */
bool inspect_answer_read(const void *data, size_t len, struct inspect_result *r_r) MUST_CHECK;

#endif
