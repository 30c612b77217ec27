/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves that an arena takes no memory before it is used, gives aligned zeroed memory, and forgets or overwrites it. */
#include "core/base.h"
#include "store/arena.h"

#include "../tap.h"

#include <stdalign.h>
#include <stdlib.h>

/* The address as a number: what is there may be gone. */
static bool is_aligned(const void *p)
{
	return (uintptr_t)p % alignof(max_align_t) == 0;
}

static bool is_filled(const char *p, size_t len, char with)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != with)
			return false;
	return true;
}

static void test_memory(void)
{
	struct arena a = {0};
	bool aligned = true, zeroed = true;
	ok(a.block == NULL, "an empty arena has no memory");
	for (size_t size = 1; size < 3000; size += 37) {
		char *p = arena_alloc(&a, size);
		aligned = aligned && is_aligned(p);
		zeroed = zeroed && is_filled(p, size, '\0');
		memset(p, 'x', size);
	}
	ok(aligned, "what it gives is aligned");
	ok(zeroed, "and zeroed");
	const char *first = arena_alloc(&a, 1);
	char *large = arena_alloc(&a, (size_t)1 << 20);
	memset(large, 'y', (size_t)1 << 20);
	ok(first[0] == '\0', "a piece larger than any block is one of its own");
	arena_clear(&a);
	ok(is_filled(arena_alloc(&a, 4000), 4000, '\0'), "what was forgotten is zeroed when it is given again");
	arena_fini(&a);
	ok(a.block == NULL, "at the end nothing is left");
}

static void test_first_size(void)
{
	struct arena a = {.first_size = 256};
	arena_alloc(&a, 1);
	is_int(a.size, 256, "the first block has the size that was asked for");
	arena_alloc(&a, 256);
	is_int(a.size, 512, "the next one is twice as large");
	arena_fini(&a);
	a.first_size = 256;
	arena_alloc(&a, 1024);
	is_int(a.size, 1024, "or as large as what is to go into it");
	arena_fini(&a);
}

static void test_text(void)
{
	struct arena a = {0};
	struct str copy = arena_str(&a, STR_LIT("text"));
	ok(str_is(copy, "text") && copy.s[4] == '\0', "a copy ends with a NUL");
	ok(arena_str(&a, STR_NULL).s == NULL, "nothing stays nothing");
	ok(str_is(arena_str(&a, STR_LIT("")), ""), "and an empty text an empty one");
	arena_fini(&a);
}

static void test_wipe(void)
{
	struct arena a = {.first_size = 64};
	const char *early = arena_str(&a, STR_LIT("a secret")).s;
	char *late = memset(arena_alloc(&a, 500), 'x', 500);
	arena_wipe(&a);
	ok(is_filled(early, 8, '\0') && is_filled(late, 500, '\0'), "wiped, all blocks are overwritten");
	arena_fini(&a);
}

int main(void)
{
	test_memory();
	test_first_size();
	test_text();
	test_wipe();
	return done_testing();
}
