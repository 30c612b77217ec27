/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a reload takes up: a file is refused if no server could start from it, and also if no worker could with the
 * running values of the options that need a restart.
 */
#include "core/base.h"

#include "core/buf.h"
#include "proc/master.h"
#include "proc/master_priv.h"
#include "../tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/tidings-reload-XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");
	if (f == NULL || fprintf(f, "jwt { secret = \"%032d\" }\n%s\n", 7, text) < 0 || fclose(f) != 0)
		exit(1);
}

/* A master as it is with that file, which is not checked. */
static struct master running(const char *text)
{
	char *error;
	write_file(text);
	struct master m = {.conf = conf_load(path, &error)};
	if (m.conf == NULL)
		printf("# %s\n", error);
	ASSERT(m.conf != NULL);
	m.worker_slots = 4 * (unsigned)m.conf->workers;
	m.writer_slots = 4 * (unsigned)m.conf->writers;
	m.slots = m.worker_slots + m.writer_slots + RELAY_SLOTS;
	m.wanted_connections = m.conf->worker_connections;
	return m;
}

static void note(const char *option, const char *from, const char *to, bool needs_restart, void *arg)
{
	buf_printf(arg, "%s: %s -> %s%s; ", option, from, to, needs_restart ? " (restart)" : "");
}

/* Reads the file as a reload does: it is refused for this reason, which follows the file's name. */
static void refused(const struct master *m, const char *text, const char *before, const char *after)
{
	char *fixed, *error = NULL;
	char *want = xasprintf("%s%s%s", before, path, after);
	write_file(text);
	struct conf *next = reload_read(m, NULL, NULL, &fixed, &error);
	ok(next == NULL && fixed == NULL, "refused: %s", text);
	is_str(error, want, "the reason");
	free(want);
	free(error);
	conf_free(&next);
}

static void test_taken(void)
{
	struct master m = running("workers = 2 node_id = one");
	struct buf told = {0};
	char *fixed, *error = NULL;
	write_file("workers = 4 node_id = two listen = \"127.0.0.1:3\"");
	struct conf *next = reload_read(&m, note, &told, &fixed, &error);
	ok(next != NULL, "a good file: %s", error != NULL ? error : "");
	is_str(fixed, "node_id, listen", "what needs a restart is named");
	is_str(buf_cstr(&told),
	       "workers: 2 -> 4; node_id: one -> two (restart); listen: 127.0.0.1:8080 -> 127.0.0.1:3 (restart); ",
	       "all that differs is told");
	ok(next != NULL && strcmp(next->node_id, "one") == 0 && next->workers == 4, "and the rest is put to use");
	free(fixed);
	free(error);
	conf_free(&next);
	buf_fini(&told);
	refused(&m, "workers = 5", "", ": workers: more than twice as many as at the start need a restart");
	conf_free(&m.conf);
}

static void test_what_stays(void)
{
	struct master m = running("tls { listen = \"127.0.0.1:1\" certificate = \"/c\" key = \"/k\" }");
	refused(&m, "tls { key = \"/dev/null\" }",
		"until a restart the running values of tls.listen stay, and with them: ",
		": tls.certificate: needed where tls.listen is given");
	conf_free(&m.conf);

	m = running("workers = 9 worker_connections = 1048576");
	refused(&m, "workers = 17\nworker_connections = 5",
		"until a restart the running values of worker_connections stay, and with them: ",
		":3: worker_connections: 1048576 with workers = 17 are 17825792 connections; a node holds up to "
		"16777216: lower one of the two");
	conf_free(&m.conf);
}

static void test_what_a_restart_would_refuse(void)
{
	struct master m = running("");
	refused(&m, "user = nobody-by-that-name", "", ":2: user: there is no user 'nobody-by-that-name'");
	refused(&m, "listen = {}", "", ": listen: the server needs an address");
	conf_free(&m.conf);
}

static void test_daemon(void)
{
	struct master m = running("log { target = syslog }");
	char *fixed, *error = NULL;
	write_file("");
	struct conf *next = reload_read(&m, NULL, NULL, &fixed, &error);
	ok(next != NULL && error == NULL, "stderr does for a server in the foreground");
	conf_free(&next);
	m.daemon = true;
	refused(&m, "", "", ": log.target: a daemon (-D) has no stderr: syslog or a file is needed");
	error = master_conf_fault(m.conf, true);
	is_str(error, NULL, "syslog does for both");
	free(error);
	conf_free(&m.conf);
}

int main(void)
{
	int fd = mkstemp(path);
	if (fd < 0)
		exit(1);
	close(fd);
	test_taken();
	test_what_stays();
	test_what_a_restart_would_refuse();
	test_daemon();
	unlink(path);
	return done_testing();
}
