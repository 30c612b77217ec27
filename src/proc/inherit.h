/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening sockets that stood before this process: handed over by a service manager (socket activation,
 * sd_listen_fds(3)) or, in the same way, by the server that this one takes over from (upgrade.c). Kept for the process
 * until somebody asks for them by their address.
 */
#ifndef TIDINGS_PROC_INHERIT_H
#define TIDINGS_PROC_INHERIT_H

#include "core/base.h"
#include "net/addr.h"

#include <sys/types.h>

/* The first descriptor that is handed over; the others follow it. */
#define INHERIT_FIRST_FD 3

/* Reads LISTEN_FDS, LISTEN_PID and what inherit_run wrote, and takes them out of the environment. Once, before forking.
 */
void inherit_take(void);
/*
 * The listening socket of this address, the caller's from now on, non-blocking and close-on-exec; -1: none.
 * *activated_r: a service manager made it, which removes it from the file system, too.
 */
int inherit_socket(const struct addr *a, bool *activated_r) MUST_CHECK;
/* Closes what nobody asked for, with a warning each. */
void inherit_close_rest(void);
/* Our end of the channel to the server that we take over from; -1: there is none. Not passed on. */
int inherit_predecessor(void);

/*
 * In a fresh child: becomes the program argv[0] with these sockets, of which the first `activated` are a service
 * manager's, and the channel. Returns only if it cannot.
 */
void inherit_run(char *const *argv, const int *sockets, size_t n, size_t activated, int channel);

#endif
