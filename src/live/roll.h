/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where webhooks are told who is online (relay.presence of the configuration), tells the relay that leads who may have
 * come or gone: on TOPIC_ROLL, all of ROLL_MS in one message, a '+' or '-', the user's id, and a space for each. These
 * are hints: the relay asks Redis (relay/attendance.h). What is lost it finds out, or calls the roll.
 */
#ifndef TIDINGS_LIVE_ROLL_H
#define TIDINGS_LIVE_ROLL_H

#include "core/base.h"
#include "core/buf.h"
#include "core/wheel.h"

struct live;

#define ROLL_MS 200

/* Part of struct live; zeroed before first use. */
struct roll {
	struct buf hints;
	struct wheel_timer timer; /* set while there are some */
};

/* Sends the hints that wait. Call it before the bus is freed. */
void roll_fini(struct live *live);
/* A session of the user in this worker was the first to come, or the last to go. */
void roll_note(struct live *live, struct str user, bool came);
/* The relay asks: "PART PARTS", for a part of the users, by a hash of their ids. */
void roll_called(struct live *live, struct str data);
/* Redis is back: what was told before may be lost. */
void roll_tell_all(struct live *live);

#endif
