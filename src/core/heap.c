/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides when freed memory goes back to the system. The door to the parts of malloc.h that are glibc's own. */
#include "core/base.h"
#include "core/heap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

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

/* proc(5): statm counts pages; the third field is what is backed by files or shared. */
void heap_read_memory(uint32_t *resident_kib_r, uint32_t *private_kib_r)
{
	char text[128];
	unsigned long resident, shared;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	if (sscanf(text, "%*u %lu %lu", &resident, &shared) != 2)
		return;
	unsigned long page_kib = (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	*resident_kib_r = (uint32_t)(resident * page_kib);
	*private_kib_r = (uint32_t)((resident - shared) * page_kib);
}
