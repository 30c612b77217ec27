/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subscriptions. A topic has at most one command under way: what changes
 * meanwhile is looked at when Redis has confirmed that one. So an unsubscribe and
 * a subscribe that cross cannot be taken for one another. The topics of a turn of
 * the loop share a command. Redis confirms topic by topic in the order of the
 * commands, so nothing is looked up for a confirmation.
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

#include "bus/form.h"
#include "core/log.h"

/* How much may be queued before more of what is unsent is. */
#define QUEUE_ENOUGH (256u << 10)

enum topic_state { TOPIC_UNSENT, TOPIC_SUBSCRIBING, TOPIC_SUBSCRIBED, TOPIC_UNSUBSCRIBING };

/* A worker has one for each of its users and groups: every byte counts. */
struct bus_topic {
	uint32_t refs; /* may be 0 while a command is under way */
	uint16_t name_len;
	uint8_t state;
	uint8_t is_group : 1;
	uint8_t bulk : 1; /* counted in bulk_left */
};

struct named_topic {
	struct bus_topic topic;
	char name[]; /* without the prefix */
};

struct group_topic {
	struct bus_topic topic;
	uint64_t id;
	void *owner; /* NULL: nobody has it open */
};

/* A command that is sent and not confirmed for all of its topics. */
struct topic_flight {
	TAILQ_ENTRY(topic_flight) entry;
	bool subscribes;
	uint32_t count, confirmed;
	struct bus_topic *topic[];
};

static struct named_topic *named_of(const struct bus_topic *t)
{
	return container_of(t, struct named_topic, topic);
}

static struct group_topic *group_of(const struct bus_topic *t)
{
	return container_of(t, struct group_topic, topic);
}

static struct str key_of_name(const void *item)
{
	const struct named_topic *n = item;
	return (struct str){n->name, n->topic.name_len};
}

static struct str key_of_id(const uint64_t *id)
{
	return (struct str){(const char *)id, sizeof(*id)};
}

static struct str key_of_group(const void *item)
{
	return key_of_id(&((const struct group_topic *)item)->id);
}

static bool parse_group(struct str topic, uint64_t *id_r)
{
	const size_t before = sizeof(TOPIC_GROUP) - 1;
	return topic.len > before && memcmp(topic.s, TOPIC_GROUP, before) == 0 &&
	       id_parse_u64((struct str){topic.s + before, topic.len - before}, id_r) == 0;
}

static struct group_topic *find_group(const struct bus *b, uint64_t id)
{
	return table_find(&b->topics.groups, key_of_id(&id));
}

static struct bus_topic *find(const struct bus *b, struct str topic)
{
	uint64_t id;
	if (parse_group(topic, &id)) {
		struct group_topic *g = find_group(b, id);
		return g != NULL ? &g->topic : NULL;
	}
	struct named_topic *n = table_find(&b->topics.named, topic);
	return n != NULL ? &n->topic : NULL;
}

static void enter(struct bus *b, struct bus_topic *t, enum topic_state to)
{
	b->topics.unsent += to == TOPIC_UNSENT;
	b->topics.unsent -= t->state == TOPIC_UNSENT;
	t->state = (uint8_t)to;
}

static struct bus_topic *named_new(struct bus *b, struct str topic)
{
	ASSERT(topic.len <= UINT16_MAX);
	struct named_topic *n = xcalloc(1, offsetof(struct named_topic, name) + topic.len);
	n->topic.name_len = (uint16_t)topic.len;
	memcpy(n->name, topic.s, topic.len);
	b->topics.unsent++;
	table_add(&b->topics.named, n);
	return &n->topic;
}

static struct bus_topic *group_new(struct bus *b, uint64_t id)
{
	struct group_topic *g = xcalloc(1, sizeof(*g));
	g->topic.is_group = true;
	g->id = id;
	b->topics.unsent++;
	table_add(&b->topics.groups, g);
	return &g->topic;
}

static void leave_bulk(struct bus *b, struct bus_topic *t)
{
	b->topics.bulk_left -= t->bulk;
	t->bulk = false;
}

static void topic_free(struct bus *b, struct bus_topic *t)
{
	leave_bulk(b, t);
	b->topics.unsent -= t->state == TOPIC_UNSENT;
	if (t->is_group) {
		table_remove(&b->topics.groups, group_of(t));
		free(group_of(t));
	} else {
		table_remove(&b->topics.named, named_of(t));
		free(named_of(t));
	}
}

static struct bus_topic *next_topic(const struct topics *topics, struct walk *at)
{
	struct named_topic *n = table_next(&topics->named, &at->named);
	if (n != NULL)
		return &n->topic;
	struct group_topic *g = table_next(&topics->groups, &at->group);
	return g != NULL ? &g->topic : NULL;
}

void topics_init(struct topics *topics)
{
	table_init(&topics->named, key_of_name);
	table_init(&topics->groups, key_of_group);
	TAILQ_INIT(&topics->flights);
}

static void flight_free(struct topics *topics, struct topic_flight *f)
{
	TAILQ_REMOVE(&topics->flights, f, entry);
	free(f);
}

static void flights_free(struct topics *topics)
{
	struct topic_flight *f;
	while ((f = TAILQ_FIRST(&topics->flights)) != NULL)
		flight_free(topics, f);
}

void topics_free(struct topics *topics)
{
	uint32_t at = 0;
	void *item;
	flights_free(topics);
	while ((item = table_next(&topics->named, &at)) != NULL)
		free(item);
	at = 0;
	while ((item = table_next(&topics->groups, &at)) != NULL)
		free(item);
	table_fini(&topics->named);
	table_fini(&topics->groups);
}

/* ---- commands ---- */

static size_t channel_max(const struct bus *b, const struct bus_topic *t)
{
	return b->prefix_len + (t->is_group ? TOPIC_MAX : t->name_len);
}

static struct str append_channel(struct buf *names, const struct bus *b, const struct bus_topic *t)
{
	size_t at = names->len;
	buf_append(names, b->prefix, b->prefix_len);
	if (t->is_group) {
		buf_append_str(names, STR_LIT(TOPIC_GROUP));
		buf_append_u64(names, group_of(t)->id);
	} else {
		buf_append_str(names, key_of_name(named_of(t)));
	}
	return (struct str){names->data + at, names->len - at};
}

static void command_send(struct bus *b, struct topic_command *c, bool subscribes)
{
	struct str argv[1 + TOPICS_A_COMMAND] = {subscribes ? STR_LIT("SUBSCRIBE") : STR_LIT("UNSUBSCRIBE")};
	struct buf *names = &b->channel;
	size_t bytes = 0;
	if (c->count == 0)
		return;
	struct topic_flight *f = xcalloc(1, sizeof(*f) + c->count * sizeof(f->topic[0]));
	f->subscribes = subscribes;
	f->count = (uint32_t)c->count;
	memcpy(f->topic, c->topic, c->count * sizeof(f->topic[0]));
	TAILQ_INSERT_TAIL(&b->topics.flights, f, entry);
	for (size_t i = 0; i < c->count; i++)
		bytes += channel_max(b, c->topic[i]);
	buf_clear(names);
	buf_reserve(names, bytes);
	for (size_t i = 0; i < c->count; i++)
		argv[1 + i] = append_channel(names, b, c->topic[i]);
	redis_link_send(b->sub, REDIS_PUSH, 1 + c->count, argv);
	c->count = 0;
}

static void commands_send(struct bus *b)
{
	command_send(b, &b->topics.subscribe, true);
	command_send(b, &b->topics.unsubscribe, false);
}

/* The command leaves with the next work event, or when it is full. Until its confirmation the topic is not freed. */
static void command(struct bus *b, struct bus_topic *t, enum topic_state to)
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
static struct bus_topic *next_unsent(struct topics *topics)
{
	struct walk *at = &topics->bulk_at;
	for (;;) {
		struct bus_topic *t = next_topic(topics, at);
		if (t == NULL)
			*at = (struct walk){0, 0};
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

/* ---- the link ---- */

void topics_link_up(struct bus *b)
{
	struct walk at = {0, 0};
	struct bus_topic *t;
	while ((t = next_topic(&b->topics, &at)) != NULL)
		t->bulk = true;
	b->topics.bulk_left = b->topics.named.count + b->topics.groups.count;
	topics_send(b);
}

void topics_link_down(struct bus *b)
{
	struct walk at = {0, 0};
	struct bus_topic *t;
	b->topics.subscribe.count = b->topics.unsubscribe.count = 0;
	flights_free(&b->topics);
	while ((t = next_topic(&b->topics, &at)) != NULL) {
		enter(b, t, TOPIC_UNSENT);
		leave_bulk(b, t);
		if (t->refs != 0)
			continue;
		if (t->is_group)
			at.group--;
		else
			at.named--;
		topic_free(b, t);
	}
}

/* ---- what the caller wants ---- */

static void topic_ref(struct bus *b, struct bus_topic *t)
{
	if (t->refs++ == 0 && t->state == TOPIC_UNSENT && redis_link_is_up(b->sub))
		command(b, t, TOPIC_SUBSCRIBING);
}

static void topic_unref(struct bus *b, struct bus_topic *t)
{
	ASSERT(t->refs > 0);
	if (--t->refs != 0)
		return;
	if (t->state == TOPIC_SUBSCRIBED) {
		command(b, t, TOPIC_UNSUBSCRIBING);
	} else if (t->state == TOPIC_UNSENT) {
		topic_free(b, t);
		bus_work_later(b); /* perhaps the last that the bus waited for */
	}
}

void bus_subscribe(struct bus *b, struct str topic)
{
	uint64_t id;
	struct bus_topic *t = find(b, topic);
	if (t == NULL)
		t = parse_group(topic, &id) ? group_new(b, id) : named_new(b, topic);
	topic_ref(b, t);
}

void bus_unsubscribe(struct bus *b, struct str topic)
{
	struct bus_topic *t = find(b, topic);
	ASSERT(t != NULL);
	topic_unref(b, t);
}

bool bus_is_subscribed(const struct bus *b, struct str topic)
{
	const struct bus_topic *t = find(b, topic);
	return t != NULL && bus_topic_is_subscribed(t);
}

struct bus_topic *bus_group_open(struct bus *b, uint64_t id, void *owner)
{
	struct group_topic *g = find_group(b, id);
	struct bus_topic *t = g != NULL ? &g->topic : group_new(b, id);
	ASSERT(owner != NULL && group_of(t)->owner == NULL);
	group_of(t)->owner = owner;
	topic_ref(b, t);
	return t;
}

void bus_group_close(struct bus *b, struct bus_topic *t)
{
	ASSERT(t->is_group && group_of(t)->owner != NULL);
	group_of(t)->owner = NULL;
	topic_unref(b, t);
}

void *bus_group_owner(const struct bus *b, uint64_t id)
{
	const struct group_topic *g = find_group(b, id);
	return g != NULL ? g->owner : NULL;
}

bool bus_topic_is_subscribed(const struct bus_topic *t)
{
	return t->state == TOPIC_SUBSCRIBED;
}

/* ---- what Redis says ---- */

static void confirmed_subscribe(struct bus *b, struct bus_topic *t, struct str topic)
{
	leave_bulk(b, t);
	if (t->refs == 0) {
		command(b, t, TOPIC_UNSUBSCRIBING);
		return;
	}
	t->state = TOPIC_SUBSCRIBED;
	if (t->is_group && group_of(t)->owner != NULL)
		b->ev->group_subscribed(group_of(t)->owner, b->ctx);
	else
		b->ev->subscribed(topic, b->ctx);
}

static void confirmed_unsubscribe(struct bus *b, struct bus_topic *t)
{
	if (t->refs == 0)
		topic_free(b, t);
	else
		command(b, t, TOPIC_SUBSCRIBING);
}

static bool is_named(const struct bus_topic *t, struct str topic)
{
	uint64_t id;
	return t->is_group ? parse_group(topic, &id) && id == group_of(t)->id
			   : str_equal(key_of_name(named_of(t)), topic);
}

static const char *confirmed(struct bus *b, bool subscribes, struct str topic)
{
	struct topic_flight *f = TAILQ_FIRST(&b->topics.flights);
	if (f == NULL || f->subscribes != subscribes || !is_named(f->topic[f->confirmed], topic))
		return "a confirmation of what was not asked for";
	struct bus_topic *t = f->topic[f->confirmed++];
	if (f->confirmed == f->count)
		flight_free(&b->topics, f);
	if (subscribes)
		confirmed_subscribe(b, t, topic);
	else
		confirmed_unsubscribe(b, t);
	return NULL;
}

static void message(struct bus *b, struct str topic, struct str data)
{
	const struct bus_topic *t = find(b, topic);
	/* Who subscribed anew while an unsubscribe is under way hears nothing before its confirmation. */
	if (t == NULL || t->state != TOPIC_SUBSCRIBED)
		return;
	if (t->is_group && group_of(t)->owner != NULL)
		b->ev->group_message(group_of(t)->owner, data, b->ctx);
	else
		b->ev->message(topic, data, b->ctx);
}

const char *topics_push(struct bus *b, const struct resp *push)
{
	if (push->count != 3 || push->item[0]->type != RESP_STRING || push->item[1]->type != RESP_STRING)
		return "a push of unknown shape";
	struct str kind = push->item[0]->text, channel = push->item[1]->text;
	if (channel.len < b->prefix_len || memcmp(channel.s, b->prefix, b->prefix_len) != 0)
		return "a push of what was not subscribed";
	struct str topic = bus_topic(b, channel);
	if (str_is(kind, "message")) {
		if (push->item[2]->type != RESP_STRING)
			return "a message without data";
		message(b, topic, push->item[2]->text);
		return NULL;
	}
	if (str_is(kind, "subscribe"))
		return confirmed(b, true, topic);
	if (str_is(kind, "unsubscribe"))
		return confirmed(b, false, topic);
	return "a push of unknown kind";
}
