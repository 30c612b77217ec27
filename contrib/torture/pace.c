/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures how late the machine is, see pace.h. */
#include "core/base.h"
#include "pace.h"

#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"

#define LOOK_MS 100
#define COUNTED_MAX_MS (2 * LOOK_MS)
/* A machine that is slower than that is not told from one that is broken. */
#define CROWD_MAX 30.0

static struct {
	struct event *look;
	int64_t begun_ms, last_ms, worst_ms;
	double fair_ms;
} pace;

static int64_t real_now(void)
{
	return clock_usecs() / 1000;
}

/* Tasks that want to run for each processor, at least 1. */
static double crowd(void)
{
	double load[3];
	unsigned running = 1;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	FILE *f = fopen("/proc/loadavg", "r");
	if (f == NULL)
		return 1;
	if (fscanf(f, "%lf %lf %lf %u/", &load[0], &load[1], &load[2], &running) != 4)
		running = 1;
	fclose(f);
	double each = (double)running / (double)(processors > 0 ? processors : 1);
	return each < 1 ? 1 : each > CROWD_MAX ? CROWD_MAX : each;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = real_now(), passed = now - pace.last_ms;
	(void)fd;
	(void)what;
	(void)arg;
	if (passed - LOOK_MS > pace.worst_ms)
		pace.worst_ms = passed - LOOK_MS;
	pace.fair_ms += (double)(passed < COUNTED_MAX_MS ? passed : COUNTED_MAX_MS) / crowd();
	pace.last_ms = now;
}

void pace_start(struct event_base *base)
{
	static const struct timeval every = {.tv_usec = LOOK_MS * 1000};
	pace.begun_ms = pace.last_ms = real_now();
	pace.look = event_new(base, -1, EV_PERSIST, on_look, NULL);
	event_add(pace.look, &every);
}

void pace_stop(void)
{
	event_free(pace.look);
	pace.look = NULL;
}

int64_t pace_real_ms(void)
{
	return real_now() - pace.begun_ms;
}

int64_t pace_fair_ms(void)
{
	return (int64_t)pace.fair_ms;
}

int64_t pace_worst_stall_ms(void)
{
	return pace.worst_ms;
}

double pace_slowdown(void)
{
	return pace.fair_ms < 1 ? 1 : (double)(pace.last_ms - pace.begun_ms) / pace.fair_ms;
}
