/* SPDX-License-Identifier: BSD-2-Clause */
/* Web Push (RFC 8030, 8291, 8292), Firebase Cloud Messaging (HTTP v1), Apple's push service. */
#include "core/base.h"
#include "relay/devices_service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "core/signer.h"
#include "core/siphash.h"

/* RFC 8292 allows 24 hours. */
#define VAPID_LIFETIME_MS (12 * 3600 * INT64_C(1000))
#define VAPID_USED_MS (8 * 3600 * INT64_C(1000))
/* Apple wants one that is between 20 and 60 minutes old. */
#define APNS_USED_MS (40 * 60 * INT64_C(1000))
/* Before a token of Google's runs out. */
#define FCM_MARGIN_MS (300 * INT64_C(1000))
#define TIMEOUT_MS 10000
#define ANSWER_MAX 16384
#define ID_MAX 24

/* ---- its life ---- */

static struct signer *key_of(const char *pem)
{
	const char *err;
	/* The configuration was checked. */
	return pem[0] != '\0' ? signer_new(str_from(pem), SIGNER_ES256, &err) : NULL;
}

void services_init(struct services *s, const struct conf *conf)
{
	const char *err;
	*s = (struct services){.conf = conf};
	s->doc = json_doc_new();
	s->out = json_out_new();
	s->vapid = key_of(conf->relay.vapid_key);
	s->apns = key_of(conf->relay.apns_key);
	if (conf->relay.fcm_credentials[0] == '\0')
		return;
	s->has_fcm = fcm_account_read(str_from(conf->relay.fcm_credentials), &s->fcm, &err) == 0;
	if (!s->has_fcm)
		fcm_account_fini(&s->fcm);
}

static void drop_headers(struct services *s)
{
	while (s->header_count > 0)
		free(s->header[--s->header_count]);
}

static void forget_text(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void services_fini(struct services *s)
{
	drop_headers(s);
	for (size_t i = 0; i < VAPID_TOKENS; i++) {
		free(s->vapid_token[i].origin);
		forget_text(&s->vapid_token[i].authorization);
	}
	forget_text(&s->apns_authorization);
	forget_text(&s->fcm_authorization);
	signer_free(&s->vapid);
	signer_free(&s->apns);
	fcm_account_fini(&s->fcm);
	buf_fini(&s->url);
	buf_fini(&s->body);
	buf_fini(&s->text);
	json_out_free(&s->out);
	json_doc_free(&s->doc);
}

bool services_have(const struct services *s, enum device_platform p)
{
	return p == DEVICE_WEBPUSH ? s->vapid != NULL : p == DEVICE_FCM ? s->has_fcm : s->apns != NULL;
}

bool services_are_on(const struct services *s)
{
	return s->vapid != NULL || s->apns != NULL || s->has_fcm;
}

/* ---- requests ---- */

static void add_header(struct services *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add_header(struct services *s, const char *fmt, ...)
{
	va_list ap;
	ASSERT(s->header_count < SERVICE_HEADERS_MAX);
	va_start(ap, fmt);
	if (vasprintf(&s->header[s->header_count], fmt, ap) < 0)
		log_panic(__FILE__, __LINE__, "out of memory");
	va_end(ap);
	s->header_count++;
}

static void begin_request(struct services *s)
{
	drop_headers(s);
	buf_clear(&s->url);
	buf_clear(&s->body);
	buf_clear(&s->text);
}

static void end_request(struct services *s, struct fetch_request *r)
{
	*r = (struct fetch_request){
		.method = FETCH_POST,
		.url = buf_cstr(&s->url),
		.headers = (const char *const *)s->header,
		.header_count = s->header_count,
		.body = {s->body.data, s->body.len},
		.timeout_ms = TIMEOUT_MS,
		.answer_max = ANSWER_MAX,
	};
}

static struct str text_of(const struct json *of, const char *name)
{
	const struct json *v = json_get(of, name);
	return v != NULL && v->type == JSON_STRING ? v->text : STR_LIT("");
}

static int64_t badge_of(const struct json *payload)
{
	int64_t badge = 0;
	return json_int(json_get(payload, "badge"), &badge) == 0 ? badge : 0;
}

static bool is_silent(const struct json *payload)
{
	return str_is(text_of(payload, "kind"), "read");
}

/* What pushes of one conversation have in common: a later one takes the place of an earlier one. */
static void put_collapse(const struct json *payload, char out[ID_MAX])
{
	struct str id = text_of(payload, "conversation_id");
	if (id.len == 0 || id.len > 20)
		id = text_of(payload, "kind");
	snprintf(out, ID_MAX, "c-%.*s", (int)(id.len < 20 ? id.len : 20), id.s);
}

/* ---- Web Push ---- */

/* The scheme, the host and the port. */
static struct str origin_of(struct str url)
{
	size_t at = sizeof("https://") - 1;
	while (at < url.len && strchr("/?#", url.s[at]) == NULL)
		at++;
	return (struct str){url.s, at < url.len ? at : url.len};
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] <= ' ' || s.s[i] > '~' || s.s[i] == '"' || s.s[i] == '\\')
			return false;
	return true;
}

static uint64_t hash(struct str s)
{
	static const uint64_t key[2]; /* lanes are stored */
	return siphash(key, s.s, s.len);
}

static const char *vapid_authorization(struct services *s, struct str origin)
{
	int64_t now_ms = clock_wall_ms();
	struct vapid_token *t = &s->vapid_token[hash(origin) % VAPID_TOKENS];
	if (t->origin != NULL && str_is(origin, t->origin) && now_ms < t->until_ms &&
	    t->until_ms - now_ms <= VAPID_USED_MS)
		return t->authorization;
	buf_clear(&s->text);
	buf_printf(&s->text, "{\"aud\":\"%.*s\",\"exp\":%lld,\"sub\":\"%s\"}", (int)origin.len, origin.s,
		   (long long)(now_ms + VAPID_LIFETIME_MS) / 1000, s->conf->relay.webpush_subject);
	struct buf jwt = {0};
	if (signer_jwt(s->vapid, NULL, (struct str){s->text.data, s->text.len}, &jwt) != 0) {
		buf_fini(&jwt);
		return NULL;
	}
	free(t->origin);
	free(t->authorization);
	t->origin = xstrndup(origin.s, origin.len);
	t->authorization = xasprintf("vapid t=%s, k=%s", buf_cstr(&jwt), s->conf->relay.vapid_public);
	t->until_ms = now_ms + VAPID_USED_MS;
	buf_fini(&jwt);
	return t->authorization;
}

static int webpush_request(struct services *s, const struct service_push *p, const struct json *payload)
{
	char topic[ID_MAX];
	struct str origin = origin_of(p->token);
	const char *authorization = is_plain(origin) ? vapid_authorization(s, origin) : NULL;
	if (authorization == NULL || webpush_encrypt(&p->keys, p->payload, &s->body) != 0)
		return -1;
	buf_append_str(&s->url, p->token);
	put_collapse(payload, topic);
	add_header(s, "Authorization: %s", authorization);
	add_header(s, "Content-Type: application/octet-stream");
	add_header(s, "Content-Encoding: aes128gcm");
	add_header(s, "TTL: %d", SERVICE_TTL_SECS);
	add_header(s, "Urgency: %s", is_silent(payload) ? "normal" : "high");
	add_header(s, "Topic: %s", topic);
	return 0;
}

/* ---- FCM ---- */

static void put_member(struct json_out *o, const struct json *payload, const char *name)
{
	struct str text = text_of(payload, name);
	if (text.len == 0)
		return;
	json_key(o, name);
	json_str(o, text);
}

static void put_fcm_android(struct services *s, const struct json *payload, const char *collapse)
{
	struct json_out *o = s->out;
	json_key(o, "android");
	json_object(o);
	json_put_cstr(o, "priority", is_silent(payload) ? "normal" : "high");
	json_put_cstr(o, "collapse_key", collapse);
	json_key(o, "ttl");
	buf_clear(&s->text);
	buf_printf(&s->text, "%ds", SERVICE_TTL_SECS);
	json_cstr(o, buf_cstr(&s->text));
	if (!is_silent(payload)) {
		json_key(o, "notification");
		json_object(o);
		json_put_cstr(o, "tag", collapse);
		json_key(o, "notification_count");
		json_i64(o, badge_of(payload));
		json_object_end(o);
	}
	json_object_end(o);
}

static void put_fcm_message(struct services *s, const struct service_push *p, const struct json *payload)
{
	struct json_out *o = s->out;
	char collapse[ID_MAX], badge[ID_MAX];
	put_collapse(payload, collapse);
	snprintf(badge, sizeof(badge), "%lld", (long long)badge_of(payload));
	json_put_str(o, "token", p->token);
	if (!is_silent(payload)) {
		json_key(o, "notification");
		json_object(o);
		put_member(o, payload, "title");
		put_member(o, payload, "body");
		json_object_end(o);
	}
	/* Texts alone. */
	json_key(o, "data");
	json_object(o);
	put_member(o, payload, "kind");
	put_member(o, payload, "conversation_id");
	put_member(o, payload, "message_id");
	json_put_cstr(o, "badge", badge);
	json_object_end(o);
	put_fcm_android(s, payload, collapse);
}

static int fcm_request(struct services *s, const struct service_push *p, const struct json *payload)
{
	if (s->fcm_authorization == NULL)
		return -1;
	buf_printf(&s->url, "%s/v1/projects/%s/messages:send", s->conf->relay.fcm_url, s->fcm.project_id);
	json_begin(s->out, &s->body);
	json_object(s->out);
	json_key(s->out, "message");
	json_object(s->out);
	put_fcm_message(s, p, payload);
	json_object_end(s->out);
	json_object_end(s->out);
	add_header(s, "Authorization: %s", s->fcm_authorization);
	add_header(s, "Content-Type: application/json");
	return 0;
}

bool services_needs_token(const struct services *s, enum device_platform p)
{
	return p == DEVICE_FCM && s->has_fcm && (s->fcm_authorization == NULL || clock_mono_ms() >= s->fcm_until_ms);
}

int services_token_request(struct services *s, struct fetch_request *request_r)
{
	begin_request(s);
	buf_append_str(&s->url, str_from(s->fcm.token_uri));
	add_header(s, "Content-Type: application/x-www-form-urlencoded");
	if (fcm_put_token_request(&s->fcm, clock_wall_ms() / 1000, &s->body) != 0)
		return -1;
	end_request(s, request_r);
	return 0;
}

int services_take_token(struct services *s, const struct fetch_answer *answer)
{
	char *token;
	int64_t secs;
	if (answer->error != NULL || answer->status != 200 || fcm_take_token(answer->body, &token, &secs) != 0)
		return -1;
	secs = secs < SERVICE_TTL_SECS ? secs : SERVICE_TTL_SECS;
	forget_text(&s->fcm_authorization);
	s->fcm_authorization = xasprintf("Bearer %s", token);
	/* One that lasts for no longer than the margin is used once. */
	s->fcm_until_ms =
		clock_mono_ms() + (secs * 1000 > 2 * FCM_MARGIN_MS ? secs * 1000 - FCM_MARGIN_MS : secs * 500);
	forget_text(&token);
	return 0;
}

/* ---- APNs ---- */

static const char *apns_authorization(struct services *s)
{
	struct buf jwt = {0};
	if (s->apns_authorization != NULL && clock_mono_ms() < s->apns_until_ms)
		return s->apns_authorization;
	forget_text(&s->apns_authorization);
	buf_clear(&s->text);
	buf_printf(&s->text, "{\"iss\":\"%s\",\"iat\":%lld}", s->conf->relay.apns_team_id,
		   (long long)clock_wall_ms() / 1000);
	if (signer_jwt(s->apns, s->conf->relay.apns_key_id, (struct str){s->text.data, s->text.len}, &jwt) == 0) {
		s->apns_authorization = xasprintf("bearer %s", buf_cstr(&jwt));
		s->apns_until_ms = clock_mono_ms() + APNS_USED_MS;
	}
	buf_fini(&jwt);
	return s->apns_authorization;
}

static void put_aps(struct services *s, const struct json *payload, const char *collapse)
{
	struct json_out *o = s->out;
	if (is_silent(payload)) {
		json_key(o, "content-available");
		json_i64(o, 1);
		return;
	}
	json_key(o, "alert");
	json_object(o);
	put_member(o, payload, "title");
	put_member(o, payload, "body");
	json_object_end(o);
	json_key(o, "badge");
	json_i64(o, badge_of(payload));
	json_put_cstr(o, "sound", "default");
	json_put_cstr(o, "thread-id", collapse);
	json_key(o, "mutable-content");
	json_i64(o, 1);
}

static int apns_request(struct services *s, const struct service_push *p, const struct json *payload)
{
	struct json_out *o = s->out;
	char collapse[ID_MAX];
	const char *authorization = apns_authorization(s);
	if (authorization == NULL)
		return -1;
	put_collapse(payload, collapse);
	buf_printf(&s->url, "%s/3/device/%.*s", s->conf->relay.apns_url, (int)p->token.len, p->token.s);
	json_begin(o, &s->body);
	json_object(o);
	json_key(o, "aps");
	json_object(o);
	put_aps(s, payload, collapse);
	json_object_end(o);
	put_member(o, payload, "kind");
	put_member(o, payload, "conversation_id");
	put_member(o, payload, "message_id");
	/* A silent push has none in aps. */
	json_key(o, "badge");
	json_i64(o, badge_of(payload));
	json_object_end(o);
	add_header(s, "authorization: %s", authorization);
	add_header(s, "apns-topic: %s", s->conf->relay.apns_topic);
	add_header(s, "apns-push-type: %s", is_silent(payload) ? "background" : "alert");
	add_header(s, "apns-priority: %d", is_silent(payload) ? 5 : 10);
	add_header(s, "apns-collapse-id: %s", collapse);
	add_header(s, "apns-expiration: %lld", (long long)clock_wall_ms() / 1000 + SERVICE_TTL_SECS);
	add_header(s, "content-type: application/json");
	return 0;
}

uint64_t services_message(struct services *s, struct str payload)
{
	const char *err;
	uint64_t id;
	const struct json *object = json_parse(s->doc, payload, &err);
	return object != NULL && id_parse_u64(text_of(object, "message_id"), &id) == 0 ? id : 0;
}

int services_request(struct services *s, const struct service_push *p, struct fetch_request *request_r)
{
	const char *err;
	const struct json *payload = json_parse(s->doc, p->payload, &err);
	begin_request(s);
	if (payload == NULL || !services_have(s, p->platform))
		return -1;
	int result = p->platform == DEVICE_WEBPUSH ? webpush_request(s, p, payload)
		     : p->platform == DEVICE_FCM   ? fcm_request(s, p, payload)
						   : apns_request(s, p, payload);
	if (result == 0)
		end_request(s, request_r);
	return result;
}

/* ---- answers ---- */

static bool is_transient(unsigned status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

/* {"error":{"details":[{"errorCode":"UNREGISTERED"}]}} */
static bool is_unregistered(struct services *s, struct str body)
{
	const char *err;
	const struct json *details = json_get(json_get(json_parse(s->doc, body, &err), "error"), "details");
	if (details == NULL || details->type != JSON_ARRAY)
		return false;
	for (const struct json *d = details->child; d != NULL; d = d->next)
		if (str_is(text_of(d, "errorCode"), "UNREGISTERED"))
			return true;
	return false;
}

static struct str apns_reason(struct services *s, struct str body)
{
	const char *err;
	return text_of(json_parse(s->doc, body, &err), "reason");
}

static enum service_verdict judge_apns(struct services *s, const struct fetch_answer *a)
{
	struct str reason = apns_reason(s, a->body);
	if (a->status == 410 || str_is(reason, "BadDeviceToken") || str_is(reason, "Unregistered"))
		return SERVICE_DEAD;
	if (a->status != 403)
		return SERVICE_REFUSED;
	/* Too old, by a clock that was set; or the key is not Apple's, which somebody may put right. */
	forget_text(&s->apns_authorization);
	return SERVICE_LATER;
}

static enum service_verdict judge_fcm(struct services *s, const struct fetch_answer *a)
{
	if (is_unregistered(s, a->body))
		return SERVICE_DEAD;
	/* The project or the URL: somebody may put it right. */
	if (a->status == 404)
		return SERVICE_LATER;
	if (a->status != 401 && a->status != 403)
		return SERVICE_REFUSED;
	forget_text(&s->fcm_authorization);
	return SERVICE_LATER;
}

enum service_verdict services_judge(struct services *s, enum device_platform p, const struct fetch_answer *a)
{
	if (a->error != NULL || is_transient(a->status))
		return SERVICE_LATER;
	if (a->status >= 200 && a->status < 300)
		return SERVICE_SENT;
	if (p == DEVICE_APNS)
		return judge_apns(s, a);
	if (p == DEVICE_FCM)
		return judge_fcm(s, a);
	return a->status == 404 || a->status == 410 ? SERVICE_DEAD : SERVICE_REFUSED;
}

/* ---- lanes ---- */

/* Anybody can choose a host that shares a lane with another one, but not with these and, after a dot, what is in their
 * domains. */
static const char *const known_hosts[] = {"fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com",
					  ".notify.windows.com"};
#define FIRST_HOST_LANE 3
#define FIRST_OTHER_LANE (FIRST_HOST_LANE + ARRAY_LEN(known_hosts))

static bool is_known(struct str host, const char *known)
{
	size_t len = strlen(known);
	size_t before = known[0] == '.' && host.len > len ? host.len - len : 0;
	return host.len == before + len && strncasecmp(host.s + before, known, len) == 0;
}

unsigned service_lane(enum device_platform p, struct str token)
{
	if (p != DEVICE_WEBPUSH)
		return p == DEVICE_FCM ? 1 : 2;
	struct str origin = origin_of(token), host = {origin.s + sizeof("https://") - 1, 0};
	host.len = origin.len - (sizeof("https://") - 1);
	for (unsigned i = 0; i < ARRAY_LEN(known_hosts); i++)
		if (is_known(host, known_hosts[i]))
			return FIRST_HOST_LANE + i;
	return FIRST_OTHER_LANE + (unsigned)(hash(host) % (SERVICE_LANES - FIRST_OTHER_LANE));
}

/* Fewer where users choose the host, which may not answer. */
#define OTHER_ROOM 64

unsigned service_room(unsigned lane)
{
	return lane < FIRST_OTHER_LANE ? SERVICE_ROOM_MAX : OTHER_ROOM;
}
