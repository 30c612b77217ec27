/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups and their members: who may do what, what is written for it, and why it is refused. */
#include "core/base.h"
#include "store/group.h"

#include "core/clock.h"
#include "group_calls.h"

static struct conf *conf;

/* ---- making one, adding, removing ---- */

static void test_create(void)
{
	make_users("ann", "bob", 3);
	struct done d = do_make("ann", "bob2 bob1 bob2 ann stranger");
	ok(d.r.status == STORE_OK && d.r.created && d.r.conversation_id >= GROUP_ID_MIN, "a group is made: %s",
	   store_status_name(d.r.status));
	is_str(d.in, "ann bob2 bob1", "its creator and their friends are in it");
	is_str(d.left_out, "stranger:not_found", "a user without an account is left out");
	ok(d.r.member_count == 3 && d.r.first_seq == 1 && d.r.gap_ms == INT64_MAX,
	   "they see it from the first message on");
	ok(d.m.id == message_id_make(d.r.conversation_id, 1) && d.m.type == MESSAGE_SYSTEM, "which tells of it");
	is_str(extra(&d), "{\"event\":\"created\",\"user_ids\":[\"ann\",\"bob2\",\"bob1\"]}", "with all of them");
	is_int(db_sql("SELECT COUNT(*) FROM members WHERE conversation_id=%llu AND joined_seq=1 AND first_seq=1 AND "
		      "read_seq=1 AND role=IF(user_id='ann',1,3)",
		      (unsigned long long)d.r.conversation_id),
	       3, "their rows say so");
	is_int(group_wrong(), 0, "and all counts are right");
}

static void test_add_remove(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	struct done d = do_add("ann", id, "bob3 bob1 bob2");
	is_int(d.r.status, STORE_OK, "users are added");
	is_str(d.in, "bob3 bob2", "those who were not in it");
	is_str(d.left_out, "bob1:taken", "one was");
	is_str(extra(&d), "{\"event\":\"added\",\"user_ids\":[\"bob3\",\"bob2\"]}", "one message tells of both");
	ok(message_id_seq(d.m.id) == 2 && d.r.member_count == 4 && d.r.gap_ms < INT64_MAX, "the next one");
	d = do_step(GROUP_REMOVE, "ann", id, "bob3");
	ok(d.r.status == STORE_OK && !d.r.banned && d.r.member_count == 3, "one is removed");
	is_str(d.out, "bob3", "that one");
	is_str(extra(&d), "{\"event\":\"removed\",\"user_ids\":[\"bob3\"]}", "it is told");
	d = do_step(GROUP_REMOVE, "bob2", id, "bob2");
	is_str(d.out, "bob2", "one leaves");
	is_str(extra(&d), "{\"event\":\"left\",\"user_ids\":[\"bob2\"]}", "it is told");
	is_int(do_step(GROUP_REMOVE, "bob2", id, "bob2").r.status, STORE_NOT_FOUND, "who is gone cannot leave");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- who is left out, and why ---- */

static void test_left_out(void)
{
	make_users("lea", "l", 9);
	uint64_t id = do_make("lea", "l1").r.conversation_id;
	db_sql("DELETE FROM users WHERE id='l2'");
	db_sql("DELETE FROM friendships WHERE 'l2' IN (user_id,friend_id)");
	do_step(GROUP_REMOVE, "lea", id, "l1");
	struct store_group_op ban = op_of(GROUP_REMOVE, "lea", id, "l3");
	ban.ban = true;
	is_int(do_group(ban).r.status, STORE_OK, "one who is no member is banned");
	db_sql("INSERT INTO blocks (user_id,blocked_id) VALUES ('l4','lea')");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='l5' AND friend_id='lea'");
	db_sql("DELETE FROM friendships WHERE user_id='l6'");
	db_sql("INSERT INTO users (id) VALUES ('l0')");
	conf->groups.max_per_user = 2;
	do_make("l7", "");
	do_make("l7", "");
	is_int(do_make("l7", "").r.status, STORE_TOO_MANY_GROUPS, "a user makes as many groups as one may be in");
	conf->groups.max_members = 3;
	struct done d = do_add("lea", id, "l9 lea l2 l3 l4 l5 l6 l7 l8 l1 l0");
	is_str(d.in, "l9 l8", "those are added who can be");
	is_str(d.left_out,
	       "lea:taken l2:not_found l3:banned l4:blocked l5:blocked l6:not_friends l7:too_many_groups l1:group_full "
	       "l0:not_friends",
	       "each other one is left out for a reason");
	conf->accounts = false;
	conf->groups.max_members = 10000;
	db_befriend("lea", "l2");
	d = do_add("lea", id, "l2 l5 l4");
	is_str(d.in, "l2", "where accounts are not kept here, every id is a user");
	conf->accounts = true;
	struct store_group_op op = with_users(op_of(GROUP_ADD, "system", id, NULL), "l0 l3 l4 l7 nobody");
	op.by_operator = true;
	d = do_group(op);
	is_str(d.in, "l0 l4", "the operator adds also those who are no friends");
	is_str(d.left_out, "l3:banned l7:too_many_groups nobody:not_found", "but for bans and limits");
	is_str(d.m.from, "system", "and is who did it");
	conf->groups.max_members = 2;
	d = do_make("lea", "l9 l8 l2");
	is_str(d.left_out, "l8:group_full l2:group_full", "a new group has its limit too, and a friend is a user without a row");
	conf->groups.max_members = 10000;
	conf->groups.max_per_user = 2000;
	db_sql("INSERT INTO users (id) VALUES ('l2')");
	d = do_add("lea", id, "l9");
	ok(d.r.status == STORE_OK && d.r.message == NULL && d.r.in_count == 0 && d.r.member_count == 6,
	   "nothing is told where nobody comes in");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- coming back ---- */

static long long of_member(uint64_t id, const char *user, const char *what)
{
	return db_sql("SELECT COALESCE((SELECT %s FROM members WHERE user_id='%s' AND conversation_id=%llu),-1)", what,
		      user, (unsigned long long)id);
}

/* Leaving a group and coming back ends neither a mute nor slow mode. */
static void test_coming_back(void)
{
	make_users("kim", "k", 2);
	uint64_t id = do_make("kim", "k1 k2").r.conversation_id;
	do_group(settings_op("kim", id, (struct group_settings){.join = GROUP_JOIN_OPEN, .slow_mode_secs = 3600}));
	struct store_group_op mute = op_of(GROUP_SET_MEMBER, "kim", id, "k1");
	mute.sets_muted = true;
	mute.muted_until_ms = clock_wall_ms() + 3600000;
	is_int(do_group(mute).r.status, STORE_OK, "one is muted");
	is_int(do_send(s, text_in(id, "k2", "first", NULL)).status, STORE_OK, "another has sent");
	static const char *const users[] = {"k1", "k2"};
	static const enum store_status may[] = {STORE_MUTED, STORE_SLOW_MODE};
	for (int round = 0; round < 6; round++) {
		const char *user = users[round % 2];
		/* Leaves or is removed; joins, is added, or let in. */
		do_step(GROUP_REMOVE, round < 2 ? user : "kim", id, user);
		is_int(of_member(id, user, "1"), -1, "%s is out", user);
		struct done d;
		if (round < 2) {
			d = do_step(GROUP_JOIN, user, id, NULL);
		} else if (round < 4) {
			d = do_add("kim", id, user);
		} else {
			do_group(settings_op(
				"kim", id,
				(struct group_settings){.join = GROUP_JOIN_APPROVAL, .slow_mode_secs = 3600}));
			do_step(GROUP_JOIN, user, id, NULL);
			d = do_step(GROUP_ACCEPT, "kim", id, user);
			ok((d.member.muted_until_ms != 0) == (round % 2 == 0), "who lets them in is told of the mute");
		}
		is_int(d.r.status, STORE_OK, "and in again");
		is_int(do_send(s, text_in(id, user, "x", NULL)).status, may[round % 2], "and may not send yet");
	}
	mute.muted_until_ms = 0;
	do_group(mute);
	do_group(settings_op("kim", id, (struct group_settings){.join = GROUP_JOIN_OPEN}));
	for (int i = 0; i < 2; i++) {
		do_step(GROUP_REMOVE, users[i], id, users[i]);
		do_step(GROUP_JOIN, users[i], id, NULL);
		is_int(do_send(s, text_in(id, users[i], "y", NULL)).status, STORE_OK, "when that is over %s may",
		       users[i]);
	}
	is_int(db_sql("SELECT COUNT(*) FROM group_leavers"), 0, "nothing is kept of who is in, or has nothing to keep");
	db_sql("INSERT INTO group_leavers SELECT %llu,CONCAT('old',seq),'2020-01-01',NULL,'2020-01-01' FROM seq_1_to_5",
	       (unsigned long long)id);
	do_step(GROUP_REMOVE, "k1", id, "k1");
	is_int(db_sql("SELECT COUNT(*) FROM group_leavers"), 0, "nor for longer than it means something");
	do_step(GROUP_JOIN, "k1", id, NULL);
	do_group(mute);
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- groups that are dissolved ---- */

/* They stay with their members, and take nobody's place. */
static void test_dissolved_places(void)
{
	enum { MAX = 3 };
	make_users("dan", "d", 12);
	db_befriend("d1", "d2");
	conf->groups.max_per_user = MAX;
	uint64_t id[2 * MAX];
	for (int i = 0; i < 2 * MAX; i++) {
		struct done d = do_make("dan", "d1");
		id[i] = d.r.conversation_id;
		if (i >= MAX)
			continue;
		is_str(d.in, "dan d1", "a group, which");
		do_step(GROUP_DISSOLVE, "dan", id[i], NULL);
	}
	is_int(db_sql("SELECT n FROM group_counts WHERE user_id='d1'"), 2 * MAX, "some are dissolved and some are not");
	is_int(do_make("dan", "").r.status, STORE_TOO_MANY_GROUPS, "there is a limit to those together");
	do_step(GROUP_REMOVE, "d1", id[0], "d1");
	is_str(do_add("d2", do_make("d2", "").r.conversation_id, "d1").left_out, "d1:too_many_groups",
	       "and to those that are not");
	do_step(GROUP_DISSOLVE, "dan", id[MAX], NULL);
	struct done d = do_make("d2", "d1");
	is_str(d.in, "d2 d1", "one more is dissolved, and there is room again");
	make_users("d1", "dd", 1);
	do_step(GROUP_REMOVE, "d1", id[1], "d1");
	do_step(GROUP_DISSOLVE, "dan", id[MAX + 1], NULL);
	is_int(do_make("d1", "dd1").r.status, STORE_OK, "also together with one who was in none");
	conf->groups.max_per_user = 2000;
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- the same group again ---- */

static void test_repeat(void)
{
	struct store_group_op op = create_op("ann", "bob1");
	op.client_group_id = STR_LIT("mine");
	struct done first = do_group(op);
	op = create_op("ann", "bob2");
	op.client_group_id = STR_LIT("mine");
	op.name = STR_LIT("Other");
	struct done again = do_group(op);
	ok(first.r.created && again.r.status == STORE_OK && !again.r.created && again.r.message == NULL &&
		   again.r.conversation_id == first.r.conversation_id,
	   "a repeat answers the group that is there");
	do_step(GROUP_DISSOLVE, "ann", first.r.conversation_id, NULL);
	do_step(GROUP_REMOVE, "ann", first.r.conversation_id, "ann");
	conf->groups.max_per_user = 1;
	again = do_group(op);
	ok(again.r.status == STORE_OK && again.r.conversation_id == first.r.conversation_id,
	   "also after its creator has left it, and beyond the limits");
	conf->groups.max_per_user = 2000;
	op.user = STR_LIT("bob1");
	ok(do_group(op).r.created, "each creator has their own ids");
	is_int(db_sql("SELECT COUNT(*) FROM group_heads h LEFT JOIN group_profiles p ON p.id=h.id WHERE p.id IS NULL"),
	       0, "no group is half made");
}

/* ---- who may do what ---- */

static struct store_group_op add_of(const char *user, uint64_t id)
{
	return with_users(op_of(GROUP_ADD, user, id, NULL), "nobody");
}

static struct store_group_op rename_op(const char *user, uint64_t id, const char *name)
{
	struct store_group_op op = op_of(GROUP_CHANGE, user, id, NULL);
	op.sets_name = true;
	op.name = str_from(name);
	return op;
}

static struct store_group_op role_op(const char *user, uint64_t id, const char *peer, enum group_role role)
{
	struct store_group_op op = op_of(GROUP_SET_MEMBER, user, id, peer);
	op.sets_role = true;
	op.role = role;
	return op;
}

static struct store_group_op mute_op(const char *user, uint64_t id, const char *peer, int64_t until_ms)
{
	struct store_group_op op = op_of(GROUP_SET_MEMBER, user, id, peer);
	op.sets_muted = true;
	op.muted_until_ms = until_ms;
	return op;
}

/* An owner, two admins, two members and a stranger do all that changes nothing where it is allowed. */
static void test_roles(void)
{
	static const char *const who[] = {"own", "r1", "r3", "zoe"}; /* owner, admin, member, stranger */
	make_users("own", "r", 4);
	uint64_t id = do_make("own", "r1 r2 r3 r4").r.conversation_id;
	do_group(role_op("own", id, "r1", GROUP_ADMIN));
	do_group(role_op("own", id, "r2", GROUP_ADMIN));
	const enum store_status no = STORE_ROLE, none = STORE_NOT_FOUND, yes = STORE_OK;
	for (int restricted = 0; restricted < 2; restricted++) {
		const enum store_status some = restricted ? no : yes;
		do_group(settings_op("own", id, (struct group_settings){.add_admins = restricted}));
		for (int i = 0; i < 4; i++) {
			const char *w = who[i];
			const struct {
				const char *what;
				struct store_group_op op;
				enum store_status want[4];
			} cases[] = {
				{"changes the profile", rename_op(w, id, "Group"), {yes, yes, no, none}},
				{"adds", add_of(w, id), {yes, yes, some, none}},
				{"removes a stranger", op_of(GROUP_REMOVE, w, id, "xena"), {yes, yes, no, none}},
				{"removes the owner",
				 op_of(GROUP_REMOVE, w, id, "own"),
				 {STORE_IS_OWNER, no, no, none}},
				{"removes an admin", op_of(GROUP_REMOVE, w, id, "r2"), {yes, no, no, none}},
				{"gives a role", role_op(w, id, "r4", GROUP_MEMBER), {yes, no, no, none}},
				{"gives the owner one", role_op(w, id, "own", GROUP_MEMBER), {no, no, no, none}},
				{"mutes a member", mute_op(w, id, "r4", 0), {yes, yes, no, none}},
				{"mutes an admin", mute_op(w, id, "r2", 0), {yes, no, no, none}},
				{"mutes the owner", mute_op(w, id, "own", 0), {no, no, no, none}},
				{"mutes a stranger", mute_op(w, id, "xena", 0), {none, none, no, none}},
				{"sets nothing", op_of(GROUP_SET_MEMBER, w, id, "own"), {yes, yes, no, none}},
				{"unbans", op_of(GROUP_UNBAN, w, id, "xena"), {yes, yes, no, none}},
				{"makes a code", op_of(GROUP_INVITE, w, id, NULL), {yes, yes, some, none}},
				{"revokes one",
				 code_op(GROUP_REVOKE, w, id, "0123456789abcdef"),
				 {none, none, restricted ? no : none, none}},
				{"accepts", op_of(GROUP_ACCEPT, w, id, "xena"), {none, none, no, none}},
				{"declines", op_of(GROUP_DECLINE, w, id, "xena"), {none, none, no, none}},
				{"passes it on", op_of(GROUP_PASS_ON, w, id, "xena"), {none, no, no, none}},
				{"keeps it", op_of(GROUP_PASS_ON, w, id, "own"), {yes, no, no, none}},
			};
			for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
				if (strcmp(cases[k].what, "removes an admin") == 0 && i == 0)
					continue; /* below */
				struct store_group_op op = cases[k].op;
				if (op.step == GROUP_ADD)
					op = add_of(w, id);
				struct done d = do_group(op);
				is_int(d.r.status, cases[k].want[i], "%s %s", w, cases[k].what);
			}
		}
	}
	is_int(do_step(GROUP_DISSOLVE, "r1", id, NULL).r.status, no, "an admin cannot dissolve it");
	is_int(do_step(GROUP_DISSOLVE, "zoe", id, NULL).r.status, none, "nor a stranger");
	is_int(do_step(GROUP_REMOVE, "own", id, "r2").r.status, yes, "the owner removes an admin");
	is_int(do_step(GROUP_REMOVE, "r1", id, "r4").r.status, yes, "an admin removes a member");
	struct store_group_op op = role_op("system", id, "r3", GROUP_ADMIN);
	op.by_operator = true;
	is_int(do_group(op).r.status, yes, "the operator gives a role");
	op = op_of(GROUP_REMOVE, "system", id, "own");
	op.by_operator = true;
	is_int(do_group(op).r.status, no, "but does not remove the owner");
	db_sql("INSERT INTO users (id) VALUES ('system')");
	op = with_users(op_of(GROUP_ADD, "system", id, NULL), "system");
	op.by_operator = true;
	is_str(do_group(op).in, "system", "a user may have the operator's name");
	op = op_of(GROUP_REMOVE, "system", id, "system");
	op.by_operator = true;
	struct done removed = do_group(op);
	is_str(extra(&removed), "{\"event\":\"removed\",\"user_ids\":[\"system\"]}",
	       "and is removed, and does not leave");
	is_int(do_group(op).r.status, yes, "once");
	is_int(do_step(GROUP_CHANGE, "own", id + 1000, NULL).r.status, none, "no such group");
	is_int(do_step(GROUP_CHANGE, "own", 5, NULL).r.status, none, "nor is a direct conversation one");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- profile, settings ---- */

static void test_change(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	struct done d = do_group(rename_op("ann", id, "Name"));
	is_str(extra(&d), "{\"event\":\"renamed\",\"user_ids\":[]}", "a new name is told as such");
	d = do_group(rename_op("ann", id, "Name"));
	ok(d.r.status == STORE_OK && d.r.message == NULL, "the same one is not");
	struct store_group_op op = rename_op("ann", id, "It's");
	op.sets_about = true;
	op.about = STR_LIT("what it is about");
	d = do_group(op);
	is_str(extra(&d), "{\"event\":\"changed\",\"user_ids\":[]}", "more than the name is a change");
	is_int(db_sql("SELECT COUNT(*) FROM group_profiles WHERE id=%llu AND name='It''s' AND about='what it is about'",
		      (unsigned long long)id),
	       1, "it is stored");
	op = op_of(GROUP_CHANGE, "ann", id, NULL);
	op.sets_about = true;
	d = do_group(op);
	ok(d.r.message != NULL && db_sql("SELECT about IS NULL AND name='It''s' FROM group_profiles WHERE id=%llu",
					 (unsigned long long)id) == 1,
	   "what is set to absent is cleared, what is not set stays");
	d = do_group(settings_op("ann", id, (struct group_settings){GROUP_JOIN_OPEN, true, true, true, 30}));
	is_str(extra(&d), "{\"event\":\"changed\",\"user_ids\":[]}", "settings are a change");
	is_int(db_sql("SELECT join_policy=2 AND history_policy=1 AND send_policy=1 AND add_policy=1 AND "
		      "slow_mode_secs=30 "
		      "FROM group_heads WHERE id=%llu",
		      (unsigned long long)id),
	       1, "all of them");
	d = do_group(settings_op("ann", id, (struct group_settings){GROUP_JOIN_OPEN, true, true, true, 30}));
	ok(d.r.message == NULL, "the same ones are not");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- roles ---- */

static void test_set_member(void)
{
	uint64_t id = do_make("ann", "bob1 bob2").r.conversation_id;
	struct done d = do_group(role_op("ann", id, "bob1", GROUP_ADMIN));
	is_str(extra(&d), "{\"event\":\"role\",\"user_ids\":[\"bob1\"]}", "a new role is told");
	ok(d.r.role_changed && d.member.role == GROUP_ADMIN && d.member.user.known && d.member.joined_ms != 0,
	   "and the member answered");
	d = do_group(role_op("ann", id, "bob1", GROUP_ADMIN));
	ok(d.r.status == STORE_OK && d.r.message == NULL && !d.r.role_changed, "the same one is not");
	const int64_t until = clock_wall_ms() + 3600000;
	d = do_group(mute_op("bob1", id, "bob2", until));
	ok(d.r.message == NULL && d.member.muted_until_ms == until, "a mute is not told");
	is_int(db_sql("SELECT COUNT(*) FROM members WHERE muted_until>UTC_TIMESTAMP()"), 1, "it is stored");
	d = do_group(mute_op("bob1", id, "bob2", 1000));
	ok(d.member.muted_until_ms == 0, "one until a time in the past is none");
	is_int(db_sql("SELECT COUNT(*) FROM members WHERE muted_until IS NOT NULL"), 0, "and ends the other");
	d = do_step(GROUP_PASS_ON, "ann", id, "bob2");
	is_str(extra(&d), "{\"event\":\"owner\",\"user_ids\":[\"bob2\"]}", "a new owner is told");
	is_int(db_sql("SELECT SUM(role=IF(user_id='bob2',1,2)) FROM members WHERE conversation_id=%llu",
		      (unsigned long long)id),
	       3, "the old one is an admin");
	is_int(do_step(GROUP_PASS_ON, "ann", id, "ann").r.status, STORE_ROLE, "and the owner no more");
	struct store_group_op op = op_of(GROUP_PASS_ON, "system", id, "ann");
	op.by_operator = true;
	is_int(do_group(op).r.status, STORE_OK, "the operator passes it on");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- leaving, and the end ---- */

static void test_leave(void)
{
	uint64_t id = do_make("ann", "bob1 bob2").r.conversation_id;
	is_int(do_step(GROUP_REMOVE, "ann", id, "ann").r.status, STORE_IS_OWNER, "an owner has to pass it on first");
	do_step(GROUP_REMOVE, "bob1", id, "bob1");
	do_step(GROUP_REMOVE, "bob2", id, "bob2");
	do_step(GROUP_INVITE, "ann", id, NULL);
	struct done d = do_step(GROUP_REMOVE, "ann", id, "ann");
	is_str(extra(&d), "{\"event\":\"dissolved\",\"user_ids\":[]}", "one who is alone ends it");
	ok(d.r.dissolved && d.r.member_count == 0 && strcmp(d.out, "ann") == 0, "and is out");
	is_int(db_sql("SELECT COUNT(*) FROM group_invites WHERE conversation_id=%llu", (unsigned long long)id), 0,
	       "its codes are gone");
	is_int(do_step(GROUP_DISSOLVE, "ann", id, NULL).r.status, STORE_NOT_FOUND, "it is not theirs any more");
	is_int(group_wrong(), 0, "all counts are right");
}

static void test_dissolve(void)
{
	uint64_t id = do_make("ann", "bob1 bob2 bob3").r.conversation_id;
	do_group(role_op("ann", id, "bob1", GROUP_ADMIN));
	do_group(settings_op("ann", id, (struct group_settings){.join = GROUP_JOIN_OPEN}));
	struct done d = do_step(GROUP_DISSOLVE, "ann", id, NULL);
	is_str(extra(&d), "{\"event\":\"dissolved\",\"user_ids\":[]}", "its end is told");
	ok(d.r.dissolved && d.r.member_count == 4, "its members stay");
	d = do_step(GROUP_DISSOLVE, "ann", id, NULL);
	ok(d.r.status == STORE_OK && !d.r.dissolved && d.r.message == NULL, "again, nothing changes");
	const enum store_status gone = STORE_GROUP_DISSOLVED;
	is_int(do_group(rename_op("ann", id, "X")).r.status, gone, "no change");
	is_int(do_group(rename_op("bob2", id, "X")).r.status, STORE_ROLE, "the role is looked at first");
	is_int(do_add("ann", id, "bob3").r.status, gone, "no adding");
	is_int(do_step(GROUP_REMOVE, "ann", id, "bob3").r.status, gone, "no removing");
	is_int(do_group(role_op("ann", id, "bob3", GROUP_ADMIN)).r.status, gone, "no role");
	is_int(do_group(mute_op("bob1", id, "bob3", 0)).r.status, gone, "no mute");
	is_int(do_step(GROUP_PASS_ON, "ann", id, "bob3").r.status, gone, "no passing on");
	is_int(do_step(GROUP_UNBAN, "ann", id, "bob3").r.status, gone, "no unbanning");
	is_int(do_step(GROUP_INVITE, "bob3", id, NULL).r.status, gone, "no code");
	is_int(do_group(code_op(GROUP_REVOKE, "bob3", id, "0123456789abcdef")).r.status, gone, "no revoking");
	is_int(do_step(GROUP_ACCEPT, "ann", id, "zoe").r.status, gone, "no accepting");
	is_int(do_step(GROUP_DECLINE, "ann", id, "zoe").r.status, gone, "no declining");
	is_int(do_step(GROUP_JOIN, "zoe", id, NULL).r.status, STORE_NOT_FOUND, "a stranger does not see it");
	is_int(do_step(GROUP_JOIN, "bob3", id, NULL).r.status, STORE_OK, "a member is in it");
	d = do_step(GROUP_REMOVE, "bob3", id, "bob3");
	ok(d.r.status == STORE_OK && d.r.message == NULL && strcmp(d.out, "bob3") == 0 && d.r.member_count == 3,
	   "a member leaves it, which nobody is told");
	is_int(do_step(GROUP_REMOVE, "ann", id, "ann").r.status, STORE_OK, "its owner too");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- times ---- */

/* A clock that was ahead, or was set back. */
static void test_clock(void)
{
	uint64_t id = do_make("ann", "bob1").r.conversation_id;
	const unsigned long long n = id;
	db_sql("UPDATE group_heads SET last_message_time='2100-01-01',sort_time='2100-01-01',active_at='2100-01-02' "
	       "WHERE "
	       "id=%llu",
	       n);
	struct done d = do_add("ann", id, "bob2");
	is_int(d.r.gap_ms, 0, "a message is not before the one before it");
	is_int(db_sql("SELECT last_message_time='2100-01-01' AND sort_time='2100-01-01' AND active_at='2100-01-02' "
		      "FROM "
		      "group_heads WHERE id=%llu",
		      n),
	       1, "no time goes back");
	db_sql("UPDATE activity SET at='2050-01-01'");
	id = do_make("ann", "bob1").r.conversation_id;
	is_int(db_sql("SELECT sort_time='2050-01-01' AND active_at='2050-01-01' AND last_message_time<NOW()+INTERVAL 1 "
		      "DAY "
		      "FROM group_heads WHERE id=%llu",
		      (unsigned long long)id),
	       1, "nor that of all activity");
	db_sql("UPDATE activity SET at=UTC_TIMESTAMP(3)-INTERVAL 1 HOUR");
	do_group(rename_op("ann", id, "X"));
	is_int(db_sql("SELECT at='2050-01-01' FROM activity"), 1, "which is moved to what it was given");
	db_sql("UPDATE activity SET at=UTC_TIMESTAMP(3)");
	db_sql("DELETE FROM messages WHERE created_at>'2099-01-01'");
}

int main(void)
{
	db_start();
	base = event_base_new();
	conf = db_conf("tidings");
	db_migrate(conf);
	s = store_new(base, conf, NULL, NULL);
	wait_up(s);
	test_create();
	test_add_remove();
	test_left_out();
	test_coming_back();
	test_dissolved_places();
	test_repeat();
	test_roles();
	test_change();
	test_set_member();
	test_leave();
	test_dissolve();
	test_clock();
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	conf_free(&conf);
	event_base_free(base);
	arena_fini(&kept);
	return done_testing();
}
