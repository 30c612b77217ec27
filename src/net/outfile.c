/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides what of a file may be sent by the loop. mincore(2) tells the truth of files that the process may write only;
 * of others it says that they are there, and then the loop may wait for the disk.
 */
#include "core/base.h"
#include "net/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "net/work.h"

#define READ_SIZE (64 * 1024)

struct outfile {
	struct work_job job;
	struct loop *loop;
	int fd;
	int64_t offset, left; /* of what was not sent; the thread reads them */
	int64_t ready_to;     /* up to that offset it is, or was, in the page cache */
	bool loading;
	void (*loaded)(void *owner); /* NULL: freed by its owner */
	void *owner;
};

struct outfile *outfile_new(struct loop *l, int fd, int64_t offset, int64_t len, void (*loaded)(void *owner),
			    void *owner)
{
	struct outfile *f = xcalloc(1, sizeof(*f));
	*f = (struct outfile){.loop = l, .fd = fd, .offset = offset, .left = len, .loaded = loaded, .owner = owner};
	return f;
}

static void outfile_destroy(struct outfile *f)
{
	close(f->fd);
	free(f);
}

void outfile_free(struct outfile **fp)
{
	struct outfile *f = *fp;
	*fp = NULL;
	if (f != NULL && f->loading)
		f->loaded = NULL;
	else if (f != NULL)
		outfile_destroy(f);
}

int64_t outfile_left(const struct outfile *f)
{
	return f->left;
}

bool outfile_is_loading(const struct outfile *f)
{
	return f->loading;
}

static size_t window_of(const struct outfile *f)
{
	return f->left < OUTFILE_WINDOW ? (size_t)f->left : OUTFILE_WINDOW;
}

/* ---- on the thread ---- */

/* What it reads is thrown away: the page cache keeps it. Errors are found by who sends. */
static void load(struct work_job *j)
{
	struct outfile *f = container_of(j, struct outfile, job);
	char buffer[READ_SIZE];
	int64_t at = f->offset, end = at + (int64_t)window_of(f);
	while (at < end) {
		size_t len = end - at < READ_SIZE ? (size_t)(end - at) : READ_SIZE;
		ssize_t n = pread(f->fd, buffer, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += n;
	}
}

/* ---- on the loop ---- */

static void on_loaded(struct work_job *j, bool ran)
{
	(void)ran;
	struct outfile *f = container_of(j, struct outfile, job);
	f->loading = false;
	/* Not looked at again, or a window that no cache can hold would be read for ever. */
	f->ready_to = f->offset + (int64_t)window_of(f);
	if (f->loaded == NULL)
		outfile_destroy(f);
	else
		f->loaded(f->owner);
}

/* How many bytes of the next window are in the page cache, from its beginning on. */
static size_t cached(const struct outfile *f)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char resident[OUTFILE_WINDOW / 4096 + 1];
	size_t before = (size_t)f->offset % page, want = window_of(f), pages = (before + want + page - 1) / page, i = 0;
	void *map = mmap(NULL, before + want, PROT_READ, MAP_SHARED, f->fd, (off_t)f->offset - (off_t)before);
	if (map == MAP_FAILED)
		return want; /* a file of which nothing can be known */
	if (mincore(map, before + want, resident) == 0)
		while (i < pages && (resident[i] & 1) != 0)
			i++;
	munmap(map, before + want);
	size_t bytes = i * page;
	return bytes <= before ? 0 : bytes - before < want ? bytes - before : want;
}

size_t outfile_ready(struct outfile *f)
{
	if (f->loading)
		return 0;
	if (f->ready_to <= f->offset)
		f->ready_to = f->offset + (int64_t)cached(f);
	if (f->ready_to > f->offset)
		return (size_t)(f->ready_to - f->offset);
	f->job.run = load;
	f->job.done = on_loaded;
	f->loading = work_submit(loop_disk(f->loop), &f->job);
	/* There is no thread: it has to be read here. */
	return f->loading ? 0 : window_of(f);
}

static void advance(struct outfile *f, ssize_t n)
{
	if (n <= 0)
		return;
	f->offset += n;
	f->left -= n;
}

ssize_t outfile_send(struct outfile *f, int fd, size_t len)
{
	off_t at = (off_t)f->offset;
	ssize_t n = sendfile(fd, f->fd, &at, len);
	advance(f, n);
	return n;
}

ssize_t outfile_read(struct outfile *f, char *to, size_t len)
{
	ssize_t n = pread(f->fd, to, len, (off_t)f->offset);
	advance(f, n);
	return n;
}
