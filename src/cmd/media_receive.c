/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's bytes come. Of a request that brings some, this is the way: its row is made or found; the upload is opened
 * and its body let in; what came is settled; and where the file is whole, it is looked at, put into its place, its row
 * says so, and the request is answered. Only the store cannot be told to forget a request: one whose client has gone
 * meanwhile ends in the store's callback.
 */
#include "core/base.h"
#include "cmd/cmd.h"

#include "cmd/media.h"
#include "core/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct receiving {
	struct request *r;
	struct upload_asked asked;
	struct media media;
	struct upload *upload;
	uint64_t got;  /* bytes of the file, with those of this body */
	uint64_t size; /* that were here when it was opened, with this status */
	enum files_status opened;
	bool in_store; /* the store calls back */
	bool is_whole; /* all of it has come */
	bool is_new;   /* this request has made the row */
	media_completed_fn *done;
};

static struct uploads *uploads_of(const struct receiving *v)
{
	return v->r->api->uploads;
}

/* ---- ends ---- */

static void on_dropped(enum store_status status, void *arg)
{
	(void)status;
	(void)arg;
}

/* Nobody can go on with it: it is not kept for a day. */
static void drop_row(struct receiving *v)
{
	store_drop_media(v->r->live->store, str_from(v->media.owner), str_from(v->media.id), on_dropped, NULL);
}

static void fail(struct receiving *v, const struct problem *p)
{
	upload_close(&v->upload);
	/* Who sends all in one request never learns its id. */
	if (v->is_new && v->asked.kind == UPLOAD_WHOLE)
		drop_row(v);
	request_fail(v->r, p);
}

static const struct problem *problem_of_files(struct receiving *v, enum files_status status)
{
	struct request *r = v->r;
	switch (status) {
	case FILES_LOCKED:
		return request_problem(r, PROBLEM_LOCKED, "another connection sends this file; try again in a moment");
	case FILES_NO_SPACE:
		return request_problem(r, PROBLEM_NO_SPACE, "there is no space left for files");
	case FILES_MISMATCH:
		return request_problem(r, PROBLEM_CHECKSUM_MISMATCH,
				       "Upload-Checksum: is not that of what came, which does not count");
	case FILES_NONE:
		return request_problem(r, PROBLEM_CONFLICT, "the file is complete already");
	case FILES_INFECTED:
		return request_invalid(r, "the file is refused: the scanner does not let it pass");
	case FILES_OK:
	case FILES_FAILED:
		break;
	}
	return request_problem(r, PROBLEM_UNAVAILABLE, "files cannot be written now");
}

static void fail_files(struct receiving *v, enum files_status status)
{
	/* Its bytes would only keep others from theirs. */
	if (status == FILES_NO_SPACE || status == FILES_INFECTED)
		drop_row(v);
	fail(v, problem_of_files(v, status));
}

static void fail_store(struct receiving *v, enum store_status status)
{
	upload_close(&v->upload);
	request_fail_store(v->r, status);
}

/* The client has gone while the store was asked. True: the request has ended. */
static bool is_over(struct receiving *v)
{
	v->in_store = false;
	if (!request_is_detached(v->r))
		return false;
	upload_close(&v->upload);
	if (v->is_new && v->asked.kind == UPLOAD_WHOLE && !v->is_whole)
		drop_row(v);
	request_end(v->r, NULL);
	return true;
}

/* ---- headers ---- */

static void put_header(struct receiving *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put_header(struct receiving *v, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	const char *before = v->r->http_headers != NULL ? v->r->http_headers : "";
	size_t n = strlen(before);
	char *all = arena_alloc(&v->r->arena, n + (size_t)len + 3);
	snprintf(all, n + (size_t)len + 3, "%s%s\r\n", before, line);
	v->r->http_headers = all;
}

static void put_expiry(struct receiving *v)
{
	char date[CLOCK_HTTP_LEN + 1];
	clock_format_http(date, v->media.created_ms + INT64_C(1000) * MEDIA_UNUSED_SECS);
	put_header(v, "Upload-Expires: %s", date);
}

static void answer_tus(struct receiving *v, int status)
{
	struct request *r = v->r;
	if (status == 201)
		put_header(v, "Location: %s/media/%s", r->live->conf->http.prefix, v->media.id);
	if (v->got != 0 || v->asked.kind == UPLOAD_PATCH)
		put_header(v, "Upload-Offset: %" PRIu64, v->got);
	if (v->got < v->media.size)
		put_expiry(v);
	request_end(r, &(struct answer){.http_status = status, .json = STR_LIT("")});
}

/* ---- a whole file ---- */

static void answer_whole(struct request *r, const struct media *m);

static void on_finished_row(enum store_status status, const struct media *m, void *arg)
{
	struct receiving *v = arg;
	/* It was deleted meanwhile, and nobody else looks for what is in its place. */
	if (status == STORE_NOT_FOUND)
		upload_discard(&v->upload);
	if (is_over(v))
		return;
	if (status == STORE_OK && v->upload != NULL)
		upload_done(v->upload);
	upload_close(&v->upload);
	if (status != STORE_OK)
		request_fail_store(v->r, status);
	else if (v->done != NULL)
		v->done(v->r, m);
	else if (v->asked.kind == UPLOAD_PATCH)
		answer_tus(v, 204);
	else
		answer_whole(v->r, m);
}

static void refuse(struct receiving *v, const struct inspect_result *result)
{
	drop_row(v);
	v->is_new = false;
	fail(v, request_invalid(v->r, "the file is refused: %s", inspect_reason_text(result->reason)));
}

static void on_finished(enum files_status status, const struct inspect_result *result, uint64_t size, void *arg)
{
	struct receiving *v = arg;
	if (status == FILES_NONE) {
		upload_discard(&v->upload);
		fail_store(v, STORE_NOT_FOUND);
	} else if (status != FILES_OK) {
		fail_files(v, status);
	} else if (result->status == INSPECT_REFUSED) {
		refuse(v, result);
	} else if (result->status != INSPECT_OK) {
		fail(v, request_problem(v->r, PROBLEM_UNAVAILABLE, "files cannot be looked at now; try again"));
	} else {
		struct media *m = &v->media;
		m->size = size;
		m->content_type = str_from(result->content_type);
		m->width = result->width;
		m->height = result->height;
		m->duration_ms = result->duration_ms;
		m->has_thumbnail = result->has_thumb;
		m->is_checked = result->is_checked;
		m->blurhash = result->blurhash[0] != '\0' ? str_from(result->blurhash) : STR_NULL;
		v->in_store = true;
		store_finish_media(v->r->live->store, m, on_finished_row, v);
	}
}

static void finish(struct receiving *v)
{
	char declared[MEDIA_TYPE_MAX + 1];
	v->is_whole = true;
	snprintf(declared, sizeof(declared), "%.*s", (int)v->media.content_type.len, v->media.content_type.s);
	upload_finish(v->upload, declared);
}

/* Names that are only borrowed. */
static void keep_media(struct receiving *v, const struct media *m)
{
	struct arena *a = &v->r->arena;
	v->media = *m;
	v->media.name = arena_str(a, m->name);
	v->media.content_type = arena_str(a, m->content_type);
	v->media.blurhash = arena_str(a, m->blurhash);
}

/* Answers of a file that is there already: a client that has not heard so asks again. */
static void already_there(struct receiving *v)
{
	if (v->asked.kind == UPLOAD_PUT) {
		fail(v, request_problem(v->r, PROBLEM_CONFLICT, "the file is complete already"));
	} else if (v->asked.offset != v->media.size) {
		put_header(v, "Upload-Offset: %" PRIu64, v->media.size);
		fail(v, request_problem(v->r, PROBLEM_CONFLICT, "the file is complete already"));
	} else {
		v->got = v->media.size;
		answer_tus(v, 204);
	}
}

/* ---- the body ---- */

/* No bytes come with the request. */
static void complete_or_fail(struct receiving *v, uint64_t size)
{
	if (size == v->media.size)
		finish(v);
	else
		fail(v, request_problem(v->r, PROBLEM_CONFLICT, "%" PRIu64 " of %" PRIu64 " bytes are here", size,
					v->media.size));
}

static void on_settled(enum files_status status, uint64_t size, void *arg)
{
	struct receiving *v = arg;
	if (status == FILES_NONE && v->asked.kind == UPLOAD_NONE) {
		complete_or_fail(v, 0);
		return;
	}
	if (status != FILES_OK) {
		fail_files(v, status);
		return;
	}
	v->got = size;
	if (v->asked.kind == UPLOAD_NONE) {
		complete_or_fail(v, size);
		return;
	}
	if (size == v->media.size && v->asked.kind != UPLOAD_PUT) {
		finish(v);
		return;
	}
	upload_close(&v->upload);
	if (v->asked.kind == UPLOAD_PUT)
		request_end(v->r, &(struct answer){.http_status = 200, .json = STR_LIT("")});
	else
		answer_tus(v, v->asked.kind == UPLOAD_PATCH ? 204 : 201);
}

static void on_room(enum files_status status, void *arg)
{
	struct receiving *v = arg;
	if (status != FILES_OK)
		fail_files(v, status);
	else
		http_body_resume(v->r->http);
}

static void body_part(struct request *r, struct str part)
{
	struct receiving *v = r->sink_arg;
	if (part.len > v->media.size - v->got) {
		fail(v, request_invalid(r, "the body is more than the file has left: %" PRIu64 " bytes",
					v->media.size - v->got));
		return;
	}
	v->got += part.len;
	if (!upload_append(v->upload, part))
		http_body_pause(r->http);
}

static void body_end(struct request *r)
{
	struct receiving *v = r->sink_arg;
	upload_settle(v->upload);
}

static void body_aborted(struct request *r)
{
	struct receiving *v = r->sink_arg;
	upload_close(&v->upload);
	if (v->is_new && v->asked.kind == UPLOAD_WHOLE)
		drop_row(v);
	if (!v->in_store)
		request_end(r, NULL);
}

static const struct body_sink sink = {body_part, body_end, body_aborted};

static void leave(struct receiving *v)
{
	fail(v, request_problem(v->r, PROBLEM_UNAVAILABLE, "this server is leaving; go on at another one"));
}

static bool begin_part(struct receiving *v, uint64_t size)
{
	struct upload_asked *u = &v->asked;
	if (u->kind == UPLOAD_PUT) {
		upload_from_scratch(v->upload);
		size = 0;
	} else if (u->kind == UPLOAD_PATCH && size != u->offset) {
		put_header(v, "Upload-Offset: %" PRIu64, size);
		fail(v, request_problem(v->r, PROBLEM_CONFLICT, "Upload-Offset: %" PRIu64 " bytes are here", size));
		return false;
	}
	v->got = size;
	if (u->checksum != CHECKSUM_NONE &&
	    upload_expect(v->upload, u->checksum, (struct str){u->digest, u->digest_len}) != 0) {
		fail(v, request_invalid(v->r, "Upload-Checksum: has the wrong length"));
		return false;
	}
	return true;
}

static void opened(struct receiving *v, enum files_status status, uint64_t size)
{
	if (status == FILES_NONE && v->asked.kind == UPLOAD_NONE)
		size = v->media.size;
	else if (status != FILES_OK) {
		fail_files(v, status);
		return;
	}
	if (v->asked.kind != UPLOAD_NONE) {
		if (begin_part(v, size))
			http_body_resume(v->r->http);
		return;
	}
	/* Perhaps it was put into S3; else it comes by tus. */
	if (size == 0 && v->media.size != 0 && uploads_s3(uploads_of(v)) != NULL)
		upload_fetch(v->upload, v->media.size);
	else
		complete_or_fail(v, size);
}

static void on_found_again(enum store_status status, const struct media *m, void *arg)
{
	struct receiving *v = arg;
	if (status == STORE_NOT_FOUND)
		upload_discard(&v->upload);
	if (is_over(v))
		return;
	if (status != STORE_OK) {
		fail_store(v, status);
	} else if (m->state == MEDIA_READY) {
		keep_media(v, m);
		if (v->upload != NULL)
			upload_done(v->upload);
		upload_close(&v->upload);
		if (v->done != NULL)
			v->done(v->r, &v->media);
		else
			already_there(v);
	} else if (v->upload == NULL) {
		leave(v);
	} else {
		opened(v, v->opened, v->size);
	}
}

static void on_opened(enum files_status status, uint64_t size, void *arg)
{
	struct receiving *v = arg;
	/*
	 * Its row was read before its file was locked. Meanwhile another may have completed it, or it was deleted: then
	 * the file that was made here would be left behind.
	 */
	if (v->is_new || !(status == FILES_NONE || (status == FILES_OK && size == 0))) {
		opened(v, status, size);
		return;
	}
	v->opened = status;
	v->size = size;
	v->in_store = true;
	store_find_media(v->r->live->store, str_from(v->media.owner), str_from(v->media.id), on_found_again, v);
}

static void on_crowded(void *arg)
{
	struct receiving *v = arg;
	if (!v->in_store)
		fail(v, request_problem(v->r, PROBLEM_OVERLOADED,
					"too many uploads are under way, and this one is slow; go on later"));
}

/* The worker leaves. */
static void on_ended(void *arg)
{
	struct receiving *v = arg;
	v->upload = NULL;
	if (!v->in_store)
		leave(v);
}

static const struct upload_handler handler = {on_opened, on_room, on_settled, on_finished, on_crowded, on_ended};

static void open_upload(struct receiving *v)
{
	struct request *r = v->r;
	if (uploads_of(v) == NULL) {
		on_ended(v);
		return;
	}
	if (upload_count(uploads_of(v), str_from(v->media.owner)) >= UPLOADS_OF_USER_MAX) {
		r->retry_ms = 1000;
		fail(v, request_problem(r, PROBLEM_RATE_LIMITED, "%d uploads are under way", UPLOADS_OF_USER_MAX));
		return;
	}
	v->upload = upload_open(uploads_of(v), v->media.id, v->media.owner, &handler, v);
	if (v->upload == NULL)
		fail(v, request_problem(r, PROBLEM_OVERLOADED, "too many uploads are under way; try again"));
}

/* ---- beginning ---- */

static struct receiving *receiving_new(struct request *r, const struct upload_asked *asked)
{
	struct receiving *v = arena_alloc(&r->arena, sizeof(*v));
	*v = (struct receiving){.r = r};
	if (asked != NULL)
		v->asked = *asked;
	return v;
}

static void answer_declared(struct receiving *v)
{
	struct request *r = v->r;
	struct json_out *o = request_begin(r);
	struct buf url = {0};
	int64_t now_ms = clock_wall_ms();
	const struct media_urls urls = {r->live->conf->http.prefix, r->live->conf->media.url_secret,
					r->live->conf->media.url_lifetime_secs};
	const struct s3 *s3 = r->api->uploads != NULL ? uploads_s3(r->api->uploads) : NULL;
	uint64_t expires_secs = media_url_expiry(&urls, now_ms);
	if (s3 != NULL) {
		char key[UPLOAD_KEY_MAX];
		unsigned lifetime_secs = media_s3_lifetime(r->live->conf);
		uploads_key(key, v->media.id, UPLOAD_KEY_PUT);
		s3_url(&url, s3, "PUT", key, lifetime_secs, now_ms, NULL);
		expires_secs = (uint64_t)now_ms / 1000 + lifetime_secs;
	} else {
		media_url_put(&url, &urls, str_from(v->media.id), STR_NULL, MEDIA_PUT, now_ms);
	}
	json_put_cstr(o, "id", v->media.id);
	json_key(o, "upload");
	json_object(o);
	json_put_cstr(o, "method", "PUT");
	json_put_str(o, "url", (struct str){url.data, url.len});
	json_key(o, "headers");
	json_object(o);
	json_put_str(o, "Content-Type", v->media.content_type);
	json_object_end(o);
	json_put_time(o, "expires_at", (int64_t)expires_secs * 1000);
	json_object_end(o);
	buf_fini(&url);
	request_answer(r, 201);
}

static void on_new(const struct store_media_new *result, void *arg)
{
	struct receiving *v = arg;
	v->is_new = result->status == STORE_OK;
	if (is_over(v))
		return;
	v->r->retry_ms = result->retry_ms;
	if (result->status == STORE_LIMITED) {
		request_fail(v->r, request_problem(v->r, PROBLEM_RATE_LIMITED, "more than %d uploads a day",
						   v->r->live->conf->limits.uploads_per_day));
		return;
	}
	if (result->status != STORE_OK) {
		request_fail_store(v->r, result->status);
		return;
	}
	v->media.created_ms = result->created_ms;
	bool brings = v->asked.kind == UPLOAD_WHOLE || (v->r->sink != NULL && v->r->http->content_length != 0);
	if (v->asked.kind == UPLOAD_DECLARED)
		answer_declared(v);
	else if (brings || v->media.size == 0)
		open_upload(v);
	else
		answer_tus(v, 201);
}

void upload_proceed(struct request *r, const union command_args *a)
{
	const struct conf *conf = r->live->conf;
	struct receiving *v = receiving_new(r, a->upload);
	struct media *m = &v->media;
	if (a->upload->kind != UPLOAD_DECLARED) {
		r->sink = &sink;
		r->sink_arg = v;
	}
	media_id_make(m->id);
	memcpy(m->owner, r->user, sizeof(m->owner));
	m->size = a->upload->size;
	m->name = arena_str(&r->arena, a->upload->name);
	m->content_type = arena_str(&r->arena, a->upload->content_type);
	m->duration_ms = -1;
	v->in_store = true;
	store_new_media(r->live->store, m, (uint64_t)conf->media.quota_per_user, (unsigned)conf->limits.uploads_per_day,
			on_new, v);
}

static void on_found(enum store_status status, const struct media *m, void *arg)
{
	struct receiving *v = arg;
	struct request *r = v->r;
	if (is_over(v))
		return;
	bool is_owner = m != NULL && (r->is_signed || str_is(request_user(r), m->owner));
	if (status != STORE_OK || !is_owner) {
		fail_store(v, status != STORE_OK ? status : STORE_NOT_FOUND);
		return;
	}
	keep_media(v, m);
	if (m->state == MEDIA_READY)
		already_there(v);
	else if (v->asked.kind == UPLOAD_PUT && v->asked.size != m->size)
		fail(v,
		     request_invalid(r, "Content-Length: is not the %" PRIu64 " bytes that were announced", m->size));
	else
		open_upload(v);
}

void upload_bytes_proceed(struct request *r, const union command_args *a)
{
	struct receiving *v = receiving_new(r, a->upload);
	r->sink = &sink;
	r->sink_arg = v;
	v->in_store = true;
	store_find_media(r->live->store, request_user(r), str_from(r->path_media), on_found, v);
}

void media_complete(struct request *r, const struct media *m, media_completed_fn *done)
{
	struct receiving *v = receiving_new(r, NULL);
	v->asked.kind = UPLOAD_NONE;
	v->done = done;
	keep_media(v, m);
	if (m->state == MEDIA_READY)
		done(r, &v->media);
	else
		open_upload(v);
}

static void answer_whole(struct request *r, const struct media *m)
{
	const struct receiving *v = r->sink_arg;
	if (v->asked.kind == UPLOAD_CREATED) {
		struct receiving *mine = r->sink_arg;
		mine->media.size = mine->got;
		put_header(mine, "Location: %s/media/%s", r->live->conf->http.prefix, m->id);
		put_header(mine, "Upload-Offset: %" PRIu64, mine->got);
	}
	media_answer(r, 201, m);
}
