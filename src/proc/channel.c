/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders and descriptors over a UNIX socket pair. */
#include "core/base.h"
#include "proc/channel.h"

#include "core/log.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

int channel_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

union fd_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

int channel_send(int channel, const struct order *order, int fd)
{
	struct order copy = *order;
	struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_control control;
	ssize_t n;

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(channel, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int channel_receive(int channel, struct order *order_r, int *fd_r)
{
	struct iovec iov = {.iov_base = order_r, .iov_len = sizeof(*order_r)};
	union fd_control control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t n;

	*fd_r = -1;
	do
		n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (n == 0)
		return -1;
	ASSERT(n == sizeof(*order_r));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd_r, CMSG_DATA(c), sizeof(int));
	return 1;
}

int channel_report(int channel, const struct report *report)
{
	struct report copy = *report;
	ssize_t n;
	do
		n = send(channel, &copy, sizeof(copy), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int channel_receive_report(int channel, struct report *report_r)
{
	/* One byte more, to see what is too long. Descriptors that come with it are dropped by the system. */
	char data[sizeof(*report_r) + 1];
	ssize_t n;
	do
		/* One that has died with orders unread: the system says so first, and then gives what it had said. */
		n = recv(channel, data, sizeof(data), 0);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (n != (ssize_t)sizeof(*report_r))
		return -1;
	memcpy(report_r, data, sizeof(*report_r));
	return 1;
}
