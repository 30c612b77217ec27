/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/reactions.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/json.h"
#include "core/utf8.h"

bool reaction_emoji_valid(struct str emoji)
{
	char room[REACTION_EMOJI_MAX];
	if (emoji.s == NULL || emoji.len == 0 || emoji.len > REACTION_EMOJI_MAX || !utf8_valid(emoji.s, emoji.len))
		return false;
	return !utf8_has_control(emoji, false) && !utf8_has_space(emoji) && utf8_undirected(emoji, room) == emoji.len;
}

/* ---- reading ---- */

/* Up to that character, or to the end; *at is moved behind it. */
static struct str take_until(struct str text, size_t *at, char end)
{
	const char *from = text.s + *at, *to = memchr(from, end, text.len - *at);
	size_t len = to != NULL ? (size_t)(to - from) : text.len - *at;
	*at += len + (to != NULL);
	return (struct str){from, len};
}

bool reactions_next(struct str text, size_t *at, struct reaction *r_r)
{
	if (*at >= text.len)
		return false;
	struct str line = take_until(text, at, '\n');
	size_t in = 0;
	*r_r = (struct reaction){.emoji = take_until(line, &in, ' ')};
	struct str count = take_until(line, &in, ' ');
	for (size_t i = 0; i < count.len && count.s[i] >= '0' && count.s[i] <= '9'; i++)
		r_r->count = r_r->count * 10 + (uint64_t)(count.s[i] - '0');
	r_r->users = take_until(line, &in, ' ');
	return r_r->emoji.len != 0 && r_r->count != 0 && r_r->users.len != 0;
}

struct reaction reactions_find(struct str text, struct str emoji)
{
	struct reaction r;
	size_t at = 0;
	while (reactions_next(text, &at, &r))
		if (str_equal(r.emoji, emoji))
			return r;
	return (struct reaction){.emoji = emoji};
}

size_t reactions_kinds(struct str text)
{
	struct reaction r;
	size_t at = 0, n = 0;
	while (reactions_next(text, &at, &r))
		n++;
	return n;
}

uint64_t reactions_total(struct str text)
{
	struct reaction r;
	uint64_t total = 0;
	for (size_t at = 0; reactions_next(text, &at, &r);)
		total += r.count;
	return total;
}

/* The names of the members and the number of a kind, and two quotation marks a user and a text. */
#define KIND_REST 72
#define USER_REST 3

size_t reactions_json_size(struct str text)
{
	struct reaction r;
	size_t size = 2;
	for (size_t at = 0; reactions_next(text, &at, &r);)
		size += KIND_REST + json_str_size(r.emoji) + r.users.len + USER_REST * REACTION_USERS_SHOWN;
	return size;
}

struct str reaction_next_user(struct str users, size_t *at)
{
	return *at < users.len ? take_until(users, at, ',') : STR_NULL;
}

bool reaction_shows(const struct reaction *r, struct str user)
{
	size_t at = 0;
	for (struct str u = reaction_next_user(r->users, &at); u.s != NULL; u = reaction_next_user(r->users, &at))
		if (str_equal(u, user))
			return true;
	return false;
}

/* ---- changing ---- */

static char *put(char *at, struct str s)
{
	memcpy(at, s.s, s.len);
	return at + s.len;
}

#define COUNT_MAX sizeof("18446744073709551615")

static char *put_line(char *at, const char *first, const struct reaction *r)
{
	if (r->count == 0)
		return at;
	if (at != first)
		*at++ = '\n';
	at = put(at, r->emoji);
	at += snprintf(at, COUNT_MAX + 2, " %" PRIu64 " ", r->count);
	return put(at, r->users);
}

struct str reactions_with(struct arena *a, struct str text, const struct reaction *r)
{
	char *first = arena_alloc(a, text.len + r->emoji.len + r->users.len + COUNT_MAX + 4), *at = first;
	struct reaction old;
	size_t from = 0;
	bool found = false;
	while (reactions_next(text, &from, &old)) {
		bool same = str_equal(old.emoji, r->emoji);
		/* A sound text has each once. */
		if (!same || !found)
			at = put_line(at, first, same ? r : &old);
		found |= same;
	}
	if (!found)
		at = put_line(at, first, r);
	return at == first ? STR_NULL : (struct str){first, (size_t)(at - first)};
}

/* Those of the list but for that user, as many as are shown. */
static size_t copy_users(char *to, struct str users, struct str but, size_t *len_r)
{
	size_t at = 0, n = 0;
	char *end = to;
	for (struct str u; n < REACTION_USERS_SHOWN && (u = reaction_next_user(users, &at)).s != NULL;) {
		if (str_equal(u, but))
			continue;
		if (n++ != 0)
			*end++ = ',';
		end = put(end, u);
	}
	*len_r = (size_t)(end - to);
	return n;
}

struct reaction reaction_added(struct arena *a, const struct reaction *r, struct str user)
{
	struct reaction more = {.emoji = r->emoji, .count = r->count + 1};
	char *users = arena_alloc(a, r->users.len + 1 + user.len);
	size_t len;
	if (copy_users(users, r->users, user, &len) < REACTION_USERS_SHOWN) {
		if (len != 0)
			users[len++] = ',';
		len = (size_t)(put(users + len, user) - users);
	}
	more.users = (struct str){users, len};
	return more;
}

struct reaction reaction_removed(struct arena *a, const struct reaction *r, struct str user, struct str first)
{
	struct reaction less = {.emoji = r->emoji, .count = r->count > 0 ? r->count - 1 : 0};
	char *users = arena_alloc(a, first.len + 1);
	/* What a sound database never has: the count then follows from those that are there. */
	size_t n = copy_users(users, first, user, &less.users.len);
	less.users.s = users;
	if (n < REACTION_USERS_SHOWN)
		less.count = n;
	return less;
}
