/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was answered as done stands exactly once, whatever dies when: connections at every
 * point of a transaction (a proxy between store and database cuts them), the database itself, and rows that
 * somebody else keeps locked. And what has nothing to do with it stays whole.
 */
#include "core/base.h"
#include "store/store.h"

#include <sys/socket.h>

#include "core/clock.h"
#include "store/link.h"
#include "db.h"
#include "store/people.h"

#include "calls.h"
#include "groups.h"
#include "proxied_store.h"
#include "../tap.h"

static unsigned retries;
static char retried_why[32];

static void on_retry(const char *why, void *ctx)
{
	retries++;
	snprintf(retried_why, sizeof(retried_why), "%s", why);
}

/* ---- connections that are cut ---- */

static void test_cut(enum cut how, const char *at, const char *name)
{
	static int round;
	char a[16], b[16], fresh[16], other[16], admirer[16], client_msg_id[16];
	round++;
	snprintf(a, sizeof(a), "a%d", round);
	snprintf(b, sizeof(b), "b%d", round);
	snprintf(fresh, sizeof(fresh), "f%d", round);
	snprintf(other, sizeof(other), "o%d", round);
	snprintf(admirer, sizeof(admirer), "r%d", round);
	snprintf(client_msg_id, sizeof(client_msg_id), "id%d", round);
	db_befriend(a, b);
	db_befriend(a, fresh);
	db_befriend(a, other);
	db_befriend(a, admirer);
	struct sent_answer m[4];
	for (int i = 0; i < 4; i++)
		m[i] = do_text(s, a, b, "before", NULL);
	uint64_t id = message_id_conversation(m[0].m.id), third = do_text(s, a, admirer, "third", NULL).m.id;
	do_change(ACT_REACT, s, a, third);
	do_change(ACT_PIN, s, a, third);
	wait_up(s);

	retries = 0;
	cut_at = at;
	cut = how;
	struct sent_answer with, without, again, to_fresh;
	struct change_answer recalled, read, deleted, edited, reacted, pinned, unreacted, unpinned;
	struct read_answer all;
	struct created_answer created;
	ask_change(ACT_RECALL, s, a, m[0].m.id, &recalled);
	ask_change(ACT_READ, s, b, m[1].m.id, &read);
	ask_change(ACT_DELETE, s, b, m[3].m.id, &deleted);
	ask_change(ACT_EDIT, s, a, m[2].m.id, &edited);
	ask_change(ACT_REACT, s, b, m[2].m.id, &reacted);
	ask_change(ACT_PIN, s, b, m[1].m.id, &pinned);
	ask_change(ACT_UNREACT, s, a, third, &unreacted);
	ask_change(ACT_UNPIN, s, a, third, &unpinned);
	ask_send(s, text_to(a, b, "with", client_msg_id), &with);
	ask_send(s, text_to(a, b, "without", NULL), &without);
	ask_send(s, text_to(a, b, "with", client_msg_id), &again);
	ask_send(s, text_to(a, fresh, "new", NULL), &to_fresh);
	ask_create(s, other, a, NULL, NULL, &created);
	ask_read(s, b, id, 5, &all);
	wait_for(&all.done);
	wait_for(&created.done);
	wait_for(&to_fresh.done);
	ok(cut == CUT_NONE && retries > 0, "%s: the connection was cut", name);
	ok(with.status == STORE_OK && !with.replayed && message_id_seq(with.m.id) == 5, "a send is new");
	ok(without.status == STORE_OK && !without.replayed && message_id_seq(without.m.id) == 6,
	   "also without a client_msg_id");
	ok(again.status == STORE_OK && again.replayed && again.m.id == with.m.id, "its repeat is one");
	ok(to_fresh.status == STORE_OK && !to_fresh.replayed && message_id_seq(to_fresh.m.id) == 1,
	   "one that makes a conversation too");
	ok(created.status == STORE_OK && created.created, "a conversation is new");
	ok(recalled.status == STORE_OK && recalled.changed && recalled.change_seq == 1 && recalled.m.is_recalled,
	   "a recall is told as done");
	ok(read.status == STORE_OK && read.changed && read.change_seq == 2 && read.m.is_read, "a read");
	ok(deleted.status == STORE_OK && deleted.changed && deleted.change_seq == 3, "a deletion");
	ok(edited.status == STORE_OK && edited.changed && edited.change_seq == 4 && edited.m.edited_ms != 0, "an edit");
	ok(reacted.status == STORE_OK && reacted.changed && reacted.change_seq == 5 && reacted.m.reactions.s != NULL,
	   "a reaction");
	ok(pinned.status == STORE_OK && pinned.changed && pinned.change_seq == 6, "a pin");
	ok(unreacted.status == STORE_OK && unreacted.changed && unreacted.change_seq == 3 &&
		   unreacted.m.reactions.s == NULL,
	   "a reaction that is taken back");
	ok(unpinned.status == STORE_OK && unpinned.changed && unpinned.change_seq == 4, "and a pin");
	is_int(db_sql("SELECT COUNT(*) FROM reactions r LEFT JOIN pins p ON p.message_id=r.message_id WHERE "
		      "r.message_id=%llu",
		      (unsigned long long)third),
	       0, "which leave no row");
	is_int(db_sql("SELECT COUNT(*) FROM reactions r JOIN pins p ON r.message_id>>28=%llu AND p. "
		      "conversation_id=%llu",
		      (unsigned long long)id, (unsigned long long)id),
	       1, "of which there is one each");
	ok(all.r.status == STORE_OK && all.r.changed && all.r.read_seq == 5 && all.r.up_to_seq == 5,
	   "the reading of all");
	is_int(all.r.marked, 4, "with what it marked");
	is_int(all.r.unread, 1, "and left");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu", (unsigned long long)id), 6,
	       "each message stands once");
	is_int(db_sql("SELECT change_seq FROM conversations WHERE id=%llu", (unsigned long long)id), 6,
	       "each change too");
	is_int(db_wrong(), 0, "and all counters are right");
}

/* The same in groups, with a pair beside them. */
static void test_cut_groups(enum cut how, const char *at, const char *name)
{
	static int round;
	char client_msg_id[16];
	snprintf(client_msg_id, sizeof(client_msg_id), "group%d", ++round);
	uint64_t group = group_make("olga"), second = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	group_add(second, "mia", GROUP_MEMBER);
	db_befriend("olga", "mia");
	struct sent_answer m[4];
	for (int i = 0; i < 4; i++)
		m[i] = do_send(s, text_in(group, "olga", "before", NULL));
	wait_up(s);

	retries = 0;
	cut_at = at;
	cut = how;
	const struct str mention[] = {STR_LIT("mia")};
	struct store_send p = text_in(group, "olga", "with", client_msg_id);
	p.mention = mention;
	p.mention_count = 1;
	struct sent_answer with, without, again, elsewhere, direct;
	struct change_answer recalled, deleted, edited = {0};
	struct read_answer some, all;
	const struct store_act e = {.act = ACT_EDIT,
				    .user = STR_LIT("olga"),
				    .id = m[1].m.id,
				    .content = STR_LIT("edited"),
				    .mention = mention,
				    .mention_count = 1};
	ask_change(ACT_RECALL, s, "olga", m[0].m.id, &recalled);
	ask_change(ACT_DELETE, s, "mia", m[3].m.id, &deleted);
	store_act(s, &e, on_changed, &edited);
	ask_send(s, p, &with);
	ask_send(s, text_in(group, "olga", "without", NULL), &without);
	ask_send(s, p, &again);
	ask_send(s, text_in(second, "mia", "x", NULL), &elsewhere);
	ask_send(s, text_to("olga", "mia", "x", NULL), &direct);
	ask_read(s, "olga", second, UINT64_MAX, &all);
	ask_read(s, "mia", group, 7, &some);
	wait_for(&some.done);
	wait_for(&all.done);
	wait_for(&elsewhere.done);
	wait_for(&direct.done);
	ok(cut == CUT_NONE && retries > 0, "groups, %s: the connection was cut", name);
	ok(with.status == STORE_OK && !with.replayed && message_id_seq(with.m.id) == 7, "a send is new");
	ok(str_is(with.m.mentions, "[\"mia\"]"), "with whom it mentions");
	ok(without.status == STORE_OK && !without.replayed && message_id_seq(without.m.id) == 8,
	   "also without a client_msg_id");
	ok(again.status == STORE_OK && again.replayed && again.m.id == with.m.id, "its repeat is one");
	ok(elsewhere.status == STORE_OK && !elsewhere.replayed && direct.status == STORE_OK && !direct.replayed,
	   "in another group and to a friend, too");
	ok(recalled.status == STORE_OK && recalled.changed && recalled.change_seq == 1, "a recall is told as done");
	ok(deleted.status == STORE_OK && deleted.changed && deleted.change_seq == 2, "a deletion");
	ok(edited.status == STORE_OK && edited.changed && edited.change_seq == 3 &&
		   str_is(edited.m.mentions, "[\"mia\"]"),
	   "an edit");
	ok(some.r.status == STORE_OK && some.r.changed && some.r.read_seq == 7 && some.r.up_to_seq == 7, "a read");
	is_int(some.r.marked, 3, "with what it marked");
	is_int(some.r.unread, 1, "and left");
	ok(all.r.status == STORE_OK && all.r.changed && all.r.unread == 0, "and one of all");
	is_int(group_unread(group, "mia"), 1, "so it is stored");
	is_int(head_of(group, "last_seq"), 8, "each message once");
	is_int(db_sql("SELECT COUNT(*) FROM mentions WHERE conversation_id=%llu", ull(group)), 2, "and each mention");
	is_int(db_wrong() + group_wrong(), 0, "and all counts are right");
}

static void test_cut_both(enum cut how, const char *at, const char *name)
{
	test_cut(how, at, name);
	test_cut_groups(how, at, name);
}

/* A transaction that the database has rolled back behind our back commits nothing of its second half. */
static void test_undone(void)
{
	test_cut_both(CUT_UNDONE, ";COMMIT", "rolled back before the second round trip");
	is_str(retried_why, "lost_transaction", "and it is told by its savepoint");
}

/*
 * The first message of two users makes their conversation. Where its packet is still on its way when it is tried again,
 * and they are friends no more then, it is not refused before the first try has ended.
 */
static void test_late_first(void)
{
	db_befriend("late1", "late2");
	wait_up(s);
	struct sent_answer sent;
	cut_at = ";COMMIT";
	cut = CUT_LATE;
	ask_send(s, text_to("late1", "late2", "hello", "late"), &sent);
	while (cut != CUT_NONE)
		turn();
	db_sql("DELETE FROM friendships WHERE user_id LIKE 'late_'");
	wait_for(&sent.done);
	ok(late_server == NULL, "a first message that comes late");
	ok(sent.status == STORE_OK && !sent.replayed && message_id_seq(sent.m.id) == 1,
	   "is found done, though its sender may not send any more: %d", sent.status);
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE from_user_id='late1'"), 1, "it is stored once");
	is_int(do_text(s, "late1", "late2", "again", NULL).status, STORE_NOT_FRIENDS, "the next one is refused");
}

struct nickname_answer {
	bool done;
	enum store_status status;
};

static void on_nickname(const struct store_user *r, void *arg)
{
	struct nickname_answer *a = arg;
	a->done = true;
	a->status = r->status;
}

/* The same on the connection of the rarer transactions: found, as nothing is written again, by its being undone. */
static void test_undone_people(void)
{
	struct nickname_answer a = {0};
	wait_up(s);
	cut_at = ";COMMIT";
	cut = CUT_UNDONE;
	store_change_user(s, str_from("nick"),
			  &(struct store_user_change){.sets_nickname = true, .nickname = str_from("Nick")}, on_nickname,
			  &a);
	wait_for(&a.done);
	ok(cut == CUT_NONE && a.status == STORE_OK, "a profile is changed though its transaction was rolled back");
	is_int(db_sql("SELECT COUNT(*) FROM users WHERE id='nick' AND nickname='Nick'"), 1, "once it is told so");
}

/* ---- many sends while something dies ---- */

enum { FLOOD = 4000 };
struct flood {
	struct sent_answer a[FLOOD];
	int asked, answered;
	uint64_t group; /* of the two, which gets every other message */
};
static struct flood flood;

static struct store_send flood_message(int i, const char *text, const char *client_msg_id)
{
	const char *from = i % 2 ? "x" : "y", *to = i % 2 ? "y" : "x";
	return i % 4 < 2 ? text_to(from, to, text, client_msg_id) : text_in(flood.group, from, text, client_msg_id);
}

static void flood_add(int n)
{
	char text[16], client_msg_id[24];
	for (; n > 0 && flood.asked < FLOOD; n--) {
		int i = flood.asked++;
		snprintf(text, sizeof(text), "%d", i);
		snprintf(client_msg_id, sizeof(client_msg_id), "flood%d", i);
		ask_send(s, flood_message(i, text, i % 3 ? client_msg_id : NULL), &flood.a[i]);
	}
}

static int flood_answered(void)
{
	while (flood.answered < flood.asked && flood.a[flood.answered].done)
		flood.answered++;
	return flood.answered;
}

static void flood_finish(void)
{
	while (flood_answered() < flood.asked)
		wait_for(&flood.a[flood.answered].done);
}

/* The last answers. */
static void flood_settle(void)
{
	for (int i = 0; i < flood.asked; i++)
		wait_for(&flood.a[i].settled);
}

/* What is stored: how often, and under which id. */
static void flood_load(unsigned *times, uint64_t *id)
{
	MYSQL_RES *r;
	MYSQL_ROW row;
	if (mysql_query(db_handle,
			"SELECT content,id FROM messages WHERE from_user_id IN ('x','y') AND message_type=0") != 0 ||
	    (r = mysql_store_result(db_handle)) == NULL)
		db_die("reading what stands");
	while ((row = mysql_fetch_row(r)) != NULL) {
		int i = atoi(row[0]);
		times[i]++;
		id[i] = strtoull(row[1], NULL, 10);
	}
	mysql_free_result(r);
}

static void flood_check(const char *name, bool all)
{
	static unsigned times[FLOOD];
	static uint64_t id[FLOOD];
	int fine = 0, away = 0, missing = 0, twice = 0, other = 0;
	memset(times, 0, sizeof(times));
	flood_load(times, id);
	for (int i = 0; i < flood.asked; i++) {
		const struct sent_answer *a = &flood.a[i];
		fine += a->status == STORE_OK;
		away += a->status == STORE_UNAVAILABLE;
		other += a->status != STORE_OK && a->status != STORE_UNAVAILABLE;
		twice += times[i] > 1;
		missing += a->status == STORE_OK && (times[i] == 0 || id[i] != a->m.id);
	}
	printf("# %s: %d sent, %d unavailable, %u retries\n", name, fine, away, retries);
	is_int(missing, 0, "%s: all that was answered stands", name);
	is_int(twice, 0, "nothing stands twice");
	is_int(other, 0, "no other answer was given");
	is_int(db_wrong() + group_wrong(), 0, "and there is no gap");
	if (all)
		is_int(away, 0, "all was sent in the end");
	else
		ok(fine > 0, "some was sent");
}

static void flood_begin(void)
{
	memset(&flood, 0, sizeof(flood));
	retries = 0;
	db_sql("DELETE FROM messages;DELETE FROM deletions;DELETE FROM changes;DELETE FROM recalls;DELETE FROM "
	       "conversations;DELETE FROM group_heads;DELETE FROM members;DELETE FROM uncounted;DELETE FROM mentions;"
	       "DELETE FROM read_marks");
	db_befriend("x", "y");
	flood.group = group_make("x");
	group_add(flood.group, "y", GROUP_MEMBER);
}

/* `what` is CONNECTION or QUERY. */
static void test_killed(const char *what, int rounds)
{
	flood_begin();
	MYSQL_RES *r;
	MYSQL_ROW row;
	int killed = 0;
	for (int round = 0; round < rounds; round++) {
		flood_add(FLOOD / 30);
		for (int i = 0; i < 2 + round % 7; i++)
			turn();
		unsigned long self = mysql_thread_id(db_handle);
		if (mysql_query(db_handle, "SHOW PROCESSLIST") != 0 || (r = mysql_store_result(db_handle)) == NULL)
			db_die("SHOW PROCESSLIST");
		while ((row = mysql_fetch_row(r)) != NULL) {
			char kill_it[64];
			snprintf(kill_it, sizeof(kill_it), "KILL %s %s", what, row[0]);
			if (strtoul(row[0], NULL, 10) != self && row[1] != NULL && strcmp(row[1], "root") == 0)
				killed += mysql_query(db_handle, kill_it) == 0;
		}
		mysql_free_result(r);
		for (int limit = flood.asked - 60; flood_answered() < limit;)
			turn();
	}
	flood_finish();
	ok(killed > 0, "KILL %s", what);
	flood_check(what, true);
}

static void test_killed_database(void)
{
	flood_begin();
	for (int round = 0; round < 3; round++) {
		int until = flood.asked + 500;
		while (flood_answered() < until) {
			flood_add(flood.asked - flood.answered < 300 ? 50 : 0);
			turn();
		}
		db_down(SIGKILL);
		flood_add(100);
		db_up();
		db_connect("tidings");
	}
	flood_settle();
	flood_check("killed database", false);
}

static void test_stopped_database(void)
{
	flood_begin();
	flood_add(300);
	while (flood_answered() < 100)
		turn();
	flood_add(300);
	turn();
	db_freeze();
	int64_t begun = clock_mono_ms();
	flood_add(100);
	flood_finish();
	ok(clock_mono_ms() - begun > 1000, "a database that does not answer is given some time, and then is away");
	size_t unsettled = 0;
	for (int i = 0; i < flood.asked; i++)
		unsettled += !flood.a[i].settled;
	is_int(store_pending(s), (long long)unsettled, "nothing waits but what may have committed");
	ok(!store_is_up(s), "the store knows that it is down");
	kill(db_pid, SIGCONT);
	wait_up(s);
	flood_settle();
	flood_check("stopped database", false);
	/* A client that was told "unavailable" asks again. */
	int again = 0;
	for (int i = 0; i < flood.asked; i++) {
		char text[16], client_msg_id[24];
		if (flood.a[i].status == STORE_OK || i % 3 == 0)
			continue;
		snprintf(text, sizeof(text), "%d", i);
		snprintf(client_msg_id, sizeof(client_msg_id), "flood%d", i);
		again += do_send(s, flood_message(i, text, client_msg_id)).status != STORE_OK;
	}
	is_int(again, 0, "a repeat with the same client_msg_id is done");
	is_int(db_sql("SELECT COUNT(*) FROM (SELECT content FROM messages WHERE message_type=0 GROUP BY content HAVING "
		      "COUNT(*)>1) k"),
	       0, "or was, but not twice");
}

/* Within some turns of a loop that never waits, so no time is needed to tell. */
static bool refused_at_once(void)
{
	struct sent_answer sent;
	struct count_answer count = {0};
	ask_send(s, text_to("x", "y", "away", NULL), &sent);
	store_count_unread(s, str_from("x"), on_unread, &count);
	loop_running = true;
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	loop_running = false;
	bool refused = sent.done && count.done && sent.status == STORE_UNAVAILABLE && count.status == STORE_UNAVAILABLE;
	wait_for(&sent.done);
	wait_for(&count.done);
	return refused;
}

static void test_absent_database(void)
{
	db_befriend("x", "y");
	wait_up(s);
	struct sent_answer caught;
	struct count_answer caught_read = {0};
	db_down(SIGKILL);
	ask_send(s, text_to("x", "y", "caught", NULL), &caught);
	store_count_unread(s, str_from("x"), on_unread, &caught_read);
	wait_for(&caught.done);
	wait_for(&caught_read.done);
	/* It may have been sent in one round trip. */
	ok(caught.status == STORE_UNAVAILABLE || caught.status == STORE_UNCERTAIN,
	   "the database has gone: a send is not done: %d", caught.status);
	is_int(caught_read.status, STORE_UNAVAILABLE, "and a read");
	int at_once = 0;
	for (int i = 0; i < 50; i++)
		at_once += refused_at_once();
	is_int(at_once, 50, "those after them without waiting");
	db_up();
	db_connect("tidings");
	wait_up(s);
	is_int(do_text(s, "x", "y", "back", NULL).status, STORE_OK, "it is back: a send is done");
	wait_for(&caught.settled);
	is_int(caught.status, STORE_UNAVAILABLE, "what was not done is refused in the end");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE content IN ('away','caught')"), 0, "and was not done");
}

static void test_locked_row(void)
{
	db_befriend("l1", "l2");
	db_befriend("l3", "l4");
	db_befriend("l5", "l6");
	uint64_t id = message_id_conversation(do_text(s, "l1", "l2", "x", NULL).m.id);
	do_text(s, "l3", "l4", "x", NULL);
	db_sql("START TRANSACTION;SELECT id FROM conversations WHERE id=%llu FOR UPDATE", (unsigned long long)id);
	struct sent_answer stuck, stuck2, good, fresh;
	struct read_answer none;
	ask_send(s, text_to("l1", "l2", "y", NULL), &stuck);
	ask_send(s, text_to("l3", "l4", "y", NULL), &good);
	ask_send(s, text_to("l5", "l6", "y", NULL), &fresh);
	ask_read(s, "l3", 123456, 1, &none);
	wait_for(&good.done);
	wait_for(&fresh.done);
	wait_for(&none.done);
	ok(good.status == STORE_OK && fresh.status == STORE_OK,
	   "a row that is locked for long holds up others a moment");
	is_int(none.r.status, STORE_NOT_FOUND, "what does not stand is told from what is locked");
	ok(!stuck.done, "and what needs it waits");
	is_int(do_text(s, "l4", "l3", "y", NULL).status, STORE_OK, "others are served");
	ok(!stuck.done, "meanwhile");
	wait_for(&stuck.done);
	is_int(stuck.status, STORE_UNAVAILABLE, "until its time is up");
	ask_send(s, text_to("l1", "l2", "z", NULL), &stuck2);
	for (int i = 0; i < 20; i++)
		turn();
	ok(!stuck2.done, "another one");
	db_sql("COMMIT");
	wait_for(&stuck2.done);
	ok(stuck2.status == STORE_OK && message_id_seq(stuck2.m.id) == 2, "goes on once the row is free");
}

/* ---- descriptors that were given back ---- */

static bool link_ready, query_lost;

static void on_link_ready(struct link *l, void *ctx)
{
	link_ready = true;
}

static void on_query_done(struct link_query *q, const struct link_result *r)
{
	query_lost = r->outcome == LINK_LOST;
}

/* The library closes the socket of a connection that it finds dead; the next one to be opened has its number. */
static void test_reused_descriptor(const struct conf *c)
{
	enum { PAIRS = 8 };
	static const struct link_events events = {.ready = on_link_ready};
	struct link *l = link_new(base, c, &(struct link_options){.name = "reused"}, &events, NULL);
	wait_for(&link_ready);
	db_sql("SET @id=(SELECT MAX(id) FROM information_schema.PROCESSLIST WHERE id<>CONNECTION_ID())");
	db_sql("EXECUTE IMMEDIATE CONCAT('KILL ', @id)");
	while (db_sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id=@id") != 0)
		;
	/* As when the connection ends after the loop has looked, and before a query is begun. */
	struct link_query q = {.text = STR_LIT("DO 0"), .done = on_query_done};
	link_query(l, &q);
	int pair[PAIRS][2], broken = 0;
	char byte;
	for (int i = 0; i < PAIRS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair[i]) != 0)
			db_die("socketpair");
	wait_for(&query_lost);
	for (int i = 0; i < PAIRS; i++) {
		broken +=
			recv(pair[i][0], &byte, 1, MSG_DONTWAIT) >= 0 || recv(pair[i][1], &byte, 1, MSG_DONTWAIT) >= 0;
		close(pair[i][0]);
		close(pair[i][1]);
	}
	is_int(broken, 0, "a connection that is found dead takes no other one along");
	link_free(&l);
}

int main(void)
{
	static const struct store_observer obs = {.retry = on_retry};
	proxied_store_begin(&obs);
	struct conf *direct = db_conf("tidings");
	test_cut_both(CUT_BEFORE, END_OF_LOCKING, "before the first round trip");
	test_cut_both(CUT_AFTER, END_OF_LOCKING, "after the first round trip");
	test_cut_both(CUT_BEFORE, ";COMMIT", "before the second round trip");
	test_cut_both(CUT_HALF, ";COMMIT", "within the second round trip");
	test_cut_both(CUT_AFTER, ";COMMIT", "after the second round trip");
	test_cut_both(CUT_LATE, ";COMMIT", "a second round trip that is late");
	test_late_first();
	test_undone();
	test_undone_people();
	test_cut_both(CUT_ANSWER, END_OF_LOCKING, "answers of the first round trip left out");
	test_cut_both(CUT_ANSWER, ";COMMIT", "answers of the second round trip left out");
	proxied_store_free();

	s = store_new(base, direct, &obs, NULL);
	wait_up(s);
	test_reused_descriptor(direct);
	test_killed("CONNECTION", 30);
	test_killed("QUERY", 30);
	test_killed_database();
	test_stopped_database();
	test_absent_database();
	test_locked_row();
	proxied_store_free();
	conf_free(&direct);
	return proxied_store_end();
}
