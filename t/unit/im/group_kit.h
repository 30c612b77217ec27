/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The database's part of groups, for tests of a whole worker: which groups users are in, and what they see of them. The
 * store's two functions are replaced when the test is linked. An answer is given from the loop, as it is by then, or
 * when the test says so.
 */
#ifndef TIDINGS_T_UNIT_IM_GROUP_KIT_H
#define TIDINGS_T_UNIT_IM_GROUP_KIT_H

#include "core/base.h"
#include "live/group_priv.h"
#include "store/group.h"

#include "worker_kit.h"

#define ROWS_MAX 512
#define ASKED_MAX 64

struct truth {
	char user[USER_ID_MAX + 1];
	uint64_t id, joined_seq, first_seq, member_count;
};
static struct truth rows[ROWS_MAX];
static unsigned row_count;
static enum store_status store_says = STORE_OK;
static bool answers_wait; /* until answer_reads() */

struct asked {
	struct loop_task task;
	bool views;
	uint64_t id[ASKED_MAX]; /* of views */
	size_t n;
	char user[ASKED_MAX][USER_ID_MAX + 1];
	union {
		store_memberships_fn *memberships;
		store_conversations_fn *conversations;
	} fn;
	void *arg;
};
static struct asked *waiting[ASKED_MAX];
static unsigned waiting_count;
static unsigned membership_reads, view_reads, users_viewed;

static inline void kit_row(const char *user, uint64_t id, uint64_t joined_seq, uint64_t first_seq)
{
	struct truth *t = &rows[row_count++];
	*t = (struct truth){.id = id, .joined_seq = joined_seq, .first_seq = first_seq, .member_count = 3};
	memcpy(t->user, user, strlen(user) + 1);
}

static inline void kit_no_row(const char *user, uint64_t id)
{
	for (unsigned i = 0; i < row_count; i++)
		if (rows[i].id == id && strcmp(rows[i].user, user) == 0) {
			rows[i] = rows[--row_count];
			return;
		}
}

static int kit_compare(const void *a, const void *b)
{
	const struct group_membership *x = a, *y = b;
	return x->user != y->user
		       ? (x->user > y->user) - (x->user < y->user)
		       : (x->conversation_id > y->conversation_id) - (x->conversation_id < y->conversation_id);
}

static inline void kit_answer_memberships(const struct asked *a)
{
	struct group_membership item[ROWS_MAX];
	size_t count = 0;
	for (size_t u = 0; u < a->n; u++)
		for (unsigned i = 0; i < row_count; i++)
			if (strcmp(rows[i].user, a->user[u]) == 0)
				item[count++] = (struct group_membership){u,
									  rows[i].id,
									  rows[i].joined_seq,
									  rows[i].first_seq,
									  rows[i].joined_seq,
									  rows[i].member_count};
	qsort(item, count, sizeof(item[0]), kit_compare);
	struct store_memberships r = {.status = store_says, .item = item, .count = count};
	if (store_says != STORE_OK)
		r = (struct store_memberships){.status = store_says};
	a->fn.memberships(&r, a->arg);
}

/* A read that fails for one of those it is for. */
static const char *spoiler;

static inline bool kit_spoils(const struct asked *a)
{
	for (size_t u = 0; u < a->n; u++)
		if (spoiler != NULL && strcmp(a->user[u], spoiler) == 0)
			return true;
	return false;
}

static inline void kit_answer_views(const struct asked *a)
{
	struct conversation item[ASKED_MAX];
	size_t count = 0;
	for (size_t u = 0; u < a->n; u++)
		for (unsigned i = 0; i < row_count; i++) {
			if (rows[i].id != a->id[u] || strcmp(rows[i].user, a->user[u]) != 0)
				continue;
			item[count] = (struct conversation){.id = a->id[u]};
			memcpy(item[count++].user, a->user[u], sizeof(a->user[u]));
		}
	enum store_status says = kit_spoils(a) ? STORE_UNAVAILABLE : store_says;
	struct store_conversations r = {.status = says, .item = item, .count = says == STORE_OK ? count : 0};
	a->fn.conversations(&r, a->arg);
}

static inline void kit_answer(struct asked *a)
{
	if (a->views)
		kit_answer_views(a);
	else
		kit_answer_memberships(a);
	free(a);
}

static inline void kit_on_task(struct loop_task *t)
{
	struct asked *a = container_of(t, struct asked, task);
	if (answers_wait)
		waiting[waiting_count++] = a;
	else
		kit_answer(a);
}

static inline void answer_reads(void)
{
	unsigned n = waiting_count;
	waiting_count = 0;
	for (unsigned i = 0; i < n; i++)
		kit_answer(waiting[i]);
}

static inline struct asked *kit_ask(const struct str *users, size_t n, void *arg)
{
	struct asked *a = xcalloc(1, sizeof(*a));
	ASSERT(n <= ASKED_MAX);
	for (size_t i = 0; i < n; i++)
		memcpy(a->user[i], users[i].s, users[i].len);
	a->n = n;
	a->arg = arg;
	a->task.fn = kit_on_task;
	loop_defer(loop, &a->task);
	return a;
}

void __wrap_store_find_memberships(struct store *s, const struct str *users, size_t n, store_memberships_fn *fn,
				   void *arg);
void __wrap_store_find_group_views(struct store *s, const struct group_viewer *who, size_t n,
				   store_conversations_fn *fn, void *arg);

void __wrap_store_find_memberships(struct store *s, const struct str *users, size_t n, store_memberships_fn *fn,
				   void *arg)
{
	membership_reads++;
	kit_ask(users, n, arg)->fn.memberships = fn;
}

void __wrap_store_find_group_views(struct store *s, const struct group_viewer *who, size_t n,
				   store_conversations_fn *fn, void *arg)
{
	struct str users[ASKED_MAX];
	ASSERT(n <= ASKED_MAX);
	for (size_t i = 0; i < n; i++)
		users[i] = who[i].user;
	struct asked *a = kit_ask(users, n, arg);
	view_reads++;
	users_viewed += (unsigned)n;
	a->views = true;
	for (size_t i = 0; i < n; i++)
		a->id[i] = who[i].conversation_id;
	a->fn.conversations = fn;
}

/* The event `conversation`, as far as these tests care. */
static inline struct str kit_conversation_event(struct live *l, const struct conversation *c)
{
	buf_clear(&l->scratch);
	buf_printf(&l->scratch, "{\"type\":\"conversation\",\"for\":\"%s\"}", c->user);
	return (struct str){l->scratch.data, l->scratch.len};
}

static inline void kit_start_groups(void)
{
	kit_start();
	live->conversation_event = kit_conversation_event;
}

/* ---- a group of two ---- */

#define ID(n) (GROUP_ID_MIN + (n))
#define TRIP ID(1)
#define C_TRIP "c:17179869185"
#define CONVERSATION(user) "{\"type\":\"conversation\",\"for\":\"" user "\"}"
#define LEFT(reason) "{\"type\":\"left\",\"conversation_id\":\"17179869185\",\"reason\":\"" reason "\"}"
#define RESYNC "{\"type\":\"resync\"}"

static struct client alice, bob;

static inline struct session *session_of(const char *user)
{
	return SLIST_FIRST(&user_find(live, str_from(user))->sessions);
}

static inline bool is_member(const char *user, uint64_t id)
{
	const struct live_group *g = group_find(live, id);
	const struct user *u = user_find(live, str_from(user));
	return g != NULL && u != NULL && group_find_member(g, u) != NULL;
}

static inline struct push_place message_at(uint64_t seq)
{
	return (struct push_place){BUS_MESSAGE, message_id_make(TRIP, seq), INT64_MAX};
}

/* As another worker publishes it on the group's topic: the message of that seq, whose JSON is {"m":seq}. */
static inline void other_sends(uint64_t seq)
{
	char text[128];
	snprintf(text, sizeof(text), "%016llx7fffffffffffffff{\"m\":%llu}",
		 (unsigned long long)message_id_make(TRIP, seq), (unsigned long long)seq);
	other_says_text(C_TRIP, BUS_MESSAGE, text);
}

/* In the second form. */
static inline void other_tells(const char *topic, char kind, const char *data)
{
	char text[512];
	snprintf(text, sizeof(text), "@1+%c" OTHER "%s", kind, data);
	other_publish(topic, str_from(text));
}

/* A system message of another worker, which takes out `outs` (each with a space behind). */
static inline void other_turns(uint64_t seq, const char *flags, const char *outs)
{
	char text[256];
	snprintf(text, sizeof(text), "%016llx7fffffffffffffff%016x%s%s\n{\"s\":%llu}",
		 (unsigned long long)message_id_make(TRIP, seq), 2, flags, outs, (unsigned long long)seq);
	other_tells(C_TRIP, 'T', text);
}

static inline void other_tells_out(const char *topic, uint64_t seq)
{
	char text[64];
	snprintf(text, sizeof(text), "%016llx%016llxr", (unsigned long long)TRIP, (unsigned long long)seq);
	other_tells(topic, 'O', text);
}

static inline void other_tells_in(const char *topic, uint64_t seq, uint64_t first_seq)
{
	char text[80];
	snprintf(text, sizeof(text), "%016llx%016llx%016llx%016x", (unsigned long long)TRIP, (unsigned long long)seq,
		 (unsigned long long)first_seq, 4);
	other_tells(topic, 'J', text);
}

/* All that another worker has said on the group's topic is heard. */
static inline const char *client_after_group(struct client *c)
{
	other_says_text(C_TRIP, BUS_EVENT, "{\"type\":\"behind\"}");
	const char *text = client_next(c);
	return has(text, "\"behind\"") ? "" : text;
}

/* Alice and Bob are members of the trip from the beginning. */
static inline void begin(void)
{
	row_count = 0;
	kit_row("alice", TRIP, 1, 1);
	kit_row("bob", TRIP, 1, 1);
	client_begin(&alice, "alice", "");
	client_begin(&bob, "bob", "");
}

static inline void end(void)
{
	client_close(&alice);
	client_close(&bob);
	UNTIL(live->users.count == 0);
	turns(2);
	ok(live->groups.count == 0 && live->feeds == NULL && TAILQ_EMPTY(&live->groups.views) &&
		   group_online(live, TRIP) == 0,
	   "nothing is left of the group");
}

#endif
