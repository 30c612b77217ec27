/* SPDX-License-Identifier: BSD-2-Clause */
/* The presence table: adding, finding, listing, being full, and workers that are killed anywhere within. */
#include "core/base.h"

#include "child.h"
#include "hub/hub_layout.h"
#include "../tap.h"

static struct presence_row row_for(const char *user, unsigned worker)
{
	struct presence_row row = {.worker = (uint16_t)worker, .address = IN6ADDR_LOOPBACK_INIT};
	snprintf(row.user_id, sizeof(row.user_id), "%s", user);
	id_session_make(row.session_id, 1794538881123, "origin-A", (uint32_t)strlen(user) << 8 | (uint8_t)user[0]);
	snprintf(row.device, sizeof(row.device), "web");
	return row;
}

static int32_t add(struct hub *h, const char *user, unsigned worker)
{
	struct presence_row row = row_for(user, worker);
	return presence_add(h, &row);
}

static uint32_t used(struct hub *h)
{
	return presence_total(h);
}

/* Rows that a walk over the whole table finds, in pages of seven. */
static uint32_t walk(struct hub *h, int worker)
{
	struct presence_row page[7];
	uint32_t cursor = 0, count = 0;
	do {
		size_t n = presence_list(h, NULL, &cursor, page, ARRAY_LEN(page));
		for (size_t i = 0; i < n; i++)
			count += worker < 0 || page[i].worker == worker;
	} while (cursor != 0);
	return count;
}

static void test_rows(void)
{
	struct hub *h = hub_for_test(4, 1000, 10);
	struct presence_row out[8];
	uint32_t cursor = 0;
	is_int(presence_count(h, "alice"), 0, "nobody is there");
	int32_t a1 = add(h, "alice", 1), a2 = add(h, "alice", 2), b = add(h, "bob", 3);
	ok(a1 >= 0 && a2 >= 0 && b >= 0 && a1 != a2, "three sessions");
	is_int(presence_count(h, "alice"), 2, "two of them alice's");
	is_int(presence_list(h, "bob", &cursor, out, ARRAY_LEN(out)), 1, "one bob's");
	ok(cursor == 0 && strcmp(out[0].user_id, "bob") == 0 &&
		   strcmp(out[0].session_id, row_for("bob", 3).session_id) == 0 && strcmp(out[0].device, "web") == 0 &&
		   IN6_IS_ADDR_LOOPBACK(&out[0].address) && out[0].worker == 3,
	   "with all that was said of it");
	is_int(presence_list(h, "alice", &cursor, out, 1), 1, "a list in pages: the first");
	ok(cursor != 0, "tells that there is more");
	is_int(presence_list(h, "alice", &cursor, out + 1, 1), 1, "the second");
	ok(cursor == 0 && out[0].worker != out[1].worker, "is the other one, and the last");
	is_int(walk(h, -1), 3, "a walk over all finds three");
	is_int(used(h), 3, "and three are counted");
	presence_remove(h, a1);
	presence_remove(h, a1);
	presence_remove(h, -1);
	ok(presence_count(h, "alice") == 1 && used(h) == 2, "one removed; again, and none: nothing");
	hub_worker_forget(h, 2);
	ok(presence_count(h, "alice") == 0 && presence_count(h, "bob") == 1,
	   "a dead worker's rows are gone, others not");

	struct presence_row wild;
	memset(&wild, 'x', sizeof(wild));
	id_session_make(wild.session_id, 1, "origin-A", 1);
	wild.worker = 0;
	int32_t w = presence_add(h, &wild);
	cursor = 0;
	size_t n = 0;
	do {
		n = presence_list(h, NULL, &cursor, out, 1);
	} while (n == 1 && out[0].worker != 0 && cursor != 0);
	ok(w >= 0 && strlen(out[0].user_id) == USER_ID_MAX && strlen(out[0].session_id) == SESSION_ID_LEN &&
		   strlen(out[0].device) == DEVICE_MAX,
	   "strings are cut to fit");
	hub_free(&h);
}

static bool same(const struct presence_row *a, const struct presence_row *b)
{
	return strcmp(a->user_id, b->user_id) == 0 && strcmp(a->session_id, b->session_id) == 0 &&
	       strcmp(a->device, b->device) == 0 && memcmp(&a->address, &b->address, sizeof(a->address)) == 0 &&
	       a->worker == b->worker;
}

/* Ids and devices of all lengths, with an address of either kind: what does not fit a slot has a second one. */
static void test_lengths(void)
{
	enum { ROWS = USER_ID_MAX * (DEVICE_MAX + 1) * 2 };
	static int32_t handle[ROWS];
	struct hub *h = hub_for_test(2, ROWS, 10);
	struct presence_row row = {.worker = 1}, out[2];
	unsigned wrong = 0;
	id_session_make(row.session_id, 1794538881123, "_-Az09zZ", 0xfffff);
	for (int round = 0; round < 2; round++) {
		int n = 0;
		for (int len = 1; len <= USER_ID_MAX; len++)
			for (int device = 0; device <= DEVICE_MAX; device++)
				for (int v4 = 0; v4 < 2; v4++, n++) {
					char user[USER_ID_MAX + 1];
					memset(user, 'u', sizeof(user));
					memset(row.device, 0, sizeof(row.device));
					memset(row.device, 'd', (size_t)device);
					memset(row.user_id, 0, sizeof(row.user_id));
					snprintf(row.user_id, sizeof(row.user_id), "%.*s", len, user);
					if (len >= 4)
						memcpy(row.user_id, (char[]){(char)('A' + device), v4 ? '4' : '6'}, 2);
					memset(&row.address, v4 ? 0 : 0x20, sizeof(row.address));
					if (v4)
						memset(row.address.s6_addr + 10, 0xff, 4);
					handle[n] = presence_add(h, &row);
					uint32_t cursor = 0;
					size_t found = presence_list(h, row.user_id, &cursor, out, len >= 4 ? 2 : 1);
					wrong += handle[n] < 0 || (len >= 4 && (found != 1 || !same(&out[0], &row) ||
										presence_count(h, row.user_id) != 1));
				}
		ok(wrong == 0 && used(h) == ROWS && walk(h, 1) == ROWS, "rows of all lengths come back as they were");
		if (round == 0)
			for (int i = 0; i < ROWS; i++)
				presence_remove(h, handle[i]);
		else
			hub_worker_forget(h, 1);
		ok(used(h) == 0 && walk(h, -1) == 0, "and go");
	}
	hub_free(&h);
}

/* Another process may write anything into a row. A reader of such a row never leaves the table. */
static void test_nonsense(void)
{
	struct hub *h = hub_for_test(2, 100, 10);
	struct presence_row row = row_for("alice", 1), out[2];
	uint32_t cursor = 0;
	memset(row.user_id, 'l', USER_ID_MAX);
	int32_t handle = presence_add(h, &row);
	struct presence_slot *slot = (struct presence_slot *)hub_at(h, h->slots_at) + handle;
	struct presence_slot whole = *slot;
	ok(slot->has_second, "a long id takes two slots");
	memset(slot->bytes, 0xff, sizeof(slot->bytes));
	is_int(presence_list(h, NULL, &cursor, out, 2), 0, "a second slot beyond the table is no row");
	*slot = whole;
	slot->user_len = 127;
	is_int(presence_list(h, NULL, &cursor, out, 2), 0, "nor is an id that is too long");
	*slot = whole;
	slot->has_second = 0;
	is_int(presence_list(h, NULL, &cursor, out, 2), 0, "nor more bytes than a slot holds");
	*slot = whole;
	slot->user_len = 1;
	slot->device_len = 0;
	is_int(presence_list(h, NULL, &cursor, out, 2), 0, "nor a second slot that is not needed");
	*slot = whole;
	is_int(presence_list(h, NULL, &cursor, out, 2), 1, "the row is, as it was");
	presence_remove(h, handle);
	hub_free(&h);
}

static void test_full(void)
{
	enum { SIZE = 5000 };
	static int32_t handle[SIZE];
	struct hub *h = hub_for_test(2, SIZE, 10);
	char user[32];
	unsigned refused = 0;
	for (int i = 0; i < SIZE; i++) {
		snprintf(user, sizeof(user), "user-%d", i);
		handle[i] = add(h, user, (unsigned)i % 2);
		refused += handle[i] < 0;
	}
	is_int(refused, 0, "as many sessions as it was made for");
	ok(add(h, "one-more", 0) == -1, "and not one more");
	is_int(walk(h, -1), SIZE, "all are told");
	presence_remove(h, handle[17]);
	handle[17] = add(h, "one-more", 0);
	ok(handle[17] >= 0 && presence_count(h, "one-more") == 1, "a place that was freed is taken again");
	for (int i = 0; i < SIZE; i++)
		presence_remove(h, handle[i]);
	ok(used(h) == 0 && walk(h, -1) == 0, "removed one by one, nothing is left");
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < SIZE; i++) {
			snprintf(user, sizeof(user), "round-%d-%d", round, i);
			refused += add(h, user, 1) < 0;
		}
		hub_worker_forget(h, 1);
	}
	ok(refused == 0 && used(h) == 0, "filled and forgotten again and again, no place is lost");
	hub_free(&h);
}

/* Dies under the lock of alice's shard, with what it guards in ruins. */
static void die_within(struct hub *h, unsigned slot)
{
	(void)slot;
	for (unsigned i = 0; i < PRESENCE_SHARDS; i++) {
		struct presence_shard *shard = (struct presence_shard *)hub_at(h, h->shards_at) + i;
		pthread_mutex_lock(&shard->lock.mutex);
		memset((uint32_t *)hub_at(h, h->heads_at) + (size_t)i * h->heads_per_shard, 0xee,
		       h->heads_per_shard * sizeof(uint32_t));
		shard->free = 0xeeeeeeee;
		((uint32_t *)hub_at(h, h->used_at))[i] += 3;
		struct presence_slot *slots = hub_at(h, h->slots_at);
		for (uint32_t s = 0; s < shard->fresh; s++)
			if ((slots[i * h->slots_per_shard + s].owner & PRESENCE_SECOND) == 0)
				slots[i * h->slots_per_shard + s].next = 0xeeeeeeee;
	}
	kill(getpid(), SIGKILL);
}

/* Every third name is long. */
static void name_user(char out[USER_ID_MAX + 1], long i)
{
	snprintf(out, USER_ID_MAX + 1, "user-%ld%s", i,
		 i % 3 == 0 ? ".1b4e28ba-2fa1-11d2-883f-0016d3cca427@example" : "");
}

static void test_repair(void)
{
	struct hub *h = hub_for_test(4, 1000, 10);
	char user[USER_ID_MAX + 1];
	int32_t handle[500];
	unsigned wrong = 0;
	for (int i = 0; i < 500; i++) {
		name_user(user, i);
		handle[i] = add(h, user, (unsigned)i % 4);
	}
	for (int i = 0; i < 500; i += 5)
		presence_remove(h, handle[i]);
	child_wait(child_start(die_within, h, 3));
	for (int i = 0; i < 500; i++) {
		name_user(user, i);
		wrong += presence_count(h, user) != (i % 5 != 0);
	}
	/* By chance a shard may be nobody's of these; somebody comes to each of them. */
	for (int i = 0; i < 4000; i++) {
		snprintf(user, sizeof(user), "other-%d", i);
		wrong += presence_count(h, user) != 0;
	}
	is_int(wrong, 0, "all shards in ruins are repaired by who comes next");
	is_int(walk(h, -1), 400, "no row is lost or made up");
	is_int(used(h), 400, "the count is right again");
	for (int i = 0; i < 600; i++) {
		snprintf(user, sizeof(user), "new-%d", i);
		wrong += add(h, user, 0) < 0;
	}
	ok(wrong == 0 && add(h, "over", 0) == -1, "every free place is found again");
	hub_free(&h);
}

/* Twice the places that are ever taken: the count that says "full" may waver while others come and go. */
enum { VICTIMS = 3, KEEP = 20, PLACES = 2 * (VICTIMS + 1) * KEEP };

static void come_and_go(struct hub *h, unsigned slot)
{
	int32_t handle[KEEP];
	char user[USER_ID_MAX + 1];
	srandom((unsigned)getpid());
	memset(handle, 0xff, sizeof(handle));
	for (unsigned n = 0;; n++) {
		unsigned i = (unsigned)random() % KEEP;
		presence_remove(h, handle[i]);
		name_user(user, random() % 100);
		handle[i] = add(h, user, slot);
		(void)presence_count(h, user);
	}
}

/* Counts a full round of its own as one connection: the proof that nobody hangs it. */
static void live_on(struct hub *h, unsigned slot)
{
	for (;;) {
		int32_t handle[KEEP];
		char user[32];
		for (int i = 0; i < KEEP; i++) {
			snprintf(user, sizeof(user), "own-%d", i);
			handle[i] = add(h, user, slot);
			if (handle[i] < 0 || presence_count(h, user) != 1)
				_exit(1);
		}
		for (int i = 0; i < KEEP; i++)
			presence_remove(h, handle[i]);
		hub_worker_begin(h, slot)->connections++;
		hub_worker_end(h, slot);
	}
}

static void test_kills(void)
{
	enum { KILLS = 300 };
	struct hub *h = hub_for_test(VICTIMS + 1, PLACES, 10);
	pid_t victim[VICTIMS];
	unsigned left = 0, rounds_before = 0, stalls = 0;
	struct worker_row row;
	hub_master_begin(h, VICTIMS)->state = WORKER_STARTING;
	hub_master_end(h, VICTIMS);
	pid_t survivor = child_start(live_on, h, VICTIMS);
	for (unsigned i = 0; i < VICTIMS; i++)
		victim[i] = child_start(come_and_go, h, i);
	for (int i = 0; i < KILLS; i++) {
		unsigned v = (unsigned)random() % VICTIMS;
		short_while(2000);
		child_kill(victim[v]);
		hub_worker_forget(h, v);
		left += walk(h, (int)v);
		victim[v] = child_start(come_and_go, h, v);
		if (i % 50 == 49) {
			int64_t give_up = now_ns() + INT64_C(10000000000);
			do {
				hub_worker_read(h, VICTIMS, &row);
				usleep(100);
			} while (row.connections == rounds_before && now_ns() < give_up);
			stalls += row.connections == rounds_before;
			rounds_before = row.connections;
		}
	}
	is_int(left, 0, "%d workers killed at random points left no row behind", KILLS);
	is_int(stalls, 0, "while another one went on (%u rounds)", rounds_before);
	is_int(waitpid(survivor, NULL, WNOHANG), 0, "always found what it had put there");
	child_kill(survivor);
	for (unsigned i = 0; i < VICTIMS; i++)
		child_kill(victim[i]);
	for (unsigned i = 0; i <= VICTIMS; i++)
		hub_worker_forget(h, i);
	ok(used(h) == 0 && walk(h, -1) == 0, "in the end the table is empty");
	for (unsigned i = 0; i < PLACES; i++) {
		char user[32];
		snprintf(user, sizeof(user), "filler-%u", i);
		left += add(h, user, 0) < 0;
	}
	ok(left == 0 && add(h, "over", 0) == -1, "and no place was lost");
	hub_free(&h);
}

static void measure(void)
{
	enum { ROUNDS = 50000, PRESENT = 10000 };
	struct hub *h = hub_for_test(1, 65536, 10);
	char user[32];
	for (int i = 0; i < PRESENT; i++) {
		snprintf(user, sizeof(user), "user-%d", i);
		(void)add(h, user, 0);
	}
	struct presence_row row = row_for("alice@example.org", 0);
	int64_t start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		presence_remove(h, presence_add(h, &row));
	int64_t pair = now_ns() - start;
	start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		(void)presence_count(h, "user-77");
	int64_t count = now_ns() - start;
	start = now_ns();
	hub_worker_forget(h, 0);
	printf("# add and remove %.1f ns, count %.1f ns, forget a worker of %d sessions %.2f ms\n",
	       (double)pair / ROUNDS, (double)count / ROUNDS, PRESENT, (double)(now_ns() - start) / 1e6);
	hub_free(&h);
}

int main(void)
{
	test_rows();
	test_lengths();
	test_nonsense();
	test_full();
	test_repair();
	test_kills();
	measure();
	return done_testing();
}
