/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: the contract's defaults; every fault told in one pass with its own
 * line, whatever comments and strings stand before it; secrets by file; what a reload
 * may change; and that the committed sample and manual page are what the table says.
 */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/conf_table.h"
#include "../tap.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/tidings-conf-XXXXXX";

static struct conf *load(const char *text, char **err_r)
{
	char *copy = xstrdup(text);
	struct conf *c = conf_load_text("t.conf", copy, strlen(copy), err_r);
	free(copy);
	return c;
}

/* The text is refused with exactly these faults. */
static void refused(const char *text, const char *faults, const char *what)
{
	char *err = NULL;
	struct conf *c = load(text, &err);

	ok(c == NULL, "refused: %s", what);
	is_str(err, faults, "told: %s", what);
	conf_free(&c);
	free(err);
}

static struct conf *taken(const char *text, const char *what)
{
	char *err = NULL;
	struct conf *c = load(text, &err);

	is_str(err, NULL, "taken: %s", what);
	free(err);
	return c;
}

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *name, const void *data, size_t len)
{
	char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	ok(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0, "the file %s is written", name);
	free(path);
}

static void check_defaults(const struct conf *c, const char *what)
{
	is_str(c->user, "", "%s: user", what);
	is_str(c->run_dir, "/run/tidings", "%s: run_dir", what);
	ok(c->workers >= 1, "%s: workers is resolved", what);
	is_int(c->worker_connections, 16384, "%s: worker_connections", what);
	ok(c->node_id[0] != '\0', "%s: node_id is resolved", what);
	ok(c->listen.count == 1 && strcmp(c->listen.item[0], "127.0.0.1:8080") == 0, "%s: listen", what);
	ok(!c->proxy_protocol && c->accounts && c->session.presence && !c->websocket.compression, "%s: flags", what);
	ok(c->trusted_proxies.count == 1 && strcmp(c->trusted_proxies.item[0], "127.0.0.1/32") == 0,
	   "%s: trusted_proxies", what);
	is_int(c->drain_timeout_secs, 30, "%s: drain_timeout", what);
	ok(c->log.level == LOG_LEVEL_INFO && c->log.format == LOG_FORMAT_TEXT, "%s: log", what);
	is_str(c->log.target, "stderr", "%s: log.target", what);
	is_str(c->log.access, "", "%s: log.access", what);
	is_str(c->admin.listen, "127.0.0.1:8081", "%s: admin.listen", what);
	is_int(c->tls.listen.count, 0, "%s: tls.listen", what);
	is_str(c->mysql.host, "127.0.0.1", "%s: mysql.host", what);
	is_int(c->mysql.port, 3306, "%s: mysql.port", what);
	is_str(c->mysql.user, "tidings", "%s: mysql.user", what);
	is_str(c->mysql.database, "tidings", "%s: mysql.database", what);
	is_int(c->mysql.connections, 4, "%s: mysql.connections", what);
	is_int(c->redis.port, 6379, "%s: redis.port", what);
	is_str(c->redis.prefix, "tidings:", "%s: redis.prefix", what);
	ok(c->jwt.own.algorithm == JWT_HS256 && c->jwt.own.secret_len == 0 && c->jwt.key_count == 0, "%s: jwt", what);
	ok(c->jwt.jwks_file[0] == '\0' && c->jwt.jwks_count == 0, "%s: jwks_file", what);
	is_str(c->jwt.user_claim, "sub", "%s: user_claim", what);
	ok(c->jwt.leeway_secs == 30 && c->jwt.lifetime_secs == 3600, "%s: leeway, lifetime", what);
	ok(c->http.max_body == 65536 && c->http.header_timeout_secs == 10 && c->http.body_timeout_secs == 30 &&
		   c->http.keepalive_timeout_secs == 75 && c->http.cors_origins.count == 0,
	   "%s: http", what);
	ok(c->websocket.max_message == 65536 && c->websocket.ping_interval_secs == 30 &&
		   c->websocket.idle_timeout_secs == 75 && c->websocket.send_queue == 262144,
	   "%s: websocket", what);
	ok(c->message.recall_window_secs == 120 && c->message.max_content == 16384, "%s: message", what);
	ok(c->session.policy == SESSION_MULTI && c->session.max == 8, "%s: session", what);
	ok(c->limits.sends_per_second == 50 && c->limits.burst == 200 && c->limits.requests_per_second == 50 &&
		   c->limits.requests_burst == 500 && c->limits.logins_per_minute == 30,
	   "%s: limits", what);
}

/* What a command prints, to be freed; the file's content where shell is false. */
static char *content(const char *what, bool shell)
{
	FILE *f = shell ? popen(what, "r") : fopen(what, "r");
	char *text = xcalloc(1, 1 << 17);

	ok(f != NULL && fread(text, 1, (1 << 17) - 1, f) > 0, "%s says something", what);
	if (f != NULL && shell)
		is_int(pclose(f), 0, "%s ends well", what);
	else if (f != NULL)
		fclose(f);
	return text;
}

static void test_documents(void)
{
	char *sample = content(SOURCE_DIR "/conf/tidings.conf", false), *page, *made, *err = NULL;
	struct conf *c = conf_load(SOURCE_DIR "/conf/tidings.conf", &err);

	made = content(BUILD_DIR "/conf_doc sample", true);
	ok(strcmp(sample, made) == 0, "conf/tidings.conf is what conf_doc makes (else: make docs)");
	free(made);
	page = content(SOURCE_DIR "/doc/tidings.conf.5", false);
	made = content(BUILD_DIR "/conf_doc man", true);
	ok(strcmp(page, made) == 0, "doc/tidings.conf.5 is what conf_doc makes (else: make docs)");
	free(page);
	free(made);

	is_str(err, NULL, "the sample loads");
	if (c != NULL)
		check_defaults(c, "sample");
	conf_free(&c);
	/* With the marks gone, but not those of comments and of the example of a key. */
	for (char *p = sample; *p != '\0'; p++) {
		if (*p == '#' && p[1] != ' ' && strncmp(p, "#key \"", 6) != 0 && strncmp(p, "#webhook \"", 10) != 0)
			*p = ' ';
	}
	c = taken(sample, "the sample with every option in place");
	if (c != NULL)
		check_defaults(c, "whole sample");
	for (size_t i = 0; c != NULL && i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (conf_row_titled(row) == TITLED_NONE && row->type != CONF_LIST)
			ok(conf_line(c, conf_field(c, NULL, row)) > 0, "the sample has %s.%s", row->section, row->name);
	}
	conf_free(&c);
	free(sample);
}

static void test_values(void)
{
	struct conf *c = taken("/* several\n lines */ workers = 3 // three\n"
			       "node_id = \"a-1.b_c\"  listen = {\"127.0.0.1:1\", '[::1]:65535'}\n"
			       "listen += {\"unix:/tmp/s\", \"*:80\"}\n"
			       "trusted_proxies += \"10.0.0.0/8\"\n"
			       "accounts = false drain_timeout=0\n"
			       "log { level = debug format = \"json\" target = /var/log/t.log }\n"
			       "mysql { user = me password = \"a # b\\\"c\" }\n"
			       "redis { password = '' prefix = \"\" }\n"
			       "http { prefix = /api/v1\n\tcors_origins = { http://a.b:80, \"https://[::1]\" } }\n"
			       "websocket { ping_interval = 74 }\n"
			       "session { policy = device } session { max = 3 }\n"
			       "limits { burst = 1 burst = 2 }",
			       "values of all kinds");
	if (c == NULL)
		return;
	is_int(c->workers, 3, "int");
	is_str(c->node_id, "a-1.b_c", "string");
	ok(c->listen.count == 4 && strcmp(c->listen.item[1], "[::1]:65535") == 0 &&
		   strcmp(c->listen.item[2], "unix:/tmp/s") == 0 && strcmp(c->listen.item[3], "*:80") == 0,
	   "list, appended to");
	ok(c->trusted_proxies.count == 2 && strcmp(c->trusted_proxies.item[1], "10.0.0.0/8") == 0,
	   "appending keeps the default");
	ok(!c->accounts && c->drain_timeout_secs == 0, "false and zero");
	ok(c->log.level == LOG_LEVEL_DEBUG && c->log.format == LOG_FORMAT_JSON, "enums, quoted or not");
	is_str(c->mysql.password, "a # b\"c", "a string may hold the mark of a comment");
	is_str(c->redis.prefix, "", "an empty string");
	is_str(c->http.prefix, "/api/v1", "an unquoted path");
	ok(c->http.cors_origins.count == 2 && strcmp(c->http.cors_origins.item[0], "http://a.b:80") == 0,
	   "// within a word begins no comment");
	ok(c->session.policy == SESSION_DEVICE && c->session.max == 3, "a section in two parts");
	is_int(c->limits.burst, 2, "the last one counts");
	is_int(conf_line(c, &c->http.cors_origins), 11, "the line is known");
	is_int(conf_line(c, &c->http.max_body), 0, "no line for a default");
	conf_free(&c);

	static const char *const hosts[] = {"db",      "db_1.example.org", "db-1.example.org.", "10.0.0.1",
					    "fd00::1", "fe80::1%eth0",	   "localhost",		"3com.example"};
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		char *text = xasprintf("mysql { host = \"%s\" } redis { host = \"%s\" }", hosts[i], hosts[i]);
		c = taken(text, text);
		is_str(c == NULL ? "" : c->redis.host, hosts[i], "a host");
		conf_free(&c);
		free(text);
	}
	c = taken("listen = {}\nhttp { cors_origins = {} }", "empty lists");
	is_int(c == NULL ? -1 : (int)c->listen.count, 0, "a list can be emptied");
	conf_free(&c);
	c = taken("", "an empty file");
	if (c != NULL)
		check_defaults(c, "empty file");
	conf_free(&c);
}

/* As an editor of another system saves it. */
static void test_foreign_text(void)
{
	struct conf *c =
		taken("\xEF\xBB\xBFworkers = 3\r\nlog {\r\n\tlevel = debug\r\n}\r\n", "a byte order mark, and CR LF");
	if (c != NULL)
		ok(c->workers == 3 && c->log.level == LOG_LEVEL_DEBUG, "are no part of names and values");
	conf_free(&c);
	c = taken("\xEF\xBB\xBF", "a byte order mark alone");
	conf_free(&c);
	refused("\xEF\xBB\xBFwrkers = 3\n", "t.conf:1: unknown option 'wrkers'", "the first line is the first");
	refused("workers = 3\n\xEF\xBB\xBFuser = x\n", "t.conf:2: unknown option '\xEF\xBB\xBFuser'",
		"anywhere else it is what it is");
}

static void test_content(void)
{
	struct conf *c = taken("message { max_content = 49152 }", "a content of three quarters of the doors");
	if (c != NULL) {
		is_int(conf_content_json_max(c), 49152, "is taken");
		is_int(c->warnings.count, 1, "without a word");
	}
	conf_free(&c);
	c = taken("message { max_content = 2000 }\nwebsocket { max_message = 2400 }", "a longer one");
	if (c != NULL) {
		is_int(conf_content_json_max(c), 1800, "is not");
		is_str(c->warnings.count == 2 ? c->warnings.item[1] : "",
		       "message.max_content: only 1800 of 2000 bytes are taken, three quarters of the smaller one of "
		       "http.max_body and websocket.max_message",
		       "and the administrator is warned");
	}
	conf_free(&c);
}

static void test_all_faults_at_once(void)
{
	refused("# a comment\n"
		"/* one\n"
		"   more */ workers = many\n"
		"wrokers = 3\n"
		"log { level = loud # no\n"
		"      colour = blue }\n"
		"lists { a = {1, 2} b { c = d } e \"f\" { } }\n"
		"listen = { \"127.0.0.1:80\",\n"
		"           \"nowhere\", \"127.0.0.1:0\" }\n"
		"mysql { port = 65536 connections = -1\n"
		"        user = \"\" password = \"line\n"
		"of two\" }\n"
		"accounts = perhaps\n"
		"http { cors_origins = { \"https://a/\", \"https://ok.example\" }\n"
		"       prefix = \"api\" }\n"
		"unknown += { x, y }\n"
		"message { max_content = 1k recall_window = 99999999999999999999 }\n"
		"admin = 3\n"
		"workers { }\n"
		"session \"x\" { policy = one }\n"
		"websocket { ping_interval = 80 }\n",
		"t.conf:3: workers: 'many' is not a whole number\n"
		"t.conf:4: unknown option 'wrokers'\n"
		"t.conf:5: log.level: 'loud' is not one of error, warn, info or debug\n"
		"t.conf:6: unknown option 'colour' in the section 'log'\n"
		"t.conf:7: unknown section 'lists'\n"
		"t.conf:9: listen: 'nowhere': an address is HOST:PORT, [IPV6]:PORT or unix:/PATH\n"
		"t.conf:9: listen: '127.0.0.1:0': the port is not a number from 1 to 65535\n"
		"t.conf:10: mysql.port: 65536 is out of range: 1 to 65535\n"
		"t.conf:10: mysql.connections: -1 is out of range: 1 to 64\n"
		"t.conf:11: mysql.user: must not be empty\n"
		"t.conf:13: accounts: 'perhaps' is neither true nor false\n"
		"t.conf:14: http.cors_origins: 'https://a/': an origin is SCHEME://HOST or SCHEME://HOST:PORT, without "
		"a "
		"path\n"
		"t.conf:15: http.prefix: 'api': a prefix begins with '/' and does not end with one\n"
		"t.conf:16: unknown option 'unknown'\n"
		"t.conf:17: message.max_content: '1k' is not a whole number of bytes\n"
		"t.conf:17: message.recall_window: 99999999999999999999 is out of range: 0 to 31622400 of seconds\n"
		"t.conf:18: 'admin' is a section, not an option\n"
		"t.conf:19: 'workers' is an option, not a section\n"
		"t.conf:20: the section 'session' has no title\n"
		"t.conf:21: websocket.idle_timeout: 75 is not more than ping_interval, 80",
		"all faults at once");
}

static void test_syntax(void)
{
	refused("workers = 1\nuser = \"abc\n", "t.conf:2: this string has no end", "an open string");
	/* The parser's state is global: the next load has to start afresh. */
	struct conf *c = taken("workers = 5\n", "a good file after an open string");
	is_int(c == NULL ? 0 : c->workers, 5, "it is read as it stands");
	conf_free(&c);
	refused("workers = 1\n\n/* abc\n", "t.conf:3: this comment has no end", "an open comment");
	refused("log {\n level = info\n", "t.conf:1: the section 'log' is not closed", "an open section");
	refused("workers = 1\n}\n", "t.conf:2: unexpected closing brace", "a brace too many");
	refused("workers 1\n", "t.conf:1: missing equal sign after option 'workers'", "no equal sign");
	refused("\nworkers = \n", "t.conf:3: premature end of file", "no value");
	refused("workers = {1}\n", "t.conf:1: unexpected token '{'", "a list for a number");
	refused("\"\" = 1\nlog|level = info\n'' { }",
		"t.conf:1: unknown option ''\n"
		"t.conf:2: unknown option 'log|level'\n"
		"t.conf:3: unknown section ''",
		"odd names");
	refused("user = 'a\nb'", "t.conf:2: user: there is a control character in 'a?b'", "a fault stays one line");

	char *err = NULL, nul[] = "workers = 1\nuser = \0\n";
	c = conf_load_text("t.conf", nul, sizeof(nul) - 1, &err);
	ok(c == NULL, "a NUL is refused");
	is_str(err, "t.conf:2: there is a NUL byte in this line", "with its line");
	ok(nul[0] == '\0' && nul[10] == '\0', "the text is wiped");
	free(err);
	err = NULL;
	c = conf_load("/nonexistent/t.conf", &err);
	ok(c == NULL, "no file");
	is_str(err, "/nonexistent/t.conf: cannot read it: No such file or directory", "is told");
	free(err);
	err = NULL;
	c = conf_load("/", &err);
	is_str(err, "/: cannot read it: Is a directory", "a directory is no file");
	free(err);
	c = conf_load(NULL, &err);
	ok(c != NULL && c->path[0] == '\0', "no path: the defaults");
	conf_free(&c);
	conf_free(&c);
}

static void test_checks(void)
{
	static const struct {
		const char *text, *fault;
	} bad[] = {
		{"listen = \"::1:80\"", "listen: '::1:80': an IPv6 address stands in brackets: [::1]:8080"},
		{"listen = \"[zz]:80\"", "listen: '[zz]:80': there is no IPv6 address between the brackets"},
		{"listen = \"unix:s\"", "listen: 'unix:s': the path of a UNIX socket begins with '/'"},
		{"listen = {\"\"}", "listen: must not be empty"},
		{"listen = \"example.org:80\"", "listen: 'example.org:80': the host is neither a numeric address nor "
						"localhost nor '*'"},
		{"node_id = \"a b\"", "node_id: 'a b': up to 64 characters out of A-Z a-z 0-9 . _ -"},
		{"trusted_proxies = \"10.0.0.0/33\"",
		 "trusted_proxies: '10.0.0.0/33': the part after '/' is not a number of the address's bits"},
		{"http { prefix = \"/\" }", "http.prefix: '/': a prefix begins with '/' and does not end with one"},
		{"http { prefix = \"/a?b\" }",
		 "http.prefix: '/a?b': a prefix is a plain path, without percent signs, '?' or '#'"},
		{"http { cors_origins = \"https://A.example\" }",
		 "http.cors_origins: 'https://A.example': browsers send origins in lower case"},
		{"http { cors_origins = \"*\" }",
		 "http.cors_origins: '*': an origin is SCHEME://HOST or SCHEME://HOST:PORT, without a path"},
		{"websocket { idle_timeout = 30 }", "websocket.idle_timeout: 30 is not more than ping_interval, 30"},
		{"jwt { algorithm = none }",
		 "jwt.algorithm: 'none' is not one of HS256, HS384, HS512, RS256, ES256 or EdDSA"},
		{"jwt { secret = \"0123456789abcdef0123456789abcde\" }",
		 "jwt: the secret has 31 bytes; HS256 needs 32 or "
		 "more"},
		{"jwt { secret_file = \"/nonexistent\" }", "jwt: cannot read /nonexistent: No such file or directory"},
		{"jwt { secret = x secret_file = \"/nonexistent\" }", "jwt: given in place and by file; choose one"},
		{"jwt { algorithm = RS256 secret = \"" SECRET "\" }",
		 "jwt: a secret does not go with RS256, which takes a public_key_file"},
		{"jwt { key \"a\" { } }", "jwt.key \"a\": neither secret nor secret_file is given"},
		{"jwt { key \"a\" { algorithm = ES256 } }", "jwt.key \"a\": no public_key_file is given"},
		{"jwt { key \"a\" { algorithm = hs256 } }",
		 "jwt.key \"a\": algorithm: 'hs256' is not one of HS256, HS384, HS512, RS256, ES256 or EdDSA"},
		{"jwt { key { } }", "jwt.key: a kid belongs before the brace: key \"KID\" { ... }"},
		{"jwt { key \"a b\" { } }",
		 "jwt.key: a kid is 1 to 128 characters out of A-Z a-z 0-9 . _ ~ : / + = @ -"},
		{"jwt { key a { secret = \"" SECRET "\" } key a { secret = \"" SECRET "\" } }",
		 "jwt.key: \"a\" was given before, at line 1"},
		{"key \"a\" { }", "unknown section 'key'"},
		{"webhook \"a\" { }", "unknown section 'webhook'"},
		{"relay { webhook { } }", "relay.webhook: a name belongs before the brace: webhook \"NAME\" { ... }"},
		{"relay { webhook \"a b\" { } }",
		 "relay.webhook: a webhook's name is 1 to 24 characters out of A-Z a-z 0-9 . _ -"},
		{"relay { webhook a { url = \"https://h/\" } }", "relay.webhook \"a\": no secret_file is given"},
		{"relay { webhook a { url = \"ftp://h/\" } }",
		 "relay.webhook \"a\": url: 'ftp://h/': a URL begins with https:// or http://\n"
		 "t.conf:1: relay.webhook \"a\": no secret_file is given"},
		{"relay { webhook a { url = \"http://h/\" events = {typing} } }",
		 "relay.webhook \"a\": events: 'typing': an event is message, recalled, edited, read, reaction, group, "
		 "friend, "
		 "user or presence\n"
		 "t.conf:1: relay.webhook \"a\": no secret_file is given\n"
		 "t.conf:1: relay.webhook \"a\": http needs relay.allow_private, and goes to this host alone"},
		{"relay { webhook a { secret_file = \"/nonexistent\" } }",
		 "relay.webhook \"a\": cannot read /nonexistent: No such file or directory\n"
		 "t.conf:1: relay.webhook \"a\": no url is given"},
		{"mysql { password = x password_file = y }", "mysql.password: given in place and by file; choose one"},
		{"mysql { host = \"[::1]\" }", "mysql.host: '[::1]': an IPv6 address stands here without brackets"},
		{"redis { host = \"redis:6379\" }",
		 "redis.host: 'redis:6379': neither a name nor an address; the port is an option of its own"},
		{"redis { host = \"127.0.0.256\" }",
		 "redis.host: '127.0.0.256': not an address, though it ends in a number like one"},
		{"mysql { host = \"db..example\" }",
		 "mysql.host: 'db..example': the parts of a name have 1 to 63 characters"},
		{"mysql { host = \"db/1\" }",
		 "mysql.host: 'db/1': a host is an address, or a name of at most 253 letters, "
		 "digits, hyphens, underscores and dots"},
		{"jwt { algorithm = EdDSA public_key_file = \"/nonexistent\" }",
		 "jwt: cannot read /nonexistent: No such file or directory"},
		{"jwt { key a { algorithm = EdDSA } }", "jwt.key \"a\": no public_key_file is given"},
		{"jwt { algorithm = EdDSA secret = \"" SECRET "\" }",
		 "jwt: a secret does not go with EdDSA, which takes a public_key_file"},
		{"jwt { jwks_file = \"/nonexistent\" }",
		 "jwt.jwks_file: cannot read /nonexistent: No such file or directory"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *want = xasprintf("t.conf:1: %s", bad[i].fault);
		refused(bad[i].text, want, bad[i].text);
		free(want);
	}
}

static void test_secrets(void)
{
	unsigned char binary[40] = {0, 1, 2, 0xff, '\n', 0};
	char *text, *err = NULL, *big = xcalloc(1, 70000);
	struct conf *c;

	binary[38] = binary[39] = '\n';
	write_file("binary", binary, sizeof(binary));
	write_file("short", SECRET "\n", 32);
	write_file("password", "pa ss\n", 6);
	write_file("nul", "a\0b", 3);
	write_file("big", big, 70000);
	write_file("pem", "no key\n", 7);
	write_file("crlf", SECRET "\r\n", 34);
	write_file("crcrlf", "pa\rss\r\r\n", 8);
	text = xasprintf("mysql { password_file = '%s/password' }\nredis { password_file = '%s/nul' }\n"
			 "jwt {\n secret_file = '%s/binary'\n"
			 "key old { algorithm = HS512 secret = \"" SECRET "\" }\n"
			 "key new {\nalgorithm = ES256\npublic_key_file = '%s/pem' }\n"
			 "key big {\nsecret_file = '%s/big' } }\n",
			 dir, dir, dir, dir, dir);
	c = load(text, &err);
	ok(c == NULL, "bad files are refused");
	char *want = xasprintf("t.conf:2: redis.password: there is a NUL byte in %s/nul\n"
			       "t.conf:8: jwt.key \"new\": there is no public key in PEM in the file\n"
			       "t.conf:10: jwt.key \"big\": cannot read %s/big: File too large",
			       dir, dir);
	is_str(err, want, "each with its line");
	free(want);
	free(err);
	free(text);

	text = xasprintf("mysql { password_file = '%s/password' }\njwt { secret_file = '%s/binary'\n"
			 "key old { algorithm = HS512 secret = \"" SECRET
			 "\" }\nkey new { secret_file = '%s/short' }\nkey dos { secret_file = '%s/crlf' } }\n"
			 "redis { password_file = '%s/crcrlf' }\n",
			 dir, dir, dir, dir, dir);
	c = taken(text, "secrets by file");
	if (c != NULL) {
		is_str(c->mysql.password, "pa ss", "a password loses its line feed");
		ok(c->jwt.own.secret_len == 39 && memcmp(c->jwt.own.secret, binary, 39) == 0,
		   "a secret of any bytes loses one line feed");
		is_int(c->jwt.key_count, 3, "three more keys");
		is_str(c->jwt.keys[0].kid, "old", "their order is that of the file");
		ok(c->jwt.keys[0].algorithm == JWT_HS512 && c->jwt.keys[0].secret_len == 32, "the key's own options");
		is_int(c->jwt.keys[1].secret_len, 32, "a secret of exactly 32 bytes");
		is_int(c->jwt.keys[2].secret_len, 32, "a secret loses CR LF");
		is_str(c->redis.password, "pa\rss\r", "a password, too, and no other CR");
		err = conf_check_server(c);
		is_str(err, NULL, "a server can start with that");
		free(err);
	}
	conf_free(&c);
	free(text);
	free(big);
	for (size_t i = 0; i < 8; i++) {
		char *path = in_dir(
			(const char *[]){"binary", "short", "password", "nul", "big", "pem", "crlf", "crcrlf"}[i]);
		unlink(path);
		free(path);
	}
}

static void test_server(void)
{
	struct conf *c = taken(
		"listen = {}\nuser = nobody-by-that-name\nhttp { docroot = /nonexistent }\n"
		"log { access = /nonexistent/access.log }\ntls { listen = \"127.0.0.1:8443\"\nkey = /nonexistent }",
		"a file that a tool can use");
	char *err;

	if (c == NULL)
		return;
	err = conf_check_server(c);
	is_str(err,
	       "t.conf: jwt: the server needs a key to verify tokens with: secret_file, public_key_file or jwks_file\n"
	       "t.conf:2: user: there is no user 'nobody-by-that-name'\n"
	       "t.conf:3: http.docroot: /nonexistent is not a directory\n"
	       "t.conf:4: log.access: /nonexistent/ is not a directory\n"
	       "t.conf:5: tls.certificate: needed where tls.listen is given\n"
	       "t.conf:6: tls.key: cannot read /nonexistent: No such file or directory",
	       "but a server cannot");
	free(err);
	conf_free(&c);
	c = taken("listen = {}\njwt { secret = \"" SECRET "\" }", "no address");
	err = conf_check_server(c);
	is_str(err, "t.conf: listen: the server needs an address", "is a fault for a server");
	free(err);
	conf_free(&c);
}

static void test_reload(void)
{
	struct conf *running = taken("node_id = one listen = {\"127.0.0.1:1\", \"127.0.0.1:2\"}", "the running one");
	struct conf *next =
		taken("node_id = two listen = \"127.0.0.1:3\" workers = 7 log { level = debug }", "the next");
	char *names = conf_carry_over(next, running);

	is_str(names, "node_id, listen", "what needs a restart is named");
	is_str(next->node_id, "one", "and stays");
	ok(next->listen.count == 2 && strcmp(next->listen.item[1], "127.0.0.1:2") == 0, "lists too");
	ok(next->workers == 7 && next->log.level == LOG_LEVEL_DEBUG, "the rest is new");
	free(names);
	names = conf_carry_over(next, running);
	is_str(names, NULL, "nothing is left to keep");
	conf_free(&running);
	is_str(next->node_id, "one", "the values are copies");
	conf_free(&next);
}

static void note_difference(const char *option, const char *from, const char *to, bool needs_restart, void *arg)
{
	buf_printf(arg, "%s: %s -> %s%s; ", option, from, to, needs_restart ? " (restart)" : "");
}

static void test_differences(void)
{
	struct buf told = {0};
	struct conf *a =
		taken("jwt { secret = \"" SECRET "\" key \"gone\" { secret = \"" SECRET
		      "\" } key \"same\" { secret = \"" SECRET "\" } key \"new\" { secret = \"" SECRET "\" } }",
		      "some keys");
	struct conf *b = taken(
		"listen = {\"127.0.0.1:1\", \"127.0.0.1:2\"} log { level = debug } jwt { secret = \"" SECRET
		"!\" key \"same\" { secret = \"" SECRET "\" } key \"new\" { algorithm = HS512 secret = \"" SECRET SECRET
		"\" } key \"more\" { secret = \"" SECRET "\" } }",
		"others");
	conf_compare(a, a, note_difference, &told);
	is_int((long)told.len, 0, "a configuration does not differ from itself");
	conf_compare(a, b, note_difference, &told);
	is_str(buf_cstr(&told),
	       "listen: 127.0.0.1:8080 -> 127.0.0.1:1, 127.0.0.1:2 (restart); log.level: info -> debug; "
	       "jwt: its own key: HS256 -> HS256; jwt.key \"gone\": HS256 -> ; jwt.key \"new\": HS256 -> HS512; "
	       "jwt.key \"more\":  -> HS256; ",
	       "options in their order, then keys, and no secret");
	buf_fini(&told);
	conf_free(&a);
	conf_free(&b);
}

int main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	char *err = NULL;
	struct conf *c = conf_load(NULL, &err);
	is_str(err, NULL, "the defaults have no fault");
	if (c != NULL)
		check_defaults(c, "built in");
	conf_free(&c);
	test_documents();
	test_values();
	test_foreign_text();
	test_content();
	test_all_faults_at_once();
	test_syntax();
	test_checks();
	test_secrets();
	test_differences();
	test_server();
	test_reload();
	rmdir(dir);
	return done_testing();
}
