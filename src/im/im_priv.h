/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's parts together; for im.c and the tests of whole workers. */
#ifndef TIDINGS_IM_IM_PRIV_H
#define TIDINGS_IM_IM_PRIV_H

#include "core/base.h"
#include "api/api.h"
#include "im/im.h"
#include "live/live.h"

struct erasing_chore;
struct expiry;

struct im {
	struct live live;
	struct api api;
	struct tls_server *tls; /* NULL where no listener is encrypted */
	bool draining, idle_ended;
	int64_t drain_deadline_ms, end_idle_ms; /* by clock_mono_ms */
	struct wheel_timer drain;
	struct expiry *expiry;
	struct erasing_chore *erasure;
};

#endif
