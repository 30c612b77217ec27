/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way: to the sessions of this worker at once, to all others by the bus. An event carries the worker
 * that sent it, its origin, so that this worker ignores it when it comes back.
 *
 * A message on the bus has one of two forms:
 *
 *   KIND ORIGIN data                     the kinds that exist since the first version
 *   '@' VERSION FLAG KIND ORIGIN data    all newer kinds, and older ones whose data has changed
 *
 * The topic of a group is subscribed by the workers that hold a session of one of its members. Workers of a version
 * before groups do not subscribe to it: their sessions are given nothing of groups. They hear BUS_IN, BUS_OUT and
 * BUS_UNSURE on their users' topics, do not know them, and tell these users' sessions to catch up.
 *
 * VERSION is a digit, of the kind's data. FLAG is BUS_MAY_IGNORE or BUS_MUST_KNOW: what a worker does that knows the
 * kind, or this version of it, not. It ignores the message, or tells the user's sessions to catch up (resync.h; on
 * TOPIC_ALL all sessions): no version of the server can make all clients catch up at one moment.
 *
 * To add a kind: give it a letter and a row in kinds[] (push.c). To change the data of one: raise the version in its
 * row, and read both. Nodes of a cluster are upgraded one by one: send the new one only while live->legacy_peers is 0,
 * or where it does no harm that others ignore it.
 */
#ifndef TIDINGS_LIVE_PUSH_H
#define TIDINGS_LIVE_PUSH_H

#include "core/base.h"
#include "live/live.h"

/* The first byte of what is on a user's topic, followed by the origin. */
enum bus_kind {
	BUS_MESSAGE = 'N',  /* then a message's id and gap in 16 hexadecimal digits each, and the JSON of its event */
	BUS_CHANGE = 'C',   /* then the id alone, and the JSON; of something done to that message */
	BUS_EVENT = 'E',    /* then the JSON of an event */
	BUS_ANNOUNCE = 'A', /* announcements of sessions and the answers to them: policy.h has their data */
	BUS_PRESENT = 'I',
	BUS_AGAIN = 'G',
	BUS_PLACED = 'P',
	BUS_KICK = 'K',	      /* an administrator ends all of the user's sessions */
	BUS_FRIENDSHIP = 'F', /* then a user id: what is between the two has changed */
	BUS_CATCH_UP = 'U',   /* the user may have missed something */
	BUS_IN = 'J',	      /* the user came into a group; group_wire.c has the data of this and the next four */
	BUS_OUT = 'O',	      /* or went out of it */
	BUS_VIEW = 'V',	      /* what the user sees of a group has changed; on a group's topic: what all members see */
	BUS_UNSURE = 'Y',     /* something may have been done to the user's groups; or to this group */
	/* on a group's topic, beside BUS_EVENT, BUS_MESSAGE and BUS_CHANGE */
	BUS_TURN = 'T', /* a system message, and what was done to the group by it */
	/* on TOPIC_ALL */
	BUS_BEAT = 'H',	  /* this worker lives; beat.h has its data */
	BUS_BYE = 'B',	  /* it leaves */
	BUS_RESYNC = 'R', /* it may have lost events */
	/* on a presence topic */
	BUS_CAME = '1',
	BUS_WENT = '0',
};

/* What a heartbeat says of its worker. 1: understands all of the above; those of before say nothing. */
#define BUS_VERSION 1
#define BUS_MAY_IGNORE '-'
#define BUS_MUST_KNOW '+'

#define TOPIC_ALL "all"
#define TOPIC_USER "u:"
#define TOPIC_PRESENCE "p:"
#define TOPIC_GROUP "c:"
#define TOPIC_MAX (2 + USER_ID_MAX + 1)
/* Writes "u:alice"; returns it as a str in out. */
struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user);
/* "c:17179869184" */
struct str topic_make_group(char out[TOPIC_MAX], uint64_t conversation_id);

/* Which message an event is about, so that the sessions get all of a conversation in order (feed.h). */
struct push_place {
	enum bus_kind kind; /* BUS_MESSAGE, BUS_CHANGE, or BUS_EVENT: it has no place */
	uint64_t message_id;
	int64_t gap_ms; /* BUS_MESSAGE: since the message before it; INT64_MAX: there is none */
};

/* To all sessions of the user but `except` (NULL: all), wherever they are. */
void push_to(struct live *live, struct str user, struct push_place place, struct str event_json,
	     const struct session *except);
/* To those of both. */
void push_to_both(struct live *live, struct str a, struct str b, struct push_place place, struct str event_json,
		  const struct session *except);
struct ws_frame;
/* To the user's sessions here but the one of that id (NULL: all). */
void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id);
/*
 * Something may never have been pushed to the user: all of their sessions, here and elsewhere, are told to catch up.
 * Absent: nobody is. Paced as resync.h says.
 */
void push_resync(struct live *live, struct str user);
/* Any message of ours on a topic, in the form that its kind has. */
void push_publish(struct live *live, struct str topic, enum bus_kind kind, struct str data);
/* An event of ours on a topic, for the other workers alone. */
void push_publish_event(struct live *live, struct str topic, struct push_place place, struct str event_json);

/* A number on the bus: 16 hexadecimal digits. The second takes the one at the front; false if there is none. */
void push_append_hex(struct buf *b, uint64_t n);
bool push_take_hex(struct str *data, uint64_t *n_r) MUST_CHECK;

/* What the bus calls. */
extern const struct bus_events push_bus_events;

#endif
