/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as if from a worker or a writer: frames, as arguments and as results. */
#include "core/base.h"
#include "store/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be put again, and is the same then. */
static void put_again(const struct wire_head *head, struct str body, const union wire_args *args)
{
	struct buf out = {0};
	wire_put_args(&out, *head, args);
	if (out.len - sizeof(*head) != body.len || memcmp(out.data + sizeof(*head), body.s, body.len) != 0)
		abort();
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = {(const char *)data, size}, body;
	struct wire_head head;
	union wire_args args;
	union wire_result result;
	struct wire_state state;
	struct wire_told told;
	struct wire_room room;
	size_t at = 0;
	while (wire_next(bytes, &at, &head, &body) > 0) {
		if (wire_take_args((enum wire_kind)head.kind, body, &args, &room) == 0)
			put_again(&head, body, &args);
		(void)wire_take_result((enum wire_kind)head.kind, body, &result, &room);
		(void)wire_take_state(body, &state);
		(void)wire_take_told(body, &told);
	}
	return 0;
}
