/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of a conversation's messages as one user sees them: those that the user has not deleted. No statement looks
 * at more rows than the page is long (PAGE_STEP at least), however many messages were deleted: a page is read in steps,
 * of which each reads the next messages and the next runs of deleted ones, so that the one after it passes over
 * those. Mostly there is one step. A page that is not at the end has one message at least.
 *
 * In a direct conversation the messages say themselves what is deleted, and the runs only help to pass it over: the
 * first step does without them. It asks when messages were read instead, of those that the page will have if none is
 * deleted; for what that leaves open there is a further step. In a group the runs alone say what is deleted.
 */
#ifndef TIDINGS_STORE_PAGE_H
#define TIDINGS_STORE_PAGE_H

#include "core/base.h"
#include "core/buf.h"
#include "store/answer.h"
#include "store/arena.h"
#include "store/row.h"
#include "store/store.h"

/* Statements that a step adds to a text, at most. */
#define PAGE_STMTS 2
#define PAGE_STEP 128

/* That reader had read up to it at that time. */
struct page_mark {
	uint64_t up_to_seq;
	int64_t at_ms;
};

/* What one of the two in a direct conversation has read. */
struct page_reader {
	uint64_t read_seq;	/* later messages are not read, but for those read by themselves */
	bool asked;		/* for marks, by this step or one before it: */
	uint64_t from;		/* those from that seq on; 0: the newest */
	unsigned limit;		/* at most as many */
	struct page_mark *mark; /* that came, in the order of the statement; room for PAGE_STEP */
	unsigned marks;
	uint64_t known_from, known_to; /* of messages in between, both included, no further mark can tell; 0: of none */
};

/* The user has deleted all from first to last. */
struct page_run {
	uint64_t first, last;
};

struct page {
	struct str user; /* borrowed */
	uint64_t conversation_id;
	bool backwards;		      /* from the newest on */
	unsigned limit;		      /* of messages */
	struct message *message;      /* in the order of the walk */
	size_t count;		      /* of them */
	bool has_more;		      /* further on; true once the page is complete */
	uint64_t over_seq, under_seq; /* what has not been looked at lies between the two, both excluded */
	uint64_t first_seq;	      /* the user sees nothing before it */

	struct answer answer, answer_before;
	size_t count_before; /* the step */
	unsigned steps;
	unsigned asked, looked;		/* messages of this step */
	uint64_t looked_seq;		/* the last of them */
	uint64_t reach;			/* this step asks for nothing further than it; both excluded */
	struct page_run *known, *found; /* before this step, in it; in the order of the walk */
	unsigned known_count, found_count;
	unsigned found_at; /* the first of those found that does not end before the message that was looked at last */
	bool marking;	   /* the page is there: when its messages were read is looked for */
	unsigned char stmt[PAGE_STMTS]; /* what the step's statements ask */
	unsigned stmt_count;
	struct page_reader reader[2]; /* the user, and the other side */
	bool stopped;		      /* what lies behind looked_seq may be deleted by runs that were not found */
};

/* Messages with seq between the two, both excluded. The arena has to live as long as the page. */
void page_init(struct page *p, struct arena *a, struct str user, uint64_t conversation_id, uint64_t over_seq,
	       uint64_t under_seq, bool backwards, unsigned limit);
/* The user sees nothing before that one. May be called again, before the rows of a step. */
void page_set_first(struct page *p, uint64_t first_seq);
/*
 * Of a direct conversation: how far the user and the other side have read. Nobody has read what is after it, so that it
 * needs no further step to find out when.
 */
void page_set_read(struct page *p, uint64_t read_seq, uint64_t peer_read_seq);
/* Writes the statements of the next step with ';' between them. Returns how many they are. */
unsigned page_put(struct page *p, struct buf *text);
/* The step begins anew: forgets what its rows have told. */
void page_restart(struct page *p);
/* A row of the step's statement counted from 0. Strings are copied into the arena. */
void page_row(struct page *p, struct arena *a, unsigned stmt, struct row *row);
/* After the step's rows. True: the page is complete, otherwise another step is needed. */
bool page_step(struct page *p) MUST_CHECK;
/* Turns the first n messages of a page that was read backwards into the order of time. */
void page_reverse(struct page *p, size_t n);

#endif
