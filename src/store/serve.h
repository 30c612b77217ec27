/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A writer process' part of the store: takes the operations of the node's workers from their sockets (wire.h), has its
 * write lanes carry them out, and answers. Each lane has a connection and one transaction in flight, so one's flush to
 * disk overlaps the statements of another.
 *
 * What a worker had asked for before it died is carried out, and nobody is answered.
 *
 * Workers say of which answers others were told. Of those that a worker has not said so of when its socket ends, the
 * relay tells others (outbox.h).
 */
#ifndef TIDINGS_STORE_SERVE_H
#define TIDINGS_STORE_SERVE_H

#include "core/base.h"
#include "store/store.h"
#include "store/wire.h"

struct event_base;
struct serve;

/* How often a worker hears of its writer at least. */
#define SERVE_BEAT_MS 500

/* conf is borrowed. The database is connected to in the background. */
struct serve *serve_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx);
/* What is in progress may have been done, or not. */
void serve_free(struct serve **s);
/* The stream socket to a worker, the callee's from now on. */
void serve_take(struct serve *s, int fd);
/* How the lanes are, together. */
struct wire_state serve_state(const struct serve *s);
/* All is noted of which workers have said that others were told; or the database is away. */
bool serve_has_noted(const struct serve *s);
/* Operations that are not answered, and workers that are connected. */
size_t serve_pending(const struct serve *s);
size_t serve_workers(const struct serve *s);

#endif
