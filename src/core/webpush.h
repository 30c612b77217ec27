/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a Web Push message: encrypted for one browser (RFC 8291) as a single record of aes128gcm (RFC 8188). Only
 * the browser can read it, not the service that passes it on.
 */
#ifndef TIDINGS_CORE_WEBPUSH_H
#define TIDINGS_CORE_WEBPUSH_H

#include "core/base.h"
#include "core/buf.h"

#define WEBPUSH_POINT_LEN 65
#define WEBPUSH_AUTH_LEN 16
#define WEBPUSH_SALT_LEN 16
#define WEBPUSH_PRIVATE_LEN 32
/* What goes into a body that every service has to take (RFC 8030 section 7.2): 4096 bytes with header, end and tag. */
#define WEBPUSH_TEXT_MAX 3993

/* What a subscription says. */
struct webpush_keys {
	unsigned char p256dh[WEBPUSH_POINT_LEN]; /* the browser's public key, an uncompressed point */
	unsigned char auth[WEBPUSH_AUTH_LEN];
};

/* Is it an uncompressed point on the curve P-256? */
bool webpush_point_valid(struct str point) MUST_CHECK;

/* Appends the body, with a new key pair and a new salt. -1: the keys are no keys, or the text is too long. */
int webpush_encrypt(const struct webpush_keys *keys, struct str text, struct buf *body) MUST_CHECK;

/* The same with these, for tests: RFC 8291 has an example. */
struct webpush_fixed {
	unsigned char private_key[WEBPUSH_PRIVATE_LEN], point[WEBPUSH_POINT_LEN], salt[WEBPUSH_SALT_LEN];
};
int webpush_encrypt_fixed(const struct webpush_keys *keys, const struct webpush_fixed *fixed, struct str text,
			  struct buf *body) MUST_CHECK;

#endif
