/* SPDX-License-Identifier: BSD-2-Clause */
/* The items of a row of the outbox. */
#include "core/base.h"
#include "store/outbox_items.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be put again, and is the same bytes then. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = {(const char *)data, size};
	struct outbox_item item;
	struct buf again = {0};
	size_t at = 0, before = 0;
	int got;
	while ((got = outbox_next(bytes, &at, &item)) > 0) {
		if (at <= before || at > size)
			abort();
		before = at;
		if (item.kind == OUTBOX_USER)
			outbox_put_user(&again, item.user);
		else
			outbox_put_id(&again, item.kind, item.id);
		if (again.len != at || memcmp(again.data, data, at) != 0)
			abort();
	}
	if (got == 0 && at != size)
		abort();
	buf_fini(&again);
	return 0;
}
