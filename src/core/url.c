/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/url.h"

#include <strings.h>

static bool has_blanks(struct str url)
{
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.s[i] <= ' ' || url.s[i] == 0x7f)
			return true;
	return false;
}

/* The length of the prefix, 0 where the URL does not begin with it. */
static size_t begins(struct str url, const char *prefix)
{
	size_t len = strlen(prefix);
	return url.len >= len && strncasecmp(url.s, prefix, len) == 0 ? len : 0;
}

bool url_is_web(struct str url)
{
	size_t scheme = begins(url, "http://") ?: begins(url, "https://");
	return scheme != 0 && url.len > scheme && url.s[scheme] != '/' && !has_blanks(url);
}

bool url_is_link(struct str url)
{
	size_t scheme = begins(url, "mailto:");
	return scheme != 0 ? url.len > scheme && !has_blanks(url) : url_is_web(url);
}
