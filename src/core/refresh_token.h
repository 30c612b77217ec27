/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refresh tokens: what one is made of, how it is written, and which one follows it. When one may be used is decided by
 * its login's row (store/login.h).
 *
 * The text is base64url of
 *
 *   login 8 bytes | generation 4 bytes | secret 32 bytes | mac 16 bytes
 *
 * numbers with the highest byte first. The mac is HMAC-SHA256 over all before it, under a random key of the login's,
 * cut. So a spent token of any age is known to be genuine, although only the valid one has its hash in a row. Knowing a
 * login's id is not enough to forge a spent token, which would end the login.
 *
 * The secret of the next one is HMAC-SHA256 over "next" and this one's, under the same key. So every use of one token
 * leads to the same next one, and nobody's becomes invalid where two use it at once.
 *
 * To change the form: this is what clients hold for a month, so read both for as long. A text of another length is not
 * one of these.
 */
#ifndef TIDINGS_CORE_REFRESH_TOKEN_H
#define TIDINGS_CORE_REFRESH_TOKEN_H

#include "core/base.h"

#define REFRESH_KEY_LEN 32
#define REFRESH_HASH_LEN 32
#define REFRESH_SECRET_LEN 32
#define REFRESH_MAC_LEN 16
/* Of the text: four digits for three bytes, and no rest. */
#define REFRESH_TOKEN_LEN ((8 + 4 + REFRESH_SECRET_LEN + REFRESH_MAC_LEN) / 3 * 4)

struct refresh_token {
	uint64_t login;
	uint32_t generation; /* they count from 1 */
	unsigned char secret[REFRESH_SECRET_LEN];
	unsigned char mac[REFRESH_MAC_LEN];
};

/* The first of a login, whose key it fills in. */
void refresh_token_begin(struct refresh_token *t, uint64_t login, unsigned char key_r[REFRESH_KEY_LEN]);
/* Turns a genuine one into the next. */
void refresh_token_advance(struct refresh_token *t, const unsigned char key[REFRESH_KEY_LEN]);
/* Of any text. -1: it is none. Nothing is known of it before refresh_token_is_genuine(). */
int refresh_token_parse(struct str text, struct refresh_token *out) MUST_CHECK;
/* In constant time, as the next. */
bool refresh_token_is_genuine(const struct refresh_token *t, const unsigned char key[REFRESH_KEY_LEN]) MUST_CHECK;
bool refresh_token_has_hash(const struct refresh_token *t, const unsigned char hash[REFRESH_HASH_LEN]) MUST_CHECK;
/* SHA-256 of what is before the mac. */
void refresh_token_hash(const struct refresh_token *t, unsigned char out[REFRESH_HASH_LEN]);
void refresh_token_format(const struct refresh_token *t, char out[REFRESH_TOKEN_LEN + 1]);
void refresh_token_wipe(struct refresh_token *t);

#endif
