/* SPDX-License-Identifier: BSD-2-Clause */
/* tidingsctl: what its commands share. Each command returns the exit status, having said on stderr what went wrong. */
#ifndef TIDINGS_CTL_CTL_H
#define TIDINGS_CTL_CTL_H

#include "core/base.h"
#include "core/conf.h"

struct ctl {
	const struct conf *conf;
	bool json; /* --json */
	int argc;  /* the command's own arguments, without its name */
	char **argv;
};

/* Prints "tidingsctl: …" and returns 1. */
int ctl_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Prints how a command is called, for a command line of another form; returns 2. */
int ctl_usage(const char *usage);
/* Prints what is wrong with an argument, as ctl_fail() does; returns 2. */
int ctl_misuse(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Returns 0 if that is a user id, otherwise 2 after having said what a user id is. */
int ctl_check_user(const char *user);

int ctl_migrate(const struct ctl *ctl);
int ctl_token(const struct ctl *ctl);
int ctl_befriend(const struct ctl *ctl);
int ctl_user(const struct ctl *ctl);
int ctl_group(const struct ctl *ctl);
int ctl_stickers(const struct ctl *ctl);
int ctl_media(const struct ctl *ctl);
int ctl_hooks(const struct ctl *ctl);
int ctl_search(const struct ctl *ctl);
int ctl_status(const struct ctl *ctl);
int ctl_workers(const struct ctl *ctl);
int ctl_sessions(const struct ctl *ctl);
int ctl_kick(const struct ctl *ctl);
int ctl_reload(const struct ctl *ctl);
int ctl_drain(const struct ctl *ctl);
int ctl_top(const struct ctl *ctl);
int ctl_clock(const struct ctl *ctl);

#endif
