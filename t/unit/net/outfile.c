/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a file can be sent without waiting for a disk, and that the rest is fetched by the thread. */
#include "core/base.h"
#include "net/outfile.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "pair.h"
#include "../tap.h"

#define SIZE (2 * 1024 * 1024 + 1000)

static char path[] = "/tmp/tidings-outfile-XXXXXX";
static char *content;
static int loads;

static void on_loaded(void *owner)
{
	(void)owner;
	loads++;
}

static void make_content(void)
{
	int fd = mkstemp(path);
	content = xmalloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (char)(i * 31 + i / 251);
	if (fd < 0 || write(fd, content, SIZE) != SIZE || fsync(fd) != 0)
		abort();
	close(fd);
}

/* Makes the page cache forget the file; false where its file system has no other place. */
static bool cool(void)
{
	unsigned char resident[SIZE / 4096 + 1];
	int fd = open(path, O_RDONLY);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	void *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	bool cold = map != MAP_FAILED && mincore(map, SIZE, resident) == 0 && (resident[0] & 1) == 0;
	munmap(map, SIZE);
	close(fd);
	return cold;
}

static struct outfile *open_part(int64_t offset, int64_t len)
{
	loads = 0;
	return outfile_new(loop, open(path, O_RDONLY), offset, len, on_loaded, NULL);
}

static void wait_for_load(void)
{
	for (int i = 0; i < TURNS_MAX && loads == 0; i++) {
		turn();
		usleep(100);
	}
}

/* Reads it to its end; how often it had to wait is in `loads`. */
static bool comes_whole(struct outfile *f, size_t offset, size_t step)
{
	char *part = xmalloc(step);
	bool same = true;
	for (int waits = 0; same && outfile_left(f) != 0;) {
		size_t ready = outfile_ready(f);
		if (ready == 0) {
			int before = loads;
			while (loads == before && waits++ < TURNS_MAX) {
				turn();
				usleep(100);
			}
			same = loads > before;
			continue;
		}
		ssize_t n = outfile_read(f, part, ready < step ? ready : step);
		same = n > 0 && memcmp(part, content + offset, (size_t)n) == 0;
		offset += n > 0 ? (size_t)n : 0;
	}
	free(part);
	return same;
}

static void test_warm(void)
{
	struct outfile *f = open_part(0, SIZE);
	is_int(outfile_ready(f), OUTFILE_WINDOW, "a window of what is in the page cache is ready");
	ok(comes_whole(f, 0, 5000), "and all of it comes");
	is_int(loads, 0, "without the thread");
	outfile_free(&f);
	f = open_part(4097, 12345);
	ok(outfile_ready(f) == 12345 && comes_whole(f, 4097, 100), "a part of it");
	outfile_free(&f);
	ok(f == NULL, "freed");
	outfile_free(&f);
}

static void test_cold(void)
{
	if (!cool()) {
		ok(true, "this file system is in memory: nothing is cold");
		return;
	}
	struct outfile *f = open_part(100, SIZE - 100);
	is_int(outfile_ready(f), 0, "of a cold file nothing is ready");
	ok(outfile_is_loading(f), "the thread reads it");
	is_int(outfile_ready(f), 0, "nothing is ready meanwhile");
	wait_for_load();
	ok(!outfile_is_loading(f) && outfile_ready(f) == OUTFILE_WINDOW, "then a window is");
	ok(comes_whole(f, 100, 60000), "and all of it comes");
	outfile_free(&f);

	cool();
	f = open_part(0, SIZE);
	int ready = (int)outfile_ready(f);
	outfile_free(&f);
	ok(ready == 0 && f == NULL, "freed while the thread reads");
	struct outfile *next = open_part(SIZE - 10, 10);
	ok(comes_whole(next, SIZE - 10, 10), "the next one is served");
	ok(loads <= 1, "and nobody hears of the first");
	outfile_free(&next);

	cool();
	f = open_part(0, SIZE);
	ready = (int)outfile_ready(f);
	outfile_free(&f);
	is_int(ready, 0, "the loop may end while the thread reads");
}

static void test_short(void)
{
	char part[100];
	struct outfile *f = open_part(SIZE - 50, 100);
	for (int i = 0; i < TURNS_MAX && outfile_ready(f) == 0; i++)
		turn();
	is_int(outfile_read(f, part, 100), 50, "a file that is shorter");
	while (outfile_ready(f) == 0)
		turn();
	is_int(outfile_read(f, part, 50), 0, "has an end");
	outfile_free(&f);
}

int main(void)
{
	make_content();
	start_loop();
	test_warm();
	test_short();
	test_cold();
	loop_free(&loop);
	unlink(path);
	free(content);
	return done_testing();
}
