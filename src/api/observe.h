/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker notes of its work, for /metrics, tidingsctl and the access log. */
#ifndef TIDINGS_API_OBSERVE_H
#define TIDINGS_API_OBSERVE_H

#include "core/base.h"
#include "api/api.h"

/* After the last request has ended. */
void observe_fini(struct api *api);
/* The fields of the worker's row of the scoreboard that are of clients, database and Redis. */
void observe_fill_row(const struct api *api, struct worker_row *row);

extern const struct store_observer observe_store;

#endif
