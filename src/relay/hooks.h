/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay that leads also calls webhooks. Each is a consumer of the outbox ('hook:NAME'), so nothing is written for
 * it when something happens, and one that is down costs nothing but rows, which are kept for HOOK_KEEPS_DAYS.
 *
 * It works by windows. A survey says, in one snapshot, which rows each stream has. A transaction that comes after
 * another in a conversation has waited for its commit; so where the one is in a snapshot, the other is, too, whichever
 * stream it is in, and its row is not younger (outbox.at). Rows of all streams are read up to a time, put in the order
 * of their times, and their events delivered; then it is noted how far the streams were read, and the next window
 * begins. So the events of a conversation go out in order of seq and change_seq. Rows of different streams may have the
 * same time: their messages are put in order of seq. Where the database's clock is set back between two transactions,
 * the events of the second may come first, once.
 *
 * Within a window events are spread over lanes by their conversations; a lane has one request under way and repeats it
 * until it succeeds. After a crash no more than a window is delivered again.
 *
 * What an event shows of a message or a profile is read when its window begins, and again where that was HOOK_FRESH_MS
 * ago: what was recalled or erased is not shown any more, however long the webhook was down.
 */
#ifndef TIDINGS_RELAY_HOOKS_H
#define TIDINGS_RELAY_HOOKS_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"
#include "core/json.h"
#include "core/media_url.h"
#include "core/wheel.h"
#include "net/fetch.h"
#include "store/arena.h"
#include "store/message_json.h"
#include "store/people.h"

struct relay;
struct relay_job;
struct row;

#define HOOK_KEEPS_DAYS 3
#define HOOK_KEEPS_SQL "3 DAY"
#define HOOK_KEEPS_MS (INT64_C(86400000) * HOOK_KEEPS_DAYS)
#define HOOK_FRESH_MS 60000
#define HOOK_LANES 8
/* Streams of a window; rows that are read of them all, and events after which it ends, about. */
#define HOOK_STREAMS_MAX 128
#define HOOK_ROWS_MAX 4000
#define HOOK_EVENTS_MAX 1000

enum hook_step {
	HOOK_IDLE,
	HOOK_SURVEYING,
	HOOK_SEARCHING, /* where in a stream the hook begins */
	HOOK_READING,
	HOOK_LOADING, /* the messages and profiles that events show */
	HOOK_SENDING,
	HOOK_NOTING,
};

struct hook_event {
	enum conf_hook_event kind;
	uint64_t stream, n;
	unsigned item; /* of the row: with the two above it is what the event is known by */
	int64_t at_ms;
	/* A message's. HOOK_FRIEND: what was done; HOOK_USER: enum account_action; HOOK_PRESENCE: when, in ms. */
	uint64_t id;
	struct str user, other; /* who did it, or whom it is about, and of HOOK_FRIEND to whom; absent: not known */
	struct str text;	/* HOOK_REACTION: '+' or '-' and the emoji */
	bool rendered;		/* in the request that was made last; else it is too old, or shows nothing any more */
	bool came;		/* HOOK_PRESENCE */
};

/* A row of the outbox that was read. */
struct hook_row {
	unsigned stream; /* its place in hook.stream */
	uint64_t n;
	int64_t at_ms; /* not before the row before it */
	unsigned first, events;
	bool lost; /* it is too old */
};

struct hook_stream {
	uint64_t id, max_n;
	uint64_t done_n;    /* read and noted */
	uint64_t low, high; /* HOOK_SEARCHING: the row before the first that counts is from low to high - 1 */
	uint64_t taken_n;   /* up to it the window goes */
	int64_t first_ms;   /* when its first unread row was written */
	unsigned rows;	    /* that were read */
	bool full;	    /* those that follow are left for the next window */
	size_t events;	    /* in them */
	uint64_t last_read_n;
	int64_t last_ms;
};

struct hook_lane {
	struct hook *hook;
	/* Places in hook.order: the lane's next event, the end of those under way, and the end of all. */
	size_t at, sent, end;
	struct fetch_call *call;
	struct wheel_timer retry;
	unsigned tries; /* that failed, one after the other */
};

struct hook {
	struct relay *relay;
	const struct conf_webhook *conf;
	/* What its row says. */
	bool known, paused, is_new;
	uint64_t generation;
	int64_t since_ms;

	enum hook_step step;
	bool due; /* HOOK_IDLE: there may be rows for it */
	struct hook_stream stream[HOOK_STREAMS_MAX];
	unsigned streams;
	int64_t others_ms;  /* when the first unread row of the other streams was written; INT64_MAX: there are none */
	unsigned row_limit; /* of a stream */
	struct hook_row *row;
	size_t rows, row_room;
	struct hook_event *event;
	size_t events, event_room;
	struct hook_event **order; /* by lanes */
	struct arena arena;	   /* what its events hold, */
	struct arena shown;	   /* and the messages and profiles */
	uint64_t *id;		   /* of messages to be read, sorted */
	size_t ids, loaded;	   /* loaded: asked for so far */
	struct str *user;	   /* whose profiles are to be read, sorted; they lie in the events */
	size_t users, users_loaded;
	bool loads_users;	 /* by the job under way */
	bool loads_again;	 /* some of the window may have been sent */
	struct message *message; /* that were found, in order of id */
	size_t messages;
	struct profile *profile; /* that were found, in order of user id */
	size_t profiles;
	int64_t loaded_ms;	  /* when they were asked for; clock_mono_ms */
	int64_t now_ms, asked_ms; /* the database's clock, and clock_mono_ms, at the survey */
	struct hook_lane lane[HOOK_LANES];

	/* What its row does not say yet. */
	uint64_t delivered, failed, lost;
	uint64_t told_delivered, told_failed, told_lost; /* by the job under way */
	bool notes_window;				 /* it also notes how far the window went */
	bool failing;
	char error[256];
	int64_t waits_since_ms; /* 0: nothing waits */
	int64_t next_ms;	/* the same once the window is noted */
	bool changed;
	bool rests; /* a job has failed: nothing is asked before the next second */
};

/* Which rows there are: a new one changes one of these. */
struct hook_news {
	uint64_t streams, rows, ids;
};

struct hooks {
	struct hook *hook;
	unsigned count, next;  /* whose turn it is */
	struct hook *now;      /* whose job is under way */
	bool look;	       /* at their rows */
	bool ask_news;	       /* whether there are new rows of the outbox */
	struct hook_news news; /* as it was last */
	struct fetch *fetch;
	struct json_out *json;
	struct buf body;
	struct media_urls media;
	struct message_urls urls;
	struct wheel_timer poll;
};

void hooks_init(struct relay *r);
void hooks_fini(struct relay *r);
void hooks_second(struct relay *r);
/* Forgets all that it was at: this relay does not lead any more, or has lost the database. */
void hooks_forget(struct relay *r);
const struct relay_job *hooks_due(struct relay *r, int64_t now_ms);

/* ---- what its files share ---- */

/* Nothing of the window is left. */
void hook_drop(struct hook *h);
/* A job of its has failed: the window begins anew in the next second. */
void hook_failed(struct relay *r);
void hook_put_consumer(struct buf *text, const struct hook *h);

/* hook_feed.c */
extern const struct relay_job hook_survey_job, hook_search_job, hook_read_job, hook_note_job;

/* hook_events.c */
/* Adds the events of a row's items that the hook is told of, and returns how many they are. */
unsigned hook_add_events(struct hook *h, uint64_t stream, uint64_t n, int64_t at_ms, struct str items);
/* The window's rows are known: which messages and profiles are to be read. Sets the step. */
void hook_begin_loading(struct hook *h);
/* They are read again. */
void hook_load_again(struct hook *h);
extern const struct relay_job hook_load_job;
/* Is the event about a user, and of no conversation? */
bool hook_is_of_user(const struct hook_event *e);
/* It is about the message e->id. */
bool hook_shows_message(const struct hook_event *e);
/* Appends the event as JSON. False: it shows a message that is gone. */
bool hook_render(struct hooks *x, struct hook *h, const struct hook_event *e, struct buf *out);

/* hook_send.c */
void hook_begin_sending(struct hook *h);
/* After hook_load_again(). */
void hook_send_on(struct hook *h);
/* What has waited for the hook to be resumed, or for messages. */
void hook_go_on(struct hook *h);
void hook_stop_sending(struct hook *h);

#endif
