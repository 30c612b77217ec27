/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the event log. Decides the form of a line and that it is one line: what
 * could end it or steer a terminal is escaped, for parts of it come from outside.
 * Must not allocate, wait, or change errno; before log_start, and to syslog, it does wait.
 */
#include "core/base.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log_writer.h"
#include "core/utf8.h"

/* A line is one write(2) of at most PIPE_BUF, so lines of processes that share a file or a pipe never mix. */
#define LINE_BYTES 4096
#define CUT_MARK "..."
#define TAIL_BYTES 8 /* CUT_MARK, the end of a JSON object, the line feed */

struct line {
	char data[LINE_BYTES];
	size_t len;
	bool cut; /* something did not fit; nothing is added any more */
};

static struct {
	enum log_level level;
	enum log_format format;
	int fd;
	char *path; /* NULL: stderr or syslog */
	bool syslog;
	char who[64];		   /* "" until log_identity: the program's name */
	struct log_writer *writer; /* NULL before log_start */
	uint64_t lost, lost_told;
} target = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT, .fd = STDERR_FILENO};

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* Not blocking: it may be a pipe that nobody reads. */
static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

int log_open(const char *to, enum log_level level, enum log_format format, const char **err_r)
{
	bool to_syslog = strcmp(to, "syslog") == 0;
	bool to_file = !to_syslog && strcmp(to, "stderr") != 0;
	int fd = STDERR_FILENO;

	if (to_file) {
		fd = open_file(to);
		if (fd < 0) {
			*err_r = strerror(errno);
			return -1;
		}
	}
	if (target.path != NULL)
		close(target.fd);
	free(target.path);
	if (target.syslog && !to_syslog)
		closelog();
	if (to_syslog)
		openlog("tidings", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	target.path = to_file ? xstrdup(to) : NULL;
	target.fd = fd;
	target.syslog = to_syslog;
	if (target.writer != NULL && !to_syslog)
		log_writer_switch(target.writer, fd);
	target.level = level;
	target.format = format;
	return 0;
}

void log_open_fd(int fd, enum log_level level, enum log_format format)
{
	target.path = xstrdup("");
	target.fd = fd;
	target.level = level;
	target.format = format;
}

void log_reopen(void)
{
	if (target.path == NULL || target.path[0] == '\0')
		return;
	int fd = open_file(target.path);
	if (fd < 0)
		log_error("log: cannot reopen %s, keeping the old file: %s", target.path, strerror(errno));
	else
		log_take_fd(fd);
}

int log_fd(void)
{
	return target.path != NULL ? target.fd : -1;
}

void log_take_fd(int fd)
{
	if (fd < 0)
		return;
	if (target.path != NULL) {
		close(target.fd);
		target.fd = fd;
		if (target.writer != NULL)
			log_writer_switch(target.writer, fd);
	} else {
		close(fd);
	}
}

void log_identity(const char *who)
{
	snprintf(target.who, sizeof(target.who), "%s", who);
}

bool log_enabled(enum log_level level)
{
	return level <= target.level;
}

static void put(struct line *l, const char *s, size_t len)
{
	if (l->cut || len > LINE_BYTES - TAIL_BYTES - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->data + l->len, s, len);
	l->len += len;
}

static void put_cstr(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* For what is known to fit into the bytes held back. */
static void put_tail(struct line *l, const char *s)
{
	size_t len = strlen(s);
	memcpy(l->data + l->len, s, len);
	l->len += len;
}

/* The length of the UTF-8 character at s, 0 if there is none. */
static size_t char_len(const char *s, size_t len)
{
	unsigned state = UTF8_ACCEPT;
	for (size_t i = 0; i < len && state != UTF8_REJECT; i++) {
		state = utf8_continue(state, s + i, 1);
		if (state == UTF8_ACCEPT)
			return i + 1;
	}
	return 0;
}

static void put_escaped(struct line *l, const char *s, bool json)
{
	size_t len = strlen(s);
	char escape[8];
	for (size_t i = 0, n; i < len && !l->cut; i += n) {
		unsigned char c = (unsigned char)s[i];
		n = char_len(s + i, len - i);
		if (n == 0) {
			n = 1;
			snprintf(escape, sizeof(escape), json ? "\\\\x%02x" : "\\x%02x", c);
			put_cstr(l, escape);
		} else if (c == '\n' || c == '\r' || c == '\t') {
			put_cstr(l, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		} else if (c < 0x20 || c == 0x7F) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			put_cstr(l, escape);
		} else if (c == 0xC2 && (unsigned char)s[i + 1] < 0xA0) {
			/* U+0080 to U+009F: control characters too. */
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(unsigned char)s[i + 1]);
			put_cstr(l, escape);
		} else if (json && (c == '"' || c == '\\')) {
			put_cstr(l, c == '"' ? "\\\"" : "\\\\");
		} else {
			put(l, s + i, n);
		}
	}
}

static const char *speaker(void)
{
	return target.who[0] != '\0' ? target.who : program_invocation_short_name;
}

static void put_text(struct line *l, const char *time, enum log_level level, const char *text)
{
	if (time != NULL) {
		put_cstr(l, time);
		put_cstr(l, " ");
		put_cstr(l, level_name[level]);
		put_cstr(l, " ");
	}
	put_escaped(l, speaker(), false);
	put_cstr(l, ": ");
	put_escaped(l, text, false);
	if (l->cut)
		put_tail(l, CUT_MARK);
}

static void put_json(struct line *l, const char *time, enum log_level level, const char *text)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	put_cstr(l, "{\"time\":\"");
	put_cstr(l, time);
	put_cstr(l, "\",\"level\":\"");
	put_cstr(l, level_name[level]);
	put_cstr(l, "\",\"who\":\"");
	put_escaped(l, speaker(), true);
	put_cstr(l, "\",\"pid\":");
	put_cstr(l, pid);
	put_cstr(l, ",\"message\":\"");
	put_escaped(l, text, true);
	if (l->cut)
		put_tail(l, CUT_MARK);
	put_tail(l, "\"}");
}

static void send_syslog(enum log_level level, struct line *l)
{
	static const int priority[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARN] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};
	syslog(priority[level], "%.*s", (int)l->len, l->data);
}

static void write_now(const char *data, size_t len)
{
	ssize_t written;
	do
		written = write(target.fd, data, len);
	while (written < 0 && errno == EINTR);
}

/* What was lost is told where it is missing. */
static bool tell_lost(void)
{
	char text[96], time[CLOCK_RFC3339_LEN + 1];
	struct line l = {.len = 0};
	snprintf(text, sizeof(text), "log: %llu lines are missing here: they came faster than they could be written",
		 (unsigned long long)(target.lost - target.lost_told));
	clock_format_rfc3339(time, clock_wall_ms());
	if (target.format == LOG_FORMAT_JSON)
		put_json(&l, time, LOG_LEVEL_WARN, text);
	else
		put_text(&l, time, LOG_LEVEL_WARN, text);
	put_tail(&l, "\n");
	if (!log_writer_add(target.writer, l.data, l.len))
		return false;
	target.lost_told = target.lost;
	return true;
}

static void hand_over(const struct line *l)
{
	if (target.lost != target.lost_told && !tell_lost())
		target.lost++;
	else if (!log_writer_add(target.writer, l->data, l->len))
		target.lost++;
}

static void emit(enum log_level level, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void emit(enum log_level level, const char *fmt, va_list ap)
{
	int saved_errno = errno;
	char text[LINE_BYTES], time[CLOCK_RFC3339_LEN + 1];
	struct line l;
	l.len = 0;
	l.cut = false;

	/* As long as a whole line, so what is cut here is cut there too, and marked. */
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	clock_format_rfc3339(time, clock_wall_ms());
	if (target.format == LOG_FORMAT_JSON)
		put_json(&l, time, level, text);
	else
		put_text(&l, target.syslog ? NULL : time, level, text);

	if (target.syslog) {
		send_syslog(level, &l);
	} else {
		put_tail(&l, "\n");
		if (target.writer != NULL && log_writer_is_running(target.writer))
			hand_over(&l);
		else
			write_now(l.data, l.len);
	}
	errno = saved_errno;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (!log_enabled(level))
		return;
	va_list ap;
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

void log_write_gated(struct log_gate *gate, enum log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	int64_t now = clock_mono_ms();
	char text[LINE_BYTES];
	if (!log_enabled(level))
		return;
	if (now < gate->open_at_ms && gate->open_at_ms - now <= LOG_GAP_MS) {
		gate->held_back++;
		return;
	}
	errno = saved_errno;
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (gate->held_back != 0)
		log_write(level, "%s (and %llu times since the last such line)", text,
			  (unsigned long long)gate->held_back);
	else
		log_write(level, "%s", text);
	*gate = (struct log_gate){.open_at_ms = now + LOG_GAP_MS};
	errno = saved_errno;
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}

void log_panic(const char *file, int line, const char *what)
{
	log_write(LOG_LEVEL_ERROR, "panic: %s:%d: does not hold: %s", file, line, what);
	log_stop();
	abort();
}

void log_stop(void)
{
	if (target.writer != NULL)
		(void)log_writer_stop(target.writer, LOG_STOP_MS);
}

void log_start(void)
{
	if (target.writer == NULL) {
		target.writer = log_writer_new(target.fd, LOG_WAITING_MAX, LINE_BYTES);
		if (target.writer != NULL)
			atexit(log_stop);
	}
	target.lost = target.lost_told = 0;
	if (target.writer == NULL || !log_writer_start(target.writer))
		log_error("log: no thread can be started to write it");
}

uint64_t log_lost(void)
{
	return target.lost;
}
