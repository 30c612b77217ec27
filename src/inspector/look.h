/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in one file. Runs in a child of its own, in the sandbox, and may die of the file. */
#ifndef TIDINGS_INSPECTOR_LOOK_H
#define TIDINGS_INSPECTOR_LOOK_H

#include "core/base.h"
#include "media/inspect_wire.h"

#define LOOK_PIXELS_MAX 50000000
#define LOOK_FRAMES_MAX 2000
#define LOOK_THUMB_SIDE 320

/* The descriptors of a job, and what is known so far. */
struct subject {
	int file, thumb, clean;
	const unsigned char *data; /* all of the file */
	size_t len;
	const char *type;
};

/* Loads what all files need, once, before the first child is forked. -1 with a reason that lives on. */
int look_start(const char **err_r) MUST_CHECK;
/* The file is not empty. What it wrote into thumb and clean counts as the result says. */
void look(int file, int thumb, int clean, struct inspect_result *r);

#endif
