/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as somebody sends them: the first byte says which kind. What is a copy once is its own copy. */
#include "core/base.h"
#include "inspector/strip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct strip_out out;

static bool copy(const char *type, const void *data, size_t size, int fd, uint64_t *frames_r)
{
	if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	out = (struct strip_out){.fd = fd};
	return strip(type, data, size, &out, frames_r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
	static int first = -1, second = -1;
	uint64_t frames, again;
	if (first < 0) {
		first = memfd_create("first", 0);
		second = memfd_create("second", 0);
	}
	if (size == 0 || !copy(types[data[0] % 4], data + 1, size - 1, first, &frames))
		return 0;
	off_t len = lseek(first, 0, SEEK_END);
	char *one = malloc((size_t)len + 1), *two = malloc((size_t)len + 1);
	if (pread(first, one, (size_t)len, 0) != len || !copy(types[data[0] % 4], one, (size_t)len, second, &again) ||
	    again != frames || lseek(second, 0, SEEK_END) != len || pread(second, two, (size_t)len, 0) != len ||
	    memcmp(one, two, (size_t)len) != 0)
		abort();
	free(one);
	free(two);
	return 0;
}
