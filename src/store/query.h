/* SPDX-License-Identifier: BSD-2-Clause */
/* What the reads share: the columns of conversations, and what is read of them after their rows. */
#ifndef TIDINGS_STORE_QUERY_H
#define TIDINGS_STORE_QUERY_H

#include "core/base.h"
#include "store/pool.h"
#include "store/row.h"
#include "store/store.h"
#include "store/unread.h"

/* A conversation that is being read: first its row, then the details. */
struct view {
	struct conversation c; /* complete but for those */
	struct unread unread;
	bool was_archived, is_answered; /* it was; and somebody else has written since */
	int64_t mute_ends_ms;		/* as it was set; it may be over */
};

/*
 * Whether a conversation is archived that somebody else has written to since it was: what came while it was muted does
 * not end that, also when the mute has. As own messages that follow such a one look like another's, one of them ends it
 * after the mute.
 */
static inline bool query_stays_archived(int64_t mute_ends_ms, int64_t last_ms)
{
	return mute_ends_ms >= last_ms;
}

/* Whether conversation_settings is read with the rows, or by the details. */
enum query_settings { SETTINGS_LATER, SETTINGS_TOO };

/*
 * "SELECT … FROM <from> …" of whole direct conversations as the user sees them, up to where a WHERE or ORDER BY may
 * follow; `from` is a part of SQL that names conversations AS c.
 */
void query_put_conversations(struct buf *text, struct str user, enum query_settings settings, const char *from,
			     struct str more_from);
/* The user is one of the two. Strings are copied into the arena. */
void query_take_conversation(struct row *row, struct arena *a, struct str user, struct view *out);

/* The same of groups, each as one of its members sees it; `from` names members AS g. */
void query_put_groups(struct buf *text, enum query_settings settings, struct str from);
void query_take_group(struct row *row, struct arena *a, struct view *out);

/*
 * Of a user's groups: twice any groups.max_per_user, as dissolved ones may come on top. With this as a limit MariaDB
 * does not merge a derived table: it is read whole, and only it is sorted.
 */
#define QUERY_GROUPS_MAX 20000

/*
 * The id of the newest message of a group that the member has not deleted, of members AS g and group_heads AS h. Where
 * the newest of all is deleted it is in the last run, and the message before that run is not deleted. It may be before
 * g.first_seq.
 */
#define GROUP_LAST_ID                                                                                                  \
	"(h.id<<28)+IF(g.deleted_seq<h.last_seq,h.last_seq,(SELECT d.first_seq-1 FROM deletions d FORCE INDEX "        \
	"(PRIMARY) WHERE d.user_id=g.user_id AND d.conversation_id=g.conversation_id ORDER BY d.first_seq DESC LIMIT " \
	"1))"

/* The first message that a member may see, of members AS g and group_heads AS h. */
#define GROUP_FIRST_SEQ "GREATEST(g.first_seq,h.kept_seq)"
/* The same of a user in a direct conversation, of conversations AS c. */
void query_put_first_seq(struct buf *text, struct str user);

/* Of conversation_settings AS s, and taking these columns; the conversation is known. */
void query_put_settings(struct buf *text);
void query_take_settings(struct row *row, struct arena *a, struct view *view);
/* The user's archived_seq and mark, which lie with the conversation, whose last_seq is known. */
void query_take_own(struct row *row, struct view *view);

/*
 * What is not in the rows of conversations: what has to be counted, and when the last message was read where it is not
 * the newest of all; where that is wanted, what the user has set of them. It is read in one round trip; mostly there is
 * nothing. All zeroes before it begins.
 */
enum details_stmt { DETAILS_COUNTS, DETAILS_MARKS, DETAILS_SETTINGS, DETAILS_STMTS };
struct details {
	bool settings; /* are wanted: all conversations are one user's */
	struct view *view;
	size_t count;
	bool asked;			       /* the read's rows are the details' */
	enum details_stmt stmt[DETAILS_STMTS]; /* those that are asked */
	unsigned stmt_count;
};
/* After the rows. Replaces the read's text by what is still to be asked; false: nothing is. */
bool details_put(struct details *d, struct read *r, struct view *view, size_t n);
/* In the read's restart() and row(), where d->asked. */
void details_restart(struct details *d);
void details_row(struct details *d, struct arena *a, unsigned stmt, struct row *row);

/* "user_id='…' AND conversation_id=…", of members AS g. */
void query_put_is_member(struct buf *text, struct str user, uint64_t conversation_id);

/* "(c.user1_id='u' OR c.user2_id='u')" */
void query_put_is_party(struct buf *text, struct str user);

/* What the text's first column says, one number. */
void query_count(struct pool *p, struct str user, struct str text, store_count_fn *fn, void *arg);

#endif
