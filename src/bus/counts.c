/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting subscribers: PUBSUB NUMSUB, long lists in several commands, and answers that come exactly once. */
#include "core/base.h"
#include "bus/bus_priv.h"

#include <stdlib.h>

#include "core/log.h"

/* Of commands that are not written yet. */
#define QUEUE_MAX (4u << 20)

struct count {
	TAILQ_ENTRY(count) entry;
	bus_count_fn *fn; /* NULL: cancelled */
	void *arg;
	bool away;
	size_t n;
	size_t answered;
	uint32_t counts[];
};

static void finish(struct count *c)
{
	if (c->fn != NULL)
		c->fn(c->away ? NULL : c->counts, c->n, c->arg);
	free(c);
}

static void ask(struct bus *b, const struct str *topics, size_t n)
{
	struct str argv[2 + BUS_COUNT_CHUNK] = {STR_LIT("PUBSUB"), STR_LIT("NUMSUB")};
	struct buf *names = &b->channel;
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += b->prefix_len + topics[i].len;
	buf_clear(names);
	buf_reserve(names, bytes);
	for (size_t i = 0; i < n; i++) {
		argv[2 + i] = (struct str){names->data + names->len, b->prefix_len + topics[i].len};
		buf_append(names, b->prefix, b->prefix_len);
		buf_append_str(names, topics[i]);
	}
	redis_link_send(b->pub, FOR_COUNT, 2 + n, argv);
}

void bus_count(struct bus *b, const struct str *topics, size_t n, bus_count_fn *fn, void *arg)
{
	struct count *c = xcalloc(1, sizeof(*c) + n * sizeof(c->counts[0]));
	c->fn = fn;
	c->arg = arg;
	c->n = n;
	c->away = !redis_link_is_up(b->pub) || redis_link_queued(b->pub) > QUEUE_MAX;
	if (c->away || n == 0) {
		TAILQ_INSERT_TAIL(&b->ready, c, entry);
		bus_work_later(b);
		return;
	}
	TAILQ_INSERT_TAIL(&b->asked, c, entry);
	for (size_t i = 0; i < n; i += BUS_COUNT_CHUNK)
		ask(b, topics + i, n - i < BUS_COUNT_CHUNK ? n - i : BUS_COUNT_CHUNK);
}

static void forget(struct count_list *list, const void *arg)
{
	struct count *c;
	TAILQ_FOREACH (c, list, entry) {
		if (c->arg == arg)
			c->fn = NULL;
	}
}

void bus_count_cancel(struct bus *b, void *arg)
{
	forget(&b->asked, arg);
	forget(&b->ready, arg);
}

const char *counts_reply(struct bus *b, const struct resp *reply)
{
	struct count *c = TAILQ_FIRST(&b->asked);
	ASSERT(c != NULL && c->answered < c->n);
	size_t n = c->n - c->answered < BUS_COUNT_CHUNK ? c->n - c->answered : BUS_COUNT_CHUNK;
	if (reply->type != RESP_ARRAY || reply->count != 2 * n)
		return "PUBSUB NUMSUB was not answered by a list";
	for (size_t i = 0; i < n; i++) {
		const struct resp *number = reply->item[2 * i + 1];
		if (number->type != RESP_INTEGER || number->integer < 0)
			return "PUBSUB NUMSUB was not answered by numbers";
		c->counts[c->answered + i] = number->integer < UINT32_MAX ? (uint32_t)number->integer : UINT32_MAX;
	}
	c->answered += n;
	if (c->answered == c->n) {
		TAILQ_REMOVE(&b->asked, c, entry);
		finish(c);
	}
	return NULL;
}

void counts_link_down(struct bus *b)
{
	struct count *c;
	TAILQ_FOREACH (c, &b->asked, entry)
		c->away = true;
	TAILQ_CONCAT(&b->ready, &b->asked, entry);
	if (!TAILQ_EMPTY(&b->ready))
		bus_work_later(b);
}

void counts_finish(struct bus *b)
{
	/* Only those there are now: who asks again in its callback waits for the next turn. */
	struct count *last = TAILQ_LAST(&b->ready, count_list), *c;
	while ((c = TAILQ_FIRST(&b->ready)) != NULL) {
		TAILQ_REMOVE(&b->ready, c, entry);
		bool done = c == last;
		finish(c);
		if (done)
			break;
	}
}

static void free_list(struct count_list *list)
{
	struct count *c;
	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, entry);
		free(c);
	}
}

void counts_free(struct bus *b)
{
	free_list(&b->asked);
	free_list(&b->ready);
}
