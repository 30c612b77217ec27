/* SPDX-License-Identifier: BSD-2-Clause */
/* Coming into a group: invites, what a stranger sees of one, and joining. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/group.h"

#include "api/list.h"
#include "api/render.h"

#define EXPIRES_IN_MAX_SECS (365 * 24 * 3600)
#define USES_MAX 1000000

/* A whole number from 1 to max; 0 where it is not there. */
static const struct problem *read_limit(struct request *r, const char *name, uint64_t max, uint64_t *out_r)
{
	const struct json *v = json_get(r->body, name);
	*out_r = 0;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (json_count(v, out_r) == 0 && *out_r >= 1 && *out_r <= max)
		return NULL;
	return request_invalid(r, "%s: must be a whole number from 1 to %d", name, (int)max);
}

const struct problem *group_invite_check(struct request *r, union command_args *a)
{
	uint64_t secs;
	group_op_begin(r, &a->group);
	const struct problem *p = read_limit(r, "expires_in", EXPIRES_IN_MAX_SECS, &secs)
					  ?: read_limit(r, "max_uses", USES_MAX, &a->group.max_uses);
	if (p != NULL)
		return p;
	a->group.expires_in_secs = (int64_t)secs;
	return NULL;
}

/* By the code of the path, which alone knows the group. */
const struct problem *accept_invite_check(struct request *r, union command_args *a)
{
	a->group.step = GROUP_JOIN;
	a->group.user = request_user(r);
	a->group.code = str_from(r->path_code);
	return NULL;
}

static void on_invites(const struct store_invites *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		render_invite_members(o, &list->item[i]);
		json_object_end(o);
	}
	/* All are on one page. */
	list_end(r, STR_NULL);
}

void invites_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_list_invites(r->live->store, request_user(r), r->path_id, on_invites, r);
}

static void on_invite_seen(const struct store_invite_seen *seen, void *arg)
{
	struct request *r = arg;
	if (seen->status != STORE_OK) {
		request_fail_store(r, seen->status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_str(o, "name", seen->name);
	render_avatar(o, seen->avatar_url);
	json_put_str(o, "about", seen->about);
	json_put_u64(o, "member_count", seen->member_count);
	request_answer(r, 200);
}

void look_at_invite_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_look_at_invite(r->live->store, request_user(r), str_from(r->path_code), on_invite_seen, r);
}
