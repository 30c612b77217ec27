/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owns a group: for the server's operator, who is no member, and sees a group as its owner does. */
#include "core/base.h"
#include "store/group.h"
#include "store/store_priv.h"

#include "store/pool.h"
#include "store/row.h"
#include "store/sql.h"

struct find_owner {
	struct read read;
	store_owner_fn *fn;
	void *arg;
	char owner[USER_ID_MAX + 1]; /* "": there is no such group */
};

static void owner_restart(struct read *r)
{
	container_of(r, struct find_owner, read)->owner[0] = '\0';
}

static void owner_row(struct read *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	row_take_user(row, container_of(r, struct find_owner, read)->owner);
}

static void owner_done(struct read *r, enum store_status status)
{
	struct find_owner *f = container_of(r, struct find_owner, read);
	if (status == STORE_OK && f->owner[0] == '\0')
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? str_from(f->owner) : STR_NULL, f->arg);
}

void store_find_group_owner(struct store *s, uint64_t conversation_id, store_owner_fn *fn, void *arg)
{
	struct find_owner *f = read_new(s->pool, STR_NULL, sizeof(*f));
	f->read.restart = owner_restart;
	f->read.row = owner_row;
	f->read.done = owner_done;
	f->fn = fn;
	f->arg = arg;
	sql_lit(&f->read.text, "SELECT owner_id FROM group_profiles WHERE id=");
	sql_u64(&f->read.text, conversation_id);
	pool_submit(&f->read);
}
