/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that users take turns at the database: one user's hundreds of reads, or of changes, let another user's single
 * one pass, and are bounded. With one connection each, so that the order is the queue's and not chance.
 */
#include "core/base.h"
#include "store/people.h"
#include "store/store.h"

#include "db.h"
#include "calls.h"
#include "../tap.h"

enum { MANY = 400, READS_MAX = 256, CHANGES_MAX = 64 };

static struct store *s;
static unsigned many_done, many_ok, many_refused, before_one;
static bool one_done;
static enum store_status one_status;

static void tell(const char *who, enum store_status status)
{
	if (who == NULL) {
		one_done = true;
		one_status = status;
		before_one = many_ok;
		return;
	}
	many_done++;
	many_ok += status == STORE_OK;
	many_refused += status == STORE_OVERLOADED;
}

static void on_list(const struct store_conversations *r, void *arg)
{
	tell(arg, r->status);
}

static void on_user(const struct store_user *r, void *arg)
{
	tell(arg, r->status);
}

static void read_list(const char *user, void *arg)
{
	store_list_conversations(s, str_from(user), 10, (struct store_cursor){0}, on_list, arg);
}

static void change_user(const char *user, void *arg)
{
	static unsigned n;
	char name[16];
	snprintf(name, sizeof(name), "n%u", n++);
	const struct store_user_change c = {.sets_nickname = true, .nickname = str_from(name)};
	store_change_user(s, str_from(user), &c, on_user, arg);
}

/* All ask for the same user. */
static void look_up(const char *user, void *arg)
{
	store_look_up_user(s, str_from(user), STR_LIT("warm"), on_user, arg);
}

static void test(const char *what, unsigned max, void (*ask)(const char *user, void *arg))
{
	static char many[] = "many";
	many_done = many_ok = many_refused = 0;
	one_done = false;
	for (int i = 0; i < MANY; i++)
		ask("many", many);
	ask("one", NULL);
	wait_for(&one_done);
	is_int(one_status, STORE_OK, "%s: the other user's is answered", what);
	ok(before_one <= 2, "%s: before all but the first two of the many (%u)", what, before_one);
	while (many_done < MANY)
		turn();
	is_int(many_refused, MANY - max, "%s: more than can wait are refused at once", what);
	is_int(many_ok, max, "%s: the rest is answered", what);
	is_int(store_pending(s), 0, "%s: nothing is left", what);
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("fair");
	db_migrate(c);
	c->mysql.connections = 2;
	base = event_base_new();
	s = store_new(base, c, NULL, NULL);
	wait_up(s);
	change_user("warm", NULL);
	wait_for(&one_done);
	test("reads", READS_MAX, read_list);
	test("profiles of others", READS_MAX, look_up);
	test("changes", CHANGES_MAX, change_user);
	is_int(answers_at_once, 0, "no answer came from within the call");
	store_free(&s);
	event_base_free(base);
	conf_free(&c);
	arena_fini(&kept);
	return done_testing();
}
