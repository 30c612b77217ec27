/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects in a service that speaks Amazon's S3; the only door to libcurl. A request's URL is signed itself (Signature
 * Version 4, "Authenticating Requests: Using Query Parameters" of the S3 API reference), so that clients can be given
 * it, too, and that nobody but OpenSSL is needed to make one.
 *
 * s3_url() only computes; the others wait for the network, so they are for a thread.
 */
#ifndef TIDINGS_MEDIA_S3_H
#define TIDINGS_MEDIA_S3_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"

/* Borrowed from a configuration. */
struct s3 {
	const char *endpoint; /* without a slash at its end; "": there is none */
	const char *bucket, *region, *access_key, *secret_key;
};
struct s3 s3_of(const struct conf *conf);
/* Once in a process, before its threads. */
void s3_start(void);

/* The longest that a URL can be valid. */
#define S3_LIFETIME_MAX_SECS (7 * 86400)

/* What the service is asked to say of an object, in place of what it knows; NULL: nothing. */
struct s3_says {
	const char *content_type, *content_disposition, *cache_control;
};

/* key: characters of RFC 3986's unreserved set. */
void s3_url(struct buf *out, const struct s3 *s, const char *method, const char *key, unsigned lifetime_secs,
	    int64_t now_ms, const struct s3_says *says);

enum s3_status { S3_OK, S3_NONE, S3_TOO_LARGE, S3_FAILED /* logged */ };
/* The whole file behind fd. */
enum s3_status s3_put(const struct s3 *s, const char *key, int fd, uint64_t size, const char *content_type) MUST_CHECK;
/* Into the file, which is emptied first. S3_NONE: there is no such object. S3_TOO_LARGE: it is over `most` bytes. */
enum s3_status s3_get(const struct s3 *s, const char *key, int fd, uint64_t most, uint64_t *size_r) MUST_CHECK;
/* One that is not there is as good as deleted. */
enum s3_status s3_delete(const struct s3 *s, const char *key) MUST_CHECK;

#endif
