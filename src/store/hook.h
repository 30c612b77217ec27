/* SPDX-License-Identifier: BSD-2-Clause */
/* Webhooks as the database knows them (schema/0027_hooks.sql), for those who look after the server. */
#ifndef TIDINGS_STORE_HOOK_H
#define TIDINGS_STORE_HOOK_H

#include "core/base.h"
#include "store/store.h"

#define HOOK_NAME_MAX 24

struct store_hook {
	char name[HOOK_NAME_MAX + 1];
	bool is_paused;
	int64_t since_ms; /* what happened before is not delivered */
	uint64_t delivered, failed, lost;
	int64_t failing_since_ms; /* 0: the last try succeeded */
	struct str error;
	int64_t waits_since_ms; /* when the oldest of what is not delivered happened; 0: all is */
	int64_t lag_ms;		/* by the database's clock */
};

struct store_hooks {
	enum store_status status;
	const struct store_hook *item; /* in order of their names */
	size_t count;
};
typedef void store_hooks_fn(const struct store_hooks *r, void *arg);
/* Those that a relay has looked after, whether or not they are configured any more; STORE_HOOKS_MAX at most. */
#define STORE_HOOKS_MAX 256
void store_list_hooks(struct store *s, store_hooks_fn *fn, void *arg);

/*
 * HOOK_REPLAY: all that has happened from since_ms on is delivered again, as far as it is kept. The relay sees it within
 * a second. STORE_NOT_FOUND: no relay has looked after one of that name. count is 0.
 */
enum hook_change { HOOK_PAUSE, HOOK_RESUME, HOOK_REPLAY };
void store_change_hook(struct store *s, struct str name, enum hook_change change, int64_t since_ms, store_count_fn *fn,
		       void *arg);

#endif
