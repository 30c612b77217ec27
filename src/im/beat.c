/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done once a second: tokens that ran out, and heartbeats between the workers of the cluster. A worker or node
 * that dies tells nobody; its silence does, and then everyone who is watched is looked at again, and all sessions are
 * told to catch up.
 */
#include "core/base.h"
#include "im/watch.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "hub/stats.h"
#include "im/push.h"
#include "im/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define BEAT_MS 1000
#define SILENCE_MS 3000
/* Those that fell silent are remembered for so long: the master may tell of a death after that. */
#define LOST_KEPT_MS 60000
/* Several who come at once get one answer. */
#define ANSWER_MS 50

struct peer_worker {
	UT_hash_handle hh;
	int64_t heard_ms;
	bool lost; /* it fell silent then, and its sessions' friends know */
	char origin[ORIGIN_LEN];
};

static void forget(struct im *im, struct peer_worker *p)
{
	HASH_DEL(im->peers, p);
	free(p);
}

static void lost(struct im *im, struct peer_worker *p)
{
	log_info("worker %.*s of the cluster fell silent", ORIGIN_LEN, p->origin);
	p->lost = true;
	session_resync_all(im);
	watch_recheck_all(im, WATCH_ABSENCE_MS - SILENCE_MS);
}

static void publish_beat(struct im *im)
{
	char sent[24];
	int len = snprintf(sent, sizeof(sent), "%" PRId64, clock_usecs());
	push_publish(im, STR_LIT(TOPIC_ALL), BUS_BEAT, (struct str){sent, (size_t)len});
}

void watch_own_beat_heard(struct str sent)
{
	uint64_t sent_usecs, now = (uint64_t)clock_usecs();
	if (id_parse_u64(sent, &sent_usecs) == 0 && sent_usecs <= now)
		stat_observe(STAT_HIST_BUS_LAG, now - sent_usecs);
}

static void on_beat(struct wheel_timer *t)
{
	struct im *im = container_of(t, struct im, beat);
	int64_t now = clock_mono_ms();
	struct peer_worker *p, *next;

	session_end_expired(im);
	/* While Redis is away nobody is heard: that says nothing about them. */
	if (bus_is_up(im->bus)) {
		publish_beat(im);
		HASH_ITER (hh, im->peers, p, next) {
			if (!p->lost && now - p->heard_ms >= SILENCE_MS)
				lost(im, p);
			else if (now - p->heard_ms >= LOST_KEPT_MS)
				forget(im, p);
		}
	} else {
		HASH_ITER (hh, im->peers, p, next)
			p->heard_ms = now;
	}
	wheel_set(loop_wheel(im->loop), t, BEAT_MS, on_beat);
}

void watch_start(struct im *im)
{
	bus_subscribe(im->bus, STR_LIT(TOPIC_ALL));
	wheel_set(loop_wheel(im->loop), &im->beat, 0, on_beat);
}

/* Earlier than the usual time, but never later. */
static void beat_soon(struct im *im, int64_t delay_ms)
{
	if (!wheel_timer_is_set(&im->beat) || im->beat.deadline_ms > clock_mono_ms() + delay_ms)
		wheel_set(loop_wheel(im->loop), &im->beat, delay_ms, on_beat);
}

void watch_beat_subscribed(struct im *im)
{
	beat_soon(im, 0);
}

static struct peer_worker *meet(struct im *im, const char *origin)
{
	struct peer_worker *p = xcalloc(1, sizeof(*p));
	memcpy(p->origin, origin, ORIGIN_LEN);
	p->heard_ms = clock_mono_ms();
	HASH_ADD(hh, im->peers, origin, ORIGIN_LEN, p);
	return p;
}

void watch_worker_lost(struct im *im, const char *origin)
{
	struct peer_worker *p;
	HASH_FIND(hh, im->peers, origin, ORIGIN_LEN, p);
	if (p == NULL)
		meet(im, origin);
}

void watch_beat_heard(struct im *im, struct str origin, bool bye)
{
	struct peer_worker *p;
	HASH_FIND(hh, im->peers, origin.s, ORIGIN_LEN, p);
	if (bye) {
		if (p != NULL)
			forget(im, p);
		return;
	}
	if (p == NULL) {
		p = meet(im, origin.s);
		beat_soon(im, ANSWER_MS);
	}
	p->heard_ms = clock_mono_ms();
	p->lost = false;
}

void watch_fini(struct im *im)
{
	struct peer_worker *p, *next;
	wheel_cancel(&im->beat);
	if (bus_is_up(im->bus))
		push_publish(im, STR_LIT(TOPIC_ALL), BUS_BYE, STR_LIT(""));
	HASH_ITER (hh, im->peers, p, next)
		forget(im, p);
}
