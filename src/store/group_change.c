/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change to a group, as a transaction: who is concerned, how it ends, and its answer. What it reads is in
 * group_ask.c, and what becomes of it the steps decide (group_priv.h).
 *
 * What others are told of is known by its system message: its client_msg_id is made once, so that a try after a COMMIT
 * of unknown outcome finds it under the lock, and answers what that one has done.
 */
#include "core/base.h"
#include "store/group_priv.h"

#include <stdlib.h>

#include "core/log.h"
#include "store/people_priv.h"
#include "store/store_priv.h"

static const struct step {
	group_decide_fn *decide;
	bool quiet; /* nobody but the asker is told */
} steps[] = {
	[GROUP_CREATE] = {group_decide_create, false},	   [GROUP_CHANGE] = {group_decide_change, false},
	[GROUP_DISSOLVE] = {group_decide_dissolve, false}, [GROUP_ADD] = {group_decide_add, false},
	[GROUP_REMOVE] = {group_decide_remove, false},	   [GROUP_SET_MEMBER] = {group_decide_set_member, false},
	[GROUP_PASS_ON] = {group_decide_pass_on, false},   [GROUP_UNBAN] = {group_decide_unban, true},
	[GROUP_INVITE] = {group_decide_invite, true},	   [GROUP_REVOKE] = {group_decide_revoke, true},
	[GROUP_JOIN] = {group_decide_join, false},	   [GROUP_ACCEPT] = {group_decide_accept, false},
	[GROUP_DECLINE] = {group_decide_decline, true},	   [GROUP_IMPORT] = {group_decide_import, true},
};

const char *group_role_name(enum group_role r)
{
	static const char *const names[] = {
		[GROUP_NO_ROLE] = "none", [GROUP_OWNER] = "owner", [GROUP_ADMIN] = "admin", [GROUP_MEMBER] = "member"};
	return names[r];
}

const char *group_join_name(enum group_join j)
{
	static const char *const names[] = {
		[GROUP_JOIN_INVITE] = "invite", [GROUP_JOIN_APPROVAL] = "approval", [GROUP_JOIN_OPEN] = "open"};
	return names[j];
}

/* ---- what is and what becomes of it ---- */

static int by_id(const void *a, const void *b)
{
	const struct group_person *x = a, *y = b;
	return strcmp(x->id.s, y->id.s);
}

struct group_person *group_person_of(struct change_group *c, struct str id)
{
	char key[USER_ID_MAX + 1];
	if (id.s == NULL || id.len > USER_ID_MAX)
		return NULL;
	memcpy(key, id.s, id.len);
	key[id.len] = '\0';
	const struct group_person wanted = {.id = {key, id.len}};
	return bsearch(&wanted, c->person, c->person_count, sizeof(wanted), by_id);
}

void group_reset(struct change_group *c)
{
	for (size_t i = 0; i < c->person_count; i++)
		c->person[i] = (struct group_person){
			.id = c->person[i].id, .named = c->person[i].named, .wanted = c->person[i].wanted};
	c->head = (struct group_head){0};
	c->owner = c->name = c->avatar_url = c->about = STR_NULL;
	c->mine = c->code_found = false;
	c->existing_id = c->entry_count = 0;
	c->codes = c->dead_codes = 0;
	c->invite = (struct group_invite){0};
	if (c->peer != NULL)
		profile_unknown(&c->peer_profile, c->peer->id);
	c->now = (struct store_group_done){.gap_ms = INT64_MAX};
	c->ask_count = 0;
}

static void group_decide(struct txn *t, struct buf *text)
{
	struct change_group *c = container_of(t, struct change_group, txn);
	c->now.conversation_id = c->id;
	if (c->mine) {
		c->now = c->was;
		return;
	}
	if (c->op.step != GROUP_CREATE && c->op.step != GROUP_IMPORT && !c->head.found) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	t->status = steps[c->op.step].decide(c, text);
	ASSERT(t->status == STORE_OK || text->len == 0);
	if (c->now.message != NULL || text->len != 0)
		group_put_end(c, text);
	c->now.member_count = c->head.member_count;
	if (text->len != 0)
		c->was = c->now;
}

static void group_made(struct txn *t, uint64_t id)
{
	struct change_group *c = container_of(t, struct change_group, txn);
	c->made_id = c->was.conversation_id = c->now.conversation_id = id;
	c->message.id = message_id_make(id, c->head.last_seq);
}

static void group_answer(struct txn *t)
{
	struct change_group *c = container_of(t, struct change_group, txn);
	uint64_t id = c->id != 0 ? c->id : c->made_id;
	if (t->status == STORE_UNKNOWN)
		c->now = (struct store_group_done){.conversation_id = id,
						   .gap_ms = INT64_MAX,
						   .in = c->was.in,
						   .in_count = c->was.in_count,
						   .out = c->was.out,
						   .out_count = c->was.out_count};
	else if (t->status != STORE_OK)
		c->now = (struct store_group_done){.conversation_id = id,
						   .gap_ms = INT64_MAX,
						   .left_out = c->now.left_out,
						   .left_out_count = c->now.left_out_count};
	c->now.status = t->status;
	c->fn(&c->now, c->arg);
}

/* ---- from outside ---- */

static void keep_op(struct change_group *c, const struct store_group_op *op)
{
	struct arena *a = &c->txn.arena;
	c->op = *op;
	c->op.user = c->txn.user;
	c->op.peer = arena_str(a, op->peer);
	c->op.users = NULL;
	c->op.name = arena_str(a, op->name);
	c->op.avatar_url = arena_str(a, op->avatar_url);
	c->op.about = arena_str(a, op->about);
	c->op.client_group_id = arena_str(a, op->client_group_id);
	/* None has another length; and a text that is not ASCII would not be looked up by the index. */
	c->op.code = group_code_is_valid(op->code) ? arena_str(a, op->code) : STR_NULL;
	c->id = op->step == GROUP_CREATE ? 0 : op->conversation_id;
	if (op->step == GROUP_INVITE) {
		id_random(c->made_code, GROUP_CODE_LEN);
		c->op.code = (struct str){c->made_code, GROUP_CODE_LEN};
	}
	c->client_msg_id[0] = ' ';
	id_random(c->client_msg_id + 1, GROUP_MADE_ID_LEN - 1);
}

/* All who are concerned, each once, in order of id; and who of them may come in, in the order given. */
static void gather_persons(struct change_group *c, const struct str *users, size_t count)
{
	struct arena *a = &c->txn.arena;
	size_t n = 0;
	c->person = arena_alloc(a, (count + 2) * sizeof(*c->person));
	c->person[n++].id = c->op.user;
	if (c->op.peer.s != NULL)
		c->person[n++].id = c->op.peer;
	for (size_t i = 0; i < count; i++)
		c->person[n++].id = arena_str(a, users[i]);
	qsort(c->person, n, sizeof(*c->person), by_id);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !str_equal(c->person[i].id, c->person[c->person_count - 1].id))
			c->person[c->person_count++] = c->person[i];
	c->actor = group_person_of(c, c->op.user);
	c->peer = group_person_of(c, c->op.peer);
	c->named = arena_alloc(a, (count + 1) * sizeof(struct group_person *));
	c->in = arena_alloc(a, (count + 1) * sizeof(*c->in));
	c->left_out = arena_alloc(a, (count + 1) * sizeof(*c->left_out));
}

static void name_person(struct change_group *c, struct group_person *p)
{
	if (!p->named)
		c->named[c->named_count++] = p;
	p->named = true;
}

static void name_persons(struct change_group *c, const struct str *users, size_t count)
{
	if (c->op.step == GROUP_JOIN || c->op.step == GROUP_IMPORT)
		name_person(c, c->actor);
	if (c->op.step == GROUP_IMPORT)
		c->actor->wanted = GROUP_OWNER;
	if (c->op.step == GROUP_ACCEPT)
		name_person(c, c->peer);
	for (size_t i = 0; i < count; i++) {
		struct group_person *p = group_person_of(c, users[i]);
		/* Who makes a group is in it. */
		if (c->op.step != GROUP_CREATE || p != c->actor)
			name_person(c, p);
		if (c->op.step == GROUP_IMPORT && p != c->actor)
			p->wanted = c->op.roles[i];
	}
}

static bool has_peer(enum group_step step)
{
	return step == GROUP_REMOVE || step == GROUP_SET_MEMBER || step == GROUP_PASS_ON || step == GROUP_UNBAN ||
	       step == GROUP_ACCEPT || step == GROUP_DECLINE;
}

static void check_op(const struct store_group_op *op)
{
	bool makes = op->step == GROUP_CREATE || op->step == GROUP_IMPORT;
	size_t max = makes ? GROUP_CREATE_MAX : op->step == GROUP_ADD ? GROUP_ADD_MAX : 0;
	ASSERT(op->step < ARRAY_LEN(steps) && id_user_valid(op->user) && op->user_count <= max);
	ASSERT(has_peer(op->step) ? id_user_valid(op->peer) : op->peer.s == NULL);
	for (size_t i = 0; i < op->user_count; i++)
		ASSERT(id_user_valid(op->users[i]));
	ASSERT(!makes || op->name.s != NULL);
	ASSERT(op->step != GROUP_IMPORT || op->client_group_id.s != NULL);
	ASSERT(op->client_group_id.s == NULL || id_client_msg_valid(op->client_group_id));
	ASSERT(!op->sets_role || op->role == GROUP_ADMIN || op->role == GROUP_MEMBER);
}

/* Of one that is being made only the database knows the id. */
static const char *group_tell_id(const struct txn *t)
{
	static const char first[] = "(@g<<28)+1";
	_Static_assert(MESSAGE_SEQ_BITS == 28, "group_tell_id()");
	return container_of(t, struct change_group, txn)->id == 0 ? first : NULL;
}

/* Those who come in or go out, and who does it; and all members. */
static void group_tell(const struct txn *t, struct buf *items)
{
	const struct change_group *c = container_of(t, struct change_group, txn);
	outbox_put_id(items, OUTBOX_GROUP, message_id_make(c->id, c->id != 0 ? c->head.last_seq : 0));
	for (size_t i = 0; i < c->person_count; i++) {
		const struct group_person *p = &c->person[i];
		if ((p->comes || p == c->peer || p == c->actor) && id_user_valid(p->id))
			outbox_put_user(items, p->id);
	}
}

void store_change_group(struct store *s, const struct store_group_op *op, store_group_fn *fn, void *arg)
{
	static const struct txn_class told = {"group",	    group_ask,		group_row,	   group_decide,
					      group_answer, .tell = group_tell, .tell_id = group_tell_id, .made = group_made};
	static const struct txn_class quiet = {"group", group_ask, group_row, group_decide, group_answer};
	check_op(op);
	struct change_group *c = txn_new(s->txns, steps[op->step].quiet ? &quiet : &told, op->user, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	c->accounts = s->conf->accounts;
	c->max_members = (uint64_t)s->conf->groups.max_members;
	c->max_per_user = (uint64_t)s->conf->groups.max_per_user;
	keep_op(c, op);
	gather_persons(c, op->users, op->user_count);
	name_persons(c, op->users, op->user_count);
	group_reset(c);
	txn_submit(&c->txn);
}
