/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of objects against a plain array: at random, in walks, and with removals within a walk. */
#include "core/base.h"
#include "core/table.h"

#include <stdlib.h>

#include "../tap.h"

enum { OBJECTS = 3000 };

struct object {
	_Alignas(8) char name[16];
	bool in;
	unsigned seen;
};

static struct object object[OBJECTS];

static struct str name_of(const void *item)
{
	return str_from(((const struct object *)item)->name);
}

static unsigned count_wrong(const struct table *t)
{
	unsigned wrong = 0;
	for (size_t i = 0; i < OBJECTS; i++)
		wrong += table_find(t, name_of(&object[i])) != (object[i].in ? &object[i] : NULL);
	return wrong;
}

static void toggle(struct table *t, struct object *o)
{
	if (o->in)
		table_remove(t, o);
	else
		table_add(t, o);
	o->in = !o->in;
}

static void test_empty(void)
{
	struct table t;
	uint32_t at = 0;
	table_init(&t, name_of);
	ok(table_find(&t, STR_LIT("x")) == NULL && table_next(&t, &at) == NULL && t.slot == NULL,
	   "an empty one owns nothing");
	table_add(&t, &object[0]);
	ok(table_find(&t, STR_LIT("o")) == NULL && table_find(&t, STR_LIT("o0x")) == NULL &&
		   table_find(&t, STR_LIT("")) == NULL,
	   "a part of a key, or a longer one, is another");
	table_remove(&t, &object[0]);
	ok(table_find(&t, STR_LIT("o0")) == NULL, "empty again");
	table_fini(&t);
	table_fini(&t);
}

static void test_random(void)
{
	struct table t;
	uint32_t at = 0, count = 0;
	unsigned wrong = 0;
	table_init(&t, name_of);
	for (int round = 0; round < 40; round++) {
		/* Filled up to different heights, and emptied again. */
		for (int i = 0; i < 2000; i++)
			toggle(&t, &object[random() % (1 + (long)(round % 4 + 1) * (OBJECTS - 1) / 4)]);
		wrong += count_wrong(&t);
	}
	is_int(wrong, 0, "after any additions and removals each is found, and no other");
	for (size_t i = 0; i < OBJECTS; i++)
		count += object[i].in;
	is_int(t.count, count, "counted");
	for (struct object *o; (o = table_next(&t, &at)) != NULL;)
		o->seen++;
	for (size_t i = 0; i < OBJECTS; i++)
		wrong += object[i].seen != object[i].in;
	is_int(wrong, 0, "a walk gives each once");
	ok(t.size * sizeof(void *) <= (OBJECTS * 4 / 3 * 3 / 2 + 1) * sizeof(void *), "%u slots at a peak of %d",
	   t.size, OBJECTS);
	table_fini(&t);
}

static void test_removal_in_walk(void)
{
	unsigned missed = 0, wrong = 0;
	for (int round = 0; round < 200; round++) {
		struct table t;
		uint32_t at = 0;
		table_init(&t, name_of);
		/* As full as it gets, so that the runs of taken slots are long, and go round the end. */
		for (size_t i = 0; i < OBJECTS; i++) {
			object[i].in = i < 39;
			object[i].seen = 0;
			if (object[i].in)
				table_add(&t, &object[i]);
		}
		for (struct object *o; (o = table_next(&t, &at)) != NULL;) {
			o->seen++;
			if (o->name[strlen(o->name) - 1] % 2 == 0) {
				toggle(&t, o);
				at--;
			}
		}
		for (size_t i = 0; i < 39; i++)
			missed += object[i].seen == 0;
		wrong += count_wrong(&t) + (t.count != 19);
		table_fini(&t);
	}
	is_int(missed, 0, "a walk that removes misses none");
	is_int(wrong, 0, "and the others stay");
}

int main(void)
{
	for (int i = 0; i < OBJECTS; i++)
		snprintf(object[i].name, sizeof(object[i].name), "o%d", i);
	test_empty();
	test_random();
	test_removal_in_walk();
	return done_testing();
}
