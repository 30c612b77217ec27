/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread with two queues, to it and back. */
#include "core/base.h"
#include "net/work.h"

#include "core/log.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICENESS 5

TAILQ_HEAD(job_queue, work_job);

struct work {
	struct event *finished; /* on wake */
	int wake;		/* an eventfd: there is something in done */
	unsigned waiting_max;
	bool started;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	struct job_queue waiting, done;
	unsigned waiting_count;
	bool closing;
};

static void lower_priority(void)
{
	/* Linux knows a priority of each thread; the system takes what is beyond its lowest for that. */
	if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), getpriority(PRIO_PROCESS, 0) + NICENESS) != 0)
		log_debug("work: cannot lower the priority: %s", strerror(errno));
}

static void wake_loop(struct work *w)
{
	const uint64_t one = 1;
	while (write(w->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void *thread_main(void *arg)
{
	struct work *w = arg;
	lower_priority();
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (TAILQ_EMPTY(&w->waiting) && !w->closing)
			pthread_cond_wait(&w->more, &w->lock);
		if (w->closing)
			break;
		struct work_job *j = TAILQ_FIRST(&w->waiting);
		TAILQ_REMOVE(&w->waiting, j, entry);
		w->waiting_count--;
		pthread_mutex_unlock(&w->lock);
		j->run(j);
		pthread_mutex_lock(&w->lock);
		TAILQ_INSERT_TAIL(&w->done, j, entry);
		wake_loop(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The signals are the loop's. */
static void start(struct work *w)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		log_error_gated("work: cannot start a thread: %s", strerror(error));
	w->started = error == 0;
}

bool work_submit(struct work *w, struct work_job *j)
{
	if (!w->started)
		start(w);
	pthread_mutex_lock(&w->lock);
	bool taken = w->started && w->waiting_count < w->waiting_max;
	if (taken) {
		TAILQ_INSERT_TAIL(&w->waiting, j, entry);
		w->waiting_count++;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}

static void finish(struct job_queue *jobs, bool ran)
{
	struct work_job *j;
	while ((j = TAILQ_FIRST(jobs)) != NULL) {
		TAILQ_REMOVE(jobs, j, entry);
		j->done(j, ran);
	}
}

static void finish_done(struct work *w)
{
	struct job_queue done = TAILQ_HEAD_INITIALIZER(done);
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&done, &w->done, entry);
	pthread_mutex_unlock(&w->lock);
	finish(&done, true);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;
	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("work: %s", strerror(errno));
	finish_done(arg);
}

struct work *work_new(struct loop *loop, unsigned waiting_max)
{
	struct work *w = xcalloc(1, sizeof(*w));
	w->waiting_max = waiting_max;
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->done);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->finished = w->wake >= 0 ? event_new(loop_base(loop), w->wake, EV_READ | EV_PERSIST, on_finished, w) : NULL;
	if (w->finished == NULL || event_add(w->finished, NULL) != 0)
		log_fatal("work: cannot make an event: %s", strerror(errno));
	return w;
}

void work_free(struct work **wp)
{
	struct work *w = *wp;
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	if (w->started)
		pthread_join(w->thread, NULL);
	finish(&w->done, true);
	finish(&w->waiting, false);
	event_free(w->finished);
	close(w->wake);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
	*wp = NULL;
}
