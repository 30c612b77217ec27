/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the master share. */
#ifndef TIDINGS_PROC_MASTER_PRIV_H
#define TIDINGS_PROC_MASTER_PRIV_H

#include "core/base.h"
#include "core/conf.h"
#include "hub/hub.h"
#include "im/im.h"
#include "net/addr.h"

#include <sys/types.h>

struct event;
struct event_base;
struct master;

/* A worker's slot, as the master sees it. */
struct child {
	struct master *m;
	unsigned slot;
	pid_t pid; /* 0: nobody there */
	int channel;
	uint32_t generation; /* of the configuration it runs with */
	bool was_ready;	     /* else it counts as a failed start */
	bool told_to_leave;
	struct event *respawn; /* set while a failed start is waited out */
	unsigned failures;     /* starts in a row that did not get ready */
};

struct listener {
	struct master *m;
	char *text; /* as in the configuration */
	enum im_door door;
	int fd;
	struct event *event;
};

struct control;

struct master {
	struct conf *conf;
	struct event_base *base;
	struct hub *hub;
	struct child *child;
	unsigned slots;
	struct listener *listener;
	size_t listener_count;
	struct control *control;
	struct event *signals[8];
	struct event *tick;
	uint32_t generation; /* counts the configurations */
	int64_t started_ms;  /* wall clock */
	bool accepting;
	bool stopping;
	int64_t kill_at_ms; /* clock_mono_ms; what still lives then is killed */
	uint64_t refused;   /* connections nobody could take */
};

/* spawn.c */
/* Starts workers of the present generation in free slots until conf->workers of them live. */
void spawn_fill(struct master *m);
/* Collects the dead, and replaces those that were not told to leave. */
void spawn_reap(struct master *m);
/* Tells the workers of older generations (or, if all, every one) to drain. */
void spawn_drain(struct master *m, bool all);
void spawn_order_all(struct master *m, int kind); /* enum order_kind without arguments */
/* Ends a user's sessions in the whole cluster. */
void spawn_kick(struct master *m, const char *user_id);
unsigned spawn_living(const struct master *m);
unsigned spawn_free_slots(const struct master *m);
void spawn_kill_all(struct master *m);
/* In a fresh child: everything of the master's that a worker has no business with. */
void master_release(struct master *m, unsigned keep_slot);

/* dispatch.c */
/* Opens what the configuration lists and keeps what stands already. 0, or -1 with a reason to be freed; then nothing
 * has changed. */
int dispatch_listen(struct master *m, const struct conf *conf, char **err_r) MUST_CHECK;
/* Accepts only while a worker can take what comes. */
void dispatch_update(struct master *m);
/* In this process alone. */
void dispatch_close(struct master *m);
/* For good: UNIX sockets leave the file system too. */
void dispatch_remove(struct master *m);

/* control.c */
struct control *control_new(struct master *m, char **err_r) MUST_CHECK;
void control_free(struct control **c);
/* After a fork, in the child: closes without removing the socket from the file system. */
void control_abandon(struct control **c);

/* reload in master.c: 0, or -1 with a reason to be freed; then the old configuration stands. */
int master_reload(struct master *m, char **err_r) MUST_CHECK;
/* Begins to stop: drained within the configured time. */
void master_stop(struct master *m);

#endif
