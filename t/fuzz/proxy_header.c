/* SPDX-License-Identifier: BSD-2-Clause */
/* A PROXY header: what is said of the whole has to be said of any shorter beginning that suffices. */
#include "core/base.h"
#include "net/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header, again;
	const char *reason = NULL;
	char text[ADDR_TEXT_MAX];
	if (size == 0)
		return 0;
	int n = proxy_header_parse((const char *)data, size, &header, &reason);
	if (n < 0 && reason == NULL)
		abort();
	if (n <= 0)
		return 0;
	if ((size_t)n > size || n > PROXY_HEADER_MAX)
		abort();
	if (header.has_source)
		addr_format(&header.source, text);
	if (proxy_header_parse((const char *)data, (size_t)n, &again, &reason) != n ||
	    proxy_header_parse((const char *)data, (size_t)n - 1, &again, &reason) != 0)
		abort();
	return 0;
}
