/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/media_url.h"

#include "core/base64url.h"
#include "core/id.h"
#include "core/log.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#define ROUNDED_TO 8
#define MD5_BYTES 16

struct media_urls media_urls_of(const struct conf *conf)
{
	return (struct media_urls){
		.base = conf->media.base_url[0] != '\0' ? conf->media.base_url : conf->http.prefix,
		.secret = conf->media.url_secret,
		.lifetime_secs = conf->media.url_lifetime_secs,
	};
}

uint64_t media_url_expiry(const struct media_urls *u, int64_t now_ms)
{
	uint64_t now = now_ms > 0 ? (uint64_t)now_ms / 1000 + 1 : 1;
	uint64_t lifetime = (uint64_t)u->lifetime_secs, step = lifetime / ROUNDED_TO != 0 ? lifetime / ROUNDED_TO : 1;
	return (now + lifetime + step - 1) / step * step;
}

void media_url_sign(const struct media_urls *u, struct str id, enum media_purpose purpose, uint64_t expires_secs,
		    char out[MEDIA_SIGNATURE_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *text = xasprintf("%" PRIu64 " %.*s %s %s", expires_secs, (int)id.len, id.s,
			       purpose == MEDIA_PUT ? "put" : "get", u->secret);
	ASSERT(u->secret[0] != '\0' && EVP_Digest(text, strlen(text), digest, NULL, EVP_md5(), NULL) == 1);
	base64url_encode(digest, MD5_BYTES, out);
	explicit_bzero(text, strlen(text));
	free(text);
}

bool media_url_verify(const struct media_urls *u, struct str id, enum media_purpose purpose, struct str e, struct str s,
		      int64_t now_ms)
{
	char right[MEDIA_SIGNATURE_LEN + 1];
	uint64_t expires_secs;
	if (e.s == NULL || s.s == NULL || s.len != MEDIA_SIGNATURE_LEN || id_parse_u64(e, &expires_secs) != 0)
		return false;
	media_url_sign(u, id, purpose, expires_secs, right);
	return CRYPTO_memcmp(right, s.s, MEDIA_SIGNATURE_LEN) == 0 && now_ms >= 0 &&
	       (uint64_t)now_ms / 1000 < expires_secs;
}

void media_url_put(struct buf *out, const struct media_urls *u, struct str id, struct str name,
		   enum media_purpose purpose, int64_t now_ms)
{
	char signature[MEDIA_SIGNATURE_LEN + 1];
	uint64_t expires_secs = media_url_expiry(u, now_ms);
	media_url_sign(u, id, purpose, expires_secs, signature);
	buf_printf(out, "%s/media/%.*s", u->base, (int)id.len, id.s);
	if (name.s != NULL) {
		buf_append_char(out, '/');
		buf_append_str(out, name);
	}
	buf_printf(out, "?e=%" PRIu64 "&s=%s", expires_secs, signature);
}
