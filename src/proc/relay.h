/* SPDX-License-Identifier: BSD-2-Clause */
/* A relay's whole life, from the fork to its exit: it sees to it that what was written is told (relay/relay.h). */
#ifndef TIDINGS_PROC_RELAY_H
#define TIDINGS_PROC_RELAY_H

#include "core/base.h"
#include "core/conf.h"
#include "hub/hub.h"

/* What the kernel calls the process, as ps and pgrep show it. */
#define RELAY_COMM "tidings-relay"

/* In the child; slot is its row of the hub, number what it is called. Returns the exit status. */
int relay_run(const struct conf *conf, struct hub *hub, unsigned slot, unsigned number, int channel);

#endif
