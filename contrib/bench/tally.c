/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting for the load generator; knows no connection. */
#include "core/base.h"
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* 32 steps to each doubling: exact under 32, then the five bits after the leading one. */
static unsigned step_of(uint64_t us)
{
	unsigned top;
	if (us < 32)
		return us;
	top = 63 - __builtin_clzll(us);
	return (top - 4) * 32 + (us >> (top - 5) & 31);
}

static uint64_t step_value(unsigned step)
{
	unsigned top = step / 32 + 4;
	return step < 32 ? step : (UINT64_C(32) | step % 32) << (top - 5);
}

void spread_add(struct spread *s, uint64_t us)
{
	unsigned step = step_of(us);
	s->step[step < SPREAD_STEPS ? step : SPREAD_STEPS - 1]++;
	s->count++;
	if (us > s->max)
		s->max = us;
}

uint64_t spread_percentile(const struct spread *s, double percent)
{
	uint64_t want = s->count * percent / 100, seen = 0;
	for (unsigned i = 0; i < SPREAD_STEPS; i++) {
		seen += s->step[i];
		if (seen > want)
			return step_value(i);
	}
	return 0;
}

size_t tally_sent(struct tally *t, uint64_t sent_us)
{
	if (t->sent == t->cap) {
		t->cap = t->cap == 0 ? 1 << 20 : t->cap * 2;
		t->fate = xrealloc(t->fate, t->cap * sizeof(*t->fate));
	}
	t->fate[t->sent] = (struct fate){.sent_us = sent_us};
	return t->sent++;
}

static bool in_window(const struct tally *t, uint64_t now)
{
	return t->from_us != 0 && now >= t->from_us && now < t->to_us;
}

void tally_ack(struct tally *t, size_t number, uint32_t seq)
{
	struct fate *f = &t->fate[number];
	uint64_t now = now_us();

	if (f->acked) {
		t->doubled++;
		return;
	}
	f->acked = true;
	f->seq = seq;
	t->acked++;
	if (in_window(t, now)) {
		t->window_acks++;
		spread_add(&t->ack, now - f->sent_us);
	}
}

void tally_failed(struct tally *t, size_t number)
{
	t->fate[number].failed = true;
	t->failed++;
}

void tally_push(struct tally *t, size_t number, uint32_t seq, uint32_t *last_seq)
{
	struct fate *f = &t->fate[number];
	uint64_t now = now_us();

	if (f->pushed) {
		t->doubled++;
		return;
	}
	f->pushed = true;
	t->pushed++;
	if (seq <= *last_seq)
		t->misordered++;
	else
		*last_seq = seq;
	if (in_window(t, now)) {
		t->window_pushes++;
		spread_add(&t->push, now - f->sent_us);
	}
}

size_t tally_lost(const struct tally *t)
{
	size_t lost = 0;
	for (size_t i = 0; i < t->sent; i++)
		lost += t->fate[i].acked && !t->fate[i].pushed;
	return lost;
}

int procs_parse(struct procs *g, char *text)
{
	char *list = strchr(text, '='), *pid;

	if (list == NULL || list == text)
		return -1;
	*list++ = '\0';
	*g = (struct procs){.name = text};
	while ((pid = strsep(&list, ",")) != NULL) {
		long n = strtol(pid, NULL, 10);
		if (n <= 0 || g->count == ARRAY_LEN(g->pid))
			return -1;
		g->pid[g->count++] = n;
	}
	return 0;
}

static uint64_t process_cpu_us(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user, sys;
	const char *after;
	FILE *f;
	uint64_t us = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	/* The name in parentheses may contain anything; the fields are counted from its end. */
	if (fgets(line, sizeof(line), f) != NULL && (after = strrchr(line, ')')) != NULL &&
	    sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2)
		us = (uint64_t)(user + sys) * 1000000 / sysconf(_SC_CLK_TCK);
	fclose(f);
	return us;
}

uint64_t procs_cpu_us(const struct procs *g)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < g->count; i++)
		sum += process_cpu_us(g->pid[i]);
	return sum;
}

uint64_t machine_cpu_us(void)
{
	unsigned long user, nice, sys, irq, softirq, steal;
	uint64_t us = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (f == NULL)
		return 0;
	if (fscanf(f, "cpu %lu %lu %lu %*u %*u %lu %lu %lu", &user, &nice, &sys, &irq, &softirq, &steal) == 6)
		us = (uint64_t)(user + nice + sys + irq + softirq + steal) * 1000000 / sysconf(_SC_CLK_TCK);
	fclose(f);
	return us;
}

void procs_memory(const struct procs *g, uint64_t *pss_r, uint64_t *private_r)
{
	*pss_r = *private_r = 0;
	for (size_t i = 0; i < g->count; i++) {
		char path[64], line[256];
		unsigned long kb;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)g->pid[i]);
		f = fopen(path, "r");
		if (f == NULL) {
			perror(path);
			exit(1);
		}
		while (fgets(line, sizeof(line), f) != NULL) {
			if (sscanf(line, "Pss: %lu kB", &kb) == 1)
				*pss_r += kb * 1024;
			else if (sscanf(line, "Private_Clean: %lu kB", &kb) == 1 ||
				 sscanf(line, "Private_Dirty: %lu kB", &kb) == 1)
				*private_r += kb * 1024;
		}
		fclose(f);
	}
}
