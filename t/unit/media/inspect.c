/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's side of the media process, whose part this test plays: each job ends exactly once, whatever the other
 * side does, and only after nobody can write to its files any more.
 */
#include "core/base.h"
#include "media/inspect.h"

#include "core/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tap.h"

static struct loop *loop;
static struct inspector *in;
static int mailbox; /* the taking end */

struct taken {
	int fd[INSPECT_FDS];
};

static unsigned ends;
static struct inspect_result last;

static void on_done(const struct inspect_result *r, void *ctx)
{
	ends++;
	last = *r;
	if (ctx != NULL)
		*(bool *)ctx = true;
}

static void turn(int ms)
{
	for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until;)
		loop_turn(loop);
}

static bool take(struct taken *t)
{
	unsigned char data[INSPECT_JOB_BYTES];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(t->fd))];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	struct pollfd p = {.fd = mailbox, .events = POLLIN};
	for (int i = 0; i < 100 && poll(&p, 1, 0) == 0; i++)
		loop_turn(loop);
	if (recvmsg(mailbox, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(data))
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_len != CMSG_LEN(sizeof(t->fd)))
		return false;
	memcpy(t->fd, CMSG_DATA(c), sizeof(t->fd));
	return inspect_job_read(data, sizeof(data), INSPECT_FDS);
}

static void leave(struct taken *t)
{
	for (int i = 0; i < INSPECT_FDS; i++)
		close(t->fd[i]);
}

static void say(const struct taken *t, const struct inspect_result *r)
{
	unsigned char data[INSPECT_ANSWER_MAX];
	size_t len = inspect_answer_write(r, data);
	if (send(t->fd[INSPECT_FD_ANSWER], data, len, MSG_NOSIGNAL) != (ssize_t)len)
		printf("# an answer was not sent\n");
}

static struct inspect_files files(void)
{
	return (struct inspect_files){memfd_create("file", 0), memfd_create("thumb", 0), memfd_create("clean", 0)};
}

static void close_files(const struct inspect_files *f)
{
	close(f->file);
	close(f->thumb);
	close(f->clean);
}

static const struct inspect_result picture = {.status = INSPECT_OK,
					      .content_type = "image/png",
					      .width = 3,
					      .height = 2,
					      .duration_ms = -1,
					      .has_thumb = true,
					      .has_clean = true,
					      .is_checked = true};
static const struct inspect_result plain = {.status = INSPECT_OK, .content_type = "text/plain", .duration_ms = -1};

static void begin(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		abort();
	mailbox = pair[0];
	loop = loop_new();
	in = inspector_new(loop, pair[1]);
	ends = 0;
}

static void finish(void)
{
	inspector_free(&in);
	loop_free(&loop);
	close(mailbox);
}

static void test_answer(void)
{
	struct taken t;
	struct inspect_files f = files();
	begin();
	inspect(in, &f, NULL, NULL, on_done, NULL);
	ok(ends == 0 && inspector_jobs(in) == 1, "given");
	ok(take(&t), "it comes with its descriptors");
	ok(write(t.fd[INSPECT_FD_THUMB], "thumb", 5) == 5, "the files can be written");
	say(&t, &picture);
	turn(150);
	ok(ends == 0, "an answer alone is not the end: somebody may still write");
	leave(&t);
	turn(150);
	ok(ends == 1 && last.status == INSPECT_OK && last.width == 3, "the end of its socket is");
	ok(last.has_thumb && !last.has_clean, "what was not written is not there, whatever the answer says");
	ok(inspector_jobs(in) == 0, "nothing is left");
	inspect(in, &f, NULL, "text/csv", on_done, NULL);
	ok(take(&t), "another one");
	say(&t, &plain);
	say(&t, &picture);
	leave(&t);
	turn(150);
	ok(ends == 2 && strcmp(last.content_type, "text/csv") == 0,
	   "the first answer counts, and a hint tells plain texts apart");
	inspect(in, &f, NULL, "text/html", on_done, NULL);
	ok(take(&t), "another one");
	say(&t, &plain);
	leave(&t);
	turn(150);
	ok(ends == 3 && strcmp(last.content_type, "text/plain") == 0, "but not as something that runs");
	finish();
	close_files(&f);
}

static void test_lies(void)
{
	struct taken t;
	struct inspect_files f = files();
	static char long_one[INSPECT_ANSWER_MAX * 2];
	begin();
	inspect(in, &f, NULL, NULL, on_done, NULL);
	ok(take(&t), "taken");
	ok(send(t.fd[INSPECT_FD_ANSWER], long_one, sizeof(long_one), 0) > 0, "nonsense is sent");
	leave(&t);
	turn(150);
	ok(ends == 1 && last.status == INSPECT_REFUSED, "nonsense is a refusal");
	finish();
	close_files(&f);
}

static void test_deaths(void)
{
	struct taken t;
	struct inspect_files f = files();
	begin();
	inspect(in, &f, NULL, NULL, on_done, NULL);
	ok(take(&t), "taken");
	leave(&t);
	ok(take(&t) && ends == 0, "a process that died without an answer: the next one gets the job");
	leave(&t);
	turn(150);
	ok(ends == 1 && last.status == INSPECT_UNAVAILABLE, "and then no other");
	finish();
	close_files(&f);
}

static void test_many(void)
{
	enum { MANY = 3 * INSPECT_UNDER_WAY_MAX };
	static bool done[MANY];
	struct taken t[MANY];
	struct inspect_files f = files();
	unsigned taken = 0;
	begin();
	for (unsigned i = 0; i < MANY; i++)
		inspect(in, &f, NULL, NULL, on_done, &done[i]);
	for (; taken < MANY && take(&t[taken]); taken++)
		;
	ok(taken == INSPECT_UNDER_WAY_MAX, "no more than %u are in the mailbox", taken);
	say(&t[0], &plain);
	leave(&t[0]);
	ok(take(&t[taken]), "where one ends another one goes");
	taken++;
	ok(done[0] && !done[1], "in order");
	struct inspect_job *job = inspect(in, &f, NULL, NULL, on_done, NULL);
	inspect_cancel(&job);
	ok(job == NULL && ends == 1, "one that waits can be taken back");
	inspector_free(&in);
	ok(ends == MANY && last.status == INSPECT_UNAVAILABLE, "all end with the inspector");
	struct pollfd p = {.fd = t[1].fd[INSPECT_FD_ANSWER]};
	ok(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0, "and the other side sees it");
	for (unsigned i = 1; i < taken; i++)
		leave(&t[i]);
	finish();
	close_files(&f);
}

static void test_turns(void)
{
	struct taken first, second, none;
	struct inspect_files f = files();
	static bool done[4];
	begin();
	for (unsigned i = 0; i < 3; i++)
		inspect(in, &f, "eve", NULL, on_done, &done[i]);
	inspect(in, &f, "bob", NULL, on_done, &done[3]);
	ok(take(&first) && take(&second) && !take(&none), "one file of each user is looked at, whoever brought more");
	say(&second, &plain);
	leave(&second);
	turn(150);
	ok(done[3] && !done[0] && !take(&none), "that of the other ends, and gives no room to theirs");
	say(&first, &plain);
	leave(&first);
	ok(take(&first) && done[0] && !take(&none), "which go one after the other");
	inspector_free(&in);
	ok(ends == 4, "all end with the inspector");
	leave(&first);
	finish();
	close_files(&f);
}

static void test_no_room(void)
{
	struct inspect_files f = files();
	static bool refused;
	begin();
	for (unsigned i = 0; i < INSPECT_WAITING_MAX; i++)
		inspect(in, &f, NULL, NULL, on_done, NULL);
	inspect(in, &f, NULL, NULL, on_done, &refused);
	ok(!refused, "never within");
	turn(100);
	ok(refused && last.status == INSPECT_UNAVAILABLE, "what is more than may wait ends at once");
	ok(ends == 1, "nobody else does");
	finish();
	close_files(&f);
}

static void test_nobody(void)
{
	struct inspect_files f = files();
	loop = loop_new();
	in = inspector_new(loop, -1);
	ends = 0;
	inspect(in, &f, NULL, NULL, on_done, NULL);
	turn(100);
	ok(ends == 1 && last.status == INSPECT_UNAVAILABLE, "without a mailbox all are unavailable");
	inspector_free(&in);
	loop_free(&loop);
	/* One that nobody takes. */
	static _Atomic int64_t shift;
	clock_share_shift(&shift);
	begin();
	inspect(in, &f, NULL, NULL, on_done, NULL);
	turn(100);
	ok(ends == 0, "one that nobody takes waits");
	shift = INSPECT_PATIENCE_MS + 1000;
	turn(400);
	ok(ends == 1 && last.status == INSPECT_UNAVAILABLE, "until its time is over");
	finish();
	close_files(&f);
}

static void test_cancel(void)
{
	struct taken t;
	struct inspect_files f = files();
	begin();
	struct inspect_job *job = inspect(in, &f, NULL, NULL, on_done, NULL);
	ok(take(&t), "taken");
	inspect_cancel(&job);
	struct pollfd p = {.fd = t.fd[INSPECT_FD_ANSWER]};
	ok(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0, "who reads a file that is taken back sees it");
	say(&t, &plain);
	leave(&t);
	turn(100);
	ok(ends == 0 && inspector_jobs(in) == 0, "and is not heard");
	finish();
	close_files(&f);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_answer();
	test_lies();
	test_deaths();
	test_many();
	test_turns();
	test_no_room();
	test_nobody();
	test_cancel();
	return done_testing();
}
