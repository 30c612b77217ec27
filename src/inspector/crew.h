/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes jobs from the mailbox and forks a child for each, a few at a time. Knows nothing of files: a child has the
 * descriptors and dies of them, in the time it gets. Where it dies without an answer, the crew gives one.
 */
#ifndef TIDINGS_INSPECTOR_CREW_H
#define TIDINGS_INSPECTOR_CREW_H

#include "core/base.h"

#include <poll.h>

#define CREW_MAX 64
/* From the fork to the kill. */
#define CREW_PATIENCE_MS 15000

struct crew;

/* most: how many children at once, 1 to CREW_MAX. */
struct crew *crew_new(int mailbox, unsigned most);
/* Descriptors to be waited for, at most CREW_MAX + 1; how many were written. takes_jobs: the mailbox among them. */
size_t crew_poll(const struct crew *c, bool takes_jobs, struct pollfd *out);
/* After poll() on what crew_poll() wrote. False: nobody can send jobs any more. */
bool crew_take(struct crew *c, const struct pollfd *fds, size_t count) MUST_CHECK;
/* Children that have ended are reaped, and those whose time is over are killed. Call it at SIGCHLD and each second. */
void crew_look(struct crew *c);
unsigned crew_working(const struct crew *c);
uint64_t crew_done(const struct crew *c);
void crew_kill(struct crew *c);

#endif
