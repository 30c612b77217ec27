/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two halves of memory: lines are added to one, and the thread writes the other. Decides how long a writer may be
 * waited for; must not log, for it is what logs.
 */
#include "core/base.h"
#include "core/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WRITERS_MAX 2
#define STACK_BYTES (256 * 1024)
#define RETRY_MS 1000
#define POLL_MS 100
/* A fork waits so long for a write to end. */
#define FORK_WAIT_MS 200

/* Added to by the owner, or written by the thread. */
struct half {
	char *data;
	size_t len;
};

struct log_writer {
	size_t max, piece;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more, written;
	struct half adding, writing; /* of writing: len. Its data is the thread's alone while len is not 0 */
	int fd, next_fd;	     /* -1: none */
	int error;
	bool running, closing;
	bool pausing; /* the thread ends now, whatever is left; it is started again */
};

static struct log_writer *writers[WRITERS_MAX];
static unsigned writer_count;

/* ---- forks ---- */

static void after_ms(struct timespec *t, int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += (long)(ms % 1000) * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/* With the lock. Waits for the thread to end; false if it does not in time, for it is in a write that blocks. */
static bool wait_for_end(struct log_writer *w, int timeout_ms)
{
	struct timespec until;
	after_ms(&until, timeout_ms);
	pthread_cond_signal(&w->more);
	while (w->running && pthread_cond_timedwait(&w->written, &w->lock, &until) == 0)
		continue;
	if (w->running)
		return false;
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_lock(&w->lock);
	return true;
}

/* A process with one thread is forked: what a second one holds at that moment would be lost to the child. */
static void before_fork(void)
{
	for (unsigned i = 0; i < writer_count; i++) {
		struct log_writer *w = writers[i];
		pthread_mutex_lock(&w->lock);
		w->pausing = w->running;
		if (w->pausing)
			(void)wait_for_end(w, FORK_WAIT_MS);
	}
}

static bool start_thread(struct log_writer *w);

static void after_fork(void)
{
	for (unsigned i = 0; i < writer_count; i++) {
		struct log_writer *w = writers[i];
		bool paused = w->pausing;
		w->pausing = false;
		if (paused && !w->running)
			(void)start_thread(w);
		pthread_mutex_unlock(&w->lock);
	}
}

static void init_locks(struct log_writer *w)
{
	pthread_condattr_t mono;
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, &mono);
	pthread_cond_init(&w->written, &mono);
	pthread_condattr_destroy(&mono);
}

static void after_fork_in_child(void)
{
	for (unsigned i = 0; i < writer_count; i++) {
		struct log_writer *w = writers[i];
		init_locks(w);
		w->adding.len = w->writing.len = 0;
		w->error = 0;
		w->running = w->closing = w->pausing = false;
	}
}

/* ---- the thread ---- */

/* The lines at the front that are written at once. */
static size_t piece_of(const struct log_writer *w, const char *data, size_t len)
{
	if (len <= w->piece)
		return len;
	const char *last = memrchr(data, '\n', w->piece);
	return last != NULL ? (size_t)(last - data) + 1 : w->piece;
}

/* Without the lock. Bytes that the file took; 0 with *error_r 0: it is a pipe that takes nothing now. */
static size_t write_some(int fd, const char *data, size_t len, int *error_r)
{
	*error_r = 0;
	ssize_t n = write(fd, data, len);
	if (n >= 0)
		return (size_t)n;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		(void)poll(&p, 1, POLL_MS);
	} else if (errno != EINTR) {
		*error_r = errno;
	}
	return 0;
}

static void take_next_file(struct log_writer *w)
{
	if (w->next_fd < 0)
		return;
	close(w->fd);
	w->fd = w->next_fd;
	w->next_fd = -1;
}

/* Added lines are no reason to try again sooner. */
static void wait_to_retry(struct log_writer *w)
{
	struct timespec until;
	after_ms(&until, RETRY_MS);
	while (!w->closing && !w->pausing && w->next_fd < 0 && pthread_cond_timedwait(&w->more, &w->lock, &until) == 0)
		continue;
}

/* Keeps the lock but for the writing itself. */
static void write_half(struct log_writer *w)
{
	size_t at = 0, part = 0;
	while (at < w->writing.len && !(w->pausing && part == 0)) {
		if (part == 0)
			take_next_file(w);
		const char *data = w->writing.data + at;
		size_t len = part != 0 ? part : piece_of(w, data, w->writing.len - at);
		int fd = w->fd, error;
		pthread_mutex_unlock(&w->lock);
		size_t n = write_some(fd, data, len, &error);
		pthread_mutex_lock(&w->lock);
		at += n;
		part = n != 0 ? len - n : part; /* of a line: to the same file */
		w->error = error;
		if (error != 0 && w->closing) {
			at = w->writing.len;
		} else if (error != 0) {
			part = 0;
			wait_to_retry(w);
		}
	}
	w->writing.len -= at;
	memmove(w->writing.data, w->writing.data + at, w->writing.len);
}

static void *thread_main(void *arg)
{
	struct log_writer *w = arg;
	pthread_mutex_lock(&w->lock);
	while (!w->pausing) {
		if (w->writing.len != 0) {
			write_half(w);
		} else if (w->adding.len != 0) {
			struct half full = w->adding;
			w->adding = (struct half){w->writing.data, 0};
			w->writing = full;
		} else if (w->closing) {
			break;
		} else {
			take_next_file(w);
			pthread_cond_wait(&w->more, &w->lock);
		}
	}
	w->running = false;
	pthread_cond_broadcast(&w->written);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- the owner ---- */

struct log_writer *log_writer_new(int fd, size_t waiting_max, size_t piece)
{
	if (writer_count == WRITERS_MAX)
		return NULL;
	struct log_writer *w = xcalloc(1, sizeof(*w));
	w->max = waiting_max;
	w->piece = piece;
	w->adding.data = xmalloc(waiting_max);
	w->writing.data = xmalloc(waiting_max);
	w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	w->next_fd = -1;
	init_locks(w);
	if (writer_count == 0)
		pthread_atfork(before_fork, after_fork, after_fork_in_child);
	writers[writer_count++] = w;
	return w;
}

static bool start_thread(struct log_writer *w)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the signals are the loop's */
	w->running = true;
	if (pthread_create(&w->thread, &attr, thread_main, w) != 0)
		w->running = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return w->running;
}

bool log_writer_start(struct log_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->closing = false;
	bool runs = w->running || start_thread(w);
	pthread_mutex_unlock(&w->lock);
	return runs;
}

bool log_writer_is_running(const struct log_writer *w)
{
	return w->running;
}

bool log_writer_add(struct log_writer *w, const char *lines, size_t len)
{
	pthread_mutex_lock(&w->lock);
	bool fits = len <= w->max - w->adding.len && w->adding.len + w->writing.len + len <= w->max;
	if (fits) {
		memcpy(w->adding.data + w->adding.len, lines, len);
		w->adding.len += len;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	return fits;
}

void log_writer_switch(struct log_writer *w, int fd)
{
	pthread_mutex_lock(&w->lock);
	if (w->next_fd >= 0)
		close(w->next_fd);
	w->next_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

size_t log_writer_waiting(struct log_writer *w)
{
	pthread_mutex_lock(&w->lock);
	size_t len = w->adding.len + w->writing.len;
	pthread_mutex_unlock(&w->lock);
	return len;
}

int log_writer_error(struct log_writer *w)
{
	pthread_mutex_lock(&w->lock);
	int error = w->error;
	pthread_mutex_unlock(&w->lock);
	return error;
}

bool log_writer_stop(struct log_writer *w, int timeout_ms)
{
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	bool all = !w->running || (wait_for_end(w, timeout_ms) && w->error == 0);
	pthread_mutex_unlock(&w->lock);
	return all;
}
