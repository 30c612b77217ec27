/* SPDX-License-Identifier: BSD-2-Clause */
/* What all processes that the master forks do at their beginning. */
#ifndef TIDINGS_PROC_PROCESS_H
#define TIDINGS_PROC_PROCESS_H

#include "core/base.h"

/* An exit status that tells the master not to start it again at once: it could not begin its work. */
#define PROCESS_UNABLE 78 /* EX_CONFIG of sysexits(3) */

/* Names it in the log, and leaves signals to the master. */
void process_begin(const char *kind, unsigned number);
/* Becomes that user, where this one is root. "": stays what it is. -1: logged. */
int process_drop_privileges(const char *user) MUST_CHECK;

#endif
