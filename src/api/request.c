/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two doors' common face: arguments in, exactly one answer out. Decides how an
 * answer or a refusal looks on each door, and nothing about what commands do.
 */
#include "core/base.h"
#include "api/request.h"

#include "api/audit.h"
#include "api/command.h"
#include "api/render.h"
#include "core/clock.h"
#include "core/entities.h"
#include "core/log.h"
#include "core/url.h"
#include "core/utf8.h"
#include "hub/stats.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"
#include "live/watch.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Of what a request keeps. Most keep nothing, or little. */
#define ARENA_FIRST 1024

static struct request *request_new(struct api *api)
{
	struct request *r = xcalloc(1, sizeof(*r));
	r->api = api;
	r->live = api->live;
	r->arena.first_size = ARENA_FIRST;
	r->tokens = 1;
	return r;
}

struct request *request_new_http(struct api *api, struct http_req *http)
{
	struct request *r = request_new(api);
	r->http = http;
	return r;
}

struct request *request_new_frame(struct api *api, struct session *s)
{
	struct request *r = request_new(api);
	r->session = s;
	memcpy(r->user, s->user->id, strlen(s->user->id) + 1);
	session_hold(s);
	return r;
}

struct request *request_new_part(const struct request *whole, request_heard_fn *heard, void *arg)
{
	struct request *r = request_new(whole->api);
	memcpy(r->user, whole->user, sizeof(r->user));
	r->cmd = whole->cmd;
	r->heard = heard;
	r->heard_arg = arg;
	return r;
}

struct session *request_session(const struct request *r)
{
	return r->session != NULL && r->session->ws != NULL ? r->session : NULL;
}

static void put_ref(struct json_out *o, const struct request *r)
{
	json_put_str(o, "ref", r->has_ref ? str_from(r->ref) : STR_NULL);
}

static struct json_out *begin_frame(struct request *r, const char *type)
{
	struct json_out *o = r->live->out;
	buf_clear(&r->live->text);
	json_begin(o, &r->live->text);
	json_object(o);
	json_put_cstr(o, "type", type);
	put_ref(o, r);
	return o;
}

static const struct problem *problem_new(struct request *r, enum problem_code code, const char *fmt, va_list ap)
{
	char detail[256];
	struct problem *p = arena_alloc(&r->arena, sizeof(*p));
	vsnprintf(detail, sizeof(detail), fmt, ap);
	p->code = code;
	p->detail = arena_str(&r->arena, str_from(detail)).s;
	return p;
}

static struct str reply_text(const struct live *live)
{
	return (struct str){live->text.data, live->text.len};
}

const struct problem *request_problem(struct request *r, enum problem_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const struct problem *p = problem_new(r, code, fmt, ap);
	va_end(ap);
	return p;
}

const struct problem *request_invalid(struct request *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const struct problem *p = problem_new(r, PROBLEM_INVALID_ARGUMENT, fmt, ap);
	va_end(ap);
	return p;
}

/* ---- the end ---- */

/* The value of Retry-After; 0: there is none. */
static int retry_secs(const struct request *r, enum problem_code c)
{
	if (c == PROBLEM_UNAVAILABLE || c == PROBLEM_OVERLOADED)
		return 1;
	if ((c != PROBLEM_RATE_LIMITED && c != PROBLEM_MUTED) || r->retry_ms <= 0 || r->retry_ms == INT64_MAX)
		return 0;
	int64_t secs = (r->retry_ms + 999) / 1000;
	return secs < INT_MAX ? (int)secs : INT_MAX;
}

static struct str error_frame(struct request *r, const struct problem *p)
{
	struct json_out *o = begin_frame(r, "error");
	json_put_cstr(o, "code", problem_code_name(p->code));
	json_put_cstr(o, "detail", p->detail);
	json_object_end(o);
	return reply_text(r->live);
}

static void tell_http(struct request *r, const struct answer *a)
{
	const struct problem *p = a->problem;
	if (a->in_parts)
		http_reply_end(r->http, !a->is_cut);
	else if (p != NULL)
		http_reply_problem(r->http, problem_status(p->code), problem_code_name(p->code), p->detail,
				   retry_secs(r, p->code), r->http_headers);
	else
		http_reply(r->http, a->http_status, a->json.len != 0 ? "application/json" : NULL, r->http_headers,
			   a->json);
}

static void tell_session(struct request *r, const struct answer *a)
{
	if (a->problem != NULL)
		session_send_json(r->session, error_frame(r, a->problem));
	else if (r->has_ref || a->without_ref)
		session_send_json(r->session, a->json);
}

/* From now on nobody waits for it. */
static void tell(struct request *r, const struct answer *a)
{
	struct session *s = r->session;
	request_heard_fn *heard = r->heard;
	if (a != NULL && a->problem != NULL && !request_is_detached(r))
		stat_refused(a->problem->code);
	if (a != NULL && r->http != NULL)
		tell_http(r, a);
	else if (a != NULL && s != NULL)
		tell_session(r, a);
	r->http = NULL;
	r->session = NULL;
	r->heard = NULL;
	if (heard != NULL)
		heard(a, r->retry_ms, r->heard_arg);
	if (s != NULL)
		session_release(s);
}

void request_end(struct request *r, const struct answer *a)
{
	if (audit_end(r, a))
		return;
	tell(r, a);
	if (r->ends_r != NULL)
		*r->ends_r = true;
	if (r->fanout != 0)
		group_give_back_fanout(r->live, r->fanout_group, r->fanout);
	if (r->is_secret)
		arena_wipe(&r->arena);
	arena_fini(&r->arena);
	free(r);
}

void request_fail(struct request *r, const struct problem *p)
{
	request_end(r, &(struct answer){.problem = p});
}

void request_fail_store(struct request *r, enum store_status s)
{
	const struct answer a = {.problem = problem_of_store(s)};
	if (s == STORE_UNCERTAIN)
		tell(r, &a);
	else
		request_end(r, &a);
}

void request_fail_write(struct request *r, enum store_status s, struct str a, struct str b)
{
	if (s == STORE_UNKNOWN) {
		push_resync(r->live, a);
		push_resync(r->live, b);
	}
	request_fail_store(r, s);
}

struct json_out *request_begin(struct request *r)
{
	if (r->session != NULL)
		return begin_frame(r, "result");
	struct json_out *o = r->live->out;
	buf_clear(&r->live->text);
	json_begin(o, &r->live->text);
	json_object(o);
	return o;
}

void request_answer(struct request *r, int http_status)
{
	json_object_end(r->live->out);
	request_end(r, &(struct answer){.http_status = http_status, .json = reply_text(r->live)});
}

void request_done(struct request *r)
{
	if (r->session != NULL) {
		request_begin(r);
		request_answer(r, 204);
	} else {
		request_end(r, &(struct answer){.http_status = 204, .json = STR_LIT("")});
	}
}

void request_end_silently(struct request *r)
{
	request_end(r, NULL);
}

void request_answer_message(struct request *r, int http_status, const struct message *m)
{
	struct json_out *o = request_begin(r);
	if (r->http != NULL) {
		render_message_members(o, m);
	} else {
		json_key(o, "message");
		render_message(o, m);
	}
	request_answer(r, http_status);
}

void request_ack(struct request *r, struct str message_json, bool replayed)
{
	struct answer a = {.http_status = replayed ? 200 : 201, .json = message_json, .without_ref = true};
	if (!request_is_detached(r))
		stat_add(r->session != NULL ? STAT_ACKS_WEBSOCKET : STAT_ACKS_HTTP, 1);
	if (r->session != NULL) {
		struct json_out *o = begin_frame(r, "ack");
		json_key(o, "message");
		json_raw(o, message_json);
		json_put_bool(o, "replayed", replayed);
		json_object_end(o);
		a.json = reply_text(r->live);
	}
	request_end(r, &a);
}

void request_answer_immutable(struct request *r, const char *etag, const char *content_type, struct blob *content)
{
	http_reply_immutable(r->http, etag, content_type, content);
	r->http = NULL;
	request_end(r, NULL);
}

void request_answer_content(struct request *r, const struct http_content *c)
{
	http_reply_content(r->http, c);
	r->http = NULL;
	request_end(r, NULL);
}

void request_pong(struct request *r)
{
	json_object_end(begin_frame(r, "pong"));
	request_end(r, &(struct answer){.json = reply_text(r->live), .without_ref = true});
}

void request_answer_count(enum store_status status, uint64_t count, void *arg)
{
	struct request *r = arg;
	if (status != STORE_OK) {
		request_fail_store(r, status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_u64(o, "unread_count", count);
	request_answer(r, 200);
}

/* ---- who is online ---- */

struct online_answer {
	struct request *r;
	int http_status;
	struct online_slots slots;
	struct str *users; /* that are asked about */
	bool *online;	   /* of each slot */
	char *text;
	size_t text_len;
};

static void online_answer_end(struct online_answer *a)
{
	online_slots_fill(&a->slots, a->text, a->online);
	request_end(a->r, &(struct answer){.http_status = a->http_status, .json = {a->text, a->text_len}});
}

/* Online, but perhaps not to be shown so. */
static bool is_unsure(const struct online_answer *a, size_t i)
{
	return a->online[i] && a->slots.slot[i].needs_friendship;
}

static void on_shown(enum store_status status, const bool *shown, size_t n, void *arg)
{
	struct online_answer *a = arg;
	size_t at = 0;
	if (status != STORE_OK) {
		request_fail_store(a->r, status);
		return;
	}
	for (size_t i = 0; i < a->slots.count; i++) {
		if (!is_unsure(a, i))
			continue;
		ASSERT(at < n);
		a->online[i] = shown[at++];
	}
	online_answer_end(a);
}

/* Few of a list are online: friendships are looked at only for these. */
static void on_online(const bool *online, size_t n, void *arg)
{
	struct online_answer *a = arg;
	size_t unsure_count = 0;
	ASSERT(n == a->slots.count);
	for (size_t i = 0; i < n; i++) {
		a->online[i] = online[i];
		if (is_unsure(a, i))
			a->users[unsure_count++] = str_from(a->slots.slot[i].user_id);
	}
	if (unsure_count != 0)
		store_find_shown(a->r->live->store, request_user(a->r), a->users, unsure_count, on_shown, a);
	else
		online_answer_end(a);
}

struct online_slots request_slots(struct request *r)
{
	return (struct online_slots){.arena = &r->arena, .text = &r->live->text};
}

void request_answer_online(struct request *r, int http_status, const struct online_slots *slots)
{
	if (slots->count == 0) {
		request_answer(r, http_status);
		return;
	}
	json_object_end(r->live->out);
	struct online_answer *a = arena_alloc(&r->arena, sizeof(*a));
	a->r = r;
	a->http_status = http_status;
	a->slots = *slots;
	a->users = arena_alloc(&r->arena, slots->count * sizeof(*a->users));
	a->online = arena_alloc(&r->arena, slots->count * sizeof(*a->online));
	a->text_len = slots->text->len;
	a->text = memcpy(arena_alloc(&r->arena, a->text_len), slots->text->data, a->text_len);
	for (size_t i = 0; i < slots->count; i++)
		a->users[i] = str_from(slots->slot[i].user_id);
	online_find(r->live, a->users, slots->count, on_online, a);
}

/* ---- arguments ---- */

const struct problem *request_text(struct request *r, const char *name, struct str *out_r)
{
	const struct json *v = json_get(r->body, name);
	*out_r = STR_NULL;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (v->type != JSON_STRING)
		return request_invalid(r, "%s: must be a string", name);
	if (v->has_nul)
		return request_invalid(r, "%s: must not contain U+0000", name);
	*out_r = v->text;
	return NULL;
}

const struct problem *request_needs_text(struct request *r, const char *name, struct str *out_r)
{
	const struct problem *p = request_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (out_r->s == NULL)
		return request_invalid(r, "%s: is missing", name);
	return NULL;
}

const struct problem *request_name(struct request *r, const char *name, size_t chars_max, enum text_kind kind,
				   struct str *out_r)
{
	const struct problem *p = request_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (out_r->s == NULL)
		return NULL;
	size_t chars = utf8_count(*out_r);
	if (chars < 1 || chars > chars_max)
		return request_invalid(r, "%s: must be of 1 to %zu characters", name, chars_max);
	if (utf8_has_control(*out_r, kind == TEXT_LINES))
		return request_invalid(r, "%s: must not contain control characters, line separators or noncharacters",
				       name);
	char *space = arena_alloc(&r->arena, out_r->len);
	*out_r = (struct str){space, utf8_name(*out_r, space)};
	if (out_r->len != 0)
		return NULL;
	return request_invalid(r, "%s: has no character that can be seen", name);
}

const struct problem *request_web_url(struct request *r, const char *name, struct str *out_r)
{
	const struct problem *p = request_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (out_r->s == NULL)
		return NULL;
	if (out_r->len > URL_MAX)
		return request_invalid(r, "%s: is over %d bytes", name, URL_MAX);
	if (!url_is_web(*out_r))
		return request_invalid(r, "%s: must be an http or https URL", name);
	return NULL;
}

const struct problem *request_entities(struct request *r, struct str content, struct str *out_r)
{
	const struct json *list = json_get(r->body, "entities");
	struct buf *scratch = &r->live->scratch;
	size_t at;
	*out_r = STR_NULL;
	if (list == NULL || list->type == JSON_NULL || (list->type == JSON_ARRAY && list->count == 0))
		return NULL;
	buf_clear(scratch);
	const char *fault = entities_put(list, content, r->live->out, scratch, &at);
	if (fault != NULL && at == SIZE_MAX)
		return request_invalid(r, "entities: %s", fault);
	if (fault != NULL)
		return request_invalid(r, "entities[%zu]: %s", at, fault);
	*out_r = arena_str(&r->arena, (struct str){scratch->data, scratch->len});
	return NULL;
}

const struct problem *request_user_id(struct request *r, const char *name, struct str *out_r)
{
	const struct problem *p = request_needs_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (!id_user_valid(*out_r))
		return request_invalid(r, "%s: must be " USER_ID_RULE, name);
	return NULL;
}

const struct problem *request_user_ids(struct request *r, const char *name, size_t min, size_t max,
				       const struct str **users_r, size_t *count_r)
{
	const struct json *list = json_get(r->body, name);
	if (list == NULL || list->type != JSON_ARRAY || list->count < min || list->count > max)
		return request_invalid(r, "%s: must be an array of %zu to %zu user ids", name, min, max);
	struct str *users = arena_alloc(&r->arena, list->count * sizeof(*users));
	size_t n = 0;
	for (const struct json *v = list->child; v != NULL; v = v->next) {
		if (v->type != JSON_STRING || !id_user_valid(v->text))
			return request_invalid(r, "%s[%zu]: must be " USER_ID_RULE, name, n);
		users[n++] = v->text;
	}
	*users_r = users;
	*count_r = n;
	return NULL;
}

const struct problem *request_client_id(struct request *r, const char *name, struct str *out_r)
{
	const struct problem *p = request_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (out_r->s == NULL || id_client_msg_valid(*out_r))
		return NULL;
	return request_invalid(r, "%s: must be 1 to %d characters from ! to ~", name, CLIENT_MSG_ID_MAX);
}

const struct problem *request_time(struct request *r, const char *name, int64_t *ms_r)
{
	/* Beyond year 9999 the database has no times. */
	const int64_t last_ms = INT64_C(253402300799999);
	const struct json *v = json_get(r->body, name);
	*ms_r = 0;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (v->type != JSON_STRING || clock_parse_rfc3339(v->text, ms_r) != 0 || *ms_r > last_ms)
		return request_invalid(r, "%s: must be a time like 2026-11-23T03:01:21Z, or null", name);
	if (*ms_r < 0)
		*ms_r = 0;
	return NULL;
}

const struct problem *request_id(struct request *r, const char *name, uint64_t *out_r)
{
	if (r->http != NULL) {
		*out_r = r->path_id;
		return NULL;
	}
	struct str text;
	const struct problem *p = request_needs_text(r, name, &text);
	if (p != NULL)
		return p;
	if (id_parse_u64(text, out_r) != 0)
		return request_invalid(r, "%s: must be an id, a string of decimal digits", name);
	return NULL;
}

const struct problem *request_query_text(struct request *r, const char *name, struct str *out_r)
{
	*out_r = STR_NULL;
	if (http_req_query(r->http, name, out_r) < 0)
		return request_invalid(r, "%s: is not percent-encoded UTF-8", name);
	return NULL;
}

const struct problem *request_query_u64(struct request *r, const char *name, uint64_t min, uint64_t max,
					uint64_t fallback, uint64_t *out_r)
{
	struct str text;
	const struct problem *p = request_query_text(r, name, &text);
	*out_r = fallback;
	if (p != NULL || text.s == NULL)
		return p;
	if (id_parse_u64(text, out_r) != 0 || *out_r < min || *out_r > max)
		return request_invalid(r, "%s: must be a number from %" PRIu64 " to %" PRIu64, name, min, max);
	return NULL;
}
