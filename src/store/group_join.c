/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coming in from outside: codes, joining, and requests that an admin answers.
 *
 * Joining with a code uses it once, and so does asking with it: else one use could bring any number of requests, and
 * accepting does not know which code it was. A repeated request uses nothing. Nor does a member's join, which succeeds
 * also with a code that is used up or expired, but not with one that was revoked.
 */
#include "core/base.h"
#include "store/group_priv.h"

#include "store/sql.h"

#define SECOND_MS INT64_C(1000)
/* A code that lives longer than this lives for ever. */
#define CODE_SECS_MAX INT64_C(3153600000)

/* ---- codes ---- */

bool group_code_is_valid(struct str code)
{
	if (code.s == NULL || code.len != GROUP_CODE_LEN)
		return false;
	for (size_t i = 0; i < code.len; i++)
		if (code.s[i] < '!' || code.s[i] > '~')
			return false;
	return true;
}

bool group_code_is_dead(const struct group_invite *i, int64_t now_ms)
{
	return (i->expires_ms != 0 && i->expires_ms <= now_ms) || (i->max_uses != 0 && i->uses >= i->max_uses);
}

static void put_invite(struct change_group *c, struct buf *text)
{
	const struct group_invite *i = &c->invite;
	group_put_next(text);
	sql_lit(text, "INSERT INTO group_invites (code,conversation_id,created_by,created_at,expires_at,max_uses) "
		      "VALUES (");
	sql_str(text, str_from(i->code));
	buf_append_char(text, ',');
	group_put_id(text, c);
	buf_append_char(text, ',');
	sql_str(text, c->actor->id);
	buf_append_char(text, ',');
	sql_time(text, i->created_ms);
	buf_append_char(text, ',');
	sql_time(text, i->expires_ms);
	buf_append_char(text, ',');
	if (i->max_uses != 0)
		sql_u64(text, i->max_uses);
	else
		sql_lit(text, "NULL");
	buf_append_char(text, ')');
}

static void put_drop_dead_codes(struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "DELETE i FROM group_invites i FORCE INDEX (by_conversation) WHERE i.conversation_id=");
	group_put_id(text, c);
	sql_lit(text, " AND (i.expires_at<=");
	sql_time(text, c->now_ms);
	sql_lit(text, " OR i.uses>=i.max_uses)");
}

enum store_status group_decide_invite(struct change_group *c, struct buf *text)
{
	enum store_status may = group_may_add(c);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	c->now.invite = &c->invite;
	if (c->code_found)
		return STORE_OK; /* an earlier try of ours has made it */
	if (c->codes >= GROUP_INVITES_MAX)
		return STORE_LIMITED;
	if (c->dead_codes != 0)
		put_drop_dead_codes(c, text);
	c->invite = (struct group_invite){.created_ms = c->now_ms, .max_uses = c->op.max_uses};
	if (c->op.expires_in_secs > 0 && c->op.expires_in_secs <= CODE_SECS_MAX)
		c->invite.expires_ms = c->now_ms + c->op.expires_in_secs * SECOND_MS;
	if (c->invite.max_uses > UINT32_MAX)
		c->invite.max_uses = 0;
	memcpy(c->invite.code, c->made_code, sizeof(c->invite.code));
	memcpy(c->invite.created_by, c->actor->id.s, c->actor->id.len);
	put_invite(c, text);
	return STORE_OK;
}

enum store_status group_decide_revoke(struct change_group *c, struct buf *text)
{
	enum store_status may = group_may_add(c);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	if (!c->code_found)
		return c->txn.uncertain ? STORE_OK : STORE_NOT_FOUND;
	group_put_next(text);
	sql_lit(text, "DELETE FROM group_invites WHERE code=");
	sql_str(text, c->op.code);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	return STORE_OK;
}

static void put_use(struct change_group *c, struct buf *text)
{
	if (c->op.conversation_id != 0)
		return;
	group_put_next(text);
	sql_lit(text, "UPDATE group_invites SET uses=uses+1 WHERE code=");
	sql_str(text, c->op.code);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

/* ---- joining ---- */

static enum store_status may_join(const struct change_group *c)
{
	bool by_code = c->op.conversation_id == 0;
	if (c->head.dissolved_ms != 0)
		return STORE_NOT_FOUND;
	if (by_code ? group_code_is_dead(&c->invite, c->now_ms)
		    : c->head.settings.join == GROUP_JOIN_INVITE && !c->op.by_operator)
		return STORE_NOT_FOUND;
	return c->actor->banned ? STORE_BANNED : group_is_alive(c);
}

static enum store_status has_room(const struct change_group *c, const struct group_person *p)
{
	if (p->groups >= c->max_per_user)
		return STORE_TOO_MANY_GROUPS;
	return c->head.member_count >= c->max_members ? STORE_GROUP_FULL : STORE_OK;
}

static enum store_status ask_to_join(struct change_group *c, struct buf *text)
{
	c->now.requested = true;
	if (c->actor->asked)
		return STORE_OK;
	if (c->entry_count >= GROUP_REQUESTS_MAX)
		return STORE_LIMITED;
	put_use(c, text);
	group_put_next(text);
	sql_lit(text, "INSERT INTO group_requests (conversation_id,user_id,created_at) VALUES (");
	group_put_id(text, c);
	buf_append_char(text, ',');
	sql_str(text, c->actor->id);
	buf_append_char(text, ',');
	sql_time(text, c->now_ms);
	buf_append_char(text, ')');
	return STORE_OK;
}

enum store_status group_decide_join(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->actor;
	if (c->op.conversation_id == 0 && !c->code_found)
		return STORE_NOT_FOUND;
	if (p->role != GROUP_NO_ROLE)
		return STORE_OK;
	/* The code's last use may have been the one for this request. */
	bool asks = c->head.settings.join == GROUP_JOIN_APPROVAL && !c->op.by_operator;
	if (asks && p->asked && c->head.dissolved_ms == 0)
		return ask_to_join(c, text);
	enum store_status may = may_join(c);
	if (may != STORE_OK)
		return may;
	if (asks)
		return ask_to_join(c, text);
	enum store_status room = has_room(c, p);
	if (room != STORE_OK)
		return room;
	group_let_in(c, p, GROUP_MEMBER);
	group_say(c, "joined", &p->id, 1);
	group_put_in(c, text);
	put_use(c, text);
	return STORE_OK;
}

/* ---- requests ---- */

static enum store_status may_answer(const struct change_group *c)
{
	enum store_status may = group_may(c, GROUP_ADMIN);
	return may == STORE_OK ? group_is_alive(c) : may;
}

enum store_status group_decide_accept(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->peer;
	enum store_status may = may_answer(c);
	if (may != STORE_OK)
		return may;
	if (!p->asked || p->role != GROUP_NO_ROLE)
		return STORE_NOT_FOUND;
	enum store_status room = has_room(c, p);
	if (room != STORE_OK)
		return room;
	group_let_in(c, p, GROUP_MEMBER);
	group_say(c, "added", &p->id, 1);
	group_put_in(c, text);
	p->role = p->as;
	p->joined_ms = c->message.created_ms;
	group_show_peer(c);
	return STORE_OK;
}

enum store_status group_decide_decline(struct change_group *c, struct buf *text)
{
	enum store_status may = may_answer(c);
	if (may != STORE_OK)
		return may;
	if (!c->peer->asked)
		return c->txn.uncertain ? STORE_OK : STORE_NOT_FOUND;
	group_put_next(text);
	sql_lit(text, "DELETE FROM group_requests");
	group_put_where(text, c, c->peer->id);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	return STORE_OK;
}
