/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups in this worker: which of them have a member with a session here, and what these sessions are told.
 *
 * A group has a topic on the bus, which the workers with a member's session subscribe to; an event is published there
 * once, in a group of any size, and rendered once for all members. Who is a member is read from the database when the
 * user's first session in this worker begins, before its hello, and changes then by what the bus tells: on the user's
 * topic, and with the system message, in the order of seq. A user who was taken out is given nothing that comes after
 * it. While words of it may have been lost, from when Redis is away until a user's memberships are read again, the user
 * is told to catch up in place of being given a message; but where no other worker is known nothing is lost. The same
 * holds behind a gap in the messages of a group, for this group alone.
 */
#ifndef TIDINGS_LIVE_GROUP_H
#define TIDINGS_LIVE_GROUP_H

#include "core/base.h"
#include "live/live.h"
#include "live/push.h"

/* To the sessions of all members, wherever they are, but `except` (NULL: all); `place` as for push_to(). */
void group_push(struct live *live, uint64_t conversation_id, struct push_place place, struct str event_json,
		const struct session *except);

enum group_out { GROUP_OUT_LEFT, GROUP_OUT_REMOVED, GROUP_OUT_BANNED };

/* What was done to a group, after its commit. */
struct group_news {
	uint64_t conversation_id;
	uint64_t member_count; /* since then */
	/* The system message and its event; 0: there is none. */
	uint64_t message_id;
	int64_t gap_ms;
	struct str event_json;
	/* Who came in by it: each gets the event `conversation`, once nothing that comes after it can be missed. */
	const struct str *in;
	size_t in_count;
	uint64_t first_seq; /* of them */
	/* Who went out by it, or of a dissolved group, without a message: each gets the event `left`, and nothing that
	 * came after it. */
	const struct str *out;
	size_t out_count;
	enum group_out reason;
	bool dissolved; /* all members get the event `left` with that reason; they stay members */
	/* The event `conversation` to all members, whom it concerns some time later in a large group; else to these. */
	bool profile_changed;
	const struct str *changed;
	size_t changed_count;
};
void group_tell(struct live *live, const struct group_news *news, const struct session *except);

/* It is not known whether something was done to the group: its members, and this user, are told to catch up. */
void group_tell_unknown(struct live *live, uint64_t conversation_id, struct str user);
/* It is not known which groups the user is in: that is read again wherever they have sessions, which catch up. */
void group_tell_unsure(struct live *live, struct str user);

/* Is the user a member, as far as this worker knows? Of those without a session here it does not. */
enum group_known { GROUP_UNKNOWN, GROUP_MEMBER_HERE, GROUP_STRANGER };
enum group_known group_knows(struct live *live, uint64_t conversation_id, struct str user);
/* 0: not known here. */
uint64_t group_member_count(struct live *live, uint64_t conversation_id);

/* ---- group_budget.c ---- */

/* Members of the group with a session on this node, all workers together, as their last words say. */
uint64_t group_online(struct live *live, uint64_t conversation_id);
/* Of a second's tokens it needs so few that no harm is done where a stranger holds them for a moment. */
bool group_is_small(struct live *live, uint64_t conversation_id);
/*
 * Before a message to the group is sent: takes as many tokens of groups.fanout_per_second as the group has members
 * online here, *taken_r. Returns 0, or in how many milliseconds to come again. What is not sent after all gives them
 * back.
 */
int64_t group_take_fanout(struct live *live, uint64_t conversation_id, uint64_t *taken_r);
void group_give_back_fanout(struct live *live, uint64_t conversation_id, uint64_t taken);
/* 0 where there are any tokens. */
int64_t group_wait_fanout(struct live *live, uint64_t conversation_id);
/* For what was told without having taken any: they are owed. */
void group_charge_fanout(struct live *live, uint64_t conversation_id, uint64_t tokens);

#endif
