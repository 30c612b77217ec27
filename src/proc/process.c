/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "proc/process.h"

#include "core/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

void process_begin(const char *kind, unsigned number)
{
	char who[32];
	snprintf(who, sizeof(who), "%s %u", kind, number);
	log_identity(who);
	signal(SIGPIPE, SIG_IGN);
	/* A terminal's Ctrl-C, and a service manager's TERM, reach the whole group; the master decides what it means.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
}

int process_drop_privileges(const char *user)
{
	if (user[0] == '\0' || geteuid() != 0)
		return 0;
	const struct passwd *pw = getpwnam(user);
	if (pw == NULL || initgroups(user, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0) {
		log_error("cannot become the user %s: %s", user, pw == NULL ? "no such user" : strerror(errno));
		return -1;
	}
	return 0;
}
