/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings of notes: what is noted is found, by another process, after a crash and after the ring has come round; what was
 * lost is told; and no file, however it looks, does any harm.
 *
 * A note costs some nanoseconds: at the end it is measured, and printed, for it depends on the machine.
 */
#include "core/base.h"
#include "core/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap.h"
#include "core/clock.h"
#include "core/log.h"

#define RING (64 * 1024)
#define RING_NOTES (RING / 32)
#define WORKER "a-worker"
#define NOW INT64_C(1800000000000)

static char dir[] = "/tmp/tidings-trace-XXXXXX";

static void at(char out[128], const char *name)
{
	snprintf(out, 128, "%s/" TRACE_DIR "/%s", dir, name);
}

static void forget(void)
{
	static const char *const names[] = {"sessions.0", "sessions.1", "sessions.2", "services.0"};
	char path[128];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		at(path, names[i]);
		(void)unlink(path);
	}
}

/* What is found of it, as text: "session user name status detail at", each with a line feed. */
static char text[1 << 20];
static struct trace_found last;

static const char *found(uint64_t message_id, int64_t now_ms)
{
	struct trace_scan *s = trace_scan_new(dir, message_id, now_ms);
	size_t n, len = 0;
	while (!trace_scan_step(s))
		;
	struct trace_note *notes = trace_notes(trace_scan_found(s), &n);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s/%.*s %s %u %" PRId64 "\n",
					notes[i].session, (int)notes[i].user.len,
					notes[i].user.len ? notes[i].user.s : "", (int)notes[i].name.len,
					notes[i].name.len ? notes[i].name.s : "", trace_status_name(notes[i].status),
					notes[i].detail, notes[i].at_ms - NOW);
	free(notes);
	last = *trace_scan_found(s);
	last.notes = (struct buf){0};
	trace_scan_free(&s);
	return text;
}

static uint64_t session(int64_t since_ms, unsigned number)
{
	return (uint64_t)since_ms << SESSION_NUMBER_BITS | number;
}

static struct trace *ring(void)
{
	struct trace *t = trace_open(dir, TRACE_SMALL, RING);
	if (t == NULL)
		printf("Bail out! no ring in %s\n", dir);
	return t;
}

static void test_notes(void)
{
	char id[SESSION_ID_LEN + 1], want[200];
	int64_t begun_ms = clock_wall_ms();
	struct trace *t = ring(), *services = trace_open(dir, TRACE_LARGE, RING);
	is_str(found(7, begun_ms), "", "nothing is noted");
	ok(last.since_ms >= begun_ms && last.since_ms <= clock_wall_ms(), "and it is told since when");
	trace_pushed(t, NOW + 1, 7, session(1000, 3), WORKER);
	trace_pushed(t, NOW + 2, 8, session(1000, 4), WORKER);
	trace_device(services, NOW + 3, 7, TRACE_GONE, 2, STR_LIT("ann"), STR_LIT("phone"));
	trace_hook(services, NOW + 2, 7, TRACE_RETRIED, 1, STR_LIT("crm"));
	id_session_make(id, 1000, WORKER, 3);
	snprintf(want, sizeof(want), "%s/ accepted 0 1\n/crm retried 1 2\nann/phone gone 2 3\n", id);
	is_str(found(7, NOW), want, "all of one message, in order of time");
	is_str(found(9, NOW), "", "and of no other");
	is_str(found(7, NOW + TRACE_KEPT_MS + 2), strchr(want, '\n') + 1, "for a day");
	trace_close(&t);
	is_str(found(7, NOW), want, "when the process has ended, too");
	t = ring();
	trace_pushed(t, NOW - 5000, 7, session(1000, 3), WORKER);
	snprintf(want, sizeof(want), "%s/ accepted 0 -5000\n%s/ accepted 0 1\n", id, id);
	ok(strncmp(found(7, NOW), want, strlen(want)) == 0, "the next one goes on with it, whatever its clock says");
	struct trace *second = ring();
	trace_pushed(second, NOW, 8, session(1000, 5), WORKER);
	trace_pushed(t, NOW, 8, session(1000, 6), WORKER);
	found(8, NOW);
	is_int(last.count[TRACE_PUSHED], 3, "two processes at a time have a ring each");
	trace_close(&second);
	trace_close(&t);
	trace_close(&services);
	forget();
	trace_pushed(NULL, NOW, 7, 1, WORKER);
	ok(trace_open(dir, TRACE_SMALL, 0) == NULL, "off");
}

static void test_killed(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct trace *t = ring();
		for (unsigned i = 0; i < 5; i++)
			trace_pushed(t, NOW + i, 7, session(1000, i), WORKER);
		kill(getpid(), SIGKILL);
	}
	int status;
	waitpid(pid, &status, 0);
	found(7, NOW);
	ok(WIFSIGNALED(status), "a process is killed");
	is_int(last.count[TRACE_PUSHED], 5, "and what it has noted is found");
	struct trace *t = ring();
	trace_pushed(t, NOW, 7, session(1000, 9), WORKER);
	found(7, NOW);
	is_int(last.count[TRACE_PUSHED], 6, "and the next one has its ring");
	trace_close(&t);
	forget();
}

static void test_round(void)
{
	struct trace *t = ring();
	int64_t begun_ms = clock_wall_ms();
	trace_pushed(t, NOW, 1, session(1000, 1), WORKER);
	for (unsigned i = 1; i < RING_NOTES - 100; i++)
		trace_pushed(t, NOW + i, 2, session(1000, 2), WORKER);
	found(1, NOW);
	is_int(last.count[TRACE_PUSHED], 1, "a ring that is nearly full has all");
	found(2, NOW);
	ok(last.cut && last.count[TRACE_PUSHED] == TRACE_FOUND_MAX, "of many some, and that is told");
	for (unsigned i = 0; i < 200; i++)
		trace_pushed(t, NOW + RING_NOTES + i, 3, session(1000, 3), WORKER);
	found(1, NOW);
	is_int(last.count[TRACE_PUSHED], 0, "the oldest are gone");
	ok(last.since_ms >= NOW + 100 && last.since_ms > begun_ms && last.since_ms < NOW + 150,
	   "and it is told up to when");
	found(3, NOW);
	is_int(last.count[TRACE_PUSHED], 200, "the newest are all there");
	trace_close(&t);
	t = ring();
	trace_pushed(t, NOW, 4, session(1000, 4), WORKER);
	found(4, NOW);
	is_int(last.count[TRACE_PUSHED], 1, "it goes on after a restart");
	trace_close(&t);
	struct stat st;
	char path[128];
	at(path, "sessions.0");
	ok(stat(path, &st) == 0 && st.st_size == 4096 + RING, "and has the size that was asked for");
	forget();
	t = trace_open(dir, TRACE_SMALL, INT64_C(1) << 30);
	trace_pushed(t, NOW, 4, session(1000, 4), WORKER);
	ok(stat(path, &st) == 0 && st.st_size < 1 << 20, "a large one takes no more than it needs");
	trace_close(&t);
	t = ring();
	is_str(found(4, NOW), "", "one of another size is begun anew");
	trace_close(&t);
	forget();
}

/* A file that has these bytes: it is read, and taken over. */
static unsigned survives(const char *bytes, size_t len)
{
	char path[128];
	at(path, "sessions.0");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(fd, bytes, len) != (ssize_t)len)
		return 1;
	close(fd);
	found(7, NOW);
	struct trace *t = trace_open(dir, TRACE_SMALL, RING);
	for (unsigned i = 0; t != NULL && i < 3 * RING_NOTES; i++)
		trace_pushed(t, NOW + i, i % 100, session(1000, i), WORKER);
	trace_close(&t);
	found(7, NOW);
	unsigned wrong = last.count[TRACE_PUSHED] < RING_NOTES / 100 - 1;
	forget();
	return wrong;
}

/* The file system takes no more than a first part of the ring. */
static void test_no_room(void)
{
	struct rlimit usual, full;
	getrlimit(RLIMIT_FSIZE, &usual);
	full = (struct rlimit){.rlim_cur = 4096 + 256 * 1024, .rlim_max = usual.rlim_max};
	int64_t begun_ms = clock_wall_ms();
	forget();
	signal(SIGXFSZ, SIG_IGN);
	struct trace *t = trace_open(dir, TRACE_SMALL, 1024 * 1024);
	ok(t != NULL && setrlimit(RLIMIT_FSIZE, &full) == 0, "a ring that cannot grow");
	for (int i = 0; i < 256 * 1024 / 32 + 10; i++)
		trace_pushed(t, NOW + i, 7, session(1000, 3), WORKER);
	found(7, NOW);
	ok(last.since_ms > NOW, "loses notes, and says when");
	setrlimit(RLIMIT_FSIZE, &usual);
	trace_close(&t);
	t = trace_open(dir, TRACE_SMALL, 1024 * 1024);
	trace_pushed(t, NOW, 8, session(1000, 3), WORKER);
	found(8, begun_ms);
	is_int(last.count[TRACE_PUSHED], 1, "the next process has room again");
	trace_close(&t);
	forget();
}

static void test_garbage(void)
{
	static char good[4096 + RING], bad[sizeof(good)];
	char path[128];
	unsigned wrong = 0;
	struct trace *t = ring();
	for (unsigned i = 0; i < RING_NOTES + 7; i++)
		trace_pushed(t, NOW + i, 7, session(1000, i), WORKER);
	trace_close(&t);
	at(path, "sessions.0");
	int fd = open(path, O_RDONLY);
	ok(read(fd, good, sizeof(good)) == (ssize_t)sizeof(good), "a ring");
	close(fd);
	static const size_t lengths[] = {0, 1, 8, 47, 48, 4095, 4096, 4097, 4128, 5000, sizeof(good) - 1, sizeof(good)};
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		wrong += survives(good, lengths[i]);
	is_int(wrong, 0, "cut off anywhere it does no harm");
	wrong = 0;
	srand(1);
	for (int round = 0; round < 60; round++) {
		memcpy(bad, good, sizeof(bad));
		for (int i = 0; i < 8; i++)
			bad[rand() % 64] = (char)(rand() % 4 ? rand() : 255);
		for (int i = 0; i < 1000; i++)
			bad[4096 + rand() % RING] = (char)rand();
		wrong += survives(bad, sizeof(bad));
	}
	is_int(wrong, 0, "nor does one of which bytes were changed");
	memset(bad, 255, sizeof(bad));
	is_int(survives(bad, sizeof(bad)), 0, "nor one of other bytes");
	ok(symlink("/etc/passwd", path) == 0 && trace_open(dir, TRACE_SMALL, RING) == NULL, "a link is not followed");
	is_str(found(7, NOW), "", "nor read");
	is_int(last.since_ms == INT64_MAX, 1, "and then nothing is known");
	forget();
}

static void test_sent(void)
{
	struct trace *t = ring(), *services = trace_open(dir, TRACE_LARGE, RING);
	struct buf out = {0};
	for (unsigned i = 0; i < 3; i++)
		trace_pushed(t, NOW + i, 7, session(1000, i), WORKER);
	trace_device(services, NOW + 9, 7, TRACE_ACCEPTED, 1, STR_LIT("ann"), STR_LIT("pad"));
	struct trace_scan *s = trace_scan_new(dir, 7, NOW);
	while (!trace_scan_step(s))
		;
	trace_found_put(trace_scan_found(s), &out);
	struct trace_found twice = {0};
	ok(trace_found_take((struct str){out.data, out.len}, &twice) &&
		   trace_found_take((struct str){out.data, out.len}, &twice),
	   "what is sent is understood");
	size_t n;
	struct trace_note *notes = trace_notes(&twice, &n);
	is_int(n, 4, "and what two have told is there once");
	ok(n == 4 && notes[3].kind == TRACE_DEVICE && str_is(notes[3].user, "ann") && str_is(notes[3].name, "pad"),
	   "as it was");
	free(notes);
	trace_found_fini(&twice);
	unsigned taken = 0;
	for (size_t len = 0; len < out.len; len++) {
		struct trace_found part = {0};
		taken += trace_found_take((struct str){out.data, len}, &part) && part.count[TRACE_DEVICE] != 0;
		trace_found_fini(&part);
	}
	is_int(taken, 0, "cut off it is not all");
	buf_fini(&out);
	trace_scan_free(&s);
	trace_close(&t);
	trace_close(&services);
	forget();
}

static void measure(void)
{
	enum { NOTES = 2000000 };
	struct trace *t = trace_open(dir, TRACE_SMALL, 8 << 20);
	for (int i = 0; i < 300000; i++)
		trace_pushed(t, NOW, 1, session(1000, 1), WORKER);
	int64_t from_us = clock_usecs();
	for (int i = 0; i < NOTES; i++)
		trace_pushed(t, NOW, (uint64_t)i, session(1000, 1), WORKER);
	printf("# a note takes %.1f ns\n", (double)(clock_usecs() - from_us) * 1000 / NOTES);
	from_us = clock_usecs();
	found(5, NOW);
	printf("# a scan of 8 MiB takes %.1f ms\n", (double)(clock_usecs() - from_us) / 1000);
	trace_close(&t);
	forget();
}

int main(void)
{
	const char *err = NULL;
	char path[128];
	if (log_open("/dev/null", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) != 0 || mkdtemp(dir) == NULL)
		return 1;
	ok(trace_make_dir(dir, "") == 0 && trace_make_dir(dir, "") == 0, "the folder");
	test_notes();
	test_killed();
	test_round();
	test_no_room();
	test_garbage();
	test_sent();
	measure();
	at(path, "");
	ok(rmdir(path) == 0 && rmdir(dir) == 0, "nothing is left");
	return done_testing();
}
