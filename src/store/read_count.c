/* SPDX-License-Identifier: BSD-2-Clause */
/* What a read of a group has read and left unread, counted once it has committed: see op_read_group.c. */
#include "core/base.h"
#include "store/read_count.h"

#include "store/unread.h"

enum { WAS_READ, IS_LEFT, COUNTS };

struct group_count {
	struct read read;
	store_read_fn *fn;
	void *arg;
	struct store_read result;
	struct unread unread[COUNTS]; /* of the messages that were read by it, and of those after them */
};

static void count_restart(struct read *r)
{
	struct group_count *g = container_of(r, struct group_count, read);
	for (size_t i = 0; i < COUNTS; i++)
		unread_restart(&g->unread[i]);
}

static void count_row(struct read *r, unsigned stmt, struct row *row)
{
	struct group_count *g = container_of(r, struct group_count, read);
	size_t i = unread_take_tag(row);
	(void)stmt;
	if (i < COUNTS)
		unread_take(row, &r->arena, &g->unread[i]);
}

static void count_done(struct read *r, enum store_status status)
{
	struct group_count *g = container_of(r, struct group_count, read);
	g->result.status = status;
	g->result.marked = unread_in_group(&g->unread[WAS_READ]);
	g->result.unread = unread_in_group(&g->unread[IS_LEFT]);
	g->fn(&g->result, g->arg);
}

void read_count(struct pool *p, struct str user, const struct lane_read *r, store_read_fn *fn, void *arg)
{
	struct group_count *g = read_new(p, user, sizeof(*g));
	struct unread_stmt stmt;
	g->read.restart = count_restart;
	g->read.row = count_row;
	g->read.done = count_done;
	g->fn = fn;
	g->arg = arg;
	g->result = r->r;
	for (size_t i = 0; i < COUNTS; i++) {
		g->unread[i] = (struct unread){
			.user = g->read.user,
			.conversation_id = r->r.conversation_id,
			.read_seq = r->was_seq,
			.last_seq = r->last_seq,
			.uncounted_seq = r->uncounted_seq,
			.deleted_seq = r->deleted_seq,
		};
	}
	/* What was cleared is neither. */
	uint64_t read_seq = r->r.read_seq > r->was_seq ? r->r.read_seq : r->was_seq;
	g->unread[WAS_READ].last_seq = g->unread[IS_LEFT].read_seq = read_seq;
	unread_begin(&stmt, &g->read.text);
	for (size_t i = 0; i < COUNTS; i++)
		unread_put(&stmt, i, &g->unread[i]);
	if (unread_end(&stmt))
		pool_submit(&g->read);
	else
		pool_refuse(&g->read, STORE_OK);
}
