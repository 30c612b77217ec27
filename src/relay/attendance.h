/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is online, for webhooks that are told of it: the relay that leads decides that for the cluster, and puts it into
 * the outbox together with a row in presence_told (schema/0029_presence.sql).
 *
 * The truth is the number of subscribers of a user's topic, as for those who watch friends (live/watch.h). Workers only
 * say whom to ask for (live/roll.h). Redis is then asked, at once for one who came, after ABSENCE_MS for one who went;
 * and what differs from presence_told is told. So nothing depends on the order of hints, and one that comes twice does
 * no harm. Of a hint that is lost:
 *
 * - one who went is found by a walk over presence_told, which never ends: ATTENDANCE_BATCH users a second, but without
 *   a pause while it finds some (a worker has died), and in its first round;
 * - of those who came, workers are asked, by calling the roll: when this relay begins to lead, Redis is back, or there
 *   was no room for a hint. The roll of very many users is called in parts, each when those of the last are done.
 *
 * A relay that leads no more writes nothing, as the row of the lease is a part of the transaction: else what it had
 * asked before could be told after what the next one tells.
 */
#ifndef TIDINGS_RELAY_ATTENDANCE_H
#define TIDINGS_RELAY_ATTENDANCE_H

#include "core/base.h"
#include "bus/bus.h"
#include "core/buf.h"
#include "core/id.h"
#include "core/table.h"
#include "core/wheel.h"
#include "store/outbox.h"

#include <sys/queue.h>

struct relay;
struct relay_job;

#define ATTENDANCE_ABSENCE_MS 5000
/* Users that Redis is asked for at a time, and of whom one transaction tells. */
#define ATTENDANCE_BATCH BUS_COUNT_CHUNK
/* Hints that are kept. */
#define ATTENDANCE_HINTS_MAX 100000

enum attendance_step {
	ATTENDANCE_IDLE,
	ATTENDANCE_WALKING,  /* the next users who were told to be online are looked up */
	ATTENDANCE_COUNTING, /* Redis is asked for them, or for those of hints */
	ATTENDANCE_READING,  /* what was told of these */
	ATTENDANCE_WRITING,
};

struct attendee;
TAILQ_HEAD(attendee_list, attendee);

struct attendance {
	bool on; /* a webhook is told */
	bool subscribed;
	enum attendance_step step;
	struct wheel_timer tick;
	/* Hints, one a user: of those who came, and of those who went, in order of their times. */
	struct table hints;
	struct attendee_list came, went;
	bool missed; /* there was no room for one */
	/* Whom it is at. */
	bool walks;
	unsigned count, changes;
	struct attendance_user {
		char user[USER_ID_MAX + 1];
		bool came; /* as the hint says */
		bool online, told;
		int64_t at_ms; /* of the hint; clock_wall_ms */
	} user[ATTENDANCE_BATCH];
	char walked[USER_ID_MAX + 1]; /* the last user of the walk; "": it begins */
	bool hurries;
	int64_t walk_ms, rest_ms; /* not before that; clock_mono_ms */
	/* The roll is called in that many parts; 0: it is not. */
	uint64_t parts, part;
	int64_t called_ms;
	bool away;    /* Redis was */
	bool cleared; /* it is not on, and what is left of when it was has been looked for */
	struct outbox outbox;
	struct buf items;
	bool notes; /* the job under way notes what push need not tell */
};

void attendance_init(struct relay *r);
void attendance_fini(struct relay *r);
/* It leads: each second. */
void attendance_second(struct relay *r);
/* It does not lead, or has lost the database. */
void attendance_forget(struct relay *r);
const struct relay_job *attendance_due(struct relay *r, int64_t now_ms);
/* The bus. */
void attendance_heard(struct relay *r, struct str message);
void attendance_subscribed(struct relay *r);
void attendance_bus_up(struct relay *r);
void attendance_bus_down(struct relay *r);

#endif
