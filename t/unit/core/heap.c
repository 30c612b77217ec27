/* SPDX-License-Identifier: BSD-2-Clause */
/* When freed memory is given back; malloc's own part is played by this file. */
#include "core/base.h"
#include "core/heap.h"

#include <malloc.h>

#include "../tap.h"

#define MIB 1024 /* in KiB */

static struct mallinfo2 info;
static int asked, trimmed;

struct mallinfo2 mallinfo2(void)
{
	asked++;
	return info;
}

int malloc_trim(size_t pad)
{
	trimmed += pad == 0;
	return 1;
}

static void has(size_t used_mib, size_t mapped_mib)
{
	info.uordblks = used_mib * 1024 * 1024;
	info.hblkhd = mapped_mib * 1024 * 1024;
}

int main(void)
{
	int64_t now_ms = 1000;
	has(3, 0);
	ok(!heap_give_back(10 * MIB, now_ms), "a small process keeps what it has");
	is_int(asked, 0, "and is not even looked at");
	has(80, 40);
	ok(!heap_give_back(130 * MIB, now_ms), "a large one that is in use too");
	is_int(asked, 1, "after a look");
	has(4, 0);
	ok(!heap_give_back(130 * MIB, now_ms + HEAP_TRIM_MS - 1), "the next look comes later");
	is_int(asked, 1, "for it costs something");
	now_ms += HEAP_TRIM_MS;
	ok(heap_give_back(130 * MIB, now_ms), "freed memory is given back");
	is_int(trimmed, 1, "all of it");
	ok(!heap_give_back(130 * MIB, now_ms + 1), "not again at once");
	now_ms += HEAP_TRIM_MS;
	has(100, 4);
	ok(!heap_give_back(120 * MIB, now_ms), "16 MiB of freed memory are kept");
	now_ms += HEAP_TRIM_MS;
	ok(heap_give_back(120 * MIB + 1, now_ms), "and no more");
	is_int(trimmed, 2, "each time");
	return done_testing();
}
