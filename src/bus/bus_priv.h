/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the bus share: bus.c joins the links, topics.c keeps the subscriptions, counts.c the counting. */
#ifndef TIDINGS_BUS_BUS_PRIV_H
#define TIDINGS_BUS_BUS_PRIV_H

#include "core/base.h"

#include <sys/queue.h>

#include "bus/bus.h"
#include "bus/redis_link.h"
#include "core/buf.h"
#include "core/table.h"

struct event;
struct count;
TAILQ_HEAD(count_list, count);

/* What an answer on the publishing link is to. */
enum { FOR_PUBLISH = REDIS_PUSH + 1, FOR_COUNT };

struct topic_flight;
#define TOPICS_A_COMMAND 256

/* Topics whose command is not written yet; they are in the state that it leads to. */
struct topic_command {
	size_t count;
	struct bus_topic *topic[TOPICS_A_COMMAND];
};

struct topics {
	struct topic_command subscribe, unsubscribe;
	TAILQ_HEAD(, topic_flight) flights; /* commands in the order they were sent */
	struct table named, groups;	    /* topics by name, and those of groups by id */
	uint32_t unsent;		    /* of them, those in TOPIC_UNSENT */
	struct walk {
		uint32_t named, group;
	} bulk_at;	    /* where the walk that sends those goes on */
	uint32_t bulk_left; /* of those there were when the subscribing link came up: not yet confirmed */
};

struct bus {
	const struct conf *conf;
	const struct bus_events *ev;
	void *ctx;
	char *prefix;
	size_t prefix_len;
	struct redis_link *sub, *pub;
	struct event *work; /* made active for what has to wait for the loop */
	struct topics topics;
	struct count_list asked; /* in the order of their commands */
	struct count_list ready; /* to be called from the loop */
	struct buf channel;	 /* scratch */
	bool up;		 /* as the caller was told */
	bool interrupted;	 /* a subscription was, since the last up */
	uint64_t lost;		 /* publishes, since the last up */
	uint64_t unanswered;	 /* publishes on the present link */
	/* Publishes are numbered from 1: the last one, and the last that bus_settled() tells. */
	uint64_t position, settled;
	uint64_t lost_at; /* the first that is lost since the last up; 0: none */
	uint64_t told_at; /* the first that `up` has told as lost, while the notice of it is not answered; 0: none */
	uint64_t notice;  /* the last publish of that notice, */
	uint64_t notice_left; /* and the answers until its own */
};

/* The topic of a channel, which has the prefix. */
struct str bus_topic(const struct bus *b, struct str channel);
/* Has the loop do what a bus_ function must not. */
void bus_work_later(struct bus *b);

/* ---- topics.c ---- */

void topics_init(struct topics *t);
void topics_free(struct topics *t);
void topics_link_up(struct bus *b);
void topics_link_down(struct bus *b);
/* Sends the commands of this turn, and what is unsent, as far as the link's queue is short. */
void topics_send(struct bus *b);
/* What the subscribing link was sent; NULL, or why the link is to be dropped. */
const char *topics_push(struct bus *b, const struct resp *push);

/* ---- counts.c ---- */

void counts_free(struct bus *b);
void counts_link_down(struct bus *b);
/* Calls back what is ready. */
void counts_finish(struct bus *b);
const char *counts_reply(struct bus *b, const struct resp *reply);

#endif
