/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /admin/users/{id}/export: all that is kept of one user, a line of JSON each. It is read page by page, and the
 * next page once the client has taken the one before, so that it takes no more memory for a user with a million
 * messages.
 *
 * The user is read as if they asked themselves: what they may not see any more is not theirs to be given. What moves in
 * the list of conversations meanwhile may be missed.
 */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/media.h"

#include "api/render.h"
#include "store/account.h"
#include "store/login.h"
#include "store/media.h"

#include <stdlib.h>

/* Of one worker at a time. */
#define EXPORTS_MAX 1
#define PAGE 100

struct user_export {
	struct request *r;
	struct str user;
	void (*next)(struct user_export *e); /* reads the next page */
	bool begun;			     /* the head is sent */
	struct buf out;			     /* of this page */
	bool archived;			     /* of the two lists of conversations */
	struct store_cursor after;	     /* the page of conversations that follows; all zeroes: there is none */
	uint64_t conversation[PAGE];	     /* of this page: their messages are next */
	size_t count, at;
	uint64_t seq; /* of the last message that was read */
	char friend[USER_ID_MAX + 1];
	struct media_place media;
	uint64_t notification;
};

static void read_conversations(struct user_export *e);
static void read_messages(struct user_export *e);

/* ---- lines ---- */

static struct json_out *line_begin(struct user_export *e, const char *type)
{
	struct json_out *o = e->r->live->out;
	json_begin(o, &e->out);
	json_object(o);
	json_put_cstr(o, "type", type);
	return o;
}

static void line_end(struct user_export *e)
{
	json_object_end(e->r->live->out);
	buf_append_char(&e->out, '\n');
}

/* ---- pages ---- */

static void export_end(struct user_export *e, bool whole)
{
	struct request *r = e->r;
	buf_fini(&e->out);
	r->api->exports--;
	request_end(r, &(struct answer){.http_status = 200, .in_parts = true, .is_cut = !whole});
}

static void on_wanted(struct http_req *req, void *arg)
{
	struct user_export *e = arg;
	(void)req;
	e->next(e);
}

static void fail(struct user_export *e, enum store_status status)
{
	if (e->begun) {
		export_end(e, false);
		return;
	}
	buf_fini(&e->out);
	e->r->api->exports--;
	request_fail_store(e->r, status);
}

/* This page is read; `next` reads the one after it. */
static void give(struct user_export *e, void (*next)(struct user_export *e))
{
	struct http_req *http = e->r->http;
	e->next = next;
	if (!e->begun && !http_reply_begin(http, "application/x-ndjson", on_wanted, e)) {
		export_end(e, false);
		return;
	}
	bool was_begun = e->begun, is_empty = e->out.len == 0;
	e->begun = true;
	if (!http_reply_some(http, (struct str){e->out.data, e->out.len}))
		export_end(e, http->verb == VERB_HEAD);
	else if (is_empty && was_begun)
		next(e);
	else
		buf_clear(&e->out);
}

static void finish(struct user_export *e)
{
	export_end(e, true);
}

/* ---- notifications ---- */

static void read_notifications(struct user_export *e);

static void on_notifications(const struct store_notifications *list, void *arg)
{
	struct user_export *e = arg;
	if (list->status != STORE_OK) {
		fail(e, list->status);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		render_notification_members(line_begin(e, "notification"), &list->item[i]);
		line_end(e);
		e->notification = list->item[i].id;
	}
	give(e, list->has_more ? read_notifications : finish);
}

static void read_notifications(struct user_export *e)
{
	store_list_notifications(e->r->live->store, e->user, PAGE, e->notification, on_notifications, e);
}

/* ---- files ---- */

static void read_media(struct user_export *e);

static void on_media(enum store_status status, const struct media *item, size_t count, void *arg)
{
	struct user_export *e = arg;
	if (status != STORE_OK) {
		fail(e, status);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		e->media.size = item[i].size;
		memcpy(e->media.id, item[i].id, sizeof(e->media.id));
		if (item[i].state != MEDIA_READY)
			continue;
		media_put_info(e->r, line_begin(e, "media"), &item[i]);
		line_end(e);
	}
	give(e, count == PAGE ? read_media : read_notifications);
}

static void read_media(struct user_export *e)
{
	store_list_owned_media(e->r->live->store, e->user, &e->media, PAGE, on_media, e);
}

/* ---- conversations and their messages ---- */

static void go_on(struct user_export *e)
{
	bool more = e->after.ms != 0 || e->after.id != 0;
	e->seq = 0;
	if (e->at < e->count) {
		read_messages(e);
		return;
	}
	if (!more && e->archived) {
		read_media(e);
		return;
	}
	e->archived |= !more;
	read_conversations(e);
}

static void on_messages(const struct store_history *page, void *arg)
{
	struct user_export *e = arg;
	/* The user has left it meanwhile. */
	if (page->status != STORE_OK && page->status != STORE_NOT_FOUND) {
		fail(e, page->status);
		return;
	}
	for (size_t i = 0; page->status == STORE_OK && i < page->count; i++) {
		render_message_members(line_begin(e, "message"), &page->item[i]);
		line_end(e);
		e->seq = message_id_seq(page->item[i].id);
	}
	bool more = page->status == STORE_OK && page->has_more;
	e->at += !more;
	give(e, more ? read_messages : go_on);
}

static void read_messages(struct user_export *e)
{
	store_list_messages(e->r->live->store, e->user, e->conversation[e->at], 0, e->seq, PAGE, on_messages, e);
}

static void on_conversations(const struct store_conversations *list, void *arg)
{
	struct user_export *e = arg;
	if (list->status != STORE_OK) {
		fail(e, list->status);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		render_conversation_members(line_begin(e, "conversation"), &list->item[i], NULL);
		line_end(e);
		e->conversation[i] = list->item[i].id;
	}
	e->count = list->count;
	e->at = 0;
	e->after = list->has_more ? list->next : (struct store_cursor){0};
	give(e, go_on);
}

static void read_conversations(struct user_export *e)
{
	store_list_conversations(e->r->live->store, e->user, e->archived, PAGE, e->after, on_conversations, e);
}

/* ---- friends ---- */

static void read_friends(struct user_export *e);

static void on_friends(const struct store_befriended *list, void *arg)
{
	struct user_export *e = arg;
	if (list->status != STORE_OK) {
		fail(e, list->status);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct befriended *f = &list->item[i];
		struct json_out *o = line_begin(e, "friend");
		json_key(o, "user");
		render_profile(o, &f->peer);
		json_put_bool(o, "blocked", f->blocked);
		json_put_time(o, "since", f->since_ms);
		line_end(e);
		memcpy(e->friend, f->peer.user_id, sizeof(e->friend));
	}
	give(e, list->has_more ? read_friends : read_conversations);
}

static void read_friends(struct user_export *e)
{
	struct str after = e->friend[0] != '\0' ? str_from(e->friend) : STR_NULL;
	store_list_friends(e->r->live->store, e->user, PAGE, after, on_friends, e);
}

/* ---- the user ---- */

static void on_logins(const struct store_logins *list, void *arg)
{
	struct user_export *e = arg;
	if (list->status != STORE_OK) {
		fail(e, list->status);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct login_shown *l = &list->item[i];
		struct json_out *o = line_begin(e, "login");
		json_put_id(o, "id", l->id);
		json_put_str(o, "device", l->device);
		json_put_time(o, "created_at", l->created_ms);
		json_put_time(o, "last_used_at", l->last_used_ms);
		json_put_str(o, "address", l->address);
		line_end(e);
	}
	give(e, read_friends);
}

static void read_logins(struct user_export *e)
{
	store_list_logins(e->r->live->store, e->user, on_logins, e);
}

/* A user without an account here may have talked all the same. */
static void on_account(const struct store_account *a, void *arg)
{
	struct user_export *e = arg;
	bool erased = a->status == STORE_OK && a->state.erased_ms != 0;
	if (erased || (a->status != STORE_OK && a->status != STORE_NOT_FOUND)) {
		fail(e, erased ? STORE_NOT_FOUND : a->status);
		return;
	}
	struct json_out *o = line_begin(e, "profile");
	render_profile_members(o, a->user->profile);
	json_put_bool(o, "disabled", a->state.disabled);
	json_put_time(o, "last_seen", a->user->last_seen_ms);
	line_end(e);
	give(e, read_logins);
}

void export_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	if (r->api->exports == EXPORTS_MAX) {
		request_fail(r, request_problem(r, PROBLEM_OVERLOADED, "this worker has another export to do"));
		return;
	}
	r->api->exports++;
	struct user_export *e = arena_alloc(&r->arena, sizeof(*e));
	e->r = r;
	e->user = str_from(r->path_user);
	store_find_account(r->live->store, request_user(r), e->user, on_account, e);
}
