/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture as some characters, of which clients make a blurred one until it is loaded: https://blurha.sh. */
#ifndef TIDINGS_INSPECTOR_BLURHASH_H
#define TIDINGS_INSPECTOR_BLURHASH_H

#include "core/base.h"

#define BLURHASH_COMPONENTS_MAX 9
/* Its characters and a NUL. */
#define BLURHASH_BYTES (4 + 2 * BLURHASH_COMPONENTS_MAX * BLURHASH_COMPONENTS_MAX + 1)

/* rgb: 3 bytes a pixel, sRGB, rows one behind the other. x and y: how many waves across and down, 1 to 9. */
void blurhash(const unsigned char *rgb, unsigned width, unsigned height, unsigned x, unsigned y,
	      char out[BLURHASH_BYTES]);

#endif
