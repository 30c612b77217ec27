/* SPDX-License-Identifier: BSD-2-Clause */
/* Adding and removing members for the server's operator. */
#include "core/base.h"
#include "cmd/operator.h"

#include "cmd/group.h"
#include "core/log.h"
#include "live/group.h"
#include "live/push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct operation {
	struct live *live;
	enum group_step step;
	uint64_t group_id;
	int fd; /* -1: it is answered */
	char user[USER_ID_MAX + 1];
};

/* So short a line fits into the socket's buffer; who hung up is not told. */
static void answer(struct operation *p, bool changed, const char *error)
{
	struct json_out *o = p->live->out;
	struct buf *b = &p->live->text;
	if (p->fd < 0)
		return;
	buf_clear(b);
	json_begin(o, b);
	json_object(o);
	json_put_id(o, "conversation_id", p->group_id);
	json_put_cstr(o, "user_id", p->user);
	json_key(o, error == NULL ? "changed" : "error");
	if (error == NULL)
		json_bool(o, changed);
	else
		json_cstr(o, error);
	json_put_bool(o, "ok", error == NULL);
	json_object_end(o);
	buf_append_char(b, '\n');
	if (send(p->fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)b->len)
		log_warn("tidingsctl cannot be answered: %s", strerror(errno));
	close(p->fd);
	p->fd = -1;
}

/* Why not; NULL: it was done, or was so already. */
static const char *reason(const struct store_group_done *d)
{
	switch (d->status) {
	case STORE_OK:
		break;
	case STORE_NOT_FOUND:
		return "there is no such group";
	case STORE_ROLE:
		return "the owner cannot be removed: they have to pass the group on first";
	case STORE_GROUP_DISSOLVED:
		return "the group is dissolved";
	case STORE_LIMITED:
		return "the group has banned as many users as it may";
	case STORE_UNCERTAIN:
	case STORE_UNKNOWN:
		return "the database does not answer: it may have been done";
	case STORE_UNAVAILABLE:
		return "the database does not answer";
	default:
		return store_status_name(d->status);
	}
	if (d->left_out_count == 0)
		return NULL;
	switch (d->left_out[0].why) {
	case STORE_TAKEN:
		return NULL;
	case STORE_BANNED:
		return "this user is banned from the group";
	case STORE_GROUP_FULL:
		return "the group has as many members as it may have";
	case STORE_TOO_MANY_GROUPS:
		return "this user is in as many groups as one may be";
	case STORE_NOT_FOUND:
		return "there is no such user";
	default:
		return store_status_name(d->left_out[0].why);
	}
}

static void on_changed(const struct store_group_done *d, void *arg)
{
	struct operation *p = arg;
	if (d->status == STORE_OK)
		group_tell_change(p->live, p->step, false, d, NULL);
	else if (d->status == STORE_UNKNOWN) {
		group_tell_unknown(p->live, p->group_id, str_from(p->user));
	}
	answer(p, d->in_count != 0 || d->out_count != 0, reason(d));
	if (d->status != STORE_UNCERTAIN)
		free(p);
}

void operator_change_group(struct live *live, uint64_t group_id, struct str user, bool removes, bool bans, int fd)
{
	struct operation *p = xcalloc(1, sizeof(*p));
	p->live = live;
	p->step = removes ? GROUP_REMOVE : GROUP_ADD;
	p->group_id = group_id;
	p->fd = fd;
	snprintf(p->user, sizeof(p->user), "%.*s", (int)user.len, user.s);
	const struct store_group_op op = {
		.step = p->step,
		.user = STR_LIT(OPERATOR_USER),
		.conversation_id = group_id,
		.peer = removes ? user : STR_NULL,
		.users = removes ? NULL : &user,
		.user_count = removes ? 0 : 1,
		.ban = bans,
		.by_operator = true,
	};
	store_change_group(live->store, &op, on_changed, p);
}
