/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that users take turns at the database: one user's hundreds of reads, or of changes, let another user's single
 * one pass, and are bounded. With one connection each, so that the order is the queue's and not chance; and no time
 * passes, so that none waits for too long. And that reads of the same share one answer, and count as before.
 */
#include "core/base.h"
#include "store/group.h"
#include "store/people.h"
#include "store/pool.h"
#include "store/store.h"

#include "db.h"
#include "calls.h"
#define CLOCK_KIT_SQL
#include "../live/clock_kit.h"
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

static void on_is_member(enum store_status status, uint64_t count, void *arg)
{
	(void)count;
	tell(arg, status);
}

static void read_group(const char *user, void *arg)
{
	store_is_member(s, str_from(user), GROUP_ID_MIN, on_is_member, arg);
}

static void read_same(const char *user, void *arg)
{
	store_list_conversations(s, str_from(user), false, 10, (struct store_cursor){0}, on_list, arg);
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

static void test(const char *what, unsigned max, unsigned before_max, void (*ask)(const char *user, void *arg))
{
	static char many[] = "many";
	many_done = many_ok = many_refused = 0;
	one_done = false;
	for (int i = 0; i < MANY; i++)
		ask("many", many);
	ask("one", NULL);
	wait_for(&one_done);
	is_int(one_status, STORE_OK, "%s: the other user's is answered", what);
	ok(before_one <= before_max, "%s: before all but the first %u of the many (%u)", what, before_max, before_one);
	while (many_done < MANY)
		turn();
	is_int(many_refused, MANY - max, "%s: more than can wait are refused at once", what);
	is_int(many_ok, max, "%s: the rest is answered", what);
	is_int(store_pending(s), 0, "%s: nothing is left", what);
}

/* ---- reads of the same ---- */

static unsigned answered_unread;
static uint64_t total_unread;

static void on_shared(enum store_status status, uint64_t unread, uint64_t mentions, void *arg)
{
	(void)mentions;
	if (arg == NULL)
		return;
	total_unread += status == STORE_OK ? unread : 1000;
	answered_unread++;
	answered(&one_done);
}

/* arg: NULL if it does not matter. */
static void ask_shared(const char *user, void *arg)
{
	store_count_unread(s, str_from(user), on_shared, arg);
}

static long long selects(void)
{
	return db_sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='COM_SELECT'");
}

static void ask_twenty_times(const char *user, uint64_t expected, const char *what)
{
	long long before = selects(), own = selects() - before;
	answered_unread = total_unread = 0;
	before = selects();
	for (int i = 0; i < 20; i++)
		ask_shared(user, &total_unread);
	while (answered_unread < 20)
		turn();
	/* Three statements, and two reads of at most sixteen. */
	long long asked = selects() - before - own;
	ok(asked <= 2 * 3, "%s: twenty are two reads (%lld statements)", what, asked);
	is_int(total_unread, 20 * expected, "%s: each has the answer", what);
}

/* What is asked after a send was answered tells of it, also where the same was asked before and is under way. */
static void test_shared(void)
{
	db_befriend("ann", "bob");
	ask_twenty_times("bob", 0, "nothing unread");
	for (unsigned n = 1; n <= 20; n++) {
		struct sent_answer a = do_text(s, "ann", "bob", "x", NULL);
		is_int(a.status, STORE_OK, "sent");
		total_unread = answered_unread = 0;
		one_done = false;
		ask_shared("bob", &total_unread);
		wait_for(&one_done);
		is_int(total_unread, n, "and told");
		/* Some that are answered while the next is sent. */
		for (int i = 0; i < 5; i++) {
			ask_shared("bob", NULL);
			turn();
		}
	}
	while (store_pending(s) != 0)
		turn();
	ask_twenty_times("bob", 20, "twenty unread");
	ask_twenty_times("ann", 0, "another user");
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
	test("reads", READS_MAX, 2, read_group);
	test("profiles of others", READS_MAX, 2, look_up);
	test("changes", CHANGES_MAX, 2, change_user);
	test("reads of the same", READS_MAX, 2 * READ_ASKERS_MAX, read_same);
	test_shared();
	is_int(answers_at_once, 0, "no answer came from within the call");
	store_free(&s);
	event_base_free(base);
	conf_free(&c);
	arena_fini(&kept);
	return done_testing();
}
