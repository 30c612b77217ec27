/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's whole life, from the fork to its exit. */
#ifndef TIDINGS_PROC_WORKER_H
#define TIDINGS_PROC_WORKER_H

#include "core/base.h"
#include "core/conf.h"
#include "hub/hub.h"

/* In the child; closes nothing it was not given. name: of WORKER_NAME_LEN characters. Returns the exit status. */
int worker_run(const struct conf *conf, struct hub *hub, unsigned slot, const char *name, int channel, int mailbox);

#endif
