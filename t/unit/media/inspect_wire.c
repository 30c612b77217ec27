/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the media process: what goes in comes out, and nothing that is cut short or changed is believed. */
#include "core/base.h"
#include "media/inspect_wire.h"

#include <stdio.h>

#include "../tap.h"

static unsigned char data[INSPECT_ANSWER_MAX];

static bool same(const struct inspect_result *a, const struct inspect_result *b)
{
	return a->status == b->status && a->reason == b->reason && strcmp(a->content_type, b->content_type) == 0 &&
	       a->width == b->width && a->height == b->height && a->duration_ms == b->duration_ms &&
	       strcmp(a->blurhash, b->blurhash) == 0 && a->has_thumb == b->has_thumb && a->has_clean == b->has_clean &&
	       a->is_checked == b->is_checked;
}

static void test_same(const struct inspect_result *in, const char *what)
{
	struct inspect_result out;
	size_t len = inspect_answer_write(in, data);
	ok(inspect_answer_read(data, len, &out) && same(in, &out), "%s comes out as it went in", what);
	size_t taken = 0;
	for (size_t n = 0; n < len; n++)
		taken += inspect_answer_read(data, n, &out);
	ok(taken == 0, "no part of it is believed");
	data[len < sizeof(data) ? len : 0] = 0;
	ok(!inspect_answer_read(data, len + 1, &out), "nor more");
}

static const struct inspect_result picture = {
	.status = INSPECT_OK,
	.content_type = "image/png",
	.width = 4000,
	.height = 3000,
	.duration_ms = -1,
	.blurhash = "L00000fQfQfQfQfQfQfQfQfQfQfQ",
	.has_thumb = true,
	.has_clean = true,
	.is_checked = true,
};

/* The bytes at `at` become `what`. */
static void test_changed(size_t at, const void *what, size_t size, const char *name)
{
	struct inspect_result out;
	size_t len = inspect_answer_write(&picture, data);
	memcpy(data + at, what, size);
	ok(!inspect_answer_read(data, len, &out), "not believed: %s", name);
}

static void test_lies(void)
{
	const uint32_t nothing = 0, large = INSPECT_SIDE_MAX + 1;
	const int64_t before = -2, long_time = INSPECT_DURATION_MAX_MS + 1;
	enum { TYPE = 32, HASH = TYPE + 9 };
	test_changed(0, "x", 1, "other magic");
	test_changed(4, "\2", 1, "another version");
	test_changed(5, "\3", 1, "a status that is none");
	test_changed(6, "\7", 1, "a reason that is none");
	test_changed(7, "\x10", 1, "a flag that is none");
	test_changed(8, &nothing, 4, "no width with a height");
	test_changed(8, &large, 4, "too large a width");
	test_changed(12, &large, 4, "too large a height");
	test_changed(16, &before, 8, "a negative duration");
	test_changed(16, &long_time, 8, "too long a duration");
	test_changed(TYPE, "I", 1, "a type in capital letters");
	test_changed(TYPE + 5, "-", 1, "a type without a slash");
	test_changed(TYPE + 6, "/", 1, "a type with two");
	test_changed(TYPE + 6, "\n", 1, "a line feed in a type");
	test_changed(TYPE + 6, "\0", 1, "a NUL in a type");
	test_changed(TYPE + 7, "\0", 1, "a type that ends early");
	test_changed(TYPE + 6, ";", 1, "a parameter");
	test_changed(HASH, "M", 1, "a blurhash of another length");
	test_changed(HASH + 4, "\"", 1, "a quote in a blurhash");
	test_changed(HASH + 4, "\0", 1, "a NUL in a blurhash");
	test_changed(HASH, "\0", 1, "a blurhash that ends early");
	test_changed(5, "\1", 1, "a refusal without a reason");
	test_changed(6, "\1", 1, "a reason without a refusal");
	test_changed(5, "\2", 1, "a picture that was not seen");
}

static void test_job(void)
{
	unsigned char job[INSPECT_JOB_BYTES + 1] = {0};
	inspect_job_write(job);
	ok(inspect_job_read(job, INSPECT_JOB_BYTES, INSPECT_FDS), "a job");
	ok(!inspect_job_read(job, INSPECT_JOB_BYTES, INSPECT_FDS - 1), "not without all descriptors");
	ok(!inspect_job_read(job, INSPECT_JOB_BYTES, INSPECT_FDS + 1), "nor with more");
	ok(!inspect_job_read(job, INSPECT_JOB_BYTES - 1, INSPECT_FDS), "nor cut short");
	ok(!inspect_job_read(job, INSPECT_JOB_BYTES + 1, INSPECT_FDS), "nor too long");
	job[INSPECT_JOB_BYTES - 1] = 1;
	ok(!inspect_job_read(job, INSPECT_JOB_BYTES, INSPECT_FDS), "nor with other bytes");
}

int main(void)
{
	struct inspect_result longest = picture;
	memset(longest.content_type, 'a', INSPECT_TYPE_MAX);
	longest.content_type[10] = '/';
	test_same(&picture, "a picture");
	test_same(&longest, "the longest type");
	test_same(&(struct inspect_result){.status = INSPECT_OK, .content_type = "audio/mpeg", .duration_ms = 1234},
		  "a recording");
	test_same(&(struct inspect_result){.status = INSPECT_REFUSED, .reason = INSPECT_TOO_SLOW, .duration_ms = -1},
		  "a refusal");
	test_same(&(struct inspect_result){.status = INSPECT_UNAVAILABLE, .duration_ms = -1}, "no answer");
	test_lies();
	test_job();
	for (int i = 0; i < INSPECT_REASONS; i++)
		ok(inspect_reason_text((enum inspect_reason)i)[0] != '\0', "reason %d has a text", i);
	return done_testing();
}
