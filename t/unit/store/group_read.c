/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups beside direct conversations: what is unread, the list, history and catching up, as each member sees it. */
#include "core/base.h"
#include "store/group.h"

#include "lists.h"
#include "groups.h"
#include "one_store.h"

/* ---- one conversation ---- */

static void test_find(void)
{
	uint64_t id = group_new("ann", 10, 100);
	group_join(id, "ann", GROUP_OWNER, 1, 1, 10);
	group_join(id, "bob", GROUP_MEMBER, 4, 4, 4);
	db_sql("UPDATE group_profiles SET avatar_url='http://a/',about='what' WHERE id=%llu;"
	       "UPDATE group_heads SET join_policy=2,history_policy=1,send_policy=1,add_policy=1,slow_mode_secs=30,"
	       "change_seq=3,dissolved_at=" AT("500") " WHERE id=%llu",
	       (unsigned long long)id, (unsigned long long)id);
	struct found_conversation f = do_find(s, "bob", id);
	const struct conversation *c = &f.c;
	const struct group *g = &c->group;
	ok(f.status == STORE_OK && c->id == id && strcmp(c->user, "bob") == 0, "a member finds the group");
	ok(c->peer[0] == '\0' && c->peer_nickname.s == NULL && c->peer_read_seq == 0, "it has no peer");
	ok(str_is(g->name, "group of ann") && str_is(g->avatar_url, "http://a/") && str_is(g->about, "what") &&
		   strcmp(g->owner, "ann") == 0,
	   "its profile");
	ok(g->role == GROUP_MEMBER && g->member_count == 2 && g->joined_ms != 0 && g->dissolved_ms != 0,
	   "the member's state");
	ok(g->settings.join == GROUP_JOIN_OPEN && g->settings.history_joined && g->settings.send_admins &&
		   g->settings.add_admins && g->settings.slow_mode_secs == 30,
	   "its settings");
	ok(c->first_seq == 4 && c->read_seq == 4 && c->last_seq == 10 && c->change_seq == 3 && c->unread == 6,
	   "what the member sees of it");
	ok(c->has_last && message_id_seq(c->last.id) == 10 && c->last.to[0] == '\0' && !c->last.is_read &&
		   c->last.read_ms == 0 && c->last_ms == c->sort_ms,
	   "the newest message, which is to nobody");
	f = do_find(s, "ann", id);
	ok(f.c.group.role == GROUP_OWNER && f.c.unread == 0 && f.c.first_seq == 1, "another sees their own");
	is_int(do_find(s, "eve", id).status, STORE_NOT_FOUND, "who is no member does not");
	is_int(do_find(s, "ann", id + 1000).status, STORE_NOT_FOUND, "no such group");
	is_int(do_find(s, "ann", UINT64_MAX).status, STORE_NOT_FOUND, "no such id");
}

static void test_last(void)
{
	uint64_t id = group_new("ann", 10, 100);
	group_join(id, "ann", GROUP_OWNER, 1, 1, 10);
	group_join(id, "bob", GROUP_MEMBER, 8, 8, 8);
	group_delete(id, "ann", 2, 3);
	struct conversation c = do_find(s, "ann", id).c;
	is_int(message_id_seq(c.last.id), 10, "a run before the newest message does not matter");
	group_delete(id, "ann", 7, 10);
	c = do_find(s, "ann", id).c;
	ok(c.has_last && message_id_seq(c.last.id) == 6, "the message before the run is the newest one");
	ok(c.last_ms == do_find(s, "bob", id).c.last_ms && c.last_ms != 0,
	   "the time is still that of the newest of all");
	group_delete(id, "bob", 8, 10);
	c = do_find(s, "bob", id).c;
	ok(!c.has_last && c.last_ms != 0 && c.unread == 0,
	   "what is before the first one that the member may see is none");
	db_sql("UPDATE deletions SET first_seq=1 WHERE user_id='ann' AND conversation_id=%llu AND first_seq=7;"
	       "DELETE FROM deletions WHERE user_id='ann' AND conversation_id=%llu AND first_seq=2",
	       (unsigned long long)id, (unsigned long long)id);
	ok(!do_find(s, "ann", id).c.has_last, "all deleted");
}

static void counts_are(const char *user, uint64_t id, unsigned unread, unsigned mentions, const char *what)
{
	struct conversation c = do_find(s, user, id).c;
	ok(c.unread == unread && c.mentions == mentions, "%s", what);
	if (c.unread != unread || c.mentions != mentions)
		printf("#   %llu unread, %llu mentions\n", (unsigned long long)c.unread,
		       (unsigned long long)c.mentions);
}

static void test_unread(void)
{
	uint64_t id = group_new("ann", 40, 100);
	group_join(id, "bob", GROUP_MEMBER, 1, 1, 20);
	counts_are("bob", id, 20, 0, "all after read_seq");
	group_recall(id, 20);
	group_recall(id, 25);
	counts_are("bob", id, 19, 0, "recalled ones are not, whether or not they were read");
	group_mention(id, "bob", 19);
	group_mention(id, "bob", 25);
	group_mention(id, "bob", 26);
	group_mention(id, "eve", 27);
	counts_are("bob", id, 19, 1, "mentions of the user, but in read and recalled ones");
	group_mention(id, "*", 26);
	group_mention(id, "*", 28);
	group_mention(id, "*", 3);
	counts_are("bob", id, 19, 2, "and of everyone, each message once");
	group_delete(id, "bob", 18, 22);
	counts_are("bob", id, 17, 2, "a deletion that begins before read_seq");
	group_delete(id, "bob", 25, 26);
	counts_are("bob", id, 16, 1, "a deleted one that was recalled counts once; a deleted mention does not count");
	group_delete(id, "bob", 40, 40);
	group_recall(id, 40);
	counts_are("bob", id, 15, 1, "the newest one, deleted and recalled");
	db_sql("UPDATE members SET read_seq=40 WHERE user_id='bob' AND conversation_id=%llu", (unsigned long long)id);
	counts_are("bob", id, 0, 0, "nothing after read_seq");
}

static void test_direct_mentions(void)
{
	db_befriend("dan", "dora");
	uint64_t id = message_id_conversation(do_text(s, "dora", "dan", "x", "d1").m.id);
	for (int i = 2; i <= 6; i++)
		do_text(s, "dora", "dan", "x", NULL);
	counts_are("dan", id, 6, 0, "a direct conversation without mentions");
	is_int(do_count(s, "dan").mentions, 0, "nor in the total");
	for (int seq = 1; seq <= 5; seq++)
		db_sql("INSERT INTO mentions VALUES ('dan',%llu,%d,UTC_TIMESTAMP(3))", (unsigned long long)id, seq);
	counts_are("dan", id, 6, 5, "with mentions");
	do_read(s, "dan", id, 1);
	do_change(ACT_READ, s, "dan", message_id_make(id, 2));
	do_change(ACT_RECALL, s, "dora", message_id_make(id, 3));
	do_change(ACT_DELETE, s, "dan", message_id_make(id, 4));
	counts_are("dan", id, 2, 1, "but in those read, read alone, recalled and deleted");
	struct count_answer total = do_count(s, "dan");
	ok(total.count == 2 && total.mentions == 1, "likewise in the total");
	ok(do_find(s, "dan", id).c.first_seq == 1, "all of a direct conversation may be seen");
}

/* ---- random groups, and a recount ---- */

#define RANDOM_GROUPS 24

static void delete_at_random(uint64_t id, const char *user, unsigned last_seq)
{
	bool deleted[128] = {0};
	for (unsigned n = pick(4); n > 0; n--)
		for (unsigned i = 1 + pick(last_seq), k = pick(9); i <= last_seq && k > 0; i++, k--)
			deleted[i] = true;
	for (unsigned i = 1, first = 0; i <= last_seq + 1; i++) {
		if (i <= last_seq && deleted[i] && first == 0) {
			first = i;
		} else if ((i > last_seq || !deleted[i]) && first != 0) {
			group_delete(id, user, first, i - 1);
			first = 0;
		}
	}
}

static uint64_t group_at_random(const char *user)
{
	unsigned last_seq = 1 + pick(100), joined = 1 + pick(last_seq), read = joined + pick(last_seq - joined + 1);
	uint64_t id = group_new("zed", last_seq, pick(5) * 100);
	group_join(id, user, GROUP_MEMBER, joined, pick(2) ? joined : 1, read);
	for (unsigned n = pick(12); n > 0; n--)
		group_recall(id, 1 + pick(last_seq));
	for (unsigned n = pick(6); n > 0; n--) {
		const char *whom = pick(3) ? user : pick(2) ? "*" : "zed";
		unsigned seq = 1 + pick(last_seq);
		if (db_sql("SELECT COUNT(*) FROM mentions WHERE user_id='%s' AND conversation_id=%llu AND seq=%u", whom,
			   (unsigned long long)id, seq) == 0)
			group_mention(id, whom, seq);
	}
	delete_at_random(id, user, last_seq);
	return id;
}

/* `more` narrows the messages m of the member g down. */
static long long recount(const char *user, uint64_t id, const char *more)
{
	return db_sql(
		"SELECT COUNT(*) FROM members g JOIN messages m ON m.id>>28=g.conversation_id WHERE g.user_id='%s' AND "
		"g.conversation_id=%llu AND (m.id&268435455)>g.read_seq AND m.message_type<>7 AND m.is_recalled=0 AND "
		"NOT EXISTS(SELECT 1 FROM deletions d WHERE d.user_id=g.user_id AND "
		"d.conversation_id=g.conversation_id AND (m.id&268435455) BETWEEN d.first_seq AND d.last_seq) AND %s",
		user, (unsigned long long)id, more);
}

#define MENTIONS                                                                                                       \
	"EXISTS(SELECT 1 FROM mentions n WHERE n.user_id IN (g.user_id,'*') AND n.conversation_id=g.conversation_id "  \
	"AND "                                                                                                         \
	"n.seq=(m.id&268435455))"

static void test_recount(void)
{
	uint64_t id[RANDOM_GROUPS];
	unsigned wrong = 0;
	unsigned long long unread = 0, mentions = 0, n;
	for (int i = 0; i < RANDOM_GROUPS; i++) {
		id[i] = group_at_random("rita");
		struct conversation c = do_find(s, "rita", id[i]).c;
		unread += n = (unsigned long long)recount("rita", id[i], "1");
		wrong += n != c.unread;
		mentions += n = (unsigned long long)recount("rita", id[i], MENTIONS);
		wrong += n != c.mentions;
	}
	is_int(wrong, 0, "what is unread in groups is what a recount gives");
	ok(unread > 100 && mentions > 5, "which is not nothing");
	struct count_answer total = do_count(s, "rita");
	ok(total.count == unread && total.mentions == mentions, "so is the total");
	db_befriend("rita", "dora");
	do_text(s, "dora", "rita", "x", "r1");
	db_sql("INSERT INTO mentions SELECT 'rita',id>>28,1,created_at FROM messages WHERE from_user_id='dora' AND "
	       "client_msg_id='r1'");
	total = do_count(s, "rita");
	ok(total.count == unread + 1 && total.mentions == mentions + 1, "and over both kinds");
	is_int(do_count(s, "nobody").count, 0, "nothing is nothing");
}

/* A user with more groups than are counted in one step. */
static void test_total_of_many(void)
{
	db_sql("INSERT INTO group_heads (id,last_seq,uncounted_seq,sort_time,active_at,created_at) SELECT "
	       "18000000000+seq,10,9," AT("0") "," AT("0") "," AT(
		       "0") " FROM seq_1_to_600;"
			    "INSERT INTO members "
			    "(user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) SELECT "
			    "'max',18000000000+seq,3,1,1,IF(seq<=20,10,4)," AT(
				    "0") " FROM seq_1_to_600;"
					 "INSERT INTO uncounted SELECT 18000000000+seq,0,1<<9 FROM seq_1_to_600");
	is_int(do_count(s, "max").count, 580 * 5, "the total of 600 groups");
	uint64_t id = group_new("zed", 200, 100);
	group_join(id, "max", GROUP_MEMBER, 1, 1, 50);
	db_sql("REPLACE INTO uncounted SELECT %llu,seq>>6,BIT_OR(1<<(seq&63)) FROM seq_1_to_100 GROUP BY 2;UPDATE "
	       "group_heads SET "
	       "uncounted_seq=100 WHERE "
	       "id=%llu",
	       (unsigned long long)id, (unsigned long long)id);
	is_int(do_count(s, "max").count, 580 * 5 + 100, "and one with many uncounted messages");
}

/* More rows of a group than are counted on the way: uncounted is the second message of each 64, and the second or the
 * third mentions the user. */
static void test_total_of_much(void)
{
	db_sql("INSERT INTO group_heads (id,last_seq,uncounted_seq,sort_time,active_at,created_at) VALUES "
	       "(19000000000,5000,4929," AT("0") "," AT("0") "," AT(
		       "0") ");INSERT INTO members "
			    "(user_id,conversation_id,role,joined_seq,first_seq,read_seq,mention_seq,"
			    "joined_at) VALUES ('mona',19000000000,3,1,1,100,4929," AT(
				    "0") ");INSERT INTO uncounted SELECT 19000000000,seq,2 FROM seq_0_to_77;"
					 "INSERT INTO mentions SELECT 'mona',19000000000,seq*64+IF(seq%%2,1,2)," AT(
						 "0") " FROM seq_0_to_77");
	struct count_answer total = do_count(s, "mona");
	is_int(total.count, 5000 - 100 - 76, "of a group with much to count all is counted");
	is_int(total.mentions, 38, "and all that mentions the user and counts");
	db_sql("DELETE FROM mentions WHERE user_id='mona' AND seq<4000");
	is_int(do_count(s, "mona").mentions, 7, "as where only the mentions are few");
}

/* ---- the list ---- */

static void test_list(void)
{
	struct conversation all[64];
	size_t count = 0;
	char peer[16];
	struct store_cursor after = {0};
	for (int i = 0; i < 10; i++) {
		snprintf(peer, sizeof(peer), "l%d", i);
		db_befriend("rita", peer);
		do_text(s, peer, "rita", "x", "list");
		db_sql("UPDATE conversations SET sort_time=" AT("%u") " WHERE user1_id='%s' AND user2_id='rita'",
		       pick(6) * 100, peer);
	}
	unsigned wrong = 0, pages = 0;
	for (bool more = true; more && count < 50; pages++) {
		struct list_answer *a = do_list(s, "rita", 3, after);
		for (size_t i = 0; i < a->count; i++)
			all[count++] = a->c[i];
		more = a->has_more;
		after = a->next;
	}
	is_int(count, RANDOM_GROUPS + 11, "all of both kinds are in the list");
	is_int(pages, (count + 2) / 3, "page by page");
	for (size_t i = 1; i < count; i++)
		wrong += all[i].sort_ms > all[i - 1].sort_ms ||
			 (all[i].sort_ms == all[i - 1].sort_ms && all[i].id >= all[i - 1].id);
	is_int(wrong, 0, "by time and id");
	wrong = 0;
	for (size_t i = 0; i < count; i++) {
		struct conversation c = do_find(s, "rita", all[i].id).c;
		wrong += c.unread != all[i].unread || c.mentions != all[i].mentions || c.last.id != all[i].last.id ||
			 c.has_last != all[i].has_last || c.first_seq != all[i].first_seq;
	}
	is_int(wrong, 0, "each as it is found by itself");
	struct list_answer *a = do_list(s, "rita", 100, (struct store_cursor){0});
	ok(a->count == count && !a->has_more && a->c[count - 1].id == all[count - 1].id, "all at once");
	ok(do_list(s, "nobody", 5, (struct store_cursor){0})->count == 0, "nobody's is empty");
}

/* Of groups whose profiles or mentions alone are more than one answer may have. */
static void test_large_list(void)
{
	for (int i = 0; i < 12; i++)
		group_join(group_new("lea", 2, 100), "lea", GROUP_OWNER, 1, 1, 2);
	static const char *const large[] = {
		"UPDATE group_profiles SET about=REPEAT('\"',60000) WHERE owner_id='lea'",
		"UPDATE group_profiles SET about=NULL WHERE owner_id='lea';UPDATE messages SET "
		"mentions=CONCAT('[\"',REPEAT('x',"
		"65000),'\"]'),content=REPEAT('y',60000) WHERE from_user_id='lea'",
	};
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		db_sql("%s", large[i]);
		struct list_answer *a = do_list(s, "lea", 20, (struct store_cursor){0});
		size_t count = a->count;
		ok(a->has_more && count >= 8 && count < 12, "a list ends where an answer is full");
		a = do_list(s, "lea", 20, a->next);
		ok(count + a->count == 12 && !a->has_more, "and goes on there");
	}
}

/* ---- as several see it, and who is where ---- */

static void on_memberships(const struct store_memberships *r, void *arg)
{
	struct list_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	bool right = true;
	for (size_t i = 0; i < r->count; i++) {
		const struct group_membership *m = &r->item[i];
		right = right && m->user < 3 && m->last_seq == 7 && m->member_count == (m->user == 1 ? 1 : 2) &&
			(i == 0 || m->user != r->item[i - 1].user ||
			 m->conversation_id > r->item[i - 1].conversation_id);
	}
	a->has_more = right;
	answered(&a->done);
}

static void test_views(void)
{
	uint64_t id = group_new("va", 7, 100);
	group_join(id, "va", GROUP_OWNER, 1, 1, 7);
	group_join(id, "vb", GROUP_ADMIN, 3, 3, 5);
	group_recall(id, 6);
	uint64_t second = group_new("vc", 3, 100);
	group_join(second, "vc", GROUP_OWNER, 1, 1, 1);
	const struct group_viewer who[] = {{id, STR_LIT("vb")},
					   {id, STR_LIT("nobody")},
					   {id, STR_LIT("va")},
					   {second, STR_LIT("va")},
					   {second, STR_LIT("vc")}};
	static struct list_answer a;
	a = (struct list_answer){0};
	store_find_group_views(s, who, ARRAY_LEN(who), on_conversations, &a);
	wait_for(&a.done);
	ok(a.status == STORE_OK && a.count == 3, "groups as those see them who are members");
	for (size_t i = 0; i < a.count; i++) {
		const struct conversation *c = &a.c[i];
		if (c->id == second) {
			ok(strcmp(c->user, "vc") == 0 && c->unread == 2, "each group its own");
			continue;
		}
		bool is_va = strcmp(c->user, "va") == 0;
		ok(c->group.role == (is_va ? GROUP_OWNER : GROUP_ADMIN) && c->unread == (is_va ? 0 : 1) &&
			   c->first_seq == (is_va ? 1 : 3),
		   "each their own");
	}
	uint64_t other = group_new("vx", 7, 100);
	group_join(other, "vx", GROUP_OWNER, 1, 1, 7);
	const struct str asked[] = {STR_LIT("vb"), STR_LIT("vx"), STR_LIT("va"), STR_LIT("nobody")};
	a = (struct list_answer){0};
	store_find_memberships(s, asked, 4, on_memberships, &a);
	wait_for(&a.done);
	ok(a.status == STORE_OK && a.count == 3 && a.has_more, "in which groups they are");
	a = (struct list_answer){0};
	store_find_memberships(s, asked, 0, on_memberships, &a);
	wait_for(&a.done);
	ok(a.status == STORE_OK && a.count == 0, "nobody is nowhere");
	a = (struct list_answer){0};
	store_find_memberships(s, &STR_LIT("max"), 1, on_memberships, &a);
	wait_for(&a.done);
	is_int(a.count, 601, "one who is in many");
}

int main(void)
{
	one_store_begin(NULL);
	test_find();
	test_last();
	test_unread();
	test_direct_mentions();
	test_recount();
	test_total_of_many();
	test_total_of_much();
	test_list();
	test_large_list();
	test_views();
	return one_store_end();
}
