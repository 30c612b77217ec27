/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way: to the sessions of this worker at once, to all others by the
 * bus. An event carries its origin, so that who has delivered it already ignores it
 * when it comes back.
 */
#ifndef TIDINGS_IM_PUSH_H
#define TIDINGS_IM_PUSH_H

#include "core/base.h"
#include "im/im_priv.h"

/* The first byte of what is on a user's topic, followed by the origin. */
enum bus_kind {
	BUS_MESSAGE = 'N',    /* then a message's id and gap in 16 hexadecimal digits each, and the JSON of its event */
	BUS_CHANGE = 'C',     /* then the id alone, and the JSON; of something done to that message */
	BUS_EVENT = 'E',      /* then the JSON of an event */
	BUS_ANNOUNCE = 'A',   /* then session id, space, device */
	BUS_PRESENT = 'I',    /* likewise: the answer to an announcement */
	BUS_KICK = 'K',	      /* an administrator ends all of the user's sessions */
	BUS_FRIENDSHIP = 'F', /* then a user id: what is between the two has changed */
	/* on TOPIC_ALL */
	BUS_BEAT = 'H',	  /* this worker lives; then when it was sent, by its own clock_usecs */
	BUS_BYE = 'B',	  /* it leaves */
	BUS_RESYNC = 'R', /* it may have lost events */
	/* on a presence topic */
	BUS_CAME = '1',
	BUS_WENT = '0',
};

#define TOPIC_ALL "all"
#define TOPIC_USER "u:"
#define TOPIC_PRESENCE "p:"
#define TOPIC_MAX (2 + USER_ID_MAX + 1)
/* Writes "u:alice"; returns it as a str in out. */
struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user);

/* Which message an event is about, so that the sessions get all of a conversation in order (order.h). */
struct push_place {
	enum bus_kind kind; /* BUS_MESSAGE, BUS_CHANGE, or BUS_EVENT: it has no place */
	uint64_t message_id;
	int64_t gap_ms; /* BUS_MESSAGE: since the message before it; INT64_MAX: there is none */
};

/* To all sessions of the user but `except` (NULL: all), wherever they are. */
void push_to(struct im *im, struct str user, struct push_place place, struct str event_json,
	     const struct session *except);
/* To those of both. */
void push_to_both(struct im *im, struct str a, struct str b, struct push_place place, struct str event_json,
		  const struct session *except);
/* The event `resync`, to all sessions of the user: they may have missed something. Absent: to nobody. */
void push_resync(struct im *im, struct str user);
/* The event `notification`, to all sessions of the user. */
struct notification;
void push_notification(struct im *im, struct str user, const struct notification *n);
struct ws_frame;
/* To the user's sessions here but the one of that id (NULL: all). */
void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id);
/* Any message of ours on a topic: kind, origin, data. */
void push_publish(struct im *im, struct str topic, enum bus_kind kind, struct str data);

/* What the bus calls. */
extern const struct bus_events push_bus_events;

#endif
