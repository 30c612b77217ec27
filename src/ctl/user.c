/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user add, passwd, show: accounts from the command line, past the server, on the configured database. revoke, disable,
 * enable, erase: likewise; the workers of all nodes read it within a second (live/revoked.h).
 */
#include "core/base.h"
#include "ctl/ctl.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/password.h"
#include "core/utf8.h"
#include "store/account.h"
#include "store/erasure.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static const char usage[] = "user add USER [--nickname NAME] | passwd USER | show USER | revoke USER | disable USER | "
			    "enable USER | erase USER";

/* One question to the store, and the loop that waits for its answer. */
struct question {
	struct event_base *base;
	struct store *store;
	enum store_status status;
	int (*tell)(const struct ctl *ctl, const struct store_user *u);
	const struct ctl *ctl;
	int exit_status;
};

static void on_answer(const struct store_user *u, void *arg)
{
	struct question *q = arg;
	q->status = u->status;
	if (u->status == STORE_OK)
		q->exit_status = q->tell(q->ctl, u);
	event_base_loopbreak(q->base);
}

static void open_store(struct question *q, const struct ctl *ctl,
		       int (*tell)(const struct ctl *ctl, const struct store_user *u))
{
	*q = (struct question){.ctl = ctl, .tell = tell, .exit_status = 1};
	q->base = event_base_new();
	q->store = store_new(q->base, ctl->conf, NULL, NULL);
}

/* Waits, and says what went wrong. */
static int close_store(struct question *q, const char *user)
{
	event_base_dispatch(q->base);
	bool read_only = store_is_read_only(q->store);
	store_free(&q->store);
	event_base_free(q->base);
	switch (q->status) {
	case STORE_OK:
		return q->exit_status;
	case STORE_TAKEN:
		return ctl_fail("there is a user %s already", user);
	case STORE_NOT_FOUND:
		return ctl_fail("there is no user %s", user);
	default:
		return ctl_fail(read_only ? "the database is read-only" : "the database does not answer");
	}
}

/* ---- what is told ---- */

static void put_access(struct json_out *o, const struct store_account *a)
{
	json_put_bool(o, "disabled", a->state.disabled);
	json_put_time(o, "revoked_at", a->state.revoked_ms);
	json_put_time(o, "erased_at", a->state.erased_ms);
	json_put_u64(o, "logins", a->logins);
}

/* a: what is known beside it; NULL: nothing. */
static void print_json(const struct store_user *u, const struct store_account *a)
{
	struct json_out *o = json_out_new();
	struct buf b = {0};
	json_begin(o, &b);
	json_object(o);
	json_put_cstr(o, "user_id", u->profile->user_id);
	json_put_str(o, "nickname", u->profile->nickname);
	json_put_str(o, "avatar_url", u->profile->avatar_url);
	json_put_time(o, "created_at", u->profile->created_ms);
	json_put_time(o, "last_seen", u->last_seen_ms);
	json_put_bool(o, "has_password", u->password_hash.s != NULL);
	if (a != NULL)
		put_access(o, a);
	json_object_end(o);
	printf("%.*s\n", (int)b.len, b.data);
	buf_fini(&b);
	json_out_free(&o);
}

static void print_time(const char *name, int64_t ms)
{
	char text[CLOCK_RFC3339_LEN + 1] = "never";
	if (ms != 0)
		clock_format_rfc3339(text, ms);
	printf("%-12s %s\n", name, text);
}

static void print_user(const struct store_user *u)
{
	printf("%-12s %s\n", "user_id", u->profile->user_id);
	printf("%-12s %.*s\n", "nickname", (int)u->profile->nickname.len,
	       u->profile->nickname.s != NULL ? u->profile->nickname.s : "");
	printf("%-12s %.*s\n", "avatar_url", (int)u->profile->avatar_url.len,
	       u->profile->avatar_url.s != NULL ? u->profile->avatar_url.s : "");
	printf("%-12s %s\n", "password", u->password_hash.s != NULL ? "set" : "none: cannot log in here");
	print_time("created_at", u->profile->created_ms);
	print_time("last_seen", u->last_seen_ms);
}

static int tell_user(const struct ctl *ctl, const struct store_user *u)
{
	if (ctl->json) {
		print_json(u, NULL);
		return 0;
	}
	print_user(u);
	return 0;
}

static int tell_account(const struct ctl *ctl, const struct store_account *a)
{
	if (ctl->json) {
		print_json(a->user, a);
		return 0;
	}
	print_user(a->user);
	printf("%-12s %s\n", "disabled", a->state.disabled ? "yes" : "no");
	print_time("revoked_at", a->state.revoked_ms);
	print_time("erased_at", a->state.erased_ms);
	printf("%-12s %" PRIu64 "\n", "logins", a->logins);
	return 0;
}

static int tell_nothing(const struct ctl *ctl, const struct store_user *u)
{
	(void)ctl;
	(void)u;
	return 0;
}

/* ---- passwords ---- */

/* The next line of standard input, without echo where that is a terminal. False at its end. */
static bool read_line(const char *prompt, char *out, size_t size)
{
	struct termios shown, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	if (terminal) {
		fputs(prompt, stderr);
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	bool got = fgets(out, (int)size, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (!got)
		return false;
	size_t len = strcspn(out, "\n");
	out[len] = '\0';
	if (len > 0 && out[len - 1] == '\r')
		out[len - 1] = '\0';
	return true;
}

/* A hash of the password that is asked for, to be freed; NULL after having said why not. */
static char *ask_password(void)
{
	char password[PASSWORD_MAX + 2], again[PASSWORD_MAX + 2];
	char *hash = NULL;
	size_t len;
	if (!read_line("Password: ", password, sizeof(password)) ||
	    (isatty(STDIN_FILENO) && !read_line("Again: ", again, sizeof(again))))
		ctl_fail("the password is read from standard input, one line");
	else if ((len = strlen(password)) < PASSWORD_MIN || len > PASSWORD_MAX || !utf8_valid(password, len))
		ctl_fail("the password has to be of %d to %d bytes of UTF-8", PASSWORD_MIN, PASSWORD_MAX);
	else if (isatty(STDIN_FILENO) && strcmp(password, again) != 0)
		ctl_fail("these were two passwords");
	else if ((hash = password_hash(password)) == NULL)
		ctl_fail("libcrypt cannot hash the password");
	explicit_bzero(password, sizeof(password));
	explicit_bzero(again, sizeof(again));
	return hash;
}

/* ---- commands ---- */

static int add(const struct ctl *ctl, const char *user, struct str nickname)
{
	struct question q;
	char *hash = ask_password();
	if (hash == NULL)
		return 1;
	open_store(&q, ctl, tell_user);
	/* The administrator may give an id that occurs already to its owner. */
	const struct store_new_user u = {str_from(user), nickname, str_from(hash), .must_be_new = false};
	store_add_user(q.store, &u, on_answer, &q);
	free(hash);
	return close_store(&q, user);
}

static int show(const struct ctl *ctl, const char *user, int (*tell)(const struct ctl *ctl, const struct store_user *u))
{
	struct question q;
	open_store(&q, ctl, tell);
	store_find_user(q.store, str_from(user), on_answer, &q);
	return close_store(&q, user);
}

static void on_account(const struct store_account *a, void *arg)
{
	struct question *q = arg;
	q->status = a->status;
	if (a->status == STORE_OK)
		q->exit_status = tell_account(q->ctl, a);
	event_base_loopbreak(q->base);
}

static int show_account(const struct ctl *ctl, const char *user)
{
	struct question q;
	open_store(&q, ctl, NULL);
	store_find_account(q.store, STR_NULL, str_from(user), on_account, &q);
	return close_store(&q, user);
}

static int change_password(const struct ctl *ctl, const char *user)
{
	struct question q;
	int status = show(ctl, user, tell_nothing);
	if (status != 0)
		return status;
	char *hash = ask_password();
	if (hash == NULL)
		return 1;
	const struct store_user_change change = {.sets_password = true, .password_hash = str_from(hash)};
	open_store(&q, ctl, tell_user);
	store_change_user(q.store, str_from(user), &change, on_answer, &q);
	free(hash);
	return close_store(&q, user);
}

/* ---- who is let in ---- */

static void on_barred(const struct store_logins_ended *r, void *arg)
{
	struct question *q = arg;
	q->status = r->status;
	q->exit_status = 0;
	event_base_loopbreak(q->base);
}

/* Also of a user who is known by tokens alone, and has no row. */
static int bar(const struct ctl *ctl, const char *user, enum user_change change, enum login_end why)
{
	struct question q;
	open_store(&q, ctl, NULL);
	const struct store_end_logins e = {.user = str_from(user), .why = why, .change = change};
	store_end_logins(q.store, &e, on_barred, &q);
	return close_store(&q, user);
}

static int erase(const struct ctl *ctl, const char *user)
{
	struct question q;
	open_store(&q, ctl, NULL);
	const struct store_erase e = {.user = str_from(user), .messages = ctl->conf->account.erase_messages};
	store_erase_user(q.store, &e, on_barred, &q);
	return close_store(&q, user);
}

static int change_access(const struct ctl *ctl, const char *what, const char *user)
{
	if (strcmp(what, "revoke") == 0)
		return bar(ctl, user, USER_REVOKE, LOGIN_REVOKED);
	if (strcmp(what, "disable") == 0)
		return bar(ctl, user, USER_DISABLE, LOGIN_DISABLED);
	if (strcmp(what, "enable") == 0)
		return bar(ctl, user, USER_ENABLE, LOGIN_DISABLED);
	return ctl_usage(usage);
}

/* Cleans it as the server does. */
static bool nickname_take(struct str s, char *out, struct str *out_r)
{
	if (!utf8_valid(s.s, s.len) || utf8_has_control(s, false) || utf8_count(s) > NICKNAME_MAX)
		return false;
	*out_r = (struct str){out, utf8_name(s, out)};
	return out_r->len != 0;
}

int ctl_user(const struct ctl *ctl)
{
	struct str nickname = STR_NULL;
	char clean[NICKNAME_MAX * 4];
	if (ctl->argc < 2)
		return ctl_usage(usage);
	const char *what = ctl->argv[0], *user = ctl->argv[1];
	bool adds = strcmp(what, "add") == 0;
	if (adds && ctl->argc == 4 && strcmp(ctl->argv[2], "--nickname") == 0)
		nickname = str_from(ctl->argv[3]);
	else if (ctl->argc != 2)
		return ctl_usage(usage);
	if (ctl_check_user(user) != 0)
		return 2;
	if (nickname.s != NULL && !nickname_take(nickname, clean, &nickname))
		return ctl_misuse("--nickname: must be 1 to %d characters of UTF-8, and show something", NICKNAME_MAX);
	if (adds)
		return add(ctl, user, nickname);
	if (strcmp(what, "passwd") == 0)
		return change_password(ctl, user);
	if (strcmp(what, "show") == 0)
		return show_account(ctl, user);
	if (strcmp(what, "erase") == 0)
		return erase(ctl, user);
	return change_access(ctl, what, user);
}
