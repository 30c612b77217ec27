/* SPDX-License-Identifier: BSD-2-Clause */
/* Plays the rounds. A round ends when all that it has broken is well again and everybody has everything. */
#include "core/base.h"
#include "run.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "core/buf.h"
#include "crowd.h"
#include "fault.h"
#include "pace.h"
#include "record.h"
#include "report.h"
#include "stack.h"
#include "wire.h"

#define TICK_MS 20
/* What the server has to have delivered and answered after the end of a fault. */
#define LIMIT_MS 15000
/* Who has gone has to be shown so. */
#define GHOST_LIMIT_MS 30000
/* Between two rounds. */
#define CALM_MS 600
/* Each of them also waits until nobody who has left is shown online. */
#define LONG_ROUND 6
/* A part that does not end in this time (fair) is a fault of its own, or of this program. */
#define STUCK_MS 180000
#define TELL_MS 5000

enum phase {
	PHASE_GATHER,
	PHASE_CALM,
	PHASE_FAULTS,
	PHASE_SETTLE,
	PHASE_LAST_SETTLE,
	PHASE_GHOSTS,
	PHASE_AUDIT,
	PHASE_LEAVE
};

static struct {
	const struct run_options *o;
	struct event_base *base;
	struct stack *stack;
	struct record *record;
	struct crowd *crowd;
	struct audit *audit;
	enum phase phase;
	int64_t phase_real_ms, phase_fair_ms;
	int64_t talk_real_ms; /* the begin of all */
	int64_t well_fair_ms; /* all is well since then; -1: not now */
	unsigned round;
	struct fault fault[ROUND_FAULTS_MAX];
	unsigned faults;
	struct buf done;     /* list for --only */
	struct buf schedule; /* a line a fault */
	int64_t told_real_ms;
	bool over;
} run;

const char *run_faults_done(void)
{
	return buf_cstr(&run.done);
}

static void on_violation(const char *text, void *arg)
{
	(void)arg;
	if (run.over)
		return;
	printf("[%8.3f] WRONG: %s\n", (double)pace_real_ms() / 1000, text);
}

static void on_died(const char *what, void *arg)
{
	(void)arg;
	record_violate(run.record, "%s", what);
}

static void set_phase(enum phase phase)
{
	run.phase = phase;
	run.phase_real_ms = pace_real_ms();
	run.phase_fair_ms = pace_fair_ms();
}

/* ---- rounds ---- */

static void begin_round(void)
{
	struct plan_fault fault[ROUND_FAULTS_MAX];
	char text[128];
	/* Rounds without a fault that was asked for are left out. */
	unsigned last = plan_last_round(&run.o->plan);
	do {
		run.faults = plan_round(&run.o->plan, ++run.round, fault);
	} while (run.faults == 0 && run.o->plan.only != NULL && run.round < last);
	for (unsigned i = 0; i < run.faults; i++) {
		run.fault[i] = (struct fault){.plan = fault[i]};
		plan_describe(&fault[i], text, sizeof(text));
		buf_printf(&run.done, "%s%u.%u", run.done.len == 0 ? "" : ",", fault[i].round, fault[i].number);
		buf_printf(&run.schedule, "  [%8.3f] %s\n", (double)pace_real_ms() / 1000, text);
		if (!run.o->quiet)
			printf("[%8.3f] fault %s\n", (double)pace_real_ms() / 1000, text);
	}
	crowd_return_all(run.crowd);
	struct rng rng = rng_make(run.o->seed, UINT64_C(0x200000) + run.round);
	if (run.round % 2 == 0)
		crowd_leave(run.crowd, rng_below(&rng, run.o->users));
	crowd_set_faulty(run.crowd, true);
	run.well_fair_ms = -1;
	set_phase(PHASE_FAULTS);
}

static bool faults_are_over(void)
{
	for (unsigned i = 0; i < run.faults; i++)
		if (run.fault[i].state != FAULT_OVER)
			return false;
	return true;
}

static void play_faults(void)
{
	int64_t now = pace_real_ms();
	for (unsigned i = 0; i < run.faults; i++)
		fault_tick(run.stack, &run.fault[i], run.phase_real_ms, now);
	if (faults_are_over())
		set_phase(PHASE_SETTLE);
}

/* Of what was begun before this phase, everything is done. */
static bool is_settled(void)
{
	if (!stack_is_well(run.stack)) {
		run.well_fair_ms = -1;
		return false;
	}
	if (run.well_fair_ms < 0)
		run.well_fair_ms = pace_fair_ms();
	return crowd_is_connected(run.crowd) && crowd_unanswered(run.crowd, run.well_fair_ms) == 0 &&
	       record_outstanding(run.record, run.well_fair_ms) == 0;
}

static void check_overdue(void)
{
	int64_t now = pace_fair_ms();
	if (run.phase == PHASE_GATHER && run.well_fair_ms < 0 && crowd_is_connected(run.crowd))
		run.well_fair_ms = now;
	if (run.phase != PHASE_GATHER && run.phase != PHASE_SETTLE && run.phase != PHASE_LAST_SETTLE &&
	    run.phase != PHASE_GHOSTS)
		return;
	if (run.well_fair_ms >= 0) {
		record_check_overdue(run.record, run.well_fair_ms, LIMIT_MS, now);
		crowd_check_overdue(run.crowd, run.well_fair_ms, LIMIT_MS, GHOST_LIMIT_MS, now);
	} else if (run.phase != PHASE_GATHER && now - run.phase_fair_ms > 4 * LIMIT_MS) {
		record_violate(run.record, "%s is not ready %" PRId64 " ms after the end of the fault",
			       stack_ill(run.stack), now - run.phase_fair_ms);
	}
}

/* Where it takes long, what for. */
static void tell_waiting(void)
{
	const char *ill = stack_ill(run.stack);
	if (run.o->quiet || pace_real_ms() - run.told_real_ms < TELL_MS || pace_real_ms() - run.phase_real_ms < TELL_MS)
		return;
	run.told_real_ms = pace_real_ms();
	printf("[%8.3f] waits: %s%s%u requests, %u deliveries, %u shown online who are away%s; deadlines stretched "
	       "%.1f times\n",
	       (double)pace_real_ms() / 1000, ill != NULL ? ill : "", ill != NULL ? " is not ready, " : "",
	       crowd_unanswered(run.crowd, INT64_MAX), record_outstanding(run.record, INT64_MAX),
	       crowd_ghosts(run.crowd), crowd_is_connected(run.crowd) ? "" : ", not all are connected",
	       pace_slowdown());
}

static bool time_is_over(void)
{
	if (run.o->plan.only != NULL && run.round >= plan_last_round(&run.o->plan))
		return true;
	return pace_real_ms() - run.talk_real_ms >= run.o->run_ms;
}

/* ---- phases ---- */

static void begin_ghosts(void)
{
	for (unsigned u = 0; u < run.o->users; u++)
		if (u % 3 == 1)
			crowd_leave(run.crowd, u);
	set_phase(PHASE_GHOSTS);
}

static void play_gather(void)
{
	if (!crowd_is_connected(run.crowd) || !crowd_has_groups(run.crowd) ||
	    record_outstanding(run.record, INT64_MAX) > 0)
		return;
	run.talk_real_ms = pace_real_ms();
	crowd_talk(run.crowd, true);
	set_phase(PHASE_CALM);
}

static void play_calm(void)
{
	if (pace_real_ms() - run.phase_real_ms < CALM_MS)
		return;
	if (time_is_over()) {
		crowd_talk(run.crowd, false);
		crowd_return_all(run.crowd);
		run.well_fair_ms = -1;
		set_phase(PHASE_LAST_SETTLE);
	} else {
		begin_round();
	}
}

static void play_settle(void)
{
	bool ghosts = run.round % LONG_ROUND == 0 && crowd_ghosts(run.crowd) > 0;
	if (!is_settled() || ghosts)
		return;
	crowd_set_faulty(run.crowd, false);
	set_phase(PHASE_CALM);
}

static void play_last_settle(void)
{
	if (!is_settled() || crowd_unanswered(run.crowd, INT64_MAX) > 0 ||
	    record_outstanding(run.record, INT64_MAX) > 0 || wire_calls() > run.stack->nodes)
		return;
	if (!crowd_has_looked(run.crowd))
		return;
	begin_ghosts();
}

static void play_ghosts(void)
{
	if (crowd_ghosts(run.crowd) > 0)
		return;
	run.audit = audit_new(run.stack, run.crowd, run.record, run.o->users);
	set_phase(PHASE_AUDIT);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	switch (run.phase) {
	case PHASE_GATHER:
		play_gather();
		break;
	case PHASE_CALM:
		play_calm();
		break;
	case PHASE_FAULTS:
		play_faults();
		break;
	case PHASE_SETTLE:
		play_settle();
		break;
	case PHASE_LAST_SETTLE:
		play_last_settle();
		break;
	case PHASE_GHOSTS:
		play_ghosts();
		break;
	case PHASE_AUDIT:
		if (audit_is_done(run.audit)) {
			stack_leave(run.stack);
			set_phase(PHASE_LEAVE);
		}
		break;
	case PHASE_LEAVE:
		run.over = stack_has_left(run.stack);
		break;
	}
	check_overdue();
	tell_waiting();
	if (pace_fair_ms() - run.phase_fair_ms > STUCK_MS && run.phase != PHASE_FAULTS && run.phase != PHASE_AUDIT)
		record_violate(run.record, "phase %d does not end: %u requests unanswered, %u deliveries outstanding",
			       run.phase, crowd_unanswered(run.crowd, INT64_MAX),
			       record_outstanding(run.record, INT64_MAX));
	if (run.over || record_violations(run.record) > 0)
		event_base_loopbreak(run.base);
}

/* ---- one run ---- */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	printf("stopped by a signal\n");
	stack_stop(arg, false);
	exit(130);
}

static void play(void)
{
	static const struct timeval every = {.tv_usec = TICK_MS * 1000};
	struct event *tick = event_new(run.base, -1, EV_PERSIST, on_tick, NULL);
	struct event *sigint = evsignal_new(run.base, SIGINT, on_signal, &run.stack);
	struct event *sigterm = evsignal_new(run.base, SIGTERM, on_signal, &run.stack);
	event_add(tick, &every);
	event_add(sigint, NULL);
	event_add(sigterm, NULL);
	run.well_fair_ms = -1;
	set_phase(PHASE_GATHER);
	event_base_dispatch(run.base);
	event_free(tick);
	event_free(sigint);
	event_free(sigterm);
}

static void finish(void)
{
	char *fault = stack_log_fault(run.stack);
	if (fault != NULL)
		record_violate(run.record, "a log has: %s", fault);
	free(fault);
}

int run_once(const struct run_options *o)
{
	const struct stack_options so = {.build = o->build,
					 .policy = "device",
					 .nodes = o->nodes,
					 .workers = o->workers,
					 .users = o->users,
					 .friends = crowd_friends,
					 .seed = o->seed};
	const struct crowd_options co = {
		.users = o->users, .groups = o->groups, .sends_per_second = o->sends_per_second, .seed = o->seed};
	memset(&run, 0, sizeof(run));
	run.o = o;
	run.base = event_base_new();
	pace_start(run.base);
	wire_setup(run.base);
	run.stack = stack_start(run.base, &so);
	if (run.stack == NULL)
		return 2;
	run.record = record_new(o->users, on_violation, NULL);
	run.stack->died = on_died;
	run.crowd = crowd_new(run.base, run.stack, run.record, &co);
	play();
	finish();
	bool wrong = record_violations(run.record) > 0;
	report(run.record, run.stack, (double)(pace_real_ms() - run.talk_real_ms) / 1000,
	       wrong ? buf_cstr(&run.schedule) : NULL);
	if (wrong && o->keep) {
		stack_note_state(run.stack);
		printf("kept: %s\n", run.stack->dir);
	}
	run.over = true;
	wire_teardown();
	audit_free(&run.audit);
	crowd_free(&run.crowd);
	stack_stop(&run.stack, wrong && o->keep);
	record_free(&run.record);
	pace_stop();
	/* A bufferevent that was freed with a callback put off is gone only in the next turn. */
	for (int i = 0; i < 3; i++)
		event_base_loop(run.base, EVLOOP_NONBLOCK);
	event_base_free(run.base);
	buf_fini(&run.schedule);
	fflush(stdout);
	return wrong;
}
