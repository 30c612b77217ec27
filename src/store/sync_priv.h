/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files behind store_sync() share: sync_find.c finds which conversations there are to answer, sync.c the rest.
 */
#ifndef TIDINGS_STORE_SYNC_PRIV_H
#define TIDINGS_STORE_SYNC_PRIV_H

#include "core/base.h"
#include "store/answer.h"
#include "store/by_id.h"
#include "store/page.h"
#include "store/pool.h"
#include "store/query.h"
#include "store/store.h"

/* Read at once: about that many messages, of at most that many conversations. */
#define CHUNK_MESSAGES 400
#define CHUNK_MAX 16

enum sync_step { SYNC_FIND, SYNC_CONVERSATIONS, SYNC_DETAILS, SYNC_CONTENT };
/* The statements of SYNC_FIND and of SYNC_CONVERSATIONS. What is not needed is not asked. */
enum sync_stmt { STMT_ACTIVITY, STMT_LISTED, STMT_LISTED_GROUPS, STMT_WALK, STMT_DIRECT, STMT_GROUPS };

/* Of the conversations that the client lists. */
struct listed {
	uint64_t id;
	size_t index; /* in have[] */
};

/* A conversation of the answer. */
struct pick {
	const struct store_sync_have *have; /* NULL: not listed by the client */
	uint64_t id;
	struct store_cursor place; /* in the walk, where it was found there */
	bool loaded;
	bool begun;	/* its page was */
	bool page_done; /* its page is complete */
	bool complete;	/* and so is all else */
	struct page page;
	struct store_sync_change *change;
	size_t change_count;	/* with the one too many that tells of more */
	struct by_id updated;	/* the messages that changes are about, each once */
	bool asked_for_updated; /* they are here once this step is done */
};

/* What a statement of SYNC_CONTENT is about. */
enum part_kind { PART_PAGE, PART_CHANGES, PART_UPDATED };
struct part {
	struct pick *pick;
	enum part_kind kind;
	unsigned stmt; /* of those that it has, from 0 on */
};
#define PARTS_MAX (PAGE_STMTS + BY_ID_STMTS)

struct sync {
	struct read read;
	store_synced_fn *fn;
	void *arg;
	struct str user;
	struct store_sync_have *have;
	bool *is_party;	       /* of the same index: the user is one to that conversation */
	struct listed *listed; /* in order of id, then of index */
	size_t have_count;
	bool has_since;
	struct store_cursor since;
	int64_t back_to_ms; /* where the walk has to begin again once it has ended; 0: by the margin */
	unsigned limit;

	enum sync_step step;
	enum sync_stmt stmt[4]; /* those of the step, in the order of the text */
	unsigned stmt_count;
	int64_t activity_ms;	       /* what comes from now on is later */
	bool more;		       /* there are more than the picks */
	struct store_cursor walked_to; /* the place of the last pick of the walk; at first, since */
	struct pick pick[STORE_SYNC_ITEMS_MAX];
	struct view *view;	      /* of the same index */
	struct details details;	      /* of these */
	struct store_sync_item *item; /* of the same index */
	size_t count;		      /* picks */
	size_t kept;		      /* of them: with content, for the answer */
	size_t asked;		      /* content was asked for up to this one */
	struct part part[CHUNK_MAX * PARTS_MAX];
	unsigned part_count;
	struct answer answer;
	bool enough;
};

bool sync_is_direct(uint64_t id);
bool sync_is_group(uint64_t id);
/* Begins the step's next statement. */
void sync_begin_stmt(struct sync *s, enum sync_stmt stmt);

/* The text of SYNC_FIND, its rows, which make the picks, and before they come again. */
void sync_find_build(struct sync *s);
void sync_find_row(struct sync *s, enum sync_stmt stmt, struct row *row);
void sync_find_restart(struct sync *s);

#endif
