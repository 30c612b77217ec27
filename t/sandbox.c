/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: enters the sandbox of the media process's children and tries what its argument says. 0: it was done. */
#include "core/base.h"

#include "inspector/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *nothing(void *arg)
{
	return arg;
}

static int try_thread(void)
{
	pthread_t t;
	if (pthread_create(&t, NULL, nothing, NULL) != 0)
		return -1;
	return pthread_join(t, NULL);
}

static int try_exec(void)
{
	char *const argv[] = {(char[]){"true"}, NULL}, *const none[] = {NULL};
	return execve("/bin/true", argv, none);
}

static int try_memory(void)
{
	enum { MIB = 1 << 20 };
	for (int i = 0; i < 64; i++) {
		char *p = malloc(MIB);
		if (p == NULL)
			return -1;
		memset(p, 1, MIB);
	}
	return 0;
}

static int try_write(int fd)
{
	char block[4096] = {0};
	for (int i = 0; i < 64; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return -1;
	return 0;
}

static void try_spin(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

static int try(const char *what, int pair[2], int file)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	if (strcmp(what, "socket") == 0)
		return socket(AF_INET, SOCK_STREAM, 0);
	if (strcmp(what, "socketpair") == 0)
		return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	if (strcmp(what, "open") == 0)
		return open("/etc/passwd", O_RDONLY);
	if (strcmp(what, "create") == 0)
		return open("tried", O_RDWR | O_CREAT, 0600);
	if (strcmp(what, "fork") == 0)
		return fork() == 0 ? 0 : -1;
	if (strcmp(what, "vfork") == 0)
		return (int)syscall(SYS_vfork);
	if (strcmp(what, "exec") == 0)
		return try_exec();
	if (strcmp(what, "kill") == 0)
		return kill(getppid(), 0);
	if (strcmp(what, "ptrace") == 0)
		return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	if (strcmp(what, "unlink") == 0)
		return unlink("tried");
	if (strcmp(what, "code") == 0)
		return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				       MAP_FAILED
			       ? -1
			       : 0;
	if (strcmp(what, "limits") == 0)
		return setrlimit(RLIMIT_FSIZE, &limit);
	if (strcmp(what, "send") == 0)
		return send(pair[0], "x", 1, 0) == 1 ? 0 : -1;
	if (strcmp(what, "send elsewhere") == 0)
		return send(pair[1], "x", 1, 0) == 1 ? 0 : -1;
	if (strcmp(what, "thread") == 0)
		return try_thread();
	if (strcmp(what, "memory") == 0)
		return try_memory();
	if (strcmp(what, "write") == 0)
		return try_write(file);
	if (strcmp(what, "spin") == 0)
		try_spin();
	return strcmp(what, "nothing") == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct sandbox_limits limits = {
		.memory_bytes = UINT64_C(32) << 20, .file_bytes = 65536, .cpu_secs = 1, .files = 16};
	int pair[2], file = memfd_create("written", MFD_CLOEXEC);
	if (argc != 2 || file < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return 2;
	if (sandbox_enter(&limits, pair[0]) != 0)
		return 3;
	_exit(try(argv[1], pair, file) < 0 ? 1 : 0);
}
