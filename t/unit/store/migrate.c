/* SPDX-License-Identifier: BSD-2-Clause */
/* Migrations: from nothing, again, from two places at once, over a half-done one, and refusing what is newer. */
#include "core/base.h"
#include "store/migrate.h"

#include "db.h"
#include "store/schema.h"
#include "../tap.h"

static int steps;

static void on_step(const char *line)
{
	steps++;
}

static int version_of(const struct conf *c)
{
	int version = -1;
	char *err = NULL;
	if (migrate_current(c, &version, &err) != 0)
		printf("# %s\n", err);
	free(err);
	return version;
}

int main(void)
{
	char *err = NULL;
	db_start();
	struct conf *c = db_conf("it's`new");
	ok(schema_file_count > 0 && schema_files[schema_file_count - 1].version == schema_version,
	   "the version is that of the last file");
	int wrong = 0;
	for (size_t i = 0; i < schema_file_count; i++)
		wrong += schema_files[i].version != (int)i + 1;
	is_int(wrong, 0, "the files are numbered from 1 on");
	is_int(version_of(c), 0, "no database: version 0");
	is_int(migrate_run(c, on_step, &err), 0, "the database is made, whatever its name");
	is_int(steps, (int)schema_file_count, "each file is applied");
	is_int(version_of(c), schema_version, "and the version stands");
	steps = 0;
	is_int(migrate_run(c, on_step, &err), 0, "again");
	is_int(steps, 0, "does nothing");

	is_int(admin_befriend(c, "a", "b", &err), 0, "two can be made friends");
	is_int(admin_befriend(c, "b", "a", &err), 0, "twice");
	db_connect(c->mysql.database);
	is_int(db_sql("SELECT COUNT(*) FROM friendships"), 2, "two rows");
	is_int(db_sql("SELECT COUNT(*) FROM users"), 2, "and both have one in users");
	is_int(db_sql("SELECT ABS(TIMESTAMPDIFF(SECOND,created_at,UTC_TIMESTAMP(3)))<60 FROM users LIMIT 1"), 1,
	       "in UTC");

	db_sql("DELETE FROM schema_migrations WHERE version=%d", schema_version);
	is_int(version_of(c), schema_version - 1, "a migration that was not finished");
	is_int(migrate_run(c, on_step, &err), 0, "is run again");
	is_int(db_sql("SELECT COUNT(*) FROM friendships"), 2, "over what it had done");

	db_sql("INSERT INTO schema_migrations (version,name) VALUES (%d,'later')", schema_version + 1);
	is_int(version_of(c), schema_version + 1, "a newer schema");
	is_int(migrate_run(c, on_step, &err), -1, "is not touched");
	ok(err != NULL && strstr(err, "newer") != NULL, "and the reason given");
	free(err);
	err = NULL;
	conf_free(&c);

	c = db_conf("neighbour");
	db_connect(NULL);
	db_sql("CREATE DATABASE neighbour");
	db_connect("neighbour");
	db_sql("CREATE TABLE users (id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,"
	       "nickname VARCHAR(64),avatar_url VARCHAR(255),password_hash VARCHAR(255) NULL,"
	       "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)");
	db_sql("INSERT INTO users (id,nickname) VALUES ('old','Old')");
	is_int(migrate_run(c, on_step, &err), 0, "another system's table of users");
	is_int(db_sql("SELECT COUNT(*) FROM users WHERE nickname='Old' AND last_seen IS NULL"), 1,
	       "keeps its rows, and gets what it lacks");
	conf_free(&c);

	c = db_conf("race");
	pid_t pid[4];
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		if ((pid[i] = fork()) == 0)
			_exit(migrate_run(c, db_told, &err) == 0 ? 0 : 1);
	int failed = 0;
	for (int i = 0; i < 4; i++) {
		int status;
		failed += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	}
	is_int(failed, 0, "four at once");
	is_int(version_of(c), schema_version, "end with the same");

	db_down(SIGTERM);
	int version;
	is_int(migrate_current(c, &version, &err), -1, "a database that is away");
	ok(err != NULL, "has a reason");
	free(err);
	conf_free(&c);
	return done_testing();
}
