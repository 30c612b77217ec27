/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server's operator asks of a worker, who is no user and needs no membership: by tidingsctl, and over /admin/. */
#ifndef TIDINGS_CMD_OPERATOR_H
#define TIDINGS_CMD_OPERATOR_H

#include "core/base.h"
#include "live/live.h"

/* In the system messages that tell of it. */
#define OPERATOR_USER "system"

/*
 * Adds the user to the group, or removes them, who with `bans` may not come back. Closes fd, after having written a
 * line of JSON: ok, and changed (false: it was so already) or error.
 */
void operator_change_group(struct live *live, uint64_t group_id, struct str user, bool removes, bool bans, int fd);

#endif
