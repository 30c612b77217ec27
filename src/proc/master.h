/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: binds, makes the hub, keeps the workers, accepts and passes sockets,
 * and answers tidingsctl. It never reads a client's bytes.
 */
#ifndef TIDINGS_PROC_MASTER_H
#define TIDINGS_PROC_MASTER_H

#include "core/base.h"
#include "core/conf.h"

/* Why no server could start with it, to be freed; NULL: nothing. daemon: it runs with -D. */
char *master_conf_fault(const struct conf *conf, bool daemon) MUST_CHECK;

/*
 * Runs until it is told to stop; takes over *conf, in which master_conf_fault finds no fault. argv is how the program
 * was started, and will be for an upgrade. started() is called once all listeners are open and the workers were started
 * (a daemon's parent may leave then); NULL is allowed. Returns the exit status.
 */
int master_run(struct conf *conf, bool daemon, char *const *argv, void (*started)(void));

#endif
