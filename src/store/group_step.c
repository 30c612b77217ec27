/* SPDX-License-Identifier: BSD-2-Clause */
/* Members: who leaves or is removed, their roles and mutes, who is banned. */
#include "core/base.h"
#include "store/group_priv.h"

#include "core/log.h"
#include "store/sql.h"

/* Is that one under the actor, who may remove and mute them: of admins the members, of the owner the others. */
static bool is_over_peer(const struct change_group *c)
{
	if (c->peer->role == GROUP_OWNER)
		return false;
	return c->op.by_operator || c->peer->role == GROUP_NO_ROLE || c->actor->role < c->peer->role;
}

/* ---- leaving and removing ---- */

static enum store_status leave(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->actor;
	bool was_owner = p->role == GROUP_OWNER, alone = c->head.member_count <= 1;
	if (p->role == GROUP_NO_ROLE) {
		/* An earlier try that wrote no message may have done it. */
		if (!c->txn.uncertain || c->was.out_count == 0 || c->was.message != NULL)
			return STORE_NOT_FOUND;
		c->now = c->was;
		return STORE_OK;
	}
	enum store_status alive = group_is_alive(c);
	if (was_owner && !alone && c->head.dissolved_ms == 0)
		return STORE_IS_OWNER;
	if (alive == STORE_OK && was_owner) {
		group_say(c, "dissolved", NULL, 0);
		c->head.dissolved_ms = c->message.created_ms;
		c->now.dissolved = true;
	} else if (alive == STORE_OK) {
		group_say(c, "left", &p->id, 1);
	}
	/* Else nobody is told, for it is dissolved, or there is no place for one more message. */
	group_put_out(c, text, p);
	if (c->now.dissolved)
		group_put_close(c, text);
	return STORE_OK;
}

static void put_ban(struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "INSERT INTO group_bans (conversation_id,user_id,banned_by,created_at) VALUES (");
	group_put_id(text, c);
	buf_append_char(text, ',');
	sql_str(text, c->peer->id);
	buf_append_char(text, ',');
	sql_str(text, c->actor->id);
	buf_append_char(text, ',');
	sql_time(text, c->now_ms);
	sql_lit(text, ");DELETE FROM group_requests");
	group_put_where(text, c, c->peer->id);
}

/* Invite codes of a removed member end. */
static void put_drop_codes_of_peer(const struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "DELETE i FROM group_invites i FORCE INDEX (by_conversation) WHERE i.conversation_id=");
	group_put_id(text, c);
	sql_lit(text, " AND i.created_by=");
	sql_str(text, c->peer->id);
}

enum store_status group_decide_remove(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->peer;
	if (p == c->actor && !c->op.by_operator)
		return leave(c, text);
	enum store_status may = group_may(c, GROUP_ADMIN);
	if (may == STORE_OK && !is_over_peer(c))
		may = STORE_ROLE;
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	if (c->op.ban && !p->banned) {
		if (c->entry_count >= GROUP_BANS_MAX)
			return STORE_LIMITED;
		put_ban(c, text);
	}
	if (p->role == GROUP_NO_ROLE)
		return STORE_OK;
	put_drop_codes_of_peer(c, text);
	group_say(c, "removed", &p->id, 1);
	group_put_out(c, text, p);
	c->now.banned = c->op.ban;
	return STORE_OK;
}

enum store_status group_decide_unban(struct change_group *c, struct buf *text)
{
	enum store_status may = group_may(c, GROUP_ADMIN);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK || !c->peer->banned)
		return may;
	group_put_next(text);
	sql_lit(text, "DELETE FROM group_bans");
	group_put_where(text, c, c->peer->id);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	return STORE_OK;
}

/* ---- roles and mutes ---- */

static enum store_status may_set(const struct change_group *c)
{
	bool sets = c->op.sets_role || c->op.sets_muted;
	enum store_status may = group_may(c, c->op.sets_role ? GROUP_OWNER : GROUP_ADMIN);
	if (may == STORE_OK && sets && !is_over_peer(c))
		may = STORE_ROLE;
	if (may == STORE_OK)
		may = group_is_alive(c);
	return may == STORE_OK && c->peer->role == GROUP_NO_ROLE ? STORE_NOT_FOUND : may;
}

enum store_status group_decide_set_member(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->peer;
	enum store_status may = may_set(c);
	if (may != STORE_OK)
		return may;
	const struct group_person was = *p;
	if (c->op.sets_role)
		p->role = c->op.role;
	if (c->op.sets_muted)
		p->muted_until_ms = c->op.muted_until_ms > c->now_ms ? c->op.muted_until_ms : 0;
	group_show_peer(c);
	if (p->role == was.role && p->muted_until_ms == was.muted_until_ms)
		return STORE_OK;
	group_put_next(text);
	sql_lit(text, "UPDATE members SET role=");
	sql_u64(text, p->role);
	sql_lit(text, ",muted_until=");
	sql_time(text, p->muted_until_ms);
	group_put_where(text, c, p->id);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	c->now.role_changed = p->role != was.role;
	if (c->now.role_changed)
		group_say(c, "role", &p->id, 1);
	return STORE_OK;
}

/* Both in order of their keys. */
static void put_owner(struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "UPDATE members FORCE INDEX (PRIMARY) SET role=IF(user_id=");
	sql_str(text, c->peer->id);
	buf_printf(text, ",%d,%d) WHERE user_id IN (", GROUP_OWNER, GROUP_ADMIN);
	sql_str(text, c->owner);
	buf_append_char(text, ',');
	sql_str(text, c->peer->id);
	sql_lit(text, ") AND conversation_id=");
	group_put_id(text, c);
	buf_append_char(text, ';');
	sql_expect(text, 2);
	sql_lit(text, ";UPDATE group_profiles SET owner_id=");
	sql_str(text, c->peer->id);
	sql_lit(text, " WHERE id=");
	group_put_id(text, c);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

enum store_status group_decide_pass_on(struct change_group *c, struct buf *text)
{
	struct group_person *p = c->peer;
	enum store_status may = group_may(c, GROUP_OWNER);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	if (p->role == GROUP_NO_ROLE)
		return STORE_NOT_FOUND;
	if (p->role == GROUP_OWNER)
		return STORE_OK;
	put_owner(c, text);
	group_say(c, "owner", &p->id, 1);
	c->now.role_changed = true;
	return STORE_OK;
}
