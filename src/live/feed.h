/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A feed is what the sessions here are given of one conversation, in order: a user's sessions, of a direct
 * conversation, or the sessions of a group's members. For a group one feed puts in order for all of them.
 *
 * Messages of one conversation may be committed by several workers, and arrive here on different paths: from this
 * worker at once, from the others through Redis. Sessions are given them in the order of seq all the same: one that is
 * ahead of its predecessor waits for it, for FEED_PATIENCE_MS at most, for it may have been lost. Then it is given,
 * and the sessions are told to catch up (resync.h). A message that arrives after a later one was given is
 * dropped, and the sessions are told to catch up too: the database has all that was committed before the later one.
 *
 * What is known of a conversation is forgotten after FEED_MEMORY_MS of silence. Its next message is taken as it
 * comes then, unless the one before it is so young that it may be on its way here still.
 */
#ifndef TIDINGS_LIVE_FEED_H
#define TIDINGS_LIVE_FEED_H

#include "core/base.h"
#include "live/live.h"

#define FEED_PATIENCE_MS 1000
#define FEED_MEMORY_MS 60000

struct push_place;
struct ws_frame;

/* What is given: a message, or a change of one. All borrowed. */
struct feed_item {
	uint64_t seq;
	bool is_message;
	struct ws_frame *frame;
	const char *except_id; /* the session that is left out; NULL: none */
	const void *note;      /* as feed_deliver() was given it */
};

/* Those whom a feed is given to. The callbacks run within feed_deliver() and feed_release_all(), or from a timer; they
 * must not end the feed. */
struct feed_kind {
	void (*give)(void *who, const struct feed_item *item);
	/* The item came after a later one, so its frame is not given; NULL: nothing is done. */
	void (*too_late)(void *who, const struct feed_item *item);
	/* They have to ask for something that they were not given. Comes before they are given what is behind a gap. */
	void (*missing)(void *who);
	/* Would they have been given a message that was published so long ago? */
	bool (*listens_since)(const void *who, int64_t ms);
	/* The message of that seq was published before they listened, so it will not come; NULL: that is not known. */
	bool (*is_past)(const void *who, uint64_t seq);
};

struct feed_owner {
	const struct feed_kind *kind;
	void *who;
	struct feed_list *feeds; /* in it */
};

/*
 * Now, or when its turn has come; a change does not come before its message. `except`: NULL for none. `note` is
 * allocated, and freed after the turn of the item; or NULL.
 */
void feed_deliver(struct live *live, const struct feed_owner *owner, const struct push_place *place,
		  struct ws_frame *frame, const struct session *except, void *note);
/* The message with that seq has come, and waits for its turn. */
bool feed_holds(const struct feed_list *feeds, uint64_t seq);
/* Redis is away, or was: what is missing will not come, and is not waited for. */
void feed_release_all(struct live *live);
/* The owner goes. What is held back is given to nobody. */
void feed_forget(struct feed_list *feeds);

#endif
