/* SPDX-License-Identifier: BSD-2-Clause */
/* Begins and ends faults. Whether all is well again afterwards is the stack's to say. */
#include "core/base.h"
#include "fault.h"

#include <signal.h>

#include "stack.h"

unsigned fault_count[FAULTS];

static void freeze(struct fault *f, pid_t pid)
{
	f->pid = pid;
	if (pid != 0)
		kill(pid, SIGSTOP);
}

/* Kinds that act on one of the node's proxies. */
static struct proxy *proxy_of(const struct node *n, enum fault_kind kind)
{
	switch (kind) {
	case FAULT_DB_CUT:
	case FAULT_DB_HOLD:
	case FAULT_DB_DELAY:
	case FAULT_COMMIT_LOST:
		return n->db;
	case FAULT_REDIS_CUT:
	case FAULT_REDIS_HOLD:
	case FAULT_REDIS_DELAY:
		return n->redis;
	default:
		return n->clients;
	}
}

static enum stack_child child_of_fault(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_WRITER_KILL:
	case FAULT_WRITER_FREEZE:
		return STACK_WRITER;
	case FAULT_RELAY_KILL:
	case FAULT_RELAY_FREEZE:
		return STACK_RELAY;
	default:
		return STACK_WORKER;
	}
}

static void fault_begin(struct stack *s, struct fault *f)
{
	struct node *n = &s->node[f->plan.node];
	struct proxy *proxy = proxy_of(n, f->plan.kind);
	pid_t pid;
	switch (f->plan.kind) {
	case FAULT_WORKER_KILL:
	case FAULT_WRITER_KILL:
	case FAULT_RELAY_KILL:
		pid = stack_child(n, child_of_fault(f->plan.kind), f->plan.which);
		if (pid != 0)
			kill(pid, SIGKILL);
		break;
	case FAULT_WORKER_FREEZE:
	case FAULT_WRITER_FREEZE:
	case FAULT_RELAY_FREEZE:
		freeze(f, stack_child(n, child_of_fault(f->plan.kind), f->plan.which));
		break;
	case FAULT_MASTER_KILL:
		process_restart(s, &n->process, SIGKILL, f->plan.last_ms);
		break;
	case FAULT_MASTER_FREEZE:
		freeze(f, n->process.pid);
		break;
	case FAULT_REDIS_KILL:
		process_restart(s, &s->redis, SIGKILL, f->plan.last_ms);
		break;
	case FAULT_REDIS_FREEZE:
		freeze(f, s->redis.pid);
		break;
	case FAULT_MARIADB_KILL:
		process_restart(s, &s->mariadb, SIGKILL, f->plan.last_ms);
		break;
	case FAULT_MARIADB_FREEZE:
		freeze(f, s->mariadb.pid);
		break;
	case FAULT_DB_CUT:
	case FAULT_REDIS_CUT:
	case FAULT_CLIENTS_CUT:
		proxy_refuse(proxy, true);
		proxy_cut(proxy, (unsigned)f->plan.amount);
		break;
	case FAULT_DB_HOLD:
	case FAULT_REDIS_HOLD:
	case FAULT_CLIENTS_HOLD:
		proxy_hold(proxy, true);
		break;
	case FAULT_DB_DELAY:
	case FAULT_REDIS_DELAY:
	case FAULT_CLIENTS_DELAY:
		proxy_delay(proxy, (unsigned)f->plan.amount);
		break;
	case FAULT_COMMIT_LOST:
		proxy_lose_commit(proxy, 1 + f->plan.which % 3, (unsigned)f->plan.amount);
		break;
	case FAULT_CLOCK:
		stack_clock(s, n, f->plan.amount);
		break;
	case FAULT_WALL_CLOCK:
		stack_wall_clock(s, n, f->plan.amount);
		break;
	case FAULT_RELOAD:
		if (n->process.pid != 0)
			kill(n->process.pid, SIGHUP);
		break;
	case FAULT_UPGRADE:
		stack_upgrade(s, n);
		break;
	case FAULT_DRAIN:
		stack_drain(s, n, f->plan.last_ms);
		break;
	case FAULT_STOP:
		process_restart(s, &n->process, SIGTERM, f->plan.last_ms);
		break;
	case FAULTS:
		break;
	}
}

static void fault_end(struct stack *s, struct fault *f)
{
	struct proxy *proxy = proxy_of(&s->node[f->plan.node], f->plan.kind);
	switch (f->plan.kind) {
	case FAULT_WORKER_FREEZE:
	case FAULT_WRITER_FREEZE:
	case FAULT_RELAY_FREEZE:
	case FAULT_MASTER_FREEZE:
	case FAULT_REDIS_FREEZE:
	case FAULT_MARIADB_FREEZE:
		if (f->pid != 0)
			kill(f->pid, SIGCONT);
		break;
	case FAULT_DB_CUT:
	case FAULT_REDIS_CUT:
	case FAULT_CLIENTS_CUT:
		proxy_cut_rest(proxy);
		proxy_refuse(proxy, false);
		break;
	case FAULT_DB_HOLD:
	case FAULT_REDIS_HOLD:
	case FAULT_CLIENTS_HOLD:
		proxy_hold(proxy, false);
		break;
	case FAULT_DB_DELAY:
	case FAULT_REDIS_DELAY:
	case FAULT_CLIENTS_DELAY:
		proxy_delay(proxy, 0);
		break;
	case FAULT_COMMIT_LOST:
		proxy_lose_commit(proxy, 0, 0);
		break;
	default:
		break;
	}
}

void fault_tick(struct stack *s, struct fault *f, int64_t round_ms, int64_t now_ms)
{
	if (f->state == FAULT_WAITS && now_ms >= round_ms + f->plan.at_ms) {
		fault_begin(s, f);
		fault_count[f->plan.kind]++;
		f->state = FAULT_LASTS;
		f->until_ms = now_ms + f->plan.last_ms;
		/* Its connections are refused for some time more. */
		if (f->plan.kind == FAULT_COMMIT_LOST)
			f->until_ms += f->plan.amount;
	}
	if (f->state == FAULT_LASTS && now_ms >= f->until_ms) {
		fault_end(s, f);
		f->state = FAULT_OVER;
	}
}
