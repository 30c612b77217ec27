/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that ask the running master through its control socket, once; top.c asks it again and again. */
#include "core/base.h"
#include "ctl/remote.h"

#include "core/buf.h"
#include "core/id.h"
#include "core/json.h"
#include "proc/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECS 10
#define ANSWER_MAX (512u << 20)

static int dial(const struct conf *conf)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ANSWER_SECS};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" CONTROL_SOCKET_NAME, conf->run_dir);
	if (n < 0 || (size_t)n >= sizeof(sa.sun_path)) {
		ctl_fail("run_dir: %s is too long for a socket", conf->run_dir);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		ctl_fail("no server answers at %s: %s", sa.sun_path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* Sends the line and reads the answer up to its line feed, without it. */
static int exchange(const struct conf *conf, const char *line, struct buf *answer)
{
	int fd = dial(conf);
	if (fd < 0)
		return -1;
	bool sent = send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
	ssize_t n = 0;
	while (sent && answer->len < ANSWER_MAX && (answer->len == 0 || answer->data[answer->len - 1] != '\n') &&
	       (n = recv(fd, buf_reserve(answer, 4096), 4096, 0)) > 0)
		answer->len += (size_t)n;
	close(fd);
	if (!sent || answer->len == 0 || answer->data[answer->len - 1] != '\n') {
		ctl_fail("the server did not answer: %s", n < 0 ? strerror(errno) : "it hung up");
		return -1;
	}
	answer->len--;
	return 0;
}

static void print_value(const struct json *v)
{
	if (v == NULL || v->type == JSON_NULL)
		fputs("-", stdout);
	else if (v->type == JSON_BOOL)
		fputs(v->boolean ? "yes" : "no", stdout);
	else
		printf("%.*s", (int)v->text.len, v->text.s);
}

static void print_status(const struct json *answer)
{
	for (const struct json *v = answer->child; v != NULL; v = v->next) {
		if (v->type == JSON_OBJECT || v->type == JSON_ARRAY || str_is(v->key, "ok"))
			continue;
		printf("%-26.*s ", (int)v->key.len, v->key.s);
		print_value(v);
		putchar('\n');
	}
	const struct json *counters = json_get(answer, "counters");
	for (const struct json *v = counters != NULL ? counters->child : NULL; v != NULL; v = v->next) {
		printf("%-26.*s ", (int)v->key.len, v->key.s);
		print_value(v);
		putchar('\n');
	}
}

struct column {
	const char *key, *title;
	int width;
};

static void print_table(const struct json *list, const struct column *column, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		printf("%-*s ", column[i].width, column[i].title);
	putchar('\n');
	for (const struct json *row = list != NULL ? list->child : NULL; row != NULL; row = row->next) {
		for (size_t i = 0; i < columns; i++) {
			const struct json *v = json_get(row, column[i].key);
			const struct json *read_only =
				strcmp(column[i].key, "database") == 0 ? json_get(row, "database_read_only") : NULL;
			struct str text = read_only != NULL && read_only->boolean ? STR_LIT("read-only")
					  : v == NULL || v->type == JSON_NULL	  ? STR_LIT("-")
					  : v->type == JSON_BOOL		  ? str_from(v->boolean ? "up" : "away")
										  : v->text;
			printf("%-*.*s ", column[i].width, (int)text.len, text.s);
		}
		putchar('\n');
	}
}

static void print_workers(const struct json *answer)
{
	static const struct column columns[] = {
		{"slot", "SLOT", 4},	     {"pid", "PID", 8},	      {"state", "STATE", 9},
		{"connections", "CONNS", 7}, {"websockets", "WS", 7}, {"restarts", "RESTARTS", 8},
		{"database", "DATABASE", 9}, {"redis", "REDIS", 5},   {"started_at", "STARTED", 24},
	};
	static const struct column of_writers[] = {
		{"slot", "WRITER", 6},
		{"pid", "PID", 8},
		{"state", "STATE", 9},
		{"queue", "QUEUE", 6},
		{"batch_size", "BATCH", 5},
		{"transactions", "TRANSACTIONS", 12},
		{"operations", "OPERATIONS", 12},
		{"restarts", "RESTARTS", 8},
		{"database", "DATABASE", 9},
		{"started_at", "STARTED", 24},
	};
	static const struct column of_relays[] = {
		{"slot", "RELAY", 5},	       {"pid", "PID", 8},
		{"state", "STATE", 9},	       {"role", "ROLE", 5},
		{"rows", "ROWS", 8},	       {"lag_ms", "LAG_MS", 8},
		{"repairs", "REPAIRS", 8},     {"restarts", "RESTARTS", 8},
		{"database", "DATABASE", 9},   {"redis", "REDIS", 5},
		{"started_at", "STARTED", 24},
	};
	static const struct column of_media[] = {
		{"slot", "MEDIA", 5},	     {"pid", "PID", 8},
		{"state", "STATE", 9},	     {"jobs", "JOBS", 5},
		{"done", "DONE", 8},	     {"memory_kib", "MEMORY_KIB", 10},
		{"restarts", "RESTARTS", 8}, {"started_at", "STARTED", 24},
	};
	const struct json *media = json_get(answer, "media");
	print_table(json_get(answer, "workers"), columns, ARRAY_LEN(columns));
	putchar('\n');
	print_table(json_get(answer, "writers"), of_writers, ARRAY_LEN(of_writers));
	putchar('\n');
	print_table(json_get(answer, "relays"), of_relays, ARRAY_LEN(of_relays));
	/* Only where there is storage. */
	if (media == NULL || media->child == NULL)
		return;
	putchar('\n');
	print_table(media, of_media, ARRAY_LEN(of_media));
}

static void print_sessions(const struct json *answer)
{
	static const struct column columns[] = {
		{"user_id", "USER", 20},    {"session_id", "SESSION", 24}, {"device", "DEVICE", 10},
		{"address", "ADDRESS", 20}, {"worker", "WORKER", 6},	   {"since", "SINCE", 24},
	};
	print_table(json_get(answer, "sessions"), columns, ARRAY_LEN(columns));
}

const struct json *remote_ask(const struct conf *conf, const char *line, struct json_doc *doc, struct buf *answer)
{
	const char *reason;
	buf_clear(answer);
	if (exchange(conf, line, answer) != 0)
		return NULL;
	const struct json *root = json_parse(doc, (struct str){answer->data, answer->len}, &reason);
	const struct json *ok = json_get(root, "ok"), *error = json_get(root, "error");
	if (ok != NULL && ok->boolean)
		return root;
	ctl_fail("%.*s", error != NULL ? (int)error->text.len : 20, error != NULL ? error->text.s : "not understood");
	return NULL;
}

static int ask(const struct ctl *ctl, const char *line, void (*print)(const struct json *answer))
{
	struct buf answer = {0};
	struct json_doc *doc = json_doc_new();
	int status = 1;

	const struct json *root = remote_ask(ctl->conf, line, doc, &answer);
	if (root != NULL) {
		status = 0;
		if (ctl->json)
			printf("%.*s\n", (int)answer.len, answer.data);
		else
			print(root);
	}
	json_doc_free(&doc);
	buf_fini(&answer);
	return status;
}

int ctl_status(const struct ctl *ctl)
{
	if (ctl->argc != 0)
		return ctl_usage("status");
	return ask(ctl, "{\"command\":\"status\"}\n", print_status);
}

int ctl_workers(const struct ctl *ctl)
{
	if (ctl->argc != 0)
		return ctl_usage("workers");
	return ask(ctl, "{\"command\":\"workers\"}\n", print_workers);
}

/* A command about a user: user ids need no escapes in JSON. */
static int ask_of_user(const struct ctl *ctl, const char *command, void (*print)(const struct json *answer))
{
	char line[160];
	if (ctl_check_user(ctl->argv[0]) != 0)
		return 2;
	snprintf(line, sizeof(line), "{\"command\":\"%s\",\"user\":\"%s\"}\n", command, ctl->argv[0]);
	return ask(ctl, line, print);
}

int ctl_sessions(const struct ctl *ctl)
{
	if (ctl->argc > 1)
		return ctl_usage("sessions [USER]");
	if (ctl->argc == 1)
		return ask_of_user(ctl, "sessions", print_sessions);
	return ask(ctl, "{\"command\":\"sessions\"}\n", print_sessions);
}

int ctl_kick(const struct ctl *ctl)
{
	if (ctl->argc != 1)
		return ctl_usage("kick USER");
	return ask_of_user(ctl, "kick", print_status);
}

static void print_changes(const struct json *answer)
{
	static const struct column columns[] = {
		{"needs", "NEEDS", 7}, {"option", "OPTION", 28}, {"from", "FROM", 24}, {"to", "TO", 24}};
	const struct json *list = json_get(answer, "changes");
	if (list == NULL || list->child == NULL)
		puts("nothing would change");
	else
		print_table(list, columns, ARRAY_LEN(columns));
}

int ctl_reload(const struct ctl *ctl)
{
	if (ctl->argc == 1 && strcmp(ctl->argv[0], "--dry-run") == 0)
		return ask(ctl, "{\"command\":\"reload\",\"dry_run\":true}\n", print_changes);
	if (ctl->argc != 0)
		return ctl_usage("reload [--dry-run]");
	return ask(ctl, "{\"command\":\"reload\"}\n", print_status);
}

int ctl_drain(const struct ctl *ctl)
{
	if (ctl->argc != 0)
		return ctl_usage("drain");
	return ask(ctl, "{\"command\":\"drain\"}\n", print_status);
}

int ctl_clock(const struct ctl *ctl)
{
	static const char usage[] = "clock [wall] SECONDS";
	char line[96], *end;
	bool wall = ctl->argc == 2 && strcmp(ctl->argv[0], "wall") == 0;
	if (ctl->argc != 1 + wall)
		return ctl_usage(usage);
	const char *text = ctl->argv[wall];
	double secs = strtod(text, &end);
	if (*end != '\0' || end == text || !(secs > -1e9 && secs < 1e9))
		return ctl_usage(usage);
	snprintf(line, sizeof(line), "{\"command\":\"clock\",\"ms\":%lld,\"wall\":%s}\n", (long long)(secs * 1000),
		 wall ? "true" : "false");
	return ask(ctl, line, print_status);
}
