/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit log (schema/0022_audit.sql): what administrators asked for. A call is noted before it does anything, and
 * once more with the status of its answer before that is given. So nothing is done, nor told to have been done, that the
 * log does not know.
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop.
 */
#ifndef TIDINGS_STORE_AUDIT_H
#define TIDINGS_STORE_AUDIT_H

#include "core/base.h"
#include "core/id.h"
#include "store/store.h"

/* Of a path, in bytes; the rest is cut off. */
#define AUDIT_PATH_MAX 512

/* Of printable ASCII. The method has up to 16 bytes. */
struct audit_call {
	struct str actor, method, path;
};
/* id: of the entry, where the status is STORE_OK. */
typedef void store_audit_fn(enum store_status status, uint64_t id, void *arg);
void store_audit_begin(struct store *s, const struct audit_call *call, store_audit_fn *fn, void *arg);
/* An entry that has a status keeps it. */
void store_audit_end(struct store *s, struct str actor, uint64_t id, int http_status, store_audit_fn *fn, void *arg);

struct audit_entry {
	uint64_t id;
	int64_t at_ms;
	struct str actor, method, path;
	int http_status; /* 0: it is not known that the call was answered */
};
struct store_audit {
	enum store_status status;
	const struct audit_entry *item; /* newest first; borrowed for the callback */
	size_t count;
	bool has_more;
};
typedef void store_audit_list_fn(const struct store_audit *r, void *arg);
/* Those before the id, where it is not 0. */
void store_list_audit(struct store *s, struct str asker, unsigned limit, uint64_t before, store_audit_list_fn *fn,
		      void *arg);

#endif
