/* SPDX-License-Identifier: BSD-2-Clause */
/* One event is one line, whatever is in it; levels, targets, rotation; lines of several processes do not mix. */
#include "core/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/utf8.h"
#include "../tap.h"

static char dir[] = "/tmp/tidings-log-XXXXXX";
static char path[64], rotated[64];

/* The whole file; borrowed until the next call. */
static const char *slurp(const char *name)
{
	static struct buf b;
	buf_clear(&b);
	int fd = open(name, O_RDONLY);
	ssize_t n;
	while (fd >= 0 && (n = read(fd, buf_reserve(&b, 65536), 65536)) > 0)
		b.len += (size_t)n;
	if (fd >= 0)
		close(fd);
	return buf_cstr(&b);
}

static void open_log(enum log_level level, enum log_format format)
{
	const char *err = NULL;
	unlink(path);
	if (log_open(path, level, format, &err) != 0) {
		printf("Bail out! %s: %s\n", path, err);
		exit(1);
	}
}

/* What follows the time of the only line, without its line feed; NULL if it is not one whole line with a time. */
static const char *only_line(void)
{
	static char line[8192];
	const char *all = slurp(path), *end = strchr(all, '\n');
	if (end == NULL || end[1] != '\0' || end - all < 26 || (size_t)(end - all) >= sizeof(line))
		return NULL;
	for (int i = 0; i < 24; i++) {
		char form = "0000-00-00T00:00:00.000Z"[i];
		if (form == '0' ? all[i] < '0' || all[i] > '9' : all[i] != form)
			return NULL;
	}
	snprintf(line, sizeof(line), "%.*s", (int)(end - all) - 25, all + 25);
	return line;
}

static void test_text(void)
{
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_identity("worker 1");
	log_info("hello %s %d", "you", 7);
	is_str(only_line(), "info worker 1: hello you 7", "a line of text");

	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_warn("%s", "two\nlines\r\tand \x1b[31m\x7f \\ \"");
	is_str(only_line(), "warn worker 1: two\\nlines\\r\\tand \\u001b[31m\\u007f \\ \"",
	       "control characters are escaped");

	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_error("%s", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xC2\x85\xC2\x9B\xC2\xA0 \xFF \xE2\x82");
	is_str(only_line(),
	       "error worker 1: gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \\u0085\\u009b\xC2\xA0 \\xff \\xe2\\x82",
	       "UTF-8 stays, other bytes and C1 controls are escaped");
}

static void test_json(void)
{
	char want[512];
	const char *all;
	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	log_identity("master");
	log_debug("%s", "say \"hi\"\\ \n\x01 \xC3\xBC \xFF \xC2\x9B");
	all = slurp(path);
	snprintf(want, sizeof(want),
		 "\",\"level\":\"debug\",\"who\":\"master\",\"pid\":%ld,\"message\":\"say \\\"hi\\\"\\\\ \\n\\u0001 "
		 "\xC3\xBC "
		 "\\\\xff \\u009b\"}\n",
		 (long)getpid());
	ok(strncmp(all, "{\"time\":\"2", 10) == 0, "an object that begins with the time");
	is_str(strlen(all) > 33 ? all + 33 : all, want, "and goes on with level, who, pid and message");
}

static void test_long(void)
{
	static char text[20000];
	memset(text, 'x', sizeof(text) - 1);
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("%s", text);
	size_t len = strlen(slurp(path));
	ok(len > 4000 && len <= 4096, "a long line is cut to 4096 bytes (%zu)", len);
	is_str(slurp(path) + len - 5, "x...\n", "and says so");

	/* Of characters that are escaped or several bytes long, and at every offset. */
	bool whole = true;
	for (size_t shift = 0; shift < 8 && whole; shift++) {
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i < shift ? 'y' : "\xE2\x82\xAC\x01"[(i - shift) % 4];
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
		log_info("%s", text);
		const char *all = slurp(path);
		len = strlen(all);
		whole = len <= 4096 && utf8_valid(all, len) && strcmp(all + len - 6, "...\"}\n") == 0;
		const char *last = all + len - 7;
		whole = whole && (*last == '\xAC' || memcmp(last - 5, "\\u0001", 6) == 0);
	}
	ok(whole, "never inside of a character or an escape, and a JSON line stays an object");

	/* Exactly at the limit of what one line takes, nothing is marked. */
	memset(text, 'x', sizeof(text) - 1);
	log_identity("m");
	size_t fits = 0;
	for (int n = 4000; n < 4096; n++) {
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
		log_info("%.*s", n, text);
		const char *all = slurp(path);
		if (all[strlen(all) - 2] == 'x')
			fits = (size_t)n;
	}
	ok(fits > 4030 && fits < 4095, "the longest that fits is whole (%zu)", fits);
}

static void test_levels(void)
{
	open_log(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	ok(log_enabled(LOG_LEVEL_ERROR) && log_enabled(LOG_LEVEL_WARN) && !log_enabled(LOG_LEVEL_INFO) &&
		   !log_enabled(LOG_LEVEL_DEBUG),
	   "at warn, error and warn are on");
	log_info("no");
	log_debug("no");
	is_str(slurp(path), "", "the others write nothing");
	errno = EPIPE;
	log_error("yes: %m");
	is_int(errno, EPIPE, "errno is left alone");
	ok(strstr(slurp(path), "yes: ") != NULL, "error writes");
}

static void test_reopen(void)
{
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("first");
	rename(path, rotated);
	log_info("second");
	ok(strstr(slurp(rotated), "second") != NULL, "after a rename lines go on to the old file");
	log_reopen();
	log_info("third");
	ok(strstr(slurp(path), "third") != NULL && strstr(slurp(path), "second") == NULL, "reopened: to the new one");
	ok(strstr(slurp(rotated), "third") == NULL, "and not to the old");

	/* A directory in the way. */
	unlink(rotated);
	rename(path, rotated);
	mkdir(path, 0700);
	log_reopen();
	log_info("fourth");
	const char *all = slurp(rotated);
	ok(strstr(all, "cannot reopen") != NULL && strstr(all, "fourth") != NULL,
	   "a failed reopen says so and keeps the file");
	rmdir(path);
	unlink(rotated);

	const char *err = NULL;
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	is_int(log_open("/nonexistent/dir/log", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &err), -1,
	       "a path that cannot be opened");
	ok(err != NULL && err[0] != '\0', "has a reason");
	log_info("still here");
	is_str(only_line(), "info m: still here", "and the old target stays, with its level and form");
}

static void test_processes(void)
{
	enum { CHILDREN = 4, LINES = 300 };
	static char text[1500];
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	for (int c = 0; c < CHILDREN; c++) {
		if (fork() != 0)
			continue;
		memset(text, 'a' + c, sizeof(text) - 1);
		for (int i = 0; i < LINES; i++)
			log_info("%.*s", i % 1500, text);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	unsigned lines = 0, mixed = 0;
	for (const char *p = slurp(path), *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
		const char *body = strstr(p, " m: ");
		lines++;
		if (body == NULL || body > end ||
		    strspn(body + 4, (char[2]){body[4], '\0'}) != (size_t)(end - body - 4))
			mixed += body == NULL || body[4] != '\n';
	}
	is_int(lines, CHILDREN * LINES, "all lines of %d processes", CHILDREN);
	is_int(mixed, 0, "each in one piece");
}

/* In a process of its own: a thread writes to a pipe that nobody reads, then somebody does. */
static int log_to_pipe(void)
{
	enum { LINES = 20000 };
	static char text[200];
	static struct buf all;
	const char *err;
	memset(text, 'x', sizeof(text) - 1);
	unlink(path);
	if (mkfifo(path, 0600) != 0)
		return 1;
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	if (log_open(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) != 0)
		return 2;
	log_start();
	for (int i = 0; i < LINES; i++)
		log_info("%05d %s", i, text);
	uint64_t lost = log_lost();
	if (lost == 0 || lost > LINES - 1000)
		return 3;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	int status = 0;
	waitpid(child, &status, 0);
	if (status != 0)
		return 4;
	/* What waits comes out whole and in order; and as soon as there is room, how many lines are missing. */
	while (strstr(buf_cstr(&all), "lines are missing here") == NULL) {
		log_info("once more");
		ssize_t n = read(reader, buf_reserve(&all, 65536), 65536);
		all.len += n > 0 ? (size_t)n : 0;
	}
	int next = 0;
	for (const char *p = buf_cstr(&all), *body; (body = strstr(p, ": 0")) != NULL; p = body + 1)
		next += atoi(body + 2) == next && body[2 + 6] == 'x';
	if (next < 1000)
		return 5;
	return strstr(buf_cstr(&all), " warn m: log: ") != NULL ? 0 : 6;
}

static void test_slow_reader(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(log_to_pipe());
	int status = 0;
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "a pipe that nobody reads costs lines, which are counted (%d)",
	   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	unlink(path);
}

static int log_and_exit(void)
{
	const char *err;
	unlink(path);
	if (log_open(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) != 0)
		return 1;
	log_start();
	for (int i = 0; i < 500; i++)
		log_info("line %d", i);
	exit(0);
}

static void test_thread(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(log_and_exit());
	waitpid(pid, NULL, 0);
	unsigned lines = 0;
	for (const char *p = slurp(path); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	is_int(lines, 500, "what waits when the process exits is written");
}

/* Runs fn in a child whose stderr is `path`; its wait status. */
static int in_child(void (*fn)(void))
{
	fflush(stdout);
	unlink(path);
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(99);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return status;
}

static void be_fatal(void)
{
	const char *err;
	if (log_open("stderr", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) == 0)
		log_fatal("cannot start: %s", "no luck");
}

static void be_wrong(void)
{
	const char *err;
	if (log_open("stderr", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) == 0)
		ASSERT(1 + 1 == 3);
}

static void be_syslog(void)
{
	const char *err;
	if (log_open("syslog", LOG_LEVEL_ERROR, LOG_FORMAT_JSON, &err) != 0)
		return;
	/* Nothing may be sent here: only that lines do not go to stderr any more, and that one can come back. */
	log_info("not enabled");
	log_reopen();
	if (log_open("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) == 0)
		log_info("back");
	_exit(0);
}

static void test_ends(void)
{
	int status = in_child(be_fatal);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "fatal exits with 1");
	is_str(only_line(), "error m: cannot start: no luck", "and says why on stderr");
	status = in_child(be_wrong);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "a broken invariant aborts");
	const char *line = only_line();
	ok(line != NULL && strstr(line, "panic") != NULL && strstr(line, "1 + 1 == 3") != NULL, "and is named");
	status = in_child(be_syslog);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "to syslog and back");
	is_str(only_line(), "info m: back", "to stderr");
}

static void repeat(int n)
{
	for (int i = 0; i < n; i++)
		log_error_gated("no more descriptors, number %d", i);
}

static void test_gate(void)
{
	static _Atomic int64_t shift_ms;
	clock_share_shift(&shift_ms);
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	repeat(30000);
	const char *line = only_line();
	ok(line != NULL && strstr(line, "no more descriptors, number 0") != NULL, "30,000 times the same are one line");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_error_gated("something else");
	ok(only_line() != NULL, "another place is not concerned");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	atomic_store(&shift_ms, LOG_GAP_MS);
	repeat(1);
	line = only_line();
	ok(line != NULL && strstr(line, "number 0 (and 29999 times since the last such line)") != NULL,
	   "after a while the next one tells how many there were");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	atomic_store(&shift_ms, -3600000);
	repeat(1);
	ok(only_line() != NULL, "a clock that is set back silences nothing");
	clock_share_shift(NULL);
}

int main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(rotated, sizeof(rotated), "%s/log.1", dir);
	test_text();
	test_json();
	test_long();
	test_levels();
	test_reopen();
	test_processes();
	test_slow_reader();
	test_thread();
	test_ends();
	test_gate();
	unlink(path);
	rmdir(dir);
	return done_testing();
}
