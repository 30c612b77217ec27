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
	BUS_EVENT = 'E',    /* then the JSON of an event */
	BUS_ANNOUNCE = 'A', /* then session id, space, device */
	BUS_PRESENT = 'I',  /* likewise: the answer to an announcement */
	/* on TOPIC_ALL */
	BUS_BEAT = 'H',	  /* this worker lives */
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

/* To all sessions of the user but `except` (NULL: all). */
void push_to(struct im *im, struct str user, struct str event_json, const struct session *except);
/* To those of both; each user once. */
void push_to_both(struct im *im, struct str a, struct str b, struct str event_json, const struct session *except);
/* Any message of ours on a topic: kind, origin, data. */
void push_publish(struct im *im, struct str topic, enum bus_kind kind, struct str data);

/* What the bus calls. */
extern const struct bus_events push_bus_events;

#endif
