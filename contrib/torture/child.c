/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting and finding processes, see child.h. */
#include "core/base.h"
#include "child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 256

void child_setup(void)
{
	const char *path = getenv("PATH");
	char *with_sbin = xasprintf("%s:/usr/sbin:/sbin", path != NULL ? path : "/usr/bin:/bin");
	setenv("PATH", with_sbin, 1);
	free(with_sbin);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
}

static void NORETURN child_become(const char *const argv[], const char *log)
{
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), in = open("/dev/null", O_RDONLY);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (out < 0 || in < 0)
		_exit(127);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	/* A socket that a child kept would not end when this program closes it. */
	close_range(3, ~0U, 0);
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

pid_t child_spawn(const char *const argv[], const char *log)
{
	pid_t pid = fork();
	if (pid < 0) {
		perror("torture: fork");
		exit(2);
	}
	if (pid == 0)
		child_become(argv, log);
	return pid;
}

bool child_ended(pid_t pid, int *status_r)
{
	pid_t got = waitpid(pid, status_r, WNOHANG);
	if (got < 0 && errno == ECHILD)
		*status_r = 0;
	return got == pid || (got < 0 && errno == ECHILD);
}

int child_run(const char *const argv[], const char *log)
{
	int status;
	pid_t pid = child_spawn(argv, log);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status == 0 ? 0 : -1;
}

/* The parent of a process, or -1 where it is gone or a zombie. */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	char state;
	int parent;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return -1;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	/* The name, in parentheses, may hold anything. */
	const char *end = strrchr(text, ')');
	if (end == NULL || sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z')
		return -1;
	return parent;
}

unsigned child_of(pid_t parent, pid_t *found, unsigned max)
{
	unsigned n = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return 0;
	while (n < max && (entry = readdir(dir)) != NULL) {
		pid_t pid = atoi(entry->d_name);
		if (pid > 0 && parent_of(pid) == parent)
			found[n++] = pid;
	}
	closedir(dir);
	return n;
}

static bool command_has(pid_t pid, const char *word)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return false;
	size_t n = fread(text, 1, sizeof(text), f);
	fclose(f);
	return memmem(text, n, word, strlen(word) + 1) != NULL;
}

pid_t child_find_parent(const char *word, pid_t except)
{
	pid_t found[CHILDREN_MAX], below;
	unsigned n = child_of(getpid(), found, CHILDREN_MAX);
	for (unsigned i = 0; i < n; i++)
		if (found[i] != except && command_has(found[i], word) && child_of(found[i], &below, 1) > 0)
			return found[i];
	return 0;
}

/* An orphan becomes our child when its parent dies, so that there may be more after each round. */
void child_kill_all(void)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000};
	pid_t found[CHILDREN_MAX];
	for (int round = 0; round < 500; round++) {
		unsigned n = child_of(getpid(), found, CHILDREN_MAX);
		for (unsigned i = 0; i < n; i++)
			kill(found[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		if (n == 0 && waitpid(-1, NULL, WNOHANG) < 0)
			return;
		nanosleep(&pause, NULL);
	}
}
