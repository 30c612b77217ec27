/* SPDX-License-Identifier: BSD-2-Clause */
/* The event log of a test program, in a file that it can look into. */
#ifndef TIDINGS_T_UNIT_LOG_KIT_H
#define TIDINGS_T_UNIT_LOG_KIT_H

#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

static char log_path[128];

static inline void log_begin(const char *dir)
{
	const char *err = NULL;
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	if (log_open(log_path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) != 0)
		exit(1);
}

static inline void log_end(void)
{
	unlink(log_path);
}

static inline bool log_has(const char *text)
{
	static char all[1 << 20];
	FILE *f = fopen(log_path, "r");
	size_t n = f != NULL ? fread(all, 1, sizeof(all) - 1, f) : 0;
	all[n] = '\0';
	if (f != NULL)
		fclose(f);
	return strstr(all, text) != NULL;
}

#endif
