/* SPDX-License-Identifier: BSD-2-Clause */
/* What only lives on a WebSocket and is never stored: typing, ping. (watch is in cmd_watch.c.) */
#include "core/base.h"
#include "im/command.h"

#include "core/clock.h"
#include "hub/bucket.h"
#include "im/push.h"
#include "im/session.h"

/* A look at the database each, so not more often than someone types. */
#define TYPING_PER_SECOND 5.0
#define TYPING_BURST 20.0

bool typing_check(struct request *r, union command_args *a)
{
	return request_id(r, "conversation_id", &a->conversation_id);
}

static void on_peer(const struct store_peer *peer, void *arg)
{
	struct request *r = arg;
	struct im *im = r->im;
	if (peer->status != STORE_OK) {
		request_fail_store(r, peer->status);
		return;
	}
	struct json_out *o = im->out;
	buf_clear(&im->scratch);
	json_begin(o, &im->scratch);
	json_object(o);
	json_key(o, "type");
	json_cstr(o, "typing");
	json_key(o, "conversation_id");
	json_id(o, peer->conversation_id);
	json_key(o, "user_id");
	json_cstr(o, r->user);
	json_object_end(o);
	push_to(im, str_from(peer->peer), (struct push_place){BUS_EVENT, 0},
		(struct str){im->scratch.data, im->scratch.len}, NULL);
	request_done(r);
}

void typing_proceed(struct request *r, const union command_args *a)
{
	r->retry_ms = bucket_take(r->im->hub, 't', r->user, TYPING_PER_SECOND, TYPING_BURST, clock_mono_ms());
	if (r->retry_ms != 0)
		request_fail(r, PROBLEM_RATE_LIMITED, "typing is told too often");
	else
		store_find_peer(r->im->store, request_user(r), a->conversation_id, on_peer, r);
}

void ping_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	request_pong(r);
}
