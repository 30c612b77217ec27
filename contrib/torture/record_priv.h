/* SPDX-License-Identifier: BSD-2-Clause */
/* What record.c, record_check.c and audit.c share. */
#ifndef TIDINGS_TORTURE_RECORD_PRIV_H
#define TIDINGS_TORTURE_RECORD_PRIV_H

#include "core/base.h"
#include "record.h"

#include <sys/queue.h>

/* A conversation: of a pair of users, or a group's. */
struct talk {
	uint64_t id;	   /* 0: not known */
	uint32_t last_seq; /* seen so far */
	uint32_t size;
	unsigned *at; /* by seq: the number of the message + 1, or 0 */
};

/* What a device has of a conversation. */
struct view {
	uint32_t size;
	uint8_t *has;	     /* by seq: HAS_MESSAGE, HAS_MARKS */
	uint32_t contiguous; /* it has all up to this seq */
	uint32_t last_push;  /* of this session, since its beginning or the last resync */
};

/* marks: bits. */
#define HAS_MESSAGE 1U
#define HAS_MARKS(marks) ((uint8_t)((marks) << 1))
#define HAS_MARK(mark) HAS_MARKS(MARK_BIT(mark))

struct device {
	unsigned user;
	bool open, synced;
	struct instant opened, synced_at;
	unsigned session;  /* counts them */
	struct view *view; /* by the other party */
};

/* A device has to get something. */
struct wait {
	unsigned device, message;
	uint8_t what; /* HAS_…, one */
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
	struct group *group; /* record_groups_priv.h */
	unsigned groups;
	struct suspect *suspect;
	unsigned suspects;
	struct change *change; /* record_changes.c */
	unsigned changes;
	struct claim *claim;
	unsigned claims;
};

struct talk *record_talk(const struct record *r, unsigned a, unsigned b);
/* The message that this is, known from now on; UINT_MAX after a violation. where: "pushed to p3", for the report. */
unsigned record_identify(struct record *r, const struct sight *s, const char *where, struct instant now);
bool record_has(const struct record *r, unsigned device, unsigned message, uint8_t what);
void record_device_got(struct record *r, unsigned device, unsigned message, uint8_t what, struct instant now);
/* It is seen with these marks. */
void record_note_marks(struct record *r, unsigned message, uint8_t marks, const char *where, struct instant now);
/* A number for a message, which counts as sent only where the caller says so. */
unsigned record_number(struct record *r, const struct message *m);
/* Every device of those whom it concerns has to get it. */
void record_all_wait(struct record *r, unsigned message, uint8_t what, struct instant now);
/* What the user's devices are waited for of the party, or (UINT_MAX) of this message, is waited for no more. */
void record_forget_waits(struct record *r, unsigned user, unsigned party, unsigned message);
/* False, after a violation, where another message has this place. */
bool record_place_is_free(struct record *r, unsigned n, const struct sight *s, const char *where);
void record_take_place(struct record *r, unsigned n, const struct sight *s, struct instant now);
/* The message with this id, UINT_MAX: not known. */
unsigned record_find(const struct record *r, uint64_t id);

#endif
