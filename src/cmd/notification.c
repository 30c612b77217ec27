/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications: other modules leave them through the service door, users list and read them. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/event.h"
#include "api/list.h"
#include "api/render.h"
#include "live/push.h"
#include "live/session.h"

#define LIST_LIMIT 20
#define KIND_MAX 64
#define REF_JSON_MAX 4096
#define BODY_MAX 4096

static const struct problem *check_kind(struct request *r, struct str *kind)
{
	const struct problem *p = request_needs_text(r, "kind", kind);
	if (p != NULL)
		return p;
	bool valid = kind->len >= 1 && kind->len <= KIND_MAX;
	for (size_t i = 0; valid && i < kind->len; i++)
		valid = kind->s[i] > ' ' && kind->s[i] <= '~';
	return valid ? NULL : request_invalid(r, "kind: must be 1 to 64 printable ASCII characters without spaces");
}

static const struct problem *check_actor(struct request *r, struct str *actor)
{
	const struct problem *p = request_text(r, "actor_id", actor);
	if (p != NULL)
		return p;
	return actor->s == NULL || id_user_valid(*actor) ? NULL : request_invalid(r, "actor_id: is no user id");
}

static const struct problem *check_ref(struct request *r, struct str *ref)
{
	const struct json *v = json_get(r->body, "ref");
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (v->type != JSON_OBJECT)
		return request_invalid(r, "ref: must be an object");
	if (v->has_nul)
		return request_invalid(r, "ref: must not contain U+0000");
	buf_clear(&r->live->scratch);
	json_minify(v->raw, &r->live->scratch);
	if (r->live->scratch.len > REF_JSON_MAX)
		return request_invalid(r, "ref: is over 4096 bytes");
	*ref = arena_str(&r->arena, (struct str){r->live->scratch.data, r->live->scratch.len});
	return NULL;
}

static const struct problem *check_message_id(struct request *r, uint64_t *id)
{
	struct str text;
	const struct problem *p = request_text(r, "message_id", &text);
	if (p != NULL)
		return p;
	if (text.s == NULL || (id_parse_u64(text, id) == 0 && *id != 0))
		return NULL;
	return request_invalid(r, "message_id: must be an id, a string of decimal digits");
}

const struct problem *notify_check(struct request *r, union command_args *a)
{
	struct store_notify *n = &a->notify;
	n->sender = request_user(r);
	const struct problem *p = request_user_id(r, "user_id", &n->user)
					  ?: check_kind(r, &n->kind)
					  ?: check_actor(r, &n->actor)
					  ?: check_ref(r, &n->ref)
					  ?: check_message_id(r, &n->message_id)
					  ?: request_text(r, "body", &n->body);
	if (p != NULL)
		return p;
	if (n->body.s != NULL && n->body.len > BODY_MAX)
		return request_invalid(r, "body: is over 4096 bytes of UTF-8");
	if (!token_has_scope(r->scopes, TOKEN_SCOPE_NOTIFY))
		return request_problem(r, PROBLEM_FORBIDDEN, "the token's scope does not contain notify");
	return NULL;
}

static void end_notification(struct request *r, int http_status, const struct notification *n)
{
	struct json_out *o = request_begin(r);
	render_notification_members(o, n);
	request_answer(r, http_status);
}

static void on_notified(const struct store_notification *s, void *arg)
{
	struct request *r = arg;
	if (s->status != STORE_OK) {
		request_fail_write(r, s->status, s->user, STR_NULL);
		return;
	}
	event_notification(r->live, s->user, s->notification);
	end_notification(r, 201, s->notification);
}

void notify_proceed(struct request *r, const union command_args *a)
{
	store_notify(r->live->store, &a->notify, on_notified, r);
}

const struct problem *notifications_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, LIST_LIMIT, &a->page.limit)
		       ?: request_query_u64(r, "cursor", 1, UINT64_MAX, 0, &a->page.before);
}

static void on_notifications(const struct store_notifications *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		render_notification_members(o, &list->item[i]);
		json_object_end(o);
	}
	list_end(r, list->has_more ? list_cursor_of_id(cursor, list->item[list->count - 1].id) : STR_NULL);
}

void notifications_proceed(struct request *r, const union command_args *a)
{
	store_list_notifications(r->live->store, request_user(r), a->page.limit, a->page.before, on_notifications, r);
}

static void on_read(const struct store_notification *s, void *arg)
{
	struct request *r = arg;
	if (s->status == STORE_OK)
		end_notification(r, 200, s->notification);
	else
		request_fail_store(r, s->status);
}

void notification_read_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_read_notification(r->live->store, request_user(r), r->path_id, on_read, r);
}

void notifications_count_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_count_notifications(r->live->store, request_user(r), request_answer_count, r);
}
