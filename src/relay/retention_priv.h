/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files of retention share: retention.c decides what is done, retention_delete.c deletes. */
#ifndef TIDINGS_RELAY_RETENTION_PRIV_H
#define TIDINGS_RELAY_RETENTION_PRIV_H

#include "core/base.h"
#include "relay/relay_priv.h"

/* Messages of the first deletion, and the fewest. */
#define RETENTION_DELETE_MIN 10

/* Each text is a transaction between these two. */
void retention_begin(struct relay *r, struct buf *text);
#define RETENTION_END ";" SQL_END_1 ";" SQL_END_2
/* After a job: the next one waits. Returns how long it took, in microseconds. */
int64_t retention_rest(struct relay *r);
/* A job has failed: the conversation is left for the next time. */
void retention_skip(struct relay *r);
/* The one row of a text that counts. */
void retention_count_row(struct relay *r, unsigned stmt, struct row *row);
/* " BETWEEN … AND …" */
void retention_put_between(struct buf *text, uint64_t first, uint64_t last);
/* One more of the users that the next tidying is about. */
void retention_take_user(struct retention *x, struct row *row);

/* The conversation that it is at. */
static inline uint64_t retention_conversation(const struct retention *x)
{
	return x->conversation[x->at];
}
static inline bool retention_is_group(const struct retention *x)
{
	return conversation_is_group(retention_conversation(x));
}

extern const struct relay_job retention_delete_job, retention_members_job, retention_tidy_job;

#endif
