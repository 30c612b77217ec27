/* SPDX-License-Identifier: BSD-2-Clause */
/* The lists of a group (members, bans, requests, codes), messages that mention a user, and who has read a message. */
#include "core/base.h"
#include "store/group.h"

#include "core/buf.h"
#include "groups.h"
#include "one_store.h"

/* What all lists answer: ids of users, of messages, or codes, with spaces between them. */
struct list_answer {
	bool done;
	enum store_status status;
	struct buf text;
	size_t count;
	bool has_more;
	uint64_t number;
	struct group_member_cursor member;
	struct store_cursor next;
};

static void begin_answer(struct list_answer *a)
{
	buf_fini(&a->text);
	*a = (struct list_answer){0};
	buf_reserve(&a->text, 1)[0] = '\0';
}

static void add_word(struct list_answer *a, const char *word)
{
	buf_printf(&a->text, "%s%s", a->text.len == 0 ? "" : " ", word);
	buf_reserve(&a->text, 1)[0] = '\0';
	a->count++;
}

static struct list_answer a;

static void answer_is(enum store_status status, const char *words, bool has_more, const char *what)
{
	bool right = a.status == status && strcmp(a.text.data, words) == 0 && a.has_more == has_more;
	ok(right, "%s", what);
	if (!right)
		printf("#   %s: '%s'%s\n", store_status_name(a.status), a.text.data, a.has_more ? " and more" : "");
}

/* ---- members ---- */

static void on_members(const struct store_members *r, void *arg)
{
	a.status = r->status;
	a.has_more = r->has_more;
	for (size_t i = 0; i < r->count; i++) {
		add_word(&a, r->item[i].user.user_id);
		a.number += r->item[i].muted_until_ms != 0;
		a.member = (struct group_member_cursor){.role = r->item[i].role};
		memcpy(a.member.user_id, r->item[i].user.user_id, sizeof(a.member.user_id));
	}
	answered(&a.done);
}

static void members(const char *user, uint64_t id, unsigned limit, struct group_member_cursor after, const char *query)
{
	begin_answer(&a);
	store_list_members(s, str_from(user), id, limit, &after, str_from(query), on_members, NULL);
	wait_for(&a.done);
}

#define FIRST ((struct group_member_cursor){0})

static void test_members(void)
{
	uint64_t id = group_new("zoe", 3, 100);
	group_join(id, "zoe", GROUP_OWNER, 1, 1, 3);
	group_join(id, "yan", GROUP_ADMIN, 1, 1, 3);
	group_join(id, "xia", GROUP_ADMIN, 1, 1, 3);
	for (const char *const *u = (const char *const[]){"bob", "ann", "a_b", "cat", NULL}; *u != NULL; u++)
		group_join(id, *u, GROUP_MEMBER, 1, 1, 3);
	db_sql("INSERT INTO users (id,nickname) VALUES ('cat','Große Katze 100%%'),('zoe','Zoë_')");
	db_sql("UPDATE members SET muted_until=UTC_TIMESTAMP(3)+INTERVAL IF(user_id='bob',1,-1) HOUR WHERE "
	       "conversation_id="
	       "%llu AND user_id IN ('ann','bob')",
	       (unsigned long long)id);
	members("ann", id, 100, FIRST, NULL);
	answer_is(STORE_OK, "zoe xia yan a_b ann bob cat", false, "the owner, the admins, then the members by id");
	is_int(a.number, 1, "who was muted is not any more");
	members("ann", id, 2, FIRST, NULL);
	answer_is(STORE_OK, "zoe xia", true, "a page");
	members("ann", id, 2, a.member, NULL);
	answer_is(STORE_OK, "yan a_b", true, "the next, over the end of a role");
	members("ann", id, 3, a.member, NULL);
	answer_is(STORE_OK, "ann bob cat", false, "the last");
	members("ann", id, 3, a.member, NULL);
	answer_is(STORE_OK, "", false, "nothing after it");
	members("eve", id, 3, FIRST, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "who is no member sees none");
	members("ann", 1, 3, FIRST, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "a direct conversation has no such list");
	members("ann", id, 100, FIRST, "a");
	answer_is(STORE_OK, "a_b ann cat", false, "whose id begins with it, or whose nickname contains it");
	members("ann", id, 1, FIRST, "a");
	answer_is(STORE_OK, "a_b", true, "a page of these");
	members("ann", id, 2, a.member, "a");
	answer_is(STORE_OK, "ann cat", false, "and the next");
	members("ann", id, 100, FIRST, "a_");
	answer_is(STORE_OK, "a_b", false, "what means something in a pattern is meant as it is");
	members("ann", id, 100, FIRST, "%");
	answer_is(STORE_OK, "cat", false, "likewise");
	members("ann", id, 100, FIRST, "KATZE");
	answer_is(STORE_OK, "cat", false, "nicknames in any case");
	members("ann", id, 100, FIRST, "\\");
	answer_is(STORE_OK, "", false, "a backslash");
	members("ann", id, 100, FIRST, "' OR 1=1 -- ");
	answer_is(STORE_OK, "", false, "a quote");
	db_sql("INSERT INTO users (id,nickname) VALUES ('ann','李明🎉 élan')");
	for (const char *const *q = (const char *const[]){"明", "🎉", "ÉLAN", "明🎉 É", NULL}; *q != NULL; q++) {
		members("ann", id, 100, FIRST, *q);
		answer_is(STORE_OK, "ann", false, "what no id can begin with is looked for in nicknames");
	}
	members("ann", id, 100, FIRST, "é");
	answer_is(STORE_OK, "zoe ann cat", false, "with an accent or without");
	members("ann", id, 100, FIRST, "王");
	answer_is(STORE_OK, "", false, "and may be in none");
}

/* More than one step looks at. */
static void test_many_members(void)
{
	uint64_t id = group_new("zoe", 3, 100);
	group_join(id, "zoe", GROUP_OWNER, 1, 1, 3);
	db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) SELECT "
	       "CONCAT('m',LPAD(seq,5,'0')),%llu,3,1,1,1," AT(
		       "1") " FROM seq_1_to_5000;"
			    "INSERT INTO users (id,nickname) SELECT "
			    "CONCAT('m',LPAD(seq,5,'0')),IF(seq%%1999=0,'Needle','Hay') FROM "
			    "seq_1_to_5000",
	       (unsigned long long)id);
	members("zoe", id, 10, FIRST, "need");
	answer_is(STORE_OK, "m01999 m03998", false, "found among thousands");
	members("zoe", id, 1, FIRST, "need");
	answer_is(STORE_OK, "m01999", true, "one at a time");
	members("zoe", id, 1, a.member, "need");
	answer_is(STORE_OK, "m03998", false, "and the other");
	members("zoe", id, 10, FIRST, "m0500");
	answer_is(STORE_OK, "m05000", false, "the last one");
	struct group_member_cursor at = FIRST;
	size_t count = 0, pages = 0;
	do {
		members("zoe", id, 100, at, NULL);
		at = a.member;
		count += a.count;
	} while (a.has_more && ++pages < 100);
	is_int(count, 5001, "all, page by page");
}

/* ---- bans, requests, codes ---- */

static void on_entries(const struct store_group_entries *r, void *arg)
{
	a.status = r->status;
	a.has_more = r->has_more;
	for (size_t i = 0; i < r->count; i++) {
		add_word(&a, r->item[i].user.user_id);
		a.number += strcmp(r->item[i].by, "zoe") == 0;
	}
	answered(&a.done);
}

typedef void entries_call(struct store *s, struct str user, uint64_t conversation_id, unsigned limit, struct str after,
			  store_group_entries_fn *fn, void *arg);

static void entries(entries_call *call, const char *user, uint64_t id, unsigned limit, const char *after)
{
	begin_answer(&a);
	call(s, str_from(user), id, limit, str_from(after), on_entries, NULL);
	wait_for(&a.done);
}

static uint64_t group_of_three(void)
{
	uint64_t id = group_new("zoe", 3, 100);
	group_join(id, "zoe", GROUP_OWNER, 1, 1, 3);
	group_join(id, "yan", GROUP_ADMIN, 1, 1, 3);
	group_join(id, "ann", GROUP_MEMBER, 1, 1, 3);
	return id;
}

static void test_entries(void)
{
	uint64_t id = group_of_three();
	db_sql("INSERT INTO group_bans SELECT %llu,CONCAT('b',seq),'zoe'," AT(
		       "seq") " FROM seq_1_to_5;"
			      "INSERT INTO group_requests SELECT %llu,CONCAT('r',seq)," AT("seq") " FROM seq_1_to_3",
	       (unsigned long long)id, (unsigned long long)id);
	entries(store_list_bans, "yan", id, 3, NULL);
	answer_is(STORE_OK, "b1 b2 b3", true, "bans");
	is_int(a.number, 3, "with whose they are");
	entries(store_list_bans, "zoe", id, 3, "b3");
	answer_is(STORE_OK, "b4 b5", false, "the next page");
	entries(store_list_bans, "ann", id, 3, NULL);
	answer_is(STORE_ROLE, "", false, "for admins");
	entries(store_list_bans, "eve", id, 3, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "not to strangers");
	entries(store_list_join_requests, "yan", id, 3, NULL);
	answer_is(STORE_OK, "r1 r2 r3", false, "requests");
	is_int(a.number, 0, "which are nobody's");
	entries(store_list_join_requests, "ann", id, 3, NULL);
	answer_is(STORE_ROLE, "", false, "for admins");
	entries(store_list_join_requests, "eve", id, 3, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "not to strangers");
}

static void on_invites(const struct store_invites *r, void *arg)
{
	a.status = r->status;
	for (size_t i = 0; i < r->count; i++)
		add_word(&a, r->item[i].code);
	answered(&a.done);
}

static void invites(const char *user, uint64_t id)
{
	begin_answer(&a);
	store_list_invites(s, str_from(user), id, on_invites, NULL);
	wait_for(&a.done);
}

static void on_look(const struct store_invite_seen *r, void *arg)
{
	a.status = r->status;
	a.number = r->member_count;
	a.next.id = r->conversation_id;
	if (r->status == STORE_OK)
		buf_append_str(&a.text, r->name);
	buf_reserve(&a.text, 1)[0] = '\0';
	answered(&a.done);
}

static void look(const char *user, const char *code)
{
	begin_answer(&a);
	store_look_at_invite(s, str_from(user), str_from(code), on_look, NULL);
	wait_for(&a.done);
}

static void test_invites(void)
{
	uint64_t id = group_of_three();
	unsigned long long n = id;
	db_sql("INSERT INTO group_invites (code,conversation_id,created_by,created_at,expires_at,max_uses,uses) VALUES "
	       "('for-ever........',%llu,'zoe'," AT(
		       "1") ",NULL,NULL,7),"
			    "('expired.........',%llu,'zoe'," AT(
				    "2") ",UTC_TIMESTAMP(3)-INTERVAL 1 SECOND,NULL,0),"
					 "('used-up.........',%llu,'zoe'," AT(
						 "3") ",NULL,2,2),"
						      "('some-left.......',%llu,'zoe'," AT(
							      "4") ",UTC_TIMESTAMP(3)+INTERVAL 1 HOUR,2,1)",
	       n, n, n, n);
	invites("ann", id);
	answer_is(STORE_OK, "some-left....... for-ever........", false, "codes that can be used, newest first");
	invites("eve", id);
	answer_is(STORE_NOT_FOUND, "", false, "not to strangers");
	look("eve", "some-left.......");
	answer_is(STORE_OK, "group of zoe", false, "to whom a code shows the group");
	ok(a.next.id == id && a.number == 3, "which one it is, and how large");
	look("eve", "expired.........");
	answer_is(STORE_NOT_FOUND, "", false, "an expired one does not");
	look("eve", "used-up.........");
	answer_is(STORE_NOT_FOUND, "", false, "nor one that is used up");
	look("eve", "some-left......");
	answer_is(STORE_NOT_FOUND, "", false, "nor what is no code");
	look("eve", "some-left\xc3\xa9......");
	answer_is(STORE_NOT_FOUND, "", false, "nor what cannot be one");
	db_sql("INSERT INTO group_bans VALUES (%llu,'eve','zoe'," AT("1") ")", n);
	look("eve", "some-left.......");
	answer_is(STORE_BANNED, "", false, "nor does it to who is banned");
	db_sql("UPDATE group_heads SET add_policy=1 WHERE id=%llu", n);
	invites("ann", id);
	answer_is(STORE_ROLE, "", false, "where admins invite, they see the codes");
	invites("yan", id);
	is_int(a.count, 2, "as one does");
	db_sql("UPDATE group_heads SET dissolved_at=" AT("9") " WHERE id=%llu", n);
	invites("yan", id);
	answer_is(STORE_OK, "", false, "none can be used once the group is dissolved");
	look("fay", "some-left.......");
	answer_is(STORE_NOT_FOUND, "", false, "nor looked at");
}

/* ---- mentions ---- */

static void on_mentions(const struct store_mentions *r, void *arg)
{
	char id[48];
	a.status = r->status;
	a.has_more = r->has_more;
	a.next = r->next;
	for (size_t i = 0; i < r->count; i++) {
		snprintf(id, sizeof(id), "%llu:%llu",
			 (unsigned long long)message_id_conversation(r->item[i].id) % 100000,
			 (unsigned long long)message_id_seq(r->item[i].id));
		add_word(&a, id);
	}
	answered(&a.done);
}

static void mentions(const char *user, unsigned limit, struct store_cursor after)
{
	begin_answer(&a);
	store_list_mentions(s, str_from(user), limit, after, on_mentions, NULL);
	wait_for(&a.done);
}

#define NEWEST ((struct store_cursor){0})

static void test_mentions(void)
{
	char want[256];
	mentions("mia", 10, NEWEST);
	answer_is(STORE_OK, "", false, "nobody mentions the user");
	uint64_t id = group_new("zoe", 20, 1000), other = group_new("zoe", 20, 1000), left = group_new("zoe", 20, 1010);
	group_join(id, "mia", GROUP_MEMBER, 5, 5, 5);
	group_join(other, "mia", GROUP_MEMBER, 1, 1, 5);
	group_join(left, "mia", GROUP_MEMBER, 1, 1, 5);
	group_mention(id, "mia", 4);
	group_mention(id, "mia", 6);
	group_mention(id, "*", 3);
	group_mention(id, "*", 6);
	group_mention(id, "*", 8);
	group_mention(id, "mia", 10);
	group_mention(id, "*", 11);
	group_mention(id, "*", 12);
	group_mention(id, "zoe", 13);
	group_mention(other, "*", 8);
	group_mention(other, "mia", 12);
	group_mention(left, "*", 9);
	group_mention(left, "mia", 10);
	db_sql("DELETE FROM members WHERE user_id='mia' AND conversation_id=%llu", (unsigned long long)left);
	group_recall(id, 11);
	group_delete(id, "mia", 9, 10);
	unsigned g = (unsigned)(id % 100000), o = (unsigned)(other % 100000);
	snprintf(want, sizeof(want), "%u:12 %u:12 %u:8 %u:8 %u:6", o, g, o, g, g);
	mentions("mia", 10, NEWEST);
	answer_is(STORE_OK, want, false,
		  "those of the user and of everyone that the user sees, newest first, each once");
	for (unsigned limit = 1; limit <= 5; limit++) {
		struct buf all = {0};
		struct store_cursor at = NEWEST;
		unsigned pages = 0;
		do {
			mentions("mia", limit, at);
			buf_printf(&all, "%s%s", all.len == 0 ? "" : " ", a.text.data);
			at = a.next;
		} while (a.has_more && ++pages < 9);
		ok(str_is((struct str){all.data, all.len}, want), "in pages of %u", limit);
		is_int(pages, 4 / limit, "no page too many");
		buf_fini(&all);
	}
	db_befriend("mia", "dora");
	uint64_t direct = message_id_conversation(do_text(s, "dora", "mia", "x", "m1").m.id);
	db_sql("INSERT INTO mentions SELECT 'mia',id>>28,1,created_at FROM messages WHERE client_msg_id='m1'");
	mentions("mia", 1, NEWEST);
	snprintf(want, sizeof(want), "%llu:1", (unsigned long long)direct);
	answer_is(STORE_OK, want, true, "of direct conversations as well");
	do_change(ACT_DELETE, s, "mia", message_id_make(direct, 1));
	mentions("mia", 1, NEWEST);
	snprintf(want, sizeof(want), "%u:12", o);
	answer_is(STORE_OK, want, true, "unless the user has deleted it");
}

/* Nothing but what the user does not see, for pages on end. */
static void test_hidden_mentions(void)
{
	uint64_t id = group_new("zoe", 400, 3000);
	group_join(id, "max", GROUP_MEMBER, 1, 1, 400);
	db_sql("INSERT INTO mentions SELECT IF(seq%%2,'max','*'),%llu,seq," AT(
		       "3000+seq") " FROM seq_2_to_400;"
				   "UPDATE group_heads SET all_seq=400 WHERE id=%llu",
	       (unsigned long long)id, (unsigned long long)id);
	group_delete(id, "max", 4, 400);
	mentions("max", 10, NEWEST);
	is_int(a.count, 2, "past hundreds that were deleted");
	ok(!a.has_more, "to the end");
}

/* More of them than one page looks at, all at the same time. */
static void test_very_many_hidden(void)
{
	enum { MANY = 6000, PAGES_MAX = 40 };
	uint64_t id = group_new("zoe", 3, 3000);
	unsigned pages = 1;
	group_join(id, "may", GROUP_MEMBER, 1, 1, 3);
	group_mention(id, "may", 2);
	db_sql("INSERT INTO mentions SELECT 'may',17999999000+seq%%3,seq," AT("9000") " FROM seq_1_to_%d", MANY);
	mentions("may", 10, NEWEST);
	ok(a.status == STORE_OK && a.count == 0 && a.has_more, "a page ends before it has seen them all");
	while (a.count == 0 && a.has_more && pages < PAGES_MAX) {
		mentions("may", 10, a.next);
		pages++;
	}
	is_int(a.count, 1, "the next ones go on to what the user sees");
	ok(pages > 2 && pages < PAGES_MAX, "in a few pages: %u", pages);
	ok(!a.has_more, "which is the last one");
}

/* ---- receipts ---- */

static void on_receipts(const struct store_receipts *r, void *arg)
{
	char word[128];
	a.status = r->status;
	a.has_more = r->has_more;
	a.number = r->read_count;
	for (size_t i = 0; i < r->count; i++) {
		int64_t secs = (r->item[i].read_ms - db_sql("SELECT UNIX_TIMESTAMP(" AT("0") ")*1000")) / 1000;
		snprintf(word, sizeof(word), "%s@%lld", r->item[i].user_id, (long long)secs);
		add_word(&a, word);
	}
	answered(&a.done);
}

static void receipts(const char *user, uint64_t message_id, unsigned limit, const char *after)
{
	begin_answer(&a);
	store_list_receipts(s, str_from(user), message_id, limit, str_from(after), on_receipts, NULL);
	wait_for(&a.done);
}

static void test_receipts(void)
{
	uint64_t id = group_new("zoe", 20, 100);
	unsigned long long n = id;
	group_join(id, "zoe", GROUP_OWNER, 1, 1, 20);
	group_join(id, "bob", GROUP_MEMBER, 1, 1, 12);
	group_join(id, "ann", GROUP_MEMBER, 1, 1, 20);
	group_join(id, "cat", GROUP_MEMBER, 1, 1, 9);
	group_join(id, "new", GROUP_MEMBER, 15, 1, 15);
	group_join(id, "eye", GROUP_MEMBER, 12, 12, 20);
	db_sql("UPDATE members SET read_at=" AT(
		       "777") " WHERE conversation_id=%llu AND user_id<>'new';"
			      "INSERT INTO read_marks VALUES (%llu,'ann',5," AT("205") "),(%llu,'ann',10," AT(
				      "210") "),(%llu,'ann',14," AT("214") "),(%llu,'bob',9," AT("209") ")",
	       n, n, n, n, n);
	receipts("zoe", message_id_make(id, 10), 10, NULL);
	answer_is(STORE_OK, "ann@210 bob@777", false,
		  "who has read it and when, without the sender and who joined later");
	is_int(a.number, 2, "and how many");
	receipts("cat", message_id_make(id, 11), 1, NULL);
	answer_is(STORE_OK, "ann@214", true, "any member may ask, page by page");
	is_int(a.number, 2, "of all pages");
	receipts("cat", message_id_make(id, 11), 1, "ann");
	answer_is(STORE_OK, "bob@777", false, "the next page");
	receipts("ann", message_id_make(id, 13), 10, NULL);
	answer_is(STORE_OK, "ann@214 eye@777", false, "later ones");
	receipts("new", message_id_make(id, 1), 10, NULL);
	is_int(a.number, 3, "who was there at the first one and has read since");
	db_sql("UPDATE members SET read_seq=16,read_at=" AT("800") " WHERE user_id='new'");
	receipts("ann", message_id_make(id, 10), 10, "bob");
	answer_is(STORE_OK, "new@800", false, "who joined later and has read since");
	receipts("eye", message_id_make(id, 11), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "not of a message that the member does not see");
	group_delete(id, "ann", 9, 11);
	receipts("ann", message_id_make(id, 10), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "nor of one that they deleted");
	receipts("ann", message_id_make(id, 12), 10, NULL);
	is_int(a.status, STORE_OK, "but of the one after it");
	receipts("dora", message_id_make(id, 10), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "not to strangers");
	receipts("ann", message_id_make(id, 21), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "nor of none");
	conf->groups.receipts_max = 5;
	receipts("bob", message_id_make(id, 10), 10, NULL);
	answer_is(STORE_LIMITED, "", false, "not in a larger group");
	conf->groups.receipts_max = 6;
	receipts("bob", message_id_make(id, 20), 10, NULL);
	answer_is(STORE_OK, "ann@777 eye@777", false, "unlike one that is not");
	receipts("bob", UINT64_MAX, 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "no such id");
}

static void group_sent(uint64_t id, const char *user, unsigned seq)
{
	db_sql("UPDATE messages SET from_user_id='%s' WHERE id=%llu", user,
	       (unsigned long long)message_id_make(id, seq));
}

/* A message tells that its sender had read what is before it. */
static void test_receipts_of_senders(void)
{
	enum { LAST = 2 * GROUP_SENT_READS_MAX };
	uint64_t id = group_new("zac", LAST, 100);
	unsigned long long n = id;
	group_join(id, "zac", GROUP_OWNER, 1, 1, LAST);
	group_join(id, "ann", GROUP_MEMBER, 1, 1, LAST);
	group_join(id, "bob", GROUP_MEMBER, 1, 1, LAST);
	group_join(id, "cat", GROUP_MEMBER, 1, 1, 14);
	db_sql("UPDATE members SET read_at=" AT("777") " WHERE conversation_id=%llu;"
						       "INSERT INTO read_marks VALUES (%llu,'bob',12," AT("212") ")",
	       n, n);
	group_sent(id, "ann", 10);
	group_sent(id, "ann", 14);
	group_sent(id, "ann", 16);
	group_sent(id, "bob", 13);
	group_sent(id, "bob", LAST);
	receipts("zac", message_id_make(id, 11), 10, NULL);
	answer_is(STORE_OK, "ann@114 bob@212 cat@777", false,
		  "by the first message after it, or by a mark before that");
	receipts("zac", message_id_make(id, 12), 10, NULL);
	answer_is(STORE_OK, "ann@114 bob@212 cat@777", false, "a mark of the message itself");
	receipts("ann", message_id_make(id, 13), 10, NULL);
	answer_is(STORE_OK, "ann@114 cat@777 zac@115", false, "not of who has sent it");
	receipts("zac", message_id_make(id, 5), 1, "ann");
	answer_is(STORE_OK, "bob@212", true, "a page");
	receipts("zac", message_id_make(id, LAST - GROUP_SENT_READS_MAX), 10, NULL);
	answer_is(STORE_OK, "ann@777 bob@612", false, "a message as far after it as may be");
	receipts("zac", message_id_make(id, LAST - GROUP_SENT_READS_MAX - 1), 10, NULL);
	answer_is(STORE_OK, "ann@777 bob@777", false, "one that is farther has a mark");
	db_sql("UPDATE messages SET message_type=%d WHERE id=%llu", MESSAGE_SYSTEM,
	       (unsigned long long)message_id_make(id, 14));
	receipts("zac", message_id_make(id, 11), 10, NULL);
	answer_is(STORE_OK, "ann@116 bob@212 cat@777", false, "what the server says of a user tells nothing");
}

static void test_direct_receipts(void)
{
	db_befriend("ria", "rob");
	uint64_t id = message_id_conversation(do_text(s, "ria", "rob", "x", NULL).m.id);
	do_text(s, "ria", "rob", "x", NULL);
	receipts("ria", message_id_make(id, 1), 10, NULL);
	answer_is(STORE_OK, "", false, "a direct message that was not read");
	do_read(s, "rob", id, 1);
	receipts("ria", message_id_make(id, 1), 10, NULL);
	ok(a.status == STORE_OK && a.count == 1 && a.number == 1 && strncmp(a.text.data, "rob@", 4) == 0,
	   "one that was");
	receipts("rob", message_id_make(id, 1), 10, "rob");
	ok(a.count == 0 && a.number == 1, "nobody is after the only one");
	receipts("rob", message_id_make(id, 2), 10, NULL);
	ok(a.count == 0 && a.number == 0, "the other was not");
	receipts("ann", message_id_make(id, 1), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "it is theirs alone");
	do_change(ACT_DELETE, s, "ria", message_id_make(id, 1));
	receipts("ria", message_id_make(id, 1), 10, NULL);
	answer_is(STORE_NOT_FOUND, "", false, "and not of who has deleted it");
}

int main(void)
{
	one_store_begin(NULL);
	test_members();
	test_many_members();
	test_entries();
	test_invites();
	test_mentions();
	test_hidden_mentions();
	test_very_many_hidden();
	test_receipts();
	test_receipts_of_senders();
	test_direct_receipts();
	buf_fini(&a.text);
	return one_store_end();
}
