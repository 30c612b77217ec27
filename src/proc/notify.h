/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells a service manager how the service does, where one asked for it: the protocol of sd_notify(3), which systemd
 * documents as stable and advises to implement in place. Without $NOTIFY_SOCKET all of these do nothing; none of them
 * waits or fails.
 */
#ifndef TIDINGS_PROC_NOTIFY_H
#define TIDINGS_PROC_NOTIFY_H

#include "core/base.h"
#include <sys/types.h>

/* Started, or done with reloading. */
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Another process is the service's main one from now on. */
void notify_main_pid(pid_t pid);

#endif
