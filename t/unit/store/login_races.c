/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of a user by two workers' stores at once, for the first time: there is no row yet that could be locked.
 * Whoever is told last has been told what is stored.
 */
#include "core/base.h"
#include "store/login.h"

#include <stdio.h>

#include "calls.h"
#include "db.h"
#include "store/store.h"
#include "../tap.h"

enum { PAIRS = 20 };

static struct conf *conf;
static struct store *store[2];
static int users;

struct said {
	bool done;
	enum store_status status;
	struct user_state state;
};

static void on_said(const struct store_logins_ended *r, void *arg)
{
	struct said *s = arg;
	s->status = r->status;
	s->state = r->change.state;
	answered(&s->done);
}

static void say(struct store *at, const char *user, enum user_change change, struct said *out)
{
	const struct store_end_logins e = {.user = str_from(user), .why = LOGIN_REVOKED, .change = change};
	*out = (struct said){0};
	store_end_logins(at, &e, on_said, out);
}

static bool is_stored(const char *user, const struct user_state *s)
{
	return db_sql("SELECT disabled FROM user_states WHERE user_id='%s'", user) == s->disabled &&
	       db_sql("SELECT revoked_at IS NOT NULL FROM user_states WHERE user_id='%s'", user) ==
		       (s->revoked_ms != 0) &&
	       db_sql("SELECT erased_at IS NOT NULL FROM user_states WHERE user_id='%s'", user) ==
		       (s->erased_ms != 0) &&
	       db_sql("SELECT TIMESTAMPDIFF(MICROSECOND,'1970-01-01',changed_at) DIV 1000 FROM user_states WHERE "
		      "user_id='%s'",
		      user) == s->changed_ms;
}

/* `account`: the user has a row in `users`, which is locked first. */
static void test_first_changes(enum user_change one, enum user_change other, bool account, const char *name)
{
	int answered = 0, ordered = 0, stored = 0;
	for (int i = 0; i < PAIRS; i++) {
		struct said said[2];
		char user[32];
		snprintf(user, sizeof(user), "user%d", users++);
		if (account)
			db_sql("INSERT INTO users (id) VALUES ('%s')", user);
		say(store[0], user, one, &said[0]);
		say(store[1], user, other, &said[1]);
		wait_for(&said[0].done);
		wait_for(&said[1].done);
		bool second = said[1].state.changed_ms > said[0].state.changed_ms;
		answered += said[0].status == STORE_OK && said[1].status == STORE_OK;
		ordered += said[0].state.changed_ms != said[1].state.changed_ms;
		stored += is_stored(user, &said[second].state);
	}
	is_int(answered, PAIRS, "%s: two first changes at once are done", name);
	is_int(ordered, PAIRS, "%s: one of them is the later one", name);
	is_int(stored, PAIRS, "%s: and tells what both have done", name);
}

int main(void)
{
	db_start();
	conf = db_conf("tidings");
	db_migrate(conf);
	base = event_base_new();
	for (int i = 0; i < 2; i++) {
		store[i] = store_new(base, conf, NULL, NULL);
		wait_up(store[i]);
	}
	test_first_changes(USER_DISABLE, USER_ERASE, false, "disabled and erased");
	test_first_changes(USER_DISABLE, USER_ERASE, true, "disabled and erased, with an account");
	test_first_changes(USER_REVOKE, USER_ERASE, false, "revoked and erased");
	test_first_changes(USER_REVOKE, USER_REVOKE, false, "revoked twice");
	is_int(answers_at_once, 0, "no answer came but from the loop");
	for (int i = 0; i < 2; i++)
		store_free(&store[i]);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&conf);
	return done_testing();
}
