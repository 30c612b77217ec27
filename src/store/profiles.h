/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nicknames and avatars that were read lately, so that lists of conversations need not join `users`. A worker has one
 * cache, bounded in entries and bytes; the entry that was not used for longest goes first.
 *
 * What this server changes is forgotten at once, in all workers (live/profile.h). Other systems write `users` without a
 * word, so an entry is not used for longer than PROFILES_LIFETIME_MS. A user without a row is not remembered.
 *
 * A read that began before a change may bring what was there before it, after the change was told. So who puts says
 * when the read began, and what is older than the last word about that user is not taken.
 */
#ifndef TIDINGS_STORE_PROFILES_H
#define TIDINGS_STORE_PROFILES_H

#include "core/base.h"

#define PROFILES_MAX 32768
#define PROFILES_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define PROFILES_LIFETIME_MS 200
/* One that has more text is not remembered. */
#define PROFILES_TEXT_MAX 16384

struct profiles;

/* The moment when a read began. */
struct profiles_moment {
	uint64_t change;
	int64_t ms;
};

struct profiles *profiles_new(size_t max, size_t bytes_max);
void profiles_free(struct profiles **p);
struct profiles_moment profiles_now(const struct profiles *p);
/* False: not remembered. What is found is borrowed until the next call. */
bool profiles_find(struct profiles *p, struct str user, struct str *nickname_r, struct str *avatar_url_r) MUST_CHECK;
void profiles_put(struct profiles *p, struct profiles_moment began, struct str user, struct str nickname,
		  struct str avatar_url);
void profiles_forget(struct profiles *p, struct str user);
void profiles_forget_all(struct profiles *p);
size_t profiles_count(const struct profiles *p);
/* Of the entries, with what the heap and the table need for them. */
size_t profiles_bytes(const struct profiles *p);

#endif
