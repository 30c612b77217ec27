/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's side of the media process: what is in a file that a stranger has sent. The file is read by another
 * process, in a sandbox (src/inspector/); here nothing of it is looked at, and what comes back is checked.
 *
 * Jobs go through the node's mailbox, which the master made; whichever media process takes one answers it. A job ends
 * exactly once: with an answer, or INSPECT_UNAVAILABLE after INSPECT_PATIENCE_MS, whatever dies meanwhile. One whose
 * media process has died is given to the next one, INSPECT_TRIES times in all.
 */
#ifndef TIDINGS_MEDIA_INSPECT_H
#define TIDINGS_MEDIA_INSPECT_H

#include "core/base.h"
#include "media/inspect_wire.h"
#include "net/loop.h"

/* From inspect() to the callback. */
#define INSPECT_PATIENCE_MS 120000
/*
 * A worker's jobs in the mailbox or under way, and those of one user among them, so that who brings many files that
 * take long is who waits for them; as many as this wait behind them, in order.
 */
#define INSPECT_UNDER_WAY_MAX 16
#define INSPECT_OF_USER_MAX 1
#define INSPECT_WAITING_MAX 1024
#define INSPECT_TRIES 2

struct inspector;
struct inspect_job;

/* Borrowed until the callback, or inspect_cancel(). */
struct inspect_files {
	int file;  /* regular, whole, open for reading */
	int thumb; /* regular, open for writing: what is in it is lost; *_r of result says whether anything is there */
	int clean; /* the same, and for reading too */
};

/* On the loop, never from within inspect(). The job is gone; *r lives until the return. */
typedef void inspect_done_fn(const struct inspect_result *r, void *ctx);

/* mailbox: the sending end, taken over; -1: there is no media process, and every job is INSPECT_UNAVAILABLE. */
struct inspector *inspector_new(struct loop *loop, int mailbox);
/* Each job that is left ends as INSPECT_UNAVAILABLE, within. NULL is allowed. */
void inspector_free(struct inspector **in);

/*
 * declared: the type that the client gave, or NULL. A hint that only says which plain text a plain text is (csv,
 * markdown, calendar); nothing else in it is believed. user: whose file it is; NULL: nobody's, which does not wait for
 * others of nobody's.
 */
struct inspect_job *inspect(struct inspector *in, const struct inspect_files *files, const char *user,
			    const char *declared, inspect_done_fn *done, void *ctx);
/* No callback any more. Who reads the file is killed, soon: what it writes until then goes to files nobody needs. */
void inspect_cancel(struct inspect_job **job);

/* Waiting, in the mailbox and under way. */
size_t inspector_jobs(const struct inspector *in);

#endif
