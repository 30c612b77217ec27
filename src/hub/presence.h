/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which users have sessions on this node, and in which worker: a fixed-size hash
 * table in the hub, in shards, each under a robust mutex.
 */
#ifndef TIDINGS_HUB_PRESENCE_H
#define TIDINGS_HUB_PRESENCE_H

#include "core/base.h"
#include "core/id.h"
#include "hub/hub.h"

#include <netinet/in.h>

#define DEVICE_MAX 16

struct presence_row {
	char user_id[USER_ID_MAX + 1];
	char session_id[SESSION_ID_LEN + 1];
	char device[DEVICE_MAX + 1];
	struct in6_addr address; /* as addr_pack of net/addr.h gives it */
	uint16_t worker;
};

/*
 * A handle for presence_remove, or -1 if the table is full (while others come and go the count may waver by a few).
 * row->session_id is one that id_session_make() has made. The other strings are cut to fit. row->worker is the slot of
 * the caller.
 */
int32_t presence_add(struct hub *h, const struct presence_row *row) MUST_CHECK;
/* Only for a handle of a living worker of the caller's; -1 is allowed. */
void presence_remove(struct hub *h, int32_t handle);
/* Sessions of the user on this node. */
unsigned presence_count(struct hub *h, const char *user_id);
/*
 * Up to max copies of the rows of the user (NULL: of all users) from *cursor_r on, which starts at 0; it is 0 again at
 * the end. Rows that come or go meanwhile may be missing or told twice. Without a lock; the strings end, but what is in
 * them is only what a worker has written.
 */
size_t presence_list(struct hub *h, const char *user_id, uint32_t *cursor_r, struct presence_row *out, size_t max);
/* Sessions in the whole table. */
uint32_t presence_total(const struct hub *h);

#endif
