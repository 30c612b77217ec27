/* SPDX-License-Identifier: BSD-2-Clause */
/* What a webhook is told: events out of the items of rows, what they show, and how they look. */
#include "core/base.h"
#include "relay/hooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "relay/relay_priv.h"
#include "store/outbox_items.h"
#include "store/people_priv.h"
#include "store/profile_json.h"
#include "store/row.h"
#include "store/sql.h"

/* Messages or profiles that are read at a time. */
#define LOAD_MAX 500

/* ---- events ---- */

static int kind_of(enum outbox_kind kind)
{
	switch (kind) {
	case OUTBOX_SENT:
		return HOOK_MESSAGE;
	case OUTBOX_RECALLED:
		return HOOK_RECALLED;
	case OUTBOX_EDITED:
		return HOOK_EDITED;
	case OUTBOX_READ:
		return HOOK_READ;
	case OUTBOX_REACTION:
		return HOOK_REACTION;
	case OUTBOX_GROUP:
		return HOOK_GROUP;
	case OUTBOX_FRIEND:
		return HOOK_FRIEND;
	case OUTBOX_ACCOUNT:
		return HOOK_USER;
	case OUTBOX_CAME:
	case OUTBOX_WENT:
		return HOOK_PRESENCE;
	default:
		return -1;
	}
}

static struct hook_event *add_event(struct hook *h)
{
	if (h->events == h->event_room) {
		h->event_room = h->event_room != 0 ? 2 * h->event_room : 256;
		h->event = xrealloc(h->event, h->event_room * sizeof(*h->event));
	}
	h->event[h->events] = (struct hook_event){0};
	return &h->event[h->events++];
}

static void add_text(struct hook *h, struct str *to, struct str more)
{
	char *text = arena_alloc(&h->arena, to->len + more.len + 1);
	if (to->len != 0)
		memcpy(text, to->s, to->len);
	memcpy(text + to->len, more.s, more.len);
	*to = (struct str){text, to->len + more.len};
}

/* What follows an item that is an event tells more of it: who did it, and what with. */
static void add_detail(struct hook *h, struct hook_event *e, const struct outbox_item *item)
{
	if (item->kind == OUTBOX_USER && e->user.s == NULL)
		e->user = arena_str(&h->arena, item->user);
	else if (item->kind == OUTBOX_USER && e->other.s == NULL)
		e->other = arena_str(&h->arena, item->user);
	else if (item->kind == OUTBOX_TEXT && e->kind == HOOK_REACTION)
		add_text(h, &e->text, item->text);
	else if (item->kind == OUTBOX_TEXT && e->user.len + item->text.len <= USER_ID_MAX)
		add_text(h, &e->user, item->text);
}

unsigned hook_add_events(struct hook *h, uint64_t stream, uint64_t n, int64_t at_ms, struct str items)
{
	struct outbox_item item;
	struct hook_event *last = NULL;
	size_t at = 0, before = h->events;
	/* One that is malformed is told of by those who push. */
	for (unsigned number = 0; outbox_next(items, &at, &item) == 1; number++) {
		int kind = kind_of(item.kind);
		if (kind < 0 && last != NULL)
			add_detail(h, last, &item);
		if (kind < 0)
			continue;
		last = NULL;
		if ((h->conf->event_mask & 1U << kind) == 0 || item.id == 0)
			continue;
		last = add_event(h);
		*last = (struct hook_event){.kind = (enum conf_hook_event)kind,
					    .stream = stream,
					    .n = n,
					    .item = number,
					    .at_ms = at_ms,
					    .id = item.id,
					    .came = item.kind == OUTBOX_CAME};
	}
	return (unsigned)(h->events - before);
}

/* ---- messages and profiles ---- */

bool hook_is_of_user(const struct hook_event *e)
{
	return e->kind == HOOK_FRIEND || e->kind == HOOK_USER || e->kind == HOOK_PRESENCE;
}

bool hook_shows_message(const struct hook_event *e)
{
	return e->kind != HOOK_READ && !hook_is_of_user(e);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static int by_user(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int order = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void hook_load(struct hook *h)
{
	h->loaded = h->messages = h->users_loaded = h->profiles = 0;
	h->loaded_ms = clock_mono_ms();
	arena_clear(&h->shown);
	h->step = HOOK_LOADING;
}

static void find_ids(struct hook *h)
{
	size_t n = 0, kept = 0;
	h->id = xrealloc(h->id, (h->events + 1) * sizeof(*h->id));
	for (size_t i = 0; i < h->events; i++)
		if (hook_shows_message(&h->event[i]))
			h->id[n++] = h->event[i].id;
	qsort(h->id, n, sizeof(*h->id), by_id);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || h->id[kept - 1] != h->id[i])
			h->id[kept++] = h->id[i];
	h->ids = kept;
	h->message = xrealloc(h->message, (kept + 1) * sizeof(*h->message));
}

/* Of one who is erased nothing is shown. */
static void find_users(struct hook *h)
{
	size_t n = 0, kept = 0;
	h->user = xrealloc(h->user, (h->events + 1) * sizeof(*h->user));
	for (size_t i = 0; i < h->events; i++)
		if (h->event[i].kind == HOOK_USER && h->event[i].id != ACCOUNT_ERASED && h->event[i].user.len != 0)
			h->user[n++] = h->event[i].user;
	qsort(h->user, n, sizeof(*h->user), by_user);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !str_equal(h->user[kept - 1], h->user[i]))
			h->user[kept++] = h->user[i];
	h->users = kept;
	h->profile = xrealloc(h->profile, (kept + 1) * sizeof(*h->profile));
}

void hook_begin_loading(struct hook *h)
{
	find_ids(h);
	find_users(h);
	h->loads_again = false;
	hook_load(h);
	if (h->ids == 0 && h->users == 0)
		hook_begin_sending(h);
}

void hook_load_again(struct hook *h)
{
	h->loads_again = true;
	hook_load(h);
}

static void ask_messages(struct hook *h, struct buf *text)
{
	bool first = true;
	size_t end = h->ids - h->loaded < LOAD_MAX ? h->ids : h->loaded + LOAD_MAX;
	sql_lit(text, "SELECT " MESSAGE_COLUMNS " FROM messages m FORCE INDEX (PRIMARY) WHERE m.id IN (");
	for (; h->loaded < end; h->loaded++) {
		sql_comma(text, &first);
		sql_u64(text, h->id[h->loaded]);
	}
	sql_lit(text, ") ORDER BY m.id;COMMIT");
}

static void ask_profiles(struct hook *h, struct buf *text)
{
	bool first = true;
	size_t end = h->users - h->users_loaded < LOAD_MAX ? h->users : h->users_loaded + LOAD_MAX;
	sql_lit(text, "SELECT u.id," PROFILE_COLUMNS " FROM users u FORCE INDEX (PRIMARY) WHERE u.id IN (");
	for (; h->users_loaded < end; h->users_loaded++) {
		sql_comma(text, &first);
		sql_str(text, h->user[h->users_loaded]);
	}
	sql_lit(text, ") ORDER BY u.id;COMMIT");
}

static void load_ask(struct relay *r, struct buf *text)
{
	struct hook *h = r->hooks.now;
	h->loads_users = h->loaded == h->ids;
	if (h->loads_users)
		ask_profiles(h, text);
	else
		ask_messages(h, text);
}

static void load_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hook *h = r->hooks.now;
	(void)stmt;
	if (h->step != HOOK_LOADING)
		return;
	if (h->loads_users && h->profiles < h->users) {
		row_take_profile(row, &h->shown, row_take_str(row), &h->profile[h->profiles]);
		h->profiles++;
	} else if (!h->loads_users && h->messages < h->ids) {
		h->message[h->messages] = (struct message){0};
		h->messages += row_take_message(row, &h->shown, &h->message[h->messages]);
	}
}

static void load_done(struct relay *r)
{
	struct hook *h = r->hooks.now;
	if (h->step != HOOK_LOADING || h->loaded < h->ids || h->users_loaded < h->users)
		return;
	if (h->loads_again)
		hook_send_on(h);
	else
		hook_begin_sending(h);
}

const struct relay_job hook_load_job = {.name = "reading what webhooks are shown",
					.ask = load_ask,
					.row = load_row,
					.done = load_done,
					.failed = hook_failed};

/* The id comes first in a message. */
static const struct message *find_message(const struct hook *h, uint64_t id)
{
	_Static_assert(offsetof(struct message, id) == 0, "by_id()");
	return h->messages != 0 ? bsearch(&id, h->message, h->messages, sizeof(*h->message), by_id) : NULL;
}

static int user_to_profile(const void *user, const void *profile)
{
	const struct str id = str_from(((const struct profile *)profile)->user_id);
	return by_user(user, &id);
}

/* NULL: there is none. */
static const struct profile *find_profile(const struct hook *h, struct str user)
{
	return h->profiles != 0 ? bsearch(&user, h->profile, h->profiles, sizeof(*h->profile), user_to_profile) : NULL;
}

/* ---- how they look ---- */

static void put_message(struct hooks *x, const struct message *m)
{
	json_key(x->json, "message");
	json_object(x->json);
	message_json_members(x->json, m, &x->urls, MESSAGE_JSON_WITHOUT_READS);
	json_object_end(x->json);
}

static void put_read(struct json_out *o, const struct hook_event *e)
{
	json_put_id(o, "conversation_id", message_id_conversation(e->id));
	json_put_str(o, "reader_id", e->user);
	json_put_u64(o, "up_to_seq", message_id_seq(e->id));
}

static void put_friend(struct json_out *o, const struct hook_event *e)
{
	static const char *const done[] = {
		[FRIEND_REQUEST] = "request", [FRIEND_ACCEPT] = "accept", [FRIEND_DECLINE] = "decline",
		[FRIEND_END] = "end",	      [FRIEND_BLOCK] = "block",	  [FRIEND_UNBLOCK] = "unblock",
		[USER_BLOCK] = "block",	      [USER_UNBLOCK] = "unblock",
	};
	/* In the outbox they are counted from 1. */
	json_put_cstr(o, "action", e->id - 1 < ARRAY_LEN(done) ? done[e->id - 1] : "other");
	json_put_str(o, "user_id", e->user);
	json_put_str(o, "friend_id", e->other);
}

/* All of it is null for a user who has no profile any more. */
static void put_user(struct hooks *x, const struct hook *h, const struct hook_event *e)
{
	static const char *const done[] = {
		[ACCOUNT_CREATED] = "created", [ACCOUNT_UPDATED] = "updated", [ACCOUNT_DISABLED] = "disabled",
		[ACCOUNT_ENABLED] = "enabled", [ACCOUNT_ERASED] = "erased",
	};
	bool known = e->id < ARRAY_LEN(done) && done[e->id] != NULL;
	struct profile none;
	const struct profile *p = e->id != ACCOUNT_ERASED ? find_profile(h, e->user) : NULL;
	if (p == NULL)
		profile_unknown(&none, e->user);
	json_put_cstr(x->json, "action", known ? done[e->id] : "other");
	profile_json_members(x->json, p ?: &none, &x->urls);
}

static void put_presence(struct json_out *o, const struct hook_event *e)
{
	json_put_str(o, "user_id", e->user);
	json_put_bool(o, "online", e->came);
	json_put_time(o, "last_seen", (int64_t)e->id);
}

static void put_reaction(struct json_out *o, const struct hook_event *e)
{
	bool known = e->text.len > 1;
	json_put_str(o, "user_id", e->user);
	json_put_str(o, "emoji", known ? (struct str){e->text.s + 1, e->text.len - 1} : STR_NULL);
	json_key(o, "added");
	if (known)
		json_bool(o, e->text.s[0] == '+');
	else
		json_null(o);
}

static void put_data(struct hooks *x, const struct hook *h, const struct hook_event *e, const struct message *m)
{
	struct json_out *o = x->json;
	json_key(o, "data");
	json_object(o);
	if (e->kind == HOOK_READ)
		put_read(o, e);
	else if (e->kind == HOOK_FRIEND)
		put_friend(o, e);
	else if (e->kind == HOOK_USER)
		put_user(x, h, e);
	else if (e->kind == HOOK_PRESENCE)
		put_presence(o, e);
	else if (e->kind == HOOK_REACTION)
		put_reaction(o, e);
	if (m != NULL)
		put_message(x, m);
	json_object_end(o);
}

bool hook_render(struct hooks *x, struct hook *h, const struct hook_event *e, struct buf *out)
{
	const struct message *m = hook_shows_message(e) ? find_message(h, e->id) : NULL;
	struct json_out *o = x->json;
	char id[64];
	if ((m == NULL && hook_shows_message(e)) ||
	    ((e->kind == HOOK_USER || e->kind == HOOK_PRESENCE) && e->user.len == 0))
		return false;
	snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64 "-%u", e->stream, e->n, e->item);
	json_begin(o, out);
	json_object(o);
	json_put_cstr(o, "id", id);
	json_put_cstr(o, "event", conf_hook_event_names[e->kind]);
	json_put_time(o, "at", e->at_ms);
	put_data(x, h, e, m);
	json_object_end(o);
	return true;
}
