/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary of a message's reactions: what is one, adding, removing, and what a row may hold that we did not write.
 */
#include "core/base.h"
#include "store/reactions.h"

#include <stdio.h>
#include <stdlib.h>

#include "../tap.h"

static struct arena arena;

static struct str add(struct str text, const char *emoji, const char *user)
{
	struct reaction r = reactions_find(text, str_from(emoji));
	r = reaction_added(&arena, &r, str_from(user));
	return reactions_with(&arena, text, &r);
}

static struct str take(struct str text, const char *emoji, const char *user, const char *first)
{
	struct reaction r = reactions_find(text, str_from(emoji));
	r = reaction_removed(&arena, &r, str_from(user), str_from(first));
	return reactions_with(&arena, text, &r);
}

static void says(struct str text, const char *expected, const char *name)
{
	ok(expected == NULL ? text.s == NULL : text.s != NULL && str_is(text, expected), "%s", name);
}

static void test_valid(void)
{
	static const struct {
		struct str emoji;
		bool valid;
	} cases[] = {
		{STR_LIT("\u2764"), true},   {STR_LIT("\U0001F44D\U0001F3FD"), true},
		{STR_LIT("a\u200Db"), true}, {STR_LIT("\"\\"), true},
		{STR_LIT(""), false},	     {STR_LIT("a b"), false},
		{STR_LIT("\u00A0"), false},  {STR_LIT("a\u2003"), false},
		{STR_LIT("a\n"), false},     {STR_LIT("\x7f"), false},
		{STR_LIT("\xff"), false},    {STR_LIT("\xe2\x9d"), false},
		{STR_LIT("a\u202E"), false}, {{"\0", 1}, false},
	};
	char longest[REACTION_EMOJI_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		is_int(reaction_emoji_valid(cases[i].emoji), cases[i].valid, "case %zu", i);
	ok(reaction_emoji_valid((struct str){longest, REACTION_EMOJI_MAX}), "the longest one");
	ok(!reaction_emoji_valid((struct str){longest, REACTION_EMOJI_MAX + 1}), "one byte more");
	ok(!reaction_emoji_valid(STR_NULL), "none");
}

static void test_changes(void)
{
	struct str text = add(STR_NULL, "A", "a");
	says(text, "A 1 a", "the first");
	text = add(add(text, "B", "a"), "A", "b");
	says(text, "A 2 a,b\nB 1 a", "another kind, and another user");
	for (const char *u = "cdefg"; *u != '\0'; u++)
		text = add(text, "A", (char[]){*u, '\0'});
	says(text, "A 7 a,b,c,d,e\nB 1 a", "five are shown");
	is_int((int)reactions_kinds(text), 2, "two kinds");
	is_int((int)reactions_find(text, STR_LIT("A")).count, 7, "seven of one");
	is_int((int)reactions_find(text, STR_LIT("C")).count, 0, "none of another");
	text = take(text, "A", "b", "a,b,c,d,e,f");
	says(text, "A 6 a,c,d,e,f\nB 1 a", "one who is shown takes it back");
	text = take(text, "A", "g", "a,c,d,e,f,g");
	says(text, "A 5 a,c,d,e,f\nB 1 a", "one who is not");
	text = take(text, "B", "a", "a");
	says(text, "A 5 a,c,d,e,f", "the last of a kind");
	text = take(take(text, "A", "a", "a,c,d,e,f"), "A", "c", "c,d");
	says(text, "A 1 d", "a count that was wrong is set right");
	says(take(text, "A", "d", "d"), NULL, "nothing is left");
	says(take(text, "A", "x", ""), NULL, "nor where the table has nobody");
}

static void test_foreign(void)
{
	static const char *const texts[] = {
		"", "\n", " ", "A", "A ", "A x y", "A 0 a", "A 1", "A 1 ", " 1 a", "A 1 a\n\nB 1 b"};
	says(add(STR_LIT("A 1 a\nA 1 b\nA 1 c\nB 1 a"), "A", "some-user-with-a-long-name"),
	     "A 2 a,some-user-with-a-long-name\nB 1 a", "a kind that is there more than once");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct str text = add(str_from(texts[i]), "Z", "z");
		struct reaction z = reactions_find(text, STR_LIT("Z"));
		is_int((int)z.count, 1, "what is no summary does no harm: %zu", i);
	}
}

/* Against a list of all that are there. */
static void test_random(void)
{
	static char users[12][3];
	char first[64];
	unsigned order[12], n = 0;
	struct str text = STR_NULL;
	srand(7);
	for (int step = 0; step < 2000; step++) {
		unsigned u = (unsigned)rand() % 12, at = 0;
		snprintf(users[u], sizeof(users[u]), "%c%u", 'u', u % 10);
		if (u >= 10)
			users[u][0] = 'v';
		while (at < n && order[at] != u)
			at++;
		first[0] = '\0';
		for (unsigned i = 0; i < n && i <= REACTION_USERS_SHOWN; i++)
			snprintf(first + strlen(first), sizeof(first) - strlen(first), "%s%s", i != 0 ? "," : "",
				 users[order[i]]);
		if (at < n) {
			text = take(text, "A", users[u], first);
			memmove(&order[at], &order[at + 1], (n-- - at - 1) * sizeof(order[0]));
		} else {
			text = add(text, "A", users[u]);
			order[n++] = u;
		}
		struct reaction r = reactions_find(text, STR_LIT("A"));
		size_t in = 0;
		bool same = r.count == n;
		for (unsigned i = 0; i < n && i < REACTION_USERS_SHOWN; i++)
			same = same && str_is(reaction_next_user(r.users, &in), users[order[i]]);
		if (!same || reaction_next_user(r.users, &in).s != NULL) {
			ok(false, "step %d", step);
			return;
		}
	}
	ok(true, "two thousand steps");
}

int main(void)
{
	test_valid();
	test_changes();
	test_foreign();
	test_random();
	arena_fini(&arena);
	return done_testing();
}
