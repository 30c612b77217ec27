/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/inspect.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "hub/stats.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Before the next look at a mailbox that was full, and for jobs whose time is over. */
#define LOOK_MS 100

struct inspect_job {
	TAILQ_ENTRY(inspect_job) entry;
	struct inspector *in;
	struct inspect_files files;
	char user[USER_ID_MAX + 1], declared[INSPECT_TYPE_MAX + 1];
	inspect_done_fn *done;
	void *ctx;
	int64_t started_ms;
	unsigned tries;
	int answers; /* our end of the answer's socket; -1: not sent */
	struct event *event;
	bool no_room; /* too many wait: it ends at once */
	bool answered;
	struct inspect_result result; /* when answered */
};

TAILQ_HEAD(job_list, inspect_job);

struct inspector {
	struct loop *loop;
	int mailbox;
	struct job_list waiting, under_way;
	size_t waiting_count, under_way_count;
	struct loop_task send; /* jobs that wait go to the mailbox, at the end of the turn */
	struct wheel_timer look;
};

static const struct inspect_result unavailable = {.status = INSPECT_UNAVAILABLE, .duration_ms = -1};

/* ---- the end of a job ---- */

static void job_take_out(struct inspect_job *job)
{
	struct inspector *in = job->in;
	if (job->answers < 0) {
		TAILQ_REMOVE(&in->waiting, job, entry);
		in->waiting_count--;
		return;
	}
	TAILQ_REMOVE(&in->under_way, job, entry);
	in->under_way_count--;
	event_free(job->event);
	close(job->answers);
	job->event = NULL;
	job->answers = -1;
	if (in->waiting_count > 0)
		loop_defer(in->loop, &in->send);
}

static void job_count(const struct inspect_job *job, const struct inspect_result *r)
{
	stat_add(r->status == INSPECT_OK	? STAT_INSPECTED
		 : r->status == INSPECT_REFUSED ? STAT_INSPECT_REFUSED
						: STAT_INSPECT_UNAVAILABLE,
		 1);
	stat_observe(STAT_HIST_INSPECT, (uint64_t)(clock_mono_ms() - job->started_ms) * 1000);
}

static void job_end(struct inspect_job *job, const struct inspect_result *r)
{
	struct inspect_result result = *r;
	inspect_done_fn *done = job->done;
	void *ctx = job->ctx;
	job_take_out(job);
	job_count(job, r);
	free(job);
	done(&result, ctx);
}

/* ---- what the answer is worth ---- */

static bool is_there(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

/* Plain texts that no content tells apart, and that a browser runs nothing of. */
static void refine(struct inspect_result *r, const char *declared)
{
	static const char *const kinds[] = {"text/csv", "text/markdown", "text/calendar", "text/vcard"};
	if (strcmp(r->content_type, "text/plain") != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(declared, kinds[i]) == 0)
			snprintf(r->content_type, sizeof(r->content_type), "%s", kinds[i]);
}

static void job_take_answer(struct inspect_job *job, const void *data, size_t len)
{
	struct inspect_result r;
	/* The first one counts. */
	if (job->answered)
		return;
	job->answered = true;
	if (!inspect_answer_read(data, len, &r)) {
		log_warn_gated("media: an answer is malformed; its file is refused");
		r = (struct inspect_result){.status = INSPECT_REFUSED, .reason = INSPECT_TOO_COSTLY, .duration_ms = -1};
	}
	job->result = r;
}

/* Nobody writes to the files any more. */
static void job_settle(struct inspect_job *job)
{
	struct inspector *in = job->in;
	if (job->answered) {
		struct inspect_result *r = &job->result;
		if (r->status == INSPECT_OK) {
			r->has_thumb = r->has_thumb && is_there(job->files.thumb);
			r->has_clean = r->has_clean && is_there(job->files.clean);
			refine(r, job->declared);
		}
		job_end(job, r);
	} else if (job->tries < INSPECT_TRIES) {
		job_take_out(job);
		TAILQ_INSERT_HEAD(&in->waiting, job, entry);
		in->waiting_count++;
		loop_defer(in->loop, &in->send);
	} else {
		job_end(job, &unavailable);
	}
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct inspect_job *job = arg;
	char data[INSPECT_ANSWER_MAX + 1];
	(void)what;
	/* More than a few are not asked for; the rest comes with the next turn. */
	for (int i = 0; i < 4; i++) {
		/* Descriptors that come with it are dropped by the system. */
		ssize_t n = recv(fd, data, sizeof(data), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			job_settle(job);
			return;
		}
		job_take_answer(job, data, (size_t)n);
	}
}

/* ---- sending ---- */

static bool send_job(const struct inspect_job *job, int answers)
{
	unsigned char data[INSPECT_JOB_BYTES];
	const int fds[INSPECT_FDS] = {
		[INSPECT_FD_ANSWER] = answers,
		[INSPECT_FD_FILE] = job->files.file,
		[INSPECT_FD_THUMB] = job->files.thumb,
		[INSPECT_FD_CLEAN] = job->files.clean,
	};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = {0};
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	inspect_job_write(data);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	do
		n = sendmsg(job->in->mailbox, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	/* ETOOMANYREFS: too many descriptors are under way, of this user's processes. */
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ETOOMANYREFS)
		log_error_gated("media: the mailbox takes nothing: %s", strerror(errno));
	return n >= 0;
}

static bool job_begin(struct inspect_job *job)
{
	struct inspector *in = job->in;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		log_error_gated("media: no socket for an answer: %s", strerror(errno));
		return false;
	}
	bool sent = send_job(job, pair[1]);
	close(pair[1]);
	if (!sent) {
		close(pair[0]);
		return false;
	}
	TAILQ_REMOVE(&in->waiting, job, entry);
	in->waiting_count--;
	job->tries++;
	job->answers = pair[0];
	job->event = event_new(loop_base(in->loop), pair[0], EV_READ | EV_PERSIST, on_answer, job);
	event_add(job->event, NULL);
	TAILQ_INSERT_TAIL(&in->under_way, job, entry);
	in->under_way_count++;
	return true;
}

static bool has_turn(const struct inspect_job *job)
{
	const struct inspect_job *other;
	unsigned n = 0;
	if (job->user[0] == '\0')
		return true;
	TAILQ_FOREACH (other, &job->in->under_way, entry)
		n += strcmp(other->user, job->user) == 0;
	return n < INSPECT_OF_USER_MAX;
}

static bool is_hopeless(const struct inspect_job *job)
{
	return job->in->mailbox < 0 || job->no_room;
}

/* The first that can end or go. */
static struct inspect_job *next_of(struct inspector *in)
{
	struct inspect_job *job;
	TAILQ_FOREACH (job, &in->waiting, entry)
		if (is_hopeless(job) || (in->under_way_count < INSPECT_UNDER_WAY_MAX && has_turn(job)))
			return job;
	return NULL;
}

/* Those that find no room are tried again on the next look. */
static void on_send(struct loop_task *t)
{
	struct inspector *in = container_of(t, struct inspector, send);
	struct inspect_job *job;
	/* No more than are there now: a callback may bring another one. */
	for (size_t n = in->waiting_count; n > 0 && (job = next_of(in)) != NULL; n--)
		if (is_hopeless(job))
			job_end(job, &unavailable);
		else if (!job_begin(job))
			return;
}

/* One at a time: a callback may end others. */
static struct inspect_job *overdue_of(struct job_list *list)
{
	struct inspect_job *job;
	int64_t now = clock_mono_ms();
	TAILQ_FOREACH (job, list, entry)
		if (now - job->started_ms >= INSPECT_PATIENCE_MS)
			return job;
	return NULL;
}

static void on_look(struct wheel_timer *t)
{
	struct inspector *in = container_of(t, struct inspector, look);
	struct inspect_job *job;
	wheel_set(loop_wheel(in->loop), t, LOOK_MS, on_look);
	while ((job = overdue_of(&in->under_way)) != NULL || (job = overdue_of(&in->waiting)) != NULL) {
		log_warn_gated("media: a file was not looked at within %d s", INSPECT_PATIENCE_MS / 1000);
		job_end(job, &unavailable);
	}
	if (in->waiting_count > 0)
		loop_defer(in->loop, &in->send);
	else if (in->under_way_count == 0)
		wheel_cancel(t);
}

/* ---- the door ---- */

struct inspector *inspector_new(struct loop *loop, int mailbox)
{
	struct inspector *in = xcalloc(1, sizeof(*in));
	in->loop = loop;
	in->mailbox = mailbox;
	in->send.fn = on_send;
	TAILQ_INIT(&in->waiting);
	TAILQ_INIT(&in->under_way);
	return in;
}

void inspector_free(struct inspector **inp)
{
	struct inspector *in = *inp;
	struct inspect_job *job;
	if (in == NULL)
		return;
	*inp = NULL;
	while ((job = TAILQ_FIRST(&in->under_way)) != NULL || (job = TAILQ_FIRST(&in->waiting)) != NULL)
		job_end(job, &unavailable);
	loop_undefer(in->loop, &in->send);
	wheel_cancel(&in->look);
	if (in->mailbox >= 0)
		close(in->mailbox);
	free(in);
}

struct inspect_job *inspect(struct inspector *in, const struct inspect_files *files, const char *user,
			    const char *declared, inspect_done_fn *done, void *ctx)
{
	struct inspect_job *job = xcalloc(1, sizeof(*job));
	job->in = in;
	job->files = *files;
	job->done = done;
	job->ctx = ctx;
	job->answers = -1;
	job->started_ms = clock_mono_ms();
	if (user != NULL)
		snprintf(job->user, sizeof(job->user), "%s", user);
	if (declared != NULL)
		snprintf(job->declared, sizeof(job->declared), "%s", declared);
	job->no_room = in->waiting_count >= INSPECT_WAITING_MAX;
	if (job->no_room)
		TAILQ_INSERT_HEAD(&in->waiting, job, entry);
	else
		TAILQ_INSERT_TAIL(&in->waiting, job, entry);
	in->waiting_count++;
	loop_defer(in->loop, &in->send);
	if (!wheel_timer_is_set(&in->look))
		wheel_set(loop_wheel(in->loop), &in->look, LOOK_MS, on_look);
	return job;
}

void inspect_cancel(struct inspect_job **jobp)
{
	struct inspect_job *job = *jobp;
	if (job == NULL)
		return;
	*jobp = NULL;
	job_take_out(job);
	free(job);
}

size_t inspector_jobs(const struct inspector *in)
{
	return in->waiting_count + in->under_way_count;
}
