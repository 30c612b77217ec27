/* SPDX-License-Identifier: BSD-2-Clause */
/* Jobs run beside the loop, in order, and each is done exactly once, also those that never ran. */
#include "core/base.h"
#include "net/work.h"

#include "../tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAITING_MAX 4
#define LOWEST 19 /* of priorities, setpriority(2) */

struct job {
	struct work_job job;
	int number;
	bool done, ran, on_loop;
	int niceness;
};

static struct loop *loop;
static struct work *work;
static pthread_t loop_thread;
static int order[16], done_count;
static atomic_int running;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: jobs wait */

static void run(struct work_job *j)
{
	struct job *x = container_of(j, struct job, job);
	atomic_fetch_add(&running, 1);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	x->ran = !pthread_equal(pthread_self(), loop_thread);
	x->niceness = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

static void done(struct work_job *j, bool ran)
{
	struct job *x = container_of(j, struct job, job);
	x->on_loop = pthread_equal(pthread_self(), loop_thread);
	ok(!x->done && x->ran == ran, "job %d is done once, and %s", x->number, ran ? "ran" : "did not run");
	x->done = true;
	order[done_count++] = x->number;
}

static bool submit(struct job *x, int number)
{
	*x = (struct job){.job = {.run = run, .done = done}, .number = number};
	return work_submit(work, &x->job);
}

static void until_done(int count)
{
	while (done_count < count)
		loop_turn(loop);
}

int main(void)
{
	struct job job[8];
	loop_thread = pthread_self();
	loop = loop_new();
	work = work_new(loop, WAITING_MAX);

	pthread_mutex_lock(&gate);
	ok(submit(&job[0], 0), "the first job starts the thread");
	while (atomic_load(&running) == 0)
		sched_yield();
	bool all = true;
	for (int i = 1; i <= WAITING_MAX; i++)
		all &= submit(&job[i], i);
	ok(all, "as many may wait as were allowed");
	ok(!submit(&job[5], 5), "one more is refused");
	is_int(done_count, 0, "none is done while the first one runs");
	pthread_mutex_unlock(&gate);
	until_done(WAITING_MAX + 1);
	bool in_order = true, beside = true;
	for (int i = 0; i <= WAITING_MAX; i++) {
		in_order &= order[i] == i;
		beside &= job[i].ran && job[i].on_loop;
	}
	ok(in_order, "in the order given");
	ok(beside, "each ran on the other thread, and was done on the loop's");
	int own = getpriority(PRIO_PROCESS, 0);
	ok(job[0].niceness > own || own == LOWEST, "and goes behind the loop (%d, and %d)", job[0].niceness, own);

	done_count = 0;
	atomic_store(&running, 0);
	pthread_mutex_lock(&gate);
	submit(&job[0], 10);
	while (atomic_load(&running) == 0)
		sched_yield();
	submit(&job[1], 11);
	submit(&job[2], 12);
	pthread_mutex_unlock(&gate);
	work_free(&work);
	is_int(done_count, 3, "the end does all");
	ok(work == NULL && job[0].ran, "waits for the one that runs");

	work = work_new(loop, WAITING_MAX);
	work_free(&work);
	ok(work == NULL, "without a job no thread was started");
	loop_free(&loop);
	return done_testing();
}
