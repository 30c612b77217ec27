/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting what is unread of conversations. Most of it follows from a few seqs that lie in the heads and in the
 * members' rows. Only where these tell that there is something between read_seq and last_seq that has to be counted is
 * it read, by a statement of its own whose ranges are constants: MariaDB reads a range that depends on another row from
 * the beginning of its index on.
 *
 * What is counted was there when that statement ran, a moment after the rows that the seqs are from. Only what is not
 * after last_seq counts.
 */
#ifndef TIDINGS_STORE_UNREAD_H
#define TIDINGS_STORE_UNREAD_H

#include "core/base.h"
#include "core/buf.h"
#include "store/arena.h"
#include "store/row.h"

/* Messages in a row of uncounted, a bit for each. */
#define UNCOUNTED_BITS 64

struct unread_run {
	uint64_t first_seq, last_seq;
};

/* Of one user in one conversation. */
struct unread {
	struct str user; /* borrowed */
	uint64_t conversation_id;
	uint64_t last_seq;
	uint64_t read_seq; /* or the last that was cleared, if that is further */
	/* As in schema/0009_groups.sql; 0: none. Of a direct conversation only mention_seq. */
	uint64_t uncounted_seq, all_seq, deleted_seq, mention_seq;
	/*
	 * Messages after read_seq that are not unread, and unread ones that mention the user. Those that are known
	 * already (unread_take_blocks()) are counted in known_gone, too, and then uncounted_seq is 0.
	 */
	uint64_t gone, known_gone, mentions;
	/* What the user has deleted of them, in order, while they are counted. */
	struct unread_run *run;
	size_t run_count, run_room;
};

/* "<block>,<bits>," of a row of uncounted that says that the message counts for nobody. */
void unread_put_uncounted(struct buf *text, uint64_t seq);

/* What is unread for a member, of members AS g and group_heads AS h, is after that one. */
#define UNREAD_AFTER "GREATEST(g.read_seq,g.first_seq-1,h.kept_seq-1)"
static inline uint64_t unread_after(uint64_t read_seq, uint64_t first_seq)
{
	return first_seq > read_seq + 1 ? first_seq - 1 : read_seq;
}
/*
 * Of members AS g and group_heads AS h: two rows of uncounted, that of uncounted_seq, and the one before it if read_seq
 * is in that. Where there is nothing between read_seq and the two they are all that has to be known.
 */
#define UNREAD_BLOCKS "x.bits,y.bits"
#define UNREAD_BLOCKS_JOIN                                                                                             \
	" LEFT JOIN uncounted x FORCE INDEX (PRIMARY) ON x.conversation_id=h.id AND x.block=h.uncounted_seq>>6 AND "   \
	"h.uncounted_seq>" UNREAD_AFTER                                                                                \
	" LEFT JOIN uncounted y FORCE INDEX (PRIMARY) ON y.conversation_id=h.id AND y.block=" UNREAD_AFTER             \
	">>6 AND h.uncounted_seq>>6=(" UNREAD_AFTER ">>6)+1"
/* Takes these columns of a group's row; the seqs are set. */
void unread_take_blocks(struct row *row, struct unread *u);

/* What one statement counts: each part of it opens its tables. */
#define UNREAD_CHUNK 128

/*
 * All conversations of some users, who have to follow: "='alice'" or " IN ('alice','bob')". What is unread of direct ones
 * where the user is on that side, 1 or 2: their ids and counts, no row where nothing is. The groups with something after
 * read_seq: what unread_take_group() takes. `before`: columns before these, of members AS g. (query_total.c)
 */
void unread_put_direct(struct buf *text, const char *before, int side);
void unread_put_groups(struct buf *text, const char *before);
/* All but the user. */
void unread_take_group(struct row *row, struct unread *u);

/* There is nothing to count. */
bool unread_is_known(const struct unread *u);
/* Mentions of several groups that one part of the statement counts. */
struct unread_mentions {
	struct buf ids, tags, ranges;
};
/* A UNION ALL statement that counts, while it is written. */
struct unread_stmt {
	struct buf *text;
	bool any;	 /* part was written */
	struct str user; /* whose the mentions below are; absent: there are none */
	struct unread_mentions by_name, of_all;
};

/* unread_end() has to follow. */
void unread_begin(struct unread_stmt *s, struct buf *text);
/*
 * What counts this one, to be told by `tag`; no two of a statement are of the same user and conversation where they
 * have mentions. False: there is nothing to count.
 */
bool unread_put(struct unread_stmt *s, size_t tag, const struct unread *u);
/* False: nothing was written. */
bool unread_end(struct unread_stmt *s);
/* The tag of a row of that statement. */
size_t unread_take_tag(struct row *row);
/* The rest of the row. The rows come in the order of the parts. The arena lives as long as the counting. */
void unread_take(struct row *row, struct arena *a, struct unread *u);
/* The statement is asked again. */
void unread_restart(struct unread *u);

/* Messages of a group that are unread. */
static inline uint64_t unread_in_group(const struct unread *u)
{
	uint64_t after = u->last_seq > u->read_seq ? u->last_seq - u->read_seq : 0;
	return after > u->gone ? after - u->gone : 0;
}

#endif
