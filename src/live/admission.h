/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often may somebody log in or renew a login, change a password, begin a session, or have a picture read? Counted
 * for the user and for the address first, and for the node last: what one of them has used up is never missing for the
 * others. Which buckets there are is in hub/bucket.h.
 */
#ifndef TIDINGS_LIVE_ADMISSION_H
#define TIDINGS_LIVE_ADMISSION_H

#include "core/base.h"
#include "live/live.h"
#include "net/addr.h"

struct picture_reader;

void admissions_init(struct live *live);
/* All that was begun has ended. */
void admissions_fini(struct live *live);

#define PICTURES_AT_ONCE 16

/*
 * Each returns 0, or in how many milliseconds to come again.
 *
 * A call without a token, before its body is read: it counts for its address (limits.logins_per_minute).
 */
int64_t admission_try(struct live *live, const struct addr *peer);
/*
 * The same of a refresh token, before its body is read: nothing is taken yet. Of those an address has as many more, in
 * a bucket of its own, for nobody guesses one.
 */
#define REFRESHES_A_TRY 10
int64_t admission_refresh(struct live *live, const struct addr *peer);
/*
 * It has the form of a refresh token of that login, so the database will be asked: that counts for the address, unless
 * it is forgiven. And a login may not be renewed more often than somebody may log in.
 */
int64_t admission_refresh_begin(struct live *live, const struct addr *peer, uint64_t login);
/* It does not count: nobody knows what it is. */
void admission_refresh_forgive(struct live *live, const struct addr *peer);
/* Nor does it where it is genuine, so clients behind one address do not take from one another. It counts for its login.
 */
void admission_refresh_genuine(struct live *live, const struct addr *peer, uint64_t login);
/*
 * A picture that has to be read: an address has as many as a user has requests (limits.requests_per_second), and of
 * this worker PICTURES_AT_ONCE at a time, so that few addresses cannot take all the room that pictures have in the
 * store's queue; but for a balancer (trusted_proxies), whose clients are many. *reader_r is to be given back, once,
 * when it was read; NULL where nobody counts, or it is refused.
 */
int64_t admission_picture(struct live *live, const struct addr *peer, struct picture_reader **reader_r);
/* It was read. Nothing happens for NULL. */
void admission_picture_read(struct live *live, struct picture_reader *reader);
/*
 * A login, before its password is hashed. Only those that fail count (admission_failed). A user has as many as
 * LOGIN_ADDRESSES addresses. When they are used up, somebody is guessing: then an address has a tenth of its tries for
 * this user, so that a right password from elsewhere is still heard, and guessing from many addresses gets slow.
 */
#define LOGIN_ADDRESSES 10
int64_t admission_login(struct live *live, const struct addr *peer, const char *user_id);
void admission_failed(struct live *live, const struct addr *peer, const char *user_id);
/*
 * A change of the own password, before the old one is compared. Whatever becomes of it, it counts for the user, who has
 * as many as an address has logins: hashing takes the one thread of the worker that all passwords wait for.
 */
int64_t admission_password(struct live *live, const char *user_id);

/*
 * A session: of a user SESSIONS_A_USER a second, 20 seconds' worth at once; of an address a quarter of
 * limits.sessions_per_second, but of a balancer (trusted_proxies), whose clients are many. The node's own limit is
 * admission_session_node.
 */
#define SESSIONS_A_USER 5
int64_t admission_session(struct live *live, const struct addr *peer, const char *user_id);
int64_t admission_session_node(struct live *live);
/* The session was the user's first in a worker, which read that number of groups for it and subscribed to them. */
#define GROUPS_A_SESSION 200
void admission_session_groups(struct live *live, const char *user_id, size_t groups);

#endif
