/* SPDX-License-Identifier: BSD-2-Clause */
/* A group's profile and settings, and its end. */
#include "core/base.h"
#include "store/group_priv.h"

#include "store/media_priv.h"
#include "store/sql.h"

/* An assignment, where it changes anything. */
static bool put_text(struct buf *text, bool *first, const char *column, bool sets, struct str now, struct str value)
{
	if (!sets || str_equal(now, value))
		return false;
	if (*first) {
		group_put_next(text);
		sql_lit(text, "UPDATE group_profiles SET ");
	}
	sql_comma(text, first);
	buf_printf(text, "%s=", column);
	sql_str(text, value);
	return true;
}

void group_put_avatar(const struct change_group *c, struct buf *text, struct str was)
{
	struct buf holder = {0};
	sql_lit(&holder, "CONCAT('g:',");
	group_put_id(&holder, c);
	buf_append_char(&holder, ')');
	media_put_avatar(text, (struct str){holder.data, holder.len}, was, c->op.avatar_url);
	buf_fini(&holder);
}

bool group_apply_settings(struct group_settings *now, const struct store_group_op *op)
{
	const struct group_settings *to = &op->settings, was = *now;
	if (op->sets_join)
		now->join = to->join;
	if (op->sets_history)
		now->history_joined = to->history_joined;
	if (op->sets_send)
		now->send_admins = to->send_admins;
	if (op->sets_add)
		now->add_admins = to->add_admins;
	if (op->sets_slow_mode)
		now->slow_mode_secs = to->slow_mode_secs;
	return now->join != was.join || now->history_joined != was.history_joined ||
	       now->send_admins != was.send_admins || now->add_admins != was.add_admins ||
	       now->slow_mode_secs != was.slow_mode_secs;
}

enum store_status group_decide_change(struct change_group *c, struct buf *text)
{
	const struct store_group_op *op = &c->op;
	enum store_status may = group_may(c, GROUP_ADMIN);
	if (may == STORE_OK)
		may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	bool first = true;
	bool renamed = put_text(text, &first, "name", op->sets_name && op->name.s != NULL, c->name, op->name);
	bool changed = put_text(text, &first, "avatar_url", op->sets_avatar_url, c->avatar_url, op->avatar_url);
	changed |= put_text(text, &first, "about", op->sets_about, c->about, op->about);
	if (!first) {
		sql_lit(text, " WHERE id=");
		group_put_id(text, c);
		buf_append_char(text, ';');
		sql_expect(text, 1);
		if (op->sets_avatar_url)
			group_put_avatar(c, text, c->avatar_url);
	}
	changed |= group_apply_settings(&c->head.settings, op);
	changed |= op->sets_expiry && op->expiry_secs != c->head.expiry_secs;
	if (op->sets_expiry)
		c->head.expiry_secs = op->expiry_secs;
	if (renamed || changed)
		group_say(c, changed ? "changed" : "renamed", NULL, 0);
	return STORE_OK;
}

enum store_status group_decide_dissolve(struct change_group *c, struct buf *text)
{
	enum store_status may = group_may(c, GROUP_OWNER);
	if (may != STORE_OK || c->head.dissolved_ms != 0)
		return may;
	may = group_is_alive(c);
	if (may != STORE_OK)
		return may;
	group_say(c, "dissolved", NULL, 0);
	c->head.dissolved_ms = c->message.created_ms;
	c->now.dissolved = true;
	group_put_close(c, text);
	return STORE_OK;
}
