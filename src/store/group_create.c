/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a group, and adding users to one: who of those named comes in, and why the others do not.
 *
 * A repeated client_group_id finds the group by an index that is unique: where two create at once, the second fails
 * there, and its next try finds the first one's group.
 */
#include "core/base.h"
#include "store/group_priv.h"

#include "store/sql.h"

/* Of the user's friends some may have no row in `users`: they are users all the same. */
static enum store_status screen_friend(const struct change_group *c, const struct group_person *p)
{
	bool is_friend = p->forth && p->back;
	if (c->accounts && !p->known && (c->op.by_operator || !is_friend))
		return STORE_NOT_FOUND;
	return c->op.by_operator || is_friend ? STORE_OK : STORE_NOT_FRIENDS;
}

/* Why a user cannot be added; STORE_OK: they can. */
static enum store_status screen(const struct change_group *c, const struct group_person *p)
{
	if (p->role != GROUP_NO_ROLE)
		return STORE_TAKEN;
	if (p->banned)
		return STORE_BANNED;
	if (!c->op.by_operator && p->blocks)
		return STORE_BLOCKED;
	enum store_status as_friend = screen_friend(c, p);
	if (as_friend != STORE_OK)
		return as_friend;
	if (p->groups >= c->max_per_user)
		return STORE_TOO_MANY_GROUPS;
	return c->head.member_count >= c->max_members ? STORE_GROUP_FULL : STORE_OK;
}

static void screen_all(struct change_group *c)
{
	for (size_t i = 0; i < c->named_count; i++) {
		struct group_person *p = c->named[i];
		enum store_status why = screen(c, p);
		if (why == STORE_OK) {
			group_let_in(c, p, GROUP_MEMBER);
			continue;
		}
		struct group_left_out *out = &c->left_out[c->now.left_out_count++];
		*out = (struct group_left_out){.why = why};
		memcpy(out->user_id, p->id.s, p->id.len);
	}
	c->now.left_out = c->left_out;
}

enum store_status group_decide_add(struct change_group *c, struct buf *text)
{
	enum store_status may = group_may_add(c);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	screen_all(c);
	if (c->now.in_count == 0)
		return STORE_OK;
	group_say(c, "added", c->in, c->now.in_count);
	group_put_in(c, text);
	return STORE_OK;
}

void group_put_new(const struct change_group *c, struct buf *text, struct str created_by)
{
	sql_lit(text, "INSERT INTO group_heads (sort_time,active_at,created_at) VALUES (");
	sql_time(text, c->head.sort_ms);
	buf_append_char(text, ',');
	sql_time(text, c->head.active_ms);
	buf_append_char(text, ',');
	sql_time(text, c->message.created_ms);
	/* No message could have an id in a group beyond. */
	buf_printf(text, ");SET @g=LAST_INSERT_ID();SET @found=IF(@g>%llu,(SELECT 1 UNION SELECT 2),0);",
		   (unsigned long long)CONVERSATION_ID_MAX);
	sql_lit(text, "INSERT INTO group_profiles (id,owner_id,name,avatar_url,about,created_by,client_group_id) "
		      "VALUES (@g");
	const struct str texts[] = {c->actor->id, c->op.name,	c->op.avatar_url,
				    c->op.about,  created_by,	c->op.client_group_id};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_append_char(text, ',');
		sql_str(text, texts[i]);
	}
	buf_append_char(text, ')');
	group_put_avatar(c, text, STR_NULL);
}

enum store_status group_decide_create(struct change_group *c, struct buf *text)
{
	if (c->existing_id != 0) {
		c->now.conversation_id = c->existing_id;
		return STORE_OK;
	}
	if (c->actor->groups >= c->max_per_user)
		return STORE_TOO_MANY_GROUPS;
	c->head = (struct group_head){0}; /* with the default of each setting */
	group_apply_settings(&c->head.settings, &c->op);
	group_let_in(c, c->actor, GROUP_OWNER);
	screen_all(c);
	group_say(c, "created", c->in, c->now.in_count);
	group_put_new(c, text, c->actor->id);
	group_put_in(c, text);
	c->now.created = true;
	return STORE_OK;
}
