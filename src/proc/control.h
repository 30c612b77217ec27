/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the master and tidingsctl agree on: a UNIX stream socket in run_dir; a line of
 * JSON in, {"command":…}, and one out, {"ok":true,…} or {"ok":false,"error":…}.
 */
#ifndef TIDINGS_PROC_CONTROL_H
#define TIDINGS_PROC_CONTROL_H

#include "core/base.h"
#include "core/conf.h"

#define CONTROL_SOCKET_NAME CONF_CONTROL_SOCKET

#endif
