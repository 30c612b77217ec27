/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode idle: opens WebSockets, waits until all have said hello, and tells what the
 * server's processes and the kernel grew by. A process may open only so many files, and an
 * address has only so many ports: so each process holds its share from an
 * address of its own (127.0.0.1, 127.0.0.2, …), and this one only counts. Held for longer than
 * websocket.ping_interval, all have to be pinged.
 */
#include "core/base.h"
#include "load.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/ws_deflate.h"

/* Handshakes under way at once, of one process. */
#define OPENING_MAX 200
/* The server may still be busy with the last handshake when the client has its answer, and writes last_seen for seconds. */
#define SETTLE_SECS 6

static unsigned said_hello, lost;

/* What the processes tell of those that they hold, in memory that they share. */
static struct tale {
	_Atomic unsigned pinged; /* connections, once or more often */
	_Atomic unsigned lost;
} * tale;

static void on_opened(struct peer *p)
{
}

static void on_text(struct peer *p, const char *data, size_t len)
{
	static const char hello[] = "\"hello\"";
	if (memmem(data, len, hello, sizeof(hello) - 1) != NULL)
		said_hello++;
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
}

static void on_closed(struct peer *p, const char *reason)
{
	tale->lost++;
	if (lost++ < 5)
		fprintf(stderr, "load: idle connection %u: %s\n", p->user, reason);
}

static void on_pinged(struct peer *p)
{
	if (p->pings == 1)
		tale->pinged++;
}

/* What the kernel has allocated in small pieces, and what sockets hold of data. Of both ends, where both are here. */
static double kernel_bytes(void)
{
	double slab_kib = 0, pages = 0;
	char line[256];
	FILE *f = fopen("/proc/meminfo", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "Slab: %lf kB", &slab_kib);
	if (f != NULL)
		fclose(f);
	f = fopen("/proc/net/sockstat", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "TCP: inuse %*d orphan %*d tw %*d alloc %*d mem %lf", &pages);
	if (f != NULL)
		fclose(f);
	return slab_kib * 1024 + pages * (double)sysconf(_SC_PAGESIZE);
}

/* A child: opens its share, writes a byte to `told` ('y': all are open), and answers pings until it is killed. */
static void NORETURN hold(const struct options *o, unsigned share, unsigned count, int told)
{
	unsigned first = share * o->per_process, opened = 0;
	struct peer *peer = xcalloc(count, sizeof(*peer));
	struct swarm s = {.server = o->server[0],
			  .prefix = o->prefix,
			  .on = {on_opened, on_text, on_response, on_closed, on_pinged}};

	if (o->deflate)
		s.deflate = ws_deflate_new();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s.source.s_addr = htonl(INADDR_LOOPBACK + share);
	if (swarm_init(&s) != 0)
		_exit(1);
	while (said_hello < count && lost == 0) {
		for (; opened < count && opened - said_hello < OPENING_MAX; opened++) {
			char *token = token_make(o, first + opened);
			if (peer_open(&s, &peer[opened], PEER_WS, first + opened, token) != 0) {
				perror("load: connect");
				lost++;
				break;
			}
			free(token);
		}
		swarm_turn(&s, 1000000);
	}
	if (write(told, lost == 0 ? "y" : "n", 1) != 1 || lost > 0)
		_exit(1);
	for (;;)
		swarm_turn(&s, 1000000);
}

static int wait_for_all(int told, unsigned processes)
{
	char byte;
	while (processes > 0) {
		if (read(told, &byte, 1) != 1 || byte != 'y')
			return -1;
		processes--;
	}
	return 0;
}

int run_idle(const struct options *o)
{
	unsigned processes = (o->connections + o->per_process - 1) / o->per_process;
	pid_t *child = xcalloc(processes, sizeof(*child));
	uint64_t pss[ARRAY_LEN(o->group)], private[ARRAY_LEN(o->group)], started = now_us(), p, q;
	double kernel = kernel_bytes();
	int told[2], status = 0;

	tale = mmap(NULL, sizeof(*tale), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pipe(told) != 0 || tale == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < o->groups; i++)
		procs_memory(&o->group[i], &pss[i], &private[i]);
	for (unsigned i = 0; i < processes; i++) {
		unsigned rest = o->connections - i * o->per_process;
		child[i] = fork();
		if (child[i] == 0) {
			close(told[0]);
			hold(o, i, rest < o->per_process ? rest : o->per_process, told[1]);
		}
	}
	close(told[1]);
	if (wait_for_all(told[0], processes) != 0) {
		fprintf(stderr, "load: not all connections came up\n");
		status = 1;
	} else {
		printf("mode idle\nconnections %u\nopened_per_second %.0f\n", o->connections,
		       o->connections / ((now_us() - started) / 1e6));
		sleep(SETTLE_SECS);
		for (size_t i = 0; i < o->groups; i++) {
			procs_memory(&o->group[i], &p, &q);
			printf("%s_pss_bytes_per_connection %.0f\n%s_private_bytes_per_connection %.0f\n",
			       o->group[i].name, ((double)p - pss[i]) / o->connections, o->group[i].name,
			       ((double)q - private[i]) / o->connections);
		}
		printf("kernel_bytes_per_connection %.0f\n", (kernel_bytes() - kernel) / o->connections);
		fflush(stdout);
		usleep(o->duration_secs * 1e6);
		printf("pinged %u\nlost %u\n", tale->pinged, tale->lost);
		status = tale->lost != 0;
	}
	for (unsigned i = 0; i < processes; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	return status;
}
