/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking a scanner of the operator's (media.scanner) whether a file may pass: clamd, by its INSTREAM command
 * (clamd(8)), or a program that reads the file from its standard input and ends with 0 where it may pass and with 1
 * where it may not. All of it blocks, so it is for a thread.
 */
#ifndef TIDINGS_MEDIA_SCAN_H
#define TIDINGS_MEDIA_SCAN_H

#include "core/base.h"

/* All of a scan, after which it has failed. */
#define SCAN_MAX_SECS 60

enum scan_status {
	SCAN_PASSES,
	SCAN_FOUND,  /* it may not pass */
	SCAN_FAILED, /* the scanner is away, slow, or says something else: logged */
};

/* scanner: "unix:/path" or "HOST:PORT" (a numeric address) of clamd, or the path of a program. fd: read from its
 * beginning. */
enum scan_status scan_file(const char *scanner, int fd);

#endif
