/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides when freed memory goes back to the system. The door to the parts of malloc.h that are glibc's own. */
#include "core/base.h"
#include "core/heap.h"

#include <inttypes.h>
#include <malloc.h>

#include "core/clock.h"
#include "core/log.h"

bool heap_give_back(uint64_t private_kib, int64_t now_ms)
{
	static int64_t next_ms;
	if (private_kib <= HEAP_KEEP_KIB || now_ms < next_ms)
		return false;
	next_ms = now_ms + HEAP_TRIM_MS;
	struct mallinfo2 m = mallinfo2();
	uint64_t used_kib = (m.uordblks + m.hblkhd) / 1024;
	if (private_kib <= used_kib + HEAP_KEEP_KIB)
		return false;
	int64_t began_usecs = clock_usecs();
	malloc_trim(0);
	log_debug("memory: %" PRIu64 " of %" PRIu64 " KiB were free: gave back what goes, in %" PRId64 " us",
		  private_kib - used_kib, private_kib, clock_usecs() - began_usecs);
	return true;
}
