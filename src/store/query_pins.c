/* SPDX-License-Identifier: BSD-2-Clause */
/* The pinned messages of a conversation, in two steps: is the user a party to it, and which are they; then themselves.
 */
#include "core/base.h"
#include "store/answer.h"
#include "store/by_id.h"

#include <stdlib.h>

#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

enum { STMT_PARTY, STMT_PINS };

struct pins {
	struct read read;
	store_pins_fn *fn;
	void *arg;
	uint64_t conversation_id, before;
	bool party;
	char peer[USER_ID_MAX + 1]; /* of a direct conversation */
	bool looking;		    /* the second step */
	struct by_id pinned;
	struct by_id_item item[STORE_PINS_MAX];
	struct pin {
		uint64_t id, n;
	} pin[STORE_PINS_MAX];
	size_t count;
};

static void pins_restart(struct read *r)
{
	struct pins *p = container_of(r, struct pins, read);
	if (p->looking) {
		by_id_restart(&p->pinned);
		return;
	}
	p->party = false;
	p->count = 0;
}

static void pins_row(struct read *r, unsigned stmt, struct row *row)
{
	struct pins *p = container_of(r, struct pins, read);
	if (p->looking) {
		by_id_row(&p->pinned, &r->arena, stmt, row);
	} else if (stmt == STMT_PARTY) {
		p->party = true;
		row_take_user(row, p->peer);
	} else if (p->count < STORE_PINS_MAX) {
		struct pin *pin = &p->pin[p->count];
		pin->id = row_take_u64(row);
		pin->n = row_take_u64(row);
		p->count += p->before == 0 || pin->n < p->before;
	}
}

static int last_first(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;
	return x->n < y->n ? 1 : x->n > y->n ? -1 : 0;
}

static void put_look(struct pins *p)
{
	struct str peer = p->peer[0] != '\0' ? str_from(p->peer) : STR_NULL;
	qsort(p->pin, p->count, sizeof(p->pin[0]), last_first);
	for (size_t i = 0; i < p->count; i++)
		p->item[i] = (struct by_id_item){.id = p->pin[i].id, .peer = peer};
	p->pinned.count = p->count;
	p->looking = true;
	buf_clear(&p->read.text);
	by_id_put(&p->pinned, &p->read.text);
}

/* As many as one answer takes. */
static void take_page(struct pins *p, struct message *seen, struct store_pins *out)
{
	struct answer answer = {0};
	for (size_t i = 0; i < p->pinned.count && !out->has_more; i++) {
		const struct message *m = by_id_message(&p->pinned, i);
		/* One that another program has erased may have left its pin. */
		if (m == NULL || m->is_recalled)
			continue;
		out->has_more = !answer_takes(&answer, answer_message_size(m));
		if (out->has_more)
			continue;
		seen[out->count++] = *m;
		out->next = p->pin[i].n;
	}
	out->item = seen;
}

static void pins_done(struct read *r, enum store_status status)
{
	struct pins *p = container_of(r, struct pins, read);
	struct message seen[STORE_PINS_MAX];
	struct store_pins out = {.status = status == STORE_OK && !p->party ? STORE_NOT_FOUND : status};
	if (out.status == STORE_OK && !p->looking && p->count != 0) {
		put_look(p);
		pool_again(r);
		return;
	}
	if (out.status == STORE_OK)
		take_page(p, seen, &out);
	p->fn(&out, p->arg);
}

void store_list_pins(struct store *s, struct str user, uint64_t conversation_id, uint64_t before, store_pins_fn *fn,
		     void *arg)
{
	struct pins *p = read_new(s->pool, user, sizeof(*p));
	struct buf *text = &p->read.text;
	p->read.restart = pins_restart;
	p->read.row = pins_row;
	p->read.done = pins_done;
	p->fn = fn;
	p->arg = arg;
	p->conversation_id = conversation_id;
	p->before = before;
	p->pinned = (struct by_id){p->read.user, p->item, 0};
	if (conversation_id > CONVERSATION_ID_MAX) {
		pool_refuse(&p->read, STORE_NOT_FOUND);
		return;
	}
	if (conversation_is_group(conversation_id)) {
		sql_lit(text, "SELECT '' FROM members g FORCE INDEX (PRIMARY) WHERE ");
		query_put_is_member(text, user, conversation_id);
	} else {
		sql_lit(text, "SELECT IF(c.user1_id=");
		sql_str(text, user);
		sql_lit(text, ",c.user2_id,c.user1_id) FROM conversations c WHERE c.id=");
		sql_u64(text, conversation_id);
		sql_lit(text, " AND ");
		query_put_is_party(text, user);
	}
	sql_lit(text, ";SELECT message_id,n FROM pins FORCE INDEX (PRIMARY) WHERE conversation_id=");
	sql_u64(text, conversation_id);
	buf_printf(text, " LIMIT %d", STORE_PINS_MAX);
	pool_submit(&p->read);
}
