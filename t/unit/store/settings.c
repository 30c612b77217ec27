/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever the server is set to, every connection is set as our SQL needs it; and one that cannot be is refused, with a
 * reason that names what is wrong.
 */
#include "core/base.h"
#include "store/link.h"

#include <event2/event.h>

#include "store/settings.h"
#include "db.h"
#include "../tap.h"

static struct event_base *base;
static struct conf *conf;

/* ---- a connection to a server that means ill ---- */

struct asking {
	struct link *link;
	struct link_query query;
	struct link_result result;
	char value[256], why[512];
	bool ready, done, down;
};

static void on_ready(struct link *l, void *ctx)
{
	((struct asking *)ctx)->ready = true;
}

static void on_down(struct link *l, const char *why, void *ctx)
{
	struct asking *a = ctx;
	a->down = true;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct asking *a = container_of(q, struct asking, query);
	struct str s = row_take_str(row);
	snprintf(a->value, sizeof(a->value), "%.*s", (int)s.len, s.s != NULL ? s.s : "(null)");
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	struct asking *a = container_of(q, struct asking, query);
	a->result = *r;
	snprintf(a->why, sizeof(a->why), "%s", r->message);
	a->result.message = a->why;
	a->done = true;
}

static void turn_until(const bool *flag)
{
	while (!*flag)
		event_base_loop(base, EVLOOP_ONCE);
}

static void open_link(struct asking *a, enum settings_role role)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	*a = (struct asking){.query = {.row = on_row, .done = on_done}};
	a->link = link_new(base, conf, &(struct link_options){.name = "test", .role = role}, &events, a);
}

/* The first column of the last row. */
static const char *ask(struct asking *a, const char *text)
{
	while (!link_is_idle(a->link))
		event_base_loop(base, EVLOOP_ONCE);
	a->done = false;
	a->query.text = str_from(text);
	snprintf(a->value, sizeof(a->value), "(none)");
	link_query(a->link, &a->query);
	turn_until(&a->done);
	return a->result.outcome == LINK_OK ? a->value : a->why;
}

/* What a server may be set to, and what a connection of each role has all the same. */
static const struct {
	const char *variable, *hostile, *read, *write, *admin;
} cases[] = {
	{"sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,EMPTY_STRING_IS_NULL'",
	 "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", NULL, NULL},
	{"time_zone", "'+05:30'", "+00:00", NULL, NULL},
	{"autocommit", "0", "1", "0", "1"},
	{"completion_type", "'RELEASE'", "NO_CHAIN", NULL, NULL},
	{"tx_isolation", "'SERIALIZABLE'", "READ-COMMITTED", NULL, NULL},
	{"tx_read_only", "1", "0", NULL, NULL},
	{"innodb_lock_wait_timeout", "1000", "1", NULL, NULL},
	{"lock_wait_timeout", "31536000", "5", "5", "60"},
	{"max_statement_time", "1000", "5.000000", "0.000000", "0.000000"},
	{"wait_timeout", "28800", "8", NULL, NULL},
	{"idle_transaction_timeout", "1000", "0", NULL, NULL},
	{"idle_write_transaction_timeout", "1000", "0", NULL, NULL},
	{"idle_readonly_transaction_timeout", "1000", "0", NULL, NULL},
	{"sql_auto_is_null", "1", "0", NULL, NULL},
	{"sql_safe_updates", "1", "0", NULL, NULL},
	{"sql_select_limit", "1", "18446744073709551615", NULL, NULL},
	{"max_join_size", "1", "18446744073709551615", NULL, NULL},
	{"sql_big_selects", "0", "1", NULL, NULL},
	{"foreign_key_checks", "0", "1", NULL, NULL},
	{"unique_checks", "0", "1", NULL, NULL},
	{"old_mode", "'NO_DUP_KEY_WARNINGS_WITH_IGNORE'", "", NULL, NULL},
	{"group_concat_max_len", "1024", "1048576", NULL, NULL},
	{"character_set_client", "latin1", "utf8mb4", NULL, NULL},
	{"character_set_connection", "latin1", "utf8mb4", NULL, NULL},
	{"character_set_results", "latin1", "utf8mb4", NULL, NULL},
	{"collation_connection", "latin1_german1_ci", "utf8mb4_bin", NULL, NULL},
};

static void test_hostile_server(void)
{
	static const char *const role_name[] = {"reading", "writing", "administration"};
	/* Prepared first: some of them hold for who sets them, too. */
	struct buf set = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		buf_printf(&set, "%sGLOBAL %s=%s", i == 0 ? "SET " : ",", cases[i].variable, cases[i].hostile);
	db_sql("%s", buf_cstr(&set));
	buf_fini(&set);
	for (int role = SETTINGS_READ; role <= SETTINGS_ADMIN; role++) {
		struct asking a;
		open_link(&a, (enum settings_role)role);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const char *wanted = role == SETTINGS_WRITE && cases[i].write != NULL	? cases[i].write
					     : role == SETTINGS_ADMIN && cases[i].admin != NULL ? cases[i].admin
												: cases[i].read;
			char *text = xasprintf("SELECT @@%s", cases[i].variable);
			is_str(ask(&a, text), wanted, "%s: %s", role_name[role], cases[i].variable);
			free(text);
		}
		is_str(ask(&a, "SELECT 'it''s \\'\\\\'"), "it's '\\", "%s: a backslash escapes", role_name[role]);
		is_str(ask(&a, "SELECT HEX('\xf0\x9f\x98\x80')"), "F09F9880", "%s: an emoji is itself",
		       role_name[role]);
		link_free(&a.link);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		db_sql("SET GLOBAL %s=DEFAULT", cases[i].variable);
}

/* ---- a server that cannot be written to ---- */

static void test_read_only(void)
{
	struct asking a, reader;
	open_link(&a, SETTINGS_WRITE);
	open_link(&reader, SETTINGS_READ);
	turn_until(&a.ready);
	turn_until(&reader.ready);
	ok(!link_is_read_only(a.link) && !link_is_read_only(reader.link), "a server that can be written to");
	/* Asked all the time, it is never idle for long: it finds out all the same. */
	db_sql("SET GLOBAL read_only=1");
	while (!a.down)
		if (link_is_idle(a.link))
			ask(&a, "SELECT 1");
		else
			event_base_loop(base, EVLOOP_ONCE);
	ok(link_is_read_only(a.link) && !link_is_up(a.link), "a busy connection is given up once it is read-only: %s",
	   a.why);
	while (!link_is_away(a.link))
		event_base_loop(base, EVLOOP_ONCE);
	ok(link_is_read_only(a.link), "and no other is made");
	while (!link_is_read_only(reader.link) || !link_is_up(reader.link))
		event_base_loop(base, EVLOOP_ONCE);
	is_str(ask(&reader, "SELECT 1"), "1", "one that reads goes on");
	ok(!reader.down, "and nobody was told that it was made anew");
	a.ready = false;
	db_sql("SET GLOBAL read_only=0");
	turn_until(&a.ready);
	ok(link_is_up(a.link) && !link_is_read_only(a.link), "it is back once the server can be written to");
	while (link_is_read_only(reader.link))
		event_base_loop(base, EVLOOP_ONCE);
	ok(link_is_up(reader.link), "which the other one finds out, too");
	link_free(&reader.link);

	/* For the transaction alone; the server says 1792. */
	is_str(ask(&a, "SELECT 1"), "1", "a connection that writes");
	a.down = a.ready = false;
	ask(&a, "START TRANSACTION READ ONLY;UPDATE fences SET n=n+1");
	ok(a.result.outcome == LINK_LOST && a.down && link_is_read_only(a.link), "ends with error %u", a.result.error);
	turn_until(&a.ready);
	is_str(ask(&a, "SELECT @@tx_read_only"), "0", "and the next one can write");
	link_free(&a.link);
}

/* ---- a server that cannot be used ---- */

static void refuse(const char *what, const char *variable, const char *value, const char *back)
{
	struct asking a;
	db_sql("SET GLOBAL %s=%s", variable, value);
	open_link(&a, SETTINGS_WRITE);
	turn_until(&a.down);
	ok(!a.ready && strstr(a.why, what) != NULL, "refused: %s", a.why);
	db_sql("SET GLOBAL %s=%s", variable, back);
	turn_until(&a.ready);
	ok(link_is_up(a.link), "until it is not so any more");
	link_free(&a.link);
	open_link(&a, SETTINGS_READ);
	turn_until(&a.ready);
	link_free(&a.link);
}

/* A row as the server would send it, with one value that is not what it was set to. */
static char *read_row(size_t wrong, const char *value, size_t columns, bool *read_only_r)
{
	struct buf text = {0};
	char *column[128];
	unsigned long len[128];
	unsigned n = 0;
	settings_build(&text, SETTINGS_READ, "");
	if (mysql_query(db_handle, buf_cstr(&text)) != 0)
		db_die(mysql_error(db_handle));
	MYSQL_RES *result = NULL;
	do {
		if (result != NULL)
			mysql_free_result(result);
		result = mysql_store_result(db_handle);
	} while (mysql_next_result(db_handle) == 0);
	MYSQL_ROW got = mysql_fetch_row(result);
	for (; n < mysql_num_fields(result) && n < columns && n < ARRAY_LEN(column); n++) {
		column[n] = n == wrong ? (char *)(uintptr_t)value : got[n];
		len[n] = column[n] != NULL ? strlen(column[n]) : 0;
	}
	struct row row = {.column = column, .len = len, .count = n};
	char *fault = settings_read(&row, SETTINGS_READ, read_only_r);
	mysql_free_result(result);
	buf_fini(&text);
	return fault;
}

static void test_rows(void)
{
	bool read_only = true;
	char *fault = read_row(SIZE_MAX, NULL, SIZE_MAX, &read_only);
	ok(fault == NULL && !read_only, "as it should be");
	free(fault);
	fault = read_row(5, "utf8mb3", SIZE_MAX, &read_only);
	is_str(fault, "character_set_client is 'utf8mb3' and cannot be set to 'utf8mb4'", "a value that was not taken");
	free(fault);
	fault = read_row(5, NULL, SIZE_MAX, &read_only);
	ok(fault != NULL, "a null: %s", fault);
	free(fault);
	fault = read_row(4, "99999999999999999999", SIZE_MAX, &read_only);
	ok(fault != NULL, "the number of no setting: %s", fault);
	free(fault);
	for (size_t columns = 0; columns < 40; columns += 3) {
		fault = read_row(SIZE_MAX, NULL, columns, &read_only);
		ok(fault != NULL, "%zu columns: %s", columns, fault);
		free(fault);
	}
	static const char *const yes[] = {"1", "ON", "NO_LOCK", NULL};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		fault = read_row(0, yes[i], SIZE_MAX, &read_only);
		ok(fault == NULL && read_only, "read_only is %s", yes[i] != NULL ? yes[i] : "null");
		free(fault);
	}
}

int main(void)
{
	db_start();
	conf = db_conf("tidings");
	db_migrate(conf);
	base = event_base_new();
	test_hostile_server();
	test_read_only();
	refuse("max_allowed_packet", "max_allowed_packet", "1048576", "16777216");
	test_rows();
	event_base_free(base);
	conf_free(&conf);
	return done_testing();
}
