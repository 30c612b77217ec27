/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reactions to a message as its row has them, so that a page of messages needs no other table: a line for each
 * kind, with the emoji, how many users there are, and the first of them. A kind keeps its place while anybody is left
 * of it. For example: "X 7 alice,bob,carol,dave,erin".
 *
 * An emoji and a user's id have neither space nor line feed in them, and an id no comma. The table reactions has
 * everybody.
 */
#ifndef TIDINGS_STORE_REACTIONS_H
#define TIDINGS_STORE_REACTIONS_H

#include "core/base.h"
#include "store/arena.h"

#define REACTION_KINDS_MAX 20
#define REACTION_USERS_SHOWN 5
#define REACTION_EMOJI_MAX 64
/* reaction_emoji_valid() in words. */
#define REACTION_EMOJI_RULE "1 to 64 bytes of UTF-8 without control characters or white space"
/* Characters that turn the direction of the text around them count as control characters. */
bool reaction_emoji_valid(struct str emoji);

struct reaction {
	struct str emoji;
	uint64_t count;
	struct str users; /* with commas between them */
};

/* The one at *at of the stored text, and *at moved behind it. False: the end, or what is there is none. */
bool reactions_next(struct str text, size_t *at, struct reaction *r_r);
/* count 0: there is none. */
struct reaction reactions_find(struct str text, struct str emoji);
size_t reactions_kinds(struct str text);
uint64_t reactions_total(struct str text);
/* At most what src/api/render.c writes for them. */
size_t reactions_json_size(struct str text);
/* The user at *at of r->users, and *at moved behind it. Absent: the end. */
struct str reaction_next_user(struct str users, size_t *at);
bool reaction_shows(const struct reaction *r, struct str user);

/* The text with this in place of what it has of that emoji; count 0: without it. Absent where nothing is left. */
struct str reactions_with(struct arena *a, struct str text, const struct reaction *r);
/* One more user, as the last. */
struct reaction reaction_added(struct arena *a, const struct reaction *r, struct str user);
/* One less; `first`: those of before, in order, at least REACTION_USERS_SHOWN + 1 or all of them. */
struct reaction reaction_removed(struct arena *a, const struct reaction *r, struct str user, struct str first);

#endif
