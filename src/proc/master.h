/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: binds, makes the hub, keeps the workers, accepts and passes sockets,
 * and answers tidingsctl. It never reads a client's bytes.
 */
#ifndef TIDINGS_PROC_MASTER_H
#define TIDINGS_PROC_MASTER_H

#include "core/base.h"
#include "core/conf.h"

/*
 * Runs until it is told to stop; takes over *conf. argv is how the program was started, and will be for an upgrade.
 * started() is called once all listeners stand and the workers were started (a daemon's parent may leave then); NULL is
 * allowed. Returns the exit status.
 */
int master_run(struct conf *conf, char *const *argv, void (*started)(void));

#endif
