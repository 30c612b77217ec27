/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that writes lines to a file, so that a disk or a reader that is slow, or stands still, costs lines and never
 * the time of who logs. What waits is bounded; a line that finds no room is lost, and its caller is told.
 *
 * A fork leaves the child a writer without thread and without what waits, which is the parent's to write.
 */
#ifndef TIDINGS_CORE_LOG_WRITER_H
#define TIDINGS_CORE_LOG_WRITER_H

#include "core/base.h"

struct log_writer;

/*
 * Writes to a duplicate of fd. waiting_max: bytes that may wait. piece: how much is written at a time, at most; never a
 * part of a line, unless it is longer. Lives as long as the process: there are few of them.
 */
struct log_writer *log_writer_new(int fd, size_t waiting_max, size_t piece) MUST_CHECK;
/* Starts the thread unless it runs; false where that fails: then nothing is written. */
bool log_writer_start(struct log_writer *w) MUST_CHECK;
bool log_writer_is_running(const struct log_writer *w);
/* Whole lines, each ended by a line feed. False: they are lost. */
bool log_writer_add(struct log_writer *w, const char *lines, size_t len) MUST_CHECK;
/* Goes on with a duplicate of that file, after the piece that is being written. */
void log_writer_switch(struct log_writer *w, int fd);
/* Bytes that wait or are being written. */
size_t log_writer_waiting(struct log_writer *w);
/* The errno of the last write, 0 if it succeeded. While it fails it is tried again each second. */
int log_writer_error(struct log_writer *w);
/* Waits until all is written, for at most timeout_ms; false if something is left, which is lost. Ends the thread. */
bool log_writer_stop(struct log_writer *w, int timeout_ms);

#endif
