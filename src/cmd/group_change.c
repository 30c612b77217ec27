/* SPDX-License-Identifier: BSD-2-Clause */
/* How a group is changed, whichever command does it: the budgets, the store, who is told, the answer. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/group.h"
#include "cmd/media.h"
#include "cmd/operator.h"

#include "api/event.h"
#include "api/render.h"
#include "core/clock.h"
#include "hub/bucket.h"
#include "live/group.h"
#include "live/push.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- budgets ---- */

bool group_fanout_take(struct request *r, uint64_t conversation_id)
{
	r->retry_ms = group_take_fanout(r->live, conversation_id, &r->fanout);
	r->fanout_group = conversation_id;
	return r->retry_ms == 0;
}

void group_fanout_owe(struct request *r, uint64_t conversation_id)
{
	group_charge_fanout(r->live, conversation_id, group_online(r->live, conversation_id));
}

const struct problem group_fanout_problem = {PROBLEM_RATE_LIMITED,
					     "this node is sent more to groups than it may pass on in a second"};

/*
 * A kind of change, and its bucket, as parts of what a user may ask for at all: limits.requests_burst at once, then
 * limits.requests_per_second.
 */
struct pace {
	enum bucket_kind kind;
	double burst_part, rate_part;
};
/* Groups that one user makes. With the defaults 200, then one each 3 s. */
static const struct pace making = {BUCKET_GROUPS_MADE, 2.0 / 5, 1.0 / 150};
/* Changes that show all members the group anew: so one user's cannot keep those of others waiting for long. */
static const struct pace showing = {BUCKET_GROUPS_SHOWN, 2.0 / 5, 1.0 / 150};
/* One user who joins one group and leaves it. With the defaults 30, then one each 10 s. */
static const struct pace moving = {BUCKET_GROUP_MOVES, 3.0 / 50, 1.0 / 500};
/* Users that the message about a new group may name for one token. */
#define USERS_A_TOKEN 25

static bool within_pace(struct request *r, const struct pace *p, const char *name)
{
	const struct conf *conf = r->live->conf;
	r->retry_ms = bucket_take(r->live->hub, p->kind, name, conf->limits.requests_per_second * p->rate_part,
				  conf->limits.requests_burst * p->burst_part, clock_mono_ms());
	return r->retry_ms == 0;
}

/* Do all members get the event `conversation`? */
static bool shows_all(enum group_step step)
{
	return step == GROUP_CHANGE || step == GROUP_PASS_ON;
}

/* Does the user come in or go out by their own will? */
static bool is_moving(const struct store_group_op *op)
{
	return op->step == GROUP_JOIN || (op->step == GROUP_REMOVE && str_equal(op->user, op->peer));
}

static bool within_move(struct request *r, const struct store_group_op *op)
{
	char name[USER_ID_MAX + 1 + INVITE_CODE_MAX + 24];
	snprintf(name, sizeof(name), "%s %" PRIu64 " %s", r->user, op->conversation_id, r->path_code);
	return within_pace(r, &moving, name);
}

/* Each is told to the members, so as many as messages, but in a bucket of their own. */
static bool within_changes(struct request *r, const struct store_group_op *op)
{
	const struct conf *conf = r->live->conf;
	uint64_t tokens = op->step == GROUP_CREATE ? 1 + op->user_count / USERS_A_TOKEN : 1;
	r->retry_ms = bucket_take_many(r->live->hub, BUCKET_GROUP_CHANGES, r->user, tokens,
				       conf->limits.sends_per_second, conf->limits.burst, clock_mono_ms());
	return r->retry_ms == 0;
}

/*
 * What is told is paid for afterwards, by group_tell(): strangers, and what nobody is told of, cost nothing. Who is
 * known as a member waits while the group owes something; but leaves at any time.
 */
static bool within_fanout(struct request *r, const struct store_group_op *op)
{
	static const bool is_quiet[] = {
		[GROUP_UNBAN] = true, [GROUP_INVITE] = true, [GROUP_REVOKE] = true, [GROUP_DECLINE] = true};
	if ((op->step < ARRAY_LEN(is_quiet) && is_quiet[op->step]) || is_moving(op) || op->conversation_id == 0 ||
	    group_knows(r->live, op->conversation_id, op->user) != GROUP_MEMBER_HERE)
		return true;
	r->retry_ms = group_wait_fanout(r->live, op->conversation_id);
	return r->retry_ms == 0;
}

const struct problem *group_within_budget(struct request *r, const struct store_group_op *op)
{
	if (op->by_operator)
		return NULL;
	if (!within_changes(r, op))
		return request_problem(r, PROBLEM_RATE_LIMITED, "groups are changed too often");
	if (op->step == GROUP_CREATE && !within_pace(r, &making, r->user))
		return request_problem(r, PROBLEM_RATE_LIMITED, "too many groups are made");
	if (shows_all(op->step) && !within_pace(r, &showing, r->user))
		return request_problem(r, PROBLEM_RATE_LIMITED, "what all members see of groups is changed too often");
	if (is_moving(op) && !within_move(r, op))
		return request_problem(r, PROBLEM_RATE_LIMITED, "this group is joined and left too often");
	return within_fanout(r, op) ? NULL : &group_fanout_problem;
}

/* ---- telling ---- */

static enum group_step step_of(const struct request *r)
{
	return (enum group_step)r->cmd->variant;
}

void group_tell_change(struct live *live, enum group_step step, bool leaves, const struct store_group_done *d,
		       const struct session *except)
{
	struct str changed = STR_NULL;
	if (d->message == NULL && d->in_count == 0 && d->out_count == 0)
		return;
	struct group_news news = {
		.conversation_id = d->conversation_id,
		.member_count = d->member_count,
		.gap_ms = d->gap_ms,
		.in = d->in,
		.in_count = d->in_count,
		.first_seq = d->first_seq,
		.out = d->out,
		.out_count = d->out_count,
		.reason = leaves      ? GROUP_OUT_LEFT
			  : d->banned ? GROUP_OUT_BANNED
				      : GROUP_OUT_REMOVED,
		.dissolved = d->dissolved,
		.profile_changed = d->message != NULL && shows_all(step),
	};
	if (d->message != NULL) {
		news.message_id = d->message->id;
		news.event_json = event_message(live, d->message);
	}
	if (step == GROUP_SET_MEMBER && d->role_changed) {
		changed = str_from(d->member->user.user_id);
		news.changed = &changed;
		news.changed_count = 1;
	}
	group_tell(live, &news, except);
}

/* ---- the answer ---- */

static const char *left_out_code(enum store_status why)
{
	switch (why) {
	case STORE_NOT_FRIENDS:
		return "not_friends";
	case STORE_BLOCKED:
		return "blocked";
	case STORE_TAKEN:
		return "already_member";
	case STORE_BANNED:
		return "banned";
	case STORE_GROUP_FULL:
		return "group_full";
	case STORE_TOO_MANY_GROUPS:
		return "too_many_groups";
	default:
		return "not_found";
	}
}

static void put_left_out(struct json_out *o, const struct store_group_done *d)
{
	json_array(o);
	for (size_t i = 0; i < d->left_out_count; i++) {
		json_object(o);
		json_put_cstr(o, "user_id", d->left_out[i].user_id);
		json_put_cstr(o, "code", left_out_code(d->left_out[i].why));
		json_object_end(o);
	}
	json_array_end(o);
}

static void end_conversation(struct request *r, int http_status, const struct conversation *c, struct str left_out)
{
	struct json_out *o = request_begin(r);
	render_conversation_members(o, c, NULL);
	if (left_out.s != NULL) {
		json_key(o, "left_out");
		json_raw(o, left_out);
	}
	request_answer(r, http_status);
}

static void on_conversation(enum store_status status, const struct conversation *c, void *arg)
{
	if (status == STORE_OK)
		end_conversation(arg, 200, c, STR_NULL);
	else
		request_fail_store(arg, status);
}

void group_end_conversation(struct request *r, uint64_t conversation_id)
{
	if (r->cmd->access == ACCESS_ADMIN)
		store_find_group(r->live->store, conversation_id, on_conversation, r);
	else
		store_find_conversation(r->live->store, request_user(r), conversation_id, on_conversation, r);
}

/* A group that was made, and is still to be read. */
struct created_group {
	struct request *r;
	int http_status;
	struct str left_out; /* its JSON */
};

static void on_created_conversation(enum store_status status, const struct conversation *c, void *arg)
{
	struct created_group *g = arg;
	if (status == STORE_OK)
		end_conversation(g->r, g->http_status, c, g->left_out);
	else
		request_fail_store(g->r, status);
}

static void end_created(struct request *r, const struct store_group_done *d)
{
	struct created_group *g = arena_alloc(&r->arena, sizeof(*g));
	struct buf *text = &r->live->text;
	buf_clear(text);
	json_begin(r->live->out, text);
	put_left_out(r->live->out, d);
	g->r = r;
	g->http_status = d->created ? 201 : 200;
	g->left_out = arena_str(&r->arena, (struct str){text->data, text->len});
	store_find_conversation(r->live->store, request_user(r), d->conversation_id, on_created_conversation, g);
}

static void end_added(struct request *r, const struct store_group_done *d)
{
	struct json_out *o = request_begin(r);
	json_key(o, "added");
	json_array(o);
	for (size_t i = 0; i < d->in_count; i++)
		json_str(o, d->in[i]);
	json_array_end(o);
	json_key(o, "left_out");
	put_left_out(o, d);
	request_answer(r, 200);
}

static void end_requested(struct request *r)
{
	struct json_out *o = request_begin(r);
	json_put_cstr(o, "state", "requested");
	request_answer(r, 202);
}

static void end_member(struct request *r, const struct group_member *m)
{
	struct json_out *o = request_begin(r);
	render_group_member_members(o, m);
	request_answer(r, 200);
}

static void end_invite(struct request *r, const struct group_invite *i)
{
	struct json_out *o = request_begin(r);
	render_invite_members(o, i);
	request_answer(r, 201);
}

static void answer(struct request *r, const struct store_group_done *d)
{
	switch (step_of(r)) {
	case GROUP_CREATE:
		end_created(r, d);
		return;
	case GROUP_CHANGE:
	case GROUP_PASS_ON:
		group_end_conversation(r, d->conversation_id);
		return;
	case GROUP_JOIN:
		if (d->requested)
			end_requested(r);
		else
			group_end_conversation(r, d->conversation_id);
		return;
	case GROUP_ADD:
		end_added(r, d);
		return;
	case GROUP_SET_MEMBER:
	case GROUP_ACCEPT:
		end_member(r, d->member);
		return;
	case GROUP_INVITE:
		end_invite(r, d->invite);
		return;
	case GROUP_DISSOLVE:
	case GROUP_REMOVE:
	case GROUP_UNBAN:
	case GROUP_REVOKE:
	case GROUP_DECLINE:
	case GROUP_IMPORT:
		request_done(r);
		return;
	}
}

/* ---- refusals ---- */

void group_fail_write(struct request *r, enum store_status s, uint64_t conversation_id)
{
	if (s == STORE_UNKNOWN && conversation_id != 0)
		group_tell_unknown(r->live, conversation_id, request_user(r));
	else if (s == STORE_UNKNOWN)
		group_tell_unsure(r->live, request_user(r));
	request_fail_store(r, s);
}

static const char *limit_reached(enum group_step step)
{
	switch (step) {
	case GROUP_INVITE:
		return "this group has as many invites as it may have: revoke one first";
	case GROUP_REMOVE:
		return "this group has banned as many users as it may: lift a ban first";
	default:
		return "as many users as may wait to be let into this group";
	}
}

static void fail_change(struct request *r, const struct store_group_done *d)
{
	/* Those who may have come in, or gone, are told as well: they may not be found among the members. */
	if (d->status == STORE_UNKNOWN) {
		for (size_t i = 0; i < d->in_count; i++)
			group_tell_unsure(r->live, d->in[i]);
		for (size_t i = 0; i < d->out_count; i++)
			group_tell_unsure(r->live, d->out[i]);
	}
	if (d->status == STORE_LIMITED)
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "%s", limit_reached(step_of(r))));
	else
		group_fail_write(r, d->status, d->conversation_id != 0 ? d->conversation_id : r->path_id);
}

static void on_changed(const struct store_group_done *d, void *arg)
{
	struct request *r = arg;
	if (d->status != STORE_OK) {
		fail_change(r, d);
		return;
	}
	group_tell_change(r->live, step_of(r), strcmp(r->user, r->path_user) == 0, d, request_session(r));
	if (request_is_detached(r))
		request_end(r, NULL);
	else
		answer(r, d);
}

/* ---- the commands ---- */

const struct problem *group_path_check(const struct request *r)
{
	bool valid = conversation_is_group(r->path_id) && r->path_id <= CONVERSATION_ID_MAX;
	return valid ? NULL : problem_of_store(STORE_NOT_FOUND);
}

void group_op_begin(struct request *r, struct store_group_op *op)
{
	op->step = step_of(r);
	op->by_operator = r->cmd->access == ACCESS_ADMIN;
	op->user = op->by_operator ? STR_LIT(OPERATOR_USER) : request_user(r);
	op->conversation_id = r->path_id;
	op->peer = r->path_user[0] != '\0' ? str_from(r->path_user) : STR_NULL;
	op->code = r->path_code[0] != '\0' ? str_from(r->path_code) : STR_NULL;
}

const struct problem *group_op_check(struct request *r, union command_args *a)
{
	group_op_begin(r, &a->group);
	return NULL;
}

/* Of a group that its path or its code names; or of one that is made. */
static const struct problem *names_a_group(struct request *r, const struct store_group_op *op)
{
	bool by_code = op->step == GROUP_JOIN && op->code.s != NULL;
	return op->step == GROUP_CREATE || by_code ? NULL : group_path_check(r);
}

/* What is in the body lasts for the call alone. Of the steps that set a profile. */
static struct store_group_op *keep_op(struct request *r, const struct store_group_op *op)
{
	struct arena *a = &r->arena;
	struct store_group_op *kept = arena_alloc(a, sizeof(*kept));
	struct str *users = arena_alloc(a, op->user_count * sizeof(*users));
	*kept = *op;
	kept->name = arena_str(a, op->name);
	kept->about = arena_str(a, op->about);
	kept->client_group_id = arena_str(a, op->client_group_id);
	for (size_t i = 0; i < op->user_count; i++)
		users[i] = arena_str(a, op->users[i]);
	kept->users = users;
	return kept;
}

static void change_with_avatar(struct request *r, struct str avatar_url, void *arg)
{
	struct store_group_op *op = arg;
	op->avatar_url = avatar_url;
	store_change_group(r->live->store, op, on_changed, r);
}

void group_change_proceed(struct request *r, const union command_args *a)
{
	const struct problem *p = names_a_group(r, &a->group) ?: group_within_budget(r, &a->group);
	if (p != NULL)
		request_fail(r, p);
	else if (media_ref_id(a->group.avatar_url).s != NULL)
		media_avatar_find(r, a->group.avatar_url, change_with_avatar, keep_op(r, &a->group));
	else
		store_change_group(r->live->store, &a->group, on_changed, r);
}
