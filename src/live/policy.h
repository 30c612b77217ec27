/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides which of a user's sessions in the cluster may stay (session.policy).
 *
 * Which of two sessions is newer follows from the order in which the cluster heard of them. Redis gives all subscribers
 * of one topic its messages in one order. No wall clock is used, and no name.
 *
 * The announcements on a user's topic:
 *
 *   BUS_ANNOUNCE  id device                   a new session. A worker publishes it once it hears the topic, and hears
 *                                             it come back like everyone else.
 *   BUS_AGAIN     id rank scale device        a session that was there before: Redis was away, and events were missed.
 *   BUS_PLACED    id rank scale about device  the answer to either of the two, for each session that has its rank: it
 *                                             was here when `about` was announced. With `about` being the same id: it
 *                                             is confirmed (see below), or its rank has changed.
 *   BUS_PRESENT   id device                   the same from a worker that cannot send BUS_PLACED.
 *
 * An announcement begins a new roll: all workers, the announcing one too, answer with the sessions that they hold. A
 * session that was not heard of in the present roll may be gone and does not count. So after the last announcement
 * everyone knows of everyone. Each worker decides about its own sessions alone: one goes when as many newer ones are
 * present as the policy allows. Of two logins at the same moment both workers hear both announcements in the same
 * order, and one stays.
 *
 * Rank. A session gets its rank when its worker hears its announcement come back: the value of the Lamport clock
 * (lamport.h), and more than any rank of this user that the worker knows. Whoever else hears a BUS_ANNOUNCE ranks that
 * session above all it knows. So a worker that has heard its topic without a break compares its sessions by the order
 * on the topic alone. A new session whose rank is too low learns that from the answers, and is raised above those that
 * were there before it. These are all whose announcement its worker has not heard, also where they answer another one.
 *
 * After a break (Redis or a link to it was away) that order has a gap. Then the ranks that the sessions' own workers
 * tell count: the same numbers everywhere, so that all agree. Logins that came while Redis was away have ranks by the
 * Lamport clock, which goes on meanwhile, so the later one mostly wins (see "Limit"). Ranks of another scale than ours
 * say nothing yet. A worker whose clock is not synced announces such sessions later, when it is; one whose scale
 * changes announces all again.
 *
 * Confirmation. A new session replaces nobody elsewhere by its announcement alone. That may have been on its way for so
 * long that the session has ended, and that its client has opened another one elsewhere, which must not go for it. So a
 * worker that hears the first answer to the announcement of its session confirms that the session is still there, and
 * from then on it counts. A worker that dies before that has replaced nobody.
 *
 * Limit: of several logins of one user that come while Redis is away, or while it comes back for one of their workers,
 * and that are closer together than messages need to spread, one that is not the latest may stay, or one too many or
 * too few, until the next login.
 *
 * Versions. Workers of before BUS_AGAIN compare session ids, which begin with the wall clock. While one of them is in
 * the cluster (live->legacy_peers), all use its rule and its messages, for all have to agree. Workers of before
 * BUS_VERSION 2 confirm nothing: while one is there (live->unconfirming_peers), announcements alone count.
 */
#ifndef TIDINGS_LIVE_POLICY_H
#define TIDINGS_LIVE_POLICY_H

#include "core/base.h"
#include "live/session.h"
#include "live/push.h"

/* The session is open, or Redis is back: tells the others if the bus is there, and looks at our own. */
void policy_announce(struct session *s);
/* The bus is there (again): what was not announced, or not heard, is announced. */
void policy_announce_all(struct live *live);
/* Publishes of ours were lost, answers perhaps among them: policy_announce_all() announces all again. */
void policy_answers_lost(struct live *live);
/* The bus is away: all that was known of sessions elsewhere is out of date, and all of ours will be announced again. */
void policy_link_down(struct live *live);
/* An announcement or the answer to one; `own`: this worker has sent it. */
void policy_heard(struct live *live, struct str user_id, enum bus_kind kind, struct str data, bool own);
/* The Lamport clock is synced. */
void policy_clock_synced(struct live *live);
/* It has another scale: all ranks move with it, and are told again. */
void policy_scale_changed(struct live *live, int64_t by_us);
/* Frees what is known of sessions elsewhere. */
void policy_forget(struct user *u);

#endif
