/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetches everything, one user after the other, and counts, see audit.h. */
#include "core/base.h"
#include "audit.h"
#include "audit_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/json.h"
#include "crowd.h"
#include "history.h"
#include "pace.h"
#include "record.h"
#include "stack.h"
#include "wire.h"

#define CALL_TIMEOUT_MS 60000
#define PAGE 100

static void audit_ask(struct audit *a);

static struct instant audit_now(void)
{
	return (struct instant){pace_real_ms(), pace_fair_ms()};
}

/* ---- one conversation ---- */

static void begin_history(struct audit *a)
{
	a->before = 0;
	history_begin(&a->history, a->record, a->user, a->listed[a->at].peer);
}

static void end_history(struct audit *a)
{
	const struct listed *l = &a->listed[a->at];
	a->unread_total += l->unread;
	a->mentions_total += l->mentions;
	if (l->peer >= a->users) {
		struct history_group_claims of = {.unread = l->unread,
						  .mentions = l->mentions,
						  .read_seq = l->read_seq,
						  .first_seq = l->first_seq,
						  .last_id = l->last_id};
		crowd_read_of(a->crowd, a->user, l->peer, &of.tried, &of.done);
		history_end_group(&a->history, &of);
		return;
	}
	struct history_claims claims = {.unread = l->unread, .read_seq = l->read_seq, .last_id = l->last_id};
	crowd_read_of(a->crowd, a->user, l->peer, &claims.tried, &claims.done);
	crowd_read_of(a->crowd, l->peer, a->user, &claims.peer_tried, &claims.peer_done);
	history_end(&a->history, &claims);
}

static void take_message(struct audit *a, const struct json *message)
{
	struct sight s;
	if (!record_read_sight(a->record, message, &s))
		return;
	record_seen(a->record, &s, audit_now());
	history_take(&a->history, &s);
}

/* ---- answers ---- */

static void take_listed(struct audit *a, const struct json *item)
{
	const struct json *id = json_get(item, "id"), *peer = json_get(json_get(item, "peer"), "user_id");
	const struct json *last = json_get(json_get(item, "last_message"), "id");
	struct listed l = {0};
	if (id == NULL || id_parse_u64(id->text, &l.id) != 0 ||
	    json_int(json_get(item, "unread_count"), &l.unread) != 0 ||
	    json_int(json_get(item, "mention_count"), &l.mentions) != 0 ||
	    json_int(json_get(item, "read_seq"), &l.read_seq) != 0 ||
	    json_int(json_get(item, "first_seq"), &l.first_seq) != 0 ||
	    (last != NULL && id_parse_u64(last->text, &l.last_id) != 0) ||
	    (l.peer = peer != NULL ? record_user_of(peer->text) : record_group_of(a->record, l.id)) >=
		    (peer != NULL ? a->users : a->users + record_groups(a->record))) {
		record_violate(a->record, "not a conversation: %.*s", (int)item->raw.len, item->raw.s);
		return;
	}
	if (l.id != record_conversation(a->record, a->user, l.peer))
		record_violate(a->record,
			       "p%u lists the conversation %" PRIu64 " with p%u, which was known as %" PRIu64, a->user,
			       l.id, l.peer, record_conversation(a->record, a->user, l.peer));
	if (l.peer >= a->users)
		audit_look_at_group(a, l.peer, json_get(item, "group"));
	a->listed = xrealloc(a->listed, (a->count + 1) * sizeof(*a->listed));
	a->listed[a->count++] = l;
}

/* Each conversation that anybody has heard of is listed, once. */
static void list_end(struct audit *a)
{
	for (unsigned peer = 0; peer < a->users + record_groups(a->record); peer++) {
		unsigned times = 0, expected;
		for (unsigned i = 0; i < a->count; i++)
			times += a->listed[i].peer == peer;
		if (peer < a->users)
			expected = peer != a->user && record_conversation(a->record, a->user, peer) != 0;
		else
			expected = record_rank(a->record, peer, a->user) != RANK_NONE;
		if (peer >= a->users && times == 0 && record_may_have_left(a->record, peer, a->user))
			continue;
		if (times != expected)
			record_violate(a->record, "p%u lists the conversation with %s %u times, expected %u", a->user,
				       record_party_name(a->record, peer).is, times, expected);
	}
}

static void take_list(struct audit *a, const struct json *body)
{
	const struct json *items = json_get(body, "items"), *next = json_get(body, "next_cursor");
	for (const struct json *item = items != NULL ? items->child : NULL; item != NULL; item = item->next)
		take_listed(a, item);
	if (next != NULL && next->type == JSON_STRING && next->text.len < CURSOR_ROOM) {
		snprintf(a->cursor, sizeof(a->cursor), "%.*s", (int)next->text.len, next->text.s);
		return;
	}
	list_end(a);
	a->at = 0;
	a->step = a->count > 0 ? STEP_HISTORY : STEP_UNREAD;
	if (a->count > 0)
		begin_history(a);
}

static void take_history(struct audit *a, const struct json *body)
{
	const struct json *items = json_get(body, "items"), *more = json_get(body, "has_more");
	int64_t first = 0, seq, last = 0;
	for (const struct json *item = items != NULL ? items->child : NULL; item != NULL; item = item->next) {
		take_message(a, item);
		if (json_int(json_get(item, "seq"), &seq) != 0)
			continue;
		if (seq <= last || (a->before != 0 && seq >= a->before))
			record_violate(a->record, "a history of p%u is not in order at seq %" PRId64, a->user, seq);
		first = first == 0 ? seq : first;
		last = seq;
	}
	if (more != NULL && more->boolean && first > 1) {
		a->before = (uint32_t)first;
		return;
	}
	a->step = STEP_PINS;
}

static void take_pins(struct audit *a, const struct json *body)
{
	const struct json *items = json_get(body, "items");
	int64_t seq;
	for (const struct json *item = items != NULL ? items->child : NULL; item != NULL; item = item->next)
		if (json_int(json_get(item, "seq"), &seq) == 0)
			history_take_pin(&a->history, (uint32_t)seq);
	end_history(a);
	a->step = ++a->at < a->count ? STEP_HISTORY : STEP_UNREAD;
	if (a->step == STEP_HISTORY)
		begin_history(a);
}

static void take_unread(struct audit *a, const struct json *body)
{
	int64_t unread = -1, mentions = -1;
	if (json_int(json_get(body, "unread_count"), &unread) != 0 || unread != a->unread_total)
		record_violate(a->record, "p%u: unread-count is %" PRId64 ", its conversations have %" PRId64, a->user,
			       unread, a->unread_total);
	if (json_int(json_get(body, "mention_count"), &mentions) != 0 || mentions != a->mentions_total)
		record_violate(a->record, "p%u: mention_count is %" PRId64 ", its conversations have %" PRId64, a->user,
			       mentions, a->mentions_total);
	a->step = STEP_FRIENDS;
}

static void next_user(struct audit *a)
{
	a->user++;
	a->step = STEP_LIST;
	a->cursor[0] = '\0';
	a->count = 0;
	a->unread_total = a->mentions_total = 0;
	a->done = a->user == a->users;
	if (a->done)
		record_groups_end(a->record);
}

static void take_friends(struct audit *a, const struct json *body)
{
	const struct json *items = json_get(body, "items");
	for (const struct json *item = items != NULL ? items->child : NULL; item != NULL; item = item->next) {
		const struct json *id = json_get(json_get(item, "user"), "user_id"), *online = json_get(item, "online");
		unsigned user = id != NULL ? record_user_of(id->text) : UINT_MAX;
		if (user < a->users && online != NULL && online->boolean && crowd_is_away(a->crowd, user))
			record_violate(a->record, "GET /friends shows p%u to p%u online, who is away", user, a->user);
	}
	a->step = STEP_GROUPS;
	if (!audit_next_group(a, 0))
		next_user(a);
}

static void on_answer(int status, const struct json *body, void *arg)
{
	struct audit *a = arg;
	if (a->step == STEP_GROUPS) {
		if (!audit_take_group(a, status, body))
			next_user(a);
		if (!a->done)
			audit_ask(a);
		return;
	}
	if (status != 200 || body == NULL) {
		record_violate(a->record, "the count of p%u, step %d: answered %d", a->user, a->step, status);
		return;
	}
	switch (a->step) {
	case STEP_LIST:
		take_list(a, body);
		break;
	case STEP_HISTORY:
		take_history(a, body);
		break;
	case STEP_PINS:
		take_pins(a, body);
		break;
	case STEP_UNREAD:
		take_unread(a, body);
		break;
	case STEP_FRIENDS:
		take_friends(a, body);
		break;
	case STEP_GROUPS:
		break;
	}
	if (!a->done)
		audit_ask(a);
}

static void audit_ask(struct audit *a)
{
	char path[64 + CURSOR_ROOM];
	switch (a->step) {
	case STEP_LIST:
		snprintf(path, sizeof(path), "/messages/conversations?limit=10%s%s",
			 a->cursor[0] != '\0' ? "&cursor=" : "", a->cursor);
		break;
	case STEP_HISTORY:
		snprintf(path, sizeof(path), "/messages/conversations/%" PRIu64 "/messages?limit=%d",
			 a->listed[a->at].id, PAGE);
		if (a->before != 0)
			snprintf(path + strlen(path), sizeof(path) - strlen(path), "&before=%u", a->before);
		break;
	case STEP_PINS:
		snprintf(path, sizeof(path), "/messages/conversations/%" PRIu64 "/pins", a->listed[a->at].id);
		break;
	case STEP_UNREAD:
		snprintf(path, sizeof(path), "/messages/unread-count");
		break;
	case STEP_FRIENDS:
		snprintf(path, sizeof(path), "/friends?limit=100");
		break;
	case STEP_GROUPS:
		audit_group_path(a, path, sizeof(path));
		break;
	}
	wire_call(proxy_port(a->stack->node[a->user % a->stack->nodes].clients), "GET", path,
		  crowd_token(a->crowd, a->user), STR_NULL, CALL_TIMEOUT_MS, on_answer, a);
}

/* ---- from outside ---- */

struct audit *audit_new(struct stack *stack, struct crowd *crowd, struct record *record, unsigned users)
{
	struct audit *a = xcalloc(1, sizeof(*a));
	a->stack = stack;
	a->crowd = crowd;
	a->record = record;
	a->users = users;
	a->has_members = xcalloc(record_groups(record) + 1, sizeof(*a->has_members));
	for (unsigned n = 0; n < record_messages(record); n++)
		if (record_message(record, n)->id == 0 && !record_message(record, n)->refused)
			record_violate(record, "m%u was sent, and nobody has ever seen it", n);
	audit_ask(a);
	return a;
}

bool audit_is_done(const struct audit *a)
{
	return a->done;
}

void audit_free(struct audit **audit)
{
	struct audit *a = *audit;
	if (a == NULL)
		return;
	free(a->listed);
	free(a->has_members);
	free(a->members_seen);
	history_fini(&a->history);
	free(a);
	*audit = NULL;
}
