/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of the configuration that go beyond a value's type and limits: what an
 * element has to look like (named by the rows of the table), what options ask of
 * each other, the files that hold secrets and keys, and what a server needs.
 * Opens no socket and asks no name server.
 */
#include "core/base.h"
#include "core/conf_table.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/hmac.h"
#include "core/jwks.h"
#include "core/log.h"
#include "core/token.h"

#define SECRET_FILE_MAX 65535

static bool only(const char *s, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && (s[i] == '\0' || strchr(others, s[i]) == NULL))
			return false;
	}
	return true;
}

/* Decimal digits, 0 to max; -1 if it is something else. */
static long parse_small(const char *s, long max)
{
	long v = 0;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (!isdigit((unsigned char)*s) || (v = v * 10 + (*s - '0')) > max)
			return -1;
	}
	return v;
}

static bool is_address(int family, const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr any;

	if (len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return inet_pton(family, text, &any) == 1;
}

const char *conf_check_listen(const char *value)
{
	const char *colon = strrchr(value, ':');
	size_t len;

	if (strncmp(value, "unix:", 5) == 0) {
		if (value[5] != '/')
			return "the path of a UNIX socket begins with '/'";
		return strlen(value + 5) < sizeof(((struct sockaddr_un *)0)->sun_path)
			       ? NULL
			       : "the path is too long for a UNIX socket";
	}
	if (colon == NULL)
		return "an address is HOST:PORT, [IPV6]:PORT or unix:/PATH";
	len = (size_t)(colon - value);
	if (len >= 2 && value[0] == '[' && value[len - 1] == ']') {
		if (!is_address(AF_INET6, value + 1, len - 2))
			return "there is no IPv6 address between the brackets";
	} else if (memchr(value, ':', len) != NULL) {
		return "an IPv6 address stands in brackets: [::1]:8080";
	} else if (len > 0 && strncmp(value, "*:", 2) != 0 && strncmp(value, "localhost:", 10) != 0 &&
		   !is_address(AF_INET, value, len)) {
		return "the host is neither a numeric address nor localhost nor '*'";
	}
	return parse_small(colon + 1, 65535) >= 1 ? NULL : "the port is not a number from 1 to 65535";
}

const char *conf_check_network(const char *value)
{
	const char *slash = strchr(value, '/');
	size_t len = slash == NULL ? strlen(value) : (size_t)(slash - value);
	long bits;

	if (is_address(AF_INET, value, len))
		bits = 32;
	else if (is_address(AF_INET6, value, len))
		bits = 128;
	else
		return "a network is an address like 10.0.0.0/8 or fd00::/8";
	if (slash != NULL && parse_small(slash + 1, bits) < 0)
		return "the part after '/' is not a number of the address's bits";
	return NULL;
}

const char *conf_check_origin(const char *value)
{
	static const char shape[] = "an origin is SCHEME://HOST or SCHEME://HOST:PORT, without a path";
	const char *host = strstr(value, "://"), *end;

	if (host == NULL || !islower((unsigned char)value[0]) || !only(value, (size_t)(host - value), "+-."))
		return shape;
	host += 3;
	if (*host == '[') {
		end = strchr(host, ']');
		if (end == NULL || !is_address(AF_INET6, host + 1, (size_t)(end - host - 1)))
			return shape;
		end++;
	} else {
		end = host + strcspn(host, ":");
		if (end == host || !only(host, (size_t)(end - host), ".-_"))
			return shape;
	}
	if (*end == ':' ? parse_small(end + 1, 65535) < 1 : *end != '\0')
		return shape;
	for (const char *p = value; *p != '\0'; p++) {
		if (isupper((unsigned char)*p))
			return "browsers send origins in lower case";
	}
	return NULL;
}

const char *conf_check_url_prefix(const char *value)
{
	size_t len = strlen(value);

	if (value[0] != '/' || value[len - 1] == '/')
		return "a prefix begins with '/' and does not end with one";
	if (!only(value, len, "/-._~!$&'()*+,;=:@") || strstr(value, "//") != NULL)
		return "a prefix is a plain path, without percent signs, '?' or '#'";
	return NULL;
}

const char *conf_check_base_url(const char *value)
{
	const char *host = strncmp(value, "https://", 8) == 0  ? value + 8
			   : strncmp(value, "http://", 7) == 0 ? value + 7
							       : NULL;
	size_t len = strlen(value);

	if (host == NULL || *host == '\0' || *host == '/')
		return "a URL begins with https:// or http:// and a host";
	if (len > 255 || !only(host, strlen(host), "/-._~:[]") || value[len - 1] == '/')
		return "up to 255 characters, without a query, and not ending with '/'";
	return NULL;
}

const char *conf_check_bucket(const char *value)
{
	size_t len = strlen(value);
	return len >= 3 && len <= 63 && only(value, len, ".-") ? NULL : "3 to 63 characters out of a-z 0-9 . -";
}

const char *conf_check_scanner(const char *value)
{
	return value[0] == '/' ? NULL : conf_check_listen(value);
}

const char *conf_check_node_id(const char *value)
{
	size_t len = strlen(value);
	return len <= NODE_ID_MAX && only(value, len, "._-") ? NULL : "up to 64 characters out of A-Z a-z 0-9 . _ -";
}

const char *conf_check_plain(const char *value)
{
	for (const char *p = value; *p != '\0'; p++) {
		if (!isgraph((unsigned char)*p))
			return "only printable ASCII characters without spaces";
	}
	return strlen(value) <= 255 ? NULL : "longer than 255 characters";
}

/* RFC 1123 section 2.1, and the underscores that container networks have in names. */
const char *conf_check_host(const char *value)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr any;
	const char *scope = strchr(value, '%'), *last = value;
	size_t label = 0, len = scope != NULL ? (size_t)(scope - value) : strlen(value);

	if (value[0] == '[')
		return "an IPv6 address stands here without brackets";
	if (strchr(value, ':') != NULL) {
		if (len < sizeof(address) && (scope == NULL || scope[1] != '\0')) {
			memcpy(address, value, len);
			address[len] = '\0';
			if (inet_pton(AF_INET6, address, &any) == 1)
				return NULL;
		}
		return "neither a name nor an address; the port is an option of its own";
	}
	if (inet_pton(AF_INET, value, &any) == 1)
		return NULL;
	if (len > 253 || !only(value, strlen(value), ".-_"))
		return "a host is an address, or a name of at most 253 letters, digits, hyphens, underscores and dots";
	for (const char *p = value; *p != '\0'; p++) {
		label = *p == '.' ? 0 : label + 1;
		if (label > 63 || (*p == '.' && (p == value || p[-1] == '.')))
			return "the parts of a name have 1 to 63 characters";
		if (label == 1)
			last = p;
	}
	return last[strspn(last, "0123456789.")] == '\0' ? "not an address, though it ends in a number like one" : NULL;
}

const char *conf_check_log_target(const char *value)
{
	if (strcmp(value, "stderr") == 0 || strcmp(value, "syslog") == 0 || strchr(value, '/') != NULL)
		return NULL;
	return "stderr, syslog, or the path of a file";
}

const char *conf_check_kid(struct str kid)
{
	if (kid.len == 0 || kid.len > CONF_KID_MAX || !only(kid.s, kid.len, "._~:/+=@-"))
		return "a kid is 1 to 128 characters out of A-Z a-z 0-9 . _ ~ : / + = @ -";
	return NULL;
}

void conf_take_file(struct conf *c, struct conf_faults *faults, const char *what, char **file, char **value,
		    size_t *len_r)
{
	unsigned line = conf_line(c, file);
	size_t len = strlen(*value);
	char *data;

	if (**file == '\0')
		goto out;
	if (len > 0) {
		conf_fault(faults, line, "%s: given in place and by file; choose one", what);
		conf_place_set(c, file, line, true);
		goto out;
	}
	if (conf_read_file(*file, SECRET_FILE_MAX, &data, &len) != 0) {
		conf_fault(faults, line, "%s: cannot read %s: %s", what, *file, strerror(errno));
		conf_place_set(c, file, line, true);
		goto out;
	}
	/* The line's end, as an editor of any system writes it. */
	if (len > 0 && data[len - 1] == '\n') {
		data[--len] = '\0';
		if (len > 0 && data[len - 1] == '\r')
			data[--len] = '\0';
	}
	if (len_r == NULL && strlen(data) != len) {
		conf_fault(faults, line, "%s: there is a NUL byte in %s", what, *file);
		conf_wipe(&data, len);
		conf_place_set(c, file, line, true);
		goto out;
	}
	free(*value);
	*value = data;
out:
	if (len_r != NULL)
		*len_r = len;
}

/* Secret or public key: one of them, and the one that the algorithm takes. */
static void check_key(struct conf *c, struct conf_faults *faults, struct conf_jwt_key *key, const char *name)
{
	enum conf_jwt_algorithm alg = (enum conf_jwt_algorithm)key->algorithm;
	const char *alg_name = conf_jwt_algorithm_name(alg), *fault;
	bool hmac = conf_jwt_algorithm_is_hmac(alg), own = key == &c->jwt.own;
	const void *file = hmac ? &key->secret_file : &key->public_key_file;
	unsigned line = conf_line(c, file);

	if (line == 0)
		line = conf_line(c, hmac ? (void *)&key->secret : (void *)&key->algorithm);
	if (line == 0)
		line = conf_line(c, key);
	if (hmac && key->public_key_file[0] != '\0')
		conf_fault(faults, conf_line(c, &key->public_key_file),
			   "%s: a public key does not go with %s, which takes a secret", name, alg_name);
	if (!hmac && (key->secret_len > 0 || key->secret_file[0] != '\0'))
		conf_fault(faults, conf_line(c, key->secret_file[0] != '\0' ? &key->secret_file : &key->secret),
			   "%s: a secret does not go with %s, which takes a public_key_file", name, alg_name);
	if (hmac && key->secret_len < CONF_HMAC_SECRET_MIN && (key->secret_len > 0 || key->secret_file[0] != '\0'))
		conf_fault(faults, line, "%s: the secret has %zu bytes; %s needs %d or more", name, key->secret_len,
			   alg_name, CONF_HMAC_SECRET_MIN);
	else if (!own && hmac && key->secret_len == 0)
		conf_fault(faults, line, "%s: neither secret nor secret_file is given", name);
	else if (!own && !hmac && key->public_key_file[0] == '\0')
		conf_fault(faults, line, "%s: no public_key_file is given", name);
	else if ((hmac ? key->secret_len > 0 : key->public_key_file[0] != '\0') &&
		 (fault = token_key_fault(key)) != NULL)
		conf_fault(faults, line, "%s: %s", name, fault);
}

static void resolve_key(struct conf *c, struct conf_faults *faults, struct conf_jwt_key *key)
{
	char *name = key == &c->jwt.own ? xstrdup("jwt") : xasprintf("jwt.key \"%s\"", key->kid);

	conf_take_file(c, faults, name, &key->secret_file, &key->secret, &key->secret_len);
	conf_take_file(c, faults, name, &key->public_key_file, &key->public_key, NULL);
	if (!conf_place_is_bad(c, &key->algorithm) && !conf_place_is_bad(c, &key->secret) &&
	    !conf_place_is_bad(c, &key->secret_file) && !conf_place_is_bad(c, &key->public_key_file))
		check_key(c, faults, key, name);
	free(name);
}

static bool has_titled_key(const struct conf *c, const char *kid)
{
	for (size_t i = 0; i < c->jwt.key_count; i++) {
		if (strcmp(c->jwt.keys[i].kid, kid) == 0)
			return true;
	}
	return false;
}

/* The keys of the set become the configuration's, its faults and warnings too. */
static void take_jwks(struct conf *c, struct conf_faults *faults, const struct jwks *set)
{
	const char *file = c->jwt.jwks_file;
	unsigned line = conf_line(c, &c->jwt.jwks_file);

	c->jwt.jwks = set->keys;
	c->jwt.jwks_count = set->count;
	for (size_t i = 0; i < set->faults.count; i++)
		conf_fault(faults, line, "jwt.jwks_file: %s: %s", file, set->faults.item[i]);
	for (size_t i = 0; i < set->count; i++) {
		if (has_titled_key(c, set->keys[i].kid))
			conf_fault(faults, line, "jwt.jwks_file: %s: key \"%s\": the section jwt has a key of this kid",
				   file, set->keys[i].kid);
	}
	for (size_t i = 0; i < set->warnings.count; i++) {
		char *text = xasprintf("jwt.jwks_file: %s: %s", file, set->warnings.item[i]);
		conf_list_add(&c->warnings, text);
		free(text);
	}
}

static void resolve_jwks(struct conf *c, struct conf_faults *faults)
{
	struct jwks set;
	char *text;
	size_t len;

	if (c->jwt.jwks_file[0] == '\0')
		return;
	if (conf_read_file(c->jwt.jwks_file, JWKS_TEXT_MAX, &text, &len) != 0) {
		conf_fault(faults, conf_line(c, &c->jwt.jwks_file), "jwt.jwks_file: cannot read %s: %s",
			   c->jwt.jwks_file, strerror(errno));
		return;
	}
	size_t mark = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* UTF-8's byte order mark */
	jwks_read(&set, (struct str){text + mark, len - mark});
	take_jwks(c, faults, &set);
	conf_list_free(&set.faults);
	conf_list_free(&set.warnings);
	conf_wipe(&text, len);
}

/* All nodes make the same one, and whoever knows it does not know the other. */
static char *derived_url_secret(const struct conf *c)
{
	static const char purpose[] = "tidings media urls";
	unsigned char digest[HMAC_SHA256_LEN];
	hmac_sha256(c->jwt.own.secret, c->jwt.own.secret_len, str_from(purpose), digest);
	char *text = xcalloc(2, sizeof(digest) + 1);
	for (size_t i = 0; i < sizeof(digest); i++)
		hex_put(text + (size_t)2 * i, 2, digest[i]);
	explicit_bzero(digest, sizeof(digest));
	return text;
}

static void resolve_media(struct conf *c, struct conf_faults *faults)
{
	c->media.url_secret = xstrdup("");
	conf_take_file(c, faults, "media.url_secret", &c->media.url_secret_file, &c->media.url_secret, NULL);
	c->media.url_secret_len = strlen(c->media.url_secret);
	if (c->media.url_secret_file[0] != '\0' && !conf_place_is_bad(c, &c->media.url_secret_file) &&
	    c->media.url_secret_len < CONF_HMAC_SECRET_MIN)
		conf_fault(faults, conf_line(c, &c->media.url_secret_file),
			   "media.url_secret_file: the secret has %zu bytes; it needs at least %d",
			   c->media.url_secret_len, CONF_HMAC_SECRET_MIN);
	c->media.s3.secret_key = xstrdup("");
	conf_take_file(c, faults, "media.s3.secret_key", &c->media.s3.secret_key_file, &c->media.s3.secret_key, NULL);
	if (c->media.url_secret_len == 0 && c->jwt.own.secret_len != 0) {
		free(c->media.url_secret);
		c->media.url_secret = derived_url_secret(c);
		c->media.url_secret_len = strlen(c->media.url_secret);
	}
}

static void resolve_node_id(struct conf *c, struct conf_faults *faults)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (c->node_id[0] != '\0')
		return;
	if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0')
		conf_fault(faults, 0, "node_id: this host has no name; give one");
	else if (conf_check_node_id(host) != NULL)
		conf_fault(faults, 0, "node_id: the host name '%s' does not do; give one", host);
	free(c->node_id);
	c->node_id = xstrdup(host);
}

int64_t conf_connections_max(const struct conf *c)
{
	return (int64_t)c->workers * c->worker_connections;
}

int conf_content_json_max(const struct conf *c)
{
	int narrower = c->http.max_body < c->websocket.max_message ? c->http.max_body : c->websocket.max_message;
	return narrower / 4 * 3;
}

static void check_content(struct conf *c)
{
	int most = conf_content_json_max(c);
	if (c->message.max_content <= most)
		return;
	char *text = xasprintf("message.max_content: only %d of %d bytes are taken, three quarters of the smaller one "
			       "of http.max_body and websocket.max_message",
			       most, c->message.max_content);
	conf_list_add(&c->warnings, text);
	free(text);
}

void conf_resolve(struct conf *c, struct conf_faults *faults)
{
	if (c->workers == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		c->workers = cores < 1 ? 1 : cores > 1024 ? 1024 : (int)cores;
	}
	resolve_node_id(c, faults);
	conf_take_file(c, faults, "mysql.password", &c->mysql.password_file, &c->mysql.password, NULL);
	conf_take_file(c, faults, "redis.password", &c->redis.password_file, &c->redis.password, NULL);
	resolve_key(c, faults, &c->jwt.own);
	for (size_t i = 0; i < c->jwt.key_count; i++)
		resolve_key(c, faults, &c->jwt.keys[i]);
	resolve_jwks(c, faults);
	resolve_media(c, faults);
	conf_resolve_relay(c, faults);
	if (c->accounts && c->jwt.own.secret_len == 0)
		conf_list_add(&c->warnings, "accounts: nobody can register or log in here, for the section jwt has no "
					    "secret to sign tokens with");
	check_content(c);
	if (c->websocket.idle_timeout_secs <= c->websocket.ping_interval_secs &&
	    !conf_place_is_bad(c, &c->websocket.idle_timeout_secs) &&
	    !conf_place_is_bad(c, &c->websocket.ping_interval_secs)) {
		unsigned line = conf_line(c, &c->websocket.idle_timeout_secs);
		conf_fault(faults, line > 0 ? line : conf_line(c, &c->websocket.ping_interval_secs),
			   "websocket.idle_timeout: %d is not more than ping_interval, %d",
			   c->websocket.idle_timeout_secs, c->websocket.ping_interval_secs);
	}
}

/* The place of the option, or of another one where that is not given. */
static unsigned line_of(const struct conf *c, const void *option, const void *other)
{
	unsigned line = conf_line(c, option);
	return line > 0 ? line : conf_line(c, other);
}

static void check_sizes(const struct conf *c, struct conf_faults *faults)
{
	static const size_t path_max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	size_t len = strlen(c->run_dir) + strlen("/" CONF_CONTROL_SOCKET);
	if (len > path_max)
		conf_fault(faults, conf_line(c, &c->run_dir),
			   "run_dir: the control socket, %s/" CONF_CONTROL_SOCKET
			   ", has a path of %zu bytes; a UNIX socket's has up to %zu",
			   c->run_dir, len, path_max);
	if (conf_connections_max(c) > CONF_CONNECTIONS_MAX)
		conf_fault(
			faults, line_of(c, &c->worker_connections, &c->workers),
			"worker_connections: %d with workers = %d are %lld connections; a node holds up to %d: lower "
			"one of the two",
			c->worker_connections, c->workers, (long long)conf_connections_max(c), CONF_CONNECTIONS_MAX);
}

static void check_file(const struct conf *c, struct conf_faults *faults, const char *name, char *const *path)
{
	if (**path == '\0')
		conf_fault(faults, conf_line(c, &c->tls.listen), "%s: needed where tls.listen is given", name);
	else if (access(*path, R_OK) != 0)
		conf_fault(faults, conf_line(c, path), "%s: cannot read %s: %s", name, *path, strerror(errno));
}

/* Only that it can be there: it is the workers' user that opens it, and who tests a configuration may be another. */
static void check_access_log(const struct conf *c, struct conf_faults *faults)
{
	const char *path = c->log.access, *slash = strrchr(path, '/');
	struct stat st;
	if (path[0] == '\0')
		return;
	char *dir = slash == NULL ? xstrdup(".") : xasprintf("%.*s", (int)(slash - path) + 1, path);
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		conf_fault(faults, conf_line(c, &c->log.access), "log.access: %s is not a directory", dir);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		conf_fault(faults, conf_line(c, &c->log.access), "log.access: %s is a directory", path);
	free(dir);
}

static void check_s3(const struct conf *c, struct conf_faults *faults)
{
	const struct {
		const char *name, *value;
	} needed[] = {{"media.directory", c->media.directory},
		      {"media.s3.bucket", c->media.s3.bucket},
		      {"media.s3.region", c->media.s3.region},
		      {"media.s3.access_key", c->media.s3.access_key},
		      {"media.s3.secret_key_file", c->media.s3.secret_key}};
	if (c->media.s3.endpoint[0] == '\0')
		return;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (needed[i].value[0] == '\0')
			conf_fault(faults, conf_line(c, &c->media.s3.endpoint),
				   "%s: needed where media.s3.endpoint is given", needed[i].name);
}

static void check_directory(const struct conf *c, struct conf_faults *faults, const char *name, char *const *path)
{
	struct stat st;
	if ((*path)[0] != '\0' && (stat(*path, &st) != 0 || !S_ISDIR(st.st_mode)))
		conf_fault(faults, conf_line(c, path), "%s: %s is not a directory", name, *path);
}

char *conf_check_server(const struct conf *c)
{
	struct conf_faults faults = {0};

	if (c->listen.count + c->tls.listen.count == 0)
		conf_fault(&faults, conf_line(c, &c->listen), "listen: the server needs an address");
	if (c->jwt.own.secret_len == 0 && c->jwt.own.public_key[0] == '\0' && c->jwt.key_count + c->jwt.jwks_count == 0)
		conf_fault(&faults, conf_line(c, &c->jwt.own.algorithm),
			   "jwt: the server needs a key to verify tokens with: secret_file, public_key_file or "
			   "jwks_file");
	check_sizes(c, &faults);
	check_directory(c, &faults, "media.directory", &c->media.directory);
	if (c->media.directory[0] != '\0' && c->media.url_secret_len == 0)
		conf_fault(
			&faults, conf_line(c, &c->media.directory),
			"media.url_secret_file: needed, for the section jwt has no secret that one could be made of");
	check_s3(c, &faults);
	if (c->relay.ca_file[0] != '\0' && access(c->relay.ca_file, R_OK) != 0)
		conf_fault(&faults, conf_line(c, &c->relay.ca_file), "relay.ca_file: cannot read %s: %s",
			   c->relay.ca_file, strerror(errno));
	if (c->media.user[0] != '\0' && getpwnam(c->media.user) == NULL)
		conf_fault(&faults, conf_line(c, &c->media.user), "media.user: there is no user '%s'", c->media.user);
	if (c->user[0] != '\0' && getpwnam(c->user) == NULL)
		conf_fault(&faults, conf_line(c, &c->user), "user: there is no user '%s'", c->user);
	if (c->tls.listen.count > 0) {
		check_file(c, &faults, "tls.certificate", &c->tls.certificate);
		check_file(c, &faults, "tls.key", &c->tls.key);
	}
	check_directory(c, &faults, "admin.docroot", &c->admin.docroot);
	check_directory(c, &faults, "http.docroot", &c->http.docroot);
	check_access_log(c, &faults);
	return conf_faults_take(&faults, c->path);
}
