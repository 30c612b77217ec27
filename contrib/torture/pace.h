/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How late the machine itself is. Two clocks: real milliseconds, and fair ones, by which deadlines are measured. A
 * timer looks every 100 ms: of the real time since the last look no more than 200 ms count, so that a time in which
 * this program was not run does not count, and what counts is divided by the number of tasks a processor that want to
 * run (/proc/loadavg). On an idle machine both clocks go alike; with ten times as much to do as there are processors
 * the fair one goes ten times as slow.
 */
#ifndef TIDINGS_TORTURE_PACE_H
#define TIDINGS_TORTURE_PACE_H

#include "core/base.h"

struct event_base;

void pace_start(struct event_base *base);
void pace_stop(void);
/* Since pace_start. */
int64_t pace_real_ms(void);
int64_t pace_fair_ms(void);
/* The longest time between two looks that was more than was asked for, and how much slower the fair clock went. */
int64_t pace_worst_stall_ms(void);
double pace_slowdown(void);

#endif
