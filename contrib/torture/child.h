/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: started, found and reaped. They end with this program, whatever ends it. */
#ifndef TIDINGS_TORTURE_CHILD_H
#define TIDINGS_TORTURE_CHILD_H

#include "core/base.h"

#include <sys/types.h>

/* To be called first: orphans below this process become its children, so that none is left behind. */
void child_setup(void);
/* Runs argv, found in PATH or /usr/sbin, with its output appended to `log`. Dies where it cannot fork. */
pid_t child_spawn(const char *const argv[], const char *log);
/* True once it has ended; its wait status then. */
bool child_ended(pid_t pid, int *status_r);
/* Runs it to its end; 0, or -1 where its status is another. */
int child_run(const char *const argv[], const char *log) MUST_CHECK;
/* The children of a process, up to max; how many. */
unsigned child_of(pid_t parent, pid_t *found, unsigned max);
/* A child of this process that has children itself and the word in its command line, but not `except`; 0: none. */
pid_t child_find_parent(const char *word, pid_t except);
/* Kills what is left below this process, and waits for it. */
void child_kill_all(void);

#endif
