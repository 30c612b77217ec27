/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of schema/, built into the program so that it and its schema cannot part (schema.c is made from them). */
#ifndef TIDINGS_STORE_SCHEMA_H
#define TIDINGS_STORE_SCHEMA_H

#include "core/base.h"

struct schema_file {
	int version;
	const char *name;
	const char *text;
};

/* In order of version. */
extern const struct schema_file schema_files[];
extern const size_t schema_file_count;

#endif
