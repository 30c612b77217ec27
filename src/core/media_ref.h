/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What names an uploaded file. A client writes "tidings:media/ID" as a message's media_url; stored is
 * "tidings:media/ID/NAME", with the file's name in percent-encoding, and shown is a URL that is signed
 * (core/media_url.h).
 */
#ifndef TIDINGS_CORE_MEDIA_REF_H
#define TIDINGS_CORE_MEDIA_REF_H

#include "core/base.h"
#include "core/buf.h"

/* Digits of hexadecimal, in lower case. */
#define MEDIA_ID_LEN 32
/* In characters, and in bytes: encoded, one is no longer than other URLs. */
#define MEDIA_NAME_MAX 255
#define MEDIA_NAME_BYTES_MAX 640

bool media_id_valid(struct str s);
/* A random one, and a NUL. */
void media_id_make(char out[MEDIA_ID_LEN + 1]);

/* The id in either form; absent where the text is neither. */
struct str media_ref_id(struct str ref);
/* What is behind the id, percent-encoded; absent where there is none. */
struct str media_ref_name(struct str ref);
/* Both name the same file; or neither names one, and they are the same text. */
bool media_ref_same(struct str a, struct str b);
/* The form that is stored. */
void media_ref_put(struct buf *out, struct str id, struct str name);

/* Percent-encoded, so that it is one segment of a path (RFC 3986, section 3.3). */
void media_name_put(struct buf *out, struct str name);

/*
 * A valid text as a file's name: what utf8_name() leaves of it, '_' in place of '/' and '\', and "file" where nothing
 * is left or it is "." or "..". Writes it to out, which has room for in.len + 4 bytes, and returns its bytes.
 */
size_t media_name_clean(struct str in, char *out);

#endif
