/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices by which a user is told while away, and what the user sets for all of them. */
#include "core/base.h"
#include "cmd/cmd.h"

#include <stdio.h>

#include "core/base64url.h"
#include "core/url.h"
#include "core/webpush.h"
#include "store/device.h"

#define APNS_TOKEN_MIN 64
#define APNS_TOKEN_MAX 200

/* ---- what a client says of a device ---- */

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.s[i];
		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f')))
			return false;
	}
	return true;
}

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] < '!' || s.s[i] > '~')
			return false;
	return true;
}

static const struct problem *read_token(struct request *r, struct store_device *d)
{
	const struct problem *p = request_needs_text(r, "token", &d->token);
	if (p != NULL)
		return p;
	if (d->platform == DEVICE_FCM && (d->token.len < 1 || d->token.len > DEVICE_TOKEN_MAX || !is_visible(d->token)))
		return request_invalid(r, "token: must be of 1 to %d characters from ! to ~", DEVICE_TOKEN_MAX);
	if (d->platform == DEVICE_FCM)
		return NULL;
	if (d->token.len < APNS_TOKEN_MIN || d->token.len > APNS_TOKEN_MAX || d->token.len % 2 != 0 ||
	    !is_hex(d->token))
		return request_invalid(r, "token: must be of %d to %d hexadecimal digits, two a byte", APNS_TOKEN_MIN,
				       APNS_TOKEN_MAX);
	/* One spelling, so that it is known again. */
	struct str lower = arena_str(&r->arena, d->token);
	char *at = (char *)(uintptr_t)lower.s;
	for (size_t i = 0; i < lower.len; i++)
		at[i] |= 32;
	d->token = lower;
	return NULL;
}

static const struct problem *read_part(struct request *r, const struct json *of, const char *name, const char *shown,
				       struct str *out_r)
{
	const struct json *v = json_get(of, name);
	if (v == NULL || v->type != JSON_STRING || v->has_nul)
		return request_invalid(r, "subscription.%s: must be a string", shown);
	*out_r = v->text;
	return NULL;
}

/* A user's name and password in it would be sent to a place that only looks like the push service. */
static const struct problem *check_endpoint(struct request *r, struct str endpoint)
{
	static const char scheme[] = "https://";
	if (endpoint.len > URL_MAX)
		return request_invalid(r, "subscription.endpoint: is over %d bytes", URL_MAX);
	if (!url_is_web(endpoint) || strncasecmp(endpoint.s, scheme, sizeof(scheme) - 1) != 0 || !is_visible(endpoint))
		return request_invalid(r, "subscription.endpoint: must be an https URL");
	for (size_t i = sizeof(scheme) - 1; i < endpoint.len && strchr("/?#", endpoint.s[i]) == NULL; i++)
		if (endpoint.s[i] == '@' || endpoint.s[i] == '\\')
			return request_invalid(r, "subscription.endpoint: must have a host without a user before it");
	return NULL;
}

/* Base64url, as browsers write it; some libraries pad it. */
static const struct problem *read_key(struct request *r, const struct json *keys, const char *name, const char *shown,
				      size_t len, struct str *out_r)
{
	struct str digits;
	size_t got = 0;
	const struct problem *p = read_part(r, keys, name, shown, &digits);
	if (p != NULL)
		return p;
	while (digits.len != 0 && digits.s[digits.len - 1] == '=')
		digits.len--;
	char *bytes = arena_alloc(&r->arena, len);
	if (digits.len != BASE64URL_DIGITS(len) || base64url_decode(digits, bytes, &got) != 0 || got != len)
		return request_invalid(r, "subscription.%s: must be %zu bytes in base64url", shown, len);
	*out_r = (struct str){bytes, len};
	return NULL;
}

static const struct problem *read_subscription(struct request *r, struct store_device *d)
{
	const struct json *s = json_get(r->body, "subscription"), *keys = json_get(s, "keys");
	if (s == NULL || s->type != JSON_OBJECT)
		return request_invalid(r, "subscription: must be an object with endpoint and keys");
	if (keys == NULL || keys->type != JSON_OBJECT)
		return request_invalid(r, "subscription.keys: must be an object with p256dh and auth");
	const struct problem *p =
		read_part(r, s, "endpoint", "endpoint", &d->token)
			?: check_endpoint(r, d->token)
			?: read_key(r, keys, "p256dh", "keys.p256dh", WEBPUSH_POINT_LEN, &d->p256dh)
			?: read_key(r, keys, "auth", "keys.auth", WEBPUSH_AUTH_LEN, &d->auth);
	if (p == NULL && !webpush_point_valid(d->p256dh))
		p = request_invalid(r, "subscription.keys.p256dh: is no point on the curve P-256");
	return p;
}

/* A language tag (RFC 5646) by its form; phones write zh_CN. */
static const struct problem *read_locale(struct request *r, struct str *out_r)
{
	const struct problem *p = request_text(r, "locale", out_r);
	if (p != NULL || out_r->s == NULL)
		return p;
	size_t part = 0;
	bool fine = out_r->len <= DEVICE_LOCALE_MAX;
	for (size_t i = 0; fine && i < out_r->len; i++) {
		char c = out_r->s[i];
		bool ends = c == '-' || c == '_';
		fine = ends ? part != 0 : (((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9')) && part < 8;
		part = ends ? 0 : part + 1;
	}
	if (fine && part != 0)
		return NULL;
	return request_invalid(r, "locale: must be a language tag as in zh-CN, of up to %d characters",
			       DEVICE_LOCALE_MAX);
}

const struct problem *put_device_check(struct request *r, union command_args *a)
{
	struct store_device *d = &a->device;
	struct str platform;
	*d = (struct store_device){.user = request_user(r), .id = str_from(r->path_device), .login = r->login};
	const struct problem *p = request_needs_text(r, "platform", &platform);
	if (p != NULL)
		return p;
	d->platform = device_platform_of(platform);
	if (d->platform == 0)
		return request_invalid(r, "platform: must be webpush, fcm or apns");
	return (d->platform == DEVICE_WEBPUSH ? read_subscription(r, d) : read_token(r, d))
		       ?: request_name(r, "app", DEVICE_APP_MAX, TEXT_LINE, &d->app)
		       ?: read_locale(r, &d->locale);
}

/* ---- what is done ---- */

static void on_done(enum store_status status, void *arg)
{
	struct request *r = arg;
	if (status == STORE_OK)
		request_done(r);
	else
		request_fail_store(r, status);
}

void put_device_proceed(struct request *r, const union command_args *a)
{
	store_put_device(r->live->store, &a->device, on_done, r);
}

void remove_device_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_remove_device(r->live->store, request_user(r), str_from(r->path_device), on_done, r);
}

static void on_devices(const struct store_devices *l, void *arg)
{
	struct request *r = arg;
	if (l->status != STORE_OK) {
		request_fail_store(r, l->status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < l->count; i++) {
		const struct device_shown *d = &l->item[i];
		json_object(o);
		json_put_str(o, "id", d->id);
		json_put_cstr(o, "platform", device_platform_name(d->platform));
		json_put_str(o, "app", d->app);
		json_put_str(o, "locale", d->locale);
		json_put_time(o, "created_at", d->created_ms);
		json_put_time(o, "last_used_at", d->used_ms);
		json_put_bool(o, "current", d->login != 0 && d->login == r->login);
		json_object_end(o);
	}
	json_array_end(o);
	request_answer(r, 200);
}

void devices_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_list_devices(r->live->store, request_user(r), on_devices, r);
}

void vapid_proceed(struct request *r, const union command_args *a)
{
	const char *key = r->live->conf->relay.vapid_public;
	(void)a;
	if (key[0] == '\0') {
		request_fail(r, request_problem(r, PROBLEM_NOT_FOUND, "this server sends no Web Push"));
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_cstr(o, "public_key", key);
	request_answer(r, 200);
}

/* ---- settings ---- */

/* HH:MM */
static const struct problem *read_minute(struct request *r, const struct json *dnd, const char *name, int *out_r)
{
	const struct json *v = json_get(dnd, name);
	const char *t = v != NULL && v->type == JSON_STRING && v->text.len == 5 ? v->text.s : "     ";
	bool fine = t[2] == ':';
	for (int i = 0; i < 5; i++)
		fine = fine && (i == 2 || (t[i] >= '0' && t[i] <= '9'));
	int hour = (t[0] - '0') * 10 + t[1] - '0', minute = (t[3] - '0') * 10 + t[4] - '0';
	if (!fine || hour > 23 || minute > 59)
		return request_invalid(r, "dnd.%s: must be a time from 00:00 to 23:59", name);
	*out_r = hour * 60 + minute;
	return NULL;
}

static const struct problem *read_zone(struct request *r, const struct json *dnd, struct push_settings *to)
{
	const struct json *v = json_get(dnd, "zone");
	if (v == NULL || v->type != JSON_STRING || !zone_exists(v->text))
		return request_invalid(r, "dnd.zone: must be a zone of the tz database, as in Asia/Shanghai");
	snprintf(to->dnd_zone, sizeof(to->dnd_zone), "%.*s", (int)v->text.len, v->text.s);
	return NULL;
}

static const struct problem *read_dnd(struct request *r, struct store_push_settings *p)
{
	const struct json *dnd = json_get(r->body, "dnd");
	struct push_settings *to = &p->to;
	p->sets_dnd = dnd != NULL;
	if (dnd == NULL || dnd->type == JSON_NULL)
		return NULL;
	if (dnd->type != JSON_OBJECT)
		return request_invalid(r, "dnd: must be an object with from, to and zone, or null");
	to->has_dnd = true;
	const struct problem *problem = read_minute(r, dnd, "from", &to->dnd_from)
						?: read_minute(r, dnd, "to", &to->dnd_to)
						?: read_zone(r, dnd, to);
	if (problem == NULL && to->dnd_from == to->dnd_to)
		problem = request_invalid(r, "dnd: from and to must differ");
	return problem;
}

/* null: as it is where nothing was set. */
const struct problem *set_push_settings_check(struct request *r, union command_args *a)
{
	struct store_push_settings *p = &a->push_settings;
	const struct json *preview = json_get(r->body, "push_preview");
	*p = (struct store_push_settings){.user = request_user(r), .sets_preview = preview != NULL};
	if (preview != NULL && preview->type != JSON_BOOL && preview->type != JSON_NULL)
		return request_invalid(r, "push_preview: must be true, false or null");
	p->to.preview = preview == NULL || preview->type == JSON_NULL || preview->boolean;
	return read_dnd(r, p);
}

static void put_time(struct json_out *o, const char *name, int minute)
{
	char text[sizeof("22:00")];
	snprintf(text, sizeof(text), "%02u:%02u", (unsigned)minute / 60 % 24, (unsigned)minute % 60);
	json_key(o, name);
	json_cstr(o, text);
}

static void on_settings(enum store_status status, const struct push_settings *now, void *arg)
{
	struct request *r = arg;
	if (status != STORE_OK) {
		request_fail_store(r, status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "dnd");
	if (now->has_dnd) {
		json_object(o);
		put_time(o, "from", now->dnd_from);
		put_time(o, "to", now->dnd_to);
		json_put_cstr(o, "zone", now->dnd_zone);
		json_object_end(o);
	} else {
		json_null(o);
	}
	json_put_bool(o, "push_preview", now->preview);
	request_answer(r, 200);
}

void push_settings_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_find_push_settings(r->live->store, request_user(r), on_settings, r);
}

void set_push_settings_proceed(struct request *r, const union command_args *a)
{
	store_set_push_settings(r->live->store, &a->push_settings, on_settings, r);
}
