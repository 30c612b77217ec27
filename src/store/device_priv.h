/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices in the transactions of others: they go with logins, and all goes with a user who is erased. */
#ifndef TIDINGS_STORE_DEVICE_PRIV_H
#define TIDINGS_STORE_DEVICE_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "store/login.h"
#include "store/row.h"

/* Each writes statements (sql_next()). The logins are locked, so that no device of theirs comes afterwards. */
void devices_put_end(struct buf *text, const struct login_gone *gone, size_t count);
/* As asked for: all of a user's, but perhaps one login's. */
void devices_put_end_all(struct buf *text, const struct store_end_logins *e);

#define PUSH_SETTINGS_COLUMNS "preview,dnd_from,dnd_to,dnd_zone"
extern const struct push_settings push_settings_unset;
void row_take_push_settings(struct row *row, struct push_settings *out);

#endif
