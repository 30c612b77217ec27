/* SPDX-License-Identifier: BSD-2-Clause */
/* The scoreboard: whose fields are whose, copies that are whole, and writers that die in the middle. */
#include "core/base.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "core/clock.h"
#include "hub/addresses.h"
#include "hub/hub_layout.h"
#include "../tap.h"

static void test_sizes(void)
{
	const char *err = NULL;
	ok(hub_new(&(struct hub_size){0, 1, 1}, &err) == NULL && err != NULL,
	   "no worker slots: refused, with a reason");
	err = NULL;
	ok(hub_new(&(struct hub_size){1, UINT32_MAX, 1}, &err) == NULL && err != NULL, "too many sessions: refused");
	struct hub *h = hub_for_test(3, 10, 10);
	is_int(hub_worker_slots(h), 3, "as many slots as asked for");
	hub_free(&h);
	ok(h == NULL, "freed");
	hub_free(&h);
	is_str(worker_state_name(WORKER_DRAINING), "draining", "a state has a name");
}

static size_t resident(const struct hub *h)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (h->bytes + page - 1) / page, count = 0;
	unsigned char *is_in = calloc(pages, 1);
	if (mincore(h->shared, h->bytes, is_in) != 0)
		perror("# mincore");
	for (size_t i = 0; i < pages; i++)
		count += is_in[i] & 1;
	free(is_in);
	return count;
}

/* The master makes room for workers that a reload may add: it has to cost nothing until they come. */
static void test_memory(void)
{
	enum { FEW = 100 };
	struct hub *h = hub_for_test(8, HUB_SESSIONS_MAX, 1u << 16);
	size_t fresh = resident(h), used;
	ok(fresh < 64, "the largest table takes %zu pages while it is empty", fresh);
	for (unsigned i = 0; i < FEW; i++) {
		struct presence_row row = {.worker = 1};
		snprintf(row.user_id, sizeof(row.user_id), "user %u", i);
		id_session_make(row.session_id, 1, "origin-A", i);
		if (presence_add(h, &row) < 0 || addresses_enter(h, 1, row.user_id, 1) != ADDRESSES_COUNTED)
			printf("# no room\n");
	}
	used = resident(h);
	ok(used > fresh && used - fresh <= 4 * FEW, "%d sessions take %zu more", FEW, used - fresh);
	hub_free(&h);
}

static void start_slot(struct hub *h, unsigned slot, pid_t pid)
{
	struct worker_row *row = hub_master_begin(h, slot);
	row->pid = pid;
	row->generation++;
	row->state = WORKER_STARTING;
	row->passed = 0;
	hub_master_end(h, slot);
}

static void say_ready(struct hub *h, unsigned slot)
{
	struct worker_row *row = hub_worker_begin(h, slot);
	row->state = WORKER_READY;
	row->connections = 7;
	row->alive_ms = 1234;
	row->database_up = true;
	hub_worker_end(h, slot);
}

static void test_halves(void)
{
	struct hub *h = hub_for_test(2, 10, 10);
	struct worker_row row;
	hub_worker_read(h, 1, &row);
	is_int(row.state, WORKER_FREE, "a new slot is free");

	start_slot(h, 1, 4711);
	child_wait(child_start(say_ready, h, 1));
	hub_worker_read(h, 1, &row);
	ok(row.pid == 4711 && row.state == WORKER_READY && row.connections == 7 && row.alive_ms == 1234 &&
		   row.database_up && !row.redis_up,
	   "a reader sees both halves as one row");
	hub_master_begin(h, 1)->passed = 99;
	hub_master_end(h, 1);
	hub_worker_read(h, 1, &row);
	ok(row.passed == 99 && row.state == WORKER_READY && row.connections == 7,
	   "the master's write leaves the worker's fields");

	hub_worker_forget(h, 1);
	hub_worker_read(h, 1, &row);
	ok(row.state == WORKER_FREE && row.pid == 0 && row.connections == 0 && row.generation == 1,
	   "forgotten: free, the generation stays");
	start_slot(h, 1, 4712);
	hub_worker_read(h, 1, &row);
	ok(row.state == WORKER_STARTING && row.alive_ms == 0 && row.generation == 2, "a successor starts from zero");
	hub_worker_read(h, 0, &row);
	is_int(row.generation, 0, "the other slot was not touched");
	hub_free(&h);
}

static void touch_foreign_field(struct hub *h, unsigned slot)
{
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(0);
	hub_worker_begin(h, slot)->passed = 1;
	hub_worker_end(h, slot);
}

static void test_foreign_field(void)
{
	struct hub *h = hub_for_test(1, 10, 10);
	int status = child_wait(child_start(touch_foreign_field, h, 0));
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	   "a worker that writes a field of the master's is caught");
	hub_free(&h);
}

/* Every field tells the same number, so that a mixed copy shows. */
static void write_for_ever(struct hub *h, unsigned slot)
{
	for (uint32_t i = 1;; i++) {
		struct worker_row *row = hub_worker_begin(h, slot);
		row->pending = row->connections = row->websockets = i;
		row->alive_ms = i;
		hub_worker_end(h, slot);
		/* Mostly it loses its processor here, as one does that has something else to do. */
		sched_yield();
	}
}

static bool is_whole(const struct worker_row *row)
{
	return row->pending == row->connections && row->pending == row->websockets &&
	       row->alive_ms == (int64_t)row->pending;
}

static void test_whole_copies(void)
{
	struct hub *h = hub_for_test(1, 10, 10);
	enum { READS = 200000 };
	unsigned mixed = 0, changes = 0;
	uint64_t last = 0;
	start_slot(h, 0, 1);
	pid_t pid = child_start(write_for_ever, h, 0);
	int64_t give_up = now_ns() + INT64_C(20000000000);
	for (unsigned i = 0; i < READS || (changes < 100 && now_ns() < give_up); i++) {
		struct worker_row row;
		hub_worker_read(h, 0, &row);
		mixed += !is_whole(&row);
		changes += row.pending != last;
		last = row.pending;
	}
	child_kill(pid);
	is_int(mixed, 0, "no copy is mixed while its writer writes on");
	ok(changes >= 100, "and it did write (%u changes seen)", changes);
	hub_free(&h);
}

static void test_death_within(void)
{
	struct hub *h = hub_for_test(1, 10, 10);
	struct hub_half *half = &((struct hub_row *)hub_at(h, h->rows_at))->worker;
	struct worker_row row;
	start_slot(h, 0, 1);
	say_ready(h, 0);
	atomic_fetch_add(&half->change, 1);
	hub_worker_read(h, 0, &row);
	ok(true, "a reader of a row whose writer died within comes back");
	hub_worker_forget(h, 0);
	is_int(atomic_load(&half->change) % 2, 0, "forgetting ends the write");
	start_slot(h, 0, 2);
	say_ready(h, 0);
	hub_worker_read(h, 0, &row);
	ok(row.state == WORKER_READY && row.connections == 7, "the successor's writes are seen");

	bool whole = true;
	for (int i = 0; i < 100; i++) {
		start_slot(h, 0, 3 + i);
		pid_t pid = child_start(write_for_ever, h, 0);
		short_while(1000);
		child_kill(pid);
		hub_worker_forget(h, 0);
		hub_worker_read(h, 0, &row);
		whole = whole && row.state == WORKER_FREE && is_whole(&row) && atomic_load(&half->change) % 2 == 0;
	}
	ok(whole, "100 writers killed at random points leave whole rows");
	hub_free(&h);
}

static void shift_clock(struct hub *h, unsigned slot)
{
	atomic_store(hub_clock_shift(h), 60000);
}

static void test_clock_shift(void)
{
	struct hub *h = hub_for_test(1, 10, 10);
	is_int(atomic_load(hub_clock_shift(h)), 0, "clocks are not shifted at first");
	child_wait(child_start(shift_clock, h, 0));
	is_int(atomic_load(hub_clock_shift(h)), 60000, "a shift by one process is every one's");
	hub_free(&h);
}

static void measure(void)
{
	struct hub *h = hub_for_test(4, 10, 10);
	enum { ROUNDS = 200000 };
	struct worker_row row;
	int64_t start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		hub_worker_read(h, 2, &row);
	int64_t read = now_ns() - start;
	start = now_ns();
	for (int i = 0; i < ROUNDS; i++) {
		hub_worker_begin(h, 2)->connections++;
		hub_worker_end(h, 2);
	}
	printf("# read a row %.1f ns, change it %.1f ns\n", (double)read / ROUNDS, (double)(now_ns() - start) / ROUNDS);
	hub_free(&h);
}

int main(void)
{
	test_sizes();
	test_memory();
	test_halves();
	test_foreign_field();
	test_whole_copies();
	test_death_within();
	test_clock_shift();
	measure();
	return done_testing();
}
