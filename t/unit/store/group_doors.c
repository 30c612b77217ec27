/* SPDX-License-Identifier: BSD-2-Clause */
/* Coming into a group from outside, by codes and by requests; and what its members see then. */
#include "core/base.h"
#include "store/group.h"

#include "core/clock.h"
#include "group_calls.h"

static struct conf *conf;
static _Atomic int64_t shift_ms;

/* ---- coming in from outside ---- */

static struct done join(const char *user, const char *code)
{
	return do_group(code_op(GROUP_JOIN, user, 0, code));
}

static void test_codes(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	struct store_group_op op = op_of(GROUP_INVITE, "bob1", id, NULL);
	op.max_uses = 2;
	op.expires_in_secs = 60;
	struct group_invite code = do_group(op).invite;
	ok(strlen(code.code) == GROUP_CODE_LEN && code.expires_ms == code.created_ms + 60000 && code.max_uses == 2 &&
		   strcmp(code.created_by, "bob1") == 0,
	   "a code is made");
	struct done d = join("cat1", code.code);
	is_str(extra(&d), "{\"event\":\"joined\",\"user_ids\":[\"cat1\"]}", "one joins with it");
	ok(d.r.status == STORE_OK && d.r.conversation_id == id && strcmp(d.in, "cat1") == 0, "and comes in");
	d = join("cat1", code.code);
	ok(d.r.status == STORE_OK && d.r.message == NULL && d.r.conversation_id == id, "again, nothing changes");
	is_int(db_sql("SELECT uses FROM group_invites WHERE code='%s'", code.code), 1, "and nothing is used");
	is_int(join("cat2", code.code).r.status, STORE_OK, "another one");
	is_int(join("cat3", code.code).r.status, STORE_NOT_FOUND, "then it is used up");
	is_int(join("cat2", code.code).r.status, STORE_OK, "but for members");
	struct group_invite other = do_step(GROUP_INVITE, "ann", id, NULL).invite;
	is_int(db_sql("SELECT COUNT(*) FROM group_invites WHERE code='%s'", code.code), 0,
	       "the next code takes its place");
	ok(other.expires_ms == 0 && other.max_uses == 0, "one without an end");
	op = op_of(GROUP_REMOVE, "ann", id, "cat2");
	op.ban = true;
	d = do_group(op);
	ok(d.r.banned && strcmp(d.out, "cat2") == 0, "one is banned");
	is_int(join("cat2", other.code).r.status, STORE_BANNED, "and cannot join");
	is_int(do_step(GROUP_UNBAN, "ann", id, "cat2").r.status, STORE_OK, "until that ends");
	is_int(join("cat2", other.code).r.status, STORE_OK, "then they can");
	op = op_of(GROUP_INVITE, "ann", id, NULL);
	op.expires_in_secs = 60;
	struct group_invite third = do_group(op).invite;
	clock_share_shift(&shift_ms);
	shift_ms = 61000;
	is_int(join("cat3", third.code).r.status, STORE_NOT_FOUND, "a code ends in time");
	shift_ms = 0;
	is_int(do_group(code_op(GROUP_REVOKE, "bob1", id, other.code)).r.status, STORE_OK, "one is revoked");
	is_int(do_group(code_op(GROUP_REVOKE, "bob1", id, other.code)).r.status, STORE_NOT_FOUND, "once");
	is_int(join("cat3", other.code).r.status, STORE_NOT_FOUND, "nobody joins with it");
	is_int(join("ann", other.code).r.status, STORE_NOT_FOUND, "nor does a member");
	is_int(join("cat3", "0123456789abcdef").r.status, STORE_NOT_FOUND, "nobody joins with what is no code");
	is_int(join("cat3", "\xc3\xa9' OR 1=1 --").r.status, STORE_NOT_FOUND, "whatever it holds");
	uint64_t elsewhere = do_make("cat3", "").r.conversation_id;
	is_int(do_group(code_op(GROUP_REVOKE, "cat3", elsewhere, third.code)).r.status, STORE_NOT_FOUND,
	       "a code of another group cannot be revoked");
	int made = 1;
	while (made <= GROUP_INVITES_MAX && (d = do_step(GROUP_INVITE, "ann", id, NULL)).r.status == STORE_OK)
		made++;
	ok(made == GROUP_INVITES_MAX && d.r.status == STORE_LIMITED, "a group has %d codes at once", GROUP_INVITES_MAX);
	do_step(GROUP_DISSOLVE, "ann", id, NULL);
	is_int(join("cat3", third.code).r.status, STORE_NOT_FOUND, "the codes of a dissolved group end");
	is_int(group_wrong(), 0, "all counts are right");
}

static long long requests(uint64_t id)
{
	return db_sql("SELECT COUNT(*) FROM group_requests WHERE conversation_id=%llu", (unsigned long long)id);
}

static void test_requests(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	struct store_group_op op = op_of(GROUP_INVITE, "ann", id, NULL);
	op.max_uses = 2;
	struct group_invite code = do_group(op).invite;
	is_int(do_step(GROUP_JOIN, "dan", id, NULL).r.status, STORE_NOT_FOUND, "a closed group is not seen");
	do_group(settings_op("ann", id, (struct group_settings){.join = GROUP_JOIN_APPROVAL}));
	struct done d = do_step(GROUP_JOIN, "dan", id, NULL);
	ok(d.r.status == STORE_OK && d.r.requested && d.r.message == NULL && d.r.in_count == 0, "one asks to come in");
	d = do_step(GROUP_JOIN, "dan", id, NULL);
	ok(d.r.requested && requests(id) == 1, "again, nothing changes");
	d = join("dan", code.code);
	ok(d.r.requested && db_sql("SELECT uses FROM group_invites WHERE code='%s'", code.code) == 0,
	   "nor by a code, which is not used");
	ok(join("don", code.code).r.requested && join("don", code.code).r.requested &&
		   join("dot", code.code).r.requested,
	   "others ask by the code");
	is_int(db_sql("SELECT uses FROM group_invites WHERE code='%s'", code.code), 2, "each uses it once");
	ok(join("don", code.code).r.requested, "who has asked may again though it is used up");
	is_int(join("dog", code.code).r.status, STORE_NOT_FOUND, "who has not may not");
	d = do_step(GROUP_ACCEPT, "ann", id, "dan");
	is_str(extra(&d), "{\"event\":\"added\",\"user_ids\":[\"dan\"]}", "who is let in is added");
	ok(strcmp(d.in, "dan") == 0 && d.member.role == GROUP_MEMBER && strcmp(d.member.user.user_id, "dan") == 0 &&
		   !d.member.user.known && d.member.joined_ms == d.m.created_ms,
	   "and answered as a member");
	is_int(do_step(GROUP_ACCEPT, "ann", id, "dan").r.status, STORE_NOT_FOUND, "the request is gone");
	d = do_step(GROUP_DECLINE, "ann", id, "don");
	ok(d.r.status == STORE_OK && d.r.message == NULL, "one is declined");
	is_int(do_step(GROUP_DECLINE, "ann", id, "don").r.status, STORE_NOT_FOUND, "once");
	conf->groups.max_members = 3;
	is_int(do_step(GROUP_ACCEPT, "ann", id, "dot").r.status, STORE_GROUP_FULL, "a full group lets nobody in");
	is_int(requests(id), 1, "who has asked waits on");
	conf->groups.max_members = 10000;
	db_sql("INSERT INTO users (id) VALUES ('dot')");
	db_befriend("ann", "dot");
	is_str(do_add("ann", id, "dot").in, "dot", "one who has asked is added");
	is_int(requests(id), 0, "and asks no more");
	do_step(GROUP_REMOVE, "ann", id, "dot");
	do_step(GROUP_JOIN, "dot", id, NULL);
	op = op_of(GROUP_REMOVE, "ann", id, "dot");
	op.ban = true;
	do_group(op);
	is_int(requests(id), 0, "who is banned asks no more");
	is_int(do_step(GROUP_JOIN, "dot", id, NULL).r.status, STORE_BANNED, "and cannot ask");
	do_group(settings_op("ann", id, (struct group_settings){.join = GROUP_JOIN_OPEN}));
	is_int(do_step(GROUP_JOIN, "dot", id, NULL).r.status, STORE_BANNED, "nor join");
	d = do_step(GROUP_JOIN, "don", id, NULL);
	ok(!d.r.requested && strcmp(d.in, "don") == 0, "others come into an open group");
	db_sql("INSERT INTO group_requests SELECT %llu,CONCAT('q',seq),NOW(3) FROM seq_1_to_%d", (unsigned long long)id,
	       GROUP_REQUESTS_MAX);
	do_group(settings_op("ann", id, (struct group_settings){.join = GROUP_JOIN_APPROVAL}));
	is_int(do_step(GROUP_JOIN, "dog", id, NULL).r.status, STORE_LIMITED, "the number of requests is bounded");
	ok(do_step(GROUP_JOIN, "q7", id, NULL).r.requested, "who waits is told so");
	do_step(GROUP_DISSOLVE, "ann", id, NULL);
	is_int(requests(id), 0, "nobody waits for a dissolved group");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- what a member sees ---- */

static void test_history(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	const unsigned long long n = id;
	do_group(settings_op("ann", id, (struct group_settings){.history_joined = true}));
	struct done d = do_add("ann", id, "bob2");
	ok(d.r.first_seq == 3 && db_sql("SELECT joined_seq=3 AND first_seq=3 AND read_seq=3 FROM members WHERE "
					"conversation_id=%llu AND user_id='bob2'",
					n) == 1,
	   "who comes in sees what comes from then on");
	db_sql("INSERT INTO deletions VALUES ('bob2',%llu,2,3),('bob2',%llu,1,1)", n, n);
	do_step(GROUP_REMOVE, "bob2", id, "bob2");
	do_group(settings_op("ann", id, (struct group_settings){.history_joined = false}));
	d = do_add("ann", id, "bob2");
	ok(d.r.first_seq == 1 &&
		   db_sql("SELECT joined_seq=6 AND first_seq=1 AND read_seq=6 AND deleted_seq=3 FROM members "
			  "WHERE conversation_id=%llu AND user_id='bob2'",
			  n) == 1,
	   "who comes back sees what the rule gives, but for what they have deleted");
	is_int(group_wrong(), 0, "all counts are right");
}

/* What catching up finds. */
struct synced {
	bool done;
	size_t count, gone;
	uint64_t id;
	struct store_cursor cursor;
};

static void on_synced(const struct store_synced *r, void *arg)
{
	struct synced *a = arg;
	*a = (struct synced){false, r->count, r->gone_count, r->count != 0 ? r->item[0].conversation.id : 0, r->cursor};
	answered(&a->done);
}

static struct synced do_sync(const char *user, const struct store_cursor *since, uint64_t listed)
{
	struct synced a = {0};
	const struct store_sync_have have = {listed, 0, 0};
	store_sync(s,
		   &(struct store_sync_request){.user = str_from(user),
						.have = &have,
						.have_count = listed != 0,
						.has_since = since != NULL,
						.since = since != NULL ? *since : (struct store_cursor){0},
						.limit = 10},
		   on_synced, &a);
	wait_for(&a.done);
	return a;
}

static void test_sync(void)
{
	make_users("ann", "syd", 1);
	uint64_t id = do_make("ann", "").r.conversation_id;
	const struct store_cursor since = do_sync("syd1", NULL, 0).cursor;
	struct synced a;
	do_add("ann", id, "syd1");
	a = do_sync("syd1", &since, 0);
	ok(a.count == 1 && a.id == id, "who was added catches up with the group");
	a = do_sync("syd1", NULL, id);
	ok(a.count == 1 && a.id == id && a.gone == 0, "and sees it");
	do_step(GROUP_REMOVE, "ann", id, "syd1");
	a = do_sync("syd1", NULL, id);
	ok(a.count == 0 && a.gone == 1, "until they are removed");
}

int main(void)
{
	db_start();
	base = event_base_new();
	conf = db_conf("tidings");
	db_migrate(conf);
	s = store_new(base, conf, NULL, NULL);
	wait_up(s);
	make_users("ann", "bob", 3);
	test_codes();
	test_requests();
	test_history();
	test_sync();
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	conf_free(&conf);
	event_base_free(base);
	arena_fini(&kept);
	return done_testing();
}
