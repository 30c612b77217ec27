/* SPDX-License-Identifier: BSD-2-Clause */
/* What record.c, record_check.c and audit.c share. */
#ifndef TIDINGS_TORTURE_RECORD_PRIV_H
#define TIDINGS_TORTURE_RECORD_PRIV_H

#include "core/base.h"
#include "record.h"

#include <sys/queue.h>

/* A pair of users, the smaller number first. */
struct talk {
	uint64_t id;	   /* 0: not known */
	uint32_t last_seq; /* seen so far */
	uint32_t size;
	unsigned *at; /* by seq: the number of the message + 1, or 0 */
};

/* What a device has of a conversation. */
struct view {
	uint32_t size;
	uint8_t *has;	     /* by seq: HAS_MESSAGE, HAS_RECALL */
	uint32_t contiguous; /* it has all up to this seq */
	uint32_t last_push;  /* of this session, since its beginning or the last resync */
};

enum { HAS_MESSAGE = 1, HAS_RECALL = 2 };

struct device {
	unsigned user;
	bool open, synced;
	struct instant opened, synced_at;
	unsigned session;  /* counts them */
	struct view *view; /* by the other user */
};

/* A device has to get something. */
struct wait {
	unsigned device, message;
	uint8_t what; /* HAS_… */
	bool told;
	int64_t known_ms; /* fair */
	TAILQ_ENTRY(wait) entry;
};

struct record {
	unsigned users;
	record_violation_fn *violation;
	void *violation_arg;
	unsigned violations;
	struct tally tally;
	struct message *message;
	unsigned messages, message_room;
	struct device *device;
	unsigned devices;
	struct talk *talk; /* users * users, [smaller * users + larger] */
	TAILQ_HEAD(, wait) waits;
};

struct talk *record_talk(const struct record *r, unsigned a, unsigned b);
/* The message that this is, known from now on; UINT_MAX after a violation. where: "pushed to p3", for the report. */
unsigned record_identify(struct record *r, const struct sight *s, const char *where, struct instant now);
bool record_has(const struct record *r, unsigned device, unsigned message, uint8_t what);
/* The message with this id, UINT_MAX: not known. */
unsigned record_find(const struct record *r, uint64_t id);

#endif
