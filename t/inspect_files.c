/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests: a worker's side of the media process, without a server. Starts the process as the master does, has it look
 * at each file that a line of stdin names, and writes what came back as a line of JSON; the thumbnail and the clean
 *copy are left beside the file, with the endings .thumb and .clean. All lines that are there at once are looked at at
 *once.
 *
 *	inspect_files PROGRAM [CHILDREN]
 *
 * The first line of output is the pid of the media process. A line "!restart" waits for its end and starts another one,
 * "!cancel PATH" gives a file and takes it back a moment later.
 */
#include "core/base.h"

#include "core/clock.h"
#include "core/conf.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "media/inspect.h"
#include "proc/channel.h"
#include "proc/media.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct inspector *inspector;
static struct conf *conf;
static int mailbox[2], program, channel = -1;
static pid_t media;
static bool ends;
static char line[65536];
static size_t line_len;

struct item {
	char *path;
	struct inspect_files files;
	int64_t started_ms;
};

static void start_media(void)
{
	int pair[2];
	if (channel_pair(pair) != 0)
		abort();
	media = fork();
	if (media == 0)
		_exit(media_exec(conf, program, 0, pair[1], mailbox[MAILBOX_TAKE]));
	close(pair[1]);
	if (channel >= 0)
		close(channel);
	channel = pair[0];
	printf("%d\n", (int)media);
	fflush(stdout);
}

static void item_free(struct item *it)
{
	close(it->files.file);
	close(it->files.thumb);
	close(it->files.clean);
	free(it->path);
	free(it);
}

static void put(struct json_out *o, const char *key, int64_t v)
{
	json_key(o, key);
	if (v < 0)
		json_null(o);
	else
		json_i64(o, v);
}

static void on_done(const struct inspect_result *r, void *ctx)
{
	static const char *const names[] = {"ok", "refused", "unavailable"};
	struct item *it = ctx;
	struct json_out *o = json_out_new();
	struct buf text = {0};
	json_begin(o, &text);
	json_object(o);
	json_key(o, "path");
	json_cstr(o, it->path);
	json_key(o, "status");
	json_cstr(o, names[r->status]);
	json_key(o, "reason");
	json_cstr(o, r->status == INSPECT_REFUSED ? inspect_reason_text(r->reason) : "");
	json_key(o, "type");
	json_cstr(o, r->content_type);
	put(o, "width", r->width);
	put(o, "height", r->height);
	put(o, "duration_ms", r->duration_ms);
	json_key(o, "blurhash");
	json_cstr(o, r->blurhash);
	put(o, "thumb", r->has_thumb);
	put(o, "clean", r->has_clean);
	put(o, "checked", r->is_checked);
	put(o, "ms", clock_mono_ms() - it->started_ms);
	json_object_end(o);
	printf("%s\n", buf_cstr(&text));
	fflush(stdout);
	buf_fini(&text);
	json_out_free(&o);
	item_free(it);
}

static int beside(const char *path, const char *ending)
{
	char *name = xasprintf("%s.%s", path, ending);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	free(name);
	return fd;
}

static struct inspect_job *give(const char *path, struct item **item_r)
{
	struct item *it = xcalloc(1, sizeof(*it));
	it->path = xstrdup(path);
	it->started_ms = clock_mono_ms();
	it->files = (struct inspect_files){.file = open(path, O_RDONLY | O_CLOEXEC),
					   .thumb = beside(path, "thumb"),
					   .clean = beside(path, "clean")};
	if (it->files.file < 0)
		log_fatal("cannot open %s", path);
	*item_r = it;
	return inspect(inspector, &it->files, NULL, NULL, on_done, it);
}

/* One that is to be taken back. */
static struct {
	struct inspect_job *job;
	struct item *item;
	int64_t at_ms;
} cancelled;

static void cancel_in_time(void)
{
	if (cancelled.job == NULL || clock_mono_ms() < cancelled.at_ms)
		return;
	inspect_cancel(&cancelled.job);
	item_free(cancelled.item);
	printf("{\"cancelled\":true}\n");
	fflush(stdout);
}

static void obey(const char *text)
{
	if (strcmp(text, "!restart") == 0) {
		waitpid(media, NULL, 0);
		start_media();
	} else if (strncmp(text, "!cancel ", 8) == 0) {
		cancelled.job = give(text + 8, &cancelled.item);
		cancelled.at_ms = clock_mono_ms() + 300;
	} else {
		struct item *item;
		give(text, &item);
	}
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	ssize_t n = read(fd, line + line_len, sizeof(line) - line_len);
	if (n <= 0) {
		ends = true;
		event_del(*(struct event **)arg);
		return;
	}
	line_len += (size_t)n;
	for (char *end; (end = memchr(line, '\n', line_len)) != NULL;) {
		*end = '\0';
		char *text = xstrdup(line);
		line_len -= (size_t)(end + 1 - line);
		memmove(line, end + 1, line_len);
		obey(text);
		free(text);
	}
}

int main(int argc, char **argv)
{
	struct event *input;
	char *reason;
	signal(SIGPIPE, SIG_IGN);
	conf = conf_load(NULL, &reason);
	if (conf == NULL || media_mailbox(mailbox) != 0)
		log_fatal("no configuration, or no mailbox");
	if (argc > 2)
		conf->media.processes = atoi(argv[2]);
	program = open(argc > 1 ? argv[1] : "tidings-media", O_PATH | O_CLOEXEC);
	if (program < 0)
		log_fatal("cannot open the media process's program");
	start_media();
	loop = loop_new();
	inspector = inspector_new(loop, mailbox[MAILBOX_GIVE]);
	input = event_new(loop_base(loop), STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &input);
	event_add(input, NULL);
	while (!ends || inspector_jobs(inspector) > 0) {
		loop_turn(loop);
		cancel_in_time();
	}
	event_free(input);
	inspector_free(&inspector);
	loop_free(&loop);
	struct order order = {.kind = ORDER_DRAIN, .deadline_ms = 1000};
	if (channel_send(channel, &order, -1) != 0)
		kill(media, SIGKILL);
	int status;
	waitpid(media, &status, 0);
	conf_free(&conf);
	close(channel);
	close(program);
	close(mailbox[MAILBOX_TAKE]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
