/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing the access log. Decides the form of a line, and what becomes of lines that cannot be written. */
#include "core/base.h"
#include "core/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/log_writer.h"

/* So much is written without waiting for more. */
#define FLUSH_BYTES (32 * 1024)
/* So much waits for a file that takes nothing. */
#define WAITING_MAX (256 * 1024)

static struct {
	char *path; /* NULL: there is no such log */
	int fd;	    /* -1: could not be opened */
	enum log_format format;
	struct buf lines;
	bool failing;
	bool started;		   /* access_log_start was called */
	struct log_writer *writer; /* NULL before that, and without a file */
} access_log = {.fd = -1};

int access_log_open_file(const char *path)
{
	/* Not blocking: it may be a pipe that nobody reads. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (fd < 0)
		log_error("log.access: cannot open %s: %s", path, strerror(errno));
	return fd;
}

void access_log_open(const char *path, enum log_format format)
{
	access_log_close();
	if (path[0] == '\0')
		return;
	access_log.path = xstrdup(path);
	access_log.format = format;
	access_log.fd = access_log_open_file(path);
}

void access_log_take_fd(int fd)
{
	if (fd < 0)
		return;
	if (access_log.path == NULL) {
		close(fd);
		return;
	}
	access_log_flush();
	if (access_log.fd >= 0)
		close(access_log.fd);
	access_log.fd = fd;
	if (access_log.writer != NULL)
		log_writer_switch(access_log.writer, fd);
	else if (access_log.started)
		access_log_start();
}

void access_log_start(void)
{
	access_log.started = true;
	if (access_log.fd < 0 || access_log.writer != NULL)
		return;
	access_log.writer = log_writer_new(access_log.fd, WAITING_MAX, FLUSH_BYTES);
	if (access_log.writer != NULL && !log_writer_start(access_log.writer))
		log_error("log.access: no thread can be started to write it");
}

void access_log_close(void)
{
	access_log_flush();
	if (access_log.writer != NULL)
		(void)log_writer_stop(access_log.writer, LOG_STOP_MS);
	if (access_log.fd >= 0)
		close(access_log.fd);
	free(access_log.path);
	buf_fini(&access_log.lines);
	access_log.path = NULL;
	access_log.fd = -1;
	access_log.failing = false;
}

bool access_log_is_on(void)
{
	return access_log.path != NULL;
}

/* Outside bytes: only what can neither end a field, a string nor a line, nor steer a terminal, goes in as it is. */
static void put_outside(struct buf *b, struct str s, bool json)
{
	if (s.len == 0)
		s = str_from("-");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c > ' ' && c < 0x7F && c != '"' && c != '\\')
			buf_append_char(b, (char)c);
		else
			buf_printf(b, json ? "\\\\x%02x" : "\\x%02x", c);
	}
}

static void put_text(struct buf *b, const char *time, const struct access_entry *e)
{
	buf_printf(b, "%s ", time);
	put_outside(b, str_from(e->address), false);
	buf_printf(b, " %s ", e->path.len > 0 ? e->method : "-");
	put_outside(b, e->path, false);
	buf_printf(b, " %d %llu %.3f ", e->status, (unsigned long long)e->bytes, (double)e->usecs / 1000);
	put_outside(b, str_from(e->request_id), false);
	buf_append_char(b, '\n');
}

static void put_json(struct buf *b, const char *time, const struct access_entry *e)
{
	buf_printf(b, "{\"time\":\"%s\",\"address\":\"", time);
	put_outside(b, str_from(e->address), true);
	buf_printf(b, "\",\"method\":\"%s\",\"path\":\"", e->path.len > 0 ? e->method : "-");
	put_outside(b, e->path, true);
	buf_printf(b, "\",\"status\":%d,\"bytes\":%llu,\"ms\":%.3f,\"request_id\":\"", e->status,
		   (unsigned long long)e->bytes, (double)e->usecs / 1000);
	put_outside(b, str_from(e->request_id), true);
	buf_append_str(b, STR_LIT("\"}\n"));
}

bool access_log_add(const struct access_entry *e)
{
	char time[CLOCK_RFC3339_LEN + 1];
	if (access_log.fd < 0 || access_log.lines.len >= (access_log.writer != NULL ? FLUSH_BYTES : WAITING_MAX))
		return false;
	clock_format_rfc3339(time, clock_wall_ms());
	if (access_log.format == LOG_FORMAT_JSON)
		put_json(&access_log.lines, time, e);
	else
		put_text(&access_log.lines, time, e);
	if (access_log.lines.len >= FLUSH_BYTES && (!access_log.failing || access_log.writer != NULL))
		access_log_flush();
	return true;
}

static void tell_failing(int error)
{
	if (error != 0 && !access_log.failing)
		log_error("log.access: cannot write %s: %s", access_log.path, strerror(error));
	else if (error == 0 && access_log.failing)
		log_info("log.access: %s can be written again", access_log.path);
	access_log.failing = error != 0;
}

/* Lines that find no room in the writer stay here. */
static bool hand_over(struct buf *b)
{
	if (b->len != 0 && log_writer_add(access_log.writer, b->data, b->len))
		b->len = 0;
	tell_failing(log_writer_error(access_log.writer));
	return b->len == 0 && log_writer_waiting(access_log.writer) == 0;
}

bool access_log_flush(void)
{
	struct buf *b = &access_log.lines;
	if (access_log.writer != NULL)
		return hand_over(b);
	if (b->len == 0)
		return true;
	ssize_t written;
	do
		written = write(access_log.fd, b->data, b->len);
	while (written < 0 && errno == EINTR);
	if (written < 0) {
		tell_failing(errno);
		return false;
	}
	/* A part: the rest follows, so that no line is torn. */
	buf_consume(b, (size_t)written);
	if (b->len == 0)
		tell_failing(0);
	return b->len == 0;
}
