/* SPDX-License-Identifier: BSD-2-Clause */
/* send: one message to a user, or to a group. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/render.h"
#include "cmd/before_send.h"
#include "cmd/content.h"
#include "cmd/media.h"
#include "cmd/sticker.h"
#include "core/clock.h"
#include "core/utf8.h"
#include "hub/bucket.h"
#include "cmd/group.h"
#include "hub/stats.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"

#include <inttypes.h>
#include <stdio.h>

#define EXTRA_MAX 4096

/* Its media_url and emoji are filled in from the pack, whatever the client says. */
static const struct problem *check_sticker(struct request *r, struct store_send *s)
{
	struct str ignored;
	return request_text(r, "media_url", &ignored) ?: sticker_check(r, s);
}

static const struct problem *check_content(struct request *r, struct store_send *s)
{
	const struct problem *p = content_text_check(r, "content", &s->content);
	if (p != NULL)
		return p;
	if (s->type == MESSAGE_STICKER)
		return check_sticker(r, s);
	p = media_url_check(r, "media_url", &s->media_url);
	if (p != NULL)
		return p;
	if (s->type == MESSAGE_TEXT) {
		if (s->content.s == NULL || s->content.len == 0)
			return request_invalid(r, "content: a text needs one that is not empty");
		if (s->media_url.s != NULL)
			return request_invalid(r, "media_url: a text has none");
		return NULL;
	}
	return s->media_url.s != NULL ? NULL : request_invalid(r, "media_url: is missing");
}

/* The value without insignificant white space, and its file names without what turns their direction. */
static void put_extra(struct request *r, const struct json *extra, struct buf *out)
{
	const char *at = extra->raw.s, *end = extra->raw.s + extra->raw.len;
	for (const struct json *v = extra->child; v != NULL; v = v->next) {
		if (v->type != JSON_STRING || !str_is(v->key, "file_name"))
			continue;
		char *name = arena_alloc(&r->arena, v->text.len);
		size_t len = utf8_undirected(v->text, name);
		if (len != v->text.len) {
			json_minify((struct str){at, (size_t)(v->raw.s - at)}, out);
			json_begin(r->live->out, out);
			json_str(r->live->out, (struct str){name, len});
			at = v->raw.s + v->raw.len;
		}
	}
	json_minify((struct str){at, (size_t)(end - at)}, out);
}

static const struct problem *check_extra(struct request *r, struct store_send *s)
{
	const struct json *v = json_get(r->body, "extra");
	if (v == NULL || v->type == JSON_NULL || s->type == MESSAGE_STICKER)
		return NULL;
	if (v->type != JSON_OBJECT)
		return request_invalid(r, "extra: must be an object");
	if (v->has_nul)
		return request_invalid(r, "extra: must not contain U+0000");
	buf_clear(&r->live->scratch);
	put_extra(r, v, &r->live->scratch);
	if (r->live->scratch.len > EXTRA_MAX)
		return request_invalid(r, "extra: is over 4096 bytes");
	s->extra = arena_str(&r->arena, (struct str){r->live->scratch.data, r->live->scratch.len});
	return NULL;
}

/* Either a user, or a conversation. */
static const struct problem *check_recipient(struct request *r, struct store_send *s)
{
	struct str conversation;
	const struct problem *p =
		request_text(r, "to_user_id", &s->to) ?: request_text(r, "conversation_id", &conversation);
	if (p != NULL)
		return p;
	if (s->to.s != NULL && conversation.s != NULL)
		return request_invalid(r, "to_user_id, conversation_id: only one of them can be given");
	if (conversation.s != NULL && id_parse_u64(conversation, &s->conversation_id) != 0)
		return request_invalid(r, "conversation_id: must be an id, a string of decimal digits");
	if (conversation.s != NULL)
		return NULL;
	if (s->to.s == NULL)
		return request_invalid(r, "to_user_id: is missing, and so is conversation_id");
	if (!id_user_valid(s->to))
		return request_invalid(r, "to_user_id: must be " USER_ID_RULE);
	return str_equal(s->to, s->from) ? request_invalid(r, "to_user_id: one cannot send to oneself") : NULL;
}

static const struct problem *check_reply(struct request *r, struct store_send *s)
{
	struct str reply;
	const struct problem *p = request_text(r, "reply_to", &reply);
	if (p != NULL || reply.s == NULL || (id_parse_u64(reply, &s->reply_to) == 0 && s->reply_to != 0))
		return p;
	return request_invalid(r, "reply_to: must be a message's id, a string of decimal digits");
}

const struct problem *send_message_check(struct request *r, struct store_send *s, bool with_reply)
{
	struct str type;
	const struct problem *p = request_needs_text(r, "message_type", &type);
	if (p != NULL)
		return p;
	if (message_type_parse(type, &s->type) != 0)
		return request_invalid(r, "message_type: must be text, image, voice, video, file or sticker");
	p = check_content(r, s) ?: check_extra(r, s) ?: request_client_id(r, "client_msg_id", &s->client_msg_id);
	if (p == NULL && with_reply)
		p = check_reply(r, s);
	if (p != NULL)
		return p;
	struct content content = {.text = s->content};
	bool expires;
	p = content_marks_check(r, &content) ?: content_expiry_check(r, &expires, &s->expires_in_secs);
	s->entities = content.entities;
	s->mention = content.mentions.user;
	s->mention_count = content.mentions.count;
	s->mentions_all = content.mentions.all;
	return p;
}

const struct problem *send_check(struct request *r, union command_args *a)
{
	struct store_send *s = &a->send;
	s->from = request_user(r);
	return check_recipient(r, s) ?: send_message_check(r, s, true);
}

/* ---- who may not send to a group ---- */

/* A member who was refused holds no tokens of the node's fan-out for so long, while the store looks again. */
#define SILENCED_SECS 60.0

struct silence {
	char name[USER_ID_MAX + 24];
};

static struct silence silence_of(const struct request *r, uint64_t group_id)
{
	struct silence s;
	snprintf(s.name, sizeof(s.name), "%s %" PRIu64, r->user, group_id);
	return s;
}

static bool is_silenced(const struct request *r, uint64_t group_id)
{
	return bucket_wait(r->live->hub, BUCKET_GROUP_SILENCE, silence_of(r, group_id).name, 1 / SILENCED_SECS, 1,
			   clock_mono_ms()) != 0;
}

/* The refusals that all of the member's messages have alike, so nobody gets past the budget by them. */
static void note_silence(const struct request *r, enum store_status status)
{
	if (r->fanout != 0 && (status == STORE_MUTED || status == STORE_SENDING_RESTRICTED ||
			       status == STORE_SLOW_MODE || status == STORE_GROUP_DISSOLVED))
		bucket_charge(r->live->hub, BUCKET_GROUP_SILENCE, silence_of(r, r->fanout_group).name, 1,
			      1 / SILENCED_SECS, 1, clock_mono_ms());
}

/* ---- what becomes of it ---- */

static void fail_send(struct request *r, const struct store_sent *result)
{
	const struct message *m = result->message;
	r->retry_ms = result->retry_ms;
	if (m == NULL)
		request_fail_store(r, result->status);
	else if (m->to[0] == '\0')
		group_fail_write(r, result->status, message_id_conversation(m->id));
	else
		request_fail_write(r, result->status, str_from(m->from), str_from(m->to));
}

static void push_message(struct live *live, const struct store_sent *result, struct str event_json,
			 const struct session *asker)
{
	const struct message *m = result->message;
	const struct push_place place = {BUS_MESSAGE, m->id, result->gap_ms};
	if (m->to[0] == '\0')
		group_push(live, message_id_conversation(m->id), place, event_json, asker);
	else
		push_to_both(live, str_from(m->to), str_from(m->from), place, event_json, asker);
}

/* No tokens were taken where it was not known that the sender is a member. */
static void use_fanout(struct request *r, const struct message *m)
{
	if (m->to[0] == '\0' && r->fanout == 0)
		group_fanout_owe(r, message_id_conversation(m->id));
	r->fanout = 0;
}

static void on_sent(const struct store_sent *result, void *arg)
{
	struct request *r = arg;
	struct live *live = r->live;
	if (result->status != STORE_OK) {
		note_silence(r, result->status);
		fail_send(r, result);
		return;
	}
	buf_clear(&live->scratch);
	buf_append_str(&live->scratch, STR_LIT("{\"type\":\"message\",\"message\":"));
	size_t start = live->scratch.len;
	json_begin(live->out, &live->scratch);
	render_message(live->out, result->message);
	struct str json = {live->scratch.data + start, live->scratch.len - start};

	const struct session *asker = request_session(r);
	stat_add(result->replayed ? STAT_REPLAYS : STAT_SENDS, 1);
	if (!result->replayed)
		use_fanout(r, result->message);
	request_ack(r, json, result->replayed);
	if (!result->replayed) {
		buf_append_char(&live->scratch, '}');
		push_message(live, result, (struct str){live->scratch.data, live->scratch.len}, asker);
	}
}

bool send_take_rate(struct request *r)
{
	const struct conf *conf = r->live->conf;
	r->retry_ms = bucket_take(r->live->hub, BUCKET_SENDS, r->user, conf->limits.sends_per_second,
				  conf->limits.burst, clock_mono_ms());
	return r->retry_ms == 0;
}

const struct problem *send_rate_problem(struct request *r)
{
	return request_problem(r, PROBLEM_RATE_LIMITED, "more than %d messages a second",
			       r->live->conf->limits.sends_per_second);
}

void send_fail_rate(struct request *r)
{
	request_fail(r, send_rate_problem(r));
}

/* ---- what is not sent, but answered where it was sent before ---- */

struct refused {
	struct request *r;
	const struct problem *why;
};

static void on_found(const struct store_sent *result, void *arg)
{
	const struct refused *f = arg;
	if (result->status == STORE_NOT_FOUND)
		request_fail(f->r, f->why);
	else
		on_sent(result, f->r);
}

static void refuse_unless_sent(struct request *r, const struct store_send *p, const struct problem *why)
{
	if (p->client_msg_id.s == NULL) {
		request_fail(r, why);
		return;
	}
	struct refused *f = arena_alloc(&r->arena, sizeof(*f));
	*f = (struct refused){r, why};
	store_find_sent(r->live->store, p, on_found, f);
}

/* ---- what has to be looked up before ---- */

struct addressed {
	struct request *r;
	const struct problem *refusal; /* NULL: it may be sent */
	struct str pack;	       /* of a sticker that is looked up */
	struct store_send message;
};

/* The message is kept: its texts are in the frame or body, but for extra and entities, which are in the arena already.
 */
static struct addressed *addressed_new(struct request *r, const struct store_send *p, const struct problem *refusal)
{
	struct arena *arena = &r->arena;
	struct addressed *d = arena_alloc(arena, sizeof(*d));
	struct str *mention = arena_alloc(arena, p->mention_count * sizeof(*mention));
	d->r = r;
	d->refusal = refusal;
	d->message = *p;
	d->message.to = arena_str(arena, p->to);
	d->message.content = arena_str(arena, p->content);
	d->message.media_url = arena_str(arena, p->media_url);
	d->message.client_msg_id = arena_str(arena, p->client_msg_id);
	for (size_t i = 0; i < p->mention_count; i++)
		mention[i] = arena_str(arena, p->mention[i]);
	d->message.mention = mention;
	return d;
}

/* ---- who may refuse or replace it ---- */

static bool is_own_id(struct str client_msg_id)
{
	return client_msg_id.len != 0 && client_msg_id.s[0] == ' ';
}

static struct message message_of(struct request *r, const struct store_send *p)
{
	struct message m = {
		.id = message_id_make(p->conversation_id, 0),
		.type = p->type,
		.content = p->content,
		.media_url = p->media_url,
		.extra = p->extra,
		.entities = p->entities,
		.mentions =
			content_mentions_text(r, &(struct mention_list){p->mention, p->mention_count, p->mentions_all}),
		.client_msg_id = is_own_id(p->client_msg_id) ? STR_NULL : p->client_msg_id,
		.forwarded_from = p->forwarded_from,
		.reply_to = p->reply_to,
	};
	memcpy(m.from, p->from.s, p->from.len);
	if (p->to.s != NULL)
		memcpy(m.to, p->to.s, p->to.len);
	return m;
}

static void on_decided(const struct problem *refusal, struct str content, void *arg)
{
	struct addressed *d = arg;
	struct store_send *p = &d->message;
	if (refusal != NULL) {
		refuse_unless_sent(d->r, p, refusal);
		return;
	}
	if (content.s != NULL && !str_equal(content, p->content)) {
		p->replaced = content;
		p->replaced_entities = content_entities_fitting(d->r, p->entities, p->content, content);
	}
	store_send(d->r->live->store, p, on_sent, d->r);
}

/* What administrators send is the operator's own: nobody is asked. */
static void send_checked(struct request *r, const struct store_send *p)
{
	if (r->api->before_send == NULL || r->cmd->access == ACCESS_ADMIN) {
		store_send(r->live->store, p, on_sent, r);
		return;
	}
	struct addressed *d = addressed_new(r, p, NULL);
	const struct message m = message_of(r, &d->message);
	before_send_ask(before_send_enter(r, on_decided, d), &m);
}

/* ---- to a group ---- */

static void on_membership(enum store_status status, uint64_t count, void *arg);

static bool fanout_allows(struct request *r, uint64_t id)
{
	if (!is_silenced(r, id))
		return group_fanout_take(r, id);
	r->retry_ms = group_wait_fanout(r->live, id);
	return r->retry_ms == 0;
}

/*
 * Of the node's fan-out a member takes tokens, and is refused where there are none. A stranger takes none, but for a
 * few, and is refused by the store: so they do not learn which groups exist, and do not keep members from sending.
 * Neither do members who are muted: they wait for tokens, but take none.
 */
static void send_to_group(struct request *r, const struct store_send *p, enum group_known known)
{
	uint64_t id = p->conversation_id;
	bool may_take = known == GROUP_MEMBER_HERE || (known == GROUP_UNKNOWN && group_is_small(r->live, id));
	if (known == GROUP_STRANGER || (may_take && fanout_allows(r, id)))
		send_checked(r, p);
	else if (known == GROUP_UNKNOWN)
		store_is_member(r->live->store, request_user(r), id, on_membership, addressed_new(r, p, NULL));
	else
		refuse_unless_sent(r, p, &group_fanout_problem);
}

static void on_membership(enum store_status status, uint64_t count, void *arg)
{
	struct addressed *d = arg;
	if (status == STORE_OK)
		send_to_group(d->r, &d->message, count != 0 ? GROUP_MEMBER_HERE : GROUP_STRANGER);
	else
		request_fail_store(d->r, status);
}

/* The recipient is a user or a group. */
static void send_on(struct request *r, const struct store_send *p, const struct problem *refusal)
{
	if (refusal != NULL)
		refuse_unless_sent(r, p, refusal);
	else if (p->conversation_id != 0)
		send_to_group(r, p, group_knows(r->live, p->conversation_id, request_user(r)));
	else
		send_checked(r, p);
}

/* ---- to a direct conversation: the other side has to be looked up ---- */

/* Does not check whether the two are friends: a repeat is answered even if they no longer are. */
static void on_peer(const struct store_peer *peer, void *arg)
{
	struct addressed *d = arg;
	struct request *r = d->r;
	if (peer->status == STORE_OK || peer->status == STORE_NOT_FRIENDS || peer->status == STORE_BLOCKED) {
		d->message.to = str_from(peer->peer);
		d->message.conversation_id = 0;
		send_on(r, &d->message, d->refusal);
	} else {
		request_fail_store(r, peer->status);
	}
}

static void send_to(struct request *r, const struct store_send *p, const struct problem *refusal)
{
	if (p->to.s != NULL || conversation_is_group(p->conversation_id))
		send_on(r, p, refusal);
	else
		store_find_peer(r->live->store, request_user(r), p->conversation_id, on_peer,
				addressed_new(r, p, refusal));
}

/* ---- a sticker, which is looked up first, for the write lane waits for nothing ---- */

static void on_sticker(enum store_status status, const struct sticker *found, void *arg)
{
	struct addressed *d = arg;
	if (status == STORE_OK)
		sticker_fill(d->r, d->pack, found, &d->message);
	if (status == STORE_OK || status == STORE_NOT_FOUND)
		send_to(d->r, &d->message, status == STORE_OK ? NULL : d->refusal);
	else
		request_fail_store(d->r, status);
}

static void send_sticker(struct request *r, const struct store_send *p)
{
	struct sticker_named n = sticker_named(r);
	struct addressed *d = addressed_new(r, p,
					    request_invalid(r, "extra.sticker: there is no sticker %.*s in a pack %.*s",
							    (int)n.id.len, n.id.s, (int)n.pack.len, n.pack.s));
	d->pack = arena_str(&r->arena, n.pack);
	store_find_sticker(r->live->store, request_user(r), n.pack, n.id, on_sticker, d);
}

/* ---- a file of ours: whether the sender may see it, and what it is ---- */

static const struct problem *file_problem(struct request *r, enum message_type type, const struct media *m)
{
	if (m == NULL)
		return problem_of_store(STORE_NO_FILE);
	if (m->state != MEDIA_READY)
		return request_problem(r, PROBLEM_CONFLICT, "media_url: this file is not complete yet");
	if (media_fits(type, m))
		return NULL;
	return request_invalid(r, "media_url: this file is %.*s, which is not what a %s shows",
			       (int)m->content_type.len, m->content_type.s, message_type_name(type));
}

static void on_file(enum store_status status, const struct media *m, void *arg)
{
	struct addressed *d = arg;
	struct request *r = d->r;
	struct buf ref = {0};
	if (status != STORE_OK && status != STORE_NOT_FOUND) {
		request_fail_store(r, status);
		return;
	}
	const struct problem *p = file_problem(r, d->message.type, m);
	if (p == NULL) {
		media_ref_put(&ref, str_from(m->id), m->name);
		d->message.media_url = arena_str(&r->arena, (struct str){ref.data, ref.len});
		buf_fini(&ref);
	}
	send_to(r, &d->message, p);
}

static void send_file(struct request *r, const struct store_send *p)
{
	struct addressed *d = addressed_new(r, p, NULL);
	store_find_media_seen(r->live->store, request_user(r), media_ref_id(d->message.media_url), on_file, d);
}

void send_part(struct request *part, const struct store_send *p, bool is_stored)
{
	stat_add(STAT_SENDS_HTTP, 1);
	send_on(part, p, is_stored ? send_rate_problem(part) : NULL);
}

void send_proceed(struct request *r, const union command_args *a)
{
	const struct store_send *p = &a->send;
	stat_add(r->http != NULL ? STAT_SENDS_HTTP : STAT_SENDS_WEBSOCKET, 1);
	bool within_rate = r->cmd->access == ACCESS_ADMIN || send_take_rate(r);
	const struct problem *refusal = within_rate ? NULL : send_rate_problem(r);
	if (refusal != NULL && p->client_msg_id.s == NULL)
		request_fail(r, refusal);
	else if (refusal == NULL && p->type == MESSAGE_STICKER)
		send_sticker(r, p);
	else if (refusal == NULL && media_ref_id(p->media_url).s != NULL)
		send_file(r, p);
	else
		send_to(r, p, refusal);
}
