/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TIDINGS_TORTURE_REPORT_H
#define TIDINGS_TORTURE_REPORT_H

struct record;
struct stack;

/* Prints the figures of a run; the schedule, one line a fault, where it failed (else NULL). */
void report(struct record *record, const struct stack *stack, double secs, const char *schedule);

#endif
