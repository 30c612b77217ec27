/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user is shown of those they speak with. */
#include "core/base.h"
#include "store/store.h"

#include "db.h"
#include "calls.h"
#include "../tap.h"

static struct store *s;

/* ---- who is online ---- */

struct shown_answer {
	bool done;
	enum store_status status;
	bool shown[8];
	size_t n;
};

static void on_shown(enum store_status status, const bool *shown, size_t n, void *arg)
{
	struct shown_answer *a = arg;
	a->status = status;
	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->shown); i++)
		a->shown[i] = shown[i];
	answered(&a->done);
}

static void test_shown(void)
{
	const struct str ids[] = {STR_LIT("blocks"), STR_LIT("friend"), STR_LIT("half"),
				  STR_LIT("both"),   STR_LIT("'"),	STR_LIT("friend")};
	struct shown_answer a = {0};
	db_befriend("me", "friend");
	db_befriend("me", "blocks");
	db_befriend("me", "both");
	db_sql("INSERT INTO friendships (user_id,friend_id) VALUES ('me','half')");
	db_sql("INSERT INTO friendships (user_id,friend_id,blocked) VALUES ('stranger','me',0)");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='blocks'");
	db_sql("INSERT INTO blocks (user_id,blocked_id) VALUES ('both','me'),('me','friend'),('friend','half')");
	store_find_shown(s, STR_LIT("me"), ids, ARRAY_LEN(ids), on_shown, &a);
	wait_for(&a.done);
	is_int(a.status, STORE_OK, "who is shown online");
	is_int(a.n, ARRAY_LEN(ids), "one answer for each");
	ok(a.shown[1] && a.shown[5], "a friend is");
	ok(!a.shown[0], "but not one who blocks the user as a friend");
	ok(!a.shown[3], "or otherwise");
	ok(!a.shown[2] && !a.shown[4], "nor who is no friend");
	a = (struct shown_answer){0};
	store_find_shown(s, STR_LIT("me"), NULL, 0, on_shown, &a);
	wait_for(&a.done);
	ok(a.status == STORE_OK && a.n == 0, "of nobody, nobody");
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	base = event_base_new();
	s = store_new(base, c, NULL, NULL);
	wait_up(s);
	test_shown();
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
