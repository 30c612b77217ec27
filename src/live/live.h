/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live layer of a worker: who is connected, who may stay, who is told what. What the files of live/ share is its
 * state; im.c fills in what it is made of, and calls live_start() and live_stop().
 */
#ifndef TIDINGS_LIVE_LIVE_H
#define TIDINGS_LIVE_LIVE_H

#include "core/base.h"
#include "bus/bus.h"
#include "bus/form.h"
#include "core/buf.h"
#include "core/conf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/table.h"
#include "core/wheel.h"
#include "hub/hub.h"
#include "live/delivery.h"
#include "live/lamport.h"
#include "live/resync.h"
#include "live/revoked.h"
#include "live/roll.h"
#include "live/told.h"
#include "live/tracing.h"
#include "net/loop.h"
#include "store/store.h"

#include <sys/queue.h>

struct user;
struct session;
struct watched;
struct online_query;
struct feed;
struct peer_worker;
struct live_group;
struct load;
struct trace;
struct fanout;
struct views;
struct view_retry;

LIST_HEAD(session_list, session);
LIST_HEAD(feed_list, feed);

/* look.c */
struct looks {
	TAILQ_HEAD(, watched) wanted; /* to be asked about */
	struct look_batch *batch;     /* the question under way, or NULL */
	struct wheel_timer retry;
};

TAILQ_HEAD(load_list, load);

/* group_priv.h */
struct groups {
	size_t count;		  /* those with a member's session in this worker; the bus finds them by id */
	struct live_group *empty; /* to be freed at the end of the turn, unless somebody comes */
	struct loop_task bury;
	/* load.c: users whose groups to read at once, and later; and those whose groups were read */
	struct load_list wanted, again, answered;
	unsigned reading;   /* reads for those wanted under way */
	bool reading_again; /* one for the others is */
	struct loop_task ask, apply;
	struct wheel_timer again_timer;
	/* fanout.c */
	TAILQ_HEAD(fanout_list, fanout) fanouts;
	struct loop_task slice;
	size_t queued_bytes;
	/* views.c: the groups with members who came in, all that have anybody to be told, and whose read failed */
	TAILQ_HEAD(views_list, views) joining, views;
	TAILQ_HEAD(view_retry_list, view_retry) view_retries;
	unsigned view_retry_count, view_retries_at_once;
	struct wheel_timer views_timer;
	unsigned reading_views; /* a bit for each kind of read under way */
};

struct live {
	struct loop *loop;
	const struct conf *conf;
	struct hub *hub;
	unsigned slot;
	/* Names this process on the bus; new with each process, so that an event is never taken for a predecessor's. */
	char origin[ORIGIN_LEN + 1];
	char node[WORKER_NAME_LEN + 1]; /* hub_name() */

	struct store *store;
	struct bus *bus;
	bool greeted_deaf; /* a session has said hello while Redis was away, and may miss events until it is back */
	/* A text message of a session that is not leaving. `text` is borrowed. */
	void (*received)(struct session *s, struct str text, void *ctx);
	void *received_ctx;
	/* Renders the event `conversation`, as its member c->user sees it, into live->scratch. NULL: nobody is told. */
	struct str (*conversation_event)(struct live *live, const struct conversation *c);

	/* One of each a worker: rendering and parsing never span a turn. */
	struct json_out *out;
	struct buf text;
	struct buf scratch;
	struct buf parts; /* what live/ puts together for the bus, while an event lies in scratch */
	struct buf wire;

	struct table users; /* struct user by id: those with a session in this worker */
	struct session_list sessions;
	size_t session_count;
	struct session_list leaving; /* closed, the last ones of users whose groups are to be left */
	struct loop_task leave;
	uint32_t session_number;

	struct feed *feeds; /* by user or group, and conversation */
	struct groups groups;
	LIST_HEAD(, online_query) online_queries;
	struct watched *watched;     /* by user id */
	struct looks looks;	     /* those of them that have to be asked about */
	struct peer_worker *peers;   /* other workers of the cluster, by origin */
	unsigned legacy_peers;	     /* of them, those of a version before BUS_VERSION 1 */
	unsigned unconfirming_peers; /* those before BUS_VERSION 2 */
	unsigned own_beats;	     /* that came back, while `lamport` is not synced */
	struct lamport lamport;
	struct wheel_timer beat;
	uint32_t friendship_changes; /* heard of */
	struct wheel_timer recheck;  /* sessions with that flag are left */
	bool recheck_waits;	     /* a read failed, so the next step comes later */
	struct resync resync;
	struct told told;
	struct deliveries deliveries;
	struct revoked revoked;
	struct roll roll;
	struct table picture_readers; /* admission.c: by address */
	struct trace *trace;	      /* what is pushed is noted there; NULL: nowhere */
	struct tracing tracing;
};

/* The state on its own; `name` is of WORKER_NAME_LEN characters. Store and bus are the caller's to make. */
void live_init(struct live *live, struct loop *loop, const struct conf *conf, struct hub *hub, unsigned slot,
	       const char *name);
/* After the last session. */
void live_fini(struct live *live);

#endif
