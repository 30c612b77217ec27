/* SPDX-License-Identifier: BSD-2-Clause */
/* Which kind of file it is, by its content alone: the door to libmagic. */
#ifndef TIDINGS_INSPECTOR_TYPE_H
#define TIDINGS_INSPECTOR_TYPE_H

#include "core/base.h"

/* Reads the database, once, before any file is looked at. -1 with a static reason or libmagic's. */
int type_start(const char **err_r) MUST_CHECK;
/* The media type, lower case, without parameters; application/octet-stream where nothing is known. */
const char *type_find(const void *data, size_t len);

/* So many bytes from the beginning are enough. */
#define TYPE_LOOK 262144

#endif
