/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the relay share. relay.c keeps the two connections and decides what is asked next; lease.c,
 * survey.c, repair.c, purge.c and retention.c are the jobs that it asks, each with a state of its own.
 */
#ifndef TIDINGS_RELAY_RELAY_PRIV_H
#define TIDINGS_RELAY_RELAY_PRIV_H

#include "core/base.h"

#include <stdatomic.h>

#include "core/buf.h"
#include "core/id.h"
#include "core/media_ref.h"
#include "core/wheel.h"
#include "media/s3.h"
#include "net/work.h"
#include "relay/attendance.h"
#include "relay/audience.h"
#include "relay/hooks.h"
#include "relay/devices.h"
#include "relay/index.h"
#include "relay/relay.h"
#include "relay/streams.h"
#include "store/link.h"

struct bus;
struct trace;

/* What outbox_done calls them. */
extern const char *const relay_consumers[CONSUMERS];
/* There is one lease for all of them. */
#define LEASE_CONSUMER "push"

/* ---- what is asked of the database ---- */

/*
 * One text, a transaction of its own: the connection does not commit by itself, so COMMIT is its last statement. Then
 * either done() or failed(): an error, which is logged and rolled back, or a lost connection, after which nobody knows
 * whether it was done.
 */
struct relay_job {
	const char *name; /* for the log */
	void (*ask)(struct relay *r, struct buf *text);
	void (*row)(struct relay *r, unsigned stmt, struct row *row); /* NULL: there is none */
	void (*done)(struct relay *r);
	void (*failed)(struct relay *r);
};

/* lease.c */
#define LEASE_MS 10000
#define LEASE_RENEW_MS 3000
/* We treat it as ended that long before the database does. */
#define LEASE_MARGIN_MS 1000
#define HOLDER_MAX 64 /* as in the schema */
struct lease {
	char holder[HOLDER_MAX + 1];
	bool look, take; /* to be asked now */
	bool is_ours;	 /* as the job under way has found */
	int64_t asked_ms;
	int64_t until_ms; /* by clock_mono_ms; 0: it is not ours */
};
void lease_init(struct lease *l, const char *node_id);
/* Each second, and when the database is back. */
void lease_second(struct relay *r, int64_t now_ms);
bool lease_is_ours(const struct relay *r, int64_t now_ms);
/* What is to be asked now, NULL: nothing. As for the others below. */
const struct relay_job *lease_due(struct relay *r);

/* survey.c */
struct survey {
	bool due;
	int64_t lag_ms, lag_next_ms;
};
void survey_second(struct relay *r);
const struct relay_job *survey_due(struct relay *r);
/* Nothing that was found before counts any more. */
void survey_forget(struct relay *r);

/* repair.c */
enum repair_state {
	REPAIR_NONE,
	REPAIR_READING,
	REPAIR_LOOKING_UP, /* the users of direct conversations are to be asked for */
	REPAIR_TELLING,	   /* some are not told yet */
	REPAIR_SETTLING,   /* Redis has not confirmed that all are */
	REPAIR_NOTING,	   /* the rows are done: the database has to know */
};
struct repair {
	enum repair_state state;
	bool rests; /* a job has failed: not before the next second */
	uint64_t stream, last_n;
	uint64_t rows; /* read of the stream */
	bool full;     /* the rows that follow are left for the next time: the audience is large */
	struct audience audience;
	size_t looked_up;  /* of its conversations */
	size_t asked;	   /* of these, by the job under way */
	size_t told;	   /* of its listeners */
	uint64_t position; /* REPAIR_SETTLING: of the last of ours on the bus */
	unsigned waits;	   /* seconds, before it goes on */
	uint64_t repaired; /* rows, so far */
	struct wheel_timer pace;
	struct buf wire;
};
void repair_init(struct repair *p);
void repair_fini(struct repair *p);
void repair_second(struct relay *r);
const struct relay_job *repair_due(struct relay *r);
/* Drops the repair under way. Rows that are not noted as done are due again in a later survey. */
void repair_end(struct relay *r);
/* The bus is up, for the first time or again. lost: some of what was published may have reached nobody. */
void repair_bus_up(struct relay *r, bool lost);

/* purge.c */
/* Of one consumer, at a time. */
#define PURGE_FORGET_MAX 100
struct purge {
	unsigned left; /* statements that may be run this second */
	uint64_t stream, last_n;
	uint64_t asked, deleted;	   /* rows of the job under way */
	int64_t erase_ms;		   /* when to look for reactions to be deleted */
	bool erased;			   /* there were some */
	int64_t logins_ms;		   /* when to look for logins to be deleted */
	int64_t walk_ms;		   /* when to look for cursors of streams that have ended */
	unsigned consumer;		   /* whose cursors the walk looks at, */
	unsigned walked_consumer;	   /* and looked at last */
	uint64_t walk_after;		   /* the stream that it is at */
	unsigned walked;		   /* rows of the job under way */
	uint64_t forget[PURGE_FORGET_MAX]; /* streams whose cursors are to go */
	unsigned forget_count;
};
void purge_second(struct relay *r);
const struct relay_job *purge_due(struct relay *r, int64_t now_ms);

/* sweep_feed.c */
#define SWEEP_STREAMS_MAX 16
struct sweep_feed {
	enum { SWEEP_FEED_IDLE, SWEEP_FEED_READING, SWEEP_FEED_NOTING } step; /* IDLE: until at_ms */
	int64_t at_ms;
	struct cursor cursor[SWEEP_STREAMS_MAX];
	uint64_t to_n[SWEEP_STREAMS_MAX]; /* how far each will be read */
	unsigned rows[SWEEP_STREAMS_MAX]; /* that were read of it */
	unsigned cursors;
	bool full;	    /* there may be more to read */
	uint64_t *recalled; /* the messages */
	size_t recalls, room;
};
void sweep_feed_fini(struct sweep_feed *f);
void sweep_feed_forget(struct relay *r);
const struct relay_job *sweep_feed_due(struct relay *r, int64_t now_ms);

/* sweep.c */
#define SWEEP_MAX 64
enum sweep_step {
	SWEEP_IDLE, /* until at_ms */
	SWEEP_DECIDING,
	SWEEP_REMOVING,
	SWEEP_WAITING, /* for the thread */
	SWEEP_FORGETTING,
};
struct sweep {
	const char *directory;
	struct s3 s3;
	struct work *work; /* NULL: there are no files here */
	struct work_job files;
	enum sweep_step step;
	int64_t at_ms;
	bool full; /* there may be more of them */
	struct sweep_feed feed;
	unsigned count;
	char id[SWEEP_MAX][MEDIA_ID_LEN + 1];
	bool removed[SWEEP_MAX]; /* its bytes are */
	atomic_bool leaving;	 /* the thread begins with no further file */
};
void sweep_init(struct relay *r);
void sweep_fini(struct relay *r);
void sweep_forget(struct relay *r);
/* Some are to be looked at now. */
void sweep_soon(struct relay *r);
/* Its thread comes to an end soon. */
void sweep_leave(struct relay *r);
const struct relay_job *sweep_due(struct relay *r, int64_t now_ms);

/* names.c */
#define NAMES_MAX 100
struct names {
	int64_t at_ms; /* when the next step is due */
	struct wheel_timer pace;
	int64_t asked_usecs;	     /* when the last one began */
	char after[USER_ID_MAX + 1]; /* the user that the walk has come to; "": it begins */
	unsigned seen;
	bool differs; /* some names did in the last step */
	bool fixing;  /* what is in `fix` is to be written */
	struct buf rows, fix;
};
void names_fini(struct relay *r);
void names_forget(struct relay *r);
const struct relay_job *names_due(struct relay *r, int64_t now_ms);

/* retention.c */
#define RETENTION_WALK_MAX 200
#define RETENTION_USERS_MAX 50
enum retention_step {
	RETENTION_IDLE, /* until due_ms */
	RETENTION_NOTIFICATIONS,
	RETENTION_WALKING,  /* the next conversations are looked at */
	RETENTION_MARKING,  /* that messages are deleted at all */
	RETENTION_LOOKING,  /* which messages of one are too old */
	RETENTION_HIDING,   /* these */
	RETENTION_DELETING, /* those that are hidden */
	RETENTION_MEMBERS,  /* some of a group's are looked for */
	RETENTION_TIDYING,  /* what these users have noted of messages that are gone */
};
struct retention {
	enum retention_step step;
	int64_t due_ms, rest_until_ms; /* of clock_mono_ms */
	struct wheel_timer rest;
	bool marked; /* by this process, since it began */
	/* Of the job under way. */
	int64_t asked_usecs;
	uint64_t rows;
	/* The walk: pairs, then groups. */
	bool groups;
	uint64_t walked_id;
	unsigned rows_walked;
	uint64_t conversation[RETENTION_WALK_MAX]; /* those with old messages, */
	unsigned count, at;			   /* and which of them it is at */
	/* That conversation. */
	uint64_t kept_seq;
	uint64_t first_id, last_id; /* to be hidden or deleted; 0: nothing is */
	uint64_t deleted_from;	    /* seq of the first that was deleted; 0: none */
	unsigned delete_rows;	    /* messages of a deletion */
	unsigned tidy_role;	    /* the last member that was tidied up after, in the order of by_conversation */
	char tidy_user[USER_ID_MAX + 1];
	unsigned user_count;
	char user[RETENTION_USERS_MAX][USER_ID_MAX + 1];
};
void retention_init(struct relay *r);
void retention_fini(struct relay *r);
/* Begins anew: what is done is done. */
void retention_forget(struct relay *r);
const struct relay_job *retention_due(struct relay *r, int64_t now_ms);

/* ---- relay.c ---- */

struct relay {
	struct loop *loop;
	const struct conf *conf;
	void (*changed)(void *ctx);
	void *ctx;
	struct link *link;
	struct bus *bus;
	struct buf text;
	struct link_query query;
	const struct relay_job *job; /* under way; NULL: none */
	bool undo;		     /* a job has failed in the middle: what is open is rolled back first */
	bool leaving;
	bool led;      /* as was told last */
	bool surveyed; /* the last job was a survey */
	unsigned turn; /* who was asked last for what is due */
	struct wheel_timer second;
	struct lease lease;
	struct survey survey;
	struct streams streams;
	struct repair repair;
	struct purge purge;
	struct index index;
	struct sweep sweep;
	struct names names;
	struct retention retention;
	struct hooks hooks;
	struct devices devices;
	struct trace *trace; /* what became of messages; NULL: it is not noted */
	struct attendance attendance;
};

/* Asks what is due, if the connection is free. */
void relay_go_on(struct relay *r);

/* "INSERT INTO outbox_done …": the consumer is done with these. At least one. */
void relay_put_done(struct buf *text, enum consumer consumer, const struct cursor *cursor, size_t cursors);
/* It has committed. */
void relay_note_done(struct relay *r, enum consumer consumer, const struct cursor *cursor, size_t cursors);

#endif
