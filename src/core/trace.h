/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of messages lately: a process that pushes notes each push in a ring of its own, which is a file in
 * run_dir/trace. A note costs a store into mapped memory and no system call, and outlives the process, however that
 * dies. The next process of the node goes on with the ring. A scan reads all rings of the node.
 *
 * A file is locked by the process whose ring it is, which takes the first one that is not: so two generations of a node
 * (a reload, an upgrade) never share one. What is read of it is believed no more than what comes from a socket; a file
 * that is no ring of this kind and size is made anew.
 *
 * How a file looks: struct trace_head (trace_priv.h), then cells of one size: trace_pushed's are small, the others
 * large. To change that raise TRACE_VERSION: older files are made anew.
 */
#ifndef TIDINGS_CORE_TRACE_H
#define TIDINGS_CORE_TRACE_H

#include "core/base.h"
#include "core/buf.h"
#include "core/id.h"

#define TRACE_DIR "trace"
/* Notes are shown for a day. */
#define TRACE_KEPT_MS INT64_C(86400000)
/* Notes of each kind about one message; more are left out. */
#define TRACE_FOUND_MAX 1000

enum trace_kind { TRACE_PUSHED = 1, TRACE_DEVICE, TRACE_HOOK };
#define TRACE_KINDS (TRACE_HOOK + 1)
enum trace_status {
	TRACE_ACCEPTED,
	TRACE_GONE,    /* there is no such device any more */
	TRACE_RETRIED, /* it failed, and is tried again */
	TRACE_REFUSED, /* it failed for good */
};
#define TRACE_STATUSES (TRACE_REFUSED + 1)
const char *trace_status_name(enum trace_status s);

/* ---- writing ---- */

/* The folder, of that user where this process is root ("": its own). -1, with errno. */
int trace_make_dir(const char *run_dir, const char *user) MUST_CHECK;

struct trace;
enum trace_size { TRACE_SMALL, TRACE_LARGE };
/* bytes: of the ring; 0: off. NULL where it is off, or cannot be had, which is logged. */
struct trace *trace_open(const char *run_dir, enum trace_size size, int64_t bytes);
void trace_close(struct trace **t);
/* t may be NULL. `session` is its time and number (id.h), `worker` has WORKER_NAME_LEN characters. TRACE_SMALL. */
void trace_pushed(struct trace *t, int64_t now_ms, uint64_t message_id, uint64_t session, const char *worker);
/* TRACE_LARGE. detail: under TRACE_DETAILS, the caller's to understand. */
#define TRACE_DETAILS 16
void trace_device(struct trace *t, int64_t now_ms, uint64_t message_id, enum trace_status status, unsigned detail,
		  struct str user, struct str device);
void trace_hook(struct trace *t, int64_t now_ms, uint64_t message_id, enum trace_status status, unsigned detail,
		struct str name);

/* ---- reading ---- */

/* What is noted of one message: of some rings, or of some nodes. */
struct trace_found {
	struct buf notes;
	unsigned count[TRACE_KINDS];
	bool cut; /* some are left out, or were not noted */
	/* What was noted before is lost or not shown; INT64_MAX: nothing is known. */
	int64_t since_ms;
};
void trace_found_fini(struct trace_found *f);

struct trace_scan;
/* Of the rings in that folder; now_ms: by the wall clock. */
struct trace_scan *trace_scan_new(const char *run_dir, uint64_t message_id, int64_t now_ms);
void trace_scan_free(struct trace_scan **s);
/* Something is not noted here: what it finds is not all. */
void trace_scan_misses(struct trace_scan *s);
/* Reads a part, some 10 microseconds' worth. True: that was the last one, and trace_scan_found() is complete. */
bool trace_scan_step(struct trace_scan *s);
const struct trace_found *trace_scan_found(const struct trace_scan *s);

/* As bytes for another node, and back: adds to what is there. False where they are not well formed; what is before
 * that was added. */
void trace_found_put(const struct trace_found *f, struct buf *out);
bool trace_found_take(struct str in, struct trace_found *f) MUST_CHECK;
void trace_found_add(struct trace_found *to, const struct trace_found *from);

/* A note, read. */
struct trace_note {
	enum trace_kind kind;
	enum trace_status status;
	unsigned detail;
	int64_t at_ms;
	char session[SESSION_ID_LEN + 1]; /* TRACE_PUSHED */
	struct str user, name;		  /* TRACE_DEVICE: whose, and its id; TRACE_HOOK: the name. Borrowed */
};
/* Those of f, in order of time, without doubles; to be freed. */
struct trace_note *trace_notes(const struct trace_found *f, size_t *count_r);

#endif
