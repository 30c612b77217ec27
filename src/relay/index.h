/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay that leads also writes the search index (schema/0018_search.sql): it is the consumer 'search' of the
 * outbox. What is written follows from the messages alone, so that all of it may be done twice, and whatever is
 * interrupted begins again.
 *
 * There is one kind of work (index_work.c): to cover conversations up to some seq, block by block from where their
 * filters end, and to make the blocks anew in which messages were edited. It comes from two sources: the outbox says
 * which conversations have got further (index_feed.c), and while the index is being built all are walked through in
 * order of id (index_state.c). When it is done that is noted: in outbox_done, or in search_state.
 *
 * Each transaction that writes counts search_state.writes up, and fails unless the index is still of the generation
 * that it was read in and this relay still its holder: one that was replaced writes nothing that is older than what
 * another has written meanwhile.
 *
 * It is never in a hurry: nothing is missed while the index is behind, for searches compare what no filter covers. One
 * job is of about a thousand messages, and between two of them the database has at least as long a rest.
 */
#ifndef TIDINGS_RELAY_INDEX_H
#define TIDINGS_RELAY_INDEX_H

#include "core/base.h"
#include "core/buf.h"
#include "core/wheel.h"
#include "relay/streams.h"
#include "store/message_words.h"
#include "store/search_backend.h"

struct relay;
struct relay_job;
struct row;

/* How often the outbox is read. */
#define INDEX_FEED_MS 5000
/* The outbox waits for the index for a day at most; then the conversations in question are covered later. */
#define INDEX_WAITS_MS INT64_C(86400000)

/* A conversation that is to be covered. */
struct index_item {
	uint64_t conversation_id;
	uint64_t up_to;	  /* seq; 0: only what was edited */
	uint64_t covered; /* up to which it is */
};

/* A message that was edited, and by which change, if search_edits says so. */
struct index_edit {
	uint64_t id;
	uint64_t change_seq; /* 0: the outbox says so */
	bool is_loose;	     /* no filter covers it, nor will */
};

/* A block that is being made. */
struct index_block {
	uint64_t conversation_id, block;
	uint64_t last_seq;	   /* of those that are looked at */
	bool is_next;		   /* the filters cover the conversation up to it afterwards; else it was edited */
	int64_t first_ms, last_ms; /* 0: it has no messages */
	size_t at, len;		   /* its filter in index.filters */
};
/* Of a job; and messages in them, about. */
#define INDEX_BLOCKS_MAX 64
#define INDEX_MESSAGES_MAX 1024

enum index_step {
	INDEX_IDLE,
	INDEX_FEEDING, /* streams are read, one after the other */
	INDEX_WALKING, /* the next conversations are */
	INDEX_HEADS,   /* how far these are covered is to be asked */
	INDEX_READING, /* blocks are to be read */
	INDEX_WRITING, /* those that were read are to be written */
	INDEX_NOTING,  /* all of it is done */
};

/* Streams that are read at a time. */
#define INDEX_CURSORS_MAX 256

struct index {
	const struct search_backend *backend; /* NULL: search is off */
	/* What search_state says. */
	bool look, known; /* it is to be asked; it was since this relay leads */
	bool is_ours;	  /* it says that this relay writes */
	uint64_t generation, format, state, walked_id;
	bool told_newer; /* that the index is of a newer release */

	enum index_step step;
	bool walks;	     /* the work is a part of the walk; else it is of the outbox */
	bool walk_ends;	     /* and it is the last one */
	uint64_t walk_to;    /* the conversation that the walk has come to afterwards */
	unsigned rows;	     /* of the walk, or of a stream, that were read */
	int64_t feed_ms;     /* when the outbox is to be read next */
	uint64_t feed_after; /* the stream that was read last */
	bool feed_full;	     /* there is more in it */
	struct cursor cursor[INDEX_CURSORS_MAX];
	unsigned cursors;

	struct index_item *item;
	size_t items, item_room;
	size_t item_at, item_end; /* the next one, and those whose heads were asked for */
	struct index_edit *edit;
	size_t edits, edit_room, edit_at;
	uint64_t next_block; /* of the item at hand; UINT64_MAX: not begun */
	struct index_block block[INDEX_BLOCKS_MAX];
	unsigned blocks, reading; /* and which of them the rows belong to */
	uint64_t messages;	  /* in them */
	struct buf filters;
	struct gathered *gathered;
	struct message_words words;

	int64_t asked_usecs;   /* of the job under way */
	int64_t rest_until_ms; /* nothing is asked before */
	struct wheel_timer rest;
	int64_t failing_since_ms; /* 0: it does what it is to do */
};

void index_init(struct relay *r);
void index_fini(struct relay *r);
void index_second(struct relay *r, int64_t now_ms);
/* Forgets all that it was at: this relay does not lead any more, or has lost the database. */
void index_forget(struct relay *r);
/* The outbox keeps what the index has not read. */
bool index_is_waited_for(const struct relay *r, int64_t now_ms);
const struct relay_job *index_due(struct relay *r, int64_t now_ms);

/* ---- what its files share ---- */

/* A job is done, or has failed: both let the database rest. */
void index_rest(struct relay *r);
void index_failed(struct relay *r);
/* Drops the work at hand. */
void index_drop(struct relay *r);
/* "UPDATE search_state …" and what makes the transaction fail where this relay may not write; ends with ';'. */
void index_put_guard(struct relay *r, struct buf *text, const char *assignments);

/* index_feed.c */
bool index_feed_has_rows(const struct relay *r);
extern const struct relay_job index_feed_job, index_note_feed_job;
void index_feed_begin(struct index *x);
/* Another stream is to be read before the work begins. */
bool index_feed_goes_on(const struct relay *r);
/* None is. */
void index_feed_end(struct relay *r);

/* index_state.c */
extern const struct relay_job index_look_job, index_begin_job, index_off_job, index_take_job, index_walk_job,
	index_note_walk_job;

/* index_work.c */
void index_add_item(struct index *x, uint64_t conversation_id, uint64_t up_to);
void index_add_edit(struct index *x, uint64_t id, uint64_t change_seq);
/* All are added. Sets the step. */
void index_begin_work(struct index *x);
extern const struct relay_job index_heads_job, index_read_job, index_write_job;

#endif
