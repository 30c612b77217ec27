/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's unsent output: small writes are collected in chunks, shared buffers are counted, and all leave by
 * writev.
 */
#ifndef TIDINGS_NET_OUTQ_H
#define TIDINGS_NET_OUTQ_H

#include "core/base.h"
#include "core/buf.h"

#include <sys/queue.h>
#include <sys/types.h>

struct out;

struct outq {
	TAILQ_HEAD(out_list, out) list;
	size_t unsent;	/* bytes */
	size_t *memory; /* the owner's: bytes that all queues with the same one take; a shared buffer counts once */
};

void outq_init(struct outq *q, size_t *memory);
/* Drops what is unsent; empty again. */
void outq_fini(struct outq *q);
void outq_add(struct outq *q, const void *data, size_t len);
/* Takes a reference. */
void outq_add_blob(struct outq *q, struct blob *b);
/*
 * One non-blocking write; what it took is gone from the queue. -1 with errno; *tried_r: how much was offered. `more`:
 * other bytes follow at once, so that the last packet need not leave before them.
 */
ssize_t outq_write(struct outq *q, int fd, bool more, size_t *tried_r);

#endif
