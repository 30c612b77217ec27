/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is online, for lists and for those who watch.
 *
 * The truth is the number of subscribers of a user's topic (PUBSUB NUMSUB): it needs no cleaning up after a crash. What
 * comes on a presence topic is only a hint to look again (look.h). An absence is told after WATCH_ABSENCE_MS. When a
 * worker falls silent (beat.h), everyone who is watched is looked at again.
 */
#ifndef TIDINGS_LIVE_WATCH_H
#define TIDINGS_LIVE_WATCH_H

#include "core/base.h"
#include "live/live.h"

#define WATCH_MAX 500
#define WATCH_ABSENCE_MS 5000

/* online[i] belongs to users[i]; from this node alone while Redis is away. Exactly once, from the loop or at once. */
typedef void online_fn(const bool *online, size_t n, void *arg);
void online_find(struct live *live, const struct str *users, size_t n, online_fn *fn, void *arg);

/* Answers what is still asked, from this node alone. */
void online_fini(struct live *live);

/* A session of the user in this worker was the first to come, or the last to go. */
void watch_tell(struct live *live, struct str user, bool came);
/* What is between the two has changed: those of them who watch the other are told what they may see now. */
void watch_friendship_changed(struct live *live, struct str a, struct str b);
/* The same, heard from another worker: what the user may see of the peer. */
void watch_friendship_heard(struct live *live, struct str user, struct str peer);
/* Such news may have been lost: all who watch are asked about, some thousand a second. */
void watch_recheck_friends(struct live *live);
/* The session ends. What it asked is still answered. */
void watch_forget(struct session *s);

/* The bus. */
void watch_hint(struct live *live, struct str user, bool came);
void watch_subscribed(struct live *live, struct str user);
/* All have to be looked at again (the bus was away, a worker fell silent). */
void watch_recheck_all(struct live *live, int64_t delay_ms);

#endif
