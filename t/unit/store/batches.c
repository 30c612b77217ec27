/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sends come into one batch, and that what it adds to conversations is right in each of the ways to write it. */
#include "core/base.h"
#include "store/store.h"

#include "db.h"
#include "calls.h"
#include "../tap.h"

static struct store *s;
static unsigned batches;

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
}

/* Two sends at once, then one, and another one a few turns of the loop later. */
static bool later_ones_are_gathered(void)
{
	struct sent_answer a[4];
	for (int i = 0; i < 2; i++)
		ask_send(s, text_to("u1", "u2", "together", NULL), &a[i]);
	wait_for(&a[0].done);
	wait_for(&a[1].done);
	unsigned before = batches;
	ask_send(s, text_to("u1", "u2", "one", NULL), &a[2]);
	loop_running = true;
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	loop_running = false;
	ask_send(s, text_to("u2", "u1", "after the other", NULL), &a[3]);
	wait_for(&a[2].done);
	wait_for(&a[3].done);
	return batches - before == 1;
}

static void test_gathering(void)
{
	unsigned alone = batches, tries = 0;
	for (int i = 0; i < 5; i++)
		do_text(s, "u1", "u2", "alone", NULL);
	is_int(batches - alone, 5, "sends that wait for their answers are batches of their own");
	/* On a busy machine the few milliseconds may be over before the second one is there. */
	while (!later_ones_are_gathered() && tries < 200)
		tries++;
	ok(tries < 200, "after a batch of several, those that come one after the other are gathered");
}

/* What one batch adds to conversations is written in different ways; beside a read, too. */
static void test_shapes(bool beside_read, unsigned times)
{
	static const struct {
		const char *one, *other;
		unsigned from_one, from_other;
	} shape[] = {{"s1", "t1", 1, 0}, {"s2", "t2", 0, 1}, {"s3", "t3", 1, 1}, {"s4", "t4", 2, 0},
		     {"s5", "t5", 0, 2}, {"s6", "t6", 2, 1}, {"s7", "t7", 0, 3}};
	enum { SHAPES = ARRAY_LEN(shape), SENDS = 3 };
	static struct sent_answer a[SHAPES][SENDS];
	struct read_answer r;
	uint64_t id = do_text(s, "alice", "bob", "to be read", NULL).m.id;
	for (int i = 0; i < SHAPES && times == 1; i++) {
		db_befriend(shape[i].one, shape[i].other);
		do_text(s, shape[i].one, shape[i].other, "before", NULL);
	}
	unsigned before = batches;
	for (int i = 0; i < SHAPES; i++)
		for (unsigned n = 0; n < shape[i].from_one + shape[i].from_other; n++) {
			bool one = n < shape[i].from_one;
			struct store_send p = text_to(one ? shape[i].one : shape[i].other,
						      one ? shape[i].other : shape[i].one, "x", NULL);
			if (n == 1)
				p.extra = str_from("{}");
			ask_send(s, p, &a[i][n]);
		}
	if (beside_read) {
		ask_read(s, "bob", message_id_conversation(id), UINT64_MAX, &r);
		wait_for(&r.done);
	}
	for (int i = 0; i < SHAPES; i++)
		for (unsigned n = 0; n < shape[i].from_one + shape[i].from_other; n++)
			wait_for(&a[i][n].done);
	is_int(batches - before, 1, "all in one batch");
	for (int i = 0; i < SHAPES; i++) {
		unsigned n = times * (shape[i].from_one + shape[i].from_other);
		is_int(db_sql("SELECT COUNT(*) FROM conversations WHERE user1_id='%s' AND last_seq=%u AND "
			      "user1_unread=%u AND user2_unread=%u AND user1_last_id=(id<<28)+%u AND "
			      "user2_last_id=user1_last_id AND sort_time>=last_message_time AND last_message_time="
			      "(SELECT created_at FROM messages WHERE messages.id=user1_last_id)",
			      shape[i].one, n + 1, times * shape[i].from_other, times * shape[i].from_one + 1, n + 1),
		       1, "%u and %u messages of the two", shape[i].from_one, shape[i].from_other);
	}
}

static void ask_edit(uint64_t id, bool mentions, struct change_answer *a)
{
	static const struct str bob = STR_LIT("bob");
	const struct store_act e = {.act = ACT_EDIT,
				    .user = STR_LIT("alice"),
				    .id = id,
				    .content = mentions ? STR_LIT("with") : STR_LIT("without"),
				    .mention = &bob,
				    .mention_count = mentions};
	*a = (struct change_answer){0};
	store_act(s, &e, on_changed, a);
}

/* Of one message, at the same time: the rows of its mentions are those of the last one. */
static void test_edits(void)
{
	static const bool mentions[] = {true, false, true, false};
	struct change_answer a[ARRAY_LEN(mentions)];
	uint64_t id = do_text(s, "alice", "bob", "edited", NULL).m.id;
	for (unsigned round = 0; round < 2; round++) {
		unsigned wrong = 0;
		for (size_t i = 0; i < ARRAY_LEN(a); i++)
			ask_edit(id, mentions[i] != (round != 0), &a[i]);
		for (size_t i = 0; i < ARRAY_LEN(a); i++) {
			wait_for(&a[i].done);
			wrong += a[i].status != STORE_OK;
		}
		is_int(wrong, 0, "four edits of a message at once");
		is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE seq=%llu AND conversation_id=%llu",
			      (unsigned long long)message_id_seq(id), (unsigned long long)message_id_conversation(id)),
		       round, "it mentions whom the last one does");
	}
}

static void ask_recall(uint64_t id, struct change_answer *a)
{
	const struct store_act recall = {.act = ACT_RECALL, .user = STR_LIT("alice"), .id = id};
	*a = (struct change_answer){0};
	store_act(s, &recall, on_changed, a);
}

/* A message is recalled by the batch that merges it into another: before, or after. */
static void test_merging(bool recalls_first)
{
	char ids[64];
	struct sent_answer sent;
	struct change_answer recalled;
	uint64_t id = do_text(s, "alice", "bob", "merged", NULL).m.id,
		 next = do_text(s, "alice", "bob", "x", NULL).m.id;
	snprintf(ids, sizeof(ids), "%llu,%llu", (unsigned long long)id, (unsigned long long)next);
	const struct store_send p = {.from = STR_LIT("u1"),
				     .to = STR_LIT("u2"),
				     .type = MESSAGE_FORWARD,
				     .extra = STR_LIT("{}"),
				     .parts = {.of = str_from(ids), .count = 2, .bytes = 7}};
	unsigned before = batches;
	if (recalls_first)
		ask_recall(id, &recalled);
	ask_send(s, p, &sent);
	if (!recalls_first)
		ask_recall(id, &recalled);
	wait_for(&sent.done);
	wait_for(&recalled.done);
	is_int(batches - before, 1, "one batch recalls and merges it");
	ok(recalled.status == STORE_OK, "recalled");
	is_int(sent.status, recalls_first ? STORE_RECALLED : STORE_OK, "and merged, if that came first");
	is_int(db_sql("SELECT COUNT(*) FROM forwarded WHERE content IN ('merged','x')"), recalls_first ? 0 : 2,
	       "whole, or not at all");
	if (recalls_first)
		return;
	const struct store_act recall = {.act = ACT_RECALL, .user = STR_LIT("u1"), .id = sent.m.id};
	recalled = (struct change_answer){0};
	store_act(s, &recall, on_changed, &recalled);
	wait_for(&recalled.done);
	is_int(db_sql("SELECT (SELECT COUNT(*) FROM forwarded)+(SELECT COUNT(*) FROM forwards)"), 0,
	       "its own recall deletes its parts");
}

/* So many messages at once, each merged from one that has so many bytes. */
static unsigned batches_of_merges(unsigned n, uint64_t bytes)
{
	char ids[32];
	struct sent_answer a[4];
	snprintf(ids, sizeof(ids), "%llu", (unsigned long long)do_text(s, "alice", "bob", "merged", NULL).m.id);
	unsigned before = batches, wrong = 0;
	for (unsigned i = 0; i < n; i++)
		ask_send(s,
			 (struct store_send){.from = STR_LIT("u1"),
					     .to = STR_LIT("u2"),
					     .type = MESSAGE_FORWARD,
					     .extra = STR_LIT("{}"),
					     .parts = {.of = str_from(ids), .count = 1, .bytes = bytes}},
			 &a[i]);
	for (unsigned i = 0; i < n; i++) {
		wait_for(&a[i].done);
		wrong += a[i].status != STORE_OK;
	}
	is_int(wrong, 0, "%u messages are merged", n);
	return batches - before;
}

/* The parts never pass through here, and keep others waiting all the same. */
static void test_large_merges(void)
{
	is_int(batches_of_merges(4, 1000), 1, "small ones come into one batch");
	is_int(batches_of_merges(4, 8 << 20), 4, "a large one is alone");
	is_int(batches_of_merges(4, UINT64_MAX), 4, "whatever it says");
}

int main(void)
{
	static const struct store_observer obs = {.batch = on_batch};
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	db_befriend("alice", "bob");
	db_befriend("u1", "u2");
	base = event_base_new();
	s = store_new(base, c, &obs, NULL);
	wait_up(s);

	test_gathering();
	test_shapes(false, 1);
	test_shapes(true, 2);
	test_edits();
	test_merging(true);
	test_merging(false);
	test_large_merges();
	is_int(db_wrong(), 0, "every counter is what a recount gives");

	store_free(&s);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
