/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox as one connection writes it (schema/0010_outbox.sql): its stream, whose rows go into the connection's
 * transactions, and how many answers of each row others must still be told of. The caller counts them down as they are
 * told. Up to which row all were told is noted in outbox_done once a second, for the consumer 'push'.
 *
 * Where that can no longer be known, a new stream is begun (outbox_doubt()). What is not noted of the old one is the
 * relay's to repair.
 *
 * Rows are known here by a number that goes on from stream to stream, from 1.
 */
#ifndef TIDINGS_STORE_OUTBOX_H
#define TIDINGS_STORE_OUTBOX_H

#include "core/base.h"
#include "core/buf.h"

/* Rows whose answers are counted, at most; beyond that a new stream begins. */
#define OUTBOX_ROWS_MAX 16384
#define OUTBOX_SAVE_MS 1000

struct outbox {
	uint64_t stream;
	uint64_t base; /* the last row of the streams before; its own are counted from there */
	uint64_t last; /* the last row that has committed */
	uint64_t done; /* all answers of the rows up to it were told */
	/* Answers that are not told, of the rows after done: a ring, of a power of two. */
	uint16_t *left;
	size_t mask;
	/* What is to be noted: done of this stream, and of the one before. */
	uint64_t saved, saving;
	uint64_t old_stream, old_n, saving_old; /* old_n 0: nothing */
	int64_t tried_ms;			/* when it was last written; clock_mono_ms */
	bool in_doubt;				/* the next row begins a new stream */
};

/* With a new stream. */
void outbox_init(struct outbox *o);
void outbox_fini(struct outbox *o);

/*
 * "INSERT INTO outbox …" of the next row, with these items. first_id: what is in place of the first one's number, an
 * expression in SQL; NULL: it is as it is.
 */
void outbox_put_row(struct outbox *o, struct buf *text, struct str items, const char *first_id);
/* The same, once for each row that is found: "INSERT … SELECT … FROM …". */
void outbox_put_row_from(struct outbox *o, struct buf *text, struct str items, struct str from);
/* That transaction has committed. `answers`: those that others must be told of, at most UINT16_MAX. Returns the row. */
uint64_t outbox_committed(struct outbox *o, unsigned answers);
/* Others were told of `count` more answers of that row. A row of an earlier stream is ignored. */
void outbox_told(struct outbox *o, uint64_t row, unsigned count);
/* They were told of all answers of all rows up to that one. */
void outbox_told_up_to(struct outbox *o, uint64_t row);
/* Is that row of the present stream, and not told of? */
bool outbox_waits(const struct outbox *o, uint64_t row);
/*
 * It is not known whether the last transaction has committed, or somebody who was to tell has gone. The next row begins
 * a new stream.
 */
void outbox_doubt(struct outbox *o);

/* There is something to be noted; and the last time was OUTBOX_SAVE_MS ago or longer. */
bool outbox_has_news(const struct outbox *o);
bool outbox_is_due(const struct outbox *o);
/* "INSERT INTO outbox_done …", by the database's clock. */
void outbox_put_done(struct outbox *o, struct buf *text);
/* The last outbox_put_done() has committed. */
void outbox_saved(struct outbox *o);

#endif
