/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What crowd.c (people and what they ask for), crowd_groups.c and crowd_groups_answer.c (what is done to groups),
 * device.c (connections), device_groups.c (what they are told of groups) and sync.c (catching up) share.
 */
#ifndef TIDINGS_TORTURE_CROWD_PRIV_H
#define TIDINGS_TORTURE_CROWD_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "crowd.h"
#include "record.h"
#include "record_changes.h"
#include "record_groups.h"
#include "rng.h"
#include "stack.h"
#include "wire.h"

#include <sys/queue.h>

#define DEVICES_MAX 3
#define CALL_TIMEOUT_MS 6000
#define CURSOR_ROOM 64

/* A device's own knowledge of the conversation with a party, beside what the recorder keeps. */
struct place {
	bool known;
	uint64_t id;
	int64_t change_seq;
	/* Of a group: as it is since the user came in it was shown by `conversation` or a sync. */
	bool shown;
	bool shown_since_ask; /* since the last sync was asked for */
	uint32_t asked_seq;   /* the group's last seq known when that was */
	bool loading;
	int64_t load_at_ms; /* real: load the newest page then; 0: no */
	bool shown_online;
	int64_t ghost_since_ms; /* fair; -1: not shown online while away */
	bool ghost_told;
};

enum device_state { DEVICE_DOWN, DEVICE_OPENING, DEVICE_OPEN };

struct device_of {
	struct person *person;
	unsigned number; /* in the record */
	unsigned class_number;
	enum device_state state;
	struct wire *wire;
	unsigned generation; /* counts connections: what belongs to an earlier one is void */
	int64_t since_ms;    /* real: of this state */
	int64_t try_at_ms;   /* real: DEVICE_DOWN */
	int64_t heard_ms, pinged_ms;
	int64_t wanted_since_ms; /* fair: down or not caught up since then; -1: all is well */
	bool wanted_told;
	bool syncing, sync_again, synced;
	int64_t sync_at_ms; /* real: try again then; 0: not waiting */
	char cursor[CURSOR_ROOM];
	char replaced_by[32]; /* as `kicked` says */
	struct place *place;  /* by party */
	unsigned failures;
};

enum op_kind {
	OP_SEND,
	OP_READ,
	OP_RECALL,
	OP_DELETE,
	OP_EDIT,
	OP_REACT,
	/* By HTTP, in conversations of two alone: in groups it takes a role. */
	OP_PIN,
	/* Of groups, by HTTP. */
	OP_MAKE,
	OP_ADD,
	OP_JOIN,
	OP_LEAVE,
	OP_REMOVE,
	OP_RENAME,
	OP_ROLE,
	OP_PASS_ON,
	OP_DISSOLVE,
	OP_INVITE,
	OP_LOOK
};

/* Something that is asked for until it is answered for good. */
struct op {
	enum op_kind kind;
	unsigned id;
	unsigned message;     /* OP_SEND, OP_RECALL to OP_PIN */
	unsigned peer;	      /* the party */
	uint32_t up_to, done; /* OP_READ; done: what was answered before it was asked for */
	uint32_t asked_seq;   /* of a group: the last seq known before the first try */
	struct event event;   /* OP_MAKE to OP_DISSOLVE: of the message that tells of it */
	bool to_admin;	      /* OP_ROLE */
	bool in_flight;
	struct device_of *home;	     /* whose request it is, also where it goes by HTTP */
	struct device_of *via;	     /* the last try; NULL: HTTP */
	int64_t tried_ms, try_at_ms; /* real */
	struct instant first;
	unsigned tries;
	bool told;
	TAILQ_ENTRY(op) entry;
};

struct person {
	struct crowd *crowd;
	unsigned user;
	char *token;
	bool away;
	int64_t away_since_ms; /* fair */
	int64_t act_at_ms;     /* real */
	unsigned devices;
	struct device_of device[DEVICES_MAX];
	unsigned *friend_of, friends;
	uint32_t *read_tried, *read_done; /* by party */
	unsigned ops;
	TAILQ_HEAD(, op) op;
	struct rng rng;
};

/* A group's people are users next to each other, so that many are friends. */
struct crowd_group {
	unsigned party, first, size;
	bool may_end;
	char code[32]; /* an invite's, "": none is known */
	bool looked;   /* at the end, see crowd_has_looked() */
};

struct crowd {
	struct event_base *base;
	struct event *tick;
	struct stack *stack;
	struct record *record;
	unsigned users;
	struct person *person;
	int64_t pause_ms; /* between two acts of a person */
	bool talks, faulty;
	unsigned next_op, next_name;
	struct crowd_group *group;
	unsigned groups;
	bool groups_begun;
	struct buf text;
};

struct instant crowd_now(void);
unsigned short crowd_port(struct crowd *c, struct rng *rng);

/* ---- crowd.c ---- */
bool crowd_is_group(const struct crowd *c, unsigned party);
/* Asked for from the next tick on. */
struct op *op_new(struct person *p, enum op_kind kind, unsigned party);
const char *op_name(enum op_kind kind);
/* The answer to an op, by WebSocket or HTTP. status: of HTTP, or what it would be. */
void op_answered(struct person *p, unsigned id, int status, struct str code, const struct json *body,
		 struct device_of *via);
/* The device's connection is gone: what waits for it is tried again. */
void ops_lost(struct person *p, const struct device_of *via);

/* ---- crowd_groups.c ---- */
void crowd_groups_init(struct crowd *c, unsigned groups);
/* A group that the user is in, as far as is known; UINT_MAX: none. */
unsigned crowd_choose_group(struct person *p);
unsigned crowd_choose_mention(struct person *p, unsigned party);
/* Changes a membership, or something else of a group. */
void crowd_change_group(struct person *p);
void crowd_begin_join(struct person *p, struct crowd_group *g);
/* The request of an op from OP_MAKE on; the body is in the crowd's text, or absent. */
struct str crowd_group_request(struct person *p, const struct op *op, char path[128], const char **method_r);

/* ---- crowd_groups_answer.c ---- */
/* One try of an op from OP_MAKE on was answered. */
void crowd_change_answered(struct person *p, const struct op *op, unsigned change, int status, struct str code,
			   const struct json *body);
/* It was done: what follows from it. */
void crowd_group_done(struct person *p, const struct op *op, const struct json *body);
/* Whether this op may have been refused so; if it may, that is noted, to be held against the history. */
bool crowd_may_refuse(struct person *p, const struct op *op, struct str code);
bool crowd_is_passing(int status, struct str code);

/* ---- device_groups.c ---- */
void device_on_conversation(struct device_of *d, const struct json *frame);
void device_on_left(struct device_of *d, const struct json *frame);
/* A sync has shown that the user is not in it. */
void device_on_gone(struct device_of *d, uint64_t conversation_id);
/* The party of a conversation of the API, UINT_MAX after a violation. */
unsigned device_party_of(struct device_of *d, const struct json *conversation);
void device_groups_tick(struct device_of *d, int64_t now_ms);

/* ---- device.c ---- */
void device_init(struct device_of *d, struct person *p, unsigned class_number);
void device_fini(struct device_of *d);
void device_tick(struct device_of *d, int64_t now_ms);
void device_drop(struct device_of *d, int64_t try_again_in_ms);
/* A message of the conversation was met: the device knows it from now on. */
void device_meet(struct device_of *d, const struct sight *s);

/* ---- sync.c ---- */
void sync_begin(struct device_of *d);

#endif
