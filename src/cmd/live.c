/* SPDX-License-Identifier: BSD-2-Clause */
/* What only lives on a WebSocket and is never stored: typing, ping. (watch is in watch.c.) */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/event.h"
#include "cmd/group.h"
#include "core/clock.h"
#include "hub/bucket.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"

/* A look at the database each, so not more often than someone types. */
#define TYPING_PER_SECOND 5.0
#define TYPING_BURST 20.0

const struct problem *typing_check(struct request *r, union command_args *a)
{
	return request_id(r, "conversation_id", &a->conversation_id);
}

static struct str typing_event(struct request *r, uint64_t conversation_id)
{
	struct live *live = r->live;
	struct json_out *o = event_begin_in(live, "typing", conversation_id);
	json_put_cstr(o, "user_id", r->user);
	return event_end(live);
}

static void on_peer(const struct store_peer *peer, void *arg)
{
	struct request *r = arg;
	struct live *live = r->live;
	if (peer->status != STORE_OK) {
		request_fail_store(r, peer->status);
		return;
	}
	push_to(live, str_from(peer->peer), (struct push_place){BUS_EVENT, 0}, typing_event(r, peer->conversation_id),
		NULL);
	request_done(r);
}

/* A larger group is told nothing, nor is one that owes for what it was told. */
static void tell_group(struct request *r, uint64_t id, uint64_t member_count)
{
	struct live *live = r->live;
	if (member_count != 0 && member_count <= (uint64_t)live->conf->groups.receipts_max &&
	    group_wait_fanout(live, id) == 0) {
		group_fanout_owe(r, id);
		group_push(live, id, (struct push_place){BUS_EVENT, 0}, typing_event(r, id), request_session(r));
	}
	request_done(r);
}

static void on_group(enum store_status status, const struct conversation *c, void *arg)
{
	struct request *r = arg;
	if (status == STORE_OK)
		tell_group(r, c->id, c->group.member_count);
	else
		request_fail_store(r, status);
}

/*
 * By what this worker knows. Who is no member as far as it knows may have come in just now, by a request to another
 * worker: that the database tells. While nothing is sure nobody is told.
 */
static void type_in_group(struct request *r, uint64_t id)
{
	enum group_known known = group_knows(r->live, id, request_user(r));
	if (id > CONVERSATION_ID_MAX)
		request_fail_store(r, STORE_NOT_FOUND);
	else if (known == GROUP_STRANGER)
		store_find_conversation(r->live->store, request_user(r), id, on_group, r);
	else
		tell_group(r, id, known == GROUP_MEMBER_HERE ? group_member_count(r->live, id) : 0);
}

void typing_proceed(struct request *r, const union command_args *a)
{
	r->retry_ms =
		bucket_take(r->live->hub, BUCKET_TYPING, r->user, TYPING_PER_SECOND, TYPING_BURST, clock_mono_ms());
	if (r->retry_ms != 0)
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "typing is told too often"));
	else if (conversation_is_group(a->conversation_id))
		type_in_group(r, a->conversation_id);
	else
		store_find_peer(r->live->store, request_user(r), a->conversation_id, on_peer, r);
}

void ping_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	request_pong(r);
}
