/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A MariaDB of the test's own: in a temporary directory, on a UNIX socket, stopped
 * with the test. db_sql() asks it directly, past the store.
 */
#ifndef TIDINGS_T_STORE_DB_H
#define TIDINGS_T_STORE_DB_H

#include "core/base.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mysql.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/conf.h"
#include "store/migrate.h"

static char db_dir[64], db_socket[96], db_tmp[96]; /* the last as an option: servers that share one meddle there */
static pid_t db_pid;
static MYSQL *db_handle;
static pid_t db_owner;

static inline void db_sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static inline void db_die(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static inline pid_t db_spawn(const char *const argv[])
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char log[128];
	snprintf(log, sizeof(log), "%s/log", db_dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static inline void db_disconnect(void)
{
	if (db_handle != NULL)
		mysql_close(db_handle);
	db_handle = NULL;
}

static inline bool db_connect(const char *database)
{
	db_disconnect();
	db_handle = mysql_init(NULL);
	/* As the server's own connections, wherever the machine is: it keeps times in UTC. */
	mysql_options(db_handle, MYSQL_INIT_COMMAND, "SET time_zone='+00:00'");
	if (mysql_real_connect(db_handle, NULL, "root", "", database, 0, db_socket, CLIENT_MULTI_STATEMENTS) != NULL)
		return true;
	db_disconnect();
	return false;
}

/* Starts the server and waits until it answers. */
static inline void db_up(void)
{
	char data[96], sock[128], pid[128];
	snprintf(data, sizeof(data), "--datadir=%s/data", db_dir);
	snprintf(sock, sizeof(sock), "--socket=%s", db_socket);
	snprintf(pid, sizeof(pid), "--pid-file=%s/pid", db_dir);
	const char *argv[] = {"mariadbd",
			      "--no-defaults",
			      data,
			      sock,
			      pid,
			      db_tmp,
			      "--skip-networking",
			      "--innodb-flush-log-at-trx-commit=1",
			      "--innodb-buffer-pool-size=64M",
			      "--innodb-log-file-size=16M",
			      "--skip-name-resolve",
			      geteuid() == 0 ? "--user=root" : NULL,
			      NULL};
	db_pid = db_spawn(argv);
	for (int i = 0; i < 1500; i++) {
		if (db_connect(NULL))
			return;
		if (waitpid(db_pid, NULL, WNOHANG) == db_pid)
			db_die("mariadbd did not start");
		db_sleep_ms(20);
	}
	db_die("mariadbd does not answer");
}

/* SIGKILL is a crash, SIGTERM an orderly end. */
static inline void db_down(int sig)
{
	db_disconnect();
	if (db_pid > 0) {
		kill(db_pid, SIGCONT);
		kill(db_pid, sig);
		waitpid(db_pid, NULL, 0);
	}
	db_pid = 0;
}

/* Until SIGCONT or db_down(). The signal alone would stop it a moment later only. */
static inline void db_freeze(void)
{
	kill(db_pid, SIGSTOP);
	if (waitpid(db_pid, NULL, WUNTRACED) != db_pid)
		db_die("the database does not stop");
}

static inline int db_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static inline void db_cleanup(void)
{
	if (getpid() != db_owner)
		return;
	db_down(SIGKILL);
	nftw(db_dir, db_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool db_find(const char *program)
{
	char *path = xstrdup(getenv("PATH") != NULL ? getenv("PATH") : "");
	bool found = false;
	for (char *rest = path, *dir; !found && (dir = strsep(&rest, ":")) != NULL;) {
		char *full = xasprintf("%s/%s", dir, program);
		found = access(full, X_OK) == 0;
		free(full);
	}
	free(path);
	return found;
}

/* The data of an empty server: a copy of what t/00unit.t has, where it runs this. */
static inline void db_fill(void)
{
	char option[96];
	const char *data = option + strlen("--datadir="), *empty = getenv("TIDINGS_EMPTY_MARIADB");
	snprintf(option, sizeof(option), "--datadir=%s/data", db_dir);
	const char *copy[] = {"cp", "-R", empty, data, NULL};
	const char *install[] = {"mysql_install_db",
				 "--no-defaults",
				 option,
				 db_tmp,
				 "--auth-root-authentication-method=normal",
				 "--skip-test-db",
				 geteuid() == 0 ? "--user=root" : NULL,
				 NULL};
	int status;
	pid_t pid = db_spawn(empty != NULL ? copy : install);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		db_die(empty != NULL ? "cp" : "mysql_install_db");
}

static inline void db_start(void)
{
	char *path =
		xasprintf("%s:/usr/sbin:/usr/local/sbin", getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
	setenv("PATH", path, 1);
	free(path);
	if (!db_find("mariadbd") || !db_find("mysql_install_db"))
		db_die("mariadbd and mysql_install_db are needed (Debian: mariadb-server)");
	snprintf(db_dir, sizeof(db_dir), "/tmp/tidings-store-XXXXXX");
	if (mkdtemp(db_dir) == NULL)
		db_die("mkdtemp");
	snprintf(db_socket, sizeof(db_socket), "%s/sock", db_dir);
	db_owner = getpid();
	atexit(db_cleanup);
	snprintf(db_tmp, sizeof(db_tmp), "--tmpdir=%s/tmp", db_dir);
	if (mkdir(strchr(db_tmp, '/'), 0700) != 0)
		db_die("mkdir");
	db_fill();
	db_up();
}

static inline void db_set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

/* The default configuration, pointing here. */
static inline struct conf *db_conf(const char *database)
{
	char *err = NULL;
	struct conf *c = conf_load(NULL, &err);
	if (c == NULL)
		db_die(err);
	db_set(&c->mysql.socket, db_socket);
	db_set(&c->mysql.user, "root");
	db_set(&c->mysql.database, database);
	return c;
}

static inline void db_told(const char *line)
{
}

static inline void db_migrate(const struct conf *c)
{
	char *err = NULL;
	if (migrate_run(c, db_told, &err) != 0)
		db_die(err);
	if (!db_connect(c->mysql.database))
		db_die("no database after migrating");
}

/* Runs statements; the first column of the first row of the last result as a number, 0 if none. */
static inline long long db_sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline long long db_sql(const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	long long number = 0;
	if (mysql_query(db_handle, text) != 0) {
		printf("# %s\n# %s\n", text, mysql_error(db_handle));
		db_die("SQL");
	}
	do {
		MYSQL_RES *r = mysql_store_result(db_handle);
		MYSQL_ROW row = r != NULL ? mysql_fetch_row(r) : NULL;
		number = row != NULL && row[0] != NULL ? atoll(row[0]) : 0;
		if (r != NULL)
			mysql_free_result(r);
	} while (mysql_next_result(db_handle) == 0);
	free(text);
	return number;
}

static inline void db_befriend(const char *a, const char *b)
{
	db_sql("INSERT INTO friendships (user_id,friend_id) VALUES ('%s','%s'),('%s','%s') "
	       "ON DUPLICATE KEY UPDATE blocked=0",
	       a, b, b, a);
}

/* How many runs of deleted messages touch or name one that was not deleted; and those deleted that are in no run. */
static inline long long db_wrong_runs(void)
{
	return db_sql("SELECT COUNT(*) FROM deletions a JOIN deletions b ON b.user_id=a.user_id AND "
		      "b.conversation_id=a.conversation_id AND b.first_seq>a.first_seq AND b.first_seq<=a.last_seq+1") +
	       db_sql("SELECT COUNT(*) FROM deletions WHERE first_seq>last_seq OR first_seq=0") +
	       db_sql("SELECT ABS((SELECT COALESCE(SUM(last_seq-first_seq+1),0) FROM deletions WHERE "
		      "conversation_id<(1<<34))-"
		      "(SELECT COALESCE(SUM(deleted_by_sender+deleted_by_recipient),0) FROM messages))") +
	       db_sql("SELECT COUNT(*) FROM deletions d JOIN messages m ON m.id BETWEEN (d.conversation_id<<28)+"
		      "d.first_seq AND (d.conversation_id<<28)+d.last_seq WHERE m.to_user_id<>'' AND "
		      "IF(m.from_user_id=d.user_id,m.deleted_by_sender,m.deleted_by_recipient)=0");
}

/* How many sides of conversations have not been read up to their last mark. */
static inline long long db_wrong_marks(void)
{
	return db_sql(
		"SELECT COUNT(*) FROM (SELECT id,user1_id AS user_id,user1_read_seq AS read_seq FROM "
		"conversations UNION ALL SELECT id,user2_id,user2_read_seq FROM conversations) s LEFT JOIN (SELECT "
		"conversation_id,user_id,MAX(up_to_seq) AS up_to_seq FROM read_marks GROUP BY "
		"conversation_id,user_id) r ON r.conversation_id=s.id AND r.user_id=s.user_id WHERE "
		"s.read_seq<>COALESCE(r.up_to_seq,0)");
}

/*
 * How many conversations do not say what their messages do: seqs without gaps, in order of time,
 * and every counter what a recount gives.
 */
static inline long long db_wrong(void)
{
	return db_sql("SELECT COUNT(*) FROM conversations c LEFT JOIN (SELECT m.id>>28 AS cid,COUNT(*) "
		      "n,MAX(m.id&268435455) top,"
		      "MIN(m.id&268435455) low,MAX(m.created_at) newest,"
		      "SUM(m.to_user_id=d.user1_id AND m.is_read=0 AND (m.id&268435455)>d.user1_read_seq AND "
		      "m.is_recalled=0 "
		      "AND m.deleted_by_recipient=0 AND (m.id&268435455)>=COALESCE(d.user1_first_seq,1)) "
		      "unread1,SUM(m.to_user_id=d.user1_id AND m.is_read=0 AND "
		      "(m.id&268435455)>d.user1_read_seq AND (m.is_recalled=1 OR m.deleted_by_recipient=1 OR "
		      "(m.id&268435455)<COALESCE(d.user1_first_seq,1))) dead1,"
		      "SUM(m.to_user_id=d.user2_id AND m.is_read=0 AND (m.id&268435455)>d.user2_read_seq AND "
		      "m.is_recalled=0 "
		      "AND m.deleted_by_recipient=0 AND (m.id&268435455)>=COALESCE(d.user2_first_seq,1)) "
		      "unread2,SUM(m.to_user_id=d.user2_id AND m.is_read=0 AND "
		      "(m.id&268435455)>d.user2_read_seq AND (m.is_recalled=1 OR m.deleted_by_recipient=1 OR "
		      "(m.id&268435455)<COALESCE(d.user2_first_seq,1))) dead2,"
		      "MAX(IF(IF(m.from_user_id=d.user1_id,m.deleted_by_sender,m.deleted_by_recipient) OR "
		      "(m.id&268435455)<COALESCE(d.user1_first_seq,1),0,m.id)) last1,"
		      "MAX(IF(IF(m.from_user_id=d.user2_id,m.deleted_by_sender,m.deleted_by_recipient) OR "
		      "(m.id&268435455)<COALESCE(d.user2_first_seq,1),0,m.id)) last2,"
		      "SUM(m.is_recalled AND (m.content IS NOT NULL OR m.media_url IS NOT NULL OR m.extra IS NOT "
		      "NULL)) kept,"
		      "SUM(m.is_read<>(m.read_at IS NOT NULL) OR m.is_recalled<>(m.recalled_at IS NOT NULL)) odd "
		      "FROM messages m JOIN conversations d ON d.id=m.id>>28 GROUP BY m.id>>28) x ON x.cid=c.id "
		      "LEFT JOIN (SELECT conversation_id,COUNT(*) n,SUM(kind=4) moved,MAX(change_seq) top FROM changes "
		      "GROUP BY "
		      "conversation_id) y "
		      "ON y.conversation_id=c.id WHERE NOT (c.last_seq=COALESCE(x.n,0) AND "
		      "c.last_seq=COALESCE(x.top,0) AND "
		      "COALESCE(x.low,1)=1 AND c.last_message_time<=>x.newest AND c.user1_unread=COALESCE(x.unread1,0) "
		      "AND "
		      "c.user2_unread=COALESCE(x.unread2,0) AND c.user1_last_id=COALESCE(x.last1,0) AND "
		      "c.user2_last_id=COALESCE(x.last2,0) AND COALESCE(x.kept,0)=0 AND COALESCE(x.odd,0)=0 AND "
		      "c.user1_dead=COALESCE(x.dead1,0) AND c.user2_dead=COALESCE(x.dead2,0) AND "
		      "(c.change_seq=COALESCE(y.n,0) OR (y.moved>0 AND c.change_seq>y.n)) AND "
		      "c.change_seq=COALESCE(y.top,0) AND "
		      "c.sort_time>=COALESCE(c.last_message_time,c.created_at) AND c.user1_id<c.user2_id)") +
	       db_sql("SELECT COUNT(*) FROM messages a JOIN messages b ON b.id=a.id+1 WHERE "
		      "b.created_at<a.created_at") +
	       db_wrong_runs() + db_wrong_marks() +
	       db_sql("SELECT COUNT(*) FROM messages m LEFT JOIN conversations c ON c.id=m.id>>28 WHERE "
		      "m.to_user_id<>'' AND "
		      "(c.id IS NULL OR NOT "
		      "((c.user1_id=m.from_user_id AND c.user2_id=m.to_user_id) OR "
		      "(c.user2_id=m.from_user_id AND c.user1_id=m.to_user_id)))");
}

#endif
