/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the relay knows of the streams of the outbox: what the last survey has found, and what the ones before it have,
 * so that it is known which rows have waited for how long. Pure memory, of STREAMS_MAX streams at most: those with
 * something to do are surveyed, and others follow when these are done.
 */
#ifndef TIDINGS_RELAY_STREAMS_H
#define TIDINGS_RELAY_STREAMS_H

#include "core/base.h"

#define STREAMS_MAX 4096
/* Surveys that are remembered. */
#define STREAMS_SURVEYS 8
/*
 * A row has waited for too long when the survey that many before this one has seen it, and is old enough, too: a clock
 * that is moved, or a process that was stopped, must not look like somebody who does not tell.
 */
#define STREAMS_SURVEYS_BETWEEN 5
/* The newest rows of a stream stay, so that a deletion is never next to a row that is being written. */
#define STREAMS_KEEP 10
/* Rows that one statement deletes: fewer are not worth it. */
#define STREAMS_DELETE_MIN 100
#define STREAMS_DELETE_MAX 1000

/*
 * Who reads the outbox; a row that all of them are done with is deleted. How to add one: here, its name in relay.c,
 * whether rows are kept for it in survey.c, and what works for it. Webhooks are consumers, too, but no row waits for
 * them: where there are any, all rows are kept for HOOK_KEEPS_DAYS.
 */
enum consumer {
	CONSUMER_PUSH,	 /* repair.c: events that nobody has pushed */
	CONSUMER_SEARCH, /* index_feed.c: the search index */
	CONSUMER_DEVICE, /* devices_feed.c: pushes to phones and browsers */
	CONSUMER_FILES,	 /* sweep_feed.c: files that messages do not show any more */
	CONSUMERS,
};

/* How far a stream was read. */
struct cursor {
	uint64_t stream, n;
};

struct stream {
	uint64_t id;
	uint64_t min_n, max_n;	    /* of the rows there are */
	uint64_t done_n[CONSUMERS]; /* each is done up to it */
	uint64_t all_done_n;	    /* all are that rows are kept for */
	bool still;		    /* none of these has moved for an hour */
	/* streams.c's own */
	uint64_t due_n; /* rows up to it have waited for too long; 0: none */
	uint64_t seen_n[STREAMS_SURVEYS];
};

struct streams {
	struct stream *now, *next; /* the first by id; the second while a survey is under way */
	size_t count, next_count;
	uint64_t surveys; /* number i is in place i % STREAMS_SURVEYS */
	int64_t surveyed_ms[STREAMS_SURVEYS];
};

/* Zeroed before first use. */
void streams_fini(struct streams *s);
/* Forgets all surveys: each row gets its whole time again. */
void streams_forget(struct streams *s);

/* A survey: each stream once, in any order; those beyond STREAMS_MAX are dropped. streams_begin() drops a survey that
 * was not finished. */
void streams_begin(struct streams *s);
void streams_add(struct streams *s, const struct stream *found);
void streams_end(struct streams *s, int64_t now_ms, int64_t patience_ms);

/* Rows that CONSUMER_PUSH is not done with. */
uint64_t streams_rows(const struct streams *s);
/* The stream behind that id (after the last one comes the first) that has rows which are due for CONSUMER_PUSH; NULL:
 * none. */
struct stream *streams_next_due(struct streams *s, uint64_t after_id);
/* The stream behind that id that has rows which the consumer is not done with; NULL: none. */
struct stream *streams_next_unread(const struct streams *s, enum consumer consumer, uint64_t after_id);
struct stream *streams_find(struct streams *s, uint64_t id);
/* The consumer is done with its rows up to n. */
void streams_note(struct streams *s, enum consumer consumer, uint64_t id, uint64_t n);
/*
 * The stream with the most rows to delete, and which of them one statement is to delete: no more than
 * STREAMS_DELETE_MAX. NULL: none is worth it.
 */
struct stream *streams_to_delete(struct streams *s, uint64_t *first_n_r, uint64_t *last_n_r);

#endif
