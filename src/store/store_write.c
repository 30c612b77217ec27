/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of the write lane, as the store's callers know them: handed to the node's writers, or carried out by
 * a lane of this process.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "core/log.h"
#include "store/read_count.h"

#include <stdlib.h>

/* Whose callback an answer is for; freed after the last one. */
struct asker {
	struct store *store;
	union {
		store_sent_fn *sent;
		store_change_fn *change;
		store_read_fn *read;
		store_created_fn *created;
		store_settings_fn *cleared;
	} fn;
	void *arg;
	bool made; /* create: a new one */
	bool cut;  /* read: that of store->counting */
	struct store_read read;
	char user[USER_ID_MAX + 1];
};

static struct asker *asker_new(struct store *s, struct str user, void *arg)
{
	struct asker *a = xcalloc(1, sizeof(*a));
	a->store = s;
	a->arg = arg;
	if (id_user_valid(user))
		memcpy(a->user, user.s, user.len);
	return a;
}

static void asker_answered(struct asker *a, enum store_status status)
{
	if (status != STORE_UNCERTAIN)
		free(a);
}

/* ---- send ---- */

static void on_sent(const union wire_result *r, void *arg)
{
	struct asker *a = arg;
	a->fn.sent(&r->sent, a->arg);
	asker_answered(a, r->sent.status);
}

void store_send(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg)
{
	char id[MADE_ID_LEN];
	union wire_args args = {.send = *p};
	if (p->client_msg_id.s == NULL) {
		lane_make_id(id);
		args.send.client_msg_id = (struct str){id, sizeof(id)};
	}
	if (s->lane != NULL) {
		lane_send(s->lane, &args.send, LANE_FRESH, fn, arg);
		return;
	}
	struct asker *a = asker_new(s, p->from, arg);
	a->fn.sent = fn;
	bool direct = p->to.s != NULL;
	if (!id_user_valid(p->from) || (direct && !id_user_valid(p->to)))
		writers_refuse(s->writers, WIRE_SEND, &args, STORE_NOT_FRIENDS, on_sent, a);
	else if (!direct && p->conversation_id == 0)
		writers_refuse(s->writers, WIRE_SEND, &args, STORE_NOT_FOUND, on_sent, a);
	else
		writers_submit(s->writers, WIRE_SEND, &args, (struct str[2]){p->from, p->to},
			       direct ? 0 : p->conversation_id, on_sent, a);
}

/* ---- one message ---- */

static void on_changed(const union wire_result *r, void *arg)
{
	struct asker *a = arg;
	a->fn.change(&r->change, a->arg);
	asker_answered(a, r->change.status);
}

void store_act(struct store *s, const struct store_act *p, store_change_fn *fn, void *arg)
{
	const union wire_args args = {.act = *p};
	uint64_t conversation_id = message_id_conversation(p->id);
	if (s->lane != NULL) {
		lane_act(s->lane, p, LANE_FRESH, fn, arg);
		return;
	}
	struct asker *a = asker_new(s, p->user, arg);
	a->fn.change = fn;
	if (conversation_id != 0)
		writers_submit(s->writers, WIRE_ACT, &args, NULL, conversation_id, on_changed, a);
	else
		writers_refuse(s->writers, WIRE_ACT, &args, STORE_NOT_FOUND, on_changed, a);
}

/* ---- a conversation ---- */

static void read_end(struct asker *a)
{
	a->store->counting[a->cut]--;
	a->fn.read(&a->read, a->arg);
	free(a);
}

static void on_unmarked(enum store_status status, const struct conversation *c, void *arg)
{
	struct asker *a = arg;
	a->read.conversation = status == STORE_OK ? c : NULL;
	read_end(a);
}

static void on_counted(const struct store_read *r, void *arg)
{
	struct asker *a = arg;
	a->read = *r;
	if (r->unmarked)
		store_find_conversation(a->store, str_from(a->user), r->conversation_id, on_unmarked, a);
	else
		read_end(a);
}

/* What is still to be read once it has committed is so before the callback. */
static void on_read(const struct lane_read *r, void *arg)
{
	struct asker *a = arg;
	bool unmarked = r->r.unmarked && r->r.status == STORE_OK;
	if (!r->counts && !unmarked) {
		a->fn.read(&r->r, a->arg);
		asker_answered(a, r->r.status);
		return;
	}
	a->cut = a->store->cut;
	a->store->counting[a->cut]++;
	if (r->counts)
		read_count(a->store->pool, str_from(a->user), r, on_counted, a);
	else
		on_counted(&r->r, a);
}

static void on_read_elsewhere(const union wire_result *r, void *arg)
{
	on_read(&r->read, arg);
}

void store_read_conversation(struct store *s, struct str user, uint64_t conversation_id, uint64_t up_to_seq,
			     store_read_fn *fn, void *arg)
{
	union wire_args args = {.read = {user, conversation_id, up_to_seq, false}};
	struct asker *a = asker_new(s, user, arg);
	a->fn.read = fn;
	if (s->lane != NULL)
		lane_read_conversation(s->lane, user, conversation_id, up_to_seq, false, LANE_FRESH, on_read, a);
	else if (conversation_id != 0)
		writers_submit(s->writers, WIRE_READ, &args, NULL, conversation_id, on_read_elsewhere, a);
	else
		writers_refuse(s->writers, WIRE_READ, &args, STORE_NOT_FOUND, on_read_elsewhere, a);
}

/* ---- its history ---- */

static void on_cleared_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct asker *a = arg;
	const struct store_settings_set r = {
		.status = STORE_OK, .changed = true, .conversation = status == STORE_OK ? c : NULL};
	a->store->counting[a->cut]--;
	a->fn.cleared(&r, a->arg);
	free(a);
}

static void on_cleared(const struct lane_read *r, void *arg)
{
	struct asker *a = arg;
	if (r->r.status != STORE_OK || !r->r.changed) {
		const struct store_settings_set none = {.status = r->r.status,
							.changed = r->r.changed && r->r.status != STORE_UNCERTAIN};
		a->fn.cleared(&none, a->arg);
		asker_answered(a, r->r.status);
		return;
	}
	a->cut = a->store->cut;
	a->store->counting[a->cut]++;
	store_find_conversation(a->store, str_from(a->user), r->r.conversation_id, on_cleared_found, a);
}

static void on_cleared_elsewhere(const union wire_result *r, void *arg)
{
	on_cleared(&r->read, arg);
}

void store_clear(struct store *s, struct str user, uint64_t conversation_id, uint64_t up_to_seq, store_settings_fn *fn,
		 void *arg)
{
	union wire_args args = {.read = {user, conversation_id, up_to_seq, true}};
	struct asker *a = asker_new(s, user, arg);
	a->fn.cleared = fn;
	if (s->lane != NULL)
		lane_read_conversation(s->lane, user, conversation_id, up_to_seq, true, LANE_FRESH, on_cleared, a);
	else if (conversation_id != 0)
		writers_submit(s->writers, WIRE_READ, &args, NULL, conversation_id, on_cleared_elsewhere, a);
	else
		writers_refuse(s->writers, WIRE_READ, &args, STORE_NOT_FOUND, on_cleared_elsewhere, a);
}

/* ---- create ---- */

static void on_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct asker *a = arg;
	const struct store_created r = {
		.status = status,
		.created = status == STORE_OK && a->made,
		.conversation = status == STORE_OK ? c : NULL,
	};
	a->fn.created(&r, a->arg);
	free(a);
}

/* It is read once it has committed. */
static void on_created(const struct lane_created *r, void *arg)
{
	struct asker *a = arg;
	a->made = r->created;
	if (r->status == STORE_OK)
		store_find_conversation(a->store, str_from(a->user), r->conversation_id, on_found, a);
	else
		on_found(r->status, NULL, a);
}

static void on_created_elsewhere(const union wire_result *r, void *arg)
{
	on_created(&r->created, arg);
}

void store_create(struct store *s, struct str user, struct str peer, struct str source_kind, struct str source_id,
		  store_created_fn *fn, void *arg)
{
	union wire_args args = {.create = {user, peer, source_kind, source_id}};
	struct asker *a = asker_new(s, user, arg);
	a->fn.created = fn;
	if (s->lane != NULL)
		lane_create(s->lane, user, peer, source_kind, source_id, LANE_FRESH, on_created, a);
	else if (id_user_valid(user) && id_user_valid(peer))
		writers_submit(s->writers, WIRE_CREATE, &args, (struct str[2]){user, peer}, 0, on_created_elsewhere, a);
	else
		writers_refuse(s->writers, WIRE_CREATE, &args, STORE_NOT_FRIENDS, on_created_elsewhere, a);
}

/* ---- what others were told of ---- */

void store_cut(struct store *s)
{
	s->cut = !s->cut;
	ASSERT(s->counting[s->cut] == 0);
	txns_cut(s->txns);
	if (s->writers != NULL)
		writers_cut(s->writers);
}

bool store_cut_is_called(const struct store *s)
{
	return s->counting[!s->cut] == 0;
}

void store_cut_is_told(struct store *s)
{
	txns_told(s->txns);
	if (s->writers != NULL)
		writers_told(s->writers);
}

bool store_has_told(const struct store *s)
{
	return txns_have_told(s->txns) && (s->writers == NULL || writers_have_told(s->writers));
}
