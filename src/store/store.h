/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The database as one process sees it: writes of messages, which go through the write lanes of the node's writer
 * processes (writers.h) or one of its own (lane.h), with group commit; other changes (txn.h); and a few read
 * connections (pool.h). All are non-blocking through MariaDB Connector/C (link.c is its only
 * door). The database is the only truth; nothing is answered as done before the
 * transaction that did it has committed.
 *
 * Every operation copies its arguments, and calls its callback from the loop, never from within the call itself:
 * once, or twice where the first status is STORE_UNCERTAIN. Results are borrowed for the callback.
 * A lost connection is waited for, for up to 3 s, but not a database that is known to be away (link.h).
 * `arg` is the caller's and only handed back.
 */
#ifndef TIDINGS_STORE_STORE_H
#define TIDINGS_STORE_STORE_H

#include "core/base.h"
#include "core/conf.h"
#include "core/id.h"

struct event_base;
struct store;

enum store_status {
	STORE_OK,
	STORE_UNAVAILABLE, /* the database is away: nothing was done, or nobody but the asker is told and a retry finds
			      out */
	/*
	 * Only of writes that others are told of: the time is up, and the transaction may have committed, for the
	 * answer to COMMIT was lost. The callback runs once more when the database has told: with STORE_OK if it was
	 * done, with another status if it was not, or with STORE_UNKNOWN.
	 */
	STORE_UNCERTAIN,
	STORE_UNKNOWN,	  /* the last word on a write that may have been done: nobody will find out whether it was */
	STORE_OVERLOADED, /* the queue is full: nothing was done */
	STORE_NOT_FOUND,  /* no such thing, or the user is no party to it */
	STORE_NOT_FRIENDS,
	STORE_BLOCKED,
	STORE_NOT_SENDER, /* recall of another's message */
	STORE_FORBIDDEN,  /* marking one's own message read */
	STORE_RECALL_EXPIRED,
	STORE_REUSED,	 /* this client_msg_id stands with another recipient or other fields */
	STORE_BAD_REPLY, /* reply_to names no message of this conversation */
	STORE_FULL,	 /* the conversation has MESSAGE_SEQ_MAX messages */
	STORE_TAKEN,	 /* it stands already (people.h) */
	STORE_LIMITED,	 /* the user did it too often (people.h) */
	/* Of groups (group.h). */
	STORE_MUTED,		  /* an admin has muted the user; retry_ms says until when */
	STORE_SENDING_RESTRICTED, /* only admins may send there */
	STORE_SLOW_MODE,	  /* the member sent less than the group's slow_mode_secs ago; retry_ms */
	STORE_MENTIONS_ALL,	  /* the user's role does not allow to mention everyone */
	STORE_GROUP_DISSOLVED,
	STORE_GROUP_FULL,
	STORE_TOO_MANY_GROUPS, /* the user is in as many as one may be */
	STORE_ROLE,	       /* the user's role does not allow it */
	STORE_BANNED,
	STORE_IS_OWNER, /* the owner has to pass the group on first */
	/* Of edits. */
	STORE_EDIT_EXPIRED,
	STORE_RECALLED,	 /* the message is */
	STORE_NO_TEXT,	 /* a text cannot become empty */
	STORE_FORWARDED, /* the message is: its text is another's */
	/* Of what else is done to messages. */
	STORE_TOO_MANY_KINDS, /* of reactions to this message */
	STORE_TOO_MANY_PINS,
	/* Of one's own settings of a conversation. */
	STORE_TOO_MANY_PINNED, /* the user has STORE_PINNED_MAX */
	/* Of files (media.h). */
	STORE_OVER_QUOTA,
	STORE_NO_FILE, /* that media_url names: it is gone */
	/* Of logins (login.h). */
	STORE_LOGIN_ENDED,
	STORE_LOGIN_EXPIRED,
	STORE_DISABLED, /* the user is, or is erased */
};
#define STORE_STATUSES (STORE_DISABLED + 1)
const char *store_status_name(enum store_status s);

/* For the counters of the process. Any member may be NULL. */
struct store_observer {
	void (*batch)(unsigned ops, unsigned sends, uint64_t usecs, void *ctx); /* a transaction has committed */
	void (*retry)(const char *why, void *ctx);				/* one will be run again */
	/* One took a single round trip; or that was tried, and it is run again with two. */
	void (*guess)(bool right, void *ctx);
	void (*link)(bool up, void *ctx); /* the connection that writes messages came up or was lost */
	void (*writer_lost)(void *ctx);	  /* store_missing_writers() has more */
};

/* Connects in the background, also for writing messages. conf is borrowed and read at each connection. */
struct store *store_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx);
/* In a worker: conf->writers processes write the messages, once store_take_writer() has brought the sockets to them. */
struct store *store_new_with_writers(struct event_base *base, const struct conf *conf, const struct store_observer *obs,
				     void *ctx);
/* A stream socket to the writer of that number, in place of a former process'. The store closes it. */
void store_take_writer(struct store *s, unsigned index, int fd);
/* A bit for each writer that there is no socket to, 1 for number 0. None without writers. */
uint64_t store_missing_writers(const struct store *s);
/* Answers everything still in progress with STORE_UNAVAILABLE, then closes. */
void store_free(struct store **s);
/* Messages can be written: all that write them are connected, to a server that is not read-only. */
bool store_is_up(const struct store *s);
/* Writes are answered as unavailable, and not only for the moment that making a lost connection anew takes. */
bool store_refuses_writes(const struct store *s);
/* They are because the server is read-only; reads go on. */
bool store_is_read_only(const struct store *s);
/* Operations accepted and not answered yet. */
size_t store_pending(const struct store *s);

/*
 * What others have to be told of is in the outbox until it is known that they were (outbox.h); what is not, the relay
 * tells them. A cut is formed of all answers so far. When the callbacks of these have run, and what they tell others
 * cannot be lost any more with this process, store_cut_is_told() says so. One cut at a time.
 */
void store_cut(struct store *s);
bool store_cut_is_called(const struct store *s);
void store_cut_is_told(struct store *s);
/* Nothing is left to be said: of no answer, and by nobody. What cannot be noted, since the database is away, is not
 * waited for. */
bool store_has_told(const struct store *s);

/* ---- what is stored ---- */

/* As they are stored. */
enum message_type {
	MESSAGE_TEXT,
	MESSAGE_IMAGE,
	MESSAGE_VOICE,
	MESSAGE_VIDEO,
	MESSAGE_FILE,
	MESSAGE_STICKER,    /* media_url is a path on this server; extra says which one (sticker.h) */
	MESSAGE_FORWARD,    /* made by the server of other messages: forward.h */
	MESSAGE_SYSTEM = 7, /* the server's own: what happened to a group */
};
#define MESSAGE_TYPES (MESSAGE_SYSTEM + 1)
/* "text" and so on. */
const char *message_type_name(enum message_type t);
/* Those that a client may send. */
int message_type_parse(struct str name, enum message_type *type_r) MUST_CHECK;

struct message {
	uint64_t id; /* message_id_make(conversation_id, seq) */
	char from[USER_ID_MAX + 1];
	char to[USER_ID_MAX + 1]; /* "" in a group; is_read is false there */
	enum message_type type;
	struct str content, media_url, extra; /* absent: null; extra is minified JSON. All absent once recalled */
	struct str entities;		      /* a JSON array (core/entities.h); absent: none */
	struct str mentions;		      /* a JSON array of user ids, or ["*"]; absent: of none */
	struct str client_msg_id;	      /* absent where the client gave none */
	struct str forwarded_from;	      /* a JSON object: the first author, of a message that was forwarded */
	struct str reactions;		      /* a text (reactions.h); absent: none */
	uint64_t reply_to;		      /* 0: null */
	int64_t created_ms;		      /* the database's clock */
	bool is_read, is_recalled;
	int64_t read_ms, recalled_ms, edited_ms, expires_ms; /* 0: null */
	uint64_t expires_in_secs; /* as it was sent; 0: without, so that its conversation's default counted */
	struct str sent_hash; /* sent_hash.h: of what was replaced; absent: nothing was. Read with the answer to a send
				 alone */
};

enum group_role { GROUP_NO_ROLE, GROUP_OWNER, GROUP_ADMIN, GROUP_MEMBER }; /* as they are stored */
enum group_join { GROUP_JOIN_INVITE, GROUP_JOIN_APPROVAL, GROUP_JOIN_OPEN };
struct group_settings {
	enum group_join join;
	bool history_joined; /* who joins sees nothing of before */
	bool send_admins, add_admins;
	unsigned slow_mode_secs; /* 0: off */
};

/* What a group has beside its messages, as one of its members sees it. */
struct group {
	struct str name, avatar_url, about; /* absent: null */
	char owner[USER_ID_MAX + 1];
	enum group_role role; /* the member's own */
	uint64_t member_count;
	int64_t joined_ms;
	int64_t dissolved_ms; /* 0: it is not */
	struct group_settings settings;
};

/* What a user has set for themselves of a conversation, and its default. All zeroes: nothing. */
struct conversation_settings {
	int64_t muted_until_ms; /* 0: it is not muted now */
	int64_t pinned_ms;	/* since when; 0: it is not */
	bool mute_mentions;
	bool archived; /* and nobody else has written since, or it is muted */
	bool marked_unread;
	struct str draft; /* absent: none */
	/* Of both sides, or the admins': messages that do not say so themselves expire so long after they are sent; 0:
	 * never. */
	uint64_t expires_in_secs;
};

/* A conversation as `user` sees it. */
struct conversation {
	uint64_t id;
	char user[USER_ID_MAX + 1];
	struct group group; /* where conversation_is_group(id); then all about a peer is absent, "" or 0 */
	char peer[USER_ID_MAX + 1];
	struct str peer_nickname, peer_avatar_url; /* absent: null */
	bool has_last;
	struct message last; /* the newest that the user has not deleted */
	int64_t last_ms;     /* of the newest message, also one that was deleted; 0: none */
	uint64_t last_seq;
	uint64_t unread;
	uint64_t mentions;  /* of the unread ones: those that mention the user or everyone */
	uint64_t first_seq; /* the first that the user may see */
	uint64_t read_seq, peer_read_seq;
	uint64_t peer_delivered_seq; /* at least peer_read_seq */
	uint64_t change_seq;
	struct conversation_settings settings;
	struct str source_kind, source_id; /* absent: null */
	int64_t created_ms;
	int64_t sort_ms; /* its place in lists: about the time of what happened last, but never before an earlier one's
			  */
};

/* ---- writes: all through the lane, in the order given ---- */

#define STORE_MENTIONS_MAX 50
#define STORE_PINS_MAX 50 /* of a conversation */
/* What a message of type forward consists of; forward.h has the limits. */
struct store_parts {
	/* Ids of messages, with commas between them: each becomes a part, in this order. Absent: there are none. */
	struct str of;
	bool again;  /* it is the copy of a single one, which is of type forward: its parts are those of that */
	bool nested; /* some of them have parts themselves */
	uint64_t count, bytes; /* of all parts, those of parts included; their texts */
};
struct store_send {
	struct str from;
	/* Either a user, or a group; STORE_NOT_FOUND: no member of it. */
	struct str to;
	uint64_t conversation_id;
	enum message_type type;
	struct str content, media_url, extra, entities, client_msg_id;
	uint64_t reply_to;
	/* Valid user ids; those that are no parties to the conversation are dropped, and so is who is named twice. */
	const struct str *mention;
	size_t mention_count;
	bool mentions_all;
	uint64_t expires_in_secs; /* 0: what is the conversation's default */
	/*
	 * before_send has replaced it: this is stored in place of content and entities, by which a repeat is known all
	 * the same. `replaced` absent: nothing is. A repeat may have others.
	 */
	struct str replaced, replaced_entities;
	/* Of a message that is forwarded, a JSON object. A repeat may have another one. */
	struct str forwarded_from;
	struct store_parts parts; /* STORE_RECALLED: one of them was recalled meanwhile */
	/* The server's operator sends it: neither friendship, blocks nor membership are looked at. The sender of a
	 * message to a group need be no member. */
	bool by_operator;
};
struct store_sent {
	enum store_status status;
	bool replayed; /* it stood already: the message as it is now */
	/* STORE_OK. STORE_UNKNOWN: only id, from and to; of the id perhaps nothing, of a group's its conversation */
	const struct message *message;
	int64_t gap_ms;	  /* since the message before it; INT64_MAX: the first one, or replayed */
	int64_t retry_ms; /* STORE_MUTED (INT64_MAX: no end is known), STORE_SLOW_MODE: from now on */
};
typedef void store_sent_fn(const struct store_sent *r, void *arg);
/*
 * A repeated client_msg_id is looked at first, before friendship. The conversation is created with its first
 * message, in the same transaction.
 */
void store_send(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg);
/* Only the look at the client_msg_id: STORE_NOT_FOUND if it is new. A read. */
void store_find_sent(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg);

/* What is done to one message after it was sent; change.h says how to add one. */
enum act { ACT_READ, ACT_RECALL, ACT_DELETE, ACT_EDIT, ACT_REACT, ACT_UNREACT, ACT_PIN, ACT_UNPIN, ACT_EXPIRE };
#define ACTS (ACT_EXPIRE + 1)
struct store_act {
	enum act act;
	struct str user; /* absent: ACT_EXPIRE, the server's own */
	uint64_t id;
	/* ACT_EDIT: the whole of what can be edited. What is absent is gone afterwards. */
	struct str content, entities;
	const struct str *mention; /* as in struct store_send */
	size_t mention_count;
	bool mentions_all;
	struct str emoji; /* ACT_REACT, ACT_UNREACT: one that reaction_emoji_valid() accepts */
	int64_t due_ms;	  /* ACT_EXPIRE: as due.h has it */
	/*
	 * Nobody's right to see the message is checked, and `user` need be no member. ACT_RECALL: any message but a
	 * system message, however old. ACT_UNREACT: also what `user` has deleted.
	 */
	bool by_operator;
};
struct store_change {
	enum store_status status;
	bool changed; /* false: it was so already */
	bool hidden;  /* the recipient of a direct message has deleted it */
	uint64_t change_seq;
	/* As it is now; STORE_OK. STORE_UNKNOWN: only id, from and to; where the other side is not known, from is who
	 * asked, and to is "" as in a group. */
	const struct message *message;
	char by[USER_ID_MAX + 1]; /* who asked for it; "": the server */
	struct str emoji;	  /* as asked */
};
typedef void store_change_fn(const struct store_change *r, void *arg);
void store_act(struct store *s, const struct store_act *p, store_change_fn *fn, void *arg);

struct store_read {
	enum store_status status;
	/*
	 * read_seq moved or a message became read. A long way is gone in several transactions: it may be so, up to
	 * up_to_seq, although the status is not STORE_OK.
	 */
	bool changed;
	char peer[USER_ID_MAX + 1]; /* "" where nothing was read, and in a group */
	uint64_t member_count;	    /* of the group, 0 else */
	uint64_t conversation_id;   /* whatever the status */
	uint64_t read_seq, marked, unread;
	uint64_t up_to_seq; /* as taken */
	int64_t read_ms;
	bool unmarked; /* it was marked as unread, and is no more */
	/* STORE_OK and unmarked: as the user sees it now; NULL where it could not be read. */
	const struct conversation *conversation;
};
typedef void store_read_fn(const struct store_read *r, void *arg);
/* up_to_seq UINT64_MAX: all. */
void store_read_conversation(struct store *s, struct str user, uint64_t conversation_id, uint64_t up_to_seq,
			     store_read_fn *fn, void *arg);

/* Messages of a direct conversation have reached a session of the user's. */
struct store_delivery {
	struct str user;
	uint64_t conversation_id;
	uint64_t up_to_seq; /* then as taken */
	/* What became of it. */
	enum store_status status;   /* STORE_OK, or STORE_NOT_FOUND: the user is no party to it */
	bool moved;		    /* it is further than before, which the peer is to be told */
	int64_t wait_ms;	    /* not 0: its row was written less than a second ago, and can be after that time */
	char peer[USER_ID_MAX + 1]; /* STORE_OK */
};
#define STORE_DELIVERIES_MAX 512
/* status: of the transaction; where it is not STORE_OK nothing became of any of them. */
typedef void store_delivered_fn(enum store_status status, struct store_delivery *const *d, size_t n, void *arg);
/*
 * Past the lane. Up to STORE_DELIVERIES_MAX, no two of the same user and conversation; they are the caller's, and stay
 * where they are until the callback. Nothing moves back, beyond the last message, or for one who has blocked the other
 * side, which sees them offline.
 */
void store_deliver(struct store *s, struct store_delivery *const *d, size_t n, store_delivered_fn *fn, void *arg);

struct store_created {
	enum store_status status;
	bool created; /* false: it stood already */
	const struct conversation *conversation;
};
typedef void store_created_fn(const struct store_created *r, void *arg);
void store_create(struct store *s, struct str user, struct str peer, struct str source_kind, struct str source_id,
		  store_created_fn *fn, void *arg);

/* ---- what a user sets for themselves: not through the lane, but where it is locked with what that writes ---- */

/* Of one user's conversations. */
#define STORE_PINNED_MAX 100
#define STORE_DRAFT_MAX 4096
struct store_settings {
	struct str user;
	uint64_t conversation_id;
	/* What is to be set, to what `to` says; a muted_until that has passed is none, and of pinned_ms counts whether
	 * it is 0. */
	bool sets_muted_until, sets_mute_mentions, sets_pinned, sets_archived, sets_marked_unread, sets_draft;
	/*
	 * Of a group it is only looked whether the user may: STORE_ROLE, STORE_GROUP_DISSOLVED. It is set by
	 * GROUP_CHANGE.
	 */
	bool sets_expires_in;
	struct conversation_settings to;
};
struct store_settings_set {
	enum store_status status;
	bool changed; /* it was not so already; where the status is not STORE_OK, it was set but could not be read */
	const struct conversation *conversation; /* as it is now; STORE_OK */
	/* It is the other side's view, of what both see: what is to be told. The answer comes with another call. */
	bool of_peer;
};
typedef void store_settings_fn(const struct store_settings_set *r, void *arg);
void store_set_settings(struct store *s, const struct store_settings *p, store_settings_fn *fn, void *arg);
/*
 * Through the lane: the user sees nothing any more of what is up to that seq (UINT64_MAX: all), and while there is
 * nothing after it the conversation is not listed. Nobody else can tell. The callback has the conversation where it
 * changed.
 */
void store_clear(struct store *s, struct str user, uint64_t conversation_id, uint64_t up_to_seq, store_settings_fn *fn,
		 void *arg);

/* ---- reads ---- */

/* A place in a list sorted by time and id, both descending. All zeroes: from the top. */
struct store_cursor {
	int64_t ms;
	uint64_t id;
};
struct store_conversations {
	enum store_status status;
	const struct conversation *item;
	size_t count;
	bool has_more;
	struct store_cursor next;
};
typedef void store_conversations_fn(const struct store_conversations *r, void *arg);
/* Those that are archived, or those that are not. The pinned ones come first; what the cursor holds is the store's own.
 */
void store_list_conversations(struct store *s, struct str user, bool archived, unsigned limit,
			      struct store_cursor after, store_conversations_fn *fn, void *arg);

struct store_history {
	enum store_status status;
	const struct message *item; /* oldest first */
	size_t count;
	bool has_more;
};
typedef void store_history_fn(const struct store_history *r, void *arg);
/* before: 0 for none. after: STORE_NO_AFTER for none (0 is from the beginning on). Never both. */
#define STORE_NO_AFTER UINT64_MAX
void store_list_messages(struct store *s, struct str user, uint64_t conversation_id, uint64_t before, uint64_t after,
			 unsigned limit, store_history_fn *fn, void *arg);

struct store_reactions {
	enum store_status status;
	const struct store_reacted {
		char user_id[USER_ID_MAX + 1];
		struct str emoji;
		uint64_t n; /* its place in order */
		int64_t at_ms;
	} * item; /* in order of time */
	size_t count;
	bool has_more;
};
typedef void store_reactions_fn(const struct store_reactions *r, void *arg);
struct store_reactions_wanted {
	struct str emoji, user_id; /* of that kind, of that user; absent: of all */
	unsigned limit;
	uint64_t after; /* the place after which they come, 0 for all */
};
/* Of a message that the user sees. */
void store_list_reactions(struct store *s, struct str user, uint64_t message_id,
			  const struct store_reactions_wanted *wanted, store_reactions_fn *fn, void *arg);
struct store_pins {
	enum store_status status;
	const struct message *item; /* the latest pin first */
	size_t count;
	bool has_more;
	uint64_t next; /* has_more: as `before`, for the next page */
};
typedef void store_pins_fn(const struct store_pins *r, void *arg);
/* The pinned messages that the user sees; before: 0 for the first page. */
void store_list_pins(struct store *s, struct str user, uint64_t conversation_id, uint64_t before, store_pins_fn *fn,
		     void *arg);

typedef void store_count_fn(enum store_status status, uint64_t count, void *arg);
/* A statement that touches no table, on a read connection: does the database answer. count is 0. */
void store_ping(struct store *s, store_count_fn *fn, void *arg);
/* Both over all of the user's conversations. */
typedef void store_unread_fn(enum store_status status, uint64_t unread, uint64_t mentions, void *arg);
void store_count_unread(struct store *s, struct str user, store_unread_fn *fn, void *arg);

typedef void store_time_fn(enum store_status status, int64_t ms, void *arg);
/* When any message was stored; STORE_NOT_FOUND: there is none of that id. `asker`: whose turn it takes. */
void store_find_stored(struct store *s, struct str asker, uint64_t message_id, store_time_fn *fn, void *arg);

typedef void store_conversation_fn(enum store_status status, const struct conversation *c, void *arg);
/* STORE_NOT_FOUND where the user is no party to it. */
void store_find_conversation(struct store *s, struct str user, uint64_t id, store_conversation_fn *fn, void *arg);

struct store_peer {
	enum store_status status; /* also STORE_NOT_FRIENDS and STORE_BLOCKED, then with peer */
	uint64_t conversation_id;
	char peer[USER_ID_MAX + 1];
};
typedef void store_peer_fn(const struct store_peer *r, void *arg);
/* Who is on the other side, and may the user speak to them now. */
void store_find_peer(struct store *s, struct str user, uint64_t conversation_id, store_peer_fn *fn, void *arg);

struct store_friend {
	char user_id[USER_ID_MAX + 1];
	int64_t last_seen_ms; /* 0: null */
	bool blocks_user;     /* to be shown offline */
};
struct store_friends {
	enum store_status status;
	const struct store_friend *item;
	size_t count;
};
typedef void store_friends_fn(const struct store_friends *r, void *arg);
/* Which of `ids` are the user's friends. */
void store_find_friends(struct store *s, struct str user, const struct str *ids, size_t n, store_friends_fn *fn,
			void *arg);

/* shown[i]: ids[i] lets the user see whether they are online, being a friend who does not block the user. */
typedef void store_shown_fn(enum store_status status, const bool *shown, size_t n, void *arg);
void store_find_shown(struct store *s, struct str user, const struct str *ids, size_t n, store_shown_fn *fn, void *arg);

/* ---- catching up ---- */

#define STORE_SYNC_LISTED_MAX 200
#define STORE_SYNC_ITEMS_MAX 100
struct store_sync_have {
	uint64_t id, seq, change_seq;
};
struct store_sync_request {
	struct str user;
	const struct store_sync_have *have;
	size_t have_count;
	bool has_since;
	struct store_cursor since; /* one that an answer gave; what its id holds is the store's own */
	unsigned limit;
};
/* As they are stored; change.h has what there is to say of each. */
enum change_kind {
	CHANGE_RECALLED,
	CHANGE_READ,
	CHANGE_DELETED,
	CHANGE_EDITED,
	CHANGE_REACTION, /* one a message: it moves with each reaction */
	CHANGE_PINNED,
	CHANGE_UNPINNED,
};
const char *change_kind_name(enum change_kind k);
struct store_sync_change {
	uint64_t change_seq, message_id;
	enum change_kind kind;
	int64_t at_ms;
};
struct store_sync_item {
	struct conversation conversation;
	const struct message *message; /* oldest first */
	size_t message_count;
	const struct store_sync_change *change;
	size_t change_count;
	const struct message *updated; /* those that changes name and that the user sees, as they are now */
	size_t updated_count;
	bool has_more;
};
struct store_synced {
	enum store_status status;
	const struct store_sync_item *item;
	size_t count;
	struct store_cursor cursor;
	bool more;
	const uint64_t *gone; /* those listed that the user is no party to */
	size_t gone_count;
};
typedef void store_synced_fn(const struct store_synced *r, void *arg);
void store_sync(struct store *s, const struct store_sync_request *p, store_synced_fn *fn, void *arg);

#endif
