/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker notes of its work, for /metrics, tidingsctl and the access log. im_report is here too. */
#ifndef TIDINGS_IM_OBSERVE_H
#define TIDINGS_IM_OBSERVE_H

#include "core/base.h"
#include "im/im_priv.h"

/* Before anything is counted. */
void observe_start(struct im *im);
/* After the last request has ended. */
void observe_fini(struct im *im);

extern const struct store_observer observe_store;

#endif
