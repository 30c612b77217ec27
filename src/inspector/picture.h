/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures: the door to libvips. */
#ifndef TIDINGS_INSPECTOR_PICTURE_H
#define TIDINGS_INSPECTOR_PICTURE_H

#include "core/base.h"
#include "inspector/look.h"

/* Starts no thread. */
int picture_start(const char **err_r) MUST_CHECK;
/* A kind of picture that is decoded. Others (SVG, TIFF, ...) are plain files. */
bool picture_is(const char *type);
/* Decodes all of it: sets what is shown, or refuses. */
void picture_look(const struct subject *s, struct inspect_result *r);
/* A frame of a video becomes the thumbnail and the blurhash. rgb: 3 bytes a pixel, turned by `turn` degrees (0, 90,
 * 180, 270) clockwise to be shown. */
void picture_poster(const struct subject *s, const unsigned char *rgb, unsigned width, unsigned height, int turn,
		    struct inspect_result *r);

#endif
