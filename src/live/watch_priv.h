/* SPDX-License-Identifier: BSD-2-Clause */
/* What watch.c, which follows the watched, and cmd_watch.c, which says who they are, share. */
#ifndef TIDINGS_LIVE_WATCH_PRIV_H
#define TIDINGS_LIVE_WATCH_PRIV_H

#include "core/base.h"
#include "live/session.h"
#include "live/watch.h"

#include <sys/queue.h>
#include <uthash.h>

struct watch_request;

/* A user whom sessions of this worker watch. */
struct watched {
	UT_hash_handle hh;
	struct live *live;
	LIST_HEAD(, watcher) watchers;
	struct wheel_timer look;      /* look again when it fires */
	TAILQ_ENTRY(watched) to_look; /* look.c */
	bool look_wanted;	      /* it is in that list */
	bool online;
	int64_t went_ms;      /* when the last session was heard to go; 0: not since it came */
	int64_t last_seen_ms; /* 0: unknown */
	size_t id_len;
	char id[];
};

struct watcher {
	LIST_ENTRY(watcher) of_watched;
	LIST_ENTRY(watcher) of_session;
	struct watched *watched;
	struct session *session;
	bool hidden; /* this friend has blocked the watcher, and is shown offline */
};

/* What a session watches, and its requests to do so in the order they came: one after the other is carried out. */
struct watching {
	LIST_HEAD(, watcher) watchers;
	STAILQ_HEAD(, watch_request) requests; /* cmd_watch.c */
};

/* NULL where nobody here watches the user. */
struct watched *watched_find(struct live *live, struct str id);
/* What Redis knows of the user now (look.h). */
void watched_looked(struct watched *w, bool online);
/* Tells of the user's state, all but one (NULL: all). */
void watched_tell(struct watched *w, const struct session *except);
/* A user whom the session follows from now on. */
void watcher_new(struct session *s, const struct store_friend *f);
void watcher_free(struct watcher *x);
struct watching *watching_get(struct session *s);
void watching_free_when_empty(struct session *s);
/* Asks anew what the session may see of those it watches. */
void watch_recheck_session(struct session *s);
/* The members of a presence event. */
void watch_put_state(struct json_out *o, const char *user_id, bool online, int64_t last_seen_ms);

#endif
