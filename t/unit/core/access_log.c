/* SPDX-License-Identifier: BSD-2-Clause */
/* One request is one line, whatever bytes it came with; rotation; a disk that takes nothing costs lines, nothing else.
 */
#include "core/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/access_log.h"
#include "core/buf.h"
#include "core/json.h"
#include "../tap.h"

static char dir[] = "/tmp/tidings-access-XXXXXX";
static char path[64], rotated[64];

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

static size_t lines_in(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static struct access_entry entry(const char *request_path)
{
	return (struct access_entry){
		.address = "192.0.2.7",
		.method = "GET",
		.path = str_from(request_path),
		.status = 200,
		.bytes = 321,
		.usecs = 4217,
		.request_id = "r-1",
	};
}

static void begin(enum log_format format)
{
	unlink(path);
	access_log_open(path, format);
}

static void test_text(void)
{
	struct access_entry e = entry("/messages/send"), odd = entry("/a b\"\\\n\xff\x1b[2J");
	struct access_entry unread = {.address = "::1", .method = "GET", .status = 400, .request_id = "r-2"};
	begin(LOG_FORMAT_TEXT);
	ok(access_log_is_on() && access_log_add(&e) && access_log_add(&odd) && access_log_add(&unread), "three lines");
	is_str(slurp(path), "", "are gathered");
	ok(access_log_flush(), "and written together");
	const char *all = slurp(path);
	is_int((int64_t)lines_in(all), 3, "a line a request");
	ok(strncmp(all + 24, " 192.0.2.7 GET /messages/send 200 321 4.217 r-1\n", 48) == 0,
	   "time, address, method, path, status, bytes, milliseconds, request id");
	ok(strstr(all, " GET /a\\x20b\\x22\\x5c\\x0a\\xff\\x1b[2J 200 ") != NULL, "what could break a line is escaped");
	ok(strstr(all, " ::1 - - 400 0 0.000 r-2\n") != NULL, "a request that could not be read has no path");
	access_log_close();
	ok(!access_log_is_on(), "closed");
}

static void test_json(void)
{
	struct access_entry odd = entry("/a\"\\\n\xff");
	struct json_doc *doc = json_doc_new();
	const char *err;
	begin(LOG_FORMAT_JSON);
	ok(access_log_add(&odd), "a line of JSON");
	access_log_close();
	const char *all = slurp(path);
	is_int((int64_t)lines_in(all), 1, "written when the log is closed");
	const struct json *line = json_parse(doc, (struct str){all, strlen(all) - 1}, &err);
	if (!ok(line != NULL, "it is JSON")) {
		json_doc_free(&doc);
		return;
	}
	ok(str_is(json_get(line, "path")->text, "/a\\x22\\x5c\\x0a\\xff"), "with the path's strange bytes escaped");
	ok(str_is(json_get(line, "ms")->text, "4.217") && str_is(json_get(line, "bytes")->text, "321") &&
		   str_is(json_get(line, "status")->text, "200"),
	   "numbers are numbers");
	ok(str_is(json_get(line, "address")->text, "192.0.2.7") && str_is(json_get(line, "method")->text, "GET") &&
		   str_is(json_get(line, "request_id")->text, "r-1"),
	   "and the rest is there");
	json_doc_free(&doc);
}

static void test_rotation(void)
{
	struct access_entry old = entry("/old"), new = entry("/new");
	begin(LOG_FORMAT_TEXT);
	access_log_add(&old);
	rename(path, rotated);
	access_log_take_fd(access_log_open_file(path));
	access_log_add(&new);
	access_log_flush();
	ok(strstr(slurp(rotated), "/old") != NULL, "what waits goes to the old file");
	ok(strstr(slurp(path), "/new") != NULL && strstr(slurp(path), "/old") == NULL, "then the new one is used");
	unlink(path);
	mkdir(path, 0700);
	access_log_take_fd(access_log_open_file(path));
	access_log_add(&old);
	ok(access_log_flush(), "one that cannot be opened leaves the old one");
	rmdir(path);
	access_log_close();
}

static void test_no_file(void)
{
	struct access_entry e = entry("/x");
	access_log_open("", LOG_FORMAT_TEXT);
	ok(!access_log_is_on(), "an empty path: no log");
	mkdir(path, 0700);
	access_log_open(path, LOG_FORMAT_TEXT);
	ok(access_log_is_on() && !access_log_add(&e) && access_log_flush(), "without a file lines are lost");
	rmdir(path);
	access_log_take_fd(access_log_open_file(path));
	ok(access_log_add(&e) && access_log_flush(), "until it can be opened again");
	access_log_close();
}

static void test_full(void)
{
	struct access_entry e = entry("/full");
	int taken = 0, lost = 0;
	access_log_open("/dev/full", LOG_FORMAT_TEXT);
	for (int i = 0; i < 10000; i++) {
		bool kept = access_log_add(&e);
		taken += kept;
		lost += !kept;
	}
	ok(taken > 1000 && lost > 1000, "a full disk: some lines wait, the rest is lost");
	ok(!access_log_flush(), "and it is known that they wait");
	access_log_close();

	unlink(path);
	mkfifo(path, 0600);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	access_log_open(path, LOG_FORMAT_TEXT);
	for (taken = 0; taken < 100000 && access_log_add(&e);)
		taken++;
	ok(taken < 100000, "a pipe that nobody reads does not block");
	static struct buf all;
	while (!access_log_flush()) {
		ssize_t n = read(reader, buf_reserve(&all, 65536), 65536);
		all.len += n > 0 ? (size_t)n : 0;
	}
	for (ssize_t n; (n = read(reader, buf_reserve(&all, 65536), 65536)) > 0;)
		all.len += (size_t)n;
	is_int((int64_t)lines_in(buf_cstr(&all)), taken, "and once it is read all that waited arrives");
	ok(all.len % lines_in(buf_cstr(&all)) == 0, "no line torn");
	buf_fini(&all);
	access_log_close();
	close(reader);
	unlink(path);
}

/* Several processes, one file. */
static void test_shared(void)
{
	enum { PROCESSES = 4, LINES = 3000 };
	pid_t pid[PROCESSES];
	unlink(path);
	for (int p = 0; p < PROCESSES; p++) {
		pid[p] = fork();
		if (pid[p] == 0) {
			struct access_entry e = entry("/shared");
			access_log_open(path, LOG_FORMAT_TEXT);
			for (int i = 0; i < LINES; i++)
				access_log_add(&e);
			access_log_close();
			_exit(0);
		}
	}
	for (int p = 0; p < PROCESSES; p++)
		waitpid(pid[p], NULL, 0);
	const char *at = slurp(path);
	int whole = 0;
	for (; *at != '\0'; at = strchr(at, '\n') + 1)
		whole += strncmp(at + 24, " 192.0.2.7 GET /shared 200 321 4.217 r-1\n", 41) == 0;
	is_int(whole, PROCESSES * LINES, "lines of several processes do not mix");
}

static int add_to_pipe(void)
{
	struct access_entry e = entry("/thread");
	static struct buf all;
	int taken = 0;
	unlink(path);
	if (mkfifo(path, 0600) != 0)
		return 1;
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	access_log_open(path, LOG_FORMAT_TEXT);
	access_log_start();
	while (taken < 100000 && access_log_add(&e))
		taken++;
	if (taken == 100000 || access_log_flush())
		return 2;
	while (!access_log_flush()) {
		ssize_t n = read(reader, buf_reserve(&all, 65536), 65536);
		all.len += n > 0 ? (size_t)n : 0;
	}
	access_log_close();
	for (ssize_t n; (n = read(reader, buf_reserve(&all, 65536), 65536)) > 0;)
		all.len += (size_t)n;
	return lines_in(buf_cstr(&all)) == (size_t)taken ? 0 : 3;
}

static void test_thread(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(add_to_pipe());
	int status = 0;
	waitpid(pid, &status, 0);
	is_int(status, 0, "with a thread: a pipe that nobody reads blocks nobody, and what waited arrives");
	unlink(path);
}

int main(void)
{
	const char *err;
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/access", dir);
	snprintf(rotated, sizeof(rotated), "%s/access.1", dir);
	/* Faults are told there. */
	char events[64];
	snprintf(events, sizeof(events), "%s/events", dir);
	if (log_open(events, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &err) != 0)
		return 1;
	test_text();
	test_json();
	test_rotation();
	test_no_file();
	test_full();
	test_thread();
	test_shared();
	is_int((int64_t)lines_in(slurp(events)), 5, "each fault and each mending is told once");
	unlink(path);
	unlink(rotated);
	unlink(events);
	rmdir(dir);
	return done_testing();
}
