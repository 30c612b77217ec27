/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the media process is started: a program of its own (src/inspector/), so that nothing of the server is in its
 * memory, neither configuration nor keys nor the hub. It lives as the other processes do, but for that: it says in its
 * reports what they write into the hub.
 */
#ifndef TIDINGS_PROC_MEDIA_H
#define TIDINGS_PROC_MEDIA_H

#include "core/base.h"
#include "core/conf.h"

/* What the kernel calls the process, as ps and pgrep show it. */
#define MEDIA_COMM "tidings-media"

/* What it has open, besides 0 to 2. */
enum { MEDIA_FD_CHANNEL = 3, MEDIA_FD_MAILBOX, MEDIA_FD_LOG };

/* The ends of a mailbox (media/inspect.h). */
enum { MAILBOX_TAKE, MAILBOX_GIVE };

/* For all processes of the node. -1 with errno. */
int media_mailbox(int mailbox_r[2]) MUST_CHECK;
/*
 * The program: beside this one, where both are as they were built, else where it is installed. It is kept open, so
 * that a new version on the disk is not mixed with this one. -1 with a reason to be freed.
 */
int media_find(char **err_r) MUST_CHECK;
/*
 * In a fresh child: becomes the media process, as the user that the configuration names. mailbox: the taking end.
 * Returns an exit status if it cannot.
 */
int media_exec(const struct conf *conf, int program, unsigned number, int channel, int mailbox);

#endif
