/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives memory that was freed back to the system. malloc() by itself gives back only what is free at the end of its
 * heap: after a peak of large buffers a small one behind them keeps them all in the process.
 */
#ifndef TIDINGS_CORE_HEAP_H
#define TIDINGS_CORE_HEAP_H

#include "core/base.h"

/* How much freed memory a process keeps at least, so that it need not fetch it again all the time. */
#define HEAP_KEEP_KIB (16 * 1024)
/* Not more often than that. */
#define HEAP_TRIM_MS 10000

/*
 * To be called now and then. private_kib: the memory that the process has for itself, as the kernel counts it; what of
 * it is not in use is given back if it is more than HEAP_KEEP_KIB. True if it was tried.
 */
bool heap_give_back(uint64_t private_kib, int64_t now_ms);

/* The memory of this process, unless the system does not tell: what is resident, and of that what belongs to no file
 * and is not shared. */
void heap_read_memory(uint32_t *resident_kib_r, uint32_t *private_kib_r);

#endif
