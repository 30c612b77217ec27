/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of profiles. Decides what is forgotten, and when. */
#include "core/base.h"
#include "store/profiles.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "core/clock.h"
#include "core/siphash.h"
#include "core/table.h"

/* Users share the count of their last change with those of the same hash. Then a read is remembered less often. */
#define CHANGES 1024
/* Of an entry in the heap, and its slots in the table. */
#define OVERHEAD 32

struct entry {
	TAILQ_ENTRY(entry) use;
	int64_t read_ms;
	unsigned char user_len;
	bool has_nickname, has_avatar_url;
	uint32_t nickname_len, avatar_url_len;
	char text[]; /* the user, the nickname, the avatar's URL */
};

struct profiles {
	struct table all;
	TAILQ_HEAD(profiles_used, entry) used; /* the latest first */
	size_t max, bytes_max, bytes;
	uint64_t change;	   /* counts what was forgotten */
	uint64_t all_changed;	   /* its value after the last profiles_forget_all() */
	uint64_t changed[CHANGES]; /* after the last profiles_forget() of one of these users */
};

static struct str user_of(const void *item)
{
	const struct entry *e = item;
	return (struct str){e->text, e->user_len};
}

static size_t size_of(const struct entry *e)
{
	return sizeof(*e) + OVERHEAD + e->user_len + e->nickname_len + e->avatar_url_len;
}

struct profiles *profiles_new(size_t max, size_t bytes_max)
{
	struct profiles *p = xcalloc(1, sizeof(*p));
	p->max = max;
	p->bytes_max = bytes_max;
	table_init(&p->all, user_of);
	TAILQ_INIT(&p->used);
	return p;
}

static void drop(struct profiles *p, struct entry *e)
{
	p->bytes -= size_of(e);
	table_remove(&p->all, e);
	TAILQ_REMOVE(&p->used, e, use);
	free(e);
}

static void drop_all(struct profiles *p)
{
	struct entry *e;
	while ((e = TAILQ_FIRST(&p->used)) != NULL)
		drop(p, e);
}

void profiles_free(struct profiles **pp)
{
	struct profiles *p = *pp;
	if (p == NULL)
		return;
	drop_all(p);
	table_fini(&p->all);
	free(p);
	*pp = NULL;
}

struct profiles_moment profiles_now(const struct profiles *p)
{
	return (struct profiles_moment){p->change, clock_mono_ms()};
}

static bool is_young(int64_t read_ms)
{
	int64_t age_ms = clock_mono_ms() - read_ms;
	return age_ms >= 0 && age_ms < PROFILES_LIFETIME_MS;
}

bool profiles_find(struct profiles *p, struct str user, struct str *nickname_r, struct str *avatar_url_r)
{
	struct entry *e = table_find(&p->all, user);
	if (e == NULL)
		return false;
	if (!is_young(e->read_ms)) {
		drop(p, e);
		return false;
	}
	TAILQ_REMOVE(&p->used, e, use);
	TAILQ_INSERT_HEAD(&p->used, e, use);
	const char *nickname = e->text + e->user_len;
	*nickname_r = e->has_nickname ? (struct str){nickname, e->nickname_len} : STR_NULL;
	*avatar_url_r = e->has_avatar_url ? (struct str){nickname + e->nickname_len, e->avatar_url_len} : STR_NULL;
	return true;
}

/* The last change of that user, or of another one. */
static uint64_t *changed_of(struct profiles *p, struct str user)
{
	return &p->changed[siphash(p->all.secret, user.s, user.len) % CHANGES];
}

static char *append(char *at, struct str s)
{
	if (s.len != 0)
		memcpy(at, s.s, s.len);
	return at + s.len;
}

static struct entry *entry_new(struct str user, struct str nickname, struct str avatar_url, int64_t read_ms)
{
	struct entry *e = xmalloc(sizeof(*e) + user.len + nickname.len + avatar_url.len);
	*e = (struct entry){
		.read_ms = read_ms,
		.user_len = (unsigned char)user.len,
		.has_nickname = nickname.s != NULL,
		.has_avatar_url = avatar_url.s != NULL,
		.nickname_len = (uint32_t)nickname.len,
		.avatar_url_len = (uint32_t)avatar_url.len,
	};
	append(append(append(e->text, user), nickname), avatar_url);
	return e;
}

void profiles_put(struct profiles *p, struct profiles_moment began, struct str user, struct str nickname,
		  struct str avatar_url)
{
	if (user.len > UINT8_MAX || nickname.len > PROFILES_TEXT_MAX || avatar_url.len > PROFILES_TEXT_MAX ||
	    !is_young(began.ms) || began.change < p->all_changed || began.change < *changed_of(p, user))
		return;
	struct entry *old = table_find(&p->all, user);
	if (old != NULL && old->read_ms > began.ms)
		return;
	struct entry *e = entry_new(user, nickname, avatar_url, began.ms);
	if (old != NULL)
		drop(p, old);
	table_add(&p->all, e);
	TAILQ_INSERT_HEAD(&p->used, e, use);
	p->bytes += size_of(e);
	while (p->all.count > p->max || p->bytes > p->bytes_max)
		drop(p, TAILQ_LAST(&p->used, profiles_used));
}

void profiles_forget(struct profiles *p, struct str user)
{
	struct entry *e = table_find(&p->all, user);
	*changed_of(p, user) = ++p->change;
	if (e != NULL)
		drop(p, e);
}

void profiles_forget_all(struct profiles *p)
{
	p->all_changed = ++p->change;
	drop_all(p);
}

size_t profiles_count(const struct profiles *p)
{
	return p->all.count;
}

size_t profiles_bytes(const struct profiles *p)
{
	return p->bytes;
}
