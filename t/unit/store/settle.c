/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a write whose COMMIT was not answered, and whose time is up before the database is back: its asker is
 * told that it is uncertain, and once more what became of it, so that others can be told of what was committed.
 */
#include "core/base.h"
#include "store/store.h"

#include "calls.h"
#include "db.h"
#include "groups.h"
#include "proxied_store.h"
#include "../tap.h"

/* One of each kind, in one batch. */
struct writes {
	char a[16], b[16], fresh[16], other[16], third[16], client_msg_id[16];
	uint64_t id;
	struct sent_answer with, without, to_fresh;
	struct change_answer recalled, read, deleted, edited, reacted, pinned;
	struct read_answer all;
	struct created_answer created;
};

static void writes_ask(struct writes *w)
{
	static int round;
	round++;
	snprintf(w->a, sizeof(w->a), "a%d", round);
	snprintf(w->b, sizeof(w->b), "b%d", round);
	snprintf(w->fresh, sizeof(w->fresh), "f%d", round);
	snprintf(w->other, sizeof(w->other), "o%d", round);
	snprintf(w->third, sizeof(w->third), "t%d", round);
	snprintf(w->client_msg_id, sizeof(w->client_msg_id), "id%d", round);
	db_befriend(w->a, w->b);
	db_befriend(w->a, w->fresh);
	db_befriend(w->a, w->other);
	db_befriend(w->a, w->third);
	struct sent_answer m[4];
	for (int i = 0; i < 4; i++)
		m[i] = do_text(s, w->a, w->b, "before", NULL);
	struct sent_answer third = do_text(s, w->a, w->third, "before", NULL);
	w->id = message_id_conversation(m[0].m.id);
	ask_change(ACT_RECALL, s, w->a, m[0].m.id, &w->recalled);
	ask_change(ACT_READ, s, w->b, m[1].m.id, &w->read);
	ask_change(ACT_DELETE, s, w->b, m[3].m.id, &w->deleted);
	ask_change(ACT_EDIT, s, w->a, m[2].m.id, &w->edited);
	ask_change(ACT_REACT, s, w->b, m[2].m.id, &w->reacted);
	/* A batch has one pin or deletion of a conversation. */
	ask_change(ACT_PIN, s, w->a, third.m.id, &w->pinned);
	ask_send(s, text_to(w->a, w->b, "with", w->client_msg_id), &w->with);
	ask_send(s, text_to(w->a, w->b, "without", NULL), &w->without);
	ask_send(s, text_to(w->a, w->fresh, "new", NULL), &w->to_fresh);
	ask_create(s, w->other, w->a, NULL, NULL, &w->created);
}

static void writes_wait(const struct writes *w)
{
	const bool *done[] = {&w->recalled.done, &w->read.done, &w->deleted.done, &w->edited.done,   &w->reacted.done,
			      &w->pinned.done,	 &w->with.done, &w->without.done, &w->to_fresh.done, &w->created.done};
	for (size_t i = 0; i < ARRAY_LEN(done); i++)
		wait_for(done[i]);
}

static void writes_settle(const struct writes *w)
{
	const bool *settled[] = {&w->recalled.settled, &w->read.settled,    &w->deleted.settled,
				 &w->edited.settled,   &w->reacted.settled, &w->pinned.settled,
				 &w->with.settled,     &w->without.settled, &w->to_fresh.settled};
	for (size_t i = 0; i < ARRAY_LEN(settled); i++)
		wait_for(settled[i]);
}

static unsigned count_status(const struct writes *w, enum store_status status)
{
	const enum store_status each[] = {w->recalled.status, w->read.status,	 w->deleted.status,
					  w->edited.status,   w->reacted.status, w->pinned.status,
					  w->with.status,     w->without.status, w->to_fresh.status};
	unsigned n = 0;
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		n += each[i] == status;
	return n;
}

/* The second round trip is cut so, and no new connection can be made; until all is answered. */
static void lose(struct writes *w, enum cut how, const char *name)
{
	wait_up(s);
	writes_ask(w);
	cut_at = ";COMMIT";
	cut = how;
	proxy_closed = true;
	writes_wait(w);
	ok(cut == CUT_NONE, "%s: the connection was cut", name);
	is_int(count_status(w, STORE_UNCERTAIN), 9, "all that others are told of is uncertain");
	is_int(w->created.status, STORE_UNAVAILABLE, "what they are not told of is unavailable");
	is_int(store_pending(s), 9, "and is not followed up");
	struct sent_answer again;
	ask_send(s, text_to(w->a, w->b, "with", w->client_msg_id), &again);
	wait_for(&again.done);
	is_int(again.status, STORE_UNAVAILABLE, "a retry is refused while the database is away");
}

static void test_committed(enum cut how, const char *name)
{
	struct writes w;
	lose(&w, how, name);
	proxy_closed = false;
	writes_settle(&w);
	ok(late_server == NULL, "all of it has reached the database");
	is_int(count_status(&w, STORE_OK), 9, "once it is back, all are found done");
	ok(!w.with.replayed && message_id_seq(w.with.m.id) == 5, "a send is new, not a retry");
	ok(!w.without.replayed && message_id_seq(w.without.m.id) == 6, "also without a client_msg_id");
	ok(!w.to_fresh.replayed && message_id_seq(w.to_fresh.m.id) == 1, "one that made a conversation too");
	ok(w.recalled.changed && w.recalled.m.is_recalled && w.recalled.change_seq == 1, "a recall");
	ok(w.read.changed && w.read.m.is_read && w.read.change_seq == 2, "a read");
	ok(w.deleted.changed && w.deleted.change_seq == 3, "a deletion");
	ok(w.edited.changed && w.edited.change_seq == 4 && str_is(w.edited.m.content, "edited"), "an edit");
	ok(w.reacted.changed && w.reacted.change_seq == 5 && w.reacted.m.reactions.s != NULL, "a reaction");
	ok(w.pinned.changed && w.pinned.change_seq == 1, "a pin");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu", (unsigned long long)w.id), 6,
	       "each message is stored once");
	is_int(store_pending(s), 0, "nothing is left");
	is_int(db_wrong(), 0, "and all counters are right");
	struct sent_answer again = do_text(s, w.a, w.b, "with", w.client_msg_id);
	ok(again.status == STORE_OK && again.replayed && again.m.id == w.with.m.id, "a retry now is one");
}

static void test_not_committed(void)
{
	struct writes w;
	lose(&w, CUT_BEFORE, "never received");
	proxy_closed = false;
	writes_settle(&w);
	is_int(count_status(&w, STORE_UNAVAILABLE), 9, "once the database is back, none is found done");
	ok(!w.recalled.changed && !w.read.changed && !w.deleted.changed && !w.edited.changed && !w.reacted.changed &&
		   !w.pinned.changed,
	   "and nobody is told of a change");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE id>>28=%llu", (unsigned long long)w.id), 4,
	       "nothing is sent after its sender was told that it failed");
	is_int(db_sql("SELECT COUNT(*) FROM conversations WHERE user1_id='%s' AND user2_id='%s'", w.a, w.fresh), 0,
	       "and no conversation made");
	is_int(db_wrong(), 0, "all counters are right");
}

/* A retry that takes another way while the first send is uncertain. */
static void test_retried_elsewhere(const struct conf *direct)
{
	struct writes w;
	struct store *elsewhere = store_new(base, direct, NULL, NULL);
	wait_up(elsewhere);
	lose(&w, CUT_AFTER, "retried elsewhere");
	struct sent_answer again = do_text(elsewhere, w.a, w.b, "with", w.client_msg_id);
	ok(again.status == STORE_OK && again.replayed, "finds the message, and tells nobody");
	proxy_closed = false;
	writes_settle(&w);
	ok(w.with.status == STORE_OK && !w.with.replayed && w.with.m.id == again.m.id, "so the first one has to");
	store_free(&elsewhere);
}

static void test_read_to_the_end(void)
{
	struct read_answer all;
	db_befriend("r1", "r2");
	uint64_t id = message_id_conversation(do_text(s, "r1", "r2", "x", NULL).m.id);
	wait_up(s);
	ask_read(s, "r2", id, UINT64_MAX, &all);
	cut_at = ";COMMIT";
	cut = CUT_AFTER;
	proxy_closed = true;
	wait_for(&all.done);
	is_int(all.r.status, STORE_UNCERTAIN, "the reading of a conversation is uncertain");
	proxy_closed = false;
	wait_for(&all.settled);
	ok(all.r.status == STORE_OK && all.r.changed && all.r.marked == 1 && all.r.up_to_seq == 1 && all.r.unread == 0,
	   "and found done");
}

struct own_answer {
	bool done, settled, changed;
	enum store_status status;
	uint64_t first_seq; /* where it has the conversation */
};

static void on_own(const struct store_settings_set *r, void *arg)
{
	struct own_answer *a = arg;
	a->status = r->status;
	a->changed = r->changed;
	a->first_seq = r->conversation != NULL ? r->conversation->first_seq : 0;
	written(r->status, &a->done, &a->settled);
}

/* A read clears a mark, too. */
static void test_cleared(enum cut how, bool in_group)
{
	struct own_answer cleared = {0};
	struct read_answer read;
	static int round;
	char a[16], b[16];
	snprintf(a, sizeof(a), "ca%d", ++round);
	snprintf(b, sizeof(b), "cb%d", round);
	db_befriend(a, b);
	uint64_t group = in_group ? group_make(a) : 0;
	if (in_group)
		group_add(group, b, GROUP_MEMBER);
	uint64_t m = (in_group ? do_send(s, text_in(group, a, "x", NULL)) : do_text(s, a, b, "x", NULL)).m.id;
	uint64_t id = message_id_conversation(m), last = message_id_seq(m);
	db_sql(in_group ? "UPDATE members SET marked=1 WHERE user_id='%s' AND conversation_id=%llu"
			: "UPDATE conversations SET user2_marked=1 WHERE user2_id='%s' AND id=%llu",
	       b, (unsigned long long)id);
	wait_up(s);
	store_clear(s, str_from(b), id, UINT64_MAX, on_own, &cleared);
	ask_read(s, b, id, 0, &read);
	cut_at = ";COMMIT";
	cut = how;
	proxy_closed = true;
	wait_for(&cleared.done);
	wait_for(&read.done);
	ok(cleared.status == STORE_UNCERTAIN && !cleared.changed && read.r.status == STORE_UNCERTAIN,
	   "the clearing of a %s is uncertain, and so is its read", in_group ? "group" : "conversation");
	proxy_closed = false;
	wait_for(&cleared.settled);
	wait_for(&read.settled);
	if (how == CUT_BEFORE)
		ok(cleared.status == STORE_UNAVAILABLE && !cleared.changed, "and found not done");
	else
		ok(cleared.status == STORE_OK && cleared.changed && (in_group || cleared.first_seq == last + 1) &&
			   read.r.status == STORE_OK && read.r.unmarked,
		   "and found done, for others to be told");
	is_int(in_group ? group_wrong() : db_wrong(), 0, "all counters are right");
}

static void test_settings(enum cut how)
{
	struct own_answer set = {0};
	db_befriend("s1", "s2");
	uint64_t id = message_id_conversation(do_text(s, "s1", "s2", "x", NULL).m.id);
	const struct store_settings p = {.user = STR_LIT("s1"),
					 .conversation_id = id,
					 .sets_draft = true,
					 .to = {.draft = how == CUT_BEFORE ? STR_LIT("lost") : STR_LIT("kept")}};
	wait_up(s);
	store_set_settings(s, &p, on_own, &set);
	cut_at = ";COMMIT";
	cut = how;
	proxy_closed = true;
	wait_for(&set.done);
	is_int(set.status, STORE_UNCERTAIN, "a setting is uncertain");
	proxy_closed = false;
	wait_for(&set.settled);
	is_int(set.status, STORE_UNKNOWN, "and nobody knows, so all are told to catch up");
	wait_up(s);
	set = (struct own_answer){0};
	store_set_settings(s, &p, on_own, &set);
	wait_for(&set.settled);
	ok(set.status == STORE_OK && set.changed == (how == CUT_BEFORE), "set again it changes something or not");
}

/* In a group: sent and found done, or never received. */
static void test_group(enum cut how, const char *name)
{
	struct sent_answer with, without;
	struct change_answer recalled, deleted;
	struct read_answer some, all;
	uint64_t group = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	group_add(group, "tom", GROUP_MEMBER);
	uint64_t id = do_send(s, text_in(group, "olga", "x", NULL)).m.id;
	wait_up(s);
	ask_change(ACT_RECALL, s, "olga", id, &recalled);
	ask_change(ACT_DELETE, s, "tom", id, &deleted);
	ask_send(s, text_in(group, "olga", "with", name), &with);
	ask_send(s, text_in(group, "mia", "without", NULL), &without);
	ask_read(s, "mia", group, message_id_seq(id), &some);
	ask_read(s, "tom", group, UINT64_MAX, &all);
	const bool *done[] = {&recalled.done, &deleted.done, &with.done, &without.done};
	const bool *settled[] = {&recalled.settled, &deleted.settled, &with.settled,
				 &without.settled,  &some.settled,    &all.settled};
	cut_at = ";COMMIT";
	cut = how;
	proxy_closed = true;
	for (size_t i = 0; i < ARRAY_LEN(done); i++)
		wait_for(done[i]);
	ok(recalled.status == STORE_UNCERTAIN && deleted.status == STORE_UNCERTAIN && with.status == STORE_UNCERTAIN &&
		   without.status == STORE_UNCERTAIN,
	   "in a group, %s: all is uncertain", name);
	proxy_closed = false;
	for (size_t i = 0; i < ARRAY_LEN(settled); i++)
		wait_for(settled[i]);
	bool came = how != CUT_BEFORE;
	enum store_status end = came ? STORE_OK : STORE_UNAVAILABLE;
	ok(recalled.status == end && deleted.status == end && with.status == end && without.status == end,
	   "once the database is back, it is found %s", came ? "done" : "not done");
	if (came) {
		ok(recalled.changed && recalled.change_seq == 1 && deleted.changed && deleted.change_seq == 2,
		   "the changes as theirs");
		ok(!with.replayed && with.m.id == id + 1 && !without.replayed && without.m.id == id + 2,
		   "the messages as new ones");
	}
	is_int(head_of(group, "last_seq"), came ? 6 : 4, "each is stored as often as it was told");
	is_int(do_read(s, "tom", group, 0).unread, group_unread(group, "tom"), "what is unread is right");
	is_int(store_pending(s), 0, "nothing is left");
	is_int(group_wrong(), 0, "and all counts are right");
}

/* Where one was recalled, what a read has marked is counted after it, also of a try of unknown outcome. */
static void test_group_read(void)
{
	struct read_answer all;
	uint64_t group = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	uint64_t id = do_send(s, text_in(group, "olga", "x", NULL)).m.id;
	do_send(s, text_in(group, "olga", "y", NULL));
	do_change(ACT_RECALL, s, "olga", id);
	wait_up(s);
	ask_read(s, "mia", group, UINT64_MAX, &all);
	cut_at = ";COMMIT";
	cut = CUT_AFTER;
	proxy_closed = true;
	wait_for(&all.done);
	is_int(all.r.status, STORE_UNCERTAIN, "a read of a group is uncertain");
	proxy_closed = false;
	wait_for(&all.settled);
	ok(all.r.status == STORE_OK && all.r.changed && all.r.marked == 1 && all.r.unread == 0, "and found done");
	is_int(group_unread(group, "mia"), 0, "all is read");
}

static void test_group_left(void)
{
	struct sent_answer sent;
	struct change_answer recalled;
	struct read_answer all;
	uint64_t group = group_make("olga");
	group_add(group, "mia", GROUP_MEMBER);
	uint64_t id = do_send(s, text_in(group, "olga", "x", NULL)).m.id;
	wait_up(s);
	ask_change(ACT_RECALL, s, "olga", id, &recalled);
	ask_send(s, text_in(group, "olga", "y", NULL), &sent);
	ask_read(s, "mia", group, UINT64_MAX, &all);
	cut_at = ";COMMIT";
	cut = CUT_AFTER;
	proxy_closed = true;
	wait_for(&recalled.done);
	wait_for(&sent.done);
	wait_for(&all.done);
	loop_running = true;
	store_free(&s);
	loop_running = false;
	ok(sent.status == STORE_UNKNOWN && message_id_conversation(sent.m.id) == group,
	   "a store that ends names the group of what nobody knows: a send");
	ok(recalled.status == STORE_UNKNOWN && recalled.m.id == id, "a recall");
	ok(all.r.status != STORE_OK && all.r.conversation_id == group, "a read");
	proxy_closed = false;
	s = store_new(base, proxied, NULL, NULL);
}

/* What was taken away is made anew by somebody else before the outcome is looked for: that is not taken away, too. */
static void test_made_anew(void)
{
	struct change_answer unreacted, unpinned;
	db_befriend("ida", "joe");
	struct sent_answer m = do_text(s, "ida", "joe", "liked", NULL);
	do_change(ACT_REACT, s, "ida", m.m.id);
	do_change(ACT_PIN, s, "joe", m.m.id);
	wait_up(s);
	cut_at = ";COMMIT";
	cut = CUT_AFTER;
	proxy_closed = true;
	ask_change(ACT_UNREACT, s, "ida", m.m.id, &unreacted);
	ask_change(ACT_UNPIN, s, "ida", m.m.id, &unpinned);
	wait_for(&unreacted.done);
	wait_for(&unpinned.done);
	unsigned long long id = m.m.id;
	while (db_sql("SELECT COUNT(*) FROM pins WHERE message_id=%llu", id) != 0)
		turn();
	db_sql("INSERT INTO reactions (message_id,user_id,emoji,n,at) VALUES "
	       "(%llu,'ida','\u2764',100,UTC_TIMESTAMP(3))",
	       id);
	db_sql("INSERT INTO pins (conversation_id,message_id,n,user_id,at) VALUES (%llu>>28,%llu,101,'joe',"
	       "UTC_TIMESTAMP(3))",
	       id, id);
	proxy_closed = false;
	wait_for(&unreacted.settled);
	wait_for(&unpinned.settled);
	ok(unreacted.status == STORE_OK && unreacted.changed, "a reaction was taken back");
	ok(unpinned.status == STORE_OK && unpinned.changed, "and a pin");
	is_int(db_sql("SELECT COUNT(*) FROM reactions JOIN pins USING (message_id) WHERE message_id=%llu", id), 1,
	       "what was made since then stays");
	db_sql("DELETE FROM reactions WHERE message_id=%llu", id);
}

static void test_left(void)
{
	struct writes w;
	lose(&w, CUT_AFTER, "left unsettled");
	loop_running = true; /* the end is the one time when answers come from the call */
	store_free(&s);
	loop_running = false;
	is_int(count_status(&w, STORE_UNKNOWN), 9, "a store that ends says that nobody knows");
	ok(strcmp(w.with.m.from, w.a) == 0 && strcmp(w.with.m.to, w.b) == 0, "and whom it concerns");
	ok(strcmp(w.recalled.m.from, w.a) == 0 && strcmp(w.recalled.m.to, w.b) == 0, "also of a change");
	proxy_closed = false;
	s = store_new(base, proxied, NULL, NULL);
}

int main(void)
{
	proxied_store_begin(NULL);
	struct conf *direct = db_conf("tidings");
	test_committed(CUT_AFTER, "committed");
	test_committed(CUT_LATE, "committed late");
	test_not_committed();
	test_retried_elsewhere(direct);
	test_read_to_the_end();
	test_group(CUT_AFTER, "committed");
	test_group(CUT_LATE, "committed_late");
	test_group(CUT_BEFORE, "never_received");
	test_group_read();
	test_made_anew();
	for (int in_group = 0; in_group <= 1; in_group++) {
		test_cleared(CUT_AFTER, in_group);
		test_cleared(CUT_LATE, in_group);
		test_cleared(CUT_BEFORE, in_group);
	}
	test_settings(CUT_AFTER);
	test_settings(CUT_BEFORE);
	test_left();
	test_group_left();
	conf_free(&direct);
	return proxied_store_end();
}
