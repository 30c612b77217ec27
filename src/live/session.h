/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user's WebSockets in this worker.
 *
 * A session says hello once Redis has confirmed the subscriptions to its user's topic and to those of the user's groups
 * (or at once while Redis is away, and before the groups are known while the database is), so it misses nothing that is
 * published from then on. Then it announces itself on that topic, and policy.h decides
 * which sessions have to go.
 */
#ifndef TIDINGS_LIVE_SESSION_H
#define TIDINGS_LIVE_SESSION_H

#include "core/base.h"
#include "hub/presence.h"
#include "live/live.h"
#include "net/http.h"
#include "net/ws.h"

#include <sys/queue.h>

struct memberships;
struct watching;

/* Every WebSocket has one, and nearly every one a user of its own: every byte counts. */
struct session {
	LIST_ENTRY(session) all; /* or, once it is closed, in live->leaving */
	SLIST_ENTRY(session) of_user;
	struct live *live;
	struct user *user;
	struct ws *ws;		   /* NULL once closed: then it only waits for `pending` to fall to 0 */
	struct watching *watching; /* NULL: it watches nobody */
	int64_t rank;		   /* policy.h: of two sessions of a user the newer one has the higher; 0: none yet */
	/* Its id, beside the worker's name: */
	uint64_t since_ms : SESSION_TIME_BITS;
	uint64_t number : SESSION_NUMBER_BITS;
	int32_t presence;      /* handle of its row in the hub */
	uint32_t greeted_ms;   /* when it said hello; the lower half of clock_mono_ms() */
	uint32_t expires_secs; /* of the token, by clock_wall_ms; looked at once a second: no timer each */
	uint32_t pending : 11; /* requests in progress */
	uint32_t greeted : 1, leaving : 1, paused : 1;
	uint32_t recheck : 1;	  /* what it watches has to be read again */
	uint32_t resync_due : 1;  /* resync.h */
	uint32_t announced : 1;	  /* since Redis was connected last */
	uint32_t heard : 1;	  /* its announcement has come back since then */
	uint32_t fresh : 1;	  /* and was its first */
	uint32_t unconfirmed : 1; /* and nobody has been told since that it is still here */
	uint32_t has_device : 1;
	uint32_t has_login : 1;
	uint64_t
		token; /* the login of the token that it was opened with; or, of one without, its iat in milliseconds */
	char device[]; /* up to DEVICE_MAX; where none was named, not even its end is there */
};
_Static_assert(sizeof(struct session) <= 96, "a session without a device takes 112 bytes of malloc's");

/* A session elsewhere that was heard of on the topic. */
struct remote_session {
	LIST_ENTRY(remote_session) entry;
	int64_t rank;	  /* 0: older than all of ours */
	int64_t asked_ms; /* clock_mono_ms() of the first announcement that it has not answered; 0: it has answered all
			   */
	uint32_t roll;	  /* the last in which it was heard of */
	bool live;	  /* its first announcement was heard: the rank is our own, and right for our sessions */
	bool again; /* it was announced once more since we heard the topic: then its rank alone says how old it is */
	bool confirmed; /* more was heard of it in that roll than that it is new */
	char id[SESSION_ID_LEN + 1];
	char device[DEVICE_MAX + 1];
};

struct user {
	SLIST_HEAD(, session) sessions; /* the youngest first */
	LIST_HEAD(, remote_session) remotes;
	struct feed_list feeds;
	struct memberships *memberships; /* group_priv.h; NULL: in no group, and that is known */
	int64_t top_rank;		 /* of those ever known here */
	uint32_t roll;			 /* counts the announcements; remotes of an earlier one may be gone */
	char id[];
};

void sessions_init(struct live *live);
struct user *user_find(struct live *live, struct str id);
/* One of the user's sessions here is not closed. */
bool user_is_open(const struct user *u);
/* Of a struct user, for live->users. */
struct str user_key(const void *user);

/* Writes its id; returns out, or NULL where s is NULL. */
static inline const char *session_id(const struct session *s, char out[SESSION_ID_LEN + 1])
{
	if (s == NULL)
		return NULL;
	id_session_make(out, (int64_t)s->since_ms, s->live->origin, (uint32_t)s->number);
	return out;
}

static inline bool session_has_id(const struct session *s, const char *id)
{
	char own[SESSION_ID_LEN + 1];
	/* Most differ in the last digit. */
	return id[SESSION_ID_LEN - 1] == HEX_DIGITS[s->number & 15] && strcmp(session_id(s, own), id) == 0;
}

/* Empty where none was named. */
static inline const char *session_device(const struct session *s)
{
	return s->has_device ? s->device : "";
}

/* What revoked.h is asked by; 0: the token named no login. */
static inline uint64_t session_login(const struct session *s)
{
	return s->has_login ? s->token : 0;
}

static inline int64_t session_issued_ms(const struct session *s)
{
	return s->has_login ? 0 : (int64_t)s->token;
}

/* Who asks to begin one. */
struct session_ask {
	const char *user_id;
	struct str device;	       /* of up to DEVICE_MAX; empty: none was named */
	int64_t expires_ms, issued_ms; /* of the token, as the next */
	uint64_t login;
	const char *subprotocol; /* to be answered; NULL: none */
};
enum session_refusal {
	SESSION_ACCEPTED,
	SESSION_TOO_OFTEN, /* by this user, or from this address */
	SESSION_NODE_BUSY, /* the node begins as many as it can at a time */
	SESSION_NODE_FULL, /* no room in the hub */
};
/*
 * Answers the handshake, unless it is refused: that is the caller's to answer. *wait_ms_r: after how long to come
 * again; 0 where that is not known.
 */
enum session_refusal session_open(struct live *live, struct http_req *req, const struct session_ask *ask,
				  int64_t *wait_ms_r);
/* False before hello and after the close: it is not sent. */
bool session_send(struct session *s, struct ws_frame *frame);
void session_send_json(struct session *s, struct str json);
void session_close(struct session *s, int code, const char *reason);
/* kicked, then 4001. */
void session_kick(struct session *s, const char *reason, const char *by_session);
/* All of the user's sessions in this worker, or the one of that id (absent: all). */
void session_kick_user(struct live *live, struct str user_id, struct str only_id);
/* reconnect, then 1001, once what is in progress has been answered. */
void session_leave(struct session *s, int64_t after_ms);

/* A request begins and ends; bounds how many a session may have in progress. */
void session_hold(struct session *s);
void session_release(struct session *s);

/* hello, once, and the announcement to the others. */
void session_greet(struct session *s);
/* Redis went away: nobody waits for its confirmation any longer. After policy_link_down(). */
void session_greet_waiting(struct live *live);
/* The same for all of the user's sessions here, who is online from now on: nothing that is published passes them by. */
void session_greet_user(struct live *live, struct user *u);
/* The bus has confirmed the user's topic. */
void session_subscribed(struct live *live, struct str user_id);

/* Closes those whose token has run out; once a second. */
void session_end_expired(struct live *live);

#endif
