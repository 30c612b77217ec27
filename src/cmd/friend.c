/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Friends: requests and their answers, the list, ending; and blocking, of anybody. Each change is told to the other
 * side, but for a block: the blocked user is refused from then on, and sees the blocker offline.
 */
#include "core/base.h"
#include "cmd/friend.h"

#include "cmd/cmd.h"
#include "api/event.h"
#include "api/list.h"
#include "api/render.h"
#include "core/clock.h"
#include "hub/bucket.h"
#include "live/push.h"
#include "live/session.h"
#include "live/watch.h"

#define LIST_LIMIT 50

/* NULL: it is not told. */
static const char *event_kind(enum friend_step step, bool friends)
{
	switch (step) {
	case FRIEND_REQUEST:
		return friends ? "friend_accepted" : "friend_request";
	case FRIEND_ACCEPT:
		return "friend_accepted";
	case FRIEND_DECLINE:
		return "friend_declined";
	case FRIEND_END:
		return "friend_removed";
	case FRIEND_BLOCK:
	case FRIEND_UNBLOCK:
	case USER_BLOCK:
	case USER_UNBLOCK:
		return NULL;
	}
	return NULL;
}

/* Not stored: who was away finds it in the lists. */
void friend_tell(struct live *live, enum friend_step step, const struct store_friend_change *c)
{
	const char *kind = event_kind(step, c->friends);
	if (kind != NULL) {
		const struct notification n = {
			.kind = str_from(kind),
			.body = step == FRIEND_REQUEST && !c->friends ? c->note : STR_NULL,
			.has_actor = true,
			.actor = c->user,
			.created_ms = c->at_ms,
		};
		event_notification(live, str_from(c->as.peer.user_id), &n);
	}
	if (kind != NULL || c->friends)
		watch_friendship_changed(live, str_from(c->user.user_id), str_from(c->as.peer.user_id));
}

static void end_friend(struct request *r, int http_status, const struct befriended *f)
{
	struct online_slots slots = request_slots(r);
	render_friend_members(request_begin(r), f, &slots);
	request_answer_online(r, http_status, &slots);
}

static void end_request(struct request *r, const struct store_friend_change *c)
{
	struct json_out *o = request_begin(r);
	json_key(o, "user");
	render_profile(o, &c->as.peer);
	json_put_str(o, "note", c->note);
	json_put_time(o, "created_at", c->at_ms);
	request_answer(r, 201);
}

/* NULL: what the store says is enough. */
static const struct problem *change_problem(struct request *r, enum friend_step step,
					    const struct store_friend_change *c)
{
	bool answers = step == FRIEND_ACCEPT || step == FRIEND_DECLINE;
	switch (c->status) {
	case STORE_TAKEN:
		return request_problem(r, PROBLEM_CONFLICT,
				       c->friends ? "you are friends already" : "this request is pending already");
	case STORE_LIMITED:
		if (c->declined)
			return request_problem(r, PROBLEM_RATE_LIMITED,
					       "user_id: has declined your request less than a day ago");
		return request_problem(r, PROBLEM_RATE_LIMITED, "more than %d friend requests a day",
				       r->live->conf->limits.friend_requests_per_day);
	case STORE_FULL:
		return request_problem(r, PROBLEM_CONFLICT, "you block %d users, and no more can be blocked",
				       BLOCKS_MAX);
	case STORE_NOT_FOUND:
		return request_problem(r, PROBLEM_NOT_FOUND,
				       step == FRIEND_REQUEST ? "user_id: no such user"
				       : answers	      ? "no request from this user"
							      : "no friend of yours");
	default:
		return NULL;
	}
}

static void fail_change(struct request *r, enum friend_step step, const struct store_friend_change *c)
{
	const struct problem *p = change_problem(r, step, c);
	r->retry_ms = c->retry_ms;
	if (p != NULL)
		request_fail(r, p);
	else
		request_fail_write(r, c->status, request_user(r), str_from(c->as.peer.user_id));
}

static enum friend_step step_of(const struct request *r)
{
	return (enum friend_step)r->cmd->variant;
}

static void on_change(const struct store_friend_change *c, void *arg)
{
	struct request *r = arg;
	enum friend_step step = step_of(r);
	if (c->status != STORE_OK) {
		fail_change(r, step, c);
		return;
	}
	if (c->changed)
		friend_tell(r->live, step, c);
	switch (step) {
	case FRIEND_REQUEST:
		if (c->friends)
			end_friend(r, 201, &c->as);
		else
			end_request(r, c);
		return;
	case FRIEND_ACCEPT:
	case FRIEND_BLOCK:
	case FRIEND_UNBLOCK:
		end_friend(r, 200, &c->as);
		return;
	case FRIEND_DECLINE:
	case FRIEND_END:
	case USER_BLOCK:
	case USER_UNBLOCK:
		request_done(r);
		return;
	}
}

static void change(struct request *r, struct str peer, struct str note)
{
	/* Each is told to the other side, so as many as messages, but in a bucket of their own. */
	const struct conf *conf = r->live->conf;
	r->retry_ms = bucket_take(r->live->hub, BUCKET_FRIENDS, r->user, conf->limits.sends_per_second,
				  conf->limits.burst, clock_mono_ms());
	if (r->retry_ms != 0) {
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "friends and blocks are changed too often"));
		return;
	}
	const struct store_befriend p = {
		.step = step_of(r),
		.user = request_user(r),
		.peer = peer,
		.note = note,
		.requests_per_day = (unsigned)conf->limits.friend_requests_per_day,
		.needs_account = r->api->accounts,
	};
	store_change_friend(r->live->store, &p, on_change, r);
}

const struct problem *friend_request_check(struct request *r, union command_args *a)
{
	const struct problem *p = request_user_id(r, "user_id", &a->friend_request.peer)
					  ?: request_name(r, "note", NOTE_MAX, TEXT_LINES, &a->friend_request.note);
	if (p != NULL)
		return p;
	if (str_equal(a->friend_request.peer, request_user(r)))
		return request_invalid(r, "user_id: one cannot befriend oneself");
	return NULL;
}

void friend_request_proceed(struct request *r, const union command_args *a)
{
	change(r, a->friend_request.peer, a->friend_request.note);
}

void friend_change_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	/* Nobody is a friend of their own, nor asks themselves. */
	if (strcmp(r->user, r->path_user) == 0)
		request_fail(r, request_problem(r, PROBLEM_NOT_FOUND, "that is you"));
	else
		change(r, str_from(r->path_user), STR_NULL);
}

void user_block_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	if (strcmp(r->user, r->path_user) == 0)
		request_fail(r, request_problem(r, PROBLEM_INVALID_ARGUMENT, "user_id: one cannot block oneself"));
	else
		change(r, str_from(r->path_user), STR_NULL);
}

/* ---- lists ---- */

const struct problem *friends_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, LIST_LIMIT, &a->friends.limit) ?: list_query_user_cursor(r, &a->friends.after);
}

static void on_friends(const struct store_befriended *list, void *arg)
{
	struct request *r = arg;
	struct online_slots slots = request_slots(r);
	struct json_out *o = list_begin(r, list->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		render_friend(o, &list->item[i], &slots);
	list_end_online(r, &slots, list->has_more ? str_from(list->item[list->count - 1].peer.user_id) : STR_NULL);
}

void friends_proceed(struct request *r, const union command_args *a)
{
	store_list_friends(r->live->store, request_user(r), a->friends.limit, a->friends.after, on_friends, r);
}

static void on_blocked(const struct store_profiles *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		render_profile(o, &list->item[i]);
	list_end(r, list->has_more ? str_from(list->item[list->count - 1].user_id) : STR_NULL);
}

void blocked_proceed(struct request *r, const union command_args *a)
{
	store_list_blocked(r->live->store, request_user(r), a->friends.limit, a->friends.after, on_blocked, r);
}

const struct problem *friend_requests_check(struct request *r, union command_args *a)
{
	struct str direction;
	const struct problem *p = list_query_limit(r, LIST_LIMIT, &a->page.limit)
					  ?: request_query_u64(r, "cursor", 1, UINT64_MAX, 0, &a->page.before)
					  ?: request_query_text(r, "direction", &direction);
	if (p != NULL)
		return p;
	a->page.outgoing = str_is(direction, "out");
	if (direction.s != NULL && !a->page.outgoing && !str_is(direction, "in"))
		return request_invalid(r, "direction: must be in or out");
	return NULL;
}

static void on_friend_requests(const struct store_friend_requests *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		json_key(o, "user");
		render_profile(o, &list->item[i].peer);
		json_put_str(o, "note", list->item[i].note);
		json_put_time(o, "created_at", list->item[i].created_ms);
		json_object_end(o);
	}
	list_end(r, list->has_more ? list_cursor_of_id(cursor, list->item[list->count - 1].id) : STR_NULL);
}

void friend_requests_proceed(struct request *r, const union command_args *a)
{
	store_list_friend_requests(r->live->store, request_user(r), a->page.outgoing, a->page.limit, a->page.before,
				   on_friend_requests, r);
}
