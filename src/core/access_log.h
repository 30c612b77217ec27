/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The access log: one line a request, as text or as one JSON object a line. The
 * workers of a node append to one file; each gathers its lines and has a thread write
 * them together (access_log_start), so that a line costs no system call, and a disk that
 * is slow or full costs lines and never requests. 256 KiB wait at most; what is beyond is
 * lost, and counted by whoever adds it. Where the process is killed, what waits is lost too.
 *
 * A query is never part of a line: a token may stand in it.
 */
#ifndef TIDINGS_CORE_ACCESS_LOG_H
#define TIDINGS_CORE_ACCESS_LOG_H

#include "core/base.h"
#include "core/log.h"

struct access_entry {
	const char *address; /* the client's, without a port */
	const char *method;
	struct str path; /* as sent, without the query; empty where the request could not be read: then the method is
			    not told either */
	int status;
	uint64_t bytes; /* sent: head and body */
	int64_t usecs;	/* from the request's first byte to its answer */
	const char *request_id;
};

/* Begins; "": there is no such log. Of a file that cannot be opened all lines are lost until access_log_take_fd. */
void access_log_open(const char *path, enum log_format format);
/* From now on a thread writes, in this process. */
void access_log_start(void);
/* Opens the file, anew after rotation; -1 after having logged why it cannot be. For whoever has the right to. */
int access_log_open_file(const char *path) MUST_CHECK;
/* Writes what waits, and goes on with that file, which is its from now on. -1: keeps the one that it has. */
void access_log_take_fd(int fd);
/* Writes what waits, with a thread for at most a second; what cannot be written is lost. */
void access_log_close(void);
bool access_log_is_on(void);

/* False if the line is lost: the file cannot be written and as much waits as may. */
bool access_log_add(const struct access_entry *e);
/*
 * One write of all that waits, or its hand-over to the thread. True if nothing waits any more. Logs when writing begins
 * to fail, and when it ends to.
 */
bool access_log_flush(void);

#endif
