/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The form of messages on the bus, and the names of its topics: what workers and relays of a cluster say to one
 * another.
 *
 * A message carries the process that sent it, its origin: the name of a worker (core/id.h), which ignores its own when
 * they come back, or ORIGIN_RELAY. It has one of two forms:
 *
 *   KIND ORIGIN data                     the kinds that exist since the first version
 *   '@' VERSION FLAG KIND ORIGIN data    all newer kinds, and older ones whose data has changed
 *
 * The topic of a group is subscribed by the workers that hold a session of one of its members. Workers of a version
 * before groups do not subscribe to it: their sessions are given nothing of groups. They hear BUS_IN, BUS_OUT and
 * BUS_UNSURE on their users' topics, do not know them, and tell these users' sessions to catch up.
 *
 * VERSION is a digit, of the kind's data. FLAG is BUS_MAY_IGNORE or BUS_MUST_KNOW: what a worker does that knows the
 * kind, or this version of it, not. It ignores the message, or tells the user's sessions to catch up (live/resync.h; on
 * TOPIC_ALL all sessions): no version of the server can make all clients catch up at one moment.
 *
 * To add a kind: give it a letter and a row in kinds[] (form.c). To change the data of one: raise the version in its
 * row, and read both. Nodes of a cluster are upgraded one by one: send the new one only while no worker of an older
 * version is heard (legacy_peers in live/live.h), or where it does no harm that others ignore it.
 */
#ifndef TIDINGS_BUS_FORM_H
#define TIDINGS_BUS_FORM_H

#include "core/base.h"
#include "core/buf.h"
#include "core/id.h"

/* The first byte of what is on a user's topic, followed by the origin. */
enum bus_kind {
	BUS_MESSAGE = 'N',  /* then a message's id and gap in 16 hexadecimal digits each, and the JSON of its event */
	BUS_CHANGE = 'C',   /* then the id alone, and the JSON; of something done to that message */
	BUS_EVENT = 'E',    /* then the JSON of an event */
	BUS_ANNOUNCE = 'A', /* announcements of sessions and the answers to them: live/policy.h has their data */
	BUS_PRESENT = 'I',
	BUS_AGAIN = 'G',
	BUS_PLACED = 'P',
	BUS_KICK = 'K',	      /* an administrator ends all of the user's sessions */
	BUS_KICK_ONE = 'Q',   /* then a session's id: an administrator ends that session of the user */
	BUS_REVOKED = 'X',    /* tokens of the user are refused from now on; live/revoked.c has its data */
	BUS_FRIENDSHIP = 'F', /* then a user id: what is between the two has changed */
	BUS_CATCH_UP = 'U',   /* the user may have missed something */
	BUS_IN = 'J',	      /* the user came into a group; live/group_wire.c has the data of this and the next four */
	BUS_OUT = 'O',	      /* or went out of it */
	BUS_VIEW = 'V',	      /* what the user sees of a group has changed; on a group's topic: what all members see */
	BUS_UNSURE = 'Y',     /* something may have been done to the user's groups; or to this group */
	/* on a group's topic, beside BUS_EVENT, BUS_MESSAGE and BUS_CHANGE */
	BUS_TURN = 'T', /* a system message, and what was done to the group by it */
	/* on TOPIC_ALL */
	BUS_BEAT = 'H',	     /* this worker lives; live/beat.h has its data */
	BUS_BYE = 'B',	     /* it leaves */
	BUS_RESYNC = 'R',    /* it may have lost events */
	BUS_TRACE = 'L',     /* what became of a message? live/tracing.h has the data of this and of the answer */
	BUS_ROLL_CALL = 'S', /* a relay asks who is here; live/roll.h has the data of this and of the answer */
	/* on a worker's topic */
	BUS_TRACED = 'M',
	/* on TOPIC_ROLL */
	BUS_ROLL = 'D', /* who may have come or gone */
	/* on a presence topic */
	BUS_CAME = '1',
	BUS_WENT = '0',
};

/*
 * What a heartbeat says of its worker. 1: understands all of the above; those of before say nothing. 2: confirms its
 * new sessions (live/policy.h).
 */
#define BUS_VERSION 2
#define BUS_MAY_IGNORE '-'
#define BUS_MUST_KNOW '+'

#define ORIGIN_LEN WORKER_NAME_LEN
/*
 * Of all relays, as long as a worker's name. A relay has no heartbeat, so nobody may miss it: workers of a version
 * before relays take it for a worker, so each group of a relay's messages ends with BUS_BYE.
 */
#define ORIGIN_RELAY "--relay-"

#define TOPIC_ALL "all"
#define TOPIC_ROLL "roll"
#define TOPIC_USER "u:"
#define TOPIC_PRESENCE "p:"
#define TOPIC_GROUP "c:"
#define TOPIC_WORKER "w:"
#define TOPIC_MAX (2 + USER_ID_MAX + 1)
/* Writes "u:alice"; returns it as a str in out. `whose`: a user's id, or a worker's name. */
struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str whose);
/* "c:17179869184" */
struct str topic_make_group(char out[TOPIC_MAX], uint64_t conversation_id);

/* A message, taken apart; what it points to is borrowed. */
struct bus_form {
	char kind;
	bool known;	 /* the kind, and this version of it; always true in the first form */
	bool may_ignore; /* what is not known */
	struct str origin, data;
};

/* What comes before the data. `origin` has ORIGIN_LEN characters. */
void bus_form_begin(struct buf *b, enum bus_kind kind, const char *origin);
/* False: it is no message. */
bool bus_form_read(struct str message, struct bus_form *form_r) MUST_CHECK;
bool bus_form_is_relays(const struct bus_form *form);

#endif
