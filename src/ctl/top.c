/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top: what the node does, from the differences of two answers of `status` a second apart. A live screen where there
 * is a terminal, otherwise one such screen, or its figures as JSON. Plain ECMA-48 sequences are all it needs of one.
 */
#include "core/base.h"
#include "ctl/remote.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 1000
#define SCREEN_BEGIN "\033[?1049h\033[?25l" /* the alternative screen, no cursor */
#define SCREEN_END "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define LINE_END "\033[K\n"
#define SCREEN_REST "\033[J"

static volatile sig_atomic_t told_to_leave;

static void on_signal(int number)
{
	(void)number;
	told_to_leave = 1;
}

/* ---- figures ---- */

/* Running totals at a moment. */
struct totals {
	double at_secs;
	int64_t requests, faults, sends, pushes, batches, batch_ops, commits, commit_usecs;
};

static int64_t number_of(const struct json *object, const char *name)
{
	int64_t v = 0;
	const struct json *value = json_get(object, name);
	return value != NULL && json_int(value, &v) == 0 ? v : 0;
}

static void read_totals(struct totals *t, const struct json *status)
{
	struct timespec ts;
	const struct json *counters = json_get(status, "counters");
	const struct json *commit = json_get(json_get(status, "histograms"), "commit_seconds");
	clock_gettime(CLOCK_MONOTONIC, &ts);
	*t = (struct totals){
		.at_secs = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9,
		.requests = number_of(counters, "http_requests"),
		.faults = number_of(counters, "http_requests_5xx"),
		.sends = number_of(counters, "messages_stored"),
		.pushes = number_of(counters, "events_pushed"),
		.batches = number_of(counters, "store_batches"),
		.batch_ops = number_of(counters, "store_batch_operations"),
		.commits = number_of(commit, "count"),
		.commit_usecs = number_of(commit, "total"),
	};
}

struct rates {
	double requests, faults, sends, pushes; /* a second */
	double batch_size;			/* operations */
	double commit_ms;
};

static double per(int64_t sum, double count)
{
	return count > 0 ? (double)sum / count : 0;
}

static struct rates rates_between(const struct totals *a, const struct totals *b)
{
	double secs = b->at_secs - a->at_secs;
	return (struct rates){
		.requests = per(b->requests - a->requests, secs),
		.faults = per(b->faults - a->faults, secs),
		.sends = per(b->sends - a->sends, secs),
		.pushes = per(b->pushes - a->pushes, secs),
		.batch_size = per(b->batch_ops - a->batch_ops, (double)(b->batches - a->batches)),
		.commit_ms = per(b->commit_usecs - a->commit_usecs, (double)(b->commits - a->commits)) / 1000,
	};
}

/* ---- writing them ---- */

static struct str text_of(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);
	return v == NULL || v->type == JSON_NULL ? STR_LIT("-") : v->text;
}

static const char *link_state(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);
	return v != NULL && v->boolean ? "up" : "away";
}

static const char *database_state(const struct json *status)
{
	const struct json *read_only = json_get(status, "database_read_only");
	return read_only != NULL && read_only->boolean ? "read-only" : link_state(status, "database");
}

static void put_node(struct buf *b, const struct json *status, const struct rates *r, const char *eol)
{
	struct str id = text_of(status, "node_id"), version = text_of(status, "version");
	struct str state = text_of(status, "state");
	buf_printf(b, "tidings %.*s on %.*s: %.*s, database %s, Redis %s%s%s", (int)version.len, version.s, (int)id.len,
		   id.s, (int)state.len, state.s, database_state(status), link_state(status, "redis"), eol, eol);
	buf_printf(b, "workers     %8" PRId64 " of %" PRId64 " ready, %" PRId64 " restarts%s",
		   number_of(status, "workers_ready"), number_of(status, "workers"),
		   number_of(status, "worker_restarts"), eol);
	buf_printf(b, "writers     %8" PRId64 " of %" PRId64 " ready, %" PRId64 " restarts%s",
		   number_of(status, "writers_ready"), number_of(status, "writers"),
		   number_of(status, "writer_restarts"), eol);
	struct str relay = text_of(status, "relay"), role = text_of(status, "relay_role");
	buf_printf(b,
		   "relay       %8.*s, %.*s, %" PRId64 " rows to tell, %" PRId64 " ms behind, %" PRId64 " restarts%s",
		   (int)relay.len, relay.s, (int)role.len, role.s, number_of(status, "relay_rows"),
		   number_of(status, "relay_lag_ms"), number_of(status, "relay_restarts"), eol);
	struct str media = text_of(status, "media");
	if (!str_is(media, "off"))
		buf_printf(b, "media       %8.*s, %" PRId64 " files, %" PRId64 " restarts%s", (int)media.len, media.s,
			   number_of(status, "media_jobs"), number_of(status, "media_restarts"), eol);
	buf_printf(b, "connections %8" PRId64 "%s", number_of(status, "connections"), eol);
	buf_printf(b, "sessions    %8" PRId64 " of %" PRId64 "%s", number_of(status, "sessions"),
		   number_of(status, "sessions_max"), eol);
	buf_printf(b, "requests/s  %8.0f (%.0f failed)%s", r->requests, r->faults, eol);
	buf_printf(b, "sends/s     %8.0f%s", r->sends, eol);
	buf_printf(b, "pushes/s    %8.0f%s", r->pushes, eol);
	buf_printf(b, "batch       %8.1f operations%s", r->batch_size, eol);
	buf_printf(b, "commit      %8.1f ms%s", r->commit_ms, eol);
	buf_printf(b, "queue       %8" PRId64 " operations%s%s", number_of(status, "store_pending"), eol, eol);
}

static void put_workers(struct buf *b, const struct json *workers, const char *eol)
{
	const struct json *list = json_get(workers, "workers");
	buf_printf(b, "SLOT      PID STATE      CONNS      WS  QUEUE RESTARTS%s", eol);
	for (const struct json *w = list != NULL ? list->child : NULL; w != NULL; w = w->next) {
		struct str state = text_of(w, "state");
		buf_printf(b, "%4" PRId64 " %8" PRId64 " %-9.*s %6" PRId64 " %7" PRId64 " %6" PRId64 " %8" PRId64 "%s",
			   number_of(w, "slot"), number_of(w, "pid"), (int)state.len, state.s,
			   number_of(w, "connections"), number_of(w, "websockets"), number_of(w, "store_pending"),
			   number_of(w, "restarts"), eol);
	}
}

static void put_writers(struct buf *b, const struct json *workers, const char *eol)
{
	const struct json *list = json_get(workers, "writers");
	buf_printf(b, "%sWRITER    PID STATE      QUEUE  BATCH TRANSACTIONS RESTARTS%s", eol, eol);
	for (const struct json *w = list != NULL ? list->child : NULL; w != NULL; w = w->next) {
		struct str state = text_of(w, "state");
		buf_printf(b, "%4" PRId64 " %8" PRId64 " %-9.*s %6" PRId64 " %6" PRId64 " %12" PRId64 " %8" PRId64 "%s",
			   number_of(w, "slot"), number_of(w, "pid"), (int)state.len, state.s, number_of(w, "queue"),
			   number_of(w, "batch_size"), number_of(w, "transactions"), number_of(w, "restarts"), eol);
	}
}

static void put_relays(struct buf *b, const struct json *workers, const char *eol)
{
	const struct json *list = json_get(workers, "relays");
	buf_printf(b, "%sRELAY     PID STATE     ROLE     ROWS   LAG_MS  REPAIRS RESTARTS%s", eol, eol);
	for (const struct json *w = list != NULL ? list->child : NULL; w != NULL; w = w->next) {
		struct str state = text_of(w, "state"), role = text_of(w, "role");
		buf_printf(b,
			   "%4" PRId64 " %8" PRId64 " %-9.*s %-5.*s %7" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64
			   "%s",
			   number_of(w, "slot"), number_of(w, "pid"), (int)state.len, state.s, (int)role.len, role.s,
			   number_of(w, "rows"), number_of(w, "lag_ms"), number_of(w, "repairs"),
			   number_of(w, "restarts"), eol);
	}
}

static void put_media(struct buf *b, const struct json *workers, const char *eol)
{
	const struct json *list = json_get(workers, "media");
	if (list == NULL || list->child == NULL)
		return;
	buf_printf(b, "%sMEDIA     PID STATE       JOBS     DONE MEMORY_KIB RESTARTS%s", eol, eol);
	for (const struct json *w = list->child; w != NULL; w = w->next) {
		struct str state = text_of(w, "state");
		buf_printf(b, "%4" PRId64 " %8" PRId64 " %-9.*s %6" PRId64 " %8" PRId64 " %10" PRId64 " %8" PRId64 "%s",
			   number_of(w, "slot"), number_of(w, "pid"), (int)state.len, state.s, number_of(w, "jobs"),
			   number_of(w, "done"), number_of(w, "memory_kib"), number_of(w, "restarts"), eol);
	}
}

static void put_json(struct buf *b, const struct json *status, const struct rates *r)
{
	static const char *const same[] = {"workers",	    "workers_ready", "worker_restarts", "writers",
					   "writers_ready", "connections",   "websockets",	"sessions",
					   "store_pending", "relay_rows",    "relay_lag_ms",	"relay_restarts",
					   "media_jobs",    "media_restarts"};
	buf_printf(b, "{");
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		buf_printf(b, "\"%s\":%" PRId64 ",", same[i], number_of(status, same[i]));
	buf_printf(b,
		   "\"requests_per_second\":%.1f,\"failed_per_second\":%.1f,\"sends_per_second\":%.1f,"
		   "\"pushes_per_second\":%.1f,\"batch_size\":%.2f,\"commit_ms\":%.3f}\n",
		   r->requests, r->faults, r->sends, r->pushes, r->batch_size, r->commit_ms);
}

/* ---- the screen ---- */

struct top {
	const struct ctl *ctl;
	struct json_doc *doc;
	struct buf answer, text;
	struct totals before;
	bool live; /* there is a terminal on both sides */
	struct termios shown;
};

static void screen_begin(struct top *t)
{
	struct sigaction leave = {.sa_handler = on_signal};
	t->live = !t->ctl->json && isatty(STDOUT_FILENO) && tcgetattr(STDIN_FILENO, &t->shown) == 0;
	if (!t->live)
		return;
	sigaction(SIGINT, &leave, NULL);
	sigaction(SIGTERM, &leave, NULL);
	sigaction(SIGHUP, &leave, NULL);
	struct termios raw = t->shown;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(SCREEN_BEGIN, stdout);
}

static void screen_end(struct top *t)
{
	if (!t->live)
		return;
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &t->shown);
}

/* False: the operator has seen enough. */
static bool wait_second(const struct top *t)
{
	struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;
	if (poll(&key, t->live ? 1 : 0, EVERY_MS) > 0 && (read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q'))
		return false;
	return !told_to_leave;
}

/* 0, or -1 where the server did not answer. */
static int show(struct top *t)
{
	const char *eol = t->live ? LINE_END : "\n";
	struct totals now;
	buf_clear(&t->text);
	const struct json *status = remote_ask(t->ctl->conf, "{\"command\":\"status\"}\n", t->doc, &t->answer);
	if (status == NULL)
		return -1;
	read_totals(&now, status);
	struct rates rates = rates_between(&t->before, &now);
	t->before = now;
	if (t->ctl->json) {
		put_json(&t->text, status, &rates);
	} else {
		buf_printf(&t->text, "%s", t->live ? SCREEN_HOME : "");
		put_node(&t->text, status, &rates, eol);
		const struct json *workers =
			remote_ask(t->ctl->conf, "{\"command\":\"workers\"}\n", t->doc, &t->answer);
		if (workers == NULL)
			return -1;
		put_workers(&t->text, workers, eol);
		put_writers(&t->text, workers, eol);
		put_relays(&t->text, workers, eol);
		put_media(&t->text, workers, eol);
		buf_printf(&t->text, "%s", t->live ? SCREEN_REST : "");
	}
	fwrite(t->text.data, 1, t->text.len, stdout);
	fflush(stdout);
	return 0;
}

static int run(struct top *t)
{
	const struct json *status = remote_ask(t->ctl->conf, "{\"command\":\"status\"}\n", t->doc, &t->answer);
	if (status == NULL)
		return 1;
	read_totals(&t->before, status);
	screen_begin(t);
	int failed = 0;
	while (failed == 0 && wait_second(t)) {
		failed = show(t);
		if (!t->live)
			break;
	}
	screen_end(t);
	/* What was said on the other screen went with it. */
	if (failed != 0 && t->live)
		ctl_fail("the server answers no more");
	return failed == 0 ? 0 : 1;
}

int ctl_top(const struct ctl *ctl)
{
	if (ctl->argc != 0)
		return ctl_usage("top");
	struct top t = {.ctl = ctl, .doc = json_doc_new()};
	int status = run(&t);
	json_doc_free(&t.doc);
	buf_fini(&t.answer);
	buf_fini(&t.text);
	return status;
}
