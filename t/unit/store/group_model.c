/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two workers' stores and thousands of random operations on a few groups, and on a pair beside them: what each was told
 * has to add up to what is stored, and what is unread to a recount.
 */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "db.h"
#include "groups.h"
#include "calls.h"
#include "model.h"
#include "../tap.h"

enum { STORES = 2, USERS = 6, GROUPS = 3, OPS = 5000, BURST = 40, CHECKS = 10 };
static const char *const users[USERS] = {"ann", "ben", "cid", "dot", "eve", "fay"};
static const enum group_role roles[USERS] = {GROUP_OWNER,  GROUP_ADMIN,	 GROUP_ADMIN,
					     GROUP_MEMBER, GROUP_MEMBER, GROUP_MEMBER};

static struct store *store[STORES];
static uint64_t group[GROUPS];
enum kind { SEND, REPEAT, DIRECT, RECALL, DELETE, READ };
struct op {
	enum kind kind;
	int store, from, group;
	int of; /* REPEAT: of that op */
	int mentions;
	struct sent_answer sent;
	struct change_answer change;
	struct read_answer read;
};
static struct op op[OPS];
static int asked;

static void send_text(struct op *o, int i)
{
	static struct str all[USERS];
	char text[16], client_msg_id[16];
	for (int u = 0; u < USERS; u++)
		all[u] = str_from(users[u]);
	snprintf(text, sizeof(text), "%d", i);
	snprintf(client_msg_id, sizeof(client_msg_id), "c%d", i);
	struct store_send p = text_in(group[o->group], users[o->from], text, client_msg_id);
	p.mention = all + o->mentions % USERS;
	p.mention_count = (size_t)(o->mentions % USERS == 0 ? 0 : USERS - o->mentions % USERS);
	p.mentions_all = o->mentions == 7;
	ask_send(store[o->store], p, &o->sent);
}

/* Of those sent lately; 0 if there is none. */
static uint64_t some_message(void)
{
	for (int tries = 0; asked > 0 && tries < 20; tries++) {
		const struct op *o = &op[asked - 1 - (int)pick((unsigned)(asked < 300 ? asked : 300))];
		if (o->kind == SEND && o->sent.done && o->sent.status == STORE_OK)
			return o->sent.m.id;
	}
	return 0;
}

static void ask_one(void)
{
	struct op *o = &op[asked];
	*o = (struct op){.store = (int)pick(STORES),
			 .from = (int)pick(USERS),
			 .group = (int)pick(GROUPS),
			 .mentions = (int)pick(30)};
	unsigned dice = pick(100);
	struct store *s = store[o->store];
	uint64_t id = dice >= 55 ? some_message() : 0;
	if (dice >= 80 && id != 0) {
		o->kind = READ;
		ask_read(s, users[o->from], message_id_conversation(id),
			 pick(3) == 0 ? UINT64_MAX : message_id_seq(id) + pick(4), &o->read);
	} else if (dice >= 65 && id != 0) {
		o->kind = DELETE;
		ask_change(ACT_DELETE, s, users[o->from], id, &o->change);
	} else if (dice >= 55 && id != 0) {
		o->kind = RECALL;
		ask_change(ACT_RECALL, s, users[o->from], id, &o->change);
	} else if (dice >= 50 && asked > 0 && op[o->of = (int)pick((unsigned)asked)].kind == SEND) {
		const struct op *first = &op[o->of];
		o->kind = REPEAT;
		o->from = first->from;
		o->group = first->group;
		o->mentions = first->mentions;
		send_text(o, o->of);
	} else if (dice >= 42) {
		o->kind = DIRECT;
		ask_send(s, text_to(users[o->from % 2], users[1 - o->from % 2], "x", NULL), &o->sent);
	} else {
		o->kind = SEND;
		send_text(o, asked);
	}
	asked++;
}

/* The store's clock stands still: however slow the machine is, no operation is given up. */
static _Atomic int64_t shift_ms;
static int64_t held_ms;

/* A turn of the loop that waits for nothing, so that operations come in at every point of a batch. */
static void glance(void)
{
	shift_ms += held_ms - clock_mono_ms();
	loop_running = true;
	event_base_loop(base, EVLOOP_NONBLOCK);
	loop_running = false;
	nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static const bool *done_of(const struct op *o)
{
	return o->kind == READ				? &o->read.done
	       : o->kind == DELETE || o->kind == RECALL ? &o->change.done
							: &o->sent.done;
}

static void wait_all(void)
{
	struct event *limit = evtimer_new(base, on_too_long, NULL);
	evtimer_add(limit, &(struct timeval){.tv_sec = WAIT_SECS});
	for (int i = 0; i < asked; i++)
		while (!*done_of(&op[i]))
			glance();
	event_free(limit);
}

/* Reads a few messages further, and none; both say what a recount gives. */
static long long wrong_reads(void)
{
	long long wrong = 0;
	for (int g = 0; g < GROUPS; g++)
		for (int u = 0; u < USERS; u++) {
			struct read_answer none, some;
			long long before = group_unread(group[g], users[u]);
			uint64_t seq = (uint64_t)member_of(group[g], users[u], "read_seq");
			ask_read(store[u % STORES], users[u], group[g], 0, &none);
			while (!none.done)
				glance();
			wrong += (long long)none.r.unread != before || none.r.changed || none.r.read_seq != seq;
			ask_read(store[g % STORES], users[u], group[g], seq + 1 + pick(5), &some);
			while (!some.done)
				glance();
			long long left = group_unread(group[g], users[u]);
			wrong += (long long)some.r.unread != left || (long long)some.r.marked != before - left;
			wrong += group_mentions(group[g], users[u]) != group_recount_mentions(group[g], users[u]);
		}
	return wrong;
}

static void run(void)
{
	long long wrong = 0;
	for (int check = 1; check <= CHECKS; check++) {
		while (asked < OPS / CHECKS * check) {
			for (unsigned n = 1 + pick(BURST); n > 0 && asked < OPS / CHECKS * check; n--)
				ask_one();
			for (unsigned n = pick(25); n > 0; n--)
				glance();
		}
		wait_all();
		wrong += wrong_reads();
	}
	is_int(wrong, 0, "reads say what a recount gives");
}

struct told {
	long long sent, direct, recalled, deleted, wrong_status, wrong_order, wrong_repeat;
};

static void add_up(struct told *t)
{
	static uint64_t last[STORES][GROUPS];
	for (int i = 0; i < OPS; i++) {
		const struct op *o = &op[i];
		uint64_t seq = message_id_seq(o->sent.m.id), *newest = &last[o->store][o->group];
		switch (o->kind) {
		case DIRECT:
			t->direct++;
			t->wrong_status += o->sent.status != STORE_OK;
			break;
		case SEND:
		case REPEAT:
			t->wrong_status += o->sent.status != STORE_OK;
			t->sent += !o->sent.replayed;
			if (o->kind == REPEAT)
				t->wrong_repeat += o->sent.m.id != op[o->of].sent.m.id;
			else if (!o->sent.replayed) {
				t->wrong_order += seq <= *newest;
				*newest = seq;
			}
			break;
		case READ:
			t->wrong_status += o->read.r.status != STORE_OK;
			break;
		default:
			t->recalled += o->kind == RECALL && o->change.changed;
			t->deleted += o->kind == DELETE && o->change.changed;
			t->wrong_status += o->change.status != STORE_OK && o->change.status != STORE_NOT_SENDER;
			break;
		}
	}
}

int main(void)
{
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	db_befriend(users[0], users[1]);
	for (int g = 0; g < GROUPS; g++) {
		group[g] = group_make(users[0]);
		for (int u = 1; u < USERS; u++)
			group_add(group[g], users[u], roles[u]);
	}
	base = event_base_new();
	for (int i = 0; i < STORES; i++) {
		store[i] = store_new(base, c, &model_observer, NULL);
		wait_up(store[i]);
	}
	held_ms = clock_mono_ms();
	clock_share_shift(&shift_ms);
	run();
	struct told t = {0};
	add_up(&t);
	printf("# %lld sent, %lld recalled, %lld deleted; %u operations in %u batches, %u retries\n", t.sent,
	       t.recalled, t.deleted, ops_done, batches, retries);
	is_int(t.wrong_status, 0, "no answer that cannot be");
	is_int(t.wrong_order, 0, "what one store sends to a group keeps its order");
	is_int(t.wrong_repeat, 0, "a repeat finds the first");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE to_user_id='' AND message_type=0"), t.sent,
	       "what was told as sent is stored");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE to_user_id<>''"), t.direct, "between the pair, too");
	is_int(db_sql("SELECT SUM(is_recalled) FROM messages"), t.recalled, "as recalled too");
	is_int(db_sql("SELECT SUM(last_seq-first_seq+1) FROM deletions"), t.deleted, "and as deleted");
	is_int(db_sql("SELECT COUNT(*) FROM changes"), t.recalled + t.deleted, "each with its change");
	is_int(db_sql("SELECT COUNT(*) FROM members"), GROUPS * USERS, "nobody came or went");
	is_int(group_wrong() + db_wrong(), 0, "every count is what a recount gives");
	is_int(deadlocks, 0, "and there was no deadlock");
	is_int(answers_at_once, 0, "no answer came but from the loop");
	for (int i = 0; i < STORES; i++)
		store_free(&store[i]);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
