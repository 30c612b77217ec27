/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a configuration: loaded, or refused with faults that each have the file's name in front. */
#include "core/base.h"

#include <stdlib.h>

#include "core/conf_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_faults(const char *err)
{
	for (const char *line = err; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "fuzz:", 5) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text, *err = NULL;
	struct conf *c;

	/* It must not go and read files. */
	if (memmem(data, len, "_file", 5) != NULL)
		return 0;
	text = xmalloc(len + 1);
	memcpy(text, data, len);
	c = conf_load_text("fuzz", text, len, &err);
	free(text);
	if ((c == NULL) != (err != NULL))
		abort();
	check_faults(err);
	free(err);
	if (c != NULL) {
		err = conf_check_server(c);
		check_faults(err);
		free(err);
	}
	conf_free(&c);
	return 0;
}
