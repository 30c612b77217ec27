/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the master share. */
#ifndef TIDINGS_PROC_MASTER_PRIV_H
#define TIDINGS_PROC_MASTER_PRIV_H

#include "core/base.h"
#include "core/conf.h"
#include "core/id.h"
#include "hub/hub.h"
#include "im/im.h"
#include "net/addr.h"
#include "proc/channel.h"

#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct event_base;
struct master;
struct order;

/* A process that has not left by its deadline is killed this much later. */
#define KILL_GRACE_MS 10000
/* So many sockets may be under way to a worker: the channel holds some hundreds, and orders have to find room, too. */
#define UNDER_WAY_MAX 64
/* And of the admin listener beside them, so that these never wait for the others. */
#define ADMIN_UNDER_WAY_MAX 16
#define KEPT_MAX (UNDER_WAY_MAX + ADMIN_UNDER_WAY_MAX)

/* A connection that was passed to a worker, or is to be. The descriptor is the master's. */
struct passed {
	int fd;
	enum im_door door;
	unsigned tries; /* workers that it was meant for */
	struct addr peer;
};

struct waiting {
	STAILQ_ENTRY(waiting) entry;
	struct passed passed;
};

enum child_kind { CHILD_WORKER, CHILD_WRITER, CHILD_RELAY, CHILD_MEDIA };
#define CHILD_KINDS 4

/* The slot of a worker, a writer, a relay or a media process, as the master sees it. */
struct child {
	struct master *m;
	enum child_kind kind;
	unsigned slot; /* of the hub: the workers' come first, then writers', relays' and the media processes' */
	pid_t pid;     /* 0: nobody there */
	char name[WORKER_NAME_LEN + 1];
	/* partners.c */
	uint64_t serial;	/* of the process, among all there were */
	unsigned index;		/* of a writer: its number for the workers of its generation */
	unsigned partners;	/* of a worker: how many writers it knows */
	uint64_t *partner;	/* the serial of the process that each is; 0: it has no socket to it */
	uint32_t partners_sent; /* sockets to writers, since it started */
	int channel;
	uint32_t generation; /* of the configuration it runs with */
	bool was_ready;	     /* else it counts as a failed start */
	bool told_to_leave;
	struct event *respawn; /* set while a failed start is waited out */
	unsigned failures;     /* starts in a row that did not get ready */
	/* passing.c: what it reports, and the sockets that it has not reported yet, the oldest first */
	struct event *reports;
	enum worker_state state;
	uint64_t taken;
	uint32_t connections, admin_connections;
	int64_t lived_ms; /* when it last did, as far as is known */
	bool deaf;	  /* it takes no orders, until it is heard of again */
	struct passed kept[KEPT_MAX];
	unsigned first_kept, under_way, admin_under_way; /* of these; the last is a part of the second */
	/* watchdog.c: when it last said that it lives, when we saw that, and the looks at it since */
	int64_t alive_ms, heard_ms;
	unsigned looks, aborted_at; /* 0: it was not */
};

struct listener {
	struct master *m;
	char *text; /* as in the configuration */
	enum im_door door;
	int fd;
	bool not_ours; /* the service manager made it, and removes it */
	struct event *event;
	bool armed;
};

struct control;
struct upgrade;

/* How many times the workers, and writers, of the start a reload may ask for; the hub has room for those. */
#define RELOAD_GROWTH 2
/* The present one, and the one before it until it has left. */
#define RELAY_SLOTS 2
#define MEDIA_SLOTS 2

enum master_phase {
	MASTER_WAITING, /* for the server that it takes over from; nobody is served yet */
	MASTER_SERVING,
	MASTER_LEAVING,	 /* serves, but says that it is not ready, so that balancers look elsewhere */
	MASTER_STOPPING, /* takes nobody any more; its workers drain */
};

struct master {
	struct conf *conf;
	char *const *argv; /* as this program was started */
	struct event_base *base;
	struct hub *hub;
	struct child *child;
	unsigned slots, worker_slots, writer_slots; /* all; then come RELAY_SLOTS and MEDIA_SLOTS */
	bool has_media;				    /* then there are its program, and the two ends of the mailbox */
	int media_program, mailbox[2];
	uint64_t last_serial;
	bool quitting;		/* nobody is replaced any more */
	bool daemon;		/* -D: there is no stderr */
	int wanted_connections; /* worker_connections as configured; conf has what the system allows */
	struct listener *listener;
	size_t listener_count;
	struct control *control;
	struct event *signals[8];
	struct event *tick, *watchdog;
	struct event *rest;		/* pending while no descriptors are left and nobody is accepted */
	STAILQ_HEAD(, waiting) waiting; /* connections without a worker */
	struct upgrade *upgrade;	/* the successor on its way; NULL: none */
	struct event *predecessor;	/* while MASTER_WAITING */
	uint32_t generation;		/* counts the configurations */
	bool renewing;			/* not all workers of the present generation are ready; older ones serve too */
	int64_t started_ms;		/* wall clock */
	enum master_phase phase;
	bool sockets_elsewhere; /* another process serves on them: they stay in the file system */
	int64_t stop_at_ms;	/* MASTER_LEAVING; clock_mono_ms, as are all of these */
	int64_t kill_at_ms;	/* MASTER_STOPPING: what still lives then is killed */
	uint64_t refused;	/* connections that were accepted and that nobody could take */
};

/* spawn.c */
extern pid_t (*spawn_fork)(void); /* fork(), but in tests */
/*
 * Starts workers and writers of the present generation in free slots until as many live as are configured, a relay, and
 * a media process where there is storage.
 * While stopping no workers, and the others as long as there are workers.
 */
void spawn_fill(struct master *m);
/* Collects the dead, and replaces those that were not told to leave. */
void spawn_reap(struct master *m);
/* Tells the workers of older generations (or, if all, every one) to drain within that time. The others leave after
 * them.
 */
void spawn_drain(struct master *m, bool all, int64_t patience_ms);
void spawn_quit_all(struct master *m);
/* Sends an order, as far as the child takes one. */
void spawn_tell(struct child *c, const struct order *order, int fd);
/* "worker", "writer", "relay", "media", and its number for people. */
const char *child_kind_name(const struct child *c);
unsigned child_number(const struct child *c);
/* Gives the processes the event log that the master has opened again, and the access log, which they may not open. */
void spawn_reopen_all(struct master *m);
/* Ends a user's sessions in the whole cluster. */
void spawn_kick(struct master *m, const char *user_id);
/* One worker adds or removes a user, and answers the client whose connection fd is; the caller keeps its fd. False:
 * none can. */
bool spawn_change_group(struct master *m, const struct order *order, int fd);
unsigned spawn_living(const struct master *m);
unsigned spawn_living_of(const struct master *m, enum child_kind kind);
unsigned spawn_free_slots(const struct master *m, enum child_kind kind);
/* All workers and writers of the present generation are there. Clients can do without a relay, or a media
 * process, for a while. */
bool spawn_all_ready(const struct master *m);
void spawn_kill_all(struct master *m);
/* To this one process: 0 and -1 would be everybody. */
void spawn_signal(const struct child *c, int signal);
/* In a fresh child: everything of the master's that a worker has no business with. */
void master_release(struct master *m, unsigned keep_slot);

/* partners.c: sockets between workers and writers, and who has to stay for whom */
/* The process of this slot is about to start, or has died. */
void partners_begin(struct child *c);
void partners_end(struct child *c);
/* A worker reports how many sockets to writers it has taken, and those that are missing (struct report). */
void partners_report(struct child *c, uint32_t taken, uint64_t missing);
/*
 * Connects workers with the writers that they are not connected with, as far as they take orders, and lets writers of
 * older generations leave, or all while stopping, that no worker is connected with; likewise relays and media processes
 * that nothing is left for.
 */
void partners_update(struct master *m);

/* dispatch.c */
/* Opens what the configuration lists and keeps what stands already. 0, or -1 with a reason to be freed; then nothing
 * has changed. */
int dispatch_listen(struct master *m, const struct conf *conf, char **err_r) MUST_CHECK;
/*
 * Passes on what waits, and accepts at a listener while a worker can take what comes there. To be called whenever that
 * may have changed.
 */
void dispatch_update(struct master *m);
/* Passes on what has connected so far, as far as the workers have room; closing the sockets would reset the rest. */
void dispatch_take_waiting(struct master *m);
/* In this process alone. */
void dispatch_close(struct master *m);
/* For good: UNIX sockets leave the file system too. */
void dispatch_remove(struct master *m);

/* passing.c */
bool passing_has_room(const struct master *m, enum im_door door);
/* Takes the descriptor over. It waits where no worker can take it. */
void passing_give(struct master *m, int fd, enum im_door door, const struct addr *peer);
/* Those that wait; while stopping they are closed if nobody takes them now. */
void passing_retry(struct master *m);
/* A worker was started: its channel is listened to. */
void passing_begin(struct child *c);
/* It is dead; before its channel is closed. What it has not taken waits for another. */
void passing_end(struct child *c);
/* Closes all of them, in this process. */
void passing_drop_all(struct master *m);

/* watchdog.c: from now on processes that hang are killed. */
void watchdog_start(struct master *m);

/* upgrade.c, in the old server */
/* Starts the binary anew; 0, or -1 with a reason to be freed. What becomes of it is logged. */
int upgrade_start(struct master *m, char **err_r) MUST_CHECK;
/* The successor is told to stop as well. */
void upgrade_cancel(struct master *m);
void upgrade_free(struct upgrade **u);
/* and in the new one */
void upgrade_wait(struct master *m);
void upgrade_say_ready(struct master *m);
void upgrade_end_wait(struct master *m);

/* control.c */
/* Answers nobody before control_start. */
struct control *control_new(struct master *m, char **err_r) MUST_CHECK;
void control_start(struct control *c);
int control_socket(const struct control *c);
void control_free(struct control **c);
/* After a fork, in the child: closes without removing the socket from the file system. */
void control_abandon(struct control **c);

/* reload.c */
/* 0, or -1 with a reason to be freed; then the old configuration stands. */
int master_reload(struct master *m, char **err_r) MUST_CHECK;
/*
 * What a reload would put to use: the file, with the running values of the options that need a restart. Checked; NULL
 * with a reason to be freed. The names of what needs a restart and differs are in *fixed_r, to be freed; NULL: none.
 * tell, if not NULL, is told of all that the file changes (conf_compare), perhaps before a fault is found.
 */
struct conf *reload_read(const struct master *m, conf_differs_fn *tell, void *arg, char **fixed_r,
			 char **err_r) MUST_CHECK;

/* master.c */
/* Starts a new generation of workers with this configuration, which it takes over. */
void master_renew(struct master *m, struct conf *next);
/* Where what becomes of messages is noted. What goes wrong is logged. */
void master_make_trace_dir(const struct conf *conf);
/* Not ready from now on, and stopped a little later; how long all of it may take, in ms. */
int64_t master_leave(struct master *m);
/* The sockets are another process's from now on: stops without a trace in the file system. */
void master_hand_over(struct master *m);
/* The sockets are ours from now on. */
void master_take_over(struct master *m);

#endif
