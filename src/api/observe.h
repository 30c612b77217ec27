/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker notes of its work, for /metrics, tidingsctl and the access log. */
#ifndef TIDINGS_API_OBSERVE_H
#define TIDINGS_API_OBSERVE_H

#include "core/base.h"
#include "api/api.h"

/* Before anything is counted. */
void observe_start(struct api *api);
/* After the last request has ended. */
void observe_fini(struct api *api);
/* Puts the worker's figures into its row of the scoreboard; once a second. */
void observe_report(struct api *api);

extern const struct store_observer observe_store;

#endif
