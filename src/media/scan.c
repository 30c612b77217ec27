/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/scan.h"

#include "core/clock.h"
#include "core/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define ANSWER_MAX 1024
#define LOOK_MS 10

static enum scan_status failed(const char *scanner, const char *what)
{
	log_error_gated("media.scanner: %s: %s", scanner, what);
	return SCAN_FAILED;
}

/* ---- clamd ---- */

static bool is_program(const char *scanner)
{
	return scanner[0] == '/';
}

static int connect_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(a.sun_path, path);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s >= 0 && connect(s, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(s);
		return -1;
	}
	return s;
}

/* Numeric, so that no name server is waited for; NULL: it is none. To be freed with freeaddrinfo(). */
static struct addrinfo *address_of(const char *scanner)
{
	char host[64];
	const char *colon = strrchr(scanner, ':');
	size_t len = colon != NULL ? (size_t)(colon - scanner) : 0;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	if (len == 0 || len >= sizeof(host))
		return NULL;
	bool is_bracketed = scanner[0] == '[' && scanner[len - 1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(len - (is_bracketed ? 2 : 0)), scanner + is_bracketed);
	return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static int connect_tcp(const char *scanner)
{
	struct addrinfo *a = address_of(scanner);
	if (a == NULL) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	const struct timeval patience = {.tv_sec = SCAN_MAX_SECS};
	int s = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The time-out for sending counts for connecting, too (socket(7)). */
	if (s >= 0 && (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
		       connect(s, a->ai_addr, a->ai_addrlen) != 0)) {
		close(s);
		s = -1;
	}
	freeaddrinfo(a);
	return s;
}

static bool send_all(int s, const void *data, size_t len)
{
	const char *from = data;
	while (len != 0) {
		ssize_t n = send(s, from, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

/* "zINSTREAM\0", then pieces with their lengths before them, then a length of 0. */
static bool stream(int s, int fd)
{
	static const char command[] = "zINSTREAM";
	char *chunk = xmalloc(CHUNK_BYTES);
	off_t at = 0;
	bool sent = send_all(s, command, sizeof(command));
	int64_t until_ms = clock_mono_ms() + INT64_C(1000) * SCAN_MAX_SECS;
	ssize_t n = 1;
	while (sent && n > 0 && clock_mono_ms() < until_ms) {
		n = pread(fd, chunk, CHUNK_BYTES, at);
		uint32_t length = htonl(n > 0 ? (uint32_t)n : 0);
		sent = n >= 0 && send_all(s, &length, sizeof(length)) && send_all(s, chunk, (size_t)n);
		at += n > 0 ? n : 0;
	}
	free(chunk);
	return sent && n == 0;
}

static bool receive(int s, char answer[ANSWER_MAX])
{
	size_t len = 0;
	while (len < ANSWER_MAX - 1) {
		ssize_t n = recv(s, answer + len, ANSWER_MAX - 1 - len, 0);
		if (n < 0)
			return false;
		if (n == 0 || memchr(answer + len, '\0', (size_t)n) != NULL) {
			answer[len + (size_t)n] = '\0';
			return len + (size_t)n != 0;
		}
		len += (size_t)n;
	}
	return false;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);
	return len >= n && strcmp(s + len - n, end) == 0;
}

static enum scan_status ask_clamd(const char *scanner, int fd)
{
	char answer[ANSWER_MAX];
	const struct timeval patience = {.tv_sec = SCAN_MAX_SECS};
	int s = strncmp(scanner, "unix:", 5) == 0 ? connect_unix(scanner + 5) : connect_tcp(scanner);
	if (s < 0)
		return failed(scanner, strerror(errno));
	enum scan_status status;
	if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 || !stream(s, fd) ||
	    !receive(s, answer))
		status = failed(scanner, "does not take the file, or does not answer");
	else if (ends_with(answer, " FOUND"))
		status = SCAN_FOUND;
	else
		status = ends_with(answer, " OK") ? SCAN_PASSES : failed(scanner, answer);
	close(s);
	return status;
}

/* ---- a program ---- */

static pid_t start(const char *program, int input)
{
	char *const argv[] = {(char *)program, NULL};
	static char search[] = "PATH=/usr/local/bin:/usr/bin:/bin", language[] = "LANG=C.UTF-8";
	char *const environment[] = {search, language, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	pid_t pid;
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	/* What the worker and this thread do with signals is not the program's. */
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawn(&pid, program, &files, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	errno = error;
	return error == 0 ? pid : -1;
}

/* Its exit status; -1: it was killed, by us where its time was up. */
static int wait_for(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int64_t until_ms = clock_mono_ms() + INT64_C(1000) * SCAN_MAX_SECS;
	int status;
	pid_t ended;
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_mono_ms() < until_ms)
		nanosleep(&pause, NULL);
	if (ended == 0) {
		kill(pid, SIGKILL);
		ended = waitpid(pid, &status, 0);
	}
	return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum scan_status ask_program(const char *scanner, int fd)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* One that it can only read, and whose place in the file is its own. */
	int input = open(path, O_RDONLY | O_CLOEXEC);
	if (input < 0)
		return failed(scanner, strerror(errno));
	pid_t pid = start(scanner, input);
	enum scan_status status = pid < 0 ? failed(scanner, strerror(errno)) : SCAN_PASSES;
	close(input);
	if (pid < 0)
		return status;
	int exit_status = wait_for(pid);
	if (exit_status == 1)
		return SCAN_FOUND;
	return exit_status == 0 ? SCAN_PASSES : failed(scanner, "ended with another status than 0 or 1");
}

/* ---- from outside ---- */

enum scan_status scan_file(const char *scanner, int fd)
{
	return is_program(scanner) ? ask_program(scanner, fd) : ask_clamd(scanner, fd);
}
