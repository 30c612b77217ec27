/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay that leads also tells the devices of users who have no session (schema/0028_pushes.sql): it is the consumer
 * 'device' of the outbox.
 *
 * devices_feed.c reads the outbox, and notes as jobs whom it concerns, one a user and conversation, due in
 * DEVICES_WAIT_MS. devices_decide.c looks at jobs that are due: who has no session, what there is to be told, and makes
 * one row for each device. devices_send.c sends these, each service in a lane of its own, until the service has taken
 * it. Each step ends with the commit of what the next one begins with, so whatever dies in between, nothing is lost,
 * and some may be sent twice.
 *
 * Nobody who sends a message waits for any of it. It has its turns on the relay's connection, in bounded statements.
 */
#ifndef TIDINGS_RELAY_DEVICES_H
#define TIDINGS_RELAY_DEVICES_H

#include "core/base.h"
#include "core/buf.h"
#include "core/id.h"
#include "core/wheel.h"
#include "relay/devices_service.h"
#include "relay/devices_text.h"
#include "store/arena.h"
#include "store/device.h"
#include "store/unread.h"

struct relay;
struct relay_job;

/* How long a user has to be without a session. */
#define DEVICES_WAIT_MS 3000
/* Jobs that are decided at a time. */
#define DECIDE_MAX 200

/* ---- reading the outbox ---- */

struct device_group {
	uint64_t id, message_id; /* the newest one that was sent there */
};
/* Somebody has read something of a group, or may have left it. */
struct device_reader {
	uint64_t group_id;
	char user[USER_ID_MAX + 1];
};
struct device_feed {
	uint64_t stream, last_n;
	unsigned rows;
	/* Ids of messages to one user; of recalled ones; of pairs' conversations of which something was read. */
	uint64_t *direct, *recalled, *read;
	size_t directs, direct_room, recalls, recalled_room, reads, read_room;
	struct device_reader *reader;
	size_t readers, reader_room;
	/* Of the row that is being read: the group of which users follow that have done so, 0: none; it tells of people
	 * alone. */
	uint64_t reader_of;
	bool of_people;
	struct device_group *group;
	size_t groups, group_room;
	struct buf users; /* "'alice','bob'" */
	/* Where it is in the members of a group. */
	size_t group_at;
	unsigned role;
	char after[USER_ID_MAX + 1];
	unsigned members;
	struct buf values; /* of those of the page that have devices */
};

/* ---- deciding ---- */

struct device_job {
	char user[USER_ID_MAX + 1];
	uint64_t conversation_id, version, message_id;
	int64_t since_ms;
	bool is_party;
	uint64_t read_seq, shown_seq; /* of a party: what is read; what the devices show, 0: nothing */
	bool online, may;	      /* may: is neither disabled nor erased, nor does not want to be disturbed now */
	struct push_settings settings;
	bool has_newest, is_mentioned; /* the newest message may be shown; there is a mention that was not shown yet */
	bool looks_back;	       /* for what is shown in its place */
	bool has_text;		       /* there is something to be shown */
	bool withdraws;
	struct push_text text, asked; /* asked: a friend request, beside a notification */
	bool has_asked;
	uint64_t badge;
};
struct device_found {
	struct device_job *job; /* the first one of its user */
	struct str id, token, locale;
	enum device_platform platform;
};
struct device_decide {
	struct device_job job[DECIDE_MAX];
	unsigned jobs;
	unsigned limit; /* how many are looked at: half as many after each failure, for one of them may be too much */
	/* Those that are not idle, by user and conversation. */
	struct device_job *key[DECIDE_MAX];
	unsigned keys;
	bool asked_bus;
	struct device_found *device;
	size_t devices, device_room;
	struct unread *unread;
	struct device_job **unread_job; /* the first one of its user */
	size_t unreads, unread_room;
	size_t count_from, count_to; /* those that are being counted */
	struct arena arena;
	int64_t now_ms;
};

/* ---- sending ---- */

enum push_state {
	PUSH_NONE,
	PUSH_PICKED,  /* from the table */
	PUSH_ASKED,   /* the service */
	PUSH_OVER,    /* has become what `verdict` says, */
	PUSH_WRITTEN, /* which is being written down */
};
struct device_push {
	struct relay *relay;
	unsigned lane;
	enum push_state state;
	struct arena arena;
	enum service_verdict verdict;
	unsigned later_secs; /* as the service asks */
	struct fetch_call *call;
	enum device_platform platform;
	struct str user, device, token, payload; /* in the arena */
	struct webpush_keys keys;
	bool gone; /* there is no such device any more */
	uint64_t conversation_id, version, tries;
	uint64_t message_id; /* 0: it tells of none */
	int64_t made_ms;
};
struct device_lane {
	struct device_push push[SERVICE_ROOM_MAX]; /* the first service_room() of them */
	unsigned used, over;			   /* not PUSH_NONE; PUSH_OVER */
	unsigned found;				   /* rows of the last look */
};

enum devices_step {
	DEVICES_IDLE,
	DEVICES_READING, /* the outbox */
	DEVICES_PAGING,	 /* through the members of a group */
	DEVICES_PUTTING, /* a page of them */
	DEVICES_NOTING,	 /* jobs, and how far the outbox is read */
	DEVICES_LOOKING, /* for jobs that are due */
	DEVICES_ASKING,	 /* Redis, who is online */
	DEVICES_FINDING,
	DEVICES_LOOKING_BACK,
	DEVICES_COUNTING,
	DEVICES_WRITING,
};
struct devices {
	struct services services;
	struct fetch *fetch; /* NULL: nothing is sent */
	struct json_out *out;
	struct buf text;
	enum devices_step step;
	int64_t rest_until_ms, look_ms, pick_ms, count_ms;
	struct wheel_timer timer;
	struct device_feed feed;
	struct device_decide decide;
	struct device_lane lane[SERVICE_LANES];
	bool picks;	  /* what is due is being read */
	unsigned written; /* the lane of which is written down what became of it */
	struct fetch_call *token_call;
	int64_t token_ms; /* not before */
	unsigned token_tries;
	uint64_t waiting; /* rows of push_jobs and push_sends, as counted last, up to DEVICES_COUNTED_MAX */
};
#define DEVICES_COUNTED_MAX 100000

void devices_init(struct relay *r);
void devices_fini(struct relay *r);
bool devices_are_on(const struct relay *r);
/* Drops what is at hand: it is in the database still. */
void devices_forget(struct relay *r);
const struct relay_job *devices_due(struct relay *r, int64_t now_ms);

/* ---- between its files ---- */

void devices_failed(struct relay *r);
/* Nothing to do before then, or something new. */
void devices_wake(struct relay *r, int64_t in_ms);
bool devices_feed_may(const struct relay *r);
const struct relay_job *devices_feed_job(struct relay *r);
void devices_feed_fini(struct device_feed *f);
const struct relay_job *devices_decide_job(struct relay *r);
void devices_decide_drop(struct relay *r);
/* The step has come to nothing. */
void devices_decide_failed(struct relay *r);
void devices_decide_fini(struct device_decide *d);
/* devices_find.c: whose job is which, once it is known who is online. False: all are idle. */
bool devices_find_begin(struct device_decide *d);
/* The user is online, and nothing is shown that might have to be taken away. */
bool device_job_is_idle(const struct device_job *j);
/* The first job of the same user that is not idle, as j is not: what is of users alone is kept there. */
struct device_job *device_job_first(const struct device_decide *d, const struct device_job *j);
extern const struct relay_job devices_find_job, devices_look_back_job;
/* devices_note.c: what was decided. */
extern const struct relay_job devices_note_job;
const struct relay_job *devices_send_job(struct relay *r, int64_t now_ms);
void devices_send_drop(struct relay *r);

#endif
