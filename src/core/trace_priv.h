/* SPDX-License-Identifier: BSD-2-Clause */
/* How the files of rings look, for those that write and read them. */
#ifndef TIDINGS_CORE_TRACE_PRIV_H
#define TIDINGS_CORE_TRACE_PRIV_H

#include "core/base.h"

#include <stdatomic.h>
#include <sys/types.h>

#include "core/trace.h"

#define TRACE_MAGIC UINT32_C(0x74647472)
#define TRACE_VERSION 1
#define TRACE_HEAD_BYTES 4096
/* More than a node has processes. */
#define TRACE_FILES_MAX 8192

struct trace_head {
	uint32_t magic, version;
	uint32_t cell_bytes, unused;
	uint64_t cells; /* of the ring; the file may not have come to all of them yet */
	int64_t begun_ms;
	_Atomic uint64_t next;	 /* cells written so far, all rounds together */
	_Atomic int64_t lost_ms; /* when the last note was lost that found no room; 0: never */
};

/* `stamp`: at_ms << 16 | status << 12 | detail << 8 | kind. A session's `text` is its time and number, and the worker.
 */
struct trace_cell {
	uint64_t message_id;
	uint64_t stamp;
	char text[];
};
#define CELL_HEAD sizeof(struct trace_cell)
#define SMALL_TEXT (sizeof(uint64_t) + WORKER_NAME_LEN)
/* A user's id and a device's, each behind a byte of its length. */
#define LARGE_TEXT (2 * (1 + 64))
#define LARGE_CELL ((CELL_HEAD + LARGE_TEXT + 7) / 8 * 8)
_Static_assert(USER_ID_MAX == 64, "fits a cell");

struct trace_ring {
	const char *name;
	uint32_t cell_bytes;
};
extern const struct trace_ring trace_rings[]; /* by enum trace_size */

/* Of a file, to be freed. */
char *trace_path(const char *run_dir, enum trace_size size, unsigned i);
/* That a file of that size has room for. */
uint64_t trace_cells_in(off_t file_bytes, uint32_t cell_bytes);

#endif
