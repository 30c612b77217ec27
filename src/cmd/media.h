/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uploading files and showing them.
 *
 * media_ask.c      what a request asks for
 * media_receive.c  a file's bytes come, in one request or in several (tus), and what becomes of a whole one
 * media_show.c     what is known of a file, the file, and its end
 */
#ifndef TIDINGS_CMD_MEDIA_H
#define TIDINGS_CMD_MEDIA_H

#include "core/base.h"
#include "api/command.h"
#include "media/upload.h"
#include "store/media.h"

enum upload_kind {
	UPLOAD_DECLARED, /* JSON: the bytes come by UPLOAD_PUT */
	UPLOAD_CREATED,	 /* tus: the bytes come with it or later, by UPLOAD_PATCH */
	UPLOAD_WHOLE,	 /* the body is the file */
	UPLOAD_PATCH,
	UPLOAD_PUT,
	UPLOAD_NONE, /* no bytes: it is only completed */
};

struct upload_asked {
	enum upload_kind kind;
	uint64_t size; /* of the file; of a PUT of its body */
	uint64_t offset;
	struct str name, content_type;
	enum upload_checksum checksum;
	char digest[CHECKSUM_BYTES_MAX];
	size_t digest_len;
};

/* Of a user in a worker, at a time. */
#define UPLOADS_OF_USER_MAX 16

/* The members of a file's description. */
void media_put_info(struct request *r, struct json_out *o, const struct media *m);
/* The same as the whole answer. */
void media_answer(struct request *r, int http_status, const struct media *m);

/* How long the URLs are valid that S3 checks. */
unsigned media_s3_lifetime(const struct conf *conf);

/*
 * The file's bytes are all there: it is looked at and put into its place, if that was not done yet. Ends the request
 * where it fails; else calls done(), in whose arena m is.
 */
typedef void media_completed_fn(struct request *r, const struct media *m);
void media_complete(struct request *r, const struct media *m, media_completed_fn *done);

/* An http or https URL, or a file that was uploaded, as tidings:media/ID; absent where it is not there. */
const struct problem *media_url_check(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/* The http or https URL of a picture, or one that was uploaded, as tidings:media/ID; absent where it is not there. */
const struct problem *media_avatar_check(struct request *r, struct str *out_r) MUST_CHECK;
/*
 * Where media_avatar_check() gave a file, it is looked up; then, or at once, goes on with avatar_url as it is stored,
 * which is in the arena, or ends the request. What is in the body is gone by then.
 */
typedef void media_avatar_fn(struct request *r, struct str avatar_url, void *arg);
void media_avatar_find(struct request *r, struct str avatar_url, media_avatar_fn *fn, void *arg);

/* What a checked file's type may be shown as in a message of that type. */
bool media_fits(enum message_type type, const struct media *m);

#endif
