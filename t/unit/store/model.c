/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two workers' stores and thousands of random operations on a few conversations: what each
 * was told has to add up to what stands.
 */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "db.h"
#include "calls.h"
#include "model.h"
#include "../tap.h"

enum { STORES = 2, USERS = 5, OPS = 6000, BURST = 40 };
static const char *const users[USERS] = {"ann", "ben", "cid", "dot", "eve"};

static struct store *store[STORES];
enum kind { SEND, REPEAT, READ, RECALL, DELETE, READ_ALL, CREATE };
struct op {
	enum kind kind;
	int store, from, to;
	int of; /* REPEAT: of that op */
	struct sent_answer sent;
	struct change_answer change;
	struct read_answer read;
	struct created_answer created;
};
static struct op op[OPS];
static int asked;

static void send_text(struct op *o, int i)
{
	char text[16], client_msg_id[16];
	snprintf(text, sizeof(text), "%d", i);
	snprintf(client_msg_id, sizeof(client_msg_id), "c%d", i);
	ask_send(store[o->store], text_to(users[o->from], users[o->to], text, client_msg_id), &o->sent);
}

/* A message that was sent: its id, 0 if there is none yet. Mostly with one of its two users. */
static uint64_t some_message(const char **user)
{
	for (int tries = 0; asked > 0 && tries < 20; tries++) {
		const struct op *o = &op[asked - 1 - (int)pick((unsigned)(asked < 400 ? asked : 400))];
		if (o->kind != SEND || !o->sent.done || o->sent.status != STORE_OK)
			continue;
		if (pick(10) != 0)
			*user = users[pick(2) ? o->from : o->to];
		return o->sent.m.id;
	}
	return 0;
}

static void ask_one(void)
{
	struct op *o = &op[asked];
	*o = (struct op){.store = (int)pick(STORES), .from = (int)pick(USERS)};
	o->to = (o->from + 1 + (int)pick(USERS - 1)) % USERS;
	unsigned dice = pick(100);
	struct store *s = store[o->store];
	const char *user = users[o->from];
	uint64_t id = dice >= 50 && dice < 97 ? some_message(&user) : 0;
	if (dice < 45) {
		o->kind = SEND;
		send_text(o, asked);
	} else if (dice < 50 && asked > 0 && op[o->of = (int)pick((unsigned)asked)].kind == SEND) {
		o->kind = REPEAT;
		o->from = op[o->of].from;
		o->to = op[o->of].to;
		send_text(o, o->of);
	} else if (dice < 60 && id != 0) {
		o->kind = READ;
		ask_change(ACT_READ, s, user, id, &o->change);
	} else if (dice < 70 && id != 0) {
		o->kind = RECALL;
		ask_change(ACT_RECALL, s, user, id, &o->change);
	} else if (dice < 80 && id != 0) {
		o->kind = DELETE;
		ask_change(ACT_DELETE, s, user, id, &o->change);
	} else if (dice < 97 && id != 0) {
		o->kind = READ_ALL;
		ask_read(s, user, message_id_conversation(id), pick(2) ? UINT64_MAX : message_id_seq(id) + pick(4),
			 &o->read);
	} else {
		o->kind = CREATE;
		ask_create(s, user, users[o->to], NULL, NULL, &o->created);
	}
	asked++;
}

/* The store's clock stands still: however slow the machine is, no operation is given up. */
static _Atomic int64_t shift_ms;
static int64_t held_ms;

static void hold_clock(void)
{
	shift_ms += held_ms - clock_mono_ms();
}

/* A turn of the loop that waits for nothing, so that operations come in at every point of a batch. */
static void glance(void)
{
	hold_clock();
	loop_running = true;
	event_base_loop(base, EVLOOP_NONBLOCK);
	loop_running = false;
	nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static const bool *done_of(const struct op *o)
{
	switch (o->kind) {
	case SEND:
	case REPEAT:
		return &o->sent.done;
	case READ_ALL:
		return &o->read.done;
	case CREATE:
		return &o->created.done;
	default:
		return &o->change.done;
	}
}

struct told {
	long long sent, read, recalled, deleted, created, changes, wrong_status, wrong_order, wrong_repeat;
};

static void add_up(struct told *t)
{
	static uint64_t last[STORES][USERS][USERS];
	for (int i = 0; i < OPS; i++) {
		const struct op *o = &op[i];
		const struct sent_answer *first = &op[o->of].sent;
		uint64_t *seq = &last[o->store][o->from < o->to ? o->from : o->to][o->from < o->to ? o->to : o->from];
		switch (o->kind) {
		case SEND:
			t->wrong_status += o->sent.status != STORE_OK;
			t->sent += o->sent.status == STORE_OK && !o->sent.replayed;
			/* A repeat through the other store may have been there first. */
			t->wrong_order += !o->sent.replayed && message_id_seq(o->sent.m.id) <= *seq;
			if (!o->sent.replayed)
				*seq = message_id_seq(o->sent.m.id);
			break;
		case REPEAT:
			t->wrong_status += o->sent.status != STORE_OK;
			t->sent += !o->sent.replayed;
			t->wrong_repeat += o->sent.m.id != first->m.id;
			break;
		case READ_ALL:
			t->read += (long long)o->read.r.marked;
			t->wrong_status += o->read.r.status != STORE_OK && o->read.r.status != STORE_NOT_FOUND;
			break;
		case CREATE:
			t->created += o->created.created;
			t->wrong_status += o->created.status != STORE_OK;
			break;
		default:
			t->read += o->kind == READ && o->change.changed;
			t->recalled += o->kind == RECALL && o->change.changed;
			t->deleted += o->kind == DELETE && o->change.changed;
			t->changes += o->change.changed;
			t->wrong_status +=
				o->change.status == STORE_UNAVAILABLE || o->change.status == STORE_OVERLOADED;
			break;
		}
	}
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	for (int i = 0; i < USERS; i++)
		for (int k = 0; k < i; k++)
			db_befriend(users[i], users[k]);
	base = event_base_new();
	for (int i = 0; i < STORES; i++) {
		store[i] = store_new(base, c, &model_observer, NULL);
		wait_up(store[i]);
	}
	held_ms = clock_mono_ms();
	clock_share_shift(&shift_ms);
	while (asked < OPS) {
		for (unsigned n = 1 + pick(BURST); n > 0 && asked < OPS; n--)
			ask_one();
		for (unsigned n = pick(25); n > 0; n--)
			glance();
	}
	struct event *limit = evtimer_new(base, on_too_long, NULL);
	evtimer_add(limit, &(struct timeval){.tv_sec = WAIT_SECS});
	for (int i = 0; i < OPS; i++)
		while (!*done_of(&op[i]))
			glance();
	event_free(limit);

	struct told t = {0};
	add_up(&t);
	printf("# %lld sent, %lld read, %lld recalled, %lld deleted; %u operations in %u batches, %u retries\n", t.sent,
	       t.read, t.recalled, t.deleted, ops_done, batches, retries);
	is_int(t.wrong_status, 0, "no answer that cannot be");
	is_int(t.wrong_order, 0, "what one store sends to a conversation keeps its order");
	is_int(t.wrong_repeat, 0, "a repeat finds the first");
	is_int(db_sql("SELECT COUNT(*) FROM messages"), t.sent, "what was told as sent stands");
	is_int(db_sql("SELECT COUNT(*) FROM messages m JOIN conversations c ON c.id=m.id>>28 WHERE is_read=1 OR "
		      "(m.id&268435455)<=IF(m.to_user_id=c.user1_id,c.user1_read_seq,c.user2_read_seq)"),
	       t.read, "what was told as read became so once");
	is_int(db_sql("SELECT SUM(is_recalled) FROM messages"), t.recalled, "as recalled too");
	is_int(db_sql("SELECT SUM(deleted_by_sender+deleted_by_recipient) FROM messages"), t.deleted, "and as deleted");
	is_int(db_sql("SELECT COUNT(*) FROM changes"), t.changes, "each with its change");
	is_int(db_sql("SELECT COUNT(*) FROM conversations"), USERS * (USERS - 1) / 2, "a conversation for each pair");
	is_int(db_wrong(), 0, "every counter is what a recount gives");
	for (int i = 0; i < USERS; i++)
		is_int(do_count(store[i % STORES], users[i]).count,
		       db_sql("SELECT COUNT(*) FROM messages m JOIN conversations c ON c.id=m.id>>28 WHERE "
			      "to_user_id='%s' AND is_read=0 AND is_recalled=0 AND deleted_by_recipient=0 AND "
			      "(m.id&268435455)>IF(m.to_user_id=c.user1_id,c.user1_read_seq,c.user2_read_seq)",
			      users[i]),
		       "%s's unread count", users[i]);
	is_int(answers_at_once, 0, "no answer came but from the loop");

	for (int i = 0; i < STORES; i++)
		store_free(&store[i]);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
