/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of output. Knows neither connection nor loop. */
#include "core/base.h"
#include "net/outq.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/log.h"

#define CHUNK_SIZE 1024
#define PIECE_MAX (1024 * 1024)
#define WRITE_IOV 64

/* A reference to a shared blob, or copied bytes behind the struct. */
struct out {
	TAILQ_ENTRY(out) entry;
	struct blob *blob; /* NULL: copied */
	uint32_t sent;
	uint32_t len, cap; /* of copied bytes */
	char data[];
};

void outq_init(struct outq *q, size_t *memory)
{
	TAILQ_INIT(&q->list);
	q->unsent = 0;
	q->memory = memory;
}

static void out_add(struct outq *q, struct out *o)
{
	TAILQ_INSERT_TAIL(&q->list, o, entry);
	*q->memory += sizeof(*o);
	if (o->blob == NULL)
		*q->memory += o->cap;
	else if (o->blob->queued++ == 0)
		*q->memory += o->blob->len;
}

static void out_free(struct outq *q, struct out *o)
{
	TAILQ_REMOVE(&q->list, o, entry);
	*q->memory -= sizeof(*o);
	if (o->blob == NULL)
		*q->memory -= o->cap;
	else if (--o->blob->queued == 0)
		*q->memory -= o->blob->len;
	blob_unref(o->blob);
	free(o);
}

void outq_fini(struct outq *q)
{
	struct out *o;
	while ((o = TAILQ_FIRST(&q->list)) != NULL)
		out_free(q, o);
	q->unsent = 0;
}

void outq_add(struct outq *q, const void *data, size_t len)
{
	const char *from = data;
	struct out *last = TAILQ_LAST(&q->list, out_list);
	q->unsent += len;
	if (last != NULL && last->blob == NULL && last->len < last->cap) {
		size_t n = last->cap - last->len < len ? last->cap - last->len : len;
		memcpy(last->data + last->len, from, n);
		last->len += (uint32_t)n;
		from += n;
		len -= n;
	}
	while (len != 0) {
		size_t n = len < PIECE_MAX ? len : PIECE_MAX;
		size_t cap = n + sizeof(struct out) < CHUNK_SIZE ? CHUNK_SIZE - sizeof(struct out) : n;
		struct out *o = xmalloc(sizeof(*o) + cap);
		*o = (struct out){.len = (uint32_t)n, .cap = (uint32_t)cap};
		memcpy(o->data, from, n);
		out_add(q, o);
		from += n;
		len -= n;
	}
}

void outq_add_blob(struct outq *q, struct blob *b)
{
	ASSERT(b->len <= UINT32_MAX);
	struct out *o = xmalloc(sizeof(*o));
	*o = (struct out){.blob = blob_ref(b), .len = (uint32_t)b->len, .cap = (uint32_t)b->len};
	out_add(q, o);
	q->unsent += b->len;
}

static void took(struct outq *q, size_t n)
{
	q->unsent -= n;
	while (n != 0) {
		struct out *o = TAILQ_FIRST(&q->list);
		size_t here = o->len - o->sent;
		if (n < here) {
			o->sent += (uint32_t)n;
			return;
		}
		n -= here;
		out_free(q, o);
	}
}

ssize_t outq_write(struct outq *q, int fd, bool more, size_t *tried_r)
{
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	struct iovec iov[WRITE_IOV];
	size_t count = 0, total = 0;
	struct out *o;
	TAILQ_FOREACH (o, &q->list, entry) {
		if (count == WRITE_IOV)
			break;
		iov[count].iov_base = (o->blob != NULL ? o->blob->data : o->data) + o->sent;
		iov[count].iov_len = o->len - o->sent;
		total += iov[count++].iov_len;
	}
	*tried_r = total;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	/* Most often there is one piece, for which send() has less to check and to copy. */
	ssize_t n = count == 1 ? send(fd, iov[0].iov_base, iov[0].iov_len, flags) : sendmsg(fd, &msg, flags);
	if (n > 0)
		took(q, (size_t)n);
	return n;
}
