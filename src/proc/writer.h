/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer's whole life, from the fork to its exit: it writes the messages of all workers to the database. */
#ifndef TIDINGS_PROC_WRITER_H
#define TIDINGS_PROC_WRITER_H

#include "core/base.h"
#include "core/conf.h"
#include "hub/hub.h"

/* What the kernel calls the process, as ps and pgrep show it. */
#define WRITER_COMM "tidings-writer"

/* In the child; slot is its row of the hub, number what it is called. Returns the exit status. */
int writer_run(const struct conf *conf, struct hub *hub, unsigned slot, unsigned number, int channel);

#endif
