/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a picture is, by its first bytes: PNG, GIF, JPEG or WebP, and how large it is shown. Nothing is unpacked, so
 * what follows may still be broken. SVG is none of them: it is a document that can hold scripts.
 *
 * A picture is stored under a name made of its content, so that what a URL shows never changes.
 */
#ifndef TIDINGS_CORE_PICTURE_H
#define TIDINGS_CORE_PICTURE_H

#include "core/base.h"

enum picture_type { PICTURE_PNG, PICTURE_GIF, PICTURE_JPEG, PICTURE_WEBP };

struct picture {
	enum picture_type type;
	unsigned width, height; /* in pixels, at least 1 */
};

/* -1 if the bytes begin no picture of these types. */
int picture_read(struct str bytes, struct picture *out) MUST_CHECK;

/* 32 hexadecimal digits and the type's ending: "0123456789abcdef0123456789abcdef.webp". */
#define PICTURE_NAME_MAX 37
void picture_name(struct str bytes, enum picture_type type, char out[PICTURE_NAME_MAX + 1]);
bool picture_name_valid(struct str name);
/* The media type that a valid name tells. */
const char *picture_media_type(struct str name);

#endif
