/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a message mentions: as it is asked for, and as it is stored, a JSON array of user ids, or of "*" alone. */
#ifndef TIDINGS_STORE_MENTION_H
#define TIDINGS_STORE_MENTION_H

#include "core/base.h"
#include "store/store.h"

struct batch;
struct member;

/* About what a mention adds to the texts of a batch. It also bounds how many members are asked for in one list: from
 * 1000 on MariaDB would make a table of it (in_predicate_conversion_threshold), and lock in another order. */
#define MENTION_BYTES 640

/* Everyone, in a stored array and in the table; no user has that id. */
#define MENTION_EVERYONE STR_LIT("*")

struct mention_list {
	const struct str *user;
	size_t count; /* STORE_MENTIONS_MAX at most */
	bool all;     /* everyone, and nobody by name */
};

/* Those that are user ids, each once; kept has room for list->count. Returns how many. */
size_t mention_keep(const struct mention_list *list, struct str *kept);
/* How many bytes the stored array of such a list has at most. */
size_t mention_room(const struct str *user, size_t count);
/* The user at *at of a stored array, and *at moved behind it. Absent: the end. */
struct str mention_next(struct str array, size_t *at);

/*
 * The message mentions those of the list who are in the conversation: sets m->mentions, an array in `room`, and writes
 * down those who are not in `before`, the stored array that it had.
 */
void mention_note(struct batch *b, const struct mention_list *list, struct str before, char *room, struct member *from,
		  struct message *m);

/* Those who are in `before` and not in m->mentions are deleted, where rows of the table say so. */
void mention_forget(struct batch *b, struct str before, struct member *from, const struct message *m);

#endif
