/* SPDX-License-Identifier: BSD-2-Clause */
/* Can the count at the end of groups fail? The groups are those of selftest_groups.c. */
#include "core/base.h"
#include "selftest_priv.h"

#include <limits.h>
#include <stdlib.h>

#include "audit_priv.h"
#include "core/id.h"
#include "core/json.h"
#include "history.h"
#include "record_groups.h"

/* What the user has of the group: all up to `count` but `without`. */
static void recount(struct trial *t, unsigned party, unsigned user, uint32_t count, uint32_t without,
		    const struct history_group_claims *claims)
{
	struct history h = {0};
	history_begin(&h, t->record, user, party);
	for (uint32_t seq = (uint32_t)claims->first_seq; seq <= count; seq++) {
		struct sight s = group_sight_of(t, record_at(t->record, 0, party, seq), seq);
		if (seq != without)
			history_take(&h, &s);
	}
	history_end_group(&h, claims);
	history_fini(&h);
}

/* ---- counts ---- */

#define LAST(party, seq) .last_id = ID_OF(party) << MESSAGE_SEQ_BITS | (seq)

/* p1 has sent seq 2, and has not read seq 3, which mentions p1, and 4. */
static void talk(struct trial *t)
{
	group_say(t, G0, 2, 1);
	group_send_mentioning(t, G0, 3, 0, 1);
	group_say(t, G0, 4, 2);
	group_push_all(t, "0123", G0, 2);
	group_push_all(t, "0123", G0, 3);
	group_push_all(t, "0123", G0, 4);
}

static const struct history_group_claims right = {
	.unread = 2, .mentions = 1, .read_seq = 2, .first_seq = 1, LAST(G0, 4)};

static void counts_right(struct trial *t)
{
	talk(t);
	recount(t, G0, 1, 4, 0, &right);
	group_end(t);
}

static void lost(struct trial *t)
{
	talk(t);
	recount(t, G0, 1, 4, 3, &right);
}

static void wrong_unread(struct trial *t)
{
	struct history_group_claims claims = right;
	claims.unread = 1;
	talk(t);
	recount(t, G0, 1, 4, 0, &claims);
}

static void wrong_mentions(struct trial *t)
{
	struct history_group_claims claims = right;
	claims.mentions = 0;
	talk(t);
	recount(t, G0, 1, 4, 0, &claims);
}

static void wrong_read_seq(struct trial *t)
{
	struct history_group_claims claims = right;
	claims.read_seq = 1;
	talk(t);
	recount(t, G0, 1, 4, 0, &claims);
}

static void wrong_last(struct trial *t)
{
	struct history_group_claims claims = right;
	claims.last_id--;
	talk(t);
	recount(t, G0, 1, 4, 0, &claims);
}

static void wrong_first(struct trial *t)
{
	const struct history_group_claims claims = {.first_seq = 1, .read_seq = 2, LAST(G1, 2)};
	group_change(t, G1, 2, 0, EVENT_ADDED, "2");
	recount(t, G1, 2, 2, 0, &claims);
}

static void deleted_and_there(struct trial *t)
{
	talk(t);
	record_delete_tried(t->record, record_at(t->record, 0, G0, 3), 1);
	record_deleted(t->record, record_at(t->record, 0, G0, 3), 1);
	recount(t, G0, 1, 4, 0, &right);
}

/* ---- lists ---- */

/* p`user` is answered that, asked for the members of g0. */
static void list_members(struct trial *t, unsigned user, int status, const char *text)
{
	const char *why;
	struct audit a = {.record = t->record, .users = USERS, .user = user, .step = STEP_GROUPS};
	struct json_doc *doc = json_doc_new();
	const struct json *body = json_parse(doc, str_from(text), &why);
	a.has_members = xcalloc(2, sizeof(*a.has_members));
	if (body == NULL || !audit_next_group(&a, 0))
		abort();
	audit_take_group(&a, status, body);
	free(a.has_members);
	free(a.members_seen);
	json_doc_free(&doc);
}

static void look_at_group(struct trial *t, const char *text)
{
	const char *why;
	struct audit a = {.record = t->record, .users = USERS, .user = 1};
	struct json_doc *doc = json_doc_new();
	const struct json *group = json_parse(doc, str_from(text), &why);
	if (group == NULL)
		abort();
	audit_look_at_group(&a, G0, group);
	json_doc_free(&doc);
}

#define MEMBER(user, role) "{\"user\":{\"user_id\":\"" user "\"},\"role\":\"" role "\"}"
#define MEMBERS(list) "{\"items\":[" list "],\"next_cursor\":null}"

static void members_right(struct trial *t)
{
	list_members(t, 1, 200, MEMBERS(MEMBER("p0", "owner") "," MEMBER("p1", "member") "," MEMBER("p2", "member")));
	list_members(t, 3, 404, "{}");
	look_at_group(t, "{\"role\":\"member\",\"owner_id\":\"p0\",\"member_count\":3,\"dissolved_at\":null}");
}

static void member_missing(struct trial *t)
{
	list_members(t, 1, 200, MEMBERS(MEMBER("p0", "owner") "," MEMBER("p1", "member")));
}

static void member_too_many(struct trial *t)
{
	list_members(t, 1, 200,
		     MEMBERS(MEMBER("p0", "owner") "," MEMBER("p1", "member") "," MEMBER("p2", "member") "," MEMBER(
			     "p3", "member")));
}

static void wrong_role(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_ROLE, "1");
	list_members(t, 1, 200, MEMBERS(MEMBER("p0", "owner") "," MEMBER("p1", "member") "," MEMBER("p2", "member")));
}

static void told_to_stranger(struct trial *t)
{
	list_members(t, 3, 200, "{\"items\":[]}");
}

static void wrong_owner(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_OWNER, "1");
	look_at_group(t, "{\"role\":\"owner\",\"owner_id\":\"p0\",\"member_count\":3,\"dissolved_at\":null}");
}

static void wrong_count(struct trial *t)
{
	look_at_group(t, "{\"role\":\"member\",\"owner_id\":\"p0\",\"member_count\":2,\"dissolved_at\":null}");
}

static void not_dissolved(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_DISSOLVED, "");
	look_at_group(t, "{\"role\":\"member\",\"owner_id\":\"p0\",\"member_count\":3,\"dissolved_at\":null}");
}

const struct trial_row count_trials[] = {
	{"counts that are right", counts_right, NULL},
	{"members that are right", members_right, NULL},
	{"a message lost from a member's history", lost, "m3 (seq 3 of g0, acknowledged) is lost"},
	{"a wrong unread count of a group", wrong_unread, "unread_count is 1, a recount gives 2"},
	{"a wrong count of mentions", wrong_mentions, "mention_count is 0, a recount gives 1"},
	{"a read_seq before one's own message", wrong_read_seq, "read_seq is 1, expected 2 to 2"},
	{"a wrong last message", wrong_last, "last_message is"},
	{"a history that begins too early", wrong_first, "first_seq is 1, expected 2"},
	{"deleted in a group and still there", deleted_and_there, "is still in the history of p1"},
	{"a list without a member", member_missing, "p2 is not among the members of g0"},
	{"a list with a stranger", member_too_many, "p3 is 'member' among the members of g0"},
	{"a wrong role", wrong_role, "p1 is 'member' among the members of g0, and 'admin'"},
	{"a history that is told to a stranger", told_to_stranger, "is answered 200 to p3"},
	{"a wrong owner", wrong_owner, "the owner of g0 is p0"},
	{"a wrong member_count", wrong_count, "member_count of g0 is 2, its history gives 3"},
	{"an end that is not shown", not_dissolved, "g0 is not dissolved for p1"},
};
const size_t count_trial_count = ARRAY_LEN(count_trials);
