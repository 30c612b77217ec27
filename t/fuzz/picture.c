/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: no picture, or one with a size; the same of a longer beginning. */
#include "core/base.h"

#include <stdlib.h>

#include "core/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct picture whole, half;
	const char *bytes = (const char *)data;
	if (picture_read((struct str){bytes, len}, &whole) != 0)
		return 0;
	must(whole.width >= 1 && whole.height >= 1 && whole.type <= PICTURE_WEBP);
	if (picture_read((struct str){bytes, len / 2}, &half) == 0)
		must(half.type == whole.type && half.width == whole.width && half.height == whole.height);
	char name[PICTURE_NAME_MAX + 1];
	picture_name((struct str){bytes, len}, whole.type, name);
	must(picture_name_valid(str_from(name)));
	return 0;
}
