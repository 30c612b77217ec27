/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's state as members of a JSON object, for tidingsctl. */
#ifndef TIDINGS_PROC_STATUS_H
#define TIDINGS_PROC_STATUS_H

#include "core/base.h"
#include "core/json.h"

struct master;

void status_put(const struct master *m, struct json_out *o);
/* Of one user, or of all (NULL). */
void status_put_sessions(const struct master *m, const char *user_id, struct json_out *o);

#endif
