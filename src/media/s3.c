/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/s3.h"

#include "core/clock.h"
#include "core/hmac.h"
#include "core/log.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DIGEST_BYTES HMAC_SHA256_LEN /* SHA-256 has as many */
#define DATE_LEN 8		     /* 20261130 */
#define TIME_LEN 16		     /* 20261130T020000Z */
#define OWN_URL_SECS 900
#define CONNECT_SECS 10L
/* Slower than this for so long, a transfer has failed. */
#define SLOW_BYTES 1024L
#define SLOW_SECS 30L

struct s3 s3_of(const struct conf *conf)
{
	return (struct s3){conf->media.s3.endpoint, conf->media.s3.bucket, conf->media.s3.region,
			   conf->media.s3.access_key, conf->media.s3.secret_key};
}

void s3_start(void)
{
	if (curl_global_init(CURL_GLOBAL_ALL) != 0)
		log_fatal("libcurl cannot be initialised");
}

/* ---- signing ---- */

static void put_hex(struct buf *out, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", bytes[i]);
}

/* RFC 3986's unreserved characters stay. */
static void put_encoded(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL))
			buf_append_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static void put_query(struct buf *out, const struct s3 *s, const char *time_text, unsigned lifetime_secs,
		      const struct s3_says *says)
{
	/* In order of their names, as they are signed. */
	const char *const said[][2] = {
		{"response-cache-control", says != NULL ? says->cache_control : NULL},
		{"response-content-disposition", says != NULL ? says->content_disposition : NULL},
		{"response-content-type", says != NULL ? says->content_type : NULL}};
	char *credential = xasprintf("%s/%.*s/%s/s3/aws4_request", s->access_key, DATE_LEN, time_text, s->region);
	buf_append_str(out, STR_LIT("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="));
	put_encoded(out, credential);
	buf_printf(out, "&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-SignedHeaders=host", time_text, lifetime_secs);
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		if (said[i][1] == NULL)
			continue;
		buf_printf(out, "&%s=", said[i][0]);
		put_encoded(out, said[i][1]);
	}
	free(credential);
}

/* The key is derived anew for each day, region and service. */
static void put_signature(struct buf *out, const struct s3 *s, const char *time_text, const struct buf *canonical)
{
	unsigned char key[DIGEST_BYTES], digest[EVP_MAX_MD_SIZE];
	char date[DATE_LEN + 1];
	struct buf text = {0};
	char *secret = xasprintf("AWS4%s", s->secret_key);
	snprintf(date, sizeof(date), "%.*s", DATE_LEN, time_text);
	hmac_sha256(secret, strlen(secret), str_from(date), key);
	hmac_sha256(key, sizeof(key), str_from(s->region), key);
	hmac_sha256(key, sizeof(key), STR_LIT("s3"), key);
	hmac_sha256(key, sizeof(key), STR_LIT("aws4_request"), key);
	ASSERT(EVP_Digest(canonical->data, canonical->len, digest, NULL, EVP_sha256(), NULL) == 1);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n", time_text, date, s->region);
	put_hex(&text, digest, DIGEST_BYTES);
	hmac_sha256(key, sizeof(key), (struct str){text.data, text.len}, digest);
	put_hex(out, digest, DIGEST_BYTES);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(secret, strlen(secret));
	free(secret);
	buf_fini(&text);
}

void s3_url(struct buf *out, const struct s3 *s, const char *method, const char *key, unsigned lifetime_secs,
	    int64_t now_ms, const struct s3_says *says)
{
	char time_text[TIME_LEN + 1];
	struct buf query = {0}, canonical = {0};
	struct tm tm;
	time_t now = (time_t)(now_ms / 1000);
	const char *host = strstr(s->endpoint, "://") + 3;
	/* A path of the endpoint comes before the bucket. */
	size_t host_len = strcspn(host, "/");
	ASSERT(gmtime_r(&now, &tm) != NULL &&
	       strftime(time_text, sizeof(time_text), "%Y%m%dT%H%M%SZ", &tm) == TIME_LEN);
	put_query(&query, s, time_text, lifetime_secs, says);
	buf_printf(&canonical, "%s\n%s/%s/%s\n", method, host + host_len, s->bucket, key);
	buf_append(&canonical, query.data, query.len);
	buf_printf(&canonical, "\nhost:%.*s\n\nhost\nUNSIGNED-PAYLOAD", (int)host_len, host);
	buf_printf(out, "%s/%s/%s?", s->endpoint, s->bucket, key);
	buf_append(out, query.data, query.len);
	buf_append_str(out, STR_LIT("&X-Amz-Signature="));
	put_signature(out, s, time_text, &canonical);
	buf_fini(&query);
	buf_fini(&canonical);
}

/* ---- transfers ---- */

struct transfer {
	int fd;
	uint64_t at, most;
	bool too_large, is_broken;
};

static size_t read_file(char *to, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	ssize_t got = pread(t->fd, to, size * n, (off_t)t->at);
	if (got < 0)
		return CURL_READFUNC_ABORT;
	t->at += (uint64_t)got;
	return (size_t)got;
}

static size_t write_file(char *from, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n, done = 0;
	t->too_large = len > t->most - t->at;
	while (!t->too_large && done < len) {
		ssize_t wrote = pwrite(t->fd, from + done, len - done, (off_t)t->at);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0) {
			t->is_broken = true;
			return 0;
		}
		done += (size_t)wrote;
		t->at += (uint64_t)wrote;
	}
	return t->too_large ? 0 : len;
}

static size_t ignore(char *from, size_t size, size_t n, void *arg)
{
	(void)from;
	(void)arg;
	return size * n;
}

static CURL *begin(const struct s3 *s, const char *method, const char *key, struct buf *url)
{
	CURL *c = curl_easy_init();
	if (c == NULL)
		return NULL;
	s3_url(url, s, method, key, OWN_URL_SECS, clock_wall_ms(), NULL);
	curl_easy_setopt(c, CURLOPT_URL, buf_cstr(url));
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_SECS);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	return c;
}

/* Ends it. */
static enum s3_status perform(CURL *c, const char *what, const char *key, struct buf *url)
{
	long status = 0;
	CURLcode code = c != NULL ? curl_easy_perform(c) : CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	buf_fini(url);
	if (code == CURLE_OK && status >= 200 && status < 300)
		return S3_OK;
	if (code == CURLE_OK && status == 404)
		return S3_NONE;
	if (code != CURLE_OK)
		log_error_gated("media.s3: %s %s: %s", what, key, curl_easy_strerror(code));
	else
		log_error_gated("media.s3: %s %s: status %ld", what, key, status);
	return S3_FAILED;
}

enum s3_status s3_put(const struct s3 *s, const char *key, int fd, uint64_t size, const char *content_type)
{
	struct buf url = {0};
	struct transfer t = {.fd = fd};
	CURL *c = begin(s, "PUT", key, &url);
	char *type = xasprintf("Content-Type: %s", content_type);
	struct curl_slist *headers = curl_slist_append(NULL, type);
	headers = curl_slist_append(headers, "Expect:");
	if (c != NULL) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, read_file);
		curl_easy_setopt(c, CURLOPT_READDATA, &t);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	}
	enum s3_status status = perform(c, "putting", key, &url);
	curl_slist_free_all(headers);
	free(type);
	return status == S3_NONE ? S3_FAILED : status; /* the bucket is not there */
}

enum s3_status s3_get(const struct s3 *s, const char *key, int fd, uint64_t most, uint64_t *size_r)
{
	struct buf url = {0};
	struct transfer t = {.fd = fd, .most = most};
	CURL *c = begin(s, "GET", key, &url);
	if (ftruncate(fd, 0) != 0)
		t.is_broken = true;
	if (c != NULL) {
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, write_file);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
	}
	enum s3_status status = perform(c, "getting", key, &url);
	/* What came with another status is no part of it. */
	if (status != S3_OK && ftruncate(fd, 0) != 0)
		status = S3_FAILED;
	*size_r = t.at;
	if (t.too_large)
		return S3_TOO_LARGE;
	return t.is_broken ? S3_FAILED : status;
}

enum s3_status s3_delete(const struct s3 *s, const char *key)
{
	struct buf url = {0};
	enum s3_status status = perform(begin(s, "DELETE", key, &url), "deleting", key, &url);
	return status == S3_NONE ? S3_OK : status;
}
