/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins the two links to one bus: decides when it is up, when it is down, and
 * whether something may have been missed. Must not call back from within a
 * bus_ function: such things are left to the work event.
 */
#include "core/base.h"
#include "bus/bus.h"

#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>

#include "bus/bus_priv.h"
#include "core/log.h"

/* Of publishes that are not written yet; Redis has stopped reading long before. */
#define QUEUE_MAX (8u << 20)

/* The channel of a topic, in memory that the next call overwrites. */
static struct str bus_channel(struct bus *b, struct str topic)
{
	buf_clear(&b->channel);
	buf_append(&b->channel, b->prefix, b->prefix_len);
	buf_append_str(&b->channel, topic);
	return (struct str){buf_cstr(&b->channel), b->channel.len};
}

struct str bus_topic(const struct bus *b, struct str channel)
{
	ASSERT(channel.len >= b->prefix_len);
	return (struct str){channel.s + b->prefix_len, channel.len - b->prefix_len};
}

void bus_work_later(struct bus *b)
{
	/* In the next turn, so that who asks again from a callback does not keep the loop from its sockets. */
	event_add(b->work, &(struct timeval){0, 0});
}

bool bus_is_up(const struct bus *b)
{
	return b->up;
}

/* ---- which publishes are settled ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 || a < b ? a : b;
}

static void settle_lost(struct bus *b, uint64_t position, uint64_t count)
{
	b->lost += count;
	b->lost_at = earlier(b->lost_at, position);
}

static void settle_answered(struct bus *b)
{
	uint64_t end = b->told_at != 0 ? b->told_at : b->lost_at;
	b->unanswered--;
	/* Before the first that is lost, answers come for one after the other. */
	if (end == 0 || b->settled + 1 < end)
		b->settled++;
	if (b->told_at != 0 && --b->notice_left == 0) {
		b->settled = b->notice;
		b->told_at = 0;
	}
}

static void settle_link_down(struct bus *b)
{
	if (b->unanswered == 0)
		return;
	settle_lost(b, b->settled + 1, b->unanswered);
	b->told_at = 0;
	b->unanswered = 0;
}

static void settle_notice_begins(struct bus *b)
{
	b->told_at = earlier(b->told_at, b->lost_at);
	b->lost_at = 0;
	b->lost = 0;
}

static void settle_notice_ends(struct bus *b)
{
	if (b->told_at == 0)
		return;
	if (b->lost_at != 0) {
		/* Perhaps the notice itself; `up` will be called again. */
		b->lost_at = b->told_at;
		b->told_at = 0;
		return;
	}
	b->notice = b->position;
	b->notice_left = b->unanswered;
	if (b->notice_left == 0) {
		b->settled = b->notice;
		b->told_at = 0;
	}
}

uint64_t bus_position(const struct bus *b)
{
	return b->position;
}

uint64_t bus_settled(const struct bus *b)
{
	return b->settled;
}

/* ---- up and down ---- */

/* Tells the caller if it has become true that the bus is up, or if it is and something was lost. */
static void check_up(struct bus *b)
{
	if (!redis_link_is_up(b->sub) || !redis_link_is_up(b->pub) || b->topics.bulk_left != 0)
		return;
	/* Until the queue has drained a notice of the loss might be lost as well. */
	if (b->up && (b->lost == 0 || redis_link_queued(b->pub) != 0))
		return;
	if (b->lost != 0)
		log_warn("bus: %" PRIu64 " events were lost, or may have been", b->lost);
	bool missed = b->interrupted, lost = b->lost != 0;
	b->up = true;
	b->interrupted = false;
	settle_notice_begins(b);
	b->ev->up(missed, lost, b->ctx);
	settle_notice_ends(b);
}

static void tell_down(struct bus *b, const char *reason)
{
	if (!b->up)
		return;
	b->up = false;
	b->ev->down(reason, b->ctx);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct bus *b = arg;
	topics_send(b);
	counts_finish(b);
	check_up(b);
}

/* ---- the subscribing link ---- */

static void on_sub_up(struct redis_link *l, void *ctx)
{
	struct bus *b = ctx;
	topics_link_up(b);
	check_up(b);
}

static const char *on_sub_push(struct redis_link *l, unsigned purpose, const struct resp *push, void *ctx)
{
	struct bus *b = ctx;
	size_t before = b->topics.bulk_left;
	const char *err = topics_push(b, push);
	if (err == NULL && before != 0 && b->topics.bulk_left == 0)
		check_up(b);
	return err;
}

static void on_sub_written(struct redis_link *l, void *ctx)
{
	topics_send(ctx);
}

static void on_sub_down(struct redis_link *l, bool was_up, const char *reason, void *ctx)
{
	struct bus *b = ctx;
	b->interrupted = true;
	topics_link_down(b);
	tell_down(b, reason);
}

static const struct redis_link_events sub_events = {
	.up = on_sub_up,
	.reply = on_sub_push,
	.written = on_sub_written,
	.down = on_sub_down,
};

/* ---- the link that publishes and asks ---- */

static void on_pub_up(struct redis_link *l, void *ctx)
{
	check_up(ctx);
}

static const char *on_pub_reply(struct redis_link *l, unsigned purpose, const struct resp *reply, void *ctx)
{
	struct bus *b = ctx;
	if (purpose == FOR_COUNT)
		return counts_reply(b, reply);
	settle_answered(b);
	return reply->type == RESP_INTEGER ? NULL : "PUBLISH was not answered by a number";
}

static void on_pub_written(struct redis_link *l, void *ctx)
{
	check_up(ctx);
}

static void on_pub_down(struct redis_link *l, bool was_up, const char *reason, void *ctx)
{
	struct bus *b = ctx;
	settle_link_down(b);
	counts_link_down(b);
	tell_down(b, reason);
}

static const struct redis_link_events pub_events = {
	.up = on_pub_up,
	.reply = on_pub_reply,
	.written = on_pub_written,
	.down = on_pub_down,
};

bool bus_publish(struct bus *b, struct str topic, struct str data)
{
	b->position++;
	if (!redis_link_takes(b->pub) || data.len > BUS_DATA_MAX || redis_link_queued(b->pub) + data.len > QUEUE_MAX) {
		settle_lost(b, b->position, 1);
		bus_work_later(b);
		return false;
	}
	struct str argv[] = {STR_LIT("PUBLISH"), bus_channel(b, topic), data};
	redis_link_send(b->pub, FOR_PUBLISH, ARRAY_LEN(argv), argv);
	b->unanswered++;
	return true;
}

bool bus_has_lost(const struct bus *b)
{
	return b->lost != 0;
}

/* ---- the whole ---- */

struct bus *bus_new(struct event_base *base, const struct conf *conf, const struct bus_events *ev, void *ctx)
{
	struct bus *b = xcalloc(1, sizeof(*b));
	b->conf = conf;
	b->ev = ev;
	b->ctx = ctx;
	b->prefix = xstrdup(conf->redis.prefix);
	b->prefix_len = strlen(b->prefix);
	topics_init(&b->topics);
	TAILQ_INIT(&b->asked);
	TAILQ_INIT(&b->ready);
	b->work = event_new(base, -1, 0, on_work, b);
	ASSERT(b->work != NULL);
	b->sub = redis_link_new(base, conf, "tidings-subscribe", true, &sub_events, b);
	b->pub = redis_link_new(base, conf, "tidings-publish", false, &pub_events, b);
	return b;
}

void bus_free(struct bus **bp)
{
	struct bus *b = *bp;
	if (b == NULL)
		return;
	redis_link_free(&b->sub);
	redis_link_free(&b->pub);
	event_free(b->work);
	topics_free(&b->topics);
	counts_free(b);
	buf_fini(&b->channel);
	free(b->prefix);
	free(b);
	*bp = NULL;
}
