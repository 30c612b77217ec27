/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Migrations and the few things that tidingsctl does to the database. Waits for each
 * answer in an event loop of its own.
 */
#include "core/base.h"
#include "store/migrate.h"

#include "store/link.h"
#include "store/schema.h"
#include "store/sql.h"

#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>

#define CHECK_TIMEOUT_MS 3000
#define MIGRATE_TIMEOUT_MS (3600u * 1000)
#define LOCK_SECS "60"

struct session {
	struct event_base *base;
	struct link *link;
	struct link_query query;
	bool ready, waiting;
	char *why;	 /* the link is down, or the query failed */
	bool has_number; /* the first column of the first row */
	uint64_t number;
};

static void on_ready(struct link *l, void *ctx)
{
	struct session *s = ctx;
	(void)l;
	s->ready = true;
	if (!s->waiting)
		event_base_loopbreak(s->base);
}

static void on_down(struct link *l, const char *why, void *ctx)
{
	struct session *s = ctx;
	(void)l;
	s->ready = false;
	if (s->why == NULL)
		s->why = xstrdup(why);
	event_base_loopbreak(s->base);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct session *s = container_of(q, struct session, query);
	(void)stmt;
	if (s->has_number)
		return;
	s->has_number = true;
	s->number = row_take_u64(row);
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	struct session *s = container_of(q, struct session, query);
	s->waiting = false;
	if (r->outcome != LINK_OK && s->why == NULL)
		s->why = xstrdup(r->message);
	event_base_loopbreak(s->base);
}

static void session_close(struct session *s)
{
	link_free(&s->link);
	event_base_free(s->base);
	free(s->why);
}

/* Takes the reason, after which the session is closed. */
static int fail(struct session *s, const char *doing, char **err_r)
{
	*err_r = xasprintf("%s: %s", doing, s->why != NULL ? s->why : "no answer");
	session_close(s);
	return -1;
}

static int session_open(struct session *s, const struct conf *conf, unsigned timeout_ms, char **err_r)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	*s = (struct session){.base = event_base_new(), .query = {.row = on_row, .done = on_done}};
	const struct link_options options = {
		.name = "administration",
		.role = SETTINGS_ADMIN,
		.database = "",
		.answer_timeout_ms = timeout_ms,
		.once = true,
	};
	s->link = link_new(s->base, conf, &options, &events, s);
	while (!s->ready && s->why == NULL)
		event_base_loop(s->base, EVLOOP_ONCE);
	return s->ready ? 0 : fail(s, "the database does not answer", err_r);
}

static int run(struct session *s, struct str text)
{
	s->waiting = true;
	s->has_number = false;
	s->number = 0;
	s->query.text = text;
	while (!link_is_idle(s->link) && s->why == NULL)
		event_base_loop(s->base, EVLOOP_ONCE);
	if (s->why != NULL)
		return -1;
	link_query(s->link, &s->query);
	while (s->waiting)
		event_base_loop(s->base, EVLOOP_ONCE);
	return s->why == NULL ? 0 : -1;
}

static int run_buf(struct session *s, struct buf *b)
{
	int status = run(s, (struct str){b->data, b->len});
	buf_fini(b);
	return status;
}

/* Whether the database has the table of versions, and if so which stands; 0: none. */
static int read_version(struct session *s, const struct conf *conf, int *version_r)
{
	struct buf b = {0};
	sql_lit(&b, "SELECT COUNT(*) FROM information_schema.tables WHERE table_name='schema_migrations' AND "
		    "table_schema=");
	sql_str(&b, str_from(conf->mysql.database));
	if (run_buf(s, &b) != 0)
		return -1;
	*version_r = 0;
	if (s->number == 0)
		return 0;
	b = (struct buf){0};
	sql_lit(&b, "SELECT COALESCE(MAX(version),0) FROM ");
	sql_name(&b, conf->mysql.database);
	sql_lit(&b, ".schema_migrations");
	if (run_buf(s, &b) != 0)
		return -1;
	*version_r = s->number < INT_MAX ? (int)s->number : INT_MAX;
	return 0;
}

int migrate_current(const struct conf *conf, int *version_r, char **err_r)
{
	struct session s;
	if (session_open(&s, conf, CHECK_TIMEOUT_MS, err_r) != 0)
		return -1;
	if (read_version(&s, conf, version_r) != 0)
		return fail(&s, "reading the schema's version", err_r);
	session_close(&s);
	return 0;
}

static int use_database(struct session *s, const struct conf *conf)
{
	struct buf b = {0};
	/* Asked first, for who may not create databases may still use this one. */
	sql_lit(&b, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name=");
	sql_str(&b, str_from(conf->mysql.database));
	if (run_buf(s, &b) != 0)
		return -1;
	b = (struct buf){0};
	if (s->number == 0) {
		sql_lit(&b, "CREATE DATABASE IF NOT EXISTS ");
		sql_name(&b, conf->mysql.database);
		sql_lit(&b, " CHARACTER SET utf8mb4;");
	}
	sql_lit(&b, "USE ");
	sql_name(&b, conf->mysql.database);
	return run_buf(s, &b);
}

static int take_lock(struct session *s, const struct conf *conf)
{
	struct buf b = {0};
	char *name = xasprintf("tidings:%.50s", conf->mysql.database);
	sql_lit(&b, "SELECT GET_LOCK(");
	sql_str(&b, str_from(name));
	sql_lit(&b, "," LOCK_SECS ")");
	free(name);
	if (run_buf(s, &b) != 0)
		return -1;
	if (s->number == 1)
		return 0;
	s->why = xstrdup("another migration is running");
	return -1;
}

/* The statements of a file end with ';' at the end of a line. */
static int apply(struct session *s, const struct schema_file *file)
{
	struct buf b = {0};
	for (const char *at = file->text, *end; (end = strstr(at, ";\n")) != NULL; at = end + 2)
		if (run(s, (struct str){at, (size_t)(end - at)}) != 0)
			return -1;
	sql_lit(&b, "INSERT INTO schema_migrations (version,name) VALUES (");
	sql_u64(&b, (uint64_t)file->version);
	buf_append_char(&b, ',');
	sql_str(&b, str_from(file->name));
	sql_lit(&b, ") ON DUPLICATE KEY UPDATE name=VALUES(name)");
	return run_buf(s, &b);
}

int migrate_run(const struct conf *conf, void (*told)(const char *line), char **err_r)
{
	static const struct str table =
		STR_LIT("CREATE TABLE IF NOT EXISTS schema_migrations (version INT UNSIGNED NOT NULL PRIMARY KEY,"
			"name VARCHAR(255) NOT NULL,applied_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)))"
			" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4");
	struct session s;
	int version;
	if (session_open(&s, conf, MIGRATE_TIMEOUT_MS, err_r) != 0)
		return -1;
	if (use_database(&s, conf) != 0)
		return fail(&s, conf->mysql.database, err_r);
	if (take_lock(&s, conf) != 0 || run(&s, table) != 0 || read_version(&s, conf, &version) != 0)
		return fail(&s, "beginning the migration", err_r);
	if (version > schema_version) {
		s.why = xasprintf("version %d, and this program knows %d", version, schema_version);
		return fail(&s, "the schema is newer than this program", err_r);
	}
	for (size_t i = 0; i < schema_file_count; i++) {
		const struct schema_file *file = &schema_files[i];
		if (file->version <= version)
			continue;
		if (apply(&s, file) != 0)
			return fail(&s, file->name, err_r);
		char *line = xasprintf("applied %s", file->name);
		told(line);
		free(line);
	}
	session_close(&s);
	return 0;
}

int admin_befriend(const struct conf *conf, const char *a, const char *b, char **err_r)
{
	struct session s;
	struct buf text = {0};
	struct str one = str_from(a), other = str_from(b);
	if (session_open(&s, conf, 0, err_r) != 0)
		return -1;
	sql_lit(&text, "USE ");
	sql_name(&text, conf->mysql.database);
	sql_lit(&text, ";START TRANSACTION;INSERT INTO users (id) VALUES (");
	sql_str(&text, one);
	sql_lit(&text, "),(");
	sql_str(&text, other);
	sql_lit(&text, ") ON DUPLICATE KEY UPDATE id=VALUES(id);INSERT INTO friendships (user_id,friend_id) VALUES ");
	sql_pair(&text, one, other);
	buf_append_char(&text, ',');
	sql_pair(&text, other, one);
	sql_lit(&text, " ON DUPLICATE KEY UPDATE user_id=VALUES(user_id);COMMIT");
	if (run_buf(&s, &text) != 0)
		return fail(&s, "making friends", err_r);
	session_close(&s);
	return 0;
}
