/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recorder: what was sent, acknowledged, pushed and fetched, and whether it fits together. It knows no sockets and
 * no clocks: the times are given, real ones for latencies and fair ones (pace.h) for deadlines. So a test can feed it
 * a history (selftest.c).
 *
 * A device is one client of a user, with its memory of messages. Its connection comes and goes; each one is a session.
 * A device may ask the server on its own account only when a session begins, and when the server says `resync`: what
 * such a sync brings counts as delivered, and nothing else but a push or an answer to what it sent itself does.
 */
#ifndef TIDINGS_TORTURE_RECORD_H
#define TIDINGS_TORTURE_RECORD_H

#include "core/base.h"

#include <limits.h>

struct json;

/* What a system message tells of a group. EVENT_NONE: it is no system message. */
enum group_event {
	EVENT_NONE,
	EVENT_CREATED,
	EVENT_ADDED,
	EVENT_JOINED,
	EVENT_LEFT,
	EVENT_REMOVED,
	EVENT_RENAMED,
	EVENT_ROLE,
	EVENT_OWNER,
	EVENT_DISSOLVED,
	EVENTS
};
#define EVENT_USERS_MAX 12
struct event {
	enum group_event is;
	unsigned count;
	unsigned short user[EVENT_USERS_MAX];
};

/* Whom a message mentions: a user, or one of these. */
#define MENTION_NONE UINT_MAX
#define MENTION_ALL (UINT_MAX - 1)

/*
 * What is done to a message after it was sent: each at most once, so whoever knows of it knows all. Who knows that a
 * message is recalled needs to know nothing else of it.
 */
enum mark { MARK_RECALLED, MARK_EDITED, MARK_REACTED, MARK_PINNED, MARKS };
#define MARK_BIT(mark) (1U << (mark))
/* By the name of its event, and of its kind of change; MARKS: none of them. */
enum mark record_mark_of(struct str name);
const char *record_mark_name(enum mark mark); /* "recalled", for the report */

/*
 * What a message looked like, wherever it was seen. A message is from a user to a party: a user, or a group. Parties
 * have one row of numbers: the users, then the groups (record_groups.h).
 */
struct sight {
	uint64_t id, conversation_id;
	uint32_t seq;
	unsigned from, to;
	struct str client_msg_id; /* absent where it is not shown */
	struct str content;	  /* absent: null */
	bool read;
	uint8_t marks;	    /* bits; whether it is pinned it does not say */
	struct event event; /* in groups, as `mention` */
	unsigned mention;
};

struct instant {
	int64_t real_ms, fair_ms;
};

struct message {
	unsigned from, to;
	uint64_t id, conversation_id; /* 0: nobody has seen it yet */
	uint32_t seq;
	struct instant sent;  /* for the first time */
	struct instant known; /* that it is stored */
	bool acked;
	bool refused;	      /* to a group: the answer was for good, and no */
	uint8_t tried, marks; /* bits of marks; marks: somebody has seen it so, or it was answered */
	struct deletion *deletions;
	/* To a group. mentioned: as it is stored, once that is known. */
	struct event event;
	unsigned mention, mentioned;
	bool mentioned_known;
};

/* A user has asked for it to be hidden; done: and was answered. */
struct deletion {
	unsigned user;
	bool done;
	struct deletion *next;
};

struct latencies {
	uint32_t *ms;
	size_t count, size;
};

struct tally {
	unsigned sent, acked, replayed, retried, pushes, doubled_pushes, resyncs, syncs, sessions, deletes, reads;
	unsigned marks[MARKS];
	/* To groups: of `sent` and `acked`; what was refused counts as not sent. */
	unsigned group_sent, group_refused;
	/* Of groups, each request by itself. */
	unsigned changes, changes_refused, changes_unknown;
	struct latencies calm, faulty; /* from the first send to each push */
};

struct record;

/* The violation, in one line. Called for each as it is found. */
typedef void record_violation_fn(const char *text, void *arg);

struct record *record_new(unsigned users, record_violation_fn *violation, void *arg);
void record_free(struct record **record);
struct tally *record_tally(struct record *r);
unsigned record_violations(const struct record *r);
void record_violate(struct record *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/*
 * What a party or a message is called: "p3", "g1"; "m17". Message 17's text is "m17 says p3 to p4"; once it is edited,
 * "m17 says p3 to p4 again".
 */
unsigned record_user_of(struct str id); /* UINT_MAX: none of ours */
struct party_name {
	char is[12];
};
struct party_name record_party_name(const struct record *r, unsigned party);
void record_text(const struct record *r, unsigned message, bool is_edited, char out[64]);

unsigned record_add_device(struct record *r, unsigned user);
/* A new message, and its number; it counts as sent. To a user: MENTION_NONE. */
unsigned record_send(struct record *r, unsigned from, unsigned to, unsigned mention, struct instant now);
const struct message *record_message(const struct record *r, unsigned number);
unsigned record_messages(const struct record *r);
/* The conversation of two parties, of which one at least is a user: its message with this seq, or UINT_MAX; and its
 * last seq known. */
unsigned record_at(const struct record *r, unsigned a, unsigned b, uint32_t seq);
uint32_t record_last_seq(const struct record *r, unsigned a, unsigned b);
uint64_t record_conversation(const struct record *r, unsigned a, unsigned b); /* 0: not known */

/* ---- a session ---- */
void record_session_opened(struct record *r, unsigned device, struct instant now); /* hello */
void record_session_synced(struct record *r, unsigned device, struct instant now); /* a first sync was answered whole */
void record_session_closed(struct record *r, unsigned device);
/*
 * The server ended it with that code: is it one that a client gets which does nothing wrong, and has one connection of
 * this device at a time? by: the session that was named as the newer one, or "".
 */
void record_check_code(struct record *r, unsigned device, int code, const char *by);
void record_resync(struct record *r, unsigned device);
/* The session got an event `message`. */
void record_pushed(struct record *r, unsigned device, const struct sight *s, bool faulty, struct instant now);
/* It got the event of a mark, or a sync has told of it. */
void record_mark_told(struct record *r, unsigned device, uint64_t message_id, enum mark mark, struct instant now);

/* ---- answers; device: whose, UINT_MAX where it was asked by no session ---- */
void record_acked(struct record *r, unsigned device, unsigned message, const struct sight *s, bool replayed,
		  struct instant now);
/* An ack was heard, whether it is still waited for or not. */
void record_answered(struct record *r, unsigned device, const struct sight *s, struct instant now);
/* In an answer to sync. */
void record_synced(struct record *r, unsigned device, const struct sight *s, struct instant now);
/* Seen in any other answer. */
void record_seen(struct record *r, const struct sight *s, struct instant now);
void record_mark_tried(struct record *r, unsigned message, enum mark mark);
void record_marked(struct record *r, unsigned device, unsigned message, enum mark mark, struct instant now);
void record_delete_tried(struct record *r, unsigned message, unsigned user);
void record_deleted(struct record *r, unsigned message, unsigned user);
/* NULL: that user has not asked for it to be hidden. */
const struct deletion *record_deletion(const struct record *r, unsigned message, unsigned user);
/* How far the device has each message of the conversation: what it lists in a sync. */
uint32_t record_contiguous(const struct record *r, unsigned device, unsigned peer);
/* A sync has brought all up to this seq: what is missing was deleted, or withheld; the latter is overdue one day. */
void record_settle(struct record *r, unsigned device, unsigned peer, uint32_t seq);

/* ---- what has to be so ---- */

/*
 * Tells each message and mark that has been known for limit_ms and since `from` at least, and that a session which
 * has been synced for as long still does not have; each once. Times are fair ones.
 */
void record_check_overdue(struct record *r, int64_t from_ms, int64_t limit_ms, int64_t now_ms);
/* How many (device, message) are waited for that were known before this fair time, of devices with a session. */
unsigned record_outstanding(const struct record *r, int64_t before_ms);
/* Whether anything is waited for that this device does not have. */
bool record_device_waits(const struct record *r, unsigned device);

/* Reads a message of the API. False, after a violation, where it is none. */
bool record_read_sight(struct record *r, const struct json *message, struct sight *out_r);

#endif
