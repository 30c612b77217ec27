/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups that several workers' stores change at once, and changes whose COMMIT is not answered: limits are exact, each
 * change is done and told once, and what was told adds up to what is stored.
 */
#include "core/base.h"
#include "store/group.h"

#include "core/clock.h"
#include "group_calls.h"
#include "proxy.h"

enum { STORES = 4, MANY = 64 };

static struct conf *direct, *proxied;
static struct store *store[STORES];
static struct done done[MANY];

/* The stores' clock does not move: however slow the machine is, no operation is given up. */
static _Atomic int64_t shift_ms;
static int64_t held_ms;

static void hold_clock(void)
{
	shift_ms += held_ms - clock_mono_ms();
}

static void wait_all(const struct done *list, int n)
{
	struct event *limit = evtimer_new(base, on_too_long, NULL);
	evtimer_add(limit, &(struct timeval){.tv_sec = WAIT_SECS});
	for (int i = 0; i < n; i++)
		while (!list[i].settled) {
			hold_clock();
			turn();
		}
	event_free(limit);
}

static int count(int n, enum store_status status)
{
	int found = 0;
	for (int i = 0; i < n; i++)
		found += done[i].r.status == status;
	return found;
}

static int count_in(int n)
{
	int found = 0;
	for (int i = 0; i < n; i++)
		found += (int)done[i].r.in_count;
	return found;
}

static void set_join(const char *owner, uint64_t id, enum group_join join)
{
	struct store_group_op op = op_of(GROUP_CHANGE, owner, id, NULL);
	op.sets_join = true;
	op.settings.join = join;
	is_int(do_group(op).r.status, STORE_OK, "a group can be joined");
}

static uint64_t make_open(const char *owner)
{
	uint64_t id = do_make(owner, "").r.conversation_id;
	set_join(owner, id, GROUP_JOIN_OPEN);
	return id;
}

static void name_user(char out[32], const char *prefix, int i)
{
	snprintf(out, 32, "%s%d", prefix, i);
}

/* ---- limits ---- */

static void test_same_id(void)
{
	make_users("ivy", "i", 3);
	for (int i = 0; i < 20; i++) {
		struct store_group_op op = create_op("ivy", i % 2 ? "i1" : "i2 i3");
		op.client_group_id = STR_LIT("once");
		ask_group(store[i % STORES], op, &done[i]);
	}
	wait_all(done, 20);
	int created = 0, same = 0;
	for (int i = 0; i < 20; i++) {
		created += done[i].r.created;
		same += done[i].r.conversation_id == done[0].r.conversation_id;
	}
	is_int(count(20, STORE_OK), 20, "20 create a group with one client_group_id");
	is_int(created, 1, "one makes it");
	is_int(same, 20, "all are answered the same");
	is_int(db_sql("SELECT COUNT(*) FROM group_profiles WHERE created_by='ivy'"), 1, "there is one");
	is_int(db_sql("SELECT COUNT(*) FROM group_heads"), db_sql("SELECT COUNT(*) FROM group_profiles"),
	       "and no other is left half made");
}

static void test_last_place(void)
{
	char user[32];
	uint64_t id = make_open("ivy");
	direct->groups.max_members = 5;
	for (int i = 0; i < 3; i++) {
		name_user(user, "first", i);
		is_int(do_step(GROUP_JOIN, user, id, NULL).r.status, STORE_OK, "one joins");
	}
	for (int i = 0; i < MANY; i++) {
		name_user(user, "joe", i);
		ask_group(store[i % STORES], op_of(GROUP_JOIN, user, id, NULL), &done[i]);
	}
	wait_all(done, MANY);
	is_int(count(MANY, STORE_OK), 1, "of 64 who join at once one gets the last place");
	is_int(count(MANY, STORE_GROUP_FULL), MANY - 1, "the others find it full");
	is_int(db_sql("SELECT COUNT(*) FROM members WHERE conversation_id=%llu", (unsigned long long)id), 5,
	       "the group has its limit");
	direct->groups.max_members = 10000;
}

static void test_last_use(void)
{
	char user[32];
	uint64_t id = make_open("ivy");
	struct store_group_op op = op_of(GROUP_INVITE, "ivy", id, NULL);
	op.max_uses = 5;
	struct group_invite code = do_group(op).invite;
	for (int i = 0; i < MANY; i++) {
		name_user(user, "use", i / 2); /* each twice */
		op = op_of(GROUP_JOIN, user, 0, NULL);
		op.code = str_from(code.code);
		ask_group(store[i % STORES], op, &done[i]);
	}
	wait_all(done, MANY);
	is_int(count_in(MANY), 5, "a code that can be used five times lets five in");
	is_int(count(MANY, STORE_OK), 10, "each of them once, though they come twice");
	is_int(count(MANY, STORE_NOT_FOUND), MANY - 10, "the others find no such code");
	is_int(db_sql("SELECT uses FROM group_invites WHERE code='%s'", code.code), 5, "it was used five times");
}

/* One user who was in no group yet: there is no row to be locked. */
static void test_many_groups(const char *user, bool added)
{
	uint64_t id[12];
	for (int i = 0; i < 12; i++)
		id[i] = make_open("ivy");
	direct->groups.max_per_user = 3;
	for (int i = 0; i < 12; i++) {
		struct store_group_op op = added ? with_users(op_of(GROUP_ADD, "ivy", id[i], NULL), user)
						 : op_of(GROUP_JOIN, user, id[i], NULL);
		ask_group(store[i % STORES], op, &done[i]);
	}
	wait_all(done, 12);
	direct->groups.max_per_user = 2000;
	is_int(count_in(12), 3, "%s 12 groups at once, and is in three", added ? "one is added to" : "one joins");
	is_int(added ? count(12, STORE_OK) : count(12, STORE_TOO_MANY_GROUPS), added ? 12 : 9, "nothing else is wrong");
	is_int(db_sql("SELECT n FROM group_counts WHERE user_id='%s'", user), 3, "the count says so");
}

/* The same users are added to several groups at once, in different orders. */
static void test_crossing(void)
{
	char names[512] = "", back[512] = "";
	uint64_t id[8];
	make_users("ivy", "x", 40);
	for (int i = 1; i <= 40; i++) {
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " x%d", i);
		snprintf(back + strlen(back), sizeof(back) - strlen(back), " x%d", 41 - i);
	}
	for (int i = 0; i < 8; i++)
		id[i] = do_make("ivy", "").r.conversation_id;
	for (int i = 0; i < 8; i++)
		ask_group(store[i % STORES], with_users(op_of(GROUP_ADD, "ivy", id[i], NULL), i % 2 ? names : back),
			  &done[i]);
	wait_all(done, 8);
	is_int(count_in(8), 320, "40 users come into 8 groups");
	for (int i = 0; i < 40; i++) {
		char user[32];
		name_user(user, "x", i + 1);
		ask_group(store[i % STORES], op_of(GROUP_REMOVE, user, id[i % 8], user), &done[i]);
	}
	wait_all(done, 40);
	is_int(count(40, STORE_OK), 40, "and leave");
	is_int(group_wrong(), 0, "all counts are right");
}

/* ---- at random ---- */

enum { OPS = 1500, PEOPLE = 8, GROUPS = 3 };
static const char *const people[PEOPLE] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
static struct done random_done[OPS];
static struct sent_answer random_sent[OPS];
static struct store_group_op random_op(uint64_t id, const char *code)
{
	/* An owner who leaves last would end it too soon. */
	const char *owner =
		people[db_sql("SELECT SUBSTR(owner_id,2) FROM group_profiles WHERE id=%llu", (unsigned long long)id)];
	const char *user = pick(2) ? owner : people[pick(PEOPLE)], *peer = people[pick(PEOPLE)];
	struct store_group_op op = {0};
	if (user == owner && peer == owner)
		return with_users(op_of(GROUP_ADD, user, id, NULL), "p1 p4");
	switch (pick(12)) {
	case 0:
	case 1:
		return with_users(op_of(GROUP_ADD, user, id, NULL), pick(2) ? "p1 p6 p3" : "p5 p2 p0 p7");
	case 2:
	case 3:
		op = op_of(GROUP_REMOVE, user, id, peer);
		op.ban = pick(8) == 0;
		return op;
	case 4:
		return op_of(GROUP_REMOVE, peer, id, peer == owner ? user : peer);
	case 5:
		return op_of(GROUP_PASS_ON, user, id, peer);
	case 6:
		op = op_of(GROUP_SET_MEMBER, user, id, peer);
		op.sets_role = true;
		op.role = pick(2) ? GROUP_ADMIN : GROUP_MEMBER;
		return op;
	case 7:
		return op_of(GROUP_UNBAN, user, id, peer);
	case 8:
		op = op_of(GROUP_JOIN, user, 0, NULL);
		op.code = str_from(code);
		return op;
	case 9:
		return op_of(GROUP_JOIN, user, id, NULL);
	case 10:
		return op_of(pick(3) ? GROUP_ACCEPT : GROUP_DECLINE, user, id, peer);
	default:
		op = op_of(GROUP_CHANGE, user, id, NULL);
		op.sets_join = true;
		op.settings.join = (enum group_join)pick(3);
		return op;
	}
}

/* Messages go through the write lane, between the changes. */
static void random_send(uint64_t id, struct sent_answer *a)
{
	const struct store_send p = {
		.from = str_from(people[pick(PEOPLE)]),
		.conversation_id = id,
		.type = MESSAGE_TEXT,
		.content = STR_LIT("hello"),
		.mention = &(struct str){people[pick(PEOPLE)], 2},
		.mention_count = 1,
	};
	ask_send(store[pick(STORES)], p, a);
}

static bool may_be_sent(enum store_status status)
{
	return status == STORE_OK || status == STORE_NOT_FOUND || status == STORE_GROUP_DISSOLVED;
}

static void wait_sent(void)
{
	for (int i = 0; i < OPS; i++)
		while (!random_sent[i].settled) {
			hold_clock();
			turn();
		}
}

static bool has_word(const char *words, const char *word)
{
	return strstr(words, word) != NULL; /* all have two characters */
}

/* By what was told, is each of them in or not? */
static long long differing(uint64_t id)
{
	long long wrong = 0;
	for (int p = 0; p < PEOPLE; p++) {
		int in = p == 0; /* who made it */
		for (int i = 0; i < OPS; i++) {
			const struct done *d = &random_done[i];
			if (d->r.status == STORE_OK && d->r.conversation_id == id)
				in += has_word(d->in, people[p]) - has_word(d->out, people[p]);
		}
		wrong += in != db_sql("SELECT COUNT(*) FROM members WHERE conversation_id=%llu AND user_id='%s'",
				      (unsigned long long)id, people[p]);
	}
	return wrong;
}

static void test_random(void)
{
	uint64_t id[GROUPS];
	struct group_invite code[GROUPS];
	for (int i = 0; i < PEOPLE; i++)
		for (int k = 0; k < i; k++)
			db_befriend(people[i], people[k]);
	for (int i = 0; i < PEOPLE; i++)
		db_sql("INSERT INTO users (id) VALUES ('%s')", people[i]);
	for (int i = 0; i < GROUPS; i++) {
		id[i] = do_make("p0", "").r.conversation_id;
		code[i] = do_step(GROUP_INVITE, "p0", id[i], NULL).invite;
	}
	const long long before = db_sql("SELECT COUNT(*) FROM messages");
	direct->groups.max_per_user = 2;
	direct->groups.max_members = 6;
	for (int i = 0; i < OPS; i++) {
		unsigned g = pick(GROUPS);
		ask_group(store[pick(STORES)], random_op(id[g], code[g].code), &random_done[i]);
		random_send(id[g], &random_sent[i]);
		if (i % 50 == 49)
			wait_all(random_done, i - 20);
	}
	wait_all(random_done, OPS);
	wait_sent();
	direct->groups.max_per_user = 2000;
	direct->groups.max_members = 10000;
	long long told = 0, sent = 0, wrong_status = 0, changed = 0;
	for (int i = 0; i < OPS; i++) {
		enum store_status status = random_done[i].r.status;
		told += random_done[i].m.id != 0;
		sent += random_sent[i].status == STORE_OK;
		wrong_status += !may_be_sent(random_sent[i].status);
		changed += random_done[i].r.in_count + random_done[i].r.out_count != 0;
		wrong_status += status == STORE_UNAVAILABLE || status == STORE_OVERLOADED || status == STORE_UNKNOWN;
	}
	printf("# %lld of %d told, %lld came or went, %lld sent\n", told, OPS, changed, sent);
	is_int(wrong_status, 0, "no answer that cannot be");
	ok(changed > 100 && sent > 100, "members come and go, and speak");
	is_int(db_sql("SELECT COUNT(*) FROM messages"), before + told + sent, "each message was told once");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE message_type<>7 AND id>>62=1"), sent, "of both kinds");
	is_int(group_wrong(), 0, "all counts are right, and no seq is missing");
	for (int i = 0; i < GROUPS; i++)
		is_int(differing(id[i]), 0, "who was told to come or go has done so");
	is_int(db_sql("SELECT COUNT(*) FROM group_counts WHERE n>2 AND user_id LIKE 'p_'"), 0, "nobody is in too many");
	is_int(db_sql("SELECT COUNT(*) FROM group_heads WHERE member_count>6 AND id>=%llu", (unsigned long long)id[0]),
	       0, "no group has too many");
}

/* ---- connections that are cut ---- */

static struct store *straight; /* past the proxy */

/* Does it while the connection is cut at its COMMIT. */
static struct done do_cut(struct store_group_op op, enum cut how, const char *name)
{
	static struct done d;
	wait_up(s);
	cut_at = ";COMMIT";
	cut = how;
	ask_group(s, op, &d);
	wait_all(&d, 1);
	ok(cut == CUT_NONE && d.r.status == STORE_OK, "%s: %s", name, store_status_name(d.r.status));
	cut = CUT_NONE;
	return d;
}

/* By another way. */
static struct done do_straight(struct store_group_op op)
{
	static struct done d;
	ask_group(straight, op, &d);
	wait_all(&d, 1);
	return d;
}

static bool is_last(const struct done *d)
{
	return d->r.message != NULL &&
	       db_sql("SELECT last_seq FROM group_heads WHERE id=%llu", (unsigned long long)d->r.conversation_id) ==
		       (long long)message_id_seq(d->m.id);
}

static uint64_t test_cut_members(enum cut how, const char *name)
{
	printf("# %s\n", name);
	struct done d = do_cut(create_op("kay", "k1 k2"), how, "a group is made");
	uint64_t id = d.r.conversation_id;
	ok(d.r.created && is_last(&d) && message_id_conversation(d.m.id) == id && strcmp(d.in, "kay k1 k2") == 0,
	   "with its first message");
	struct store_group_op op = create_op("kay", "k1");
	op.client_group_id = str_from(name);
	d = do_cut(op, how, "one with a client_group_id");
	ok(d.r.created && is_last(&d), "is new");
	d = do_cut(with_users(op_of(GROUP_ADD, "kay", id, NULL), "k3 k1 k4"), how, "users are added");
	ok(is_last(&d) && message_id_seq(d.m.id) == 2 && strcmp(d.in, "k3 k4") == 0 &&
		   strcmp(d.left_out, "k1:taken") == 0 && d.r.member_count == 5,
	   "told once, as it was done");
	d = do_cut(op_of(GROUP_REMOVE, "k3", id, "k3"), how, "one leaves");
	ok(is_last(&d) && strcmp(d.out, "k3") == 0, "told once");
	op = op_of(GROUP_REMOVE, "kay", id, "k4");
	op.ban = true;
	d = do_cut(op, how, "one is banned");
	ok(is_last(&d) && strcmp(d.out, "k4") == 0 && d.r.banned, "told once");
	d = do_cut(op_of(GROUP_PASS_ON, "kay", id, "k1"), how, "it is passed on");
	ok(is_last(&d) && d.r.role_changed, "told once");
	d = do_cut(op_of(GROUP_UNBAN, "kay", id, "k4"), how, "one is unbanned");
	return id;
}

static void test_cut_joining(uint64_t id, enum cut how)
{
	struct store_group_op op = op_of(GROUP_CHANGE, "kay", id, NULL);
	op.sets_join = true;
	op.settings.join = GROUP_JOIN_APPROVAL;
	struct done d = do_cut(op, how, "the settings are changed");
	ok(is_last(&d), "told once");
	d = do_cut(op_of(GROUP_JOIN, "k5", id, NULL), how, "one asks to come in");
	ok(d.r.requested, "and is told so");
	d = do_cut(op_of(GROUP_ACCEPT, "kay", id, "k5"), how, "one is let in");
	ok(is_last(&d) && strcmp(d.in, "k5") == 0 && d.member.role == GROUP_MEMBER, "told once");
	do_straight(op_of(GROUP_JOIN, "k6", id, NULL));
	do_cut(op_of(GROUP_DECLINE, "kay", id, "k6"), how, "one is not");
}

static void test_cut_codes(uint64_t id, enum cut how)
{
	struct store_group_op op = op_of(GROUP_CHANGE, "kay", id, NULL);
	op.sets_join = true;
	do_straight(op);
	op = op_of(GROUP_INVITE, "kay", id, NULL);
	op.max_uses = 1;
	struct group_invite code = do_cut(op, how, "a code is made").invite;
	op = op_of(GROUP_JOIN, "k6", 0, NULL);
	op.code = str_from(code.code);
	struct done d = do_cut(op, how, "one joins with it");
	ok(is_last(&d) && strcmp(d.in, "k6") == 0, "told once");
	is_int(db_sql("SELECT uses FROM group_invites WHERE code='%s'", code.code), 1, "it is used once");
	op = op_of(GROUP_REVOKE, "kay", id, NULL);
	op.code = str_from(code.code);
	do_cut(op, how, "it is revoked");
}

static void test_cut_end(uint64_t id, enum cut how)
{
	struct done d = do_cut(op_of(GROUP_DISSOLVE, "k1", id, NULL), how, "it is dissolved");
	ok(is_last(&d) && d.r.dissolved, "told once");
	d = do_cut(op_of(GROUP_REMOVE, "k2", id, "k2"), how, "one leaves it");
	ok(d.r.message == NULL && strcmp(d.out, "k2") == 0, "once");
	is_int(group_wrong(), 0, "all counts are right");
}

/* The answer to COMMIT is lost, and the database with it. */
static void test_settle(struct store_group_op op, bool told, const char *name)
{
	struct done d;
	wait_up(s);
	cut_at = ";COMMIT";
	cut = CUT_AFTER;
	proxy_closed = true;
	ask_group(s, op, &d);
	wait_for(&d.done);
	is_int(d.r.status, told ? STORE_UNCERTAIN : STORE_UNAVAILABLE, "%s", name);
	proxy_closed = false;
	wait_for(&d.settled);
	is_int(d.r.status, told ? STORE_UNKNOWN : STORE_UNAVAILABLE, "and nobody will know");
	ok(d.r.message == NULL && (!told || d.r.conversation_id != 0), "but which group it was");
}

int main(void)
{
	db_start();
	direct = db_conf("tidings");
	proxied = db_conf("tidings");
	db_migrate(direct);
	base = event_base_new();
	held_ms = clock_mono_ms();
	clock_share_shift(&shift_ms);
	for (int i = 0; i < STORES; i++) {
		store[i] = store_new(base, direct, NULL, NULL);
		wait_up(store[i]);
	}
	s = straight = store[0];
	test_same_id();
	test_last_place();
	test_last_use();
	make_users("ivy", "new", 2);
	test_many_groups("new1", true);
	test_many_groups("new2", false);
	test_crossing();
	test_random();

	make_users("kay", "k", 6);
	struct evconnlistener *proxy = proxy_new();
	db_set(&proxied->mysql.socket, proxy_socket);
	s = store_new(base, proxied, NULL, NULL);
	wait_up(s);
	static const struct {
		enum cut how;
		const char *name;
	} cuts[] = {{CUT_AFTER, "committed"}, {CUT_LATE, "late"}, {CUT_BEFORE, "lost"}, {CUT_UNDONE, "undone"}};
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		uint64_t id = test_cut_members(cuts[i].how, cuts[i].name);
		if (cuts[i].how == CUT_LATE)
			continue; /* the others are the same, and it takes its time */
		test_cut_joining(id, cuts[i].how);
		test_cut_codes(id, cuts[i].how);
		test_cut_end(id, cuts[i].how);
	}
	test_settle(create_op("kay", "k1"), true, "a group that was made");
	test_settle(op_of(GROUP_INVITE, "kay", do_make("kay", "").r.conversation_id, NULL), false, "a code");
	is_int(group_wrong(), 0, "all counts are right");
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	for (int i = 0; i < STORES; i++)
		store_free(&store[i]);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	proxy_free(proxy);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&direct);
	conf_free(&proxied);
	return done_testing();
}
