/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What events to groups cost: tokens of groups.fanout_per_second, which all groups of the node share. A group has a
 * bucket of its own besides, as large, which fills half as fast: none can use up the node's for long.
 */
#include "core/base.h"
#include "live/group.h"

#include "core/clock.h"
#include "hub/audience.h"
#include "hub/bucket.h"
#include "live/group_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* A group of which so small a part of a second's tokens is online may have them held by anybody. */
#define SMALL_PART 100

struct group_name {
	char text[24];
};

static struct group_name name_of(uint64_t id)
{
	struct group_name n;
	snprintf(n.text, sizeof(n.text), "%" PRIu64, id);
	return n;
}

static double node_rate(const struct live *live)
{
	return (double)live->conf->groups.fanout_per_second;
}

/* The table of the node may have no place for it: those who are here are counted all the same. */
uint64_t group_online(struct live *live, uint64_t conversation_id)
{
	const struct live_group *g = group_find(live, conversation_id);
	uint64_t node = audience_count(live->hub, conversation_id), here = g != NULL ? g->count : 0;
	return node > here ? node : here;
}

bool group_is_small(struct live *live, uint64_t conversation_id)
{
	return (double)group_online(live, conversation_id) * SMALL_PART <= node_rate(live);
}

int64_t group_take_fanout(struct live *live, uint64_t conversation_id, uint64_t *taken_r)
{
	const double rate = node_rate(live);
	uint64_t online = group_online(live, conversation_id);
	int64_t now_ms = clock_mono_ms();
	struct group_name name = name_of(conversation_id);
	*taken_r = 0;
	int64_t wait_ms = bucket_take_many(live->hub, BUCKET_GROUP_FANOUT, name.text, online, rate / 2, rate, now_ms);
	if (wait_ms != 0)
		return wait_ms;
	wait_ms = bucket_take_many(live->hub, BUCKET_NODE_FANOUT, "", online, rate, rate, now_ms);
	if (wait_ms != 0)
		bucket_give_back(live->hub, BUCKET_GROUP_FANOUT, name.text, online, rate / 2, rate);
	else
		*taken_r = online;
	return wait_ms;
}

void group_give_back_fanout(struct live *live, uint64_t conversation_id, uint64_t taken)
{
	const double rate = node_rate(live);
	bucket_give_back(live->hub, BUCKET_GROUP_FANOUT, name_of(conversation_id).text, taken, rate / 2, rate);
	bucket_give_back(live->hub, BUCKET_NODE_FANOUT, "", taken, rate, rate);
}

int64_t group_wait_fanout(struct live *live, uint64_t conversation_id)
{
	const double rate = node_rate(live);
	int64_t now_ms = clock_mono_ms();
	if (group_online(live, conversation_id) == 0)
		return 0;
	int64_t wait_ms =
		bucket_wait(live->hub, BUCKET_GROUP_FANOUT, name_of(conversation_id).text, rate / 2, rate, now_ms);
	return wait_ms != 0 ? wait_ms : bucket_wait(live->hub, BUCKET_NODE_FANOUT, "", rate, rate, now_ms);
}

/* What a group owes is not the others' debt: it has had its part of the node's. */
void group_charge_fanout(struct live *live, uint64_t conversation_id, uint64_t tokens)
{
	const double rate = node_rate(live);
	int64_t now_ms = clock_mono_ms();
	struct group_name name = name_of(conversation_id);
	if (bucket_wait(live->hub, BUCKET_GROUP_FANOUT, name.text, rate / 2, rate, now_ms) == 0)
		bucket_charge(live->hub, BUCKET_NODE_FANOUT, "", tokens, rate, rate, now_ms);
	bucket_charge(live->hub, BUCKET_GROUP_FANOUT, name.text, tokens, rate / 2, rate, now_ms);
}
