/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subscriptions. A topic has at most one command under way: what changes
 * meanwhile is looked at when Redis has confirmed that one. So an unsubscribe and
 * a subscribe that cross cannot be taken for one another. The topics of a turn of
 * the loop share a command.
 *
 *   unsent -> subscribing -> subscribed -> unsubscribing -> gone
 *                  ^  `-----------------------^   |
 *                  `------------------------------'  (wanted again)
 *
 * Without a link all are unsent; with one, only those that wait for their place in its queue.
 */
#include "core/base.h"
#include "bus/bus_priv.h"

#include <stdlib.h>

#include "core/log.h"

/* How much may be queued before more of what is unsent is. */
#define QUEUE_ENOUGH (256u << 10)

enum topic_state { TOPIC_UNSENT, TOPIC_SUBSCRIBING, TOPIC_SUBSCRIBED, TOPIC_UNSUBSCRIBING };

/* A worker has one for each of its users: every byte counts. */
struct topic {
	uint32_t refs; /* may be 0 while a command is under way */
	uint32_t channel_len;
	uint8_t state;
	bool bulk; /* counted in bulk_left */
	char channel[];
};

static struct str channel_of(const void *item)
{
	const struct topic *t = item;
	return (struct str){t->channel, t->channel_len};
}

static struct topic *find(const struct bus *b, struct str channel)
{
	return table_find(&b->topics.all, channel);
}

static void enter(struct bus *b, struct topic *t, enum topic_state to)
{
	b->topics.unsent += to == TOPIC_UNSENT;
	b->topics.unsent -= t->state == TOPIC_UNSENT;
	t->state = (uint8_t)to;
}

static struct topic *topic_new(struct bus *b, struct str channel)
{
	struct topic *t = xcalloc(1, offsetof(struct topic, channel) + channel.len);
	t->channel_len = (uint32_t)channel.len;
	memcpy(t->channel, channel.s, channel.len);
	b->topics.unsent++;
	table_add(&b->topics.all, t);
	return t;
}

static void leave_bulk(struct bus *b, struct topic *t)
{
	b->topics.bulk_left -= t->bulk;
	t->bulk = false;
}

static void topic_free(struct bus *b, struct topic *t)
{
	leave_bulk(b, t);
	b->topics.unsent -= t->state == TOPIC_UNSENT;
	table_remove(&b->topics.all, t);
	free(t);
}

void topics_init(struct topics *topics)
{
	table_init(&topics->all, channel_of);
}

void topics_free(struct topics *topics)
{
	uint32_t at = 0;
	struct topic *t;
	while ((t = table_next(&topics->all, &at)) != NULL)
		free(t);
	table_fini(&topics->all);
}

static void command_send(struct bus *b, struct topic_command *c, struct str verb)
{
	struct str argv[1 + TOPICS_A_COMMAND] = {verb};
	if (c->count == 0)
		return;
	for (size_t i = 0; i < c->count; i++)
		argv[1 + i] = channel_of(c->topic[i]);
	redis_link_send(b->sub, REDIS_PUSH, 1 + c->count, argv);
	c->count = 0;
}

static void commands_send(struct bus *b)
{
	command_send(b, &b->topics.subscribe, STR_LIT("SUBSCRIBE"));
	command_send(b, &b->topics.unsubscribe, STR_LIT("UNSUBSCRIBE"));
}

/* The command leaves with the next work event, or when it is full. Until its confirmation the topic is not freed. */
static void command(struct bus *b, struct topic *t, enum topic_state to)
{
	struct topic_command *c = to == TOPIC_SUBSCRIBING ? &b->topics.subscribe : &b->topics.unsubscribe;
	enter(b, t, to);
	c->topic[c->count++] = t;
	if (c->count == ARRAY_LEN(c->topic))
		commands_send(b);
	else if (c->count == 1)
		bus_work_later(b);
}

/* The walk begins anew at its end: what comes and goes between two calls moves others in the table. */
static struct topic *next_unsent(struct topics *topics)
{
	for (;;) {
		struct topic *t = table_next(&topics->all, &topics->bulk_at);
		if (t == NULL)
			topics->bulk_at = 0;
		else if (t->state == TOPIC_UNSENT)
			return t;
	}
}

void topics_send(struct bus *b)
{
	if (!redis_link_is_up(b->sub))
		return;
	while (b->topics.unsent != 0 && redis_link_queued(b->sub) < QUEUE_ENOUGH)
		command(b, next_unsent(&b->topics), TOPIC_SUBSCRIBING);
	commands_send(b);
}

void topics_link_up(struct bus *b)
{
	uint32_t at = 0;
	struct topic *t;
	while ((t = table_next(&b->topics.all, &at)) != NULL)
		t->bulk = true;
	b->topics.bulk_left = b->topics.all.count;
	topics_send(b);
}

void topics_link_down(struct bus *b)
{
	uint32_t at = 0;
	struct topic *t;
	b->topics.subscribe.count = b->topics.unsubscribe.count = 0;
	while ((t = table_next(&b->topics.all, &at)) != NULL) {
		enter(b, t, TOPIC_UNSENT);
		leave_bulk(b, t);
		if (t->refs == 0) {
			topic_free(b, t);
			at--;
		}
	}
}

void bus_subscribe(struct bus *b, struct str topic)
{
	struct str channel = bus_channel(b, topic);
	struct topic *t = find(b, channel);
	if (t == NULL) {
		t = topic_new(b, channel);
		if (redis_link_is_up(b->sub))
			command(b, t, TOPIC_SUBSCRIBING);
	}
	t->refs++;
}

void bus_unsubscribe(struct bus *b, struct str topic)
{
	struct topic *t = find(b, bus_channel(b, topic));
	ASSERT(t != NULL && t->refs > 0);
	if (--t->refs != 0)
		return;
	if (t->state == TOPIC_SUBSCRIBED) {
		command(b, t, TOPIC_UNSUBSCRIBING);
	} else if (t->state == TOPIC_UNSENT) {
		topic_free(b, t);
		bus_work_later(b); /* perhaps the last that the bus waited for */
	}
}

bool bus_is_subscribed(const struct bus *b, struct str topic)
{
	/* The scratch buffer is no part of what the caller sees as const. */
	const struct topic *t = find(b, bus_channel((struct bus *)(uintptr_t)b, topic));
	return t != NULL && t->state == TOPIC_SUBSCRIBED;
}

static const char *confirmed_subscribe(struct bus *b, struct topic *t, struct str channel)
{
	if (t == NULL || t->state != TOPIC_SUBSCRIBING)
		return "a confirmation of what was not subscribed";
	leave_bulk(b, t);
	if (t->refs == 0) {
		command(b, t, TOPIC_UNSUBSCRIBING);
		return NULL;
	}
	t->state = TOPIC_SUBSCRIBED;
	b->ev->subscribed(bus_topic(b, channel), b->ctx);
	return NULL;
}

static const char *confirmed_unsubscribe(struct bus *b, struct topic *t)
{
	if (t == NULL || t->state != TOPIC_UNSUBSCRIBING)
		return "a confirmation of what was not unsubscribed";
	if (t->refs == 0)
		topic_free(b, t);
	else
		command(b, t, TOPIC_SUBSCRIBING);
	return NULL;
}

const char *topics_push(struct bus *b, const struct resp *push)
{
	if (push->count != 3 || push->item[0]->type != RESP_STRING || push->item[1]->type != RESP_STRING)
		return "a push of unknown shape";
	struct str kind = push->item[0]->text, channel = push->item[1]->text;
	struct topic *t = find(b, channel);
	if (str_is(kind, "message")) {
		if (push->item[2]->type != RESP_STRING)
			return "a message without data";
		/* Who subscribed anew while an unsubscribe is under way hears nothing before its confirmation. */
		if (t != NULL && t->state == TOPIC_SUBSCRIBED)
			b->ev->message(bus_topic(b, channel), push->item[2]->text, b->ctx);
		return NULL;
	}
	if (str_is(kind, "subscribe"))
		return confirmed_subscribe(b, t, channel);
	if (str_is(kind, "unsubscribe"))
		return confirmed_unsubscribe(b, t);
	return "a push of unknown kind";
}
