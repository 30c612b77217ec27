/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads what a request says of a file. The rules of tus are those of its protocol, 1.0.0. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "cmd/media.h"
#include "core/utf8.h"
#include "media/tus.h"

#include <inttypes.h>

#define TUS_VERSION "1.0.0"
#define TUS_TYPE "application/offset+octet-stream"
#define OTHERWISE "application/octet-stream"

/* ---- small things ---- */

static struct upload_asked *asked_new(struct request *r, union command_args *a, enum upload_kind kind)
{
	a->upload = arena_alloc(&r->arena, sizeof(*a->upload));
	*a->upload = (struct upload_asked){.kind = kind};
	return a->upload;
}

/* A media type without its parameters, or the one that says nothing. */
static struct str clean_type(struct request *r, struct str type)
{
	struct str plain = tus_media_type(type, MEDIA_TYPE_MAX);
	return plain.s != NULL ? arena_str(&r->arena, plain) : STR_LIT(OTHERWISE);
}

static const struct problem *check_name(struct request *r, const char *what, struct str name, struct str *out_r)
{
	if (name.s == NULL)
		name = STR_LIT("file");
	if (utf8_count(name) > MEDIA_NAME_MAX || name.len > MEDIA_NAME_BYTES_MAX)
		return request_invalid(r, "%s: is over %d characters or %d bytes", what, MEDIA_NAME_MAX,
				       MEDIA_NAME_BYTES_MAX);
	if (utf8_has_control(name, false))
		return request_invalid(r, "%s: must not contain control characters, line separators or noncharacters",
				       what);
	char *clean = arena_alloc(&r->arena, name.len + 4);
	*out_r = (struct str){clean, media_name_clean(name, clean)};
	return NULL;
}

static const struct problem *check_size(struct request *r, const char *what, uint64_t size)
{
	int64_t most = r->live->conf->media.max_size;
	if (size <= (uint64_t)most)
		return NULL;
	return request_problem(r, PROBLEM_PAYLOAD_TOO_LARGE, "%s: a file may have %" PRId64 " bytes", what, most);
}

/* ---- tus ---- */

static const struct problem *check_version(struct request *r)
{
	struct str version = http_req_header(r->http, "Tus-Resumable");
	r->http_headers = "Tus-Resumable: " TUS_VERSION "\r\n";
	if (version.s == NULL || str_is(version, TUS_VERSION))
		return NULL;
	r->http_headers = "Tus-Resumable: " TUS_VERSION "\r\nTus-Version: " TUS_VERSION "\r\n";
	return request_problem(r, PROBLEM_PRECONDITION_FAILED, "Tus-Resumable: must be " TUS_VERSION);
}

static const struct problem *header_number(struct request *r, const char *name, uint64_t *out_r)
{
	struct str text = http_req_header(r->http, name);
	if (text.s != NULL && id_parse_u64(text, out_r) == 0)
		return NULL;
	return request_invalid(r, "%s: %s", name, text.s == NULL ? "is missing" : "must be a number of bytes");
}

/* The value of that key, UTF-8; absent where it has none. */
static const struct problem *metadata(struct request *r, const char *key, struct str *out_r)
{
	struct str text = tus_metadata(http_req_header(r->http, "Upload-Metadata"), key);
	*out_r = STR_NULL;
	if (text.s == NULL)
		return NULL;
	char *value = arena_alloc(&r->arena, TUS_BASE64_ROOM(text.len));
	size_t len;
	if (tus_base64(text, value, &len) != 0 || !utf8_valid(value, len) || memchr(value, '\0', len) != NULL)
		return request_invalid(r, "Upload-Metadata: %s: must be UTF-8 in base64", key);
	*out_r = (struct str){value, len};
	return NULL;
}

static const struct problem *check_checksum(struct request *r, struct upload_asked *u)
{
	struct str text = http_req_header(r->http, "Upload-Checksum");
	const char *name;
	if (text.s == NULL)
		return NULL;
	switch (tus_checksum(text, &u->checksum, u->digest, &u->digest_len, &name)) {
	case TUS_CHECKSUM_OK:
		return NULL;
	case TUS_CHECKSUM_BAD:
		return request_invalid(r, "Upload-Checksum: must be a %s checksum in base64", name);
	case TUS_CHECKSUM_UNKNOWN:
		break;
	}
	return request_invalid(
		r, "Upload-Checksum: must be md5, sha1, sha256 or sha512, a space and the checksum in base64");
}

static const struct problem *check_tus_type(struct request *r)
{
	if (r->http->content_length == 0)
		return NULL;
	if (str_is(http_req_header(r->http, "Content-Type"), TUS_TYPE))
		return NULL;
	return request_problem(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type: must be " TUS_TYPE);
}

static const struct problem *check_created(struct request *r, struct upload_asked *u)
{
	struct str name, type;
	const struct problem *p = check_version(r) ?: check_tus_type(r);
	if (p != NULL)
		return p;
	p = header_number(r, "Upload-Length", &u->size) ?: check_size(r, "Upload-Length", u->size);
	if (p != NULL)
		return p;
	p = metadata(r, "filename", &name) ?: metadata(r, "filetype", &type);
	if (p != NULL)
		return p;
	u->content_type = clean_type(r, type);
	return check_name(r, "Upload-Metadata: filename", name, &u->name) ?: check_checksum(r, u);
}

/* ---- the others ---- */

static const struct problem *check_declared(struct request *r, struct upload_asked *u)
{
	struct str name, type;
	const struct json *size = json_get(r->body, "size");
	const struct problem *p = request_needs_text(r, "name", &name) ?: request_text(r, "content_type", &type);
	if (p != NULL)
		return p;
	if (size == NULL || size->type == JSON_NULL)
		return request_invalid(r, "size: is missing");
	if (json_count(size, &u->size) != 0)
		return request_invalid(r, "size: must be a number of bytes");
	u->content_type = clean_type(r, type);
	return check_name(r, "name", name, &u->name) ?: check_size(r, "size", u->size);
}

static const struct problem *check_length(struct request *r, struct upload_asked *u)
{
	if (r->http->content_length < 0)
		return request_invalid(r, "Content-Length: is missing");
	u->size = (uint64_t)r->http->content_length;
	return NULL;
}

static const struct problem *check_whole(struct request *r, struct upload_asked *u)
{
	struct str name;
	const struct problem *p = check_length(r, u) ?: request_query_text(r, "name", &name);
	if (p != NULL)
		return p;
	u->content_type = clean_type(r, http_req_header(r->http, "Content-Type"));
	return check_name(r, "name", name, &u->name);
}

const struct problem *upload_check(struct request *r, union command_args *a)
{
	if (r->body != NULL)
		return check_declared(r, asked_new(r, a, UPLOAD_DECLARED));
	if (http_req_header(r->http, "Upload-Length").s != NULL || http_req_header(r->http, "Tus-Resumable").s != NULL)
		return check_created(r, asked_new(r, a, UPLOAD_CREATED));
	return check_whole(r, asked_new(r, a, UPLOAD_WHOLE));
}

const struct problem *upload_patch_check(struct request *r, union command_args *a)
{
	struct upload_asked *u = asked_new(r, a, UPLOAD_PATCH);
	const struct problem *p = check_version(r);
	if (p != NULL)
		return p;
	if (!str_is(http_req_header(r->http, "Content-Type"), TUS_TYPE))
		return request_problem(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type: must be " TUS_TYPE);
	return header_number(r, "Upload-Offset", &u->offset) ?: check_checksum(r, u);
}

const struct problem *upload_put_check(struct request *r, union command_args *a)
{
	return check_length(r, asked_new(r, a, UPLOAD_PUT));
}

const struct problem *upload_offset_check(struct request *r, union command_args *a)
{
	(void)a;
	return check_version(r);
}

/* Also by clients that do not speak tus. */
const struct problem *media_delete_check(struct request *r, union command_args *a)
{
	(void)a;
	return http_req_header(r->http, "Tus-Resumable").s != NULL ? check_version(r) : NULL;
}
