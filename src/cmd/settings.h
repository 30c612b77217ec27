/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling a user's other sessions of what was set in this one. */
#ifndef TIDINGS_CMD_SETTINGS_H
#define TIDINGS_CMD_SETTINGS_H

#include "core/base.h"
#include "api/request.h"

/* The event `conversation`, as the user sees it now; NULL: it could not be read, and they catch up. */
void settings_push(struct request *r, const struct conversation *c);

#endif
