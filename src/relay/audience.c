/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "relay/audience.h"

#include <stdlib.h>

#include "core/id.h"
#include "store/outbox_items.h"

static struct str topic_of(const void *item)
{
	const struct listener *l = item;
	return (struct str){l->topic, l->topic_len};
}

void audience_init(struct audience *a)
{
	*a = (struct audience){0};
	table_init(&a->listeners, topic_of);
}

void audience_clear(struct audience *a)
{
	for (size_t i = 0; i < a->count; i++) {
		table_remove(&a->listeners, a->order[i]);
		free(a->order[i]);
	}
	a->count = a->conversations = 0;
}

void audience_fini(struct audience *a)
{
	audience_clear(a);
	table_fini(&a->listeners);
	free(a->order);
	free(a->conversation);
}

static void add(struct audience *a, struct str topic, enum bus_kind kind)
{
	struct listener *l = table_find(&a->listeners, topic);
	if (l != NULL) {
		/* It is the greater one: its sessions catch up, too. */
		if (kind == BUS_UNSURE)
			l->kind = kind;
		return;
	}
	if (a->count == a->cap) {
		a->cap = a->cap == 0 ? 64 : 2 * a->cap;
		a->order = xrealloc(a->order, a->cap * sizeof(*a->order));
	}
	l = xcalloc(1, sizeof(*l));
	l->kind = kind;
	l->topic_len = (uint8_t)topic.len;
	memcpy(l->topic, topic.s, topic.len);
	table_add(&a->listeners, l);
	a->order[a->count++] = l;
}

static void add_user(struct audience *a, struct str user, enum bus_kind kind)
{
	char topic[TOPIC_MAX];
	if (id_user_valid(user))
		add(a, topic_make(topic, TOPIC_USER, user), kind);
}

void audience_add_user(struct audience *a, struct str user)
{
	add_user(a, user, BUS_CATCH_UP);
}

static void add_direct(struct audience *a, uint64_t id)
{
	if (a->conversations != 0 && a->conversation[a->conversations - 1] == id)
		return;
	if (a->conversations == a->conversation_cap) {
		a->conversation_cap = a->conversation_cap == 0 ? 64 : 2 * a->conversation_cap;
		a->conversation = xrealloc(a->conversation, a->conversation_cap * sizeof(*a->conversation));
	}
	a->conversation[a->conversations++] = id;
}

static bool add_conversation(struct audience *a, uint64_t message_id)
{
	char topic[TOPIC_MAX];
	uint64_t id = message_id_conversation(message_id);
	if (id == 0 || id > CONVERSATION_ID_MAX)
		return false;
	if (conversation_is_group(id))
		add(a, topic_make_group(topic, id), BUS_UNSURE);
	else
		add_direct(a, id);
	return true;
}

bool audience_add_row(struct audience *a, struct str items)
{
	struct outbox_item item;
	size_t at = 0;
	bool fine = true, of_group = false;
	int got;
	while ((got = outbox_next(items, &at, &item)) > 0) {
		switch (item.kind) {
		case OUTBOX_USER:
			add_user(a, item.user, of_group ? BUS_UNSURE : BUS_CATCH_UP);
			break;
		case OUTBOX_SENT:
		case OUTBOX_RECALLED:
		case OUTBOX_DELETED:
		case OUTBOX_EDITED:
		case OUTBOX_REACTION:
		case OUTBOX_PINNED:
		case OUTBOX_READ:
			fine = add_conversation(a, item.id) && fine;
			break;
		case OUTBOX_IMPORTED:
			break;
		case OUTBOX_GROUP:
			of_group = true;
			/* 0: nobody listens to one that was just made. */
			fine = (item.id == 0 || add_conversation(a, item.id)) && fine;
			break;
		case OUTBOX_FRIEND:
		case OUTBOX_ACCOUNT:
		case OUTBOX_CAME:
		case OUTBOX_WENT:
		case OUTBOX_TEXT:
			break;
		default:
			fine = false; /* of a later version, or of none */
		}
	}
	return fine && got == 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

void audience_sort(struct audience *a)
{
	size_t n = 0;
	if (a->conversations == 0)
		return;
	qsort(a->conversation, a->conversations, sizeof(*a->conversation), by_number);
	for (size_t i = 0; i < a->conversations; i++)
		if (n == 0 || a->conversation[n - 1] != a->conversation[i])
			a->conversation[n++] = a->conversation[i];
	a->conversations = n;
}

size_t audience_size(const struct audience *a)
{
	return a->count + 2 * a->conversations;
}
