/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of messages: both forms are read as they were written, and what is none is refused. */
#include "core/base.h"
#include "bus/form.h"

#include "../tap.h"

#define WORKER "a-worker"

static struct buf b;

static struct str written(enum bus_kind kind, const char *origin, const char *data)
{
	buf_clear(&b);
	bus_form_begin(&b, kind, origin);
	buf_append_str(&b, str_from(data));
	return (struct str){buf_cstr(&b), b.len};
}

static bool reads(const char *message, struct bus_form *form)
{
	return bus_form_read(str_from(message), form);
}

static void test_written(void)
{
	static const enum bus_kind kinds[] = {BUS_MESSAGE, BUS_EVENT, BUS_CATCH_UP, BUS_UNSURE,
					      BUS_BYE,	   BUS_BEAT,  BUS_AGAIN,    BUS_VIEW};
	struct bus_form form;
	is_str(written(BUS_EVENT, WORKER, "{}").s, "E" WORKER "{}", "a kind of the first form");
	is_str(written(BUS_CATCH_UP, WORKER, "").s, "@1+U" WORKER, "one that others must know");
	is_str(written(BUS_VIEW, WORKER, "x").s, "@1-V" WORKER "x", "one that they may ignore");
	unsigned wrong = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		wrong += !bus_form_read(written(kinds[i], WORKER, "data"), &form) || form.kind != (char)kinds[i] ||
			 !form.known || !str_is(form.origin, WORKER) || !str_is(form.data, "data") ||
			 bus_form_is_relays(&form);
	is_int(wrong, 0, "each is read as it was written");
	ok(bus_form_read(written(BUS_UNSURE, ORIGIN_RELAY, ""), &form) && bus_form_is_relays(&form), "a relay's");
}

static void test_others(void)
{
	static const char *const none[] = {"",
					   "E",
					   "E"
					   "a-worke",
					   "@",
					   "@1+",
					   "@1+U",
					   "@1+Ua-worke",
					   "Ea-w rker{}"};
	struct bus_form form;
	unsigned wrong = 0;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		wrong += reads(none[i], &form);
	is_int(wrong, 0, "what is too short, or of nobody, is no message");
	ok(reads("@2+U" WORKER, &form) && !form.known && !form.may_ignore, "another version of a kind is not known");
	ok(reads("@1-Z" WORKER "x", &form) && !form.known && form.may_ignore, "nor a kind that there is not");
	ok(reads("Z" WORKER, &form) && form.known && form.kind == 'Z', "in the first form nobody can tell");
}

static void test_topics(void)
{
	char topic[TOPIC_MAX];
	ok(str_is(topic_make(topic, TOPIC_USER, STR_LIT("alice")), "u:alice"), "a user's topic");
	ok(str_is(topic_make_group(topic, CONVERSATION_ID_MAX), "c:34359738367"), "a group's");
}

int main(void)
{
	test_written();
	test_others();
	test_topics();
	buf_fini(&b);
	return done_testing();
}
