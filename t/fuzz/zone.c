/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a compiled zone, behind a time: what is read lies within them. */
#include "core/base.h"
#include "core/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Some thousand years to either side. */
	const int64_t most = INT64_C(1) << 38;
	int64_t at_secs;
	int32_t offset;
	if (size < sizeof(at_secs))
		return 0;
	memcpy(&at_secs, data, sizeof(at_secs));
	struct str file = {(const char *)data + sizeof(at_secs), size - sizeof(at_secs)};
	(void)!zone_offset(file, at_secs % most, &offset);
	return 0;
}
