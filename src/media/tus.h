/* SPDX-License-Identifier: BSD-2-Clause */
/* What the headers of an upload say (tus 1.0.0, RFC 6838): pure functions of bytes from outside. */
#ifndef TIDINGS_MEDIA_TUS_H
#define TIDINGS_MEDIA_TUS_H

#include "core/base.h"
#include "media/upload.h"

/* Of a value in base64. */
#define TUS_VALUE_MAX 1024

/* Room for what `text` is in base64. */
#define TUS_BASE64_ROOM(text_len) ((text_len) / 4 * 3 + 1)
/* RFC 4648, section 4. Writes to out, which has TUS_BASE64_ROOM(text.len) bytes. -1: it is none, or too long. */
int tus_base64(struct str text, char *out, size_t *len_r) MUST_CHECK;

/*
 * Upload-Metadata, "key base64,key base64": the base64 of that key's value, which may be empty; absent where the key is
 * not there. The first one counts.
 */
struct str tus_metadata(struct str header, const char *key);

enum tus_checksum { TUS_CHECKSUM_OK, TUS_CHECKSUM_UNKNOWN, TUS_CHECKSUM_BAD };
/* Upload-Checksum, "sha1 base64". *name_r: of the algorithm, unless that is unknown. */
enum tus_checksum tus_checksum(struct str header, enum upload_checksum *kind_r, char digest[CHECKSUM_BYTES_MAX],
			       size_t *len_r, const char **name_r) MUST_CHECK;

/* A media type without its parameters; absent where it is none of at most `max` bytes. */
struct str tus_media_type(struct str type, size_t max);

#endif
