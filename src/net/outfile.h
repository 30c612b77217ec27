/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file on its way to a peer: how much of it can be sent now without waiting for a disk. What is not in the page cache
 * is read by a thread first (loop_disk).
 */
#ifndef TIDINGS_NET_OUTFILE_H
#define TIDINGS_NET_OUTFILE_H

#include "core/base.h"
#include "net/loop.h"

#include <sys/types.h>

struct outfile;

#define OUTFILE_WINDOW (512 * 1024) /* bytes that are looked for, and read, at once */

/* Takes the descriptor of a regular file. loaded: from the loop, after outfile_ready has returned 0. */
struct outfile *outfile_new(struct loop *l, int fd, int64_t offset, int64_t len, void (*loaded)(void *owner),
			    void *owner);
/* While the thread is reading, the descriptor stays open until that is over; `loaded` is not called. NULL is allowed.
 */
void outfile_free(struct outfile **f);
int64_t outfile_left(const struct outfile *f);
/* The thread reads for it. */
bool outfile_is_loading(const struct outfile *f);
/* How many of the next bytes are in the page cache; 0: none of them yet. Something must be left. */
size_t outfile_ready(struct outfile *f);
/* Sends at most len of the next bytes to a socket, without copying them: as sendfile(2). 0: the file has become
 * shorter. */
ssize_t outfile_send(struct outfile *f, int fd, size_t len);
/* Copies them: as read(2). */
ssize_t outfile_read(struct outfile *f, char *to, size_t len);

#endif
