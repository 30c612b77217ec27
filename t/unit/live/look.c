/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking who is online: many in one question, one question at a time, and again where it could not be asked. */
#include "core/base.h"
#include "live/look.h"

#include "core/clock.h"
#include "live/push.h"
#include "live/watch_priv.h"

#include "../tap.h"

#include <stdlib.h>

#define MANY 1000

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static struct watched *watched[MANY];
static unsigned looked[MANY];
static bool up = true;

/* The question under way. */
static bus_count_fn *asked_fn;
static void *asked_arg;
static size_t asked_n;
static unsigned questions;

/* ---- what look.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

bool bus_is_up(const struct bus *b)
{
	return up;
}

void bus_count(struct bus *b, const struct str *topics, size_t n, bus_count_fn *fn, void *arg)
{
	questions++;
	asked_fn = fn;
	asked_arg = arg;
	asked_n = n;
}

void bus_count_cancel(struct bus *b, void *arg)
{
	if (arg == asked_arg)
		asked_fn = NULL;
}

struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user)
{
	memcpy(out, prefix, 2);
	memcpy(out + 2, user.s, user.len);
	return (struct str){out, 2 + user.len};
}

static int number_of(const char *id)
{
	return atoi(id + 1);
}

struct watched *watched_find(struct live *m, struct str id)
{
	return watched[number_of(id.s)];
}

void watched_looked(struct watched *w, bool online)
{
	looked[number_of(w->id)] += online ? 1 : 1000;
}

/* ---- */

/* NULL: nobody knows. */
static void answer(bool known)
{
	uint32_t counts[BUS_COUNT_CHUNK];
	bus_count_fn *fn = asked_fn;
	for (size_t i = 0; i < BUS_COUNT_CHUNK; i++)
		counts[i] = 1;
	asked_fn = NULL;
	fn(known ? counts : NULL, asked_n, asked_arg);
}

static void answer_all(void)
{
	while (asked_fn != NULL)
		answer(true);
}

static unsigned count_not(unsigned n)
{
	unsigned wrong = 0;
	for (int i = 0; i < MANY; i++)
		wrong += looked[i] != n;
	return wrong;
}

static void pass(int64_t ms)
{
	shift_ms += ms;
	wheel_advance(wheel, clock_mono_ms());
}

int main(void)
{
	clock_share_shift(&shift_ms);
	wheel = wheel_new(clock_mono_ms());
	looks_init(&live);
	for (int i = 0; i < MANY; i++) {
		watched[i] = xcalloc(1, sizeof(struct watched) + 8);
		watched[i]->live = &live;
		watched[i]->id_len = (size_t)snprintf(watched[i]->id, 8, "u%d", i);
	}

	for (int i = 0; i < MANY; i++)
		look_at(watched[i]);
	is_int(questions, 1, "one question at a time");
	answer_all();
	ok(questions == 5 && count_not(1) == 0, "1,000 users take five questions (%u)", questions);

	look_at(watched[0]);
	look_at(watched[0]);
	look_at(watched[0]);
	answer_all();
	is_int(looked[0], 3, "what happens during a question is asked once more");

	memset(looked, 0, sizeof(looked));
	for (int i = 0; i < MANY; i++)
		look_at(watched[i]);
	answer(true);
	answer(false);
	ok(asked_fn == NULL, "a question that cannot be asked is not asked at once again");
	pass(LOOK_RETRY_MS + WHEEL_TICK_MS);
	ok(asked_fn != NULL, "but a little later");
	answer_all();
	is_int(count_not(1), 0, "and nobody is forgotten");

	memset(looked, 0, sizeof(looked));
	look_at(watched[1]);
	look_at(watched[2]);
	look_forget(watched[2]);
	struct watched *gone = watched[1];
	watched[1] = NULL;
	answer_all();
	ok(looked[1] == 0 && looked[2] == 0, "who is watched no longer is not asked for, nor told");
	free(gone);

	up = false;
	unsigned before = questions;
	look_at(watched[3]);
	pass(60000);
	is_int(questions, before, "without Redis nobody is asked for");
	up = true;
	look_resume(&live);
	answer_all();
	is_int(looked[3], 1, "but when it is back");

	look_at(watched[4]);
	looks_fini(&live);
	ok(asked_fn == NULL, "the end forgets the question under way");
	for (int i = 0; i < MANY; i++)
		free(watched[i]);
	wheel_free(&wheel);
	return done_testing();
}
