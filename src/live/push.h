/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way: to the sessions of this worker at once, to all others by the bus. An event carries the worker
 * that sent it, its origin, so that this worker ignores it when it comes back (bus/form.h).
 */
#ifndef TIDINGS_LIVE_PUSH_H
#define TIDINGS_LIVE_PUSH_H

#include "core/base.h"
#include "bus/form.h"
#include "live/live.h"
#include "net/ws_frame.h"

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
/* Makes the frame of an event. Only pushes of messages are noted (core/trace.h). */
static inline struct ws_frame *push_frame_new(const struct push_place *place, struct str event_json)
{
	struct ws_frame *frame = ws_frame_new(event_json);
	if (place->kind == BUS_MESSAGE)
		ws_frame_set_about(frame, place->message_id);
	return frame;
}
/* To the user's sessions here but the one of that id (NULL: all). */
void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id);
/*
 * Something may never have been pushed to the user: all of their sessions, here and elsewhere, are told to catch up.
 * Absent: nobody is. Paced as resync.h says.
 */
void push_resync(struct live *live, struct str user);
/* Ends all of the user's sessions, or the one of that id (absent: all), wherever they are. */
void push_kick(struct live *live, struct str user, struct str only_id);
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
