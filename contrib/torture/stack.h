/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is tortured: a MariaDB, a Redis and several nodes in a private directory. Each can be killed and frozen; what
 * was killed comes back after the pause that was asked for. The nodes reach the databases, and clients reach the nodes,
 * through proxies alone.
 */
#ifndef TIDINGS_TORTURE_STACK_H
#define TIDINGS_TORTURE_STACK_H

#include "core/base.h"
#include "proxy.h"
#include "rng.h"

#include <netinet/in.h>
#include <sys/types.h>
#include <sys/un.h>

#define NODES_MAX 8

struct event_base;

enum process_kind { PROCESS_MARIADB, PROCESS_REDIS, PROCESS_NODE };

/* One that this program keeps alive. */
struct process {
	enum process_kind kind;
	unsigned index;	     /* of its node */
	pid_t pid;	     /* 0: it is down */
	bool may_end;	     /* its end is meant */
	bool up;	     /* it has answered since its start */
	bool draining;	     /* a node that is asked to leave: up no more, but not down yet */
	bool upgrading;	     /* a node that hands over to another process */
	int64_t start_at_ms; /* down: start it then */
	int64_t begun_ms;    /* its last start */
	int probe;	     /* MariaDB: a socket that waits for its greeting, or -1 */
	bool asking;	     /* a node: /readyz is under way */
	unsigned starts, failed_starts;
};

struct node {
	struct process process;
	char *name, *dir, *conf, *log;
	unsigned short port, admin_port;
	struct sockaddr_in address;
	struct proxy *clients, *db, *redis;
};

struct stack {
	struct event_base *base;
	struct event *tick;
	char *dir, *build, *policy;
	unsigned workers, nodes;
	struct process mariadb, redis;
	struct sockaddr_un mariadb_address, redis_address;
	struct node node[NODES_MAX];
	struct rng rng; /* of the proxies */
	bool stopping;
	bool failed; /* to start */
	/* A process ended that was not meant to. Set by stack_start() until all are ready. */
	void (*died)(const char *what, void *arg);
	void *died_arg;
};

struct stack_options {
	const char *build; /* the directory with tidingsd and tidingsctl */
	const char *policy;
	unsigned nodes, workers, users;
	/* Of so many users, whether these two are friends. */
	bool (*friends)(unsigned users, unsigned a, unsigned b);
	uint64_t seed;
};

/* Makes everything and waits until it is ready. NULL after having said why. */
struct stack *stack_start(struct event_base *base, const struct stack_options *o);
/* Stops everything; keeps the directory if asked to. */
void stack_stop(struct stack **stack, bool keep);
/* All processes run, and each node says that it is ready. */
bool stack_is_well(const struct stack *s);
/* Which part is not, for a report. */
const char *stack_ill(const struct stack *s);
/* Signals it with KILL or TERM; it is started again after the pause. */
void process_restart(struct stack *s, struct process *p, int signal, int pause_ms);
void stack_drain(struct stack *s, struct node *n, int pause_ms);
void stack_upgrade(struct stack *s, struct node *n);
/* Moves all clocks of the node forward by so many seconds; its timers, too, and those only go forward. */
void stack_clock(struct stack *s, struct node *n, int secs);
/* Moves its wall clock alone, by so many seconds forward or, below 0, back. */
void stack_wall_clock(struct stack *s, struct node *n, int secs);
enum stack_child { STACK_WORKER, STACK_WRITER, STACK_RELAY };
/* The pid of one of them, chosen by the number; 0: none. */
pid_t stack_child(const struct node *n, enum stack_child kind, unsigned which);
/* Ends the nodes as an operator does; has_left: all have ended. One that does not end with status 0 counts as died. */
void stack_leave(struct stack *s);
bool stack_has_left(const struct stack *s);
/* Writes down, as far as the nodes still answer, what tidingsctl says of their workers and sessions: n1/status. */
void stack_note_state(const struct stack *s);
/* What the logs of the nodes say that must not be there: a sanitizer's report or a panic. NULL: nothing. To be freed.
 */
char *stack_log_fault(const struct stack *s);

#define STACK_SECRET "the secret of contrib/torture, for nothing else"

#endif
