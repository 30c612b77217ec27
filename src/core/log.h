/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event log. One line an event, to stderr, syslog or a file, as text or as
 * one JSON object a line. Levels promise something: error asks the administrator
 * to act, warn says that something was refused or repaired, info tells of the
 * life of processes and links, debug of single connections.
 *
 * In a server a thread writes the lines (log_start). Up to LOG_WAITING_MAX bytes wait for a disk or a reader that is
 * slow; what is beyond is lost, counted (log_lost), and told in the log itself once it can be written again. Lines that
 * wait are lost too where the process is killed. syslog(3) is called at once, and takes as long as its daemon.
 *
 * A line is one write of at most 4096 bytes (what is longer is cut and ends in
 * "..."), so several processes may share a file. Control characters and bytes that
 * are not UTF-8 are escaped: one event is one line, whatever is in it.
 *
 * Never log a token, a password or the content of a message.
 */
#ifndef TIDINGS_CORE_LOG_H
#define TIDINGS_CORE_LOG_H

#include "core/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/*
 * Sets where the lines go: "stderr", "syslog", or a path that is opened for
 * appending. Before the first call lines go to stderr at level info. On failure
 * (the file cannot be opened) returns -1 with *err_r set to a static or errno
 * text, and the old target stays.
 */
int log_open(const char *target, enum log_level level, enum log_format format, const char **err_r) MUST_CHECK;
/* The same for a file that is open already, which it takes over; its name is not known. */
void log_open_fd(int fd, enum log_level level, enum log_format format);
/* Opens the file again (after rotation). Keeps the old descriptor if that fails, and logs why. */
void log_reopen(void);
/* The file's descriptor, -1 if the log is no file: for log_take_fd in a process that may not open it. */
int log_fd(void);
/* Writes to this descriptor, which it takes over, in place of the file's former one. */
void log_take_fd(int fd);
/*
 * From now on a thread writes, in this process: call it again after a fork. What waits when the process exits is
 * written then, for at most LOG_STOP_MS.
 */
#define LOG_WAITING_MAX (256 * 1024)
#define LOG_STOP_MS 1000
void log_start(void);
void log_stop(void);
/* Lines of this process that found no room. */
uint64_t log_lost(void);
/* Who speaks, put into every line from now on: "master", "worker 3". Copied. */
void log_identity(const char *who);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
	do {                                                                                                           \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                                      \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                       \
	} while (0)

/*
 * For what a client, or a state that lasts, can bring about at any rate: of each place in the code one line in
 * LOG_GAP_MS, and the next one tells how many there were between.
 */
#define LOG_GAP_MS 10000
struct log_gate {
	int64_t open_at_ms; /* by clock_mono_ms */
	uint64_t held_back;
};
void log_write_gated(struct log_gate *gate, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_gated(level, ...)                                                                                          \
	do {                                                                                                           \
		static struct log_gate gate_of_this_line;                                                              \
		log_write_gated(&gate_of_this_line, level, __VA_ARGS__);                                               \
	} while (0)
#define log_error_gated(...) log_gated(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn_gated(...) log_gated(LOG_LEVEL_WARN, __VA_ARGS__)

/* For start-up only: logs as error and exits with status 1. */
void log_fatal(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);
/* A broken invariant of ours, never caused by outside bytes: logs and aborts. */
void log_panic(const char *file, int line, const char *what) NORETURN;
#define ASSERT(cond) ((cond) ? (void)0 : log_panic(__FILE__, __LINE__, #cond))

#endif
