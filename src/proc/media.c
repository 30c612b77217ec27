/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "proc/media.h"

#include "core/log.h"
#include "proc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM "tidings-media"

int media_mailbox(int mailbox_r[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, mailbox_r);
}

static int open_program(const char *path)
{
	return access(path, X_OK) == 0 ? open(path, O_PATH | O_CLOEXEC) : -1;
}

int media_find(char **err_r)
{
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	int fd = -1;
	own[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(own, '/');
	if (slash != NULL) {
		char *beside = xasprintf("%.*s/" PROGRAM, (int)(slash - own), own);
		fd = open_program(beside);
		free(beside);
	}
	if (fd < 0)
		fd = open_program(PKGLIBEXECDIR "/" PROGRAM);
	if (fd < 0)
		*err_r = xasprintf("media.directory: the program %s cannot be run: %s", PKGLIBEXECDIR "/" PROGRAM,
				   strerror(errno));
	return fd;
}

/* Nothing of ours but what sanitizers are told. */
static char **environment(void)
{
	static const char *const passed[] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "TZ="};
	extern char **environ;
	char **out = xcalloc(ARRAY_LEN(passed) + 3, sizeof(*out));
	size_t n = 0;
	out[n++] = xstrdup("PATH=/usr/bin:/bin");
	out[n++] = xstrdup("LC_ALL=C.UTF-8");
	for (char **e = environ; *e != NULL; e++)
		for (size_t i = 0; i < ARRAY_LEN(passed) && n < ARRAY_LEN(passed) + 2; i++)
			if (strncmp(*e, passed[i], strlen(passed[i])) == 0)
				out[n++] = *e;
	return out;
}

/* Each in its place, and nothing else open but the program, which closes itself. */
static int arrange(int *program, int channel, int mailbox, int log)
{
	const int wanted[] = {channel, mailbox, log};
	int moved[ARRAY_LEN(wanted)], high = MEDIA_FD_LOG + 2;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		moved[i] = wanted[i] >= 0 ? fcntl(wanted[i], F_DUPFD_CLOEXEC, high) : -1;
	int there = fcntl(*program, F_DUPFD_CLOEXEC, high);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (there < 0 || null < 0)
		return -1;
	/* From here on nothing of the log is known to be where it was. */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		int to = MEDIA_FD_CHANNEL + (int)i;
		if (dup2(moved[i] >= 0 ? moved[i] : null, to) < 0)
			return -1;
	}
	*program = MEDIA_FD_LOG + 1;
	if (dup3(there, *program, O_CLOEXEC) < 0)
		return -1;
	return close_range((unsigned)*program + 1, ~0u, 0);
}

int media_exec(const struct conf *conf, int program, unsigned number, int channel, int mailbox)
{
	char numbers[4][16];
	const char *target = log_fd() >= 0 ? "file" : conf->log.target;
	const int values[] = {(int)number, conf->media.processes, conf->log.level, conf->log.format};
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%d", values[i]);
	char *argv[] = {xstrdup(PROGRAM), numbers[0], numbers[1], xstrdup(target), numbers[2], numbers[3], NULL};
	if (process_become(conf->media.user[0] != '\0' ? conf->media.user : conf->user) != 0)
		return PROCESS_UNABLE;
	if (arrange(&program, channel, mailbox, log_fd()) != 0)
		return PROCESS_UNABLE;
	fexecve(program, argv, environment());
	return PROCESS_UNABLE;
}
