/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves how a stream of the outbox is counted: which row is done and when, what is noted, that a new stream begins
 * where something is not known, and that what others were not told of is never noted. And how items become bytes and
 * back.
 */
#include "core/base.h"
#include "store/outbox.h"
#include "store/outbox_items.h"

#include "../live/clock_kit.h"
#include "../tap.h"

#include <stdlib.h>

static struct outbox o;
static struct buf text;

/* A transaction with one row commits. */
static uint64_t commit(unsigned answers)
{
	buf_clear(&text);
	outbox_put_row(&o, &text, STR_LIT("x"), NULL);
	return outbox_committed(&o, answers);
}

/* The n that outbox_put_row() gives the next row. */
static uint64_t next_n(void)
{
	buf_clear(&text);
	outbox_put_row(&o, &text, STR_LIT("x"), NULL);
	const char *values = strstr(buf_cstr(&text), "VALUES (");
	return strtoull(strchr(values, ',') + 1, NULL, 10);
}

/* What is noted now: "stream n", the streams named a, b in the order in which the test has seen them. */
static uint64_t streams[4];
static const char *noted(void)
{
	static char out[128];
	const char *at;
	out[0] = '\0';
	now_ms += OUTBOX_SAVE_MS;
	if (!outbox_is_due(&o))
		return "";
	buf_clear(&text);
	outbox_put_done(&o, &text);
	for (at = buf_cstr(&text); (at = strstr(at, "('push',")) != NULL;) {
		char *end;
		uint64_t stream = strtoull(at + strlen("('push',"), &end, 10), n = strtoull(end + 1, NULL, 10);
		size_t i = 0;
		while (i < 3 && streams[i] != stream && streams[i] != 0)
			i++;
		streams[i] = stream;
		size_t len = strlen(out);
		snprintf(out + len, sizeof(out) - len, "%s%c%llu", len != 0 ? " " : "", (char)('a' + i),
			 (unsigned long long)n);
		at = end;
	}
	return out;
}

static void begin(void)
{
	outbox_fini(&o);
	outbox_init(&o);
	memset(streams, 0, sizeof(streams));
	streams[0] = o.stream;
}

static void test_told(void)
{
	begin();
	is_str(noted(), "", "at first there is nothing to note");
	uint64_t first = commit(2), second = commit(1), third = commit(0);
	is_int(second, first + 1, "rows are counted");
	is_str(noted(), "", "nothing is told");
	outbox_told(&o, second, 1);
	is_str(noted(), "", "a row does not overtake one before it");
	outbox_told(&o, first, 1);
	is_str(noted(), "", "of two answers one is told");
	outbox_told(&o, first, 1);
	ok(!outbox_waits(&o, third), "then all are, and the one without answers too");
	is_str(noted(), "a3", "and that is noted");
	is_str(noted(), "a3", "again, as long as it has not committed");
	outbox_saved(&o);
	is_str(noted(), "", "then not any more");
	is_int(next_n(), 4, "the stream has no gap");
	commit(1);
	outbox_told_up_to(&o, o.last);
	ok(outbox_has_news(&o), "there is news");
	is_str(noted(), "a4", "of the next one");
	outbox_saved(&o);
	commit(1);
	outbox_told_up_to(&o, o.last);
	ok(!outbox_is_due(&o), "not twice a second");
}

static void test_doubt(void)
{
	begin();
	uint64_t told = commit(1), lost = commit(1);
	outbox_told(&o, told, 1);
	outbox_doubt(&o);
	ok(outbox_waits(&o, lost), "the stream goes on until the next row");
	uint64_t first = commit(1);
	is_int(first, lost + 1, "which begins a new one");
	ok(!outbox_waits(&o, lost), "what was not told in the old one is not waited for");
	outbox_told(&o, lost, 1);
	is_str(noted(), "a1", "nor noted, when it is told all the same");
	outbox_told(&o, first, 1);
	is_str(noted(), "a1 b1", "both streams are noted together");
	outbox_doubt(&o);
	commit(1);
	outbox_saved(&o);
	is_str(noted(), "b1", "what another doubt leaves, while they are being noted, is noted later");
	outbox_saved(&o);
	is_str(noted(), "", "and once");
	outbox_doubt(&o);
	outbox_doubt(&o);
	is_int(next_n(), 1, "a new stream counts from 1");
}

static void test_bounds(void)
{
	begin();
	uint64_t stream = o.stream;
	for (unsigned i = 0; i < OUTBOX_ROWS_MAX; i++)
		commit(1);
	ok(o.stream == stream && o.last - o.done == OUTBOX_ROWS_MAX, "many rows may wait");
	uint64_t next = commit(1);
	ok(o.stream != stream && o.last - o.done == 1, "one more begins a new stream");
	outbox_told(&o, next, 1);
	is_str(noted(), "b1", "which is noted; of the old one nothing was told");
	begin();
	/* The ring turns and grows with rows in it. */
	for (unsigned i = 0; i < 50; i++)
		outbox_told(&o, commit(1), 1);
	uint64_t from = o.last + 1;
	for (unsigned i = 0; i < 200; i++)
		commit(2);
	for (uint64_t row = from; row < from + 200; row++)
		outbox_told(&o, row, 1);
	is_int(o.done, from - 1, "half of the answers of all");
	for (uint64_t row = from + 199; row >= from; row--)
		outbox_told(&o, row, 1);
	is_int(o.done, from + 199, "and the other half, from the last to the first");
}

static void test_items(void)
{
	struct buf b = {0};
	struct outbox_item item;
	size_t at = 0;
	outbox_put_id(&b, OUTBOX_SENT, UINT64_C(0x0102030405060708));
	outbox_put_user(&b, STR_LIT("alice"));
	outbox_put_id(&b, OUTBOX_GROUP, 0);
	struct str items = {b.data, b.len};
	ok(outbox_next(items, &at, &item) == 1 && item.kind == OUTBOX_SENT && item.id == UINT64_C(0x0102030405060708),
	   "an id");
	ok(outbox_next(items, &at, &item) == 1 && item.kind == OUTBOX_USER && str_is(item.user, "alice"), "a user");
	ok(outbox_next(items, &at, &item) == 1 && item.kind == OUTBOX_GROUP && item.id == 0, "another");
	is_int(outbox_next(items, &at, &item), 0, "and the end");
	for (size_t len = 1; len < items.len; len++) {
		int got;
		for (at = 0; (got = outbox_next((struct str){items.s, len}, &at, &item)) > 0;)
			;
		is_int(got, len == 9 || len == 16 ? 0 : -1, "cut off after %zu bytes", len);
	}
	const struct str wrong[] = {STR_LIT("u"), STR_LIT("u\0"), STR_LIT("u\1 "), STR_LIT("u\377a")};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		at = 0;
		is_int(outbox_next(wrong[i], &at, &item), -1, "no user");
	}
	buf_fini(&b);
}

int main(void)
{
	test_told();
	test_doubt();
	test_bounds();
	test_items();
	outbox_fini(&o);
	buf_fini(&text);
	return done_testing();
}
