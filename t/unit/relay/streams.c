/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of streams: which rows have waited for too long, and which may be deleted. */
#include "core/base.h"
#include "relay/streams.h"

#include "../tap.h"

#define PATIENCE 5000

static struct streams s;

static void survey_one(int64_t now_ms, uint64_t id, uint64_t max_n, uint64_t done_n)
{
	streams_begin(&s);
	streams_add(&s,
		    &(struct stream){.id = id, .min_n = 1, .max_n = max_n, .done_n = {done_n}, .all_done_n = done_n});
	streams_end(&s, now_ms, PATIENCE);
}

static uint64_t due(uint64_t id)
{
	const struct stream *stream = streams_find(&s, id);
	return stream == NULL || stream->due_n <= stream->done_n[CONSUMER_PUSH] ? 0 : stream->due_n;
}

static void test_patience(void)
{
	for (int i = 0; i <= 20; i++) {
		survey_one(1000 * i, 7, 10 + (uint64_t)i, 0);
		if (i == 4)
			is_int(due(7), 0, "not before their time is over");
		if (i == 5)
			is_int(due(7), 10, "then the rows that were there at first");
	}
	is_int(due(7), 25, "and later those that were there five seconds before");
	survey_one(21000, 7, 31, 26);
	is_int(due(7), 0, "all of those are done");
	is_int(streams_rows(&s), 5, "others are not");
	survey_one(22000, 7, 31, 26);
	is_int(due(7), 27, "one is due, and not done");

	survey_one(90000, 7, 40, 30);
	survey_one(180000, 7, 40, 30);
	survey_one(181000, 7, 40, 30);
	is_int(due(7), 0, "a clock that jumps makes nothing due, however often");
	survey_one(191000, 8, 5, 0);
	ok(due(7) == 0 && due(8) == 0, "a stream with nothing to do is not known any more, a new one waits");
	for (int i = 0; i < 5; i++)
		survey_one(197000 + 1000 * i, 7, 50, 30);
	is_int(due(7), 0, "and one that comes back waits anew");
	streams_forget(&s);
	for (int i = 0; i < 5; i++)
		survey_one(250000 + 1000 * i, 7, 50, 30);
	is_int(due(7), 0, "as all do when nothing is known any more");
	for (int i = 0; i < 3; i++)
		survey_one(254000 + 200 * i, 7, 50, 30);
	is_int(due(7), 0, "and where there are many looks within their time");
	survey_one(255000, 7, 50, 30);
	is_int(due(7), 50, "until that is over");
	streams_begin(&s);
	streams_add(&s, &(struct stream){.id = 9, .min_n = 1, .max_n = 9});
	ok(due(7) == 50 && streams_find(&s, 9) == NULL, "a survey that was not finished has found nothing");
	survey_one(256000, 7, 50, 50);
	ok(streams_find(&s, 9) == NULL && streams_next_due(&s, 0) == NULL, "nor does the next one know of it");
}

static void test_order(void)
{
	static const uint64_t ids[] = {30, 10, 20};
	streams_forget(&s);
	for (int round = 0; round < 6; round++) {
		streams_begin(&s);
		for (size_t i = 0; i < ARRAY_LEN(ids); i++)
			streams_add(&s, &(struct stream){.id = ids[i], .min_n = 1, .max_n = 3});
		streams_end(&s, 300000 + 1000 * round, PATIENCE);
	}
	ok(streams_next_due(&s, 0)->id == 10 && streams_next_due(&s, 10)->id == 20 &&
		   streams_next_due(&s, 20)->id == 30,
	   "streams have their turns");
	is_int(streams_next_due(&s, 30)->id, 10, "and begin again");
	streams_note(&s, CONSUMER_PUSH, 20, 3);
	streams_note(&s, CONSUMER_PUSH, 20, 2);
	streams_note(&s, CONSUMER_PUSH, 25, 3);
	is_int(streams_next_due(&s, 10)->id, 30, "but one that is done");
	is_int(streams_rows(&s), 6, "the rows of the others");
	ok(streams_next_unread(&s, CONSUMER_FILES, 10)->id == 20, "another consumer is not done with them");
	streams_note(&s, CONSUMER_FILES, 20, 3);
	ok(streams_next_unread(&s, CONSUMER_FILES, 10)->id == 30 && streams_next_unread(&s, CONSUMER_FILES, 30) == NULL,
	   "before it is");
}

static void test_many(void)
{
	unsigned wrong = 0;
	streams_forget(&s);
	streams_begin(&s);
	for (uint64_t i = 0; i < STREAMS_MAX + 100; i++)
		streams_add(&s, &(struct stream){.id = i * 7919 % 100003, .min_n = 1, .max_n = i + 1});
	streams_end(&s, 400000, PATIENCE);
	is_int(s.count, STREAMS_MAX, "more streams than there is room for: some are known");
	for (uint64_t i = 0; i < STREAMS_MAX; i++)
		wrong += streams_find(&s, i * 7919 % 100003)->max_n != i + 1;
	is_int(wrong, 0, "and found");
}

/* The rows that are deleted next, as first * 1,000,000 + last; 0: none. */
static uint64_t deletes(struct stream stream)
{
	uint64_t first = 0, last = 0;
	streams_forget(&s);
	streams_begin(&s);
	stream.id = 5;
	streams_add(&s, &stream);
	streams_end(&s, 500000, PATIENCE);
	return streams_to_delete(&s, &first, &last) != NULL ? first * 1000000 + last : 0;
}

static void test_delete(void)
{
	is_int(deletes((struct stream){.min_n = 1, .max_n = 5000, .all_done_n = 5000}), 1001000,
	       "a thousand at a time");
	is_int(deletes((struct stream){.min_n = 4001, .max_n = 5000, .all_done_n = 5000}), 4001004990,
	       "the newest rows stay");
	is_int(deletes((struct stream){.min_n = 4001, .max_n = 5000, .all_done_n = 4500}), 4001004490,
	       "and those that are not done");
	is_int(deletes((struct stream){.min_n = 4001, .max_n = 5000, .all_done_n = 9000}), 4001004990,
	       "also where consumers are said to be further than the rows");
	is_int(deletes((struct stream){.min_n = 4920, .max_n = 5000, .all_done_n = 5000}), 0, "a few are not worth it");
	is_int(deletes((struct stream){.min_n = 4920, .max_n = 5000, .all_done_n = 5000, .still = true}), 4920005000,
	       "but all are of a stream that is still");
	is_int(deletes((struct stream){.min_n = 4920, .max_n = 5000, .all_done_n = 4999, .still = true}), 0,
	       "unless one is not done");
	is_int(deletes((struct stream){.min_n = 1, .max_n = 500}), 0, "nothing is done, nothing is deleted");
	uint64_t first, last;
	streams_begin(&s);
	streams_add(&s, &(struct stream){.id = 1, .min_n = 1, .max_n = 300, .all_done_n = 300});
	streams_add(&s, &(struct stream){.id = 2, .min_n = 1, .max_n = 700, .all_done_n = 700});
	streams_end(&s, 600000, PATIENCE);
	is_int(streams_to_delete(&s, &first, &last)->id, 2, "the stream with the most comes first");
}

int main(void)
{
	test_patience();
	test_order();
	test_many();
	test_delete();
	streams_fini(&s);
	return done_testing();
}
