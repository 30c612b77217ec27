/* SPDX-License-Identifier: BSD-2-Clause */
/* Draws the rounds, see plan.h. */
#include "core/base.h"
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "rng.h"

/* How often each kind is drawn, how long it lasts, and its amount. */
static const struct fault_row {
	const char *name;
	unsigned weight;
	int last_min_ms, last_max_ms, amount_min, amount_max;
	const char *amount_is;
} rows[FAULTS] = {
	[FAULT_WORKER_KILL] = {"worker-kill", 5, 0, 0, 0, 0, NULL},
	[FAULT_WORKER_FREEZE] = {"worker-freeze", 3, 200, 4500, 0, 0, NULL},
	[FAULT_WRITER_KILL] = {"writer-kill", 5, 0, 0, 0, 0, NULL},
	[FAULT_WRITER_FREEZE] = {"writer-freeze", 3, 200, 4500, 0, 0, NULL},
	[FAULT_RELAY_KILL] = {"relay-kill", 3, 0, 0, 0, 0, NULL},
	[FAULT_RELAY_FREEZE] = {"relay-freeze", 2, 200, 4500, 0, 0, NULL},
	[FAULT_MASTER_KILL] = {"master-kill", 3, 0, 1500, 0, 0, NULL},
	[FAULT_MASTER_FREEZE] = {"master-freeze", 2, 200, 4000, 0, 0, NULL},
	[FAULT_REDIS_KILL] = {"redis-kill", 4, 0, 3000, 0, 0, NULL},
	[FAULT_REDIS_FREEZE] = {"redis-freeze", 3, 200, 4500, 0, 0, NULL},
	[FAULT_MARIADB_KILL] = {"mariadb-kill", 4, 0, 3500, 0, 0, NULL},
	[FAULT_MARIADB_FREEZE] = {"mariadb-freeze", 3, 200, 4500, 0, 0, NULL},
	[FAULT_DB_CUT] = {"db-cut", 5, 0, 3000, 0, 3000, "bytes"},
	[FAULT_REDIS_CUT] = {"redis-cut", 5, 0, 3000, 0, 600, "bytes"},
	[FAULT_CLIENTS_CUT] = {"clients-cut", 4, 0, 2000, 0, 800, "bytes"},
	[FAULT_DB_HOLD] = {"db-hold", 3, 200, 4500, 0, 0, NULL},
	[FAULT_REDIS_HOLD] = {"redis-hold", 3, 200, 4500, 0, 0, NULL},
	[FAULT_CLIENTS_HOLD] = {"clients-hold", 2, 200, 4000, 0, 0, NULL},
	[FAULT_DB_DELAY] = {"db-delay", 2, 500, 3000, 1, 150, "ms"},
	[FAULT_REDIS_DELAY] = {"redis-delay", 2, 500, 3000, 1, 400, "ms"},
	[FAULT_CLIENTS_DELAY] = {"clients-delay", 2, 500, 3000, 1, 400, "ms"},
	[FAULT_COMMIT_LOST] = {"commit-lost", 8, 0, 1500, 0, 5500, "ms of refused connections"},
	[FAULT_CLOCK] = {"clock", 3, 0, 0, 1, 20, "s forward"},
	[FAULT_WALL_CLOCK] = {"wall-clock", 3, 0, 0, -20, 20, "s"},
	[FAULT_RELOAD] = {"reload", 3, 0, 0, 0, 0, NULL},
	[FAULT_UPGRADE] = {"upgrade", 3, 0, 0, 0, 0, NULL},
	[FAULT_DRAIN] = {"drain", 2, 0, 1000, 0, 0, NULL},
	[FAULT_STOP] = {"stop", 2, 0, 1000, 0, 0, NULL},
};

const char *fault_name(enum fault_kind kind)
{
	return rows[kind].name;
}

static bool choose_one(struct plan *p, const char *name, size_t len)
{
	bool on = *name != '-';
	name += !on;
	len -= !on;
	bool found = false;
	for (int k = 0; k < FAULTS; k++) {
		if (strlen(rows[k].name) == len && memcmp(rows[k].name, name, len) == 0) {
			p->kind[k] = on;
			found = true;
		}
	}
	if (found)
		return true;
	bool all = len == 3 && memcmp(name, "all", 3) == 0, none = len == 4 && memcmp(name, "none", 4) == 0;
	for (int k = 0; k < FAULTS && (all || none); k++)
		p->kind[k] = all;
	return all || none;
}

bool plan_choose(struct plan *p, const char *list)
{
	/* "-kind" alone is all but that. */
	memset(p->kind, *list == '-', sizeof(p->kind));
	while (*list != '\0') {
		size_t len = strcspn(list, ",");
		if (!choose_one(p, list, len))
			return false;
		list += len + (list[len] == ',');
	}
	return true;
}

static enum fault_kind draw_kind(const struct plan *p, struct rng *rng)
{
	unsigned sum = 0, k;
	for (k = 0; k < FAULTS; k++)
		sum += p->kind[k] ? rows[k].weight : 0;
	if (sum == 0)
		return FAULTS;
	unsigned at = rng_below(rng, sum);
	for (k = 0; k < FAULTS; k++) {
		unsigned weight = p->kind[k] ? rows[k].weight : 0;
		if (at < weight)
			break;
		at -= weight;
	}
	return k;
}

static bool is_chosen(const struct plan *p, unsigned round, unsigned number)
{
	char name[32];
	if (p->only == NULL)
		return true;
	size_t n = (size_t)snprintf(name, sizeof(name), "%u.%u", round, number);
	for (const char *at = p->only; *at != '\0';) {
		size_t len = strcspn(at, ",");
		if (len == n && memcmp(at, name, n) == 0)
			return true;
		at += len + (at[len] == ',');
	}
	return false;
}

unsigned plan_last_round(const struct plan *p)
{
	unsigned last = 0;
	for (const char *at = p->only; at != NULL && *at != '\0';) {
		unsigned round = (unsigned)strtoul(at, NULL, 10);
		last = round > last ? round : last;
		at += strcspn(at, ",");
		at += *at == ',';
	}
	return last;
}

unsigned plan_round(const struct plan *p, unsigned round, struct plan_fault out[ROUND_FAULTS_MAX])
{
	struct rng rng = rng_make(p->seed, UINT64_C(0x100000) + round);
	unsigned dice = rng_below(&rng, 100), count = dice < 65 ? 1 : dice < 90 ? 2 : ROUND_FAULTS_MAX, kept = 0;
	int at = 0;
	for (unsigned i = 0; i < count; i++) {
		struct plan_fault f = {.round = round, .number = i, .at_ms = at};
		f.kind = draw_kind(p, &rng);
		if (f.kind == FAULTS)
			return 0;
		const struct fault_row *row = &rows[f.kind];
		f.last_ms = rng_between(&rng, row->last_min_ms, row->last_max_ms);
		f.amount = rng_between(&rng, row->amount_min, row->amount_max);
		f.node = rng_below(&rng, p->nodes);
		f.which = rng_below(&rng, 1000);
		/* A lost COMMIT is followed by as long a silence as by none. */
		if (f.kind == FAULT_COMMIT_LOST && rng_percent(&rng, 40))
			f.amount = 0;
		at += rng_between(&rng, 0, 1200);
		if (is_chosen(p, round, i))
			out[kept++] = f;
	}
	return kept;
}

void plan_describe(const struct plan_fault *f, char *out, size_t size)
{
	const struct fault_row *row = &rows[f->kind];
	int n = snprintf(out, size, "%u.%u %s (n%u) at %d ms", f->round, f->number, row->name, f->node + 1, f->at_ms);
	if (row->last_max_ms > 0 && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, " for %d ms", f->last_ms);
	if (row->amount_is != NULL && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, ", %d %s", f->amount, row->amount_is);
}
