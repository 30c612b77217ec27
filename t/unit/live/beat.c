/* SPDX-License-Identifier: BSD-2-Clause */
/* When a worker that leaves says goodbye, and who falls silent. */
#include "core/base.h"
#include "live/beat.h"

#include "core/clock.h"
#include "live/group_priv.h"
#include "live/policy.h"
#include "live/push.h"
#include "live/watch.h"

#include "../tap.h"

#include <stdlib.h>

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static bool up = true, lost;
static unsigned goodbyes, beats, resyncs, reads;

/* ---- what beat.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

bool bus_is_up(const struct bus *b)
{
	return up;
}

bool bus_has_lost(const struct bus *b)
{
	return lost;
}

void bus_subscribe(struct bus *b, struct str topic)
{
}

void push_publish(struct live *m, struct str topic, enum bus_kind kind, struct str data)
{
	goodbyes += kind == BUS_BYE;
	beats += kind == BUS_BEAT;
}

void resync_all_spread(struct live *m)
{
	resyncs++;
}

void memberships_again_all(struct live *m)
{
	reads++;
}

void watch_recheck_all(struct live *m, int64_t delay_ms)
{
}

void session_end_expired(struct live *m)
{
}

void policy_clock_synced(struct live *m)
{
}

void policy_scale_changed(struct live *m, int64_t by_us)
{
}

/* ---- */

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= WHEEL_TICK_MS) {
		shift_ms += WHEEL_TICK_MS;
		wheel_advance(wheel, clock_mono_ms());
	}
}

static void peer_beats(void)
{
	beat_heard(&live, STR_LIT("a-worker"), STR_LIT("1 0"));
}

static unsigned leave(bool in_doubt)
{
	unsigned before = goodbyes;
	beat_start(&live);
	peer_beats();
	beat_fini(&live, in_doubt);
	return goodbyes - before;
}

int main(void)
{
	char node_id[] = "a-node";
	struct conf conf = {.node_id = node_id};
	clock_share_shift(&shift_ms);
	live.conf = &conf;
	wheel = wheel_new(clock_mono_ms());
	lamport_init(&live.lamport, "our-name");
	_Static_assert(ORIGIN_LEN == sizeof("a-worker") - 1, "a name of that length");

	is_int(leave(false), 1, "a worker that leaves says goodbye");
	lost = true;
	is_int(leave(false), 0, "not if it has lost what others had to hear");
	lost = false;
	is_int(leave(true), 0, "nor if something was in progress that it cannot tell the end of");
	up = false;
	is_int(leave(false), 0, "nor without Redis");
	up = true;

	beat_start(&live);
	peer_beats();
	pass(BEAT_SILENCE_MS / 2);
	beat_bye_heard(&live, STR_LIT("a-worker"));
	pass(3 * BEAT_SILENCE_MS);
	ok(beats > 1 && resyncs == 0, "whose goodbye was heard is not missed");
	peer_beats();
	pass(3 * BEAT_SILENCE_MS);
	is_int(resyncs, 1, "who leaves without one is, and all catch up");
	is_int(reads, 1, "and their groups are read again");
	beat_fini(&live, false);
	wheel_free(&wheel);
	return done_testing();
}
