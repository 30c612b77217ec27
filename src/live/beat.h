/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker does once a second: it ends sessions whose token has expired, and sends a heartbeat on TOPIC_ALL.
 *
 * Everyone answers a worker that is new in the cluster at once, and so it knows them. A worker that dies tells nobody;
 * its silence does. After BEAT_SILENCE_MS without a heartbeat all sessions are told to catch up, spread over some
 * seconds (what that worker had committed and not pushed, nobody else will push), and everyone who is watched is looked
 * at again. While Redis is away nobody is heard, and that says nothing.
 *
 * A heartbeat is `sent_us version clock_us synced scale node node_id`: when it was sent, by clock_usecs (for the sender
 * and the other workers of its node); BUS_VERSION; its Lamport clock (lamport.h) then, 1 if that is synced, else 0, and
 * its scale; the name of its node's hub; the node_id of its configuration. Earlier versions leave out the last one or
 * two, and the first sends `sent_us` alone. While one of the first version is in the cluster, live->legacy_peers is not
 * 0, and while one of before BUS_VERSION 2 is, live->unconfirming_peers is not.
 */
#ifndef TIDINGS_LIVE_BEAT_H
#define TIDINGS_LIVE_BEAT_H

#include "core/base.h"
#include "live/live.h"

#define BEAT_MS 1000
#define BEAT_SILENCE_MS 3000
/* Of our own, heard without any other worker's: then there is no other. */
#define BEATS_ALONE 3

void beat_start(struct live *live);
/*
 * Says goodbye, so that our silence is not noticed; nothing may be published after it. in_doubt: something was still in
 * progress that may have been committed. Then, and where publishes were lost, there is no goodbye: the others' sessions
 * have to catch up, and our silence tells them so.
 */
void beat_fini(struct live *live, bool in_doubt);

/* The bus: what others say on the topic of all is heard from now on. */
void beat_subscribed(struct live *live);
/* Our own came back through Redis: how long that took. */
void beat_own_heard(struct live *live, struct str data);
/* `origin` is a worker's name; of more than 4096 others, the rest are not known. */
void beat_heard(struct live *live, struct str origin, struct str data);
/* It has said anything on any topic: it is known from then on, even if its first heartbeat was before our time. */
void beat_origin_heard(struct live *live, struct str origin);
void beat_bye_heard(struct live *live, struct str origin);
/*
 * The nodes of the cluster as their workers' heartbeats tell, this one included: how many workers of each are heard,
 * and how many fell silent within the last minute. node_id "": workers of versions that do not tell it. False: there
 * are more than `max` (at least 1), and not all are written.
 */
struct beat_node {
	char node_id[NODE_ID_MAX + 1];
	unsigned workers, silent;
};
bool beat_nodes(const struct live *live, struct beat_node *out, size_t max, size_t *count_r);
/*
 * The names of the other nodes' hubs, those of workers that fell silent within the last minute included. False: there
 * are others, which are not known yet or for which there was no room.
 */
typedef char beat_hub[WORKER_NAME_LEN + 1];
bool beat_hubs(const struct live *live, beat_hub *out, size_t max, size_t *count_r);
/* It has died: its silence will be noticed even if it was never heard. */
void beat_worker_lost(struct live *live, const char *origin);

#endif
