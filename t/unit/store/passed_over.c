/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that operations which cannot be carried out yet hold up nobody else: hundreds of deletions in one
 * conversation, of which a batch does one, and hundreds of reads of one that somebody else has locked. All in one
 * process, so that what is done before what is the lane's order and not chance.
 */
#include "core/base.h"
#include "store/store.h"

#include "one_store.h"

enum { MANY = 200 };

static void test_deletions(void)
{
	static struct change_answer deleted[MANY];
	static uint64_t id[MANY];
	struct sent_answer other;
	struct change_answer recalled;
	for (int i = 0; i < MANY; i++)
		id[i] = do_text(s, "a", "b", "x", NULL).m.id;
	uint64_t newest = do_text(s, "a", "b", "x", NULL).m.id;
	do_text(s, "c", "d", "x", NULL);
	for (int i = 0; i < MANY; i++)
		ask_change(ACT_DELETE, s, "b", id[i], &deleted[i]);
	ask_change(ACT_RECALL, s, "a", newest, &recalled);
	ask_send(s, text_to("c", "d", "y", NULL), &other);
	wait_for(&other.done);
	int before = 0, wrong = 0, early = 0;
	for (int i = 0; i < MANY; i++)
		before += deleted[i].done;
	is_int(other.status, STORE_OK, "a send elsewhere is done");
	ok(before < 10, "after %d of %d deletions that were asked for before it", before, MANY);
	for (int i = 0; i < MANY; i++) {
		wait_for(&deleted[i].done);
		wrong += deleted[i].status != STORE_OK || !deleted[i].changed;
		early += i > 0 && deleted[i].change_seq != deleted[i - 1].change_seq + 1;
	}
	is_int(wrong, 0, "all of which are done");
	is_int(early, 0, "in the order in which they were asked for");
	wait_for(&recalled.done);
	ok(recalled.status == STORE_OK && recalled.change_seq == MANY + 1,
	   "and what came after them in the conversation");
	is_int(db_wrong(), 0, "all counters are right");
}

static void test_locked(void)
{
	static struct read_answer read[MANY];
	struct sent_answer other;
	uint64_t id = message_id_conversation(do_text(s, "e", "f", "x", NULL).m.id);
	db_sql("START TRANSACTION;SELECT id FROM conversations WHERE id=%llu FOR UPDATE", (unsigned long long)id);
	/* The first one finds the lock, which takes a second. */
	ask_read(s, "f", id, UINT64_MAX, &read[0]);
	ask_send(s, text_to("c", "d", "y", NULL), &other);
	wait_for(&other.done);
	for (int i = 1; i < MANY; i++)
		ask_read(s, "f", id, UINT64_MAX, &read[i]);
	for (int i = 0; i < 5; i++) {
		other = do_text(s, "c", "d", "y", NULL);
		is_int(other.status, STORE_OK, "a send elsewhere is done");
	}
	int done = 0, wrong = 0;
	for (int i = 1; i < MANY; i++)
		done += read[i].done;
	is_int(done, 0, "while %d reads of a conversation wait for its lock", MANY - 1);
	db_sql("COMMIT");
	for (int i = 1; i < MANY; i++) {
		wait_for(&read[i].done);
		wrong += read[i].r.status != STORE_OK || read[i].r.read_seq != 1;
	}
	is_int(wrong, 0, "which are done once it is free");
	is_int(db_wrong(), 0, "all counters are right");
}

int main(void)
{
	one_store_begin(NULL);
	db_befriend("a", "b");
	db_befriend("c", "d");
	db_befriend("e", "f");
	test_deletions();
	test_locked();
	return one_store_end();
}
