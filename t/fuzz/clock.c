/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a time, of RFC 3339 and as the database writes it: what is read is written and read back the same. */
#include "core/base.h"

#include <stdlib.h>

#include "core/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Of its own memory, so that a byte read behind its end is seen. */
	char *text = xmalloc(len != 0 ? len : 1);
	const int64_t first = INT64_C(-62167219200000), last = INT64_C(253402300799999);
	int64_t ms, back;
	char written[CLOCK_RFC3339_LEN + 1], sql[CLOCK_SQL_LEN + 1];

	memcpy(text, data, len);
	if (clock_parse_rfc3339((struct str){text, len}, &ms) == 0 && ms >= first && ms <= last) {
		clock_format_rfc3339(written, ms);
		if (clock_parse_rfc3339(str_from(written), &back) != 0 || back != ms)
			abort();
	}
	if (clock_parse_sql((struct str){text, len}, &ms) == 0) {
		clock_format_sql(sql, ms);
		if (clock_parse_sql(str_from(sql), &back) != 0 || back != ms)
			abort();
	}
	free(text);
	return 0;
}
