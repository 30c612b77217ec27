/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as if from the media process, and as if from a worker. What is taken can be put again, and is the same then. */
#include "core/base.h"
#include "media/inspect_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inspect_result r;
	unsigned char again[INSPECT_ANSWER_MAX];
	(void)inspect_job_read(data, size, INSPECT_FDS);
	if (!inspect_answer_read(data, size, &r))
		return 0;
	/* What fills the head up is not read. */
	if (inspect_answer_write(&r, again) != size)
		abort();
	return 0;
}
