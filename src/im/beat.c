/* SPDX-License-Identifier: BSD-2-Clause */
/* The other workers of the cluster: who is there, who fell silent, which version they have, and what time it is. */
#include "core/base.h"
#include "im/beat.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "hub/stats.h"
#include "im/policy.h"
#include "im/push.h"
#include "im/resync.h"
#include "im/session.h"
#include "im/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* A worker that fell silent is remembered for this long: the master may tell of its death after that. */
#define LOST_KEPT_MS 60000
/* Several workers that come at once get one answer. */
#define ANSWER_MS 50

struct peer_worker {
	UT_hash_handle hh;
	int64_t heard_ms;
	bool lost;   /* it fell silent then, and its sessions' friends know */
	bool legacy; /* counted in im->legacy_peers */
	char origin[ORIGIN_LEN];
};

static void peer_set_legacy(struct im *im, struct peer_worker *p, bool legacy)
{
	im->legacy_peers += legacy;
	im->legacy_peers -= p->legacy;
	p->legacy = legacy;
}

static void peer_free(struct im *im, struct peer_worker *p)
{
	peer_set_legacy(im, p, false);
	HASH_DEL(im->peers, p);
	free(p);
}

static void peer_fell_silent(struct im *im, struct peer_worker *p)
{
	log_info("worker %.*s of the cluster fell silent", ORIGIN_LEN, p->origin);
	p->lost = true;
	peer_set_legacy(im, p, false);
	resync_all_spread(im);
	watch_recheck_all(im, WATCH_ABSENCE_MS - BEAT_SILENCE_MS);
}

static void publish_beat(struct im *im)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "%" PRId64 " %d %" PRId64 " %d %s", clock_usecs(), BUS_VERSION,
			   lamport_now_us(&im->lamport), im->lamport.synced, im->lamport.scale);
	push_publish(im, STR_LIT(TOPIC_ALL), BUS_BEAT, (struct str){text, (size_t)len});
}

/* The number in front, and the space behind it where more follows; false if there is none. */
static bool take_number(struct str *data, uint64_t *n_r)
{
	const char *space = data->len != 0 ? memchr(data->s, ' ', data->len) : NULL;
	size_t len = space != NULL ? (size_t)(space - data->s) : data->len;
	if (id_parse_u64((struct str){data->s, len}, n_r) != 0)
		return false;
	*data = space != NULL ? (struct str){space + 1, data->len - len - 1} : STR_LIT("");
	return true;
}

void beat_own_heard(struct im *im, struct str data)
{
	uint64_t sent_usecs, now = (uint64_t)clock_usecs();
	if (take_number(&data, &sent_usecs) && sent_usecs <= now)
		stat_observe(STAT_HIST_BUS_LAG, now - sent_usecs);
	if (im->lamport.synced || ++im->own_beats < BEATS_ALONE)
		return;
	lamport_settle(&im->lamport);
	policy_clock_synced(im);
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
			if (!p->lost && now - p->heard_ms >= BEAT_SILENCE_MS)
				peer_fell_silent(im, p);
			else if (now - p->heard_ms >= LOST_KEPT_MS)
				peer_free(im, p);
		}
	} else {
		HASH_ITER (hh, im->peers, p, next)
			p->heard_ms = now;
	}
	wheel_set(loop_wheel(im->loop), t, BEAT_MS, on_beat);
}

void beat_start(struct im *im)
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

void beat_subscribed(struct im *im)
{
	beat_soon(im, 0);
}

static struct peer_worker *peer_find(struct im *im, const char *origin)
{
	struct peer_worker *p;
	HASH_FIND(hh, im->peers, origin, ORIGIN_LEN, p);
	return p;
}

static struct peer_worker *peer_new(struct im *im, const char *origin)
{
	struct peer_worker *p = xcalloc(1, sizeof(*p));
	memcpy(p->origin, origin, ORIGIN_LEN);
	p->heard_ms = clock_mono_ms();
	HASH_ADD(hh, im->peers, origin, ORIGIN_LEN, p);
	return p;
}

void beat_worker_lost(struct im *im, const char *origin)
{
	if (peer_find(im, origin) == NULL)
		peer_new(im, origin);
}

static void peer_clock_heard(struct im *im, struct str data)
{
	struct lamport theirs;
	uint64_t us, synced;
	int64_t shift_us;
	bool was_synced = im->lamport.synced;
	if (!take_number(&data, &us) || !take_number(&data, &synced) || us > INT64_MAX || data.len < WORKER_NAME_LEN)
		return;
	lamport_init(&theirs, data.s);
	theirs.synced = synced != 0;
	if (lamport_hear(&im->lamport, &theirs, (int64_t)us, &shift_us))
		policy_scale_changed(im, shift_us);
	else if (!was_synced && im->lamport.synced)
		policy_clock_synced(im);
}

void beat_heard(struct im *im, struct str origin, struct str data)
{
	struct peer_worker *p = peer_find(im, origin.s);
	uint64_t sent_us, version = 0;
	if (p == NULL) {
		p = peer_new(im, origin.s);
		beat_soon(im, ANSWER_MS);
	}
	p->heard_ms = clock_mono_ms();
	p->lost = false;
	if (!take_number(&data, &sent_us) || !take_number(&data, &version))
		version = 0;
	peer_set_legacy(im, p, version == 0);
	if (version != 0)
		peer_clock_heard(im, data);
}

void beat_bye_heard(struct im *im, struct str origin)
{
	struct peer_worker *p = peer_find(im, origin.s);
	if (p != NULL)
		peer_free(im, p);
}

void beat_fini(struct im *im, bool in_doubt)
{
	struct peer_worker *p, *next;
	wheel_cancel(&im->beat);
	if (bus_is_up(im->bus) && !bus_has_lost(im->bus) && !in_doubt)
		push_publish(im, STR_LIT(TOPIC_ALL), BUS_BYE, STR_LIT(""));
	HASH_ITER (hh, im->peers, p, next)
		peer_free(im, p);
}
