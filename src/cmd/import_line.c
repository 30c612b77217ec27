/* SPDX-License-Identifier: BSD-2-Clause */
/* What a line of an import says. */
#include "core/base.h"
#include "cmd/import.h"

#include "cmd/cmd.h"
#include "cmd/content.h"
#include "cmd/login.h"
#include "core/media_ref.h"
#include "store/mention.h"

static const char *const kind_names[IMPORT_KINDS] = {"user", "friendship", "group", "message"};

const char *import_kind_name(enum import_kind k)
{
	return kind_names[k];
}

/* Nobody can be given the right to see a file that was uploaded here. */
static const struct problem *check_no_file(struct request *r, const char *name, struct str url)
{
	return media_ref_id(url).s == NULL ? NULL : request_invalid(r, "%s: must be an http or https URL", name);
}

static const struct problem *read_user(struct request *r, struct import_user *u)
{
	const struct problem *p = request_user_id(r, "user_id", &u->user)
					  ?: account_reserved(r, u->user)
					  ?: request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &u->nickname)
					  ?: request_web_url(r, "avatar_url", &u->avatar_url)
					  ?: request_time(r, "created_at", &u->created_ms);
	u->user = arena_str(&r->arena, u->user);
	u->avatar_url = arena_str(&r->arena, u->avatar_url);
	return p;
}

static const struct problem *read_friendship(struct request *r, struct import_friendship *f)
{
	const struct problem *p = request_user_id(r, "user_id", &f->user)
					  ?: request_user_id(r, "friend_id", &f->friend)
					  ?: request_time(r, "created_at", &f->created_ms);
	if (p == NULL && str_equal(f->user, f->friend))
		p = request_invalid(r, "friend_id: nobody is a friend of themselves");
	f->user = arena_str(&r->arena, f->user);
	f->friend = arena_str(&r->arena, f->friend);
	return p;
}

/* ---- groups ---- */

static const struct problem *read_member(struct request *r, const struct json *v, size_t at, struct str owner,
					 struct str *user_r, enum group_role *role_r)
{
	const struct json *id = json_get(v, "user_id"), *role = json_get(v, "role");
	if (v->type != JSON_OBJECT || id == NULL || id->type != JSON_STRING || !id_user_valid(id->text))
		return request_invalid(r, "members[%zu].user_id: must be " USER_ID_RULE, at);
	*user_r = arena_str(&r->arena, id->text);
	*role_r = GROUP_MEMBER;
	if (role == NULL || role->type == JSON_NULL)
		return NULL;
	for (enum group_role k = GROUP_OWNER; k <= GROUP_MEMBER; k++) {
		if (role->type != JSON_STRING || !str_is(role->text, group_role_name(k)))
			continue;
		*role_r = k;
		return k != GROUP_OWNER || str_equal(*user_r, owner)
			       ? NULL
			       : request_invalid(r, "members[%zu].role: the owner is owner_id", at);
	}
	return request_invalid(r, "members[%zu].role: must be owner, admin or member", at);
}

static const struct problem *read_members(struct request *r, struct store_group_op *op)
{
	const struct json *list = json_get(r->body, "members");
	if (list == NULL || list->type == JSON_NULL)
		return NULL;
	if (list->type != JSON_ARRAY || list->count > GROUP_CREATE_MAX)
		return request_invalid(r, "members: must be an array of up to %d members", GROUP_CREATE_MAX);
	struct str *users = arena_alloc(&r->arena, list->count * sizeof(*users));
	enum group_role *roles = arena_alloc(&r->arena, list->count * sizeof(*roles));
	const struct problem *p = NULL;
	op->users = users;
	op->roles = roles;
	for (const struct json *v = list->child; v != NULL && p == NULL; v = v->next, op->user_count++)
		p = read_member(r, v, op->user_count, op->user, &users[op->user_count], &roles[op->user_count]);
	return p;
}

/* A new group is described as by its maker. */
static const struct problem *read_group(struct request *r, struct store_group_op *op)
{
	union command_args a = {0};
	struct str owner = STR_NULL;
	const struct problem *p = group_create_check(r, &a);
	*op = a.group;
	op->step = GROUP_IMPORT;
	op->users = NULL;
	op->user_count = 0;
	op->by_operator = true;
	if (p == NULL && op->client_group_id.s == NULL)
		p = request_invalid(r, "client_group_id: is missing");
	p = p ?: check_no_file(r, "avatar_url", op->avatar_url)
		      ?: request_user_id(r, "owner_id", &owner)
		      ?: request_time(r, "created_at", &op->created_ms);
	op->user = arena_str(&r->arena, owner);
	op->name = arena_str(&r->arena, op->name);
	op->avatar_url = arena_str(&r->arena, op->avatar_url);
	op->about = arena_str(&r->arena, op->about);
	op->client_group_id = arena_str(&r->arena, op->client_group_id);
	return p ?: read_members(r, op);
}

/* ---- messages ---- */

static const struct problem *read_recipient(struct request *r, struct import_message *m)
{
	const struct problem *p = request_text(r, "to_user_id", &m->to)
					  ?: request_client_id(r, "client_group_id", &m->client_group_id);
	if (p != NULL)
		return p;
	if (m->to.s != NULL && m->client_group_id.s != NULL)
		return request_invalid(r, "to_user_id, client_group_id: only one of them can be given");
	if (m->client_group_id.s != NULL)
		return NULL;
	if (m->to.s == NULL)
		return request_invalid(r, "to_user_id: is missing, and so is client_group_id");
	if (!id_user_valid(m->to))
		return request_invalid(r, "to_user_id: must be " USER_ID_RULE);
	return str_equal(m->to, m->from) ? request_invalid(r, "to_user_id: one cannot send to oneself") : NULL;
}

/* What it answers has no id here yet: the sender and the client_msg_id of that. */
static const struct problem *read_reply(struct request *r, struct import_message *m)
{
	const struct json *v = json_get(r->body, "reply_to");
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	const struct json *from = json_get(v, "from_user_id"), *id = json_get(v, "client_msg_id");
	if (v->type != JSON_OBJECT || from == NULL || from->type != JSON_STRING || !id_user_valid(from->text) ||
	    id == NULL || id->type != JSON_STRING || !id_client_msg_valid(id->text))
		return request_invalid(r, "reply_to: must be an object with the from_user_id and client_msg_id of a "
					  "message");
	m->reply_from = arena_str(&r->arena, from->text);
	m->reply_client_msg_id = arena_str(&r->arena, id->text);
	return NULL;
}

static bool is_mentioned(const struct import_message *m, struct str user)
{
	return !str_equal(user, m->from) && (m->to.s == NULL || str_equal(user, m->to));
}

/* As mention_note() writes them; no id has anything that JSON escapes. */
static struct str stored_mentions(struct request *r, const struct import_message *m, const struct store_send *s)
{
	if (s->mentions_all)
		return STR_LIT("[\"*\"]");
	struct str kept[STORE_MENTIONS_MAX];
	size_t n = mention_keep(&(struct mention_list){s->mention, s->mention_count, false}, kept);
	char *text = arena_alloc(&r->arena, mention_room(kept, n)), *at = text;
	for (size_t i = 0; i < n; i++) {
		if (!is_mentioned(m, kept[i]))
			continue;
		*at = at == text ? '[' : ',';
		*++at = '"';
		at++;
		memcpy(at, kept[i].s, kept[i].len);
		at += kept[i].len;
		*at++ = '"';
	}
	if (at == text)
		return STR_NULL;
	*at++ = ']';
	return (struct str){text, (size_t)(at - text)};
}

static const struct problem *check_message(struct request *r, const struct store_send *s, int64_t created_ms)
{
	if (s->type == MESSAGE_STICKER)
		return request_invalid(r, "message_type: stickers are not imported");
	if (s->client_msg_id.s == NULL)
		return request_invalid(r, "client_msg_id: is missing");
	if (s->expires_in_secs != 0)
		return request_invalid(r, "expires_in: what is imported does not expire");
	if (created_ms == 0)
		return request_invalid(r, "created_at: is missing, or before 1970");
	return check_no_file(r, "media_url", s->media_url);
}

static const struct problem *read_message(struct request *r, struct import_message *m)
{
	struct arena *a = &r->arena;
	struct store_send s = {0};
	const struct problem *p = request_user_id(r, "from_user_id", &m->from)
					  ?: read_recipient(r, m)
					  ?: send_message_check(r, &s, false)
					  ?: read_reply(r, m)
					  ?: request_time(r, "created_at", &m->created_ms)
					  ?: check_message(r, &s, m->created_ms);
	if (p != NULL)
		return p;
	m->mentions = stored_mentions(r, m, &s);
	m->from = arena_str(a, m->from);
	m->to = arena_str(a, m->to);
	m->client_group_id = arena_str(a, m->client_group_id);
	m->type = s.type;
	m->content = arena_str(a, s.content);
	m->media_url = arena_str(a, s.media_url);
	m->extra = s.extra;
	m->entities = s.entities;
	m->client_msg_id = arena_str(a, s.client_msg_id);
	return NULL;
}

/* ---- a line ---- */

static const struct problem *read_kind(struct request *r, enum import_kind *kind_r)
{
	struct str type;
	const struct problem *p = request_needs_text(r, "type", &type);
	if (p != NULL)
		return p;
	for (size_t i = 0; i < IMPORT_KINDS; i++) {
		if (str_is(type, kind_names[i])) {
			*kind_r = (enum import_kind)i;
			return NULL;
		}
	}
	return request_invalid(r, "type: must be user, friendship, group or message");
}

static const struct problem *read_object(struct request *r, struct import_line *out)
{
	const struct problem *p = read_kind(r, &out->kind);
	if (p != NULL)
		return p;
	switch (out->kind) {
	case IMPORT_LINE_USER:
		return read_user(r, &out->user);
	case IMPORT_LINE_FRIENDSHIP:
		return read_friendship(r, &out->friendship);
	case IMPORT_LINE_GROUP:
		return read_group(r, &out->group);
	case IMPORT_LINE_MESSAGE:
		return read_message(r, &out->message);
	}
	return NULL;
}

const struct problem *import_line_read(struct request *r, struct str line, struct import_line *out)
{
	const char *reason;
	*out = (struct import_line){0};
	r->body = json_parse(r->api->doc, line, &reason);
	if (r->body == NULL)
		return request_problem(r, PROBLEM_MALFORMED_JSON, "%s", reason);
	const struct problem *p = r->body->type == JSON_OBJECT ? read_object(r, out)
							       : request_invalid(r, "the line must be a JSON object");
	r->body = NULL;
	return p;
}
