/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hub: the shared memory of a node. The master makes it before it forks, with
 * a size fixed by the configuration; workers and the master read and write it. It
 * holds no pointers. What a lock guards can be rebuilt, the locks are robust, and
 * all that a worker wrote is found from its slot, so a death costs only its own rows.
 *
 * In it: presence (presence.h), the scoreboard (here), counters (stats.h),
 * token buckets (bucket.h), the connections of each address (addresses.h), the members of groups who are online
 * (audience.h) and the keys of TLS session tickets (tickets.h).
 */
#ifndef TIDINGS_HUB_HUB_H
#define TIDINGS_HUB_HUB_H

#include "core/base.h"
#include <sys/types.h>

struct hub;

#define HUB_WORKERS_MAX 4096
#define HUB_WRITERS_MAX 256
#define HUB_RELAYS_MAX 4
#define HUB_MEDIA_MAX 4
#define HUB_SESSIONS_MAX (1u << 24)

struct hub_size {
	unsigned workers;  /* slots, up to HUB_WORKERS_MAX; a reload needs some to spare */
	unsigned sessions; /* rows of the presence table, up to HUB_SESSIONS_MAX */
	unsigned buckets;
	unsigned writers; /* slots behind those of the workers, up to HUB_WRITERS_MAX; as many to spare */
	unsigned relays;  /* slots behind those of the writers, up to HUB_RELAYS_MAX */
	unsigned media;	  /* slots behind those of the relays, up to HUB_MEDIA_MAX */
};

/* Anonymous shared memory, inherited by fork. NULL with a reason in *err_r. */
struct hub *hub_new(const struct hub_size *size, const char **err_r) MUST_CHECK;
/* Unmaps it in this process. */
void hub_free(struct hub **h);
/*
 * The master, which may have more rights than its workers: from now on this process believes nothing that they could
 * have written. It takes no lock, knows its own fields by heart and checks the numbers of others; what needs a lock is
 * an assertion.
 */
void hub_guard(struct hub *h);
/* A worker, after the fork: undoes hub_guard, and puts in order what dead ones have left. */
void hub_join(struct hub *h);
/* A worker, when another one has died. */
void hub_tidy(struct hub *h);
/* The shifts of the node's clocks, for clock_share_shift and clock_share_wall_shift. */
_Atomic int64_t *hub_clock_shift(struct hub *h);
_Atomic int64_t *hub_wall_shift(struct hub *h);

/* Random, of WORKER_NAME_LEN characters: this hub's alone in the whole cluster, and the same in all its processes. */
const char *hub_name(const struct hub *h);

/* The node is about to leave: it serves, but is not ready. Only ever set. */
void hub_set_leaving(struct hub *h);
bool hub_is_leaving(const struct hub *h);

enum worker_state { WORKER_FREE, WORKER_STARTING, WORKER_READY, WORKER_DRAINING };
const char *worker_state_name(enum worker_state s);

/*
 * The row of a worker, a writer, a relay or a media process in the scoreboard, as readers get it. Each field has one
 * writer: the master (m) or the worker itself (w), for a media process, which does not see the hub, the master again;
 * the two have a half of the row each, with a change counter of its own. What a former
 * process wrote into the worker's half is not seen once the slot has a new generation: those fields start at zero.
 */
struct worker_row {
	pid_t pid;	       /* m */
	uint32_t generation;   /* m: counts the processes that had this slot */
	int state;	       /* m: FREE and STARTING; what w says then goes over STARTING */
	int64_t started_ms;    /* m: wall clock */
	uint32_t restarts;     /* m: deaths that were replaced in this slot */
	uint64_t passed;       /* m: sockets handed to it */
	uint32_t connections;  /* w; of a media process, files it is done with */
	uint32_t websockets;   /* w */
	int64_t alive_ms;      /* w: mono clock, refreshed each second */
	uint32_t pending;      /* w: operations of the store that are not answered yet; of a media process, files */
	uint32_t resident_kib; /* w: memory of the process, what it shares with the others included */
	uint32_t private_kib;  /* w: of that, what belongs to no file and to no shared memory */
	bool database_up;      /* w: and can be written to */
	bool read_only;	       /* w: the database is, and therefore not up */
	bool redis_up;	       /* w */
	/* of a relay, w: whether it works, and the age of the oldest row of the outbox that is not told; `pending`
	 * counts such rows */
	bool leads;
	uint32_t lag_ms;
};

/* The number of workers' slots; of the writers', which follow; of the relays' behind them; of all, those of media
 * processes at the end included. All are used in the same way. */
unsigned hub_worker_slots(const struct hub *h);
unsigned hub_writer_slots(const struct hub *h);
unsigned hub_relay_slots(const struct hub *h);
unsigned hub_slots(const struct hub *h);
/*
 * A copy that is consistent within each half. Retries are bounded: should a writer have been stopped in the middle of
 * a write, the copy may mix its old and new fields.
 */
void hub_worker_read(const struct hub *h, unsigned slot, struct worker_row *out);
/*
 * The worker's way of writing: begin, change (w) fields of the row it returns, end. The row is a private copy that end
 * publishes at once, so nothing is held in between; but only one can be open in a process, and touching a field of
 * the master's is an assertion.
 */
struct worker_row *hub_worker_begin(struct hub *h, unsigned slot);
void hub_worker_end(struct hub *h, unsigned slot);
/* The master's way, for (m) fields; likewise. Raise generation and zero passed for each new process of the slot. */
struct worker_row *hub_master_begin(struct hub *h, unsigned slot);
void hub_master_end(struct hub *h, unsigned slot);
/*
 * The master, after a worker's death: takes its rows out of presence, its connections out of the addresses' and its
 * members out of the audiences, ends a write it was in, sets the slot FREE with pid 0. Generation, restarts and the
 * slot's counters (stats.h) stay.
 */
void hub_worker_forget(struct hub *h, unsigned slot);

#endif
