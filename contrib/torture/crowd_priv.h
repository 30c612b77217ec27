/* SPDX-License-Identifier: BSD-2-Clause */
/* What crowd.c (people and what they ask for), device.c (connections) and sync.c (catching up) share. */
#ifndef TIDINGS_TORTURE_CROWD_PRIV_H
#define TIDINGS_TORTURE_CROWD_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "crowd.h"
#include "record.h"
#include "rng.h"
#include "stack.h"
#include "wire.h"

#include <sys/queue.h>

#define DEVICES_MAX 3
#define CALL_TIMEOUT_MS 6000
#define CURSOR_ROOM 64

/* A device's own knowledge of the conversation with a peer, beside what the recorder keeps. */
struct place {
	bool known;
	uint64_t id;
	int64_t change_seq;
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
	struct place *place;  /* by user */
	unsigned failures;
};

enum op_kind { OP_SEND, OP_READ, OP_RECALL, OP_DELETE };

/* Something that is asked for until it is answered for good. */
struct op {
	enum op_kind kind;
	unsigned id;
	unsigned message; /* but OP_READ */
	unsigned peer;	  /* OP_SEND, OP_READ */
	uint32_t up_to;	  /* OP_READ */
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
	uint32_t *read_tried, *read_done; /* by user */
	unsigned ops;
	TAILQ_HEAD(, op) op;
	struct rng rng;
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
	unsigned next_op;
	struct buf text;
};

struct instant crowd_now(void);
unsigned short crowd_port(struct crowd *c, struct rng *rng);

/* ---- crowd.c ---- */
/* The answer to an op, by WebSocket or HTTP. status: of HTTP, or what it would be. */
void op_answered(struct person *p, unsigned id, int status, struct str code, const struct json *body,
		 struct device_of *via);
/* The device's connection is gone: what waits for it is tried again. */
void ops_lost(struct person *p, const struct device_of *via);

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
