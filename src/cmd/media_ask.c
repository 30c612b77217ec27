/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads what a request says of a file. The rules of tus are those of its protocol, 1.0.0. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "cmd/media.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <openssl/evp.h>

#define TUS_VERSION "1.0.0"
#define TUS_TYPE "application/offset+octet-stream"
#define OTHERWISE "application/octet-stream"
/* Of Upload-Metadata. */
#define METADATA_VALUE_MAX 1024

/* ---- small things ---- */

static struct upload_asked *asked_new(struct request *r, union command_args *a, enum upload_kind kind)
{
	a->upload = arena_alloc(&r->arena, sizeof(*a->upload));
	*a->upload = (struct upload_asked){.kind = kind};
	return a->upload;
}

/* Bytes that `text` is in base64 (RFC 4648, section 4), in the arena; absent where it is none. */
static struct str base64(struct request *r, struct str text)
{
	if (text.len % 4 != 0 || text.len > METADATA_VALUE_MAX * 2)
		return STR_NULL;
	unsigned char *out = arena_alloc(&r->arena, text.len / 4 * 3 + 1);
	int n = text.len != 0 ? EVP_DecodeBlock(out, (const unsigned char *)text.s, (int)text.len) : 0;
	if (n < 0 || (size_t)n != text.len / 4 * 3)
		return STR_NULL;
	for (size_t i = 1; i <= 2 && i <= text.len && text.s[text.len - i] == '='; i++)
		n--;
	return (struct str){(const char *)out, (size_t)n};
}

static bool is_type_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$&-^_.+/", c) != NULL);
}

/* A media type without its parameters (RFC 6838, section 4.2), or the one that says nothing. */
static struct str clean_type(struct request *r, struct str type)
{
	size_t len = 0, slashes = 0;
	while (type.s != NULL && len < type.len && is_type_char(type.s[len]))
		slashes += type.s[len++] == '/';
	if (slashes != 1 || len > MEDIA_TYPE_MAX)
		return STR_LIT(OTHERWISE);
	return arena_str(&r->arena, (struct str){type.s, len});
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

static struct str next_of_list(struct str *rest)
{
	const char *comma = memchr(rest->s, ',', rest->len);
	size_t len = comma != NULL ? (size_t)(comma - rest->s) : rest->len;
	struct str item = {rest->s, len};
	len += comma != NULL;
	*rest = (struct str){rest->s + len, rest->len - len};
	while (item.len != 0 && item.s[0] == ' ')
		item = (struct str){item.s + 1, item.len - 1};
	while (item.len != 0 && item.s[item.len - 1] == ' ')
		item.len--;
	return item;
}

/* "key base64,key base64": the value of that key; absent where it has none. */
static const struct problem *metadata(struct request *r, const char *key, struct str *out_r)
{
	struct str rest = http_req_header(r->http, "Upload-Metadata");
	size_t n = strlen(key);
	*out_r = STR_NULL;
	while (rest.s != NULL && rest.len != 0) {
		struct str item = next_of_list(&rest);
		if (item.len < n || memcmp(item.s, key, n) != 0 || (item.len > n && item.s[n] != ' '))
			continue;
		struct str text = {item.s + n, item.len - n};
		while (text.len != 0 && text.s[0] == ' ')
			text = (struct str){text.s + 1, text.len - 1};
		*out_r = base64(r, text);
		if (out_r->s == NULL || !utf8_valid(out_r->s, out_r->len) || memchr(out_r->s, '\0', out_r->len) != NULL)
			return request_invalid(r, "Upload-Metadata: %s: must be UTF-8 in base64", key);
		return NULL;
	}
	return NULL;
}

static const struct problem *check_checksum(struct request *r, struct upload_asked *u)
{
	static const struct {
		const char *name;
		enum upload_checksum kind;
		size_t bytes;
	} kinds[] = {{"md5", CHECKSUM_MD5, 16},
		     {"sha1", CHECKSUM_SHA1, 20},
		     {"sha256", CHECKSUM_SHA256, 32},
		     {"sha512", CHECKSUM_SHA512, 64}};
	struct str text = http_req_header(r->http, "Upload-Checksum");
	if (text.s == NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].name);
		if (text.len <= n || memcmp(text.s, kinds[i].name, n) != 0 || text.s[n] != ' ')
			continue;
		struct str digest = base64(r, (struct str){text.s + n + 1, text.len - n - 1});
		if (digest.s == NULL || digest.len != kinds[i].bytes)
			return request_invalid(r, "Upload-Checksum: must be a %s checksum in base64", kinds[i].name);
		u->checksum = kinds[i].kind;
		u->digest_len = digest.len;
		memcpy(u->digest, digest.s, digest.len);
		return NULL;
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
