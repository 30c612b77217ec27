/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of what a connection must be set to. How to change this: add a row. A variable that MariaDB and MySQL do
 * not share is put between the comments that the other one skips; MariaDB skips those for MySQL 5.7 and later.
 *
 * Which of our rules need what:
 *   sql_str()            character sets and sql_mode: NO_BACKSLASH_ESCAPES would let a text end its literal
 *   batch.c, txn.c       READ COMMITTED, READ WRITE; COMMIT must neither chain nor disconnect
 *   SQL_BEGIN            autocommit off where it writes: see sql.h
 *   unique keys          unique_checks: off, InnoDB may store a client_msg_id twice
 *   all lists            sql_select_limit and the like would cut answers short without a word
 */
#include "core/base.h"
#include "store/settings.h"

#include "store/sql.h"

#include <stdlib.h>

#define CHARSET "utf8mb4"
#define COLLATION "utf8mb4_bin"
#define NO_LIMIT "18446744073709551615"
/* A batch is at most half of that (BATCH_BYTES_MAX), and escaping may double it. */
#define PACKET_MIN ((uint64_t)2 * 1024 * 1024)

enum server_kind { OF_ALL, OF_MARIADB, OF_MYSQL };

struct setting {
	const char *name;
	const char *value; /* as SQL; NULL: set by a statement of its own, see settings_build() */
	const char *reads; /* how the server says it */
	enum server_kind of;
	const char *variable; /* where it is asked for by another name than `name` */
};

/* What depends on the role comes after these. */
static const struct setting common[] = {
	{"character_set_client", NULL, CHARSET, OF_ALL, NULL},
	{"character_set_connection", NULL, CHARSET, OF_ALL, NULL},
	{"character_set_results", NULL, CHARSET, OF_ALL, NULL},
	{"collation_connection", NULL, COLLATION, OF_ALL, NULL},
	{"transaction isolation", NULL, "READ-COMMITTED", OF_MARIADB, "tx_isolation"},
	{"transaction isolation", NULL, "READ-COMMITTED", OF_MYSQL, "transaction_isolation"},
	{"transaction read only", NULL, "0", OF_MARIADB, "tx_read_only"},
	{"transaction read only", NULL, "0", OF_MYSQL, "transaction_read_only"},
	{"sql_mode", "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", OF_ALL,
	 NULL},
	{"time_zone", "'+00:00'", "+00:00", OF_ALL, NULL},
	{"completion_type", "'NO_CHAIN'", "NO_CHAIN", OF_ALL, NULL},
	{"innodb_lock_wait_timeout", "1", "1", OF_ALL, NULL},
	/* Not longer than a COMMIT may take (LINK_ANSWER_TIMEOUT_MS), and some: the locks of a node that has vanished.
	 */
	{"wait_timeout", "8", "8", OF_ALL, NULL},
	{"idle_transaction_timeout", "0", "0", OF_MARIADB, NULL},
	{"idle_write_transaction_timeout", "0", "0", OF_MARIADB, NULL},
	{"idle_readonly_transaction_timeout", "0", "0", OF_MARIADB, NULL},
	{"sql_auto_is_null", "0", "0", OF_ALL, NULL},
	{"sql_safe_updates", "0", "0", OF_ALL, NULL},
	{"sql_select_limit", NO_LIMIT, NO_LIMIT, OF_ALL, NULL},
	{"max_join_size", NO_LIMIT, NO_LIMIT, OF_ALL, NULL},
	/* After max_join_size, which switches it off. */
	{"sql_big_selects", "1", "1", OF_ALL, NULL},
	{"foreign_key_checks", "1", "1", OF_ALL, NULL},
	{"unique_checks", "1", "1", OF_ALL, NULL},
	{"old_mode", "''", "", OF_MARIADB, NULL},
	/* The rows of a name are compared in one text (src/relay/names.c); MySQL has 1024. */
	{"group_concat_max_len", "1048576", "1048576", OF_ALL, NULL},
};

static const struct setting of_role[][4] = {
	/* Five seconds are LINK_ANSWER_TIMEOUT_MS. */
	[SETTINGS_READ] = {{"autocommit", "1", "1", OF_ALL, NULL},
			   {"lock_wait_timeout", "5", "5", OF_ALL, NULL},
			   {"max_statement_time", "5", "5.000000", OF_MARIADB, NULL},
			   {"max_execution_time", "5000", "5000", OF_MYSQL, NULL}},
	/* Here the server must not end a statement: MariaDB answers an UPDATE that was cut short with OK. */
	[SETTINGS_WRITE] = {{"autocommit", "0", "0", OF_ALL, NULL},
			    {"lock_wait_timeout", "5", "5", OF_ALL, NULL},
			    {"max_statement_time", "0", "0.000000", OF_MARIADB, NULL},
			    {"max_execution_time", "0", "0", OF_MYSQL, NULL}},
	[SETTINGS_ADMIN] = {{"autocommit", "1", "1", OF_ALL, NULL},
			    {"lock_wait_timeout", "60", "60", OF_ALL, NULL},
			    {"max_statement_time", "0", "0.000000", OF_MARIADB, NULL},
			    {"max_execution_time", "0", "0", OF_MYSQL, NULL}},
};

#define SETTINGS (ARRAY_LEN(common) + ARRAY_LEN(of_role[0]))

static const struct setting *setting_at(enum settings_role role, size_t i)
{
	return i < ARRAY_LEN(common) ? &common[i] : &of_role[role][i - ARRAY_LEN(common)];
}

static const char *comment_begin(enum server_kind of)
{
	return of == OF_MARIADB ? "/*M!100300 " : of == OF_MYSQL ? "/*!80000 " : "";
}

static const char *comment_end(enum server_kind of)
{
	return of == OF_ALL ? "" : "*/";
}

void settings_build(struct buf *text, enum settings_role role, const char *database)
{
	sql_lit(text, "SET NAMES " CHARSET " COLLATE " COLLATION ";SET SESSION TRANSACTION ISOLATION LEVEL READ "
		      "COMMITTED,READ WRITE;SET SESSION ");
	bool first = true;
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = setting_at(role, i);
		if (s->value == NULL)
			continue;
		buf_printf(text, "%s%s%s=%s%s", comment_begin(s->of), first ? "" : ",", s->name, s->value,
			   comment_end(s->of));
		first = false;
	}
	if (database[0] != '\0') {
		sql_lit(text, ";USE ");
		sql_name(text, database);
	}
	sql_lit(text, ";SELECT @@global.read_only,@@global.innodb_read_only,@@max_allowed_packet,");
	/* Where this is not 0, the server's log of statements cannot hold what READ COMMITTED writes. */
	sql_lit(text, "0/*M!100300 +(@@global.log_bin AND @@binlog_format='STATEMENT')*/");
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = setting_at(role, i);
		buf_printf(text, "%s,%zu,@@%s%s", comment_begin(s->of), i, s->variable != NULL ? s->variable : s->name,
			   comment_end(s->of));
	}
}

bool settings_row_is_read_only(struct row *row)
{
	bool read_only = false;
	for (int i = 0; i < 2; i++) {
		struct str value = row_take_str(row);
		/* MariaDB 12 knows more kinds of ON. */
		read_only |= !str_is(value, "0") && !str_is(value, "OFF");
	}
	return read_only;
}

/* The row goes on with pairs: the number of a setting, and its value. */
static char *find_wrong(struct row *row, enum settings_role role)
{
	bool seen[SETTINGS] = {false};
	while (row->at + 1 < row->count) {
		uint64_t i = row_take_u64(row);
		struct str value = row_take_str(row);
		if (i >= SETTINGS)
			break;
		const struct setting *s = setting_at(role, i);
		seen[i] = true;
		if (!str_is(value, s->reads))
			return xasprintf("%s is '%.*s' and cannot be set to '%s'", s->name, (int)value.len,
					 value.s != NULL ? value.s : "", s->reads);
	}
	for (size_t i = 0; i < SETTINGS; i++)
		if (!seen[i] && setting_at(role, i)->of == OF_ALL)
			return xasprintf("the server does not say what %s is", setting_at(role, i)->name);
	return NULL;
}

char *settings_read(struct row *row, enum settings_role role, bool *read_only_r)
{
	if (row->count < 4)
		return xstrdup("the server does not say how the connection is set");
	*read_only_r = settings_row_is_read_only(row);
	uint64_t packet = row_take_u64(row);
	bool by_statement = row_take_bool(row);
	if (role == SETTINGS_WRITE && packet < PACKET_MIN)
		return xasprintf("max_allowed_packet is %llu; this server needs %llu or more",
				 (unsigned long long)packet, (unsigned long long)PACKET_MIN);
	if (role != SETTINGS_READ && by_statement)
		return xstrdup("binlog_format is STATEMENT, which refuses READ COMMITTED; set it to ROW or MIXED");
	return find_wrong(row, role);
}
