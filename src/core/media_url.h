/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * URLs of uploaded files: /media/ID/NAME?e=TIME&s=SIGNATURE. Whoever has one may do for a while what it was made for,
 * without a token; so it can be opened by a page's <img>, and kept by caches.
 *
 * The signature is what nginx's secure_link checks (secure_link_md5 "$secure_link_expires ID PURPOSE SECRET"):
 * base64url of MD5 over "TIME ID PURPOSE SECRET". The secret comes last, so nothing can be appended; and what comes
 * before it has one form only, so no two files can be made to have the same signature. What MD5 is weak at is not asked
 * of it.
 *
 * The time is rounded up to an eighth of the lifetime, so that a URL stays the same for a while, for all who are shown
 * it.
 */
#ifndef TIDINGS_CORE_MEDIA_URL_H
#define TIDINGS_CORE_MEDIA_URL_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"

enum media_purpose { MEDIA_GET, MEDIA_PUT };

/* From a configuration; all are borrowed. */
struct media_urls {
	const char *base; /* what paths begin with: http.prefix, or media.base_url */
	const char *secret;
	int lifetime_secs;
};
struct media_urls media_urls_of(const struct conf *conf);

#define MEDIA_SIGNATURE_LEN 22
/* Seconds since 1970. */
uint64_t media_url_expiry(const struct media_urls *u, int64_t now_ms);
void media_url_sign(const struct media_urls *u, struct str id, enum media_purpose purpose, uint64_t expires_secs,
		    char out[MEDIA_SIGNATURE_LEN + 1]);
/* The two parameters as they came, perhaps absent. */
bool media_url_verify(const struct media_urls *u, struct str id, enum media_purpose purpose, struct str e, struct str s,
		      int64_t now_ms);

/* name: percent-encoded already; absent: the URL ends with the id. */
void media_url_put(struct buf *out, const struct media_urls *u, struct str id, struct str name,
		   enum media_purpose purpose, int64_t now_ms);

#endif
