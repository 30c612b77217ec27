/* SPDX-License-Identifier: BSD-2-Clause */
/* The count of groups: who is in them, and that others are told of none. */
#include "core/base.h"
#include "audit_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"

static const char *const rank_names[] = {"none", "member", "admin", "owner"};

void audit_look_at_group(struct audit *a, unsigned party, const struct json *group)
{
	const struct group_state *s = record_group_state(a->record, party);
	const struct json *role = json_get(group, "role"), *owner = json_get(group, "owner_id"),
			  *end = json_get(group, "dissolved_at");
	unsigned owner_number = owner != NULL ? record_user_of(owner->text) : UINT_MAX;
	int64_t members = -1;
	bool is_dissolved = end != NULL && end->type == JSON_STRING;
	if (is_dissolved != (s->dissolved_seq != 0))
		record_violate(a->record, "%s is %sdissolved for p%u", record_party_name(a->record, party).is,
			       is_dissolved ? "" : "not ", a->user);
	if (role == NULL || !str_is(role->text, rank_names[s->rank[a->user]]))
		record_violate(a->record, "p%u is '%.*s' in %s, and '%s' by its history", a->user,
			       role != NULL ? (int)role->text.len : 0, role != NULL ? role->text.s : "",
			       record_party_name(a->record, party).is, rank_names[s->rank[a->user]]);
	if (s->dissolved_seq == 0 && (owner_number >= a->users || s->rank[owner_number] != RANK_OWNER))
		record_violate(a->record, "the owner of %s is p%d, and not by its history",
			       record_party_name(a->record, party).is, (int)owner_number);
	if (json_int(json_get(group, "member_count"), &members) != 0 ||
	    (members != s->members && s->dissolved_seq == 0))
		record_violate(a->record, "member_count of %s is %" PRId64 ", its history gives %u",
			       record_party_name(a->record, party).is, members, s->members);
}

static bool user_is_in(const struct audit *a, unsigned group)
{
	return record_rank(a->record, a->users + group, a->user) != RANK_NONE;
}

bool audit_next_group(struct audit *a, unsigned from)
{
	for (unsigned g = from; g < record_groups(a->record); g++) {
		if (user_is_in(a, g) && (a->has_members[g] || record_may_have_left(a->record, a->users + g, a->user)))
			continue;
		a->group = g;
		a->cursor[0] = '\0';
		free(a->members_seen);
		a->members_seen = xcalloc(a->users, sizeof(*a->members_seen));
		return true;
	}
	return false;
}

void audit_group_path(const struct audit *a, char *path, size_t size)
{
	uint64_t id = record_conversation(a->record, a->user, a->users + a->group);
	if (!user_is_in(a, a->group))
		snprintf(path, size, "/messages/conversations/%" PRIu64 "/messages", id);
	else
		snprintf(path, size, "/groups/%" PRIu64 "/members?limit=10%s%s", id,
			 a->cursor[0] != '\0' ? "&cursor=" : "", a->cursor);
}

static void take_member(struct audit *a, const struct json *item)
{
	const struct json *id = json_get(json_get(item, "user"), "user_id"), *role = json_get(item, "role");
	unsigned user = id != NULL ? record_user_of(id->text) : UINT_MAX, party = a->users + a->group;
	if (user >= a->users || role == NULL) {
		record_violate(a->record, "not a member: %.*s", (int)item->raw.len, item->raw.s);
		return;
	}
	if (a->members_seen[user])
		record_violate(a->record, "p%u is twice in the members of %s", user,
			       record_party_name(a->record, party).is);
	a->members_seen[user] = true;
	if (!str_is(role->text, rank_names[record_rank(a->record, party, user)]))
		record_violate(a->record, "p%u is '%.*s' among the members of %s, and '%s' by its history", user,
			       (int)role->text.len, role->text.s, record_party_name(a->record, party).is,
			       rank_names[record_rank(a->record, party, user)]);
}

static void end_members(struct audit *a)
{
	unsigned party = a->users + a->group;
	for (unsigned u = 0; u < a->users; u++)
		if (record_rank(a->record, party, u) != RANK_NONE && !a->members_seen[u] &&
		    !record_may_have_left(a->record, party, u))
			record_violate(a->record, "p%u is not among the members of %s, and is one by its history", u,
				       record_party_name(a->record, party).is);
	a->has_members[a->group] = true;
}

bool audit_take_group(struct audit *a, int status, const struct json *body)
{
	const struct json *items = json_get(body, "items"), *next = json_get(body, "next_cursor");
	if (!user_is_in(a, a->group)) {
		if (status != 404)
			record_violate(a->record, "the history of %s is answered %d to p%u, who is not in it",
				       record_party_name(a->record, a->users + a->group).is, status, a->user);
		return audit_next_group(a, a->group + 1);
	}
	if (status != 200 || items == NULL) {
		record_violate(a->record, "the members of %s are answered %d to p%u",
			       record_party_name(a->record, a->users + a->group).is, status, a->user);
		return audit_next_group(a, a->group + 1);
	}
	for (const struct json *item = items->child; item != NULL; item = item->next)
		take_member(a, item);
	if (next != NULL && next->type == JSON_STRING && next->text.len < CURSOR_ROOM) {
		snprintf(a->cursor, sizeof(a->cursor), "%.*s", (int)next->text.len, next->text.s);
		return true;
	}
	end_members(a);
	return audit_next_group(a, a->group + 1);
}
