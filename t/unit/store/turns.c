/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves that users take turns, that no user waits behind another's thousand, and that both bounds hold. */
#include "core/base.h"
#include "store/turns.h"

#include "../tap.h"

static const struct turns_limits wide = {.max = 1000, .user_max = 100, .user_out_max = 1000};

/* Waits for one more of the user's, named by its deadline. */
static bool join(struct turns *t, struct waiting *w, const char *user, int64_t name)
{
	*w = (struct waiting){.deadline_ms = name};
	return turns_join(t, w, user != NULL ? str_from(user) : STR_NULL);
}

static int64_t next(struct turns *t)
{
	struct waiting *w = turns_next(t);
	if (w == NULL)
		return 0;
	turns_leave(t, w);
	return w->deadline_ms;
}

static void test_order(void)
{
	struct turns *t = turns_new(&wide);
	struct waiting w[102];
	for (int i = 0; i < 100; i++)
		ok(join(t, &w[i], "many", i + 1), "one of many");
	ok(join(t, &w[100], "one", 1000) && join(t, &w[101], NULL, 2000), "one of another user, and of the server");
	is_int(turns_waiting(t), 102, "all wait");
	is_int(next(t), 1, "who came first is first");
	is_int(next(t), 1000, "then the one of the other user");
	is_int(next(t), 2000, "then the server's");
	is_int(next(t), 2, "then the first again, in order");
	struct waiting *back = turns_next(t);
	is_int(back->deadline_ms, 3, "one is taken");
	ok(join(t, &w[100], "one", 1001), "another user comes");
	turns_back(t, back);
	is_int(next(t), 3, "one that waits again comes before what its user asked later");
	is_int(next(t), 1001, "and gets no turn more than others");
	struct waiting *any = turns_any(t);
	is_int(any->deadline_ms, 4, "any one");
	turns_leave(t, any);
	while (next(t) != 0)
		;
	is_int(turns_waiting(t), 0, "nothing waits");
	turns_free(&t);
	ok(t == NULL, "freed");
}

static void test_bounds(void)
{
	struct turns *t = turns_new(&(struct turns_limits){.max = 5, .user_max = 3, .user_out_max = 2});
	struct waiting w[8], refused;
	for (int i = 0; i < 3; i++)
		ok(join(t, &w[i], "a", i + 1), "a user's");
	ok(!join(t, &refused, "a", 9), "no more than the limit of a user");
	ok(join(t, &w[3], "b", 11) && join(t, &w[4], "c", 21), "of others");
	ok(!join(t, &refused, "d", 9), "no more than the limit of all");
	turns_leave(t, &refused);
	struct waiting *a1 = turns_next(t), *b1 = turns_next(t), *c1 = turns_next(t), *a2 = turns_next(t);
	ok(a1 == &w[0] && b1 == &w[3] && c1 == &w[4] && a2 == &w[1], "in turn");
	ok(turns_next(t) == NULL, "no more than the limit of a user at once");
	ok(join(t, &w[5], "b", 12), "while another user");
	ok(turns_next(t) == &w[5], "is served");
	turns_leave(t, a1);
	ok(turns_next(t) == &w[2], "and it again, when one of its own is done");
	struct waiting *out[] = {b1, c1, a2, &w[5], &w[2]};
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		turns_leave(t, out[i]);
	turns_free(&t);
}

/* What shares another's turn counts as waiting as long as that one waits. */
static void test_sharing(void)
{
	struct turns *t = turns_new(&(struct turns_limits){.max = 6, .user_max = 4, .user_out_max = 2});
	struct waiting w[3], refused;
	ok(join(t, &w[0], "a", 1) && turns_share(t, &w[0]) && turns_share(t, &w[0]), "two share a user's");
	ok(join(t, &w[1], "a", 2), "another of the user's");
	ok(!turns_share(t, &w[1]) && !join(t, &refused, "a", 9), "no more than the limit of a user");
	is_int(turns_waiting(t), 2, "two turns");
	ok(join(t, &w[2], "b", 3) && turns_share(t, &w[2]), "of another user");
	ok(!turns_share(t, &w[2]) && !join(t, &refused, "c", 9), "no more than the limit of all");
	ok(turns_next(t) == &w[0] && turns_share(t, &w[1]), "there is room once it is served");
	turns_back(t, &w[0]);
	ok(!turns_share(t, &w[1]) && !turns_share(t, &w[2]), "and none when it is given back");
	for (int i = 0; i < 3; i++)
		ok(next(t) != 0, "its turn");
	ok(join(t, &w[0], "c", 1), "all have left");
	is_int(next(t), 1, "and one waits");
	turns_free(&t);
}

static void test_deadlines(void)
{
	struct turns *t = turns_new(&wide);
	struct waiting w[4];
	ok(join(t, &w[0], "a", 50) && join(t, &w[1], "b", 10) && join(t, &w[2], "b", 20) && join(t, &w[3], "b", 30),
	   "four wait");
	ok(turns_expired(t, 9) == NULL, "none is too late");
	ok(turns_expired(t, 20) == &w[1] && turns_expired(t, 20) == &w[2], "those that are");
	ok(turns_expired(t, 20) == NULL, "and no more");
	turns_leave(t, &w[1]);
	turns_leave(t, &w[2]);
	is_int(next(t), 50, "the others wait on");
	struct waiting *settling = turns_next(t);
	settling->deadline_ms = WAITING_FOR_EVER;
	turns_back(t, settling);
	ok(join(t, &w[0], "b", 60), "behind one that has no deadline");
	ok(turns_expired(t, 60) == &w[0], "others have theirs");
	turns_leave(t, &w[0]);
	ok(turns_expired(t, WAITING_FOR_EVER - 1) == NULL, "it has none");
	is_int(next(t), WAITING_FOR_EVER, "and has its turn");
	turns_free(&t);
}

int main(void)
{
	test_order();
	test_bounds();
	test_sharing();
	test_deadlines();
	return done_testing();
}
