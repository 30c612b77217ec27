/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process may do that reads a stranger's file: compute, take memory, and read and write what is open. No files
 * are opened, no sockets made, no processes started or touched. A call that is not on the list ends the process
 * (SIGSYS); those that libraries make in good faith, to look for something they can do without, fail.
 */
#ifndef TIDINGS_INSPECTOR_SANDBOX_H
#define TIDINGS_INSPECTOR_SANDBOX_H

#include "core/base.h"

struct sandbox_limits {
	uint64_t memory_bytes; /* that it may take beyond what it has; not held under AddressSanitizer */
	uint64_t file_bytes;   /* of a file that it writes */
	unsigned cpu_secs;
	unsigned files; /* highest descriptor + 1 */
};

/* For good. answers: the one socket that may be sent to. -1 with errno: this process must not read the file. */
int sandbox_enter(const struct sandbox_limits *limits, int answers) MUST_CHECK;

#endif
