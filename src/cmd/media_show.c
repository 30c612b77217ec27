/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of a file, how far its upload has come, the file itself, and its end. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "cmd/media.h"
#include "cmd/picture_cache.h"
#include "core/clock.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

/* ---- what is known ---- */

static void put_text_or_null(struct json_out *o, const char *key, struct str v)
{
	json_key(o, key);
	json_str(o, v);
}

static void put_number_or_null(struct json_out *o, const char *key, uint32_t v)
{
	json_key(o, key);
	if (v != 0)
		json_i64(o, v);
	else
		json_null(o);
}

static void put_duration(struct json_out *o, int64_t ms)
{
	char text[32];
	json_key(o, "duration");
	if (ms < 0) {
		json_null(o);
		return;
	}
	snprintf(text, sizeof(text), "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
	json_raw(o, str_from(text));
}

void media_put_info(struct request *r, struct json_out *o, const struct media *m)
{
	struct buf name = {0}, url = {0};
	media_name_put(&name, m->name);
	media_url_put(&url, &r->api->media_urls, str_from(m->id), (struct str){name.data, name.len}, MEDIA_GET,
		      clock_wall_ms());
	json_put_cstr(o, "id", m->id);
	put_text_or_null(o, "url", (struct str){url.data, url.len});
	put_text_or_null(o, "name", m->name);
	json_put_u64(o, "size", m->size);
	put_text_or_null(o, "content_type", m->content_type);
	put_number_or_null(o, "width", m->width);
	put_number_or_null(o, "height", m->height);
	put_duration(o, m->duration_ms);
	buf_append_str(&url, STR_LIT("&size=thumb"));
	put_text_or_null(o, "thumbnail_url", m->has_thumbnail ? (struct str){url.data, url.len} : STR_NULL);
	put_text_or_null(o, "blurhash", m->blurhash);
	json_put_time(o, "created_at", m->created_ms);
	buf_fini(&name);
	buf_fini(&url);
}

void media_answer(struct request *r, int http_status, const struct media *m)
{
	media_put_info(r, request_begin(r), m);
	request_answer(r, http_status);
}

static void answer_info(struct request *r, const struct media *m)
{
	media_answer(r, 200, m);
}

/* One's own may still have to be completed. */
static void on_asked(enum store_status status, const struct media *m, void *arg)
{
	struct request *r = arg;
	bool needs_owner = r->cmd->variant != 0;
	if (status == STORE_OK && needs_owner && !str_is(request_user(r), m->owner))
		status = STORE_NOT_FOUND;
	if (status != STORE_OK)
		request_fail_store(r, status);
	else
		media_complete(r, m, answer_info);
}

void media_info_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_find_media_seen(r->live->store, request_user(r), str_from(r->path_media), on_asked, r);
}

/* ---- how far it has come ---- */

static void put_base64(struct buf *out, struct str s)
{
	char *text = xmalloc((s.len + 2) / 3 * 4 + 1);
	int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)s.s, (int)s.len);
	buf_append(out, text, (size_t)n);
	free(text);
}

static void answer_offset(struct request *r, const struct media *m, uint64_t offset)
{
	struct buf headers = {0};
	char date[CLOCK_HTTP_LEN + 1];
	clock_format_http(date, m->created_ms + INT64_C(1000) * MEDIA_UNUSED_SECS);
	buf_printf(&headers, "%sUpload-Offset: %" PRIu64 "\r\nUpload-Length: %" PRIu64 "\r\n", r->http_headers, offset,
		   m->size);
	if (offset < m->size)
		buf_printf(&headers, "Upload-Expires: %s\r\n", date);
	buf_append_str(&headers, STR_LIT("Upload-Metadata: filename "));
	put_base64(&headers, m->name);
	buf_append_str(&headers, STR_LIT(",filetype "));
	put_base64(&headers, m->content_type);
	buf_append_str(&headers, STR_LIT("\r\n"));
	r->http_headers = arena_str(&r->arena, (struct str){headers.data, headers.len}).s;
	buf_fini(&headers);
	request_end(r, &(struct answer){.http_status = 200, .json = STR_LIT("")});
}

static void answer_complete(struct request *r, const struct media *m)
{
	answer_offset(r, m, m->size);
}

struct offset_asked {
	struct request *r;
	struct media media;
};

static void on_size(enum files_status status, uint64_t size, void *arg)
{
	struct offset_asked *o = arg;
	if (status == FILES_NONE || (status == FILES_OK && size == o->media.size))
		media_complete(o->r, &o->media, answer_complete);
	else if (status != FILES_OK)
		request_fail(o->r, request_problem(o->r, PROBLEM_UNAVAILABLE, "files cannot be read now"));
	else
		answer_offset(o->r, &o->media, size);
}

static void on_offset_asked(enum store_status status, const struct media *m, void *arg)
{
	struct request *r = arg;
	struct arena *a = &r->arena;
	if (status == STORE_OK && !str_is(request_user(r), m->owner))
		status = STORE_NOT_FOUND;
	if (status != STORE_OK || r->api->uploads == NULL) {
		request_fail_store(r, status != STORE_OK ? status : STORE_UNAVAILABLE);
		return;
	}
	if (m->state == MEDIA_READY) {
		answer_complete(r, m);
		return;
	}
	struct offset_asked *o = arena_alloc(a, sizeof(*o));
	*o = (struct offset_asked){r, *m};
	o->media.name = arena_str(a, m->name);
	o->media.content_type = arena_str(a, m->content_type);
	o->media.blurhash = STR_NULL;
	uploads_part_size(r->api->uploads, m->id, on_size, o);
}

void upload_offset_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_find_media(r->live->store, request_user(r), str_from(r->path_media), on_offset_asked, r);
}

/* ---- the file ---- */

/* "1TYPE\0HEADERS", 1: there is a thumbnail. Kept in memory, for it never changes. */
static struct blob *facts_new(const struct media *m)
{
	struct buf text = {0};
	buf_append_char(&text, m->has_thumbnail ? '1' : '0');
	buf_append_str(&text, m->content_type);
	buf_append_char(&text, '\0');
	buf_printf(&text,
		   "Cache-Control: private, max-age=31536000, immutable\r\n"
		   "Content-Security-Policy: default-src 'none'; sandbox\r\n"
		   "Content-Disposition: %s; filename*=UTF-8''",
		   m->is_checked ? "inline" : "attachment");
	media_name_put(&text, m->name);
	buf_append(&text, "\r\n", 3);
	struct blob *b = blob_new(text.data, text.len);
	buf_fini(&text);
	return b;
}

struct shown {
	struct request *r;
	struct blob *facts;
	bool thumbnail;
};

static void on_file(enum files_status status, int fd, uint64_t size, void *arg)
{
	struct shown *s = arg;
	struct request *r = s->r;
	struct blob *facts = s->facts;
	const char *type = facts->data + 1, *headers = type + strlen(type) + 1;
	char etag[MEDIA_ID_LEN + 8];
	if (status == FILES_OK) {
		snprintf(etag, sizeof(etag), s->thumbnail ? "\"%s-t\"" : "\"%s\"", r->path_media);
		const struct http_content content = {.fd = fd,
						     .size = (int64_t)size,
						     .etag = etag,
						     .content_type = s->thumbnail ? "image/webp" : type,
						     .headers = headers};
		request_answer_content(r, &content);
	} else if (status == FILES_NONE) {
		request_fail_store(r, STORE_NOT_FOUND);
	} else {
		request_fail(r, request_problem(r, PROBLEM_UNAVAILABLE, "files cannot be read now"));
	}
	blob_unref(facts);
}

unsigned media_s3_lifetime(const struct conf *conf)
{
	int secs = conf->media.url_lifetime_secs;
	return secs < S3_LIFETIME_MAX_SECS ? (unsigned)secs : S3_LIFETIME_MAX_SECS;
}

/* The value of that header line of the facts, in the arena. */
static const char *fact(struct request *r, const char *headers, const char *name)
{
	const char *at = strstr(headers, name);
	if (at == NULL)
		return NULL;
	at += strlen(name);
	return arena_str(&r->arena, (struct str){at, strcspn(at, "\r")}).s;
}

/* To where S3 has it. The answer may be kept for half as long as the place is valid. */
static void redirect(struct request *r, struct blob *facts, bool thumbnail)
{
	const char *type = facts->data + 1, *headers = type + strlen(type) + 1;
	unsigned lifetime_secs = media_s3_lifetime(r->live->conf);
	const struct s3_says says = {.content_type = thumbnail ? "image/webp" : type,
				     .content_disposition = fact(r, headers, "Content-Disposition: "),
				     .cache_control = fact(r, headers, "Cache-Control: ")};
	struct buf line = {0};
	char key[UPLOAD_KEY_MAX];
	uploads_key(key, r->path_media, thumbnail ? FILES_THUMB : FILES_FINAL);
	buf_append_str(&line, STR_LIT("Location: "));
	s3_url(&line, uploads_s3(r->api->uploads), "GET", key, lifetime_secs, clock_wall_ms(), &says);
	buf_printf(&line, "\r\nCache-Control: private, max-age=%u\r\n", lifetime_secs / 2);
	r->http_headers = arena_str(&r->arena, (struct str){line.data, line.len}).s;
	buf_fini(&line);
	request_end(r, &(struct answer){.http_status = 302, .json = STR_LIT("")});
}

static void show(struct request *r, struct blob *facts, bool thumbnail)
{
	if ((thumbnail && facts->data[0] == '0') || r->api->uploads == NULL) {
		request_fail_store(r, r->api->uploads == NULL ? STORE_UNAVAILABLE : STORE_NOT_FOUND);
		return;
	}
	if (uploads_s3(r->api->uploads) != NULL) {
		redirect(r, facts, thumbnail);
		return;
	}
	struct shown *s = arena_alloc(&r->arena, sizeof(*s));
	*s = (struct shown){r, blob_ref(facts), thumbnail};
	uploads_open_file(r->api->uploads, r->path_media, thumbnail ? FILES_THUMB : FILES_FINAL, on_file, s);
}

const struct problem *media_file_check(struct request *r, union command_args *a)
{
	struct str size;
	const struct problem *p = request_query_text(r, "size", &size);
	if (p != NULL)
		return p;
	a->thumbnail = size.s != NULL;
	return size.s == NULL || str_is(size, "thumb") ? NULL : request_invalid(r, "size: must be thumb");
}

static void on_file_row(struct request *r, enum store_status status, const struct media *m, bool thumbnail)
{
	if (status == STORE_OK && m->state != MEDIA_READY)
		status = STORE_NOT_FOUND;
	if (status != STORE_OK) {
		request_fail_store(r, status);
		return;
	}
	struct blob *facts = facts_new(m);
	picture_cache_put(r->api->media_facts, str_from(r->path_media), facts);
	show(r, facts, thumbnail);
	blob_unref(facts);
}

static void on_file_found(enum store_status status, const struct media *m, void *arg)
{
	on_file_row(arg, status, m, false);
}

static void on_thumbnail_found(enum store_status status, const struct media *m, void *arg)
{
	on_file_row(arg, status, m, true);
}

void media_file_proceed(struct request *r, const union command_args *a)
{
	store_media_fn *found = a->thumbnail ? on_thumbnail_found : on_file_found;
	struct str id = str_from(r->path_media);
	struct blob *facts = r->is_signed ? picture_cache_get(r->api->media_facts, id) : NULL;
	if (facts != NULL)
		show(r, facts, a->thumbnail);
	else if (r->is_signed)
		store_find_media(r->live->store, STR_NULL, id, found, r);
	else
		store_find_media_seen(r->live->store, request_user(r), id, found, r);
}

/* ---- its end ---- */

static void on_deleted(enum store_status status, void *arg)
{
	struct request *r = arg;
	if (status == STORE_TAKEN)
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "a message shows this file"));
	else if (status != STORE_OK)
		request_fail_store(r, status);
	else
		request_done(r);
}

void media_delete_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_drop_media(r->live->store, request_user(r), str_from(r->path_media), on_deleted, r);
}

/* ---- in a message ---- */

bool media_fits(enum message_type type, const struct media *m)
{
	static const struct {
		enum message_type type;
		const char *begins;
	} kinds[] = {{MESSAGE_IMAGE, "image/"}, {MESSAGE_VOICE, "audio/"}, {MESSAGE_VIDEO, "video/"}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].type == type)
			return m->is_checked && m->content_type.len > strlen(kinds[i].begins) &&
			       memcmp(m->content_type.s, kinds[i].begins, strlen(kinds[i].begins)) == 0;
	return type == MESSAGE_FILE;
}

/* ---- as the picture of a user or group ---- */

const struct problem *media_url_check(struct request *r, const char *name, struct str *out_r)
{
	const struct problem *p = request_text(r, name, out_r);
	bool is_file = p == NULL && r->api->uploads != NULL && media_ref_id(*out_r).s != NULL;
	if (p != NULL || (is_file && media_ref_name(*out_r).s == NULL))
		return p;
	return request_web_url(r, name, out_r);
}

const struct problem *media_avatar_check(struct request *r, struct str *out_r)
{
	return media_url_check(r, "avatar_url", out_r);
}

struct avatar_asked {
	struct request *r;
	media_avatar_fn *fn;
	void *arg;
};

static void on_avatar(enum store_status status, const struct media *m, void *arg)
{
	struct avatar_asked *a = arg;
	struct request *r = a->r;
	if (status == STORE_NOT_FOUND) {
		request_fail(r, request_problem(r, PROBLEM_NOT_FOUND, "avatar_url: no such file, or not yours"));
	} else if (status != STORE_OK) {
		request_fail_store(r, status);
	} else if (m->state != MEDIA_READY) {
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "avatar_url: this file is not complete yet"));
	} else if (!media_fits(MESSAGE_IMAGE, m)) {
		request_fail(r, request_invalid(r, "avatar_url: this file is %.*s, which is no picture",
						(int)m->content_type.len, m->content_type.s));
	} else {
		struct buf ref = {0};
		media_ref_put(&ref, str_from(m->id), m->name);
		struct str kept = arena_str(&r->arena, (struct str){ref.data, ref.len});
		buf_fini(&ref);
		a->fn(r, kept, a->arg);
	}
}

void media_avatar_find(struct request *r, struct str avatar_url, media_avatar_fn *fn, void *arg)
{
	struct str id = media_ref_id(avatar_url);
	if (id.s == NULL) {
		fn(r, avatar_url, arg);
		return;
	}
	struct avatar_asked *a = arena_alloc(&r->arena, sizeof(*a));
	*a = (struct avatar_asked){r, fn, arg};
	store_find_media_seen(r->live->store, request_user(r), id, on_avatar, a);
}
