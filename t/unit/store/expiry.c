/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that expire, as the store has them: when they are due, that each is recalled once whatever else is done to
 * it in the same batch, that what is no message of that time is due no more, and who has the lease.
 */
#include "core/base.h"
#include "store/due.h"

#include "calls.h"
#include "db.h"
#include "groups.h"
#include "one_store.h"
#include "../tap.h"

#define MANY 40

static void ask_expire(uint64_t id, int64_t due_ms, struct change_answer *a)
{
	const struct store_act p = {.act = ACT_EXPIRE, .id = id, .due_ms = due_ms};
	*a = (struct change_answer){0};
	store_act(s, &p, on_changed, a);
}

static struct change_answer do_expire(uint64_t id, int64_t due_ms)
{
	struct change_answer a;
	ask_expire(id, due_ms, &a);
	wait_for(&a.settled);
	return a;
}

static struct message send_for(struct store_send p, uint64_t secs)
{
	p.expires_in_secs = secs;
	return do_send(s, p).m;
}

static long long due(void)
{
	return db_sql("SELECT COUNT(*) FROM expiries");
}

/* All that is to expire is due from now on. */
static void make_due(void)
{
	db_sql("UPDATE messages m JOIN expiries e ON e.message_id=m.id SET m.expires_at='2020-01-01 00:00:00.500';"
	       "UPDATE expiries SET expires_at='2020-01-01 00:00:00.500'");
}
#define DUE_MS INT64_C(1577836800500)

static long long changes_of(uint64_t id)
{
	return db_sql("SELECT COUNT(*) FROM changes WHERE message_id=%llu AND kind=0", ull(id));
}

static void test_in_time(void)
{
	struct message m = send_for(text_to("a", "b", "x", NULL), 3600);
	is_int(m.expires_ms - m.created_ms, 3600000, "it expires so long after it was sent");
	is_int(due(), 1, "and is known to");
	struct change_answer a = do_expire(m.id, m.expires_ms);
	is_int(a.status, STORE_UNAVAILABLE, "not before its time");
	ok(due() == 1 && changes_of(m.id) == 0, "it is still to");
	make_due();
	a = do_expire(m.id, DUE_MS);
	ok(a.status == STORE_OK && a.changed && a.change_seq == 1, "then it does");
	ok(a.m.is_recalled && a.m.content.s == NULL && a.m.expires_ms == DUE_MS, "nothing of it is left but its time");
	is_str(a.by, "", "nobody has asked for it");
	is_int(due(), 0, "and it is due no more");
	a = do_expire(m.id, DUE_MS);
	ok(a.status == STORE_OK && !a.changed, "once");
	is_int(changes_of(m.id), 1, "it is one change");
}

static void test_in_one_batch(void)
{
	struct message m[4];
	struct change_answer a[6], other[4];
	for (int i = 0; i < 4; i++)
		m[i] = send_for(text_to("a", "b", "x", NULL), 3600);
	make_due();
	ask_expire(m[0].id, DUE_MS, &a[0]);
	ask_expire(m[0].id, DUE_MS, &a[1]);
	ask_change(ACT_RECALL, s, "a", m[1].id, &other[0]);
	ask_expire(m[1].id, DUE_MS, &a[2]);
	ask_expire(m[2].id, DUE_MS, &a[3]);
	ask_change(ACT_EDIT, s, "a", m[2].id, &other[1]);
	ask_change(ACT_READ, s, "b", m[3].id, &other[2]);
	ask_expire(m[3].id, DUE_MS, &a[4]);
	ask_change(ACT_REACT, s, "b", m[3].id, &other[3]);
	for (int i = 0; i < 5; i++)
		wait_for(&a[i].settled);
	for (int i = 0; i < 4; i++)
		wait_for(&other[i].settled);
	ok(a[0].changed && a[1].status == STORE_OK && !a[1].changed, "the first of two does it");
	ok(other[0].changed && a[2].status == STORE_OK && !a[2].changed, "one that was recalled before is done");
	ok(a[3].changed && other[1].status == STORE_RECALLED, "one that has expired is not edited");
	ok(a[4].changed && other[2].changed && other[3].status == STORE_RECALLED,
	   "nor reacted to; that it was read stays");
	for (int i = 0; i < 4; i++)
		is_int(changes_of(m[i].id), 1, "message %d is recalled once", i);
	is_int(due(), 0, "none is due any more");
	is_int(db_wrong(), 0, "and all counters are right");
}

static void test_many(void)
{
	static struct change_answer a[2 * MANY];
	uint64_t group = group_make("a");
	group_add(group, "b", GROUP_MEMBER);
	struct message m[2 * MANY];
	for (int i = 0; i < 2 * MANY; i++)
		m[i] = send_for(i % 2 ? text_in(group, "b", "x", NULL) : text_to("a", "b", "x", NULL), 60);
	make_due();
	/* Who has sent them has left. */
	db_sql("DELETE FROM members WHERE user_id='b' AND conversation_id=%llu", ull(group));
	for (int i = 0; i < 2 * MANY; i++)
		ask_expire(m[i].id, DUE_MS, &a[i]);
	unsigned changed = 0;
	for (int i = 0; i < 2 * MANY; i++) {
		wait_for(&a[i].settled);
		changed += a[i].changed && a[i].m.content.s == NULL;
	}
	is_int(changed, 2 * MANY, "many at once, of two and of a group");
	is_int(due(), 0, "none is due any more");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE expires_in=60 AND is_recalled=1 AND content IS NULL"),
	       2 * MANY, "each is recalled");
	is_int(db_wrong(), 0, "the counters of two are right");
	is_int(db_sql("SELECT SUM(BIT_COUNT(bits)) FROM uncounted WHERE conversation_id=%llu", ull(group)),
	       MANY + db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu AND message_type=7", ull(group)),
	       "and those of the group count none of them");
}

static void add_due(uint64_t id)
{
	db_sql("INSERT INTO expiries VALUES ('2020-01-01 00:00:00.500',%llu)", ull(id));
}

static void test_nothing_there(void)
{
	struct message m = do_text(s, "a", "b", "for ever", NULL).m;
	const uint64_t ids[] = {m.id, m.id + 1000, message_id_make(123456, 1)};
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		add_due(ids[i]);
		struct change_answer a = do_expire(ids[i], DUE_MS);
		is_int(a.status, STORE_NOT_FOUND, "nothing to recall, %zu", i);
		is_int(due(), 0, "and it is due no more");
	}
	is_int(db_sql("SELECT is_recalled FROM messages WHERE id=%llu", ull(m.id)), 0, "what does not expire stays");
	is_int(do_expire(0, DUE_MS).status, STORE_NOT_FOUND, "no id");
	is_int(do_expire(UINT64_MAX, DUE_MS).status, STORE_NOT_FOUND, "none that can be");
	is_int(do_change(ACT_EXPIRE, s, "a", m.id).status, STORE_NOT_FOUND, "nobody asks for it");
	is_int(do_change(ACT_RECALL, s, "", m.id).status, STORE_NOT_FOUND, "and nothing else without a user");
	/* Another time than the message's. */
	m = send_for(text_to("a", "b", "x", NULL), 3600);
	add_due(m.id);
	is_int(do_expire(m.id, DUE_MS).status, STORE_NOT_FOUND, "a time that is not the message's");
	is_int(due(), 1, "is due no more, the message's own stays");
	do_change(ACT_RECALL, s, "a", m.id);
	is_int(due(), 0, "until it is recalled");
}

static void test_default(void)
{
	struct message m = do_text(s, "a", "b", "warm", NULL).m;
	uint64_t id = message_id_conversation(m.id);
	do_text(s, "a", "b", "and known", NULL);
	db_sql("UPDATE conversations SET expires_in=90 WHERE id=%llu", ull(id));
	for (int i = 0; i < 3; i++) {
		m = do_text(s, "a", "b", "x", NULL).m;
		is_int(m.expires_ms - m.created_ms, 90000, "a conversation's default counts");
	}
	m = send_for(text_to("b", "a", "x", "own"), 30);
	is_int(m.expires_ms - m.created_ms, 30000, "but for what has a time of its own");
	db_sql("UPDATE conversations SET expires_in=NULL WHERE id=%llu", ull(id));
	struct store_send p = text_to("b", "a", "x", "own");
	is_int(do_send(s, p).status, STORE_REUSED, "which a repeat has to have");
	p.expires_in_secs = 30;
	ok(do_send(s, p).replayed, "and then is one");
	is_int(do_text(s, "a", "b", "x", NULL).m.expires_ms, 0, "without a default they stay");
	db_sql("DELETE FROM expiries");
}

/* ---- looking ---- */

struct dues_answer {
	bool done;
	struct store_dues r;
	struct store_due item[8];
};

static void on_dues(const struct store_dues *r, void *arg)
{
	struct dues_answer *a = arg;
	a->r = *r;
	for (size_t i = 0; i < r->count && i < ARRAY_LEN(a->item); i++)
		a->item[i] = r->item[i];
	answered(&a->done);
}

static struct dues_answer list_due(const char *holder, struct store_due after, unsigned limit)
{
	struct dues_answer a = {0};
	store_list_due(s, str_from(holder), after, limit, on_dues, &a);
	wait_for(&a.done);
	return a;
}

struct lease_answer {
	bool done;
	enum store_status status;
};

static void on_lease(enum store_status status, uint64_t count, void *arg)
{
	struct lease_answer *a = arg;
	a->status = status;
	answered(&a->done);
}

static enum store_status take(const char *holder)
{
	struct lease_answer a = {0};
	store_take_chore(s, DUE_CHORE, str_from(holder), on_lease, &a);
	wait_for(&a.done);
	return a.status;
}

static void test_list(void)
{
	const struct store_due none = {0};
	for (uint64_t i = 1; i <= 5; i++)
		add_due(i);
	db_sql("INSERT INTO expiries VALUES ('2019-12-31',9),('2020-01-02',1),(UTC_TIMESTAMP(3)+INTERVAL 1 MINUTE,2)");
	struct dues_answer a = list_due("me", none, 3);
	ok(a.r.status == STORE_OK && a.r.count == 3 && a.item[0].id == 9 && a.item[1].id == 1 && a.item[2].id == 2,
	   "the first of those that are due");
	a = list_due("me", a.item[2], 8);
	ok(a.r.count == 4 && a.item[0].id == 3 && a.item[2].id == 5 && a.item[3].id == 1, "and those after them");
	is_int(list_due("me", a.item[3], 8).r.count, 0, "but none before its time");
	db_sql("DELETE FROM expiries");
}

static void end_and_take(const char *holder)
{
	db_sql("UPDATE relay_leases SET ends_at=UTC_TIMESTAMP(3)-INTERVAL 1 SECOND WHERE consumer='expiry'");
	ok(take(holder) == STORE_OK, "it had ended: once more");
}

static void test_lease(void)
{
	const struct store_due none = {0};
	is_int(list_due("me", none, 1).r.lease, CHORE_FREE, "nobody has it");
	is_int(take("me"), STORE_OK, "one takes it");
	/* A lease is of three seconds, and this machine may sleep for longer: then it is taken again. */
	while (list_due("me", none, 1).r.lease != CHORE_OURS)
		ok(take("me") == STORE_OK, "it has ended, and is taken again");
	ok(true, "and has it");
	while (list_due("you", none, 1).r.lease != CHORE_OTHERS)
		ok(take("me") == STORE_OK, "it has ended, and is taken again");
	ok(true, "another one has not");
	while (take("you") != STORE_TAKEN)
		end_and_take("me");
	ok(true, "nor can take it");
	is_int(take("me"), STORE_OK, "it can be kept");
	db_sql("UPDATE relay_leases SET ends_at=UTC_TIMESTAMP(3)-INTERVAL 1 SECOND WHERE consumer='expiry'");
	is_int(list_due("me", none, 1).r.lease, CHORE_FREE, "until it ends");
	is_int(take("you"), STORE_OK, "then another one has it");
	db_sql("UPDATE relay_leases SET ends_at=UTC_TIMESTAMP(3)+INTERVAL 1 HOUR WHERE consumer='expiry'");
	is_int(take("me"), STORE_OK, "one that ends too late for any has ended: the clock was set back");
	is_int(db_sql("SELECT ends_at<=UTC_TIMESTAMP(3)+INTERVAL 3 SECOND FROM "
		      "relay_leases "
		      "WHERE consumer='expiry'"),
	       1, "it is as long as any");
}

int main(void)
{
	one_store_begin(NULL);
	db_befriend("a", "b");
	test_in_time();
	test_in_one_batch();
	test_many();
	test_nothing_there();
	test_default();
	test_list();
	test_lease();
	return one_store_end();
}
