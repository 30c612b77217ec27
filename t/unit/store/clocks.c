/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No order and no cursor depends on a clock that only moves forward: what happens after it was set back is found by a
 * cursor from before, and listed as the newest, also by another lane than the one that has seen the later time.
 */
#include "core/base.h"
#include "store/people.h"
#include "store/store.h"

#include "calls.h"
#include "core/clock.h"
#include "db.h"
#include "../tap.h"

#define HOUR_MS INT64_C(3600000)
#define YEAR_MS (365 * 24 * HOUR_MS)

static struct store *s;
static _Atomic int64_t shift_ms;

struct synced_answer {
	bool done;
	enum store_status status;
	uint64_t id[STORE_SYNC_ITEMS_MAX];
	size_t count;
	struct store_cursor cursor;
};

static void on_synced(const struct store_synced *r, void *arg)
{
	struct synced_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->cursor = r->cursor;
	for (size_t i = 0; i < r->count; i++)
		a->id[i] = r->item[i].conversation.id;
	answered(&a->done);
}

static struct synced_answer sync_since(const char *user, const struct store_cursor *since)
{
	struct synced_answer a = {0};
	struct store_sync_request p = {.user = str_from(user), .limit = 5, .has_since = since != NULL};
	if (since != NULL)
		p.since = *since;
	store_sync(s, &p, on_synced, &a);
	wait_for(&a.done);
	return a;
}

static bool has(const struct synced_answer *a, uint64_t id)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->id[i] == id)
			return true;
	return false;
}

struct list_answer {
	bool done;
	uint64_t id[8];
	size_t count;
	bool has_more;
	struct store_cursor next;
};

static void on_listed(const struct store_conversations *r, void *arg)
{
	struct list_answer *a = arg;
	a->count = r->count < ARRAY_LEN(a->id) ? r->count : ARRAY_LEN(a->id);
	for (size_t i = 0; i < a->count; i++)
		a->id[i] = r->item[i].id;
	a->has_more = r->has_more;
	a->next = r->next;
	answered(&a->done);
}

static struct list_answer list_of(const char *user, unsigned limit, struct store_cursor after)
{
	struct list_answer a = {0};
	store_list_conversations(s, str_from(user), false, limit, after, on_listed, &a);
	wait_for(&a.done);
	return a;
}

static uint64_t conversation_of(struct sent_answer m)
{
	return message_id_conversation(m.m.id);
}

/* The clock moves by that much between one and the next; `later` writes what comes after it. */
static void test_step(const char *name, int64_t before_ms, int64_t after_ms, struct store *later)
{
	static int round;
	char me[16], peer[4][16];
	snprintf(me, sizeof(me), "me%d", ++round);
	for (int i = 0; i < 4; i++) {
		snprintf(peer[i], sizeof(peer[i]), "p%d-%d", round, i);
		db_befriend(me, peer[i]);
	}
	shift_ms = before_ms;
	uint64_t old = conversation_of(do_text(s, peer[0], me, "x", NULL));
	struct sent_answer recallable = do_text(s, me, peer[1], "x", NULL);
	struct synced_answer a = sync_since(me, NULL);
	struct store_cursor cursor = a.cursor;
	/* A lane tells the others of the time it has reached about once a second. */
	shift_ms = before_ms + 2000;
	do_text(s, peer[2], me, "the last before", NULL);

	shift_ms = after_ms;
	wait_up(later);
	uint64_t begun = conversation_of(do_text(later, peer[3], me, "x", NULL));
	a = sync_since(me, &cursor);
	ok(has(&a, begun), "%s: a conversation that begins is found by a cursor from before", name);
	struct list_answer l = list_of(me, 8, (struct store_cursor){0});
	is_int((long long)l.id[0], (long long)begun, "and listed first");
	do_text(later, peer[0], me, "y", NULL);
	l = list_of(me, 8, (struct store_cursor){0});
	ok(l.count == 4 && l.id[0] == old && l.id[1] == begun, "an old one comes before it with its next message");
	struct list_answer first = list_of(me, 2, (struct store_cursor){0}), second = list_of(me, 2, first.next);
	ok(first.has_more && !second.has_more && memcmp(first.id, l.id, 2 * sizeof(l.id[0])) == 0 &&
		   memcmp(second.id, &l.id[2], 2 * sizeof(l.id[0])) == 0,
	   "in pages as well");
	a = sync_since(me, &cursor);
	cursor = a.cursor;
	is_int(do_change(ACT_RECALL, later, me, recallable.m.id).status, STORE_OK, "a recall");
	a = sync_since(me, &cursor);
	ok(has(&a, conversation_of(recallable)), "is found, too");
	shift_ms = 0;
}

struct notified {
	bool done;
	enum store_status status;
	uint64_t id;
};

static void on_notified(const struct store_notification *r, void *arg)
{
	struct notified *a = arg;
	a->status = r->status;
	a->id = r->status == STORE_OK ? r->notification->id : 0;
	answered(&a->done);
}

static void test_notifications(void)
{
	db_sql("INSERT INTO notifications (id,user_id,kind,created_at) VALUES "
	       "((UNIX_TIMESTAMP()+86400)*1000<<20,'n','k',"
	       "UTC_TIMESTAMP(3))");
	struct notified a = {0};
	const struct store_notify n = {.user = STR_LIT("n"), .kind = STR_LIT("k")};
	store_notify(s, &n, on_notified, &a);
	wait_for(&a.done);
	is_int(a.status, STORE_OK, "a notification after the clock was set back by a day");
	is_int(db_sql("SELECT COUNT(*) FROM notifications WHERE user_id='n' AND id<%llu", (unsigned long long)a.id), 1,
	       "is the newest");
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	clock_share_shift(&shift_ms);
	base = event_base_new();
	s = store_new(base, c, NULL, NULL);
	wait_up(s);
	test_step("no step", 0, 0, s);
	test_step("a second back", 0, -1000, s);
	test_step("an hour back", 0, -HOUR_MS, s);
	struct store *fresh = store_new(base, c, NULL, NULL);
	test_step("an hour back, another lane", 0, -HOUR_MS, fresh);
	test_step("a year ahead for a while", YEAR_MS, 0, s);
	struct store *fresher = store_new(base, c, NULL, NULL);
	test_step("a year behind all others", 0, -YEAR_MS, fresher);
	test_notifications();
	is_int(db_wrong(), 0, "all counters are right");
	store_free(&fresh);
	store_free(&fresher);
	store_free(&s);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
