/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as if from another node, and as if in a file: what became of a message. */
#include "core/base.h"
#include "core/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/tidings-fuzz-trace-XXXXXX";
static char path[64];

static void clean_up(void)
{
	unlink(path);
	snprintf(path, sizeof(path), "%s/" TRACE_DIR, dir);
	rmdir(path);
	rmdir(dir);
}

/* What is found can be sent, and comes to the same. */
static void check(const struct trace_found *f)
{
	struct trace_found again = {0};
	struct buf out = {0};
	size_t n, m;
	trace_found_put(f, &out);
	if (!trace_found_take((struct str){out.data, out.len}, &again))
		abort();
	struct trace_note *notes = trace_notes(f, &n), *others = trace_notes(&again, &m);
	if (n != m)
		abort();
	for (size_t i = 0; i < n; i++)
		if (notes[i].kind != others[i].kind || notes[i].at_ms != others[i].at_ms ||
		    trace_status_name(notes[i].status) == NULL)
			abort();
	free(notes);
	free(others);
	buf_fini(&out);
	trace_found_fini(&again);
}

static void as_file(struct str bytes)
{
	FILE *f = fopen(path, "w");
	if (f == NULL || fwrite(bytes.s, 1, bytes.len, f) != bytes.len || fclose(f) != 0)
		abort();
	struct trace_scan *s = trace_scan_new(dir, 7, 0);
	while (!trace_scan_step(s))
		;
	check(trace_scan_found(s));
	trace_scan_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = {(const char *)data, size};
	struct trace_found found = {0};
	if (path[0] == '\0') {
		if (mkdtemp(dir) == NULL || trace_make_dir(dir, "") != 0)
			abort();
		snprintf(path, sizeof(path), "%s/" TRACE_DIR "/sessions.0", dir);
		atexit(clean_up);
	}
	(void)trace_found_take(bytes, &found);
	check(&found);
	trace_found_fini(&found);
	as_file(bytes);
	return 0;
}
