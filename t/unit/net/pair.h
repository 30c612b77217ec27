/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop, a clock that is moved, and socket pairs: what the tests of src/net's connections share. */
#ifndef TIDINGS_T_NET_PAIR_H
#define TIDINGS_T_NET_PAIR_H

#include "core/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "net/addr.h"
#include "net/loop.h"

#define TURNS_MAX 100000

static struct loop *loop;
static _Atomic int64_t shift_ms;
static const struct addr unix_peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};

static inline void do_nothing(struct loop_task *t)
{
}

/* A turn of the loop that does not wait: what a socket pair carries is there at once. */
static inline void turn(void)
{
	static struct loop_task task = {.fn = do_nothing};
	loop_defer(loop, &task);
	loop_turn(loop);
}

static inline void turns(int n)
{
	while (n-- > 0)
		turn();
}

/* Time passes, and what is due happens. */
static inline void pass(int64_t ms)
{
	shift_ms += ms;
	wheel_advance(loop_wheel(loop), clock_mono_ms());
	turns(3);
}

/* ours[0] is for the server. Small socket buffers make writes block early; 0 leaves them. */
static inline void make_pair(int ours[2], int buffer_size)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ours) != 0) {
		perror("socketpair");
		exit(1);
	}
	for (int i = 0; i < 2 && buffer_size != 0; i++) {
		setsockopt(ours[i], SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof(buffer_size));
		setsockopt(ours[i], SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(buffer_size));
	}
}

/* Appends what is there to read. True at the stream's end. */
static inline bool drain_into(int fd, struct buf *in)
{
	for (;;) {
		ssize_t n = recv(fd, buf_reserve(in, 65536), 65536, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n < 0)
			return false;
		in->len += (size_t)n;
	}
}

static inline void start_loop(void)
{
	clock_share_shift(&shift_ms);
	loop = loop_new();
}

#endif
