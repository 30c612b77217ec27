/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of im/ share: the worker's state. */
#ifndef TIDINGS_IM_IM_PRIV_H
#define TIDINGS_IM_IM_PRIV_H

#include "core/base.h"
#include "bus/bus.h"
#include "core/buf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/table.h"
#include "core/token.h"
#include "core/wheel.h"
#include "im/im.h"
#include "im/lamport.h"
#include "im/resync.h"
#include "net/http.h"
#include "store/store.h"

#include <sys/queue.h>

/* Names this process on the bus; new with each process, so that an event is never taken for a predecessor's. */
#define ORIGIN_LEN WORKER_NAME_LEN

struct user;
struct session;
struct watched;
struct online_query;
struct ordered;
struct peer_worker;
struct work;

LIST_HEAD(session_list, session);

/* look.c */
struct looks {
	TAILQ_HEAD(, watched) wanted; /* to be asked about */
	struct look_batch *batch;     /* the question under way, or NULL */
	struct wheel_timer retry;
};

struct im {
	struct loop *loop;
	const struct conf *conf;
	struct hub *hub;
	unsigned slot;
	char origin[ORIGIN_LEN + 1];

	struct store *store;
	struct bus *bus;
	struct http_server *http;
	struct http_server *admin;
	bool greeted_deaf; /* a session has said hello while Redis was away, and may miss events until it is back */
	struct tls_server *tls;	   /* NULL where no listener is encrypted */
	void (*closed)(void *ctx); /* im_options */
	void *closed_ctx;
	struct token_keys *keys;
	struct work *work; /* passwords */
	bool accounts;	   /* users can register and log in here */

	/* One of each a worker: rendering and parsing never span a turn. */
	struct json_doc *doc;
	struct json_out *out;
	struct buf text;
	struct buf scratch;
	struct buf wire;

	struct table users; /* struct user by id: those with a session in this worker */
	struct session_list sessions;
	size_t session_count;
	uint32_t session_number;

	struct ordered *ordered; /* by user and conversation */
	LIST_HEAD(, online_query) online_queries;
	struct watched *watched;   /* by user id */
	struct looks looks;	   /* those of them that have to be asked about */
	struct peer_worker *peers; /* other workers of the cluster, by origin */
	unsigned legacy_peers;	   /* of them, those of a version before BUS_VERSION 1 */
	unsigned own_beats;	   /* that came back, while `lamport` is not synced */
	struct lamport lamport;
	struct wheel_timer beat;
	uint32_t friendship_changes; /* heard of */
	struct wheel_timer recheck;  /* sessions with that flag are left */
	bool recheck_waits;	     /* a read failed, so the next step comes later */

	bool draining, idle_ended;
	int64_t drain_deadline_ms, end_idle_ms; /* by clock_mono_ms */
	struct wheel_timer drain;

	struct wheel_timer access; /* lines of the access log wait to be written */
	int64_t memory_read_ms;
	uint32_t resident_kib, private_kib;
	uint64_t log_lost_told;

	struct resync resync;
};

#endif
