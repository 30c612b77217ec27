/* SPDX-License-Identifier: BSD-2-Clause */
/* send: one message to one user. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/render.h"
#include "core/clock.h"
#include "core/utf8.h"
#include "hub/bucket.h"
#include "hub/stats.h"
#include "live/push.h"
#include "live/session.h"

#include <stdlib.h>

#define EXTRA_MAX 4096

static bool fail(struct request *r, const char *detail)
{
	request_fail(r, PROBLEM_INVALID_ARGUMENT, "%s", detail);
	return false;
}

static bool check_content(struct request *r, struct store_send *s)
{
	size_t max = (size_t)r->live->conf->message.max_content;
	size_t json_max = (size_t)conf_content_json_max(r->live->conf);
	const struct json *written = json_get(r->body, "content");
	if (!request_text(r, "content", &s->content) || !request_web_url(r, "media_url", &s->media_url))
		return false;
	if (s->content.s != NULL && s->content.len > max) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT, "content: is over %zu bytes of UTF-8", max);
		return false;
	}
	/* Between its quotation marks, so that escapes of six bytes do not spoil a limit in whole characters. */
	if (s->content.s != NULL && written->raw.len - 2 > json_max) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT, "content: takes over %zu bytes of JSON, its escapes included",
			     json_max);
		return false;
	}
	if (s->type == MESSAGE_TEXT) {
		if (s->content.s == NULL || s->content.len == 0)
			return fail(r, "content: a text needs one that is not empty");
		if (s->media_url.s != NULL)
			return fail(r, "media_url: a text has none");
		return true;
	}
	return s->media_url.s != NULL || fail(r, "media_url: is missing");
}

/* The value without insignificant white space, and its file names without what turns their direction. */
static void put_extra(struct live *live, const struct json *extra, struct buf *out)
{
	const char *at = extra->raw.s, *end = extra->raw.s + extra->raw.len;
	for (const struct json *v = extra->child; v != NULL; v = v->next) {
		if (v->type != JSON_STRING || !str_is(v->key, "file_name"))
			continue;
		char *name = xmalloc(v->text.len + 1);
		size_t len = utf8_undirected(v->text, name);
		if (len != v->text.len) {
			json_minify((struct str){at, (size_t)(v->raw.s - at)}, out);
			json_begin(live->out, out);
			json_str(live->out, (struct str){name, len});
			at = v->raw.s + v->raw.len;
		}
		free(name);
	}
	json_minify((struct str){at, (size_t)(end - at)}, out);
}

static bool check_extra(struct request *r, struct store_send *s)
{
	const struct json *v = json_get(r->body, "extra");
	if (v == NULL || v->type == JSON_NULL)
		return true;
	if (v->type != JSON_OBJECT)
		return fail(r, "extra: must be an object");
	if (v->has_nul)
		return fail(r, "extra: must not contain U+0000");
	buf_clear(&r->live->scratch);
	put_extra(r->live, v, &r->live->scratch);
	if (r->live->scratch.len > EXTRA_MAX)
		return fail(r, "extra: is over 4096 bytes");
	s->extra = (struct str){r->live->scratch.data, r->live->scratch.len};
	return true;
}

bool send_check(struct request *r, union command_args *a)
{
	struct store_send *s = &a->send;
	struct str type, reply;

	s->from = request_user(r);
	if (!request_user_id(r, "to_user_id", &s->to))
		return false;
	if (str_equal(s->to, s->from))
		return fail(r, "to_user_id: one cannot send to oneself");
	if (!request_needs_text(r, "message_type", &type))
		return false;
	if (message_type_parse(type, &s->type) != 0)
		return fail(r, "message_type: must be text, image, voice, video or file");
	if (!check_content(r, s) || !check_extra(r, s))
		return false;
	if (!request_text(r, "client_msg_id", &s->client_msg_id) || !request_text(r, "reply_to", &reply))
		return false;
	if (s->client_msg_id.s != NULL && !id_client_msg_valid(s->client_msg_id))
		return fail(r, "client_msg_id: must be 1 to 64 characters from ! to ~");
	if (reply.s != NULL && (id_parse_u64(reply, &s->reply_to) != 0 || s->reply_to == 0))
		return fail(r, "reply_to: must be a message's id, a string of decimal digits");
	return true;
}

static void on_sent(const struct store_sent *result, void *arg)
{
	struct request *r = arg;
	struct live *live = r->live;
	const struct message *m = result->message;
	if (result->status != STORE_OK) {
		request_fail_write(r, result->status, m != NULL ? str_from(m->from) : STR_NULL,
				   m != NULL ? str_from(m->to) : STR_NULL);
		return;
	}
	buf_clear(&live->scratch);
	buf_append_str(&live->scratch, STR_LIT("{\"type\":\"message\",\"message\":"));
	size_t start = live->scratch.len;
	json_begin(live->out, &live->scratch);
	render_message(live->out, m);
	struct str json = {live->scratch.data + start, live->scratch.len - start};

	const struct session *asker = request_session(r);
	if (r->http != NULL || r->session != NULL)
		stat_add(r->http != NULL ? STAT_ACKS_HTTP : STAT_ACKS_WEBSOCKET, 1);
	stat_add(result->replayed ? STAT_REPLAYS : STAT_SENDS, 1);
	request_ack(r, json, result->replayed);
	if (!result->replayed) {
		buf_append_char(&live->scratch, '}');
		push_to_both(live, str_from(m->to), str_from(m->from),
			     (struct push_place){BUS_MESSAGE, m->id, result->gap_ms},
			     (struct str){live->scratch.data, live->scratch.len}, asker);
	}
}

/* Past the limit only what stands already is answered. */
static void on_found(const struct store_sent *result, void *arg)
{
	struct request *r = arg;
	if (result->status == STORE_NOT_FOUND)
		request_fail(r, PROBLEM_RATE_LIMITED, "more than %d messages a second",
			     r->live->conf->limits.sends_per_second);
	else
		on_sent(result, r);
}

void send_proceed(struct request *r, const union command_args *a)
{
	const struct conf *conf = r->live->conf;
	stat_add(r->http != NULL ? STAT_SENDS_HTTP : STAT_SENDS_WEBSOCKET, 1);
	r->retry_ms = bucket_take(r->live->hub, 's', r->user, conf->limits.sends_per_second, conf->limits.burst,
				  clock_mono_ms());
	if (r->retry_ms == 0)
		store_send(r->live->store, &a->send, on_sent, r);
	else if (a->send.client_msg_id.s != NULL)
		store_find_sent(r->live->store, &a->send, on_found, r);
	else
		request_fail(r, PROBLEM_RATE_LIMITED, "more than %d messages a second", conf->limits.sends_per_second);
}
