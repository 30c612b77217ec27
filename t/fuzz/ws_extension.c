/* SPDX-License-Identifier: BSD-2-Clause */
/* Any header value is read within its bounds; what is taken are terms that can be kept, and answered well formed. */
#include "core/base.h"
#include "net/ws_extension.h"

#include <stdlib.h>

#include "net/ws_deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "Sec-WebSocket-Extensions: ";
	struct ws_terms t = {0}, again = {0};
	struct buf answer = {0};
	if (ws_extension_read((struct str){(const char *)data, size}, &t) != 0 || t.window_bits == 0)
		return 0;
	if (t.window_bits < WS_WINDOW_BITS_MIN || t.window_bits > WS_WINDOW_BITS_MAX)
		abort();
	/* The answer, taken for an offer, means the same. */
	ws_extension_answer(&t, &answer);
	struct str value = {answer.data + strlen(name), answer.len - strlen(name) - 2};
	if (ws_extension_read(value, &again) != 0 || again.window_bits != t.window_bits ||
	    again.window_asked != t.window_asked)
		abort();
	buf_fini(&answer);
	return 0;
}
