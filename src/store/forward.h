/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding messages: what is looked up before, the client_msg_ids of the copies, and the parts of merged messages.
 * The copies themselves are ordinary messages (store_send()).
 */
#ifndef TIDINGS_STORE_FORWARD_H
#define TIDINGS_STORE_FORWARD_H

#include "core/base.h"
#include "store/store.h"

#define FORWARD_MESSAGES_MAX 100
#define FORWARD_TARGETS_MAX 20
/* Of a merged message, in all levels; deeper than the levels there are none. */
#define FORWARD_PARTS_MAX 1000
/* Their texts, more than twice as much as a hundred of the longest (message.max_content as by default). */
#define FORWARD_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define FORWARD_LEVELS_MAX 10

/* ---- client_msg_ids ---- */

/*
 * One client_msg_id stands for all copies of a request. Each has an id of its own that follows from it, from the rest
 * of the request, and from where it goes and which one it is; so a repeat of the request finds them, and one with other
 * fields finds that there are others. It begins with a space, as the server's own do, so that clients neither send
 * nor see it.
 */
#define FORWARD_KEY_LEN 26
#define FORWARD_ID_LEN 60
struct forward_key {
	char text[FORWARD_ID_LEN]; /* the first FORWARD_KEY_LEN are the client_msg_id's, then comes the request's body
				    */
};
/* body: what tells the request from others. */
void forward_key_make(struct forward_key *k, struct str client_msg_id, struct str body);
/* to: a user, or of a group absent. */
void forward_id_make(char out[FORWARD_ID_LEN], const struct forward_key *k, struct str to, uint64_t conversation_id,
		     unsigned index);
bool forward_id_is(struct str client_msg_id);
/* It is of this request, not of another one with its client_msg_id. */
bool forward_id_is_of(const struct forward_key *k, struct str id);

/* ---- before ---- */

struct store_forward_look {
	struct str user;
	const uint64_t *message_id;
	size_t message_count;
	const uint64_t *conversation_id; /* direct ones, whose other side is looked for */
	size_t conversation_count;
	const struct forward_key *key; /* NULL: none */
};
struct forward_source {
	const struct message *message; /* NULL: the user does not see it */
	struct str nickname;	       /* its sender's; absent: none */
	uint64_t parts, bytes;	       /* of a merged one */
};
struct forward_peer {
	char user[USER_ID_MAX + 1]; /* "": the user is no party to it */
};
struct store_forward_looked {
	enum store_status status;
	const struct forward_source *source; /* one for each message_id */
	const struct forward_peer *peer;     /* one for each conversation_id */
	const struct str *sent;		     /* copies of the key that are stored, by their ids */
	size_t sent_count;
	int64_t now_ms;
};
typedef void store_forward_looked_fn(const struct store_forward_looked *r, void *arg);
/* In one round trip. */
void store_look_forward(struct store *s, const struct store_forward_look *p, store_forward_looked_fn *fn, void *arg);

/* At most what the message becomes as JSON, within a few hundred bytes. */
size_t forward_size(const struct store_send *p);

/* ---- the parts of a merged message ---- */

/* "07" of the message itself, "07.15" of its part 07: FORWARD_LEVELS_MAX numbers at most. */
#define FORWARD_PART_MAX (3 * FORWARD_LEVELS_MAX - 1)
bool forward_part_valid(struct str part);

struct forward_part {
	char part[FORWARD_PART_MAX + 1];
	char from[USER_ID_MAX + 1];
	enum message_type type;
	struct str nickname, content, media_url, extra, entities, forwarded_from; /* absent: null */
	int64_t created_ms;
};
struct store_forwarded {
	enum store_status status; /* STORE_NOT_FOUND: the user sees no such message, or it is not merged */
	const struct forward_part *item;
	size_t count;
	bool has_more;
};
typedef void store_forwarded_fn(const struct store_forwarded *r, void *arg);
/* In order. of: a part that is merged itself, whose parts are meant; absent: the message. after: the last number
 * before; -1: from the first on. */
void store_list_forwarded(struct store *s, struct str user, uint64_t message_id, struct str of, int after,
			  unsigned limit, store_forwarded_fn *fn, void *arg);

#endif
