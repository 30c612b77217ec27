/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory in which a worker has written whatever it likes, and the master, which may be root, calling everything
 * that it ever calls. Every word of the mapping is written, with patterns that are lengths, indices, counts and strings
 * at their worst, and with noise.
 */
#include "core/base.h"
#include "hub/figures.h"

#include "core/json.h"
#include "hub/addresses.h"
#include "hub/hub_layout.h"
#include "hub/presence.h"
#include "hub/stats.h"
#include "proc/master_priv.h"
#include "proc/status.h"
#include "../hub/child.h"
#include "../tap.h"

#include <stddef.h>

enum { WORKERS = 4, SESSIONS = 500 };

/* Children of ours, and one of nobody's: neither may be hurt by a number that was made up. */
static pid_t bystander;

static void NORETURN wait_for_ever(void)
{
	for (;;)
		pause();
}

static void start_worker(struct hub *h, unsigned slot, pid_t pid)
{
	struct worker_row *row = hub_master_begin(h, slot);
	row->pid = pid;
	row->generation++;
	row->state = WORKER_STARTING;
	row->passed = 7;
	hub_master_end(h, slot);
}

static void fill(struct hub *h, unsigned pattern, unsigned seed)
{
	static const unsigned char bytes[] = {0xff, 0x7f, 0x80, 0x01, 'A'};
	unsigned char *at = (unsigned char *)h->shared;
	if (pattern < ARRAY_LEN(bytes)) {
		memset(at, bytes[pattern], h->bytes);
		return;
	}
	srandom(seed);
	for (uint64_t i = 0; i < h->bytes; i++)
		at[i] = (unsigned char)random();
	/* Pids of others, where an owner or a pid would be. */
	if (seed % 2 == 0)
		for (uint64_t i = 0; i + 4 <= h->bytes; i += 64)
			memcpy(at + i, &bystander, sizeof(bystander));
}

/* The next word of all rows that says how far something goes. */
static void forge_lengths(struct hub *h, uint32_t value)
{
	for (unsigned i = 0; i < PRESENCE_SHARDS; i++) {
		struct presence_shard *shard = (struct presence_shard *)hub_at(h, h->shards_at) + i;
		shard->fresh = value;
		shard->free = value;
	}
}

/* Figures that pass for the present process' own. */
static void forge_generations(struct hub *h)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct hub_half *half = &((struct hub_row *)hub_at(h, h->rows_at) + i)->worker;
		struct worker_half w;
		uint64_t word = atomic_load(&half->word[0]);
		_Static_assert(offsetof(struct worker_half, generation) == 0, "the first word has it");
		memcpy(&w, &word, sizeof(word));
		w.generation = 1;
		memcpy(&word, &w, sizeof(word));
		atomic_store(&half->word[0], word);
	}
}

static bool is_terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

/* All rows end, and there are no more than there is room for. */
static bool list_is_sane(struct hub *h, const char *user_id)
{
	struct presence_row row[16];
	uint32_t cursor = 0;
	size_t sum = 0, most = (size_t)h->slots_per_shard * PRESENCE_SHARDS;
	do {
		size_t n = presence_list(h, user_id, &cursor, row, ARRAY_LEN(row));
		for (size_t i = 0; i < n; i++)
			if (!is_terminated(row[i].user_id, sizeof(row[i].user_id)) ||
			    !is_terminated(row[i].session_id, sizeof(row[i].session_id)) ||
			    !is_terminated(row[i].device, sizeof(row[i].device)) || row[i].worker >= WORKERS)
				return false;
		sum += n;
	} while (cursor != 0 && sum <= most);
	return sum <= most;
}

static bool rows_are_own(struct hub *h)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker_row row;
		hub_worker_read(h, i, &row);
		if (row.pid != (pid_t)(100 + i) || row.generation != 1 || row.passed != 7 || row.state < WORKER_FREE ||
		    row.state > WORKER_DRAINING)
			return false;
	}
	return true;
}

static bool json_is_whole(const struct master *m)
{
	struct json_out *o = json_out_new();
	struct json_doc *doc = json_doc_new();
	struct buf text = {0};
	const char *reason;
	json_begin(o, &text);
	json_object(o);
	status_put(m, o);
	figures_put_processes(m->hub, o);
	status_put_sessions(m, NULL, o);
	json_object_end(o);
	bool whole = json_parse(doc, (struct str){text.data, text.len}, &reason) != NULL;
	if (!whole)
		printf("# %s\n", reason);
	buf_fini(&text);
	json_doc_free(&doc);
	json_out_free(&o);
	return whole;
}

static void call_everything(struct hub *h, const char *what)
{
	struct conf conf = {.node_id = (char *)"test"};
	struct master m = {.conf = &conf, .hub = h, .slots = WORKERS, .phase = MASTER_SERVING, .started_ms = 1};
	ok(rows_are_own(h), "%s: the master's own fields are what it has written", what);
	(void)presence_total(h);
	ok(list_is_sane(h, NULL) && list_is_sane(h, "alice"), "%s: lists end, and so do their strings", what);
	ok(presence_count(h, "alice") <= h->slots_per_shard, "%s: a count is within bounds", what);
	ok(json_is_whole(&m), "%s: what tidingsctl gets is JSON", what);
	(void)addresses_count(h, "192.0.2.1");
	(void)hub_is_leaving(h);
	hub_set_leaving(h);
	for (unsigned i = 0; i < WORKERS; i++)
		hub_worker_forget(h, i);
	for (unsigned i = 0; i < WORKERS; i++)
		start_worker(h, i, (pid_t)(100 + i));
}

static void test_patterns(struct hub *h)
{
	enum { NOISES = 30 };
	char what[64];
	for (unsigned pattern = 0; pattern < 5 + NOISES; pattern++) {
		for (unsigned i = 0; i < WORKERS; i++) {
			h->masters[i] = (struct master_half){0};
			start_worker(h, i, (pid_t)(100 + i));
		}
		fill(h, pattern, pattern);
		snprintf(what, sizeof(what), "pattern %u", pattern);
		call_everything(h, what);
		for (unsigned i = 0; i < WORKERS; i++) {
			h->masters[i] = (struct master_half){0};
			start_worker(h, i, (pid_t)(100 + i));
		}
		fill(h, pattern, pattern);
		forge_generations(h);
		call_everything(h, what);
		/* Row by row, with a table of which only the lengths are forged. */
		fill(h, 3, 0);
		forge_lengths(h, UINT32_MAX - pattern);
		ok(list_is_sane(h, NULL), "%s: forged lengths", what);
		hub_worker_forget(h, 0);
	}
}

/* The master never waits for what a worker can hold for ever. */
static void test_locks(struct hub *h)
{
	fill(h, 0, 0);
	int64_t start = now_ns();
	for (unsigned i = 0; i < WORKERS; i++)
		hub_worker_forget(h, i);
	(void)presence_count(h, "alice");
	ok(now_ns() - start < INT64_C(1000000000) * 60, "no lock holds the master up");
}

static void take_lock(struct hub *h, unsigned slot)
{
	struct presence_row row = {.worker = (uint16_t)slot, .user_id = "alice"};
	id_session_make(row.session_id, 1, "origin-A", 1);
	if (freopen("/dev/null", "w", stderr) == NULL || presence_add(h, &row) >= 0)
		_exit(0);
}

int main(void)
{
	become_nobody();
	struct hub *h = hub_for_test(WORKERS, SESSIONS, 10);
	bystander = fork();
	if (bystander == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_for_ever();
	}
	hub_guard(h);
	int status = child_wait(child_start(take_lock, h, 0));
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "a lock in the master is an assertion");
	test_patterns(h);
	test_locks(h);
	is_int(waitpid(bystander, NULL, WNOHANG), 0, "and nobody whose number stood there was killed");
	child_kill(bystander);
	hub_free(&h);
	return done_testing();
}
