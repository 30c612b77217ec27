/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The figures of a node as members of a JSON object, from its shared memory: for tidingsctl, which the master answers, and
 * for the administration API.
 */
#ifndef TIDINGS_HUB_FIGURES_H
#define TIDINGS_HUB_FIGURES_H

#include "core/base.h"
#include "core/json.h"
#include "hub/hub.h"

/* Sums over all processes, counters and histograms. has_media: there should be a media process. */
void figures_put_node(const struct hub *hub, bool has_media, struct json_out *o);
/* "workers", "writers", "relays" and "media": an array each, with an object a process. */
void figures_put_processes(const struct hub *hub, struct json_out *o);

#endif
