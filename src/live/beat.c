/* SPDX-License-Identifier: BSD-2-Clause */
/* The other workers of the cluster: who is there, who fell silent, which version they have, and what time it is. */
#include "core/base.h"
#include "live/beat.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "hub/stats.h"
#include "live/group_priv.h"
#include "live/policy.h"
#include "live/push.h"
#include "live/resync.h"
#include "live/session.h"
#include "live/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* A worker that fell silent is remembered for this long: the master may tell of its death after that. */
#define LOST_KEPT_MS 60000
/* Several workers that come at once get one answer. */
#define ANSWER_MS 50
/* Far more than a cluster has: what else writes to Redis cannot make this worker remember more. */
#define PEERS_MAX 4096

struct peer_worker {
	UT_hash_handle hh;
	int64_t heard_ms;
	bool lost;	 /* it fell silent then, and its sessions' friends know */
	uint8_t version; /* BUS_VERSION at most, also where it is not known or the worker is gone */
	char origin[ORIGIN_LEN];
	char node_id[NODE_ID_MAX + 1]; /* "": not known, as the next */
	beat_hub hub;
};

static void peer_set_version(struct live *live, struct peer_worker *p, uint64_t version)
{
	version = version < BUS_VERSION ? version : BUS_VERSION;
	live->legacy_peers += version < 1;
	live->legacy_peers -= p->version < 1;
	live->unconfirming_peers += version < 2;
	live->unconfirming_peers -= p->version < 2;
	p->version = (uint8_t)version;
}

static void peer_free(struct live *live, struct peer_worker *p)
{
	peer_set_version(live, p, BUS_VERSION);
	HASH_DEL(live->peers, p);
	free(p);
}

static void peer_fell_silent(struct live *live, struct peer_worker *p)
{
	log_info("worker %.*s of the cluster fell silent", ORIGIN_LEN, p->origin);
	p->lost = true;
	peer_set_version(live, p, BUS_VERSION);
}

/* Once for all that fell silent at once: the same sessions miss them. */
static void peers_missed(struct live *live)
{
	resync_all_spread(live);
	/* It may have died between a commit and its words on the bus. */
	memberships_again_all(live);
	watch_recheck_all(live, WATCH_ABSENCE_MS - BEAT_SILENCE_MS);
}

static void publish_beat(struct live *live)
{
	char text[96 + NODE_ID_MAX];
	int64_t now_us = clock_usecs();
	int len = snprintf(text, sizeof(text), "%" PRId64 " %d %" PRId64 " %d %s %s %s", now_us, BUS_VERSION,
			   lamport_at_us(&live->lamport, now_us), live->lamport.synced, live->lamport.scale, live->node,
			   live->conf->node_id);
	push_publish(live, STR_LIT(TOPIC_ALL), BUS_BEAT, (struct str){text, (size_t)len});
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

void beat_own_heard(struct live *live, struct str data)
{
	uint64_t sent_usecs, now = (uint64_t)clock_usecs();
	if (take_number(&data, &sent_usecs) && sent_usecs <= now)
		stat_observe(STAT_HIST_BUS_LAG, now - sent_usecs);
	if (live->lamport.synced || ++live->own_beats < BEATS_ALONE)
		return;
	lamport_settle(&live->lamport);
	policy_clock_synced(live);
}

static void on_beat(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, beat);
	int64_t now = clock_mono_ms();
	struct peer_worker *p, *next;
	bool missed = false;

	session_end_expired(live);
	/* While Redis is away nobody is heard: that says nothing about them. */
	if (bus_is_up(live->bus)) {
		publish_beat(live);
		HASH_ITER (hh, live->peers, p, next) {
			if (!p->lost && now - p->heard_ms >= BEAT_SILENCE_MS) {
				peer_fell_silent(live, p);
				missed = true;
			} else if (now - p->heard_ms >= LOST_KEPT_MS) {
				peer_free(live, p);
			}
		}
		if (missed)
			peers_missed(live);
	} else {
		HASH_ITER (hh, live->peers, p, next)
			p->heard_ms = now;
	}
	wheel_set(loop_wheel(live->loop), t, BEAT_MS, on_beat);
}

void beat_start(struct live *live)
{
	bus_subscribe(live->bus, STR_LIT(TOPIC_ALL));
	wheel_set(loop_wheel(live->loop), &live->beat, 0, on_beat);
}

/* Earlier than the usual time, but never later. */
static void beat_soon(struct live *live, int64_t delay_ms)
{
	if (!wheel_timer_is_set(&live->beat) || live->beat.deadline_ms > clock_mono_ms() + delay_ms)
		wheel_set(loop_wheel(live->loop), &live->beat, delay_ms, on_beat);
}

void beat_subscribed(struct live *live)
{
	beat_soon(live, 0);
}

static struct peer_worker *peer_find(struct live *live, const char *origin)
{
	struct peer_worker *p;
	HASH_FIND(hh, live->peers, origin, ORIGIN_LEN, p);
	return p;
}

/* NULL: too many are known. */
static struct peer_worker *peer_new(struct live *live, const char *origin)
{
	if (HASH_COUNT(live->peers) >= PEERS_MAX)
		return NULL;
	struct peer_worker *p = xcalloc(1, sizeof(*p));
	memcpy(p->origin, origin, ORIGIN_LEN);
	p->heard_ms = clock_mono_ms();
	p->version = BUS_VERSION;
	HASH_ADD(hh, live->peers, origin, ORIGIN_LEN, p);
	return p;
}

void beat_worker_lost(struct live *live, const char *origin)
{
	if (peer_find(live, origin) == NULL)
		(void)peer_new(live, origin);
}

/* The length of a heartbeat's scale and node. */
#define SCALE_NODE_LEN (2 * WORKER_NAME_LEN + 1)

/* What follows them; absent where it is no node's id. */
static struct str node_id_of(struct str scale_node)
{
	if (scale_node.len <= SCALE_NODE_LEN + 1 || scale_node.s[SCALE_NODE_LEN] != ' ')
		return STR_NULL;
	struct str id = {scale_node.s + SCALE_NODE_LEN + 1, scale_node.len - SCALE_NODE_LEN - 1};
	return id_name_valid(id) ? id : STR_NULL;
}

/* How long a heartbeat was on its way; 0 where it comes from another node, and nobody can know. `scale_node`: the end
 * of its text. */
static uint64_t age_us(const struct live *live, uint64_t sent_us, struct str scale_node)
{
	uint64_t now_us = (uint64_t)clock_usecs();
	if ((scale_node.len != SCALE_NODE_LEN && node_id_of(scale_node).s == NULL) || sent_us > now_us)
		return 0;
	return memcmp(scale_node.s + WORKER_NAME_LEN + 1, live->node, WORKER_NAME_LEN) == 0 ? now_us - sent_us : 0;
}

static void peer_node_heard(struct peer_worker *p, struct str id)
{
	if (id.s == NULL)
		return;
	memcpy(p->node_id, id.s, id.len);
	p->node_id[id.len] = '\0';
}

static void peer_hub_heard(struct peer_worker *p, struct str scale_node)
{
	struct str hub = {scale_node.s + WORKER_NAME_LEN + 1, WORKER_NAME_LEN};
	if (scale_node.len >= SCALE_NODE_LEN && id_worker_valid(hub))
		memcpy(p->hub, hub.s, hub.len);
}

static void peer_clock_heard(struct live *live, struct peer_worker *p, uint64_t sent_us, struct str data)
{
	struct lamport theirs;
	uint64_t us, synced;
	int64_t shift_us;
	bool was_synced = live->lamport.synced;
	if (!take_number(&data, &us) || !take_number(&data, &synced) || us > INT64_MAX / 2 ||
	    data.len < WORKER_NAME_LEN)
		return;
	lamport_init(&theirs, data.s);
	theirs.synced = synced != 0;
	peer_node_heard(p, node_id_of(data));
	peer_hub_heard(p, data);
	us += age_us(live, sent_us, data);
	if (lamport_hear(&live->lamport, &theirs, (int64_t)us, &shift_us))
		policy_scale_changed(live, shift_us);
	else if (!was_synced && live->lamport.synced)
		policy_clock_synced(live);
}

/* NULL: as for peer_new(). */
static struct peer_worker *peer_get(struct live *live, struct str origin)
{
	struct peer_worker *p = peer_find(live, origin.s);
	if (p == NULL && (p = peer_new(live, origin.s)) != NULL)
		beat_soon(live, ANSWER_MS);
	return p;
}

void beat_origin_heard(struct live *live, struct str origin)
{
	peer_get(live, origin);
}

void beat_heard(struct live *live, struct str origin, struct str data)
{
	struct peer_worker *p = peer_get(live, origin);
	uint64_t sent_us, version = 0;
	if (p == NULL)
		return;
	p->heard_ms = clock_mono_ms();
	p->lost = false;
	if (!take_number(&data, &sent_us) || !take_number(&data, &version))
		version = 0;
	peer_set_version(live, p, version);
	if (version != 0)
		peer_clock_heard(live, p, sent_us, data);
}

void beat_bye_heard(struct live *live, struct str origin)
{
	struct peer_worker *p = peer_find(live, origin.s);
	if (p != NULL)
		peer_free(live, p);
}

/* ---- the nodes ---- */

/* The entry of that node, which may be a new one; NULL where there is no room. */
static struct beat_node *node_get(struct beat_node *out, size_t *count, size_t max, const char *node_id)
{
	for (size_t i = 0; i < *count && i < max; i++)
		if (strcmp(out[i].node_id, node_id) == 0)
			return &out[i];
	if ((*count)++ >= max)
		return NULL;
	struct beat_node *node = &out[*count - 1];
	*node = (struct beat_node){0};
	memcpy(node->node_id, node_id, strlen(node_id) + 1);
	return node;
}

bool beat_nodes(const struct live *live, struct beat_node *out, size_t max, size_t *count_r)
{
	const struct peer_worker *p, *next;
	*count_r = 0;
	struct beat_node *node = node_get(out, count_r, max, live->conf->node_id);
	node->workers = 1;
	HASH_ITER (hh, live->peers, p, next) {
		node = node_get(out, count_r, max, p->node_id);
		if (node == NULL) {
			*count_r = max;
			return false;
		}
		node->workers += !p->lost;
		node->silent += p->lost;
	}
	return true;
}

static bool hub_is_in(const beat_hub *list, size_t count, const char *hub)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], hub) == 0)
			return true;
	return false;
}

bool beat_hubs(const struct live *live, beat_hub *out, size_t max, size_t *count_r)
{
	const struct peer_worker *p, *next;
	bool all = true;
	*count_r = 0;
	HASH_ITER (hh, live->peers, p, next) {
		if (p->hub[0] == '\0') {
			all = all && p->lost;
			continue;
		}
		if (strcmp(p->hub, live->node) == 0 || hub_is_in(out, *count_r, p->hub))
			continue;
		if (*count_r == max)
			return false;
		memcpy(out[(*count_r)++], p->hub, sizeof(p->hub));
	}
	return all;
}

void beat_fini(struct live *live, bool in_doubt)
{
	struct peer_worker *p, *next;
	wheel_cancel(&live->beat);
	if (bus_is_up(live->bus) && !bus_has_lost(live->bus) && !in_doubt)
		push_publish(live, STR_LIT(TOPIC_ALL), BUS_BYE, STR_LIT(""));
	HASH_ITER (hh, live->peers, p, next)
		peer_free(live, p);
}
