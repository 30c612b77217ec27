/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks for a smaller schedule that fails, too: delta debugging (Zeller and Hildebrandt, 2002) over the faults that
 * were done, by runs of this program with --only. What people do is not the same in each run, so that a part which did
 * not fail may still be guilty; a part that fails is.
 */
#include "core/base.h"
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "child.h"
#include "core/buf.h"

#define NAMES_MAX 4096

struct names {
	const char *name[NAMES_MAX];
	unsigned count;
};

static char *join(const struct names *n, unsigned from, unsigned to, bool without)
{
	struct buf b = {0};
	for (unsigned i = 0; i < n->count; i++)
		if ((i >= from && i < to) != without)
			buf_printf(&b, "%s%s", b.len == 0 ? "" : ",", n->name[i]);
	buf_cstr(&b);
	return b.data;
}

static bool fails(const struct run_options *o, const char *program, const char *only)
{
	char seed[32], users[16], groups[16], nodes[16], workers[16], rate[32];
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)o->seed);
	snprintf(users, sizeof(users), "%u", o->users);
	snprintf(groups, sizeof(groups), "%u", o->groups);
	snprintf(nodes, sizeof(nodes), "%u", o->nodes);
	snprintf(workers, sizeof(workers), "%u", o->workers);
	snprintf(rate, sizeof(rate), "%g", o->sends_per_second);
	/* Of which kinds they were drawn decides what they are. */
	const char *const argv[] = {program,   "--quiet", "--seed",   seed,	   "--users", users,	"--groups",
				    groups,    "--nodes", nodes,      "--workers", workers,   "--rate", rate,
				    "--build", o->build,  "--faults", o->faults,   "--only",  only,	NULL};
	return child_run(argv, "/dev/null") != 0;
}

void shrink(const struct run_options *o, const char *program, unsigned tries_max, const char *faults)
{
	static struct names names;
	char *text = xstrdup(faults), *save = NULL;
	unsigned parts = 2, tries = 0;
	for (char *at = strtok_r(text, ",", &save); at != NULL && names.count < NAMES_MAX;
	     at = strtok_r(NULL, ",", &save))
		names.name[names.count++] = at;
	printf("shrinking a schedule of %u faults, in %u runs at most\n", names.count, tries_max);
	while (names.count > 1 && tries < tries_max) {
		bool smaller = false;
		parts = parts > names.count ? names.count : parts;
		/* Each part alone, then all but each part. */
		for (unsigned i = 0; i < (parts == 2 ? 2 : 2 * parts) && tries < tries_max && !smaller; i++) {
			unsigned from = i % parts * names.count / parts, to = (i % parts + 1) * names.count / parts;
			bool without = i >= parts;
			char *only = join(&names, from, to, without);
			smaller = fails(o, program, only);
			printf("run %u: %s %s\n", ++tries, only, smaller ? "fails" : "does not fail");
			free(only);
			if (!smaller)
				continue;
			struct names kept = {.count = 0};
			for (unsigned k = 0; k < names.count; k++)
				if ((k >= from && k < to) != without)
					kept.name[kept.count++] = names.name[k];
			names = kept;
			parts = without && parts > 2 ? parts - 1 : 2;
		}
		if (!smaller && parts == names.count)
			break;
		if (!smaller)
			parts *= 2;
	}
	char *only = join(&names, 0, names.count, false);
	printf("the smallest that fails: --seed %llu --faults %s --only %s\n", (unsigned long long)o->seed, o->faults,
	       only);
	free(only);
	free(text);
}
