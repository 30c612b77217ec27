/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies a picture without what is not the picture: EXIF, XMP, comments, previews, and whatever follows its end. The
 * compressed pixels, colour profiles and animations are copied as they are, so nothing is lost. Parts of a kind that is
 * not known here are left out.
 */
#ifndef TIDINGS_INSPECTOR_STRIP_H
#define TIDINGS_INSPECTOR_STRIP_H

#include "core/base.h"

struct strip_out {
	int fd;
	bool failed; /* it takes no more */
	size_t len, written;
	unsigned char data[65536];
};

/*
 * type: image/jpeg, png, gif or webp; another kind is not copied. True: what was written is a whole file of that kind
 * as far as its structure tells; *frames_r is how many pictures an animation shows, or 1.
 */
bool strip(const char *type, const unsigned char *data, size_t len, struct strip_out *out,
	   uint64_t *frames_r) MUST_CHECK;

#endif
