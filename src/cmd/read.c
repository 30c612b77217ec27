/* SPDX-License-Identifier: BSD-2-Clause */
/* read: a conversation, up to a place or whole; delivered; and how much is unread in all. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/event.h"
#include "cmd/group.h"
#include "cmd/settings.h"
#include "live/delivery.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"

const struct problem *read_check(struct request *r, union command_args *a)
{
	const struct problem *p = request_id(r, "conversation_id", &a->read.conversation_id);
	if (p != NULL)
		return p;
	a->read.up_to_seq = UINT64_MAX;
	const struct json *v = json_get(r->body, "up_to_seq");
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (json_count(v, &a->read.up_to_seq) != 0)
		return request_invalid(r, "up_to_seq: must be a whole number from 0 on");
	return NULL;
}

static void push_read(struct request *r, const struct store_read *read)
{
	struct live *live = r->live;
	struct json_out *o = event_begin_in(live, "read", read->conversation_id);
	json_put_cstr(o, "reader_id", r->user);
	json_put_u64(o, "up_to_seq", read->up_to_seq);
	json_key(o, "message_ids");
	json_null(o);
	json_put_time(o, "read_at", read->read_ms);
	const struct push_place place = {BUS_CHANGE, message_id_make(read->conversation_id, read->up_to_seq)};
	const struct session *asker = request_session(r);
	struct str event = event_end(live);
	if (!conversation_is_group(read->conversation_id))
		push_to_both(live, str_from(read->peer), request_user(r), place, event, asker);
	else if (read->member_count <= (uint64_t)live->conf->groups.receipts_max) {
		group_fanout_owe(r, read->conversation_id);
		group_push(live, read->conversation_id, place, event, asker);
	} else {
		/* Without a place: thousands of readers may be ahead of one message that is late. */
		push_to(live, request_user(r), (struct push_place){.kind = BUS_EVENT}, event, asker);
	}
}

/* Whom a read of unknown outcome concerns: all members where they have receipts, or both sides. */
static void fail_read(struct request *r, const struct store_read *read)
{
	uint64_t id = read->conversation_id;
	if (conversation_is_group(id) &&
	    group_member_count(r->live, id) <= (uint64_t)r->live->conf->groups.receipts_max)
		group_fail_write(r, read->status, id);
	else
		request_fail_write(r, read->status, request_user(r),
				   read->peer[0] != '\0' ? str_from(read->peer) : STR_NULL);
}

static void on_read(const struct store_read *read, void *arg)
{
	struct request *r = arg;
	/* A long way is gone in steps, some of which may have been done although the last one was not. */
	if (read->changed && read->status != STORE_UNCERTAIN)
		push_read(r, read);
	if (read->unmarked && read->status != STORE_UNCERTAIN)
		settings_push(r, read->conversation);
	if (read->status != STORE_OK) {
		fail_read(r, read);
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_id(o, "conversation_id", read->conversation_id);
	json_put_u64(o, "read_seq", read->read_seq);
	json_put_u64(o, "marked", read->marked);
	json_put_u64(o, "unread_count", read->unread);
	request_answer(r, 200);
}

void read_proceed(struct request *r, const union command_args *a)
{
	store_read_conversation(r->live->store, request_user(r), a->read.conversation_id, a->read.up_to_seq, on_read,
				r);
}

const struct problem *delivered_check(struct request *r, union command_args *a)
{
	const struct problem *p = request_id(r, "conversation_id", &a->read.conversation_id);
	const struct json *v = json_get(r->body, "up_to_seq");
	if (p != NULL)
		return p;
	if (v == NULL || json_count(v, &a->read.up_to_seq) != 0)
		return request_invalid(r, "up_to_seq: must be a whole number from 0 on");
	return NULL;
}

static void on_delivered(enum store_status status, void *arg)
{
	struct request *r = arg;
	if (status == STORE_OK)
		request_end_silently(r);
	else
		request_fail_store(r, status);
}

void delivered_proceed(struct request *r, const union command_args *a)
{
	uint64_t id = a->read.conversation_id;
	/* Whether there is such a group does not matter, so strangers learn nothing. */
	if (conversation_is_group(id) && id <= CONVERSATION_ID_MAX)
		request_fail(r, request_problem(r, PROBLEM_FORBIDDEN,
						"only what reaches the other side of a direct conversation is told"));
	else if (id > CONVERSATION_ID_MAX)
		request_fail_store(r, STORE_NOT_FOUND);
	else
		delivery_note(r->live, request_user(r), id, a->read.up_to_seq, on_delivered, r);
}

static void on_unread(enum store_status status, uint64_t unread, uint64_t mentions, void *arg)
{
	struct request *r = arg;
	if (status != STORE_OK) {
		request_fail_store(r, status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_u64(o, "unread_count", unread);
	json_put_u64(o, "mention_count", mentions);
	request_answer(r, 200);
}

void unread_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_count_unread(r->live->store, request_user(r), on_unread, r);
}
